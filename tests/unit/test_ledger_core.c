/* The protocol core, transition by transition: tables of "this answer in this place" -> effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/protocol_core.h"

#define NOW INT64_C(1764000000000)
#define MINUTE INT64_C(60000)

static struct protocol_run run;
static struct protocol_effect fx;
static struct protocol_config config;
static struct ledger_record_copy {
    struct ledger_batch batch;
    struct ledger_id members[4];
} record;
static int64_t now_ms;
static unsigned nonce_n;

static struct ledger_id id_of(unsigned n)
{
    struct ledger_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static struct ledger_nonce nonce_of(unsigned n)
{
    struct ledger_nonce id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static struct protocol_event event(enum protocol_event_kind kind)
{
    return (struct protocol_event){.kind = kind, .now_ms = now_ms, .fresh = nonce_of(++nonce_n)};
}

static enum protocol_effect_kind step(struct protocol_event ev)
{
    protocol_step(&run, &ev, &fx);
    return fx.kind;
}

static enum protocol_effect_kind answer(enum protocol_event_kind kind)
{
    return step(event(kind));
}

static int setup(void **state)
{
    (void)state;
    config = PROTOCOL_DEFAULTS;
    now_ms = NOW;
    nonce_n = 1000;
    return 0;
}

static enum protocol_effect_kind start(unsigned n)
{
    struct ledger_id ids[4];
    for (unsigned i = 0; i < n; i++)
        ids[i] = id_of(i + 1);
    protocol_run_init(&run, &config, ids, (uint16_t)n, 0);
    return answer(EVENT_START);
}

static enum protocol_effect_kind claims(const struct protocol_claim *c)
{
    struct protocol_event ev = event(EVENT_CLAIMS);
    ev.claims = c;
    return step(ev);
}

/* One object claimed, read into `n_parts` parts of 8 data each and prepared. */
static void until_prepared(uint16_t n_parts)
{
    static const struct protocol_claim mine[1] = {{.result = CLAIM_MINE}};
    static const bool kept[1] = {true};
    static const struct ledger_part parts[4] = {{.count = 8, .tokens = 100},
                                                {.first = 8, .count = 8, .tokens = 200},
                                                {.first = 16, .count = 8, .tokens = 300},
                                                {.first = 24, .count = 8, .tokens = 400}};
    assert_int_equal(start(1), EFFECT_CLAIM);
    assert_int_equal(claims(mine), EFFECT_READ);
    struct protocol_event ev = event(EVENT_READ);
    ev.kept = kept;
    ev.parts = parts;
    ev.n_parts = n_parts;
    assert_int_equal(step(ev), EFFECT_PREPARE);
}

static struct protocol_event marker_event(unsigned n)
{
    struct protocol_event ev = event(EVENT_MARKER);
    ev.marker = (struct ledger_marker){.minute = now_ms / MINUTE, .digit = (uint8_t)n};
    return ev;
}

/* A marker, then a signature of now: journaled. */
static enum protocol_effect_kind sign(unsigned n)
{
    assert_int_equal(step(marker_event(n)), EFFECT_SIGN);
    struct protocol_event ev = event(EVENT_SIGNED);
    ev.date_ms = now_ms + 7;
    return step(ev);
}

static void until_sending(uint16_t n_parts)
{
    until_prepared(n_parts);
    assert_int_equal(answer(EVENT_OK), EFFECT_MARKER);
    assert_int_equal(sign(1), EFFECT_JOURNAL);
    assert_int_equal(fx.part.state, PART_SENDING);
    assert_int_equal(fx.part.date_ms, now_ms + 7);
    assert_int_equal(answer(EVENT_OK), EFFECT_SEND);
}

/* A batch of one part in `state`, as another worker left it. */
static struct protocol_event loaded(enum ledger_batch_state state, enum ledger_part_state part)
{
    record.batch = (struct ledger_batch){.id = nonce_of(7),
                                         .state = (uint8_t)state,
                                         .n_parts = 1,
                                         .n_members = 1,
                                         .prepared_ms = NOW - 60 * MINUTE};
    record.batch.parts[0] = (struct ledger_part){.state = (uint8_t)part,
                                                 .count = 8,
                                                 .tokens = 100,
                                                 .attempt = 3,
                                                 .nonce = nonce_of(77),
                                                 .marker = {.minute = 5, .digit = 2},
                                                 .date_ms = NOW - 30 * MINUTE};
    record.members[0] = id_of(1);
    struct protocol_event ev = event(EVENT_BATCH);
    ev.batch = &record.batch;
    ev.members = record.members;
    return ev;
}

