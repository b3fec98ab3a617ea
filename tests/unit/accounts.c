/* Accounts: registration and its gate, passwords, devices, profiles, account data, tags, names, the shared secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <liboath/oath.h>

#include "homeserver/accounts/account_data.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/devices.h"
#include "tests/unit/login_now.h"
#include "homeserver/accounts/nonces.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/second_factor.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/shared_secret.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/audit.h"
#include "tests/unit/fixture.h"

#define OFFICE "operator:test"

static struct {
    struct fixture f;
    struct config *config;
    struct accounts *accounts;
    int profile_changes;
} t;

static bool count_change(void *self, struct tx *tx, user_no user, struct error *e)
{
    ++t.profile_changes;
    return true;
}

static bool claims_bots(void *of_services, const char *user_id)
{
    return strncmp(user_id, "@bot_", 5) == 0;
}

static void configure_costs(const char *settings, const char *costs)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    text_addf(&yaml, "server_name: school.example\n%s%s", costs, settings);
    accounts_destroy(t.accounts);
    config_free(t.config);
    if (!config_parse("test", yaml.data, yaml.len, &t.config, &problem))
        fail_msg("%s", problem.data);
    text_finish(&yaml);
    t.accounts = accounts_create(t.config, t.f.writer, t.f.names);
    t.accounts->key = &t.f.key;
    t.accounts->hooks = (struct accounts_hooks){.profile_changed = count_change, .exclusive = claims_bots};
}

static void configure(const char *settings)
{
    configure_costs(settings, "passwords: {ops: 1, memory_kib: 8, length_min: 8}\n");
}

#define OPEN "policy: {mode: open}\nregistration: {mode: open}\n"

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    fixture_start(&t.f);
    configure(OPEN);
    return 0;
}

static int teardown(void **state)
{
    accounts_destroy(t.accounts);
    config_free(t.config);
    fixture_stop(&t.f);
    return 0;
}

static bool registers(const char *localpart, const char *password, const char *token, struct error *e)
{
    struct login_result out;
    struct registration registration = {.localpart = localpart, .password = password, .token = token};
    bool ok = register_account(t.accounts, &registration, &out, e);
    login_result_finish(&out);
    return ok;
}

static user_no person(const char *localpart)
{
    struct error e;
    assert_true(registers(localpart, "correct horse", NULL, &e));
    return users_no(t.f.db, localpart);
}

static bool signs_in(const char *user, const char *password, const char *device_id, struct error *e)
{
    struct login_result out;
    struct device_wish wish = {.device_id = device_id};
    bool ok = login_password(t.accounts, t.f.db, user, password, &wish, &out, e);
    login_result_finish(&out);
    return ok;
}

/* RFC 8265, 4.2: й is the same letter whether a keyboard sends one code point or two. */
static void a_password_is_the_same_on_every_keyboard(void **state)
{
    struct error e;
    assert_true(registers("sergey", "\u0439\u043e\u0434 \u0438 \u0451\u0436", NULL, &e));
    assert_true(signs_in("sergey", "\u0438\u0306\u043e\u0434 \u0438 \u0435\u0308\u0436", "MAC", &e));
    assert_true(signs_in("sergey", "\u0439\u043e\u0434 \u0438 \u0451\u0436", "PHONE", &e));
    assert_false(signs_in("sergey", "\u0438\u043e\u0434 \u0438 \u0451\u0436", "PHONE", &e));
}

/* The whole list, as it lies, is what the program knows; what is longer than any entry is not. */
static void the_commonest_passwords_are_known(void **state)
{
    char path[4096], line[128];
    int n = 0;
    snprintf(path, sizeof path, "%s/../homeserver/accounts/common_passwords.txt", getenv("TESTS_DIR"));
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    for (; fgets(line, sizeof line, list) != NULL; ++n) {
        line[strcspn(line, "\n")] = '\0';
        if (!password_is_common(line))
            fail_msg("%s is in the list", line);
        snprintf(line + strlen(line), 32, " and so on %d", n);
        assert_false(password_is_common(line));
    }
    fclose(list);
    assert_true(n > 19000);
    assert_false(password_is_common(""));
    assert_false(password_is_common("\xff\xfe"));
}

