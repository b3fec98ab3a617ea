/* Phone numbers and e-mail addresses: their forms, the codes that verify them, whose they may be (school.md C3, C4,
 * D4). The wall clock that everything asks is this file's own (linked with --wrap) and stands still: messages are
 * counted by the hours of the clock, so a test says itself when one is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/code_messages.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/accounts/mailbox.h"
#include "homeserver/accounts/phone.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/verifications.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/links.h"
#include "tests/unit/login_now.h"
#include "tests/unit/fixture.h"

#define SECRET "monkeys_are_GREAT"

static _Atomic int64_t clock_ms;

int64_t still_clock_ms(void) __asm__("__wrap_clock_wall_ms");
int64_t still_clock_ms(void)
{
    return clock_ms;
}

static void pass(int64_t ms)
{
    clock_ms += ms;
}

static struct {
    struct fixture f;
    struct config *config;
    struct accounts *accounts;
    struct contacts *contacts;
    int letters;
    char to[300], text[2000]; /* of the last one */
    bool full, unreachable;   /* how the post is */
    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool waits, came, behind; /* the post waits for the answer; it has come; the post has waited for it */
    } answer;
} t;

/* A post that takes nothing before who asked has their answer, or seconds have passed. */
static void wait_for_answer(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 5;
    pthread_mutex_lock(&t.answer.lock);
    while (!t.answer.came && pthread_cond_timedwait(&t.answer.changed, &t.answer.lock, &end) == 0)
        ;
    t.answer.behind = t.answer.came;
    pthread_mutex_unlock(&t.answer.lock);
}

static bool keep_letter(void *self, const struct letter *letter, int64_t deadline_ms,
                        void (*done)(void *arg, bool delivered), void *arg)
{
    assert_ptr_equal(self, &t);
    assert_true(deadline_ms > clock_mono_ms());
    if (t.answer.waits)
        wait_for_answer();
    if (t.full)
        return false;
    ++t.letters;
    snprintf(t.to, sizeof t.to, "%s", letter->to);
    snprintf(t.text, sizeof t.text, "%s", letter->text);
    assert_true((letter->subject != NULL) == (letter->way == POST_MAIL));
    done(arg, !t.unreachable);
    return true;
}

static void open_contacts(bool mail, bool sms)
{
    contacts_destroy(t.contacts);
    t.contacts = contacts_create(&(struct contacts_settings){.config = t.config,
                                                             .writer = t.f.writer,
                                                             .post = &t,
                                                             .offers = {[POST_MAIL] = mail, [POST_SMS] = sms},
                                                             .send = keep_letter});
}

static int setup(void **state)
{
    static const char YAML[] = "server_name: school.example\npolicy: {mode: open}\nregistration: {mode: open}\n"
                               "passwords: {ops: 1, memory_kib: 8}\ncodes: {tries: 3, per_hour: 4}\n";
    struct text problem = TEXT_INIT;
    memset(&t, 0, sizeof t);
    clock_ms = 500000 * HOUR_MS + 10 * MINUTE_MS; /* in 2027 */
    pthread_mutex_init(&t.answer.lock, NULL);
    pthread_cond_init(&t.answer.changed, NULL);
    fixture_start(&t.f);
    if (!config_parse("test", YAML, strlen(YAML), &t.config, &problem))
        fail_msg("%s", problem.data);
    t.accounts = accounts_create(t.config, t.f.writer, t.f.names);
    open_contacts(true, true);
    return 0;
}

static int teardown(void **state)
{
    contacts_destroy(t.contacts);
    accounts_destroy(t.accounts);
    config_free(t.config);
    fixture_stop(&t.f);
    return 0;
}

/* --- Forms --- */

static void mail_addresses_are_canonical(void **state)
{
    static const struct {
        const char *typed, *canonical; /* NULL: refused */
    } CASES[] = {
        {"anna@school.example", "anna@school.example"},
        {" Anna.K+x@School.Example ", "anna.k+x@school.example"},
        {"a@b.cd", "a@b.cd"},
        {"o'neil@xn--80adxhks.xn--p1ai", "o'neil@xn--80adxhks.xn--p1ai"},
        {"", NULL},
        {"anna", NULL},
        {"@school.example", NULL},
        {"anna@", NULL},
        {"anna@localhost", NULL},
        {"anna@school..example", NULL},
        {"anna@.school.example", NULL},
        {"anna@school.example.", NULL},
        {".anna@school.example", NULL},
        {"anna.@school.example", NULL},
        {"an..na@school.example", NULL},
        {"anna@-school.example", NULL},
        {"anna@school-.example", NULL},
        {"anna@school.example-", NULL},
        {"anna k@school.example", NULL},
        {"\"anna k\"@school.example", NULL},
        {"anna@[127.0.0.1]", NULL},
        {"a@b@school.example", NULL},
        {"anna@school.example\r\nBcc: x@y.example", NULL},
        {"anna@school.example\n", NULL},
        {"anna@school.example,x@y.example", NULL},
        {"<anna@school.example>", NULL},
        {"анна@school.example", NULL},
        {"anna@школа.рф", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct contact_address address;
        struct error e = {0};
        bool taken = contact_email(CASES[i].typed, &address, &e);
        if (taken != (CASES[i].canonical != NULL))
            fail_msg("\"%s\" was %s", CASES[i].typed, taken ? "taken" : "refused");
        if (taken)
            assert_string_equal(address.address, CASES[i].canonical);
        else
            assert_int_equal(e.code, ERROR_INVALID_PARAM);
    }
    char local[70] = "", domain[300] = "a@";
    struct contact_address address;
    struct error e;
    memset(local, 'a', 65);
    strcpy(local + 64, "@b.c");
    assert_true(contact_email(local, &address, &e));
    strcpy(local + 64, "a@b.c");
    assert_false(contact_email(local, &address, &e)); /* 65 before the @ */
    while (strlen(domain) < 253)
        strcat(domain, "b.");
    strcat(domain, "cc");
    assert_false(contact_email(domain, &address, &e)); /* 255 bytes */
}

static void phone_numbers_are_canonical(void **state)
{
    static const struct {
        const char *country, *typed, *canonical; /* NULL: refused */
    } CASES[] = {
        {"RU", "8 (912) 345-67-89", "79123456789"},
        {"RU", "+7 912 345-67-89", "79123456789"},
        {"RU", "9123456789", "79123456789"},
        {"RU", "79123456789", "79123456789"},
        {"RU", "810375291234567", "375291234567"},
        {"RU", "8 800 555 35 35", "78005553535"},
        {"RU", "800 555 35 35", "78005553535"},
        {"RU", "12345", NULL},
        {"RU", "912345678901", NULL},
        {"GB", "07700 900001", "447700900001"},
        {"GB", "+447700900001", "447700900001"},
        {"GB", "00447700900001", "447700900001"},
        {"US", "(202) 555-0123", "12025550123"},
        {"US", "1-202-555-0123", "12025550123"},
        {"US", "011 7 912 345 67 89", "79123456789"},
        {"IT", "312 345 6789", "393123456789"},
        {"DE", "0151.12345678", "4915112345678"},
        {"BY", "8 029 123-45-67", "375291234567"},
        {"BY", "29 123 45 67", "375291234567"},
        {"XX", "9123456789", NULL},
        {"ru", "9123456789", NULL},
        {"RU", "", NULL},
        {"RU", "+", NULL},
        {"RU", "912345678a", NULL},
        {"RU", "9123456789\r\n", NULL},
        {"RU", "9123456789&to=1", NULL},
        {"RU", "+1234567890123456", NULL},
        {NULL, "79123456789", "79123456789"},
        {NULL, "+79123456789", "79123456789"},
        {NULL, "89123456789", NULL},
        {NULL, "0", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char out[PHONE_DIGITS_MAX + 1] = "";
        bool taken = phone_canonical(CASES[i].country, CASES[i].typed, out);
        if (taken != (CASES[i].canonical != NULL) || (taken && strcmp(out, CASES[i].canonical) != 0))
            fail_msg("%s \"%s\" came to \"%s\"", CASES[i].country, CASES[i].typed, taken ? out : "(refused)");
    }
}

/* --- Codes --- */

static struct contact_address email(const char *typed)
{
    struct contact_address address;
    struct error e;
    assert_true(contact_email(typed, &address, &e));
    return address;
}

/* And what was to be handed over is. */
static bool request_code(const struct code_request *request, char sid[SID_CHARS + 1], struct error *e)
{
    bool done = contacts_request_code(t.contacts, request, sid, e);
    contacts_settle(t.contacts);
    return done;
}

static bool asks(const char *typed, enum code_purpose purpose, const char *secret, int64_t attempt,
                 char sid[SID_CHARS + 1], struct error *e)
{
    struct contact_address address = email(typed);
    struct code_request request = {
        .purpose = purpose, .address = &address, .client_secret = secret, .client = "", .send_attempt = attempt};
    *e = (struct error){0};
    return request_code(&request, sid, e);
}

/* The code of the last letter; "": it has none. */
static const char *code_in(const char *text)
{
    static char code[7];
    code[0] = '\0';
    for (const char *p = text; *p != '\0'; p += p[0] >= '0' && p[0] <= '9' ? strspn(p, "0123456789") : 1)
        if (strspn(p, "0123456789") == 6)
            snprintf(code, sizeof code, "%.6s", p);
    return code;
}

static bool submits(const char *sid, const char *code, struct error *e)
{
    *e = (struct error){0};
    return contacts_submit_code(t.contacts, sid, SECRET, code, e);
}

static bool proven(const char *sid, const char *secret, enum code_purpose purpose)
{
    struct contact_address address;
    struct error e;
    return contacts_proven(t.f.db, sid, secret, purpose, clock_wall_ms(), &address, &e);
}

/* One that is surely not the code. */
static const char *wrong(const char *code)
{
    return strcmp(code, "000000") == 0 ? "000001" : "000000";
}

static void a_code_proves_its_address_for_its_purpose(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    assert_true(asks("Anna@School.example", CODE_REGISTER, SECRET, 1, sid, &e));
    assert_int_equal(t.letters, 1);
    assert_string_equal(t.to, "anna@school.example");
    assert_int_equal(strlen(sid), SID_CHARS);
    assert_int_equal(strlen(code_in(t.text)), 6);
    assert_non_null(strstr(t.text, "school.example"));
    assert_false(proven(sid, SECRET, CODE_REGISTER));
    assert_true(submits(sid, code_in(t.text), &e));
    assert_true(proven(sid, SECRET, CODE_REGISTER));
    assert_true(submits(sid, code_in(t.text), &e)); /* a client that repeats itself */
    assert_false(proven(sid, SECRET, CODE_RESET));
    assert_false(proven(sid, SECRET, CODE_ADD));
    assert_false(proven(sid, "another_secret", CODE_REGISTER));
}

static void a_wrong_code_may_be_tried_a_few_times(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], code[7];
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    snprintf(code, sizeof code, "%s", code_in(t.text));
    for (int i = 0; i < 3; ++i) {
        assert_false(submits(sid, wrong(code), &e));
        assert_int_equal(e.code, ERROR_TOKEN_INCORRECT);
    }
    assert_false(submits(sid, code, &e)); /* the right one, too late */
    assert_int_equal(e.code, ERROR_SESSION_EXPIRED);
    assert_false(proven(sid, SECRET, CODE_ADD));
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 2, sid, &e)); /* a new one begins anew */
    assert_false(submits(sid, wrong(code_in(t.text)), &e));
    assert_true(submits(sid, code_in(t.text), &e));
}

