/* cmd_serve.c: a folder of logs as if it were the bucket: counted as they come, shown on a page. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/counting.h"
#include "cli/options.h"
#include "config/config.h"
#include "report/report.h"
#include "serve/http_server.h"
#include "serve/ingest.h"
#include "serve/watch.h"
#include "store/state_path.h"

enum { MAX_KEYS = 8, KEYS_CEILING = 8192 };

static const char default_listen[] = "127.0.0.1:8377";

static const struct command this_command = {
    .name = "serve",
    .synopsis = "FOLDER [OPTIONS]",
    .summary =
        "Watch a folder of Bedrock invocation logs and show the usage in it on a local page.",
    .details =
        "Each log file is counted once and for all, with its sums kept in a store (SQLite); the\n"
        "program can be stopped or killed at any moment and goes on where it was.  A file that\n"
        "changes after it was counted is reported and not counted again; one that could not be\n"
        "read is tried again when it has changed.\n"
        "\n"
        "The page is at http://127.0.0.1:8377/.  Programs ask /api/usage (by, interval, since,\n"
        "until, top: the JSON of \"aggregate\"), Prometheus asks /metrics.  There is no login:\n"
        "everybody who reaches the address can read the figures.\n"
        "\n"
        "Exit status: 130 or 143 on a signal; 1 the store or address cannot be used; 2 wrong\n"
        "usage.  With --once: 0 done, 1 an object failed.\n"
        "\n"
        "Examples:\n"
        "  bedrock-metrics serve logs/\n"
        "  aws s3 sync s3://bucket/AWSLogs logs/AWSLogs    (in another terminal, now and then)\n",
};

struct choice {
    const char *listen, *store, *allow_host, *metadata, *tag;
    struct counting_choice counting;
    bool once;
    struct common_options common;
};

/* Everything that runs, in the order it is started. */
struct serve {
    const struct choice *choice;
    const char *folder;
    char *real_folder;
    char *store_path;
    struct buf keys; /* as for usage_open */
    struct counting counting;
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

/* ---- files ---- */

static bool is_ready(void *context, const struct ingest_file *file)
{
    struct serve *s = context;
    if (watch_is_settled(file->path, file->mtime_ns))
        return true;
    watch_again(s->watch, file->path);
    return false;
}

static void on_unsettled(void *context, const char *path)
{
    struct serve *s = context;
    watch_again(s->watch, path);
}

static enum status on_file(void *context, const struct watch_file *found, struct error *err)
{
    struct serve *s = context;
    struct ingest_file file = {found->path,     found->key,   found->size,
                               found->mtime_ns, found->inode, found->born_ns};
    bool taken;
    enum status st = ingest_offer(s->ingest, &file, &taken, err);
    s->offered += taken ? 1 : 0;
    return st;
}

static void *watch_main(void *context)
{
    struct serve *s = context;
    s->result = watch_walk(s->watch, &s->unreadable, &s->err);
    if (s->result == ST_OK)
        s->result = ingest_wait(s->ingest, &s->err);
    if (s->result == ST_OK)
        s->result = usage_roll_up(s->usage, ROLLUP_NOW, &s->err);
    if (s->result == ST_OK)
        LOG_EVENT(LOG_INFO, "folder scanned", log_cstr("folder", s->folder),
                  log_u64("new_objects", s->offered));
    if (s->result == ST_OK && !s->choice->once)
        s->result = watch_run(s->watch, &s->stop, &s->err);
    /* The main thread waits for a signal: for this one as well. */
    s->finished = true;
    kill(getpid(), SIGUSR1);
    return NULL;
}

/* ---- life ---- */

static enum status open_store(struct serve *s, struct error *err)
{
    enum status st = s->choice->store != NULL
                         ? state_path_copy(s->choice->store, &s->store_path)
                         : state_path_of_folder(s->real_folder, &s->store_path, err);
    if (st == ST_OK)
        st = usage_open(s->store_path, STORE_WRITE, buf_view(&s->keys), &s->usage, err);
    if (st == ST_OK)
        st = usage_claim(s->usage, view_of(s->real_folder), view_of(s->counting.prices_as_of), err);
    return st;
}

static enum status start(struct serve *s, struct error *err)
{
    struct ingest_options ingest = {
        .usage = s->usage,
        .folder = s->folder,
        .counter = s->counting.options,
        .jobs = s->counting.jobs,
        .once = s->choice->once,
        .is_ready = is_ready,
        .on_unsettled = on_unsettled,
        .context = s,
    };
    struct answers_options answers = {s->usage, s->counting.metrics, s->counting.prices_as_of,
                                      s->folder};
    enum status st = watch_new(s->folder, on_file, s, &s->watch);
    if (st == ST_OK)
        st = ingest_start(&ingest, &s->ingest);
    if (st == ST_OK && !s->choice->once) {
        s->answers = answers_new(&answers);
        struct http_server_options http = {
            s->answers, s->choice->listen != NULL ? s->choice->listen : default_listen,
            s->choice->allow_host};
        st = s->answers == NULL ? ST_NO_MEMORY : http_server_start(&http, &s->http, err);
    }
    if (st == ST_OK) {
        s->has_thread = pthread_create(&s->thread, NULL, watch_main, s) == 0;
        st = s->has_thread ? ST_OK : ST_NO_MEMORY;
    }
    return st == ST_NO_MEMORY ? error_set(err, st, E_R113, "out of memory") : st;
}

static void stop(struct serve *s)
{
    s->stop = true;
    if (s->answers != NULL)
        answers_end(s->answers);
    http_server_stop(s->http);
    if (s->ingest != NULL)
        ingest_cancel(s->ingest);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    ingest_stop(s->ingest);
    watch_free(s->watch);
    answers_free(s->answers);
    usage_close(s->usage);
}

static void say_where(const struct serve *s)
{
    if (s->choice->common.quiet)
        return;
    fprintf(stderr, "store:  %s\n", s->store_path);
    if (s->http != NULL)
        fprintf(stderr, "page:   http://%s/\n", http_server_address(s->http));
}

static int finish_once(struct serve *s)
{
    struct dimension_set set;
    struct usage_query query = {.sets = &set, .set_count = 1};
    struct usage_answer answer;
    const struct dimension_keys *keys;
    set = *usage_dimensions(s->usage, &keys);
    set.count = 1;
    enum status st = usage_ask(s->usage, &query, &answer, &s->err);
    aggregate_free(answer.aggregate);
    if (st != ST_OK)
        return EXIT_FOUND_FAULTS;
    if (!s->choice->common.quiet)
        report_print_tally(&answer.tally, stderr);
    return answer.tally.objects.failed > 0 || s->unreadable > 0 ? EXIT_FOUND_FAULTS : EXIT_DONE;
}

static int run(struct serve *s)
{
    struct error err = {0};
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
    enum status st = open_store(s, &err);
    if (st == ST_OK)
        st = start(s, &err);
    if (st != ST_OK) {
        stop(s);
        if (st == ST_USAGE || st == ST_CONFLICT)
            return usage_error("serve", &err);
        return run_failed("serve", &err);
    }
    say_where(s);
    do {
        sigwait(&signals, &number);
    } while (number == SIGUSR1 && !s->finished);
    int code = 128 + number;
    if (number == SIGUSR1) {
        code = s->result == ST_OK ? finish_once(s) : run_failed("serve", &s->err);
    }
    stop(s);
    return code;
}

/* "team,cost" as "Metadata:team,Metadata:cost", behind what is there. */
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

static enum status settle_keys(const struct choice *c, struct serve *s, struct error *err)
{
    struct dimension_keys keys = {0};
    struct dimension_set set;
    buf_init(&s->keys, KEYS_CEILING);
    enum status st = add_keys(&s->keys, "metadata", "Metadata:", c->metadata, err);
    if (st == ST_OK)
        st = add_keys(&s->keys, "tag", "Tag:", c->tag, err);
    if (st != ST_OK || s->keys.len == 0)
        return st;
    st = dimension_set_parse(buf_view(&s->keys), &keys, &set, err);
    if (st == ST_OK && set.count > MAX_KEYS)
        st = error_set(err, ST_USAGE, E_U225, "more than %d keys for a store", MAX_KEYS);
    return st;
}

static enum status settle(const struct choice *c, struct serve *s, struct error *err)
{
    struct stat st;
    enum status result = common_options_apply(&c->common, err);
    if (result == ST_OK)
        result = http_server_check_listen(c->listen != NULL ? c->listen : default_listen, err);
    if (result == ST_OK)
        result = settle_keys(c, s, err);
    if (result == ST_OK)
        result = counting_settle(&c->counting, &s->counting, err);
    if (result != ST_OK)
        return result;
    s->real_folder = realpath(s->folder, NULL);
    if (s->real_folder == NULL || stat(s->real_folder, &st) != 0)
        return error_set(err, ST_USAGE, E_U405, "FOLDER \"%.160s\": %s", s->folder,
                         strerrordesc_np(errno));
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ST_USAGE, E_U405, "FOLDER \"%.160s\" is no folder", s->folder);
    return ST_OK;
}

