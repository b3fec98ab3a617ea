/* Diaries that offer only calendars: feeds (secret addresses) and files, one a class or study group. An event that
 * recurs is a lesson each time it does: its id is the group, the UID and when that time was to be, so that a lesson
 * that was moved stays itself. Exceptions (EXDATE, RECURRENCE-ID) and cancellations are kept; what recurs more often
 * than daily is no timetable and is refused. What a feed can ask for is bounded: its shape (icalendar_shape.h) before
 * libical reads it, its rules (recurrence.h) before they are followed. */
#include "appservice/diary/icalendar.h"

#include <errno.h>
#include <libical/ical.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#include "appservice/diary/diaries.h"
#include "appservice/diary/fetch.h"
#include "appservice/diary/icalendar_shape.h"
#include "appservice/diary/recurrence.h"

#define MOMENT_TEXT 24

struct calendar {
    struct reading *reading;
    const char *group;
    icaltimezone *zone;
    icalcomponent *root;
    /* Events that take the place of one time of another: sorted, to be skipped where that recurs. */
    char **moved;
    size_t n_moved;
    int64_t days; /* how many more its rules may look at */
};

/* What is asked of an event for each time that it recurs, read once: libical walks over all that it has for each
 * question, and remembers one place in it, so that whoever asks for a summary between two dates
 * begins anew with them. */
struct event {
    const char *summary, *location; /* the component's */
    bool cancelled;
    int64_t updated_ms;
    char uid[RECORD_ID_BYTES_MAX];
    icaltimetype start;
    int64_t length_s;
    int64_t *excluded; /* sorted, as exclusion_of */
    size_t n_excluded;
};

/* --- Values --- */

static school_day day_of(icaltimetype t)
{
    return t.year * 10000 + t.month * 100 + t.day;
}

/* As people at the school see the clock: what is in UTC in their zone, everything else as it is written. */
static icaltimetype local(const struct calendar *c, icaltimetype t)
{
    return icaltime_is_utc(t) && c->zone != NULL ? icaltime_convert_to_zone(t, c->zone) : t;
}

/* UID, or what stands for one that is too long. "": it has none. */
static void uid_of(icalcomponent *event, char out[RECORD_ID_BYTES_MAX])
{
    unsigned char hash[16];
    const char *uid = icalcomponent_get_uid(event);
    if (uid == NULL || strlen(uid) < RECORD_ID_BYTES_MAX - MOMENT_TEXT) {
        snprintf(out, RECORD_ID_BYTES_MAX, "%s", uid != NULL ? uid : "");
        return;
    }
    crypto_generichash(hash, sizeof hash, (const unsigned char *)uid, strlen(uid), NULL, 0);
    sodium_bin2hex(out, RECORD_ID_BYTES_MAX, hash, sizeof hash);
}

static void occurrence_id(const char *uid, icaltimetype when, char out[RECORD_ID_BYTES_MAX + MOMENT_TEXT])
{
    snprintf(out, RECORD_ID_BYTES_MAX + MOMENT_TEXT, "%s/%04d%02d%02dT%02d%02d%02d", uid, when.year, when.month,
             when.day, when.hour, when.minute, when.second);
}

/* What the record is called: one event may be in the calendars of two classes, and is a record of each. One that is too
 * long is its hash. */
static void record_id(const struct calendar *c, const char *of_event, char out[RECORD_ID_BYTES_MAX + 1])
{
    unsigned char hash[16];
    struct text whole = TEXT_INIT;
    text_addf(&whole, "%s/%s", c->group, of_event);
    if (whole.len <= RECORD_ID_BYTES_MAX) {
        memcpy(out, whole.data, whole.len + 1);
    } else {
        crypto_generichash(hash, sizeof hash, (const unsigned char *)whole.data, whole.len, NULL, 0);
        sodium_bin2hex(out, RECORD_ID_BYTES_MAX + 1, hash, sizeof hash);
    }
    text_finish(&whole);
}

static void fault(const struct calendar *c, const char *of_event, const char *why)
{
    char id[RECORD_ID_BYTES_MAX + 1];
    record_id(c, of_event, id);
    reading_fault(c->reading, id, why);
}

