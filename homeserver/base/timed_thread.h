/* A thread that runs a function at a time, or when it is poked, and can be stopped: what expires, what is periodic,
 * what waits for somebody else's news.
 *
 * The function says when it wants to run next. A poke makes it run at once; a poke that comes while it runs makes it
 * run once more afterwards, so that nothing told before a poke is missed. It runs on one thread, never twice at a time,
 * and without any lock of this module held. Any thread may poke, also after the stop: it does nothing then. */
#ifndef PARTA_BASE_TIMED_THREAD_H
#define PARTA_BASE_TIMED_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct timed_thread;

#define TIMED_NEVER INT64_MAX /* not before the next poke */

/* Returns when to run again (clock_mono_ms; what has passed: at once), or TIMED_NEVER. *stop becomes true once
 * timed_thread_stop was called: a function that runs long looks at it, and returns. */
typedef int64_t timed_fn(void *arg, const _Atomic bool *stop);

/* name: of the thread, at most 15 bytes, and for the log. first_ms: clock_mono_ms of the first run, or TIMED_NEVER.
 * NULL: the thread could not be started (logged). */
struct timed_thread *timed_thread_start(const char *name, timed_fn *fn, void *arg, int64_t first_ms);

void timed_thread_poke(struct timed_thread *thread); /* never blocks; NULL is accepted */

/* Ends the thread; blocks until a run under way has returned. A second call does nothing. NULL is accepted. */
void timed_thread_stop(struct timed_thread *thread);
void timed_thread_destroy(struct timed_thread *thread); /* stops it first; nobody may poke any more. NULL is accepted */

#endif
