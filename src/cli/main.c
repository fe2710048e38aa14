/* main.c: main() alone, so that tests can link everything else. */
#include <malloc.h>

#include "cli/commands.h"

/*
 * By default glibc keeps freed blocks of up to 32 MiB once one has been freed, in every thread's heap:
 * a worker that has met one object with many series would stay twice as large.  A block from 128 KiB
 * on is a mapping of its own; it grows without being copied, and goes when it is freed.
 */
static void set_up_allocator(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}

/* What only reached a buffer is not written yet: a full disk shows here. */
int main(int argc, char **argv)
{
    set_up_allocator();
    int status = commands_main(argc, argv);
    if (status != EXIT_DONE || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    return command_failed(
        "", &(struct error){.code = E_R110, .text = "the result could not be written"});
}
