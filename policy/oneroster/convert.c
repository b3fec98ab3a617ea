#include "policy/oneroster/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/days.h"
#include "homeserver/base/words.h"
#include "policy/oneroster/archive.h"
#include "policy/oneroster/columns.h"
#include "policy/oneroster/csv.h"
#include "policy/oneroster/encoding.h"

#define PACK_LEVEL 6

/* A file of the archive that is one of the standard's. */
struct input {
    char name[64]; /* as the standard writes it: "users.csv" */
    struct text bytes;
    struct encoding_found found;
    struct text out;
};

struct converting {
    struct conversion *to;
    const struct archive_files *files;
    char folder[256]; /* with its slash; "": the files are at the top */
    struct input inputs[ROSTER_ENTRIES_MAX];
    size_t n;
    enum oneroster version;
};

/* One file while its rows are written anew. */
struct rewriting {
    struct converting *c;
    struct input *input;
    const struct table *table; /* NULL: the manifest, or a file of which nothing is known */
    bool manifest, header_read;
    int column[CSV_COLUMNS]; /* field → column of the table, −1 */
    size_t n;                /* fields of the header */
    int64_t dates[CSV_COLUMNS], words[CSV_COLUMNS], empty_rows, numbers;
};

static bool refuse(struct converting *c, const char *file, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(struct converting *c, const char *file, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    roster_problems_add(&c->to->problems, PROBLEM_REFUSED, file, 0, 0, "", fmt, ap);
    va_end(ap);
    return false;
}

static void changed(struct converting *c, const char *file, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void changed(struct converting *c, const char *file, const char *fmt, ...)
{
    char line[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    text_addf(&c->to->changes, "%.200s: %s\n", file, line);
}

/* --- Cells --- */

/* Whether the rest of a date tells midnight or nothing at all. */
static bool is_midnight(const char *rest)
{
    if (*rest == '\0')
        return true;
    size_t len = strlen(rest), zeros = strspn(rest + 1, "0:.");
    return (*rest == ' ' || *rest == 'T') && zeros > 0 && (1 + zeros == len || strcmp(rest + 1 + zeros, "Z") == 0);
}

/* Day, month and year of two numbers and a year that stand in the order of a country. NULL: it is certain. */
static const char *order_day(int first, int second, char separator, int *day, int *month)
{
    bool month_first = separator != '.' && second > 12 && first <= 12;
    if (separator != '.' && first <= 12 && second <= 12 && first != second)
        return "may be two days: write it like 2026-09-01";
    *day = month_first ? second : first;
    *month = month_first ? first : second;
    return NULL;
}

/* The number at *at, of at most four digits, which moves behind it; *digits: how many. */
static int take_number(const char **at, int *digits)
{
    int n = 0;
    for (*digits = 0; **at >= '0' && **at <= '9' && *digits < 5; ++*at, ++*digits)
        n = 10 * n + (**at - '0');
    return n;
}

const char *convert_date(const char *value, char out[DATE_TEXT_BYTES])
{
    static const char NONE[] = "is no date that is certain: write it like 2026-09-01";
    int numbers[3], digits[3], year, month, day;
    const char *at = value, *why = NULL;
    char separator = 0;
    for (int i = 0; i < 3; ++i) {
        numbers[i] = take_number(&at, &digits[i]);
        if (i == 0)
            separator = *at;
        if (digits[i] == 0 || digits[i] > 4 || strchr("./-", separator) == NULL || separator == '\0' ||
            (i < 2 && *at++ != separator))
            return NONE;
    }
    if (digits[0] != 4 && digits[2] != 4)
        return digits[2] == 2 ? "has a year of two digits: write it like 2026-09-01" : NONE;
    if (!is_midnight(at))
        return "has a time of day: write it like 2026-09-01";
    year = digits[0] == 4 ? numbers[0] : numbers[2];
    month = numbers[1];
    day = numbers[2];
    if (digits[0] != 4)
        why = order_day(numbers[0], numbers[1], separator, &day, &month);
    if (why != NULL)
        return why;
    snprintf(out, DATE_TEXT_BYTES, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100);
    return month > 12 || day > 31 || day_from(out) < 0 ? "is no day of the calendar" : NULL;
}

/* What spreadsheets make of true and false. NULL: it is none of it. */
static const char *boolean_of(const char *value)
{
    static const struct {
        const char *word, *means;
    } WORDS[] = {{"ИСТИНА", "true"}, {"истина", "true"}, {"Истина", "true"}, {"ЛОЖЬ", "false"},
                 {"ложь", "false"},  {"Ложь", "false"},  {"1", "true"},      {"0", "false"}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; ++i)
        if (strcmp(value, WORDS[i].word) == 0)
            return WORDS[i].means;
    return word_is(value, "true") ? "true" : word_is(value, "false") ? "false" : NULL;
}

/* "1,23E+12": a spreadsheet took the id for a number. "#ИМЯ?": it could not work it out. NULL: neither. */
static const char *lost_by_spreadsheet(enum cell_kind kind, const char *value)
{
    static const char *const ERRORS[] = {"#ИМЯ?", "#NAME?", "#ЗНАЧ!",  "#VALUE!", "#ССЫЛКА!", "#REF!",
                                         "#Н/Д",  "#N/A",   "#ДЕЛ/0!", "#DIV/0!", "#ЧИСЛО!",  "#NUM!"};
    size_t digits = strspn(value, "0123456789"), more = 0;
    if (WORD_FIND(ERRORS, value) >= 0)
        return "is a spreadsheet's error: what stood there is lost";
    if (digits == 0 || (kind != CELL_ID && kind != CELL_IDS))
        return NULL;
    if (value[digits] == ',' || value[digits] == '.')
        more = 1 + strspn(value + digits + 1, "0123456789");
    return strncasecmp(value + digits + more, "E+", 2) == 0 ? "is a number that has lost its digits in a spreadsheet"
                                                            : NULL;
}

/* The cell as it should be; NULL: refused. date: for it. */
static const char *mend_cell(struct rewriting *w, struct csv_reader *reader, size_t field, const char *value,
                             char date[DATE_TEXT_BYTES])
{
    const struct column *column = w->column[field] >= 0 ? &w->table->columns[w->column[field]] : NULL;
    if (column == NULL || *value == '\0')
        return value;
    const char *mended = value, *why = column->read ? lost_by_spreadsheet(column->kind, value) : NULL;
    if (why == NULL && column->kind == CELL_DATE)
        why = convert_date(value, date);
    if (why != NULL && column->read) {
        csv_reader_refuse(reader, field, "%s: \"%.60s\" %s", column->name, value, why);
        return NULL;
    }
    if (column->kind == CELL_DATE && why == NULL)
        mended = date;
    else if (column->kind == CELL_BOOL && boolean_of(value) != NULL)
        mended = boolean_of(value);
    if (strcmp(mended, value) != 0)
        ++(column->kind == CELL_DATE ? w->dates : w->words)[field];
    return mended;
}

/* What a spreadsheet makes of "1.2" and "1.0". */
static const char *mend_version(const char *name, const char *value)
{
    static const struct {
        const char *of, *value, *was;
    } SEEN[] = {
        {"oneroster.version", "1,2", "1.2"},    {"oneroster.version", "1,1", "1.1"},
        {"oneroster.version", "01.фев", "1.2"}, {"oneroster.version", "01.янв", "1.1"},
        {"oneroster.version", "1.фев", "1.2"},  {"oneroster.version", "1.янв", "1.1"},
        {"oneroster.version", "01.Feb", "1.2"}, {"oneroster.version", "01.Jan", "1.1"},
        {"oneroster.version", "1-Feb", "1.2"},  {"oneroster.version", "1-Jan", "1.1"},
        {"manifest.version", "1,0", "1.0"},     {"manifest.version", "1", "1.0"},
    };
    for (size_t i = 0; i < sizeof SEEN / sizeof *SEEN; ++i)
        if (word_is(name, SEEN[i].of) && word_is(value, SEEN[i].value))
            return SEEN[i].was;
    return value;
}

/* --- Rows --- */

/* A name with another separator in it: which of them separates is no more certain. */
static void write_header(struct rewriting *w, struct csv_reader *reader, const struct csv_row *row)
{
    for (w->n = row->n; w->n > 0 && *row->fields[w->n - 1] == '\0';)
        --w->n;
    if (w->n == 0)
        csv_reader_refuse(reader, 0, "the header names no column");
    for (size_t i = 0; i < row->n; ++i) {
        int column = i < w->n && w->table != NULL ? column_find(w->table, row->fields[i], w->c->version, i) : -1;
        w->column[i] = column;
        if (w->table != NULL && i < w->n && (column < 0 || w->table->columns[column].kind == CELL_ANY))
            csv_reader_unread(reader, i);
        if (i >= w->n)
            continue;
        if (strpbrk(row->fields[i], ",;\t") != NULL)
            csv_reader_refuse(reader, i, "\"%.60s\" is no name of a column: a separator stands in it", row->fields[i]);
        text_adds(&w->input->out, i > 0 ? "," : "");
        csv_add_cell(&w->input->out, row->fields[i]);
    }
    text_addc(&w->input->out, '\n');
    if (row->n > w->n)
        changed(w->c, w->input->name, "%zu columns of nothing → left out", row->n - w->n);
    w->header_read = true;
}

static void write_row(struct rewriting *w, struct csv_reader *reader, const struct csv_row *row)
{
    char date[DATE_TEXT_BYTES];
    for (size_t i = 0; i < w->n; ++i) {
        const char *value = row->fields[i];
        const char *mended =
            w->manifest && i == 1 ? mend_version(row->fields[0], value) : mend_cell(w, reader, i, value, date);
        w->numbers += w->manifest && i == 1 && mended != value;
        text_adds(&w->input->out, i > 0 ? "," : "");
        csv_add_cell(&w->input->out, mended != NULL ? mended : "");
    }
    text_addc(&w->input->out, '\n');
    if (w->manifest && w->n > 1 && word_is(row->fields[0], "oneroster.version"))
        w->c->version =
            strncmp(mend_version(row->fields[0], row->fields[1]), "1.1", 3) == 0 ? ONEROSTER_1_1 : ONEROSTER_1_2;
}

static bool on_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct rewriting *w = self;
    size_t last = row->n;
    if (!w->header_read) {
        write_header(w, reader, row);
        return true;
    }
    while (last > 0 && *row->fields[last - 1] == '\0')
        --last;
    if (last == 0)
        ++w->empty_rows;
    else if (last > w->n || row->n < w->n)
        csv_reader_refuse(reader, row->n < w->n ? row->n : w->n, "%zu fields where the header has %zu", row->n, w->n);
    else
        write_row(w, reader, row);
    return true;
}

/* --- Files --- */

/* What separates the fields: a spreadsheet's own first line says so, "sep=;", in which nothing else may stand, or it is
 * a header; else it stands behind the header's first name. *skipped: bytes of such a line, without its end: an empty
 * one in its place keeps the numbers of the others. */
static char separator_of(const char *text, size_t *skipped)
{
    const char *at = text + strspn(text, "\r\n \t\"");
    bool told = strncasecmp(text, "sep=", 4) == 0 && strcspn(text + 4, ",;\t") == 0 && text[4] != '\0' &&
                (text[5] == '\n' || strncmp(text + 5, "\r\n", 2) == 0);
    *skipped = told ? strcspn(text, "\n") : 0;
    at = told ? text + 4 : at + strcspn(at, ",;\t\r\n");
    return (char)(*at == ';' || *at == '\t' ? *at : ',');
}

static void say_changes(const struct rewriting *w, char separator)
{
    struct converting *c = w->c;
    const char *file = w->input->name;
    enum encoding encoding = w->input->found.encoding;
    if (encoding == ENCODING_UTF16 || encoding == ENCODING_1251)
        changed(c, file, "%s → UTF-8", encoding_name(encoding));
    if (separator != ',')
        changed(c, file, "%s → commas", separator == ';' ? "semicolons" : "tabs");
    for (size_t i = 0; i < w->n; ++i) {
        const char *name = w->column[i] >= 0 ? w->table->columns[w->column[i]].name : "";
        if (w->dates[i] != 0)
            changed(c, file, "%s: %" PRId64 " dates → like 2026-09-01", name, w->dates[i]);
        if (w->words[i] != 0)
            changed(c, file, "%s: %" PRId64 " words → true, false", name, w->words[i]);
    }
    if (w->numbers != 0)
        changed(c, file, "%" PRId64 " versions that were taken for numbers or days", w->numbers);
    if (w->empty_rows != 0)
        changed(c, file, "%" PRId64 " rows of nothing → left out", w->empty_rows);
}

static void rewrite(struct converting *c, struct input *input)
{
    struct text text = TEXT_INIT;
    struct rewriting w = {.c = c, .input = input, .manifest = strcmp(input->name, "manifest.csv") == 0};
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (strncmp(input->name, ROSTER_TABLES[i].name, strlen(input->name) - 4) == 0 &&
            strlen(ROSTER_TABLES[i].name) == strlen(input->name) - 4)
            w.table = &ROSTER_TABLES[i];
    encoding_decode(input->found.encoding, input->bytes.data != NULL ? input->bytes.data : "", input->bytes.len, &text);
    text_finish(&input->bytes);
    text_adds(&text, "");
    size_t skipped;
    char separator = separator_of(text.data, &skipped);
    struct csv_reader *reader = csv_reader_create(input->name, on_row, &w, NULL);
    csv_reader_collect(reader, &c->to->problems);
    csv_reader_loosen(reader, separator);
    if (csv_reader_feed(reader, text.data + skipped, text.len - skipped))
        csv_reader_end(reader);
    csv_reader_destroy(reader);
    text_finish(&text);
    say_changes(&w, separator);
}

static bool add_piece(void *text, const char *bytes, size_t len)
{
    text_add(text, bytes, len);
    return true;
}

/* The byte's place in the file, as csv.h counts. */
static bool refuse_byte(struct converting *c, const struct input *input, size_t at, const char *why)
{
    int64_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < input->bytes.len && input->bytes.data != NULL; ++i) {
        bool end = input->bytes.data[i] == '\n';
        line += end;
        column = end ? 1 : column + 1;
    }
    roster_problems_tell_of(&c->to->problems, PROBLEM_REFUSED, input->name, line, column, "", "%s", why);
    return false;
}

/* Windows-1251 is certain when some file of the archive reads so, and none otherwise. */
static bool find_encodings(struct converting *c)
{
    bool sure = false, good = true;
    for (size_t i = 0; i < c->n; ++i) {
        struct input *input = &c->inputs[i];
        input->found = encoding_find(input->bytes.data != NULL ? input->bytes.data : "", input->bytes.len);
        sure |= input->found.sure;
        if (input->found.encoding == ENCODING_UNKNOWN)
            good = refuse_byte(c, input, input->found.at, input->found.why);
    }
    for (size_t i = 0; i < c->n; ++i)
        if (c->inputs[i].found.encoding == ENCODING_1251 && !sure)
            good = refuse(c, c->inputs[i].name, "is not UTF-8, and nothing in it tells what it is");
    return good;
}

/* --- The archive --- */

static bool is_manifest(const char *name)
{
    const char *base = strrchr(name, '/');
    return strncmp(name, "__MACOSX/", 9) != 0 && word_is(base != NULL ? base + 1 : name, "manifest.csv");
}

/* The folder of the one manifest is the archive's top. */
static bool find_folder(struct converting *c)
{
    int n = 0;
    int64_t entries = archive_count(c->files);
    if (entries > ROSTER_ENTRIES_MAX)
        return refuse(c, "", "more than %d files in the archive", ROSTER_ENTRIES_MAX);
    for (int64_t i = 0; i < entries; ++i) {
        const char *name = archive_name(c->files, i), *slash = name != NULL ? strrchr(name, '/') : NULL;
        if (name == NULL || !is_manifest(name))
            continue;
        ++n;
        snprintf(c->folder, sizeof c->folder, "%.*s", slash != NULL ? (int)(slash + 1 - name) : 0, name);
    }
    if (n == 1 && *c->folder != '\0')
        changed(c, c->folder, "the folder around the files → none");
    return n == 1 || refuse(c, "manifest.csv", n == 0 ? "is not in the archive" : "is in the archive twice");
}

/* The name as the standard writes it; false: it is none of its files. */
static bool standard_name(const char *name, char out[64])
{
    size_t len = strlen(name);
    snprintf(out, 64, "manifest.csv");
    if (word_is(name, out))
        return true;
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i) {
        size_t stem = strlen(ONEROSTER_FILES[i]);
        if (len == stem + 4 && strncasecmp(name, ONEROSTER_FILES[i], stem) == 0 && word_is(name + stem, ".csv")) {
            snprintf(out, 64, "%s.csv", ONEROSTER_FILES[i]);
            return true;
        }
    }
    return false;
}

