/* Phone numbers and e-mail addresses, verified by a code (school.md C3).
 *
 * Somebody asks for a code for an address (contacts_request_code) and gets the name of a session, the sid; the code
 * goes to the address. Whoever has it and the client's secret submits it (contacts_submit_code): now the session proves
 * the address for an hour, once, and for the purpose it was asked for only: what was sent to register cannot set a
 * password. The act that needs the proof takes it inside its own job (contacts_take) and binds the address
 * (contacts_bind).
 *
 * An address belongs to one account at a time; contacts_forget frees it when somebody leaves. Whether an address is
 * known here is told to nobody but the address: a request is answered alike, the message differs.
 *
 * How many messages go out, and for whom, code_limits.h says. When strangers have used up what an account's address
 * gets, the last message has a link by which its owner sets a new password until the next can come: a stranger shuts
 * nobody out. Where registration is closed, none goes out to register, none to add an address unless somebody is signed
 * in, and none to an address that is nobody's.
 *
 * Codes are six digits, kept as BLAKE2b keyed with the sid, compared in constant time, each good for its own session
 * alone: nobody's request or guess touches another's. A session takes a few tries (codes.tries) for all the messages of
 * its code, which is the same in each of them until the server starts anew, and lives codes.lifetime_ms from the last.
 * So whoever guesses has codes.tries in a million for each message that goes out for them: at an account's new password
 * for those of strangers to each of its addresses, and twice as many for all of them in the owner's browsers. That a
 * message for a new password could not be sent is not told: nothing goes to who has no account. Nor does the time of
 * an answer tell: such a message is handed over behind it, and where there is none nothing less is done. Nothing here
 * writes an address to the log, to a profile or to the directory (A5). */
#ifndef PARTA_ACCOUNTS_CONTACTS_H
#define PARTA_ACCOUNTS_CONTACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/accounts/code_limits.h"
#include "homeserver/accounts/contact_address.h"
#include "homeserver/mail/post.h"
#include "policy/rules/words.h"

struct config;
struct contacts;
struct db;
struct tx;
struct writer;

#define CONTACTS_OF_MEDIUM_MAX 10 /* phone numbers, and as many addresses, of one account (J5) */
#define SID_CHARS 24
#define CLIENT_SECRET_MAX 255

struct contacts_settings {
    const struct config *config; /* borrowed, as all here */
    struct writer *writer;
    void *post;                   /* passed to send */
    bool offers[POST_WAY__COUNT]; /* indexed by enum post_way */
    bool (*send)(void *post, const struct letter *letter, int64_t deadline_ms, void (*done)(void *arg, bool delivered),
                 void *arg);
};
/* Messages that were on their way when the server stopped count as not sent. Blocks (a write). */
struct contacts *contacts_create(const struct contacts_settings *settings);
/* What is asked for from here on is not sent; blocks until what was asked for before is handed to the post. Before what
 * takes it there stops. NULL is accepted. */
void contacts_stop(struct contacts *contacts);
void contacts_destroy(struct contacts *contacts); /* stops it first; NULL is accepted */
/* Blocks until all that was asked for is with the post: a message whose receiver may be nobody is handed over behind
 * the answer, so that the answer's time does not tell. */
void contacts_settle(struct contacts *contacts);

bool contacts_offered(const struct contacts *contacts, enum contact_medium medium); /* contacts NULL: false */

/* Removes what nobody can use any more. Blocks (a write). */
void contacts_upkeep(struct contacts *contacts);

/* sid: out. false: *e is ERROR_INVALID_PARAM, ERROR_THREEPID_DENIED (not offered, or registration is closed),
 * ERROR_LIMIT_EXCEEDED, which says which of the caps it is, or
 * ERROR_UNAVAILABLE when an earlier message of this very session could not be sent, or none can
 * be taken now, but for CODE_RESET. Blocks. */
bool contacts_request_code(struct contacts *contacts, const struct code_request *request, char sid[SID_CHARS + 1],
                           struct error *e);

