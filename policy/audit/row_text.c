#include "policy/audit/row_text.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/search.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/school/viewer.h"

/* --- Names --- */

static char *ask(struct row_text *r, enum guarded_value kind, int64_t no)
{
    char *name = NULL;
    if (kind == VALUE_PERSON)
        name = people_sourced_id(r->db, no);
    if (kind == VALUE_USER || (kind == VALUE_PERSON && name == NULL))
        name = users_id(r->db, r->server_name, no);
    if (kind == VALUE_SCHOOL)
        name = schools_sourced_id(r->db, no);
    if (kind == VALUE_CLASS)
        name = classes_sourced_id(r->db, no);
    if (kind == VALUE_ROOM)
        name = rooms_id_of(r->db, no);
    return name;
}

static size_t first_past(const struct row_past *past, user_no user);

/* A1: a sourcedId is told where the record is known, or was until this job; elsewhere the Matrix ID, which says
 * nothing. */
static bool knows_record(struct row_text *r, user_no user)
{
    bool elsewhere = false, here = false;
    if (r->school == 0 || r->of_roster)
        return true;
    if (r->person == user && r->known_to == r->school)
        return r->known;
    if (r->where.user == user && r->where.n == 1 && r->where.schools[0] == r->school)
        return true; /* and nowhere else */
    for (size_t i = first_past(r->past, user); i < r->past->n && r->past->roles[i].user == user; ++i) {
        elsewhere = elsewhere || r->past->roles[i].school != r->school;
        here = here || (r->past->roles[i].school == r->school && r->past->roles[i].of_roster);
    }
    r->person = user;
    r->known_to = r->school;
    r->known = here || people_record_of_school(r->db, r->school, r->today, user, elsewhere);
    return r->known;
}

static school_no school_of_any_class(struct row_text *r, class_no no)
{
    if (r->class != no)
        r->class_school = school_of_class(r->db, no);
    r->class = no;
    return r->class_school;
}

static bool is_anothers(struct row_text *r, enum guarded_value kind, int64_t no)
{
    school_no school = kind == VALUE_SCHOOL ? no : kind == VALUE_CLASS ? school_of_any_class(r, no) : r->school;
    return r->school != 0 && school != 0 && school != r->school;
}

static const char *name_of(struct row_text *r, enum guarded_value kind, int64_t no)
{
    if (is_anothers(r, kind, no))
        return AUDIT_ELSEWHERE;
    kind = kind == VALUE_PERSON && !knows_record(r, no) ? VALUE_USER : kind;
    struct row_name *last = &r->last[kind];
    const char *known = r->names != NULL ? r->names->name(r->names->self, kind, no) : NULL;
    if (known != NULL)
        return known;
    if (last->name == NULL || last->no != no) {
        free(last->name);
        *last = (struct row_name){no, ask(r, kind, no)};
    }
    return last->name != NULL ? last->name : "";
}

/* --- Values --- */

/* Whether it goes without saying, in a row that came or went: since ever, for ever, what a roster keeps. */
static bool is_usual(const struct guarded_column *column, const struct row_value *value)
{
    if (value->kind == ROW_NULL || (value->kind == ROW_NUMBER && value->number == 0) ||
        (value->kind == ROW_TEXT && value->len == 0))
        return true;
    return (column->value == VALUE_DAY && strcmp(value->text, "9999-12-31") == 0) ||
           (column->value == VALUE_SOURCE && source_is_roster(value->text));
}

static void add_value(struct row_text *r, struct text *out, const struct guarded_column *column,
                      const struct row_value *value)
{
    if (value->kind == ROW_NULL || (column->value == VALUE_DAY && is_usual(column, value)))
        text_adds(out, "null");
    else if (column->value == VALUE_FLAG)
        text_adds(out, value->number != 0 ? "true" : "false");
    else if (column->value >= VALUE_USER && value->number != 0)
        text_add_json(out, name_of(r, column->value, value->number));
    else if (column->value == VALUE_LOCALPART)
        text_addf(out, "\"@%.*s:%s\"", (int)value->len, value->text, r->server_name);
    else if (value->kind == ROW_NUMBER)
        text_add_int(out, value->number);
    else
        text_add_json_string(out, value->text, value->len);
}

static void add_key(struct text *out, const struct guarded_column *column)
{
    text_adds(out, ",\"");
    text_adds(out, column->shown != NULL ? column->shown : column->name);
    text_adds(out, "\":");
}

/* Which roster keeps somebody of several schools is the affair of one of them. */
static bool is_elsewheres(const struct row_text *r, const struct guarded_column *column)
{
    return column->value == VALUE_SOURCE && r->school != 0 && r->of.n > 1;
}

