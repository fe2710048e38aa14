/* sim_util.c: random numbers, growing text, civil time.  Integer arithmetic only. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
    va_list ap;

    fputs("bedrock-logs-sim: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        die("out of memory (%zu bytes)", size);
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        die("out of memory (%zu bytes)", size);
    return p;
}

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(xmalloc(size), text, size);
}

/* ---- random numbers: Blackman and Vigna's xoshiro256** and splitmix64 (public domain) ---- */

static uint64_t rotate(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

uint32_t rng_range(struct rng *r, uint32_t low, uint32_t high)
{
    return low + rng_below(r, high - low + 1);
}

bool rng_chance(struct rng *r, uint32_t per_10000)
{
    return rng_below(r, 10000) < per_10000;
}

/*
 * The number of leading zero bits of a random word is geometric with 1/2; with a linear part
 * between two steps that is an exponential distribution in pieces.  683/1024 makes the mean of the
 * pieces come out at `mean`.
 */
uint64_t rng_skewed(struct rng *r, uint32_t mean)
{
    uint64_t u = rng_next(r);
    uint64_t zeros = 0;

    while (zeros < 27 && !(u >> 63)) {
        u <<= 1;
        zeros++;
    }
    u = (u << 1) >> 54; /* ten bits behind the leading one */
    return ((zeros * 1024 + (1023 - u)) * mean / 1024) * 683 / 1024;
}

/* ---- text ---- */

void buf_room(struct buf *b, size_t more)
{
    if (b->cap - b->len >= more)
        return;
    b->cap = b->cap + b->cap / 2 + more + 256;
    b->p = xrealloc(b->p, b->cap);
}

void buf_add(struct buf *b, const void *text, size_t len)
{
    buf_room(b, len);
    if (len)
        memcpy(b->p + b->len, text, len);
    b->len += len;
}

void buf_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t i = sizeof(digits);

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_add(b, digits + i, sizeof(digits) - i);
}

void buf_hex(struct buf *b, struct rng *r, unsigned digits)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < digits; i++) {
        if (i % 16 == 0)
            bits = rng_next(r);
        buf_char(b, "0123456789abcdef"[bits & 15]);
        bits >>= 4;
    }
}

void buf_alnum(struct buf *b, struct rng *r, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        buf_char(b, "abcdefghijklmnopqrstuvwxyz0123456789"[rng_below(r, 36)]);
}

void buf_uuid(struct buf *b, struct rng *r)
{
    buf_hex(b, r, 8);
    buf_char(b, '-');
    buf_hex(b, r, 4);
    buf_lit(b, "-4");
    buf_hex(b, r, 3);
    buf_char(b, '-');
    buf_char(b, "89ab"[rng_below(r, 4)]);
    buf_hex(b, r, 3);
    buf_char(b, '-');
    buf_hex(b, r, 12);
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

/* ---- time: days of the proleptic Gregorian calendar, years counted from March ---- */

static int64_t days_from_civil(int year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

int64_t civil_to_seconds(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * 86400 + (int64_t)c->hour * 3600 +
           (int64_t)c->minute * 60 + (int64_t)c->second;
}

struct civil civil_from_seconds(int64_t seconds)
{
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
    int64_t rest = seconds - days * 86400;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;

    return (struct civil){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = (unsigned)month,
        .day = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
        .hour = (unsigned)(rest / 3600),
        .minute = (unsigned)(rest / 60 % 60),
        .second = (unsigned)(rest % 60),
    };
}

static bool digits_parse(const char **text, unsigned count, unsigned low, unsigned high,
                         unsigned *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        n = n * 10 + (unsigned)(**text - '0');
    }
    *out = n;
    return n >= low && n <= high;
}

static bool char_parse(const char **text, const char *any)
{
    if (!**text || !strchr(any, **text))
        return false;
    (*text)++;
    return true;
}

bool time_parse(const char *text, int64_t *seconds)
{
    struct civil c = {0};
    struct civil back;
    unsigned year, hours, minutes;
    const char *t = text;
    int64_t offset = 0;

    if (!digits_parse(&t, 4, 1970, 9998, &year) || !char_parse(&t, "-") ||
        !digits_parse(&t, 2, 1, 12, &c.month) || !char_parse(&t, "-") ||
        !digits_parse(&t, 2, 1, 31, &c.day))
        return false;
    c.year = (int)year;
    if (*t) {
        if (!char_parse(&t, "Tt") || !digits_parse(&t, 2, 0, 23, &c.hour) || !char_parse(&t, ":") ||
            !digits_parse(&t, 2, 0, 59, &c.minute) || !char_parse(&t, ":") ||
            !digits_parse(&t, 2, 0, 59, &c.second))
            return false;
        if (*t == '+' || *t == '-') {
            int64_t sign = *t++ == '+' ? 1 : -1;

            if (!digits_parse(&t, 2, 0, 23, &hours) || !char_parse(&t, ":") ||
                !digits_parse(&t, 2, 0, 59, &minutes))
                return false;
            offset = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
        } else if (!char_parse(&t, "Zz")) {
            return false;
        }
        if (*t)
            return false;
    }
    *seconds = civil_to_seconds(&c);
    back = civil_from_seconds(*seconds);
    *seconds -= offset;
    return back.day == c.day; /* 31 April would have become 1 May */
}

static void add_digits(struct buf *b, unsigned n, unsigned count)
{
    char text[8];

    for (unsigned i = count; i-- > 0; n /= 10)
        text[i] = (char)('0' + n % 10);
    buf_add(b, text, count);
}

void buf_time(struct buf *b, int64_t seconds)
{
    struct civil c = civil_from_seconds(seconds);

    add_digits(b, (unsigned)c.year, 4);
    buf_char(b, '-');
    add_digits(b, c.month, 2);
    buf_char(b, '-');
    add_digits(b, c.day, 2);
    buf_char(b, 'T');
    add_digits(b, c.hour, 2);
    buf_char(b, ':');
    add_digits(b, c.minute, 2);
    buf_char(b, ':');
    add_digits(b, c.second, 2);
}
