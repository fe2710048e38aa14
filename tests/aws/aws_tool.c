/*
 * aws_tool: the AWS layer driven from standard input, one JSON object in, one out, for the Python
 * tests.
 *
 * {"op":"s3_get","bucket":"b","key":"k"} -> {"status":"ok","size":5,"sha256":"..."}.  One client
 * for the life of the process, so that kept-alive connections and caches are exercised.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/aws_json.h"
#include "aws/aws_private.h"
#include "aws/bedrock.h"
#include "aws/cloudwatch.h"
#include "aws/cloudwatch_read.h"
#include "aws/dynamodb.h"
#include "aws/lambda_api.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "aws/sts.h"
#include "base/json_read.h"
#include "base/log.h"

#include <openssl/evp.h>

struct tool {
    struct aws_config *config;
    struct cred_chain *chain;
    struct retry_budget *budget;
    struct aws_client *client;
    struct lambda_api *lambda;
    struct lambda_invocation inv;
};

/* Where fail_alloc.so is preloaded: allocations may fail from here on. */
extern void fail_alloc_arm(void) __attribute__((weak));

static volatile sig_atomic_t stop_now;

static void on_signal(int signal)
{
    (void)signal;
    stop_now = 1;
}

static bool stop_asked(void *ctx)
{
    (void)ctx;
    return stop_now != 0;
}

static struct view text(const json_t *o, const char *key)
{
    return json_text(o, key);
}

static json_int_t number(const json_t *o, const char *key, json_int_t otherwise)
{
    const json_t *m = json_object_get(o, key);
    return json_is_integer(m) ? json_integer_value(m) : otherwise;
}

static json_t *view_json(struct view v)
{
    json_t *s = json_stringn(v.len > 0 ? v.ptr : "", v.len);
    return s != NULL ? s : json_string("<not text>");
}

static void set(json_t *out, const char *key, json_t *value)
{
    json_object_set_new(out, key, value);
}

static enum status do_s3(struct tool *t, const char *op, const json_t *in, json_t *out,
                         struct error *err);

static enum status do_s3_get(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    struct s3_get get = {
        .bucket = text(in, "bucket"), .key = text(in, "key"), .region = text(in, "region")};
    size_t chunk = (size_t)number(in, "chunk", 256 * 1024);
    useconds_t pause = (useconds_t)number(in, "pause_us", 0);
    struct s3_object *o = NULL;
    enum status st = s3_object_open(&o, t->client, &get, err);
    if (st)
        return st;
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[65] = "";
    uint64_t total = 0;
    unsigned reads = 0;
    char *bytes = malloc(chunk);
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    bool ready = sha != NULL && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;
    size_t n = 0;
    if (bytes == NULL || !ready) {
        EVP_MD_CTX_free(sha);
        s3_object_close(o);
        free(bytes);
        return ST_NO_MEMORY;
    }
    while ((st = s3_object_read(o, bytes, chunk, &n, err)) == ST_OK) {
        EVP_DigestUpdate(sha, bytes, n);
        total += n;
        reads++;
        if (pause > 0)
            usleep(pause);
    }
    EVP_DigestFinal_ex(sha, digest, NULL);
    EVP_MD_CTX_free(sha);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
    set(out, "sha256", json_string(hex));
    set(out, "size", json_integer((json_int_t)s3_object_size(o)));
    set(out, "read", json_integer((json_int_t)total));
    set(out, "reads", json_integer(reads));
    set(out, "etag", view_json(s3_object_etag(o)));
    set(out, "restarts", json_integer(s3_object_restarts(o)));
    s3_object_close(o);
    free(bytes);
    return st == ST_END ? ST_OK : st;
}

/* Two objects read in turns on one client, with listings in between. */
static enum status do_s3_turns(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    struct s3_object *o[2] = {NULL, NULL};
    uint64_t sums[2] = {0, 0};
    bool open[2] = {false, false};
    char bytes[30000];
    size_t n = 0;
    enum status st = ST_OK;
    for (int i = 0; i < 2 && !st; i++) {
        const json_t *key = json_array_get(json_object_get(in, "keys"), (size_t)i);
        struct s3_get get = {.bucket = text(in, "bucket"), .key = view_of(json_string_value(key))};
        st = s3_object_open(&o[i], t->client, &get, err);
        open[i] = st == ST_OK;
    }
    for (unsigned turn = 0; !st && (open[0] || open[1]); turn++) {
        unsigned i = turn % 2;
        if (turn % 20 == 0) {
            json_t *unused = json_object();
            st = do_s3(t, "s3_head", in, unused, err);
            json_decref(unused);
        }
        if (!open[i] || st)
            continue;
        st = s3_object_read(o[i], bytes, sizeof(bytes), &n, err);
        for (size_t k = 0; k < n && !st; k++)
            sums[i] = sums[i] * 31 + (unsigned char)bytes[k];
        if (st == ST_END) {
            open[i] = false;
            st = ST_OK;
        }
    }
    set(out, "sums", json_pack("[I, I]", (json_int_t)(sums[0] >> 1), (json_int_t)(sums[1] >> 1)));
    s3_object_close(o[0]);
    s3_object_close(o[1]);
    return st;
}

