#include "homeserver/rooms/rooms.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/recent.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/gate_cache.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

#define HOOKS_MAX 8
#define RECENT_EVENTS 1024
#define RECENT_BYTES (4 << 20)

struct rooms {
    struct rooms_settings settings;
    struct db *db; /* the writer's; NULL: no room has been opened yet */
    struct recent *recent_events;
    struct hook {
        rooms_hook *fn;
        void *self;
    } hooks[HOOKS_MAX];
    size_t n_hooks;
    struct gate_cache *gate_cache;
    struct room *cached; /* uthash keeps the order of insertion: the front was used longest ago */
    size_t n_states;     /* of all of them */
    int64_t generation;  /* rises when a job that changed rooms is rolled back: rooms of older ones are stale */
};

struct rooms *rooms_create(const struct rooms_settings *settings)
{
    struct rooms *rooms = xcalloc(1, sizeof *rooms);
    rooms->settings = *settings;
    rooms->recent_events = recent_create(RECENT_EVENTS, RECENT_BYTES);
    rooms->gate_cache = gate_cache_create();
    return rooms;
}

const struct rooms_settings *rooms_settings(const struct rooms *rooms)
{
    return &rooms->settings;
}

void rooms_add_hook(struct rooms *rooms, rooms_hook *fn, void *self)
{
    if (rooms->n_hooks == HOOKS_MAX)
        abort();
    rooms->hooks[rooms->n_hooks++] = (struct hook){fn, self};
}

bool rooms_run_hooks(const struct rooms *rooms, struct tx *tx, const struct new_event *event)
{
    for (size_t i = 0; i < rooms->n_hooks; ++i)
        if (!rooms->hooks[i].fn(rooms->hooks[i].self, tx, event))
            return false;
    return true;
}

struct gate_cache *rooms_gate_cache(const struct rooms *rooms)
{
    return rooms->gate_cache;
}

struct recent *rooms_recent_events(const struct rooms *rooms)
{
    return rooms->recent_events;
}

static void state_free(struct room *room, struct room_state *state)
{
    HASH_DEL(room->state, state);
    room->rooms->n_states -= state->weight;
    free(state->key);
    free(state->event_id);
    json_decref(state->content);
    free(state);
}

static void room_free(struct rooms *rooms, struct room *room)
{
    struct room_state *state, *next;
    HASH_DEL(rooms->cached, room);
    HASH_ITER(hh, room->state, state, next)
        state_free(room, state);
    member_set_unref(room->joined);
    free(room->room_id);
    free(room);
}

void rooms_destroy(struct rooms *rooms)
{
    if (rooms == NULL)
        return;
    while (rooms->cached != NULL)
        room_free(rooms, rooms->cached);
    gate_cache_destroy(rooms->gate_cache);
    recent_destroy(rooms->recent_events);
    free(rooms);
}

size_t rooms_states_cached(const struct rooms *rooms)
{
    return rooms->n_states;
}

static struct room *remember(struct rooms *rooms, struct tx *tx, struct room *room)
{
    room->rooms = rooms;
    room->serial = tx->serial;
    room->generation = rooms->generation;
    HASH_ADD(hh, rooms->cached, no, sizeof room->no, room);
    return room;
}

static void load_last(struct room *room, struct db *db)
{
    struct event_row row;
    struct stmt *q = events_backwards(db, room->no, 0, INT64_MAX, 1);
    if (events_next(q, &row)) {
        room->last_pos = row.pos;
        room->last_ts = event_received_ms(&row);
        room->depth = row.depth;
        strcpy(room->last_event_id, row.event_id);
        if (row.reference_hash != NULL)
            memcpy(room->last_reference, row.reference_hash, SHA256_BYTES);
    }
    stmt_end(q);
}

