/* J5: what one person may have. The schema is read, and each of its tables that holds something of a person must say
 * here what bounds it; each bound is filled to its end, and then to one more. That the acts ask is told by
 * tests/stories/bounds.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/text.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/driver/db.h"
#include "tests/unit/fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Columns by which a row is somebody's. */
static const char *const PERSONS[] = {"user_no",  "sender", "creator", "owner", "issuer", "reporter", "accused",
                                      "guardian", "child",  "person",  "a",     "b",      "caller",   "device_no"};

#define SMALL "each row is small"
#define OFFICE "the office's records"

/* What bounds how many rows a person has, and how many bytes are in them: the word of a bound, or why there is none. */
static const struct {
    const char *table, *rows, *bytes;
} DECLARED[] = {
    {"users", "one account a person; who may make accounts is asked by registration.mode and the school's links",
     SMALL},
    {"profile_fields", "PROFILE_BYTES_MAX; in a school there are none of one's own", "PROFILE_BYTES_MAX"},
    {"devices", "sessions", "DEVICE_ID_BYTES_MAX and DEVICE_NAME_BYTES_MAX each"},
    {"device_keys", "one of a session", "KEY_OBJECT_BYTES_MAX each"},
    {"device_lists", "one of a person", SMALL},
    {"one_time_keys", "ONE_TIME_KEYS_MAX of a session, and ONE_TIME_CLAIMED_MAX that were claimed",
     "ONE_TIME_KEY_BYTES_MAX each"},
    {"fallback_keys", "one of a session", "ONE_TIME_KEY_BYTES_MAX each"},
    {"cross_signing_keys", "three of a person", "KEY_OBJECT_BYTES_MAX each"},
    {"key_signatures", "of one's master key one by each session; of another person's one by each other", SMALL},
    {"to_device", "TO_DEVICE_WAITING_MAX for a session, then those of whoever sent most go", "TO_DEVICE_WAITING_BYTES"},
    {"to_device_lost", "one of a session", SMALL},
    {"to_device_transactions", "TO_DEVICE_TRANSACTIONS_MAX of a session", "ID_BYTES_MAX each"},
    {"key_backups", "key_backups", "BACKUP_AUTH_BYTES_MAX each"},
    {"backup_keys", "backup_keys", "backup_key_bytes"},
    {"dehydrated_devices", "one of a person", "DEHYDRATED_DATA_BYTES_MAX"},
    {"access_tokens", "two of a session: a pair that is drawn again replaces the one that was not used", SMALL},
    {"refresh_tokens", "two of a session, as access_tokens", SMALL},
    {"spent_refresh_tokens", "TOKENS_SPENT_MAX of a session", SMALL},
    {"oauth_codes", "OAUTH_CODES_MAX, then the oldest goes", "REDIRECT_URI_BYTES_MAX and DEVICE_ID_BYTES_MAX each"},
    {"oauth_device_codes", "OAUTH_DEVICE_CODES_OF_PLACE, and OAUTH_DEVICE_CODES_MAX of all",
     "DEVICE_ID_BYTES_MAX each"},
    {"second_factors", "one of a person", SMALL},
    {"identities", "identities", "ID_TOKEN_SUBJECT_BYTES_MAX and the issuer of the table each"},
    {"recovery_codes", "RECOVERY_CODES_MAX", SMALL},
    {"page_sessions", "PAGE_SESSIONS_MAX, then the oldest goes", SMALL},
    {"filters", "FILTERS_PER_USER, then the oldest goes", "FILTERS_BYTES_PER_USER, then the oldest goes"},
    {"account_data", "account_data", "account_data_bytes"},
    {"rooms", "rooms", "what makes one is events"},
    {"events", "how fast, by rate_limits.message and rate_limits.room: what is said is the school's to keep",
     "the same: a long one counts for several (http/limits.h); what is state now by room_state_bytes and member_bytes"},
    {"memberships", "invites", SMALL},
    {"urgent_messages", "so many a day (F6)", "URGENT_REASON_MAX each"},
    {"transactions", "PRUNE_TRANSACTIONS_MS at the rate of messages", "ID_BYTES_MAX each"},
    {"aliases", "aliases", "ID_BYTES_MAX each"},
    {"receipts", "RECEIPT_THREADS_MAX in a room, then the oldest goes; two without a thread, two of the main one",
     "ID_BYTES_MAX each"},
    {"people", "the office's records: one of a person", OFFICE},
    {"roles", OFFICE, OFFICE},
    {"enrollments", OFFICE, OFFICE},
    {"custodies", "the office's word on a guardianship (D9), one each", OFFICE},
    {"left_custodies", "the same of guardians who were erased: one of a child", OFFICE},
    {"guardianships", "two of a child (D5), each by a link of the child's", SMALL},
    {"untold_guardians", "guardianships, until they are told", SMALL},
    {"untold_hearers", "the same: HEARERS_MAX of each", SMALL},
    {"roster_members", "one in a room, by the roster", SMALL},
    {"direct_rooms", "rooms", SMALL},
    {"losses", "what a roster took: of a person one a school and kind, for LOSS_LATELY_DAYS", SMALL},
    {"taken_members", "what a roster took: one a membership, which is bounded, for TAKEN_DAYS", SMALL},
    {"taken_owners", "the same, of clubs", SMALL},
    {"taken_states", "the same: one of a person", SMALL},
    {"taken_contacts", "the same, of contacts", SMALL},
    {"taken_records", "the same, of the office's records", OFFICE},
    {"named_members", "the office's: one in a room", SMALL},
    {"links", "links", SMALL},
    {"applications", "applications", "APPLICATION_NOTE_MAX and three names each"},
    {"contacts", "CONTACTS_OF_MEDIUM_MAX: each is proven by a code", "CONTACT_BYTES_MAX each"},
    {"reports", "reports", "REPORT_REASON_MAX and one event each"},
    {"erasures", "one of a person", SMALL},
    {"pushers", "pushers", "PUSHER_DATA_MAX of data, the rest shorter"},
    {"thread_subscriptions", "thread_subscriptions", SMALL},
    {"held_pushes", "one a gateway of theirs and room that they are in", SMALL},
    {"held_messages", "held_messages", "held_message_bytes"},
    {"media", "MEDIA_FILES_MAX; MEDIA_PENDING_MAX of those that are not uploaded yet",
     "the quota of their schools' policies (policy/rules/media_share.h), which counts at least MEDIA_BYTES_LEAST each"},
    {"appservice_users", "one of a user; APPSERVICE_USERS_MAX of a service", SMALL},
    {"idempotency", "IDEMPOTENCY_PER_PERSON keys a day", "IDEMPOTENCY_BYTES_PER_PERSON of replies a day"},
};

