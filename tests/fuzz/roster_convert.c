/* Conversion: the bytes stand as one file of an otherwise whole export (roster_files.h), and alone as a text. Nothing
 * may crash or leak; what comes out needs no second conversion, and is UTF-8. */
#include "homeserver/base/ids.h"
#include "policy/oneroster/convert.h"
#include "policy/oneroster/encoding.h"
#include "tests/fuzz/roster_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(const char *bytes, size_t len)
{
    struct text out = TEXT_INIT;
    struct encoding_found found = encoding_find(bytes, len);
    must(found.encoding == ENCODING_UNKNOWN ? found.why != NULL && found.at < len : found.why == NULL);
    if (found.encoding != ENCODING_UNKNOWN) {
        encoding_decode(found.encoding, bytes, len, &out);
        must(utf8_valid(out.data != NULL ? out.data : "", out.len));
    }
    text_finish(&out);
}

static void check_date(const uint8_t *data, size_t len)
{
    char date[DATE_TEXT_BYTES], *text = xstrndup((const char *)data, len < 40 ? len : 40);
    if (convert_date(text, date) == NULL)
        must(day_from(date) >= 0);
    free(text);
}

static void convert(const struct archive_files *from, bool again)
{
    struct converted_file out[ROSTER_ENTRIES_MAX];
    struct archive_part parts[ROSTER_ENTRIES_MAX];
    struct conversion conversion;
    size_t n;
    bool done = roster_convert_files(from, out, &n, &conversion);
    must(done ? !again || conversion.changes.len == 0 : !again && roster_problems_first(&conversion.problems) != NULL);
    for (size_t i = 0; i < n; ++i)
        parts[i] = (struct archive_part){out[i].name, &out[i].bytes};
    if (done && !again)
        convert(&(struct archive_files){.parts = parts, .n = n}, true);
    conversion_finish(&conversion);
    for (size_t i = 0; i < n; ++i)
        text_finish(&out[i].bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct roster_files files;
    if (len == 0)
        return 0;
    check_text((const char *)data + 1, len - 1);
    check_date(data + 1, len - 1);
    make_files(&files, data, len, false);
    struct archive_files from = files_of(&files);
    convert(&from, false);
    finish_files(&files);
    return 0;
}
