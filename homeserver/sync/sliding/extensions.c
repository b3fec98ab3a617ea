#include "homeserver/sync/sliding/extensions.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/read/subscribed_threads.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/section.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_ephemeral.h"
#include "homeserver/sync/v2_room.h"

#define OF_ROOMS (1u << SLIDING_ACCOUNT_DATA | 1u << SLIDING_RECEIPTS | 1u << SLIDING_TYPING)

static bool is_on(const struct sliding_answer *a, enum sliding_extension_kind kind)
{
    return a->ask->extensions[kind].enabled;
}

/* Since when the client has been told without a gap; 0: it has not. */
static stream_pos told_since(const struct sliding_answer *a, enum sliding_extension_kind kind)
{
    return a->base != NULL ? a->base->extensions[kind] : 0;
}

bool sliding_extensions_begin(struct sliding_answer *a)
{
    bool begins = false;
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i) {
        enum sliding_extension_kind kind = (enum sliding_extension_kind)i;
        bool anew = is_on(a, kind) && told_since(a, kind) == 0;
        a->next->extensions[kind] = !is_on(a, kind) ? 0 : anew ? a->gather.upto : told_since(a, kind);
        begins |= anew && (OF_ROOMS & 1u << kind) != 0;
    }
    if (is_on(a, SLIDING_ACCOUNT_DATA) && told_since(a, SLIDING_ACCOUNT_DATA) == 0 && a->since != 0)
        sync_gather_whole_account_data(&a->gather);
    return begins;
}

/* Rooms. */

/* From where on the client is told of the room: what it has of the room it has of the extension, if that was on. */
static stream_pos room_since_of(const struct sliding_answer *a, const struct sliding_room *room,
                                enum sliding_extension_kind kind)
{
    stream_pos since = told_since(a, kind);
    return since != 0 && room->had >= since ? room->had : 0;
}

static bool speaks_of(const struct sliding_answer *a, const struct sliding_room *room, enum sliding_extension_kind kind)
{
    const struct sliding_extension *extension = &a->ask->extensions[kind];
    const struct sliding_plan *plan = room->plan;
    bool speaks = plan->subscribed && sliding_extension_wants_room(extension, room->data.room_id);
    for (size_t i = 0; !speaks && i < a->ask->n_lists; ++i)
        speaks = (plan->lists[i / 64] & UINT64_C(1) << i % 64) != 0 &&
                 sliding_extension_wants_list(extension, a->ask->lists[i].name);
    return extension->enabled && speaks;
}

static struct text *open_room(struct sliding_answer *a, enum sliding_extension_kind kind, const char *room_id)
{
    struct text *out = &a->extensions[kind];
    if (out->len != 0)
        text_addc(out, ',');
    text_add_json(out, room_id);
    text_addc(out, ':');
    return out;
}

/* One event a room, so that of two receipts of somebody's for one event, the one of no thread stands for both. */
static int by_event(const void *a, const void *b)
{
    const struct receipt_row *x = a, *y = b;
    int order = strcmp(x->event_id, y->event_id);
    if (order == 0)
        order = strcmp(x->type, y->type);
    if (order == 0)
        order = (x->user > y->user) - (x->user < y->user);
    return order != 0 ? order : strcmp(x->thread, y->thread);
}

/* Of a room that the client has nothing of: what it can show, and its own. */
static bool is_shown(const struct sliding_answer *a, const struct sliding_room *room, const struct receipt_row *row,
                     bool whole)
{
    const struct event_rows *events = &room->data.timeline.events;
    bool shown = !whole || row->user == a->request.user;
    for (size_t i = 0; !shown && i < events->n; ++i)
        shown = strcmp(events->rows[i]->event_id, row->event_id) == 0;
    return shown;
}

static void add_receipts(struct sliding_answer *a, const struct sliding_room *room, struct receipt_rows *rows,
                         bool whole)
{
    struct text *out = NULL;
    const struct receipt_row *before = NULL;
    if (rows->n > 1)
        qsort(rows->rows, rows->n, sizeof *rows->rows, by_event);
    for (size_t i = 0; i < rows->n; ++i) {
        const struct receipt_row *row = &rows->rows[i];
        bool again = before != NULL && row->user == before->user && strcmp(row->type, before->type) == 0 &&
                     strcmp(row->event_id, before->event_id) == 0;
        if (again || !is_shown(a, room, row, whole))
            continue;
        if (out == NULL)
            out = open_room(a, SLIDING_RECEIPTS, room->data.room_id);
        v2_add_receipt(out, a->gather.sync->names, a->gather.db, before, row);
        before = row;
    }
    if (out != NULL)
        text_adds(out, V2_RECEIPTS_END);
}

