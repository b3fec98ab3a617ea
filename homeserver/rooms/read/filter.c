#include "homeserver/rooms/read/filter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/read/event_fields.h"

/* Lists. */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_finish(struct filter_list *list)
{
    for (uint32_t i = 0; i < list->n; ++i)
        free(list->items[i]);
    free(list->items);
}

/* patterns: entries with "*" are patterns. The list is valid even when this fails. */
static bool list_parse(struct filter_list *list, const json_t *array, bool patterns)
{
    size_t n = json_array_size(array), names = 0, last = n, n_patterns = 0;
    if (!json_is_array(array) || n > FILTER_LIST_MAX)
        return false;
    for (size_t i = 0; i < n; ++i) {
        const char *s = json_string_value(json_array_get(array, i));
        n_patterns += s != NULL && strchr(s, '*') != NULL;
        if (s == NULL || (patterns && n_patterns > FILTER_PATTERNS_MAX))
            return false;
    }
    list->present = true;
    list->items = n != 0 ? xcalloc(n, sizeof *list->items) : NULL;
    for (size_t i = 0; i < n; ++i) {
        const char *s = json_string_value(json_array_get(array, i));
        size_t at = patterns && strchr(s, '*') != NULL ? --last : names++;
        list->items[at] = xstrdup(s);
    }
    list->n = (uint32_t)n;
    list->n_exact = (uint32_t)names;
    if (names > 1)
        qsort(list->items, names, sizeof *list->items, by_name);
    return true;
}

/* "*" is the only wildcard here; a "?" is itself (Client-Server API, "EventFilter"). */
static bool star_match(const char *pattern, const char *s)
{
    const char *star = NULL, *retry = NULL;
    while (*s != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = s;
        } else if (*pattern == *s) {
            ++pattern;
            ++s;
        } else if (star != NULL) {
            pattern = star;
            s = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        ++pattern;
    return *pattern == '\0';
}

static bool list_has(const struct filter_list *list, const char *name)
{
    if (list->n_exact != 0 && bsearch(&name, list->items, list->n_exact, sizeof *list->items, by_name) != NULL)
        return true;
    for (uint32_t i = list->n_exact; i < list->n; ++i)
        if (star_match(list->items[i], name))
            return true;
    return false;
}

static bool lists_let(const struct filter_list *wanted, const struct filter_list *unwanted, const char *name)
{
    if (name == NULL)
        return !wanted->present;
    return (!wanted->present || list_has(wanted, name)) && !list_has(unwanted, name);
}

/* Members of a definition: rows of a table for each object, each parsed into its place of the struct. */

enum shape {
    SHAPE_NAMES,
    SHAPE_PATTERNS,
    SHAPE_BOOL,
    SHAPE_LIMIT,
    SHAPE_URL,
    SHAPE_FORMAT,
    SHAPE_EVENTS,
    SHAPE_ROOM_EVENTS,
    SHAPE_ROOM,
};

struct member {
    const char *name;
    enum shape shape;
    size_t offset; /* in struct event_filter or struct filter */
    const char *sentence;
};

#define EVENT(member) offsetof(struct event_filter, member)
static const struct member EVENT_MEMBERS[] = {
    {"limit", SHAPE_LIMIT, EVENT(limit), "The filter's limit must be a positive integer."},
    {"types", SHAPE_PATTERNS, EVENT(types), "The filter's types must be a list of strings, not too long."},
    {"not_types", SHAPE_PATTERNS, EVENT(not_types), "The filter's not_types must be a list of strings, not too long."},
    {"senders", SHAPE_NAMES, EVENT(senders), "The filter's senders must be a list of user ids."},
    {"not_senders", SHAPE_NAMES, EVENT(not_senders), "The filter's not_senders must be a list of user ids."},
    {NULL},
};
static const struct member ROOM_EVENT_MEMBERS[] = {
    {"rooms", SHAPE_NAMES, EVENT(rooms), "The filter's rooms must be a list of room ids."},
    {"not_rooms", SHAPE_NAMES, EVENT(not_rooms), "The filter's not_rooms must be a list of room ids."},
    {"contains_url", SHAPE_URL, EVENT(contains_url), "The filter's contains_url must be true or false."},
    {"lazy_load_members", SHAPE_BOOL, EVENT(lazy_load_members),
     "The filter's lazy_load_members must be true or false."},
    {"include_redundant_members", SHAPE_BOOL, EVENT(include_redundant_members),
     "The filter's include_redundant_members must be true or false."},
    {"unread_thread_notifications", SHAPE_BOOL, EVENT(unread_thread_notifications),
     "The filter's unread_thread_notifications must be true or false."},
    {NULL},
};
#undef EVENT
#define FILTER(member) offsetof(struct filter, member)
static const struct member FILTER_MEMBERS[] = {
    {"event_fields", SHAPE_NAMES, FILTER(fields), "The filter's event_fields must be a list of strings."},
    {"event_format", SHAPE_FORMAT, FILTER(format), "The filter's event_format must be client or federation."},
    {"presence", SHAPE_EVENTS, FILTER(presence), "The filter's presence must be an object."},
    {"account_data", SHAPE_EVENTS, FILTER(account_data), "The filter's account_data must be an object."},
    {"room", SHAPE_ROOM, 0, "The filter's room must be an object."},
    {NULL},
};
static const struct member ROOM_MEMBERS[] = {
    {"rooms", SHAPE_NAMES, FILTER(rooms), "The filter's room.rooms must be a list of room ids."},
    {"not_rooms", SHAPE_NAMES, FILTER(not_rooms), "The filter's room.not_rooms must be a list of room ids."},
    {"include_leave", SHAPE_BOOL, FILTER(include_leave), "The filter's room.include_leave must be true or false."},
    {"state", SHAPE_ROOM_EVENTS, FILTER(state), "The filter's room.state must be an object."},
    {"timeline", SHAPE_ROOM_EVENTS, FILTER(timeline), "The filter's room.timeline must be an object."},
    {"ephemeral", SHAPE_ROOM_EVENTS, FILTER(ephemeral), "The filter's room.ephemeral must be an object."},
    {"account_data", SHAPE_ROOM_EVENTS, FILTER(room_account_data), "The filter's room.account_data must be an object."},
    {NULL},
};
#undef FILTER

static bool parse_members(void *into, const struct member *members, const json_t *object, struct error *e);

static bool parse_limit(int *out, const json_t *value)
{
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0)
        return false;
    *out = n > FILTER_LIMIT_MAX ? FILTER_LIMIT_MAX : n == 0 ? 1 : (int)n; /* some clients mean "next to nothing" by 0 */
    return true;
}

