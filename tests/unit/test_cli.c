/* test_cli.c: every option of every command, the parser, and which command is meant. */
#include "unit.h"

#include "cli/commands.h"

enum { MAX_HELP = 64 * 1024 };

/* ---- every row of every command ---- */

static void describe(const struct command *c, const struct option *o, char *out, size_t size)
{
    (void)snprintf(out, size, "%s %s --%s", c->family != NULL ? c->family : "", c->name, o->name);
}

/* A word that the row takes, and another one that gives another value where there is one. */
static const char *sample(const struct option *o, char *out, size_t size)
{
    if (o->kind == OPTION_NUMBER)
        (void)snprintf(out, size, "%llu",
                       (unsigned long long)(o->high != o->otherwise ? o->high : o->low));
    else if (o->kind == OPTION_CHOICE)
        (void)snprintf(out, size, "%s", strrchr(o->value_name, '|') + 1);
    else
        (void)snprintf(out, size, "a value");
    return out;
}

static size_t size_of_member(const struct option *o)
{
    switch (o->kind) {
    case OPTION_FLAG: return sizeof(bool);
    case OPTION_CHOICE: return sizeof(unsigned);
    case OPTION_NUMBER: return sizeof(uint64_t);
    default: return sizeof(const char *);
    }
}

/* The value is where the row says, and nothing else of the struct has changed. */
static void check_row(const struct command *c, const struct option *o,
                      struct option_table tables[2], size_t size)
{
    char what[128], word[64], option[80];
    struct error err = {.text = ""};
    size_t count;
    describe(c, o, what, sizeof(what));
    (void)snprintf(option, sizeof(option), "--%s", o->name);
    char *argv[] = {"x", option, (char *)(uintptr_t)sample(o, word, sizeof(word)), NULL};
    int argc = o->kind == OPTION_FLAG ? 2 : 3;
    unsigned char *values = tables[0].values;
    memset(values, 0, size);
    assert_int_equal(options_parse(tables, 2, 1, argv, &count, &err), ST_OK);
    unsigned char *before = malloc(size);
    assert_non_null(before);
    memcpy(before, values, size);
    if (options_parse(tables, 2, argc, argv, &count, &err) != ST_OK || count != 0)
        fail_msg("%s: %s", what, err.text);
    size_t n = size_of_member(o);
    if (o->offset + n > size)
        fail_msg("%s: past the end of the struct", what);
    if (memcmp(before + o->offset, values + o->offset, n) == 0)
        fail_msg("%s: the value did not arrive", what);
    memcpy(before + o->offset, values + o->offset, n);
    if (memcmp(before, values, size) != 0)
        fail_msg("%s: something else was changed", what);
    free(before);
    if (o->kind != OPTION_FLAG && options_parse(tables, 2, 2, argv, &count, &err) != ST_USAGE)
        fail_msg("%s: no value is needed", what);
    if (o->kind == OPTION_CHOICE && strchr(o->value_name, '|') == NULL)
        fail_msg("%s: a choice of one", what);
}

static void every_option_is_parsed_and_in_the_help(void **state)
{
    size_t common_count, all = 0;
    const struct option *common = command_common_options(&common_count);
    (void)state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = commands[i];
        struct common_options given;
        char *help = NULL;
        size_t help_size = 0;
        FILE *out = open_memstream(&help, &help_size);
        assert_non_null(out);
        command_help(c, out);
        fclose(out);
        void *values = malloc(c->options_size + 1);
        assert_non_null(values);
        struct option_table own[2] = {{c->options, c->option_count, values},
                                      {common, common_count, &given}};
        struct option_table other[2] = {own[1], own[0]};
        for (size_t r = 0; r < c->option_count + common_count; r++) {
            bool is_own = r < c->option_count;
            const struct option *o = is_own ? &c->options[r] : &common[r - c->option_count];
            char what[128], line[80];
            describe(c, o, what, sizeof(what));
            (void)snprintf(line, sizeof(line), "\n  --%s%s", o->name,
                           o->kind == OPTION_FLAG ? " " : "");
            if ((is_own || c->setup != SETUP_NONE) && strstr(help, line) == NULL)
                fail_msg("%s: not in the help", what);
            if (o->help == NULL || o->help[0] == '\0' ||
                (o->value_name == NULL) != (o->kind == OPTION_FLAG))
                fail_msg("%s: without a help, or with a value that it does not take", what);
            memset(&given, 0, sizeof(given));
            memset(values, 0, c->options_size + 1);
            if (is_own)
                check_row(c, o, own, c->options_size + 1);
            else
                check_row(c, o, other, sizeof(given));
            all++;
        }
        free(values);
        free(help);
    }
    assert_true(all > 150);
}

