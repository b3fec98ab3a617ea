/* Runs of the server over one database, and what tokens say of them: also when a copy was put
 * back, by whatever means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/backup.h"
#include "homeserver/store/driver/incarnations.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/users.h"

struct runs {
    char folder[40];
    struct writer *writer; /* NULL: none runs */
    user_no user;
};

static const char *path_of(const struct runs *r, const char *name)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    return path;
}

static void stop(struct runs *r)
{
    writer_stop(r->writer);
    r->writer = NULL;
}

/* As partad begins; what gives no tokens away (the command line) does not begin an incarnation. */
static void run_on(struct runs *r, const char *name, bool server)
{
    struct error e;
    stop(r);
    r->writer = writer_start(path_of(r, name), &(struct db_options){0});
    assert_non_null(r->writer);
    assert_true(!server || writer_begin_incarnation(r->writer, &e));
}

static bool add_user(struct tx *tx, void *arg, struct error *e)
{
    struct runs *r = arg;
    r->user = users_insert(tx, "anna", NULL, ACCOUNT_ACTIVE, false);
    return r->user != 0;
}

static int set_up(void **state)
{
    struct runs *r = xcalloc(1, sizeof *r);
    struct error e;
    strcpy(r->folder, "/tmp/parta-incarnations-XXXXXX");
    *state = r;
    if (mkdtemp(r->folder) == NULL)
        return -1;
    run_on(r, "db", true);
    return writer_run(r->writer, add_user, r, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const NAMES[] = {"db", "copy", "by-hand"}, *const ENDS[] = {"", "-wal", "-shm"};
    struct runs *r = *state;
    char name[32];
    stop(r);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES * 3; ++i) {
        snprintf(name, sizeof name, "%s%s", NAMES[i / 3], ENDS[i % 3]);
        unlink(path_of(r, name));
    }
    int failed = rmdir(r->folder);
    free(r);
    return failed;
}

static bool put_data(struct tx *tx, void *arg, struct error *e)
{
    return account_data_put(tx, *(user_no *)arg, 0, "org.example", "{}");
}

/* Positions that are on disk. */
static void change(struct runs *r, int times)
{
    struct error e;
    while (times-- > 0)
        assert_true(writer_run(r->writer, put_data, &r->user, &e));
}

static bool take_position(struct tx *tx, void *arg, struct error *e)
{
    tx_next_pos(tx);
    return true;
}

/* The token that a client gets now. */
static char *token_now(struct runs *r)
{
    struct text token = TEXT_INIT;
    token_add(&token, writer_incarnations(r->writer), r->user, writer_pos(r->writer));
    return text_take(&token);
}

static enum token says(struct runs *r, const char *token)
{
    stream_pos pos = -1;
    enum token said = token_parse(token, writer_incarnations(r->writer), r->user, &pos);
    assert_true(said == TOKEN_NONE || pos >= 0);
    return said;
}

static int open_in(const struct runs *r, const char *name, int flags)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* As cp does, of a database that nobody writes. */
static void copy_by_hand(struct runs *r, const char *from, const char *to)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    struct stat is;
    stop(r);
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof *SUFFIXES; ++i) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s%s", r->folder, to, SUFFIXES[i]);
        unlink(path);
    }
    int in = open_in(r, from, O_RDONLY), out = open_in(r, to, O_WRONLY | O_CREAT | O_EXCL);
    assert_int_equal(fstat(in, &is), 0);
    for (off_t at = 0; at < is.st_size;)
        assert_true(sendfile(out, in, &at, (size_t)(is.st_size - at)) > 0);
    close(in);
    close(out);
}