static void names_and_passwords_are_judged(void **state)
{
    static const struct {
        const char *localpart, *password;
        enum error_code code;
    } CASES[] = {
        {"anna", "long enough", ERROR_NONE},
        {"anna", "long enough", ERROR_USER_IN_USE},
        {"AnnA", "long enough", ERROR_USER_IN_USE},
        {"Bot_News", "long enough", ERROR_EXCLUSIVE},
        {"a.b_c=d-e/f+1", "long enough", ERROR_NONE},
        {NULL, "long enough", ERROR_NONE},
        {"An na", "long enough", ERROR_INVALID_USERNAME},
        {"", "long enough", ERROR_INVALID_USERNAME},
        {"a b", "long enough", ERROR_INVALID_USERNAME},
        {"\xd0\xb0\xd0\xbd\xd0\xbd\xd0\xb0", "long enough", ERROR_INVALID_USERNAME},
        {"bot_news", "long enough", ERROR_EXCLUSIVE},
        {"boris", "short", ERROR_WEAK_PASSWORD},
        {"boris", "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c",
         ERROR_WEAK_PASSWORD}, /* six letters, twelve bytes */
        {"boris", "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c\x31\x32", ERROR_NONE},
        {"vera", "password", ERROR_WEAK_PASSWORD},
        {"vera", "PassWord1", ERROR_WEAK_PASSWORD},
        {"vera", "\u0419\u0446\u0443\u043a\u0435\u043d\u0433\u0448", ERROR_WEAK_PASSWORD}, /* qwertyui, in Russian */
        {"vera", "\u041f\u0430\u0440\u043e\u043b\u044c123", ERROR_WEAK_PASSWORD}, /* the word, which is gfhjkm */
        {"vera", "password of vera", ERROR_NONE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e = {0};
        assert_int_equal(registers(CASES[i].localpart, CASES[i].password, NULL, &e), CASES[i].code == ERROR_NONE);
        assert_int_equal(e.code, CASES[i].code);
    }
    char long_password[PASSWORD_BYTES_MAX + 2] = {0};
    struct error e;
    memset(long_password, 'x', PASSWORD_BYTES_MAX + 1);
    assert_false(registers("vera", long_password, NULL, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
}

static void a_closed_server_registers_nobody_but_the_administrator_does(void **state)
{
    struct error e;
    configure("registration: {mode: closed}\n");
    assert_false(registers("anna", "correct horse", NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    struct login_result made;
    const struct registration account = {
        .localpart = "anna", .password = "correct horse", .display_name = "Anna", .admin = true, .by = OFFICE};
    assert_true(account_create(t.accounts, &account, &made, &e));
    char *name = profiles_get_string(t.f.db, made.user, "displayname");
    assert_string_equal(name, "Anna");
    free(name);
    login_result_finish(&made);
    assert_false(account_create(t.accounts, &account, &made, &e));
    assert_int_equal(e.code, ERROR_USER_IN_USE);
}

static char *newest_entry(void)
{
    struct audit_row row;
    const struct audit_query newest = {.limit = 1, .act = "", .actor = "", .newest_first = true};
    struct stmt *q = audit_query(t.f.db, &newest);
    char *entry = audit_next(q, &row) ? xstrdup(row.entry) : xstrdup("");
    stmt_end(q);
    return entry;
}

static void must_be_told(const char *act, const char *by, const char *changes)
{
    struct text head = TEXT_INIT;
    char *entry = newest_entry();
    text_addf(&head, "{\"act\":\"%s\",\"actor\":\"%s\",\"changes\":[%s", act, by, changes);
    if (strncmp(entry, head.data, head.len) != 0)
        fail_msg("%s is not %s", entry, head.data);
    text_finish(&head);
    free(entry);
}

/* J2: what the command line does to accounts is in the log; what people do with their own is not, but that they go. */
static void what_is_done_to_accounts_is_in_the_log(void **state)
{
    struct error e;
    struct login_result made;
    configure("registration: {mode: open}\n");
    const struct registration account = {
        .localpart = "root", .password = "correct horse", .admin = true, .by = "operator:parta"};
    assert_true(account_create(t.accounts, &account, &made, &e));
    must_be_told("user.create", "operator:parta",
                 "{\"+\":\"account\",\"admin\":true,\"password\":\"set\",\"state\":\"active\",\"user\":\"@root:");
    assert_true(signs_in("root", "correct horse", "PHONE", &e));
    assert_true(account_set_password(t.accounts, "root", "operator:parta", "another horse", &e));
    must_be_told("user.password", "operator:parta",
                 "{\"=\":\"account\",\"password\":\"changed\",\"user\":\"@root:school.example\"},"
                 "{\"-\":\"session\",\"user\":\"@root:school.example\"}]");
    assert_true(registration_token_create(t.accounts, "operator:parta", "let-me-in", 2, 0, &e));
    must_be_told("token.create", "operator:parta", "{\"+\":\"registration_token\",\"uses\":2}]");
    char *before = newest_entry();
    assert_null(strstr(before, "let-me-in"));
    assert_true(registers("anna", "correct horse", NULL, &e));
    assert_true(account_change_password(t.accounts, users_no(t.f.db, "anna"), 0, true, "another horse", &e));
    char *after = newest_entry();
    assert_string_equal(after, before);
    free(before);
    free(after);
    assert_true(account_deactivate(t.accounts, users_no(t.f.db, "anna"), false, &e));
    must_be_told("account.deactivate", "@anna:school.example", "{\"=\":\"account\",\"password\":\"removed\"");
    login_result_finish(&made);
}

static void who_is_confirmed_and_not_stopped_may_act(void **state)
{
    static const char *const MAY[] = {"active", "restricted"}, *const MAY_NOT[] = {"pending", "suspended", "locked",
                                                                                   "left"};
    enum account_state state_of;
    for (size_t i = 0; i < sizeof MAY / sizeof *MAY; ++i)
        assert_true(account_state_from(MAY[i], &state_of) && account_state_may_act(state_of));
    for (size_t i = 0; i < sizeof MAY_NOT / sizeof *MAY_NOT; ++i)
        assert_true(account_state_from(MAY_NOT[i], &state_of) && !account_state_may_act(state_of));
    assert_false(account_state_may_act(account_state_stored("a word of later")));
}

static void who_registers_in_a_school_is_pending(void **state)
{
    struct user_row row;
    struct error e;
    configure("registration: {mode: open}\n");
    assert_true(registers("anna", "correct horse", NULL, &e));
    assert_true(users_find(t.f.db, "anna", &row));
    assert_int_equal(row.state, ACCOUNT_PENDING); /* A3 */
    user_row_finish(&row);
}

static void a_registration_token_counts_its_uses_and_ends(void **state)
{
    struct error e;
    configure("policy: {mode: open}\nregistration: {mode: token}\n");
    assert_true(registration_token_create(t.accounts, OFFICE, "twice", 2, 0, &e));
    assert_false(registration_token_create(t.accounts, OFFICE, "twice", 2, 0, &e));
    assert_true(registration_token_create(t.accounts, OFFICE, "brief", 0, 1, &e));
    assert_false(registration_token_create(t.accounts, OFFICE, "no blanks", 0, 0, &e));
    assert_false(registers("a", "correct horse", NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(registers("a", "correct horse", "thrice", &e));
    assert_true(registers("a", "correct horse", "twice", &e));
    assert_false(registers("a", "correct horse", "twice", &e)); /* refused for its name: no use is lost */
    assert_int_equal(e.code, ERROR_USER_IN_USE);
    assert_true(registers("b", "correct horse", "twice", &e));
    assert_false(registers("c", "correct horse", "twice", &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(registration_tokens_valid(t.f.db, "brief", 0));
    assert_false(registration_tokens_valid(t.f.db, "brief", INT64_MAX));
    assert_false(registration_tokens_valid(t.f.db, "twice", 0));
}

static void people_sign_in_by_localpart_or_id_with_the_right_password_only(void **state)
{
    static const struct {
        const char *user, *password;
        bool ok;
    } CASES[] = {
        {"anna", "correct horse", true},
        {"@anna:school.example", "correct horse", true},
        {"Anna", "correct horse", true},
        {"@ANNA:school.example", "correct horse", true},
        {"@Anna:School.example", "correct horse", false}, /* another server */
        {"anna", "Correct horse", false},
        {"anna", "", false},
        {"@anna:other.example", "correct horse", false},
        {"anna:school.example", "correct horse", false},
        {"@anna", "correct horse", false},
        {"nobody", "correct horse", false},
        {"", "correct horse", false},
    };
    person("anna");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e = {0};
        assert_int_equal(signs_in(CASES[i].user, CASES[i].password, NULL, &e), CASES[i].ok);
        assert_int_equal(e.code, CASES[i].ok ? ERROR_NONE : ERROR_FORBIDDEN);
    }
}

struct old_name {
    const char *localpart, *password_hash;
};

static bool job_old_name(struct tx *tx, void *arg, struct error *e)
{
    const struct old_name *old = arg;
    tx_acts(tx, OFFICE, "user.create");
    return users_insert(tx, old->localpart, old->password_hash, ACCOUNT_ACTIVE, false) != 0;
}

/* Who has capitals in their name of an earlier time signs in by it; nobody gets a name that differs by them alone. */
static void names_are_folded_at_the_door_and_old_ones_stay_reachable(void **state)
{
    struct error e = {0};
    struct login_result made;
    const struct registration vera = {.localpart = "VeRa", .password = "correct horse"};
    assert_true(register_account(t.accounts, &vera, &made, &e));
    assert_string_equal(made.user_id, "@vera:school.example");
    login_result_finish(&made);
    assert_true(signs_in("VERA", "correct horse", NULL, &e));
    char *hash = password_hash(t.config, "of old");
    struct old_name old = {"Olga", hash};
    assert_true(writer_run(t.f.writer, job_old_name, &old, &e));
    assert_true(signs_in("Olga", "of old", NULL, &e));
    assert_true(signs_in("@Olga:school.example", "of old", NULL, &e));
    assert_false(signs_in("olga", "of old", NULL, &e)); /* nobody's: it is not guessed whose it might be */
    e = (struct error){0};
    assert_false(register_name_free(t.accounts, t.f.db, "Olga", &e));
    assert_int_equal(e.code, ERROR_USER_IN_USE);
    free(hash);
}

static void the_cost_of_a_password_follows_the_configuration(void **state)
{
    struct user_row before, after;
    struct error e;
    person("anna");
    assert_true(users_find(t.f.db, "anna", &before));
    configure_costs(OPEN, "passwords: {ops: 2, memory_kib: 16}\n");
    assert_true(password_outdated(t.config, before.password_hash));
    assert_true(signs_in("anna", "correct horse", NULL, &e));
    assert_true(users_find(t.f.db, "anna", &after));
    assert_string_not_equal(before.password_hash, after.password_hash);
    assert_false(password_outdated(t.config, after.password_hash));
    assert_true(signs_in("anna", "correct horse", NULL, &e));
    user_row_finish(&before);
    user_row_finish(&after);
}

static void device_ids_and_names_are_bounded(void **state)
{
    char long_id[DEVICE_ID_BYTES_MAX + 2] = {0};
    struct error e;
    memset(long_id, 'D', DEVICE_ID_BYTES_MAX + 1);
    user_no anna = person("anna");
    assert_false(signs_in("anna", "correct horse", long_id, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    assert_false(signs_in("anna", "correct horse", "", &e));
    assert_false(signs_in("anna", "correct horse", "a\nb", &e));
    long_id[DEVICE_ID_BYTES_MAX] = '\0';
    assert_true(signs_in("anna", "correct horse", long_id, &e));
    assert_true(device_rename(t.accounts, anna, long_id, "Telephone", &e));
    assert_false(device_rename(t.accounts, anna, "OTHER", "Telephone", &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    char long_name[DEVICE_NAME_BYTES_MAX + 2] = {0};
    memset(long_name, 'n', DEVICE_NAME_BYTES_MAX + 1);
    assert_false(device_rename(t.accounts, anna, long_id, long_name, &e));
    assert_string_equal(e.value, "display_name"); /* as the request called it */
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
}

static void a_changed_password_ends_the_other_devices(void **state)
{
    struct error e;
    user_no anna = person("anna");
    assert_true(signs_in("anna", "correct horse", "ONE", &e) && signs_in("anna", "correct horse", "TWO", &e));
    device_no one = devices_no(t.f.db, anna, "ONE");
    assert_true(account_change_password(t.accounts, anna, one, false, "battery staple", &e));
    assert_int_equal(devices_count(t.f.db, anna), 2);
    assert_true(account_change_password(t.accounts, anna, one, true, "another staple", &e));
    assert_int_equal(devices_count(t.f.db, anna), 1);
    assert_true(devices_no(t.f.db, anna, "ONE") == one);
    assert_false(signs_in("anna", "battery staple", NULL, &e));
    assert_true(account_set_password(t.accounts, "anna", OFFICE, "by the administrator", &e));
    assert_int_equal(devices_count(t.f.db, anna), 0);
    assert_false(account_set_password(t.accounts, "nobody", OFFICE, "by the administrator", &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
}

static void a_deactivated_account_is_gone_but_its_name_is_not_free(void **state)
{
    struct error e;
    json_auto_t *name = json_string("Anna");
    user_no anna = person("anna");
    assert_true(profile_set(t.accounts, anna, "displayname", name, &e));
    assert_true(signs_in("anna", "correct horse", "ONE", &e));
    assert_true(account_deactivate(t.accounts, anna, true, &e));
    assert_false(signs_in("anna", "correct horse", NULL, &e));
    assert_int_equal(devices_count(t.f.db, anna), 0);
    assert_null(profiles_get(t.f.db, anna, "displayname"));
    assert_false(registers("anna", "correct horse", NULL, &e));
    assert_int_equal(e.code, ERROR_USER_IN_USE);
    assert_false(account_set_password(t.accounts, "anna", OFFICE, "correct horse", &e));
    assert_int_equal(e.code, ERROR_USER_DEACTIVATED);
}

static void a_locked_account_does_not_sign_in(void **state)
{
    struct error e;
    user_no anna = person("anna");
    assert_true(fixture_state(&t.f, anna, ACCOUNT_LOCKED));
    assert_false(signs_in("anna", "correct horse", NULL, &e));
    assert_int_equal(e.code, ERROR_USER_LOCKED);
    assert_true(e.soft_logout);
    assert_true(fixture_state(&t.f, anna, ACCOUNT_ACTIVE));
    assert_true(signs_in("anna", "correct horse", NULL, &e));
}

static bool sets(user_no user, const char *field, const char *json, struct error *e)
{
    struct error ignored;
    json_auto_t *value = json_parse(json, strlen(json), &ignored);
    assert_non_null(value);
    return profile_set(t.accounts, user, field, value, e);
}

static void profile_fields_are_typed_and_named_by_the_grammar(void **state)
{
    static const struct {
        const char *field, *value;
        enum error_code code;
        int changes; /* member events asked for so far */
    } CASES[] = {
        {"displayname", "\"Anna\"", ERROR_NONE, 1},
        {"displayname", "\"Anna\"", ERROR_NONE, 1}, /* nothing new */
        {"displayname", "17", ERROR_BAD_JSON, 1},
        {"displayname", "null", ERROR_BAD_JSON, 1},
        {"avatar_url", "\"mxc://school.example/abc\"", ERROR_NONE, 2},
        {"avatar_url", "\"https://school.example/abc\"", ERROR_INVALID_PARAM, 2},
        {"avatar_url", "\"mxc:///abc\"", ERROR_INVALID_PARAM, 2},
        {"avatar_url", "\"mxc://school.example/\"", ERROR_INVALID_PARAM, 2},
        {"avatar_url", "\"\"", ERROR_NONE, 3}, /* cleared */
        {"m.tz", "\"Europe/Moscow\"", ERROR_NONE, 3},
        {"m.tz", "3", ERROR_BAD_JSON, 3},
        {"org.example.pronouns", "[1, 2.5, null, {\"a\": \"b\"}]", ERROR_NONE, 3},
        {"org.example.nothing", "null", ERROR_NONE, 3},
        {"nodot", "1", ERROR_INVALID_PARAM, 3},
        {"Org.example", "1", ERROR_INVALID_PARAM, 3},
        {"1org.example", "1", ERROR_INVALID_PARAM, 3},
        {"org.exa mple", "1", ERROR_INVALID_PARAM, 3},
    };
    user_no anna = person("anna");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e = {0};
        assert_int_equal(sets(anna, CASES[i].field, CASES[i].value, &e), CASES[i].code == ERROR_NONE);
        assert_int_equal(e.code, CASES[i].code);
        assert_int_equal(t.profile_changes, CASES[i].changes);
    }
    char *stored = profiles_get(t.f.db, anna, "org.example.pronouns");
    assert_string_equal(stored, "[1,2.5,null,{\"a\":\"b\"}]");
    free(stored);
    assert_null(profiles_get(t.f.db, anna, "avatar_url"));
}

static void profiles_are_bounded(void **state)
{
    struct text value = TEXT_INIT, field = TEXT_INIT;
    struct error e;
    user_no anna = person("anna");
    text_adds(&field, "org.example.");
    while (field.len < PROFILE_KEY_BYTES_MAX)
        text_addc(&field, 'x');
    assert_true(sets(anna, field.data, "1", &e));
    text_addc(&field, 'x');
    assert_false(sets(anna, field.data, "1", &e));
    assert_int_equal(e.code, ERROR_KEY_TOO_LARGE);
    text_addc(&value, '"');
    while (value.len < 40000)
        text_addc(&value, 'v');
    text_addc(&value, '"');
    assert_true(sets(anna, "org.example.one", value.data, &e));
    assert_false(sets(anna, "org.example.two", value.data, &e));
    assert_int_equal(e.code, ERROR_PROFILE_TOO_LARGE);
    assert_true(sets(anna, "org.example.one", value.data, &e)); /* replaced, not added */
    assert_true(profile_clear(t.accounts, anna, "org.example.one", &e));
    assert_true(sets(anna, "org.example.two", value.data, &e));
    text_finish(&value);
    text_finish(&field);
}

static void a_suspended_person_changes_no_profile(void **state)
{
    struct error e;
    user_no anna = person("anna");
    assert_true(fixture_state(&t.f, anna, ACCOUNT_SUSPENDED));
    assert_false(sets(anna, "displayname", "\"Anna\"", &e));
    assert_int_equal(e.code, ERROR_USER_SUSPENDED);
    assert_true(fixture_state(&t.f, anna, ACCOUNT_PENDING));
    assert_false(sets(anna, "displayname", "\"Anna\"", &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_string_equal(e.rule, "A3");
    assert_true(fixture_state(&t.f, anna, ACCOUNT_RESTRICTED)); /* as the rules say of ACT_NAME (D7) */
    assert_false(sets(anna, "displayname", "\"Anna\"", &e));
    assert_string_equal(e.rule, "D7");
    assert_int_equal(t.profile_changes, 0);
}

/* school.md A6; who knows whom in a school is tests/unit/gate.c's. */
static void profiles_are_open_only_where_there_is_no_school(void **state)
{
    struct error e;
    user_no anna = person("anna"), boris = person("boris");
    assert_true(profile_readable(t.accounts, t.f.db, 0, anna, &e));
    assert_true(profile_readable(t.accounts, t.f.db, boris, anna, &e));
    assert_false(profile_readable(t.accounts, t.f.db, boris, 0, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    configure("");
    assert_true(profile_readable(t.accounts, t.f.db, anna, anna, &e));
    assert_false(profile_readable(t.accounts, t.f.db, 0, anna, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(profile_readable(t.accounts, t.f.db, anna, 0, &e));
    assert_string_equal(e.rule, "A6");
    configure(OPEN);
}

static void account_data_of_the_server_is_refused(void **state)
{
    static const struct {
        const char *type;
        enum error_code code;
        int status;
    } CASES[] = {
        {"org.example.settings", ERROR_NONE, 0}, {"m.direct", ERROR_NONE, 0},    {"m.push_rules", ERROR_BAD_JSON, 405},
        {"m.fully_read", ERROR_BAD_JSON, 405},   {"", ERROR_INVALID_PARAM, 400},
    };
    json_auto_t *content = json_pack("{s:i}", "a", 1);
    user_no anna = person("anna");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e = {0};
        assert_int_equal(account_data_set(t.accounts, anna, 0, CASES[i].type, content, &e),
                         CASES[i].code == ERROR_NONE);
        assert_int_equal(e.code, CASES[i].code);
        if (e.code != ERROR_NONE)
            assert_int_equal(error_status(&e), CASES[i].status);
    }
    char *text = account_data_get(t.f.db, anna, 0, "m.direct");
    assert_string_equal(text, "{\"a\":1}");
    free(text);
}

static void count_row(void *arg, const struct account_data_row *row)
{
    struct text *seen = arg;
    text_addf(seen, "%s%s=%s", seen->len != 0 ? " " : "", row->type, row->content);
}

static void account_data_is_listed_by_position(void **state)
{
    struct text seen = TEXT_INIT;
    struct error e;
    user_no anna = person("anna");
    json_auto_t *one = json_pack("{s:i}", "n", 1), *two = json_pack("{s:i}", "n", 2);
    assert_true(account_data_set(t.accounts, anna, 0, "a", one, &e));
    stream_pos since = writer_pos(t.f.writer);
    assert_true(account_data_set(t.accounts, anna, 0, "b", one, &e));
    assert_true(account_data_set(t.accounts, anna, 0, "a", two, &e));
    account_data_each(t.f.db, anna, since, writer_pos(t.f.writer), count_row, &seen);
    assert_string_equal(seen.data, "b={\"n\":1} a={\"n\":2}");
    text_clear(&seen);
    account_data_each(t.f.db, anna, writer_pos(t.f.writer), writer_pos(t.f.writer) + 1, count_row, &seen);
    assert_int_equal(seen.len, 0);
    text_finish(&seen);
}

static void tags_are_kept_per_room(void **state)
{
    static const struct {
        const char *order;
        enum error_code code;
    } CASES[] = {
        {"{\"order\":0.25}", ERROR_NONE},
        {"{}", ERROR_NONE},
        {"{\"order\":1}", ERROR_NONE},
        {"{\"order\":1.5}", ERROR_INVALID_PARAM},
        {"{\"order\":-0.1}", ERROR_INVALID_PARAM},
        {"{\"order\":\"0.5\"}", ERROR_INVALID_PARAM},
    };
    struct error e;
    user_no anna = person("anna"), boris = person("boris");
    room_no room = fixture_room(&t.f, anna, "12", PRESET_PRIVATE_CHAT, &e);
    assert_true(room != 0);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        json_auto_t *order = json_parse(CASES[i].order, strlen(CASES[i].order), &e);
        e.code = ERROR_NONE;
        assert_int_equal(account_data_set_tag(t.accounts, anna, room, "u.work", order, &e),
                         CASES[i].code == ERROR_NONE);
        assert_int_equal(e.code, CASES[i].code);
    }
    json_auto_t *order = json_pack("{s:f}", "order", 0.5);
    assert_true(account_data_set_tag(t.accounts, anna, room, "m.favourite", order, &e));
    assert_true(account_data_clear_tag(t.accounts, anna, room, "u.work", &e));
    assert_true(account_data_clear_tag(t.accounts, anna, room, "u.work", &e));
    char *text = account_data_get(t.f.db, anna, room, "m.tag");
    assert_string_equal(text, "{\"tags\":{\"m.favourite\":{\"order\":0.5}}}");
    free(text);
    struct error unknown, foreign;
    assert_int_equal(account_data_room(t.f.db, boris, "!nothing:school.example", &unknown), 0);
    char *room_id = rooms_id_of(t.f.db, room);
    assert_int_equal(account_data_room(t.f.db, boris, room_id, &foreign), 0);
    assert_int_equal(unknown.code, foreign.code); /* A1: a room one may not know looks like none */
    assert_true(account_data_room(t.f.db, anna, room_id, &e) == room);
    assert_int_equal(account_data_room(t.f.db, anna, "no room", &e), 0);
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    free(room_id);
}

struct doomed {
    const char *localpart;
    char seen[64];
    bool refuse;
};

static bool job_named(struct tx *tx, void *arg, struct error *e)
{
    struct doomed *d = arg;
    fixture_acts(tx);
    user_no no = users_insert(tx, d->localpart, NULL, ACCOUNT_ACTIVE, false);
    snprintf(d->seen, sizeof d->seen, "%s", user_names_get(t.f.names, tx->db, no));
    return !d->refuse || error_set(e, ERROR_FORBIDDEN, NULL);
}

/* A rolled back job's number goes to the next user: the name read inside it must not stick. */
static void a_name_read_in_a_job_that_failed_is_not_believed(void **state)
{
    struct doomed first = {.localpart = "ghost", .refuse = true}, second = {.localpart = "anna"},
                  third = {.localpart = "boris"};
    struct error e;
    assert_false(writer_run(t.f.writer, job_named, &first, &e));
    assert_string_equal(first.seen, "@ghost:school.example");
    assert_true(writer_run(t.f.writer, job_named, &second, &e));
    assert_string_equal(second.seen, "@anna:school.example");
    assert_true(writer_run(t.f.writer, job_named, &third, &e));
    user_no anna = users_no(t.f.db, "anna"), boris = users_no(t.f.db, "boris");
    const char *b = user_names_get(t.f.names, t.f.db, boris), *a = user_names_get(t.f.names, t.f.db, anna);
    assert_string_equal(a, "@anna:school.example");
    assert_string_equal(b, "@boris:school.example");
    assert_ptr_equal(a, user_names_get(t.f.names, t.f.db, anna)); /* from memory, the same string for ever */
    assert_null(user_names_get(t.f.names, t.f.db, boris + 1));
    assert_null(user_names_get(t.f.names, t.f.db, 0));
    char *id = users_id(t.f.db, "school.example", anna);
    assert_string_equal(id, "@anna:school.example");
    free(id);
    assert_true(users_by_id(t.f.db, "school.example", "@boris:school.example") == boris);
    assert_true(users_by_id(t.f.db, "school.example", "@boris:other.example") == 0);
}

static void a_nonce_is_good_once_and_for_a_minute(void **state)
{
    char one[NONCE_CHARS + 1], two[NONCE_CHARS + 1];
    struct nonces *nonces = nonces_create();
    nonces_issue(nonces, NULL, 1000, NONCE_LIFETIME_MS, one);
    nonces_issue(nonces, NULL, 1000, NONCE_LIFETIME_MS, two);
    assert_string_not_equal(one, two);
    assert_false(nonces_redeem(nonces, "", 1000, NULL));
    assert_false(nonces_redeem(nonces, "never issued", 1000, NULL));
    assert_true(nonces_redeem(nonces, one, 1000, NULL));
    assert_false(nonces_redeem(nonces, one, 1000, NULL));
    assert_false(nonces_redeem(nonces, two, 1000 + NONCE_LIFETIME_MS, NULL));
    nonces_destroy(nonces);
}

/* --- Login tokens end with what they were made of (H1, J4) --- */

enum ending { NOTHING, ONE_ENDS, ALL_END, AGAIN, NEW_PASSWORD, NO_PASSWORD, LOCKED, LEFT, OTHERS_END, ENDINGS };

struct ending_job {
    enum ending how;
    user_no user;
    device_no device;
};

static bool ending_act(struct tx *tx, void *arg, struct error *e)
{
    const struct ending_job *j = arg;
    fixture_acts(tx);
    switch (j->how) {
    case ONE_ENDS: return devices_delete(tx, j->user, j->device);
    case ALL_END: return devices_delete_all(tx, j->user, 0);
    case AGAIN: /* the next session may have the same number */
        tx->now_ms += 60000;
        return devices_delete_all(tx, j->user, 0) && devices_insert(tx, j->user, "AGAIN", NULL, NULL) == j->device;
    case NEW_PASSWORD: return users_set_password(tx, j->user, "$argon2id$another");
    case NO_PASSWORD: return users_set_password(tx, j->user, NULL);
    case LOCKED: return users_set_state(tx, j->user, ACCOUNT_LOCKED);
    case LEFT: return users_set_state(tx, j->user, ACCOUNT_LEFT);
    case OTHERS_END: return devices_delete_all(tx, j->user, j->device);
    default: return true;
    }
}

static void a_login_token_ends_with_what_it_was_made_of(void **state)
{
    for (enum ending how = NOTHING; how < ENDINGS; ++how) {
        struct error e;
        char name[16], token[TOKEN_CHARS + 1];
        snprintf(name, sizeof name, "token%d", (int)how);
        user_no user = person(name);
        assert_true(signs_in(name, "correct horse", "FIRST", &e));
        device_no device = devices_no(t.f.db, user, "FIRST");
        login_token_issue(t.accounts, t.f.db, user, device, token);
        assert_true(writer_run(t.f.writer, ending_act, &(struct ending_job){how, user, device}, &e));
        struct login_job *job = login_begin_by_token(t.accounts, t.f.db, token, &(struct device_wish){0}, &e);
        bool good = job != NULL && writer_run(t.f.writer, login_write, job, &e);
        if (good != (how == NOTHING || how == OTHERS_END))
            fail_msg("ending %d: %s", (int)how, good ? "signs in" : error_sentence(&e));
        free(job);
        assert_null(login_begin_by_token(t.accounts, t.f.db, token, &(struct device_wish){0}, &e));
    }
}

/* --- "End all sessions" takes along what would become one --- */

enum proof { TOKEN_OF_SSO, ONCE, FACTOR, FACTOR_OF_PROVIDER, APPROVAL, PROOFS };

/* Whether the proof of that kind still does what it is for. ended: all sessions end between the two. */
static bool still_good(enum proof kind, user_no user, const char *name, bool ended)
{
    char token[TOKEN_CHARS + 1];
    unsigned char origin[TOKEN_HASH_BYTES];
    struct error e;
    struct login_job *job = NULL;
    const struct device_wish wish = {0};
    login_origin_of(t.f.db, user, origin);
    switch (kind) {
    case TOKEN_OF_SSO: login_token_issue(t.accounts, t.f.db, user, 0, token); break;
    case ONCE: login_once_issue(t.accounts, t.f.db, user, token); break;
    case FACTOR_OF_PROVIDER: login_factor_issue_to(t.accounts, t.f.db, user, token); break;
    case APPROVAL: approvals_give(t.accounts->approvals, user, origin, clock_mono_ms()); break;
    default:
        job = login_begin(t.accounts, t.f.db, name, "correct horse", &wish, &e);
        login_factor_issue(t.accounts, job, token);
        free(job);
    }
    if (ended && !device_delete_all(t.accounts, user, &e))
        fail_msg("%s", error_sentence(&e));
    if (kind == APPROVAL) {
        login_origin_of(t.f.db, user, origin);
        return approvals_take(t.accounts->approvals, user, origin, clock_mono_ms());
    }
    job = kind == FACTOR || kind == FACTOR_OF_PROVIDER
              ? login_begin_by_factor(t.accounts, t.f.db, token, NULL, &wish, &e)
              : login_begin_by_token(t.accounts, t.f.db, token, &wish, &e);
    bool good = job != NULL && writer_run(t.f.writer, login_write, job, &e);
    free(job);
    return good;
}

static void whoever_ends_all_sessions_ends_what_would_become_one(void **state)
{
    struct error e;
    for (enum proof kind = 0; kind < PROOFS; ++kind) {
        char name[16];
        snprintf(name, sizeof name, "ends%d", (int)kind);
        user_no user = person(name);
        assert_true(signs_in(name, "correct horse", "FIRST", &e));
        assert_true(still_good(kind, user, name, false));
        if (still_good(kind, user, name, true))
            fail_msg("proof %d outlives the end of all sessions", (int)kind);
        assert_true(still_good(kind, user, name, false)); /* a new one is good */
    }
}

/* Of each place in memory that proofs are drawn in, and of each table that knows a token by its hash: what ends it. */
static const struct {
    const char *place, *ends;
} PROOF_PLACES[] = {
    {".nonces", "of nobody's account: the shared secret makes a new one"},
    {".login_tokens", "login_origin_digest"},
    {".factor_tokens", "login_origin_digest"},
    {".approvals", "login_origin_digest"},
    {".rendezvous", "of nobody's account: two devices meet"},
    {".rendezvous_bytes", "the same"},
    {"access_tokens", "with its device"},
    {"refresh_tokens", "with its device"},
    {"spent_refresh_tokens", "with its device"},
    {"oauth_codes", "devices_delete_all"},
    {"oauth_device_codes", "devices_delete_all; login_origin_digest"},
    {"page_sessions", "devices_delete_all"},
    {"recovery_codes", "the second factor's own, which ending sessions does not end"},
    {"operator_tokens", "no person's"},
    {"registration_tokens", "no person's"},
    {"association_codes", "a school's"},
    {"verifications", "proves an address, and a new password by it ends what was before"},
    {"links", "the school's, to whom it gave them"},
};

static bool place_known(const char *place, size_t len)
{
    for (size_t i = 0; i < sizeof PROOF_PLACES / sizeof *PROOF_PLACES; ++i)
        if (strlen(PROOF_PLACES[i].place) == len && strncmp(PROOF_PLACES[i].place, place, len) == 0)
            return true;
    return false;
}

static void each_place_of_proofs_is_known(void **state)
{
    char line[512], path[512];
    const char *tests = getenv("TESTS_DIR");
    snprintf(path, sizeof path, "%s/../homeserver/accounts/accounts.c", tests != NULL ? tests : "tests");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int n = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        const char *made = strstr(line, "_create(),"), *at = strchr(line, '.');
        if (made == NULL || at == NULL)
            continue;
        ++n;
        if (!place_known(at, strcspn(at, " =")))
            fail_msg("say what becomes of it when somebody ends all sessions: %s", line);
    }
    fclose(f);
    assert_int_equal(n, 6);
    static const struct statement HASHED[] = {
        "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND (c.name LIKE '%token_hash' OR c.name LIKE '%code_hash')"};
    static const struct statements SET = {"proof_places", HASHED, 1};
    struct stmt *q = db_query(t.f.db, &SET, 0, "");
    for (n = 0; stmt_next(q); ++n)
        if (!place_known(col_text(q, 0), strlen(col_text(q, 0))))
            fail_msg("say what becomes of %s when somebody ends all sessions", col_text(q, 0));
    stmt_end(q);
    assert_true(n >= 5);
}

/* Digests by an independent implementation (Python's hmac). */
static void the_shared_secret_signs_every_part(void **state)
{
    static const struct {
        struct shared_secret_request request;
        const char *mac;
        bool ok;
    } CASES[] = {
        {{"abc", "anna", "pass word", false, NULL}, "24e59497c3f0d59915630c6b6f1c255c44e2bca9", true},
        {{"abc", "anna", "pass word", true, NULL}, "73ce81020fe928eb2f4d295fcf8da52afe1d07de", true},
        {{"abc", "anna", "pass word", false, "bot"}, "3f32886542763677c605581ca3c383803887a204", true},
        {{"abc", "anna", "pass word", true, NULL}, "24e59497c3f0d59915630c6b6f1c255c44e2bca9", false},
        {{"abc", "boris", "pass word", false, NULL}, "24e59497c3f0d59915630c6b6f1c255c44e2bca9", false},
        {{"abd", "anna", "pass word", false, NULL}, "24e59497c3f0d59915630c6b6f1c255c44e2bca9", false},
        {{"abc", "anna", "pass word", false, NULL}, "", false},
        {{"abc", "anna", "pass word", false, NULL}, "00", false},
        {{"abc", "anna", "pass word", false, NULL}, "not hexadecimal", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(shared_secret_verify("hush", &CASES[i].request, CASES[i].mac), CASES[i].ok);
}

static bool create_fails(int n)
{
    const struct device_wish wish = {.device_id = "PHONE", .refresh = true};
    const struct registration account = {
        .localpart = "fault", .password = "correct horse", .display_name = "F", .device = &wish, .by = OFFICE};
    struct login_result out;
    struct error e;
    db_fail_after(writer_db_for_tests(t.f.writer), n);
    bool ok = account_create(t.accounts, &account, &out, &e);
    db_fail_after(writer_db_for_tests(t.f.writer), 0);
    login_result_finish(&out);
    if (!ok)
        assert_int_equal(error_status(&e), 500);
    return !ok;
}

/* The n-th store call fails: nothing is half done, and the account can be made afterwards. */
static void an_account_is_made_whole_or_not_at_all(void **state)
{
    int n = 1;
    for (; create_fails(n); ++n)
        assert_int_equal(users_no(t.f.db, "fault"), 0);
    assert_true(n > 3);
    user_no made = users_no(t.f.db, "fault");
    assert_true(made != 0);
    assert_int_equal(devices_count(t.f.db, made), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- The second factor (H1) --- */

#define RFC_SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" /* RFC 6238, appendix B: "12345678901234567890" */

static void code_of(int64_t step, char out[7])
{
    assert_int_equal(
        oath_hotp_generate("12345678901234567890", 20, (uint64_t)step, 6, false, OATH_HOTP_DYNAMIC_TRUNCATION, out),
        OATH_OK);
}

static user_no with_factor(char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1])
{
    struct error e = {0};
    char now[7];
    assert_true(registers("anna", "correct horse", NULL, &e));
    user_no anna = users_no(t.f.db, "anna");
    code_of(clock_wall_ms() / 30000, now);
    assert_false(second_factor_set(t.accounts, anna, RFC_SECRET, "000000", codes, &e));
    assert_false(second_factor_set(t.accounts, anna, "GEZDGNBV", now, codes, &e));
    assert_false(second_factors_has(t.f.db, anna));
    assert_true(second_factor_set(t.accounts, anna, RFC_SECRET, now, codes, &e));
    return anna;
}

struct spending {
    user_no user;
    int64_t at_s, last_step; /* last_step: set before; −2: left as it is */
    const char *typed;
};

static bool job_spend(struct tx *tx, void *arg, struct error *e)
{
    struct spending *s = arg;
    tx->now_ms = s->at_s * 1000;
    tx_own(tx, s->user);
    return (s->last_step == -2 || second_factors_step(tx, s->user, s->last_step)) &&
           second_factor_spend(tx, t.accounts, s->user, s->typed, e);
}

/* RFC 6238's own examples, in order: what is taken is not taken again, nor what is older. */
static void a_code_is_good_for_its_step_and_once(void **state)
{
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1];
    static const struct {
        int64_t at_s;
        const char *typed;
        int64_t last_step;
        bool good;
    } CASES[] = {
        {59, "287082", -1, true},          {59, "287082", -2, false},        {89, "287082", -1, true},
        {29, "28 70-82", -1, true},        {120, "287082", -1, false},       {59, "287083", -1, false},
        {59, "28708", -1, false},          {59, "2870820", -1, false},       {59, "", -1, false},
        {1111111109, "081804", -2, true},  {1111111111, "050471", -2, true}, {1111111111, "081804", -2, false},
        {1234567890, "005924", -2, true},  {2000000000, "279037", -2, true}, {1234567890, "005924", -2, false},
        {20000000000, "353130", -2, true},
    };
    user_no anna = with_factor(codes);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e = {0};
        struct spending s = {anna, CASES[i].at_s, CASES[i].last_step, CASES[i].typed};
        if (writer_run(t.f.writer, job_spend, &s, &e) != CASES[i].good)
            fail_msg("case %zu: %s", i, CASES[i].typed);
        assert_int_equal(e.code, CASES[i].good ? ERROR_NONE : ERROR_FORBIDDEN);
    }
}

static void recovery_codes_are_good_once_and_their_owners(void **state)
{
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1], typed[64];
    struct error e = {0};
    user_no anna = with_factor(codes);
    assert_true(registers("boris", "correct horse", NULL, &e));
    for (int i = 0; i < RECOVERY_CODES_MAX; ++i) {
        assert_int_equal(second_factors_codes(t.f.db, anna), RECOVERY_CODES_MAX - i);
        snprintf(typed, sizeof typed, " %.9s %s", codes[i], codes[i] + 10); /* as people copy it */
        assert_true(second_factor_prove(t.accounts, anna, typed, &e));
        assert_false(second_factor_prove(t.accounts, anna, codes[i], &e));
    }
    assert_true(second_factor_prove(t.accounts, users_no(t.f.db, "boris"), "", &e)); /* who has none shows none */
    assert_true(second_factor_end(t.accounts, anna, &e));
    assert_false(second_factors_has(t.f.db, anna));
}

static struct login_job *begin(const char *password, const char *token, const char *code)
{
    struct error e = {0};
    static const struct device_wish wish = {.device_id = "NEW"};
    return token != NULL ? login_begin_by_factor(t.accounts, t.f.db, token, code, &wish, &e)
                         : login_begin(t.accounts, t.f.db, "anna", password, &wish, &e);
}

static bool ends(struct login_job *job)
{
    struct error e = {0};
    struct login_result out = {0};
    bool done = writer_run(t.f.writer, login_write, job, &e);
    if (done)
        login_end(job, &out);
    login_result_finish(&out);
    free(job);
    return done;
}

static void with_a_second_factor_the_password_lets_nobody_in(void **state)
{
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1], token[TOKEN_CHARS + 1], again[TOKEN_CHARS + 1];
    struct error e;
    user_no anna = with_factor(codes);
    assert_false(signs_in("anna", "correct horse", "APP", &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    struct login_job *job = begin("correct horse", NULL, NULL);
    assert_true(login_wants_factor(job));
    login_factor_issue(t.accounts, job, token);
    free(job);
    assert_null(begin(token, NULL, NULL)); /* no password, and no login token */
    job = begin(NULL, token, "000000");
    login_factor_issue(t.accounts, job, again);
    assert_false(ends(job));
    assert_null(begin(NULL, token, codes[0])); /* spent */
    assert_true(ends(begin(NULL, again, codes[0])));
    login_once_issue(t.accounts, t.f.db, anna, token);
    assert_true(ends(begin(token, NULL, NULL))); /* an app that asks for a password */
    assert_null(begin(token, NULL, NULL));
    job = begin("correct horse", NULL, NULL);
    login_factor_issue(t.accounts, job, token);
    free(job);
    assert_true(account_change_password(t.accounts, anna, 0, false, "another horse", &e));
    assert_false(ends(begin(NULL, token, codes[1]))); /* it was for the password of then */
    /* Who owns the machine lets in who has lost everything, and the log says so. */
    assert_true(account_set_password(t.accounts, "anna", OFFICE, "a third horse", &e));
    assert_false(second_factors_has(t.f.db, anna));
    must_be_told("user.password", OFFICE,
                 "{\"=\":\"account\",\"password\":\"changed\",\"user\":\"@anna:school.example\"},"
                 "{\"-\":\"second_factor\",\"user\":\"@anna:school.example\"}");
    assert_true(signs_in("anna", "a third horse", "APP", &e));
}

/* The file tells no codes: the secret is sealed, and for its person. */
static bool job_swap(struct tx *tx, void *arg, struct error *e)
{
    struct second_factor_row row;
    user_no boris = users_no(tx->db, "boris");
    tx_own(tx, boris);
    return second_factors_get(tx->db, users_no(tx->db, "anna"), &row) && second_factors_set(tx, boris, &row) &&
           second_factors_step(tx, boris, -1);
}

static void a_secret_is_sealed_for_its_person(void **state)
{
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1];
    struct second_factor_row row;
    struct error e = {0};
    user_no anna = with_factor(codes);
    assert_true(registers("boris", "correct horse", NULL, &e));
    assert_true(second_factors_get(t.f.db, anna, &row));
    assert_null(memmem(row.sealed, sizeof row.sealed, "12345678901234567890", 8));
    assert_true(writer_run(t.f.writer, job_swap, NULL, &e));
    struct spending s = {users_no(t.f.db, "boris"), 59, -1, "287082"};
    assert_false(writer_run(t.f.writer, job_spend, &s, &e));
    s.user = anna;
    assert_true(writer_run(t.f.writer, job_spend, &s, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_code_is_good_for_its_step_and_once),
        TEST(recovery_codes_are_good_once_and_their_owners),
        TEST(with_a_second_factor_the_password_lets_nobody_in),
        TEST(a_secret_is_sealed_for_its_person),
        TEST(the_commonest_passwords_are_known),
        TEST(names_and_passwords_are_judged),
        TEST(a_password_is_the_same_on_every_keyboard),
        TEST(what_is_done_to_accounts_is_in_the_log),
        TEST(a_closed_server_registers_nobody_but_the_administrator_does),
        TEST(who_is_confirmed_and_not_stopped_may_act),
        TEST(who_registers_in_a_school_is_pending),
        TEST(a_registration_token_counts_its_uses_and_ends),
        TEST(people_sign_in_by_localpart_or_id_with_the_right_password_only),
        TEST(names_are_folded_at_the_door_and_old_ones_stay_reachable),
        TEST(the_cost_of_a_password_follows_the_configuration),
        TEST(device_ids_and_names_are_bounded),
        TEST(a_changed_password_ends_the_other_devices),
        TEST(a_deactivated_account_is_gone_but_its_name_is_not_free),
        TEST(a_locked_account_does_not_sign_in),
        TEST(profile_fields_are_typed_and_named_by_the_grammar),
        TEST(profiles_are_bounded),
        TEST(a_suspended_person_changes_no_profile),
        TEST(profiles_are_open_only_where_there_is_no_school),
        TEST(account_data_of_the_server_is_refused),
        TEST(account_data_is_listed_by_position),
        TEST(tags_are_kept_per_room),
        TEST(a_name_read_in_a_job_that_failed_is_not_believed),
        TEST(a_nonce_is_good_once_and_for_a_minute),
        TEST(a_login_token_ends_with_what_it_was_made_of),
        TEST(whoever_ends_all_sessions_ends_what_would_become_one),
        TEST(each_place_of_proofs_is_known),
        TEST(the_shared_secret_signs_every_part),
        TEST(an_account_is_made_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
