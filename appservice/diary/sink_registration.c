/* What makes the sink an application service: its registration file, and what shows the homeserver to be itself. */
#include "appservice/diary/sink_matrix_private.h"

#include <sodium.h>
#include <string.h>

#include "homeserver/base/secret.h"
#include "homeserver/base/text.h"

void sink_hs_token(const char *as_token, char out[HS_TOKEN_BYTES])
{
    static const char HS_TOKEN[] = "hs_token";
    unsigned char hash[(HS_TOKEN_BYTES - 1) / 2];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)as_token, strlen(as_token) + 1);
    crypto_generichash_update(&state, (const unsigned char *)HS_TOKEN, sizeof HS_TOKEN);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, HS_TOKEN_BYTES, hash, sizeof hash);
}

bool sink_matrix_registration(const struct diary_settings *settings, struct text *out, struct text *problem)
{
    char hex[HS_TOKEN_BYTES];
    if (settings->as_token_file == NULL)
        return text_fail(problem, "matrix.as_token_file is not set.");
    char *token = secret_read("matrix.as_token_file", settings->as_token_file, problem);
    if (token == NULL)
        return false;
    sink_hs_token(token, hex);
    text_adds(out, "id: parta-diary\nurl: ");
    if (settings->bridge_url != NULL)
        text_add_json(out, settings->bridge_url);
    else
        text_adds(out, "null");
    text_adds(out, "\nas_token: ");
    text_add_json(out, token);
    text_addf(out, "\nhs_token: \"%s\"\nsender_localpart: %s\nrate_limited: false\nnamespaces:\n  users:\n", hex,
              settings->bot);
    text_adds(out, "    - exclusive: true\n      regex: '@");
    for (const char *c = settings->bot; *c != '\0'; ++c)
        text_addf(out, *c == '.' ? "[%c]" : "%c", *c);
    text_adds(out, ":.*'\n  aliases: []\n  rooms: []\norg.parta.schools: [");
    for (size_t i = 0; i < settings->n_schools; ++i) {
        text_adds(out, i != 0 ? ", " : "");
        text_add_json(out, settings->schools[i]);
    }
    text_adds(out, "]\n");
    secret_free(token);
    return true;
}
