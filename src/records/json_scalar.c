/*
 * json_scalar.c: two small machines that can stop after any byte, because a chunk of the input ends
 * anywhere: in an escape, in a UTF-8 character, in a number.
 */
#include "records/json_scalar.h"

#include "base/utf8.h"

/* ---- strings ---- */

void json_string_begin(struct json_string *js, char *out, size_t max)
{
    *js = (struct json_string){.out = out, .max = max};
}

/* Append, or stop appending for good: a value is cut at the first character that does not fit. */
static void add(struct json_string *js, const char *bytes, size_t n)
{
    if (js->full || js->len + n > js->max) {
        js->full = true;
        return;
    }
    memcpy(js->out + js->len, bytes, n);
    js->len += n;
}

static void add_replacement(struct json_string *js)
{
    add(js, UTF8_REPLACEMENT, 3);
}

static void add_code(struct json_string *js, uint32_t code)
{
    char bytes[4];
    add(js, bytes, utf8_from_code(code, bytes));
}

/* An unfinished character can get no more bytes: one U+FFFD for it. */
static void end_pending(struct json_string *js)
{
    if (js->pending_len > 0) {
        js->pending_len = 0;
        add_replacement(js);
    }
}

/* A high surrogate without its second half: U+FFFD. */
static void end_surrogate(struct json_string *js)
{
    if (js->high_surrogate != 0) {
        js->high_surrogate = 0;
        add_replacement(js);
    }
}

/*
 * One byte that is not ASCII.  At most four are pending, and they always are the beginning of a
 * character.
 */
static void add_utf8_byte(struct json_string *js, uint8_t c)
{
    js->pending[js->pending_len++] = (char)c;
    uint32_t code;
    size_t n = utf8_decode(view_make(js->pending, js->pending_len), &code);
    if (code != UTF8_INVALID) {
        js->pending_len = 0;
        add(js, js->pending, n);
        return;
    }
    if (n < js->pending_len) {
        /* c does not continue what was pending: a subpart ends before it, c begins anew. */
        add_replacement(js);
        js->pending[0] = (char)c;
        js->pending_len = 1;
    }
    if (js->pending_len == 1 && (c < 0xc2 || c > 0xf4)) /* begins no longer character either */
        end_pending(js);
}

/* \uXXXX: a character, or half of one above U+FFFF. */
static void add_unicode_escape(struct json_string *js, uint32_t unit)
{
    if (js->high_surrogate != 0 && unit >= 0xdc00 && unit <= 0xdfff) {
        uint32_t code = 0x10000 + ((js->high_surrogate - 0xd800) << 10) + (unit - 0xdc00);
        js->high_surrogate = 0;
        add_code(js, code);
        return;
    }
    end_surrogate(js);
    if (unit >= 0xd800 && unit <= 0xdbff)
        js->high_surrogate = unit;
    else if (unit >= 0xdc00 && unit <= 0xdfff)
        add_replacement(js);
    else
        add_code(js, unit);
}

/* The byte after a backslash; false when no escape begins so. */
static bool escape_letter(struct json_string *js, uint8_t c)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        js->escape = 5;
        js->hex = 0;
        return true;
    }
    const char *at = c == 0 ? NULL : strchr(letters, c);
    if (at == NULL)
        return false;
    js->escape = 0;
    end_surrogate(js);
    add(js, &meaning[at - letters], 1);
    return true;
}

/* A byte inside an escape; false: it cannot be there. */
static bool escape_byte(struct json_string *js, uint8_t c)
{
    if (js->escape == 1)
        return escape_letter(js, c);
    int digit = hex_digit((char)c);
    if (digit < 0)
        return false;
    js->hex = js->hex << 4 | (uint32_t)digit;
    if (--js->escape == 1) {
        js->escape = 0;
        add_unicode_escape(js, js->hex);
    }
    return true;
}

enum status json_string_next(struct json_string *js, const uint8_t **p, const uint8_t *end)
{
    for (; *p < end; ++*p) {
        uint8_t c = **p;
        if (js->escape != 0) {
            if (!escape_byte(js, c))
                return ST_BAD_ITEM;
            continue;
        }
        if (c == '\\') {
            end_pending(js);
            js->escape = 1;
            continue;
        }
        if (c < 0x20)
            return ST_BAD_ITEM;
        end_surrogate(js);
        if (c >= 0x80) {
            add_utf8_byte(js, c);
            continue;
        }
        end_pending(js);
        if (c == '"') {
            ++*p;
            return ST_END;
        }
        char ascii = (char)c;
        add(js, &ascii, 1);
    }
    return ST_OK;
}

/* ---- numbers ---- */

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

/*
 * Zeros are only counted until another digit follows: 1e3, 1000 and 1000.0 have the same mantissa.
 */
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

/* The state after byte c; -1 when the number ends before it. */
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