static void only_the_sid_with_its_secret_is_a_session(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_false(contacts_submit_code(t.contacts, sid, "another_secret", code_in(t.text), &e));
    assert_int_equal(e.code, ERROR_NO_VALID_SESSION);
    assert_false(submits("abcdefghijklmnopqrstuvwx", code_in(t.text), &e));
    assert_int_equal(e.code, ERROR_NO_VALID_SESSION);
    assert_false(submits("", code_in(t.text), &e));
    assert_int_equal(e.code, ERROR_NO_VALID_SESSION);
    assert_true(submits(sid, code_in(t.text), &e)); /* none of these was a try */
}

static void a_code_and_its_proof_expire(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    pass(t.config->codes.lifetime_ms);
    assert_false(submits(sid, code_in(t.text), &e));
    assert_int_equal(e.code, ERROR_SESSION_EXPIRED);
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 2, sid, &e));
    assert_true(submits(sid, code_in(t.text), &e));
    pass(HOUR_MS - 10000);
    assert_true(proven(sid, SECRET, CODE_ADD));
    pass(10000);
    assert_false(proven(sid, SECRET, CODE_ADD));
}

static void a_repeated_request_sends_nothing(void **state)
{
    struct error e;
    char one[SID_CHARS + 1], two[SID_CHARS + 1], code[7];
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 5, one, &e));
    snprintf(code, sizeof code, "%s", code_in(t.text));
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 5, two, &e));
    assert_string_equal(one, two);
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 4, two, &e));
    assert_string_equal(one, two);
    assert_int_equal(t.letters, 1);
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 6, two, &e)); /* a higher attempt does */
    assert_string_equal(one, two);
    assert_int_equal(t.letters, 2);
    assert_true(asks("anna@school.example", CODE_RESET, SECRET, 1, two, &e)); /* so does another purpose */
    assert_string_not_equal(one, two);
    assert_int_equal(t.letters, 3);
}

/* Whoever asks for a code once more, and gets it, has the same one: also in the message that came first. It is no new
 * million to guess in. */
static void a_code_is_sent_again_as_it_was(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], again[SID_CHARS + 1], code[7];
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    snprintf(code, sizeof code, "%s", code_in(t.text));
    assert_false(submits(sid, wrong(code), &e));
    assert_false(submits(sid, wrong(code), &e));
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 2, again, &e));
    assert_int_equal(t.letters, 2);
    assert_string_equal(again, sid);
    assert_string_equal(code_in(t.text), code);
    assert_false(submits(sid, wrong(code), &e)); /* the third */
    assert_false(submits(sid, code, &e));
    assert_int_equal(e.code, ERROR_SESSION_EXPIRED);
    char codes[20][7];
    int same = 0;
    t.config->codes.per_hour = 100;
    for (int i = 0; i < 20; ++i) { /* each session has another */
        char secret[16];
        snprintf(secret, sizeof secret, "secret%d", i);
        assert_true(asks("boris@school.example", CODE_ADD, secret, 1, sid, &e));
        snprintf(codes[i], sizeof codes[i], "%s", code_in(t.text));
        for (int k = 0; k < i; ++k)
            same += strcmp(codes[i], codes[k]) == 0;
    }
    assert_true(same < 3);
}

