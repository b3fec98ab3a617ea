/* Application services' registrations: patterns of namespaces, files, and what cannot be there together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "appservice/pattern.h"
#include "appservice/registration.h"
#include "appservice/registry.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } CASES[] = {
        {"@_irc_.*", "@_irc_bob:school.example", true},
        {"@_irc_.*", "@irc_bob:school.example", false},
        {"@_irc_.*", "x@_irc_bob:school.example", false},
        {"@_irc_", "@_irc_bob:school.example", true},
        {"^@_irc_$", "@_irc_bob:school.example", false},
        {"^@telegram_\\d+:school\\.example$", "@telegram_42:school.example", true},
        {"^@telegram_\\d+:school\\.example$", "@telegram_42:school.examples", false},
        {"^@telegram_\\d+:school\\.example$", "@telegram_:school.example", false},
        {"^@telegram_\\d+:school\\.example$", "@telegram_42:schoolxexample", false},
        {"^@(?:signal|wa)_[0-9a-f]{2,4}:", "@wa_beef:s", true},
        {"^@(?:signal|wa)_[0-9a-f]{2,4}:", "@wa_beefs:s", false},
        {"^@(?:signal|wa)_[0-9a-f]{2,4}:", "@signal_b:s", false},
        {"^@(?:signal|wa)_[0-9a-f]{2,4}:", "@signal_be:s", true},
        {"@a|@b", "@b1", true},
        {"@a|@b", "@c", false},
        {"^[^:]*:school$", "@x:school", true},
        {"^[^:]*:school$", "@x:y:school", false},
        {"^[[:alpha:]_-]+$", "ab_-", true},
        {"^[[:alpha:]_-]+$", "ab1", false},
        {"^[]a]+$", "]a", true},
        {"^a{3}$", "aaa", true},
        {"^a{3}$", "aa", false},
        {"^a{2,}$", "aaaa", true},
        {"^a{0}b$", "b", true},
        {"^(a*)*b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
        {"^(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", false},
        {"^a.*?b$", "axxb", true},
        {"^\\w\\W$", "_!", true},
        {"^()$", "", true},
        {"^a$", "", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        const char *problem = "";
        struct pattern *pattern = pattern_compile(CASES[i].pattern, &problem);
        if (pattern == NULL)
            fail_msg("%s: %s", CASES[i].pattern, problem);
        if (pattern_matches(pattern, CASES[i].name) != CASES[i].matches)
            fail_msg("%s and %s", CASES[i].pattern, CASES[i].name);
        pattern_destroy(pattern);
    }
}

static void test_patterns_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "(",
        "a)",
        "[a",
        "a{",
        "a{x}",
        "a{2,1}",
        "a{300}",
        "a**",
        "*a",
        "a^b",
        "a$b",
        "^a|b$",
        "(?=a)",
        "(?<name>a)",
        "(a)\\1",
        "\\b",
        "a\\",
        "[z-a]",
        "[[:x:]]",
        "(a{200}){200}",
        "((((){99}){99}){99}){99}",
        "(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))",
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        const char *problem = NULL;
        struct pattern *pattern = pattern_compile(CASES[i], &problem);
        if (pattern != NULL)
            fail_msg("taken: %s", CASES[i]);
        assert_non_null(problem);
    }
}

static void test_patterns_meet(void **state)
{
    static const struct {
        const char *a, *b;
        bool meet;
    } CASES[] = {
        {"@_irc_.*", "@_xmpp_.*", false},
        {"@_irc_.*", "@_irc_bot.*", true},
        {"@a.*", ".*b", true},
        {"^@a[0-9]+$", "^@a[a-z]+$", false},
        {"^@a[0-9]*$", "^@a[a-z]*$", true}, /* @a */
        {"^@(a|b)$", "^@(b|c)$", true},
        {"^@(a|b)$", "^@(c|d)$", false},
        {"^a{3}$", "^(aa)*$", false},
        {"^a{4}$", "^(aa)*$", true},
        {"^(aaa)*b$", "^(aa)+b$", true},
        {"^@x:one$", "^@x:two$", false},
        {"^(.?){253}b$", "^(.?){253}c$", false},
        {"^([^q]?){253}q$", "^(.?){253}q$", true}, /* pairs upon pairs */
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        const char *problem;
        struct pattern *a = pattern_compile(CASES[i].a, &problem), *b = pattern_compile(CASES[i].b, &problem);
        if (pattern_meets(a, b) != CASES[i].meet || pattern_meets(b, a) != CASES[i].meet)
            fail_msg("%s and %s", CASES[i].a, CASES[i].b);
        pattern_destroy(a);
        pattern_destroy(b);
    }
}

/* --- Files --- */

