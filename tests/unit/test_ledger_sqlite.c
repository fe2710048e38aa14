/* The SQLite and the memory kind: the contract of ledger.h, and what only a file can get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ledger/ledger_contract.h"
#include "base/log.h"

static char folder[64], path[256];

static void name(char *out, size_t n, const char *suffix)
{
    snprintf(out, n, "%s%s", path, suffix);
}

static int setup(void **state)
{
    (void)state;
    log_setup(LOG_OFF, LOG_TEXT, false);
    umask(022);
    contract_folder(folder, sizeof folder);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/ledger.db", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-journal"};
    char file[320];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        name(file, sizeof file, suffixes[i]);
        unlink(file);
    }
    chmod(folder, 0700);
    rmdir(folder);
    return 0;
}

static enum status open_with(bool read_only, struct ledger **l)
{
    const struct ledger_sqlite_options o = {.path = path, .read_only = read_only};
    struct error err = {.text = ""};
    enum status st = ledger_sqlite_open(&o, l, &err);
    assert_true(st == ST_OK || st == ST_NO_MEMORY || err.text[0] != '\0');
    return st;
}

static struct ledger *open_ok(void)
{
    struct ledger *l;
    assert_int_equal(open_with(false, &l), ST_OK);
    return l;
}

static void test_contract_memory(void **state)
{
    (void)state;
    struct ledger *l = ledger_memory_new();
    assert_non_null(l);
    ledger_contract_check(l, false);
    ledger_close(l);
}

static void test_contract_sqlite(void **state)
{
    (void)state;
    struct ledger *l = open_ok();
    ledger_contract_check(l, false);
    ledger_close(l);
}

static void test_reopened_remembers(void **state)
{
    (void)state;
    static struct ledger_record r, got;
    struct view payload = VIEW_LIT("payload");
    contract_record(&r, 1, 3, 1);
    struct ledger *l = open_ok();
    assert_int_equal(ledger_prepare(l, &r, &payload, 1), ST_OK);
    ledger_close(l);
    l = open_ok();
    assert_int_equal(ledger_load(l, &r.batch.id, &got), ST_OK);
    assert_int_equal(got.batch.n_members, 3);
    ledger_close(l);
}

static mode_t mode_of(const char *file)
{
    struct stat info;
    assert_int_equal(stat(file, &info), 0);
    return info.st_mode & 07777;
}

/* Deleted, moved away, or replaced by another: nothing more is claimed or prepared. */
static void test_a_file_that_disappears_is_noticed(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        const struct protocol_object o = {.id = contract_id(1), .state = OBJECT_CLAIM};
        const struct ledger_nonce batch = contract_nonce(way + 1u);
        struct protocol_claim c;
        char other[300];
        struct ledger *l = open_ok();
        assert_int_equal(ledger_claim(l, &batch, 1, &o, 1, &c), ST_OK);
        name(other, sizeof other, "-other");
        if (way == 0) {
            assert_int_equal(unlink(path), 0);
        } else {
            assert_int_equal(rename(path, other), 0);
            if (way == 2)
                close(open(path, O_RDWR | O_CREAT, 0600));
        }
        assert_int_equal(ledger_claim(l, &batch, 1, &o, 1, &c), ST_IO);
        assert_int_equal(ledger_lookup(l, NULL, 0, NULL), ST_IO); /* and it stays closed */
        ledger_close(l);
        unlink(path);
        unlink(other);
        name(other, sizeof other, "-wal");
        unlink(other);
        name(other, sizeof other, "-shm");
        unlink(other);
    }
    struct error err;
    struct ledger *l;
    const struct ledger_sqlite_options must = {.path = path, .must_exist = true};
    assert_int_equal(ledger_sqlite_open(&must, &l, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "LEDGER_MUST_EXIST"));
    ledger_close(open_ok());
    assert_int_equal(ledger_sqlite_open(&must, &l, &err), ST_OK);
    ledger_close(l);
}

static void test_files_are_private(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    char file[320];
    umask(0);
    struct ledger *l = open_ok();
    struct ledger_marker m;
    assert_int_equal(ledger_marker_next(l, 1, &m), ST_OK);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        name(file, sizeof file, suffixes[i]);
        assert_int_equal(mode_of(file), 0600);
    }
    ledger_close(l);
}

