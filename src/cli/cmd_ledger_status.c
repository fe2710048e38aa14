/* cmd_ledger_status.c: what the ledger holds, in numbers, without changing anything. */
#include <time.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "cli/commands.h"
#include "cli/ledger_command.h"

enum { MAX_TEXT = 64 * 1024, LATE_AFTER_MS = 3600 * 1000 };

struct options {
    struct ledger_command ledger;
    enum output_form output;
};

static const struct option rows[] = {
    LEDGER_OPTION,
    OUTPUT_OPTION,
};

/* A name in the text, one in JSON, and whether a kind that counts only what is open knows it. */
struct number {
    const char *text, *json;
    uint64_t value;
    bool always;
};

static void add_numbers(struct json_out *j, bool json, const struct ledger_statistics *t)
{
    const struct number numbers[] = {
        {"batches open", "batches_open", t->batches_open, true},
        {"requests in doubt", "requests_in_doubt", t->parts_in_doubt, true},
        {"tokens in doubt", "tokens_in_doubt", t->tokens_in_doubt, true},
        {"objects in quarantine", "quarantined", t->quarantined, true},
        {"objects counted", "objects", t->objects, false},
        {"batches done", "batches_done", t->batches_done, false},
        {"batches aborted", "batches_aborted", t->batches_aborted, false},
        {"requests dropped", "requests_dropped", t->parts_dropped, false},
        {"requests rejected", "requests_rejected", t->parts_rejected, false},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number *n = &numbers[i];
        if (t->open_only && !n->always)
            continue;
        if (json)
            json_add_u64(j, n->json, n->value);
        else
            buf_printf(j->out, "%-22s %llu\n", n->text, (unsigned long long)n->value);
    }
}

static void add_text(struct json_out *j, bool json, const char *text, const char *json_name,
                     struct view value)
{
    if (json)
        json_add_string(j, json_name, value);
    else
        buf_printf(j->out, "%-22s %.*s\n", text, SHOW(value));
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct ledger_command *l = &o->ledger;
    struct ledger_statistics t = {0};
    char oldest[RFC3339_BYTES];
    struct buf out;
    struct json_out j = {.out = &out};
    bool json = o->output == AS_JSON;
    enum status st = ledger_command_open(l, LEDGER_LOOK, err);
    if (st != ST_OK)
        return st;
    st = ledger_statistics_read(l->session->ledger, &t);
    if (st != ST_OK)
        return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
    /* A running worker has a batch open most of the time; the alarm OldestOpenBatchAge agrees. */
    bool late =
        t.oldest_open_ms != 0 && (int64_t)time(NULL) * 1000 - t.oldest_open_ms > LATE_AFTER_MS;
    if (late || t.quarantined > 0)
        in->exit = EXIT_FOUND_FAULTS;
    struct view region = l->settings.cloudwatch_region.len > 0 ? l->settings.cloudwatch_region
                                                               : aws_config_region(l->aws.config);
    buf_init(&out, MAX_TEXT);
    if (json)
        json_begin(&j, "bedrock-metrics/ledger-status/1");
    add_text(&j, json, "ledger", "ledger", view_of(l->session->name));
    add_text(&j, json, "delivery", "delivery", view_of(ledger_session_delivery(l->session)));
    add_text(&j, json, "namespace", "namespace", l->settings.name_space);
    add_text(&j, json, "Region of the metrics", "region", region);
    add_numbers(&j, json, &t);
    if (t.oldest_open_ms != 0) {
        rfc3339_format(t.oldest_open_ms / 1000, oldest);
        add_text(&j, json, "oldest open batch", "oldest_open", view_of(oldest));
    } else if (json) {
        json_add_cstr(&j, "oldest_open", NULL);
    }
    if (json)
        json_end(&j);
    return command_print(&out, err);
}

static enum status open_status(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    return settings_load_publishing(&o->ledger.settings, err);
}

static void close_status(void *options)
{
    ledger_command_close(&((struct options *)options)->ledger);
}

COMMAND(ledger_status) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "status",
    .synopsis = "[OPTIONS]",
    .summary = "What the ledger holds: batches, requests in doubt, quarantine",
    .details =
        "Works while a worker runs.  Of a DynamoDB ledger only what is open and the quarantine is\n"
        "counted, because the rest would mean reading the whole table.\n"
        "\n"
        "Permissions: of a DynamoDB ledger dynamodb:GetItem and BatchGetItem.\n"
        "\n"
        "Exit status: 0 all is well; 1 objects are in quarantine, or a batch is open for more "
        "than\n"
        "an hour (see `ledger resolve`); 2 wrong usage or configuration.\n",
    .reads = READ_DESTINATION | READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .open = open_status,
    .run = run,
    .close = close_status,
};
