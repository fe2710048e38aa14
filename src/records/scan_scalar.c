/*
 * scan_scalar.c: the scanner's loops for any machine, byte by byte.  They are also what the others
 * are compared with: BEDROCK_METRICS_SIMD=scalar must give the same answer on any input
 * (tests/oracle/differential.py).
 */
#include "records/scan_private.h"

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    return memcmp(p, q, n) == 0;
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
    return special_byte(p, end);
}

static inline const uint8_t *find_special_near(const uint8_t *p, const uint8_t *end)
{
    return special_byte(p, end);
}

static inline const uint8_t *find_string_end(const uint8_t *p, const uint8_t *end)
{
    return string_end_byte(p, end);
}

#define SCAN_FEED scan_feed_scalar
#define SCAN_BLOCKS 0
#include "records/scan_core.inc.h"
