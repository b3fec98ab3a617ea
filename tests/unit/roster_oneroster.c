/* OneRoster 1.1 beside 1.2, delta exports, mixed ones, REST pages, and the snapshot that they are merged into (I4). */
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

#include "homeserver/store/school/people.h"
#include "policy/oneroster/snapshot.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/rest.h"
#include "policy/oneroster/source.h"
#include "tests/unit/fixture.h"
#include "tests/unit/roster_told.h"

static struct packed base_of_whole(void)
{
    struct packed base = {0};
    char *says = import_on(WHOLE, WHOLE_COUNT, NULL, &base);
    assert_null(strstr(says, "refused"));
    free(says);
    return base;
}

/* --- OneRoster 1.1 --- */

static char *import_1_1_with(const char *name, const char *text, struct packed *snapshot)
{
    struct archive_file files[WHOLE_1_1_COUNT + 1];
    size_t n = 0;
    bool found = false;
    for (size_t i = 0; i < WHOLE_1_1_COUNT; ++i) {
        bool this = name != NULL && strcmp(WHOLE_1_1[i].name, name) == 0;
        found |= this;
        files[n++] = (struct archive_file){WHOLE_1_1[i].name, this ? text : WHOLE_1_1[i].text};
    }
    if (!found && name != NULL)
        files[n++] = (struct archive_file){name, text};
    return import_on(files, n, NULL, snapshot);
}

