/* Encryption of the bridge to the diary (appservice/diary/crypto.h): devices that talk, what is refused, what a kill
 * leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <unistd.h>

#include "crypto_world.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/db.h"

#define ANNA "@anna:b.example"
#define BOT "@diary:b.example"
#define ZOE "@zoe:b.example"

static struct server server;
static struct device_here bot, anna, phone, zoe;
static const char *const BOTH[] = {BOT, ANNA}, *const THREE[] = {BOT, ANNA, ZOE};

static void start(struct device_here *d, const char *user, const char *device)
{
    *d = (struct device_here){.user = user, .device = device};
    assert_true(device_open(d));
    assert_true(device_speak(&server, d));
}

static int set_up(void **state)
{
    log_set_level(LOG_ERROR - 1);
    if (!crypto_start())
        return -1;
    server_start(&server);
    start(&bot, BOT, "BRIDGE");
    start(&anna, ANNA, "TABLET");
    start(&zoe, ZOE, "ZPHONE");
    phone = (struct device_here){0};
    device_join(&bot, BOTH, 2);
    device_join(&anna, BOTH, 2);
    return 0;
}

static int tear_down(void **state)
{
    device_finish(&bot);
    device_finish(&anna);
    device_finish(&phone);
    device_finish(&zoe);
    server_stop(&server);
    return 0;
}

static void changed(struct device_here *d, const char *user)
{
    json_t *list = json_pack("[s]", user);
    assert_true(crypto_device_lists(d->crypto, list, NULL));
    json_decref(list);
}

/* What d makes of the event: its body, or NULL. Heap. */
static char *read_by(struct device_here *d, const json_t *event, enum crypto_answer wanted)
{
    json_t *clear = NULL;
    assert_true(device_speak(&server, d) && device_listen(&server, d, NOW) && device_speak(&server, d));
    assert_int_equal(crypto_decrypt(d->crypto, ROOM, event, &clear), wanted);
    const char *body = json_get_string(json_get_object(clear, "content"), "body");
    char *copy = body == NULL ? NULL : xstrdup(body);
    json_decref(clear);
    return copy;
}

static void reads(struct device_here *d, const json_t *event, const char *body)
{
    char *read = read_by(d, event, CRYPTO_DONE);
    assert_string_equal(read, body);
    free(read);
}

static void reads_not(struct device_here *d, const json_t *event, enum crypto_answer why)
{
    assert_null(read_by(d, event, why));
}

static json_t *say(struct device_here *d, const char *body)
{
    json_t *event = device_say(&server, d, body, NOW);
    assert_non_null(event);
    return event;
}

static const char *session_of(const json_t *event)
{
    return json_get_string(json_get_object(event, "content"), "session_id");
}

/* --- Talking --- */

static void both_ways(void **state)
{
    json_t *there = say(&bot, "a mark: 5"), *back = say(&anna, "off"), *more = say(&bot, "and another");
    reads(&anna, there, "a mark: 5");
    reads(&bot, back, "off");
    reads(&anna, more, "and another");
    assert_string_equal(session_of(there), session_of(more));
    assert_null(strstr(json_string_value(json_object_get(json_object_get(there, "content"), "ciphertext")), "mark"));
    json_decref(there);
    json_decref(back);
    json_decref(more);
}

static void a_restart_goes_on(void **state)
{
    json_t *one = say(&bot, "one");
    device_restart(&bot);
    device_restart(&anna);
    json_t *two = say(&bot, "two");
    assert_string_equal(session_of(one), session_of(two));
    reads(&anna, two, "two");
    reads(&anna, one, "one");
    json_decref(one);
    json_decref(two);
}

static void a_new_device_reads_what_comes(void **state)
{
    json_t *old = say(&bot, "old");
    start(&phone, ANNA, "PHONE");
    device_join(&phone, BOTH, 2);
    changed(&bot, ANNA);
    json_t *fresh = say(&bot, "new");
    assert_string_equal(session_of(old), session_of(fresh)); /* nobody left */
    reads(&phone, fresh, "new");
    reads(&anna, fresh, "new");
    reads_not(&phone, old, CRYPTO_REFUSED); /* the key was given from "new" on */
    json_decref(old);
    json_decref(fresh);
}

static void a_device_that_left_reads_no_more(void **state)
{
    start(&phone, ANNA, "PHONE");
    device_join(&phone, BOTH, 2);
    json_t *one = say(&bot, "one");
    reads(&phone, one, "one");
    json_object_del(json_object_get(server.devices, ANNA), "PHONE");
    changed(&bot, ANNA);
    json_t *two = say(&bot, "two");
    assert_string_not_equal(session_of(one), session_of(two));
    reads(&anna, two, "two");
    reads_not(&phone, two, CRYPTO_UNKNOWN);
    json_decref(one);
    json_decref(two);
}

static void a_member_that_left_reads_no_more(void **state)
{
    device_join(&bot, THREE, 3);
    device_join(&zoe, THREE, 3);
    json_t *one = say(&bot, "one"), *hers = say(&zoe, "hers");
    reads(&zoe, one, "one");
    reads(&bot, hers, "hers");
    device_join(&bot, BOTH, 2);
    assert_int_equal(memory_count(&bot.memory, "theirs"), 0);
    json_decref(hers);
    json_t *two = say(&bot, "two");
    assert_string_not_equal(session_of(one), session_of(two));
    reads_not(&zoe, two, CRYPTO_UNKNOWN);
    assert_true(crypto_room_left(bot.crypto, ROOM)); /* left and came back */
    json_t *three = say(&bot, "three");
    assert_string_not_equal(session_of(two), session_of(three));
    json_decref(one);
    json_decref(two);
    json_decref(three);
}

