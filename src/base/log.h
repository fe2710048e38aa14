/*
 * log.h: one line, one event, on standard error.
 *
 * A line has a level, from WARN on a code (codes.h), a constant message and key=value details.
 * Values are names, numbers and constant reasons; the content of a log record, prompts, answers
 * and secrets are never passed in.
 * Control characters, line breaks, escape sequences and bidirectional marks in a value are written
 * escaped, and a value is cut at 1024 bytes, so no input can forge a line.  Any thread may log; a
 * line is one write().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/u128.h"
#include "base/view.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
    struct view text;
    u128 number;
};

/* Process-wide settings; call before threads start.  Default: LOG_INFO, LOG_TEXT, colour off. */
void log_setup(enum log_level level, enum log_format format, bool colour);
enum log_level log_level_now(void);
enum log_format log_format_now(void);

/* Write to `fd` instead of standard error (tests). */
void log_set_fd(int fd);

/* Added to every line as "requestId"/"request" until set to VIEW_EMPTY.  Copied (128 bytes). */
void log_set_request_id(struct view id);

/* Called before a line is written, to clear a progress display from the terminal; may be NULL. */
void log_set_before_line(void (*hook)(void));

/* `code` is printed from WARN on.  Called by the macros below. */
void log_event(enum log_level level, enum code code, const char *message,
               const struct log_field *fields, size_t n);

/* VIEW_EMPTY and NULL leave the field out of the line; an empty text does not. */
static inline struct log_field log_view(const char *key, struct view v)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .text = v};
}

static inline struct log_field log_cstr(const char *key, const char *text)
{
    return log_view(key, view_of(text));
}

static inline struct log_field log_u64(const char *key, uint64_t number)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_NUMBER, .number = number};
}

static inline struct log_field log_u128(const char *key, u128 number)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_NUMBER, .number = number};
}

#define LOG_FIELDS(...)                                                                            \
    (const struct log_field[]){__VA_ARGS__},                                                       \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)

/* Does not compile for a level that needs a code. */
#define LOG_QUIET(level)                                                                           \
    ((enum log_level)((level) + 0 * sizeof(struct {                                                \
                                    _Static_assert((level) < LOG_WARN,                             \
                                                   "LOG_FAULT() takes a code");                    \
                                    int unused;                                                    \
                                })))

/* LOG_EVENT(LOG_INFO, "listening", log_cstr("address", name), log_u64("port", port)); */
#define LOG_EVENT(level, message, ...)                                                             \
    log_event(LOG_QUIET(level), E_NONE, (message), LOG_FIELDS(__VA_ARGS__))

/*
 * The same for WARN and ERROR, with a code:
 *     LOG_FAULT(LOG_WARN, E_T110, "more texts skipped", log_view("object", key));
 *     LOG_FAULT(LOG_ERROR, error_code(&err, E_O100), "object failed", ...);
 */
#define LOG_FAULT(level, code, message, ...)                                                       \
    log_event((level), (code), (message), LOG_FIELDS(__VA_ARGS__))

/* The same without details. */
#define LOG_FAULT_MESSAGE(level, code, message) log_event((level), (code), (message), NULL, 0)

/* "DEBUG".."ERROR", any case; ST_USAGE otherwise. */
NODISCARD enum status log_level_parse(struct view name, enum log_level *out);

#endif
