#include "cli/cmd_prices.h"

#include <stdio.h>
#include <time.h>

#include "base/rfc3339.h"
#include "cli/options.h"
#include "config/config.h"
#include "report/prices_text.h"

enum { EXIT_UNPRICED = EXIT_FOUND_FAULTS };
enum { OUTPUT_MAX_BYTES = 256 * 1024 * 1024, NAME_MAX_BYTES = 2048, SECONDS_A_DAY = 86400 };

static const struct command this_command = {
    .name = "prices",
    .summary = "The price list that estimated costs come from: US dollars per 1,000,000 tokens.",
    .synopsis = "[list|explain MODEL|age] [OPTIONS]",
    .details =
        "list     all rows; only those whose model id contains TEXT, or of one SCOPE (default,\n"
        "         global, us-gov, region:REGION, global:REGION, a geography)\n"
        "explain  which row prices MODEL (an id with or without geographic prefix, or an ARN),\n"
        "         and why; exit status 1 when none does. The numbers of tokens are those of one\n"
        "         request, as in its log record (default 0)\n"
        "age      the dates of the list\n",
    .run = cmd_prices,
};

enum action { ACTION_LIST, ACTION_EXPLAIN, ACTION_AGE, ACTIONS };

static const char *const action_names[ACTIONS] = {
    [ACTION_LIST] = "list", [ACTION_EXPLAIN] = "explain", [ACTION_AGE] = "age"};

/* Options as given, NULL where not. */
struct choice {
    struct common_options common;
    const char *model, *scope;
    const char *region, *geography, *day;
    const char *input, *cache_read, *cache_write, *output_tokens;
    const char *prices, *output;
};

struct request {
    enum action action;
    enum prices_format format;
    struct prices_filter filter;
    struct prices_question question;
    bool has_day;
};

static bool is_name(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_BYTES;
}

static enum status take_name(const char *option, const char *value, struct view *out,
                             struct error *err)
{
    if (value == NULL)
        return ST_OK;
    *out = view_of(value);
    return is_name(*out)
               ? ST_OK
               : error_set(err, ST_USAGE, E_U299, "%s cannot be \"%.80s\"", option, value);
}

static enum status take_count(const char *option, const char *value, uint64_t *out,
                              struct error *err)
{
    if (value == NULL || view_parse_u64(view_of(value), UINT64_MAX, out) == ST_OK)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U208, "%s: \"%.80s\" is no whole number", option, value);
}

static enum status take_format(const char *value, enum prices_format *out, struct error *err)
{
    static const char *const names[] = {
        [PRICES_TABLE] = "table", [PRICES_JSON] = "json", [PRICES_CSV] = "csv"};

    *out = PRICES_TABLE;
    for (size_t i = 0; value != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = (enum prices_format)i;
            return ST_OK;
        }
    }
    return value == NULL
               ? ST_OK
               : error_set(err, ST_USAGE, E_U299,
                           "unknown --output \"%.80s\"; known are table, json, csv", value);
}

static enum status take_day(struct request *r, const char *value, struct error *err)
{
    struct instant midnight;

    if (value == NULL)
        return ST_OK;
    if (rfc3339_parse_date(view_of(value), &midnight) != ST_OK)
        return error_set(err, ST_USAGE, E_U204, "--day \"%.80s\" is no date such as 2026-11-01",
                         value);
    r->question.day = midnight.seconds / SECONDS_A_DAY;
    r->has_day = true;
    return ST_OK;
}

static enum status take_words(struct request *r, size_t count, char **words, struct error *err)
{
    size_t used = count > 0 ? 1 : 0;

    if (count > 0) {
        size_t i = 0;
        while (i < ACTIONS && strcmp(words[0], action_names[i]) != 0)
            i++;
        if (i == ACTIONS)
            return error_set(err, ST_USAGE, E_U299,
                             "\"%.80s\" is unknown; known are list, explain, age", words[0]);
        r->action = (enum action)i;
    }
    if (r->action == ACTION_EXPLAIN) {
        if (count < 2)
            return error_set(err, ST_USAGE, E_U107, "explain needs a model id");
        r->question.query.model = view_of(words[1]);
        if (!is_name(r->question.query.model))
            return error_set(err, ST_USAGE, E_U107, "explain needs a model id, not \"%.80s\"",
                             words[1]);
        used = 2;
    }
    if (count > used)
        return error_set(err, ST_USAGE, E_U106, "\"%.80s\" is not expected here", words[used]);
    return ST_OK;
}

