/* walk_write.c: whether Bedrock may write: the bucket's policy, and the key that encrypts the logs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "aws/control_plane.h"
#include "aws/s3.h"
#include "tools/doctor/resource_policy.h"
#include "tools/doctor/walk.h"

static const char policy_step[] = "bucket-policy";
static const char key_step[] = "key";

enum { MAX_POLICY = 64 * 1024 };

/* The Region whose logging writes to this bucket; replicas come by another way, so NULL then. */
static const struct walk_region *writer_of(struct walk *w, const struct walk_bucket *b)
{
    const struct walk_region *r = walk_region_find(w, view_of(b->region));
    return r != NULL && r->logging_known && view_eq_cstr(b->name, r->bucket) ? r : NULL;
}

/* What Bedrock asks for; the texts are in `source`, which the caller clears. */
static struct policy_question bedrock_asks(const struct walk *w, struct view region,
                                           const char *action, const char *sid, struct buf *source)
{
    buf_printf(source, "arn:%s:bedrock:%.*s:%s:*", aws_region_partition(region), (int)region.len,
               region.ptr, w->account);
    return (struct policy_question){.service = VIEW_LIT("bedrock.amazonaws.com"),
                                    .action = view_of(action),
                                    .source_arn = buf_view(source),
                                    .account = view_of(w->account),
                                    .sid = sid};
}

/* ---- the bucket's policy ---- */

static struct view put_policy(struct buf *out, const char *command, struct view region,
                              const char *option, struct view name, struct view policy,
                              const struct policy_question *question)
{
    struct buf mended;
    buf_init(&mended, MAX_POLICY);
    walk_command_start(out, command);
    walk_command_option(out, "--region", region);
    walk_command_option(out, option, name);
    if (resource_policy_mended(policy, question, &mended) == ST_OK)
        walk_command_option(out, "--policy", buf_view(&mended));
    buf_clear(&mended);
    return buf_view(out);
}

static void judge_bucket_policy(struct walk *w, const struct walk_bucket *b, struct view policy,
                                const struct policy_question *question, struct buf *command)
{
    struct policy_result r;
    if (resource_policy_check(policy, question, &r) != ST_OK) {
        findings_not_checked(w->f, policy_step, b->name, "out of memory");
        return;
    }
    struct view mend = put_policy(command, "aws s3api put-bucket-policy", view_of(b->region),
                                  "--bucket", b->name, policy, question);
    switch (r.answer) {
    case POLICY_ALLOWS:
        findings_ok(w->f, policy_step, b->name, "lets Bedrock write the logs%s",
                    r.unsure ? " (conditions that are not understood here are left out)" : "");
        break;
    case POLICY_ALLOWS_ALL:
        findings_add(w->f, CODE_BUCKET_POLICY_OPEN, policy_step, b->name, mend,
                     "statement \"%s\" lets Bedrock write for any account", r.statement);
        break;
    case POLICY_DENIES:
        findings_add(w->f, CODE_BUCKET_POLICY_DENIES, policy_step, b->name, mend,
                     "statement \"%s\" denies Bedrock to write", r.statement);
        break;
    case POLICY_OTHER_SOURCE:
    case POLICY_OTHER_ACCOUNT:
        findings_add(w->f, CODE_BUCKET_POLICY, policy_step, b->name, mend,
                     "statement \"%s\" lets Bedrock write for %s only", r.statement, r.value);
        break;
    case POLICY_EMPTY:
        findings_add(w->f, CODE_BUCKET_POLICY, policy_step, b->name, mend, "%s",
                     policy.len == 0 ? "the bucket has no policy"
                                     : "no statement lets bedrock.amazonaws.com write below the "
                                       "logs' folder");
        break;
    }
}

