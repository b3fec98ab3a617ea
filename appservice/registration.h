/* Registrations of application services (Application Service API, "Registration"): one YAML file each, as a bridge
 * writes it, read by libcyaml. What bridges put there besides and nobody here knows is passed over; what is known has
 * to be as the specification says.
 *
 * In a school's mode one member is our own, org.parta.schools, a list of the sourcedIds of the schools whose rooms the
 * service may be told of. A file without it is told of no school's. */
#ifndef PARTA_APPSERVICE_REGISTRATION_H
#define PARTA_APPSERVICE_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

struct pattern;

#define REGISTRATION_BYTES_MAX 65536
#define REGISTRATION_ID_BYTES_MAX 100
#define REGISTRATION_NAMESPACES_MAX 64 /* of a kind */
#define REGISTRATION_NAMES_MAX 64      /* protocols; schools */

enum namespace_kind { NAMESPACE_USERS, NAMESPACE_ALIASES, NAMESPACE_ROOMS, NAMESPACE_KIND__COUNT };

struct namespace
{
    char *regex; /* as it stands there */
    struct pattern *pattern;
    bool exclusive;
};

struct registration_file {
    char *id;
    char *url;                                /* no slash at its end; NULL: nothing is sent there */
    unsigned char as_token[TOKEN_HASH_BYTES]; /* hashed: what the service shows */
    char *hs_token;                           /* what it is shown */
    char *sender;                             /* the localpart of its own user */
    char *sender_id;                          /* "@sender:server" */
    unsigned char digest[SHA256_BYTES];       /* of the file: whether it is another */
    struct {
        struct namespace *all;
        size_t n;
    } namespaces[NAMESPACE_KIND__COUNT];
    char **protocols, **schools;
    size_t n_protocols, n_schools;
    bool rate_limited;   /* true unless said otherwise */
    bool ephemeral;      /* receive_ephemeral, or its older name */
    bool device_changes; /* MSC3202: it wants device lists and counts of keys */
};

/* Where it is to hold. */
struct registration_place {
    const char *server_name;
    bool school_mode; /* names are drawn: no service may have those that people may get, exclusively */
};

/* file: what problems call it. NULL: *problem has "file: what is wrong". Never logs nor repeats a token. */
struct registration_file *registration_parse(const char *file, const char *bytes, size_t len,
                                             const struct registration_place *place, struct text *problem);
void registration_free(struct registration_file *registration); /* wipes the token; NULL is accepted */

/* Whether the name lies in a namespace of the kind; exclusive: in an exclusive one. The sender is a user, exclusively.
 * Any thread. */
bool registration_has(const struct registration_file *registration, enum namespace_kind kind, const char *name,
                      bool exclusive);

/* Whether two of them cannot be there together. true: *problem says why. */
bool registration_clash(const struct registration_file *a, const struct registration_file *b, struct text *problem);

extern const char *const NAMESPACE_NAMES[NAMESPACE_KIND__COUNT]; /* "users" … */

#endif
