/*
 * text_table.c: one writer for all tables that people read, so that widths, cuts and hostile values
 * are treated in one place.
 */
#include "report/text_table.h"

#include "base/utf8.h"

static size_t count_characters(struct view text)
{
    size_t n = 0;
    uint32_t code;
    for (; text.len > 0; n++)
        text = view_skip(text, utf8_decode(text, &code));
    return n;
}

/* The text in at most `width` characters: its beginning and end with an ellipsis between them. */
static void add_cut(struct buf *out, struct view text, size_t characters, size_t width)
{
    size_t tail = (width - 1) * 2 / 3;
    size_t head = width - 1 - tail;
    bool cut = characters > width;
    for (size_t at = 0; text.len > 0; at++) {
        uint32_t code;
        size_t n = utf8_decode(text, &code);
        if (cut && at == head)
            buf_add_cstr(out, "\xe2\x80\xa6");
        if (!cut || at < head || at >= characters - tail)
            buf_add_view(out, utf8_is_harmful(code) ? VIEW_LIT("?") : view_first(text, n));
        text = view_skip(text, n);
    }
}

static bool is_last(const struct text_table *t, size_t column)
{
    while (++column < t->count) {
        if (!t->column[column].hidden)
            return false;
    }
    return true;
}

static void put(struct text_table *t, struct view text)
{
    if (t->out != NULL && t->at == 0)
        buf_add_spaces(t->out, t->indent);
    size_t at = t->at++;
    if (at >= t->count || t->column[at].hidden)
        return;
    struct text_column *column = &t->column[at];
    size_t characters = count_characters(text);
    if (t->out == NULL) {
        column->width = characters > column->width ? characters : column->width;
        return;
    }
    size_t blanks = characters < column->width ? column->width - characters : 0;
    if (column->right)
        buf_add_spaces(t->out, blanks);
    add_cut(t->out, text, characters, column->width);
    if (!is_last(t, at))
        buf_add_spaces(t->out, TEXT_TABLE_GAP + (column->right ? 0 : blanks));
}

static void end_cell(struct text_table *t)
{
    if (t->composing)
        put(t, buf_view(&t->cell));
    t->composing = false;
}

void text_table_add(struct text_table *t, struct view text)
{
    end_cell(t);
    put(t, text);
}

struct buf *text_table_cell(struct text_table *t)
{
    end_cell(t);
    t->composing = true;
    t->cell.max = TEXT_TABLE_MAX_CELL;
    t->cell.len = 0; /* a failure stays, until text_table_end_row passes it on */
    return &t->cell;
}

void text_table_end_row(struct text_table *t)
{
    end_cell(t);
    t->at = 0;
    if (t->out == NULL)
        return;
    buf_add_char(t->out, '\n');
    if (buf_status(&t->cell) != ST_OK)
        t->out->failed = buf_status(&t->cell);
}

size_t text_table_width(const struct text_table *t)
{
    size_t width = 0;
    for (size_t i = 0; i < t->count; i++)
        width +=
            t->column[i].hidden ? 0 : t->column[i].width + (is_last(t, i) ? 0 : TEXT_TABLE_GAP);
    return width;
}

void text_table_style(struct text_table *t, const char *style)
{
    if (t->colour && t->out != NULL)
        buf_add_cstr(t->out, style);
}

void text_table_rule(struct text_table *t)
{
    if (t->out == NULL)
        return;
    text_table_style(t, "\033[2m");
    for (size_t i = text_table_width(t); i > 0; i--)
        buf_add_cstr(t->out, "\xe2\x94\x80");
    buf_add_char(t->out, '\n');
    text_table_style(t, "\033[0m");
}

void text_table_head(struct text_table *t)
{
    text_table_style(t, "\033[1m");
    for (size_t i = 0; i < t->count; i++)
        text_table_add(t, t->column[i].title);
    text_table_end_row(t);
    text_table_style(t, "\033[0m");
}

void text_table_clear(struct text_table *t)
{
    buf_clear(&t->cell);
}
