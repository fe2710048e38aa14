/* ledger_command.h: what the commands that operate a ledger share: opening, closing, receipts. */
#ifndef CLI_LEDGER_COMMAND_H
#define CLI_LEDGER_COMMAND_H

#include "cli/command.h"
#include "cli/receipt_file.h"
#include "deliver/round.h"

struct ledger_command {
    const char *name; /* as given; NULL: LEDGER */
    /* With LEDGER_COUNT, as in exact_round_options. */
    unsigned readers; /* 0: some */
    const struct counter_options *counter;
    struct exact_report *report;
    /* opened */
    struct run_settings settings;
    struct settings_aws aws;
    struct ledger_session *session;
    struct round *round;
};

/* The row of a command's table: its struct ledger_command is called `ledger`. */
#define LEDGER_OPTION                                                                              \
    {                                                                                              \
        "ledger", "FILE|dynamodb://TABLE", "instead of LEDGER", OPT_TEXT(ledger.name)              \
    }

enum ledger_need {
    LEDGER_LOOK,  /* the ledger, for reading: also while a worker runs */
    LEDGER_WRITE, /* the ledger */
    LEDGER_COUNT, /* ... and what publishing needs */
    LEDGER_NONE,  /* only what publishing needs */
};

/* Open them.  ST_USAGE also when there is no ledger.  Close in every case. */
NODISCARD enum status ledger_command_open(struct ledger_command *l, enum ledger_need need,
                                          struct error *err);
void ledger_command_close(struct ledger_command *l);

/* A client of *l's credentials, which ends with a signal.  The caller frees it before *l. */
NODISCARD enum status ledger_command_client(const struct ledger_command *l,
                                            struct aws_client **client, struct error *err);

/*
 * The receipt of what the round counted, where one is wanted.  A failure is logged, and in->exit
 * says so.
 */
void ledger_command_receipt(struct invocation *in, const struct ledger_command *l,
                            struct receipt_file *file);

#endif