static void test_1_1_is_the_same_roster(void **state)
{
    char *a = import_on(WHOLE, WHOLE_COUNT, NULL, NULL), *b = import_on(WHOLE_1_1, WHOLE_1_1_COUNT, NULL, NULL);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static const struct {
    const char *name, *text, *want;
} CASES_1_1[] = {
    /* one role, in several orgs; a district's means nothing */
    {"users.csv",
     USERS_1_1 USER_1_1("t", "\"s,z,d\"", "teacher", "А", "О", "", "") "p,,,true,s,student,p,,М,И,,,,,,,,\n",
     "role t z 4"},
    /* the one kind of administrator is the school's */
    {"users.csv", USERS_1_1 USER_1_1("t", "z", "administrator", "А", "О", "", "") "p,,,true,s,student,p,,М,И,,,,,,,,\n",
     "role t z 128"},
    /* rows that are gone, in a bulk file too */
    {"enrollments.csv",
     "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
     "e1,active,2026-09-01,g,s,t,teacher,,,\ne2,inactive,2026-09-01,c,s,p,student,,,\ne3,tobedeleted,2026-09-01,x,y,z,,"
     ",,\n",
     "enrolled t g 4"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,g,s,m,aide,,,\n",
     "enrolled t c 8"},
    {"users.csv", USERS_1_1 USER_1_1("t", "s", "boss", "А", "О", "", ""),
     "refused: users.csv:2:12: role: \"boss\" is not one of the standard's words"},
    {"users.csv", USERS_1_1 USER_1_1("t", "x", "teacher", "А", "О", "", ""),
     "refused: users.csv:2:10: orgSourcedIds: \"x\" is not in orgs.csv"},
    {"users.csv", USERS_1_1 USER_1_1("t", "\"s,s\"", "teacher", "А", "О", "", "") "p,,,true,s,student,p,,М,И,,,,,,,,\n",
     "role t s 4"},
    {"users.csv", USERS_1_1 USER_1_1("t", "", "teacher", "А", "О", "", ""),
     "refused: users.csv:2:10: orgSourcedIds: is empty"},
    {"users.csv", USERS_1_1 USER_1_1("t", "s", "ext:externalStaff", "А", "О", "", ""),
     "refused: users.csv:2:12: role: external staff need an end date (rule B1), which OneRoster 1.1 has not"},
    {"users.csv", USERS_HEAD "t,true,t,Анна,Орлова,,\n",
     "refused: users.csv:1:1: column orgSourcedIds is missing\nusers.csv:1:1: column role is missing"},
    {"orgs.csv", ORGS_HEAD "s,gone,,Школа 1,school,,\n",
     "refused: orgs.csv:2:3: status: \"gone\" is not a status that a bulk file can have"},
    {"manifest.csv", MANIFEST_1_1 ALL_BULK "file.roles,bulk\n",
     "refused: roles.csv: is not in the archive, but the manifest says bulk"},
};

static void test_1_1(void **state)
{
    for (size_t i = 0; i < sizeof CASES_1_1 / sizeof *CASES_1_1; ++i) {
        char *says = import_1_1_with(CASES_1_1[i].name, CASES_1_1[i].text, NULL);
        if (strstr(says, CASES_1_1[i].want) == NULL)
            fail_msg("case %zu: no \"%s\" in:\n%s", i, CASES_1_1[i].want, says);
        free(says);
    }
}

static void test_1_1_has_no_roles_file(void **state)
{
    struct archive_file files[WHOLE_1_1_COUNT + 1];
    for (size_t i = 0; i < WHOLE_1_1_COUNT; ++i)
        files[i] = WHOLE_1_1[i];
    files[0].text = MANIFEST_1_1 ALL_BULK "file.roles,bulk\n";
    files[WHOLE_1_1_COUNT] = (struct archive_file){"roles.csv", ROLES_HEAD};
    char *says = import_on(files, WHOLE_1_1_COUNT + 1, NULL, NULL);
    assert_string_equal(says, "refused: manifest.csv: OneRoster 1.1 has no roles.csv");
    free(says);
}

/* --- The snapshot --- */

static void test_mirror(void **state)
{
    struct roster_problem problem;
    struct roster_problems problems = {0};
    struct packed base = base_of_whole(), again = base_of_whole();
    assert_int_equal(base.len, again.len); /* the same rows, the same bytes: an unchanged roster writes nothing */
    assert_memory_equal(base.bytes, again.bytes, base.len);
    struct snapshot *snapshot = snapshot_open(base.bytes, base.len, &problem);
    struct roster *roster = roster_read_snapshot(snapshot, &problems);
    char *a = told(roster, &problems), *b = import_on(WHOLE, WHOLE_COUNT, NULL, NULL);
    assert_string_equal(a, b);
    assert_string_equal(snapshot->csv[TABLE_CLASSES].data,
                        "sourcedId,title,grades,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n"
                        "c,5А,5,k,homeroom,s,y\ng,\"Физика, 5А\",5,k,scheduled,s,y\n");
    free(a);
    free(b);
    roster_destroy(roster);
    snapshot_destroy(snapshot);
    for (size_t cut = 1; cut < base.len; cut += 29)
        assert_null(snapshot_open(base.bytes, cut, &problem));
    assert_non_null(strstr(problem.message, "import a bulk export again"));
    free(base.bytes);
    free(again.bytes);
}

/* A5: no phone, e-mail, user name or password. */
static void test_mirror_keeps_no_contacts(void **state)
{
    struct roster_problem problem;
    struct packed base = {0};
    char *says = import_on(WHOLE_1_1, WHOLE_1_1_COUNT, NULL, &base);
    struct snapshot *snapshot = snapshot_open(base.bytes, base.len, &problem);
    for (int i = 0; i < TABLE__COUNT; ++i) {
        assert_null(strstr(snapshot->csv[i].data, "mail"));
        assert_null(strstr(snapshot->csv[i].data, "+7000"));
        assert_null(strstr(snapshot->csv[i].data, "secret"));
        assert_null(strstr(snapshot->csv[i].data, "sername"));
    }
    snapshot_destroy(snapshot);
    free(base.bytes);
    free(says);
}

/* --- Deltas --- */

#define STAMP "2026-10-01T08:00:00.000Z"
#define USERS_DELTA                                                                                                    \
    "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,middleName,agentSourcedIds\n"
#define ROLES_DELTA "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId\n"
#define ENROLLMENTS_DELTA                                                                                              \
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
#define CLASSES_DELTA                                                                                                  \
    "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n"

/* What a delta of up to three files makes of WHOLE: lines that are there and lines that are not. */
static const struct {
    struct archive_file files[4];
    const char *there, *not_there; /* NULL: nothing to say; "refused: …" is told whole */
} DELTAS[] = {
    /* a changed person, nobody else */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,active," STAMP ",true,p,Мария,Петрова,Петровна,\"m,f\"\n"}},
     "person p Петрова Мария Петровна born 20150304 enabled",
     "person p Иванова"},
    /* a new guardian in the place of the old one: her row, her role, the child's list */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\nfile.roles,delta\n"},
      {"users.csv", USERS_DELTA "q,active," STAMP ",true,q,Вера,Ильина,,\n"
                                "p,active," STAMP ",true,p,Мария,Иванова,Петровна,\"q,f\"\n"},
      {"roles.csv", ROLES_DELTA "r9,active," STAMP ",q,primary,guardian,,,s\n"}},
     "guardian q of p",
     "guardian m of p"},
    /* whoever is dropped takes along what is theirs: roles, enrollments, birth date */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,tobedeleted," STAMP ",,,,,,\n"}},
     "person t Орлова",
     " p "},
    /* and the mentions as somebody's agent, in rows that come with the same delta too */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "f,tobedeleted," STAMP ",,,,,,\n"}},
     "guardian m of p",
     "guardian f of p"},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,active," STAMP ",true,p,Мария,Петрова,,\"m,f\"\nf,tobedeleted," STAMP ",,,,,,\n"}},
     "person p Петрова",
     "guardian f of p"},
    /* a class with its enrollments; the roles that followed from them are told in roles.csv here */
    {{{"manifest.csv", MANIFEST_HEAD "file.classes,delta\n"},
      {"classes.csv", CLASSES_DELTA "c,tobedeleted," STAMP ",,,,,,\n"}},
     "class g Физика, 5А",
     "enrolled"},
    /* one row of a table that all belong to */
    {{{"manifest.csv", MANIFEST_HEAD "file.enrollments,delta\n"},
      {"enrollments.csv", ENROLLMENTS_DELTA "e2,tobedeleted," STAMP ",,,,,,,\ne3,active," STAMP ",g,s,p,student,,,\n"}},
     "enrolled p g 1",
     "enrolled p c"},
    /* a row that is dropped and was never there */
    {{{"manifest.csv", MANIFEST_HEAD "file.enrollments,delta\n"},
      {"enrollments.csv", ENROLLMENTS_DELTA "e99,tobedeleted," STAMP ",,,,,,,\n"}},
     "enrolled p c",
     NULL},
    /* mixed: some files whole, some changed, the rest as it was */
    {{{"manifest.csv", MANIFEST_HEAD "file.enrollments,bulk\nfile.users,delta\nfile.orgs,absent\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD "e7,c,s,p,student,,,\n"},
      {"users.csv", USERS_DELTA "p,active," STAMP ",false,p,Мария,Иванова,Петровна,\"m,f\"\n"}},
     "person p Иванова Мария Петровна born 20150304 locked",
     "enrolled t"},
    /* a delta in 1.1: a person's roles are those told with the person */
    {{{"manifest.csv", MANIFEST_1_1 "file.users,delta\n"},
      {"users.csv", USERS_1_1 "t,active,2026-10-01,true,z,teacher,t,,Анна,Орлова,,,,,,,,\n"}},
     "role t z 4",
     NULL},
    /* refused */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", "sourcedId,enabledUser,username,givenName,familyName\n"}},
     "refused: users.csv:1:1: column status is missing",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"}, {"users.csv", USERS_DELTA "p,," STAMP ",true,p,М,И,,\n"}},
     "refused: users.csv:2:3: status: is empty",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"}, {"users.csv", USERS_DELTA "p,active,today,true,p,М,И,,\n"}},
     "refused: users.csv:2:10: dateLastModified: \"today\" is not a moment like 2026-09-01T10:00:00.000Z",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,gone," STAMP ",true,p,М,И,,\n"}},
     "refused: users.csv:2:3: status: \"gone\" is not a status that a delta file can have",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,tobedeleted," STAMP ",,,,,,\np,active," STAMP ",true,p,М,И,,\n"}},
     "refused: users.csv:3:1: sourcedId: sourcedId \"p\" is there twice",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,active," STAMP ",true,p,,И,,\n"}},
     "refused: users.csv:2:42: givenName: is empty",
     NULL},
    /* what does not fit after the merge is named by its sourcedId */
    {{{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
      {"users.csv", USERS_DELTA "p,active," STAMP ",true,p,Мария,Иванова,,\"m,x\"\n"}},
     "refused: users.csv: \"p\": agentSourcedIds: \"x\" is not in users.csv",
     NULL},
    {{{"manifest.csv", MANIFEST_1_1 "file.users,delta\n"},
      {"users.csv", USERS_1_1 "t,active,2026-10-01,true,x,teacher,t,,Анна,Орлова,,,,,,,,\n"}},
     "refused: roles.csv: \"t~",
     NULL},
    {{{"manifest.csv", MANIFEST_HEAD "file.orgs,delta\n"}, {"orgs.csv", ORGS_HEAD "s,tobedeleted," STAMP ",,,,\n"}},
     "refused: classes.csv: \"c\": schoolSourcedId: \"s\" is not in orgs.csv\nclasses.csv: \"g\": schoolSourcedId",
     NULL},
};

