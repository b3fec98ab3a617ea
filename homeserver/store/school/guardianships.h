/* Guardianships: who is whose guardian. What the school entered becomes the roster's once the roster says it too. Rows
 * and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_GUARDIANSHIPS_H
#define PARTA_STORE_SCHOOL_GUARDIANSHIPS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/source.h"

struct tx;
struct viewer;

struct guardianship_row {
    user_no child, guardian;
    const char *source;                               /* source.h */
    int64_t since_ms;                                 /* since when it has counted (D9); 0: not known */
    const char *child_localpart, *guardian_localpart; /* only read; NULL: not asked */
    enum custody custody;                             /* D9: likewise, with them */
    user_no by; /* put: who adds it, and need not be told; 0: nobody. Else not looked at */
};

struct stmt *guardianships_all(struct db *db);                     /* in no order */
struct stmt *guardianships_of_person(struct db *db, user_no user); /* the same of one, as child and as guardian */
struct stmt *
guardianships_beyond(struct db *db); /* D5: the school's own, where a child has more than two; newest first */
/* A1: with the accounts, by child and guardian. user: as child or guardian, 0: any; school: the child's, 0: any. The
 * rows of `limit` children beyond after. */
struct stmt *guardianships_page(struct db *db, const struct viewer *viewer, user_no user, school_no school,
                                user_no after, int limit);
bool guardianships_next(struct stmt *q, struct guardianship_row *row);

#define GUARDIANS_MAX 2  /* D5: of a child, in force */
#define CHILDREN_MAX 100 /* of a guardian, that are shown or looked at one by one: more than anybody has */

/* Guardians of a child, children of a guardian, by number: at most max into out; returns how many there are. Of
 * guardianships in force (D9): the rest have no guardian's rights, and no place of the two (D5). */
int guardianships_guardians(struct db *db, user_no child, user_no *out, int max);
int guardianships_children(struct db *db, user_no guardian, user_no *out, int max);

/* Who keeps it. false: there is none. */
bool guardianships_source(struct db *db, user_no child, user_no guardian, char source[SOURCE_BYTES]);

/* Inside a job. */
bool guardianships_put(struct db *db, const struct guardianship_row *row); /* inserted, or its source changed */
bool guardianships_count_again(struct tx *tx, user_no child,
                               user_no guardian); /* D9: after no_contact; none: nothing */
bool guardianships_delete(struct db *db, user_no child, user_no guardian);

/* Of what guardianships_put has added, whoever answers for the child is to be told (policy/signup/guardian_told.h): one
 * of which it is not known yet who hears it, its child, guardian and by; by number. false: there is none. */
bool guardianships_untold(struct db *db, struct guardianship_row *out);
/* Inside a job: now it is known, each by guardianships_to_hear. */
bool guardianships_spread(struct db *db, user_no child, user_no guardian);
/* Inside a job: hearer is to be told, from now on; until then or until the guardianship ends there is a row. */
bool guardianships_to_hear(struct tx *tx, user_no hearer, user_no child, user_no guardian);

/* Whose turn it is to be told of something: who has waited longest, of guardianships in force. 0: nobody's. */
user_no guardianships_next_hearer(struct db *db, int64_t now_ms);
/* Child and guardian, at most max, of which hearer is to be told now, those first that have waited longest. */
int guardianships_unheard(struct db *db, user_no hearer, int64_t now_ms, struct guardianship_row *out, int max);
bool guardianships_heard(struct db *db, user_no hearer, user_no child, user_no guardian); /* inside a job */
bool guardianships_hear_later(struct db *db, user_no hearer, int64_t due_ms); /* inside a job: not before due_ms */

#endif
