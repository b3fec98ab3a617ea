#include "policy/oneroster/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/snapshot.h"
#include "policy/oneroster/reader_private.h"
#include "policy/oneroster/columns.h"

#define PIECE_BYTES 65536

/* Columns of every table. */
enum { ANY_ID, ANY_STATUS, ANY_MODIFIED };

/* The archive while it is read. */
struct archive {
    zip_t *zip;
    struct roster_problem *problem;
    int64_t unpacked; /* bytes so far, all files together */
    const void *base; /* the packed snapshot that a delta changes; NULL: none */
    size_t base_len;
    bool snapshot; /* one is wanted of a bulk archive, too */
    struct roster_update *out;
};

/* One file while it is read. */
struct table_reading {
    struct reading *in;
    enum roster_table which;
    const struct table *table;
    enum oneroster version;
    row_fn *fn;                   /* NULL: the rows are only collected */
    struct snapshot *snapshot;    /* collects the rows of a bulk archive; NULL: nobody does */
    struct roster_delta *changes; /* the same of an archive that has deltas */
    bool delta;                   /* this file is one */
    int at[COLUMNS_MAX];          /* column → field, −1 */
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
    const char *id = cells->version == ONEROSTER_SNAPSHOT ? cell(cells, ANY_ID) : "";
    return csv_reader_refuse(cells->reader, field < 0 ? 0 : (size_t)field, "%s%.60s%s%s: %s", *id != '\0' ? "\"" : "",
                             id, *id != '\0' ? "\": " : "", cells->table->columns[column].name, message);
}

static bool check_cells(const struct cells *cells)
{
    for (size_t i = 0; i < cells->table->n; ++i) {
        const struct column *column = &cells->table->columns[i];
        const char *value = cell(cells, (int)i);
        if (!column_in(column, cells->version))
            continue;
        const char *fault = column_fault(column, cells->version, value);
        if (fault != NULL)
            return *value == '\0' ? cell_refuse(cells, (int)i, "%s", fault)
                                  : cell_refuse(cells, (int)i, "\"%.60s\" is %s", value, fault);
    }
    return true;
}

/* --- Headers --- */

static bool read_header(struct table_reading *t, struct csv_reader *reader, const struct csv_row *row)
{
    for (size_t i = 0; i < t->table->n; ++i)
        t->at[i] = -1;
    for (size_t field = 0; field < row->n; ++field) {
        int column = column_find(t->table, row->fields[field], t->version);
        if (column < 0 && strncmp(row->fields[field], "metadata.", 9) == 0)
            continue;
        if (column < 0)
            return csv_reader_refuse(reader, field, "unknown column \"%.60s\"", row->fields[field]);
        if (t->at[column] >= 0)
            return csv_reader_refuse(reader, field, "column %s is there twice", row->fields[field]);
        t->at[column] = (int)field;
    }
    for (size_t i = 0; i < t->table->n; ++i) {
        const struct column *column = &t->table->columns[i];
        bool required =
            (column->required && column_in(column, t->version)) || (t->delta && (i == ANY_STATUS || i == ANY_MODIFIED));
        if (required && t->at[i] < 0)
            return csv_reader_refuse(reader, 0, "column %s is missing", column->name);
    }
    t->header_read = true;
    return true;
}

/* --- Rows --- */

/* The role that OneRoster 1.1 tells with the person, in each of the orgs, as rows of roles.csv. */
static void collect_roles(struct table_reading *t, const struct cells *c)
{
    char buf[SOURCED_ID_BYTES], role_id[TOLD_ID_BYTES];
    const char *at = cell(c, USER_ORGS), *org;
    while ((org = id_list_next(&at, buf)) != NULL) {
        const char *values[COLUMNS_MAX] = {0};
        struct told_role role = {.role = cell(c, USER_ROLE), .org = org};
        told_role_row(cell(c, USER_ID), &role, values, role_id);
        if (t->snapshot != NULL)
            snapshot_add(t->snapshot, TABLE_ROLES, values);
        else
            roster_delta_put_roles(t->changes, cell(c, USER_ID), &role, 1);
    }
}

/* Into the snapshot, or to the changes. */
static bool collect_row(struct table_reading *t, const struct cells *c)
{
    const char *values[COLUMNS_MAX];
    if (t->snapshot == NULL && t->changes == NULL)
        return true;
    for (size_t i = 0; i < t->table->n; ++i)
        values[i] = cell(c, (int)i);
    if (t->snapshot != NULL)
        snapshot_add(t->snapshot, t->which, values);
    else if (!roster_delta_put(t->changes, t->which, values))
        return cell_refuse(c, ANY_ID, "sourcedId \"%.60s\" is there twice", values[ANY_ID]);
    if (t->which == TABLE_USERS && t->version == ONEROSTER_1_1)
        collect_roles(t, c);
    return true;
}

