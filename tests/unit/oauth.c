/* Sessions by the OAuth 2.0 API: what a code, a device code and a refresh token are good for, and
 * what ends with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/devices.h"
#include "homeserver/accounts/oauth.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/rendezvous.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/config.h"
#include "homeserver/jobs/prune.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "tests/unit/fixture.h"

/* RFC 7636, appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define CALLBACK "https://app.example/callback"
#define SCOPE "urn:matrix:client:api:* urn:matrix:client:device:DEVICE0001"

static struct {
    struct fixture f;
    struct config *config;
    struct accounts *accounts;
    struct sessions *sessions;
    user_no anna;
    struct oauth_client app, other;
} t;

static void registers(const char *uri, struct oauth_client *out)
{
    char client_id[OAUTH_CLIENT_ID_CHARS + 1];
    struct error e = {0};
    json_t *metadata = json_pack("{s:s, s:s}", "client_uri", uri, "client_name", "An App");
    assert_true(oauth_client_register(t.accounts, metadata, client_id, &e));
    json_decref(metadata);
    assert_true(oauth_client_find(t.f.db, client_id, out));
}

static int setup(void **state)
{
    static const char YAML[] = "server_name: school.example\npolicy: {mode: open}\nregistration: {mode: open}\n"
                               "passwords: {ops: 1, memory_kib: 8}\n";
    struct text problem = TEXT_INIT;
    struct login_result anna;
    struct error e;
    fixture_start(&t.f);
    assert_true(config_parse("test", YAML, sizeof YAML - 1, &t.config, &problem));
    t.accounts = accounts_create(t.config, t.f.writer, t.f.names);
    t.sessions = sessions_create("school.example", 16);
    sessions_set_writer(t.sessions, t.f.writer);
    writer_observe(t.f.writer, sessions_observe, t.sessions);
    const struct registration registration = {.localpart = "anna", .password = "correct horse"};
    assert_true(register_account(t.accounts, &registration, &anna, &e));
    t.anna = anna.user;
    login_result_finish(&anna);
    registers("https://app.example/", &t.app);
    registers("https://other.example/", &t.other);
    return 0;
}

static int teardown(void **state)
{
    oauth_client_finish(&t.app);
    oauth_client_finish(&t.other);
    accounts_destroy(t.accounts);
    fixture_stop(&t.f);
    sessions_destroy(t.sessions);
    config_free(t.config);
    return 0;
}

static bool loads(const char *token)
{
    struct error e;
    const struct session *session = sessions_load(t.sessions, t.f.db, token, &e);
    session_unref(session);
    return session != NULL;
}

static void allow(char code[TOKEN_CHARS + 1])
{
    struct error e = {0};
    const struct oauth_allowed allowed = {t.anna, t.app.no, CALLBACK, CHALLENGE, "DEVICE0001", SCOPE};
    assert_true(oauth_code_issue(t.accounts, &allowed, code, &e));
}

static enum oauth_error shows(const struct oauth_client *client, const char *code, const char *redirect_uri,
                              const char *verifier, struct oauth_answer *out)
{
    struct error e = {0};
    const struct oauth_shown shown = {client, code, redirect_uri, verifier, "192.0.2.1"};
    assert_true(oauth_code_redeem(t.accounts, &shown, out, &e));
    return out->refused;
}

static void begin_session(struct oauth_answer *out)
{
    char code[TOKEN_CHARS + 1];
    allow(code);
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, out), OAUTH_OK);
}

static void a_code_becomes_a_session_of_its_device(void **state)
{
    struct oauth_answer answer;
    struct error e;
    struct device_row device;
    begin_session(&answer);
    assert_string_equal(answer.scope, SCOPE);
    const struct session *session = sessions_load(t.sessions, t.f.db, answer.tokens.access_token, &e);
    assert_non_null(session);
    assert_string_equal(session->user_id, "@anna:school.example");
    assert_string_equal(session->device_id, "DEVICE0001");
    assert_true(session->oauth);
    assert_true(session->expires_ms > 0);
    session_unref(session);
    assert_true(devices_get(t.f.db, t.anna, "DEVICE0001", &device));
    assert_string_equal(device.display_name, "An App");
    assert_int_equal(devices_client(t.f.db, t.anna, "DEVICE0001"), t.app.no);
    device_row_finish(&device);
    oauth_answer_finish(&answer);
}

/* Stolen, mixed up, guessed: each is refused, and the code is worth nothing to anybody afterwards. */
static void a_code_with_anothers_particulars_is_refused_and_spent(void **state)
{
    const struct {
        const struct oauth_client *client;
        const char *redirect_uri, *verifier;
    } CASES[] = {{&t.other, CALLBACK, VERIFIER},
                 {&t.app, CALLBACK "/", VERIFIER},
                 {&t.app, "https://other.example/callback", VERIFIER},
                 {&t.app, CALLBACK, VERIFIER "x"},
                 {&t.app, CALLBACK, ""},
                 {&t.app, CALLBACK, CHALLENGE}};
    struct oauth_answer answer;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char code[TOKEN_CHARS + 1];
        allow(code);
        assert_int_equal(shows(CASES[i].client, code, CASES[i].redirect_uri, CASES[i].verifier, &answer),
                         OAUTH_INVALID_GRANT);
        assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
        assert_int_equal(devices_no(t.f.db, t.anna, "DEVICE0001"), 0);
    }
    assert_int_equal(shows(&t.app, "never given", CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
}

/* RFC 6749, 4.1.2 */
static void a_code_used_twice_ends_what_it_brought(void **state)
{
    struct oauth_answer first, second;
    char code[TOKEN_CHARS + 1];
    allow(code);
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &first), OAUTH_OK);
    assert_true(loads(first.tokens.access_token));
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &second), OAUTH_INVALID_GRANT);
    assert_false(loads(first.tokens.access_token));
    assert_int_equal(devices_no(t.f.db, t.anna, "DEVICE0001"), 0);
    oauth_answer_finish(&first);
}

