/* test_log.c: one event is one line, whatever is in its values. */
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>

#include "base/codes.h"
#include "base/log.h"

static int log_file;

static int set_up(void **state)
{
    (void)state;
    log_file = memfd_create("log", MFD_CLOEXEC);
    log_set_fd(log_file);
    return log_file < 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_fd(STDERR_FILENO);
    log_set_request_id(VIEW_EMPTY);
    log_set_before_line(NULL);
    log_setup(LOG_INFO, LOG_TEXT, false);
    return close(log_file);
}

/* What was logged since the last call. */
static struct view logged(void)
{
    static char text[1 << 17];
    ssize_t n = pread(log_file, text, sizeof(text), 0);
    assert_true(n >= 0);
    assert_int_equal(ftruncate(log_file, 0), 0);
    assert_int_equal(lseek(log_file, 0, SEEK_SET), 0);
    return view_make(text, (size_t)n);
}

static void levels(void **state)
{
    static const struct {
        const char *name;
        enum status status;
        enum log_level level;
    } cases[] = {
        {"DEBUG", ST_OK, LOG_DEBUG}, {"info", ST_OK, LOG_INFO},    {"Warn", ST_OK, LOG_WARN},
        {"ERROR", ST_OK, LOG_ERROR}, {"", ST_USAGE, LOG_OFF},      {"WARNING", ST_USAGE, LOG_OFF},
        {"OFF", ST_USAGE, LOG_OFF},  {"INFO ", ST_USAGE, LOG_OFF},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum log_level level = LOG_OFF;
        expect_status(i, log_level_parse(view_of(cases[i].name), &level), cases[i].status);
        expect_u64(i, "level", level, cases[i].level);
    }
    for (int set = LOG_DEBUG; set <= LOG_OFF; set++) {
        log_setup((enum log_level)set, LOG_TEXT, false);
        assert_int_equal(log_level_now(), set);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            LOG_FAULT_MESSAGE((enum log_level)level, E_O100, "x");
            assert_int_equal(logged().len > 0, level >= set);
        }
    }
}

static const struct {
    struct view value, text;
} values[] = {
    {TEXT("plain-1.2/x:y@z"), TEXT("plain-1.2/x:y@z")},
    {TEXT(""), TEXT("\"\"")},
    {TEXT("two words"), TEXT("\"two words\"")},
    {TEXT("a=b"), TEXT("\"a=b\"")},
    {TEXT("\"q\""), TEXT("\"\\\"q\\\"\"")},
    {TEXT("a\\b"), TEXT("\"a\\\\b\"")},
    {TEXT("x\nERROR forged object=y"), TEXT("\"x\\nERROR forged object=y\"")},
    {TEXT("x\r\n"), TEXT("\"x\\r\\n\"")},
    {TEXT("\x1b[2J\x1b]0;title\x07"), TEXT("\"\\u001b[2J\\u001b]0;title\\u0007\"")},
    {TEXT("\xc2\x9b"
          "31m"),
     TEXT("\"\\u009b31m\"")},
    {TEXT("a\0b"), TEXT("\"a\\u0000b\"")},
    {TEXT("\x7f"), TEXT("\"\\u007f\"")},
    {TEXT("\xe2\x80\xae"
          "gpj.exe"),
     TEXT("\"\\u202egpj.exe\"")},
    {TEXT("\xe2\x80\xa8"), TEXT("\"\\u2028\"")},
    {TEXT("\xff\xfe"), TEXT("\"\xef\xbf\xbd\xef\xbf\xbd\"")},
    {TEXT("caf\xc3\xa9"), TEXT("\"caf\xc3\xa9\"")},
};

static void text_lines_cannot_be_forged(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, false);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char wanted[256];
        LOG_FAULT(LOG_WARN, E_T101, "text skipped", log_view("object", values[i].value),
                  log_u64("offset", 12), log_cstr("reason", "malformed"));
        snprintf(wanted, sizeof(wanted),
                 "WARN  BM-T101 text skipped object=%.*s offset=12 reason=malformed\n",
                 (int)values[i].text.len, values[i].text.ptr);
        expect_view(i, logged(), view_of(wanted));
    }
    log_set_request_id(VIEW_LIT("a b\n"));
    LOG_FAULT_MESSAGE(LOG_ERROR, E_O100, "x");
    expect_view(99, logged(), VIEW_LIT("ERROR BM-O100 x request=\"a b\\n\"\n"));
}

static void json_lines_are_json(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_JSON, false);
    log_set_request_id(VIEW_LIT("id-1"));
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        LOG_EVENT(LOG_INFO, "a \"message\"", log_view("object", values[i].value),
                  log_u64("n", UINT64_MAX / 2));
        struct view line = logged();
        assert_int_equal(view_find_char(line, '\n'), line.len - 1);
        json_t *json =
            json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        if (json == NULL)
            fail_row(i, "no JSON: %.*s", (int)line.len, line.ptr);
        assert_string_equal(json_string_value(json_object_get(json, "level")), "INFO");
        assert_string_equal(json_string_value(json_object_get(json, "message")), "a \"message\"");
        assert_string_equal(json_string_value(json_object_get(json, "requestId")), "id-1");
        assert_int_equal(json_integer_value(json_object_get(json, "n")), INT64_MAX);
        assert_int_equal(json_string_length(json_object_get(json, "timestamp")), 24);
        assert_true(json_is_string(json_object_get(json, "object")));
        json_decref(json);
    }
}

