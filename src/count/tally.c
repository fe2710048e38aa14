/* tally.c: adds up what a run found, and checks that nothing is lost between found and counted. */
#include "count/tally.h"

static const struct {
    const char *name;
    enum code code;
} skips[RECORD_SKIP_COUNT] = {
    {"malformed", E_T101},
    {"not_invocation_log", E_T102},
    {"invalid", E_T103},
    {"out_of_range", E_T104},
};

const char *record_skip_name(enum record_skip skip)
{
    return skips[skip].name;
}

enum code record_skip_code(enum record_skip skip)
{
    return skips[skip].code;
}

void tally_see_time(struct tally *tally, int64_t seconds)
{
    if (!tally->has_times || seconds < tally->first_time)
        tally->first_time = seconds;
    if (!tally->has_times || seconds > tally->last_time)
        tally->last_time = seconds;
    tally->has_times = true;
}

void record_tally_add(struct record_tally *into, const struct record_tally *from)
{
    into->found += from->found;
    into->counted += from->counted;
    for (size_t i = 0; i < RECORD_SKIP_COUNT; i++)
        into->skipped[i] += from->skipped[i];
}

void tally_add(struct tally *into, const struct tally *from)
{
    into->objects.found += from->objects.found;
    into->objects.counted += from->objects.counted;
    into->objects.duplicate += from->objects.duplicate;
    into->objects.failed += from->objects.failed;
    for (size_t i = 0; i < OBJECT_SKIP_COUNT; i++)
        into->objects.skipped[i] += from->objects.skipped[i];
    record_tally_add(&into->records, &from->records);
    into->bytes_read += from->bytes_read;
    into->bytes_inflated += from->bytes_inflated;
    if (from->has_times) {
        tally_see_time(into, from->first_time);
        tally_see_time(into, from->last_time);
    }
}

uint64_t tally_objects_skipped(const struct tally *tally)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < OBJECT_SKIP_COUNT; i++)
        sum += tally->objects.skipped[i];
    return sum;
}

uint64_t tally_records_skipped(const struct tally *tally)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < RECORD_SKIP_COUNT; i++)
        sum += tally->records.skipped[i];
    return sum;
}

bool tally_balances(const struct tally *tally)
{
    return tally->objects.found == tally->objects.counted + tally->objects.duplicate +
                                       tally->objects.failed + tally_objects_skipped(tally) &&
           tally->records.found == tally->records.counted + tally_records_skipped(tally);
}
