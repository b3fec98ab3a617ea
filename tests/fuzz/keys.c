/* Keys that a device uploads, and cross-signing keys: nothing may crash or leak, and what is taken is signed as it
 * says: of the device's own name, by the key that it names. The inputs are signed; a changed byte is not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/keys/cross_signing.h"
#include "homeserver/keys/device_keys.h"
#include "homeserver/keys/signatures.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/schema.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define USER 1
#define USER_ID "@a:b.example"
#define DEVICE_ID "D"

static struct db *db;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_ERROR);
    db = crypto_start() ? db_open(":memory:", DB_WRITE, NULL) : NULL;
    if (db == NULL || !schema_migrate(db))
        abort();
    return 0;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The object as it would be given out: with the device's signature alone, which is good. */
static void check_key(const char *key, const char *ed25519)
{
    struct error e;
    struct text bytes = TEXT_INIT;
    json_t *object = json_parse(key, strlen(key), &e);
    must(object != NULL && strlen(key) <= ONE_TIME_KEY_BYTES_MAX + 512 &&
         key_decode(json_get_string(object, "key"), NULL));
    must(signed_bytes(&bytes, object, &e));
    must(signature_by(object, &bytes, USER_ID, "ed25519:" DEVICE_ID, ed25519) != NULL);
    text_finish(&bytes);
    json_decref(object);
}

static void check_offer(const struct keys_offer *offer)
{
    must(offer->ed25519 == NULL || key_decode(offer->ed25519, NULL));
    must(offer->keys.len == 0 || signature_good(offer->signature, offer->ed25519, offer->keys.data, offer->keys.len));
    must(offer->self_signing_key == NULL || strcmp(offer->self_signing_key, DEVICE_ID) != 0);
    for (size_t i = 0; i < offer->n_one_time; ++i)
        check_key(offer->one_time[i].key, offer->ed25519);
    if (offer->fallback.key != NULL)
        check_key(offer->fallback.key, offer->ed25519);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    struct keys_offer offer;
    json_t *body = json_parse((const char *)bytes, len, &e);
    if (!json_is_object(body)) {
        json_decref(body);
        return 0;
    }
    if (keys_offer_read(&offer, db, body, USER, USER_ID, DEVICE_ID, &e))
        check_offer(&offer);
    else
        must(e.code != ERROR_NONE);
    keys_offer_finish(&offer);
    must(!cross_signing_needs_proof(db, USER, body)); /* there is no key yet */
    must(!db_failed(db));
    json_decref(body);
    return 0;
}
