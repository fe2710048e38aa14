/* interner.h: each different text once, named by a small number. */
#ifndef AGGREGATE_INTERNER_H
#define AGGREGATE_INTERNER_H

#include "base/view.h"

struct interner; /* not shared between threads at a time */

#define INTERNER_NONE UINT32_MAX

struct interner *interner_new(void);     /* NULL: no memory */
void interner_free(struct interner *in); /* interner_free(NULL) does nothing */

/* The number of a text, 0, 1, ... in the order of first sight; INTERNER_NONE: no memory. */
uint32_t interner_id(struct interner *in, struct view text);

/* The same of a text that has one already; INTERNER_NONE: it has none. */
uint32_t interner_find(const struct interner *in, struct view text);

/* The text of a number; valid until interner_free. */
struct view interner_text(const struct interner *in, uint32_t id);

/* How many texts there are. */
uint32_t interner_count(const struct interner *in);
size_t interner_bytes(const struct interner *in);

#endif