static enum protocol_effect_kind recover(enum ledger_part_state part)
{
    protocol_run_init(&run, &config, NULL, 0, 0);
    struct protocol_event ev = event(EVENT_RECOVER);
    ev.batch_id = nonce_of(7);
    assert_int_equal(step(ev), EFFECT_LOAD);
    return step(loaded(BATCH_PREPARED, part));
}

static void test_all_goes_well(void **state)
{
    (void)state;
    until_sending(2);
    assert_int_equal(answer(EVENT_ACCEPTED), EFFECT_JOURNAL);
    assert_int_equal(fx.part.state, PART_ACKED);
    assert_int_equal(answer(EVENT_OK), EFFECT_MARKER);
    assert_int_equal(sign(2), EFFECT_JOURNAL);
    assert_int_equal(fx.index, 1);
    assert_int_equal(answer(EVENT_OK), EFFECT_SEND);
    assert_int_equal(answer(EVENT_ACCEPTED), EFFECT_JOURNAL);
    assert_int_equal(answer(EVENT_OK), EFFECT_DONE);
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_COUNTED);
    assert_int_equal(run.tally.requests_accepted, 2);
    assert_int_equal(run.retry_after_ms, 0);
}

static void test_nothing_to_send(void **state)
{
    (void)state;
    until_prepared(0);
    assert_int_equal(answer(EVENT_OK), EFFECT_DONE);
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_COUNTED);
}

/* An object owned by another batch. */
static void test_claim_meets_owner(void **state)
{
    (void)state;
    const int64_t lease = PROTOCOL_DEFAULTS.lease_ms;
    static const struct {
        enum ledger_batch_state batch;
        bool member;
        bool lapsed;
        enum protocol_effect_kind effect;
        enum protocol_object_state object;
    } rows[] = {
        {BATCH_NONE, false, false, EFFECT_END, OBJECT_BUSY},
        {BATCH_NONE, false, true, EFFECT_ABORT, OBJECT_LOOK},
        {BATCH_ABORTED, false, false, EFFECT_CLAIM, OBJECT_CLAIM},
        {BATCH_PREPARED, true, true, EFFECT_END, OBJECT_PENDING},
        {BATCH_PREPARED, false, false, EFFECT_CLAIM, OBJECT_CLAIM},
        {BATCH_DONE, true, false, EFFECT_END, OBJECT_COUNTED_BEFORE},
        {BATCH_DONE, false, false, EFFECT_CLAIM, OBJECT_CLAIM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(start(1), EFFECT_CLAIM);
        struct protocol_claim c = {CLAIM_OTHER, nonce_of(7),
                                   rows[i].lapsed ? NOW - lease - 1 : NOW - lease + 5000};
        assert_int_equal(claims(&c), EFFECT_LOAD);
        assert_true(ledger_nonce_eq(&fx.batch_id, &c.owner));
        struct protocol_event ev = loaded(rows[i].batch, PART_PLANNED);
        if (rows[i].batch == BATCH_NONE)
            ev.batch = NULL;
        if (!rows[i].member)
            record.members[0] = id_of(99);
        assert_int_equal(step(ev), rows[i].effect);
        assert_int_equal(run.objects[0].state, rows[i].object);
        if (rows[i].effect == EFFECT_CLAIM || rows[i].effect == EFFECT_ABORT)
            assert_true(ledger_nonce_eq(&run.objects[0].owner, &c.owner)); /* the condition */
        if (rows[i].object == OBJECT_BUSY)
            assert_int_equal(run.retry_after_ms, 5000);
        if (rows[i].effect == EFFECT_ABORT) {
            assert_int_equal(answer(EVENT_CONFLICT), EFFECT_LOAD); /* prepared meanwhile? look */
            assert_int_equal(step(loaded(BATCH_DONE, PART_ACKED)), EFFECT_END);
            assert_int_equal(run.objects[0].state, OBJECT_COUNTED_BEFORE);
        }
    }
}

static void test_tombstone_then_take(void **state)
{
    (void)state;
    start(1);
    struct protocol_claim c = {CLAIM_OTHER, nonce_of(7), NOW - 60 * MINUTE};
    claims(&c);
    struct protocol_event ev = event(EVENT_BATCH);
    assert_int_equal(step(ev), EFFECT_ABORT);
    assert_int_equal(answer(EVENT_OK), EFFECT_CLAIM);
    struct protocol_claim mine = {.result = CLAIM_MINE};
    assert_int_equal(claims(&mine), EFFECT_READ);
}

static void test_claim_without_answer_gives_up(void **state)
{
    (void)state;
    start(1);
    for (unsigned i = 0; i < config.ledger_tries; i++)
        assert_int_equal(answer(EVENT_FAILED), EFFECT_CLAIM);
    assert_int_equal(answer(EVENT_FAILED), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_RETRY);
    assert_true(run.retry_after_ms > 0);
}

static void test_unreadable_object_releases_claims(void **state)
{
    (void)state;
    static const struct protocol_claim mine[2] = {{.result = CLAIM_MINE}, {.result = CLAIM_MINE}};
    static const bool kept[2] = {false, false};
    start(2);
    claims(mine);
    struct protocol_event ev = event(EVENT_READ);
    ev.kept = kept;
    assert_int_equal(step(ev), EFFECT_ABORT);
    assert_true(ledger_nonce_eq(&fx.batch_id, &run.batch.id));
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_UNREAD);
}

