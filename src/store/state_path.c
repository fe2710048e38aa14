/*
 * state_path.c: the place of a store by the XDG Base Directory Specification.  The name has a hash
 * of the folder's path, so that two folders of the same name have a store each.
 */
#include "store/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PATH_CEILING = 64 * 1024, NAME_BYTES = 32 };

/* FNV-1a; only has to tell one user's folders apart, and the store names its folder itself. */
static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static enum status make_folders(char *path, struct error *err)
{
    for (char *at = path + 1;; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!made) {
            enum status st = error_set(err, ST_IO, code_of_errno(errno, E_S115), "%s: %s", path,
                                       strerrordesc_np(errno));
            *at = c;
            return st;
        }
        *at = c;
        if (c == '\0')
            return ST_OK;
    }
}

/* The last part of the path in letters that are harmless in a name. */
static void add_name(struct buf *out, const char *folder)
{
    struct view path = view_of(folder), name = VIEW_EMPTY, part;
    while (view_split(&path, '/', &part)) {
        if (part.len > 0)
            name = part;
    }
    for (size_t i = 0; i < name.len && i < NAME_BYTES; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        buf_add_char(out, plain ? c : '_');
    }
}

enum status state_path_of_folder(const char *real_folder, char **out, struct error *err)
{
    struct buf path;
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    *out = NULL;
    buf_init(&path, PATH_CEILING);
    /* The specification says to ignore a relative one. */
    if (state != NULL && state[0] == '/') {
        buf_add_cstr(&path, state);
    } else if (home != NULL && home[0] == '/') {
        buf_add_cstr(&path, home);
        buf_add_cstr(&path, "/.local/state");
    } else {
        return error_set(err, ST_USAGE, E_U306,
                         "no home folder for the store; give one with --store FILE");
    }
    buf_add_cstr(&path, "/bedrock-metrics");
    enum status st = buf_cstr(&path) == NULL ? ST_NO_MEMORY : make_folders(path.ptr, err);
    if (st == ST_OK) {
        buf_add_char(&path, '/');
        add_name(&path, real_folder);
        buf_printf(&path, "-%016llx.sqlite", (unsigned long long)hash_text(real_folder));
        st = buf_cstr(&path) == NULL ? ST_NO_MEMORY : ST_OK;
    }
    if (st != ST_OK) {
        buf_clear(&path);
        return st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory") : st;
    }
    *out = path.ptr;
    return ST_OK;
}
