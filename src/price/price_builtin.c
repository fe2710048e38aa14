#include "price/price.h"

/*
 * The list is taken into the program by the assembler, because C17 has no way to embed a file and a
 * generated array would need a tool and a step before the compiler.  The path is relative to the
 * folder the compiler runs in, the root of the source tree.
 */
#ifndef PRICE_BUILTIN_FILE
#define PRICE_BUILTIN_FILE "data/bedrock-prices.json"
#endif

__asm__(".pushsection .rodata, \"a\"\n"
        ".globl price_builtin_begin, price_builtin_end\n"
        ".hidden price_builtin_begin, price_builtin_end\n"
        "price_builtin_begin:\n"
        ".incbin \"" PRICE_BUILTIN_FILE "\"\n"
        "price_builtin_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char price_builtin_begin[] __attribute__((visibility("hidden")));
extern const char price_builtin_end[] __attribute__((visibility("hidden")));

struct view prices_builtin_text(void)
{
    /* As integers: the two symbols are different objects to the compiler. */
    uintptr_t len = (uintptr_t)price_builtin_end - (uintptr_t)price_builtin_begin;

    return view_make(price_builtin_begin, (size_t)len);
}
