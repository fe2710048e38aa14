/*
 * The SQLite ledger on a disk that fails: a VFS between SQLite and the files makes the n-th
 * operation fail, for every n until a whole scenario runs through, in each of these ways:
 *
 *   error        the operation answers with an I/O error, once; later ones work again
 *   full         a write answers "disk full", once
 *   full awhile  writes answer so until a call has failed twice, which is then made again
 *   full, power  writes answer so until a call has failed twice; then power is lost
 *   short        a write leaves its first half and answers with an error, once
 *   lost sync    a sync fails and what was not yet synced is gone; later ones work (as on Linux)
 *   power loss   nothing works any more; of what was not yet synced any sectors may be missing
 *
 * Afterwards the file is opened on a good disk.  Whatever had been answered with ST_OK has to be
 * there, nothing may be half there, and after a fault the ledger must have refused to go on; but a
 * full disk is ST_RETRY, and the next call works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../ledger/ledger_contract.h"
#include "base/log.h"

enum fault {
    FAULT_ERROR,
    FAULT_FULL,
    FAULT_FULL_AWHILE,
    FAULT_FULL_POWER,
    FAULT_SHORT,
    FAULT_LOST_SYNC,
    FAULT_POWER,
};
static const char *const FAULT_NAMES[] = {"error", "full",      "full awhile", "full, power",
                                          "short", "lost sync", "power loss"};

/* Whether the fault is a full disk. */
static bool is_full(enum fault fault)
{
    return fault >= FAULT_FULL && fault <= FAULT_FULL_POWER;
}

enum { FILES_MAX = 8, PENDING_MAX = 4096, FILE_BYTES_MAX = 1 << 20, SECTOR = 512 };

/* One file on the simulated disk: what is surely on it, and what was written since. */
struct pending {
    sqlite3_int64 offset; /* -1: a truncation to `n` bytes */
    size_t n;
    char *bytes;
};
struct disk_file {
    char path[320];
    char *synced;
    size_t synced_n;
    struct pending pending[PENDING_MAX];
    size_t n_pending;
};

static struct {
    enum fault fault;
    unsigned at; /* fail operation number `at`, counted from 1 */
    unsigned n;  /* counted so far */
    bool hit, dead;
    uint64_t rng;
    struct disk_file files[FILES_MAX];
    size_t n_files;
} disk;

struct shim_file {
    sqlite3_file base;
    struct disk_file *disk;
    sqlite3_file *real;
};

static uint64_t chance(void)
{
    disk.rng = disk.rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return disk.rng >> 33;
}

static struct disk_file *disk_find(const char *path)
{
    for (size_t i = 0; i < disk.n_files; i++)
        if (strcmp(disk.files[i].path, path) == 0)
            return &disk.files[i];
    assert_true(disk.n_files < FILES_MAX);
    struct disk_file *f = &disk.files[disk.n_files++];
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s", path);
    return f;
}

static void drop_pending(struct disk_file *f)
{
    for (size_t i = 0; i < f->n_pending; i++)
        free(f->pending[i].bytes);
    f->n_pending = 0;
}

static void note_pending(struct disk_file *f, sqlite3_int64 offset, const void *bytes, size_t n)
{
    assert_true(f->n_pending < PENDING_MAX);
    struct pending *p = &f->pending[f->n_pending++];
    *p = (struct pending){.offset = offset, .n = n};
    if (bytes != NULL) {
        p->bytes = malloc(n + 1);
        memcpy(p->bytes, bytes, n);
    }
}

/* What a sync makes sure: the file as it is now. */
static void settle(struct disk_file *f)
{
    drop_pending(f);
    int fd = open(f->path, O_RDONLY);
    if (f->synced == NULL)
        f->synced = malloc(FILE_BYTES_MAX);
    ssize_t n = fd < 0 ? 0 : pread(fd, f->synced, FILE_BYTES_MAX, 0);
    f->synced_n = n < 0 ? 0 : (size_t)n;
    if (fd >= 0)
        close(fd);
}

