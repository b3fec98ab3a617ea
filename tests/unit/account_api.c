/* Accounts as clients speak of them: a real server on the loopback, the real routes, curl as the client. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/accounts/register.h"
#include "homeserver/base/json.h"
#include "homeserver/http/limits.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"
#include "tests/unit/client_world.h"

#define CLIENT "/_matrix/client/v3"
#define ANNA "@anna:school.example"

static struct client_world t;

/* settings: YAML beside the name. Nothing is limited but what limits says. */
static void start(const char *settings, const struct limit limits[RATE__COUNT])
{
    client_world_start(&t, &(struct client_world_settings){.yaml = settings, .limits = limits, .workers = 2});
}

#define OPEN "policy: {mode: open}\nregistration: {mode: open}\n"

static int start_open(void **state)
{
    start(OPEN, NULL);
    return 0;
}

static int stop_any(void **state)
{
    client_world_stop(&t);
    return 0;
}

/* One request; its reply stands in t.reply until the next. token, body: NULL for none. Returns the status. */
static long ask(const char *method, const char *path, const char *token, const char *body)
{
    return client_ask(&t, &(struct client_request){.method = method, .path = path, .token = token, .body = body});
}

/* The same, with what must come. errcode "": none. */
static void expect(const char *method, const char *path, const char *token, const char *body, long status,
                   const char *errcode)
{
    client_expect(&t, &(struct client_request){.method = method, .path = path, .token = token, .body = body}, status,
                  errcode);
}

struct exchange {
    const char *method, *path, *body;
    long status;
    const char *errcode;
};

static void exchange_all(const struct exchange *list, size_t n, const char *token)
{
    for (size_t i = 0; i < n; ++i)
        expect(list[i].method, list[i].path, token, list[i].body, list[i].status, list[i].errcode);
}
#define EXCHANGE(list, token) exchange_all(list, sizeof list / sizeof *list, token)

/* A string of the last reply; heap. */
static char *said(const char *key)
{
    const char *value = json_get_string(t.reply, key);
    assert_non_null(value);
    return xstrdup(value);
}

static char *filled(const char *fmt, const char *a)
{
    struct text out = TEXT_INIT;
    text_addf(&out, fmt, a);
    return text_take(&out);
}

#define ANNA_LOGIN "\"identifier\": {\"type\": \"m.id.user\", \"user\": \"anna\"}, \"password\": \"correct horse\""

/* Anna's account, signed in on device ONE: her token, heap. */
static char *anna(void)
{
    expect("POST", CLIENT "/register", NULL,
           "{\"username\": \"anna\", \"password\": \"correct horse\", \"device_id\": \"ONE\","
           " \"auth\": {\"type\": \"m.login.dummy\"}}",
           200, "");
    assert_string_equal(json_get_string(t.reply, "user_id"), ANNA);
    assert_string_equal(json_get_string(t.reply, "device_id"), "ONE");
    return said("access_token");
}

/* Repeats a request with the password in the session of the 401 just had. */
static void confirm(const char *method, const char *path, const char *token, const char *password, long status,
                    const char *errcode)
{
    char *session = said("session");
    struct text body = TEXT_INIT;
    text_addf(&body,
              "{\"auth\": {\"type\": \"m.login.password\", \"session\": \"%s\","
              " \"identifier\": {\"type\": \"m.id.user\", \"user\": \"" ANNA "\"}, \"password\": \"%s\"}}",
              session, password);
    expect(method, path, token, body.data, status, errcode);
    text_finish(&body);
    free(session);
}

