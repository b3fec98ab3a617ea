/* Olm and Megolm behind appservice/diary/ratchet.h: what goes in comes out, and what is ill-formed is refused before
 * the library sees it, and has changed nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "appservice/diary/ratchet.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"

static struct text anna, boris;
static struct ratchet_identity of_anna, of_boris;

static int set_up(void **state)
{
    return crypto_start() && ratchet_account_create(&anna) && ratchet_account_create(&boris) &&
                   ratchet_account_identity(&anna, &of_anna) && ratchet_account_identity(&boris, &of_boris)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    ratchet_wipe(&anna);
    ratchet_wipe(&boris);
    return 0;
}

/* A one-time key of the account: heap. */
static char *one_time(struct text *account)
{
    struct text json = TEXT_INIT;
    struct error e;
    assert_true(ratchet_account_make_one_time(account, 1) && ratchet_account_one_time(account, &json));
    json_t *keys = json_parse(json.data, json.len, &e), *curve = json_get_object(keys, "curve25519");
    char *key = xstrdup(json_string_value(json_object_iter_value(json_object_iter(curve))));
    json_decref(keys);
    text_finish(&json);
    return key;
}

/* A session of Anna's with Boris and its first message. */
static void first_message(struct text *session, struct text *message)
{
    int type;
    char *key = one_time(&boris);
    assert_true(ratchet_session_outbound(&anna, of_boris.curve25519, key, session));
    assert_true(ratchet_encrypt(session, "hello", 5, &type, message));
    assert_int_equal(type, 0);
    free(key);
}

static void olm_goes_both_ways(void **state)
{
    struct text mine = TEXT_INIT, theirs = TEXT_INIT, message = TEXT_INIT, plain = TEXT_INIT;
    int type;
    first_message(&mine, &message);
    assert_true(ratchet_session_inbound(&boris, of_anna.curve25519, message.data, &theirs, &plain));
    assert_string_equal(plain.data, "hello");
    assert_true(ratchet_session_matches(&theirs, of_anna.curve25519, message.data));
    for (int i = 0; i < 10; ++i) {
        assert_true(ratchet_encrypt(i % 2 ? &mine : &theirs, "again", 5, &type, &message));
        assert_int_equal(type, 1);
        assert_true(ratchet_decrypt(i % 2 ? &theirs : &mine, type, message.data, &plain));
        assert_string_equal(plain.data, "again");
        assert_false(ratchet_decrypt(i % 2 ? &theirs : &mine, type, message.data, &plain)); /* its key is gone */
    }
    ratchet_wipe(&mine);
    ratchet_wipe(&theirs);
    text_finish(&message);
    text_finish(&plain);
}

static void a_one_time_key_serves_once_and_its_own_sender(void **state)
{
    struct text mine = TEXT_INIT, theirs = TEXT_INIT, message = TEXT_INIT, plain = TEXT_INIT, before = TEXT_INIT;
    first_message(&mine, &message);
    text_add(&before, boris.data, boris.len);
    assert_false(ratchet_session_inbound(&boris, of_boris.curve25519, message.data, &theirs, &plain)); /* not hers */
    assert_int_equal(before.len, boris.len);
    assert_memory_equal(before.data, boris.data, before.len);
    assert_true(ratchet_session_inbound(&boris, of_anna.curve25519, message.data, &theirs, &plain));
    assert_false(ratchet_session_inbound(&boris, of_anna.curve25519, message.data, &theirs, &plain));
    ratchet_wipe(&mine);
    ratchet_wipe(&theirs);
    ratchet_wipe(&before);
    text_finish(&message);
    text_finish(&plain);
}

