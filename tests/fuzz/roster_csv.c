/* CSV files: nothing may crash, leak or depend on how the bytes are cut; a refusal names a place inside the file. The
 * same bytes then stand as users.csv in an otherwise whole roster: what is read is consistent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "policy/oneroster/reader.h"
#include "tests/unit/roster_archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool keep_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct text *out = self;
    (void)reader;
    for (size_t i = 0; i < row->n; ++i) {
        if (!utf8_valid(row->fields[i], strlen(row->fields[i])))
            abort();
        text_adds(out, row->fields[i]);
        text_addc(out, '\0');
    }
    text_add_int(out, row->line);
    return true;
}

static bool read_in_steps(const char *bytes, size_t len, size_t step, struct text *out, struct roster_problem *problem)
{
    struct csv_reader *reader = csv_reader_create("f", keep_row, out, problem);
    bool good = true;
    for (size_t at = 0; at < len && good; at += step)
        good = csv_reader_feed(reader, bytes + at, len - at < step ? len - at : step);
    good = good && csv_reader_end(reader);
    csv_reader_destroy(reader);
    return good;
}

static int64_t lines(const char *bytes, size_t len)
{
    int64_t n = 1;
    for (size_t i = 0; i < len; ++i)
        n += bytes[i] == '\n';
    return n;
}

static void as_users(const char *bytes, size_t len)
{
    char *text = xstrndup(bytes, len);
    struct roster_problem problem;
    size_t size;
    char *archive = archive_with("users.csv", text, NULL, &size);
    struct roster *roster = roster_read_bytes(archive, size, &problem);
    for (size_t i = 0; roster != NULL && i < roster->n_guardianships; ++i)
        if (roster->guardianships[i].child >= roster->n_people || roster->guardianships[i].guardian >= roster->n_people)
            abort();
    for (size_t i = 0; roster != NULL && i < roster->n_roles; ++i)
        if (roster->roles[i].person >= roster->n_people || roster->roles[i].school >= roster->n_schools)
            abort();
    roster_destroy(roster);
    free(archive);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *bytes = (const char *)data;
    struct text whole = TEXT_INIT, cut = TEXT_INIT;
    struct roster_problem a = {0}, b = {0};
    bool read = read_in_steps(bytes, len, len + 1, &whole, &a);
    if (read != read_in_steps(bytes, len, 3, &cut, &b))
        abort();
    if (read && (whole.len != cut.len || memcmp(whole.data, cut.data, whole.len) != 0))
        abort();
    if (!read && (a.line < 1 || a.line > lines(bytes, len) || a.column < 1 || strcmp(a.message, b.message) != 0 ||
                  a.line != b.line || a.column != b.column))
        abort();
    text_finish(&whole);
    text_finish(&cut);
    as_users(bytes, len);
    return 0;
}