static void test_prepare_conflict(void **state)
{
    (void)state;
    until_prepared(1); /* tombstoned */
    assert_int_equal(answer(EVENT_CONFLICT), EFFECT_LOAD);
    struct protocol_event ev = loaded(BATCH_ABORTED, PART_PLANNED);
    assert_int_equal(step(ev), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_RETRY);

    until_prepared(1); /* our own write, its answer lost */
    assert_int_equal(answer(EVENT_FAILED), EFFECT_PREPARE);
    assert_int_equal(answer(EVENT_CONFLICT), EFFECT_LOAD);
    ev = loaded(BATCH_PREPARED, PART_PLANNED);
    assert_int_equal(step(ev), EFFECT_MARKER);
}

/* What a send came to, by policy. */
static void test_send_answers(void **state)
{
    (void)state;
    static const struct {
        enum ledger_policy policy;
        enum protocol_event_kind answer;
        enum protocol_effect_kind effect;
        enum ledger_part_state part; /* journaled */
        uint32_t attempt;
    } rows[] = {
        {POLICY_RESOLVE, EVENT_ACCEPTED, EFFECT_JOURNAL, PART_ACKED, 0},
        {POLICY_RESOLVE, EVENT_REFUSED, EFFECT_JOURNAL, PART_PLANNED, 1},
        {POLICY_RESOLVE, EVENT_NO_ANSWER, EFFECT_END, PART_SENDING, 0},
        {POLICY_RESEND, EVENT_NO_ANSWER, EFFECT_JOURNAL, PART_PLANNED, 1},
        {POLICY_DROP, EVENT_NO_ANSWER, EFFECT_JOURNAL, PART_DROPPED, 0},
        {POLICY_HOLD, EVENT_NO_ANSWER, EFFECT_END, PART_SENDING, 0},
        {POLICY_HOLD, EVENT_REFUSED, EFFECT_JOURNAL, PART_PLANNED, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config.policy = rows[i].policy;
        until_sending(1);
        assert_int_equal(answer(rows[i].answer), rows[i].effect);
        if (rows[i].effect == EFFECT_JOURNAL) {
            assert_int_equal(fx.part.state, rows[i].part);
            assert_int_equal(fx.part.attempt, rows[i].attempt);
            assert_true(ledger_nonce_eq(&fx.expected, &run.batch.parts[0].nonce));
            assert_false(ledger_nonce_eq(&fx.expected, &fx.part.nonce));
            assert_int_equal(fx.part.resent, rows[i].policy == POLICY_RESEND);
        }
        assert_int_equal(run.batch.parts[0].state, PART_SENDING);
    }
}

static void test_in_doubt_says_when_to_retry(void **state)
{
    (void)state;
    until_sending(1);
    assert_int_equal(answer(EVENT_NO_ANSWER), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_PENDING);
    assert_int_equal(run.retry_after_ms, PROTOCOL_FENCE_MS + 7);

    config.policy = POLICY_HOLD;
    until_sending(1);
    answer(EVENT_NO_ANSWER);
    assert_int_equal(run.objects[0].state, OBJECT_HELD);
    assert_int_equal(run.tally.held_tokens, 100);
}

static void test_refused_backs_off_and_gives_up(void **state)
{
    (void)state;
    until_sending(1);
    int64_t last = 0;
    for (unsigned i = 0; i < config.send_tries; i++) {
        assert_int_equal(answer(EVENT_REFUSED), EFFECT_JOURNAL);
        assert_int_equal(answer(EVENT_OK), EFFECT_MARKER);
        assert_true(fx.delay_ms > last);
        last = fx.delay_ms;
        assert_int_equal(sign(2 + i), EFFECT_JOURNAL);
        assert_int_equal(answer(EVENT_OK), EFFECT_SEND);
    }
    assert_int_equal(answer(EVENT_REFUSED), EFFECT_JOURNAL);
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_PENDING);
}

