/* Objects through the ledger, many runs of the protocol after another. */
#include "ledger/exact_round_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "publish/payload.h"

enum {
    RECOVER_LIST = 256,
    NOTES_MAX = 64,
};

int64_t exact_round_now_ms(const struct exact_round *c)
{
    return c->clock.steady_ms(c->clock.ctx);
}

bool exact_round_is_late(const struct exact_round *c)
{
    return aws_stop_asked(&c->options.stop) || exact_round_now_ms(c) >= c->read_deadline_ms;
}

bool exact_round_is_over(const struct exact_round *c)
{
    return aws_stop_asked(&c->options.stop_publish) ||
           exact_round_now_ms(c) >= c->publish_deadline_ms;
}

/* ---- life ---- */

enum status exact_round_new(struct exact_round **out, const struct exact_round_options *options,
                            struct error *err)
{
    *out = NULL;
    struct exact_round *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    c->options = *options;
    c->clock = aws_clock_system();
    c->read_deadline_ms = c->publish_deadline_ms = INT64_MAX;
    c->data_limit = DATA_LIMIT;
    pthread_mutex_init(&c->locked.mutex, NULL);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_init(&c->payloads[i], LEDGER_PAYLOAD_BYTES_MAX);
    struct ledger_host host = exact_round_host(c);
    c->driver = ledger_driver_new(options->session->ledger, &options->session->config, &host);
    if (c->driver == NULL) {
        exact_round_free(c);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    *out = c;
    return ST_OK;
}

void exact_round_free(struct exact_round *c)
{
    if (c == NULL)
        return;
    ledger_driver_free(c->driver);
    exact_round_forget_put(c);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_clear(&c->payloads[i]);
    pthread_mutex_destroy(&c->locked.mutex);
    free(c);
}

void exact_round_set_deadlines(struct exact_round *c, int64_t read_ms, int64_t publish_ms)
{
    c->read_deadline_ms = read_ms;
    c->publish_deadline_ms = publish_ms;
}

enum status exact_round_id(const struct exact_round *c, struct round_object *o)
{
    return ledger_id_of(c->options.session->identity, o->bucket, o->key, &o->id);
}

struct view exact_round_buckets(const struct exact_round *c)
{
    return c->options.settings->buckets;
}

const struct run_receipt *exact_round_receipt(const struct exact_round *c)
{
    return &c->receipt;
}

/* ---- counting ---- */

static int by_id(const void *a, const void *b)
{
    struct round_object *const *l = a, *const *r = b;
    return memcmp((*l)->id.bytes, (*r)->id.bytes, sizeof((*l)->id.bytes));
}

static uint16_t choose(struct exact_round *c, struct round_object **sorted, size_t n)
{
    uint16_t chosen = 0;
    for (size_t i = 0; i < n && chosen < PROTOCOL_OBJECTS_MAX; i++) {
        if (sorted[i]->settled || (i > 0 && ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id)))
            continue;
        c->ids[chosen] = sorted[i]->id;
        c->tags[chosen] = sorted[i]->tag;
        c->chosen[chosen++] = sorted[i];
    }
    return chosen;
}

/* Objects named again have the outcome of the first. */
static void settle_repeated(struct round_object **sorted, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (!ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id))
            continue;
        sorted[i]->status = sorted[i - 1]->status;
        sorted[i]->retry_after_ms = sorted[i - 1]->retry_after_ms;
        sorted[i]->err = sorted[i - 1]->err;
        sorted[i]->outcome = OBJECT_COUNTED_BEFORE;
        sorted[i]->settled = true;
    }
}

static void note_recovered(struct exact_round *c, struct ledger_driver *driver)
{
    struct ledger_recovered r = ledger_driver_take_recovered(driver);
    receipt_merge(&c->receipt.digest, &r.objects);
    c->receipt.recovered_batches += r.batches;
    c->receipt.recovered_objects += r.objects.objects;
}

