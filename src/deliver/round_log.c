/* What a round says of itself when it is over. */
#include "deliver/round_log.h"

#include "aggregate/region_guard.h"
#include "base/log.h"
#include "base/rfc3339.h"

static void log_dropped(const struct batch_dropped *d)
{
    char first[RFC3339_BYTES], last[RFC3339_BYTES];
    if (!d->any)
        return;
    rfc3339_format(d->first_time, first);
    rfc3339_format(d->last_time, last);
    if (d->old_rows > 0)
        LOG_FAULT(LOG_WARN, E_P120,
                  "older than the two weeks CloudWatch takes, not sent; `aggregate` reports it",
                  log_u64("cells", d->old_rows), log_u64("tokens", (uint64_t)d->old_tokens),
                  log_u64("invocations", (uint64_t)d->old_invocations), log_cstr("first", first),
                  log_cstr("last", last));
    if (d->future_rows > 0)
        LOG_FAULT(LOG_WARN, E_P121, "more than two hours ahead, not sent",
                  log_u64("cells", d->future_rows), log_u64("tokens", (uint64_t)d->future_tokens),
                  log_u64("invocations", (uint64_t)d->future_invocations), log_cstr("first", first),
                  log_cstr("last", last));
}

static void log_disallowed(const struct round_summary *s, struct region_guard *guard)
{
    struct buf regions;
    buf_init(&regions, 4096);
    region_guard_take_seen(guard, &regions);
    if (s->disallowed_tokens > 0 || s->disallowed_invocations > 0)
        LOG_FAULT(LOG_WARN, E_R125, "ran in Regions that are not allowed",
                  log_view("regions", buf_view(&regions)),
                  log_u64("tokens", (uint64_t)s->disallowed_tokens),
                  log_u64("invocations", (uint64_t)s->disallowed_invocations));
    buf_clear(&regions);
}

void round_log(const struct round_summary *s, const struct run_settings *settings,
               const struct ledger_session *ledger)
{
    const struct tally *t = &s->tally;
    const char *delivery = ledger_session_delivery(ledger);
    if (settings->guard != NULL)
        log_disallowed(s, settings->guard);
    if (s->series_folded > 0)
        LOG_FAULT(LOG_WARN, E_P122, "series beyond MAX_SERIES_PER_SET folded into Other",
                  log_u64("series", s->series_folded));
    log_dropped(&s->dropped);
    char digest[RECEIPT_TEXT_BYTES] = "";
    if (s->digest.objects > 0)
        receipt_format(&s->digest, digest);
    LOG_EVENT(LOG_INFO, "round", log_u64("messages", s->messages), log_u64("returned", s->returned),
              log_u64("objects", t->objects.counted), log_u64("duplicates", t->objects.duplicate),
              log_u64("objects_skipped", tally_objects_skipped(t)),
              log_u64("objects_failed", t->objects.failed), log_u64("records", t->records.counted),
              log_u64("records_skipped", tally_records_skipped(t)),
              log_u64("malformed", t->records.skipped[RECORD_MALFORMED]),
              log_u64("not_invocation_log", t->records.skipped[RECORD_NOT_LOG]),
              log_u64("invalid", t->records.skipped[RECORD_INVALID]),
              log_u64("out_of_range", t->records.skipped[RECORD_OUT_OF_RANGE]),
              log_u64("bytes", t->bytes_read), log_u64("tokens", (uint64_t)s->tokens),
              log_u64("invocations", (uint64_t)s->invocations),
              log_u64("datums", s->published.data), log_u64("requests", s->published.requests),
              log_u64("InDoubtPublishes", s->published.in_doubt),
              log_u64("ms_read", (uint64_t)s->ms_read),
              log_u64("ms_publish", (uint64_t)s->ms_publish), log_cstr("delivery", delivery),
              log_cstr("receipt", digest));
}
