/* Diaries that only export: a CSV file (RFC 4180, UTF-8, the first row names the columns) that somebody or something
 * puts into a place, read again when it has changed. Columns by name, in any order: kind, id, pupil, group, subject,
 * date, value, weight, work, comment, author, link, updated; family_name, given_name, middle_name, birth_date and class
 * of the pupil where ids are not sourcedIds. Several pupils: with spaces between. A file has the
 * whole of its window. */
#include "appservice/diary/csv.h"

#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistr.h>

#include "appservice/diary/diaries.h"
#include "homeserver/base/clock.h"

#define FILE_BYTES_MAX (64u << 20)
#define COLUMNS_MAX 64
#define UNENDED_MS 10000 /* so old a file is finished, though its last row has no end of line */

enum column {
    KIND,
    ID,
    PUPIL,
    GROUP,
    SUBJECT,
    DATE,
    VALUE,
    WEIGHT,
    WORK,
    COMMENT,
    AUTHOR,
    LINK,
    UPDATED,
    FAMILY_NAME,
    GIVEN_NAME,
    MIDDLE_NAME,
    BIRTH_DATE,
    CLASS,
    COLUMN__COUNT
};
static const char *const NAMES[COLUMN__COUNT] = {
    "kind",    "id",     "pupil", "group",   "subject",     "date",       "value",       "weight",     "work",
    "comment", "author", "link",  "updated", "family_name", "given_name", "middle_name", "birth_date", "class"};

struct csv_reading {
    struct reading *reading;
    int places[COLUMN__COUNT]; /* which field has it; −1: none */
    char *fields[COLUMNS_MAX];
    int n_fields;
    int64_t row; /* 1: the names */
    const char *fault;
};

static void on_field(void *bytes, size_t len, void *arg)
{
    struct csv_reading *r = arg;
    if (r->n_fields < COLUMNS_MAX)
        r->fields[r->n_fields] = xstrndup(bytes != NULL ? bytes : "", len);
    ++r->n_fields;
}

static const char *cell(const struct csv_reading *r, enum column column)
{
    return r->places[column] >= 0 && r->places[column] < r->n_fields ? r->fields[r->places[column]] : "";
}

static void take_names(struct csv_reading *r)
{
    for (int c = 0; c < COLUMN__COUNT; ++c) {
        r->places[c] = -1;
        for (int i = 0; i < r->n_fields && i < COLUMNS_MAX; ++i)
            if (strcmp(r->fields[i], NAMES[c]) == 0)
                r->places[c] = i;
    }
    if (r->places[KIND] < 0 || r->places[ID] < 0 || r->places[DATE] < 0)
        r->fault = "its first row does not name the columns kind, id and date";
}

static void take_row(struct csv_reading *r)
{
    const char *pupils[RECORD_PUPILS_MAX + 1];
    size_t n = 0;
    char *list = xstrdup(cell(r, PUPIL)), *rest = list;
    for (char *id; n <= RECORD_PUPILS_MAX && (id = strsep(&rest, " ")) != NULL;)
        if (*id != '\0')
            pupils[n++] = id;
    int kind = record_kind_from(cell(r, KIND));
    if (kind < 0)
        reading_fault(r->reading, cell(r, ID), "of a kind that there is not");
    else
        reading_add(r->reading, &(struct record){.kind = (enum record_kind)kind,
                                                 .id = cell(r, ID),
                                                 .pupils = pupils,
                                                 .n_pupils = n,
                                                 .group = cell(r, GROUP),
                                                 .subject = cell(r, SUBJECT),
                                                 .day = record_day(cell(r, DATE)),
                                                 .value = cell(r, VALUE),
                                                 .weight = cell(r, WEIGHT),
                                                 .work = cell(r, WORK),
                                                 .comment = cell(r, COMMENT),
                                                 .author = cell(r, AUTHOR),
                                                 .link = cell(r, LINK),
                                                 .updated_ms = record_moment(cell(r, UPDATED))});
    if (n == 1 && *cell(r, FAMILY_NAME) != '\0')
        reading_add_person(r->reading, &(struct diary_person){.id = pupils[0],
                                                              .family_name = cell(r, FAMILY_NAME),
                                                              .given_name = cell(r, GIVEN_NAME),
                                                              .middle_name = cell(r, MIDDLE_NAME),
                                                              .birth_date = record_day(cell(r, BIRTH_DATE)),
                                                              .class_title = cell(r, CLASS)});
    free(list);
}

