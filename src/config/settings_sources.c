/*
 * settings_sources.c: SOURCE words as sources.  Apart from settings.c, because only commands have
 * such words, and most of them run on a laptop without any AWS configuration.
 */
#include "config/settings_sources.h"

#include <signal.h>
#include <stdlib.h>

#include "objects/source_s3.h"

static enum status open_s3(struct sources *s, size_t url_count, const struct time_range *range,
                           struct error *err)
{
    enum status st = settings_aws_open(&s->aws, err);
    if (st != ST_OK)
        return st;
    /* A connection that dies while it is written to is an error, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    struct aws_client_options client = settings_aws_client(&s->aws);
    for (size_t i = 0; i < url_count && st == ST_OK; i++) {
        struct view bucket, prefix;
        st = source_s3_parse(view_of(s->urls[i]), &bucket, &prefix, err);
        size_t role = settings_aws_role(&s->aws, bucket);
        client.creds = settings_aws_creds(&s->aws, role);
        if (st == ST_OK && s->pools[role] == NULL &&
            (s->pools[role] = aws_pool_new(&client)) == NULL)
            st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        s->url_pools[i] = s->pools[role];
    }
    if (st != ST_OK)
        return st;
    struct source_s3_options options = {
        .urls = s->urls, .count = url_count, .pools = s->url_pools, .range = *range};
    st = source_s3_new(&options, &s->list[s->count], err);
    s->count += st == ST_OK;
    return st;
}

enum status sources_open(struct sources *out, char *const *words, size_t count,
                         const struct time_range *range, struct error *err)
{
    size_t path_count = 0, url_count = 0;
    *out = (struct sources){0};
    out->paths = calloc(count + 1, sizeof(char *));
    out->urls = calloc(count + 1, sizeof(char *));
    out->url_pools = calloc(count + 1, sizeof(struct aws_pool *));
    if (out->paths == NULL || out->urls == NULL || out->url_pools == NULL)
        return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (source_s3_is_url(words[i]))
            out->urls[url_count++] = words[i];
        else
            out->paths[path_count++] = words[i];
    }
    if (path_count > 0) {
        out->list[0] = source_files_new(out->paths, path_count);
        if (out->list[0] == NULL)
            return error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
        out->count = 1;
    }
    return url_count > 0 ? open_s3(out, url_count, range, err) : ST_OK;
}

void sources_close(struct sources *s)
{
    for (size_t i = 0; i < s->count; i++)
        source_free(s->list[i]);
    free(s->paths);
    free(s->urls);
    free(s->url_pools);
    for (size_t i = 0; i <= SETTINGS_MAX_ROLES; i++)
        aws_pool_free(s->pools[i]);
    settings_aws_close(&s->aws);
    *s = (struct sources){0};
}