static void test_delta(void **state)
{
    struct packed base = base_of_whole();
    for (size_t i = 0; i < sizeof DELTAS / sizeof *DELTAS; ++i) {
        size_t n = 0;
        while (n < 4 && DELTAS[i].files[n].name != NULL)
            ++n;
        char *says = import_on(DELTAS[i].files, n, &base, NULL);
        if (strstr(says, DELTAS[i].there) == NULL ||
            (DELTAS[i].not_there != NULL && strstr(says, DELTAS[i].not_there) != NULL))
            fail_msg("case %zu: not \"%s\", or \"%s\", in:\n%s", i, DELTAS[i].there,
                     DELTAS[i].not_there != NULL ? DELTAS[i].not_there : "", says);
        free(says);
    }
    free(base.bytes);
}

static void test_delta_needs_a_base(void **state)
{
    struct roster_problem problem;
    size_t len;
    char *says = import_on(DELTAS[0].files, 2, NULL, NULL);
    assert_has(says, "refused: manifest.csv: is of a delta export, and there is nothing that it could change");
    free(says);
    char *bytes = archive_of(DELTAS[0].files, 2, &len);
    assert_null(roster_read_bytes(bytes, len, &problem));
    free(bytes);
}

/* Applied one after the other, or the second time: the same as at once. */
static void test_deltas_add_up(void **state)
{
    struct packed base = base_of_whole(), first = {0}, second = {0}, third = {0};
    free(import_on(DELTAS[0].files, 2, &base, &first));
    free(import_on(DELTAS[6].files, 2, &first, &second));
    char *says = import_on(DELTAS[0].files, 2, &second, &third);
    assert_has(says, "person p Петрова");
    assert_has(says, "enrolled p g 1");
    assert_has_not(says, "enrolled p c");
    assert_int_equal(second.len, third.len); /* nothing new: the same bytes */
    assert_memory_equal(second.bytes, third.bytes, third.len);
    free(says);
    free(base.bytes);
    free(first.bytes);
    free(second.bytes);
    free(third.bytes);
}

/* --- REST --- */

