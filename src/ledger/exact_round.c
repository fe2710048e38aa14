/*
 * Objects through the ledger, one run of the protocol after another, until all are decided or time
 * is up; then recovery, which is the same for batches of others.
 */
#include "ledger/exact_round_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "publish/payload.h"

enum {
    RECOVER_LIST = 256,
    NOTES_MAX = 64,
};

int64_t exact_round_now_ms(const struct exact_round *x)
{
    return x->clock.steady_ms(x->clock.ctx);
}

bool exact_round_is_late(const struct exact_round *x)
{
    return aws_stop_asked(&x->options.stop) || exact_round_now_ms(x) >= x->read_deadline_ms;
}

bool exact_round_is_over(const struct exact_round *x)
{
    return aws_stop_asked(&x->options.stop_publish) ||
           exact_round_now_ms(x) >= x->publish_deadline_ms;
}

/* ---- life ---- */

enum status exact_round_new(struct exact_round **out, const struct exact_round_options *options,
                            struct error *err)
{
    *out = NULL;
    struct exact_round *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    x->options = *options;
    x->clock = aws_clock_system();
    x->read_deadline_ms = x->publish_deadline_ms = INT64_MAX;
    x->data_limit = DATA_LIMIT;
    x->batch = settings_batch(options->settings, 0);
    pthread_mutex_init(&x->locked.mutex, NULL);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_init(&x->payloads[i], LEDGER_PAYLOAD_BYTES_MAX);
    struct ledger_host host = exact_round_host(x);
    x->driver = ledger_driver_new(options->session->ledger, &options->session->config, &host);
    if (x->driver == NULL) {
        exact_round_free(x);
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    *out = x;
    return ST_OK;
}

void exact_round_free(struct exact_round *x)
{
    if (x == NULL)
        return;
    ledger_driver_free(x->driver);
    exact_round_forget_put(x);
    aggregate_free(x->sums);
    for (size_t i = 0; i < LEDGER_PAYLOADS_MAX; i++)
        buf_clear(&x->payloads[i]);
    pthread_mutex_destroy(&x->locked.mutex);
    free(x);
}

void exact_round_set_deadlines(struct exact_round *x, int64_t read_ms, int64_t publish_ms)
{
    x->read_deadline_ms = read_ms;
    x->publish_deadline_ms = publish_ms;
}

struct aws_pool *exact_round_pool(const struct exact_round *x, struct view bucket)
{
    return x->options.pools[settings_aws_role(x->options.aws, bucket)];
}

struct counter_options exact_round_counter(const struct exact_round *x)
{
    return x->options.counter != NULL ? *x->options.counter : settings_counter(x->options.settings);
}

const struct run_receipt *exact_round_receipt(const struct exact_round *x)
{
    return &x->receipt;
}

/* ---- counting ---- */

static int by_id(const void *a, const void *b)
{
    struct round_object *const *l = a, *const *r = b;
    return memcmp((*l)->id.bytes, (*r)->id.bytes, sizeof((*l)->id.bytes));
}

static uint16_t choose(struct exact_round *x, struct round_object **sorted, size_t n)
{
    uint16_t chosen = 0;
    for (size_t i = 0; i < n && chosen < PROTOCOL_OBJECTS_MAX; i++) {
        if (sorted[i]->final || (i > 0 && ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id)))
            continue;
        x->ids[chosen] = sorted[i]->id;
        x->tags[chosen] = sorted[i]->tag;
        x->chosen[chosen++] = sorted[i];
    }
    return chosen;
}

/* Objects named again have the outcome of the first. */
static void decide_repeated(struct round_object **sorted, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (!ledger_id_eq(&sorted[i]->id, &sorted[i - 1]->id))
            continue;
        sorted[i]->read.status = sorted[i - 1]->read.status;
        sorted[i]->read.err = sorted[i - 1]->read.err;
        sorted[i]->retry_after_ms = sorted[i - 1]->retry_after_ms;
        sorted[i]->outcome = OBJECT_COUNTED_BEFORE;
    }
}

static void note_recovered(struct exact_round *x, struct ledger_driver *driver)
{
    struct ledger_recovered r = ledger_driver_take_recovered(driver);
    receipt_merge(&x->receipt.digest, &r.objects);
    x->receipt.recovered_batches += r.batches;
    x->receipt.recovered_objects += r.objects.objects;
}

/* One run, of the first `chosen` of x->chosen. */
static enum status run_chosen(struct exact_round *x, uint16_t chosen, const uint64_t *tags,
                              struct round_summary *summary)
{
    for (uint16_t i = 0; i < chosen; i++)
        x->chosen[i]->was_read = x->chosen[i]->deferred = false;
    enum status st = ledger_drive_count(x->driver, x->ids, tags, chosen, &x->run);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, E_L101, "the ledger cannot be worked with, nothing is published",
                  log_cstr("status", status_name(st)));
    exact_round_add_run(x, summary);
    return st;
}

