/* The sample: what is written is read back, the same seed gives the same bytes, and the families are as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/sample.h"

static char *temp_path(void)
{
    char *path = xstrdup("/tmp/parta-sample-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return path;
}

static struct roster *write_and_read(const char *size_text, uint64_t seed, struct sample_counts *counts)
{
    struct sample_size size;
    struct roster_problem problem;
    char text[512], *path = temp_path();
    assert_true(sample_size_from(size_text, &size));
    assert_true(sample_write(path, seed, &size, counts));
    struct roster *roster = roster_read(path, &problem);
    unlink(path);
    free(path);
    if (roster == NULL)
        fail_msg("%s: %s", size_text, roster_problem_text(&problem, text, sizeof text));
    return roster;
}

static size_t people_with(const struct roster *roster, unsigned roles)
{
    size_t n = 0;
    for (size_t i = 0; i < roster->n_people; ++i)
        n += (roster->people[i].roles & roles) == roles;
    return n;
}

static void test_counts(void **state)
{
    static const char *const SIZES[] = {"1x1x2x0",  "1x1x2x1", "2x1x2",     "2x2x2",   "small",
                                        "3x13x5x3", "2x30x25", "1x600x2x0", "5x2x60x8"};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; ++i)
        for (uint64_t seed = 0; seed < 3; ++seed) {
            struct sample_counts counts;
            struct roster *roster = write_and_read(SIZES[i], seed, &counts);
            assert_int_equal(roster->n_schools, counts.schools);
            assert_int_equal(roster->n_classes, counts.classes + counts.subject_groups);
            assert_int_equal(roster->n_people, counts.people);
            assert_int_equal(roster->n_enrollments, counts.enrollments);
            assert_int_equal(roster->n_guardianships, counts.guardianships);
            assert_int_equal(roster->n_roles,
                             counts.roles + counts.classes); /* a class teacher's follows from the class */
            assert_int_equal(people_with(roster, ROLE_PUPIL), counts.pupils);
            assert_int_equal(people_with(roster, ROLE_GUARDIAN), counts.guardians);
            assert_int_equal(people_with(roster, ROLE_GUARDIAN | ROLE_TEACHER), counts.teacher_parents);
            assert_int_equal(people_with(roster, ROLE_HEAD), counts.schools);
            assert_int_equal(people_with(roster, ROLE_DEPUTY), 2 * counts.schools);
            assert_int_equal(people_with(roster, ROLE_CLASS_TEACHER), counts.classes);
            assert_int_equal(roster->n_roles_left_out + roster->n_enrollments_left_out, 0);
            roster_destroy(roster);
        }
}

/* From the small school on, every kind of family is there whatever the seed. */
static void test_families(void **state)
{
    for (uint64_t seed = 0; seed < 20; ++seed) {
        struct sample_counts counts;
        struct roster *roster = write_and_read("small", seed, &counts);
        assert_true(counts.cross_school_families > 0 && counts.teacher_parents > 0);
        assert_true(counts.guardianships > counts.pupils); /* two-parent families */
        roster_destroy(roster);
    }
    struct sample_counts counts;
    roster_destroy(write_and_read("medium", 1, &counts));
    assert_true(counts.sibling_families > 50 && counts.single_parents > 50 && counts.cross_school_families > 5);
}

static bool ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

/* A patronymic tells a man's from a woman's; a surname that has two forms must be of the same. */
static void test_names(void **state)
{
    struct sample_counts counts;
    struct roster *roster = write_and_read("medium", 5, &counts);
    for (size_t i = 0; i < roster->n_people; ++i) {
        const struct roster_person *p = &roster->people[i];
        bool woman = ends_with(p->middle, "на"), man = ends_with(p->middle, "ич");
        assert_true(woman != man);
        if (man && (ends_with(p->family, "ова") || ends_with(p->family, "ева") || ends_with(p->family, "ина") ||
                    ends_with(p->family, "ая")))
            fail_msg("%s %s %s", p->family, p->given, p->middle);
        if (woman && (ends_with(p->family, "ов") || ends_with(p->family, "ев") || ends_with(p->family, "ин") ||
                      ends_with(p->family, "ий")))
            fail_msg("%s %s %s", p->family, p->given, p->middle);
    }
    roster_destroy(roster);
}

static char *bytes_of(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    assert_non_null(file);
    *len = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void test_same_seed_same_bytes(void **state)
{
    struct sample_size size;
    char *a = temp_path(), *b = temp_path();
    size_t len_a, len_b, len_c;
    assert_true(sample_size_from("small", &size));
    assert_true(sample_write(a, 3, &size, NULL) && sample_write(b, 3, &size, NULL));
    char *first = bytes_of(a, &len_a), *second = bytes_of(b, &len_b);
    assert_int_equal(len_a, len_b);
    assert_memory_equal(first, second, len_a);
    assert_true(sample_write(b, 4, &size, NULL));
    char *third = bytes_of(b, &len_c);
    assert_true(len_c != len_a || memcmp(first, third, len_a) != 0);
    unlink(a);
    unlink(b);
    free(a), free(b), free(first), free(second), free(third);
}

static void test_sizes(void **state)
{
    struct sample_size size;
    assert_true(sample_size_from("large", &size));
    assert_true(sample_size_from("2x3x10", &size) && size.schools == 2 && size.classes == 3 && size.pupils == 10 &&
                size.subjects == 2);
    assert_true(sample_size_from("2x3x10x0", &size) && size.subjects == 0);
    static const char *const WRONG[] = {"",        "huge",   "2",         "2x3",    "2x3x1",  "0x3x4",
                                        "2x601x4", "2x3x61", "2x3x4x9",   "2x3x4x", "2x3x4 ", " 2x3x4",
                                        "+2x3x4",  "02x3x4", "2x3x4x1x1", "-2x3x4"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; ++i)
        if (sample_size_from(WRONG[i], &size))
            fail_msg("\"%s\" was taken", WRONG[i]);
    assert_true(sample_size_from("small", &size));
    assert_false(sample_write("/nowhere/at/all.zip", 1, &size, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts), cmocka_unit_test(test_families),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
