/* Whole requests to the pages of people in browsers: paths, queries, cookies (sessions, visits, known browsers, drafts,
 * languages), forms. Whoever asks finds a school with people of each kind, links, an application, codes. */
#include <liboath/oath.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/draft.h"
#include "client-api/pages/routes.h"
#include "client-api/routes.h"
#include "homeserver/accounts/login.h"
#include "homeserver/accounts/second_factor.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/uia.h"
#include "tests/fuzz/whole_request.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* --- The second factor: a secret of RFC 6238's, appendix B --- */

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static void code_of_now(char out[7])
{
    must(oath_hotp_generate("12345678901234567890", 20, WHOLE_NOW_MS / 30000 + 1, 6, false,
                            OATH_HOTP_DYNAMIC_TRUNCATION, out) == OATH_OK);
}

static void make_factor_token(struct text *out)
{
    char token[TOKEN_CHARS + 1];
    login_factor_issue_to(whole_server.accounts, whole_world.f.db, whole_world.teacher, token);
    text_adds(out, token);
}

static void make_once(struct text *out)
{
    char password[TOKEN_CHARS + 1];
    login_once_issue(whole_server.accounts, whole_world.f.db, whole_world.teacher, password);
    text_adds(out, password);
}

/* An act that asks for a code, of an app. */
static void make_authentication(struct text *out)
{
    static const struct uia_stage *const STAGES[] = {&STAGE_SECOND_FACTOR};
    static const struct uia_flow FLOW = {STAGES, 1};
    static const struct route ROUTE = {HTTP_POST, "/x", NULL, ROUTE_BODY, RATE_NONE};
    static char path[] = "/x";
    struct request r = {.server = &whole_server,
                        .route = &ROUTE,
                        .method = HTTP_POST,
                        .path = path,
                        .db = whole_world.f.db,
                        .identity.user = whole_world.teacher,
                        .body = json_object()};
    must(!uia_pass(&r, &FLOW, 1, NULL, NULL));
    json_t *asked = json_loadb(r.reply.body.data, r.reply.body.len, 0, NULL);
    text_adds(out, json_string_value(json_object_get(asked, "session")));
    json_decref(asked);
    json_decref(r.body);
    reply_reset(&r.reply);
}

static void learn_factor(void)
{
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1], code[7];
    struct error e;
    must(oath_hotp_generate("12345678901234567890", 20, WHOLE_NOW_MS / 30000 - 1, 6, false,
                            OATH_HOTP_DYNAMIC_TRUNCATION, code) == OATH_OK);
    must(second_factor_set(whole_server.accounts, whole_world.teacher, SECRET, code, codes, &e));
    code_of_now(code);
    whole_word("code", code);
    whole_word("recovery", codes[0]);
    whole_word_made("factor_token", make_factor_token);
    whole_word_made("once", make_once);
    whole_word_made("authentication", make_authentication);
}

/* --- Links, an application, a draft --- */

static char class_token[LINK_TOKEN_CHARS + 1];

static void learn_link(const char *word, user_no who, struct link_wish wish, char token[LINK_TOKEN_CHARS + 1])
{
    struct link_made made;
    struct error e;
    must(world_link(&whole_world, who, wish, &made, &e));
    whole_word(word, made.token);
    if (token != NULL)
        memcpy(token, made.token, sizeof made.token);
}

static void learn_links(void)
{
    struct world *w = &whole_world;
    learn_link("link", w->class_teacher, (struct link_wish){.kind = LINK_CLASS, .class = w->fifth, .role = ROLE_PUPIL},
               class_token);
    learn_link("link_school", w->admin,
               (struct link_wish){.kind = LINK_SCHOOL, .school = w->school, .role = ROLE_TEACHER}, NULL);
    learn_link("link_guardian", w->young, (struct link_wish){.kind = LINK_GUARDIAN}, NULL);
    learn_link("link_small", w->small, (struct link_wish){.kind = LINK_GUARDIAN}, NULL);
}

static void learn_version(const char *word, int64_t version)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)version);
    whole_word(word, number);
}

