/* How the disk fares, as it is noted, probed and verified: the log says each change once, and copies do not stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/jobs/storage_check.h"
#include "homeserver/store/driver/storage.h"
#include "tests/unit/fixture.h"

static enum storage_problem now_is(const struct storage *s)
{
    return storage_problem(s, clock_mono_ms());
}

static void the_first_of_many_failures_is_logged(void **state)
{
    struct storage *s = storage_create();
    assert_int_equal(now_is(s), STORAGE_WELL);
    assert_true(storage_note(s, STORAGE_WELL)); /* it was not the disk */
    assert_int_equal(now_is(s), STORAGE_WELL);
    assert_true(storage_note(s, STORAGE_FULL));
    assert_false(storage_note(s, STORAGE_FULL));
    assert_false(storage_note(s, STORAGE_FAILING));
    assert_int_equal(now_is(s), STORAGE_FULL);
    assert_true(storage_note(s, STORAGE_DAMAGED)); /* another matter */
    assert_false(storage_note(s, STORAGE_DAMAGED));
    assert_int_equal(now_is(s), STORAGE_DAMAGED);
    storage_verified(s, true);
    assert_int_equal(now_is(s), STORAGE_FULL);
    storage_destroy(s);
}

static void it_is_well_after_a_probe_that_nothing_failed_before(void **state)
{
    struct storage *s = storage_create();
    storage_note(s, STORAGE_FAILING);
    storage_probed(s, true); /* it may have been before */
    assert_int_equal(now_is(s), STORAGE_FAILING);
    storage_note(s, STORAGE_FAILING);
    storage_probed(s, true);
    assert_int_equal(now_is(s), STORAGE_FAILING);
    storage_probed(s, false);
    storage_probed(s, true);
    assert_int_equal(now_is(s), STORAGE_WELL);
    storage_probed(s, false); /* for whatever reason */
    assert_int_equal(now_is(s), STORAGE_FAILING);
    storage_destroy(s);
}

static void who_does_not_come_back_is_silent(void **state)
{
    struct storage *s = storage_create();
    storage_probed(s, true);
    assert_int_equal(storage_problem(s, clock_mono_ms() + STORAGE_SILENT_MS - 1000), STORAGE_WELL);
    assert_int_equal(storage_problem(s, clock_mono_ms() + STORAGE_SILENT_MS + 1000), STORAGE_SILENT);
    storage_probed(s, true);
    assert_int_equal(now_is(s), STORAGE_WELL);
    storage_destroy(s);
}

struct world {
    struct fixture f;
    struct storage_check check;
    char copy[128];
};

static void start(struct world *w)
{
    fixture_start(&w->f);
    fixture_user(&w->f, "anna");
    snprintf(w->copy, sizeof w->copy, "%s/verify.db", w->f.dir);
    w->check = (struct storage_check){
        .writer = w->f.writer, .storage = storage_create(), .db_path = w->f.path, .copy_path = w->copy};
}

static void stop(struct world *w)
{
    storage_destroy(w->check.storage);
    fixture_stop(&w->f);
}

static void the_probe_writes_and_waits(void **state)
{
    struct world w;
    bool suspect;
    int64_t groups, jobs, again;
    start(&w);
    assert_int_equal(storage_probe(&w.check, &suspect), JOB_DONE);
    writer_counts(w.f.writer, &groups, &jobs);
    assert_int_equal(storage_probe(&w.check, &suspect), JOB_DONE); /* all is well: not yet again */
    writer_counts(w.f.writer, &groups, &again);
    assert_int_equal(again, jobs);
    storage_note(w.check.storage, STORAGE_FULL);
    db_fail_after(writer_db_for_tests(w.f.writer), 1);
    assert_int_equal(storage_probe(&w.check, &suspect), JOB_FAILED);
    assert_int_equal(now_is(w.check.storage), STORAGE_FULL);
    assert_int_equal(storage_probe(&w.check, &suspect), JOB_DONE);
    assert_int_equal(storage_probe(&w.check, &suspect), JOB_DONE);
    assert_int_equal(now_is(w.check.storage), STORAGE_WELL);
    assert_false(suspect);
    storage_note(w.check.storage, STORAGE_DAMAGED);
    storage_probe(&w.check, &suspect);
    assert_true(suspect);
    storage_probe(&w.check, &suspect);
    assert_false(suspect); /* once */
    stop(&w);
}

/* The first page of a table; of the last pages of the file, the schema itself may have one. */
static int64_t page_of(struct db *db, const char *table)
{
    static const struct statement TEXTS[] = {{"SELECT rootpage FROM sqlite_master WHERE name = $1"}};
    static const struct statements SET = {"pages", TEXTS, 1};
    return db_int(db, &SET, 0, 0, "t", table);
}

static void damage(const char *path, int64_t page)
{
    FILE *file = fopen(path, "r+");
    assert_true(page > 1);
    fseek(file, 4096 * (page - 1), SEEK_SET);
    for (int i = 0; i < 4096; ++i)
        fputc(0xff, file);
    fclose(file);
}

static void a_damaged_page_is_found_in_a_copy(void **state)
{
    struct world w;
    start(&w);
    FILE *stale = fopen(w.copy, "w");
    fclose(stale);
    storage_note(w.check.storage, STORAGE_DAMAGED);
    assert_int_equal(storage_verify(&w.check), JOB_DONE);
    assert_int_equal(now_is(w.check.storage), STORAGE_WELL); /* it was a mistake */
    assert_int_not_equal(access(w.copy, F_OK), 0);
    int64_t page = page_of(w.f.db, "held_messages");
    fixture_close(&w.f);
    damage(w.f.path, page);
    assert_int_equal(storage_verify(&w.check), JOB_DONE);
    assert_int_equal(now_is(w.check.storage), STORAGE_DAMAGED);
    assert_int_not_equal(access(w.copy, F_OK), 0);
    w.check.db_path = "/nowhere/parta.db";
    assert_int_equal(storage_verify(&w.check), JOB_FAILED); /* nothing is known by it */
    assert_int_equal(now_is(w.check.storage), STORAGE_DAMAGED);
    storage_destroy(w.check.storage);
    unlink(w.f.path);
    rmdir(w.f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_many_failures_is_logged),
        cmocka_unit_test(it_is_well_after_a_probe_that_nothing_failed_before),
        cmocka_unit_test(who_does_not_come_back_is_silent),
        cmocka_unit_test(the_probe_writes_and_waits),
        cmocka_unit_test(a_damaged_page_is_found_in_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
