/* cmd_prices.c: the price list that estimated costs come from: its rows, one price explained, its
 * age. */
#include <time.h>

#include "base/rfc3339.h"
#include "cli/commands.h"
#include "config/settings.h"
#include "report/prices_text.h"

enum { OUTPUT_MAX_BYTES = 256 * 1024 * 1024, NAME_MAX_BYTES = 2048, SECONDS_A_DAY = 86400 };

/* Of all three. */
struct options {
    const char *prices_file;
    enum prices_format format;
    /* list */
    const char *model, *scope;
    /* explain */
    const char *region, *geography, *day;
    /* resolved */
    struct prices *prices;
    struct prices_filter filter;
    struct prices_question question;
};

#define PRICES_FILE_OPTION                                                                         \
    {                                                                                              \
        "prices", "FILE", "rows that replace built-in ones (default PRICES_FILE)",                 \
            OPT_TEXT(prices_file)                                                                  \
    }
#define FORMAT_OPTION                                                                              \
    {                                                                                              \
        "output", "table|json|csv", "form of the result (default table)", OPT_CHOICE(format)       \
    }

static const struct option list_rows[] = {
    {"model", "TEXT", "only rows whose model id contains TEXT", OPT_TEXT(model)},
    {"scope", "SCOPE", "only rows of this scope", OPT_TEXT(scope)},
    PRICES_FILE_OPTION,
    FORMAT_OPTION,
};

static const struct option explain_rows[] = {
    {"region", "REGION", "the Region the caller addressed, as in the log's\n`region`",
     OPT_TEXT(region)},
    {"geography", "GEOGRAPHY", "of the profile (us, eu, global, ...), when MODEL has no\nprefix",
     OPT_TEXT(geography)},
    {"day", "DAY", "the request's, 2026-11-01 (default today, UTC)", OPT_TEXT(day)},
    {"input-tokens", "N", "counts of one request",
     OPT_NUMBER(question.usage.input, 0, UINT64_MAX, 0)},
    {"cache-read-tokens", "N", "likewise", OPT_NUMBER(question.usage.cache_read, 0, UINT64_MAX, 0)},
    {"cache-write-tokens", "N", "likewise",
     OPT_NUMBER(question.usage.cache_write, 0, UINT64_MAX, 0)},
    {"output-tokens", "N", "likewise", OPT_NUMBER(question.usage.output, 0, UINT64_MAX, 0)},
    PRICES_FILE_OPTION,
    FORMAT_OPTION,
};

static const struct option age_rows[] = {PRICES_FILE_OPTION, FORMAT_OPTION};

static enum status take_name(const char *what, const char *value, struct view *out,
                             struct error *err)
{
    if (value == NULL)
        return ST_OK;
    *out = view_of(value);
    bool good = out->len > 0 && out->len <= NAME_MAX_BYTES;
    for (size_t i = 0; i < out->len && good; i++)
        good = value[i] > ' ' && value[i] <= '~';
    return good ? ST_OK : error_set(err, ST_USAGE, E_U299, "%s cannot be \"%.80s\"", what, value);
}

static enum status open_list(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = take_name("--model", o->model, &o->filter.model, err);
    if (st == ST_OK)
        st = take_name("--scope", o->scope, &o->filter.scope, err);
    return st == ST_OK ? settings_prices(o->prices_file, &o->prices, err) : st;
}

static enum status open_explain(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct price_query *query = &o->question.query;
    struct instant midnight = {(int64_t)time(NULL), 0};
    enum status st = take_name("MODEL", in->words[0], &query->model, err);
    if (st == ST_OK)
        st = take_name("--region", o->region, &query->region, err);
    if (st == ST_OK)
        st = take_name("--geography", o->geography, &query->geography, err);
    if (st == ST_OK && o->day != NULL && rfc3339_parse_date(view_of(o->day), &midnight) != ST_OK)
        st = error_set(err, ST_USAGE, E_U204, "--day \"%.80s\" is not a date such as 2026-11-01",
                       o->day);
    o->question.day = midnight.seconds / SECONDS_A_DAY;
    return st == ST_OK ? open_list(in, err) : st;
}

static enum status run_list(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    prices_add_list(&out, o->format, o->prices, &o->filter);
    return command_print(&out, err);
}

static enum status run_explain(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    const struct prices_question *q = &o->question;
    struct price_explanation x;
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    price_explain(o->prices, &q->query, q->day, &q->usage, &x);
    prices_add_explanation(&out, o->format, o->prices, q, &x);
    if (x.row == NULL)
        in->exit = EXIT_FOUND_FAULTS;
    return command_print(&out, err);
}

static enum status run_age(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    prices_add_age(&out, o->format, o->prices, (int64_t)time(NULL) / SECONDS_A_DAY);
    return command_print(&out, err);
}

static void close_prices(void *options)
{
    prices_free(((struct options *)options)->prices);
}

COMMAND(prices_list) = {
    .group = GROUP_LOGS,
    .family = "prices",
    .name = "list",
    .is_default = true,
    .synopsis = "[OPTIONS]",
    .summary = "List the prices that estimated costs come from",
    .details =
        "US dollars per 1,000,000 tokens.  SCOPE is default, global, us-gov, region:REGION,\n"
        "global:REGION, or a geography.\n",
    .reads = READ_PRICES,
    COMMAND_OPTIONS(list_rows),
    .open = open_list,
    .run = run_list,
    .close = close_prices,
};

COMMAND(prices_explain) = {
    .group = GROUP_LOGS,
    .family = "prices",
    .name = "explain",
    .synopsis = "MODEL [OPTIONS]",
    .summary = "Which row prices a model, and why",
    .details =
        "MODEL is an id with or without geographic prefix, or an ARN.  The numbers of tokens are\n"
        "those of one request, as in its log record (default 0).\n"
        "\n"
        "Exit status: 0 done; 1 no row prices it; 2 wrong usage.\n",
    .word = "MODEL",
    .min_words = 1,
    .max_words = 1,
    .reads = READ_PRICES,
    COMMAND_OPTIONS(explain_rows),
    .open = open_explain,
    .run = run_explain,
    .close = close_prices,
};

COMMAND(prices_age) = {
    .group = GROUP_LOGS,
    .family = "prices",
    .name = "age",
    .synopsis = "[OPTIONS]",
    .summary = "The dates of the price list",
    .details = "The dates of the built-in rows and, with --prices, of your own rows.\n",
    .reads = READ_PRICES,
    COMMAND_OPTIONS(age_rows),
    .open = open_list,
    .run = run_age,
    .close = close_prices,
};
