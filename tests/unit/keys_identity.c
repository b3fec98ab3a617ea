/* Cross-signing, key backups and dehydrated devices as clients speak of them: a real server on the loopback, real keys,
 * curl as the client. */
#include "tests/unit/keys_world.h"

#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/oauth.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/to_device.h"

/* --- Cross-signing --- */

struct three_keys {
    struct key master, self_signing, user_signing;
};

static json_t *identity_body(const struct device *d, const struct three_keys *i)
{
    return json_pack("{s:o, s:o, s:o}", "master_key", cross_signing_key(d, "master", &i->master, NULL),
                     "self_signing_key", cross_signing_key(d, "self_signing", &i->self_signing, &i->master),
                     "user_signing_key", cross_signing_key(d, "user_signing", &i->user_signing, &i->master));
}

static void identity_make(struct three_keys *i)
{
    key_make(&i->master);
    key_make(&i->self_signing);
    key_make(&i->user_signing);
}

static void put_identity(const struct device *d, struct three_keys *i)
{
    identity_make(i);
    expect_json("POST", CLIENT "/keys/device_signing/upload", d, identity_body(d, i), 200, "");
}

static void query(const struct device *by, const struct device *of)
{
    expect_json("POST", CLIENT "/keys/query", by, json_pack("{s:{s:[]}}", "device_keys", of->user_id), 200, "");
}

/* A member of the last /keys/query about this person. */
static json_t *queried(const char *member, const struct device *of)
{
    return json_object_get(json_object_get(t.reply, member), of->user_id);
}

static size_t signatures_by(const json_t *key, const char *user_id)
{
    return json_object_size(json_object_get(json_object_get(key, "signatures"), user_id));
}

/* With the password, in the session of the 401 just had. */
static void confirm_identity(const struct device *d, const struct three_keys *i)
{
    char *session = xstrdup(json_get_string(t.reply, "session"));
    json_t *body = identity_body(d, i);
    json_object_set_new(body, "auth",
                        json_pack("{s:s, s:s, s:{s:s, s:s}, s:s}", "type", "m.login.password", "session", session,
                                  "identifier", "type", "m.id.user", "user", d->user_id, "password", "correct horse"));
    expect_json("POST", CLIENT "/keys/device_signing/upload", d, body, 200, "");
    free(session);
}

static void the_first_identity_needs_no_password_another_does(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct three_keys first, second, partly;
    sync_now(&anna);
    put_identity(&anna, &first);
    assert_true(has_changed(sync_now(&anna), "changed", anna.user_id));
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna, identity_body(&anna, &first), 200, "");
    identity_make(&second);
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna, identity_body(&anna, &second), 401, "");
    query(&boris, &anna);
    assert_non_null(
        strstr(json_object_iter_key(json_object_iter(json_object_get(queried("master_keys", &anna), "keys"))),
               first.master.text));
    assert_null(queried("user_signing_keys", &anna)); /* its owner's alone */
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna, identity_body(&anna, &second), 401, "");
    confirm_identity(&anna, &second);
    query(&anna, &anna);
    assert_non_null(
        strstr(json_object_iter_key(json_object_iter(json_object_get(queried("master_keys", &anna), "keys"))),
               second.master.text));
    assert_non_null(queried("user_signing_keys", &anna));
    assert_int_equal(signatures_by(queried("self_signing_keys", &anna), anna.user_id), 1);
    partly = second; /* one key anew, by the master key that is there: that needs the password as well */
    key_make(&partly.user_signing);
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna,
                json_pack("{s:o}", "user_signing_key",
                          cross_signing_key(&anna, "user_signing", &partly.user_signing, &partly.master)),
                401, "");
    free(anna.token);
    free(boris.token);
}

