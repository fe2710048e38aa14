/*
 * answers.h: what `serve` answers, without HTTP: bodies from a usage store.
 *
 * Any thread may ask.
 */
#ifndef SERVE_ANSWERS_H
#define SERVE_ANSWERS_H

#include "report/page.h"
#include "store/usage.h"

struct answers_options {
    struct usage *usage;
    metric_set metrics;       /* of /api/usage and /metrics */
    const char *prices_as_of; /* of the list in use */
    const char *source;       /* the folder, for people */
};

struct answers;

struct answers *answers_new(const struct answers_options *options); /* NULL: no memory */
void answers_free(struct answers *answers);                         /* NULL does nothing */

/* Let those who wait for an answer go. */
void answers_end(struct answers *answers);

/* The arguments of /api/usage; NULL: absent. */
struct usage_arguments {
    const char *by, *interval, *since, *until, *top;
};

/*
 * *body (free() it) holds *length bytes.  ST_USAGE: the arguments are wrong, as *err says.
 * ST_TOO_BIG: the answer would be too large for one.
 */
NODISCARD enum status answers_usage(struct answers *answers, const struct usage_arguments *ask,
                                    char **body, size_t *length, struct error *err);

/* All-time counters for Prometheus: its text form 0.0.4, or OpenMetrics 1.0. */
NODISCARD enum status answers_metrics(struct answers *answers, bool openmetrics, char **body,
                                      size_t *length, struct error *err);

/*
 * The data set of the page, shared and counted: answers_page_release it.  While files keep coming
 * it may be some seconds old.
 */
struct page_document {
    char version[64];
    char *json;
    size_t length;
    _Atomic unsigned references;
};
NODISCARD enum status answers_page(struct answers *answers, struct page_document **out,
                                   struct error *err);
void answers_page_release(struct page_document *document);

#endif
