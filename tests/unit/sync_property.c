/* A property of /sync: whatever happens in which order, and however seldom and with whatever limit a client syncs, it
 * ends up with exactly the room's timeline and the room's state, and is told the unread counts
 * that follow from them. */
#include "tests/unit/sync_world.h"

#define USERS 6
#define ROOMS 3
#define WATCHERS 7
#define STEPS 500

struct watcher {
    user_no user;
    char user_id[64];
    struct filter *filter;
    bool state_after, lazy;
    stream_pos since;
    json_t *timelines; /* room id → array of event ids, oldest first, no gaps */
    json_t *states;    /* room id → "type|key" → event id */
};

struct play {
    struct world w;
    user_no users[USERS];
    room_no rooms[ROOMS];
    char *room_ids[ROOMS];
    unsigned seed;
    struct watcher watchers[WATCHERS];
};

static int pick(struct play *p, int n)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (int)((p->seed >> 16) % (unsigned)n);
}

static void do_message(struct play *p, room_no room, user_no user)
{
    struct error e;
    fixture_send(&p->w.f, room, user, "m.room.message", NULL, "{\"msgtype\":\"m.text\",\"body\":\"hello\"}", NULL, NULL,
                 &e);
}

static void do_name(struct play *p, room_no room, user_no user)
{
    char content[64];
    struct error e;
    snprintf(content, sizeof content, "{\"name\":\"Name %d\"}", pick(p, 1000));
    fixture_send(&p->w.f, room, user, "m.room.name", "", content, NULL, NULL, &e);
}

static void do_custom(struct play *p, room_no room, user_no user)
{
    char key[8], content[64];
    struct error e;
    snprintf(key, sizeof key, "k%d", pick(p, 4));
    snprintf(content, sizeof content, "{\"n\":%d}", pick(p, 1000));
    fixture_send(&p->w.f, room, user, "org.parta.test", key, content, NULL, NULL, &e);
}

static void do_leave(struct play *p, room_no room, user_no user)
{
    struct error e;
    if (user != p->users[0])
        fixture_member(&p->w.f, room, ACT_LEAVE, user, user, &e);
}

static void do_join(struct play *p, room_no room, user_no user)
{
    struct error e;
    fixture_member(&p->w.f, room, ACT_JOIN, user, user, &e);
}

static void do_read(struct play *p, room_no room, user_no user)
{
    char *id = events_id_of(p->w.f.db, events_last_pos(p->w.f.db, room, INT64_MAX));
    world_mark(&p->w, room, user, id, pick(p, 2) == 0, NULL);
    free(id);
}

static void (*const DEEDS[])(struct play *p, room_no room, user_no user) = {
    do_message, do_message, do_message, do_message, do_message, do_message, do_name,
    do_custom,  do_custom,  do_leave,   do_join,    do_join,    do_read,
};

static void put_state(struct watcher *w, const char *room_id, json_t *event)
{
    char key[600];
    json_t *state = json_get_object(w->states, room_id);
    if (json_get_string(event, "state_key") == NULL)
        return;
    snprintf(key, sizeof key, "%s|%s", json_get_string(event, "type"), json_get_string(event, "state_key"));
    json_object_set(state, key, json_object_get(event, "event_id"));
}

static void begin_room(struct watcher *w, const char *room_id)
{
    json_object_set_new(w->timelines, room_id, json_array());
    json_object_set_new(w->states, room_id, json_object());
}

/* What /messages would give between the two tokens, oldest first. */
static void fill_gap(struct play *p, struct watcher *w, room_no room, const char *room_id, stream_pos from,
                     stream_pos to)
{
    struct event_row row;
    struct stmt *q = events_forwards(p->w.f.db, room, from, to, INT64_MAX);
    while (events_next(q, &row))
        json_array_append_new(json_get_array(w->timelines, room_id), json_string(row.event_id));
    stmt_end(q);
}

