/*
 * cmd_explain.c: what a code means, from docs/troubleshooting.md, which is built into the program.
 *
 *     ### BM-O101
 *
 *     `truncated gzip member`, `truncated gzip header`      what messages with this code say
 *
 *     The file ends too early ...
 *
 * The first quoted text is the code's title.  A log line or message that was copied without its
 * code is looked up by these texts; that is a help for reading and decides nothing.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/codes.h"
#include "base/embed.h"
#include "cli/commands.h"
#include "tools/doctor/findings.h"

enum { CODE_BYTES = 16, MIN_DIGITS = 2, MAX_DIGITS = 3 };

struct options {
    bool brief;
};

static const struct option rows[] = {
    {"short", NULL, "only the code and its title, a line each", OPT_FLAG(brief)},
};

/* Reads "BM-O101" at the start of `text`, also "bm-o101" and "O101".  Returns its length, 0 when there is none. */
static size_t read_code(struct view text, char code[CODE_BYTES])
{
    size_t at = view_eq_nocase(view_first(text, 3), VIEW_LIT("BM-")) ? 3 : 0;
    size_t digits = 0;
    if (at == text.len || !isalpha((unsigned char)text.ptr[at]))
        return 0;
    size_t letter = at++;
    while (at + digits < text.len && isdigit((unsigned char)text.ptr[at + digits]))
        digits++;
    if (digits < MIN_DIGITS || digits > MAX_DIGITS)
        return 0;
    (void)snprintf(code, CODE_BYTES, "BM-%c%.*s", toupper((unsigned char)text.ptr[letter]),
                   (int)digits, text.ptr + at);
    return at + digits;
}

/* The page itself, so that there is one text of what a code means. */
struct view explain_builtin_text(void);
EMBED_FILE(explain_builtin_text, "docs/troubleshooting.md")

/* The section below the heading "### CODE". */
static struct view find_section(const char *code)
{
    char heading[CODE_BYTES + 8];
    (void)snprintf(heading, sizeof(heading), "\n### %s\n", code);
    struct view page = explain_builtin_text();
    size_t at = view_find(page, view_of(heading));
    if (at == SIZE_MAX)
        return VIEW_EMPTY;
    struct view section = view_trim(view_skip(page, at + strlen(heading)));
    size_t end = view_find(section, VIEW_LIT("\n##"));
    return view_trim(view_first(section, end));
}

static void print_words(struct view words)
{
    for (size_t i = 0; i < words.len; i++) {
        if (words.ptr[i] != '`')
            putchar(words.ptr[i]);
    }
}

/* A line of the page for a terminal: [words](target) without the target, code without backticks. */
static void print_line(struct view line)
{
    for (;;) {
        size_t middle = view_find(line, VIEW_LIT("]("));
        struct view before = view_first(line, middle);
        size_t open = view_rfind(before, VIEW_LIT("["));
        size_t close = view_find_char(view_skip(line, before.len), ')');
        if (open == SIZE_MAX || close == SIZE_MAX)
            break;
        print_words(view_first(before, open));
        print_words(view_skip(before, open + 1));
        line = view_skip(line, middle + close + 1);
    }
    print_words(line);
    putchar('\n');
}

static const struct doctor_code_info *find_doctor_code(const char *code)
{
    for (int i = DOCTOR_NO_CODE + 1; i < DOCTOR_CODES_END; i++) {
        const struct doctor_code_info *info = doctor_code_info((enum doctor_code)i);
        if (strcmp(info->name, code) == 0)
            return info;
    }
    return NULL;
}

/* The next text in backticks; one with a backtick in it is in two, with blanks: `` a `b` ``. */
static bool next_quoted(struct view *head, struct view *out)
{
    size_t open = view_find_char(*head, '`');
    if (open == SIZE_MAX)
        return false;
    *head = view_skip(*head, open);
    struct view mark = view_starts(*head, VIEW_LIT("`` ")) ? VIEW_LIT("``") : VIEW_LIT("`");
    *head = view_skip(*head, mark.len);
    size_t close = view_find(*head, mark);
    if (close == SIZE_MAX)
        return false;
    *out = view_trim(view_first(*head, close));
    *head = view_skip(*head, close + mark.len);
    return true;
}

