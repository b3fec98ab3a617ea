/* How many messages with codes go out (school.md C3; codes.… in docs/settings.md).
 *
 * Messages cost money, and their receivers their peace: nobody needs to be signed in to ask for one. So each is
 * counted, before it is sent and in the job that writes its code, in pots of an hour, three or a day (POTS in
 * code_limits.c has a row for each), and a full one refuses it: then nothing was counted. This holds:
 *
 * - What one uses up is not another's. What is sent to an address is counted apart for new passwords and for all else.
 *   For new passwords strangers have a pot together, the address's owner signed in, and each browser that they have
 *   signed in with before; another's account or a link makes nobody known. For all else strangers have one together,
 *   each person who is signed in, the links that somebody signs up by (of one child or person together, and of one
 *   school), and the office.
 * - Nobody has more by being many. Whoever could make many of what they are counted by would have no count: so all that
 *   are known but the address's owner have a pot together, too, twice as large, and so has the owner, whatever the
 *   browser and address. Strangers need none: they are one.
 * - Known and unknown addresses are counted alike, and a refusal tells nobody which it is. Only new passwords of
 *   accounts have a pot of the server's to themselves, so that nobody uses it up with addresses that are made up; those
 *   have another, beyond which nothing is sent and the answer is the same.
 * - A stranger shuts nobody out: how long no other message comes to an address is told, so that the last can bring
 *   another way.
 *
 * What one counts by is kept as a hash (store/matrix/code_counts.h). */
#ifndef PARTA_ACCOUNTS_CODE_LIMITS_H
#define PARTA_ACCOUNTS_CODE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/accounts/code_messages.h"
#include "homeserver/accounts/contact_address.h"
#include "homeserver/base/ids.h"

struct config;
struct error;
struct link_row;
struct tx;

/* Who asks for a code, and for what. */
struct code_request {
    enum code_purpose purpose;
    const struct contact_address *address;
    const char *client_secret;   /* as the client gave it: checked by contacts_request_code */
    const char *client;          /* the place that asks, as text (http/address.h); "": not known */
    user_no user;                /* who is signed in; 0: nobody */
    const char *known;           /* a browser that the address's owner has signed in with, of CODE_RESET; NULL: none */
    const struct link_row *link; /* that somebody signs up by, of CODE_REGISTER; NULL: none */
    school_no school;            /* whose messages it counts among; 0: of no school, or none is known */
    int64_t send_attempt;        /* a code is sent again only for a higher one than before (Identity Service API) */
};

/* What follows for a message that was counted. */
struct code_allowance {
    int64_t closed_ms; /* how long nothing more goes to the address for the same asker; 0: the next may come */
    bool quiet;        /* it is not to be sent, and that is not told */
};

/* Inside a job. Counts one message. deserved: it has a code; of CODE_RESET: the address is an account's. false: *e is
 * ERROR_LIMIT_EXCEEDED, which says which pot is full and names nobody. */
bool code_limits_count(struct tx *tx, const struct config *config, const struct code_request *request, bool deserved,
                       struct code_allowance *out, struct error *e);

/* The same for what the office has sent to an address: of no place, because somebody answers for it. */
bool code_limits_count_office(struct tx *tx, const struct config *config, const struct contact_address *address,
                              school_no school, struct error *e);

/* Inside a job. Removes the counts of hours that no pot reaches back to. */
bool code_limits_purge(struct tx *tx);

#endif
