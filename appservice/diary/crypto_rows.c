#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SIGNED_BYTES_MAX 16384 /* of one signed object */

/* --- Brackets --- */

bool crypto_enter(struct crypto *c)
{
    if (c->depth++ > 0)
        return !c->failed;
    c->failed = !c->store.begin(c->store.self);
    return !c->failed;
}

bool crypto_leave(struct crypto *c)
{
    if (--c->depth > 0)
        return !c->failed;
    if (c->failed)
        c->store.rollback(c->store.self);
    return !c->failed && c->store.commit(c->store.self);
}

bool crypto_begin(struct crypto *c)
{
    return crypto_enter(c);
}

bool crypto_commit(struct crypto *c)
{
    return crypto_leave(c);
}

/* --- Seals --- */

/* What a row is called is signed with it: none can be put in another's place. */
static void row_label(struct text *label, const char *kind, const char *name)
{
    text_adds(label, kind);
    text_addc(label, '\n');
    text_adds(label, name);
}

int crypto_get(struct crypto *c, const char *kind, const char *name, struct text *plain)
{
    struct text sealed = TEXT_INIT, label = TEXT_INIT;
    text_clear(plain);
    int found = c->failed ? -1 : c->store.get(c->store.self, kind, name, &sealed);
    if (found == 1) {
        unsigned long long len = 0;
        text_reserve(plain, sealed.len + 1);
        row_label(&label, kind, name);
        if (sealed.len < NONCE + TAG ||
            crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)plain->data, &len, NULL,
                                                       (const unsigned char *)sealed.data + NONCE, sealed.len - NONCE,
                                                       (const unsigned char *)label.data, label.len,
                                                       (const unsigned char *)sealed.data, c->key) != 0) {
            log_error("crypto", "a row of kind %s does not open with this key", kind);
            found = -1;
        } else {
            plain->len = (size_t)len;
            plain->data[len] = '\0';
        }
    }
    c->failed = c->failed || found < 0;
    text_finish(&sealed);
    text_finish(&label);
    return found;
}

void crypto_put(struct crypto *c, const char *kind, const char *name, const struct text *plain)
{
    struct text sealed = TEXT_INIT, label = TEXT_INIT;
    unsigned long long len = 0;
    if (c->failed)
        return;
    row_label(&label, kind, name);
    text_reserve(&sealed, NONCE + plain->len + TAG + 1);
    randombytes_buf(sealed.data, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        (unsigned char *)sealed.data + NONCE, &len, (const unsigned char *)plain->data, plain->len,
        (const unsigned char *)label.data, label.len, NULL, (const unsigned char *)sealed.data, c->key);
    if (!c->store.put(c->store.self, kind, name, sealed.data, NONCE + (size_t)len))
        c->failed = true;
    text_finish(&sealed);
    text_finish(&label);
}

void crypto_drop(struct crypto *c, const char *kind, const char *name)
{
    if (!c->failed && !c->store.drop(c->store.self, kind, name))
        c->failed = true;
}

json_t *crypto_get_json(struct crypto *c, const char *kind, const char *name)
{
    struct text plain = TEXT_INIT;
    struct error e;
    json_t *value = crypto_get(c, kind, name, &plain) == 1 ? json_parse(plain.data, plain.len, &e) : NULL;
    ratchet_wipe(&plain);
    return value;
}

void crypto_put_json(struct crypto *c, const char *kind, const char *name, const json_t *value)
{
    struct text plain = TEXT_INIT;
    json_add_canonical(&plain, value);
    crypto_put(c, kind, name, &plain);
    ratchet_wipe(&plain);
}

static void add_name(void *names, const char *name)
{
    json_array_append_new(names, json_string(name));
}

json_t *crypto_names(struct crypto *c, const char *kind, const char *prefix, size_t max)
{
    json_t *names = json_array();
    if (!c->failed && !c->store.names(c->store.self, kind, prefix, max, add_name, names))
        c->failed = true;
    return names;
}

/* --- Parts --- */

void parts_add_int(struct text *row, int64_t n)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i)
        bytes[i] = (unsigned char)((uint64_t)n >> (8 * i));
    text_add(row, (const char *)bytes, sizeof bytes);
}

void parts_add(struct text *row, const char *bytes, size_t len)
{
    parts_add_int(row, (int64_t)len);
    text_add(row, bytes, len);
}

struct parts parts_of(const struct text *row)
{
    return (struct parts){row->data, row->data + row->len, true};
}

int64_t parts_int(struct parts *parts)
{
    uint64_t n = 0;
    if (parts->end - parts->at < 8) {
        parts->good = false;
        parts->at = parts->end;
        return 0;
    }
    for (int i = 0; i < 8; ++i)
        n |= (uint64_t)(unsigned char)parts->at[i] << (8 * i);
    parts->at += 8;
    return (int64_t)n;
}

