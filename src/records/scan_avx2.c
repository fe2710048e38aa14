/*
 * scan_avx2.c: the scanner's loops for x86-64 with AVX2, BMI2, POPCNT and PCLMUL (compiled with
 * these on, run only where the processor has them).
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    __m256i hit = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p),
                                    _mm256_loadu_si256((const __m256i *)(const void *)q));
    return _bzhi_u32(~(uint32_t)_mm256_movemask_epi8(hit), n) == 0;
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i space = _mm256_set1_epi8(0x20);
    for (; end - p >= 32; p += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
        /* Bytes compare as signed, so what is not ASCII is below the space too. */
        __m256i hit = _mm256_or_si256(
            _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, backslash)),
            _mm256_cmpgt_epi8(space, v));
        unsigned mask = (unsigned)_mm256_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
        p++;
    return p;
}

static inline const uint8_t *find_string_end(const uint8_t *p, const uint8_t *end)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i line = _mm256_set1_epi8('\n');
    for (; end - p >= 32; p += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i hit = _mm256_or_si256(
            _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, backslash)),
            _mm256_cmpeq_epi8(v, line));
        unsigned mask = (unsigned)_mm256_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
    while (p < end && *p != '"' && *p != '\\' && *p != '\n')
        p++;
    return p;
}

struct block {
    __m256i low, high;
};

static inline struct block block_load(const uint8_t *p)
{
    return (struct block){_mm256_loadu_si256((const __m256i *)(const void *)p),
                          _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
}

static inline uint64_t join(__m256i low, __m256i high)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static inline uint64_t block_equal(const struct block *b, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    return join(_mm256_cmpeq_epi8(b->low, wanted), _mm256_cmpeq_epi8(b->high, wanted));
}

static inline bool block_quiet(const struct block *b)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i line = _mm256_set1_epi8('\n');
    __m256i low = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(b->low, quote), _mm256_cmpeq_epi8(b->low, backslash)),
        _mm256_cmpeq_epi8(b->low, line));
    __m256i high = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(b->high, quote), _mm256_cmpeq_epi8(b->high, backslash)),
        _mm256_cmpeq_epi8(b->high, line));
    __m256i any = _mm256_or_si256(low, high);
    return _mm256_testz_si256(any, any) != 0;
}

/* [ and ] differ from { and } in one bit only, and nothing else maps onto them with it set. */
static inline uint64_t block_bracket(const struct block *b, char c)
{
    const __m256i bit = _mm256_set1_epi8(0x20);
    __m256i wanted = _mm256_set1_epi8(c);
    return join(_mm256_cmpeq_epi8(_mm256_or_si256(b->low, bit), wanted),
                _mm256_cmpeq_epi8(_mm256_or_si256(b->high, bit), wanted));
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

static inline uint64_t prefix_xor(uint64_t bits)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)bits), _mm_set1_epi8((char)0xff), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

#define SCAN_FEED scan_feed_avx2
#define SCAN_BLOCKS 1
#include "records/scan_core.inc.h"

#else
typedef int scan_avx2_is_for_x86_64;
#endif
