/* A property of /sync: whatever happens in which order, and however seldom and with whatever limit or filter a client
 * syncs, after each answer it has exactly the room's timeline, each event told once, and the room's state, as far as
 * the person may see them: under any history visibility, coming and going. And it is told the unread counts that follow
 * from them.
 *
 * Seeds are printed; PARTA_SEED runs one alone, PARTA_SEEDS_MS gives the random part more time. */
#include "tests/unit/sync_world.h"

#include "homeserver/base/clock.h"
#include "homeserver/rooms/read/visibility.h"

#define USERS 6
#define ROOMS 3
#define STEPS 400

/* A client, and how it asks. */
struct kind {
    const char *filter;
    bool state_after, lazy;
    bool whole; /* its timelines have no holes */
    bool keeps; /* state, of a room that it has left */
};

static const struct kind KINDS[] = {
    {NULL, false, false, true, false},
    {"{\"room\":{\"include_leave\":true,\"timeline\":{\"limit\":1}}}", false, false, true, true},
    {"{\"room\":{\"timeline\":{\"limit\":3}}}", true, false, true, true},
    {"{\"room\":{\"timeline\":{\"limit\":20},\"state\":{\"lazy_load_members\":true}}}", false, true, true, true},
    {"{\"room\":{\"include_leave\":true,\"timeline\":{\"limit\":2},\"state\":{\"lazy_load_members\":true}}}", true,
     true, true, true},
    {"{\"room\":{\"timeline\":{\"limit\":3,\"not_types\":[\"m.room.name\",\"m.room.member\"]}}}", false, false, false,
     false},
    {"{\"room\":{\"timeline\":{\"limit\":2,\"types\":[\"m.room.message\",\"org.parta.*\"]}}}", true, false, false,
     true},
    {"{\"room\":{\"include_leave\":true,\"timeline\":{\"limit\":6,\"not_senders\":[\"@boris:school.example\"]}}}",
     false, false, false, true},
    {"{\"room\":{\"timeline\":{\"limit\":9,\"senders\":[\"@clara:school.example\",\"@anna:school.example\"]},"
     "\"state\":{\"lazy_load_members\":true}}}",
     false, true, false, true},
};
#define WATCHERS (sizeof KINDS / sizeof *KINDS)

