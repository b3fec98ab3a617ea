/* End-to-end encryption as clients speak of it: a real server on the loopback, real keys, curl as the client. */
#include <pthread.h>

#include "tests/unit/keys_world.h"

#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/acts/leave_all.h"
#include "homeserver/rooms/pdu/version.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/to_device.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/roster_rooms.h"

/* --- Device keys --- */

static void keys_are_published_and_asked_for(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    upload_device(&anna);
    expect_json("POST", CLIENT "/keys/query", &boris,
                json_pack("{s:{s:[], s:[], s:[]}}", "device_keys", anna.user_id, "@nobody:school.example",
                          "@anna:elsewhere.example"),
                200, "");
    json_t *people = json_object_get(t.reply, "device_keys");
    assert_int_equal(json_object_size(people), 1);
    json_t *phone = json_object_get(json_object_get(people, anna.user_id), "PHONE"), *want = device_keys(&anna);
    assert_true(json_equal(phone, want)); /* as it was uploaded; what a device is called others are not told */
    json_decref(want);
    assert_int_equal(json_object_size(json_object_get(t.reply, "failures")), 0);
    expect_json("POST", CLIENT "/keys/query", &boris, json_pack("{s:{s:[s]}}", "device_keys", anna.user_id, "OTHER"),
                200, "");
    assert_int_equal(json_object_size(json_object_get(json_object_get(t.reply, "device_keys"), anna.user_id)), 0);
    free(anna.token);
    free(boris.token);
}

/* What is wrong about an upload, done to a good one. */
static void of_another_user(json_t *keys, struct device *d)
{
    json_object_set_new(keys, "user_id", json_string("@boris:school.example"));
    sign(keys, d->user_id, d->device_id, &d->ed25519);
}

static void of_another_device(json_t *keys, struct device *d)
{
    json_object_set_new(keys, "device_id", json_string("OTHER"));
    sign(keys, d->user_id, d->device_id, &d->ed25519);
}

static void changed_after_signing(json_t *keys, struct device *d)
{
    json_object_set_new(keys, "algorithms", json_pack("[s]", "m.other"));
}

static void not_signed(json_t *keys, struct device *d)
{
    json_object_del(keys, "signatures");
}

static void signed_by_another(json_t *keys, struct device *d)
{
    struct key key;
    key_make(&key);
    sign(keys, d->user_id, d->device_id, &key);
}

static void with_a_short_key(json_t *keys, struct device *d)
{
    json_object_set_new(json_object_get(keys, "keys"), "curve25519:PHONE", json_string("c2hvcnQ"));
    sign(keys, d->user_id, d->device_id, &d->ed25519);
}

static void without_algorithms(json_t *keys, struct device *d)
{
    json_object_del(keys, "algorithms");
    sign(keys, d->user_id, d->device_id, &d->ed25519);
}

static void with_a_real(json_t *keys, struct device *d)
{
    json_object_set_new(keys, "org.example.weight", json_real(1.5));
    sign(keys, d->user_id, d->device_id, &d->ed25519);
}

static void that_is_too_large(json_t *keys, struct device *d)
{
    char *long_text = xcalloc(1, 9001);
    memset(long_text, 'x', 9000);
    json_object_set_new(keys, "org.example.long", json_string(long_text));
    sign(keys, d->user_id, d->device_id, &d->ed25519);
    free(long_text);
}

static void wrong_keys_are_refused_and_not_kept(void **state)
{
    static const struct {
        void (*spoil)(json_t *keys, struct device *d);
        long status;
        const char *errcode;
    } CASES[] = {
        {of_another_user, 400, "M_INVALID_PARAM"},
        {of_another_device, 400, "M_INVALID_PARAM"},
        {changed_after_signing, 400, "M_INVALID_SIGNATURE"},
        {not_signed, 400, "M_INVALID_SIGNATURE"},
        {signed_by_another, 400, "M_INVALID_SIGNATURE"},
        {with_a_short_key, 400, "M_INVALID_PARAM"},
        {without_algorithms, 400, "M_BAD_JSON"},
        {with_a_real, 400, "M_BAD_JSON"},
        {that_is_too_large, 413, "M_TOO_LARGE"},
    };
    struct device anna = enroll("anna", "PHONE");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        json_t *keys = device_keys(&anna);
        CASES[i].spoil(keys, &anna);
        expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:o}", "device_keys", keys), CASES[i].status,
                    CASES[i].errcode);
    }
    expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:o}", "one_time_keys", one_time_keys(&anna, 0, 1)),
                400, "M_INVALID_PARAM"); /* before the device's own */
    expect_json("POST", CLIENT "/keys/query", &anna, json_pack("{s:{s:[]}}", "device_keys", anna.user_id), 200, "");
    assert_int_equal(json_object_size(json_object_get(json_object_get(t.reply, "device_keys"), anna.user_id)), 0);
    free(anna.token);
}