static void sessions_are_changed_by_count_and_age(void **state)
{
    json_t *settings = json_pack("{sssisI}", "algorithm", "m.megolm.v1.aes-sha2", "rotation_period_msgs", 3,
                                 "rotation_period_ms", (json_int_t)7200000);
    assert_int_equal(crypto_room(bot.crypto, ROOM, settings, BOTH, 2), CRYPTO_DONE);
    json_t *events[8];
    for (int i = 0; i < 4; ++i)
        events[i] = device_say(&server, &bot, "x", NOW);
    events[4] = device_say(&server, &bot, "x", NOW + 7200000);
    events[5] = device_say(&server, &bot, "x", NOW); /* the clock was set back */
    static const bool SAME[] = {true, true, false, false, false};
    for (int i = 0; i < 5; ++i)
        assert_int_equal(strcmp(session_of(events[i]), session_of(events[i + 1])) == 0, SAME[i]);
    for (int i = 0; i < 6; ++i) {
        reads(&anna, events[i], "x");
        json_decref(events[i]);
    }
    json_decref(settings);
    /* More than 8 sessions back nothing is kept. */
    for (int i = 0; i < 12; ++i) {
        assert_true(crypto_room_left(bot.crypto, ROOM));
        json_decref(say(&bot, "y"));
    }
    assert_int_equal(memory_count(&bot.memory, "past"), CRYPTO_PAST_MAX);
    assert_true(crypto_room_forget(bot.crypto, ROOM));
    assert_int_equal(memory_count(&bot.memory, "past") + memory_count(&bot.memory, "mine"), 0);
}

static void what_relates_stays_in_clear(void **state)
{
    json_t *content =
               json_pack("{sss{ssss}}", "body", "* 4", "m.relates_to", "rel_type", "m.replace", "event_id", "$one"),
           *out = NULL, *clear = NULL;
    json_decref(say(&bot, "first"));
    assert_int_equal(crypto_encrypt(bot.crypto, ROOM, "m.room.message", content, NOW, &out), CRYPTO_DONE);
    assert_true(json_equal(json_object_get(out, "m.relates_to"), json_object_get(content, "m.relates_to")));
    json_t *event =
        json_pack("{sssssssO}", "type", "m.room.encrypted", "sender", BOT, "event_id", "$edit", "content", out);
    assert_true(device_listen(&server, &anna, NOW) && device_speak(&server, &anna));
    assert_int_equal(crypto_decrypt(anna.crypto, ROOM, event, &clear), CRYPTO_DONE);
    assert_true(json_equal(json_object_get(clear, "content"), content));
    json_decref(content);
    json_decref(out);
    json_decref(clear);
    json_decref(event);
}

/* --- Keys on the server --- */

static size_t one_time_left(const char *user, const char *device)
{
    return json_object_size(below(below(server.one_time, user), device));
}

static void one_time_keys_are_made_up(void **state)
{
    assert_true(device_speak(&server, &bot));
    assert_int_equal(one_time_left(BOT, "BRIDGE"), CRYPTO_ONE_TIME_WANTED);
    json_t *given = below(below(server.one_time, BOT), "BRIDGE"), *counts;
    for (int i = 0; i < 20; ++i)
        json_object_del(given, json_object_iter_key(json_object_iter(given)));
    counts = server_counts(&server, BOT, "BRIDGE");
    crypto_counts(bot.crypto, counts, NULL);
    json_t *soon = crypto_outgoing(bot.crypto, NOW + 1000);
    assert_int_equal(json_array_size(soon), 0); /* not more often than once a minute */
    json_decref(soon);
    json_t *requests = crypto_outgoing(bot.crypto, NOW + 61000), *again = crypto_outgoing(bot.crypto, NOW + 200000);
    json_t *keys = json_object_get(json_object_get(json_array_get(requests, 0), "body"), "one_time_keys");
    assert_int_equal(json_object_size(keys), 20);
    assert_true(json_equal(requests, again)); /* those that wait come first */
    device_restart(&bot);
    json_decref(again);
    again = crypto_outgoing(bot.crypto, NOW + 300000);
    assert_true(json_equal(requests, again)); /* byte for byte, so that the server takes it twice */
    json_decref(counts);
    json_decref(requests);
    json_decref(again);
}

static void a_used_fallback_key_is_replaced(void **state)
{
    json_t *none = json_array();
    assert_true(device_speak(&server, &bot));
    crypto_counts(bot.crypto, NULL, none);
    json_t *early = crypto_outgoing(bot.crypto, NOW + 1000),
           *late = crypto_outgoing(bot.crypto, NOW + CRYPTO_FALLBACK_MS);
    assert_int_equal(json_array_size(early), 0);
    json_t *keys = json_object_get(json_object_get(json_array_get(late, 0), "body"), "fallback_keys"), *key;
    assert_int_equal(json_object_size(keys), 1);
    const char *id;
    json_object_foreach(keys, id, key)
        assert_true(json_get_bool(key, "fallback", false) &&
                    json_object_get(below(below(server.fallback, BOT), "BRIDGE"), id) == NULL);
    json_decref(none);
    json_decref(early);
    json_decref(late);
}

static void without_one_time_keys_the_fallback_serves(void **state)
{
    json_object_clear(below(below(server.one_time, ANNA), "TABLET"));
    json_t *event = say(&bot, "by fallback");
    reads(&anna, event, "by fallback");
    json_decref(event);
}