static void apply(char *image, size_t *n, size_t offset, const char *bytes, size_t count)
{
    assert_true(offset + count <= FILE_BYTES_MAX);
    if (offset > *n)
        memset(image + *n, 0, offset - *n);
    memcpy(image + offset, bytes, count);
    if (offset + count > *n)
        *n = offset + count;
}

/* Put on the file what a disk may hold: all that was synced, and any sectors of the rest. */
static void lose_unsynced(struct disk_file *f, bool keep_some)
{
    static char image[FILE_BYTES_MAX];
    size_t n = f->synced_n;
    if (n > 0)
        memcpy(image, f->synced, n);
    for (size_t i = 0; i < f->n_pending && keep_some; i++) {
        const struct pending *p = &f->pending[i];
        if (p->offset < 0) {
            if (chance() % 2 == 0 && p->n < n)
                n = p->n;
            continue;
        }
        for (size_t at = 0; at < p->n; at += SECTOR)
            if (chance() % 2 == 0)
                apply(image, &n, (size_t)p->offset + at, p->bytes + at,
                      p->n - at < SECTOR ? p->n - at : SECTOR);
    }
    int fd = open(f->path, O_WRONLY);
    if (fd >= 0) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, image, n, 0), n);
        close(fd);
    }
    drop_pending(f);
}

/* Whether this operation is the one that fails. */
static bool fails(bool counts)
{
    if (disk.dead)
        return true;
    bool lasts = disk.fault == FAULT_FULL_AWHILE || disk.fault == FAULT_FULL_POWER;
    if (!counts || disk.at == 0 || (lasts ? ++disk.n < disk.at : ++disk.n != disk.at))
        return false;
    disk.hit = true;
    disk.dead = disk.fault == FAULT_POWER;
    return true;
}

/* ---- the VFS ---- */

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);
}

static int shim_read(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    if (fails(disk.fault == FAULT_ERROR))
        return SQLITE_IOERR_READ;
    return real_of(file)->pMethods->xRead(real_of(file), out, n, offset);
}

static int shim_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    struct shim_file *f = (struct shim_file *)file;
    bool failed = fails(disk.fault != FAULT_LOST_SYNC);
    if (failed && disk.fault == FAULT_SHORT) {
        note_pending(f->disk, offset, bytes, (size_t)n / 2);
        f->real->pMethods->xWrite(f->real, bytes, n / 2, offset);
        return SQLITE_IOERR_WRITE;
    }
    if (failed)
        return is_full(disk.fault) ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    note_pending(f->disk, offset, bytes, (size_t)n);
    return f->real->pMethods->xWrite(f->real, bytes, n, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct shim_file *f = (struct shim_file *)file;
    if (fails(disk.fault == FAULT_ERROR || disk.fault == FAULT_POWER))
        return SQLITE_IOERR_TRUNCATE;
    note_pending(f->disk, -1, NULL, (size_t)size);
    return f->real->pMethods->xTruncate(f->real, size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct shim_file *f = (struct shim_file *)file;
    if (fails(!is_full(disk.fault) && disk.fault != FAULT_SHORT)) {
        if (disk.fault == FAULT_LOST_SYNC)
            lose_unsynced(f->disk, false);
        return SQLITE_IOERR_FSYNC;
    }
    settle(f->disk); /* the machine under the test stays up: no need for a real sync */
    return SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
    if (fails(disk.fault == FAULT_ERROR))
        return SQLITE_IOERR_FSTAT;
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *held)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

static int shim_device(sqlite3_file *file)
{
    (void)file;
    return 0; /* promises nothing: neither atomic nor ordered writes */
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods SHIM_METHODS = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static sqlite3_vfs shim;
static sqlite3_vfs *real_vfs;

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    struct shim_file *f = (struct shim_file *)file;
    f->base.pMethods = NULL;
    if (fails(disk.fault == FAULT_ERROR))
        return SQLITE_CANTOPEN;
    f->real = (sqlite3_file *)(void *)(f + 1);
    f->disk = disk_find(name == NULL ? "temporary" : name);
    int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
    if (rc != SQLITE_OK)
        return rc;
    if (f->disk->synced == NULL)
        settle(f->disk);
    f->base.pMethods = &SHIM_METHODS;
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    if (fails(disk.fault == FAULT_ERROR || disk.fault == FAULT_POWER))
        return SQLITE_IOERR_DELETE;
    int rc = real_vfs->xDelete(real_vfs, name, sync);
    settle(disk_find(name));
    return rc;
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return real_vfs->xAccess(real_vfs, name, flags, out);
}

static int shim_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, name, n, out);
}