void exact_round_count(struct exact_round *x, struct round_object **objects, size_t n,
                       struct round_summary *summary)
{
    bool has_tags = x->options.session->identity == IDENTITY_KEY;
    uint16_t chosen = 0;
    enum status st;
    x->ms_read = 0;
    x->data_limit = DATA_LIMIT;
    for (size_t i = 0; i < n; i++) {
        struct round_object *o = objects[i];
        o->final = o->was_read = o->changed = o->prepared = o->note = false;
        o->outcome = OBJECT_RETRY;
        /* Replicas may have another ETag each. */
        o->tag = has_tags ? o->tag : 0;
        exact_round_return(o, ST_CANCELLED, E_Q101, 0, "no time left");
        st = ledger_id_of(x->options.session->identity, o->read.bucket, o->read.key, &o->id);
        o->final = st != ST_OK;
        if (o->final)
            exact_round_return(o, st, E_R113, 0, "out of memory");
    }
    qsort(objects, n, sizeof(struct round_object *), by_id);
    while (!exact_round_is_late(x) && (chosen = choose(x, objects, n)) > 0) {
        st = run_chosen(x, chosen, x->tags, summary);
        for (uint16_t i = 0; i < chosen; i++) {
            struct round_object *o = x->chosen[i];
            o->changed = x->run.objects[i].changed;
            o->final =
                exact_round_decide(x, o, (enum protocol_object_state)x->run.objects[i].state, st);
        }
    }
    decide_repeated(objects, n);
    for (size_t i = 0; i < n; i++)
        exact_round_note(x, objects[i], summary);
    exact_round_check_changed(x, objects, n, summary);
    note_recovered(x, x->driver);
    summary->ms_read += x->ms_read;
}

/* ---- objects that changed ---- */

/* One that could not be counted now is met again with the next event or sweep. */
static void count_notes(struct exact_round *x, struct round_object *notes, uint16_t n,
                        struct round_summary *summary)
{
    for (uint16_t i = 0; i < n; i++) {
        x->ids[i] = notes[i].id;
        x->chosen[i] = &notes[i];
    }
    (void)run_chosen(x, n, NULL, summary);
}

/* An event may be older than what was counted; only what is there now counts.  The id of the change
 * goes to *note. */
static bool has_changed(struct exact_round *x, struct round_object *o, struct round_object *note)
{
    uint64_t counted_tag = 0, tag = exact_round_look(x, o);
    enum ledger_progress progress;
    enum status st =
        ledger_lookup_tags(x->options.session->ledger, &o->id, 1, &progress, &counted_tag);
    if (st != ST_OK || tag == 0 || counted_tag == 0 || tag == counted_tag)
        return false;
    LOG_FAULT(LOG_WARN, E_O131, "object changed after it was counted, not counted again",
              log_view("object", o->read.key));
    x->receipt.changed++;
    *note =
        (struct round_object){.read = {.bucket = o->read.bucket, .key = o->read.key}, .note = true};
    note->final = ledger_id_of_change(&o->id, tag, &note->id) != ST_OK;
    return true;
}

void exact_round_check_changed(struct exact_round *x, struct round_object **objects, size_t n,
                               struct round_summary *summary)
{
    struct round_object *notes = NULL;
    uint16_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct round_object *o = objects[i];
        if (!o->changed)
            continue;
        o->changed = false; /* until it is looked at */
        if (notes == NULL)
            notes = calloc(NOTES_MAX, sizeof(*notes));
        if (notes == NULL || exact_round_is_late(x) || !has_changed(x, o, &notes[count]))
            continue;
        o->changed = true;
        bool again = notes[count].final;
        for (uint16_t j = 0; j < count; j++)
            again = again || ledger_id_eq(&notes[j].id, &notes[count].id);
        count = (uint16_t)(count + !again);
        if (count == NOTES_MAX) {
            count_notes(x, notes, count, summary);
            count = 0;
        }
    }
    if (count > 0)
        count_notes(x, notes, count, summary);
    free(notes);
}

void exact_round_set_sweeping(struct exact_round *x, bool sweeping)
{
    x->sweeping = sweeping;
}

/* ---- recovery ---- */

/* What is unfinished must be for our sink: in another, its markers would seem absent. */
static enum status check_sink(struct exact_round *x, struct error *err)
{
    struct ledger *l = x->options.session->ledger;
    const struct run_settings *s = x->options.settings;
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

enum status exact_round_recover(struct exact_round *x, bool first, size_t max,
                                struct ledger_recovery *out, struct error *err)
{
    struct ledger_session *s = x->options.session;
    *out = (struct ledger_recovery){0};
    if (first) {
        enum status st = check_sink(x, err);
        if (st != ST_OK)
            return err->text[0] != '\0' ? st
                                        : error_set(err, st, E_L209, "the ledger cannot be read");
    }
    struct ledger_driver *driver = x->driver;
    if (first && s->sole) {
        /* Whoever held these leases had this file open, and does not any more. */
        struct protocol_config config = s->config;
        struct ledger_host host = exact_round_host(x);
        config.lease_ms = 0;
        driver = ledger_driver_new(s->ledger, &config, &host);
        if (driver == NULL)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    }
    enum status st = ledger_drive_recover(driver, max, out);
    note_recovered(x, driver);
    if (st == ST_OK)
        exact_round_report_open(x, out);
    if (driver != x->driver)
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
