/* The words that facts, policies and the store share: roles, account states, kinds of rooms. */
#ifndef PARTA_POLICY_RULES_WORDS_H
#define PARTA_POLICY_RULES_WORDS_H

#include <stdbool.h>

#include "homeserver/base/account_state.h"

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
#define ROLES_STAFF                                                                                                    \
    (ROLE_TEACHER | ROLE_CLASS_TEACHER | ROLE_STAFF | ROLES_LEADING) /* "staff" in F1, without external */
#define ROLES_FAMILY (ROLE_PUPIL | ROLE_GUARDIAN)
#define ROLES_EVERYBODY (ROLES_FAMILY | ROLES_STAFF | ROLE_EXTERNAL)

/* What a room is to the school. Those up to ROOM_SUBJECT are roster rooms (E1, E2):
 * store/school/roster_rooms.h. */
enum room_kind {
    ROOM_FREE, /* of no school: policy.mode open, or people of no school */
    ROOM_SCHOOL_SPACE,
    ROOM_CLASS_SPACE,
    ROOM_CLASS,
    ROOM_GUARDIANS,
    ROOM_STAFF,
    ROOM_ANNOUNCEMENTS,
    ROOM_SUBJECT,
    ROOM_DIRECT,      /* F1, F2: between two people */
    ROOM_CLUB,        /* E5: clubs, projects, lessons: anything else that people make */
    ROOM_DOCUMENTS,   /* E6: a person's own */
    ROOM_LIBRARY,     /* E6: of a school: everybody may join and read, staff writes */
    ROOM_ASSOCIATION, /* E8: teachers of several schools */
    ROOM_ARCHIVE,     /* G3: of an earlier year, read-only */
    ROOM_NOTICES,     /* a person's own: what the server's administration tells them */
    ROOM_KIND__COUNT
};

/* Words of the store and back. The from_ functions answer false for an unknown word. */
const char *room_kind_name(enum room_kind kind); /* "class"; ROOM_FREE: "free" */
bool room_kind_from(const char *name, enum room_kind *out);
const char *school_role_name(enum school_role role); /* "class_teacher"; "": it is none, or several */
unsigned school_role_from(const char *name);         /* the bit; 0: unknown */
bool room_kind_is_space(enum room_kind kind);
bool room_kind_is_roster(enum room_kind kind); /* kept by the roster: E2, E3, E4 */

#endif
