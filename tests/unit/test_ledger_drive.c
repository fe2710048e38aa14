/*
 * The driver with a real ledger and a made-up sink: each run is cut off at every point in turn (a
 * long jump out of it stands for the kill), and other workers have to bring it to a good end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../ledger/ledger_contract.h"
#include "base/log.h"
#include "ledger/ledger_drive.h"
#include "ledger/ledger_id.h"

#define START INT64_C(1764000000000)
#define MINUTE INT64_C(60000)
enum { OBJECTS = 6, APPLIED_MAX = 64 };

/* A ledger that loses answers: the call is done or not, and the caller learns nothing. */
struct flaky {
    struct ledger head;
    struct ledger_ops ops;
    struct ledger *inner;
    unsigned lose_every, n;
    bool apply_lost; /* whether a lost call was carried out */
    unsigned fatal_at;
};

static struct {
    int64_t now_ms;
    uint64_t random;
    jmp_buf kill;
    unsigned points, kill_at;
    unsigned applied[OBJECTS + 1];
    struct ledger_marker markers[APPLIED_MAX];
    unsigned n_markers;
    unsigned lose_answer_of; /* this send is applied (odd) or not (even), and not answered */
    unsigned refuse_until;   /* sends before this number are refused */
    unsigned poison;         /* an object whose datum the sink refuses */
    unsigned sends, reads;
    bool unreadable, stop;
    char payload[2][OBJECTS + 1];
    char report[1]; /* the datum that reports doubts is number 0 */
    struct ledger_part signed_part;
    char signed_payload[OBJECTS];
    size_t signed_n;
} world;

static int64_t host_now(void *ctx)
{
    (void)ctx;
    return world.now_ms += 10;
}

static enum status host_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n);
    world.random++;
    memcpy(out, &world.random, sizeof world.random);
    return ST_OK;
}

static void host_wait(void *ctx, int64_t ms)
{
    (void)ctx;
    world.now_ms += ms;
}

static bool host_stop(void *ctx)
{
    (void)ctx;
    return world.stop;
}

/* Two payloads, one datum for each object in each; half of an object's tokens in each. */
static enum status host_read(void *ctx, const struct protocol_run *run,
                             struct ledger_batch_data *out)
{
    (void)ctx;
    world.reads++;
    if (world.unreadable)
        return ST_RETRY;
    unsigned n = 0;
    for (unsigned i = 0; i < run->n_objects; i++) {
        if (run->objects[i].state != OBJECT_MINE)
            continue;
        out->kept[i] = true;
        unsigned number;
        memcpy(&number, run->objects[i].id.bytes, sizeof number);
        world.payload[0][n] = world.payload[1][n] = (char)number;
        n++;
    }
    for (uint16_t i = 0; i < 2; i++) {
        out->payloads[i] = view_make(world.payload[i], n);
        out->parts[i] = (struct ledger_part){.payload = i, .count = n, .tokens = 10u * n};
    }
    out->n_parts = out->n_payloads = 2;
    return ST_OK;
}

static enum status host_report(void *ctx, const struct ledger_doubts *doubts,
                               struct ledger_batch_data *out)
{
    (void)ctx;
    assert_true(doubts->applied + doubts->absent + doubts->resent + doubts->dropped > 0);
    world.report[0] = 0;
    out->payloads[0] = view_make(world.report, 1);
    out->parts[0] = (struct ledger_part){.count = 1};
    out->n_parts = out->n_payloads = 1;
    return ST_OK;
}

static void host_sign(void *ctx, const struct ledger_part *part, struct view payload,
                      struct protocol_event *answer)
{
    (void)ctx;
    answer->date_ms = world.now_ms += 10;
    answer->kind = EVENT_SIGNED;
    world.signed_part = *part;
    world.signed_part.date_ms = answer->date_ms;
    assert_true(payload.len <= OBJECTS);
    memcpy(world.signed_payload, payload.ptr, payload.len);
    world.signed_n = payload.len;
}

