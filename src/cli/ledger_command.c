/* ledger_command.c: the ledger and the settings around it, opened for one command. */
#include "cli/ledger_command.h"

#include "base/stop.h"
#include "ledger/ledger_source.h"

enum { READERS = 4 };

enum status ledger_command_open(struct ledger_command *l, enum ledger_need need, struct error *err)
{
    enum status st = ST_OK;
    if (need == LEDGER_COUNT || need == LEDGER_NONE)
        st = settings_load_publishing(&l->settings, err);
    if (st == ST_OK)
        st = settings_aws_open(&l->aws, err);
    if (st != ST_OK || need == LEDGER_NONE)
        return st;
    struct ledger_session_options ledger = {.name = l->name,
                                            .aws = &l->aws,
                                            .stop = {stop_asked, NULL},
                                            .read_only = need == LEDGER_LOOK};
    st = ledger_session_open(&l->session, &ledger, err);
    if (st == ST_OK && l->session == NULL)
        st = error_set(err, ST_USAGE, E_U305, "neither LEDGER nor --ledger says which ledger");
    struct round_options round = {.settings = &l->settings,
                                  .aws = &l->aws,
                                  .readers = l->readers > 0 ? l->readers : READERS,
                                  .stop = {stop_asked, NULL},
                                  .ledger = l->session,
                                  .open = ledger_source_open,
                                  .counter = l->counter,
                                  .report = l->report};
    if (st == ST_OK && need == LEDGER_COUNT)
        st = round_new(&l->round, &round, err);
    return st;
}

void ledger_command_close(struct ledger_command *l)
{
    round_free(l->round);
    ledger_session_close(l->session);
    settings_clear(&l->settings);
    settings_aws_close(&l->aws);
}

enum status ledger_command_client(const struct ledger_command *l, struct aws_client **client,
                                  struct error *err)
{
    struct aws_client_options options = settings_aws_client(&l->aws);
    options.stop = (struct aws_stop){stop_asked, NULL};
    return aws_client_new(client, &options, err);
}

void ledger_command_receipt(struct invocation *in, const struct ledger_command *l,
                            struct receipt_file *file)
{
    struct run_receipt_about about = {.command = in->command->name,
                                      .delivery = ledger_session_delivery(l->session),
                                      .metrics = l->settings.metrics};
    if (!receipt_file_write(file, exact_round_receipt(round_exact(l->round)), &about))
        in->exit = EXIT_FOUND_FAULTS;
}
