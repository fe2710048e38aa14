/*
 * The resource policies between the parts of the pipeline: may Bedrock write to the bucket and use
 * its key, may S3 send to the queue.  All three are the same question to resource_policy.h.
 */
#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/control_plane.h"
#include "aws/s3.h"
#include "aws/xml_scan.h"
#include "base/json_read.h"
#include "tools/doctor/resource_policy.h"
#include "tools/doctor/walk.h"

enum { MAX_POLICY = 64 * 1024 };

/* Which code a policy's answer has; DOCTOR_NO_CODE: it is as it should be. */
typedef enum doctor_code codes_by_answer[POLICY_DENIES + 1];

/* w->fix is the command that sets the fixed policy. */
static void judge(struct walk *w, struct view policy, const struct policy_question *q,
                  const codes_by_answer codes)
{
    struct policy_result r;
    if (resource_policy_check(policy, q, &r) != ST_OK) {
        walk_not_checked(w, "out of memory");
        return;
    }
    enum doctor_code code = codes[r.answer];
    struct view who = q->service, what = q->action;
    bool account = r.answer == POLICY_OTHER_ACCOUNT;
    if (code == DOCTOR_NO_CODE)
        walk_ok(w, "lets %.*s call %.*s for %.*s%s", SHOW(who), SHOW(what), SHOW(q->source_arn),
                r.unsure ? " (conditions that are not understood here are left out)" : "");
    else if (r.answer == POLICY_EMPTY && policy.len == 0)
        walk_found(w, code, "there is no policy");
    else if (r.answer == POLICY_EMPTY)
        walk_found(w, code, "no statement lets %.*s call %.*s on this resource", SHOW(who),
                   SHOW(what));
    else if (r.answer == POLICY_DENIES)
        walk_found(w, code, "statement \"%s\" denies %.*s to call %.*s", r.statement, SHOW(who),
                   SHOW(what));
    else if (r.answer == POLICY_ALLOWS_ALL)
        walk_found(w, code, "statement \"%s\" lets %.*s call %.*s for anybody's resources",
                   r.statement, SHOW(who), SHOW(what));
    else
        walk_found(w, code, "statement \"%s\" asks for %s%s, and not %.*s", r.statement,
                   account ? "account " : "", r.value, SHOW(account ? q->account : q->source_arn));
}

/* ---- the queue's ---- */

void walk_queue_policy(struct walk *w)
{
    static const codes_by_answer codes = {[POLICY_ALLOWS_ALL] = D57,
                                          [POLICY_EMPTY] = D53,
                                          [POLICY_OTHER_SOURCE] = D54,
                                          [POLICY_OTHER_ACCOUNT] = D55,
                                          [POLICY_DENIES] = D56};
    const struct walk_queue *q = w->bucket->queue;
    struct view policy = buf_view(&q->attributes.policy);
    char bucket_arn[128];
    struct buf fixed;
    buf_init(&fixed, MAX_POLICY);
    (void)snprintf(bucket_arn, sizeof(bucket_arn), "arn:%s:s3:::%.*s",
                   aws_region_partition(q->region), SHOW(w->bucket->name));
    struct policy_question question = {.service = VIEW_LIT("s3.amazonaws.com"),
                                       .action = VIEW_LIT("sqs:SendMessage"),
                                       .resource = view_of(q->arn),
                                       .source_arn = view_of(bucket_arn),
                                       .account = view_of(w->account),
                                       .sid = "BucketSendsEvents"};
    if (resource_policy_fixed(policy, &question, &fixed) == ST_OK)
        walk_fix(w, "aws sqs set-queue-attributes --region % --queue-url % --attributes %",
                 q->region, view_of(q->queue.url),
                 walk_json(w, json_pack("{s:s%}", "Policy", fixed.ptr, fixed.len)));
    judge(w, policy, &question, codes);
    buf_clear(&fixed);
}

/* ---- the bucket's ---- */

/* What Bedrock asks for when it delivers logs of the Region; `source` holds a text of it. */
static struct policy_question bedrock_asks(const struct walk *w, const char *action,
                                           const char *sid, char source[128])
{
    const char *region = w->bucket->region;
    (void)snprintf(source, 128, "arn:%s:bedrock:%s:%s:*", aws_region_partition(view_of(region)),
                   region, w->account);
    return (struct policy_question){.service = VIEW_LIT("bedrock.amazonaws.com"),
                                    .action = view_of(action),
                                    .source_arn = view_of(source),
                                    .account = view_of(w->account),
                                    .sid = sid};
}

