#include "homeserver/keys/device_lists.h"

#include <stdlib.h>

#include "homeserver/rooms/member_set.h"
#include "homeserver/store/matrix/device_keys.h"

static size_t keep_seen(user_no *users, size_t n, const struct member_set *unseen)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i)
        if (!member_set_has(unseen, users[i]))
            users[kept++] = users[i];
    return kept;
}

void device_lists_since(struct db *db, user_no user, stream_pos since, stream_pos upto, device_lists_unseen *unseen,
                        void *arg, struct device_lists *out)
{
    out->changed = device_lists_news(db, user, since, upto, &out->n_changed);
    out->left = device_lists_left(db, user, since, upto, &out->n_left);
    if (out->n_changed + out->n_left == 0)
        return;
    const struct member_set *kept_apart = unseen(arg);
    out->n_changed = keep_seen(out->changed, out->n_changed, kept_apart);
    out->n_left = keep_seen(out->left, out->n_left, kept_apart);
}

void device_lists_finish(struct device_lists *lists)
{
    free(lists->changed);
    free(lists->left);
    *lists = (struct device_lists){0};
}
