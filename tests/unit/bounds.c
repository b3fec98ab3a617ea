/* J5: what one person may have. The schema is read, and each of its tables that holds something of a person must say
 * here what bounds it; each bound is filled to its end, and then to one more. That the acts ask is told by
 * tests/stories/bounds.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "tests/unit/fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Columns by which a row is somebody's. */
static const char *const PERSONS[] = {"user_no",  "sender", "creator", "owner", "issuer", "reporter", "accused",
                                      "guardian", "child",  "person",  "a",     "b",      "caller",   "device_no"};

/* What bounds a person's rows: the word of a bound, or why there is none. */
static const struct {
    const char *table, *by;
} DECLARED[] = {
    {"users", "one account a person; who may make accounts is asked by registration.mode and the school's links"},
    {"profile_fields", "PROFILE_BYTES_MAX; in a school there are none of one's own"},
    {"devices", "sessions"},
    {"access_tokens", "two of a session: a pair that is drawn again replaces the one that was not used"},
    {"refresh_tokens", "two of a session, as access_tokens"},
    {"filters", "FILTERS_PER_USER, then the oldest goes"},
    {"account_data", "account_data"},
    {"rooms", "rooms"},
    {"events", "how fast, by rate_limits.messages: what is said is the school's to keep"},
    {"memberships", "invites"},
    {"urgent_messages", "so many a day (F6)"},
    {"transactions", "PRUNE_TRANSACTIONS_MS at the rate of messages"},
    {"aliases", "aliases"},
    {"receipts", "RECEIPT_THREADS_MAX in a room, then the oldest goes; two without a thread, two of the main one"},
    {"people", "the office's records: one of a person"},
    {"roles", "the office's records"},
    {"enrollments", "the office's records"},
    {"custodies", "the office's word on a guardianship (D9), one each"},
    {"guardianships", "two of a child (D5), each by a link of the child's"},
    {"roster_members", "one in a room, by the roster"},
    {"direct_rooms", "rooms"},
    {"losses", "what a roster took: of a person one a school and kind, for LOSS_LATELY_DAYS"},
    {"taken_members", "what a roster took: one a membership, which is bounded, for TAKEN_DAYS"},
    {"taken_owners", "the same, of clubs"},
    {"taken_states", "the same: one of a person"},
    {"taken_contacts", "the same, of contacts"},
    {"taken_records", "the same, of the office's records"},
    {"named_members", "the office's: one in a room"},
    {"links", "links"},
    {"applications", "applications"},
    {"contacts", "CONTACTS_OF_MEDIUM_MAX: each is proven by a code"},
    {"reports", "reports"},
    {"erasures", "one of a person"},
    {"held_messages", "held_messages"},
    {"idempotency", "IDEMPOTENCY_PER_PERSON keys a day"},
};

