/* Transactions of the homeserver (Application Service API, "Pushing events"): taken on the listener's thread, heard on
 * the bridge's, one after the other, each id once. 200 is answered when all of a transaction has had its effect; what
 * cannot be done now is answered with 503, and the homeserver sends it again under the same id. */
#ifndef PARTA_DIARY_INCOMING_H
#define PARTA_DIARY_INCOMING_H

#include "appservice/diary/listener.h"
#include "appservice/diary/sink.h"
#include "appservice/diary/state.h"

#define INCOMING_MAX 4 /* that wait: the homeserver sends one at a time */
#define INCOMING_TXN_BYTES_MAX 255

struct incoming;

struct incoming *incoming_create(const char *hs_token); /* never NULL; hs_token is copied */
void incoming_destroy(struct incoming *incoming);       /* NULL is accepted */

/* Listener handlers, all of which ask for hs_token. take: true: something waits for incoming_hear_all. */
bool incoming_take(struct incoming *incoming, struct exchange *exchange);
void incoming_ping(struct incoming *incoming, struct exchange *exchange); /* 200 */
void incoming_unknown(struct incoming *incoming,
                      struct exchange *exchange); /* users and aliases: there are none more */

/* Hears all that waits, and answers it. Blocks (the sink). */
void incoming_hear_all(struct incoming *incoming, struct state *state, const struct sink *sink);

#endif