/* A row that is to be deleted need not say more than which it is. */
static bool drop_row(struct table_reading *t, const struct cells *c)
{
    const char *id = cell(c, ANY_ID), *fault = column_fault(&t->table->columns[ANY_ID], t->version, id);
    if (fault != NULL)
        return cell_refuse(c, ANY_ID, "%s", fault);
    if (t->changes == NULL || !t->delta)
        return true; /* a bulk file of 1.1 that tells of it: as if it did not */
    return roster_delta_drop(t->changes, t->which, id) ||
           cell_refuse(c, ANY_ID, "sourcedId \"%.60s\" is there twice", id);
}

static bool check_status(const struct table_reading *t, const struct cells *c, enum row_status *status)
{
    const char *word = cell(c, ANY_STATUS), *modified = cell(c, ANY_MODIFIED);
    int64_t modified_ms = *modified != '\0' ? moment_from(modified) : -1;
    if (modified_ms > t->in->newest_ms)
        t->in->newest_ms = modified_ms;
    *status = row_status(word, t->version, t->delta);
    if (*status == ROW_UNKNOWN && *word == '\0')
        return cell_refuse(c, ANY_STATUS, "is empty");
    if (*status == ROW_UNKNOWN)
        return cell_refuse(c, ANY_STATUS, "\"%.60s\" is not a status that a %s file can have", word,
                           t->delta ? "delta" : "bulk");
    if (t->delta && modified_ms < 0)
        return cell_refuse(c, ANY_MODIFIED, "\"%.60s\" is not a moment like 2026-09-01T10:00:00.000Z", modified);
    return true;
}

static bool take_row(struct table_reading *t, const struct cells *c)
{
    enum row_status status;
    if (!check_status(t, c, &status))
        return false;
    if (status == ROW_GONE)
        return drop_row(t, c);
    return check_cells(c) && (t->fn == NULL || t->fn(t->in, c)) && collect_row(t, c);
}

static bool on_table_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct table_reading *t = self;
    if (!t->header_read)
        return read_header(t, reader, row);
    if (++t->in->n_rows > ROSTER_ROWS_MAX)
        return csv_reader_refuse(reader, 0, "more than %d rows in all files", ROSTER_ROWS_MAX);
    struct cells cells = {reader, row, t->at, t->table, t->version};
    bool taken = take_row(t, &cells);
    if (!taken && t->version == ONEROSTER_SNAPSHOT)
        t->in->problem->line = t->in->problem->column = 0;
    return taken;
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

enum file_mode { FILE_UNSAID, FILE_ABSENT, FILE_BULK, FILE_DELTA };

struct manifest {
    struct archive *archive;
    bool header_read;
    enum oneroster version;   /* 0: not said */
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
    m->modes[i] = strcmp(mode, "bulk") == 0     ? FILE_BULK
                  : strcmp(mode, "delta") == 0  ? FILE_DELTA
                  : strcmp(mode, "absent") == 0 ? FILE_ABSENT
                                                : FILE_UNSAID;
    return m->modes[i] != FILE_UNSAID || csv_reader_refuse(reader, 1, "neither absent nor bulk nor delta");
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
        m->version = strcmp(value, "1.2") == 0 ? ONEROSTER_1_2 : strcmp(value, "1.1") == 0 ? ONEROSTER_1_1 : 0;
        return m->version != 0 || csv_reader_refuse(reader, 1, "only OneRoster 1.1 and 1.2 are read");
    }
    return strncmp(name, "source.", 7) == 0 || csv_reader_refuse(reader, 0, "unknown property \"%.60s\"", name);
}

static bool check_manifest(const struct manifest *m)
{
    struct archive *archive = m->archive;
    if (m->version == 0)
        return refuse_file(archive->problem, "manifest.csv", "oneroster.version is missing");
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i) {
        char file[64];
        snprintf(file, sizeof file, "%s.csv", ONEROSTER_FILES[i]);
        bool there = zip_name_locate(archive->zip, file, 0) >= 0, said = m->modes[i] > FILE_ABSENT;
        if (there && !said)
            return refuse_file(archive->problem, file,
                               "is in the archive, but the manifest does not say bulk or delta");
        if (!there && said)
            return refuse_file(archive->problem, file, "is not in the archive, but the manifest says %s",
                               m->modes[i] == FILE_BULK ? "bulk" : "delta");
    }
    return true;
}

static enum file_mode mode_of(const struct manifest *m, int table)
{
    return m->modes[oneroster_file(ROSTER_TABLES[table].name)];
}

