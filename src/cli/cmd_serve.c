/* cmd_serve.c: a folder of logs as if it were the bucket: counted as they come, shown on a page. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/listen.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "report/report.h"
#include "serve/http_server.h"
#include "serve/ingest.h"
#include "serve/watch.h"

enum { MAX_KEYS = 8, KEYS_CEILING = 8192, MAX_LINE = 64 * 1024 };

static const char default_listen[] = "127.0.0.1:8377";

/* The options, and everything that runs, in the order it is started. */
struct options {
    const char *listen, *store, *allow_host, *metadata, *tag;
    struct counting_choice counting;
    bool once;
    const char *folder;
    char *real_folder;
    char *store_path;
    struct buf keys; /* as for usage_open */
    struct counting counted;
    struct usage *usage;
    struct ingest *ingest;
    struct watch *watch;
    struct answers *answers;
    struct http_server *http;
    uint64_t offered;
    atomic_bool stop, finished;
    pthread_t thread; /* walks and watches */
    bool has_thread;
    enum status result;
    uint64_t unreadable;
    struct error err;
};

static const struct option rows[] = {
    {"listen", "ADDRESS:PORT",
     "where to listen (default 127.0.0.1:8377; port 0 is any\n"
     "free one).  Only this machine can reach 127.0.0.1",
     OPT_TEXT(listen)},
    {"allow-host", "NAME", "also accept requests with this Host header", OPT_TEXT(allow_host)},
    {"store", "FILE",
     "where sums are kept (default: a file for each FOLDER\n"
     "below $XDG_STATE_HOME/bedrock-metrics or\n"
     "~/.local/state/bedrock-metrics)",
     OPT_TEXT(store)},
    {"metadata", "KEY,...",
     "keep these keys of requestMetadata as dimensions\n"
     "Metadata:KEY; chosen when a store is made",
     OPT_TEXT(metadata)},
    {"tag", "KEY,...",
     "the same for tags of application inference profiles\n"
     "(see --profiles): Tag:KEY",
     OPT_TEXT(tag)},
    ALLOW_OPTION,
    {"once", NULL, "count what is there, then end; no page", OPT_FLAG(once)},
    JOBS_OPTION,
    PROFILES_OPTION,
    PRICES_OPTION,
};

/* ---- files ---- */

static bool is_ready(void *context, const struct ingest_file *file)
{
    struct options *o = context;
    if (watch_is_settled(file->path, file->mtime_ns))
        return true;
    watch_again(o->watch, file->path);
    return false;
}

static void on_unsettled(void *context, const char *path)
{
    struct options *o = context;
    watch_again(o->watch, path);
}

static enum status on_file(void *context, const struct watch_file *found, struct error *err)
{
    struct options *o = context;
    struct ingest_file file = {found->path,     found->key,   found->size,
                               found->mtime_ns, found->inode, found->born_ns};
    bool taken;
    enum status st = ingest_offer(o->ingest, &file, &taken, err);
    o->offered += taken ? 1 : 0;
    return st;
}

static void *watch_main(void *context)
{
    struct options *o = context;
    o->result = watch_walk(o->watch, &o->unreadable, &o->err);
    if (o->result == ST_OK)
        o->result = ingest_wait(o->ingest, &o->err);
    if (o->result == ST_OK)
        o->result = usage_roll_up(o->usage, ROLLUP_NOW, &o->err);
    if (o->result == ST_OK)
        LOG_EVENT(LOG_INFO, "folder scanned", log_cstr("folder", o->folder),
                  log_u64("new_objects", o->offered));
    if (o->result == ST_OK && !o->once)
        o->result = watch_run(o->watch, &o->stop, &o->err);
    /* The main thread waits for a signal: for this one as well. */
    o->finished = true;
    kill(getpid(), SIGUSR1);
    return NULL;
}

/* ---- life ---- */

