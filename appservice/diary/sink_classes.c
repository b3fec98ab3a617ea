/* The rooms of classes and of their guardians, which the office has named the bot for. */
#include "appservice/diary/sink_matrix_private.h"

#include <stdlib.h>

#include "appservice/diary/fetch.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"

#define CLASS_ROOMS_MS 60000
#define CLASS_OF "class" /* parts of class_rooms */
#define GUARDIANS_OF "guardians"
#define PAGES_MAX 100

static bool read_class_rooms(struct sink_matrix *m, const char *kind, const char *school, json_t *rooms)
{
    bool guardians = strcmp(kind, GUARDIANS) == 0;
    char *next = NULL;
    bool good = true;
    for (int page = 0; good && page < PAGES_MAX && (page == 0 || next != NULL); ++page) {
        struct text path = TEXT_INIT;
        json_t *reply = NULL, *item;
        size_t i;
        text_addf(&path, "/_parta/v1/rooms?kind=%s&limit=500&school=", kind);
        text_add_percent(&path, school);
        if (next != NULL) {
            text_adds(&path, "&from=");
            text_add_percent(&path, next);
        }
        good = matrix_call(&m->client, "GET", path.data, NULL, &reply) == MATRIX_DONE &&
               json_get_array(reply, "items") != NULL;
        json_array_foreach(json_get_array(reply, "items"), i, item) {
            const char *class_id = json_get_string(item, "class"), *room_id = json_get_string(item, "room_id");
            if (class_id != NULL && room_id != NULL)
                json_object_set_new(guardians ? json_object_get(rooms, GUARDIANS_OF) : json_object_get(rooms, CLASS_OF),
                                    class_id, json_string(room_id));
        }
        free(next);
        next = json_get_string(reply, "next") != NULL ? xstrdup(json_get_string(reply, "next")) : NULL;
        json_decref(reply);
        text_finish(&path);
    }
    free(next);
    return good;
}

static bool load_class_rooms(struct sink_matrix *m)
{
    if (m->class_rooms != NULL && clock_mono_ms() < m->class_rooms_until_ms)
        return true;
    json_decref(m->class_rooms);
    m->class_rooms = json_pack("{s:{}, s:{}}", CLASS_OF, GUARDIANS_OF);
    m->class_rooms_until_ms = clock_mono_ms() + CLASS_ROOMS_MS;
    bool good = true;
    for (size_t i = 0; i < m->settings->n_schools; ++i)
        good = good && read_class_rooms(m, "class", m->settings->schools[i], m->class_rooms) &&
               read_class_rooms(m, "subject", m->settings->schools[i], m->class_rooms) &&
               read_class_rooms(m, GUARDIANS, m->settings->schools[i], m->class_rooms);
    if (good)
        return true;
    json_decref(m->class_rooms);
    m->class_rooms = NULL;
    return false;
}

enum matrix_answer sink_class_room(struct sink_matrix *m, const char *class_id, bool guardians, const char **room_id)
{
    struct text path = TEXT_INIT;
    enum matrix_answer answer = MATRIX_REFUSED;
    *room_id = NULL;
    if (!load_class_rooms(m))
        return MATRIX_NOT_NOW;
    const json_t *rooms = json_get_object(m->class_rooms, guardians ? GUARDIANS_OF : CLASS_OF);
    *room_id = class_id != NULL ? json_get_string(rooms, class_id) : NULL;
    if (*room_id != NULL) {
        text_adds(&path, "/join/");
        text_add_percent(&path, *room_id);
        answer = matrix_call(&m->client, "POST", path.data, json_object(), NULL);
    }
    text_finish(&path);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

static enum matrix_answer tell_room_of(struct telling *t, const char *class_id, bool guardians)
{
    const char *room_id;
    enum matrix_answer answer = sink_class_room(t->m, class_id, guardians, &room_id);
    if (answer == MATRIX_DONE)
        sink_tell_room(t, room_id, NULL);
    else if (answer == MATRIX_REFUSED && room_id != NULL)
        sink_stays(t, room_id); /* the bot is not named for it any more */
    return answer;
}

void sink_tell_class(struct telling *t, const char *class_id)
{
    enum matrix_answer answer = tell_room_of(t, class_id, false);
    if (answer != MATRIX_DONE)
        outcome_note(&t->outcome, answer);
    if (t->notice->kind != RECORD_LESSON)
        return;
    answer = tell_room_of(t, class_id, true);
    if (answer != MATRIX_DONE && answer != MATRIX_REFUSED)
        outcome_note(&t->outcome, answer);
}
