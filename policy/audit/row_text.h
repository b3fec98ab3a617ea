/* A row that changed, as entries of the audit log have it (audit.h, "changes"). */
#ifndef PARTA_POLICY_AUDIT_ROW_TEXT_H
#define PARTA_POLICY_AUDIT_ROW_TEXT_H

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/guarded.h"

struct db;

/* sourcedIds that a bulk job knows already. */
struct audit_names {
    /* Borrowed until the next call; NULL: ask the database. kind: VALUE_PERSON, VALUE_SCHOOL or VALUE_CLASS. */
    const char *(*name)(void *self, enum guarded_value kind, int64_t no);
    void *self;
};

/* What rows are rendered with. */
struct row_text {
    struct db *db;
    const char *server_name;
    const struct audit_names *names; /* NULL: none */
    struct row_name {                /* the last one of each kind, which often comes again */
        int64_t no;
        char *name;
    } last[VALUE_ROOM + 1];
};

/* Appends the object as canonical JSON. Reads the database. */
void row_text_add(struct row_text *r, struct text *out, const struct row_change *change);

/* In which school's log it belongs, of an act in school own: own, too, of a person who is there, or in no school; 0: it
 * does not say. Reads the database. */
school_no row_text_school(struct row_text *r, const struct row_change *change, school_no own);

void row_text_finish(struct row_text *r);

#endif