static bool job_age(struct tx *tx, void *arg, struct error *e)
{
    return db_script(tx->db, arg);
}

static void age(const char *sql)
{
    struct error e;
    assert_true(writer_run(t.f.writer, job_age, (void *)sql, &e));
}

static void a_code_falls_with_time_password_and_sign_out(void **state)
{
    struct oauth_answer answer;
    struct error e;
    char code[TOKEN_CHARS + 1];
    allow(code);
    age("UPDATE oauth_codes SET expires_ms = 1");
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
    allow(code);
    assert_true(device_delete_all(t.accounts, t.anna, &e));
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
    allow(code);
    age("UPDATE users SET password_hash = 'another' WHERE localpart = 'anna'");
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
}

/* A3, by what every sign-in asks: neither a code nor tokens, whenever the account changed. */
static void who_may_not_sign_in_gets_nothing(void **state)
{
    static const struct {
        enum account_state state;
        enum error_code code;
    } CASES[] = {{ACCOUNT_LOCKED, ERROR_USER_LOCKED}, {ACCOUNT_LEFT, ERROR_FORBIDDEN}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct oauth_answer session, answer;
        struct oauth_device_begun device;
        struct error e = {0};
        char code[TOKEN_CHARS + 1];
        const struct oauth_allowed allowed = {t.anna, t.app.no, CALLBACK, CHALLENGE, "DEVICE0002", SCOPE};
        begin_session(&session);
        allow(code);
        assert_true(
            oauth_device_begin(t.accounts, t.app.no, "DEVICE0003", SCOPE, "192.0.2.1", "192.0.2.1", &device, &e));
        assert_true(oauth_device_decide(t.accounts, device.user_code, t.anna, true, &e));
        fixture_state(&t.f, t.anna, CASES[i].state);
        const struct oauth_shown shown = {&t.app, code, CALLBACK, VERIFIER, NULL};
        assert_false(oauth_code_redeem(t.accounts, &shown, &answer, &e));
        assert_int_equal(e.code, CASES[i].code);
        const struct oauth_shown by_device = {&t.app, device.device_code, NULL, NULL, NULL};
        assert_false(oauth_device_redeem(t.accounts, &by_device, &answer, &e));
        assert_false(oauth_code_issue(t.accounts, &allowed, code, &e));
        assert_int_equal(e.code, CASES[i].code);
        e = (struct error){0};
        assert_true(!oauth_refresh(t.accounts, &t.app, session.tokens.refresh_token, &answer, &e) ||
                    answer.refused == OAUTH_INVALID_GRANT);
        assert_int_equal(devices_count(t.f.db, t.anna), 1);
        fixture_state(&t.f, t.anna, ACCOUNT_ACTIVE);
        oauth_answer_finish(&session);
    }
}