struct page {
    enum rest_collection collection;
    const char *json;
};
static const struct page PAGES[] = {
    {REST_ORGS,
     "{\"orgs\":[{\"sourcedId\":\"d\",\"status\":\"active\",\"dateLastModified\":\"2026-09-01T10:00:00.5Z\",\"name\":"
     "\"Отдел\",\"type\":\"district\",\"identifier\":null},{\"sourcedId\":\"s\",\"status\":\"active\",\"name\":\"Школа "
     "1\","
     "\"type\":\"school\",\"parent\":{\"href\":\"https://x/orgs/d\",\"sourcedId\":\"d\",\"type\":\"org\"}}]}"},
    {REST_ORGS,
     "{\"orgs\":[{\"sourcedId\":\"z\",\"status\":\"active\",\"dateLastModified\":\"2026-09-01T14:00:00+03:00\","
     "\"name\":\"Школа 2\",\"type\":\"school\",\"parent\":{\"sourcedId\":\"d\"}}],\"totalCount\":3}"},
    {REST_SESSIONS,
     "{\"academicSessions\":[{\"sourcedId\":\"y\",\"status\":\"active\",\"title\":\"2026/2027\",\"type\":"
     "\"schoolYear\",\"startDate\":\"2026-09-01\",\"endDate\":\"2027-05-31T00:00:00.000Z\",\"schoolYear\":2027}]}"},
    {REST_COURSES,
     "{\"courses\":[{\"sourcedId\":\"k\",\"status\":\"active\",\"title\":\"Класс\",\"schoolYear\":{\"sourcedId\":"
     "\"y\"},\"org\":{\"sourcedId\":\"s\"}}]}"},
    {REST_CLASSES,
     "{\"classes\":[{\"sourcedId\":\"c\",\"status\":\"active\",\"title\":\"5А\",\"grades\":[\"5\"],\"classType\":"
     "\"homeroom\",\"course\":{\"sourcedId\":\"k\"},\"school\":{\"sourcedId\":\"s\"},\"terms\":[{\"sourcedId\":\"y\"}]}"
     ","
     "{\"sourcedId\":\"g\",\"status\":\"active\",\"title\":\"Физика, "
     "5А\",\"grades\":[\"5\"],\"classType\":\"scheduled\","
     "\"course\":{\"sourcedId\":\"k\"},\"school\":{\"sourcedId\":\"s\"},\"terms\":[{\"sourcedId\":\"y\"}]}]}"},
    {REST_USERS,
     "{\"users\":[{\"sourcedId\":\"t\",\"status\":\"active\",\"enabledUser\":true,\"username\":\"t\",\"givenName\":"
     "\"Анна\","
     "\"familyName\":\"Орлова\",\"middleName\":\"Ивановна\",\"roles\":[{\"roleType\":\"primary\",\"role\":\"teacher\","
     "\"org\":"
     "{\"sourcedId\":\"s\"},\"beginDate\":null}],\"agents\":[],\"email\":\"a@b.example\",\"phone\":\"+7000\"},"
     "{\"sourcedId\":\"p\",\"status\":\"active\",\"enabledUser\":\"true\",\"givenName\":\"Мария\",\"familyName\":"
     "\"Иванова\","
     "\"middleName\":\"Петровна\",\"roles\":[{\"roleType\":\"primary\",\"role\":\"student\",\"org\":{\"sourcedId\":"
     "\"s\"}}],"
     "\"agents\":[{\"sourcedId\":\"m\",\"type\":\"user\"},{\"sourcedId\":\"f\",\"type\":\"user\"}]},"
     "{\"sourcedId\":\"m\",\"status\":\"active\",\"enabledUser\":true,\"givenName\":\"Ольга\",\"familyName\":"
     "\"Иванова\","
     "\"roles\":[{\"role\":\"parent\",\"org\":{\"sourcedId\":\"s\"}}]},"
     "{\"sourcedId\":\"f\",\"status\":\"active\",\"enabledUser\":true,\"givenName\":\"Пётр\",\"familyName\":\"Иванов\","
     "\"roles\":[{\"role\":\"relative\",\"org\":{\"sourcedId\":\"s\"}}]}]}"},
    {REST_ENROLLMENTS, "{\"enrollments\":[{\"sourcedId\":\"e1\",\"status\":\"active\",\"class\":{\"sourcedId\":\"c\"},"
                       "\"school\":{\"sourcedId\":\"s\"},"
                       "\"user\":{\"sourcedId\":\"t\"},\"role\":\"teacher\",\"primary\":true},{\"sourcedId\":\"e2\","
                       "\"status\":\"active\",\"class\":"
                       "{\"sourcedId\":\"c\"},\"school\":{\"sourcedId\":\"s\"},\"user\":{\"sourcedId\":\"p\"},\"role\":"
                       "\"student\",\"primary\":\"false\"}]}"},
    {REST_DEMOGRAPHICS,
     "{\"demographics\":[{\"sourcedId\":\"p\",\"status\":\"active\",\"birthDate\":\"2015-03-04\",\"sex\":"
     "\"female\"}]}"},
};

