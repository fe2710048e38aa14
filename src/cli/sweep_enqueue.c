/* sweep_enqueue.c: clients of the queue and of the buckets' listings, for `ledger sweep --enqueue`. */
#include "cli/sweep_enqueue.h"

#include <stdlib.h>
#include <time.h>

#include "cli/option_values.h"
#include "events/event_make.h"
#include "objects/source_s3.h"

struct sweep_enqueue {
    const struct settings_aws *aws;
    struct sqs_queue queue;
    struct aws_client *client;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1];
    /* of the call under way */
    struct buf bodies[SQS_MAX_BATCH];
    char dedup[SQS_MAX_BATCH][65];
};

enum status sweep_enqueue_open(struct sweep_enqueue **out, const char *queue,
                               const struct settings_aws *aws, struct aws_stop stop,
                               struct error *err)
{
    struct aws_client_options options = {.config = aws->config,
                                         .creds = aws->creds,
                                         .budget = aws->budget,
                                         .clock = aws_clock_system(),
                                         .stop = stop};
    struct sweep_enqueue *q = calloc(1, sizeof(*q));
    *out = q;
    if (q == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    q->aws = aws;
    for (size_t i = 0; i < SQS_MAX_BATCH; i++)
        buf_init(&q->bodies[i], SQS_MAX_BODY);
    enum status st = queue_option(queue, aws->config, &q->queue, err);
    if (st == ST_OK)
        st = aws_client_new(&q->client, &options, err);
    for (size_t i = 0; i <= aws->role_count && st == ST_OK; i++) {
        options.creds = i < aws->role_count ? aws->roles[i].creds : aws->creds;
        q->pools[i] = aws_pool_new(&options);
        if (q->pools[i] == NULL)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    return st;
}

void sweep_enqueue_close(struct sweep_enqueue *q)
{
    if (q == NULL)
        return;
    aws_client_free(q->client);
    for (size_t i = 0; i <= q->aws->role_count; i++)
        aws_pool_free(q->pools[i]);
    for (size_t i = 0; i < SQS_MAX_BATCH; i++)
        buf_clear(&q->bodies[i]);
    free(q);
}

struct aws_pool *sweep_enqueue_pool(void *ctx, struct view bucket)
{
    struct sweep_enqueue *q = ctx;
    return q->pools[settings_aws_role(q->aws, bucket)];
}

/* One message an object: one that fails does not bring others back. */
static enum status make_message(struct sweep_enqueue *q, size_t at, const struct round_object *o,
                                struct sqs_outgoing *out, struct error *err)
{
    struct event_object event = {.bucket = o->bucket, .key = o->key};
    struct buf *body = &q->bodies[at];
    buf_reset(body);
    enum status st = event_make_s3(&event, 1, time(NULL), body, err);
    *out = (struct sqs_outgoing){.body = buf_view(body)};
    if (st != ST_OK || !q->queue.fifo)
        return st;
    /* The same object again within five minutes is then one message. */
    ledger_id_format(&o->id, q->dedup[at]);
    out->group_id = VIEW_LIT("backfill");
    out->dedup_id = view_of(q->dedup[at]);
    return ST_OK;
}

enum status sweep_enqueue_send(void *ctx, const struct round_object *objects, size_t n,
                               struct error *err)
{
    struct sweep_enqueue *q = ctx;
    struct sqs_outgoing out[SQS_MAX_BATCH];
    enum status each[SQS_MAX_BATCH];
    enum status st = ST_OK;
    for (size_t first = 0; first < n && st == ST_OK; first += SQS_MAX_BATCH) {
        size_t some = n - first < SQS_MAX_BATCH ? n - first : SQS_MAX_BATCH;
        for (size_t i = 0; i < some && st == ST_OK; i++)
            st = make_message(q, i, &objects[first + i], &out[i], err);
        if (st == ST_OK)
            st = sqs_send(q->client, &q->queue, out, some, each, err);
    }
    return st;
}
