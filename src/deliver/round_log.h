/* round_log.h: the lines at the end of a round: what it came to, and what was left out of it. */
#ifndef DELIVER_ROUND_LOG_H
#define DELIVER_ROUND_LOG_H

#include "config/settings.h"
#include "ledger/ledger_session.h"
#include "ledger/round_summary.h"

/* `ledger` may be NULL: there was none. */
void round_log(const struct round_summary *s, const struct run_settings *settings,
               const struct ledger_session *ledger);

#endif