static void a_request_is_bounded(void **state)
{
    struct device anna = enroll("anna", "PHONE");
    json_t *many = json_object(), *devices = json_object();
    char name[64];
    for (int i = 0; i < 1001; ++i) {
        snprintf(name, sizeof name, "@a%d:school.example", i);
        json_object_set_new(many, name, json_array());
    }
    expect_json("POST", CLIENT "/keys/query", &anna, json_pack("{s:o}", "device_keys", many), 400, "M_INVALID_PARAM");
    for (int i = 0; i < 10000; ++i) {
        snprintf(name, sizeof name, "D%d", i);
        json_object_set_new(devices, name, json_string("signed_curve25519"));
    }
    expect_json("POST", CLIENT "/keys/claim", &anna, json_pack("{s:{s:o}}", "one_time_keys", anna.user_id, devices),
                400, "M_INVALID_PARAM");
    expect("POST", CLIENT "/keys/query", &anna, "{}", 400, "M_MISSING_PARAM");
    expect("POST", CLIENT "/keys/claim", &anna, "{\"one_time_keys\":{\"@a:b.example\":[]}}", 400, "M_BAD_JSON");
    expect("POST", CLIENT "/keys/upload", &anna, "{\"device_keys\":[]}", 400, "M_BAD_JSON");
    free(anna.token);
}

/* --- One-time keys --- */

static const char *claim(const struct device *by, const struct device *of)
{
    expect_json("POST", CLIENT "/keys/claim", by,
                json_pack("{s:{s:{s:s}}}", "one_time_keys", of->user_id, of->device_id, "signed_curve25519"), 200, "");
    json_t *keys =
        json_object_get(json_object_get(json_object_get(t.reply, "one_time_keys"), of->user_id), of->device_id);
    void *only = json_object_iter(keys);
    return only != NULL ? json_object_iter_key(only) : NULL;
}

static void a_key_is_given_once_and_then_the_fallback(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    json_t *keys = one_time_keys(&anna, 0, 3);
    expect_json("POST", CLIENT "/keys/upload", &anna,
                json_pack("{s:o, s:O, s:{s:o}}", "device_keys", device_keys(&anna), "one_time_keys", keys,
                          "fallback_keys", "signed_curve25519:F", signed_key(&anna, true)),
                200, "");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(t.reply, "one_time_key_counts"), "signed_curve25519")), 3);
    sync_now(&anna);
    assert_int_equal(keys_left(t.reply), 3);
    assert_true(list_has(json_object_get(t.reply, "device_unused_fallback_key_types"), "signed_curve25519"));
    const char *first = claim(&boris, &anna);
    assert_string_equal(first, "signed_curve25519:A000"); /* in the order of upload */
    json_t *given = json_object_get(
        json_object_get(json_object_get(json_object_get(t.reply, "one_time_keys"), anna.user_id), "PHONE"), first);
    assert_true(json_equal(given, json_object_get(keys, first)));
    sync_now(&anna);
    assert_int_equal(keys_left(t.reply), 2);
    /* The same upload again, by a client that heard no answer: nothing comes back to life. */
    expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:O}", "one_time_keys", keys), 200, "");
    assert_string_equal(claim(&boris, &anna), "signed_curve25519:A001");
    assert_string_equal(claim(&boris, &anna), "signed_curve25519:A002");
    assert_string_equal(claim(&boris, &anna), "signed_curve25519:F");
    assert_string_equal(claim(&boris, &anna), "signed_curve25519:F");
    sync_now(&anna);
    assert_int_equal(keys_left(t.reply), 0);
    assert_int_equal(json_array_size(json_object_get(t.reply, "device_unused_fallback_key_types")), 0);
    expect_json("POST", CLIENT "/keys/upload", &anna,
                json_pack("{s:{s:o}}", "fallback_keys", "signed_curve25519:G", signed_key(&anna, true)), 200, "");
    sync_now(&anna);
    assert_int_equal(json_array_size(json_object_get(t.reply, "device_unused_fallback_key_types")), 1);
    json_decref(keys);
    free(anna.token);
    free(boris.token);
}

