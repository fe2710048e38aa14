#include "cli/upkeep.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "ledger/ledger_source.h"

static volatile sig_atomic_t signal_number;

static void on_signal(int number)
{
    if (signal_number != 0)
        _exit(128 + number);
    signal_number = number;
}

void upkeep_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool upkeep_stopped(void *context)
{
    (void)context;
    return signal_number != 0;
}

void upkeep_options_table(struct upkeep *u, struct option_spec *specs)
{
    specs[0] = (struct option_spec){"ledger", "FILE|dynamodb://TABLE", "instead of LEDGER",
                                    &u->ledger, NULL};
    specs[1] = (struct option_spec){"output", "text|json", "form of the result (default text)",
                                    &u->output, NULL};
    common_options_table(&u->common, specs + 2);
}

enum status upkeep_apply(struct upkeep *u, struct error *err)
{
    enum status st = common_options_apply(&u->common, err);
    struct view output = view_of(u->output != NULL ? u->output : "text");
    u->json = view_eq(output, VIEW_LIT("json"));
    if (st == ST_OK && !u->json && !view_eq(output, VIEW_LIT("text")))
        st = error_set(err, ST_USAGE, E_U299, "--output \"%.80s\" is unknown; known are text, json",
                       u->output);
    return st;
}

enum status upkeep_policy(const char *policy, struct error *err)
{
    if (policy != NULL && setenv("LEDGER_POLICY", policy, 1) != 0)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    return ST_OK;
}

enum status upkeep_open(struct upkeep *u, enum upkeep_need need, struct error *err)
{
    enum status st = ST_OK;
    if (need == UPKEEP_COUNT)
        st = settings_load_publishing(&u->settings, err);
    if (st == ST_OK)
        st = settings_aws_open(&u->aws, err);
    struct ledger_session_options ledger = {.name = u->ledger,
                                            .aws = &u->aws,
                                            .stop = {upkeep_stopped, NULL},
                                            .read_only = need == UPKEEP_LOOK};
    if (st == ST_OK)
        st = ledger_session_open(&u->session, &ledger, err);
    if (st == ST_OK && u->session == NULL)
        st = error_set(err, ST_USAGE, E_U305, "neither LEDGER nor --ledger says which ledger");
    struct round_options round = {.settings = &u->settings,
                                  .aws = &u->aws,
                                  .readers = 4,
                                  .stop = {upkeep_stopped, NULL},
                                  .ledger = u->session,
                                  .open = ledger_source_open};
    if (st == ST_OK && need == UPKEEP_COUNT)
        st = round_new(&u->round, &round, err);
    return st;
}

void upkeep_close(struct upkeep *u)
{
    round_free(u->round);
    ledger_session_close(u->session);
    settings_clear(&u->settings);
    settings_aws_close(&u->aws);
}

struct progress *upkeep_progress(const struct upkeep *u, const char *what)
{
    return u->common.quiet || !isatty(STDERR_FILENO) ? NULL : progress_new_items(what);
}

bool upkeep_receipt(const struct upkeep *u, const char *command, struct receipt_file *file)
{
    struct run_receipt_about about = {.command = command,
                                      .delivery = ledger_session_delivery(u->session),
                                      .metrics = u->settings.metrics};
    return receipt_file_write(file, exact_round_receipt(round_exact(u->round)), &about);
}

int upkeep_failed(const char *command, enum status st, const struct error *err)
{
    if (st == ST_USAGE)
        return usage_error(command, err);
    if (signal_number != 0)
        return 128 + signal_number;
    LOG_FAULT(LOG_ERROR, error_code(err, E_L110), "failed", log_cstr("command", command),
              log_cstr("reason", err->text[0] != '\0' ? err->text : status_name(st)));
    return EXIT_FOUND_FAULTS;
}

int upkeep_print(const char *command, struct buf *text, int status)
{
    if (buf_status(text) != ST_OK || fwrite(text->ptr, 1, text->len, stdout) != text->len ||
        fflush(stdout) != 0) {
        LOG_FAULT(LOG_ERROR, E_R110, "result cannot be written", log_cstr("command", command));
        return EXIT_FOUND_FAULTS;
    }
    return status;
}
