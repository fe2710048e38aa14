/*
 * bedrock-logs-sim: realistic Amazon Bedrock invocation logs, and the answer they must give.
 *
 *   bedrock-logs-sim --out build/logs --profile demo --expected build/expected.json
 *   bedrock-metrics aggregate build/logs --output json --interval 1h --by InferenceProfileType,\
 *       InferenceProfile,ModelId,SourceRegion,InferenceRegion,AccountId,Operation,Principal
 *
 * The second prints what expected.json holds (as JSON; white space may differ).  The simulator
 * knows the answer because it decided every call, not because it read its own logs; it shares no
 * code with the product.  Same seed and options: same bytes.
 *
 * The way through the code: sim_run.c deals traffic to hours, accounts and Regions and fills
 * batches; sim_record.c decides one call and writes its record, with bodies by sim_body.c from the
 * stock of text of sim_text.c; sim_catalogue.c holds models, routes and callers with what each must
 * count as; sim_object.c compresses and stores; sim_expect.c sums the truth.  This file reads the
 * options.
 */
#ifndef _GNU_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "sim.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "usage: bedrock-logs-sim --out DIR [OPTIONS]\n"
    "       bedrock-logs-sim --single FILE [OPTIONS]\n"
    "\n"
    "Write simulated Amazon Bedrock invocation logs, and the answer an aggregation must give.\n"
    "The same seed and options give the same bytes.\n"
    "\n"
    "  --out DIR        write objects in Bedrock's key layout below DIR (new or empty)\n"
    "  --single FILE    write all records into one object instead; - is standard output\n"
    "  --expected FILE  write the expected result of `bedrock-metrics aggregate` by all eight\n"
    "                   dimensions and hour (see the top of sim_main.c); not below DIR\n"
    "  --profile NAME   demo   a bit of everything, as an organisation has it (default)\n"
    "                   mixed  demo plus every odd form the reader must accept\n"
    "                   none   bodies switched off, about 570 bytes a record\n"
    "                   chat   about 6 KB a record\n"
    "                   agent  about 60 KB a record\n"
    "  --records N      how many records (default 5000), or\n"
    "  --size BYTES     how many bytes of records, uncompressed; k, M, G are powers of 1000\n"
    "  --seed N         default 1\n"
    "  --start TIME     first hour, YYYY-MM-DD or RFC 3339 (default 2026-11-02T00:00:00Z)\n"
    "  --hours N        hours of traffic, 1 to 8784 (default 24)\n"
    "  --accounts N     accounts, 1 to 1000 (default 3)\n"
    "  --regions LIST   source Regions, comma separated (default: twelve of them)\n"
    "  --prefix PREFIX  key prefix before AWSLogs/\n"
    "  --plain          do not compress; objects then end in .json\n"
    "  --help           this text\n";

static const char default_regions[] = "us-east-1,us-west-2,ca-central-1,eu-central-1,eu-west-1,ap-"
                                      "northeast-1,ap-northeast-2,ap-south-1,"
                                      "ap-southeast-1,ap-southeast-2,sa-east-1,us-gov-west-1";

static _Noreturn void usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void usage(const char *format, ...)
{
    va_list ap;

    fputs("bedrock-logs-sim: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputs("\nTry bedrock-logs-sim --help.\n", stderr);
    exit(2);
}

static uint64_t number_parse(const char *option, const char *text, uint64_t low, uint64_t high,
                             bool units)
{
    uint64_t n = 0;
    uint64_t unit = 1;
    const char *t = text;

    for (; *t >= '0' && *t <= '9'; t++) {
        uint64_t digit = (uint64_t)(*t - '0');

        if (n > (UINT64_MAX - digit) / 10)
            usage("%s: '%s' is too large", option, text);
        n = n * 10 + digit;
    }
    if (units && t > text && *t && !t[1]) {
        unit = *t == 'k' || *t == 'K' ? 1000 : *t == 'M' ? 1000000 : *t == 'G' ? 1000000000 : 1;
        t += unit > 1;
    }
    if (t == text || *t)
        usage("%s: '%s' is no %s", option, text, units ? "size (N, Nk, NM, NG)" : "whole number");
    if (n > high / unit || n * unit < low)
        usage("%s: '%s' is not within %llu to %llu", option, text, (unsigned long long)low,
              (unsigned long long)high);
    return n * unit;
}

static enum profile profile_parse(const char *text)
{
    static const char *const names[] = {"demo", "chat", "agent", "none", "mixed"};

    for (unsigned i = 0; i < 5; i++)
        if (!strcmp(text, names[i]))
            return (enum profile)i;
    usage("--profile: '%s' is none of demo, chat, agent, none, mixed", text);
}

static void regions_parse(struct config *cfg, const char *list)
{
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        const struct region *r = region_find(at, len);

        if (!r) {
            fputs("Known Regions:", stderr);
            for (size_t i = 0; i < region_count; i++)
                fprintf(stderr, " %s", regions[i].name);
            fputc('\n', stderr);
            usage("--regions: '%.*s' is no known Region", (int)len, at);
        }
        for (size_t i = 0; i < cfg->region_count; i++)
            if (cfg->regions[i] == r)
                usage("--regions: '%s' is named twice", r->name);
        cfg->regions[cfg->region_count++] = r;
        at += len;
        if (!*at)
            break;
    }
}

