/* report_tally.c: what was read and what became of it, as JSON, as lines of text and as log lines. */
#include "base/log.h"
#include "report/report.h"

static const char *object_reason(unsigned skip)
{
    return object_skip_name((enum object_skip)skip);
}

static const char *record_reason(unsigned skip)
{
    return record_skip_name((enum record_skip)skip);
}

static void add_reasons(struct json_out *j, const uint64_t *skipped, unsigned count,
                        const char *(*name)(unsigned skip))
{
    json_open_object(j, "skipped");
    for (unsigned i = 0; i < count; i++) {
        if (skipped[i] > 0)
            json_add_u64(j, name(i), skipped[i]);
    }
    json_close(j);
}

void report_add_tally(struct json_out *j, const struct tally *t)
{
    json_open_object(j, "objects");
    JSON_ADD_NUMBERS(j, {"found", t->objects.found}, {"counted", t->objects.counted},
                     {"duplicate", t->objects.duplicate}, {"failed", t->objects.failed});
    add_reasons(j, t->objects.skipped, OBJECT_SKIP_COUNT, object_reason);
    json_close(j);
    j->gap = "\n";
    json_open_object(j, "records");
    JSON_ADD_NUMBERS(j, {"found", t->records.found}, {"counted", t->records.counted});
    add_reasons(j, t->records.skipped, RECORD_SKIP_COUNT, record_reason);
    json_close(j);
    j->gap = "\n";
    json_open_object(j, "bytes");
    JSON_ADD_NUMBERS(j, {"read", t->bytes_read}, {"inflated", t->bytes_inflated});
    json_close(j);
}

static void print_reasons(const uint64_t *skipped, unsigned count,
                          const char *(*name)(unsigned skip), FILE *out)
{
    bool any = false;
    for (unsigned i = 0; i < count; i++) {
        if (skipped[i] > 0)
            fprintf(out, "%s%s %llu", any ? ", " : " (", name(i), (unsigned long long)skipped[i]);
        any = any || skipped[i] > 0;
    }
    fputs(any ? ")\n" : "\n", out);
}

void report_print_tally(const struct tally *t, FILE *out)
{
    fprintf(out, "objects: %llu found = %llu counted + %llu duplicate + %llu failed + %llu skipped",
            (unsigned long long)t->objects.found, (unsigned long long)t->objects.counted,
            (unsigned long long)t->objects.duplicate, (unsigned long long)t->objects.failed,
            (unsigned long long)tally_objects_skipped(t));
    print_reasons(t->objects.skipped, OBJECT_SKIP_COUNT, object_reason, out);
    fprintf(out, "texts:   %llu found = %llu counted + %llu skipped",
            (unsigned long long)t->records.found, (unsigned long long)t->records.counted,
            (unsigned long long)tally_records_skipped(t));
    print_reasons(t->records.skipped, RECORD_SKIP_COUNT, record_reason, out);
}

void report_log_tally(const struct tally *t, FILE *out)
{
    if (log_format_now() != LOG_JSON) {
        report_print_tally(t, out);
        return;
    }
    LOG_EVENT(LOG_INFO, "objects read", log_u64("found", t->objects.found),
              log_u64("counted", t->objects.counted), log_u64("duplicate", t->objects.duplicate),
              log_u64("failed", t->objects.failed), log_u64("skipped", tally_objects_skipped(t)));
    LOG_EVENT(LOG_INFO, "texts read", log_u64("found", t->records.found),
              log_u64("counted", t->records.counted), log_u64("skipped", tally_records_skipped(t)));
}
