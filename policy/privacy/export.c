#include "policy/privacy/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zip.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/viewer.h"
#include "policy/privacy/export_sections.h"

struct exporting {
    struct db *db;
    const struct export_wanted *wanted;
    bool own;   /* by the person: with what they wrote, keep and did */
    bool whole; /* by the person, a guardian, an operator: of every school (A1) */
    struct text index;
    json_t *data;
    zip_t *zip;
    int64_t n_events;
    int n_rooms;
};

/* --- HTML --- */

static void add_escaped(struct text *out, const char *s)
{
    for (; *s != '\0'; ++s)
        switch (*s) {
        case '&': text_adds(out, "&amp;"); break;
        case '<': text_adds(out, "&lt;"); break;
        case '>': text_adds(out, "&gt;"); break;
        case '"': text_adds(out, "&quot;"); break;
        default: text_addc(out, *s);
        }
}

static void add_time(struct text *out, int64_t ms)
{
    char buffer[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M", &utc);
    text_addf(out, "%s UTC", buffer);
}

static void begin_page(struct text *out, const char *title)
{
    text_adds(out, "<!doctype html>\n<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
                   "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
                   "td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}"
                   "time{color:#666}p{white-space:pre-wrap}</style>\n<title>");
    add_escaped(out, title);
    text_adds(out, "</title>\n<h1>");
    add_escaped(out, title);
    text_adds(out, "</h1>\n");
}

/* --- Sections --- */

static void add_cell(struct text *out, const char *column, const json_t *value)
{
    size_t len = strlen(column);
    text_adds(out, "<td>");
    if (json_is_integer(value) && len > 3 && strcmp(column + len - 3, "_ts") == 0)
        add_time(out, json_integer_value(value));
    else if (json_is_string(value))
        add_escaped(out, json_string_value(value));
}

static void add_table(struct text *out, const struct export_section *section, const json_t *rows)
{
    size_t i;
    const json_t *row;
    text_addf(out, "<h2>%s <small>%s</small></h2>\n<table><tr>", section->title_ru, section->title_en);
    for (int c = 0; c < EXPORT_COLUMNS_MAX && section->columns[c] != NULL; ++c)
        text_addf(out, "<th>%s", section->columns[c]);
    text_addc(out, '\n');
    json_array_foreach(rows, i, row) {
        text_adds(out, "<tr>");
        for (int c = 0; c < EXPORT_COLUMNS_MAX && section->columns[c] != NULL; ++c)
            add_cell(out, section->columns[c], json_object_get(row, section->columns[c]));
        text_addc(out, '\n');
    }
    text_adds(out, "</table>\n");
}

/* --- Rooms, and what was written there --- */

static bool add_file(struct exporting *x, const char *name, struct text *content)
{
    size_t len = content->len;
    char *bytes = text_take(content);
    zip_source_t *source = zip_source_buffer(x->zip, bytes, len, 1);
    if (source == NULL) {
        free(bytes);
        return false;
    }
    if (zip_file_add(x->zip, name, source, ZIP_FL_ENC_UTF_8) >= 0)
        return true;
    zip_source_free(source);
    return false;
}

/* What can be read of an event: its text; of another kind, its type. */
static void add_event(struct text *page, const struct event_row *row, const json_t *content)
{
    const char *body = json_get_string(content, "body");
    text_adds(page, "<p><time>");
    add_time(page, row->ts);
    text_adds(page, "</time> ");
    if (row->redacted_by != 0)
        text_adds(page, "<em>удалено · taken back</em>");
    else
        add_escaped(page, body != NULL ? body : row->type);
    text_adds(page, "</p>\n");
}

static void add_events(struct exporting *x, room_no room, struct text *page, json_t *events)
{
    struct event_row row;
    struct stmt *q = events_of_sender(x->db, room, x->wanted->user, 0);
    while (x->n_events < EXPORT_EVENTS_MAX && events_next(q, &row)) {
        if (row.state_key != NULL)
            continue;
        json_t *content = json_loads(row.content, 0, NULL);
        add_event(page, &row, content);
        json_array_append_new(events, json_pack("{s:s, s:s, s:I, s:o}", "event_id", row.event_id, "type", row.type,
                                                "origin_server_ts", (json_int_t)row.ts, "content",
                                                content != NULL ? content : json_null()));
        ++x->n_events;
    }
    stmt_end(q);
}

/* A room is told as the person knows it: to whom it is open by its name, to whom has left by that of then (G1). */
static struct stmt *name_of(const struct exporting *x, const struct membership_row *in)
{
    const struct export_wanted *wanted = x->wanted;
    struct visibility *seen = visibility_load(x->db, wanted->school_mode, in->room, in->user, wanted->user_id);
    stream_pos pos = visibility_state_pos(seen);
    visibility_free(seen);
    if (in->membership == MEMBERSHIP_INVITE && gate_may_see(wanted->school_mode, x->db, in->room, in->user))
        pos = INT64_MAX;
    return pos == INT64_MAX ? events_state_get(x->db, in->room, "m.room.name", "")
                            : events_state_get_at(x->db, in->room, "m.room.name", "", pos);
}

/* The room's name, or its id; heap. */
static char *room_name(const struct exporting *x, const struct membership_row *in, const char *room_id)
{
    struct event_row row;
    struct stmt *q = name_of(x, in);
    json_t *state = events_next(q, &row) ? json_loads(row.content, 0, NULL) : NULL;
    const char *name = json_get_string(state, "name");
    char *copy = xstrdup(name != NULL ? name : room_id);
    json_decref(state);
    stmt_end(q);
    return copy;
}

static bool add_room(struct exporting *x, const struct membership_row *in, json_t *rooms)
{
    char *room_id = rooms_id_of(x->db, in->room), *name = room_name(x, in, room_id), file[32];
    const char *membership = membership_name(in->membership);
    struct text page = TEXT_INIT;
    json_t *events = json_array();
    json_t *room = json_pack("{s:s, s:s, s:s}", "room_id", room_id, "name", name, "membership", membership);
    snprintf(file, sizeof file, "rooms/%d.html", ++x->n_rooms);
    begin_page(&page, name);
    if (x->own)
        add_events(x, in->room, &page, events);
    bool any = json_array_size(events) != 0;
    text_addf(&x->index, any ? "<li><a href=\"%s\">" : "<li>", file);
    add_escaped(&x->index, name);
    text_addf(&x->index, "%s · %s · %zu\n", any ? "</a>" : "", membership, json_array_size(events));
    json_object_set_new(room, "events", events);
    json_array_append_new(rooms, room);
    bool done = !any || add_file(x, file, &page);
    text_finish(&page);
    free(name);
    free(room_id);
    return done;
}

/* A1: an office exports what is of its own schools: not that somebody asked for a place at another. */
static bool is_told(const struct exporting *x, school_no school)
{
    return x->whole || (school_roles(x->db, school, x->wanted->actor->user) & ROLE_ADMINISTRATOR) != 0;
}

/* D9: a guardian takes a child's data out, and sees no other guardian through the child whom the two's custody hides:
 * nor that there is a chat of the two. */
static bool is_hidden(const struct exporting *x, room_no room)
{
    struct room_school of;
    user_no asker = x->wanted->actor->user, child = x->wanted->user;
    if (!is_told(x, viewer_room_school(x->db, asker, room)))
        return true;
    if (x->own || asker == 0 || !school_of_room(x->db, room, &of) || of.kind != ROOM_DIRECT)
        return false;
    user_no other = of.a == child ? of.b : of.a;
    return custodies_part(x->db, child, asker, other) || school_apart(x->db, asker, other);
}

static bool add_rooms(struct exporting *x)
{
    struct membership_row in;
    json_t *rooms = json_array();
    bool done = true;
    text_adds(&x->index, "<h2>Комнаты <small>Rooms</small></h2>\n<ul>\n");
    struct stmt *q = memberships_of_user(x->db, x->wanted->user);
    while (done && memberships_next(q, &in))
        done = is_hidden(x, in.room) || add_room(x, &in, rooms);
    stmt_end(q);
    text_adds(&x->index, "</ul>\n");
    if (!x->own)
        text_adds(&x->index, "<p>Что написал сам человек, выгружает только он сам. · What the person wrote is exported "
                             "by the person alone.</p>\n");
    if (x->n_events >= EXPORT_EVENTS_MAX)
        text_adds(&x->index, "<p>Сообщений слишком много: самые новые не вошли. · There are too many messages: the "
                             "newest are left out.</p>\n");
    json_object_set_new(x->data, "rooms", rooms);
    return done;
}

/* --- The whole --- */

/* D9: whether the guardians are left out: who asks does not see the other through the child. */
static bool parted(const struct exporting *x)
{
    user_no guardians[GUARDIANS_MAX];
    int n = guardianships_guardians(x->db, x->wanted->user, guardians, GUARDIANS_MAX);
    bool so = false;
    for (int i = 0; i < n && i < GUARDIANS_MAX; ++i)
        so = so || custodies_part(x->db, x->wanted->user, x->wanted->actor->user, guardians[i]);
    return so;
}

static json_t *section_rows(const struct exporting *x, const struct export_section *section)
{
    json_t *rows = section->rows(x->db, x->wanted->user);
    for (size_t i = json_array_size(rows); section->of_schools && i-- != 0;) {
        json_t *row = json_array_get(rows, i);
        if (is_told(x, json_integer_value(json_object_get(row, SECTION_SCHOOL_NO))))
            json_object_del(row, SECTION_SCHOOL_NO);
        else
            json_array_remove(rows, i);
    }
    return rows;
}

static bool add_all(struct exporting *x)
{
    struct text data = TEXT_INIT;
    begin_page(&x->index, x->wanted->user_id);
    for (int i = 0; i < EXPORT_SECTIONS_COUNT; ++i) {
        const struct export_section *section = &EXPORT_SECTIONS[i];
        if ((section->own && !x->own) || (section->family && parted(x)))
            continue;
        json_t *rows = section_rows(x, section);
        if (json_array_size(rows) != 0)
            add_table(&x->index, section, rows);
        json_object_set_new(x->data, section->name, rows);
    }
    bool done = add_rooms(x);
    char *json = json_dumps(x->data, JSON_INDENT(2) | JSON_SORT_KEYS);
    text_adds(&data, json);
    free(json);
    done = done && add_file(x, "index.html", &x->index) && add_file(x, "data.json", &data);
    text_finish(&data);
    return done;
}

/* The archive is made in memory; libzip's source is read back once it is closed. */
static bool read_back(zip_source_t *source, struct text *zip)
{
    char bytes[65536];
    zip_int64_t n = -1;
    if (zip_source_open(source) != 0)
        return false;
    while ((n = zip_source_read(source, bytes, sizeof bytes)) > 0)
        text_add(zip, bytes, (size_t)n);
    zip_source_close(source);
    return n == 0;
}

static bool pack(struct exporting *x, struct text *zip)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    x->zip = source != NULL ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    if (x->zip == NULL) {
        zip_source_free(source);
        return false;
    }
    zip_source_keep(source);
    bool done = add_all(x);
    if (!done || zip_close(x->zip) != 0) {
        zip_discard(x->zip);
        done = false;
    }
    done = done && read_back(source, zip);
    zip_source_free(source);
    zip_error_fini(&error);
    return done;
}

bool export_person(struct db *db, const struct export_wanted *wanted, struct text *zip, struct error *e)
{
    struct exporting x = {.db = db, .wanted = wanted, .own = wanted->actor->user == wanted->user};
    struct subject subject = {.target = wanted->user};
    if (!school_gate(db, wanted->school_mode, wanted->actor, ACT_EXPORT, &subject, NULL, NULL, e))
        return false;
    x.whole = x.own || wanted->actor->user == 0 || school_is_guardian(db, wanted->actor->user, wanted->user);
    x.data = json_pack("{s:s}", "user_id", wanted->user_id);
    db_begin_read(db);
    bool done = pack(&x, zip) && !db_failed(db);
    db_end_read(db);
    json_decref(x.data);
    text_finish(&x.index);
    if (!done)
        log_error("export", "an export could not be packed");
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}
