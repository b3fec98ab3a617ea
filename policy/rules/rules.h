/* What a person may do in a school: pure decisions.
 *
 * rules_decide takes facts and answers a verdict; it reads no clock, store or log and allocates nothing, so that the
 * same question always has the same answer, can be asked beforehand (school.md J1), and costs a few comparisons. The
 * facts are collected where the act happens, inside the act's own write job (homeserver/rooms/gate.c, from
 * store/school.h).
 *
 * The rules are rows of one table, walked in order; the first that applies refuses, and says by which number of
 * school.md, with a code for machines and a sentence for the person. What no row refuses is allowed: Matrix's own
 * authorization (power levels) still has its say afterwards. Every row binds whoever acts: client, application service,
 * administrator and roster job (J3). The server's service user is free of what keeps people from its rooms (E3), not of
 * A2 and E4: the roster job changes the roster first, then the rooms.
 *
 * An event that carries an act is judged as that act: m.room.member with membership "invite" is ACT_INVITE, "join"
 * ACT_JOIN (also a forced one, and a change of one's name in the room), "knock" ACT_KNOCK, "ban" ACT_BAN, "leave" by
 * oneself ACT_LEAVE, by another ACT_KICK or ACT_UNBAN. Everything else with a state key is ACT_STATE. */
#ifndef PARTA_POLICY_RULES_RULES_H
#define PARTA_POLICY_RULES_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* Each door asks with its act. Who is target: see the comment; otherwise the target is not looked at. */
enum act {
    ACT_CREATE_ROOM, /* the room itself; its invites are ACT_INVITE, its initial state ACT_STATE, once it is recorded */
    ACT_UPGRADE_ROOM,
    ACT_INVITE, /* target: who is invited */
    ACT_JOIN, /* target: who joins: the actor, or whom the service user joins by force. By id, alias, invite, restricted
               */
    ACT_KNOCK, /* target: the actor */
    ACT_LEAVE, /* target: the actor. Also to reject an invite or take back a knock */
    ACT_KICK,  /* target: who is kicked, or whose invite is withdrawn */
    ACT_BAN,   /* target: who is banned */
    ACT_UNBAN, /* target: who is unbanned */
    ACT_SEND,  /* any event without a state key, except redactions */
    ACT_STATE, /* event_type, state_key */
    ACT_REDACT,
    ACT_ALIAS,   /* to set or delete an alias of the room */
    ACT_PUBLISH, /* to list it in, or take it off, the public room directory */
    ACT_SEE,  /* to learn of the room without being in it: alias look-up, public rooms, summary, world-readable history
               */
    ACT_NAME, /* to change one's own display name; in no room */
    ACT__COUNT
};

/* What a person is in one school (B1); a set of these, because roles add up (B2). */
enum school_role {
    ROLE_PUPIL = 1,
    ROLE_GUARDIAN = 2,
    ROLE_TEACHER = 4,
    ROLE_CLASS_TEACHER = 8, /* of some class of the school */
    ROLE_STAFF = 16,
    ROLE_DEPUTY = 32,
    ROLE_HEAD = 64,
    ROLE_ADMINISTRATOR = 128, /* of the school, not of the server */
    ROLE_EXTERNAL = 256,      /* external staff with an end date (E7) */
};
#define ROLES_LEADING (ROLE_DEPUTY | ROLE_HEAD | ROLE_ADMINISTRATOR) /* who writes announcements (E1) */

/* A3, as users.state has it. */
enum standing {
    STANDING_PENDING,
    STANDING_ACTIVE,
    STANDING_RESTRICTED,
    STANDING_SUSPENDED,
    STANDING_LOCKED,
    STANDING_LEFT
};

/* E1: what the roster makes of a room. */
enum room_kind {
    ROOM_FREE, /* people made it (E5) */
    ROOM_SCHOOL_SPACE,
    ROOM_CLASS_SPACE,
    ROOM_CLASS,
    ROOM_GUARDIANS,
    ROOM_STAFF,
    ROOM_ANNOUNCEMENTS,
    ROOM_SUBJECT,
    ROOM_KIND__COUNT
};

struct room_facts {
    enum room_kind kind; /* anything but ROOM_FREE is kept by the roster */
    bool has_school;     /* it belongs to a school, or several; false: made by somebody of no school */
};

struct person_facts {
    bool service; /* the server's own service user */
    enum standing standing;
    unsigned roles; /* enum school_role, current, in any school of the room */
    bool member;    /* of a school of the room; for a room of no school: a person of no school */
    bool held;      /* the roster holds them in this room (E2); ACT_NAME: in any school */
    bool post;      /* and gives them power there by post (E3): class teacher, head … */
};

struct rule_facts {
    enum act act;
    bool school_mode; /* policy.mode: school; false: every answer is yes */
    struct room_facts room;
    struct person_facts actor;
    struct person_facts target;
    const char *event_type; /* ACT_SEND, ACT_STATE; NULL otherwise */
    const char *state_key;  /* ACT_STATE */
};

struct verdict {
    bool allowed;
    const char *rule;        /* school.md's number, "A2"; "" when allowed */
    const char *code;        /* for machines, "outsider"; "" when allowed */
    const char *sentence_ru; /* for the person; static storage; "" when allowed */
    const char *sentence_en;
};

struct verdict rules_decide(const struct rule_facts *facts);

/* The rows, for docs and tests: 0 ≤ i < rules_count(). */
int rules_count(void);
struct verdict rules_row(int i); /* as it refuses */

/* Words of the store and back. The from_ functions answer false for an unknown word. */
const char *standing_name(enum standing standing); /* "active" */
bool standing_from(const char *name, enum standing *out);
const char *room_kind_name(enum room_kind kind); /* "class"; ROOM_FREE: "free" */
bool room_kind_from(const char *name, enum room_kind *out);
const char *school_role_name(enum school_role role); /* "class_teacher" */
unsigned school_role_from(const char *name);         /* the bit; 0: unknown */
bool room_kind_is_space(enum room_kind kind);

#endif
