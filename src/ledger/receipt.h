/*
 * receipt.h: one number for a set of counted objects, whatever the order and the machine.
 *
 * Two runs that counted the same objects, each as often, have the same digest; halves counted on
 * two machines can be added up.  The digest is the sum modulo 2^256 of one SHA-256 per object:
 *
 *   - a sum does not depend on the order and can be built in parts (merge), as XOR can, but an
 *     object counted twice changes a sum, while under XOR it vanishes;
 *   - by accident two different sets meet with probability 2^-256;
 *   - on purpose they can be made to: who may choose object names freely finds, by the generalised
 *     birthday attack, many names with a wanted sum for about 2^32 work.  So a receipt is evidence
 *     about faults and mistakes, not against a forger of keys; the number of objects is compared
 *     too, and the ledger holds the objects themselves.
 *
 * An object's term is hashed again from its identity with a label, so that the sum is not made of
 * values that are stored in other places.
 */
#ifndef LEDGER_RECEIPT_H
#define LEDGER_RECEIPT_H

#include "base/view.h"
#include "ledger/protocol_core.h"

struct receipt { /* all zero: nothing counted */
    uint64_t objects;
    uint64_t sum[4]; /* least significant first */
};

/* ST_NO_MEMORY leaves *r as it was. */
NODISCARD enum status receipt_add(struct receipt *r, const struct ledger_id *id);

/* Everything `other` counted was counted here too. */
void receipt_merge(struct receipt *r, const struct receipt *other);

/* "sha256sum:" and 64 digits, NUL-terminated. */
enum { RECEIPT_TEXT_BYTES = 75 };
void receipt_format(const struct receipt *r, char out[RECEIPT_TEXT_BYTES]);

#endif
