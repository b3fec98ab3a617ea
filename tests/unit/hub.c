/* The hub: whom a group concerns, the numbers it raises, and that no change falls between looking and parking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/hub.h"

#define START 1000

struct heard {
    int n;
    struct wake *last;
};

static void hear(void *self, struct wake *wake)
{
    struct heard *heard = self;
    ++heard->n;
    wake_unref(heard->last);
    heard->last = wake_ref(wake);
}

/* Who is joined to which room; a room nobody has heard of can't be looked up. */
struct joined {
    room_no room;
    user_no first, last;
    int asked;
};

static struct member_set *members(user_no first, user_no last)
{
    user_no *users = xcalloc((size_t)(last - first + 1), sizeof *users);
    for (user_no user = first; user <= last; ++user)
        users[user - first] = user;
    return member_set_create(users, (size_t)(last - first + 1));
}

static struct member_set *audience(void *self, const struct change *change)
{
    for (struct joined *joined = self; joined->room != 0; ++joined)
        if (joined->room == change->room) {
            joined->asked += 1;
            return members(joined->first, joined->last);
        }
    return NULL;
}

static struct change event(stream_pos pos, room_no room, user_no sender)
{
    return (struct change){.kind = CHANGE_EVENT, .pos = pos, .room = room, .user = sender};
}

/* With the kinds of change as the sections of /sync declare them. */
static struct sync_hub *start(void)
{
    struct sync_hub *hub = hub_create(START);
    hub_concern(hub, CHANGE_EVENT, HUB_ROOM);
    hub_concern(hub, CHANGE_MEMBERSHIP, HUB_USER);
    hub_concern(hub, CHANGE_RECEIPT, HUB_ROOM);
    hub_concern(hub, CHANGE_RECEIPT, HUB_USER); /* adds up */
    hub_concern(hub, CHANGE_ACCOUNT_DATA, HUB_USER);
    hub_concern(hub, CHANGE_PRESENCE, HUB_USER | HUB_OTHERS);
    return hub;
}

static void everybody_has_changed_at_the_start(void **state)
{
    struct sync_hub *hub = start();
    assert_int_equal(hub_last_change(hub, 7), START);
    assert_int_equal(hub_last_change(hub, INT64_MAX), START);
    assert_int_equal(hub_room_last_change(hub, 7), START);
    assert_int_equal(hub_pos(hub), START);
    hub_destroy(hub);
    hub_destroy(NULL);
}

static void an_event_concerns_its_room(void **state)
{
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_listen(hub, hear, &heard);
    hub_ask(hub, audience, joined);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.last->pos, 1001);
    assert_int_equal(heard.last->n_users, 3);
    assert_true(wake_concerns(heard.last, 10) && wake_concerns(heard.last, 12));
    assert_false(wake_concerns(heard.last, 9) || wake_concerns(heard.last, 13));
    assert_int_equal(hub_last_change(hub, 11), 1001);
    assert_int_equal(hub_last_change(hub, 13), START);
    assert_int_equal(hub_room_last_change(hub, 5), 1001);
    assert_int_equal(hub_room_last_event(hub, 5), 1001);
    assert_int_equal(heard.last->before[0], START);
    wake_unref(heard.last);
    hub_destroy(hub);
}

