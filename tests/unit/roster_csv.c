/* CSV files and roster archives: what is read, and every way to be refused with file, line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/oneroster/csv.h"
#include "policy/oneroster/reader.h"
#include "tests/unit/roster_archive.h"

/* --- CSV --- */

static bool render_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct text *out = self;
    (void)reader;
    text_addf(out, "%lld", (long long)row->line);
    for (size_t i = 0; i < row->n; ++i)
        text_addf(out, "[%s]", row->fields[i]);
    text_addc(out, ' ');
    return true;
}

/* The rows as "1[a][b] 2[c][d] ", or the problem; fed `step` bytes at a time. */
static char *read_in_steps(const char *bytes, size_t len, size_t step)
{
    char buf[512];
    struct text out = TEXT_INIT;
    struct roster_problem problem = {0};
    struct csv_reader *reader = csv_reader_create("f", render_row, &out, &problem);
    bool good = true;
    for (size_t at = 0; at < len && good; at += step)
        good = csv_reader_feed(reader, bytes + at, len - at < step ? len - at : step);
    good = good && csv_reader_end(reader);
    csv_reader_destroy(reader);
    if (!good) {
        text_clear(&out);
        text_adds(&out, roster_problem_text(&problem, buf, sizeof buf));
    }
    text_adds(&out, "");
    return text_take(&out);
}

static const struct {
    const char *bytes, *want;
} CSVS[] = {
    {"a,b\n1,2\n", "1[a][b] 2[1][2] "},
    {"a,b\r\n1,2\r\n", "1[a][b] 2[1][2] "},
    {"a,b\n1,2", "1[a][b] 2[1][2] "},
    {"\xef\xbb\xbf"
     "a\nж\n",
     "1[a] 2[ж] "},
    {"a\n\n  \n1\n", "1[a] 4[1] "},
    {"a,b\n\"x,\"\"y\"\"\", z \n", "1[a][b] 2[x,\"y\"][z] "},
    {"a,b\n,\n", "1[a][b] 2[][] "},
    {"", "f:1:1: the file is empty: there is no header"},
    {"\n\n", "f:1:1: the file is empty: there is no header"},
    {"a,b\n1\n", "f:2:2: 1 fields where the header has 2"},
    {"a,b\n1,2,3\n", "f:2:5: 3 fields where the header has 2"},
    {"a,b\nж\"x,2\n", "f:2:2: a quote where none may be"},
    {"a,b\n\"x\"y,2\n", "f:2:4: a quote where none may be"},
    {"a,b\n1,\"x", "f:2:3: a quote that is never closed"},
    {"a,b\nжж,\"x\ny\"\n", "f:2:4: a control character (code 10)"},
    {"a,b\nж,x\x01\n", "f:2:3: a control character (code 1)"},
    {"a,b\n1\r2,3\n", "f:2:1: a control character (code 13)"},
    {"a,b\nж,\xd0\n", "f:2:3: not valid UTF-8"},
    {"a,b\n1,\xed\xa0\x80\n", "f:2:3: not valid UTF-8"},
};

static void test_csv(void **state)
{
    for (size_t i = 0; i < sizeof CSVS / sizeof *CSVS; ++i)
        for (size_t step = 1; step <= 64; step = step * 3 + 1) {
            char *got = read_in_steps(CSVS[i].bytes, strlen(CSVS[i].bytes), step);
            if (strcmp(got, CSVS[i].want) != 0)
                fail_msg("case %zu in steps of %zu: %s, not %s", i, step, got, CSVS[i].want);
            free(got);
        }
}

