/* Tomorrow's timetable, in the evening at the school's hour (diary.timetable_hour), to each class's room: once, under a
 * transaction id of class and day, as the reading has it then. What changes later is told as any change. After midnight
 * it is not caught up. */
#ifndef PARTA_DIARY_TIMETABLE_H
#define PARTA_DIARY_TIMETABLE_H

#include "appservice/diary/sink_matrix_private.h"

bool timetable_read(struct sink_matrix *m,
                    const struct has_read *read); /* as struct sink's has_read; blocks (network) */

#endif
