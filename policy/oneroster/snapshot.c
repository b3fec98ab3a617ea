#include "policy/oneroster/snapshot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "homeserver/base/ids.h"
#include "policy/oneroster/archive.h"
#include "policy/oneroster/arena.h"
#include "policy/oneroster/id_map.h"

#define PACK_LEVEL 1 /* of deflate: half the bytes for a tenth of the time of the usual */

/* --- Rows as text --- */

static void add_row(struct text *out, enum roster_table table, const char *const *values)
{
    const struct table *t = &ROSTER_TABLES[table];
    for (size_t i = 0; i < t->n; ++i) {
        if (!t->columns[i].kept)
            continue;
        if (i > 0)
            text_addc(out, ',');
        csv_add_cell(out, values[i] != NULL ? values[i] : "");
    }
    text_addc(out, '\n');
}

#define HEADER_BYTES 500 /* of the longest, and a row */

static void add_header(struct text *out, enum roster_table table)
{
    const char *names[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < ROSTER_TABLES[table].n; ++i)
        names[i] = ROSTER_TABLES[table].columns[i].name;
    add_row(out, table, names);
}

struct snapshot *snapshot_create(void)
{
    struct snapshot *snapshot = xcalloc(1, sizeof *snapshot);
    for (int i = 0; i < TABLE__COUNT; ++i) {
        text_reserve(&snapshot->csv[i], HEADER_BYTES);
        add_header(&snapshot->csv[i], (enum roster_table)i);
    }
    return snapshot;
}

void snapshot_destroy(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (int i = 0; i < TABLE__COUNT; ++i)
        text_finish(&snapshot->csv[i]);
    free(snapshot);
}

void snapshot_add(struct snapshot *snapshot, enum roster_table table, const char *const *values)
{
    add_row(&snapshot->csv[table], table, values);
}

/* --- The archive --- */

static const char *file_name(int table, char out[64])
{
    snprintf(out, 64, "%s.csv", ROSTER_TABLES[table].name);
    return out;
}

static bool refuse_damaged(struct roster_problem *problem, const char *file, const char *why)
{
    *problem = (struct roster_problem){0};
    snprintf(problem->file, sizeof problem->file, "%s", file);
    snprintf(problem->message, sizeof problem->message,
             "what was imported before is damaged (%.100s): import a bulk export again", why);
    return false;
}

static bool open_file(zip_t *zip, int table, struct text *out, struct roster_problem *problem)
{
    char name[64];
    zip_stat_t stat;
    zip_file_t *file = zip_fopen(zip, file_name(table, name), 0);
    if (file == NULL || zip_stat(zip, name, 0, &stat) != 0 || stat.size > ROSTER_BYTES_MAX) {
        if (file != NULL)
            zip_fclose(file);
        return refuse_damaged(problem, name, zip_strerror(zip));
    }
    text_clear(out);
    text_reserve(out, stat.size);
    zip_int64_t n = zip_fread(file, out->data, stat.size);
    out->len = n > 0 ? (size_t)n : 0;
    out->data[out->len] = '\0';
    zip_fclose(file);
    return n == (zip_int64_t)stat.size || refuse_damaged(problem, name, "cut short");
}

struct snapshot *snapshot_open(const void *archive, size_t len, struct roster_problem *problem)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(archive, len, 0, &error);
    zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (zip == NULL) {
        zip_source_free(source);
        refuse_damaged(problem, "", zip_error_strerror(&error));
        zip_error_fini(&error);
        return NULL;
    }
    struct snapshot *snapshot = snapshot_create();
    bool good = true;
    for (int i = 0; good && i < TABLE__COUNT; ++i)
        good = open_file(zip, i, &snapshot->csv[i], problem);
    zip_discard(zip);
    if (good)
        return snapshot;
    snapshot_destroy(snapshot);
    return NULL;
}

