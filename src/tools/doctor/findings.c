/*
 * The list of findings and its two forms.  Names and texts in it come from AWS, so both forms write
 * them escaped: no answer of a service can steer a terminal or break the JSON.
 */
#include "tools/doctor/findings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/json_out.h"

static const struct {
    const char *json, *total, *text, *colour;
} verdicts[] = {
    [DOCTOR_OK] = {"ok", "ok", "ok", "32"},
    [DOCTOR_WARNING] = {"warning", "warnings", "WARNING", "33"},
    [DOCTOR_FAULT] = {"fault", "faults", "FAULT", "1;31"},
    [DOCTOR_NOT_CHECKED] = {"not_checked", "not_checked", "not checked", "2"},
};

void findings_init(struct findings *f)
{
    memset(f, 0, sizeof(*f));
}

static void clear_one(struct doctor_finding *x)
{
    free(x->subject);
    free(x->found);
    free(x->fix);
}

void findings_clear(struct findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        clear_one(&f->all[i]);
    free(f->all);
    findings_init(f);
}

void findings_add(struct findings *f, const struct doctor_finding *head, struct view subject,
                  struct view fix, const char *format, va_list args)
{
    struct doctor_finding x = *head;
    /* Counted even if it cannot be kept: the exit status must not depend on memory. */
    f->number[x.verdict]++;
    x.subject = view_dup(subject);
    x.fix = view_dup(fix);
    if (vasprintf(&x.found, format, args) < 0)
        x.found = NULL;
    if (x.subject == NULL || x.fix == NULL || x.found == NULL ||
        !array_room(&f->all, f->count, &f->capacity, 32, sizeof(*f->all))) {
        clear_one(&x);
        f->failed = ST_NO_MEMORY;
        return;
    }
    f->all[f->count++] = x;
}

const char *findings_first_fault(const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->all[i].verdict == DOCTOR_FAULT)
            return doctor_code_info(f->all[i].code)->name;
    }
    return NULL;
}

void findings_write_json(const struct findings *f, struct buf *out)
{
    struct json_out j = {.out = out};
    json_begin(&j, "bedrock-metrics/doctor/1");
    json_open_array(&j, "checks");
    for (size_t i = 0; i < f->count; i++) {
        const struct doctor_finding *x = &f->all[i];
        j.gap = "\n";
        json_open_object(&j, NULL);
        json_add_cstr(&j, "step", x->step);
        json_add_cstr(&j, "subject", x->subject);
        json_add_cstr(&j, "result", verdicts[x->verdict].json);
        if (x->code != DOCTOR_NO_CODE)
            json_add_cstr(&j, "code", doctor_code_info(x->code)->name);
        json_add_cstr(&j, x->verdict == DOCTOR_NOT_CHECKED ? "reason" : "found", x->found);
        if (x->code != DOCTOR_NO_CODE) {
            json_add_cstr(&j, "needed", doctor_code_info(x->code)->needed);
            json_add_cstr(&j, "fix", x->fix);
        }
        json_close(&j);
    }
    j.gap = "\n";
    json_close(&j);
    for (size_t i = 0; i < DOCTOR_VERDICTS; i++)
        json_add_u64(&j, verdicts[i].total, f->number[i]);
    json_end(&j);
}

static void add_line(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "      %-8s", name);
    json_escape(out, view_of(text));
    buf_add_char(out, '\n');
}

void findings_write_text(const struct findings *f, bool colour, struct buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct doctor_finding *x = &f->all[i];
        if (colour)
            buf_printf(out, "\033[%sm%-12s\033[0m", verdicts[x->verdict].colour,
                       verdicts[x->verdict].text);
        else
            buf_printf(out, "%-12s", verdicts[x->verdict].text);
        buf_printf(out, "%s%s", x->step, x->subject[0] != '\0' ? " " : "");
        json_escape(out, view_of(x->subject));
        buf_add_cstr(out, ": ");
        if (x->code == DOCTOR_NO_CODE) {
            json_escape(out, view_of(x->found));
            buf_add_char(out, '\n');
            continue;
        }
        buf_printf(out, "%s\n", doctor_code_info(x->code)->name);
        add_line(out, "found", x->found);
        add_line(out, "needed", doctor_code_info(x->code)->needed);
        if (x->fix[0] != '\0')
            add_line(out, "fix", x->fix);
    }
    buf_printf(out, "\n%zu ok, %zu warnings, %zu faults, %zu not checked\n", f->number[DOCTOR_OK],
               f->number[DOCTOR_WARNING], f->number[DOCTOR_FAULT], f->number[DOCTOR_NOT_CHECKED]);
}
