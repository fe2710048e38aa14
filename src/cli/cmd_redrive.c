#include <stdio.h>
#include <string.h>

#include "aws/sqs.h"
#include "base/json_out.h"
#include "base/log.h"
#include "cli/cmd_ledger.h"
#include "cli/upkeep.h"
#include "config/config.h"

enum { MAX_TEXT = 1 << 20, VISIBILITY_S = 60, MAX_MESSAGES = 1000 * 1000 };

static const struct command this_command = {
    .name = "redrive",
    .synopsis = "[OPTIONS]",
    .summary =
        "Move the messages of the dead-letter queue(s) of SQS_QUEUE_URL back to their queue.",
    .details =
        "Mend first what sent them there: `quarantine list` and the log name the reasons.  With a\n"
        "ledger no object counts twice, however often its message comes.\n"
        "\n"
        "Permissions: sqs:GetQueueAttributes on both, on the dead-letter queue sqs:ReceiveMessage\n"
        "and sqs:DeleteMessage, on the queue sqs:SendMessage.\n"
        "\n"
        "Exit status: 0 nothing is there any more; 1 with --dry-run: messages are\n"
        "there; or a queue could not be asked; 2 wrong usage or configuration.\n",
};

struct redrive {
    struct upkeep u;
    const char *queue;
    bool dry_run;
    struct aws_client *client;
    struct buf out;
    size_t named;
    bool off;
};

/* The dead-letter queue is of the same account and Region: its URL has another name. */
static enum status dead_letter_of(const struct redrive *r, const struct sqs_queue *queue,
                                  const char *arn, struct sqs_queue *out, struct error *err)
{
    char url[SQS_MAX_URL + 1];
    const char *name = strrchr(arn, ':');
    const char *slash = strrchr(queue->url, '/');
    if (name == NULL || slash == NULL)
        return error_set(err, ST_BAD_ITEM, E_Q126, "the dead-letter queue's ARN is not understood");
    int n = snprintf(url, sizeof(url), "%.*s/%s", (int)(slash - queue->url), queue->url, name + 1);
    if (n < 0 || (size_t)n >= sizeof(url))
        return error_set(err, ST_TOO_BIG, E_Q126, "the dead-letter queue's URL is too long");
    return sqs_queue_parse(view_of(url), aws_client_config(r->client), out, err);
}

static void write_line(struct redrive *r, const char *queue, const char *dead_letter,
                       uint64_t messages, const char *what)
{
    bool first = r->named++ == 0;
    if (r->u.json) {
        buf_printf(&r->out, "%s{\"queue\":", first ? "" : ",");
        json_quote(&r->out, view_of(queue));
        buf_add_cstr(&r->out, ",\"dead_letter_queue\":");
        if (dead_letter[0] != '\0')
            json_quote(&r->out, view_of(dead_letter));
        else
            buf_add_cstr(&r->out, "null");
        buf_printf(&r->out, ",\"messages\":%llu,\"outcome\":\"%s\"}", (unsigned long long)messages,
                   what);
    } else {
        buf_printf(&r->out, "%s  %llu messages in %s  %s\n", queue, (unsigned long long)messages,
                   dead_letter[0] != '\0' ? dead_letter : "no dead-letter queue", what);
    }
}

/*
 * Sent first, deleted then: a message may be there twice for a while, and is never lost.  Done here
 * and not by SQS's StartMessageMoveTask, so that it works where that is not, and its end is known.
 */
static enum status move_some(struct redrive *r, const struct sqs_queue *from,
                             const struct sqs_queue *to, size_t *moved, struct error *err)
{
    struct sqs_receive options = {
        .max_messages = SQS_MAX_BATCH, .wait_s = 1, .visibility_s = VISIBILITY_S};
    struct sqs_messages *messages = NULL;
    struct sqs_outgoing out[SQS_MAX_BATCH];
    struct view receipts[SQS_MAX_BATCH];
    enum status each[SQS_MAX_BATCH];
    *moved = 0;
    enum status st = sqs_receive(r->client, from, &options, &messages, err);
    size_t n = st == ST_OK ? sqs_messages_count(messages) : 0, sent = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_message *m = sqs_messages_at(messages, i);
        out[i] = (struct sqs_outgoing){.body = m->body};
        if (to->fifo)
            out[i] = (struct sqs_outgoing){m->body, m->group_id, m->message_id};
    }
    if (n > 0)
        st = sqs_send(r->client, to, out, n, each, err);
    for (size_t i = 0; i < n; i++) {
        if (each[i] == ST_OK)
            receipts[sent++] = sqs_messages_at(messages, i)->receipt_handle;
    }
    *moved = sent;
    if (sent > 0) {
        enum status gone = sqs_delete(r->client, from, receipts, sent, each, err);
        st = st == ST_OK ? gone : st;
    }
    sqs_messages_free(messages);
    return st;
}

