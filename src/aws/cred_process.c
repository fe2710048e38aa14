/*
 * cred_process.c: credential_process, a program that prints credentials.  Started directly, never
 * through a shell, so nothing in the line is expanded or executed besides the program it names.
 *
 * Facts: AWS SDK reference guide, "Process credential provider".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/aws_private.h"
#include "base/stop.h"

enum { MAX_OUTPUT = 64 * 1024, MAX_WORDS = 64, TIMEOUT_MS = 60000, SLICE_MS = 100 };

extern char **environ;

enum status cred_split_command(struct view line, struct buf *words, size_t *n)
{
    char quote = 0;
    bool in_word = false;
    *n = 0;
    if (view_find_char(line, '\0') != SIZE_MAX)
        return ST_USAGE; /* would end a word, here or after a backslash */
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else if (c == '\\' && quote == '"' && i + 1 < line.len &&
                       (line.ptr[i + 1] == '"' || line.ptr[i + 1] == '\\')) {
                buf_add_char(words, line.ptr[++i]);
            } else {
                buf_add_char(words, c);
            }
        } else if (c == ' ' || c == '\t') {
            if (in_word) {
                buf_add_char(words, '\0');
                (*n)++;
            }
            in_word = false;
        } else {
            in_word = true;
            if (c == '"' || c == '\'') {
                quote = c;
            } else if (c == '\\') {
                if (++i == line.len)
                    return ST_USAGE;
                buf_add_char(words, line.ptr[i]);
            } else {
                buf_add_char(words, c);
            }
        }
    }
    if (quote != 0)
        return ST_USAGE;
    if (in_word) {
        buf_add_char(words, '\0');
        (*n)++;
    }
    if (*n == 0)
        return ST_USAGE;
    return buf_status(words);
}

/*
 * Start the program with its output in a pipe and nothing as its input.  posix_spawn, because a
 * fork of a process with threads may only do what a signal handler may.
 */
static enum status start(struct buf *words, size_t n, pid_t *pid, int *fd, struct error *err)
{
    char *argv[MAX_WORDS + 1];
    int ends[2];
    char *word = words->ptr;
    for (size_t i = 0; i < n; i++) {
        argv[i] = word;
        word += strlen(word) + 1;
    }
    argv[n] = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(err, ST_IO, E_A108, "credential_process: no pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        close(ends[0]);
        close(ends[1]);
        return ST_NO_MEMORY;
    }
    int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if (failed == 0)
        failed = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return error_set(err, ST_USAGE, E_A108, "credential_process cannot be started: %s",
                         strerror(failed));
    }
    *fd = ends[0];
    return ST_OK;
}

/* Whether the program may still run.  ST_CANCELLED, or ST_RETRY: it is past its time. */
static enum status may_run(const struct cred_context *ctx, int64_t end, struct error *err)
{
    if (aws_stop_asked(ctx->stop))
        return error_set(err, ST_CANCELLED, E_A108, "stopped while credential_process ran");
    if (ctx->clock->steady_ms(ctx->clock->ctx) >= end)
        return error_set(err, ST_RETRY, E_A108, "credential_process took longer than a minute");
    return ST_OK;
}

/* Read until the program closes its output. */
static enum status collect(int fd, const struct cred_context *ctx, int64_t end, struct buf *out,
                           struct error *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        enum status st = may_run(ctx, end, err);
        if (st)
            return st;
        int ready = poll(&p, 1, SLICE_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, ST_IO, E_A108, "credential_process: %s", strerror(errno));
        if (n == 0)
            return ST_OK;
        buf_add(out, chunk, (size_t)n);
        explicit_bzero(chunk, (size_t)n);
        if (buf_status(out) != ST_OK)
            return error_set(err, buf_status(out), E_A108, "credential_process printed too much");
    }
}

/*
 * Wait for the program's end, which the end of its output does not promise.  Its number is not
 * given to another yet.
 */
static enum status await(pid_t pid, const struct cred_context *ctx, int64_t end, struct error *err)
{
    enum status st = ST_OK;
    for (int ms = 1; !st; ms = ms < SLICE_MS / 2 ? ms * 2 : SLICE_MS) {
        siginfo_t info = {.si_pid = 0};
        int failed = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (failed != 0 ? errno != EINTR : info.si_pid == pid)
            return ST_OK;
        st = may_run(ctx, end, err);
        if (!st)
            (void)poll(NULL, 0, ms);
    }
    return st;
}

enum status cred_run_process(struct view command, const struct cred_context *ctx, struct buf *out,
                             struct error *err)
{
    struct buf words;
    size_t n = 0;
    pid_t pid = -1;
    int fd = -1;
    int code = 0;
    buf_init(&words, 16 * 1024);
    out->max = MAX_OUTPUT;
    enum status st = cred_split_command(command, &words, &n);
    if (st || n > MAX_WORDS)
        st = error_set(err, ST_USAGE, E_A108, "credential_process is not a command line");
    if (!st)
        st = start(&words, n, &pid, &fd, err);
    buf_clear(&words);
    if (st)
        return st;
    /* A minute is what the AWS command line allows a person who has to touch a token. */
    int64_t end = ctx->clock->steady_ms(ctx->clock->ctx) + TIMEOUT_MS;
    bool noted = stop_kill_at_exit(0, pid);
    st = collect(fd, ctx, end, out, err);
    close(fd);
    if (!st)
        st = await(pid, ctx, end, err);
    if (st)
        kill(pid, SIGKILL);
    if (noted)
        (void)stop_kill_at_exit(pid, 0);
    while (waitpid(pid, &code, 0) < 0 && errno == EINTR) {
    }
    if (!st && !(WIFEXITED(code) && WEXITSTATUS(code) == 0))
        st = error_set(err, ST_DENIED, E_A108, "credential_process failed with %s %d",
                       WIFEXITED(code) ? "exit code" : "signal",
                       WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code));
    return st;
}
