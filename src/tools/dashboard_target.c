/* dashboard_target.c: the names of queues, functions and tables as people have them at hand. */
#include "tools/dashboard.h"

#include <ctype.h>

/* The part after the last `separator`, all without one. */
static struct view after_last(struct view text, char separator)
{
    struct view rest = text, part = text;
    while (view_split(&rest, separator, &part)) {
    }
    return part;
}

static bool is_name(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!isalnum((unsigned char)c) && (c == '\0' || strchr("-_.", c) == NULL))
            return false;
    }
    return name.len > 0 && name.len <= 255;
}

/* arn:aws:lambda:eu-west-1:111122223333:function:NAME:QUALIFIER, ...:table/NAME, ...:NAME */
static void split_arn(struct view text, struct dashboard_target *out)
{
    struct view rest = text, part;
    for (unsigned i = 0; i < 5 && view_split(&rest, ':', &part); i++) {
        if (i == 3)
            out->region = part;
    }
    struct view function = VIEW_LIT("function:");
    if (view_starts(rest, function)) {
        rest = view_skip(rest, function.len);
        (void)view_split(&rest, ':', &out->name);
    } else {
        out->name = after_last(rest, '/');
    }
}

/* https://sqs.eu-west-1.amazonaws.com/111122223333/NAME */
static void split_url(struct view text, struct dashboard_target *out)
{
    struct view host = view_skip(text, view_find(text, VIEW_LIT("://")) + 3), part;
    out->name = after_last(text, '/');
    if (view_starts(host, VIEW_LIT("sqs."))) {
        host = view_skip(host, 4);
        if (view_split(&host, '.', &part) && view_starts(host, VIEW_LIT("amazonaws.com")))
            out->region = part;
    }
}

enum status dashboard_target_parse(struct view text, struct dashboard_target *out,
                                   struct error *err)
{
    *out = (struct dashboard_target){.name = text};
    if (view_starts(text, VIEW_LIT("arn:")))
        split_arn(text, out);
    else if (view_starts(text, VIEW_LIT("https://")) || view_starts(text, VIEW_LIT("http://")))
        split_url(text, out);
    if (is_name(out->name) && (out->region.len == 0 || is_name(out->region)))
        return ST_OK;
    return error_set(err, ST_USAGE, E_U216, "\"%.*s\" is not a name, URL or ARN of one",
                     SHOW_MAX(text, 80));
}
