/* Copies of the database: taken from a live one, checked, and refused when damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/backup.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

struct fixture {
    char folder[32];
    struct text live, copy;
    struct writer *writer;
};

static bool add_user(struct tx *tx, void *arg, struct error *e)
{
    return users_insert(tx, arg, NULL, ACCOUNT_ACTIVE, false) != 0 || error_set(e, ERROR_UNKNOWN, NULL);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct db_options options = {.durable = false};
    struct error e = {0};
    strcpy(f->folder, "/tmp/parta-backup-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    text_addf(&f->live, "%s/live.db", f->folder);
    text_addf(&f->copy, "%s/copy.db", f->folder);
    f->writer = writer_start(f->live.data, &options);
    *state = f;
    return f->writer != NULL && writer_run(f->writer, add_user, "anna", &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const NAMES[] = {"live.db", "live.db-wal", "live.db-shm",
                                        "copy.db", "copy.db-wal", "copy.db-shm"};
    struct fixture *f = *state;
    writer_stop(f->writer);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; ++i) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", f->folder, NAMES[i]);
        unlink(path);
    }
    rmdir(f->folder);
    text_finish(&f->live);
    text_finish(&f->copy);
    free(f);
    return 0;
}

static void script(const char *path, const char *text)
{
    struct db *db = db_open(path, DB_WRITE, NULL);
    assert_non_null(db);
    assert_true(db_script(db, text));
    db_close(db);
}

/* The copy is one moment: what is written afterwards is not in it. */
static void test_live(void **state)
{
    struct fixture *f = *state;
    struct verified found;
    struct error e = {0};
    assert_true(db_backup(f->live.data, f->copy.data));
    assert_true(writer_run(f->writer, add_user, "boris", &e));
    assert_true(db_verify(f->copy.data, &found));
    assert_int_equal(found.users, 1);
    assert_int_equal(found.schema, schema_version());
    assert_true(db_verify(f->live.data, &found));
    assert_int_equal(found.users, 2);
}

static void test_one_file(void **state)
{
    struct fixture *f = *state;
    struct text wal = TEXT_INIT;
    struct stat copy;
    umask(0);
    assert_true(db_backup(f->live.data, f->copy.data));
    assert_int_equal(stat(f->copy.data, &copy), 0);
    assert_int_equal(copy.st_mode & 0777, 0600); /* it holds password hashes */
    text_addf(&wal, "%s-wal", f->copy.data);
    assert_int_not_equal(access(wal.data, F_OK), 0);
    text_finish(&wal);
}

/* The server opens the copy as it is. */
static void test_restored(void **state)
{
    struct fixture *f = *state;
    struct db_options options = {.durable = false};
    struct error e = {0};
    assert_true(db_backup(f->live.data, f->copy.data));
    struct writer *restored = writer_start(f->copy.data, &options);
    assert_non_null(restored);
    assert_false(writer_run(restored, add_user, "anna", &e)); /* is there already */
    assert_true(writer_run(restored, add_user, "vera", &e));
    writer_stop(restored);
}

/* A key that was given away after the copy was made would be given a second time: a copy that is put back has none. */
static void test_no_one_time_keys(void **state)
{
    static const struct statement TEXTS[] = {"SELECT count(*) FROM one_time_keys"};
    static const struct statements KEYS = {"keys", TEXTS, 1};
    struct fixture *f = *state;
    script(f->live.data, "INSERT INTO devices (user_no, device_id, created_ms) VALUES (1, 'D', 1);"
                         "INSERT INTO one_time_keys (device_no, key_id, key) VALUES (1, 'A', '{}')");
    assert_true(db_backup(f->live.data, f->copy.data));
    struct db *db = db_open(f->copy.data, DB_READ, NULL);
    assert_int_equal(db_int(db, &KEYS, 0, -1, ""), 0);
    db_close(db);
}

/* By a program that is newer than the database, before it is started on it. */
static void test_of_every_schema(void **state)
{
    struct fixture *f = *state;
    for (int schema = 1; schema <= schema_version(); ++schema) {
        char path[64];
        snprintf(path, sizeof path, "%s/old.db", f->folder);
        struct db *db = db_open(path, DB_WRITE, NULL);
        assert_true(schema_migrate_to(db, schema));
        db_close(db);
        if (!db_copy(path, f->copy.data))
            fail_msg("of schema %d there is no copy", schema);
        unlink(path);
        unlink(f->copy.data);
    }
}

static void test_never_overwrites(void **state)
{
    struct fixture *f = *state;
    FILE *mine = fopen(f->copy.data, "w");
    fputs("mine", mine);
    fclose(mine);
    assert_false(db_backup(f->live.data, f->copy.data));
    assert_int_equal(access(f->copy.data, F_OK), 0);
}

static void test_no_source(void **state)
{
    struct fixture *f = *state;
    assert_false(db_backup("/nonexistent/parta.db", f->copy.data));
    assert_int_not_equal(access(f->copy.data, F_OK), 0);
}

static void test_damaged_page(void **state)
{
    struct fixture *f = *state;
    assert_true(db_backup(f->live.data, f->copy.data));
    FILE *copy = fopen(f->copy.data, "r+");
    assert_int_equal(fseek(copy, 3 * 4096, SEEK_SET), 0);
    for (int i = 0; i < 4096; ++i)
        fputc(0xa5, copy);
    fclose(copy);
    assert_false(db_verify(f->copy.data, NULL));
}

static void test_dangling_reference(void **state)
{
    struct fixture *f = *state;
    assert_true(db_backup(f->live.data, f->copy.data));
    script(f->copy.data,
           "PRAGMA foreign_keys=OFF; INSERT INTO devices (user_no, device_id, created_ms) VALUES (77, 'X', 0);");
    assert_false(db_verify(f->copy.data, NULL));
}

static void test_unknown_schema(void **state)
{
    struct fixture *f = *state;
    assert_true(db_backup(f->live.data, f->copy.data));
    script(f->copy.data, "PRAGMA user_version=9999;");
    assert_false(db_verify(f->copy.data, NULL));
}

static void test_not_a_database(void **state)
{
    struct fixture *f = *state;
    FILE *copy = fopen(f->copy.data, "w");
    fputs("This is not a database, however long one looks at it.", copy);
    fclose(copy);
    assert_false(db_verify(f->copy.data, NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_live),
        TEST(test_one_file),
        TEST(test_restored),
        TEST(test_no_source),
        TEST(test_never_overwrites),
        TEST(test_damaged_page),
        TEST(test_unknown_schema),
        TEST(test_dangling_reference),
        TEST(test_not_a_database),
        TEST(test_no_one_time_keys),
        TEST(test_of_every_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
