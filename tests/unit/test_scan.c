/*
 * test_scan.c: the scanner: what it finds, and that neither chunk borders nor the instruction set
 * change it.
 *
 * Every document is read whole by the scalar loops first; that is compared with every cut into two
 * chunks and with all chunks of 1..70 bytes, by every kernel this machine can run.  Chunks end at a
 * page that cannot be read and are overwritten after use.
 */
#include "unit.h"

#include "base/buf.h"
#include "records/scan.h"

#define REC "{\"schemaType\":\"ModelInvocationLog\"}" /* 35 bytes */

static const struct view metadata_keys[] = {TEXT("team"), TEXT("k\xc3\xa9y"), TEXT("")};

enum { KERNELS = 4, TRANSCRIPT_MAX = 1 << 20, PAGE_BYTES = 1 << 16 };
static const char *const kernel_names[KERNELS] = {"scalar", "sse2", "avx2", "neon"};

/* ---- reading a document and writing down what was found ---- */

static void add_count(struct buf *out, const struct scan_count *count)
{
    buf_printf(out, " %d:%llu", (int)count->kind, (unsigned long long)count->value);
}

static void write_down(void *context, enum scan_outcome outcome, uint64_t offset,
                       const struct scan_record *record)
{
    struct buf *out = context;
    buf_printf(out, "%c%llu", "RMN"[outcome], (unsigned long long)offset);
    assert_int_equal(record != NULL, outcome == SCAN_RECORD);
    for (size_t i = 0; i < NUMBER_COUNT && record != NULL; i++)
        add_count(out, &record->number[i]);
    if (record != NULL)
        add_count(out, &record->latency);
    for (size_t i = 0; i < FIELD_METADATA + COUNT_OF(metadata_keys) && record != NULL; i++) {
        const struct scan_value *value = &record->text[i];
        buf_printf(out, " %d:", (int)value->kind);
        if (value->kind == VALUE_GOOD)
            buf_add(out, value->ptr, value->len);
    }
    buf_add_char(out, '\n');
}

static void outcomes_only(void *context, enum scan_outcome outcome, uint64_t offset,
                          const struct scan_record *record)
{
    struct buf *out = context;
    (void)record;
    buf_printf(out, "%s%c%llu", out->len > 0 ? " " : "", "RMN"[outcome],
               (unsigned long long)offset);
}

static struct scanner *new_scanner(bool latency, scan_text_fn *on_text, struct buf *out)
{
    const struct scan_options options = {metadata_keys, COUNT_OF(metadata_keys), latency};
    struct scanner *s = scanner_new(&options, on_text, out);
    assert_non_null(s);
    return s;
}

/* The first chunk has `first` bytes, the others `step`. */
static void feed(struct scanner *s, const struct guarded *page, struct view text, size_t first,
                 size_t step)
{
    size_t n = first;
    scanner_reset(s);
    for (size_t at = 0; at < text.len; at += n, n = step) {
        if (n > text.len - at)
            n = text.len - at;
        uint8_t *chunk = guarded_copy(page, text.ptr + at, n);
        scanner_feed(s, chunk, n);
        memset(chunk, 0xaa, n);
    }
    scanner_finish(s);
}

static struct {
    struct guarded page;
    struct buf wanted, got;
    struct scanner *scanner[2]; /* without and with latency; kept, so that they learn names */
    size_t cuts;
} harness;

static int set_up(void **state)
{
    (void)state;
    harness.page = guarded_new(PAGE_BYTES);
    buf_init(&harness.wanted, TRANSCRIPT_MAX);
    buf_init(&harness.got, TRANSCRIPT_MAX);
    for (int latency = 0; latency < 2; latency++)
        harness.scanner[latency] = new_scanner(latency == 1, write_down, &harness.got);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int latency = 0; latency < 2; latency++)
        scanner_free(harness.scanner[latency]);
    buf_clear(&harness.wanted);
    buf_clear(&harness.got);
    guarded_free(&harness.page);
    return scan_select(VIEW_LIT("auto")) == ST_OK ? 0 : 1;
}

