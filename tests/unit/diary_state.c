/* The bridge's file under two who write it: what was answered is there, whatever failed beside it. One of them has
 * written more than its cache holds, so that a part of what is not committed yet stands in the log already, behind what
 * counts, where the remains of a failed commit would stand, too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "appservice/diary/state.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"

#define ROWS 40000

static char path[64];

static struct state *open_state(void)
{
    struct text problem = TEXT_INIT;
    struct state *state = state_open(path, &problem);
    text_finish(&problem);
    assert_non_null(state);
    return state;
}

static int make_folder(void **state)
{
    char folder[] = "/tmp/parta-test-XXXXXX";
    log_set_level(LOG_ERROR - 1);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/diary.db", folder);
    state_close(open_state());
    return 0;
}

static int remove_folder(void **state)
{
    char file[80];
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; ++i) {
        snprintf(file, sizeof file, "%s%s", path, ENDINGS[i]);
        unlink(file);
    }
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static void name_row(char id[32], int row)
{
    snprintf(id, 32, "%08d", row * 7919 % ROWS); /* pages are written in no order */
}

static void write_rows(struct state *state, int from, int to)
{
    char id[32];
    for (int i = from; i < to; ++i) {
        name_row(id, i);
        state_match(state, "well", SUBJECT_PUPIL, id, "a sourcedId of some length, so that pages fill");
    }
}

static void assert_all_there(void)
{
    struct state *state = open_state();
    char id[32];
    assert_null(state_matched(state, "ill", SUBJECT_PUPIL, "x"));
    for (int i = 0; i < ROWS; ++i) {
        name_row(id, i);
        char *matched = state_matched(state, "well", SUBJECT_PUPIL, id);
        assert_non_null(matched);
        free(matched);
    }
    state_close(state);
}

static void what_could_not_begin_takes_nothing_of_anothers(void **unused)
{
    struct state *well = open_state(), *ill = open_state();
    state_begin(well);
    write_rows(well, 0, ROWS);
    state_fail_after(ill, 1);
    state_begin(ill);
    state_match(ill, "ill", SUBJECT_PUPIL, "x", "y");
    assert_false(state_commit(ill));
    assert_true(state_commit(well));
    assert_all_there();
    state_close(well);
    state_close(ill);
}

static void *forget(void *db)
{
    db_forget_commit(db);
    return NULL;
}

/* Whoever makes sure that nothing of a failed commit comes back waits until nobody writes. */
static void what_could_not_be_committed_takes_nothing_of_anothers(void **unused)
{
    struct state *well = open_state();
    struct db *ill = db_open(path, DB_WRITE, &(struct db_options){.durable = true});
    pthread_t thread;
    state_begin(well);
    write_rows(well, 0, ROWS / 2);
    assert_int_equal(pthread_create(&thread, NULL, forget, ill), 0);
    write_rows(well, ROWS / 2, ROWS);
    assert_true(state_commit(well));
    pthread_join(thread, NULL);
    assert_all_there();
    state_close(well);
    db_close(ill);
}

/* And goes on as if nothing had been. */
static void what_could_not_be_committed_is_begun_again(void **unused)
{
    struct state *state = open_state();
    state_begin(state);
    state_fail_after(state, 2);
    state_match(state, "ill", SUBJECT_PUPIL, "x", "y");
    assert_false(state_commit(state));
    state_begin(state);
    write_rows(state, 0, ROWS);
    assert_true(state_commit(state));
    state_close(state);
    assert_all_there();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_could_not_begin_takes_nothing_of_anothers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_could_not_be_committed_takes_nothing_of_anothers, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_could_not_be_committed_is_begun_again, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("diary_state", tests, NULL, NULL);
}
