/*
 * price.h: what tokens cost by a published price list, in whole numbers.
 *
 * The list (data/bedrock-prices.json, layout and matching rule in data/README.md) is built into the
 * program; rows of a user's own file replace built-in ones.  Amounts are counted in 1e-12 US
 * dollars: a list price has at most six decimals of a dollar per million tokens, so a price per
 * token is a whole number of them, and so is every sum.  Nothing here rounds.
 *
 * An amount is an estimate: list price, standard tier, no discount, no tax.  What has no price is
 * counted as unpriced tokens, never as zero and never at another model's price.
 */
#ifndef PRICE_PRICE_H
#define PRICE_PRICE_H

#include "base/u128.h"
#include "base/view.h"

/* A price the list does not hold: not known or not offered.  Never the same as 0. */
#define PRICE_NONE UINT64_MAX
/* The `from_day` of a row that always held, and a date a list does not state. */
#define PRICE_NO_DAY INT64_MIN

enum {
    PRICE_FILE_MAX_BYTES = 16 * 1024 * 1024, /* of a user's price file */
    PRICE_MAX_SCOPES = 4,                    /* tried for one match */
};

/* A price list; never changes once made, so any number of threads may read one without a lock. */
struct prices;

/* Prices are in 1e-12 dollars a token, or PRICE_NONE.  `input` is always there. */
struct price_row {
    struct view model;  /* model id without geographic prefix */
    struct view scope;  /* default, global, a geography, region:REGION or global:REGION */
    struct view source; /* where the figure is from, as the list names it; may be empty */
    int64_t from_day;   /* first day it holds, in days since 1970-01-01, or PRICE_NO_DAY */
    uint64_t over;      /* for requests with more prompt tokens than this; 0: for any */
    uint64_t input;
    uint64_t output;
    uint64_t cache_read;
    uint64_t cache_write_5m; /* the model's default time to live */
    uint64_t cache_write_1h; /* for listing only: a log record holds the sum of cache writes */
    bool own;                /* from the user's file */
};

struct prices_info {
    int64_t as_of_day;         /* of the newest built-in figures */
    int64_t regions_as_of_day; /* of the built-in regional figures */
    int64_t own_as_of_day;     /* of the user's file; PRICE_NO_DAY when it has none or says none */
    size_t models;
    size_t rows;
    size_t own_rows; /* of them from the user's file */
};

/*
 * A list from the JSON text `base`, with the rows and aliases of `own` (VIEW_EMPTY: none) put over
 * it: a row replaces the one of the same model, scope, from and over, an alias that of the same id.
 * Both texts are copied.  ST_USAGE: a text is not such a list, and err->text begins with the
 * path to the fault, such as `prices[12].input`; err->offset is set for faults of JSON itself.
 * ST_NO_MEMORY (inside the JSON library it can look like invalid JSON).  Free with prices_free().
 */
NODISCARD enum status prices_new(struct view base, struct view own, struct prices **out,
                                 struct error *err);

/*
 * The built-in list, with the user's file at `path` over it (NULL: none).  As prices_new(), and
 * ST_MISSING, ST_IO or ST_TOO_BIG (PRICE_FILE_MAX_BYTES) when the file cannot be read.
 */
NODISCARD enum status prices_open(const char *path, struct prices **out, struct error *err);

void prices_free(struct prices *prices); /* prices_free(NULL) does nothing */

/* The text of the list built into the program; lives as long as it. */
struct view prices_builtin_text(void);

/* Dates and numbers of the list. */
struct prices_info prices_info(const struct prices *prices);

/* Row `i` of prices_info().rows, in order of model, scope, from, over. */
const struct price_row *prices_row(const struct prices *prices, size_t i);

/*
 * Whose tokens are to be priced.  `model` may be any spelling: base model id, id with geographic
 * prefix, or ARN.  `geography` is what a classification has already taken off ("global", "us",
 * ...), empty when it took nothing; then a prefix still on the id counts.  `region` is the source
 * Region, the one the caller addressed, never where the inference ran.
 */
struct price_query {
    struct view model;
    struct view geography;
    struct view region;
};