static void test_csv_bounds(void **state)
{
    struct text bytes = TEXT_INIT;
    text_adds(&bytes, "a\n");
    for (int i = 0; i < CSV_FIELD_BYTES + 1; ++i)
        text_addc(&bytes, 'x');
    char *got = read_in_steps(bytes.data, bytes.len, 4096);
    assert_string_equal(got, "f:2:1: a field of more than 16384 bytes");
    free(got);
    while (bytes.len <= CSV_ROW_BYTES + 2)
        text_addc(&bytes, 'x');
    got = read_in_steps(bytes.data, bytes.len, 4096);
    assert_string_equal(got, "f:2:1: a row of more than 262144 bytes");
    free(got);
    text_clear(&bytes);
    for (int i = 0; i < CSV_COLUMNS; ++i)
        text_adds(&bytes, "a,");
    got = read_in_steps(bytes.data, bytes.len, 4096);
    assert_string_equal(got, "f:1:129: more than 64 columns");
    free(got);
    got = read_in_steps("a\n1\0\n", 5, 5);
    assert_string_equal(got, "f:2:1: a control character (code 0)");
    free(got);
    text_finish(&bytes);
}

/* Bytes are looked at by eights where they are plain: each that is not is found, wherever it stands. */
static void test_each_byte_is_looked_at(void **state)
{
    enum { LEN = 26 };
    for (int byte = 0; byte < 256; ++byte)
        for (int at = 0; at < LEN; ++at) {
            char bytes[LEN + 4] = "a\n", want[80];
            if (byte == '\n' || byte == ',' || byte == '"' || byte == ' ' || byte == '\t' || byte == '\r')
                continue;
            memset(bytes + 2, 'x', LEN);
            bytes[2 + at] = (char)byte;
            bytes[2 + LEN] = '\n';
            if (byte < 0x20 || byte == 0x7f)
                snprintf(want, sizeof want, "f:2:1: a control character (code %d)", byte);
            else if (byte >= 0x80)
                snprintf(want, sizeof want, "f:2:1: not valid UTF-8");
            else
                snprintf(want, sizeof want, "1[a] 2[%.*s] ", LEN, bytes + 2);
            char *got = read_in_steps(bytes, LEN + 3, LEN + 3);
            assert_string_equal(got, want);
            free(got);
        }
}

/* --- Archives --- */

static struct roster *read_with(const char *name, const char *text, char problem_text[512])
{
    struct roster_problem problem;
    size_t len;
    char *bytes = archive_with(name, text, NULL, &len);
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    free(bytes);
    roster_problem_text(&problem, problem_text, 512);
    return roster;
}

static const struct roster_role *role_find(const struct roster *roster, const char *person, enum school_role role)
{
    for (size_t i = 0; i < roster->n_roles; ++i)
        if (strcmp(roster->people[roster->roles[i].person].id, person) == 0 && roster->roles[i].role == role)
            return &roster->roles[i];
    return NULL;
}

static void test_whole(void **state)
{
    char problem[512];
    struct roster *roster = read_with(NULL, NULL, problem);
    if (roster == NULL)
        fail_msg("refused: %s", problem);
    assert_int_equal(roster->n_schools, 2);
    assert_int_equal(roster->n_classes, 2);
    assert_int_equal(roster->n_people, 4);
    assert_int_equal(roster->n_enrollments, 2);
    assert_int_equal(roster->n_guardianships, 2);
    assert_string_equal(roster->schools[0].name, "Школа 1");
    assert_string_equal(roster->classes[1].title, "Физика, 5А");
    assert_true(roster->classes[0].homeroom);
    assert_false(roster->classes[1].homeroom);
    assert_int_equal(roster->people[1].birth, 20150304);
    assert_int_equal(roster->enrollments[0].role, ROLE_CLASS_TEACHER);
    assert_non_null(role_find(roster, "t", ROLE_CLASS_TEACHER));
    assert_non_null(role_find(roster, "t", ROLE_TEACHER));
    assert_non_null(role_find(roster, "f", ROLE_GUARDIAN));
    assert_null(role_find(roster, "f", ROLE_TEACHER));
    assert_int_equal(roster->n_roles, 5);
    roster_destroy(roster);
}

