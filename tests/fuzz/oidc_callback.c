/* Whole requests of who signs in at a provider, above all those that come back from there; and what that provider
 * answers the server then. An input is a request (whole_request.h), and behind it, where they are not the good ones of
 * this file, answers: "\n%t 200\n" begins that of the token endpoint, and so "%k" of the keys, "%u" of userinfo, "%m"
 * of the metadata; "%c 0\n" the claims that are signed here as $id_token. */
#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>

#include "client-api/pages/routes.h"
#include "homeserver/base/json.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/outgoing/outgoing.h"
#include "policy/signup/provider_sign_in.h"
#include "tests/fuzz/whole_request.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
bool provider_answers(struct outgoing *outgoing, const struct outgoing_request *request, outgoing_judge *judge,
                      void *judge_arg, struct outgoing_reply *reply) __asm__("__wrap_outgoing_call");
bool real_taken_put(struct oidc_taken *taken, const char *state, int64_t now_s) __asm__("__real_oidc_taken_put");
bool noted_taken_put(struct oidc_taken *taken, const char *state, int64_t now_s) __asm__("__wrap_oidc_taken_put");

#define VISIT "visitvisitvisitvisitvisitvisit12"
#define DIARY "https://diary.example"

static const char *const PROVIDERS[] = {
    "id: diary\nissuer: " DIARY
    "\nclient_id: parta\nname: {ru: D, en: D}\nclaims: {sourced_id: record}\nschools: [s1]\n",
    "id: like\nissuer: https://like.example\nclient_id: parta\nname: {ru: L, en: L}\ndiscovery: false\n"
    "identity: userinfo\nclaims: {subject: user.id}\nendpoints: {authorization: https://like.example/a, token: "
    "https://like.example/token, userinfo: https://like.example/userinfo}\n",
};

/* A key of nobody's (id_token.c has the same): what it signs is taken. */
static const char KEY[] =
    "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"Q6ShXYPJ0DR7l1QcW8OD9GODH5dbP5GbrH8-pWhRLEI\",\"y\":"
    "\"2xP7_bd__0QX6PO6ndP3QgXKjhPISn630do7q1L-2Kg\",\"d\":\"5pnOTvMFvzF3E229NafNQdMrdv9F11Ber4IVbnSTHi8\"}";

enum { CLAIMS, KEYS, METADATA, TOKENS, USERINFO, ANSWERS };
static const char LETTERS[ANSWERS + 1] = "ckmtu";
static const char *const GOOD[ANSWERS] = {
    [CLAIMS] = "{\"iss\":\"" DIARY "\",\"aud\":\"parta\",\"sub\":\"s-1\",\"nonce\":\"$nonce\",\"exp\":1800000300,"
               "\"iat\":1800000000}",
    [KEYS] = "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"Q6ShXYPJ0DR7l1QcW8OD9GODH5dbP5GbrH8-"
             "pWhRLEI\",\"y\":\"2xP7_bd__0QX6PO6ndP3QgXKjhPISn630do7q1L-2Kg\"}]}",
    [METADATA] = "{\"issuer\":\"" DIARY "\",\"authorization_endpoint\":\"" DIARY "/a\",\"token_endpoint\":\"" DIARY
                 "/token\",\"jwks_uri\":\"" DIARY "/keys\",\"userinfo_endpoint\":\"" DIARY "/userinfo\"}",
    [TOKENS] = "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"$id_token\"}",
    [USERINFO] = "{\"sub\":\"s-1\",\"user\":{\"id\":77}}",
};

static cjose_jwk_t *key;
static struct {
    long status;
    const char *bytes;
    size_t len;
} answers[ANSWERS];
static char nonce[OIDC_VALUE_CHARS + 1];
static bool asked, taken; /* this input has had the provider asked, a state taken */

/* --- The provider --- */

/* What stands for $word in an answer. */
static void put_filled(struct text *out, const char *bytes, size_t len, const char *word, const char *value)
{
    for (const char *at = bytes, *end = bytes + len, *found; at < end; at = found + strlen(word)) {
        found = memmem(at, (size_t)(end - at), word, strlen(word));
        text_add(out, at, (size_t)((found != NULL ? found : end) - at));
        if (found == NULL)
            return;
        text_adds(out, value);
    }
}

/* Signed by KEY, whatever they say. */
static void put_id_token(struct text *out)
{
    struct text claims = TEXT_INIT;
    cjose_err err;
    const char *compact;
    put_filled(&claims, answers[CLAIMS].bytes, answers[CLAIMS].len, "$nonce", nonce);
    cjose_header_t *header = cjose_header_new(&err);
    cjose_header_set(header, "alg", "ES256", &err);
    text_adds(&claims, "");
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)claims.data, claims.len, &err);
    if (jws != NULL && cjose_jws_export(jws, &compact, &err))
        text_adds(out, compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
    text_finish(&claims);
}

/* By the last piece of the address: ".../token", ".../openid-configuration". */
static int which(const char *url)
{
    char letter = strrchr(url, '/')[1];
    const char *at = strchr(LETTERS, letter == 'o' ? 'm' : letter);
    return at != NULL && *at != '\0' ? (int)(at - LETTERS) : ANSWERS;
}