/*
 * The rows that can price a (model, geography, region), for the caller to keep: looking them up takes
 * about a microsecond, pricing a record with them some ten nanoseconds.  A plain value that points
 * into its list and is valid as long as that.  All zero: no price is known.
 */
struct price_line {
    const struct price_row *rows; /* one model, one scope; by from, then over */
    uint32_t n_rows;
    bool gross_input; /* the input count includes cache reads and writes (OpenAI from 5.6 on) */
    bool approximate; /* a global profile without global price, at the regional price */
};

/* Find them (data/README.md has the rule).  *out is all zero where no price is known. */
void price_match(const struct prices *prices, const struct price_query *query,
                 struct price_line *out);

/* The four counts of one request, as its record has them. */
struct price_usage {
    uint64_t input;
    uint64_t cache_read;
    uint64_t cache_write;
    uint64_t output;
};

struct price_cost {
    u128 usd_e12;            /* 1e-12 dollars; at most 2^107 for one request */
    u128 unpriced_tokens;    /* no price known: not in usd_e12 */
    u128 approximate_tokens; /* in usd_e12, at a price that is only near the true one */
};

/*
 * Price one request made on `day` (days since 1970-01-01, UTC).  For each request by itself, never
 * for a sum: the prompt length of the request chooses the row.  Cache writes are priced at
 * the default time to live, since a record does not tell them apart: one-hour writes
 * cost more than this says.  Safe from any thread; allocates nothing.
 */
void price_line_cost(const struct price_line *line, int64_t day, const struct price_usage *usage,
                     struct price_cost *out);

/* ---- the same, with every step shown ---- */

enum price_geography_rule {
    PRICE_GEOGRAPHY_NONE,
    PRICE_GEOGRAPHY_GIVEN,  /* by the query */
    PRICE_GEOGRAPHY_PREFIX, /* of the id */
    PRICE_GEOGRAPHY_REGION, /* a us-gov- Region */
};

enum price_model_rule {
    PRICE_MODEL_EXACT,
    PRICE_MODEL_ALIAS,
    PRICE_MODEL_VERSION,   /* the only one with this name but for the version */
    PRICE_MODEL_AMBIGUOUS, /* several with this name but for the version: no match */
    PRICE_MODEL_UNKNOWN,
    PRICE_MODEL_OPAQUE, /* an ARN that names no model */
};

enum price_day_rule {
    PRICE_DAY_ANY,      /* the row always held */
    PRICE_DAY_FROM,     /* the latest that had begun */
    PRICE_DAY_EARLIEST, /* all begin later: the earliest */
};

/* "region:" + "eu-west-1"; the prefix is "" for plain scopes. */
struct price_scope {
    const char *prefix;
    struct view name;
};

struct price_part {
    u128 tokens;
    uint64_t price; /* used; PRICE_NONE: none known, the tokens are unpriced */
    u128 usd_e12;
    bool input_price; /* a cache count at the input price, its own being unknown */
};

enum {
    PRICE_PART_INPUT,
    PRICE_PART_CACHE_READ,
    PRICE_PART_CACHE_WRITE,
    PRICE_PART_OUTPUT,
    PRICE_PARTS
};

/* Views point into the query's texts or the list. */
struct price_explanation {
    bool arn;
    struct view id; /* what the ARN names, else the id as it came */
    enum price_geography_rule geography_rule;
    struct view geography;
    struct view context_suffix; /* ":300k", dropped */
    struct view name;           /* what was looked up */
    enum price_model_rule model_rule;
    struct view model; /* empty: none */
    struct price_scope scopes[PRICE_MAX_SCOPES];
    size_t n_scopes; /* tried; the last one was found when line.n_rows > 0 */
    struct price_line line;
    u128 prompt_tokens;
    const struct price_row *row; /* NULL: no price */
    enum price_day_rule day_rule;
    struct price_part parts[PRICE_PARTS];
    struct price_cost cost;
};

/*
 * Price a request as price_match() and price_line_cost() do and keep what every step found, for the
 * command `prices`.  Views in *out live as long as the query's texts and the list.
 */
void price_explain(const struct prices *prices, const struct price_query *query, int64_t day,
                   const struct price_usage *usage, struct price_explanation *out);

#endif
