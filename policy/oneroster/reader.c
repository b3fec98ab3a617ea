#include "policy/oneroster/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/archive.h"
#include "policy/oneroster/columns.h"
#include "policy/oneroster/reader_private.h"
#include "policy/oneroster/snapshot.h"

/* Columns of every table. */
enum { ANY_ID, ANY_STATUS, ANY_MODIFIED };

/* The archive while it is read. */
struct archive {
    struct archive_files files;
    struct roster_problems *problems;
    struct unpacking unpacking;
    const void *base; /* the packed snapshot that a delta changes; NULL: none */
    size_t base_len;
    const struct snapshot *base_opened; /* the same where it is not packed; NULL: base */
    bool snapshot;                      /* one is wanted of a bulk archive, too */
    struct roster_update *out;
};

/* A row of a bulk file that is gone, while others may still refer to it. */
struct gone_row {
    struct gone_row *next;
    const char *id;
};

/* One file while it is read. */
struct table_reading {
    struct reading *in;
    enum roster_table which;
    const struct table *table;
    row_fn *fn;                   /* NULL: the rows are only collected */
    struct snapshot *snapshot;    /* collects the rows of a bulk archive; NULL: nobody does */
    struct roster_delta *changes; /* the same of an archive that has deltas */
    bool delta;                   /* this file is one */
    struct gone_row *gone;        /* of a bulk file among deltas */
    int at[COLUMNS_MAX];          /* column → field, −1 */
    size_t next;                  /* column that likely comes next in the header */
    char unknown[64];             /* a column that nobody knows, for what is missing may be meant by it; "": none */
    bool header_read, header_bad;
};