static void wrong_one_time_keys_are_refused_whole(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    upload_device(&anna);
    json_t *keys = one_time_keys(&anna, 0, 2);
    json_object_set_new(keys, "signed_curve25519:BAD", signed_key(&boris, false));
    expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:o}", "one_time_keys", keys), 400,
                "M_INVALID_SIGNATURE");
    expect("POST", CLIENT "/keys/upload", &anna,
           "{\"one_time_keys\":{\"curve25519:A\":\"JGLn/yafz74HB2AbPLYJWIVGnKAtqECOBf11yyXac2Y\"}}", 400,
           "M_INVALID_PARAM");
    expect_json("POST", CLIENT "/keys/upload", &anna,
                json_pack("{s:o}", "one_time_keys", one_time_keys(&anna, 0, ONE_TIME_KEYS_MAX + 1)), 403,
                "M_RESOURCE_LIMIT_EXCEEDED");
    expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:o}", "one_time_keys", one_time_keys(&anna, 0, 1)),
                200, "");
    expect_json("POST", CLIENT "/keys/upload", &anna, json_pack("{s:o}", "one_time_keys", one_time_keys(&anna, 0, 1)),
                400, "M_INVALID_PARAM"); /* another key of the same id */
    expect_json("POST", CLIENT "/keys/upload", &anna,
                json_pack("{s:{s:o, s:o}}", "fallback_keys", "signed_curve25519:F", signed_key(&anna, true),
                          "signed_curve25519:G", signed_key(&anna, true)),
                400, "M_INVALID_PARAM");
    expect("POST", CLIENT "/keys/upload", &anna, "{}", 200, "");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(t.reply, "one_time_key_counts"), "signed_curve25519")), 1);
    /* A device with another identity has none of the keys of the one before. */
    key_make(&anna.ed25519);
    upload_device(&anna);
    assert_null(claim(&boris, &anna));
    free(anna.token);
    free(boris.token);
}

struct claimant {
    struct device by;
    const struct device *of;
    int had[64], n;
};

static void *claim_many(void *arg)
{
    struct claimant *c = arg;
    CURL *curl = curl_easy_init();
    char body[300];
    snprintf(body, sizeof body, "{\"one_time_keys\":{\"%s\":{\"%s\":\"signed_curve25519\"}}}", c->of->user_id,
             c->of->device_id);
    for (int i = 0; i < 25; ++i) {
        json_t *reply;
        long status =
            client_ask_by(&t, curl,
                          &(struct client_request){
                              .method = "POST", .path = CLIENT "/keys/claim", .token = c->by.token, .body = body},
                          &reply, NULL);
        json_t *keys =
            json_object_get(json_object_get(json_object_get(reply, "one_time_keys"), c->of->user_id), c->of->device_id);
        void *only = json_object_iter(keys);
        if (status == 200 && only != NULL)
            c->had[c->n++] = atoi(json_object_iter_key(only) + strlen("signed_curve25519:A"));
        json_decref(reply);
    }
    curl_easy_cleanup(curl);
    return NULL;
}

/* Four people claim at once, more than there are: each key goes to one of them. */
static void two_who_claim_at_once_get_two_keys(void **state)
{
    enum { THEY = 4, KEYS = 60 };
    struct device anna = enroll("anna", "PHONE");
    struct claimant them[THEY] = {0};
    pthread_t threads[THEY];
    int times[KEYS] = {0}, all = 0;
    expect_json(
        "POST", CLIENT "/keys/upload", &anna,
        json_pack("{s:o, s:o}", "device_keys", device_keys(&anna), "one_time_keys", one_time_keys(&anna, 0, KEYS)), 200,
        "");
    for (int i = 0; i < THEY; ++i) {
        char name[16];
        snprintf(name, sizeof name, "b%d", i);
        them[i].by = enroll(name, "D");
        them[i].of = &anna;
    }
    for (int i = 0; i < THEY; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, claim_many, &them[i]), 0);
    for (int i = 0; i < THEY; ++i)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THEY; ++i) {
        for (int k = 0; k < them[i].n; ++k)
            ++times[them[i].had[k]];
        all += them[i].n;
        free(them[i].by.token);
    }
    assert_int_equal(all, KEYS);
    for (int i = 0; i < KEYS; ++i)
        assert_int_equal(times[i], 1);
    free(anna.token);
}

/* --- Device lists --- */

