/* Whom the sink tells what is of a child, and in which rooms. */
#include "appservice/diary/sink_matrix_private.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"

static void tell_audience(struct telling *t, const struct audience *a)
{
    char *room_id = NULL;
    enum matrix_answer answer = sink_room_of(t->m, a, &room_id);
    if (answer == MATRIX_DONE)
        sink_stays(t, room_id); /* also where nobody may be asked into it any more */
    if (answer != MATRIX_DONE)
        outcome_note(&t->outcome, answer);
    else if (sink_gather(t, room_id, a))
        sink_tell_room(t, room_id, a->given_name);
    free(room_id);
}

void sink_take_guardians(const json_t *guardianships, const char *child, struct audience *guardians, bool *separate)
{
    size_t i;
    json_t *item;
    *separate = false;
    json_array_foreach(json_get_array(guardianships, "items"), i, item) {
        const char *of = json_get_string(item, "child"), *guardian = json_get_string(item, "guardian");
        const char *custody = json_get_string(item, "custody");
        if (of == NULL || guardian == NULL || strcmp(of, child) != 0 ||
            (custody != NULL && strcmp(custody, "no_contact") == 0) || guardians->n == PEOPLE_MAX - 1)
            continue;
        *separate = *separate || (custody != NULL && strcmp(custody, "shared") != 0);
        guardians->since_ms[guardians->n] = json_get_int(item, "since_ts", 0);
        guardians->who[guardians->n++] = guardian;
    }
}

bool sink_is_guardian(const json_t *guardianships, const char *child, const char *user_id)
{
    struct audience guardians = {.n = 0};
    bool separate;
    sink_take_guardians(guardianships, child, &guardians, &separate);
    return sink_is_of(&guardians, user_id);
}

/* Leaves out of whom the notice concerns who wants to be told nothing, or in a digest: that is owed to them. false:
 * that is not known, or could not be noted, now, and nobody is to be told by what is. */
static bool choose(struct telling *t, const char *child, struct audience *a)
{
    const struct notice *notice = t->notice;
    size_t n = 0;
    struct person person;
    state_begin(t->m->state);
    for (size_t i = 0; i < a->n && state_person(t->m->state, a->who[i], false, &person); ++i) {
        bool at_once = person.pace == PACE_NOW || notice->kind == RECORD_ABSENCE;
        if (!person.off && !at_once) {
            const struct owed row = {a->who[i],
                                     child,
                                     notice->source,
                                     notice->id,
                                     notice->day,
                                     notice->revision,
                                     notice->what == CHANGE_CHANGED};
            state_owe(t->m->state, &row);
        } else if (!person.off) {
            a->since_ms[n] = a->since_ms[i];
            a->who[n++] = a->who[i];
        }
    }
    a->n = n;
    bool known = state_commit(t->m->state);
    if (!known)
        outcome_note(&t->outcome, MATRIX_NOT_NOW);
    return known;
}

static bool is_with(const struct telling *t, const struct place *place, const char *child)
{
    char *of = state_room_child(t->m->state, place->room_id);
    bool with = of != NULL && strcmp(of, child) == 0;
    free(of);
    return with;
}

/* Something of the notice's record stands in a room of the child's. */
static bool stands_with(const struct telling *t, const char *child)
{
    bool stands = false;
    for (size_t i = 0; !stands && i < t->n_places; ++i)
        stands = is_with(t, &t->places[i], child);
    return stands;
}

/* Nothing more is said of it in the rooms of a child whom the school knows as no pupil any more, nor is it taken from
 * there: it is theirs. */
static void leave_with(struct telling *t, const char *child)
{
    for (size_t i = 0; i < t->n_places; ++i)
        if (is_with(t, &t->places[i], child))
            sink_stays(t, t->places[i].room_id);
}

/* The child first (diary.pupil_first_hours): whether guardians are told of it when its time has come (later.c). What
 * came by itself could not be said again then. */
