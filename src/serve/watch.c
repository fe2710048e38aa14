/*
 * watch.c: inotify for speed, and a walk over the folder for certainty.
 *
 * inotify alone is not enough: its queue can overflow, its watches are limited, network file
 * systems have no events, and a file that was created before its folder was watched is never
 * announced.  So every doubt (an overflow, a new folder, a watch that failed) ends in a walk.
 */
#include "serve/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    PATH_CEILING = 64 * 1024,
    MAX_AGAIN = 4096,         /* files waited for; more are found by walking */
    AGAIN_MS = 1000,          /* between two looks at one */
    WALK_MS = 60 * 1000,      /* between two walks */
    WALK_UNWATCHED_MS = 5000, /* the same where not all can be watched */
    WALK_SHARE = 20,          /* walking takes at most one part in this of the time */
    POLL_MS = 250,
};

/* Age of a file whose writers, if any, cannot be seen. */
static const int64_t settled_ns = INT64_C(2000000000);

static const uint32_t wanted = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVED_FROM |
                               IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;

struct watch {
    const char *folder;
    size_t folder_len; /* without slashes at its end */
    watch_found_fn *found;
    void *context;
    int fd;       /* of inotify; -1: cannot watch */
    char **paths; /* of folders by watch number */
    size_t path_count;
    bool incomplete; /* some folder is not watched */
    bool must_walk;
    int64_t walk_due, walk_took;
    bool warned;
    pthread_mutex_t mutex; /* guards what is below */
    char *again[MAX_AGAIN];
    size_t again_count;
    int64_t again_due;
};

/* ---- one file ---- */

/*
 * A read lease can be had exactly when nobody has the file open for writing.  Where leases cannot
 * be had at all (another owner's file, some file systems) the file must not be too young.
 */
bool watch_is_settled(const char *path, int64_t mtime_ns)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        int code = fcntl(fd, F_SETLEASE, F_RDLCK) == 0 ? 0 : errno;
        if (code == 0)
            (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        close(fd);
        if (code == 0 || code == EAGAIN)
            return code == 0;
    }
    int64_t age = clock_wall_ms() * 1000000 - mtime_ns;
    return age > settled_ns || age < -settled_ns;
}

/* A list without repeats, searched from its start: it is short, and looked at once a second. */
void watch_again(struct watch *w, const char *path)
{
    pthread_mutex_lock(&w->mutex);
    bool known = false;
    for (size_t i = 0; i < w->again_count && !known; i++)
        known = strcmp(w->again[i], path) == 0;
    char *copy = known || w->again_count == MAX_AGAIN ? NULL : strdup(path);
    if (copy != NULL) {
        if (w->again_count == 0)
            w->again_due = clock_steady_ms() + AGAIN_MS;
        w->again[w->again_count++] = copy;
    }
    pthread_mutex_unlock(&w->mutex);
}

static int64_t ns_of(struct statx_timestamp t)
{
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static enum status look_at(struct watch *w, const char *path, struct error *err)
{
    struct statx st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) != 0 ||
        !S_ISREG(st.stx_mode))
        return ST_OK;
    struct watch_file file = {
        .path = path,
        .key = view_of(path + w->folder_len),
        .size = (int64_t)st.stx_size,
        .mtime_ns = ns_of(st.stx_mtime),
        .inode = (int64_t)st.stx_ino,
        .born_ns = (st.stx_mask & STATX_BTIME) != 0 ? ns_of(st.stx_btime) : 0,
    };
    while (file.key.len > 0 && file.key.ptr[0] == '/')
        file.key = view_skip(file.key, 1);
    return w->found(w->context, &file, err);
}

