/* The hub: whom a group concerns, the numbers it raises, and that no change falls between looking and parking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/recent_wakes.h"

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

/* --- What is made ready, and for how long it is kept --- */

static void prepare(void *self, struct wake *wake, const struct change *changes, size_t n)
{
    *(int *)self += 1;
    wake->fragments = self;
    wake->bytes = 100;
}

static void fragments_are_made_for_those_who_wait(void **state)
{
    int prepared = 0;
    int64_t now_ms = clock_mono_ms();
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_prepare(hub, prepare, &prepared);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    assert_int_equal(prepared, 0);
    hub_waits(hub, 13, now_ms + 3600000); /* whom it does not concern */
    hub_waits(hub, 11, now_ms - 1);       /* who has given up */
    hub_observe(hub, (struct change[]){event(1002, 5, 10)}, 1);
    assert_int_equal(prepared, 0);
    hub_waits(hub, 12, now_ms + 3600000);
    hub_observe(hub, (struct change[]){event(1003, 5, 10)}, 1);
    assert_int_equal(prepared, 1);
    hub_destroy(hub);
}

static size_t missed(struct sync_hub *hub, user_no user, stream_pos since, stream_pos *first, stream_pos *last)
{
    struct wake *wakes[RECENT_WAKES_MAX];
    size_t n = hub_missed(hub, user, since, wakes);
    *first = n != 0 ? wakes[0]->pos : 0;
    *last = n != 0 ? wakes[n - 1]->pos : 0;
    for (size_t i = 0; i < n; ++i)
        wake_unref(wakes[i]);
    return n;
}

static void what_was_missed_is_whole_or_nothing(void **state)
{
    int prepared = 0;
    stream_pos first, last;
    struct joined joined[] = {{5, 10, 12}, {6, 12, 14}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_prepare(hub, prepare, &prepared);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1); /* nobody waits: it is not kept */
    hub_waits(hub, 12, INT64_MAX);
    hub_observe(hub, (struct change[]){event(1002, 5, 10)}, 1);
    hub_observe(hub, (struct change[]){event(1003, 6, 12)}, 1);
    hub_observe(hub, (struct change[]){event(1004, 5, 10)}, 1);
    assert_int_equal(missed(hub, 12, 1001, &first, &last), 3);
    assert_true(first == 1002 && last == 1004);
    assert_int_equal(missed(hub, 12, 1002, &first, &last), 2);
    assert_int_equal(missed(hub, 11, 1001, &first, &last), 2); /* the other room is not theirs */
    assert_true(first == 1002 && last == 1004);
    assert_int_equal(missed(hub, 12, 1000, &first, &last), 0); /* the first of it is not here */
    assert_int_equal(missed(hub, 12, 1004, &first, &last), 0);
    hub_observe(hub, (struct change[]){{.kind = CHANGE_ACCOUNT_DATA, .private_ = true, .pos = 1005, .user = 11}}, 1);
    assert_int_equal(missed(hub, 11, 1001, &first, &last), 0); /* their last change is not here */
    assert_int_equal(missed(hub, 12, 1001, &first, &last), 3);
    for (stream_pos pos = 1006; pos < 1006 + RECENT_WAKES_MAX; ++pos)
        hub_observe(hub, (struct change[]){event(pos, 5, 10)}, 1);
    assert_int_equal(missed(hub, 12, 1004, &first, &last), RECENT_WAKES_MAX);
    assert_int_equal(missed(hub, 12, 1003, &first, &last), 0); /* too many came since */
    hub_destroy(hub);
}

/* The wake of an event from which something was taken is told no more, to those who are late nor to those to whom it is
 * under way; the others stay. */
