/* test_objects.c: which keys are skipped; folders, links, special files and duplicates. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "objects/object_key.h"
#include "objects/source.h"

#define LOGS "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/10/"

static void keys(void **state)
{
    static const struct {
        const char *key;
        enum object_skip skip;
    } cases[] = {
        {LOGS "20261101T103107123Z_0a1b.json.gz", OBJECT_READ},
        {"prefix/" LOGS "x.json.gz", OBJECT_READ},
        {"x.json.gz", OBJECT_READ},
        {"", OBJECT_READ},
        {"/", OBJECT_READ},
        {"a//b/", OBJECT_READ},
        /* offloaded bodies: `data` below the logs folder, not above it, not as a file's name */
        {LOGS "data/0a1b_input.json.gz", OBJECT_OFFLOADED_BODY},
        {LOGS "data/sub/x", OBJECT_OFFLOADED_BODY},
        {LOGS "data", OBJECT_READ},
        {LOGS "data.json", OBJECT_READ},
        {LOGS "mydata/x", OBJECT_READ},
        {"data/" LOGS "x", OBJECT_READ},
        {"data/x", OBJECT_READ},
        {"BedrockModelInvocationLogs/data/x", OBJECT_OFFLOADED_BODY},
        {"BedrockModelInvocationLogs/data/" LOGS "x", OBJECT_READ},
        /* permission checks */
        {LOGS "amazon-bedrock-logs-permission-check", OBJECT_PERMISSION_CHECK},
        {"p/amazon-bedrock-logs-permission-check-1234", OBJECT_PERMISSION_CHECK},
        {"amazon-bedrock-logs-permission-check/x", OBJECT_READ},
        {"my-amazon-bedrock-logs-permission-check", OBJECT_READ},
        {"amazon-bedrock-logs-permission", OBJECT_READ},
        /* other services; the last AWSLogs decides */
        {"AWSLogs/123456789012/CloudTrail/us-east-1/x.json.gz", OBJECT_OTHER_SERVICE},
        {"p/AWSLogs/1/elasticloadbalancing/x", OBJECT_OTHER_SERVICE},
        {"AWSLogs/123456789012/x.json.gz", OBJECT_READ},
        {"AWSLogs/o-org/123456789012/CloudTrail/x", OBJECT_READ},
        {"AWSLogs/CloudTrail/x", OBJECT_READ},
        {"awslogs/1/CloudTrail/x", OBJECT_READ},
        {"AWSLogs/1/CloudTrail/" LOGS "x", OBJECT_READ},
        {LOGS "AWSLogs/1/Config/x", OBJECT_OTHER_SERVICE},
        {"AWSLogs/1/BedrockModelInvocationLogs", OBJECT_READ},
        {"AWSLogs//CloudTrail/x", OBJECT_READ},
    };
    (void)state;
    struct guarded page = guarded_new(256);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].key);
        struct view key = view_make(guarded_copy(&page, cases[i].key, n), n);
        expect_view(i, view_of(object_skip_name(object_key_skip(key))),
                    view_of(object_skip_name(cases[i].skip)));
    }
    guarded_free(&page);
    assert_string_equal(object_skip_name(OBJECT_MISSING), "missing");
}

/* ---- a folder with a bit of everything ---- */

static char folder[] = "/tmp/test-objects-XXXXXX";

static void make_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return 1;
    int failed = mkdir("in", 0777) | mkdir("in/deep", 0777) | mkdir("in/deep/er", 0777) |
                 mkdir("in/empty", 0777) | mkdir("other", 0777);
    make_file("in/a", "aaa");
    make_file("in/deep/b", "bb");
    make_file("in/deep/er/c\n\xff", "c");
    make_file("other/d", "d");
    failed |= symlink("../other", "in/link-to-folder") | symlink("../other/d", "in/link-to-file") |
              symlink("nowhere", "in/dangling") | symlink("..", "in/deep/loop") |
              symlink("in", "alias") | mkfifo("in/fifo", 0666);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    char command[sizeof(folder) + 16];
    /* nftw() does not know paths as long as those of long_paths(). */
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") != 0 || system(command) != 0;
}

/* Sorted lines "kind key size[ named][: error]". */
struct listing {
    char lines[32][800];
    size_t count;
    size_t stop_after; /* 0: never */
};

static enum status note(void *context, const struct object_ref *ref, enum object_found found,
                        const struct error *err)
{
    struct listing *l = context;
    static const char *const kinds[] = {"found", "duplicate", "failed"};
    assert_true(l->count < 32);
    assert_int_equal(err != NULL, found == OBJECT_FAILED);
    snprintf(l->lines[l->count++], sizeof(l->lines[0]), "%s %.*s %u%s%s%s", kinds[found],
             (int)ref->key.len, ref->key.ptr, (unsigned)ref->size, ref->named ? " named" : "",
             err != NULL ? ": " : "", err != NULL ? err->text : "");
    return l->count == l->stop_after ? ST_CANCELLED : ST_OK;
}

