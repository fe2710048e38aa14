/*
 * The Runtime API's loop: ask for an event, handle it within its deadline, answer.  What is kept from
 * one invocation to the next are clients, prices, profiles and the ledger.
 */
#include "deliver/lambda_loop.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/stop.h"
#include "config/interval.h"
#include "config/variables.h"
#include "deliver/round.h"
#include "ledger/sweep.h"

enum {
    /* Objects of one invocation read at a time: reading waits for S3 most of its time. */
    READERS = 8,
    /* Between invocations Lambda freezes the process.  After a pause as long as this, kept connections
     * are taken for dead: the other side may have closed them, and its word for it was not heard. */
    FREEZE_MS = 30 * 1000,
    /* Kept for the answer, and before that for publishing; less where the whole time is short. */
    ANSWER_MS = 1000,
    PUBLISH_MS = 9000,
    NO_DEADLINE_MS = 15 * 60 * 1000, /* Lambda's longest, when it says nothing */
    NEXT_ATTEMPTS = 5,
    /* Batches that others left unfinished: looked for so often, and so many at a time. */
    RECOVER_EVERY_MS = 60 * 1000,
    RECOVER_MAX = 16,
    SWEEP_GRACE_S = 15 * 60, /* younger objects are left to the queue */
    RESPOND_ATTEMPTS = 3,
    MAX_ANSWER = 64 * 1024 * 1024,
};

struct loop {
    const struct lambda_options *options;
    struct aws_clock clock;
    struct http *http;
    struct lambda_api *api;
    struct run_settings settings;
    struct settings_aws aws;
    struct round *round;
    struct ledger_session *ledger; /* NULL: none */
    bool recovered;
    int64_t recovered_ms;
    int64_t idle_since_ms;
};

/* ---- logs ---- */

enum status lambda_log_setup(struct error *err)
{
    static const char *const names[] = {"TRACE", "FATAL"};
    static const enum log_level levels[] = {LOG_DEBUG, LOG_ERROR};
    enum log_level own = LOG_INFO, given = LOG_DEBUG;
    enum status st = ST_OK;
    const char *name = variable_get(VAR_LOG_LEVEL);
    if (log_level_parse(view_of(name), &own) != ST_OK)
        st = error_set(err, ST_USAGE, E_U299,
                       "LOG_LEVEL: \"%.80s\" is unknown; known are DEBUG, INFO, WARN, ERROR", name);
    name = variable_get(VAR_AWS_LAMBDA_LOG_LEVEL);
    bool known = name == NULL || log_level_parse(view_of(name), &given) == ST_OK;
    for (size_t i = 0; i < 2 && !known; i++) {
        known = view_eq_nocase(view_of(name), view_of(names[i]));
        if (known)
            given = levels[i];
    }
    if (!known)
        st = error_set(err, ST_USAGE, E_U299, "AWS_LAMBDA_LOG_LEVEL: \"%.80s\" is unknown", name);
    name = variable_get(VAR_AWS_LAMBDA_LOG_FORMAT);
    bool json = view_eq_nocase(view_of(name), VIEW_LIT("json"));
    if (!json && !view_eq_nocase(view_of(name), VIEW_LIT("text")))
        st = error_set(err, ST_USAGE, E_U299,
                       "AWS_LAMBDA_LOG_FORMAT: \"%.80s\" is neither Text nor JSON", name);
    log_setup(given > own ? given : own, json ? LOG_JSON : LOG_TEXT, false);
    return st;
}

/* ---- one invocation ---- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/*
 *   now ............ reading ............ |.... publishing ....|. answer .| deadline
 *                                          PUBLISH_MS            ANSWER_MS
 *
 * Objects that are not begun by then are returned.  Of a short time each part takes its share: a tenth
 * for the answer, three tenths for publishing.
 */
static void set_deadlines(struct loop *l, int64_t deadline_wall_ms)
{
    int64_t now = l->clock.steady_ms(l->clock.ctx);
    int64_t left =
        deadline_wall_ms == 0 ? NO_DEADLINE_MS : deadline_wall_ms - l->clock.wall_ms(l->clock.ctx);
    left = clamp(left, 0, NO_DEADLINE_MS);
    int64_t publish = now + left - clamp(left / 10, 0, ANSWER_MS);
    round_set_deadlines(l->round, publish - clamp(left * 3 / 10, 0, PUBLISH_MS), publish);
}

