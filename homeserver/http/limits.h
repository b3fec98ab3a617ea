/* How many requests one user or address may make: token buckets.
 *
 * A bucket holds up to `burst` requests and gains `per_second` of them each second. Buckets are counted by a class and
 * a key: the user's number where the request is signed in, else the client's address (IPv6: its /64, which is what one
 * household has). RATE_LOGIN, RATE_REGISTER and RATE_CODES always count by address; handlers add the account's own
 * count with limits_take_key. Memory is bounded: a fixed table, in which the fullest (least used) of a few neighbours
 * gives way.
 *
 * What stays for good is counted by its size: of messages and of what makes rooms a request of more than a few KiB is
 * several.
 *
 * Whoever is refused is told a turn of their own: not when the bucket's next token comes (so were the four hundred
 * others behind the same address, and one of them would get it), but when the first one comes that nobody was told of
 * yet. It is advice and no promise: whoever comes when a token is there gets it, so that nobody waits for those who
 * stay away.
 *
 * Any thread; never blocks for longer than a few instructions (a lock per stripe). */
#ifndef PARTA_HTTP_LIMITS_H
#define PARTA_HTTP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/http/request.h"

struct limits;

struct limit {
    double per_second; /* 0: this class is not limited */
    double burst;      /* at least 1 when limited */
};

/* buckets: how many are kept, rounded up to a power of two (40 bytes each). */
struct limits *limits_create(const struct limit classes[RATE__COUNT], size_t buckets);
void limits_destroy(struct limits *limits); /* NULL is accepted */

/* Takes one request of class from the bucket of a user (user > 0) or an address. 0: it may pass; otherwise the
 * milliseconds until its turn. bytes: of its body. limits NULL: nothing is limited. now_ms: clock_mono_ms. */
int64_t limits_take(struct limits *limits, enum rate_class rate, user_no user, const char *ip, size_t bytes,
                    int64_t now_ms);

/* The same for any other key, e.g. the account somebody tries to sign in to. */
int64_t limits_take_key(struct limits *limits, enum rate_class rate, const char *key, int64_t now_ms);

#endif
