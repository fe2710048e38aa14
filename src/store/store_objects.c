/* store_objects.c: what is remembered of each object, and the transaction that counts it. */
#include <stdlib.h>

#include "store/chunk.h"
#include "store/store_private.h"

enum { SERIES_PER_BLOCK = 4096, BLOCK_BYTES = 16 << 20 };

static void bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    sqlite3_bind_int64(s, at, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void counted_object_free(struct counted_object *object)
{
    if (object == NULL)
        return;
    for (size_t i = 0; i < object->chunk_count; i++)
        buf_clear(&object->chunks[i].cells);
    free(object->chunks);
    free(object->key);
    free(object);
}

static enum status find(struct store *store, struct view key, int64_t *id, struct store_object *out,
                        struct error *err)
{
    enum status st;
    sqlite3_stmt *s = STORE_BIND(store, S_FIND, &st, err, SQL_VIEW(key));
    if (s == NULL)
        return st;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *id = sqlite3_column_int64(s, 0);
        out->state = (enum object_state)sqlite3_column_int(s, 1);
        out->size = sqlite3_column_int64(s, 2);
        out->mtime_ns = sqlite3_column_int64(s, 3);
        out->hash = sqlite3_column_int64(s, 4);
    } else {
        st = code == SQLITE_DONE ? ST_MISSING : store_fault(store, code, err);
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st;
}

enum status store_find(struct store *store, struct view key, struct store_object *out,
                       struct error *err)
{
    int64_t id;
    return find(store, key, &id, out, err);
}

/* The columns that an object and the sums of objects have in common. */
static void bind_tally(sqlite3_stmt *s, const struct tally *t)
{
    bind_u64(s, 6, t->records.found);
    bind_u64(s, 7, t->records.counted);
    for (int i = 0; i < RECORD_SKIP_COUNT; i++)
        bind_u64(s, 8 + i, t->records.skipped[i]);
    bind_u64(s, 12, t->bytes_read);
    bind_u64(s, 13, t->bytes_inflated);
    if (t->has_times) {
        sqlite3_bind_int64(s, 14, t->first_time);
        sqlite3_bind_int64(s, 15, t->last_time);
    }
}

/* `objects` more of an object's state, with what was found in it. */
static enum status add_tally(struct store *store, const struct counted_object *o, int objects,
                             struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_ADD_TALLY, &st, err);
    if (s == NULL)
        return st;
    bool skipped = o->file.state == OBJECT_STATE_SKIPPED;
    sqlite3_bind_int(s, 1, objects);
    sqlite3_bind_int(s, 4, (int)o->file.state);
    sqlite3_bind_text(s, 5, skipped ? object_skip_name(o->skip) : "", -1, SQLITE_STATIC);
    bind_tally(s, &o->tally);
    return store_finish(store, s, err);
}

static enum status put_object(struct store *store, enum store_statement which,
                              const struct counted_object *o, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, which, &st, err);
    if (s == NULL)
        return st;
    store_bind_view(s, 1, view_make(o->key, o->key_len));
    sqlite3_bind_int64(s, 2, o->file.size);
    sqlite3_bind_int64(s, 3, o->file.mtime_ns);
    sqlite3_bind_int(s, 4, (int)o->file.state);
    if (o->file.state == OBJECT_STATE_SKIPPED)
        sqlite3_bind_text(s, 5, object_skip_name(o->skip), -1, SQLITE_STATIC);
    else if (o->file.state == OBJECT_STATE_FAILED)
        sqlite3_bind_text(s, 5, o->reason, -1, SQLITE_STATIC);
    bind_tally(s, &o->tally);
    sqlite3_bind_int64(s, 16, o->file.inode);
    sqlite3_bind_int64(s, 17, o->file.born_ns);
    sqlite3_bind_int64(s, 18, o->file.hash);
    return store_finish(store, s, err);
}

