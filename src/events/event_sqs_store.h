/* event_sqs_store.h: an event_sqs from a document already parsed.  Internal to src/events/. */
#ifndef EVENTS_EVENT_SQS_STORE_H
#define EVENTS_EVENT_SQS_STORE_H

#include "events/event_json.h"
#include "events/event_sqs.h"

/* `records` is the envelope's array; max_text_bytes bounds its texts.  As event_sqs_parse. */
NODISCARD enum status event_sqs_load(const json_t *records, size_t max_text_bytes,
                                     struct event_sqs *out, struct error *err);

#endif
