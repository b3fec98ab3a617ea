#include "policy/oneroster/rest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/names.h"

enum member_kind {
    MEMBER_TEXT,
    MEMBER_DATE, /* a day; of a moment the day */
    MEMBER_YEAR, /* 2027, "2027", "2026-2027": the year in which it ends */
    MEMBER_BOOL, /* true, "true" */
    MEMBER_REF,  /* {"sourcedId": …} */
    MEMBER_REFS, /* several */
    MEMBER_LIST, /* of strings */
};

struct member {
    const char *name; /* NULL: the end */
    enum member_kind kind;
    int column;
};

static const struct member SESSION_MEMBERS[] = {
    {"title", MEMBER_TEXT, SESSION_TITLE},
    {"type", MEMBER_TEXT, SESSION_TYPE},
    {"startDate", MEMBER_DATE, SESSION_START},
    {"endDate", MEMBER_DATE, SESSION_END},
    {"parent", MEMBER_REF, SESSION_PARENT},
    {"schoolYear", MEMBER_YEAR, SESSION_YEAR},
    {NULL},
};
static const struct member ORG_MEMBERS[] = {
    {"name", MEMBER_TEXT, ORG_NAME}, {"type", MEMBER_TEXT, ORG_TYPE}, {"parent", MEMBER_REF, ORG_PARENT}, {NULL}};
static const struct member COURSE_MEMBERS[] = {{"title", MEMBER_TEXT, COURSE_TITLE},
                                               {"schoolYear", MEMBER_REF, COURSE_YEAR},
                                               {"org", MEMBER_REF, COURSE_ORG},
                                               {NULL}};
static const struct member CLASS_MEMBERS[] = {
    {"title", MEMBER_TEXT, CLASS_TITLE},
    {"grades", MEMBER_LIST, CLASS_GRADES},
    {"course", MEMBER_REF, CLASS_COURSE},
    {"classType", MEMBER_TEXT, CLASS_TYPE},
    {"school", MEMBER_REF, CLASS_SCHOOL},
    {"terms", MEMBER_REFS, CLASS_TERMS},
    {NULL},
};
static const struct member USER_MEMBERS[] = {
    {"enabledUser", MEMBER_BOOL, USER_ENABLED}, {"givenName", MEMBER_TEXT, USER_GIVEN},
    {"familyName", MEMBER_TEXT, USER_FAMILY},   {"middleName", MEMBER_TEXT, USER_MIDDLE},
    {"agents", MEMBER_REFS, USER_AGENTS},       {NULL},
};
static const struct member ENROLLMENT_MEMBERS[] = {
    {"class", MEMBER_REF, ENROLLMENT_CLASS},      {"school", MEMBER_REF, ENROLLMENT_SCHOOL},
    {"user", MEMBER_REF, ENROLLMENT_USER},        {"role", MEMBER_TEXT, ENROLLMENT_ROLE},
    {"primary", MEMBER_BOOL, ENROLLMENT_PRIMARY}, {"beginDate", MEMBER_DATE, ENROLLMENT_BEGIN},
    {"endDate", MEMBER_DATE, ENROLLMENT_END},     {NULL},
};
static const struct member DEMO_MEMBERS[] = {{"birthDate", MEMBER_DATE, DEMO_BIRTH}, {NULL}};

static const struct collection {
    const char *path;
    enum roster_table table;
    const struct member *members;
} COLLECTIONS[REST__COUNT] = {
    [REST_ORGS] = {"orgs", TABLE_ORGS, ORG_MEMBERS},
    [REST_SESSIONS] = {"academicSessions", TABLE_SESSIONS, SESSION_MEMBERS},
    [REST_COURSES] = {"courses", TABLE_COURSES, COURSE_MEMBERS},
    [REST_CLASSES] = {"classes", TABLE_CLASSES, CLASS_MEMBERS},
    [REST_USERS] = {"users", TABLE_USERS, USER_MEMBERS},
    [REST_ENROLLMENTS] = {"enrollments", TABLE_ENROLLMENTS, ENROLLMENT_MEMBERS},
    [REST_DEMOGRAPHICS] = {"demographics", TABLE_DEMOGRAPHICS, DEMO_MEMBERS},
};

const char *rest_path(enum rest_collection collection)
{
    return COLLECTIONS[collection].path;
}

void rest_fields(enum rest_collection collection, struct text *out)
{
    text_adds(out, "sourcedId,status,dateLastModified");
    for (const struct member *m = COLLECTIONS[collection].members; m->name != NULL; ++m)
        text_addf(out, ",%s", m->name);
    if (collection == REST_USERS)
        text_adds(out, ",roles");
}

/* --- Refusals --- */

/* The record at hand, for its problems. */
struct record {
    struct rest_reading *reading;
    struct roster_problems *problems;
    const char *id; /* "": not known yet */
    bool quiet;     /* the member at hand is read by nobody */
    size_t nth;     /* on its page, from 0 */
};

