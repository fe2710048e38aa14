/*
 * source_s3.h: objects of S3 buckets, streamed from the socket.
 *
 * An aws_client is used by one thread at a time, and reading is done by many, so clients come from
 * a pool: opening an object takes one, closing its stream gives it back with its connection alive.
 */
#ifndef OBJECTS_SOURCE_S3_H
#define OBJECTS_SOURCE_S3_H

#include "aws/s3.h"
#include "base/rfc3339.h"
#include "objects/source.h"

/* Clients made alike.  Any thread may take and give. */
struct aws_pool;

/* *options is copied; what it points to must outlive the pool.  NULL: no memory. */
struct aws_pool *aws_pool_new(const struct aws_client_options *options);
/* All clients must have been given back.  NULL does nothing. */
void aws_pool_free(struct aws_pool *pool);

NODISCARD enum status aws_pool_take(struct aws_pool *pool, struct aws_client **client,
                                    struct error *err);
void aws_pool_give(struct aws_pool *pool, struct aws_client *client);

/* All clients, also those taken later, end their calls then (aws_client_set_deadline).  Only while
 * none is taken. */
void aws_pool_set_deadline(struct aws_pool *pool, int64_t steady_ms);

/* After a freeze all kept connections are stale.  Only while none is taken. */
void aws_pool_forget_connections(struct aws_pool *pool);

/*
 * Open one object as a stream.  Status as s3_object_open; a read that fails, fails as
 * s3_object_read.  *get's views are copied.
 */
NODISCARD enum status s3_stream_open(struct aws_pool *pool, const struct s3_get *get,
                                     struct byte_stream **stream, struct error *err);

/* "s3://..." */
bool source_s3_is_url(const char *text);

struct source_s3_options {
    char *const *urls; /* "s3://bucket[/prefix]"; must live on, like all texts here */
    size_t count;
    struct aws_pool *pool;
    /*
     * List only what can hold records of [since, until).  Bedrock puts an object into the hour
     * folder in which it is written; its records may be up to an hour older.  Listed are the folders
     * from the hour before since's to two hours behind until.  Keys without hour folders are
     * always listed; which records count is decided by the records.
     */
    bool has_since, has_until;
    struct instant since, until;
};

/*
 * Keys are named "s3://bucket/key".  One that several URLs cover is a duplicate for all but the
 * first.  A listing that fails is one failed object named by its URL.  ST_USAGE quotes a URL that
 * is none.
 */
NODISCARD enum status source_s3_new(const struct source_s3_options *options, struct source **out,
                                    struct error *err);

/* Calls made to list so far, for tests and messages. */
uint64_t source_s3_listings(const struct source *source);

/* "s3://bucket/prefix" into its parts; ST_USAGE quotes it. */
NODISCARD enum status source_s3_parse(struct view url, struct view *bucket, struct view *prefix,
                                      struct error *err);

#endif