static enum status open_store(struct options *o, struct error *err)
{
    enum status st = ST_OK;
    if (o->store == NULL)
        st = state_path_of_folder(o->real_folder, &o->store_path, err);
    else if ((o->store_path = strdup(o->store)) == NULL)
        st = error_set(err, ST_NO_MEMORY, E_R113, "out of memory");
    if (st == ST_OK)
        st = usage_open(o->store_path, STORE_WRITE, buf_view(&o->keys), &o->usage, err);
    if (st == ST_OK)
        st = usage_claim(o->usage, view_of(o->real_folder), view_of(o->counted.prices_as_of), err);
    return st;
}

static enum status start(struct options *o, struct error *err)
{
    struct ingest_options ingest = {
        .usage = o->usage,
        .folder = o->folder,
        .counter = o->counted.pipeline.counter,
        .jobs = o->counted.pipeline.jobs,
        .once = o->once,
        .is_ready = is_ready,
        .on_unsettled = on_unsettled,
        .context = o,
    };
    struct answers_options answers = {o->usage, o->counted.metrics, o->counted.prices_as_of,
                                      o->folder};
    enum status st = watch_new(o->folder, on_file, o, &o->watch);
    if (st == ST_OK)
        st = ingest_start(&ingest, &o->ingest);
    if (st == ST_OK && !o->once) {
        o->answers = answers_new(&answers);
        struct http_server_options http = {
            o->answers, o->listen != NULL ? o->listen : default_listen, o->allow_host};
        st = o->answers == NULL ? ST_NO_MEMORY : http_server_start(&http, &o->http, err);
    }
    if (st == ST_OK) {
        o->has_thread = pthread_create(&o->thread, NULL, watch_main, o) == 0;
        st = o->has_thread ? ST_OK : ST_NO_MEMORY;
    }
    return st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory") : st;
}

static void stop(struct options *o)
{
    o->stop = true;
    if (o->answers != NULL)
        answers_end(o->answers);
    http_server_stop(o->http);
    if (o->ingest != NULL)
        ingest_cancel(o->ingest);
    if (o->has_thread)
        pthread_join(o->thread, NULL);
    ingest_stop(o->ingest);
    watch_free(o->watch);
    answers_free(o->answers);
    usage_close(o->usage);
}

/* The balance of the whole store: of files that were counted before, too. */
static enum status finish_once(struct options *o, struct invocation *in, struct error *err)
{
    struct dimension_set set;
    struct usage_query query = {.sets = &set, .set_count = 1};
    struct usage_answer answer;
    const struct dimension_keys *keys;
    set = *usage_dimensions(o->usage, &keys);
    set.count = 1;
    enum status st = usage_ask(o->usage, &query, &answer, err);
    aggregate_free(answer.aggregate);
    if (st == ST_OK && !in->common.quiet)
        report_print_tally(&answer.tally, stderr);
    if (st == ST_OK && (answer.tally.objects.failed > 0 || o->unreadable > 0))
        in->exit = EXIT_FOUND_FAULTS;
    return st;
}

/* A folder's name may be part of it, and a terminal must not act on that. */
static void print_store(const char *path)
{
    struct buf line;
    buf_init(&line, MAX_LINE);
    buf_add_cstr(&line, "store:  ");
    json_escape(&line, view_of(path));
    buf_add_char(&line, '\n');
    if (buf_status(&line) == ST_OK)
        (void)fwrite(line.ptr, 1, line.len, stderr);
    buf_clear(&line);
}

static enum status run(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    sigset_t signals;
    int number = 0;
    /* All threads are started with these blocked, so that they come here only. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* of a lease, see watch_is_settled */
    enum status st = open_store(o, err);
    if (st == ST_OK)
        st = start(o, err);
    if (st != ST_OK) {
        stop(o);
        return st == ST_CONFLICT ? ST_USAGE : st;
    }
    if (!in->common.quiet)
        print_store(o->store_path);
    if (!in->common.quiet && o->http != NULL)
        fprintf(stderr, "page:   http://%s/\n", http_server_address(o->http));
    do {
        sigwait(&signals, &number);
    } while (number == SIGUSR1 && !o->finished);
    in->exit = 128 + number;
    if (number == SIGUSR1) {
        in->exit = EXIT_DONE;
        *err = o->err;
        st = o->result == ST_OK ? finish_once(o, in, err) : o->result;
    }
    stop(o);
    return st;
}

