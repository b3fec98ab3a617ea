/* Who is who (school.md B3): a diary's pupil or group in the roster. By an explicit match that somebody made, by
 * sourcedId where the diary's ids are that, by the rule (roster.h) for pupils; never by a name alone. */
#ifndef PARTA_DIARY_MATCH_H
#define PARTA_DIARY_MATCH_H

#include "appservice/diary/reading.h"
#include "appservice/diary/roster.h"
#include "appservice/diary/state.h"

struct matcher {
    struct state *state;
    const struct roster *roster;
    const struct reading *reading; /* what it says of people */
    const char *source;
    bool sourced; /* its ids are the roster's sourcedIds */
};

/* Matrix id; borrowed from the roster. NULL: *why is what is missing, a sentence of ours. */
const char *match_pupil(const struct matcher *m, const char *id, const char **why);
const char *match_group(const struct matcher *m, const char *id, const char **why); /* sourcedId of the class */

/* Whether one of the record's own pupils is this child now (I2). The same id may be another child's than it was: the
 * diary has moved it, or somebody has corrected a match. Asked wherever a record is said that was not found for this
 * child just now. */
bool match_is_of(const struct matcher *m, const struct record *record, const char *child);

#endif
