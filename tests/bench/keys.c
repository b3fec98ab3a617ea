#include "tests/bench/keys.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/text.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"
#include "tests/bench/sender.h"

enum { DEVICES = 1500, ONE_TIME = 50, VERIFIED = 2000 };

struct phone {
    char device_id[64];
    unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
};

static void add_base64(struct text *out, const unsigned char *bytes, size_t n)
{
    char text[100];
    sodium_bin2base64(text, sizeof text, bytes, n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    text_adds(out, text);
}

/* Closes an object that is canonical JSON but for its last "}" with its signature. */
static void sign(struct text *object, const struct phone *phone, const char *user_id)
{
    unsigned char signature[crypto_sign_BYTES];
    text_addc(object, '}');
    crypto_sign_detached(signature, NULL, (const unsigned char *)object->data, object->len, phone->secret);
    object->len -= 1;
    text_addf(object, ",\"signatures\":{\"%s\":{\"ed25519:%s\":\"", user_id, phone->device_id);
    add_base64(object, signature, sizeof signature);
    text_adds(object, "\"}}}");
}

static void add_device_keys(struct text *out, const struct phone *phone, const char *user_id)
{
    unsigned char curve[32];
    struct text keys = TEXT_INIT;
    randombytes_buf(curve, sizeof curve);
    text_addf(&keys,
              "{\"algorithms\":[\"m.olm.v1.curve25519-aes-sha2\",\"m.megolm.v1.aes-sha2\"],\"device_id\":\"%s\","
              "\"keys\":{\"curve25519:%s\":\"",
              phone->device_id, phone->device_id);
    add_base64(&keys, curve, sizeof curve);
    text_addf(&keys, "\",\"ed25519:%s\":\"", phone->device_id);
    add_base64(&keys, phone->public, sizeof phone->public);
    text_addf(&keys, "\"},\"user_id\":\"%s\"", user_id);
    sign(&keys, phone, user_id);
    text_add(out, keys.data, keys.len);
    text_finish(&keys);
}

static void add_one_time(struct text *out, const struct phone *phone, const char *user_id, int i)
{
    unsigned char curve[32];
    struct text key = TEXT_INIT;
    randombytes_buf(curve, sizeof curve);
    text_adds(&key, "{\"key\":\"");
    add_base64(&key, curve, sizeof curve);
    text_addc(&key, '"');
    sign(&key, phone, user_id);
    text_addf(out, "%s\"signed_curve25519:k%d\":", i != 0 ? "," : "", i);
    text_add(out, key.data, key.len);
    text_finish(&key);
}

static char *upload_body(const struct phone *phone, const char *user_id)
{
    struct text body = TEXT_INIT;
    text_adds(&body, "{\"device_keys\":");
    add_device_keys(&body, phone, user_id);
    text_adds(&body, ",\"one_time_keys\":{");
    for (int i = 0; i < ONE_TIME; ++i)
        add_one_time(&body, phone, user_id, i);
    text_adds(&body, "}}");
    return text_take(&body);
}

/* Those of one's class, but oneself. */
static int next_of_class(int me, int k)
{
    return me / CLASS * CLASS + (me % CLASS + 1 + k) % CLASS;
}

static char *query_body(const struct school *s, const struct phone *phones, int me)
{
    struct text body = TEXT_INIT;
    text_adds(&body, "{\"device_keys\":{");
    for (int k = 0; k < CLASS - 1; ++k)
        text_addf(&body, "%s\"%s\":[]", k != 0 ? "," : "", s->people[next_of_class(me, k)].user_id);
    text_adds(&body, "}}");
    return text_take(&body);
}

static char *claim_body(const struct school *s, const struct phone *phones, int me)
{
    struct text body = TEXT_INIT;
    int other = next_of_class(me, 0);
    text_addf(&body, "{\"one_time_keys\":{\"%s\":{\"%s\":\"signed_curve25519\"}}}", s->people[other].user_id,
              phones[other].device_id);
    return text_take(&body);
}

static char *message_body(const struct school *s, const struct phone *phones, int me)
{
    struct text body = TEXT_INIT;
    char cipher[400];
    memset(cipher, 'x', sizeof cipher);
    text_adds(&body, "{\"messages\":{");
    for (int k = 0; k < CLASS - 1; ++k) {
        int other = next_of_class(me, k);
        text_addf(&body, "%s\"%s\":{\"%s\":{\"algorithm\":\"m.olm.v1.curve25519-aes-sha2\",\"ciphertext\":\"%.*s\"}}",
                  k != 0 ? "," : "", s->people[other].user_id, phones[other].device_id, (int)sizeof cipher, cipher);
    }
    text_adds(&body, "}}");
    return text_take(&body);
}

typedef char *body_of(const struct school *s, const struct phone *phones, int me);

static char *upload_of(const struct school *s, const struct phone *phones, int me)
{
    return upload_body(&phones[me], s->people[me].user_id);
}

/* CPU of one request, µs, when each device makes one; wanted: what each answer must have. */
static double each_asks(struct school *s, const struct phone *phones, const char *method, const char *path,
                        body_of *body, const char *wanted)
{
    int64_t cpu = subject_cpu_us(s->subject);
    for (int i = 0; i < DEVICES; ++i) {
        int status;
        char *text = body != NULL ? body(s, phones, i) : NULL;
        char *answer = client_ask(s->desk, method, path, s->people[i].token, text, &status);
        if (status != 200 || strstr(answer, wanted) == NULL) {
            fprintf(stderr, "bench: %s: %d %.300s\n", path, status, answer);
            exit(1);
        }
        free(answer);
        free(text);
    }
    return (double)(subject_cpu_us(s->subject) - cpu) / DEVICES;
}

/* What libsodium takes for the signatures of one upload, µs: there is no way around it. */
static double floor_us(void)
{
    unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], signature[crypto_sign_BYTES];
    static const unsigned char TEXT[60];
    crypto_sign_keypair(public, secret);
    crypto_sign_detached(signature, NULL, TEXT, sizeof TEXT, secret);
    double begun = process_cpu_us();
    for (int i = 0; i < VERIFIED; ++i)
        if (crypto_sign_verify_detached(signature, TEXT, sizeof TEXT, public) != 0)
            abort();
    return (process_cpu_us() - begun) / VERIFIED * (ONE_TIME + 1);
}