static void refreshes(const char *token, struct oauth_answer *out, enum oauth_error expected)
{
    struct error e = {0};
    assert_true(oauth_refresh(t.accounts, &t.app, token, out, &e));
    assert_int_equal(out->refused, expected);
}

/* "MUST ensure that the client is able to retry": of two pairs the newer lives, and a thief's does not beside it. */
static void a_refresh_may_be_tried_again_until_its_answer_was_used(void **state)
{
    struct oauth_answer first, lost, again, third;
    begin_session(&first);
    refreshes(first.tokens.refresh_token, &lost, OAUTH_OK);
    refreshes(first.tokens.refresh_token, &again, OAUTH_OK);
    assert_false(loads(lost.tokens.access_token));
    refreshes(lost.tokens.refresh_token, &third, OAUTH_INVALID_GRANT);
    assert_true(loads(again.tokens.access_token));
    refreshes(again.tokens.refresh_token, &third, OAUTH_OK);
    assert_true(loads(third.tokens.access_token));
    oauth_answer_finish(&first);
    oauth_answer_finish(&lost);
    oauth_answer_finish(&again);
    oauth_answer_finish(&third);
}

static void an_old_refresh_token_ends_its_family(void **state)
{
    struct oauth_answer first, second, third, no;
    begin_session(&first);
    refreshes(first.tokens.refresh_token, &second, OAUTH_OK);
    refreshes(second.tokens.refresh_token, &third, OAUTH_OK); /* uses what the first brought */
    assert_true(loads(third.tokens.access_token));
    refreshes(first.tokens.refresh_token, &no, OAUTH_INVALID_GRANT);
    assert_false(loads(third.tokens.access_token));
    assert_false(loads(first.tokens.access_token));
    refreshes(third.tokens.refresh_token, &no, OAUTH_INVALID_GRANT);
    assert_int_equal(devices_no(t.f.db, t.anna, "DEVICE0001"), 0);
    oauth_answer_finish(&first);
    oauth_answer_finish(&second);
    oauth_answer_finish(&third);
}

/* A session goes on by the way that it began. */
static void a_refresh_token_is_its_clients(void **state)
{
    struct oauth_answer mine, no;
    struct login_result legacy;
    struct error e = {0};
    begin_session(&mine);
    assert_true(oauth_refresh(t.accounts, &t.other, mine.tokens.refresh_token, &no, &e));
    assert_int_equal(no.refused, OAUTH_INVALID_GRANT);
    assert_false(login_refresh(t.accounts, 0, mine.tokens.refresh_token, &legacy, &e));
    assert_true(loads(mine.tokens.access_token));
    oauth_answer_finish(&mine);
}

static void spent_tokens_of_a_session_are_few(void **state)
{
    static const struct statement TEXTS[] = {"SELECT count(*) FROM spent_refresh_tokens"};
    STATEMENTS(COUNTING, "tests", TEXTS);
    struct oauth_answer now, next;
    begin_session(&now);
    for (int i = 0; i < 3 * TOKENS_SPENT_MAX; ++i) {
        refreshes(now.tokens.refresh_token, &next, OAUTH_OK);
        oauth_answer_finish(&now);
        now = next;
    }
    assert_true(loads(now.tokens.access_token));
    assert_in_range(db_int(t.f.db, &COUNTING, 0, 0, ""), 1, TOKENS_SPENT_MAX);
    oauth_answer_finish(&now);
}

