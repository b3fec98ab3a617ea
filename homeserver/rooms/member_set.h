/* Who is joined to a room, as a counted array that threads share: the writer replaces it, everybody else reads it. */
#ifndef PARTA_ROOMS_MEMBER_SET_H
#define PARTA_ROOMS_MEMBER_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct member_set {
    _Atomic int refs;
    size_t n, cap;
    user_no *users; /* ascending, unique */
};

/* Takes the array (heap, ascending). One reference for the caller. */
struct member_set *member_set_create(user_no *users, size_t n);
struct member_set *member_set_ref(struct member_set *set);
void member_set_unref(struct member_set *set);                   /* NULL is accepted */
bool member_set_has(const struct member_set *set, user_no user); /* NULL: nobody is in it */

/* The set with user in it, or not in it: set itself changed when nobody else holds it, else a copy. Takes the reference
 * of set and gives one. */
struct member_set *member_set_with(struct member_set *set, user_no user, bool in);

#endif
