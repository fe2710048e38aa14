/*
 * stop.h: the process is asked to end, by SIGINT, SIGTERM, SIGHUP or itself.
 *
 * There is one such request in a process, so it is kept here once.  Work asks stop_asked() between
 * steps and ends in order; a second signal does not wait for that.  Files that must not be left
 * behind half written are named here, because a signal handler is the last to see them.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum stop_mode {
    STOP_IN_ORDER, /* the first signal sets the flag, the second ends the process */
    STOP_AT_ONCE,  /* the first signal ends it: for commands that only read */
};

/*
 * From now on a signal asks to stop, or ends the process with status 128 + its number after
 * removing the files of stop_remove_at_exit.  SIGQUIT, and what a limit or a closed pipe sends, end
 * it as ever, but for these files.  In order, SIGPIPE is ignored: the failed write says so.  Nobody
 * has asked yet after this call.  Call it before threads are started.
 */
void stop_catch_signals(enum stop_mode mode);

/* Ask as a signal would, from any thread: ends in order even where nobody sent one. */
void stop_request(void);

/*
 * Whether anybody has asked.  The context is that of a struct aws_stop: NULL, or STOP_AFTER_MS(ms)
 * for work that may go on so long after it was asked to stop.
 */
bool stop_asked(void *context);
#define STOP_AFTER_MS(ms) ((void *)(intptr_t)(ms))

/* The signal that asked; 0: none has, or stop_request did. */
int stop_signal(void);

/* Wait, but not past a request to stop. */
void stop_pause_ms(int64_t ms);

/*
 * A signal that ends the process removes this file, up to four at a time.  The text must live until
 * stop_keep_at_exit; more than four are not removed.
 */
void stop_remove_at_exit(const char *path);
void stop_keep_at_exit(const char *path);

/*
 * A signal that ends the process kills this child, up to four at a time: (0, pid) from when it was
 * started, (pid, 0) before it is waited for.  false: they are four already.
 */
bool stop_kill_at_exit(pid_t from, pid_t to);

#endif
