/*
 * protocol_core.h: how a batch of objects is counted exactly once, as a pure function of state and
 * event to effect.
 *
 * No I/O, clock, allocation or randomness in here: time and random bytes come in with each event,
 * the caller owns the fixed-size state and carries out one effect at a time, and answers it with
 * the next event.  So the same object code runs in the Lambda loop, the worker, the command line
 * and the simulator (tests/ledger/simulator.c), which checks the invariants below.
 *
 * One object is one identity (ledger_id.h), one batch is a write-once record of the ledger:
 *
 *     object   absent --claim--> owner B --take over, only if B is ABORTED or PREPARED/DONE
 *                                          without the object--> owner C
 *
 *     batch    absent --prepare (once)--> PREPARED --all parts final--> DONE
 *                 \---abort (once)------> ABORTED
 *
 *     part     PLANNED(a) --sign, journal--> SENDING(a, nonce, date, marker) --200--> ACKED
 *                  ^                     | | |  \--refused for its data, one datum--> REJECTED
 *                  |                     | | \-----policy drop, in doubt------------> DROPPED
 *                  +--definite refusal---+ +--refused for its data, more: split in two PLANNED
 *                  +--resolved absent, or policy resend in doubt: PLANNED(a+1)
 *
 *     run      CLAIM -> READ -> PREPARE -> SEND -> (REPORT) -> DONE -> END
 *              RECOVER ---------------------^
 *
 * A batch with a request that was in doubt is DONE only after the doubt is reported: another batch
 * that holds the amounts as data is prepared first (EFFECT_REPORT).  It is reported exactly once,
 * because the report is claimed under an identity of its own, like an object.
 *
 * Invariants (each is checked by the simulator):
 * I1 a batch record goes from absent to PREPARED or ABORTED once; members and data never change.
 * I2 an object is a member of at most one PREPARED or DONE batch, as long as its records live.
 * I3 attempt a+1 of a part exists only after attempt a was definitely refused, or is past its fence
 *    and its marker is proven absent; so at most one attempt of a part is ever applied.
 * I4 a batch with a request that was in doubt is DONE only after that was reported.
 * L1 every state that is not final has a step that any live worker can take.
 *
 * They rest on: single conditional writes are atomic; CloudWatch refuses a request more than 15
 * minutes past its X-Amz-Date and applies a request whole or not; an applied marker is readable
 * no later than one applied after it.  A ledger write whose answer is lost may be applied at any
 * later time: every write carries a nonce and a condition, so a late one does nothing.
 */
#ifndef LEDGER_PROTOCOL_CORE_H
#define LEDGER_PROTOCOL_CORE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROTOCOL_OBJECTS_MAX = 256,         /* objects of one run and members of one batch */
    PROTOCOL_PARTS_MAX = 64,            /* requests of one batch, halves of split ones included */
    PROTOCOL_FENCE_MS = 20 * 60 * 1000, /* 15 min of the signature and 5 min of margin */
};

/* Identity of an object: a SHA-256, see ledger_id.h. */
struct ledger_id {
    uint8_t bytes[32];
};

/* 128 random bits: names of batches and of single writes.  All zero stands for "none". */
struct ledger_nonce {
    uint8_t bytes[16];
};

/*
 * Place of one datum of the marker metric: at `minute` (since the epoch), in series `slot`, worth
 * 4^digit.  Handed out once (ledger.h), so the base 4 digits of the slot's sum in that minute
 * show for each request how often it was applied: with data worth 4^0 and 4^2, a sum of 17 says
 * that both were applied once, a sum of 33 that the second was applied twice.
 */
struct ledger_marker {
    int64_t minute; /* 0: none */
    uint16_t slot;
    uint8_t digit; /* 0..25: the largest sum, 4^26-1, is exact in a double */
};

enum ledger_batch_state { BATCH_NONE, BATCH_ABORTED, BATCH_PREPARED, BATCH_DONE };