static void an_address_gets_few_letters_an_hour_whoever_asks(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], secret[16];
    for (int i = 0; i < 4; ++i) {
        snprintf(secret, sizeof secret, "secret%d", i / 2);
        assert_true(asks("anna@school.example", CODE_ADD, secret, 1 + i % 2, sid, &e)); /* also in one session */
    }
    assert_false(asks("anna@school.example", CODE_REGISTER, "secret9", 1, sid, &e));
    assert_int_equal(e.code, ERROR_LIMIT_EXCEEDED);
    assert_true(e.retry_after_ms > 0 && e.retry_after_ms <= HOUR_MS);
    assert_true(asks("boris@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_int_equal(t.letters, 5);
    pass(HOUR_MS);
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
}

static void what_clients_send_is_looked_at(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], secret[300];
    memset(secret, 'a', 256);
    secret[256] = '\0';
    static const char *const SECRETS[] = {"", "white space", "semi;colon", "\xd1\x91"};
    for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; ++i) {
        assert_false(asks("anna@school.example", CODE_ADD, SECRETS[i], 1, sid, &e));
        assert_int_equal(e.code, ERROR_INVALID_PARAM);
    }
    assert_false(asks("anna@school.example", CODE_ADD, secret, 1, sid, &e));
    assert_false(asks("anna@school.example", CODE_ADD, SECRET, -1, sid, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    assert_int_equal(t.letters, 0);
}

static void without_a_post_nothing_is_offered(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    open_contacts(false, true);
    assert_false(contacts_offered(t.contacts, CONTACT_EMAIL));
    assert_true(contacts_offered(t.contacts, CONTACT_PHONE));
    assert_false(contacts_offered(NULL, CONTACT_PHONE));
    assert_false(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_int_equal(e.code, ERROR_THREEPID_DENIED);
}

static bool job_nothing(struct tx *tx, void *arg, struct error *e)
{
    return true;
}

/* The report of how a letter fared is written by a job that nobody waits for. */
static void wait_for_reports(void)
{
    struct error e;
    assert_true(writer_run(t.f.writer, job_nothing, NULL, &e));
}

static void a_letter_that_was_not_sent_is_told_of(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    struct code_session session;
    t.unreachable = true;
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    wait_for_reports();
    assert_true(contacts_session(t.f.db, sid, SECRET, clock_wall_ms(), &session, &e));
    assert_int_equal(session.delivery, DELIVERY_FAILED);
    assert_false(submits(sid, "123456", &e));
    assert_int_equal(e.code, ERROR_UNAVAILABLE);
    assert_false(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_int_equal(e.code, ERROR_UNAVAILABLE);
    t.unreachable = false;
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 2, sid, &e));
    wait_for_reports();
    assert_true(contacts_session(t.f.db, sid, SECRET, clock_wall_ms(), &session, &e));
    assert_int_equal(session.delivery, DELIVERY_SENT);
    assert_false(session.validated);
    assert_true(submits(sid, code_in(t.text), &e));
    t.full = true;
    assert_false(asks("boris@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_int_equal(e.code, ERROR_UNAVAILABLE);
}

/* --- Whose --- */

static bool registers(const char *localpart, const char *sid, struct error *e)
{
    struct registration registration = {.localpart = localpart, .password = "correct horse", .sid = sid};
    struct login_result result;
    *e = (struct error){0};
    bool ok = register_account(t.accounts, &registration, &result, e);
    if (ok)
        login_result_finish(&result);
    return ok;
}

static user_no registered(const char *localpart, const char *address)
{
    struct error e;
    char sid[SID_CHARS + 1];
    assert_true(asks(address, CODE_REGISTER, localpart, 1, sid, &e));
    assert_true(contacts_submit_code(t.contacts, sid, localpart, code_in(t.text), &e));
    assert_true(registers(localpart, sid, &e));
    return users_no(t.f.db, localpart);
}

static user_no owner(const char *address)
{
    struct contact_address contact = email(address);
    return contacts_owner(t.f.db, &contact);
}

static void an_address_belongs_to_one_account_at_a_time_C3(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], other[SID_CHARS + 1], code[7];
    assert_true(asks("anna@school.example", CODE_ADD, "boris", 1, other, &e)); /* proven before it was anybody's */
    assert_true(contacts_submit_code(t.contacts, other, "boris", code_in(t.text), &e));
    user_no anna = registered("anna", "anna@school.example");
    assert_true(owner("ANNA@school.example") == anna);
    assert_int_equal(contacts_count(t.f.db, anna, CONTACT_EMAIL), 1);
    assert_int_equal(contacts_count(t.f.db, anna, CONTACT_PHONE), 0);
    user_no boris = fixture_user(&t.f, "boris");
    assert_false(contacts_add(t.contacts, boris, other, "boris", &e));
    assert_int_equal(e.code, ERROR_THREEPID_IN_USE);
    assert_true(owner("anna@school.example") == anna);
    struct contact_address contact = email("anna@school.example");
    assert_true(contacts_remove(t.contacts, boris, &contact, &e)); /* another's is not there to be removed */
    assert_true(owner("anna@school.example") == anna);
    assert_true(contacts_remove(t.contacts, anna, &contact, &e));
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    snprintf(code, sizeof code, "%s", code_in(t.text));
    assert_true(submits(sid, code, &e));
    assert_true(contacts_add(t.contacts, boris, sid, SECRET, &e));
    assert_true(owner("anna@school.example") == boris);
}

static void a_proof_is_used_once(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    user_no anna = fixture_user(&t.f, "anna");
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_false(contacts_add(t.contacts, anna, sid, SECRET, &e)); /* not submitted */
    assert_int_equal(e.code, ERROR_THREEPID_AUTH_FAILED);
    assert_true(submits(sid, code_in(t.text), &e));
    assert_false(contacts_add(t.contacts, anna, sid, "another_secret", &e));
    assert_false(registers("boris", sid, &e)); /* for another purpose */
    assert_int_equal(e.code, ERROR_THREEPID_AUTH_FAILED);
    assert_int_equal(users_no(t.f.db, "boris"), 0);
    assert_true(contacts_add(t.contacts, anna, sid, SECRET, &e));
    assert_false(contacts_add(t.contacts, anna, sid, SECRET, &e));
    assert_int_equal(e.code, ERROR_THREEPID_AUTH_FAILED);
}

static void leaving_frees_the_address_S4(void **state)
{
    struct error e;
    user_no anna = registered("anna", "anna@school.example");
    assert_true(account_deactivate(t.accounts, anna, false, &e));
    assert_true(owner("anna@school.example") == 0);
    user_no second = registered("anna2", "anna@school.example");
    assert_true(owner("anna@school.example") == second);
}

/* Asked for alike whether the address is known or not; only the letter differs, and only the right one has a code. */
static void a_request_does_not_tell_whether_an_address_is_known(void **state)
{
    static const struct {
        enum code_purpose purpose;
        const char *address;
        bool code;
    } CASES[] = {
        {CODE_REGISTER, "new@school.example", true}, {CODE_REGISTER, "anna@school.example", false},
        {CODE_ADD, "new@school.example", true},      {CODE_ADD, "anna@school.example", false},
        {CODE_RESET, "new@school.example", false},   {CODE_RESET, "anna@school.example", true},
    };
    struct error e;
    registered("anna", "anna@school.example");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char sid[SID_CHARS + 1], secret[16];
        pass(HOUR_MS);
        snprintf(secret, sizeof secret, "secret%zu", i);
        int before = t.letters;
        assert_true(asks(CASES[i].address, CASES[i].purpose, secret, 1, sid, &e));
        assert_int_equal(t.letters, before + 1);
        assert_int_equal(strlen(sid), SID_CHARS);
        assert_string_equal(t.to, CASES[i].address);
        assert_int_equal(code_in(t.text)[0] != '\0', CASES[i].code);
        assert_false(contacts_submit_code(t.contacts, sid, secret, wrong(code_in(t.text)), &e));
        assert_int_equal(e.code, ERROR_TOKEN_INCORRECT);
    }
}

static void a_lost_password_is_set_anew_by_the_address(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    struct login_result result;
    struct device_wish wish = {0};
    registered("anna", "anna@school.example");
    assert_true(asks("anna@school.example", CODE_RESET, SECRET, 1, sid, &e));
    assert_false(account_reset_password(t.accounts, sid, true, "battery staple", &e)); /* not submitted */
    assert_int_equal(e.code, ERROR_THREEPID_AUTH_FAILED);
    assert_true(submits(sid, code_in(t.text), &e));
    assert_true(account_reset_password(t.accounts, sid, true, "battery staple", &e));
    assert_false(login_password(t.accounts, t.f.db, "anna", "correct horse", &wish, &result, &e));
    assert_true(login_password(t.accounts, t.f.db, "anna", "battery staple", &wish, &result, &e));
    login_result_finish(&result);
    assert_false(account_reset_password(t.accounts, sid, true, "another staple", &e)); /* once */
    assert_int_equal(e.code, ERROR_THREEPID_AUTH_FAILED);
}

static bool job_roles(struct tx *tx, void *arg, struct error *e)
{
    return db_script(tx->db, arg);
}

static void people(const char *sql)
{
    struct error e;
    assert_true(writer_run(t.f.writer, job_roles, (void *)sql, &e));
}

/* mother is a guardian of child; aunt one by role. */
static void make_family(user_no mother, user_no aunt, user_no child)
{
    char sql[1600];
    snprintf(sql, sizeof sql,
             "INSERT INTO schools (school_no, sourced_id, name) VALUES (1, 's', 'S');"
             "INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name) VALUES"
             " (%lld, 'mother', 'M', 'M', ''), (%lld, 'aunt', 'A', 'A', ''), (%lld, 'child', 'C', 'C', '');"
             "INSERT INTO guardianships (child, guardian) VALUES (%lld, %lld);"
             "INSERT INTO roles (user_no, school_no, role) VALUES (%lld, 1, 'guardian'), (%lld, 1, 'pupil');",
             (long long)mother, (long long)aunt, (long long)child, (long long)child, (long long)mother, (long long)aunt,
             (long long)child);
    people(sql);
}

static void a_guardians_number_is_not_a_pupils_C4(void **state)
{
    user_no mother = registered("mother", "mother@school.example"), aunt = registered("aunt", "aunt@school.example"),
            child = registered("child", "child@school.example");
    make_family(mother, aunt, child);
    const struct {
        const char *address;
        user_no user;
        unsigned roles;
        const char *rule; /* NULL: may */
    } CASES[] = {
        {"mother@school.example", 0, ROLE_PUPIL, "C4"},
        {"aunt@school.example", 0, ROLE_PUPIL, "C4"},
        {"aunt@school.example", 0, ROLE_PUPIL | ROLE_TEACHER, "C4"},
        {"mother@school.example", mother, ROLE_GUARDIAN, NULL},
        {"mother@school.example", mother, ROLE_PUPIL, NULL}, /* her own: a pupil who is a mother */
        {"mother@school.example", 0, ROLE_TEACHER, "C3"},
        {"mother@school.example", aunt, 0, "C3"},
        {"child@school.example", 0, ROLE_GUARDIAN, "D4"},
        {"child@school.example", 0, ROLE_PUPIL, "C3"},
        {"new@school.example", 0, ROLE_PUPIL, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct contact_address address = email(CASES[i].address);
        struct error e = {0};
        bool may = contacts_may_belong(t.f.db, &address, CASES[i].user, CASES[i].roles, &e);
        assert_int_equal(may, CASES[i].rule == NULL);
        if (may)
            continue;
        assert_int_equal(e.code, ERROR_THREEPID_IN_USE);
        assert_string_equal(e.rule, CASES[i].rule);
        assert_non_null(e.translation);
    }
}

/* The same in the job that binds: the pupil's roles come from the records, whatever the caller says. */
static void a_pupil_cannot_add_a_guardians_number_C4(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    user_no child = registered("child", "child@school.example"), aunt = fixture_user(&t.f, "aunt");
    assert_true(asks("mother@school.example", CODE_ADD, SECRET, 1, sid, &e)); /* proven while it is nobody's */
    assert_true(submits(sid, code_in(t.text), &e));
    user_no mother = registered("mother", "mother@school.example");
    make_family(mother, aunt, child);
    assert_false(contacts_add(t.contacts, child, sid, SECRET, &e));
    assert_string_equal(e.rule, "C4");
    assert_int_equal(contacts_count(t.f.db, child, CONTACT_EMAIL), 1);
}

/* --- Caps --- */

/* One more message; 0: refused. kin: which of its number, client and school are new with it. */
enum { NEW_NUMBER = 1, NEW_CLIENT = 2, NEW_SCHOOL = 4 };
static bool one_more(enum contact_medium medium, unsigned kin, int64_t n, struct error *e)
{
    static char secret[24];
    struct contact_address address = {.medium = medium};
    char client[24], sid[SID_CHARS + 1];
    long long number = (kin & NEW_NUMBER) != 0 ? n : 0;
    snprintf(address.address, sizeof address.address, medium == CONTACT_EMAIL ? "p%lld@school.example" : "7900%07lld",
             number);
    if (medium == CONTACT_EMAIL && number % 3 == 1) /* which is somebody's */
        snprintf(address.address, sizeof address.address, "anna@school.example");
    snprintf(client, sizeof client, "192.0.2.%lld", (kin & NEW_CLIENT) != 0 ? (long long)n : 0);
    snprintf(secret, sizeof secret, "secret%lld", (long long)n);
    const struct code_request request = {.purpose = n % 2 == 0 ? CODE_REGISTER : CODE_ADD,
                                         .address = &address,
                                         .client_secret = secret,
                                         .client = client,
                                         .school = (kin & NEW_SCHOOL) != 0 ? n : 0,
                                         .send_attempt = 1};
    *e = (struct error){0};
    return request_code(&request, sid, e);
}

static const struct {
    const char *says; /* in the refusal */
    size_t at;        /* in struct code_caps */
    unsigned kin;     /* what may be new, and is counted nevertheless */
} CAPS[] = {
    {"this number or address", offsetof(struct code_caps, own), NEW_CLIENT | NEW_SCHOOL},
    {"your network", offsetof(struct code_caps, client), NEW_NUMBER | NEW_SCHOOL},
    {"one school", offsetof(struct code_caps, school), NEW_NUMBER | NEW_CLIENT},
    {"The server", offsetof(struct code_caps, server), NEW_NUMBER | NEW_CLIENT | NEW_SCHOOL},
};
enum { CAPS_COUNT = sizeof CAPS / sizeof *CAPS, CAP = 6 };
_Static_assert(sizeof(struct code_caps) == CAPS_COUNT * sizeof(int), "each cap has its row");

/* Nobody gets more messages sent than each of the caps says, by numbers that are known or not, and the refusal says
 * which it is; whoever is beyond it is not touched; a day later it is over. */
static void messages_are_capped_by_number_client_school_and_server(void **state)
{
    struct error e;
    int64_t n = 1000;
    registered("anna", "anna@school.example");
    for (int medium = CONTACT_EMAIL; medium <= CONTACT_PHONE; ++medium)
        for (int i = 0; i < CAPS_COUNT; ++i, n += 100) {
            struct code_caps *caps = medium == CONTACT_EMAIL ? &t.config->codes.mail : &t.config->codes.sms;
            *caps = (struct code_caps){1000, 8000, 1000, 1000};
            t.config->codes.per_hour = 100;
            *(int *)((char *)caps + CAPS[i].at) = CAPS[i].at == offsetof(struct code_caps, client) ? 8 * CAP : CAP;
            people("DELETE FROM code_counts; DELETE FROM verifications;");
            for (int k = 0; k < CAP; ++k)
                if (!one_more((enum contact_medium)medium, CAPS[i].kin, n + k, &e))
                    fail_msg("%s, %d: %s", CAPS[i].says, k, error_sentence(&e));
            for (int k = 0; k < 4; ++k) {
                assert_false(one_more((enum contact_medium)medium, CAPS[i].kin, n + CAP + k, &e));
                assert_int_equal(e.code, ERROR_LIMIT_EXCEEDED);
                assert_true(e.retry_after_ms > 0);
                assert_non_null(strstr(e.translation, CAPS[i].says));
            }
            bool all = CAPS[i].kin == (NEW_NUMBER | NEW_CLIENT | NEW_SCHOOL);
            assert_int_equal(one_more((enum contact_medium)medium, NEW_NUMBER | NEW_CLIENT | NEW_SCHOOL, n + 50, &e),
                             !all);
            pass(DAY_MS);
            assert_true(one_more((enum contact_medium)medium, CAPS[i].kin, n + 60, &e));
        }
}

/* Closed is closed: nobody gets a message who could not do anything with it, and nobody learns who that is. */
static void where_registration_is_closed_no_code_goes_to_strangers(void **state)
{
    struct error e;
    user_no known = registered("anna", "anna@school.example");
    people("DELETE FROM verifications;");
    t.config->registration.mode = REGISTRATION_CLOSED;
    const struct {
        const char *to;
        enum code_purpose purpose;
        user_no user; /* who is signed in */
        bool taken;
        int letters;
    } CASES[] = {
        {"new@school.example", CODE_REGISTER, 0, false, 0}, {"new@school.example", CODE_ADD, 0, false, 0},
        {"anna@school.example", CODE_ADD, 0, false, 0},     {"new@school.example", CODE_ADD, known, true, 1},
        {"new@school.example", CODE_RESET, 0, true, 0},     {"anna@school.example", CODE_RESET, 0, true, 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct contact_address address = email(CASES[i].to);
        struct code_session session;
        char sid[SID_CHARS + 1];
        const struct code_request request = {.purpose = CASES[i].purpose,
                                             .address = &address,
                                             .client_secret = SECRET,
                                             .client = "",
                                             .user = CASES[i].user,
                                             .send_attempt = 1};
        t.letters = 0;
        e = (struct error){0};
        assert_int_equal(request_code(&request, sid, &e), CASES[i].taken);
        assert_int_equal(t.letters, CASES[i].letters);
        if (!CASES[i].taken)
            assert_int_equal(e.code, ERROR_THREEPID_DENIED);
        if (CASES[i].purpose != CODE_RESET)
            continue;
        assert_true(contacts_session(t.f.db, sid, SECRET, clock_wall_ms(), &session, &e));
        assert_int_equal(session.delivery, DELIVERY_SENT); /* whether anything was or not */
        assert_false(submits(sid, "000000", &e));
        assert_int_equal(e.code, ERROR_TOKEN_INCORRECT);
    }
}

/* Neither a stranger's request nor a stranger's guesses end the code that somebody waits for. */
static void strangers_touch_nobodys_code(void **state)
{
    struct error e;
    char mine[SID_CHARS + 1], theirs[SID_CHARS + 1], code[7];
    registered("anna", "anna@school.example");
    assert_true(asks("anna@school.example", CODE_RESET, SECRET, 1, mine, &e));
    snprintf(code, sizeof code, "%s", code_in(t.text));
    for (int i = 0; i < 2; ++i) {
        char secret[16];
        snprintf(secret, sizeof secret, "stranger%d", i);
        assert_true(asks("anna@school.example", CODE_RESET, secret, 1, theirs, &e));
        assert_string_not_equal(theirs, mine);
        for (int k = 0; k < 4; ++k)
            assert_false(contacts_submit_code(t.contacts, theirs, secret, wrong(code_in(t.text)), &e));
        assert_int_equal(e.code, ERROR_SESSION_EXPIRED);                        /* their own */
        assert_false(contacts_submit_code(t.contacts, mine, secret, code, &e)); /* and it is no session of theirs */
    }
    assert_true(submits(mine, code, &e));
    assert_true(account_reset_password(t.accounts, mine, true, "battery staple", &e));
}

/* sid and secret of the link in the last letter. false: it has none. */
static bool link_in(const char *text, char sid[SID_CHARS + 1], char secret[40])
{
    const char *at = strstr(text, "https://school.example/parta/recovery?sid=");
    return at != NULL &&
           sscanf(at, "https://school.example/parta/recovery?sid=%24[A-Za-z0-9]&client_secret=%32[A-Za-z0-9]", sid,
                  secret) == 2;
}

/* Strangers use up all that an address gets, of everything: its owner has a way to a new password then as before, by
 * the last letter, for as long as no other can come; and the address got no more letters than it may. */
static void strangers_shut_nobody_out(void **state)
{
    static const enum code_purpose ALL[] = {CODE_REGISTER, CODE_ADD, CODE_RESET};
    struct error e;
    char sid[SID_CHARS + 1], other[SID_CHARS + 1], secret[40], used[40];
    bool linked = false;
    registered("anna", "anna@school.example");
    t.config->codes.mail.own = 6;
    pass(DAY_MS);
    t.letters = 0;
    for (int hour = 0; hour < 4; ++hour, pass(HOUR_MS)) {
        int n = 0;
        for (int i = 0; i < 60; ++i) {
            snprintf(used, sizeof used, "s%d.%d", hour, i);
            if (!asks("anna@school.example", ALL[i % 3], used, 1, other, &e))
                assert_int_equal(e.code, ERROR_LIMIT_EXCEEDED);
            else if (ALL[i % 3] == CODE_RESET && ++n)
                linked = link_in(t.text, sid, secret);
        }
        assert_int_equal(n, hour == 0 ? 4 : hour == 1 ? 2 : 0);
        const struct contact_address address = email("anna@school.example");
        const struct code_request known = {.purpose = CODE_RESET,
                                           .address = &address,
                                           .client_secret = used,
                                           .client = "",
                                           .known = "browser 1",
                                           .send_attempt = 1};
        assert_true(request_code(&known, other, &(struct error){0}));
        assert_true(linked); /* the last of each hour, and of the day */
        assert_true(proven(sid, secret, CODE_RESET));
        assert_false(proven(sid, secret, CODE_ADD));
        assert_non_null(strstr(e.translation, ALL[59 % 3] == CODE_RESET ? "has a link" : "Too many"));
    }
    assert_int_equal(t.letters, 2 * 6 + 4); /* for new passwords, and for the rest; and the owner's own, each hour */
    pass(DAY_MS - 5 * HOUR_MS);
    assert_true(proven(sid, secret, CODE_RESET));
    assert_true(account_reset_password(t.accounts, sid, true, "battery staple", &e));
    assert_false(proven(sid, secret, CODE_RESET)); /* once */
}

/* The link's letter has a code, too; whichever is used first ends the other, and all that waits. */
static void a_new_password_ends_what_else_was_sent(void **state)
{
    struct error e;
    char sid[4][SID_CHARS + 1], link[SID_CHARS + 1], secret[40], used[40], code[7];
    registered("anna", "anna@school.example");
    for (int i = 0; i < 4; ++i) {
        snprintf(used, sizeof used, "s%d", i);
        assert_true(asks("anna@school.example", CODE_RESET, used, 1, sid[i], &e));
        assert_int_equal(link_in(t.text, link, secret), i == 3);
    }
    snprintf(code, sizeof code, "%s", code_in(t.text));
    assert_true(contacts_submit_code(t.contacts, sid[3], "s3", code, &e));
    assert_true(account_reset_password(t.accounts, sid[3], true, "battery staple", &e));
    assert_false(proven(link, secret, CODE_RESET));
    assert_false(contacts_submit_code(t.contacts, sid[0], "s0", code, &e));
    assert_int_equal(e.code, ERROR_SESSION_EXPIRED);
}

static const struct link_row OF_CLASS = {.no = 7, .kind = LINK_CLASS, .school = 1, .class = 3};
static const struct link_row OF_CHILD = {.no = 8, .kind = LINK_GUARDIAN, .person = 5};

/* Who asks in a browser that they have signed in with, or signs up by a link, or is signed in, has what strangers at
 * the same place have used up. For a new password a link, or somebody else's account, makes nobody known. */
static void who_is_known_has_a_count_of_their_own(void **state)
{
    const user_no anna = registered("anna", "anna@school.example");
    const struct {
        enum code_purpose purpose;
        const char *known;
        const struct link_row *link;
        user_no user;
        const char *says; /* in the refusal of one more; NULL: none */
    } CASES[] = {
        {CODE_RESET, NULL, NULL, 0, "your network"},
        {CODE_RESET, "browser 1", NULL, 0, NULL},
        {CODE_RESET, "browser 2", NULL, 0, NULL},
        {CODE_REGISTER, NULL, NULL, 0, "your network"},
        {CODE_REGISTER, NULL, &OF_CLASS, 0, NULL},
        {CODE_REGISTER, NULL, &OF_CHILD, 0, NULL},
        {CODE_ADD, NULL, NULL, 999, NULL},
        {CODE_RESET, NULL, &OF_CLASS, 0, "your network"},
        {CODE_RESET, NULL, &OF_CHILD, 0, "your network"},
        {CODE_ADD, NULL, &OF_CLASS, 0, "your network"},
        {CODE_RESET, NULL, NULL, 999, "your network"},
        {CODE_RESET, NULL, NULL, anna, NULL},
        {CODE_ADD, "browser 1", NULL, 0, "your network"},
    };
    struct error e;
    char sid[SID_CHARS + 1], secret[24], typed[40];
    int n = 0;
    pass(DAY_MS);
    t.config->codes.mail.client = 8 * 3; /* three in three hours */
    for (int i = 0; i < 20; ++i)
        for (int purpose = CODE_REGISTER; purpose <= CODE_RESET; ++purpose) {
            snprintf(typed, sizeof typed, "made-up%d@school.example", i);
            snprintf(secret, sizeof secret, "stranger%d.%d", i, purpose);
            n += asks(typed, (enum code_purpose)purpose, secret, 1, sid, &e);
        }
    assert_int_equal(n, 2 * 3); /* for new passwords, and for the rest */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct contact_address address =
            email(CASES[i].purpose == CODE_RESET ? "anna@school.example" : "new@school.example");
        snprintf(secret, sizeof secret, "known%zu", i);
        const struct code_request request = {.purpose = CASES[i].purpose,
                                             .address = &address,
                                             .client_secret = secret,
                                             .client = "",
                                             .known = CASES[i].known,
                                             .link = CASES[i].link,
                                             .user = CASES[i].user,
                                             .send_attempt = 1};
        e = (struct error){0};
        bool sent = request_code(&request, sid, &e);
        if (sent != (CASES[i].says == NULL))
            fail_msg("case %zu: %s", i, sent ? "sent" : e.translation);
        assert_true(sent || strstr(e.translation, CASES[i].says) != NULL);
    }
    pass(3 * HOUR_MS);
    assert_true(asks("anna@school.example", CODE_RESET, SECRET, 1, sid, &e));
}

/* Whoever is signed in uses up their own count, whatever addresses they name. */
static void a_person_asks_for_so_many_a_day(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], typed[40];
    t.config->codes.mail.own = 3;
    t.config->codes.mail.client = 8; /* one in three hours: who is signed in does not count there */
    for (int i = 0; i < 5; ++i) {
        snprintf(typed, sizeof typed, "p%d@school.example", i);
        struct contact_address address = email(typed);
        const struct code_request request = {.purpose = CODE_ADD,
                                             .address = &address,
                                             .client_secret = SECRET,
                                             .client = "",
                                             .user = i < 4 ? 1 : 2,
                                             .send_attempt = 1};
        e = (struct error){0};
        assert_int_equal(request_code(&request, sid, &e), i != 3);
        assert_true(i != 3 || strstr(e.translation, "You have asked") != NULL);
    }
}

/* Addresses that are made up use up what the server sends to them, and not what it sends to accounts; and nobody sees
 * the difference. */
static void made_up_addresses_stop_nobodys_new_password(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], typed[40];
    registered("anna", "anna@school.example");
    t.letters = 0;
    t.config->codes.mail.school = 2;
    t.config->codes.mail.server = 3;
    for (int i = 0; i < 9; ++i) {
        struct code_session session;
        snprintf(typed, sizeof typed, "made-up%d@school.example", i);
        if (!asks(typed, CODE_RESET, SECRET, 1, sid, &e))
            fail_msg("%d: %s", i, e.translation);
        assert_true(contacts_session(t.f.db, sid, SECRET, clock_wall_ms(), &session, &e));
        assert_int_equal(session.delivery, DELIVERY_SENT);
    }
    assert_int_equal(t.letters, 2);
    for (int i = 1; i <= 3; ++i) {
        assert_true(asks("anna@school.example", CODE_RESET, SECRET, i, sid, &e));
        assert_int_equal(t.letters, 2 + i);
    }
    assert_false(asks("anna@school.example", CODE_RESET, SECRET, 4, sid, &e)); /* the server's own: for all alike */
    assert_non_null(strstr(e.translation, "The server"));
    assert_false(asks("made-up99@school.example", CODE_RESET, SECRET, 1, sid, &e));
    assert_non_null(strstr(e.translation, "The server"));
}

