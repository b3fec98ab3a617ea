/* The workload "push": one announcement, pushed to 1 500 people, in this process, with a gateway in another. */
#ifndef PARTA_BENCH_PUSH_H
#define PARTA_BENCH_PUSH_H

#include <jansson.h>

json_t *bench_push(void); /* its figures: new reference */

#endif