static void shim_register(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    shim = *real_vfs;
    shim.zName = "failing-disk";
    shim.pNext = NULL;
    shim.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.xAccess = shim_access;
    shim.xFullPathname = shim_full_path;
    assert_int_equal(sqlite3_vfs_register(&shim, 0), SQLITE_OK);
}

/* ---- the scenario ---- */

static char folder[64], path[256];

enum op {
    OP_CLAIM,
    OP_PREPARE,
    OP_MARKER,
    OP_SENDING,
    OP_ACKED,
    OP_MARKER_2,
    OP_SECOND,
    OP_DONE,
    OP_QUARANTINE,
    OP_ABORT,
    OP_N,
};

struct outcome {
    enum status st[OP_N];
    unsigned again; /* calls that were answered with ST_RETRY */
    struct ledger_marker markers[2];
};

static enum status journal(struct ledger *l, uint16_t index, unsigned from, unsigned to,
                           enum ledger_part_state state)
{
    struct protocol_effect j = {.batch_id = contract_nonce(1), .index = index};
    j.expected = from == 0 ? (struct ledger_nonce){{0}} : contract_nonce(from);
    j.part = (struct ledger_part){.state = (uint8_t)state, .nonce = contract_nonce(to)};
    return ledger_journal(l, &j);
}

/* A call that met a full disk is made again; power is lost at the second time. */
static bool is_again(struct outcome *o, enum status st)
{
    if (!is_full(disk.fault) || st != ST_RETRY || disk.dead)
        return false;
    if (++o->again == 2) {
        disk.at = 0;
        disk.dead = disk.fault == FAULT_FULL_POWER;
    }
    return true;
}

#define AGAIN(st, call)                                                                            \
    do {                                                                                           \
        (st) = (call);                                                                             \
    } while (is_again(o, st))

static void play(struct ledger *l, struct outcome *o)
{
    static struct ledger_record r;
    static char body[6000];
    struct view payloads[2] = {view_make(body, sizeof body), VIEW_LIT("small")};
    struct protocol_object objects[3];
    struct protocol_claim claims[3];
    contract_record(&r, 1, 3, 2);
    for (unsigned i = 0; i < 3; i++)
        objects[i] = (struct protocol_object){.id = contract_id(i + 1), .state = OBJECT_CLAIM};
    AGAIN(o->st[OP_CLAIM], ledger_claim(l, &r.batch.id, 5, objects, 3, claims));
    AGAIN(o->st[OP_PREPARE], ledger_prepare(l, &r, payloads, 2));
    AGAIN(o->st[OP_MARKER], ledger_marker_next(l, 5, &o->markers[0]));
    AGAIN(o->st[OP_SENDING], journal(l, 0, 0, 50, PART_SENDING));
    AGAIN(o->st[OP_ACKED], journal(l, 0, 50, 51, PART_ACKED));
    AGAIN(o->st[OP_MARKER_2], ledger_marker_next(l, 5, &o->markers[1]));
    AGAIN(o->st[OP_SECOND], journal(l, 1, 0, 60, PART_ACKED));
    AGAIN(o->st[OP_DONE], ledger_done(l, &r.batch.id, 9));
    struct ledger_quarantined q = {
        .id = contract_id(9), .key = VIEW_LIT("k"), .reason = VIEW_LIT("corrupt")};
    AGAIN(o->st[OP_QUARANTINE], ledger_quarantine_add(l, &q));
    struct ledger_nonce second = contract_nonce(2);
    AGAIN(o->st[OP_ABORT], ledger_abort(l, &second, 9));
}

