/* Whose next connection is let in, and how many there may be: arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/http/admission.h"

static void one_more_is_let_in(void **state)
{
    static const struct {
        struct admission_bounds bounds;
        size_t all, own;
        enum admission expected;
    } CASES[] = {
        {{100, 0}, 0, 0, ADMISSION_FULL},
        {{100, 0}, 44, 44, ADMISSION_FULL},
        {{100, 0}, 45, 45, ADMISSION_BRIEF}, /* more than nine tenths of its half */
        {{100, 0}, 49, 49, ADMISSION_BRIEF},
        {{100, 0}, 50, 50, ADMISSION_REFUSED},
        {{100, 0}, 50, 0, ADMISSION_FULL}, /* another */
        {{100, 0}, 74, 24, ADMISSION_FULL},
        {{100, 0}, 75, 25, ADMISSION_REFUSED}, /* as many as are left */
        {{100, 0}, 89, 0, ADMISSION_FULL},
        {{100, 0}, 90, 0, ADMISSION_BRIEF},
        {{100, 0}, 99, 0, ADMISSION_BRIEF},
        {{100, 0}, 99, 1, ADMISSION_REFUSED},
        {{100, 20}, 17, 17, ADMISSION_FULL},
        {{100, 20}, 19, 19, ADMISSION_BRIEF},
        {{100, 20}, 20, 20, ADMISSION_REFUSED},
        {{100, 100}, 49, 49, ADMISSION_FULL}, /* the setting gives more than half, and still not what is not left */
        {{100, 100}, 50, 50, ADMISSION_REFUSED},
        {{5, 0}, 0, 0, ADMISSION_FULL}, /* a tenth of few is none */
        {{5, 0}, 2, 2, ADMISSION_FULL},
        {{5, 0}, 4, 0, ADMISSION_FULL},
        {{1, 0}, 0, 0, ADMISSION_FULL},
        {{SIZE_MAX, 0}, SIZE_MAX / 4, SIZE_MAX / 4, ADMISSION_FULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        if (admission_of(&CASES[i].bounds, CASES[i].all, CASES[i].own) != CASES[i].expected)
            print_error("case %zu\n", i);
        assert_int_equal(admission_of(&CASES[i].bounds, CASES[i].all, CASES[i].own), CASES[i].expected);
    }
}

/* However many the others have, who has none finds a place as long as there is one; and whoever takes what they can
 * leaves as much again. */
static void there_is_room_for_who_comes_new(void **state)
{
    for (size_t max = 1; max < 300; ++max)
        for (size_t share = 0; share < 2 * max; share += 7) {
            struct admission_bounds bounds = {max, share};
            size_t all = 0;
            while (all < max) {
                size_t own = 0, left = max - all;
                while (all < max && admission_of(&bounds, all, own) != ADMISSION_REFUSED)
                    ++all, ++own;
                assert_true(own > 0);
                assert_true(own <= (left + 1) / 2);
            }
        }
}

static void connections_fit_into_descriptors(void **state)
{
    static const struct {
        size_t descriptors, others, expected;
    } CASES[] = {{65536, 352, 65184}, {1024, 352, 672}, {704, 352, 352}, {256, 352, 128}, {10, 352, 16}, {0, 0, 16}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(admission_fitting(CASES[i].descriptors, CASES[i].others), CASES[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_is_let_in),
        cmocka_unit_test(there_is_room_for_who_comes_new),
        cmocka_unit_test(connections_fit_into_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