static void test_missing_folder_is_made_private(void **state)
{
    (void)state;
    char inner[128], file[256];
    snprintf(inner, sizeof inner, "%s/state", folder);
    snprintf(path, sizeof path, "%s/ledger.db", inner);
    umask(0);
    struct ledger *l = open_ok();
    assert_int_equal(mode_of(inner), 0700);
    ledger_close(l);
    name(file, sizeof file, "");
    unlink(file);
    name(file, sizeof file, "-lock");
    unlink(file);
    rmdir(inner);
}

static void test_permissions(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-lock"};
    static const mode_t modes[] = {0640, 0604, 0660, 0602, 0666};
    char file[320];
    struct ledger *l;
    ledger_close(open_ok());
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        for (size_t j = 0; j < sizeof modes / sizeof *modes; j++) {
            name(file, sizeof file, suffixes[i]);
            bool made = access(file, F_OK) != 0;
            int fd = open(file, O_RDWR | O_CREAT, 0600);
            assert_true(fd >= 0);
            close(fd);
            assert_int_equal(chmod(file, modes[j]), 0);
            assert_int_equal(open_with(false, &l), ST_DENIED);
            assert_null(l);
            chmod(file, 0600);
            if (made)
                unlink(file);
        }
    assert_int_equal(chmod(folder, 0770), 0);
    assert_int_equal(open_with(false, &l), ST_DENIED);
    assert_int_equal(chmod(folder, 01777), 0);
    assert_int_equal(open_with(false, &l), ST_DENIED);
    assert_int_equal(chmod(folder, 0755), 0);
    ledger_close(open_ok());
}

static void test_links_and_folders_are_refused(void **state)
{
    (void)state;
    struct ledger *l;
    char target[160];
    snprintf(target, sizeof target, "%s/other.db", folder);
    int fd = open(target, O_RDWR | O_CREAT, 0600);
    close(fd);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(open_with(false, &l), ST_DENIED);
    unlink(path);
    unlink(target);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(open_with(false, &l), ST_DENIED);
    rmdir(path);
    char lock[320];
    name(lock, sizeof lock, "-lock");
    assert_int_equal(symlink("/tmp/ledger-test-nowhere", lock), 0);
    assert_int_equal(open_with(false, &l), ST_DENIED);
    assert_int_not_equal(access("/tmp/ledger-test-nowhere", F_OK), 0);
}

/* Another process: 0 opened, else 100 + status. */
static int open_in_child(bool read_only)
{
    pid_t child = fork();
    if (child == 0) {
        struct ledger *l;
        enum status st = open_with(read_only, &l);
        ledger_close(l);
        _exit(st == ST_OK ? 0 : 100 + (int)st);
    }
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static void test_one_writing_process(void **state)
{
    (void)state;
    struct ledger *l = open_ok(), *second;
    assert_int_equal(open_in_child(false), 100 + ST_CONFLICT);
    assert_int_equal(open_in_child(true), 0); /* looking is allowed meanwhile */
    assert_int_equal(open_with(false, &second), ST_CONFLICT);
    struct ledger_marker m;
    assert_int_equal(ledger_marker_next(l, 1, &m), ST_OK);
    ledger_close(l);
    assert_int_equal(open_in_child(false), 0);
}

static void test_killed_writer_leaves_what_it_answered(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            struct ledger *l;
            if (open_with(false, &l) != ST_OK)
                _exit(1);
            for (unsigned i = 0;; i++) {
                struct ledger_nonce id = contract_nonce(1000u * (unsigned)round + i + 1);
                if (ledger_abort(l, &id, 1) != ST_OK || write(fds[1], &id, sizeof id) < 0)
                    _exit(1);
            }
        }
        close(fds[1]);
        usleep(3000u * (unsigned)(round + 1));
        kill(child, SIGKILL);
        int code;
        waitpid(child, &code, 0);
        assert_true(WIFSIGNALED(code));
        struct ledger *l = open_ok();
        static struct ledger_record got;
        struct ledger_nonce id;
        while (read(fds[0], &id, sizeof id) == sizeof id) {
            assert_int_equal(ledger_load(l, &id, &got), ST_OK);
            assert_int_equal(got.batch.state, BATCH_ABORTED);
        }
        close(fds[0]);
        ledger_close(l);
    }
}

