/* Who can be found by whom: the candidates of a search for people, with the names they are found by. */
#ifndef PARTA_STORE_MATRIX_USER_DIRECTORY_H
#define PARTA_STORE_MATRIX_USER_DIRECTORY_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

/* Strings are borrowed until the next user_directory_next or stmt_end. */
struct directory_row {
    user_no user;
    const char *localpart;
    const char *display_name, *avatar_url; /* JSON text, as profiles have it; NULL: not set */
};

/* Everybody with an active account but the asker, by number. End with stmt_end. */
struct stmt *user_directory_all(struct db *db, user_no asker);

/* Of these, those who share a school or a room with the asker (school.md A6). External staff are found by no school,
 * and find nobody there (E7); what they share is rooms. day: today, "2026-09-01", borrowed until stmt_end. */
struct stmt *user_directory_known(struct db *db, user_no asker, const char *day);

bool user_directory_next(struct stmt *q, struct directory_row *row);

/* Whether all that the user is in any school is external staff: no directory for them (E7). */
bool user_directory_external(struct db *db, user_no user, const char *day);

#endif