static void compare(const char *what, struct view text, const char *kernel, size_t first,
                    size_t step)
{
    harness.cuts++;
    if (buf_status(&harness.got) == ST_OK &&
        view_eq(buf_view(&harness.got), buf_view(&harness.wanted)))
        return;
    fail_msg("%s: %s, first chunk %u, then %u: got\n%.*swanted\n%.*sdocument:\n%.*s", what, kernel,
             (unsigned)first, (unsigned)step, (int)harness.got.len, harness.got.ptr,
             (int)harness.wanted.len, harness.wanted.ptr, (int)text.len, text.ptr);
}

/*
 * One document, all ways.  `sparse`: only some of the cuts, for long documents; UNIT_BRIEF in the
 * environment makes do with fewer still, for emulators and valgrind.
 */
static void all_ways(const char *what, struct view text, size_t sparse)
{
    if (getenv("UNIT_BRIEF") != NULL)
        sparse *= 5;
    for (int latency = 0; latency < 2; latency++) {
        assert_int_equal(scan_select(VIEW_LIT("scalar")), ST_OK);
        buf_reset(&harness.wanted);
        struct scanner *fresh = new_scanner(latency == 1, write_down, &harness.wanted);
        feed(fresh, &harness.page, text, text.len, text.len);
        scanner_free(fresh);
        for (size_t k = 0; k < KERNELS; k++) {
            if (scan_select(view_of(kernel_names[k])) != ST_OK)
                continue;
            for (size_t first = 1; first <= text.len; first += sparse) {
                buf_reset(&harness.got);
                feed(harness.scanner[latency], &harness.page, text, first, text.len);
                compare(what, text, kernel_names[k], first, text.len);
            }
            for (size_t step = 1; step <= 70; step += sparse > 1 ? 7 : 1) {
                buf_reset(&harness.got);
                feed(harness.scanner[latency], &harness.page, text, step, step);
                compare(what, text, kernel_names[k], step, step);
            }
        }
    }
}

/* ---- what is a text, and which ---- */

