/* Pages without a browser: what is escaped for where it stands, what cookies and origins are taken, how forms are read,
 * and that no route of the pages forgets what pages need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-api/oauth/sso.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/draft.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/form_token.h"
#include "client-api/pages/language.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/http/form.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_written(struct text *out, const char *wanted)
{
    assert_string_equal(out->data != NULL ? out->data : "", wanted);
    text_finish(out);
}

/* Things people have tried elsewhere, and what becomes of them in text and values. */
static void what_people_write_stays_text(void **state)
{
    static const struct {
        const char *written, *shown;
    } CASES[] = {
        {NULL, ""},
        {"", ""},
        {"Анна & Борис", "Анна &amp; Борис"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\" onmouseover=\"alert(1)", "&quot; onmouseover=&quot;alert(1)"},
        {"' autofocus onfocus='x", "&#39; autofocus onfocus=&#39;x"},
        {"</title><img src=x onerror=x>", "&lt;/title&gt;&lt;img src=x onerror=x&gt;"},
        {"&lt;b&gt;", "&amp;lt;b&amp;gt;"},
        {"<!--", "&lt;!--"},
        {"a\nb\tc\rd\x01\x7f", "a\nb\tcd"},
        {"{{user}}", "{{user}}"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text out = TEXT_INIT;
        put_text(&out, CASES[i].written);
        assert_written(&out, CASES[i].shown);
    }
}

static void addresses_lead_nowhere_unseen(void **state)
{
    static const struct {
        const char *url, *shown;
        bool local;
    } CASES[] = {
        {"/parta/account", "/parta/account", true},
        {"/parta/sign-in?next=%2F&a=b", "/parta/sign-in?next=%2F&amp;a=b", true},
        {"/", "/", true},
        {"https://school.example/a", "https://school.example/a", false},
        {"mailto:a@school.example", "mailto:a@school.example", false},
        {NULL, "#", false},
        {"", "#", false},
        {"//evil.example", "#", false},
        {"/\\evil.example", "#", false},
        {"/\tevil", "#", false},
        {"/a b", "#", false},
        {"\\\\evil.example", "#", false},
        {"javascript:alert(1)", "#", false},
        {"JaVaScRiPt:alert(1)", "#", false},
        {" javascript:alert(1)", "#", false},
        {"java\tscript:alert(1)", "#", false},
        {"data:text/html,<script>", "#", false},
        {"vbscript:x", "#", false},
        {"evil.example", "#", false},
        {"/a\r\nSet-Cookie: x=y", "#", false},
        {"https://a.example/\"><script>", "https://a.example/&quot;&gt;&lt;script&gt;", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text out = TEXT_INIT;
        put_url(&out, CASES[i].url);
        assert_written(&out, CASES[i].shown);
        assert_int_equal(path_is_local(CASES[i].url), CASES[i].local);
    }
    struct text piece = TEXT_INIT;
    put_url_piece(&piece, "a/b?c&d=\"я\"../");
    assert_written(&piece, "a%2Fb%3Fc%26d%3D%22%D1%8F%22..%2F");
}

static void cookies_are_read_by_their_name(void **state)
{
    static const struct {
        const char *header, *value; /* NULL: there is none */
    } CASES[] = {
        {NULL, NULL},
        {"", NULL},
        {"a=1", "1"},
        {"b=2; a=1", "1"},
        {"b=2;a=1;c=3", "1"},
        {"aa=2; a=1", "1"},
        {"A=1", NULL},
        {"a=1; a=2", "1"},
        {"a=", NULL},
        {"a", NULL},
        {"a=\"1\"", NULL},
        {"a=1 2", NULL},
        {"b=a=1", NULL},
        {"b=;a=x-y_z", "x-y_z"},
        {"a=0123456789012345678901234567890123456789012345678901234567890123", NULL}, /* 64: too long */
        {"a=012345678901234567890123456789012345678901234567890123456789012",
         "012345678901234567890123456789012345678901234567890123456789012"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        char value[COOKIE_BYTES];
        bool found = cookie_find(CASES[i].header, "a", value, sizeof value);
        assert_int_equal(found, CASES[i].value != NULL);
        if (found)
            assert_string_equal(value, CASES[i].value);
    }
}

static void forms_come_from_this_server(void **state)
{
    static const struct {
        const char *origin, *baseurl, *host;
        bool ours;
    } CASES[] = {
        {"https://school.example", "https://school.example", "school.example", true},
        {"https://school.example", NULL, "school.example", true},
        {"https://School.example", NULL, "school.example", true},
        {"https://school.example:8443", "https://school.example:8443", "school.example",
         true}, /* nginx drops the port */
        {"https://school.example", "https://school.example/chat", "inside:8008", true},
        {"http://127.0.0.1:8008", NULL, "127.0.0.1:8008", true},
        {NULL, "https://school.example", "school.example", false},
        {"null", "https://school.example", "school.example", false},
        {"", "https://school.example", "school.example", false},
        {"https://evil.example", "https://school.example", "school.example", false},
        {"https://school.example.evil.example", "https://school.example", "school.example", false},
        {"https://school.exampl", "https://school.example", "school.example", false},
        {"https://school.example:444", "https://school.example", "school.example", false},
        {"https://school.example", NULL, NULL, false},
        {"school.example", NULL, "school.example", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        assert_int_equal(origin_is_ours(CASES[i].origin, CASES[i].baseurl, CASES[i].host), CASES[i].ours);
}

/* A form is taken until its time is over, from the page and in the session that it was shown in, with its own mark
 * alone. */
static void a_form_holds_for_its_time_page_and_session(void **state)
{
    static const char PAGE[] = "/parta/account/password", SESSION[] = "parta-session=one-session";
    static const struct {
        const char *cookie, *shown_in, *path;
        int64_t good_for_ms;
        user_no user;
        bool altered, taken;
    } CASES[] = {
        {SESSION, "one-session", PAGE, MINUTE_MS, 1, false, true},
        {SESSION, "one-session", PAGE, -1, 1, false, false}, /* over */
        {SESSION, "one-session", PAGE, -DAY_MS, 1, false, false},
        {SESSION, "one-session", PAGE, MINUTE_MS, 1, true, false},
        {SESSION, "one-session", "/parta/account/contacts/add", MINUTE_MS, 1, false, false},
        {SESSION, "another-session", PAGE, MINUTE_MS, 1, false, false},
        {"parta-visit=one-session", "one-session", PAGE, MINUTE_MS, 1, false, false}, /* who is signed in since */
        {"parta-visit=one-session", "one-session", PAGE, MINUTE_MS, 0, false, true},
        {SESSION, "one-session", PAGE, MINUTE_MS, 0, false, false},
        {NULL, "one-session", PAGE, MINUTE_MS, 1, false, false},
    };
    static const unsigned char SEED[SEED_BYTES] = {1};
    struct signing_key key;
    struct config config = {0};
    struct server server = {.key = &key, .config = &config};
    signing_key_from_seed(&key, "1", SEED);
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text token = TEXT_INIT;
        struct request r = {
            .server = &server, .path = (char *)PAGE, .identity.user = CASES[i].user, .body = json_object()};
        r.headers[HEADER_ORIGIN] = "http://localhost";
        r.headers[HEADER_HOST] = "localhost";
        r.headers[HEADER_COOKIE] = CASES[i].cookie;
        form_token_add(&token, &r, CASES[i].shown_in, CASES[i].path, clock_wall_ms() + CASES[i].good_for_ms);
        if (CASES[i].altered)
            token.data[token.len - 2] ^= 1;
        json_object_set_new(r.body, FORM_TOKEN_FIELD, json_string(token.data));
        if (form_taken(&r) != CASES[i].taken || form_is_old(&r) == CASES[i].taken)
            fail_msg("case %zu", i);
        assert_null(json_object_get(r.body, FORM_TOKEN_FIELD)); /* nobody behind it sees it */
        json_decref(r.body);
        text_finish(&token);
    }
}

/* Whose a form is stands in it as a code: one may begin with a dash, which alone is nobody's. */
static void a_form_is_whose_it_was_shown_to(void **state)
{
    static const unsigned char SEED[SEED_BYTES] = {1};
    struct signing_key key;
    struct config config = {0};
    struct server server = {.key = &key, .config = &config};
    int dashes = 0;
    signing_key_from_seed(&key, "1", SEED);
    for (user_no user = 0; user < 1000; ++user) {
        struct request r = {.server = &server, .path = (char *)"/parta/account", .identity.user = user};
        struct text field = TEXT_INIT, back = TEXT_INIT;
        form_from_add(&field, &r, "/parta/account");
        const char *value = strstr(field.data, "value=\"") + strlen("value=\"");
        json_t *body = json_pack("{s:o, s:s}", FORM_FROM_FIELD, json_stringn(value, strcspn(value, "\"")), "contact",
                                 "anna@school.example");
        dashes += user != 0 && value[0] == '-';
        assert_true(form_from_them(&r, body));
        r.identity.user = user + 1;
        assert_true(form_from_them(&r, body) == (user == 0));
        r.identity.user = 0;
        assert_true(draft_keep(&r, body, &back) == (user != 0));
        json_decref(body);
        reply_reset(&r.reply);
        text_finish(&field);
        text_finish(&back);
    }
    assert_true(dashes > 0);
}

static void forms_are_read(void **state)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    static const struct {
        const char *type, *body, *read; /* NULL: refused */
    } CASES[] = {
        {FORM, "", "{}"},
        {FORM, "a=1&b=x+y%21", "{\"a\":\"1\",\"b\":\"x y!\"}"},
        {"application/x-www-form-urlencoded; charset=UTF-8", "a=%D1%8F", "{\"a\":\"я\"}"},
        {"Application/X-WWW-Form-Urlencoded", "a", "{\"a\":\"\"}"},
        {FORM, "a=1&a=2", NULL},
        {FORM, "a=%zz", NULL},
        {FORM, "a=%ff", NULL},
        {FORM, "a=%00", NULL},
        {"application/json", "a=1", NULL},
        {"text/plain", "a=1", NULL},
        {"application/x-www-form-urlencodedx", "a=1", NULL},
        {NULL, "a=1", NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        json_t *form = form_parse(CASES[i].type, CASES[i].body, strlen(CASES[i].body), &e);
        assert_int_equal(form != NULL, CASES[i].read != NULL);
        assert_int_equal(e.code != ERROR_NONE, CASES[i].read == NULL);
        char *read = form != NULL ? json_dumps(form, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (read != NULL)
            assert_string_equal(read, CASES[i].read);
        free(read);
        json_decref(form);
    }
    struct text many = TEXT_INIT;
    struct error e = {0};
    for (int i = 0; i <= FORM_FIELDS_MAX; ++i)
        text_addf(&many, "f%d=1&", i);
    assert_null(form_parse(FORM, many.data, many.len, &e));
    text_finish(&many);
}

static void languages_are_chosen(void **state)
{
    static const struct {
        const char *header;
        enum language language;
    } CASES[] = {
        {NULL, LANGUAGE_RU},
        {"", LANGUAGE_RU},
        {"ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", LANGUAGE_RU},
        {"en-US,en;q=0.9,ru;q=0.8", LANGUAGE_EN},
        {"tt, ru;q=0.5", LANGUAGE_RU},
        {"de", LANGUAGE_EN},
        {"rue", LANGUAGE_EN},
        {"en;q=0.1, ru;q=0.2", LANGUAGE_RU},
        {"ru;q=0, en", LANGUAGE_EN},
        {"*", LANGUAGE_EN},
        {";;;,,,q=", LANGUAGE_EN},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        assert_int_equal(language_asked(CASES[i].header), CASES[i].language);
    static const int RUSSIAN[][2] = {{0, 2},  {1, 0},  {2, 1},  {4, 1},   {5, 2},   {11, 2},  {12, 2}, {14, 2},
                                     {20, 2}, {21, 0}, {22, 1}, {101, 0}, {111, 2}, {112, 2}, {122, 1}};
    for (size_t i = 0; i < COUNT(RUSSIAN); ++i)
        assert_int_equal(plural_ru(RUSSIAN[i][0]), RUSSIAN[i][1]);
    assert_int_equal(plural_en(1), 0);
    assert_int_equal(plural_en(0), 1);
    assert_int_equal(word_named("no.such"), WORD_NONE);
    for (int word = 1; word < WORD__COUNT; ++word)
        for (int language = 0; language < LANGUAGES; ++language)
            assert_true(*word_in((enum word)word, (enum language)language) != '\0');
}

/* Whatever page is added: people see refusals as pages, each form is bounded and checked to be this server's, nothing
 * else than forms changes anything, and no access token opens a page. */
static void no_route_of_the_pages_forgets_anything(void **state)
{
    size_t posts = 0;
    for (size_t i = 0; i < PAGE_ROUTES_COUNT; ++i)
        for (size_t j = 0; j < PAGE_ROUTES[i]->n; ++j) {
            const struct route *route = &PAGE_ROUTES[i]->table[j];
            bool form = (route->flags & ROUTE_POSTS) == ROUTE_POSTS;
            print_message("# %s\n", route->path);
            assert_true((route->flags & ROUTE_HTML) != 0);
            assert_true(route->method == HTTP_GET || route->method == HTTP_POST);
            assert_int_equal(route->method == HTTP_POST, form);
            assert_int_equal(route->body_max != NULL, form);
            assert_int_equal(route->flags & ROUTE_CREDENTIALS & ~(ROUTE_PAGE | ROUTE_ANONYMOUS), 0);
            assert_true(strcmp(route->path, "/") == 0 || strncmp(route->path, "/parta/", 7) == 0 ||
                        strstr(route->path, "/fallback/web") != NULL);
            assert_true(!form || (route->flags & ROUTE_PAGE) != 0);
            posts += form;
        }
    assert_true(posts > 0);
}

static void assets_are_small(void **state)
{
    for (size_t i = 0; i < PAGE_ASSETS_COUNT; ++i) {
        assert_int_equal(strlen(PAGE_ASSETS[i].content), PAGE_ASSETS[i].bytes);
        assert_true(PAGE_ASSETS[i].bytes <= (strstr(PAGE_ASSETS[i].name, ".css") != NULL ? 15 << 10 : 10 << 10));
        assert_null(strstr(PAGE_ASSETS[i].content, "//cdn"));
        assert_null(strstr(PAGE_ASSETS[i].content, "http"));
    }
    assert_int_equal(PAGE_ASSETS_COUNT, 2);
}

/* Where a browser may be sent with a token (client-api/oauth/sso.h). */
static void tokens_go_where_no_browser_runs_them(void **state)
{
    static const struct {
        const char *url, *with; /* NULL: refused */
    } CASES[] = {
        {"https://app.example/", "https://app.example/?loginToken=T"},
        {"https://app.example/?no=1#/home", "https://app.example/?no=1&loginToken=T#/home"},
        {"http://localhost:8080/cb", "http://localhost:8080/cb?loginToken=T"},
        {"element://connect", "element://connect?loginToken=T"},
        {"io.element.app:/callback#?x", "io.element.app:/callback?loginToken=T#?x"},
        {"javascript:alert(1)", NULL},
        {"JavaScript://app.example/%0aalert(1)", NULL},
        {"data:text/html,x", NULL},
        {"file:///etc/passwd", NULL},
        {"blob:https://app.example/1", NULL},
        {"https://school.example@evil.example/", NULL},
        {"https:///app.example", NULL},
        {"https:app.example", NULL},
        {"//evil.example", NULL},
        {"/parta/account", NULL},
        {"https://app.example/\r\nset-cookie: x", NULL},
        {"https://app.example/ x", NULL},
        {"https://app.example/\"", NULL},
        {"x:", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text out = TEXT_INIT;
        if (sso_redirect_valid(CASES[i].url) != (CASES[i].with != NULL))
            fail_msg("%s", CASES[i].url);
        if (CASES[i].with == NULL)
            continue;
        sso_add_redirect(&out, CASES[i].url, "T");
        assert_written(&out, CASES[i].with);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_stays_text),
        cmocka_unit_test(addresses_lead_nowhere_unseen),
        cmocka_unit_test(cookies_are_read_by_their_name),
        cmocka_unit_test(forms_come_from_this_server),
        cmocka_unit_test(a_form_holds_for_its_time_page_and_session),
        cmocka_unit_test(a_form_is_whose_it_was_shown_to),
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(languages_are_chosen),
        cmocka_unit_test(no_route_of_the_pages_forgets_anything),
        cmocka_unit_test(assets_are_small),
        cmocka_unit_test(tokens_go_where_no_browser_runs_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
