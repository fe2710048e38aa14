/* suggest.h: the nearest of a list of names, for "did you mean". */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/view.h"

/* The name that differs from `word` by the fewest edits, if that is plausible; else NULL. */
const char *suggest_name(struct view word, const char *const *names, size_t count);

/* The same as the end of a message: "; did you mean PREFIXname?", or "" when none is near. */
struct suggestion {
    char text[256];
};
struct suggestion suggest_end(struct view given, const char *prefix, const char *const *names,
                              size_t count);

/*
 * Find `value` in "text|json|csv": true and its position in *out.  Otherwise false and *known, the
 * end of a message: "; known are text, json, csv; did you mean csv?"
 */
bool suggest_choice(const char *words, const char *value, unsigned *out, struct suggestion *known);

#endif
