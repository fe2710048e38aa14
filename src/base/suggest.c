/*
 * suggest.c: Levenshtein distance in one row of memory.  A name of three letters may differ in
 * one, a longer one in a third of its letters: beyond that a suggestion is a guess and annoys.
 */
#include "base/suggest.h"

#include <stdio.h>

enum { MAX_WORD = 64, MAX_CHOICES = 16 };

/* Insertions, deletions and substitutions that turn one word into the other, case aside. */
static size_t distance(struct view a, struct view b)
{
    size_t row[MAX_WORD + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (view_lower(a.ptr[i - 1]) != view_lower(b.ptr[j - 1]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

const char *suggest_name(struct view word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (word.len == 0 || word.len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct view name = view_of(names[i]);
        if (name.len > MAX_WORD)
            continue;
        size_t d = distance(word, name);
        size_t limit = name.len < 4 ? 1 : name.len / 3;
        if (d <= limit && d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

struct suggestion suggest_end(struct view given, const char *prefix, const char *const *names,
                              size_t count)
{
    struct suggestion end = {""};
    const char *near = suggest_name(given, names, count);
    if (near != NULL)
        (void)snprintf(end.text, sizeof(end.text), "; did you mean %s%.80s?", prefix, near);
    return end;
}

bool suggest_choice(const char *words, const char *value, unsigned *out, struct suggestion *known)
{
    struct view rest = view_of(words), word;
    char copies[MAX_CHOICES][MAX_WORD];
    const char *names[MAX_CHOICES];
    char *text = known->text;
    size_t n = 0, size = sizeof(known->text), length = 0;
    for (; n < MAX_CHOICES && view_split(&rest, '|', &word); n++) {
        if (view_eq_cstr(word, value)) {
            *out = (unsigned)n;
            return true;
        }
        (void)snprintf(copies[n], MAX_WORD, "%.*s", SHOW(word));
        if (length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s",
                                       n == 0 ? "; known are " : ", ", copies[n]);
        names[n] = copies[n];
    }
    if (length < size)
        (void)snprintf(text + length, size - length, "%s",
                       suggest_end(view_of(value), "", names, n).text);
    return false;
}
