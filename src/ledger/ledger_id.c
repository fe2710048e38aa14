/*
 * ledger_id.c: SHA-256 over bucket, a zero byte and key: bucket names have no zero byte, so no two
 * objects have the same input.  A hash, so that an identity has one length in every kind of
 * ledger.
 */
#include "ledger/ledger_id.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "config/variables.h"
#include "objects/source_s3.h"

/* The last folder `AWSLogs`, because what comes before it is the user's own free text. */
static struct view path_part(struct view key)
{
    const struct view folder = VIEW_LIT("AWSLogs/");
    for (size_t at = key.len < folder.len ? 0 : key.len - folder.len + 1; at-- > 0;)
        if ((at == 0 || key.ptr[at - 1] == '/') && view_starts(view_skip(key, at), folder))
            return view_skip(key, at);
    return VIEW_EMPTY;
}

enum status ledger_id_of(enum ledger_identity identity, struct view bucket, struct view key,
                         struct ledger_id *out)
{
    if (identity == IDENTITY_PATH) {
        struct view path = path_part(key);
        if (path.len > 0) {
            bucket = VIEW_EMPTY;
            key = path;
        }
    }
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, bucket.ptr, bucket.len) == 1 &&
              EVP_DigestUpdate(md, "", 1) == 1 && EVP_DigestUpdate(md, key.ptr, key.len) == 1 &&
              EVP_DigestFinal_ex(md, out->bytes, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? ST_OK : ST_NO_MEMORY;
}

/* SHA-256 gives one of these halves with probability 2^-127. */
static const uint8_t DOUBTS[16] = "in doubt, batch", CHANGE[16] = "changed content";

void ledger_id_of_doubts(const struct ledger_nonce *batch, struct ledger_id *out)
{
    memcpy(out->bytes, DOUBTS, sizeof DOUBTS);
    memcpy(out->bytes + sizeof DOUBTS, batch->bytes, sizeof batch->bytes);
}

enum status ledger_id_of_change(const struct ledger_id *object, uint64_t tag, struct ledger_id *out)
{
    uint8_t message[sizeof object->bytes + sizeof tag], hash[32];
    memcpy(message, object->bytes, sizeof object->bytes);
    for (size_t i = 0; i < sizeof tag; i++)
        message[sizeof object->bytes + i] = (uint8_t)(tag >> 8 * i);
    if (EVP_Digest(message, sizeof message, hash, NULL, EVP_sha256(), NULL) != 1)
        return ST_NO_MEMORY;
    memcpy(out->bytes, CHANGE, sizeof CHANGE);
    memcpy(out->bytes + sizeof CHANGE, hash, sizeof out->bytes - sizeof CHANGE);
    return ST_OK;
}

bool ledger_id_is_note(const struct ledger_id *id)
{
    return memcmp(id->bytes, DOUBTS, sizeof DOUBTS) == 0 ||
           memcmp(id->bytes, CHANGE, sizeof CHANGE) == 0;
}

uint64_t ledger_tag_of(struct view etag)
{
    uint8_t hash[32];
    uint64_t tag = 0;
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        etag = view_make(etag.ptr + 1, etag.len - 2);
    if (etag.len == 0 || EVP_Digest(etag.ptr, etag.len, hash, NULL, EVP_sha256(), NULL) != 1)
        return 0;
    for (size_t i = 0; i < sizeof tag; i++)
        tag = tag << 8 | hash[i];
    return tag == 0 ? 1 : tag;
}

enum status ledger_identity_load(enum ledger_identity *out, struct error *err)
{
    unsigned identity = IDENTITY_KEY;
    enum status st = variable_choice(VAR_LEDGER_IDENTITY, &identity, err);
    *out = identity;
    return st;
}

enum status ledger_name_split(struct view shown, struct view *bucket, struct view *key, char **path)
{
    *path = NULL;
    *bucket = VIEW_LIT("");
    if (view_starts(shown, VIEW_LIT("s3://")))
        return source_s3_parse(shown, bucket, key, NULL);
    char *text = view_dup(shown);
    if (text == NULL)
        return ST_NO_MEMORY;
    *path = strcmp(text, "-") == 0 ? NULL : realpath(text, NULL);
    free(text);
    *key = view_of(*path);
    return *path == NULL ? ST_MISSING : ST_OK;
}

enum status ledger_id_of_name(enum ledger_identity identity, struct view shown,
                              struct ledger_id *id)
{
    struct view bucket, key;
    char *path;
    enum status st = ledger_name_split(shown, &bucket, &key, &path);
    if (st == ST_OK)
        st = ledger_id_of(identity, bucket, key, id);
    free(path);
    return st;
}

void ledger_id_format(const struct ledger_id *id, char out[65])
{
    hex_format(id->bytes, sizeof id->bytes, out);
}

enum status ledger_id_parse(struct view text, struct ledger_id *out)
{
    return hex_parse(text, out->bytes, sizeof out->bytes) ? ST_OK : ST_BAD_ITEM;
}