#define TOKENS "as_token: 30c05ae90a248a4188e620216fa72e34\nhs_token: 312df522183efd404ec1cd22d2ffa4bb\n"
#define NAMESPACES "namespaces: {users: [{exclusive: true, regex: '@_irc_.*'}], aliases: [], rooms: []}\n"
#define PLAIN "id: irc\nurl: http://127.0.0.1:1/\nsender_localpart: _bot\n" TOKENS

static const struct registration_place SCHOOL = {"school.example", true}, OPEN = {"school.example", false};

static struct registration_file *parse(const char *yaml, const struct registration_place *place, struct text *problem)
{
    return registration_parse("irc.yaml", yaml, strlen(yaml), place, problem);
}

static void test_registration(void **state)
{
    struct text problem = TEXT_INIT;
    struct registration_file *file =
        parse(PLAIN NAMESPACES "rate_limited: false\nreceive_ephemeral: true\nprotocols: [irc, xmpp]\n"
                               "org.matrix.msc3202: true\norg.parta.schools: ['1', s2]\n"
                               "io.element.msc4190: true\nsomething: {else: [1, {2: 3}]}\n",
              &SCHOOL, &problem);
    if (file == NULL)
        fail_msg("%s", problem.data);
    assert_string_equal(file->id, "irc");
    assert_string_equal(file->url, "http://127.0.0.1:1");
    assert_string_equal(file->sender_id, "@_bot:school.example");
    assert_string_equal(file->hs_token, "312df522183efd404ec1cd22d2ffa4bb");
    assert_false(file->rate_limited);
    assert_true(file->ephemeral && file->device_changes);
    assert_int_equal(file->n_protocols, 2);
    assert_int_equal(file->n_schools, 2);
    assert_string_equal(file->schools[0], "1");
    assert_true(registration_has(file, NAMESPACE_USERS, "@_irc_bob:school.example", true));
    assert_true(registration_has(file, NAMESPACE_USERS, "@_bot:school.example", true));
    assert_false(registration_has(file, NAMESPACE_USERS, "@bob:school.example", false));
    assert_false(registration_has(file, NAMESPACE_ROOMS, "!a:school.example", false));
    registration_free(file);

    file = parse(PLAIN "namespaces: {}\nde.sorunome.msc2409.push_ephemeral: true\n", &SCHOOL, &problem);
    assert_non_null(file);
    assert_true(file->ephemeral && file->rate_limited);
    assert_false(file->device_changes);
    registration_free(file);

    file = parse("id: irc\nurl: null\nsender_localpart: _bot\nnamespaces:\n  users:\n" TOKENS, &SCHOOL, &problem);
    assert_non_null(file);
    assert_null(file->url);
    registration_free(file);
    text_finish(&problem);
}

static void test_registrations_refused(void **state)
{
    static const struct {
        const char *yaml, *why;
    } CASES[] = {
        {"", "no registration"},
        {"- a", "no registration"},
        {"a: [", "not YAML"},
        {PLAIN, "namespaces"},
        {"id: irc\nurl:\nsender_localpart: _bot\n" NAMESPACES, "_token"},
        {PLAIN NAMESPACES "id: again\n", "given twice"},
        {PLAIN "namespaces: {users: [{exclusive: maybe, regex: a}]}\n", ""},
        {PLAIN "namespaces: {users: [{exclusive: true}]}\n", "regex"},
        {PLAIN "namespaces: {users: [{regex: a}]}\n", "exclusive"},
        {PLAIN "namespaces: {users: [{exclusive: false, regex: '(a'}]}\n", "namespaces.users: (a: a parenthesis"},
        {PLAIN "namespaces: {users: [{exclusive: true, regex: '@.*'}]}\n", "names that people get"},
        {PLAIN "namespaces: &a {users: [{exclusive: true, regex: '@_'}], b: *a}\n", ""},
        {"id: a/b\nurl:\nsender_localpart: _bot\n" TOKENS NAMESPACES, "id"},
        {"id: a\nurl: ftp://x\nsender_localpart: _bot\n" TOKENS NAMESPACES, "url"},
        {"id: a\nurl: http://u@x\nsender_localpart: _bot\n" TOKENS NAMESPACES, "url"},
        {"id: a\nurl:\nsender_localpart: Bot\n" TOKENS NAMESPACES, "sender_localpart"},
        {"id: a\nurl:\nsender_localpart: b\nas_token: short\nhs_token: 0123456789abcdef\n" NAMESPACES, "as_token"},
        {"id: a\nurl:\nsender_localpart: b\nas_token: 0123456789abcdef\nhs_token: 0123456789abcdef\n" NAMESPACES,
         "must not be"},
        {"id: a\nurl:\nsender_localpart: b\nas_token: parta_0123456789abcdef\nhs_token: 0123456789abcdef\n" NAMESPACES,
         "operators"},
        {PLAIN NAMESPACES "---\nid: b\n", ""},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text problem = TEXT_INIT;
        struct registration_file *file = parse(CASES[i].yaml, &SCHOOL, &problem);
        if (file != NULL || problem.len == 0 || strstr(problem.data, CASES[i].why) == NULL ||
            strstr(problem.data, "0123456789abcdef") != NULL)
            fail_msg("%zu: %s", i, problem.data != NULL ? problem.data : "taken");
        text_finish(&problem);
    }
    struct text problem = TEXT_INIT;
    struct registration_file *file =
        parse(PLAIN "namespaces: {users: [{exclusive: true, regex: '@.*'}]}\n", &OPEN, &problem);
    assert_non_null(file); /* where people name themselves it is the operator's choice */
    registration_free(file);
}