static void what_was_taken_is_told_no_more(void **state)
{
    int prepared = 0;
    stream_pos first, last;
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {6, 20, 22}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_prepare(hub, prepare, &prepared);
    hub_listen(hub, hear, &heard);
    hub_waits(hub, 12, INT64_MAX);
    hub_waits(hub, 22, INT64_MAX);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    hub_observe(hub, (struct change[]){event(1002, 6, 20)}, 1);
    hub_observe(hub, (struct change[]){event(1003, 5, 10), event(1004, 5, 11)}, 2);
    struct wake *under_way = wake_ref(heard.last);
    hub_observe(hub, (struct change[]){event(1005, 5, 10)}, 1);
    assert_int_equal(missed(hub, 12, 1000, &first, &last), 3);
    hub_observe(hub, (struct change[]){{.kind = CHANGE_TAKEN, .private_ = true, .event = 1003}}, 1);
    assert_true(under_way->ended);
    assert_false(heard.last->ended);
    assert_int_equal(missed(hub, 12, 1000, &first, &last), 0);
    assert_int_equal(missed(hub, 12, 1004, &first, &last), 1);
    assert_int_equal(missed(hub, 22, 1000, &first, &last), 1); /* another room's */
    hub_observe(hub, (struct change[]){event(1006, 6, 20), {.kind = CHANGE_TAKEN, .private_ = true, .event = 1006}}, 2);
    assert_true(heard.last->ended);
    assert_int_equal(missed(hub, 22, 1002, &first, &last), 0);
    for (stream_pos pos = 1007; pos < 1007 + RECENT_WAKES_MAX; ++pos) /* the ring goes on with those that are left */
        hub_observe(hub, (struct change[]){event(pos, 5, 10)}, 1);
    assert_int_equal(missed(hub, 12, 1006, &first, &last), RECENT_WAKES_MAX);
    assert_true(first == 1007 && last == 1006 + RECENT_WAKES_MAX);
    wake_unref(under_way);
    wake_unref(heard.last);
    hub_destroy(hub);
}

