/* balance.h: a tally as reports and people see it. */
#ifndef RUN_BALANCE_H
#define RUN_BALANCE_H

#include "publish/report.h"
#include "run/tally.h"

struct report_balance balance_of(const struct tally *tally);

/* Two lines: objects and texts, found = counted + ... */
void balance_print(const struct tally *tally, FILE *out);

/* The same, as log lines where logs are JSON. */
void balance_tell(const struct tally *tally, FILE *out);

#endif
