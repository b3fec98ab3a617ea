#include "homeserver/sync/wake.h"

#include <stdlib.h>

#include "homeserver/base/search.h"

struct wake *wake_ref(struct wake *wake)
{
    wake->refs += 1;
    return wake;
}

void wake_unref(struct wake *wake)
{
    if (wake == NULL || --wake->refs != 0)
        return;
    if (wake->release_fragments != NULL)
        wake->release_fragments(wake->fragments);
    free(wake->users);
    free(wake->before);
    free(wake->first);
    free(wake->items);
    free(wake->rooms);
    free(wake);
}

ptrdiff_t wake_find(const struct wake *wake, user_no user)
{
    size_t at;
    SEARCH_FIRST(at, wake->n_users, wake->users[at] < user);
    return at < wake->n_users && wake->users[at] == user ? (ptrdiff_t)at : -1;
}

bool wake_concerns(const struct wake *wake, user_no user)
{
    return wake_find(wake, user) >= 0;
}

bool wake_has(const struct wake *wake, stream_pos pos)
{
    return wake->first_pos <= pos && pos <= wake->pos;
}
