/* The workload "appservice": telling an application service of a backlog, and of messages as they come, in this
 * process, with the service in another. */
#ifndef PARTA_BENCH_APPSERVICE_H
#define PARTA_BENCH_APPSERVICE_H

#include <jansson.h>

json_t *bench_appservice(void); /* its figures: new reference */

#endif
