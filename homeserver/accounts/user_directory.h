/* Searching for people by name or id (Client-Server API, "User Directory").
 *
 * A person is found when every word of the term stands somewhere in their display name or Matrix id, whatever the case.
 * In school mode only those are found whom the searcher may contact (school.md A6: rooms/gate.h, ACT_FIND), and
 * external staff have no directory (E7); otherwise everybody on this server. */
#ifndef PARTA_ACCOUNTS_USER_DIRECTORY_H
#define PARTA_ACCOUNTS_USER_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;

struct people_search {
    user_no asker;
    const char *server_name;
    bool school_mode;
    const char *term;
    size_t limit;
};

/* Appends {"limited":…,"results":[…]}: names that begin with the first word first. Blocks (reads). */
void user_directory_render(struct text *out, struct db *db, const struct people_search *search);

/* Whether there is no directory for this person, of people or of rooms: all they are in any school is external staff
 * (E7). Blocks (a read). */
bool user_directory_closed_to(struct db *db, user_no user);

#endif