static void test_read_only(void **state)
{
    (void)state;
    static struct ledger_record r;
    struct ledger *l;
    assert_int_equal(open_with(true, &l), ST_MISSING);
    contract_record(&r, 1, 1, 0);
    struct ledger *writer = open_ok();
    assert_int_equal(ledger_prepare(writer, &r, NULL, 0), ST_OK);
    assert_int_equal(open_with(true, &l), ST_OK);
    assert_int_equal(ledger_load(l, &r.batch.id, &r), ST_OK);
    assert_int_equal(ledger_abort(l, &r.batch.id, 1), ST_DENIED);
    assert_int_equal(ledger_done(l, &r.batch.id, 1), ST_DENIED);
    struct ledger_statistics t;
    assert_int_equal(ledger_statistics_read(l, &t), ST_OK);
    assert_int_equal(t.batches_open, 1);
    ledger_close(l);
    ledger_close(writer);
}

/*
 * As a program that knows nothing of the checksums of pages: all in a file of its own, because the
 * room for them does not go away.
 */
static void run_sql(const char *sql)
{
    static const char *const copy[][2] = {
        {"SELECT sql FROM old.sqlite_schema WHERE sql IS NOT NULL"
         " AND substr(name, 1, 2) <> 'v_' ORDER BY type <> 'table'",
         "%"},
        {"SELECT name FROM old.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'v%'"
         " AND sql NOT LIKE '%n + 1%'",
         "INSERT INTO main.% SELECT * FROM old.%"},
        {"PRAGMA old.application_id", "PRAGMA main.application_id = %"},
        {"PRAGMA old.user_version", "PRAGMA main.user_version = %"},
    };
    char made[300], attach[400], each[2000];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    name(made, sizeof made, "-journal"); /* removed by teardown, whatever happens */
    snprintf(attach, sizeof attach, "ATTACH '%s' AS old", path);
    assert_int_equal(sqlite3_open(made, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof copy / sizeof *copy; i++) {
        sqlite3_stmt *s;
        assert_int_equal(sqlite3_prepare_v2(db, copy[i][0], -1, &s, NULL), SQLITE_OK);
        while (sqlite3_step(s) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(s, 0);
            size_t n = 0;
            for (const char *c = copy[i][1]; *c != '\0'; c++) { /* each % is the text */
                n += (size_t)snprintf(each + n, sizeof each - n, "%.*s", *c == '%' ? 1999 : 1,
                                      *c == '%' ? text : c);
            }
            if (sqlite3_exec(db, each, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", each, sqlite3_errmsg(db));
        }
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
    assert_int_equal(rename(made, path), 0);
    chmod(path, 0600);
}

static void test_strange_files_are_refused(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "PRAGMA user_version = 4",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 1",
        "PRAGMA application_id = 0",
        "DROP TABLE part",
        "ALTER TABLE part DROP COLUMN control_ms",
        "SELECT 1", /* all right, but without checksums */
        "CREATE TRIGGER t AFTER INSERT ON object BEGIN DELETE FROM object; END;"
        "PRAGMA user_version = 2",
        "DROP TABLE marker; CREATE VIEW marker AS SELECT 1 AS minute, 2 AS n;"
        "PRAGMA user_version = 2",
        "CREATE VIRTUAL TABLE v USING fts5(x); PRAGMA user_version = 2",
        "ALTER TABLE marker ADD COLUMN x AS (n + 1); PRAGMA user_version = 2",
    };
    struct ledger *l;
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        ledger_close(open_ok());
        run_sql(sql[i]);
        assert_int_equal(open_with(false, &l), ST_BAD_ITEM);
        assert_int_equal(open_with(true, &l), ST_BAD_ITEM);
        unlink(path);
    }
    FILE *f = fopen(path, "w");
    fputs("this is no SQLite file, but a text of some length that somebody left behind\n", f);
    for (int i = 0; i < 100; i++)
        fputs("and it goes on and on, so that it has more than one page\n", f);
    fclose(f);
    chmod(path, 0600);
    assert_int_equal(open_with(false, &l), ST_BAD_ITEM);
}

/* Overwrite each page in turn: refused, or all that is read back is right. */
static void test_damaged_pages(void **state)
{
    (void)state;
    static struct ledger_record r;
    static char body[9000];
    struct view payload = view_make(body, sizeof body);
    struct ledger *l = open_ok();
    for (unsigned i = 1; i <= 40; i++) {
        contract_record(&r, i, 30, 2);
        r.batch.parts[1].payload = 0;
        assert_int_equal(ledger_prepare(l, &r, &payload, 1), ST_OK);
    }
    ledger_close(l);
    FILE *f = fopen(path, "r+");
    fseek(f, 0, SEEK_END);
    long pages = ftell(f) / 4096;
    unsigned refused = 0, worked = 0;
    for (long page = 0; page < pages; page++) {
        static char saved[4096], noise[4096];
        fseek(f, page * 4096, SEEK_SET);
        assert_int_equal(fread(saved, 1, sizeof saved, f), sizeof saved);
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)(i * 2654435761u >> 13 ^ (unsigned)page);
        fseek(f, page * 4096, SEEK_SET);
        fwrite(noise, 1, sizeof noise, f);
        fflush(f);
        enum status st = open_with(false, &l);
        assert_true(st == ST_OK || st == ST_BAD_ITEM);
        refused += st == ST_BAD_ITEM;
        for (unsigned i = 1; i <= 40 && st == ST_OK; i++) {
            struct ledger_nonce id = contract_nonce(i);
            worked += ledger_load(l, &id, &r) == ST_OK;
        }
        ledger_close(l);
        fseek(f, page * 4096, SEEK_SET);
        fwrite(saved, 1, sizeof saved, f);
        fflush(f);
    }
    fclose(f);
    assert_int_equal(refused, pages); /* quick_check alone does not look at what payloads hold */
    assert_int_equal(worked, 0);
}

struct image {
    const char *suffix;
    unsigned char *bytes;
    size_t n;
};

static void read_image(struct image *image)
{
    char file[320];
    name(file, sizeof file, image->suffix);
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    image->bytes = malloc(8 << 20);
    image->n = fread(image->bytes, 1, 8 << 20, f);
    fclose(f);
}

static void write_image(const struct image *image)
{
    char file[320];
    name(file, sizeof file, image->suffix);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(image->bytes, 1, image->n, f), image->n);
    fclose(f);
    chmod(file, 0600);
}

