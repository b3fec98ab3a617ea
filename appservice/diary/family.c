#include "appservice/diary/family.h"

#include "appservice/diary/fetch.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"

static enum matrix_answer ask(const struct matrix_client *client, const char *path, const char *user_id, json_t **reply)
{
    struct text whole = TEXT_INIT;
    text_addf(&whole, "/_parta/v1/%s", path);
    fetch_escape(&whole, user_id);
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
    if (answer == MATRIX_DONE)
        *found = json_pack("{s:O?, s:O?, s:I}", "person", person, "guardianships", guardianships, "until_ms",
                           (json_int_t)until_ms);
    json_decref(person);
    json_decref(guardianships);
    return answer;
}

enum matrix_answer families_ask(struct families *families, const struct matrix_client *client, const char *child,
                                struct family *family)
{
    json_t *found = json_object_get(families->held, child);
    if (found == NULL || json_get_int(found, "until_ms", 0) <= clock_mono_ms()) {
        enum matrix_answer answer = ask_anew(client, child, &found);
        if (answer != MATRIX_DONE)
            return answer;
        if (families->held == NULL || json_object_size(families->held) >= FAMILIES_MAX) {
            families_finish(families);
            families->held = json_object();
        }
        json_object_set_new(families->held, child, found);
    }
    family->person = json_object_get(found, "person");
    family->guardianships = json_object_get(found, "guardianships");
    return MATRIX_DONE;
}

void families_finish(struct families *families)
{
    json_decref(families->held);
    families->held = NULL;
}