static enum status put_chunks(struct store *store, int64_t id, const struct counted_object *o,
                              struct error *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < o->chunk_count && st == ST_OK; i++) {
        struct view cells = buf_view(&o->chunks[i].cells);
        st = STORE_WRITE_ROW(store, S_INSERT_CHUNK, err, SQL_NUMBER(id),
                             SQL_NUMBER(o->chunks[i].hour), SQL_VIEW(cells));
    }
    return st;
}

/* Another key of the same file.  Its text is valid until the statement's next use. */
struct twin {
    int64_t id;
    enum object_state state;
    struct view key;
    int64_t hash;
};

/* ST_MISSING: there is none.  ST_OK: reset the statement when done. */
static enum status find_twin(struct store *store, const struct store_object *file, struct twin *out,
                             sqlite3_stmt **statement, struct error *err)
{
    enum status st;
    sqlite3_stmt *s = store_statement(store, S_FIND_TWIN, &st, err);
    *statement = s;
    if (s == NULL || file->inode == 0)
        return s == NULL ? st : ST_MISSING;
    sqlite3_bind_int64(s, 1, file->inode);
    sqlite3_bind_int64(s, 2, file->born_ns);
    sqlite3_bind_int64(s, 3, file->size);
    sqlite3_bind_int64(s, 4, file->mtime_ns);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *out = (struct twin){
            .id = sqlite3_column_int64(s, 0),
            .state = (enum object_state)sqlite3_column_int(s, 1),
            .key = store_column_view(s, 2),
            .hash = sqlite3_column_int64(s, 3),
        };
        return ST_OK;
    }
    st = code == SQLITE_DONE ? ST_MISSING : store_fault(store, code, err);
    sqlite3_reset(s);
    return st;
}

static enum status rename_object(struct store *store, int64_t id, const struct counted_object *o,
                                 struct error *err)
{
    struct view key = view_make(o->key, o->key_len);
    return STORE_WRITE_ROW(store, S_RENAME, err, SQL_NUMBER(id), SQL_VIEW(key),
                           SQL_NUMBER(o->file.size), SQL_NUMBER(o->file.mtime_ns),
                           SQL_NUMBER(o->file.hash));
}

enum name { NAME_NEW, NAME_CHANGED, NAME_GONE };

/*
 * What a key that is not known means: a file of its own, one that had another name, whose row
 * then gets this one, or a name that the file has no more.  Two names that are both there are two
 * links, and two objects.
 */
static enum status judge_name(struct store *store, const struct counted_object *o,
                              store_exists_fn *exists, void *context, enum name *name,
                              struct twin *twin, struct error *err)
{
    sqlite3_stmt *s;
    struct view key = view_make(o->key, o->key_len);
    enum status st = find_twin(store, &o->file, twin, &s, err);
    *name = NAME_NEW;
    if (st != ST_OK)
        return st == ST_MISSING ? ST_OK : st;
    if (!exists(context, twin->key))
        *name = NAME_CHANGED;
    else if (!exists(context, key))
        *name = NAME_GONE;
    twin->key = VIEW_EMPTY;
    sqlite3_reset(s);
    return *name == NAME_CHANGED ? rename_object(store, twin->id, o, err) : ST_OK;
}

/* As an object that failed is in the tally. */
static const struct counted_object was_failed = {.file = {.state = OBJECT_STATE_FAILED}};

/*
 * An object that is known stays as it was, unless it had failed: then this attempt replaces it, in
 * its row and in the tally.
 */
