/* balance.h: a tally as reports and people see it. */
#ifndef REPORT_BALANCE_H
#define REPORT_BALANCE_H

#include "count/tally.h"
#include "report/report.h"

struct report_balance balance_of(const struct tally *tally);

/* Two lines: objects and texts, found = counted + ... */
void balance_print(const struct tally *tally, FILE *out);

/* The same, as log lines where logs are JSON. */
void balance_tell(const struct tally *tally, FILE *out);

#endif
