/* What browsers send to pages, and what pages write of it: the first byte says which. What was read can be read again,
 * and what was written leaves neither its text nor its value. */
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/form_token.h"
#include "client-api/pages/language.h"
#include "homeserver/base/json.h"
#include "homeserver/http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_form(const char *text, size_t len)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    struct error e = {0};
    struct text again = TEXT_INIT;
    const char *name;
    json_t *value;
    json_t *form = form_parse(FORM, text, len, &e);
    must((form != NULL) == (e.code == ERROR_NONE));
    json_object_foreach(form, name, value) {
        put_url_piece(&again, name);
        text_addc(&again, '=');
        put_url_piece(&again, json_string_value(value));
        text_addc(&again, '&');
    }
    json_t *read = form != NULL ? form_parse(FORM, again.data != NULL ? again.data : "", again.len, &e) : NULL;
    must(form == NULL || json_equal(form, read));
    text_finish(&again);
    json_decref(form);
    json_decref(read);
}

static void check_cookie(const char *text)
{
    char value[COOKIE_BYTES];
    if (cookie_find(text, "parta", value, sizeof value))
        must(strlen(value) < COOKIE_BYTES && strstr(text, value) != NULL && strpbrk(value, "\"; \r\n<") == NULL);
}

static void check_written(const char *text)
{
    struct text out = TEXT_INIT;
    put_text(&out, text);
    must(out.data == NULL || strpbrk(out.data, "<>\"'\r") == NULL);
    text_clear(&out);
    put_url(&out, text);
    must(strpbrk(out.data, "<>\"'") == NULL);
    must(strcmp(out.data, "#") == 0 || (out.data[0] == '/' && out.data[1] != '/' && out.data[1] != '\\') ||
         strncmp(out.data, "https://", 8) == 0 || strncmp(out.data, "mailto:", 7) == 0 ||
         strncmp(out.data, "data:image/svg+xml", 18) == 0);
    text_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = xstrndup((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'f': check_form((const char *)data + 1, size - 1); break;
    case 'c': check_cookie(text); break;
    case 'w': check_written(text); break;
    case 'o': must(!origin_is_ours(text, NULL, NULL) && !origin_is_ours("null", text, text)); break;
    case 'b':
        must(!origin_is_ours("https://evil.example", text, NULL) || strcasestr(text, "evil.example") != NULL);
        break;
    case 'l': must((unsigned)language_asked(text) < LANGUAGES); break;
    default: break;
    }
    free(text);
    return 0;
}