static struct room *load(struct rooms *rooms, struct tx *tx, room_no no)
{
    struct room_row row;
    struct stmt *q = rooms_get(tx->db, no);
    struct room *room = NULL;
    if (rooms_next(q, &row)) {
        room = xcalloc(1, sizeof *room);
        room->no = no;
        room->room_id = xstrdup(row.room_id);
        room->version = room_version_get(row.version);
        room->creator = row.creator;
    }
    stmt_end(q);
    if (room == NULL)
        return NULL;
    load_last(room, tx->db);
    return remember(rooms, tx, room);
}

/* The room as memory has it, unless that is stale: a number is used again after its room was rolled back. */
static struct room *fresh_room(struct rooms *rooms, struct tx *tx, room_no no)
{
    struct room *room;
    rooms->db = tx->db;
    /* Space first: rooms that this job uses stand at the back, and stay. */
    while ((HASH_COUNT(rooms->cached) >= ROOMS_CACHED || rooms->n_states >= STATES_CACHED) && rooms->cached != NULL &&
           rooms->cached->serial != tx->serial)
        room_free(rooms, rooms->cached);
    HASH_FIND(hh, rooms->cached, &no, sizeof no, room);
    if (room == NULL || room->generation == rooms->generation)
        return room;
    room_free(rooms, room);
    return NULL;
}

struct room *room_open(struct rooms *rooms, struct tx *tx, room_no no)
{
    struct room *room = fresh_room(rooms, tx, no);
    if (room == NULL)
        return load(rooms, tx, no);
    if (room->serial != tx->serial) { /* to the back of the queue */
        HASH_DEL(rooms->cached, room);
        room->serial = tx->serial;
        HASH_ADD(hh, rooms->cached, no, sizeof room->no, room);
    }
    return room;
}

struct room *room_open_by_id(struct rooms *rooms, struct tx *tx, const char *room_id, struct error *e)
{
    room_no no = rooms_by_id(tx->db, room_id);
    struct room *room = no != 0 ? room_open(rooms, tx, no) : NULL;
    if (room == NULL)
        error_set(e, ERROR_FORBIDDEN, "You are not in this room."); /* nobody learns which rooms exist */
    return room;
}

struct room *room_begin(struct rooms *rooms, struct tx *tx, room_no no, const char *room_id,
                        const struct room_version *version, user_no creator)
{
    fresh_room(rooms, tx, no); /* none, but the stale one goes */
    struct room *room = xcalloc(1, sizeof *room);
    room->no = no;
    room->room_id = xstrdup(room_id);
    room->version = version;
    room->creator = creator;
    room->joined = member_set_create(NULL, 0);
    remember(rooms, tx, room);
    room_touch(room, tx);
    return room;
}

/* "type\0state_key". */
struct state_name {
    char bytes[2 * (ID_BYTES_MAX + 1)];
    size_t len;
};

/* false: longer than an event may have it, so that there is no such state. */
static bool state_name_init(struct state_name *name, const char *type, const char *state_key)
{
    size_t type_len = strlen(type) + 1, key_len = strlen(state_key) + 1;
    if (type_len > ID_BYTES_MAX + 1 || key_len > ID_BYTES_MAX + 1)
        return false;
    name->len = type_len + key_len;
    memcpy(name->bytes, type, type_len);
    memcpy(name->bytes + type_len, state_key, key_len);
    return true;
}

static struct room_state *find_state(struct room *room, const struct state_name *name)
{
    struct room_state *state;
    HASH_FIND(hh, room->state, name->bytes, name->len, state);
    return state;
}

static void fill(struct room_state *state, struct room *room, struct db *db, const struct event_row *row)
{
    struct error ignored;
    const char *sender_id = user_names_get(room->rooms->settings.names, db, row->sender);
    if (sender_id == NULL)
        return; /* the database failed: as if there were none, until room_state_get forgets it */
    state->pos = row->pos;
    state->event_id = xstrdup(row->event_id);
    state->sender = row->sender;
    size_t len = strlen(row->content);
    state->weight += len / STATE_BYTES;
    state->content = json_parse(row->content, len, &ignored);
    if (row->reference_hash != NULL)
        memcpy(state->reference_hash, row->reference_hash, SHA256_BYTES);
    state->sender_id = sender_id;
    state->auth = (struct auth_event){state->event_id, state->sender_id, state->content};
}