static void a_device_without_keys_is_told_and_does_not_hold_up(void **state)
{
    start(&phone, ANNA, "PHONE");
    json_object_clear(below(below(server.one_time, ANNA), "PHONE"));
    json_object_clear(below(server.fallback, ANNA));
    json_t *event = say(&bot, "goes on");
    assert_int_equal(bot.news[CRYPTO_NO_KEYS], 1);
    reads(&anna, event, "goes on");
    json_t *queue = json_object_get(server.queues, ANNA " PHONE");
    json_t *content = json_object_get(json_array_get(queue, 0), "content");
    assert_string_equal(json_get_string(content, "code"), "m.no_olm");
    assert_null(json_object_get(content, "session_id"));
    json_decref(event);
}

static void the_bot_is_cross_signed(void **state)
{
    anna.rules.signed_only = true; /* who insists on signatures takes the bot's device */
    device_restart(&anna);
    json_t *event = say(&anna, "off");
    reads(&bot, event, "off");
    json_decref(event);
    json_t *requests = crypto_outgoing(bot.crypto, NOW);
    assert_int_equal(json_array_size(requests), 0); /* uploaded once */
    json_decref(requests);
}

/* --- What is refused of keys --- */

static json_t *keys_of(const char *user, const char *device)
{
    return json_object_get(json_object_get(server.devices, user), device);
}

static void a_device_whose_keys_change_is_refused(void **state)
{
    json_decref(say(&bot, "one"));
    struct device_here other;
    json_object_del(json_object_get(server.devices, ANNA), "TABLET");
    start(&other, ANNA, "TABLET"); /* the same name, other keys */
    changed(&bot, ANNA);
    json_t *event = say(&bot, "two");
    assert_int_equal(bot.news[CRYPTO_DEVICE_CHANGED], 1);
    device_join(&other, BOTH, 2);
    reads_not(&other, event, CRYPTO_UNKNOWN);
    json_decref(event);
    device_finish(&other);
}

static void a_changed_master_key_holds_until_accepted(void **state)
{
    bot.rules.pin_identities = true;
    device_restart(&bot);
    json_decref(say(&bot, "one"));
    struct device_here other;
    start(&other, ANNA, "PHONE"); /* its own master key goes over the first */
    changed(&bot, ANNA);
    json_t *event = say(&bot, "two");
    assert_int_equal(bot.news[CRYPTO_IDENTITY_CHANGED], 1);
    device_join(&other, BOTH, 2);
    reads_not(&other, event, CRYPTO_UNKNOWN);
    reads_not(&anna, event, CRYPTO_UNKNOWN);
    assert_true(crypto_accept_identity(bot.crypto, ANNA));
    json_t *third = say(&bot, "three");
    reads(&other, third, "three");
    reads(&anna, third, "three");
    json_decref(event);
    json_decref(third);
    device_finish(&other);
}

static void only_signed_devices_if_so_ruled(void **state)
{
    start(&phone, ANNA, "PHONE");
    device_join(&phone, BOTH, 2);
    /* The phone's own cross-signing keys are not the user's: put the tablet's back. */
    device_restart(&anna);
    json_object_del(server.master, ANNA);
    struct device_here tablet = {.user = ANNA, .device = "OTHER"};
    assert_true(device_open(&tablet) && device_speak(&server, &tablet)); /* signs itself, and nobody else */
    bot.rules.signed_only = true;
    device_restart(&bot);
    device_join(&tablet, BOTH, 2);
    json_t *event = say(&bot, "for signed ones");
    reads(&tablet, event, "for signed ones");
    reads_not(&phone, event, CRYPTO_UNKNOWN);
    reads_not(&anna, event, CRYPTO_UNKNOWN);
    json_decref(event);
    device_finish(&tablet);
}