void walk_bucket_policy(struct walk *w)
{
    static const codes_by_answer codes = {[POLICY_ALLOWS_ALL] = D36,
                                          [POLICY_EMPTY] = D34,
                                          [POLICY_OTHER_SOURCE] = D34,
                                          [POLICY_OTHER_ACCOUNT] = D34,
                                          [POLICY_DENIES] = D35};
    const struct walk_bucket *b = w->bucket;
    struct buf policy, object, written, fixed;
    char source[128];
    buf_init(&policy, MAX_POLICY);
    buf_init(&object, 4096);
    buf_init(&written, 4096);
    buf_init(&fixed, MAX_POLICY);
    /* The name of a log object stands for all; a statement is written for their folder. */
    buf_printf(&written, "arn:%s:s3:::%.*s/", aws_region_partition(view_of(b->region)),
               SHOW(b->name));
    walk_log_folder(w, walk_writer(w, b), &written);
    buf_printf(&object, "%.*s%s/2026/01/01/00/log.json.gz", SHOW(buf_view(&written)), b->region);
    buf_add_char(&written, '*');
    struct policy_question question = bedrock_asks(w, "s3:PutObject", "BedrockWritesLogs", source);
    question.resource = buf_view(&object);
    question.written = buf_view(&written);
    enum status st = s3_get_setting(w->client, b->name, "policy", &policy, &w->err);
    if (st == ST_MISSING) {
        buf_reset(&policy);
        st = ST_OK;
    }
    if (walk_answered(w, st, "s3:GetBucketPolicy")) {
        if (resource_policy_fixed(buf_view(&policy), &question, &fixed) == ST_OK)
            walk_fix(w, "aws s3api put-bucket-policy --region % --bucket % --policy %",
                     view_of(b->region), b->name, buf_view(&fixed));
        judge(w, buf_view(&policy), &question, codes);
    }
    buf_clear(&policy);
    buf_clear(&object);
    buf_clear(&written);
    buf_clear(&fixed);
}

/* ---- the key's ---- */

static void judge_key_policy(struct walk *w, struct view key, struct view arn, struct view policy)
{
    static const codes_by_answer codes = {[POLICY_EMPTY] = D37,
                                          [POLICY_OTHER_SOURCE] = D37,
                                          [POLICY_OTHER_ACCOUNT] = D37,
                                          [POLICY_DENIES] = D37};
    char source[128];
    struct buf fixed;
    struct policy_question question =
        bedrock_asks(w, "kms:GenerateDataKey", "BedrockEncryptsLogs", source);
    question.resource = arn.len > 0 ? arn : key;
    question.written = VIEW_LIT("*"); /* a key's policy speaks of that key only */
    buf_init(&fixed, MAX_POLICY);
    if (resource_policy_fixed(policy, &question, &fixed) == ST_OK)
        walk_fix(w, "aws kms put-key-policy --policy-name default --region % --key-id % --policy %",
                 view_of(w->bucket->region), key, buf_view(&fixed));
    judge(w, policy, &question, codes);
    buf_clear(&fixed);
}

static void look_at_key(struct walk *w, struct view key)
{
    struct view region = view_of(w->bucket->region);
    json_t *described = NULL, *answer = NULL;
    json_t *in = json_pack("{s:s%}", "KeyId", key.ptr, key.len);
    enum status st =
        control_plane_call(w->client, CONTROL_KMS, region, "DescribeKey", in, &described, &w->err);
    const json_t *data = json_object_get(described, "KeyMetadata");
    struct view state = json_text(data, "KeyState");
    if (st == ST_MISSING) {
        walk_fix(w, "aws s3api put-bucket-encryption --bucket % (with a key that exists)",
                 w->bucket->name);
        walk_found(w, D38, "there is no key %.*s", SHOW(key));
    } else if (!walk_answered(w, st, "kms:DescribeKey")) {
        /* noted */
    } else if (!view_eq_cstr(state, "Enabled")) {
        if (view_eq_cstr(state, "PendingDeletion")) /* it is disabled then */
            walk_fix(w,
                     "aws kms cancel-key-deletion --region % --key-id % && aws kms enable-key "
                     "--region % --key-id %",
                     region, key, region, key);
        else
            walk_fix(w, "aws kms enable-key --region % --key-id %", region, key);
        walk_found(w, D38, "the state of key %.*s is %.*s", SHOW(key), SHOW(state));
    } else if (view_eq_cstr(json_text(data, "KeyManager"), "AWS")) {
        walk_not_checked(w,
                         "%.*s is a key of AWS, whose policy cannot be changed; a key of yours can "
                         "let Bedrock in",
                         SHOW(key));
    } else {
        json_object_set_new(in, "PolicyName", json_string("default"));
        st = control_plane_call(w->client, CONTROL_KMS, region, "GetKeyPolicy", in, &answer,
                                &w->err);
        if (walk_answered(w, st, "kms:GetKeyPolicy"))
            judge_key_policy(w, key, json_text(data, "Arn"), json_text(answer, "Policy"));
    }
    json_decref(in);
    json_decref(described);
    json_decref(answer);
}

#define RULE "ServerSideEncryptionConfiguration/Rule/ApplyServerSideEncryptionByDefault/"

void walk_key(struct walk *w)
{
    struct buf xml, how, key;
    buf_init(&xml, 64 * 1024);
    buf_init(&how, 1024);
    buf_init(&key, 4096);
    enum status st = s3_get_setting(w->client, w->bucket->name, "encryption", &xml, &w->err);
    enum status has_how = xml_scan_find(buf_view(&xml), RULE "SSEAlgorithm", &how);
    enum status has_key = xml_scan_find(buf_view(&xml), RULE "KMSMasterKeyID", &key);
    if (!walk_answered(w, st == ST_MISSING ? ST_OK : st, "s3:GetEncryptionConfiguration")) {
        /* noted */
    } else if (has_how != ST_OK || !view_starts(buf_view(&how), VIEW_LIT("aws:kms"))) {
        walk_ok(w, "encrypted by S3 itself");
    } else if (has_key != ST_OK || key.len == 0) {
        walk_not_checked(w,
                         "encrypted with aws/s3, a key of AWS, whose policy cannot be changed; a "
                         "key of yours can let Bedrock in");
    } else {
        look_at_key(w, buf_view(&key));
    }
    buf_clear(&xml);
    buf_clear(&how);
    buf_clear(&key);
}
