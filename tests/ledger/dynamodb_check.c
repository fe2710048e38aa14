/*
 * dynamodb_check PORT: the DynamoDB kind against a server that speaks its protocol on 127.0.0.1
 * (test_dynamodb.py starts one): the contract of ledger.h, the same with every call made twice (as
 * a client does that missed the first answer), and whole runs with answers lost on every call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger/ledger_drive.h"
#include "ledger/ledger_dynamodb.h"
#include "ledger_contract.h"

#define START INT64_C(1764000000000)
enum { OBJECTS = 5, ANSWER_MAX = 1 << 20 };

static struct {
    uint16_t port;
    unsigned table;   /* number of the current one */
    bool repeat;      /* make every call twice */
    unsigned lose_at; /* this call gets no answer */
    bool apply_lost;  /* and is carried out all the same */
    unsigned n;
    unsigned counts[4]; /* GetItem, BatchGetItem, PutItem, UpdateItem */
} wire;

static void exchange(const char *operation, const char *body, int *code, char *answer)
{
    static char request[ANSWER_MAX];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(wire.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const void *address = &to;
    assert_int_equal(connect(fd, address, sizeof to), 0);
    int n = snprintf(request, sizeof request,
                     "POST / HTTP/1.0\r\nHost: dynamodb.us-east-1.amazonaws.com\r\n"
                     "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: "
                     "DynamoDB_20120810.%s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/"
                     "20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
                     "\r\nContent-Length: %zu\r\n\r\n%s",
                     operation, strlen(body), body);
    assert_true(n > 0 && (size_t)n < sizeof request);
    for (int at = 0; at < n;) {
        ssize_t sent = send(fd, request + at, (size_t)(n - at), 0);
        assert_true(sent > 0);
        at += (int)sent;
    }
    size_t got = 0;
    ssize_t some;
    while ((some = recv(fd, answer + got, ANSWER_MAX - 1 - got, 0)) > 0)
        got += (size_t)some;
    close(fd);
    answer[got] = '\0';
    assert_int_equal(sscanf(answer, "HTTP/%*s %d", code), 1);
}

static enum status once(const char *operation, const json_t *in, json_t **out)
{
    static char answer[ANSWER_MAX];
    char *body = json_dumps(in, JSON_COMPACT);
    int code = 0;
    assert_non_null(body);
    exchange(operation, body, &code, answer);
    free(body);
    const char *text = strstr(answer, "\r\n\r\n");
    assert_non_null(text);
    json_t *document = json_loads(text + 4, 0, NULL);
    *out = NULL;
    if (code == 200) {
        *out = document;
        return ST_OK;
    }
    const char *type = json_string_value(json_object_get(document, "__type"));
    enum status st = ST_BAD_ITEM;
    if (type != NULL && strstr(type, "ConditionalCheckFailed") != NULL) {
        json_t *item = json_object_get(document, "Item");
        *out = item == NULL ? json_object() : json_pack("{s:O}", "Item", item);
        st = ST_CONFLICT;
    } else {
        print_error("%s: %d %s\n", operation, code, text + 4);
    }
    json_decref(document);
    return st;
}

static enum status wire_call(void *ctx, const char *operation, const json_t *in, json_t **out)
{
    static const char *const names[4] = {"GetItem", "BatchGetItem", "PutItem", "UpdateItem"};
    (void)ctx;
    for (size_t i = 0; i < 4; i++)
        wire.counts[i] += strcmp(operation, names[i]) == 0;
    bool lost = ++wire.n == wire.lose_at;
    if (lost && !wire.apply_lost)
        return ST_RETRY;
    enum status st = once(operation, in, out);
    if (wire.repeat) {
        json_decref(*out);
        st = once(operation, in, out);
    }
    if (lost) {
        json_decref(*out);
        *out = NULL;
        return ST_IN_DOUBT;
    }
    return st;
}

static int64_t now_ms = START;

static int64_t host_now(void *ctx)
{
    (void)ctx;
    return now_ms += 10;
}

static struct ledger *open_new(void)
{
    char name[32];
    json_t *out;
    struct ledger *l;
    snprintf(name, sizeof name, "ledger-%u", ++wire.table);
    json_t *in =
        json_pack("{s:s, s:s, s:[{s:s, s:s}], s:[{s:s, s:s}]}", "TableName", name, "BillingMode",
                  "PAY_PER_REQUEST", "AttributeDefinitions", "AttributeName", "pk", "AttributeType",
                  "S", "KeySchema", "AttributeName", "pk", "KeyType", "HASH");
    assert_int_equal(once("CreateTable", in, &out), ST_OK);
    json_decref(in);
    json_decref(out);
    wire.repeat = false;
    wire.lose_at = wire.n = 0;
    const struct ledger_dynamodb_options options = {
        .table = name, .call = wire_call, .now_ms = host_now};
    assert_int_equal(ledger_dynamodb_open(&options, &l, NULL), ST_OK);
    return l;
}

static void test_contract(void **state)
{
    (void)state;
    struct ledger *l = open_new();
    ledger_contract_check(l, false);
    ledger_close(l);
}

static void test_contract_with_every_call_repeated(void **state)
{
    (void)state;
    struct ledger *l = open_new();
    wire.repeat = true;
    ledger_contract_check(l, true);
    ledger_close(l);
}

static void test_short_expiry_is_refused(void **state)
{
    (void)state;
    struct ledger *l;
    struct error err;
    const struct ledger_dynamodb_options options = {
        .table = "t", .call = wire_call, .now_ms = host_now, .ttl_days = 16};
    assert_int_equal(ledger_dynamodb_open(&options, &l, &err), ST_USAGE);
    assert_null(l);
}

/* ---- whole runs, with a sink that takes everything ---- */

static struct {
    unsigned applied[OBJECTS + 1];
    uint64_t random;
    char payload[OBJECTS + 1], to_send[OBJECTS + 1];
    size_t n;
    bool poison;
} world;

static enum status host_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n);
    world.random++;
    memcpy(out, &world.random, sizeof world.random);
    return ST_OK;
}

