/*
 * fuzz_answers.c: a server that answers with anything, through the real call layer: libcurl, HTTP,
 * XML, JSON, retries.  The first byte chooses the call, the rest is sent as it is; the connection is
 * closed after it.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aws/bedrock.h"
#include "aws/cloudwatch.h"
#include "aws/cloudwatch_read.h"
#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "aws/sts.h"
#include "base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    int listener;
    char url[64];
    struct aws_config *config;
    struct cred_chain *creds;
    struct aws_client *client;
    pthread_mutex_t mutex;
    const uint8_t *answer; /* guarded by the mutex */
    size_t size;
} fuzz = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The head of a request is read to its end; a body is small enough to be dropped with the socket. */
static void *serve(void *context)
{
    (void)context;
    for (;;) {
        char request[65536];
        size_t n = 0;
        int c = accept(fuzz.listener, NULL, NULL);
        if (c < 0)
            continue;
        while (n < sizeof(request) - 1) {
            ssize_t got = read(c, request + n, sizeof(request) - 1 - n);
            if (got <= 0)
                break;
            n += (size_t)got;
            request[n] = '\0';
            if (strstr(request, "\r\n\r\n") != NULL)
                break;
        }
        pthread_mutex_lock(&fuzz.mutex);
        (void)send(c, fuzz.answer, fuzz.size, MSG_NOSIGNAL);
        pthread_mutex_unlock(&fuzz.mutex);
        shutdown(c, SHUT_WR);
        struct timeval soon = {.tv_usec = 2000};
        setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
        while (read(c, request, sizeof(request)) > 0)
            ;
        close(c);
    }
    return NULL;
}

static const char *variable(void *ctx, const char *name)
{
    static const char *const all[][2] = {
        {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
        {"AWS_SECRET_ACCESS_KEY", "secret"},
        {"AWS_REGION", "us-east-1"},
        {"AWS_MAX_ATTEMPTS", "1"},
        {"AWS_EC2_METADATA_DISABLED", "true"},
        {"AWS_CONFIG_FILE", "/nowhere"},
        {"AWS_SHARED_CREDENTIALS_FILE", "/nowhere"},
    };
    (void)ctx;
    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return fuzz.url;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(name, all[i][0]) == 0)
            return all[i][1];
    }
    return NULL;
}

static void no_sleep(void *ctx, uint32_t ms)
{
    (void)ctx;
    (void)ms;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    pthread_t thread;
    struct error err = {0};
    static struct aws_env env = {.get = variable}; /* it has to outlive the configuration */
    struct aws_clock clock = aws_clock_system();
    clock.sleep_ms = no_sleep;
    (void)argc;
    (void)argv;
    log_setup(LOG_OFF, LOG_TEXT, false);
    fuzz.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(fuzz.listener, (struct sockaddr *)&at, sizeof(at)) == 0);
    check(listen(fuzz.listener, 64) == 0);
    check(getsockname(fuzz.listener, (struct sockaddr *)&at, &length) == 0);
    snprintf(fuzz.url, sizeof(fuzz.url), "http://127.0.0.1:%u", ntohs(at.sin_port));
    check(pthread_create(&thread, NULL, serve, NULL) == 0);
    check(aws_config_load(&fuzz.config, &env, NULL, &err) == ST_OK);
    check(cred_chain_new(&fuzz.creds, fuzz.config, &clock) == ST_OK);
    struct aws_client_options options = {
        .config = fuzz.config, .creds = fuzz.creds, .clock = clock};
    check(aws_client_new(&fuzz.client, &options, &err) == ST_OK);
    return 0;
}

static enum status get_object(struct error *err)
{
    struct s3_get get = {.bucket = VIEW_LIT("bucket"), .key = VIEW_LIT("key")};
    struct s3_object *o = NULL;
    uint8_t bytes[4096];
    size_t n = 0;
    enum status st = s3_object_open(&o, fuzz.client, &get, err);
    while (st == ST_OK && (st = s3_object_read(o, bytes, sizeof(bytes), &n, err)) == ST_OK)
        check(n <= sizeof(bytes));
    s3_object_close(o);
    return st;
}

