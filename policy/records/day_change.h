/* A day has passed: roles and enrollments that begin or end by date (E7), pupils who have come of age (D7).
 *
 * What ends is judged like an import (G5, loss.h): of a school that would lose more than the limits say, those who lose
 * something wait, with one list that somebody confirms as if it were an import (`parta roster held`), of the source
 * DAY_SOURCE. Nobody has left a room by then, and no account is closed; what a role allows counts by its dates all the
 * same. What somebody confirmed when an import said it does not wait, nor does external staff, whose end date is the
 * point (E7). Until it is confirmed, or a roster says other dates, the list is looked at again each day, and an import
 * is judged with what waits. */
#ifndef PARTA_POLICY_RECORDS_DAY_CHANGE_H
#define PARTA_POLICY_RECORDS_DAY_CHANGE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "policy/records/roster_changes.h"

struct config;
struct rooms;
struct tx;

#define DAY_SOURCE "day:change" /* no roster can be called so */
#define DAY_MODE "day"

/* In a job; cheap when nothing is due. config: for the limits, NULL: the defaults. changes: counts; may be NULL. */
bool day_change(struct tx *tx, struct rooms *rooms, const struct config *config, struct roster_changes *changes,
                struct error *e);

/* After everybody has been reconciled, in the same job: dates up to today have taken effect. false: the database
 * failed. */
bool day_settled(struct tx *tx);

#endif
