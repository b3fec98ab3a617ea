#include "homeserver/sync/hub.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/sync/changed_rooms.h"
#include "homeserver/sync/recent_wakes.h"

#define LISTENERS_MAX 64
#define CHUNK 4096       /* numbers in a chunk */
#define CHUNKS (1 << 14) /* numbers beyond 64 million share the last one: they wake too often, never too seldom */

/* Positions (or moments) by number, of a user, of a room. Chunks come when first touched, and never go. Only the
 * writer's thread writes, but for moments. */
struct numbers {
    _Atomic(_Atomic stream_pos *) chunks[CHUNKS];
};

struct sync_hub {
    _Atomic stream_pos start; /* of whom no number is known */
    _Atomic stream_pos pos;
    stream_pos begun;             /* what start was first */
    _Atomic stream_pos lists;     /* of device lists, of whom no number of keys is known */
    _Atomic bool lists_looked_up; /* or somebody is about it */
    struct numbers users, own_data, keys, rooms, events;
    struct numbers awaited; /* hub_waits: until when, of a user */
    struct changed_rooms *changed;
    struct recent_wakes *recent;
    struct listener {
        hub_listener *fn;
        void *self;
    } listeners[LISTENERS_MAX];
    _Atomic int n_listeners;          /* raised when the entry is whole: the writer may be at work already */
    unsigned concerns[CHANGE__COUNT]; /* by kind: bits of enum hub_concerns */
    hub_preparer *prepare;
    void *preparer;
    hub_audience *audience;
    void *asked;
};

#define LAST_PLACE ((size_t)CHUNK * CHUNKS - 1)

static size_t place(int64_t number)
{
    return number < (int64_t)LAST_PLACE ? (size_t)number : LAST_PLACE;
}

static stream_pos number_get(const struct numbers *numbers, int64_t number, stream_pos otherwise)
{
    size_t at = place(number);
    _Atomic stream_pos *chunk = atomic_load_explicit(&numbers->chunks[at / CHUNK], memory_order_acquire);
    stream_pos pos = chunk != NULL ? chunk[at % CHUNK] : 0;
    return pos != 0 ? pos : otherwise;
}

static _Atomic stream_pos *number_at(struct numbers *numbers, int64_t number)
{
    size_t at = place(number);
    _Atomic stream_pos *chunk = atomic_load_explicit(&numbers->chunks[at / CHUNK], memory_order_acquire), *mine;
    if (chunk == NULL) {
        mine = xcalloc(CHUNK, sizeof *mine);
        if (atomic_compare_exchange_strong(&numbers->chunks[at / CHUNK], &chunk, mine))
            chunk = mine;
        else
            free(mine); /* somebody else was quicker, whose it is now */
    }
    return &chunk[at % CHUNK];
}

/* Returns what was there. */
static stream_pos number_raise(struct numbers *numbers, int64_t number, stream_pos pos, stream_pos otherwise)
{
    _Atomic stream_pos *at = number_at(numbers, number);
    stream_pos before = *at;
    *at = pos;
    return before != 0 ? before : otherwise;
}

static void numbers_finish(struct numbers *numbers)
{
    for (size_t i = 0; i < CHUNKS; ++i)
        free(numbers->chunks[i]);
}

struct sync_hub *hub_create(stream_pos start)
{
    struct sync_hub *hub = xcalloc(1, sizeof *hub);
    hub->start = start;
    hub->pos = start;
    hub->begun = start;
    hub->lists = start;
    hub->changed = changed_rooms_create(start);
    hub->recent = recent_wakes_create();
    return hub;
}

void hub_destroy(struct sync_hub *hub)
{
    if (hub == NULL)
        return;
    numbers_finish(&hub->users);
    numbers_finish(&hub->own_data);
    numbers_finish(&hub->keys);
    numbers_finish(&hub->rooms);
    numbers_finish(&hub->events);
    numbers_finish(&hub->awaited);
    recent_wakes_destroy(hub->recent);
    changed_rooms_destroy(hub->changed);
    free(hub);
}

void hub_listen(struct sync_hub *hub, hub_listener *fn, void *self)
{
    if (hub->n_listeners == LISTENERS_MAX)
        abort();
    hub->listeners[hub->n_listeners] = (struct listener){fn, self};
    hub->n_listeners += 1;
}