/* What becomes of a change to what the server says of Anna's tablet: nothing is encrypted to it. */
static void hostile_device_keys(void **state)
{
    static const struct {
        const char *path, *value; /* value NULL: taken out */
    } CHANGES[] = {
        {"user_id", "@zoe:b.example"},
        {"device_id", "PHONE"},
        {"keys/curve25519:TABLET", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, /* of small order */
        {"keys/curve25519:TABLET", "short"},
        {"keys/curve25519:TABLET", NULL},
        {"keys/ed25519:TABLET", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"keys/ed25519:TABLET", NULL},
        {"signatures", NULL},
        {"signatures/" ANNA "/ed25519:TABLET", "AAAA"},
        {"signatures/" ANNA "/ed25519:TABLET", NULL},
        {"keys", NULL},
        {"algorithms", NULL},
        {"device_id", NULL},
        {"more", "that was not signed"},
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; ++i) {
        json_t *kept = json_deep_copy(keys_of(ANNA, "TABLET")), *at = keys_of(ANNA, "TABLET");
        char *path = xstrdup(CHANGES[i].path), *rest = path, *part;
        while ((part = strsep(&rest, "/")) != NULL && rest != NULL)
            at = json_object_get(at, part);
        if (CHANGES[i].value == NULL)
            json_object_del(at, part);
        else
            json_object_set_new(at, part, json_string(CHANGES[i].value));
        size_t before = server.to_device;
        changed(&bot, ANNA);
        json_decref(say(&bot, "x"));
        if (server.to_device != before)
            fail_msg("row %zu: %s", i, CHANGES[i].path);
        json_object_set_new(json_object_get(server.devices, ANNA), "TABLET", kept);
        free(path);
    }
    changed(&bot, ANNA);
    json_t *event = say(&bot, "good again");
    reads(&anna, event, "good again");
    json_decref(event);
}

static void a_users_devices_are_bounded(void **state)
{
    /* As many as there are names: they are not signed, so they count for nothing, but they are looked at. */
    json_t *devices = json_object_get(server.devices, ANNA);
    char name[32];
    for (int i = 0; i < 5000; ++i) {
        snprintf(name, sizeof name, "D%d", i);
        json_object_set(devices, name, keys_of(ANNA, "TABLET"));
    }
    changed(&bot, ANNA);
    json_decref(say(&bot, "x"));
    assert_int_equal(bot.news[CRYPTO_DEVICE_REFUSED], 5000);
}

static void a_claimed_key_must_be_signed(void **state)
{
    json_t *keys = below(below(server.one_time, ANNA), "TABLET"), *key;
    const char *id;
    json_object_foreach(keys, id, key)
        json_object_set_new(key, "key", json_string(crypto_curve25519(zoe.crypto)));
    json_object_clear(below(server.fallback, ANNA));
    json_decref(say(&bot, "x"));
    assert_int_equal(bot.news[CRYPTO_NO_KEYS], 1);
    assert_int_equal(memory_count(&bot.memory, "mine"), 1);
}

/* --- Messages that are not what they say --- */

static void a_replay_is_refused(void **state)
{
    json_t *event = say(&anna, "off"), *copy = json_deep_copy(event), *elsewhere = NULL;
    reads(&bot, event, "off");
    reads(&bot, event, "off"); /* the same event, again */
    json_object_set_new(copy, "event_id", json_string("$other"));
    reads_not(&bot, copy, CRYPTO_REFUSED);
    assert_int_equal(bot.news[CRYPTO_REPLAYED], 1);
    assert_int_equal(crypto_decrypt(bot.crypto, "!other:b.example", event, &elsewhere), CRYPTO_UNKNOWN);
    json_object_set_new(copy, "sender", json_string(ZOE)); /* a session is its sender's */
    reads_not(&bot, copy, CRYPTO_UNKNOWN);
    json_decref(event);
    json_decref(copy);
}

static void hostile_events(void **state)
{
    static const struct {
        const char *member, *value;
    } CHANGES[] = {
        {"ciphertext", ""},     {"ciphertext", "A"},
        {"ciphertext", "AwgA"}, {"ciphertext", "AwgAEv////8PAAAA"},
        {"ciphertext", "A!gA"}, {"ciphertext", NULL},
        {"session_id", ""},     {"session_id", "a b"},
        {"session_id", NULL},   {"algorithm", "m.olm.v1.curve25519-aes-sha2"},
        {"algorithm", NULL},
    };
    json_t *event = say(&anna, "off"), *clear = NULL;
    reads(&bot, event, "off");
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; ++i) {
        json_t *copy = json_deep_copy(event), *content = json_object_get(copy, "content");
        if (CHANGES[i].value == NULL)
            json_object_del(content, CHANGES[i].member);
        else
            json_object_set_new(content, CHANGES[i].member, json_string(CHANGES[i].value));
        json_object_set_new(copy, "event_id", json_string("$hostile"));
        enum crypto_answer answer = crypto_decrypt(bot.crypto, ROOM, copy, &clear);
        if (answer != CRYPTO_REFUSED || clear != NULL)
            fail_msg("row %zu: %d", i, answer);
        json_decref(copy);
    }
    /* Each changed character of the message. */
    const char *cipher = json_get_string(json_object_get(event, "content"), "ciphertext");
    for (size_t i = 0; i < strlen(cipher); i += 3) {
        json_t *copy = json_deep_copy(event);
        char *changed_text = xstrdup(cipher);
        changed_text[i] = changed_text[i] == 'A' ? 'B' : 'A';
        json_object_set_new(json_object_get(copy, "content"), "ciphertext", json_string(changed_text));
        json_object_set_new(copy, "event_id", json_string("$changed"));
        assert_int_not_equal(crypto_decrypt(bot.crypto, ROOM, copy, &clear), CRYPTO_DONE);
        free(changed_text);
        json_decref(copy);
    }
    json_decref(event);
}

/* The first message to d of its queue. */
static json_t *first_message(const struct device_here *d)
{
    struct text name = TEXT_INIT;
    text_addf(&name, "%s %s", d->user, d->device);
    json_t *event = json_array_get(json_object_get(server.queues, name.data), 0);
    text_finish(&name);
    return json_incref(event);
}

static void hostile_messages_to_the_device(void **state)
{
    json_decref(say(&anna, "off"));
    json_t *good = first_message(&bot), *copy;
    assert_non_null(good);
    /* In somebody else's name: Zoe is in the room, and her devices are known. */
    device_join(&bot, THREE, 3);
    assert_true(device_speak(&server, &bot));
    copy = json_deep_copy(good);
    json_object_set_new(copy, "sender", json_string(ZOE));
    assert_int_equal(crypto_receive(bot.crypto, copy, NOW), CRYPTO_ASK); /* of a device that she may have */
    assert_true(device_speak(&server, &bot));
    assert_int_equal(bot.news[CRYPTO_MESSAGE_REFUSED], 1); /* she has none such */
    json_decref(copy);
    /* A room key in clear, a forwarded one, no message at all. */
    static const char *const TYPES[] = {"m.room_key", "m.forwarded_room_key", "m.secret.send", "m.dummy", ""};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; ++i) {
        copy = json_deep_copy(good);
        json_object_set_new(copy, "type", json_string(TYPES[i]));
        assert_int_equal(crypto_receive(bot.crypto, copy, NOW), CRYPTO_REFUSED);
        json_decref(copy);
    }
    assert_int_equal(memory_count(&bot.memory, "theirs"), 0);
    assert_int_equal(crypto_receive(bot.crypto, good, NOW), CRYPTO_DONE);
    assert_int_equal(memory_count(&bot.memory, "theirs"), 1);
    assert_int_equal(crypto_receive(bot.crypto, good, NOW),
                     CRYPTO_REFUSED); /* again: the key of that message is gone */
    json_decref(good);
}

