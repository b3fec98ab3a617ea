/* The token cache: who is remembered, who is forgotten and when. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/devices.h"
#include "tests/unit/login_now.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "tests/unit/fixture.h"

#define CACHED 4

static struct {
    struct fixture f;
    struct config *config;
    struct accounts *accounts;
    struct sessions *sessions;
} t;

static int setup(void **state)
{
    static const char YAML[] = "server_name: school.example\npolicy: {mode: open}\nregistration: {mode: open}\n"
                               "passwords: {ops: 1, memory_kib: 8}\n";
    struct text problem = TEXT_INIT;
    fixture_start(&t.f);
    if (!config_parse("test", YAML, sizeof YAML - 1, &t.config, &problem))
        fail_msg("%s", problem.data);
    t.accounts = accounts_create(t.config, t.f.writer, t.f.names);
    t.sessions = sessions_create("school.example", CACHED);
    sessions_set_writer(t.sessions, t.f.writer);
    writer_observe(t.f.writer, sessions_observe, t.sessions);
    return 0;
}

static int teardown(void **state)
{
    accounts_destroy(t.accounts);
    fixture_stop(&t.f);
    sessions_destroy(t.sessions);
    config_free(t.config);
    return 0;
}

/* A new person, signed in on a device. */
static void sign_up(const char *localpart, const char *device_id, struct login_result *out)
{
    struct device_wish device = {.device_id = device_id, .refresh = true};
    struct registration registration = {.localpart = localpart, .password = "correct horse", .device = &device};
    struct error e;
    assert_true(register_account(t.accounts, &registration, out, &e));
}

static void sign_in(const char *localpart, const char *device_id, struct login_result *out)
{
    struct device_wish device = {.device_id = device_id};
    struct error e;
    assert_true(login_password(t.accounts, t.f.db, localpart, "correct horse", &device, out, &e));
}

static bool loads(const char *token, struct error *e)
{
    const struct session *session = sessions_load(t.sessions, t.f.db, token, e);
    session_unref(session);
    return session != NULL;
}

static bool in_memory(const char *token)
{
    const struct session *session = sessions_find(t.sessions, token, NULL);
    session_unref(session);
    return session != NULL;
}

static void a_token_is_found_in_memory_once_it_was_loaded(void **state)
{
    struct login_result anna;
    struct error e;
    sign_up("anna", "PHONE", &anna);
    assert_false(in_memory(anna.access_token));
    const struct session *session = sessions_load(t.sessions, t.f.db, anna.access_token, &e);
    assert_non_null(session);
    assert_string_equal(session->user_id, "@anna:school.example");
    assert_string_equal(session->device_id, "PHONE");
    assert_int_equal(session->state, ACCOUNT_ACTIVE);
    assert_true(session->expires_ms > clock_wall_ms());
    session_unref(session);
    assert_true(in_memory(anna.access_token));
    login_result_finish(&anna);
}

static void an_unknown_token_is_refused_for_good(void **state)
{
    struct error e;
    assert_false(loads("nonsense", &e));
    assert_int_equal(e.code, ERROR_UNKNOWN_TOKEN);
    assert_false(e.soft_logout);
}

static void a_signed_out_device_is_forgotten_and_others_are_not(void **state)
{
    struct login_result phone, laptop;
    struct error e;
    sign_up("boris", "PHONE", &phone);
    sign_in("boris", "LAPTOP", &laptop);
    assert_true(loads(phone.access_token, &e) && loads(laptop.access_token, &e));
    const struct session *on_phone = sessions_find(t.sessions, phone.access_token, NULL);
    const struct session *on_laptop = sessions_find(t.sessions, laptop.access_token, NULL);
    assert_true(session_holds(on_phone) && session_holds(on_laptop));
    assert_true(device_delete(t.accounts, phone.user, "PHONE", &e));
    assert_true(!session_holds(on_phone) && session_holds(on_laptop));
    session_unref(on_phone);
    session_unref(on_laptop);
    assert_false(in_memory(phone.access_token));
    assert_false(loads(phone.access_token, &e));
    assert_false(e.soft_logout);
    assert_true(in_memory(laptop.access_token));
    assert_true(device_delete_all(t.accounts, phone.user, &e));
    assert_false(in_memory(laptop.access_token));
    assert_false(loads(laptop.access_token, &e));
    login_result_finish(&phone);
    login_result_finish(&laptop);
}