/* Of a row that is another now: what changed, and what names it. */
static void add_changed(struct row_text *r, struct text *out, const struct row_change *change, int i)
{
    const struct guarded_column *column = &change->table->columns[i];
    const struct row_value *before = &change->columns[i].before, *after = &change->columns[i].after;
    if (!change->columns[i].changed && (column->guard != GUARD_KEY || is_usual(column, before)))
        return;
    if (is_elsewheres(r, column))
        return;
    add_key(out, column);
    if (column->guard == GUARD_HIDDEN) {
        text_adds(out, before->kind == ROW_NULL ? "\"set\"" : after->kind == ROW_NULL ? "\"removed\"" : "\"changed\"");
    } else if (column->guard == GUARD_KEY) { /* as it is now: an erased sourcedId must not come back */
        add_value(r, out, column, after);
    } else {
        text_addc(out, '[');
        add_value(r, out, column, before);
        text_addc(out, ',');
        add_value(r, out, column, after);
        text_addc(out, ']');
    }
}

/* Of a row that came or went. */
static void add_whole(struct row_text *r, struct text *out, const struct row_change *change, int i)
{
    const struct guarded_column *column = &change->table->columns[i];
    const struct row_value *value = change->sign == ROW_ADDED ? &change->columns[i].after : &change->columns[i].before;
    if (column->guard == GUARD_HIDDEN
            ? change->sign != ROW_ADDED || (column->flags & GUARD_TOLD) == 0 || value->kind == ROW_NULL
            : is_usual(column, value) || is_elsewheres(r, column))
        return;
    add_key(out, column);
    if (column->guard == GUARD_HIDDEN)
        text_adds(out, "\"set\"");
    else
        add_value(r, out, column, value);
}

void row_text_add(struct row_text *r, struct text *out, const struct row_change *change)
{
    const struct guarded_table *table = change->table;
    text_adds(out, "{\"");
    text_addc(out, change->sign);
    text_adds(out, "\":\"");
    text_adds(out, table->record);
    text_addc(out, '"');
    for (int i = 0; table->columns[i].guard != GUARD_NO; ++i) {
        if (table->columns[i].shown != NULL && table->columns[i].shown[0] == '\0')
            continue;
        if (change->sign == ROW_CHANGED)
            add_changed(r, out, change, i);
        else
            add_whole(r, out, change, i);
    }
    text_addc(out, '}');
}

static void add_school(struct row_schools *to, school_no school)
{
    for (size_t i = 0; i < to->n; ++i)
        if (to->schools[i] == school)
            return;
    if (school == 0)
        return;
    if (to->n == to->cap)
        to->schools = xrealloc(to->schools, (to->cap = 2 * to->cap + 4) * sizeof *to->schools);
    to->schools[to->n++] = school;
}

/* current: where they are today, or will be. */
static void add_roles(struct row_text *r, user_no user, bool current)
{
    struct role_row row;
    school_day today = day_from(r->today);
    struct stmt *q = roles_of_person(r->db, user);
    while (roles_next(q, &row))
        if (!current || row.end >= today)
            add_school(&r->where, row.school);
    stmt_end(q);
}

/* An account and its person often come one behind the other. */
static void add_schools_of(struct row_text *r, user_no user)
{
    if (r->where.user != user) {
        r->where.user = user;
        r->where.n = 0;
        add_roles(r, user, true);
        for (size_t i = first_past(r->past, user); i < r->past->n && r->past->roles[i].user == user; ++i)
            add_school(&r->where, r->past->roles[i].school);
        if (r->where.n == 0)
            add_roles(r, user, false);
    }
    for (size_t i = 0; i < r->where.n; ++i)
        add_school(&r->of, r->where.schools[i]);
}

#define ASSOCIATED 64 /* schools that share a room: more are not told */

/* Rooms that schools have agreed to share are theirs; other rooms of several schools are in no other log than the
 * act's. */
static void add_schools_of_room(struct row_text *r, room_no no)
{
    school_no schools[ASSOCIATED];
    struct room_school room;
    int n = 0;
    if (!school_of_room(r->db, no, &room))
        return;
    if (room.kind == ROOM_ASSOCIATION)
        school_rooms_schools(r->db, no, schools, ASSOCIATED, &n);
    else if (room.school == 0 && room.n_schools == 1)
        schools[n++] = viewer_room_school(r->db, 0, no);
    else
        schools[n++] = room.school;
    for (int i = 0; i < n; ++i)
        add_school(&r->of, schools[i]);
}

static void add_schools(struct row_text *r, enum guarded_value kind, int64_t no)
{
    if (kind == VALUE_USER || kind == VALUE_PERSON)
        add_schools_of(r, no);
    else if (kind == VALUE_ROOM)
        add_schools_of_room(r, no);
    else
        add_school(&r->of, kind == VALUE_CLASS ? school_of_any_class(r, no) : no);
}