/* What the pages make of base (NULL: of nothing); the packed result if wanted. */
static char *merged(const struct page *pages, size_t n, const struct snapshot *base, struct snapshot **out,
                    int64_t *newest)
{
    char where[512];
    struct roster_problem problem;
    struct roster_problems problems = {0};
    struct roster_delta *changes = roster_delta_create();
    struct snapshot *nothing = snapshot_create();
    for (size_t i = 0; i < n; ++i) {
        struct rest_reading reading = {.collection = pages[i].collection, .changes = changes, .newest_ms = *newest};
        size_t records;
        if (!rest_take_page(&reading, pages[i].json, strlen(pages[i].json), &records, &problems))
            fail_msg("page %zu: %s", i, roster_problem_text(roster_problems_first(&problems), where, sizeof where));
        assert_int_equal(records, reading.n);
        *newest = reading.newest_ms;
    }
    *out = snapshot_merge(base != NULL ? base : nothing, changes, &problem);
    assert_non_null(*out);
    struct roster *roster = roster_read_snapshot(*out, &problems);
    if (roster == NULL)
        fail_msg("%s", roster_problem_text(roster_problems_first(&problems), where, sizeof where));
    char *says = told(roster, &problems);
    roster_problems_finish(&problems);
    roster_destroy(roster);
    roster_delta_destroy(changes);
    snapshot_destroy(nothing);
    return says;
}

static void test_rest_is_the_same_roster(void **state)
{
    struct snapshot *snapshot, *again;
    int64_t newest = 0;
    char *a = import_on(WHOLE, WHOLE_COUNT, NULL, NULL);
    char *b = merged(PAGES, sizeof PAGES / sizeof *PAGES, NULL, &snapshot, &newest);
    assert_string_equal(a, b);
    assert_true(newest == moment_from("2026-09-01T11:00:00Z"));
    /* an increment that brings what was there changes not a byte */
    char *c = merged(PAGES, sizeof PAGES / sizeof *PAGES, snapshot, &again, &newest);
    for (int i = 0; i < TABLE__COUNT; ++i)
        assert_string_equal(snapshot->csv[i].data, again->csv[i].data);
    free(a);
    free(b);
    free(c);
    snapshot_destroy(snapshot);
    snapshot_destroy(again);
}

static void test_rest_increment(void **state)
{
    static const struct page CHANGES[] = {
        {REST_USERS,
         "{\"users\":[{\"sourcedId\":\"f\",\"status\":\"tobedeleted\"},{\"sourcedId\":\"t\",\"status\":\"active\","
         "\"enabledUser\":false,\"givenName\":\"Анна\",\"familyName\":\"Орлова\",\"roles\":[{\"role\":\"principal\","
         "\"org\":{\"sourcedId\":\"z\"},\"endDate\":\"2027-01-31\"}]}]}"},
        {REST_ENROLLMENTS, "{\"enrollments\":[{\"sourcedId\":\"e1\",\"status\":\"tobedeleted\"}]}"},
    };
    struct snapshot *snapshot, *after;
    int64_t newest = 0;
    free(merged(PAGES, sizeof PAGES / sizeof *PAGES, NULL, &snapshot, &newest));
    char *says = merged(CHANGES, 2, snapshot, &after, &newest);
    assert_has(says, "person t Орлова Анна  born 0 locked");
    assert_has(says, "role t z 64 0-20270131");
    assert_has_not(says, "role t s");
    assert_has_not(says, "enrolled t");
    assert_has_not(says, "person f");
    assert_has(says, "guardian m of p");
    free(says);
    snapshot_destroy(snapshot);
    snapshot_destroy(after);
}

static const struct {
    enum rest_collection collection;
    const char *json, *want;
} BAD_PAGES[] = {
    {REST_ORGS, "", "orgs: record 1 of a page: orgs: the reply is not JSON, or cut short"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"d\",",
     "orgs: record 1 of a page: orgs: the reply is not JSON, or cut short"},
    {REST_ORGS, "{\"org\":[]}", "orgs: record 1 of a page: orgs: the reply has no such list"},
    {REST_ORGS, "[]", "orgs: record 1 of a page: orgs: the reply has no such list"},
    {REST_ORGS, "{\"orgs\":[5]}", "orgs: record 1 of a page: sourcedId: is missing"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":7}]}", "orgs: record 1 of a page: sourcedId: is missing"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"a,b\"}]}",
     "orgs: record 1 of a page: sourcedId: a comma, or spaces around it"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"a\"}]}", "orgs: \"a\": status: is neither active nor tobedeleted"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"a\",\"status\":\"active\",\"name\":1}]}",
     "orgs: \"a\": name: is not a string"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"a\",\"status\":\"active\",\"name\":\"x\\ny,school\"}]}",
     "orgs: \"a\": name: has a control character"},
    {REST_ORGS, "{\"orgs\":[{\"sourcedId\":\"a\",\"status\":\"active\",\"dateLastModified\":\"yesterday\"}]}",
     "orgs: \"a\": dateLastModified: is not a moment like 2026-09-01T10:00:00.000Z"},
    {REST_USERS, "{\"users\":[{\"sourcedId\":\"a\",\"status\":\"active\",\"roles\":[\"teacher\"]}]}",
     "users: \"a\": roles: is not a list of roles"},
    {REST_USERS, "{\"users\":[{\"sourcedId\":\"a\",\"status\":\"active\",\"roles\":{}}]}",
     "users: \"a\": roles: is not a list"},
    {REST_USERS, "{\"users\":[{\"sourcedId\":\"a\",\"status\":\"active\"}]}", "users: \"a\": roles: is not a list"},
};