static bool parse_format(enum filter_format *out, const json_t *value)
{
    const char *name = json_is_string(value) ? json_string_value(value) : "";
    *out = strcmp(name, "federation") == 0 ? FILTER_FORMAT_FEDERATION : FILTER_FORMAT_CLIENT;
    return *out == FILTER_FORMAT_FEDERATION || strcmp(name, "client") == 0;
}

static bool parse_member(void *at, void *into, enum shape shape, const json_t *value, struct error *e)
{
    switch (shape) {
    case SHAPE_NAMES: return list_parse(at, value, false);
    case SHAPE_PATTERNS: return list_parse(at, value, true);
    case SHAPE_BOOL: *(bool *)at = json_is_true(value); return json_is_boolean(value);
    case SHAPE_LIMIT: return parse_limit(at, value);
    case SHAPE_URL:
        *(enum filter_url *)at = json_is_true(value) ? FILTER_URL_ONLY : FILTER_URL_NONE;
        return json_is_boolean(value);
    case SHAPE_FORMAT: return parse_format(at, value);
    case SHAPE_EVENTS: return json_is_object(value) && parse_members(at, EVENT_MEMBERS, value, e);
    case SHAPE_ROOM_EVENTS:
        return json_is_object(value) && parse_members(at, EVENT_MEMBERS, value, e) &&
               parse_members(at, ROOM_EVENT_MEMBERS, value, e);
    case SHAPE_ROOM: return json_is_object(value) && parse_members(into, ROOM_MEMBERS, value, e);
    }
    return false;
}

/* Unknown members are passed over, and a null counts as absent. The innermost wrong member is the one that is told. */
static bool parse_members(void *into, const struct member *members, const json_t *object, struct error *e)
{
    for (const struct member *m = members; m->name != NULL; ++m) {
        const json_t *value = json_object_get(object, m->name);
        if (value == NULL || json_is_null(value) || parse_member((char *)into + m->offset, into, m->shape, value, e))
            continue;
        return e->code != ERROR_NONE ? false : error_set(e, ERROR_BAD_JSON, m->sentence);
    }
    return true;
}

static void settle(struct event_filter *f)
{
    f->all = !f->types.present && !f->not_types.present && !f->senders.present && !f->not_senders.present &&
             !f->rooms.present && !f->not_rooms.present && f->contains_url == FILTER_URL_ANY;
}

static void fill_all(struct filter *filter)
{
    settle(&filter->presence);
    settle(&filter->account_data);
    settle(&filter->state);
    settle(&filter->timeline);
    settle(&filter->ephemeral);
    settle(&filter->room_account_data);
}