static bool refuse_file(struct roster_problems *problems, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse_file(struct roster_problems *problems, const char *file, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    roster_problems_add(problems, PROBLEM_REFUSED, file, 0, 0, "", fmt, ap);
    va_end(ap);
    return false;
}

static bool is_refused(const struct roster_problems *problems)
{
    return problems->counts[PROBLEM_REFUSED] != 0;
}

/* --- Cells --- */

const char *cell(const struct cells *cells, int column)
{
    int field = cells->at[column];
    return field < 0 ? "" : cells->row->fields[field];
}

struct place cell_place(const struct cells *cells, int column)
{
    struct place at = {0};
    int field = cells->at[column];
    if (cells->in->version != ONEROSTER_SNAPSHOT) /* its lines are nobody's */
        csv_reader_place(cells->reader, field < 0 ? 0 : (size_t)field, &at.line, &at.column);
    return at;
}

static void say(struct reading *in, enum roster_table table, struct place at, const char *id, int column,
                enum problem_kind kind, const char *fmt, va_list ap)
{
    char file[64], message[200];
    const char *name = ROSTER_TABLES[table].columns[column].name;
    snprintf(file, sizeof file, "%s.csv", ROSTER_TABLES[table].name);
    vsnprintf(message, sizeof message, fmt, ap);
    if (at.line == 0)
        roster_problems_tell_of(in->problems, kind, file, at.line, at.column, id, "\"%.60s\": %s: %s", id, name,
                                message);
    else
        roster_problems_tell_of(in->problems, kind, file, at.line, at.column, id, "%s: %s", name, message);
}

void late_say(struct reading *in, enum roster_table table, struct place at, const char *id, int column,
              enum problem_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(in, table, at, id, column, kind, fmt, ap);
    va_end(ap);
}

void cell_say(const struct cells *c, int column, enum problem_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(c->in, c->which, cell_place(c, column), cell(c, ANY_ID), column, kind, fmt, ap);
    va_end(ap);
}

enum row_outcome cell_refuse(const struct cells *c, int column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(c->in, c->which, cell_place(c, column), cell(c, ANY_ID), column, PROBLEM_REFUSED, fmt, ap);
    va_end(ap);
    return OUTCOME_REFUSED;
}

/* What is read must be right; of the rest it is said, but for what is empty. */
static enum row_outcome check_cells(const struct cells *c)
{
    enum row_outcome outcome = OUTCOME_TAKEN;
    for (size_t i = 0; i < c->table->n; ++i) {
        const struct column *column = &c->table->columns[i];
        const char *value = cell(c, (int)i);
        if ((!column->read && *value == '\0') || !column_in(column, c->in->version))
            continue;
        const char *fault = column_fault(column, c->in->version, value);
        if (fault == NULL)
            continue;
        if (!column->read)
            cell_say(c, (int)i, PROBLEM_UNREAD_WRONG, "\"%.60s\" is %s", value, fault);
        else
            outcome = *value == '\0' ? cell_refuse(c, (int)i, "%s", fault)
                                     : cell_refuse(c, (int)i, "\"%.60s\" is %s", value, fault);
    }
    return outcome;
}

/* --- Headers --- */

static void say_column(const struct table_reading *t, struct csv_reader *reader, size_t field, enum problem_kind kind,
                       const char *fmt, const char *name)
{
    char file[64], message[200];
    int64_t line, column;
    snprintf(file, sizeof file, "%s.csv", t->table->name);
    snprintf(message, sizeof message, fmt, name);
    csv_reader_place(reader, field, &line, &column);
    roster_problems_tell_of(t->in->problems, kind, file, line, column, "", "%s", message);
}

static void take_column(struct table_reading *t, struct csv_reader *reader, size_t field, const char *name)
{
    int column = column_find(t->table, name, t->in->version, t->next);
    const struct column *of = column >= 0 ? &t->table->columns[column] : NULL;
    t->next = of != NULL ? (size_t)column + 1 : t->next;
    bool read = of != NULL &&
                (of->read || of->kind == CELL_STATUS || column_needed(t->table, column, t->in->version, t->delta));
    if (!read)
        csv_reader_unread(reader, field);
    if (of == NULL && strncasecmp(name, "metadata.", 9) != 0) {
        say_column(t, reader, field, PROBLEM_COLUMN_UNREAD, "unknown column \"%.60s\"", name);
        if (*t->unknown == '\0')
            snprintf(t->unknown, sizeof t->unknown, "%s", name);
    } else if (of != NULL && t->at[column] >= 0) {
        t->header_bad |= read;
        say_column(t, reader, field, read ? PROBLEM_REFUSED : PROBLEM_UNREAD_WRONG, "column %.60s is there twice",
                   name);
    } else if (of != NULL) {
        t->at[column] = (int)field;
    }
}

/* A header that does not fit is said whole; its rows are not looked at. */
static void read_header(struct table_reading *t, struct csv_reader *reader, const struct csv_row *row)
{
    char missing[160];
    for (size_t i = 0; i < t->table->n; ++i)
        t->at[i] = -1;
    for (size_t field = 0; field < row->n; ++field)
        take_column(t, reader, field, row->fields[field]);
    for (size_t i = 0; i < t->table->n; ++i) {
        const struct column *column = &t->table->columns[i];
        bool needed = column_needed(t->table, (int)i, t->in->version, t->delta);
        if (t->at[i] >= 0 || !(needed || (column->required && column_in(column, t->in->version))))
            continue;
        t->header_bad |= needed;
        bool hint = needed && *t->unknown != '\0';
        snprintf(missing, sizeof missing, "%s is missing%s%s%s", column->name, hint ? " (unknown is \"" : "",
                 hint ? t->unknown : "", hint ? "\")" : "");
        say_column(t, reader, 0, needed ? PROBLEM_REFUSED : PROBLEM_UNREAD_WRONG, "column %s", missing);
    }
    t->header_read = true;
}

/* --- Rows --- */

/* The role that OneRoster 1.1 tells with the person, in each of the orgs, as rows of roles.csv. */
static void collect_roles(struct table_reading *t, const struct cells *c)
{
    char buf[SOURCED_ID_BYTES], id[TOLD_ID_BYTES];
    const char *at = cell(c, USER_ORGS), *org;
    while ((org = id_list_next(&at, buf)) != NULL) {
        const char *values[COLUMNS_MAX] = {0};
        struct told_role role = {.role = cell(c, USER_ROLE), .org = org};
        told_role_row(cell(c, USER_ID), &role, values, id);
        if (id_map_find(&t->in->aside[TABLE_ORGS], org) != ID_NONE)
            continue;
        if (t->snapshot == NULL)
            roster_delta_put_roles(t->changes, cell(c, USER_ID), &role, 1);
        else if (id_map_put(&t->in->ids[TABLE_ROLES], arena_copy(t->in->scratch, id),
                            0)) /* an org may be named twice */
            snapshot_add(t->snapshot, TABLE_ROLES, values);
    }
}

/* Into the snapshot, or to the changes. */
static enum row_outcome collect_row(struct table_reading *t, const struct cells *c)
{
    const char *values[COLUMNS_MAX] = {0};
    if (t->snapshot == NULL && t->changes == NULL)
        return OUTCOME_TAKEN;
    for (size_t i = 0; i < t->table->n; ++i)
        values[i] = cell(c, (int)i);
    if (c->same != NULL)
        values[USER_SAME] = c->same;
    if (t->snapshot != NULL)
        snapshot_add(t->snapshot, t->which, values);
    else if (!roster_delta_put(t->changes, t->which, values))
        return cell_refuse(c, ANY_ID, "sourcedId \"%.60s\" is there twice", values[ANY_ID]);
    if (t->which == TABLE_USERS && t->in->version == ONEROSTER_1_1)
        collect_roles(t, c);
    return OUTCOME_TAKEN;
}

/* A row that is to be deleted need not say more than which it is. */
static enum row_outcome drop_row(struct table_reading *t, const struct cells *c)
{
    const char *id = cell(c, ANY_ID), *fault = column_fault(&t->table->columns[ANY_ID], t->in->version, id);
    if (fault != NULL)
        return cell_refuse(c, ANY_ID, "%s", fault);
    if (t->delta && !roster_delta_drop(t->changes, t->which, id))
        return cell_refuse(c, ANY_ID, "sourcedId \"%.60s\" is there twice", id);
    if (t->delta)
        return OUTCOME_GONE;
    cell_say(c, ANY_ID, PROBLEM_ROW_GONE, "\"%.60s\" is %.20s", id, cell(c, ANY_STATUS));
    if (t->changes != NULL) {
        struct gone_row *gone = arena_alloc(t->in->scratch, sizeof *gone);
        *gone = (struct gone_row){t->gone, arena_copy(t->in->scratch, id)};
        t->gone = gone;
    }
    return OUTCOME_GONE;
}

static enum row_outcome check_status(const struct table_reading *t, const struct cells *c, enum row_status *status)
{
    const char *word = cell(c, ANY_STATUS), *modified = cell(c, ANY_MODIFIED);
    int64_t modified_ms = *modified != '\0' ? moment_from(modified) : -1;
    if (moment_is_ahead(modified_ms))
        cell_say(c, ANY_MODIFIED, PROBLEM_DATE_AHEAD, "\"%.60s\" is to come", modified);
    else if (modified_ms > t->in->newest_ms)
        t->in->newest_ms = modified_ms;
    *status = row_status(word, t->delta);
    if (*status == ROW_UNKNOWN && *word == '\0')
        return cell_refuse(c, ANY_STATUS, "is empty");
    if (*status == ROW_UNKNOWN)
        return cell_refuse(c, ANY_STATUS, "\"%.60s\" is not a status that a %s file can have", word,
                           t->delta ? "delta" : "bulk");
    if (t->delta && modified_ms < 0)
        return cell_refuse(c, ANY_MODIFIED, "\"%.60s\" is not a moment like 2026-09-01T10:00:00.000Z", modified);
    return OUTCOME_TAKEN;
}

static enum row_outcome take_row(struct table_reading *t, struct cells *c)
{
    enum row_status status;
    enum row_outcome outcome = check_status(t, c, &status);
    if (outcome == OUTCOME_TAKEN && status == ROW_GONE)
        return drop_row(t, c);
    if (outcome == OUTCOME_TAKEN)
        outcome = check_cells(c);
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    if (t->which == TABLE_USERS && t->in->version == ONEROSTER_1_1)
        c->same = same_person(t->in, c);
    if (t->fn != NULL)
        outcome = t->fn(t->in, c);
    return outcome == OUTCOME_TAKEN || outcome == OUTCOME_ASIDE
               ? (collect_row(t, c) == OUTCOME_TAKEN ? outcome : OUTCOME_REFUSED)
               : outcome;
}

static bool on_table_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct table_reading *t = self;
    if (!t->header_read) {
        read_header(t, reader, row);
        return !t->header_bad;
    }
    if (++t->in->n_rows > ROSTER_ROWS_MAX)
        return csv_reader_refuse(reader, 0, "more than %d rows in all files", ROSTER_ROWS_MAX);
    struct cells cells = {.in = t->in, .reader = reader, .row = row, .at = t->at, .which = t->which, .table = t->table};
    enum row_outcome outcome = take_row(t, &cells);
    const char *id = cell(&cells, ANY_ID);
    if (outcome == OUTCOME_TAKEN || t->which > TABLE_USERS || id_map_find(&t->in->aside[t->which], id) != ID_NONE)
        return true;
    id_map_put(&t->in->aside[t->which], arena_copy(t->in->scratch, id),
               outcome); /* whatever refers to it fares like it */
    return true;
}

