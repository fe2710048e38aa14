#include "tools/doctor/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/json_out.h"

enum { MAX_TEXT = 64 * 1024 };

static const char *const verdict_names[] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_FAULT] = "fault",
    [DOCTOR_NOT_CHECKED] = "not_checked",
};

void findings_init(struct findings *f)
{
    memset(f, 0, sizeof(*f));
}

void findings_clear(struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->all[i].subject);
        free(f->all[i].found);
        free(f->all[i].mend);
    }
    free(f->all);
    findings_init(f);
}

static char *copy(struct view v)
{
    return strndup(v.len > 0 ? v.ptr : "", v.len);
}

static void add(struct findings *f, const struct doctor_finding *head, struct view subject,
                struct view mend, const char *format, va_list args) PRINTF_LIKE(5, 0);

static void add(struct findings *f, const struct doctor_finding *head, struct view subject,
                struct view mend, const char *format, va_list args)
{
    /* Counted even if it cannot be kept: the exit status must not depend on memory. */
    f->number[head->verdict]++;
    if (!array_room(&f->all, f->count, &f->capacity, 32, sizeof(*f->all))) {
        f->failed = ST_NO_MEMORY;
        return;
    }
    struct doctor_finding *out = &f->all[f->count];
    *out = *head;
    out->subject = copy(subject);
    out->mend = copy(mend);
    if (vasprintf(&out->found, format, args) < 0)
        out->found = NULL;
    if (out->subject == NULL || out->mend == NULL || out->found == NULL) {
        free(out->subject);
        free(out->mend);
        free(out->found);
        f->failed = ST_NO_MEMORY;
        return;
    }
    f->count++;
}

void findings_ok(struct findings *f, const char *step, struct view subject, const char *format, ...)
{
    struct doctor_finding head = {.verdict = DOCTOR_OK, .step = step};
    va_list args;
    va_start(args, format);
    add(f, &head, subject, VIEW_EMPTY, format, args);
    va_end(args);
}

void findings_not_checked(struct findings *f, const char *step, struct view subject,
                          const char *format, ...)
{
    struct doctor_finding head = {.verdict = DOCTOR_NOT_CHECKED, .step = step};
    va_list args;
    va_start(args, format);
    add(f, &head, subject, VIEW_EMPTY, format, args);
    va_end(args);
}

void findings_add(struct findings *f, enum doctor_code code, const char *step, struct view subject,
                  struct view mend, const char *format, ...)
{
    struct doctor_finding head = {
        .verdict = doctor_code_info(code)->verdict, .code = code, .step = step};
    va_list args;
    va_start(args, format);
    add(f, &head, subject, mend, format, args);
    va_end(args);
}

const char *findings_first_fault(const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->all[i].verdict == DOCTOR_FAULT)
            return doctor_code_info(f->all[i].code)->name;
    }
    return NULL;
}

/* ---- JSON ---- */

static void add_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_quote(out, view_of(text));
}

void findings_write_json(const struct findings *f, struct buf *out)
{
    buf_add_cstr(out, "{\"schema\":\"bedrock-metrics/doctor/1\",\"checks\":[");
    for (size_t i = 0; i < f->count; i++) {
        const struct doctor_finding *x = &f->all[i];
        buf_printf(out, "%s\n{\"step\":\"%s\"", i > 0 ? "," : "", x->step);
        add_member(out, "subject", x->subject);
        add_member(out, "result", verdict_names[x->verdict]);
        if (x->code != DOCTOR_NO_CODE)
            add_member(out, "code", doctor_code_info(x->code)->name);
        add_member(out, x->verdict == DOCTOR_NOT_CHECKED ? "reason" : "found", x->found);
        if (x->code != DOCTOR_NO_CODE) {
            add_member(out, "needed", doctor_code_info(x->code)->needed);
            add_member(out, "mend", x->mend);
        }
        buf_add_char(out, '}');
    }
    buf_add_cstr(out, "\n]");
    static const char *const totals[] = {[DOCTOR_OK] = "ok",
                                         [DOCTOR_WARNING] = "warnings",
                                         [DOCTOR_FAULT] = "faults",
                                         [DOCTOR_NOT_CHECKED] = "not_checked"};
    for (size_t i = 0; i < DOCTOR_VERDICTS; i++)
        buf_printf(out, ",\"%s\":%zu", totals[i], f->number[i]);
    buf_add_cstr(out, "}\n");
}

/* ---- text ---- */

/* As json_add_string without the quotes, so that a service's text cannot steer a terminal; `"` and
 * `\` stay as they are, because commands are copied from here. */
static void add_plain(struct buf *out, const char *text)
{
    struct buf quoted;
    buf_init(&quoted, MAX_TEXT);
    for (const char *at = text; *at != '\0';) {
        size_t n = strcspn(at, "\"\\");
        buf_reset(&quoted);
        json_quote(&quoted, view_make(at, n));
        if (quoted.len >= 2)
            buf_add(out, quoted.ptr + 1, quoted.len - 2);
        at += n;
        if (*at != '\0')
            buf_add_char(out, *at++);
    }
    buf_clear(&quoted);
}

static void add_line(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "      %-8s", name);
    add_plain(out, text);
    buf_add_char(out, '\n');
}

void findings_write_text(const struct findings *f, bool colour, struct buf *out)
{
    static const char *const names[] = {[DOCTOR_OK] = "ok",
                                        [DOCTOR_WARNING] = "WARNING",
                                        [DOCTOR_FAULT] = "FAULT",
                                        [DOCTOR_NOT_CHECKED] = "not checked"};
    static const char *const colours[] = {[DOCTOR_OK] = "32",
                                          [DOCTOR_WARNING] = "33",
                                          [DOCTOR_FAULT] = "1;31",
                                          [DOCTOR_NOT_CHECKED] = "2"};
    for (size_t i = 0; i < f->count; i++) {
        const struct doctor_finding *x = &f->all[i];
        if (colour)
            buf_printf(out, "\033[%sm%-12s\033[0m", colours[x->verdict], names[x->verdict]);
        else
            buf_printf(out, "%-12s", names[x->verdict]);
        buf_printf(out, "%s", x->step);
        if (x->subject[0] != '\0') {
            buf_add_char(out, ' ');
            add_plain(out, x->subject);
        }
        if (x->code == DOCTOR_NO_CODE) {
            buf_add_cstr(out, ": ");
            add_plain(out, x->found);
            buf_add_char(out, '\n');
            continue;
        }
        buf_printf(out, ": %s\n", doctor_code_info(x->code)->name);
        add_line(out, "found", x->found);
        add_line(out, "needed", doctor_code_info(x->code)->needed);
        if (x->mend[0] != '\0')
            add_line(out, "mend", x->mend);
    }
    buf_printf(out, "\n%zu ok, %zu warnings, %zu faults, %zu not checked\n", f->number[DOCTOR_OK],
               f->number[DOCTOR_WARNING], f->number[DOCTOR_FAULT], f->number[DOCTOR_NOT_CHECKED]);
}