static const struct {
    struct view text;
    const char *outcomes;
} texts[] = {
    {TEXT(""), ""},
    {TEXT(" \t\r\n"), ""},
    {TEXT(REC), "R0"},
    {TEXT(REC "\n" REC "\n"), "R0 R36"},
    {TEXT(REC "\r\n" REC "\r\n"), "R0 R37"},
    {TEXT(REC REC), "R0 R35"},
    {TEXT("  " REC " \n\n  " REC), "R2 R42"},
    {TEXT("{}[]{}"), "N0 N4"},
    {TEXT("1 2\t3"), "N0 N2 N4"},
    {TEXT("true false null"), "N0 N5 N11"},
    {TEXT("\"a\"\"b\""), "N0 N3"},
    {TEXT("\"\\u00e9\" -0.5e+3"), "N0 N9"},
    /* the type may stand anywhere, spelt in any way; the last one wins */
    {TEXT("{\"x\":{\"schemaType\":\"ModelInvocationLog\"}}"), "N0"},
    {TEXT("{\"x\":[{}],\"schemaType\" : \"ModelInvocationLog\"}"), "R0"},
    {TEXT("{\"schem\\u0061Type\":\"Model\\u0049nvocationLog\"}"), "R0"},
    {TEXT("{\"schemaType\":1,\"schemaType\":\"ModelInvocationLog\"}"), "R0"},
    {TEXT("{\"schemaType\":\"ModelInvocationLog\",\"schemaType\":null}"), "N0"},
    {TEXT("{\"schematype\":\"ModelInvocationLog\"}"), "N0"},
    {TEXT("{\"schemaType\":\"ModelInvocationLogs\"}"), "N0"},
    {TEXT("{\"schemaType\":[\"ModelInvocationLog\"]}"), "N0"},
    /* arrays at the top are descended one level */
    {TEXT("[]"), ""},
    {TEXT("[[]]"), "N1"},
    {TEXT("[" REC "," REC "]"), "R1 R37"},
    {TEXT("[\n  " REC ",\n  " REC "\n]\n" REC), "R4 R43 R81"},
    {TEXT("[" REC "][" REC "]"), "R1 R38"},
    {TEXT("[1,\"a\",null,{},[" REC "]]"), "N1 N3 N7 N12 N15"},
    {TEXT("[" REC), "R1 M0"},
    {TEXT("["), "M0"},
    {TEXT("[1"), "N1 M0"},
    {TEXT("[1 2]\n" REC), "N1 M3 R6"},
    {TEXT("[,1]\n" REC), "M1 R5"},
    {TEXT("[1,]\n" REC), "N1 M3 R5"},
    {TEXT("]\n" REC), "M0 R2"},
    {TEXT(",\n" REC), "M0 R2"},
    /* a line feed and a brace end what is open, always */
    {TEXT("{\"a\":1\n{\"b\":2}"), "M0 N7"},
    {TEXT("{\"a\":\n{\"b\":2}\n}"), "M0 N6 M14"},
    {TEXT("{\"a\":[1,\n{\"b\":2}]}"), "M0 N9 M16"},
    {TEXT("{\"a\":[1,\n {\"b\":2}]}"), "N0"},
    {TEXT("{\"a\"\n:\n1\n,\n\"b\"\n:\n[\n]\n}"), "N0"},
    {TEXT("{\"a\":{\"b\":\""
          "\n" REC),
     "M0 R12"},
    {TEXT("[" REC ",\n" REC ",\n" REC "]"), "R1 R38 R75"},
    /* damaged lines cost one text each */
    {TEXT("garbage\n" REC "\n"), "M0 R8"},
    {TEXT("{\"a\":\"x\ny\"}\n" REC), "M0 M8 R12"},
    {TEXT("{\"a\":\"x\\\ny\"}\n" REC), "M0 M9 R13"},
    {TEXT("{\"a\" 1}\n" REC), "M0 R8"},
    {TEXT("{\"a\":1 \"b\":2}\n" REC), "M0 R14"},
    {TEXT("{\"a\":1,}\n" REC), "M0 R9"},
    {TEXT("{,}\n" REC), "M0 R4"},
    {TEXT("{a:1}\n" REC), "M0 R6"},
    {TEXT("{\"a\":}\n" REC), "M0 R7"},
    {TEXT("{\"input\":{\"a\":tru}}\n" REC), "N0 R20"},
    {TEXT("{\"input\":{\"inputTokenCount\":tru}}\n" REC), "M0 R34"},
    {TEXT("{\"region\":01}\n" REC), "M0 R14"},
    {TEXT("{\"region\":\"\t\"}\n" REC), "M0 R15"},
    {TEXT("{\"region\":\"\\x\"}\n" REC), "M0 R16"},
    {TEXT("{\"other\":\"\t\\x\"}\n" REC), "N0 R16"},
    {TEXT("tru\n" REC), "M0 R4"},
    {TEXT("truex\n" REC), "M0 R6"},
    {TEXT("01\n" REC), "M0 R3"},
    {TEXT("-\n" REC), "M0 R2"},
    {TEXT("\"a\n" REC), "M0 R3"},
    {TEXT(REC "x\n" REC), "R0 M35 R37"},
    {TEXT("{\"a\":1"), "M0"},
    {TEXT("{\"a\":\"\\"), "M0"},
    {TEXT("tru"), "M0"},
    {TEXT("12"), "N0"},
    {TEXT("1."), "M0"},
    {TEXT("\xff\n" REC), "M0 R2"},
    {TEXT("\0\n" REC), "M0 R2"},
    /* skipped values are not checked, brackets of either kind balance */
    {TEXT("{\"a\":[}}" REC), "N0 R8"},
    {TEXT("{\"a\":{]}"), "N0"},
    {TEXT("{\"a\":[1 2 x \"\\q\" : ,,]}"), "N0"},
    {TEXT("{\"a\":12x}"), "N0"},
    {TEXT("{\"a\":[\"]\",\"\\\"]\",\"\\\\\"]}"), "N0"},
    /* a byte order mark at the very start */
    {TEXT("\xef\xbb\xbf" REC), "R3"},
    {TEXT("\xef\xbb\xbf"), ""},
    {TEXT("\xef\xbb"), "M0"},
    {TEXT("\xef"), "M0"},
    {TEXT("\xef\xbb" REC "\n" REC), "M0 R38"},
    {TEXT("\xef\xbb\xbf\xef\xbb\xbf\n" REC), "M3 R7"},
    {TEXT(REC "\n\xef\xbb\xbf" REC "\n" REC), "R0 M36 R75"},
    {TEXT(" \xef\xbb\xbf\n" REC), "M1 R5"},
};

