/*
 * sim_text.c: a stock of prose and code to cut prompts and answers from.
 *
 * Words are drawn from a vocabulary of a few thousand (common English words, the rest made from
 * syllables) with frequencies after Zipf, and mostly from a short list of words that follow
 * the last one, so that phrases recur as they do in real text.  The stock is several megabytes:
 * slices from random places hardly ever meet again within the 32 KiB window of deflate.
 * Everything is stored as it stands inside a JSON string: quotes, backslashes and line feeds
 * escaped, some letters as \uXXXX, some as UTF-8.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORDS = 4000,
    FOLLOWERS = 3,
    LOOKUP = 1 << 16,
    PROSE_BYTES = 6 << 20,
    CODE_BYTES = 6 << 20,
    MAX_SLICE = 2400,
    NAMES = 24
};

static const char *const common[] = {
    "the",      "of",      "and",      "to",       "a",         "in",      "is",          "that",
    "for",      "it",      "with",     "as",       "was",       "on",      "be",          "by",
    "this",     "are",     "you",      "from",     "or",        "have",    "an",          "not",
    "we",       "can",     "will",     "which",    "your",      "if",      "at",          "has",
    "all",      "their",   "one",      "were",     "more",      "should",  "when",        "use",
    "there",    "each",    "how",      "would",    "may",       "what",    "these",       "been",
    "data",     "only",    "about",    "into",     "its",       "then",    "other",       "time",
    "file",     "but",     "they",     "request",  "some",      "than",    "please",      "must",
    "first",    "new",     "order",    "after",    "our",       "value",   "result",      "also",
    "no",       "so",      "any",      "customer", "model",     "such",    "following",   "number",
    "provide",  "based",   "answer",   "where",    "like",      "before",  "system",      "using",
    "error",    "user",    "does",     "them",     "between",   "because", "both",        "name",
    "do",       "make",    "out",      "up",       "two",       "list",    "work",        "report",
    "policy",   "over",    "document", "need",     "without",   "example", "question",    "change",
    "set",      "service", "could",    "here",     "below",     "same",    "information", "through",
    "while",    "since",   "during",   "project",  "per",       "until",   "summary",     "section",
    "however",  "under",   "account",  "response", "test",      "who",     "see",         "most",
    "contract", "invoice", "delivery", "function", "return",    "table",   "date",        "found",
    "public",   "context", "message",  "support",  "different", "within",  "total",       "process",
};
static const char *const syllables[] = {
    "al",  "an",  "ar", "be",  "ca",  "co",  "con", "cu", "de", "di",   "do",  "en",   "er",
    "es",  "fi",  "ga", "gen", "in",  "is",  "la",  "le", "li", "lo",   "ma",  "men",  "mi",
    "mo",  "na",  "ne", "no",  "or",  "pa",  "per", "pe", "po", "pre",  "pro", "ra",   "re",
    "ri",  "ro",  "sa", "se",  "si",  "sta", "su",  "ta", "te", "ter",  "ti",  "tion", "to",
    "tra", "tri", "u",  "va",  "ver", "vi",  "ing", "ed", "ly", "ment",
};
/* Whole units no ordinary sentence has: look-alikes of the fields that count, and other traps. */
static const char *const decoys[] = {
    "The log says {\\\"inputTokenCount\\\":987654321,\\\"outputTokenCount\\\":987654321} here. ",
    ("{\\\"schemaType\\\":\\\"ModelInvocationLog\\\",\\\"schemaVersion\\\":\\\"1.0\\\","
     "\\\"modelId\\\":"
     "\\\"us.decoy.model-v1:0\\\",\\\"input\\\":{\\\"inputTokenCount\\\":424242}}\\n"),
    "\\\"output\\\":{\\\"outputTokenCount\\\":31337}},\\\"errorCode\\\":"
    "\\\"ThrottlingException\\\"}\\n",
    "Close it: }}}]}\\\"]} and open it: {[{\\\"[ again. ",
    "C:\\\\Users\\\\decoy\\\\logs\\\\ and \\\\\\\\server\\\\share\\\\. ",
    "A string ends so: \\\\\\\" or so: \\\\\\\\\\\" and not before. ",
    "\\u0000\\u001f\\b\\f\\t\\/ are escapes, too. ",
};
static const char *const foreign[] = {
    "Die Größe der Lieferung übersteigt die zulässige Länge. ",
    "Le résumé a été envoyé à l’équipe après la réunion. ",
    "この要求は地域間推論プロファイルを通じて処理されました。",
    "El año pasado, según el informe, creció un 12 %. ",
    "Zażółć gęślą jaźń – „dobrze”. ",
    "Das geht so: „\\u00fcber\\u00e4ll\\u201c \\u2013 fertig. ",
    "Looks good \xf0\x9f\x91\x8d \\ud83d\\ude80, ship it. ",
    "请总结以下文件的主要内容。",
};

