/*
 * fuzz_settings.c: any bytes as what a person or a ledger says: times, intervals, dimension sets,
 * metrics, profiles files, payloads of a ledger; and as a value in a log line, which it cannot
 * leave.
 */
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "config/dimension_sets.h"
#include "config/interval.h"
#include "publish/payload.h"
#include "records/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void fuzz_times(struct view text)
{
    const struct instant now = {1793880000, 0};
    struct instant at;
    int64_t seconds;
    if (time_parse(text, now, &at) == ST_OK)
        check(at.nanos < 1000000000);
    if (interval_parse(text, &seconds) == ST_OK)
        check(seconds == 0 || 86400 % seconds == 0);
}

static void fuzz_sets(struct view text)
{
    static struct dimension_sets sets;
    struct error err = {.text = ""};
    metric_set metrics;
    uint64_t resolution;
    memset(&sets, 0, sizeof(sets));
    if (dimension_sets_parse(text, &sets, &err) != ST_OK)
        check(err.text[0] != '\0');
    else
        for (size_t i = 0; i < sets.count; i++)
            check(sets.set[i].count > 0);
    if (metric_set_parse(text, &metrics, &err) == ST_OK)
        check(metrics < METRIC_BIT(METRIC_COUNT));
    if (dimension_sets_parse_resolution(text, &resolution, &err) == ST_OK)
        check(resolution > 0 && resolution <= 3600);
}

static void fuzz_profiles(struct view text)
{
    struct profiles *profiles = profiles_new();
    struct error err = {.text = ""};
    check(profiles != NULL);
    if (profiles_add_json(profiles, text, &err) != ST_OK)
        check(err.text[0] != '\0');
    (void)profiles_tag(profiles, text, VIEW_LIT("team"));
    const struct profile *found = profiles_find(profiles, view_first(text, 12));
    check(found == NULL || found->id.len == 12);
    profiles_free(profiles);
}

static void fuzz_payload(struct view text)
{
    struct payload payload;
    struct buf out;
    buf_init(&out, 16 << 20);
    if (payload_decode(text, &payload) == ST_OK) {
        (void)payload_tokens(&payload, 0, payload.count);
        (void)payload_tokens(&payload, payload.count, 3);
        check(payload_write(&payload, payload.count, 1, VIEW_EMPTY, &out) == ST_BAD_ITEM);
        (void)payload_write(&payload, 0, payload.count, VIEW_LIT("{}"), &out);
    }
    payload_clear(&payload);
    buf_clear(&out);
}

/* The one line that was written; its length. */
static size_t logged(int fd, enum log_format format, struct view text, char *out, size_t size)
{
    check(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    log_setup(LOG_DEBUG, format, false);
    LOG_EVENT(LOG_INFO, "text", log_view("value", text), log_u64("behind", 7));
    ssize_t n = pread(fd, out, size, 0);
    check(n > 0 && (size_t)n < size);
    return (size_t)n;
}

static void fuzz_log(struct view text)
{
    static int fd = -1;
    static char line[64 * 1024];
    if (fd < 0) {
        fd = memfd_create("log", 0);
        check(fd >= 0);
    }
    log_set_fd(fd);
    size_t n = logged(fd, LOG_TEXT, text, line, sizeof(line));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        check(c == '\n' ? i == n - 1 : c >= 0x20 && c != 0x7f);
    }
    check(line[n - 1] == '\n' && memcmp(line + n - 10, " behind=7\n", 10) == 0);
    n = logged(fd, LOG_JSON, text, line, sizeof(line));
    check(memchr(line, '\n', n) == line + n - 1);
    json_t *document = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
    check(json_integer_value(json_object_get(document, "behind")) == 7);
    json_decref(document);
    log_set_fd(STDERR_FILENO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct view) = {fuzz_times, fuzz_sets, fuzz_profiles,
                                                   fuzz_payload, fuzz_log};
    if (size == 0)
        return 0;
    char *copy = malloc(size);
    check(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    targets[data[0] % 5](view_make(copy, size - 1));
    free(copy);
    return 0;
}