static enum status list_objects(struct error *err)
{
    struct s3_list_options options = {.bucket = VIEW_LIT("bucket")};
    struct s3_list *l = NULL;
    struct s3_entry entry;
    enum status st = s3_list_open(&l, fuzz.client, &options, err);
    for (unsigned i = 0; st == ST_OK && i < 5000; i++)
        st = s3_list_next(l, &entry, err);
    s3_list_close(l);
    return st;
}

static enum status receive(struct error *err)
{
    struct sqs_queue queue;
    struct sqs_receive options = {.max_messages = 10, .visibility_s = -1};
    struct sqs_messages *messages = NULL;
    struct view url = VIEW_LIT("https://sqs.us-east-1.amazonaws.com/123456789012/q");
    check(sqs_queue_parse(url, fuzz.config, &queue, err) == ST_OK);
    enum status st = sqs_receive(fuzz.client, &queue, &options, &messages, err);
    for (size_t i = 0; st == ST_OK && i < messages->n; i++)
        check(messages->all[i].body.len <= SQS_MAX_BODY + 1);
    sqs_messages_free(messages);
    return st;
}

static enum status take_values(void *ctx, size_t series, const struct cloudwatch_value *values,
                               size_t n, struct error *err)
{
    (void)ctx;
    (void)err;
    check(series < 3 && (n == 0 || values != NULL));
    for (size_t i = 1; i < n; i++)
        check(values[i - 1].time_s <= values[i].time_s);
    return ST_OK;
}

static json_t *metric_of(void *ctx, size_t series)
{
    (void)ctx;
    return json_pack("{s:s, s:s, s:i}", "Namespace", "n", "MetricName", "m", "series", (int)series);
}

static enum status call(unsigned which, struct error *err)
{
    struct sts_identity identity;
    struct cloudwatch_query query = {.client = fuzz.client,
                                     .since_s = 0,
                                     .until_s = 6000,
                                     .period_s = 60,
                                     .stat = "Sum",
                                     .series = 3,
                                     .metric = metric_of,
                                     .values = take_values};
    json_t *out = NULL, *in = json_object();
    struct buf text;
    enum status st = ST_OK;
    buf_init(&text, 1 << 20);
    switch (which) {
    case 0: st = get_object(err); break;
    case 1: st = list_objects(err); break;
    case 2: st = receive(err); break;
    case 3: st = sts_get_caller_identity(fuzz.client, VIEW_EMPTY, &identity, err); break;
    case 4: st = cloudwatch_read(&query, NULL, err); break;
    case 5: st = cloudwatch_put_data(fuzz.client, VIEW_EMPTY, VIEW_LIT("{}"), err); break;
    case 6: st = dynamodb_call(fuzz.client, VIEW_EMPTY, "GetItem", in, &out, err); break;
    case 7: st = s3_get_setting(fuzz.client, VIEW_LIT("bucket"), "policy", &text, err); break;
    case 8: st = bedrock_list_inference_profiles(fuzz.client, VIEW_EMPTY, NULL, &out, err); break;
    default: st = s3_head_bucket(fuzz.client, VIEW_LIT("bucket"), &text, err); break;
    }
    json_decref(in);
    json_decref(out);
    buf_clear(&text);
    return st;
}

/*
 * Continued header lines ("\n "), which nobody sends since RFC 7230: libcurl 7.88 (Debian 12) uses
 * memory it has freed when it joins them.  That is for libcurl; everything else is for us.
 */
static bool has_continued_line(const uint8_t *data, size_t size)
{
    for (size_t i = 1; i < size; i++) {
        if (data[i - 1] == '\n' && (data[i] == ' ' || data[i] == '\t'))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    if (size == 0 || has_continued_line(data + 1, size - 1))
        return 0;
    pthread_mutex_lock(&fuzz.mutex);
    fuzz.answer = data + 1;
    fuzz.size = size - 1;
    pthread_mutex_unlock(&fuzz.mutex);
    enum status st = call(data[0] % 10, &err);
    check(st == ST_OK || st == ST_END || st == ST_NO_MEMORY || err.text[0] != '\0');
    pthread_mutex_lock(&fuzz.mutex);
    fuzz.answer = NULL;
    fuzz.size = 0;
    pthread_mutex_unlock(&fuzz.mutex);
    return 0;
}