/* A connection's last session is a guess, no credential. */
static void a_likely_session_is_taken_for_its_own_token_while_it_holds(void **state)
{
    struct login_result phone, laptop;
    struct error e;
    sign_up("galina", "PHONE", &phone);
    sign_in("galina", "LAPTOP", &laptop);
    assert_true(loads(phone.access_token, &e) && loads(laptop.access_token, &e));
    const struct session *on_phone = sessions_find(t.sessions, phone.access_token, NULL);
    const struct session *again = sessions_find(t.sessions, phone.access_token, on_phone);
    assert_ptr_equal(again, on_phone);
    session_unref(again);
    const struct session *other = sessions_find(t.sessions, laptop.access_token, on_phone);
    assert_string_equal(other->device_id, "LAPTOP");
    session_unref(other);
    assert_null(sessions_find(t.sessions, "nonsense", on_phone));
    assert_null(sessions_find(t.sessions, "", on_phone));
    assert_true(device_delete(t.accounts, phone.user, "PHONE", &e));
    assert_null(sessions_find(t.sessions, phone.access_token, on_phone));
    session_unref(on_phone);
    login_result_finish(&phone);
    login_result_finish(&laptop);
}

static void signing_in_again_on_a_device_ends_its_old_token(void **state)
{
    struct login_result first, second;
    struct error e;
    sign_up("vera", "PHONE", &first);
    assert_true(loads(first.access_token, &e));
    sign_in("vera", "PHONE", &second);
    assert_false(in_memory(first.access_token));
    assert_false(loads(first.access_token, &e));
    assert_true(loads(second.access_token, &e));
    login_result_finish(&first);
    login_result_finish(&second);
}

/* The cache holds four: the one that was asked for lately stays, another gives way. */
static void the_cache_is_bounded_and_drops_what_is_not_used(void **state)
{
    struct login_result people[CACHED + 1];
    struct error e;
    char name[8];
    for (int i = 0; i <= CACHED; ++i) {
        snprintf(name, sizeof name, "p%d", i);
        sign_up(name, "PHONE", &people[i]);
    }
    for (int i = 0; i < CACHED; ++i)
        assert_true(loads(people[i].access_token, &e));
    assert_int_equal(sessions_count(t.sessions), CACHED);
    const struct session *first = sessions_find(t.sessions, people[0].access_token, NULL);
    assert_true(loads(people[CACHED].access_token, &e)); /* everybody's turn is used up: the first goes */
    assert_false(in_memory(people[0].access_token));
    assert_false(session_holds(first));
    session_unref(first);
    assert_true(in_memory(people[1].access_token));
    assert_true(loads(people[0].access_token, &e));
    assert_int_equal(sessions_count(t.sessions), CACHED);
    assert_true(in_memory(people[1].access_token));
    for (int i = 0; i <= CACHED; ++i)
        login_result_finish(&people[i]);
}

static bool expire_job(struct tx *tx, void *arg, struct error *e)
{
    struct login_result *result = arg;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct token_row row;
    token_hash(result->access_token, hash);
    bool ok = tokens_find(tx->db, TOKEN_ACCESS, hash, &row) && tokens_delete_of_device(tx, row.user, row.device) &&
              tokens_insert(tx, TOKEN_ACCESS, row.device, hash, NULL, tx->now_ms - 1);
    token_row_finish(&row);
    return ok;
}

static void an_expired_token_is_a_soft_logout(void **state)
{
    struct login_result gleb;
    struct error e;
    sign_up("gleb", "PHONE", &gleb);
    assert_true(writer_run(t.f.writer, expire_job, &gleb, &e));
    assert_false(loads(gleb.access_token, &e));
    assert_int_equal(e.code, ERROR_UNKNOWN_TOKEN);
    assert_true(e.soft_logout);
    login_result_finish(&gleb);
}

static void a_locked_account_is_seen_as_such_at_once(void **state)
{
    struct login_result dina;
    struct error e;
    sign_up("dina", "PHONE", &dina);
    assert_true(loads(dina.access_token, &e));
    assert_true(fixture_state(&t.f, dina.user, ACCOUNT_LOCKED));
    assert_false(in_memory(dina.access_token));
    const struct session *session = sessions_load(t.sessions, t.f.db, dina.access_token, &e);
    assert_non_null(session);
    assert_int_equal(session->state, ACCOUNT_LOCKED);
    session_unref(session);
    login_result_finish(&dina);
}

