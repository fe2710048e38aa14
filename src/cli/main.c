/* main.c: main() alone, so that tests can link everything else. */
#include "cli/commands.h"

/* What only reached a buffer is not written yet: a full disk shows here. */
int main(int argc, char **argv)
{
    int status = commands_main(argc, argv);
    if (status != EXIT_DONE || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    return command_failed(
        "", &(struct error){.code = E_R110, .text = "the result could not be written"});
}
