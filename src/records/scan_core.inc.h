/*
 * scan_core.inc.h: the scanner's loops, included once per instruction set.
 *
 * The including file names the function (SCAN_FEED) and defines
 *
 *   find_special(p, end)       the first byte in [p, end) that is a quote, a backslash, a control
 *                              character or not ASCII; end if there is none
 *   find_special_near(p, end)  the same, quick where it is a few bytes ahead; may be past `end`,
 *                              which has 8 readable bytes after it
 *   find_string_end(p, end)    the first quote, backslash or line feed; end if there is none
 *   bytes_equal(p, name, n)    whether the n bytes (at most NAME_NODE_BYTES, the rest of `name` is
 *                              zero) at p are those of `name`; reads NAME_NODE_BYTES bytes at p
 *   SCAN_BLOCKS                1 if it also defines, for blocks of 64 bytes (bit i is byte i),
 *     block_load(p)            a struct block
 *     block_quiet(&b)          whether there is no quote, backslash or line feed in it
 *     block_equal(&b, c)       mask of the bytes that are c
 *     block_bracket(&b, '{')   mask of { and [; with '}' of } and ]
 *     prefix_xor(bits)         bit i of the result is the parity of bits 0..i
 */

#include "records/scan_private.h"

#if SCAN_BLOCKS

/*
 * Which bytes of a block are escaped by a run of backslashes of odd length before them.  *carry
 * says that of the next block's first byte.  (simdjson, "Parsing Gigabytes of JSON per Second", section
 * 3.1.1: the carry of one addition tells runs that begin at an odd place from the others.)
 */
static inline uint64_t block_escaped(uint64_t backslashes, uint64_t *carry)
{
    static const uint64_t even_places = UINT64_C(0x5555555555555555);
    if (backslashes == 0) {
        uint64_t escaped = *carry;
        *carry = 0;
        return escaped;
    }
    backslashes &= ~*carry;
    uint64_t after = backslashes << 1 | *carry;
    uint64_t odd_starts = backslashes & ~even_places & ~after;
    unsigned long long sum;
    *carry = __builtin_uaddll_overflow(odd_starts, backslashes, &sum);
    return (even_places ^ (sum << 1)) & after;
}

/*
 * Skip by brackets, 64 bytes at a time.  A block that needs a closer look (an error, a cut, a stray
 * backslash) and what is left after the last whole block go byte by byte.
 */
static enum skip_result skip_nest(struct scanner *s, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    uint64_t depth = s->nest.depth;
    uint64_t in_string = s->nest.in_string ? UINT64_MAX : 0; /* all bits or none */
    uint64_t escape = s->nest.escape;
    uint64_t after_lf = s->after_lf;
    while (end - p >= 64) {
        struct block b = block_load(p);
        if (in_string != 0 && escape == 0 && block_quiet(&b)) {
            p += 64;
            continue;
        }
        uint64_t backslashes = block_equal(&b, '\\');
        uint64_t carry = escape;
        uint64_t quotes = block_equal(&b, '"') & ~block_escaped(backslashes, &carry);
        /* From each opening quote up to, but without, its closing one. */
        uint64_t inside = prefix_xor(quotes) ^ in_string;
        uint64_t lines = block_equal(&b, '\n');
        uint64_t closes = block_bracket(&b, '}') & ~inside;
        uint64_t opens = block_bracket(&b, '{') & ~inside;
        bool odd = (backslashes & ~inside) != 0 || (lines & inside) != 0;
        if ((lines | after_lf) != 0)
            odd |= (block_equal(&b, '{') & ~inside & (lines << 1 | after_lf)) != 0;
        uint64_t closed = (uint64_t)__builtin_popcountll(closes);
        if (odd) { /* something that wants a closer look */
            s->nest = (struct skip_nest){depth, in_string != 0, escape != 0};
            s->after_lf = after_lf != 0;
            enum skip_result result = scan_skip_bytes(s, &p, p + 64);
            if (result != SKIP_MORE) {
                *at = p;
                return result;
            }
            depth = s->nest.depth;
            in_string = s->nest.in_string ? UINT64_MAX : 0;
            escape = s->nest.escape;
            after_lf = s->after_lf;
            continue;
        }
        if (closed >= depth) { /* the end may lie in this block */
            while (closes != 0) {
                uint64_t bit = closes & (0 - closes);
                depth += (uint64_t)__builtin_popcountll(opens & (bit - 1));
                opens &= ~(bit - 1);
                closes ^= bit;
                if (--depth == 0) {
                    *at = p + __builtin_ctzll(bit) + 1;
                    s->nest = (struct skip_nest){0, false, false};
                    s->after_lf = false;
                    return SKIP_DONE;
                }
            }
            closed = 0;
        }
        depth += (uint64_t)__builtin_popcountll(opens) - closed;
        in_string = (uint64_t)((int64_t)inside >> 63);
        escape = carry;
        after_lf = lines >> 63;
        p += 64;
    }
    s->nest = (struct skip_nest){depth, in_string != 0, escape != 0};
    s->after_lf = after_lf != 0;
    *at = p;
    return scan_skip_bytes(s, at, end);
}