static bool take_entry(struct converting *c, int64_t index, struct unpacking *unpacking)
{
    const char *name = archive_name(c->files, index);
    size_t top = strlen(c->folder);
    struct input *input = &c->inputs[c->n];
    if (name == NULL || *name == '\0' || name[strlen(name) - 1] == '/')
        return true;
    if (strncmp(name, c->folder, top) != 0 || !standard_name(name + top, input->name)) {
        changed(c, name, "not one of the standard's files → left out");
        return true;
    }
    for (size_t i = 0; i < c->n; ++i)
        if (strcmp(c->inputs[i].name, input->name) == 0)
            return refuse(c, input->name, "is in the archive twice");
    if (strcmp(name + top, input->name) != 0)
        changed(c, name + top, "the name → %s", input->name);
    ++c->n;
    return archive_unpack(c->files, index, input->name, unpacking, add_piece, &input->bytes, &c->to->problems);
}

static int compare_inputs(const void *left, const void *right)
{
    const struct input *a = left, *b = right;
    bool manifest_a = is_manifest(a->name), manifest_b = is_manifest(b->name);
    return manifest_a != manifest_b ? (manifest_a ? -1 : 1) : strcmp(a->name, b->name);
}

static bool convert(struct converting *c)
{
    struct unpacking unpacking = {0};
    if (!find_folder(c))
        return false;
    for (int64_t i = 0; i < archive_count(c->files) && !unpacking.stopped; ++i)
        take_entry(c, i, &unpacking);
    qsort(c->inputs, c->n, sizeof *c->inputs, compare_inputs); /* the manifest first: it tells the version */
    if (roster_problems_first(&c->to->problems) != NULL || !find_encodings(c))
        return false;
    for (size_t i = 0; i < c->n; ++i)
        rewrite(c, &c->inputs[i]);
    return roster_problems_first(&c->to->problems) == NULL;
}

