/*
 * ledger_session.h: the ledger that LEDGER names, opened once a process and shared by its rounds.
 *
 *   LEDGER           a file (SQLite: one process on one host) or dynamodb://TABLE
 *   LEDGER_TTL_DAYS  17..3650, default 35: how long it remembers what was counted
 *   LEDGER_IDENTITY  key | path (ledger_id.h)
 *   LEDGER_POLICY    resolve | resend | drop | hold (protocol_core.h)
 *
 * A ledger belongs to one namespace in one Region: markers are read back there.  Several tables may
 * publish to one namespace, as the stacks of several Regions do: the markers of each have its
 * Region and name in them.  Of files only one may.
 */
#ifndef LEDGER_LEDGER_SESSION_H
#define LEDGER_LEDGER_SESSION_H

#include "config/settings.h"
#include "ledger/ledger.h"
#include "ledger/ledger_id.h"

struct aws_pool;

struct ledger_session {
    struct ledger *ledger;
    const char *name; /* as given in LEDGER */
    struct protocol_config config;
    enum ledger_identity identity;
    unsigned ttl_days;
    char marker_scope[320]; /* "REGION/TABLE/"; of a file "" */
    bool sole;              /* nobody else has it open: what is unfinished at the start is ours */
    struct aws_pool *pool;  /* of a DynamoDB ledger, else NULL */
};

struct ledger_session_options {
    const char *name;               /* instead of LEDGER; NULL: the variable */
    const struct settings_aws *aws; /* may be NULL: a dynamodb:// ledger is ST_USAGE then */
    struct aws_stop stop;           /* ends calls to DynamoDB */
    bool read_only;                 /* for looking while a worker has it */
    bool fleet;                     /* several processes: only dynamodb:// will do */
};

/*
 * *out is NULL with ST_OK when no ledger is configured.  ST_USAGE quotes what is wrong; others as
 * ledger_sqlite_open, with a sentence in *err.
 */
NODISCARD enum status ledger_session_open(struct ledger_session **out,
                                          const struct ledger_session_options *options,
                                          struct error *err);
void ledger_session_close(struct ledger_session *s); /* NULL does nothing */

/* "exactly-once", and with policy resend "at-least-once", with drop "at-most-once" (both only for
 * requests in doubt); without a session "at-least-once". */
const char *ledger_session_delivery(const struct ledger_session *s);

/* What LEDGER names. */
const char *ledger_session_name(const struct ledger_session *s);

/* ST_IO: the file has failed, and nothing can be done with it before it is opened again.  Asks no
 * service. */
NODISCARD enum status ledger_session_check(struct ledger_session *s);

/* Forget what is older than LEDGER_TTL_DAYS; where the service does it, nothing. */
NODISCARD enum status ledger_session_prune(struct ledger_session *s, int64_t now_ms,
                                           uint64_t *removed);

#endif