#else

static enum skip_result skip_nest(struct scanner *s, const uint8_t **at, const uint8_t *end)
{
    return scan_skip_bytes(s, at, end);
}

#endif

/* The rest of a string whose value is not read.  SKIP_ERROR: *at is at the line feed. */
static enum skip_result skip_string(struct scanner *s, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    for (;;) {
        if (s->nest.escape && p < end) {
            if (*p == '\n')
                break;
            p++;
            s->nest.escape = false;
        }
        p = find_string_end(p, end);
        if (p == end || *p == '\n')
            break;
        if (*p == '"') {
            *at = p + 1;
            return SKIP_DONE;
        }
        s->nest.escape = true;
        p++;
    }
    *at = p;
    return p == end ? SKIP_MORE : SKIP_ERROR;
}

static inline bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* After the white space at p, `end` at the latest, in blocks. */
static __attribute__((noinline)) const uint8_t *pass_padding(const uint8_t *p, const uint8_t *end)
{
#if SCAN_BLOCKS
    for (; end - p >= 64; p += 64) {
        struct block b = block_load(p);
        uint64_t white = block_equal(&b, ' ') | block_equal(&b, '\n') | block_equal(&b, '\r') |
                         block_equal(&b, '\t');
        if (white != UINT64_MAX)
            return p + __builtin_ctzll(~white);
    }
#endif
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* The same where it is a byte or an indentation; an object may be padded with gigabytes of it. */
static inline const uint8_t *pass_white(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *near = end - p > 64 ? p + 64 : end;
    while (p < near && is_space(*p))
        p++;
    return p == near && p < end ? pass_padding(p, end) : p;
}

/*
 * Skip white space.  *cut is set when it stopped at the `{` after a line feed; when it ends with a
 * line feed at `end` the scanner remembers it.
 */
static inline const uint8_t *skip_space(struct scanner *s, const uint8_t *p, const uint8_t *end,
                                        bool *cut)
{
    *cut = false;
    if (p == end || *p > ' ')
        return p;
    const uint8_t *from = p;
    p = pass_white(p, end);
    bool after_lf = p > from && p[-1] == '\n';
    if (p == end)
        s->after_lf = after_lf;
    else
        *cut = after_lf && *p == '{';
    return p;
}

static inline bool is_delimiter(uint8_t c)
{
    return is_space(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '{' || c == '[' ||
           c == '"';
}

static bool begins_literal(struct scanner *s, uint8_t c)
{
    s->literal_is_null = c == 'n';
    s->literal = c == 'n' ? "ull" : c == 't' ? "rue" : c == 'f' ? "alse" : NULL;
    return s->literal != NULL;
}

static void begin_nest(struct scanner *s)
{
    s->nest = (struct skip_nest){.depth = 1};
    s->after_lf = false;
    s->state = STATE_SKIP_NEST;
}

/* A text begins at p (no white space).  Returns where to go on. */
static const uint8_t *begin_text(struct scanner *s, const uint8_t *p)
{
    uint8_t c = *p;
    if (c == '{') {
        scan_begin_object(s, s->base + (uint64_t)(p - s->chunk));
        return p + 1;
    }
    if (c == '[' && !s->in_array) {
        s->in_array = true;
        s->lenient = false;
        s->array_offset = s->base + (uint64_t)(p - s->chunk);
        s->state = STATE_ARRAY_FIRST;
        return p + 1;
    }
    s->text_open = true;
    s->text_offset = s->base + (uint64_t)(p - s->chunk);
    s->level = 0;
    s->member = MEMBER_CHECK;
    if (c == '"') {
        json_string_begin(&s->string, s->name_buffer, sizeof(s->name_buffer));
        s->state = STATE_STRING;
        return p + 1;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        json_number_begin(&s->number);
        s->state = STATE_NUMBER;
        return p;
    }
    if (begins_literal(s, c)) {
        s->state = STATE_LITERAL;
        return p + 1;
    }
    if (c == '[') {
        begin_nest(s);
        return p + 1;
    }
    return scan_error(s, p);
}

/* The value of a member begins at p (no white space).  Returns where to go on. */
static inline const uint8_t *begin_value(struct scanner *s, const uint8_t *p, const uint8_t *end)
{
    uint8_t c = *p;
    bool read = s->member == MEMBER_CHECK || s->member >= MEMBER_TEXT;
    if (s->member >= MEMBER_IDENTITY && s->member <= MEMBER_LATENCY_BODY)
        scan_begin_inside(s, s->member);
    if (c == '"') {
        if (!read) {
            s->nest.escape = false;
            s->state = STATE_SKIP_STRING;
            return p + 1;
        }
        const uint8_t *q = find_special(p + 1, end);
        if (q < end && *q == '"' && q - p - 1 <= SCAN_MAX_VALUE) {
            scan_store_string(s, (const char *)p + 1, (size_t)(q - p - 1));
            s->state = STATE_AFTER;
            return q + 1;
        }
        char *out = s->member >= MEMBER_TEXT && s->member < MEMBER_NUMBER
                        ? s->field_buffer[s->member - MEMBER_TEXT]
                        : s->name_buffer;
        /* An earlier value of a repeated member must not be kept over this one. */
        scan_store_other(s, true);
        json_string_begin(&s->string, out, SCAN_MAX_VALUE);
        s->state = STATE_STRING;
        return p + 1;
    }
    if (c == '{' || c == '[') {
        if (c == '{' && s->member >= MEMBER_IDENTITY && s->member <= MEMBER_OUTPUT) {
            s->inside = s->member;
            s->level = 2;
            s->state = STATE_FIRST_NAME;
            return p + 1;
        }
        scan_store_other(s, false);
        begin_nest(s);
        if (s->member == MEMBER_LATENCY_BODY)
            scan_latency_begin(s, c == '[');
        return p + 1;
    }
    if (!read) {
        if (is_delimiter(c))
            return scan_error(s, p);
        s->state = STATE_SKIP_SCALAR;
        return p;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        json_number_begin(&s->number);
        s->state = STATE_NUMBER;
        return p;
    }
    if (begins_literal(s, c)) {
        s->state = STATE_LITERAL;
        return p + 1;
    }
    return scan_error(s, p);
}

/* A name begins after its quote at p. */
static inline const uint8_t *begin_name(struct scanner *s, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = find_special(p, end);
    if (q < end && *q == '"' && q - p <= SCAN_MAX_VALUE) {
        s->member = scan_member(s, (const char *)p, (size_t)(q - p));
        s->state = STATE_COLON;
        return q + 1;
    }
    json_string_begin(&s->string, s->name_buffer, sizeof(s->name_buffer));
    s->state = STATE_NAME_REST;
    return p;
}

/* The name at p, without reading it, if it is one that followed node `from` before; or NULL. */
static inline struct name_node *guess_name(const struct name_node *from, const uint8_t *p,
                                           enum member inside)
{
    for (unsigned i = 0; i < NAME_GUESSES; i++) {
        struct name_node *node = from->next[i];
        if (node->inside == inside && bytes_equal(p, node->bytes, node->len))
            return node;
    }
    return NULL;
}

/*
 * A count of at most seven digits at p, followed by the end of its member; NULL: something else.
 * Eight bytes are looked at as one number, the first in its lowest byte, so that the count's length
 * is no branch to be mispredicted.
 */
static inline const uint8_t *read_small_count(const uint8_t *p, struct scan_count *count)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t digits;
    memcpy(&digits, p, sizeof(digits));
    digits ^= ones * '0';
    /* The highest bit of each byte that is above 9; right up to the first such byte. */
    uint64_t others = (digits + ones * 0x76) | digits;
    others &= ones * 0x80;
    if (others == 0)
        return NULL;
    unsigned n = (unsigned)__builtin_ctzll(others) / 8;
    if (n == 0 || (*p == '0' && n > 1) || (p[n] != ',' && p[n] != '}' && !is_space(p[n])))
        return NULL;
    digits <<= 64 - 8 * n;
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits * 10000 + (digits >> 32)) & UINT64_C(0xffffffff);
    *count = (struct scan_count){digits, VALUE_GOOD};
    return p + n;
}

