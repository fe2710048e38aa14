/* cmd_ledger_resolve.c: finishes the batches that are open in the ledger. */
#include "base/json_out.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/ledger_command.h"
#include "config/variables.h"

enum { RECOVER_MAX = 256, MAX_TEXT = 1 << 20 };

struct options {
    struct ledger_command ledger;
    const char *policy;
    struct receipt_file receipt;
    enum output_form output;
};

static const struct option rows[] = {
    {"policy", "resolve|resend|drop|hold", "instead of LEDGER_POLICY", OPT_TEXT(policy)},
    RECEIPT_OPTION,
    LEDGER_OPTION,
    OUTPUT_OPTION,
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

static void add_pair(struct json_out *j, const char *name, uint64_t requests, uint64_t tokens)
{
    json_open_object(j, name);
    JSON_ADD_NUMBERS(j, {"requests", requests}, {"tokens", tokens});
    json_close(j);
}

static void write_json(struct buf *out, const struct ledger_recovery *r,
                       const struct ledger_statistics *t)
{
    struct json_out j = {.out = out};
    json_begin(&j, "bedrock-metrics/resolve/1");
    JSON_ADD_NUMBERS(&j, {"found", r->found}, {"finished", r->done}, {"open", t->batches_open});
    add_pair(&j, "in_doubt", t->parts_in_doubt, t->tokens_in_doubt);
    json_open_object(&j, "resolved");
    JSON_ADD_NUMBERS(&j, {"applied", r->tally.resolved_applied},
                     {"absent", r->tally.resolved_absent});
    json_close(&j);
    add_pair(&j, "resent", t->attempts_resent, t->tokens_resent);
    add_pair(&j, "dropped", t->parts_dropped, t->tokens_dropped);
    add_pair(&j, "rejected", t->parts_rejected, t->tokens_rejected);
    JSON_ADD_NUMBERS(&j, {"violations", r->tally.violations}, {"quarantined", t->quarantined});
    json_add_bool(&j, "totals_are_of_open_batches", t->open_only);
    json_add_i64(&j, "retry_after_seconds", (r->retry_after_ms + 999) / 1000);
    json_end(&j);
}

static enum status open_resolve(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = variable_set(VAR_LEDGER_POLICY, o->policy, err);
    return st == ST_OK ? receipt_file_open(&o->receipt, true, err) : st;
}

static enum status resolve(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct ledger_recovery r;
    struct ledger_statistics t = {0};
    struct buf out;
    enum status st = exact_round_recover(round_exact(o->ledger.round), true, RECOVER_MAX, &r, err);
    if (st != ST_OK)
        return st;
    st = ledger_statistics_read(o->ledger.session->ledger, &t);
    if (st != ST_OK)
        return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
    if (t.batches_open > 0 || r.tally.violations > 0)
        in->exit = EXIT_FOUND_FAULTS;
    buf_init(&out, MAX_TEXT);
    (o->output == AS_JSON ? write_json : write_text)(&out, &r, &t);
    return command_print(&out, err);
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    enum status st = ledger_command_open(&o->ledger, LEDGER_COUNT, err);
    if (st != ST_OK)
        return st;
    stop_catch_signals(STOP_IN_ORDER);
    st = resolve(in, err);
    ledger_command_receipt(in, &o->ledger, &o->receipt);
    return st;
}

static void close_resolve(void *options)
{
    struct options *o = options;
    receipt_file_abandon(&o->receipt);
    ledger_command_close(&o->ledger);
}

COMMAND(ledger_resolve) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "resolve",
    .synopsis = "[OPTIONS]",
    .summary = "Finish what is open or in doubt in the ledger",
    .details =
        "A request whose answer was lost is looked up in CloudWatch by its marker.  When it was\n"
        "applied, that is found at once; that it was not is certain only 20 minutes after it was\n"
        "signed: run this again then.  --policy resend or drop decides at once, and reports\n"
        "the exact number of tokens that may then be counted twice or lost.\n"
        "\n"
        "Permissions in addition to the worker's: none (cloudwatch:GetMetricData is among them).\n"
        "\n"
        "Exit status: 0 nothing is open; 1 batches stay open; 2 wrong usage or configuration.\n",
    .reads = READ_SETS | READ_DESTINATION | READ_PUBLISHING | READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .open = open_resolve,
    .run = run,
    .close = close_resolve,
};