static struct room_state *load_state(struct room *room, struct db *db, const struct state_name *name, const char *type,
                                     const char *state_key)
{
    struct room_state *state = xcalloc(1, sizeof *state);
    state->weight = 1;
    struct event_row row;
    struct stmt *q = events_state_get(db, room->no, type, state_key);
    if (events_next(q, &row))
        fill(state, room, db, &row);
    stmt_end(q);
    state->key = memcpy(xcalloc(name->len, 1), name->bytes, name->len);
    HASH_ADD_KEYPTR(hh, room->state, state->key, name->len, state);
    room->rooms->n_states += state->weight;
    return state;
}

const struct room_state *room_state_get(struct room *room, struct tx *tx, const char *type, const char *state_key)
{
    static const struct room_state NONE;
    struct state_name name;
    if (!state_name_init(&name, type, state_key))
        return &NONE;
    struct room_state *state = find_state(room, &name);
    if (state != NULL)
        return state;
    state = load_state(room, tx->db, &name, type, state_key);
    if (db_failed(tx->db))
        room_touch(room, tx); /* what could not be read is not there for this job alone */
    return state;
}

const json_t *room_state_content(struct room *room, struct tx *tx, const char *type, const char *state_key)
{
    return room_state_get(room, tx, type, state_key)->content;
}

const char *room_state_string(struct room *room, struct tx *tx, const char *type, const char *key)
{
    return json_get_string(room_state_content(room, tx, type, ""), key);
}

void room_forget_state(struct room *room, const char *type, const char *state_key)
{
    struct state_name name;
    struct room_state *state = state_name_init(&name, type, state_key) ? find_state(room, &name) : NULL;
    if (state != NULL)
        state_free(room, state);
}

void room_power(struct room *room, struct tx *tx, struct power *power)
{
    const struct room_state *create = room_state_get(room, tx, "m.room.create", "");
    power_init(power, room->version, create->sender_id, create->content,
               room_state_content(room, tx, "m.room.power_levels", ""));
}

struct member_set *room_joined(struct room *room, struct tx *tx)
{
    if (room->joined == NULL) {
        size_t n;
        user_no *users = memberships_users(tx->db, room->no, MEMBERSHIP_JOIN, &n);
        room->joined = member_set_create(users, n);
        if (db_failed(tx->db))
            room_touch(room, tx);
    }
    return room->joined;
}

void rooms_prepare_joined(struct rooms *rooms, struct tx *tx, room_no no)
{
    struct room *room = room_open(rooms, tx, no);
    if (room != NULL)
        room_joined(room, tx);
}

const struct room *rooms_peek(const struct rooms *rooms, room_no no)
{
    struct room *room;
    HASH_FIND(hh, rooms->cached, &no, sizeof no, room);
    return room != NULL && room->generation == rooms->generation && room->joined != NULL ? room : NULL;
}

struct db *rooms_db(const struct rooms *rooms)
{
    return rooms->db;
}

struct member_set *rooms_joined_now(struct rooms *rooms, room_no no)
{
    const struct room *room = rooms_peek(rooms, no);
    if (room != NULL || rooms->db == NULL)
        return room != NULL ? member_set_ref(room->joined) : NULL;
    size_t n;
    user_no *users = memberships_users(rooms->db, no, MEMBERSHIP_JOIN, &n);
    struct member_set *joined = member_set_create(users, n);
    if (!db_failed(rooms->db))
        return joined;
    member_set_unref(joined);
    return NULL;
}

/* Rolling back a change is rare (refusals come before it), and by then the room itself may be gone from memory: so all
 * rooms are read again. */
static void all_stale(void *arg)
{
    struct rooms *rooms = arg;
    rooms->generation += 1;
    recent_clear(rooms->recent_events);
}

void room_touch(struct room *room, struct tx *tx)
{
    if (room->touched != tx->serial)
        tx_on_rollback(tx, all_stale, room->rooms);
    room->touched = tx->serial;
}