static void texts_and_outcomes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_reset(&out);
        struct scanner *s = new_scanner(false, outcomes_only, &out);
        feed(s, &harness.page, texts[i].text, texts[i].text.len, texts[i].text.len);
        scanner_free(s);
        expect_view(i, buf_view(&out), view_of(texts[i].outcomes));
    }
    buf_clear(&out);
}

static void texts_all_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        all_ways(texts[i].outcomes, texts[i].text, 1);
}

/* Three chunks, both cuts everywhere: what was half done at one border meets the next. */
static void three_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct view text = texts[i].text;
        assert_int_equal(scan_select(VIEW_LIT("scalar")), ST_OK);
        buf_reset(&harness.got);
        feed(harness.scanner[0], &harness.page, text, text.len, text.len);
        buf_reset(&harness.wanted);
        buf_add_view(&harness.wanted, buf_view(&harness.got));
        assert_int_equal(scan_select(VIEW_LIT("auto")), ST_OK);
        for (size_t a = 1; a < text.len; a++) {
            for (size_t b = a + 1; b < text.len; b++) {
                buf_reset(&harness.got);
                struct scanner *s = harness.scanner[0];
                scanner_reset(s);
                scanner_feed(s, guarded_copy(&harness.page, text.ptr, a), a);
                scanner_feed(s, guarded_copy(&harness.page, text.ptr + a, b - a), b - a);
                scanner_feed(s, guarded_copy(&harness.page, text.ptr + b, text.len - b),
                             text.len - b);
                scanner_finish(s);
                compare(texts[i].outcomes, text, "three chunks", a, b);
            }
        }
    }
}

/* ---- records ---- */

#define OPEN "{\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\","
#define RECORD_HEAD                                                                                \
    "\"timestamp\":\"2026-11-01T10:31:07Z\",\"accountId\":\"123456789012\",\"identity\":{"         \
    "\"arn\":\"arn:aws:sts::1:assumed-role/App/s\"},\"region\":\"us-east-1\",\"requestId\":"       \
    "\"0c4e3a52\",\"operation\":\"Converse\",\"modelId\":\"us.anthropic.claude-sonnet-4-6\","