/* Whether all that was prepared is there, as it was. */
static bool is_whole(struct ledger *l, unsigned batches)
{
    static struct ledger_record r, got;
    for (unsigned i = 1; i <= batches; i++) {
        contract_record(&r, i, 30, 2);
        if (ledger_load(l, &r.batch.id, &got) != ST_OK || got.batch.n_members != 30 ||
            got.batch.n_parts != 2 || got.batch.prepared_ms != r.batch.prepared_ms)
            return false;
        for (unsigned k = 0; k < 2; k++) {
            if (got.batch.parts[k].tokens != r.batch.parts[k].tokens ||
                got.batch.parts[k].state != r.batch.parts[k].state)
                return false;
        }
    }
    return true;
}

/* One wrong bit in the file or in its log: refused, or without any effect. */
static void test_wrong_bits(void **state)
{
    (void)state;
    enum { BATCHES = 30, TURNS = 1000 };
    static struct ledger_record r;
    static char body[9000];
    struct view payload = view_make(body, sizeof body);
    struct image images[] = {{"", NULL, 0}, {"-wal", NULL, 0}, {"-lock", NULL, 0}};
    struct ledger *l = open_ok();
    uint64_t random = 1;
    unsigned refused = 0;
    for (unsigned i = 1; i <= BATCHES; i++) {
        contract_record(&r, i, 30, 2);
        r.batch.parts[1].payload = 0;
        if (i == BATCHES / 2) { /* half of it in the file, the rest in the log */
            ledger_close(l);
            l = open_ok();
        }
        assert_int_equal(ledger_prepare(l, &r, &payload, 1), ST_OK);
    }
    for (size_t i = 0; i < 3; i++)
        read_image(&images[i]); /* as a killed process leaves them */
    ledger_close(l);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct image *hit = &images[turn % 2];
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t bit = (size_t)(random >> 20) % (hit->n * 8);
        if (turn % 5 == 0) /* headers */
            bit %= 4096 * 8;
        hit->bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        for (size_t i = 0; i < 3; i++)
            write_image(&images[i]);
        hit->bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        enum status st = open_with(turn % 8 != 0, &l); /* writing takes many syncs */
        if (st == ST_OK && !is_whole(l, BATCHES))
            fail_msg("bit %zu of FILE%s: other content", bit, hit->suffix);
        assert_true(st == ST_OK || st == ST_BAD_ITEM);
        refused += st == ST_BAD_ITEM;
        ledger_close(st == ST_OK ? l : NULL);
        teardown(NULL);
        mkdir(folder, 0700);
    }
    for (size_t i = 0; i < 3; i++)
        free(images[i].bytes);
    assert_true(refused > TURNS / 2);
}