static enum status do_s3_list(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    struct s3_list_options options = {.bucket = text(in, "bucket"),
                                      .prefix = text(in, "prefix"),
                                      .start_after = text(in, "start_after"),
                                      .delimiter = text(in, "delimiter"),
                                      .page_keys = (unsigned)number(in, "page", 0)};
    struct s3_list *l = NULL;
    struct s3_entry e;
    json_t *keys = json_array();
    set(out, "entries", keys);
    enum status st = s3_list_open(&l, t->client, &options, err);
    if (st)
        return st;
    while ((st = s3_list_next(l, &e, err)) == ST_OK) {
        json_t *entry = json_object();
        set(entry, "key", view_json(e.key));
        set(entry, "size", json_integer((json_int_t)e.size));
        set(entry, "etag", view_json(e.etag));
        set(entry, "modified", json_integer(e.modified_s));
        set(entry, "prefix", json_boolean(e.is_prefix));
        json_array_append_new(keys, entry);
    }
    s3_list_close(l);
    return st == ST_END ? ST_OK : st;
}

static enum status do_s3(struct tool *t, const char *op, const json_t *in, json_t *out,
                         struct error *err)
{
    if (strcmp(op, "s3_get") == 0)
        return do_s3_get(t, in, out, err);
    if (strcmp(op, "s3_list") == 0)
        return do_s3_list(t, in, out, err);
    if (strcmp(op, "s3_turns") == 0)
        return do_s3_turns(t, in, out, err);
    if (strcmp(op, "s3_put") == 0)
        return s3_put_object(t->client, text(in, "bucket"), text(in, "key"), text(in, "body"),
                             json_is_true(json_object_get(in, "if_none_match")), err);
    if (strcmp(op, "s3_setting") == 0) {
        struct buf xml;
        buf_init(&xml, 1024 * 1024);
        enum status got = s3_get_setting(t->client, text(in, "bucket"),
                                         json_string_value(json_object_get(in, "what")), &xml, err);
        set(out, "xml", view_json(buf_view(&xml)));
        buf_clear(&xml);
        return got;
    }
    struct buf region;
    buf_init(&region, 100);
    enum status st = s3_head_bucket(t->client, text(in, "bucket"), &region, err);
    set(out, "region", view_json(buf_view(&region)));
    buf_clear(&region);
    return st;
}

static void set_each(json_t *out, const enum status *each, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(status_name(each[i])));
    set(out, "each", list);
}

static enum status do_sqs_receive(struct tool *t, const struct sqs_queue *q, const json_t *in,
                                  json_t *out, struct error *err)
{
    struct sqs_receive options = {.max_messages = (unsigned)number(in, "max", 10),
                                  .wait_s = (unsigned)number(in, "wait", 0),
                                  .visibility_s = (int)number(in, "visibility", -1)};
    struct sqs_messages *m = NULL;
    json_t *list = json_array();
    set(out, "messages", list);
    enum status st = sqs_receive(t->client, q, &options, &m, err);
    if (st)
        return st;
    for (size_t i = 0; i < m->n; i++) {
        const struct sqs_message *msg = &m->all[i];
        json_t *o = json_object();
        set(o, "id", view_json(msg->message_id));
        set(o, "receipt", view_json(msg->receipt_handle));
        set(o, "body", view_json(msg->body));
        set(o, "group", view_json(msg->group_id));
        set(o, "count", json_integer((json_int_t)msg->receive_count));
        json_array_append_new(list, o);
    }
    sqs_messages_free(m);
    return ST_OK;
}

