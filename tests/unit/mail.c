/* Mail and SMS as they go over the wire: messages, templates, what could be smuggled in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/secret.h"
#include "homeserver/mail/sms.h"
#include "homeserver/mail/smtp.h"

static const struct smtp_envelope ENVELOPE = {"noreply@school.example", "Школа", "abc", INT64_C(1788242405000)};

static void a_message_is_what_the_standards_want(void **state)
{
    struct text out = TEXT_INIT;
    const struct mail mail = {"anna@school.example", "Code", "Код 123456\nи ещё\n"};
    assert_true(smtp_message(&out, &ENVELOPE, &mail));
    assert_string_equal(out.data, "Date: Tue, 01 Sep 2026 06:00:05 +0000\r\n"
                                  "From: =?UTF-8?B?0KjQutC+0LvQsA==?=\r\n <noreply@school.example>\r\n"
                                  "To: <anna@school.example>\r\n"
                                  "Subject: Code\r\n"
                                  "Message-ID: <abc@school.example>\r\n"
                                  "MIME-Version: 1.0\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: base64\r\n"
                                  "Auto-Submitted: auto-generated\r\n"
                                  "\r\n"
                                  "0JrQvtC0IDEyMzQ1Ng0K0Lgg0LXRidGRDQo=\r\n");
    text_finish(&out);
}

static void names_are_quoted_or_encoded(void **state)
{
    static const struct {
        const char *name, *from;
    } CASES[] = {
        {NULL, "From: <noreply@school.example>\r\n"},
        {"Parta", "From: \"Parta\"\r\n <noreply@school.example>\r\n"},
        {"Parta, the school", "From: \"Parta, the school\"\r\n <noreply@school.example>\r\n"},
        {"a \"b\"", "From: =?UTF-8?B?YSAiYiI=?=\r\n <noreply@school.example>\r\n"},
        {"a\r\nBcc: x@y.example", "From: =?UTF-8?B?YQ0KQmNjOiB4QHkuZXhhbXBsZQ==?=\r\n <noreply@school.example>\r\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text out = TEXT_INIT;
        struct smtp_envelope envelope = ENVELOPE;
        const struct mail mail = {"anna@school.example", "s", ""};
        envelope.name = CASES[i].name;
        assert_true(smtp_message(&out, &envelope, &mail));
        assert_non_null(strstr(out.data, CASES[i].from));
        text_finish(&out);
    }
}

/* No line is over 78 characters, none is taken for a header, and what comes out decodes to what went in. */
static void long_subjects_are_folded_between_characters(void **state)
{
    struct text subject = TEXT_INIT, out = TEXT_INIT, back = TEXT_INIT;
    for (int i = 0; i < 60; ++i)
        text_adds(&subject, i % 3 == 0 ? "ё" : i % 3 == 1 ? "x" : "€");
    smtp_add_words(&out, subject.data, strlen("Subject: "));
    size_t column = strlen("Subject: ");
    for (const char *p = out.data; *p != '\0'; ++p) {
        column = *p == '\n' ? 0 : column + 1;
        assert_true(column <= 78);
        assert_true(*p != '\n' || p[1] == ' ');
    }
    for (char *word = strstr(out.data, "=?UTF-8?B?"); word != NULL; word = strstr(word, "=?UTF-8?B?")) {
        unsigned char bytes[64];
        word += strlen("=?UTF-8?B?");
        int n = base64_decode(word, strcspn(word, "?"), bytes, sizeof bytes);
        assert_true(n > 0 && utf8_valid((char *)bytes, (size_t)n)); /* each word is whole by itself */
        text_add(&back, (char *)bytes, (size_t)n);
    }
    assert_string_equal(back.data, subject.data);
    text_finish(&subject);
    text_finish(&out);
    text_finish(&back);
}

static void a_subject_that_could_be_misread_is_encoded(void **state)
{
    static const char *const CASES[] = {"a\r\nBcc: x@y.example", "=?UTF-8?Q?x?=", "tab\tbed", "a\nb"};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text out = TEXT_INIT;
        smtp_add_words(&out, CASES[i], 9);
        assert_int_equal(strncmp(out.data, "=?UTF-8?B?", 10), 0);
        assert_null(strpbrk(out.data, "\r\n\t"));
        text_finish(&out);
    }
}

static void a_body_cannot_end_the_data(void **state)
{
    struct text out = TEXT_INIT;
    const struct mail mail = {"anna@school.example", "s", "one\n.\nQUIT\n\n.\r\nMAIL FROM:<x@y.example>\n"};
    assert_true(smtp_message(&out, &ENVELOPE, &mail));
    const char *body = strstr(out.data, "\r\n\r\n") + 4;
    assert_true(strspn(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n") == strlen(body));
    text_finish(&out);
}

static void addresses_that_could_be_commands_are_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "anna",
        "@school.example",
        "anna@",
        "a@b@c.example",
        "anna@school.example\r\nRCPT TO:<x@y.example>",
        "anna@school.example>\r\n",
        "anna @school.example",
        "<anna@school.example>",
        "\"anna\"@school.example",
        "anna@school.example,x@y.example",
        "анна@школа.example",
        "anna@school.example\t",
        "anna@school.example\x7f",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text out = TEXT_INIT;
        const struct mail mail = {CASES[i], "s", "t"};
        if (smtp_message(&out, &ENVELOPE, &mail))
            fail_msg("written: %s", CASES[i]);
        assert_int_equal(out.len, 0);
    }
    assert_true(smtp_address_safe("anna.k+school@school.example"));
}

