/*
 * settings_sources.h: the SOURCE words of a command line as sources: files and folders, and
 * "s3://bucket[/prefix]" with what it takes to read them.
 */
#ifndef CONFIG_SETTINGS_SOURCES_H
#define CONFIG_SETTINGS_SOURCES_H

#include "config/settings.h"
#include "objects/source.h"

struct sources {
    struct source *list[2]; /* for pipeline_run */
    size_t count;
    /* owned */
    char **paths, **urls;
    struct aws_pool *pools[SETTINGS_MAX_ROLES + 1]; /* by role */
    struct aws_pool **url_pools;                    /* of each URL */
    struct settings_aws aws;                        /* opened only when there is an s3:// word */
};

/*
 * The words must live on.  AWS is not looked at unless one begins with s3://.  ST_USAGE: a bad URL
 * or AWS configuration, named in *err.  Close in every case.
 */
NODISCARD enum status sources_open(struct sources *out, char *const *words, size_t count,
                                   const struct time_range *range, struct error *err);
void sources_close(struct sources *s);

#endif
