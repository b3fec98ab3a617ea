/* PDUs: the specification's test vectors, and the splicing held against the trees (Server-Server API, "Signing
 * Events"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/rooms/pdu/redact.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Appendices, "Cryptographic Test Vectors". */
static void spec_key(struct signing_key *key)
{
    static const char SEED[] = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
    unsigned char seed[SEED_BYTES];
    assert_int_equal(base64_decode(SEED, strlen(SEED), seed, sizeof seed), SEED_BYTES);
    signing_key_from_seed(key, "1", seed);
}

/* JSON with ' for ". */
static json_t *parse(const char *s)
{
    struct error e = {0};
    char *copy = xstrdup(s);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_t *value = json_parse(copy, strlen(copy), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    free(copy);
    return value;
}

static void assert_json(const json_t *value, const char *expected)
{
    json_t *other = parse(expected);
    char *a = json_canonical(value), *b = json_canonical(other);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(other);
}

static void test_sign_json(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"{}", "{'signatures':{'domain':{'ed25519:1':"
               "'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'}}}"},
        {"{'one':1,'two':'Two'}",
         "{'one':1,'two':'Two','signatures':{'domain':{'ed25519:1':"
         "'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw'}}}"},
        {"{'one':1,'two':'Two','unsigned':{'age':7},'signatures':{'other':{'ed25519:x':'y'}}}",
         "{'one':1,'two':'Two','unsigned':{'age':7},'signatures':{'other':{'ed25519:x':'y'},'domain':{'ed25519:1':"
         "'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw'}}}"},
    };
    struct signing_key key;
    spec_key(&key);
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *object = parse(CASES[i].in);
        pdu_sign_json(object, &key, "domain");
        assert_json(object, CASES[i].out);
        assert_true(pdu_verify_json(object, "domain", "ed25519:1", key.public));
        assert_false(pdu_verify_json(object, "domain", "ed25519:2", key.public));
        assert_false(pdu_verify_json(object, "elsewhere", "ed25519:1", key.public));
        json_object_set_new(object, "unsigned", json_object());
        assert_true(pdu_verify_json(object, "domain", "ed25519:1", key.public));
        json_object_set_new(object, "one", json_integer(2));
        assert_false(pdu_verify_json(object, "domain", "ed25519:1", key.public));
        json_decref(object);
    }
}

static void test_sign_events(void **state)
{
    static const struct {
        const char *in, *hash, *signature;
    } CASES[] = {
        {"{'room_id':'!x:domain','sender':'@a:domain','origin':'domain','origin_server_ts':1000000,'signatures':{},"
         "'hashes':{},'type':'X','content':{},'prev_events':[],'auth_events':[],'depth':3,'unsigned':{'age_ts':1000000}"
         "}",
         "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
         "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"},
        {"{'content':{'body':'Here is the message content'},'event_id':'$0:domain','origin':'domain',"
         "'origin_server_ts':1000000,'type':'m.room.message','room_id':'!r:domain','sender':'@u:domain','signatures':{}"
         ","
         "'unsigned':{'age_ts':1000000}}",
         "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
         "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"},
    };
    const struct room_version *v1 = room_version_get("1");
    struct signing_key key;
    spec_key(&key);
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *event = parse(CASES[i].in), *expected = parse(CASES[i].in);
        json_object_set_new(expected, "hashes", json_pack("{s:s}", "sha256", CASES[i].hash));
        json_object_set_new(expected, "signatures", json_pack("{s:{s:s}}", "domain", "ed25519:1", CASES[i].signature));
        pdu_tree_finish(v1, event, &key, "domain");
        assert_true(json_equal(event, expected));
        assert_true(pdu_tree_hash_holds(event));
        assert_true(pdu_tree_verify(v1, event, "domain", "ed25519:1", key.public));
        json_object_set_new(event, "content", json_pack("{s:s}", "body", "changed"));
        assert_false(pdu_tree_hash_holds(event));
        assert_true(pdu_tree_verify(v1, event, "domain", "ed25519:1", key.public)); /* redaction does not break it */
        json_object_set_new(event, "sender", json_string("@b:domain"));
        assert_false(pdu_tree_verify(v1, event, "domain", "ed25519:1", key.public));
        json_decref(event);
        json_decref(expected);
    }
}