struct watcher {
    const struct kind *kind;
    user_no user;
    device_no device;
    char user_id[64];
    struct filter *filter;
    stream_pos since;
    json_t *timelines; /* of the rooms it is in: room id → array of event ids, oldest first, no gaps */
    json_t *told;      /* room id → event id: came in a timeline */
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

static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri", "elena", "fyodor"};

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

static void do_rename(struct play *p, room_no room, user_no user)
{
    char content[128], id[64];
    struct error e;
    if (memberships_of(p->w.f.db, room, user) != MEMBERSHIP_JOIN)
        return;
    for (int i = 0; i < USERS; ++i)
        if (p->users[i] == user)
            snprintf(id, sizeof id, "@%s:school.example", NAMES[i]);
    snprintf(content, sizeof content, "{\"membership\":\"join\",\"displayname\":\"Name %d\"}", pick(p, 1000));
    fixture_write_member(&p->w.f, room, user, id, content, &e);
}

static void do_visibility(struct play *p, room_no room, user_no user)
{
    static const char *const VALUES[] = {"shared", "world_readable", "invited", "joined"};
    char content[64];
    struct error e;
    snprintf(content, sizeof content, "{\"history_visibility\":\"%s\"}", VALUES[pick(p, 4)]);
    fixture_send(&p->w.f, room, p->users[0], "m.room.history_visibility", "", content, NULL, NULL, &e);
}

static void do_invite(struct play *p, room_no room, user_no user)
{
    struct error e;
    fixture_member(&p->w.f, room, ACT_INVITE, p->users[0], user, &e);
}

static void do_ban(struct play *p, room_no room, user_no user)
{
    struct error e;
    if (user != p->users[0])
        fixture_member(&p->w.f, room, pick(p, 2) == 0 ? ACT_BAN : ACT_KICK, p->users[0], user, &e);
}

static void do_unban(struct play *p, room_no room, user_no user)
{
    struct error e;
    if (user != p->users[0])
        fixture_member(&p->w.f, room, ACT_UNBAN, p->users[0], user, &e);
}

static void (*const DEEDS[])(struct play *p, room_no room, user_no user) = {
    do_message, do_message, do_message, do_message, do_message, do_name,       do_custom, do_custom, do_leave, do_leave,
    do_join,    do_join,    do_join,    do_read,    do_rename,  do_visibility, do_invite, do_ban,    do_unban,
};

/* What goes wrong is told with how to have it again. */
static void fail_watch(const struct watcher *w, const char *room_id, const char *what, const char *key, const char *is,
                       const char *should_be)
{
    fail_msg("%s, %s%s%s, in %s, at %lld: %s: %s is %s instead of %s", w->user_id,
             w->kind->filter != NULL ? w->kind->filter : "{}", w->kind->state_after ? " state_after" : "",
             w->kind->keeps ? " keeps" : "", room_id, (long long)w->since, what, key, is != NULL ? is : "nothing",
             should_be != NULL ? should_be : "nothing");
}

static struct visibility *visibility_of(struct play *p, const struct watcher *w, room_no room)
{
    return visibility_load(p->w.f.db, false, room, w->user, w->user_id);
}

static bool is_in(const struct watcher *w, const char *room_id)
{
    return json_object_get(w->timelines, room_id) != NULL;
}

static void begin_room(struct watcher *w, const char *room_id)
{
    json_object_set_new(w->timelines, room_id, json_array());
    json_object_set_new(w->told, room_id, json_object());
    if (json_object_get(w->states, room_id) == NULL || !w->kind->keeps)
        json_object_set_new(w->states, room_id, json_object());
}

static void end_room(struct watcher *w, const char *room_id, bool keep)
{
    if (!keep)
        json_object_del(w->states, room_id);
    json_object_del(w->timelines, room_id);
    json_object_del(w->told, room_id);
}

static void put_state(struct watcher *w, const char *room_id, json_t *event)
{
    char key[600];
    if (json_get_string(event, "state_key") == NULL)
        return;
    snprintf(key, sizeof key, "%s|%s", json_get_string(event, "type"), json_get_string(event, "state_key"));
    json_object_set(json_get_object(w->states, room_id), key, json_object_get(event, "event_id"));
}

/* What /messages would give between the two tokens, oldest first. */
static void fill_gap(struct play *p, struct watcher *w, room_no room, const char *room_id, stream_pos from,
                     stream_pos to)
{
    struct event_row row;
    struct visibility *visibility = visibility_of(p, w, room);
    struct stmt *q = events_forwards(p->w.f.db, room, from, to, INT64_MAX);
    while (events_next(q, &row))
        if (visibility_allows(visibility, row.pos))
            json_array_append_new(json_get_array(w->timelines, room_id), json_string(row.event_id));
    stmt_end(q);
    visibility_free(visibility);
}

static void apply_timeline(struct play *p, struct watcher *w, room_no room, const char *room_id, json_t *timeline,
                           bool fresh)
{
    size_t i;
    json_t *event;
    const char *token = json_get_string(timeline, "prev_batch");
    stream_pos prev = token != NULL ? world_position(&p->w, w->user, token) : 0;
    if (json_is_true(json_object_get(timeline, "limited")) || fresh)
        fill_gap(p, w, room, room_id, fresh ? 0 : w->since, prev);
    json_array_foreach(json_get_array(timeline, "events"), i, event) {
        const char *id = json_get_string(event, "event_id");
        json_t *told = json_get_object(w->told, room_id);
        if (json_object_get(told, id) != NULL)
            fail_watch(w, room_id, "told twice", id, json_get_string(event, "type"), NULL);
        json_object_set_new(told, id, json_true());
        json_array_append(json_get_array(w->timelines, room_id), json_object_get(event, "event_id"));
        if (!w->kind->state_after)
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
            fail_watch(w, room_id, "who speaks", key, NULL, "something");
    }
}

/* As the specification says: the state, and then what the timeline has of it (or state_after alone). */
static void apply_room(struct play *p, struct watcher *w, int at, json_t *section)
{
    const char *room_id = p->room_ids[at];
    size_t i;
    json_t *event;
    bool fresh = !is_in(w, room_id);
    if (fresh)
        begin_room(w, room_id);
    assert_true(json_object_get(section, w->kind->state_after ? "state" : "state_after") == NULL);
    json_array_foreach(world_events(section, w->kind->state_after ? "state_after" : "state"), i, event)
        put_state(w, room_id, event);
    apply_timeline(p, w, p->rooms[at], room_id, json_get_object(section, "timeline"), fresh);
    if (w->kind->lazy)
        check_senders(w, room_id, json_get_object(section, "timeline"));
}

/* Events that the person may see, up to there, each once and in order. own: theirs beyond it, 0: none. */
static void check_timeline(struct play *p, struct watcher *w, int at, stream_pos upto, stream_pos own)
{
    struct event_row row;
    size_t n = 0;
    json_t *known = json_get_array(w->timelines, p->room_ids[at]);
    struct visibility *visibility = visibility_of(p, w, p->rooms[at]);
    struct stmt *q = events_forwards(p->w.f.db, p->rooms[at], 0, own > upto ? own : upto, INT64_MAX);
    while (events_next(q, &row)) {
        if (row.pos > upto ? row.pos != own : !visibility_allows(visibility, row.pos))
            continue;
        const char *id = json_string_value(json_array_get(known, n++));
        if (id == NULL || strcmp(id, row.event_id) != 0)
            fail_watch(w, p->room_ids[at], "timeline", row.type, id, row.event_id);
    }
    stmt_end(q);
    visibility_free(visibility);
    if (json_array_size(known) != n)
        fail_watch(w, p->room_ids[at], "timeline", "the end", json_string_value(json_array_get(known, n)), NULL);
}

/* The room's state as the person may see it: as it is, or as it was when they left (but for their own member event).
 * With lazy loading members may be missing; those that are there must be right. */
static void check_state(struct play *p, struct watcher *w, int at, stream_pos upto, bool left)
{
    struct event_row row;
    char key[600], own[80];
    size_t n = 0;
    json_t *known = json_get_object(w->states, p->room_ids[at]);
    struct stmt *q = events_state_at(p->w.f.db, p->rooms[at], upto);
    snprintf(own, sizeof own, "m.room.member|%s", w->user_id);
    while (events_next(q, &row)) {
        snprintf(key, sizeof key, "%s|%s", row.type, row.state_key);
        const char *id = json_get_string(known, key);
        if (w->kind->lazy && id == NULL && strcmp(row.type, "m.room.member") == 0)
            continue;
        ++n;
        if ((id == NULL || strcmp(id, row.event_id) != 0) && !(left && strcmp(key, own) == 0))
            fail_watch(w, p->room_ids[at], "state", key, id, row.event_id);
    }
    stmt_end(q);
    assert_int_equal(json_object_size(known), n);
}

static void watch_joined(struct play *p, struct watcher *w, int at, json_t *section, stream_pos next)
{
    if (section != NULL) {
        apply_room(p, w, at, section);
        world_check_unread(&p->w, p->rooms[at], w->user, w->user_id, section, next);
    }
    assert_true(is_in(w, p->room_ids[at]));
    check_state(p, w, at, next, false);
    if (w->kind->whole)
        check_timeline(p, w, at, next, 0);
}

/* stranger: who was not in it before either is told of their own membership alone. */
static void watch_left(struct play *p, struct watcher *w, int at, json_t *section, const struct membership_row *m)
{
    bool stranger = !is_in(w, p->room_ids[at]) && m->joined_pos <= w->since;
    struct visibility *visibility = visibility_of(p, w, p->rooms[at]);
    stream_pos left_pos = visibility_left_pos(visibility, INT64_MAX);
    visibility_free(visibility);
    if (section == NULL && w->since == 0)
        return;            /* an initial sync need not name it */
    if (section == NULL) { /* of a ban of somebody who was never let in there is no word (F1) */
        assert_true(m->pos <= w->since || !visibility_was_let_in(p->w.f.db, m, w->user_id));
        return;
    }
    if (stranger) {
        json_t *events = world_events(section, "timeline");
        assert_true(json_array_size(events) <= 1);
        assert_int_equal(json_array_size(world_events(section, "state")), 0);
        assert_int_equal(json_array_size(world_events(section, "state_after")), 0);
        return;
    }
    apply_room(p, w, at, section);
    check_state(p, w, at, left_pos, true);
    if (w->kind->whole)
        check_timeline(p, w, at, left_pos, m->pos);
    end_room(w, p->room_ids[at], true);
}

static void begin_anew(struct watcher *w)
{
    w->since = 0;
    w->device += 1000;
    json_object_clear(w->timelines);
    json_object_clear(w->told);
    json_object_clear(w->states);
}

static void watch(struct play *p, struct watcher *w)
{
    struct membership_row m;
    stream_pos next;
    if (pick(p, 40) == 0)
        begin_anew(w);
    struct sync_request ask = {
        .user = w->user,
        .device = w->device,
        .user_id = w->user_id,
        .since = w->since,
        .full_state = pick(p, 8) == 0,
        .use_state_after = w->kind->state_after,
        .filter = w->filter,
    };
    json_t *answer = world_sync(&p->w, &ask, &next, NULL);
    for (int i = 0; i < ROOMS; ++i) {
        json_t *joined = world_section(&p->w, answer, "join", p->rooms[i]);
        json_t *left = world_section(&p->w, answer, "leave", p->rooms[i]);
        memberships_get(p->w.f.db, p->rooms[i], w->user, &m);
        assert_false(joined != NULL && left != NULL);
        assert_true(m.membership == MEMBERSHIP_JOIN || joined == NULL);
        if (m.membership == MEMBERSHIP_JOIN)
            watch_joined(p, w, i, joined, next);
        else if (m.membership == MEMBERSHIP_LEAVE || m.membership == MEMBERSHIP_BAN)
            watch_left(p, w, i, left, &m);
        else
            end_room(w, p->room_ids[i], false); /* invited to it: it begins anew */
    }
    w->since = next;
    json_decref(answer);
}

static void play_start(struct play *p, unsigned seed)
{
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
    for (size_t i = 0; i < WATCHERS; ++i) {
        struct watcher *w = &p->watchers[i];
        w->kind = &KINDS[i];
        w->user = p->users[(i + seed) % USERS];
        w->device = (device_no)i + 1;
        snprintf(w->user_id, sizeof w->user_id, "@%s:school.example", NAMES[(i + seed) % USERS]);
        w->filter = world_filter(KINDS[i].filter);
        w->timelines = json_object();
        w->told = json_object();
        w->states = json_object();
    }
}

static void play_stop(struct play *p)
{
    for (size_t i = 0; i < WATCHERS; ++i) {
        filter_unref(p->watchers[i].filter);
        json_decref(p->watchers[i].timelines);
        json_decref(p->watchers[i].told);
        json_decref(p->watchers[i].states);
    }
    for (int i = 0; i < ROOMS; ++i)
        free(p->room_ids[i]);
    world_stop(&p->w);
}

static void run(unsigned seed)
{
    struct play p;
    print_message("# seed %u\n", seed);
    play_start(&p, seed);
    for (int step = 0; step < STEPS; ++step) {
        int deed = pick(&p, (int)(sizeof DEEDS / sizeof *DEEDS));
        DEEDS[deed](&p, p.rooms[pick(&p, ROOMS)], p.users[pick(&p, USERS)]);
        if (pick(&p, 3) == 0)
            watch(&p, &p.watchers[pick(&p, (int)WATCHERS)]);
    }
    for (size_t i = 0; i < WATCHERS; ++i)
        watch(&p, &p.watchers[i]);
    play_stop(&p);
}

static void clients_end_up_with_the_room(void **state)
{
    const char *given = getenv("PARTA_SEED"), *budget = getenv("PARTA_SEEDS_MS");
    if (given != NULL) {
        run((unsigned)strtoul(given, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= 6; ++seed)
        run(seed);
    int64_t until = clock_wall_ms() + (budget != NULL ? atoll(budget) : 2000);
    for (unsigned seed = (unsigned)clock_wall_ms(); clock_wall_ms() < until; ++seed)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clients_end_up_with_the_room)};
    return cmocka_run_group_tests_name("sync_property", tests, NULL, NULL);
}