/* Roles that roles.csv does not tell of: from an enrollment, and in the school of a child. */
static void test_implied_roles(void **state)
{
    char problem[512];
    struct roster *roster = read_with("roles.csv",
                                      ROLES_HEAD "r3,m,primary,parent,,,z\nr4,f,primary,relative,,,s\n"
                                                 "r5,t,primary,districtAdministrator,,,d\n"
                                                 "r6,t,secondary,ext:gardener,,,s\n",
                                      problem);
    if (roster == NULL)
        fail_msg("refused: %s", problem);
    assert_non_null(role_find(roster, "p", ROLE_PUPIL));
    assert_non_null(role_find(roster, "t", ROLE_TEACHER));
    int of_mother = 0;
    for (size_t i = 0; i < roster->n_roles; ++i)
        of_mother += roster->roles[i].person == 2;
    assert_int_equal(of_mother, 2); /* in school z as told, in school s because of the child */
    assert_int_equal(roster->n_roles_left_out, 2);
    roster_destroy(roster);
}

#define UNSEEN "a control character, a zero-width one or one that turns the direction"
static const struct {
    const char *name, *text, *want;
} ILL[] = {
    /* the manifest */
    {"manifest.csv", NULL, "manifest.csv: is not in the archive"},
    {"manifest.csv", "", "manifest.csv:1:1: the file is empty: there is no header"},
    {"manifest.csv", "name,value\n", "manifest.csv:1:1: the header of a manifest is propertyName,value"},
    {"manifest.csv", "propertyName;value\nmanifest.version;1.0\n",
     "manifest.csv:1:1: no commas: \"parta roster convert\" mends what a spreadsheet has saved"},
    {"manifest.csv", "a,b,c\n", "manifest.csv:1:1: the columns of a manifest are propertyName,value"},
    {"manifest.csv", "propertyName,value\nmanifest.version,1.0\n", "manifest.csv: oneroster.version is missing"},
    {"manifest.csv", "propertyName,value\noneroster.version,1.2\n", "manifest.csv: manifest.version is missing"},
    {"manifest.csv", MANIFEST_HEAD "oneroster.version,1.2\n", "manifest.csv:4:1: oneroster.version is there twice"},
    {"manifest.csv", MANIFEST_HEAD "oneroster.version,1.1\n", "manifest.csv:4:1: oneroster.version is there twice"},
    {"manifest.csv", MANIFEST_HEAD "manifest.version,1.0\n", "manifest.csv:4:1: manifest.version is there twice"},
    {"manifest.csv", "propertyName,value\noneroster.version,1.0\n",
     "manifest.csv:2:19: only OneRoster 1.1 and 1.2 are read"},
    {"manifest.csv", "propertyName,value\nmanifest.version,2.0\n",
     "manifest.csv:2:18: only manifest version 1.0 is known"},
    {"manifest.csv", MANIFEST_HEAD "file.users,some\n", "manifest.csv:4:12: neither absent nor bulk nor delta"},
    {"manifest.csv", MANIFEST_HEAD "file.orgs,bulk\nfile.orgs,bulk\n", "manifest.csv:5:1: file.orgs is there twice"},
    {"manifest.csv", MANIFEST_HEAD "file.orgs,bulk\n",
     "academicSessions.csv: is in the archive, but the manifest does not say bulk or delta"},
    {"users.csv", NULL, "users.csv: is not in the archive, but the manifest says bulk"},
    /* headers */
    {"orgs.csv", "", "orgs.csv:1:1: the file is empty: there is no header"},
    {"orgs.csv", "sourcedId,name\n", "orgs.csv:1:1: column type is missing"},
    {"orgs.csv", "sourcedId,name,type,name\n", "orgs.csv:1:21: column name is there twice"},
    {"orgs.csv", "\xff\n", "orgs.csv:1:1: not valid UTF-8"},
    /* cells */
    {"orgs.csv", ORGS_HEAD "s,,,,school,,\n", "orgs.csv:2:5: name: is empty"},
    {"orgs.csv", ORGS_HEAD "s,,,Школа 1,skool,,\n",
     "orgs.csv:2:13: type: \"skool\" is not one of the standard's words"},
    {"orgs.csv", ORGS_HEAD "s,,,Школа 1,|school,,\n",
     "orgs.csv:2:13: type: \"|school\" is not one of the standard's words"},
    {"users.csv", USERS_HEAD "t,yes,t,Анна,Орлова,,\n",
     "users.csv:2:3: enabledUser: \"yes\" is neither true nor false"},
    /* names that show nothing, or not all of themselves (base/names.h) */
    {"users.csv", USERS_HEAD "t,true,t,\u200b,Орлова,,\n",
     "users.csv:2:10: givenName: \"\u200b\" is written with a character that nobody sees: " UNSEEN},
    {"users.csv", USERS_HEAD "t,true,t,Анна,\u202eавонавИ,,\n",
     "users.csv:2:15: familyName: \"\u202eавонавИ\" is written with a character that nobody sees: " UNSEEN},
    {"users.csv", USERS_HEAD "t,true,t,Анна,Орлова,И\xc2\x85вановна,\n",
     "users.csv:2:22: middleName: \"И\xc2\x85вановна\" is written with a character that nobody sees: " UNSEEN},
    {"users.csv", USERS_HEAD "t,true,t,\u00a0,Орлова,,\n", "users.csv:2:10: givenName: \"\u00a0\" is blank"},
    {"orgs.csv", ORGS_HEAD "s,,,\u3164,school,,\n",
     "orgs.csv:2:5: name: \"\u3164\" is written with a character that nobody sees: " UNSEEN},
    {"classes.csv", CLASSES_HEAD "c,5А,5,k,home,s,y\n",
     "classes.csv:2:10: classType: \"home\" is not one of the standard's words"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,2026-9-1,\n",
     "enrollments.csv:2:23: beginDate: \"2026-9-1\" is not a date like 2026-09-01"},
    {"demographics.csv", DEMOGRAPHICS_HEAD "p,2015-02-29,\n",
     "demographics.csv:2:3: birthDate: \"2015-02-29\" is not a date like 2026-09-01"},
    /* there twice */
    {"orgs.csv", ORGS_HEAD "s,,,Школа,school,,\ns,,,Школа,school,,\n",
     "orgs.csv:3:1: sourcedId: sourcedId \"s\" is there twice"},
    {"roles.csv", ROLES_HEAD "r1,t,primary,teacher,,,s\nr2,t,secondary,teacher,,2027-05-31,s\n",
     "roles.csv:3:16: role: this person has this role in this school already, to another day"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,p,student,,,\ne2,c,s,p,student,,,2027-05-31\n",
     "enrollments.csv:3:8: userSourcedId: this person is enrolled in this class already, to another day"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,m,teacher,true,,\n",
     "enrollments.csv:3:18: primary: the class has a primary teacher already"},
    /* dangling and wrong references */
    {"roles.csv", ROLES_HEAD "r1,x,primary,teacher,,,s\n", "roles.csv:2:4: userSourcedId: \"x\" is not in users.csv"},
    {"roles.csv", ROLES_HEAD "r1,t,primary,teacher,,,x\n", "roles.csv:2:24: orgSourcedId: \"x\" is not in orgs.csv"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,x,s,p,student,,,\n",
     "enrollments.csv:2:4: classSourcedId: \"x\" is not in classes.csv"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,z,p,student,,,\n",
     "enrollments.csv:2:6: schoolSourcedId: the class is of another school"},
    {"demographics.csv", DEMOGRAPHICS_HEAD "x,2015-03-04,female\n",
     "demographics.csv:2:1: sourcedId: \"x\" is not in users.csv"},
    {"users.csv", USERS_HEAD "t,true,t,Анна,Орлова,,\np,true,p,Мария,Иванова,,x\nm,true,m,О,И,,\nf,true,f,П,И,,\n",
     "users.csv:3:25: agentSourcedIds: \"x\" is not in users.csv"},
    /* the school's rules */
    {"roles.csv", ROLES_HEAD "r1,t,primary,ext:externalStaff,2026-09-01,,s\n",
     "roles.csv:2:43: endDate: external staff need an end date (rule B1)"},
    {"roles.csv", ROLES_HEAD "r1,t,primary,teacher,2026-09-02,2026-09-01,s\n",
     "roles.csv:2:33: endDate: ends before it begins"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,p,student,true,,\n",
     "enrollments.csv:2:18: primary: only a teacher can be primary"},
};

