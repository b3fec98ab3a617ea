/* Profile fields: one row per (user, field), the value as JSON text ("displayname" is a JSON string, a custom field any
 * value; Client-Server API, "Profiles"). And who can be found by whom, with the names they are found by. */
#ifndef PARTA_STORE_MATRIX_PROFILES_H
#define PARTA_STORE_MATRIX_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

/* The value as JSON text: a copy that the caller frees; NULL: not set. Blocks (a read); also inside a job. */
char *profiles_get(struct db *db, user_no user, const char *field);

/* A string field's plain value (not JSON): "displayname" and "avatar_url" as a member event wants them. A copy that the
 * caller frees; NULL: not set. */
char *profiles_get_string(struct db *db, user_no user, const char *field);

/* All fields in order of name. Strings are borrowed for the call; fn must not ask this file again on the connection. */
void profiles_each(struct db *db, user_no user, void (*fn)(void *arg, const char *field, const char *value), void *arg);

/* Bytes of the whole profile as JSON, about: names and values, without the field `except` (NULL: all). */
int64_t profiles_size(struct db *db, user_no user, const char *except);

/* A person of the directory. Strings are borrowed until the next profiles_next or stmt_end. */
struct profile_row {
    user_no user;
    const char *localpart;
    const char *display_name, *avatar_url; /* JSON text; NULL: not set */
};

/* Everybody with an active account but the asker, by number. End with stmt_end. */
struct stmt *profiles_people(struct db *db, user_no asker);

/* Of these, those who share a school or a room with the asker (school.md A6). External staff are found by no school,
 * and find nobody there (E7); what they share is rooms. day: today, "2026-09-01", borrowed until stmt_end. */
struct stmt *profiles_people_known(struct db *db, user_no asker, const char *day);
bool profiles_next(struct stmt *q, struct profile_row *row);

/* Inside a job: sets or clears a field, takes a position and queues CHANGE_PROFILE. Member events are not touched: that
 * is accounts/profile.h's business. */
bool profiles_put(struct tx *tx, user_no user, const char *field, const char *value);
bool profiles_delete(struct tx *tx, user_no user, const char *field);
bool profiles_forget(struct tx *tx, user_no user); /* every field */

#endif
