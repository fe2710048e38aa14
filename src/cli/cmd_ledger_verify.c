/* cmd_ledger_verify.c: what the ledger says was published against what CloudWatch has. */
#include <time.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/ledger_command.h"
#include "cli/option_values.h"
#include "ledger/verify.h"
#include "ledger/verify_markers.h"

enum { MAX_TEXT = 8 << 20, NAMED = 200, READABLE_AFTER_S = 5 * 60 };

struct options {
    struct ledger_command ledger;
    const char *since, *until;
    bool markers;
    enum output_form output;
    const struct invocation *invocation;
    struct verify_options verify;
    struct aws_client *client;
    struct buf differences;
    struct json_out j; /* of them */
    size_t named;
    struct progress *progress;
    const char *step; /* what the progress is of */
    uint64_t done;
};

static const struct option rows[] = {
    {"since", "TIME", "data from then on (default 24h)", OPT_TEXT(since)},
    {"until", "TIME", "data until then (default 5m: later ones may not be\nreadable yet)",
     OPT_TEXT(until)},
    {"markers", NULL, "compare the marker of each request instead of the sums", OPT_FLAG(markers)},
    LEDGER_OPTION,
    OUTPUT_OPTION,
};

static void name_difference(void *ctx, const struct verify_difference *d)
{
    struct options *o = ctx;
    char time[RFC3339_BYTES];
    if (o->named++ >= NAMED)
        return;
    if (o->output == AS_JSON) {
        json_open_object(&o->j, NULL);
        buf_add_view(json_add_value(&o->j, "series"), d->series);
        json_add_time(&o->j, "time", d->minute_s);
        buf_printf(json_add_value(&o->j, "ledger"), "%.17g", d->expected);
        buf_printf(json_add_value(&o->j, "in_doubt"), "%.17g", d->in_doubt);
        buf_printf(json_add_value(&o->j, "cloudwatch"), "%.17g", d->found);
        json_close(&o->j);
        return;
    }
    rfc3339_format(d->minute_s, time);
    buf_printf(&o->differences, "%s  ledger %.17g  cloudwatch %.17g  %.*s\n", time, d->expected,
               d->found, SHOW(d->series));
}

static void name_marker(void *ctx, const struct marker_difference *d)
{
    struct options *o = ctx;
    char time[RFC3339_BYTES], batch[2 * sizeof(d->batch->bytes) + 1] = "";
    if (o->named++ >= NAMED)
        return;
    rfc3339_format(d->marker.minute * 60, time);
    if (d->batch != NULL)
        hex_format(d->batch->bytes, sizeof(d->batch->bytes), batch);
    if (o->output == AS_JSON) {
        json_open_object(&o->j, NULL);
        json_add_cstr(&o->j, "fault", marker_fault_name(d->fault));
        json_add_cstr(&o->j, "time", time);
        JSON_ADD_NUMBERS(&o->j, {"slot", d->marker.slot}, {"digit", d->marker.digit},
                         {"applied", d->applied});
        json_add_cstr(&o->j, "batch", d->batch != NULL ? batch : NULL);
        if (d->batch != NULL)
            json_add_u64(&o->j, "part", d->part);
        else
            json_add_cstr(&o->j, "part", NULL);
        json_close(&o->j);
    } else {
        buf_printf(&o->differences, "%-8s  %s  slot %u  digit %u  applied %u",
                   marker_fault_name(d->fault), time, (unsigned)d->marker.slot,
                   (unsigned)d->marker.digit, d->applied);
        if (d->batch != NULL)
            buf_printf(&o->differences, "  batch %s part %u", batch, d->part);
        buf_add_char(&o->differences, '\n');
    }
}

static void show_step(void *ctx, const char *what, uint64_t done, uint64_t all)
{
    struct options *o = ctx;
    if (o->step == NULL || strcmp(o->step, what) != 0) {
        progress_free(o->progress);
        o->progress = command_progress(o->invocation, what);
        o->step = what;
        o->done = 0;
    }
    progress_expect(o->progress, 0, all, true);
    for (; o->done < done; o->done++)
        progress_add_object(o->progress);
}

static enum status resolve_times(struct options *o, struct error *err)
{
    struct instant now = {.seconds = (int64_t)time(NULL)}, since, until;
    since.seconds = now.seconds - 86400;
    until.seconds = now.seconds - READABLE_AFTER_S;
    enum status st = time_option("--since", o->since, now, &since, err);
    if (st == ST_OK)
        st = time_option("--until", o->until, now, &until, err);
    if (st != ST_OK)
        return st;
    if (since.seconds < now.seconds - VERIFY_MAX_DAYS * 86400)
        return error_set(err, ST_USAGE, E_U206,
                         "--since: CloudWatch keeps minutes for %d days only", VERIFY_MAX_DAYS);
    o->verify.since_s = since.seconds - since.seconds % 60;
    o->verify.until_s = until.seconds - until.seconds % 60;
    if (o->verify.since_s >= o->verify.until_s)
        return error_set(err, ST_USAGE, E_U205, "--since is not before --until");
    return ST_OK;
}