static void apply_timeline(struct play *p, struct watcher *w, room_no room, const char *room_id, json_t *timeline,
                           bool fresh)
{
    size_t i;
    json_t *event;
    stream_pos prev = 0;
    const char *token = json_get_string(timeline, "prev_batch");
    if (token != NULL)
        prev = world_position(&p->w, w->user, token);
    if (json_is_true(json_object_get(timeline, "limited")) || fresh)
        fill_gap(p, w, room, room_id, fresh ? 0 : w->since, prev);
    json_array_foreach(json_get_array(timeline, "events"), i, event) {
        json_array_append(json_get_array(w->timelines, room_id), json_object_get(event, "event_id"));
        if (!w->state_after)
            put_state(w, room_id, event);
    }
}

/* Lazy loading: who speaks is known. */
static void check_senders(struct watcher *w, const char *room_id, json_t *timeline)
{
    size_t i;
    json_t *event;
    char key[600];
    json_array_foreach(json_get_array(timeline, "events"), i, event) {
        snprintf(key, sizeof key, "m.room.member|%s", json_get_string(event, "sender"));
        if (json_get_string(json_get_object(w->states, room_id), key) == NULL)
            fail_msg("%s speaks in %s and is not known", json_get_string(event, "sender"), room_id);
    }
}

static void apply_room(struct play *p, struct watcher *w, int at, json_t *section, bool fresh)
{
    const char *room_id = p->room_ids[at];
    size_t i;
    json_t *event;
    if (fresh)
        begin_room(w, room_id);
    assert_true(json_object_get(section, w->state_after ? "state" : "state_after") == NULL);
    json_array_foreach(world_events(section, w->state_after ? "state_after" : "state"), i, event)
        put_state(w, room_id, event);
    apply_timeline(p, w, p->rooms[at], room_id, json_get_object(section, "timeline"), fresh);
    if (w->lazy)
        check_senders(w, room_id, json_get_object(section, "timeline"));
}

static void watch(struct play *p, struct watcher *w)
{
    struct membership_row m;
    stream_pos next;
    struct sync_request ask = {w->user,  w->user * 100 + (w - p->watchers), w->user_id, w->since, false, w->state_after,
                               w->filter};
    json_t *answer = world_sync(&p->w, &ask, &next, NULL);
    for (int i = 0; i < ROOMS; ++i) {
        json_t *joined = world_section(&p->w, answer, "join", p->rooms[i]);
        json_t *left = world_section(&p->w, answer, "leave", p->rooms[i]);
        memberships_get(p->w.f.db, p->rooms[i], w->user, &m);
        bool fresh = m.joined_pos > w->since;
        assert_false(joined != NULL && left != NULL);
        assert_true(m.membership == MEMBERSHIP_JOIN || joined == NULL);
        assert_true(!fresh || m.membership != MEMBERSHIP_JOIN || joined != NULL);
        if (joined != NULL) {
            apply_room(p, w, i, joined, fresh);
            world_check_unread(&p->w, p->rooms[i], w->user, w->user_id, joined, next);
        }
    }
    w->since = next;
    json_decref(answer);
}

static void check_timeline(struct play *p, struct watcher *w, int at)
{
    struct event_row row;
    size_t n = 0;
    json_t *known = json_get_array(w->timelines, p->room_ids[at]);
    struct stmt *q = events_forwards(p->w.f.db, p->rooms[at], 0, w->since, INT64_MAX);
    while (events_next(q, &row)) {
        const char *id = json_string_value(json_array_get(known, n++));
        if (id == NULL || strcmp(id, row.event_id) != 0)
            fail_msg("watcher %d, room %d, event %zu: %s instead of %s (%s)", (int)(w - p->watchers), at, n,
                     id != NULL ? id : "nothing", row.event_id, row.type);
    }
    stmt_end(q);
    assert_int_equal(json_array_size(known), n);
}

static void check_state(struct play *p, struct watcher *w, int at)
{
    struct event_row row;
    char key[600];
    size_t n = 0;
    json_t *known = json_get_object(w->states, p->room_ids[at]);
    struct stmt *q = events_state_now(p->w.f.db, p->rooms[at]);
    while (events_next(q, &row)) {
        snprintf(key, sizeof key, "%s|%s", row.type, row.state_key);
        const char *id = json_get_string(known, key);
        if (w->lazy && id == NULL && strcmp(row.type, "m.room.member") == 0)
            continue;
        ++n;
        if (id == NULL || strcmp(id, row.event_id) != 0)
            fail_msg("watcher %d, room %d, state %s: %s instead of %s", (int)(w - p->watchers), at, key,
                     id != NULL ? id : "nothing", row.event_id);
    }
    stmt_end(q);
    assert_int_equal(json_object_size(known), n);
}

