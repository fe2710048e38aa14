/*
 * sim_body.c: requests and answers as the APIs have them, around texts of the stock.
 *
 * Wherever a real body repeats a count (usage, amazon-bedrock-invocationMetrics, message_start) the
 * figure here differs a little from the one that counts, so that a reader who takes the wrong one
 * is found out.  Extra members with the names of the record's own fields stand in some bodies as
 * well.
 */
#include "sim.h"

#include <string.h>

static bool is_agent(const struct call *c)
{
    return c->body == BODY_AGENT;
}

static void add_member_u64(struct buf *b, const char *name, uint64_t n)
{
    buf_char(b, '"');
    buf_str(b, name);
    buf_lit(b, "\":");
    buf_u64(b, n);
}

/* Small programs are quoted as code, people write prose. */
static void add_text(struct buf *b, struct rng *r, const struct call *c, size_t want)
{
    text_append(b, r, is_agent(c) && rng_chance(r, 7000) ? POOL_CODE : POOL_PROSE, want);
}

static void add_id(struct buf *b, struct rng *r, const char *prefix)
{
    buf_str(b, prefix);
    buf_alnum(b, r, 22);
}

/* What a careless reader would take for the record's own fields. */
static void add_decoy_members(struct buf *b)
{
    buf_lit(b,
            "\"schemaType\":\"ModelInvocationLog\",\"modelId\":\"us.decoy.model-v1:0\","
            "\"identity\":{\"arn\":\"arn:aws:iam::999999999999:user/decoy\"},\"inputTokenCount\":"
            "123456789,\"input\":{\"inputTokenCount\":123456789,\"cacheReadInputTokenCount\":77},"
            "\"output\":{\"outputTokenCount\":123456789},\"errorCode\":\"ThrottlingException\","
            "\"region\":\"xx-decoy-1\",\"inferenceRegion\":\"xx-decoy-2\",\"accountId\":\"0\","
            "\"timestamp\":\"1999-12-31T23:59:59Z\",\"empty\":[{},[],\"}\",\"]\",\"\\\\\"]");
}

static void add_system(struct buf *b, const struct call *c)
{
    text_append_fixed(b, POOL_PROSE, c->app_place, is_agent(c) ? 3200 : 700);
}

static void add_tools(struct buf *b, const struct call *c, bool converse)
{
    static const char *const names[] = {"read_file", "edit_file", "run_command", "search_text"};

    for (uint32_t i = 0; i < 4; i++) {
        if (i)
            buf_char(b, ',');
        if (converse)
            buf_lit(b, "{\"toolSpec\":");
        buf_lit(b, "{\"name\":\"");
        buf_str(b, names[i]);
        buf_lit(b, "\",\"description\":\"");
        text_append_fixed(b, POOL_PROSE, c->app_place + 7 + i, 500);
        buf_str(b, converse ? "\",\"inputSchema\":{\"json\":" : "\",\"input_schema\":");
        buf_lit(b, "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},\"limit\":{"
                   "\"type\":\"integer\",\"minimum\":0}},\"required\":[\"path\"]}");
        buf_str(b, converse ? "}}}" : "}");
    }
}

/* ---- requests ---- */

static void add_turn_text(struct buf *b, struct rng *r, const struct call *c, const char *role,
                          bool converse, size_t want)
{
    buf_lit(b, "{\"role\":\"");
    buf_str(b, role);
    buf_str(b, converse ? "\",\"content\":[{\"text\":\""
                        : "\",\"content\":[{\"type\":\"text\",\"text\":\"");
    text_append(b, r, POOL_PROSE, want);
    if (is_agent(c) && rng_chance(r, 2000))
        text_append(b, r, POOL_CODE, want);
    buf_lit(b, "\"}]}");
}

