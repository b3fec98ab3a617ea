/* Any JSON object as an event, in every room version: redaction is idempotent and keeps the reference hash, what is
 * signed verifies, and the spliced text is the tree's. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/rooms/pdu/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_tree(const struct room_version *version, const json_t *event, const struct signing_key *key)
{
    unsigned char before[SHA256_BYTES], after[SHA256_BYTES];
    json_t *copy = json_copy((json_t *)event);
    json_object_del(copy, "hashes");
    json_object_del(copy, "signatures");
    pdu_tree_finish(version, copy, key, "s");
    must(pdu_tree_hash_holds(copy) && pdu_tree_verify(version, copy, "s", key->id, key->public));
    json_t *redacted = redact_event(version, copy), *twice = redact_event(version, redacted);
    must(json_equal(redacted, twice));
    pdu_tree_reference_hash(version, copy, before);
    pdu_tree_reference_hash(version, redacted, after);
    must(memcmp(before, after, sizeof before) == 0 && pdu_tree_verify(version, redacted, "s", key->id, key->public));
    json_decref(twice);
    json_decref(redacted);
    json_decref(copy);
}

/* The event's own type, content and state key in an otherwise plain event. */
static void check_finish(struct pdu *pdu, const struct signing_key *key);

static void check_splice(const struct room_version *version, const json_t *event, const struct signing_key *key)
{
    static const unsigned char HASH[1][SHA256_BYTES] = {{1}};
    const char *type = json_get_string(event, "type"), *state_key = json_get_string(event, "state_key");
    json_t *object = json_get_object(event, "content");
    char *content = object != NULL ? json_canonical(object) : xstrdup("{}");
    const char *id = "$p:s";
    struct pdu pdu = {.version = version,
                      .room_id = "!r:s",
                      .sender = "@a:s",
                      .type = type != NULL ? type : "t",
                      .state_key = state_key,
                      .content = content,
                      .content_len = strlen(content),
                      .prev_events = &id,
                      .n_prev = 1,
                      .prev_hashes = HASH,
                      .signer = "s",
                      .key_id = "ed25519:1",
                      .event_id = "$e:s"};
    struct text text = TEXT_INIT, redacted = TEXT_INIT;
    struct error e = {0};
    pdu_add_text(&text, &pdu, PDU_WHOLE);
    json_t *tree = json_parse(text.data, text.len, &e);
    must(tree != NULL);
    char *canonical = json_canonical(tree);
    must(strcmp(canonical, text.data) == 0);
    pdu_add_text(&redacted, &pdu, PDU_WHOLE | PDU_REDACTED);
    json_t *left = redact_event(version, tree);
    free(canonical);
    canonical = json_canonical(left);
    must(strcmp(canonical, redacted.data) == 0);
    free(canonical);
    check_finish(&pdu, key);
    free(content);
    json_decref(left);
    json_decref(tree);
    text_finish(&text);
    text_finish(&redacted);
}

/* The same text as an event of this server: what fits is finished, and its parts are those of the tree. */
static void check_finish(struct pdu *pdu, const struct signing_key *key)
{
    unsigned char reference[SHA256_BYTES];
    char id[ID_BYTES_MAX + 1];
    struct error e = {0};
    bool done = pdu_finish(pdu, key->id, "s", &e);
    must(done == (e.code == ERROR_NONE));
    if (!done)
        return;
    must(pdu_check_size(pdu, &e));
    pdu_reference_hash(pdu, reference);
    if (pdu->event_id[0] == '$' && strlen(pdu->event_id) > 40) {
        pdu_event_id(pdu->version, reference, id);
        must(strcmp(id, pdu->event_id) == 0);
        pdu_room_id(id, id);
        must(id[0] == '!' && strcmp(id + 1, pdu->event_id + 1) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char SEED[SEED_BYTES] = {1};
    struct signing_key key;
    struct error e = {0};
    const struct room_version *version;
    if (size == 0 || !crypto_start() || (version = room_version_at(data[0] % 12)) == NULL)
        return 0;
    signing_key_from_seed(&key, "1", SEED);
    json_t *event = json_parse((const char *)data + 1, size - 1, &e);
    if (json_is_object(event)) {
        check_tree(version, event, &key);
        check_splice(version, event, &key);
    }
    json_decref(event);
    return 0;
}