static void who_shares_an_encrypted_room_hears_of_new_keys(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP"), vera = enroll("vera", "V");
    upload_device(&anna);
    char path[600], before[200];
    sync_now(&boris);
    sync_now(&vera);
    char *room = encrypted_room(&anna, &boris);
    json_t *answer = sync_now(&boris);
    assert_true(has_changed(answer, "changed", anna.user_id)); /* they share one now */
    sync_now(&anna);
    assert_null(json_object_get(sync_now(&boris), "device_lists"));
    strcpy(before, boris.since);
    struct device tablet = sign_in("anna", "TABLET");
    assert_null(json_object_get(sync_now(&boris), "device_lists")); /* it has no keys yet */
    upload_device(&tablet);
    assert_true(has_changed(sync_now(&boris), "changed", anna.user_id));
    assert_true(has_changed(sync_now(&anna), "changed", anna.user_id)); /* one's own as well */
    assert_null(json_object_get(sync_now(&vera), "device_lists"));
    upload_device(&tablet); /* the same again is no news */
    assert_null(json_object_get(sync_now(&boris), "device_lists"));
    expect("POST", CLIENT "/logout", &tablet, "{}", 200, "");
    assert_true(has_changed(sync_now(&boris), "changed", anna.user_id));
    snprintf(path, sizeof path, CLIENT "/keys/changes?from=%s&to=%s", before, boris.since);
    expect("GET", path, &boris, NULL, 200, "");
    assert_true(list_has(json_object_get(t.reply, "changed"), anna.user_id));
    expect("GET", path, &vera, NULL, 400, "M_INVALID_PARAM"); /* somebody else's tokens */
    snprintf(path, sizeof path, CLIENT "/rooms/%s/leave", room);
    expect("POST", path, &anna, "{}", 200, "");
    assert_true(has_changed(sync_now(&boris), "left", anna.user_id));
    assert_false(has_changed(t.reply, "changed", anna.user_id));
    upload_device(&anna);
    key_make(&anna.curve25519);
    upload_device(&anna);
    assert_null(json_object_get(sync_now(&boris), "device_lists"));
    free(room);
    free(anna.token);
    free(tablet.token);
    free(boris.token);
    free(vera.token);
}

static void a_room_that_turns_encrypted_is_news_to_all_in_it(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    char path[300];
    upload_device(&anna);
    expect_json("POST", CLIENT "/createRoom", &anna, json_pack("{s:s}", "preset", "public_chat"), 200, "");
    char *room = xstrdup(json_get_string(t.reply, "room_id"));
    snprintf(path, sizeof path, CLIENT "/rooms/%s/join", room);
    expect("POST", path, &boris, "{}", 200, "");
    sync_now(&anna);
    sync_now(&boris);
    snprintf(path, sizeof path, CLIENT "/rooms/%s/state/m.room.encryption/", room);
    expect("PUT", path, &anna, "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}", 200, "");
    assert_true(has_changed(sync_now(&boris), "changed", anna.user_id));
    assert_true(has_changed(sync_now(&anna), "changed", boris.user_id));
    free(room);
    free(anna.token);
    free(boris.token);
}

/* Whom the roster brings in, all at once, and whom a school loses, in whose name nobody acts. */
struct roster_act {
    user_no service, people[2];
    room_no room;
};

static bool job_bring_in(struct tx *tx, void *arg, struct error *e)
{
    struct roster_act *act = arg;
    struct bulk_join *joins = bulk_join_begin(t.f.rooms, tx, act->service);
    bool good = true;
    for (size_t i = 0; good && i < 2; ++i)
        good = bulk_join_add(joins, act->room, act->people[i], e);
    return bulk_join_finish(joins, good, e) && good;
}

static bool job_take_out(struct tx *tx, void *arg, struct error *e)
{
    return leave_all(t.f.rooms, tx, ((struct roster_act *)arg)->people[1], e);
}

