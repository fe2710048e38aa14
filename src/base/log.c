/*
 * log.c: a log line as text for people or as JSON for Lambda and collectors, written at once so that
 * lines of threads never mix.  Values come from outside (keys, names of models): every one of them
 * is quoted and cut here, so that no value can begin a line or a field of its own.
 */
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codes.h"
#include "base/json_out.h"
#include "base/rfc3339.h"

enum { MAX_VALUE_BYTES = 1024, MAX_LINE_BYTES = 32 * 1024 };

static struct {
    enum log_level level;
    enum log_format format;
    bool colour;
    int fd;
    char request_id[128];
    size_t request_id_len;
    void (*before_line)(void);
} settings = {.level = LOG_INFO, .fd = STDERR_FILENO};

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_setup(enum log_level level, enum log_format format, bool colour)
{
    settings.level = level;
    settings.format = format;
    settings.colour = colour;
}

enum log_level log_level_now(void)
{
    return settings.level;
}

enum log_format log_format_now(void)
{
    return settings.format;
}

void log_set_fd(int fd)
{
    settings.fd = fd;
}

void log_set_request_id(struct view id)
{
    settings.request_id_len =
        id.len < sizeof(settings.request_id) ? id.len : sizeof(settings.request_id);
    if (settings.request_id_len > 0)
        memcpy(settings.request_id, id.ptr, settings.request_id_len);
}

void log_set_before_line(void (*hook)(void))
{
    settings.before_line = hook;
}

enum status log_level_parse(struct view name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (view_eq_nocase(name, view_of(level_names[i]))) {
            *out = (enum log_level)i;
            return ST_OK;
        }
    }
    return ST_USAGE;
}

static struct view request_id(void)
{
    return view_make(settings.request_id, settings.request_id_len);
}

static bool has_value(const struct log_field *field)
{
    return field->kind != LOG_FIELD_TEXT || field->text.ptr != NULL;
}

/* A value in a text line: quoted when it could be misread, never with a raw control character. */
static void add_text_value(struct buf *line, struct view v)
{
    v = view_first(v, MAX_VALUE_BYTES);
    bool plain = v.len > 0;
    for (size_t i = 0; i < v.len && plain; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        plain = c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
    }
    if (plain)
        buf_add_view(line, v);
    else
        json_quote(line, v);
}

static void text_line(struct buf *line, enum log_level level, const char *code, const char *message,
                      const struct log_field *fields, size_t n)
{
    static const char *const colours[] = {"\033[2m", "", "\033[33m", "\033[31m"};
    const char *colour = settings.colour ? colours[level] : "";
    buf_printf(line, "%s%s%s%s", colour, level_names[level], colour[0] != '\0' ? "\033[0m" : "",
               strlen(level_names[level]) == 4 ? "  " : " ");
    if (code != NULL)
        buf_printf(line, "%s ", code);
    buf_add_cstr(line, message);
    for (size_t i = 0; i < n; i++) {
        if (!has_value(&fields[i]))
            continue;
        buf_printf(line, " %s=", fields[i].key);
        if (fields[i].kind == LOG_FIELD_NUMBER)
            buf_add_u128(line, fields[i].number);
        else
            add_text_value(line, fields[i].text);
    }
    if (settings.request_id_len > 0) {
        buf_add_cstr(line, " request=");
        add_text_value(line, request_id());
    }
}

/* The members Lambda looks for in a JSON line are "level" and an RFC 3339 "timestamp". */
static void json_line(struct buf *line, enum log_level level, const char *code, const char *message,
                      const struct log_field *fields, size_t n)
{
    struct json_out j = {.out = line};
    char stamp[RFC3339_BYTES];
    rfc3339_format_ms(clock_wall_ms(), stamp);
    json_open_object(&j, NULL);
    json_add_cstr(&j, "timestamp", stamp);
    json_add_cstr(&j, "level", level_names[level]);
    if (code != NULL)
        json_add_cstr(&j, "code", code);
    json_add_cstr(&j, "message", message);
    for (size_t i = 0; i < n; i++) {
        if (!has_value(&fields[i]))
            continue;
        if (fields[i].kind == LOG_FIELD_NUMBER)
            json_add_u128(&j, fields[i].key, fields[i].number);
        else
            json_add_string(&j, fields[i].key, view_first(fields[i].text, MAX_VALUE_BYTES));
    }
    if (settings.request_id_len > 0)
        json_add_string(&j, "requestId", request_id());
    json_close(&j);
}

void log_event(enum log_level level, enum code code, const char *message,
               const struct log_field *fields, size_t n)
{
    if (level < settings.level)
        return;
    struct buf line;
    const char *its_code = level < LOG_WARN ? NULL : code_text(code);
    buf_init(&line, MAX_LINE_BYTES);
    if (settings.format == LOG_JSON)
        json_line(&line, level, its_code, message, fields, n);
    else
        text_line(&line, level, its_code, message, fields, n);
    buf_add_char(&line, '\n');
    if (settings.before_line != NULL)
        settings.before_line();
    if (buf_status(&line) == ST_OK && line.len > 0) {
        /* A log that cannot be written has nowhere to say so. */
        ssize_t written = write(settings.fd, line.ptr, line.len);
        (void)written;
    }
    buf_clear(&line);
}