/* A filtered timeline has holes by its nature; the state has none. */
static void check_watcher(struct play *p, struct watcher *w, bool whole_timeline)
{
    struct membership_row m;
    for (int i = 0; i < ROOMS; ++i) {
        memberships_get(p->w.f.db, p->rooms[i], w->user, &m);
        if (m.membership != MEMBERSHIP_JOIN)
            continue;
        if (whole_timeline)
            check_timeline(p, w, i);
        check_state(p, w, i);
    }
}

static const struct {
    const char *filter;
    bool state_after, lazy, whole_timeline;
} KINDS[WATCHERS] = {
    {NULL, false, false, true},
    {"{\"room\":{\"timeline\":{\"limit\":1}}}", false, false, true},
    {"{\"room\":{\"timeline\":{\"limit\":3}}}", true, false, true},
    {"{\"room\":{\"timeline\":{\"limit\":20},\"state\":{\"lazy_load_members\":true}}}", false, true, true},
    {"{\"room\":{\"timeline\":{\"limit\":2},\"state\":{\"lazy_load_members\":true}}}", true, true, true},
    {"{\"room\":{\"timeline\":{\"limit\":3,\"not_types\":[\"m.room.name\",\"m.room.member\"]}}}", false, false, false},
    {"{\"room\":{\"timeline\":{\"limit\":2,\"types\":[\"m.room.message\",\"org.parta.*\"]}}}", true, false, false},
};

static void play_start(struct play *p, unsigned seed)
{
    static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri", "elena", "fyodor"};
    *p = (struct play){.seed = seed};
    world_start(&p->w);
    for (int i = 0; i < USERS; ++i)
        p->users[i] = fixture_user(&p->w.f, NAMES[i]);
    for (int i = 0; i < ROOMS; ++i) {
        p->rooms[i] = fixture_room(&p->w.f, p->users[0], "11", PRESET_PUBLIC_CHAT, NULL);
        p->room_ids[i] = world_room_id(&p->w, p->rooms[i]);
        assert_true(fixture_send(&p->w.f, p->rooms[i], p->users[0], "m.room.power_levels", "",
                                 "{\"users\":{\"@anna:school.example\":100},\"state_default\":0,\"events\":{}}", NULL,
                                 NULL, NULL));
    }
    for (int i = 0; i < WATCHERS; ++i) {
        struct watcher *w = &p->watchers[i];
        w->user = p->users[i % USERS];
        snprintf(w->user_id, sizeof w->user_id, "@%s:school.example", NAMES[i % USERS]);
        w->filter = world_filter(KINDS[i].filter);
        w->state_after = KINDS[i].state_after;
        w->lazy = KINDS[i].lazy;
        w->timelines = json_object();
        w->states = json_object();
    }
}

static void play_stop(struct play *p)
{
    for (int i = 0; i < WATCHERS; ++i) {
        filter_unref(p->watchers[i].filter);
        json_decref(p->watchers[i].timelines);
        json_decref(p->watchers[i].states);
    }
    for (int i = 0; i < ROOMS; ++i)
        free(p->room_ids[i]);
    world_stop(&p->w);
}

static void run(unsigned seed)
{
    struct play p;
    play_start(&p, seed);
    for (int step = 0; step < STEPS; ++step) {
        int deed = pick(&p, (int)(sizeof DEEDS / sizeof *DEEDS));
        DEEDS[deed](&p, p.rooms[pick(&p, ROOMS)], p.users[pick(&p, USERS)]);
        if (pick(&p, 3) == 0)
            watch(&p, &p.watchers[pick(&p, WATCHERS)]);
    }
    for (int i = 0; i < WATCHERS; ++i) {
        watch(&p, &p.watchers[i]);
        check_watcher(&p, &p.watchers[i], KINDS[i].whole_timeline);
    }
    play_stop(&p);
}

static void clients_end_up_with_the_room(void **state)
{
    for (unsigned seed = 1; seed <= 4; ++seed)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clients_end_up_with_the_room)};
    return cmocka_run_group_tests_name("sync_property", tests, NULL, NULL);
}
