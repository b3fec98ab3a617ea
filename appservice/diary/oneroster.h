/* Items of the OneRoster 1.2 gradebook as records (oneroster.c asks for them). */
#ifndef PARTA_DIARY_ONEROSTER_H
#define PARTA_DIARY_ONEROSTER_H

#include <jansson.h>

#include "appservice/diary/reading.h"

/* line: its line item, or NULL. Whatever the item is: what is not good is noted in the reading. */
void oneroster_take_result(struct reading *reading, const json_t *item, const json_t *line, const char *subject);
void oneroster_take_line(struct reading *reading, const json_t *item, bool homework, const char *subject);

bool oneroster_is_active(const json_t *item); /* not marked as to be deleted */

#endif
