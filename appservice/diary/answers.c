#include "appservice/diary/answers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "appservice/diary/notice_text.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"

#define TEACHERS_MAX 4

struct teachers {
    char *who[TEACHERS_MAX];
    size_t n;
};

/* "Anna Petrova", as the school writes it; heap. NULL: nobody. */
static enum matrix_answer full_name(struct sink_matrix *m, const char *user_id, char **name)
{
    json_t *person = NULL;
    struct text out = TEXT_INIT;
    enum matrix_answer answer = sink_ask_school(m, "people/", user_id, &person);
    const char *given = json_get_string(person, "given_name"), *family = json_get_string(person, "family_name");
    *name = NULL;
    if (answer == MATRIX_DONE && given != NULL && family != NULL) {
        text_addf(&out, "%s %s", given, family);
        *name = text_take(&out);
    }
    json_decref(person);
    return answer;
}

static enum matrix_answer is_guardian(struct sink_matrix *m, const char *child, const char *user_id)
{
    json_t *guardianships = NULL;
    enum matrix_answer answer = sink_ask_school(m, "guardianships?limit=500&user_id=", child, &guardianships);
    if (answer == MATRIX_DONE && !sink_is_guardian(guardianships, child, user_id))
        answer = MATRIX_REFUSED;
    json_decref(guardianships);
    return answer;
}

static void take_class_teachers(const json_t *enrollments, struct teachers *teachers)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_get_array(enrollments, "items"), i, item) {
        const char *role = json_get_string(item, "role"), *user_id = json_get_string(item, "user_id");
        if (role != NULL && user_id != NULL && strcmp(role, "class_teacher") == 0 && teachers->n < TEACHERS_MAX)
            teachers->who[teachers->n++] = xstrdup(user_id);
    }
}

/* Of the classes in which the child is a pupil. */
static enum matrix_answer class_teachers(struct sink_matrix *m, const char *child, struct teachers *teachers)
{
    struct text path = TEXT_INIT;
    json_t *classes = NULL, *item;
    size_t i;
    text_adds(&path, "/_parta/v1/people/");
    text_add_percent(&path, child);
    text_adds(&path, "/enrollments");
    enum matrix_answer answer = matrix_call(&m->client, "GET", path.data, NULL, &classes);
    json_array_foreach(json_get_array(classes, "items"), i, item) {
        const char *role = json_get_string(item, "role"), *class_id = json_get_string(item, "class");
        json_t *enrollments = NULL;
        if (answer != MATRIX_DONE || role == NULL || class_id == NULL || strcmp(role, "pupil") != 0)
            continue;
        text_clear(&path);
        text_adds(&path, "/_parta/v1/classes/");
        text_add_percent(&path, class_id);
        text_adds(&path, "/enrollments?limit=500");
        answer = matrix_call(&m->client, "GET", path.data, NULL, &enrollments);
        take_class_teachers(enrollments, teachers);
        json_decref(enrollments);
    }
    json_decref(classes);
    text_finish(&path);
    return answer;
}

/* --- The teacher's room --- */

static bool keep(struct sink_matrix *m, const struct absence *absence, const char *teacher, const char *answer,
                 const char *txn, const char *event_id)
{
    const struct told_answer told = {(char *)answer, (char *)txn, (char *)event_id};
    state_begin(m->state);
    state_answer_put(m->state, absence, teacher, &told);
    return state_commit(m->state);
}

static enum matrix_answer say_first(struct sink_matrix *m, const struct absence *absence, const char *teacher,
                                    const char *answer, const char *room_id, const char *txn, json_t *content)
{
    char *event_id = NULL;
    if (!keep(m, absence, teacher, answer, txn, "")) {
        json_decref(content);
        return MATRIX_UNKNOWN;
    }
    enum matrix_answer said = sink_say(m, room_id, txn, content, &event_id);
    if (said == MATRIX_DONE && !keep(m, absence, teacher, answer, txn, event_id))
        said = MATRIX_UNKNOWN;
    free(event_id);
    return said;
}

