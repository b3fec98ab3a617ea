/* A property of sliding sync: whatever happens in which order, however seldom, with whatever ranges, limits and
 * subscriptions a client asks, whichever answers are lost, and whether or not the server has forgotten the connection,
 * after each answer it has of the rooms in its ranges exactly what the person may see: state, the newest events without
 * a hole, name, counts. The measure is the one of sync_property.c, so that its client and one of /sync end alike.
 *
 * Seeds are printed; PARTA_SEED runs one alone. */
#include "tests/unit/sync_world.h"

#include "homeserver/base/clock.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/sliding/answer.h"

#define USERS 5
#define ROOMS 5
#define STEPS 500

static const struct kind {
    enum sliding_form form;
    const char *bodies[3]; /* one after the other, at random; with %s: the first and second room, as subscriptions */
    bool whole;            /* its lists hold every room, so that a connection is never lost */
} KINDS[] = {
    {SLIDING_UNSTABLE,
     {"{'conn_id':'room-list','lists':{'all':{'ranges':[[0,99]],'timeline_limit':1,'required_state':[['m.room.name','']"
      ",['m.room.member','$LAZY'],['m.room.member','$ME'],['org.parta.test','*']]}}}",
      "{'conn_id':'room-list','lists':{'all':{'ranges':[[0,99]],'timeline_limit':1,'required_state':[['m.room.name','']"
      ",['m.room.member','$LAZY'],['m.room.member','$ME'],['org.parta.test','*']]}},'room_subscriptions':{'%s':{"
      "'timeline_limit':7,'required_state':[['m.room.create',''],['m.room.topic','']]}}}"},
     false},
    {SLIDING_UNSTABLE,
     {"{'lists':{'top':{'ranges':[[0,0]],'timeline_limit':3,'required_state':[['*','*']]}}}",
      "{'lists':{'top':{'ranges':[[0,0],[2,2]],'timeline_limit':3,'required_state':[['*','*']]}}}",
      "{'lists':{'top':{'ranges':[[0,1]],'timeline_limit':6,'required_state':[['*','*'],['m.room.member','$LAZY']]}}}"},
     false},
    {SLIDING_UNSTABLE,
     {"{'lists':{'a':{'ranges':[[0,1]],'timeline_limit':1,'required_state':[['m.room.name','']]}},'room_subscriptions':"
      "{'%s':{'timeline_limit':5,'required_state':[['*','*']]}}}",
      "{'lists':{'a':{'ranges':[[0,1]],'timeline_limit':1,'required_state':[['m.room.name','']]}},'room_subscriptions':"
      "{'%2$s':{'timeline_limit':5,'required_state':[['*','*']]}}}",
      "{'lists':{'a':{'ranges':[[0,3]],'timeline_limit':1,'required_state':[['m.room.name','']]}}}"},
     false},
    {SLIDING_STABLE,
     {"{'lists':{'all':{'timeline_limit':2,'required_state':{'include':[{}],'lazy_members':true}}}}"},
     true},
    {SLIDING_STABLE,
     {"{'lists':{'two':{'range':[0,1],'timeline_limit':4,'required_state':{'include':[{}],'exclude':[{'type':"
      "'m.room.name'}]}}}}",
      "{'lists':{'two':{'range':[0,2],'timeline_limit':0,'required_state':{'include':[{'type':'m.room.member'}]}}}}"},
     false},
};
#define WATCHERS (sizeof KINDS / sizeof *KINDS)

/* What a client has of a room. */
struct known {
    bool any, outside;
    bool left;        /* it was told that one left it … */
    bool unsure;      /* … which a server that lost the connection does not know */
    json_t *state;    /* "type|key" → event id */
    json_t *lazy;     /* which member events of it are as of now: "m.room.member|key" → true */
    json_t *timeline; /* event ids, without a hole up to the last answer that told of it */
    stream_pos start; /* before the first of them */
    char *name;
    int64_t joined, notify, highlight;
};

struct watcher {
    const struct kind *kind;
    user_no user;
    device_no device;
    char user_id[64], pos[TOKEN_POS_MAX + 1]; /* "": begins anew */
    int body;
    struct known rooms[ROOMS];
};

struct play {
    struct world w;
    user_no users[USERS];
    room_no rooms[ROOMS];
    char *room_ids[ROOMS];
    unsigned seed;
    struct watcher watchers[WATCHERS];
    int lost, restarts, refused;
};

static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri", "elena"};

static int pick(struct play *p, int n)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (int)((p->seed >> 16) % (unsigned)n);
}

/* Deeds. */