static void registration_takes_two_steps_or_one(void **state)
{
    static const struct exchange REFUSED[] = {
        {"POST", CLIENT "/register?kind=guest", "{}", 403, "M_GUEST_ACCESS_FORBIDDEN"},
        {"POST", CLIENT "/register?kind=cat", "{}", 400, "M_INVALID_PARAM"},
        {"POST", CLIENT "/register", "{\"username\": \"An na\"}", 400, "M_INVALID_USERNAME"},
        {"POST", CLIENT "/register", "{\"username\": 7}", 400, "M_BAD_JSON"},
        {"POST", CLIENT "/register", "{\"username\": \"anna\", \"password\": \"short\"}", 400, "M_WEAK_PASSWORD"},
        {"POST", CLIENT "/register", "{\"device_id\": \"\"}", 400, "M_INVALID_PARAM"},
        {"POST", CLIENT "/register", "{\"auth\": {\"type\": \"m.login.dummy\"}}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/register", "{", 400, "M_NOT_JSON"},
        {"POST", CLIENT "/register", "[]", 400, "M_BAD_JSON"},
        {"GET", CLIENT "/register/available", NULL, 400, "M_MISSING_PARAM"},
        {"GET", CLIENT "/register/available?username=%C3%90", NULL, 400, "M_INVALID_USERNAME"},
        {"GET", CLIENT "/register/available?username=anna", NULL, 200, ""},
        {"GET", CLIENT "/register/available?username=ANNA", NULL, 200, ""},
        {"GET", "/_matrix/client/v1/register/m.login.registration_token/validity?token=x", NULL, 200, ""},
        {"GET", "/_matrix/client/v1/register/m.login.registration_token/validity", NULL, 400, "M_MISSING_PARAM"},
    };
    EXCHANGE(REFUSED, NULL);
    expect("POST", CLIENT "/register", NULL, "{\"username\": \"anna\", \"password\": \"correct horse\"}", 401, "");
    char *session = said("session");
    char *body = filled("{\"auth\": {\"type\": \"m.login.dummy\", \"session\": \"%s\"}}", session);
    expect("POST", CLIENT "/register", NULL, body, 200, "");
    assert_string_equal(json_get_string(t.reply, "user_id"), ANNA);
    assert_non_null(json_get_string(t.reply, "access_token"));
    free(session);
    free(body);
    expect("POST", CLIENT "/register", NULL, "{\"username\": \"anna\"}", 400, "M_USER_IN_USE");
    expect("POST", CLIENT "/register", NULL, "{\"username\": \"Anna\"}", 400, "M_USER_IN_USE");
    expect("GET", CLIENT "/register/available?username=aNNa", NULL, NULL, 400, "M_USER_IN_USE");
    expect("GET", CLIENT "/register/available?username=anna", NULL, NULL, 400, "M_USER_IN_USE");
    expect("POST", CLIENT "/register", NULL,
           "{\"password\": \"correct horse\", \"inhibit_login\": true, \"auth\": {\"type\": \"m.login.dummy\"}}", 200,
           "");
    assert_null(json_object_get(t.reply, "access_token"));
    assert_null(json_object_get(t.reply, "device_id"));
    assert_true(user_id_valid(json_get_string(t.reply, "user_id")));
}

static int start_token(void **state)
{
    struct error e;
    start("policy: {mode: open}\nregistration: {mode: token}\n", NULL);
    assert_true(registration_token_create(t.server.accounts, "operator:test", "let-me-in", 2, 0, &e));
    return 0;
}

