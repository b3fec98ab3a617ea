/* Linked into every unit test: PARTA_TEST_CASE='size*' runs only the cases whose function's name fits
 * (./dev test NAME --case). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

__attribute__((constructor)) static void choose_cases(void)
{
    const char *pattern = getenv("PARTA_TEST_CASE");
    if (pattern != NULL)
        cmocka_set_test_filter(pattern);
}
