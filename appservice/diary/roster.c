#include "appservice/diary/roster.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/casefold.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/outgoing/outgoing.h"

#define CLASSES_OF_PUPIL_MAX 32
#define PAGES_MAX 10000
#define TRIES 3

struct group {
    char *id, *title; /* title folded (fold_title) */
};

struct pupil {
    char *user_id, *sourced_id;
    char *family, *given, *middle; /* folded */
    school_day birth_date;
    size_t classes[CLASSES_OF_PUPIL_MAX], n_classes; /* after roster_end */
};

struct enrollment {
    char *user_id;
    size_t class_at;
};

struct roster {
    struct pupil *pupils; /* by sourced_id */
    size_t n_pupils, pupils_cap;
    struct group *classes; /* by id */
    size_t n_classes, classes_cap;
    struct enrollment *enrollments; /* until roster_end */
    size_t n_enrollments, enrollments_cap;
};

struct roster *roster_create(void)
{
    return xcalloc(1, sizeof(struct roster));
}

static void wipe(char *s)
{
    if (s != NULL)
        sodium_memzero(s, strlen(s));
    free(s);
}

static void wipe_pupil(struct pupil *pupil)
{
    char *const strings[] = {pupil->user_id, pupil->sourced_id, pupil->family, pupil->given, pupil->middle};
    for (size_t s = 0; s < sizeof strings / sizeof *strings; ++s)
        wipe(strings[s]);
}

static void drop_enrollments(struct roster *roster)
{
    for (size_t i = 0; i < roster->n_enrollments; ++i)
        free(roster->enrollments[i].user_id);
    free(roster->enrollments);
    roster->enrollments = NULL;
    roster->n_enrollments = roster->enrollments_cap = 0;
}

void roster_destroy(struct roster *roster)
{
    if (roster == NULL)
        return;
    for (size_t i = 0; i < roster->n_pupils; ++i)
        wipe_pupil(&roster->pupils[i]);
    for (size_t i = 0; i < roster->n_classes; ++i) {
        free(roster->classes[i].id);
        free(roster->classes[i].title);
    }
    drop_enrollments(roster);
    free(roster->pupils);
    free(roster->classes);
    free(roster);
}

/* --- Pages --- */

/* The page's items. NULL: it is none, or there are too many already. */
static json_t *open_page(const char *bytes, size_t len, char **next, json_t **page)
{
    struct error e;
    *next = NULL;
    *page = json_parse(bytes, len, &e);
    json_t *items = json_get_array(*page, "items");
    const char *more = json_get_string(*page, "next");
    if (items != NULL && more != NULL)
        *next = xstrdup(more);
    return items;
}

static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap != 0 ? 2 * *cap : 64;
    return xrealloc(items, *cap * size);
}

static bool is_pupil(const json_t *person)
{
    size_t i;
    json_t *role;
    json_array_foreach(json_get_array(person, "roles"), i, role) {
        const char *name = json_get_string(role, "role");
        if (name != NULL && strcmp(name, "pupil") == 0)
            return true;
    }
    return false;
}

static char *folded(const char *s)
{
    return casefold(s != NULL ? s : "");
}

static bool take_person(struct roster *roster, const json_t *person)
{
    const char *user_id = json_get_string(person, "user_id"), *sourced_id = json_get_string(person, "person");
    school_day birth = 0;
    if (json_get_string(person, "birth_date") != NULL)
        birth = day_from(json_get_string(person, "birth_date"));
    if (user_id == NULL || !json_is_object(person))
        return false;
    if (sourced_id == NULL || json_get_bool(person, "ended", false) || !is_pupil(person))
        return true;
    roster->pupils = grow(roster->pupils, roster->n_pupils, &roster->pupils_cap, sizeof *roster->pupils);
    roster->pupils[roster->n_pupils++] = (struct pupil){.user_id = xstrdup(user_id),
                                                        .sourced_id = xstrdup(sourced_id),
                                                        .family = folded(json_get_string(person, "family_name")),
                                                        .given = folded(json_get_string(person, "given_name")),
                                                        .middle = folded(json_get_string(person, "middle_name")),
                                                        .birth_date = birth > 0 ? birth : 0};
    return roster->n_pupils <= ROSTER_PEOPLE_MAX;
}

