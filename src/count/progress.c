/*
 * progress.c: the progress line, drawn by whichever thread adds next after a tenth of a second.
 *
 *   12.4 GB  310.2 MB/s  1830/4000 objects   46 %  ETA 0:47
 *
 * The log clears the line before it writes to the same terminal (log_set_before_line).
 */
#include "count/progress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

struct progress {
    _Atomic uint64_t bytes, objects, expected_bytes, expected_objects;
    _Atomic bool expected_final;
    _Atomic int64_t next_draw_ms;
    int64_t begun_ms;
    const char *what; /* NULL: objects, by their bytes */
    pthread_mutex_t drawing;
};

static _Atomic bool line_drawn;

static void clear_line(void)
{
    static const char clear[] = "\r\033[K";
    if (atomic_exchange(&line_drawn, false)) {
        ssize_t written = write(STDERR_FILENO, clear, sizeof(clear) - 1);
        (void)written;
    }
}

struct progress *progress_new(void)
{
    struct progress *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->begun_ms = clock_steady_ms();
    p->next_draw_ms = p->begun_ms + 200;
    pthread_mutex_init(&p->drawing, NULL);
    log_set_before_line(clear_line);
    return p;
}

struct progress *progress_new_items(const char *what)
{
    struct progress *p = progress_new();
    if (p != NULL)
        p->what = what;
    return p;
}

void progress_free(struct progress *p)
{
    if (p == NULL)
        return;
    clear_line();
    log_set_before_line(NULL);
    pthread_mutex_destroy(&p->drawing);
    free(p);
}

void progress_expect(struct progress *p, uint64_t bytes, uint64_t objects, bool final)
{
    if (p == NULL)
        return;
    p->expected_bytes = bytes;
    p->expected_objects = objects;
    p->expected_final = final;
}

static void add_size(char *out, size_t size, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    (void)snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

/* The share that is done, and the time left at this rate; nothing as long as it is not known. */
static void add_rest(char *out, size_t size, const struct progress *p, double done, double expected,
                     double seconds)
{
    out[0] = '\0';
    if (!p->expected_final || expected <= 0 || done <= 0 || done > expected)
        return;
    long left = (long)((expected - done) * seconds / done + 0.5);
    (void)snprintf(out, size, "  %3.0f %%  ETA %ld:%02ld", 100 * done / expected, left / 60,
                   left % 60);
}

static void draw(struct progress *p, int64_t now)
{
    char line[256], done[32], rate[32], rest[64];
    double seconds = (double)(now - p->begun_ms) / 1000;
    double bytes = (double)p->bytes, items = (double)p->objects;
    add_size(done, sizeof(done), bytes);
    add_size(rate, sizeof(rate), seconds > 0 ? bytes / seconds : 0);
    if (p->what == NULL)
        add_rest(rest, sizeof(rest), p, bytes, (double)p->expected_bytes, seconds);
    else
        add_rest(rest, sizeof(rest), p, items, (double)p->expected_objects, seconds);
    char objects[64];
    if (p->expected_final)
        (void)snprintf(objects, sizeof(objects), "%llu/%llu", (unsigned long long)p->objects,
                       (unsigned long long)p->expected_objects);
    else
        (void)snprintf(objects, sizeof(objects), "%llu", (unsigned long long)p->objects);
    int n = p->what == NULL ? snprintf(line, sizeof(line), "\r\033[K%s  %s/s  %s objects%s", done,
                                       rate, objects, rest)
                            : snprintf(line, sizeof(line), "\r\033[K%s %s  %.1f/s%s", objects,
                                       p->what, seconds > 0 ? items / seconds : 0, rest);
    if (n > 0) {
        ssize_t written = write(STDERR_FILENO, line, (size_t)n);
        (void)written;
        line_drawn = true;
    }
}

static void maybe_draw(struct progress *p)
{
    int64_t now = clock_steady_ms();
    if (now < p->next_draw_ms || pthread_mutex_trylock(&p->drawing) != 0)
        return;
    p->next_draw_ms = now + 100;
    draw(p, now);
    pthread_mutex_unlock(&p->drawing);
}

void progress_add_bytes(struct progress *p, uint64_t bytes)
{
    if (p == NULL)
        return;
    p->bytes += bytes;
    maybe_draw(p);
}

void progress_add_object(struct progress *p)
{
    if (p == NULL)
        return;
    p->objects++;
    maybe_draw(p);
}
