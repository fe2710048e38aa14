/*
 * scan_scalar.c: the scanner's loops for any machine, byte by byte.  They are also what the others
 * are compared with: BEDROCK_METRICS_SIMD=scalar must give the same answer on any input
 * (tests/oracle/differential.py).
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool bytes_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    return memcmp(p, q, n) == 0;
}

static inline const uint8_t *find_special(const uint8_t *p, const uint8_t *end)
{
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
    while (p < end && *p != '"' && *p != '\\' && *p != '\n')
        p++;
    return p;
}

#define SCAN_FEED scan_feed_scalar
#define SCAN_BLOCKS 0
#include "records/scan_core.inc.h"