bool snapshot_pack(const struct snapshot *snapshot, struct text *out)
{
    char names[TABLE__COUNT][64];
    struct archive_part parts[TABLE__COUNT];
    for (int i = 0; i < TABLE__COUNT; ++i)
        parts[i] = (struct archive_part){file_name(i, names[i]), &snapshot->csv[i]};
    return archive_pack(parts, TABLE__COUNT, PACK_LEVEL, out);
}

/* --- Changes --- */

struct row_change {
    const char *id, *row; /* row NULL: dropped */
    bool used;
};

struct table_changes {
    struct id_map numbers; /* id → number of the change */
    struct row_change *changes;
    size_t n, cap;
    bool replaces;
};

struct roster_delta {
    struct table_changes tables[TABLE__COUNT];
    struct id_map whole_roles; /* people whose old roles go */
    bool drops_people, drops_classes, any_roles;
    struct arena *memory;
    struct text row; /* scratch */
};

struct roster_delta *roster_delta_create(void)
{
    struct roster_delta *delta = xcalloc(1, sizeof *delta);
    delta->memory = arena_create();
    return delta;
}

void roster_delta_destroy(struct roster_delta *delta)
{
    if (delta == NULL)
        return;
    for (int i = 0; i < TABLE__COUNT; ++i) {
        id_map_finish(&delta->tables[i].numbers);
        free(delta->tables[i].changes);
    }
    id_map_finish(&delta->whole_roles);
    arena_destroy(delta->memory);
    text_finish(&delta->row);
    free(delta);
}

/* The change of that id; *fresh: it is new. */
static struct row_change *change_of(struct roster_delta *delta, enum roster_table table, const char *id, bool *fresh)
{
    struct table_changes *t = &delta->tables[table];
    uint32_t number = id_map_find(&t->numbers, id);
    *fresh = number == ID_NONE;
    if (!*fresh)
        return &t->changes[number];
    if (t->n == t->cap) {
        t->cap = t->cap != 0 ? 2 * t->cap : 64;
        t->changes = xrealloc(t->changes, t->cap * sizeof *t->changes);
    }
    t->changes[t->n] = (struct row_change){.id = arena_copy(delta->memory, id)};
    id_map_put(&t->numbers, t->changes[t->n].id, (uint32_t)t->n);
    return &t->changes[t->n++];
}

bool roster_delta_put(struct roster_delta *delta, enum roster_table table, const char *const *values)
{
    bool fresh;
    struct row_change *change = change_of(delta, table, values[0] != NULL ? values[0] : "", &fresh);
    text_clear(&delta->row);
    add_row(&delta->row, table, values);
    change->row = arena_copy(delta->memory, delta->row.data);
    return fresh;
}

bool roster_delta_drop(struct roster_delta *delta, enum roster_table table, const char *id)
{
    bool fresh;
    change_of(delta, table, id, &fresh)->row = NULL;
    delta->drops_people |= table == TABLE_USERS;
    delta->drops_classes |= table == TABLE_CLASSES;
    return fresh;
}

bool roster_delta_has(const struct roster_delta *delta, enum roster_table table, const char *id)
{
    return id_map_find(&delta->tables[table].numbers, id) != ID_NONE;
}

void roster_delta_replace(struct roster_delta *delta, enum roster_table table)
{
    delta->tables[table].replaces = true;
}

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

/* Enough of the person's sourcedId to know whom a problem is about, and what tells the role from
 * the person's others. */
