#include "policy/api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/idempotency.h"
#include "policy/gate/reason.h"

/* --- Who calls --- */

bool api_caller(struct request *r, struct actor *out)
{
    const char *reason = r->headers[HEADER_OVERRIDE_REASON];
    *out = (struct actor){
        .user = r->identity.user, .name = r->identity.name, .scopes = r->identity.scopes, .override_ = reason};
    if (r->identity.kind == NULL)
        return refuse(r, ERROR_MISSING_TOKEN, NULL);
    return reason == NULL || reason_valid(reason) ||
           refuse_parameter(
               r, ERROR_INVALID_PARAM, "Parta-Override-Reason",
               "Parta-Override-Reason says why in at least 10 letters: percent-encoded UTF-8, at most 1000 "
               "bytes.");
}

bool api_proven(struct request *r)
{
    return r->identity.user == 0 || uia_pass(r, proof_flow(r), 1, NULL, NULL);
}

static bool school_mode(const struct request *r)
{
    return rooms_settings(r->server->rooms)->school_mode;
}

bool api_may(struct request *r, const struct actor *actor, enum act act, const struct subject *subject)
{
    return school_gate(r->db, school_mode(r), actor, act, subject, NULL, NULL, &r->error);
}

bool api_shows(struct request *r, const struct actor *actor, enum act act, const struct subject *subject)
{
    struct error ignored;
    return school_gate(r->db, school_mode(r), actor, act, subject, NULL, NULL, &ignored);
}

/* --- Versions --- */

static void set_etag(struct request *r, int64_t version)
{
    char etag[32];
    snprintf(etag, sizeof etag, "\"%lld\"", (long long)version);
    if (version != 0)
        reply_header(r, "etag", etag);
}

bool api_reply_versioned(struct request *r, json_t *value, int64_t version)
{
    set_etag(r, version);
    return reply_json(r, value);
}

/* If-Match is one strong ETag as this API gives them, or "*". Who decides names the one that was shown. */
bool api_if_match(struct request *r, int64_t *version)
{
    const char *etag = r->headers[HEADER_IF_MATCH];
    char *end;
    *version = 0;
    if (etag == NULL || strcmp(etag, "*") == 0)
        return (r->route->flags & ROUTE_DECIDES) == 0 || refuse(r, ERROR_VERSION_NEEDED, NULL);
    errno = 0;
    if (etag[0] == '"' && etag[1] >= '1' && etag[1] <= '9')
        *version = strtoll(etag + 1, &end, 10);
    return (*version > 0 && errno == 0 && strcmp(end, "\"") == 0) ||
           refuse_parameter(r, ERROR_INVALID_PARAM, "If-Match", "If-Match is not the ETag of a reply of this API.");
}

/* --- Writing --- */

struct writing {
    struct request *r;
    struct actor actor;
    int64_t if_version;
    api_act_fn *fn;
    void *state;
    struct idempotent once;
    struct idempotent_reply reply;
};

static bool write_job(struct tx *tx, void *arg, struct error *e)
{
    struct writing *w = arg;
    struct request *r = w->r;
    bool done;
    if (!credential_recheck(r, tx->db, e))
        return false;
    if (!idempotent_find(tx->db, &w->once, &done, &w->reply, e) || done)
        return done;
    struct api_act act = {
        .records = {tx, r->server->rooms, &w->actor, e}, .r = r, .if_version = w->if_version, .status = 200};
    bool acted = w->fn(&act, w->state);
    if (acted) {
        if (act.reply == NULL)
            act.reply = json_object();
        json_add_canonical(&w->reply.body, act.reply);
        w->reply.status = act.status;
        w->reply.version = act.version;
    }
    json_decref(act.reply);
    return acted && idempotent_keep(tx, &w->once, &w->reply);
}

bool api_write(struct request *r, api_act_fn *act, void *state)
{
    struct writing w = {.r = r, .fn = act, .state = state};
    if ((r->route->flags & ROUTE_PROVES) != 0 && r->identity.user != 0 && !r->proven) /* no handler forgets it */
        return refuse(r, ERROR_UNKNOWN, "This is not done without proof of who asks.");
    if (!api_caller(r, &w.actor) || !api_if_match(r, &w.if_version) || !idempotent_begin(r, w.actor.name, &w.once))
        return false;
    bool written = request_strict(r) && writer_run(r->server->writer, write_job, &w, &r->error);
    if (written) {
        set_etag(r, w.reply.version);
        reply_text(r, &w.reply.body);
        reply_status(r, w.reply.status);
    }
    text_finish(&w.reply.body);
    return written;
}

/* --- Decoding --- */

bool api_not_there(struct error *e, enum api_kind kind)
{
    static const char *const SENTENCES[] = {[API_PERSON] = "There is no such person here.",
                                            [API_SCHOOL] = "There is no such school here.",
                                            [API_CLASS] = "There is no such class here.",
                                            [API_ROOM] = "There is no such room here."};
    return error_set(e, ERROR_NOT_FOUND, SENTENCES[kind]);
}