static void say(struct play *p, room_no room, user_no user, const char *type, const char *key, const char *content)
{
    struct error e;
    fixture_send(&p->w.f, room, user, type, key, content, NULL, NULL, &e);
}

static void do_message(struct play *p, room_no room, user_no user)
{
    say(p, room, user, "m.room.message", NULL, "{\"msgtype\":\"m.text\",\"body\":\"hello\"}");
}

static void do_name(struct play *p, room_no room, user_no user)
{
    char content[64];
    snprintf(content, sizeof content, "{\"name\":\"Name %d\"}", pick(p, 1000));
    say(p, room, user, "m.room.name", "", pick(p, 5) == 0 ? "{}" : content);
}

static void do_custom(struct play *p, room_no room, user_no user)
{
    char key[8], content[64];
    snprintf(key, sizeof key, "k%d", pick(p, 4));
    snprintf(content, sizeof content, "{\"n\":%d}", pick(p, 1000));
    say(p, room, user, "org.parta.test", key, content);
}

static void act(struct play *p, room_no room, enum act what, user_no actor, user_no target)
{
    struct error e;
    fixture_member(&p->w.f, room, what, actor, target, &e);
}

static void do_leave(struct play *p, room_no room, user_no user)
{
    if (user != p->users[0])
        act(p, room, ACT_LEAVE, user, user);
}

static void do_join(struct play *p, room_no room, user_no user)
{
    act(p, room, ACT_JOIN, user, user);
}

static void do_invite(struct play *p, room_no room, user_no user)
{
    act(p, room, ACT_INVITE, p->users[0], user);
}

static void do_ban(struct play *p, room_no room, user_no user)
{
    if (user != p->users[0])
        act(p, room, pick(p, 2) == 0 ? ACT_BAN : ACT_KICK, p->users[0], user);
}

static void do_unban(struct play *p, room_no room, user_no user)
{
    if (user != p->users[0])
        act(p, room, ACT_UNBAN, p->users[0], user);
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
    snprintf(content, sizeof content, "{\"history_visibility\":\"%s\"}", VALUES[pick(p, 4)]);
    say(p, room, p->users[0], "m.room.history_visibility", "", content);
}

static void (*const DEEDS[])(struct play *p, room_no room, user_no user) = {
    do_message, do_message, do_message, do_message, do_message, do_name,       do_custom, do_custom, do_leave, do_join,
    do_join,    do_join,    do_join,    do_read,    do_rename,  do_visibility, do_invite, do_ban,    do_unban,
};

/* The client. */

static void forget_room(struct known *room)
{
    json_decref(room->state);
    json_decref(room->lazy);
    json_decref(room->timeline);
    free(room->name);
    *room = (struct known){0};
}

static void begin_room(struct known *room)
{
    forget_room(room);
    *room = (struct known){.any = true, .state = json_object(), .lazy = json_object(), .timeline = json_array()};
}

static void key_of(char out[600], json_t *event)
{
    snprintf(out, 600, "%s|%s", json_get_string(event, "type"), json_get_string(event, "state_key"));
}

static bool is_member_key(const char *key)
{
    return strncmp(key, "m.room.member|", 14) == 0;
}

static void apply_state(struct known *room, json_t *list)
{
    size_t i;
    json_t *event;
    char key[600];
    json_array_foreach(list, i, event) {
        key_of(key, event);
        json_object_set(room->state, key, json_object_get(event, "event_id"));
        if (is_member_key(key))
            json_object_set_new(room->lazy, key, json_true());
    }
}

static void apply_timeline(struct play *p, struct watcher *w, struct known *room, json_t *told)
{
    size_t i;
    json_t *event;
    const char *prev = json_get_string(told, "prev_batch");
    bool expanded = json_get_bool(
        told, w->kind->form == SLIDING_STABLE ? "expanded_timeline" : "unstable_expanded_timeline", false);
    bool limited = json_get_bool(told, "limited", false), initial = json_get_bool(told, "initial", false);
    if (initial || limited || expanded) {
        json_array_clear(room->timeline);
        room->start = prev != NULL && (limited || expanded) ? world_position(&p->w, w->user, prev) : 0;
        if (!limited)
            room->start = 0;
    }
    if (limited && !initial)
        json_object_clear(room->lazy);
    json_array_foreach(json_get_array(told, "timeline"), i, event) {
        char key[600];
        json_array_append(room->timeline, json_object_get(event, "event_id"));
        snprintf(key, sizeof key, "m.room.member|%s", json_get_string(event, "sender"));
        json_object_set_new(room->lazy, key, json_true());
    }
}