bool roster_convert_files(const struct archive_files *files, struct converted_file converted[ROSTER_ENTRIES_MAX],
                          size_t *n, struct conversion *out)
{
    *out = (struct conversion){0};
    struct converting *c = xcalloc(1, sizeof *c);
    *c = (struct converting){.to = out, .version = ONEROSTER_1_2, .files = files};
    bool done = convert(c);
    for (*n = 0; *n < c->n; ++*n) {
        struct input *input = &c->inputs[*n];
        memcpy(converted[*n].name, input->name, sizeof input->name);
        converted[*n].bytes = input->out;
        text_finish(&input->bytes);
    }
    free(c);
    return done;
}

bool roster_convert(const void *bytes, size_t len, struct conversion *out)
{
    struct converted_file files[ROSTER_ENTRIES_MAX];
    struct archive_part parts[ROSTER_ENTRIES_MAX];
    size_t n;
    *out = (struct conversion){0};
    struct archive_files from = {.zip = archive_open(bytes, len, &out->problems)};
    if (from.zip == NULL)
        return false;
    bool done = roster_convert_files(&from, files, &n, out);
    for (size_t i = 0; i < n; ++i)
        parts[i] = (struct archive_part){files[i].name, &files[i].bytes};
    if (done && !archive_pack(parts, n, PACK_LEVEL, &out->archive)) {
        roster_problems_say(&out->problems, PROBLEM_REFUSED, "", "the archive can't be packed");
        done = false;
    }
    for (size_t i = 0; i < n; ++i)
        text_finish(&files[i].bytes);
    zip_discard(from.zip);
    return done;
}

void conversion_finish(struct conversion *conversion)
{
    text_finish(&conversion->archive);
    text_finish(&conversion->changes);
    roster_problems_finish(&conversion->problems);
}
