/*
 * publish_cloudwatch.c: sending a batch, and finding the one bad datum among a thousand.
 *
 * CloudWatch refuses a request as a whole for one datum that breaks a rule, and does not always
 * say which.  The request is then halved until the bad datum is alone, is left out and named;
 * all others are published.
 */
#include "publish/publish.h"

#include "aws/cloudwatch.h"
#include "base/log.h"

enum {
    MAX_BODY = 2 * BATCH_MAX_BYTES,
    /* Halves waiting while one bad datum of 1000 is looked for: one a level, and some room. */
    MAX_HALVES = 64,
    /* When this many data were refused singly and none accepted, all of them are bad. */
    GIVE_UP_AFTER = 4,
};

struct part {
    size_t first, count;
};

struct sender {
    struct aws_client *client;
    struct view region;
    const struct batch *batch;
    struct publish_result *result;
    struct buf body;
    bool accepted;     /* some part of this batch */
    uint64_t rejected; /* single data of this batch */
};

void publish_result_add(struct publish_result *into, const struct publish_result *from)
{
    into->requests += from->requests;
    into->data += from->data;
    into->in_doubt += from->in_doubt;
    into->data_rejected += from->data_rejected;
    into->failed += from->failed;
}

static enum status send_part(struct sender *s, struct part part, struct error *err)
{
    enum status st = batch_write(s->batch, part.first, part.count, &s->body);
    if (st == ST_OK)
        st = cloudwatch_put_data(s->client, s->region, buf_view(&s->body), err);
    if (st == ST_OK) {
        s->result->requests++;
        s->result->data += part.count;
        s->accepted = true;
    }
    return st;
}

static bool is_refusal_of_data(enum status st)
{
    return st == ST_BAD_ITEM || st == ST_TOO_BIG;
}

/*
 * The request was refused as a whole, so none of it is applied: its halves are sent on their own,
 * and so on until the bad data are alone.
 */
static enum status send_halves(struct sender *s, struct part whole, struct error *err)
{
    struct part waiting[MAX_HALVES];
    size_t n = 0;
    waiting[n++] = whole;
    bool first = true; /* the whole itself is known to be refused */
    while (n > 0) {
        struct part part = waiting[--n];
        enum status st = first ? ST_BAD_ITEM : send_part(s, part, err);
        first = false;
        if (st == ST_OK)
            continue;
        if (!is_refusal_of_data(st))
            return st;
        if (part.count == 1) {
            s->rejected++;
            if (!s->accepted && s->rejected >= GIVE_UP_AFTER)
                return ST_BAD_ITEM;
            s->result->data_rejected++;
            /* The datum is shown by its number: dimension values are the user's. */
            LOG_FAULT(LOG_ERROR, E_P110, "datum refused by CloudWatch, left out",
                      log_u64("datum", part.first), log_cstr("reason", err->text));
            continue;
        }
        size_t half = part.count / 2;
        waiting[n++] = (struct part){part.first + half, part.count - half};
        waiting[n++] = (struct part){part.first, half};
    }
    return s->accepted ? ST_OK : ST_BAD_ITEM;
}

enum status publish_cloudwatch(struct aws_client *client, struct view region,
                               const struct batch *batch, struct publish_result *result,
                               bool *partial, struct error *err)
{
    struct sender s = {.client = client, .region = region, .batch = batch, .result = result};
    enum status st = ST_OK;
    buf_init(&s.body, MAX_BODY);
    for (size_t i = 0; i < batch_request_count(batch) && st == ST_OK; i++) {
        struct part part;
        batch_request(batch, i, &part.first, &part.count);
        st = send_part(&s, part, err);
        if (is_refusal_of_data(st) && part.count > 1)
            st = send_halves(&s, part, err);
    }
    if (st == ST_IN_DOUBT)
        result->in_doubt++;
    else if (st != ST_OK)
        result->failed++;
    *partial = s.accepted;
    buf_clear(&s.body);
    return st;
}