static enum status look_again(struct watch *w, struct error *err)
{
    enum status st = ST_OK;
    pthread_mutex_lock(&w->mutex);
    size_t n = w->again_count > 0 && clock_steady_ms() >= w->again_due ? w->again_count : 0;
    char **paths = n == 0 ? NULL : malloc(n * sizeof(char *));
    if (paths != NULL) {
        memcpy(paths, w->again, n * sizeof(char *));
        w->again_count = 0;
    }
    pthread_mutex_unlock(&w->mutex);
    for (size_t i = 0; paths != NULL && i < n; i++) {
        if (st == ST_OK)
            st = look_at(w, paths[i], err);
        free(paths[i]);
    }
    free(paths);
    return st;
}

/* ---- folders ---- */

static void watch_folder(struct watch *w, const char *path)
{
    if (w->fd < 0)
        return;
    int number = inotify_add_watch(w->fd, path, wanted);
    if (number < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return;
        w->incomplete = true;
        if (!w->warned)
            LOG_FAULT(LOG_WARN, E_S101, "folder cannot be watched, looking again every few seconds",
                      log_cstr("folder", path), log_cstr("reason", strerrordesc_np(errno)));
        w->warned = true;
        return;
    }
    size_t at = (size_t)number;
    if (at >= w->path_count) {
        size_t count = at + at / 2 + 64;
        char **grown = realloc(w->paths, count * sizeof(char *));
        if (grown == NULL) {
            w->incomplete = true;
            return;
        }
        memset(grown + w->path_count, 0, (count - w->path_count) * sizeof(char *));
        w->paths = grown;
        w->path_count = count;
    }
    free(w->paths[at]);
    w->paths[at] = strdup(path);
    w->incomplete = w->incomplete || w->paths[at] == NULL;
}

/* A folder is watched before its names are read, so that nothing comes unseen between the two. */
static enum status walk(struct watch *w, const char *path, uint64_t *faults, struct error *err)
{
    char *copy = strdup(path);
    char *const roots[] = {copy, NULL};
    FTS *fts =
        copy == NULL ? NULL : fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    enum status st = fts == NULL ? error_set(err, ST_NO_MEMORY, E_R113, "out of memory") : ST_OK;
    const FTSENT *entry;
    while (st == ST_OK && (entry = fts_read(fts)) != NULL) {
        switch (entry->fts_info) {
        case FTS_D: watch_folder(w, entry->fts_path); break;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            if (entry->fts_errno == ENOENT && entry->fts_level > 0)
                break;
            LOG_FAULT(LOG_ERROR, E_O120, "folder cannot be read",
                      log_cstr("folder", entry->fts_path),
                      log_cstr("reason", strerrordesc_np(entry->fts_errno)));
            (*faults)++;
            break;
        case FTS_F: st = look_at(w, entry->fts_path, err); break;
        default: break;
        }
    }
    if (fts != NULL)
        fts_close(fts);
    free(copy);
    return st;
}

static void forget_folders(struct watch *w)
{
    for (size_t i = 0; i < w->path_count; i++)
        free(w->paths[i]);
    free(w->paths);
    w->paths = NULL;
    w->path_count = 0;
}

enum status watch_walk(struct watch *w, uint64_t *faults, struct error *err)
{
    int64_t begin = clock_steady_ms();
    *faults = 0;
    if (w->must_walk && w->fd >= 0) {
        /* Folders have moved: their paths are known no more. */
        forget_folders(w);
        close(w->fd);
        w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    }
    w->must_walk = false;
    w->incomplete = w->fd < 0;
    enum status st = walk(w, w->folder, faults, err);
    int64_t end = clock_steady_ms();
    int64_t pause = w->incomplete ? WALK_UNWATCHED_MS : WALK_MS;
    if (pause < (end - begin) * WALK_SHARE)
        pause = (end - begin) * WALK_SHARE;
    w->walk_due = end + pause;
    return st;
}

/* ---- events ---- */

/*
 * IN_CLOSE_WRITE and IN_MOVED_TO are the usual ends of a file.  A moved folder makes every path
 * below it wrong, so all is walked again.
 */