int cmd_serve(int argc, char **argv)
{
    struct choice c = {0};
    struct serve s = {.choice = &c};
    struct error err = {0};
    struct option_spec specs[COMMON_OPTION_COUNT + 10] = {
        {"listen", "ADDRESS:PORT",
         "where to listen (default 127.0.0.1:8377; port 0 is any\n"
         "free one).  Only this machine can reach 127.0.0.1",
         &c.listen, NULL},
        {"allow-host", "NAME", "a host name the page may be asked by, besides addresses",
         &c.allow_host, NULL},
        {"store", "FILE",
         "where sums are kept (default: a file for each FOLDER\n"
         "below $XDG_STATE_HOME/bedrock-metrics or\n"
         "~/.local/state/bedrock-metrics)",
         &c.store, NULL},
        {"metadata", "KEY,...",
         "keep these keys of requestMetadata as dimensions\n"
         "Metadata:KEY; chosen when a store is made",
         &c.metadata, NULL},
        {"tag", "KEY,...",
         "the same for tags of application inference profiles\n"
         "(see --profiles): Tag:KEY",
         &c.tag, NULL},
        {"allow-inference-regions", "REGION,...",
         "count what runs in other Regions as\n"
         "DisallowedRegionTokenCount and say so on the page",
         &c.counting.allowed, NULL},
        {"once", NULL, "count what is there, then end; no page", NULL, &c.once},
        {"jobs", "N", "objects read at a time (default: processors)", &c.counting.jobs, NULL},
        {"profiles", "FILE",
         "what application inference profiles stand for: the\n"
         "output of \"aws bedrock list-inference-profiles\"",
         &c.counting.profiles, NULL},
        {"prices", "FILE",
         "list prices over the built-in ones, row by row\n"
         "(default PRICES_FILE; see \"bedrock-metrics prices\")",
         &c.counting.prices, NULL},
    };
    int count;
    common_options_table(&c.common, specs + 10);
    size_t spec_count = sizeof(specs) / sizeof(specs[0]);
    enum status st = options_parse(specs, spec_count, argc, argv, &count, &err);
    if (st == ST_END) {
        options_help(&this_command, specs, spec_count);
        return EXIT_DONE;
    }
    if (st == ST_OK && count != 1)
        st = error_set(&err, ST_USAGE, count == 0 ? E_U107 : E_U106,
                       count == 0 ? "no FOLDER given" : "more than one FOLDER");
    if (st == ST_OK) {
        s.folder = argv[0];
        st = settle(&c, &s, &err);
    }
    int status = st == ST_OK ? run(&s) : start_failed("serve", st, &err);
    counting_clear(&s.counting);
    free(s.real_folder);
    free(s.store_path);
    buf_clear(&s.keys);
    return status;
}
