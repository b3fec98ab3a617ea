/* Days of the calendar, "2026-09-01", as the school's records have them: UTC days. What has a period counts from its
 * begin to its end, both included. */
#ifndef PARTA_BASE_DAYS_H
#define PARTA_BASE_DAYS_H

#include <stdbool.h>
#include <stdint.h>

typedef int32_t school_day; /* 20260901 is 1 September 2026 */

#define DAY_EVER 0         /* begin: since ever; birth date: not known */
#define DAY_NEVER 99991231 /* end: no end is known */
#define DAY_TEXT_BYTES 11  /* "2026-09-01" and a NUL */

school_day day_of_ms(int64_t wall_ms); /* the UTC day */
school_day day_from(const char *text); /* -1: not a day of the calendar, or not written so */
/* Writes into out and returns it; DAY_EVER is "0000-00-00". */
const char *day_text(school_day day, char out[DAY_TEXT_BYTES]);
school_day day_after(school_day day, int days);  /* so many days later; day: one of the calendar */
bool day_is_birth(school_day day);               /* somebody alive may have been born then; DAY_EVER, too */
const char *day_today(char out[DAY_TEXT_BYTES]); /* the same of today, by the wall clock */

#endif
