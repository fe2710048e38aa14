/* tally.h: what a run found, and the balance that must hold: found = counted + skipped + ... */
#ifndef COUNT_TALLY_H
#define COUNT_TALLY_H

#include "objects/object_key.h"

enum record_skip {
    RECORD_MALFORMED,
    RECORD_NOT_LOG,
    RECORD_INVALID,
    RECORD_OUT_OF_RANGE,
    RECORD_SKIP_COUNT
};

struct record_tally {
    uint64_t found, counted;
    uint64_t skipped[RECORD_SKIP_COUNT];
};

struct tally {
    struct {
        uint64_t found, counted, duplicate, failed;
        uint64_t skipped[OBJECT_SKIP_COUNT]; /* OBJECT_READ is not used */
    } objects;
    struct record_tally records; /* of counted objects, as the bytes are */
    uint64_t bytes_read, bytes_inflated;
    bool has_times; /* some record was counted: the earliest and latest second of them */
    int64_t first_time, last_time;
};

/* "malformed", "not_invocation_log", "invalid", "out_of_range" */
const char *record_skip_name(enum record_skip skip);

/* The code of the line that names a skipped text. */
enum code record_skip_code(enum record_skip skip);

/* A record of this time was counted. */
void tally_see_time(struct tally *tally, int64_t seconds);

/* Add all numbers of `from`; tally_add() widens the times, too. */
void record_tally_add(struct record_tally *into, const struct record_tally *from);
void tally_add(struct tally *into, const struct tally *from);

/* Sums over the reasons. */
uint64_t tally_objects_skipped(const struct tally *tally);
uint64_t tally_records_skipped(const struct tally *tally);

/* Whether both balances hold; anything else is a bug of ours. */
bool tally_balances(const struct tally *tally);

#endif