static void every_command_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = commands[i];
        if (c->run == NULL || c->summary == NULL || c->synopsis == NULL || c->details == NULL ||
            (c->word == NULL) != (c->max_words == 0))
            fail_msg("%s lacks something", c->name);
        size_t end = strlen(c->summary) - 1;
        if (end > 62 || c->summary[end] == '.')
            fail_msg("%s: a summary is a short line", c->name);
        for (size_t k = 0; k < i; k++) {
            bool same_family = c->family == NULL || commands[k]->family == NULL
                                   ? c->family == commands[k]->family
                                   : strcmp(c->family, commands[k]->family) == 0;
            if (same_family && strcmp(c->name, commands[k]->name) == 0)
                fail_msg("%s is there twice", c->name);
        }
    }
}

/* ---- the parser ---- */

struct options {
    const char *text;
    bool flag;
    uint64_t number;
    enum { RED, GREEN, BLUE } colour;
};

static const struct option sample_rows[] = {
    {"text", "WORD", "help", OPT_TEXT(text)},
    {"flag", NULL, "help", OPT_FLAG(flag)},
    {"number", "N", "help", OPT_NUMBER(number, 2, 10, 7)},
    {"colour", "red|green|blue", "help", OPT_CHOICE(colour)},
};

static void parser(void **state)
{
    static const struct {
        const char *line; /* separated by blanks */
        enum status status;
        const char *said; /* a part of the error */
        struct options wanted;
        const char *words;
    } cases[] = {
        {"", ST_OK, "", {NULL, false, 7, RED}, ""},
        {"a --flag b", ST_OK, "", {NULL, true, 7, RED}, "ab"},
        {"--text x --number 2", ST_OK, "", {"x", false, 2, RED}, ""},
        {"--text=x=y --number=10 -", ST_OK, "", {"x=y", false, 10, RED}, "-"},
        {"--text= a", ST_OK, "", {"", false, 7, RED}, "a"},
        {"--text --flag", ST_OK, "", {"--flag", false, 7, RED}, ""},
        {"-- --flag --text", ST_OK, "", {NULL, false, 7, RED}, "--flag--text"},
        {"--colour blue", ST_OK, "", {NULL, false, 7, BLUE}, ""},
        {"--colour green", ST_OK, "", {NULL, false, 7, GREEN}, ""},
        {"--help", ST_END, "", {NULL, false, 7, RED}, ""},
        {"a -h --nonsense", ST_END, "", {NULL, false, 7, RED}, ""},
        {"--flag --flag", ST_USAGE, "--flag is given twice", {0}, ""},
        {"--text a --text a", ST_USAGE, "--text is given twice", {0}, ""},
        {"--flag=1", ST_USAGE, "--flag takes no value", {0}, ""},
        {"--text", ST_USAGE, "--text needs a value (WORD)", {0}, ""},
        {"--txt x", ST_USAGE, "unknown option \"--txt\"; did you mean --text?", {0}, ""},
        {"--te x", ST_USAGE, "unknown option \"--te\"", {0}, ""},
        {"-f", ST_USAGE, "\"-f\"; options have two dashes", {0}, ""},
        {"--number 1", ST_USAGE, "--number must be an integer from 2 to 10, not \"1\"", {0}, ""},
        {"--number 11", ST_USAGE, "\"11\"", {0}, ""},
        {"--number -2", ST_USAGE, "\"-2\"", {0}, ""},
        {"--number 2x", ST_USAGE, "\"2x\"", {0}, ""},
        {"--number=", ST_USAGE, "\"\"", {0}, ""},
        {"--colour re", ST_USAGE, "unknown --colour \"re\"; known are red, green, blue", {0}, ""},
        {"--colour red|green", ST_USAGE, "\"red|green\"", {0}, ""},
        {"--colour=", ST_USAGE, "\"\"", {0}, ""},
        {"--colour gren", ST_USAGE, "did you mean green?", {0}, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[128], words[128] = "", *argv[16] = {"x"};
        int argc = 1;
        (void)snprintf(line, sizeof(line), "%s", cases[i].line);
        for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
            argv[argc++] = word;
        struct options got = {0};
        struct option_table table = {sample_rows, COUNT_OF(sample_rows), &got};
        struct error err = {.text = ""};
        size_t count = 0;
        expect_status(i, options_parse(&table, 1, argc, argv, &count, &err), cases[i].status);
        if (strstr(err.text, cases[i].said) == NULL)
            fail_row(i, "\"%s\"", err.text);
        if (cases[i].status == ST_USAGE)
            continue;
        const struct options *w = &cases[i].wanted;
        bool same_text = got.text == NULL || w->text == NULL ? got.text == w->text
                                                             : strcmp(got.text, w->text) == 0;
        if (!same_text || got.flag != w->flag || got.number != w->number || got.colour != w->colour)
            fail_row(i, "other values");
        for (size_t k = 0; cases[i].status == ST_OK && k < count; k++)
            strcat(words, argv[k]);
        if (strcmp(words, cases[i].words) != 0)
            fail_row(i, "words \"%s\"", words);
    }
}

/* ---- which command is meant ---- */

/* Standard output or error of a call of the program's main. */
static int run(FILE *stream, const char *words, char *out, size_t size)
{
    char line[128], *argv[16] = {"bedrock-metrics"};
    int argc = 1;
    (void)snprintf(line, sizeof(line), "%s", words);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stream);
    int number = fileno(stream), kept = dup(number);
    assert_true(kept >= 0 && dup2(fileno(file), number) >= 0);
    int status = commands_main(argc, argv);
    fflush(stream);
    dup2(kept, number);
    close(kept);
    rewind(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = '\0';
    fclose(file);
    return status;
}

static void which_command(void **state)
{
    static const struct {
        const char *words;
        int status; /* 0: said on standard output, else on standard error */
        const char *said;
    } cases[] = {
        {"", 2, "Keep the ledger:\n  ledger status "},
        {"--help", 0, "Run in AWS:\n  worker "},
        {"-h", 0, "Look at logs:\n  aggregate "},
        {"help", 0, "Usage: bedrock-metrics [--help|--version] COMMAND"},
        {"--version", 0, "bedrock-metrics "},
        {"-V", 0, "bedrock-metrics "},
        {"help aggregate", 0, "Usage: bedrock-metrics aggregate SOURCE... [OPTIONS]\n"},
        {"aggregate --help", 0, "Usage: bedrock-metrics aggregate SOURCE... [OPTIONS]\n"},
        {"aggregate -h", 0, "Usage: bedrock-metrics aggregate SOURCE... [OPTIONS]\n"},
        {"help ledger", 0, "Usage: bedrock-metrics ledger COMMAND [OPTIONS]\n"},
        {"ledger --help", 0, "  ledger quarantine  "},
        {"help ledger sweep", 0, "Usage: bedrock-metrics ledger sweep "},
        {"ledger sweep --help", 0, "Usage: bedrock-metrics ledger sweep "},
        {"prices --help", 0, "  prices explain "},
        {"help prices explain", 0, "Usage: bedrock-metrics prices explain MODEL"},
        {"prices age", 0, "20"},
        {"prices --output csv --model nova-lite", 0, "amazon.nova-lite"},
        {"ledger", 2, "  ledger redrive "},
        {"ledger --output json", 2, "  ledger redrive "},
        {"sweep", 2, "unknown command \"sweep\"; did you mean ledger sweep?"},
        {"redrive", 2, "did you mean ledger redrive?"},
        {"help quarantine", 2, "did you mean ledger quarantine?"},
        {"ledger swep", 2, "unknown command \"ledger swep\"; did you mean ledger sweep?"},
        {"ledger aggregate", 2, "unknown command \"ledger aggregate\" ("},
        {"leger sweep", 2, "did you mean ledger?"},
        {"agregate", 2, "did you mean aggregate?"},
        {"help nonsense", 2, "unknown command \"nonsense\" ("},
        {"--nonsense", 2, "unknown command \"--nonsense\""},
        {"aggregate", 2, "bedrock-metrics aggregate: missing argument SOURCE"},
        {"prices explain", 2, "bedrock-metrics prices explain: missing argument MODEL"},
        {"prices age x", 2, "bedrock-metrics prices age: unexpected argument \"x\""},
        {"prices age --model x", 2, "unknown option \"--model\""},
        {"ledger verify x", 2, "unexpected argument \"x\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static char text[MAX_HELP];
        int status =
            run(cases[i].status == 0 ? stdout : stderr, cases[i].words, text, sizeof(text));
        expect_u64(i, "exit status", (uint64_t)status, (uint64_t)cases[i].status);
        if (strstr(text, cases[i].said) == NULL)
            fail_row(i, "\"%s\": \"%s\"", cases[i].words, text);
    }
}

static void which_is_lambda(void **state)
{
    static char *const named[] = {"/var/task/bootstrap", "aggregate", NULL};
    static char *const bare[] = {"bedrock-metrics", NULL, NULL};
    static char *const command[] = {"bedrock-metrics", "worker", NULL};
    (void)state;
    unsetenv("AWS_LAMBDA_RUNTIME_API");
    assert_true(commands_is_lambda(2, (char **)(uintptr_t)named));
    assert_false(commands_is_lambda(1, (char **)(uintptr_t)bare));
    setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001", 1);
    assert_true(commands_is_lambda(1, (char **)(uintptr_t)bare));
    assert_false(commands_is_lambda(2, (char **)(uintptr_t)command));
    unsetenv("AWS_LAMBDA_RUNTIME_API");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_parsed_and_in_the_help),
        cmocka_unit_test(every_command_is_whole),
        cmocka_unit_test(parser),
        cmocka_unit_test(which_command),
        cmocka_unit_test(which_is_lambda),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
