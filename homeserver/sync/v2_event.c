#include "homeserver/sync/v2_event.h"

#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/rooms/read/event_fields.h"
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
    struct text event = TEXT_INIT, *to = filter->picks != NULL ? &event : out;
    if (filter->format == FILTER_FORMAT_FEDERATION)
        add_pdu(to, gather, row);
    else
        add_client_event(to, gather, row, visibility, related);
    if (filter->picks != NULL)
        event_fields_pick(filter->picks, event.data, event.len, out);
    text_finish(&event);
}
