#include <stdio.h>

#include "cli/cmd_ledger.h"
#include "cli/upkeep.h"

enum { RECOVER_MAX = 256, MAX_TEXT = 1 << 20 };

static const struct command this_command = {
    .name = "resolve",
    .synopsis = "[OPTIONS]",
    .summary = "Finish the batches that are open in the ledger, and say what is in doubt.",
    .details =
        "A request whose answer was lost is looked up in CloudWatch by its marker.  When it was\n"
        "applied, that is found at once; that it was not is certain only 20 minutes after it was\n"
        "signed: run this again then.  --policy resend or drop decides at once, and what may then\n"
        "be counted twice or not at all is said to the token.\n"
        "\n"
        "Permissions beside the worker's: none (cloudwatch:GetMetricData is among them).\n"
        "\n"
        "Exit status: 0 nothing is open; 1 batches stay open; 2 wrong usage or configuration.\n",
};

static void write_text(struct buf *out, const struct ledger_recovery *r,
                       const struct ledger_statistics *t)
{
    buf_printf(out,
               "batches found        %zu\nfinished now         %zu\nstill open           %llu\n"
               "requests in doubt    %llu\ntokens in doubt      %llu\n"
               "found applied now    %u\nfound absent now     %u\n"
               "resent               %llu requests, %llu tokens\n"
               "dropped              %llu requests, %llu tokens\n"
               "rejected             %llu requests, %llu tokens\n"
               "quarantined          %llu objects\n",
               r->found, r->done, (unsigned long long)t->batches_open,
               (unsigned long long)t->parts_in_doubt, (unsigned long long)t->tokens_in_doubt,
               r->tally.resolved_applied, r->tally.resolved_absent,
               (unsigned long long)t->attempts_resent, (unsigned long long)t->tokens_resent,
               (unsigned long long)t->parts_dropped, (unsigned long long)t->tokens_dropped,
               (unsigned long long)t->parts_rejected, (unsigned long long)t->tokens_rejected,
               (unsigned long long)t->quarantined);
    if (r->retry_after_ms > 0)
        buf_printf(out, "again in             %lld s\n", (long long)(r->retry_after_ms / 1000 + 1));
}

static void write_json(struct buf *out, const struct ledger_recovery *r,
                       const struct ledger_statistics *t)
{
    buf_printf(out,
               "{\"schema\":\"bedrock-metrics/resolve/1\",\"found\":%zu,\"finished\":%zu,"
               "\"open\":%llu,\"in_doubt\":{\"requests\":%llu,\"tokens\":%llu},"
               "\"resolved\":{\"applied\":%u,\"absent\":%u},"
               "\"resent\":{\"requests\":%llu,\"tokens\":%llu},"
               "\"dropped\":{\"requests\":%llu,\"tokens\":%llu},"
               "\"rejected\":{\"requests\":%llu,\"tokens\":%llu},"
               "\"violations\":%u,\"quarantined\":%llu,\"totals_are_of_open_batches\":%s,"
               "\"retry_after_seconds\":%lld}\n",
               r->found, r->done, (unsigned long long)t->batches_open,
               (unsigned long long)t->parts_in_doubt, (unsigned long long)t->tokens_in_doubt,
               r->tally.resolved_applied, r->tally.resolved_absent,
               (unsigned long long)t->attempts_resent, (unsigned long long)t->tokens_resent,
               (unsigned long long)t->parts_dropped, (unsigned long long)t->tokens_dropped,
               (unsigned long long)t->parts_rejected, (unsigned long long)t->tokens_rejected,
               r->tally.violations, (unsigned long long)t->quarantined,
               t->open_only ? "true" : "false", (long long)((r->retry_after_ms + 999) / 1000));
}

static enum status work(struct upkeep *u, struct buf *out, int *status, struct error *err)
{
    struct ledger_recovery r;
    struct ledger_statistics t = {0};
    enum status st = exact_round_recover(round_exact(u->round), true, RECOVER_MAX, &r, err);
    if (st != ST_OK)
        return st;
    st = ledger_statistics_read(u->session->ledger, &t);
    if (st != ST_OK)
        return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
    (u->json ? write_json : write_text)(out, &r, &t);
    *status = t.batches_open > 0 || r.tally.violations > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE;
    return ST_OK;
}

int cmd_resolve(int argc, char **argv)
{
    static struct upkeep u;
    struct error err = {0};
    const char *policy = NULL;
    static struct receipt_file receipt;
    struct option_spec specs[UPKEEP_OPTION_COUNT + 2] = {
        {"policy", "resolve|resend|drop|hold", "instead of LEDGER_POLICY", &policy, NULL},
        receipt_file_option(&receipt),
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count, status = EXIT_DONE;
    upkeep_options_table(&u, specs + 2);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "\"%.80s\": resolve takes no arguments", argv[0]);
    if (st == ST_OK)
        st = upkeep_apply(&u, &err);
    if (st == ST_OK)
        st = upkeep_policy(policy, &err);
    if (st == ST_OK)
        st = receipt_file_open(&receipt, true, &err);
    if (st == ST_OK)
        st = upkeep_open(&u, UPKEEP_COUNT, &err);
    if (st == ST_OK) {
        struct buf out;
        buf_init(&out, MAX_TEXT);
        upkeep_catch_signals();
        st = work(&u, &out, &status, &err);
        if (st == ST_OK)
            status = upkeep_print("resolve", &out, status);
        buf_clear(&out);
        if (!upkeep_receipt(&u, "resolve", &receipt))
            status = EXIT_FOUND_FAULTS;
    }
    if (st != ST_OK)
        status = upkeep_failed("resolve", st, &err);
    receipt_file_abandon(&receipt);
    upkeep_close(&u);
    return status;
}
