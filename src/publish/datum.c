/*
 * datum.c: a row's sums as data of PutMetricData.  A sum that no double holds exactly is split into
 * several statistic sets, so that what CloudWatch adds up is the exact number.
 */
#include "publish/datum.h"

#include <stdio.h>

#include "aws/sigv4.h"
#include "base/json_out.h"
#include "base/utf8.h"

/* ---- names and values ---- */

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_namespace_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr(".-_/#: ", c) != NULL);
}

enum status datum_check_namespace(struct view name, struct error *err)
{
    bool visible = false;
    bool ok = name.len >= 1 && name.len <= DATUM_MAX_NAME_CHARS && name.ptr[0] != ':';
    for (size_t i = 0; i < name.len && ok; i++) {
        ok = is_namespace_char(name.ptr[i]);
        visible = visible || name.ptr[i] != ' ';
    }
    if (!ok || !visible)
        return error_set(err, ST_USAGE, E_U213,
                         "namespace \"%.*s\" is not 1 to 255 of letters, digits and . - _ / # : "
                         "blank, with no colon first",
                         SHOW_MAX(name, 80));
    if (view_starts(name, VIEW_LIT("AWS/")))
        return error_set(err, ST_USAGE, E_U213, "namespace \"%.*s\": names below AWS/ are not ours",
                         SHOW_MAX(name, 80));
    return ST_OK;
}

enum status datum_check_dimension(struct view name, struct error *err)
{
    bool visible = false;
    bool ok = name.len >= 1 && name.len <= DATUM_MAX_NAME_CHARS && name.ptr[0] != ':';
    for (size_t i = 0; i < name.len && ok; i++) {
        ok = is_printable(name.ptr[i]);
        visible = visible || name.ptr[i] != ' ';
    }
    if (!ok || !visible)
        return error_set(err, ST_USAGE, E_U212,
                         "dimension \"%.*s\" cannot be published: CloudWatch takes names of 1 to "
                         "255 printable ASCII characters",
                         SHOW_MAX(name, 80));
    return ST_OK;
}

enum {
    HASH_CHARS = 16,
    CUT_CHARS = DATUM_MAX_VALUE_CHARS - 1 - HASH_CHARS, /* at most, in front of `~` and the hash */
    MAX_SPELLED = 12,                                   /* \uD83D\uDE00 */
};

