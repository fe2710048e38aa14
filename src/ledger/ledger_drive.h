/*
 * ledger_drive.h: carries out what protocol_core.h decides, against a ledger and a host.
 *
 * The host is whoever runs: Lambda loop, worker, command line, a test.  It supplies reading,
 * sending and reading markers; everything about order, repetition and doubt is decided in here.
 * The host never repeats a send by itself, and sends no request but the one it signed before the
 * date was journaled: a request signed later would be valid after the fence.
 */
#ifndef LEDGER_LEDGER_DRIVE_H
#define LEDGER_LEDGER_DRIVE_H

#include "ledger/ledger.h"
#include "ledger/receipt.h"

/* What reading a run's objects came to.  The arrays are the driver's, the host fills them. */
struct ledger_batch_data {
    bool *kept;                /* [run->n_objects], false at first: objects that are in the data */
    uint64_t *tags;            /* [run->n_objects], 0 at first: of the contents that were read */
    struct ledger_part *parts; /* [PROTOCOL_PARTS_MAX]: payload, first, count, tokens are read */
    uint16_t n_parts;
    struct view *payloads; /* [LEDGER_PAYLOADS_MAX], each at most LEDGER_PAYLOAD_BYTES_MAX; the
                              bytes stay valid until the driver's call returns */
    uint16_t n_payloads;
};

/* Points of a run, for tests that kill the process there: an effect's name, before or after it. */
typedef void ledger_point_fn(void *ctx, const char *effect, bool after);

struct ledger_host {
    void *ctx;
    int64_t (*now_ms)(void *ctx);                          /* wall clock, as right as known */
    enum status (*random)(void *ctx, void *out, size_t n); /* cryptographic quality */
    void (*wait_ms)(void *ctx, int64_t ms);                /* may return early */
    bool (*stop)(void *ctx); /* deadline near or signal: begin nothing new */

    /* Read and aggregate the objects run->objects[i] whose state is OBJECT_MINE; each whole or not
     * at all.  Same objects, same bytes.  Any other status than ST_OK: nothing could be read. */
    enum status (*read)(void *ctx, const struct protocol_run *run, struct ledger_batch_data *out);

    /* Data that say what became of a batch's requests in doubt, as if it were the one object of a
     * run.  NULL: it is not reported. */
    enum status (*report)(void *ctx, const struct ledger_doubts *doubts,
                          struct ledger_batch_data *out);

    /*
     * The next four answer with the event of their effect (protocol_core.h): its kind and what goes
     * with that, such as head_tokens, and server_ms, the Date of the answer, 0 without one.
     *
     * sign: build one request of data [part->first, + part->count) of the payload and the datum of
     * part->marker, and sign it; date_ms is its X-Amz-Date.  The host keeps it, one at a time, until
     * send(), the next sign() or release().  EVENT_SIGNED; EVENT_REFUSED: cannot be signed now;
     * EVENT_INVALID: never can, such as too big.
     * send: hand the signed request over, once, on a connection of its own; `part` names it again.
     * send_control: sign and send a request of nothing but this marker's datum; what comes of it
     * does not matter.
     * read_markers: read two markers from the sink; control->minute may be 0.  Any other status
     * than ST_OK: they could not be read.
     */
    void (*sign)(void *ctx, const struct ledger_part *part, struct view payload,
                 struct protocol_event *answer);
    void (*send)(void *ctx, const struct ledger_part *part, struct protocol_event *answer);
    void (*send_control)(void *ctx, const struct ledger_marker *marker,
                         struct protocol_event *answer);
    enum status (*read_markers)(void *ctx, const struct ledger_marker *marker,
                                const struct ledger_marker *control, struct protocol_event *answer);
    void (*release)(void *ctx); /* the run is over; may be NULL */
    ledger_point_fn *point;     /* may be NULL */
};

struct ledger_driver; /* one per worker thread; the ledger may be shared */

/* Copies *config and *host; the ledger stays the caller's.  NULL when memory is short. */
struct ledger_driver *ledger_driver_new(struct ledger *ledger, const struct protocol_config *config,
                                        const struct ledger_host *host);
void ledger_driver_free(struct ledger_driver *d); /* NULL does nothing */

/*
 * Count n objects (distinct, at most PROTOCOL_OBJECTS_MAX); batches of other workers met on the way
 * whose lease has lapsed are finished too.  Afterwards run->objects[i].state says what became of
 * each (objects keep their places), run->tally what happened, run->retry_after_ms when another
 * attempt makes sense for those that are not final.
 *
 * tags[i] is that of the object's content as it was announced, 0: unknown; tags may be NULL.  An
 * object counted before with another one has `changed` set.
 *
 * ST_OK: the run ended as the protocol wants it, whatever became of the objects.  Otherwise the
 * ledger or the host failed in a way that a retry cannot fix; every object that is not final
 * is to be given back, and what was prepared is finished by whoever opens the ledger next.
 */
NODISCARD enum status ledger_drive_count(struct ledger_driver *d, const struct ledger_id *ids,
                                         const uint64_t *tags, uint16_t n,
                                         struct protocol_run *run);

struct ledger_recovery {
    size_t found; /* open batches; those with a running lease are left to their workers */
    size_t done;  /* of them finished now */
    struct protocol_tally tally;
    int64_t retry_after_ms; /* 0: nothing left that waiting would help */
    size_t open;            /* batches that stay open */
    unsigned in_doubt;      /* their requests in doubt, where the lease has lapsed */
    int64_t oldest_ms;      /* when the oldest of them was prepared */
};

/* What a driver finished of batches it did not prepare in the same call. */
struct ledger_recovered {
    uint64_t batches;
    struct receipt objects; /* their members */
};

/* What was recovered since this was asked last. */
struct ledger_recovered ledger_driver_take_recovered(struct ledger_driver *d);

/* Finish open batches, at most max: at start, in a sweep, and as the command `resolve`. */
NODISCARD enum status ledger_drive_recover(struct ledger_driver *d, size_t max,
                                           struct ledger_recovery *out);

#endif
