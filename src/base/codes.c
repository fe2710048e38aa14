/* The codes as they are printed; codes.h has the list. */
#include "base/codes.h"

#include <stddef.h>

const char *code_text(enum code code)
{
#define CODE_TEXT(name) "BM-" #name,
    static const char *const texts[] = {NULL, ERROR_CODES(CODE_TEXT)};
#undef CODE_TEXT
    return (unsigned)code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : NULL;
}
