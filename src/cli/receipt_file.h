/* receipt_file.h: `--receipt FILE|-`: a run's receipt, written at its end, whole or not at all. */
#ifndef CLI_RECEIPT_FILE_H
#define CLI_RECEIPT_FILE_H

#include "cli/options.h"
#include "cli/out_file.h"
#include "ledger/run_receipt.h"

struct receipt_file {
    const char *path; /* as given; NULL: none is wanted, and all below does nothing */
    struct out_file file;
    enum ledger_identity identity;
};

/* The row of a command's table: its struct receipt_file is called `receipt`. */
#define RECEIPT_OPTION                                                                             \
    {                                                                                              \
        "receipt", "FILE|-",                                                                       \
            "write a JSON receipt of what was counted: balance,\n"                                 \
            "sums, and an object digest that can be compared across\nmachines",                    \
            OPT_TEXT(receipt.path)                                                                 \
    }

/*
 * Before any work.  `stdout_taken`: the command's result goes there, so that "-" is ST_USAGE; so is
 * a file that cannot be written, and LEDGER_IDENTITY.
 */
NODISCARD enum status receipt_file_open(struct receipt_file *r, bool stdout_taken,
                                        struct error *err);

/* Write and close; false after a failure, which is logged. */
bool receipt_file_write(struct receipt_file *r, const struct run_receipt *receipt,
                        const struct run_receipt_about *about);

/* Nothing is to be written; after receipt_file_write this does nothing. */
void receipt_file_abandon(struct receipt_file *r);

#endif