static void test_rest_refusals(void **state)
{
    char where[512];
    for (size_t i = 0; i < sizeof BAD_PAGES / sizeof *BAD_PAGES; ++i) {
        struct roster_problems problems = {0};
        size_t n;
        struct rest_reading reading = {.collection = BAD_PAGES[i].collection, .changes = roster_delta_create()};
        assert_false(rest_take_page(&reading, BAD_PAGES[i].json, strlen(BAD_PAGES[i].json), &n, &problems));
        assert_string_equal(roster_problem_text(roster_problems_first(&problems), where, sizeof where),
                            BAD_PAGES[i].want);
        roster_problems_finish(&problems);
        roster_delta_destroy(reading.changes);
    }
}

/* Every record of a page that does not fit is named, and whoever asked hears of all. */
static void every_record_that_does_not_fit_is_named(void **state)
{
    static const char PAGE[] = "{\"orgs\":[{\"sourcedId\":\"a\",\"status\":\"there\"},{\"sourcedId\":\"b\",\"status\":"
                               "\"active\",\"name\":7},{\"sourcedId\":\"c\",\"status\":\"active\",\"name\":\"C\"},{}]}";
    struct roster_problems problems = {0};
    struct text said = TEXT_INIT;
    size_t n;
    struct rest_reading reading = {.collection = REST_ORGS, .changes = roster_delta_create()};
    assert_false(rest_take_page(&reading, PAGE, strlen(PAGE), &n, &problems));
    roster_problems_add_refusals(&said, &problems);
    assert_string_equal(said.data,
                        "orgs: \"a\": status: is neither active nor tobedeleted\norgs: \"b\": name: is not a "
                        "string\norgs: record 4 of a page: sourcedId: is missing");
    roster_problems_finish(&problems);
    roster_delta_destroy(reading.changes);
    text_finish(&said);
}

/* As in files: words in any case, rows that are inactive, and nonsense where nobody reads. */
static void rest_is_no_stricter_than_files(void **state)
{
    static const struct page CHANGES[] = {
        {REST_USERS,
         "{\"users\":[{\"sourcedId\":\"f\",\"status\":\"inactive\"},{\"sourcedId\":\"t\",\"status\":\"Active\","
         "\"enabledUser\":\"FALSE\",\"givenName\":\"Анна\",\"familyName\":\"Орлова\",\"roles\":[{\"roleType\":"
         "\"main\",\"role\":\"Teacher\",\"org\":{\"sourcedId\":\"s\"}}]}]}"},
        {REST_COURSES, "{\"courses\":[{\"sourcedId\":\"k\",\"status\":\"active\",\"title\":\"a\\nb\",\"org\":\"s\"}]}"},
        {REST_CLASSES, "{\"classes\":[{\"sourcedId\":\"g\",\"status\":\"active\",\"title\":\"Физика\",\"grades\":[],"
                       "\"classType\":\"Scheduled\",\"course\":7,\"school\":{\"sourcedId\":\"s\"},\"terms\":{}}]}"},
    };
    struct snapshot *snapshot, *after;
    int64_t newest = 0;
    free(merged(PAGES, sizeof PAGES / sizeof *PAGES, NULL, &snapshot, &newest));
    char *says = merged(CHANGES, sizeof CHANGES / sizeof *CHANGES, snapshot, &after, &newest);
    assert_has(says, "person t Орлова Анна  born 0 locked");
    assert_has(says, "role t s 4 ");
    assert_has(says, "class g Физика grade  of s group");
    assert_has_not(says, "person f");
    free(says);
    snapshot_destroy(snapshot);
    snapshot_destroy(after);
}

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"1970-01-01", 0},
        {"1970-01-02T00:00:00Z", 86400000},
        {"2026-09-01T10:00:00.125Z", INT64_C(1788256800125)},
        {"2026-09-01T13:00:00.125+03:00", INT64_C(1788256800125)},
        {"2026-09-01T05:30:00-04:30", INT64_C(1788256800000)},
        {"2026-09-01T10:00Z", INT64_C(1788256800000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"2026-02-29", -1},
        {"", -1},
        {"now", -1},
        {"2026-09-01 10:00:00", -1},
        {"2026-09-01T25:00:00Z", -1},
        {"2026-09-01T10:00:00X", -1},
        {"2026-09-01T+1:+5Z", -1},
        {"2026-09-01T10:00: 5Z", -1},
        {"2026-09-01T10:00:00+ 3:00", -1},
    };
    char text[MOMENT_BYTES];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        if (moment_from(CASES[i].text) != CASES[i].ms)
            fail_msg("%s is %lld", CASES[i].text, (long long)moment_from(CASES[i].text));
    assert_string_equal(moment_text(INT64_C(1788256800125), text), "2026-09-01T10:00:00.125Z");
}

/* --- Sources: the snapshot and the records are one transaction --- */

static bool import_archive(struct fixture *f, const char *source, const struct archive_file *files, size_t n,
                           bool dry_run, char says[512])
{
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    struct error e;
    size_t len;
    char *bytes = archive_of(files, n, &len);
    struct source_import import = {
        .source = source,
        .how = {.writer = f->writer, .rooms = f->rooms, .db = f->db, .dry_run = dry_run},
    };
    bool done = source_import_archive(&import, bytes, len, &out, &problem, &e);
    snprintf(says, 512, "%s", done ? out.mode : problem.data);
    source_outcome_finish(&out);
    text_finish(&problem);
    free(bytes);
    return done;
}