/* Whoever is not in the room gives the bot no key for it. */
static void keys_of_strangers_are_refused(void **state)
{
    device_join(&zoe, THREE, 3); /* she thinks so */
    json_decref(say(&zoe, "let me in"));
    assert_true(device_listen(&server, &bot, NOW));
    assert_int_equal(memory_count(&bot.memory, "theirs") + memory_count(&bot.memory, "held"), 0);
    device_join(&bot, THREE, 3);
    device_join(&bot, BOTH, 2); /* her devices are known, but she is out again */
    assert_true(device_speak(&server, &bot) && crypto_room_left(zoe.crypto, ROOM));
    json_decref(say(&zoe, "let me in"));
    assert_true(device_listen(&server, &bot, NOW));
    assert_int_equal(memory_count(&bot.memory, "theirs"), 0);
}

static void messages_of_unknown_devices_are_held_and_bounded(void **state)
{
    json_t *held = json_pack("{sssss{sssss{s{siss}}}}", "type", "m.room.encrypted", "sender", ANNA, "content",
                             "algorithm", "m.olm.v1.curve25519-aes-sha2", "sender_key", crypto_curve25519(zoe.crypto),
                             "ciphertext", crypto_curve25519(bot.crypto), "type", 1, "body", "AwogAAAA");
    assert_true(device_speak(&server, &bot));
    for (int i = 0; i < CRYPTO_HELD_MAX + 10; ++i)
        assert_int_equal(crypto_receive(bot.crypto, held, NOW), i < CRYPTO_HELD_MAX ? CRYPTO_ASK : CRYPTO_REFUSED);
    assert_int_equal(memory_count(&bot.memory, "held"), CRYPTO_HELD_MAX);
    assert_true(device_speak(&server, &bot));
    assert_int_equal(memory_count(&bot.memory, "held"), 0);
    json_decref(held);
}

static void inbound_sessions_are_bounded(void **state)
{
    for (int i = 0; i < CRYPTO_INBOUND_MAX + 5; ++i) {
        assert_true(crypto_room_left(anna.crypto, ROOM));
        json_decref(device_say(&server, &anna, "x", NOW));
        assert_true(device_speak(&server, &bot) && device_listen(&server, &bot, NOW + i));
    }
    assert_int_equal(memory_count(&bot.memory, "theirs"), CRYPTO_INBOUND_MAX);
}

/* --- Broken sessions --- */

static void a_broken_session_is_begun_anew_once_an_hour(void **state)
{
    json_decref(say(&anna, "one"));
    assert_true(device_speak(&server, &bot) && device_listen(&server, &bot, NOW) && device_speak(&server, &bot));
    json_t *broken =
        json_pack("{sssss{sssss{s{siss}}}}", "type", "m.room.encrypted", "sender", ANNA, "content", "algorithm",
                  "m.olm.v1.curve25519-aes-sha2", "sender_key", crypto_curve25519(anna.crypto), "ciphertext",
                  crypto_curve25519(bot.crypto), "type", 1, "body", "AwogAAAA");
    size_t before = server.to_device;
    for (int i = 0; i < 5; ++i) {
        assert_int_equal(crypto_receive(bot.crypto, broken, NOW + i), CRYPTO_REFUSED);
        assert_true(device_speak(&server, &bot));
    }
    assert_int_equal(server.to_device - before, 1); /* one dummy */
    assert_true(device_listen(&server, &anna, NOW));
    assert_int_equal(anna.news[CRYPTO_UNREADABLE], 0);
    json_t *event = say(&bot, "two"); /* through the new one */
    reads(&anna, event, "two");
    json_decref(event);
    json_decref(broken);
}

/* --- Requests for keys --- */

static void ask(struct device_here *by, const char *device, const char *session)
{
    json_t *event = json_pack("{sssss{sssssss{ssssss}}}", "type", "m.room_key_request", "sender", by->user, "content",
                              "action", "request", "requesting_device_id", device, "request_id", "1", "body",
                              "algorithm", "m.megolm.v1.aes-sha2", "room_id", ROOM, "session_id", session);
    assert_int_equal(crypto_receive(bot.crypto, event, NOW), CRYPTO_DONE);
    assert_true(device_speak(&server, &bot));
    json_decref(event);
}

static const char *last_code(const char *queue)
{
    json_t *all = json_object_get(server.queues, queue);
    return json_get_string(json_object_get(json_array_get(all, json_array_size(all) - 1), "content"), "code");
}