/* What the manifest says of the files that are read. *delta: one of them at least is a delta. */
static bool check_tables(const struct manifest *m, bool *delta)
{
    struct roster_problem *problem = m->archive->problem;
    *delta = false;
    for (int i = 0; i < TABLE__COUNT; ++i) {
        *delta |= mode_of(m, i) == FILE_DELTA;
        if (mode_of(m, i) > FILE_ABSENT && !table_in(&ROSTER_TABLES[i], m->version))
            return refuse_file(problem, "manifest.csv", "OneRoster 1.1 has no %s.csv", ROSTER_TABLES[i].name);
    }
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (!*delta && mode_of(m, i) != FILE_BULK && ROSTER_TABLES[i].required &&
            table_in(&ROSTER_TABLES[i], m->version))
            return refuse_file(problem, "manifest.csv", "%s.csv is needed", ROSTER_TABLES[i].name);
    return true;
}

/* --- A roster from rows, wherever they come from --- */

/* Where rows come from. */
struct rows_source {
    struct archive *archive;         /* NULL: the snapshot */
    const struct snapshot *snapshot; /* that is read; NULL: the archive */
    const struct manifest *manifest;
    enum oneroster version;
};

/* One table, if it is there. */
static bool read_table(const struct rows_source *from, struct reading *in, int which, row_fn *fn,
                       struct snapshot *snapshot)
{
    char file[64];
    struct table_reading t = {.in = in,
                              .which = (enum roster_table)which,
                              .table = &ROSTER_TABLES[which],
                              .version = from->version,
                              .fn = fn,
                              .snapshot = snapshot};
    snprintf(file, sizeof file, "%s.csv", t.table->name);
    if (from->snapshot != NULL) {
        const struct text *csv = &from->snapshot->csv[which];
        struct csv_reader *reader = csv_reader_create(file, on_table_row, &t, in->problem);
        bool done = csv_reader_feed(reader, csv->data, csv->len) && csv_reader_end(reader);
        csv_reader_destroy(reader);
        return done;
    }
    return mode_of(from->manifest, which) != FILE_BULK || read_csv(from->archive, file, on_table_row, &t);
}

static bool read_rows(const struct rows_source *from, struct reading *in, struct snapshot *snapshot)
{
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (!read_table(from, in, i, ROW_FNS[i], snapshot))
            return false;
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (SECOND_FNS[i] != NULL && !read_table(from, in, i, SECOND_FNS[i], NULL))
            return false;
    if (roster_agents(in))
        return true;
    /* Once more, for the place of what is wrong. */
    if (read_table(from, in, TABLE_USERS, agents_row, NULL))
        refuse_file(in->problem, "users.csv", "agentSourcedIds do not fit");
    return false;
}

/* snapshot (may be NULL) collects the rows. NULL: refused. */
static struct roster *roster_from(const struct rows_source *from, struct snapshot *snapshot,
                                  struct roster_problem *problem)
{
    struct reading in = {.roster = xcalloc(1, sizeof(struct roster)), .problem = problem};
    in.roster->memory = arena_create();
    in.scratch = arena_create();
    for (int i = 0; i < TABLE__COUNT; ++i)
        in.ids[i] = id_map_create();
    in.usernames = id_map_create();
    in.role_facts = row_set_create();
    in.enrollment_facts = row_set_create();
    in.agents_end = &in.agents;
    bool done = read_rows(from, &in, snapshot);
    if (done)
        roster_complete(&in);
    /* Three of the indices are the roster's own; the others end with the reading. */
    in.roster->newest_ms = in.newest_ms;
    in.roster->school_ids = in.ids[TABLE_ORGS];
    in.roster->class_ids = in.ids[TABLE_CLASSES];
    in.roster->person_ids = in.ids[TABLE_USERS];
    in.ids[TABLE_ORGS] = in.ids[TABLE_CLASSES] = in.ids[TABLE_USERS] = NULL;
    for (int i = 0; i < TABLE__COUNT; ++i)
        id_map_destroy(in.ids[i]);
    id_map_destroy(in.usernames);
    row_set_destroy(in.role_facts);
    row_set_destroy(in.enrollment_facts);
    arena_destroy(in.scratch);
    if (done)
        return in.roster;
    roster_destroy(in.roster);
    return NULL;
}

struct roster *roster_read_snapshot(const struct snapshot *snapshot, struct roster_problem *problem)
{
    *problem = (struct roster_problem){0};
    return roster_from(&(struct rows_source){.snapshot = snapshot, .version = ONEROSTER_SNAPSHOT}, NULL, problem);
}

/* --- Archives --- */