/* "Refreshing access tokens": the old refresh token is good until a token of the new pair is used. Used twice at once
 * it brings two pairs, and the client may keep either. */
static void a_refresh_token_ends_when_the_access_token_it_brought_is_used(void **state)
{
    struct login_result first, lost, second, third;
    struct error e;
    sign_up("egor", "PHONE", &first);
    assert_true(login_refresh(t.accounts, 0, first.refresh_token, &lost, &e));
    assert_true(login_refresh(t.accounts, 0, first.refresh_token, &second, &e)); /* the answer was lost: again */
    assert_true(loads(first.access_token, &e));                                  /* good until it expires */
    assert_true(loads(second.access_token, &e));
    assert_false(login_refresh(t.accounts, 0, first.refresh_token, &third, &e));
    assert_int_equal(e.code, ERROR_UNKNOWN_TOKEN);
    assert_true(loads(lost.access_token, &e)); /* it was not lost, only overtaken */
    assert_true(login_refresh(t.accounts, 0, second.refresh_token, &third, &e));
    login_result_finish(&first);
    login_result_finish(&lost);
    login_result_finish(&second);
    login_result_finish(&third);
}

static int64_t refresh_tokens(void)
{
    static const struct statement TEXTS[] = {"SELECT count(*) FROM refresh_tokens"};
    STATEMENTS(COUNTING, "tests", TEXTS);
    return db_int(t.f.db, &COUNTING, 0, 0, "");
}

/* However often one is used, and however often the answers are overtaken, a device holds few. */
static void refresh_tokens_of_a_device_are_bounded(void **state)
{
    struct login_result first, used = {0}, spare;
    struct error e;
    sign_up("galya", "PHONE", &first);
    char token[TOKEN_CHARS + 1];
    strcpy(token, first.refresh_token);
    for (int generation = 0; generation < 10; ++generation) {
        for (int i = 0; i < 3 * TOKENS_PAIRS_MAX; ++i) {
            assert_true(login_refresh(t.accounts, 0, token, &spare, &e));
            login_result_finish(&used);
            used = spare;
        }
        assert_true(loads(used.access_token, &e));
        strcpy(token, used.refresh_token);
        assert_in_range(refresh_tokens(), 1, 3 * TOKENS_PAIRS_MAX);
    }
    login_result_finish(&first);
    login_result_finish(&used);
}

static void a_refresh_token_ends_when_the_refresh_token_it_brought_is_used(void **state)
{
    struct login_result first, second, third, no;
    struct error e;
    sign_up("filip", "PHONE", &first);
    assert_true(login_refresh(t.accounts, 0, first.refresh_token, &second, &e));
    assert_true(login_refresh(t.accounts, 0, second.refresh_token, &third, &e));
    assert_false(login_refresh(t.accounts, 0, first.refresh_token, &no, &e));
    assert_true(loads(third.access_token, &e));
    assert_false(login_refresh(t.accounts, 0, second.refresh_token, &no, &e));
    login_result_finish(&first);
    login_result_finish(&second);
    login_result_finish(&third);
}

struct racer {
    pthread_t thread;
    struct db *db;
    _Atomic(const char *) *token;
    _Atomic bool *stop;
    int found;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct error e;
    while (!*r->stop) {
        const struct session *session = sessions_find(t.sessions, *r->token, NULL);
        if (session == NULL)
            session = sessions_load(t.sessions, r->db, *r->token, &e);
        r->found += session != NULL && strcmp(session->user_id, "@zoya:school.example") == 0;
        session_unref(session);
    }
    return NULL;
}

