/*
 * scan.c: everything about the scanner that is not a loop over bytes: which loops are used, its
 * life, texts, members, values.
 *
 * A record arrives like this, and only the marked members are read; `|` is a chunk border, which
 * may fall anywhere:
 *
 *   {"schemaType":"ModelInvocationLog","timestamp":"2026-11-01T10:31:07Z","acco|untId":"1...",
 *    ^^^^^^^^^^                         ^^^^^^^^^                          ^^^^ ^^^^^
 *    "input":{"inputBodyJson":{...megabytes...},"inputTokenCount":12},...}
 *    ^^^^^     skipped by its brackets           ^^^^^^^^^^^^^^^
 *
 * It is kept apart from scan_core.inc.h so that only the loops are compiled once per instruction
 * set.
 */
#include "records/scan_private.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- which loops ---- */

struct kernel {
    const char *name;
    scan_feed_fn *feed;
};

/* Whether this processor has every instruction set the loops were compiled for. */
static bool can_run(const struct kernel *kernel)
{
#if defined(__x86_64__)
    if (kernel->feed == scan_feed_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
               __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("pclmul");
#endif
    (void)kernel;
    return true;
}

/* Best first. */
static const struct kernel kernels[] = {
#if defined(__x86_64__)
    {"avx2", scan_feed_avx2},
    {"sse2", scan_feed_sse2},
#elif defined(__aarch64__)
    {"neon", scan_feed_neon},
#endif
    {"scalar", scan_feed_scalar},
};

enum { KERNEL_COUNT = sizeof(kernels) / sizeof(kernels[0]) };

static _Atomic(const struct kernel *) selected;

/* Chosen with the first chunk.  Two threads may both choose: they choose the same. */
static const struct kernel *kernel_in_use(void)
{
    const struct kernel *kernel = atomic_load_explicit(&selected, memory_order_acquire);
    if (kernel == NULL) {
        kernel = kernels;
        while (!can_run(kernel))
            kernel++;
        atomic_store_explicit(&selected, kernel, memory_order_release);
    }
    return kernel;
}

enum status scan_select(struct view name)
{
    static const char *const all[] = {"avx2", "sse2", "neon", "scalar"};
    if (view_eq_cstr(name, "auto")) {
        atomic_store(&selected, NULL);
        return ST_OK;
    }
    for (size_t i = 0; i < KERNEL_COUNT; i++) {
        if (view_eq_cstr(name, kernels[i].name) && can_run(&kernels[i])) {
            atomic_store(&selected, &kernels[i]);
            return ST_OK;
        }
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (view_eq_cstr(name, all[i]))
            return ST_MISSING;
    }
    return ST_USAGE;
}

const char *scan_selected(void)
{
    return kernel_in_use()->name;
}

/* ---- life ---- */

/* A node whose guesses all point to `none`, so that guess_name() needs no NULL check. */
static void make_node(struct name_node *node, struct name_node *none)
{
    *node = (struct name_node){.inside = MEMBER_CHECK}; /* not a place for a name */
    for (unsigned i = 0; i < NAME_GUESSES; i++)
        node->next[i] = none;
}

struct scanner *scanner_new(const struct scan_options *options, scan_text_fn *on_text,
                            void *context)
{
    struct scanner *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->on_text = on_text;
    s->context = context;
    s->want_latency = options->latency;
    size_t bytes = 1;
    for (size_t i = 0; i < options->metadata_key_count; i++)
        bytes += options->metadata_keys[i].len;
    s->node_count = 1;
    make_node(&s->node[0], &s->node[0]);
    s->metadata_bytes = malloc(bytes);
    if (s->metadata_bytes == NULL) {
        free(s);
        return NULL;
    }
    char *at = s->metadata_bytes;
    for (size_t i = 0; i < options->metadata_key_count && i < SCAN_MAX_METADATA; i++) {
        struct view key = options->metadata_keys[i];
        if (key.len > 0)
            memcpy(at, key.ptr, key.len);
        s->metadata_key[s->metadata_count++] = view_make(at, key.len);
        at += key.len;
    }
    scanner_reset(s);
    return s;
}

void scanner_free(struct scanner *s)
{
    if (s == NULL)
        return;
    free(s->metadata_bytes);
    free(s);
}

void scanner_reset(struct scanner *s)
{
    s->state = STATE_TOP;
    s->level = 0;
    s->text_open = s->in_array = s->lenient = s->after_lf = false;
    s->mark_open = true;
    s->base = 0;
}

void scanner_feed(struct scanner *s, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    size_t skipped = 0;
    if (s->base < 3 && s->mark_open) {
        /* A byte order mark counts as white space at the very start; it may come in pieces. */
        static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
        while (s->base + skipped < 3 && skipped < n && bytes[skipped] == mark[s->base + skipped])
            skipped++;
        if (s->base + skipped == 3)
            s->mark_open = false;
        else if (skipped < n && s->base + skipped > 0) {
            /* It was none: a stray byte at offset 0. */
            s->mark_open = false;
            s->chunk = bytes;
            s->state = STATE_RESYNC;
            s->on_text(s->context, SCAN_MALFORMED, 0, NULL);
        } else if (skipped < n) {
            s->mark_open = false;
        }
    }
    s->chunk = bytes;
    const uint8_t *p = bytes + skipped;
    const uint8_t *end = bytes + n;
    if (p < end) {
        if (s->after_lf && *p == '{')
            p = scan_cut(s, p);
        s->after_lf = false;
        kernel_in_use()->feed(s, p, end);
        /* Values still in the chunk move into the scanner before the chunk goes away. */
        for (size_t i = 0; s->text_open && i < FIELD_METADATA + s->metadata_count; i++) {
            struct scan_value *value = &s->record.text[i];
            const uint8_t *ptr = (const uint8_t *)value->ptr;
            if (value->kind == VALUE_GOOD && ptr >= bytes && ptr < end) {
                memcpy(s->field_buffer[i], value->ptr, value->len);
                value->ptr = s->field_buffer[i];
            }
        }
    }
    s->base += n;
}

void scanner_finish(struct scanner *s)
{
    if (s->mark_open && s->base > 0 && s->base < 3)
        s->on_text(s->context, SCAN_MALFORMED, 0, NULL);
    if (s->text_open) {
        bool whole = s->state == STATE_SCALAR_END || (s->state == STATE_NUMBER && s->level == 0 &&
                                                      json_number_complete(&s->number));
        scan_end_text(s, whole ? SCAN_NOT_INVOCATION_LOG : SCAN_MALFORMED);
        if (!whole)
            s->in_array = false;
    }
    if (s->in_array)
        s->on_text(s->context, SCAN_MALFORMED, s->array_offset, NULL);
    scanner_reset(s);
}

/* ---- texts ---- */

void scan_begin_object(struct scanner *s, uint64_t offset)
{
    s->text_open = true;
    s->text_offset = offset;
    s->level = 1;
    s->begun = 0;
    s->state = STATE_FIRST_NAME;
    memset(&s->record, 0,
           offsetof(struct scan_record, text) +
               sizeof(struct scan_value) * (FIELD_METADATA + s->metadata_count));
}

static void end_text(struct scanner *s, enum scan_outcome outcome, const struct scan_record *record)
{
    s->text_open = false;
    s->level = 0;
    s->state = s->in_array ? STATE_ARRAY_NEXT : STATE_TOP;
    s->on_text(s->context, outcome, s->text_offset, record);
}

void scan_end_text(struct scanner *s, enum scan_outcome outcome)
{
    end_text(s, outcome, NULL);
}

void scan_end_record(struct scanner *s)
{
    static const struct view wanted = {"ModelInvocationLog", 18};
    const struct scan_value *type = &s->record.text[FIELD_SCHEMA_TYPE];
    if (type->kind == VALUE_GOOD && view_eq(view_make(type->ptr, type->len), wanted))
        end_text(s, SCAN_RECORD, &s->record);
    else
        end_text(s, SCAN_NOT_INVOCATION_LOG, NULL);
}

/* The open text, or a stray byte at p, is malformed; a top-level array stays open leniently. */
static void damaged(struct scanner *s, const uint8_t *p)
{
    if (!s->text_open)
        s->text_offset = s->base + (uint64_t)(p - s->chunk);
    if (s->in_array) {
        s->in_array = false;
        s->lenient = true;
    }
    scan_end_text(s, SCAN_MALFORMED);
}

const uint8_t *scan_error(struct scanner *s, const uint8_t *p)
{
    damaged(s, p);
    if (*p == '\n')
        return p + 1;
    s->state = STATE_RESYNC;
    return p;
}

const uint8_t *scan_cut(struct scanner *s, const uint8_t *p)
{
    if (s->text_open)
        damaged(s, p);
    scan_begin_object(s, s->base + (uint64_t)(p - s->chunk));
    return p + 1;
}

/* ---- members ---- */

static void forget_text(struct scanner *s, size_t first, size_t count)
{
    memset(&s->record.text[first], 0, count * sizeof(s->record.text[0]));
}

void scan_forget_inside(struct scanner *s, enum member member)
{
    struct scan_count *number = s->record.number;
    switch (member) {
    case MEMBER_IDENTITY: forget_text(s, FIELD_IDENTITY_ARN, 1); break;
    case MEMBER_METADATA: forget_text(s, FIELD_METADATA, s->metadata_count); break;
    case MEMBER_INPUT:
        number[NUMBER_INPUT] = number[NUMBER_CACHE_READ] = number[NUMBER_CACHE_WRITE] =
            (struct scan_count){0, VALUE_ABSENT};
        break;
    case MEMBER_OUTPUT:
        number[NUMBER_OUTPUT] = s->record.latency = (struct scan_count){0, VALUE_ABSENT};
        break;
    case MEMBER_LATENCY_BODY: s->record.latency = (struct scan_count){0, VALUE_ABSENT}; break;
    default: break;
    }
}

/* Names differ in length or in their first eight bytes, mostly. */
static unsigned name_slot(const uint8_t *name, size_t len, enum member inside)
{
    uint64_t first = 0;
    memcpy(&first, name, len < sizeof(first) ? len : sizeof(first));
    first = (first ^ len ^ (uint64_t)inside << 8) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(first >> 32) % NAME_SLOTS;
}

struct name_node *scan_find_name(struct scanner *s, const uint8_t *name, size_t len,
                                 enum member inside)
{
    if (len + 3 > NAME_NODE_BYTES)
        return NULL;
    unsigned slot = name_slot(name, len, inside);
    for (; s->name_slot[slot] != 0; slot = (slot + 1) % NAME_SLOTS) {
        struct name_node *node = &s->node[s->name_slot[slot]];
        if (node->len == len + 3 && node->inside == inside &&
            memcmp(node->bytes + 1, name, len) == 0)
            return node;
    }
    if (s->node_count == NAME_NODES)
        return NULL;
    s->name_slot[slot] = (uint8_t)s->node_count;
    struct name_node *node = &s->node[s->node_count++];
    make_node(node, &s->node[0]);
    node->len = (uint32_t)len + 3;
    node->inside = inside;
    node->member = scan_member(s, (const char *)name, len);
    node->bytes[0] = node->bytes[len + 1] = '"';
    memcpy(node->bytes + 1, name, len);
    node->bytes[len + 2] = ':';
    return node;
}

/* What is read, by the object it is in (MEMBER_SKIP: the record itself); all else is skipped. */
#define NAME(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
static const struct {
    enum member inside;
    struct view name;
    unsigned member;
} members[] = {
    {MEMBER_SKIP, NAME("schemaType"), MEMBER_TEXT + FIELD_SCHEMA_TYPE},
    {MEMBER_SKIP, NAME("schemaVersion"), MEMBER_TEXT + FIELD_SCHEMA_VERSION},
    {MEMBER_SKIP, NAME("timestamp"), MEMBER_TEXT + FIELD_TIMESTAMP},
    {MEMBER_SKIP, NAME("accountId"), MEMBER_TEXT + FIELD_ACCOUNT_ID},
    {MEMBER_SKIP, NAME("region"), MEMBER_TEXT + FIELD_REGION},
    {MEMBER_SKIP, NAME("operation"), MEMBER_TEXT + FIELD_OPERATION},
    {MEMBER_SKIP, NAME("modelId"), MEMBER_TEXT + FIELD_MODEL_ID},
    {MEMBER_SKIP, NAME("errorCode"), MEMBER_TEXT + FIELD_ERROR_CODE},
    {MEMBER_SKIP, NAME("inferenceRegion"), MEMBER_TEXT + FIELD_INFERENCE_REGION},
    {MEMBER_SKIP, NAME("identity"), MEMBER_IDENTITY},
    {MEMBER_SKIP, NAME("requestMetadata"), MEMBER_METADATA},
    {MEMBER_SKIP, NAME("input"), MEMBER_INPUT},
    {MEMBER_SKIP, NAME("output"), MEMBER_OUTPUT},
    {MEMBER_IDENTITY, NAME("arn"), MEMBER_TEXT + FIELD_IDENTITY_ARN},
    {MEMBER_INPUT, NAME("inputTokenCount"), MEMBER_NUMBER + NUMBER_INPUT},
    {MEMBER_INPUT, NAME("cacheReadInputTokenCount"), MEMBER_NUMBER + NUMBER_CACHE_READ},
    {MEMBER_INPUT, NAME("cacheWriteInputTokenCount"), MEMBER_NUMBER + NUMBER_CACHE_WRITE},
    {MEMBER_OUTPUT, NAME("outputTokenCount"), MEMBER_NUMBER + NUMBER_OUTPUT},
    {MEMBER_OUTPUT, NAME("outputBodyJson"), MEMBER_LATENCY_BODY},
};

enum member scan_member(struct scanner *s, const char *name, size_t len)
{
    enum member inside = s->level == 1 ? MEMBER_SKIP : s->inside;
    struct view wanted = view_make(name, len);
    if (inside == MEMBER_METADATA) {
        size_t i = 0;
        while (i < s->metadata_count && !view_eq(s->metadata_key[i], wanted))
            i++;
        return i == s->metadata_count ? MEMBER_CHECK
                                      : (enum member)(MEMBER_TEXT + FIELD_METADATA + (unsigned)i);
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].inside == inside && view_eq(members[i].name, wanted))
            return members[i].member == MEMBER_LATENCY_BODY && !s->want_latency
                       ? MEMBER_SKIP
                       : (enum member)members[i].member;
    }
    return MEMBER_SKIP;
}

