#include "homeserver/rooms/pdu/pdu.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/redact.h"

#define PROOFS_BYTES_MAX 4096 /* "hashes" and "signatures" of any server's name and key are shorter */

/* What is signed and what the reference hash covers are the same bytes: the redacted event with its content hash. */
#define SIGNED_PARTS (PDU_HASHES | PDU_REDACTED)

static void add_hash_object(struct text *out, const unsigned char hash[SHA256_BYTES])
{
    text_adds(out, "{\"sha256\":\"");
    text_add_base64(out, hash, SHA256_BYTES);
    text_adds(out, "\"}");
}

/* A list of event ids; in versions 1 and 2 each is a pair with its reference hash. */
static void add_references(struct text *out, const struct pdu *pdu, const char *const *ids,
                           const unsigned char (*hashes)[SHA256_BYTES], size_t n)
{
    bool pairs = pdu->version->id_format == EVENT_ID_OPAQUE;
    text_addc(out, '[');
    for (size_t i = 0; i < n; ++i) {
        text_adds(out, i != 0 ? "," : "");
        text_adds(out, pairs ? "[" : "");
        text_add_json(out, ids[i]);
        if (!pairs)
            continue;
        text_addc(out, ',');
        add_hash_object(out, hashes[i]);
        text_addc(out, ']');
    }
    text_addc(out, ']');
}

static void add_content(struct text *out, const struct pdu *pdu, unsigned parts)
{
    if ((parts & PDU_REDACTED) && pdu->redacted != NULL)
        text_add(out, pdu->redacted, pdu->redacted_len);
    else if (parts & PDU_REDACTED)
        redact_add_content(out, pdu->version, pdu->type, pdu->content, pdu->content_len);
    else
        text_add(out, pdu->content, pdu->content_len);
}

static void add_member(struct text *out, const char *name, const char *value)
{
    text_adds(out, name);
    text_add_json(out, value);
}

static void add_signatures(struct text *out, const struct pdu *pdu)
{
    text_adds(out, ",\"signatures\":{");
    text_add_json(out, pdu->signer);
    text_adds(out, ":{");
    text_add_json(out, pdu->key_id);
    text_adds(out, ":\"");
    text_add_base64(out, pdu->signature, SIGNATURE_BYTES);
    text_adds(out, "\"}}");
}

static const char *written_room_id(const struct pdu *pdu)
{
    bool none = room_version_has(pdu->version, ROOM_ID_IS_HASH) && strcmp(pdu->type, "m.room.create") == 0;
    return none ? NULL : pdu->room_id;
}

/* The keys stand in canonical order; what a version or an event does not have is left out. */
void pdu_add_text(struct text *out, const struct pdu *pdu, unsigned parts)
{
    const char *room_id = written_room_id(pdu);
    text_reserve(out, pdu->content_len + 1024);
    text_adds(out, "{\"auth_events\":");
    add_references(out, pdu, pdu->auth_events, pdu->auth_hashes, pdu->n_auth);
    text_adds(out, ",\"content\":");
    add_content(out, pdu, parts);
    text_adds(out, ",\"depth\":");
    text_add_int(out, pdu->depth);
    if (pdu->version->id_format == EVENT_ID_OPAQUE)
        add_member(out, ",\"event_id\":", pdu->event_id);
    if (parts & PDU_HASHES) {
        text_adds(out, ",\"hashes\":");
        add_hash_object(out, pdu->hash);
    }
    text_adds(out, ",\"origin_server_ts\":");
    text_add_int(out, pdu->origin_server_ts);
    text_adds(out, ",\"prev_events\":");
    add_references(out, pdu, pdu->prev_events, pdu->prev_hashes, pdu->n_prev);
    if (pdu->redacts != NULL && room_version_has(pdu->version, ROOM_TOP_LEVEL_REDACTS) && !(parts & PDU_REDACTED))
        add_member(out, ",\"redacts\":", pdu->redacts);
    if (room_id != NULL)
        add_member(out, ",\"room_id\":", room_id);
    add_member(out, ",\"sender\":", pdu->sender);
    if (parts & PDU_SIGNATURES)
        add_signatures(out, pdu);
    if (pdu->state_key != NULL)
        add_member(out, ",\"state_key\":", pdu->state_key);
    add_member(out, ",\"type\":", pdu->type);
    text_addc(out, '}');
}