enum {
    TABLES,
    THREAD_RECEIPTS,
    RECEIPTS,
    OLDEST_THREAD,
    NEWEST_THREAD,
    FILTERS,
    FILTER_BYTES,
    NEWEST_FILTER,
    ASK_COUNT
};
static const struct statement TEXTS[] = {
    [TABLES] = "SELECT name, sql FROM sqlite_master WHERE type = 'table'",
    [THREAD_RECEIPTS] = "SELECT count(*) FROM receipts WHERE type = 'm.read' AND thread LIKE '$%'",
    [RECEIPTS] = "SELECT count(*) FROM receipts",
    [OLDEST_THREAD] = "SELECT count(*) FROM receipts WHERE thread = '$thread-0'",
    [NEWEST_THREAD] = "SELECT count(*) FROM receipts WHERE thread = '$thread-549'",
    [FILTERS] = "SELECT count(*) FROM filters",
    [FILTER_BYTES] = "SELECT SUM(length(CAST(definition AS BLOB))) FROM filters",
    [NEWEST_FILTER] = "SELECT count(*) FROM filters WHERE definition LIKE '{\"n\":219,%'",
};
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
            return DECLARED[i].rows;
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
    for (size_t i = 0; i < COUNT(DECLARED); ++i)
        assert_true(DECLARED[i].bytes != NULL && *DECLARED[i].bytes != '\0');
}