static void on_row(int end, void *arg)
{
    struct csv_reading *r = arg;
    (void)end;
    ++r->row;
    if (r->n_fields > COLUMNS_MAX)
        r->fault = "it has a row of too many columns";
    else if (r->row == 1)
        take_names(r);
    else if (r->fault == NULL && r->n_fields != 0)
        take_row(r);
    for (int i = 0; i < r->n_fields && i < COLUMNS_MAX; ++i)
        free(r->fields[i]);
    r->n_fields = 0;
}

const char *csv_read_records(struct reading *reading, const char *bytes, size_t len)
{
    struct csv_reading r = {.reading = reading};
    struct csv_parser parser;
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    if (u8_check((const uint8_t *)bytes, len) != NULL || memchr(bytes, '\0', len) != NULL)
        return "it is not UTF-8";
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        abort();
    size_t taken = csv_parse(&parser, bytes, len, on_field, on_row, &r);
    if (taken != len || csv_fini(&parser, on_field, on_row, &r) != 0)
        r.fault = "a quotation mark in it is where none may be";
    else if (r.row == 0)
        r.fault = "it is empty";
    for (int i = 0; i < r.n_fields && i < COLUMNS_MAX; ++i)
        free(r.fields[i]);
    csv_free(&parser);
    return r.fault;
}

/* Somebody writes it now: the last row may be cut within an id, and then is another pupil's. Whoever puts a finished
 * file there by renaming it never meets this. */
static bool is_being_written(FILE *f, const struct stat *before, const struct text *bytes)
{
    struct stat now;
    bool ended = bytes->len == 0 || bytes->data[bytes->len - 1] == '\n';
    return fstat(fileno(f), &now) != 0 || now.st_size != before->st_size || (size_t)now.st_size != bytes->len ||
           now.st_mtim.tv_sec != before->st_mtim.tv_sec || now.st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
           (!ended && clock_wall_ms() < now.st_mtim.tv_sec * INT64_C(1000) + UNENDED_MS);
}

static bool read_file(const char *path, struct text *out, struct text *problem)
{
    char bytes[65536];
    size_t n;
    struct stat before = {0};
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return text_fail(problem, "The file of csv.file can't be read: %s.", strerror(errno));
    bool whole = fstat(fileno(f), &before) == 0;
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0 && out->len <= FILE_BYTES_MAX)
        text_add(out, bytes, n);
    whole = whole && ferror(f) == 0 && out->len <= FILE_BYTES_MAX;
    bool written = whole && is_being_written(f, &before, out);
    fclose(f);
    if (written)
        return text_fail(problem, "The file of csv.file is being written; it is read again.");
    return whole ? true : text_fail(problem, "The file of csv.file can't be read whole.");
}

static bool fetch(struct source *source, struct reading *reading, struct text *problem)
{
    struct text bytes = TEXT_INIT;
    bool done = read_file(adapter_text(source, "file"), &bytes, problem);
    const char *fault = done ? csv_read_records(reading, bytes.data != NULL ? bytes.data : "", bytes.len) : NULL;
    text_finish(&bytes);
    return fault == NULL ? done : text_fail(problem, "The file of csv.file: %s.", fault);
}

static const struct adapter_setting SETTINGS[] = {
    {"file", ADAPTER_SECRET_FILE, NULL},
    {"ids", ADAPTER_TEXT, "sourced"},
};
const struct adapter CSV_ADAPTER = {
    .name = "csv",
    .settings = SETTINGS,
    .n_settings = sizeof SETTINGS / sizeof *SETTINGS,
    .fetch = fetch,
    .sourced = true,
};
