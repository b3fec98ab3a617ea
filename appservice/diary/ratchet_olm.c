/* libolm is deprecated (2024). docs/diary-encryption.md has its known weaknesses and what bounds each here; the rules
 * of this file follow from it: nothing from outside reaches the library that was not taken apart first, no signature
 * that decides about trust is checked by it, objects are cleared before their memory is freed. */
#include "appservice/diary/ratchet.h"

#include <olm/olm.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"

#define PICKLE_CHARS_MAX (512 * 1024)
#define SESSION_KEY_BYTES 229 /* version, index, ratchet, public key, signature */
#define GROUP_TAIL_BYTES 72   /* MAC and signature */
#define MAC_BYTES 8
#define MESSAGE_VERSION 3
#define SESSION_KEY_VERSION 2
#define POINT_BYTES 32

/* Our own seal stands around the pickle: libolm's is AES by tables, and its key would be one more secret. */
static const char NO_KEY[] = "";

void ratchet_wipe(struct text *secret)
{
    if (secret != NULL && secret->data != NULL)
        sodium_memzero(secret->data, secret->cap);
    text_finish(secret);
}

/* --- What comes from outside --- */

/* The bytes of strict unpadded base64 into out (cap): how many; −1: it is none, or more. */
static int strict_base64(const char *s, unsigned char *out, size_t cap)
{
    size_t len = 0;
    if (s == NULL || sodium_base642bin(out, cap, s, strnlen(s, RATCHET_MESSAGE_CHARS_MAX + 1), NULL, &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return -1;
    return (int)len;
}

static bool point_good(const unsigned char point[POINT_BYTES])
{
    unsigned char scalar[32], out[32];
    randombytes_buf(scalar, sizeof scalar);
    return crypto_scalarmult(out, scalar, point) == 0; /* −1: small order, whatever the scalar */
}

bool ratchet_curve_key_good(const char *s)
{
    unsigned char point[POINT_BYTES];
    return s != NULL && strnlen(s, RATCHET_KEY_CHARS + 1) == RATCHET_KEY_CHARS &&
           strict_base64(s, point, sizeof point) == POINT_BYTES && point_good(point);
}

/* What is left of a message that is taken apart. */
struct rest {
    const unsigned char *at, *end;
};

static bool take_number(struct rest *rest, uint32_t *n)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 35 && rest->at < rest->end; shift += 7) {
        unsigned char byte = *rest->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *n = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* A field of bytes with this tag, of exactly len bytes; len 0: of any length but none. */
static bool take_bytes(struct rest *rest, unsigned char tag, size_t len, struct rest *field)
{
    uint32_t n;
    if (rest->at >= rest->end || *rest->at++ != tag || !take_number(rest, &n) || n == 0 ||
        n > (size_t)(rest->end - rest->at) || (len != 0 && n != len))
        return false;
    *field = (struct rest){rest->at, rest->at + n};
    rest->at += n;
    return true;
}

static bool take_counter(struct rest *rest, unsigned char tag, uint32_t max, uint32_t *counter)
{
    return rest->at < rest->end && *rest->at++ == tag && take_number(rest, counter) && *counter <= max;
}

static bool take_version(struct rest *rest)
{
    return rest->at < rest->end && *rest->at++ == MESSAGE_VERSION;
}

static bool blocks_of_aes(const struct rest *cipher)
{
    return (cipher->end - cipher->at) % 16 == 0;
}

/* A normal message: ratchet key, counter, ciphertext, MAC (Olm, "The Olm message format"), in the order in which every
 * library writes them, and nothing else. */
static bool message_shaped(struct rest rest)
{
    struct rest key, cipher;
    uint32_t counter;
    if (rest.end - rest.at < MAC_BYTES)
        return false;
    rest.end -= MAC_BYTES;
    return take_version(&rest) && take_bytes(&rest, 0x0a, POINT_BYTES, &key) &&
           take_counter(&rest, 0x10, RATCHET_OLM_COUNTER_MAX, &counter) && take_bytes(&rest, 0x22, 0, &cipher) &&
           blocks_of_aes(&cipher) && rest.at == rest.end && point_good(key.at);
}

/* One-time key, base key, identity key, a message. */
static bool pre_key_shaped(struct rest rest)
{
    struct rest one_time, base, identity, message;
    return take_version(&rest) && take_bytes(&rest, 0x0a, POINT_BYTES, &one_time) &&
           take_bytes(&rest, 0x12, POINT_BYTES, &base) && take_bytes(&rest, 0x1a, POINT_BYTES, &identity) &&
           take_bytes(&rest, 0x22, 0, &message) && rest.at == rest.end && point_good(base.at) &&
           point_good(identity.at) && message_shaped(message);
}

static bool group_message_shaped(struct rest rest)
{
    struct rest cipher;
    uint32_t index;
    if (rest.end - rest.at < GROUP_TAIL_BYTES)
        return false;
    rest.end -= GROUP_TAIL_BYTES;
    return take_version(&rest) && take_counter(&rest, 0x08, RATCHET_GROUP_INDEX_MAX, &index) &&
           take_bytes(&rest, 0x12, 0, &cipher) && blocks_of_aes(&cipher) && rest.at == rest.end;
}

static bool session_key_shaped(struct rest rest)
{
    uint32_t index = 0;
    if (rest.end - rest.at != SESSION_KEY_BYTES || *rest.at != SESSION_KEY_VERSION)
        return false;
    for (int i = 1; i <= 4; ++i)
        index = index << 8 | rest.at[i];
    return index <= RATCHET_GROUP_INDEX_MAX;
}

/* Whether s is base64 of what shaped takes; copy gets the characters, which libolm overwrites as it reads. */
static bool take_message(const char *s, bool (*shaped)(struct rest), struct text *copy)
{
    size_t chars = s == NULL ? 0 : strnlen(s, RATCHET_MESSAGE_CHARS_MAX + 1);
    if (chars == 0 || chars > RATCHET_MESSAGE_CHARS_MAX)
        return false;
    unsigned char *bytes = xcalloc(1, chars);
    int len = strict_base64(s, bytes, chars);
    bool good = len > 0 && shaped((struct rest){bytes, bytes + len});
    sodium_memzero(bytes, chars);
    free(bytes);
    if (good) {
        text_clear(copy);
        text_add(copy, s, chars);
    }
    return good;
}

/* --- Objects of the library: made of a pickle, and back --- */

enum kind { ACCOUNT, SESSION, GROUP, INBOUND };

struct object {
    enum kind kind;
    void *memory, *it; /* it: as the library sees it, the same address */
};

typedef void *init_function(void *);
typedef size_t clear_function(void *), length_function(const void *),
    pickle_function(void *, const void *, size_t, void *, size_t);

/* The library has the same functions four times, by types that are all opaque. */
static const struct library {
    size_t (*size)(void);
    init_function *init;
    clear_function *clear;
    length_function *pickle_length;
    pickle_function *pickle, *unpickle;
} LIBRARY[] = {
#define OBJECT(name)                                                                                                   \
    {                                                                                                                  \
        olm_##name##_size, (init_function *)olm_##name, (clear_function *)olm_clear_##name,                            \
            (length_function *)olm_pickle_##name##_length, (pickle_function *)olm_pickle_##name,                       \
            (pickle_function *)olm_unpickle_##name                                                                     \
    }
    [ACCOUNT] = OBJECT(account),
    [SESSION] = OBJECT(session),
    [GROUP] = OBJECT(outbound_group_session),
    [INBOUND] = OBJECT(inbound_group_session),
};

static struct object object_new(enum kind kind)
{
    struct object o = {kind, xcalloc(1, LIBRARY[kind].size()), NULL};
    o.it = LIBRARY[kind].init(o.memory);
    return o;
}

static void object_free(struct object *o)
{
    if (o->memory == NULL)
        return;
    LIBRARY[o->kind].clear(o->it);
    sodium_memzero(o->memory, LIBRARY[o->kind].size());
    free(o->memory);
    o->memory = o->it = NULL;
}

/* Our own rows only: they come out of a seal. Its memory is made all the same, for object_free. */
static bool object_load(struct object *o, enum kind kind, const struct text *pickle)
{
    struct text copy = TEXT_INIT;
    *o = object_new(kind);
    if (pickle->len == 0 || pickle->len > PICKLE_CHARS_MAX)
        return false;
    text_add(&copy, pickle->data, pickle->len); /* libolm decodes it in place */
    bool loaded = LIBRARY[kind].unpickle(o->it, NO_KEY, 0, copy.data, copy.len) != olm_error();
    ratchet_wipe(&copy);
    return loaded;
}

static bool object_save(struct object *o, struct text *pickle)
{
    size_t len = LIBRARY[o->kind].pickle_length(o->it);
    struct text fresh = TEXT_INIT;
    text_reserve(&fresh, len + 1);
    if (len > PICKLE_CHARS_MAX || LIBRARY[o->kind].pickle(o->it, NO_KEY, 0, fresh.data, len) == olm_error()) {
        ratchet_wipe(&fresh);
        return false;
    }
    fresh.len = len;
    fresh.data[len] = '\0';
    ratchet_wipe(pickle);
    *pickle = fresh;
    return true;
}

/* Random bytes that the library asks for; wiped and freed by give_random. */
struct random {
    unsigned char *bytes;
    size_t len;
};

static struct random take_random(size_t len)
{
    struct random r = {xcalloc(1, len + 1), len};
    randombytes_buf(r.bytes, len);
    return r;
}

static bool give_random(struct random *r, size_t answer)
{
    sodium_memzero(r->bytes, r->len);
    free(r->bytes);
    return answer != olm_error();
}

/* Room for len characters that the library writes. */
static char *room_for(struct text *out, size_t len)
{
    ratchet_wipe(out);
    text_reserve(out, len + 1);
    return out->data;
}

static bool filled(struct text *out, size_t len)
{
    if (len == olm_error()) {
        ratchet_wipe(out);
        return false;
    }
    out->len = len;
    out->data[len] = '\0';
    return true;
}

/* --- The account --- */

bool ratchet_account_create(struct text *account)
{
    struct object o = object_new(ACCOUNT);
    struct random r = take_random(olm_create_account_random_length(o.it));
    bool done = give_random(&r, olm_create_account(o.it, r.bytes, r.len)) && object_save(&o, account);
    object_free(&o);
    return done;
}

/* "{"curve25519":"…","ed25519":"…"}", written by libolm itself. */
static bool identity_key(const char *json, const char *name, char out[RATCHET_KEY_CHARS + 1])
{
    const char *at = strstr(json, name);
    at = at == NULL ? NULL : at + strlen(name);
    if (at == NULL || strcspn(at, "\"") != RATCHET_KEY_CHARS)
        return false;
    memcpy(out, at, RATCHET_KEY_CHARS);
    out[RATCHET_KEY_CHARS] = '\0';
    return true;
}

bool ratchet_account_identity(const struct text *account, struct ratchet_identity *identity)
{
    struct object o;
    struct text json = TEXT_INIT;
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        size_t len = olm_account_identity_keys_length(o.it);
        done = filled(&json, olm_account_identity_keys(o.it, room_for(&json, len), len)) &&
               identity_key(json.data, "\"curve25519\":\"", identity->curve25519) &&
               identity_key(json.data, "\"ed25519\":\"", identity->ed25519);
    }
    text_finish(&json);
    object_free(&o);
    return done;
}

bool ratchet_account_sign(const struct text *account, char *const *texts, size_t n,
                          char (*signatures)[RATCHET_SIGNATURE_CHARS + 1])
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account) && olm_account_signature_length(o.it) == RATCHET_SIGNATURE_CHARS;
    for (size_t i = 0; done && i < n; ++i) {
        done =
            olm_account_sign(o.it, texts[i], strlen(texts[i]), signatures[i], RATCHET_SIGNATURE_CHARS) != olm_error();
        signatures[i][RATCHET_SIGNATURE_CHARS] = '\0';
    }
    object_free(&o);
    return done;
}

