#include "records/json_number.h"

/*  -  12  .  50  e  +  3
 *  ^BEGIN  ^POINT    ^EXPONENT
 *     ^INTEGER ^FRACTION ^EXPONENT_DIGITS */
enum {
    BEGIN,
    MINUS,
    ZERO,
    INTEGER,
    POINT,
    FRACTION,
    EXPONENT,
    EXPONENT_SIGN,
    EXPONENT_DIGITS,
};

enum { MAX_DIGITS = 18 };
static const uint64_t max_exponent = UINT64_C(1) << 60;

void json_number_begin(struct json_number *number)
{
    *number = (struct json_number){.state = BEGIN};
}

static void add_digit(struct json_number *n, uint64_t digit)
{
    if (digit == 0) {
        n->zeros += n->digits > 0;
        return;
    }
    n->digits += n->zeros + 1;
    if (n->digits > MAX_DIGITS) {
        n->too_long = true;
    } else {
        for (; n->zeros > 0; n->zeros--)
            n->mantissa *= 10;
        n->mantissa = n->mantissa * 10 + digit;
    }
    n->zeros = 0;
}

/* The state behind byte c; -1 when the number ends before it. */
static int step(struct json_number *n, uint8_t c)
{
    bool digit = c >= '0' && c <= '9';
    bool exponent = c == 'e' || c == 'E';
    switch (n->state) {
    case BEGIN:
        if (c == '-') {
            n->negative = true;
            return MINUS;
        }
        return c == '0' ? ZERO : digit ? INTEGER : -1;
    case MINUS: return c == '0' ? ZERO : digit ? INTEGER : -1;
    case ZERO: return c == '.' ? POINT : exponent ? EXPONENT : -1;
    case INTEGER: return digit ? INTEGER : c == '.' ? POINT : exponent ? EXPONENT : -1;
    case POINT: return digit ? FRACTION : -1;
    case FRACTION: return digit ? FRACTION : exponent ? EXPONENT : -1;
    case EXPONENT:
        if (c == '+' || c == '-') {
            n->exponent_negative = c == '-';
            return EXPONENT_SIGN;
        }
        return digit ? EXPONENT_DIGITS : -1;
    default: return digit ? EXPONENT_DIGITS : -1;
    }
}

bool json_number_complete(const struct json_number *number)
{
    return number->state == ZERO || number->state == INTEGER || number->state == FRACTION ||
           number->state == EXPONENT_DIGITS;
}

enum status json_number_next(struct json_number *number, const uint8_t **p, const uint8_t *end)
{
    for (; *p < end; ++*p) {
        uint8_t c = **p;
        int state = step(number, c);
        if (state < 0)
            return json_number_complete(number) ? ST_END : ST_BAD_ITEM;
        number->state = (uint8_t)state;
        if (state == ZERO || state == INTEGER)
            add_digit(number, (uint64_t)(c - '0'));
        if (state == FRACTION) {
            add_digit(number, (uint64_t)(c - '0'));
            number->fraction++;
        }
        if (state == EXPONENT_DIGITS && number->exponent < max_exponent)
            number->exponent = number->exponent * 10 + (uint64_t)(c - '0');
    }
    return ST_OK;
}

enum status json_number_count(const struct json_number *number, uint64_t *count)
{
    if (number->too_long)
        return ST_BAD_ITEM;
    if (number->mantissa == 0) {
        *count = 0;
        return ST_OK;
    }
    if (number->negative)
        return ST_BAD_ITEM;
    int64_t exponent = (int64_t)number->exponent;
    if (number->exponent_negative)
        exponent = -exponent;
    exponent += (int64_t)number->zeros - (int64_t)number->fraction;
    /* The mantissa does not end in 0, so a negative power of ten leaves a fraction. */
    if (exponent < 0 || exponent > MAX_DIGITS)
        return ST_BAD_ITEM;
    uint64_t value = number->mantissa;
    for (; exponent > 0; exponent--) {
        if (value > JSON_COUNT_MAX / 10)
            return ST_BAD_ITEM;
        value *= 10;
    }
    if (value > JSON_COUNT_MAX)
        return ST_BAD_ITEM;
    *count = value;
    return ST_OK;
}