enum ledger_part_state {
    PART_PLANNED,  /* attempt `attempt` may be journaled and sent */
    PART_SENDING,  /* attempt `attempt` may have been sent: in doubt unless one waits for it */
    PART_ACKED,    /* applied */
    PART_DROPPED,  /* in doubt and given up by policy drop: applied or not, unknown */
    PART_REJECTED, /* data the sink refuses (one, unless parts ran out): never applied */
};

/* One request: data [first, first + count) of the batch's payload number `payload`. */
struct ledger_part {
    uint8_t state; /* enum ledger_part_state */
    uint16_t payload;
    uint32_t first;
    uint32_t count;
    uint64_t tokens; /* what these data add up to, for in-doubt amounts */
    uint32_t attempt;
    uint32_t resent;              /* attempts in doubt that were sent again by policy resend */
    uint16_t resolved_applied;    /* attempts in doubt whose marker was found: 0 or 1 */
    uint16_t resolved_absent;     /* ... whose marker was proven absent */
    struct ledger_nonce nonce;    /* of the last write; the condition of the next one */
    struct ledger_marker marker;  /* of this attempt, while SENDING and after */
    int64_t date_ms;              /* X-Amz-Date of this attempt */
    struct ledger_marker control; /* sent past the fence to prove that markers are readable */
    int64_t control_ms;           /* server time when `control` was journaled */
};

struct ledger_batch {
    struct ledger_nonce id;
    uint8_t state; /* enum ledger_batch_state */
    uint16_t n_parts;
    uint16_t n_members;
    int64_t prepared_ms;
    struct ledger_part parts[PROTOCOL_PARTS_MAX];
};

/* What to do with a request whose outcome stays unknown. */
enum ledger_policy {
    POLICY_RESOLVE, /* read its marker past the fence, then know */
    POLICY_RESEND,  /* send again, count what may be double */
    POLICY_DROP,    /* give up, count what may be lost */
    POLICY_HOLD,    /* leave it to a person; the rest goes on */
};

struct protocol_config {
    enum ledger_policy policy;
    int64_t lease_ms;      /* how long a claim or a prepared batch is left to its worker */
    int64_t fence_ms;      /* PROTOCOL_FENCE_MS; other values are for tests */
    unsigned ledger_tries; /* ledger calls without an answer before giving up for now */
    unsigned send_tries;   /* refused attempts in a row before giving up for now */
    bool no_control;       /* tests only: believe an absent marker without a control marker */
};

extern const struct protocol_config PROTOCOL_DEFAULTS;

enum protocol_object_state {
    OBJECT_CLAIM,          /* still to be claimed from `owner` (none: absent) */
    OBJECT_LOOK,           /* has an owner whose batch must be looked at */
    OBJECT_MINE,           /* claimed for this run's batch */
    OBJECT_COUNTED,        /* final: counted by this run */
    OBJECT_COUNTED_BEFORE, /* final: was counted before */
    OBJECT_PENDING,        /* member of batch `owner`, which is prepared but not done: retry */
    OBJECT_BUSY,           /* another worker holds a running lease: retry */
    OBJECT_RETRY,          /* ledger not reached, or overtaken: retry */
    OBJECT_UNREAD,         /* the caller could not read it: the caller knows what to do */
    OBJECT_HELD,           /* in a batch that policy hold keeps open: the message may go */
};

struct protocol_object {
    struct ledger_id id;
    struct ledger_nonce owner;
    int64_t claimed_ms;
    uint8_t state; /* enum protocol_object_state */
    uint8_t tries;
    bool changed; /* OBJECT_COUNTED_BEFORE: with another tag than the one it has now */
    uint64_t tag; /* of its content as the caller knows it; 0: unknown */
};

/* What became of requests in doubt: of one batch, over all its parts. */
struct ledger_doubts {
    uint32_t applied, absent, resent, dropped;
    uint64_t resent_tokens, dropped_tokens;
};