static const char *const records[] = {
    OPEN RECORD_HEAD
    "\"input\":{\"inputContentType\":\"application/json\",\"inputBodyJson\":{"
    "\"messages\":[{\"role\":\"user\",\"content\":\"say \\\"hi\\\" {[\\\\\"}]},"
    "\"inputTokenCount\":12},\"output\":{\"outputBodyJson\":{\"metrics\":{"
    "\"latencyMs\":345}},\"outputTokenCount\":34},\"inferenceRegion\":\"us-west-2\"}",
    /* look-alikes in bodies, counts of every kind, nested names */
    OPEN "\"input\":{\"inputBodyJson\":{\"inputTokenCount\":7,\"input\":{\"inputTokenCount\":8}},"
         "\"inputTokenCount\":1e3,\"cacheReadInputTokenCount\":12.0,"
         "\"cacheWriteInputTokenCount\":-0},\"inputTokenCount\":9,"
         "\"output\":{\"outputTokenCount\":\"5\"}}",
    /* repeated members and repeated objects */
    OPEN "\"region\":\"a\",\"region\":\"b\",\"input\":{\"inputTokenCount\":1,"
         "\"inputTokenCount\":2,\"cacheReadInputTokenCount\":3},\"input\":{"
         "\"inputTokenCount\":null},\"output\":{\"outputTokenCount\":4},\"output\":5,"
         "\"identity\":{\"arn\":\"x\"},\"identity\":{},\"region\":[\"c\"]}",
    OPEN "\"region\":\"first-value-of-it\",\"region\":\"another\",\"region\":\"l\\u0061st\","
         "\"requestMetadata\":{\"team\":\"one of them\",\"team\":\"two\"},\"identity\":{"
         "\"arn\":\"long-one\"},\"identity\":{\"arn\":\"short\"},\"modelId\":\"one-model\","
         "\"modelId\":\"two\"}",
    /* metadata, escapes in names and values, broken UTF-8, surrogates */
    OPEN "\"requestMetadata\":{\"t\\u0065am\":\"caf\\u00e9 \\ud83d\\ude00\",\"k\xc3\xa9y\":\""
         "\xff\xf0\x9f\x98\",\"\":\"nameless\",\"other\":\"x\"},\"mod\\u0065lId\":\"\\ud83d\","
         "\"errorCode\":\"ThrottlingException\",\"errorMessage\":\"\\\"\"}",
    /* values of the wrong type */
    OPEN "\"timestamp\":5,\"accountId\":true,\"region\":null,\"modelId\":{\"a\":\"}\"},"
         "\"operation\":[],\"errorCode\":false,\"inferenceRegion\":\"\",\"input\":[1,{}],"
         "\"output\":\"text\",\"identity\":null,\"requestMetadata\":12}",
    /* streams: the last element's latency counts */
    OPEN "\"output\":{\"outputBodyJson\":[{\"x\":\"latencyMs\"},{\"amazon-bedrock-invocation"
         "Metrics\":{\"invocationLatency\":12}},{\"amazon-bedrock-invocationMetrics\":{\"input"
         "TokenCount\":1,\"invocationLatency\":987}}],\"outputTokenCount\":1}}",
    OPEN "\"output\":{\"outputBodyJson\":{\"metrics\":{\"a\":{\"latencyMs\":1},\"latencyMs\":2.0,"
         "\"b\":[1]},\"x\":{\"metrics\":{\"latencyMs\":3}}},\"outputTokenCount\":1}}",
    /* white space wherever it may stand */
    " { \"schemaType\" : \"ModelInvocationLog\" ,\r\n \"region\"\t:\n\"r\" , \"input\" : { "
    "\"inputTokenCount\" : 5 } , \"output\":{ } , \"x\" : [ ] }",
    /* as other tools write logs again: a blank behind each colon and comma, or indented */
    "{\"schemaType\": \"ModelInvocationLog\", \"region\": \"us-east-1\", \"modelId\": "
    "\"amazon.nova-"
    "lite-v1:0\", \"identity\": {\"arn\": \"arn:aws:sts::1:assumed-role/App/s\"}, \"input\": "
    "{\"input"
    "TokenCount\": 12, \"inputBodyJson\": {\"a\": [1, {}]}, \"cacheReadInputTokenCount\": 3}, "
    "\"output\": {\"outputTokenCount\": 1234567}, \"errorCode\": null, \"accountId\": \"1\"}",
    "{\n  \"schemaType\": \"ModelInvocationLog\",\n  \"region\": \"us-east-1\",\n  \"identity\": "
    "{\n"
    "    \"arn\": \"y\"\n  },\n  \"input\": {\n    \"inputTokenCount\": 12,\n    "
    "\"inputBodyJson\": {\n"
    "      \"a\": [\n        1\n      ]\n    }\n  },\n  \"output\": {\n    \"outputTokenCount\": "
    "5\n  }"
    ",\n  \"requestMetadata\": {\n    \"team\": \"x\"\n  },\n  \"modelId\": \"m\"\n}",
    /* names as long as what is learnt of them, and longer */
    OPEN "\"abcdefghijklmnopqrstuvwxyzabc\":1,\"abcdefghijklmnopqrstuvwxyzabcd\":2,"
         "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\":3,"
         "\"input\":{\"abcdefghijklmnopqrstuvwxyzabcd\":{},\"inputTokenCount\":4},\"\":0}",
    /* cut in the middle of everything, then whole */
    OPEN "\"input\":{\"inputTokenCount\":1\n{\"schemaType\":\"ModelInvocationLog\"}",
    OPEN "\"region\":\"us\n-east-1\"}\n" OPEN "\"region\":\"eu\"}",
    "[" OPEN "\"region\":\"a\"},\n" OPEN "\"region\":tru},\n" OPEN "\"region\":\"c\"}]\n" REC,
};

static void records_all_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(records); i++)
        all_ways("record", view_of(records[i]), 1);
    /* One after the other, so that names learnt from one meet the next. */
    struct buf all;
    buf_init(&all, 1 << 16);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(records); i++) {
            buf_add_cstr(&all, records[(i * 5 + round) % COUNT_OF(records)]);
            buf_add_char(&all, '\n');
        }
    }
    assert_int_equal(buf_status(&all), ST_OK);
    all_ways("all records", buf_view(&all), 13);
    buf_clear(&all);
}