void hub_concern(struct sync_hub *hub, enum change_kind kind, unsigned concerns)
{
    hub->concerns[kind] |= concerns;
}

void hub_prepare(struct sync_hub *hub, hub_preparer *fn, void *self)
{
    hub->prepare = fn;
    hub->preparer = self;
}

void hub_ask(struct sync_hub *hub, hub_audience *fn, void *self)
{
    hub->audience = fn;
    hub->asked = self;
}

stream_pos hub_last_change(const struct sync_hub *hub, user_no user)
{
    return number_get(&hub->users, user, hub->start);
}

stream_pos hub_last_own_data(const struct sync_hub *hub, user_no user)
{
    return number_get(&hub->own_data, user, hub->start);
}

stream_pos hub_last_keys(const struct sync_hub *hub, user_no user)
{
    return number_get(&hub->keys, user, hub->start);
}

stream_pos hub_last_lists(const struct sync_hub *hub, user_no user)
{
    return number_get(&hub->keys, user, hub->lists);
}

bool hub_ask_lists(struct sync_hub *hub, stream_pos *start)
{
    *start = hub->begun;
    return !atomic_exchange(&hub->lists_looked_up, true);
}

void hub_learn_lists(struct sync_hub *hub, stream_pos pos)
{
    stream_pos start = hub->begun; /* else everybody's number was raised meanwhile */
    atomic_compare_exchange_strong(&hub->lists, &start, pos);
}

bool hub_knows_room(const struct sync_hub *hub, room_no room)
{
    return number_get(&hub->rooms, room, 0) != 0;
}

void hub_learn_room(struct sync_hub *hub, room_no room, stream_pos pos)
{
    stream_pos unknown = 0;
    if (place(room) == LAST_PLACE) /* of one of them only: to the others it would be too low */
        return;
    atomic_compare_exchange_strong(number_at(&hub->rooms, room), &unknown, pos);
}

stream_pos hub_room_last_change(const struct sync_hub *hub, room_no room)
{
    return number_get(&hub->rooms, room, hub->start);
}

stream_pos hub_room_last_event(const struct sync_hub *hub, room_no room)
{
    return number_get(&hub->events, room, hub->start);
}

bool hub_rooms_since(const struct sync_hub *hub, stream_pos since, room_no out[CHANGED_ROOMS_MAX], size_t *n)
{
    return changed_rooms_since(hub->changed, since, out, n);
}

void hub_waits(struct sync_hub *hub, user_no user, int64_t until_ms)
{
    _Atomic stream_pos *at = number_at(&hub->awaited, user);
    if (*at < until_ms) /* the longest of their polls; of two at once a shorter one may win, which costs a worker */
        *at = until_ms;
}

size_t hub_missed(struct sync_hub *hub, user_no user, stream_pos since, struct wake **out)
{
    return recent_wakes_since(hub->recent, user, since, hub_last_change(hub, user), clock_mono_ms(), out);
}

stream_pos hub_pos(const struct sync_hub *hub)
{
    return hub->pos;
}

/* What is gathered from a group before it becomes a wake. */
struct gathering {
    struct sync_hub *hub;
    struct wake *wake;
    bool *told; /* beside wake->rooms: its members are among the items */
    size_t n_items, items_cap, rooms_cap;
    bool sorted;    /* the items came in order of user, each user once */
    bool everybody; /* who is concerned could not be found out */
};

static void add_item(struct gathering *g, user_no user, int room)
{
    struct wake *wake = g->wake;
    if (g->n_items == g->items_cap) {
        g->items_cap = g->items_cap * 2 + 32;
        wake->items = xrealloc(wake->items, g->items_cap * sizeof *wake->items);
    }
    if (g->n_items != 0 && wake->items[g->n_items - 1].user >= user)
        g->sorted = false;
    wake->items[g->n_items++] = (struct wake_item){user, room};
}

