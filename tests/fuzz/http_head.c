/* Any head of a request with a body, and any Range: the first line is the Range and how large the file is. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/http/body_head.h"
#include "homeserver/http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct body_head head;
    struct byte_range part;
    int64_t of = size > 0 ? data[0] : 0;
    if (size == 0)
        return 0;
    char *bytes = xstrndup((const char *)data + 1, size - 1);
    if (range_find(bytes, NULL, NULL, of, &part) == RANGE_PART)
        must(part.first >= 0 && part.first <= part.last && part.last < of);
    free(bytes);
    char *exact = xcalloc(1, size); /* so that reading beyond the end is seen */
    memcpy(exact, data, size);
    if (body_head_scan(exact, size, &head))
        must(head.head_len <= size && head.head_len > 0 && exact[head.head_len - 1] == '\n' && head.length >= -1);
    free(exact);
    return 0;
}