bool ratchet_account_make_one_time(struct text *account, size_t n)
{
    struct object o;
    bool done = n > 0 && n <= RATCHET_ONE_TIME_MAX;
    done = object_load(&o, ACCOUNT, account) && done;
    if (done) {
        struct random r = take_random(olm_account_generate_one_time_keys_random_length(o.it, n));
        done = give_random(&r, olm_account_generate_one_time_keys(o.it, n, r.bytes, r.len)) && object_save(&o, account);
    }
    object_free(&o);
    return done;
}

bool ratchet_account_make_fallback(struct text *account)
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        struct random r = take_random(olm_account_generate_fallback_key_random_length(o.it));
        done = give_random(&r, olm_account_generate_fallback_key(o.it, r.bytes, r.len)) && object_save(&o, account);
    }
    object_free(&o);
    return done;
}

bool ratchet_account_forget_fallback(struct text *account)
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        olm_account_forget_old_fallback_key(o.it);
        done = object_save(&o, account);
    }
    object_free(&o);
    return done;
}

bool ratchet_account_one_time(const struct text *account, struct text *json)
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        size_t len = olm_account_one_time_keys_length(o.it);
        done = filled(json, olm_account_one_time_keys(o.it, room_for(json, len), len));
    }
    object_free(&o);
    return done;
}

