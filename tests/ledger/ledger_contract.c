#include "ledger_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1764000000000)

void contract_folder(char *out, size_t size)
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(out, size, "%s/ledger-test-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
}

struct ledger_id contract_id(unsigned n)
{
    struct ledger_id id = {{0}};
    for (size_t i = 0; i < sizeof id.bytes; i += sizeof n)
        memcpy(id.bytes + i, &n, sizeof n);
    return id;
}

struct ledger_nonce contract_nonce(unsigned n)
{
    struct ledger_nonce id = {{0}};
    for (size_t i = 0; i < sizeof id.bytes; i += sizeof n)
        memcpy(id.bytes + i, &n, sizeof n);
    return id;
}

void contract_record(struct ledger_record *r, unsigned batch, uint16_t n_members, uint16_t n_parts)
{
    memset(r, 0, sizeof *r);
    r->batch.id = contract_nonce(batch);
    r->batch.prepared_ms = NOW + batch;
    r->batch.n_members = n_members;
    r->batch.n_parts = n_parts;
    for (uint16_t i = 0; i < n_members; i++)
        r->members[i] = contract_id(i + 1u);
    for (uint16_t i = 0; i < n_parts; i++)
        r->batch.parts[i] =
            (struct ledger_part){.payload = i, .count = 4, .tokens = UINT64_MAX - i};
}

static bool repeated;

static void prepare_first(struct ledger *l, const struct ledger_record *r,
                          const struct view *payloads, uint16_t n)
{
    enum status st = ledger_prepare(l, r, payloads, n);
    assert_true(st == ST_OK || (repeated && st == ST_CONFLICT));
}

static struct protocol_claim claim(struct ledger *l, unsigned object, unsigned expected,
                                   unsigned batch)
{
    struct protocol_object o = {.id = contract_id(object), .state = OBJECT_CLAIM};
    struct protocol_claim c = {.result = CLAIM_UNKNOWN};
    struct ledger_nonce b = contract_nonce(batch);
    if (expected != 0)
        o.owner = contract_nonce(expected);
    assert_int_equal(ledger_claim(l, &b, NOW + batch, &o, 1, &c), ST_OK);
    return c;
}

static void check_claims(struct ledger *l)
{
    static const struct {
        unsigned object, expected, batch;
        enum protocol_claim_result result;
        unsigned owner;
    } rows[] = {
        {1, 0, 10, CLAIM_MINE, 0},   {1, 0, 10, CLAIM_MINE, 0}, /* own write, answer lost */
        {1, 0, 11, CLAIM_OTHER, 10}, {1, 12, 11, CLAIM_OTHER, 10}, {1, 10, 11, CLAIM_MINE, 0},
        {1, 10, 11, CLAIM_MINE, 0},  {1, 10, 12, CLAIM_OTHER, 11}, {2, 10, 11, CLAIM_ABSENT, 0},
        {2, 0, 11, CLAIM_MINE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct protocol_claim c = claim(l, rows[i].object, rows[i].expected, rows[i].batch);
        assert_int_equal(c.result, rows[i].result);
        if (rows[i].result == CLAIM_OTHER) {
            struct ledger_nonce owner = contract_nonce(rows[i].owner);
            assert_true(ledger_nonce_eq(&c.owner, &owner));
            assert_int_equal(c.claimed_ms, NOW + rows[i].owner);
        }
    }
    /* Only objects of OBJECT_CLAIM, each with its own answer. */
    struct protocol_object many[3] = {{.id = contract_id(1), .state = OBJECT_CLAIM},
                                      {.id = contract_id(3), .state = OBJECT_COUNTED_BEFORE},
                                      {.id = contract_id(4), .state = OBJECT_CLAIM}};
    struct protocol_claim claims[3] = {{.result = CLAIM_ABSENT}, {.result = CLAIM_ABSENT}};
    struct ledger_nonce batch = contract_nonce(11);
    assert_int_equal(ledger_claim(l, &batch, NOW, many, 3, claims), ST_OK);
    assert_int_equal(claims[0].result, CLAIM_MINE);
    assert_int_equal(claims[1].result, CLAIM_ABSENT);
    assert_int_equal(claims[2].result, CLAIM_MINE);
    struct ledger_id ids[3] = {contract_id(1), contract_id(3), contract_id(4)};
    enum ledger_progress progress[3];
    assert_int_equal(ledger_lookup(l, ids, 3, progress), ST_OK);
    assert_int_equal(progress[0], LEDGER_CLAIMED);
    assert_int_equal(progress[1], LEDGER_ABSENT);
    assert_int_equal(progress[2], LEDGER_CLAIMED);
}

static void assert_part(const struct ledger_part *a, const struct ledger_part *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->payload, b->payload);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->count, b->count);
    assert_true(a->tokens == b->tokens);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->resent, b->resent);
    assert_true(ledger_nonce_eq(&a->nonce, &b->nonce));
    assert_true(ledger_marker_eq(&a->marker, &b->marker));
    assert_true(ledger_marker_eq(&a->control, &b->control));
    assert_int_equal(a->date_ms, b->date_ms);
    assert_int_equal(a->control_ms, b->control_ms);
    assert_int_equal(a->resolved_applied, b->resolved_applied);
    assert_int_equal(a->resolved_absent, b->resolved_absent);
}