static void host_send(void *ctx, const struct ledger_part *part, struct protocol_event *answer)
{
    (void)ctx;
    struct view payload = view_make(world.signed_payload, world.signed_n);
    assert_int_equal(part->date_ms, world.signed_part.date_ms);
    assert_true(ledger_marker_eq(&part->marker, &world.signed_part.marker));
    world.sends++;
    answer->server_ms = world.now_ms;
    answer->head_tokens = part->count / 2 * 10;
    answer->kind = EVENT_REFUSED;
    if (world.sends < world.refuse_until || world.now_ms > part->date_ms + 15 * MINUTE)
        return;
    assert_true(part->first + part->count <= payload.len);
    for (uint32_t i = part->first; i < part->first + part->count; i++)
        if (world.poison != 0 && (unsigned)payload.ptr[i] == world.poison) {
            answer->kind = EVENT_INVALID;
            return;
        }
    bool lost = world.sends == world.lose_answer_of;
    if (!lost || world.sends % 2 == 1) {
        for (uint32_t i = part->first; i < part->first + part->count; i++)
            world.applied[(unsigned)payload.ptr[i]]++;
        assert_true(world.n_markers < APPLIED_MAX);
        world.markers[world.n_markers++] = part->marker;
    }
    answer->kind = EVENT_ACCEPTED;
    if (lost)
        *answer = (struct protocol_event){.kind = EVENT_NO_ANSWER};
}

static void host_send_control(void *ctx, const struct ledger_marker *marker,
                              struct protocol_event *answer)
{
    (void)ctx;
    world.markers[world.n_markers++] = *marker;
    answer->kind = EVENT_ACCEPTED;
}

static unsigned count_marker(const struct ledger_marker *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < world.n_markers; i++)
        n += ledger_marker_eq(&world.markers[i], m);
    return n;
}

static enum status host_read_markers(void *ctx, const struct ledger_marker *marker,
                                     const struct ledger_marker *control,
                                     struct protocol_event *answer)
{
    (void)ctx;
    answer->server_ms = world.now_ms;
    answer->applied = count_marker(marker);
    answer->control_applied = control->minute == 0 ? 0 : count_marker(control);
    return ST_OK;
}

static void host_point(void *ctx, const char *effect, bool after)
{
    (void)ctx;
    (void)effect;
    (void)after;
    if (++world.points == world.kill_at)
        longjmp(world.kill, 1);
}

static const struct ledger_host HOST = {
    .now_ms = host_now,
    .random = host_random,
    .wait_ms = host_wait,
    .stop = host_stop,
    .read = host_read,
    .report = host_report,
    .sign = host_sign,
    .send = host_send,
    .send_control = host_send_control,
    .read_markers = host_read_markers,
    .point = host_point,
};

/* ---- the flaky ledger ---- */

static bool loses(struct flaky *f, bool *carry_out)
{
    *carry_out = true;
    if (f->lose_every == 0 || (++f->n * 2654435761u >> 16) % f->lose_every != 0)
        return false;
    *carry_out = f->apply_lost;
    return true;
}

#define FLAKY(l)                                                                                   \
    struct flaky *f = (struct flaky *)(l);                                                         \
    bool carry_out, lost = loses(f, &carry_out);                                                   \
    enum status st = ST_OK
#define FLAKY_END return lost ? ST_IN_DOUBT : st

static enum status flaky_claim(struct ledger *l, const struct ledger_nonce *batch, int64_t time_ms,
                               const struct protocol_object *objects, uint16_t n,
                               struct protocol_claim *claims)
{
    FLAKY(l);
    if (carry_out)
        st = ledger_claim(f->inner, batch, time_ms, objects, n, claims);
    FLAKY_END;
}

static enum status flaky_load(struct ledger *l, const struct ledger_nonce *batch,
                              struct ledger_record *out)
{
    FLAKY(l);
    st = ledger_load(f->inner, batch, out);
    FLAKY_END;
}

static enum status flaky_abort(struct ledger *l, const struct ledger_nonce *batch, int64_t time_ms)
{
    FLAKY(l);
    if (carry_out)
        st = ledger_abort(f->inner, batch, time_ms);
    FLAKY_END;
}

