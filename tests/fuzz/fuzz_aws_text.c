/* fuzz_aws_text.c: any bytes to the text parsers of the AWS layer; the first byte chooses one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_ini.h"
#include "aws/cred.h"
#include "aws/http.h"
#include "aws/retry.h"
#include "aws/sigv4.h"
#include "aws/sqs.h"
#include "aws/sts.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_xml(struct view text)
{
    struct xml_scan x;
    struct error err;
    enum xml_kind kind;
    size_t events = 0;
    unsigned depth = 0;
    xml_scan_init(&x, text);
    while (xml_scan_next(&x, &kind, &err) == ST_OK) {
        if (kind == XML_OPEN)
            depth++;
        if (kind == XML_CLOSE && depth-- == 0)
            abort();
        if (++events > text.len * 3 + 3)
            abort(); /* an event without input behind it: it would never end */
    }
    xml_scan_clear(&x);
}

static void fuzz_ini(struct view text)
{
    struct aws_ini *ini = NULL;
    struct error err;
    if (aws_ini_new(&ini) != ST_OK)
        return;
    if (aws_ini_add(ini, AWS_INI_CONFIG, text, &err) == ST_OK)
        (void)aws_ini_get(ini, VIEW_LIT("default"), "region");
    aws_ini_free(ini);
}

static void fuzz_words(struct view text)
{
    struct buf words;
    size_t n = 0;
    size_t found = 0;
    buf_init(&words, 100000);
    if (cred_split_command(text, &words, &n) == ST_OK) {
        for (size_t i = 0; i < words.len; i++)
            found += words.ptr[i] == '\0';
        if (found != n)
            abort();
    }
    buf_clear(&words);
}

static void fuzz_sign(struct view text)
{
    struct sigv4_result got;
    size_t at = view_find_char(text, '\n');
    struct http_header h = {VIEW_LIT("host"), view_first(text, at == SIZE_MAX ? 0 : at)};
    struct sigv4_request r = {.access_key_id = VIEW_LIT("A"),
                              .secret = VIEW_LIT("s"),
                              .region = VIEW_LIT("us-east-1"),
                              .service = VIEW_LIT("sqs"),
                              .method = VIEW_LIT("GET"),
                              .path = at == SIZE_MAX ? text : view_skip(text, at),
                              .query = text,
                              .headers = &h,
                              .n_headers = 1,
                              .normalize_path = true};
    sigv4_result_init(&got);
    if (sigv4_sign(&r, NULL, &got) == ST_OK && got.authorization.len < 100)
        abort();
    sigv4_result_clear(&got);
}

static void fuzz_names(struct view text)
{
    struct uri u;
    struct sqs_queue q;
    struct credentials c;
    struct buf plain;
    int64_t when = 0;
    buf_init(&plain, 100000);
    if (uri_parse(text, &u) == ST_OK && (u.host.len == 0 || u.port == 0))
        abort();
    if (sqs_queue_parse(text, NULL, &q, NULL) == ST_OK && q.name[0] == '\0')
        abort();
    (void)sts_role_arn_valid(text);
    (void)cred_container_url_allowed(text);
    (void)retry_after_ms(text, 0);
    if (retry_parse_http_date(text, &when) == ST_OK && when < -62167219200)
        abort();
    if (uri_decode(&plain, text, true) == ST_OK && plain.len > text.len)
        abort();
    if (cred_parse_json(text, "f", &c, NULL) == ST_OK && c.secret[0] == '\0')
        abort();
    buf_clear(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    char *copy = malloc(size); /* its own block, so that a read behind the end is seen */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    static void (*const targets[])(struct view) = {fuzz_xml, fuzz_ini, fuzz_words, fuzz_sign,
                                                   fuzz_names};
    targets[data[0] % 5](view_make(copy + 1, size - 1));
    free(copy);
    return 0;
}