/* The sums of a run: names of members of the JSON document, and numbers. */
struct sums {
    const char *schema;
    size_t count;
    const char *names[9];
    uint64_t numbers[9];
    bool off;
};

static void write_result(struct options *o, const struct sums *s, struct buf *out)
{
    struct json_out j = {.out = out};
    if (o->output == AS_TEXT) {
        buf_add_view(out, buf_view(&o->differences));
        for (size_t i = 0; i < s->count; i++)
            buf_printf(out, "%-10s  %llu\n", s->names[i], (unsigned long long)s->numbers[i]);
        return;
    }
    json_open_object(&j, NULL);
    buf_printf(json_add_value(&j, "schema"), "\"bedrock-metrics/%s/1\"", s->schema);
    for (size_t i = 0; i < s->count; i++)
        json_add_u64(&j, s->names[i], s->numbers[i]);
    json_open_array(&j, "differences");
    buf_add_view(out, buf_view(&o->differences));
    json_end(&j);
}

static enum status compare_sums(const struct verify_options *v, struct sums *s, struct error *err)
{
    struct verify_result r;
    enum status st = verify_run(v, name_difference, &r, err);
    *s = (struct sums){"verify",
                       6,
                       {"batches", "series", "points", "missing", "over", "in_doubt"},
                       {r.batches, r.series, r.points, r.missing, r.over, r.in_doubt},
                       r.missing + r.over > 0};
    return st;
}

static enum status compare_markers(const struct verify_options *v, struct sums *s,
                                   struct error *err)
{
    struct verify_markers_result r;
    enum status st = verify_markers_run(v, name_marker, &r, err);
    *s = (struct sums){"verify-markers",
                       9,
                       {"batches", "slots", "accepted", "found", "open", "others", "missing",
                        "repeated", "unknown"},
                       {r.batches, r.slots, r.accepted, r.found, r.open, r.others, r.missing,
                        r.repeated, r.unknown},
                       r.missing + r.repeated + r.unknown > 0};
    return st;
}

static enum status open_verify(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    buf_init(&o->differences, MAX_TEXT);
    o->j.out = &o->differences;
    o->invocation = in;
    enum status st = resolve_times(o, err);
    return st == ST_OK ? settings_load_publishing(&o->ledger.settings, err) : st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct sums sums;
    struct buf out;
    enum status st = ledger_command_open(&o->ledger, LEDGER_LOOK, err);
    if (st == ST_OK)
        st = ledger_command_client(&o->ledger, &o->client, err);
    if (st != ST_OK)
        return st;
    stop_catch_signals(STOP_IN_ORDER);
    o->verify.session = o->ledger.session;
    o->verify.client = o->client;
    o->verify.region = o->ledger.settings.cloudwatch_region;
    o->verify.name_space = o->ledger.settings.name_space;
    o->verify.stop = (struct aws_stop){stop_asked, NULL};
    o->verify.on_step = show_step;
    o->verify.ctx = o;
    st = (o->markers ? compare_markers : compare_sums)(&o->verify, &sums, err);
    progress_free(o->progress);
    if (st != ST_OK)
        return st;
    if (sums.off)
        in->exit = EXIT_FOUND_FAULTS;
    buf_init(&out, 2 * MAX_TEXT);
    write_result(o, &sums, &out);
    return command_print(&out, err);
}

static void close_verify(void *options)
{
    struct options *o = options;
    aws_client_free(o->client);
    ledger_command_close(&o->ledger);
    buf_clear(&o->differences);
}

COMMAND(ledger_verify) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "verify",
    .synopsis = "[OPTIONS]",
    .summary = "Compare what the ledger says was published with CloudWatch",
    .details =
        "The sums are compared per series and minute.\n"
        "CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION have to be those of the worker.  Data that\n"
        "others publish to the same series appear as a surplus.  GetMetricData costs $0.01 for "
        "1000\n"
        "series.  Works while a worker runs.\n"
        "\n"
        "--markers looks at single requests instead: each carries one marker, and --since and\n"
        "--until refer to when a request was sent.  `missing`: accepted but not in CloudWatch;\n"
        "`repeated`: applied more than once; `unknown`: never issued by this ledger, so another\n"
        "one publishes into the namespace.\n"
        "\n"
        "Permissions: cloudwatch:GetMetricData; of a DynamoDB ledger also dynamodb:Scan.\n"
        "\n"
        "Exit status: 0 they agree; 1 they do not (the first 200 differences are named); 2 wrong\n"
        "usage or configuration.\n",
    .reads = READ_DESTINATION | READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .open = open_verify,
    .run = run,
    .close = close_verify,
};