static enum status flaky_prepare(struct ledger *l, const struct ledger_record *record,
                                 const struct view *payloads, uint16_t n)
{
    FLAKY(l);
    if (carry_out)
        st = ledger_prepare(f->inner, record, payloads, n);
    FLAKY_END;
}

static enum status flaky_payload(struct ledger *l, const struct ledger_nonce *batch, uint16_t index,
                                 struct buf *out)
{
    return ledger_payload(((struct flaky *)l)->inner, batch, index, out);
}

static enum status flaky_journal(struct ledger *l, const struct protocol_effect *j)
{
    FLAKY(l);
    if (f->fatal_at != 0 && f->n >= f->fatal_at)
        return ST_IO;
    if (carry_out)
        st = ledger_journal(f->inner, j);
    FLAKY_END;
}

static enum status flaky_done(struct ledger *l, const struct ledger_nonce *batch, int64_t time_ms)
{
    FLAKY(l);
    if (carry_out)
        st = ledger_done(f->inner, batch, time_ms);
    FLAKY_END;
}

static enum status flaky_list_open(struct ledger *l, int64_t before_ms, struct ledger_nonce *out,
                                   size_t max, size_t *n)
{
    return ledger_list_open(((struct flaky *)l)->inner, before_ms, out, max, n);
}

static enum status flaky_marker(struct ledger *l, int64_t minute, struct ledger_marker *out)
{
    FLAKY(l);
    if (carry_out)
        st = ledger_marker_next(f->inner, minute, out);
    FLAKY_END;
}

static void flaky_init(struct flaky *f, struct ledger *inner)
{
    *f = (struct flaky){.inner = inner};
    f->ops = (struct ledger_ops){.kind = "flaky",
                                 .claim = flaky_claim,
                                 .load = flaky_load,
                                 .abort = flaky_abort,
                                 .prepare = flaky_prepare,
                                 .payload = flaky_payload,
                                 .journal = flaky_journal,
                                 .done = flaky_done,
                                 .list_open = flaky_list_open,
                                 .marker = flaky_marker};
    f->head.ops = &f->ops;
}

/* ---- tests ---- */

static struct protocol_run run;
static struct ledger_id ids[OBJECTS];
static struct ledger *memory;
static struct flaky flaky;

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.now_ms = START;
    for (unsigned i = 0; i < OBJECTS; i++)
        ids[i] = contract_id(i + 1);
    memory = ledger_memory_new();
    flaky_init(&flaky, memory);
    return memory == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ledger_close(memory);
    return 0;
}

static struct ledger_driver *driver(struct ledger *l)
{
    struct ledger_driver *d = ledger_driver_new(l, &PROTOCOL_DEFAULTS, &HOST);
    assert_non_null(d);
    return d;
}

static bool all_final(void)
{
    for (unsigned i = 0; i < OBJECTS; i++)
        if (run.objects[i].state != OBJECT_COUNTED && run.objects[i].state != OBJECT_COUNTED_BEFORE)
            return false;
    return true;
}

/* Come back as a queue would, until everything is counted. */
static void bring_to_an_end(struct ledger *l)
{
    struct ledger_driver *d = driver(l);
    for (int round = 0; round < 40; round++) {
        assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
        assert_int_equal(run.tally.violations, 0);
        if (all_final())
            break;
        assert_true(run.retry_after_ms > 0);
        world.now_ms += run.retry_after_ms > 6 * MINUTE ? run.retry_after_ms : 6 * MINUTE;
    }
    assert_true(all_final());
    ledger_driver_free(d);
}

static bool note_id(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                    int64_t prepared_ms)
{
    struct ledger_nonce **next = ctx;
    (void)prepared_ms;
    assert_int_equal(state, BATCH_DONE);
    *(*next)++ = *id;
    return true;
}

