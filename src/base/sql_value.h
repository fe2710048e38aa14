/*
 * sql_value.h: the parameters of an SQLite statement as an array, so that a statement is one line
 * with its values.
 */
#ifndef BASE_SQL_VALUE_H
#define BASE_SQL_VALUE_H

#include <sqlite3.h>

#include "base/view.h"

/* A parameter: bytes, which stay in place until the statement was stepped, or a number. */
struct sql_value {
    const void *bytes; /* NULL: the number */
    size_t n;
    int64_t number;
};
#define SQL_NUMBER(x) ((struct sql_value){NULL, 0, (int64_t)(x)})
#define SQL_NAME(x) ((struct sql_value){(x).bytes, sizeof(x).bytes, 0}) /* an id or a nonce */
#define SQL_VIEW(x) ((struct sql_value){(x).len == 0 ? "" : (x).ptr, (x).len, 0})

/* Several as two arguments: the array and how many. */
#define SQL_VALUES(...)                                                                            \
    (const struct sql_value[]){__VA_ARGS__},                                                       \
        sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)

/* From ?1 on.  It can only fail for lack of memory, which stepping a NOT NULL column then reports. */
static inline void sql_bind(sqlite3_stmt *s, const struct sql_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (values[i].bytes != NULL)
            sqlite3_bind_blob64(s, (int)i + 1, values[i].bytes, values[i].n, SQLITE_STATIC);
        else
            sqlite3_bind_int64(s, (int)i + 1, values[i].number);
    }
}

#endif
