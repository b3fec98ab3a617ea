/* What was written lately: found by position, bounded, and a miss where it must be one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "homeserver/base/recent.h"
#include "homeserver/base/text.h"

struct thing {
    struct recent_item item;
    int64_t twice;
};

static void add(struct recent *recent, stream_pos pos, size_t more)
{
    struct thing *thing = recent_item_create(pos, sizeof *thing + more);
    thing->twice = 2 * pos;
    recent_add(recent, thing);
}

static bool has(struct recent *recent, stream_pos pos)
{
    struct thing *thing = recent_get(recent, pos);
    bool there = thing != NULL;
    if (there)
        assert_int_equal(thing->twice, 2 * pos);
    recent_item_unref(thing);
    return there;
}

static void items_are_found_by_position(void **state)
{
    struct recent *recent = recent_create(8, 1 << 20);
    assert_false(has(recent, 1));
    for (stream_pos pos = 10; pos < 60; pos += 10)
        add(recent, pos, 0);
    for (stream_pos pos = 0; pos < 70; ++pos)
        assert_int_equal(has(recent, pos), pos % 10 == 0 && pos >= 10 && pos <= 50);
    recent_destroy(recent);
    recent_destroy(NULL);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
    struct recent *recent = recent_create(8, 1 << 20);
    for (stream_pos pos = 1; pos <= 1000; ++pos) {
        add(recent, pos, 0);
        assert_true(has(recent, pos));
        assert_int_equal(has(recent, pos - 7), pos > 7);
        assert_false(has(recent, pos - 8));
    }
    recent_destroy(recent);
}

static void the_oldest_go_when_they_are_too_long(void **state)
{
    struct recent *recent = recent_create(100, 1000);
    add(recent, 1, 400);
    add(recent, 2, 400);
    assert_true(has(recent, 1) && has(recent, 2));
    add(recent, 3, 400);
    assert_true(!has(recent, 1) && has(recent, 2) && has(recent, 3));
    add(recent, 4, 5000); /* longer than all may be together: alone */
    assert_true(!has(recent, 2) && !has(recent, 3) && has(recent, 4));
    add(recent, 5, 0);
    assert_true(!has(recent, 4) && has(recent, 5));
    recent_destroy(recent);
}

static void positions_come_again_after_a_rollback(void **state)
{
    struct recent *recent = recent_create(8, 1 << 20);
    for (stream_pos pos = 1; pos <= 5; ++pos)
        add(recent, pos, 0);
    recent_clear(recent);
    assert_false(has(recent, 5));
    add(recent, 6, 0);
    add(recent, 4, 0); /* what is rolled back and not cleared does not outlive its positions */
    assert_true(has(recent, 4));
    assert_false(has(recent, 6));
    recent_destroy(recent);
}

static void whoever_holds_an_item_keeps_it(void **state)
{
    struct recent *recent = recent_create(2, 1 << 20);
    add(recent, 1, 0);
    struct thing *held = recent_get(recent, 1);
    add(recent, 2, 0);
    add(recent, 3, 0);
    assert_false(has(recent, 1));
    recent_destroy(recent);
    assert_int_equal(held->twice, 2);
    recent_item_unref(held);
}

/* One writes, others look. */
static _Atomic bool done;

static void *look(void *recent)
{
    for (stream_pos pos = 1; !done; pos = pos % 5000 + 1)
        has(recent, pos);
    return NULL;
}

static void threads_may_look(void **state)
{
    pthread_t threads[3];
    struct recent *recent = recent_create(64, 1 << 20);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, look, recent), 0);
    for (stream_pos pos = 1; pos <= 5000; ++pos) {
        add(recent, pos, 0);
        if (pos % 1000 == 0)
            recent_clear(recent);
    }
    done = true;
    for (int i = 0; i < 3; ++i)
        pthread_join(threads[i], NULL);
    recent_destroy(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_found_by_position),          cmocka_unit_test(the_oldest_go_when_there_are_too_many),
        cmocka_unit_test(the_oldest_go_when_they_are_too_long), cmocka_unit_test(positions_come_again_after_a_rollback),
        cmocka_unit_test(whoever_holds_an_item_keeps_it),       cmocka_unit_test(threads_may_look),
    };
    return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
