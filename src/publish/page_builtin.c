#include "publish/page.h"

/*
 * The built page is taken into the program by the assembler, as the price list is.  The path is
 * relative to the folder the compiler runs in, the root of the source tree.
 */
#ifndef PAGE_BUILTIN_FILE
#define PAGE_BUILTIN_FILE "build/web/index.html"
#endif

__asm__(".pushsection .rodata, \"a\"\n"
        ".globl page_builtin_begin, page_builtin_end\n"
        ".hidden page_builtin_begin, page_builtin_end\n"
        "page_builtin_begin:\n"
        ".incbin \"" PAGE_BUILTIN_FILE "\"\n"
        "page_builtin_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char page_builtin_begin[] __attribute__((visibility("hidden")));
extern const char page_builtin_end[] __attribute__((visibility("hidden")));

struct view page_builtin_text(void)
{
    /* As integers: the two symbols are different objects to the compiler. */
    uintptr_t len = (uintptr_t)page_builtin_end - (uintptr_t)page_builtin_begin;

    return view_make(page_builtin_begin, (size_t)len);
}
