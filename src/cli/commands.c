/* commands.c: the array of all commands; finding the one that is meant; the program's own help. */
#include "cli/commands.h"

#include "base/suggest.h"
#include "config/variables.h"

enum { NAME_COLUMN = 22 };

#define COMMANDS_ADDRESS(name) &cmd_##name,
const struct command *const commands[COMMAND_COUNT] = {COMMANDS(COMMANDS_ADDRESS)};

static const char *const group_titles[GROUP_COUNT] = {
    [GROUP_LOGS] = "Look at logs",
    [GROUP_AWS] = "Run in AWS",
    [GROUP_LEDGER] = "Keep the ledger",
};

/* ---- help ---- */

/* Those of a group or of a family, a line each. */
static void list_commands(enum command_group group, const char *family, FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = commands[i];
        if (family != NULL ? c->family == NULL || strcmp(c->family, family) != 0
                           : c->group != group)
            continue;
        int n = fprintf(out, "  %s%s%s", c->family != NULL ? c->family : "",
                        c->family != NULL ? " " : "", c->name);
        fprintf(out, "%*s%s\n", n < NAME_COLUMN ? NAME_COLUMN - n : 1, "", c->summary);
    }
}

static int print_help(FILE *out)
{
    fprintf(out, "Usage: bedrock-metrics [--help|--version] COMMAND [OPTIONS]\n\n"
                 "Usage and cost of Amazon Bedrock from its invocation logs, over all Regions.\n");
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        fprintf(out, "\n%s:\n", group_titles[g]);
        list_commands(g, NULL, out);
    }
    fprintf(out,
            "\n\"bedrock-metrics help COMMAND\" says more about one, \"help variables\" about the\n"
            "environment.\n");
    return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int print_family_help(const char *family, FILE *out)
{
    fprintf(out, "Usage: bedrock-metrics %s COMMAND [OPTIONS]\n\nCommands:\n", family);
    list_commands(GROUP_COUNT, family, out);
    fprintf(out, "\n\"bedrock-metrics help %s COMMAND\" says more about one.\n", family);
    return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

/* ---- which is meant ---- */

static bool is_family(const char *word)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i]->family != NULL && strcmp(commands[i]->family, word) == 0)
            return true;
    }
    return false;
}

/* `name` NULL: the one that the family's name alone means.  NULL when there is none. */
static const struct command *find(const char *family, const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = commands[i];
        bool same = family == NULL || c->family == NULL ? c->family == family
                                                        : strcmp(c->family, family) == 0;
        if (same && (name == NULL ? c->is_default : strcmp(c->name, name) == 0))
            return c;
    }
    return NULL;
}

/* Old habits are met as well as slips: "sweep" is a part of "ledger sweep". */
static int unknown_command(const char *family, const char *word)
{
    const char *names[2 * COMMAND_COUNT];
    const struct command *of[2 * COMMAND_COUNT];
    char near[96] = "";
    struct error err;
    size_t n = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = commands[i];
        if (family != NULL && (c->family == NULL || strcmp(c->family, family) != 0))
            continue;
        names[n] = c->name;
        of[n++] = c;
        names[n] = c->family != NULL ? c->family : c->name;
        of[n++] = NULL;
    }
    const char *name = suggest_name(view_of(word), names, n);
    for (size_t i = 0; name != NULL && i < n; i++) {
        if (names[i] != name)
            continue;
        bool whole = of[i] != NULL && of[i]->family != NULL;
        (void)snprintf(near, sizeof(near), "; did you mean %s%s%s?", whole ? of[i]->family : "",
                       whole ? " " : "", name);
        break;
    }
    (void)error_set(&err, ST_USAGE, E_U102, "unknown command \"%s%s%.80s\"%s",
                    family != NULL ? family : "", family != NULL ? " " : "", word, near);
    return command_usage_error(family != NULL ? family : "", &err);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `words` are what follows "help". */
static int help_about(int count, char **words)
{
    if (count == 0)
        return print_help(stdout);
    if (strcmp(words[0], "variables") == 0) {
        command_help_variables(~0U, stdout);
        return EXIT_DONE;
    }
    bool family = is_family(words[0]);
    if (family && count == 1)
        return print_family_help(words[0], stdout);
    const struct command *c = family ? find(words[0], words[1]) : find(NULL, words[0]);
    if (c == NULL)
        return family ? unknown_command(words[0], words[1]) : unknown_command(NULL, words[0]);
    command_help(c, stdout);
    return EXIT_DONE;
}

static int run_family(int argc, char **argv)
{
    const char *family = argv[0];
    if (argc > 1 && is_help(argv[1]))
        return print_family_help(family, stdout);
    if (argc > 1 && argv[1][0] != '-') {
        const struct command *c = find(family, argv[1]);
        return c != NULL ? command_run(c, argc - 1, argv + 1) : unknown_command(family, argv[1]);
    }
    const struct command *c = find(family, NULL);
    return c != NULL ? command_run(c, argc, argv) : print_family_help(family, stderr);
}

bool commands_is_lambda(int argc, char **argv)
{
    struct view name = view_of(argc > 0 ? argv[0] : "");
    size_t slash = view_rfind(name, VIEW_LIT("/"));
    if (slash != SIZE_MAX)
        name = view_skip(name, slash + 1);
    if (view_eq(name, VIEW_LIT("bootstrap")))
        return true;
    return argc < 2 && variable_given(VAR_AWS_LAMBDA_RUNTIME_API);
}

int commands_main(int argc, char **argv)
{
    if (commands_is_lambda(argc, argv))
        return command_run(&cmd_lambda, 1, argv);
    if (argc < 2)
        return print_help(stderr);
    if (is_help(argv[1]))
        return print_help(stdout);
    if (strcmp(argv[1], "help") == 0)
        return help_about(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("bedrock-metrics %s\n", BM_VERSION);
        return EXIT_DONE;
    }
    if (is_family(argv[1]))
        return run_family(argc - 1, argv + 1);
    const struct command *c = find(NULL, argv[1]);
    return c != NULL ? command_run(c, argc - 1, argv + 1) : unknown_command(NULL, argv[1]);
}