static void test_invalid_is_split_down_to_the_datum(void **state)
{
    (void)state;
    until_sending(1);
    uint64_t tokens = 100;
    for (unsigned count = 8; count > 1; count /= 2) {
        struct protocol_event ev = event(EVENT_INVALID);
        ev.head_tokens = tokens / 2;
        assert_int_equal(step(ev), EFFECT_JOURNAL);
        assert_true(fx.split);
        assert_int_equal(fx.part.count, count / 2);
        assert_int_equal(fx.part.tokens, tokens / 2);
        assert_int_equal(fx.extra.first, fx.part.first + count / 2);
        assert_int_equal(fx.extra.count, count - count / 2);
        assert_int_equal(fx.extra.tokens, tokens - tokens / 2);
        assert_int_equal(fx.n_parts, run.batch.n_parts);
        tokens /= 2;
        assert_int_equal(answer(EVENT_OK), EFFECT_MARKER);
        assert_int_equal(sign(9), EFFECT_JOURNAL);
        assert_int_equal(fx.index, 0);
        assert_int_equal(answer(EVENT_OK), EFFECT_SEND);
    }
    assert_int_equal(answer(EVENT_INVALID), EFFECT_JOURNAL);
    assert_int_equal(fx.part.state, PART_REJECTED);
    assert_int_equal(answer(EVENT_OK), EFFECT_MARKER); /* the other halves go on */
    assert_int_equal(run.tally.rejected, 1);
    assert_int_equal(run.batch.n_parts, 4);
}

/* The answer to journaling SENDING was lost: sent only if the record shows our nonce. */
static void test_journal_without_answer(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        until_prepared(1);
        answer(EVENT_OK);
        sign(1);
        struct ledger_part written = fx.part;
        assert_int_equal(answer(EVENT_FAILED), EFFECT_LOAD);
        struct protocol_event ev = loaded(BATCH_PREPARED, PART_PLANNED);
        if (ours)
            record.batch.parts[0] = written;
        assert_int_equal(step(ev), ours ? EFFECT_SEND : EFFECT_MARKER);
    }
}

/* Our 200 could not be journaled because the nonce moved on (a control marker was added). */
static void test_result_follows_the_attempt_not_the_nonce(void **state)
{
    (void)state;
    until_sending(1);
    answer(EVENT_ACCEPTED);
    struct ledger_marker sent = run.batch.parts[0].marker;
    assert_int_equal(answer(EVENT_CONFLICT), EFFECT_LOAD);
    struct protocol_event ev = loaded(BATCH_PREPARED, PART_SENDING);
    record.batch.parts[0].marker = sent;
    assert_int_equal(step(ev), EFFECT_JOURNAL);
    assert_int_equal(fx.part.state, PART_ACKED);
    assert_true(ledger_nonce_eq(&fx.expected, &record.batch.parts[0].nonce));
}

static void test_unsigned_is_not_journaled(void **state)
{
    (void)state;
    until_prepared(1);
    answer(EVENT_OK);
    for (unsigned i = 0; i < config.send_tries; i++) {
        assert_int_equal(step(marker_event(i)), EFFECT_SIGN);
        assert_int_equal(answer(EVENT_REFUSED), EFFECT_MARKER);
    }
    assert_int_equal(step(marker_event(9)), EFFECT_SIGN);
    assert_int_equal(answer(EVENT_REFUSED), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_PENDING);

    until_prepared(1); /* too big to be built: split before it was ever sent */
    answer(EVENT_OK);
    step(marker_event(1));
    struct protocol_event ev = event(EVENT_INVALID);
    ev.head_tokens = 40;
    assert_int_equal(step(ev), EFFECT_JOURNAL);
    assert_true(fx.split);
    assert_int_equal(fx.part.tokens, 40);
    assert_int_equal(fx.extra.tokens, 60);
}

static void test_violation_is_noticed(void **state)
{
    (void)state;
    until_sending(1);
    answer(EVENT_ACCEPTED);
    answer(EVENT_CONFLICT);
    struct protocol_event ev = loaded(BATCH_PREPARED, PART_PLANNED); /* planned again: wrong */
    step(ev);
    assert_int_equal(run.tally.violations, 1);
}

static void test_recover_by_part_state(void **state)
{
    (void)state;
    static const struct {
        enum ledger_policy policy;
        enum ledger_part_state part;
        enum protocol_effect_kind effect;
    } rows[] = {
        {POLICY_RESOLVE, PART_PLANNED, EFFECT_MARKER},
        {POLICY_RESOLVE, PART_SENDING, EFFECT_READ_MARKERS},
        {POLICY_RESOLVE, PART_ACKED, EFFECT_DONE},
        {POLICY_RESOLVE, PART_DROPPED, EFFECT_REPORT},
        {POLICY_RESOLVE, PART_REJECTED, EFFECT_DONE},
        {POLICY_RESEND, PART_SENDING, EFFECT_LOAD},
        {POLICY_DROP, PART_SENDING, EFFECT_LOAD},
        {POLICY_HOLD, PART_SENDING, EFFECT_END},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config.policy = rows[i].policy;
        assert_int_equal(recover(rows[i].part), rows[i].effect);
        if (rows[i].effect != EFFECT_LOAD)
            continue;
        assert_int_equal(step(loaded(BATCH_PREPARED, PART_SENDING)), EFFECT_JOURNAL);
        assert_int_equal(fx.part.state,
                         rows[i].policy == POLICY_DROP ? PART_DROPPED : PART_PLANNED);
        assert_int_equal(fx.part.resent, rows[i].policy == POLICY_RESEND);
    }
}

