/* Дневник.ру's Partners API (api.dnevnik.ru/v2, its Swagger): an application's token of the school in Access-Token,
 * lists by class and days, no pages. Of each class: who is in it, its lessons with their works, marks, and log entries
 * (absences) by subject; where lessons are (schedules) is answered of one pupil and their subgroups only, so a few of
 * the class are asked for, always the same, until all lessons are known. An id comes as a number that may be too long
 * for a program, and as text beside it ("id_str", "personStr"): the text counts, where it is there. The password of
 * nobody is asked for. */
#include "appservice/diary/dnevnik.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/diaries.h"
#include "appservice/diary/fetch.h"
#include "homeserver/base/json.h"
#include "homeserver/base/secret.h"

#define WHO "Дневник.ру"
#define GROUPS_MAX 400
#define ID_BYTES 64
#define SCHEDULES_MAX 8 /* of a class: more subgroups than that at once has hardly any */

/* --- Values --- */

/* An id as text: member_str or memberStr, else the number. "": there is none. */
static const char *id_of(const json_t *item, const char *member, char out[ID_BYTES])
{
    static const char *const ENDS[] = {"_str", "Str"};
    char name[ID_BYTES];
    for (size_t i = 0; i < 2; ++i) {
        snprintf(name, sizeof name, "%s%s", member, ENDS[i]);
        const char *text = json_get_string(item, name);
        if (text != NULL && *text != '\0' && strlen(text) < ID_BYTES - 8)
            return strcpy(out, text);
    }
    const json_t *number = json_object_get(item, member);
    const char *text = json_string_value(number);
    if (json_is_integer(number) && json_integer_value(number) != 0)
        snprintf(out, ID_BYTES, "%lld", (long long)json_integer_value(number));
    else if (text != NULL && strlen(text) < ID_BYTES - 8)
        strcpy(out, text);
    else
        *out = '\0';
    return out;
}

static const char *string_of(const json_t *item, const char *member)
{
    const char *s = json_get_string(item, member);
    return s != NULL ? s : "";
}

/* Calls take for each of a list that is an answer by itself. */
static bool each(const char *body, size_t len, struct reading *reading, void *group,
                 void (*take)(struct reading *reading, void *group, const json_t *item))
{
    struct error e;
    json_t *list = json_parse(body, len, &e), *item;
    bool good = json_is_array(list);
    size_t i;
    json_array_foreach(list, i, item) {
        if (json_is_object(item))
            take(reading, group, item);
        else
            reading_fault(reading, NULL, "no object");
    }
    json_decref(list);
    return good;
}

void dnevnik_group_init(struct dnevnik_group *group, const char *id, const char *name, const char *link)
{
    *group = (struct dnevnik_group){.id = id,
                                    .name = name,
                                    .link = link,
                                    .lessons = json_object(),
                                    .items = json_object(),
                                    .works = json_object(),
                                    .subjects = json_object(),
                                    .persons = json_array(),
                                    .plans = json_object()};
}

void dnevnik_group_finish(struct dnevnik_group *group)
{
    json_decref(group->lessons);
    json_decref(group->items);
    json_decref(group->works);
    json_decref(group->subjects);
    json_decref(group->persons);
    json_decref(group->plans);
}

/* --- Who is in it --- */

static void take_person(struct reading *reading, void *arg, const json_t *item)
{
    const struct dnevnik_group *group = arg;
    char id[ID_BYTES];
    if (*id_of(item, "id", id) != '\0')
        json_array_append_new(group->persons, json_string(id));
    reading_add_person(reading, &(struct diary_person){.id = id,
                                                       .family_name = string_of(item, "lastName"),
                                                       .given_name = string_of(item, "firstName"),
                                                       .middle_name = string_of(item, "middleName"),
                                                       .birth_date = record_day(json_get_string(item, "birthday")),
                                                       .class_title = group->name});
}

bool dnevnik_take_persons(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len)
{
    return each(body, len, reading, group, take_person);
}

/* --- Lessons and their works --- */

static void take_work(struct reading *reading, struct dnevnik_group *group, const json_t *work, const char *lesson_day,
                      const char *subject)
{
    char id[ID_BYTES], name[ID_BYTES + 8];
    const char *type = string_of(work, "type"), *target = json_get_string(work, "targetDate");
    bool homework = strcmp(type, "Homework") == 0;
    if (*id_of(work, "id", id) == '\0') {
        reading_fault(reading, NULL, "a work without an id");
        return;
    }
    json_object_set_new(group->works, id, json_string(string_of(work, "text")));
    if (!homework || *string_of(work, "text") == '\0')
        return;
    snprintf(name, sizeof name, "work-%s", id);
    reading_add(reading, &(struct record){.kind = RECORD_HOMEWORK,
                                          .id = name,
                                          .group = group->id,
                                          .subject = subject,
                                          .day = record_day(target != NULL ? target : lesson_day),
                                          .comment = string_of(work, "text"),
                                          .link = group->link,
                                          .updated_ms = record_moment(json_get_string(work, "sentDate"))});
}