/* Loads that race a sign-out must not bring the token back. */
static void a_revoked_token_stays_away_whoever_loads_it_meanwhile(void **state)
{
    enum { ROUNDS = 60, RACERS = 3 };
    static struct login_result results[ROUNDS];
    struct racer racers[RACERS];
    struct error e;
    _Atomic bool stop = false;
    sign_up("zoya", "PHONE", &results[0]);
    _Atomic(const char *) token = results[0].access_token;
    for (int i = 0; i < RACERS; ++i) {
        racers[i] = (struct racer){.db = db_open(t.f.path, DB_READ, NULL), .token = &token, .stop = &stop};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 1; i < ROUNDS; ++i) {
        sign_in("zoya", "PHONE", &results[i]); /* ends the token before */
        assert_false(in_memory(results[i - 1].access_token));
        assert_false(loads(results[i - 1].access_token, &e));
        usleep(500);
        assert_false(in_memory(results[i - 1].access_token));
        token = results[i].access_token;
    }
    stop = true;
    int found = 0;
    for (int i = 0; i < RACERS; ++i) {
        pthread_join(racers[i].thread, NULL);
        db_close(racers[i].db);
        found += racers[i].found;
    }
    assert_true(found > 0);
}

static void note_ip(void *arg, const struct device_row *row)
{
    snprintf(arg, 46, "%s", row->last_seen_ip != NULL ? row->last_seen_ip : "");
}

static bool job_nothing(struct tx *tx, void *arg, struct error *e)
{
    return true;
}

/* Where the person's only device was last seen, once all that was handed to the writer is done. */
static const char *last_seen(user_no user)
{
    static char ip[46];
    struct error e;
    assert_true(writer_run(t.f.writer, job_nothing, NULL, &e));
    devices_each(t.f.db, user, note_ip, ip);
    return ip;
}

/* A session as it is loaded by who has nobody in memory, and is seen at an address. */
static void seen_at(struct sessions *sessions, const char *token, const char *ip)
{
    struct error e;
    const struct session *session = sessions_load(sessions, t.f.db, token, &e);
    assert_non_null(session);
    sessions_seen(sessions, session, ip);
    session_unref(session);
}

/* Many at a time: what was seen is written by a job of the server's, or when there is much of it; once in ten minutes
 * each. A number that has become somebody else's says nothing of them. */
static void where_sessions_were_seen_is_written_together(void **state)
{
    struct login_result anna, boris;
    sign_up("anna", "PHONE", &anna);
    sign_up("boris", "TABLET", &boris);
    seen_at(t.sessions, anna.access_token, "10.0.0.1");
    seen_at(t.sessions, boris.access_token, "10.0.0.2");
    assert_string_equal(last_seen(anna.user), "");
    assert_int_equal(sessions_write_seen(t.sessions, NULL), JOB_DONE);
    assert_string_equal(last_seen(anna.user), "10.0.0.1");
    assert_string_equal(last_seen(boris.user), "10.0.0.2");
    seen_at(t.sessions, anna.access_token, "10.0.0.3");
    sessions_write_seen(t.sessions, NULL);
    assert_string_equal(last_seen(anna.user), "10.0.0.1");

    struct sessions *forgetful = sessions_create("school.example", 1);
    sessions_set_writer(forgetful, t.f.writer);
    for (int i = 0; i < SEEN_AT_ONCE; ++i) {
        assert_string_equal(last_seen(anna.user), "10.0.0.1");
        seen_at(forgetful, i % 2 == 0 ? anna.access_token : boris.access_token, "10.0.0.4");
    }
    assert_string_equal(last_seen(anna.user), "10.0.0.4");
    assert_string_equal(last_seen(boris.user), "10.0.0.4");
    seen_at(forgetful, anna.access_token, "10.0.0.5");
    assert_true(db_script(writer_db_for_tests(t.f.writer),
                          "PRAGMA foreign_keys = OFF; UPDATE devices SET user_no = 99 WHERE device_id = 'PHONE'"));
    sessions_write_seen(forgetful, NULL);
    assert_string_equal(last_seen(99), "10.0.0.4");
    sessions_destroy(forgetful);
    login_result_finish(&anna);
    login_result_finish(&boris);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_found_in_memory_once_it_was_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_token_is_refused_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signed_out_device_is_forgotten_and_others_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_likely_session_is_taken_for_its_own_token_while_it_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(signing_in_again_on_a_device_ends_its_old_token, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cache_is_bounded_and_drops_what_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_token_stays_away_whoever_loads_it_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(an_expired_token_is_a_soft_logout, setup, teardown),
        cmocka_unit_test_setup_teardown(a_locked_account_is_seen_as_such_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_token_ends_when_the_access_token_it_brought_is_used, setup, teardown),
        cmocka_unit_test_setup_teardown(where_sessions_were_seen_is_written_together, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh_tokens_of_a_device_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_token_ends_when_the_refresh_token_it_brought_is_used, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