/* Finish all that is open; then of each batch with doubts there is one report. */
static void assert_doubts_reported(void)
{
    struct ledger_driver *d = driver(memory);
    struct ledger_recovery r;
    for (int round = 0; round < 40; round++) {
        assert_int_equal(ledger_drive_recover(d, 100, &r), ST_OK);
        if (r.found == 0)
            break;
        world.now_ms += 21 * MINUTE;
    }
    assert_int_equal(r.found, 0);
    ledger_driver_free(d);
    static struct ledger_nonce found[256];
    static struct ledger_record record;
    struct ledger_nonce *end = found;
    unsigned doubted = 0;
    assert_int_equal(ledger_list_batches(memory, 0, INT64_MAX, note_id, &end), ST_OK);
    for (const struct ledger_nonce *id = found; id < end; id++) {
        struct ledger_doubts doubts;
        struct ledger_id report;
        enum ledger_progress progress;
        assert_int_equal(ledger_load(memory, id, &record), ST_OK);
        ledger_id_of_doubts(id, &report);
        assert_int_equal(ledger_lookup(memory, &report, 1, &progress), ST_OK);
        bool has = ledger_batch_doubts(&record.batch, &doubts);
        assert_int_equal(progress, has ? LEDGER_DONE : LEDGER_ABSENT);
        doubted += has;
    }
    assert_int_equal(world.applied[0], doubted);
}

static void assert_each_applied(unsigned times)
{
    for (unsigned i = 1; i <= OBJECTS; i++)
        assert_int_equal(world.applied[i], times);
}

static void test_counts_once(void **state)
{
    (void)state;
    struct ledger_driver *d = driver(memory);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_int_equal(run.objects[i].state, OBJECT_COUNTED);
    assert_int_equal(run.tally.requests_accepted, 2);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_int_equal(run.objects[i].state, OBJECT_COUNTED_BEFORE);
    assert_each_applied(2); /* one datum in each of two parts */
    assert_int_equal(world.reads, 1);
    ledger_driver_free(d);
}

/* Kill the first worker at point n, for every n; and a second one while it recovers. */
static void killed_everywhere(unsigned lose_answer_of, unsigned second_kill)
{
    volatile unsigned n = 1;
    for (;; n++) {
        teardown(NULL);
        setup(NULL);
        world.lose_answer_of = lose_answer_of;
        world.kill_at = n;
        struct ledger_driver *volatile d = driver(memory);
        volatile bool killed = true;
        if (setjmp(world.kill) == 0) {
            assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
            killed = false;
        }
        ledger_driver_free(d);
        world.now_ms += 6 * MINUTE;
        if (second_kill > 0 && killed) {
            d = driver(memory);
            world.points = 0;
            world.kill_at = second_kill;
            if (setjmp(world.kill) == 0)
                assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
            ledger_driver_free(d);
            world.now_ms += 6 * MINUTE;
        }
        world.kill_at = 0;
        bring_to_an_end(memory);
        assert_each_applied(2);
        assert_doubts_reported();
        if (!killed)
            break;
    }
    assert_true(n > 20);
    assert_true(lose_answer_of == 0 || world.applied[0] == 1);
}

static void test_killed_at_every_point(void **state)
{
    (void)state;
    killed_everywhere(0, 0);
}

static void test_killed_with_answers_lost(void **state)
{
    (void)state;
    killed_everywhere(1, 0); /* applied, not answered */
    killed_everywhere(2, 0); /* neither */
}

static void test_killed_again_during_recovery(void **state)
{
    (void)state;
    for (unsigned second = 1; second <= 30; second++)
        killed_everywhere(0, second);
}

static void test_ledger_answers_lost_on_every_call(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 30; every++)
        for (int applied = 0; applied < 2; applied++) {
            teardown(NULL);
            setup(NULL);
            flaky.lose_every = every;
            flaky.apply_lost = applied != 0;
            bring_to_an_end(&flaky.head);
            assert_each_applied(2);
            assert_doubts_reported();
        }
}

