/* Client-Server API, "Filtering". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/user_path.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/read/filter.h"

struct put {
    user_no user;
    const char *definition;
    int64_t filter_no;
};

static bool put_job(struct tx *tx, void *arg, struct error *e)
{
    struct put *put = arg;
    return filters_put(tx, put->user, put->definition, &put->filter_no);
}

/* A definition that is known already needs no write: clients upload theirs at every start. */
static bool keep(struct request *r, char *definition, int64_t *filter_no)
{
    struct put put = {r->identity.user, definition, 0};
    *filter_no = filters_find(r->db, put.user, definition);
    if (*filter_no != 0)
        return true;
    bool ok = writer_run(r->server->writer, put_job, &put, &r->error);
    *filter_no = put.filter_no;
    return ok;
}

static bool post_filter(struct request *r)
{
    if (!user_path_own(r))
        return false;
    if (r->raw_body_len > FILTER_BYTES_MAX)
        return refuse(r, ERROR_TOO_LARGE, "The filter is too large.");
    struct filter *checked = filter_parse(r->body, &r->error);
    if (checked == NULL)
        return false;
    filter_unref(checked);
    int64_t filter_no;
    char *definition = json_canonical(r->body), id[24];
    bool ok = keep(r, definition, &filter_no);
    free(definition);
    snprintf(id, sizeof id, "%" PRId64, filter_no);
    return ok && reply_json(r, json_pack("{s:s}", "filter_id", id));
}

static bool get_filter(struct request *r)
{
    if (!user_path_own(r))
        return false;
    const char *id = r->params[1]; /* the number in decimal, and nothing that only reads like it */
    size_t digits = strspn(id, "0123456789");
    bool is_id = digits > 0 && digits < 19 && id[digits] == '\0' && id[0] != '0';
    char *definition = is_id ? filters_get(r->db, r->identity.user, strtoll(id, NULL, 10)) : NULL;
    if (definition == NULL)
        return refuse(r, ERROR_NOT_FOUND, "There is no such filter.");
    struct text body = TEXT_INIT;
    text_adds(&body, definition);
    free(definition);
    return reply_text(r, &body);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/user/{userId}/filter", post_filter, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "defineFilter"},
    {HTTP_GET, "/_matrix/client/v3/user/{userId}/filter/{filterId}", get_filter, ROUTE_AUTH, RATE_NONE, "getFilter"},
};
const struct routes FILTER_ROUTES = ROUTES(TABLE);
