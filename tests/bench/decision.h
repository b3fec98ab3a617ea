/* The workload "decision": policy/rules alone, in this process, without a server. */
#ifndef PARTA_TESTS_BENCH_DECISION_H
#define PARTA_TESTS_BENCH_DECISION_H

#include <jansson.h>

json_t *bench_decision(void); /* its figures: new reference */

#endif