static void templates_are_filled_as_their_place_wants(void **state)
{
    static const struct {
        const char *template;
        enum sms_writing writing;
        const char *to, *text, *secret, *filled;
    } CASES[] = {
        {"{\"to\": \"+{to}\", \"m\": \"{text}\"}", SMS_WRITE_JSON, "79001234567", "Код \"1\"\n", NULL,
         "{\"to\": \"+79001234567\", \"m\": \"Код \\\"1\\\"\\n\"}"},
        {"{\"m\": \"{text}\"}", SMS_WRITE_JSON, "1", "\", \"to\": \"2\\", NULL,
         "{\"m\": \"\\\", \\\"to\\\": \\\"2\\\\\"}"},
        {"phone={to}&text={text}&key={secret}", SMS_WRITE_URL, "7900", "a&phone=1 +ё", "k&k",
         "phone=7900&text=a%26phone%3D1%20%2B%D1%91&key=k%26k"},
        {"Authorization: Bearer {secret}", SMS_WRITE_PLAIN, NULL, NULL, "s3cr{to}t", "Authorization: Bearer s3cr{to}t"},
        {"{to}", SMS_WRITE_PLAIN, NULL, NULL, NULL, "{to}"},
        {"{text}{to}", SMS_WRITE_URL, "1", "{to}{secret}", "s", "%7Bto%7D%7Bsecret%7D1"}, /* filled once */
        {"{{to}} {nobody} {to", SMS_WRITE_JSON, "1", "", NULL, "{1} {nobody} {to"},
        {"", SMS_WRITE_JSON, "1", "", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text out = TEXT_INIT;
        const struct sms_values values = {CASES[i].to, CASES[i].text, CASES[i].secret};
        sms_fill(&out, CASES[i].template, CASES[i].writing, &values);
        if (CASES[i].filled == NULL)
            assert_int_equal(out.len, 0);
        else
            assert_string_equal(out.data, CASES[i].filled);
        text_finish(&out);
    }
}

static void a_secret_is_the_first_line_of_its_file(void **state)
{
    static const struct {
        const char *bytes, *secret; /* NULL: refused */
    } CASES[] = {{"hush", "hush"}, {"hush\n", "hush"}, {"hush\r\nmore\n", "hush"},
                 {"", NULL},       {"\n", NULL},       {"a\x01", NULL}};
    char path[] = "/tmp/parta-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text problem = TEXT_INIT;
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, CASES[i].bytes, strlen(CASES[i].bytes), 0) >= 0);
        char *secret = secret_read("mail.password_file", path, &problem);
        if (CASES[i].secret != NULL) {
            assert_string_equal(secret, CASES[i].secret);
        } else {
            assert_null(secret);
            assert_non_null(strstr(problem.data, "mail.password_file"));
        }
        secret_free(secret);
        text_finish(&problem);
    }
    close(fd);
    unlink(path);
    struct text problem = TEXT_INIT;
    assert_null(secret_read("x", path, &problem));
    assert_true(problem.len > 0);
    text_finish(&problem);
}

/* A gateway's answer is its last word, but where it is busy; whether it took the message its own words say, wherever in
 * the answer they stand. */
static void what_a_gateway_answers(void **state)
{
#define SAID(text)                                                                                                     \
    {                                                                                                                  \
        (char *)(text), sizeof(text) - 1, 0                                                                            \
    }
    static const struct {
        struct outgoing_reply reply;
        const char *success;
        enum outgoing_verdict verdict;
    } CASES[] = {
        {{.status = 200, .body = SAID("")}, NULL, OUTGOING_DONE},
        {{.status = 200, .body = SAID("")}, "OK", OUTGOING_GIVE_UP},
        {{.status = 202, .body = SAID("{\"status\": \"OK\"}")}, "\"OK\"", OUTGOING_DONE},
        {{.status = 200, .body = SAID("id\0OK")}, "OK", OUTGOING_DONE},
        {{.status = 400, .body = SAID("OK")}, "OK", OUTGOING_GIVE_UP},
        {{.status = 429, .body = SAID("OK")}, "OK", OUTGOING_AGAIN},
        {{.status = 503, .body = SAID("OK")}, NULL, OUTGOING_AGAIN},
        {{.fault = OUTGOING_UNREACHABLE, .body = SAID("OK")}, "OK", OUTGOING_AGAIN},
        {{.fault = OUTGOING_TOO_LARGE, .status = 200, .body = SAID("OK")}, "OK", OUTGOING_GIVE_UP},
        {{.fault = OUTGOING_UNTRUSTED, .body = SAID("")}, NULL, OUTGOING_GIVE_UP},
    };
#undef SAID
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(sms_verdict(&CASES[i].reply, CASES[i].success), CASES[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_what_the_standards_want),
        cmocka_unit_test(names_are_quoted_or_encoded),
        cmocka_unit_test(long_subjects_are_folded_between_characters),
        cmocka_unit_test(a_subject_that_could_be_misread_is_encoded),
        cmocka_unit_test(a_body_cannot_end_the_data),
        cmocka_unit_test(addresses_that_could_be_commands_are_refused),
        cmocka_unit_test(templates_are_filled_as_their_place_wants),
        cmocka_unit_test(a_secret_is_the_first_line_of_its_file),
        cmocka_unit_test(what_a_gateway_answers),
    };
    if (!crypto_start())
        return 1;
    return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