/* However long somebody asks and guesses, from wherever: so many messages a day, and codes.tries for each. */
static void guesses_are_bounded(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1], secret[24];
    int guesses = 0;
    registered("anna", "anna@school.example");
    for (int hour = 0; hour < 20; ++hour, pass(HOUR_MS))
        for (int i = 0; i < 12; ++i) {
            snprintf(secret, sizeof secret, "s%d.%d", hour, i / 2); /* also once more in the same session */
            if (!asks("anna@school.example", CODE_RESET, secret, 1 + i % 2, sid, &e))
                continue;
            const char *no = wrong(code_in(t.text));
            for (int k = 0; k < 9; ++k)
                guesses += !contacts_submit_code(t.contacts, sid, secret, no, &e) && e.code == ERROR_TOKEN_INCORRECT;
        }
    assert_true(guesses > 0 && guesses <= t.config->codes.mail.own * t.config->codes.tries);
}

/* What somebody did in a day who wants into one account, by whatever they have many of. */
struct siege {
    int guesses;         /* at codes for a new password, that were looked at */
    int passwords, rest; /* letters to the account's address */
};

static void besiege(struct siege *s, const struct code_request *by, int64_t n)
{
    struct contact_address address = email("anna@school.example");
    struct code_request request = *by;
    struct error e = {0};
    char sid[SID_CHARS + 1], secret[24];
    snprintf(secret, sizeof secret, "siege%lld", (long long)n);
    request.address = &address;
    request.client_secret = secret;
    request.send_attempt = 1;
    int before = t.letters;
    if (!request_code(&request, sid, &e))
        return;
    assert_string_equal(t.to, "anna@school.example");
    *(request.purpose == CODE_RESET ? &s->passwords : &s->rest) += t.letters - before;
    for (int k = 0; k < 9 && request.purpose == CODE_RESET; ++k)
        s->guesses += !contacts_submit_code(t.contacts, sid, secret, wrong(code_in(t.text)), &e) &&
                      e.code == ERROR_TOKEN_INCORRECT;
}