/* How far the file got, told by its content: operations 0..n-1 are there. */
static unsigned look(struct ledger *l)
{
    static struct ledger_record r;
    struct ledger_id ids[3] = {contract_id(1), contract_id(2), contract_id(3)};
    enum ledger_progress p[3];
    assert_int_equal(ledger_lookup(l, ids, 3, p), ST_OK);
    assert_true(p[0] == p[1] && p[1] == p[2]); /* one transaction */
    struct ledger_nonce first = contract_nonce(1), second = contract_nonce(2);
    if (p[0] == LEDGER_ABSENT)
        return 0;
    enum status st = ledger_load(l, &first, &r);
    if (st == ST_MISSING)
        return OP_PREPARE;
    assert_int_equal(st, ST_OK);
    assert_int_equal(r.batch.n_members, 3);
    assert_int_equal(r.batch.n_parts, 2);
    for (uint16_t i = 0; i < 2; i++) {
        struct buf body;
        buf_init(&body, 10000);
        assert_int_equal(ledger_payload(l, &first, i, &body), ST_OK);
        assert_int_equal(body.len, i == 0 ? 6000 : 5);
        buf_clear(&body);
    }
    if (r.batch.parts[0].state == PART_PLANNED)
        return OP_MARKER; /* with or without the marker */
    if (r.batch.parts[0].state == PART_SENDING)
        return OP_ACKED;
    if (r.batch.parts[1].state != PART_ACKED)
        return OP_MARKER_2;
    if (r.batch.state != BATCH_DONE)
        return OP_DONE;
    struct ledger_id q = contract_id(9);
    assert_int_equal(ledger_lookup(l, &q, 1, p), ST_OK);
    if (p[0] != LEDGER_QUARANTINED)
        return OP_QUARANTINE;
    return ledger_load(l, &second, &r) == ST_OK ? OP_N : OP_ABORT;
}

static void clean(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-journal"};
    char file[320];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    for (size_t i = 0; i < disk.n_files; i++) {
        drop_pending(&disk.files[i]);
        free(disk.files[i].synced);
        disk.files[i].synced = NULL;
    }
    disk.n_files = 0;
}

static void wrong(enum fault fault, unsigned at, uint64_t seed, const char *what, unsigned op)
{
    fail_msg("%s at operation %u (seed %u): %s (%u)", FAULT_NAMES[fault], at, (unsigned)seed, what,
             op);
}

static void check(enum fault fault, unsigned at, uint64_t seed, const struct outcome *o,
                  bool opened)
{
    const struct ledger_sqlite_options good = {.path = path};
    struct ledger *l;
    struct error err = {.text = ""};
    enum status st = ledger_sqlite_open(&good, &l, &err);
    if (st != ST_OK) {
        print_error("%s\n", err.text);
        wrong(fault, at, seed, "the file cannot be opened again", (unsigned)st);
    }
    unsigned there = look(l), answered = 0, fault_at = OP_N;
    for (unsigned i = 0; i < OP_N && opened; i++) {
        if (o->st[i] == ST_OK)
            answered = i + 1;
        else if (fault_at == OP_N)
            fault_at = i;
        if (i > fault_at && o->st[i] != ST_IO)
            wrong(fault, at, seed, "went on after a fault", i);
        if (o->st[i] != ST_OK && o->st[i] != ST_IO)
            wrong(fault, at, seed, "unexpected status", o->st[i]);
    }
    /* Markers leave no trace in look(): what is there may be one operation less by that. */
    unsigned needed = answered == OP_MARKER + 1     ? OP_MARKER
                      : answered == OP_MARKER_2 + 1 ? OP_MARKER_2
                                                    : answered;
    if (there < needed)
        wrong(fault, at, seed, "answered with ST_OK and not there", answered);
    if (fault_at < OP_N && there > fault_at + 1)
        wrong(fault, at, seed, "there without ever being asked", there);
    struct ledger_marker m;
    assert_int_equal(ledger_marker_next(l, 5, &m), ST_OK);
    for (int i = 0; i < 2; i++)
        if (opened && o->st[i == 0 ? OP_MARKER : OP_MARKER_2] == ST_OK &&
            ledger_marker_eq(&m, &o->markers[i]))
            wrong(fault, at, seed, "a marker was handed out twice", (unsigned)i);
    ledger_close(l);
}

