/* cmd_ledger_quarantine.c: objects that were given up because of what is in them. */
#include "base/json_out.h"
#include "base/rfc3339.h"
#include "cli/commands.h"
#include "cli/ledger_command.h"

enum { MAX_TEXT = 64 << 20 };

struct options {
    struct ledger_command ledger;
    enum output_form output;
};

static const struct option rows[] = {
    LEDGER_OPTION,
    OUTPUT_OPTION,
};

struct listing {
    bool json;
    struct buf out;
    struct json_out j;
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
    if (l->json) {
        json_open_object(&l->j, NULL);
        json_add_cstr(&l->j, "id", id);
        json_add_cstr(&l->j, "time", time);
        json_add_string(&l->j, "bucket", q->bucket);
        json_add_string(&l->j, "key", q->key);
        json_add_string(&l->j, "reason", q->reason);
        json_close(&l->j);
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

static enum status list(struct invocation *in, const struct ledger_id *only, struct error *err)
{
    const struct options *o = in->options;
    struct listing l = {.json = o->output == AS_JSON, .only = only, .j.out = &l.out};
    buf_init(&l.out, MAX_TEXT);
    if (l.json) {
        json_begin(&l.j, "bedrock-metrics/quarantine/1");
        json_open_array(&l.j, "objects");
    }
    enum status st = ledger_quarantine_list(o->ledger.session->ledger, add_entry, &l);
    if (st == ST_OK && l.json)
        json_end(&l.j);
    else if (st == ST_OK && l.found == 0)
        buf_add_cstr(&l.out, only != NULL ? "not in quarantine\n" : "none\n");
    if (only != NULL ? l.found == 0 : l.found > 0)
        in->exit = EXIT_FOUND_FAULTS;
    if (st == ST_OK)
        return command_print(&l.out, err);
    buf_clear(&l.out);
    return error_set(err, st, E_L209, "the ledger cannot be read: %s", status_name(st));
}

static enum status release(struct invocation *in, char *const *ids, size_t count, struct error *err)
{
    const struct options *o = in->options;
    bool json = o->output == AS_JSON;
    struct buf out;
    struct json_out j = {.out = &out};
    buf_init(&out, MAX_TEXT);
    enum status st = ST_OK;
    if (json) {
        json_begin(&j, "bedrock-metrics/release/1");
        json_open_array(&j, "objects");
    }
    struct progress *progress = command_progress(in, "objects");
    progress_expect(progress, 0, count, true);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct ledger_id id;
        if (ledger_id_parse(view_of(ids[i]), &id) != ST_OK) {
            st = error_set(err, ST_USAGE, E_U218,
                           "\"%.80s\" is not an ID of `ledger quarantine list`", ids[i]);
            break;
        }
        st = ledger_quarantine_release(o->ledger.session->ledger, &id);
        bool was = st == ST_OK;
        if (st != ST_OK && st != ST_MISSING) {
            st = error_set(err, st, E_L209, "the ledger failed: %s", status_name(st));
            break;
        }
        st = ST_OK;
        if (!was)
            in->exit = EXIT_FOUND_FAULTS;
        if (json) {
            json_open_object(&j, NULL);
            json_add_cstr(&j, "id", ids[i]);
            json_add_bool(&j, "released", was);
            json_close(&j);
        } else {
            buf_printf(&out, "%s  %s\n", ids[i], was ? "released" : "not in quarantine");
        }
        progress_add_object(progress);
    }
    progress_free(progress);
    if (json)
        json_end(&j);
    if (st == ST_OK)
        st = command_print(&out, err);
    buf_clear(&out);
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct ledger_id id;
    const char *what = in->words[0];
    size_t count = in->word_count;
    bool is_list = count == 1 && strcmp(what, "list") == 0;
    bool is_show = count == 2 && strcmp(what, "show") == 0;
    bool is_release = count >= 2 && strcmp(what, "release") == 0;
    if (!is_list && !is_show && !is_release)
        return error_set(err, ST_USAGE, E_U107, "expected list, show ID or release ID...");
    if (is_show && ledger_id_parse(view_of(in->words[1]), &id) != ST_OK)
        return error_set(err, ST_USAGE, E_U218,
                         "\"%.80s\" is not an ID of `ledger quarantine list`", in->words[1]);
    enum status st = ledger_command_open(&o->ledger, is_release ? LEDGER_WRITE : LEDGER_LOOK, err);
    if (st != ST_OK)
        return st;
    return is_release ? release(in, in->words + 1, count - 1, err)
                      : list(in, is_show ? &id : NULL, err);
}

static void close_quarantine(void *options)
{
    ledger_command_close(&((struct options *)options)->ledger);
}

COMMAND(ledger_quarantine) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "quarantine",
    .synopsis = "list | show ID | release ID... [OPTIONS]",
    .summary = "Objects that could not be counted: list, show, release",
    .details =
        "ID is the one that `list` prints.  A released object is counted by the next sweep, or\n"
        "when its message is received again (redrive).  Listing works while a worker runs.\n"
        "\n"
        "Exit status: 0 none is there, or released; 1 `list` found some, or an ID is not there;\n"
        "2 wrong usage or configuration.\n",
    .word = "list, show or release",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .reads = READ_LEDGER,
    COMMAND_OPTIONS(rows),
    .run = run,
    .close = close_quarantine,
};
