/*
 * scan_sse2.c: the scanner's loops for every x86-64: SSE2 is a part of the architecture.  16 bytes
 * at a time; blocks of 64 are put together from four of them, and prefix_xor() is six shifts,
 * because there is no carry-less multiplication.
 */
#if defined(__x86_64__)

#include <emmintrin.h>

#include "records/scan_private.h"

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    uint32_t same = 0;
    for (int i = 0; i < 2; i++) {
        __m128i hit = _mm_cmpeq_epi8(load(p + 16 * i), load(q + 16 * i));
        same |= (uint32_t)_mm_movemask_epi8(hit) << (16 * i);
    }
    return (~same & (uint32_t)((UINT64_C(1) << n) - 1)) == 0;
}

static inline __m128i is_quote_or_backslash(__m128i v)
{
    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 16; p += 16) {
        __m128i v = load(p);
        /* Bytes compare as signed, so what is not ASCII is below the space too. */
        __m128i hit =
            _mm_or_si128(is_quote_or_backslash(v), _mm_cmpgt_epi8(_mm_set1_epi8(0x20), v));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    return special_byte(p, end);
}

static inline const uint8_t *find_special_near(const uint8_t *p, const uint8_t *end)
{
    return find_special(p, end);
}

static inline const uint8_t *find_string_end(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 16; p += 16) {
        __m128i v = load(p);
        __m128i hit =
            _mm_or_si128(is_quote_or_backslash(v), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    return string_end_byte(p, end);
}

struct block {
    __m128i part[4];
};

static inline struct block block_load(const uint8_t *p)
{
    return (struct block){{load(p), load(p + 16), load(p + 32), load(p + 48)}};
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

static inline bool block_quiet(const struct block *b)
{
    return (block_equal(b, '"') | block_equal(b, '\\') | block_equal(b, '\n')) == 0;
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
