/* Range and If-Range: a table of cases of RFC 9110, 13.1.5 and 14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "homeserver/http/range.h"

#define HUGE_NUMBER "99999999999999999999999999"

static void ranges_are_found(void **state)
{
    static const struct {
        const char *range, *if_range, *etag;
        int64_t size;
        enum range_outcome outcome;
        int64_t first, last;
    } CASES[] = {
        {NULL, NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-0", NULL, NULL, 10, RANGE_PART, 0, 0},
        {"bytes=0-9", NULL, NULL, 10, RANGE_PART, 0, 9},
        {"bytes=2-5", NULL, NULL, 10, RANGE_PART, 2, 5},
        {"BYTES=2-5", NULL, NULL, 10, RANGE_PART, 2, 5},
        {"bytes= 2-5 ", NULL, NULL, 10, RANGE_PART, 2, 5},
        {"bytes=2-", NULL, NULL, 10, RANGE_PART, 2, 9},
        {"bytes=2-10", NULL, NULL, 10, RANGE_PART, 2, 9}, /* it ends where the bytes end */
        {"bytes=9-" HUGE_NUMBER, NULL, NULL, 10, RANGE_PART, 9, 9},
        {"bytes=10-", NULL, NULL, 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=10-20", NULL, NULL, 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=" HUGE_NUMBER "-", NULL, NULL, 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", NULL, NULL, 10, RANGE_PART, 9, 9},
        {"bytes=-10", NULL, NULL, 10, RANGE_PART, 0, 9},
        {"bytes=-11", NULL, NULL, 10, RANGE_PART, 0, 9},
        {"bytes=-" HUGE_NUMBER, NULL, NULL, 10, RANGE_PART, 0, 9},
        {"bytes=-0", NULL, NULL, 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", NULL, NULL, 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", NULL, NULL, 0, RANGE_WHOLE, 0, 0},
        {"bytes=0-9223372036854775807", NULL, NULL, INT64_MAX, RANGE_PART, 0, INT64_MAX - 1},
        /* not understood: the whole */
        {"", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=-", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=5", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=5-2", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=a-b", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=1-2x", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=--1", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=+1-2", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-1,4-5", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-1,", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        {"lines=0-1", NULL, NULL, 10, RANGE_WHOLE, 0, 0},
        /* only of what the client has already */
        {"bytes=2-5", "\"a\"", "\"a\"", 10, RANGE_PART, 2, 5},
        {"bytes=2-5", "\"a\"", "\"b\"", 10, RANGE_WHOLE, 0, 0},
        {"bytes=2-5", "\"a\"", NULL, 10, RANGE_WHOLE, 0, 0},
        {"bytes=2-5", "W/\"a\"", "W/\"a\"", 10, RANGE_WHOLE, 0, 0}, /* weak ones are never the same */
        {"bytes=2-5", "Tue, 01 Sep 2026 08:00:00 GMT", "\"a\"", 10, RANGE_WHOLE, 0, 0},
        {"bytes=10-", "\"b\"", "\"a\"", 10, RANGE_WHOLE, 0, 0},
        {"bytes=2-5", NULL, "\"a\"", 10, RANGE_PART, 2, 5},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct byte_range part = {0, 0};
        enum range_outcome outcome = range_find(CASES[i].range, CASES[i].if_range, CASES[i].etag, CASES[i].size, &part);
        if (outcome != CASES[i].outcome || part.first != CASES[i].first || part.last != CASES[i].last)
            print_error("case %zu: %s\n", i, CASES[i].range != NULL ? CASES[i].range : "none");
        assert_int_equal(outcome, CASES[i].outcome);
        assert_int_equal(part.first, CASES[i].first);
        assert_int_equal(part.last, CASES[i].last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