/* false: *e is ERROR_NO_VALID_SESSION (no such sid with this secret), ERROR_SESSION_EXPIRED (too old, replaced, or too
 * many tries), ERROR_TOKEN_INCORRECT, or, but for CODE_RESET, ERROR_UNAVAILABLE: the message with the code could not be
 * sent. Blocks. */
bool contacts_submit_code(struct contacts *contacts, const char *sid, const char *client_secret, const char *code,
                          struct error *e);

enum code_delivery { DELIVERY_WAITING, DELIVERY_SENT, DELIVERY_FAILED };
const char *code_delivery_name(enum code_delivery delivery); /* "waiting", "sent", "failed" */

struct code_session {
    enum code_purpose purpose;
    struct contact_address address;
    enum code_delivery delivery; /* of CODE_RESET always DELIVERY_SENT */
    bool validated;
    int64_t validated_ms;
};

/* How far a session is. false: *e as contacts_submit_code. Blocks (a read); also inside a job. */
bool contacts_session(struct db *db, const char *sid, const char *client_secret, int64_t now_ms,
                      struct code_session *out, struct error *e);

/* Whether the session proves its address for that purpose now. false: *e is ERROR_THREEPID_AUTH_FAILED. */
bool contacts_proven(struct db *db, const char *sid, const char *client_secret, enum code_purpose purpose,
                     int64_t now_ms, struct contact_address *out, struct error *e);

/* --- Inside jobs --- */

/* What the office has the server send to an address (policy/signup/links.h) counts among the messages of the address,
 * the school and the server; not of a place, because somebody answers for it. false: *e is ERROR_THREEPID_DENIED: no
 * such messages are sent here; ERROR_LIMIT_EXCEEDED: which cap. */
bool contacts_count_message(struct tx *tx, const struct config *config, const struct contact_address *address,
                            school_no school, struct error *e);

/* Uses up a proof that contacts_proven has seen (so that the secret need not come along). false: *e is
 * ERROR_THREEPID_AUTH_FAILED: it has expired or was used meanwhile. verified_ms: when the code was submitted. */
bool contacts_take(struct tx *tx, const char *sid, enum code_purpose purpose, struct contact_address *out,
                   int64_t *verified_ms, struct error *e);

/* C3, C4: whether the address may be that of user (0: an account being made), who has, or asks for, these roles
 * (enum school_role). false: *e is ERROR_THREEPID_IN_USE (it is somebody else's), which for a pupil says so when it is
 * a guardian's. Ask inside the job that binds. */
bool contacts_may_belong(struct db *db, const struct contact_address *address, user_no user, unsigned roles,
                         struct error *e);

/* Binds the address, asking contacts_may_belong with the roles that the user has, and these. The user's own already:
 * nothing changes. */
bool contacts_bind(struct tx *tx, user_no user, const struct contact_address *address, unsigned roles,
                   int64_t verified_ms, struct error *e);

/* contacts_take and contacts_bind. */
bool contacts_claim(struct tx *tx, const char *sid, enum code_purpose purpose, user_no user, unsigned roles,
                    struct error *e);

/* Leaving frees every address (S4). */
bool contacts_forget(struct tx *tx, user_no user);

/* --- Facts --- */

user_no contacts_owner(struct db *db, const struct contact_address *address); /* 0: nobody's. D4: the child's own? */

struct contact {
    struct contact_address address;
    int64_t verified_ms, added_ms;
};
/* In order of adding. fn must not ask this file again on the same connection. */
void contacts_each(struct db *db, user_no user, void (*fn)(void *arg, const struct contact *contact), void *arg);

/* How many of a medium; C3 (a primary pupil's e-mail), D4 (a guardian to be has one of their own). */
int contacts_count(struct db *db, user_no user, enum contact_medium medium);

/* Removes one, and tells it so by a message, where such are sent. false: the database failed; that there was none is no
 * failure. Blocks. */
bool contacts_remove(struct contacts *contacts, user_no user, const struct contact_address *address, struct error *e);

/* Takes a proof for CODE_ADD and binds it. Blocks. */
bool contacts_add(struct contacts *contacts, user_no user, const char *sid, const char *client_secret, struct error *e);

#endif
