/*
 * xml_scan.c: a pull parser for the small XML that AWS answers with.
 *
 *   <Error><Code>NoSuchKey</Code></Error>
 *   OPEN Error, OPEN Error/Code, TEXT "NoSuchKey", CLOSE Error/Code, CLOSE Error
 *
 * No library: libxml2 is larger than this whole layer, and resolves entities.  The input comes
 * from a TLS connection to AWS, but an emulator or proxy may answer too, so it is treated as
 * hostile: every depth and length has a ceiling, and a DOCTYPE is refused.
 */
#include "aws/xml_scan.h"

#include "base/utf8.h"

void xml_scan_init(struct xml_scan *x, struct view xml)
{
    memset(x, 0, sizeof(*x));
    x->rest = xml;
    x->length = xml.len;
    buf_init(&x->text, XML_MAX_TEXT);
    if (view_starts(x->rest, VIEW_LIT("\xef\xbb\xbf")))
        x->rest = view_skip(x->rest, 3);
}

void xml_scan_clear(struct xml_scan *x)
{
    buf_clear(&x->text);
}

struct view xml_scan_path(const struct xml_scan *x)
{
    return view_make(x->path, x->path_len);
}

struct view xml_scan_text(const struct xml_scan *x)
{
    return buf_view(&x->text);
}

bool xml_scan_at(const struct xml_scan *x, const char *path)
{
    return view_eq_cstr(xml_scan_path(x), path);
}

/* The document cannot be used, because of what is at the byte that is next. */
static enum status broken(struct xml_scan *x, struct error *err, enum status st, const char *what)
{
    size_t at = x->length - x->rest.len;
    error_set(err, st, E_A305, "XML answer: %s at byte %zu", what, at);
    if (err != NULL)
        err->offset = at;
    return st;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':' || (unsigned char)c >= 0x80;
}

/* "&amp;" at the front of rest: append what it means and step past it. */
static enum status entity(struct xml_scan *x, struct error *err)
{
    static const struct {
        const char *name;
        char value;
    } named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    size_t end = view_find_char(view_first(x->rest, 12), ';');
    if (end == SIZE_MAX || end < 2)
        return broken(x, err, ST_BAD_ITEM, "entity without end");
    struct view name = view_make(x->rest.ptr + 1, end - 1);
    if (name.ptr[0] == '#') {
        bool hex = name.len > 1 && name.ptr[1] == 'x';
        int base = hex ? 16 : 10;
        uint32_t code = 0;
        size_t first = hex ? 2 : 1;
        if (name.len == first)
            return broken(x, err, ST_BAD_ITEM, "empty character reference");
        for (size_t i = first; i < name.len; i++) {
            int digit = hex_digit(name.ptr[i]);
            if (digit < 0 || digit >= base || code > 0x10FFFF)
                return broken(x, err, ST_BAD_ITEM, "bad character reference");
            code = code * (uint32_t)base + (uint32_t)digit;
        }
        /* S3 writes control characters of keys as references although XML 1.0 has none of them. */
        if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return broken(x, err, ST_BAD_ITEM, "bad character reference");
        char bytes[4];
        buf_add(&x->text, bytes, utf8_from_code(code, bytes));
    } else {
        size_t i = 0;
        while (i < sizeof(named) / sizeof(named[0]) && !view_eq_cstr(name, named[i].name))
            i++;
        if (i == sizeof(named) / sizeof(named[0]))
            return broken(x, err, ST_BAD_ITEM, "unknown entity");
        buf_add_char(&x->text, named[i].value);
    }
    x->rest = view_skip(x->rest, end + 1);
    return ST_OK;
}

/* Step past `closing`, which must come. */
static enum status skip_past(struct xml_scan *x, const char *closing, struct error *err)
{
    size_t at = view_find(x->rest, view_of(closing));
    if (at == SIZE_MAX)
        return broken(x, err, ST_BAD_ITEM, "construct without end");
    x->rest = view_skip(x->rest, at + strlen(closing));
    return ST_OK;
}

/* An element begins: its name joins the path. */
static enum status push(struct xml_scan *x, struct view name, struct error *err)
{
    size_t need = name.len + (x->depth > 0 ? 1 : 0);
    if (x->depth == XML_MAX_DEPTH || need > XML_MAX_PATH - x->path_len)
        return broken(x, err, ST_TOO_BIG, "elements nested too deep");
    x->ends[x->depth++] = x->path_len;
    if (x->depth > 1)
        x->path[x->path_len++] = '/';
    memcpy(x->path + x->path_len, name.ptr, name.len);
    x->path_len += name.len;
    return ST_OK;
}

/*
 * <Name a="b">   <Name/>
 *  ^                       rest begins here
 */
static enum status open_tag(struct xml_scan *x, struct error *err)
{
    size_t n = 0;
    while (n < x->rest.len && name_char(x->rest.ptr[n]))
        n++;
    if (n == 0)
        return broken(x, err, ST_BAD_ITEM, "element without name");
    if (x->depth == 0 && x->seen_root)
        return broken(x, err, ST_BAD_ITEM, "second root element");
    enum status st = push(x, view_first(x->rest, n), err);
    if (st)
        return st;
    x->seen_root = true;
    x->rest = view_skip(x->rest, n);
    char quote = 0;
    for (size_t i = 0; i < x->rest.len; i++) {
        char c = x->rest.ptr[i];
        if (quote != 0) {
            if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '<') {
            break;
        } else if (c == '>') {
            x->pending_close = i > 0 && x->rest.ptr[i - 1] == '/';
            x->rest = view_skip(x->rest, i + 1);
            buf_reset(&x->text);
            return ST_OK;
        }
    }
    return broken(x, err, ST_BAD_ITEM, "start tag without end");
}