static void keys_are_given_again_to_whom_they_were_given(void **state)
{
    json_t *event = say(&bot, "one");
    json_array_clear(json_object_get(server.queues, ANNA " TABLET")); /* lost */
    reads_not(&anna, event, CRYPTO_UNKNOWN);
    ask(&anna, "TABLET", session_of(event));
    reads(&anna, event, "one");
    size_t before = server.to_device;
    for (int i = 0; i < 5; ++i)
        ask(&anna, "TABLET", session_of(event));
    assert_int_equal(server.to_device - before, CRYPTO_KEY_ANSWERS_MAX - 1);
    /* A device that came later was not given it; a session that is not known; one that is past. */
    start(&phone, ANNA, "PHONE");
    changed(&bot, ANNA);
    assert_true(device_speak(&server, &bot));
    ask(&phone, "PHONE", session_of(event));
    assert_string_equal(last_code(ANNA " PHONE"), "m.unauthorised");
    ask(&phone, "PHONE", crypto_curve25519(zoe.crypto));
    assert_string_equal(last_code(ANNA " PHONE"), "m.unavailable");
    before = server.to_device;
    ask(&phone, "PHONE", session_of(event)); /* told already */
    ask(&zoe, "ZPHONE", session_of(event));  /* not in the room */
    ask(&zoe, "TABLET", session_of(event));
    assert_int_equal(server.to_device, before);
    json_decref(event);
}

static void past_sessions_are_given_again_while_their_user_is_in(void **state)
{
    device_join(&bot, THREE, 3);
    device_join(&zoe, THREE, 3);
    json_t *event = say(&bot, "one");
    assert_true(crypto_room_left(bot.crypto, ROOM));
    json_array_clear(json_object_get(server.queues, ZOE " ZPHONE"));
    ask(&zoe, "ZPHONE", session_of(event));
    reads(&zoe, event, "one");
    device_join(&bot, BOTH, 2);
    size_t before = server.to_device;
    ask(&zoe, "ZPHONE", session_of(event));
    assert_int_equal(server.to_device, before);
    json_decref(event);
}

/* --- At rest --- */

static void rows_are_sealed_and_in_their_place(void **state)
{
    json_decref(say(&bot, "one"));
    for (size_t i = 0; i < bot.memory.now.n; ++i) {
        const struct text *value = &bot.memory.now.values[i];
        assert_null(memmem(value->data, value->len, "anna", 4));
        assert_null(memmem(value->data, value->len, "pickle", 6));
    }
    unsigned char key[CRYPTO_KEY_BYTES] = "another";
    struct crypto_store store = memory_store(&bot.memory);
    struct text problem = TEXT_INIT;
    assert_null(crypto_open(&store, key, BOT, "BRIDGE", NULL, &problem));
    assert_non_null(strstr(problem.data, "key"));
    text_finish(&problem);
    const char *device = bot.device;
    bot.device = "OTHER";
    crypto_close(bot.crypto);
    assert_false(device_open(&bot)); /* another device's account */
    bot.device = device;
    assert_true(device_open(&bot));
    /* A row in another's place does not open. */
    char *mine = memory_key("mine", ROOM);
    for (size_t i = 0; i < bot.memory.now.n; ++i)
        if (strncmp(bot.memory.now.keys[i], "account\n", 8) == 0)
            rows_set(&bot.memory.now, mine, bot.memory.now.values[i].data, bot.memory.now.values[i].len);
    free(mine);
    assert_null(device_say(&server, &bot, "two", NOW));
}

static void a_copy_put_back_uses_no_session_again(void **state)
{
    json_t *one = say(&bot, "one");
    reads(&anna, one, "one");
    struct rows backup = {0};
    rows_copy(&backup, &bot.memory.now);
    json_t *two = say(&bot, "two");
    rows_copy(&bot.memory.now, &backup);
    device_restart(&bot);
    assert_true(crypto_restored(bot.crypto));
    json_t *three = say(&bot, "three");
    assert_string_not_equal(session_of(two), session_of(three));
    reads(&anna, two, "two");
    reads(&anna, three, "three");
    json_t *back = say(&anna, "off");
    reads(&bot, back, "off");
    json_decref(one);
    json_decref(two);
    json_decref(three);
    json_decref(back);
    rows_finish(&backup);
}

/* The library counts its keys: a copy counts on from where it was. */
static void a_copy_put_back_names_its_keys_anew(void **state)
{
    struct rows backup = {0};
    rows_copy(&backup, &bot.memory.now);
    for (int turn = 0; turn < 2; ++turn) {
        json_object_clear(below(below(server.one_time, BOT), "BRIDGE"));
        if (turn == 1) {
            rows_copy(&bot.memory.now, &backup);
            device_restart(&bot);
            assert_true(crypto_restored(bot.crypto));
        }
        json_t *counts = server_counts(&server, BOT, "BRIDGE");
        crypto_counts(bot.crypto, counts, NULL);
        for (int later = 0; later < 2; ++later) {
            json_t *requests = crypto_outgoing(bot.crypto, NOW + 200000), *request;
            size_t i;
            json_array_foreach(requests, i, request) {
                json_t *answer = server_answer(&server, &bot, request);
                crypto_answered(bot.crypto, request, answer, NOW + 200000);
                json_decref(answer);
            }
            json_decref(requests);
        }
        json_decref(counts);
        assert_int_equal(one_time_left(BOT, "BRIDGE"), CRYPTO_ONE_TIME_WANTED);
        assert_int_equal(server.clashes, 0);
    }
    rows_finish(&backup);
}

static void the_key_file_is_made_once(void **state)
{
    char folder[] = "/tmp/parta-crypto-XXXXXX", path[64];
    unsigned char key[CRYPTO_KEY_BYTES], again[CRYPTO_KEY_BYTES];
    struct text problem = TEXT_INIT;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/crypto.key", folder);
    assert_true(crypto_key_load(path, key, &problem) && crypto_key_load(path, again, &problem));
    assert_memory_equal(key, again, sizeof key);
    unlink(path);
    assert_true(crypto_key_load(path, again, &problem));
    assert_memory_not_equal(key, again, sizeof key);
    unlink(path);
    rmdir(folder);
    text_finish(&problem);
}

