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

/* A client for the calling thread; an idle one, else a new one.  Fails as aws_client_new(). */
NODISCARD enum status aws_pool_take(struct aws_pool *pool, struct aws_client **client,
                                    struct error *err);
/* The client goes back with its connections alive; it must not be used any more. */
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

/* Of a stream of s3_stream_open: the object's ETag, with quotes; valid until it is read or closed.
 */
struct view s3_stream_etag(const struct byte_stream *stream);

/*
 * The keys of a bucket in S3's order, leaving out what cannot hold records of [since, until).
 * Bedrock puts an object into the hour folder in which it is written; its records may be up to an
 * hour older.  Given are the folders from the hour before since's to two hours after until, and
 * all keys that are not below such a folder; other services' logs are left out then.  Long runs of
 * keys in between are not listed at all.
 */
struct s3_walk;

struct s3_walk_options {
    struct view bucket, prefix; /* all texts must live on */
    struct view start_after;
    struct time_range range;
};

/* Nothing is sent yet.  Status as s3_list_open(). */
NODISCARD enum status s3_walk_open(struct s3_walk **out, struct aws_client *client,
                                   const struct s3_walk_options *options, struct error *err);
/* As s3_list_next. */
NODISCARD enum status s3_walk_next(struct s3_walk *w, struct s3_entry *entry, struct error *err);
void s3_walk_close(struct s3_walk *w); /* NULL does nothing */

/* The hour of the folder Bedrock put the object into; false: not below such a folder. */
bool s3_key_hour(struct view key, int64_t *hour);

/* "s3://..." */
bool source_s3_is_url(const char *text);

/* "s3://bucket/prefix" into its parts; ST_USAGE quotes it. */
NODISCARD enum status source_s3_parse(struct view url, struct view *bucket, struct view *prefix,
                                      struct error *err);

struct source_s3_options {
    char *const *urls; /* "s3://bucket[/prefix]"; must live on */
    size_t count;
    struct aws_pool *const *pools; /* what reads each URL's bucket; they outlive the source */
    struct time_range range;       /* list little: see s3_walk; the records decide what counts */
};

/*
 * Keys are named "s3://bucket/key".  One that several URLs cover is a duplicate for all but the
 * first.  A listing that fails is one failed object named by its URL.  ST_USAGE quotes a URL that
 * is not s3://bucket[/prefix].
 */
NODISCARD enum status source_s3_new(const struct source_s3_options *options, struct source **out,
                                    struct error *err);

#endif
