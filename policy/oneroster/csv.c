#include "policy/oneroster/csv.h"

#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

/* libcsv is fed whole lines, so that a row that ends, ends with what was fed; the bytes of the row at hand are kept to
 * find the place of a field when it is refused, which costs nothing otherwise. Most lines have no quotes and nothing to
 * refuse: they never reach libcsv. */
#define ROW_BYTES_FIRST 500 /* a row is seldom longer */

struct csv_reader {
    const char *file;
    csv_row_fn *fn;
    void *self;
    struct roster_problem *problem;
    struct roster_problems *all; /* NULL: the first problem ends the reading */
    struct csv_parser parser;
    struct text partial; /* a line whose end has not come yet */
    struct text row;     /* the raw bytes of the row at hand */
    struct text values;  /* its fields so far, each NUL-terminated */
    size_t starts[CSV_COLUMNS];
    const char *fields[CSV_COLUMNS];
    size_t n, columns;      /* fields so far; of the header, 0 before it */
    int64_t line, row_line; /* of the line at hand; of the row's first */
    uint64_t unread;        /* a bit a column */
    char separator;
    bool loose;       /* rows may have any length */
    bool row_bad;     /* the row at hand has been refused: the rest of it is passed over */
    bool passed_over; /* some row was */
    bool begun, row_open, refused;
};
_Static_assert(CSV_COLUMNS <= 64, "a bit a column");

void csv_add_cell(struct text *out, const char *value)
{
    size_t len = strlen(value), plain = strcspn(value, ",\"\n");
    if (plain == len && (len == 0 || (value[0] != ' ' && value[len - 1] != ' '))) {
        text_add(out, value, len);
        return;
    }
    text_addc(out, '"');
    for (; *value != '\0'; ++value) {
        if (*value == '"')
            text_addc(out, '"');
        text_addc(out, *value);
    }
    text_addc(out, '"');
}

/* Only LF ends a row: a CR before it counts as a space and falls away, another one is refused as
 * a control character. */
static int is_row_end(unsigned char c)
{
    return c == CSV_LF;
}

static int is_blank(unsigned char c)
{
    return c == CSV_SPACE || c == CSV_TAB || c == CSV_CR;
}

/* Characters from the start of the row's line to the byte `to`, counted from 1. */
static int64_t column_of(const struct csv_reader *r, size_t to)
{
    int64_t column = 1;
    for (size_t i = 0; i < to && i < r->row.len; ++i)
        if (r->row.data[i] == '\n')
            column = 1;
        else if (((unsigned char)r->row.data[i] & 0xc0) != 0x80)
            ++column;
    return column;
}

/* The byte of the raw row where field number `field` begins; the end of the line if there are not so many. */
static size_t field_offset(const struct csv_reader *r, size_t field)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < r->row.len && field > 0; ++i)
        if (r->row.data[i] == '"')
            quoted = !quoted;
        else if (r->row.data[i] == r->separator && !quoted)
            --field;
    while (field > 0 && i > 0 && (r->row.data[i - 1] == '\n' || r->row.data[i - 1] == '\r'))
        --i;
    return i;
}

static int64_t lines_before(const struct csv_reader *r, size_t to)
{
    int64_t n = 0;
    for (size_t i = 0; i < to && i < r->row.len; ++i)
        n += r->row.data[i] == '\n';
    return n;
}

static bool refuse_at(struct csv_reader *r, size_t offset, const char *fmt, va_list ap)
{
    struct roster_problems first = {0};
    if (r->refused)
        return false;
    roster_problems_add(r->all != NULL ? r->all : &first, PROBLEM_REFUSED, r->file,
                        r->row_line + lines_before(r, offset), column_of(r, offset), "", fmt, ap);
    const struct roster_problem *told = roster_problems_first(&first);
    r->refused = r->all == NULL;
    if (told != NULL)
        *r->problem = *told;
    roster_problems_finish(&first);
    return false;
}

