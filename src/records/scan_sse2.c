/*
 * scan_sse2.c: the scanner's loops for every x86-64: SSE2 is a part of the architecture.  16 bytes
 * at a time; blocks of 64 are put together from four of them, and prefix_xor() is six shifts,
 * because there is no carry-less multiplication.
 */
#if defined(__x86_64__)

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    uint32_t same = 0;
    for (int i = 0; i < 2; i++) {
        __m128i left = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i right = _mm_loadu_si128((const __m128i *)(const void *)(q + 16 * i));
        same |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(left, right)) << (16 * i);
    }
    return (~same & (uint32_t)((UINT64_C(1) << n) - 1)) == 0;
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Bytes compare as signed, so what is not ASCII is below the space too. */
        __m128i hit =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                         _mm_cmpgt_epi8(space, v));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
        p++;
    return p;
}

static inline const uint8_t *find_special_near(const uint8_t *p, const uint8_t *end)
{
    return find_special(p, end);
}

static inline const uint8_t *find_string_end(const uint8_t *p, const uint8_t *end)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i line = _mm_set1_epi8('\n');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                         _mm_cmpeq_epi8(v, line));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    while (p < end && *p != '"' && *p != '\\' && *p != '\n')
        p++;
    return p;
}

struct block {
    __m128i part[4];
};

static inline struct block block_load(const uint8_t *p)
{
    struct block b;
    for (int i = 0; i < 4; i++)
        b.part[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
    return b;
}

static inline uint64_t block_equal(const struct block *b, char c)
{
    __m128i wanted = _mm_set1_epi8(c);
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++)
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(b->part[i], wanted))
                << (16 * i);
    return mask;
}

/* [ and ] differ from { and } in one bit only, and nothing else maps onto them with it set. */
static inline uint64_t block_bracket(const struct block *b, char c)
{
    struct block folded;
    for (int i = 0; i < 4; i++)
        folded.part[i] = _mm_or_si128(b->part[i], _mm_set1_epi8(0x20));
    return block_equal(&folded, c);
}

static inline uint64_t block_quotes(const struct block *b)
{
    return block_equal(b, '"');
}

static inline uint64_t block_backslashes(const struct block *b)
{
    return block_equal(b, '\\');
}

static inline uint64_t block_lines(const struct block *b)
{
    return block_equal(b, '\n');
}

static inline uint64_t block_braces(const struct block *b)
{
    return block_equal(b, '{');
}

static inline uint64_t block_opens(const struct block *b)
{
    return block_bracket(b, '{');
}

static inline uint64_t block_closes(const struct block *b)
{
    return block_bracket(b, '}');
}

static inline bool block_quiet(const struct block *b)
{
    return (block_quotes(b) | block_backslashes(b) | block_lines(b)) == 0;
}

static inline uint64_t prefix_xor(uint64_t bits)
{
    for (int shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

#define SCAN_FEED scan_feed_sse2
#define SCAN_BLOCKS 1
#include "records/scan_core.inc.h"

#else
typedef int scan_sse2_is_for_x86_64;
#endif