/* RFC 7009: either token, and both end; whoever has one. */
static void a_revoked_token_takes_its_session_along(void **state)
{
    struct error e = {0};
    assert_true(oauth_revoke(t.accounts, "never given", &e));
    for (int by_refresh = 0; by_refresh < 2; ++by_refresh) {
        struct oauth_answer session, no;
        begin_session(&session);
        assert_true(loads(session.tokens.access_token));
        const char *token = by_refresh != 0 ? session.tokens.refresh_token : session.tokens.access_token;
        assert_true(oauth_revoke(t.accounts, token, &e));
        assert_false(loads(session.tokens.access_token));
        refreshes(session.tokens.refresh_token, &no, OAUTH_INVALID_GRANT);
        assert_true(oauth_revoke(t.accounts, token, &e));
        oauth_answer_finish(&session);
    }
}

static enum oauth_error polls(const struct oauth_client *client, const char *code, struct oauth_answer *out)
{
    struct error e = {0};
    const struct oauth_shown shown = {client, code, NULL, NULL, "192.0.2.1"};
    assert_true(oauth_device_redeem(t.accounts, &shown, out, &e));
    return out->refused;
}

static void begin_device(struct oauth_device_begun *out)
{
    struct error e = {0};
    assert_true(oauth_device_begin(t.accounts, t.app.no, "DEVICE0001", SCOPE, "192.0.2.1", "192.0.2.1", out, &e));
}

/* RFC 8628 */
static void a_device_waits_until_a_person_has_decided(void **state)
{
    struct oauth_device_begun begun;
    struct oauth_device_code_row row;
    struct oauth_answer answer;
    struct error e = {0};
    begin_device(&begun);
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_AUTHORIZATION_PENDING);
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_SLOW_DOWN);
    assert_int_equal(polls(&t.other, begun.device_code, &answer), OAUTH_INVALID_GRANT);
    assert_true(oauth_device_find(t.f.db, begun.user_code, 0, &row));
    assert_string_equal(row.client_id, t.app.client_id);
    assert_string_equal(row.device_id, "DEVICE0001");
    oauth_device_code_row_finish(&row);
    assert_true(oauth_device_decide(t.accounts, begun.user_code, t.anna, true, &e));
    assert_false(oauth_device_decide(t.accounts, begun.user_code, t.anna, false, &e)); /* once */
    assert_false(oauth_device_find(t.f.db, begun.user_code, 0, &row));
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_OK);
    assert_true(loads(answer.tokens.access_token));
    assert_string_equal(answer.scope, SCOPE);
    oauth_answer_finish(&answer);
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_INVALID_GRANT);
}

static void a_device_is_told_of_a_refusal_and_of_the_end(void **state)
{
    struct oauth_device_begun begun;
    struct oauth_device_code_row row;
    struct oauth_answer answer;
    struct error e = {0};
    begin_device(&begun);
    assert_true(oauth_device_decide(t.accounts, begun.user_code, t.anna, false, &e));
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_ACCESS_DENIED);
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_INVALID_GRANT);
    begin_device(&begun);
    age("UPDATE oauth_device_codes SET expires_ms = 1");
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_EXPIRED_TOKEN);
    assert_false(oauth_device_find(t.f.db, begun.user_code, 2, &row));
    assert_false(oauth_device_decide(t.accounts, begun.user_code, t.anna, true, &e));
    prune_run(t.f.writer, NULL);
    assert_int_equal(polls(&t.app, begun.device_code, &answer), OAUTH_INVALID_GRANT);
}

static void a_user_code_is_read_as_people_type_it(void **state)
{
    struct oauth_device_begun begun;
    struct oauth_device_code_row row;
    char typed[32];
    begin_device(&begun);
    assert_int_equal(strlen(begun.user_code), OAUTH_USER_CODE_CHARS + 1);
    snprintf(typed, sizeof typed, " %.4s %s ", begun.user_code, begun.user_code + 5);
    for (char *p = typed; *p != '\0'; ++p)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    assert_true(oauth_device_find(t.f.db, typed, 0, &row));
    oauth_device_code_row_finish(&row);
    static const char *const WRONG[] = {"", "-", "BCDF", "BCDF-GHJKL", "AEIO-UUUU", "BCDF%GHJK", "\xd0\x91\xd0\x92"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; ++i)
        assert_false(oauth_device_find(t.f.db, WRONG[i], 0, &row));
}