static void find_device(struct school *s, int person, struct phone *phone)
{
    int status;
    char *answer =
        client_ask(s->desk, "GET", "/_matrix/client/v3/account/whoami", s->people[person].token, NULL, &status);
    const char *at = strstr(answer, "\"device_id\":\"");
    if (status != 200 || at == NULL)
        exit(1);
    at += strlen("\"device_id\":\"");
    snprintf(phone->device_id, sizeof phone->device_id, "%.*s", (int)strcspn(at, "\""), at);
    crypto_sign_keypair(phone->public, phone->secret);
    free(answer);
}

void keys_morning(struct school *s)
{
    struct phone *phones = xcalloc(DEVICES, sizeof *phones);
    if (sodium_init() < 0)
        abort();
    school_people(s, DEVICES);
    for (int i = 0; i < DEVICES; i += CLASS)
        free(class_of(s, i, CLASS, "class"));
    for (int i = 0; i < DEVICES; ++i)
        find_device(s, i, &phones[i]);
    subject_profile_begin(s->subject, "keys");
    double upload =
        each_asks(s, phones, "POST", "/_matrix/client/v3/keys/upload", upload_of, "\"signed_curve25519\":50");
    subject_profile_end();
    double query = each_asks(s, phones, "POST", "/_matrix/client/v3/keys/query", query_body, "ed25519:");
    double claim = each_asks(s, phones, "POST", "/_matrix/client/v3/keys/claim", claim_body, "signed_curve25519:");
    report("keys", "<= 3 ms a device",
           json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "devices", DEVICES, "keys_each", ONE_TIME + 1,
                     "upload_cpu_us", upload, "signatures_us", floor_us(), "query_of_29_cpu_us", query, "claim_cpu_us",
                     claim, "cpu_us_a_device", upload + query + claim));
    double sent =
        each_asks(s, phones, "PUT", "/_matrix/client/v3/sendToDevice/m.room.encrypted/bench", message_body, "{}");
    double came =
        each_asks(s, phones, "GET", "/_matrix/client/v3/sync?timeout=0&filter=%7B%22room%22:%7B%22rooms%22:[]%7D%7D",
                  NULL, "ciphertext");
    report("to_device", "none yet",
           json_pack("{s:i, s:i, s:f, s:f}", "devices", DEVICES, "messages_each", CLASS - 1, "send_cpu_us_a_message",
                     sent / (CLASS - 1), "receive_cpu_us_a_message", came / (CLASS - 1)));
    free(phones);
}