static int64_t updated_of(icalcomponent *component)
{
    icalproperty *property = icalcomponent_get_first_property(component, ICAL_LASTMODIFIED_PROPERTY);
    icaltimetype t = property != NULL ? icalproperty_get_lastmodified(property) : icaltime_null_time();
    return icaltime_is_null_time(t) ? 0 : (int64_t)icaltime_as_timet(t) * 1000;
}

/* --- A lesson --- */

static void add_lesson(struct calendar *c, const struct event *event, const char *occurrence, icaltimetype start)
{
    char value[32] = "", id[RECORD_ID_BYTES_MAX + 1];
    record_id(c, occurrence, id);
    icaltimetype begins = local(c, start), ends = begins;
    icaltime_adjust(&ends, 0, 0, 0, (int)event->length_s);
    if (!begins.is_date && event->length_s > 0)
        snprintf(value, sizeof value, "%02d:%02d–%02d:%02d", begins.hour, begins.minute, ends.hour, ends.minute);
    else if (!begins.is_date)
        snprintf(value, sizeof value, "%02d:%02d", begins.hour, begins.minute);
    reading_add(c->reading, &(struct record){.kind = RECORD_LESSON,
                                             .id = id,
                                             .group = c->group,
                                             .subject = event->summary,
                                             .day = day_of(begins),
                                             .value = event->cancelled ? RECORD_CANCELLED : value,
                                             .comment = event->location,
                                             .updated_ms = event->updated_ms});
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A moment to the minute, or a whole day. */
static int64_t exclusion_of(icaltimetype t, bool whole_day)
{
    return day_of(t) * 10000LL + (whole_day ? 9999 : t.hour * 100 + t.minute);
}

static bool is_excluded(const struct event *event, icaltimetype when)
{
    int64_t day = exclusion_of(when, true), moment = exclusion_of(when, false);
    return event->n_excluded != 0 &&
           (bsearch(&day, event->excluded, event->n_excluded, sizeof day, by_number) != NULL ||
            bsearch(&moment, event->excluded, event->n_excluded, sizeof moment, by_number) != NULL);
}

/* All of kind. The caller frees them. */
static icaltimetype *moments_of(icalcomponent *component, icalproperty_kind kind, size_t *n)
{
    icaltimetype *moments = xcalloc((size_t)icalcomponent_count_properties(component, kind) + 1, sizeof *moments);
    *n = 0;
    for (icalproperty *p = icalcomponent_get_first_property(component, kind); p != NULL;
         p = icalcomponent_get_next_property(component, kind)) {
        icaltimetype t = kind == ICAL_EXDATE_PROPERTY ? icalproperty_get_exdate(p) : icalproperty_get_rdate(p).time;
        if (!icaltime_is_null_time(t))
            moments[(*n)++] = t;
    }
    return moments;
}

static void take_exclusions(struct event *event, icalcomponent *component)
{
    icaltimetype *moments = moments_of(component, ICAL_EXDATE_PROPERTY, &event->n_excluded);
    event->excluded = xcalloc(event->n_excluded + 1, sizeof *event->excluded);
    for (size_t i = 0; i < event->n_excluded; ++i)
        event->excluded[i] = exclusion_of(moments[i], moments[i].is_date);
    qsort(event->excluded, event->n_excluded, sizeof *event->excluded, by_number);
    free(moments);
}

struct occurrences {
    struct calendar *calendar;
    const struct event *event;
};

static void add_occurrence(void *arg, icaltimetype when)
{
    const struct occurrences *o = arg;
    struct calendar *c = o->calendar;
    char id[RECORD_ID_BYTES_MAX + MOMENT_TEXT];
    school_day day = day_of(local(c, when));
    if (day < c->reading->window.from || day > c->reading->window.to || is_excluded(o->event, when))
        return;
    occurrence_id(o->event->uid, when, id);
    const char *key = id;
    if (c->n_moved == 0 || bsearch(&key, c->moved, c->n_moved, sizeof *c->moved, by_text) == NULL)
        add_lesson(c, o->event, id, when);
}

static void read_occurrences(struct calendar *c, struct event *event, icalcomponent *component)
{
    struct occurrences o = {c, event};
    icalproperty *rule = icalcomponent_get_first_property(component, ICAL_RRULE_PROPERTY);
    const char *why = NULL;
    size_t n;
    take_exclusions(event, component);
    if (rule != NULL) {
        const struct icalrecurrencetype followed = icalproperty_get_rrule(rule);
        icaltimetype until = icaltime_is_utc(event->start) ? followed.until : local(c, followed.until);
        why = recurrence_follow(&followed, event->start, until, c->reading->window, &c->days, add_occurrence, &o);
    } else {
        add_occurrence(&o, event->start);
    }
    icaltimetype *further = moments_of(component, ICAL_RDATE_PROPERTY, &n);
    for (size_t i = 0; i < n; ++i)
        add_occurrence(&o, further[i]);
    free(further);
    free(event->excluded);
    if (why != NULL)
        fault(c, event->uid, why);
}

static bool is_day(icaltimetype t)
{
    return t.year >= 1 && t.year <= 9999 && t.month >= 1 && t.month <= 12 && t.day >= 1 &&
           t.day <= icaltime_days_in_month(t.month, t.year);
}

static void read_event(struct calendar *c, icalcomponent *component)
{
    struct event event = {.summary = icalcomponent_get_summary(component),
                          .location = icalcomponent_get_location(component),
                          .cancelled = icalcomponent_get_status(component) == ICAL_STATUS_CANCELLED,
                          .updated_ms = updated_of(component),
                          .start = icalcomponent_get_dtstart(component)};
    char id[RECORD_ID_BYTES_MAX + MOMENT_TEXT];
    icaltimetype end = icalcomponent_get_dtend(component), instead_of = icalcomponent_get_recurrenceid(component);
    uid_of(component, event.uid);
    if (*event.uid == '\0' || !is_day(event.start)) {
        fault(c, event.uid, "an event without a UID or a start");
        return;
    }
    if (!icaltime_is_null_time(end))
        event.length_s = (int64_t)icaltime_as_timet(end) - icaltime_as_timet(event.start);
    if (event.length_s < 0 || event.length_s > 86400)
        event.length_s = 0;
    if (icaltime_is_null_time(instead_of)) {
        read_occurrences(c, &event, component);
        return;
    }
    occurrence_id(event.uid, instead_of, id);
    add_lesson(c, &event, id, event.start);
}

static void read_todo(struct calendar *c, icalcomponent *todo)
{
    char uid[RECORD_ID_BYTES_MAX], id[RECORD_ID_BYTES_MAX + 1];
    icalproperty *categories = icalcomponent_get_first_property(todo, ICAL_CATEGORIES_PROPERTY);
    uid_of(todo, uid);
    record_id(c, uid, id);
    icaltimetype due = local(c, icalcomponent_get_due(todo));
    reading_add(c->reading,
                &(struct record){.kind = RECORD_HOMEWORK,
                                 .id = *uid != '\0' ? id : "",
                                 .group = c->group,
                                 .subject = categories != NULL ? icalproperty_get_value_as_string(categories) : NULL,
                                 .day = icaltime_is_null_time(due) ? -1 : day_of(due),
                                 .work = icalcomponent_get_summary(todo),
                                 .comment = icalcomponent_get_description(todo),
                                 .updated_ms = updated_of(todo)});
}

/* --- A calendar --- */

static void each_of(struct calendar *c, icalcomponent_kind kind, void (*read)(struct calendar *c, icalcomponent *item))
{
    for (icalcomponent *item = icalcomponent_get_first_component(c->root, kind); item != NULL;
         item = icalcomponent_get_next_component(c->root, kind))
        read(c, item);
}

static void note_moved(struct calendar *c, icalcomponent *event)
{
    char uid[RECORD_ID_BYTES_MAX], id[RECORD_ID_BYTES_MAX + MOMENT_TEXT];
    icaltimetype instead_of = icalcomponent_get_recurrenceid(event);
    if (icaltime_is_null_time(instead_of))
        return;
    uid_of(event, uid);
    occurrence_id(uid, instead_of, id);
    c->moved[c->n_moved++] = xstrdup(id);
}

const char *icalendar_read_records(struct reading *reading, const char *bytes, size_t len, const char *group,
                                   const char *zone)
{
    if (len > ICALENDAR_BYTES_MAX)
        return "it is longer than 4 MiB";
    if (len < 15 || strncasecmp(bytes, "BEGIN:VCALENDAR", 15) != 0 || u8_check((const uint8_t *)bytes, len) != NULL ||
        memchr(bytes, '\0', len) != NULL || memmem(bytes, len, "END:VCALENDAR", 13) == NULL)
        return "it is no whole iCalendar in UTF-8";
    char *text = xstrndup(bytes, len);
    const char *fault = icalendar_shape_fault(text);
    if (fault != NULL) {
        free(text);
        return fault;
    }
    icalerror_set_errors_are_fatal(0);
    struct calendar c = {.reading = reading,
                         .group = group,
                         .days = RECURRENCE_DAYS_MAX,
                         .zone = icaltimezone_get_builtin_timezone(zone),
                         .root = icalparser_parse_string(text)};
    free(text);
    if (c.root == NULL || icalcomponent_isa(c.root) != ICAL_VCALENDAR_COMPONENT) {
        if (c.root != NULL)
            icalcomponent_free(c.root);
        return "it is no single iCalendar";
    }
    c.moved = xcalloc((size_t)icalcomponent_count_components(c.root, ICAL_VEVENT_COMPONENT) + 1, sizeof *c.moved);
    each_of(&c, ICAL_VEVENT_COMPONENT, note_moved);
    if (c.n_moved != 0)
        qsort(c.moved, c.n_moved, sizeof *c.moved, by_text);
    each_of(&c, ICAL_VEVENT_COMPONENT, read_event);
    each_of(&c, ICAL_VTODO_COMPONENT, read_todo);
    for (size_t i = 0; i < c.n_moved; ++i)
        free(c.moved[i]);
    free(c.moved);
    icalcomponent_free(c.root);
    icalmemory_free_ring();
    return NULL;
}

/* --- Feeds --- */

static bool read_file(const char *path, struct text *out, struct text *problem)
{
    char bytes[65536];
    size_t n;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return text_fail(problem, "A file of icalendar.feeds can't be read: %s.", strerror(errno));
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0 && out->len <= ICALENDAR_BYTES_MAX)
        text_add(out, bytes, n);
    bool good = ferror(f) == 0;
    fclose(f);
    return good || text_fail(problem, "A file of icalendar.feeds can't be read whole.");
}

