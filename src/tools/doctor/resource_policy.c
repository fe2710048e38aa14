/*
 * A reader of resource policies.  jansson does the parsing; here is what a statement says: whom it
 * is about (Principal), what (Action), on what (Resource), and under which Condition.  A Deny that
 * holds ends it; of several Allows the widest counts.
 */
#include "tools/doctor/resource_policy.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_json.h"
#include "base/json_read.h"

bool policy_like(struct view text, struct view pattern)
{
    size_t t = 0, p = 0, star = SIZE_MAX, from = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool like_nocase(struct view text, struct view pattern)
{
    char low[2][512];
    struct view in[2] = {text, pattern};
    for (size_t k = 0; k < 2; k++) {
        if (in[k].len > sizeof(low[k]))
            return false;
        for (size_t i = 0; i < in[k].len; i++) {
            char c = in[k].ptr[i];
            low[k][i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    }
    return policy_like(view_make(low[0], text.len), view_make(low[1], pattern.len));
}

typedef bool match_fn(struct view text, struct view pattern);

/* The source is known only as "any of these": a pattern for one of them may be met. */
static bool is_among(struct view any_of, struct view pattern)
{
    return policy_like(pattern, any_of);
}

/* `one_or_many`: a string or an array of them. */
static bool any(const json_t *one_or_many, match_fn *match, struct view text)
{
    size_t n = json_is_array(one_or_many) ? json_array_size(one_or_many) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *item =
            json_is_array(one_or_many) ? json_array_get(one_or_many, i) : one_or_many;
        if (json_is_string(item) && match(text, json_view(item)))
            return true;
    }
    return false;
}

/* An element and its Not... counterpart; absent both is not a match. */
static bool element(const json_t *statement, const char *name, const char *not_name,
                    match_fn *match, struct view text)
{
    const json_t *yes = json_object_get(statement, name);
    const json_t *no = json_object_get(statement, not_name);
    return yes != NULL ? any(yes, match, text) : no != NULL && !any(no, match, text);
}

static bool principal_is(const json_t *principal, struct view service)
{
    if (json_is_string(principal))
        return any(principal, view_eq, VIEW_LIT("*"));
    return any(json_object_get(principal, "Service"), view_eq, service) ||
           any(json_object_get(principal, "AWS"), view_eq, VIEW_LIT("*"));
}

/* Action, resource and principal, without the condition. */
static bool speaks_of_it(const json_t *statement, const struct policy_question *q)
{
    const json_t *principal = json_object_get(statement, "Principal");
    const json_t *others = json_object_get(statement, "NotPrincipal");
    bool who = principal != NULL ? principal_is(principal, q->service)
                                 : others != NULL && !principal_is(others, q->service);
    return who && element(statement, "Action", "NotAction", like_nocase, q->action) &&
           element(statement, "Resource", "NotResource", policy_like, q->resource);
}

enum truth { NO, YES, UNKNOWN };

/* What the service's request would have under a key: false when this reader cannot say. */
static bool context_value(const char *key, const struct policy_question *q, struct view *value)
{
    struct view name = view_of(key);
    if (view_eq_nocase(name, VIEW_LIT("aws:SourceArn")))
        *value = q->source_arn;
    else if (view_eq_nocase(name, VIEW_LIT("aws:SourceAccount")))
        *value = q->account;
    else if (view_eq_nocase(name, VIEW_LIT("aws:SecureTransport")) ||
             view_eq_nocase(name, VIEW_LIT("aws:PrincipalIsAWSService")))
        *value = VIEW_LIT("true");
    else
        return false;
    return value->len > 0;
}

/* "ForAnyValue:StringEqualsIfExists" -> how to compare; NULL: not known here. */
static match_fn *operator_match(struct view name, bool *negated)
{
    static const struct {
        const char *name;
        match_fn *match;
        bool negated;
    } known[] = {
        {"StringEquals", view_eq, false},
        {"StringNotEquals", view_eq, true},
        {"StringEqualsIgnoreCase", view_eq_nocase, false},
        {"StringNotEqualsIgnoreCase", view_eq_nocase, true},
        {"StringLike", policy_like, false},
        {"StringNotLike", policy_like, true},
        {"ArnEquals", policy_like, false}, /* ArnEquals and ArnLike are the same */
        {"ArnNotEquals", policy_like, true},
        {"ArnLike", policy_like, false},
        {"ArnNotLike", policy_like, true},
        {"Bool", view_eq_nocase, false},
    };
    size_t colon = view_find_char(name, ':');
    if (colon != SIZE_MAX)
        name = view_skip(name, colon + 1);
    if (view_ends(name, VIEW_LIT("IfExists")))
        name = view_first(name, name.len - 8);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (view_eq_cstr(name, known[i].name)) {
            *negated = known[i].negated;
            return known[i].match;
        }
    }
    return NULL;
}

/* What a statement's condition says, and which key was not met. */
struct condition {
    enum truth holds;
    bool limited;          /* not anybody's source */
    const char *failed;    /* key, NULL none */
    const json_t *expects; /* its values */
};

static void check_key(struct condition *c, const char *operator, const char * key,
                      const json_t *values, const struct policy_question *q)
{
    bool negated = false;
    struct view value;
    match_fn *match = operator_match(view_of(operator), &negated);
    if (view_eq_nocase(view_of(key), VIEW_LIT("aws:SourceArn")) ||
        view_eq_nocase(view_of(key), VIEW_LIT("aws:SourceAccount")))
        c->limited = true;
    if (match == NULL || !context_value(key, q, &value)) {
        c->limited = true; /* by what this reader does not know */
        if (c->holds == YES)
            c->holds = UNKNOWN;
        return;
    }
    bool met;
    if (json_is_boolean(values)) /* Bool may be written without quotes */
        met = match(value, json_is_true(values) ? VIEW_LIT("true") : VIEW_LIT("false"));
    else
        met =
            any(values, match, value) || (match == policy_like && view_ends(value, VIEW_LIT("*")) &&
                                          any(values, is_among, value));
    if (met != negated)
        return;
    c->holds = NO;
    if (c->failed == NULL) {
        c->failed = key;
        c->expects = values;
    }
}

static struct condition check_condition(json_t *statement, const struct policy_question *q)
{
    struct condition c = {.holds = YES};
    const char *operator, * key;
    json_t *keys, *values;
    json_object_foreach(json_object_get(statement, "Condition"), operator, keys)
    {
        json_object_foreach(keys, key, values)
        {
            check_key(&c, operator, key, values, q);
        }
    }
    return c;
}

static void note(struct policy_result *out, enum policy_answer answer, const json_t *statement,
                 const json_t *expects)
{
    const json_t *sid = json_object_get(statement, "Sid");
    if (json_is_array(expects))
        expects = json_array_get(expects, 0);
    out->answer = answer;
    (void)snprintf(out->statement, sizeof(out->statement), "%s",
                   json_is_string(sid) ? json_string_value(sid) : "");
    (void)snprintf(out->value, sizeof(out->value), "%s",
                   json_is_string(expects) ? json_string_value(expects) : "");
}

static bool is_effect(const json_t *statement, const char *effect)
{
    return view_eq_cstr(json_text(statement, "Effect"), effect);
}

/* One statement's part in the answer. */
static void weigh(json_t *statement, const struct policy_question *q, struct policy_result *out)
{
    if (!speaks_of_it(statement, q))
        return;
    struct condition c = check_condition(statement, q);
    if (is_effect(statement, "Deny")) {
        if (c.holds == YES)
            note(out, POLICY_DENIES, statement, NULL);
        else if (c.holds == UNKNOWN)
            out->unsure = true;
        return;
    }
    if (!is_effect(statement, "Allow") || out->answer == POLICY_DENIES ||
        out->answer == POLICY_ALLOWS_ALL)
        return;
    if (c.holds != NO) {
        out->unsure = out->unsure || c.holds == UNKNOWN;
        note(out, c.limited ? POLICY_ALLOWS : POLICY_ALLOWS_ALL, statement, NULL);
    } else if (out->answer == POLICY_EMPTY) {
        bool account = view_eq_nocase(view_of(c.failed), VIEW_LIT("aws:SourceAccount"));
        bool source = view_eq_nocase(view_of(c.failed), VIEW_LIT("aws:SourceArn"));
        if (account || source)
            note(out, account ? POLICY_OTHER_ACCOUNT : POLICY_OTHER_SOURCE, statement, c.expects);
    }
}

/* The statements as an array, new reference; one alone need not be in an array. */
static json_t *statements(const json_t *doc)
{
    json_t *s = json_object_get(doc, "Statement");
    if (json_is_array(s))
        return json_incref(s);
    return json_is_object(s) ? json_pack("[O]", s) : json_array();
}

enum status resource_policy_check(struct view policy, const struct policy_question *question,
                                  struct policy_result *out)
{
    memset(out, 0, sizeof(*out));
    out->answer = POLICY_EMPTY;
    json_t *doc = aws_json_parse(policy);
    json_t *all = statements(doc);
    size_t i;
    json_t *statement;
    json_array_foreach(all, i, statement)
    {
        weigh(statement, question, out);
    }
    json_decref(all);
    json_decref(doc);
    return all == NULL ? ST_NO_MEMORY : ST_OK;
}

enum status resource_policy_fixed(struct view policy, const struct policy_question *question,
                                  struct buf *out)
{
    json_t *doc = aws_json_parse(policy);
    json_t *all = statements(doc);
    json_t *kept = json_array();
    size_t i;
    json_t *statement;
    json_array_foreach(all, i, statement)
    {
        struct condition c = check_condition(statement, question);
        bool denies = is_effect(statement, "Deny");
        bool open = is_effect(statement, "Allow") && !c.limited;
        bool drop = speaks_of_it(statement, question) && c.holds == YES && (denies || open);
        if (!drop)
            json_array_append(kept, statement);
    }
    const char *compare = view_ends(question->source_arn, VIEW_LIT("*")) ? "ArnLike" : "ArnEquals";
    struct view resource = question->written.len > 0 ? question->written : question->resource;
    json_t *condition = json_pack("{s:{s:s%}}", compare, "aws:SourceArn", question->source_arn.ptr,
                                  question->source_arn.len);
    if (condition != NULL && question->account.len > 0)
        json_object_set_new(
            condition, "StringEquals",
            json_pack("{s:s%}", "aws:SourceAccount", question->account.ptr, question->account.len));
    /* A Sid has to be unique, so the statement that does not fit makes room for it. */
    char sid[64];
    (void)snprintf(sid, sizeof(sid), "%s%zu", question->sid, json_array_size(kept));
    json_array_append_new(kept, json_pack("{s:s, s:s, s:{s:s%}, s:s%, s:s%, s:o}", "Sid", sid,
                                          "Effect", "Allow", "Principal", "Service",
                                          question->service.ptr, question->service.len, "Action",
                                          question->action.ptr, question->action.len, "Resource",
                                          resource.ptr, resource.len, "Condition", condition));
    json_t *whole = json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", kept);
    char *text = whole == NULL ? NULL : json_dumps(whole, JSON_COMPACT);
    buf_add_cstr(out, text == NULL ? "" : text);
    enum status st = text == NULL ? ST_NO_MEMORY : buf_status(out);
    free(text);
    json_decref(whole);
    json_decref(all);
    json_decref(doc);
    return st;
}
