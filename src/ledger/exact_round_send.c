/* What the protocol asks of CloudWatch, and of this host. */
#include "ledger/exact_round_private.h"

#include <errno.h>
#include <sys/random.h>

#include "aws/cloudwatch.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "ledger/marker.h"
#include "publish/payload.h"

enum { MAX_BODY = 2 * BATCH_MAX_BYTES };

void exact_round_forget_put(struct exact_round *x)
{
    cloudwatch_put_free(x->put);
    x->put = NULL;
}

static struct marker_place marker_place_of(const struct exact_round *x)
{
    return (struct marker_place){.region = x->options.settings->cloudwatch_region,
                                 .name_space = x->options.settings->name_space,
                                 .scope = view_of(x->options.session->marker_scope)};
}

enum status exact_round_sign(struct exact_round *x, const struct payload *payload, size_t first,
                             size_t count, struct view extra, struct error *err)
{
    struct buf body;
    buf_init(&body, MAX_BODY);
    exact_round_forget_put(x);
    enum status st = payload_write(payload, first, count, extra, &body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&x->put, x->options.publisher,
                                x->options.settings->cloudwatch_region, buf_view(&body), err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(x->put, err);
    if (st != ST_OK)
        exact_round_forget_put(x);
    buf_clear(&body);
    return st;
}

static void host_sign(void *ctx, const struct ledger_part *part, struct view bytes,
                      struct protocol_event *answer)
{
    struct exact_round *x = ctx;
    const struct run_settings *s = x->options.settings;
    struct marker_place place = marker_place_of(x);
    struct payload payload;
    struct buf marker;
    struct error err = {0};
    buf_init(&marker, MARKER_BYTES);
    marker_add_datum(&marker, &place, &part->marker);
    answer->kind = EVENT_REFUSED;
    enum status st = payload_decode(bytes, &payload);
    if (st == ST_OK && (!view_eq(payload.name_space, s->name_space) ||
                        !view_eq(payload.region, s->cloudwatch_region)))
        st = error_set(&err, ST_DENIED, E_L207, "the batch is for namespace %.*s",
                       SHOW(payload.name_space));
    if (st == ST_OK)
        st = exact_round_sign(x, &payload, part->first, part->count, buf_view(&marker), &err);
    if (st == ST_OK) {
        answer->date_ms = cloudwatch_put_date_s(x->put) * 1000;
        answer->kind = EVENT_SIGNED;
    } else {
        LOG_FAULT(LOG_WARN, error_code(&err, E_P105), "request cannot be signed",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
        if (st == ST_TOO_BIG)
            answer->kind = EVENT_INVALID;
        answer->head_tokens = payload_tokens(&payload, part->first, part->count / 2);
    }
    payload_clear(&payload);
    buf_clear(&marker);
}

/* Send what is signed.  The rule of cloudwatch.h: whatever is not proven is in doubt. */
static enum status send_signed(struct exact_round *x, struct protocol_event *answer)
{
    struct aws_answer a;
    struct error err = {0};
    aws_answer_init(&a);
    enum status st = x->put == NULL ? ST_CANCELLED : cloudwatch_put_send(x->put, &a, &err);
    answer->server_ms = a.server_date_s * 1000;
    exact_round_forget_put(x);
    aws_answer_clear(&a);
    switch (st) {
    case ST_OK: answer->kind = EVENT_ACCEPTED; return st;
    case ST_BAD_ITEM:
    case ST_TOO_BIG: answer->kind = EVENT_INVALID; break;
    case ST_IN_DOUBT: answer->kind = EVENT_NO_ANSWER; break;
    default: answer->kind = EVENT_REFUSED;
    }
    if (st == ST_IN_DOUBT)
        LOG_FAULT(LOG_WARN, E_P102, "publish in doubt", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    else
        LOG_FAULT(LOG_WARN, error_code(&err, E_P104), "publish refused",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    return st;
}

static void host_send(void *ctx, const struct ledger_part *part, struct protocol_event *answer)
{
    struct exact_round *x = ctx;
    struct error err = {0};
    (void)part;
    if (x->halted && cloudwatch_probe(x->options.publisher, x->options.settings->cloudwatch_region,
                                      x->options.settings->name_space, &err) != ST_OK) {
        exact_round_forget_put(x);
        LOG_FAULT(LOG_WARN, error_code(&err, E_P104), "publish refused",
                  log_cstr("reason", err.text), log_cstr("status", "probe"));
        answer->kind = EVENT_REFUSED;
        return;
    }
    (void)send_signed(x, answer);
    x->halted =
        x->options.probe && (answer->kind == EVENT_REFUSED || answer->kind == EVENT_NO_ANSWER);
}

bool exact_round_halted(const struct exact_round *x)
{
    return x->halted;
}

static void host_release(void *ctx)
{
    exact_round_forget_put(ctx);
}

static void host_send_control(void *ctx, const struct ledger_marker *marker,
                              struct protocol_event *answer)
{
    struct exact_round *x = ctx;
    struct payload nothing = {.name_space = x->options.settings->name_space};
    struct marker_place place = marker_place_of(x);
    struct buf datum;
    struct error err = {0};
    buf_init(&datum, MARKER_BYTES);
    marker_add_datum(&datum, &place, marker);
    answer->kind = EVENT_REFUSED;
    enum status st = exact_round_sign(x, &nothing, 0, 0, buf_view(&datum), &err);
    if (st == ST_OK)
        (void)send_signed(x, answer);
    else
        LOG_FAULT(LOG_WARN, error_code(&err, E_P105), "control marker cannot be signed",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    buf_clear(&datum);
}

static enum status host_read_markers(void *ctx, const struct ledger_marker *marker,
                                     const struct ledger_marker *control,
                                     struct protocol_event *answer)
{
    struct exact_round *x = ctx;
    struct marker_reading reading;
    struct error err = {0};
    struct marker_place place = marker_place_of(x);
    enum status st = marker_read(x->options.publisher, &place, marker, control, &reading, &err);
    if (st != ST_OK)
        LOG_FAULT(LOG_WARN, E_P106, "markers cannot be read", log_cstr("reason", err.text),
                  log_cstr("status", status_name(st)));
    answer->server_ms = reading.server_ms;
    answer->applied = reading.applied;
    answer->control_applied = reading.control_applied;
    return st;
}

/* ---- the host ---- */

int64_t exact_round_wall_ms(void *ctx)
{
    struct exact_round *x = ctx;
    int64_t wall = x->clock.wall_ms(x->clock.ctx);
    return wall + (aws_client_now_s(x->options.publisher) - wall / 1000) * 1000;
}

static enum status host_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            return ST_IO;
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return ST_OK;
}

static void host_wait_ms(void *ctx, int64_t ms)
{
    struct exact_round *x = ctx;
    int64_t end = exact_round_now_ms(x) + ms;
    while (exact_round_now_ms(x) < end && !exact_round_is_over(x))
        x->clock.sleep_ms(x->clock.ctx, 20);
}

static bool host_stop(void *ctx)
{
    return exact_round_is_over(ctx);
}

static void host_point(void *ctx, const char *effect, bool after)
{
    (void)ctx;
    kill_point(effect, after);
}

struct ledger_host exact_round_host(struct exact_round *x)
{
    return (struct ledger_host){.ctx = x,
                                .now_ms = exact_round_wall_ms,
                                .random = host_random,
                                .wait_ms = host_wait_ms,
                                .stop = host_stop,
                                .read = exact_round_host_read,
                                .report = exact_round_host_report,
                                .sign = host_sign,
                                .send = host_send,
                                .release = host_release,
                                .send_control = host_send_control,
                                .read_markers = host_read_markers,
                                .point = host_point};
}
