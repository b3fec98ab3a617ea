/* The one gate of rooms and of what people may know of each other: collects the facts and asks policy/rules, inside the
 * act's own job.
 *
 * Every event goes through gate_event in append (rooms/events/append.c), whoever makes it: client, application service,
 * administrator, roster job. Acts that are not events (aliases, the directory, profiles) ask one of the others. In
 * policy.mode open the answer is always yes and nothing is read. A refusal is M_FORBIDDEN with the rule's sentence and
 * its number in the field "org.parta.rule" (school.md J1, J3). On the writer's connection the facts are remembered
 * (rooms/gate_cache.h).
 *
 * Who is a stranger to a room (of no school of it, and never in it; or not in it, and kept from the actor: D9) looks to
 * the rules like somebody who does not exist, so that no refusal tells the two apart (A1). In a room of two the pair is
 * looked at (F1): whoever invites, knocks or searches asks; who joins or writes may also be the one who was asked. */
#ifndef PARTA_ROOMS_GATE_H
#define PARTA_ROOMS_GATE_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/gate_names.h"
#include "policy/rules/rules.h"

struct db;
struct member_set;
struct room;
struct rooms;
struct tx;

/* An act to be judged: of rules.h, those up to ACT_REPORT. */
struct gate_question {
    enum act act;
    room_no room; /* 0: ACT_CREATE_ROOM, and acts between people */
    user_no actor;
    user_no target;        /* 0: nobody */
    const char *type;      /* ACT_SEND, ACT_STATE: the event's */
    const char *state_key; /* ACT_STATE */
    const json_t *content; /* the event's; NULL: not known yet, what is usual for its type is supposed */
    enum room_kind kind;   /* ACT_CREATE_ROOM, and ACT_INVITE with room 0: what it will be */
    int64_t now_ms;        /* for quiet hours; 0: the clock's */
};

/* What was decided where it is more than yes or no (F3). */
struct gate_answer {
    struct verdict verdict; /* allowed, with a rule: VERDICT_HOLD or VERDICT_WARN */
    int64_t due_ms;         /* VERDICT_HOLD, only of ACT_SEND: when quiet hours end; 0 otherwise */
};

/* false: *e is the refusal. answer may be NULL where nothing is ever held: all acts but
 * ACT_SEND. Reads the database. */
bool gate_event(const struct rooms *rooms, struct db *db, const struct gate_question *question,
                struct gate_answer *answer, struct error *e);

/* The same in short. target: whom it concerns, 0: nobody. type, state_key: ACT_SEND, ACT_STATE. */
bool gate_room(const struct rooms *rooms, struct db *db, enum act act, room_no room, user_no actor, user_no target,
               const char *type, const char *state_key, struct error *e);

/* Whether actor may create a room of this kind, before there is one. */
bool gate_create(const struct rooms *rooms, struct db *db, user_no actor, enum room_kind kind, struct error *e);

/* Inside append, once somebody has been invited, has joined or knocked: the room keeps the schools that they share
 * (A1), and a direct chat its second person (F2). false: the database failed. */
bool gate_entered(const struct rooms *rooms, struct tx *tx, room_no room, user_no user, bool knocked);

/* Whether target is a stranger to the room in actor's eyes: to be answered as somebody who does not exist (A1). */
bool gate_is_stranger(const struct rooms *rooms, struct db *db, room_no room, user_no actor, user_no target);

/* A1: opens a room that somebody names by its id. Who was never in it and is of no school of it hears what they would
 * hear of a room that does not exist. NULL: *e. */
struct room *gate_open(struct rooms *rooms, struct tx *tx, const char *room_id, user_no actor, struct error *e);

/* A1: whether the user may learn that the room exists (alias look-up, directory, summary, world-readable history). A
 * "no" is told as "not found". school_mode as in the configuration, here and below. */
bool gate_may_see(bool school_mode, struct db *db, room_no room, user_no user);

/* A1, D9: what ids in an event that actor writes may name: whose profile they may read, and rooms that they are in, or
 * may learn of. actor 0: everything. Look-ups block (reads). */
struct gate_eyes gate_eyes(const struct rooms *rooms, user_no actor);

/* F3, A5: whether somebody's phone may ring now about an event, and whether what it says may go out. type, content: of
 * the event, for what is urgent (F6); NULL: it is not. Reads. */
struct gate_ring {
    bool rings;
    int64_t due_ms; /* when quiet hours end, for which it waits; 0: it never will, the account is not open */
    bool content;
};
struct gate_ring gate_ring(bool school_mode, struct db *db, user_no user, const char *type, const json_t *content);

/* B3: whether the user may choose a display name: the roster's people are called as it says.
 * false: *e is the refusal. */
bool gate_name(bool school_mode, struct db *db, user_no user, struct error *e);

/* A6: whether asker may read owner's profile. asker 0: not signed in; owner 0: nobody. No account and one that may not
 * be known are refused in the same words. */
bool gate_profile(bool school_mode, struct db *db, user_no asker, user_no owner, struct error *e);

/* A6, D9: of whom the viewer, though they share rooms, sees no sign of life: presence, typing, receipts. They are those
 * whose profile gate_profile keeps from them; who shares a room has met, so that only custody does. A reference of the
 * caller's; NULL: of everybody they see it, as nearly always. Blocks (a read, a few more for who is under custody). */
struct member_set *gate_unseen(bool school_mode, struct db *db, user_no viewer);

/* Everybody who may be unseen to somebody, or the other way, for who cannot ask the database about each viewer. On the
 * writer's thread; remembered. A reference of the caller's; NULL: nobody. */
struct member_set *gate_under_custody(const struct rooms *rooms);

/* A6, E7: whether searcher may find the other in the user directory. */
bool gate_may_find(bool school_mode, struct db *db, user_no searcher, user_no found);

/* E9: whether this event of the initial state, by its type, is left out of the room that actor makes, because
 * encryption is forbidden there and the policy takes it out rather than refuse the room. Reads the database. */
bool gate_strips(const struct rooms *rooms, struct db *db, room_no room, user_no actor, const char *type);

/* J1: every row that would speak on the question, in order (rules.h, rules_explain), from facts read afresh. */
void gate_explain(struct db *db, bool school_mode, const struct gate_question *question, struct verdict *out, int max,
                  int *n);

/* The facts of a question. rooms NULL, or a connection that does not write: read afresh. policy: the caller's space for
 * facts->policy. */
struct school_policy;
void gate_facts(const struct rooms *rooms, struct db *db, const struct gate_question *question,
                struct school_policy *policy, struct rule_facts *facts);

#endif