/*
 * </Name >
 *   ^      rest begins here
 */
static enum status close_tag(struct xml_scan *x, struct error *err)
{
    if (x->depth == 0)
        return broken(x, err, ST_BAD_ITEM, "end tag without start");
    size_t begin = x->ends[x->depth - 1] + (x->depth > 1 ? 1 : 0);
    struct view name = view_make(x->path + begin, x->path_len - begin);
    if (!view_starts(x->rest, name))
        return broken(x, err, ST_BAD_ITEM, "end tag of another element");
    struct view after = view_skip(x->rest, name.len);
    while (after.len > 0 && is_space(after.ptr[0]))
        after = view_skip(after, 1);
    if (after.len == 0 || after.ptr[0] != '>')
        return broken(x, err, ST_BAD_ITEM, "end tag of another element");
    x->rest = view_skip(after, 1);
    return ST_OK;
}

/* Text up to the next `<`, decoded and appended. */
static enum status text_run(struct xml_scan *x, struct error *err)
{
    while (x->rest.len > 0 && x->rest.ptr[0] != '<') {
        if (x->depth == 0 && !is_space(x->rest.ptr[0]))
            return broken(x, err, ST_BAD_ITEM, "text outside the root element");
        if (x->rest.ptr[0] == '&') {
            enum status st = entity(x, err);
            if (st)
                return st;
            continue;
        }
        size_t n = 1;
        if (x->depth > 0)
            while (n < x->rest.len && x->rest.ptr[n] != '<' && x->rest.ptr[n] != '&')
                n++;
        buf_add_view(&x->text, view_first(x->rest, n));
        x->rest = view_skip(x->rest, n);
    }
    if (buf_status(&x->text) != ST_OK)
        return broken(x, err, buf_status(&x->text), "text too long");
    return ST_OK;
}

/* XML_CLOSE; the element stays in the path until the next call. */
static enum status give_close(struct xml_scan *x, enum xml_kind *kind)
{
    x->closing = false;
    x->leaf = false; /* whatever is open now holds an element */
    x->pop_pending = true;
    *kind = XML_CLOSE;
    return ST_OK;
}

enum status xml_scan_next(struct xml_scan *x, enum xml_kind *kind, struct error *err)
{
    if (x->pop_pending) {
        x->path_len = x->ends[--x->depth];
        x->pop_pending = false;
        buf_reset(&x->text);
    }
    if (x->pending_close) { /* after XML_OPEN of an empty element: its (empty) text, then its end */
        x->pending_close = false;
        x->closing = true;
        *kind = XML_TEXT;
        return ST_OK;
    }
    if (x->closing)
        return give_close(x, kind);
    for (;;) {
        enum status st = text_run(x, err);
        if (st)
            return st;
        if (x->rest.len == 0) {
            if (x->depth > 0 || !x->seen_root)
                return broken(x, err, ST_BAD_ITEM, "document cut short");
            return ST_END;
        }
        if (view_starts(x->rest, VIEW_LIT("<!--"))) {
            st = skip_past(x, "-->", err);
        } else if (view_starts(x->rest, VIEW_LIT("<![CDATA["))) {
            struct view cdata = view_skip(x->rest, 9);
            size_t n = view_find(cdata, VIEW_LIT("]]>"));
            if (x->depth == 0 || n == SIZE_MAX)
                return broken(x, err, ST_BAD_ITEM, "CDATA out of place");
            buf_add_view(&x->text, view_first(cdata, n));
            x->rest = view_skip(cdata, n + 3);
        } else if (view_starts(x->rest, VIEW_LIT("<?"))) {
            st = skip_past(x, "?>", err);
        } else if (view_starts(x->rest, VIEW_LIT("<!"))) {
            st = broken(x, err, ST_BAD_ITEM, "declaration refused");
        } else if (view_starts(x->rest, VIEW_LIT("</"))) {
            x->rest = view_skip(x->rest, 2);
            st = close_tag(x, err);
            if (st)
                return st;
            x->closing = true;
            if (x->leaf) {
                *kind = XML_TEXT;
                return ST_OK;
            }
            return give_close(x, kind);
        } else {
            x->rest = view_skip(x->rest, 1);
            st = open_tag(x, err);
            if (st)
                return st;
            x->leaf = true;
            *kind = XML_OPEN;
            return ST_OK;
        }
        if (st)
            return st;
    }
}

enum status xml_scan_find(struct view xml, const char *path, struct buf *out)
{
    struct xml_scan x;
    enum xml_kind kind;
    xml_scan_init(&x, xml);
    enum status st;
    while ((st = xml_scan_next(&x, &kind, NULL)) == ST_OK) {
        if (kind == XML_TEXT && xml_scan_at(&x, path)) {
            buf_add_view(out, xml_scan_text(&x));
            st = buf_status(out);
            xml_scan_clear(&x);
            return st;
        }
    }
    xml_scan_clear(&x);
    return st == ST_NO_MEMORY ? st : ST_MISSING;
}