static void devices_that_wait_are_bounded_by_place(void **state)
{
    struct oauth_device_begun begun;
    struct error e = {0};
    for (int i = 0; i < OAUTH_DEVICE_CODES_OF_PLACE; ++i)
        begin_device(&begun);
    assert_false(oauth_device_begin(t.accounts, t.app.no, "D", SCOPE, "192.0.2.1", "192.0.2.1", &begun, &e));
    assert_int_equal(e.code, ERROR_LIMIT_EXCEEDED);
    assert_true(oauth_device_begin(t.accounts, t.app.no, "D", SCOPE, "192.0.2.2", "192.0.2.1", &begun, &e));
}

static void codes_of_a_person_are_bounded(void **state)
{
    struct oauth_answer answer;
    char first[TOKEN_CHARS + 1], code[TOKEN_CHARS + 1];
    allow(first);
    age("UPDATE oauth_codes SET expires_ms = expires_ms - 1");
    for (int i = 0; i < OAUTH_CODES_MAX; ++i)
        allow(code);
    assert_int_equal(shows(&t.app, first, CALLBACK, VERIFIER, &answer), OAUTH_INVALID_GRANT);
    assert_int_equal(shows(&t.app, code, CALLBACK, VERIFIER, &answer), OAUTH_OK);
    oauth_answer_finish(&answer);
}

static void the_same_metadata_is_the_same_client_and_unused_ones_go(void **state)
{
    struct oauth_client again, gone;
    struct oauth_answer session;
    registers("https://app.example/", &again);
    assert_int_equal(again.no, t.app.no);
    assert_int_not_equal(t.other.no, t.app.no);
    oauth_client_finish(&again);
    begin_session(&session);
    age("UPDATE oauth_clients SET used_ms = 1");
    prune_run(t.f.writer, NULL);
    assert_true(oauth_client_find(t.f.db, t.app.client_id, &again)); /* somebody is signed in with it */
    oauth_client_finish(&again);
    assert_false(oauth_client_find(t.f.db, t.other.client_id, &gone));
    oauth_answer_finish(&session);
}

/* Signed in anew by password: no client's any more, and what it had is void. */
static void a_device_belongs_to_who_signed_in_last(void **state)
{
    struct oauth_answer session, no;
    begin_session(&session);
    age("UPDATE devices SET client_no = NULL");
    refreshes(session.tokens.refresh_token, &no, OAUTH_INVALID_GRANT);
    begin_session(&no);
    assert_false(loads(session.tokens.access_token));
    assert_int_equal(devices_client(t.f.db, t.anna, "DEVICE0001"), t.app.no);
    oauth_answer_finish(&session);
    oauth_answer_finish(&no);
}

/* MSC4388: compare and swap, and a retry is no conflict. */
static void two_devices_meet_and_write_in_turn(void **state)
{
    struct rendezvous *r = rendezvous_create();
    struct rendezvous_view a, b, c;
    assert_true(rendezvous_open(r, "here", "one", 3, 1000, &a));
    assert_int_equal(a.expires_in_ms, RENDEZVOUS_LIFETIME_MS);
    assert_int_equal(rendezvous_put(r, a.id, a.sequence, "two", 3, 1001, &b), RENDEZVOUS_PUT);
    assert_string_not_equal(a.sequence, b.sequence);
    assert_int_equal(rendezvous_put(r, a.id, a.sequence, "two", 3, 1002, &c), RENDEZVOUS_PUT); /* its answer was lost */
    assert_string_equal(b.sequence, c.sequence);
    assert_int_equal(rendezvous_put(r, a.id, a.sequence, "three", 5, 1003, &c), RENDEZVOUS_CONCURRENT);
    assert_int_equal(rendezvous_put(r, a.id, b.sequence, "two", 3, 1004, &c), RENDEZVOUS_PUT);
    assert_string_not_equal(b.sequence, c.sequence); /* the same data, written anew */
    assert_true(rendezvous_get(r, a.id, 1005, &b));
    assert_string_equal(b.data, "two");
    assert_int_equal(b.expires_in_ms, RENDEZVOUS_LIFETIME_MS - 5);
    free(b.data);
    assert_int_equal(rendezvous_put(r, "unknown", a.sequence, "x", 1, 1006, &c), RENDEZVOUS_GONE);
    assert_false(rendezvous_get(r, a.id, 1000 + RENDEZVOUS_LIFETIME_MS, &b));
    assert_true(rendezvous_open(r, "here", "", 0, 0, &a));
    assert_true(rendezvous_close(r, a.id, 1));
    assert_false(rendezvous_close(r, a.id, 1));
    rendezvous_destroy(r);
}

