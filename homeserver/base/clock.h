/* The two clocks: the wall's for what people see, the monotonic one for how long things take. Both in milliseconds. */
#ifndef PARTA_BASE_CLOCK_H
#define PARTA_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* since 1970; may step */
int64_t clock_mono_ms(void); /* since some moment; never steps back */
int64_t clock_mono_us(void); /* the same in microseconds, for durations in the log */

#endif