/* ---- values ---- */

void scan_store_string(struct scanner *s, const char *ptr, size_t len)
{
    if (s->member >= MEMBER_NUMBER)
        s->record.number[s->member - MEMBER_NUMBER] = (struct scan_count){0, VALUE_BAD};
    else if (s->member >= MEMBER_TEXT)
        s->record.text[s->member - MEMBER_TEXT] =
            (struct scan_value){ptr, (uint32_t)len, VALUE_GOOD};
}

void scan_store_number(struct scanner *s)
{
    if (s->member < MEMBER_NUMBER) {
        scan_store_other(s, false);
        return;
    }
    struct scan_count *count = &s->record.number[s->member - MEMBER_NUMBER];
    *count = (struct scan_count){0, VALUE_BAD};
    if (json_number_count(&s->number, &count->value) == ST_OK)
        count->kind = VALUE_GOOD;
}

void scan_store_other(struct scanner *s, bool is_null)
{
    enum value_kind kind = is_null ? VALUE_ABSENT : VALUE_BAD;
    if (s->member >= MEMBER_NUMBER)
        s->record.number[s->member - MEMBER_NUMBER] = (struct scan_count){0, kind};
    else if (s->member >= MEMBER_TEXT)
        s->record.text[s->member - MEMBER_TEXT] = (struct scan_value){NULL, 0, kind};
}

/* ---- skipping by brackets, byte by byte ---- */

enum skip_result scan_skip_bytes(struct scanner *s, const uint8_t **at, const uint8_t *end)
{
    struct skip_nest nest = s->nest;
    const uint8_t *p = *at;
    bool after_lf = s->after_lf;
    enum skip_result result = SKIP_MORE;
    for (; p < end; p++) {
        uint8_t c = *p;
        if (nest.in_string) {
            if (c == '\n') {
                result = SKIP_ERROR;
                break;
            }
            if (nest.escape)
                nest.escape = false;
            else if (c == '\\')
                nest.escape = true;
            else if (c == '"')
                nest.in_string = false;
            continue;
        }
        if (c == '"') {
            nest.in_string = true;
        } else if ((c | 0x20) == '{') {
            if (after_lf && c == '{') {
                result = SKIP_CUT;
                break;
            }
            nest.depth++;
        } else if ((c | 0x20) == '}' && --nest.depth == 0) {
            p++;
            result = SKIP_DONE;
            break;
        }
        after_lf = c == '\n';
    }
    s->after_lf = result == SKIP_MORE && after_lf && !nest.in_string;
    s->nest = nest;
    *at = p;
    return result;
}
