#include "cli/cmd_prices.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json_write.h"
#include "base/rfc3339.h"
#include "cli/prices_text.h"

enum { EXIT_DONE = 0, EXIT_UNPRICED = 1, EXIT_USAGE = 2 };
enum { OUTPUT_MAX_BYTES = 256 * 1024 * 1024, NAME_MAX_BYTES = 2048, SECONDS_A_DAY = 86400 };

static const char help[] =
    "Usage: bedrock-metrics prices [list] [--model TEXT] [--scope SCOPE] [OPTIONS]\n"
    "       bedrock-metrics prices explain MODEL [--region REGION] [--day DAY] [TOKENS] [OPTIONS]\n"
    "       bedrock-metrics prices age [OPTIONS]\n"
    "\n"
    "The price list that estimated costs come from: US dollars per 1,000,000 tokens.\n"
    "\n"
    "list     all rows; only those whose model id contains TEXT, or of one SCOPE (default, "
    "global,\n"
    "         us-gov, region:REGION, global:REGION, a geography)\n"
    "explain  which row prices MODEL (an id with or without geographic prefix, or an ARN), and\n"
    "         why; exit code 1 when none does\n"
    "age      the dates of the list\n"
    "\n"
    "  --region REGION          Region the caller addressed, as in the log's `region`\n"
    "  --geography GEOGRAPHY    of the profile (us, eu, global, ...), when MODEL has no prefix\n"
    "  --day DAY                day of the request, such as 2026-11-01 (default: today, UTC)\n"
    "  --input-tokens N, --cache-read-tokens N, --cache-write-tokens N, --output-tokens N\n"
    "                           counts of one request, as in its log record (default: 0)\n"
    "  --prices FILE            rows that replace built-in ones (default: $PRICES_FILE)\n"
    "  --output FORMAT          table, json or csv (default: table)\n"
    "  --help\n";

enum option_id {
    OPTION_MODEL,
    OPTION_SCOPE,
    OPTION_REGION,
    OPTION_GEOGRAPHY,
    OPTION_DAY,
    OPTION_INPUT,
    OPTION_CACHE_READ,
    OPTION_CACHE_WRITE,
    OPTION_OUTPUT_TOKENS,
    OPTION_PRICES,
    OPTION_OUTPUT,
    OPTION_HELP,
    OPTIONS,
};

static const struct option long_options[] = {
    {"model", required_argument, NULL, OPTION_MODEL},
    {"scope", required_argument, NULL, OPTION_SCOPE},
    {"region", required_argument, NULL, OPTION_REGION},
    {"geography", required_argument, NULL, OPTION_GEOGRAPHY},
    {"day", required_argument, NULL, OPTION_DAY},
    {"input-tokens", required_argument, NULL, OPTION_INPUT},
    {"cache-read-tokens", required_argument, NULL, OPTION_CACHE_READ},
    {"cache-write-tokens", required_argument, NULL, OPTION_CACHE_WRITE},
    {"output-tokens", required_argument, NULL, OPTION_OUTPUT_TOKENS},
    {"prices", required_argument, NULL, OPTION_PRICES},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

enum action { ACTION_LIST, ACTION_EXPLAIN, ACTION_AGE };

/* Which options an action takes besides prices, output and help. */
static const struct {
    const char *name;
    unsigned options;
} actions[] = {
    [ACTION_LIST] = {"list", 1U << OPTION_MODEL | 1U << OPTION_SCOPE},
    [ACTION_EXPLAIN] = {"explain", 1U << OPTION_REGION | 1U << OPTION_GEOGRAPHY | 1U << OPTION_DAY |
                                       1U << OPTION_INPUT | 1U << OPTION_CACHE_READ |
                                       1U << OPTION_CACHE_WRITE | 1U << OPTION_OUTPUT_TOKENS},
    [ACTION_AGE] = {"age", 0},
};

struct request {
    enum action action;
    enum prices_format format;
    const char *file; /* NULL: built-in rows alone */
    struct prices_filter filter;
    struct prices_question question;
    bool has_day;
    bool help;
    unsigned given; /* bit per option */
};

/* "prices: WHAT "VALUE": WHY"; the value is escaped; value and why may be NULL. */
static int complain_why(const char *what, const char *value, const char *why)
{
    struct buf text;

    buf_init(&text, 1 << 16);
    buf_printf(&text, "bedrock-metrics: prices: %s", what);
    if (value != NULL) {
        buf_add_char(&text, ' ');
        json_add_string(&text, view_of(value));
    }
    if (why != NULL)
        buf_printf(&text, ": %s", why);
    buf_add_char(&text, '\n');
    fwrite(text.ptr, 1, text.len, stderr);
    buf_clear(&text);
    return EXIT_USAGE;
}

static int complain(const char *what, const char *value)
{
    return complain_why(what, value, NULL);
}

static bool is_name(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_BYTES;
}

static int take_name(const char *option, const char *value, struct view *out)
{
    *out = view_of(value);
    return is_name(*out) ? EXIT_DONE : complain(option, value);
}

static int take_count(const char *value, uint64_t *out)
{
    if (view_parse_u64(view_of(value), UINT64_MAX, out) == ST_OK)
        return EXIT_DONE;
    return complain("not a number of tokens:", value);
}

static int take_format(const char *value, enum prices_format *out)
{
    static const char *const names[] = {
        [PRICES_TABLE] = "table", [PRICES_JSON] = "json", [PRICES_CSV] = "csv"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = (enum prices_format)i;
            return EXIT_DONE;
        }
    }
    return complain("--output must be table, json or csv, not", value);
}