void exact_round_count(struct exact_round *c, struct round_object *objects, size_t n,
                       struct round_summary *summary)
{
    struct round_object **sorted = calloc(n + 1, sizeof(struct round_object *));
    uint16_t chosen = 0;
    summary->tally.objects.found += n;
    c->receipt.tally.objects.found += n;
    c->ms_read = 0;
    c->data_limit = DATA_LIMIT;
    for (size_t i = 0; i < n; i++) {
        objects[i].settled = objects[i].read = objects[i].changed = objects[i].note = false;
        objects[i].outcome = OBJECT_RETRY;
        exact_round_return(&objects[i], sorted == NULL ? ST_NO_MEMORY : ST_CANCELLED,
                           sorted == NULL ? E_R113 : E_Q101, 0,
                           sorted == NULL ? "out of memory" : "no time left");
        if (sorted != NULL)
            sorted[i] = &objects[i];
    }
    if (sorted == NULL) {
        summary->tally.objects.failed += n;
        c->receipt.tally.objects.failed += n;
        return;
    }
    qsort(sorted, n, sizeof(struct round_object *), by_id);
    while (!exact_round_is_late(c) && (chosen = choose(c, sorted, n)) > 0) {
        for (uint16_t i = 0; i < chosen; i++)
            c->chosen[i]->read = c->chosen[i]->deferred = false;
        enum status st = ledger_drive_count_tagged(c->driver, c->ids, c->tags, chosen, &c->run);
        if (st != ST_OK)
            LOG_FAULT(LOG_ERROR, E_L101, "the ledger cannot be worked with, nothing is published",
                      log_cstr("status", status_name(st)));
        for (uint16_t i = 0; i < chosen; i++)
            c->chosen[i]->changed = c->run.objects[i].changed;
        for (uint16_t i = 0; i < chosen; i++)
            c->chosen[i]->settled = exact_round_decide(
                c, c->chosen[i], (enum protocol_object_state)c->run.objects[i].state, st);
        exact_round_add_run(c, summary);
    }
    settle_repeated(sorted, n);
    for (size_t i = 0; i < n; i++)
        exact_round_note(c, sorted[i], summary);
    size_t changed = 0;
    for (size_t i = 0; i < n; i++) {
        if (sorted[i]->changed)
            sorted[changed++] = sorted[i];
    }
    exact_round_check_changed(c, sorted, changed, summary);
    note_recovered(c, c->driver);
    summary->ms_read += c->ms_read;
    free(sorted);
}

/* ---- objects that changed ---- */

static void count_notes(struct exact_round *c, struct round_object *notes, uint16_t n,
                        struct round_summary *summary)
{
    for (uint16_t i = 0; i < n; i++) {
        c->ids[i] = notes[i].id;
        c->chosen[i] = &notes[i];
    }
    /* One that could not be counted now is met again with the next event or sweep. */
    enum status st = ledger_drive_count(c->driver, c->ids, n, &c->run);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, E_L101, "the ledger cannot be worked with, nothing is published",
                  log_cstr("status", status_name(st)));
    exact_round_add_run(c, summary);
}

void exact_round_check_changed(struct exact_round *c, struct round_object **objects, size_t n,
                               struct round_summary *summary)
{
    struct round_object *notes = n == 0 ? NULL : calloc(NOTES_MAX, sizeof(*notes));
    uint16_t count = 0;
    for (size_t i = 0; i < n; i++)
        objects[i]->changed = false; /* until it is looked at */
    for (size_t i = 0; i < n && notes != NULL && !exact_round_is_late(c); i++) {
        struct round_object *o = objects[i];
        uint64_t counted_tag = 0, tag = exact_round_look(c, o);
        enum ledger_progress progress;
        /* An event may be older than what was counted; only what is there now tells. */
        enum status st =
            ledger_lookup_tags(c->options.session->ledger, &o->id, 1, &progress, &counted_tag);
        o->changed = st == ST_OK && tag != 0 && counted_tag != 0 && tag != counted_tag;
        if (!o->changed)
            continue;
        LOG_FAULT(LOG_WARN, E_O131, "object changed after it was counted, not counted again",
                  log_view("object", o->key));
        c->receipt.changed++;
        notes[count] = (struct round_object){.bucket = o->bucket, .key = o->key, .note = true};
        st = ledger_id_of_change(&o->id, tag, &notes[count].id);
        bool again = st != ST_OK;
        for (uint16_t j = 0; j < count; j++)
            again = again || ledger_id_eq(&notes[j].id, &notes[count].id);
        count = (uint16_t)(count + !again);
        if (count == NOTES_MAX) {
            count_notes(c, notes, count, summary);
            count = 0;
        }
    }
    if (count > 0)
        count_notes(c, notes, count, summary);
    free(notes);
}

