/* How a room is locked, and whose: what its state says of it. */
#ifndef PARTA_DIARY_ROOM_LOCK_H
#define PARTA_DIARY_ROOM_LOCK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct room_lock {
    json_t *settings; /* the content of its m.room.encryption */
    json_t *people;   /* an array of ids: joined and invited, the bot, too */
    json_t *invited;  /* of them: nobody tells when their devices change */
    int64_t asked_ms; /* clock_mono_ms: since when the state is known at least */
};

/* state: the events of the room's state. The content of its m.room.encryption; NULL: it is in clear. Borrowed. */
const json_t *room_encryption(const json_t *state);
/* false: it is in clear; otherwise the caller ends it. */
bool room_lock_of(const json_t *state, int64_t asked_ms, struct room_lock *lock);
void room_lock_finish(struct room_lock *lock);

#endif