static bool clash(const char *second)
{
    struct text problem = TEXT_INIT;
    struct registration_file *a = parse(PLAIN NAMESPACES, &SCHOOL, &problem), *b = parse(second, &SCHOOL, &problem);
    if (b == NULL)
        fail_msg("%s", problem.data);
    bool clashes = registration_clash(a, b, &problem);
    assert_int_equal(clashes, registration_clash(b, a, &problem));
    registration_free(a);
    registration_free(b);
    text_finish(&problem);
    return clashes;
}

#define OTHER(id, sender, as_token, users)                                                                             \
    "id: " id "\nurl:\nsender_localpart: " sender "\nas_token: " as_token                                              \
    "\nhs_token: 0123456789abcdef\nnamespaces: {users: [" users "]}\n"

static void test_clashes(void **state)
{
    assert_false(clash(OTHER("xmpp", "_x", "abcdefabcdefabcdef", "{exclusive: true, regex: '@_xmpp_.*'}")));
    assert_false(clash(OTHER("xmpp", "_x", "abcdefabcdefabcdef", "{exclusive: false, regex: '@_xmpp_.*'}")));
    assert_true(clash(OTHER("irc", "_x", "abcdefabcdefabcdef", "{exclusive: true, regex: '@_xmpp_.*'}")));
    assert_true(clash(OTHER("xmpp", "_x", "30c05ae90a248a4188e620216fa72e34", "{exclusive: true, regex: '@_x'}")));
    assert_true(clash(OTHER("xmpp", "_bot", "abcdefabcdefabcdef", "{exclusive: true, regex: '@_xmpp_.*'}")));
    assert_true(clash(OTHER("xmpp", "_irc_x", "abcdefabcdefabcdef", "{exclusive: true, regex: '@_xmpp_.*'}")));
    assert_true(clash(OTHER("xmpp", "_x", "abcdefabcdefabcdef", "{exclusive: false, regex: '@_irc_b.*'}")));
    assert_true(clash(OTHER("xmpp", "_x", "abcdefabcdefabcdef", "{exclusive: false, regex: '.*'}")));
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
}

static void test_folder(void **state)
{
    char folder[] = "/tmp/parta-appservices-XXXXXX", path[100];
    struct text problem = TEXT_INIT;
    assert_non_null(mkdtemp(folder));
    struct config config = {.server_name = (char *)"school.example", .policy = {.mode = POLICY_SCHOOL}};
    struct appservices *set = appservices_load(&config, &problem);
    assert_int_equal(set->n, 0);
    struct registry *registry = registry_create(set);

    config.appservices = folder;
    write_file(folder, "irc.yaml", PLAIN NAMESPACES);
    write_file(folder, "notes.txt", "nothing");
    set = appservices_load(&config, &problem);
    if (set == NULL)
        fail_msg("%s", problem.data);
    registry_put(registry, set);
    set = registry_get(registry);
    const struct registration_file *irc = appservices_by_id(set, "irc");
    assert_ptr_equal(appservices_by_token(set, "30c05ae90a248a4188e620216fa72e34"), irc);
    assert_null(appservices_by_token(set, "30c05ae90a248a4188e620216fa72e35"));
    assert_ptr_equal(appservices_exclusive(set, NAMESPACE_USERS, "@_irc_a:school.example"), irc);
    assert_null(appservices_exclusive(set, NAMESPACE_USERS, "@irc_a:school.example"));
    appservices_unref(set);

    write_file(folder, "other.yaml", OTHER("other", "_o", "abcdefabcdefabcdef", "{exclusive: true, regex: '@_i.*'}"));
    assert_null(appservices_load(&config, &problem));
    assert_non_null(strstr(problem.data, "names in common"));
    registry_destroy(registry);
    text_finish(&problem);
    static const char *const FILES[] = {"irc.yaml", "notes.txt", "other.yaml", ""};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i) {
        snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
        assert_int_equal(remove(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_patterns_refused),
        cmocka_unit_test(test_patterns_meet),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_registrations_refused),
        cmocka_unit_test(test_clashes),
        cmocka_unit_test(test_folder),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
