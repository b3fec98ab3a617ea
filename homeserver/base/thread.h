/* Starting threads: the only place that calls pthread_create (tests/layers), so that none fails without a word. */
#ifndef PARTA_BASE_THREAD_H
#define PARTA_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* name: as debuggers and top show it, cut to 15 bytes. stack_bytes: 0: the system's usual size. false: logged. */
bool thread_start(pthread_t *thread, const char *name, size_t stack_bytes, void *(*run)(void *arg), void *arg);

#endif
