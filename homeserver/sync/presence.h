/* Who is online (Client-Server API, "Presence"): in memory only, and off unless the settings turn it on.
 *
 * A person is what they last said they are (PUT …/status, or set_presence of /sync), unavailable when they did nothing
 * for five minutes, and offline when no client of theirs asks any more. A change takes a position of the stream in a
 * job of the writer and wakes everybody who shares a room with them: the reason why a large school leaves it off. After
 * a restart everybody is offline until their client asks again. */
#ifndef PARTA_SYNC_PRESENCE_H
#define PARTA_SYNC_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;
struct filter;
struct member_set;
struct presence;
struct user_names;
struct writer;

enum presence_state { PRESENCE_OFFLINE, PRESENCE_UNAVAILABLE, PRESENCE_ONLINE };
bool presence_state_from(const char *name, enum presence_state *out);

#define PRESENCE_STATUS_MAX 1024 /* bytes of a status message */

struct presence *presence_create(struct writer *writer, struct user_names *names);
void presence_stop(struct presence *presence);    /* ends its thread: before the writer stops. NULL is accepted */
void presence_destroy(struct presence *presence); /* after the writer has stopped. NULL is accepted */

/* What the user says of themselves. status_msg NULL: none. Blocks (the writer). */
bool presence_set(struct presence *presence, user_no user, enum presence_state state, const char *status_msg,
                  struct error *e);

/* A client of the user's asks for news, and will not be missed for ms. false: that changes their state, so that
 * presence_arrive must be called by somebody who may block. Never blocks. */
bool presence_asks(struct presence *presence, user_no user, enum presence_state state, int64_t ms);
void presence_arrive(struct presence *presence, user_no user, enum presence_state state, int64_t ms);

/* They did something. Never blocks. */
void presence_acts(struct presence *presence, user_no user);

/* For the observer of a CHANGE_PRESENCE: who shared a room with the user when it was made, the caller's from now on (in
 * a group with two changes of one user the second finds nobody: the first has told them). Never NULL. */
struct member_set *presence_take_near(struct presence *presence, user_no user);

/* Appends {"presence":…,…}, the body of GET …/status. Any thread. */
void presence_add_status(struct presence *presence, user_no user, struct text *out);

/* Appends the m.presence events, separated by commas, of the user and of whoever shares a room with them, that changed
 * in (since, upto]; with since 0 of everybody who is not offline. Blocks (reads). */
void presence_add(struct presence *presence, struct db *db, const struct filter *filter, user_no user, stream_pos since,
                  stream_pos upto, struct text *out);

#endif