/* Writes the first character of *rest, and a NUL; how many characters it took. */
static size_t spell(struct view *rest, char out[MAX_SPELLED + 1])
{
    uint32_t code;
    size_t used = utf8_decode(*rest, &code);
    int n = 1;
    if (code == UTF8_INVALID) {
        n = snprintf(out, MAX_SPELLED + 1, "\\x%02X", (unsigned char)rest->ptr[0]);
        used = 1;
    } else if (code == '\\') {
        n = snprintf(out, MAX_SPELLED + 1, "\\\\");
    } else if (code >= ' ' && code <= '~') {
        out[0] = (char)code;
    } else if (code <= 0xffff) {
        n = snprintf(out, MAX_SPELLED + 1, "\\u%04X", (unsigned)code);
    } else {
        n = snprintf(out, MAX_SPELLED + 1, "\\u%04X\\u%04X",
                     (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
                     (unsigned)(0xdc00 + (code & 0x3ff)));
    }
    *rest = view_skip(*rest, used);
    return (size_t)n;
}

/* Whether a value could be taken for one that was shortened: then it is shortened, too. */
static bool looks_shortened(struct view text)
{
    uint8_t hash[HASH_CHARS / 2];
    if (text.len <= DATUM_MAX_VALUE_CHARS - MAX_SPELLED)
        return false;
    struct view end = view_skip(text, text.len - 1 - HASH_CHARS);
    return end.ptr[0] == '~' && hex_parse(view_skip(end, 1), hash, sizeof(hash));
}

void datum_add_dimension_value(struct buf *out, struct view value)
{
    char text[DATUM_MAX_VALUE_CHARS + MAX_SPELLED + 1], hash[65] = {0};
    struct view rest = value;
    size_t n = 0, cut = 0, blanks = 0;
    while (blanks < value.len && value.ptr[blanks] == ' ')
        blanks++;
    if (blanks == value.len) { /* which CloudWatch refuses */
        n = (size_t)snprintf(text, sizeof(text), value.len == 0 ? "\\empty" : "\\u0020");
        rest = view_skip(value, 1);
    }
    while (rest.len > 0 && n <= DATUM_MAX_VALUE_CHARS) {
        cut = n <= CUT_CHARS ? n : cut;
        n += spell(&rest, text + n);
    }
    if (n > DATUM_MAX_VALUE_CHARS || looks_shortened(view_make(text, n))) {
        if (sigv4_sha256_hex(value, hash) != ST_OK)
            out->failed = ST_NO_MEMORY;
        text[cut] = '~';
        memcpy(text + cut + 1, hash, HASH_CHARS);
        n = cut + 1 + HASH_CHARS;
    }
    json_quote(out, view_make(text, n));
}

/* ---- statistics ---- */

static uint64_t at_most_64(u128 value)
{
    return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

/* Smallest and largest that the total of a record can have, and at least how many records. */
static struct statistic bounds_of_total(const struct aggregate_row *row)
{
    struct statistic total = {0, UINT64_MAX, 0};
    u128 largest = 0;
    for (unsigned m = METRIC_INPUT; m <= METRIC_CACHE_WRITE; m++) {
        const struct statistic *part = &row->statistic[m];
        if (part->count == 0)
            continue;
        total.count = part->count > total.count ? part->count : total.count;
        total.minimum = part->minimum < total.minimum ? part->minimum : total.minimum;
        largest += part->maximum;
    }
    total.maximum = at_most_64(largest);
    return total;
}

struct statistic datum_statistic(const struct aggregate_row *row, enum metric metric)
{
    u128 sum = row->sum[metric];
    struct statistic s = row->statistic[metric];
    if (metric == METRIC_TOTAL && s.count == 0)
        s = bounds_of_total(row);
    if (s.count == 0)
        s = (struct statistic){1, at_most_64(sum), at_most_64(sum)};
    u128 mean = sum / s.count;
    bool whole = mean * s.count == sum;
    if (s.minimum > mean)
        s.minimum = at_most_64(mean);
    if (s.maximum < mean + (whole ? 0 : 1))
        s.maximum = at_most_64(mean + (whole ? 0 : 1));
    return s;
}

/*
 * Pieces take as many records each as stay exact with the mean rounded up; the first `c` records
 * together hold mean * c + remainder * c / count.  So each piece's own mean lies between the same
 * two whole numbers as that of all, which are between minimum and maximum.
 */
static void begin_pieces(struct datum_pieces *p, const struct aggregate_row *row,
                         enum metric metric)
{
    p->begun = true;
    p->statistic = datum_statistic(row, metric);
    p->count = p->count_left = p->statistic.count;
    p->sum_left = row->sum[metric];
    p->mean = p->sum_left / p->count;
    p->remainder = (uint64_t)(p->sum_left % p->count);
}

static u128 sum_of_first(const struct datum_pieces *p, uint64_t records)
{
    return p->mean * records + (u128)p->remainder * records / p->count;
}

bool datum_next_piece(struct datum_pieces *p, const struct aggregate_row *row, enum metric metric,
                      struct datum_piece *piece)
{
    if (!p->begun)
        begin_pieces(p, row, metric);
    if (p->sum_left == 0)
        return false;
    *piece = (struct datum_piece){p->count_left, p->sum_left, p->statistic.minimum,
                                  p->statistic.maximum};
    u128 top = p->mean + (p->remainder > 0 ? 1 : 0);
    if (metric == METRIC_COST) {
        /* A decimal fraction, which no double holds exactly anyway. */
        p->sum_left = 0;
        return true;
    }
    if (top > DATUM_MAX_EXACT) {
        /* Not even one record's value is exact: cut it, and let the count grow instead. */
        uint64_t part =
            p->sum_left < DATUM_MAX_EXACT ? (uint64_t)p->sum_left : (uint64_t)DATUM_MAX_EXACT;
        *piece = (struct datum_piece){1, part, part, part};
        p->sum_left -= part;
        return true;
    }
    if (p->sum_left <= DATUM_MAX_EXACT) {
        p->sum_left = 0;
        return true;
    }
    uint64_t records = (uint64_t)(DATUM_MAX_EXACT / top);
    if (records > p->count_left)
        records = p->count_left;
    piece->count = records;
    piece->sum = sum_of_first(p, p->counted + records) - sum_of_first(p, p->counted);
    p->counted += records;
    p->count_left -= records;
    p->sum_left -= piece->sum;
    return true;
}

uint64_t datum_count(const struct aggregate_row *row, enum metric metric)
{
    struct datum_pieces pieces = {0};
    struct datum_piece piece;
    uint64_t n = 0;
    while (datum_next_piece(&pieces, row, metric, &piece))
        n++;
    return n;
}

/* ---- JSON ---- */

void datum_add(struct buf *out, const struct datum_form *form, const struct aggregate_row *row,
               enum metric metric, const struct datum_piece *piece)
{
    struct json_out j = {.out = out};
    json_open_object(&j, NULL);
    json_add_cstr(&j, "MetricName", metric_name(metric));
    json_open_array(&j, "Dimensions");
    for (size_t i = 0; i < form->set->count; i++) {
        json_open_object(&j, NULL);
        json_add_string(&j, "Name", form->set->dimension[i].name);
        datum_add_dimension_value(json_add_value(&j, "Value"), row->value[i]);
        json_close(&j);
    }
    json_close(&j);
    json_add_i64(&j, "Timestamp", row->time);
    json_open_object(&j, "StatisticValues");
    json_add_u64(&j, "SampleCount", piece->count);
    metric_add_value(json_add_value(&j, "Sum"), metric, piece->sum);
    metric_add_value(json_add_value(&j, "Minimum"), metric, piece->minimum);
    metric_add_value(json_add_value(&j, "Maximum"), metric, piece->maximum);
    json_close(&j);
    json_add_cstr(&j, "Unit", metric_unit(metric));
    json_add_u64(&j, "StorageResolution", form->storage_resolution);
    json_close(&j);
}