/* The name at p in its usual form, looked up, and remembered as what follows `from`; NULL: unusual.
 */
static struct name_node *read_name(struct scanner *s, struct name_node *from, const uint8_t *p,
                                   const uint8_t *end, enum member inside)
{
    const uint8_t *name = p + 1;
    const uint8_t *q = find_special(name, end);
    if (end - q < 2 || q[0] != '"' || q[1] != ':')
        return NULL;
    struct name_node *node = scan_find_name(s, name, (size_t)(q - name), inside);
    if (node == NULL)
        return NULL;
    unsigned oldest = from->oldest;
    from->next[oldest] = node;
    from->oldest = oldest + 1 == NAME_GUESSES ? 0 : oldest + 1;
    return node;
}

/* The usual string value after its quote at p; its end, or NULL: unusual. */
static inline const uint8_t *read_value_string(struct scanner *s, struct name_node *node,
                                               const uint8_t *p, const uint8_t *last)
{
    enum member member = node->member;
    /*
     * Most values are as long as the last one of their name.  Going on from the guess instead of
     * from what was found lets the processor begin with the next member before this one's end is
     * known; the comparison is a branch that it foresees.  The barrier keeps the compiler from
     * seeing that both are the same.
     */
    uint32_t guess = node->value_len;
    __asm__("" : "+r"(guess));
    const uint8_t *q = find_special_near(p, last);
    if (q == p + node->value_len)
        q = p + guess;
    else if (q - p <= SCAN_MAX_VALUE)
        node->value_len = (uint32_t)(q - p);
    if (q >= last)
        return NULL;
    if (*q != '"') {
        if (member == MEMBER_CHECK || member >= MEMBER_TEXT)
            return NULL;
        q = find_string_end(q, last);
        if (q >= last || *q != '"')
            return NULL;
    }
    if (member >= MEMBER_TEXT) {
        if (q - p > SCAN_MAX_VALUE)
            return NULL;
        s->record.text[member - MEMBER_TEXT] =
            (struct scan_value){(const char *)p, (uint32_t)(q - p), VALUE_GOOD};
    } else if (member >= MEMBER_IDENTITY) {
        scan_begin_inside(s, member);
    }
    return q;
}

