/*
 * ledger_dynamodb.h: the ledger of a fleet, one DynamoDB table.
 *
 * Knows the service's documents, not how to reach it: calls go through one function pointer, so
 * that this folder depends on no network code and a test can lose any answer.
 */
#ifndef LEDGER_LEDGER_DYNAMODB_H
#define LEDGER_LEDGER_DYNAMODB_H

#include <jansson.h>

#include "ledger/ledger.h"

/*
 * Make one call: "GetItem", "BatchGetItem", "PutItem", "UpdateItem", or for list_batches "Scan".
 * `in` is borrowed, *out becomes the caller's (NULL: none).  ST_OK: the answer's document.
 * ST_CONFLICT: the condition failed; *out is {"Item": the item found} or {}.  Everything else as in
 * ledger.h.  The callee may repeat a call whose answer it missed: each of them can
 * distinguish its own earlier write from another worker's.
 */
typedef enum status ledger_dynamodb_call(void *ctx, const char *operation, const json_t *in,
                                         json_t **out);

struct ledger_dynamodb_options {
    const char *table; /* copied; its one key is the string `pk`, expiry is the number `expires` */
    ledger_dynamodb_call *call;
    void *ctx;
    int64_t (*now_ms)(void *ctx); /* for expiry only */
    unsigned ttl_days;            /* 0: LEDGER_TTL_DAYS_DEFAULT; at least 17 */
};

/* Contacts nobody yet.  The ledger may be shared by threads if `call` may. */
NODISCARD enum status ledger_dynamodb_open(const struct ledger_dynamodb_options *options,
                                           struct ledger **out, struct error *err);

#endif
