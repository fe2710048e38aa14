/* status.c: filling in an error, and the names and numbers that statuses and codes come from. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum status error_set(struct error *err, enum status st, enum code code, const char *format, ...)
{
    if (err != NULL) {
        err->code = code;
        va_list ap;
        va_start(ap, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, ap);
        va_end(ap);
    }
    return st;
}

enum code code_of_errno(int number, enum code otherwise)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR: return E_F101;
    case EACCES:
    case EPERM: return E_F102;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return E_F103;
    case EIO:
    case ESTALE: return E_F104;
    case EMFILE:
    case ENFILE: return E_F105;
    case EISDIR: return E_F106;
    case EROFS: return E_F107;
    case ENAMETOOLONG:
    case ELOOP: return E_F108;
    case ENOMEM: return E_R113;
    default: return otherwise;
    }
}

const char *status_name(enum status st)
{
    switch (st) {
    case ST_OK: return "ok";
    case ST_END: return "end";
    case ST_RETRY: return "retry";
    case ST_IN_DOUBT: return "in_doubt";
    case ST_BAD_ITEM: return "bad_item";
    case ST_TOO_BIG: return "too_big";
    case ST_MISSING: return "missing";
    case ST_DENIED: return "denied";
    case ST_CONFLICT: return "conflict";
    case ST_IO: return "io";
    case ST_USAGE: return "usage";
    case ST_CANCELLED: return "cancelled";
    case ST_NO_MEMORY: return "no_memory";
    }
    return "unknown";
}
