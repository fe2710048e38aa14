/* prices_text.c: price lists and their age as text, CSV or JSON, for `bedrock-metrics prices`. */
#include "report/prices_text.h"

#include <stdio.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "report/report.h"
#include "report/text_table.h"

enum { SECONDS_A_DAY = 86400, DATE_BYTES = 11 };

void prices_format_day(int64_t day, char out[RFC3339_BYTES])
{
    out[0] = '\0';
    if (day == PRICE_NO_DAY)
        return;
    rfc3339_format(day * SECONDS_A_DAY, out);
    out[DATE_BYTES - 1] = '\0';
}

void prices_json_day(struct json_out *j, const char *name, int64_t day)
{
    char date[RFC3339_BYTES];

    prices_format_day(day, date);
    if (date[0] != '\0')
        json_add_cstr(j, name, date);
}

void prices_json_dates(struct json_out *j, const struct prices *prices)
{
    const struct prices_info info = prices_info(prices);

    prices_json_day(j, "as_of", info.as_of_day);
    prices_json_day(j, "regions_as_of", info.regions_as_of_day);
    prices_json_day(j, "own_as_of", info.own_as_of_day);
}

void prices_add_price(struct buf *out, uint64_t price)
{
    if (price != PRICE_NONE)
        buf_add_decimal(out, price, 6);
}

void prices_add_dates(struct buf *out, const struct prices *prices)
{
    const struct prices_info info = prices_info(prices);
    char date[RFC3339_BYTES];

    prices_format_day(info.as_of_day, date);
    buf_printf(out, "list prices as of %s", date[0] == '\0' ? "an unknown date" : date);
    prices_format_day(info.regions_as_of_day, date);
    if (date[0] != '\0')
        buf_printf(out, ", regional prices as of %s", date);
    if (info.own_rows > 0) {
        prices_format_day(info.own_as_of_day, date);
        buf_printf(out, ", %zu own rows%s%s", info.own_rows, date[0] == '\0' ? "" : " as of ",
                   date);
    }
}

void prices_csv_field(struct buf *out, struct view field, bool last)
{
    report_add_csv(out, field, view_find_char(field, ',') != SIZE_MAX, false);
    buf_add_char(out, last ? '\n' : ',');
}

/* ---- rows ---- */

enum { COLUMNS = 10, TEXT_COLUMNS = 3, COLUMN_SOURCE = COLUMNS - 1 };

static const char *const column_names[COLUMNS] = {
    "model",  "scope",      "from",           "over",           "input",
    "output", "cache_read", "cache_write_5m", "cache_write_1h", "src"};

static void add_cell(struct buf *out, const struct price_row *row, size_t column)
{
    char date[RFC3339_BYTES];

    switch (column) {
    case 0: buf_add_view(out, row->model); break;
    case 1: buf_add_view(out, row->scope); break;
    case 2:
        prices_format_day(row->from_day, date);
        buf_add_cstr(out, date);
        break;
    case 3:
        if (row->over > 0)
            buf_add_u64(out, row->over);
        break;
    case 4: prices_add_price(out, row->input); break;
    case 5: prices_add_price(out, row->output); break;
    case 6: prices_add_price(out, row->cache_read); break;
    case 7: prices_add_price(out, row->cache_write_5m); break;
    case 8: prices_add_price(out, row->cache_write_1h); break;
    default: buf_add_view(out, row->own ? VIEW_LIT("own") : row->source);
    }
}

void prices_json_row(struct json_out *j, const char *name, const struct price_row *row)
{
    struct buf cell;

    buf_init(&cell, PRICES_MAX_TEXT);
    json_open_object(j, name);
    for (size_t k = 0; k < COLUMN_SOURCE; k++) {
        buf_reset(&cell);
        add_cell(&cell, row, k);
        if (k < TEXT_COLUMNS && cell.len > 0)
            json_add_string(j, column_names[k], buf_view(&cell));
        else if (cell.len > 0)
            buf_add_view(json_add_value(j, column_names[k]), buf_view(&cell));
    }
    if (row->source.len > 0)
        json_add_string(j, "src", row->source);
    json_add_cstr(j, "list", row->own ? "own" : "built-in");
    json_close(j);
    buf_clear(&cell);
}

/* The titles where `row` is NULL. */
static void csv_row(struct buf *out, const struct price_row *row)
{
    struct buf cell;

    buf_init(&cell, PRICES_MAX_TEXT);
    for (size_t k = 0; k < COLUMNS; k++) {
        buf_reset(&cell);
        if (row == NULL)
            buf_add_cstr(&cell, column_names[k]);
        else
            add_cell(&cell, row, k);
        prices_csv_field(out, buf_view(&cell), k + 1 == COLUMNS);
    }
    buf_clear(&cell);
}

