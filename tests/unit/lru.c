/* The bounded map: what stays and what makes way, against a plain list; references; threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/lru.h"
#include "homeserver/base/text.h"

/* A value that knows its key, and how many hold it. */
struct value {
    _Atomic int refs;
    uint32_t key, version;
};
static _Atomic int living;

static struct value *value_create(uint32_t key, uint32_t version)
{
    struct value *value = xcalloc(1, sizeof *value);
    value->refs = 1;
    value->key = key;
    value->version = version;
    ++living;
    return value;
}

static void *value_ref(void *arg)
{
    struct value *value = arg;
    if (value->refs++ <= 0)
        abort(); /* not cmocka's: threads come here */
    return value;
}

static void value_unref(void *arg)
{
    struct value *value = arg;
    int left = --value->refs;
    if (left < 0)
        abort();
    if (left == 0) {
        --living;
        free(value);
    }
}

static uint32_t roll(uint64_t *dice, uint32_t n)
{
    *dice = *dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*dice >> 33) % n;
}

static const struct lru_type TYPE = {sizeof(uint32_t), value_ref, value_unref};

/* The version under the key; -1: there is none. */
static int64_t version_of(struct lru *lru, uint32_t key)
{
    struct value *value = lru_get(lru, &key);
    if (value == NULL)
        return -1;
    if (value->key != key)
        abort();
    int64_t version = value->version;
    value_unref(value);
    return version;
}

static void add(struct lru *lru, uint32_t key, uint32_t version)
{
    value_unref(lru_add(lru, &key, value_create(key, version)));
}

static void test_bound(void **state)
{
    struct lru *lru = lru_create(&TYPE, 3);
    for (uint32_t key = 1; key <= 3; ++key)
        add(lru, key, key);
    assert_int_equal(version_of(lru, 1), 1); /* now 2 was asked for longest ago */
    add(lru, 4, 4);
    assert_int_equal(version_of(lru, 2), -1);
    add(lru, 3, 33); /* is there already: nobody makes way, and it counts as asked for */
    assert_int_equal(living, 3);
    add(lru, 5, 5);
    assert_int_equal(version_of(lru, 1), -1);
    assert_int_equal(version_of(lru, 3), 3);
    assert_int_equal(version_of(lru, 4), 4);
    lru_destroy(lru);
    assert_int_equal(living, 0);
    lru_destroy(NULL);
}

static void test_peek(void **state)
{
    uint32_t key = 1;
    struct lru *lru = lru_create(&TYPE, 2);
    add(lru, 1, 1);
    add(lru, 2, 2);
    struct value *value = lru_peek(lru, &key);
    assert_int_equal(value->version, 1);
    value_unref(value);
    add(lru, 3, 3); /* 1 makes way all the same */
    assert_null(lru_peek(lru, &key));
    assert_int_equal(version_of(lru, 2), 2);
    lru_destroy(lru);
    assert_int_equal(living, 0);
}

static void test_first_stays(void **state)
{
    struct lru *lru = lru_create(&TYPE, 1);
    uint32_t key = 7;
    struct value *first = lru_add(lru, &key, value_create(key, 1)), *second = lru_add(lru, &key, value_create(key, 2));
    assert_ptr_equal(first, second);
    add(lru, 8, 3);
    assert_int_equal(version_of(lru, key), -1);
    assert_int_equal(first->version, 1); /* still held here */
    value_unref(first);
    value_unref(second);
    assert_int_equal(living, 1);
    lru_destroy(lru);
    assert_int_equal(living, 0);
}

/* The same in a list, in order of use. */
struct model {
    size_t n, max;
    struct {
        uint32_t key, version;
    } at[64];
};

static int64_t model_get(struct model *m, uint32_t key)
{
    for (size_t i = 0; i < m->n; ++i)
        if (m->at[i].key == key) {
            uint32_t version = m->at[i].version;
            memmove(&m->at[i], &m->at[i + 1], (m->n - 1 - i) * sizeof *m->at);
            m->at[m->n - 1].key = key;
            m->at[m->n - 1].version = version;
            return version;
        }
    return -1;
}

static void model_add(struct model *m, uint32_t key, uint32_t version)
{
    if (model_get(m, key) >= 0)
        return;
    if (m->n == m->max)
        memmove(&m->at[0], &m->at[1], --m->n * sizeof *m->at);
    m->at[m->n].key = key;
    m->at[m->n++].version = version;
}

static void run_seed(uint64_t seed)
{
    uint64_t dice = seed;
    struct model model = {.max = 1 + roll(&dice, 40)};
    struct lru *lru = lru_create(&TYPE, model.max);
    for (uint32_t step = 0; step < 2000; ++step) {
        uint32_t key = roll(&dice, 60);
        if (roll(&dice, 2) == 0) {
            assert_int_equal(version_of(lru, key), model_get(&model, key));
        } else {
            add(lru, key, step);
            model_add(&model, key, step);
        }
        assert_int_equal(living, model.n);
    }
    for (size_t i = 0; i < model.n; ++i) {
        uint32_t key = model.at[0].key;
        assert_int_equal(version_of(lru, key), model_get(&model, key));
    }
    lru_destroy(lru);
    assert_int_equal(living, 0);
}

static void test_property(void **state)
{
    for (uint64_t seed = 1; seed <= 40; ++seed)
        run_seed(seed);
}

/* Threads neither lose nor double a reference. */
static void *work(void *arg)
{
    struct lru *lru = arg;
    uint64_t dice = (uintptr_t)&dice;
    for (uint32_t step = 0; step < 20000; ++step) {
        uint32_t key = roll(&dice, 500);
        if (step % 2 == 0)
            add(lru, key, step);
        else
            version_of(lru, key);
    }
    return NULL;
}

static void test_threads(void **state)
{
    enum { MAX = 100 };
    pthread_t threads[4];
    struct lru *lru = lru_create(&TYPE, MAX);
    for (int i = 0; i < 4; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, work, lru), 0);
    for (int i = 0; i < 4; ++i)
        pthread_join(threads[i], NULL);
    assert_int_equal(living, MAX);
    lru_destroy(lru);
    assert_int_equal(living, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),    cmocka_unit_test(test_peek),    cmocka_unit_test(test_first_stays),
        cmocka_unit_test(test_property), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