/* The device's session is one by OAuth from now on. */
static void sign_in_by_oauth(struct device *d)
{
    char client_id[OAUTH_CLIENT_ID_CHARS + 1], code[TOKEN_CHARS + 1];
    struct oauth_client client;
    struct oauth_answer answer;
    struct error e = {0};
    json_t *metadata = json_pack("{s:s}", "client_uri", "https://app.example.com/");
    assert_true(oauth_client_register(t.server.accounts, metadata, client_id, &e));
    assert_true(oauth_client_find(t.f.db, client_id, &client));
    const struct oauth_allowed allowed = {login_user_of(t.server.accounts, t.f.db, d->user_id), client.no,    "x:/",
                                          "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",        d->device_id, "s"};
    assert_true(oauth_code_issue(t.server.accounts, &allowed, code, &e));
    const struct oauth_shown shown = {&client, code, "x:/", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", NULL};
    assert_true(oauth_code_redeem(t.server.accounts, &shown, &answer, &e));
    free(d->token);
    d->token = xstrdup(answer.tokens.access_token);
    oauth_answer_finish(&answer);
    oauth_client_finish(&client);
    json_decref(metadata);
}

static void approves(const struct device *d)
{
    unsigned char origin[TOKEN_HASH_BYTES];
    user_no user = login_user_of(t.server.accounts, t.f.db, d->user_id);
    login_origin_of(t.f.db, user, origin);
    approvals_give(t.server.accounts->approvals, user, origin, clock_mono_ms());
}

#define UPLOAD CLIENT "/keys/device_signing/upload"

/* "OAuth authentication": the password is no proof, an approval is, once; with the session alone or with no auth at
 * all, as matrix-rust-sdk asks. */
static void a_session_by_oauth_has_new_keys_approved_on_a_page(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct three_keys first, second;
    put_identity(&anna, &first);
    sign_in_by_oauth(&anna);
    identity_make(&second);
    approves(&boris); /* for himself */
    expect_json("POST", UPLOAD, &anna, identity_body(&anna, &second), 401, "");
    json_t *stage = json_array_get(json_object_get(json_array_get(json_object_get(t.reply, "flows"), 0), "stages"), 0);
    assert_string_equal(json_string_value(stage), "m.oauth");
    assert_string_equal(json_get_string(json_object_get(json_object_get(t.reply, "params"), "m.oauth"), "url"),
                        "https://school.example/parta/manage?action=org.matrix.cross_signing_reset");
    char *session = xstrdup(json_get_string(t.reply, "session"));
    json_t *named = json_pack("{s:{s:s, s:s}}", "auth", "type", "m.oauth", "session", session);
    expect_json("POST", UPLOAD, &anna, named, 401, "M_FORBIDDEN");
    expect_json("POST", UPLOAD, &anna, json_pack("{s:{s:s}}", "auth", "session", session), 401, "");
    approves(&anna);
    expect_json("POST", UPLOAD, &anna, json_pack("{s:{s:s}}", "auth", "session", session), 200, "");
    identity_make(&first);
    expect_json("POST", UPLOAD, &anna, identity_body(&anna, &first), 401, ""); /* once */
    approves(&anna);
    expect_json("POST", UPLOAD, &anna, identity_body(&anna, &first), 200, "");
    approves(&anna);
    expect_json("POST", CLIENT "/delete_devices", &anna, json_pack("{s:[s]}", "devices", "OTHER"), 404,
                "M_UNRECOGNIZED");
    expect_json("POST", CLIENT "/account/deactivate", &anna, json_object(), 404, "M_UNRECOGNIZED");
    expect_json("POST", CLIENT "/account/password", &anna, json_pack("{s:s}", "new_password", "another horse"), 404,
                "M_UNRECOGNIZED");
    free(session);
    free(anna.token);
    free(boris.token);
}

static void wrong_identities_are_refused(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct three_keys i, other;
    identity_make(&i);
    identity_make(&other);
    expect_json(
        "POST", CLIENT "/keys/device_signing/upload", &anna,
        json_pack("{s:o}", "self_signing_key", cross_signing_key(&anna, "self_signing", &i.self_signing, &i.master)),
        400, "M_MISSING_PARAM"); /* no master key */
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna,
                json_pack("{s:o, s:o}", "master_key", cross_signing_key(&anna, "master", &i.master, NULL),
                          "self_signing_key", cross_signing_key(&anna, "self_signing", &i.self_signing, &other.master)),
                400, "M_INVALID_SIGNATURE");
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna,
                json_pack("{s:o}", "master_key", cross_signing_key(&boris, "master", &i.master, NULL)), 400,
                "M_INVALID_PARAM"); /* somebody else's */
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna,
                json_pack("{s:o}", "master_key", cross_signing_key(&anna, "self_signing", &i.master, NULL)), 400,
                "M_INVALID_PARAM"); /* of another use */
    expect("POST", CLIENT "/keys/device_signing/upload", &anna, "{}", 400, "M_MISSING_PARAM");
    struct device named = sign_in("anna", i.master.text); /* a device called as a key will be */
    expect_json("POST", CLIENT "/keys/device_signing/upload", &anna,
                json_pack("{s:o}", "master_key", cross_signing_key(&anna, "master", &i.master, NULL)), 403,
                "M_FORBIDDEN");
    query(&anna, &anna);
    assert_null(queried("master_keys", &anna)); /* nothing of it was kept */
    put_identity(&anna, &other);
    expect_json("POST", CLIENT "/login", NULL, /* … and the other way */
                json_pack("{s:s, s:{s:s, s:s}, s:s, s:s}", "type", "m.login.password", "identifier", "type",
                          "m.id.user", "user", "anna", "password", "correct horse", "device_id", other.master.text),
                400, "M_INVALID_PARAM");
    free(named.token);
    free(anna.token);
    free(boris.token);
}

