#include <stdio.h>
#include <time.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "cli/cmd_ledger.h"
#include "cli/time_option.h"
#include "cli/upkeep.h"
#include "config/interval.h"
#include "ledger/verify.h"
#include "ledger/verify_markers.h"

enum { MAX_TEXT = 8 << 20, NAMED = 200, READABLE_AFTER_S = 5 * 60 };

static const struct command this_command = {
    .name = "verify",
    .synopsis = "[OPTIONS]",
    .summary = "Compare what the ledger says was published with CloudWatch, per series and minute.",
    .details =
        "CLOUDWATCH_NAMESPACE and CLOUDWATCH_REGION have to be those of the worker.  Data that\n"
        "others put into the same series show as too much.  GetMetricData costs $0.01 for 1000\n"
        "series.  Works beside a running worker.\n"
        "\n"
        "--markers looks at single requests instead: each carries one marker, and the time is\n"
        "that of sending.  `missing`: accepted, and not there; `repeated`: applied more than "
        "once;\n"
        "`unknown`: never handed out by this ledger, so another file publishes into the "
        "namespace.\n"
        "\n"
        "Permissions: cloudwatch:GetMetricData; of a DynamoDB ledger also dynamodb:Scan.\n"
        "\n"
        "Exit status: 0 they agree; 1 they do not (the first 200 differences are named); 2 wrong\n"
        "usage or configuration.\n",
};

struct choice {
    struct upkeep u;
    const char *since, *until;
    bool markers;
    struct buf differences;
    size_t named;
    struct progress *progress;
    const char *step; /* what the progress is of */
    uint64_t done;
};

static void name_difference(void *ctx, const struct verify_difference *d)
{
    struct choice *c = ctx;
    char time[RFC3339_BYTES];
    if (c->named++ >= NAMED)
        return;
    rfc3339_format(d->minute_s, time);
    if (c->u.json)
        buf_printf(&c->differences,
                   "%s{\"series\":%.*s,\"time\":\"%s\",\"ledger\":%.17g,\"in_doubt\":%.17g,"
                   "\"cloudwatch\":%.17g}",
                   c->named > 1 ? "," : "", (int)d->series.len, d->series.ptr, time, d->expected,
                   d->in_doubt, d->found);
    else
        buf_printf(&c->differences, "%s  ledger %.17g  cloudwatch %.17g  %.*s\n", time, d->expected,
                   d->found, (int)d->series.len, d->series.ptr);
}

static void name_marker(void *ctx, const struct marker_difference *d)
{
    struct choice *c = ctx;
    char time[RFC3339_BYTES], batch[2 * sizeof(d->batch->bytes) + 1] = "";
    if (c->named++ >= NAMED)
        return;
    rfc3339_format(d->marker.minute * 60, time);
    for (size_t i = 0; d->batch != NULL && i < sizeof(d->batch->bytes); i++)
        snprintf(batch + 2 * i, 3, "%02x", d->batch->bytes[i]);
    if (c->u.json) {
        buf_printf(&c->differences,
                   "%s{\"fault\":\"%s\",\"time\":\"%s\",\"slot\":%u,\"digit\":%u,\"applied\":%u,",
                   c->named > 1 ? "," : "", marker_fault_name(d->fault), time,
                   (unsigned)d->marker.slot, (unsigned)d->marker.digit, d->applied);
        if (d->batch != NULL)
            buf_printf(&c->differences, "\"batch\":\"%s\",\"part\":%u}", batch, d->part);
        else
            buf_add_cstr(&c->differences, "\"batch\":null,\"part\":null}");
    } else {
        buf_printf(&c->differences, "%-8s  %s  slot %u  digit %u  applied %u",
                   marker_fault_name(d->fault), time, (unsigned)d->marker.slot,
                   (unsigned)d->marker.digit, d->applied);
        if (d->batch != NULL)
            buf_printf(&c->differences, "  batch %s part %u", batch, d->part);
        buf_add_char(&c->differences, '\n');
    }
}

static void show_step(void *ctx, const char *what, uint64_t done, uint64_t all)
{
    struct choice *c = ctx;
    if (c->step == NULL || strcmp(c->step, what) != 0) {
        progress_free(c->progress);
        c->progress = upkeep_progress(&c->u, what);
        c->step = what;
        c->done = 0;
    }
    progress_expect(c->progress, 0, all, true);
    for (; c->done < done; c->done++)
        progress_add_object(c->progress);
}