/* "class-7a https://…" or "class-7a /a/file.ics". */
static bool read_feed(struct source *source, struct rest_client *client, const char *feed, struct reading *reading,
                      struct text *problem)
{
    size_t group_len = strcspn(feed, " "), len = 0;
    const char *place = feed + group_len + strspn(feed + group_len, " "), *body = NULL, *fault = NULL;
    struct text file = TEXT_INIT;
    bool got = false;
    if (group_len == 0 || *place == '\0')
        return text_fail(problem, "icalendar.feeds: each is a group, a space, and an address or a path.");
    char *group = xstrndup(feed, group_len);
    if (*place == '/') {
        got = read_file(place, &file, problem);
        body = file.data != NULL ? file.data : "";
        len = file.len;
    } else {
        got = fetch_get(source, client, "a calendar", place, NULL, 0, &body, &len, problem);
    }
    if (got)
        fault = icalendar_read_records(reading, body, len, group, adapter_text(source, "zone"));
    if (fault != NULL)
        got = text_fail(problem, "The calendar of %s: %s.", group, fault);
    text_finish(&file);
    free(group);
    return got;
}

static bool fetch(struct source *source, struct reading *reading, struct text *problem)
{
    size_t n;
    char *const *feeds = adapter_list(source, "feeds", &n);
    struct rest_client client = fetch_client(source, "The calendar's server");
    bool good = true;
    for (size_t i = 0; good && i < n; ++i)
        good = read_feed(source, &client, feeds[i], reading, problem);
    rest_client_finish(&client);
    return good;
}

static const struct adapter_setting SETTINGS[] = {
    {"feeds", ADAPTER_LIST, NULL},
    {"zone", ADAPTER_TEXT, "Europe/Moscow"},
    {"ids", ADAPTER_TEXT, "sourced"},
};
const struct adapter ICALENDAR_ADAPTER = {
    .name = "icalendar",
    .settings = SETTINGS,
    .n_settings = sizeof SETTINGS / sizeof *SETTINGS,
    .fetch = fetch,
    .sourced = true,
};
