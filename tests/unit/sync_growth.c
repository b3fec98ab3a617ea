/* What an answer to /sync reads must not grow with what it does not tell: one table of questions, each asked in a small
 * world and in a larger one. */
#include "tests/unit/sync_world.h"

#include "homeserver/store/matrix/account_data.h"

enum { FEW = 3, MANY = 60 };

struct story {
    struct world w;
    user_no anna, boris;
    room_no rooms[MANY];
    int n;
    struct filter *everything;
};

static void grow(struct story *s, int n)
{
    for (; s->n < n; ++s->n) {
        s->rooms[s->n] = fixture_room(&s->w.f, s->boris, "12", PRESET_PUBLIC_CHAT, NULL);
        assert_true(fixture_member(&s->w.f, s->rooms[s->n], ACT_JOIN, s->anna, s->anna, NULL));
    }
}

/* Syncs and moves *since on; returns how many rows were read for it. */
static int64_t cost(struct story *s, stream_pos *since, size_t *rooms_told)
{
    struct sync_request ask = {s->anna, s->anna, "@anna:school.example", *since, false, false, s->everything};
    int64_t before = db_rows_read(s->w.f.db);
    json_t *answer = world_sync(&s->w, &ask, since, NULL);
    *rooms_told = json_object_size(json_object_get(json_object_get(answer, "rooms"), "join"));
    json_decref(answer);
    return db_rows_read(s->w.f.db) - before;
}

static void nothing(struct story *s)
{
}

/* In a class that is never among the last. */
static void say(struct story *s)
{
    assert_true(fixture_send(&s->w.f, s->rooms[0], s->boris, "m.room.message", NULL,
                             "{\"msgtype\":\"m.text\",\"body\":\"Завтра лыжи\"}", NULL, NULL, NULL));
}

static void what_is_read_does_not_grow_with_the_rooms(void **state)
{
    static const struct {
        const char *what;
        void (*happens)(struct story *s);
        size_t rooms_told;
    } CASES[] = {
        {"nothing new", nothing, 0},
        {"a message in one room", say, 1},
    };
    struct story s = {0};
    size_t told;
    world_start(&s.w);
    s.anna = fixture_user(&s.w.f, "anna");
    s.boris = fixture_user(&s.w.f, "boris");
    s.everything = world_filter(NULL);
    int64_t rows[2][sizeof CASES / sizeof *CASES];
    for (int size = 0; size < 2; ++size) {
        stream_pos since = 0;
        grow(&s, size == 0 ? FEW : MANY);
        cost(&s, &since, &told);
        assert_int_equal(told, s.n);
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
            CASES[i].happens(&s);
            cost(&s, &since, &told); /* what is remembered of one room, is */
            CASES[i].happens(&s);
            rows[size][i] = cost(&s, &since, &told);
            assert_int_equal(told, CASES[i].rooms_told);
        }
    }
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        if (rows[1][i] != rows[0][i])
            fail_msg("%s: %lld rows in %d rooms, %lld in %d", CASES[i].what, (long long)rows[0][i], FEW,
                     (long long)rows[1][i], MANY);
    filter_unref(s.everything);
    world_stop(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_read_does_not_grow_with_the_rooms)};
    return cmocka_run_group_tests_name("sync_growth", tests, NULL, NULL);
}