struct pool {
    struct buf text;
    uint32_t *starts;
    uint32_t count, room;
};

static struct {
    char *words[WORDS];
    uint8_t lens[WORDS];
    uint16_t follow[WORDS][FOLLOWERS];
    uint16_t lookup[LOOKUP];
} * lexicon;
static struct pool pools[POOL_KINDS];

static void unit_begin(struct pool *p)
{
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 4096;
        p->starts = xrealloc(p->starts, p->room * sizeof(*p->starts));
    }
    p->starts[p->count++] = (uint32_t)p->text.len;
}

static void lexicon_init(struct rng *r)
{
    size_t fixed = sizeof(common) / sizeof(common[0]);
    uint64_t total = 0;
    uint64_t sum = 0;
    size_t at = 0;

    lexicon = xmalloc(sizeof(*lexicon));
    for (size_t i = 0; i < WORDS; i++) {
        struct buf b = {0};

        if (i < fixed) {
            buf_str(&b, common[i]);
        } else {
            uint32_t parts = 2 + rng_below(r, 2) + rng_below(r, 2);

            while (parts-- > 0)
                buf_str(&b, syllables[rng_below(r, sizeof(syllables) / sizeof(syllables[0]))]);
        }
        lexicon->lens[i] = (uint8_t)b.len;
        buf_char(&b, '\0');
        lexicon->words[i] = b.p;
        total += 1000000 / (i + 3);
    }
    for (size_t i = 0; i < WORDS; i++) {
        sum += 1000000 / (i + 3);
        while (at < LOOKUP && at * total < sum * LOOKUP)
            lexicon->lookup[at++] = (uint16_t)i;
    }
    while (at < LOOKUP)
        lexicon->lookup[at++] = 0;
    for (size_t i = 0; i < WORDS; i++)
        for (size_t k = 0; k < FOLLOWERS; k++)
            lexicon->follow[i][k] = lexicon->lookup[rng_below(r, LOOKUP)];
}

static uint32_t word_next(struct rng *r, uint32_t last)
{
    uint64_t bits = rng_next(r);

    /* Most words are the usual one behind the last: that makes phrases. */
    if ((bits & 1023) < 768)
        return lexicon->follow[last][(bits >> 10) % FOLLOWERS];
    return lexicon->lookup[bits >> 48];
}

static uint32_t word_add(struct buf *b, struct rng *r, uint32_t last)
{
    uint32_t w = word_next(r, last);

    buf_add(b, lexicon->words[w], lexicon->lens[w]);
    return w;
}

static void sentence_add(struct buf *b, struct rng *r)
{
    uint32_t n = rng_range(r, 5, 19);
    uint32_t w = rng_below(r, WORDS);
    size_t first = b->len;

    if (rng_chance(r, 700))
        buf_str(b, rng_chance(r, 5000) ? "- " : "## ");
    first = b->len;
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            buf_char(b, ' ');
        if (rng_chance(r, 120)) {
            buf_u64(b, rng_skewed(r, 400));
        } else if (rng_chance(r, 80)) {
            buf_lit(b, "\\\"");
            w = word_add(b, r, w);
            buf_lit(b, "\\\"");
        } else {
            w = word_add(b, r, w);
        }
        if (i + 1 < n && rng_chance(r, 500))
            buf_char(b, ',');
    }
    if (b->p[first] >= 'a' && b->p[first] <= 'z')
        b->p[first] = (char)(b->p[first] - 'a' + 'A');
    buf_str(b, rng_chance(r, 1000) ? "? " : rng_chance(r, 1500) ? ".\\n\\n" : ". ");
}

static void prose_init(struct pool *p, struct rng *r)
{
    while (p->text.len < PROSE_BYTES) {
        unit_begin(p);
        if (rng_chance(r, 40))
            buf_str(&p->text, decoys[rng_below(r, sizeof(decoys) / sizeof(decoys[0]))]);
        else if (rng_chance(r, 150))
            buf_str(&p->text, foreign[rng_below(r, sizeof(foreign) / sizeof(foreign[0]))]);
        else
            sentence_add(&p->text, r);
    }
}