static void add_summary(struct buf *out, const struct round_summary *s)
{
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    JSON_ADD_NUMBERS(&j, {"objects", s->tally.objects.counted},
                     {"records", s->tally.records.counted}, {"datums", s->published.data});
    json_add_u128(&j, "tokens", s->tokens);
    json_close(&j);
}

static enum status answer_queue(struct loop *l, const struct event_sqs *sqs, struct buf *answer)
{
    struct round_summary summary;
    size_t n = sqs->nmessages;
    struct round_message *messages = calloc(n, sizeof(*messages));
    struct round_message **each = calloc(n, sizeof(struct round_message *));
    bool *failed = calloc(n, sizeof(*failed));
    enum status st = messages == NULL || each == NULL || failed == NULL ? ST_NO_MEMORY : ST_OK;
    /* The answer's memory is there before anything is published: without an answer all messages
     * would be delivered again. */
    size_t longest = 64;
    for (size_t i = 0; i < n; i++)
        longest += 32 + 6 * sqs->messages[i].message_id.len;
    if (st == ST_OK && buf_reserve(answer, longest) == NULL)
        st = ST_NO_MEMORY;
    if (st == ST_OK) {
        for (size_t i = 0; i < n; i++) {
            messages[i] = (struct round_message){.id = sqs->messages[i].message_id,
                                                 .body = sqs->messages[i].body,
                                                 .ordered = sqs->messages[i].is_fifo};
            each[i] = &messages[i];
        }
        round_add(l->round, each, n);
        round_publish(l->round, &summary);
        for (size_t i = 0; i < n; i++)
            failed[i] = messages[i].status != ST_OK;
        event_sqs_spread_failures(sqs, failed);
        kill_point("answer", false);
        event_sqs_write_answer(sqs, failed, answer);
        st = buf_status(answer);
    }
    free(messages);
    free(each);
    free(failed);
    return st;
}

static enum status answer_objects(struct loop *l, const struct event_body *body, struct buf *answer,
                                  struct error *err)
{
    struct round_summary summary;
    struct round_message message = {.id = VIEW_LIT("direct"), .parsed = body}, *one = &message;
    round_add(l->round, &one, 1);
    round_publish(l->round, &summary);
    if (message.status != ST_OK) {
        *err = message.err;
        return message.status;
    }
    add_summary(answer, &summary);
    return buf_status(answer);
}

/* Every instance does it, so that none depends on another; a running lease is respected. */
static enum status recover(struct loop *l, struct error *err)
{
    struct ledger_recovery recovery;
    int64_t now = l->clock.steady_ms(l->clock.ctx);
    if (l->ledger == NULL || (l->recovered && now - l->recovered_ms < RECOVER_EVERY_MS))
        return ST_OK;
    enum status st =
        exact_round_recover(round_exact(l->round), !l->recovered, RECOVER_MAX, &recovery, err);
    if (st == ST_USAGE)
        return st;
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_L104, "unfinished batches stay", log_cstr("reason", err->text));
    l->recovered = l->recovered || st == ST_OK;
    l->recovered_ms = now;
    return ST_OK;
}

