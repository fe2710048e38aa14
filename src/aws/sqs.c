/*
 * sqs.c: queue URLs, and the calls a consumer and a producer make (awsJson 1.0 since 2023).
 *
 * Facts: SQS API reference and developer guide: at most ten entries a batch, 1 MiB a batch (2025;
 * 256 KiB before); a batch may succeed in part, so each entry has a status of its own.  A long
 * poll holds the request for up to 20 s.
 */
#include "aws/sqs.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/aws_private.h"
#include "aws/uri.h"
#include "base/json_read.h"

enum {
    /* Ten messages of the largest size are 1 MiB together on AWS; escaped in JSON several times
       that. */
    MAX_ANSWER = 12 * 1024 * 1024,
    SLACK_MS = 10000, /* beyond the long poll's own time */
};

/* ---- queue URLs ---- */

/* "sqs.eu-west-1.amazonaws.com" with "sqs." before and the Region's suffix after: the Region. */
static bool region_between(struct view host, const char *before, const char *middle,
                           struct view *region)
{
    if (!view_starts(host, view_of(before)))
        return false;
    struct view rest = view_skip(host, strlen(before));
    size_t dot = view_find_char(rest, '.');
    if (dot == SIZE_MAX)
        return false;
    *region = view_first(rest, dot);
    rest = view_skip(rest, dot);
    if (!aws_region_valid(*region) || !view_starts(rest, view_of(middle)))
        return false;
    rest = view_skip(rest, strlen(middle));
    return rest.len > 1 && rest.ptr[0] == '.' &&
           (view_eq_cstr(view_skip(rest, 1), aws_region_suffix(*region)) ||
            view_eq_cstr(rest, ".api.aws"));
}

/*
 * vpce-0a1b-c2d3.sqs.eu-west-1.vpce.amazonaws.com
 *               ^^^^^        ^^^^^
 */
static bool vpc_endpoint(struct view host, struct view *region)
{
    size_t at = view_find(host, VIEW_LIT(".sqs."));
    return at != SIZE_MAX && view_starts(host, VIEW_LIT("vpce-")) &&
           region_between(view_skip(host, at + 1), "sqs.", ".vpce", region);
}

static bool queue_name_valid(struct view name)
{
    if (view_ends(name, VIEW_LIT(".fifo")))
        name = view_first(name, name.len - 5);
    return name.len <= 80 && view_is_word(name, "-_");
}

/* Fill region and endpoint from the host; false: not a host requests may go to. */
static bool place(const struct uri *u, struct view url, bool has_override, struct sqs_queue *out)
{
    struct view region = VIEW_EMPTY;
    bool own = region_between(u->host, "sqs.", "", &region) ||
               region_between(u->host, "sqs-fips.", "", &region);
    if (!own) {
        /* eu-west-1.queue.amazonaws.com and queue.amazonaws.com, which old queues are still known
         * by */
        size_t at = view_find(u->host, VIEW_LIT(".queue."));
        if (view_eq_cstr(u->host, "queue.amazonaws.com")) {
            region = VIEW_LIT("us-east-1");
            own = true;
        } else if (at != SIZE_MAX && aws_region_valid(view_first(u->host, at)) &&
                   view_eq_cstr(view_skip(u->host, at + 7),
                                aws_region_suffix(view_first(u->host, at)))) {
            region = view_first(u->host, at);
            own = true;
        }
    }
    if (own && (u->https || has_override))
        return view_copy(region, out->region, sizeof(out->region));
    struct view origin = view_first(url, (size_t)(u->authority.ptr + u->authority.len - url.ptr));
    if (u->https && vpc_endpoint(u->host, &region))
        return view_copy(region, out->region, sizeof(out->region)) &&
               (has_override || view_copy(origin, out->endpoint, sizeof(out->endpoint)));
    if (has_override) {
        /* Emulators put the Region where AWS does, before their own name. */
        struct view rest = u->host;
        struct view label;
        if (view_split(&rest, '.', &label) && view_eq_cstr(label, "sqs") &&
            view_split(&rest, '.', &label) && aws_region_valid(label))
            return view_copy(label, out->region, sizeof(out->region));
        return true;
    }
    return uri_host_is_loopback(u->host) && view_copy(origin, out->endpoint, sizeof(out->endpoint));
}