/* The text, spelled out once per format, so that a slip that tree and splice would share is seen. */
static void test_text(void **state)
{
    static const unsigned char HASHES[1][SHA256_BYTES] = {{0}};
    static const char *const IDS[] = {"$p:s"};
    static const struct {
        const char *version, *text;
    } CASES[] = {
        {"1",
         "{'auth_events':[],'content':{'a':1},'depth':5,'event_id':'$e:s','hashes':"
         "{'sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'},'origin_server_ts':6,'prev_events':[['$p:s',"
         "{'sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}]],'redacts':'$r:s','room_id':'!r:s','sender':'@a:s',"
         "'state_key':'','type':'m.room.create'}"},
        {"3", "{'auth_events':[],'content':{'a':1},'depth':5,'hashes':"
              "{'sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'},'origin_server_ts':6,'prev_events':['$p:s'],"
              "'redacts':'$r:s','room_id':'!r:s','sender':'@a:s','state_key':'','type':'m.room.create'}"},
        {"12", "{'auth_events':[],'content':{'a':1},'depth':5,'hashes':"
               "{'sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'},'origin_server_ts':6,'prev_events':['$p:s'],"
               "'sender':'@a:s','state_key':'','type':'m.room.create'}"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct pdu pdu = {
            .version = room_version_get(CASES[i].version),
            .room_id = "!r:s",
            .sender = "@a:s",
            .type = "m.room.create",
            .state_key = "",
            .content = "{\"a\":1}",
            .content_len = 7,
            .origin_server_ts = 6,
            .depth = 5,
            .prev_events = IDS,
            .n_prev = 1,
            .prev_hashes = HASHES,
            .redacts = "$r:s",
            .event_id = "$e:s",
        };
        struct text out = TEXT_INIT;
        pdu_add_text(&out, &pdu, PDU_HASHES);
        for (char *at = out.data; (at = strchr(at, '"')) != NULL;)
            *at = '\'';
        assert_string_equal(out.data, CASES[i].text);
        text_finish(&out);
    }
}

/* Random events. */

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % n;
}

static json_t *random_string(uint64_t *seed)
{
    static const char *const PIECES[] = {"a",    "b c", "\"",   "\\", "\n", "\x01", "\x1f",
                                         "\x7f", "é",   "日本", "😀",  "/",  "<",    "\t"};
    struct text t = TEXT_INIT;
    text_adds(&t, "");
    for (uint32_t n = random_below(seed, 6); n > 0; --n)
        text_adds(&t, PIECES[random_below(seed, COUNT(PIECES))]);
    json_t *string = json_stringn(t.data, t.len);
    text_finish(&t);
    return string;
}

static json_t *random_value(uint64_t *seed, int depth)
{
    json_t *value;
    switch (random_below(seed, depth > 3 ? 5 : 7)) {
    case 0: return random_string(seed);
    case 1: return json_integer((int64_t)random_below(seed, 2000) - 1000);
    case 2: return json_integer(random_below(seed, 2) != 0 ? JSON_INT_MAX : -JSON_INT_MAX);
    case 3: return json_boolean(random_below(seed, 2));
    case 4: return json_null();
    case 5:
        value = json_array();
        for (uint32_t n = random_below(seed, 4); n > 0; --n)
            json_array_append_new(value, random_value(seed, depth + 1));
        return value;
    }
    value = json_object();
    for (uint32_t n = random_below(seed, 5); n > 0; --n) {
        json_t *key = random_string(seed);
        json_object_set_new(value, json_string_value(key), random_value(seed, depth + 1));
        json_decref(key);
    }
    return value;
}

