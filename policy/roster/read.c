#include "policy/roster/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "homeserver/base/text.h"
#include "policy/roster/reading.h"
#include "policy/roster/tables.h"

#define PIECE_BYTES 65536
#define NAME_BYTES 255 /* of a sourcedId or a name */

/* The archive while it is read. */
struct archive {
    zip_t *zip;
    struct roster_problem *problem;
    int64_t unpacked; /* bytes so far, all files together */
};

/* One file while it is read. */
struct table_reading {
    struct reading *in;
    const struct table *table;
    row_fn *fn;
    int at[COLUMNS_MAX]; /* column → field, −1 */
    bool header_read;
};

static bool refuse_file(struct roster_problem *problem, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse_file(struct roster_problem *problem, const char *file, const char *fmt, ...)
{
    va_list ap;
    snprintf(problem->file, sizeof problem->file, "%s", file);
    problem->line = problem->column = 0;
    va_start(ap, fmt);
    vsnprintf(problem->message, sizeof problem->message, fmt, ap);
    va_end(ap);
    return false;
}

/* --- Cells --- */

const char *cell(const struct cells *cells, int column)
{
    int field = cells->at[column];
    return field < 0 ? "" : cells->row->fields[field];
}

bool cell_refuse(const struct cells *cells, int column, const char *fmt, ...)
{
    char message[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    int field = cells->at[column];
    return csv_reader_refuse(cells->reader, field < 0 ? 0 : (size_t)field, "%s: %s", cells->table->columns[column].name,
                             message);
}

static bool is_word(const struct column *column, const char *value)
{
    if (column->extensible && strncmp(value, "ext:", 4) == 0 && value[4] != '\0')
        return true;
    size_t len = strlen(value);
    if (strchr(value, '|') != NULL)
        return false;
    for (const char *at = column->words; (at = strstr(at, value)) != NULL; ++at)
        if (at[-1] == '|' && at[len] == '|')
            return true;
    return false;
}

static bool is_year(const char *value)
{
    return strlen(value) == 4 && strspn(value, "0123456789") == 4;
}

/* What is wrong with a cell that is not empty; NULL: nothing. */
static const char *cell_fault(const struct column *column, const char *value)
{
    switch (column->kind) {
    case CELL_ANY:
    case CELL_IDS: return NULL;
    case CELL_ID:
    case CELL_NAME: return strlen(value) > NAME_BYTES ? "longer than 255 bytes" : NULL;
    case CELL_DATE: return day_from(value) < 0 ? "not a date like 2026-09-01" : NULL;
    case CELL_BOOL: return strcmp(value, "true") != 0 && strcmp(value, "false") != 0 ? "neither true nor false" : NULL;
    case CELL_YEAR: return is_year(value) ? NULL : "not a year like 2027";
    case CELL_WORD: return is_word(column, value) ? NULL : "not one of the standard's words";
    case CELL_STATUS: return strcmp(value, "active") != 0 ? "not a status that a bulk file can have" : NULL;
    }
    return NULL;
}

static bool check_cells(const struct cells *cells)
{
    for (size_t i = 0; i < cells->table->n; ++i) {
        const struct column *column = &cells->table->columns[i];
        const char *value = cell(cells, (int)i), *fault = NULL;
        if (*value != '\0')
            fault = cell_fault(column, value);
        else if (column->required)
            fault = "is empty";
        if (fault != NULL)
            return *value == '\0' ? cell_refuse(cells, (int)i, "%s", fault)
                                  : cell_refuse(cells, (int)i, "\"%.60s\" is %s", value, fault);
    }
    return true;
}

/* --- Headers --- */

static int column_find(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->n; ++i)
        if (strcmp(table->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool read_header(struct table_reading *t, struct csv_reader *reader, const struct csv_row *row)
{
    for (size_t i = 0; i < t->table->n; ++i)
        t->at[i] = -1;
    for (size_t field = 0; field < row->n; ++field) {
        int column = column_find(t->table, row->fields[field]);
        if (column < 0 && strncmp(row->fields[field], "metadata.", 9) == 0)
            continue;
        if (column < 0)
            return csv_reader_refuse(reader, field, "unknown column \"%.60s\"", row->fields[field]);
        if (t->at[column] >= 0)
            return csv_reader_refuse(reader, field, "column %s is there twice", row->fields[field]);
        t->at[column] = (int)field;
    }
    for (size_t i = 0; i < t->table->n; ++i)
        if (t->table->columns[i].required && t->at[i] < 0)
            return csv_reader_refuse(reader, 0, "column %s is missing", t->table->columns[i].name);
    t->header_read = true;
    return true;
}

static bool on_table_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct table_reading *t = self;
    if (!t->header_read)
        return read_header(t, reader, row);
    if (++t->in->n_rows > ROSTER_ROWS_MAX)
        return csv_reader_refuse(reader, 0, "more than %d rows in all files", ROSTER_ROWS_MAX);
    struct cells cells = {reader, row, t->at, t->table};
    return check_cells(&cells) && t->fn(t->in, &cells);
}

/* --- The archive --- */

/* A file that unpacks to far more than its bytes, or all of them to more than anybody's roster, is a bomb. */
static bool check_size(struct archive *archive, const char *file, const zip_stat_t *stat, int64_t of_file,
                       int64_t piece)
{
    archive->unpacked += piece;
    if (archive->unpacked > ROSTER_BYTES_MAX)
        return refuse_file(archive->problem, file, "the files unpack to more than %lld MiB",
                           (long long)(ROSTER_BYTES_MAX >> 20));
    if (of_file > (1 << 20) && (uint64_t)of_file / ROSTER_PACKING_MAX > stat->comp_size)
        return refuse_file(archive->problem, file, "is packed more than %d times", ROSTER_PACKING_MAX);
    return true;
}

static bool feed_file(struct archive *archive, const char *file, const zip_stat_t *stat, zip_file_t *in,
                      struct csv_reader *reader)
{
    char piece[PIECE_BYTES];
    zip_int64_t n, of_file = 0;
    while ((n = zip_fread(in, piece, sizeof piece)) > 0)
        if (!check_size(archive, file, stat, of_file += n, n) || !csv_reader_feed(reader, piece, (size_t)n))
            return false;
    if (n < 0)
        return refuse_file(archive->problem, file, "damaged: %s", zip_file_strerror(in));
    return csv_reader_end(reader);
}

static bool read_csv(struct archive *archive, const char *file, csv_row_fn *fn, void *self)
{
    zip_stat_t stat;
    zip_int64_t index = zip_name_locate(archive->zip, file, 0);
    if (index < 0 || zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &stat) != 0)
        return refuse_file(archive->problem, file, "is not in the archive");
    if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method != ZIP_EM_NONE)
        return refuse_file(archive->problem, file, "is encrypted");
    zip_file_t *in = zip_fopen_index(archive->zip, (zip_uint64_t)index, 0);
    if (in == NULL)
        return refuse_file(archive->problem, file, "cannot be unpacked: %s", zip_strerror(archive->zip));
    struct csv_reader *reader = csv_reader_create(file, fn, self, archive->problem);
    bool done = feed_file(archive, file, &stat, in, reader);
    csv_reader_destroy(reader);
    zip_fclose(in);
    return done;
}

static bool read_table(struct archive *archive, struct reading *in, enum roster_table which, row_fn *fn)
{
    char file[64];
    struct table_reading t = {.in = in, .table = &ROSTER_TABLES[which], .fn = fn};
    snprintf(file, sizeof file, "%s.csv", t.table->name);
    return read_csv(archive, file, on_table_row, &t);
}

/* Each name once, nothing beyond reason. */
static bool check_entries(struct archive *archive)
{
    zip_int64_t n = zip_get_num_entries(archive->zip, 0);
    if (n > ROSTER_ENTRIES_MAX)
        return refuse_file(archive->problem, "", "more than %d files in the archive", ROSTER_ENTRIES_MAX);
    for (zip_int64_t i = 0; i < n; ++i) {
        const char *name = zip_get_name(archive->zip, (zip_uint64_t)i, 0);
        if (name != NULL && zip_name_locate(archive->zip, name, 0) != i)
            return refuse_file(archive->problem, name, "is in the archive twice");
    }
    return true;
}

/* --- The manifest --- */

enum file_mode { FILE_UNSAID, FILE_ABSENT, FILE_BULK };

struct manifest {
    struct archive *archive;
    bool header_read, version_said;
    enum file_mode modes[32]; /* as ONEROSTER_FILES */
};

static int oneroster_file(const char *name)
{
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i)
        if (strcmp(ONEROSTER_FILES[i], name) == 0)
            return i;
    return -1;
}

