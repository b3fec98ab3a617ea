/* Whole requests to the OAuth 2.0 API as apps and browsers send them: registration, the authorization endpoint and its
 * form, tokens for codes and refresh tokens, device codes, revocation, rendezvous, sign-in by SSO. A client has
 * registered, and a code, a pair of tokens and a device code of it are good. */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/accounts/rendezvous.h"
#include "tests/fuzz/whole_request.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FORM "content-type: application/x-www-form-urlencoded\n"
#define SCOPE "urn:matrix:client:api:*+urn:matrix:client:device:DEVICE0001"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define BACK "https%3A%2F%2Fapp.example.com%2Fcallback"

static const char REGISTER[] =
    "POST /parta/oauth2/register\n\n"
    "{\"client_name\": \"An App\", \"client_uri\": \"https://example.com/\", \"token_endpoint_auth_method\": \"none\","
    " \"redirect_uris\": [\"https://app.example.com/callback\"], \"response_types\": [\"code\"], \"grant_types\":"
    " [\"authorization_code\", \"refresh_token\", \"urn:ietf:params:oauth:grant-type:device_code\"]}";

static const char ALLOW[] =
    "POST /parta/oauth2/authorize\n" FORM "origin: https://school.example\ncookie: __Host-parta-session=$pupil\n\n"
    "form=$form&decision=allow&client_id=$client&redirect_uri=" BACK "&response_type=code&scope=" SCOPE
    "&state=s&code_challenge=" CHALLENGE "&code_challenge_method=S256";

static const char REDEEM[] =
    "POST /parta/oauth2/token\n" FORM "\ngrant_type=authorization_code&code=$spent&redirect_uri=" BACK
    "&client_id=$client&code_verifier=" VERIFIER;

static const char DEVICE[] = "POST /parta/oauth2/device\n" FORM "\nclient_id=$client&scope=" SCOPE;

/* The newest of those that wait: they go with each request. */
static struct rendezvous_view meeting;

static void open_meeting(struct rendezvous *meetings, const char *data, struct text *out)
{
    if (rendezvous_open(meetings, "192.0.2.7", data, strlen(data), WHOLE_NOW_MS, &meeting))
        text_adds(out, meeting.id); /* else an input has it more often than one place may */
}

static void make_meeting(struct text *out)
{
    open_meeting(whole_server.accounts->rendezvous, "data", out);
}

static void make_meeting_of_bytes(struct text *out)
{
    open_meeting(whole_server.accounts->rendezvous_bytes, "\xff\xfe", out);
}

static void make_sequence(struct text *out)
{
    text_adds(out, meeting.sequence);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct routes *const TABLES[] = {&OAUTH_CONSENT_ROUTES,      &OAUTH_METADATA_ROUTES,
                                                  &OAUTH_REGISTRATION_ROUTES, &OAUTH_RENDEZVOUS_ROUTES,
                                                  &OAUTH_SSO_ROUTES,          &OAUTH_TOKEN_ROUTES};
    whole_start("registration: {mode: token}\npublic_baseurl: https://school.example\noauth: {enabled: true}\n",
                &(const struct whole_tables){TABLES, sizeof TABLES / sizeof *TABLES}, 1);
    whole_person("pupil", whole_world.old);
    whole_learn(REGISTER, "\"client_id\":\"", "client");
    whole_learn(ALLOW, "code=", "spent");
    whole_learn(REDEEM, "\"access_token\":\"", "access");
    whole_learn(NULL, "\"refresh_token\":\"", "refresh");
    whole_learn(ALLOW, "code=", "code");
    whole_learn(DEVICE, "\"device_code\":\"", "device_code");
    whole_learn(NULL, "\"user_code\":\"", "user_code");
    whole_word_made("meeting", make_meeting);
    whole_word_made("bytes", make_meeting_of_bytes);
    whole_word_made("sequence", make_sequence);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    whole_ask(bytes, len, false);
    return 0;
}