static void what_is_absent_is_left_out(void **state)
{
    (void)state;
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        log_setup(LOG_INFO, (enum log_format)format, false);
        LOG_EVENT(LOG_INFO, "x", log_view("bucket", VIEW_EMPTY), log_cstr("reason", NULL),
                  log_cstr("receipt", ""));
        struct view line = logged();
        assert_true(view_find(line, VIEW_LIT("bucket")) == SIZE_MAX);
        assert_true(view_find(line, VIEW_LIT("reason")) == SIZE_MAX);
        assert_true(view_find(line, VIEW_LIT("receipt")) != SIZE_MAX);
    }
}

/* From WARN on a line has the code it was given, or that of its cause. */
static void codes(void **state)
{
    const struct error known = {.code = E_O101, .text = "unknown option"};
    const struct error unknown = {.text = "truncated gzip member"};
    const struct {
        enum log_level level;
        enum code code;
        const char *text;
    } cases[] = {
        {LOG_ERROR, error_code(&known, E_O100), "BM-O101"},
        {LOG_ERROR, error_code(&unknown, E_O100), "BM-O100"},
        {LOG_WARN, E_P102, "BM-P102"},
        {LOG_INFO, E_Q101, NULL},
        {LOG_WARN, E_NONE, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char wanted[256];
        const char *code = cases[i].text;
        log_setup(LOG_INFO, LOG_TEXT, false);
        LOG_FAULT(cases[i].level, cases[i].code, "text skipped", log_cstr("reason", "invalid"));
        snprintf(wanted, sizeof(wanted), "%s%s%stext skipped reason=invalid\n",
                 cases[i].level == LOG_ERROR  ? "ERROR "
                 : cases[i].level == LOG_WARN ? "WARN  "
                                              : "INFO  ",
                 code == NULL ? "" : code, code == NULL ? "" : " ");
        expect_view(i, logged(), view_of(wanted));
        log_setup(LOG_INFO, LOG_JSON, false);
        LOG_FAULT(cases[i].level, cases[i].code, "text skipped", log_cstr("reason", "invalid"));
        struct view line = logged();
        json_t *json = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
        const char *member = json_string_value(json_object_get(json, "code"));
        if ((member == NULL) != (code == NULL) || (code != NULL && strcmp(member, code) != 0))
            fail_row(i, "member code is %s", member == NULL ? "absent" : member);
        json_decref(json);
    }
}

/* Each code is printed as it is named, and none twice. */
static void code_texts(void **state)
{
    (void)state;
    assert_null(code_text(E_NONE));
    assert_null(code_text(E_END));
    assert_string_equal(code_text(E_O100), "BM-O100");
    assert_string_equal(code_text(E_F109), "BM-F109");
    for (int i = E_NONE + 1; i < E_END; i++) {
        const char *text = code_text((enum code)i);
        if (strlen(text) != 7 || strncmp(text, "BM-", 3) != 0)
            fail_row((size_t)i, "%s", text);
        for (int j = E_NONE + 1; j < i; j++)
            assert_string_not_equal(code_text((enum code)j), text);
    }
}

/* Values of any length: cut, and never a cut line. */
static void long_values(void **state)
{
    (void)state;
    static char huge[5000];
    for (unsigned c = 0; c < 256; c += 5) {
        memset(huge, (int)c, sizeof(huge));
        struct view v = view_make(huge, sizeof(huge));
        for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
            log_setup(LOG_INFO, (enum log_format)format, true);
            LOG_FAULT(LOG_ERROR, E_O100, "x", log_view("a", v), log_view("b", v), log_view("c", v));
            struct view line = logged();
            if (line.len == 0 || view_find_char(line, '\n') != line.len - 1)
                fail_row(c, "%u bytes", (unsigned)line.len);
            assert_true(line.len < 3 * 1024 * 6 + 200);
        }
    }
    log_set_request_id(view_make(huge, sizeof(huge)));
    LOG_FAULT_MESSAGE(LOG_ERROR, E_O100, "x");
    assert_true(logged().len < 1400);
}

static int cleared;

static void clear_progress(void)
{
    cleared++;
}

static void colour_and_hook(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, true);
    log_set_before_line(clear_progress);
    LOG_FAULT_MESSAGE(LOG_WARN, E_O100, "x");
    expect_view(0, logged(), VIEW_LIT("\033[33mWARN\033[0m  BM-O100 x\n"));
    LOG_FAULT_MESSAGE(LOG_DEBUG, E_O100, "x");
    assert_int_equal(cleared, 1);
}

#define LOG_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(levels),
        LOG_TEST(text_lines_cannot_be_forged),
        LOG_TEST(json_lines_are_json),
        LOG_TEST(what_is_absent_is_left_out),
        LOG_TEST(codes),
        LOG_TEST(code_texts),
        LOG_TEST(long_values),
        LOG_TEST(colour_and_hook),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
