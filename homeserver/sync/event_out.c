#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/composing.h"

void add_comma(struct text *out, size_t start)
{
    if (out->len != start)
        text_addc(out, ',');
}

static bool has_url(const char *content)
{
    if (strstr(content, "\"url\"") == NULL)
        return false;
    json_t *object = json_loads(content, 0, NULL);
    bool has = json_object_get(object, "url") != NULL;
    json_decref(object);
    return has;
}

bool event_wanted(struct room_view *view, const struct event_filter *filter, const struct event_row *row)
{
    if (filter->all)
        return true;
    const char *sender = user_names_get(view->c->syncer->names, view->c->db, row->sender);
    bool url = filter->contains_url != FILTER_URL_ANY && has_url(row->content);
    return filter_wants(filter, row->type, sender, view->room_id, url);
}

const struct visibility *view_visibility(struct room_view *view)
{
    const struct composing *c = view->c;
    if (view->visibility == NULL)
        view->visibility = visibility_load(c->db, view->room, c->ask->user, c->ask->user_id);
    return view->visibility;
}

/* Who is joined sees everything since they joined, and one always learns of one's own leaving. */
bool event_seen(struct room_view *view, const struct event_row *row)
{
    const struct membership_row *m = &view->membership;
    if (row->pos == m->pos || (m->membership == MEMBERSHIP_JOIN && row->pos >= m->joined_pos))
        return true;
    return visibility_allows(view_visibility(view), row->pos);
}

static void add_pdu(struct text *out, const struct composing *c, const struct event_row *row)
{
    struct pdu_row pdu;
    if (pdu_row_load(&pdu, c->db, c->syncer->names, c->syncer->key, c->syncer->server_name, row->pos))
        pdu_add_text(out, &pdu.pdu, PDU_WHOLE);
    else
        text_adds(out, "{}");
    pdu_row_finish(&pdu);
}

static void add_client_event(struct text *out, struct room_view *view, const struct event_row *row, bool in_timeline)
{
    struct composing *c = view->c;
    struct render how = {
        .db = c->db,
        .names = c->syncer->names,
        .now_ms = c->now_ms,
        .viewer = c->ask->user,
        .device = c->ask->device,
        .visibility = in_timeline ? view_visibility(view) : NULL,
        .ignored = &c->ignored,
        .plain = !in_timeline,
    };
    render_event(out, &how, row);
}

void event_out(struct text *out, struct room_view *view, const struct event_row *row, bool in_timeline)
{
    const struct filter *filter = view->c->filter;
    struct text event = TEXT_INIT;
    if (filter->format == FILTER_FORMAT_CLIENT && !filter->fields.present) {
        add_client_event(out, view, row, in_timeline);
        return;
    }
    if (filter->format == FILTER_FORMAT_FEDERATION)
        add_pdu(&event, view->c, row);
    else
        add_client_event(&event, view, row, in_timeline);
    json_t *whole = json_loadb(event.data, event.len, 0, NULL), *picked = filter_pick_fields(filter, whole);
    json_add_canonical(out, picked);
    json_decref(picked);
    json_decref(whole);
    text_finish(&event);
}