static void take_lesson(struct reading *reading, void *arg, const json_t *item)
{
    struct dnevnik_group *group = arg;
    char id[ID_BYTES], subject_id[ID_BYTES];
    const json_t *subject = json_get_object(item, "subject");
    const char *title = string_of(subject, "name"), *date = json_get_string(item, "date");
    json_t *works = json_get_array(item, "works");
    if (*id_of(item, "id", id) == '\0') {
        reading_fault(reading, NULL, "a lesson without an id");
        return;
    }
    json_object_set_new(group->lessons, id, json_string(title));
    if (json_object_get(group->items, id) == NULL)
        json_object_set_new(group->items, id, json_array());
    json_array_append(json_object_get(group->items, id), (json_t *)item);
    if (*id_of(subject, "id", subject_id) != '\0')
        json_object_set_new(group->subjects, subject_id, json_string(title));
    for (size_t i = 0; i < json_array_size(works); ++i)
        take_work(reading, group, json_array_get(works, i), date, title);
}

bool dnevnik_take_lessons(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len)
{
    return each(body, len, reading, group, take_lesson);
}

static void take_plans(struct reading *reading, struct dnevnik_group *group, const json_t *day)
{
    const json_t *lessons = json_get_array(day, "lessons");
    char id[ID_BYTES];
    size_t i;
    json_t *item;
    json_array_foreach(lessons, i, item) {
        bool ours = *id_of(item, "id", id) != '\0' && json_object_get(group->lessons, id) != NULL;
        if (ours && json_object_get(group->plans, id) == NULL)
            json_object_set_new(
                group->plans, id,
                json_pack("{s:s, s:s}", "place", string_of(item, "place"), "hours", string_of(item, "hours")));
        else if (!json_is_object(item))
            reading_fault(reading, NULL, "no object");
    }
}

bool dnevnik_take_schedule(struct reading *reading, struct dnevnik_group *group, const char *body, size_t len)
{
    struct error e;
    json_t *answer = json_parse(body, len, &e), *day;
    const json_t *days = json_is_array(answer) ? answer : json_get_array(answer, "days");
    bool good = days != NULL;
    size_t i;
    json_array_foreach(days, i, day)
        take_plans(reading, group, day);
    json_decref(answer);
    return good;
}

static void add_lesson(struct reading *reading, const struct dnevnik_group *group, const char *id, const json_t *item)
{
    char name[ID_BYTES + 8], number[16] = "";
    const json_t *plan = json_object_get(group->plans, id);
    const char *place = string_of(plan, "place"), *hours = string_of(plan, "hours");
    if (json_get_int(item, "number", 0) > 0)
        snprintf(number, sizeof number, "%lld", (long long)json_get_int(item, "number", 0));
    bool cancelled = strcmp(string_of(item, "status"), "Cancelled") == 0;
    snprintf(name, sizeof name, "lesson-%s", id);
    reading_add(reading, &(struct record){.kind = RECORD_LESSON,
                                          .id = name,
                                          .group = group->id,
                                          .subject = string_of(json_get_object(item, "subject"), "name"),
                                          .day = record_day(json_get_string(item, "date")),
                                          .value = cancelled        ? RECORD_CANCELLED
                                                   : *hours != '\0' ? hours
                                                                    : number,
                                          .comment = *place != '\0' ? place : string_of(item, "place"),
                                          .link = group->link});
}

void dnevnik_add_lessons(struct reading *reading, const struct dnevnik_group *group)
{
    const char *id;
    json_t *items, *item;
    size_t i;
    json_object_foreach(group->items, id, items) {
        json_array_foreach(items, i, item)
            add_lesson(reading, group, id, item); /* what comes twice, with two contents, is in doubt */
    }
}

size_t dnevnik_unplanned(const struct dnevnik_group *group)
{
    return json_object_size(group->lessons) - json_object_size(group->plans);
}

/* --- Marks and absences --- */

static void take_mark(struct reading *reading, void *arg, const json_t *item)
{
    const struct dnevnik_group *group = arg;
    char id[ID_BYTES], name[ID_BYTES + 8], person[ID_BYTES], lesson[ID_BYTES], work[ID_BYTES];
    const char *pupil = id_of(item, "person", person), *text = string_of(item, "textValue");
    if (*id_of(item, "id", id) == '\0') {
        reading_fault(reading, NULL, "a mark without an id");
        return;
    }
    snprintf(name, sizeof name, "mark-%s", id);
    reading_add(reading, &(struct record){.kind = RECORD_MARK,
                                          .id = name,
                                          .pupils = &pupil,
                                          .n_pupils = *pupil != '\0',
                                          .group = group->id,
                                          .subject = json_get_string(group->lessons, id_of(item, "lesson", lesson)),
                                          .day = record_day(json_get_string(item, "date")),
                                          .value = *text != '\0' ? text : string_of(item, "value"),
                                          .work = json_get_string(group->works, id_of(item, "work", work)),
                                          .link = group->link});
}

