/* What an import or a reconciling has changed: counts, and for whoever wants it one line a change.
 *
 * A line is short and names nobody: "role + teacher p-123 school-1", sourcedIds alone. The audit log derives its own
 * from the rows (policy/audit/audit.h): while records are told here, it is given what waits, so that a job of any size
 * keeps little in memory. */
#ifndef PARTA_POLICY_RECORDS_CHANGELOG_H
#define PARTA_POLICY_RECORDS_CHANGELOG_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "policy/audit/audit.h"
#include "policy/records/roster_changes.h"

struct changelog {
    struct tx *tx;
    struct roster_changes *changes;
    struct text *difference; /* NULL: nobody wants it */
    const struct audit_note
        *note;    /* what entries say of the changes of rows; NULL: as the job is called (audit_append_full) */
    bool keeps;   /* the lines of records are kept: */
    json_t *kept; /* NULL: none yet */
    struct changelog_names *names[3]; /* enum changelog_kind; NULL: asked of the database */
    room_no room;                     /* the last room that was named */
    char *room_name;
};

enum changelog_kind { CHANGELOG_PERSON, CHANGELOG_SCHOOL, CHANGELOG_CLASS };

/* Numbers whose sourcedIds are known: the ids are borrowed. Numbers 0 are left out. */
void changelog_know(struct changelog *changelog, enum changelog_kind kind, const int64_t *numbers,
                    const char *const *ids, size_t n);

/* One change of a record: "role + teacher p-123 school-1". a, b: 0: left out. word: NULL: none. */
void changelog_record(struct changelog *changelog, const char *noun, char sign, const char *word,
                      enum changelog_kind kind_a, int64_t a, enum changelog_kind kind_b, int64_t b);

/* The same of something whose sourcedId is known: "person + p-123". */
void changelog_line(struct changelog *changelog, const char *noun, char sign, const char *id);

/* A room or a membership: "join p-123 class-5 (class)". For the difference alone. user 0: the room itself. */
void changelog_room(struct changelog *changelog, const char *noun, char sign, user_no user, room_no room);

/* For audit_note.names: the changelog's, whose self it is. */
const char *changelog_name(void *changelog, enum guarded_value kind, int64_t no);

/* Frees kept lines and what was looked up; difference is the caller's. */
void changelog_finish(struct changelog *changelog);

#endif