/* The same definition means other things as a Filter and as a RoomEventFilter (events), so their identities differ. */
static struct filter *parse(const json_t *definition, bool events, struct error *e)
{
    struct filter *filter = xcalloc(1, sizeof *filter);
    struct error inner = {0};
    struct text canonical = TEXT_INIT;
    bool ok = definition == NULL || json_is_object(definition);
    atomic_init(&filter->refs, 1);
    if (!ok)
        error_set(&inner, ERROR_BAD_JSON, "A filter must be an object.");
    else if (events)
        ok = parse_members(&filter->timeline, EVENT_MEMBERS, definition, &inner) &&
             parse_members(&filter->timeline, ROOM_EVENT_MEMBERS, definition, &inner);
    else
        ok = parse_members(filter, FILTER_MEMBERS, definition, &inner);
    fill_all(filter);
    if (filter->fields.present)
        filter->picks = event_fields_create(filter->fields.items, filter->fields.n);
    text_adds(&canonical, events ? "events " : "");
    if (definition != NULL)
        json_add_canonical(&canonical, definition);
    else
        text_adds(&canonical, "{}");
    blake2b(canonical.data, canonical.len, filter->identity);
    text_finish(&canonical);
    if (ok)
        return filter;
    filter_unref(filter);
    *e = inner;
    return NULL;
}

static struct filter *parse_text(const char *text, bool events, struct error *e)
{
    size_t len = text != NULL ? strlen(text) : 0;
    if (text == NULL)
        return parse(NULL, events, e);
    if (len > FILTER_BYTES_MAX) {
        error_set(e, ERROR_BAD_JSON, "The filter is too large.");
        return NULL;
    }
    json_t *definition = json_parse(text, len, e);
    if (definition == NULL && e->code == ERROR_NOT_JSON)
        error_set(e, ERROR_NOT_JSON, "The filter is not valid JSON.");
    struct filter *filter = definition != NULL ? parse(definition, events, e) : NULL;
    json_decref(definition);
    return filter;
}

struct filter *filter_parse(const json_t *definition, struct error *e)
{
    return parse(definition, false, e);
}

struct filter *filter_parse_text(const char *text, struct error *e)
{
    return parse_text(text, false, e);
}

struct filter *filter_parse_events(const json_t *definition, struct error *e)
{
    return parse(definition, true, e);
}

struct filter *filter_parse_events_text(const char *text, struct error *e)
{
    return parse_text(text, true, e);
}

struct filter *filter_ref(struct filter *filter)
{
    atomic_fetch_add_explicit(&filter->refs, 1, memory_order_relaxed);
    return filter;
}

static void event_filter_finish(struct event_filter *f)
{
    list_finish(&f->types);
    list_finish(&f->not_types);
    list_finish(&f->senders);
    list_finish(&f->not_senders);
    list_finish(&f->rooms);
    list_finish(&f->not_rooms);
}

void filter_unref(struct filter *filter)
{
    if (filter == NULL || atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) != 1)
        return;
    list_finish(&filter->fields);
    event_fields_destroy(filter->picks);
    list_finish(&filter->rooms);
    list_finish(&filter->not_rooms);
    event_filter_finish(&filter->presence);
    event_filter_finish(&filter->account_data);
    event_filter_finish(&filter->state);
    event_filter_finish(&filter->timeline);
    event_filter_finish(&filter->ephemeral);
    event_filter_finish(&filter->room_account_data);
    free(filter);
}

/* Asking. */

bool filter_wants_type(const struct event_filter *filter, const char *type)
{
    return lists_let(&filter->types, &filter->not_types, type);
}

bool filter_wants_room_events(const struct event_filter *filter, const char *room_id)
{
    return room_id == NULL || lists_let(&filter->rooms, &filter->not_rooms, room_id);
}

bool filter_wants_room(const struct filter *filter, const char *room_id)
{
    return lists_let(&filter->rooms, &filter->not_rooms, room_id);
}

bool filter_wants(const struct event_filter *filter, const char *type, const char *sender, const char *room_id,
                  bool has_url)
{
    if (filter->all)
        return true;
    if (filter->contains_url != FILTER_URL_ANY && has_url != (filter->contains_url == FILTER_URL_ONLY))
        return false;
    return filter_wants_type(filter, type) && lists_let(&filter->senders, &filter->not_senders, sender) &&
           filter_wants_room_events(filter, room_id);
}

int filter_timeline_limit(const struct filter *filter)
{
    return filter->timeline.limit != 0 ? filter->timeline.limit : FILTER_SYNC_LIMIT;
}
