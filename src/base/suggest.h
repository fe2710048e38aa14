/* suggest.h: the nearest of a list of names, for "did you mean". */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/view.h"

/* The name that differs from `word` by the fewest edits, if that is plausible; else NULL. */
const char *suggest_name(struct view word, const char *const *names, size_t count);

#endif
