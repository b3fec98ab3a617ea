#include "appservice/diary/webhook.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/diaries.h"
#include "homeserver/base/json.h"

#define SIGNATURE_PREFIX "sha256="
#define SIGNATURE_PREFIX_BYTES 7
#define PUPILS_READ (RECORD_PUPILS_MAX + 1)

static void sign(const char *secret, const char *timestamp, const char *body, size_t len,
                 unsigned char out[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)timestamp, strlen(timestamp));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, len);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

enum webhook_verdict webhook_check(const char *secret, const char *timestamp, const char *signature, const char *body,
                                   size_t len, int64_t now_ms, unsigned char hash[RECORD_HASH_BYTES])
{
    unsigned char right[crypto_auth_hmacsha256_BYTES], given[crypto_auth_hmacsha256_BYTES];
    size_t n = 0;
    char *end;
    if (strncmp(signature, SIGNATURE_PREFIX, SIGNATURE_PREFIX_BYTES) != 0 ||
        sodium_hex2bin(given, sizeof given, signature + SIGNATURE_PREFIX_BYTES,
                       strlen(signature + SIGNATURE_PREFIX_BYTES), NULL, &n, NULL) != 0 ||
        n != sizeof given)
        return WEBHOOK_FOREIGN;
    sign(secret, timestamp, body, len, right);
    if (sodium_memcmp(right, given, sizeof right) != 0)
        return WEBHOOK_FOREIGN;
    crypto_generichash(hash, RECORD_HASH_BYTES, right, sizeof right, NULL, 0);
    if (*timestamp < '0' || *timestamp > '9' || strlen(timestamp) > 12)
        return WEBHOOK_STALE;
    int64_t at_ms = strtoll(timestamp, &end, 10) * 1000;
    return *end == '\0' && at_ms > now_ms - WEBHOOK_WINDOW_MS && at_ms < now_ms + WEBHOOK_WINDOW_MS ? WEBHOOK_GOOD
                                                                                                    : WEBHOOK_STALE;
}

/* --- The body --- */

/* Whether each member is one of names, and a string; but those that others look at (other, a list). */
static bool only_strings(const json_t *object, const char *const *names, size_t n, const char *other)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        bool known = other != NULL && strcmp(key, other) == 0 && json_is_array(value);
        for (size_t i = 0; !known && i < n; ++i)
            known = strcmp(names[i], key) == 0 && json_is_string(value);
        if (!known)
            return false;
    }
    return json_is_object(object);
}

static void take_record(struct reading *reading, const json_t *item)
{
    static const char *const NAMES[] = {"kind",   "id",   "group",   "subject", "date", "value",
                                        "weight", "work", "comment", "author",  "link", "updated"};
    const char *id = json_get_string(item, "id"), *pupils[PUPILS_READ];
    json_t *list = json_get_array(item, "pupils");
    size_t n = json_array_size(list);
    int kind = record_kind_from(json_get_string(item, "kind"));
    bool good = only_strings(item, NAMES, sizeof NAMES / sizeof *NAMES, "pupils") && kind >= 0 && n < PUPILS_READ;
    for (size_t i = 0; good && i < n; ++i) {
        pupils[i] = json_string_value(json_array_get(list, i));
        good = pupils[i] != NULL && *pupils[i] != '\0';
    }
    if (!good) {
        reading_fault(reading, id, "not what docs/diary-webhook.schema.json says");
        return;
    }
    reading_add(reading, &(struct record){.kind = (enum record_kind)kind,
                                          .id = id,
                                          .pupils = pupils,
                                          .n_pupils = n,
                                          .group = json_get_string(item, "group"),
                                          .subject = json_get_string(item, "subject"),
                                          .day = record_day(json_get_string(item, "date")),
                                          .value = json_get_string(item, "value"),
                                          .weight = json_get_string(item, "weight"),
                                          .work = json_get_string(item, "work"),
                                          .comment = json_get_string(item, "comment"),
                                          .author = json_get_string(item, "author"),
                                          .link = json_get_string(item, "link"),
                                          .updated_ms = record_moment(json_get_string(item, "updated"))});
}

static void take_person(struct reading *reading, const json_t *item)
{
    static const char *const NAMES[] = {"id",          "sourced_id", "family_name", "given_name",
                                        "middle_name", "birth_date", "class"};
    if (!only_strings(item, NAMES, sizeof NAMES / sizeof *NAMES, NULL)) {
        reading_fault(reading, json_get_string(item, "id"),
                      "a person that is not what docs/diary-webhook.schema.json says");
        return;
    }
    reading_add_person(reading, &(struct diary_person){.id = json_get_string(item, "id"),
                                                       .sourced_id = json_get_string(item, "sourced_id"),
                                                       .family_name = json_get_string(item, "family_name"),
                                                       .given_name = json_get_string(item, "given_name"),
                                                       .middle_name = json_get_string(item, "middle_name"),
                                                       .birth_date = record_day(json_get_string(item, "birth_date")),
                                                       .class_title = json_get_string(item, "class")});
}

static const char *take_body(struct reading *reading, json_t *body)
{
    static const char *const LISTS[] = {"records", "people", "withdrawn"};
    const char *key;
    json_t *value, *item;
    size_t i;
    json_object_foreach(body, key, value) {
        bool known = false;
        for (i = 0; i < 3; ++i)
            known = known || strcmp(key, LISTS[i]) == 0;
        if (!known || !json_is_array(value))
            return "it has members that it should not have, or of another type";
    }
    if (!json_is_object(body))
        return "it is no object";
    json_array_foreach(json_get_array(body, "records"), i, item)
        take_record(reading, item);
    json_array_foreach(json_get_array(body, "people"), i, item)
        take_person(reading, item);
    json_array_foreach(json_get_array(body, "withdrawn"), i, item) {
        if (!json_is_string(item) || *json_string_value(item) == '\0')
            return "an id in withdrawn is no string";
        reading_withdraw(reading, json_string_value(item));
    }
    return NULL;
}

const char *webhook_read_records(struct reading *reading, const char *body, size_t len)
{
    struct error e;
    json_t *parsed = json_parse(body, len, &e);
    if (parsed == NULL)
        return "it is no JSON";
    const char *fault = take_body(reading, parsed);
    json_decref(parsed);
    return fault;
}

static const struct adapter_setting SETTINGS[] = {
    {"secret_file", ADAPTER_SECRET_FILE, NULL},
    {"ids", ADAPTER_TEXT, "sourced"},
};
const struct adapter WEBHOOK_ADAPTER = {
    .name = "webhook",
    .settings = SETTINGS,
    .n_settings = sizeof SETTINGS / sizeof *SETTINGS,
    .sourced = true,
};
