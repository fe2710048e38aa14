/*
 * source_file.c: objects that are local files: named ones, all below a folder, and standard input.
 *
 * A duplicate is recognised without a list of all files: a file was named before if its real path,
 * or a folder above it, is a SOURCE that came earlier.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/table.h"
#include "objects/source.h"

enum {
    PATH_CEILING = 64 * 1024,
    READ_AHEAD_FROM = 1 << 20, /* bytes of a file; smaller ones are read in a few calls anyway */
};

/* A path the user named, by its real path; the first one of that path counts. */
struct root {
    char *real; /* NULL: has none; "-" is a standard input that is not a file */
    bool is_folder;
    bool is_input; /* named as "-" */
};

struct source_files {
    struct source source;
    char *const *paths;
    size_t count;
    struct root *roots;
    struct table table; /* roots by real path: the first one of each path */
};

/* ---- duplicates ---- */

/* The first root with this real path, or SIZE_MAX. */
static size_t find_root(const struct source_files *files, struct view path)
{
    struct table_look look = table_look((uint32_t)table_hash_bytes(path));
    while (table_next(&files->table, &look)) {
        if (view_eq_cstr(path, files->roots[look.number].real))
            return look.number;
    }
    return SIZE_MAX;
}

/*
 * Whether an earlier root named this real path: as it is, or as a folder above it.  So no list
 * of all files is needed.
 */
static bool named_before(const struct source_files *files, const char *real, size_t index)
{
    struct view path = view_of(real);
    size_t root = find_root(files, path);
    if (root < index)
        return true;
    while (path.len > 0) {
        while (path.len > 0 && path.ptr[path.len - 1] != '/')
            path.len--;
        if (path.len > 0)
            path.len--;
        root = find_root(files, view_make(real, path.len > 0 ? path.len : 1)); /* 1: the "/" */
        if (root < index && files->roots[root].is_folder)
            return true;
    }
    return false;
}

/* ---- listing ---- */

struct folder {
    DIR *dir;
    size_t path_len; /* of the path without the names below it */
    size_t real_len;
};

struct walk {
    const struct source_files *files;
    size_t index;
    source_found_fn *found;
    void *context;
    struct buf path; /* as the program names it */
    struct buf real;
    struct folder *folders; /* open ones, outermost first */
    size_t depth, capacity;
};

static enum status report(const struct walk *w, enum object_found found, uint64_t size, bool named,
                          const struct error *err)
{
    struct object_ref ref = {&w->files->source, buf_view(&w->path), size, named};
    return w->found(w->context, &ref, found, err);
}

static enum status report_failed(struct walk *w, const char *what, int code)
{
    struct error err = {0};
    (void)error_set(&err, ST_IO, code_of_errno(code, E_F109), "%s: %s", what,
                    strerrordesc_np(code));
    return report(w, OBJECT_FAILED, 0, false, &err);
}

static enum status push_folder(struct walk *w, int fd)
{
    bool room = array_room(&w->folders, w->depth, &w->capacity, 16, sizeof(*w->folders));
    DIR *dir = room ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        close(fd);
        return ST_NO_MEMORY;
    }
    w->folders[w->depth++] = (struct folder){dir, w->path.len, w->real.len};
    return ST_OK;
}

static bool ends_in_slash(const struct buf *b)
{
    return b->len > 0 && b->ptr[b->len - 1] == '/';
}

/* One entry of a folder: list it, or put it onto the stack of folders. */
static enum status visit(struct walk *w, int parent, const char *name)
{
    struct stat st;
    size_t more = strlen(name) + 2;
    if (w->path.len + more > PATH_CEILING || w->real.len + more > PATH_CEILING)
        return report_failed(w, "folder is nested too deeply", ENAMETOOLONG);
    if (!ends_in_slash(&w->path))
        buf_add_char(&w->path, '/');
    buf_add_cstr(&w->path, name);
    if (!ends_in_slash(&w->real))
        buf_add_char(&w->real, '/');
    buf_add_cstr(&w->real, name);
    const char *real = buf_cstr(&w->real);
    if (buf_status(&w->path) != ST_OK || real == NULL)
        return ST_NO_MEMORY;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ST_OK : report_failed(w, "cannot be examined", errno);
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return errno == ENOENT ? ST_OK : report_failed(w, "folder cannot be read", errno);
        return push_folder(w, fd);
    }
    if (!S_ISREG(st.st_mode))
        return ST_OK;
    enum object_found found =
        named_before(w->files, real, w->index) ? OBJECT_DUPLICATE : OBJECT_FOUND;
    return report(w, found, (uint64_t)st.st_size, false, NULL);
}