static void host_wait(void *ctx, int64_t ms)
{
    (void)ctx;
    now_ms += ms;
}

static bool host_stop(void *ctx)
{
    (void)ctx;
    return false;
}

static enum status host_read(void *ctx, const struct protocol_run *run,
                             struct ledger_batch_data *out)
{
    (void)ctx;
    unsigned n = 0;
    for (unsigned i = 0; i < run->n_objects; i++)
        if (run->objects[i].state == OBJECT_MINE) {
            out->kept[i] = true;
            world.payload[n++] = (char)run->objects[i].id.bytes[0];
        }
    out->payloads[0] = view_make(world.payload, n);
    out->n_payloads = out->n_parts = 1;
    out->parts[0] = (struct ledger_part){.count = n, .tokens = n};
    return ST_OK;
}

static void host_sign(void *ctx, const struct ledger_part *part, struct view payload,
                      struct protocol_event *answer)
{
    (void)ctx;
    world.n = part->count;
    memcpy(world.to_send, payload.ptr + part->first, part->count);
    answer->date_ms = now_ms;
    answer->kind = EVENT_SIGNED;
}

static void host_send(void *ctx, const struct ledger_part *part, struct protocol_event *answer)
{
    (void)ctx;
    (void)part;
    answer->kind = EVENT_ACCEPTED;
    answer->server_ms = now_ms;
    answer->head_tokens = world.n / 2;
    if (world.poison && memchr(world.to_send, 3, world.n) != NULL)
        answer->kind = EVENT_INVALID;
    for (size_t i = 0; i < world.n && answer->kind == EVENT_ACCEPTED; i++)
        world.applied[(unsigned)world.to_send[i]]++;
}

