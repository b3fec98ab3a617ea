/* What a homeserver and strangers give the bridge's encryption (appservice/diary/crypto.h): answers of /keys/query and
 * /keys/claim, messages to the device, what was decrypted of them, events of rooms, and bytes in place of each message
 * of Olm and Megolm. Nothing crashes, leaks or fails the store, and nothing is read that was not sent.
 *
 * The first character says what the input is; keys are made anew at each start, so inputs have names of them (%A …). */
#include <stdint.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/log.h"
#include "tests/unit/crypto_world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ANNA "@anna:b.example"
#define BOT "@diary:b.example"

static struct server server;
static struct device_here bot, anna;
static struct rows kept;
static char *names[128]; /* %c: what it stands for */
static struct olm_row with_bot;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void name_json(char c, const json_t *value)
{
    must(value != NULL);
    names[(int)c] = json_is_string(value) ? xstrdup(json_string_value(value)) : json_canonical(value);
}

static void name_text(char c, const char *value)
{
    names[(int)c] = xstrdup(value);
}

static void name_new_session(void)
{
    struct text group = TEXT_INIT, key = TEXT_INIT;
    char id[RATCHET_KEY_CHARS + 1];
    uint32_t index;
    must(ratchet_group_create(&group) && ratchet_group_id(&group, id) && ratchet_group_key(&group, &key, &index));
    name_text('N', key.data);
    name_text('I', id);
    ratchet_wipe(&group);
    ratchet_wipe(&key);
}

/* The keys of another device, by its own account. */
static void name_device(char c, const char *device)
{
    struct device_here other = {.user = ANNA, .device = device};
    must(device_open(&other));
    name_text(c, other.crypto->device_keys.data);
    device_finish(&other);
}

/* Two devices that have talked both ways: then each kind of row is there. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const BOTH[] = {BOT, ANNA};
    json_t *clear = NULL;
    log_set_level(LOG_ERROR - 1);
    must(crypto_start());
    server_start(&server);
    bot = (struct device_here){.user = BOT, .device = "BRIDGE"};
    anna = (struct device_here){.user = ANNA, .device = "TABLET"};
    must(device_open(&bot) && device_speak(&server, &bot) && device_open(&anna) && device_speak(&server, &anna));
    device_join(&bot, BOTH, 2);
    device_join(&anna, BOTH, 2);
    json_t *said = device_say(&server, &anna, "off", NOW);
    json_t *queue = json_object_get(server.queues, BOT " BRIDGE");
    json_t *part = json_object_get(json_object_get(json_object_get(json_array_get(queue, 0), "content"), "ciphertext"),
                                   crypto_curve25519(bot.crypto));
    name_json('M', json_object_get(part, "body"));
    must(device_speak(&server, &bot) && device_listen(&server, &bot, NOW));
    must(crypto_decrypt(bot.crypto, ROOM, said, &clear) == CRYPTO_DONE);
    json_decref(clear);
    json_t *mine = device_say(&server, &bot, "a mark", NOW);
    name_json('Q', json_object_get(json_object_get(mine, "content"), "session_id"));
    name_json('S', json_object_get(json_object_get(said, "content"), "session_id"));
    name_json('V', json_object_get(said, "event_id"));
    name_json('T', json_object_get(json_object_get(said, "content"), "ciphertext"));
    name_json('K', json_object_get(json_object_get(server.devices, ANNA), "TABLET"));
    name_json('Z', json_object_get(server.master, ANNA));
    name_json('Y', json_object_get(server.self_signing, ANNA));
    name_json('O', json_object_get(json_object_get(server.one_time, ANNA), "TABLET"));
    name_text('A', crypto_curve25519(anna.crypto));
    name_text('B', crypto_curve25519(bot.crypto));
    name_text('E', crypto_ed25519(anna.crypto));
    name_text('F', crypto_ed25519(bot.crypto));
    name_new_session();
    name_device('L', "TABLET");
    name_device('P', "PHONE");
    crypto_enter(anna.crypto);
    olm_row_get(anna.crypto, BOT, crypto_curve25519(bot.crypto), &with_bot);
    must(crypto_leave(anna.crypto) && with_bot.n > 0);
    rows_copy(&kept, &bot.memory.now);
    json_decref(said);
    json_decref(mine);
    return 0;
}

/* The input with names in place. */
static void expand(struct text *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; ++i) {
        const char *name = bytes[i] == '%' && i + 1 < len && bytes[i + 1] < 128 ? names[bytes[i + 1]] : NULL;
        if (name == NULL)
            text_addc(out, (char)bytes[i]);
        else if (out->len < 100000) {
            text_adds(out, name);
            ++i;
        }
    }
}

