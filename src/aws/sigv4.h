/*
 * sigv4.h: AWS Signature Version 4 in the Authorization header, for every service.
 *
 * Facts: AWS IAM guide "Create a signed AWS API request"; checked against AWS's own vectors and
 * against botocore.  Time is an argument.  A request that was signed may be sent once.
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include "aws/http.h"
#include "base/buf.h"

enum { SIGV4_DATE_BYTES = 17 }; /* "20150830T123600Z" and its NUL */

/*
 * Derived signing keys, so that four HMACs are saved on all but the first request of a day, Region
 * and service.  One per thread.  Wiped by sigv4_cache_clear().
 */
struct sigv4_cache {
    struct sigv4_cached_key {
        uint8_t key[32];
        uint8_t scope[32]; /* SHA-256 of secret, date, Region and service */
        bool used;
    } keys[8];
    unsigned next;
};
void sigv4_cache_clear(struct sigv4_cache *cache);

struct sigv4_request {
    struct view access_key_id;
    struct view secret;
    struct view session_token; /* empty: none */
    struct view region;
    struct view service;
    int64_t time_s; /* seconds since the epoch */

    struct view method;
    struct view path;  /* as sent, percent-encoded; empty means "/" */
    struct view query; /* as sent, percent-encoded, without `?` */
    /* Must hold host.  x-amz-date and x-amz-security-token are added here and must not be. */
    const struct http_header *headers;
    size_t n_headers;
    struct view body;

    bool s3;             /* the path is signed as sent, and x-amz-content-sha256 is added */
    bool normalize_path; /* fold "/./", "/../" and "//" before signing; never for S3 */
    bool add_sha256;     /* add x-amz-content-sha256 for another service too */
    bool token_unsigned; /* the token header is added but not signed (some services; vectors) */
};

struct sigv4_result {
    char date[SIGV4_DATE_BYTES];
    char payload_sha256[65];
    bool has_sha256_header;   /* x-amz-content-sha256 belongs into the request */
    struct buf authorization; /* value of the Authorization header; no secret in it */
    struct buf canonical;     /* canonical request; holds the session token: never log it */
    struct buf string_to_sign;
};
/* Begin empty; a result can be used for one signature after another. */
void sigv4_result_init(struct sigv4_result *r);
void sigv4_result_clear(struct sigv4_result *r); /* wipes */

/*
 * Sign.  The caller sends the headers it gave, plus X-Amz-Date, X-Amz-Security-Token where there is
 * a token, X-Amz-Content-Sha256 where said, and Authorization.  cache may be NULL. ST_BAD_ITEM: a
 * header name or value with control bytes, a time outside years 0-9999; ST_NO_MEMORY.
 */
NODISCARD enum status sigv4_sign(const struct sigv4_request *req, struct sigv4_cache *cache,
                                 struct sigv4_result *out);

/* "20150830T123600Z". ST_BAD_ITEM outside years 0..9999. */
NODISCARD enum status sigv4_format_date(int64_t time_s, char out[SIGV4_DATE_BYTES]);

/* Lower-case hexadecimal SHA-256 of some bytes, with a NUL. */
NODISCARD enum status sigv4_sha256_hex(struct view bytes, char out[65]);

#endif
