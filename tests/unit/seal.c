/* Sealed numbers (base/seal.h) and the tokens made of them (rooms/read/token.h): each goes back to what it was for whom
 * it was, and to nobody else; and nothing is to be seen of the numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/seal.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/incarnations.h"
#include "homeserver/store/driver/schema.h"

#define CONSECUTIVE 10000
#define ANNA 7
#define BORIS 8

static struct incarnations *in;

static int set_up(void **state)
{
    struct db *db = crypto_start() ? db_open(":memory:", DB_WRITE, NULL) : NULL;
    bool ready =
        db != NULL && schema_migrate(db) && (in = incarnations_load(db, 0)) != NULL && incarnations_begin(in, db, 1);
    db_close(db);
    return ready ? 0 : -1;
}

static int tear_down(void **state)
{
    incarnations_destroy(in);
    return 0;
}

static void token_of(char *out, size_t cap, user_no whose, stream_pos pos)
{
    struct text token = TEXT_INIT;
    token_add(&token, in, whose, pos);
    assert_true(token.len < cap);
    memcpy(out, token.data, token.len + 1);
    text_finish(&token);
}

static void cursor_of(char *out, size_t cap, user_no whose, int64_t number)
{
    struct text token = TEXT_INIT;
    token_add_cursor(&token, in, whose, number);
    assert_true(token.len < cap);
    memcpy(out, token.data, token.len + 1);
    text_finish(&token);
}

static void every_number_comes_back(void **state)
{
    static const int64_t NUMBERS[] = {0, 1, 255, 256, 65535, 1 << 20, (int64_t)1 << 40, (int64_t)1 << 52, INT64_MAX};
    char token[80];
    int64_t back;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; ++i) {
        token_of(token, sizeof token, ANNA, NUMBERS[i]);
        assert_int_equal(token_parse(token, in, ANNA, &back), TOKEN_GOOD);
        assert_int_equal(back, NUMBERS[i]);
        assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
                         strlen(token)); /* nothing that a query would have to escape */
        cursor_of(token, sizeof token, ANNA, NUMBERS[i]);
        assert_true(token_parse_cursor(token, in, ANNA, &back));
        assert_int_equal(back, NUMBERS[i]);
    }
}

/* Of another person, of another kind, changed in one character: none. */
static void no_other_opens_it(void **state)
{
    char token[80], cursor[80], changed[80];
    int64_t back;
    for (int64_t pos = 1; pos <= 1000; ++pos) {
        token_of(token, sizeof token, ANNA, pos);
        cursor_of(cursor, sizeof cursor, ANNA, pos);
        assert_int_equal(token_parse(token, in, BORIS, &back), TOKEN_NONE);
        assert_false(token_parse_cursor(cursor, in, BORIS, &back));
        assert_false(token_parse_cursor(token, in, ANNA, &back));
        assert_int_equal(token_parse(cursor, in, ANNA, &back), TOKEN_NONE);
        cursor[0] = 't';
        token[0] = 'c';
        assert_int_equal(token_parse(cursor, in, ANNA, &back), TOKEN_NONE);
        assert_false(token_parse_cursor(token, in, ANNA, &back));
    }
    token_of(token, sizeof token, ANNA, 1000);
    for (size_t i = 1; i < SEALED_CHARS; ++i) { /* the last one has four bits that say nothing */
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(token_parse(changed, in, ANNA, &back), TOKEN_NONE);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void no_two_are_alike(void **state)
{
    static char tokens[CONSECUTIVE][80];
    for (size_t i = 0; i < CONSECUTIVE; ++i)
        token_of(tokens[i], sizeof tokens[i], ANNA, 12345); /* nothing happens, and nobody can tell */
    qsort(tokens, CONSECUTIVE, sizeof *tokens, by_text);
    for (size_t i = 1; i < CONSECUTIVE; ++i)
        assert_string_not_equal(tokens[i - 1], tokens[i]);
}

static void bytes_of(unsigned char out[22], user_no whose, stream_pos pos)
{
    char token[80];
    token_of(token, sizeof token, whose, pos);
    assert_int_equal(base64_decode(token + 1, SEALED_CHARS, out, 22), 22);
}

static int bits_apart(const unsigned char *a, const unsigned char *b)
{
    int n = 0;
    for (size_t i = 0; i < 22; ++i)
        n += __builtin_popcount((unsigned)(a[i] ^ b[i]));
    return n;
}

/* What could be seen of consecutive positions: a bit that is mostly the same or follows the one before, an order that
 * follows theirs, neighbours that are alike. Each count is of coin tosses: 10 000 of them are within 5 000 ± 300 but
 * once in 10^9 runs, 10 000 × 176 within 880 000 ± 4 000. */
static void nothing_is_to_be_seen(void **state)
{
    static int ones[176], stays[176];
    unsigned char last[22], now[22];
    int larger = 0, apart = 0, of_two = 0;
    bytes_of(last, ANNA, 0);
    for (stream_pos pos = 1; pos <= CONSECUTIVE; ++pos) {
        unsigned char boris[22];
        bytes_of(now, ANNA, pos);
        bytes_of(boris, BORIS, pos);
        larger += memcmp(now, last, 22) > 0;
        apart += bits_apart(now, last);
        of_two += bits_apart(now, boris);
        for (size_t bit = 0; bit < 176; ++bit) {
            int is = now[bit / 8] >> bit % 8 & 1, was = last[bit / 8] >> bit % 8 & 1;
            ones[bit] += is;
            stays[bit] += is == was;
        }
        memcpy(last, now, 22);
    }
    assert_in_range(larger, 5000 - 300, 5000 + 300);
    assert_in_range(apart, 880000 - 4000, 880000 + 4000);
    assert_in_range(of_two, 880000 - 4000, 880000 + 4000);
    for (size_t bit = 0; bit < 176; ++bit) {
        assert_in_range(ones[bit], 5000 - 350, 5000 + 350);
        assert_in_range(stays[bit], 5000 - 350, 5000 + 350);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_comes_back),
        cmocka_unit_test(no_other_opens_it),
        cmocka_unit_test(no_two_are_alike),
        cmocka_unit_test(nothing_is_to_be_seen),
    };
    return cmocka_run_group_tests_name("seal", tests, set_up, tear_down);
}