#define SEALED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
static void tokens_have_one_form_and_an_old_one(void **state)
{
    static const struct {
        const char *text;
        bool is_one;
    } CASES[] = {
        {"s0", true},
        {"s12", true},
        {"s12-345", true},
        {"", false},
        {"s", false},
        {"s-", false},
        {"s12-", false},
        {"s-12", false},
        {"12", false},
        {"s12-3x", false},
        {"s12x", false},
        {"s12--3", false},
        {"s12-3-4", false},
        {" s12", false},
        {"s99999999999999999999", false},
        {"s9223372036854775807", false},
        {"s1-99999999999999999999", false},
        {"t" SEALED "-345", true},
        {"t" SEALED "-0", false}, /* of a run without a key */
        {"t" SEALED, false},
        {"t" SEALED "-", false},
        {"t" SEALED "-345x", false},
        {"t" SEALED "A-345", false},
        {"t12-345", false},
        {"t", false},
        {"c" SEALED "-345", false},
    };
    struct runs *r = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        if ((says(r, CASES[i].text) != TOKEN_NONE) != CASES[i].is_one)
            fail_msg("%s", CASES[i].text);
}

static stream_pos position_of(struct runs *r, const char *token)
{
    stream_pos pos = -1;
    assert_int_equal(token_parse(token, writer_incarnations(r->writer), r->user, &pos), TOKEN_GOOD);
    return pos;
}

/* A client goes on with its token over a stop, a crash (what was reserved may have been told) and the command line. */
static void a_token_outlives_its_run(void **state)
{
    struct runs *r = *state;
    struct error e;
    change(r, 3);
    assert_true(writer_run(r->writer, take_position, NULL, &e)); /* as typing does: it lies nowhere */
    char *first = token_now(r);
    stream_pos was = writer_pos(r->writer);
    assert_int_equal(position_of(r, first), was);
    run_on(r, "db", false);
    change(r, 2);
    run_on(r, "db", true);
    assert_int_equal(position_of(r, first), was);
    char *second = token_now(r);
    assert_string_not_equal(strrchr(first, '-'), strrchr(second, '-'));
    run_on(r, "db", true);
    assert_int_equal(says(r, first), TOKEN_GOOD);
    assert_int_equal(says(r, second), TOKEN_GOOD);
    assert_int_equal(says(r, "s5"), TOKEN_LOST); /* of no run of this database: migration 6 found it empty */
    free(first);
    free(second);
}

/* parta backup, while the server runs; and then the lost server goes on. */
static void what_was_told_after_a_backup_is_lost(void **state)
{
    struct runs *r = *state;
    change(r, 3);
    char *before = token_now(r);
    char *copy = xstrdup(path_of(r, "copy"));
    assert_true(db_backup(path_of(r, "db"), copy));
    free(copy);
    change(r, 1);
    char *after = token_now(r);
    run_on(r, "db", true);
    change(r, 12000);
    char *later = token_now(r);
    for (int again = 0; again < 2; ++again) { /* the same copy can be put back twice */
        copy_by_hand(r, "copy", "by-hand");
        run_on(r, "by-hand", true);
        assert_int_equal(says(r, before), TOKEN_GOOD);
        assert_int_equal(says(r, after), TOKEN_LOST);
        assert_int_equal(says(r, later), TOKEN_LOST);
        char *restored = token_now(r);
        change(r, 12010); /* until the numbers of the lost server have been passed */
        assert_int_equal(says(r, after), TOKEN_LOST);
        assert_int_equal(says(r, later), TOKEN_LOST);
        assert_int_equal(says(r, restored), TOKEN_GOOD);
        free(later);
        later = restored;
    }
    free(before);
    free(after);
    free(later);
}

/* No verb, no mark: the file itself, put back after the server had stopped, and changed by the command line first. */
static void a_copy_made_by_hand_is_known_too(void **state)
{
    struct runs *r = *state;
    change(r, 3);
    char *before = token_now(r);
    copy_by_hand(r, "db", "copy");
    run_on(r, "db", true);
    change(r, 5);
    char *after = token_now(r);
    stop(r);
    run_on(r, "copy", false);
    change(r, 20);
    run_on(r, "copy", true);
    assert_int_equal(says(r, before), TOKEN_GOOD);
    assert_int_equal(says(r, after), TOKEN_LOST);
    free(before);
    free(after);
}

/* A database of an older program. */
static void old_database(struct runs *r, int schema, const char *script)
{
    stop(r);
    struct db *db = db_open(path_of(r, "copy"), DB_WRITE, NULL);
    assert_true(schema_migrate_to(db, schema));
    assert_true(db_script(db, script));
    db_close(db);
}