static enum status do_sqs_batch(struct tool *t, const char *op, const struct sqs_queue *q,
                                const json_t *in, json_t *out, struct error *err)
{
    const json_t *list = json_object_get(in, "entries");
    size_t n = json_array_size(list);
    enum status *each = calloc(n + 1, sizeof(*each));
    struct view *receipts = calloc(n + 1, sizeof(*receipts));
    struct sqs_visibility *visibility = calloc(n + 1, sizeof(*visibility));
    struct sqs_outgoing *outgoing = calloc(n + 1, sizeof(*outgoing));
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_array_get(list, i);
        struct view v = view_make(json_string_value(s), json_string_length(s));
        receipts[i] = v;
        visibility[i] = (struct sqs_visibility){v, (uint32_t)number(in, "seconds", 0)};
        outgoing[i] = (struct sqs_outgoing){v, text(in, "group"), VIEW_EMPTY};
    }
    enum status st = strcmp(op, "sqs_delete") == 0
                         ? sqs_delete(t->client, q, receipts, n, each, err)
                     : strcmp(op, "sqs_send") == 0
                         ? sqs_send(t->client, q, outgoing, n, each, err)
                         : sqs_change_visibility(t->client, q, visibility, n, each, err);
    set_each(out, each, n);
    free(each);
    free(receipts);
    free(visibility);
    free(outgoing);
    return st;
}

static enum status do_sqs(struct tool *t, const char *op, const json_t *in, json_t *out,
                          struct error *err)
{
    struct sqs_queue q;
    enum status st = sqs_queue_parse(text(in, "queue"), t->config, &q, err);
    if (st)
        return st;
    if (strcmp(op, "sqs_receive") == 0)
        return do_sqs_receive(t, &q, in, out, err);
    if (strcmp(op, "sqs_attributes") != 0)
        return do_sqs_batch(t, op, &q, in, out, err);
    struct sqs_attributes a;
    st = sqs_attributes(t->client, &q, &a, err);
    if (!st) {
        set(out, "visible", json_integer((json_int_t)a.visible));
        set(out, "in_flight", json_integer((json_int_t)a.in_flight));
        set(out, "visibility", json_integer((json_int_t)a.visibility_timeout_s));
        set(out, "max_receive", json_integer((json_int_t)a.max_receive_count));
        set(out, "dlq", json_string(a.dead_letter_arn));
        set(out, "arn", json_string(a.arn));
        set(out, "fifo", json_boolean(a.fifo));
    }
    sqs_attributes_clear(&a);
    return st;
}

/* "metrics" of the request, and what was read of each: [[time, value], ...]. */
struct reading {
    const json_t *metrics;
    json_t *values;
};

static json_t *metric_of(void *ctx, size_t series)
{
    const struct reading *r = ctx;
    return json_incref(json_array_get(r->metrics, series));
}

static enum status take_values(void *ctx, size_t series, const struct cloudwatch_value *values,
                               size_t n, struct error *err)
{
    struct reading *r = ctx;
    json_t *list = json_array();
    (void)err;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("[I, f]", (json_int_t)values[i].time_s, values[i].value));
    while (json_array_size(r->values) <= series)
        json_array_append_new(r->values, json_null());
    return json_array_set_new(r->values, series, list) == 0 ? ST_OK : ST_NO_MEMORY;
}

static enum status do_cw(struct tool *t, const char *op, const json_t *in, json_t *out,
                         struct error *err)
{
    json_t *result = NULL;
    if (strcmp(op, "cw_put") == 0)
        return cloudwatch_put_data(t->client, text(in, "region"), text(in, "json"), err);
    if (strcmp(op, "cw_put_once") == 0) {
        struct cloudwatch_put *p = NULL;
        struct aws_answer answer;
        aws_answer_init(&answer);
        enum status st =
            cloudwatch_put_new(&p, t->client, text(in, "region"), text(in, "json"), err);
        if (!st)
            st = cloudwatch_put_sign(p, err);
        if (!st) {
            set(out, "date", json_integer(cloudwatch_put_date_s(p)));
            st = cloudwatch_put_send(p, &answer, err);
            set(out, "http", json_integer(answer.http.status));
            set(out, "handed_over", json_boolean(answer.http.handed_over));
            if (cloudwatch_put_send(p, NULL, NULL) != ST_USAGE)
                set(out, "sent_twice", json_true());
        }
        cloudwatch_put_free(p);
        aws_answer_clear(&answer);
        return st;
    }
    if (strcmp(op, "cw_list") == 0) {
        enum status st = cloudwatch_list_metrics(t->client, text(in, "region"),
                                                 text(in, "namespace"), NULL, &result, err);
        if (result != NULL)
            set(out, "result", result);
        return st;
    }
    struct reading r = {.metrics = json_object_get(in, "metrics"), .values = json_array()};
    struct cloudwatch_query query = {.client = t->client,
                                     .region = text(in, "region"),
                                     .since_s = number(in, "since", 0),
                                     .until_s = number(in, "until", 3600),
                                     .period_s = 60,
                                     .stat = "Sum",
                                     .series = json_array_size(r.metrics),
                                     .metric = metric_of,
                                     .values = take_values,
                                     .ctx = &r};
    int64_t date = 0;
    enum status st = cloudwatch_read(&query, &date, err);
    set(out, "server_date", json_integer(date));
    set(out, "result", r.values);
    return st;
}