/* --- The archive --- */

static bool feed(void *reader, const char *bytes, size_t len)
{
    return csv_reader_feed(reader, bytes, len);
}

/* The file's number in the archive; its name may be written in another case. −1: it is not there. */
static int64_t locate(const struct archive *archive, const char *file)
{
    int64_t index = archive_find(&archive->files, file, false);
    return index >= 0 ? index : archive_find(&archive->files, file, true);
}

/* false: it could not be read to its end, in rows or at all; it has been said why. */
static bool read_csv(struct archive *archive, const char *file, csv_row_fn *fn, void *self)
{
    int64_t index = locate(archive, file);
    if (index < 0)
        return refuse_file(archive->problems, file, "is not in the archive");
    struct csv_reader *reader = csv_reader_create(file, fn, self, NULL);
    csv_reader_collect(reader, archive->problems);
    bool done = archive_unpack(&archive->files, index, file, &archive->unpacking, feed, reader, archive->problems) &&
                csv_reader_end(reader) && !csv_reader_passed_over(reader);
    csv_reader_destroy(reader);
    return done;
}

/* Each name once, nothing beyond reason. */
static bool check_entries(struct archive *archive)
{
    int64_t n = archive_count(&archive->files);
    if (n > ROSTER_ENTRIES_MAX)
        return refuse_file(archive->problems, "", "more than %d files in the archive", ROSTER_ENTRIES_MAX);
    for (int64_t i = 0; i < n; ++i) {
        const char *name = archive_name(&archive->files, i);
        const char *base = name != NULL ? strrchr(name, '/') : NULL;
        if (name != NULL && archive_find(&archive->files, name, false) != i)
            return refuse_file(archive->problems, name, "is in the archive twice");
        if (base != NULL && word_is(base + 1, "manifest.csv") && locate(archive, "manifest.csv") < 0)
            return refuse_file(archive->problems, name, "is in a folder: the files must be at the top of the archive");
    }
    return true;
}