enum protocol_event_kind {
    EVENT_START,    /* begin with the objects of protocol_run_init; `fresh` names the batch */
    EVENT_RECOVER,  /* finish batch `batch_id` if its lease has lapsed */
    EVENT_OK,       /* abort, prepare, journal, report, done: it holds */
    EVENT_CONFLICT, /* ... its condition did not hold */
    EVENT_FAILED,   /* ... or claim, load, marker: no answer; applied or not, now or later */
    EVENT_CLAIMS,   /* claim: `claims`, one for each object of the run, see there */
    EVENT_BATCH,    /* load: `batch` and `members`; batch NULL when absent */
    EVENT_READ,     /* read: `kept`, `parts`, `n_parts`; data of a kept object are in the parts */
    EVENT_MARKER,   /* marker: `marker` */
    EVENT_SIGNED, /* sign: its X-Amz-Date is `date_ms`.  Or EVENT_REFUSED (no credentials, ...), or
                     EVENT_INVALID (too big, ...) */
    EVENT_ACCEPTED,  /* send: answered 200 */
    EVENT_REFUSED,   /* send: definitely not applied (throttled, denied, not connected, ...) */
    EVENT_INVALID,   /* send: refused for its data; `head_tokens` of its first count / 2 data */
    EVENT_NO_ANSWER, /* send: anything else */
    EVENT_MARKERS,   /* read markers: `applied`, `control_applied`, and server_ms */
};

enum protocol_claim_result {
    CLAIM_UNKNOWN, /* no answer */
    CLAIM_MINE,    /* owned by the batch of the effect: now, or by an earlier write of ours */
    CLAIM_OTHER,   /* owned by `owner` since claimed_ms */
    CLAIM_ABSENT,  /* an owner was expected but there is no record any more */
};

struct protocol_claim {
    uint8_t result;
    struct ledger_nonce owner;
    int64_t claimed_ms;
};

struct protocol_event {
    enum protocol_event_kind kind;
    int64_t now_ms;            /* the worker's clock */
    int64_t server_ms;         /* Date of the answer of an AWS service; 0: none */
    struct ledger_nonce fresh; /* new random bits with every event */
    bool stop; /* deadline or signal: begin nothing new, release what is not prepared */
    struct ledger_nonce batch_id;
    const struct protocol_claim *claims; /* only entries whose object is OBJECT_CLAIM are read */
    const struct ledger_batch *batch;
    const struct ledger_id *members; /* batch->n_members of them */
    const uint64_t *tags;            /* of their content when they were counted; 0: unknown */
    const bool *kept;                /* one for each object; only those of OBJECT_MINE are read */
    const struct ledger_part *parts; /* payload, first, count and tokens are read */
    uint16_t n_parts;
    struct ledger_marker marker;
    int64_t date_ms;
    uint64_t head_tokens;
    unsigned applied;
    unsigned control_applied;
};

enum protocol_effect_kind {
    EFFECT_CLAIM,   /* for every object of state OBJECT_CLAIM: owner := batch_id if it is `owner`
                       (none: if absent).  Writes time_ms with it.  -> CLAIMS */
    EFFECT_LOAD,    /* read batch_id consistently -> BATCH, FAILED */
    EFFECT_ABORT,   /* put batch_id as ABORTED if absent -> OK, CONFLICT, FAILED */
    EFFECT_READ,    /* read and aggregate all objects of state OBJECT_MINE, all or nothing for each;
                       keep the payloads for EFFECT_PREPARE -> READ */
    EFFECT_PREPARE, /* payloads first, then run->batch with the objects of OBJECT_MINE as members,
                       if absent -> OK, CONFLICT, FAILED.  Members are durable before OK. */
    EFFECT_MARKER,  /* hand out a marker of minute time_ms / 60000, after waiting delay_ms (jitter
                       is the caller's) -> MARKER, FAILED */
    EFFECT_SIGN,    /* build the request of `part`, with the datum of part.marker, and sign it: the
                       signature is the fence, so its date is journaled before anything is sent
                       -> SIGNED, REFUSED, INVALID, FAILED */
    EFFECT_JOURNAL, /* part `index` := `part` if its nonce is `expected`; if `split`, also append
                       `extra` as part n_parts, if there are that many -> OK, CONFLICT, FAILED */
    EFFECT_SEND,    /* hand over what EFFECT_SIGN made for this part, as it is, once, never repeated
                       -> ACCEPTED, REFUSED, INVALID, NO_ANSWER */
    EFFECT_READ_MARKERS, /* how often `marker` and `control` were applied -> MARKERS, FAILED */
    EFFECT_SEND_CONTROL, /* a request of nothing but marker `control` -> any answer to SEND */
    EFFECT_REPORT,       /* make durable, outside this batch and once for ever, what became of its
                            requests in doubt: ledger_batch_doubts() -> OK, FAILED */
    EFFECT_DONE,         /* batch_id PREPARED -> DONE (or is) -> OK, FAILED */
    EFFECT_END,          /* nothing more; outcomes are in the run */
};

