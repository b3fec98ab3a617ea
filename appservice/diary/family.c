#include "appservice/diary/family.h"

#include <string.h>

#include "appservice/diary/fetch.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/base/text.h"

#define IDS_MAX 100 /* that one request takes (docs/openapi.json) */
#define IDS_BYTES_MAX 4000

static enum matrix_answer ask(const struct matrix_client *client, const char *path, const char *user_id, json_t **reply)
{
    struct text whole = TEXT_INIT;
    text_addf(&whole, "/_parta/v1/%s", path);
    text_add_percent(&whole, user_id);
    enum matrix_answer answer = matrix_call(client, "GET", whole.data, NULL, reply);
    text_finish(&whole);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

static enum matrix_answer ask_anew(const struct matrix_client *client, const char *child, json_t **found)
{
    json_t *person = NULL, *guardianships = NULL;
    int64_t until_ms = clock_mono_ms() + FAMILY_HOLDS_MS; /* from before it was asked */
    enum matrix_answer answer = ask(client, "people/", child, &person);
    if (answer == MATRIX_DONE)
        answer = ask(client, "guardianships?limit=500&user_id=", child, &guardianships);
    if (answer == MATRIX_DONE &&
        (json_get_string(person, "user_id") == NULL || json_get_array(guardianships, "items") == NULL))
        answer = MATRIX_NOT_NOW; /* whatever that is, it does not say that the child has nobody */
    if (answer == MATRIX_DONE)
        *found = json_pack("{s:O?, s:O?, s:I}", "person", person, "guardianships", guardianships, "until_ms",
                           (json_int_t)until_ms);
    json_decref(person);
    json_decref(guardianships);
    return answer;
}

/* --- Several at once --- */

static bool add_id(struct text *ids, const char *user_id)
{
    if (ids->len > IDS_BYTES_MAX)
        return false;
    if (ids->len != 0)
        text_addc(ids, ',');
    text_add_percent(ids, user_id);
    return true;
}

/* The child, and as many of the expected as one request takes: {user id: null}, and as that parameter. */
static json_t *first_expected(const struct families *families, const char *child, struct text *ids)
{
    json_t *asked = json_object(), *none;
    const char *user_id;
    json_object_set_new(asked, child, json_null());
    add_id(ids, child);
    json_object_foreach(families->expected, user_id, none)
        if (json_object_size(asked) < IDS_MAX && strcmp(user_id, child) != 0 && add_id(ids, user_id))
            json_object_set_new(asked, user_id, json_null());
    return asked;
}

static enum matrix_answer ask_these(const struct matrix_client *client, const char *path, const struct text *ids,
                                    json_t **reply)
{
    struct text whole = TEXT_INIT;
    text_addf(&whole, "/_parta/v1/%s?user_ids=%s", path, ids->data);
    enum matrix_answer answer = matrix_call(client, "GET", whole.data, NULL, reply);
    text_finish(&whole);
    return answer;
}

/* {user id: {"person", "guardianships": {"items": []}, "until_ms"}} of an answer that has each of those who were asked
 * for and nobody else; NULL: it has not. */
static json_t *by_person(const json_t *people, const json_t *asked, int64_t until_ms)
{
    json_t *found = json_object(), *person;
    size_t i;
    json_array_foreach(json_get_array(people, "items"), i, person) {
        const char *user_id = json_get_string(person, "user_id");
        if (user_id != NULL && json_object_get(asked, user_id) != NULL)
            json_object_set_new(found, user_id,
                                json_pack("{s:O, s:{s:[]}, s:I}", "person", person, "guardianships", "items",
                                          "until_ms", (json_int_t)until_ms));
    }
    if (json_object_size(found) == json_object_size(asked) &&
        json_array_size(json_get_array(people, "items")) == json_object_size(asked))
        return found;
    json_decref(found);
    return NULL;
}

/* What is expected is held then, if all went well: otherwise each is asked for by themselves, and who cannot be told of
 * holds nobody up. */
static void ask_expected(struct families *families, const struct matrix_client *client, const char *child)
{
    struct text ids = TEXT_INIT;
    json_t *people = NULL, *guardianships = NULL, *found = NULL, *item;
    size_t i;
    const char *user_id;
    json_t *asked = first_expected(families, child, &ids);
    int64_t until_ms = clock_mono_ms() + FAMILY_HOLDS_MS; /* from before it was asked */
    bool good = ask_these(client, "people", &ids, &people) == MATRIX_DONE &&
                (found = by_person(people, asked, until_ms)) != NULL &&
                ask_these(client, "guardianships", &ids, &guardianships) == MATRIX_DONE &&
                json_get_array(guardianships, "items") != NULL;
    json_array_foreach(json_get_array(guardianships, "items"), i, item) {
        const char *of = json_get_string(item, "child");
        json_t *family = of != NULL && good ? json_object_get(found, of) : NULL;
        if (family != NULL) /* they come as somebody's guardian, too */
            json_array_append(json_get_array(json_get_object(family, "guardianships"), "items"), item);
    }
    if (good)
        json_object_update(families->held, found);
    json_object_foreach(asked, user_id, item)
        json_object_del(families->expected, user_id);
    json_decref(asked);
    json_decref(people);
    json_decref(guardianships);
    json_decref(found);
    text_finish(&ids);
}

/* --- What is held --- */

static json_t *held_now(const struct families *families, const char *child)
{
    json_t *found = json_object_get(families->held, child);
    return found != NULL && json_get_int(found, "until_ms", 0) > clock_mono_ms() ? found : NULL;
}

static void make_place(struct families *families)
{
    if (json_object_size(families->held) + IDS_MAX > FAMILIES_MAX) {
        json_decref(families->held);
        families->held = NULL;
    }
    if (families->held == NULL)
        families->held = json_object();
}

void families_expect(struct families *families, const char *child)
{
    if (families->expected == NULL)
        families->expected = json_object();
    json_object_set_new(families->expected, child, json_null());
}

enum matrix_answer families_ask(struct families *families, const struct matrix_client *client, const char *child,
                                struct family *family)
{
    json_t *found = held_now(families, child);
    json_object_del(families->expected, child);
    if (found == NULL) {
        make_place(families);
        if (json_object_size(families->expected) != 0)
            ask_expected(families, client, child);
        found = held_now(families, child);
    }
    if (found == NULL) {
        enum matrix_answer answer = ask_anew(client, child, &found);
        if (answer != MATRIX_DONE)
            return answer;
        json_object_set_new(families->held, child, found);
    }
    family->person = json_object_get(found, "person");
    family->guardianships = json_object_get(found, "guardianships");
    return MATRIX_DONE;
}

void families_finish(struct families *families)
{
    json_decref(families->held);
    json_decref(families->expected);
    *families = (struct families){0};
}