static bool is_operator(const struct request *r)
{
    return r->identity.kind != NULL && r->identity.user == 0;
}

/* D9: who is kept from somebody hears of them what is heard of nobody. The office knows that they are there, and hears
 * that somebody else sees to it (J4). */
static bool is_hidden(struct db *db, user_no who, user_no user)
{
    struct person_facts facts;
    if (!school_apart(db, who, user))
        return false;
    school_person_at(db, 0, who, user, &facts);
    return (facts.roles & ROLE_ADMINISTRATOR) == 0;
}

static bool knows(struct db *db, user_no who, user_no user)
{
    return who == user || (viewer_knows(db, who, user) && !is_hidden(db, who, user));
}

user_no api_user(struct request *r, struct db *db, const char *user_id, struct error *e)
{
    const char *server = rooms_settings(r->server->rooms)->server_name;
    user_no user = users_by_id(db, server, user_id);
    bool known = user != 0 && (r->identity.user == 0 ? is_operator(r) : knows(db, r->identity.user, user));
    return known || api_not_there(e, API_PERSON) ? user : 0;
}

school_no api_school(struct request *r, struct db *db, const char *sourced_id, struct error *e)
{
    school_no school = schools_by_sourced_id(db, sourced_id);
    bool known = school != 0 && (r->identity.user == 0 ? is_operator(r) : viewer_is_in(db, r->identity.user, school));
    return known || api_not_there(e, API_SCHOOL) ? school : 0;
}

class_no api_class(struct request *r, struct db *db, const char *sourced_id, struct error *e)
{
    class_no class = classes_by_sourced_id(db, sourced_id);
    bool known = class != 0 && (r->identity.user == 0 ? is_operator(r)
                                                      : viewer_is_in(db, r->identity.user, school_of_class(db, class)));
    return known || api_not_there(e, API_CLASS) ? class : 0;
}

room_no api_room(struct request *r, struct db *db, const char *room_id, struct error *e)
{
    room_no room = rooms_by_id(db, room_id);
    bool known = room != 0 && (r->identity.user == 0 ? is_operator(r) : viewer_knows_room(db, r->identity.user, room));
    return known || api_not_there(e, API_ROOM) ? room : 0;
}

int64_t api_number(const char *text)
{
    char *end;
    errno = 0;
    long long n = text[0] >= '1' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
    return n > 0 && errno == 0 && *end == '\0' ? n : 0;
}

/* --- Members of bodies and replies --- */

bool api_day(struct request *r, const char *key, const char *text, school_day *out)
{
    *out = day_from(text);
    return *out >= 0 || refuse_parameter(r, ERROR_INVALID_PARAM, key, "A day is written like 2026-09-01.");
}

bool api_body_day(struct request *r, const char *key, school_day otherwise, school_day *out)
{
    const char *text;
    *out = otherwise;
    return body_string_or(r, key, "", &text) && (*text == '\0' || api_day(r, key, text, out));
}

bool api_query_day(struct request *r, const char *key, school_day otherwise, school_day *out)
{
    const char *text = query_get(r, key);
    *out = otherwise;
    return text == NULL || api_day(r, key, text, out);
}

bool api_body_name(struct request *r, const char *key, bool required, const char **out)
{
    if (!(required ? body_string(r, key, out) : body_string_or(r, key, "", out)))
        return false;
    return (!required && **out == '\0') || name_valid(*out, NAME_BYTES_MAX) ||
           refuse_parameter(r, ERROR_INVALID_PARAM, key, NAME_SENTENCE);
}

void api_set(json_t *object, const char *key, const char *value)
{
    if (value != NULL && *value != '\0')
        json_object_set_new(object, key, json_string(value));
}

void api_set_ms(json_t *object, const char *key, int64_t ms)
{
    if (ms != 0)
        json_object_set_new(object, key, json_integer(ms));
}

void api_set_days(json_t *object, school_day begin, school_day end)
{
    char day[DAY_TEXT_BYTES];
    if (begin != DAY_EVER)
        api_set(object, "begin", day_text(begin, day));
    if (end != DAY_NEVER)
        api_set(object, "end", day_text(end, day));
}

json_t *api_user_id(struct request *r, const char *localpart)
{
    const char *server = rooms_settings(r->server->rooms)->server_name;
    return localpart != NULL ? json_sprintf("@%s:%s", localpart, server) : json_null();
}

json_t *api_lines(const struct text *lines, size_t bytes_max, int64_t *left_out)
{
    json_t *array = json_array();
    const char *start = lines->data != NULL ? lines->data : "", *end = start + lines->len, *newline;
    *left_out = 0;
    for (const char *at = start; at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1)
        if ((size_t)(newline - start) > bytes_max)
            ++*left_out;
        else
            json_array_append_new(array, json_stringn(at, (size_t)(newline - at)));
    return array;
}