bool dnevnik_take_marks(struct reading *reading, const struct dnevnik_group *group, const char *body, size_t len)
{
    return each(body, len, reading, (void *)group, take_mark);
}

static const char *absence_word(const char *status)
{
    static const char *const WORDS[][2] = {{"Absent", "absent"}, {"Ill", "ill"}, {"Late", "late"},
                                           {"Pass", "excused"},  {"Attend", ""}, {"NotSet", ""}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; ++i)
        if (strcmp(WORDS[i][0], status) == 0)
            return WORDS[i][1];
    return status;
}

static void take_log_entry(struct reading *reading, void *arg, const json_t *item)
{
    const struct dnevnik_group *group = arg;
    char name[2 * ID_BYTES + 16], person[ID_BYTES], lesson[ID_BYTES];
    const char *pupil = id_of(item, "person", person), *word = absence_word(string_of(item, "status"));
    if (*word == '\0') /* was there */
        return;
    snprintf(name, sizeof name, "absence-%s-%s", id_of(item, "lesson", lesson), pupil); /* it has no id of its own */
    reading_add(reading, &(struct record){.kind = RECORD_ABSENCE,
                                          .id = name,
                                          .pupils = &pupil,
                                          .n_pupils = *pupil != '\0' && *lesson != '\0',
                                          .group = group->id,
                                          .subject = json_get_string(group->lessons, lesson),
                                          .day = record_day(json_get_string(item, "createdDate")),
                                          .value = word,
                                          .comment = string_of(item, "comment"),
                                          .link = group->link,
                                          .updated_ms = record_moment(json_get_string(item, "createdDate"))});
}

bool dnevnik_take_log_entries(struct reading *reading, const struct dnevnik_group *group, const char *body, size_t len)
{
    return each(body, len, reading, (void *)group, take_log_entry);
}

/* --- Asking --- */

struct asking {
    struct source *source;
    struct rest_client client;
    struct reading *reading;
    struct text *problem;
    const char *header;
};

static bool get(struct asking *a, const char *what, const struct text *path, const char **body, size_t *len)
{
    struct text url = TEXT_INIT;
    text_addf(&url, "%s/%s", adapter_text(a->source, "url"), path->data);
    bool got = fetch_get(a->source, &a->client, what, url.data, &a->header, 1, body, len, a->problem);
    text_finish(&url);
    return got;
}

static bool no_list(struct asking *a, const char *what)
{
    return text_fail(a->problem, WHO "'s answer for %s is no list.", what);
}

/* As text, shorter ones first, as numbers are. */
static int by_number(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t x_len = strlen(x), y_len = strlen(y);
    return x_len != y_len ? (x_len > y_len) - (x_len < y_len) : strcmp(x, y);
}

/* Ids of those who are in the class, in an order that stays: heap, the array alone. Whatever is no number goes into no
 * path. */
static const char **in_order(const struct dnevnik_group *group, size_t *n)
{
    const char **ids = xcalloc(json_array_size(group->persons) + 1, sizeof *ids);
    size_t i;
    json_t *id;
    *n = 0;
    json_array_foreach(group->persons, i, id) {
        const char *text = json_string_value(id);
        if (strlen(text) <= 20 && strspn(text, "0123456789") == strlen(text))
            ids[(*n)++] = text;
    }
    qsort(ids, *n, sizeof *ids, by_number);
    return ids;
}

static bool read_schedule(struct asking *a, struct dnevnik_group *group, const char *person)
{
    char from[DAY_TEXT_BYTES], to[DAY_TEXT_BYTES];
    const char *body;
    size_t len;
    struct text path = TEXT_INIT;
    text_addf(&path, "persons/%s/groups/%s/schedules?startDate=%s&endDate=%s", person, group->id,
              day_text(a->reading->window.from, from), day_text(a->reading->window.to, to));
    bool good = get(a, "a schedule", &path, &body, &len);
    text_finish(&path);
    if (!good && a->client.reply.status == 404) { /* they have left since the list was read */
        text_clear(a->problem);
        return true;
    }
    return good && (dnevnik_take_schedule(a->reading, group, body, len) ||
                    text_fail(a->problem, WHO "'s answer for a schedule has no days."));
}

static bool read_schedules(struct asking *a, struct dnevnik_group *group)
{
    size_t n;
    bool good = true;
    const char **persons = in_order(group, &n);
    for (size_t i = 0; good && i < n && i < SCHEDULES_MAX && dnevnik_unplanned(group) != 0; ++i)
        good = read_schedule(a, group, persons[i]);
    free(persons);
    return good;
}