/* One hour of it: by places, accounts, links of children and of classes, and, if there are any, browsers that the
 * account's owner has signed in with; twenty of each, others in each hour. */
static void besiege_for_an_hour(struct siege *s, int hour, bool browsers)
{
    for (int i = 0; i < 20 * 5 * 3; ++i) {
        int n = hour * 20 + i % 20, kind = i / 20 % 5;
        char client[32], browser[32];
        snprintf(client, sizeof client, "192.0.%d.%d", n / 250, n % 250);
        snprintf(browser, sizeof browser, "browser %d", n);
        const struct link_row link = {.no = n + 1,
                                      .person = kind == 2 ? 1000 + n : 0,
                                      .issuer = 2000 + n,
                                      .school = kind == 3 ? 1 + i % 4 : 0,
                                      .class = kind == 3 ? 1 + n : 0};
        const struct code_request request = {.purpose = (enum code_purpose)(i / 100),
                                             .client = client,
                                             .user = kind == 1 ? 3000 + n : 0,
                                             .link = kind == 2 || kind == 3 ? &link : NULL,
                                             .known = kind == 4 && browsers ? browser : NULL,
                                             .school = 1 + n % 3};
        if (kind != 4 || browsers)
            besiege(s, &request, hour * 1000 + i);
    }
}