static void add_account_data(struct sliding_answer *a, const struct sliding_room *room)
{
    struct account_data_items items;
    stream_pos since = room_since_of(a, room, SLIDING_ACCOUNT_DATA);
    bool all = a->since != 0 && since < a->since; /* beyond what was gathered */
    sync_gather_room_account_data(&a->gather, room->data.membership.room, all, &items);
    for (size_t i = 0; i < items.n; ++i) {
        if (i == 0) {
            struct text *out = open_room(a, SLIDING_ACCOUNT_DATA, room->data.room_id);
            text_addc(out, '[');
        } else
            text_addc(&a->extensions[SLIDING_ACCOUNT_DATA], ',');
        v2_add_account_data(&a->extensions[SLIDING_ACCOUNT_DATA], &items.items[i], NULL);
    }
    if (items.n != 0)
        text_addc(&a->extensions[SLIDING_ACCOUNT_DATA], ']');
    account_data_items_finish(&items);
}

void sliding_extensions_room(struct sliding_answer *a, const struct sliding_room *room)
{
    bool typing = speaks_of(a, room, SLIDING_TYPING), receipts = speaks_of(a, room, SLIDING_RECEIPTS);
    if (speaks_of(a, room, SLIDING_ACCOUNT_DATA))
        add_account_data(a, room);
    for (int i = 0; i < 2; ++i) {
        enum sliding_extension_kind kind = i == 0 ? SLIDING_TYPING : SLIDING_RECEIPTS;
        struct room_data data = {.membership = room->data.membership,
                                 .room_id = room->data.room_id,
                                 .since = room_since_of(a, room, kind),
                                 .upto = room->data.upto};
        if (kind == SLIDING_TYPING ? !typing : !receipts)
            continue;
        room_ephemeral_gather(&a->gather, &data);
        if (typing && kind == SLIDING_TYPING && data.typists.changed)
            v2_add_typing(open_room(a, SLIDING_TYPING, room->data.room_id), a->gather.sync->names, a->gather.db,
                          &data.typists);
        if (receipts && (kind == SLIDING_RECEIPTS || data.since == room_since_of(a, room, SLIDING_RECEIPTS))) {
            add_receipts(a, room, &data.receipts, data.since == 0);
            receipts = false;
        }
        room_data_finish(&data);
    }
}

/* Sections of /sync. */

static const struct sync_section *section_of(const struct sync_service *sync, const char *key)
{
    for (size_t i = 0; i < sync->n_sections; ++i)
        if (sync->sections[i]->key != NULL && !sync->sections[i]->of_rooms && strcmp(sync->sections[i]->key, key) == 0)
            return sync->sections[i];
    return NULL;
}

/* Appends what the section has to tell since then: the members of its object. Whether there is any. */
static bool add_section(struct text *out, struct sliding_answer *a, const struct sync_section *section,
                        stream_pos since)
{
    if (section == NULL)
        return false;
    void *data = xcalloc(1, section->data_bytes + 1);
    a->request.since = since;
    bool told = section->gather(&a->gather, data);
    if (told) {
        section->write(out, &a->gather, data);
        a->news |= section->has_news == NULL || section->has_news(data);
    }
    if (section->finish != NULL)
        section->finish(data);
    free(data);
    return told;
}

#define BEFORE_EVENTS (sizeof "\"events\":" - 1) /* bytes before the list in a section of nothing but events */

/* "to_device": where the client goes on from it says itself. */
static void add_to_device(struct text *out, struct sliding_answer *a)
{
    const char *since = a->ask->extensions[SLIDING_TO_DEVICE].since;
    struct incarnations *in = writer_incarnations(a->gather.sync->writer);
    stream_pos pos = 0;
    if (since != NULL && (token_parse(since, in, a->request.user, &pos) != TOKEN_GOOD || pos > a->gather.upto))
        pos = 0;
    device_memory_delivered(a->gather.sync->devices, a->gather.sync->writer, a->request.device, pos);
    struct text events = TEXT_INIT;
    text_adds(out, "\"next_batch\":\"");
    token_add(out, in, a->request.user, a->gather.upto);
    text_addc(out, '"');
    if (add_section(&events, a, section_of(a->gather.sync, "to_device"), pos)) {
        text_addc(out, ',');
        text_add(out, events.data, events.len);
    } else
        text_adds(out, ",\"events\":[]");
    text_finish(&events);
}