static bool has_member(const struct ledger_record *r, const struct ledger_id *id)
{
    for (uint16_t i = 0; i < r->batch.n_members; i++)
        if (ledger_id_eq(&r->members[i], id))
            return true;
    return false;
}

static void check_batches(struct ledger *l)
{
    static struct ledger_record r, got;
    struct ledger_nonce id = contract_nonce(11), tomb = contract_nonce(13);
    const struct view payloads[2] = {VIEW_LIT("first\0payload"), VIEW_LIT("")};
    assert_int_equal(ledger_load(l, &id, &got), ST_MISSING);
    contract_record(&r, 11, 2, 2);
    r.tags[0] = UINT64_MAX - 1;
    r.tags[1] = 0;
    prepare_first(l, &r, payloads, 2);
    assert_int_equal(ledger_prepare(l, &r, payloads, 2), ST_CONFLICT);
    assert_int_equal(ledger_abort(l, &id, NOW), ST_CONFLICT);
    assert_int_equal(ledger_load(l, &id, &got), ST_OK);
    assert_int_equal(got.batch.state, BATCH_PREPARED);
    assert_int_equal(got.batch.prepared_ms, NOW + 11);
    assert_int_equal(got.batch.n_members, 2);
    assert_true(has_member(&got, &r.members[0]) && has_member(&got, &r.members[1]));
    for (int i = 0; i < 2; i++)
        assert_true(got.tags[i] == (ledger_id_eq(&got.members[i], &r.members[0]) ? r.tags[0] : 0));
    uint64_t tags[2] = {1, 1};
    enum ledger_progress both[2];
    assert_int_equal(ledger_lookup_tags(l, r.members, 2, both, tags), ST_OK);
    assert_int_equal(both[0], LEDGER_PREPARED);
    assert_true(tags[0] == r.tags[0] && tags[1] == 0);
    assert_int_equal(got.batch.n_parts, 2);
    for (int i = 0; i < 2; i++) {
        assert_part(&got.batch.parts[i], &r.batch.parts[i]);
        struct buf body;
        buf_init(&body, LEDGER_PAYLOAD_BYTES_MAX);
        assert_int_equal(ledger_payload(l, &id, (uint16_t)i, &body), ST_OK);
        assert_true(view_eq(buf_view(&body), payloads[i]));
        buf_clear(&body);
    }
    struct buf none;
    buf_init(&none, 100);
    assert_int_equal(ledger_payload(l, &id, 2, &none), ST_MISSING);
    buf_clear(&none);

    assert_int_equal(ledger_abort(l, &tomb, NOW), ST_OK);
    assert_int_equal(ledger_abort(l, &tomb, NOW), ST_OK);
    contract_record(&r, 13, 2, 1);
    assert_int_equal(ledger_prepare(l, &r, payloads, 1), ST_CONFLICT);
    assert_int_equal(ledger_load(l, &tomb, &got), ST_OK);
    assert_int_equal(got.batch.state, BATCH_ABORTED);

    struct ledger_id ids[2] = {contract_id(1), contract_id(4)};
    enum ledger_progress progress[2];
    assert_int_equal(ledger_lookup(l, ids, 2, progress), ST_OK);
    assert_int_equal(progress[0], LEDGER_PREPARED);
    assert_int_equal(progress[1], LEDGER_CLAIMED); /* its owner was prepared without it */

    struct ledger_nonce open[4];
    size_t n;
    assert_int_equal(ledger_list_open(l, NOW + 11, open, 4, &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(ledger_list_open(l, NOW + 12, open, 4, &n), ST_OK);
    assert_int_equal(n, 1);
    assert_true(ledger_nonce_eq(&open[0], &id));
}

static void check_journal(struct ledger *l)
{
    static struct ledger_record got;
    struct protocol_effect j = {.batch_id = contract_nonce(11), .index = 1, .n_parts = 2};
    j.part = (struct ledger_part){.state = PART_SENDING,
                                  .payload = 1,
                                  .first = 0,
                                  .count = 4,
                                  .tokens = UINT64_MAX - 1,
                                  .attempt = 5,
                                  .resent = 2,
                                  .nonce = contract_nonce(50),
                                  .marker = {28000000, 300, 25},
                                  .date_ms = NOW + 1,
                                  .control = {28000020, 65535, 1},
                                  .control_ms = NOW + 2,
                                  .resolved_applied = 1,
                                  .resolved_absent = UINT16_MAX};
    assert_int_equal(ledger_journal(l, &j), ST_OK);
    assert_int_equal(ledger_load(l, &j.batch_id, &got), ST_OK);
    assert_part(&got.batch.parts[1], &j.part);
    assert_int_equal(ledger_done(l, &j.batch_id, NOW), ST_CONFLICT);

    struct ledger_part before = j.part;
    j.part.state = PART_ACKED;
    j.part.nonce = contract_nonce(51);
    j.expected = contract_nonce(49); /* not the last write */
    assert_int_equal(ledger_journal(l, &j), ST_CONFLICT);
    assert_int_equal(ledger_load(l, &j.batch_id, &got), ST_OK);
    assert_part(&got.batch.parts[1], &before);

    /* A split is one write, and only where the record has the expected number of parts. */
    j.expected = before.nonce;
    j.part.state = PART_PLANNED;
    j.part.count = 2;
    j.part.tokens = 10;
    j.split = true;
    j.extra = (struct ledger_part){.payload = 1, .first = 2, .count = 2, .tokens = 7};
    j.n_parts = 3;
    assert_int_equal(ledger_journal(l, &j), ST_CONFLICT);
    j.n_parts = 2;
    assert_int_equal(ledger_journal(l, &j), ST_OK);
    assert_int_equal(ledger_load(l, &j.batch_id, &got), ST_OK);
    assert_int_equal(got.batch.n_parts, 3);
    assert_part(&got.batch.parts[1], &j.part);
    assert_part(&got.batch.parts[2], &j.extra);

    struct protocol_effect other = {.batch_id = contract_nonce(999)};
    assert_int_equal(ledger_journal(l, &other), ST_CONFLICT);
    assert_int_equal(ledger_done(l, &other.batch_id, NOW), ST_CONFLICT);
}

static void check_done(struct ledger *l)
{
    static struct ledger_record got;
    static const enum ledger_part_state ends[3] = {PART_ACKED, PART_DROPPED, PART_REJECTED};
    struct protocol_effect j = {.batch_id = contract_nonce(11)};
    assert_int_equal(ledger_load(l, &j.batch_id, &got), ST_OK);
    for (uint16_t i = 0; i < 3; i++) {
        j.index = i;
        j.part = got.batch.parts[i];
        j.expected = j.part.nonce;
        j.part.nonce = contract_nonce(60u + i);
        j.part.state = (uint8_t)ends[i];
        assert_int_equal(ledger_journal(l, &j), ST_OK);
    }
    assert_int_equal(ledger_done(l, &j.batch_id, NOW), ST_OK);
    assert_int_equal(ledger_done(l, &j.batch_id, NOW), ST_OK);
    assert_int_equal(ledger_load(l, &j.batch_id, &got), ST_OK);
    assert_int_equal(got.batch.state, BATCH_DONE);
    struct ledger_id id = contract_id(1);
    enum ledger_progress progress;
    assert_int_equal(ledger_lookup(l, &id, 1, &progress), ST_OK);
    assert_int_equal(progress, LEDGER_DONE);
    struct ledger_nonce open[1];
    size_t n;
    assert_int_equal(ledger_list_open(l, INT64_MAX, open, 1, &n), ST_OK);
    assert_int_equal(n, 0);
    struct ledger_nonce tomb = contract_nonce(13);
    assert_int_equal(ledger_done(l, &tomb, NOW), ST_CONFLICT);
}

static void check_markers(struct ledger *l)
{
    int last = -1;
    for (unsigned i = 0; i < 60; i++) {
        struct ledger_marker m, other;
        assert_int_equal(ledger_marker_next(l, 100, &m), ST_OK);
        assert_int_equal(m.minute, 100);
        assert_true(m.digit < 26);
        int number = m.slot * 26 + m.digit;
        assert_true(number == last + 1 || (repeated && number > last));
        last = number;
        assert_int_equal(ledger_marker_next(l, 101, &other), ST_OK);
        assert_true(repeated || other.slot * 26 + other.digit == number);
    }
    uint32_t used;
    assert_int_equal(ledger_markers_used(l, 100, &used), ST_OK);
    assert_int_equal(used, last + 1);
    assert_int_equal(ledger_markers_used(l, 99, &used), ST_OK);
    assert_int_equal(used, 0);
}

struct seen {
    unsigned n;
    struct ledger_quarantined last;
    char key[LEDGER_NAME_BYTES_MAX], bucket[LEDGER_NAME_BYTES_MAX], reason[200];
};

static bool see(void *ctx, const struct ledger_quarantined *e)
{
    struct seen *s = ctx;
    s->n++;
    s->last = *e;
    memcpy(s->key, e->key.ptr, e->key.len);
    if (e->bucket.len > 0)
        memcpy(s->bucket, e->bucket.ptr, e->bucket.len);
    memcpy(s->reason, e->reason.ptr, e->reason.len);
    return true;
}

static void check_quarantine(struct ledger *l)
{
    static char long_key[3000];
    static struct seen seen;
    memset(long_key, 'k', sizeof long_key);
    struct ledger_quarantined e = {.id = contract_id(200),
                                   .bucket = VIEW_LIT("bucket"),
                                   .key = VIEW_LIT("a key \x01\xff\"\\"),
                                   .reason = VIEW_LIT("corrupt"),
                                   .time_ms = NOW};
    enum ledger_progress progress;
    assert_int_equal(ledger_quarantine_release(l, &e.id), ST_MISSING);
    assert_int_equal(ledger_quarantine_add(l, &e), ST_OK);
    assert_int_equal(ledger_quarantine_add(l, &e), ST_OK);
    assert_int_equal(ledger_lookup(l, &e.id, 1, &progress), ST_OK);
    assert_int_equal(progress, LEDGER_QUARANTINED);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(ledger_quarantine_list(l, see, &seen), ST_OK);
    assert_int_equal(seen.n, 1);
    assert_true(ledger_id_eq(&seen.last.id, &e.id));
    assert_int_equal(seen.last.time_ms, NOW);
    assert_true(view_eq(view_make(seen.key, seen.last.key.len), e.key));
    assert_true(view_eq(view_make(seen.bucket, seen.last.bucket.len), e.bucket));
    assert_true(view_eq(view_make(seen.reason, seen.last.reason.len), e.reason));
    enum status st = ledger_quarantine_release(l, &e.id);
    assert_true(st == ST_OK || (repeated && st == ST_MISSING));
    assert_int_equal(ledger_lookup(l, &e.id, 1, &progress), ST_OK);
    assert_int_equal(progress, LEDGER_ABSENT);

    e.bucket = VIEW_EMPTY;
    e.key = view_make(long_key, sizeof long_key);
    assert_int_equal(ledger_quarantine_add(l, &e), ST_OK);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(ledger_quarantine_list(l, see, &seen), ST_OK);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.key.len, LEDGER_NAME_BYTES_MAX);
    assert_int_equal(seen.last.bucket.len, 0);

    /* Counted after it was put there: listed no more, nor in the statistics. */
    e.id = contract_id(1);
    assert_int_equal(ledger_quarantine_add(l, &e), ST_OK);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(ledger_quarantine_list(l, see, &seen), ST_OK);
    assert_int_equal(seen.n, 1);
    assert_false(ledger_id_eq(&seen.last.id, &e.id));
}

static void check_statistics(struct ledger *l)
{
    struct ledger_statistics t;
    static struct ledger_record r;
    const struct view payloads[1] = {VIEW_LIT("x")};
    contract_record(&r, 20, 1, 1);
    r.batch.parts[0].tokens = 5;
    prepare_first(l, &r, payloads, 1);
    assert_int_equal(ledger_statistics_read(l, &t), ST_OK);
    assert_int_equal(t.batches_open, 1);
    assert_int_equal(t.oldest_open_ms, NOW + 20);
    assert_int_equal(t.parts_planned, 1);
    assert_int_equal(t.quarantined, 1);
    if (t.open_only)
        return;
    assert_int_equal(t.objects, 3);
    assert_int_equal(t.batches_done, 1);
    assert_int_equal(t.batches_aborted, 1);
    assert_int_equal(t.parts_acked, 1);
    assert_int_equal(t.parts_dropped, 1);
    assert_int_equal(t.parts_rejected, 1);
    assert_int_equal(t.tokens_dropped, 10);
    assert_int_equal(t.tokens_rejected, 7);
    assert_true(t.tokens_acked == UINT64_MAX);
    assert_int_equal(t.attempts_resent, 2);
    assert_int_equal(t.tokens_resent, 20);
}

static bool see_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                      int64_t prepared_ms)
{
    struct ledger_nonce first = contract_nonce(11), second = contract_nonce(20);
    bool is_first = ledger_nonce_eq(id, &first);
    assert_true(is_first || ledger_nonce_eq(id, &second));
    assert_int_equal(state, is_first ? BATCH_DONE : BATCH_PREPARED);
    assert_int_equal(prepared_ms, NOW + (is_first ? 11 : 20));
    *(unsigned *)ctx += is_first ? 1 : 100;
    return true;
}

/* Tombstones are no batches; the range is half open. */
static void check_list(struct ledger *l)
{
    static const struct {
        int64_t from, until;
        unsigned seen;
    } rows[] = {{0, INT64_MAX, 101},
                {NOW + 11, NOW + 20, 1},
                {NOW + 12, NOW + 21, 100},
                {NOW + 12, NOW + 20, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned seen = 0;
        assert_int_equal(ledger_list_batches(l, rows[i].from, rows[i].until, see_batch, &seen),
                         ST_OK);
        assert_int_equal(seen, rows[i].seen);
    }
}

void ledger_contract_check(struct ledger *l, bool repeats)
{
    repeated = repeats;
    check_claims(l);
    check_batches(l);
    check_journal(l);
    check_done(l);
    check_markers(l);
    check_quarantine(l);
    check_statistics(l);
    check_list(l);
}
