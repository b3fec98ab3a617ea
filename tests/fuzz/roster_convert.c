/* Conversion: the bytes stand as users.csv in an otherwise whole archive. Nothing may crash or leak; what comes out
 * needs no second conversion, and is UTF-8. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "policy/oneroster/archive.h"
#include "policy/oneroster/convert.h"
#include "policy/oneroster/encoding.h"
#include "tests/unit/roster_archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(const char *bytes, size_t len)
{
    struct text out = TEXT_INIT;
    struct encoding_found found = encoding_find(bytes, len);
    if (found.encoding == ENCODING_UNKNOWN ? found.why == NULL || found.at >= len : found.why != NULL)
        abort();
    if (found.encoding != ENCODING_UNKNOWN) {
        encoding_decode(found.encoding, bytes, len, &out);
        if (!utf8_valid(out.data != NULL ? out.data : "", out.len))
            abort();
    }
    text_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct archive_part parts[WHOLE_COUNT];
    struct text files[WHOLE_COUNT] = {TEXT_INIT}, zip = TEXT_INIT;
    struct conversion once, twice;
    for (size_t i = 0; i < WHOLE_COUNT; ++i) {
        if (strcmp(WHOLE[i].name, "users.csv") == 0)
            text_add(&files[i], (const char *)data, len);
        else
            text_adds(&files[i], WHOLE[i].text);
        parts[i] = (struct archive_part){WHOLE[i].name, &files[i]};
    }
    check_text((const char *)data, len);
    if (!archive_pack(parts, WHOLE_COUNT, 1, &zip))
        abort();
    if (roster_convert(zip.data, zip.len, &once)) {
        if (!roster_convert(once.archive.data, once.archive.len, &twice) || twice.changes.len != 0)
            abort();
        conversion_finish(&twice);
    } else if (roster_problems_first(&once.problems) == NULL) {
        abort();
    }
    conversion_finish(&once);
    text_finish(&zip);
    for (size_t i = 0; i < WHOLE_COUNT; ++i)
        text_finish(&files[i]);
    return 0;
}