/* Behind this there is nothing to go on from. */
static bool refuse_offset(struct csv_reader *r, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse_offset(struct csv_reader *r, size_t offset, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    refuse_at(r, offset, fmt, ap);
    va_end(ap);
    r->refused = r->passed_over = true;
    return false;
}

/* The row cannot be read. */
static bool refuse_row(struct csv_reader *r, size_t field, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse_row(struct csv_reader *r, size_t field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!r->row_bad)
        refuse_at(r, field_offset(r, field), fmt, ap);
    va_end(ap);
    r->row_bad = r->passed_over = true;
    return false;
}

bool csv_reader_refuse(struct csv_reader *r, size_t field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    refuse_at(r, field_offset(r, field), fmt, ap);
    va_end(ap);
    return false;
}

void csv_reader_place(const struct csv_reader *r, size_t field, int64_t *line, int64_t *column)
{
    size_t offset = field_offset(r, field);
    *line = r->row_line + lines_before(r, offset);
    *column = column_of(r, offset);
}

/* Why a field is refused; NULL: it is not. */
static const char *field_fault(const char *value, size_t len, char out[64])
{
    if (len > CSV_FIELD_BYTES) {
        snprintf(out, 64, "a field of more than %d bytes", CSV_FIELD_BYTES);
        return out;
    }
    for (size_t i = 0; i < len; ++i)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            snprintf(out, 64, "a control character (code %d)", value[i]);
            return out;
        }
    return utf8_valid(value, len) ? NULL : "not valid UTF-8";
}

static void on_field(void *value, size_t len, void *self)
{
    char buf[64];
    struct csv_reader *r = self;
    if (r->refused || r->row_bad)
        return;
    if (r->n == CSV_COLUMNS) {
        refuse_row(r, r->n, "more than %d columns", CSV_COLUMNS);
        return;
    }
    const char *text = value != NULL ? value : "", *fault = field_fault(text, len, buf);
    bool unread = (r->unread >> r->n & 1) != 0;
    if (fault != NULL && !unread) {
        refuse_row(r, r->n, "%s", fault);
        return;
    }
    r->starts[r->n++] = r->values.len;
    text_add(&r->values, text, fault == NULL ? len : 0);
    text_addc(&r->values, '\0');
}

static void end_row(struct csv_reader *r)
{
    text_clear(&r->row);
    text_clear(&r->values);
    r->n = 0;
    r->row_open = r->row_bad = false;
}

static void on_row(int c, void *self)
{
    struct csv_reader *r = self;
    (void)c;
    if (r->refused)
        return;
    if (r->columns == 0)
        r->columns = r->n, r->refused = r->row_bad;
    if (!r->row_bad && r->n != r->columns && !r->loose)
        refuse_row(r, r->n < r->columns ? r->n : r->columns, "%zu fields where the header has %zu", r->n, r->columns);
    if (r->row_bad) {
        end_row(r);
        return;
    }
    for (size_t i = 0; i < r->n; ++i)
        r->fields[i] = r->values.data + r->starts[i];
    if (!r->fn(r->self, r, &(struct csv_row){r->fields, r->n, r->row_line}) && !r->refused) {
        if (r->all == NULL)
            csv_reader_refuse(r, 0, "refused");
        r->refused = true;
    }
    end_row(r);
}

static bool line_is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; ++i)
        if (!is_blank((unsigned char)line[i]) && line[i] != '\n')
            return false;
    return true;
}

/* The fields of a line that has no quotes, by their commas: what libcsv would find, several times faster. */
static bool split_line(struct csv_reader *r, const char *line, size_t len)
{
    text_clear(&r->values);
    text_add(&r->values, line, len);
    text_addc(&r->values, r->separator);
    for (char *at = r->values.data, *end = at + len; at <= end; ++r->n) {
        char *comma = memchr(at, r->separator, (size_t)(end - at) + 1), *stop = comma;
        while (at < stop && is_blank((unsigned char)*at))
            ++at;
        while (stop > at && is_blank((unsigned char)stop[-1]))
            --stop;
        if (r->n == CSV_COLUMNS || stop - at > CSV_FIELD_BYTES)
            return false;
        *stop = '\0';
        r->starts[r->n] = (size_t)(at - r->values.data);
        at = comma + 1;
    }
    return true;
}

/* How many bytes from the beginning are ASCII and no control characters, by eights. */
static size_t printable_bytes(const char *s, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t eight;
    size_t n = 0;
    for (; len - n >= sizeof eight; n += sizeof eight) {
        memcpy(&eight, s + n, sizeof eight);
        if (((eight | (eight - 0x20 * ones) | ((eight ^ 0x7f * ones) - ones)) & highs) != 0)
            break; /* a high bit, or (borrows make it careful, never careless) a byte below 0x20, or 0x7f */
    }
    return n;
}

/* Whether the line is a whole row without quotes and nothing in it is to be refused; len is without its end. */
static bool is_plain(const struct csv_reader *r, const char *line, size_t len)
{
    if (r->row_open || memchr(line, '"', len) != NULL)
        return false;
    size_t printable = printable_bytes(line, len);
    line += printable;
    len -= printable;
    for (size_t i = 0; i < len; ++i)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return false;
    return utf8_valid(line, len);
}