static const char *failure(const char *user_id, const char *key)
{
    const char *code = json_get_string(
        json_object_get(json_object_get(json_object_get(t.reply, "failures"), user_id), key), "errcode");
    return code != NULL ? code : "";
}

static void signatures_are_kept_when_good_and_seen_by_whom_they_are_for(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP"), vera = enroll("vera", "V");
    struct three_keys annas, boris_;
    upload_device(&anna);
    upload_device(&boris);
    put_identity(&anna, &annas);
    put_identity(&boris, &boris_);
    char *room = encrypted_room(&anna, &boris);
    sync_now(&boris);
    /* One's own device by one's self-signing key, and one's master key by the device. */
    json_t *phone = device_keys(&anna), *master = cross_signing_key(&anna, "master", &annas.master, NULL);
    sign(phone, anna.user_id, annas.self_signing.text, &annas.self_signing);
    sign(master, anna.user_id, "PHONE", &anna.ed25519);
    expect_json("POST", CLIENT "/keys/signatures/upload", &anna,
                json_pack("{s:{s:o, s:o}}", anna.user_id, "PHONE", phone, annas.master.text, master), 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "failures")), 0);
    assert_true(has_changed(sync_now(&boris), "changed", anna.user_id));
    query(&boris, &anna);
    assert_int_equal(signatures_by(json_object_get(queried("device_keys", &anna), "PHONE"), anna.user_id), 2);
    assert_int_equal(signatures_by(queried("master_keys", &anna), anna.user_id), 1);
    /* Another's master key by one's user-signing key: seen by the signer alone. */
    json_t *theirs = cross_signing_key(&boris, "master", &boris_.master, NULL);
    sign(theirs, anna.user_id, annas.user_signing.text, &annas.user_signing);
    expect_json("POST", CLIENT "/keys/signatures/upload", &anna,
                json_pack("{s:{s:o}}", boris.user_id, boris_.master.text, theirs), 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "failures")), 0);
    query(&anna, &boris);
    assert_int_equal(signatures_by(queried("master_keys", &boris), anna.user_id), 1);
    query(&boris, &boris);
    assert_int_equal(signatures_by(queried("master_keys", &boris), anna.user_id), 0);
    query(&vera, &boris);
    assert_int_equal(signatures_by(queried("master_keys", &boris), anna.user_id), 0);
    free(room);
    free(anna.token);
    free(boris.token);
    free(vera.token);
}