bool roster_take_people(struct roster *roster, const char *bytes, size_t len, char **next)
{
    json_t *page, *item, *items = open_page(bytes, len, next, &page);
    size_t i;
    bool good = items != NULL;
    json_array_foreach(items, i, item)
        good = good && take_person(roster, item);
    json_decref(page);
    return good;
}

/* "8 «А»", "8-А", "8а": people write a class in many ways. */
static char *fold_title(const char *title)
{
    char *out = folded(title), *to = out;
    static const char *const LEFT_OUT[] = {" ", "-", "\"", "'", ".", "«", "»", "–", "№"};
    for (const char *from = out; *from != '\0';) {
        size_t skip = 0;
        for (size_t i = 0; skip == 0 && i < sizeof LEFT_OUT / sizeof *LEFT_OUT; ++i)
            if (strncmp(from, LEFT_OUT[i], strlen(LEFT_OUT[i])) == 0)
                skip = strlen(LEFT_OUT[i]);
        if (skip == 0)
            *to++ = *from++;
        from += skip;
    }
    *to = '\0';
    return out;
}

static bool take_class(struct roster *roster, const json_t *item)
{
    const char *id = json_get_string(item, "class"), *title = json_get_string(item, "title");
    if (id == NULL || title == NULL)
        return false;
    if (json_get_bool(item, "ended", false))
        return true;
    roster->classes = grow(roster->classes, roster->n_classes, &roster->classes_cap, sizeof *roster->classes);
    roster->classes[roster->n_classes++] = (struct group){xstrdup(id), fold_title(title)};
    return roster->n_classes <= ROSTER_PEOPLE_MAX;
}

static int class_by_id(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return strcmp(x->id, y->id);
}

bool roster_take_classes(struct roster *roster, const char *bytes, size_t len, char **next)
{
    json_t *page, *item, *items = open_page(bytes, len, next, &page);
    size_t i;
    bool good = items != NULL;
    json_array_foreach(items, i, item)
        good = good && take_class(roster, item);
    if (good && *next == NULL && roster->n_classes != 0) /* the last: enrollments name their place */
        qsort(roster->classes, roster->n_classes, sizeof *roster->classes, class_by_id);
    json_decref(page);
    return good;
}

static const struct group *find_class(const struct roster *roster, const char *id)
{
    const struct group key = {.id = (char *)id};
    return roster->n_classes != 0 ? bsearch(&key, roster->classes, roster->n_classes, sizeof key, class_by_id) : NULL;
}

bool roster_take_enrollments(struct roster *roster, const char *class_id, const char *bytes, size_t len, char **next)
{
    json_t *page, *item, *items = open_page(bytes, len, next, &page);
    const struct group *class = find_class(roster, class_id);
    size_t i;
    bool good = items != NULL && class != NULL;
    json_array_foreach(items, i, item) {
        const char *user_id = json_get_string(item, "user_id"), *role = json_get_string(item, "role");
        good = good && user_id != NULL && role != NULL && roster->n_enrollments < 16 * ROSTER_PEOPLE_MAX;
        if (!good || strcmp(role, "pupil") != 0)
            continue;
        roster->enrollments =
            grow(roster->enrollments, roster->n_enrollments, &roster->enrollments_cap, sizeof *roster->enrollments);
        roster->enrollments[roster->n_enrollments++] =
            (struct enrollment){xstrdup(user_id), (size_t)(class - roster->classes)};
    }
    json_decref(page);
    return good;
}

static int enrollment_by_user(const void *a, const void *b)
{
    const struct enrollment *x = a, *y = b;
    return strcmp(x->user_id, y->user_id);
}

static int pupil_by_sourced_id(const void *a, const void *b)
{
    const struct pupil *x = a, *y = b;
    return strcmp(x->sourced_id, y->sourced_id);
}

static int pupil_by_user(const void *a, const void *b)
{
    const struct pupil *x = a, *y = b;
    return strcmp(x->user_id, y->user_id);
}

