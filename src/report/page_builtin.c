/* page_builtin.c: the page as npm builds it from web/, linked into the program. */
#include "base/embed.h"
#include "report/page.h"

#ifndef PAGE_BUILTIN_FILE
#define PAGE_BUILTIN_FILE "build/web/index.html"
#endif

EMBED_FILE(page_builtin_text, PAGE_BUILTIN_FILE)
