/*
 * sqlite_seal.c: the checksums, between SQLite and the system's files.
 *
 * Pages are sealed when they are written to the file, not when they are written to the log: there
 * SQLite has summed the frame already.  What SQLite is given of a page has zeros in place of the
 * seal, so a page in the log has none, and another program (sqlite3) that copies the log into the
 * file leaves pages without.  Such a page is read unverified, and sealed when it is next written.
 */
#include "base/sqlite_seal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sqlite_log.h"

enum { FILE_HEADER = 100, RESERVED_AT = 20 };

enum kind { KIND_FILE, KIND_LOG };

struct seal_file {
    sqlite3_file head;
    sqlite3_file *real; /* right behind this struct */
    enum kind kind;
    bool sealed;         /* KIND_FILE */
    uint32_t page_bytes; /* 0: not known yet */
    unsigned char *page; /* room for one; made when needed */
    /* KIND_LOG */
    const char *name;
    uint32_t unsettled;   /* frames from here on are being written: their sums may be old */
    struct log_end begun; /* by its frame's header */
    struct log_end end;   /* of the last commit */
    bool has_end;         /* and it is not synced */
};

static struct seal_file *of(sqlite3_file *file)
{
    return (struct seal_file *)file;
}

/* ---- pages of the file ---- */

/* Never all zeros, which is a page without a seal. */
static void make_seal(const unsigned char *page, size_t n, unsigned char *out)
{
    struct sum s = add_sum((struct sum){0, 0}, page, n - SEAL_BYTES, false);
    uint32_t a = s.a, b = s.a == 0 && s.b == 0 ? 1 : s.b;
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (unsigned char)(a >> 8 * i);
        out[4 + i] = (unsigned char)(b >> 8 * i);
    }
}

static bool page_holds(unsigned char *page, size_t n)
{
    static const unsigned char none[SEAL_BYTES];
    unsigned char wanted[SEAL_BYTES];
    unsigned char *seal = page + n - SEAL_BYTES;
    if (memcmp(seal, none, sizeof(none)) == 0)
        return true;
    make_seal(page, n, wanted);
    bool same = memcmp(seal, wanted, sizeof(wanted)) == 0;
    memset(seal, 0, SEAL_BYTES);
    return same;
}

static void see_file_header(struct seal_file *f, const unsigned char *header)
{
    uint32_t n = (uint32_t)header[16] << 8 | header[17];
    n = n == 1 ? MAX_PAGE : n;
    f->page_bytes = n >= MIN_PAGE && (n & (n - 1)) == 0 ? n : 0;
    f->sealed = f->page_bytes != 0 && header[RESERVED_AT] == SEAL_BYTES;
}

static bool has_room(struct seal_file *f)
{
    if (f->page == NULL)
        f->page = malloc(MAX_PAGE);
    return f->page != NULL;
}

/* SQLite reads whole pages, but for the header before it knows their length. */
static int read_page(struct seal_file *f, void *out, int n, sqlite3_int64 at)
{
    sqlite3_int64 begin = at - at % f->page_bytes;
    bool whole = at == begin && (uint32_t)n == f->page_bytes;
    if (!whole && (at + n > begin + f->page_bytes || !has_room(f)))
        return SQLITE_IOERR_DATA;
    unsigned char *page = whole ? out : f->page;
    int code = f->real->pMethods->xRead(f->real, page, (int)f->page_bytes, begin);
    if (code == SQLITE_OK && !page_holds(page, f->page_bytes))
        code = SQLITE_IOERR_DATA;
    if (code == SQLITE_OK && !whole)
        memcpy(out, page + (at - begin), (size_t)n);
    return code;
}

static int write_page(struct seal_file *f, const void *data, int n, sqlite3_int64 at)
{
    if (!has_room(f))
        return SQLITE_IOERR_NOMEM;
    memcpy(f->page, data, (size_t)n);
    make_seal(f->page, (size_t)n, f->page + n - SEAL_BYTES);
    return f->real->pMethods->xWrite(f->real, f->page, n, at);
}

