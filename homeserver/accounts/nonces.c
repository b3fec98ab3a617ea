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

void nonces_issue(struct nonces *nonces, int64_t now_ms, char out[NONCE_CHARS + 1])
{
    random_name(out, NONCE_CHARS);
    pthread_mutex_lock(&nonces->lock);
    struct nonce *nonce = &nonces->ring[nonces->next++ % KEPT];
    memcpy(nonce->text, out, sizeof nonce->text);
    nonce->expires_ms = now_ms + NONCE_LIFETIME_MS;
    pthread_mutex_unlock(&nonces->lock);
}

bool nonces_redeem(struct nonces *nonces, const char *nonce, int64_t now_ms)
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
        break;
    }
    pthread_mutex_unlock(&nonces->lock);
    return good;
}
