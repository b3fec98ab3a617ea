/* Answers of Дневник.ру's Partners API as records (dnevnik.c asks for them). */
#ifndef PARTA_DIARY_DNEVNIK_H
#define PARTA_DIARY_DNEVNIK_H

#include <jansson.h>

#include "appservice/diary/reading.h"

/* What is known of a class while its answers are read. */
struct dnevnik_group {
    const char *id, *name; /* "7А" */
    const char *link;      /* to the diary, "" if none */
    json_t *lessons;       /* id → subject */
    json_t *items;         /* id → the lesson as it was answered */
    json_t *works;         /* id → what it is */
    json_t *subjects;      /* id → name, of the lessons that were */
    json_t *persons;       /* ids of those in it, as text */
    json_t *plans;         /* id of a lesson → {place, hours}, of schedules */
};

/* Strings are borrowed for its life; answers are kept in memory until dnevnik_group_finish. */
void dnevnik_group_init(struct dnevnik_group *group, const char *id, const char *name, const char *link);
void dnevnik_group_finish(struct dnevnik_group *group);

/* The answer to each question. false: it is no list. What in it is not good is noted in the reading. */
bool dnevnik_take_persons(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len);
bool dnevnik_take_lessons(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len);
/* Of one who is in it: the lessons of their subgroups, with places and hours, which the class's list does not have. */
bool dnevnik_take_schedule(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len);
/* The lessons as records, once their schedules are there. */
void dnevnik_add_lessons(struct reading *reading, const struct dnevnik_group *group);
size_t dnevnik_unplanned(const struct dnevnik_group *group); /* lessons of which no schedule has said anything */
bool dnevnik_take_marks(struct reading *reading, const struct dnevnik_group *group, const char *body, size_t len);
bool dnevnik_take_log_entries(struct reading *reading, const struct dnevnik_group *group, const char *body, size_t len);

#endif