static bool read_lists(struct asking *a, struct dnevnik_group *group)
{
    static const struct {
        const char *what, *path;
        bool days;
    } LISTS[] = {{"persons", "persons", false}, {"lessons", "lessons", true}, {"marks", "marks", true}};
    char from[DAY_TEXT_BYTES], to[DAY_TEXT_BYTES];
    const char *body;
    size_t len;
    bool good = true;
    for (size_t i = 0; good && i < sizeof LISTS / sizeof *LISTS; ++i) {
        struct text path = TEXT_INIT;
        text_addf(&path, "edu-groups/%s/%s", group->id, LISTS[i].path);
        if (LISTS[i].days)
            text_addf(&path, "/%s/%s", day_text(a->reading->window.from, from), day_text(a->reading->window.to, to));
        good = get(a, LISTS[i].what, &path, &body, &len);
        text_finish(&path);
        if (!good)
            break;
        good = i == 0   ? dnevnik_take_persons(a->reading, group, body, len)
               : i == 1 ? dnevnik_take_lessons(a->reading, group, body, len)
                        : dnevnik_take_marks(a->reading, group, body, len);
        good = good || no_list(a, LISTS[i].what);
    }
    return good;
}

static bool read_log_entries(struct asking *a, struct dnevnik_group *group)
{
    char from[DAY_TEXT_BYTES], to[DAY_TEXT_BYTES];
    const char *subject, *body;
    json_t *name;
    size_t len;
    bool good = true;
    json_object_foreach(group->subjects, subject, name) {
        struct text path = TEXT_INIT;
        text_addf(&path, "lesson-log-entries/group/%s?subject=%s&from=%s&to=%s", group->id, subject,
                  day_text(a->reading->window.from, from), day_text(a->reading->window.to, to));
        good = good && get(a, "log entries", &path, &body, &len) &&
               (dnevnik_take_log_entries(a->reading, group, body, len) || no_list(a, "log entries"));
        text_finish(&path);
    }
    return good;
}

static bool read_group(struct asking *a, const char *id)
{
    struct error e;
    const char *body;
    size_t len;
    struct text path = TEXT_INIT;
    if (*id == '\0' || strlen(id) > 20 || strspn(id, "0123456789") != strlen(id)) /* it goes into a path */
        return text_fail(a->problem, "dnevnik.groups holds what is no number.");
    text_addf(&path, "edu-groups/%s", id);
    bool good = get(a, "a class", &path, &body, &len);
    json_t *answer = good ? json_parse(body, len, &e) : NULL;
    text_finish(&path);
    if (good && !json_is_object(answer))
        good = text_fail(a->problem, WHO "'s answer for a class is no object.");
    struct dnevnik_group group;
    dnevnik_group_init(&group, id, string_of(answer, "name"), adapter_text(a->source, "link"));
    good = good && read_lists(a, &group) && (!adapter_flag(a->source, "absences") || read_log_entries(a, &group)) &&
           (!adapter_flag(a->source, "schedules") || read_schedules(a, &group));
    dnevnik_add_lessons(a->reading, &group);
    dnevnik_group_finish(&group);
    json_decref(answer);
    return good;
}

static bool fetch(struct source *source, struct reading *reading, struct text *problem)
{
    size_t n;
    char *const *groups = adapter_list(source, "groups", &n);
    char *token = adapter_secret(source, "token_file", problem);
    struct text header = TEXT_INIT;
    if (token == NULL)
        return false;
    text_addf(&header, "Access-Token: %s", token);
    struct asking a = {source, fetch_client(source, WHO), reading, problem, header.data};
    bool good = n <= GROUPS_MAX || text_fail(problem, "dnevnik.groups has more than %d classes.", GROUPS_MAX);
    for (size_t i = 0; good && i < n; ++i)
        good = read_group(&a, groups[i]);
    rest_client_finish(&a.client);
    secret_free(text_take(&header));
    secret_free(token);
    return good;
}

static const struct adapter_setting SETTINGS[] = {
    {"token_file", ADAPTER_SECRET_FILE, NULL},
    {"groups", ADAPTER_LIST, NULL},
    {"url", ADAPTER_URL, "https://api.dnevnik.ru/v2"},
    {"link", ADAPTER_URL, OPTIONAL},
    {"absences", ADAPTER_FLAG, "true"},
    {"schedules", ADAPTER_FLAG, "false"},
    {"ids", ADAPTER_TEXT, "own"},
};
const struct adapter DNEVNIK_ADAPTER = {
    .name = "dnevnik",
    .settings = SETTINGS,
    .n_settings = sizeof SETTINGS / sizeof *SETTINGS,
    .fetch = fetch,
};
