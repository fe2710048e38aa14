/*
 * stop.c: the only signal handler.  What it may do is little: atomic stores, clock_gettime, write,
 * unlink, kill, signal, raise and _exit are on POSIX's list of functions that are safe there.
 */
#include "base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"

enum { MAX_FILES = 4 };

static _Atomic int64_t asked_at_ms; /* steady clock; 0: nobody has asked */
static volatile sig_atomic_t signal_number;
static volatile sig_atomic_t at_once;
static const char *_Atomic files[MAX_FILES];
static _Atomic pid_t children[MAX_FILES];

void stop_request(void)
{
    int64_t none = 0, now = clock_steady_ms();
    atomic_compare_exchange_strong(&asked_at_ms, &none, now == 0 ? 1 : now);
}

static void leave_nothing(void)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        if (children[i] > 0)
            kill(children[i], SIGKILL);
        const char *path = files[i];
        if (path != NULL)
            unlink(path);
    }
}

/* Ends the process as it would have without us, with a core file where that is usual. */
static void on_fatal_signal(int number)
{
    leave_nothing();
    signal(number, SIG_DFL);
    raise(number); /* it is blocked until this handler has returned */
}

static void on_signal(int number)
{
    if (!at_once && signal_number == 0) {
        signal_number = number;
        stop_request();
        return;
    }
    if (at_once) { /* behind a line of progress; logs of those that end in order stay whole lines */
        static const char text[] = "\ninterrupted\n";
        ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)written;
    }
    leave_nothing();
    _exit(128 + number);
}

static void catch_unless_ignored(int number, const struct sigaction *action)
{
    struct sigaction old;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, action, NULL);
}

void stop_catch_signals(enum stop_mode mode)
{
    struct sigaction action = {.sa_handler = on_signal};
    asked_at_ms = 0;
    signal_number = 0;
    at_once = mode == STOP_AT_ONCE;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    catch_unless_ignored(SIGHUP, &action); /* nohup ignores it */
    action.sa_handler = on_fatal_signal;
    catch_unless_ignored(SIGQUIT, &action);
    catch_unless_ignored(SIGXCPU, &action);
    catch_unless_ignored(SIGXFSZ, &action);
    if (at_once)
        catch_unless_ignored(SIGPIPE, &action);
    else
        signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(void *context)
{
    int64_t at = asked_at_ms, after_ms = (intptr_t)context;
    return at != 0 && (after_ms == 0 || clock_steady_ms() - at >= after_ms);
}

int stop_signal(void)
{
    return (int)signal_number;
}

void stop_pause_ms(int64_t ms)
{
    int64_t end = clock_steady_ms() + ms;
    while (!stop_asked(NULL) && clock_steady_ms() < end)
        usleep(50 * 1000);
}

static void replace(const char *from, const char *to)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        const char *expected = from;
        if (atomic_compare_exchange_strong(&files[i], &expected, to))
            return;
    }
}

bool stop_kill_at_exit(pid_t from, pid_t to)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        pid_t expected = from;
        if (atomic_compare_exchange_strong(&children[i], &expected, to))
            return true;
    }
    return false;
}

void stop_remove_at_exit(const char *path)
{
    replace(NULL, path);
}

void stop_keep_at_exit(const char *path)
{
    replace(path, NULL);
}
