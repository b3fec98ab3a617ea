#include "homeserver/accounts/second_factor.h"

#include <ctype.h>
#include <liboath/oath.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/writer.h"

#define SECRET_BYTES 20
#define STEP_S 30
#define DIGITS 6
#define WINDOW 1 /* steps before and after: clocks of phones are not right */

_Static_assert(FACTOR_SEALED_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + SECRET_BYTES +
                                          crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "nonce, secret, tag");
_Static_assert(SERVER_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "sealed under a key of the server's");

static void seal(const struct accounts *accounts, user_no user, const unsigned char secret[SECRET_BYTES],
                 unsigned char sealed[FACTOR_SEALED_BYTES])
{
    unsigned char key[SERVER_KEY_BYTES];
    server_key(accounts->key, KEY_SECOND_FACTORS, key);
    randombytes_buf(sealed, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, NULL, secret,
                                               SECRET_BYTES, (const unsigned char *)&user, sizeof user, NULL, sealed,
                                               key);
    sodium_memzero(key, sizeof key);
}

static bool unseal(const struct accounts *accounts, user_no user, const unsigned char sealed[FACTOR_SEALED_BYTES],
                   unsigned char secret[SECRET_BYTES])
{
    unsigned char key[SERVER_KEY_BYTES];
    const size_t nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    server_key(accounts->key, KEY_SECOND_FACTORS, key);
    int failed =
        crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, sealed + nonce, FACTOR_SEALED_BYTES - nonce,
                                                   (const unsigned char *)&user, sizeof user, sealed, key);
    sodium_memzero(key, sizeof key);
    if (failed != 0)
        log_error("accounts", "a second factor does not open: it was sealed with another signing key");
    return failed == 0;
}

void second_factor_draw(char secret[FACTOR_SECRET_CHARS + 1])
{
    static const char BASE32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648, 6: five bits each */
    random_letters(secret, FACTOR_SECRET_CHARS, BASE32);
    secret[FACTOR_SECRET_CHARS] = '\0';
}

void second_factor_address(struct text *out, const struct accounts *accounts, const char *user_id, const char *secret)
{
    const char *server = accounts->config->server_name;
    text_addf(out, "otpauth://totp/%s:%.*s?secret=%s&issuer=%s", server, (int)strcspn(user_id + 1, ":"), user_id + 1,
              secret, server);
}

/* Digits and letters alone, in lower case: people type spaces and dashes as they like. */
static void plain(const char *typed, char *out, size_t cap)
{
    size_t n = 0;
    for (; *typed != '\0' && n + 1 < cap; ++typed)
        if (isalnum((unsigned char)*typed))
            out[n++] = (char)tolower((unsigned char)*typed);
    out[n] = '\0';
}

/* The step of time that the code is of, if it is later than last; −1: it is wrong, or was used. */
static int64_t step_of(const unsigned char secret[SECRET_BYTES], const char *code, int64_t now_ms, int64_t last)
{
    char made[DIGITS + 1];
    int64_t now = now_ms / 1000 / STEP_S, found = -1;
    if (strlen(code) != DIGITS)
        return -1;
    for (int64_t step = now - WINDOW; step <= now + WINDOW; ++step)
        if (step > last && step >= 0 &&
            oath_hotp_generate((const char *)secret, SECRET_BYTES, (uint64_t)step, DIGITS, false,
                               OATH_HOTP_DYNAMIC_TRUNCATION, made) == OATH_OK &&
            bytes_equal(made, code, DIGITS) && found < 0)
            found = step;
    return found;
}

static void draw_code(char out[RECOVERY_CODE_CHARS + 1])
{
    random_letters(out, RECOVERY_CODE_CHARS, LEGIBLE_LETTERS);
    for (int i = 4; i < RECOVERY_CODE_CHARS; i += 5)
        out[i] = '-';
    out[RECOVERY_CODE_CHARS] = '\0';
}