/* Tells it, or puts it in the place of an earlier answer. content is taken. */
static enum matrix_answer tell_teacher(struct sink_matrix *m, const struct absence *absence, const char *teacher,
                                       const char *answer, json_t *content)
{
    const struct audience own = {PERSON, teacher, "", {teacher}, 1};
    struct told_answer told = {0};
    char txn[WIRE_TXN_BYTES], *room_id = NULL;
    bool before = state_answer(m->state, absence->root, teacher, &told);
    enum matrix_answer said = sink_room(m, &own, &room_id);
    if (said != MATRIX_DONE || (before && *told.event_id != '\0' && strcmp(told.answer, answer) == 0)) {
        json_decref(content); /* it was told already, or nobody is there */
    } else if (!before || *told.event_id == '\0') {
        sink_wire_txn("reason-of", absence->root, txn);
        said = say_first(m, absence, teacher, answer, room_id, before ? told.txn : txn, content);
    } else {
        sink_wire_txn("reason-now", answer, txn);
        said = sink_say(m, room_id, txn, sink_edit_of(content, told.event_id), NULL);
        if (said == MATRIX_DONE && !keep(m, absence, teacher, answer, told.txn, told.event_id))
            said = MATRIX_UNKNOWN;
    }
    state_answer_finish(&told);
    free(room_id);
    return said;
}

static json_t *content_of(const struct sink_matrix *m, const struct absence *absence, int reason, const char *child,
                          const char *guardian)
{
    struct text words = TEXT_INIT;
    notice_add_reason(&words, m->settings->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN, child, absence->day, reason,
                      guardian);
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body", words.data);
    sodium_memzero(words.data, words.len);
    text_finish(&words);
    return content;
}

/* --- All of it --- */

static enum matrix_answer thank(struct sink_matrix *m, const struct answer *a, bool told)
{
    char txn[WIRE_TXN_BYTES];
    sink_wire_txn("answer", a->event_id, txn);
    return sink_say(m, a->room_id, txn,
                    json_pack("{s:s, s:s}", "msgtype", "m.text", "body",
                              notice_reason_answer(a->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN, told)),
                    NULL);
}

static enum matrix_answer pass_on(struct sink_matrix *m, const struct answer *a, const struct absence *absence)
{
    struct teachers teachers = {.n = 0};
    char *child = NULL, *guardian = NULL;
    bool told = false;
    enum matrix_answer answer = is_guardian(m, absence->child, a->sender);
    if (answer == MATRIX_DONE)
        answer = full_name(m, absence->child, &child);
    if (answer == MATRIX_DONE)
        answer = full_name(m, a->sender, &guardian);
    if (answer == MATRIX_DONE)
        answer = class_teachers(m, absence->child, &teachers);
    for (size_t i = 0; child != NULL && guardian != NULL && i < teachers.n; ++i) {
        enum matrix_answer one = answer;
        if (answer == MATRIX_DONE)
            one = tell_teacher(m, absence, teachers.who[i], a->event_id,
                               content_of(m, absence, a->reason, child, guardian));
        told = told || one == MATRIX_DONE;
        answer = one == MATRIX_REFUSED ? answer : one; /* whom the rules keep out is not told */
    }
    for (size_t i = 0; i < teachers.n; ++i)
        free(teachers.who[i]);
    if (answer == MATRIX_DONE && thank(m, a, told) == MATRIX_UNKNOWN)
        answer = MATRIX_UNKNOWN;
    free(child);
    free(guardian);
    return answer;
}

bool answers_hear(struct sink_matrix *m, const struct answer *a, bool *done)
{
    struct absence absence;
    if (!state_absence(m->state, a->room_id, a->to, &absence))
        return false;
    enum matrix_answer answer = pass_on(m, a, &absence);
    *done = answer == MATRIX_DONE || answer == MATRIX_REFUSED;
    state_absence_finish(&absence);
    return true;
}