struct protocol_effect {
    enum protocol_effect_kind kind;
    struct ledger_nonce batch_id;
    int64_t time_ms;
    int64_t delay_ms;
    uint16_t index;
    uint16_t n_parts;
    bool split;
    struct ledger_nonce expected;
    struct ledger_part part;
    struct ledger_part extra;
    struct ledger_marker control;
};

/* What happened to parts in this run; the journal holds the totals. */
struct protocol_tally {
    unsigned requests_accepted, requests_refused, requests_in_doubt;
    unsigned resolved_applied, resolved_absent;
    unsigned resent, dropped, held, rejected;
    uint64_t resent_tokens, dropped_tokens, held_tokens, rejected_tokens;
    unsigned violations; /* evidence of a double count: never, unless an assumption failed */
};

struct protocol_run {
    struct protocol_config config;
    uint16_t n_objects;
    struct protocol_object objects[PROTOCOL_OBJECTS_MAX];
    struct ledger_batch batch; /* own, or the one being recovered */
    struct protocol_tally tally;
    int64_t retry_after_ms; /* at the end: when a retry makes sense; 0: nothing to do */
    bool finished;          /* at the end: it was this run that brought the batch to BATCH_DONE */

    /* Below: of the core only. */
    uint8_t phase;
    uint8_t after_load;
    bool stop, recovering, confirming, reported;
    uint16_t part; /* being worked on */
    unsigned tries, refused_in_row;
    int64_t now_ms;         /* of the last event */
    int64_t clock_error_ms; /* server time minus ours, from the last answer with a Date */
    struct ledger_nonce looked_at;
    struct ledger_part next, next_extra; /* being journaled */
    bool next_split;
    uint8_t result; /* of the attempt that carried marker `sent` */
    struct ledger_marker sent;
    uint64_t head_tokens;
    uint64_t skipped; /* parts found undecidable for now, as bits */
    bool waiting;     /* one of them can be decided in a later run */
};

/*
 * Objects to count (EVENT_START), or none (EVENT_RECOVER).  The ids are copied; a run must not hold
 * the same id twice.  n is at most PROTOCOL_OBJECTS_MAX.  clock_error_ms is what an earlier run
 * learned (run->clock_error_ms), or 0.
 */
void protocol_run_init(struct protocol_run *run, const struct protocol_config *config,
                       const struct ledger_id *ids, uint16_t n, int64_t clock_error_ms);

/* What the parts of a batch say.  False: no request was ever in doubt, and *out is all zero. */
bool ledger_batch_doubts(const struct ledger_batch *b, struct ledger_doubts *out);

/* Take the event, give the one effect to carry out next.  After EFFECT_END the run is over. */
void protocol_step(struct protocol_run *run, const struct protocol_event *event,
                   struct protocol_effect *effect);

static inline bool ledger_nonce_eq(const struct ledger_nonce *a, const struct ledger_nonce *b)
{
    return __builtin_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool ledger_id_eq(const struct ledger_id *a, const struct ledger_id *b)
{
    return __builtin_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool ledger_marker_eq(const struct ledger_marker *a, const struct ledger_marker *b)
{
    return a->minute == b->minute && a->slot == b->slot && a->digit == b->digit;
}

static inline bool ledger_part_final(const struct ledger_part *p)
{
    return p->state >= PART_ACKED;
}

#endif