static void test_recover_leaves_a_running_lease(void **state)
{
    (void)state;
    protocol_run_init(&run, &config, NULL, 0, 0);
    struct protocol_event ev = event(EVENT_RECOVER);
    ev.batch_id = nonce_of(7);
    step(ev);
    ev = loaded(BATCH_PREPARED, PART_PLANNED);
    record.batch.prepared_ms = NOW - 1000;
    assert_int_equal(step(ev), EFFECT_END);
    assert_int_equal(run.retry_after_ms, config.lease_ms - 1000);
}

static struct protocol_event markers(unsigned applied, unsigned control, int64_t server_ms)
{
    struct protocol_event ev = event(EVENT_MARKERS);
    ev.applied = applied;
    ev.control_applied = control;
    ev.server_ms = server_ms;
    return ev;
}

/* The attempt's date is NOW - 30 min, so its fence is NOW - 10 min. */
static void test_resolve(void **state)
{
    (void)state;
    static const struct {
        unsigned applied;
        int64_t server_ms;
        enum protocol_effect_kind effect;
    } rows[] = {
        {1, NOW - 29 * MINUTE, EFFECT_JOURNAL}, /* seen: final at once */
        {1, NOW, EFFECT_JOURNAL},
        {0, NOW - 11 * MINUTE, EFFECT_END},        /* before the fence */
        {0, NOW - 10 * MINUTE, EFFECT_END},        /* on it */
        {0, 0, EFFECT_END},                        /* no server's date, no fence */
        {0, NOW - 10 * MINUTE + 1, EFFECT_MARKER}, /* for a control */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(recover(PART_SENDING), EFFECT_READ_MARKERS);
        assert_int_equal(step(markers(rows[i].applied, 0, rows[i].server_ms)), rows[i].effect);
        if (rows[i].applied > 0)
            assert_int_equal(fx.part.state, PART_ACKED);
        else if (rows[i].effect == EFFECT_END)
            assert_true(run.retry_after_ms > 0);
    }
}

static void test_absence_needs_a_control_and_a_second_read(void **state)
{
    (void)state;
    recover(PART_SENDING);
    assert_int_equal(step(markers(0, 0, NOW)), EFFECT_MARKER);
    assert_int_equal(step(marker_event(5)), EFFECT_JOURNAL);
    assert_int_equal(fx.part.state, PART_SENDING);
    assert_int_equal(fx.part.attempt, 3);
    assert_int_equal(fx.part.control.digit, 5);
    struct ledger_part with_control = fx.part;
    assert_int_equal(answer(EVENT_OK), EFFECT_SEND_CONTROL);
    assert_int_equal(answer(EVENT_ACCEPTED), EFFECT_END); /* not readable yet: come back */
    assert_int_equal(run.retry_after_ms, MINUTE);

    for (int late = 0; late < 2; late++) {
        protocol_run_init(&run, &config, NULL, 0, 0);
        struct protocol_event ev = event(EVENT_RECOVER);
        ev.batch_id = nonce_of(7);
        step(ev);
        ev = loaded(BATCH_PREPARED, PART_SENDING);
        record.batch.parts[0] = with_control;
        assert_int_equal(step(ev), EFFECT_READ_MARKERS);
        assert_int_equal(step(markers(0, 1, NOW)), EFFECT_READ_MARKERS);
        /* The first answer may have read the control last: now the marker is there after all. */
        assert_int_equal(step(markers(late ? 1 : 0, 1, NOW)), EFFECT_JOURNAL);
        assert_int_equal(fx.part.state, late ? PART_ACKED : PART_PLANNED);
        assert_int_equal(fx.part.attempt, late ? 3 : 4);
    }
}

static void test_lost_control_is_replaced(void **state)
{
    (void)state;
    protocol_run_init(&run, &config, NULL, 0, 0);
    struct protocol_event ev = event(EVENT_RECOVER);
    ev.batch_id = nonce_of(7);
    step(ev);
    ev = loaded(BATCH_PREPARED, PART_SENDING);
    record.batch.parts[0].control = (struct ledger_marker){.minute = 9};
    record.batch.parts[0].control_ms = NOW - 21 * MINUTE;
    step(ev);
    assert_int_equal(step(markers(0, 0, NOW)), EFFECT_MARKER);
}

