/* Base64, hashes and signatures (Appendices, "Unpadded Base64", "Cryptographic Test Vectors"; FIPS 180; RFC 8032). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_base64(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } CASES[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
                 {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text t = TEXT_INIT;
        unsigned char back[16];
        size_t len = strlen(CASES[i].plain);
        text_add_base64(&t, (const unsigned char *)CASES[i].plain, len);
        assert_string_equal(t.data, CASES[i].encoded);
        assert_int_equal(base64_decode(t.data, t.len, back, sizeof back), len);
        assert_memory_equal(back, CASES[i].plain, len);
        text_finish(&t);
    }
}

static void test_base64_alphabets(void **state)
{
    static const unsigned char BYTES[] = {0xfb, 0xff, 0xbf};
    struct text t = TEXT_INIT;
    unsigned char back[3];
    text_add_base64(&t, BYTES, sizeof BYTES);
    assert_string_equal(t.data, "+/+/");
    text_clear(&t);
    text_add_base64url(&t, BYTES, sizeof BYTES);
    assert_string_equal(t.data, "-_-_");
    text_clear(&t);
    for (size_t len = 3; len > 0; --len)
        text_add_base64_padded(&t, BYTES, len);
    assert_string_equal(t.data, "+/+/+/8=+w==");
    text_finish(&t);
    assert_int_equal(base64_decode("+/+/", 4, back, sizeof back), 3);
    assert_memory_equal(back, BYTES, 3);
    assert_int_equal(base64_decode("-_-_", 4, back, sizeof back), 3);
    assert_memory_equal(back, BYTES, 3);
}

static void test_base64_decode(void **state)
{
    static const struct {
        const char *s;
        int n;
    } CASES[] = {
        {"Zg==", 1},   {"Zm8=", 2},    {"Zm9v", 3},      {"Zh", 1},          /* stray bits */ {"Z", -1},
        {"Zm9vY", -1}, {"=", -1},      {"====", -1},     {"Z===", -1},       {"Zg=", -1},
        {"Zm 9", -1},  {"Zm9v\n", -1}, {"Zg==Zg==", -1}, {"Zm9vYmFyeA", -1}, /* seven bytes do not fit */
    };
    unsigned char out[6];
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (base64_decode(CASES[i].s, strlen(CASES[i].s), out, sizeof out) != CASES[i].n)
            fail_msg("%s: expected %d", CASES[i].s, CASES[i].n);
}

static void assert_hex(const unsigned char *bytes, size_t len, const char *hex)
{
    struct text t = TEXT_INIT;
    for (size_t i = 0; i < len; ++i)
        text_addf(&t, "%02x", bytes[i]);
    assert_string_equal(t.data, hex);
    text_finish(&t);
}

