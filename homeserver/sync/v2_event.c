#include "homeserver/sync/v2_event.h"

#include <jansson.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/sync_service.h"

static void add_pdu(struct text *out, struct sync_gather *gather, const struct event_row *row)
{
    struct pdu_row pdu;
    const struct sync_service *sync = gather->sync;
    if (pdu_row_load(&pdu, gather->db, sync->names, sync->key, sync->server_name, row->pos))
        pdu_add_text(out, &pdu.pdu, PDU_WHOLE);
    else
        text_adds(out, "{}");
    pdu_row_finish(&pdu);
}

static void add_client_event(struct text *out, struct sync_gather *gather, const struct event_row *row,
                             const struct visibility *visibility, bool related)
{
    struct render how = {
        .db = gather->db,
        .names = gather->sync->names,
        .now_ms = gather->now_ms,
        .viewer = gather->request->user,
        .device = gather->request->device,
        .visibility = visibility,
        .ignored = &gather->ignored,
        .plain = visibility == NULL || !related,
    };
    render_event(out, &how, row);
}

void v2_add_event(struct text *out, struct sync_gather *gather, const struct event_row *row,
                  const struct visibility *visibility, bool related)
{
    const struct filter *filter = gather->request->filter;
    struct text event = TEXT_INIT;
    if (filter->format == FILTER_FORMAT_CLIENT && !filter->fields.present) {
        add_client_event(out, gather, row, visibility, related);
        return;
    }
    if (filter->format == FILTER_FORMAT_FEDERATION)
        add_pdu(&event, gather, row);
    else
        add_client_event(&event, gather, row, visibility, related);
    json_t *whole = json_loadb(event.data, event.len, 0, NULL), *picked = filter_pick_fields(filter, whole);
    json_add_canonical(out, picked);
    json_decref(picked);
    json_decref(whole);
    text_finish(&event);
}
