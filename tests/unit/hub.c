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
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/receipt_news.h"

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

static struct member_set *members(user_no first, user_no last)
{
    user_no *users = xcalloc((size_t)(last - first + 1), sizeof *users);
    for (user_no user = first; user <= last; ++user)
        users[user - first] = user;
    return member_set_create(users, (size_t)(last - first + 1));
}

static struct change event(stream_pos pos, room_no room, struct member_set *joined)
{
    struct event_news *news = xcalloc(1, sizeof *news);
    news->refs = 1;
    news->joined = joined;
    return (struct change){CHANGE_EVENT, false, pos, room, joined->users[0], 0, news, event_news_unref};
}

static void observe(struct sync_hub *hub, struct change *changes, size_t n)
{
    hub_observe(hub, changes, n);
    for (size_t i = 0; i < n; ++i)
        if (changes[i].release != NULL)
            changes[i].release(changes[i].payload);
}

static void everybody_has_changed_at_the_start(void **state)
{
    struct sync_hub *hub = hub_create(START);
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
    struct sync_hub *hub = hub_create(START);
    hub_listen(hub, hear, &heard);
    observe(hub, (struct change[]){event(1001, 5, members(10, 12))}, 1);
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
    struct sync_hub *hub = hub_create(START);
    struct member_set *set = members(10, 12);
    hub_listen(hub, hear, &heard);
    observe(hub,
            (struct change[]){
                event(1001, 5, member_set_ref(set)),
                event(1002, 5, set),
                event(1003, 6, members(12, 14)),
                {CHANGE_MEMBERSHIP, false, 1003, 6, 20, 0, NULL, NULL},
                {CHANGE_ACCOUNT_DATA, true, 1004, 0, 11, 0, NULL, NULL},
                {CHANGE_SESSION, false, 0, 0, 99, 0, NULL, NULL},
            },
            6);
    struct wake *wake = heard.last;
    assert_int_equal(heard.n, 1);
    assert_int_equal(wake->pos, 1004);
    assert_int_equal(wake->n_users, 6); /* 10 … 14, 20 */
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

static struct change receipt(stream_pos pos, room_no room, user_no user, bool private_, struct member_set *set)
{
    struct receipt_row row = {.room = room, .user = user, .type = "m.read", .thread = "", .event_id = "$e"};
    struct receipt_news *news = receipt_news_create(&row, "!r:s", set);
    return (struct change){CHANGE_RECEIPT, private_, pos, room, user, 0, news, receipt_news_unref};
}

static void private_receipts_are_their_owners(void **state)
{
    struct heard heard = {0};
    struct sync_hub *hub = hub_create(START);
    struct member_set *set = members(10, 12);
    hub_listen(hub, hear, &heard);
    observe(hub, (struct change[]){receipt(1001, 5, 11, true, set)}, 1);
    assert_int_equal(heard.last->n_users, 1);
    assert_int_equal(heard.last->users[0], 11);
    assert_int_equal(hub_room_last_event(hub, 5), START);
    observe(hub, (struct change[]){receipt(1002, 5, 11, false, set)}, 1);
    assert_int_equal(heard.last->n_users, 3);
    assert_int_equal(hub_last_change(hub, 10), 1002);
    member_set_unref(set);
    wake_unref(heard.last);
    hub_destroy(hub);
}

static void what_concerns_nobody_wakes_nobody(void **state)
{
    struct heard heard = {0};
    struct sync_hub *hub = hub_create(START);
    hub_listen(hub, hear, &heard);
    observe(hub, (struct change[]){{CHANGE_PROFILE, false, 1001, 0, 5, 0, NULL, NULL}}, 1);
    observe(hub, (struct change[]){{CHANGE_SESSION, false, 0, 0, 5, 0, NULL, NULL}}, 1);
    assert_int_equal(heard.n, 0);
    assert_int_equal(hub_pos(hub), 1001);
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

static void the_number_rises_before_the_wake(void **state)
{
    pthread_t threads[3];
    struct race race = {.hub = hub_create(START)};
    pthread_mutex_init(&race.lock, NULL);
    hub_listen(race.hub, note_wake, &race);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &race), 0);
    for (stream_pos pos = START + 1; pos <= START + CHANGES; ++pos)
        observe(race.hub, (struct change[]){event(pos, pos % 7, members(pos % 90, pos % 90 + 100))}, 1);
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
        cmocka_unit_test(private_receipts_are_their_owners),
        cmocka_unit_test(what_concerns_nobody_wakes_nobody),
        cmocka_unit_test(the_number_rises_before_the_wake),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