/* --- The manifest --- */

enum file_mode { FILE_UNSAID, FILE_ABSENT, FILE_BULK, FILE_DELTA };

struct manifest {
    struct archive *archive;
    bool header_read, versioned;
    enum oneroster version;   /* 0: not said */
    enum file_mode modes[32]; /* as ONEROSTER_FILES */
};

static int oneroster_file(const char *name)
{
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i)
        if (word_is(name, ONEROSTER_FILES[i]))
            return i;
    return -1;
}

static int table_of_file(const char *name) /* −1: it is not read */
{
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (word_is(name, ROSTER_TABLES[i].name))
            return i;
    return -1;
}

/* Says something of a row of the manifest that changes nothing. */
static void manifest_say(const struct manifest *m, struct csv_reader *reader, size_t field, const char *fmt,
                         const char *value)
{
    int64_t line, column;
    char message[200];
    csv_reader_place(reader, field, &line, &column);
    snprintf(message, sizeof message, fmt, value);
    roster_problems_tell_of(m->archive->problems, PROBLEM_FILE_OTHERWISE, "manifest.csv", line, column, "", "%s",
                            message);
}

static void manifest_file(struct manifest *m, struct csv_reader *reader, const char *name, const char *mode)
{
    int i = oneroster_file(name);
    enum file_mode said = word_is(mode, "bulk")     ? FILE_BULK
                          : word_is(mode, "delta")  ? FILE_DELTA
                          : word_is(mode, "absent") ? FILE_ABSENT
                          : *mode == '\0'           ? FILE_ABSENT
                                                    : FILE_UNSAID;
    if (i < 0) {
        manifest_say(m, reader, 0, "the standard knows no file \"%.60s\"", name);
    } else if (m->modes[i] != FILE_UNSAID) {
        csv_reader_refuse(reader, 0, "file.%.60s is there twice", name);
    } else if (said == FILE_UNSAID && table_of_file(name) >= 0) {
        csv_reader_refuse(reader, 1, "neither absent nor bulk nor delta");
    } else {
        m->modes[i] = said;
        if (*mode == '\0')
            manifest_say(m, reader, 1, "the mode of %.60s is empty: taken as absent", name);
    }
}

/* "1.2", and what belongs to it: "1.2.1", "1.2_JP". 0: another. */
static enum oneroster version_of(const char *value)
{
    enum oneroster version = strncmp(value, "1.2", 3) == 0   ? ONEROSTER_1_2
                             : strncmp(value, "1.1", 3) == 0 ? ONEROSTER_1_1
                                                             : 0;
    return version != 0 && (value[3] == '\0' || strchr("._- ", value[3]) != NULL) ? version : 0;
}

