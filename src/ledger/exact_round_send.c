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

void exact_round_forget_put(struct exact_round *c)
{
    cloudwatch_put_free(c->put);
    c->put = NULL;
}

static struct marker_place marker_place_of(const struct exact_round *c)
{
    return (struct marker_place){.region = c->options.settings->cloudwatch_region,
                                 .name_space = c->options.settings->name_space,
                                 .scope = view_of(c->options.session->marker_scope)};
}

static void host_sign(void *ctx, const struct ledger_part *part, struct view bytes,
                      int64_t *date_ms, struct ledger_answer *answer)
{
    struct exact_round *c = ctx;
    const struct run_settings *s = c->options.settings;
    struct payload payload;
    struct buf marker, body;
    struct error err = {0};
    buf_init(&marker, MARKER_BYTES);
    buf_init(&body, MAX_BODY);
    exact_round_forget_put(c);
    answer->kind = EVENT_REFUSED;
    enum status st = payload_decode(bytes, &payload);
    if (st == ST_OK && (!view_eq(payload.name_space, s->name_space) ||
                        !view_eq(payload.region, s->cloudwatch_region)))
        st = error_set(&err, ST_DENIED, E_L207, "the batch is for namespace %.*s",
                       SHOW(payload.name_space));
    struct marker_place place = marker_place_of(c);
    marker_add_datum(&marker, &place, &part->marker);
    if (st == ST_OK)
        st = payload_write(&payload, part->first, part->count, buf_view(&marker), &body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&c->put, c->options.publisher, s->cloudwatch_region,
                                buf_view(&body), &err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(c->put, &err);
    if (st == ST_OK) {
        *date_ms = cloudwatch_put_date_s(c->put) * 1000;
        answer->kind = EVENT_SIGNED;
    } else {
        LOG_FAULT(LOG_WARN, error_code(&err, E_P105), "request cannot be signed",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
        if (st == ST_TOO_BIG)
            answer->kind = EVENT_INVALID;
        answer->head_tokens = payload_tokens(&payload, part->first, part->count / 2);
        exact_round_forget_put(c);
    }
    payload_clear(&payload);
    buf_clear(&marker);
    buf_clear(&body);
}

/* Send what is signed.  The rule of cloudwatch.h: whatever is not proven is in doubt. */
static enum status send_signed(struct exact_round *c, struct ledger_answer *answer)
{
    struct aws_answer a;
    struct error err = {0};
    aws_answer_init(&a);
    enum status st = c->put == NULL ? ST_CANCELLED : cloudwatch_put_send(c->put, &a, &err);
    answer->server_ms = a.server_date_s * 1000;
    exact_round_forget_put(c);
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

static void host_send(void *ctx, const struct ledger_part *part, struct ledger_answer *answer)
{
    struct exact_round *c = ctx;
    (void)part;
    (void)send_signed(c, answer);
}

static void host_release(void *ctx)
{
    exact_round_forget_put(ctx);
}

static void host_send_control(void *ctx, const struct ledger_marker *marker,
                              struct ledger_answer *answer)
{
    struct exact_round *c = ctx;
    const struct run_settings *s = c->options.settings;
    struct payload nothing = {.name_space = s->name_space};
    struct buf datum, body;
    struct error err = {0};
    buf_init(&datum, MARKER_BYTES);
    buf_init(&body, 2 * MARKER_BYTES);
    exact_round_forget_put(c);
    answer->kind = EVENT_REFUSED;
    struct marker_place place = marker_place_of(c);
    marker_add_datum(&datum, &place, marker);
    enum status st = payload_write(&nothing, 0, 0, buf_view(&datum), &body);
    if (st == ST_OK)
        st = cloudwatch_put_new(&c->put, c->options.publisher, s->cloudwatch_region,
                                buf_view(&body), &err);
    if (st == ST_OK)
        st = cloudwatch_put_sign(c->put, &err);
    if (st == ST_OK)
        (void)send_signed(c, answer);
    else
        LOG_FAULT(LOG_WARN, error_code(&err, E_P105), "control marker cannot be signed",
                  log_cstr("reason", err.text), log_cstr("status", status_name(st)));
    exact_round_forget_put(c);
    buf_clear(&datum);
    buf_clear(&body);
}

static enum status host_read_markers(void *ctx, const struct ledger_marker *marker,
                                     const struct ledger_marker *control,
                                     struct ledger_answer *answer)
{
    struct exact_round *c = ctx;
    struct marker_reading reading;
    struct error err = {0};
    struct marker_place place = marker_place_of(c);
    enum status st = marker_read(c->options.publisher, &place, marker, control, &reading, &err);
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
    struct exact_round *c = ctx;
    int64_t wall = c->clock.wall_ms(c->clock.ctx);
    return wall + (aws_client_now_s(c->options.publisher) - wall / 1000) * 1000;
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
    struct exact_round *c = ctx;
    int64_t end = exact_round_now_ms(c) + ms;
    while (exact_round_now_ms(c) < end && !exact_round_is_over(c))
        c->clock.sleep_ms(c->clock.ctx, 20);
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

struct ledger_host exact_round_host(struct exact_round *c)
{
    return (struct ledger_host){.ctx = c,
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
