/* What the accounts layer needs to act, and what it asks of layers above it.
 *
 * Acts (register.h, login.h, devices.h, profile.h, account_data.h) are blocking functions: they read through the
 * caller's connection, hash passwords on the caller's thread, and write by one writer job, inside of which everything
 * that guards the write is decided again (registration mode, the account's state, limits). */
#ifndef PARTA_ACCOUNTS_ACCOUNTS_H
#define PARTA_ACCOUNTS_ACCOUNTS_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct config;
struct db;
struct tx;
struct user_names;
struct writer;
struct approvals;
struct nonces;
struct rendezvous;
struct signing_key;

/* Observers wired in main; each may be NULL. self is passed back. All run inside a job, but for exclusive. */
struct accounts_hooks {
    void *self;

    /* The display name or avatar has changed: new member events in every joined room (Client-Server API, "Events on
     * Change of Profile Information"). */
    bool (*profile_changed)(void *self, struct tx *tx, user_no user, struct error *e);

    /* The account is being deactivated: leave or decline every room. A refusal (school.md E4: the roster holds the
     * person) refuses the deactivation. */
    bool (*leave_all)(void *self, struct tx *tx, user_no user, struct error *e);

    /* … with the wish that all they wrote be erased (Client-Server API, "Account deactivation"). A refusal refuses the
     * deactivation. */
    bool (*erase)(void *self, struct tx *tx, user_no user, struct error *e);

    /* Somebody signs in: what a person is given then. */
    bool (*signed_in)(void *self, struct tx *tx, user_no user, struct error *e);

    /* Whether an application service alone may have this user id. Any thread; of_services is passed. */
    bool (*exclusive)(void *of_services, const char *user_id);

    /* Whether the id lies in a namespace of that service. Any thread. */
    bool (*in_namespace)(void *of_services, const char *service, const char *user_id);
    void *of_services;
};

struct accounts {
    const struct config *config;
    struct writer *writer;
    struct user_names *names;
    const struct signing_key *key;        /* second factors are sealed by it; set before the first request */
    struct nonces *nonces, *login_tokens; /* homeserver/accounts/nonces.h */
    struct nonces *factor_tokens;         /* of who has shown the password, and has yet to show the second factor */
    struct approvals *approvals;          /* homeserver/accounts/approvals.h */
    struct rendezvous *rendezvous;        /* homeserver/accounts/rendezvous.h; texts (MSC4388) */
    struct rendezvous *rendezvous_bytes;  /* whatever (MSC4108): no text that the others' readers could show */
    struct accounts_hooks hooks;
};

/* config, writer and names are borrowed. Set hooks before the first request. */
struct accounts *accounts_create(const struct config *config, struct writer *writer, struct user_names *names);
void accounts_destroy(struct accounts *accounts); /* NULL is accepted */

#endif