void pdu_event_id(const struct room_version *version, const unsigned char hash[SHA256_BYTES],
                  char out[ID_BYTES_MAX + 1])
{
    struct text id = TEXT_INIT;
    text_addc(&id, '$');
    (version->id_format == EVENT_ID_BASE64 ? text_add_base64 : text_add_base64url)(&id, hash, SHA256_BYTES);
    memcpy(out, id.data, id.len + 1);
    text_finish(&id);
}

void pdu_room_id(const char *create_event_id, char out[ID_BYTES_MAX + 1])
{
    size_t len = strnlen(create_event_id, ID_BYTES_MAX);
    memcpy(out, create_event_id, len);
    out[0] = '!';
    out[len] = '\0';
}

static bool fields_fit(const struct pdu *pdu)
{
    const char *room_id = written_room_id(pdu);
    const char *fields[] = {pdu->sender, pdu->type, pdu->event_id, room_id != NULL ? room_id : "",
                            pdu->state_key != NULL ? pdu->state_key : ""};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i)
        if (strnlen(fields[i], ID_BYTES_MAX + 1) > ID_BYTES_MAX)
            return false;
    return true;
}

static bool whole_fits(const struct pdu *pdu)
{
    struct text whole = TEXT_INIT;
    pdu_add_text(&whole, pdu, PDU_WHOLE);
    size_t len = whole.len;
    text_finish(&whole);
    return len <= PDU_BYTES_MAX;
}

/* bare: how long the event is without hashes and signatures, which alone need not be written out to know that they
 * fit. */
static bool check_size(const struct pdu *pdu, size_t bare, struct error *e)
{
    if (!fields_fit(pdu))
        return error_set(e, ERROR_TOO_LARGE, "A field of the event is longer than 255 bytes.");
    return bare + PROOFS_BYTES_MAX <= PDU_BYTES_MAX || whole_fits(pdu) ||
           error_set(e, ERROR_TOO_LARGE, "The event is larger than 65536 bytes.");
}

bool pdu_check_size(const struct pdu *pdu, struct error *e)
{
    return check_size(pdu, PDU_BYTES_MAX, e);
}

static void hash_text(const struct pdu *pdu, unsigned parts, struct text *scratch, unsigned char out[SHA256_BYTES])
{
    text_clear(scratch);
    pdu_add_text(scratch, pdu, parts);
    sha256(scratch->data, scratch->len, out);
}

void pdu_reference_hash(const struct pdu *pdu, unsigned char out[SHA256_BYTES])
{
    struct text text = TEXT_INIT;
    hash_text(pdu, SIGNED_PARTS, &text, out);
    text_finish(&text);
}

bool pdu_finish(struct pdu *pdu, const char *key_id, const char *server_name, struct error *e)
{
    unsigned char reference[SHA256_BYTES];
    struct text text = TEXT_INIT;
    bool opaque = pdu->version->id_format == EVENT_ID_OPAQUE;
    pdu->signer = server_name;
    pdu->key_id = key_id;
    if (!opaque)
        pdu->event_id[0] = '\0';
    hash_text(pdu, 0, &text, pdu->hash);
    bool fits = check_size(pdu, text.len, e); /* hashes are of fixed length: their bytes need not be known yet */
    if (fits && !opaque) {
        hash_text(pdu, SIGNED_PARTS, &text, reference);
        pdu_event_id(pdu->version, reference, pdu->event_id);
    }
    text_finish(&text);
    return fits;
}

void pdu_sign(struct pdu *pdu, const struct signing_key *key, const char *server_name)
{
    struct text text = TEXT_INIT;
    pdu->signer = server_name;
    pdu->key_id = key->id;
    pdu_add_text(&text, pdu, SIGNED_PARTS);
    signing_key_sign(key, text.data, text.len, pdu->signature);
    text_finish(&text);
}

