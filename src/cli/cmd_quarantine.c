#include <stdio.h>
#include <string.h>

#include "base/json_out.h"
#include "base/rfc3339.h"
#include "cli/cmd_ledger.h"
#include "cli/upkeep.h"

enum { MAX_TEXT = 64 << 20 };

static const struct command this_command = {
    .name = "quarantine",
    .synopsis = "list | show ID | release ID... [OPTIONS]",
    .summary = "Objects that could not be counted because of what is in them: list, show, release.",
    .details =
        "ID is the one that `list` prints.  A released object is counted by the next sweep, or\n"
        "when its message comes again (redrive).  Listing works beside a running worker.\n"
        "\n"
        "Exit status: 0 none is there, or released; 1 `list` found some, or an ID is not there;\n"
        "2 wrong usage or configuration.\n",
};

struct listing {
    struct upkeep *u;
    struct buf out;
    const struct ledger_id *only; /* NULL: all */
    uint64_t found;
};

static bool add_entry(void *ctx, const struct ledger_quarantined *q)
{
    struct listing *l = ctx;
    char id[65], time[RFC3339_BYTES];
    if (l->only != NULL && !ledger_id_eq(&q->id, l->only))
        return true;
    ledger_id_format(&q->id, id);
    rfc3339_format(q->time_ms / 1000, time);
    if (l->u->json) {
        buf_printf(&l->out, "%s{\"id\":\"%s\",\"time\":\"%s\",\"bucket\":", l->found > 0 ? "," : "",
                   id, time);
        json_quote(&l->out, q->bucket);
        buf_add_cstr(&l->out, ",\"key\":");
        json_quote(&l->out, q->key);
        buf_add_cstr(&l->out, ",\"reason\":");
        json_quote(&l->out, q->reason);
        buf_add_char(&l->out, '}');
    } else {
        buf_printf(&l->out, "%s  %s  ", id, time);
        json_quote(&l->out, q->reason);
        buf_add_cstr(&l->out, "  ");
        json_quote(&l->out, q->bucket);
        buf_add_char(&l->out, ' ');
        json_quote(&l->out, q->key);
        buf_add_char(&l->out, '\n');
    }
    l->found++;
    return true;
}

static enum status list(struct upkeep *u, const struct ledger_id *only, int *status,
                        struct error *err)
{
    struct listing l = {.u = u, .only = only};
    buf_init(&l.out, MAX_TEXT);
    if (u->json)
        buf_add_cstr(&l.out, "{\"schema\":\"bedrock-metrics/quarantine/1\",\"objects\":[");
    enum status st = ledger_quarantine_list(u->session->ledger, add_entry, &l);
    if (st == ST_OK && u->json)
        buf_add_cstr(&l.out, "]}\n");
    else if (st == ST_OK && l.found == 0)
        buf_add_cstr(&l.out, only != NULL ? "not in quarantine\n" : "none\n");
    bool off = only != NULL ? l.found == 0 : l.found > 0;
    if (st == ST_OK)
        *status = upkeep_print("quarantine", &l.out, off ? EXIT_FOUND_FAULTS : EXIT_DONE);
    buf_clear(&l.out);
    return st == ST_OK
               ? st
               : error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
}

static enum status release(struct upkeep *u, char *const *words, int count, int *status,
                           struct error *err)
{
    struct buf out;
    buf_init(&out, MAX_TEXT);
    enum status st = ST_OK;
    bool off = false;
    if (u->json)
        buf_add_cstr(&out, "{\"schema\":\"bedrock-metrics/release/1\",\"objects\":[");
    struct progress *progress = upkeep_progress(u, "objects");
    progress_expect(progress, 0, (uint64_t)count, true);
    for (int i = 0; i < count && st == ST_OK; i++) {
        struct ledger_id id;
        if (ledger_id_parse(view_of(words[i]), &id) != ST_OK) {
            st = error_set(err, ST_USAGE, E_U218, "\"%.80s\" is no ID of `quarantine list`",
                           words[i]);
            break;
        }
        st = ledger_quarantine_release(u->session->ledger, &id);
        bool was = st == ST_OK;
        off = off || !was;
        if (st == ST_MISSING)
            st = ST_OK;
        if (u->json)
            buf_printf(&out, "%s{\"id\":\"%s\",\"released\":%s}", i > 0 ? "," : "", words[i],
                       was ? "true" : "false");
        else
            buf_printf(&out, "%s  %s\n", words[i], was ? "released" : "not in quarantine");
        if (st != ST_OK)
            (void)error_set(err, st, E_L209, "the ledger failed: %s", status_name(st));
        progress_add_object(progress);
    }
    progress_free(progress);
    if (u->json)
        buf_add_cstr(&out, "]}\n");
    if (st == ST_OK)
        *status = upkeep_print("quarantine", &out, off ? EXIT_FOUND_FAULTS : EXIT_DONE);
    buf_clear(&out);
    return st;
}

static enum status work(struct upkeep *u, char *const *words, int count, int *status,
                        struct error *err)
{
    struct ledger_id id;
    bool is_list = count == 1 && strcmp(words[0], "list") == 0;
    bool is_show = count == 2 && strcmp(words[0], "show") == 0;
    bool is_release = count >= 2 && strcmp(words[0], "release") == 0;
    if (!is_list && !is_show && !is_release)
        return error_set(err, ST_USAGE, E_U107,
                         "one of these is wanted: list, show ID, release ID...");
    if (is_show && ledger_id_parse(view_of(words[1]), &id) != ST_OK)
        return error_set(err, ST_USAGE, E_U218, "\"%.80s\" is no ID of `quarantine list`",
                         words[1]);
    enum status st = upkeep_open(u, is_release ? UPKEEP_WRITE : UPKEEP_LOOK, err);
    if (st != ST_OK)
        return st;
    return is_release ? release(u, words + 1, count - 1, status, err)
                      : list(u, is_show ? &id : NULL, status, err);
}

int cmd_quarantine(int argc, char **argv)
{
    static struct upkeep u;
    struct error err = {0};
    struct option_spec specs[UPKEEP_OPTION_COUNT];
    int count, status = EXIT_DONE;
    upkeep_options_table(&u, specs);
    enum status st = options_parse(specs, UPKEEP_OPTION_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, UPKEEP_OPTION_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK)
        st = upkeep_apply(&u, &err);
    if (st == ST_OK)
        st = work(&u, argv, count, &status, &err);
    if (st != ST_OK)
        status = upkeep_failed("quarantine", st, &err);
    upkeep_close(&u);
    return status;
}