/* Who is a pupil of two schools is listed twice. They lie side by side. */
static void drop_twins(struct roster *roster)
{
    size_t n = 0;
    for (size_t i = 0; i < roster->n_pupils; ++i)
        if (n != 0 && strcmp(roster->pupils[n - 1].user_id, roster->pupils[i].user_id) == 0)
            wipe_pupil(&roster->pupils[i]);
        else
            roster->pupils[n++] = roster->pupils[i];
    roster->n_pupils = n;
}

void roster_end(struct roster *roster)
{
    size_t at = 0;
    if (roster->n_enrollments != 0)
        qsort(roster->enrollments, roster->n_enrollments, sizeof *roster->enrollments, enrollment_by_user);
    if (roster->n_pupils != 0)
        qsort(roster->pupils, roster->n_pupils, sizeof *roster->pupils, pupil_by_user);
    drop_twins(roster);
    for (size_t i = 0; i < roster->n_pupils; ++i) {
        struct pupil *pupil = &roster->pupils[i];
        for (; at < roster->n_enrollments && strcmp(roster->enrollments[at].user_id, pupil->user_id) < 0; ++at)
            ;
        for (; at < roster->n_enrollments && strcmp(roster->enrollments[at].user_id, pupil->user_id) == 0; ++at)
            if (pupil->n_classes < CLASSES_OF_PUPIL_MAX)
                pupil->classes[pupil->n_classes++] = roster->enrollments[at].class_at;
    }
    if (roster->n_pupils != 0)
        qsort(roster->pupils, roster->n_pupils, sizeof *roster->pupils, pupil_by_sourced_id);
    drop_enrollments(roster);
}

size_t roster_pupils(const struct roster *roster)
{
    return roster->n_pupils;
}

size_t roster_classes(const struct roster *roster)
{
    return roster->n_classes;
}

const char *roster_class_at(const struct roster *roster, size_t i)
{
    return roster->classes[i].id;
}

/* --- Looking up --- */

const char *roster_pupil(const struct roster *roster, const char *sourced_id)
{
    const struct pupil key = {.sourced_id = (char *)sourced_id}, *found = NULL;
    if (roster->n_pupils != 0)
        found = bsearch(&key, roster->pupils, roster->n_pupils, sizeof key, pupil_by_sourced_id);
    return found != NULL ? found->user_id : NULL;
}

const char *roster_class(const struct roster *roster, const char *sourced_id)
{
    const struct group *found = find_class(roster, sourced_id);
    return found != NULL ? found->id : NULL;
}

static bool in_class(const struct roster *roster, const struct pupil *pupil, const char *title)
{
    for (size_t i = 0; i < pupil->n_classes; ++i)
        if (strcmp(roster->classes[pupil->classes[i]].title, title) == 0)
            return true;
    return false;
}

const char *roster_by_rule(const struct roster *roster, const struct diary_person *person, const char **why)
{
    const struct pupil *found = NULL;
    size_t n = 0;
    *why = NULL;
    if (*person->family_name == '\0' || *person->given_name == '\0')
        *why = "the diary gives no family and given name";
    else if (person->birth_date <= 0)
        *why = "the diary gives no birth date";
    else if (*person->class_title == '\0')
        *why = "the diary gives no class";
    if (*why != NULL)
        return NULL;
    char *family = folded(person->family_name), *given = folded(person->given_name);
    char *middle = folded(person->middle_name), *title = fold_title(person->class_title);
    for (size_t i = 0; i < roster->n_pupils; ++i) {
        const struct pupil *pupil = &roster->pupils[i];
        if (pupil->birth_date != person->birth_date || strcmp(pupil->family, family) != 0 ||
            strcmp(pupil->given, given) != 0 ||
            (*middle != '\0' && *pupil->middle != '\0' && strcmp(pupil->middle, middle) != 0) ||
            !in_class(roster, pupil, title))
            continue;
        found = pupil;
        ++n;
    }
    char *const strings[] = {family, given, middle, title};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; ++i)
        wipe(strings[i]);
    if (n != 1)
        *why = n == 0 ? "no pupil of the roster has this name, birth date and class"
                      : "several pupils of the roster have this name, birth date and class";
    return n == 1 ? found->user_id : NULL;
}

