/* result.h: the rows or the page that `aggregate` and `report` write: which, in what form, where. */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include "cli/options.h"
#include "cli/out_file.h"
#include "report/page.h"

enum result_form { RESULT_TABLE, RESULT_JSON, RESULT_CSV, RESULT_OPENMETRICS, RESULT_HTML };

enum { RESULT_MAX_TOP = 1000 * 1000 * 1000 };

struct result {
    /* options */
    const char *by, *interval, *out;
    uint64_t top; /* 0: all */
    bool csv_safe;
    /* resolved */
    enum result_form form;
    struct dimension_keys keys;
    struct dimension_set sets[PAGE_SETS + 1]; /* the last is room for one of the caller's */
    size_t set_count;
    int64_t interval_seconds;
    struct out_file file;
};

/* Rows of a command's table: its struct result is called `result`. */
#define BY_OPTION                                                                                  \
    {                                                                                              \
        "by", "DIMENSION,...",                                                                     \
            "sum for each combination of these (default " DIMENSIONS_BY_DEFAULT                    \
            "): " DIMENSION_NAMES,                                                                 \
            OPT_TEXT(result.by)                                                                    \
    }
#define INTERVAL_OPTION                                                                            \
    {                                                                                              \
        "interval", "1m|5m|1h|1d|all", "a row for each span of time (default all)",                \
            OPT_TEXT(result.interval)                                                              \
    }
#define TOP_OPTION                                                                                 \
    {                                                                                              \
        "top", "N", "keep the N largest, sum up the others as Other",                              \
            OPT_NUMBER(result.top, 1, RESULT_MAX_TOP, 0)                                           \
    }
#define CSV_SAFE_OPTION                                                                            \
    {                                                                                              \
        "csv-safe", NULL,                                                                          \
            "with --output csv: an apostrophe before values that a\nspreadsheet would run as a "   \
            "formula",                                                                             \
            OPT_FLAG(result.csv_safe)                                                              \
    }
#define RESULT_OUT_OPTION                                                                          \
    {                                                                                              \
        "out", "FILE", "write the result to FILE, whole or not at all", OPT_TEXT(result.out)       \
    }

/* The sets and the interval to count by, for the form.  ST_USAGE: *err says why. */
NODISCARD enum status result_resolve(struct result *r, enum result_form form, struct error *err);

/* Open the file: before hours of reading.  ST_USAGE: it cannot be written. */
NODISCARD enum status result_open(struct result *r, struct error *err);

/*
 * Write *page as the page that it is, or its aggregate as rows of these metrics, and put the file
 * into place.  *r stays to be closed.
 */
NODISCARD enum status result_write(struct result *r, const struct page *page, metric_set metrics,
                                   struct error *err);

/* Fold all but the N largest of --top into Other, if it was given. */
NODISCARD enum status result_fold(const struct result *r, struct aggregate *aggregate);

/* Forget what was not put into place. */
void result_close(struct result *r);

#endif
