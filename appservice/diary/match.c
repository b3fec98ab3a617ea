#include "appservice/diary/match.h"

#include <stdlib.h>
#include <string.h>

typedef const char *look_up(const struct roster *roster, const char *sourced_id);

/* By what somebody said. *said: there is such a match, whatever came of it: nothing else is tried then. */
static const char *by_table(const struct matcher *m, enum subject_kind kind, const char *id, look_up *find, bool *said)
{
    char *sourced_id = state_matched(m->state, m->source, kind, id);
    const char *found = sourced_id != NULL ? find(m->roster, sourced_id) : NULL;
    *said = sourced_id != NULL;
    free(sourced_id);
    return found;
}

const char *match_pupil(const struct matcher *m, const char *id, const char **why)
{
    bool said;
    const char *found = by_table(m, SUBJECT_PUPIL, id, roster_pupil, &said);
    const struct diary_person *person = reading_person(m->reading, id);
    *why = "it is matched to a sourcedId that is no pupil of the roster";
    if (said || found != NULL)
        return found;
    if (m->sourced || (person != NULL && *person->sourced_id != '\0' && !person->doubt)) {
        *why = "its sourcedId is no pupil of the roster";
        return roster_pupil(m->roster, m->sourced ? id : person->sourced_id);
    }
    *why = "the diary gives this id to several persons";
    if (person != NULL && person->doubt)
        return NULL;
    *why = "the diary says nothing of this pupil but the id";
    return person != NULL ? roster_by_rule(m->roster, person, why) : NULL;
}

const char *match_group(const struct matcher *m, const char *id, const char **why)
{
    bool said;
    const char *found = by_table(m, SUBJECT_GROUP, id, roster_class, &said);
    *why = said ? "it is matched to a sourcedId that is no class of the roster"
                : "no class of the roster has this sourcedId, and nobody has matched it";
    return said || !m->sourced ? found : roster_class(m->roster, id);
}

bool match_is_of(const struct matcher *m, const struct record *record, const char *child)
{
    const char *why;
    bool is = false;
    for (size_t i = 0; !is && i < record->n_pupils; ++i) {
        const char *pupil = match_pupil(m, record->pupils[i], &why);
        is = pupil != NULL && strcmp(pupil, child) == 0;
    }
    return is;
}
