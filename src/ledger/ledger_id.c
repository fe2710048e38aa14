#include "ledger/ledger_id.h"

#include <openssl/evp.h>

/* The last folder `AWSLogs`, because what stands before it is the user's own free text. */
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

enum status ledger_identity_parse(struct view name, enum ledger_identity *out)
{
    if (view_eq_cstr(name, "key"))
        *out = IDENTITY_KEY;
    else if (view_eq_cstr(name, "path"))
        *out = IDENTITY_PATH;
    else
        return ST_USAGE;
    return ST_OK;
}

void ledger_id_format(const struct ledger_id *id, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        out[2 * i] = digits[id->bytes[i] >> 4];
        out[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    out[64] = '\0';
}

enum status ledger_id_parse(struct view text, struct ledger_id *out)
{
    struct ledger_id id;
    if (text.len != 2 * sizeof id.bytes)
        return ST_BAD_ITEM;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return ST_BAD_ITEM;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return ST_OK;
}
