/* scan_private.h: the scanner's state, shared by scan.c and the loops built per instruction set. */
#ifndef RECORDS_SCAN_PRIVATE_H
#define RECORDS_SCAN_PRIVATE_H

#include "records/json_scalar.h"
#include "records/scan.h"

/*
 * What is expected next.  Level 0 is the object's content, level 1 a record object, level 2 one of
 * the four objects inside it.
 */
enum scan_state {
    STATE_TOP,         /* a text, or the end */
    STATE_ARRAY_FIRST, /* in a top-level array: a text or ] */
    STATE_ARRAY_VALUE, /* a text */
    STATE_ARRAY_NEXT,  /* , or ] */
    STATE_SCALAR_END,  /* level 0: a delimiter after a number or literal */
    STATE_RESYNC,      /* the line feed after an error */
    STATE_FIRST_NAME,  /* a name or } */
    STATE_NAME,        /* a name */
    STATE_NAME_REST,   /* the rest of a name that needs decoding */
    STATE_COLON,
    STATE_VALUE,
    STATE_STRING,  /* the rest of a string that is read */
    STATE_NUMBER,  /* the rest of a number that is read */
    STATE_LITERAL, /* the rest of true, false, null */
    STATE_SKIP_STRING,
    STATE_SKIP_SCALAR,
    STATE_SKIP_NEST,
    STATE_AFTER, /* , or } */
};

/* What to do with the value of the member whose name was read. */
enum member {
    MEMBER_SKIP,
    MEMBER_CHECK, /* read and check, keep nothing: requestMetadata keys nobody asked for */
    MEMBER_IDENTITY,
    MEMBER_METADATA,
    MEMBER_INPUT,
    MEMBER_OUTPUT,
    MEMBER_LATENCY_BODY, /* output.outputBodyJson, when the latency is wanted */
    MEMBER_TEXT = 16,    /* + enum scan_field */
    MEMBER_NUMBER = MEMBER_TEXT + FIELD_COUNT, /* + enum scan_number */
};

/* Progress inside a value that is skipped by its brackets. */
struct skip_nest {
    uint64_t depth;
    bool in_string;
    bool escape; /* the last byte was a backslash that escapes the next */
};

/* Where the walk for the latency is; see scan_latency.c. */
struct latency_search {
    bool is_array;           /* the body is a stream: the last element's latency counts */
    bool after_string;       /* the last token was a string: a name if a colon follows */
    bool name_matches_outer; /* the value to come is that of the metrics object */
    bool want_number;        /* the value to come is the latency */
    bool reading_number;
    uint64_t inner_depth; /* depth of the metrics object's members, 0 outside of it */
    size_t name_len;
    char name[48]; /* the beginning of the last string, not decoded */
    struct json_number number;
};

/*
 * Names come in the same few orders in all records, so each name seen remembers what followed it.
 * A guess that matches saves reading and looking up the name; one that fails costs a comparison.
 */
enum { NAME_NODES = 64, NAME_SLOTS = 128, NAME_NODE_BYTES = 32, NAME_GUESSES = 3 };

struct name_node {
    uint8_t bytes[NAME_NODE_BYTES]; /* the name with its quotes and colon, then zeros */
    uint32_t len;                   /* of them */
    enum member inside;             /* where the name is: MEMBER_SKIP at level 1 */
    enum member member;
    uint32_t value_len;                   /* of the last string value */
    uint32_t oldest;                      /* of the guesses: to be replaced next */
    struct name_node *next[NAME_GUESSES]; /* what followed */
};

struct scanner {
    scan_text_fn *on_text;
    void *context;

    enum scan_state state;
    enum member member;
    enum member inside; /* level 2: which object */
    int level;
    uint32_t begun; /* which of the four objects the record has had, by 1 << member */
    bool text_open;
    bool in_array;
    bool lenient;   /* a top-level array was damaged: stray , and ] are not errors */
    bool mark_open; /* a byte order mark may still come */
    bool after_lf;  /* the last byte seen was a line feed outside of a string */