static void manifest_version(struct manifest *m, struct csv_reader *reader, const char *value)
{
    if (m->version != 0) {
        csv_reader_refuse(reader, 0, "oneroster.version is there twice");
        return;
    }
    m->version = version_of(value);
    if (m->version == 0)
        csv_reader_refuse(reader, 1, "only OneRoster 1.1 and 1.2 are read");
    else if (value[3] != '\0')
        manifest_say(m, reader, 1, "\"%.20s\" is read as the version that it begins with", value);
}

static bool on_manifest_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct manifest *m = self;
    if (row->n == 1 && strpbrk(row->fields[0], ";\t") != NULL)
        return csv_reader_refuse(reader, 0, "no commas: \"parta roster convert\" mends what a spreadsheet has saved");
    if (row->n != 2)
        return csv_reader_refuse(reader, 0, "the columns of a manifest are propertyName,value");
    const char *name = row->fields[0], *value = row->fields[1];
    if (!m->header_read) {
        m->header_read = true;
        return (word_is(name, "propertyName") && word_is(value, "value")) ||
               csv_reader_refuse(reader, 0, "the header of a manifest is propertyName,value");
    }
    if (strncasecmp(name, "file.", 5) == 0) {
        manifest_file(m, reader, name + 5, value);
    } else if (word_is(name, "manifest.version")) {
        if (m->versioned)
            csv_reader_refuse(reader, 0, "manifest.version is there twice");
        else if (strcmp(value, "1.0") != 0)
            csv_reader_refuse(reader, 1, "only manifest version 1.0 is known");
        m->versioned = true;
    } else if (word_is(name, "oneroster.version")) {
        manifest_version(m, reader, value);
    } else if (strncasecmp(name, "source.", 7) != 0) {
        manifest_say(m, reader, 0, "unknown property \"%.60s\"", name);
    }
    return true;
}

/* One of the standard's files: whether the manifest and the archive agree on it. */
static void check_file(const struct manifest *m, int i)
{
    char file[64];
    struct roster_problems *problems = m->archive->problems;
    snprintf(file, sizeof file, "%s.csv", ONEROSTER_FILES[i]);
    bool read = table_of_file(ONEROSTER_FILES[i]) >= 0, said = m->modes[i] > FILE_ABSENT;
    bool there = locate(m->archive, file) >= 0, as_written = archive_find(&m->archive->files, file, false) >= 0;
    if (there && !read)
        roster_problems_say(problems, PROBLEM_FILE_UNREAD, file, "is not read");
    else if (there && !said)
        refuse_file(problems, file, "is in the archive, but the manifest does not say bulk or delta");
    else if (!there && said && read)
        refuse_file(problems, file, "is not in the archive, but the manifest says %s",
                    m->modes[i] == FILE_BULK ? "bulk" : "delta");
    else if (!there && said)
        roster_problems_say(problems, PROBLEM_FILE_OTHERWISE, file, "is not in the archive, but the manifest says so");
    else if (there && !as_written)
        roster_problems_say(problems, PROBLEM_FILE_OTHERWISE,
                            archive_name(&m->archive->files, locate(m->archive, file)), "is read as %s", file);
}

/* The other files: they are not the standard's, or in a folder. */
static void say_strays(const struct archive *archive)
{
    int64_t n = archive_count(&archive->files);
    for (int64_t i = 0; i < n; ++i) {
        char stem[64];
        const char *name = archive_name(&archive->files, i);
        size_t len = name != NULL ? strlen(name) : 0;
        if (len == 0 || name[len - 1] == '/' || locate(archive, "manifest.csv") == i)
            continue;
        snprintf(stem, sizeof stem, "%.*s", len > 4 && word_is(name + len - 4, ".csv") ? (int)len - 4 : 0, name);
        bool known = oneroster_file(stem) >= 0 && locate(archive, name) == i;
        if (strchr(name, '/') != NULL)
            roster_problems_say(archive->problems, PROBLEM_FILE_UNREAD, name, "is in a folder: it is not read");
        else if (!known)
            roster_problems_say(archive->problems, PROBLEM_FILE_UNREAD, name, "is not one of the standard's files");
        else if (archive_find(&archive->files, name, false) != i)
            roster_problems_say(archive->problems, PROBLEM_FILE_UNREAD, name, "is there under another name, too");
    }
}

