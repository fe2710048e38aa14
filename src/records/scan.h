/*
 * scan.h: a stream of bytes to JSON texts, and the members of invocation log records.
 *
 * A streaming reader: it takes the content of one object in chunks of any size, cut anywhere, and
 * never holds a text whole, so memory does not depend on the length of a line or the depth of a
 * body.  Needed members are read and checked by RFC 8259; everything else is skipped in place.
 * docs/models.md has the rules; the main ones:
 *
 * - Texts follow one another with or without white space.  A top-level array is descended one
 *   level.
 * - A line feed directly followed by `{` always begins a new text; an open one is malformed.
 * - A raw line feed in a string is an error.  After an error reading goes on after the next line
 *   feed, so a damaged line costs one record.
 *
 * The inner loops exist once per instruction set (scan_avx2.c, ...), chosen at run time.
 */
#ifndef RECORDS_SCAN_H
#define RECORDS_SCAN_H

#include "base/view.h"

enum {
    SCAN_MAX_VALUE = 4096,  /* bytes kept of a value; the rest is cut at a character border */
    SCAN_MAX_METADATA = 16, /* requestMetadata keys that can be asked for at a time */
};

/* Members whose text is kept. */
enum scan_field {
    FIELD_SCHEMA_TYPE,
    FIELD_SCHEMA_VERSION,
    FIELD_TIMESTAMP,
    FIELD_ACCOUNT_ID,
    FIELD_REGION,
    FIELD_INFERENCE_REGION,
    FIELD_OPERATION,
    FIELD_MODEL_ID,
    FIELD_ERROR_CODE,
    FIELD_IDENTITY_ARN,
    FIELD_METADATA, /* the first of SCAN_MAX_METADATA */
    FIELD_COUNT = FIELD_METADATA + SCAN_MAX_METADATA,
};

/* Members whose number is kept. */
enum scan_number {
    NUMBER_INPUT,
    NUMBER_OUTPUT,
    NUMBER_CACHE_READ,
    NUMBER_CACHE_WRITE,
    NUMBER_COUNT,
};

enum value_kind {
    VALUE_ABSENT, /* not there, or null */
    VALUE_GOOD,   /* a string, or a number that is a count */
    VALUE_BAD,    /* there, of another type or range */
};

struct scan_value {
    const char *ptr; /* valid UTF-8, at most SCAN_MAX_VALUE bytes; valid during the callback */
    uint32_t len;
    enum value_kind kind;
};

struct scan_count {
    uint64_t value; /* 0..2^53 when kind is VALUE_GOOD, else 0 */
    enum value_kind kind;
};

/* What one record object holds. */
struct scan_record {
    struct scan_count number[NUMBER_COUNT];
    struct scan_count latency; /* milliseconds; only with scan_options.latency */
    struct scan_value text[FIELD_COUNT];
};

enum scan_outcome {
    SCAN_RECORD,             /* an object with schemaType ModelInvocationLog */
    SCAN_MALFORMED,          /* not JSON, as far as it is checked */
    SCAN_NOT_INVOCATION_LOG, /* another text */
};

/*
 * Called once for each text, in the order they end.  `offset` is that of the text's first byte.
 * `record` is NULL unless the outcome is SCAN_RECORD, and valid during the call only.
 */
typedef void scan_text_fn(void *context, enum scan_outcome outcome, uint64_t offset,
                          const struct scan_record *record);

struct scan_options {
    const struct view *metadata_keys; /* which requestMetadata values to keep; copied */
    size_t metadata_key_count;        /* at most SCAN_MAX_METADATA */
    bool latency;                     /* look for the latency in outputBodyJson */
};

struct scanner; /* one per worker, never shared between threads at a time */

/* NULL when memory is short.  `on_text` gets `context`. */
struct scanner *scanner_new(const struct scan_options *options, scan_text_fn *on_text,
                            void *context);
/* NULL does nothing. */
void scanner_free(struct scanner *s);

/* Begin an object: forget whatever was open. */
void scanner_reset(struct scanner *s);

/* The next n bytes of the object.  Nothing outside of them is read, nor kept afterwards. */
void scanner_feed(struct scanner *s, const uint8_t *bytes, size_t n);

/* The object has ended: an open text or array is malformed. */
void scanner_finish(struct scanner *s);

/*
 * Force the instruction set: "avx2", "sse2", "neon", "scalar", or "auto".  ST_USAGE for an unknown
 * name, ST_MISSING for one this machine cannot run.  Not while a scanner is in use.
 */
NODISCARD enum status scan_select(struct view name);

/* The name of the set in use. */
const char *scan_selected(void);

#endif