static int by_line(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void check_listing(size_t row, const char *const *paths, const char *wanted)
{
    char *copies[8], text[32 * 800];
    size_t count = 0, n = 0;
    struct listing l = {.count = 0};
    for (; paths[count] != NULL; count++)
        copies[count] = strdup(paths[count]);
    struct source *source = source_files_new(copies, count);
    assert_int_equal(source_list(source, note, &l), ST_OK);
    source_free(source);
    qsort(l.lines, l.count, sizeof(l.lines[0]), by_line);
    for (size_t i = 0; i < l.count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", l.lines[i]);
    expect_view(row, view_make(text, n), view_of(wanted));
    while (count > 0)
        free(copies[--count]);
}

static void listings(void **state)
{
    static const struct {
        const char *paths[6];
        const char *wanted;
    } cases[] = {
        {{"in"}, "found in/a 3\nfound in/deep/b 2\nfound in/deep/er/c\n\xff 1\n"},
        {{"in/"}, "found in/a 3\nfound in/deep/b 2\nfound in/deep/er/c\n\xff 1\n"},
        {{"./in/deep"}, "found ./in/deep/b 2\nfound ./in/deep/er/c\n\xff 1\n"},
        {{"in/empty"}, ""},
        {{"in/a"}, "found in/a 3 named\n"},
        {{"in/link-to-file"}, "found in/link-to-file 1 named\n"},
        {{"in/link-to-folder"}, "found in/link-to-folder/d 1\n"},
        {{"in/fifo"}, "found in/fifo 0 named\n"},
        {{"in/dangling"}, "failed in/dangling 0: cannot be opened: No such file or directory\n"},
        {{"nowhere"}, "failed nowhere 0: cannot be opened: No such file or directory\n"},
        {{"in/a/x"}, "failed in/a/x 0: cannot be opened: Not a directory\n"},
        {{""}, "failed  0: cannot be opened: No such file or directory\n"},
        /* the same file by another name is a duplicate, whichever way it is named */
        {{"in/a", "in/a"}, "duplicate in/a 3 named\nfound in/a 3 named\n"},
        {{"in/a", "in/../in/./a"}, "duplicate in/../in/./a 3 named\nfound in/a 3 named\n"},
        {{"in/a", "alias/a"}, "duplicate alias/a 3 named\nfound in/a 3 named\n"},
        {{"other/d", "in/link-to-file"},
         "duplicate in/link-to-file 1 named\nfound other/d 1 named\n"},
        {{"in/deep", "in/a", "in"},
         "duplicate in/a 3\nduplicate in/deep/b 2\nduplicate in/deep/er/c\n\xff 1\n"
         "found in/a 3 named\nfound in/deep/b 2\nfound in/deep/er/c\n\xff 1\n"},
        {{"in", "in/deep/b"},
         "duplicate in/deep/b 2 named\nfound in/a 3\nfound in/deep/b 2\nfound in/deep/er/c\n\xff "
         "1\n"},
        {{"-", "-"}, "duplicate - 0 named\nfound - 0 named\n"},
        {{"nowhere", "nowhere", "in/empty", "in/a"},
         "failed nowhere 0: cannot be opened: No such file or directory\n"
         "failed nowhere 0: cannot be opened: No such file or directory\n"
         "found in/a 3 named\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_listing(i, cases[i].paths, cases[i].wanted);
}

/* Standard input under its other names; a file that is standard input is that file. */
static void inputs(void **state)
{
    static const struct {
        const char *input; /* NULL: a pipe */
        const char *paths[4];
        const char *wanted;
    } cases[] = {
        {NULL, {"-", "/dev/stdin"}, "duplicate /dev/stdin 0 named\nfound - 0 named\n"},
        {NULL, {"/dev/stdin", "-"}, "duplicate - 0 named\nfound /dev/stdin 0 named\n"},
        {NULL,
         {"/dev/fd/0", "/dev/stdin"},
         "duplicate /dev/stdin 0 named\nfound /dev/fd/0 0 named\n"},
        {NULL, {"-", "in/a"}, "found - 0 named\nfound in/a 3 named\n"},
        {"in/a", {"-", "in/a"}, "duplicate in/a 3 named\nfound - 0 named\n"},
        {"in/a", {"in/a", "-"}, "duplicate - 0 named\nfound in/a 3 named\n"},
        {"in/a", {"-", "/dev/stdin"}, "duplicate /dev/stdin 3 named\nfound - 0 named\n"},
        {"in/deep/b",
         {"in", "-"},
         "duplicate - 0 named\nfound in/a 3\nfound in/deep/b 2\nfound in/deep/er/c\n\xff 1\n"},
        {"in/a", {"-", "other/d"}, "found - 0 named\nfound other/d 1 named\n"},
        {"/dev/null", {"-", "-"}, "duplicate - 0 named\nfound - 0 named\n"},
    };
    (void)state;
    int before = dup(STDIN_FILENO);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int ends[2] = {-1, -1};
        if (cases[i].input == NULL)
            assert_int_equal(pipe(ends), 0);
        else
            ends[0] = open(cases[i].input, O_RDONLY);
        assert_true(ends[0] >= 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
        check_listing(i, cases[i].paths, cases[i].wanted);
        close(ends[0]);
        if (ends[1] >= 0)
            close(ends[1]);
    }
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
}

/* A path longer than open() takes is listed, and can be read. */
static enum status read_leaf(void *context, const struct object_ref *ref, enum object_found found,
                             const struct error *err)
{
    size_t *longest = context, n = 0;
    char text[8];
    struct byte_stream *stream = NULL;
    (void)err;
    if (ref->key.len <= *longest)
        return ST_OK;
    *longest = ref->key.len;
    assert_int_equal(found, OBJECT_FOUND);
    assert_int_equal(object_open(ref, &stream, NULL), ST_OK);
    assert_int_equal(byte_stream_read(stream, text, sizeof(text), &n, NULL), ST_OK);
    assert_int_equal(n, 1);
    byte_stream_close(stream);
    return ST_OK;
}

static void long_paths(void **state)
{
    char name[201], base[] = "other";
    char *paths[] = {base};
    size_t longest = 0;
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(chdir(base), 0);
    for (int depth = 0; depth < 60; depth++)
        assert_int_equal(mkdir(name, 0777) | chdir(name), 0);
    make_file("leaf", "1");
    assert_int_equal(chdir(folder), 0);
    struct source *source = source_files_new(paths, 1);
    assert_int_equal(source_list(source, read_leaf, &longest), ST_OK);
    assert_true(longest > 12000);
    source_free(source);
}

/* Deeper than any path the program keeps: the folder is named as failed, the others are found. */
static enum status count_kinds(void *context, const struct object_ref *ref, enum object_found found,
                               const struct error *err)
{
    unsigned *counts = context;
    (void)ref;
    counts[found]++;
    if (found == OBJECT_FAILED)
        assert_non_null(strstr(err->text, "folder is nested too deeply"));
    return ST_OK;
}

static void deeper_than_any_path(void **state)
{
    char name[256], base[] = "other";
    char *paths[] = {base};
    unsigned counts[3] = {0};
    (void)state;
    memset(name, 'm', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(chdir(base), 0);
    for (int depth = 0; depth < 260; depth++)
        assert_int_equal(mkdir(name, 0777) | chdir(name), 0);
    make_file("leaf", "1");
    assert_int_equal(chdir(folder), 0);
    struct source *source = source_files_new(paths, 1);
    assert_int_equal(source_list(source, count_kinds, counts), ST_OK);
    assert_int_equal(counts[OBJECT_FAILED], 1);
    assert_true(counts[OBJECT_FOUND] >= 1);
    source_free(source);
}

static void listing_stops_when_told(void **state)
{
    (void)state;
    char in[] = "in";
    char *paths[] = {in, in};
    struct source *source = source_files_new(paths, 2);
    for (size_t after = 1; after <= 6; after++) {
        struct listing l = {.stop_after = after};
        assert_int_equal(source_list(source, note, &l), ST_CANCELLED);
        assert_int_equal(l.count, after);
    }
    source_free(source);
}

/* A folder with more levels than a stack of this depth would bear if it recursed. */
static void deep_folders(void **state)
{
    (void)state;
    assert_int_equal(chdir("other"), 0);
    int depth = 0;
    for (; depth < 500; depth++)
        assert_int_equal(mkdir("x", 0777) | chdir("x"), 0);
    make_file("leaf", "1");
    assert_int_equal(chdir(folder), 0);
    char other[] = "other";
    char *paths[] = {other};
    struct source *source = source_files_new(paths, 1);
    struct listing l = {.count = 0};
    assert_int_equal(source_list(source, note, &l), ST_OK);
    assert_int_equal(l.count, 2);
    source_free(source);
}

static void opening(void **state)
{
    static const struct {
        const char *key;
        bool named;
        enum status status;
    } cases[] = {
        {"in/a", false, ST_OK},
        {"in/a", true, ST_OK},
        {"vanished", false, ST_MISSING},
        {"vanished", true, ST_IO},
        {"in/link-to-file", false, ST_IO}, /* it was no link when the folder was read */
        {"in/link-to-file", true, ST_OK},
        {"in/fifo", false, ST_BAD_ITEM}, /* and does not block */
        {"in/deep", false, ST_BAD_ITEM},
        {"in/deep", true, ST_BAD_ITEM},
        {"/dev/null", true, ST_OK},
        {"/dev/null", false, ST_BAD_ITEM},
    };
    (void)state;
    char in[] = "in";
    char *paths[] = {in};
    struct source *source = source_files_new(paths, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct object_ref ref = {source, view_of(cases[i].key), 0, cases[i].named};
        struct byte_stream *stream = NULL;
        struct error err = {.text = ""};
        expect_status(i, object_open(&ref, &stream, &err), cases[i].status);
        assert_int_equal(err.text[0] != '\0', cases[i].status != ST_OK);
        byte_stream_close(stream);
    }
    byte_stream_close(NULL);
    source_free(source);
    source_free(NULL);
}

static void reading(void **state)
{
    (void)state;
    char in[] = "in";
    char *paths[] = {in};
    struct source *source = source_files_new(paths, 1);
    struct object_ref ref = {source, VIEW_LIT("in/a"), 0, false};
    struct byte_stream *stream = NULL;
    char bytes[8] = "";
    size_t n = 0;
    assert_int_equal(object_open(&ref, &stream, NULL), ST_OK);
    assert_int_equal(byte_stream_read(stream, bytes, 2, &n, NULL), ST_OK);
    assert_int_equal(n, 2);
    assert_int_equal(byte_stream_read(stream, bytes, sizeof(bytes), &n, NULL), ST_OK);
    assert_int_equal(n, 1);
    assert_int_equal(byte_stream_read(stream, bytes, sizeof(bytes), &n, NULL), ST_END);
    byte_stream_close(stream);
    source_free(source);
}

/* What happens to a file between its first byte and its end. */
static void truncate_it(void)
{
    assert_int_equal(truncate("in/a", 1), 0);
}

static void append_to_it(void)
{
    FILE *file = fopen("in/a", "a");
    assert_non_null(file);
    fputs("more", file);
    fclose(file);
}

static void overwrite_it(void)
{
    FILE *file = fopen("in/a", "r+");
    assert_non_null(file);
    fputs("b", file);
    fclose(file);
}

static void replace_it(void)
{
    make_file("new", "nn");
    assert_int_equal(rename("new", "in/a"), 0);
}

static void remove_it(void)
{
    assert_int_equal(unlink("in/a"), 0);
}

static void nothing(void)
{
}

/* A file that was not the same from its begin to its end is none; a replaced one was. */
static void changes_while_reading(void **state)
{
    static const struct {
        void (*change)(void);
        enum status wanted;
    } cases[] = {{nothing, ST_END},        {truncate_it, ST_RETRY}, {append_to_it, ST_RETRY},
                 {overwrite_it, ST_RETRY}, {replace_it, ST_END},    {remove_it, ST_END}};
    static const struct timespec long_ago[2] = {{1000, 0}, {1000, 0}};
    (void)state;
    char in[] = "in";
    char *paths[] = {in};
    struct source *source = source_files_new(paths, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        make_file("in/a", "aaa");
        assert_int_equal(utimensat(AT_FDCWD, "in/a", long_ago, 0), 0);
        struct object_ref ref = {source, VIEW_LIT("in/a"), 0, i % 2 == 0};
        struct byte_stream *stream = NULL;
        struct error err = {0};
        char byte;
        size_t n;
        assert_int_equal(object_open(&ref, &stream, &err), ST_OK);
        assert_int_equal(byte_stream_read(stream, &byte, 1, &n, &err), ST_OK);
        cases[i].change();
        enum status st;
        do {
            st = byte_stream_read(stream, &byte, 1, &n, &err);
        } while (st == ST_OK);
        expect_status(i, st, cases[i].wanted);
        assert_int_equal(err.code, st == ST_END ? E_NONE : E_O110);
        byte_stream_close(stream);
    }
    source_free(source);
}

#define IN_FOLDER(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        IN_FOLDER(listings),
        IN_FOLDER(listing_stops_when_told),
        IN_FOLDER(inputs),
        IN_FOLDER(long_paths),
        IN_FOLDER(deeper_than_any_path),
        IN_FOLDER(deep_folders),
        IN_FOLDER(opening),
        IN_FOLDER(reading),
        IN_FOLDER(changes_while_reading),
    };
    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