/* The room's index; a group has few rooms, and the same one often comes again and again. */
static int room_index(struct gathering *g, room_no room)
{
    struct wake *wake = g->wake;
    assert(wake->n_rooms == 0 || g->told != NULL);
    for (size_t i = wake->n_rooms; i-- != 0;)
        if (wake->rooms[i].room == room)
            return (int)i;
    if (wake->n_rooms == g->rooms_cap) {
        g->rooms_cap = g->rooms_cap * 2 + 8;
        wake->rooms = xrealloc(wake->rooms, g->rooms_cap * sizeof *wake->rooms);
        g->told = xrealloc(g->told, g->rooms_cap * sizeof *g->told);
    }
    wake->rooms[wake->n_rooms] = (struct wake_room){.room = room};
    g->told[wake->n_rooms] = false;
    return (int)wake->n_rooms++;
}

/* room: index, or −1 as in struct wake_item. */
static void add_audience(struct gathering *g, int room, const struct change *change)
{
    if (g->hub->audience == NULL)
        return;
    struct member_set *set = g->hub->audience(g->hub->asked, change);
    if (set == NULL) {
        g->everybody = true;
        return;
    }
    if (g->n_items + set->n > g->items_cap) {
        g->items_cap = g->items_cap + set->n + 32;
        g->wake->items = xrealloc(g->wake->items, g->items_cap * sizeof *g->wake->items);
    }
    for (size_t i = 0; i < set->n; ++i)
        add_item(g, set->users[i], room);
    member_set_unref(set);
}

/* Whoever is joined at the end of the group; who left in it has a change of their own. */
static void gather_room(struct gathering *g, const struct change *change)
{
    int room = room_index(g, change->room);
    if (!change->private_ && !g->told[room]) {
        add_audience(g, room, change);
        g->told[room] = true;
    }
    g->wake->rooms[room].kinds |= 1u << change->kind;
}

static void gather_change(struct gathering *g, const struct change *change)
{
    unsigned concerns = g->hub->concerns[change->kind];
    if (change->pos > g->wake->pos)
        g->wake->pos = change->pos;
    if (change->pos != 0 && (g->wake->first_pos == 0 || change->pos < g->wake->first_pos))
        g->wake->first_pos = change->pos;
    if ((concerns & HUB_ROOM) != 0)
        gather_room(g, change);
    if ((concerns & HUB_OTHERS) != 0)
        add_audience(g, -1, change);
    if ((concerns & HUB_USER) != 0)
        add_item(g, change->user, -1);
}

static int by_user(const void *a, const void *b)
{
    const struct wake_item *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    return (x->room > y->room) - (x->room < y->room);
}

/* Sorted and each once. */
static void sort_items(struct gathering *g)
{
    struct wake *wake = g->wake;
    if (g->sorted)
        return;
    size_t kept = 0;
    qsort(wake->items, g->n_items, sizeof *wake->items, by_user);
    for (size_t i = 0; i < g->n_items; ++i)
        if (kept == 0 || by_user(&wake->items[kept - 1], &wake->items[i]) != 0)
            wake->items[kept++] = wake->items[i];
    g->n_items = kept;
}

static void index_users(struct gathering *g)
{
    struct wake *wake = g->wake;
    wake->users = xcalloc(g->n_items + 1, sizeof *wake->users);
    wake->before = xcalloc(g->n_items + 1, sizeof *wake->before);
    wake->first = xcalloc(g->n_items + 1, sizeof *wake->first);
    for (size_t i = 0; i < g->n_items; ++i)
        if (wake->n_users == 0 || wake->users[wake->n_users - 1] != wake->items[i].user) {
            wake->first[wake->n_users] = i;
            wake->users[wake->n_users++] = wake->items[i].user;
        }
    wake->first[wake->n_users] = g->n_items;
}

static void raise_numbers(struct sync_hub *hub, struct wake *wake)
{
    for (size_t i = 0; i < wake->n_rooms; ++i) {
        struct wake_room *room = &wake->rooms[i];
        number_raise(&hub->rooms, room->room, wake->pos, hub->start);
        room->before_event = hub_room_last_event(hub, room->room);
        if ((room->kinds & 1u << CHANGE_EVENT) != 0)
            number_raise(&hub->events, room->room, wake->pos, hub->start);
    }
    for (size_t i = 0; i < wake->n_users; ++i)
        wake->before[i] = number_raise(&hub->users, wake->users[i], wake->pos, hub->start);
    hub->pos = wake->pos;
}