bool ratchet_account_fallback(const struct text *account, struct text *json)
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        size_t len = olm_account_unpublished_fallback_key_length(o.it);
        done = filled(json, olm_account_unpublished_fallback_key(o.it, room_for(json, len), len));
    }
    object_free(&o);
    return done;
}

bool ratchet_account_published(struct text *account)
{
    struct object o;
    bool done = object_load(&o, ACCOUNT, account) && olm_account_mark_keys_as_published(o.it) != olm_error() &&
                object_save(&o, account);
    object_free(&o);
    return done;
}

/* --- Olm sessions --- */

bool ratchet_session_outbound(const struct text *account, const char *their_curve25519, const char *their_one_time,
                              struct text *session)
{
    if (!ratchet_curve_key_good(their_curve25519) || !ratchet_curve_key_good(their_one_time))
        return false;
    struct object o, s = object_new(SESSION);
    bool done = object_load(&o, ACCOUNT, account);
    if (done) {
        struct random r = take_random(olm_create_outbound_session_random_length(s.it));
        done = give_random(&r, olm_create_outbound_session(s.it, o.it, their_curve25519, RATCHET_KEY_CHARS,
                                                           their_one_time, RATCHET_KEY_CHARS, r.bytes, r.len)) &&
               object_save(&s, session);
    }
    object_free(&s);
    object_free(&o);
    return done;
}

