/*
 * scan_neon.c: the scanner's loops for arm64, where NEON is always there.  It has no movemask, so
 * the masks of comparisons are narrowed to four bits a byte (nibbles) or summed up from bits
 * (block_mask).
 */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "records/scan_private.h"

/* Four bits for each byte of a comparison's result, the first byte lowest. */
static inline uint64_t nibbles(uint8x16_t hit)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    return memcmp(p, q, n) == 0;
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 16; p += 16) {
        uint8x16_t v = vld1q_u8(p);
        uint8x16_t hit =
            vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\'))),
                     vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x80))));
        uint64_t mask = nibbles(hit);
        if (mask != 0)
            return p + __builtin_ctzll(mask) / 4;
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
        uint8x16_t v = vld1q_u8(p);
        uint8x16_t hit =
            vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\'))),
                     vceqq_u8(v, vdupq_n_u8('\n')));
        uint64_t mask = nibbles(hit);
        if (mask != 0)
            return p + __builtin_ctzll(mask) / 4;
    }
    return string_end_byte(p, end);
}

struct block {
    uint8x16_t part[4];
};

static inline struct block block_load(const uint8_t *p)
{
    return (struct block){{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}};
}

/* One bit for each byte: weigh them 1, 2, 4 .. 128 and add neighbours until eight are one byte. */
static inline uint64_t block_mask(const uint8x16_t hit[4])
{
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t weight = vld1q_u8(weights);
    uint8x16_t sum0 = vpaddq_u8(vandq_u8(hit[0], weight), vandq_u8(hit[1], weight));
    uint8x16_t sum1 = vpaddq_u8(vandq_u8(hit[2], weight), vandq_u8(hit[3], weight));
    sum0 = vpaddq_u8(sum0, sum1);
    sum0 = vpaddq_u8(sum0, sum0);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum0), 0);
}

static inline uint64_t block_equal(const struct block *b, char c)
{
    uint8x16_t hit[4];
    for (int i = 0; i < 4; i++)
        hit[i] = vceqq_u8(b->part[i], vdupq_n_u8((uint8_t)c));
    return block_mask(hit);
}

/* [ and ] differ from { and } in one bit only, and nothing else maps onto them with it set. */
static inline uint64_t block_bracket(const struct block *b, char c)
{
    struct block folded;
    for (int i = 0; i < 4; i++)
        folded.part[i] = vorrq_u8(b->part[i], vdupq_n_u8(0x20));
    return block_equal(&folded, c);
}

static inline bool block_quiet(const struct block *b)
{
    uint8x16_t any = vdupq_n_u8(0);
    for (int i = 0; i < 4; i++) {
        any = vorrq_u8(any, vceqq_u8(b->part[i], vdupq_n_u8('"')));
        any = vorrq_u8(any, vceqq_u8(b->part[i], vdupq_n_u8('\\')));
        any = vorrq_u8(any, vceqq_u8(b->part[i], vdupq_n_u8('\n')));
    }
    return vmaxvq_u8(any) == 0;
}

static inline uint64_t prefix_xor(uint64_t bits)
{
    for (int shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

#define SCAN_FEED scan_feed_neon
#define SCAN_BLOCKS 1
#include "records/scan_core.inc.h"

#else
typedef int scan_neon_is_for_arm64;
#endif