static void wrong_signatures_fail_one_by_one(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct three_keys annas, boris_;
    upload_device(&anna);
    upload_device(&boris);
    put_identity(&anna, &annas);
    put_identity(&boris, &boris_);
    json_t *by_other = device_keys(&anna), *changed = cross_signing_key(&anna, "master", &annas.master, NULL);
    sign(by_other, anna.user_id, boris_.self_signing.text, &boris_.self_signing);
    json_object_set_new(changed, "org.example.more", json_true());
    sign(changed, anna.user_id, "PHONE", &anna.ed25519);
    json_t *laptop = device_keys(&boris);
    sign(laptop, anna.user_id, annas.self_signing.text, &annas.self_signing);
    json_t *theirs = cross_signing_key(&boris, "master", &boris_.master, NULL);
    sign(theirs, anna.user_id, annas.user_signing.text, &annas.master); /* by the wrong key */
    expect_json("POST", CLIENT "/keys/signatures/upload", &anna,
                json_pack("{s:{s:o, s:o, s:{}}, s:{s:o, s:o}, s:{s:{}}}", anna.user_id, "PHONE", by_other,
                          annas.master.text, changed, "NOWHERE", boris.user_id, "LAPTOP", laptop, boris_.master.text,
                          theirs, "@nobody:school.example", "x"),
                200, "");
    assert_string_equal(failure(anna.user_id, "PHONE"), "M_INVALID_SIGNATURE");
    assert_string_equal(failure(anna.user_id, annas.master.text), "M_INVALID_PARAM");
    assert_string_equal(failure(anna.user_id, "NOWHERE"), "M_NOT_FOUND");
    assert_string_equal(failure(boris.user_id, "LAPTOP"), "M_NOT_FOUND"); /* others' devices nobody signs */
    assert_string_equal(failure(boris.user_id, boris_.master.text), "M_INVALID_SIGNATURE");
    assert_string_equal(failure("@nobody:school.example", "x"), "M_NOT_FOUND");
    query(&anna, &anna);
    assert_int_equal(signatures_by(json_object_get(queried("device_keys", &anna), "PHONE"), anna.user_id), 1);
    expect("POST", CLIENT "/keys/signatures/upload", &anna, "{\"@a:b.example\":1}", 400, "M_BAD_JSON");
    free(anna.token);
    free(boris.token);
}

/* --- Backups --- */

#define AUTH "{\"algorithm\":\"m.megolm_backup.v1.curve25519-aes-sha2\",\"auth_data\":{\"public_key\":\"%s\"}}"
#define SESSION(index, count, verified, word)                                                                          \
    "{\"first_message_index\":" #index ",\"forwarded_count\":" #count ",\"is_verified\":" #verified                    \
    ",\"session_data\":{\"ciphertext\":\"" word "\"}}"
#define ROOM "/room_keys/keys/!r:school.example"

static void new_backup(const struct device *d, const char *key, const char *version)
{
    char body[300];
    snprintf(body, sizeof body, AUTH, key);
    expect("POST", CLIENT "/room_keys/version", d, body, 200, "");
    assert_string_equal(json_get_string(t.reply, "version"), version);
}

static json_int_t count_now(void)
{
    return json_integer_value(json_object_get(t.reply, "count"));
}

