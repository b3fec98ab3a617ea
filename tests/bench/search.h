/* The workload "search": finding words in ever more messages, in this process. */
#ifndef PARTA_TESTS_BENCH_SEARCH_H
#define PARTA_TESTS_BENCH_SEARCH_H

#include <jansson.h>

/* fn gets each line of figures, a new reference: at 100 000 and 1 000 000 messages. */
void bench_search(void (*fn)(json_t *figures));

#endif
