/* The workload "gate": what the school's gate adds to a message, in this process, without a server. */
#ifndef PARTA_TESTS_BENCH_GATE_H
#define PARTA_TESTS_BENCH_GATE_H

#include <jansson.h>

json_t *bench_gate(void); /* its figures: new reference */

#endif