static void megolm_goes_one_way(void **state)
{
    struct text mine = TEXT_INIT, theirs = TEXT_INIT, key = TEXT_INIT, message = TEXT_INIT, plain = TEXT_INIT;
    char id[RATCHET_KEY_CHARS + 1], theirs_id[RATCHET_KEY_CHARS + 1];
    uint32_t index = 9, first = 9;
    assert_true(ratchet_group_create(&mine) && ratchet_group_id(&mine, id));
    assert_true(ratchet_group_encrypt(&mine, "before", 6, &message) && ratchet_group_key(&mine, &key, &index));
    assert_int_equal(index, 1);
    assert_true(ratchet_inbound_create(key.data, &theirs, theirs_id, &first));
    assert_string_equal(id, theirs_id);
    assert_int_equal(first, 1);
    assert_false(ratchet_inbound_decrypt(&theirs, message.data, &plain, &index)); /* older than the key */
    assert_true(ratchet_group_encrypt(&mine, "after", 5, &message));
    assert_true(ratchet_inbound_decrypt(&theirs, message.data, &plain, &index));
    assert_string_equal(plain.data, "after");
    assert_int_equal(index, 1);
    ratchet_wipe(&mine);
    ratchet_wipe(&theirs);
    ratchet_wipe(&key);
    text_finish(&message);
    text_finish(&plain);
}

static void signatures_are_the_accounts(void **state)
{
    char signatures[2][RATCHET_SIGNATURE_CHARS + 1], *texts[] = {(char[]){"text"}, (char[]){"another"}};
    unsigned char key[32], bytes[64];
    assert_true(ratchet_account_sign(&anna, texts, 2, signatures));
    assert_int_equal(base64_decode(of_anna.ed25519, RATCHET_KEY_CHARS, key, sizeof key), 32);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(base64_decode(signatures[i], RATCHET_SIGNATURE_CHARS, bytes, sizeof bytes), 64);
        assert_true(signature_verify(key, texts[i], strlen(texts[i]), bytes));
    }
}

/* --- What is refused --- */

static void hostile_keys(void **state)
{
    static const char *const KEYS[] = {
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  /* zero */
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  /* one */
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA",  /* of order 8 */
        "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc",  /* of order 8 */
        "7P///////////////////////////////////////38",  /* p − 1 */
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=", /* padded */
        "4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA",  /* of the other alphabet */
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuA\n",
    };
    struct text session = TEXT_INIT;
    char *key = one_time(&boris);
    assert_true(ratchet_curve_key_good(key) && ratchet_curve_key_good(of_anna.curve25519));
    assert_false(ratchet_curve_key_good(NULL));
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; ++i) {
        if (ratchet_curve_key_good(KEYS[i]) || ratchet_session_outbound(&anna, KEYS[i], key, &session) ||
            ratchet_session_outbound(&anna, of_boris.curve25519, KEYS[i], &session))
            fail_msg("key %zu", i);
    }
    assert_int_equal(session.len, 0);
    free(key);
}

/* The message with one change after another: cut, grown, each byte changed. What is taken is what was sent. */
static void every_change_of_a_message_is_refused(void **state)
{
    struct text mine = TEXT_INIT, theirs = TEXT_INIT, message = TEXT_INIT, plain = TEXT_INIT;
    unsigned char bytes[1024], broken[1100];
    first_message(&mine, &message);
    int len = base64_decode(message.data, message.len, bytes, sizeof bytes);
    assert_true(len > 0);
    for (int i = 0; i < 3 * len; ++i) {
        struct text changed = TEXT_INIT, account = TEXT_INIT;
        int broken_len = i < len ? i : i < 2 * len ? len : len + 1 + i % 64;
        memcpy(broken, bytes, (size_t)len);
        memset(broken + len, 0x22, 64);
        if (i >= len && i < 2 * len)
            broken[i - len] ^= (unsigned char)(1 << i % 8);
        text_add_base64(&changed, broken, (size_t)broken_len);
        text_add(&account, boris.data, boris.len);
        if (ratchet_session_inbound(&account, of_anna.curve25519, changed.len == 0 ? "" : changed.data, &theirs,
                                    &plain))
            fail_msg("change %d was taken", i);
        ratchet_wipe(&account);
        text_finish(&changed);
    }
    assert_true(ratchet_session_inbound(&boris, of_anna.curve25519, message.data, &theirs, &plain));
    ratchet_wipe(&mine);
    ratchet_wipe(&theirs);
    text_finish(&message);
    text_finish(&plain);
}