/* "team,cost" as "Metadata:team,Metadata:cost", after what is there. */
static enum status add_keys(struct buf *out, const char *option, const char *kind, const char *list,
                            struct error *err)
{
    struct view rest = view_of(list == NULL ? "" : list), key;
    while (list != NULL && view_split(&rest, ',', &key)) {
        key = view_trim(key);
        if (key.len == 0)
            return error_set(err, ST_USAGE, E_U225, "an empty key in --%s \"%.80s\"", option, list);
        if (out->len > 0)
            buf_add_char(out, ',');
        buf_add_cstr(out, kind);
        buf_add_view(out, key);
    }
    return buf_status(out) == ST_OK ? ST_OK
                                    : error_set(err, ST_USAGE, E_U225, "--%s is too long", option);
}

static enum status resolve_keys(struct options *o, struct error *err)
{
    struct dimension_keys keys = {0};
    struct dimension_set set;
    buf_init(&o->keys, KEYS_CEILING);
    enum status st = add_keys(&o->keys, "metadata", "Metadata:", o->metadata, err);
    if (st == ST_OK)
        st = add_keys(&o->keys, "tag", "Tag:", o->tag, err);
    if (st != ST_OK || o->keys.len == 0)
        return st;
    st = dimension_set_parse(buf_view(&o->keys), &keys, &set, err);
    if (st == ST_OK && set.count > MAX_KEYS)
        st = error_set(err, ST_USAGE, E_U225, "more than %d keys for a store", MAX_KEYS);
    return st;
}

static enum status open_serve(struct invocation *in, struct error *err)
{
    struct options *o = in->options;
    struct stat info;
    o->folder = in->words[0];
    struct error detail = {0};
    enum status st = listen_check(o->listen != NULL ? o->listen : default_listen, &detail);
    if (st != ST_OK)
        return error_set(err, st, detail.code, "--listen %s", detail.text);
    st = resolve_keys(o, err);
    if (st == ST_OK)
        st = counting_resolve(&o->counting, &o->counted, err);
    if (st != ST_OK)
        return st;
    o->real_folder = realpath(o->folder, NULL);
    if (o->real_folder == NULL || stat(o->real_folder, &info) != 0)
        return error_set(err, ST_USAGE, E_U405, "FOLDER \"%.160s\": %s", o->folder,
                         strerrordesc_np(errno));
    if (!S_ISDIR(info.st_mode))
        return error_set(err, ST_USAGE, E_U405, "FOLDER \"%.160s\" is not a folder", o->folder);
    return ST_OK;
}

static void close_serve(void *options)
{
    struct options *o = options;
    counting_clear(&o->counted);
    free(o->real_folder);
    free(o->store_path);
    buf_clear(&o->keys);
}

COMMAND(serve) = {
    .group = GROUP_LOGS,
    .name = "serve",
    .synopsis = "FOLDER [OPTIONS]",
    .summary = "Watch a folder of logs and show its usage on a local page",
    .details =
        "Each log file is counted exactly once; its sums are kept in a store (SQLite), so the\n"
        "program can be stopped or killed at any time and resumes.  A file that\n"
        "changes after it was counted is reported and not counted again; one that could not be\n"
        "read is tried again when it has changed.\n"
        "\n"
        "The page is at http://127.0.0.1:8377/.  Programs query /api/usage (by, interval, since,\n"
        "until, top: the JSON of \"aggregate\"), Prometheus scrapes /metrics.  There is no\n"
        "authentication: anyone who can reach the address can read the figures.\n"
        "\n"
        "Exit status: 130 or 143 on a signal; 1 the store or address cannot be used; 2 wrong\n"
        "usage.  With --once: 0 done, 1 an object failed.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics serve logs/\n"
        "  aws s3 sync s3://bucket/AWSLogs logs/AWSLogs    (in another terminal, now and then)\n",
    .word = "FOLDER",
    .min_words = 1,
    .max_words = 1,
    .reads = READ_COUNTING | READ_STORE,
    COMMAND_OPTIONS(rows),
    .open = open_serve,
    .run = run,
    .close = close_serve,
};