/* A bound's rows: how they come into being n at a time for person 2, scope 3; $1: how many. */
#define MANY " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
static const char *const FILLS[BOUND__COUNT] = {
    [BOUND_DEVICES] = "INSERT INTO devices (user_no, device_id, created_ms)" MANY " SELECT 2, 'D' || i, 1 FROM n",
    [BOUND_ACCOUNT_DATA] = "INSERT INTO account_data (user_no, room_no, type, content, pos)" MANY
                           " SELECT 2, 0, 'x.' || i, '{}', i FROM n",
    [BOUND_ACCOUNT_DATA_SIZE] = "INSERT INTO account_data (user_no, room_no, type, content, pos)"
                                " VALUES (2, 0, 'long', printf('%.*c', $1 - 4, 'x'), 1)",
    [BOUND_ROOMS] = "INSERT INTO rooms (room_id, version, creator, created_ms)" MANY
                    " SELECT '!' || i || ':a.example', '12', 2, 1 FROM n",
    [BOUND_ALIASES] =
        "INSERT INTO aliases (alias, room_no, creator)" MANY " SELECT '#' || i || ':a.example', 3, 2 FROM n",
    [BOUND_ROOM_STATE] =
        "INSERT INTO room_state (room_no, type, state_key, pos)" MANY " SELECT 999, 'x', '' || i, i FROM n",
    [BOUND_ROOM_STATE_SIZE] = /* of room 3, as it is: one event grows */
    "UPDATE events SET content = printf('%.*c', $1 - (SELECT SUM(length(CAST(e.content AS BLOB)) + length(s.type) +"
    " length(s.state_key)) FROM room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = 3 AND s.type <>"
    " 'm.room.member') + length(CAST(content AS BLOB)), 'x') WHERE pos = (SELECT pos FROM room_state WHERE room_no = 3 "
    "AND"
    " type = 'm.room.join_rules')",
    [BOUND_INVITES] = NULL, /* events: below */
    [BOUND_LINKS] =
        "INSERT INTO links (token_hash, kind, role, issuer, issuer_name, uses_allowed, created_ms, expires_ms)" MANY
        " SELECT CAST('h' || i AS BLOB), 'school', 'pupil', 2, 'x', 1, -90000000, 4 FROM n",
    [BOUND_PERSONAL_LINKS] = NULL, /* a person of the records */
    [BOUND_APPLICATIONS] = NULL,   /* a school */
    [BOUND_REPORTS] =
        "INSERT INTO reports (kind, reporter, reason, created_ms)" MANY " SELECT 'user', 2, 'x', 1 FROM n",
    [BOUND_PUSHERS] = NULL, /* a session: tests/unit/push.c */
    [BOUND_HELD_MESSAGES] = "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms)" MANY
                            " SELECT 3, 2, 'm.room.message', '{}', 1, 1 FROM n",
    [BOUND_HELD_MESSAGES_SIZE] = "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms) VALUES"
                                 " (3, 2, 'm.room.message', printf('%.*c', $1, 'x'), 1, 1)",
    [BOUND_KEY_BACKUPS] =
        "INSERT INTO key_backups (user_no, version, algorithm, auth_data, etag, keys, bytes, deleted)" MANY
        " SELECT 2, i, 'x', '{}', 0, 0, 0, 0 FROM n",
    [BOUND_BACKUP_KEYS] = "INSERT INTO key_backups (user_no, version, algorithm, auth_data, etag, keys, bytes, deleted)"
                          " VALUES (2, 1, 'x', '{}', 0, $1, 0, 0)",
    [BOUND_BACKUP_KEYS_SIZE] = "INSERT INTO key_backups (user_no, version, algorithm, auth_data, etag, keys, bytes,"
                               " deleted) VALUES (2, 1, 'x', '{}', 0, 0, $1, 0)",
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

/* --- What is bounded where it is written --- */

static int64_t asked(int what)
{
    return db_int(f.db, &ASK, what, -1, "");
}

static bool job_contacts(struct tx *tx, void *arg, struct error *e)
{
    struct contact_address address = {.medium = *(enum contact_medium *)arg};
    for (int i = 0; i < CONTACTS_OF_MEDIUM_MAX; ++i) {
        snprintf(address.address, sizeof address.address,
                 address.medium == CONTACT_EMAIL ? "a%d@a.example" : "7900000000%d", i);
        if (!contacts_bind(tx, 1, &address, 0, 1, e))
            fail_msg("address %d: %s", i, error_sentence(e));
    }
    strcpy(address.address, address.medium == CONTACT_EMAIL ? "more@a.example" : "79111111111");
    return contacts_bind(tx, 1, &address, 0, 1, e);
}

/* By medium: a person who has ten addresses may have telephones yet. */
static void so_many_contacts(void **state)
{
    struct error e;
    fixture_user(&f, "anna");
    for (int m = CONTACT_EMAIL; m <= CONTACT_PHONE; ++m) {
        enum contact_medium medium = (enum contact_medium)m;
        e = (struct error){0};
        assert_false(writer_run(f.writer, job_contacts, &medium, &e));
        assert_int_equal(e.code, ERROR_BOUND);
        assert_string_equal(e.value, "contacts: 10");
    }
}

static bool job_receipts(struct tx *tx, void *arg, struct error *e)
{
    static const char *const TYPES[] = {"m.read", "m.read.private"};
    char thread[32];
    for (int i = 0; i < RECEIPT_THREADS_MAX + 50; ++i)
        for (int t = 0; t < 2; ++t) {
            snprintf(thread, sizeof thread, "$thread-%d", i);
            struct receipt_row row = {*(room_no *)arg, 1, TYPES[t], thread, "$e", 1, 1, tx_next_pos(tx)};
            if (!receipts_put(tx, &row))
                return false;
        }
    for (int t = 0; t < 2; ++t) { /* those without a thread, and of the main one, stay */
        struct receipt_row bare = {*(room_no *)arg, 1, TYPES[t], "", "$e", 1, 1, tx_next_pos(tx)};
        struct receipt_row main_one = {*(room_no *)arg, 1, TYPES[t], "main", "$e", 1, 1, tx_next_pos(tx)};
        if (!receipts_put(tx, &bare) || !receipts_put(tx, &main_one))
            return false;
    }
    return true;
}

static void so_many_thread_receipts(void **state)
{
    struct error e = {0};
    room_no room = fixture_room(&f, fixture_user(&f, "anna"), "12", PRESET_PRIVATE_CHAT, &e);
    assert_true(writer_run(f.writer, job_receipts, &room, &e));
    assert_int_equal(asked(THREAD_RECEIPTS), RECEIPT_THREADS_MAX);
    assert_int_equal(asked(RECEIPTS), 2 * RECEIPT_THREADS_MAX + 4);
    assert_int_equal(asked(OLDEST_THREAD), 0);
    assert_int_equal(asked(NEWEST_THREAD), 2);
}

static bool job_filters(struct tx *tx, void *arg, struct error *e)
{
    const int *len = arg;
    char *definition = calloc(1, (size_t)*len + 64);
    bool good = true;
    for (int i = 0; good && i < FILTERS_PER_USER + 20; ++i) {
        int64_t no;
        snprintf(definition, 64, "{\"n\":%d,\"x\":\"", i);
        size_t begin = strlen(definition);
        memset(definition + begin, 'x', (size_t)*len);
        strcpy(definition + begin + *len, "\"}");
        good = filters_put(tx, 1, definition, &no);
    }
    free(definition);
    return good;
}

static void so_many_filters(void **state)
{
    struct error e = {0};
    int len = 10;
    fixture_user(&f, "anna");
    assert_true(writer_run(f.writer, job_filters, &len, &e));
    assert_int_equal(asked(FILTERS), FILTERS_PER_USER);
    len = 60000;
    assert_true(writer_run(f.writer, job_filters, &len, &e));
    assert_in_range(asked(FILTER_BYTES), FILTERS_BYTES_PER_USER - 61000, FILTERS_BYTES_PER_USER);
    assert_int_equal(asked(NEWEST_FILTER), 1); /* the newest */
}

static void memberships_are_short(void **state)
{
    struct error e = {0};
    char content[8400];
    user_no anna = fixture_user(&f, "anna");
    room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, &e);
    for (int len = 8000; len <= 8200; len += 200) {
        int n = sprintf(content, "{\"membership\":\"join\",\"org.example.words\":\"");
        memset(content + n, 'x', (size_t)len);
        strcpy(content + n + len, "\"}");
        bool written = fixture_write_member(&f, room, anna, "@anna:school.example", content, &e);
        assert_int_equal(written, len == 8000);
    }
    assert_int_equal(e.code, ERROR_BOUND);
    assert_string_equal(e.value, "member_bytes: 8192");
}