/* The first paragraph of a section: the quoted texts. */
static struct view head_of(const char *code)
{
    struct view section = find_section(code);
    return view_first(section, view_find(section, VIEW_LIT("\n\n")));
}

static bool is_known(const char *code)
{
    for (int i = E_NONE + 1; i < E_END; i++) {
        if (strcmp(code_text((enum code)i), code) == 0)
            return true;
    }
    return find_doctor_code(code) != NULL;
}

static struct view title_of(const char *code)
{
    const struct doctor_code_info *info = find_doctor_code(code);
    struct view head = head_of(code), title = VIEW_EMPTY;
    if (info != NULL)
        return view_of(info->needed);
    (void)next_quoted(&head, &title);
    return title;
}

static void print_code(const char *code, bool brief)
{
    struct view rest = find_section(code), line;
    printf("%s%s", code, brief ? "\t" : "\n");
    if (brief) {
        print_words(title_of(code));
        putchar('\n');
        return;
    }
    if (rest.len == 0)
        printf("What doctor looks for: %s.\nbedrock-metrics doctor names the fix; see "
               "docs/doctor.md.\n",
               find_doctor_code(code)->needed);
    while (view_split(&rest, '\n', &line))
        print_line(line);
}

/*
 * The code that is in `text`, else that of the longest quoted text of the page that is in it.  The
 * longest says most: "cannot be opened: No such file or directory" holds texts of two codes.
 */
static const char *code_of_text(struct view text, char code[CODE_BYTES])
{
    for (size_t i = 0; i + 3 < text.len; i++) {
        if (view_starts(view_skip(text, i), VIEW_LIT("BM-")) &&
            read_code(view_skip(text, i), code) > 0 && is_known(code))
            return code;
    }
    const char *found = NULL;
    size_t longest = 0;
    for (int i = E_NONE + 1; i < E_END; i++) {
        struct view head = head_of(code_text((enum code)i)), quoted;
        while (next_quoted(&head, &quoted)) {
            if (quoted.len > longest && view_find(text, quoted) != SIZE_MAX) {
                longest = quoted.len;
                found = code_text((enum code)i);
            }
        }
    }
    return found;
}

static enum status choose(const char *word, char code[CODE_BYTES], const char **out,
                          struct error *err)
{
    struct view text = view_of(word);
    if (text.len > 0 && read_code(text, code) == text.len)
        *out = is_known(code) ? code : NULL;
    else
        *out = code_of_text(text, code);
    if (*out != NULL)
        return ST_OK;
    return error_set(err, ST_USAGE, E_U223,
                     "\"%.80s\" is neither a code nor a message that has one", word);
}

static enum status run(struct invocation *in, struct error *err)
{
    const struct options *o = in->options;
    enum status st = ST_OK;
    for (int i = E_NONE + 1; i < E_END && in->word_count == 0; i++)
        print_code(code_text((enum code)i), true);
    for (int i = DOCTOR_NO_CODE + 1; i < DOCTOR_CODES_END && in->word_count == 0; i++) {
        const struct doctor_code_info *info = doctor_code_info((enum doctor_code)i);
        printf("%s\t%s\n", info->name, info->needed);
    }
    for (size_t i = 0; i < in->word_count && st == ST_OK; i++) {
        char code[CODE_BYTES];
        const char *found;
        st = choose(in->words[i], code, &found, err);
        if (st == ST_OK && i > 0 && !o->brief)
            putchar('\n');
        if (st == ST_OK)
            print_code(found, o->brief);
    }
    return st;
}

COMMAND(explain) = {
    .group = GROUP_LOGS,
    .name = "explain",
    .synopsis = "[CODE|TEXT]... [OPTIONS]",
    .summary = "Say what a code such as BM-O101 means, and what to do",
    .details = "No network is needed.  Without a CODE all are listed.  TEXT is a log line or\n"
               "message as it was printed, in quotes.  For example:\n"
               "  bedrock-metrics explain BM-O101\n",
    .word = "CODE",
    .max_words = SIZE_MAX,
    COMMAND_OPTIONS(rows),
    .setup = SETUP_NONE,
    .run = run,
};