void exact_round_set_sweeping(struct exact_round *c, bool sweeping)
{
    c->sweeping = sweeping;
}

bool exact_round_has_tags(const struct exact_round *c)
{
    return c->options.session->identity == IDENTITY_KEY;
}

/* ---- recovery ---- */

/* What is unfinished must be for our sink: in another, its markers would seem absent. */
static enum status check_sink(struct exact_round *c, struct error *err)
{
    struct ledger *l = c->options.session->ledger;
    const struct run_settings *s = c->options.settings;
    struct ledger_nonce open[RECOVER_LIST];
    struct buf bytes;
    size_t n = 0;
    enum status st = ledger_list_open(l, INT64_MAX, open, RECOVER_LIST, &n);
    buf_init(&bytes, LEDGER_PAYLOAD_BYTES_MAX);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        struct payload payload = {0};
        buf_reset(&bytes);
        st = ledger_payload(l, &open[i], 0, &bytes);
        if (st == ST_MISSING) { /* a batch without data */
            st = ST_OK;
            continue;
        }
        if (st == ST_OK)
            st = payload_decode(buf_view(&bytes), &payload);
        if (st == ST_OK && (!view_eq(payload.name_space, s->name_space) ||
                            !view_eq(payload.region, s->cloudwatch_region)))
            st = error_set(err, ST_USAGE, E_L207,
                           "LEDGER: unfinished batches are for namespace \"%.*s\" in \"%.*s\": "
                           "finish them with those settings (resolve) before changing them",
                           SHOW(payload.name_space), SHOW(payload.region));
        payload_clear(&payload);
    }
    buf_clear(&bytes);
    return st;
}

enum status exact_round_recover(struct exact_round *c, bool first, size_t max,
                                struct ledger_recovery *out, struct error *err)
{
    struct ledger_session *s = c->options.session;
    *out = (struct ledger_recovery){0};
    if (first) {
        enum status st = check_sink(c, err);
        if (st != ST_OK)
            return err->text[0] != '\0' ? st
                                        : error_set(err, st, E_L209, "the ledger cannot be read");
    }
    struct ledger_driver *driver = c->driver;
    if (first && s->sole) {
        /* Whoever held these leases had this file open, and does not any more. */
        struct protocol_config config = s->config;
        struct ledger_host host = exact_round_host(c);
        config.lease_ms = 0;
        driver = ledger_driver_new(s->ledger, &config, &host);
        if (driver == NULL)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    enum status st = ledger_drive_recover(driver, max, out);
    note_recovered(c, driver);
    if (st == ST_OK)
        exact_round_report_open(c, out);
    if (driver != c->driver)
        ledger_driver_free(driver);
    const struct protocol_tally *t = &out->tally;
    if (out->found > 0)
        LOG_EVENT(LOG_INFO, "unfinished batches", log_u64("found", out->found),
                  log_u64("finished", out->done), log_u64("requests", t->requests_accepted),
                  log_u64("resolved_applied", t->resolved_applied),
                  log_u64("resolved_absent", t->resolved_absent), log_u64("held", t->held),
                  log_u64("resent", t->resent), log_u64("resent_tokens", t->resent_tokens),
                  log_u64("dropped", t->dropped), log_u64("dropped_tokens", t->dropped_tokens));
    if (t->violations > 0)
        LOG_FAULT(LOG_ERROR, E_L106, "a request was applied more than once",
                  log_u64("requests", t->violations));
    return st == ST_OK ? st : error_set(err, st, E_L209, "the ledger failed: %s", status_name(st));
}
