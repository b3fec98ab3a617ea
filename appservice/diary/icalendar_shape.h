/* Whether a calendar's text may be handed to libical, which takes the square of the time for lines that are long, have
 * many parameters, or are many in one part, some 15 minutes for 4 MiB of bad dates. Linear in the text itself. */
#ifndef PARTA_DIARY_ICALENDAR_SHAPE_H
#define PARTA_DIARY_ICALENDAR_SHAPE_H

#include <stddef.h>

#define ICALENDAR_COMPONENTS_MAX 10000
#define ICALENDAR_DEPTH_MAX 8            /* VCALENDAR, VEVENT, VALARM and what may come */
#define ICALENDAR_LINES_MAX 1000         /* of one component, without those within it */
#define ICALENDAR_LINE_BYTES_MAX 262144u /* unfolded */
#define ICALENDAR_PARAMETERS_MAX 100     /* of one line */

/* text: UTF-8 without a NUL inside. NULL: good; otherwise what is wrong, in static storage. */
const char *icalendar_shape_fault(const char *text);

#endif
