/*
 * object_name.c: the names of the command line ("s3://bucket/key", a path) as bucket and key.  A
 * file of its own because realpath() reads the file system, which ledger_id.c must not.
 */
#include "ledger/object_name.h"

#include <stdlib.h>

#include "config/config.h"
#include "objects/source_s3.h"

enum status object_name_split(struct view shown, struct view *bucket, struct view *key, char **path)
{
    *path = NULL;
    *bucket = VIEW_LIT("");
    if (view_starts(shown, VIEW_LIT("s3://")))
        return source_s3_parse(shown, bucket, key, NULL);
    char *text = view_dup(shown);
    if (text == NULL)
        return ST_NO_MEMORY;
    *path = strcmp(text, "-") == 0 ? NULL : realpath(text, NULL);
    free(text);
    *key = view_of(*path);
    return *path == NULL ? ST_MISSING : ST_OK;
}

enum status object_name_id(enum ledger_identity identity, struct view shown, struct ledger_id *id)
{
    struct view bucket, key;
    char *path;
    enum status st = object_name_split(shown, &bucket, &key, &path);
    if (st == ST_OK)
        st = ledger_id_of(identity, bucket, key, id);
    free(path);
    return st;
}

enum status object_name_identity(enum ledger_identity *out, struct error *err)
{
    const char *identity = config_get("LEDGER_IDENTITY", "key");
    if (ledger_identity_parse(view_of(identity), out) == ST_OK)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U222,
                     "LEDGER_IDENTITY: \"%.80s\" is unknown; known are key, path", identity);
}
