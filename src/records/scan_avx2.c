/*
 * scan_avx2.c: the scanner's loops for x86-64 with AVX2, BMI2, POPCNT and PCLMUL (compiled with
 * these on, run only where the processor has them).
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "records/scan_private.h"

static inline __m256i is_quote_or_backslash(__m256i v)
{
    return _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
                           _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
}

/* Bytes compare as signed, so what is not ASCII is below the space too. */
static inline __m256i is_special(__m256i v)
{
    return _mm256_or_si256(is_quote_or_backslash(v), _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v));
}

static inline __m256i is_string_end(__m256i v)
{
    return _mm256_or_si256(is_quote_or_backslash(v), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n')));
}

static inline uint64_t join(__m256i low, __m256i high)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static inline __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    __m256i hit = _mm256_cmpeq_epi8(load(p), load(q));
    return _bzhi_u32(~(uint32_t)_mm256_movemask_epi8(hit), n) == 0;
}

/* 64 bytes at a time, because most values end within them: one branch that is foreseen. */
static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 64; p += 64) {
        uint64_t mask = join(is_special(load(p)), is_special(load(p + 32)));
        if (mask != 0)
            return p + __builtin_ctzll(mask);
    }
    return special_byte(p, end);
}

static inline const uint8_t *find_special_near(const uint8_t *p, const uint8_t *end)
{
    uint64_t mask = join(is_special(load(p)), is_special(load(p + 32)));
    return __builtin_expect(mask != 0, 1) ? p + __builtin_ctzll(mask) : find_special(p + 64, end);
}

static inline const uint8_t *find_string_end(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 64; p += 64) {
        uint64_t mask = join(is_string_end(load(p)), is_string_end(load(p + 32)));
        if (mask != 0)
            return p + __builtin_ctzll(mask);
    }
    return string_end_byte(p, end);
}

struct block {
    __m256i low, high;
};

static inline struct block block_load(const uint8_t *p)
{
    return (struct block){load(p), load(p + 32)};
}

static inline uint64_t block_equal(const struct block *b, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    return join(_mm256_cmpeq_epi8(b->low, wanted), _mm256_cmpeq_epi8(b->high, wanted));
}

static inline bool block_quiet(const struct block *b)
{
    __m256i any = _mm256_or_si256(is_string_end(b->low), is_string_end(b->high));
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