static void a_backup_is_made_filled_and_read(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    expect("GET", CLIENT "/room_keys/version", &anna, NULL, 404, "M_NOT_FOUND");
    new_backup(&anna, "one", "1");
    expect("PUT", CLIENT ROOM "/s1?version=1", &anna, SESSION(5, 1, false, "first"), 200, "");
    assert_int_equal(count_now(), 1);
    char *etag = xstrdup(json_get_string(t.reply, "etag"));
    expect("PUT", CLIENT ROOM "?version=1", &anna,
           "{\"sessions\":{\"s1\":" SESSION(5, 1, false, "other") ",\"s2\":" SESSION(0, 0, true, "second") "}}", 200,
           "");
    assert_int_equal(count_now(), 2);
    assert_string_not_equal(json_get_string(t.reply, "etag"), etag);
    free(etag);
    expect("GET", CLIENT ROOM "/s1?version=1", &anna, NULL, 200, "");
    assert_string_equal(json_get_string(json_object_get(t.reply, "session_data"), "ciphertext"), "first");
    expect("PUT", CLIENT "/room_keys/keys?version=1", &anna,
           "{\"rooms\":{\"!q:school.example\":{\"sessions\":{\"s\":" SESSION(0, 0, false, "q") "}}}}", 200, "");
    expect("GET", CLIENT "/room_keys/keys?version=1", &anna, NULL, 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "rooms")), 2);
    assert_int_equal(json_object_size(json_object_get(
                         json_object_get(json_object_get(t.reply, "rooms"), "!r:school.example"), "sessions")),
                     2);
    expect("GET", CLIENT ROOM "?version=1", &anna, NULL, 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "sessions")), 2);
    expect("GET", CLIENT "/room_keys/version", &anna, NULL, 200, "");
    assert_int_equal(count_now(), 3);
    assert_string_equal(json_get_string(json_object_get(t.reply, "auth_data"), "public_key"), "one");
    expect("DELETE", CLIENT ROOM "/s1?version=1", &anna, NULL, 200, "");
    assert_int_equal(count_now(), 2);
    expect("GET", CLIENT ROOM "/s1?version=1", &anna, NULL, 404, "M_NOT_FOUND");
    expect("DELETE", CLIENT ROOM "?version=1", &anna, NULL, 200, "");
    assert_int_equal(count_now(), 1);
    expect("GET", CLIENT ROOM "?version=1", &anna, NULL, 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "sessions")), 0);
    expect("DELETE", CLIENT "/room_keys/keys?version=1", &anna, NULL, 200, "");
    assert_int_equal(count_now(), 0);
    expect("GET", CLIENT "/room_keys/keys?version=1", &anna, NULL, 200, "");
    assert_int_equal(json_object_size(json_object_get(t.reply, "rooms")), 0);
    expect("GET", CLIENT "/room_keys/version/1", &boris, NULL, 404, "M_NOT_FOUND"); /* each has their own */
    free(anna.token);
    free(boris.token);
}

/* The specification's rule, by pairs: which stays. */
static void of_two_sessions_the_better_stays(void **state)
{
    static const struct {
        const char *there, *comes;
        bool replaced;
    } CASES[] = {
        {SESSION(5, 5, false, "a"), SESSION(9, 9, true, "b"), true},
        {SESSION(5, 5, true, "a"), SESSION(0, 0, false, "b"), false},
        {SESSION(5, 5, false, "a"), SESSION(4, 9, false, "b"), true},
        {SESSION(5, 5, false, "a"), SESSION(6, 0, false, "b"), false},
        {SESSION(5, 5, true, "a"), SESSION(5, 4, true, "b"), true},
        {SESSION(5, 5, true, "a"), SESSION(5, 5, true, "b"), false},
        {SESSION(5, 5, true, "a"), SESSION(5, 6, true, "b"), false},
    };
    struct device anna = enroll("anna", "PHONE");
    new_backup(&anna, "one", "1");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        expect("DELETE", CLIENT "/room_keys/keys?version=1", &anna, NULL, 200, "");
        expect("PUT", CLIENT ROOM "/s?version=1", &anna, CASES[i].there, 200, "");
        char *etag = xstrdup(json_get_string(t.reply, "etag"));
        expect("PUT", CLIENT ROOM "/s?version=1", &anna, CASES[i].comes, 200, "");
        assert_int_equal(strcmp(json_get_string(t.reply, "etag"), etag) != 0, CASES[i].replaced);
        free(etag);
        expect("GET", CLIENT ROOM "/s?version=1", &anna, NULL, 200, "");
        assert_string_equal(json_get_string(json_object_get(t.reply, "session_data"), "ciphertext"),
                            CASES[i].replaced ? "b" : "a");
    }
    free(anna.token);
}