/* Whatever somebody has many of, for one day: no more guesses, and no more letters, than docs/settings.md says. */
static void nobody_has_more_guesses_by_being_many(void **state)
{
    const int own = 20, tries = 3; /* the default, and setup's */
    struct siege strangers = {0}, near = {0};
    registered("anna", "anna@school.example");
    assert_int_equal(t.config->codes.mail.own, own);
    pass(DAY_MS);
    for (int hour = 0; hour < 23; ++hour, pass(HOUR_MS))
        besiege_for_an_hour(&strangers, hour, false);
    assert_int_equal(strangers.passwords, own); /* so it was tried in earnest */
    assert_int_equal(strangers.guesses, own * tries);
    assert_int_equal(strangers.rest, own + 2 * own);
    pass(DAY_MS);
    for (int hour = 0; hour < 23; ++hour, pass(HOUR_MS))
        besiege_for_an_hour(&near, 100 + hour, true);
    assert_int_equal(near.passwords, own + 2 * own);
    assert_int_equal(near.guesses, (own + 2 * own) * tries);
    assert_int_equal(near.rest, own + 2 * own);
}

/* And all those leave the account's owner what is theirs. */
static void whoever_is_many_shuts_no_owner_out(void **state)
{
    struct siege strangers = {0};
    const user_no anna = registered("anna", "anna@school.example");
    pass(DAY_MS);
    for (int hour = 0; hour < 5; ++hour) {
        besiege_for_an_hour(&strangers, hour, false);
        struct siege mine = {0};
        besiege(&mine, &(struct code_request){.purpose = CODE_RESET, .client = "", .known = "browser 1"}, 9000 + hour);
        besiege(&mine, &(struct code_request){.purpose = CODE_RESET, .client = "", .user = anna}, 9100 + hour);
        besiege(&mine, &(struct code_request){.purpose = CODE_ADD, .client = "", .user = anna}, 9200 + hour);
        assert_int_equal(mine.passwords, 2);
        assert_int_equal(mine.rest, 1);
        pass(HOUR_MS);
    }
}

