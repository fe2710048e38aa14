#include "base/embed.h"
#include "report/page.h"

#ifndef PAGE_BUILTIN_FILE
#define PAGE_BUILTIN_FILE "build/web/index.html"
#endif

EMBED_FILE(page_builtin_text, PAGE_BUILTIN_FILE)