/* Lines of programs, listings and logs.  `@` is a word, `#` a number, `$` hex digits. */
static const char *const lines[] = {
    "    if (@_@ == NULL) {\\n        return @_@;\\n    }\\n",
    "        self.@_@ = @.get(\\\"@_@\\\", @)\\n",
    "    for @ in @_@(@, @):\\n        @.append(@)\\n",
    "def @_@(@, @_@=None):\\n    \\\"\\\"\\\"@ @ @ @ @ @ @.\\\"\\\"\\\"\\n",
    "import { @ } from \\\"./@/@\\\";\\n",
    "  const @ = await @.@({ @: @, @: \\\"@\\\" });\\n",
    "// @ @ @ @ @ @ @ @ @ @\\n",
    "static int @_@(struct @ *@, size_t @_@)\\n{\\n",
    "\\tprintf(\\\"@ %d @\\\\n\\\", @->@_@);\\n",
    "drwxr-xr-x  # @ @   # Nov  2 10:31 @_@.json\\n",
    "2026-11-02T1#:# INFO @.@.@ - @ @ @ id=$ took=#ms\\n",
    "{\\\"@\\\": \\\"@ @\\\", \\\"@_@\\\": #, \\\"@\\\": [\\\"@\\\", \\\"@\\\"]},\\n",
    "src/@/@_@.py:#: @ @ @ @ `@` @ @\\n",
    "   #\xe2\x86\x92    return @(@, @.@)\\n",
    "   #\xe2\x86\x92        assert @_@(@) == @, \\\"@ @ @ @\\\"\\n",
    "@ @ @ @ @ @ @ @ @ @ @ @ @ @. @ @ @ @ @ @ @ @ @ @.\\n",
    "commit $$$\\nAuthor: @ <@@example.com>\\n\\n    @ @ @ @ @ @\\n\\n",
    "+    @.@_@ = @_@(@)\\n-    @.@ = @(@, #)\\n",
    "      - name: @\\n        value: \\\"@-$\\\"\\n",
    "SELECT @, count(*) FROM @_@ WHERE @ = '@' AND @_@ > # GROUP BY @;\\n",
    "   #\xe2\x86\x92\\n",
    "    }\\n",
    "}\\n\\n",
    "    @ = @.@(@)  # @ @ @ @ @\\n",
};

/* Names recur: a program uses few of them, and another few in the next file. */
static void name_add(struct buf *b, struct rng *r, uint32_t names[NAMES])
{
    uint32_t *slot = &names[rng_below(r, NAMES)];

    if (rng_chance(r, 400))
        *slot = word_next(r, rng_below(r, WORDS));
    buf_add(b, lexicon->words[*slot], lexicon->lens[*slot]);
}

static void line_add(struct buf *b, struct rng *r, uint32_t names[NAMES], const char *form)
{
    for (; *form; form++) {
        if (*form == '@')
            name_add(b, r, names);
        else if (*form == '#')
            buf_u64(b, rng_skewed(r, 120));
        else if (*form == '$')
            buf_hex(b, r, 8);
        else
            buf_char(b, *form);
    }
}

/* Programs say the same line again, and tools quote what was read before. */
static void unit_repeat(struct pool *p, uint32_t unit)
{
    size_t len = p->starts[unit + 1] - p->starts[unit];

    buf_room(&p->text, len);
    memcpy(p->text.p + p->text.len, p->text.p + p->starts[unit], len);
    p->text.len += len;
}

static void code_init(struct pool *p, struct rng *r)
{
    uint32_t names[NAMES] = {0};

    while (p->text.len < CODE_BYTES) {
        unit_begin(p);
        if (rng_chance(r, 20))
            buf_str(&p->text, decoys[rng_below(r, sizeof(decoys) / sizeof(decoys[0]))]);
        else if (p->count > 40 && rng_chance(r, 4500))
            unit_repeat(p, p->count - 2 - rng_below(r, 30));
        else
            line_add(&p->text, r, names, lines[rng_below(r, sizeof(lines) / sizeof(lines[0]))]);
    }
}

void text_init(uint64_t seed)
{
    struct rng r;

    rng_seed(&r, seed ^ 0x74657874u);
    lexicon_init(&r);
    prose_init(&pools[POOL_PROSE], &r);
    code_init(&pools[POOL_CODE], &r);
}

void text_free(void)
{
    for (size_t i = 0; i < WORDS; i++)
        free(lexicon->words[i]);
    free(lexicon);
    lexicon = NULL;
    for (size_t i = 0; i < POOL_KINDS; i++) {
        buf_free(&pools[i].text);
        free(pools[i].starts);
        pools[i] = (struct pool){0};
    }
}

static size_t slice_add(struct buf *b, const struct pool *p, uint32_t unit, size_t want)
{
    uint32_t start = p->starts[unit];
    uint32_t end = start;

    while (end - start < want) {
        unit++;
        end = unit < p->count ? p->starts[unit] : (uint32_t)p->text.len;
        if (unit >= p->count)
            break;
    }
    buf_add(b, p->text.p + start, end - start);
    return end - start;
}

void text_append(struct buf *b, struct rng *r, enum pool_kind kind, size_t want)
{
    const struct pool *p = &pools[kind];
    size_t done = 0;

    do {
        size_t slice = 200 + rng_below(r, MAX_SLICE);

        if (slice > want - done)
            slice = want - done;
        done += slice_add(b, p, rng_below(r, p->count), slice ? slice : 1);
    } while (done < want);
}

void text_append_fixed(struct buf *b, enum pool_kind kind, uint32_t place, size_t want)
{
    const struct pool *p = &pools[kind];

    slice_add(b, p, (uint32_t)((place * UINT64_C(2654435761)) % p->count), want ? want : 1);
}
