/* The application services of this server: the registrations in the folder that the setting appservices names, all of
 * them together, as they were read at the start or at the last SIGHUP.
 *
 * A set is immutable and counted: whoever works with one keeps a reference, and a new set takes its place for whoever
 * comes later. Files are *.yaml and *.yml, at most APPSERVICES_MAX of them. A file that is wrong, or two that clash,
 * refuse the whole set: the server does not start, or goes on with the one it has. */
#ifndef PARTA_APPSERVICE_REGISTRY_H
#define PARTA_APPSERVICE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "appservice/registration.h"

struct config;

#define APPSERVICES_MAX 64

struct appservices {
    _Atomic int refs;
    size_t n;
    struct registration_file **all; /* by the names of their files */
    char **files;                   /* their paths, likewise */
};

/* config->appservices NULL: an empty set. NULL: *problem says why. Blocks (small files). */
struct appservices *appservices_load(const struct config *config, struct text *problem);

/* Puts a registration into the folder, as a file of its own that only its owner and group read, once it is known that
 * it fits to the set. true: *path. false: *problem. Blocks. */
bool appservices_add(const struct appservices *set, const struct config *config, const char *bytes, size_t len,
                     struct text *path, struct text *problem);
void appservices_unref(struct appservices *set); /* NULL is accepted; any thread */

/* NULL: there is none. What is returned lives as long as the set. */
const struct registration_file *appservices_by_id(const struct appservices *set, const char *id);
const struct registration_file *appservices_by_token(const struct appservices *set, const char *as_token);

/* The service that has the name in an exclusive namespace; NULL: anybody may have it. */
const struct registration_file *appservices_exclusive(const struct appservices *set, enum namespace_kind kind,
                                                      const char *name);

/* The set of now. */
struct registry;
struct registry *registry_create(struct appservices *set);             /* takes the reference */
void registry_destroy(struct registry *registry);                      /* NULL is accepted */
bool registry_is_empty(const struct registry *registry);               /* any thread; costs nothing */
struct appservices *registry_get(struct registry *registry);           /* a reference. Any thread; does not block */
void registry_put(struct registry *registry, struct appservices *set); /* takes the reference */

#endif
