/* The two clocks: the wall's for what people see, the monotonic one for how long things take. Both in milliseconds;
 * and the lengths that are counted in them. */
#ifndef PARTA_BASE_CLOCK_H
#define PARTA_BASE_CLOCK_H

#include <stdint.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* So much a clock that is set right may go back, or a time that somebody else wrote be ahead, and nothing comes of it.
 * A time further ahead is of a clock that was wrong. */
#define CLOCK_SLACK_MS MINUTE_MS

int64_t clock_wall_ms(void); /* since 1970; may step */
int64_t clock_mono_ms(void); /* since some moment; never steps back */
int64_t clock_mono_us(void); /* the same in microseconds, for durations in the log */

#endif
