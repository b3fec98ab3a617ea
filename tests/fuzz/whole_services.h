/* What whole requests (whole_request.h) to the APIs need beside the pages' services: syncs, pushers, typing,
 * application services. */
#ifndef PARTA_TESTS_FUZZ_WHOLE_SERVICES_H
#define PARTA_TESTS_FUZZ_WHOLE_SERVICES_H

#include <stddef.h>

/* After whole_start. registrations: YAML, of application services; their senders are there afterwards. */
void whole_serve(const char *const *registrations, size_t n);

/* Every route of the Client-Server API but media, whose bodies are bytes; of the school API but rosters; those that ask
 * application services. */
struct whole_tables;
void whole_client_tables(struct whole_tables *out);
void whole_school_tables(struct whole_tables *out);
void whole_service_tables(struct whole_tables *out);

#endif