    uint64_t base;         /* offset of the chunk's first byte */
    uint64_t text_offset;  /* of the open text */
    uint64_t array_offset; /* of the open top-level array */
    const uint8_t *chunk;

    struct skip_nest nest;
    struct json_string string;
    struct json_number number;
    const char *literal; /* what is still to come of true, false, null */
    bool literal_is_null;
    bool want_latency;
    struct latency_search latency;

    struct scan_record record;
    size_t metadata_count;
    struct view metadata_key[SCAN_MAX_METADATA];
    char *metadata_bytes; /* owns the keys */

    struct name_node node[NAME_NODES]; /* the first means no name: it never matches */
    unsigned node_count;
    uint8_t name_slot[NAME_SLOTS]; /* a node's index by its name; 0: none */

    char name_buffer[SCAN_MAX_VALUE];
    char field_buffer[FIELD_COUNT][SCAN_MAX_VALUE];
};

enum skip_result { SKIP_MORE, SKIP_DONE, SKIP_ERROR, SKIP_CUT };

/* Skip by brackets, one byte at a time.  *p stops at the error, at the `{` of a cut, or past it. */
enum skip_result scan_skip_bytes(struct scanner *s, const uint8_t **p, const uint8_t *end);

/* The same for a body in which the latency is looked for. */
enum skip_result scan_skip_latency(struct scanner *s, const uint8_t **p, const uint8_t *end);
void scan_latency_begin(struct scanner *s, bool is_array);

/* The node of a name, made if new; NULL: it is too long, or there are too many. */
struct name_node *scan_find_name(struct scanner *s, const uint8_t *name, size_t len,
                                 enum member inside);

/* A repeated object replaces the earlier one: forget all its members. */
void scan_forget_inside(struct scanner *s, enum member member);

/* One of the four objects, or the latency's body, is named. */
static inline void scan_begin_inside(struct scanner *s, enum member member)
{
    uint32_t bit = UINT32_C(1) << member;
    if ((s->begun & bit) != 0)
        scan_forget_inside(s, member);
    s->begun |= bit;
}

/* Which member a name is, at the scanner's level; resets what a repeated one replaces. */
enum member scan_member(struct scanner *s, const char *name, size_t len);

/* A text that is an object begins: forget the record before.  `offset` is that of its `{`. */
void scan_begin_object(struct scanner *s, uint64_t offset);
/*
 * The open text ends and is handed to on_text; scan_end_record() for one that may be a log record.
 */
void scan_end_text(struct scanner *s, enum scan_outcome outcome);
void scan_end_record(struct scanner *s);
/* A fault at *p: count the text, then go on after the next line feed; returns where to go on. */
const uint8_t *scan_error(struct scanner *s, const uint8_t *p);
/* A line feed and `{` (at p): an open text is malformed, a new one begins; returns p + 1. */
const uint8_t *scan_cut(struct scanner *s, const uint8_t *p);

/*
 * The value of s->member is known: a string of `len` bytes at `ptr`, which must stay until the chunk
 * ends; the number in s->number; or something else (null, or a type that does not fit).
 */
void scan_store_string(struct scanner *s, const char *ptr, size_t len);
void scan_store_number(struct scanner *s);
void scan_store_other(struct scanner *s, bool is_null);

/* The first byte that find_special() looks for (see scan_core.inc.h), one by one. */
static inline const uint8_t *special_byte(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
        p++;
    return p;
}

/* The same for find_string_end(). */
static inline const uint8_t *string_end_byte(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != '"' && *p != '\\' && *p != '\n')
        p++;
    return p;
}

typedef void scan_feed_fn(struct scanner *s, const uint8_t *p, const uint8_t *end);

scan_feed_fn scan_feed_scalar;
#if defined(__x86_64__)
scan_feed_fn scan_feed_sse2, scan_feed_avx2;
#elif defined(__aarch64__)
scan_feed_fn scan_feed_neon;
#endif

#endif
