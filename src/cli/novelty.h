/* novelty.h: things in the logs that this version does not know, each reported once. */
#ifndef CLI_NOVELTY_H
#define CLI_NOVELTY_H

#include "aggregate/aggregate.h"

/* For aggregate_options.on_novelty; any thread. */
void novelty_report(enum novelty what, struct view text);

#endif