static void apply_room(struct play *p, struct watcher *w, int at, json_t *told)
{
    struct known *room = &w->rooms[at];
    bool stable = w->kind->form == SLIDING_STABLE, initial = json_get_bool(told, "initial", false);
    if (initial)
        begin_room(room);
    assert_true(room->any);
    room->outside = json_get_array(told, stable ? "stripped_state" : "invite_state") != NULL;
    apply_timeline(p, w, room, told);
    apply_state(room, json_get_array(told, "required_state"));
    if (json_object_get(told, "name") != NULL) {
        free(room->name);
        room->name = json_get_string(told, "name") != NULL ? xstrdup(json_get_string(told, "name")) : NULL;
    }
    room->joined = json_get_int(told, "joined_count", room->joined);
    room->notify = json_get_int(told, "notification_count", room->notify);
    room->highlight = json_get_int(told, "highlight_count", room->highlight);
    assert_true(json_get_int(told, "bump_stamp", 0) > 1000000000);
}

/* What it should have. */

static void fail_at(const struct play *p, const struct watcher *w, int at, const char *what, const char *is,
                    const char *should_be)
{
    fail_msg("%s, kind %d, body %d, room %d (%s): %s is %s instead of %s", w->user_id, (int)(w->kind - KINDS), w->body,
             at, p->room_ids[at], what, is != NULL ? is : "nothing", should_be != NULL ? should_be : "nothing");
}

static bool put_out(struct play *p, const struct membership_row *m)
{
    struct event_row *own = event_at(p->w.f.db, m->pos);
    bool out = m->joined_pos != 0 && (m->membership == MEMBERSHIP_BAN || own->sender != m->user);
    free(own);
    return out;
}

struct place {
    stream_pos activity;
    int at;
};

static int by_activity(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->activity < y->activity) - (x->activity > y->activity);
}

/* Which rooms lie in which ranges. knew: what the client had before. */
static void expect(struct play *p, struct watcher *w, const struct sliding_request *ask, const bool knew[ROOMS],
                   uint64_t parts[ROOMS], int limits[ROOMS], json_t *answer)
{
    struct place places[ROOMS];
    struct membership_row m;
    int n = 0;
    for (int i = 0; i < ROOMS; ++i) {
        memberships_get(p->w.f.db, p->rooms[i], w->user, &m);
        bool out = m.membership == MEMBERSHIP_LEAVE || m.membership == MEMBERSHIP_BAN;
        if (m.membership == MEMBERSHIP_NONE || (out && !knew[i] && !put_out(p, &m)))
            continue;
        bool in = m.membership == MEMBERSHIP_JOIN;
        places[n++] = (struct place){in ? events_last_pos(p->w.f.db, p->rooms[i], INT64_MAX) : m.pos, i};
    }
    qsort(places, (size_t)n, sizeof *places, by_activity);
    for (size_t l = 0; l < ask->n_lists; ++l) {
        const struct sliding_list *list = &ask->lists[l];
        json_t *told = json_get_object(json_get_object(answer, "lists"), list->name);
        if (json_get_int(told, "count", -1) != n)
            fail_msg("%s, kind %d: %d rooms instead of %d", w->user_id, (int)(w->kind - KINDS),
                     (int)json_get_int(told, "count", -1), n);
        for (size_t r = 0; r < list->n_ranges; ++r)
            for (int64_t k = list->ranges[r].first; k <= list->ranges[r].last && k < n; ++k) {
                parts[places[k].at] |= UINT64_C(1) << list->config.part;
                if (list->config.timeline_limit > limits[places[k].at])
                    limits[places[k].at] = list->config.timeline_limit;
            }
    }
    for (size_t s = 0; s < ask->n_subscriptions; ++s)
        for (int i = 0; i < ROOMS; ++i)
            if (strcmp(p->room_ids[i], ask->subscriptions[s].room_id) == 0) {
                parts[i] |= UINT64_C(1) << ask->subscriptions[s].config.part;
                if (ask->subscriptions[s].config.timeline_limit > limits[i])
                    limits[i] = ask->subscriptions[s].config.timeline_limit;
            }
}

static bool wanted(const struct sliding_request *ask, uint64_t parts, const char *type, const char *key, const char *me)
{
    for (size_t i = 0; i < ask->n_parts; ++i)
        if ((parts & UINT64_C(1) << i) != 0 && sliding_part_wants(&ask->parts[i], type, key, me))
            return true;
    return false;
}