static void test_stop_begins_nothing(void **state)
{
    (void)state;
    static const struct protocol_claim mine[1] = {{.result = CLAIM_MINE}};
    start(1);
    struct protocol_event ev = event(EVENT_CLAIMS);
    ev.claims = mine;
    ev.stop = true;
    assert_int_equal(step(ev), EFFECT_ABORT); /* claims go at once */
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_RETRY);

    until_sending(2); /* the request in flight is concluded, the next is not begun */
    ev = event(EVENT_ACCEPTED);
    ev.stop = true;
    assert_int_equal(step(ev), EFFECT_JOURNAL);
    assert_int_equal(answer(EVENT_OK), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_PENDING);
}

static void test_clock_is_corrected_by_answers(void **state)
{
    (void)state;
    until_sending(1);
    struct protocol_event ev = event(EVENT_REFUSED);
    ev.server_ms = now_ms + 40 * MINUTE; /* our clock is slow */
    step(ev);
    assert_int_equal(answer(EVENT_OK), EFFECT_MARKER);
    assert_int_equal(fx.time_ms, now_ms + 40 * MINUTE); /* the marker's minute */
}

/* The answer a service would give if all went well. */
static struct protocol_event good(enum protocol_effect_kind kind)
{
    static const struct protocol_claim mine[1] = {{.result = CLAIM_MINE}};
    static const bool kept[1] = {true};
    static const struct ledger_part parts[1] = {{.count = 8, .tokens = 100}};
    struct protocol_event ev = event(EVENT_OK);
    switch (kind) {
    case EFFECT_CLAIM:
        ev.kind = EVENT_CLAIMS;
        ev.claims = mine;
        break;
    case EFFECT_LOAD: ev = loaded(BATCH_PREPARED, PART_SENDING); break;
    case EFFECT_READ:
        ev.kind = EVENT_READ;
        ev.kept = kept;
        ev.parts = parts;
        ev.n_parts = 1;
        break;
    case EFFECT_MARKER: ev = marker_event(3); break;
    case EFFECT_SIGN:
        ev.kind = EVENT_SIGNED;
        ev.date_ms = now_ms;
        break;
    case EFFECT_SEND:
    case EFFECT_SEND_CONTROL: ev.kind = EVENT_ACCEPTED; break;
    case EFFECT_READ_MARKERS: ev = markers(0, 0, NOW); break;
    default: break;
    }
    return ev;
}

/* All goes well up to step n, then nothing is answered any more: every run comes to an end, sends
 * at most what was journaled, and leaves nothing looking counted. */
static void test_silence_from_any_step_on(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 12; n++)
        for (int recovering = 0; recovering < 2; recovering++) {
            enum protocol_effect_kind kind;
            if (recovering) {
                protocol_run_init(&run, &config, NULL, 0, 0);
                struct protocol_event ev = event(EVENT_RECOVER);
                ev.batch_id = nonce_of(7);
                kind = step(ev);
            } else {
                kind = start(1);
            }
            unsigned steps = 0, sends = 0;
            for (; kind != EFFECT_END && steps < 100; steps++) {
                bool journaled = steps < n;
                kind = steps < n ? step(good(kind)) : answer(EVENT_FAILED);
                sends += kind == EFFECT_SEND;
                assert_true(kind != EFFECT_SEND || journaled);
            }
            assert_true(steps < 100);
            assert_true(sends <= 1);
            if (!recovering && run.objects[0].state != OBJECT_COUNTED) {
                assert_int_not_equal(run.objects[0].state, OBJECT_COUNTED_BEFORE);
                assert_true(run.retry_after_ms > 0 || run.objects[0].state == OBJECT_UNREAD);
            }
        }
}

static void test_single_answers_missing(void **state)
{
    (void)state;
    /* a claim whose expected owner has expired: claim as new */
    start(1);
    struct protocol_claim c = {CLAIM_OTHER, nonce_of(7), NOW - 60 * MINUTE};
    claims(&c);
    step(event(EVENT_BATCH));
    answer(EVENT_OK);
    c = (struct protocol_claim){.result = CLAIM_ABSENT};
    assert_int_equal(claims(&c), EFFECT_CLAIM);
    struct ledger_nonce none = {{0}};
    assert_true(ledger_nonce_eq(&run.objects[0].owner, &none));

    /* a look without an answer is repeated, and so is a marker, and done */
    start(1);
    c = (struct protocol_claim){CLAIM_OTHER, nonce_of(7), NOW - 60 * MINUTE};
    claims(&c);
    assert_int_equal(answer(EVENT_FAILED), EFFECT_LOAD);
    step(event(EVENT_BATCH));
    assert_int_equal(answer(EVENT_FAILED), EFFECT_LOAD); /* the tombstone: written or not? */

    until_prepared(1);
    answer(EVENT_OK);
    assert_int_equal(answer(EVENT_FAILED), EFFECT_MARKER);
    sign(1);
    answer(EVENT_OK);
    answer(EVENT_ACCEPTED);
    assert_int_equal(answer(EVENT_OK), EFFECT_DONE);
    assert_int_equal(answer(EVENT_FAILED), EFFECT_DONE);
    assert_int_equal(answer(EVENT_OK), EFFECT_END);

    /* the batch is gone when it is read again */
    until_sending(1);
    answer(EVENT_ACCEPTED);
    answer(EVENT_FAILED);
    assert_int_equal(step(event(EVENT_BATCH)), EFFECT_END);
    assert_int_equal(run.objects[0].state, OBJECT_RETRY);
}

