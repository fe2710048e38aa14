/* walk_roles.c: whether the roles of ROLE_ARN can be taken, which is how other accounts' buckets
 * are read. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/sts.h"
#include "config/config.h"
#include "tools/doctor/walk.h"

static const char step[] = "roles";

/* arn:aws:sts::1:assumed-role/NAME/SESSION -> arn:aws:iam::1:role/NAME: what a trust policy names.
 * The path of a role is not in its session's ARN. */
static void principal_of(const char *identity, struct buf *out)
{
    struct view rest = view_of(identity), part;
    size_t at = view_find(rest, VIEW_LIT(":assumed-role/"));
    if (at >= rest.len) {
        buf_add_view(out, rest);
        return;
    }
    struct view head = view_first(rest, at);
    struct view name = view_skip(rest, at + strlen(":assumed-role/"));
    (void)view_split(&name, '/', &part);
    /* arn:PARTITION:sts::ACCOUNT */
    size_t sts = view_find(head, VIEW_LIT(":sts:"));
    buf_add_view(out, view_first(head, sts));
    buf_add_cstr(out, ":iam:");
    buf_add_view(
        out, view_skip(head, sts + strlen(":sts:") <= head.len ? sts + strlen(":sts:") : head.len));
    buf_printf(out, ":role/%.*s", (int)part.len, part.ptr);
}

/* The role's trust policy, replaced; to be run with credentials of the role's account. */
static struct view trust_command(const struct walk *w, struct view arn, struct buf *out)
{
    struct buf policy;
    size_t slash = view_rfind(arn, VIEW_LIT("/"));
    buf_init(&policy, 4096);
    buf_add_cstr(&policy, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                          "\"Principal\":{\"AWS\":\"");
    principal_of(w->identity, &policy);
    buf_add_cstr(&policy, "\"},\"Action\":\"sts:AssumeRole\"}]}");
    walk_command_start(out, "aws iam update-assume-role-policy");
    walk_command_option(out, "--role-name", view_skip(arn, slash == SIZE_MAX ? 0 : slash + 1));
    walk_command_option(out, "--policy-document", buf_view(&policy));
    buf_add_cstr(out, " (in the role's account; it replaces the trust policy; and who reads needs "
                      "sts:AssumeRole on the role)");
    buf_clear(&policy);
    return buf_view(out);
}

static void try_role(struct walk *w, struct view arn, struct buf *command)
{
    struct error err = {0};
    struct credentials *taken = calloc(1, sizeof(*taken));
    struct sts_role role = {.role_arn = arn, .session_name = VIEW_LIT("bedrock-metrics-doctor")};
    enum status st =
        taken == NULL ? ST_NO_MEMORY : sts_assume_role(w->client, VIEW_EMPTY, &role, taken, &err);
    if (st == ST_OK)
        findings_ok(w->f, step, arn, "can be taken");
    else if (st == ST_DENIED || st == ST_BAD_ITEM || st == ST_MISSING)
        findings_add(w->f, CODE_ROLE, step, arn, trust_command(w, arn, command), "%s", err.text);
    else
        findings_not_checked(w->f, step, arn, "%s",
                             err.text[0] != '\0' ? err.text : status_name(st));
    if (taken != NULL)
        credentials_wipe(taken);
    free(taken);
}

void walk_roles(struct walk *w)
{
    struct view rest = view_of(config_get("ROLE_ARN", NULL)), part;
    struct buf command;
    if (rest.len == 0 || !walk_wants(w, step, VIEW_EMPTY))
        return;
    buf_init(&command, WALK_TEXT);
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        /* BUCKET=ARN; a role's name may hold `=`, a bucket's may not. */
        size_t equals = view_find_char(part, '=');
        if (equals != SIZE_MAX && !view_starts(part, VIEW_LIT("arn:")))
            part = view_trim(view_skip(part, equals + 1));
        if (sts_role_arn_valid(part))
            try_role(w, part, &command);
        else
            findings_add(w->f, CODE_VARIABLE, step, VIEW_LIT("ROLE_ARN"),
                         VIEW_LIT("set the variable to a value that can be used, or leave it "
                                  "unset"),
                         "\"%.*s\" is no role's ARN", (int)(part.len < 80 ? part.len : 80),
                         part.ptr);
    }
    buf_clear(&command);
}