static bool decrypt(struct object *session, int type, const char *message, struct text *plain)
{
    struct text copy = TEXT_INIT;
    size_t kind = type == 0 ? OLM_MESSAGE_TYPE_PRE_KEY : OLM_MESSAGE_TYPE_MESSAGE;
    bool done = take_message(message, type == 0 ? pre_key_shaped : message_shaped, &copy);
    size_t max = done ? olm_decrypt_max_plaintext_length(session->it, kind, copy.data, copy.len) : olm_error();
    done = max != olm_error() && max <= RATCHET_MESSAGE_CHARS_MAX;
    if (done) {
        text_clear(&copy);
        text_adds(&copy, message);
        done = filled(plain, olm_decrypt(session->it, kind, copy.data, copy.len, room_for(plain, max), max));
    }
    text_finish(&copy);
    return done;
}

bool ratchet_session_inbound(struct text *account, const char *their_curve25519, const char *message,
                             struct text *session, struct text *plain)
{
    struct text copy = TEXT_INIT, used = TEXT_INIT, fresh = TEXT_INIT;
    struct object o, s = object_new(SESSION);
    bool done = object_load(&o, ACCOUNT, account) && ratchet_curve_key_good(their_curve25519) &&
                take_message(message, pre_key_shaped, &copy) &&
                olm_create_inbound_session_from(s.it, o.it, their_curve25519, RATCHET_KEY_CHARS, copy.data, copy.len) !=
                    olm_error() &&
                decrypt(&s, 0, message, plain) && olm_remove_one_time_keys(o.it, s.it) != olm_error() &&
                object_save(&s, &fresh) && object_save(&o, &used);
    if (done) {
        ratchet_wipe(account);
        ratchet_wipe(session);
        *account = used;
        *session = fresh;
    } else {
        ratchet_wipe(&used);
        ratchet_wipe(&fresh);
        ratchet_wipe(plain);
    }
    text_finish(&copy);
    object_free(&s);
    object_free(&o);
    return done;
}

bool ratchet_session_matches(const struct text *session, const char *their_curve25519, const char *message)
{
    struct text copy = TEXT_INIT;
    struct object s;
    bool done = object_load(&s, SESSION, session) && ratchet_curve_key_good(their_curve25519) &&
                take_message(message, pre_key_shaped, &copy) &&
                olm_matches_inbound_session_from(s.it, their_curve25519, RATCHET_KEY_CHARS, copy.data, copy.len) == 1;
    text_finish(&copy);
    object_free(&s);
    return done;
}

