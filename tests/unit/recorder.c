/* The event recorder: whatever hears of events hears of one who joins with a whole class as of one who joins alone, and
 * as of a message. Each test does the same to two rooms, to one by append and to the other by bulk join. */
#include "tests/unit/sync_world.h"

#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/events/new_event.h"
#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/relations.h"
#include "homeserver/store/driver/writer.h"

#define PUPILS 300 /* more than a batch */

/* One line an event that a room's listener has heard, without what differs between any two rooms. */
struct heard {
    room_no room;
    stream_pos last;
    int n;
    struct text lines;
};

struct story {
    struct world w;
    user_no service, watcher, pupils[PUPILS];
    room_no apart, together;
    struct heard hooks[2], changes[2]; /* apart, together */
    int fail_at;                       /* the hook answers false to its nth event from now; 0: never */
};

static bool hook(void *self, struct tx *tx, const struct new_event *event)
{
    struct story *s = self;
    struct event_row row;
    for (int i = 0; i < 2; ++i) {
        struct heard *h = &s->hooks[i];
        if (h->room != event->room->no)
            continue;
        /* The row is there, whole, and after the one before. */
        struct stmt *q = events_by_pos(tx->db, event->row.pos);
        bool found = events_next(q, &row) && strcmp(row.event_id, event->pdu.event_id) == 0 && row.pos > h->last;
        h->last = event->row.pos;
        stmt_end(q);
        found = found && pdu_row_check(tx->db, s->w.f.names, &s->w.f.key, "school.example", event->row.pos);
        h->n += 1;
        text_addf(&h->lines, "%s %s %s of %lld: %lld is %d%s\n", event->row.type,
                  event->row.state_key != NULL ? event->row.state_key : "-", event->row.content,
                  (long long)event->row.sender, (long long)event->target, (int)event->membership,
                  found ? "" : ", but it does not lie there");
    }
    return s->fail_at == 0 || --s->fail_at != 0;
}

static void observe(void *self, const struct change *changes, size_t n)
{
    struct story *s = self;
    for (size_t i = 0; i < n; ++i)
        for (int k = 0; k < 2; ++k) {
            struct heard *h = &s->changes[k];
            if (h->room != changes[i].room)
                continue;
            bool in_order =
                changes[i].pos > h->last || (changes[i].pos == h->last && changes[i].kind == CHANGE_MEMBERSHIP);
            h->last = changes[i].pos;
            h->n += 1;
            text_addf(&h->lines, "%d of %lld%s\n", (int)changes[i].kind, (long long)changes[i].user,
                      in_order ? "" : ", out of order");
        }
}

static void say(struct story *s, room_no room, user_no who, const char *content)
{
    assert_true(fixture_send(&s->w.f, room, who, "m.room.message", NULL, content, NULL, NULL, NULL));
}

/* The watcher wants to be told of everybody who joins. */
static bool rules_job(struct tx *tx, void *arg, struct error *e)
{
    struct story *s = arg;
    return account_data_put(
        tx, s->watcher, 0, "m.push_rules",
        "{\"defaults\":{},\"rules\":{\"override\":[{\"rule_id\":\"joins\",\"enabled\":true,\"conditions\":[{\"kind\":"
        "\"event_match\",\"key\":\"type\",\"pattern\":\"m.room.member\"}],\"actions\":[\"notify\"]}]}}");
}