/* false: noted why not. */
static bool can_be_judged(struct walk *w, const char *step, const struct walk_bucket *b)
{
    if (!walk_wants(w, step, b->name))
        return false;
    if (!b->there || b->region[0] == '\0') {
        findings_not_checked(w->f, step, b->name, "%s",
                             b->missing ? "the bucket does not exist"
                                        : "the bucket could not be looked at");
        return false;
    }
    if (writer_of(w, b) == NULL) {
        findings_not_checked(w->f, step, b->name,
                             "no logging configuration that writes to it is known");
        return false;
    }
    return true;
}

void walk_bucket_policy(struct walk *w, struct walk_bucket *b)
{
    struct error err = {0};
    struct buf policy, source, folder, object, command;
    if (!can_be_judged(w, policy_step, b))
        return;
    buf_init(&policy, MAX_POLICY);
    buf_init(&source, 256);
    buf_init(&folder, 2048);
    buf_init(&object, 4096);
    buf_init(&command, WALK_TEXT);
    walk_log_folder(w, writer_of(w, b), &folder);
    buf_printf(&object, "arn:%s:s3:::%.*s/%.*s%s/2026/01/01/00/log.json.gz",
               aws_region_partition(view_of(b->region)), (int)b->name.len, b->name.ptr,
               (int)folder.len, folder.ptr, b->region);
    struct view written =
        view_first(buf_view(&object), view_find(buf_view(&object), buf_view(&folder)) + folder.len);
    struct policy_question question =
        bedrock_asks(w, view_of(b->region), "s3:PutObject", "BedrockWritesLogs", &source);
    question.resource = buf_view(&object);
    buf_reset(&folder);
    buf_add_view(&folder, written);
    buf_add_char(&folder, '*');
    question.written = buf_view(&folder);
    enum status st = s3_get_setting(w->client, b->name, "policy", &policy, &err);
    if (st == ST_OK || st == ST_MISSING)
        judge_bucket_policy(w, b, st == ST_OK ? buf_view(&policy) : VIEW_EMPTY, &question,
                            &command);
    else
        walk_call_failed(w, policy_step, b->name, st, "s3:GetBucketPolicy", &err);
    buf_clear(&policy);
    buf_clear(&source);
    buf_clear(&folder);
    buf_clear(&object);
    buf_clear(&command);
}

/* ---- the key ---- */

/* The content of the first element of this name; S3 writes none of its settings with attributes. */
static struct view element(struct view xml, const char *open, const char *close)
{
    size_t at = view_find(xml, view_of(open));
    if (at >= xml.len)
        return VIEW_EMPTY;
    xml = view_skip(xml, at + strlen(open));
    return view_first(xml, view_find(xml, view_of(close)));
}

static void judge_key_state(struct walk *w, const struct walk_bucket *b, struct view key,
                            struct view state, struct buf *command)
{
    bool going = view_eq_cstr(state, "PendingDeletion");
    walk_command_start(command, going ? "aws kms cancel-key-deletion" : "aws kms enable-key");
    walk_command_option(command, "--region", view_of(b->region));
    walk_command_option(command, "--key-id", key);
    if (going) { /* it is disabled then */
        buf_add_cstr(command, " && aws kms enable-key");
        walk_command_option(command, "--region", view_of(b->region));
        walk_command_option(command, "--key-id", key);
    }
    findings_add(w->f, CODE_KEY_STATE, key_step, b->name, buf_view(command),
                 "the state of key %.*s is %.*s", (int)key.len, key.ptr, (int)state.len,
                 state.ptr == NULL ? "" : state.ptr);
}

