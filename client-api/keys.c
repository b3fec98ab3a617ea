/* Device keys, one-time keys, and who has new ones (Client-Server API, "End-to-End Encryption",
 * "Key management API"). */
#include "client-api/keys_common.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/keys/device_keys.h"
#include "homeserver/keys/device_lists.h"
#include "homeserver/keys/one_time.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/user_names.h"

static bool post_upload(struct request *r)
{
    int64_t left;
    const struct keys_caller caller = keys_caller_of(r);
    if (caller.device_id == NULL) /* an application service that named none */
        return refuse(r, ERROR_INVALID_PARAM, "Keys are of a device, and none was named (device_id).");
    if (!keys_upload(&caller, r->db, r->body, &left, &r->error))
        return false;
    return reply_json(
        r, json_pack("{s:{s:I}}", "one_time_key_counts", ONE_TIME_ALGORITHM, (json_int_t)(left >> KEY_COUNTS_SHIFT)));
}

/* The member of the body that says whom it is about; NULL: r->error is set. timeout is for other
 * servers: there are none. */
static const json_t *body_people(struct request *r, const char *key)
{
    json_t *people;
    if (!body_object_or_null(r, key, &people))
        return NULL;
    if (people == NULL)
        refuse_parameter(r, ERROR_MISSING_PARAM, key, "The body does not say whom it is about.");
    return people;
}

static bool post_query(struct request *r)
{
    struct text out = TEXT_INIT;
    const struct keys_caller caller = keys_caller_of(r);
    const json_t *people = body_people(r, "device_keys");
    bool done = people != NULL && keys_query(&caller, r->db, people, &out, &r->error) && reply_text(r, &out);
    text_finish(&out);
    return done;
}

static bool post_claim(struct request *r)
{
    struct text out = TEXT_INIT;
    const struct keys_caller caller = keys_caller_of(r);
    const json_t *people = body_people(r, "one_time_keys");
    bool done = people != NULL && keys_claim(&caller, people, &out, &r->error) && reply_text(r, &out);
    text_finish(&out);
    return done;
}

static bool read_token(struct request *r, const char *name, stream_pos *out)
{
    const char *token = query_get(r, name);
    if (token == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, name, "A token of /sync is needed.");
    enum token said = token_parse(token, writer_incarnations(r->server->writer), r->identity.user, out);
    return said != TOKEN_NONE || refuse_parameter(r, ERROR_INVALID_PARAM, name, "This is no token of yours.");
}

static json_t *user_ids(struct request *r, const user_no *users, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; ++i)
        json_array_append_new(list, json_string(user_names_get(r->server->names, r->db, users[i])));
    return list;
}

struct unseen {
    struct request *r;
    struct member_set *set;
};

static const struct member_set *unseen_of(void *arg)
{
    struct unseen *unseen = arg;
    const struct request *r = unseen->r;
    return unseen->set = gate_unseen(rooms_settings(r->server->rooms)->school_mode, r->db, r->identity.user);
}

/* Up to now, whatever `to` says: it is a hint. */
static bool get_changes(struct request *r)
{
    stream_pos from = 0, to = 0;
    struct device_lists lists;
    if (!read_token(r, "from", &from) || !read_token(r, "to", &to))
        return false;
    db_begin_read(r->db);
    struct unseen unseen = {.r = r};
    device_lists_since(r->db, r->identity.user, from, INT64_MAX, unseen_of, &unseen, &lists);
    db_end_read(r->db);
    json_t *reply = json_pack("{s:o, s:o}", "changed", user_ids(r, lists.changed, lists.n_changed), "left",
                              user_ids(r, lists.left, lists.n_left));
    device_lists_finish(&lists);
    member_set_unref(unseen.set);
    return reply_json(r, reply);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/keys/upload", post_upload, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "uploadKeys"},
    {HTTP_POST, "/_matrix/client/v3/keys/query", post_query, ROUTE_AUTH | ROUTE_BODY, RATE_READ, "queryKeys"},
    {HTTP_POST, "/_matrix/client/v3/keys/claim", post_claim, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "claimKeys"},
    {HTTP_GET, "/_matrix/client/v3/keys/changes", get_changes, ROUTE_AUTH, RATE_READ, "getKeysChanges"},
};
const struct routes KEYS_ROUTES = ROUTES(TABLE);
