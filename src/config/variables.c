/* variables.c: the table of our environment variables, and values checked by their rows. */
#include "config/variables.h"

#include <stdlib.h>

#include "base/suggest.h"

#define VARIABLES_ROW(name, otherwise, values, readers, dotenv, help)                              \
    {#name, otherwise, values, readers, dotenv, help},
static const struct variable table[VARIABLE_COUNT] = {VARIABLES(VARIABLES_ROW)};

const struct variable *variable_at(enum variable_id id)
{
    return &table[id];
}

bool variable_given(enum variable_id id)
{
    const char *value = getenv(table[id].name);
    return value != NULL && value[0] != '\0';
}

const char *variable_get(enum variable_id id)
{
    return variable_given(id) ? getenv(table[id].name) : table[id].otherwise;
}

enum status variable_number(enum variable_id id, uint64_t *out, struct error *err)
{
    const struct variable *v = &table[id];
    const char *value = variable_get(id);
    uint64_t number;
    if (value == NULL)
        return ST_OK;
    if (view_parse_u64(view_of(value), v->high, &number) != ST_OK || number < v->low)
        return error_set(err, ST_USAGE, E_U208,
                         "%s: must be an integer from %llu to %llu, not \"%.80s\"", v->name,
                         (unsigned long long)v->low, (unsigned long long)v->high, value);
    *out = number;
    return ST_OK;
}

enum status variable_flag(enum variable_id id, bool *out, struct error *err)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    const char *value = variable_get(id);
    if (value == NULL)
        return ST_OK;
    for (size_t i = 0; i < 4; i++) {
        bool is_yes = view_eq_nocase(view_of(value), view_of(yes[i]));
        if (is_yes || view_eq_nocase(view_of(value), view_of(no[i]))) {
            *out = is_yes;
            return ST_OK;
        }
    }
    return error_set(err, ST_USAGE, E_U207, "%s: \"%.80s\" is neither true nor false",
                     table[id].name, value);
}

enum status variable_choice(enum variable_id id, unsigned *out, struct error *err)
{
    struct suggestion known;
    const char *value = variable_get(id);
    if (value == NULL || suggest_choice(table[id].words, value, out, &known))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U299, "%s: \"%.80s\" is unknown%s", table[id].name, value,
                     known.text);
}

enum status variable_check(enum variable_id id, struct error *err)
{
    uint64_t number;
    unsigned word;
    bool flag;
    switch (table[id].kind) {
    case VARIABLE_NUMBER: return variable_number(id, &number, err);
    case VARIABLE_FLAG: return variable_flag(id, &flag, err);
    case VARIABLE_CHOICE: return variable_choice(id, &word, err);
    case VARIABLE_TEXT: break;
    }
    return ST_OK;
}

enum status variable_set(enum variable_id id, const char *value, struct error *err)
{
    if (value != NULL && setenv(table[id].name, value, 1) != 0)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    return ST_OK;
}
