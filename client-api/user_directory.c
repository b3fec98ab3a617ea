/* Searching for people (Client-Server API, "User Directory"). */
#include "homeserver/accounts/user_directory.h"
#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/db.h"

#define PEOPLE_DEFAULT 10
#define PEOPLE_MAX 50

static bool search_users(struct request *r)
{
    struct people_search search = {.asker = r->identity.user, .server_name = r->server->config->server_name};
    struct text out = TEXT_INIT;
    int64_t limit;
    if (!body_string(r, "search_term", &search.term) || !body_int_or(r, "limit", PEOPLE_DEFAULT, &limit))
        return false;
    search.school_mode = room_access_school_mode(r);
    search.limit = limit < 1 ? 1 : limit > PEOPLE_MAX ? PEOPLE_MAX : (size_t)limit;
    db_begin_read(r->db);
    user_directory_render(&out, r->db, &search);
    db_end_read(r->db);
    return reply_text(r, &out);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/user_directory/search", search_users, ROUTE_AUTH | ROUTE_BODY, RATE_READ,
     "searchUserDirectory"},
};
const struct routes USER_DIRECTORY_ROUTES = ROUTES(TABLE);