static enum status do_ddb(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    json_t *result = NULL;
    enum status st =
        dynamodb_call(t->client, VIEW_EMPTY, json_string_value(json_object_get(in, "call")),
                      json_object_get(in, "in"), &result, err);
    if (result != NULL)
        set(out, "result", result);
    return st;
}

static enum status do_bedrock(struct tool *t, const char *op, const json_t *in, json_t *out,
                              struct error *err)
{
    json_t *result = NULL;
    enum status st =
        strcmp(op, "bedrock_get") == 0
            ? bedrock_get_inference_profile(t->client, text(in, "region"), text(in, "id"), &result,
                                            err)
        : strcmp(op, "bedrock_list") == 0
            ? bedrock_list_inference_profiles(t->client, text(in, "region"), NULL, &result, err)
            : bedrock_get_logging(t->client, text(in, "region"), &result, err);
    if (result != NULL)
        set(out, "result", result);
    return st;
}

static void show_creds(json_t *out, const struct credentials *c)
{
    set(out, "id", json_string(c->access_key_id));
    set(out, "secret_length", json_integer((json_int_t)strlen(c->secret)));
    set(out, "token", json_string(c->session_token));
    set(out, "expires", json_integer(c->expires_s));
    set(out, "source", json_string(c->source != NULL ? c->source : ""));
}

static enum status do_creds(struct tool *t, const char *op, const json_t *in, json_t *out,
                            struct error *err)
{
    struct credentials c = {0};
    struct cred_chain *role_chain = NULL;
    enum status st = ST_OK;
    if (strcmp(op, "identity") == 0) {
        struct sts_identity id;
        st = sts_get_caller_identity(t->client, VIEW_EMPTY, &id, err);
        set(out, "account", json_string(id.account));
        set(out, "arn", json_string(id.arn));
        return st;
    }
    if (strcmp(op, "role") == 0) {
        struct cred_role role = {.role_arn = text(in, "arn"),
                                 .external_id = text(in, "external_id")};
        st = cred_chain_new_role(&role_chain, t->chain, &role, err);
    }
    if (strcmp(op, "reject") == 0) {
        cred_chain_reject(t->chain, json_string_value(json_object_get(in, "id")));
        return ST_OK;
    }
    if (!st)
        st = cred_chain_get(role_chain != NULL ? role_chain : t->chain, aws_client_http(t->client),
                            NULL, &c, err);
    if (!st)
        show_creds(out, &c);
    credentials_wipe(&c);
    cred_chain_free(role_chain);
    return st;
}

static enum status do_lambda(struct tool *t, const char *op, const json_t *in, json_t *out,
                             struct error *err)
{
    if (t->lambda == NULL) {
        enum status st = lambda_api_new(&t->lambda, aws_client_http(t->client),
                                        view_of(getenv("AWS_LAMBDA_RUNTIME_API")), err);
        if (st)
            return st;
        lambda_invocation_init(&t->inv);
    }
    if (strcmp(op, "lambda_next") == 0) {
        enum status st = lambda_api_next(t->lambda, &t->inv, err);
        set(out, "id", json_string(t->inv.request_id));
        set(out, "event", view_json(t->inv.event));
        set(out, "deadline", json_integer(t->inv.deadline_ms));
        set(out, "arn", view_json(t->inv.function_arn));
        set(out, "trace", view_json(t->inv.trace_id));
        return st;
    }
    const json_t *given = json_object_get(in, "id");
    const char *id = given != NULL ? json_string_value(given) : t->inv.request_id;
    if (strcmp(op, "lambda_respond") == 0)
        return lambda_api_respond(t->lambda, id, text(in, "json"), err);
    if (strcmp(op, "lambda_fail") == 0)
        return lambda_api_fail(t->lambda, id, "Function.Test", text(in, "message"), err);
    return lambda_api_fail_init(t->lambda, "Runtime.Test", text(in, "message"), err);
}

