#include "homeserver/accounts/approvals.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

#define KEPT 256

struct approvals {
    pthread_mutex_t lock;
    struct approval {
        user_no user; /* 0: taken */
        unsigned char origin[TOKEN_HASH_BYTES];
        int64_t until_ms;
    } ring[KEPT];
    size_t next;
};

struct approvals *approvals_create(void)
{
    struct approvals *approvals = xcalloc(1, sizeof *approvals);
    pthread_mutex_init(&approvals->lock, NULL);
    return approvals;
}

void approvals_destroy(struct approvals *approvals)
{
    if (approvals == NULL)
        return;
    pthread_mutex_destroy(&approvals->lock);
    free(approvals);
}

static struct approval *of(struct approvals *approvals, user_no user)
{
    for (size_t i = 0; i < KEPT; ++i)
        if (approvals->ring[i].user == user)
            return &approvals->ring[i];
    return NULL;
}

void approvals_give(struct approvals *approvals, user_no user, const unsigned char origin[TOKEN_HASH_BYTES],
                    int64_t now_ms)
{
    pthread_mutex_lock(&approvals->lock);
    struct approval *one = of(approvals, user);
    if (one == NULL)
        one = &approvals->ring[approvals->next++ % KEPT];
    *one = (struct approval){.user = user, .until_ms = now_ms + APPROVAL_LIFETIME_MS};
    memcpy(one->origin, origin, sizeof one->origin);
    pthread_mutex_unlock(&approvals->lock);
}

bool approvals_take(struct approvals *approvals, user_no user, const unsigned char origin[TOKEN_HASH_BYTES],
                    int64_t now_ms)
{
    pthread_mutex_lock(&approvals->lock);
    struct approval *one = user != 0 ? of(approvals, user) : NULL;
    bool good = one != NULL && now_ms < one->until_ms && bytes_equal(one->origin, origin, sizeof one->origin);
    if (one != NULL)
        *one = (struct approval){0};
    pthread_mutex_unlock(&approvals->lock);
    return good;
}
