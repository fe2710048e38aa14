#include "report/balance.h"

#include "base/log.h"

struct report_balance balance_of(const struct tally *t)
{
    struct report_balance b = {
        .objects_found = t->objects.found,
        .objects_counted = t->objects.counted,
        .objects_duplicate = t->objects.duplicate,
        .objects_failed = t->objects.failed,
        .records_found = t->records.found,
        .records_counted = t->records.counted,
        .bytes_read = t->bytes_read,
        .bytes_inflated = t->bytes_inflated,
        .has_times = t->has_times,
        .first_time = t->first_time,
        .last_time = t->last_time,
    };
    for (unsigned i = OBJECT_READ + 1; i < OBJECT_SKIP_COUNT; i++)
        b.objects_skipped[b.objects_skipped_count++] =
            (struct tally_entry){object_skip_name((enum object_skip)i), t->objects.skipped[i]};
    for (unsigned i = 0; i < RECORD_SKIP_COUNT; i++)
        b.records_skipped[b.records_skipped_count++] =
            (struct tally_entry){record_skip_name((enum record_skip)i), t->records.skipped[i]};
    return b;
}

static void print_reasons(const struct tally_entry *entries, size_t count, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].count > 0)
            fprintf(out, "%s%s %llu", any ? ", " : " (", entries[i].reason,
                    (unsigned long long)entries[i].count);
        any = any || entries[i].count > 0;
    }
    fputs(any ? ")\n" : "\n", out);
}

void balance_print(const struct tally *t, FILE *out)
{
    struct report_balance b = balance_of(t);
    fprintf(out, "objects: %llu found = %llu counted + %llu duplicate + %llu failed + %llu skipped",
            (unsigned long long)b.objects_found, (unsigned long long)b.objects_counted,
            (unsigned long long)b.objects_duplicate, (unsigned long long)b.objects_failed,
            (unsigned long long)tally_objects_skipped(t));
    print_reasons(b.objects_skipped, b.objects_skipped_count, out);
    fprintf(out, "texts:   %llu found = %llu counted + %llu skipped",
            (unsigned long long)b.records_found, (unsigned long long)b.records_counted,
            (unsigned long long)tally_records_skipped(t));
    print_reasons(b.records_skipped, b.records_skipped_count, out);
}

void balance_tell(const struct tally *t, FILE *out)
{
    if (log_format_now() != LOG_JSON) {
        balance_print(t, out);
        return;
    }
    LOG_EVENT(LOG_INFO, "objects read", log_u64("found", t->objects.found),
              log_u64("counted", t->objects.counted), log_u64("duplicate", t->objects.duplicate),
              log_u64("failed", t->objects.failed), log_u64("skipped", tally_objects_skipped(t)));
    LOG_EVENT(LOG_INFO, "texts read", log_u64("found", t->records.found),
              log_u64("counted", t->records.counted), log_u64("skipped", tally_records_skipped(t)));
}