static void test_ill_formed(void **state)
{
    char problem[512];
    for (size_t i = 0; i < sizeof ILL / sizeof *ILL; ++i) {
        struct roster *roster = read_with(ILL[i].name, ILL[i].text, problem);
        if (roster != NULL)
            fail_msg("case %zu was read, but wanted %s", i, ILL[i].want);
        if (strcmp(problem, ILL[i].want) != 0)
            fail_msg("case %zu: %s, not %s", i, problem, ILL[i].want);
    }
}

/* --- Archives that are none, or too much --- */

static void refused(const char *bytes, size_t len, const char *want)
{
    char text[512];
    struct roster_problem problem;
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    assert_null(roster);
    roster_problem_text(&problem, text, sizeof text);
    if (strstr(text, want) == NULL)
        fail_msg("%s, not %s", text, want);
}

static void test_not_an_archive(void **state)
{
    struct roster_problem problem;
    size_t len;
    char *bytes = archive_with(NULL, NULL, NULL, &len);
    refused("", 0, "manifest.csv: is not in the archive"); /* to libzip, no bytes are an archive of no files */
    refused("PK\x03\x04 but no more", 16, "not a zip archive");
    for (size_t cut = 1; cut < len; cut += 37) /* wherever it is cut: refused, never half read */
        refused(bytes, cut, "not a zip archive");
    assert_null(roster_read("/nowhere/at/all.zip", &problem));
    free(bytes);
}

