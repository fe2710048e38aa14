/*
 * fuzz_dynamodb.c: a table that answers with anything.  The first byte chooses what is asked of the
 * ledger, each line after it is one answer: a digit for its status, then the document.
 */
#include <stdlib.h>

#include "base/json_read.h"
#include "ledger/ledger_dynamodb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view answers;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static enum status answer(void *ctx, const char *operation, const json_t *in, json_t **out)
{
    static const enum status statuses[] = {ST_OK,       ST_OK,     ST_OK,     ST_CONFLICT,
                                           ST_MISSING,  ST_RETRY,  ST_DENIED, ST_IN_DOUBT,
                                           ST_BAD_ITEM, ST_TOO_BIG};
    (void)ctx;
    (void)operation;
    check(json_is_object(in));
    *out = NULL;
    if (answers.len == 0)
        return ST_RETRY; /* which ends every loop over pages */
    struct view line = view_first(answers, view_find_char(answers, '\n'));
    answers = view_skip(answers, line.len + (line.len < answers.len));
    enum status st = line.len > 0 ? statuses[(uint8_t)line.ptr[0] % 10] : ST_OK;
    if (st == ST_OK || st == ST_CONFLICT)
        *out = json_read(view_skip(line, line.len > 0), 0, NULL);
    if (*out == NULL && (st == ST_OK || st == ST_CONFLICT))
        *out = json_object(); /* what is no document ends below this layer */
    return st;
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return INT64_C(1793880000000);
}

static bool see_entry(void *ctx, const struct ledger_quarantined *e)
{
    unsigned *left = ctx;
    check(e->key.len <= 1100 && e->bucket.len <= 1100 && e->reason.len <= 1100);
    return (*left)-- > 1;
}

static bool see_batch(void *ctx, const struct ledger_nonce *id, enum ledger_batch_state state,
                      int64_t time_ms)
{
    unsigned *left = ctx;
    (void)id;
    (void)time_ms;
    check(state >= BATCH_ABORTED && state <= BATCH_DONE);
    return (*left)-- > 1;
}

static enum status ask(struct ledger *l, unsigned what)
{
    static struct ledger_record record;
    static struct ledger_nonce open[64];
    struct ledger_nonce batch = {{1}};
    struct protocol_object objects[2] = {{.state = OBJECT_CLAIM, .owner = {{2}}},
                                         {.state = OBJECT_CLAIM}};
    struct protocol_claim claims[2];
    struct protocol_effect effect = {.split = what % 2 != 0, .n_parts = 1, .batch_id = batch};
    struct view payload = VIEW_LIT("payload");
    struct ledger_id ids[3] = {{{0}}, {{1}}, {{2}}};
    enum ledger_progress progress[3];
    struct ledger_quarantined entry = {.key = VIEW_LIT("key"), .reason = VIEW_LIT("corrupt")};
    struct ledger_statistics statistics;
    struct ledger_marker marker;
    struct buf body;
    size_t n = 0;
    uint64_t tags[3];
    uint32_t used;
    unsigned left = 100;
    enum status st = ST_OK;
    switch (what) {
    case 0: return ledger_claim(l, &batch, 1, objects, 2, claims);
    case 1:
        st = ledger_load(l, &batch, &record);
        check(st != ST_OK || (record.batch.n_parts <= PROTOCOL_PARTS_MAX &&
                              record.batch.n_members <= PROTOCOL_OBJECTS_MAX));
        return st;
    case 2: return ledger_abort(l, &batch, 1);
    case 3:
        record.batch.n_members = record.batch.n_parts = 1;
        return ledger_prepare(l, &record, &payload, 1);
    case 4:
    case 5: return ledger_journal(l, &effect);
    case 6: return ledger_done(l, &batch, 1);
    case 7:
        st = ledger_list_open(l, INT64_MAX, open, 64, &n);
        check(n <= 64);
        return st;
    case 8: return ledger_lookup_tags(l, ids, 3, progress, tags);
    case 9: return ledger_marker_next(l, 1, &marker);
    case 10: return ledger_quarantine_add(l, &entry);
    case 11: return ledger_quarantine_list(l, see_entry, &left);
    case 12: return ledger_quarantine_release(l, ids);
    case 13: return ledger_statistics_read(l, &statistics);
    case 14: return ledger_list_batches(l, 0, 10, see_batch, &left);
    case 15: return ledger_markers_used(l, 1, &used);
    default:
        buf_init(&body, 1000);
        st = ledger_payload(l, &batch, 0, &body);
        check(body.len <= 1000);
        buf_clear(&body);
        return st;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger_dynamodb_options options = {.table = "t", .call = answer, .now_ms = now_ms};
    struct ledger *l;
    struct error err = {0};
    if (size == 0)
        return 0;
    answers = view_make((const char *)data + 1, size - 1);
    check(ledger_dynamodb_open(&options, &l, &err) == ST_OK);
    (void)ask(l, data[0] % 17);
    ledger_close(l);
    return 0;
}