static void counters_are_bounded(void **state)
{
    struct text mine = TEXT_INIT, theirs = TEXT_INIT, key = TEXT_INIT, message = TEXT_INIT, plain = TEXT_INIT;
    unsigned char bytes[512];
    char id[RATCHET_KEY_CHARS + 1];
    uint32_t index;
    assert_true(ratchet_group_create(&mine) && ratchet_group_key(&mine, &key, &index));
    assert_true(ratchet_inbound_create(key.data, &theirs, id, &index));
    assert_true(ratchet_group_encrypt(&mine, "x", 1, &message));
    int len = base64_decode(message.data, message.len, bytes, sizeof bytes - 8);
    /* The number of the message, in place of 0: 2^32 − 1, in five bytes. */
    memmove(bytes + 7, bytes + 3, (size_t)len - 3);
    memcpy(bytes + 2, "\xff\xff\xff\xff\x0f", 5);
    text_clear(&message);
    text_add_base64(&message, bytes, (size_t)len + 4);
    assert_false(ratchet_inbound_decrypt(&theirs, message.data, &plain, &index));
    /* A key of so late a message; one of another version; one cut. */
    unsigned char raw[256];
    len = base64_decode(key.data, key.len, raw, sizeof raw);
    assert_int_equal(len, 229);
    static const struct {
        int at, value, len;
    } CHANGES[] = {{1, 0xff, 229}, {0, 1, 229}, {0, 2, 228}, {0, 2, 230}, {200, 0, 229}};
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; ++i) {
        unsigned char broken[256] = {0};
        memcpy(broken, raw, (size_t)len);
        broken[CHANGES[i].at] = (unsigned char)(CHANGES[i].at == 200 ? ~raw[200] : CHANGES[i].value);
        text_clear(&message);
        text_add_base64(&message, broken, (size_t)CHANGES[i].len);
        if (ratchet_inbound_create(message.data, &theirs, id, &index))
            fail_msg("key %zu was taken", i);
    }
    ratchet_wipe(&mine);
    ratchet_wipe(&theirs);
    ratchet_wipe(&key);
    text_finish(&message);
    text_finish(&plain);
}

static void sizes_are_bounded(void **state)
{
    struct text mine = TEXT_INIT, message = TEXT_INIT;
    char *large = xcalloc(1, RATCHET_MESSAGE_CHARS_MAX + 16);
    uint32_t index;
    assert_true(ratchet_group_create(&mine));
    assert_true(ratchet_group_encrypt(&mine, large, RATCHET_PLAIN_MAX, &message));
    assert_true(message.len <= RATCHET_MESSAGE_CHARS_MAX);
    assert_false(ratchet_group_encrypt(&mine, large, RATCHET_PLAIN_MAX + 1, &message));
    memset(large, 'A', RATCHET_MESSAGE_CHARS_MAX + 8);
    assert_false(ratchet_inbound_decrypt(&mine, large, &message, &index));
    assert_false(ratchet_account_make_one_time(&anna, RATCHET_ONE_TIME_MAX + 1));
    assert_false(ratchet_account_make_one_time(&anna, 0));
    ratchet_wipe(&mine);
    text_finish(&message);
    free(large);
}

static void a_state_of_another_kind_is_refused(void **state)
{
    struct text group = TEXT_INIT, message = TEXT_INIT, none = TEXT_INIT;
    int type;
    assert_true(ratchet_group_create(&group));
    assert_false(ratchet_encrypt(&group, "x", 1, &type, &message));
    assert_false(ratchet_group_encrypt(&anna, "x", 1, &message));
    assert_false(ratchet_account_identity(&none, &of_anna));
    ratchet_wipe(&group);
    text_finish(&message);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(olm_goes_both_ways),
        CASE(a_one_time_key_serves_once_and_its_own_sender),
        CASE(megolm_goes_one_way),
        CASE(signatures_are_the_accounts),
        CASE(hostile_keys),
        CASE(every_change_of_a_message_is_refused),
        CASE(counters_are_bounded),
        CASE(sizes_are_bounded),
        CASE(a_state_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests_name("diary_ratchet", tests, NULL, NULL);
}