enum status sqs_queue_parse(struct view url, const struct aws_config *config, struct sqs_queue *out,
                            struct error *err)
{
    struct uri u;
    memset(out, 0, sizeof(*out));
    if (!view_copy(url, out->url, sizeof(out->url)) || uri_parse(url, &u) != ST_OK)
        return error_set(err, ST_USAGE, E_U216, "not a queue URL: \"%.*s\"", SHOW_MAX(url, 160));
    size_t slash = view_rfind(u.path, VIEW_LIT("/"));
    struct view name = slash == SIZE_MAX ? VIEW_EMPTY : view_skip(u.path, slash + 1);
    struct view account =
        slash == SIZE_MAX || slash == 0 ? VIEW_EMPTY : view_skip(view_first(u.path, slash), 1);
    if (!queue_name_valid(name) || !view_copy(name, out->name, sizeof(out->name)))
        return error_set(err, ST_USAGE, E_U216, "queue URL without a queue name: \"%.*s\"",
                         SHOW_MAX(url, 160));
    uint64_t number;
    if (account.len == 12 && view_parse_u64(account, UINT64_MAX, &number) == ST_OK)
        (void)view_copy(account, out->account, sizeof(out->account));
    out->fifo = view_ends(name, VIEW_LIT(".fifo"));
    /* Where somebody configured another endpoint for SQS, the host of a queue URL is only a name. */
    bool overridden = false;
    struct buf unused;
    buf_init(&unused, SQS_MAX_URL);
    if (config != NULL && aws_config_endpoint(config, &AWS_SQS, VIEW_LIT("us-east-1"), &unused,
                                              &overridden, NULL) != ST_OK)
        overridden = false;
    buf_clear(&unused);
    if (!place(&u, url, overridden, out))
        return error_set(err, ST_USAGE, E_U216,
                         "queue URL is neither one of SQS nor on loopback: \"%.*s\"",
                         SHOW_MAX(url, 160));
    return ST_OK;
}

/* ---- calls ---- */

static enum status call(struct aws_client *c, const struct sqs_queue *q, const char *operation,
                        uint32_t total_timeout_ms, const json_t *in, json_t **out,
                        struct error *err)
{
    struct aws_json_call call = {.service = &AWS_SQS,
                                 .region = view_of(q->region),
                                 .endpoint = view_of(q->endpoint),
                                 .target_prefix = "AmazonSQS",
                                 .operation = operation,
                                 .total_timeout_ms = total_timeout_ms,
                                 .max_body_bytes = MAX_ANSWER};
    return aws_json_call(c, &call, in, out, NULL, err);
}

static uint64_t attribute_u64(const json_t *attributes, const char *name)
{
    uint64_t value = 0;
    if (view_parse_u64(json_text(attributes, name), INT64_MAX, &value) != ST_OK)
        return 0;
    return value;
}

/*
 * MD5 here is a check against damage on the way, as SQS defines it, and no matter of security; where
 * OpenSSL has none (FIPS), the check is left out.
 */
static bool md5_fits(struct view body, struct view expected)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[33];
    if (expected.len == 0 ||
        EVP_Digest(body.len > 0 ? body.ptr : "", body.len, digest, &len, EVP_md5(), NULL) != 1)
        return true;
    hex_format(digest, 16, text);
    return view_eq_nocase(expected, view_make(text, 32));
}

/*
 * The messages of an answer as views into its document.  One that does not match its digest fails
 * the whole call: its visibility timeout ends and it is delivered again.
 */
