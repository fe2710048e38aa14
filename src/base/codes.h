/*
 * codes.h: the stable codes of what the program says when something is wrong.
 *
 * Every WARN and ERROR line and every usage error carries one, such as BM-O111: a letter for the
 * family and three digits.  A number keeps its meaning for ever and is never given again.  They are
 * looked up from constant texts, in one table, so a line cannot have another code in another place.
 * docs/troubleshooting.md has a section for each; tests/docs compares both ways.
 *
 * A reason is searched for the constant phrases of the table, parts in double quotes left out.  It
 * may hold a name from outside in front of them (an object's key), so the code is a help for
 * looking up and nothing is decided by it.
 */
#ifndef BASE_CODES_H
#define BASE_CODES_H

#include <stdbool.h>

#include "base/view.h"

/*
 * The code of a log line; NULL when the message is not in the table.  Where the cause is what
 * matters ("object failed"), it is that of the reason, and the line's own when no cause is known.
 */
const char *code_of_line(const char *message, struct view reason);

/* The code of a cause: a reason, or a part of one.  NULL when none is known. */
const char *code_of_reason(struct view reason);

/* The code of a usage or configuration error; one for any other when none fits, never NULL. */
const char *code_of_usage(struct view text);

/* One row of the table: several may have the same code. */
struct code_text {
    const char *code; /* "BM-O111" */
    const char *text; /* the message, or the phrase in a reason */
    bool is_line;     /* a log line's message */
    bool
        from_outside; /* a word of AWS, of libcurl or of the system; the program does not have it */
};

/* The rows in the order of codes; false behind the last. */
bool code_at(size_t i, struct code_text *out);

#endif