/*
 * What one step of read_members may look at without asking: a name node, white space, the first
 * block of its value, and what follows.
 */
enum { QUICK_SPACE = 64, QUICK_BYTES = NAME_NODE_BYTES + QUICK_SPACE + 64 + 8 };

/* Whether white space (or an error) is there, which is rare in Bedrock's own logs. */
static inline bool is_white(uint8_t c)
{
    return __builtin_expect(c <= ' ', 0);
}

/*
 * After the white space at p, at `limit` at the latest.  Bedrock writes none, but copies of logs
 * that other tools have written have a blank after each colon and comma, or are indented.
 */
static inline const uint8_t *pass_space(const uint8_t *p, const uint8_t *limit)
{
    if (*p == ' ' && p[1] > ' ')
        return p + 1;
    return pass_white(p, limit);
}

/*
 * Members of a record in their usual form: short names, values all in the chunk.  p is at a name's
 * quote.  Whatever is unusual is left to the machine: the state says what is expected at the
 * returned place, which is before the white space that a cut may hide in.
 */
static const uint8_t *read_members(struct scanner *s, const uint8_t *p, const uint8_t *end)
{
    if (end - p < QUICK_BYTES)
        return p;
    const uint8_t *quick_end = end - QUICK_BYTES;
    const uint8_t *last = end - 8; /* what is before it is followed by that many bytes */
    const uint8_t *next;
    struct name_node *node = &s->node[0];
    enum member inside = s->level == 2 ? s->inside : MEMBER_SKIP;
    while (p <= quick_end && *p == '"') {
        struct name_node *from = node;
        node = guess_name(from, p, inside);
        if (node == NULL) {
            node = read_name(s, from, p, end, inside);
            if (node == NULL)
                break;
        }
        enum member member = node->member;
        p += node->len;
        if (is_white(*p)) {
            next = pass_space(p, p + QUICK_SPACE);
            if (*next == '{' && next[-1] == '\n')
                goto unusual_value;
            p = next;
        }
        if (*p == '"' && member < MEMBER_NUMBER) {
            const uint8_t *q = read_value_string(s, node, p + 1, last);
            if (q == NULL)
                goto unusual_value;
            p = q + 1;
        } else if (member >= MEMBER_NUMBER) {
            const uint8_t *q = read_small_count(p, &s->record.number[member - MEMBER_NUMBER]);
            if (q == NULL)
                goto unusual_value;
            p = q;
        } else if (*p == '{' && member >= MEMBER_IDENTITY && member <= MEMBER_OUTPUT) {
            scan_begin_inside(s, member);
            inside = s->inside = member;
            s->level = 2;
            next = pass_space(++p, last);
            if (*next != '"') {
                s->state = STATE_FIRST_NAME;
                return p;
            }
            p = next;
            continue;
        } else if ((*p | 0x20) == '{' && member == MEMBER_SKIP) {
            s->member = member;
            begin_nest(s);
            p++;
            enum skip_result skipped = skip_nest(s, &p, end);
            if (skipped == SKIP_ERROR)
                return scan_error(s, p);
            if (skipped == SKIP_CUT)
                return scan_cut(s, p);
            if (skipped == SKIP_MORE)
                return p;
            s->state = STATE_AFTER;
            if (p >= last)
                return p;
        } else {
            goto unusual_value;
        }
        next = is_white(*p) ? pass_space(p, last) : p;
        if (*next == '}' && s->level == 2) {
            s->level = 1;
            inside = MEMBER_SKIP;
            p = ++next;
            if (is_white(*p))
                next = pass_space(p, last);
        }
        if (*next == ',') {
            p = next + 1;
            if (is_white(*p)) {
                next = pass_space(p, last);
                if (*next != '"')
                    break;
                p = next;
            }
        } else if (*next == '}' && s->level == 1) {
            scan_end_record(s);
            return next + 1;
        } else {
            s->state = STATE_AFTER;
            return p;
        }
    }
    s->state = STATE_NAME;
    return p;
unusual_value:
    s->member = node->member;
    s->state = STATE_VALUE;
    return p;
}