/* The archive's rows as changes: whole files replace, deltas put and drop. */
static bool read_changes(struct archive *archive, const struct manifest *m, struct roster_delta *changes,
                         int64_t *newest_ms)
{
    struct reading in = {.problem = archive->problem}; /* counts rows, no more */
    for (int i = 0; i < TABLE__COUNT; ++i) {
        char file[64];
        struct table_reading t = {.in = &in,
                                  .which = (enum roster_table)i,
                                  .table = &ROSTER_TABLES[i],
                                  .version = m->version,
                                  .changes = changes,
                                  .delta = mode_of(m, i) == FILE_DELTA};
        snprintf(file, sizeof file, "%s.csv", t.table->name);
        if (mode_of(m, i) <= FILE_ABSENT)
            continue;
        if (!t.delta)
            roster_delta_replace(changes, t.which);
        if (!t.delta && i == TABLE_USERS && m->version == ONEROSTER_1_1)
            roster_delta_replace(changes, TABLE_ROLES);
        if (!read_csv(archive, file, on_table_row, &t))
            return false;
    }
    *newest_ms = in.newest_ms;
    return true;
}

static bool merge(struct archive *archive, struct roster_delta *changes)
{
    struct roster_update *out = archive->out;
    struct snapshot *base = snapshot_open(archive->base, archive->base_len, archive->problem);
    out->snapshot = base != NULL ? snapshot_merge(base, changes, archive->problem) : NULL;
    snapshot_destroy(base);
    out->roster = out->snapshot != NULL ? roster_read_snapshot(out->snapshot, archive->problem) : NULL;
    return out->roster != NULL;
}

static bool read_delta(struct archive *archive, const struct manifest *m)
{
    if (archive->base == NULL)
        return refuse_file(
            archive->problem, "manifest.csv",
            "is of a delta export, and there is nothing that it could change: import a bulk export of this "
            "source first");
    int64_t newest_ms;
    struct roster_delta *changes = roster_delta_create();
    bool done = read_changes(archive, m, changes, &newest_ms) && merge(archive, changes);
    if (done)
        archive->out->roster->newest_ms = newest_ms;
    roster_delta_destroy(changes);
    archive->out->delta = true;
    return done;
}

/* What is refused leaves *out empty. */
static bool read_archive(struct archive *archive)
{
    struct roster_update *out = archive->out;
    struct manifest m = {.archive = archive};
    bool delta, done = check_entries(archive) && read_csv(archive, "manifest.csv", on_manifest_row, &m) &&
                       check_manifest(&m) && check_tables(&m, &delta);
    *out = (struct roster_update){0};
    if (done && delta) {
        done = read_delta(archive, &m);
    } else if (done) {
        out->snapshot = archive->snapshot ? snapshot_create() : NULL;
        out->roster = roster_from(&(struct rows_source){.archive = archive, .manifest = &m, .version = m.version},
                                  out->snapshot, archive->problem);
        done = out->roster != NULL;
    }
    if (done)
        return true;
    snapshot_destroy(out->snapshot);
    *out = (struct roster_update){0};
    return false;
}

static bool refuse_zip(struct roster_problem *problem, zip_error_t *error)
{
    refuse_file(problem, "", "not a zip archive that can be read: %s", zip_error_strerror(error));
    zip_error_fini(error);
    return false;
}

struct roster *roster_read(const char *path, struct roster_problem *problem)
{
    int code = 0;
    zip_error_t error;
    struct roster_update out = {0};
    struct archive archive = {.problem = problem, .out = &out};
    *problem = (struct roster_problem){0};
    archive.zip = zip_open(path, ZIP_RDONLY, &code);
    if (archive.zip == NULL) {
        zip_error_init_with_code(&error, code);
        refuse_zip(problem, &error);
        return NULL;
    }
    read_archive(&archive);
    zip_discard(archive.zip);
    return out.roster;
}

static bool read_bytes(const void *bytes, size_t len, struct archive *archive)
{
    zip_error_t error;
    *archive->problem = (struct roster_problem){0};
    *archive->out = (struct roster_update){0};
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, len, 0, &error);
    archive->zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (archive->zip == NULL) {
        zip_source_free(source);
        return refuse_zip(archive->problem, &error);
    }
    bool done = read_archive(archive);
    zip_discard(archive->zip);
    return done;
}

struct roster *roster_read_bytes(const void *bytes, size_t len, struct roster_problem *problem)
{
    struct roster_update out;
    read_bytes(bytes, len, &(struct archive){.problem = problem, .out = &out});
    return out.roster;
}

bool roster_read_update(const void *bytes, size_t len, const void *base, size_t base_len, struct roster_update *out,
                        struct roster_problem *problem)
{
    struct archive archive = {.problem = problem, .base = base, .base_len = base_len, .snapshot = true, .out = out};
    return read_bytes(bytes, len, &archive);
}

void roster_destroy(struct roster *roster)
{
    if (roster == NULL)
        return;
    id_map_destroy(roster->school_ids);
    id_map_destroy(roster->class_ids);
    id_map_destroy(roster->person_ids);
    free(roster->schools);
    free(roster->classes);
    free(roster->people);
    free(roster->roles);
    free(roster->enrollments);
    free(roster->guardianships);
    arena_destroy(roster->memory);
    free(roster);
}