/* An option of another action would be left out silently. */
static enum status check_options(const struct choice *c, enum action action, struct error *err)
{
    const struct {
        enum action action;
        const char *name, *value;
    } owned[] = {
        {ACTION_LIST, "model", c->model},
        {ACTION_LIST, "scope", c->scope},
        {ACTION_EXPLAIN, "region", c->region},
        {ACTION_EXPLAIN, "geography", c->geography},
        {ACTION_EXPLAIN, "day", c->day},
        {ACTION_EXPLAIN, "input-tokens", c->input},
        {ACTION_EXPLAIN, "cache-read-tokens", c->cache_read},
        {ACTION_EXPLAIN, "cache-write-tokens", c->cache_write},
        {ACTION_EXPLAIN, "output-tokens", c->output_tokens},
    };
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        if (owned[i].value != NULL && owned[i].action != action)
            return error_set(err, ST_USAGE, E_U108, "%s does not take the option --%s",
                             action_names[action], owned[i].name);
    }
    return ST_OK;
}

static enum status settle(const struct choice *c, struct request *r, size_t count, char **words,
                          struct error *err)
{
    struct price_usage *usage = &r->question.usage;
    struct price_query *query = &r->question.query;
    enum status st = take_words(r, count, words, err);
    if (st == ST_OK)
        st = check_options(c, r->action, err);
    if (st == ST_OK)
        st = take_format(c->output, &r->format, err);
    if (st == ST_OK)
        st = take_name("--model", c->model, &r->filter.model, err);
    if (st == ST_OK)
        st = take_name("--scope", c->scope, &r->filter.scope, err);
    if (st == ST_OK)
        st = take_name("--region", c->region, &query->region, err);
    if (st == ST_OK)
        st = take_name("--geography", c->geography, &query->geography, err);
    if (st == ST_OK)
        st = take_day(r, c->day, err);
    if (st == ST_OK)
        st = take_count("--input-tokens", c->input, &usage->input, err);
    if (st == ST_OK)
        st = take_count("--cache-read-tokens", c->cache_read, &usage->cache_read, err);
    if (st == ST_OK)
        st = take_count("--cache-write-tokens", c->cache_write, &usage->cache_write, err);
    if (st == ST_OK)
        st = take_count("--output-tokens", c->output_tokens, &usage->output, err);
    return st == ST_OK ? common_options_apply(&c->common, err) : st;
}

static int write_out(const struct buf *out)
{
    if (buf_status(out) == ST_OK && fwrite(out->ptr, 1, out->len, stdout) == out->len &&
        fflush(stdout) == 0)
        return EXIT_DONE;
    return run_failed("prices",
                      &(struct error){.code = E_R110, .text = "the result could not be written"});
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

static enum status open_list(const char *file, struct prices **prices, struct error *err)
{
    struct error detail = {0};
    if (file == NULL)
        file = config_get("PRICES_FILE", NULL);
    enum status st = prices_open(file, prices, &detail);
    return st == ST_OK || st == ST_NO_MEMORY
               ? st
               : error_set(err, ST_USAGE, E_U403, "price list \"%.80s\": %s",
                           file != NULL ? file : "built in", detail.text);
}

int cmd_prices(int argc, char **argv)
{
    struct choice c = {0};
    struct request r = {.action = ACTION_LIST};
    struct prices *prices = NULL;
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 11] = {
        {"model", "TEXT", "list: only rows whose model id contains TEXT", &c.model, NULL},
        {"scope", "SCOPE", "list: only rows of this scope", &c.scope, NULL},
        {"region", "REGION", "explain: the Region the caller addressed, as in the\nlog's `region`",
         &c.region, NULL},
        {"geography", "GEOGRAPHY",
         "explain: of the profile (us, eu, global, ...), when\nMODEL has no prefix", &c.geography,
         NULL},
        {"day", "DAY", "explain: the request's, 2026-11-01 (default today, UTC)", &c.day, NULL},
        {"input-tokens", "N", "explain: counts of one request", &c.input, NULL},
        {"cache-read-tokens", "N", "explain: likewise", &c.cache_read, NULL},
        {"cache-write-tokens", "N", "explain: likewise", &c.cache_write, NULL},
        {"output-tokens", "N", "explain: likewise", &c.output_tokens, NULL},
        {"prices", "FILE", "rows that replace built-in ones (default PRICES_FILE)", &c.prices,
         NULL},
        {"output", "FORMAT", "table (default), json or csv", &c.output, NULL},
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count;
    common_options_table(&c.common, specs + 11);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK)
        st = settle(&c, &r, (size_t)count, argv, &err);
    if (st == ST_OK)
        st = open_list(c.prices, &prices, &err);
    if (st != ST_OK)
        return start_failed("prices", st, &err);
    int code = answer(&r, prices, (int64_t)time(NULL) / SECONDS_A_DAY);
    prices_free(prices);
    return code;
}