static bool put_off(struct telling *t, const char *child)
{
    const struct notice *notice = t->notice;
    struct state *state = t->m->state;
    int64_t wait_ms = t->m->settings->pupil_first_hours * HOUR_MS;
    if (wait_ms == 0 || t->whom == TELL_LATE || notice->reading == NULL ||
        (notice->what != CHANGE_NEW && !state_is_later(state, notice->source, notice->id, child) &&
         stands_with(t, child)))
        return false;
    state_begin(state);
    state_later(state, notice->source, notice->id, child, notice->day, clock_wall_ms() + wait_ms);
    if (!state_commit(state))
        outcome_note(&t->outcome, MATRIX_NOT_NOW);
    return true;
}

/* Each guardian by themselves, or all in one room. */
static void tell_guardians(struct telling *t, const struct audience *guardians, bool separate)
{
    if (!separate && guardians->n != 0)
        tell_audience(t, guardians);
    for (size_t i = 0; separate && i < guardians->n; ++i) {
        struct audience one = {guardians->who[i],       guardians->child, guardians->given_name, {guardians->who[i]}, 1,
                               {guardians->since_ms[i]}};
        tell_audience(t, &one);
    }
}

static void tell_people(struct telling *t, const char *child, const char *given_name, const json_t *guardianships)
{
    struct audience guardians = {.name = GUARDIANS, .child = child, .given_name = given_name}, family = guardians;
    bool separate, absence = t->notice->kind == RECORD_ABSENCE, apart = t->m->settings->pupil_first_hours != 0;
    sink_take_guardians(guardianships, child, &guardians, &separate);
    enum matrix_answer parted = sink_keep_apart(t->m, child, &guardians, separate);
    if (parted != MATRIX_DONE && parted != MATRIX_REFUSED) { /* where somebody stays nothing is said (sink_gather) */
        outcome_note(&t->outcome, parted);
        return;
    }
    if (guardians.n == 0 && absence)
        outcome_note(&t->outcome, MATRIX_REFUSED);
    if (!absence && put_off(t, child))
        guardians.n = 0;
    if (!absence && t->whom != TELL_LATE)
        family.who[family.n++] = child;
    if (!choose(t, child, &guardians) || !choose(t, child, &family))
        return;
    if (!absence && t->whom != TELL_LATE) {
        family.name = apart ? CHILD : FAMILY;
        for (size_t i = 0; !separate && !apart && i < guardians.n; ++i) {
            family.since_ms[family.n] = guardians.since_ms[i];
            family.who[family.n++] = guardians.who[i];
        }
        if (family.n != 0)
            tell_audience(t, &family);
    }
    if (absence || separate || apart)
        tell_guardians(t, &guardians, separate);
}

bool sink_is_pupil_here(const struct sink_matrix *m, const json_t *person)
{
    size_t i;
    json_t *item;
    bool here = false;
    json_array_foreach(json_get_array(person, "roles"), i, item) {
        const char *role = json_get_string(item, "role"), *school = json_get_string(item, "school");
        for (size_t s = 0; role != NULL && school != NULL && s < m->settings->n_schools; ++s)
            here = here || (strcmp(role, "pupil") == 0 && strcmp(school, m->settings->schools[s]) == 0);
    }
    return here && !json_get_bool(person, "ended", true);
}

void sink_tell_family(struct telling *t, const char *child)
{
    struct family family = {0};
    enum matrix_answer answer = families_ask(&t->m->families, &t->m->client, child, &family);
    const char *given_name = json_get_string(family.person, "given_name");
    if (answer == MATRIX_DONE && (given_name == NULL || !sink_is_pupil_here(t->m, family.person)))
        answer = MATRIX_REFUSED;
    if (answer == MATRIX_REFUSED)
        leave_with(t, child);
    if (answer == MATRIX_DONE)
        tell_people(t, child, given_name, family.guardianships);
    else
        outcome_note(&t->outcome, answer);
}