static void add_e2ee(struct text *out, struct sliding_answer *a)
{
    stream_pos since = told_since(a, SLIDING_E2EE) != 0 ? a->since : 0;
    struct text lists = TEXT_INIT;
    add_section(out, a, &DEVICE_KEYS_SECTION, since);
    if (add_section(&lists, a, section_of(a->gather.sync, "device_lists"), since)) {
        text_adds(out, ",\"device_lists\":{");
        text_add(out, lists.data, lists.len);
        text_addc(out, '}');
    }
    text_finish(&lists);
}

static void add_own_account_data(struct text *out, struct sliding_answer *a)
{
    stream_pos since = told_since(a, SLIDING_ACCOUNT_DATA) != 0 ? a->since : 0;
    struct text events = TEXT_INIT;
    if (add_section(&events, a, section_of(a->gather.sync, "account_data"), since)) {
        text_adds(out, "\"global\":");
        text_add(out, events.data + BEFORE_EVENTS, events.len - BEFORE_EVENTS);
    }
    text_finish(&events);
}

/* "io.element.msc4308.thread_subscriptions": the latest changes; a client pages back over the others. */
static void add_threads(struct text *out, struct sliding_answer *a)
{
    stream_pos rest;
    const struct sync_gather *g = &a->gather;
    const struct subscribed_threads_query query = {.school_mode = rooms_settings(g->sync->rooms)->school_mode,
                                                   .user = a->request.user,
                                                   .user_id = a->request.user_id,
                                                   .after = told_since(a, SLIDING_THREADS) != 0 ? a->since : 0,
                                                   .upto = g->upto,
                                                   .limit = a->ask->extensions[SLIDING_THREADS].limit};
    subscribed_threads_add(out, g->db, &query, &rest);
    a->news |= out->len != 0;
    if (rest == 0)
        return;
    text_adds(out, out->len != 0 ? ",\"prev_batch\":\"" : "\"prev_batch\":\"");
    token_add(out, writer_incarnations(g->sync->writer), a->request.user, rest);
    text_addc(out, '"');
    a->news = true;
}

static const struct {
    const char *name;
    void (*add)(struct text *out, struct sliding_answer *a); /* its members beside those of rooms; NULL: none */
} EXTENSIONS[SLIDING_EXTENSION__COUNT] = {
    [SLIDING_TO_DEVICE] = {"to_device", add_to_device},
    [SLIDING_E2EE] = {"e2ee", add_e2ee},
    [SLIDING_ACCOUNT_DATA] = {"account_data", add_own_account_data},
    [SLIDING_RECEIPTS] = {"receipts", NULL},
    [SLIDING_TYPING] = {"typing", NULL},
    [SLIDING_THREADS] = {"io.element.msc4308.thread_subscriptions", add_threads},
};

void sliding_extensions_write(struct text *out, struct sliding_answer *a)
{
    bool any = false;
    text_adds(out, ",\"extensions\":{");
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i) {
        struct text members = TEXT_INIT, *rooms = &a->extensions[i];
        if (!is_on(a, (enum sliding_extension_kind)i))
            continue;
        if (EXTENSIONS[i].add != NULL)
            EXTENSIONS[i].add(&members, a);
        if (rooms->len != 0) {
            text_adds(&members, members.len != 0 ? ",\"rooms\":{" : "\"rooms\":{");
            text_add(&members, rooms->data, rooms->len);
            text_addc(&members, '}');
            a->news = true;
        }
        if (members.len != 0) {
            text_adds(out, any ? "," : "");
            text_add_json(out, EXTENSIONS[i].name);
            text_adds(out, ":{");
            text_add(out, members.data, members.len);
            text_addc(out, '}');
            any = true;
        }
        text_finish(&members);
    }
    text_addc(out, '}');
}

void sliding_extensions_write_idle(struct text *out, struct sync_service *sync, const struct sync_request *request,
                                   bool e2ee)
{
    const struct sync_gather gather = {.sync = sync, .request = request, .upto = request->since};
    struct text members = TEXT_INIT;
    text_adds(out, ",\"extensions\":{");
    if (e2ee && DEVICE_KEYS_SECTION.write_idle != NULL) {
        DEVICE_KEYS_SECTION.write_idle(&members, &gather);
        size_t comma = members.len != 0 && members.data[0] == ',';
        text_adds(out, "\"e2ee\":{");
        text_add(out, members.len != 0 ? members.data + comma : "", members.len - comma);
        text_addc(out, '}');
    }
    text_finish(&members);
    text_addc(out, '}');
}