static void registration_by_token_takes_two_steps_or_one(void **state)
{
    static const char *const VALIDITY =
        "/_matrix/client/v1/register/m.login.registration_token/validity?token=let-me-in";
    expect("GET", VALIDITY, NULL, NULL, 200, "");
    assert_true(json_get_bool(t.reply, "valid", false));
    expect("POST", CLIENT "/register", NULL, "{\"username\": \"anna\", \"password\": \"correct horse\"}", 401, "");
    char *session = said("session");
    char *wrong = filled(
        "{\"auth\": {\"type\": \"m.login.registration_token\", \"token\": \"no\", \"session\": \"%s\"}}", session);
    char *right =
        filled("{\"auth\": {\"type\": \"m.login.registration_token\", \"token\": \"let-me-in\", \"session\": \"%s\"}}",
               session);
    char *dummy = filled("{\"auth\": {\"type\": \"m.login.dummy\", \"session\": \"%s\"}}", session);
    expect("POST", CLIENT "/register", NULL, wrong, 401, "M_UNAUTHORIZED");
    assert_int_not_equal(ask("POST", CLIENT "/register", NULL, dummy), 200);
    expect("POST", CLIENT "/register", NULL, right, 200, "");
    assert_string_equal(json_get_string(t.reply, "user_id"), ANNA);
    expect("POST", CLIENT "/register", NULL,
           "{\"username\": \"boris\", \"password\": \"correct horse\","
           " \"auth\": {\"type\": \"m.login.registration_token\", \"token\": \"let-me-in\"}}",
           200, "");
    expect("POST", CLIENT "/register", NULL,
           "{\"username\": \"vera\", \"password\": \"correct horse\","
           " \"auth\": {\"type\": \"m.login.registration_token\", \"token\": \"let-me-in\"}}",
           401, "M_UNAUTHORIZED");
    expect("GET", VALIDITY, NULL, NULL, 200, "");
    assert_false(json_get_bool(t.reply, "valid", true));
    free(session);
    free(wrong);
    free(right);
    free(dummy);
}

static int start_closed(void **state)
{
    start("registration: {mode: closed}\n", NULL);
    return 0;
}

static void a_closed_server_refuses_registration_everywhere(void **state)
{
    static const struct exchange REFUSED[] = {
        {"POST", CLIENT "/register", "{}", 403, "M_FORBIDDEN"},
        {"POST", CLIENT "/register",
         "{\"username\": \"a\", \"password\": \"correct horse\", \"auth\": {\"type\": \"m.login.dummy\"}}", 403,
         "M_FORBIDDEN"},
        {"GET", CLIENT "/register/available?username=a", NULL, 403, "M_FORBIDDEN"},
        {"GET", "/_matrix/client/v1/register/m.login.registration_token/validity?token=a", NULL, 403, "M_FORBIDDEN"},
        {"GET", "/_synapse/admin/v1/register", NULL, 404, "M_UNRECOGNIZED"},
        {"POST", "/_synapse/admin/v1/register", "{}", 404, "M_UNRECOGNIZED"},
        {"GET", "/_matrix/client/v1/auth_metadata", NULL, 404, "M_UNRECOGNIZED"},
    };
    EXCHANGE(REFUSED, NULL);
}

static void signing_in_needs_the_right_pair(void **state)
{
    static const struct exchange LOGINS[] = {
        {"GET", CLIENT "/login", NULL, 200, ""},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", " ANNA_LOGIN "}", 200, ""},
        {"POST", CLIENT "/login",
         "{\"type\": \"m.login.password\", \"user\": \"" ANNA "\", \"password\": \"correct horse\"}", 200, ""},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", \"user\": \"anna\", \"password\": \"wrong\"}", 403,
         "M_FORBIDDEN"},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", \"user\": \"nobody\", \"password\": \"wrong\"}",
         403, "M_FORBIDDEN"},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.application_service\"}", 401, "M_MISSING_TOKEN"},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", \"user\": \"anna\"}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", \"password\": \"x\"}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/login",
         "{\"type\": \"m.login.password\", \"identifier\": {\"type\": \"m.id.phone\"}, \"password\": \"x\"}", 403,
         "M_FORBIDDEN"},
        {"POST", CLIENT "/login", "{\"type\": 1}", 400, "M_BAD_JSON"},
        {"POST", CLIENT "/login", "{}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/login", "{\"type\": \"m.login.password\", \"user\": \"a\\u0000b\", \"password\": \"x\"}", 400,
         "M_BAD_JSON"},
        {"POST", CLIENT "/refresh", "{}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/refresh", "{\"refresh_token\": \"x\"}", 401, "M_UNKNOWN_TOKEN"},
        {"GET", CLIENT "/account/whoami", NULL, 401, "M_MISSING_TOKEN"},
        {"POST", CLIENT "/logout", NULL, 401, "M_MISSING_TOKEN"},
    };
    free(anna());
    EXCHANGE(LOGINS, NULL);
}