/* How many letters somebody gets sent by links for parents, or for a class, that they make as fast as they are used. */
static int letters_by_links(const struct link_row *like, bool other_addresses)
{
    char typed[40], sid[SID_CHARS + 1], secret[24];
    struct error e;
    int n = 0;
    for (int i = 0; i < 100; ++i) {
        struct link_row link = *like;
        link.no = i + 1;
        link.issuer = like->issuer + i;
        snprintf(typed, sizeof typed, "p%d@school.example", other_addresses ? i : 0);
        snprintf(secret, sizeof secret, "link%d", i);
        struct contact_address address = email(typed);
        const struct code_request request = {.purpose = CODE_REGISTER,
                                             .address = &address,
                                             .client_secret = secret,
                                             .client = "192.0.2.1",
                                             .link = &link,
                                             .school = 1,
                                             .send_attempt = 1};
        n += request_code(&request, sid, &e);
    }
    return n;
}

static void links_of_one_person_or_school_count_together(void **state)
{
    const struct link_row child = {.kind = LINK_GUARDIAN, .person = 5, .issuer = 5};
    const struct link_row class = {.kind = LINK_CLASS, .school = 1, .class = 3, .issuer = 9};
    t.config->codes.per_hour = 100;
    t.config->codes.mail = (struct code_caps){7, 8 * 30, 1000, 1000};
    assert_int_equal(letters_by_links(&child, true), 7); /* a child's: as if the child were signed in */
    people("DELETE FROM code_counts; DELETE FROM verifications;");
    assert_int_equal(letters_by_links(&class, false), 7); /* to one address */
    people("DELETE FROM code_counts; DELETE FROM verifications;");
    assert_int_equal(letters_by_links(&class, true), 30); /* at one place */
}

/* A letter to an account that could not be sent is told of no more than one to nobody, which nobody tries to send. */
static void that_a_letter_failed_tells_of_no_account(void **state)
{
    static const char *const TO[] = {"anna@school.example", "nobody@school.example"};
    registered("anna", "anna@school.example");
    t.config->codes.mail.school = 0; /* nothing is sent to nobody */
    for (int way = 0; way < 2; ++way)
        for (int i = 0; i < 2; ++i) {
            struct error e;
            struct code_session session;
            char sid[SID_CHARS + 1], secret[24];
            t.unreachable = way == 0;
            t.full = way == 1;
            snprintf(secret, sizeof secret, "failed%d", way);
            assert_true(asks(TO[i], CODE_RESET, secret, 1, sid, &e));
            wait_for_reports();
            assert_true(asks(TO[i], CODE_RESET, secret, 1, sid, &e));
            assert_true(contacts_session(t.f.db, sid, secret, clock_wall_ms(), &session, &e));
            assert_int_equal(session.delivery, DELIVERY_SENT);
            for (int k = 0; k < 5; ++k) {
                assert_false(contacts_submit_code(t.contacts, sid, secret, "a code", &e));
                assert_int_equal(e.code, k < 3 ? ERROR_TOKEN_INCORRECT : ERROR_SESSION_EXPIRED);
            }
        }
}

/* Whoever types a tag behind their name has no second mailbox; the addresses stay what they are. But for new passwords:
 * whoever asks for them for anna+1@… takes nothing of anna@…, whose last message has a link. */
static void addresses_of_one_mailbox_are_counted_together(void **state)
{
    static const struct {
        const char *address, *mailbox;
    } CASES[] = {{"anna@school.example", "anna@school.example"},
                 {"anna+one@school.example", "anna@school.example"},
                 {"anna+one+two@school.example", "anna@school.example"},
                 {"anna+@school.example", "anna@school.example"},
                 {"+one@school.example", "+one@school.example"},
                 {"a.nna@school.example", "a.nna@school.example"},
                 {"79161234567", "79161234567"}};
    struct error e;
    char sid[SID_CHARS + 1], typed[64], mailbox[CONTACT_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        mailbox_of(CASES[i].address, mailbox, sizeof mailbox);
        assert_string_equal(mailbox, CASES[i].mailbox);
    }
    for (int purpose = CODE_REGISTER; purpose < CODE_RESET; ++purpose) {
        int sent = 0;
        people("DELETE FROM code_counts; DELETE FROM verifications;");
        for (int i = 0; i < 12; ++i) {
            snprintf(typed, sizeof typed, "berta+%d@school.example", i);
            sent += asks(typed, (enum code_purpose)purpose, SECRET, 1, sid, &e);
        }
        assert_int_equal(sent, t.config->codes.per_hour);
        assert_true(asks("other@school.example", (enum code_purpose)purpose, SECRET, 1, sid, &e));
    }
    registered("anna", "anna+one@school.example");
    struct contact_address one = email("anna+one@school.example"), two = email("anna+two@school.example");
    assert_true(contacts_owner(t.f.db, &one) != 0 && contacts_owner(t.f.db, &two) == 0);
    people("DELETE FROM code_counts; DELETE FROM verifications;");
    assert_true(asks("anna+one@school.example", CODE_RESET, SECRET, 1, sid, &e));
    assert_string_equal(t.to, "anna+one@school.example"); /* and written to as it is */
    char link[SID_CHARS + 1], secret[40];
    registered("clara", "clara@school.example");
    for (int i = 0; i < 12; ++i) {
        snprintf(typed, sizeof typed, "clara+%d@school.example", i);
        assert_true(asks(typed, CODE_RESET, SECRET, 1, sid, &e));
    }
    for (int i = 1; i <= t.config->codes.per_hour; ++i) {
        assert_true(asks("clara@school.example", CODE_RESET, SECRET, i, sid, &e));
        assert_string_equal(t.to, "clara@school.example");
        assert_int_equal(link_in(t.text, link, secret), i == t.config->codes.per_hour);
    }
}

