/* Any bytes: what json_parse accepts has one canonical form, which reads back to itself and is
 * what the grammar allows. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    free(once);
    free(twice);
    json_decref(value);
    json_decref(again);
    return 0;
}