static void test_in_doubt_is_resolved(void **state)
{
    (void)state;
    for (unsigned lost = 1; lost <= 2; lost++) {
        teardown(NULL);
        setup(NULL);
        world.lose_answer_of = lost;
        struct ledger_driver *d = driver(memory);
        assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
        /* Whether the marker shows is known at once, whether it does not only past the fence. */
        assert_int_equal(run.objects[0].state, OBJECT_PENDING);
        assert_int_equal(run.tally.requests_in_doubt, 1);
        struct ledger_recovery r;
        world.now_ms += 21 * MINUTE;
        assert_int_equal(ledger_drive_recover(d, 100, &r), ST_OK);
        assert_int_equal(r.found, 1);
        if (r.done == 0) { /* its control marker was sent; now it can be read */
            world.now_ms += r.retry_after_ms;
            assert_int_equal(ledger_drive_recover(d, 100, &r), ST_OK);
        }
        assert_int_equal(r.done, 1);
        assert_int_equal(r.tally.resolved_applied, lost == 1);
        assert_int_equal(r.tally.resolved_absent, lost == 2);
        assert_each_applied(2);
        assert_int_equal(ledger_drive_recover(d, 100, &r), ST_OK);
        assert_int_equal(r.found, 0);
        ledger_driver_free(d);
    }
}

static void test_poison_costs_only_itself(void **state)
{
    (void)state;
    world.poison = 3;
    struct ledger_driver *d = driver(memory);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
    for (unsigned i = 1; i <= OBJECTS; i++)
        assert_int_equal(world.applied[i], i == 3 ? 0 : 2);
    assert_int_equal(run.tally.rejected, 2);
    assert_int_equal(run.tally.rejected_tokens, 20);
    assert_true(all_final());
    ledger_driver_free(d);
}

static void test_throttled_then_done(void **state)
{
    (void)state;
    world.refuse_until = 4;
    bring_to_an_end(memory);
    assert_each_applied(2);
}

static void test_unreadable_objects_are_given_back(void **state)
{
    (void)state;
    world.unreadable = true;
    struct ledger_driver *d = driver(memory);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_int_equal(run.objects[i].state, OBJECT_UNREAD);
    world.unreadable = false;
    bring_to_an_end(memory); /* no lease to wait for: the claims were let go */
    assert_each_applied(2);
    ledger_driver_free(d);
}

static void test_stop_sends_nothing(void **state)
{
    (void)state;
    world.stop = true;
    struct ledger_driver *d = driver(memory);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
    assert_int_equal(world.sends, 0);
    world.stop = false;
    bring_to_an_end(memory);
    assert_each_applied(2);
    ledger_driver_free(d);
}

/* A broken ledger: nothing may leave that is not journaled, and the status says so. */
static void test_broken_ledger_sends_nothing(void **state)
{
    (void)state;
    flaky.lose_every = 1000;
    flaky.fatal_at = 1;
    struct ledger_driver *d = driver(&flaky.head);
    assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_IO);
    assert_int_equal(world.sends, 0);
    assert_int_equal(run.objects[0].state, OBJECT_PENDING);
    ledger_driver_free(d);
    world.now_ms += 6 * MINUTE;
    bring_to_an_end(memory); /* mended */
    assert_each_applied(2);
}

static void test_same_with_sqlite(void **state)
{
    (void)state;
    char folder[] = "/tmp/ledger-drive-XXXXXX", path[64], file[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/l", folder);
    const struct ledger_sqlite_options options = {.path = path};
    for (unsigned n = 1; n < 60; n += 3) {
        struct ledger *l;
        assert_int_equal(ledger_sqlite_open(&options, &l, NULL), ST_OK);
        memset(&world, 0, sizeof world);
        world.now_ms = START;
        world.kill_at = n;
        struct ledger_driver *d = driver(l);
        if (setjmp(world.kill) == 0)
            assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
        ledger_driver_free(d);
        ledger_close(l);
        world.kill_at = 0;
        world.now_ms += 6 * MINUTE;
        assert_int_equal(ledger_sqlite_open(&options, &l, NULL), ST_OK);
        bring_to_an_end(l);
        assert_each_applied(2);
        ledger_close(l);
        unlink(path);
    }
    snprintf(file, sizeof file, "%s-lock", path);
    unlink(file);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    log_setup(LOG_OFF, LOG_TEXT, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_every_point, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_with_answers_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_again_during_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger_answers_lost_on_every_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_doubt_is_resolved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poison_costs_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttled_then_done, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_objects_are_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_sends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_ledger_sends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_with_sqlite, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