static bool is_listed(const struct price_row *row, const struct prices_filter *filter)
{
    return (filter->model.len == 0 || view_find(row->model, filter->model) != SIZE_MAX) &&
           (filter->scope.len == 0 || view_eq(row->scope, filter->scope));
}

/* Returns how many rows are listed. */
static size_t table_rows(struct text_table *t, const struct prices *prices,
                         const struct prices_filter *filter)
{
    size_t listed = 0;

    text_table_head(t);
    for (size_t i = 0; i < prices_info(prices).rows; i++) {
        const struct price_row *row = prices_row(prices, i);
        if (!is_listed(row, filter))
            continue;
        listed++;
        for (size_t k = 0; k < COLUMNS; k++)
            add_cell(text_table_cell(t), row, k);
        text_table_end_row(t);
    }
    return listed;
}

static void add_table(struct buf *out, const struct prices *prices,
                      const struct prices_filter *filter)
{
    struct text_column columns[COLUMNS] = {0};
    struct text_table t = {.column = columns, .count = COLUMNS};

    for (size_t k = 0; k < COLUMNS; k++) {
        columns[k].title = view_of(column_names[k]);
        columns[k].right = k >= TEXT_COLUMNS && k != COLUMN_SOURCE;
    }
    (void)table_rows(&t, prices, filter);
    t.out = out;
    size_t listed = table_rows(&t, prices, filter);
    text_table_clear(&t);
    buf_printf(out, "\n%zu of %zu rows; US dollars per 1,000,000 tokens; ", listed,
               prices_info(prices).rows);
    prices_add_dates(out, prices);
    buf_add_char(out, '\n');
}

void prices_add_list(struct buf *out, enum prices_format format, const struct prices *prices,
                     const struct prices_filter *filter)
{
    size_t n_rows = prices_info(prices).rows;
    struct json_out j = {.out = out};

    if (format == PRICES_TABLE) {
        add_table(out, prices, filter);
        return;
    }
    if (format == PRICES_JSON) {
        json_begin(&j, "bedrock-metrics/prices/1");
        json_add_cstr(&j, "currency", "USD");
        json_add_cstr(&j, "unit", "per_1M_tokens");
        prices_json_dates(&j, prices);
        json_open_array(&j, "rows");
        j.gap = "\n";
    } else {
        csv_row(out, NULL);
    }
    for (size_t i = 0; i < n_rows; i++) {
        const struct price_row *row = prices_row(prices, i);
        if (!is_listed(row, filter))
            continue;
        if (format == PRICES_JSON)
            prices_json_row(&j, NULL, row);
        else
            csv_row(out, row);
        j.gap = "\n";
    }
    if (format != PRICES_JSON)
        return;
    json_end(&j);
}

/* ---- age ---- */

void prices_add_age(struct buf *out, enum prices_format format, const struct prices *prices,
                    int64_t today)
{
    const struct prices_info info = prices_info(prices);
    const struct {
        const char *name, *age_name;
        const char *text;
        int64_t day;
    } dates[] = {
        {"as_of", "as_of_age_days", "list prices", info.as_of_day},
        {"regions_as_of", "regions_as_of_age_days", "regional prices", info.regions_as_of_day},
        {"own_as_of", "own_as_of_age_days", "own price file", info.own_as_of_day},
    };

    struct json_out j = {.out = out};

    if (format == PRICES_JSON) {
        json_begin(&j, "bedrock-metrics/prices-age/1");
        JSON_ADD_NUMBERS(&j, {"rows", info.rows}, {"own_rows", info.own_rows},
                         {"models", info.models});
    } else if (format == PRICES_CSV) {
        buf_add_cstr(out, "list,as_of,age_days\n");
    } else {
        buf_printf(out, "%zu rows for %zu models, %zu of them own\n", info.rows, info.models,
                   info.own_rows);
    }
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        char date[RFC3339_BYTES];
        long long age = (long long)(today - dates[i].day);
        if (dates[i].day == PRICE_NO_DAY)
            continue;
        prices_format_day(dates[i].day, date);
        if (format == PRICES_JSON) {
            json_add_cstr(&j, dates[i].name, date);
            json_add_i64(&j, dates[i].age_name, age);
        } else if (format == PRICES_CSV) {
            buf_printf(out, "%s,%s,%lld\n", dates[i].name, date, age);
        } else {
            buf_printf(out, "%-16s%s  %lld days old\n", dates[i].text, date, age);
        }
    }
    if (format == PRICES_JSON)
        json_end(&j);
}
