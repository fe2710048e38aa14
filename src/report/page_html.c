/* page_html.c: the page as one file with its data inside. */
#include <errno.h>
#include <stdlib.h>

#include "base/deflate.h"
#include "report/page_table.h"

enum { JSON_CEILING = 256 << 20, PACKED_CEILING = 256 << 20 };

static const char marker[] = "<!--BEDROCK-METRICS-DATA-->";

static void add_base64(struct buf *out, struct view bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t whole = bytes.len / 3 * 3, rest = bytes.len - whole;
    for (size_t i = 0; i < whole; i += 3) {
        char four[4] = {digits[p[i] >> 2], digits[(p[i] & 3) << 4 | p[i + 1] >> 4],
                        digits[(p[i + 1] & 15) << 2 | p[i + 2] >> 6], digits[p[i + 2] & 63]};
        buf_add(out, four, sizeof(four));
    }
    if (rest == 0)
        return;
    unsigned second = rest == 2 ? p[whole + 1] : 0;
    char four[4] = {digits[p[whole] >> 2], digits[(p[whole] & 3U) << 4 | second >> 4],
                    rest == 2 ? digits[(second & 15) << 2] : '=', '='};
    buf_add(out, four, sizeof(four));
}

static void add_page(struct buf *out, struct view data)
{
    struct view page = page_builtin_text();
    size_t at = view_find(page, view_of(marker));
    buf_add_view(out, view_first(page, at));
    if (at != SIZE_MAX) {
        buf_add_cstr(out, "<script type=\"application/json\" id=\"bedrock-metrics-data\" "
                          "data-encoding=\"gzip+base64\">");
        add_base64(out, data);
        buf_add_cstr(out, "</script>");
    }
    buf_add_view(out, view_skip(page, at == SIZE_MAX ? page.len : at + sizeof(marker) - 1));
}

static enum status make_file(const struct page *page, size_t cube_rows, size_t principal_rows,
                             struct buf *out)
{
    struct buf json, packed;
    buf_init(&json, JSON_CEILING);
    buf_init(&packed, PACKED_CEILING);
    enum status st = page_add_json_within(&json, page, cube_rows, principal_rows);
    if (st == ST_OK)
        st = deflate_add(&packed, buf_view(&json), DEFLATE_GZIP, DEFLATE_BEST);
    if (st == ST_OK) {
        buf_reset(out);
        add_page(out, buf_view(&packed));
        st = buf_status(out);
    }
    buf_clear(&json);
    buf_clear(&packed);
    return st;
}

enum status page_write_html(const struct page *page, FILE *out)
{
    struct buf file;
    enum status st = ST_OK;
    buf_init(&file, PACKED_CEILING);
    size_t cube_rows = PAGE_CUBE_ROWS, principal_rows = PAGE_PRINCIPAL_ROWS;
    /* How many bytes a row takes is seen only when it is packed. */
    for (int i = 0; i < 8 && st == ST_OK; i++) {
        st = make_file(page, cube_rows, principal_rows, &file);
        if (file.len <= PAGE_FILE_BYTES)
            break;
        size_t percent = (size_t)PAGE_FILE_BYTES * 95 / file.len;
        cube_rows = cube_rows * percent / 100;
        principal_rows = principal_rows * percent / 100;
    }
    errno = 0;
    if (st == ST_OK && fwrite(file.ptr, 1, file.len, out) != file.len)
        st = ST_IO;
    buf_clear(&file);
    return st;
}
