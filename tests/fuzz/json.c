/* Any bytes: what json_parse accepts has one canonical form, which reads back to itself and is
 * what the grammar allows. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Members are given as what they are, or not at all. */
static void check_members(const json_t *value)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) {
        bool integer = json_is_integer(member);
        if ((json_get_string(value, key) != NULL) != json_is_string(member) ||
            (json_get_object(value, key) != NULL) != json_is_object(member) ||
            (json_get_array(value, key) != NULL) != json_is_array(member) ||
            json_get_bool(value, key, true) != !json_is_false(member) ||
            json_get_int(value, key, -7) != (integer ? json_integer_value(member) : -7))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    json_t *value = json_parse((const char *)data, size, &e);
    if (value == NULL) {
        if (e.code != ERROR_NOT_JSON && e.code != ERROR_BAD_JSON)
            abort();
        return 0;
    }
    char *once = json_canonical(value);
    json_t *again = json_parse(once, strlen(once), &e);
    if (again == NULL || !utf8_valid(once, strlen(once)))
        abort();
    char *twice = json_canonical(again);
    if (strcmp(once, twice) != 0 || (json_is_canonical_value(value) && !json_equal(value, again)))
        abort();
    check_members(value);
    free(once);
    free(twice);
    json_decref(value);
    json_decref(again);
    return 0;
}