static enum status read_messages(struct sqs_messages *m, struct error *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(m->doc, "Messages"), i, item)
    {
        const json_t *attributes = json_object_get(item, "Attributes");
        if (m->n == SQS_MAX_BATCH)
            return error_set(err, ST_RETRY, E_A305, "ReceiveMessage: more messages than asked for");
        struct sqs_message *out = &m->all[m->n++];
        *out = (struct sqs_message){.message_id = json_text(item, "MessageId"),
                                    .receipt_handle = json_text(item, "ReceiptHandle"),
                                    .body = json_text(item, "Body"),
                                    .group_id = json_text(attributes, "MessageGroupId"),
                                    .receive_count =
                                        attribute_u64(attributes, "ApproximateReceiveCount")};
        if (out->message_id.len == 0 || out->receipt_handle.len == 0)
            return error_set(err, ST_RETRY, E_A305, "ReceiveMessage: message without id or handle");
        if (!md5_fits(out->body, json_text(item, "MD5OfBody")))
            return error_set(err, ST_RETRY, E_A305,
                             "ReceiveMessage: a body does not match its MD5");
    }
    return ST_OK;
}

enum status sqs_receive(struct aws_client *c, const struct sqs_queue *q,
                        const struct sqs_receive *options, struct sqs_messages **out,
                        struct error *err)
{
    *out = NULL;
    json_t *in =
        json_pack("{s:s, s:i, s:i, s:[s,s]}", "QueueUrl", q->url, "MaxNumberOfMessages",
                  (int)options->max_messages, "WaitTimeSeconds", (int)options->wait_s,
                  "MessageSystemAttributeNames", "ApproximateReceiveCount", "MessageGroupId");
    struct sqs_messages *m = calloc(1, sizeof(*m));
    enum status st = in == NULL || m == NULL ? ST_NO_MEMORY : ST_OK;
    if (!st && options->visibility_s >= 0 &&
        json_object_set_new(in, "VisibilityTimeout", json_integer(options->visibility_s)) != 0)
        st = ST_NO_MEMORY;
    if (!st)
        st = call(c, q, "ReceiveMessage", options->wait_s * 1000 + SLACK_MS, in, &m->doc, err);
    if (!st)
        st = read_messages(m, err);
    json_decref(in);
    if (st)
        sqs_messages_free(m);
    else
        *out = m;
    return st;
}

void sqs_messages_free(struct sqs_messages *m)
{
    if (m == NULL)
        return;
    json_decref(m->doc);
    free(m);
}

/* The index an answer's entry speaks of, or SIZE_MAX. */
static size_t entry_index(const json_t *entry, size_t n)
{
    uint64_t id = 0;
    if (view_parse_u64(json_text(entry, "Id"), UINT32_MAX, &id) != ST_OK || id >= n)
        return SIZE_MAX;
    return (size_t)id;
}

/*
 * What to do about an entry that the answer lists as failed.  A stale receipt handle is
 * ST_MISSING: the message has been delivered to somebody else meanwhile.
 */
static enum status failed_entry(const json_t *entry)
{
    struct view code = json_text(entry, "Code");
    static const char *const stale[] = {"ReceiptHandleIsInvalid", "MessageNotInflight",
                                        "InvalidParameterValue",
                                        "AWS.SimpleQueueService.MessageNotInflight"};
    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++)
        if (view_eq_cstr(code, stale[i]))
            return ST_MISSING;
    return json_is_true(json_object_get(entry, "SenderFault")) ? ST_BAD_ITEM : ST_RETRY;
}

/*
 * One request with `entries` (taken over), whose Ids are indexes into each[0..n).  Only what the
 * answer names as successful is; all else stays as the caller set it (ST_RETRY).
 */