static bool check_manifest(const struct manifest *m)
{
    struct archive *archive = m->archive;
    if (m->version == 0 && !is_refused(archive->problems))
        refuse_file(archive->problems, "manifest.csv", "oneroster.version is missing");
    if (!m->versioned && !is_refused(archive->problems))
        refuse_file(archive->problems, "manifest.csv", "manifest.version is missing");
    if (is_refused(archive->problems))
        return false;
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i)
        check_file(m, i);
    say_strays(archive);
    return !is_refused(archive->problems);
}

static enum file_mode mode_of(const struct manifest *m, int table)
{
    return m->modes[oneroster_file(ROSTER_TABLES[table].name)];
}

/* What the manifest says of the files that are read. *delta: one of them at least is a delta. */
static bool check_tables(const struct manifest *m, bool *delta)
{
    struct roster_problems *problems = m->archive->problems;
    *delta = false;
    for (int i = 0; i < TABLE__COUNT; ++i) {
        *delta |= mode_of(m, i) == FILE_DELTA;
        if (mode_of(m, i) > FILE_ABSENT && !table_in(&ROSTER_TABLES[i], m->version))
            refuse_file(problems, "manifest.csv", "OneRoster 1.1 has no %s.csv", ROSTER_TABLES[i].name);
    }
    for (int i = 0; i < TABLE__COUNT && !*delta; ++i) {
        char file[64];
        bool in = table_in(&ROSTER_TABLES[i], m->version) && mode_of(m, i) != FILE_BULK;
        snprintf(file, sizeof file, "%s.csv", ROSTER_TABLES[i].name);
        if (in && ROSTER_TABLES[i].required)
            refuse_file(problems, "manifest.csv", "%s is needed", file);
        else if (in)
            roster_problems_say(problems, PROBLEM_FILE_OTHERWISE, file,
                                i == TABLE_DEMOGRAPHICS ? "is not there: no birth date is known"
                                : i == TABLE_SESSIONS   ? "is not there: of which year the roster is cannot be told"
                                                        : "is not there; nothing in it is read");
    }
    return !is_refused(problems);
}

/* --- A roster from rows, wherever they come from --- */

/* Where rows come from. */
struct rows_source {
    struct archive *archive;         /* NULL: the snapshot */
    const struct snapshot *snapshot; /* that is read, or tables of any version; NULL: the archive */
    const struct manifest *manifest;
    enum oneroster version;
};

/* One table, if it is there. false: not all of it could be read. */
static bool read_table(const struct rows_source *from, struct reading *in, int which, struct snapshot *snapshot)
{
    char file[64];
    struct table_reading t = {.in = in,
                              .which = (enum roster_table)which,
                              .table = &ROSTER_TABLES[which],
                              .fn = ROW_FNS[which],
                              .snapshot = snapshot};
    snprintf(file, sizeof file, "%s.csv", t.table->name);
    in->there[which] =
        from->snapshot != NULL ? from->snapshot->csv[which].len != 0 : mode_of(from->manifest, which) == FILE_BULK;
    if (!in->there[which])
        return true;
    if (from->snapshot == NULL)
        return read_csv(from->archive, file, on_table_row, &t) && !t.header_bad;
    const struct text *csv = &from->snapshot->csv[which];
    struct csv_reader *reader = csv_reader_create(file, on_table_row, &t, NULL);
    csv_reader_collect(reader, in->problems);
    bool done = csv_reader_feed(reader, csv->data, csv->len) && csv_reader_end(reader) && !t.header_bad;
    csv_reader_destroy(reader);
    return done;
}

static void reading_start(struct reading *in, enum oneroster version, struct roster_problems *problems)
{
    *in = (struct reading){.problems = problems, .version = version, .scratch = arena_create()};
    in->agents_end = &in->agents;
}

static void reading_finish(struct reading *in)
{
    for (int i = 0; i < TABLE__COUNT; ++i) {
        id_map_finish(&in->ids[i]);
        id_map_finish(&in->aside[i]);
    }
    id_map_finish(&in->usernames);
    row_set_finish(&in->role_facts);
    row_set_finish(&in->enrollment_facts);
    free(in->seen);
    free(in->teachers);
    arena_destroy(in->scratch);
}

/* Agents who are gone would be looked for when the snapshot is read: they are taken out as a
 * delta would (snapshot.h). */
