/* result.c: what `aggregate` and `report` do alike with their sums. */
#include "cli/result.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "config/interval.h"
#include "config/variables.h"

enum status result_resolve(struct result *r, enum result_form form, struct error *err)
{
    r->form = form;
    if (r->csv_safe && form != RESULT_CSV)
        return error_set(err, ST_USAGE, E_U108, "--csv-safe requires --output csv");
    /* The page is drawn from sets of its own, by the hour. */
    if (form == RESULT_HTML) {
        if (r->by != NULL || r->interval != NULL || r->top != 0)
            return error_set(err, ST_USAGE, E_U108,
                             "--output html shows all dimensions by the hour: leave out --by, "
                             "--interval and --top");
        page_sets(r->sets);
        r->set_count = PAGE_SETS;
        r->interval_seconds = PAGE_INTERVAL;
        return ST_OK;
    }
    if (r->by == NULL)
        r->by = DIMENSIONS_BY_DEFAULT;
    if (r->interval == NULL)
        r->interval = "all";
    enum status st = dimension_set_parse(view_of(r->by), &r->keys, &r->sets[0], err);
    r->set_count = 1;
    if (st == ST_OK && form == RESULT_OPENMETRICS)
        st = report_check_labels(&r->sets[0], err);
    if (st == ST_OK && interval_parse(view_of(r->interval), &r->interval_seconds) != ST_OK)
        st = error_set(err, ST_USAGE, E_U299,
                       "unknown --interval \"%.80s\"; known are 1m, 5m, 1h, 1d, all", r->interval);
    return st;
}

enum status result_open(struct result *r, struct error *err)
{
    struct error detail = {0};
    if (out_file_open(&r->file, r->out, &detail) == ST_OK)
        return ST_OK;
    return error_set(err, ST_USAGE, detail.code, "--out %s", detail.text);
}

static enum status write_rows(const struct result *r, const struct page *page, metric_set metrics)
{
    static enum status (*const writers[])(const struct report *report, FILE *out) = {
        [RESULT_TABLE] = report_write_table,
        [RESULT_JSON] = report_write_json,
        [RESULT_CSV] = report_write_csv,
        [RESULT_OPENMETRICS] = report_write_openmetrics,
    };
    bool terminal = isatty(fileno(r->file.file)); /* by any name: -, /dev/stdout, /dev/tty */
    struct report report = {
        .aggregate = page->aggregate,
        .interval = r->interval,
        .metrics = metrics,
        .tally = page->tally,
        .prices_as_of = page->prices_as_of,
        .width = out_file_terminal_width(r->out != NULL),
        .terminal = terminal,
        .csv_safe = r->csv_safe,
        .colour = terminal && r->out == NULL && !variable_given(VAR_NO_COLOR),
    };
    return writers[r->form](&report, r->file.file);
}

enum status result_write(struct result *r, const struct page *page, metric_set metrics,
                         struct error *err)
{
    errno = 0;
    enum status st =
        r->form == RESULT_HTML ? page_write_html(page, r->file.file) : write_rows(r, page, metrics);
    if (st == ST_OK)
        return out_file_close(&r->file, err);
    if (st != ST_IO)
        return error_set(err, st, E_R113, "out of memory");
    return error_set(err, st, r->out != NULL ? code_of_errno(errno, E_F109) : E_R110, "%s: %s",
                     r->out != NULL ? r->out : "standard output", strerrordesc_np(errno));
}

enum status result_fold(const struct result *r, struct aggregate *aggregate)
{
    uint64_t folded = 0;
    enum status st = r->top == 0 ? ST_OK : aggregate_fold(aggregate, 0, (size_t)r->top, &folded);
    if (st == ST_OK && folded > 0)
        LOG_EVENT(LOG_INFO, "series folded into Other", log_u64("series", folded));
    return st;
}

void result_close(struct result *r)
{
    out_file_abandon(&r->file);
}