static int setup(void **state)
{
    struct error e;
    struct story *s = xcalloc(1, sizeof *s);
    world_start(&s->w);
    s->service = fixture_user(&s->w.f, "parta");
    s->watcher = fixture_user(&s->w.f, "watcher");
    for (int i = 0; i < PUPILS; ++i) {
        char name[16];
        snprintf(name, sizeof name, "p%03d", i);
        s->pupils[i] = fixture_user(&s->w.f, name);
    }
    assert_true(writer_run(s->w.f.writer, rules_job, s, &e));
    room_no *const rooms[] = {&s->apart, &s->together};
    for (int i = 0; i < 2; ++i) {
        *rooms[i] = fixture_room(&s->w.f, s->service, "12", PRESET_PUBLIC_CHAT, NULL);
        assert_true(fixture_member(&s->w.f, *rooms[i], ACT_JOIN, s->watcher, s->watcher, NULL));
        s->hooks[i].room = s->changes[i].room = *rooms[i];
    }
    rooms_add_hook(s->w.f.rooms, hook, s);
    writer_observe(s->w.f.writer, observe, s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct story *s = *state;
    world_stop(&s->w);
    for (int i = 0; i < 2; ++i) {
        text_finish(&s->hooks[i].lines);
        text_finish(&s->changes[i].lines);
    }
    free(s);
    return 0;
}

static bool together_job(struct tx *tx, void *arg, struct error *e)
{
    struct story *s = arg;
    bool good = true;
    struct bulk_join *joins = bulk_join_begin(s->w.f.rooms, tx, s->service);
    for (int i = 0; i < PUPILS && good; ++i)
        good = bulk_join_add(joins, s->together, s->pupils[i], e);
    return bulk_join_finish(joins, good, e);
}

static bool apart_job(struct tx *tx, void *arg, struct error *e)
{
    struct story *s = arg;
    bool good = true;
    for (int i = 0; i < PUPILS && good; ++i) {
        struct membership_act join = {.act = ACT_JOIN, .actor = s->service, .target = s->pupils[i]};
        struct appended out;
        good = membership_act(room_open(s->w.f.rooms, tx, s->apart), tx, &join, &out, e);
    }
    return good;
}

static void everybody_joins(struct story *s)
{
    struct error e;
    assert_true(writer_run(s->w.f.writer, apart_job, s, &e));
    assert_true(writer_run(s->w.f.writer, together_job, s, &e));
}

static void assert_same(struct heard heard[2], int expected)
{
    assert_int_equal(heard[0].n, expected);
    assert_int_equal(heard[1].n, expected);
    assert_string_equal(heard[0].lines.data, heard[1].lines.data);
    assert_null(strstr(heard[0].lines.data, ", "));
}

static void hooks_hear_joins_as_they_hear_messages(void **state)
{
    struct story *s = *state;
    everybody_joins(s);
    say(s, s->apart, s->pupils[7], "{\"body\":\"hello\"}");
    say(s, s->together, s->pupils[7], "{\"body\":\"hello\"}");
    assert_same(s->hooks, PUPILS + 1);
    assert_non_null(strstr(s->hooks[1].lines.data, "m.room.member @p299:school.example {"));
    assert_non_null(strstr(s->hooks[1].lines.data, "m.room.message - {\"body\":\"hello\"}"));
}

static void observers_hear_joins_as_they_hear_messages(void **state)
{
    struct story *s = *state;
    everybody_joins(s);
    say(s, s->apart, s->pupils[7], "{\"body\":\"hello\"}");
    say(s, s->together, s->pupils[7], "{\"body\":\"hello\"}");
    assert_same(s->changes, 2 * PUPILS + 1);
    assert_int_equal(hub_last_change(s->w.hub, s->watcher), s->hooks[1].last);
    assert_int_equal(hub_room_last_event(s->w.hub, s->together), s->hooks[1].last);
}

/* Who joins with a class makes somebody's telephone ring as who joins alone does, if that is what they wish. */
static void joins_notify(void **state)
{
    struct story *s = *state;
    const room_no rooms[] = {s->apart, s->together};
    everybody_joins(s);
    for (int i = 0; i < 2; ++i) {
        struct membership_row m;
        struct unread_tally tally;
        char *room_id = world_room_id(&s->w, rooms[i]);
        memberships_get(s->w.f.db, rooms[i], s->watcher, &m);
        unread_get(s->w.sync->unread, s->w.f.db,
                   &(struct unread_ask){s->watcher, "@watcher:school.example", rooms[i], room_id, m.joined_pos,
                                        writer_pos(s->w.f.writer), NULL},
                   &tally);
        assert_int_equal(tally.main.notify, PUPILS);
        unread_tally_finish(&tally);
        free(room_id);
    }
}

/* How many relate to the room's event of pupil no. */
static int related(struct story *s, room_no room, int no)
{
    char user_id[40], content[300];
    struct event_row row;
    struct relation relation;
    int n = 0;
    snprintf(user_id, sizeof user_id, "@p%03d:school.example", no);
    struct stmt *q = events_state_get(s->w.f.db, room, "m.room.member", user_id);
    assert_true(events_next(q, &row));
    char *event_id = xstrdup(row.event_id);
    stmt_end(q);
    snprintf(content, sizeof content,
             "{\"body\":\"welcome\",\"m.relates_to\":{\"rel_type\":\"m.thread\",\"event_id\":\"%s\"}}", event_id);
    say(s, room, s->watcher, content);
    q = relations_to(s->w.f.db, event_id, INT64_MAX);
    while (relations_next(q, &relation))
        n += strcmp(relation.rel_type, "m.thread") == 0 && relation.sender == s->watcher;
    stmt_end(q);
    free(event_id);
    return n;
}

static void joins_are_related_to(void **state)
{
    struct story *s = *state;
    everybody_joins(s);
    assert_int_equal(related(s, s->apart, 290), 1);
    assert_int_equal(related(s, s->together, 290), 1);
}

static void a_hook_that_fails_takes_the_job_with_it(void **state)
{
    struct story *s = *state;
    struct error e;
    static writer_job *const JOBS[] = {apart_job, together_job};
    const room_no rooms[] = {s->apart, s->together};
    for (int i = 0; i < 2; ++i) {
        s->fail_at = 280;
        assert_false(writer_run(s->w.f.writer, JOBS[i], s, &e));
        assert_int_equal(e.code, ERROR_UNKNOWN);
        assert_int_equal(memberships_count(s->w.f.db, rooms[i], MEMBERSHIP_JOIN), 2);
        assert_int_equal(s->changes[i].n, 0);
        s->fail_at = 0;
        s->hooks[i].last = 0; /* the positions come again */
        say(s, rooms[i], s->watcher, "{\"body\":\"still here\"}");
        assert_null(strstr(s->hooks[i].lines.data, ", but it does not lie there"));
    }
}

#define STORY(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(hooks_hear_joins_as_they_hear_messages),
        STORY(observers_hear_joins_as_they_hear_messages),
        STORY(joins_notify),
        STORY(joins_are_related_to),
        STORY(a_hook_that_fails_takes_the_job_with_it),
    };
    return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
