#include "appservice/diary/schedule.h"

#include "homeserver/base/clock.h"

#define THURSDAY 4 /* 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t schedule_evening(int64_t now_ms, int64_t offset_ms, int hour)
{
    return floor_div(now_ms + offset_ms - hour * HOUR_MS, DAY_MS);
}

int64_t schedule_week(int64_t now_ms, int64_t offset_ms, int hour, int weekday)
{
    return floor_div(schedule_evening(now_ms, offset_ms, hour) - (weekday - THURSDAY), 7);
}

school_day schedule_day_after(int64_t evening)
{
    return day_of_ms((evening + 1) * DAY_MS);
}
