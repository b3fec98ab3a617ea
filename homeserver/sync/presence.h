/* Who is online (Client-Server API, "Presence"): in memory only, and off unless the settings turn it on.
 *
 * Each device is what was last said of it (PUT …/status, or set_presence of /sync), and offline when it asks no more; a
 * person is what the most present of their devices is, and unavailable when they did nothing for five minutes. Only a
 * change of the person is told: it takes a position of the stream in a job of the writer and wakes everybody who shares
 * a room with them, the reason why a large school leaves presence off. What devices say by asking is told at most once
 * in PRESENCE_TURN_MS of each person, the rest of it then. After a restart everybody is offline until their client asks
 * again. */
#ifndef PARTA_SYNC_PRESENCE_H
#define PARTA_SYNC_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct change;
struct member_set;
struct presence;
struct writer;

enum presence_state { PRESENCE_OFFLINE, PRESENCE_UNAVAILABLE, PRESENCE_ONLINE };
/* "online" …. false: it is none, or NULL; *out stays */
bool presence_state_from(const char *name, enum presence_state *out);

#define PRESENCE_STATUS_MAX 1024 /* bytes of a status message */
#define PRESENCE_DEVICES_MAX 16  /* of a person that count at a time: those expected longest */
#define PRESENCE_TURN_MS 5000    /* how often somebody looks who has gone */

/* NULL: its thread could not be started; logged. */
struct presence *presence_create(struct writer *writer);
void presence_stop(struct presence *presence);    /* ends its thread: before the writer stops. NULL is accepted */
void presence_destroy(struct presence *presence); /* after the writer has stopped. NULL is accepted */

/* What the user says of themselves on that device. status_msg NULL: none. Blocks (the writer). */
bool presence_set(struct presence *presence, user_no user, device_no device, enum presence_state state,
                  const char *status_msg, struct error *e);

#define PRESENCE_GRACE_MS 30000 /* a device is missed when it has not come back so long after its poll ends */

/* A device of the user's asks for news, and will not be missed for ms. false: others must be told of a change, so that
 * presence_arrive must be called by somebody who may block. Never blocks. */
bool presence_asks(struct presence *presence, user_no user, device_no device, enum presence_state state, int64_t ms);
void presence_arrive(struct presence *presence, user_no user, device_no device, enum presence_state state, int64_t ms);

/* The writer's observer: who sends an event is there. */
void presence_observe(void *presence, const struct change *changes, size_t n);

/* For the observer of a CHANGE_PRESENCE: who shared a room with the user when it was made, the caller's from now on (in
 * a group with two changes of one user the second finds nobody: the first has told them). Never NULL. */
struct member_set *presence_take_near(struct presence *presence, user_no user);

/* What is known of somebody. */
struct presence_status {
    user_no user;
    enum presence_state state;
    int64_t last_active_ago_ms; /* −1: not known */
    char *status_msg;           /* heap; NULL: none */
};
struct presence_list {
    struct presence_status *of;
    size_t n;
};
void presence_list_finish(struct presence_list *list);

/* presence NULL: it is off, and everybody is offline. The caller frees status_msg. Any thread, never blocks. */
struct presence_status presence_get(struct presence *presence, user_no user);

/* Everybody whose presence changed in (since, upto]; with since 0 all who are not offline. The caller finishes *out. */
void presence_changed(struct presence *presence, stream_pos since, stream_pos upto, struct presence_list *out);

/* Appends to *out those of users who are not offline and changed last not after pos: who is met anew. */
void presence_add_known(struct presence *presence, const user_no *users, size_t n, stream_pos pos,
                        struct presence_list *out);

/* Appends {"presence":…,…}: the body of GET …/status and the content of m.presence. */
void presence_add_content(struct text *out, const struct presence_status *status);

#endif