/* ---- frames of the log ---- */

/* The number of the frame whose header (page: whose page) is written or read there. */
static bool frame_at(const struct seal_file *f, sqlite3_int64 at, bool page, uint32_t *number)
{
    sqlite3_int64 size = (sqlite3_int64)f->page_bytes + FRAME_HEADER;
    sqlite3_int64 offset = at - LOG_HEADER - (page ? FRAME_HEADER : 0);
    *number = (uint32_t)(offset / size);
    return f->page_bytes != 0 && offset >= 0 && offset % size == 0;
}

/* A page that was read from the log, against the sum of its frame and of the one before. */
static int check_frame(struct seal_file *f, const unsigned char *page, uint32_t number)
{
    unsigned char log[LOG_HEADER], before[8], header[FRAME_HEADER];
    const sqlite3_io_methods *io = f->real->pMethods;
    sqlite3_int64 size = (sqlite3_int64)f->page_bytes + FRAME_HEADER;
    sqlite3_int64 at = LOG_HEADER + number * size;
    int code = io->xRead(f->real, log, LOG_HEADER, 0);
    if (code == SQLITE_OK && number > 0)
        code = io->xRead(f->real, before, sizeof(before), at - size + FRAME_HEADER - 8);
    if (code == SQLITE_OK)
        code = io->xRead(f->real, header, FRAME_HEADER, at);
    if (code != SQLITE_OK)
        return code;
    bool big = is_big_endian(log);
    struct sum s = stored_sum(number > 0 ? before : log + 24);
    s = add_sum(add_sum(s, header, 8, big), page, f->page_bytes, big);
    return same_sum(s, stored_sum(header + 16)) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int read_log(struct seal_file *f, void *out, int n, sqlite3_int64 at)
{
    unsigned char header[LOG_HEADER];
    uint32_t number;
    int code = f->real->pMethods->xRead(f->real, out, n, at);
    if (code != SQLITE_OK || n < MIN_PAGE)
        return code;
    if (f->page_bytes == 0 && f->real->pMethods->xRead(f->real, header, LOG_HEADER, 0) == SQLITE_OK)
        f->page_bytes = be32(header + 8) <= MAX_PAGE ? be32(header + 8) : 0;
    if ((uint32_t)n != f->page_bytes || !frame_at(f, at, true, &number) || number >= f->unsettled)
        return SQLITE_OK;
    return check_frame(f, out, number);
}

/*
 * What is written to the log, as far as the end of the last commit follows from it.  A frame is
 * there when its page was written too, and whole: SQLite may sync amid a copy of the last frame
 * that only fills a sector.  Headers can be written again, with other sums.
 */
static void see_log_write(struct seal_file *f, const unsigned char *data, int n, sqlite3_int64 at)
{
    uint32_t number;
    if (at == 0 && n == LOG_HEADER) {
        f->page_bytes = be32(data + 8) <= MAX_PAGE ? be32(data + 8) : 0;
        f->has_end = false;
        f->begun.frames = 0;
    } else if (n == FRAME_HEADER && frame_at(f, at, false, &number)) {
        f->unsettled = number < f->unsettled ? number : f->unsettled;
        f->begun = (struct log_end){
            .frames = be32(data + 4) == 0 ? 0 : number + 1, /* a commit, or not */
            .sum = stored_sum(data + 16),
            .page = be32(data),
            .page_bytes = f->page_bytes,
            .page_sum = f->end.page_sum,
        };
        memcpy(f->begun.salt, data + 8, sizeof(f->begun.salt));
        if (f->has_end && f->end.frames == f->begun.frames)
            f->end = f->begun;
    } else if ((uint32_t)n == f->page_bytes && frame_at(f, at, true, &number) &&
               f->begun.frames == number + 1) {
        f->end = f->begun;
        f->end.page_sum = add_sum((struct sum){0, 0}, data, (size_t)n - SEAL_BYTES, false);
        f->has_end = true;
    }
}

/* ---- methods of a file ---- */

static int seal_close(sqlite3_file *file)
{
    free(of(file)->page);
    return of(file)->real->pMethods->xClose(of(file)->real);
}

static int seal_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct seal_file *f = of(file);
    if (f->kind == KIND_LOG)
        return read_log(f, out, n, at);
    if (!f->sealed || (at < FILE_HEADER && n <= FILE_HEADER))
        return f->real->pMethods->xRead(f->real, out, n, at);
    return read_page(f, out, n, at);
}