static void judge_key_policy(struct walk *w, const struct walk_bucket *b, struct view key,
                             struct view arn, struct view policy, struct buf *command)
{
    struct policy_result r;
    struct buf source;
    buf_init(&source, 256);
    struct policy_question question =
        bedrock_asks(w, view_of(b->region), "kms:GenerateDataKey", "BedrockEncryptsLogs", &source);
    question.resource = arn;
    question.written = VIEW_LIT("*"); /* a key's policy speaks of that key only */
    enum status st = resource_policy_check(policy, &question, &r);
    if (st != ST_OK)
        findings_not_checked(w->f, key_step, b->name, "out of memory");
    else if (r.answer == POLICY_ALLOWS || r.answer == POLICY_ALLOWS_ALL)
        findings_ok(w->f, key_step, b->name, "key %.*s is enabled and lets Bedrock in",
                    (int)key.len, key.ptr);
    else
        findings_add(w->f, CODE_KEY_POLICY, key_step, b->name,
                     put_policy(command, "aws kms put-key-policy --policy-name default",
                                view_of(b->region), "--key-id", key, policy, &question),
                     r.answer == POLICY_DENIES
                         ? "a statement of the policy of key %.*s denies Bedrock to encrypt"
                         : "no statement of the policy of key %.*s lets Bedrock encrypt for this "
                           "account and Region",
                     (int)key.len, key.ptr);
    buf_clear(&source);
}

static void look_at_key(struct walk *w, const struct walk_bucket *b, struct view key,
                        struct buf *command)
{
    struct error err = {0};
    json_t *described = NULL, *policy = NULL;
    json_t *in = json_pack("{s:s%}", "KeyId", key.ptr, key.len);
    enum status st = in == NULL ? ST_NO_MEMORY
                                : control_plane_call(w->client, CONTROL_KMS, view_of(b->region),
                                                     "DescribeKey", in, &described, &err);
    const json_t *data = json_object_get(described, "KeyMetadata");
    struct view state = aws_json_text(data, "KeyState"), arn = aws_json_text(data, "Arn");
    if (st == ST_MISSING)
        findings_add(w->f, CODE_KEY_STATE, key_step, b->name,
                     VIEW_LIT("aws s3api put-bucket-encryption (with a key that exists)"),
                     "there is no key %.*s", (int)key.len, key.ptr);
    else if (st != ST_OK)
        walk_call_failed(w, key_step, b->name, st, "kms:DescribeKey", &err);
    else if (!view_eq_cstr(state, "Enabled"))
        judge_key_state(w, b, key, state, command);
    else if (view_eq_cstr(aws_json_text(data, "KeyManager"), "AWS"))
        findings_not_checked(w->f, key_step, b->name,
                             "%.*s is a key of AWS, whose policy cannot be changed; a key of yours "
                             "can let Bedrock in",
                             (int)key.len, key.ptr);
    else if (json_object_set_new(in, "PolicyName", json_string("default")) == 0) {
        st = control_plane_call(w->client, CONTROL_KMS, view_of(b->region), "GetKeyPolicy", in,
                                &policy, &err);
        if (st == ST_OK)
            judge_key_policy(w, b, key, arn.len > 0 ? arn : key, aws_json_text(policy, "Policy"),
                             command);
        else
            walk_call_failed(w, key_step, b->name, st, "kms:GetKeyPolicy", &err);
    }
    json_decref(in);
    json_decref(described);
    json_decref(policy);
}

void walk_key(struct walk *w, struct walk_bucket *b)
{
    struct error err = {0};
    struct buf xml, command;
    if (!can_be_judged(w, key_step, b))
        return;
    buf_init(&xml, 64 * 1024);
    buf_init(&command, WALK_TEXT);
    enum status st = s3_get_setting(w->client, b->name, "encryption", &xml, &err);
    struct view how = element(buf_view(&xml), "<SSEAlgorithm>", "</SSEAlgorithm>");
    struct view key = element(buf_view(&xml), "<KMSMasterKeyID>", "</KMSMasterKeyID>");
    if (st != ST_OK && st != ST_MISSING)
        walk_call_failed(w, key_step, b->name, st, "s3:GetEncryptionConfiguration", &err);
    else if (!view_starts(how, VIEW_LIT("aws:kms")))
        findings_ok(w->f, key_step, b->name, "encrypted by S3 itself");
    else if (key.len == 0)
        findings_not_checked(w->f, key_step, b->name,
                             "encrypted with aws/s3, a key of AWS, whose policy cannot be changed; "
                             "a key of yours can let Bedrock in");
    else
        look_at_key(w, b, key, &command);
    buf_clear(&xml);
    buf_clear(&command);
}