void parts_bytes(struct parts *parts, struct text *out)
{
    int64_t len = parts_int(parts);
    text_clear(out);
    if (len < 0 || len > parts->end - parts->at) {
        parts->good = false;
        parts->at = parts->end;
        return;
    }
    text_add(out, parts->at, (size_t)len);
    parts->at += len;
}

bool parts_more(const struct parts *parts)
{
    return parts->good && parts->at < parts->end;
}

/* --- Names --- */

char *crypto_name(const char *a, const char *b, const char *c)
{
    struct text name = TEXT_INIT;
    text_adds(&name, a);
    text_addc(&name, ' ');
    text_adds(&name, b);
    if (c != NULL) {
        text_addc(&name, ' ');
        text_adds(&name, c);
    }
    return text_take(&name);
}

void crypto_tell(const struct crypto *c, enum crypto_news news, const char *user, const char *device, const char *room)
{
    if (c->rules.tell != NULL)
        c->rules.tell(c->rules.self, news, user, device, room);
}

bool crypto_id_good(const char *id, char sigil)
{
    return id != NULL && id[0] == sigil && (sigil == '@' ? user_id_valid(id) : room_id_valid(id)) && text_is_line(id) &&
           strchr(id, ' ') == NULL;
}

bool crypto_device_id_good(const char *id)
{
    size_t len = id == NULL ? 0 : strnlen(id, ID_BYTES_MAX + 1);
    return len > 0 && len <= ID_BYTES_MAX && text_is_line(id);
}

/* jansson keeps copies of strings; those that were in an object of ours are overwritten where they lie. */
void json_wipe(json_t *value)
{
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item) {
        if (json_is_string(item))
            sodium_memzero((char *)(uintptr_t)json_string_value(item), json_string_length(item));
        else if (json_is_object(item))
            json_wipe(json_incref(item));
    }
    json_decref(value);
}

/* --- Signed JSON (Appendices, "Signing JSON") --- */

char *signed_text(const json_t *object)
{
    json_t *bare = json_is_object(object) ? json_copy((json_t *)(uintptr_t)object) : NULL;
    if (bare == NULL)
        return NULL;
    json_object_del(bare, "signatures");
    json_object_del(bare, "unsigned");
    char *text = json_is_canonical_value(bare) ? json_canonical(bare) : NULL;
    json_decref(bare);
    if (text != NULL && strlen(text) > SIGNED_BYTES_MAX) {
        free(text);
        text = NULL;
    }
    return text;
}

bool signed_by(const json_t *object, const char *user, const char *key_id, const char *ed25519)
{
    unsigned char key[32], signature[SIGNATURE_BYTES];
    const char *given = json_get_string(json_get_object(json_get_object(object, "signatures"), user), key_id);
    if (given == NULL || ed25519 == NULL || strnlen(given, RATCHET_SIGNATURE_CHARS + 1) != RATCHET_SIGNATURE_CHARS ||
        base64_decode(given, RATCHET_SIGNATURE_CHARS, signature, sizeof signature) != SIGNATURE_BYTES ||
        strnlen(ed25519, RATCHET_KEY_CHARS + 1) != RATCHET_KEY_CHARS ||
        base64_decode(ed25519, RATCHET_KEY_CHARS, key, sizeof key) != (int)sizeof key)
        return false;
    char *bytes = signed_text(object);
    bool good = bytes != NULL && signature_verify(key, bytes, strlen(bytes), signature);
    free(bytes);
    return good;
}

void signature_put(json_t *object, const char *user, const char *key_id, const char *signature)
{
    json_t *signatures = json_get_object(object, "signatures");
    if (signatures == NULL)
        json_object_set_new(object, "signatures", signatures = json_object());
    json_t *of_user = json_get_object(signatures, user);
    if (of_user == NULL)
        json_object_set_new(signatures, user, of_user = json_object());
    json_object_set_new(of_user, key_id, json_string(signature));
}

bool sign_by_device(struct crypto *c, json_t *const *objects, size_t n)
{
    struct text account = TEXT_INIT, key_id = TEXT_INIT;
    char(*signatures)[RATCHET_SIGNATURE_CHARS + 1] = xcalloc(n + 1, sizeof *signatures);
    char **texts = xcalloc(n + 1, sizeof *texts);
    bool done = true;
    for (size_t i = 0; i < n; ++i)
        done = (texts[i] = signed_text(objects[i])) != NULL && done;
    text_addf(&key_id, "ed25519:%s", c->device_id);
    done =
        done && crypto_get(c, ROW_ACCOUNT, "", &account) == 1 && ratchet_account_sign(&account, texts, n, signatures);
    for (size_t i = 0; i < n; ++i) {
        if (done)
            signature_put(objects[i], c->user_id, key_id.data, signatures[i]);
        free(texts[i]);
    }
    ratchet_wipe(&account);
    text_finish(&key_id);
    free(signatures);
    free(texts);
    return done;
}
