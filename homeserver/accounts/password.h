/* Passwords: argon2id by libsodium, cost from the configuration.
 *
 * Hashing and verifying take tens of milliseconds and as much memory as configured: only on threads meant for it
 * (ROUTE_HASH), never in a job or on a loop. */
#ifndef PARTA_ACCOUNTS_PASSWORD_H
#define PARTA_ACCOUNTS_PASSWORD_H

#include <stdbool.h>

#include "homeserver/base/error.h"

struct config;

#define PASSWORD_BYTES_MAX 512

/* Whether a person may choose this password: length in characters (passwords.length_min), at most 512 bytes, none of
 * the commonest. Whatever sets a password that a person has chosen asks this. false: *e is ERROR_WEAK_PASSWORD or
 * ERROR_INVALID_PARAM. */
bool password_acceptable(const struct config *config, const char *password, struct error *e);

/* Whether it is one of the commonest (common_passwords.md), in whatever case, or on the same keys in Russian. Pure. */
bool password_is_common(const char *password);

/* A fresh string that holds salt and cost; NULL: no memory for the configured cost (logged). The caller frees it. */
#define PASSWORD_HASH_BYTES 128 /* at most, with the NUL */
char *password_hash(const struct config *config, const char *password);

/* Whether the password is that of the hash. hash NULL (no such user, or none set): the same work is done and the answer
 * is false, so that the time taken does not tell who exists. */
bool password_verify(const struct config *config, const char *hash, const char *password);

/* Whether the hash was made with another cost than is configured now. */
bool password_outdated(const struct config *config, const char *hash);

#endif
