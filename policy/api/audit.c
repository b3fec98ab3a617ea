/* The audit log (J2): paged, and as the file that `parta audit verify` takes. */
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/audit.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/audit/audit.h"

/* ?school=: whose part; without, an operator's whole. */
static bool readable_part(struct request *r, struct actor *actor, school_no *school)
{
    const char *school_id = query_get(r, "school");
    *school = 0;
    if (!api_caller(r, actor))
        return false;
    if (school_id == NULL && actor->user != 0)
        return refuse(r, ERROR_MISSING_PARAM, "Say of which school.");
    if (school_id != NULL && (*school = api_school(r, r->db, school_id, &r->error)) == 0)
        return false;
    return api_may(r, actor, ACT_AUDIT, &(struct subject){.school = *school});
}

static json_t *entry_json(const struct audit_row *row)
{
    struct error ignored;
    json_t *entry = json_parse(row->entry, strlen(row->entry), &ignored);
    return json_pack("{s:o*, s:o}", "entry", entry, "hash", json_base64(row->hash, AUDIT_HASH_BYTES));
}

/* ?act=&actor=&newest=true; from: the number of the last entry seen. */
static bool list_entries(struct request *r)
{
    struct actor actor;
    struct api_page page;
    struct audit_row row;
    int n = 0;
    int64_t last = 0;
    const char *act = query_get(r, "act"), *by = query_get(r, "actor");
    struct audit_query query = {.act = act != NULL ? act : "", .actor = by != NULL ? by : ""};
    if (!readable_part(r, &actor, &query.school) || !api_page(r, &page) ||
        !query_bool(r, "newest", false, &query.newest_first))
        return false;
    query.after = page.after;
    query.limit = page.limit;
    json_t *items = json_array();
    struct stmt *q = audit_query(r->db, &query);
    for (; audit_next(q, &row); ++n, last = row.seq)
        json_array_append_new(items, entry_json(&row));
    stmt_end(q);
    return api_reply_list(r, items, n == page.limit ? last : 0);
}

static bool get_export(struct request *r)
{
    struct actor actor;
    school_no school;
    struct text lines = TEXT_INIT;
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    if (!readable_part(r, &actor, &school))
        return false;
    bool done = audit_export(r->db, settings->key, settings->server_name, school, &lines) && reply_text(r, &lines);
    if (done)
        r->reply.type = "application/x-ndjson";
    text_finish(&lines);
    return done || refuse(r, ERROR_UNKNOWN, NULL);
}

static bool get_head(struct request *r)
{
    struct actor actor;
    school_no school;
    struct text head = TEXT_INIT;
    if (!readable_part(r, &actor, &school))
        return false;
    audit_head_text(r->db, &head);
    json_t *reply = json_pack("{s:s}", "head", head.data);
    text_finish(&head);
    return reply_json(r, reply);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/audit", list_entries, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/audit/export", get_export, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/audit/head", get_head, ROUTE_CALLER, RATE_READ, NULL},
};
const struct routes API_AUDIT_ROUTES = ROUTES(TABLE);