static void olm_message(int type, const char *body)
{
    json_t *event = json_pack("{sssss{sssss{s{siss}}}}", "type", "m.room.encrypted", "sender", ANNA, "content",
                              "algorithm", OLM, "sender_key", crypto_curve25519(anna.crypto), "ciphertext",
                              crypto_curve25519(bot.crypto), "type", type, "body", body);
    must(crypto_receive(bot.crypto, event, NOW) != CRYPTO_FAILED);
    json_decref(event);
}

/* What is decrypted is what Anna's device wrote, whatever that is. */
static void payload(const struct text *plain)
{
    int type;
    struct text message = TEXT_INIT, session = TEXT_INIT;
    text_add(&session, with_bot.all[0].pickle.data, with_bot.all[0].pickle.len);
    if (plain->len > 0 && ratchet_encrypt(&session, plain->data, plain->len, &type, &message))
        olm_message(type, message.data);
    ratchet_wipe(&session);
    text_finish(&message);
}

static void raw(char kind, const uint8_t *bytes, size_t len)
{
    struct text message = TEXT_INIT, state = TEXT_INIT;
    char id[RATCHET_KEY_CHARS + 1];
    uint32_t index;
    text_add_base64(&message, bytes, len);
    if (message.len == 0)
        return;
    if (kind == 'k') {
        ratchet_inbound_create(message.data, &state, id, &index);
    } else if (kind == 'g') {
        json_t *clear = NULL,
               *event = json_pack("{sssssss{ssssss}}", "type", "m.room.encrypted", "sender", ANNA, "event_id", "$raw",
                                  "content", "algorithm", MEGOLM, "session_id", names['S'], "ciphertext", message.data);
        must(crypto_decrypt(bot.crypto, ROOM, event, &clear) != CRYPTO_DONE);
        json_decref(event);
    } else {
        olm_message(kind == 'm', message.data);
    }
    ratchet_wipe(&state);
    text_finish(&message);
}

static void with_json(char kind, const json_t *value)
{
    json_t *clear = NULL, *request = NULL;
    if (kind == 'd')
        must(crypto_receive(bot.crypto, value, NOW) != CRYPTO_FAILED);
    if (kind == 'r') {
        enum crypto_answer answer = crypto_decrypt(bot.crypto, ROOM, value, &clear);
        must((answer == CRYPTO_DONE) == (clear != NULL) && answer != CRYPTO_FAILED);
    }
    if (kind == 'q')
        request = json_pack("{sss{si}}", "kind", "keys_query", "stale", ANNA, 1);
    if (kind == 'c') {
        session_want(bot.crypto, ANNA, "TABLET", true);
        request = json_pack("{sss{s{s{ss}}}}", "kind", "keys_claim", "body", "one_time_keys", ANNA, "TABLET",
                            "signed_curve25519");
    }
    if (request != NULL)
        must(crypto_answered(bot.crypto, request, value, NOW) != CRYPTO_FAILED);
    json_decref(request);
    json_decref(clear);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e;
    struct text text = TEXT_INIT;
    if (len < 2)
        return 0;
    if (strchr("mngk", bytes[0]) != NULL && bytes[0] != '\0') {
        raw((char)bytes[0], bytes + 1, len - 1);
    } else {
        expand(&text, bytes + 1, len - 1);
        json_t *value = json_parse(text.data, text.len, &e);
        if (bytes[0] == 'p')
            payload(&text);
        else if (json_is_object(value))
            with_json((char)bytes[0], value);
        json_decref(value);
    }
    must(!bot.crypto->failed && bot.crypto->depth == 0);
    rows_copy(&bot.memory.now, &kept);
    json_object_clear(bot.crypto->wanted);
    json_object_clear(bot.crypto->told);
    text_finish(&text);
    return 0;
}
