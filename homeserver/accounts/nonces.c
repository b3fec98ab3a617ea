#include "homeserver/accounts/nonces.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

#define KEPT 256

struct nonces {
    pthread_mutex_t lock;
    struct nonce {
        char text[NONCE_CHARS + 1]; /* "": used */
        struct nonce_origin of;
        int64_t expires_ms;
    } ring[KEPT];
    size_t next;
};

struct nonces *nonces_create(void)
{
    struct nonces *nonces = xcalloc(1, sizeof *nonces);
    pthread_mutex_init(&nonces->lock, NULL);
    return nonces;
}

void nonces_destroy(struct nonces *nonces)
{
    if (nonces == NULL)
        return;
    pthread_mutex_destroy(&nonces->lock);
    free(nonces);
}

/* The place of the one that the person has, or of the oldest. */
static struct nonce *place_for(struct nonces *nonces, user_no whose)
{
    for (size_t i = 0; i < KEPT && whose != 0; ++i)
        if (nonces->ring[i].of.user == whose)
            return &nonces->ring[i];
    return &nonces->ring[nonces->next++ % KEPT];
}

void nonces_issue(struct nonces *nonces, const struct nonce_origin *of, int64_t now_ms, int64_t lifetime_ms,
                  char out[NONCE_CHARS + 1])
{
    random_name(out, NONCE_CHARS);
    pthread_mutex_lock(&nonces->lock);
    struct nonce *nonce = place_for(nonces, of != NULL ? of->user : 0);
    memcpy(nonce->text, out, sizeof nonce->text);
    nonce->of = of != NULL ? *of : (struct nonce_origin){0};
    nonce->expires_ms = now_ms + lifetime_ms;
    pthread_mutex_unlock(&nonces->lock);
}

bool nonces_redeem(struct nonces *nonces, const char *nonce, int64_t now_ms, struct nonce_origin *of)
{
    bool good = false;
    if (strlen(nonce) != NONCE_CHARS)
        return false;
    pthread_mutex_lock(&nonces->lock);
    for (size_t i = 0; i < KEPT && !good; ++i) {
        struct nonce *one = &nonces->ring[i];
        if (one->text[0] == '\0' || !bytes_equal(one->text, nonce, NONCE_CHARS))
            continue;
        good = now_ms < one->expires_ms;
        one->text[0] = '\0';
        if (of != NULL)
            *of = one->of;
        one->of = (struct nonce_origin){0};
        break;
    }
    pthread_mutex_unlock(&nonces->lock);
    return good;
}