/* White space, or a cut, put in at every place of a record that is read in one piece. */
static void white_space_anywhere(void **state)
{
    static const char *const inserted[] = {"\n{",
                                           " \n{",
                                           "\n",
                                           " ",
                                           "\r\n\t  ",
                                           ("                                            "
                                            "                                          \n{")};
    (void)state;
    struct buf text, blocks;
    buf_init(&text, 1 << 16);
    buf_init(&blocks, 1 << 16);
    size_t step = getenv("UNIT_BRIEF") != NULL ? 7 : 1;
    /* Longer than what is looked at byte by byte, and ending anywhere in a block. */
    for (size_t n = 0; n < 200; n++)
        buf_add_char(&blocks, " \n\r\t  "[n % 6]);
    for (size_t r = 0; r < COUNT_OF(records); r++) {
        struct view record = view_of(records[r]);
        for (size_t at = 0; at <= record.len; at += step) {
            for (size_t i = 0; i < COUNT_OF(inserted) + 3; i++) {
                buf_reset(&text);
                buf_add_view(&text, view_first(record, at));
                if (i < COUNT_OF(inserted)) {
                    buf_add_cstr(&text, inserted[i]);
                } else {
                    static const char *const ends[] = {"", "\n{", " {"};
                    buf_add_view(&text, view_first(buf_view(&blocks), 130 + at % 70));
                    buf_add_cstr(&text, ends[i - COUNT_OF(inserted)]);
                }
                buf_add_view(&text, view_skip(record, at));
                buf_add_cstr(&text, "\n" REC "\n" REC "\n" REC "\n" REC "\n" REC "\n" REC);
                assert_int_equal(scan_select(VIEW_LIT("scalar")), ST_OK);
                buf_reset(&harness.got);
                feed(harness.scanner[0], &harness.page, buf_view(&text), 1, 1);
                buf_reset(&harness.wanted);
                buf_add_view(&harness.wanted, buf_view(&harness.got));
                for (size_t k = 0; k < KERNELS; k++) {
                    if (scan_select(view_of(kernel_names[k])) != ST_OK)
                        continue;
                    buf_reset(&harness.got);
                    feed(harness.scanner[0], &harness.page, buf_view(&text), text.len, text.len);
                    compare("white space", buf_view(&text), kernel_names[k], text.len, text.len);
                }
            }
        }
    }
    buf_clear(&blocks);
    buf_clear(&text);
}

static void values_of_a_record(void **state)
{
    (void)state;
    static const struct {
        size_t record;
        const char *wanted;
    } cases[] = {
        {0, "R0 1:12 1:34 0:0 0:0 1:345 1:ModelInvocationLog 1:1.0 1:2026-11-01T10:31:07Z "
            "1:123456789012 1:us-east-1 1:us-west-2 1:Converse 1:us.anthropic.claude-sonnet-4-6 "
            "0: 1:arn:aws:sts::1:assumed-role/App/s 0: 0: 0:\n"},
        {1, "R0 1:1000 2:0 1:12 1:0 0:0 1:ModelInvocationLog 1:1.0 0: 0: 0: 0: 0: 0: 0: 0: 0: 0: "
            "0:\n"},
        {2, "R0 0:0 0:0 0:0 0:0 0:0 1:ModelInvocationLog 1:1.0 0: 0: 2: 0: 0: 0: 0: 0: 0: 0: "
            "0:\n"},
        {4, "R0 0:0 0:0 0:0 0:0 0:0 1:ModelInvocationLog 1:1.0 0: 0: 0: 0: 0: 1:\xef\xbf\xbd "
            "1:ThrottlingException 0: 1:caf\xc3\xa9 \xf0\x9f\x98\x80 1:\xef\xbf\xbd\xef\xbf\xbd "
            "1:nameless\n"},
        {5, "R0 0:0 0:0 0:0 0:0 0:0 1:ModelInvocationLog 1:1.0 2: 2: 0: 1: 2: 2: 2: 0: 0: 0: "
            "0:\n"},
        {6, "R0 0:0 1:1 0:0 0:0 1:987 1:ModelInvocationLog 1:1.0 0: 0: 0: 0: 0: 0: 0: 0: 0: 0: "
            "0:\n"},
        {7, "R0 0:0 1:1 0:0 0:0 1:2 1:ModelInvocationLog 1:1.0 0: 0: 0: 0: 0: 0: 0: 0: 0: 0: "
            "0:\n"},
        {8, "R1 1:5 0:0 0:0 0:0 0:0 1:ModelInvocationLog 0: 0: 0: 1:r 0: 0: 0: 0: 0: 0: 0: 0:\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view text = view_of(records[cases[i].record]);
        buf_reset(&harness.got);
        feed(harness.scanner[1], &harness.page, text, text.len, text.len);
        expect_view(i, buf_view(&harness.got), view_of(cases[i].wanted));
    }
}

/* ---- what stands where in the 64 bytes that are looked at together ---- */

static void block_offsets(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "\\\"}]{[", "\\\\", "\\\\\\\"", "\\u0022", "", "{", "\"},{\"x\":[\"",
    };
    for (size_t t = 0; t < COUNT_OF(tails); t++) {
        for (size_t pad = 0; pad < 130; pad++) {
            char text[1024];
            static const char filler[] =
                "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
                "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
            int n =
                snprintf(text, sizeof(text),
                         "{\"input\":{\"inputBodyJson\":[{\"x\":\"%.*s%s\"}],\"inputTokenCount\""
                         ":7},\"schemaType\":\"ModelInvocationLog\",\"region\":\"%.*s%s\"}\n" REC,
                         (int)pad, filler, tails[t], (int)(pad % 67), filler,
                         tails[t][0] == '"' ? "" : tails[t]);
            all_ways(tails[t], view_make(text, (size_t)n), 9);
        }
    }
}