static void the_rosters_joins_and_leaves_are_news(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    json_t *encryption = json_pack("[{s:s, s:s, s:{s:s}}]", "type", "m.room.encryption", "state_key", "", "content",
                                   "algorithm", "m.megolm.v1.aes-sha2");
    struct roster_act act = {.service = fixture_user(&t.f, SERVICE_LOCALPART),
                             .people = {users_by_id(t.f.db, "school.example", anna.user_id),
                                        users_by_id(t.f.db, "school.example", boris.user_id)}};
    struct room_plan plan = {.creator = act.service,
                             .version = room_version_get("12"),
                             .preset = PRESET_PUBLIC_CHAT,
                             .initial_state = encryption};
    struct error e = {0};
    act.room = fixture_create(&t.f, &plan, &e);
    assert_int_not_equal(act.room, 0);
    sync_now(&anna);
    sync_now(&boris);
    assert_true(writer_run(t.f.writer, job_bring_in, &act, &e));
    assert_true(has_changed(sync_now(&anna), "changed", boris.user_id));
    assert_true(has_changed(sync_now(&boris), "changed", anna.user_id));
    upload_device(&boris);
    assert_true(has_changed(sync_now(&anna), "changed", boris.user_id));
    assert_true(writer_run(t.f.writer, job_take_out, &act, &e));
    assert_true(has_changed(sync_now(&anna), "left", boris.user_id));
    json_decref(encryption);
    free(anna.token);
    free(boris.token);
}

/* --- Messages from device to device --- */

static void send_to(const struct device *by, const char *txn, const char *user_id, const char *device_id,
                    const char *word)
{
    char path[200];
    snprintf(path, sizeof path, CLIENT "/sendToDevice/m.test/%s", txn);
    expect_json("PUT", path, by, json_pack("{s:{s:{s:{s:s}}}}", "messages", user_id, device_id, "word", word), 200, "");
}

static const char *word_of(const json_t *answer, size_t i)
{
    const json_t *events = json_object_get(json_object_get(answer, "to_device"), "events");
    const char *word = json_get_string(json_object_get(json_array_get(events, i), "content"), "word");
    return word != NULL ? word : "";
}

static size_t messages_in(const json_t *answer)
{
    return json_array_size(json_object_get(json_object_get(answer, "to_device"), "events"));
}

/* By and by: a client that came with the token has them, and they are deleted. */
static void wait_until_delivered(const struct device *d)
{
    int64_t waits = 1;
    user_no user = users_by_id(t.f.db, "school.example", d->user_id);
    device_no device = devices_no(t.f.db, user, d->device_id);
    for (int i = 0; i < 5000 && (waits = to_device_oldest(t.f.db, device)) != 0; ++i)
        usleep(1000);
    assert_int_equal(waits, 0);
}

static void messages_come_once_in_order(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP"),
                  tablet = sign_in("boris", "TABLET");
    sync_now(&boris);
    sync_now(&tablet);
    send_to(&anna, "1", boris.user_id, "LAPTOP", "one");
    send_to(&anna, "2", boris.user_id, "*", "two");
    send_to(&anna, "1", boris.user_id, "LAPTOP", "again"); /* the same transaction: it was done */
    send_to(&anna, "3", boris.user_id, "NOWHERE", "lost");
    send_to(&anna, "4", "@nobody:school.example", "*", "lost");
    char before[200];
    strcpy(before, boris.since);
    json_t *answer = sync_now(&boris);
    assert_int_equal(messages_in(answer), 2);
    assert_string_equal(word_of(answer, 0), "one");
    assert_string_equal(word_of(answer, 1), "two");
    const json_t *first = json_array_get(json_object_get(json_object_get(answer, "to_device"), "events"), 0);
    assert_string_equal(json_get_string(first, "sender"), anna.user_id);
    assert_string_equal(json_get_string(first, "type"), "m.test");
    char after[200];
    strcpy(after, boris.since);
    strcpy(boris.since, before); /* the answer was lost */
    assert_int_equal(messages_in(sync_now(&boris)), 2);
    strcpy(boris.since, after);
    assert_int_equal(messages_in(sync_now(&boris)), 0);
    wait_until_delivered(&boris);
    strcpy(boris.since, before);
    assert_int_equal(messages_in(sync_now(&boris)), 0);
    assert_int_equal(messages_in(sync_now(&tablet)), 1);
    free(anna.token);
    free(boris.token);
    free(tablet.token);
}

struct poll {
    struct device *d;
    json_t *reply;
};

static void *hold(void *arg)
{
    struct poll *poll = arg;
    CURL *curl = curl_easy_init();
    char path[300];
    snprintf(path, sizeof path, CLIENT "/sync?timeout=60000&since=%s", poll->d->since);
    client_ask_by(&t, curl, &(struct client_request){.method = "GET", .path = path, .token = poll->d->token},
                  &poll->reply, NULL);
    curl_easy_cleanup(curl);
    return NULL;
}

