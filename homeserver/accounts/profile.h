/* Profiles: what a person shows of themselves (Client-Server API, "Profiles"), and who may look.
 *
 * Whoever looks is asked after at the gate profile_readable: in policy.mode school a profile can be read by people who
 * share a school or a joined room with its owner (school.md A6), and by nobody who is not signed in. */
#ifndef PARTA_ACCOUNTS_PROFILE_H
#define PARTA_ACCOUNTS_PROFILE_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/accounts/accounts.h"

#define PROFILE_BYTES_MAX 65536 /* the whole profile as JSON stays below */
#define PROFILE_KEY_BYTES_MAX 255
#define DISPLAY_NAME_BYTES_MAX 256

/* Whether asker reads the profile of owner: the gate's word (rooms/gate.h, ACT_PROFILE). In school mode nobody learns
 * whether a person exists whom they may not know (A1, A6). asker 0: not signed in; owner 0: no such user. Blocks
 * (reads). */
bool profile_readable(const struct accounts *accounts, struct db *db, user_no asker, user_no owner, struct error *e);

/* Whether a field may be called so: displayname, avatar_url, or a namespaced identifier (Appendices, "Common Namespaced
 * Identifier Grammar"). false: *e is ERROR_KEY_TOO_LARGE or ERROR_INVALID_PARAM. */
bool profile_field_valid(const char *field, struct error *e);
bool profile_display_name_valid(const char *name, struct error *e);

/* Sets a field; value is borrowed. displayname, avatar_url (an mxc URI) and m.tz are strings; an empty displayname or
 * avatar_url clears it. In policy.mode school only those set anything whose name no roster keeps, and that is their
 * name: their picture is one that is here and that they may see, no field with words (F1). false: *e says why
 * (ERROR_BAD_JSON, ERROR_PROFILE_TOO_LARGE, ERROR_USER_SUSPENDED …). Member events follow in the same job where the
 * name or avatar has changed. Blocks. */
bool profile_set(const struct accounts *accounts, user_no user, const char *field, const json_t *value,
                 struct error *e);
bool profile_clear(const struct accounts *accounts, user_no user, const char *field, struct error *e);

#endif