/* The family name in the records, and the one in the snapshot: "Иванова Иванова". */
static const char *both_names(struct fixture *f, const char *source, char out[128])
{
    struct roster_snapshot_row row;
    struct roster_problem problem;
    struct person_row person;
    char records[64] = "-", mirrored[64] = "-";
    struct stmt *q = people_all(f->db);
    while (people_next(q, &person))
        if (strcmp(person.sourced_id, "p") == 0)
            snprintf(records, sizeof records, "%s", person.ended ? "gone" : person.family);
    stmt_end(q);
    if (roster_snapshots_get(f->db, source, &row)) {
        struct snapshot *snapshot = snapshot_open(row.archive, row.len, &problem);
        struct roster_problems problems = {0};
        struct roster *roster = roster_read_snapshot(snapshot, &problems);
        roster_problems_finish(&problems);
        uint32_t p = id_map_find(&roster->person_ids, "p");
        snprintf(mirrored, sizeof mirrored, "%s", p == ID_NONE ? "gone" : roster->people[p].family);
        roster_destroy(roster);
        snapshot_destroy(snapshot);
    }
    roster_snapshots_finish(&row);
    snprintf(out, 128, "%s %s", records, mirrored);
    return out;
}

static void test_source(void **state)
{
    struct fixture f = {0};
    char says[512], names[128];
    int64_t updated;
    fixture_start_school(&f);
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, true, says));
    assert_string_equal(both_names(&f, "roster", names), "- -"); /* tried: nothing is kept */
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
    assert_string_equal(says, "bulk");
    assert_string_equal(both_names(&f, "roster", names), "Иванова Иванова");
    updated = roster_snapshots_updated(f.db, "roster");
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
    assert_int_equal(roster_snapshots_updated(f.db, "roster"), updated); /* the same: not written again */
    assert_true(import_archive(&f, "roster", DELTAS[0].files, 2, true, says));
    assert_string_equal(both_names(&f, "roster", names), "Иванова Иванова");
    assert_true(import_archive(&f, "roster", DELTAS[0].files, 2, false, says));
    assert_string_equal(says, "delta");
    assert_string_equal(both_names(&f, "roster", names), "Петрова Петрова");
    fixture_restart(&f);
    assert_true(import_archive(&f, "roster", DELTAS[2].files, 2, false, says));
    assert_string_equal(both_names(&f, "roster", names), "gone gone");
    assert_false(import_archive(&f, "other", DELTAS[0].files, 2, false, says)); /* another source has no base */
    assert_has(says, "import a bulk export of this source first");
    fixture_stop(&f);
}

