/* reconcile_report.h: what `reconcile` prints, as text or as the document
 * bedrock-metrics/reconcile/1.
 */
#ifndef TOOLS_RECONCILE_REPORT_H
#define TOOLS_RECONCILE_REPORT_H

#include "base/buf.h"
#include "tools/reconcile.h"

enum { RECONCILE_NAMED = 200 }; /* differences that a text names */

struct reconcile_report {
    const struct reconcile *result;
    const struct reconcile_options *options;
    uint64_t apart; /* numbers out of tolerance */
};

/* Append; the caller checks buf_status(). */
void reconcile_report_text(const struct reconcile_report *report, struct buf *out);
void reconcile_report_json(const struct reconcile_report *report, struct buf *out);

#endif