static void drop_gone_agents(const struct reading *in, struct snapshot **snapshot)
{
    char buf[SOURCED_ID_BYTES];
    const char *id;
    struct roster_problem ignored;
    struct roster_delta *changes = roster_delta_create();
    for (const struct pending_agents *p = in->agents; p != NULL; p = p->next)
        for (const char *at = p->agents; (id = id_list_next(&at, buf)) != NULL;)
            if (id_map_find(&in->aside[TABLE_USERS], id) == OUTCOME_GONE &&
                id_map_find(&in->ids[TABLE_USERS], id) == ID_NONE)
                roster_delta_drop(changes, TABLE_USERS, id);
    struct snapshot *merged = snapshot_merge(*snapshot, changes, &ignored); /* what we wrote ourselves can be read */
    if (merged != NULL) {
        snapshot_destroy(*snapshot);
        *snapshot = merged;
    }
    roster_delta_destroy(changes);
}

/* *snapshot (may be NULL) collects the rows. NULL: refused. */
static struct roster *roster_from(const struct rows_source *from, struct snapshot **snapshot,
                                  struct roster_problems *problems)
{
    struct reading in;
    reading_start(&in, from->version, problems);
    in.roster = xcalloc(1, sizeof *in.roster);
    in.roster->memory = arena_create();
    for (int i = 0; i < TABLE__COUNT && (from->archive == NULL || !from->archive->unpacking.stopped); ++i)
        in.partial[i] = !read_table(from, &in, i, snapshot != NULL ? *snapshot : NULL);
    roster_complete(&in);
    if (in.agents_gone && snapshot != NULL)
        drop_gone_agents(&in, snapshot);
    struct roster *roster = in.roster;
    /* Three of the indices are the roster's own; the others end with the reading. */
    roster->newest_ms = in.newest_ms;
    roster->school_ids = in.ids[TABLE_ORGS];
    roster->class_ids = in.ids[TABLE_CLASSES];
    roster->person_ids = in.ids[TABLE_USERS];
    in.ids[TABLE_ORGS] = in.ids[TABLE_CLASSES] = in.ids[TABLE_USERS] = (struct id_map){0};
    reading_finish(&in);
    if (!is_refused(problems))
        return roster;
    roster_destroy(roster);
    return NULL;
}

struct roster *roster_read_snapshot(const struct snapshot *snapshot, struct roster_problems *problems)
{
    return roster_from(&(struct rows_source){.snapshot = snapshot, .version = ONEROSTER_SNAPSHOT}, NULL, problems);
}

bool roster_read_tables(const struct snapshot *tables, enum oneroster version, struct roster_update *out,
                        struct roster_problems *problems)
{
    *problems = (struct roster_problems){0};
    *out = (struct roster_update){.snapshot = snapshot_create()};
    out->roster = roster_from(&(struct rows_source){.snapshot = tables, .version = version}, &out->snapshot, problems);
    if (out->roster != NULL)
        return true;
    snapshot_destroy(out->snapshot);
    out->snapshot = NULL;
    return false;
}

/* --- Archives --- */

/* One file of the archive as changes: a whole one replaces, and what is gone in it takes along what is theirs as if a
 * delta had said so. */
static void read_change(struct archive *archive, const struct manifest *m, struct reading *in, int which,
                        struct roster_delta *changes)
{
    char file[64];
    struct table_reading t = {.in = in,
                              .which = (enum roster_table)which,
                              .table = &ROSTER_TABLES[which],
                              .changes = changes,
                              .delta = mode_of(m, which) == FILE_DELTA};
    snprintf(file, sizeof file, "%s.csv", t.table->name);
    if (mode_of(m, which) <= FILE_ABSENT)
        return;
    if (!t.delta)
        roster_delta_replace(changes, t.which);
    if (!t.delta && which == TABLE_USERS && m->version == ONEROSTER_1_1)
        roster_delta_replace(changes, TABLE_ROLES);
    read_csv(archive, file, on_table_row, &t);
    for (const struct gone_row *gone = t.gone; gone != NULL; gone = gone->next)
        if (!roster_delta_has(changes, t.which, gone->id))
            roster_delta_drop(changes, t.which, gone->id);
}

static bool read_changes(struct archive *archive, const struct manifest *m, struct roster_delta *changes,
                         int64_t *newest_ms)
{
    struct reading in;
    reading_start(&in, m->version, archive->problems);
    for (int i = 0; i < TABLE__COUNT && !archive->unpacking.stopped; ++i)
        read_change(archive, m, &in, i, changes);
    *newest_ms = in.newest_ms;
    reading_finish(&in);
    return !is_refused(archive->problems);
}

