/* The audit log (J2): paged, and as the file that `parta audit verify` takes. */
#include <limits.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/audit.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
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
        return refuse_parameter(r, ERROR_MISSING_PARAM, "school", "Say of which school.");
    if (school_id != NULL && (*school = api_school(r, r->db, school_id, &r->error)) == 0)
        return false;
    return api_may(r, actor, ACT_AUDIT, &(struct subject){.school = *school});
}

static void read_entry(struct api_listing *l, struct api_row *out)
{
    struct audit_row row;
    struct error ignored;
    if (!audit_next(l->rows, &row))
        return;
    out->no = row.seq;
    out->about[0] = ABOUT_NOBODY; /* whom an entry names its reader knows */
    if (!audit_reader_sees(l->state, &row))
        return;
    out->item = json_pack("{s:o*, s:o}", "entry", json_parse(row.entry, strlen(row.entry), &ignored), "hash",
                          json_base64(row.hash, AUDIT_HASH_BYTES));
}

/* ?school=&act=&actor=&newest=true; from: the number of the last entry seen. */
static bool list_entries(struct request *r)
{
    struct api_listing l;
    const char *act = query_get(r, "act"), *by = query_get(r, "actor");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_OF_ONE_PLACE))
        return false;
    struct audit_query query = {.school = l.school,
                                .act = act != NULL ? act : "",
                                .actor = by != NULL ? by : "",
                                .after = l.after,
                                .limit = INT_MAX};
    if (!api_may(r, &l.actor, ACT_AUDIT, &(struct subject){.school = l.school}) ||
        !query_bool(r, "newest", false, &query.newest_first))
        return false;
    struct audit_reader reader;
    audit_reader_init(&reader, r->db, rooms_settings(r->server->rooms)->server_name,
                      rooms_settings(r->server->rooms)->school_mode, l.actor.user);
    l.state = &reader;
    bool done = api_list_end(&l, audit_query(r->db, &query), read_entry);
    audit_reader_finish(&reader);
    return done;
}

static bool get_export(struct request *r)
{
    struct actor actor;
    school_no school;
    struct text lines = TEXT_INIT;
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    if (!readable_part(r, &actor, &school))
        return false;
    struct audit_reader reader;
    audit_reader_init(&reader, r->db, settings->server_name, settings->school_mode, actor.user);
    bool done =
        audit_export(r->db, settings->key, settings->server_name, school, &reader, &lines) && reply_text(r, &lines);
    audit_reader_finish(&reader);
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
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    struct audit_reader reader;
    audit_reader_init(&reader, r->db, settings->server_name, settings->school_mode, actor.user);
    audit_head_text(r->db, school, &reader, &head);
    audit_reader_finish(&reader);
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
