/* upkeep.h: what the commands that look after a ledger share: options, opening, closing. */
#ifndef CLI_UPKEEP_H
#define CLI_UPKEEP_H

#include "cli/options.h"
#include "cli/receipt_file.h"
#include "count/progress.h"
#include "ledger/exact_round.h"

struct upkeep {
    /* options */
    const char *ledger, *output;
    struct common_options common;
    bool json;
    /* opened */
    struct run_settings settings;
    struct settings_aws aws;
    struct ledger_session *session;
    struct round *round;
};

enum { UPKEEP_OPTION_COUNT = COMMON_OPTION_COUNT + 2 };

/* Fill the first UPKEEP_OPTION_COUNT entries of a table. */
void upkeep_options_table(struct upkeep *u, struct option_spec *specs);

/* Environment files, logging, --output.  ST_USAGE: *err says why. */
NODISCARD enum status upkeep_apply(struct upkeep *u, struct error *err);

enum upkeep_need {
    UPKEEP_LOOK,  /* the ledger, for reading: also beside a running worker */
    UPKEEP_WRITE, /* the ledger */
    UPKEEP_COUNT, /* ... and what publishing needs */
};

/* Open them.  ST_USAGE also when there is no ledger.  Close in every case. */
NODISCARD enum status upkeep_open(struct upkeep *u, enum upkeep_need need, struct error *err);
void upkeep_close(struct upkeep *u);

/* Put --policy in place of LEDGER_POLICY; NULL does nothing. */
NODISCARD enum status upkeep_policy(const char *policy, struct error *err);

/* A line of progress on a terminal, else NULL; see progress_new_items. */
struct progress *upkeep_progress(const struct upkeep *u, const char *what);

/* SIGINT and SIGTERM end the work in order. */
void upkeep_catch_signals(void);
bool upkeep_stopped(void *context);

/* The receipt of what the round counted, where one is wanted.  false after a failure, logged. */
bool upkeep_receipt(const struct upkeep *u, const char *command, struct receipt_file *file);

/* The exit status of a failure, which is printed. */
int upkeep_failed(const char *command, enum status st, const struct error *err);

/* Write a text to standard output; EXIT_FOUND_FAULTS when that fails, else `status`. */
int upkeep_print(const char *command, struct buf *text, int status);

#endif