static enum status do_http(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    struct http_response resp;
    http_response_init(&resp);
    struct http_request req = {.method = json_string_value(json_object_get(in, "method")),
                               .url = json_string_value(json_object_get(in, "url")),
                               .body = text(in, "body"),
                               .connect_timeout_ms = (uint32_t)number(in, "connect_ms", 0),
                               .total_timeout_ms = (uint32_t)number(in, "total_ms", 5000),
                               .idle_timeout_ms = (uint32_t)number(in, "idle_ms", 0),
                               .min_bytes_per_s = (uint32_t)number(in, "min_rate", 0),
                               .max_body_bytes = (size_t)number(in, "max_body", 0),
                               .once = json_is_true(json_object_get(in, "once"))};
    enum status st = http_send(aws_client_http(t->client), &req, &resp, err);
    set(out, "http", json_integer(resp.status));
    set(out, "handed_over", json_boolean(resp.handed_over));
    set(out, "timed_out", json_boolean(resp.timed_out));
    set(out, "length", json_integer((json_int_t)resp.body.len));
    http_response_clear(&resp);
    return st;
}

static enum status dispatch(struct tool *t, const json_t *in, json_t *out, struct error *err)
{
    const char *op = json_string_value(json_object_get(in, "op"));
    if (op == NULL)
        return ST_USAGE;
    if (number(in, "deadline_ms", 0) > 0) {
        const struct aws_clock *c = aws_client_clock(t->client);
        aws_client_set_deadline(t->client, c->steady_ms(c->ctx) + number(in, "deadline_ms", 0));
    } else {
        aws_client_set_deadline(t->client, INT64_MAX);
    }
    if (strncmp(op, "s3_", 3) == 0)
        return do_s3(t, op, in, out, err);
    if (strncmp(op, "sqs_", 4) == 0)
        return do_sqs(t, op, in, out, err);
    if (strncmp(op, "cw_", 3) == 0)
        return do_cw(t, op, in, out, err);
    if (strcmp(op, "ddb") == 0)
        return do_ddb(t, in, out, err);
    if (strncmp(op, "bedrock_", 8) == 0)
        return do_bedrock(t, op, in, out, err);
    if (strncmp(op, "lambda_", 7) == 0)
        return do_lambda(t, op, in, out, err);
    if (strcmp(op, "http") == 0)
        return do_http(t, in, out, err);
    if (strcmp(op, "forget") == 0) {
        http_forget_connections(aws_client_http(t->client));
        return ST_OK;
    }
    if (strcmp(op, "tokens") == 0) {
        set(out, "tokens", json_integer(retry_budget_tokens(t->budget)));
        return ST_OK;
    }
    return do_creds(t, op, in, out, err);
}

static int fail(const char *what, const struct error *err)
{
    json_t *out = json_pack("{s:s, s:s}", "status", what, "error", err->text);
    char *line = json_dumps(out, JSON_COMPACT);
    puts(line);
    free(line);
    json_decref(out);
    return 1;
}

int main(void)
{
    struct tool t = {0};
    struct error err = {0};
    struct aws_env env = aws_env_process();
    signal(SIGTERM, on_signal);
    log_setup(getenv("TOOL_DEBUG") != NULL ? LOG_DEBUG : LOG_OFF, LOG_TEXT, false);
    enum status st = aws_config_load(&t.config, &env, getenv("TOOL_PROFILE"), &err);
    if (!st)
        st = cred_chain_new(&t.chain, t.config, NULL);
    if (!st)
        st = retry_budget_new(&t.budget);
    struct aws_client_options options = {.config = t.config,
                                         .creds = t.chain,
                                         .budget = t.budget,
                                         .clock = aws_clock_system(),
                                         .stop = {stop_asked, NULL}};
    if (!st)
        st = aws_client_new(&t.client, &options, &err);
    if (st) {
        int code = fail(status_name(st), &err);
        cred_chain_free(t.chain);
        retry_budget_free(t.budget);
        aws_config_free(t.config);
        return code;
    }
    if (fail_alloc_arm != NULL)
        fail_alloc_arm();
    json_t *in;
    while ((in = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        json_t *out = json_object();
        err = (struct error){0};
        st = dispatch(&t, in, out, &err);
        set(out, "status", json_string(status_name(st)));
        set(out, "error", view_json(view_of(st ? err.text : "")));
        char *line = json_dumps(out, JSON_COMPACT);
        puts(line != NULL ? line : "{}");
        fflush(stdout);
        free(line);
        json_decref(out);
        json_decref(in);
    }
    if (t.lambda != NULL)
        lambda_invocation_clear(&t.inv);
    lambda_api_free(t.lambda);
    aws_client_free(t.client);
    cred_chain_free(t.chain);
    retry_budget_free(t.budget);
    aws_config_free(t.config);
    return 0;
}
