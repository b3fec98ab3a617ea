#include "homeserver/http/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *query_get(struct request *r, const char *name)
{
    for (int i = 0; i < r->n_query; ++i)
        if (r->query[i].name[0] == name[0] && strcmp(r->query[i].name, name) == 0) {
            r->query[i].asked = true;
            return r->query[i].value;
        }
    return NULL;
}

bool query_int(struct request *r, const char *name, int64_t otherwise, int64_t low, int64_t high, int64_t *out)
{
    const char *text = query_get(r, name);
    *out = otherwise;
    if (text == NULL)
        return true;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    bool number = (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && end != text && *end == '\0';
    if (!number || n < low)
        return refuse_parameter(r, ERROR_INVALID_PARAM, name, "A query parameter is not a number in its range.");
    *out = n > high ? high : n; /* LLONG_MAX on overflow: clamped like any other */
    return true;
}

bool query_bool(struct request *r, const char *name, bool otherwise, bool *out)
{
    const char *text = query_get(r, name);
    *out = text != NULL ? strcmp(text, "true") == 0 : otherwise;
    if (text == NULL || *out || strcmp(text, "false") == 0)
        return true;
    return refuse_parameter(r, ERROR_INVALID_PARAM, name, "A query parameter is neither true nor false.");
}

static bool wrong_type(struct request *r, const char *key)
{
    return refuse_parameter(r, ERROR_BAD_JSON, key, "A member of the JSON object has the wrong type.");
}

static bool was_asked(const struct request *r, const char *key)
{
    for (int i = 0; i < r->n_asked; ++i)
        if (strcmp(r->asked[i], key) == 0)
            return true;
    return false;
}

json_t *body_member(struct request *r, const char *key)
{
    json_t *value = json_object_get(r->body, key);
    if (value != NULL && r->route != NULL && (r->route->flags & ROUTE_STRICT) != 0 && r->n_asked < BODY_ASKED_MAX &&
        !was_asked(r, key))
        r->asked[r->n_asked++] = key;
    return json_is_null(value) ? NULL : value;
}

bool body_string(struct request *r, const char *key, const char **out)
{
    return body_string_or(r, key, NULL, out) && (*out != NULL || refuse_parameter(r, ERROR_MISSING_PARAM, key, NULL));
}

bool body_string_or(struct request *r, const char *key, const char *otherwise, const char **out)
{
    json_t *value = body_member(r, key);
    *out = value != NULL ? json_string_value(value) : otherwise;
    return value == NULL || *out != NULL || wrong_type(r, key);
}

bool body_object_or_null(struct request *r, const char *key, json_t **out)
{
    *out = body_member(r, key);
    return *out == NULL || json_is_object(*out) || wrong_type(r, key);
}

bool body_array_or_null(struct request *r, const char *key, json_t **out)
{
    *out = body_member(r, key);
    return *out == NULL || json_is_array(*out) || wrong_type(r, key);
}

bool body_int_or(struct request *r, const char *key, int64_t otherwise, int64_t *out)
{
    json_t *value = body_member(r, key);
    *out = value != NULL ? json_integer_value(value) : otherwise;
    return value == NULL || json_is_integer(value) || wrong_type(r, key);
}

bool body_bool_or(struct request *r, const char *key, bool otherwise, bool *out)
{
    json_t *value = body_member(r, key);
    *out = value != NULL ? json_is_true(value) : otherwise;
    return value == NULL || json_is_boolean(value) || wrong_type(r, key);
}

bool refuse(struct request *r, enum error_code code, const char *sentence)
{
    return error_set(&r->error, code, sentence);
}

bool refuse_parameter(struct request *r, enum error_code code, const char *parameter, const char *sentence)
{
    return error_set_parameter(&r->error, code, parameter, sentence);
}

bool request_strict(struct request *r)
{
    static const char UNKNOWN[] = "There is no such parameter here: is it misspelt?";
    const char *key;
    json_t *value;
    if (r->strict_looked || (r->route->flags & ROUTE_STRICT) == 0)
        return true;
    for (int i = 0; i < r->n_query; ++i)
        if (!r->query[i].asked)
            return refuse_parameter(r, ERROR_INVALID_PARAM, r->query[i].name, UNKNOWN);
    json_object_foreach(r->body, key, value)
        if (!was_asked(r, key))
            return refuse_parameter(r, ERROR_INVALID_PARAM, key, UNKNOWN);
    r->strict_looked = true;
    return true;
}