/* Depth first with a stack of open folders; no recursion, so depth is bounded by descriptors only.
 */
static enum status walk_folders(struct walk *w)
{
    enum status st = ST_OK;
    while (w->depth > 0 && st == ST_OK) {
        struct folder *top = &w->folders[w->depth - 1];
        w->path.len = top->path_len;
        w->real.len = top->real_len;
        errno = 0;
        const struct dirent *entry = readdir(top->dir);
        if (entry == NULL) {
            if (errno != 0)
                st = report_failed(w, "folder cannot be read to its end", errno);
            closedir(top->dir);
            w->depth--;
        } else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            st = visit(w, dirfd(top->dir), entry->d_name);
        }
    }
    return st;
}

/* One SOURCE. */
static enum status list_root(struct walk *w)
{
    const struct root *root = &w->files->roots[w->index];
    const char *path = w->files->paths[w->index];
    struct stat st;
    buf_reset(&w->path);
    buf_reset(&w->real);
    buf_add_cstr(&w->path, path);
    buf_add_cstr(&w->real, root->real == NULL ? "" : root->real);
    if (buf_status(&w->path) != ST_OK || buf_status(&w->real) != ST_OK)
        return ST_NO_MEMORY;
    if (root->is_input) {
        bool before = named_before(w->files, root->real, w->index);
        return report(w, before ? OBJECT_DUPLICATE : OBJECT_FOUND, 0, true, NULL);
    }
    if (stat(path, &st) != 0)
        return report_failed(w, "cannot be opened", errno);
    if (!S_ISDIR(st.st_mode)) {
        bool before = root->real != NULL && named_before(w->files, root->real, w->index);
        uint64_t size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        return report(w, before ? OBJECT_DUPLICATE : OBJECT_FOUND, size, true, NULL);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return report_failed(w, "folder cannot be read", errno);
    enum status result = push_folder(w, fd);
    return result != ST_OK ? result : walk_folders(w);
}

static enum status list_files(const struct source *source, source_found_fn *found, void *context)
{
    struct walk w = {
        .files = (const struct source_files *)source, .found = found, .context = context};
    enum status st = ST_OK;
    buf_init(&w.path, PATH_CEILING);
    buf_init(&w.real, PATH_CEILING);
    for (; w.index < w.files->count && st == ST_OK; w.index++)
        st = list_root(&w);
    while (w.depth > 0)
        closedir(w.folders[--w.depth].dir);
    free(w.folders);
    buf_clear(&w.path);
    buf_clear(&w.real);
    return st;
}

/* ---- reading ---- */

struct file_stream {
    struct byte_stream stream;
    int fd;
    bool is_input;
    struct stat opened; /* what the file was then */
};

/* Whether a file still is what was opened.  Pipes and devices have nothing to compare. */
static bool is_unchanged(const struct file_stream *file)
{
    const struct stat *was = &file->opened;
    struct stat is;
    return !S_ISREG(was->st_mode) ||
           (fstat(file->fd, &is) == 0 && is.st_size == was->st_size &&
            is.st_mtim.tv_sec == was->st_mtim.tv_sec && is.st_mtim.tv_nsec == was->st_mtim.tv_nsec);
}

static enum status file_read(struct byte_stream *stream, void *out, size_t size, size_t *n,
                             struct error *err)
{
    struct file_stream *file = (struct file_stream *)stream;
    for (;;) {
        ssize_t got = read(file->fd, out, size);
        if (got > 0) {
            *n = (size_t)got;
            return ST_OK;
        }
        if (got == 0 && is_unchanged(file))
            return ST_END;
        if (got == 0)
            return error_set(err, ST_RETRY, E_O110, "changed while it was read");
        if (errno != EINTR)
            return error_set(err, ST_IO, code_of_errno(errno, E_F109), "read failed: %s",
                             strerrordesc_np(errno));
    }
}

static void file_close(struct byte_stream *stream)
{
    struct file_stream *file = (struct file_stream *)stream;
    if (!file->is_input)
        close(file->fd);
    free(file);
}

static const struct byte_stream_class file_stream_class = {file_read, file_close};

/* A listing finds files whose path is longer than open() takes; those are reached in pieces. */
static int open_at_any_length(char *path, int flags)
{
    int folder = AT_FDCWD;
    while (strlen(path) >= PATH_MAX) {
        char *slash = memrchr(path + 1, '/', PATH_MAX - 2);
        if (slash == NULL)
            break;
        *slash = '\0';
        int next = openat(folder, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int code = errno;
        if (folder != AT_FDCWD)
            close(folder);
        if (next < 0) {
            errno = code;
            return -1;
        }
        folder = next;
        path = slash + 1;
    }
    int fd = openat(folder, path, flags);
    int code = errno;
    if (folder != AT_FDCWD)
        close(folder);
    errno = code;
    return fd;
}

/*
 * A file that vanished since it was listed is ST_MISSING; one that the user named and that is not
 * there is an error.
 */
static enum status open_path(const struct object_ref *ref, int *fd, struct stat *st,
                             struct error *err)
{
    char *path = strndup(ref->key.ptr, ref->key.len);
    if (path == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    /* What a folder listing found must still be a plain file: no link, nothing that blocks. */
    int flags = O_RDONLY | O_CLOEXEC | (ref->named ? 0 : O_NOFOLLOW | O_NONBLOCK);
    *fd = open_at_any_length(path, flags);
    int code = errno;
    free(path);
    if (*fd < 0)
        return error_set(err,
                         code == ENOENT && !ref->named     ? ST_MISSING
                         : code == EACCES || code == EPERM ? ST_DENIED
                                                           : ST_IO,
                         code_of_errno(code, E_F109), "cannot be opened: %s",
                         strerrordesc_np(code));
    if (fstat(*fd, st) == 0 && (ref->named ? !S_ISDIR(st->st_mode) : S_ISREG(st->st_mode))) {
        if (st->st_size > READ_AHEAD_FROM)
            (void)posix_fadvise(*fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        return ST_OK;
    }
    close(*fd);
    return error_set(err, ST_BAD_ITEM, E_O107, "is no longer a regular file");
}

static enum status open_file(const struct source *source, const struct object_ref *ref,
                             struct byte_stream **stream, struct error *err)
{
    (void)source;
    bool is_input = ref->named && view_eq(ref->key, VIEW_LIT("-"));
    int fd = STDIN_FILENO;
    struct stat about = {0};
    enum status st = is_input ? ST_OK : open_path(ref, &fd, &about, err);
    if (st != ST_OK)
        return st;
    if (is_input && fstat(fd, &about) != 0)
        about.st_mode = 0; /* whatever it is: nothing to compare */
    struct file_stream *file = malloc(sizeof(*file));
    if (file == NULL) {
        if (!is_input)
            close(fd);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    *file = (struct file_stream){{&file_stream_class}, fd, is_input, about};
    *stream = &file->stream;
    return ST_OK;
}

/* ---- life ---- */

static void free_files(struct source *source)
{
    struct source_files *files = (struct source_files *)source;
    for (size_t i = 0; i < files->count && files->roots != NULL; i++)
        free(files->roots[i].real);
    free(files->roots);
    table_clear(&files->table);
    free(files);
}

/* A file that is standard input is that file; a pipe, socket or terminal has no path, or several.
 */
static bool is_pathless_input(const struct root *root, const struct stat *st)
{
    struct stat input;
    if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
        return false;
    return root->is_input || (fstat(STDIN_FILENO, &input) == 0 && input.st_dev == st->st_dev &&
                              input.st_ino == st->st_ino);
}

/*
 * What a SOURCE is, and the path it is known by: realpath() follows links, so two links to one file
 * are one file.  false: out of memory.
 */
static bool find_real(struct root *root, const char *path)
{
    struct stat st = {0};
    root->is_input = strcmp(path, "-") == 0;
    bool there = (root->is_input ? fstat(STDIN_FILENO, &st) : stat(path, &st)) == 0;
    bool has_path = there ? !is_pathless_input(root, &st) : !root->is_input;
    root->is_folder = !root->is_input && there && S_ISDIR(st.st_mode);
    errno = 0;
    if (has_path)
        root->real = realpath(root->is_input ? "/proc/self/fd/0" : path, NULL);
    if (root->real == NULL && errno != ENOMEM && (root->is_input || !has_path))
        root->real = strdup("-"); /* also for a file that was deleted */
    return root->real != NULL || errno != ENOMEM;
}

static const struct source_class files_class = {list_files, open_file, free_files};

struct source *source_files_new(char *const *paths, size_t count)
{
    struct source_files *files = calloc(1, sizeof(*files));
    if (files == NULL)
        return NULL;
    files->source.class = &files_class;
    files->paths = paths;
    files->count = count;
    files->roots = calloc(count, sizeof(*files->roots));
    bool ok = files->roots != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        struct root *root = &files->roots[i];
        ok = find_real(root, paths[i]);
        if (ok && root->real != NULL && find_root(files, view_of(root->real)) == SIZE_MAX)
            ok = table_add(&files->table, (uint32_t)table_hash_bytes(view_of(root->real)),
                           (uint32_t)i) == ST_OK;
    }
    if (!ok) {
        free_files(&files->source);
        return NULL;
    }
    return &files->source;
}
