/*
 * embed.h: a file as a part of the program.
 *
 * The assembler takes it in, because C17 has no way to embed a file and a generated array would
 * need a tool and a step before the compiler.  The path is relative to the folder the compiler runs
 * in, the root of the source tree; the Makefile names the file as what the object is made of.
 */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include "base/view.h"

/* Define `struct view FUNCTION(void)`, the bytes of the file; they live as long as the program. */
#define EMBED_FILE(function, path)                                                                 \
    __asm__(".pushsection .rodata, \"a\"\n"                                                        \
            ".globl " #function "_begin, " #function "_end\n"                                      \
            ".hidden " #function "_begin, " #function "_end\n" #function "_begin:\n"               \
            ".incbin \"" path "\"\n" #function "_end:\n"                                           \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char function##_begin[] __attribute__((visibility("hidden")));                    \
    extern const char function##_end[] __attribute__((visibility("hidden")));                      \
    struct view function(void)                                                                     \
    {                                                                                              \
        /* As integers: the two symbols are different objects to the compiler. */                  \
        uintptr_t len = (uintptr_t)function##_end - (uintptr_t)function##_begin;                   \
        return view_make(function##_begin, (size_t)len);                                           \
    }

#endif