/* Of a school's library, too, which is in no list of roster rooms. */
static void a_dry_run_names_whose_each_room_is(void **state)
{
    static const char *const OF[] = {" s (", " z (", " c (", " g ("};
    struct fixture f = {0};
    struct source_outcome out;
    struct text problem = TEXT_INIT, difference = TEXT_INIT;
    struct error e;
    size_t len;
    int n = 0;
    fixture_start_school(&f);
    char *bytes = archive_of(WHOLE, WHOLE_COUNT, &len);
    struct source_import import = {
        .source = "roster",
        .how = {.writer = f.writer, .rooms = f.rooms, .db = f.db, .dry_run = true, .difference = &difference},
    };
    assert_true(source_import_archive(&import, bytes, len, &out, &problem, &e));
    assert_has(difference.data, "room + s (library)\n");
    assert_has(difference.data, "room + z (library)\n");
    for (char *line = strtok(difference.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool whose = strchr(line, '(') == NULL;
        for (size_t i = 0; i < sizeof OF / sizeof *OF; ++i)
            whose |= strstr(line, OF[i]) != NULL;
        if (!whose)
            fail_msg("whose is it: %s", line);
        ++n;
    }
    assert_true(n > 20);
    source_outcome_finish(&out);
    text_finish(&problem);
    text_finish(&difference);
    free(bytes);
    fixture_stop(&f);
}

/* A bad file, and a job that is refused, leave both as they were. */
static void test_source_refused(void **state)
{
    static const struct archive_file OTHER_SCHOOL[] = {
        {"manifest.csv", MANIFEST_HEAD "file.classes,delta\nfile.enrollments,delta\nfile.users,delta\n"},
        {"classes.csv", CLASSES_DELTA "c,active," STAMP ",5А,5,k,homeroom,z,y\n"},
        {"enrollments.csv", ENROLLMENTS_DELTA "e1,tobedeleted," STAMP ",,,,,,,\ne2,tobedeleted," STAMP ",,,,,,,\n"},
        {"users.csv", USERS_DELTA "p,active," STAMP ",true,p,Мария,Петрова,Петровна,\"m,f\"\n"},
    };
    struct fixture f = {0};
    char says[512], names[128];
    fixture_start_school(&f);
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
    assert_false(import_archive(&f, "roster", DELTAS[10].files, 2, false, says));
    assert_has(says, "users.csv:1:1: column status is missing");
    assert_false(import_archive(&f, "roster", OTHER_SCHOOL, 4, false, says)); /* a class may not change its school */
    assert_string_equal(both_names(&f, "roster", names), "Иванова Иванова");
    fixture_stop(&f);
}

/* What a delta was merged into must still be the snapshot when its job runs. */
static void test_source_overtaken(void **state)
{
    struct fixture f = {0};
    struct roster_snapshot_row base;
    struct source_outcome out = {0};
    struct text problem = TEXT_INIT;
    struct error e;
    char says[512], names[128];
    fixture_start_school(&f);
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
    assert_true(roster_snapshots_get(f.db, "roster", &base));
    assert_true(import_archive(&f, "roster", DELTAS[0].files, 2, false, says)); /* comes in between */
    struct roster_delta *changes = roster_delta_create();
    roster_delta_drop(changes, TABLE_USERS, "f");
    struct source_import import = {.source = "roster", .how = {.writer = f.writer, .rooms = f.rooms, .db = f.db}};
    assert_false(source_import_changes(&import, &base, changes, "", &out, &problem, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_true(out.overtaken); /* whoever pulled begins anew */
    assert_string_equal(both_names(&f, "roster", names), "Петрова Петрова");
    roster_delta_destroy(changes);
    roster_snapshots_finish(&base);
    source_outcome_finish(&out);
    text_finish(&problem);
    fixture_stop(&f);
}

/* Imports that come in between, each when the one under way has merged its archive and not begun its job. */
struct between {
    struct fixture *f;
    int times;
};

static void import_in_between(void *self, const char *line)
{
    static const struct archive_file BY_TURNS[2][2] = {
        {{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
         {"users.csv", USERS_DELTA "t,active," STAMP ",true,t,Вера,Орлова,,\n"}},
        {{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
         {"users.csv", USERS_DELTA "t,active," STAMP ",true,t,Нина,Орлова,,\n"}},
    };
    struct between *between = self;
    char says[512];
    if (strncmp(line, "read and merged", 15) != 0 || between->times-- <= 0)
        return;
    usleep(2000); /* another moment, by which the snapshots are told apart */
    assert_true(import_archive(between->f, "roster", BY_TURNS[between->times % 2], 2, false, says));
}

/* Two deltas by hand at the same time: the one that was overtaken is merged anew, and both are there. */
static void test_source_archive_overtaken(void **state)
{
    static const struct {
        int times;
        bool dry_run, done;
    } CASES[] = {{1, true, true}, {1, false, true}, {4, false, true}, {5, false, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct fixture f = {0};
        struct between between = {&f, CASES[i].times};
        struct source_outcome out;
        struct text problem = TEXT_INIT, difference = TEXT_INIT;
        struct error e;
        size_t len;
        char says[512], names[128];
        fixture_start_school(&f);
        assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
        char *bytes = archive_of(DELTAS[0].files, 2, &len);
        struct source_import import = {.source = "roster",
                                       .how = {.writer = f.writer,
                                               .rooms = f.rooms,
                                               .db = f.db,
                                               .dry_run = CASES[i].dry_run,
                                               .difference = CASES[i].dry_run ? &difference : NULL},
                                       .note = import_in_between,
                                       .note_self = &between};
        assert_int_equal(source_import_archive(&import, bytes, len, &out, &problem, &e), CASES[i].done);
        if (!CASES[i].done)
            assert_has(problem.data, "Another import of this source came in between");
        else
            assert_int_equal(problem.len, 0);
        assert_string_equal(both_names(&f, "roster", names),
                            CASES[i].done && !CASES[i].dry_run ? "Петрова Петрова" : "Иванова Иванова");
        if (CASES[i].dry_run) { /* said once */
            const char *first = strstr(difference.data, "person = p\n");
            assert_non_null(first);
            assert_null(strstr(first + 1, "person = p\n"));
        }
        source_outcome_finish(&out);
        text_finish(&problem);
        text_finish(&difference);
        free(bytes);
        fixture_stop(&f);
    }
}

/* Wherever the disk fails: records and snapshot are both old or both new. */
static void test_source_and_a_failing_disk(void **state)
{
    struct fixture f = {0};
    char says[512], names[128];
    bool done = false;
    fixture_start_school(&f);
    assert_true(import_archive(&f, "roster", WHOLE, WHOLE_COUNT, false, says));
    for (int n = 1; !done; n = n * 6 / 5 + 1) {
        assert_true(n < 100000);
        db_fail_after(writer_db_for_tests(f.writer), n);
        done = import_archive(&f, "roster", DELTAS[0].files, 2, false, says);
        db_fail_after(writer_db_for_tests(f.writer), 0);
        assert_string_equal(both_names(&f, "roster", names), done ? "Петрова Петрова" : "Иванова Иванова");
    }
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_1_is_the_same_roster),
        cmocka_unit_test(test_1_1),
        cmocka_unit_test(test_1_1_has_no_roles_file),
        cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_mirror_keeps_no_contacts),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_delta_needs_a_base),
        cmocka_unit_test(test_deltas_add_up),
        cmocka_unit_test(test_rest_is_the_same_roster),
        cmocka_unit_test(test_rest_increment),
        cmocka_unit_test(test_rest_refusals),
        cmocka_unit_test(every_record_that_does_not_fit_is_named),
        cmocka_unit_test(rest_is_no_stricter_than_files),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_source),
        cmocka_unit_test(a_dry_run_names_whose_each_room_is),
        cmocka_unit_test(test_source_refused),
        cmocka_unit_test(test_source_overtaken),
        cmocka_unit_test(test_source_archive_overtaken),
        cmocka_unit_test(test_source_and_a_failing_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