static void a_session_is_refreshed_and_ends(void **state)
{
    char *first = anna();
    expect("POST", CLIENT "/login", NULL, "{\"type\": \"m.login.password\", \"refresh_token\": true, " ANNA_LOGIN "}",
           200, "");
    char *access = said("access_token"), *refresh = said("refresh_token");
    assert_true(json_get_int(t.reply, "expires_in_ms", 0) > 0);
    char *body = filled("{\"refresh_token\": \"%s\"}", refresh);
    expect("POST", CLIENT "/refresh", NULL, body, 200, "");
    char *newer = said("access_token");
    assert_non_null(json_get_string(t.reply, "refresh_token"));
    expect("GET", CLIENT "/account/whoami", newer, NULL, 200, "");
    expect("POST", CLIENT "/refresh", NULL, body, 401, "M_UNKNOWN_TOKEN");
    expect("POST", CLIENT "/logout", newer, NULL, 200, "");
    expect("GET", CLIENT "/account/whoami", newer, NULL, 401, "M_UNKNOWN_TOKEN");
    assert_false(json_get_bool(t.reply, "soft_logout", false));
    expect("GET", CLIENT "/account/whoami", access, NULL, 401, "M_UNKNOWN_TOKEN");
    expect("GET", CLIENT "/account/whoami", first, NULL, 200, "");
    assert_string_equal(json_get_string(t.reply, "user_id"), ANNA);
    expect("POST", CLIENT "/logout/all", first, NULL, 200, "");
    expect("GET", CLIENT "/account/whoami", first, NULL, 401, "M_UNKNOWN_TOKEN");
    free(first);
    free(access);
    free(refresh);
    free(body);
    free(newer);
}