static int seal_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
    struct seal_file *f = of(file);
    if (f->kind == KIND_LOG)
        see_log_write(f, data, n, at);
    else if (at == 0 && n >= MIN_PAGE)
        see_file_header(f, data);
    if (f->kind == KIND_FILE && f->sealed && (uint32_t)n == f->page_bytes && at % n == 0)
        return write_page(f, data, n, at);
    int code = f->real->pMethods->xWrite(f->real, data, n, at);
    /* On a full disk: what was to be committed is rolled back, though its end may be there. */
    f->has_end = f->has_end && code == SQLITE_OK;
    return code;
}

static int seal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct seal_file *f = of(file);
    if (f->kind == KIND_LOG && size == 0)
        sqlite_log_keep_end(f->name, NULL);
    return f->real->pMethods->xTruncate(f->real, size);
}

static int seal_sync(sqlite3_file *file, int flags)
{
    struct seal_file *f = of(file);
    int code = f->real->pMethods->xSync(f->real, flags);
    /* What a sync could not bring to the disk, a later one does not either. */
    if (code == SQLITE_OK && f->has_end)
        sqlite_log_keep_end(f->name, &f->end);
    f->has_end = false;
    if (code == SQLITE_OK)
        f->unsettled = UINT32_MAX;
    return code;
}

#define REAL(file) (of(file)->real->pMethods)
static int seal_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return REAL(file)->xFileSize(of(file)->real, out);
}
static int seal_lock(sqlite3_file *file, int level)
{
    return REAL(file)->xLock(of(file)->real, level);
}
static int seal_unlock(sqlite3_file *file, int level)
{
    return REAL(file)->xUnlock(of(file)->real, level);
}
static int seal_reserved(sqlite3_file *file, int *out)
{
    return REAL(file)->xCheckReservedLock(of(file)->real, out);
}
static int seal_control(sqlite3_file *file, int operation, void *argument)
{
    return REAL(file)->xFileControl(of(file)->real, operation, argument);
}
static int seal_sector(sqlite3_file *file)
{
    return REAL(file)->xSectorSize(of(file)->real);
}
static int seal_device(sqlite3_file *file)
{
    return REAL(file)->xDeviceCharacteristics(of(file)->real);
}
static int seal_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return REAL(file)->xShmMap(of(file)->real, region, size, extend, out);
}
static int seal_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file)->xShmLock(of(file)->real, offset, n, flags);
}
static void seal_shm_barrier(sqlite3_file *file)
{
    REAL(file)->xShmBarrier(of(file)->real);
}
static int seal_shm_unmap(sqlite3_file *file, int remove)
{
    return REAL(file)->xShmUnmap(of(file)->real, remove);
}

/* Version 2: without memory maps, which would be read unseen. */
static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = seal_close,
    .xRead = seal_read,
    .xWrite = seal_write,
    .xTruncate = seal_truncate,
    .xSync = seal_sync,
    .xFileSize = seal_size,
    .xLock = seal_lock,
    .xUnlock = seal_unlock,
    .xCheckReservedLock = seal_reserved,
    .xFileControl = seal_control,
    .xSectorSize = seal_sector,
    .xDeviceCharacteristics = seal_device,
    .xShmMap = seal_shm_map,
    .xShmLock = seal_shm_lock,
    .xShmBarrier = seal_shm_barrier,
    .xShmUnmap = seal_shm_unmap,
};

