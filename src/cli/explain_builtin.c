/*
 * explain_builtin.c: docs/troubleshooting.md as a part of the program.  A file of its own, because
 * it is what has to be compiled again when only the page has changed.
 */
#include "base/embed.h"
#include "cli/cmd_explain.h"

/* The page itself, so that there is one text of what a code means. */
#ifndef EXPLAIN_BUILTIN_FILE
#define EXPLAIN_BUILTIN_FILE "docs/troubleshooting.md"
#endif

EMBED_FILE(explain_builtin_text, EXPLAIN_BUILTIN_FILE)
