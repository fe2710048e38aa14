/* dimension.c: what the list says about each dimension, and sets of them as people write them. */
#include "aggregate/dimension.h"

#include "base/suggest.h"

#define DIMENSION_NAME(id, name, ...) name,
#define DIMENSION_ROW(id, name, label, labels, address, page, size)                                \
    {name, label, labels, address, page},
#define DIMENSION_SIZE(id, name, label, labels, address, page, size) size,

static const char *const names[] = {DIMENSIONS(DIMENSION_NAME)};
static const struct dimension_info rows[] = {DIMENSIONS(DIMENSION_ROW)};
static const enum dimension_size sizes[] = {DIMENSIONS(DIMENSION_SIZE)};

const struct dimension_info *dimension_info(enum dimension_kind kind)
{
    return &rows[kind];
}

uint32_t dimension_kept(enum dimension_kind kind, const uint32_t keep[DIMENSION_SIZES])
{
    enum dimension_size size = kind < DIMENSION_FIXED_COUNT ? sizes[kind] : DIMENSION_MODELS;
    return size == DIMENSION_FEW ? 0 : keep[size];
}

/* The index of a key, added if new; SIZE_MAX when there are too many. */
static size_t key_index(struct view *keys, size_t *count, struct view key)
{
    for (size_t i = 0; i < *count; i++) {
        if (view_eq(keys[i], key))
            return i;
    }
    if (*count == DIMENSION_METADATA_KEYS)
        return SIZE_MAX;
    keys[*count] = key;
    return (*count)++;
}

static enum status unknown(struct view name, struct error *err)
{
    struct suggestion near = suggest_end(name, "", names, DIMENSION_FIXED_COUNT);
    return error_set(err, ST_USAGE, E_U201, "unknown dimension \"%.*s\"; known are %s%s",
                     SHOW_MAX(name, 80), DIMENSION_NAMES, near.text);
}

static enum status parse_one(struct view name, struct dimension_keys *keys, struct dimension *out,
                             struct error *err)
{
    static const struct view metadata = {"Metadata:", 9}, tag = {"Tag:", 4};
    *out = (struct dimension){.name = name};
    for (unsigned i = 0; i < DIMENSION_FIXED_COUNT; i++) {
        if (view_eq_cstr(name, names[i])) {
            out->kind = (enum dimension_kind)i;
            return ST_OK;
        }
    }
    if (view_starts(name, metadata) && name.len > metadata.len) {
        out->kind = DIMENSION_METADATA;
        out->key = key_index(keys->metadata, &keys->metadata_count, view_skip(name, metadata.len));
    } else if (view_starts(name, tag) && name.len > tag.len) {
        out->kind = DIMENSION_TAG;
        out->key = key_index(keys->tag, &keys->tag_count, view_skip(name, tag.len));
    } else {
        return unknown(name, err);
    }
    if (out->key == SIZE_MAX)
        return error_set(err, ST_USAGE, E_U203,
                         "more than %d different keys of one kind, at \"%.*s\"",
                         DIMENSION_METADATA_KEYS, SHOW_MAX(name, 80));
    return ST_OK;
}

size_t dimension_set_find(const struct dimension_set *set, struct view name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (view_eq(set->dimension[i].name, name))
            return i;
    }
    return SIZE_MAX;
}

enum status dimension_set_parse(struct view text, struct dimension_keys *keys,
                                struct dimension_set *set, struct error *err)
{
    struct view rest = text.ptr == NULL ? VIEW_LIT("") : text;
    struct view part;
    set->count = 0;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (part.len == 0)
            return error_set(err, ST_USAGE, E_U201,
                             "an empty dimension name in \"%.*s\"; known are %s",
                             SHOW_MAX(text, 80), DIMENSION_NAMES);
        if (set->count == DIMENSIONS_PER_SET)
            return error_set(err, ST_USAGE, E_U203, "more than %d dimensions in one set",
                             DIMENSIONS_PER_SET);
        enum status st = parse_one(part, keys, &set->dimension[set->count], err);
        if (st != ST_OK)
            return st;
        if (dimension_set_find(set, part) != SIZE_MAX)
            return error_set(err, ST_USAGE, E_U103, "dimension \"%.*s\" is named twice",
                             SHOW_MAX(part, 80));
        set->count++;
    }
    return ST_OK;
}