static void versions_follow_each_other(void **state)
{
    struct device anna = enroll("anna", "PHONE");
    char body[300];
    expect("PUT", CLIENT ROOM "/s?version=1", &anna, SESSION(0, 0, true, "a"), 404, "M_NOT_FOUND");
    new_backup(&anna, "one", "1");
    expect("PUT", CLIENT ROOM "/s?version=1", &anna, SESSION(0, 0, true, "a"), 200, "");
    new_backup(&anna, "two", "2");
    expect("PUT", CLIENT ROOM "/s?version=1", &anna, SESSION(0, 0, true, "a"), 403, "M_WRONG_ROOM_KEYS_VERSION");
    assert_string_equal(json_get_string(t.reply, "current_version"), "2");
    expect("GET", CLIENT ROOM "/s?version=1", &anna, NULL, 200, ""); /* an earlier one is read all the same */
    snprintf(body, sizeof body, AUTH, "changed");
    expect("PUT", CLIENT "/room_keys/version/2", &anna, body, 200, "");
    expect("GET", CLIENT "/room_keys/version/2", &anna, NULL, 200, "");
    assert_string_equal(json_get_string(json_object_get(t.reply, "auth_data"), "public_key"), "changed");
    expect("PUT", CLIENT "/room_keys/version/2", &anna, "{\"algorithm\":\"m.other\",\"auth_data\":{}}", 400,
           "M_INVALID_PARAM");
    expect("PUT", CLIENT "/room_keys/version/2", &anna,
           "{\"algorithm\":\"m.megolm_backup.v1.curve25519-aes-sha2\",\"auth_data\":{},\"version\":\"1\"}", 400,
           "M_INVALID_PARAM");
    expect("PUT", CLIENT "/room_keys/version/9", &anna, body, 404, "M_NOT_FOUND");
    expect("DELETE", CLIENT "/room_keys/version/2", &anna, NULL, 200, "");
    expect("DELETE", CLIENT "/room_keys/version/2", &anna, NULL, 200, ""); /* it was deleted */
    expect("DELETE", CLIENT "/room_keys/version/9", &anna, NULL, 404, "M_NOT_FOUND");
    expect("GET", CLIENT "/room_keys/version/2", &anna, NULL, 404, "M_NOT_FOUND");
    expect("GET", CLIENT "/room_keys/version", &anna, NULL, 200, "");
    assert_string_equal(json_get_string(t.reply, "version"), "1");
    new_backup(&anna, "three", "3"); /* no version comes twice */
    free(anna.token);
}

