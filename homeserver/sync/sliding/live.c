#include "homeserver/sync/sliding/live.h"

#include <string.h>

#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/sliding/extensions.h"
#include "homeserver/sync/sliding/room.h"
#include "homeserver/sync/sync_service.h"

struct live {
    struct sync_service *sync;
    const struct wake *wake;
    const struct sliding_asker *asker;
    const struct connection_state *base;
    struct connection_state *next;
    struct sync_request request; /* as sync/fast_path.h asks: who, the limit, which members are known */
    struct filter filter;
    struct text rooms;
};

static void add_number(struct text *out, const char *key, int64_t value)
{
    text_adds(out, key);
    text_add_int(out, value);
}

/* As sliding/write.c has it of a room with nothing but messages. */
static void add_room(struct live *l, const struct fast_told *told, const struct text *events)
{
    struct text *out = &l->rooms;
    if (out->len != 0)
        text_addc(out, ',');
    text_add(out, told->head, told->head_len);
    add_number(out, "\"bump_stamp\":", told->came_ms);
    text_adds(out, ",\"timeline\":[");
    text_add(out, events->data, events->len);
    text_adds(out, "],\"prev_batch\":\"");
    token_add(out, writer_incarnations(l->sync->writer), l->asker->user, l->base->upto);
    add_number(out, "\",\"num_live\":", (int64_t)told->n_events);
    add_number(out, ",\"notification_count\":", told->sum.notify);
    add_number(out, ",\"highlight_count\":", told->sum.highlight);
    text_addc(out, '}');
}

static bool take_room(struct live *l, int index)
{
    struct fast_told told;
    struct text events = TEXT_INIT;
    struct connection_room *room = index >= 0 ? connection_state_room(l->next, l->wake->rooms[index].room) : NULL;
    bool ok = room != NULL && room->membership == MEMBERSHIP_JOIN && room->sent == CONNECTION_UPTO &&
              fast_path_room(l->sync, l->wake, index, &l->request, l->asker->device, room->gap, &events, &told) &&
              sliding_bumps(told.type);
    if (ok) {
        size_t have = room->have + told.n_events;
        room->have = (uint16_t)(have < UINT16_MAX ? have : UINT16_MAX);
        room->activity = told.pos;
        add_room(l, &told, &events);
    }
    text_finish(&events);
    return ok;
}

static void write(struct text *out, struct live *l)
{
    const char *txn_id = l->next->txn_id;
    const struct sync_request request = {
        .user = l->asker->user, .device = l->asker->device, .user_id = l->asker->user_id, .since = l->next->upto};
    text_adds(out, "{\"pos\":");
    text_add_json(out, l->next->pos);
    if (txn_id != NULL) {
        text_adds(out, ",\"txn_id\":");
        text_add_json(out, txn_id);
    }
    text_adds(out, l->next->counts);
    text_adds(out, ",\"rooms\":{");
    text_add(out, l->rooms.data, l->rooms.len);
    text_addc(out, '}');
    sliding_extensions_write_idle(out, l->sync, &request, (l->next->interest & INTEREST_KEYS) != 0);
    text_addc(out, '}');
}

static void set_pos(struct live *l, int64_t connection)
{
    struct text pos = TEXT_INIT;
    l->next->upto = l->wake->pos;
    token_add_pos(&pos, writer_incarnations(l->sync->writer), l->asker->user, connection,
                  &(struct token_pos){l->next->upto, l->next->more});
    if (pos.len < sizeof l->next->pos)
        memcpy(l->next->pos, pos.data, pos.len + 1);
    text_finish(&pos);
}

/* All of the person's rooms in the wake, or nothing. */
static bool take_rooms(struct live *l, size_t first, size_t last)
{
    bool ok = true;
    l->filter = (struct filter){.timeline.all = true, .timeline.limit = l->base->limit, .state.all = true};
    l->filter.state.lazy_load_members = l->base->lazy;
    l->request = (struct sync_request){.user = l->asker->user,
                                       .device = l->base->members,
                                       .user_id = l->asker->user_id,
                                       .since = l->base->upto,
                                       .filter = &l->filter};
    for (size_t i = first; ok && i < last; ++i)
        ok = take_room(l, l->wake->items[i].room);
    return ok;
}

bool sliding_live_answer(struct sync_service *sync, const struct wake *wake, const struct sliding_asker *asker,
                         stream_pos since, const char *pos, struct text *out)
{
    int64_t connection;
    ptrdiff_t at = wake_find(wake, asker->user);
    if (wake->fragments == NULL || at < 0 || wake->before[at] > since || wake->first_pos <= since)
        return false;
    struct connection_state *base =
        connections_hold(sync->connections, sliding_owner(asker), pos, asker->body, &connection);
    struct live l = {.sync = sync, .wake = wake, .asker = asker, .base = base};
    bool ok = base != NULL && base->live && base->limit != 0 && !base->to_device;
    if (ok) {
        l.next = connection_state_copy(base);
        ok = take_rooms(&l, wake->first[at], wake->first[at + 1]);
    }
    if (ok) {
        set_pos(&l, connection);
        write(out, &l);
        connections_put(sync->connections, sliding_owner(asker), connection, base, l.next);
        l.next = NULL;
    }
    connection_state_unref(l.next);
    connection_state_unref(base);
    text_finish(&l.rooms);
    return ok;
}
