#include "homeserver/oidc/attempt.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DRAWN_CHARS 22
#define TAKEN_MAX 16384 /* within OIDC_ATTEMPT_LIFETIME_S: 27 people a second */
#define STATE_BYTES_MAX 2048

/* One value of an attempt: each with a name of its own, and no two lists of texts run together alike, because a NUL
 * ends each. */
static void derive(const struct oidc_attempt_of *of, const char *what, const char *text, size_t len,
                   unsigned char out[BLAKE2B_BYTES])
{
    crypto_generichash_state hash;
    const char *const parts[] = {what, of->provider, of->visit};
    crypto_generichash_init(&hash, of->key, BLAKE2B_BYTES, BLAKE2B_BYTES);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        crypto_generichash_update(&hash, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
    crypto_generichash_update(&hash, (const unsigned char *)text, len);
    crypto_generichash_final(&hash, out, BLAKE2B_BYTES);
    sodium_memzero(&hash, sizeof hash);
}

static void write_value(const unsigned char bytes[BLAKE2B_BYTES], char out[OIDC_VALUE_CHARS + 1])
{
    sodium_bin2base64(out, OIDC_VALUE_CHARS + 1, bytes, BLAKE2B_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* until "_" drawn "_" next "_" proof: there are providers that take no other signs than those of base64url. */
void oidc_attempt_begin(const struct oidc_attempt_of *of, const char *next, int64_t now_s, struct text *state)
{
    unsigned char proof[BLAKE2B_BYTES];
    char drawn[DRAWN_CHARS + 1];
    size_t from = state->len, len = strlen(next);
    random_name(drawn, DRAWN_CHARS);
    text_addf(state, "%lld_%s_", (long long)now_s + OIDC_ATTEMPT_LIFETIME_S, drawn);
    text_add_base64url(state, (const unsigned char *)next, len <= OIDC_ATTEMPT_NEXT_MAX ? len : 0);
    derive(of, "state", state->data + from, state->len - from, proof);
    text_addc(state, '_');
    text_add_base64url(state, proof, sizeof proof);
}

bool oidc_attempt_holds(const struct oidc_attempt_of *of, const char *state, int64_t now_s, struct text *next)
{
    unsigned char made[BLAKE2B_BYTES], bytes[OIDC_ATTEMPT_NEXT_MAX];
    char written[OIDC_VALUE_CHARS + 1];
    size_t state_len = strlen(state);
    if (state_len <= OIDC_VALUE_CHARS || state_len > STATE_BYTES_MAX)
        return false;
    const char *proof = state + state_len - OIDC_VALUE_CHARS - 1;
    if (*proof != '_') /* a state is taken once by its text: no sign of it may be another */
        return false;
    derive(of, "state", state, (size_t)(proof - state), made);
    /* As text: base64 has other spellings of the same bytes, and a state is taken once by its text. */
    write_value(made, written);
    if (!bytes_equal(proof + 1, written, OIDC_VALUE_CHARS))
        return false;
    /* It is as it was written. */
    const char *drawn = strchr(state, '_') + 1, *from = strchr(drawn, '_') + 1;
    int len = base64_decode(from, (size_t)(proof - from), bytes, sizeof bytes);
    if (strtoll(state, NULL, 10) <= now_s || len < 0)
        return false;
    text_add(next, (const char *)bytes, (size_t)len);
    return true;
}

int64_t oidc_attempt_began(const char *state)
{
    return strtoll(state, NULL, 10) - OIDC_ATTEMPT_LIFETIME_S;
}

void oidc_attempt_values(const struct oidc_attempt_of *of, const char *state, struct oidc_attempt_values *out)
{
    unsigned char bytes[BLAKE2B_BYTES];
    derive(of, "nonce", state, strlen(state), bytes);
    write_value(bytes, out->nonce);
    derive(of, "verifier", state, strlen(state), bytes);
    write_value(bytes, out->verifier);
    sha256(out->verifier, OIDC_VALUE_CHARS, bytes);
    write_value(bytes, out->challenge);
    sodium_memzero(bytes, sizeof bytes);
}

/* --- What was taken --- */

/* A ring in order of time: what is at its end expires first. */
struct oidc_taken {
    pthread_mutex_t lock;
    size_t first, n;
    struct {
        unsigned char hash[BLAKE2B_BYTES];
        int64_t until_s;
    } states[TAKEN_MAX];
};

struct oidc_taken *oidc_taken_create(void)
{
    struct oidc_taken *taken = xcalloc(1, sizeof *taken);
    pthread_mutex_init(&taken->lock, NULL);
    return taken;
}

void oidc_taken_destroy(struct oidc_taken *taken)
{
    if (taken != NULL)
        pthread_mutex_destroy(&taken->lock);
    free(taken);
}

static bool is_there(const struct oidc_taken *taken, const unsigned char hash[BLAKE2B_BYTES])
{
    for (size_t i = 0; i < taken->n; ++i)
        if (memcmp(taken->states[(taken->first + i) % TAKEN_MAX].hash, hash, BLAKE2B_BYTES) == 0)
            return true;
    return false;
}

bool oidc_taken_put(struct oidc_taken *taken, const char *state, int64_t now_s)
{
    unsigned char hash[BLAKE2B_BYTES];
    blake2b(state, strlen(state), hash);
    pthread_mutex_lock(&taken->lock);
    while (taken->n > 0 && taken->states[taken->first].until_s <= now_s) {
        taken->first = (taken->first + 1) % TAKEN_MAX;
        --taken->n;
    }
    bool put = taken->n < TAKEN_MAX && !is_there(taken, hash);
    if (put) {
        size_t at = (taken->first + taken->n++) % TAKEN_MAX;
        memcpy(taken->states[at].hash, hash, BLAKE2B_BYTES);
        /* The longest that any state lasts that holds now. */
        taken->states[at].until_s = now_s + OIDC_ATTEMPT_LIFETIME_S;
    }
    pthread_mutex_unlock(&taken->lock);
    return put;
}