/* `about` of them are there, as far as the queue knows. */
static enum status move_all(struct redrive *r, const struct sqs_queue *from,
                            const struct sqs_queue *to, uint64_t about, uint64_t *moved,
                            struct error *err)
{
    struct progress *progress = upkeep_progress(&r->u, "messages");
    enum status st = ST_OK;
    *moved = 0;
    progress_expect(progress, 0, about, true);
    while (st == ST_OK && *moved < MAX_MESSAGES) {
        size_t some = 0;
        st = upkeep_stopped(NULL) ? error_set(err, ST_CANCELLED, E_A306, "asked to stop")
                                  : move_some(r, from, to, &some, err);
        if (st == ST_OK && some == 0)
            break;
        *moved += st == ST_OK ? some : 0;
        for (size_t i = 0; i < some; i++)
            progress_add_object(progress);
    }
    progress_free(progress);
    return st;
}

static enum status redrive_queue(struct redrive *r, const struct sqs_queue *queue,
                                 struct error *err)
{
    struct sqs_attributes a = {0}, d = {0};
    struct sqs_queue dead;
    enum status st = sqs_attributes(r->client, queue, &a, err);
    if (st == ST_OK && a.dead_letter_arn[0] == '\0') {
        write_line(r, queue->name, "", 0, "none");
        r->off = true;
        goto out;
    }
    if (st == ST_OK)
        st = dead_letter_of(r, queue, a.dead_letter_arn, &dead, err);
    if (st == ST_OK)
        st = sqs_attributes(r->client, &dead, &d, err);
    if (st != ST_OK)
        goto out;
    uint64_t moved = d.visible;
    if (!r->dry_run)
        st = move_all(r, &dead, queue, d.visible, &moved, err);
    r->off = r->off || (r->dry_run && d.visible > 0);
    write_line(r, queue->name, dead.name, moved,
               st != ST_OK  ? "stopped"
               : moved == 0 ? "empty"
               : r->dry_run ? "not moved"
                            : "moved");
out:
    sqs_attributes_clear(&a);
    sqs_attributes_clear(&d);
    return st;
}

static enum status work(struct redrive *r, struct error *err)
{
    struct view rest = view_of(r->queue != NULL ? r->queue : config_get("SQS_QUEUE_URL", NULL));
    struct view part;
    if (rest.len == 0)
        return error_set(err, ST_USAGE, E_U301, "SQS_QUEUE_URL is not set: the queue(s)");
    enum status st = settings_aws_open(&r->u.aws, err);
    struct aws_client_options client = {.config = r->u.aws.config,
                                        .creds = r->u.aws.creds,
                                        .budget = r->u.aws.budget,
                                        .clock = aws_clock_system(),
                                        .stop = {upkeep_stopped, NULL}};
    if (st == ST_OK)
        st = aws_client_new(&r->client, &client, err);
    while (st == ST_OK && view_split(&rest, ',', &part)) {
        struct sqs_queue queue;
        st = sqs_queue_parse(view_trim(part), r->u.aws.config, &queue, err);
        if (st == ST_OK)
            st = redrive_queue(r, &queue, err);
    }
    return st;
}

int cmd_redrive(int argc, char **argv)
{
    static struct redrive r;
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 3] = {
        {"queue", "URL,...", "instead of SQS_QUEUE_URL", &r.queue, NULL},
        {"dry-run", NULL, "only say how many messages are there", NULL, &r.dry_run},
        {"output", "text|json", "form of the result (default text)", &r.u.output, NULL},
    };
    enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]) };
    int count, status = EXIT_DONE;
    common_options_table(&r.u.common, specs + 3);
    enum status st = options_parse(specs, SPEC_COUNT, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, SPEC_COUNT);
        return EXIT_DONE;
    }
    if (st == ST_OK && count > 0)
        st = error_set(&err, ST_USAGE, E_U106, "\"%.80s\": redrive takes no arguments", argv[0]);
    if (st == ST_OK)
        st = upkeep_apply(&r.u, &err);
    buf_init(&r.out, MAX_TEXT);
    if (st == ST_OK && r.u.json)
        buf_add_cstr(&r.out, "{\"schema\":\"bedrock-metrics/redrive/1\",\"queues\":[");
    if (st == ST_OK) {
        upkeep_catch_signals();
        st = work(&r, &err);
    }
    if (st == ST_OK || r.named > 0) { /* also what was moved before a failure */
        if (r.u.json)
            buf_add_cstr(&r.out, "]}\n");
        status = upkeep_print("redrive", &r.out, r.off ? EXIT_FOUND_FAULTS : EXIT_DONE);
    }
    if (st != ST_OK)
        status = upkeep_failed("redrive", st, &err);
    aws_client_free(r.client);
    upkeep_close(&r.u);
    buf_clear(&r.out);
    return status;
}
