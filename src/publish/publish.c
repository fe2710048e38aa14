/*
 * publish.c: the one place that knows both kinds of publisher.
 *
 * A request in doubt is remembered and published with the next sums as InDoubtPublishes; on its own
 * it would be one more request that can be in doubt.
 */
#include "publish/publish.h"

enum status publish_sums(struct publish_sink *sink, const struct aggregate *sums,
                         const struct batch_options *options, struct publish_result *result,
                         struct batch_dropped *dropped, bool *partial, struct error *err)
{
    struct batch_options with_doubt = *options;
    struct batch *batch = NULL;
    *partial = false;
    if (sink->client == NULL)
        return publish_emf(sink->fd, sums, options, dropped, result, partial, err);
    with_doubt.in_doubt = sink->in_doubt_pending;
    enum status st = batch_new(&batch, sums, &with_doubt, dropped);
    if (st == ST_OK)
        st = publish_cloudwatch(sink->client, sink->region, batch, result, partial, err);
    if (st == ST_OK && batch_data_count(batch) > 0)
        sink->in_doubt_pending = 0;
    if (st == ST_IN_DOUBT)
        sink->in_doubt_pending++;
    batch_free(batch);
    return st;
}