static enum status commit_object(struct store *store, struct counted_object *o,
                                 store_exists_fn *exists, void *context, struct error *err)
{
    struct store_object known;
    struct twin twin = {0};
    enum name name = NAME_NEW;
    int64_t id = 0;
    enum status st = find(store, view_make(o->key, o->key_len), &id, &known, err);
    o->applied = o->changed = false;
    bool is_known = st == ST_OK;
    if (st == ST_MISSING)
        st = judge_name(store, o, exists, context, &name, &twin, err);
    if (st != ST_OK || name == NAME_GONE)
        return st;
    if (name == NAME_CHANGED) {
        is_known = true;
        id = twin.id;
        known.state = twin.state;
        o->changed = twin.state == OBJECT_STATE_COUNTED && twin.hash != o->file.hash;
    }
    if (is_known && known.state != OBJECT_STATE_FAILED)
        return ST_OK;
    if (is_known)
        st = add_tally(store, &was_failed, -1, err);
    if (st == ST_OK)
        st = put_object(store, is_known ? S_UPDATE_OBJECT : S_INSERT_OBJECT, o, err);
    if (st == ST_OK && !is_known)
        id = sqlite3_last_insert_rowid(store->db);
    if (st == ST_OK)
        st = put_chunks(store, id, o, err);
    if (st == ST_OK)
        st = add_tally(store, o, 1, err);
    o->applied = st == ST_OK;
    return st;
}

static enum status save_series(struct store *store, const struct dictionary *d, uint32_t count,
                               struct error *err)
{
    size_t width = dictionary_width(d);
    struct buf texts;
    enum status st = ST_OK;
    buf_init(&texts, BLOCK_BYTES);
    for (uint32_t first = store->series_saved; first < count && st == ST_OK;) {
        uint32_t n = 0;
        buf_reset(&texts);
        for (; first + n < count && n < SERIES_PER_BLOCK; n++) {
            uint32_t text[DICTIONARY_MAX_WIDTH];
            dictionary_values(d, first + n, text);
            for (size_t k = 0; k < width; k++)
                chunk_add_number(&texts, text[k]);
        }
        struct view block = buf_view(&texts);
        st = buf_status(&texts) != ST_OK
                 ? error_set(err, buf_status(&texts), E_R113, "out of memory")
                 : STORE_WRITE_ROW(store, S_INSERT_SERIES, err, SQL_NUMBER(first), SQL_VIEW(block));
        first += n;
    }
    buf_clear(&texts);
    return st;
}

static enum status save_dictionary(struct store *store, const struct dictionary *d, uint32_t texts,
                                   uint32_t series, struct error *err)
{
    enum status st = ST_OK;
    for (uint32_t i = store->texts_saved; i < texts && st == ST_OK; i++) {
        struct view text = dictionary_text(d, i);
        st = STORE_WRITE_ROW(store, S_INSERT_TEXT, err, SQL_NUMBER(i), SQL_VIEW(text));
    }
    return st == ST_OK ? save_series(store, d, series, err) : st;
}

/*
 * One transaction for texts, series, objects, chunks and the tally.  What is saved of the
 * dictionary is noted only after the commit, so that a list that failed can be tried again.
 */
static enum status commit_once(struct store *store, const struct dictionary *dictionary,
                               struct counted_object *list, store_exists_fn *exists, void *context,
                               struct error *err)
{
    uint32_t texts, series;
    enum status st = store_begin_writing(store, err);
    if (st != ST_OK)
        return st;
    dictionary_counts(dictionary, &texts, &series);
    st = save_dictionary(store, dictionary, texts, series, err);
    for (struct counted_object *o = list; o != NULL && st == ST_OK; o = o->next)
        st = commit_object(store, o, exists, context, err);
    st = store_end_writing(store, st, err);
    if (st != ST_OK)
        return st;
    store->texts_saved = texts;
    store->series_saved = series;
    return ST_OK;
}

/* What met a full disk is tried again with the room that the log had. */
enum status store_commit(struct store *store, const struct dictionary *dictionary,
                         struct counted_object *list, store_exists_fn *exists, void *context,
                         struct error *err)
{
    enum status st = commit_once(store, dictionary, list, exists, context, err);
    if (st != ST_OK && store->was_full)
        st = commit_once(store, dictionary, list, exists, context, err);
    return st;
}

enum status store_touch(struct store *store, struct view key, const struct store_object *file,
                        struct error *err)
{
    return STORE_WRITE_ROW(store, S_TOUCH, err, SQL_VIEW(key), SQL_NUMBER(file->size),
                           SQL_NUMBER(file->mtime_ns), SQL_NUMBER(file->hash));
}
