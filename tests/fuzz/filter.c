/* Filters: no definition may crash or leak; what is accepted wants the same when it is read again from its canonical
 * form; the fields picked of an event are fields of the event. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/read/event_fields.h"
#include "homeserver/rooms/read/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define EVENT                                                                                                          \
    "{\"type\":\"m.room.message\",\"sender\":\"@a:b\",\"room_id\":\"!r:b\",\"content\":{\"body\":\"x\",\"m.relates_"   \
    "to\":{\"rel_type\":\"m\"}}}"

static bool wants(const struct event_filter *f)
{
    bool some = filter_wants(f, "m.room.message", "@a:b", "!r:b", true),
         other = filter_wants(f, "m.tag", NULL, NULL, false);
    if (f->all && (!some || !other))
        abort();
    return some;
}

static bool is_part(const json_t *part, const json_t *whole)
{
    const char *key;
    json_t *value;
    if (!json_is_object(part))
        return json_equal(part, whole);
    json_object_foreach((json_t *)part, key, value)
        if (!is_part(value, json_object_get(whole, key)))
            return false;
    return true;
}

static void check_fields(const struct filter *filter)
{
    struct error e = {0};
    struct text out = TEXT_INIT;
    if (filter->picks == NULL)
        return;
    event_fields_pick(filter->picks, EVENT, sizeof EVENT - 1, &out);
    json_t *event = json_parse(EVENT, sizeof EVENT - 1, &e), *picked = json_parse(out.data, out.len, &e);
    if (picked == NULL || !is_part(picked, event))
        abort();
    json_decref(picked);
    json_decref(event);
    text_finish(&out);
}

static struct filter *read(const char *text, bool events, struct error *e)
{
    return events ? filter_parse_events_text(text, e) : filter_parse_text(text, e);
}

static void check(const char *text, bool events)
{
    struct error e = {0};
    struct filter *filter = read(text, events, &e);
    if (filter == NULL) {
        if (e.code != ERROR_BAD_JSON && e.code != ERROR_NOT_JSON)
            abort();
        return;
    }
    json_t *definition = json_parse(text, strlen(text), &e);
    char *canonical = json_canonical(definition);
    struct filter *again = read(canonical, events, &e);
    if (again == NULL
            ? strlen(canonical) <= FILTER_BYTES_MAX /* escapes may have made it longer than the bound */
            : memcmp(filter->identity, again->identity, sizeof filter->identity) != 0 ||
                  wants(&filter->timeline) != wants(&again->timeline) || wants(&filter->state) != wants(&again->state))
        abort();
    wants(&filter->presence);
    struct filter *held = filter_ref(filter),
                  *parsed = events ? filter_parse_events(definition, &e) : filter_parse(definition, &e);
    if (parsed == NULL || memcmp(parsed->identity, filter->identity, sizeof parsed->identity) != 0 ||
        filter_wants_room(parsed, "!r:b") != filter_wants_room(held, "!r:b") || filter_timeline_limit(held) < 0)
        abort();
    filter_unref(parsed);
    filter_unref(held);
    check_fields(filter);
    filter_unref(again);
    free(canonical);
    json_decref(definition);
    filter_unref(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = strndup((const char *)bytes, len);
    check(text, false);
    check(text, true);
    free(text);
    return 0;
}
