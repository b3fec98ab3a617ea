/* iCalendar (RFC 5545) as records: events are lessons, to-dos homework (libical beneath, which is not thread-safe: one
 * thread calls this). */
#ifndef PARTA_DIARY_ICALENDAR_H
#define PARTA_DIARY_ICALENDAR_H

#include <stddef.h>

#include "appservice/diary/reading.h"

#define ICALENDAR_BYTES_MAX (4u << 20)

/* Adds what the calendar has of group in the reading's window. zone: an Olson name, for what is given in UTC. NULL:
 * good; otherwise what is wrong (static storage), and what was added counts for nothing. */
const char *icalendar_read_records(struct reading *reading, const char *bytes, size_t len, const char *group,
                                   const char *zone);

#endif
