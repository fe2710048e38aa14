/*
 * What the steps have in common: noting a finding, judging a call that failed, writing a command
 * that can be pasted into a shell.
 */
#include "tools/doctor/walk.h"

#include <stdio.h>
#include <stdlib.h>

void walk_begin(struct walk *w, const char *step, struct view subject)
{
    w->step = step;
    w->subject = subject;
    w->err = (struct error){0};
    buf_reset(&w->fix);
}

static void note(struct walk *w, enum doctor_verdict verdict, enum doctor_code code,
                 const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void note(struct walk *w, enum doctor_verdict verdict, enum doctor_code code,
                 const char *format, va_list args)
{
    struct doctor_finding head = {.verdict = verdict, .code = code, .step = w->step};
    struct view fix = VIEW_EMPTY;
    if (code != DOCTOR_NO_CODE)
        fix = w->fix.len > 0 ? buf_view(&w->fix) : view_of(doctor_code_info(code)->fix);
    findings_add(w->f, &head, w->subject, fix, format, args);
    buf_reset(&w->fix);
}

void walk_ok(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(w, DOCTOR_OK, DOCTOR_NO_CODE, format, args);
    va_end(args);
}

void walk_not_checked(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(w, DOCTOR_NOT_CHECKED, DOCTOR_NO_CODE, format, args);
    va_end(args);
}

void walk_found(struct walk *w, enum doctor_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(w, doctor_code_info(code)->verdict, code, format, args);
    va_end(args);
}

bool walk_answered(struct walk *w, enum status st, const char *action)
{
    if (st == ST_DENIED)
        walk_not_checked(w, "needs the permission %s (%s)", action, w->err.text);
    else if (st != ST_OK)
        walk_not_checked(w, "%s", w->err.text[0] != '\0' ? w->err.text : status_name(st));
    return st == ST_OK;
}

/* ---- commands ---- */

/* Quoted where a shell would see more in it than a word: 'it'\''s'. */
static void add_word(struct buf *command, struct view word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=@,+%";
    bool quote = word.len == 0;
    for (size_t i = 0; i < word.len && !quote; i++)
        quote = word.ptr[i] == '\0' || strchr(plain, word.ptr[i]) == NULL;
    if (!quote) {
        buf_add_view(command, word);
        return;
    }
    buf_add_char(command, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\'')
            buf_add_cstr(command, "'\\''");
        else
            buf_add_char(command, word.ptr[i]);
    }
    buf_add_char(command, '\'');
}

void walk_fix_words(struct walk *w, const char *template, const struct view *words, size_t count)
{
    buf_reset(&w->fix);
    for (const char *at = template; *at != '\0'; at++) {
        if (*at != '%')
            buf_add_char(&w->fix, *at);
        else if (count > 0) {
            add_word(&w->fix, *words++);
            count--;
        }
    }
}

struct view walk_json(struct walk *w, json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);
    buf_reset(&w->scratch);
    buf_add_view(&w->scratch, view_of(text));
    free(text);
    json_decref(value);
    return buf_view(&w->scratch);
}

/* ---- what is known ---- */

bool walk_listed(struct view list, struct view name)
{
    struct view part;
    while (view_split(&list, ',', &part)) {
        if (view_eq(view_trim(part), name))
            return true;
    }
    return false;
}

struct walk_region *walk_region_find(struct walk *w, struct view region)
{
    for (size_t i = 0; i < w->region_count; i++) {
        if (view_eq(w->regions[i].name, region))
            return &w->regions[i];
    }
    return NULL;
}

const struct walk_region *walk_writer(const struct walk *w, const struct walk_bucket *b)
{
    for (size_t i = 0; i < w->region_count; i++) {
        if (w->regions[i].logging_known && view_eq_cstr(b->name, w->regions[i].bucket))
            return &w->regions[i];
    }
    return NULL;
}

void walk_log_folder(const struct walk *w, const struct walk_region *region, struct buf *out)
{
    if (region != NULL && region->key_prefix[0] != '\0')
        buf_printf(out, "%s/", region->key_prefix);
    buf_printf(out, "AWSLogs/%s/BedrockModelInvocationLogs/", w->account);
}

struct walk_age walk_age(int64_t seconds)
{
    static const struct {
        int64_t of;
        const char *name;
    } units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
    struct walk_age age;
    size_t u = 0;
    if (seconds < 0)
        seconds = 0;
    while (u < 3 && seconds < 2 * units[u].of)
        u++;
    (void)snprintf(age.text, sizeof(age.text), "%lld %s", (long long)(seconds / units[u].of),
                   units[u].name);
    return age;
}
