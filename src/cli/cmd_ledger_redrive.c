/* cmd_ledger_redrive.c: messages of dead-letter queues, moved back to their queues. */
#include "aws/sqs.h"
#include "base/json_out.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/ledger_command.h"
#include "config/variables.h"

enum { MAX_TEXT = 1 << 20, VISIBILITY_S = 60, MAX_MESSAGES = 1000 * 1000 };

struct options {
    const char *queue;
    bool dry_run;
    enum output_form output;
    struct ledger_command ledger; /* only its side of AWS */
    struct aws_client *client;
    struct buf out;
    struct json_out j;
    bool named; /* some queue was */
};

static const struct option rows[] = {
    {"queue", "URL,...", "instead of SQS_QUEUE_URL", OPT_TEXT(queue)},
    {"dry-run", NULL, "only say how many messages are there", OPT_FLAG(dry_run)},
    OUTPUT_OPTION,
};

/* The dead-letter queue is of the same account and Region: its URL has another name. */
static enum status dead_letter_of(const struct options *o, const struct sqs_queue *queue,
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
    return sqs_queue_parse(view_of(url), aws_client_config(o->client), out, err);
}

static void write_line(struct options *o, const char *queue, const char *dead_letter,
                       uint64_t messages, const char *what)
{
    o->named = true;
    if (o->output == AS_JSON) {
        json_open_object(&o->j, NULL);
        json_add_cstr(&o->j, "queue", queue);
        json_add_cstr(&o->j, "dead_letter_queue", dead_letter[0] != '\0' ? dead_letter : NULL);
        json_add_u64(&o->j, "messages", messages);
        json_add_cstr(&o->j, "outcome", what);
        json_close(&o->j);
    } else {
        buf_printf(&o->out, "%s  %llu messages in %s  %s\n", queue, (unsigned long long)messages,
                   dead_letter[0] != '\0' ? dead_letter : "no dead-letter queue", what);
    }
}

/*
 * Sent first, deleted then: a message may be there twice for a while, and is never lost.  Done here
 * and not by SQS's StartMessageMoveTask, so that it works where that is not, and its end is known.
 */
static enum status move_some(struct options *o, const struct sqs_queue *from,
                             const struct sqs_queue *to, size_t *moved, struct error *err)
{
    struct sqs_receive options = {
        .max_messages = SQS_MAX_BATCH, .wait_s = 1, .visibility_s = VISIBILITY_S};
    struct sqs_messages *messages = NULL;
    struct sqs_outgoing out[SQS_MAX_BATCH];
    struct view receipts[SQS_MAX_BATCH];
    enum status each[SQS_MAX_BATCH];
    *moved = 0;
    enum status st = sqs_receive(o->client, from, &options, &messages, err);
    size_t n = st == ST_OK ? messages->n : 0, sent = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_message *m = &messages->all[i];
        out[i] = (struct sqs_outgoing){.body = m->body};
        if (to->fifo)
            out[i] = (struct sqs_outgoing){m->body, m->group_id, m->message_id};
    }
    if (n > 0)
        st = sqs_send(o->client, to, out, n, each, err);
    for (size_t i = 0; i < n; i++) {
        if (each[i] == ST_OK)
            receipts[sent++] = messages->all[i].receipt_handle;
    }
    *moved = sent;
    if (sent > 0) {
        enum status gone = sqs_delete(o->client, from, receipts, sent, each, err);
        st = st == ST_OK ? gone : st;
    }
    sqs_messages_free(messages);
    return st;
}

/* `about` of them are there, as far as the queue knows. */
static enum status move_all(struct invocation *in, const struct sqs_queue *from,
                            const struct sqs_queue *to, uint64_t about, uint64_t *moved,
                            struct error *err)
{
    struct progress *progress = command_progress(in, "messages");
    enum status st = ST_OK;
    *moved = 0;
    progress_expect(progress, 0, about, true);
    while (st == ST_OK && *moved < MAX_MESSAGES) {
        size_t some = 0;
        st = stop_asked(NULL) ? error_set(err, ST_CANCELLED, E_A306, "asked to stop")
                              : move_some(in->options, from, to, &some, err);
        if (st == ST_OK && some == 0)
            break;
        *moved += st == ST_OK ? some : 0;
        for (size_t i = 0; i < some; i++)
            progress_add_object(progress);
    }
    progress_free(progress);
    return st;
}