/* ---- the VFS ---- */

struct seal_vfs {
    sqlite3_vfs head;
    sqlite3_vfs *real;
    char name[64];
};

static sqlite3_vfs *real_of(sqlite3_vfs *vfs)
{
    return ((struct seal_vfs *)vfs)->real;
}

/* Journals and temporary files are the system's own. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *out_flags)
{
    sqlite3_vfs *real = real_of(vfs);
    struct seal_file *f = of(file);
    unsigned char header[FILE_HEADER];
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return real->xOpen(real, name, file, flags, out_flags);
    memset(f, 0, sizeof(*f));
    f->real = (sqlite3_file *)(f + 1);
    f->kind = (flags & SQLITE_OPEN_WAL) != 0 ? KIND_LOG : KIND_FILE;
    f->name = name; /* SQLite keeps it as long as the file is open */
    f->unsettled = UINT32_MAX;
    int code = real->xOpen(real, name, f->real, flags, out_flags);
    if (f->real->pMethods == NULL)
        return code;
    f->head.pMethods = &file_methods;
    if (code == SQLITE_OK && f->kind == KIND_FILE &&
        f->real->pMethods->xRead(f->real, header, FILE_HEADER, 0) == SQLITE_OK)
        see_file_header(f, header);
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, "-wal") == 0)
        sqlite_log_keep_end(name, NULL);
    return real_of(vfs)->xDelete(real_of(vfs), name, sync);
}
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return real_of(vfs)->xAccess(real_of(vfs), name, flags, out);
}
static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    return real_of(vfs)->xFullPathname(real_of(vfs), name, n, out);
}
static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    return real_of(vfs)->xRandomness(real_of(vfs), n, out);
}
static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    return real_of(vfs)->xSleep(real_of(vfs), us);
}
static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    return real_of(vfs)->xCurrentTime(real_of(vfs), out);
}
static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    return real_of(vfs)->xGetLastError(real_of(vfs), n, out);
}

const char *seal_vfs(const char *base)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    char name[sizeof((struct seal_vfs){0}.name)];
    (void)snprintf(name, sizeof(name), "sealed-%s", base != NULL ? base : "");
    pthread_mutex_lock(&mutex);
    sqlite3_vfs *real = sqlite3_vfs_find(base), *known = sqlite3_vfs_find(name);
    struct seal_vfs *made = real == NULL || known != NULL ? NULL : calloc(1, sizeof(*made));
    if (made != NULL) {
        memcpy(made->name, name, sizeof(name));
        made->real = real;
        made->head = (sqlite3_vfs){
            .iVersion = 1,
            .szOsFile = (int)sizeof(struct seal_file) + real->szOsFile,
            .mxPathname = real->mxPathname,
            .zName = made->name,
            .xOpen = vfs_open,
            .xDelete = vfs_delete,
            .xAccess = vfs_access,
            .xFullPathname = vfs_full_path,
            .xRandomness = vfs_random,
            .xSleep = vfs_sleep,
            .xCurrentTime = vfs_time,
            .xGetLastError = vfs_last_error,
        };
        known = sqlite3_vfs_register(&made->head, 0) == SQLITE_OK ? &made->head : NULL;
        if (known == NULL)
            free(made);
    }
    pthread_mutex_unlock(&mutex);
    return known == NULL ? NULL : known->zName;
}

/* ---- sealing ---- */

void seal_new_file(sqlite3 *db)
{
    int bytes = SEAL_BYTES;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}

/* VACUUM writes every page anew, with the room; the checkpoint brings them all into the file. */
int seal_old_file(sqlite3 *db)
{
    seal_new_file(db);
    int code = sqlite3_exec(db, "VACUUM", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    return code;
}

bool seal_is_sealed(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK)
        return false;
    return file->pMethods == &file_methods && of(file)->sealed;
}
