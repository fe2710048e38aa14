/*
 * protocol_private.h: what the files of the protocol core share.  Of them only.
 *
 * A handler is given the event it waited for and writes the next effect.  `core_on_*` handle an
 * event, `core_emit_*` write one effect, the rest decides or changes the state.
 */
#ifndef LEDGER_PROTOCOL_PRIVATE_H
#define LEDGER_PROTOCOL_PRIVATE_H

#include <stddef.h>

#include "ledger/protocol_core.h"

enum phase {
    PHASE_BEGIN,
    PHASE_CLAIM,
    PHASE_LOOK,
    PHASE_ABORT,
    PHASE_READ,
    PHASE_PREPARE,
    PHASE_RELOAD,
    PHASE_MARKER,
    PHASE_SIGN,
    PHASE_SENDING,
    PHASE_SEND,
    PHASE_RESULT,
    PHASE_READ_MARKERS,
    PHASE_CONTROL_MARKER,
    PHASE_CONTROL_JOURNAL,
    PHASE_CONTROL_SEND,
    PHASE_REPORT,
    PHASE_DONE,
    PHASE_RELEASE,
    PHASE_END,
};

enum after_load { AFTER_RECOVER, AFTER_PREPARE, AFTER_SENDING, AFTER_RESULT, AFTER_CONTROL };

/* What is known of an attempt, waiting to be journaled. */
enum result {
    RESULT_ACCEPTED, /* answered 200 */
    RESULT_APPLIED,  /* its marker was read */
    RESULT_REFUSED,
    RESULT_INVALID,
    RESULT_ABSENT, /* past the fence and its marker is proven absent */
    RESULT_RESEND, /* in doubt, policy */
    RESULT_DROP,   /* in doubt, policy */
};

enum {
    RETRY_SOON_MS = 1000,
    RETRY_READ_MS = 60 * 1000, /* markers are usually readable within a minute or two */
    /* A date further ahead than any live sender's: a wrong clock's.  Resolving waits for it all the
     * same, because until then the request could be applied; the other policies take the risk, and
     * count it, so that a part can be freed by hand. */
    DATE_AHEAD_MAX_MS = 2 * 60 * 60 * 1000,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_DOUBLINGS_MAX = 7,
};

/* ---- protocol_core.c ---- */

/* The clock of the AWS services as last learned, so that workers with wrong clocks agree on leases
 * and fences. */
int64_t core_server_now(const struct protocol_run *run);

/* A retry makes sense after after_ms; of several the soonest counts, but never under a second. */
void core_note_retry(struct protocol_run *run, int64_t after_ms);

/* Whether a claim or a prepared batch dated since_ms may be taken over.  If not, the rest of the
 * lease is noted as the time to retry. */
bool core_lease_lapsed(struct protocol_run *run, int64_t since_ms);
uint16_t core_count_objects(const struct protocol_run *run, enum protocol_object_state state);

/* Make *fx an effect of this run's batch, now, and wait for its answer in `phase`. */
void core_effect(struct protocol_run *run, struct protocol_effect *fx, enum phase phase,
                 enum protocol_effect_kind kind);

/* Give every object that is not final the state it is handed back with, and end. */
void core_end_run(struct protocol_run *run, struct protocol_effect *fx);

/* Nothing will be prepared: let the claims go now instead of after their lease. */
void core_release(struct protocol_run *run, struct protocol_effect *fx);

/* One more ledger call without success; false when it is enough for now. */
bool core_try_again(struct protocol_run *run);

/* End the run as it is, to be retried: what is prepared stays open in the ledger. */
void core_give_up(struct protocol_run *run, struct protocol_effect *fx);

/* Every request of the batch has its outcome: report what was in doubt, then DONE. */
void core_all_final(struct protocol_run *run, struct protocol_effect *fx);

/* ---- protocol_claim.c ---- */

/* What comes next before anything is prepared: claim, look at an owner, read, release or end. */
void core_next_claim(struct protocol_run *run, struct protocol_effect *fx);

/* The answers for all objects that were to be claimed: mine, or an owner to look at. */
void core_on_claims(struct protocol_run *run, const struct protocol_event *ev);

/* The batch of an owner was read.  True when it has to be aborted before its objects are free. */
bool core_on_look(struct protocol_run *run, const struct protocol_event *ev);

/* The tombstone of an owner was written, or not: then its record is read again. */
void core_on_abort(struct protocol_run *run, const struct protocol_event *ev);

/* The objects were read: those that could be are the members of the batch to prepare. */
void core_on_read(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx);

/* The batch record was written, or its condition did not hold, or there is no answer. */
void core_on_prepare(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);

/* ---- protocol_send.c ---- */

/* The part that is being worked on, in run->batch. */
struct ledger_part *core_current(struct protocol_run *run);

/* Leave the current part for this run: it can be decided in retry_after_ms ... */
void core_skip_part(struct protocol_run *run, int64_t retry_after_ms);

/* ... or only by a person (policy hold). */
void core_hold_part(struct protocol_run *run);

/* Write run->next over the current part, on the condition that nobody else has. */
void core_emit_journal(struct protocol_run *run, enum phase phase, struct protocol_effect *fx);

/* Journal what is known of the attempt that is current in the record as it was last read. */
void core_journal_result(struct protocol_run *run, const struct protocol_event *ev,
                         struct protocol_effect *fx);

/* Begin to journal a result of the current attempt.  Its marker is kept, to recognise the attempt
 * when the record has to be read again. */
void core_start_result(struct protocol_run *run, enum result result,
                       const struct protocol_event *ev, struct protocol_effect *fx);

/* What comes next of a prepared batch: the first part that is not final and not skipped, or, when
 * all are final, report and DONE. */
void core_next_part(struct protocol_run *run, struct protocol_effect *fx);

/* The five steps of one attempt, in order: a marker, a signature, the journal entry SENDING, the
 * request itself, the journal entry of its result. */
void core_on_marker(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);
void core_on_signed(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);
void core_on_sending(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);
void core_on_send(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx);
void core_on_result(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);

/* Send the current part as journaled. */
void core_emit_send(struct protocol_run *run, struct protocol_effect *fx);

/* Count the result that has just become durable; `tokens` are those of the part before a split. */
void core_tally_result(struct protocol_run *run, uint64_t tokens);

/* ---- protocol_resolve.c ---- */

/* A part journaled as SENDING that nobody here waits for.  False: look at the next part. */
bool core_in_doubt(struct protocol_run *run, struct protocol_effect *fx);

/* The sums of the two minutes were read: applied, proven absent, or still unknown. */
void core_on_markers(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);

/* A control marker was handed out: journal it with the part, then send it. */
void core_on_control_marker(struct protocol_run *run, const struct protocol_event *ev,
                            struct protocol_effect *fx);
void core_emit_send_control(struct protocol_run *run, struct protocol_effect *fx);

/* Read the record of this run's batch again; `after` is what was under way when an answer was
 * missing or a condition did not hold. */
void core_reload(struct protocol_run *run, enum after_load after, struct protocol_effect *fx);
void core_on_reload(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);

#endif