static bool manifest_file(struct manifest *m, struct csv_reader *reader, const char *name, const char *mode)
{
    int i = oneroster_file(name);
    if (i < 0)
        return csv_reader_refuse(reader, 0, "the standard knows no file \"%.60s\"", name);
    if (m->modes[i] != FILE_UNSAID)
        return csv_reader_refuse(reader, 0, "file.%s is there twice", name);
    if (strcmp(mode, "delta") == 0)
        return csv_reader_refuse(reader, 1, "delta files are not read: export %s as bulk", name);
    if (strcmp(mode, "absent") != 0 && strcmp(mode, "bulk") != 0)
        return csv_reader_refuse(reader, 1, "neither absent nor bulk");
    m->modes[i] = strcmp(mode, "bulk") == 0 ? FILE_BULK : FILE_ABSENT;
    return true;
}

static bool on_manifest_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct manifest *m = self;
    if (row->n != 2)
        return csv_reader_refuse(reader, 0, "the columns of a manifest are propertyName,value");
    const char *name = row->fields[0], *value = row->fields[1];
    if (!m->header_read) {
        m->header_read = true;
        return (strcmp(name, "propertyName") == 0 && strcmp(value, "value") == 0) ||
               csv_reader_refuse(reader, 0, "the header of a manifest is propertyName,value");
    }
    if (strncmp(name, "file.", 5) == 0)
        return manifest_file(m, reader, name + 5, value);
    if (strcmp(name, "manifest.version") == 0)
        return strcmp(value, "1.0") == 0 || csv_reader_refuse(reader, 1, "only manifest version 1.0 is known");
    if (strcmp(name, "oneroster.version") == 0) {
        m->version_said = true;
        return strcmp(value, "1.2") == 0 || csv_reader_refuse(reader, 1, "only OneRoster 1.2 is read");
    }
    return strncmp(name, "source.", 7) == 0 || csv_reader_refuse(reader, 0, "unknown property \"%.60s\"", name);
}