/* The model asks for a tool, the client answers with what it gave. */
static void add_turn_tool(struct buf *b, struct rng *r, bool converse, size_t want)
{
    struct buf id = {0};

    add_id(&id, r, converse ? "tooluse_" : "toolu_bdrk_");
    buf_str(b, converse ? "{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\""
                        : "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"");
    buf_add(b, id.p, id.len);
    buf_lit(b, "\",\"name\":\"read_file\",\"input\":{\"path\":\"");
    text_append(b, r, POOL_CODE, 30);
    buf_lit(b, "\",\"limit\":");
    buf_u64(b, rng_below(r, 2000));
    if (rng_chance(r, 300)) {
        buf_char(b, ',');
        add_decoy_members(b);
    }
    buf_str(b, converse ? "}}}]}," : "}}]},");
    buf_str(b, converse ? "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\""
                        : "{\"role\":\"user\",\"content\":[{\"tool_use_id\":\"");
    buf_add(b, id.p, id.len);
    buf_str(b, converse ? "\",\"content\":[{\"text\":\""
                        : "\",\"type\":\"tool_result\",\"content\":\"");
    text_append(b, r, rng_chance(r, 8800) ? POOL_CODE : POOL_PROSE, want);
    buf_str(b, converse ? "\"}],\"status\":\"success\"}}]}" : "\"}]}");
    buf_free(&id);
}

static void add_messages(struct buf *b, struct rng *r, const struct call *c, bool converse,
                         const char *place)
{
    size_t end = b->len + c->in_bytes;
    bool from_user = true;

    buf_lit(b, "\"messages\":[");
    if (c->media) {
        buf_lit(
            b,
            "{\"role\":\"user\",\"content\":[{\"document\":{\"format\":\"pdf\",\"name\":\"report\","
            "\"source\":{\"s3Uri\":\"");
        buf_str(b, place);
        buf_str(b, c->request_id);
        buf_lit(b, "_input_media_00.pdf\"}}}]},");
    }
    for (;;) {
        size_t left = end > b->len ? end - b->len : 0;
        size_t want = is_agent(c) ? 300 + rng_skewed(r, 3500) : 150 + rng_skewed(r, 700);

        if (want > left || left - want < 120)
            want = left;
        if (is_agent(c) && from_user && left > 900 && rng_chance(r, 8000)) {
            add_turn_text(b, r, c, "user", converse, 80);
            buf_char(b, ',');
            add_turn_tool(b, r, converse, want);
            from_user = false;
        } else {
            add_turn_text(b, r, c, from_user ? "user" : "assistant", converse, want);
            from_user = !from_user;
        }
        if (b->len + 60 >= end)
            break;
        buf_char(b, ',');
    }
    buf_char(b, ']');
}

static void input_converse(struct buf *b, struct rng *r, const struct call *c, const char *place)
{
    buf_char(b, '{');
    add_messages(b, r, c, true, place);
    buf_lit(b, ",\"system\":[{\"text\":\"");
    add_system(b, c);
    buf_lit(b, "\"}],\"inferenceConfig\":{\"maxTokens\":");
    buf_u64(b, is_agent(c) ? 32000 : 1024);
    buf_lit(b, ",\"temperature\":0.2}");
    if (is_agent(c)) {
        buf_lit(b, ",\"toolConfig\":{\"tools\":[");
        add_tools(b, c, true);
        buf_lit(b, "]}");
    }
    if (rng_chance(r, 300)) {
        buf_lit(b, ",\"additionalModelRequestFields\":{");
        add_decoy_members(b);
        buf_char(b, '}');
    }
    buf_char(b, '}');
}

static void input_claude(struct buf *b, struct rng *r, const struct call *c, const char *place)
{
    buf_lit(b, "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":");
    buf_u64(b, is_agent(c) ? 32000 : 1024);
    buf_lit(b, ",\"system\":[{\"type\":\"text\",\"text\":\"");
    add_system(b, c);
    buf_str(b, is_agent(c) ? "\",\"cache_control\":{\"type\":\"ephemeral\"}}]," : "\"}],");
    if (is_agent(c)) {
        buf_lit(b, "\"tools\":[");
        add_tools(b, c, false);
        buf_lit(b, "],");
    }
    add_messages(b, r, c, false, place);
    if (rng_chance(r, 200)) {
        buf_lit(b, ",\"metadata\":{");
        add_decoy_members(b);
        buf_char(b, '}');
    }
    buf_char(b, '}');
}

static void input_prompt(struct buf *b, struct rng *r, const struct call *c, const char *before,
                         const char *after)
{
    buf_str(b, before);
    add_system(b, c);
    buf_lit(b, "\\n\\n");
    add_text(b, r, c, c->in_bytes);
    buf_str(b, after);
}

void body_input(struct buf *b, struct rng *r, const struct call *c, const char *place)
{
    enum family family = c->candidate->offer.family;

    if (c->op == OP_CONVERSE || c->op == OP_CONVERSE_STREAM) {
        input_converse(b, r, c, place);
        return;
    }
    switch (family) {
    case FAM_CLAUDE: input_claude(b, r, c, place); break;
    case FAM_CLAUDE_OLD:
        input_prompt(b, r, c, "{\"prompt\":\"\\n\\nHuman: ",
                     "\\n\\nAssistant:\",\"max_tokens_to_sample\":2048,\"stop_sequences\":["
                     "\"\\n\\nHuman:\"]}");
        break;
    case FAM_LLAMA:
        input_prompt(b, r, c, "{\"prompt\":\"<|begin_of_text|>",
                     "<|eot_id|>\",\"max_gen_len\":512,\"temperature\":0.5,\"top_p\":0.9}");
        break;
    case FAM_TITAN:
        input_prompt(b, r, c, "{\"inputText\":\"",
                     "\",\"textGenerationConfig\":{\"maxTokenCount\":512,\"stopSequences\":[],"
                     "\"temperature\":0,\"topP\":1}}");
        break;
    case FAM_EMBED:
        buf_lit(b, "{\"inputText\":\"");
        text_append(b, r, POOL_PROSE, c->in_bytes);
        buf_lit(b, "\",\"dimensions\":256,\"normalize\":true}");
        break;
    case FAM_IMAGE:
        buf_lit(b, "{\"taskType\":\"TEXT_IMAGE\",\"textToImageParams\":{\"text\":\"");
        text_append(b, r, POOL_PROSE, 200);
        buf_lit(
            b,
            "\"},\"imageGenerationConfig\":{\"numberOfImages\":1,\"height\":1024,\"width\":1024}}");
        break;
    case FAM_NOVA:
    case FAM_OTHER: input_converse(b, r, c, place); break;
    }
}

/* ---- answers ---- */

static void add_usage_converse(struct buf *b, const struct call *c)
{
    buf_lit(b, "\"usage\":{");
    add_member_u64(b, "inputTokens", c->in.n + 1);
    buf_char(b, ',');
    if (c->cache_read.present) {
        add_member_u64(b, "cacheReadInputTokens", c->cache_read.n + 1);
        buf_char(b, ',');
        add_member_u64(b, "cacheReadInputTokenCount", c->cache_read.n + 1);
        buf_char(b, ',');
        add_member_u64(b, "cacheWriteInputTokens", c->cache_write.n + 1);
        buf_char(b, ',');
    }
    add_member_u64(b, "outputTokens", c->out.n + 1);
    buf_char(b, ',');
    add_member_u64(b, "totalTokens", c->in.n + c->out.n + c->cache_read.n + c->cache_write.n + 4);
    buf_char(b, '}');
}

static void add_usage_claude(struct buf *b, const struct call *c, uint64_t out)
{
    buf_lit(b, "\"usage\":{");
    add_member_u64(b, "input_tokens", c->in.n + 1);
    buf_char(b, ',');
    add_member_u64(b, "cache_creation_input_tokens", c->cache_write.n);
    buf_char(b, ',');
    add_member_u64(b, "cache_read_input_tokens", c->cache_read.n);
    buf_lit(b, ",\"cache_creation\":{");
    add_member_u64(b, "ephemeral_5m_input_tokens", c->cache_write.n);
    buf_lit(b, ",\"ephemeral_1h_input_tokens\":0},");
    add_member_u64(b, "output_tokens", out);
    buf_char(b, '}');
}

static void add_metrics(struct buf *b, const struct call *c)
{
    buf_lit(b, "\"amazon-bedrock-invocationMetrics\":{");
    add_member_u64(b, "inputTokenCount", c->in.n + 1);
    buf_char(b, ',');
    add_member_u64(b, "outputTokenCount", c->out.n + 1);
    buf_char(b, ',');
    add_member_u64(b, "invocationLatency", c->latency_ms);
    buf_char(b, ',');
    add_member_u64(b, "firstByteLatency", c->latency_ms / 7 + 90);
    if (c->cache_read.present) {
        buf_char(b, ',');
        add_member_u64(b, "cacheReadInputTokenCount", c->cache_read.n + 1);
        buf_char(b, ',');
        add_member_u64(b, "cacheWriteInputTokenCount", c->cache_write.n + 1);
    }
    buf_char(b, '}');
}

/* Policy units of a guardrail are called usage, too. */
static void add_guardrail(struct buf *b, const char *name)
{
    buf_char(b, '"');
    buf_str(b, name);
    buf_lit(
        b,
        "\":{\"guardrail\":{\"inputAssessment\":{\"x1y2z3a4b5c6\":{\"contentPolicy\":{\"filters\":["
        "{"
        "\"type\":\"PROMPT_ATTACK\",\"confidence\":\"HIGH\",\"action\":\"BLOCKED\"}]},"
        "\"invocationMetrics\":{\"guardrailProcessingLatency\":352,\"usage\":{\"topicPolicyUnits\":"
        "1,\"contentPolicyUnits\":1,\"wordPolicyUnits\":1,\"inputTokenCount\":5}}}}}}");
}

static void output_converse(struct buf *b, struct rng *r, const struct call *c)
{
    buf_lit(b, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"");
    if (c->guard == GUARD_BLOCKED)
        buf_lit(b, "Sorry, the model cannot answer this question.");
    else
        add_text(b, r, c, c->out_bytes);
    buf_lit(b, "\"}]}},\"stopReason\":\"");
    buf_str(b, c->guard == GUARD_BLOCKED ? "guardrail_intervened" : "end_turn");
    buf_lit(b, "\",\"metrics\":{");
    add_member_u64(b, "latencyMs", c->latency_ms);
    buf_lit(b, "},");
    add_usage_converse(b, c);
    if (c->guard != GUARD_NONE) {
        buf_char(b, ',');
        add_guardrail(b, "trace");
    }
    buf_char(b, '}');
}

static void add_claude_message(struct buf *b, struct rng *r, const struct call *c)
{
    const char *model = strchr(c->candidate->offer.model, '.');

    add_id(b, r, "{\"id\":\"msg_bdrk_");
    buf_lit(b, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
    buf_str(b, model ? model + 1 : "claude-sonnet-4-5-20250929");
    buf_char(b, '"');
}

static void output_claude(struct buf *b, struct rng *r, const struct call *c)
{
    add_claude_message(b, r, c);
    buf_lit(b, ",\"content\":[{\"type\":\"text\",\"text\":\"");
    if (c->guard == GUARD_BLOCKED)
        buf_lit(b, "Blocked by policy.");
    else
        add_text(b, r, c, c->out_bytes);
    buf_lit(b, "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,");
    add_usage_claude(b, c, c->out.n + 1);
    if (c->guard != GUARD_NONE) {
        buf_char(b, ',');
        add_guardrail(b, "amazon-bedrock-trace");
        buf_str(b, c->guard == GUARD_BLOCKED ? ",\"amazon-bedrock-guardrailAction\":\"INTERVENED\""
                                             : ",\"amazon-bedrock-guardrailAction\":\"NONE\"");
    }
    buf_char(b, '}');
}

/*
 * The pieces of a stream, one element each.  Pieces end before a blank: no escape holds one, so
 * none is torn.
 */
static void add_pieces(struct buf *b, struct rng *r, const struct call *c, const char *before,
                       const char *after)
{
    struct buf text = {0};
    size_t at = 0;

    if (c->guard == GUARD_BLOCKED)
        buf_lit(&text, "Sorry, the model cannot answer this question.");
    else
        add_text(&text, r, c, c->out_bytes);
    while (at < text.len) {
        size_t end = at + 1 + rng_below(r, 40);

        while (end < text.len && text.p[end] != ' ')
            end++;
        if (end > text.len)
            end = text.len;
        buf_str(b, before);
        buf_add(b, text.p + at, end - at);
        buf_str(b, after);
        at = end;
    }
    buf_free(&text);
}

static void stream_claude(struct buf *b, struct rng *r, const struct call *c)
{
    buf_lit(b, "[{\"type\":\"message_start\",\"message\":");
    add_claude_message(b, r, c);
    buf_lit(b, ",\"content\":[],\"stop_reason\":null,");
    add_usage_claude(b, c, 1);
    buf_lit(b,
            "}},{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
            "\"text\":\"\"}},");
    add_pieces(b, r, c,
               "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
               "\"text\":\"",
               "\"}},");
    buf_lit(b, "{\"type\":\"content_block_stop\",\"index\":0},");
    buf_lit(b, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_"
               "sequence\":null");
    if (c->guard == GUARD_BLOCKED)
        buf_lit(b, ",\"amazon-bedrock-guardrailAction\":\"INTERVENED\"");
    buf_lit(b, "},\"usage\":{");
    add_member_u64(b, "output_tokens", c->out.n + 1);
    buf_lit(b, "}},{\"type\":\"message_stop\",");
    add_metrics(b, c);
    buf_str(b, c->guard == GUARD_BLOCKED ? "},\"[DONE]\"]" : "}]");
}

static void stream_other(struct buf *b, struct rng *r, const struct call *c)
{
    buf_char(b, '[');
    switch (c->candidate->offer.family) {
    case FAM_TITAN:
        buf_lit(b, "{\"outputText\":\"");
        add_text(b, r, c, c->out_bytes);
        buf_lit(b, "\",\"index\":0,\"inputTextTokenCount\":");
        buf_u64(b, c->in.n + 1);
        buf_lit(b, ",\"totalOutputTextTokenCount\":");
        buf_u64(b, c->out.n + 1);
        buf_lit(b, ",\"completionReason\":\"FINISH\",");
        break;
    case FAM_LLAMA:
        add_pieces(
            b, r, c, "{\"generation\":\"",
            "\",\"prompt_token_count\":null,\"generation_token_count\":5,\"stop_reason\":null},");
        buf_lit(b, "{\"generation\":\"\",\"stop_reason\":\"stop\",");
        break;
    case FAM_CLAUDE_OLD:
        add_pieces(b, r, c, "{\"type\":\"completion\",\"completion\":\"",
                   "\",\"stop_reason\":null,\"stop\":null},");
        buf_lit(
            b, "{\"completion\":\"\",\"stop_reason\":\"stop_sequence\",\"stop\":\"\\n\\nHuman:\",");
        break;
    default:
        buf_lit(b, "{\"messageStart\":{\"role\":\"assistant\"}},");
        add_pieces(b, r, c, "{\"contentBlockDelta\":{\"delta\":{\"text\":\"",
                   "\"},\"contentBlockIndex\":0}},");
        buf_lit(b, "{\"messageStop\":{\"stopReason\":\"end_turn\"}},{\"metadata\":{");
        add_usage_converse(b, c);
        buf_lit(b, "},");
        break;
    }
    add_metrics(b, c);
    buf_lit(b, "}]");
}

static void add_vector(struct buf *b, struct rng *r, unsigned dimensions)
{
    for (unsigned i = 0; i < dimensions; i++) {
        uint32_t n = rng_below(r, 9000000);

        buf_str(b, i ? "," : "");
        buf_str(b, rng_chance(r, 5000) ? "-0.0" : "0.0");
        buf_u64(b, n + 1000000);
    }
}

static void output_invoke(struct buf *b, struct rng *r, const struct call *c)
{
    switch (c->candidate->offer.family) {
    case FAM_CLAUDE: output_claude(b, r, c); break;
    case FAM_CLAUDE_OLD:
        buf_lit(b, "{\"type\":\"completion\",\"completion\":\"");
        add_text(b, r, c, c->out_bytes);
        buf_lit(b, "\",\"stop_reason\":\"stop_sequence\",\"stop\":\"\\n\\nHuman:\"}");
        break;
    case FAM_LLAMA:
        buf_lit(b, "{\"generation\":\"");
        add_text(b, r, c, c->out_bytes);
        buf_lit(b, "\",");
        add_member_u64(b, "prompt_token_count", c->in.n + 1);
        buf_char(b, ',');
        add_member_u64(b, "generation_token_count", c->out.n + 1);
        buf_lit(b, ",\"stop_reason\":\"stop\"}");
        break;
    case FAM_TITAN:
        buf_char(b, '{');
        add_member_u64(b, "inputTextTokenCount", c->in.n + 1);
        buf_lit(b, ",\"results\":[{");
        add_member_u64(b, "tokenCount", c->out.n + 1);
        buf_lit(b, ",\"outputText\":\"");
        add_text(b, r, c, c->out_bytes);
        buf_lit(b, "\",\"completionReason\":\"FINISH\"}]}");
        break;
    case FAM_EMBED:
        buf_lit(b, "{\"embedding\":[");
        add_vector(b, r, 256);
        buf_lit(b, "],");
        add_member_u64(b, "inputTextTokenCount", c->in.n + 1);
        buf_char(b, '}');
        break;
    case FAM_IMAGE: buf_lit(b, "{\"images\":[\"<image>\"],\"error\":null}"); break;
    case FAM_NOVA:
    case FAM_OTHER: output_converse(b, r, c); break;
    }
}

void body_output(struct buf *b, struct rng *r, const struct call *c)
{
    if (c->op == OP_CONVERSE || c->op == OP_CONVERSE_STREAM)
        output_converse(b, r, c);
    else if (c->op == OP_INVOKE)
        output_invoke(b, r, c);
    else if (c->candidate->offer.family == FAM_CLAUDE)
        stream_claude(b, r, c);
    else
        stream_other(b, r, c);
}