/* A state that takes the place of another counts by what it adds. */
static void state_that_grows(void **state)
{
    struct error e = {0};
    struct text content = TEXT_INIT;
    char key[16];
    user_no anna = fixture_user(&f, "anna");
    room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, &e);
    int64_t most = bound_most(BOUND_ROOM_STATE_SIZE);
    text_adds(&content, "{\"x\":\"");
    for (int i = 0; i < 60000; ++i)
        text_addc(&content, 'x');
    text_adds(&content, "\"}");
    int n = 0;
    for (; n < 200; ++n) {
        snprintf(key, sizeof key, "k%d", n);
        assert_true(fixture_send(&f, room, anna, "org.example.state", key, "{}", NULL, NULL, &e));
    }
    for (n = 0; n < 200; ++n) {
        snprintf(key, sizeof key, "k%d", n);
        if (!fixture_send(&f, room, anna, "org.example.state", key, content.data, NULL, NULL, &e))
            break;
    }
    assert_in_range(n, (uintmax_t)most / 60010 - 1, (uintmax_t)most / 60000);
    assert_int_equal(e.code, ERROR_BOUND);
    assert_string_equal(e.value, "room_state_bytes: 4194304");
    assert_true(fixture_send(&f, room, anna, "org.example.state", "k0", content.data, NULL, NULL,
                             &e)); /* no more than there was */
    assert_true(fixture_send(&f, room, anna, "org.example.state", "k1", "{}", NULL, NULL, &e));
    assert_true(fixture_send(&f, room, anna, "org.example.state", key, content.data, NULL, NULL, &e));
    text_finish(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_table_that_a_person_can_fill_has_a_bound, start, stop),
        cmocka_unit_test_setup_teardown(a_bound_ends_where_it_says, start, stop),
        cmocka_unit_test_setup_teardown(so_many_contacts, start, stop),
        cmocka_unit_test_setup_teardown(so_many_thread_receipts, start, stop),
        cmocka_unit_test_setup_teardown(so_many_filters, start, stop),
        cmocka_unit_test_setup_teardown(memberships_are_short, start, stop),
        cmocka_unit_test_setup_teardown(state_that_grows, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