static void told_id(const char *user, const struct told_role *role, char id[TOLD_ID_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof hash + 1];
    crypto_generichash_state state;
    const char *parts[] = {user, or_empty(role->org), or_empty(role->role), or_empty(role->begin)};
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        crypto_generichash_update(&state, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(id, TOLD_ID_BYTES, "%.*s~%s", (int)utf8_cut(user, strlen(user), 200), user, hex);
}

/* The row has no sourcedId of its own: it gets one that follows from what it says. */
void told_role_row(const char *user, const struct told_role *role, const char **values, char id[TOLD_ID_BYTES])
{
    told_id(user, role, id);
    values[ROLE_ROW_ID] = id;
    values[ROLE_ROW_USER] = user;
    values[ROLE_ROW_TYPE] = role->type != NULL && *role->type != '\0' ? role->type : "primary";
    /* 1.1 and some REST servers know one kind of administrator; in a school it is the school's. */
    values[ROLE_ROW_ROLE] =
        strcmp(or_empty(role->role), "administrator") == 0 ? "siteAdministrator" : or_empty(role->role);
    values[ROLE_ROW_BEGIN] = role->begin;
    values[ROLE_ROW_END] = role->end;
    values[ROLE_ROW_ORG] = role->org;
}

void roster_delta_put_roles(struct roster_delta *delta, const char *user, const struct told_role *roles, size_t n)
{
    delta->any_roles = true;
    if (id_map_find(&delta->whole_roles, user) == ID_NONE)
        id_map_put(&delta->whole_roles, arena_copy(delta->memory, user), 0);
    for (size_t i = 0; i < n; ++i) {
        char id[TOLD_ID_BYTES];
        const char *values[COLUMNS_MAX] = {0};
        told_role_row(user, &roles[i], values, id);
        roster_delta_put(delta, TABLE_ROLES, values);
    }
}

/* --- The merge --- */

struct merging {
    struct roster_delta *delta;
    struct snapshot *out;
    enum roster_table table;
    struct text agents; /* scratch */
    size_t next;        /* clean_row: the change at hand */
    bool header_read;
};

static bool is_dropped(const struct roster_delta *delta, enum roster_table table, const char *id)
{
    uint32_t number = id_map_find(&delta->tables[table].numbers, id);
    return number != ID_NONE && delta->tables[table].changes[number].row == NULL;
}

/* Whether a row goes because whom it belongs to is dropped. */
static bool goes_along(const struct merging *m, const char *const *values)
{
    const struct roster_delta *d = m->delta;
    switch (m->table) {
    case TABLE_ROLES: return is_dropped(d, TABLE_USERS, values[ROLE_ROW_USER]);
    case TABLE_DEMOGRAPHICS: return is_dropped(d, TABLE_USERS, values[DEMO_ID]);
    case TABLE_ENROLLMENTS:
        return is_dropped(d, TABLE_USERS, values[ENROLLMENT_USER]) ||
               is_dropped(d, TABLE_CLASSES, values[ENROLLMENT_CLASS]);
    default: return false;
    }
}

/* The list of agents without those who are dropped. */
static const char *agents_left(struct merging *m, const char *agents)
{
    char buf[SOURCED_ID_BYTES];
    const char *at = agents, *id;
    text_clear(&m->agents);
    text_adds(&m->agents, "");
    while ((id = id_list_next(&at, buf)) != NULL)
        if (!is_dropped(m->delta, TABLE_USERS, id))
            text_addf(&m->agents, "%s%s", m->agents.len != 0 ? "," : "", id);
    return m->agents.data;
}

/* The row's fields by column number; agents who are dropped are left out. */
static void spread(struct merging *m, const struct csv_row *row, const char **values)
{
    size_t field = 0;
    for (size_t i = 0; i < ROSTER_TABLES[m->table].n && field < row->n; ++i)
        if (ROSTER_TABLES[m->table].columns[i].kept)
            values[i] = row->fields[field++];
    if (m->table == TABLE_USERS && m->delta->drops_people && values[USER_AGENTS] != NULL &&
        *values[USER_AGENTS] != '\0')
        values[USER_AGENTS] = agents_left(m, values[USER_AGENTS]);
}

/* A row that was put may belong to somebody whom the same changes drop. */
static bool clean_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct merging *m = self;
    struct table_changes *t = &m->delta->tables[m->table];
    const char *values[COLUMNS_MAX] = {0};
    (void)reader;
    if (!m->header_read)
        return m->header_read = true;
    while (t->changes[m->next].row == NULL)
        ++m->next;
    spread(m, row, values);
    text_clear(&m->delta->row);
    add_row(&m->delta->row, m->table, values);
    t->changes[m->next++].row = goes_along(m, values) ? NULL : arena_copy(m->delta->memory, m->delta->row.data);
    return true;
}

