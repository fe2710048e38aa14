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
    PHASE_TELL,
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

int64_t core_server_now(const struct protocol_run *run);
void core_note_retry(struct protocol_run *run, int64_t after_ms);
bool core_lease_lapsed(struct protocol_run *run, int64_t since_ms);
uint16_t core_count_objects(const struct protocol_run *run, enum protocol_object_state state);
void core_effect(struct protocol_run *run, struct protocol_effect *fx, enum phase phase,
                 enum protocol_effect_kind kind);
void core_end_run(struct protocol_run *run, struct protocol_effect *fx);

/* Nothing will be prepared: let the claims go now instead of after their lease. */
void core_release(struct protocol_run *run, struct protocol_effect *fx);

/* One more ledger call without success; false when it is enough for now. */
bool core_try_again(struct protocol_run *run);
void core_give_up(struct protocol_run *run, struct protocol_effect *fx);

/* Every request of the batch has its outcome: what was in doubt is told, then it is done. */
void core_all_final(struct protocol_run *run, struct protocol_effect *fx);

/* ---- protocol_claim.c ---- */

void core_next_claim(struct protocol_run *run, struct protocol_effect *fx);
void core_on_claims(struct protocol_run *run, const struct protocol_event *ev);

/* The batch of an owner was read.  True when it has to be aborted before its objects are free. */
bool core_on_look(struct protocol_run *run, const struct protocol_event *ev);

/* The tombstone of an owner was written, or not: then its record is read again. */
void core_on_abort(struct protocol_run *run, const struct protocol_event *ev);
void core_on_read(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx);
void core_on_prepare(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);

/* ---- protocol_send.c ---- */

struct ledger_part *core_current(struct protocol_run *run);
void core_skip_part(struct protocol_run *run, int64_t retry_after_ms);
void core_hold_part(struct protocol_run *run);
void core_emit_journal(struct protocol_run *run, enum phase phase, struct protocol_effect *fx);

/* Journal what is known of the attempt that is current in the record as it was last read. */
void core_journal_result(struct protocol_run *run, const struct protocol_event *ev,
                         struct protocol_effect *fx);
void core_start_result(struct protocol_run *run, enum result result,
                       const struct protocol_event *ev, struct protocol_effect *fx);
void core_next_part(struct protocol_run *run, struct protocol_effect *fx);
void core_on_marker(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);
void core_on_signed(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);
void core_emit_send(struct protocol_run *run, struct protocol_effect *fx);
void core_on_sending(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);
void core_on_send(struct protocol_run *run, const struct protocol_event *ev,
                  struct protocol_effect *fx);
void core_tally_result(struct protocol_run *run, uint64_t tokens);
void core_on_result(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);

/* ---- protocol_resolve.c ---- */

/* A part journaled as SENDING that nobody here waits for.  False: look at the next part. */
bool core_in_doubt(struct protocol_run *run, struct protocol_effect *fx);
void core_on_markers(struct protocol_run *run, const struct protocol_event *ev,
                     struct protocol_effect *fx);
void core_on_control_marker(struct protocol_run *run, const struct protocol_event *ev,
                            struct protocol_effect *fx);
void core_emit_send_control(struct protocol_run *run, struct protocol_effect *fx);
void core_reload(struct protocol_run *run, enum after_load after, struct protocol_effect *fx);
void core_on_reload(struct protocol_run *run, const struct protocol_event *ev,
                    struct protocol_effect *fx);

#endif