static bool merge(struct archive *archive, struct roster_delta *changes)
{
    struct roster_problem damaged;
    struct roster_update *out = archive->out;
    struct snapshot *unpacked =
        archive->base_opened == NULL ? snapshot_open(archive->base, archive->base_len, &damaged) : NULL;
    const struct snapshot *base = archive->base_opened != NULL ? archive->base_opened : unpacked;
    out->snapshot = base != NULL ? snapshot_merge(base, changes, &damaged) : NULL;
    snapshot_destroy(unpacked);
    if (out->snapshot == NULL)
        return refuse_file(archive->problems, damaged.file, "%s", damaged.message);
    out->roster = roster_read_snapshot(out->snapshot, archive->problems);
    return out->roster != NULL;
}

static bool read_delta(struct archive *archive, const struct manifest *m)
{
    if (archive->base == NULL && archive->base_opened == NULL)
        return refuse_file(
            archive->problems, "manifest.csv",
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
    bool delta, done = check_entries(archive) && (read_csv(archive, "manifest.csv", on_manifest_row, &m), true) &&
                       check_manifest(&m) && check_tables(&m, &delta);
    *out = (struct roster_update){0};
    if (done && delta) {
        done = read_delta(archive, &m);
    } else if (done) {
        out->snapshot = archive->snapshot ? snapshot_create() : NULL;
        out->roster = roster_from(&(struct rows_source){.archive = archive, .manifest = &m, .version = m.version},
                                  archive->snapshot ? &out->snapshot : NULL, archive->problems);
        done = out->roster != NULL;
    }
    if (done)
        return true;
    snapshot_destroy(out->snapshot);
    *out = (struct roster_update){0};
    return false;
}

/* The first of the problems, for whoever wants no more. */
static struct roster *first_problem(struct roster *roster, struct roster_problems *problems,
                                    struct roster_problem *problem)
{
    const struct roster_problem *first = roster_problems_first(problems);
    *problem = first != NULL ? *first : (struct roster_problem){0};
    roster_problems_finish(problems);
    return roster;
}

struct roster *roster_read(const char *path, struct roster_problem *problem)
{
    int code = 0;
    zip_error_t error;
    struct roster_update out = {0};
    struct roster_problems problems = {0};
    struct archive archive = {.problems = &problems, .out = &out};
    archive.files.zip = zip_open(path, ZIP_RDONLY, &code);
    if (archive.files.zip != NULL) {
        read_archive(&archive);
        zip_discard(archive.files.zip);
    } else {
        zip_error_init_with_code(&error, code);
        archive_refuse(&problems, &error);
    }
    return first_problem(out.roster, &problems, problem);
}

static bool read_bytes(const void *bytes, size_t len, struct archive *archive)
{
    *archive->problems = (struct roster_problems){0};
    *archive->out = (struct roster_update){0};
    archive->files.zip = archive_open(bytes, len, archive->problems);
    if (archive->files.zip == NULL)
        return false;
    bool done = read_archive(archive);
    zip_discard(archive->files.zip);
    return done;
}

struct roster *roster_read_bytes(const void *bytes, size_t len, struct roster_problem *problem)
{
    struct roster_update out;
    struct roster_problems problems;
    read_bytes(bytes, len, &(struct archive){.problems = &problems, .out = &out});
    return first_problem(out.roster, &problems, problem);
}

bool roster_read_update(const void *bytes, size_t len, const void *base, size_t base_len, struct roster_update *out,
                        struct roster_problems *problems)
{
    struct archive archive = {.problems = problems, .base = base, .base_len = base_len, .snapshot = true, .out = out};
    return read_bytes(bytes, len, &archive);
}

bool roster_read_files(const struct archive_files *files, const struct snapshot *base, struct roster_update *out,
                       struct roster_problems *problems)
{
    *problems = (struct roster_problems){0};
    return read_archive(
        &(struct archive){.files = *files, .problems = problems, .base_opened = base, .snapshot = true, .out = out});
}

void roster_destroy(struct roster *roster)
{
    if (roster == NULL)
        return;
    id_map_finish(&roster->school_ids);
    id_map_finish(&roster->class_ids);
    id_map_finish(&roster->person_ids);
    free(roster->schools);
    free(roster->classes);
    free(roster->people);
    free(roster->roles);
    free(roster->enrollments);
    free(roster->guardianships);
    arena_destroy(roster->memory);
    free(roster);
}
