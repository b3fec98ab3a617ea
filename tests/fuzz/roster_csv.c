/* CSV files: nothing may crash, leak or depend on how the bytes are cut; a refusal names a place inside the file, and
 * where problems are collected the same rows come, and more. What is written as a cell is read as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "policy/oneroster/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool keep_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct text *out = self;
    int64_t line, column;
    csv_reader_place(reader, row->n - 1, &line, &column);
    must(line >= row->line && column >= 1);
    for (size_t i = 0; i < row->n; ++i) {
        must(utf8_valid(row->fields[i], strlen(row->fields[i])));
        if (strcmp(row->fields[i], "unread") == 0)
            csv_reader_unread(reader, i);
        text_adds(out, row->fields[i]);
        text_addc(out, '\0');
    }
    text_add_int(out, row->line);
    return strcmp(row->fields[0], "refuse") != 0 || csv_reader_refuse(reader, row->n, "refused here");
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

/* As the reader of archives does it, or as the one that converts, which takes semicolons and rows of any length. */
static void collect(const char *bytes, size_t len, bool loose, bool good)
{
    struct text rows = TEXT_INIT;
    struct roster_problems problems = {0};
    struct csv_reader *reader = csv_reader_create("f", keep_row, &rows, NULL);
    csv_reader_collect(reader, &problems);
    if (loose)
        csv_reader_loosen(reader, ';');
    bool read = csv_reader_feed(reader, bytes, len) && csv_reader_end(reader);
    must(loose || good == (read && !csv_reader_passed_over(reader) && roster_problems_first(&problems) == NULL));
    must(read || roster_problems_first(&problems) != NULL);
    csv_reader_destroy(reader);
    roster_problems_finish(&problems);
    text_finish(&rows);
}

static int64_t lines(const char *bytes, size_t len)
{
    int64_t n = 1;
    for (size_t i = 0; i < len; ++i)
        n += bytes[i] == '\n';
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *bytes = (const char *)data;
    struct text whole = TEXT_INIT, cut = TEXT_INIT;
    struct roster_problem a = {0}, b = {0};
    bool read = read_in_steps(bytes, len, len + 1, &whole, &a);
    must(read == read_in_steps(bytes, len, 3, &cut, &b));
    must(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
    must(read || (a.line >= 1 && a.line <= lines(bytes, len) && a.column >= 1 && strcmp(a.message, b.message) == 0 &&
                  a.line == b.line && a.column == b.column));
    collect(bytes, len, false, read);
    collect(bytes, len, true, read);
    text_finish(&whole);
    text_finish(&cut);
    return 0;
}
