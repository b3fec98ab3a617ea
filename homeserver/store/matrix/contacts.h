/* Contacts at rest: verified addresses and numbers, each of one account (school.md C3). What may be done is decided in
 * accounts/contacts.c. */
#ifndef PARTA_STORE_MATRIX_CONTACTS_H
#define PARTA_STORE_MATRIX_CONTACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* Strings are borrowed for the call of contact_rows_each. */
struct contact_row {
    const char *medium, *address;
    user_no user;
    int64_t verified_ms, added_ms;
};

user_no contact_rows_owner(struct db *db, const char *medium, const char *address); /* 0: nobody's */
/* How many of that medium the person has. */
int64_t contact_rows_count(struct db *db, user_no user, const char *medium);
/* In order of adding. fn must not ask this file again on the same connection. */
void contact_rows_each(struct db *db, user_no user, void (*fn)(void *arg, const struct contact_row *row), void *arg);

/* Inside a job. */
bool contact_rows_insert(struct tx *tx, const struct contact_row *row); /* the address is nobody's */
bool contact_rows_delete(struct tx *tx, user_no user, const char *medium, const char *address);
bool contact_rows_forget(struct tx *tx, user_no user);

#endif