/* The journaling of a result had no answer, and turns out to be written: it is tallied. */
static void test_result_written_without_answer(void **state)
{
    (void)state;
    static const enum ledger_policy policies[] = {POLICY_RESEND, POLICY_DROP};
    for (size_t i = 0; i < 2; i++) {
        config.policy = policies[i];
        until_sending(1);
        assert_int_equal(answer(EVENT_NO_ANSWER), EFFECT_JOURNAL);
        struct ledger_part written = fx.part;
        answer(EVENT_FAILED);
        struct protocol_event ev = loaded(BATCH_PREPARED, PART_SENDING);
        record.batch.parts[0] = written;
        assert_int_equal(step(ev), i == 0 ? EFFECT_MARKER : EFFECT_REPORT);
        assert_int_equal(run.tally.resent, i == 0);
        assert_int_equal(run.tally.dropped, i == 1);
        assert_int_equal(run.tally.resent_tokens + run.tally.dropped_tokens, 100);
    }
}

/* What was in doubt is reported before the batch is done; without an answer it stays open. */
static void test_doubts_are_reported(void **state)
{
    (void)state;
    struct ledger_doubts doubts;
    config.policy = POLICY_DROP;
    for (int reported = 0; reported < 2; reported++) {
        until_sending(1);
        assert_int_equal(answer(EVENT_NO_ANSWER), EFFECT_JOURNAL);
        assert_int_equal(answer(EVENT_OK), EFFECT_REPORT);
        assert_true(ledger_batch_doubts(&run.batch, &doubts));
        assert_int_equal(doubts.dropped, 1);
        assert_int_equal(doubts.dropped_tokens, 100);
        if (reported) {
            assert_int_equal(answer(EVENT_OK), EFFECT_DONE);
            assert_int_equal(answer(EVENT_FAILED), EFFECT_DONE);
            assert_int_equal(answer(EVENT_OK), EFFECT_END);
            assert_int_equal(run.objects[0].state, OBJECT_COUNTED);
        } else {
            assert_int_equal(answer(EVENT_FAILED), EFFECT_END);
            assert_int_equal(run.objects[0].state, OBJECT_PENDING);
            assert_true(run.retry_after_ms > 0);
        }
    }
    until_sending(1);
    assert_int_equal(answer(EVENT_ACCEPTED), EFFECT_JOURNAL);
    assert_int_equal(answer(EVENT_OK), EFFECT_DONE);
    assert_false(ledger_batch_doubts(&run.batch, &doubts));
}

static void test_doubts_add_up(void **state)
{
    (void)state;
    struct ledger_batch b = {.n_parts = 4,
                             .parts = {{.state = PART_ACKED, .tokens = 5, .resent = 2},
                                       {.state = PART_DROPPED, .tokens = 7, .resolved_absent = 3},
                                       {.state = PART_ACKED, .tokens = 9, .resolved_applied = 1},
                                       {.state = PART_REJECTED, .tokens = 11}}};
    struct ledger_doubts d;
    assert_true(ledger_batch_doubts(&b, &d));
    assert_int_equal(d.applied, 1);
    assert_int_equal(d.absent, 3);
    assert_int_equal(d.resent, 2);
    assert_int_equal(d.resent_tokens, 10);
    assert_int_equal(d.dropped, 1);
    assert_int_equal(d.dropped_tokens, 7);
}