bool ratchet_encrypt(struct text *session, const char *plain, size_t len, int *type, struct text *message)
{
    struct object s;
    bool done = object_load(&s, SESSION, session) && len <= RATCHET_PLAIN_MAX;
    size_t kind = done ? olm_encrypt_message_type(s.it) : olm_error();
    done = kind != olm_error();
    if (done) {
        struct random r = take_random(olm_encrypt_random_length(s.it));
        size_t max = olm_encrypt_message_length(s.it, len);
        size_t written = olm_encrypt(s.it, plain, len, r.bytes, r.len, room_for(message, max), max);
        done = give_random(&r, written) && filled(message, written) && object_save(&s, session);
    }
    *type = kind == OLM_MESSAGE_TYPE_PRE_KEY ? 0 : 1;
    object_free(&s);
    return done;
}

bool ratchet_decrypt(struct text *session, int type, const char *message, struct text *plain)
{
    struct object s;
    bool done = object_load(&s, SESSION, session) && (type == 0 || type == 1) && decrypt(&s, type, message, plain) &&
                object_save(&s, session);
    if (!done)
        ratchet_wipe(plain);
    object_free(&s);
    return done;
}

/* --- Megolm --- */

bool ratchet_group_create(struct text *group)
{
    struct object o = object_new(GROUP);
    struct random r = take_random(olm_init_outbound_group_session_random_length(o.it));
    bool done = give_random(&r, olm_init_outbound_group_session(o.it, r.bytes, r.len)) && object_save(&o, group);
    object_free(&o);
    return done;
}

bool ratchet_group_id(const struct text *group, char id[RATCHET_KEY_CHARS + 1])
{
    struct object o;
    bool done = object_load(&o, GROUP, group) && olm_outbound_group_session_id_length(o.it) == RATCHET_KEY_CHARS &&
                olm_outbound_group_session_id(o.it, (uint8_t *)id, RATCHET_KEY_CHARS) != olm_error();
    id[RATCHET_KEY_CHARS] = '\0';
    object_free(&o);
    return done;
}

bool ratchet_group_key(const struct text *group, struct text *key, uint32_t *index)
{
    struct object o;
    bool done = object_load(&o, GROUP, group);
    if (done) {
        size_t len = olm_outbound_group_session_key_length(o.it);
        *index = olm_outbound_group_session_message_index(o.it);
        done = filled(key, olm_outbound_group_session_key(o.it, (uint8_t *)room_for(key, len), len));
    }
    object_free(&o);
    return done;
}

bool ratchet_group_encrypt(struct text *group, const char *plain, size_t len, struct text *message)
{
    struct object o;
    bool done = object_load(&o, GROUP, group) && len <= RATCHET_PLAIN_MAX;
    if (done) {
        size_t max = olm_group_encrypt_message_length(o.it, len);
        done = filled(message,
                      olm_group_encrypt(o.it, (const uint8_t *)plain, len, (uint8_t *)room_for(message, max), max)) &&
               object_save(&o, group);
    }
    object_free(&o);
    return done;
}

bool ratchet_inbound_create(const char *session_key, struct text *inbound, char id[RATCHET_KEY_CHARS + 1],
                            uint32_t *first_index)
{
    struct text copy = TEXT_INIT;
    struct object o = object_new(INBOUND);
    bool done = take_message(session_key, session_key_shaped, &copy) &&
                olm_init_inbound_group_session(o.it, (const uint8_t *)copy.data, copy.len) != olm_error() &&
                olm_inbound_group_session_id_length(o.it) == RATCHET_KEY_CHARS &&
                olm_inbound_group_session_id(o.it, (uint8_t *)id, RATCHET_KEY_CHARS) != olm_error();
    id[RATCHET_KEY_CHARS] = '\0';
    *first_index = done ? olm_inbound_group_session_first_known_index(o.it) : 0;
    done = done && object_save(&o, inbound);
    ratchet_wipe(&copy);
    object_free(&o);
    return done;
}

bool ratchet_inbound_decrypt(struct text *inbound, const char *message, struct text *plain, uint32_t *index)
{
    struct text copy = TEXT_INIT;
    struct object o;
    bool done = object_load(&o, INBOUND, inbound) && take_message(message, group_message_shaped, &copy);
    size_t max = done ? olm_group_decrypt_max_plaintext_length(o.it, (uint8_t *)copy.data, copy.len) : olm_error();
    done = max != olm_error() && max <= RATCHET_MESSAGE_CHARS_MAX;
    if (done) {
        text_clear(&copy);
        text_adds(&copy, message);
        done = filled(plain, olm_group_decrypt(o.it, (uint8_t *)copy.data, copy.len, (uint8_t *)room_for(plain, max),
                                               max, index)) &&
               object_save(&o, inbound);
    }
    text_finish(&copy);
    object_free(&o);
    return done;
}