/* Runs of backslashes of every length, before every end of a block. */
static void backslashes(void **state)
{
    (void)state;
    for (size_t run = 0; run < 140; run++) {
        char text[512];
        char slashes[160];
        memset(slashes, '\\', sizeof(slashes));
        int n = snprintf(text, sizeof(text), "{\"a\":[\"%.*s\"],\"b\":\"%.*s\"}\n" REC "\n",
                         (int)run, slashes, (int)run, slashes);
        all_ways("backslashes", view_make(text, (size_t)n), 3);
    }
}

/* ---- values longer than is kept ---- */

static void long_values(void **state)
{
    (void)state;
    static char text[24000];
    static const char *const units[] = {"a",       "\xc3\xa9", "\xe2\x82\xac",  "\xf0\x9f\x98\x80",
                                        "\\u00e9", "\\n",      "\\ud83d\\ude00"};
    for (size_t u = 0; u < COUNT_OF(units); u++) {
        for (size_t pad = 0; pad < 4; pad++) {
            size_t n =
                (size_t)snprintf(text, sizeof(text), OPEN "\"region\":\"%.*s", (int)pad, "abc");
            for (size_t i = 0; n < 16000 && i < 4200; i++, n += strlen(units[u]))
                memcpy(text + n, units[u], strlen(units[u]));
            n += (size_t)snprintf(text + n, sizeof(text) - n, "\",\"modelId\":\"m\"}\n");
            all_ways(units[u], view_make(text, n), 997);
        }
    }
}

/* ---- nesting of any depth costs nothing ---- */

static void deep_nesting(void **state)
{
    (void)state;
    enum { DEPTH = 20000 };
    static char text[2 * DEPTH + 200];
    int n = snprintf(text, sizeof(text), "{\"a\":");
    memset(text + n, '[', DEPTH);
    for (size_t i = 0; i < DEPTH; i += 3)
        text[(size_t)n + i] = '{';
    memset(text + n + DEPTH, ']', DEPTH);
    size_t len = (size_t)n + 2 * DEPTH;
    len +=
        (size_t)snprintf(text + len, sizeof(text) - len, ",\"schemaType\":\"ModelInvocationLog\"}");
    all_ways("deep", view_make(text, len), 4999);
    assert_true(view_starts(buf_view(&harness.got), VIEW_LIT("R0 ")));
}

