/*
 * payload.h: data of a batch as the ledger keeps them, so that any worker, also one of a later
 * version, can send exactly these bytes.
 *
 * zlib-compressed text: "bedrock-metrics/payload/1", namespace and Region separated by tabs, then a
 * line for each datum: its tokens, a tab, its JSON.
 */
#ifndef PUBLISH_PAYLOAD_H
#define PUBLISH_PAYLOAD_H

#include "publish/batch.h"

/* Data [first, first + count) of the batch replace the content of *out.  ST_TOO_BIG: beyond the
 * ceiling of *out. */
NODISCARD enum status payload_encode(const struct batch *batch, size_t first, size_t count,
                                     struct view name_space, struct view region, struct buf *out);

struct payload {
    struct view name_space, region;
    struct view *data; /* JSON, [count] */
    uint64_t *tokens;  /* [count] */
    size_t count;
    struct buf text; /* owns the views */
};

/* ST_BAD_ITEM: not such a payload, or damaged.  Clear it in every case. */
NODISCARD enum status payload_decode(struct view bytes, struct payload *out);
void payload_clear(struct payload *p); /* a zeroed one may be cleared too */

/* What data [first, first + count) add up to; beyond the end is nothing. */
uint64_t payload_tokens(const struct payload *p, size_t first, size_t count);

/*
 * The PutMetricData body of data [first, first + count) and one more datum, `marker`, replaces the
 * content of *out.  ST_BAD_ITEM: the range is not within the payload.
 */
NODISCARD enum status payload_write(const struct payload *p, size_t first, size_t count,
                                    struct view marker, struct buf *out);

#endif