static enum status send_batch(struct aws_client *c, const struct sqs_queue *q,
                              const char *operation, json_t *entries, enum status *each, size_t n,
                              struct error *err)
{
    size_t i;
    json_t *entry;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s, s:o}", "QueueUrl", q->url, "Entries", entries);
    if (in == NULL)
        return ST_NO_MEMORY;
    enum status st = call(c, q, operation, SLACK_MS, in, &out, err);
    if (st && st != ST_RETRY)
        json_array_foreach(entries, i, entry)
        {
            size_t at = entry_index(entry, n);
            if (at != SIZE_MAX)
                each[at] = st;
        }
    json_array_foreach(json_object_get(out, "Successful"), i, entry)
    {
        size_t at = entry_index(entry, n);
        if (at != SIZE_MAX)
            each[at] = ST_OK;
    }
    json_array_foreach(json_object_get(out, "Failed"), i, entry)
    {
        size_t at = entry_index(entry, n);
        struct view code = json_text(entry, "Code");
        if (at == SIZE_MAX)
            continue;
        each[at] = failed_entry(entry);
        error_set(err, each[at], aws_code_of_name(code, E_A308), "%s: an entry failed: %.*s",
                  operation, SHOW_MAX(code, 64));
    }
    json_decref(in);
    json_decref(out);
    return st;
}

/* What a batch call puts into its entries. */
struct batch {
    const char *operation;
    size_t n;
    const void *items;
    /* The entry without Id, NULL when it cannot be made; *nbytes is what it weighs. */
    json_t *(*make)(const void *items, size_t i, const struct sqs_queue *q, size_t *nbytes);
};

/* All items in as many requests as they need: ten entries and SQS_MAX_BODY bytes each. */
static enum status run_batches(struct aws_client *c, const struct sqs_queue *q,
                               const struct batch *b, enum status *each, struct error *err)
{
    enum status first = ST_OK;
    for (size_t i = 0; i < b->n; i++)
        each[i] = ST_RETRY;
    size_t i = 0;
    while (i < b->n) {
        json_t *entries = json_array();
        size_t nbytes = 0;
        if (entries == NULL)
            return ST_NO_MEMORY;
        while (i < b->n && json_array_size(entries) < SQS_MAX_BATCH) {
            char id[24];
            size_t weight = 0;
            json_t *entry = b->make(b->items, i, q, &weight);
            if (entry == NULL) {
                each[i++] = ST_BAD_ITEM;
                continue;
            }
            if (nbytes + weight > SQS_MAX_BODY && json_array_size(entries) > 0) {
                json_decref(entry);
                break;
            }
            nbytes += weight;
            snprintf(id, sizeof(id), "%zu", i++);
            json_object_set_new(entry, "Id", json_string(id));
            json_array_append_new(entries, entry);
        }
        if (json_array_size(entries) == 0) {
            json_decref(entries);
            continue;
        }
        enum status st = send_batch(c, q, b->operation, entries, each, b->n, err);
        if (st) { /* the queue or the network is at fault, not the entries: no use going on */
            first = st;
            break;
        }
    }
    for (size_t k = 0; k < b->n && !first; k++)
        first = each[k];
    return first;
}

static json_t *make_delete(const void *items, size_t i, const struct sqs_queue *q, size_t *nbytes)
{
    const struct view *receipts = items;
    (void)q;
    *nbytes = receipts[i].len;
    return json_pack("{s:s%}", "ReceiptHandle", receipts[i].ptr == NULL ? "" : receipts[i].ptr,
                     receipts[i].len);
}

enum status sqs_delete(struct aws_client *c, const struct sqs_queue *q, const struct view *receipts,
                       size_t n, enum status *each, struct error *err)
{
    struct batch b = {"DeleteMessageBatch", n, receipts, make_delete};
    return run_batches(c, q, &b, each, err);
}

static json_t *make_visibility(const void *items, size_t i, const struct sqs_queue *q,
                               size_t *nbytes)
{
    const struct sqs_visibility *v = (const struct sqs_visibility *)items + i;
    (void)q;
    *nbytes = v->receipt_handle.len;
    return json_pack(
        "{s:s%, s:i}", "ReceiptHandle", v->receipt_handle.ptr == NULL ? "" : v->receipt_handle.ptr,
        v->receipt_handle.len, "VisibilityTimeout", (int)(v->seconds > 43200 ? 43200 : v->seconds));
}

