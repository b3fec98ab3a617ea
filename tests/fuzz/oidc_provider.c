/* The table of providers ('p': a file), metadata ('m'), claims ('c': a path, a line's end, claims) and states that come
 * back with a browser ('s'). What is taken
 * has addresses that are good for us, and what it is made of fits; what is not says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/oidc/attempt.h"
#include "homeserver/oidc/jose.h"
#include "homeserver/oidc/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const char DIARY[] = "id: diary\nissuer: https://diary.example\nclient_id: parta\nname: {ru: D, en: D}\n";

static void check_url(const char *url)
{
    must(strncmp(url, "https://", 8) == 0 && strlen(url) <= OIDC_URL_BYTES_MAX);
    must(text_is_line(url) && strpbrk(url, "@# \"<>\\") == NULL);
}

static void check_file(const char *text, size_t len)
{
    struct text problem = TEXT_INIT;
    struct oidc_endpoints endpoints;
    struct oidc_provider *p = oidc_provider_parse("f", text, len, &problem);
    must((p == NULL) == (problem.len != 0));
    if (p != NULL) {
        must(p->id != NULL && p->name_ru != NULL && p->name_en != NULL && p->client_id != NULL && p->subject != NULL);
        must(p->algorithms != 0 && (p->algorithms & ~JWS_ALGORITHMS_ALL) == 0);
        must((p->auth == OIDC_AUTH_NONE) == (p->secret_file == NULL));
        must(p->private_network || strncmp(p->issuer, "https://", 8) == 0);
        must(p->n_schools <= OIDC_SCHOOLS_MAX);
        must(p->discovery || oidc_endpoints_own(p, &endpoints, &problem));
        if (!p->discovery)
            oidc_endpoints_finish(&endpoints);
        must(oidc_provider_clash(p, p, &problem));
        oidc_metadata_url(p, &problem);
    }
    oidc_provider_free(p);
    text_finish(&problem);
}

static void check_metadata(const char *text, size_t len)
{
    static struct oidc_provider *p;
    struct oidc_endpoints endpoints;
    struct text problem = TEXT_INIT;
    must(p != NULL || (p = oidc_provider_parse("f", DIARY, sizeof DIARY - 1, &problem)) != NULL);
    bool good = oidc_metadata_read(p, text, len, &endpoints, &problem);
    must(good == (problem.len == 0));
    for (int i = 0; i < OIDC_ENDPOINT__COUNT; ++i) {
        must(good || endpoints.url[i] == NULL);
        must(!good || i == OIDC_USERINFO_ENDPOINT || endpoints.url[i] != NULL);
        if (endpoints.url[i] != NULL)
            check_url(endpoints.url[i]);
    }
    oidc_endpoints_finish(&endpoints);
    text_finish(&problem);
}

static void check_claim(const char *text, size_t len)
{
    struct error e = {0};
    char out[32];
    const char *end = memchr(text, '\n', len);
    if (end == NULL)
        return;
    char *path = xstrndup(text, (size_t)(end - text));
    json_t *claims = json_parse(end + 1, len - (size_t)(end + 1 - text), &e);
    if (oidc_claim(claims, path, out, sizeof out))
        must(*out != '\0' && text_is_line(out));
    json_decref(claims);
    free(path);
}

/* Nobody but us makes one; what we make of any address comes back as it was. */
static void check_state(const char *text, size_t len)
{
    static const unsigned char KEY[BLAKE2B_BYTES] = {7};
    static const struct oidc_attempt_of OF = {KEY, "diary", "visit"};
    char *shown = xstrndup(text, len);
    struct text state = TEXT_INIT, next = TEXT_INIT;
    must(!oidc_attempt_holds(&OF, shown, 1800000000, &next) && next.len == 0);
    oidc_attempt_begin(&OF, shown, 1800000000, &state);
    must(oidc_attempt_holds(&OF, state.data, 1800000001, &next));
    must(next.len == 0 || strcmp(next.data, shown) == 0);
    must(next.len == strlen(shown) || strlen(shown) > OIDC_ATTEMPT_NEXT_MAX);
    text_clear(&next);
    must(!oidc_attempt_holds(&OF, state.data, 1800000000 + OIDC_ATTEMPT_LIFETIME_S, &next));
    text_adds(&state, shown);
    must(*shown == '\0' || !oidc_attempt_holds(&OF, state.data, 1800000001, &next));
    text_finish(&state);
    text_finish(&next);
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static bool started = false;
    must(started || (started = crypto_start()));
    if (len == 0)
        return 0;
    const char *text = (const char *)bytes + 1;
    switch (bytes[0]) {
    case 'p': check_file(text, len - 1); break;
    case 'm': check_metadata(text, len - 1); break;
    case 'c': check_claim(text, len - 1); break;
    case 's': check_state(text, len - 1); break;
    default: break;
    }
    return 0;
}