static bool job_written(struct tx *tx, void *rows, struct error *e)
{
    *(int64_t *)rows = db_rows_written(tx->db);
    return true;
}

/* What a request for a new password has written, told as soon as it is answered. */
static int64_t written_by_asking(const char *typed, const char *secret)
{
    struct error e = {0};
    int64_t before, after;
    char sid[SID_CHARS + 1];
    struct contact_address address = email(typed);
    const struct code_request request = {
        .purpose = CODE_RESET, .address = &address, .client_secret = secret, .client = "", .send_attempt = 1};
    t.answer.came = t.answer.behind = false;
    assert_true(writer_run(t.f.writer, job_written, &before, &e));
    assert_true(contacts_request_code(t.contacts, &request, sid, &e));
    assert_true(writer_run(t.f.writer, job_written, &after, &e));
    pthread_mutex_lock(&t.answer.lock);
    t.answer.came = true;
    pthread_cond_signal(&t.answer.changed);
    pthread_mutex_unlock(&t.answer.lock);
    contacts_settle(t.contacts);
    return after - before;
}

/* Whose an address is, whether there is a message at all, is in no answer's time: handing it over comes behind the
 * answer, and what is written before is as much. */
static void the_way_to_an_answer_tells_of_no_account(void **state)
{
    static const struct {
        const char *to;
        int nobodys; /* how many messages go to nobody */
        bool sent;
    } CASES[] = {
        {"anna@school.example", 5, true},
        {"nobody@school.example", 5, true},
        {"nobody-else@school.example", 0, false},
    };
    registered("anna", "anna@school.example");
    t.letters = 0;
    t.answer.waits = true;
    int64_t first = written_by_asking("anna@school.example", "first"); /* its counts have rows from here on */
    assert_true(first > 0 && t.letters == 1);
    written_by_asking("nobody@school.example", "first");
    written_by_asking("nobody-else@school.example", "first");
    t.letters = 0;
    int64_t written[3];
    for (int i = 0; i < 3; ++i) {
        int letters = t.letters;
        t.config->codes.mail.school = CASES[i].nobodys;
        written[i] = written_by_asking(CASES[i].to, "second");
        assert_int_equal(t.letters - letters, CASES[i].sent);
        assert_int_equal(t.answer.behind, CASES[i].sent);
    }
    assert_int_equal(written[1], written[0]);
    assert_int_equal(written[2], written[0]);
    t.answer.waits = false;
}

static void nothing_is_kept_of_what_is_over(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    struct verification_row row;
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    contacts_upkeep(t.contacts);
    assert_true(verifications_get(t.f.db, sid, &row));
    verification_row_finish(&row);
    pass(t.config->codes.lifetime_ms + HOUR_MS + 1);
    contacts_upkeep(t.contacts);
    assert_false(verifications_get(t.f.db, sid, &row));
}

/* Neither code nor secret stands in the database as it is. */
static void codes_are_kept_hashed(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    struct verification_row row;
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    assert_true(verifications_get(t.f.db, sid, &row));
    assert_memory_not_equal(row.code_hash, code_in(t.text), 6);
    assert_memory_not_equal(row.secret_hash, SECRET, sizeof SECRET);
    verification_row_finish(&row);
}

static void letters_lost_by_a_restart_are_not_waited_for(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    struct code_session session;
    assert_true(asks("anna@school.example", CODE_ADD, SECRET, 1, sid, &e));
    wait_for_reports();
    people("UPDATE verifications SET delivery = 'waiting'");
    open_contacts(true, true);
    assert_true(contacts_session(t.f.db, sid, SECRET, clock_wall_ms(), &session, &e));
    assert_int_equal(session.delivery, DELIVERY_FAILED);
}

/* Whether a text says something in Russian and in English: whoever is written to may read but one of them. */
static void says_both(const struct text *text)
{
    int russian = 0, english = 0;
    for (size_t i = 0; i + 1 < text->len; ++i) {
        unsigned char a = (unsigned char)text->data[i], b = (unsigned char)text->data[i + 1];
        russian += (a == 0xd0 || a == 0xd1) && b >= 0x80;
        english += a == ' ' && b >= 'a' && b <= 'z';
    }
    if (russian < 10 || english < 1 || strchr(text->data, '{') != NULL)
        fail_msg("%s", text->data);
}

/* Before anybody has an account nobody knows their language: each message, its subject, too, is in both. */
static void every_message_is_in_both_languages(void **state)
{
    for (int kind = CODE_REGISTER; kind <= CODE_RESET + 1; ++kind)
        for (int known = 0; known < 2; ++known)
            for (int medium = CONTACT_EMAIL; medium <= CONTACT_PHONE; ++medium) {
                struct text subject = TEXT_INIT, text = TEXT_INIT;
                if (kind <= CODE_RESET)
                    code_message_write((enum code_purpose)kind, (enum contact_medium)medium, "school.example",
                                       known ? NULL : "123456", 15, &subject, &text);
                else
                    link_message_write((enum contact_medium)medium, "school.example", "https://school.example/x",
                                       "123456", 3, &subject, &text);
                says_both(&text);
                if (medium == CONTACT_EMAIL)
                    says_both(&subject);
                assert_true(known || strstr(text.data, kind <= CODE_RESET ? "123456" : "https://") != NULL);
                text_finish(&subject);
                text_finish(&text);
            }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_addresses_are_canonical),
        cmocka_unit_test(phone_numbers_are_canonical),
        cmocka_unit_test(every_message_is_in_both_languages),
        TEST(a_code_proves_its_address_for_its_purpose),
        TEST(a_wrong_code_may_be_tried_a_few_times),
        TEST(only_the_sid_with_its_secret_is_a_session),
        TEST(a_code_and_its_proof_expire),
        TEST(a_repeated_request_sends_nothing),
        TEST(a_code_is_sent_again_as_it_was),
        TEST(strangers_touch_nobodys_code),
        TEST(strangers_shut_nobody_out),
        TEST(a_new_password_ends_what_else_was_sent),
        TEST(who_is_known_has_a_count_of_their_own),
        TEST(a_person_asks_for_so_many_a_day),
        TEST(made_up_addresses_stop_nobodys_new_password),
        TEST(guesses_are_bounded),
        TEST(nobody_has_more_guesses_by_being_many),
        TEST(whoever_is_many_shuts_no_owner_out),
        TEST(links_of_one_person_or_school_count_together),
        TEST(that_a_letter_failed_tells_of_no_account),
        TEST(the_way_to_an_answer_tells_of_no_account),
        TEST(addresses_of_one_mailbox_are_counted_together),
        TEST(an_address_gets_few_letters_an_hour_whoever_asks),
        TEST(messages_are_capped_by_number_client_school_and_server),
        TEST(where_registration_is_closed_no_code_goes_to_strangers),
        TEST(what_clients_send_is_looked_at),
        TEST(without_a_post_nothing_is_offered),
        TEST(a_letter_that_was_not_sent_is_told_of),
        TEST(an_address_belongs_to_one_account_at_a_time_C3),
        TEST(a_proof_is_used_once),
        TEST(leaving_frees_the_address_S4),
        TEST(a_request_does_not_tell_whether_an_address_is_known),
        TEST(a_lost_password_is_set_anew_by_the_address),
        TEST(a_guardians_number_is_not_a_pupils_C4),
        TEST(a_pupil_cannot_add_a_guardians_number_C4),
        TEST(nothing_is_kept_of_what_is_over),
        TEST(codes_are_kept_hashed),
        TEST(letters_lost_by_a_restart_are_not_waited_for),
    };
    if (!crypto_start())
        return 1;
    return cmocka_run_group_tests_name("contacts", tests, NULL, NULL);
}
