#include <stdio.h>
#include <time.h>

#include "base/json_write.h"
#include "base/rfc3339.h"
#include "cli/cmd_ledger.h"
#include "cli/time_option.h"
#include "cli/upkeep.h"
#include "run/interval.h"
#include "run/verify.h"

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
        "Permissions: cloudwatch:GetMetricData; of a DynamoDB ledger also dynamodb:Scan.\n"
        "\n"
        "Exit status: 0 they agree; 1 they do not (the first 200 differences are named); 2 wrong\n"
        "usage or configuration.\n",
};

struct choice {
    struct upkeep u;
    const char *since, *until;
    struct buf differences;
    size_t named;
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
        return error_set(err, ST_USAGE, "--since: CloudWatch keeps minutes for %d days only",
                         VERIFY_MAX_DAYS);
    o->since_s = since.seconds - since.seconds % 60;
    o->until_s = until.seconds - until.seconds % 60;
    if (o->since_s >= o->until_s)
        return error_set(err, ST_USAGE, "--since is not before --until");
    return ST_OK;
}

static void write_result(struct choice *c, const struct verify_result *r, struct buf *out)
{
    if (!c->u.json)
        buf_add_view(out, buf_view(&c->differences));
    unsigned long long n[] = {r->batches, r->series, r->points, r->missing, r->over, r->in_doubt};
    if (c->u.json) {
        static const char *const names[] = {"batches", "series", "points",
                                            "missing", "over",   "in_doubt"};
        buf_add_cstr(out, "{\"schema\":\"bedrock-metrics/verify/1\"");
        for (size_t i = 0; i < 6; i++)
            buf_printf(out, ",\"%s\":%llu", names[i], n[i]);
        buf_add_cstr(out, ",\"differences\":[");
        buf_add_view(out, buf_view(&c->differences));
        buf_add_cstr(out, "]}\n");
    } else {
        static const char *const names[] = {"batches", "series",   "points",
                                            "missing", "too much", "in doubt"};
        for (size_t i = 0; i < 6; i++)
            buf_printf(out, "%-10s  %llu\n", names[i], n[i]);
    }
}

int cmd_verify(int argc, char **argv)
{
    static struct choice c;
    struct verify_options o = {
        .stop = {upkeep_stopped, NULL}, .on_difference = name_difference, .ctx = &c};
    struct verify_result r;
    struct error err = {0};
    struct option_spec specs[UPKEEP_OPTION_COUNT + 2] = {
        {"since", "TIME", "data from then on (default 24h)", &c.since, NULL},
        {"until", "TIME", "data until then (default 5m: later ones may not be\nreadable yet)",
         &c.until, NULL},
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    struct aws_client *client = NULL;
    int count, status = EXIT_DONE;
    upkeep_options_table(&c.u, specs + 2);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    buf_init(&c.differences, MAX_TEXT);
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, "\"%.80s\": verify takes no arguments", argv[0]);
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
        st = verify_run(&o, &r, &err);
        if (st == ST_OK) {
            write_result(&c, &r, &out);
            status = upkeep_print("verify", &out,
                                  r.missing + r.over > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE);
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