enum status sqs_change_visibility(struct aws_client *c, const struct sqs_queue *q,
                                  const struct sqs_visibility *entries, size_t n, enum status *each,
                                  struct error *err)
{
    struct batch b = {"ChangeMessageVisibilityBatch", n, entries, make_visibility};
    return run_batches(c, q, &b, each, err);
}

static json_t *make_send(const void *items, size_t i, const struct sqs_queue *q, size_t *nbytes)
{
    const struct sqs_outgoing *m = (const struct sqs_outgoing *)items + i;
    *nbytes = m->body.len;
    if (m->body.len == 0 || m->body.len > SQS_MAX_BODY)
        return NULL;
    json_t *entry = json_pack("{s:s%}", "MessageBody", m->body.ptr, m->body.len);
    if (entry == NULL || !q->fifo)
        return entry;
    if (m->group_id.len > 0)
        json_object_set_new(entry, "MessageGroupId",
                            json_stringn(m->group_id.ptr, m->group_id.len));
    if (m->dedup_id.len > 0)
        json_object_set_new(entry, "MessageDeduplicationId",
                            json_stringn(m->dedup_id.ptr, m->dedup_id.len));
    return entry;
}

enum status sqs_send(struct aws_client *c, const struct sqs_queue *q,
                     const struct sqs_outgoing *entries, size_t n, enum status *each,
                     struct error *err)
{
    struct batch b = {"SendMessageBatch", n, entries, make_send};
    return run_batches(c, q, &b, each, err);
}

void sqs_attributes_clear(struct sqs_attributes *a)
{
    buf_clear(&a->policy);
}

/* {"deadLetterTargetArn":"arn:aws:sqs:...","maxReceiveCount":"3"} */
static void read_redrive(struct sqs_attributes *out, struct view text)
{
    json_t *doc = aws_json_parse(text);
    if (doc == NULL)
        return;
    const json_t *count = json_object_get(doc, "maxReceiveCount"); /* a number, or one in quotes */
    out->max_receive_count = json_is_integer(count) && json_integer_value(count) > 0
                                 ? (uint64_t)json_integer_value(count)
                                 : attribute_u64(doc, "maxReceiveCount");
    (void)view_copy(json_text(doc, "deadLetterTargetArn"), out->dead_letter_arn,
                    sizeof(out->dead_letter_arn));
    json_decref(doc);
}

enum status sqs_attributes(struct aws_client *c, const struct sqs_queue *q,
                           struct sqs_attributes *out, struct error *err)
{
    json_t *doc = NULL;
    memset(out, 0, sizeof(*out));
    buf_init(&out->policy, 64 * 1024);
    json_t *in = json_pack("{s:s, s:[s]}", "QueueUrl", q->url, "AttributeNames", "All");
    if (in == NULL)
        return ST_NO_MEMORY;
    enum status st = call(c, q, "GetQueueAttributes", SLACK_MS, in, &doc, err);
    json_decref(in);
    if (st)
        return st;
    const json_t *a = json_object_get(doc, "Attributes");
    out->visible = attribute_u64(a, "ApproximateNumberOfMessages");
    out->in_flight = attribute_u64(a, "ApproximateNumberOfMessagesNotVisible");
    out->delayed = attribute_u64(a, "ApproximateNumberOfMessagesDelayed");
    out->visibility_timeout_s = attribute_u64(a, "VisibilityTimeout");
    out->retention_s = attribute_u64(a, "MessageRetentionPeriod");
    out->receive_wait_s = attribute_u64(a, "ReceiveMessageWaitTimeSeconds");
    out->fifo = view_eq_cstr(json_text(a, "FifoQueue"), "true");
    out->encrypted = view_eq_cstr(json_text(a, "SqsManagedSseEnabled"), "true") ||
                     json_text(a, "KmsMasterKeyId").len > 0;
    (void)view_copy(json_text(a, "QueueArn"), out->arn, sizeof(out->arn));
    read_redrive(out, json_text(a, "RedrivePolicy"));
    buf_add_view(&out->policy, json_text(a, "Policy"));
    st = buf_status(&out->policy);
    json_decref(doc);
    return st;
}
