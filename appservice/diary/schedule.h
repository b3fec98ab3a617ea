/* The school's clock: which evening it is, and which week. Pure. */
#ifndef PARTA_DIARY_SCHEDULE_H
#define PARTA_DIARY_SCHEDULE_H

#include <stdint.h>

#include "homeserver/base/days.h"

/* Numbers that rise by one at the hour of each day, and at that of the weekday (1: Monday) of each week, by a clock
 * that is offset_ms ahead of UTC. */
int64_t schedule_evening(int64_t now_ms, int64_t offset_ms, int hour);
int64_t schedule_week(int64_t now_ms, int64_t offset_ms, int hour, int weekday);

/* The day behind the evening of that number. */
school_day schedule_day_after(int64_t evening);

#endif