/* Another content than the one that was counted; unknown ones are never another. */
static void test_changed_content(void **state)
{
    (void)state;
    static const struct {
        uint64_t announced, counted;
        bool changed;
    } rows[] = {{5, 5, false}, {5, 6, true}, {0, 6, false}, {5, 0, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct protocol_claim other = {.result = CLAIM_OTHER, .owner = nonce_of(7)};
        struct ledger_id id = id_of(1);
        protocol_run_init(&run, &config, &id, 1, 0);
        run.objects[0].tag = rows[i].announced;
        assert_int_equal(answer(EVENT_START), EFFECT_CLAIM);
        assert_int_equal(claims(&other), EFFECT_LOAD);
        struct protocol_event ev = loaded(BATCH_DONE, PART_ACKED);
        record.batch.n_members = 1;
        ev.members = &id;
        ev.tags = &rows[i].counted;
        assert_int_equal(step(ev), EFFECT_END);
        assert_int_equal(run.objects[0].state, OBJECT_COUNTED_BEFORE);
        assert_int_equal(run.objects[0].changed, rows[i].changed);
    }
}

static void test_control_without_answer(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        recover(PART_SENDING);
        step(markers(0, 0, NOW));
        step(marker_event(5));
        struct ledger_part written = fx.part;
        assert_int_equal(answer(EVENT_CONFLICT), EFFECT_LOAD);
        struct protocol_event ev = loaded(BATCH_PREPARED, PART_SENDING);
        if (ours)
            record.batch.parts[0] = written;
        assert_int_equal(step(ev), ours ? EFFECT_SEND_CONTROL : EFFECT_READ_MARKERS);
    }
    recover(PART_SENDING);
    step(markers(0, 0, NOW));
    assert_int_equal(answer(EVENT_FAILED), EFFECT_END); /* no control to be had: later */
    recover(PART_SENDING);
    assert_int_equal(answer(EVENT_FAILED), EFFECT_END); /* the sink cannot be read: later */
    assert_int_equal(run.retry_after_ms, MINUTE);
}

static void test_others_wait_for_the_fence_too(void **state)
{
    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        config.policy = POLICY_DROP;
        protocol_run_init(&run, &config, NULL, 0, 0);
        struct protocol_event ev = event(EVENT_RECOVER);
        ev.batch_id = nonce_of(7);
        step(ev);
        ev = loaded(BATCH_PREPARED, PART_SENDING);
        /* sent a minute ago; or dated next year by a broken clock: nobody waits for that */
        record.batch.parts[0].date_ms = ahead ? NOW + 365 * 24 * 60 * MINUTE : NOW - MINUTE;
        assert_int_equal(step(ev), ahead ? EFFECT_LOAD : EFFECT_END);
    }
}

static void test_claim_from_the_future_does_not_block(void **state)
{
    (void)state;
    start(1);
    struct protocol_claim c = {CLAIM_OTHER, nonce_of(7), NOW + 60 * 24 * 60 * MINUTE};
    claims(&c);
    assert_int_equal(step(event(EVENT_BATCH)), EFFECT_ABORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_goes_well, setup),
        cmocka_unit_test_setup(test_nothing_to_send, setup),
        cmocka_unit_test_setup(test_claim_meets_owner, setup),
        cmocka_unit_test_setup(test_tombstone_then_take, setup),
        cmocka_unit_test_setup(test_claim_without_answer_gives_up, setup),
        cmocka_unit_test_setup(test_unreadable_object_releases_claims, setup),
        cmocka_unit_test_setup(test_prepare_conflict, setup),
        cmocka_unit_test_setup(test_send_answers, setup),
        cmocka_unit_test_setup(test_in_doubt_says_when_to_retry, setup),
        cmocka_unit_test_setup(test_refused_backs_off_and_gives_up, setup),
        cmocka_unit_test_setup(test_invalid_is_split_down_to_the_datum, setup),
        cmocka_unit_test_setup(test_journal_without_answer, setup),
        cmocka_unit_test_setup(test_result_follows_the_attempt_not_the_nonce, setup),
        cmocka_unit_test_setup(test_unsigned_is_not_journaled, setup),
        cmocka_unit_test_setup(test_violation_is_noticed, setup),
        cmocka_unit_test_setup(test_recover_by_part_state, setup),
        cmocka_unit_test_setup(test_recover_leaves_a_running_lease, setup),
        cmocka_unit_test_setup(test_resolve, setup),
        cmocka_unit_test_setup(test_absence_needs_a_control_and_a_second_read, setup),
        cmocka_unit_test_setup(test_lost_control_is_replaced, setup),
        cmocka_unit_test_setup(test_stop_begins_nothing, setup),
        cmocka_unit_test_setup(test_clock_is_corrected_by_answers, setup),
        cmocka_unit_test_setup(test_silence_from_any_step_on, setup),
        cmocka_unit_test_setup(test_single_answers_missing, setup),
        cmocka_unit_test_setup(test_result_written_without_answer, setup),
        cmocka_unit_test_setup(test_doubts_are_reported, setup),
        cmocka_unit_test_setup(test_doubts_add_up, setup),
        cmocka_unit_test_setup(test_changed_content, setup),
        cmocka_unit_test_setup(test_control_without_answer, setup),
        cmocka_unit_test_setup(test_others_wait_for_the_fence_too, setup),
        cmocka_unit_test_setup(test_claim_from_the_future_does_not_block, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