static enum status redrive_queue(struct invocation *in, const struct sqs_queue *queue,
                                 struct error *err)
{
    struct options *o = in->options;
    struct sqs_attributes a = {0}, d = {0};
    struct sqs_queue dead;
    enum status st = sqs_attributes(o->client, queue, &a, err);
    if (st == ST_OK && a.dead_letter_arn[0] == '\0') {
        write_line(o, queue->name, "", 0, "none");
        in->exit = EXIT_FOUND_FAULTS;
        goto out;
    }
    if (st == ST_OK)
        st = dead_letter_of(o, queue, a.dead_letter_arn, &dead, err);
    if (st == ST_OK)
        st = sqs_attributes(o->client, &dead, &d, err);
    if (st != ST_OK)
        goto out;
    uint64_t moved = d.visible;
    if (!o->dry_run)
        st = move_all(in, &dead, queue, d.visible, &moved, err);
    if (o->dry_run && d.visible > 0)
        in->exit = EXIT_FOUND_FAULTS;
    write_line(o, queue->name, dead.name, moved,
               st != ST_OK  ? "stopped"
               : moved == 0 ? "empty"
               : o->dry_run ? "not moved"
                            : "moved");
out:
    sqs_attributes_clear(&a);
    sqs_attributes_clear(&d);
    return st;
}

static enum status move_queues(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct view rest = view_of(o->queue != NULL ? o->queue : variable_get(VAR_SQS_QUEUE_URL));
    struct view part;
    if (rest.len == 0)
        return error_set(err, ST_USAGE, E_U301, "SQS_QUEUE_URL is not set: the queue(s)");
    enum status st = settings_aws_open(&o->ledger.aws, err);
    if (st == ST_OK)
        st = ledger_command_client(&o->ledger, &o->client, err);
    while (st == ST_OK && view_split(&rest, ',', &part)) {
        struct sqs_queue queue;
        st = sqs_queue_parse(view_trim(part), o->ledger.aws.config, &queue, err);
        if (st == ST_OK)
            st = redrive_queue(in, &queue, err);
    }
    return st;
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    bool json = o->output == AS_JSON;
    o->j.out = &o->out;
    buf_init(&o->out, MAX_TEXT);
    if (json) {
        json_begin(&o->j, "bedrock-metrics/redrive/1");
        json_open_array(&o->j, "queues");
    }
    stop_catch_signals(STOP_IN_ORDER);
    enum status st = move_queues(in, err);
    if (st != ST_OK && !o->named)
        return st;
    if (json)
        json_end(&o->j);
    /* Also what was moved before a failure. */
    struct error detail = {0};
    enum status printed = command_print(&o->out, &detail);
    if (st == ST_OK && printed != ST_OK)
        *err = detail;
    return st == ST_OK ? printed : st;
}

static void close_redrive(void *options)
{
    struct options *o = options;
    aws_client_free(o->client);
    ledger_command_close(&o->ledger);
    buf_clear(&o->out);
}

COMMAND(ledger_redrive) = {
    .group = GROUP_LEDGER,
    .family = "ledger",
    .name = "redrive",
    .synopsis = "[OPTIONS]",
    .summary = "Move the messages of dead-letter queues back to their queues",
    .details =
        "The queues are those of SQS_QUEUE_URL.\n"
        "\n"
        "Fix first what sent them there: `ledger quarantine list` and the log name the reasons.  "
        "With a\n"
        "ledger no object counts twice, however often its message comes.\n"
        "\n"
        "Permissions: sqs:GetQueueAttributes on both, on the dead-letter queue sqs:ReceiveMessage\n"
        "and sqs:DeleteMessage, on the queue sqs:SendMessage.\n"
        "\n"
        "Exit status: 0 nothing is there any more; 1 with --dry-run: messages are\n"
        "there; or a queue could not be asked; 2 wrong usage or configuration.\n",
    .reads = READ_QUEUE,
    COMMAND_OPTIONS(rows),
    .run = run,
    .close = close_redrive,
};
