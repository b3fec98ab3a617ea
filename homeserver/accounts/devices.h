/* What a person does to their devices (Client-Server API, "Device Management"; school.md H1). */
#ifndef PARTA_ACCOUNTS_DEVICES_H
#define PARTA_ACCOUNTS_DEVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/accounts/accounts.h"

/* Signs a device out and forgets it. True also if there is no such device. Blocks. */
bool device_delete(const struct accounts *accounts, user_no user, const char *device_id, struct error *e);

/* Several in one job: all or none. ids: an array of n borrowed strings. Blocks. */
bool device_delete_many(const struct accounts *accounts, user_no user, const char *const *ids, size_t n,
                        struct error *e);

/* The same of all that the person has. Blocks. */
bool device_delete_all(const struct accounts *accounts, user_no user, struct error *e);

/* false: *e is ERROR_NOT_FOUND or ERROR_INVALID_PARAM (longer than DEVICE_NAME_BYTES_MAX). Blocks. */
bool device_rename(const struct accounts *accounts, user_no user, const char *device_id, const char *display_name,
                   struct error *e);

#endif