/* One run with the at-th operation failing; true when the scenario ended before it. */
static bool one_run(enum fault fault, unsigned at, uint64_t seed)
{
    const struct ledger_sqlite_options failing = {.path = path, .vfs = "failing-disk"};
    struct outcome o = {.again = 0};
    struct ledger *l;
    for (int i = 0; i < OP_N; i++)
        o.st[i] = ST_IO;
    disk.fault = fault;
    disk.at = at;
    disk.n = 0;
    disk.hit = disk.dead = false;
    disk.rng = seed * 7919 + at;
    enum status st = ledger_sqlite_open(&failing, &l, NULL);
    if (st == ST_OK)
        play(l, &o);
    bool through = !disk.hit;
    if (is_full(fault) && !disk.dead && st == ST_OK) /* some after a second attempt */
        for (int i = 0; i < OP_N; i++)
            if (o.st[i] != ST_OK)
                wrong(fault, at, seed, "a full disk was not got over", (unsigned)i);
    if (through)
        for (int i = 0; i < OP_N; i++)
            assert_int_equal(o.st[i], ST_OK);
    ledger_close(l);
    if (disk.dead) {
        char shm[320];
        for (size_t i = 0; i < disk.n_files; i++)
            lose_unsynced(&disk.files[i], true);
        snprintf(shm, sizeof shm, "%s-shm", path);
        unlink(shm);
    }
    disk.at = 0;
    disk.dead = false;
    check(fault, at, seed, &o, st == ST_OK);
    clean();
    return through && !disk.hit;
}

static void run_fault(enum fault fault, uint64_t seeds)
{
    unsigned points = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        for (unsigned at = 1; !one_run(fault, at, seed); at++)
            points++;
    print_message("%s: %u points\n", FAULT_NAMES[fault], points);
    assert_true(points > 10 * seeds);
}

static void test_error(void **state)
{
    (void)state;
    run_fault(FAULT_ERROR, 1);
}

static void test_full(void **state)
{
    (void)state;
    run_fault(FAULT_FULL, 1);
    run_fault(FAULT_FULL_AWHILE, 1);
    run_fault(FAULT_FULL_POWER, 3);
}

static void test_short(void **state)
{
    (void)state;
    run_fault(FAULT_SHORT, 1);
}

static void test_lost_sync(void **state)
{
    (void)state;
    run_fault(FAULT_LOST_SYNC, 1);
}

static void test_power_loss(void **state)
{
    (void)state;
    const char *seeds = getenv("POWER_LOSS_SEEDS");
    run_fault(FAULT_POWER, seeds == NULL ? 5 : strtoull(seeds, NULL, 10));
}

static int setup(void **state)
{
    (void)state;
    log_setup(LOG_OFF, LOG_TEXT, false);
    contract_folder(folder, sizeof folder);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/ledger.db", folder);
    shim_register();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clean();
    rmdir(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),      cmocka_unit_test(test_full),
        cmocka_unit_test(test_short),      cmocka_unit_test(test_lost_sync),
        cmocka_unit_test(test_power_loss),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