static bool is_roster_source(const struct row_value *value)
{
    return value->kind == ROW_TEXT && source_is_roster(value->text);
}

/* Of roles and enrollments, which say themselves in which school. */
static bool is_roster_place(const struct row_change *change)
{
    bool sourced = false, placed = false;
    for (int i = 0; change->table->columns[i].guard != GUARD_NO; ++i) {
        const struct guarded_column *column = &change->table->columns[i];
        const struct row_value *value =
            change->sign == ROW_ADDED ? &change->columns[i].after : &change->columns[i].before;
        sourced = sourced || (column->value == VALUE_SOURCE && is_roster_source(value));
        placed = placed || ((column->flags & GUARD_PLACE) != 0 &&
                            (column->value == VALUE_SCHOOL || column->value == VALUE_CLASS));
    }
    return sourced && placed;
}

void row_text_schools(struct row_text *r, const struct row_change *change)
{
    r->of.n = 0;
    for (int i = 0; change->table->columns[i].guard != GUARD_NO; ++i) {
        const struct guarded_column *column = &change->table->columns[i];
        const struct row_value *before = &change->columns[i].before, *after = &change->columns[i].after;
        if ((column->flags & GUARD_PLACE) == 0)
            continue;
        if (before->kind == ROW_NUMBER && (after->kind != ROW_NUMBER || after->number != before->number))
            add_schools(r, column->value, before->number);
        if (after->kind == ROW_NUMBER)
            add_schools(r, column->value, after->number);
    }
    r->of_roster = r->of.n == 1 && is_roster_place(change);
}

void row_text_schools_of(struct row_text *r, user_no user)
{
    r->of.n = 0;
    add_schools_of(r, user);
}

int64_t row_text_report(const struct row_change *change)
{
    for (int i = 0; change->table->columns[i].guard != GUARD_NO; ++i)
        if ((change->table->columns[i].flags & GUARD_REPORT) != 0)
            return (change->sign == ROW_REMOVED ? change->columns[i].before : change->columns[i].after).number;
    return 0;
}

/* --- Where people were --- */

static int compare_past(const void *left, const void *right)
{
    const struct past_role *x = left, *y = right;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    if (x->school != y->school)
        return x->school < y->school ? -1 : 1;
    return (int)x->of_roster - (int)y->of_roster;
}

static void past_add(struct row_past *past, const struct past_role *role)
{
    if (past->n == past->cap)
        past->roles = xrealloc(past->roles, (past->cap = 2 * past->cap + 16) * sizeof *past->roles);
    past->roles[past->n++] = *role;
}

void row_past_take(struct row_past *past, const struct row_changes *changes)
{
    static const struct guarded_table *roles;
    struct row_change change;
    size_t n = 0;
    if (roles == NULL)
        roles = guarded_find("roles");
    for (size_t at = 0; row_changes_next(changes, &at, &change);) {
        struct past_role role = {0};
        if (change.table != roles || change.sign == ROW_ADDED)
            continue;
        for (int i = 0; roles->columns[i].guard != GUARD_NO; ++i)
            if (roles->columns[i].value == VALUE_PERSON)
                role.user = change.columns[i].before.number;
            else if (roles->columns[i].value == VALUE_SCHOOL)
                role.school = change.columns[i].before.number;
            else if (roles->columns[i].value == VALUE_SOURCE)
                role.of_roster = is_roster_source(&change.columns[i].before);
        past_add(past, &role);
    }
    if (past->n != past->sorted)
        qsort(past->roles, past->n, sizeof *past->roles, compare_past);
    for (size_t i = 0; i < past->n; ++i) /* each once */
        if (i == 0 || compare_past(&past->roles[i], &past->roles[n - 1]) != 0)
            past->roles[n++] = past->roles[i];
    past->n = past->sorted = n;
}

/* Of the first role that is that person's, or of the next one's. */
static size_t first_past(const struct row_past *past, user_no user)
{
    size_t at;
    SEARCH_FIRST(at, past->n, past->roles[at].user < user);
    return at;
}

bool row_past_has(const struct row_past *past, user_no user, school_no school)
{
    for (size_t i = first_past(past, user); i < past->n && past->roles[i].user == user; ++i)
        if (past->roles[i].school == school)
            return true;
    return false;
}

void row_past_finish(struct row_past *past)
{
    free(past->roles);
    *past = (struct row_past){0};
}

void row_text_finish(struct row_text *r)
{
    for (size_t i = 0; i < sizeof r->last / sizeof *r->last; ++i)
        free(r->last[i].name);
    free(r->of.schools);
    free(r->where.schools);
    *r = (struct row_text){0};
}