static void hash_code(const char *typed, unsigned char hash[TOKEN_HASH_BYTES])
{
    char code[RECOVERY_CODE_CHARS + 1];
    plain(typed, code, sizeof code);
    token_hash(code, hash);
}

struct factor_job {
    const struct accounts *accounts;
    user_no user;
    const char *typed;
    struct second_factor_row row;
    unsigned char hashes[RECOVERY_CODES_MAX][TOKEN_HASH_BYTES];
};

static bool job_set(struct tx *tx, void *arg, struct error *e)
{
    struct factor_job *job = arg;
    tx_own(tx, job->user);
    bool done = second_factors_set(tx, job->user, &job->row);
    for (int i = 0; done && i < RECOVERY_CODES_MAX; ++i)
        done = second_factors_add_code(tx, job->user, job->hashes[i]);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

bool second_factor_set(const struct accounts *accounts, user_no user, const char *secret, const char *typed,
                       char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1], struct error *e)
{
    struct factor_job job = {.accounts = accounts, .user = user, .row = {.set_ms = clock_wall_ms()}};
    char *bytes = NULL, code[DIGITS + 2];
    size_t len = 0;
    if (strlen(secret) != FACTOR_SECRET_CHARS ||
        oath_base32_decode(secret, FACTOR_SECRET_CHARS, &bytes, &len) != OATH_OK || len != SECRET_BYTES) {
        free(bytes);
        return error_set(e, ERROR_INVALID_PARAM, "This is no secret of this server.");
    }
    plain(typed, code, sizeof code);
    job.row.last_step = step_of((const unsigned char *)bytes, code, job.row.set_ms, -1);
    seal(accounts, user, (const unsigned char *)bytes, job.row.sealed);
    sodium_memzero(bytes, len);
    free(bytes);
    if (job.row.last_step < 0)
        return error_set(e, ERROR_FORBIDDEN, "The code is wrong.");
    for (int i = 0; i < RECOVERY_CODES_MAX; ++i) {
        draw_code(codes[i]);
        hash_code(codes[i], job.hashes[i]);
    }
    return writer_run(accounts->writer, job_set, &job, e);
}

bool second_factor_spend(struct tx *tx, const struct accounts *accounts, user_no user, const char *typed,
                         struct error *e)
{
    struct second_factor_row row;
    unsigned char secret[SECRET_BYTES], hash[TOKEN_HASH_BYTES];
    char code[DIGITS + 2];
    bool found = false;
    if (!second_factors_get(tx->db, user, &row))
        return true;
    plain(typed, code, sizeof code);
    int64_t step = unseal(accounts, user, row.sealed, secret) ? step_of(secret, code, tx->now_ms, row.last_step) : -1;
    sodium_memzero(secret, sizeof secret);
    hash_code(typed, hash);
    bool kept = step >= 0 ? second_factors_step(tx, user, step) : second_factors_spend_code(tx, user, hash, &found);
    if (!kept)
        return error_set(e, ERROR_UNKNOWN, NULL);
    return step >= 0 || found || error_set(e, ERROR_FORBIDDEN, "The code is wrong, or was used.");
}

static bool job_prove(struct tx *tx, void *arg, struct error *e)
{
    struct factor_job *job = arg;
    tx_own(tx, job->user);
    return second_factor_spend(tx, job->accounts, job->user, job->typed, e);
}

bool second_factor_prove(const struct accounts *accounts, user_no user, const char *typed, struct error *e)
{
    struct factor_job job = {.accounts = accounts, .user = user, .typed = typed};
    return writer_run(accounts->writer, job_prove, &job, e);
}

static bool job_end(struct tx *tx, void *arg, struct error *e)
{
    struct factor_job *job = arg;
    tx_own(tx, job->user);
    return second_factors_forget(tx, job->user) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool second_factor_end(const struct accounts *accounts, user_no user, struct error *e)
{
    struct factor_job job = {.accounts = accounts, .user = user};
    return writer_run(accounts->writer, job_end, &job, e);
}