static void wrong_backups_are_refused(void **state)
{
    static const struct {
        const char *method, *path, *body;
        long status;
        const char *errcode;
    } CASES[] = {
        {"POST", CLIENT "/room_keys/version", "{}", 400, "M_MISSING_PARAM"},
        {"POST", CLIENT "/room_keys/version", "{\"algorithm\":1,\"auth_data\":{}}", 400, "M_BAD_JSON"},
        {"PUT", CLIENT ROOM "/s", SESSION(0, 0, true, "a"), 400, "M_MISSING_PARAM"},
        {"PUT", CLIENT ROOM "/s?version=1", "{\"first_message_index\":0}", 400, "M_BAD_JSON"},
        {"PUT", CLIENT ROOM "/s?version=1", SESSION(-1, 0, true, "a"), 400, "M_BAD_JSON"},
        {"PUT", CLIENT ROOM "?version=1", "{}", 400, "M_BAD_JSON"},
        {"PUT", CLIENT "/room_keys/keys?version=1", "{}", 400, "M_MISSING_PARAM"},
        {"PUT", CLIENT "/room_keys/keys?version=1", "{\"rooms\":{\"x\":{\"sessions\":{}}}}", 400, "M_INVALID_PARAM"},
        {"PUT", CLIENT ROOM "/s?version=x", SESSION(0, 0, true, "a"), 403, "M_WRONG_ROOM_KEYS_VERSION"},
        {"GET", CLIENT "/room_keys/version/1x", NULL, 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/room_keys/version/99999999999999999999", NULL, 404, "M_NOT_FOUND"},
        {"GET", CLIENT "/room_keys/keys?version=7", NULL, 404, "M_NOT_FOUND"},
    };
    struct device anna = enroll("anna", "PHONE");
    new_backup(&anna, "one", "1");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        expect(CASES[i].method, CASES[i].path, &anna, CASES[i].body, CASES[i].status, CASES[i].errcode);
    expect("GET", CLIENT "/room_keys/version", &anna, NULL, 200, "");
    assert_int_equal(count_now(), 0);
    free(anna.token);
}

/* --- Dehydrated devices --- */

#define DEHYDRATED "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"

/* One that is signed as it must be; d: it. */
static json_t *dehydrated(struct device *d, const struct three_keys *i)
{
    key_make(&d->ed25519);
    key_make(&d->curve25519);
    strcpy(d->device_id, d->curve25519.text);
    json_t *keys = device_keys(d);
    json_object_set_new(keys, "dehydrated", json_true());
    json_object_del(keys, "signatures");
    sign(keys, d->user_id, d->device_id, &d->ed25519);
    sign(keys, d->user_id, i->self_signing.text, &i->self_signing);
    return json_pack("{s:s, s:{s:s, s:s}, s:s, s:o, s:{s:o}, s:o}", "device_id", d->device_id, "device_data",
                     "algorithm", "org.matrix.msc3814.v2", "device_pickle", "x", "initial_device_display_name",
                     "dehydrated", "device_keys", keys, "fallback_keys", "signed_curve25519:F", signed_key(d, true),
                     "one_time_keys", one_time_keys(d, 0, 2));
}

static void a_dehydrated_device_takes_messages(void **state)
{
    enum { MANY = 150 };
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP"), dry = anna;
    struct three_keys i;
    char path[400], txn[16];
    upload_device(&anna);
    put_identity(&anna, &i);
    expect("GET", DEHYDRATED, &anna, NULL, 404, "M_NOT_FOUND");
    expect_json("PUT", DEHYDRATED, &anna, dehydrated(&dry, &i), 200, "");
    assert_string_equal(json_get_string(t.reply, "device_id"), dry.device_id);
    char first[64];
    strcpy(first, dry.device_id);
    expect_json("PUT", DEHYDRATED, &anna, dehydrated(&dry, &i), 200, ""); /* in place of the first */
    expect("GET", DEHYDRATED, &anna, NULL, 200, "");
    assert_string_equal(json_get_string(t.reply, "device_id"), dry.device_id);
    assert_string_equal(json_get_string(json_object_get(t.reply, "device_data"), "algorithm"), "org.matrix.msc3814.v2");
    query(&boris, &anna);
    assert_null(json_object_get(queried("device_keys", &anna), first));
    assert_true(
        json_is_true(json_object_get(json_object_get(queried("device_keys", &anna), dry.device_id), "dehydrated")));
    for (int k = 0; k < MANY; ++k) {
        snprintf(txn, sizeof txn, "t%d", k);
        snprintf(path, sizeof path, CLIENT "/sendToDevice/m.test/%s", txn);
        expect_json("PUT", path, &boris,
                    json_pack("{s:{s:{s:{s:i}}}}", "messages", anna.user_id, dry.device_id, "n", k), 200, "");
    }
    /* In the path a key's slashes and pluses are escaped. */
    char *escaped = curl_easy_escape(t.curl, dry.device_id, 0);
    snprintf(path, sizeof path, DEHYDRATED "/%s/events", escaped);
    for (int twice = 0; twice < 2; ++twice) { /* they stay until the device goes */
        expect("GET", path, &anna, NULL, 200, "");
        assert_int_equal(json_array_size(json_object_get(t.reply, "events")), 100);
        char next[700];
        snprintf(next, sizeof next, "%s?from=%s", path, json_get_string(t.reply, "next_batch"));
        expect("GET", next, &anna, NULL, 200, "");
        assert_int_equal(json_array_size(json_object_get(t.reply, "events")), MANY - 100);
        assert_null(json_object_get(t.reply, "next_batch"));
    }
    expect("POST", path, &anna, "{}", 200, "");
    size_t got = 0, n;
    for (int batch = 0; (n = json_array_size(json_object_get(t.reply, "events"))) != 0 && batch < 5; ++batch) {
        got += n;
        json_t *next = json_pack("{s:s}", "next_batch", json_get_string(t.reply, "next_batch"));
        expect_json("POST", path, &anna, next, 200, "");
    }
    assert_int_equal(got, MANY);
    expect("GET", DEHYDRATED "/OTHER/events", &anna, NULL, 403, "M_FORBIDDEN");
    expect("GET", path, &boris, NULL, 403, "M_FORBIDDEN");
    expect("DELETE", DEHYDRATED, &anna, NULL, 200, "");
    expect("DELETE", DEHYDRATED, &anna, NULL, 404, "M_NOT_FOUND");
    expect("GET", path, &anna, NULL, 403, "M_FORBIDDEN");
    curl_free(escaped);
    free(anna.token);
    free(boris.token);
}

static void wrong_dehydrated_devices_are_refused(void **state)
{
    struct device anna = enroll("anna", "PHONE"), dry = anna;
    struct three_keys i, other;
    upload_device(&anna);
    put_identity(&anna, &i);
    identity_make(&other);
    expect_json("PUT", DEHYDRATED, &anna, dehydrated(&dry, &other), 400, "M_INVALID_SIGNATURE");
    json_t *body = dehydrated(&dry, &i);
    json_object_del(body, "fallback_keys");
    expect_json("PUT", DEHYDRATED, &anna, body, 400, "M_MISSING_PARAM");
    body = dehydrated(&dry, &i);
    json_object_set_new(body, "device_id", json_string("PHONE"));
    expect_json("PUT", DEHYDRATED, &anna, body, 400, "M_INVALID_PARAM");
    expect("GET", CLIENT "/devices", &anna, NULL, 200, "");
    assert_int_equal(json_array_size(json_object_get(t.reply, "devices")), 1); /* nothing was kept */
    free(anna.token);
}

#define STORY(fn) cmocka_unit_test_setup_teardown(fn, keys_start, keys_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(the_first_identity_needs_no_password_another_does),
        STORY(a_session_by_oauth_has_new_keys_approved_on_a_page),
        STORY(wrong_identities_are_refused),
        STORY(signatures_are_kept_when_good_and_seen_by_whom_they_are_for),
        STORY(wrong_signatures_fail_one_by_one),
        STORY(a_backup_is_made_filled_and_read),
        STORY(of_two_sessions_the_better_stays),
        STORY(versions_follow_each_other),
        STORY(wrong_backups_are_refused),
        STORY(a_dehydrated_device_takes_messages),
        STORY(wrong_dehydrated_devices_are_refused),
    };
    if (!crypto_start())
        return 1;
    return cmocka_run_group_tests_name("keys_identity", tests, NULL, NULL);
}