static void a_group_is_one_wake(void **state)
{
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {6, 12, 14}, {0}};
    struct sync_hub *hub = start();
    hub_listen(hub, hear, &heard);
    hub_ask(hub, audience, joined);
    hub_observe(hub,
                (struct change[]){
                    event(1001, 5, 10),
                    event(1002, 5, 10),
                    event(1003, 6, 12),
                    {.kind = CHANGE_MEMBERSHIP, .pos = 1003, .room = 6, .user = 20},
                    {.kind = CHANGE_ACCOUNT_DATA, .private_ = true, .pos = 1004, .user = 11},
                    {.kind = CHANGE_SESSION, .user = 99},
                },
                6);
    assert_int_equal(joined[0].asked, 1); /* once a room and group */
    struct wake *wake = heard.last;
    assert_int_equal(heard.n, 1);
    assert_int_equal(wake->pos, 1004);
    assert_int_equal(wake->first_pos, 1001); /* what has no position is not before all */
    assert_int_equal(wake->n_users, 6);      /* 10 … 14, 20 */
    assert_int_equal(wake->n_rooms, 2);
    ptrdiff_t at = wake_find(wake, 12);
    assert_int_equal(wake->first[at + 1] - wake->first[at], 2); /* both rooms */
    at = wake_find(wake, 11);
    assert_int_equal(wake->items[wake->first[at]].room, -1); /* something of their own comes first */
    at = wake_find(wake, 20);
    assert_int_equal(wake->items[wake->first[at]].room, -1);
    assert_int_equal(hub_last_own_data(hub, 11), 1004);
    assert_int_equal(hub_last_own_data(hub, 12), START);
    assert_int_equal(wake_find(wake, 99), -1);
    wake_unref(wake);
    hub_destroy(hub);
}