static void host_send_control(void *ctx, const struct ledger_marker *m,
                              struct protocol_event *answer)
{
    (void)ctx;
    (void)m;
    (void)answer;
}

static enum status host_read_markers(void *ctx, const struct ledger_marker *m,
                                     const struct ledger_marker *control,
                                     struct protocol_event *answer)
{
    (void)ctx;
    (void)m;
    (void)control;
    answer->server_ms = now_ms;
    answer->applied = 1; /* whatever was handed over was taken */
    return ST_OK;
}

static const struct ledger_host HOST = {.now_ms = host_now,
                                        .random = host_random,
                                        .wait_ms = host_wait,
                                        .stop = host_stop,
                                        .read = host_read,
                                        .sign = host_sign,
                                        .send = host_send,
                                        .send_control = host_send_control,
                                        .read_markers = host_read_markers};

static bool count_all(struct ledger *l)
{
    static struct protocol_run run;
    struct ledger_id ids[OBJECTS];
    for (unsigned i = 0; i < OBJECTS; i++)
        ids[i] = contract_id(i + 1);
    struct ledger_driver *d = ledger_driver_new(l, &PROTOCOL_DEFAULTS, &HOST);
    bool done = false;
    for (int round = 0; round < 10 && !done; round++) {
        assert_int_equal(ledger_drive_count(d, ids, NULL, OBJECTS, &run), ST_OK);
        assert_int_equal(run.tally.violations, 0);
        done = true;
        for (unsigned i = 0; i < OBJECTS; i++)
            done = done && (run.objects[i].state == OBJECT_COUNTED ||
                            run.objects[i].state == OBJECT_COUNTED_BEFORE);
        now_ms += 6 * 60 * 1000;
    }
    ledger_driver_free(d);
    return done;
}

static void test_runs_with_each_answer_lost(void **state)
{
    (void)state;
    unsigned calls = 0;
    for (int applied = 0; applied < 2; applied++)
        for (unsigned at = 1; at == 1 || at <= calls; at++) {
            struct ledger *l = open_new();
            memset(&world, 0, sizeof world);
            world.poison = at % 3 == 0;
            wire.lose_at = at;
            wire.apply_lost = applied != 0;
            assert_true(count_all(l));
            if (calls < wire.n)
                calls = wire.n;
            for (unsigned i = 1; i <= OBJECTS; i++)
                assert_int_equal(world.applied[i], world.poison && i == 3 ? 0 : 1);
            size_t open;
            struct ledger_nonce id;
            wire.lose_at = 0;
            now_ms += INT64_C(3) * 24 * 60 * 60 * 1000;
            assert_int_equal(ledger_list_open(l, INT64_MAX, &id, 1, &open), ST_OK);
            assert_int_equal(open, 0);
            ledger_close(l);
        }
    print_message("each of %u calls lost, not applied and applied\n", calls);
}

static void test_calls_of_one_batch(void **state)
{
    (void)state;
    struct ledger *l = open_new();
    memset(&world, 0, sizeof world);
    memset(wire.counts, 0, sizeof wire.counts);
    assert_true(count_all(l));
    print_message("a batch of %d objects and one request: %u GetItem, %u BatchGetItem, %u PutItem, "
                  "%u UpdateItem\n",
                  OBJECTS, wire.counts[0], wire.counts[1], wire.counts[2], wire.counts[3]);
    assert_int_equal(wire.counts[3],
                     OBJECTS + 6);       /* claims; list, marker, 2 x journal, done, list */
    assert_int_equal(wire.counts[2], 3); /* payload, members, batch */
    assert_int_equal(wire.counts[0], 1);
    ledger_close(l);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: dynamodb_check PORT\n", stderr);
        return 2;
    }
    wire.port = (uint16_t)strtoul(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_contract_with_every_call_repeated),
        cmocka_unit_test(test_short_expiry_is_refused),
        cmocka_unit_test(test_calls_of_one_batch),
        cmocka_unit_test(test_runs_with_each_answer_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