static bool refuse(const struct record *r, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(const struct record *r, const char *member, const char *fmt, ...)
{
    char why[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (r->quiet)
        return false;
    if (*r->id != '\0')
        roster_problems_tell_of(r->problems, PROBLEM_REFUSED, rest_path(r->reading->collection), 0, 0, r->id,
                                "\"%.60s\": %s: %s", r->id, member, why);
    else
        roster_problems_say(r->problems, PROBLEM_REFUSED, rest_path(r->reading->collection),
                            "record %zu of a page: %s: %s", r->nth + 1, member, why);
    return false;
}

/* --- Values --- */

/* Whether the string can stand in a cell: a line of CSV must stay one. */
static const char *string_fault(const char *s, size_t len)
{
    if (len > REST_CELL_BYTES)
        return "too long";
    for (size_t i = 0; i < len; ++i)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return "has a control character";
    return NULL;
}

/* The same of a sourcedId: lists separate them by commas, and spaces around a cell fall away. */
static const char *id_fault(const json_t *id)
{
    size_t len = json_string_length(id); /* 0: also when it is no string */
    const char *s = json_string_value(id);
    if (len == 0)
        return "is missing";
    if (len > 255)
        return "longer than 255 bytes";
    if (strchr(s, ',') != NULL || s[0] == ' ' || s[len - 1] == ' ')
        return "a comma, or spaces around it";
    const char *fault = string_fault(s, len);
    return fault != NULL ? fault : token_fault(s);
}

/* Appends a string, "" for null; false: refused. */
static bool add_string(const struct record *r, const char *member, const json_t *value, struct text *out)
{
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return refuse(r, member, "is not a string");
    const char *fault = string_fault(json_string_value(value), json_string_length(value));
    if (fault != NULL)
        return refuse(r, member, "%s", fault);
    text_add(out, json_string_value(value), json_string_length(value));
    return true;
}

/* The sourcedId that a reference names. */
static bool add_reference(const struct record *r, const char *member, const json_t *value, struct text *out)
{
    if (value == NULL || json_is_null(value))
        return true;
    const json_t *id = json_object_get(value, "sourcedId");
    const char *fault = id_fault(id);
    return fault == NULL ? add_string(r, member, id, out) : refuse(r, member, "its sourcedId: %s", fault);
}

static bool add_each(const struct record *r, const struct member *m, const json_t *value, struct text *out)
{
    size_t i, before = out->len;
    json_t *item;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_array(value))
        return refuse(r, m->name, "is not a list");
    json_array_foreach(value, i, item) {
        if (out->len != before)
            text_addc(out, ',');
        if (!(m->kind == MEMBER_REFS ? add_reference : add_string)(r, m->name, item, out))
            return false;
    }
    return out->len - before <= REST_CELL_BYTES || refuse(r, m->name, "too long");
}

static bool add_bool(const struct record *r, const char *member, const json_t *value, struct text *out)
{
    if (!json_is_boolean(value))
        return add_string(r, member, value, out);
    text_adds(out, json_is_true(value) ? "true" : "false");
    return true;
}

static bool add_date(const struct record *r, const char *member, const json_t *value, struct text *out)
{
    size_t before = out->len;
    if (!add_string(r, member, value, out))
        return false;
    if (out->len - before > 10 && out->data[before + 10] == 'T')
        out->data[out->len = before + 10] = '\0';
    return true;
}

static bool add_year(const struct record *r, const char *member, const json_t *value, struct text *out)
{
    size_t before = out->len;
    if (json_is_integer(value)) {
        text_add_int(out, json_integer_value(value));
        return true;
    }
    if (!add_string(r, member, value, out))
        return false;
    if (out->len - before == 9 && out->data[before + 4] == '-') {
        memmove(out->data + before, out->data + before + 5, 5);
        out->len -= 5;
    }
    return true;
}

static bool add_member(const struct record *r, const struct member *m, const json_t *value, struct text *out)
{
    switch (m->kind) {
    case MEMBER_TEXT: return add_string(r, m->name, value, out);
    case MEMBER_DATE: return add_date(r, m->name, value, out);
    case MEMBER_YEAR: return add_year(r, m->name, value, out);
    case MEMBER_BOOL: return add_bool(r, m->name, value, out);
    case MEMBER_REF: return add_reference(r, m->name, value, out);
    default: return add_each(r, m, value, out);
    }
}

/* --- Records --- */

/* A record's cells lie behind each other in one text; where each begins. */
struct cells_made {
    struct text bytes;
    size_t starts[COLUMNS_MAX];
    bool there[COLUMNS_MAX];
};

/* What does not fit where nobody reads is empty. */
static bool make_cells(struct record *r, const json_t *object, struct cells_made *made)
{
    const struct table *table = &ROSTER_TABLES[COLLECTIONS[r->reading->collection].table];
    for (const struct member *m = COLLECTIONS[r->reading->collection].members; m->name != NULL; ++m) {
        made->starts[m->column] = made->bytes.len;
        made->there[m->column] = true;
        r->quiet = !table->columns[m->column].read;
        bool fits = add_member(r, m, json_object_get(object, m->name), &made->bytes);
        if (!fits && !r->quiet)
            return false;
        if (!fits)
            made->bytes.len = made->starts[m->column];
        r->quiet = false;
        text_addc(&made->bytes, '\0');
    }
    return true;
}

/* {"roleType", "role", "beginDate", "endDate", "org": {"sourcedId"}}: cells[0…4] in this order. */
#define ROLE_MEMBERS 5
static bool make_role(const struct record *r, const json_t *object, struct text *bytes, size_t starts[ROLE_MEMBERS])
{
    static const struct member MEMBERS[ROLE_MEMBERS] = {
        {"roleType", MEMBER_TEXT}, {"role", MEMBER_TEXT}, {"beginDate", MEMBER_DATE},
        {"endDate", MEMBER_DATE},  {"org", MEMBER_REF},
    };
    if (!json_is_object(object))
        return refuse(r, "roles", "is not a list of roles");
    for (int i = 0; i < ROLE_MEMBERS; ++i) {
        starts[i] = bytes->len;
        if (!add_member(r, &MEMBERS[i], json_object_get(object, MEMBERS[i].name), bytes))
            return false;
        text_addc(bytes, '\0');
    }
    return true;
}

static bool take_roles(const struct record *r, const json_t *roles)
{
    struct text bytes = TEXT_INIT;
    size_t starts[REST_ROLES_MAX][ROLE_MEMBERS] = {{0}}, n = json_array_size(roles);
    struct told_role told[REST_ROLES_MAX];
    bool good = json_is_array(roles) || refuse(r, "roles", "is not a list");
    if (n > REST_ROLES_MAX)
        good = refuse(r, "roles", "more than %d", REST_ROLES_MAX);
    for (size_t i = 0; good && i < n; ++i)
        good = make_role(r, json_array_get(roles, i), &bytes, starts[i]);
    for (size_t i = 0; good && i < n; ++i)
        told[i] = (struct told_role){bytes.data + starts[i][0], bytes.data + starts[i][1], bytes.data + starts[i][2],
                                     bytes.data + starts[i][3], bytes.data + starts[i][4]};
    if (good)
        roster_delta_put_roles(r->reading->changes, r->id, told, n);
    text_finish(&bytes);
    return good;
}

static bool put_record(struct record *r, const json_t *object, bool *fresh)
{
    struct cells_made made = {0};
    const char *values[COLUMNS_MAX] = {r->id};
    bool good = make_cells(r, object, &made);
    for (int i = 1; good && i < COLUMNS_MAX; ++i)
        values[i] = made.there[i] ? made.bytes.data + made.starts[i] : NULL;
    if (good)
        *fresh = roster_delta_put(r->reading->changes, COLLECTIONS[r->reading->collection].table, values);
    text_finish(&made.bytes);
    if (good && r->reading->collection == REST_USERS)
        good = take_roles(r, json_object_get(object, "roles"));
    return good;
}

static bool take_modified(const struct record *r, const json_t *object)
{
    const json_t *value = json_object_get(object, "dateLastModified");
    if (value == NULL || json_is_null(value))
        return true;
    int64_t ms = json_is_string(value) ? moment_from(json_string_value(value)) : -1;
    if (ms < 0)
        return refuse(r, "dateLastModified", "is not a moment like 2026-09-01T10:00:00.000Z");
    if (moment_is_ahead(ms))
        roster_problems_tell_of(r->problems, PROBLEM_DATE_AHEAD, rest_path(r->reading->collection), 0, 0, r->id,
                                "\"%.60s\": dateLastModified: \"%.40s\" is to come", r->id, json_string_value(value));
    else if (ms > r->reading->newest_ms)
        r->reading->newest_ms = ms;
    return true;
}

static bool take_record(struct record *r, const json_t *object)
{
    const json_t *id = json_object_get(object, "sourcedId");
    const char *status = json_get_string(object, "status");
    bool fresh = false;
    const char *fault = id_fault(id);
    if (fault != NULL)
        return refuse(r, "sourcedId", "%s", fault);
    r->id = json_string_value(id);
    enum row_status word = status != NULL ? row_status(status, true) : ROW_UNKNOWN;
    if (word == ROW_UNKNOWN)
        return refuse(r, "status", "is neither active nor tobedeleted");
    if (!take_modified(r, object))
        return false;
    if (word == ROW_GONE)
        fresh = roster_delta_drop(r->reading->changes, COLLECTIONS[r->reading->collection].table, r->id);
    else if (!put_record(r, object, &fresh))
        return false;
    ++r->reading->n;
    r->reading->n_new += fresh;
    return true;
}

bool rest_take_page(struct rest_reading *reading, const char *bytes, size_t len, size_t *n,
                    struct roster_problems *problems)
{
    struct error e = {0};
    struct record r = {.reading = reading, .problems = problems, .id = ""};
    json_t *page = json_parse(bytes, len, &e), *item;
    const json_t *records = json_get_array(page, rest_path(reading->collection));
    bool good = true;
    *n = json_array_size(records);
    if (records == NULL)
        good = refuse(&r, rest_path(reading->collection),
                      page == NULL ? "the reply is not JSON, or cut short" : "the reply has no such list");
    if (good)
        json_array_foreach(records, r.nth, item) {
            r.id = "";
            r.quiet = false;
            good &= take_record(&r, item);
        }
    json_decref(page);
    return good;
}