static void devices_are_listed_renamed_and_deleted_with_the_password(void **state)
{
    static const struct exchange NAMES[] = {
        {"GET", CLIENT "/devices/TWO", NULL, 200, ""},
        {"GET", CLIENT "/devices/NONE", NULL, 404, "M_NOT_FOUND"},
        {"PUT", CLIENT "/devices/TWO", "{\"display_name\": \"Laptop\"}", 200, ""},
        {"PUT", CLIENT "/devices/TWO", "{}", 200, ""},
        {"PUT", CLIENT "/devices/TWO", "{\"display_name\": 1}", 400, "M_BAD_JSON"},
        {"PUT", CLIENT "/devices/NONE", "{\"display_name\": \"Laptop\"}", 404, "M_NOT_FOUND"},
        {"PUT", CLIENT "/devices/NONE", "{}", 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/devices", NULL, 200, ""},
    };
    char *one = anna();
    expect("POST", CLIENT "/login", NULL, "{\"type\": \"m.login.password\", \"device_id\": \"TWO\", " ANNA_LOGIN "}",
           200, "");
    char *two = said("access_token");
    EXCHANGE(NAMES, one);
    json_t *second = json_array_get(json_object_get(t.reply, "devices"), 1);
    assert_string_equal(json_get_string(second, "display_name"), "Laptop");
    assert_string_equal(json_get_string(second, "last_seen_ip"), "127.0.0.1");
    expect("DELETE", CLIENT "/devices/TWO", one, NULL, 401, "");
    confirm("DELETE", CLIENT "/devices/TWO", one, "wrong", 401, "M_FORBIDDEN");
    expect("GET", CLIENT "/account/whoami", two, NULL, 200, "");
    expect("DELETE", CLIENT "/devices/TWO", one, NULL, 401, "");
    confirm("DELETE", CLIENT "/devices/TWO", one, "correct horse", 200, "");
    expect("GET", CLIENT "/account/whoami", two, NULL, 401, "M_UNKNOWN_TOKEN");
    expect("DELETE", CLIENT "/devices/TWO", one, NULL, 401, "");
    confirm("DELETE", CLIENT "/devices/TWO", one, "correct horse", 200, ""); /* it was gone before */
    free(one);
    free(two);
}

static void several_devices_go_at_once(void **state)
{
    char *one = anna();
    expect("POST", CLIENT "/login", NULL, "{\"type\": \"m.login.password\", \"device_id\": \"TWO\", " ANNA_LOGIN "}",
           200, "");
    expect("POST", CLIENT "/delete_devices", one, "{\"devices\": [\"TWO\", \"NONE\"]}", 401, "");
    confirm("POST", CLIENT "/delete_devices", one, "correct horse", 200, "");
    expect("GET", CLIENT "/devices", one, NULL, 200, "");
    assert_int_equal(json_array_size(json_object_get(t.reply, "devices")), 1);
    expect("POST", CLIENT "/delete_devices", one, "{}", 401, "");
    confirm("POST", CLIENT "/delete_devices", one, "correct horse", 400, "M_MISSING_PARAM");
    expect("POST", CLIENT "/delete_devices", one, "{\"devices\": [1]}", 401, "");
    confirm("POST", CLIENT "/delete_devices", one, "correct horse", 400, "M_BAD_JSON");
    free(one);
}

static void a_changed_password_is_the_one_that_counts(void **state)
{
    char *one = anna();
    expect("POST", CLIENT "/login", NULL, "{\"type\": \"m.login.password\", " ANNA_LOGIN "}", 200, "");
    char *other = said("access_token");
    expect("POST", CLIENT "/account/password", one, "{\"new_password\": \"short\"}", 400, "M_WEAK_PASSWORD");
    expect("POST", CLIENT "/account/password", one, "{\"new_password\": \"battery staple\"}", 401, "");
    confirm("POST", CLIENT "/account/password", one, "correct horse", 200, "");
    expect("GET", CLIENT "/account/whoami", one, NULL, 200, "");
    expect("GET", CLIENT "/account/whoami", other, NULL, 401, "M_UNKNOWN_TOKEN");
    expect("POST", CLIENT "/login", NULL, "{\"type\": \"m.login.password\", " ANNA_LOGIN "}", 403, "M_FORBIDDEN");
    expect("POST", CLIENT "/account/deactivate", one, "{}", 401, "");
    confirm("POST", CLIENT "/account/deactivate", one, "battery staple", 200, "");
    assert_string_equal(json_get_string(t.reply, "id_server_unbind_result"), "success");
    expect("GET", CLIENT "/account/whoami", one, NULL, 401, "M_UNKNOWN_TOKEN");
    expect("GET", CLIENT "/profile/" ANNA, NULL, NULL, 404, "M_NOT_FOUND");
    free(one);
    free(other);
}

static void profiles_are_written_by_their_owner(void **state)
{
    static const struct exchange WRITES[] = {
        {"GET", CLIENT "/profile/" ANNA, NULL, 200, ""},
        {"GET", CLIENT "/profile/" ANNA "/displayname", NULL, 404, "M_NOT_FOUND"},
        {"PUT", CLIENT "/profile/" ANNA "/displayname", "{\"displayname\": \"Anna\"}", 200, ""},
        {"PUT", CLIENT "/profile/" ANNA "/displayname", "{\"displayname\": 1}", 400, "M_BAD_JSON"},
        {"PUT", CLIENT "/profile/" ANNA "/displayname", "{\"name\": \"Anna\"}", 400, "M_MISSING_PARAM"},
        {"PUT", CLIENT "/profile/" ANNA "/avatar_url", "{\"avatar_url\": \"http://a/b\"}", 400, "M_INVALID_PARAM"},
        {"PUT", CLIENT "/profile/" ANNA "/org.example.x", "{\"org.example.x\": [1, null]}", 200, ""},
        {"PUT", CLIENT "/profile/" ANNA "/plain", "{\"plain\": 1}", 400, "M_INVALID_PARAM"},
        {"PUT", CLIENT "/profile/@boris:school.example/displayname", "{\"displayname\": \"B\"}", 403, "M_FORBIDDEN"},
        {"DELETE", CLIENT "/profile/@boris:school.example/displayname", NULL, 403, "M_FORBIDDEN"},
        {"PUT", CLIENT "/profile/" ANNA "/m.tz", "{\"m.tz\": \"Europe/Moscow\"}", 200, ""},
        {"DELETE", CLIENT "/profile/" ANNA "/m.tz", NULL, 200, ""},
        {"DELETE", CLIENT "/profile/" ANNA "/m.tz", NULL, 200, ""},
        {"GET", CLIENT "/profile/" ANNA "/m.tz", NULL, 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/profile/nobody", NULL, 400, "M_INVALID_PARAM"},
        {"GET", CLIENT "/profile/@nobody:school.example", NULL, 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/profile/@anna:other.example", NULL, 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/profile/" ANNA, NULL, 200, ""},
    };
    char *one = anna();
    EXCHANGE(WRITES, one);
    json_auto_t *wanted = json_pack("{s:s, s:[i, n]}", "displayname", "Anna", "org.example.x", 1);
    assert_true(json_equal(t.reply, wanted));
    free(one);
}

static void a_new_name_shows_in_every_joined_room(void **state)
{
    static const struct statement TEXTS[] = {"SELECT e.content FROM room_state s JOIN events e ON e.pos = s.pos"
                                             " WHERE s.type = 'm.room.member' AND s.state_key = $1"};
    static const struct statements MEMBER = {"member", TEXTS, 1};
    struct error e;
    char *one = anna();
    room_no room = fixture_room(&t.f, users_no(t.f.db, "anna"), "12", PRESET_PRIVATE_CHAT, &e);
    assert_true(room != 0);
    expect("PUT", CLIENT "/profile/" ANNA "/displayname", one, "{\"displayname\": \"Anna\"}", 200, "");
    struct stmt *q = db_query(t.f.db, &MEMBER, 0, "t", ANNA);
    assert_true(stmt_next(q));
    assert_non_null(strstr(col_text(q, 0), "\"displayname\":\"Anna\""));
    stmt_end(q);
    free(one);
}

static void account_data_is_for_its_owner(void **state)
{
    static const struct exchange WRITES[] = {
        {"GET", CLIENT "/user/" ANNA "/account_data/m.direct", NULL, 404, "M_NOT_FOUND"},
        {"PUT", CLIENT "/user/" ANNA "/account_data/m.direct", "{\"a\": 1.5}", 200, ""},
        {"PUT", CLIENT "/user/" ANNA "/account_data/m.direct", "[]", 400, "M_BAD_JSON"},
        {"PUT", CLIENT "/user/" ANNA "/account_data/m.push_rules", "{}", 405, "M_BAD_JSON"},
        {"PUT", CLIENT "/user/" ANNA "/account_data/m.fully_read", "{}", 405, "M_BAD_JSON"},
        {"PUT", CLIENT "/user/@boris:school.example/account_data/m.direct", "{}", 403, "M_FORBIDDEN"},
        {"GET", CLIENT "/user/@boris:school.example/account_data/m.direct", NULL, 403, "M_FORBIDDEN"},
        {"PUT", CLIENT "/user/" ANNA "/rooms/!none:school.example/account_data/m.x", "{}", 404, "M_NOT_FOUND"},
        {"PUT", CLIENT "/user/" ANNA "/rooms/none/account_data/m.x", "{}", 400, "M_INVALID_PARAM"},
        {"GET", CLIENT "/user/" ANNA "/rooms/none/tags", NULL, 400, "M_INVALID_PARAM"},
        {"GET", CLIENT "/user/" ANNA "/account_data/m.direct", NULL, 200, ""},
    };
    char *one = anna();
    EXCHANGE(WRITES, one);
    assert_true(json_real_value(json_object_get(t.reply, "a")) == 1.5);
    free(one);
}

static void what_the_server_offers_is_said(void **state)
{
    static const struct exchange GETS[] = {
        {"GET", CLIENT "/account/3pid", NULL, 200, ""},
        {"POST", CLIENT "/account/3pid/add", "{}", 403, "M_THREEPID_DENIED"},
        {"POST", CLIENT "/register/email/requestToken", "{}", 403, "M_THREEPID_DENIED"},
        {"GET", "/.well-known/matrix/client", NULL, 200, ""},
        {"GET", "/.well-known/matrix/support", NULL, 404, "M_NOT_FOUND"},
        {"GET", "/_matrix/client/versions", NULL, 200, ""},
        {"GET", CLIENT "/capabilities", NULL, 200, ""},
    };
    char *one = anna();
    EXCHANGE(GETS, one);
    json_t *versions = json_object_get(json_object_get(t.reply, "capabilities"), "m.room_versions");
    assert_string_equal(json_get_string(versions, "default"), "12");
    assert_int_equal(json_object_size(json_object_get(versions, "available")), 12);
    free(one);
}

static int start_school(void **state)
{
    start("policy: {mode: school}\nregistration: {mode: open, shared_secret: \"a shared secret of some length\"}\n"
          "support: {email: help@school.example, page: \"https://school.example/help\"}\n",
          NULL);
    return 0;
}

/* school.md A3, A6 */
static void in_a_school_who_is_not_confirmed_sees_nothing(void **state)
{
    expect("POST", CLIENT "/register", NULL,
           "{\"password\": \"correct horse\", \"auth\": {\"type\": \"m.login.dummy\"}}", 200, "");
    char *one = said("access_token"), *id = said("user_id");
    char *profile = filled(CLIENT "/profile/%s", id), *name = filled(CLIENT "/profile/%s/displayname", id);
    const struct exchange PENDING[] = {
        {"GET", CLIENT "/account/whoami", NULL, 200, ""},
        {"GET", profile, NULL, 403, "M_FORBIDDEN"},
        {"GET", CLIENT "/devices", NULL, 403, "M_FORBIDDEN"},
        {"PUT", name, "{\"displayname\": \"A\"}", 403, "M_FORBIDDEN"},
        {"GET", "/.well-known/matrix/support", NULL, 200, ""},
        {"POST", CLIENT "/logout", NULL, 200, ""},
    };
    EXCHANGE(PENDING, one);
    expect("GET", profile, NULL, NULL, 403, "M_FORBIDDEN");
    expect("GET", CLIENT "/profile/@nobody:school.example", NULL, NULL, 403, "M_FORBIDDEN");
    free(one);
    free(id);
    free(profile);
    free(name);
}

/* A1, A5: a Matrix ID is drawn whatever somebody asks for, so that no name is taken, and none tells anything. */
static void in_a_school_nobody_chooses_an_id(void **state)
{
    char *first = NULL;
    for (int i = 0; i < 2; ++i) {
        expect("GET", CLIENT "/register/available?username=anna", NULL, NULL, 200, "");
        expect("POST", CLIENT "/register", NULL,
               "{\"username\": \"anna\", \"password\": \"correct horse\", \"auth\": {\"type\": \"m.login.dummy\"}}",
               200, "");
        char *id = said("user_id");
        assert_string_not_equal(id, ANNA);
        assert_true(first == NULL || strcmp(first, id) != 0);
        free(first);
        first = id;
    }
    free(first);
}

static void the_shared_secret_needs_a_nonce_and_the_right_digest(void **state)
{
    static const char *const PATH = "/_synapse/admin/v1/register";
    expect("GET", PATH, NULL, NULL, 200, "");
    char *nonce = said("nonce");
    char *body = filled("{\"nonce\": \"%s\", \"username\": \"anna\", \"password\": \"correct horse\","
                        " \"mac\": \"0000000000000000000000000000000000000000\"}",
                        nonce);
    expect("POST", PATH, NULL, body, 403, "M_FORBIDDEN");
    expect("POST", PATH, NULL, body, 400, "M_INVALID_PARAM"); /* the nonce is used up */
    expect("POST", PATH, NULL, "{}", 400, "M_MISSING_PARAM");
    assert_int_equal(users_no(t.f.db, "anna"), 0);
    free(nonce);
    free(body);
}

static int start_limited(void **state)
{
    static const struct limit LIMITS[RATE__COUNT] = {[RATE_ACCOUNT] = {.per_second = 0.001, .burst = 3}};
    start(OPEN, LIMITS);
    return 0;
}

static void guessing_a_password_is_limited(void **state)
{
    static const char *const WRONG = "{\"type\": \"m.login.password\", \"user\": \"anna\", \"password\": \"wrong\"}";
    char *one = anna();
    for (int i = 0; i < 3; ++i)
        expect("POST", CLIENT "/login", NULL, WRONG, 403, "M_FORBIDDEN");
    expect("POST", CLIENT "/login", NULL, WRONG, 429, "M_LIMIT_EXCEEDED");
    assert_true(json_get_int(t.reply, "retry_after_ms", 0) > 0);
    free(one);
}

static bool job_seen(struct tx *tx, void *ip, struct error *e)
{
    user_no user = users_no(tx->db, "anna");
    return devices_seen(tx, user, devices_no(tx->db, user, "ONE"), tx->now_ms, ip);
}

static void seen_at(const char *ip)
{
    struct error e;
    assert_true(writer_run(t.f.writer, job_seen, (void *)ip, &e));
}

/* H1: who guesses from elsewhere shuts nobody out who has signed in before, and a session that guesses no other. */
static void strangers_guesses_slow_strangers(void **state)
{
    static const char *const WRONG = "{\"type\": \"m.login.password\", \"user\": \"anna\", \"password\": \"wrong\"}";
    static const char *const RIGHT =
        "{\"type\": \"m.login.password\", \"user\": \"anna\", \"password\": \"correct horse\"}";
    char *one = anna();
    seen_at("192.0.2.1");
    for (int i = 0; i < 3; ++i)
        expect("POST", CLIENT "/login", NULL, WRONG, 403, "M_FORBIDDEN");
    expect("POST", CLIENT "/login", NULL, RIGHT, 429, "M_LIMIT_EXCEEDED"); /* somebody, or the person on a new phone */
    expect("POST", CLIENT "/account/deactivate", one, "{}", 401, "");
    confirm("POST", CLIENT "/account/deactivate", one, "wrong", 401, "M_FORBIDDEN");
    expect("POST", CLIENT "/account/deactivate", one, "{}", 401, "");
    confirm("POST", CLIENT "/account/deactivate", one, "wrong", 401, "M_FORBIDDEN");
    expect("POST", CLIENT "/account/deactivate", one, "{}", 401, "");
    confirm("POST", CLIENT "/account/deactivate", one, "wrong", 401, "M_FORBIDDEN");
    expect("POST", CLIENT "/account/deactivate", one, "{}", 401, "");
    confirm("POST", CLIENT "/account/deactivate", one, "correct horse", 429, "M_LIMIT_EXCEEDED");
    seen_at("127.0.0.1"); /* where they are at home */
    expect("POST", CLIENT "/login", NULL, RIGHT, 200, "");
    free(one);
}

#define TEST(name, begin) cmocka_unit_test_setup_teardown(name, begin, stop_any)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registration_takes_two_steps_or_one, start_open),
        TEST(registration_by_token_takes_two_steps_or_one, start_token),
        TEST(a_closed_server_refuses_registration_everywhere, start_closed),
        TEST(signing_in_needs_the_right_pair, start_open),
        TEST(a_session_is_refreshed_and_ends, start_open),
        TEST(devices_are_listed_renamed_and_deleted_with_the_password, start_open),
        TEST(several_devices_go_at_once, start_open),
        TEST(a_changed_password_is_the_one_that_counts, start_open),
        TEST(profiles_are_written_by_their_owner, start_open),
        TEST(a_new_name_shows_in_every_joined_room, start_open),
        TEST(account_data_is_for_its_owner, start_open),
        TEST(what_the_server_offers_is_said, start_open),
        TEST(in_a_school_who_is_not_confirmed_sees_nothing, start_school),
        TEST(in_a_school_nobody_chooses_an_id, start_school),
        TEST(the_shared_secret_needs_a_nonce_and_the_right_digest, start_school),
        TEST(guessing_a_password_is_limited, start_limited),
        TEST(strangers_guesses_slow_strangers, start_limited),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