static json_t *random_content(uint64_t *seed)
{
    static const char *const KEYS[] = {"membership",
                                       "creator",
                                       "join_rule",
                                       "allow",
                                       "ban",
                                       "events",
                                       "invite",
                                       "users",
                                       "history_visibility",
                                       "aliases",
                                       "redacts",
                                       "body",
                                       "third_party_invite",
                                       "join_authorised_via_users_server",
                                       "zz",
                                       "\"odd\" key"};
    json_t *content = json_object();
    for (uint32_t n = random_below(seed, 8); n > 0; --n)
        json_object_set_new(content, KEYS[random_below(seed, COUNT(KEYS))], random_value(seed, 0));
    return content;
}

#define REFERENCES 3

/* One event twice: as a tree and as a struct pdu. */
struct twins {
    struct pdu pdu;
    json_t *tree;
    char *content;
    json_t *strings; /* what pdu borrows */
    const char *ids[2][REFERENCES];
    unsigned char hashes[2][REFERENCES][SHA256_BYTES];
};

static const char *keep(struct twins *t, json_t *string)
{
    json_array_append_new(t->strings, string);
    return json_string_value(string);
}

/* The references of one list, told in the version's way. */
static json_t *references(struct twins *t, int which, size_t n, uint64_t *seed)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; ++i) {
        struct text encoded = TEXT_INIT;
        for (size_t k = 0; k < SHA256_BYTES; ++k)
            t->hashes[which][i][k] = (unsigned char)random_below(seed, 256);
        t->ids[which][i] = keep(t, json_sprintf("$%u:s", random_below(seed, 1000000)));
        text_add_base64(&encoded, t->hashes[which][i], SHA256_BYTES);
        json_array_append_new(list, t->pdu.version->number <= 2
                                        ? json_pack("[s, {s:s}]", t->ids[which][i], "sha256", encoded.data)
                                        : json_string(t->ids[which][i]));
        text_finish(&encoded);
    }
    return list;
}

static void twins_init(struct twins *t, const struct room_version *version, uint64_t *seed)
{
    static const char *const TYPES[] = {
        "m.room.message",    "m.room.member",  "m.room.create",    "m.room.power_levels",
        "m.room.join_rules", "m.room.aliases", "m.room.redaction", "m.room.history_visibility",
        "odd \"type\"\n"};
    struct pdu *pdu = &t->pdu;
    *t = (struct twins){.strings = json_array()};
    json_t *content = random_content(seed);
    pdu->version = version;
    pdu->sender = keep(t, json_sprintf("@u%u:s", random_below(seed, 100)));
    pdu->type = TYPES[random_below(seed, COUNT(TYPES))];
    pdu->content = t->content = json_canonical(content);
    pdu->content_len = strlen(t->content);
    pdu->origin_server_ts = random_below(seed, 2000000000);
    pdu->depth = random_below(seed, 1000);
    pdu->n_prev = random_below(seed, REFERENCES + 1);
    pdu->n_auth = random_below(seed, REFERENCES + 1);
    t->tree = json_pack("{s:s, s:s, s:o, s:I, s:I}", "sender", pdu->sender, "type", pdu->type, "content", content,
                        "origin_server_ts", (json_int_t)pdu->origin_server_ts, "depth", (json_int_t)pdu->depth);
    json_object_set_new(t->tree, "prev_events", references(t, 0, pdu->n_prev, seed));
    json_object_set_new(t->tree, "auth_events", references(t, 1, pdu->n_auth, seed));
    pdu->prev_events = t->ids[0];
    pdu->auth_events = t->ids[1];
    pdu->prev_hashes = (const unsigned char(*)[SHA256_BYTES])t->hashes[0];
    pdu->auth_hashes = (const unsigned char(*)[SHA256_BYTES])t->hashes[1];
}

