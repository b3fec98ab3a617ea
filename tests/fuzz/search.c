/* What people search for, and the tokens of the directory's pages. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/casefold.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/read/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t from = 0;
    char *s = xstrndup((const char *)data, size);
    if (directory_token(s, &from) && from > 999999999)
        abort();
    if (utf8_valid(s, strlen(s))) { /* the door of JSON and of queries lets nothing else in */
        char *once = casefold(s), *twice = casefold(once);
        if (!utf8_valid(once, strlen(once)) || strcmp(once, twice) != 0 || !casefold_contains(s, once))
            abort();
        free(once);
        free(twice);
    }
    free(s);
    return 0;
}