/* {"command":"sweep","since":"3h","prefix":"AWSLogs/","grace":"15m"}, as from a schedule. */
static enum status answer_sweep(struct loop *l, const struct event_direct *event,
                                struct buf *answer, struct error *err)
{
    struct view since = event_direct_option(event, "since");
    struct view grace = event_direct_option(event, "grace");
    struct instant at;
    struct sweep_result result;
    struct sweep_options o = {.round = round_exact(l->round),
                              .session = l->ledger,
                              .buckets = l->settings.buckets,
                              .prefix = event_direct_option(event, "prefix"),
                              .now = {.seconds = l->clock.wall_ms(l->clock.ctx) / 1000},
                              .grace_s = SWEEP_GRACE_S,
                              .stop = {stop_asked, NULL}};
    if (l->ledger == NULL)
        return error_set(err, ST_USAGE, E_U305, "sweep needs LEDGER");
    o.has_since = since.ptr != NULL;
    if (o.has_since && time_parse(since, o.now, &o.since) != ST_OK)
        return error_set(err, ST_USAGE, E_U204, "since is neither a time nor a span such as 3h");
    if (grace.ptr != NULL && time_parse(grace, o.now, &at) != ST_OK)
        return error_set(err, ST_USAGE, E_U204, "grace is not a span such as 15m");
    if (grace.ptr != NULL)
        o.grace_s = o.now.seconds - at.seconds;
    enum status st = sweep_run(&o, &result, err);
    if (st != ST_OK)
        return st;
    struct json_out j = {.out = answer};
    json_open_object(&j, NULL);
    sweep_add_json(&j, &result);
    json_close(&j);
    return sweep_is_off(&result)
               ? error_set(err, ST_RETRY, E_O142, "%llu objects could not be counted",
                           (unsigned long long)(result.missing - result.counted))
               : buf_status(answer);
}

/* *type is the error type for Lambda. */
static enum status handle(struct loop *l, const struct lambda_invocation *inv, struct buf *answer,
                          const char **type, struct error *err)
{
    struct event_direct event;
    *type = "Function.UnknownEvent";
    enum status st = event_direct_parse(inv->event, &event, err);
    if (st != ST_OK)
        return st;
    set_deadlines(l, inv->deadline_ms);
    *type = "Function.OutOfMemory";
    st = settings_open_prices(&l->settings, err);
    if (st != ST_OK) {
        event_direct_clear(&event);
        return st;
    }
    struct view region = aws_config_region(l->aws.config);
    settings_resolve_profiles(&l->settings, round_client(l->round), &region, region.len > 0);
    *type = "Runtime.InvalidConfiguration";
    st = recover(l, err);
    if (st != ST_OK) {
        event_direct_clear(&event);
        return st;
    }
    switch (event.kind) {
    case EVENT_QUEUE:
        *type = "Function.OutOfMemory";
        st = answer_queue(l, &event.sqs, answer);
        if (st != ST_OK)
            (void)error_set(err, st, E_R113, "out of memory");
        break;
    case EVENT_OBJECTS:
        *type = "Function.RoundFailed";
        st = answer_objects(l, &event.body, answer, err);
        break;
    case EVENT_COMMAND:
        *type = "Function.CommandFailed";
        if (view_eq(event.command, VIEW_LIT("sweep")))
            st = answer_sweep(l, &event, answer, err);
        else if (l->options->command == NULL)
            st = error_set(err, ST_USAGE, E_U222, "commands are not taken here");
        else
            st = l->options->command(l->options->command_context, &event, &l->settings, &l->aws,
                                     inv->deadline_ms, answer, err);
        break;
    }
    event_direct_clear(&event);
    return st;
}

/* Lambda's libraries read the trace from there. */
static void set_trace(struct view trace)
{
    char text[512];
    if (trace.len == 0 || trace.len >= sizeof(text)) {
        unsetenv("_X_AMZN_TRACE_ID");
        return;
    }
    memcpy(text, trace.ptr, trace.len);
    text[trace.len] = '\0';
    setenv("_X_AMZN_TRACE_ID", text, 1);
}

/* Without an answer all messages are delivered again, so a request that could not even be made is
 * made anew. */
static enum status respond(struct loop *l, const char *id, struct view answer, struct error *err)
{
    enum status st = ST_BAD_ITEM;
    for (unsigned i = 0; i < RESPOND_ATTEMPTS && (st == ST_BAD_ITEM || st == ST_NO_MEMORY); i++)
        st = lambda_api_respond(l->api, id, answer, err);
    return st;
}