#define KEYS_KINDS (1u << CHANGE_KEYS | 1u << CHANGE_TO_DEVICE | 1u << CHANGE_KEYS_LOW)

/* Of a group with something for clients that encrypt: whom anything of their own concerns, and who is in a room where
 * those who read have changed. */
static void raise_keys(struct sync_hub *hub, const struct wake *wake, const struct change *changes, size_t n)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < n; ++i)
        kinds |= 1u << changes[i].kind;
    if ((kinds & (KEYS_KINDS | 1u << CHANGE_ENCRYPTED)) == 0)
        return;
    for (size_t i = 0; i < wake->n_users; ++i)
        for (size_t k = wake->first[i]; k < wake->first[i + 1]; ++k) {
            int room = wake->items[k].room;
            if (room < 0 || (wake->rooms[room].kinds & 1u << CHANGE_ENCRYPTED) != 0)
                number_raise(&hub->keys, wake->users[i], wake->pos, hub->start);
        }
}

/* A failing disk: who has news is not known, so whoever asks next is answered from the database (polls that are held
 * wait for their own end). */
static void raise_everybody(struct sync_hub *hub, stream_pos pos)
{
    hub->start = pos;
    hub->lists = pos;
    struct numbers *const numbers[] = {&hub->users, &hub->keys};
    for (size_t w = 0; w < sizeof numbers / sizeof *numbers; ++w)
        for (size_t i = 0; i < CHUNKS; ++i)
            for (size_t k = 0; numbers[w]->chunks[i] != NULL && k < CHUNK; ++k)
                if (numbers[w]->chunks[i][k] != 0)
                    numbers[w]->chunks[i][k] = pos;
}

/* Rooms under the group's last position, as the numbers: in order, whatever the order within the group. */
static void note_changes(struct sync_hub *hub, const struct wake *wake, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        if (changes[i].kind == CHANGE_ACCOUNT_DATA && changes[i].room == 0)
            number_raise(&hub->own_data, changes[i].user, changes[i].pos, hub->start);
        if (changes[i].room != 0 && hub->concerns[changes[i].kind] != 0)
            changed_rooms_note(hub->changed, changes[i].room, wake->pos);
    }
}

static struct wake *gather(struct sync_hub *hub, const struct change *changes, size_t n)
{
    struct gathering g = {.hub = hub, .wake = xcalloc(1, sizeof *g.wake), .sorted = true};
    g.wake->refs = 1;
    for (size_t i = 0; i < n; ++i)
        gather_change(&g, &changes[i]);
    sort_items(&g);
    index_users(&g);
    free(g.told);
    if (g.everybody)
        raise_everybody(hub, g.wake->pos);
    return g.wake;
}

static bool is_awaited(const struct sync_hub *hub, const struct wake *wake, int64_t now_ms)
{
    for (size_t i = 0; i < wake->n_users; ++i)
        if (number_get(&hub->awaited, wake->users[i], 0) >= now_ms)
            return true;
    return false;
}

/* Also of this group itself. */
static void end_taken(struct sync_hub *hub, struct wake *wake, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (changes[i].kind == CHANGE_TAKEN) {
            recent_wakes_end(hub->recent, changes[i].event);
            if (wake_has(wake, changes[i].event))
                wake->ended = true;
        }
}

/* What is rendered is there before the numbers rise: whoever comes back and finds them risen finds the wake, too. */
void hub_observe(void *self, const struct change *changes, size_t n)
{
    struct sync_hub *hub = self;
    struct wake *wake = gather(hub, changes, n);
    end_taken(hub, wake, changes, n);
    if (wake->pos > hub->pos) {
        int64_t now_ms = clock_mono_ms();
        if (hub->prepare != NULL && is_awaited(hub, wake, now_ms))
            hub->prepare(hub->preparer, wake, changes, n);
        note_changes(hub, wake, changes, n);
        raise_keys(hub, wake, changes, n);
        raise_numbers(hub, wake);
        if (wake->fragments != NULL && !wake->ended)
            recent_wakes_add(hub->recent, wake, now_ms);
        for (int i = 0; wake->n_users != 0 && i < hub->n_listeners; ++i)
            hub->listeners[i].fn(hub->listeners[i].self, wake);
    }
    wake_unref(wake);
}