/* ---- tokens thrown together ---- */

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static void random_tokens(void **state)
{
    (void)state;
    static const struct view tokens[] = {
        TEXT("{"),
        TEXT("}"),
        TEXT("["),
        TEXT("]"),
        TEXT("\""),
        TEXT("\\"),
        TEXT(","),
        TEXT(":"),
        TEXT("\n"),
        TEXT(" "),
        TEXT("\n{"),
        TEXT("\r\n"),
        TEXT("\\\""),
        TEXT("\\u00e9"),
        TEXT("\\ud83d"),
        TEXT("\xc3\xa9"),
        TEXT("\xff"),
        TEXT("\xef\xbb\xbf"),
        TEXT("\0"),
        TEXT("true"),
        TEXT("null"),
        TEXT("12"),
        TEXT("-1.5e3"),
        TEXT("0"),
        TEXT("\"a\""),
        TEXT("\"a\":"),
        TEXT("\"input\":{"),
        TEXT("\"output\":{"),
        TEXT("\"identity\":{"),
        TEXT("\"requestMetadata\":{"),
        TEXT("\"inputTokenCount\":"),
        TEXT("\"outputTokenCount\":5"),
        TEXT("\"schemaType\":\"ModelInvocationLog\""),
        TEXT("\"region\":\"us-east-1\""),
        TEXT("\"team\":\"x\""),
        TEXT("\"arn\":\"y\""),
        TEXT("\"outputBodyJson\":"),
        TEXT("\"metrics\":{\"latencyMs\":7}"),
        TEXT("},"),
        TEXT("]}"),
        TEXT("}}\n"),
        TEXT(REC),
        TEXT("{\"schemaType\":\"ModelInvocationLog\","),
        TEXT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    };
    const char *rounds = getenv("SCAN_ROUNDS");
    size_t count = rounds != NULL ? strtoul(rounds, NULL, 10) : 1500;
    for (uint64_t round = 0; round < count; round++) {
        uint64_t seed = round;
        char text[2048];
        size_t n = 0, wanted = 3 + next_random(&seed) % 40;
        for (size_t i = 0; i < wanted && n < 1500; i++) {
            struct view token = tokens[next_random(&seed) % COUNT_OF(tokens)];
            memcpy(text + n, token.ptr, token.len);
            n += token.len;
        }
        char what[32];
        snprintf(what, sizeof(what), "round %u", (unsigned)round);
        all_ways(what, view_make(text, n), 3);
    }
}

/* ---- life ---- */

static void reset_forgets(void **state)
{
    (void)state;
    static const char *const open[] = {
        "{\"a\":\"x",           ("[" REC), "tru",        "12", "\"a", "\xef\xbb",
        "{\"input\":{\"a\":[[", "garbage", "{\"a\":1}\n"};
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        struct scanner *s = harness.scanner[0];
        scanner_reset(s);
        buf_reset(&harness.got);
        scanner_feed(s, (const uint8_t *)open[i], strlen(open[i]));
        scanner_reset(s);
        buf_reset(&harness.got);
        scanner_feed(s, (const uint8_t *)REC, sizeof(REC) - 1);
        scanner_feed(s, NULL, 0);
        scanner_finish(s);
        assert_true(view_starts(buf_view(&harness.got), VIEW_LIT("R0 ")));
        assert_int_equal(view_find_char(buf_view(&harness.got), '\n'), harness.got.len - 1);
    }
}

static void kernels(void **state)
{
    (void)state;
    size_t usable = 0;
    for (size_t k = 0; k < KERNELS; k++) {
        enum status status = scan_select(view_of(kernel_names[k]));
        assert_true(status == ST_OK || status == ST_MISSING);
        if (status == ST_OK) {
            assert_string_equal(scan_selected(), kernel_names[k]);
            usable++;
        }
    }
    assert_int_equal(scan_select(VIEW_LIT("scalar")), ST_OK);
    assert_int_equal(scan_select(VIEW_LIT("avx1024")), ST_USAGE);
    assert_int_equal(scan_select(VIEW_LIT("")), ST_USAGE);
    assert_string_equal(scan_selected(), "scalar");
    assert_int_equal(scan_select(VIEW_LIT("auto")), ST_OK);
    assert_true(usable >= 2); /* the scalar one and the least the machine has */
}

#define SCAN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCAN_TEST(texts_and_outcomes),
        SCAN_TEST(values_of_a_record),
        SCAN_TEST(white_space_anywhere),
        SCAN_TEST(texts_all_ways),
        SCAN_TEST(three_chunks),
        SCAN_TEST(records_all_ways),
        SCAN_TEST(block_offsets),
        SCAN_TEST(backslashes),
        SCAN_TEST(long_values),
        SCAN_TEST(deep_nesting),
        SCAN_TEST(random_tokens),
        SCAN_TEST(reset_forgets),
        SCAN_TEST(kernels),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