static void sqlite_holds_the_rows(void **state)
{
    struct db *db = db_open(":memory:", DB_WRITE, NULL);
    assert_true(db != NULL && db_script(db, CRYPTO_STORE_SCHEMA));
    struct crypto_store *store = crypto_store_open(db);
    struct text problem = TEXT_INIT, value = TEXT_INIT;
    unsigned char key[CRYPTO_KEY_BYTES] = {1};
    struct crypto *crypto = crypto_open(store, key, BOT, "B", NULL, &problem);
    assert_non_null(crypto);
    char *identity = xstrdup(crypto_ed25519(crypto));
    assert_int_equal(crypto_room(crypto, ROOM, NULL, BOTH, 2), CRYPTO_REFUSED);
    /* In somebody's transaction: gone with it. */
    json_t *settings = megolm_settings();
    assert_true(db_transaction(db, DB_BEGIN));
    assert_int_equal(crypto_room(crypto, ROOM, settings, BOTH, 2), CRYPTO_DONE);
    assert_int_equal(store->get(store->self, "room", ROOM, &value), 1);
    assert_true(db_transaction(db, DB_ROLLBACK));
    assert_int_equal(store->get(store->self, "room", ROOM, &value), 0);
    /* One that fails leaves theirs whole, but told. */
    db_fail_after(db, 3);
    assert_int_equal(crypto_room(crypto, ROOM, settings, BOTH, 2), CRYPTO_FAILED);
    assert_false(db_failed(db) || db_in_transaction(db));
    assert_int_equal(crypto_room(crypto, ROOM, settings, BOTH, 2), CRYPTO_DONE);
    crypto_close(crypto);
    crypto = crypto_open(store, key, BOT, "B", NULL, &problem);
    assert_string_equal(crypto_ed25519(crypto), identity);
    crypto_close(crypto);
    crypto_store_close(store);
    db_close(db);
    json_decref(settings);
    text_finish(&problem);
    text_finish(&value);
    free(identity);
}

/* --- Kills --- */

/* The number of a Megolm message in its session: behind the version and a tag. */
static uint32_t index_of(const char *cipher)
{
    unsigned char bytes[16];
    assert_true(base64_decode(cipher, 16, bytes, sizeof bytes) == 12 && bytes[0] == 3 && bytes[1] == 8 &&
                bytes[2] < 128);
    return bytes[2];
}

/* Ratchet key and counter of an Olm message, or of the one within a pre-key message: its head, as text. */
static void olm_place(const json_t *part, char out[128])
{
    unsigned char bytes[4096];
    const char *body = json_get_string(part, "body");
    int len = base64_decode(body, strlen(body), bytes, sizeof bytes), at = 0;
    assert_true(len > 0);
    if (json_get_int(part, "type", -1) == 0) {
        for (at = 1; bytes[at] != 0x22; at += 34)
            assert_true(at + 34 < len);
        while (bytes[++at] & 0x80)
            ;
        ++at;
    }
    sodium_bin2hex(out, 128, bytes + at, 38);
}

/* Everything that left: at each place of a ratchet only ever the same message. */
static void nothing_twice(json_t *left, const char *place, const json_t *message)
{
    json_t *before = json_object_get(left, place);
    if (before != NULL && !json_equal(before, message))
        fail_msg("a place of a ratchet was used twice: %s", place);
    json_object_set(left, place, (json_t *)(uintptr_t)message);
}

static void note_to_device(json_t *left, const json_t *event)
{
    const char *key;
    char place[128];
    json_t *part;
    json_object_foreach(json_object_get(json_object_get(event, "content"), "ciphertext"), key, part) {
        olm_place(part, place);
        nothing_twice(left, place, part);
    }
}

static void note_left(json_t *left, const json_t *event)
{
    char place[128];
    const char *cipher = json_get_string(json_object_get(event, "content"), "ciphertext");
    snprintf(place, sizeof place, "%s %u", session_of(event), index_of(cipher));
    nothing_twice(left, place, json_object_get(json_object_get(event, "content"), "ciphertext"));
}

static void note_queues(json_t *left)
{
    const char *name;
    json_t *queue, *event;
    size_t i;
    json_object_foreach(server.queues, name, queue)
        json_array_foreach(queue, i, event)
            note_to_device(left, event);
}

/* As set_up made it: to begin with it anew for each step. Making accounts takes longer than all the rest. */
struct world {
    struct rows bot, anna;
    struct server server;
};

static void world_copy(struct server *to, const struct server *from)
{
    *to = (struct server){json_deep_copy(from->devices),      json_deep_copy(from->one_time),
                          json_deep_copy(from->fallback),     json_deep_copy(from->master),
                          json_deep_copy(from->self_signing), json_deep_copy(from->queues),
                          json_deep_copy(from->txns),         0};
}

static void keep_world(struct world *world)
{
    rows_copy(&world->bot, &bot.memory.now);
    rows_copy(&world->anna, &anna.memory.now);
    world_copy(&world->server, &server);
}

static void put_world_back(const struct world *world)
{
    rows_copy(&bot.memory.now, &world->bot);
    rows_copy(&anna.memory.now, &world->anna);
    server_stop(&server);
    world_copy(&server, &world->server);
    device_restart(&bot);
    device_restart(&anna);
    memset(anna.news, 0, sizeof anna.news);
}

static void world_finish(struct world *world)
{
    rows_finish(&world->bot);
    rows_finish(&world->anna);
    server_stop(&world->server);
}

/* The bot says three things to Anna; its store fails at the n-th call, and the program is started anew. false: it never
 * came to the n-th call. */