static void check_state(struct play *p, struct watcher *w, int at, const struct sliding_request *ask, uint64_t parts)
{
    struct event_row row;
    char key[600];
    struct known *room = &w->rooms[at];
    struct stmt *q = events_state_now(p->w.f.db, p->rooms[at]);
    while (events_next(q, &row)) {
        snprintf(key, sizeof key, "%s|%s", row.type, row.state_key);
        const char *id = json_get_string(room->state, key);
        bool must = wanted(ask, parts, row.type, row.state_key, w->user_id) ||
                    (ask->parts[0].lazy && json_object_get(room->lazy, key) != NULL);
        if (must && (id == NULL || strcmp(id, row.event_id) != 0))
            fail_at(p, w, at, key, id, row.event_id);
    }
    stmt_end(q);
}

static void check_timeline(struct play *p, struct watcher *w, int at, int limit)
{
    struct event_row row;
    size_t n = 0, i = 0;
    struct known *room = &w->rooms[at];
    const char **ids = xcalloc(4096, sizeof *ids);
    struct visibility *visibility = visibility_load(p->w.f.db, false, p->rooms[at], w->user, w->user_id);
    struct stmt *q = events_forwards(p->w.f.db, p->rooms[at], room->start, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        if (visibility_allows(visibility, row.pos)) {
            const char *id = json_string_value(json_array_get(room->timeline, i++));
            if (id == NULL || strcmp(id, row.event_id) != 0)
                fail_at(p, w, at, row.type, id, row.event_id);
        }
    stmt_end(q);
    if (json_array_size(room->timeline) != i)
        fail_at(p, w, at, "the timeline", "longer", "its end");
    q = events_forwards(p->w.f.db, p->rooms[at], 0, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        n += visibility_allows(visibility, row.pos);
    stmt_end(q);
    if (i < (n < (size_t)limit ? n : (size_t)limit))
        fail_at(p, w, at, "the timeline", "shorter", "its limit");
    visibility_free(visibility);
    free(ids);
}

static void check_counts(struct play *p, struct watcher *w, int at, stream_pos upto)
{
    const struct known *room = &w->rooms[at];
    json_t *section = json_pack("{s:{s:I, s:I}}", "unread_notifications", "notification_count",
                                (json_int_t)room->notify, "highlight_count", (json_int_t)room->highlight);
    world_check_unread(&p->w, p->rooms[at], w->user, w->user_id, section, upto);
    json_decref(section);
}

static void check_room(struct play *p, struct watcher *w, int at, const struct sliding_request *ask, uint64_t parts,
                       int limit, stream_pos upto)
{
    struct known *room = &w->rooms[at];
    enum membership membership = memberships_of(p->w.f.db, p->rooms[at], w->user);
    bool outside = membership == MEMBERSHIP_INVITE || membership == MEMBERSHIP_KNOCK;
    if (membership == MEMBERSHIP_NONE)
        return;
    if (!room->any && !outside && membership != MEMBERSHIP_JOIN)
        return; /* never was in it, or left it before the client began */
    if (!room->any || room->outside != outside)
        fail_at(p, w, at, "membership", room->outside ? "outside" : "inside", outside ? "outside" : "inside");
    if (membership != MEMBERSHIP_JOIN)
        return;
    check_state(p, w, at, ask, parts);
    check_timeline(p, w, at, limit);
    char *content = events_state_content(p->w.f.db, p->rooms[at], "m.room.name", "");
    json_t *name = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *said = json_get_string(name, "name");
    if ((said == NULL) != (room->name == NULL) || (said != NULL && strcmp(said, room->name) != 0))
        fail_at(p, w, at, "name", room->name, said);
    json_decref(name);
    free(content);
    assert_int_equal(room->joined, memberships_count(p->w.f.db, p->rooms[at], MEMBERSHIP_JOIN));
    if (w->kind->form == SLIDING_UNSTABLE)
        check_counts(p, w, at, upto);
}

/* Asking. */

static json_t *body_of(struct play *p, const struct watcher *w)
{
    char text[2048], *at;
    snprintf(text, sizeof text, w->kind->bodies[w->body], p->room_ids[0], p->room_ids[1]);
    while ((at = strchr(text, '\'')) != NULL)
        *at = '"';
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    return body;
}

static void begin_anew(struct watcher *w)
{
    w->pos[0] = '\0';
    for (int i = 0; i < ROOMS; ++i)
        forget_room(&w->rooms[i]);
}

/* NULL: the pos is not known. */
static json_t *ask_for(struct play *p, struct watcher *w, const struct sliding_request *ask, stream_pos *upto)
{
    struct text out = TEXT_INIT;
    struct error e = {0};
    const struct sliding_asker asker = {w->user, w->device, w->user_id, 0};
    enum sync_outcome how = sliding_answer(p->w.sync, p->w.f.db, &asker, ask, &out, upto, &e);
    json_t *answer = how != SYNC_REFUSED ? json_parse(out.data, out.len, &e) : NULL;
    if (how == SYNC_REFUSED)
        assert_int_equal(e.code, ERROR_UNKNOWN_POS);
    else if (answer == NULL)
        fail_msg("not JSON: %s", out.data);
    assert_false(db_failed(p->w.f.db));
    text_finish(&out);
    return answer;
}

static void apply(struct play *p, struct watcher *w, const struct sliding_request *ask, json_t *answer, stream_pos upto)
{
    bool knew[ROOMS];
    uint64_t parts[ROOMS] = {0};
    int limits[ROOMS] = {0};
    for (int i = 0; i < ROOMS; ++i)
        knew[i] = w->rooms[i].any && !w->rooms[i].unsure;
    expect(p, w, ask, knew, parts, limits, answer);
    for (int i = 0; i < ROOMS; ++i) {
        json_t *told = json_get_object(json_get_object(answer, "rooms"), p->room_ids[i]);
        enum membership membership = memberships_of(p->w.f.db, p->rooms[i], w->user);
        if (told != NULL)
            apply_room(p, w, i, told);
        w->rooms[i].left = membership == MEMBERSHIP_LEAVE || membership == MEMBERSHIP_BAN;
        w->rooms[i].unsure &= told == NULL;
    }
    for (int i = 0; i < ROOMS; ++i)
        if (parts[i] != 0)
            check_room(p, w, i, ask, parts[i], limits[i], upto);
    snprintf(w->pos, sizeof w->pos, "%s", json_get_string(answer, "pos"));
}

static void watch(struct play *p, struct watcher *w)
{
    struct sliding_request ask;
    struct error e = {0};
    stream_pos upto;
    bool restarted = pick(p, 25) == 0;
    int n = 1;
    while (n < 3 && w->kind->bodies[n] != NULL)
        ++n;
    if (pick(p, 3) == 0)
        w->body = pick(p, n);
    if (pick(p, 60) == 0)
        begin_anew(w);
    if (restarted) {
        connections_destroy(p->w.sync->connections);
        p->w.sync->connections = connections_create(1 << 20);
        ++p->restarts;
        for (size_t i = 0; i < WATCHERS; ++i)
            for (int k = 0; k < ROOMS; ++k)
                p->watchers[i].rooms[k].unsure |= p->watchers[i].rooms[k].left;
    }
    json_t *body = body_of(p, w);
    assert_true(sliding_request_parse(&ask, w->kind->form, body, &e));
    ask.pos = w->pos[0] != '\0' ? w->pos : NULL;
    json_t *answer = ask_for(p, w, &ask, &upto);
    if (answer == NULL) {
        assert_false(w->kind->whole); /* it had every room: it goes on */
        ++p->refused;
        begin_anew(w);
    } else if (pick(p, 6) == 0) {
        ++p->lost;
    } else {
        apply(p, w, &ask, answer, upto);
    }
    json_decref(answer);
    sliding_request_finish(&ask);
    json_decref(body);
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
    }
}

static void run(unsigned seed)
{
    struct play p;
    print_message("# seed %u\n", seed);
    play_start(&p, seed);
    for (int step = 0; step < STEPS; ++step) {
        DEEDS[pick(&p, (int)(sizeof DEEDS / sizeof *DEEDS))](&p, p.rooms[pick(&p, ROOMS)], p.users[pick(&p, USERS)]);
        if (pick(&p, 2) == 0)
            watch(&p, &p.watchers[pick(&p, (int)WATCHERS)]);
    }
    for (size_t i = 0; i < 2 * WATCHERS; ++i)
        watch(&p, &p.watchers[i / 2]);
    assert_true(p.lost > 0 && p.restarts > 0);
    for (size_t i = 0; i < WATCHERS; ++i)
        begin_anew(&p.watchers[i]);
    for (int i = 0; i < ROOMS; ++i)
        free(p.room_ids[i]);
    world_stop(&p.w);
}

static void clients_end_up_with_their_rooms(void **state)
{
    const char *given = getenv("PARTA_SEED"), *budget = getenv("PARTA_SEEDS_MS");
    if (given != NULL) {
        run((unsigned)strtoul(given, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= 8; ++seed)
        run(seed);
    int64_t end = clock_mono_ms() + (budget != NULL ? strtoll(budget, NULL, 10) : 0);
    for (unsigned seed = (unsigned)clock_wall_ms(); clock_mono_ms() < end; ++seed)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clients_end_up_with_their_rooms)};
    return cmocka_run_group_tests_name("sliding_property", tests, NULL, NULL);
}