static enum status settle(struct choice *c, struct verify_options *o, struct error *err)
{
    struct instant now = {.seconds = (int64_t)time(NULL)}, since, until;
    since.seconds = now.seconds - 86400;
    until.seconds = now.seconds - READABLE_AFTER_S;
    enum status st = time_option("--since", c->since, now, &since, err);
    if (st == ST_OK)
        st = time_option("--until", c->until, now, &until, err);
    if (st != ST_OK)
        return st;
    if (since.seconds < now.seconds - VERIFY_MAX_DAYS * 86400)
        return error_set(err, ST_USAGE, E_U206,
                         "--since: CloudWatch keeps minutes for %d days only", VERIFY_MAX_DAYS);
    o->since_s = since.seconds - since.seconds % 60;
    o->until_s = until.seconds - until.seconds % 60;
    if (o->since_s >= o->until_s)
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

static void write_result(struct choice *c, const struct sums *s, struct buf *out)
{
    if (!c->u.json)
        buf_add_view(out, buf_view(&c->differences));
    else
        buf_printf(out, "{\"schema\":\"bedrock-metrics/%s/1\"", s->schema);
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, c->u.json ? ",\"%s\":%llu" : "%-10s  %llu\n", s->names[i],
                   (unsigned long long)s->numbers[i]);
    if (c->u.json) {
        buf_add_cstr(out, ",\"differences\":[");
        buf_add_view(out, buf_view(&c->differences));
        buf_add_cstr(out, "]}\n");
    }
}

static enum status compare_sums(const struct verify_options *o, struct sums *s, struct error *err)
{
    struct verify_result r;
    enum status st = verify_run(o, name_difference, &r, err);
    *s = (struct sums){"verify",
                       6,
                       {"batches", "series", "points", "missing", "over", "in_doubt"},
                       {r.batches, r.series, r.points, r.missing, r.over, r.in_doubt},
                       r.missing + r.over > 0};
    return st;
}

static enum status compare_markers(const struct verify_options *o, struct sums *s,
                                   struct error *err)
{
    struct verify_markers_result r;
    enum status st = verify_markers_run(o, name_marker, &r, err);
    *s = (struct sums){"verify-markers",
                       9,
                       {"batches", "slots", "accepted", "found", "open", "others", "missing",
                        "repeated", "unknown"},
                       {r.batches, r.slots, r.accepted, r.found, r.open, r.others, r.missing,
                        r.repeated, r.unknown},
                       r.missing + r.repeated + r.unknown > 0};
    return st;
}

int cmd_verify(int argc, char **argv)
{
    static struct choice c;
    struct verify_options o = {.stop = {upkeep_stopped, NULL}, .on_step = show_step, .ctx = &c};
    struct sums sums;
    struct error err = {0};
    struct option_spec specs[UPKEEP_OPTION_COUNT + 3] = {
        {"since", "TIME", "data from then on (default 24h)", &c.since, NULL},
        {"until", "TIME", "data until then (default 5m: later ones may not be\nreadable yet)",
         &c.until, NULL},
        {"markers", NULL, "compare the marker of each request instead of the sums", NULL,
         &c.markers},
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    struct aws_client *client = NULL;
    int count, status = EXIT_DONE;
    upkeep_options_table(&c.u, specs + 3);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    buf_init(&c.differences, MAX_TEXT);
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "\"%.80s\": verify takes no arguments", argv[0]);
    if (st == ST_OK)
        st = upkeep_apply(&c.u, &err);
    if (st == ST_OK)
        st = settle(&c, &o, &err);
    if (st == ST_OK)
        st = settings_load_publishing(&c.u.settings, &err);
    if (st == ST_OK)
        st = upkeep_open(&c.u, UPKEEP_LOOK, &err);
    struct aws_client_options options = {.config = c.u.aws.config,
                                         .creds = c.u.aws.creds,
                                         .budget = c.u.aws.budget,
                                         .clock = aws_clock_system(),
                                         .stop = {upkeep_stopped, NULL}};
    if (st == ST_OK)
        st = aws_client_new(&client, &options, &err);
    if (st == ST_OK) {
        struct buf out;
        buf_init(&out, 2 * MAX_TEXT);
        upkeep_catch_signals();
        o.session = c.u.session;
        o.client = client;
        o.region = c.u.settings.cloudwatch_region;
        o.name_space = c.u.settings.name_space;
        st = c.markers ? compare_markers(&o, &sums, &err) : compare_sums(&o, &sums, &err);
        progress_free(c.progress);
        if (st == ST_OK) {
            write_result(&c, &sums, &out);
            status = upkeep_print("verify", &out, sums.off ? EXIT_FOUND_FAULTS : EXIT_DONE);
        }
        buf_clear(&out);
    }
    if (st != ST_OK)
        status = upkeep_failed("verify", st, &err);
    aws_client_free(client);
    upkeep_close(&c.u);
    buf_clear(&c.differences);
    return status;
}