static bool clean_changes(struct merging *m, const char *file, struct roster_problem *problem)
{
    struct text rows = TEXT_INIT;
    const struct table_changes *t = &m->delta->tables[m->table];
    if (t->n == 0 || (!m->delta->drops_people && !m->delta->drops_classes))
        return true;
    add_header(&rows, m->table);
    for (size_t i = 0; i < t->n; ++i)
        text_adds(&rows, or_empty(t->changes[i].row));
    m->next = 0;
    m->header_read = false;
    struct csv_reader *reader = csv_reader_create(file, clean_row, m, problem);
    bool good = csv_reader_feed(reader, rows.data, rows.len) && csv_reader_end(reader);
    csv_reader_destroy(reader);
    text_finish(&rows);
    return good;
}

/* A row that was put. A delta does not say that two rows are one person's (columns.h: USER_SAME): that stays. */
static void add_changed(struct merging *m, const struct csv_row *before, const char *row)
{
    struct text *out = &m->out->csv[m->table];
    const char *values[COLUMNS_MAX] = {0};
    size_t len = strlen(row);
    spread(m, before, values);
    text_adds(out, row);
    if (m->table != TABLE_USERS || values[USER_SAME] == NULL || len < 2 || strcmp(row + len - 2, ",\n") != 0)
        return;
    --out->len;
    csv_add_cell(out, values[USER_SAME]);
    text_addc(out, '\n');
}

static bool merge_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct merging *m = self;
    struct table_changes *t = &m->delta->tables[m->table];
    struct text *out = &m->out->csv[m->table];
    const char *values[COLUMNS_MAX] = {0};
    (void)reader;
    if (!m->header_read || t->replaces) {
        m->header_read = true;
        return true;
    }
    uint32_t number = id_map_find(&t->numbers, row->fields[0]);
    if (number != ID_NONE) {
        t->changes[number].used = true;
        add_changed(m, row, or_empty(t->changes[number].row));
        return true;
    }
    spread(m, row, values);
    /* An old role row goes, too, when the person's roles were told anew. */
    bool told_anew = m->table == TABLE_ROLES && id_map_find(&m->delta->whole_roles, values[ROLE_ROW_USER]) != ID_NONE;
    if (!told_anew && !goes_along(m, values))
        add_row(out, m->table, values);
    return true;
}

static bool merge_table(struct merging *m, const struct text *base, struct roster_problem *problem)
{
    char file[64];
    struct table_changes *t = &m->delta->tables[m->table];
    file_name(m->table, file);
    if (!clean_changes(m, file, problem))
        return false;
    struct csv_reader *reader = csv_reader_create(file, merge_row, m, problem);
    m->header_read = false;
    bool good = csv_reader_feed(reader, base->data, base->len) && csv_reader_end(reader);
    csv_reader_destroy(reader);
    for (size_t i = 0; good && i < t->n; ++i)
        if (!t->changes[i].used)
            text_adds(&m->out->csv[m->table], or_empty(t->changes[i].row));
    return good || refuse_damaged(problem, file, "not CSV");
}

struct snapshot *snapshot_merge(const struct snapshot *base, struct roster_delta *delta, struct roster_problem *problem)
{
    struct merging m = {.delta = delta, .out = snapshot_create()};
    bool good = true;
    for (int i = 0; good && i < TABLE__COUNT; ++i) {
        m.table = (enum roster_table)i;
        text_reserve(&m.out->csv[i], base->csv[i].len);
        good = merge_table(&m, &base->csv[i], problem);
    }
    text_finish(&m.agents);
    if (good)
        return m.out;
    snapshot_destroy(m.out);
    return NULL;
}