/* The whole machine: flat, one case a state, every case takes at least one byte or changes state.
 */
void SCAN_FEED(struct scanner *s, const uint8_t *p, const uint8_t *end)
{
    bool cut;
    enum status st;
    enum skip_result skipped;
    while (p < end) {
        switch (s->state) {
        case STATE_TOP:
        case STATE_ARRAY_VALUE:
            if (is_space(*p)) {
                p = pass_white(p, end);
                break;
            }
            if (s->lenient && (*p == ',' || *p == ']')) {
                s->lenient = *p != ']';
                p++;
                break;
            }
            p = begin_text(s, p);
            break;
        case STATE_ARRAY_FIRST:
            if (is_space(*p)) {
                p = pass_white(p, end);
            } else if (*p == ']') {
                s->in_array = false;
                s->state = STATE_TOP;
                p++;
            } else {
                p = begin_text(s, p);
            }
            break;
        case STATE_ARRAY_NEXT:
            p = skip_space(s, p, end, &cut);
            if (p == end)
                break;
            if (cut) {
                p = scan_cut(s, p);
            } else if (*p == ',') {
                s->state = STATE_ARRAY_VALUE;
                p++;
            } else if (*p == ']') {
                s->in_array = false;
                s->state = STATE_TOP;
                p++;
            } else {
                p = scan_error(s, p);
            }
            break;
        case STATE_SCALAR_END:
            if (is_delimiter(*p))
                scan_end_text(s, SCAN_NOT_INVOCATION_LOG);
            else
                p = scan_error(s, p);
            break;
        case STATE_RESYNC: {
            const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
            if (lf == NULL)
                return;
            s->state = STATE_TOP;
            p = lf + 1;
            break;
        }
        case STATE_FIRST_NAME:
        case STATE_NAME:
            p = skip_space(s, p, end, &cut);
            if (p == end)
                break;
            if (*p == '"') {
                const uint8_t *from = p;
                p = read_members(s, p, end);
                if (p != from)
                    break;
                p = begin_name(s, p + 1, end);
            } else if (cut) {
                p = scan_cut(s, p);
                break;
            } else if (*p == '}' && s->state == STATE_FIRST_NAME) {
                s->state = STATE_AFTER;
                break;
            } else {
                p = scan_error(s, p);
                break;
            }
            if (s->state != STATE_COLON || p == end)
                break;
            __attribute__((fallthrough));
        case STATE_COLON:
            p = skip_space(s, p, end, &cut);
            if (p == end)
                break;
            if (*p != ':') {
                p = cut ? scan_cut(s, p) : scan_error(s, p);
                break;
            }
            s->state = STATE_VALUE;
            if (++p == end)
                break;
            __attribute__((fallthrough));
        case STATE_VALUE:
            p = skip_space(s, p, end, &cut);
            if (p == end)
                break;
            p = cut ? scan_cut(s, p) : begin_value(s, p, end);
            break;
        case STATE_NAME_REST:
            st = json_string_next(&s->string, &p, end);
            if (st == ST_BAD_ITEM) {
                p = scan_error(s, p);
            } else if (st == ST_END) {
                s->member = s->string.full ? scan_member(s, "", 0)
                                           : scan_member(s, s->name_buffer, s->string.len);
                s->state = STATE_COLON;
            }
            break;
        case STATE_STRING:
            st = json_string_next(&s->string, &p, end);
            if (st == ST_BAD_ITEM) {
                p = scan_error(s, p);
            } else if (st == ST_END && s->level == 0) {
                scan_end_text(s, SCAN_NOT_INVOCATION_LOG);
            } else if (st == ST_END) {
                scan_store_string(s, s->string.out, s->string.len);
                s->state = STATE_AFTER;
            }
            break;
        case STATE_NUMBER:
            st = json_number_next(&s->number, &p, end);
            if (st == ST_BAD_ITEM) {
                p = scan_error(s, p);
            } else if (st == ST_END && s->level == 0) {
                s->state = STATE_SCALAR_END;
            } else if (st == ST_END) {
                scan_store_number(s);
                s->state = STATE_AFTER;
            }
            break;
        case STATE_LITERAL:
            if (*p != (uint8_t)*s->literal) {
                p = scan_error(s, p);
                break;
            }
            p++;
            if (*++s->literal != '\0')
                break;
            if (s->level == 0) {
                s->state = STATE_SCALAR_END;
            } else {
                scan_store_other(s, s->literal_is_null);
                s->state = STATE_AFTER;
            }
            break;
        case STATE_SKIP_STRING:
            skipped = skip_string(s, &p, end);
            if (skipped == SKIP_ERROR)
                p = scan_error(s, p);
            else if (skipped == SKIP_DONE)
                s->state = STATE_AFTER;
            break;
        case STATE_SKIP_SCALAR:
            while (p < end && !is_delimiter(*p))
                p++;
            if (p < end)
                s->state = STATE_AFTER;
            break;
        case STATE_SKIP_NEST:
            skipped = s->level == 2 && s->member == MEMBER_LATENCY_BODY
                          ? scan_skip_latency(s, &p, end)
                          : skip_nest(s, &p, end);
            if (skipped == SKIP_ERROR)
                p = scan_error(s, p);
            else if (skipped == SKIP_CUT)
                p = scan_cut(s, p);
            else if (skipped == SKIP_DONE && s->level == 0)
                scan_end_text(s, SCAN_NOT_INVOCATION_LOG);
            else if (skipped == SKIP_DONE)
                s->state = STATE_AFTER;
            break;
        case STATE_AFTER:
            p = skip_space(s, p, end, &cut);
            if (p == end)
                break;
            if (*p == ',') {
                s->state = STATE_NAME;
                p++;
            } else if (*p == '}') {
                p++;
                if (s->level == 2)
                    s->level = 1;
                else
                    scan_end_record(s);
            } else {
                p = cut ? scan_cut(s, p) : scan_error(s, p);
            }
            break;
        }
    }
}