static bool take_plain(struct csv_reader *r, const char *line, size_t len)
{
    size_t bare = len;
    while (bare > 0 && (line[bare - 1] == '\n' || line[bare - 1] == '\r'))
        --bare;
    if (len > CSV_ROW_BYTES || bare == len || !is_plain(r, line, bare))
        return false;
    if (!split_line(r, line, bare)) {
        end_row(r);
        return false;
    }
    r->row_line = r->line;
    text_add(&r->row, line, len);
    on_row(0, r);
    return true;
}

static bool feed_line(struct csv_reader *r, const char *line, size_t len)
{
    ++r->line;
    if (!r->row_open && line_is_blank(line, len))
        return true;
    if (take_plain(r, line, len))
        return !r->refused;
    if (!r->row_open)
        r->row_line = r->line;
    r->row_open = true;
    if (r->row.len + len > CSV_ROW_BYTES)
        return refuse_offset(r, 0, "a row of more than %d bytes", CSV_ROW_BYTES);
    size_t before = r->row.len;
    text_add(&r->row, line, len);
    size_t read = csv_parse(&r->parser, line, len, on_field, on_row, r);
    if (read != len && !r->refused)
        return refuse_offset(r, before + read, "a quote where none may be");
    return !r->refused;
}

static bool take_line(struct csv_reader *r, const char *line, size_t len)
{
    size_t mark = !r->begun && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    r->begun = true;
    return feed_line(r, line + mark, len - mark);
}

static bool keep_partial(struct csv_reader *r, const char *bytes, size_t len)
{
    if (r->partial.len + len > CSV_ROW_BYTES) {
        r->row_line = r->row_open ? r->row_line : r->line + 1;
        return refuse_offset(r, 0, "a row of more than %d bytes", CSV_ROW_BYTES);
    }
    text_add(&r->partial, bytes, len);
    return true;
}

static bool take_partial(struct csv_reader *r, const char *bytes, size_t len)
{
    if (!keep_partial(r, bytes, len))
        return false;
    bool taken = take_line(r, r->partial.data, r->partial.len);
    text_clear(&r->partial);
    return taken;
}

bool csv_reader_feed(struct csv_reader *r, const char *bytes, size_t len)
{
    while (len > 0 && !r->refused) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end != NULL ? (size_t)(end - bytes) + 1 : len;
        if (end == NULL)
            keep_partial(r, bytes, n);
        else if (r->partial.len > 0)
            take_partial(r, bytes, n);
        else
            take_line(r, bytes, n);
        bytes += n;
        len -= n;
    }
    return !r->refused;
}

bool csv_reader_end(struct csv_reader *r)
{
    if (r->refused || (r->partial.len > 0 && !take_partial(r, "", 0)))
        return false;
    if (csv_fini(&r->parser, on_field, on_row, r) != 0 && !r->refused)
        return refuse_offset(r, field_offset(r, r->n), "a quote that is never closed");
    if (r->columns == 0 && !r->refused) {
        r->row_line = 1;
        return refuse_offset(r, 0, "the file is empty: there is no header");
    }
    return !r->refused;
}

struct csv_reader *csv_reader_create(const char *file, csv_row_fn *fn, void *self, struct roster_problem *problem)
{
    struct csv_reader *r = xcalloc(1, sizeof *r);
    *r = (struct csv_reader){.file = file, .fn = fn, .self = self, .problem = problem, .separator = ','};
    if (csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        abort();
    csv_set_term_func(&r->parser, is_row_end);
    csv_set_space_func(&r->parser, is_blank);
    text_reserve(&r->row, ROW_BYTES_FIRST);
    text_reserve(&r->values, ROW_BYTES_FIRST);
    return r;
}

void csv_reader_collect(struct csv_reader *r, struct roster_problems *problems)
{
    r->all = problems;
}

void csv_reader_loosen(struct csv_reader *r, char separator)
{
    r->separator = separator;
    r->loose = true;
    csv_set_delim(&r->parser, (unsigned char)separator);
}

void csv_reader_unread(struct csv_reader *r, size_t field)
{
    r->unread |= UINT64_C(1) << field;
}

bool csv_reader_passed_over(const struct csv_reader *r)
{
    return r->passed_over;
}

void csv_reader_destroy(struct csv_reader *r)
{
    if (r == NULL)
        return;
    csv_free(&r->parser);
    text_finish(&r->partial);
    text_finish(&r->row);
    text_finish(&r->values);
    free(r);
}
