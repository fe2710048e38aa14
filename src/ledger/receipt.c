/* receipt.c: a sum of SHA-256 values modulo 2^256, in four words, lowest first. */
#include "ledger/receipt.h"

#include <openssl/evp.h>
#include <stdio.h>

static const char LABEL[] = "bedrock-metrics/receipt/1"; /* hashed with its NUL */

static void add_words(uint64_t sum[4], const uint64_t term[4])
{
    uint64_t carry = 0;
    for (size_t i = 0; i < 4; i++) {
        uint64_t s;
        bool over = __builtin_add_overflow(sum[i], term[i], &s);
        over |= __builtin_add_overflow(s, carry, &sum[i]);
        carry = over;
    }
}

enum status receipt_add(struct receipt *r, const struct ledger_id *id)
{
    uint8_t message[sizeof LABEL + sizeof id->bytes];
    uint8_t hash[32];
    memcpy(message, LABEL, sizeof LABEL);
    memcpy(message + sizeof LABEL, id->bytes, sizeof id->bytes);
    if (EVP_Digest(message, sizeof message, hash, NULL, EVP_sha256(), NULL) != 1)
        return ST_NO_MEMORY;
    uint64_t term[4] = {0};
    for (size_t i = 0; i < sizeof hash; i++) /* big-endian, as the printed digits */
        term[3 - i / 8] = term[3 - i / 8] << 8 | hash[i];
    add_words(r->sum, term);
    r->objects++;
    return ST_OK;
}

void receipt_merge(struct receipt *r, const struct receipt *other)
{
    add_words(r->sum, other->sum);
    r->objects += other->objects;
}

void receipt_format(const struct receipt *r, char out[RECEIPT_TEXT_BYTES])
{
    snprintf(out, RECEIPT_TEXT_BYTES, "sha256sum:%016llx%016llx%016llx%016llx",
             (unsigned long long)r->sum[3], (unsigned long long)r->sum[2],
             (unsigned long long)r->sum[1], (unsigned long long)r->sum[0]);
}
