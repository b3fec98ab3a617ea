/* E8: a room that teachers of several schools share, if the schools agree.
 *
 * A school's office makes the room and draws a code; it gives the code to the other school, whose office agrees with
 * it. No school learns of another in any other way (A1). Staff of the schools that have agreed may join; when a school
 * takes its agreement back, its people leave at once, and the last school to go takes everybody out. The server's
 * service user made the room and keeps its access (E3).
 *
 * All inside a job; false or 0: *c->e. */
#ifndef PARTA_POLICY_SCHOOL_ROOMS_ASSOCIATIONS_H
#define PARTA_POLICY_SCHOOL_ROOMS_ASSOCIATIONS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "policy/records/change.h"

#define ASSOCIATION_CODE_CHARS 24 /* 142 bits */
#define ASSOCIATION_CODE_DAYS 30

/* A room of that school alone, until others agree. Returns its number; 0: c->e (E8). */
room_no association_create(struct changing_records *c, school_no school, const char *name);

/* A code for another school; good once, for ASSOCIATION_CODE_DAYS. By the office of a school that has agreed. */
bool association_code(struct changing_records *c, room_no room, school_no school,
                      char code[ASSOCIATION_CODE_CHARS + 1]);

/* That other school agrees. Returns the room. */
room_no association_agree(struct changing_records *c, const char *code, school_no school);

/* Its people are sent away, and codes that were given out in the room are good no more. false: c->e. */
bool association_leave(struct changing_records *c, room_no room, school_no school);

#endif
