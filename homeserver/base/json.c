#include "homeserver/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool depth_within(const json_t *value, int left)
{
    const char *key;
    json_t *item;
    size_t i;
    if (!json_is_object(value) && !json_is_array(value))
        return true;
    if (left == 0)
        return false;
    json_object_foreach((json_t *)value, key, item)
        if (!depth_within(item, left - 1))
            return false;
    json_array_foreach(value, i, item)
        if (!depth_within(item, left - 1))
            return false;
    return true;
}

json_t *json_parse(const char *bytes, size_t len, struct error *e)
{
    json_error_t where;
    json_t *value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (value == NULL) {
        /* What is JSON by its grammar, but more than is taken here, is bad; the rest is none. */
        enum json_error_code code = json_error_code(&where);
        bool nul = code == json_error_null_character || code == json_error_null_byte_in_key;
        bool excess = nul || code == json_error_stack_overflow || code == json_error_numeric_overflow ||
                      code == json_error_duplicate_key;
        error_set(e, excess ? ERROR_BAD_JSON : ERROR_NOT_JSON,
                  nul ? "A string holds the character U+0000, which is not taken." : NULL);
        return NULL;
    }
    if (!depth_within(value, JSON_DEPTH_MAX)) {
        json_decref(value);
        error_set(e, ERROR_BAD_JSON, "The JSON is nested too deeply.");
        return NULL;
    }
    return value;
}

bool json_is_canonical_value(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_real(value))
        return false;
    if (json_is_integer(value))
        return json_integer_value(value) <= JSON_INT_MAX && json_integer_value(value) >= -JSON_INT_MAX;
    json_object_foreach((json_t *)value, key, item)
        if (!json_is_canonical_value(item))
            return false;
    json_array_foreach(value, i, item)
        if (!json_is_canonical_value(item))
            return false;
    return true;
}

const char *json_get_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

json_t *json_get_object(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

json_t *json_get_array(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

int64_t json_get_int(const json_t *object, const char *key, int64_t otherwise)
{
    json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_get_bool(const json_t *object, const char *key, bool otherwise)
{
    json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

struct member {
    const char *key;
    json_t *value;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void add_object(struct text *out, const json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    struct member few[16], *members = n <= 16 ? few : xcalloc(n, sizeof *members);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
        members[i++] = (struct member){key, value};
    qsort(members, n, sizeof *members, by_key);
    text_addc(out, '{');
    for (i = 0; i < n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        text_add_json(out, members[i].key);
        text_addc(out, ':');
        json_add_canonical(out, members[i].value);
    }
    text_addc(out, '}');
    if (members != few)
        free(members);
}

static void add_array(struct text *out, const json_t *array)
{
    size_t i;
    json_t *item;
    text_addc(out, '[');
    json_array_foreach(array, i, item) {
        if (i != 0)
            text_addc(out, ',');
        json_add_canonical(out, item);
    }
    text_addc(out, ']');
}

/* With as few digits as read back the same; never "-0", which canonical JSON forbids. */
static void add_real(struct text *out, double real)
{
    char digits[32] = "0";
    for (int precision = 15; real != 0 && precision <= 17; ++precision) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        if (strtod(digits, NULL) == real)
            break;
    }
    text_adds(out, digits);
}

void json_add_canonical(struct text *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: add_object(out, value); return;
    case JSON_ARRAY: add_array(out, value); return;
    case JSON_STRING: text_add_json_string(out, json_string_value(value), json_string_length(value)); return;
    case JSON_INTEGER: text_add_int(out, json_integer_value(value)); return;
    case JSON_REAL: add_real(out, json_real_value(value)); return;
    case JSON_TRUE: text_add(out, "true", 4); return;
    case JSON_FALSE: text_add(out, "false", 5); return;
    case JSON_NULL: text_add(out, "null", 4); return;
    }
}

char *json_canonical(const json_t *value)
{
    struct text out = TEXT_INIT;
    json_add_canonical(&out, value);
    return text_take(&out);
}
