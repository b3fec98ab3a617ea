/* What clients say to the OAuth 2.0 API. The first letter says what follows: a scope, a redirect URI, a client's
 * metadata, a form. Nothing may crash or leak; what is taken is taken again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/oauth/client_metadata.h"
#include "client-api/oauth/common.h"
#include "client-api/oauth/redirect_uri.h"
#include "client-api/oauth/scope.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_scope(const char *scope)
{
    char device[DEVICE_ID_BYTES_MAX + 1], again[DEVICE_ID_BYTES_MAX + 1];
    struct text granted = TEXT_INIT, same = TEXT_INIT;
    if (scope_parse(scope, device, &granted)) {
        must(*device != '\0' && scope_parse(granted.data, again, &same));
        must(strcmp(device, again) == 0 && strcmp(granted.data, same.data) == 0);
    }
    text_finish(&granted);
    text_finish(&same);
}

/* A URI that a browser is sent to ends no header and runs no script. */
static void try_redirect(const char *uri)
{
    bool web = redirect_uri_valid(uri, "example.com", APPLICATION_WEB);
    bool native = redirect_uri_valid(uri, "example.com", APPLICATION_NATIVE);
    must(!web || (native && strncasecmp(uri, "https://", 8) == 0));
    must(!native || (redirect_uri_matches(uri, uri) && strpbrk(uri, "\r\n#\\\" <>") == NULL));
    must(!native || web || strncasecmp(uri, "com.example", 11) == 0 || strncasecmp(uri, "http://", 7) == 0);
    redirect_uri_matches("http://localhost/callback", uri);
    bool named = redirect_uri_valid(uri, "foo.http", APPLICATION_NATIVE); /* "http.foo:" is a scheme of its own */
    size_t len;
    const char *place = native || named ? redirect_uri_place(uri, &len) : NULL;
    must(place == NULL || (len != 0 && place >= uri && len <= strlen(place)));
}

static void try_metadata(const char *text, size_t len)
{
    struct error e = {0};
    enum oauth_error why;
    const char *parameter;
    json_t *asked = json_parse(text, len, &e);
    json_t *taken = json_is_object(asked) ? client_metadata_taken(asked, &why, &parameter) : NULL;
    json_t *again = taken != NULL ? client_metadata_taken(taken, &why, &parameter) : NULL;
    must(taken == NULL || json_equal(taken, again));
    const char *uri = json_string_value(json_array_get(json_object_get(taken, "redirect_uris"), 0));
    must(uri == NULL || client_metadata_has_redirect(taken, uri));
    json_decref(asked);
    json_decref(taken);
    json_decref(again);
}

static void try_form(const char *text, size_t len)
{
    static struct request r;
    memset(&r, 0, sizeof r);
    r.raw_body = text;
    r.raw_body_len = len;
    r.headers[HEADER_CONTENT_TYPE] = "application/x-www-form-urlencoded";
    json_t *form = oauth_form(&r);
    const char *value;
    must(form != NULL || (r.reply.complete && r.reply.status == 400));
    if (form != NULL && oauth_needs(&r, form, "code", &value)) {
        struct text out = TEXT_INIT;
        text_add_pair(&out, '?', "code", value);
        must(strpbrk(out.data, "\r\n ") == NULL);
        text_finish(&out);
    }
    json_decref(form);
    reply_reset(&r.reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    char *text = xstrndup((const char *)bytes + 1, len - 1);
    size_t n = strlen(text);
    switch (bytes[0]) {
    case 's': try_scope(text); break;
    case 'r': try_redirect(text); break;
    case 'm': try_metadata(text, n); break;
    default: try_form(text, n); break;
    }
    free(text);
    return 0;
}