static int take_day(struct request *r, const char *value)
{
    struct instant midnight;

    if (rfc3339_parse_date(view_of(value), &midnight) != ST_OK)
        return complain("--day must be a date such as 2026-11-01, not", value);
    r->question.day = midnight.seconds / SECONDS_A_DAY;
    r->has_day = true;
    return EXIT_DONE;
}

static int take_option(struct request *r, int id, const char *value)
{
    struct price_usage *usage = &r->question.usage;

    if (r->given & 1U << id)
        return complain("given twice: option", long_options[id].name);
    r->given |= 1U << id;
    switch (id) {
    case OPTION_MODEL: return take_name("--model cannot be", value, &r->filter.model);
    case OPTION_SCOPE: return take_name("--scope cannot be", value, &r->filter.scope);
    case OPTION_REGION: return take_name("--region cannot be", value, &r->question.query.region);
    case OPTION_GEOGRAPHY:
        return take_name("--geography cannot be", value, &r->question.query.geography);
    case OPTION_DAY: return take_day(r, value);
    case OPTION_INPUT: return take_count(value, &usage->input);
    case OPTION_CACHE_READ: return take_count(value, &usage->cache_read);
    case OPTION_CACHE_WRITE: return take_count(value, &usage->cache_write);
    case OPTION_OUTPUT_TOKENS: return take_count(value, &usage->output);
    case OPTION_PRICES: r->file = value; return EXIT_DONE;
    case OPTION_OUTPUT: return take_format(value, &r->format);
    default: r->help = true; return EXIT_DONE;
    }
}

static int take_words(struct request *r, int n_words, char **words)
{
    int used = 0;

    if (n_words > 0) {
        size_t i = 0;
        while (i < sizeof(actions) / sizeof(actions[0]) && strcmp(words[0], actions[i].name) != 0)
            i++;
        if (i == sizeof(actions) / sizeof(actions[0]))
            return complain("list, explain or age, not", words[0]);
        r->action = (enum action)i;
        used = 1;
    }
    if (r->action == ACTION_EXPLAIN) {
        if (n_words < 2)
            return complain("explain needs a model id", NULL);
        r->question.query.model = view_of(words[1]);
        if (!is_name(r->question.query.model))
            return complain("explain needs a model id, not", words[1]);
        used = 2;
    }
    if (n_words > used)
        return complain("one thing at a time; not understood:", words[used]);
    const unsigned common = 1U << OPTION_PRICES | 1U << OPTION_OUTPUT | 1U << OPTION_HELP;
    unsigned strange = r->given & ~(actions[r->action].options | common);
    for (unsigned id = 0; id < OPTIONS; id++) {
        if (strange & 1U << id) {
            char what[64];
            snprintf(what, sizeof(what), "%s does not take the option", actions[r->action].name);
            return complain(what, long_options[id].name);
        }
    }
    return EXIT_DONE;
}

static int take_arguments(struct request *r, int argc, char **argv)
{
    int id;

    opterr = 0;
    optind = 0; /* the caller may have used getopt for its own options */
    while ((id = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (id == '?')
            return complain("no such option:", argv[optind - 1]);
        if (id == ':')
            return complain("needs a value: option", argv[optind - 1]);
        int code = take_option(r, id, optarg);
        if (code != EXIT_DONE)
            return code;
    }
    return r->help ? EXIT_DONE : take_words(r, argc - optind, argv + optind);
}

static int write_out(const struct buf *out)
{
    if (buf_status(out) == ST_OK && fwrite(out->ptr, 1, out->len, stdout) == out->len &&
        fflush(stdout) == 0)
        return EXIT_DONE;
    complain("the result could not be written", NULL);
    return EXIT_UNPRICED;
}

static int answer(const struct request *r, const struct prices *prices, int64_t today)
{
    struct price_explanation x;
    struct buf out;
    int code = EXIT_DONE;

    buf_init(&out, OUTPUT_MAX_BYTES);
    if (r->action == ACTION_LIST) {
        prices_add_list(&out, r->format, prices, &r->filter);
    } else if (r->action == ACTION_AGE) {
        prices_add_age(&out, r->format, prices, today);
    } else {
        struct prices_question question = r->question;
        if (!r->has_day)
            question.day = today;
        price_explain(prices, &question.query, question.day, &question.usage, &x);
        prices_add_explanation(&out, r->format, prices, &question, &x);
        code = x.row == NULL ? EXIT_UNPRICED : EXIT_DONE;
    }
    int written = write_out(&out);
    buf_clear(&out);
    return written == EXIT_DONE ? code : written;
}

int cmd_prices(int argc, char **argv)
{
    struct request r = {.action = ACTION_LIST};
    struct prices *prices = NULL;
    struct error err = {.text = ""};
    const char *file = getenv("PRICES_FILE");

    r.file = file != NULL && file[0] != '\0' ? file : NULL;
    int code = take_arguments(&r, argc, argv);
    if (code != EXIT_DONE)
        return code;
    if (r.help) {
        fputs(help, stdout);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_UNPRICED;
    }
    if (prices_open(r.file, &prices, &err) != ST_OK)
        return complain_why("price file", r.file, err.text);
    code = answer(&r, prices, (int64_t)time(NULL) / SECONDS_A_DAY);
    prices_free(prices);
    return code;
}
