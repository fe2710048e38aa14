/*
 * fuzz_scan.c: any bytes as an object's content, whole and in chunks the input itself chooses; all
 * kernels must find the same texts and values.
 *
 * The first byte seeds the chunk sizes.  A chunk lives in a block of exactly its size.
 */
#include <stdio.h>
#include <stdlib.h>

#include "records/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t hash, texts;
};

static void mix(struct seen *seen, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seen->hash = (seen->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
}

static void on_text(void *context, enum scan_outcome outcome, uint64_t offset,
                    const struct scan_record *record)
{
    struct seen *seen = context;
    seen->texts++;
    mix(seen, &outcome, sizeof(outcome));
    mix(seen, &offset, sizeof(offset));
    if (record == NULL)
        return;
    mix(seen, &record->latency.value, sizeof(record->latency.value));
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        mix(seen, &record->number[i].value, sizeof(record->number[i].value));
    for (size_t i = 0; i < FIELD_METADATA + 1; i++) {
        mix(seen, &record->text[i].kind, sizeof(record->text[i].kind));
        mix(seen, record->text[i].ptr,
            record->text[i].kind == VALUE_GOOD ? record->text[i].len : 0);
    }
}

static struct seen scan(struct scanner *s, struct seen *seen, const uint8_t *data, size_t size,
                        uint64_t seed)
{
    *seen = (struct seen){UINT64_C(0xcbf29ce484222325), 0};
    scanner_reset(s);
    while (size > 0) {
        size_t n = size;
        if (seed != 0) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            n = seed >> 60 == 0 ? 1 + (seed >> 33) % 300 : 1 + (seed >> 33) % 40;
        }
        n = n < size ? n : size;
        uint8_t *chunk = malloc(n);
        if (chunk == NULL)
            abort();
        memcpy(chunk, data, n);
        scanner_feed(s, chunk, n);
        free(chunk);
        data += n;
        size -= n;
    }
    scanner_finish(s);
    return *seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kernels[] = {"scalar", "sse2", "avx2", "neon"};
    static const struct view key = {"team", 4};
    static struct scanner *scanners[2];
    static struct seen seen;
    if (size == 0)
        return 0;
    uint64_t seed = data[0] + UINT64_C(1);
    for (int latency = 0; latency < 2; latency++) {
        const struct scan_options options = {&key, 1, latency == 1};
        struct scanner *fresh = scanner_new(&options, on_text, &seen);
        if (scanners[latency] == NULL)
            scanners[latency] = scanner_new(&options, on_text, &seen);
        if (fresh == NULL || scan_select(view_of("scalar")) != ST_OK)
            abort();
        struct seen wanted = scan(fresh, &seen, data + 1, size - 1, 0);
        scanner_free(fresh);
        for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
            if (scan_select(view_of(kernels[k])) != ST_OK)
                continue;
            for (int chunked = 0; chunked < 2; chunked++) {
                struct seen got =
                    scan(scanners[latency], &seen, data + 1, size - 1, chunked == 1 ? seed : 0);
                if (got.hash != wanted.hash || got.texts != wanted.texts) {
                    fprintf(stderr, "%s differs, chunked %d, latency %d\n", kernels[k], chunked,
                            latency);
                    abort();
                }
            }
        }
    }
    return 0;
}