/* What was before the start may be found out and said, unless something has changed meanwhile. */
static void what_was_before_the_start_is_learned(void **state)
{
    stream_pos asked;
    struct joined joined[] = {{5, 10, 12}, {6, 20, 22}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_concern(hub, CHANGE_ENCRYPTED, HUB_USER | HUB_ROOM);
    hub_learn_room(hub, 5, 700);
    assert_true(hub_knows_room(hub, 5) && !hub_knows_room(hub, 6));
    assert_int_equal(hub_room_last_change(hub, 5), 700);
    hub_learn_room(hub, 5, 600);
    assert_int_equal(hub_room_last_change(hub, 5), 700);
    assert_int_equal(hub_room_last_change(hub, 6), START);
    hub_observe(hub, (struct change[]){event(1001, 6, 20), event(1002, 5, 10)}, 2);
    hub_learn_room(hub, 6, 700);
    assert_int_equal(hub_room_last_change(hub, 6), 1002);
    assert_int_equal(hub_room_last_change(hub, 5), 1002);
    assert_true(hub_ask_lists(hub, &asked));
    assert_false(hub_ask_lists(hub, &asked));
    assert_int_equal(asked, START);
    assert_int_equal(hub_last_lists(hub, 12), START);
    hub_learn_lists(hub, 800);
    assert_int_equal(hub_last_lists(hub, 12), 800);
    assert_int_equal(hub_last_keys(hub, 12), START); /* messages are another thing */
    hub_observe(hub, (struct change[]){{.kind = CHANGE_ENCRYPTED, .pos = 1003, .room = 5, .user = 40}}, 1);
    assert_int_equal(hub_last_lists(hub, 12), 1003);
    assert_int_equal(hub_last_lists(hub, 22), 800);
    hub_destroy(hub);
}

/* Numbers that share the last place: what one of them would teach is too low for the others. */
static void what_shares_a_place_is_not_learned(void **state)
{
    static const room_no ALONE = (INT64_C(1) << 26) - 2, SHARED = ALONE + 1, FAR = INT64_MAX;
    struct joined joined[] = {{FAR, 10, 12}, {0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, joined);
    hub_learn_room(hub, ALONE, 700);
    assert_int_equal(hub_room_last_change(hub, ALONE), 700);
    hub_learn_room(hub, FAR, 700);
    hub_learn_room(hub, SHARED, 700);
    assert_false(hub_knows_room(hub, FAR) || hub_knows_room(hub, SHARED));
    assert_int_equal(hub_room_last_change(hub, SHARED), START);
    hub_observe(hub, (struct change[]){event(1001, FAR, 10)}, 1);
    assert_int_equal(hub_room_last_change(hub, SHARED), 1001); /* too often */
    assert_int_equal(hub_room_last_change(hub, ALONE), 700);
    hub_destroy(hub);
}

/* Whom a group concerned was not found out: nothing that was learned counts any more, nor what is said afterwards. */
static void what_was_learned_ends_with_an_unknown_audience(void **state)
{
    stream_pos asked;
    struct joined none[] = {{0}};
    struct sync_hub *hub = start();
    hub_ask(hub, audience, none);
    assert_true(hub_ask_lists(hub, &asked));
    hub_learn_lists(hub, 800);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    assert_int_equal(hub_last_lists(hub, 12), 1001);
    hub_learn_lists(hub, 800);
    assert_int_equal(hub_last_lists(hub, 12), 1001);
    hub_destroy(hub);
}

static size_t kept(struct recent_wakes *recent, const struct wake *wake, int64_t now_ms)
{
    struct wake *out[RECENT_WAKES_MAX];
    size_t n = recent_wakes_since(recent, wake->users[0], wake->pos - 1, wake->pos, now_ms, out);
    for (size_t i = 0; i < n; ++i)
        wake_unref(out[i]);
    return n;
}

static void wakes_are_kept_for_a_moment_and_a_size(void **state)
{
    struct heard heard = {0};
    struct joined joined[] = {{5, 10, 12}, {0}};
    struct sync_hub *hub = start();
    struct recent_wakes *recent = recent_wakes_create();
    hub_listen(hub, hear, &heard);
    hub_ask(hub, audience, joined);
    hub_observe(hub, (struct change[]){event(1001, 5, 10)}, 1);
    struct wake *old = wake_ref(heard.last);
    old->before[0] = 1000;
    recent_wakes_add(recent, old, 5000);
    assert_int_equal(kept(recent, old, 5000 + RECENT_WAKES_MS), 1);
    assert_int_equal(kept(recent, old, 5000 + RECENT_WAKES_MS + 1), 0);
    hub_observe(hub, (struct change[]){event(1002, 5, 10)}, 1);
    heard.last->bytes = RECENT_WAKES_BYTES; /* with its people more than all may be */
    recent_wakes_add(recent, heard.last, 5000);
    assert_int_equal(kept(recent, heard.last, 5000), 0);
    heard.last->bytes = RECENT_WAKES_BYTES - 1000;
    recent_wakes_add(recent, old, 5000);
    recent_wakes_add(recent, heard.last, 5000);
    assert_int_equal(kept(recent, heard.last, 5000), 1);
    assert_int_equal(kept(recent, old, 5000), 1);
    struct wake *large = wake_ref(heard.last);
    hub_observe(hub, (struct change[]){event(1003, 5, 10)}, 1);
    heard.last->bytes = 1000;
    recent_wakes_add(recent, heard.last, 5000); /* for which both must go: the older one was not enough */
    assert_int_equal(kept(recent, heard.last, 5000), 1);
    assert_int_equal(kept(recent, old, 5000) + kept(recent, large, 5000), 0);
    wake_unref(old);
    wake_unref(large);
    wake_unref(heard.last);
    recent_wakes_destroy(recent);
    hub_destroy(hub);
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
        cmocka_unit_test(fragments_are_made_for_those_who_wait),
        cmocka_unit_test(what_was_missed_is_whole_or_nothing),
        cmocka_unit_test(what_was_taken_is_told_no_more),
        cmocka_unit_test(what_was_before_the_start_is_learned),
        cmocka_unit_test(what_shares_a_place_is_not_learned),
        cmocka_unit_test(what_was_learned_ends_with_an_unknown_audience),
        cmocka_unit_test(wakes_are_kept_for_a_moment_and_a_size),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