static void meetings_are_bounded_by_place(void **state)
{
    struct rendezvous *r = rendezvous_create();
    struct rendezvous_view view;
    for (int i = 0; i < RENDEZVOUS_OF_PLACE; ++i)
        assert_true(rendezvous_open(r, "here", "x", 1, 0, &view));
    assert_false(rendezvous_open(r, "here", "x", 1, 0, &view));
    for (int i = RENDEZVOUS_OF_PLACE; i < RENDEZVOUS_MAX; ++i) {
        char place[32];
        snprintf(place, sizeof place, "place %d", i);
        assert_true(rendezvous_open(r, place, "x", 1, 0, &view));
    }
    assert_false(rendezvous_open(r, "elsewhere", "x", 1, 0, &view));
    assert_true(rendezvous_open(r, "here", "x", 1, RENDEZVOUS_LIFETIME_MS, &view)); /* the others have ended */
    rendezvous_destroy(r);
}

static void an_approval_is_good_once_and_soon(void **state)
{
    static const unsigned char OF[TOKEN_HASH_BYTES] = "of", OTHER[TOKEN_HASH_BYTES] = "other";
    struct approvals *approvals = approvals_create();
    approvals_give(approvals, 1, OF, 0);
    approvals_give(approvals, 1, OF, 0);
    assert_false(approvals_take(approvals, 2, OF, 1));
    assert_false(approvals_take(approvals, 0, OF, 1));
    assert_true(approvals_take(approvals, 1, OF, 1));
    assert_false(approvals_take(approvals, 1, OF, 1));
    approvals_give(approvals, 1, OF, 0);
    assert_false(approvals_take(approvals, 1, OTHER, 1));
    approvals_give(approvals, 1, OF, 0);
    assert_false(approvals_take(approvals, 1, OF, APPROVAL_LIFETIME_MS));
    approvals_destroy(approvals);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_code_becomes_a_session_of_its_device),
        TEST(a_code_with_anothers_particulars_is_refused_and_spent),
        TEST(a_code_used_twice_ends_what_it_brought),
        TEST(a_code_falls_with_time_password_and_sign_out),
        TEST(who_may_not_sign_in_gets_nothing),
        TEST(a_refresh_may_be_tried_again_until_its_answer_was_used),
        TEST(an_old_refresh_token_ends_its_family),
        TEST(a_refresh_token_is_its_clients),
        TEST(spent_tokens_of_a_session_are_few),
        TEST(a_revoked_token_takes_its_session_along),
        TEST(a_device_waits_until_a_person_has_decided),
        TEST(a_device_is_told_of_a_refusal_and_of_the_end),
        TEST(a_user_code_is_read_as_people_type_it),
        TEST(devices_that_wait_are_bounded_by_place),
        TEST(codes_of_a_person_are_bounded),
        TEST(the_same_metadata_is_the_same_client_and_unused_ones_go),
        TEST(a_device_belongs_to_who_signed_in_last),
        cmocka_unit_test(two_devices_meet_and_write_in_turn),
        cmocka_unit_test(meetings_are_bounded_by_place),
        cmocka_unit_test(an_approval_is_good_once_and_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
