#include "homeserver/rooms/member_set.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/search.h"
#include "homeserver/base/text.h"

struct member_set *member_set_create(user_no *users, size_t n)
{
    struct member_set *set = xcalloc(1, sizeof *set);
    set->refs = 1;
    set->users = users;
    set->n = set->cap = n;
    return set;
}

struct member_set *member_set_ref(struct member_set *set)
{
    set->refs += 1;
    return set;
}

void member_set_unref(struct member_set *set)
{
    if (set == NULL || --set->refs != 0)
        return;
    free(set->users);
    free(set);
}

/* Where user is, or belongs. */
static size_t place(const struct member_set *set, user_no user)
{
    size_t at;
    SEARCH_FIRST(at, set->n, set->users[at] < user);
    return at;
}

bool member_set_has(const struct member_set *set, user_no user)
{
    size_t at = set != NULL ? place(set, user) : 0;
    return set != NULL && at < set->n && set->users[at] == user;
}

static struct member_set *own(struct member_set *set)
{
    if (set->refs == 1)
        return set;
    user_no *users = xcalloc(set->n + 1, sizeof *users);
    if (set->n != 0)
        memcpy(users, set->users, set->n * sizeof *users);
    struct member_set *copy = member_set_create(users, set->n);
    copy->cap = set->n + 1;
    member_set_unref(set);
    return copy;
}

struct member_set *member_set_with(struct member_set *set, user_no user, bool in)
{
    if (member_set_has(set, user) == in)
        return set;
    set = own(set);
    size_t at = place(set, user);
    if (!in) {
        memmove(set->users + at, set->users + at + 1, (set->n - at - 1) * sizeof *set->users);
        set->n -= 1;
        return set;
    }
    if (set->n == set->cap)
        set->users = xrealloc(set->users, (set->cap = set->cap * 2 + 8) * sizeof *set->users);
    memmove(set->users + at + 1, set->users + at, (set->n - at) * sizeof *set->users);
    set->users[at] = user;
    set->n += 1;
    return set;
}