/* Who hears of it asks the database for it; who only shares the group with it does not. */
static void what_encryption_tells_has_a_number_of_its_own(void **state)
{
    struct joined joined[] = {{5, 10, 12}, {6, 12, 14}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_concern(hub, CHANGE_TO_DEVICE, HUB_USER);
    hub_concern(hub, CHANGE_ENCRYPTED, HUB_USER | HUB_ROOM);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    assert_int_equal(hub_last_keys(hub, 10), START);
    hub_observe(hub,
                (struct change[]){event(1002, 5, 10),
                                  {.kind = CHANGE_TO_DEVICE, .pos = 1003, .user = 30, .device = 1},
                                  {.kind = CHANGE_KEY_COUNTS, .user = 30, .device = 1}},
                3);
    assert_int_equal(hub_last_keys(hub, 30), 1003);
    assert_int_equal(hub_last_keys(hub, 10), START);
    hub_observe(
        hub, (struct change[]){event(1004, 6, 12), {.kind = CHANGE_ENCRYPTED, .pos = 1004, .room = 6, .user = 40}}, 2);
    assert_int_equal(hub_last_keys(hub, 12), 1004);
    assert_int_equal(hub_last_keys(hub, 14), 1004);
    assert_int_equal(hub_last_keys(hub, 40), 1004); /* who has left */
    assert_int_equal(hub_last_keys(hub, 10), START);
    hub_destroy(hub);
}

static struct change receipt(stream_pos pos, room_no room, user_no user, bool private_)
{
    return (struct change){.kind = CHANGE_RECEIPT, .private_ = private_, .pos = pos, .room = room, .user = user};
}

static void private_receipts_are_their_owners(void **state)
{
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_listen(hub, hear, &heard);
    hub_ask(hub, audience, joined);
    hub_observe(hub, (struct change[]){receipt(1001, 5, 11, true)}, 1);
    assert_int_equal(heard.last->n_users, 1);
    assert_int_equal(heard.last->users[0], 11);
    assert_int_equal(hub_room_last_event(hub, 5), START);
    hub_observe(hub, (struct change[]){receipt(1002, 5, 11, true), receipt(1003, 5, 11, false)}, 2);
    assert_int_equal(heard.last->n_users, 3);
    assert_int_equal(hub_last_change(hub, 10), 1003);
    wake_unref(heard.last);
    hub_destroy(hub);
}

static void what_concerns_nobody_wakes_nobody(void **state)
{
    struct heard heard = {0};
    struct sync_hub *hub = start();
    hub_listen(hub, hear, &heard);
    hub_observe(hub, (struct change[]){{.kind = CHANGE_PROFILE, .pos = 1001, .user = 5}}, 1);
    hub_observe(hub, (struct change[]){{.kind = CHANGE_SESSION, .user = 5}}, 1);
    assert_int_equal(heard.n, 0);
    assert_int_equal(hub_pos(hub), 1001);
    hub_destroy(hub);
}

static void others_hear_of_it_as_their_own(void **state)
{
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_listen(hub, hear, &heard);
    hub_ask(hub, audience, joined);
    hub_observe(hub, (struct change[]){{.kind = CHANGE_PRESENCE, .pos = 1001, .room = 5, .user = 20}}, 1);
    assert_int_equal(heard.last->n_users, 4);
    assert_int_equal(heard.last->n_rooms, 0);
    assert_int_equal(heard.last->items[0].room, -1);
    assert_int_equal(hub_last_change(hub, 12), 1001);
    wake_unref(heard.last);
    hub_destroy(hub);
}

/* A failing disk: nobody may park on what they were not told of. */
static void who_cannot_be_found_out_is_everybody(void **state)
{
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    hub_observe(hub, (struct change[]){event(1002, 6, 20)}, 1);
    assert_int_equal(hub_last_change(hub, 11), 1002);
    assert_int_equal(hub_last_change(hub, 9999), 1002);
    hub_observe(hub, (struct change[]){event(1003, 5, 10)}, 1);
    assert_int_equal(hub_last_change(hub, 11), 1003);
    assert_int_equal(hub_last_change(hub, 9999), 1002);
    hub_destroy(hub);
}

/* One thread changes, others look and park as loops do: a wake that comes after the look always has a number that was
 * not there yet, and one that was raised before it is seen by the look. */
#define CHANGES 3000
#define USERS 200

struct race {
    struct sync_hub *hub;
    _Atomic bool done;
    pthread_mutex_t lock;
    stream_pos woken[USERS]; /* by user: the last wake that concerned them; guarded by lock */
};

static void note_wake(void *self, struct wake *wake)
{
    struct race *race = self;
    pthread_mutex_lock(&race->lock);
    for (size_t i = 0; i < wake->n_users; ++i)
        race->woken[wake->users[i]] = wake->pos;
    pthread_mutex_unlock(&race->lock);
}

static void *look(void *arg)
{
    struct race *race = arg;
    for (unsigned turn = 0; !race->done; ++turn) {
        user_no user = turn % USERS;
        pthread_mutex_lock(&race->lock);
        stream_pos woken = race->woken[user];
        pthread_mutex_unlock(&race->lock);
        if (hub_last_change(race->hub, user) < woken) /* the number rises first */
            abort();
    }
    return NULL;
}

static struct member_set *moving_audience(void *self, const struct change *change)
{
    return members(change->pos % 90, change->pos % 90 + 100);
}

static void the_number_rises_before_the_wake(void **state)
{
    pthread_t threads[3];
    struct race race = {.hub = start()};
    pthread_mutex_init(&race.lock, NULL);
    hub_listen(race.hub, note_wake, &race);
    hub_ask(race.hub, moving_audience, NULL);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &race), 0);
    for (stream_pos pos = START + 1; pos <= START + CHANGES; ++pos)
        hub_observe(race.hub, (struct change[]){event(pos, pos % 7, 1)}, 1);
    race.done = true;
    for (int i = 0; i < 3; ++i)
        pthread_join(threads[i], NULL);
    assert_int_equal(hub_pos(race.hub), START + CHANGES);
    pthread_mutex_destroy(&race.lock);
    hub_destroy(race.hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_has_changed_at_the_start),
        cmocka_unit_test(an_event_concerns_its_room),
        cmocka_unit_test(a_group_is_one_wake),
        cmocka_unit_test(what_encryption_tells_has_a_number_of_its_own),
        cmocka_unit_test(private_receipts_are_their_owners),
        cmocka_unit_test(others_hear_of_it_as_their_own),
        cmocka_unit_test(what_concerns_nobody_wakes_nobody),
        cmocka_unit_test(who_cannot_be_found_out_is_everybody),
        cmocka_unit_test(the_number_rises_before_the_wake),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