/* A changed byte is either found or harmless: what is read is the whole roster. */
static void test_damaged(void **state)
{
    struct roster_problem problem;
    size_t len, n_refused = 0;
    char *bytes = archive_with(NULL, NULL, NULL, &len);
    for (size_t i = 0; i < len; i += 3) {
        bytes[i] ^= 0x41;
        struct roster *roster = roster_read_bytes(bytes, len, &problem);
        n_refused += roster == NULL;
        assert_true(roster == NULL || (roster->n_people == 4 && roster->n_roles == 5));
        roster_destroy(roster);
        bytes[i] ^= 0x41;
    }
    assert_true(n_refused > 0);
    free(bytes);
}

static void test_bomb(void **state)
{
    struct text users = TEXT_INIT;
    char problem[512];
    text_adds(&users, USERS_HEAD);
    for (int i = 0; i < 8 << 20; ++i) /* blank lines pack about a thousand times */
        text_addc(&users, '\n');
    struct roster *roster = read_with("users.csv", users.data, problem);
    assert_null(roster);
    assert_string_equal(problem, "users.csv: is packed more than 400 times");
    text_finish(&users);
}

static void test_many_files(void **state)
{
    static char names[ROSTER_ENTRIES_MAX + 1][16];
    struct archive_file files[ROSTER_ENTRIES_MAX + 1];
    size_t len;
    for (int i = 0; i <= ROSTER_ENTRIES_MAX; ++i) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        files[i] = (struct archive_file){names[i], "x"};
    }
    char *bytes = archive_of(files, ROSTER_ENTRIES_MAX + 1, &len);
    refused(bytes, len, "more than 64 files in the archive");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte_is_looked_at),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_bounds),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_implied_roles),
        cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_not_an_archive),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