static void twins_options(struct twins *t, uint64_t *seed)
{
    struct pdu *pdu = &t->pdu;
    if (random_below(seed, 2) != 0)
        json_object_set_new(t->tree, "state_key", json_string(pdu->state_key = keep(t, random_string(seed))));
    pdu->room_id = "!r:s";
    if (pdu->version->number < 12 || strcmp(pdu->type, "m.room.create") != 0)
        json_object_set_new(t->tree, "room_id", json_string(pdu->room_id));
    if (pdu->version->number <= 10 && random_below(seed, 3) == 0)
        json_object_set_new(t->tree, "redacts", json_string(pdu->redacts = "$gone:s"));
    if (pdu->version->number <= 2) {
        strcpy(pdu->event_id, "$own:s");
        json_object_set_new(t->tree, "event_id", json_string(pdu->event_id));
    }
}

static void twins_finish(struct twins *t)
{
    json_decref(t->tree);
    json_decref(t->strings);
    free(t->content);
}

static void assert_text(const struct pdu *pdu, unsigned parts, const json_t *tree)
{
    struct text text = TEXT_INIT;
    char *expected = json_canonical(tree);
    pdu_add_text(&text, pdu, parts);
    assert_string_equal(text.data, expected);
    text_finish(&text);
    free(expected);
}

static void check_twins(struct twins *t, const struct signing_key *key)
{
    unsigned char hash[SHA256_BYTES], spliced[SHA256_BYTES];
    struct error e = {0};
    struct pdu *pdu = &t->pdu;
    assert_text(pdu, 0, t->tree);
    pdu_tree_finish(pdu->version, t->tree, key, "s");
    assert_true(pdu_finish(pdu, key->id, "s", &e));
    pdu_sign(pdu, key, "s");
    assert_text(pdu, PDU_WHOLE, t->tree);
    json_t *redacted = redact_event(pdu->version, t->tree);
    assert_text(pdu, PDU_WHOLE | PDU_REDACTED, redacted);
    pdu_tree_content_hash(t->tree, hash);
    assert_memory_equal(pdu->hash, hash, sizeof hash);
    pdu_tree_reference_hash(pdu->version, t->tree, hash);
    pdu_reference_hash(pdu, spliced);
    assert_memory_equal(spliced, hash, sizeof hash);
    pdu_tree_reference_hash(pdu->version, redacted, hash);
    assert_memory_equal(spliced, hash, sizeof hash);
    assert_true(pdu_tree_verify(pdu->version, t->tree, "s", key->id, key->public));
    assert_true(pdu_tree_hash_holds(t->tree));
    json_decref(redacted);

    struct text id = TEXT_INIT;
    text_addc(&id, '$');
    (pdu->version->number == 3 ? text_add_base64 : text_add_base64url)(&id, hash, sizeof hash);
    assert_string_equal(pdu->event_id, pdu->version->number <= 2 ? "$own:s" : id.data);
    assert_true(event_id_valid(pdu->event_id));
    text_finish(&id);
}

static void test_splice_is_tree(void **state)
{
    const struct room_version *version;
    struct signing_key key;
    uint64_t seed = 20240229;
    spec_key(&key);
    for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v)
        for (int i = 0; i < 150; ++i) {
            struct twins t;
            twins_init(&t, version, &seed);
            twins_options(&t, &seed);
            check_twins(&t, &key);
            twins_finish(&t);
        }
}

/* A row whose content was redacted gives the same id and signature as before: it can be signed whenever it leaves. */
static void test_redacted_row(void **state)
{
    static const char CONTENT[] = "{\"displayname\":\"A\",\"membership\":\"join\"}",
                      LEFT[] = "{\"membership\":\"join\"}";
    struct signing_key key;
    struct error e = {0};
    unsigned char before[SHA256_BYTES], after[SHA256_BYTES], signature[SIGNATURE_BYTES];
    spec_key(&key);
    struct pdu pdu = {.version = room_version_get("11"),
                      .room_id = "!r:s",
                      .sender = "@a:s",
                      .type = "m.room.member",
                      .state_key = "@a:s",
                      .content = CONTENT,
                      .content_len = strlen(CONTENT)};
    assert_true(pdu_finish(&pdu, key.id, "s", &e));
    pdu_reference_hash(&pdu, before);
    pdu_sign(&pdu, &key, "s");
    memcpy(signature, pdu.signature, sizeof signature);
    pdu.content = LEFT;
    pdu.content_len = strlen(LEFT);
    pdu_reference_hash(&pdu, after);
    assert_memory_equal(before, after, sizeof before);
    pdu_sign(&pdu, &key, "s");
    assert_memory_equal(signature, pdu.signature, sizeof signature);
}