enum { TABLES, ASK_COUNT };
static const struct statement TEXTS[] = {[TABLES] = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"};
static const struct statements ASK = {"bounds_test", TEXTS, ASK_COUNT};

/* Whether a table's definition has a column of that name: a name at the start of an item, with a type behind it. */
static bool has_column(const char *sql, const char *column)
{
    size_t len = strlen(column);
    for (const char *at = sql; (at = strstr(at, column)) != NULL; at += len) {
        const char *before = at - 1;
        while (before > sql && *before == ' ')
            --before;
        if ((*before == '(' || *before == ',') &&
            (strncmp(at + len, " INTEGER", 8) == 0 || strncmp(at + len, " TEXT", 5) == 0))
            return true;
    }
    return false;
}

static const char *declared(const char *table)
{
    for (size_t i = 0; i < COUNT(DECLARED); ++i)
        if (strcmp(DECLARED[i].table, table) == 0)
            return DECLARED[i].by;
    return NULL;
}

static struct fixture f;

static int start(void **state)
{
    fixture_start(&f);
    return 0;
}

static int stop(void **state)
{
    fixture_stop(&f);
    return 0;
}

static void each_table_that_a_person_can_fill_has_a_bound(void **state)
{
    size_t persons = 0;
    struct stmt *q = db_query(f.db, &ASK, TABLES, "");
    while (stmt_next(q)) {
        const char *table = col_text(q, 0), *sql = col_text(q, 1);
        bool somebodys = false;
        for (size_t i = 0; i < COUNT(PERSONS) && !somebodys; ++i)
            somebodys = has_column(sql, PERSONS[i]);
        persons += somebodys;
        if (somebodys && declared(table) == NULL)
            fail_msg("%s holds something of a person: say in this file what bounds it", table);
        if (!somebodys && declared(table) != NULL)
            fail_msg("%s holds nothing of a person", table);
    }
    stmt_end(q);
    assert_int_equal(persons, COUNT(DECLARED)); /* and each that is declared is there */
}

/* A bound's rows: how they come into being n at a time for person 2, scope 3; $1: how many. */
#define MANY " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
static const char *const FILLS[BOUND__COUNT] = {
    [BOUND_DEVICES] = "INSERT INTO devices (user_no, device_id, created_ms)" MANY " SELECT 2, 'D' || i, 1 FROM n",
    [BOUND_ACCOUNT_DATA] = "INSERT INTO account_data (user_no, room_no, type, content, pos)" MANY
                           " SELECT 2, 0, 'x.' || i, '{}', i FROM n",
    [BOUND_ACCOUNT_DATA_SIZE] = "INSERT INTO account_data (user_no, room_no, type, content, pos)"
                                " VALUES (2, 0, 'long', printf('%.*c', $1, 'x'), 1)",
    [BOUND_ROOMS] = "INSERT INTO rooms (room_id, version, creator, created_ms)" MANY
                    " SELECT '!' || i || ':a.example', '12', 2, 1 FROM n",
    [BOUND_ALIASES] =
        "INSERT INTO aliases (alias, room_no, creator)" MANY " SELECT '#' || i || ':a.example', 3, 2 FROM n",
    [BOUND_ROOM_STATE] =
        "INSERT INTO room_state (room_no, type, state_key, pos)" MANY " SELECT 999, 'x', '' || i, i FROM n",
    [BOUND_INVITES] = NULL, /* events: below */
    [BOUND_LINKS] =
        "INSERT INTO links (token_hash, kind, role, issuer, issuer_name, uses_allowed, created_ms, expires_ms)" MANY
        " SELECT CAST('h' || i AS BLOB), 'school', 'pupil', 2, 'x', 1, -90000000, 4 FROM n",
    [BOUND_PERSONAL_LINKS] = NULL, /* a person of the records */
    [BOUND_APPLICATIONS] = NULL,   /* a school */
    [BOUND_REPORTS] =
        "INSERT INTO reports (kind, reporter, reason, created_ms)" MANY " SELECT 'user', 2, 'x', 1 FROM n",
    [BOUND_HELD_MESSAGES] = "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms)" MANY
                            " SELECT 3, 2, 'm.room.message', '{}', 1, 1 FROM n",
};

static struct statement filling[BOUND__COUNT];

struct kept {
    enum bound bound;
    int64_t n;
    bool good;
    struct error e;
};

/* Fills, asks and leaves nothing behind. */
static bool fill_job(struct tx *tx, void *arg, struct error *e)
{
    struct kept *kept = arg;
    static const struct statements SET = {"bounds_fill", filling, BOUND__COUNT};
    db_run(tx->db, &SET, (int)kept->bound, "i", kept->n);
    kept->good = bound_kept(tx->db, kept->bound, 2, kept->bound == BOUND_ROOM_STATE ? 999 : 3, &kept->e);
    return error_set(e, ERROR_UNKNOWN, NULL);
}

static void a_bound_ends_where_it_says(void **state)
{
    struct error ignored;
    user_no maker = fixture_user(&f, "anna");
    while (maker <= 2)
        maker = fixture_user(&f, maker == 1 ? "boris" : "vera");
    for (room_no room = 0; room < 3;)
        room = fixture_room(&f, maker, "12", PRESET_PRIVATE_CHAT, &ignored);
    for (int b = 0; b < BOUND__COUNT; ++b) {
        if (FILLS[b] == NULL)
            continue;
        filling[b].text = FILLS[b];
        for (int more = 0; more < 2; ++more) {
            struct kept kept = {(enum bound)b, bound_most((enum bound)b) + more, false, {0}};
            writer_run(f.writer, fill_job, &kept, &ignored);
            if (kept.good != (more == 0))
                fail_msg("%s: %d of %d", bound_word((enum bound)b), (int)kept.n, (int)bound_most((enum bound)b));
            if (more != 0) {
                assert_int_equal(kept.e.code, ERROR_BOUND);
                assert_non_null(kept.e.translation);
                assert_true(strncmp(kept.e.value, bound_word((enum bound)b), strlen(bound_word((enum bound)b))) == 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_table_that_a_person_can_fill_has_a_bound, start, stop),
        cmocka_unit_test_setup_teardown(a_bound_ends_where_it_says, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