static void prefix_parse(struct config *cfg, const char *text)
{
    size_t len = strlen(text);

    while (len && text[len - 1] == '/')
        len--;
    if (len > 1024 || *text == '/' || strstr(text, "//"))
        usage("--prefix: '%s' must have 0 to 1024 characters and no empty part", text);
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == '"' || *at == '\\')
            usage("--prefix: '%s' must not hold quotes, backslashes or control characters", text);
        if ((at == text || at[-1] == '/') && *at == '.' &&
            (strchr("/", at[1]) || (at[1] == '.' && strchr("/", at[2]))))
            usage("--prefix: '%s' must not leave the folder", text);
    }
    memcpy(cfg->prefix, text, len);
    if (len)
        cfg->prefix[len++] = '/';
    cfg->prefix[len] = '\0';
}

static void option_apply(struct config *cfg, const char *name, const char *value)
{
    if (!*value && strcmp(name, "--prefix") != 0)
        usage("%s: the value is empty", name);
    if (!strcmp(name, "--out"))
        cfg->out = value;
    else if (!strcmp(name, "--single"))
        cfg->single = value;
    else if (!strcmp(name, "--expected"))
        cfg->expected = value;
    else if (!strcmp(name, "--seed"))
        cfg->seed = number_parse(name, value, 0, UINT64_MAX, false);
    else if (!strcmp(name, "--records"))
        cfg->records = number_parse(name, value, 1, UINT64_C(1000000000), false);
    else if (!strcmp(name, "--size"))
        cfg->size = number_parse(name, value, 1, UINT64_C(1000000000000), true);
    else if (!strcmp(name, "--profile"))
        cfg->profile = profile_parse(value);
    else if (!strcmp(name, "--hours"))
        cfg->hours = (unsigned)number_parse(name, value, 1, 8784, false);
    else if (!strcmp(name, "--accounts"))
        cfg->accounts = (unsigned)number_parse(name, value, 1, 1000, false);
    else if (!strcmp(name, "--regions"))
        regions_parse(cfg, value);
    else if (!strcmp(name, "--prefix"))
        prefix_parse(cfg, value);
    else if (!time_parse(value, &cfg->start))
        usage("--start: '%s' is neither YYYY-MM-DD nor YYYY-MM-DDTHH:MM:SSZ", value);
}

static void options_read(struct config *cfg, int argc, char **argv)
{
    static const char *const names[] = {"--out",      "--single",  "--expected", "--seed",
                                        "--records",  "--size",    "--profile",  "--hours",
                                        "--accounts", "--regions", "--prefix",   "--start"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    bool seen[NAMES] = {false};

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        size_t len = strcspn(arg, "=");
        size_t k = 0;

        if (!strcmp(arg, "--help")) {
            fputs(help, stdout);
            exit(fflush(stdout) ? 1 : 0);
        }
        if (!strcmp(arg, "--plain")) {
            if (cfg->plain)
                usage("--plain is given twice");
            cfg->plain = true;
            continue;
        }
        while (k < NAMES && (strlen(names[k]) != len || memcmp(names[k], arg, len) != 0))
            k++;
        if (k == NAMES)
            usage("unknown option or argument '%s'", arg);
        if (seen[k])
            usage("%s is given twice", names[k]);
        seen[k] = true;
        if (arg[len] == '=')
            option_apply(cfg, names[k], arg + len + 1);
        else if (++i < argc)
            option_apply(cfg, names[k], argv[i]);
        else
            usage("%s needs a value", names[k]);
    }
    if (!cfg->out == !cfg->single)
        usage("exactly one of --out and --single is needed");
    if (cfg->records && cfg->size)
        usage("--records and --size exclude each other");
}

/* The folder must hold nothing else, or the expected answer would be wrong. */
static void folder_prepare(const char *dir)
{
    struct dirent *entry;
    struct buf path = {0};
    DIR *d;

    buf_str(&path, dir);
    buf_char(&path, '\0');
    for (char *at = path.p + 1;; at++) {
        char was = *at;

        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(path.p, 0777) && errno != EEXIST)
            die("%s: %s", path.p, strerror(errno));
        *at = was;
        if (!was)
            break;
    }
    buf_free(&path);
    d = opendir(dir);
    if (!d)
        die("%s: %s", dir, strerror(errno));
    while ((entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            usage("--out: '%s' is not empty", dir);
    closedir(d);
}

static void expected_check(const struct config *cfg)
{
    char *dir = xstrdup(cfg->expected);
    char *slash = strrchr(dir, '/');
    char *real_dir;
    char *real_out = realpath(cfg->out, NULL);
    size_t len;

    if (slash)
        slash[slash == dir] = '\0';
    real_dir = realpath(slash ? dir : ".", NULL);
    if (!real_dir || !real_out)
        die("%s: %s", cfg->expected, strerror(errno));
    len = strlen(real_out);
    if (!strncmp(real_dir, real_out, len) && (real_dir[len] == '/' || real_dir[len] == '\0'))
        usage("--expected: '%s' must not lie below --out, it would count as an object",
              cfg->expected);
    free(dir);
    free(real_dir);
    free(real_out);
}

int main(int argc, char **argv)
{
    struct config cfg = {.seed = 1, .hours = 24, .accounts = 3};

    if (!time_parse("2026-11-02", &cfg.start))
        return 1;
    options_read(&cfg, argc, argv);
    if (!cfg.region_count)
        regions_parse(&cfg, default_regions);
    if (!cfg.records && !cfg.size)
        cfg.records = 5000;
    if (cfg.out) {
        folder_prepare(cfg.out);
        if (cfg.expected)
            expected_check(&cfg);
    }
    run(&cfg);
    return 0;
}
