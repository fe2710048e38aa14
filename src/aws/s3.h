/*
 * s3.h: objects as streams, and listings.
 *
 * Buckets are addressed virtual-hosted (https://BUCKET.s3.REGION...) and path style where the
 * endpoint is configured or the name holds a dot.  A bucket's Region is taken from the
 * configuration first and learned from S3's redirects; it is remembered for the life of the
 * aws_client.
 */
#ifndef AWS_S3_H
#define AWS_S3_H

#include "aws/aws_call.h"

struct s3_object;
struct s3_list;

struct s3_get {
    struct view bucket;
    struct view key;    /* not encoded, 1..1024 bytes */
    struct view region; /* a first guess; empty: remembered or configured */
};

/*
 * Open an object: the head of the answer has come, no body is read yet.  The views are copied.
 * ST_MISSING: no such key or bucket; ST_DENIED; ST_CONFLICT: the object is archived
 * (InvalidObjectState); ST_BAD_ITEM: bucket or key breaks its grammar
 * (nothing was sent); ST_RETRY after all retries.  *out is NULL on failure.
 */
NODISCARD enum status s3_object_open(struct s3_object **out, struct aws_client *client,
                                     const struct s3_get *get, struct error *err);

uint64_t s3_object_size(const struct s3_object *o);     /* bytes of the whole object */
struct view s3_object_etag(const struct s3_object *o);  /* with quotes */
unsigned s3_object_restarts(const struct s3_object *o); /* times it was cut and resumed */

/*
 * At least one byte into out[0..size); reading large pieces (256 KiB) is cheapest.  A cut
 * connection is resumed with Range and If-Match, so the bytes are those of one version or the
 * call fails. ST_END: exactly s3_object_size() bytes were given.  ST_CONFLICT: the object was
 * replaced meanwhile; ST_RETRY: restarts are used up.  After a failure only s3_object_close().
 */
NODISCARD enum status s3_object_read(struct s3_object *o, void *out, size_t size, size_t *n,
                                     struct error *err);
void s3_object_close(struct s3_object *o); /* NULL does nothing */

struct s3_list_options {
    struct view bucket, prefix; /* the texts must live as long as the list */
    struct view start_after;    /* keys greater than this; copied */
    struct view delimiter;      /* empty: none; else keys below are folded into prefixes */
    struct view region;         /* a first guess, as in s3_get */
    unsigned page_keys;         /* 0: 1000 */
};

struct s3_entry {
    struct view key; /* decoded; for is_prefix the common prefix */
    struct view etag;
    uint64_t size;
    int64_t modified_s;
    bool is_prefix; /* the other members are then empty */
};

/* Nothing is sent before the first s3_list_next(). */
NODISCARD enum status s3_list_open(struct s3_list **out, struct aws_client *client,
                                   const struct s3_list_options *options, struct error *err);

/*
 * The next key in S3's order (within a page keys before prefixes).  The views live until the next
 * call.  ST_END after the last.  A page whose answer is malformed, or whose token does not move on,
 * is ST_RETRY.
 */
NODISCARD enum status s3_list_next(struct s3_list *l, struct s3_entry *out, struct error *err);
void s3_list_close(struct s3_list *l);

/*
 * Does the bucket exist, and may we list it (HeadBucket)?  *region (may be NULL) gets its Region.
 */
NODISCARD enum status s3_head_bucket(struct aws_client *client, struct view bucket,
                                     struct buf *region, struct error *err);

/*
 * A setting of a bucket as the service's XML: what = "notification", "versioning", "encryption",
 * "lifecycle", "policyStatus", ... (the query of GetBucketNotificationConfiguration and its like).
 * At most 1 MiB is appended to *xml.  ST_MISSING: no such bucket, or the setting was never made.
 */
NODISCARD enum status s3_get_setting(struct aws_client *client, struct view bucket,
                                     const char *what, struct buf *xml, struct error *err);

/* Write a small object (enqueue's resume mark, tests). if_none_match: only if the key is free. */
NODISCARD enum status s3_put_object(struct aws_client *client, struct view bucket, struct view key,
                                    struct view body, bool if_none_match, struct error *err);

#endif
