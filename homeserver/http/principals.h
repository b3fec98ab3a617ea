/* Who shares the server: a person, an operator, or the address of whoever has not said yet who they are. One table of
 * all of them that are doing something right now, and of what each may do at a time, so that nobody takes what belongs
 * to all.
 *
 * A principal lives while somebody holds a reference: its connections, its requests, its jobs. What it may do is
 * bounded by its kind: requests that run, that wait (http/pool.h: light ones, plain ones, heavy ones), password hashes;
 * connections; and bytes of replies that nobody has read yet. Of those there is a limit for all, too: one has an eighth
 * of it, and no more than is left.
 *
 * Any thread; never blocks for longer than a few instructions. */
#ifndef PARTA_HTTP_PRINCIPALS_H
#define PARTA_HTTP_PRINCIPALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/http/identity.h"
#include "homeserver/http/pool.h"

struct address;
struct principals;

enum principal_kind { PRINCIPAL_ADDRESS, PRINCIPAL_PERSON, PRINCIPAL_OPERATOR, PRINCIPAL_KIND__COUNT };

struct principal_name {
    unsigned char kind;
    unsigned char bytes[16]; /* the address (IPv6: its /64), the user's number, a hash of the operator's name */
};

struct principal {
    struct principal_name name;
    struct pool_share works, hashes; /* of the workers, of the hashers */
    _Atomic size_t unread;           /* bytes of replies that are kept for it, and of bodies that arrive */
    _Atomic size_t connections;      /* that came from it, or on which it asked last */
    struct principals *all;
    _Atomic int refs;
    struct principal *next;
};

/* workers: how many threads the shares are of. unread_max: bytes of unread replies, of all. */
struct principals *principals_create(int workers, size_t unread_max);
void principals_destroy(struct principals *principals); /* nobody holds one any more; NULL is accepted */

/* The principal of an identity, or of the address when it is nobody's. */
struct principal_name principal_name(const struct identity *identity, const char *ip);
struct principal_name principal_at(const struct address *address);
bool principal_is(const struct principal *principal, const struct principal_name *name); /* NULL is nobody */

struct principal *principals_find(struct principals *principals, const struct principal_name *name); /* a reference */
struct principal *principal_ref(struct principal *principal); /* one more; returns it */
void principal_unref(struct principal *principal);            /* NULL is accepted */

/* Whether it has more connections than it needs: what it asks on them is answered, and they are closed then. How many
 * an address may have is another question (http/admission.h). */
bool principal_is_spread(const struct principal *principal); /* NULL is not */

/* Bytes of a reply are kept for it from here on, and (bytes below 0) no more. */
void principal_keep(struct principal *principal, ptrdiff_t bytes);
bool principal_has_room(const struct principal *principal); /* for one more reply */

/* For metrics: how many are doing something now; bytes of replies that nobody has read yet, of all of them. */
size_t principals_count(struct principals *principals);
size_t principals_unread(const struct principals *principals);
bool principals_are_full(const struct principals *principals); /* more than half of what may be unread is */

#endif