/* A database that was there before incarnations: its clients' tokens have no number. */
static void tokens_from_before_go_on(void **state)
{
    struct runs *r = *state;
    struct error e;
    old_database(r, 5, "UPDATE stream SET reserved = 700");
    run_on(r, "copy", false);
    assert_int_equal(says(r, "s700"), TOKEN_NONE); /* no server yet: nobody asks */
    assert_true(writer_begin_incarnation(r->writer, &e));
    assert_int_equal(says(r, "s700"), TOKEN_GOOD);
    assert_int_equal(says(r, "s701"), TOKEN_LOST);
}

/* A database of before tokens were sealed: bare numbers of its runs are taken, and only of those, or trying numbers
 * would tell how far the stream has come. */
static void bare_tokens_go_on_and_no_new_ones_come(void **state)
{
    struct runs *r = *state;
    char token[64];
    old_database(r, 18,
                 "UPDATE stream SET reserved = 700;"
                 "UPDATE incarnations SET end_pos = 300;"
                 "INSERT INTO incarnations (incarnation, began_ms) VALUES (77, 1)");
    run_on(r, "copy", true);
    assert_int_equal(position_of(r, "s299"), 299);
    assert_int_equal(position_of(r, "s300"), 300);
    assert_int_equal(position_of(r, "s600-77"), 600);
    assert_int_equal(says(r, "s700-77"), TOKEN_GOOD);
    assert_int_equal(says(r, "s701-77"), TOKEN_LOST);
    incarnation_no sealing = incarnations_current(writer_incarnations(r->writer));
    run_on(r, "copy", true);
    snprintf(token, sizeof token, "s5-%lld", (long long)sealing);
    assert_int_equal(says(r, token), TOKEN_NONE);
    snprintf(token, sizeof token, "s5-%lld", (long long)incarnations_current(writer_incarnations(r->writer)));
    assert_int_equal(says(r, token), TOKEN_NONE);
    assert_int_equal(says(r, "s700-77"), TOKEN_GOOD);
}

/* Every table whose rows take a position of the stream counts when a copy says how far it goes. Those named here hold
 * positions of events, or of what is no row of the stream. */
static void every_position_of_the_stream_counts(void **state)
{
    static const char *const OTHERS[] = {"memberships", "room_state",   "relations",       "transactions",
                                         "consumers",   "erasures",     "urgent_messages", "held_pushes",
                                         "media",       "media_places", "search_removals"};
    static const char *const COUNTED[] = {"events",       "account_data", "receipts",       "profile_fields",
                                          "device_lists", "to_device",    "to_device_lost", "thread_subscriptions"};
    static const struct statement TEXTS[] = {{"SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
                                              "WHERE m.type = 'table' AND c.name = 'pos'"}};
    static const struct statements SET = {"test", TEXTS, 1};
    struct runs *r = *state;
    struct db *db = db_open(path_of(r, "db"), DB_READ, NULL);
    struct stmt *q = db_query(db, &SET, 0, "");
    int counted = 0;
    while (stmt_next(q)) {
        bool known = false;
        for (size_t i = 0; i < sizeof COUNTED / sizeof *COUNTED; ++i)
            if (strcmp(COUNTED[i], col_text(q, 0)) == 0)
                ++counted, known = true;
        for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; ++i)
            known |= strcmp(OTHERS[i], col_text(q, 0)) == 0;
        if (!known)
            fail_msg("table %s: sqlite_backup.c, POSITIONED?", col_text(q, 0));
    }
    stmt_end(q);
    assert_int_equal(counted, sizeof COUNTED / sizeof *COUNTED);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tokens_have_one_form_and_an_old_one),
        TEST(a_token_outlives_its_run),
        TEST(what_was_told_after_a_backup_is_lost),
        TEST(a_copy_made_by_hand_is_known_too),
        TEST(tokens_from_before_go_on),
        TEST(bare_tokens_go_on_and_no_new_ones_come),
        TEST(every_position_of_the_stream_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
