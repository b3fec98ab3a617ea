/* Kinds of credentials: what a request may show to say who asks.
 *
 * A kind is one struct credential_kind in a file of its own and one row of the list that main hands to the server
 * (server->credentials, ended by NULL). Routes say by flag which kinds they accept (request.h). Of those, the first in
 * the list that the request shows counts: kinds that are told by their form (a prefix, a cookie) stand before the
 * session's token, which may look like anything. The rest of the server knows only the identity that comes of it.
 *
 * A request goes through here up to three times: on its loop (credential_find: from memory, or not yet); on a worker
 * when memory did not know (credential_load); and, for acts that a credential taken back meanwhile must not do, inside
 * the writer's job (credential_recheck). */
#ifndef PARTA_HTTP_CREDENTIALS_H
#define PARTA_HTTP_CREDENTIALS_H

#include <stdbool.h>

#include "homeserver/http/identity.h"

struct db;
struct error;
struct request;

/* The functions fill in r->identity but for .kind, which is there already. Where one is NULL, the sentence in brackets
 * holds. */
struct credential_kind {
    const char *name;                       /* "session" */
    unsigned accepted;                      /* the flag of routes that accept it */
    bool (*shows)(const struct request *r); /* whether the request shows one, by its form; on the loop, no I/O */
    bool (*find)(struct request *r);        /* on the loop, in memory. false: a worker must look [it always must] */
    bool (*load)(struct request *r, struct db *db, struct error *e); /* on a worker; false: *e */
    bool (*holds)(const struct request *r); /* on the loop, of a parked request: it is still in memory [it is] */
    bool (*recheck)(const struct request *r, struct db *db, struct error *e); /* in a job; false: *e [it holds] */
    void (*used)(const struct request *r); /* the request was let in; any thread, must not block [nothing] */
    int64_t (*rate)(const struct request *r, int64_t now_ms); /* as limits_take [by user or address]; any thread */
};

extern const struct credential_kind SESSION_CREDENTIAL; /* a person's access token; needs server->sessions */

/* On the loop. false: r->error. *found false: a worker must call credential_load. */
bool credential_find(struct request *r, bool *found);

/* On a worker, through db; NULL: there is none to ask. false: r->error. Blocks. */
bool credential_load(struct request *r, struct db *db);

/* Whether a parked request's credential is still what it was. false: the identity is given up, and a worker must call
 * credential_load. */
bool credential_holds(struct request *r);

/* Inside a job, through the job's connection: a credential that was taken back since it was looked at is refused.
 * false: *e. */
bool credential_recheck(const struct request *r, struct db *db, struct error *e);

/* Tells the kind of credential that it was used from where r comes, if it wants to know (a device's last
 * use). Does not block. */
void credential_used(const struct request *r);

/* Takes the request from the bucket of whoever asks. 0: it may pass; otherwise the milliseconds until its turn. */
int64_t credential_rate(const struct request *r, int64_t now_ms);

/* Gives back what it holds, and is nobody's then. */
void identity_finish(struct identity *identity);

#endif