static void test_sha256(void **state)
{
    unsigned char hash[SHA256_BYTES];
    sha256("abc", 3, hash);
    assert_hex(hash, sizeof hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256("", 0, hash);
    assert_hex(hash, sizeof hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_token_hash(void **state)
{
    unsigned char a[TOKEN_HASH_BYTES], b[TOKEN_HASH_BYTES];
    token_hash("abc", a); /* BLAKE2b-256 without a key */
    assert_hex(a, sizeof a, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    token_hash("abd", b);
    assert_false(bytes_equal(a, b, sizeof a));
    assert_true(bytes_equal(a, a, sizeof a));
}

static void test_random_names(void **state)
{
    char a[33], b[33];
    random_name(a, 32);
    random_name(b, 32);
    assert_int_equal(strlen(a), 32);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), 32);
    assert_string_not_equal(a, b);
}

/* The specification's key: an empty object signed, that is the bytes "{}". */
static void test_signing(void **state)
{
    static const char SEED[] = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
    unsigned char seed[SEED_BYTES], signature[SIGNATURE_BYTES];
    struct signing_key key;
    struct text t = TEXT_INIT;
    assert_int_equal(base64_decode(SEED, strlen(SEED), seed, sizeof seed), SEED_BYTES);
    signing_key_from_seed(&key, "1", seed);
    assert_string_equal(key.id, "ed25519:1");
    signing_key_sign(&key, "{}", 2, signature);
    text_add_base64(&t, signature, sizeof signature);
    assert_string_equal(t.data,
                        "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ");
    text_finish(&t);
    assert_true(signature_verify(key.public, "{}", 2, signature));
    assert_false(signature_verify(key.public, "{ ", 2, signature));
    signature[5] ^= 1;
    assert_false(signature_verify(key.public, "{}", 2, signature));
}

/* What these keys sealed lies in databases, cookies and open forms: a key that comes out otherwise is lost data. */
static void test_server_keys_stay_what_they_are(void **state)
{
    static const char *const HEX[SERVER_KEYS] = {
        [KEY_FORM_TOKENS] = "55083d3f6cb4281099a8470da6a8e2a4f6e94f3265c7c1d47ae720fee27290ae",
        [KEY_FORM_SUBJECTS] = "9330e0649548e1896fe78ec566ce206a99346c9fd4d486bd2dfe9800691bdc76",
        [KEY_FORM_DRAFTS] = "6f90be2fa09c70b479aa8ea4666e646a0a21cccf896d253c3e2fe501c905c756",
        [KEY_KNOWN_BROWSERS] = "6088d4749f7d7e67216500f76acb64245aa8ebf8fa2b5c242c011212dfa893be",
        [KEY_SECOND_FACTORS] = "8655239ac25632b7adf4d29de7926f27666a8d21731495fe1daf5b782dd27cb7",
        [KEY_OIDC_ATTEMPTS] = "c36d0323339739daaa323381b1a251ac7573d6c576425487e8de6421ca5a4c77",
    };
    unsigned char seed[SEED_BYTES], derived[SERVER_KEY_BYTES];
    char hex[2 * SERVER_KEY_BYTES + 1];
    struct signing_key key;
    for (unsigned char i = 0; i < SEED_BYTES; ++i)
        seed[i] = i;
    signing_key_from_seed(&key, "1", seed);
    for (enum server_key purpose = 0; purpose < SERVER_KEYS; ++purpose) {
        server_key(&key, purpose, derived);
        for (size_t i = 0; i < SERVER_KEY_BYTES; ++i)
            snprintf(hex + 2 * i, 3, "%02x", derived[i]);
        assert_string_equal(hex, HEX[purpose]);
        for (enum server_key other = 0; other < purpose; ++other)
            assert_string_not_equal(HEX[purpose], HEX[other]);
    }
}

/* BLAKE2b keyed with the derived key (RFC 7693): held against another implementation. */
static void test_server_mac(void **state)
{
    static const unsigned char MAC[16] = {0x53, 0xd2, 0x86, 0x51, 0x81, 0x7b, 0x1c, 0xfd,
                                          0xbe, 0x6a, 0x2f, 0x9f, 0xb7, 0x08, 0x62, 0x39};
    unsigned char seed[SEED_BYTES], mac[sizeof MAC];
    struct signing_key key;
    for (unsigned char i = 0; i < SEED_BYTES; ++i)
        seed[i] = i;
    signing_key_from_seed(&key, "1", seed);
    server_mac(&key, KEY_FORM_TOKENS, "1 x /parta", strlen("1 x /parta"), mac, sizeof mac);
    assert_memory_equal(mac, MAC, sizeof MAC);
    server_mac(&key, KEY_KNOWN_BROWSERS, "1 x /parta", strlen("1 x /parta"), mac, sizeof mac);
    assert_memory_not_equal(mac, MAC, sizeof MAC);
}

static int start(void **state)
{
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_base64),        cmocka_unit_test(test_base64_alphabets),
        cmocka_unit_test(test_base64_decode), cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_token_hash),    cmocka_unit_test(test_random_names),
        cmocka_unit_test(test_signing),       cmocka_unit_test(test_server_keys_stay_what_they_are),
        cmocka_unit_test(test_server_mac),
    };
    return cmocka_run_group_tests(TESTS, start, NULL);
}
