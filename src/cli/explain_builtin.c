#include "cli/cmd_explain.h"

/*
 * The page is taken into the program by the assembler, as the price list is, so that there is one
 * text of what a code means.  The path is relative to the folder the compiler runs in, the root of
 * the source tree.
 */
#ifndef EXPLAIN_BUILTIN_FILE
#define EXPLAIN_BUILTIN_FILE "docs/troubleshooting.md"
#endif

__asm__(".pushsection .rodata, \"a\"\n"
        ".globl explain_builtin_begin, explain_builtin_end\n"
        ".hidden explain_builtin_begin, explain_builtin_end\n"
        "explain_builtin_begin:\n"
        ".incbin \"" EXPLAIN_BUILTIN_FILE "\"\n"
        "explain_builtin_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char explain_builtin_begin[] __attribute__((visibility("hidden")));
extern const char explain_builtin_end[] __attribute__((visibility("hidden")));

struct view explain_builtin_text(void)
{
    /* As integers: the two symbols are different objects to the compiler. */
    uintptr_t len = (uintptr_t)explain_builtin_end - (uintptr_t)explain_builtin_begin;

    return view_make(explain_builtin_begin, (size_t)len);
}