static void learn_application(void)
{
    struct world *w = &whole_world;
    struct error e;
    char number[24];
    user_no newcomer = world_signs_up(w, class_token, "Nina", &e);
    must(newcomer != 0);
    whole_person("newcomer", newcomer);
    application_no no = world_application(w, newcomer);
    snprintf(number, sizeof number, "%lld", (long long)no);
    whole_word("application", number);
    learn_version("application_seen", world_version(w->f.db, no));
    learn_version("young_seen", guardian_child_version(w->f.db, w->young));
    learn_version("small_seen", guardian_child_version(w->f.db, w->small));
}

static void learn_draft(void)
{
    struct request r = {
        .server = &whole_server, .identity.user = whole_world.old, .path = "/parta/account/contacts/code"};
    struct text from = TEXT_INIT, back = TEXT_INIT;
    form_from_add(&from, &r, "/parta/account/contacts");
    char *value = xstrndup(strstr(from.data, "value=\"") + 7, strcspn(strstr(from.data, "value=\"") + 7, "\""));
    json_t *typed = json_pack("{s:s, s:s}", "from", value, "contact", "x\"><fuzz@example.com");
    must(draft_keep(&r, typed, &back));
    char draft[COOKIE_LONG_BYTES];
    must(cookie_find(r.reply.headers[0].value, "__Host-parta-draft", draft, sizeof draft));
    whole_word("draft", draft);
    json_decref(typed);
    free(value);
    text_finish(&from);
    text_finish(&back);
    reply_reset(&r.reply);
}

/* What each form that asks for a code brings along; the code is not typed yet. */
static void learn_codes(void)
{
#define FORM(path, cookie, body)                                                                                       \
    "POST /parta/" path "\ncontent-type: application/x-www-form-urlencoded\norigin: https://school.example\ncookie: "  \
    "__Host-parta-" cookie "\n\nform=$form&" body
    static const struct {
        const char *request, *words[3];
    } ASKED[] = {
        {FORM("join-code", "visit=$visit", "token=$link&contact=n%40example.com"),
         {"join_sid", "join_secret", "join_code"}},
        {FORM("account/contacts/code", "session=$pupil", "contact=p%40example.com"),
         {"contact_sid", "contact_secret", "contact_code"}},
        {FORM("recovery", "visit=$visit", "contact=guardian%40example.com"),
         {"recovery_sid", "recovery_secret", "recovery_code"}},
    };
    for (size_t i = 0; i < sizeof ASKED / sizeof *ASKED; ++i) {
        whole_learn(ASKED[i].request, "name=\"sid\" value=\"", ASKED[i].words[0]);
        whole_learn(NULL, "name=\"client_secret\" value=\"", ASKED[i].words[1]);
        whole_word(ASKED[i].words[2], whole_code);
    }
    for (int i = 0; i < 10; ++i) /* as often as one address may have them, and more */
        whole_learn(FORM("account/contacts/code", "session=$young", "contact=full%40example.com"), NULL, NULL);
}

static void learn_people(void)
{
    struct world *w = &whole_world;
    whole_person("admin", w->admin);
    whole_person("class_teacher", w->class_teacher);
    whole_person("factored", w->teacher);
    whole_person("pupil", w->old);
    whole_person("young", w->young);
    whole_person("small", w->small);
    whole_guardian();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct routes *const OF_OAUTH[] = {&OAUTH_CONSENT_ROUTES, &OAUTH_SSO_ROUTES};
    const struct whole_tables tables[] = {{PAGE_ROUTES, PAGE_ROUTES_COUNT}, {OF_OAUTH, 2}};
    whole_start("registration: {mode: token}\npublic_baseurl: https://school.example\n", tables, 2);
    whole_word("visit", "visitvisitvisitvisitvisitvisit12");
    world_policy(&whole_world, "{\"second_factor\": {\"roles\": [\"class_teacher\"], \"from\": \"2027-02-01\"}}");
    learn_people();
    learn_links();
    learn_application();
    learn_factor();
    learn_draft();
    learn_codes();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    whole_ask(bytes, len, false);
    return 0;
}
