#include "homeserver/http/form.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/text.h"
#include "homeserver/http/query.h"

static bool is_form(const char *type)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    const size_t len = sizeof FORM - 1;
    return type != NULL && strncasecmp(type, FORM, len) == 0 &&
           (type[len] == '\0' || strchr("; \t", type[len]) != NULL);
}

json_t *form_parse(const char *type, const char *bytes, size_t len, struct error *e)
{
    struct query_pair pairs[FORM_FIELDS_MAX];
    _Static_assert(FORM_FIELDS_MAX == QUERY_MAX, "a form is parsed as a query is");
    if (!is_form(type)) {
        error_set(e, ERROR_UNRECOGNIZED, "The body is not a form.");
        e->status = 415;
        return NULL;
    }
    char *copy = xstrndup(bytes, len);
    int n = query_parse(copy, len, pairs);
    json_t *form = n >= 0 ? json_object() : NULL;
    for (int i = 0; i < n && form != NULL; ++i) {
        if (json_object_get(form, pairs[i].name) != NULL) {
            json_decref(form);
            form = NULL;
        } else {
            json_object_set_new(form, pairs[i].name, json_string(pairs[i].value));
        }
    }
    sodium_memzero(copy, len); /* passwords */
    free(copy);
    if (form == NULL)
        error_set(e, ERROR_INVALID_PARAM, "The form is not well-formed.");
    return form;
}