static void test_ids(void **state)
{
    static const unsigned char HASH[SHA256_BYTES] = {0xfb, 0xff, 0xbf};
    char id[ID_BYTES_MAX + 1], room[ID_BYTES_MAX + 1];
    pdu_event_id(room_version_get("3"), HASH, id);
    assert_string_equal(id, "$+/+/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    pdu_event_id(room_version_get("4"), HASH, id);
    assert_string_equal(id, "$-_-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    pdu_room_id(id, room);
    assert_string_equal(room, "!-_-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

/* Sizes. */

static bool fits_with_body(size_t body, size_t *whole)
{
    struct signing_key key;
    struct error e = {0};
    struct text content = TEXT_INIT, text = TEXT_INIT;
    spec_key(&key);
    text_adds(&content, "{\"body\":\"");
    for (size_t i = 0; i < body; ++i)
        text_addc(&content, 'x');
    text_adds(&content, "\"}");
    struct pdu pdu = {.version = room_version_get("10"),
                      .room_id = "!r:s",
                      .sender = "@a:s",
                      .type = "m.room.message",
                      .content = content.data,
                      .content_len = content.len};
    bool fits = pdu_finish(&pdu, key.id, "s", &e);
    assert_int_equal(e.code, fits ? ERROR_NONE : ERROR_TOO_LARGE);
    pdu_add_text(&text, &pdu, PDU_WHOLE);
    *whole = text.len;
    text_finish(&text);
    text_finish(&content);
    return fits;
}

static void test_event_size(void **state)
{
    size_t empty, at, over;
    assert_true(fits_with_body(0, &empty));
    assert_true(fits_with_body(PDU_BYTES_MAX - empty, &at));
    assert_int_equal(at, PDU_BYTES_MAX);
    assert_false(fits_with_body(PDU_BYTES_MAX - empty + 1, &over));
    assert_int_equal(over, PDU_BYTES_MAX + 1);
}

static void test_field_sizes(void **state)
{
    static const size_t FIELDS[] = {offsetof(struct pdu, room_id), offsetof(struct pdu, sender),
                                    offsetof(struct pdu, type), offsetof(struct pdu, state_key)};
    struct signing_key key;
    char value[ID_BYTES_MAX + 2];
    spec_key(&key);
    for (size_t i = 0; i < COUNT(FIELDS); ++i)
        for (size_t len = ID_BYTES_MAX; len <= ID_BYTES_MAX + 1; ++len) {
            struct pdu pdu = {.version = room_version_get("10"),
                              .room_id = "!r:s",
                              .sender = "@a:s",
                              .type = "t",
                              .state_key = "",
                              .content = "{}",
                              .content_len = 2};
            struct error e = {0};
            memset(value, 'a', len);
            value[len] = '\0';
            *(const char **)(void *)((char *)&pdu + FIELDS[i]) = value;
            assert_int_equal(pdu_finish(&pdu, key.id, "s", &e), len == ID_BYTES_MAX);
            assert_int_equal(e.code, len == ID_BYTES_MAX ? ERROR_NONE : ERROR_TOO_LARGE);
        }
}

static int start(void **state)
{
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_sign_json),      cmocka_unit_test(test_sign_events),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_splice_is_tree), cmocka_unit_test(test_redacted_row), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_event_size),     cmocka_unit_test(test_field_sizes),
    };
    return cmocka_run_group_tests(TESTS, start, NULL);
}
