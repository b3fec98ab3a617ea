/* On which days something recurs (RFC 5545 3.3.10), reckoned in a time that no rule can stretch: libical reads the
 * rule, but its own iterator looks for the next occurrence until the year 20000, or for ever, where a rule fits no day
 * ("30 February"), and a line of a feed must not stop the bridge.
 *
 * What timetables have is known: daily, weekly, monthly and yearly, each nth time, COUNT, UNTIL, WKST, BYMONTH,
 * BYMONTHDAY, BYDAY and BYSETPOS, at the time of the day at which the first began. Any other rule is refused. */
#ifndef PARTA_DIARY_RECURRENCE_H
#define PARTA_DIARY_RECURRENCE_H

#include <libical/ical.h>
#include <stdint.h>

#include "appservice/diary/reading.h"

#define RECURRENCE_DAYS_MAX 1000000    /* looked at for one calendar, all its rules together */
#define RECURRENCE_RULE_DAYS_MAX 40000 /* and for one of them: daily, some 50 years */

/* Called with the moments at which it recurs, in order: start with another day. */
typedef void recurrence_each(void *arg, icaltimetype moment);

/* Those from the day before the window to the day after it, by the clock of start, which may be another than the
 * school's; its year is in 1..9999. until: the rule's, by that clock, too. days: how many may still be looked at,
 * counted down. NULL: good; otherwise what is wrong, in static storage. */
const char *recurrence_follow(const struct icalrecurrencetype *rule, icaltimetype start, icaltimetype until,
                              struct window window, int64_t *days, recurrence_each *each, void *arg);

#endif
