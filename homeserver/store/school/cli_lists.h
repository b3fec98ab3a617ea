/* What an administrator lists at a shell: accounts, and people with their posts. For reading only; rows borrow their
 * strings until the next one. stmt_end after. */
#ifndef PARTA_STORE_SCHOOL_CLI_LISTS_H
#define PARTA_STORE_SCHOOL_CLI_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/store/driver/db.h"

struct listed_user {
    const char *localpart, *state;
    bool service, admin;
    int devices;
};
struct stmt *cli_list_users(struct db *db); /* by localpart */
bool cli_list_users_next(struct stmt *q, struct listed_user *row);

/* One row a person, role and class: a pupil's own homeroom, a class teacher's, the child's of a guardian. */
struct listed_role {
    const char *localpart, *role;
    const char *school, *class; /* class: "" if the role has none */
    const char *given, *middle, *family;
};

/* role: "pupil", "guardian", … or "" for all. day: "2026-09-01", for which roles count; kept until stmt_end. By school,
 * class, role, name. */
struct stmt *cli_list_roles(struct db *db, const char *role, const char *day);
bool cli_list_roles_next(struct stmt *q, struct listed_role *row);

#endif
