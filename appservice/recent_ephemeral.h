/* Typing, receipts, presence and key counts on their way to application services: which rooms or users had any lately,
 * in the order of the stream, a bounded number of them (Application Service API, "Pushing ephemeral data"; MSC3202).
 *
 * It is no store: what is told says how it is now. What is not known any more, because the server was started anew or
 * too much happened meanwhile, is found where it lies: receipts in their rows, key counts as those of all devices,
 * presence as that of everybody beside the service's users, who are offline after a restart until they come again. Only
 * who typed then is not told. */
#ifndef PARTA_APPSERVICE_RECENT_EPHEMERAL_H
#define PARTA_APPSERVICE_RECENT_EPHEMERAL_H

#include <stddef.h>

#include "homeserver/base/ids.h"

struct change;
struct interest;
struct recent_ephemeral;
struct sync_service;
struct transaction_body;
struct transaction_range;
struct user_names;

/* sync NULL: nobody types (tests). began: the position that is committed now. */
struct recent_ephemeral *recent_ephemeral_create(struct sync_service *sync, struct user_names *names, stream_pos began);
void recent_ephemeral_destroy(struct recent_ephemeral *recent); /* NULL is accepted */

void recent_ephemeral_note(struct recent_ephemeral *recent, const struct change *changes,
                           size_t n); /* the writer's thread */

/* Adds m.typing and m.receipt of the range's rooms that are of interest, and m.presence of its users, and of those whom
 * the events in body have brought together with the service's. Private receipts are told of the service's own users
 * alone. Blocks (reads). */
void recent_ephemeral_add(struct recent_ephemeral *recent, struct interest *interest,
                          const struct transaction_range *range, struct transaction_body *body);

/* Adds what keys those of the service's devices have left of which somebody claimed one. Blocks (reads). */
void recent_claims_add(struct recent_ephemeral *recent, const struct transaction_range *range,
                       struct transaction_body *body);

#endif
