/* What registrations say of names, for those who give names away: hooks of the accounts and of the rooms
 * (accounts/accounts.h, rooms/rooms.h). arg: the registry. */
#ifndef PARTA_APPSERVICE_NAMES_H
#define PARTA_APPSERVICE_NAMES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct accounts;
struct db;
struct registry;

/* registry: struct registry. Whether some service has the ID for itself alone; whether this one has it in its
 * namespace. Any thread. */
bool names_exclusive(void *registry, const char *user_id);
bool names_in_namespace(void *registry, const char *service, const char *user_id);

/* Whether the alias is not for this user to have: another service's alone, or, of a service's own user, outside of that
 * service's namespaces. */
bool names_alias_taken(void *registry, struct db *db, const char *alias, user_no user);

/* Makes the users that services themselves are (sender_localpart), where they are not there yet. Blocks (the writer).
 * What cannot be made is logged, and that service can then act only as others of its users. */
void names_make_senders(struct registry *registry, const struct accounts *accounts);

/* Ends the sessions of users whose service has no registration any more: it acts as nobody (J4). Their devices stay,
 * with their keys. Blocks (the writer). */
void names_sign_out_gone(struct registry *registry, const struct accounts *accounts);

#endif