bool provider_answers(struct outgoing *outgoing, const struct outgoing_request *request, outgoing_judge *judge,
                      void *judge_arg, struct outgoing_reply *reply)
{
    int i = which(request->url);
    asked = true;
    must(strncmp(request->url, "https://", 8) == 0 && text_is_line(request->url));
    must(request->body == NULL || strpbrk(request->body, "\r\n \"<") == NULL);
    *reply = (struct outgoing_reply){.fault = OUTGOING_UNREACHABLE, .why = "no connection"};
    if (i == ANSWERS || answers[i].status == 0)
        return false;
    reply->fault = OUTGOING_ANSWERED;
    reply->status = answers[i].status;
    struct text token = TEXT_INIT;
    text_adds(&token, "");
    if (i == TOKENS && memmem(answers[i].bytes, answers[i].len, "$id_token", 9) != NULL)
        put_id_token(&token);
    put_filled(&reply->body, answers[i].bytes, answers[i].len, "$id_token", token.data);
    text_adds(&reply->body, "");
    text_finish(&token);
    return judge(judge_arg, reply) == OUTGOING_DONE;
}

/* --- An input --- */

/* How long the request is, before the answers. */
static size_t take_answers(const char *input, size_t len)
{
    const char *end = input + len, *first = len != 0 ? whole_next_answer(input, end, LETTERS) : NULL;
    for (int i = 0; i < ANSWERS; ++i) {
        answers[i].status = 200;
        answers[i].bytes = GOOD[i];
        answers[i].len = strlen(GOOD[i]);
    }
    for (const char *at = first, *next; at != NULL; at = next) {
        next = whole_next_answer(at, end, LETTERS);
        int i = (int)((const char *)memchr(LETTERS, at[1], ANSWERS) - LETTERS);
        const char *stop = next != NULL ? next - 1 : end, *line = memchr(at, '\n', (size_t)(stop - at));
        answers[i].status = 0;
        for (const char *c = at + 3; line != NULL && c < line && *c >= '0' && *c <= '9' && answers[i].status < 1000;
             ++c)
            answers[i].status = 10 * answers[i].status + (*c - '0');
        answers[i].bytes = line != NULL ? line + 1 : stop;
        answers[i].len = (size_t)(stop - answers[i].bytes);
    }
    return first != NULL ? (size_t)(first - 1 - input) : len;
}

bool noted_taken_put(struct oidc_taken *all, const char *state, int64_t now_s)
{
    taken = true;
    return real_taken_put(all, state, now_s);
}

/* As after a start: nothing is known of them yet, and no state was taken. What is made anew is more than a megabyte,
 * and most inputs come nowhere near it. */
static void forget(struct oidc_providers *set)
{
    for (size_t i = 0; asked && i < set->n; ++i) {
        oidc_client_destroy(set->clients[i]);
        set->clients[i] = oidc_client_create(set->all[i], NULL, &set->crowd, NULL);
    }
    if (taken) {
        oidc_taken_destroy(set->taken);
        set->taken = oidc_taken_create();
    }
    asked = taken = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t request = take_answers((const char *)bytes, len);
    whole_ask(bytes, request, true); /* who comes back is signed in by a GET (OpenID Connect Core, 3.1.2.5) */
    forget(whole_server.providers);
    return 0;
}

/* --- What is there --- */

static void learn_state(const char *word, const char *provider, const char *secret, const char *next, char *its_nonce)
{
    struct text state = TEXT_INIT;
    struct oidc_attempt_values values;
    const struct oidc_attempt_of of = {whole_server.providers->key, provider, secret};
    oidc_attempt_begin(&of, next, WHOLE_NOW_MS / 1000, &state);
    oidc_attempt_values(&of, state.data, &values);
    whole_word(word, state.data);
    if (its_nonce != NULL)
        memcpy(its_nonce, values.nonce, sizeof values.nonce);
    text_finish(&state);
}

static void start_providers(void)
{
    struct oidc_providers *set = xcalloc(1, sizeof *set);
    struct text problem = TEXT_INIT;
    set->all = xcalloc(2, sizeof *set->all);
    for (; set->n < 2; ++set->n) {
        set->all[set->n] = oidc_provider_parse("f", PROVIDERS[set->n], strlen(PROVIDERS[set->n]), &problem);
        must(set->all[set->n] != NULL);
    }
    oidc_providers_start(set, NULL, &whole_world.f.key, 8, NULL);
    whole_server.providers = set;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    cjose_err err;
    struct error e;
    whole_start("registration: {mode: token}\npublic_baseurl: https://school.example\n",
                &(const struct whole_tables){PAGE_ROUTES, PAGE_ROUTES_COUNT}, 1);
    must((key = cjose_jwk_import(KEY, sizeof KEY - 1, &err)) != NULL);
    start_providers();
    whole_word("visit", VISIT);
    learn_state("identity", "link diary", whole_person("pupil", whole_world.old), "s-9", NULL);
    whole_person("admin", whole_world.admin);
    must(provider_link(whole_server.accounts, whole_world.admin,
                       &(const struct identity_of){"https://like.example", "linked"}, &e));
    learn_state("state", "diary", VISIT, "./parta/account", nonce); /* client-api/pages/providers.c: ANYHOW, ANEW */
    learn_state("state_like", "like", VISIT, "!/parta/account/sessions", NULL);
    return 0;
}