/* A file of the first version, with an open batch in it. */
static void test_upgrade(void **state)
{
    (void)state;
    static struct ledger_record r, got;
    struct ledger *l = open_ok();
    contract_record(&r, 1, 2, 2);
    assert_int_equal(ledger_prepare(l, &r, NULL, 0), ST_OK);
    ledger_close(l);
    run_sql("ALTER TABLE part DROP COLUMN resolved_applied;"
            "ALTER TABLE part DROP COLUMN resolved_absent;"
            "ALTER TABLE member DROP COLUMN tag; PRAGMA user_version = 1");
    assert_int_equal(open_with(true, &l), ST_BAD_ITEM);
    for (int again = 0; again < 2; again++) {
        l = open_ok();
        assert_int_equal(ledger_load(l, &r.batch.id, &got), ST_OK);
        assert_int_equal(got.batch.n_parts, 2);
        assert_int_equal(got.batch.parts[1].resolved_absent, 0);
        assert_true(got.tags[0] == 0 && got.tags[1] == 0);
        ledger_close(l);
    }
}

static void test_prune(void **state)
{
    (void)state;
    static struct ledger_record r;
    struct ledger *l = open_ok();
    struct protocol_object objects[4];
    struct protocol_claim claims[4];
    for (unsigned i = 0; i < 4; i++)
        objects[i] = (struct protocol_object){.id = contract_id(i + 1), .state = OBJECT_CLAIM};
    contract_record(&r, 1, 2, 0);
    assert_int_equal(ledger_claim(l, &r.batch.id, 100, objects, 2, claims), ST_OK);
    r.batch.prepared_ms = 100;
    assert_int_equal(ledger_prepare(l, &r, NULL, 0), ST_OK);
    struct ledger_nonce second = contract_nonce(2);
    assert_int_equal(ledger_claim(l, &second, 5000, objects + 2, 2, claims), ST_OK);
    uint64_t removed;
    assert_int_equal(ledger_prune(l, 1000, &removed), ST_OK);
    assert_int_equal(removed, 0); /* an open batch keeps its objects */
    assert_int_equal(ledger_done(l, &r.batch.id, 2000), ST_OK);
    assert_int_equal(ledger_prune(l, 1000, &removed), ST_OK);
    assert_int_equal(removed, 0); /* done after the limit */
    assert_int_equal(ledger_prune(l, 3000, &removed), ST_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(ledger_load(l, &r.batch.id, &r), ST_MISSING);
    enum ledger_progress progress[4];
    struct ledger_id ids[4] = {contract_id(1), contract_id(2), contract_id(3), contract_id(4)};
    assert_int_equal(ledger_lookup(l, ids, 4, progress), ST_OK);
    assert_int_equal(progress[0], LEDGER_ABSENT);
    assert_int_equal(progress[2], LEDGER_CLAIMED);
    ledger_close(l);
}

struct racer {
    struct ledger *l;
    unsigned batch;
    unsigned won;
};

static void *race(void *ctx)
{
    struct racer *r = ctx;
    struct ledger_nonce batch = contract_nonce(r->batch);
    for (unsigned i = 0; i < 50; i++) {
        struct protocol_object o = {.id = contract_id(i), .state = OBJECT_CLAIM};
        struct protocol_claim c = {.result = CLAIM_UNKNOWN};
        if (ledger_claim(r->l, &batch, 1, &o, 1, &c) == ST_OK && c.result == CLAIM_MINE)
            r->won++;
    }
    return NULL;
}

static void test_racing_threads_have_one_winner(void **state)
{
    (void)state;
    struct ledger *l = open_ok();
    struct racer racers[8];
    pthread_t threads[8];
    unsigned won = 0;
    for (unsigned i = 0; i < 8; i++) {
        racers[i] = (struct racer){l, 100 + i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        won += racers[i].won;
    }
    assert_int_equal(won, 50);
    ledger_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract_memory),
        cmocka_unit_test_setup_teardown(test_contract_sqlite, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reopened_remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_disappears_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_folder_is_made_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_and_folders_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_writing_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_writer_leaves_what_it_answered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
        cmocka_unit_test_setup_teardown(test_racing_threads_have_one_winner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
