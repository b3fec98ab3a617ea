/* What ids in events name, for quiet hours (school.md F3): asked of the room where the event would be. */
#ifndef PARTA_ROOMS_GATE_NAMES_H
#define PARTA_ROOMS_GATE_NAMES_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/event_types.h"

struct gate_cache;

/* Through whose eyes (A1, D9): of whom and of what somebody may not know, an id names nothing. gate_eyes (gate.h) makes
 * them; all zero: the server's, who sees everything. */
struct gate_eyes {
    struct gate_cache *memory; /* NULL: all is read afresh */
    user_no asker;
    bool (*sees_user)(const struct gate_eyes *eyes, struct db *db, user_no user);
    bool (*sees_room)(const struct gate_eyes *eyes, struct db *db, room_no room);
};

struct gate_names {
    struct db *db;
    struct gate_eyes eyes;
    const char *server_name; /* NULL: that of an id is not looked at */
    room_no room;
    const char *type; /* of a state event: who and what stands in the room's own now, or in that of the room before it,
                       * for the asker to read who is in there, counts as there if it is anywhere; NULL: none does */
    const json_t
        *invited;  /* ids that count as there, whosever: their invites are asked for in the same job; NULL: none */
    json_t *poll;  /* the content of the poll that was asked for last; NULL: none */
    char *poll_id; /* heap */
    struct {
        bool read;       /* when it was first asked for */
        room_no before;  /* 0: there is none, or the asker is not in there */
        json_t *content; /* keyed by id; NULL: nothing */
    } standing;
};

/* How many people and rooms an event may name anew, members or not: each costs the writer's thread some ten look-ups
 * (who they are, how they stand to who names them), and 64 KiB hold 1 800. A school's largest clubs raise fewer people
 * at once; who has more to raise does it in several events, as what stands there does not count. */
#define NAMED_ANEW_MAX 100

/* G4: event_lasting_is_wordless, of an event of names->type, asked of the room. too_many: out; it names more than
 * NAMED_ANEW_MAX anew, neither invited nor standing, which is answered whoever they are: nobody more is looked up.
 * Blocks (reads). */
bool gate_names_lasting(struct gate_names *names, const char *state_key, const json_t *content, bool *too_many);

/* Drops what was read meanwhile; what the caller has filled in stays, and it can be asked again. */
void gate_names_finish(struct gate_names *names);

/* For struct event_names; names: struct gate_names. Blocks (reads). Of calls only those among the room's last
 * CALLS_LOOKED_AT events are known. */
bool gate_names_there(void *names, enum event_named what, const char *of, const char *id);

/* Whether somebody has said something in the room already, be it by its name, its topic or an unusual frame: what
 * whoever is invited will read. Blocks (reads). */
bool gate_names_worded(struct gate_names *names);

/* Whether more people than those who are in it can read what the room is called, or what is written there: it is in the
 * directory, lets in who asks, or shows its history to all. Blocks (reads). */
bool gate_names_open(struct gate_names *names);

/* Whether an event makes it so. content NULL: no. */
bool gate_names_opens(const char *type, const json_t *content);

#endif