/* A poll that is held is answered at once, and no other one than the person's. */
static void a_held_poll_is_answered_by_a_message(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct poll poll = {.d = &boris};
    pthread_t thread;
    sync_now(&boris);
    assert_int_equal(pthread_create(&thread, NULL, hold, &poll), 0);
    wait_for_polls(1);
    send_to(&anna, "1", boris.user_id, "LAPTOP", "wake");
    pthread_join(thread, NULL);
    assert_string_equal(word_of(poll.reply, 0), "wake");
    json_decref(poll.reply);
    free(anna.token);
    free(boris.token);
}

static void a_flood_is_bounded_and_told(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP"), vera = enroll("vera", "V");
    sync_now(&boris);
    send_to(&vera, "1", boris.user_id, "LAPTOP", "quiet");
    char txn[16];
    for (int i = 0; i < TO_DEVICE_WAITING_MAX + 10; ++i) {
        snprintf(txn, sizeof txn, "t%d", i);
        send_to(&anna, txn, boris.user_id, "LAPTOP", "noise");
    }
    json_t *answer = sync_now(&boris);
    const json_t *events = json_object_get(json_object_get(answer, "to_device"), "events");
    assert_string_equal(json_get_string(json_array_get(events, 0), "type"), "org.parta.to_device.lost");
    assert_true(json_integer_value(json_object_get(json_object_get(json_array_get(events, 0), "content"), "lost")) >=
                10);
    assert_in_range(json_array_size(events), TO_DEVICE_WAITING_MAX - 100, TO_DEVICE_WAITING_MAX + 1);
    assert_string_equal(word_of(answer, 1), "quiet"); /* a flood drives out itself */
    char *huge = xcalloc(1, 70001);
    memset(huge, 'x', 70000);
    expect_json("PUT", CLIENT "/sendToDevice/m.test/huge", &anna,
                json_pack("{s:{s:{s:{s:s}}}}", "messages", boris.user_id, "LAPTOP", "word", huge), 413, "M_TOO_LARGE");
    free(huge);
    expect("PUT", CLIENT "/sendToDevice/org.parta.x/1", &anna, "{\"messages\":{}}", 403, "M_FORBIDDEN");
    expect("PUT", CLIENT "/sendToDevice/m.test/bad", &anna, "{}", 400, "M_MISSING_PARAM");
    expect("PUT", CLIENT "/sendToDevice/m.test/bad", &anna, "{\"messages\":{\"@a:b.example\":{\"D\":1}}}", 400,
           "M_BAD_JSON");
    free(anna.token);
    free(boris.token);
    free(vera.token);
}

/* Keys that run out are a reason to answer a poll; each claim is not. */
static void a_held_poll_hears_when_keys_run_out(void **state)
{
    struct device anna = enroll("anna", "PHONE"), boris = enroll("boris", "LAPTOP");
    struct poll poll = {.d = &anna};
    pthread_t thread;
    expect_json("POST", CLIENT "/keys/upload", &anna,
                json_pack("{s:o, s:o}", "device_keys", device_keys(&anna), "one_time_keys",
                          one_time_keys(&anna, 0, ONE_TIME_LOW + 2)),
                200, "");
    sync_now(&anna);
    assert_int_equal(pthread_create(&thread, NULL, hold, &poll), 0);
    wait_for_polls(1);
    claim(&boris, &anna);
    claim(&boris, &anna);
    pthread_join(thread, NULL);
    assert_int_equal(keys_left(poll.reply), ONE_TIME_LOW);
    json_decref(poll.reply);
    free(anna.token);
    free(boris.token);
}

#define STORY(fn) cmocka_unit_test_setup_teardown(fn, keys_start, keys_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(keys_are_published_and_asked_for),
        STORY(wrong_keys_are_refused_and_not_kept),
        STORY(a_request_is_bounded),
        STORY(a_key_is_given_once_and_then_the_fallback),
        STORY(wrong_one_time_keys_are_refused_whole),
        STORY(two_who_claim_at_once_get_two_keys),
        STORY(who_shares_an_encrypted_room_hears_of_new_keys),
        STORY(a_room_that_turns_encrypted_is_news_to_all_in_it),
        STORY(the_rosters_joins_and_leaves_are_news),
        STORY(messages_come_once_in_order),
        STORY(a_held_poll_is_answered_by_a_message),
        STORY(a_flood_is_bounded_and_told),
        STORY(a_held_poll_hears_when_keys_run_out),
    };
    if (!crypto_start())
        return 1;
    return cmocka_run_group_tests_name("keys_api", tests, NULL, NULL);
}