/* The canonical text of an object without some of its keys. */
static void add_without(struct text *out, const json_t *object, const char *const *keys, size_t n)
{
    json_t *rest = json_copy((json_t *)object);
    for (size_t i = 0; i < n; ++i)
        json_object_del(rest, keys[i]);
    json_add_canonical(out, rest);
    json_decref(rest);
}

static void hash_without(const json_t *object, const char *const *keys, size_t n, unsigned char out[SHA256_BYTES])
{
    struct text text = TEXT_INIT;
    add_without(&text, object, keys, n);
    sha256(text.data, text.len, out);
    text_finish(&text);
}

static const char *const UNHASHED[] = {"signatures", "unsigned", "hashes"};
#define UNSIGNED_KEYS 2 /* the first two of them are not signed either, nor part of the reference hash */

void pdu_tree_content_hash(const json_t *event, unsigned char out[SHA256_BYTES])
{
    hash_without(event, UNHASHED, sizeof UNHASHED / sizeof *UNHASHED, out);
}

void pdu_tree_reference_hash(const struct room_version *version, const json_t *event, unsigned char out[SHA256_BYTES])
{
    json_t *redacted = redact_event(version, event);
    hash_without(redacted, UNHASHED, UNSIGNED_KEYS, out);
    json_decref(redacted);
}

/* The object under key, made if there is none. Borrowed. */
static json_t *object_at(json_t *object, const char *key)
{
    if (json_get_object(object, key) == NULL)
        json_object_set_new(object, key, json_object());
    return json_get_object(object, key);
}

void pdu_sign_json(json_t *object, const struct signing_key *key, const char *name)
{
    struct text text = TEXT_INIT;
    unsigned char signature[SIGNATURE_BYTES];
    add_without(&text, object, UNHASHED, UNSIGNED_KEYS);
    signing_key_sign(key, text.data, text.len, signature);
    text_finish(&text);
    json_t *of_name = object_at(object_at(object, "signatures"), name);
    json_object_set_new(of_name, key->id, json_base64(signature, sizeof signature));
}

bool pdu_verify_json(const json_t *object, const char *name, const char *key_id, const unsigned char public[32])
{
    unsigned char signature[SIGNATURE_BYTES];
    const char *encoded = json_get_string(json_get_object(json_get_object(object, "signatures"), name), key_id);
    if (encoded == NULL || base64_decode(encoded, strlen(encoded), signature, sizeof signature) != SIGNATURE_BYTES)
        return false;
    struct text text = TEXT_INIT;
    add_without(&text, object, UNHASHED, UNSIGNED_KEYS);
    bool good = signature_verify(public, text.data, text.len, signature);
    text_finish(&text);
    return good;
}

void pdu_tree_finish(const struct room_version *version, json_t *event, const struct signing_key *key,
                     const char *server_name)
{
    unsigned char hash[SHA256_BYTES];
    pdu_tree_content_hash(event, hash);
    json_object_set_new(object_at(event, "hashes"), "sha256", json_base64(hash, sizeof hash));
    json_t *redacted = redact_event(version, event);
    json_object_del(redacted, "signatures");
    pdu_sign_json(redacted, key, server_name);
    json_t *added = json_get_object(json_get_object(redacted, "signatures"), server_name);
    json_object_update(object_at(object_at(event, "signatures"), server_name), added);
    json_decref(redacted);
}

bool pdu_tree_verify(const struct room_version *version, const json_t *event, const char *server_name,
                     const char *key_id, const unsigned char public[32])
{
    json_t *redacted = redact_event(version, event);
    bool good = pdu_verify_json(redacted, server_name, key_id, public);
    json_decref(redacted);
    return good;
}

bool pdu_tree_hash_holds(const json_t *event)
{
    unsigned char claimed[SHA256_BYTES], actual[SHA256_BYTES];
    const char *encoded = json_get_string(json_get_object(event, "hashes"), "sha256");
    if (encoded == NULL || base64_decode(encoded, strlen(encoded), claimed, sizeof claimed) != SHA256_BYTES)
        return false;
    pdu_tree_content_hash(event, actual);
    return bytes_equal(claimed, actual, sizeof actual);
}
