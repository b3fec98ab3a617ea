#include "policy/audit/row_text.h"

#include <stdlib.h>
#include <string.h>

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

static const char *name_of(struct row_text *r, enum guarded_value kind, int64_t no)
{
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

/* Of a row that is another now: what changed, and what names it. */
static void add_changed(struct row_text *r, struct text *out, const struct row_change *change, int i)
{
    const struct guarded_column *column = &change->table->columns[i];
    const struct row_value *before = &change->columns[i].before, *after = &change->columns[i].after;
    if (!change->columns[i].changed && (column->guard != GUARD_KEY || is_usual(column, before)))
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
            : is_usual(column, value))
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

/* A room of several schools is in no other's log than the act's. */
static school_no school_of_any_room(struct db *db, room_no no)
{
    struct room_school room;
    if (!school_of_room(db, no, &room))
        return 0;
    return room.school == 0 && room.n_schools == 1 ? viewer_room_school(db, 0, no) : room.school;
}

static school_no school_of_value(struct row_text *r, enum guarded_value kind, int64_t no, school_no own)
{
    switch (kind) {
    case VALUE_CLASS: return school_of_class(r->db, no);
    case VALUE_ROOM: return school_of_any_room(r->db, no);
    case VALUE_USER:
    case VALUE_PERSON: return school_roles(r->db, own, no) != 0 ? own : roles_first_school(r->db, no);
    default: return no;
    }
}

school_no row_text_school(struct row_text *r, const struct row_change *change, school_no own)
{
    for (int i = 0; change->table->columns[i].guard != GUARD_NO; ++i) {
        const struct guarded_column *column = &change->table->columns[i];
        const struct row_value *value =
            change->sign == ROW_REMOVED ? &change->columns[i].before : &change->columns[i].after;
        if ((column->flags & GUARD_PLACE) != 0)
            return school_of_value(r, column->value, value->number, own);
    }
    return 0;
}

void row_text_finish(struct row_text *r)
{
    for (size_t i = 0; i < sizeof r->last / sizeof *r->last; ++i)
        free(r->last[i].name);
    *r = (struct row_text){0};
}
