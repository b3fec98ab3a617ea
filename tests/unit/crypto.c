/* Base64, hashes and signatures (Appendices, "Unpadded Base64", "Cryptographic Test Vectors"; FIPS 180; RFC 8032). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static int start(void **state)
{
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_base64),  cmocka_unit_test(test_base64_alphabets), cmocka_unit_test(test_base64_decode),
        cmocka_unit_test(test_sha256),  cmocka_unit_test(test_token_hash),       cmocka_unit_test(test_random_names),
        cmocka_unit_test(test_signing),
    };
    return cmocka_run_group_tests(TESTS, start, NULL);
}
