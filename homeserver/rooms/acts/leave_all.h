/* Leaving everything at once: when an account ends. */
#ifndef PARTA_ROOMS_ACTS_LEAVE_ALL_H
#define PARTA_ROOMS_ACTS_LEAVE_ALL_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct tx;

/* Inside a job: the user leaves each room they are in and declines each invitation. false: a room holds them (school.md
 * E4), *e says so, and the job must answer false. rooms: struct rooms *. */
bool leave_all(void *rooms, struct tx *tx, user_no user, struct error *e);

#endif
