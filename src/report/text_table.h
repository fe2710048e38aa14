/*
 * text_table.h: rows of text in aligned columns, for people.
 *
 * No cell is kept: the caller goes through its rows once to measure (out = NULL) and once to write.
 * A column that was made narrower in between shows the beginning and the end of what is too wide,
 * with an ellipsis.  A character takes one column; what a terminal would act on is shown as `?`.
 */
#ifndef REPORT_TEXT_TABLE_H
#define REPORT_TEXT_TABLE_H

#include "base/buf.h"

enum { TEXT_TABLE_GAP = 2, TEXT_TABLE_MAX_CELL = 4096 };

struct text_column {
    struct view title;
    size_t width; /* in characters; grows while measuring */
    bool right;   /* aligned right, as numbers are */
    bool hidden;  /* its cells are dropped */
};

/* A zeroed one with `column` and `count` set is ready. */
struct text_table {
    struct text_column *column;
    size_t count;
    size_t indent;   /* blanks before every line */
    bool colour;     /* titles bold, rules dim */
    struct buf *out; /* NULL: measure */
    size_t at;       /* the column of the next cell */
    struct buf cell; /* being composed */
    bool composing;
};

/* Release the memory of text_table_cell. */
void text_table_clear(struct text_table *table);

/* The next cell of the row. */
void text_table_add(struct text_table *table, struct view text);

/*
 * Compose the next cell of the row in the returned buffer, until the next call.  A longer one than
 * TEXT_TABLE_MAX_CELL, or no memory for it, fails `out`.
 */
struct buf *text_table_cell(struct text_table *table);

/* End the row; columns that got no cell are empty in it. */
void text_table_end_row(struct text_table *table);

/* The row of titles; a line from the left edge to the right one; an escape sequence, in colour. */
void text_table_head(struct text_table *table);
void text_table_rule(struct text_table *table);
void text_table_style(struct text_table *table, const char *style);

/* In characters, with the gaps between columns. */
size_t text_table_width(const struct text_table *table);

#endif