static enum status take_event(struct watch *w, const struct inotify_event *event, struct buf *path,
                              struct error *err)
{
    uint64_t faults = 0;
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        w->must_walk = true;
        return ST_OK;
    }
    if (event->wd < 0 || (size_t)event->wd >= w->path_count || w->paths[event->wd] == NULL)
        return ST_OK;
    if ((event->mask & IN_IGNORED) != 0) {
        free(w->paths[event->wd]);
        w->paths[event->wd] = NULL;
        return ST_OK;
    }
    bool is_folder = (event->mask & IN_ISDIR) != 0;
    if ((event->mask & IN_MOVE_SELF) != 0 || ((event->mask & IN_MOVED_FROM) != 0 && is_folder)) {
        w->must_walk = true;
        return ST_OK;
    }
    if (event->len == 0 || (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE)) == 0)
        return ST_OK;
    buf_reset(path);
    buf_add_cstr(path, w->paths[event->wd]);
    if (path->len == 0 || path->ptr[path->len - 1] != '/')
        buf_add_char(path, '/');
    buf_add_cstr(path, event->name);
    const char *name = buf_cstr(path);
    if (name == NULL)
        return buf_status(path) == ST_NO_MEMORY ? ST_NO_MEMORY : ST_OK;
    if (is_folder)
        return walk(w, name, &faults, err);
    /* A name that was just made is a file about to be written, or another link to a whole one. */
    struct stat st;
    if ((event->mask & IN_CREATE) != 0 && (lstat(name, &st) != 0 || st.st_nlink < 2))
        return ST_OK;
    return look_at(w, name, err);
}

static enum status take_events(struct watch *w, struct buf *path, struct error *err)
{
    union {
        struct inotify_event event; /* for its alignment */
        char bytes[16 * 1024];
    } buffer;
    enum status st = ST_OK;
    ssize_t n = read(w->fd, buffer.bytes, sizeof(buffer.bytes));
    for (ssize_t at = 0; at < n && st == ST_OK;) {
        struct inotify_event head;
        memcpy(&head, buffer.bytes + at, sizeof(head));
        const void *event = buffer.bytes + at;
        st = take_event(w, event, path, err);
        at += (ssize_t)(sizeof(head) + head.len);
    }
    return st;
}

enum status watch_run(struct watch *w, const atomic_bool *stop, struct error *err)
{
    struct buf path;
    enum status st = ST_OK;
    uint64_t faults;
    buf_init(&path, PATH_CEILING);
    while (st == ST_OK && !*stop) {
        struct pollfd poll_fd = {w->fd, POLLIN, 0};
        int n = poll(&poll_fd, 1, POLL_MS);
        if (n > 0)
            st = take_events(w, &path, err);
        if (st == ST_OK)
            st = look_again(w, err);
        if (st == ST_OK && !*stop && (w->must_walk || clock_steady_ms() >= w->walk_due))
            st = watch_walk(w, &faults, err);
    }
    buf_clear(&path);
    return st == ST_OK ? ST_CANCELLED : st;
}

/* ---- life ---- */

enum status watch_new(const char *folder, watch_found_fn *found, void *context, struct watch **out)
{
    struct watch *w = calloc(1, sizeof(*w));
    *out = w;
    if (w == NULL)
        return ST_NO_MEMORY;
    pthread_mutex_init(&w->mutex, NULL);
    w->folder = folder;
    w->folder_len = strlen(folder);
    while (w->folder_len > 1 && folder[w->folder_len - 1] == '/')
        w->folder_len--;
    w->found = found;
    w->context = context;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0)
        LOG_FAULT(LOG_WARN, E_S101, "folder cannot be watched, looking again every few seconds",
                  log_cstr("reason", strerrordesc_np(errno)));
    return ST_OK;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    forget_folders(w);
    if (w->fd >= 0)
        close(w->fd);
    for (size_t i = 0; i < w->again_count; i++)
        free(w->again[i]);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}