static bool check_manifest(const struct manifest *m)
{
    struct archive *archive = m->archive;
    if (!m->version_said)
        return refuse_file(archive->problem, "manifest.csv", "oneroster.version is missing");
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i) {
        char file[64];
        snprintf(file, sizeof file, "%s.csv", ONEROSTER_FILES[i]);
        bool there = zip_name_locate(archive->zip, file, 0) >= 0;
        if (there && m->modes[i] != FILE_BULK)
            return refuse_file(archive->problem, file, "is in the archive, but the manifest does not say bulk");
        if (!there && m->modes[i] == FILE_BULK)
            return refuse_file(archive->problem, file, "is not in the archive, but the manifest says bulk");
    }
    return true;
}

/* --- All of it --- */

static bool read_tables(struct archive *archive, struct reading *in)
{
    struct manifest manifest = {.archive = archive};
    if (!check_entries(archive) || !read_csv(archive, "manifest.csv", on_manifest_row, &manifest) ||
        !check_manifest(&manifest))
        return false;
    for (int i = 0; i < TABLE__COUNT; ++i) {
        bool there = manifest.modes[oneroster_file(ROSTER_TABLES[i].name)] == FILE_BULK;
        if (!there && ROSTER_TABLES[i].required)
            return refuse_file(archive->problem, "manifest.csv", "%s.csv is needed", ROSTER_TABLES[i].name);
        if (there && !read_table(archive, in, (enum roster_table)i, ROW_FNS[i]))
            return false;
    }
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (SECOND_FNS[i] != NULL && !read_table(archive, in, (enum roster_table)i, SECOND_FNS[i]))
            return false;
    return true;
}

/* Three of the indices are the roster's own. */
static void hand_over_indices(struct reading *in)
{
    in->roster->school_ids = in->ids[TABLE_ORGS];
    in->roster->class_ids = in->ids[TABLE_CLASSES];
    in->roster->person_ids = in->ids[TABLE_USERS];
    in->ids[TABLE_ORGS] = in->ids[TABLE_CLASSES] = in->ids[TABLE_USERS] = NULL;
}

static void forget_indices(struct reading *in)
{
    for (int i = 0; i < TABLE__COUNT; ++i)
        HASH_CLEAR(hh, in->ids[i]);
    HASH_CLEAR(hh, in->usernames);
    HASH_CLEAR(hh, in->role_facts);
    HASH_CLEAR(hh, in->enrollment_facts);
    roster_memory_destroy(in->scratch);
}

static struct roster *read_archive(zip_t *zip, struct roster_problem *problem)
{
    struct archive archive = {.zip = zip, .problem = problem};
    struct reading in = {.roster = xcalloc(1, sizeof(struct roster)), .problem = problem};
    in.roster->memory = roster_memory_create();
    in.scratch = roster_memory_create();
    bool done = read_tables(&archive, &in);
    if (done)
        roster_complete(&in);
    hand_over_indices(&in);
    forget_indices(&in);
    if (done)
        return in.roster;
    roster_destroy(in.roster);
    return NULL;
}

static struct roster *refuse_zip(struct roster_problem *problem, zip_error_t *error)
{
    refuse_file(problem, "", "not a zip archive that can be read: %s", zip_error_strerror(error));
    zip_error_fini(error);
    return NULL;
}

struct roster *roster_read(const char *path, struct roster_problem *problem)
{
    int code = 0;
    zip_error_t error;
    *problem = (struct roster_problem){0};
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    if (zip == NULL) {
        zip_error_init_with_code(&error, code);
        return refuse_zip(problem, &error);
    }
    struct roster *roster = read_archive(zip, problem);
    zip_discard(zip);
    return roster;
}

struct roster *roster_read_bytes(const void *bytes, size_t len, struct roster_problem *problem)
{
    zip_error_t error;
    *problem = (struct roster_problem){0};
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, len, 0, &error);
    zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (zip == NULL) {
        zip_source_free(source);
        return refuse_zip(problem, &error);
    }
    struct roster *roster = read_archive(zip, problem);
    zip_discard(zip);
    return roster;
}

void roster_destroy(struct roster *roster)
{
    if (roster == NULL)
        return;
    HASH_CLEAR(hh, roster->school_ids);
    HASH_CLEAR(hh, roster->class_ids);
    HASH_CLEAR(hh, roster->person_ids);
    free(roster->schools);
    free(roster->classes);
    free(roster->people);
    free(roster->roles);
    free(roster->enrollments);
    free(roster->guardianships);
    roster_memory_destroy(roster->memory);
    free(roster);
}