/* --- Loading --- */

typedef bool take_page(struct roster *roster, const char *subject, const char *bytes, size_t len, char **next);

static bool take_people(struct roster *roster, const char *subject, const char *bytes, size_t len, char **next)
{
    (void)subject;
    return roster_take_people(roster, bytes, len, next);
}

static bool take_classes(struct roster *roster, const char *subject, const char *bytes, size_t len, char **next)
{
    (void)subject;
    return roster_take_classes(roster, bytes, len, next);
}

static bool get_page(const struct roster_api *api, const char *url, struct outgoing_reply *reply, struct text *problem)
{
    const struct outgoing_request request = {.what = "school-api",
                                             .url = url,
                                             .network = OUTGOING_ANY,
                                             .ca_file = api->ca_file,
                                             .bearer = api->token,
                                             .reply_max = ROSTER_PAGE_BYTES_MAX,
                                             .deadline_ms = INT64_MAX,
                                             .attempts_max = TRIES,
                                             .stop = api->stop};
    bool got = outgoing_call(api->outgoing, &request, NULL, NULL, reply);
    if (!got && reply->fault == OUTGOING_ANSWERED)
        text_addf(problem, "The school API answers with status %ld.", reply->status);
    else if (!got)
        text_addf(problem, "The school API can't be asked: %s.", reply->why != NULL ? reply->why : "no place");
    return got;
}

/* All pages of one list; path ends in "?" or "&". */
static bool load_list(const struct roster_api *api, struct roster *roster, const char *path, const char *subject,
                      take_page *take, struct text *problem)
{
    char *next = NULL;
    bool good = true;
    for (int i = 0; good && i < PAGES_MAX && (i == 0 || next != NULL); ++i) {
        struct outgoing_reply reply = {0};
        struct text url = TEXT_INIT;
        text_addf(&url, "%s/_parta/v1%slimit=500", api->url, path);
        if (next != NULL) {
            text_adds(&url, "&from=");
            text_add_percent(&url, next);
        }
        free(next);
        next = NULL;
        good = get_page(api, url.data, &reply, problem);
        if (good && !take(roster, subject, reply.body.data, reply.body.len, &next)) {
            text_adds(problem, "The school API's list is none that this program understands.");
            good = false;
        }
        sodium_memzero(reply.body.data, reply.body.data != NULL ? reply.body.len : 0);
        outgoing_reply_finish(&reply);
        text_finish(&url);
    }
    free(next);
    return good;
}

static bool load_school(const struct roster_api *api, struct roster *roster, const char *school, struct text *problem)
{
    struct text people = TEXT_INIT, classes = TEXT_INIT;
    text_adds(&people, "/people?role=pupil&school=");
    text_add_percent(&people, school);
    text_addc(&people, '&');
    text_adds(&classes, "/classes?school=");
    text_add_percent(&classes, school);
    text_addc(&classes, '&');
    bool good = load_list(api, roster, people.data, NULL, take_people, problem) &&
                load_list(api, roster, classes.data, NULL, take_classes, problem);
    text_finish(&people);
    text_finish(&classes);
    return good;
}

struct roster *roster_load(const struct roster_api *api, struct text *problem)
{
    struct roster *roster = roster_create();
    struct text path = TEXT_INIT;
    bool good = api->n_schools != 0;
    for (size_t i = 0; i < api->n_schools; ++i)
        good = good && load_school(api, roster, api->schools[i], problem);
    for (size_t i = 0; good && i < roster->n_classes; ++i) {
        text_clear(&path);
        text_adds(&path, "/classes/");
        text_add_percent(&path, roster->classes[i].id);
        text_adds(&path, "/enrollments?");
        good = load_list(api, roster, path.data, roster->classes[i].id, roster_take_enrollments, problem);
    }
    text_finish(&path);
    if (good) {
        roster_end(roster);
        return roster;
    }
    roster_destroy(roster);
    return NULL;
}