static bool killed_at(int n, bool to_send)
{
    static const char *const WORDS[] = {"one", "two", "three"};
    json_t *left = json_object(), *events[3] = {NULL};
    bot.memory.fail_after = n;
    for (int i = 0, turns = 0; i < 3;) {
        assert_true(++turns < 50);
        device_join(&bot, BOTH, 2);
        events[i] = device_say(&server, &bot, WORDS[i], NOW);
        if (events[i] != NULL && to_send && bot.memory.fail_after == 0) {
            /* Killed behind the commit: what it made never left. */
            json_decref(events[i]);
            to_send = false;
            device_restart(&bot);
        } else if (events[i] != NULL) {
            note_left(left, events[i]);
            ++i;
        } else {
            device_restart(&bot);
        }
        note_queues(left);
    }
    bool reached = bot.memory.fail_after == 0;
    bot.memory.fail_after = 0;
    assert_true(device_speak(&server, &bot));
    note_queues(left);
    for (int i = 0; i < 3; ++i) {
        reads(&anna, events[i], WORDS[i]);
        json_decref(events[i]);
    }
    assert_int_equal(anna.news[CRYPTO_UNREADABLE] + anna.news[CRYPTO_MESSAGE_REFUSED], 0);
    json_decref(left);
    return reached;
}

static void a_kill_at_any_step_repeats_nothing(void **state)
{
    struct world world = {0};
    int n = 1;
    keep_world(&world);
    for (bool reached = true; reached; ++n) {
        put_world_back(&world);
        reached = killed_at(n, n % 2 == 0);
    }
    assert_in_range(n, 40, 1000); /* so many steps there were */
    world_finish(&world);
}

/* And the reader: what it failed to take it takes later, once. */
static void a_kill_of_the_reader_loses_nothing(void **state)
{
    struct world world = {0};
    int n = 1;
    keep_world(&world);
    for (bool reached = true; reached; ++n) {
        put_world_back(&world);
        json_t *event = say(&anna, "off"), *clear = NULL;
        bot.memory.fail_after = n;
        int turns = 0;
        while (!device_speak(&server, &bot) || !device_listen(&server, &bot, NOW) || !device_speak(&server, &bot) ||
               crypto_decrypt(bot.crypto, ROOM, event, &clear) == CRYPTO_FAILED) {
            assert_true(++turns < 50);
            device_restart(&bot);
        }
        reached = bot.memory.fail_after == 0;
        bot.memory.fail_after = 0;
        json_decref(clear);
        reads(&bot, event, "off");
        json_decref(event);
    }
    assert_in_range(n, 10, 1000);
    world_finish(&world);
}

static void a_bracket_that_fails_has_done_nothing(void **state)
{
    json_decref(say(&bot, "one"));
    struct rows before = {0};
    rows_copy(&before, &bot.memory.now);
    json_t *content = json_pack("{ss}", "body", "two"), *out = NULL;
    assert_true(crypto_begin(bot.crypto));
    assert_int_equal(crypto_encrypt(bot.crypto, ROOM, "m.room.message", content, NOW, &out), CRYPTO_DONE);
    json_decref(out);
    bot.memory.fail_after = 1;
    assert_false(crypto_commit(bot.crypto));
    assert_int_equal(before.n, bot.memory.now.n);
    for (size_t i = 0; i < before.n; ++i)
        assert_memory_equal(before.values[i].data, bot.memory.now.values[i].data, before.values[i].len);
    json_t *event = say(&bot, "three");
    reads(&anna, event, "three");
    json_decref(event);
    json_decref(content);
    rows_finish(&before);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(both_ways),
        CASE(a_restart_goes_on),
        CASE(a_new_device_reads_what_comes),
        CASE(a_device_that_left_reads_no_more),
        CASE(a_member_that_left_reads_no_more),
        CASE(sessions_are_changed_by_count_and_age),
        CASE(what_relates_stays_in_clear),
        CASE(one_time_keys_are_made_up),
        CASE(a_used_fallback_key_is_replaced),
        CASE(without_one_time_keys_the_fallback_serves),
        CASE(a_device_without_keys_is_told_and_does_not_hold_up),
        CASE(the_bot_is_cross_signed),
        CASE(a_device_whose_keys_change_is_refused),
        CASE(a_changed_master_key_holds_until_accepted),
        CASE(only_signed_devices_if_so_ruled),
        CASE(hostile_device_keys),
        CASE(a_users_devices_are_bounded),
        CASE(a_claimed_key_must_be_signed),
        CASE(a_replay_is_refused),
        CASE(hostile_events),
        CASE(hostile_messages_to_the_device),
        CASE(keys_of_strangers_are_refused),
        CASE(messages_of_unknown_devices_are_held_and_bounded),
        CASE(inbound_sessions_are_bounded),
        CASE(a_broken_session_is_begun_anew_once_an_hour),
        CASE(keys_are_given_again_to_whom_they_were_given),
        CASE(past_sessions_are_given_again_while_their_user_is_in),
        CASE(rows_are_sealed_and_in_their_place),
        CASE(a_copy_put_back_uses_no_session_again),
        CASE(a_copy_put_back_names_its_keys_anew),
        CASE(the_key_file_is_made_once),
        CASE(sqlite_holds_the_rows),
        CASE(a_kill_at_any_step_repeats_nothing),
        CASE(a_kill_of_the_reader_loses_nothing),
        CASE(a_bracket_that_fails_has_done_nothing),
    };
    return cmocka_run_group_tests_name("diary_crypto", tests, NULL, NULL);
}