static enum status serve(struct loop *l, const struct lambda_invocation *inv, struct error *err)
{
    struct error fault = {0};
    struct buf answer;
    const char *type;
    buf_init(&answer, MAX_ANSWER);
    log_set_request_id(view_of(inv->request_id));
    set_trace(inv->trace_id);
    if (l->clock.wall_ms(l->clock.ctx) - l->idle_since_ms > FREEZE_MS)
        round_forget_connections(l->round);
    enum status st = handle(l, inv, &answer, &type, &fault);
    if (st == ST_OK) {
        st = respond(l, inv->request_id, buf_view(&answer), err);
    } else {
        LOG_FAULT(LOG_ERROR, error_code(&fault, E_R101), "invocation failed",
                  log_cstr("type", type), log_cstr("reason", fault.text),
                  log_cstr("status", status_name(st)));
        st = lambda_api_fail(l->api, inv->request_id, type, view_of(fault.text), err);
    }
    if (st == ST_CONFLICT || st == ST_TOO_BIG || st == ST_BAD_ITEM) {
        LOG_FAULT(LOG_ERROR, E_R102, "result refused by Lambda", log_cstr("reason", err->text));
        st = ST_OK;
    }
    l->idle_since_ms = l->clock.wall_ms(l->clock.ctx);
    log_set_request_id(VIEW_EMPTY);
    buf_clear(&answer);
    return st;
}

/* ---- the loop ---- */

static enum status loop(struct loop *l, struct error *err)
{
    unsigned failures = 0;
    struct lambda_invocation inv;
    enum status st = ST_OK;
    lambda_invocation_init(&inv);
    while (st == ST_OK && !stop_asked(NULL)) {
        st = lambda_api_next(l->api, &inv, err);
        if (st == ST_OK) {
            failures = 0;
            st = serve(l, &inv, err);
        } else if (st == ST_RETRY && ++failures < NEXT_ATTEMPTS) {
            LOG_FAULT(LOG_WARN, E_R103, "cannot ask for the next invocation",
                      log_cstr("reason", err->text));
            l->clock.sleep_ms(l->clock.ctx, 100 * failures);
            st = ST_OK;
        }
        lambda_invocation_clear(&inv);
        lambda_invocation_init(&inv);
    }
    lambda_invocation_clear(&inv);
    return stop_asked(NULL) ? ST_OK : st;
}

static enum status prepare(struct loop *l, struct error *err)
{
    enum status st = ST_USAGE;
    if (l->options->fault != NULL)
        *err = *l->options->fault;
    else
        st = settings_load(&l->settings, err);
    if (st == ST_OK)
        st = settings_aws_open(&l->aws, err);
    struct ledger_session_options ledger = {.aws = &l->aws, .fleet = true};
    if (st == ST_OK)
        st = ledger_session_open(&l->ledger, &ledger, err);
    if (st != ST_OK)
        return st;
    struct round_options round = {.settings = &l->settings,
                                  .aws = &l->aws,
                                  .readers = READERS,
                                  .stop = {stop_asked, NULL},
                                  .emf_fd = STDOUT_FILENO,
                                  .ledger = l->ledger};
    return round_new(&l->round, &round, err);
}

enum status lambda_run(const struct lambda_options *options, struct error *err)
{
    struct loop l = {.options = options, .clock = aws_clock_system()};
    stop_catch_signals(STOP_IN_ORDER);
    struct http_options http = {.clock = l.clock, .stop = {stop_asked, NULL}};
    enum status st = http_new(&l.http, &http);
    if (st != ST_OK)
        return error_set(err, st, E_A309, "cannot set up HTTP");
    st = lambda_api_new(&l.api, l.http, options->runtime_api, err);
    if (st == ST_OK) {
        st = prepare(&l, err);
        if (st != ST_OK) {
            struct error ignored = {0};
            (void)!lambda_api_fail_init(l.api, "Runtime.InvalidConfiguration", view_of(err->text),
                                        &ignored);
        }
    }
    l.idle_since_ms = l.clock.wall_ms(l.clock.ctx);
    if (st == ST_OK)
        st = loop(&l, err);
    round_free(l.round);
    ledger_session_close(l.ledger);
    settings_clear(&l.settings);
    settings_aws_close(&l.aws);
    lambda_api_free(l.api);
    http_free(l.http);
    return st;
}
