/* Filters: parsing, asking, picking fields (Client-Server API, "Filtering"), and how they are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/base/json_path.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/read/event_fields.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/filter_cache.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static json_t *parse(const char *s)
{
    struct error e = {0};
    json_t *value = json_parse(s, strlen(s), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    return value;
}

static struct filter *filter_of(const char *text)
{
    struct error e = {0};
    struct filter *filter = filter_parse_text(text, &e);
    if (filter == NULL)
        fail_msg("%s: %s", text != NULL ? text : "no text", error_sentence(&e));
    return filter;
}

static void test_everything(void **state)
{
    static const char *const TEXTS[] = {
        NULL,
        "{}",
        "{\"room\":{}}",
        "{\"room\":{\"timeline\":{},\"state\":null},\"presence\":null,\"org.example\":7}",
        "{\"room\":{\"timeline\":{\"org.example\":[]}}}",
    };
    for (size_t i = 0; i < COUNT(TEXTS); ++i) {
        struct filter *f = filter_of(TEXTS[i]);
        assert_true(f->timeline.all && f->state.all && f->ephemeral.all && f->room_account_data.all);
        assert_true(f->presence.all && f->account_data.all);
        assert_int_equal(f->timeline.limit, 0);
        assert_int_equal(f->format, FILTER_FORMAT_CLIENT);
        assert_false(f->include_leave || f->fields.present || f->timeline.lazy_load_members);
        assert_true(filter_wants(&f->timeline, "m.room.message", "@a:b", "!r:b", false));
        assert_true(filter_wants_room(f, "!r:b"));
        filter_unref(f);
    }
    struct filter *none = filter_of(NULL), *empty = filter_of("{}");
    assert_memory_equal(none->identity, empty->identity, sizeof none->identity);
    filter_unref(none);
    filter_unref(empty);
}

/* The example of the specification's POST /filter. */
static void test_whole(void **state)
{
    struct filter *f = filter_of(
        "{\"room\":{\"state\":{\"types\":[\"m.room.*\"],\"not_rooms\":[\"!726s6s6q:example.com\"],\"lazy_load_"
        "members\":true,"
        "\"include_redundant_members\":true},\"timeline\":{\"limit\":10,\"types\":[\"m.room.message\"],\"not_rooms\":["
        "\"!726s6s6q:example.com\"],\"not_senders\":[\"@spam:example.com\"],\"unread_thread_notifications\":true},"
        "\"ephemeral\":{\"types\":[\"m.receipt\",\"m.typing\"]},\"account_data\":{\"not_types\":[\"*\"]},"
        "\"include_leave\":true,\"rooms\":[\"!a:b\",\"!c:d\"],\"not_rooms\":[\"!c:d\"]},"
        "\"presence\":{\"types\":[\"m.presence\"],\"not_senders\":[\"@alice:example.com\"]},\"account_data\":{"
        "\"limit\":5},"
        "\"event_format\":\"federation\",\"event_fields\":[\"type\",\"content\",\"sender\"]}");
    assert_int_equal(f->timeline.limit, 10);
    assert_int_equal(f->account_data.limit, 5);
    assert_int_equal(f->format, FILTER_FORMAT_FEDERATION);
    assert_true(f->include_leave && f->state.lazy_load_members && f->state.include_redundant_members);
    assert_true(f->timeline.unread_thread_notifications);
    assert_false(f->timeline.lazy_load_members || f->timeline.all || f->state.all);
    assert_true(f->account_data.all);
    assert_true(f->fields.present);
    assert_int_equal(f->fields.n, 3);
    assert_true(filter_wants_room(f, "!a:b"));
    assert_false(filter_wants_room(f, "!c:d")); /* not_rooms wins */
    assert_false(filter_wants_room(f, "!e:f"));
    assert_true(filter_wants(&f->timeline, "m.room.message", "@a:b", "!a:b", false));
    assert_false(filter_wants(&f->timeline, "m.room.message", "@spam:example.com", "!a:b", false));
    assert_false(filter_wants(&f->timeline, "m.room.message", "@a:b", "!726s6s6q:example.com", false));
    assert_false(filter_wants(&f->timeline, "m.room.member", "@a:b", "!a:b", false));
    assert_true(filter_wants(&f->ephemeral, "m.typing", NULL, "!a:b", false));
    assert_false(filter_wants(&f->room_account_data, "m.tag", NULL, "!a:b", false));
    assert_true(filter_wants(&f->presence, "m.presence", "@bob:example.com", NULL, false));
    assert_false(filter_wants(&f->presence, "m.presence", "@alice:example.com", NULL, false));
    filter_unref(f);
}

static void test_wants(void **state)
{
    static const struct {
        const char *filter, *type, *sender, *room;
        bool has_url, wants;
    } CASES[] = {
        {"{\"types\":[]}", "m.a", "@a:b", "!r:b", false, false},
        {"{\"not_types\":[]}", "m.a", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.a\",\"m.b\",\"m.c\",\"m.d\"]}", "m.c", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.d\",\"m.c\",\"m.b\",\"m.a\"]}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"types\":[\"m.*\"]}", "m.e", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.*\"]}", "org.m.e", "@a:b", "!r:b", false, false},
        {"{\"types\":[\"*.e\",\"x\"]}", "org.m.e", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"*.e\",\"x\"]}", "x", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.*.*.c\"]}", "m.a.b.c", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.*.*.c\"]}", "m.a.c", "@a:b", "!r:b", false, false},
        {"{\"types\":[\"m.?\"]}", "m.e", "@a:b", "!r:b", false, false}, /* only "*" is special here */
        {"{\"types\":[\"m.?\"]}", "m.?", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"M.E\"]}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"types\":[\"*\"],\"not_types\":[\"m.r*\"]}", "m.room.message", "@a:b", "!r:b", false, false},
        {"{\"types\":[\"*\"],\"not_types\":[\"m.r*\"]}", "m.sticker", "@a:b", "!r:b", false, true},
        {"{\"types\":[\"m.e\"],\"not_types\":[\"m.e\"]}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"senders\":[\"@a:b\"]}", "m.e", "@a:b", "!r:b", false, true},
        {"{\"senders\":[\"@a:b\"]}", "m.e", "@c:b", "!r:b", false, false},
        {"{\"senders\":[\"@*\"]}", "m.e", "@a:b", "!r:b", false, false}, /* no patterns of people */
        {"{\"senders\":[\"@a:b\"]}", "m.e", NULL, "!r:b", false, false},
        {"{\"not_senders\":[\"@a:b\"]}", "m.e", NULL, "!r:b", false, true},
        {"{\"senders\":[\"@a:b\"],\"not_senders\":[\"@a:b\"]}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"rooms\":[\"!r:b\"]}", "m.e", "@a:b", "!r:b", false, true},
        {"{\"rooms\":[\"!r:b\"]}", "m.e", "@a:b", "!s:b", false, false},
        {"{\"rooms\":[]}", "m.e", "@a:b", "!s:b", false, false},
        {"{\"rooms\":[\"!r:b\"]}", "m.e", "@a:b", NULL, false, true},
        {"{\"not_rooms\":[\"!r:b\"]}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"contains_url\":true}", "m.e", "@a:b", "!r:b", true, true},
        {"{\"contains_url\":true}", "m.e", "@a:b", "!r:b", false, false},
        {"{\"contains_url\":false}", "m.e", "@a:b", "!r:b", true, false},
        {"{\"contains_url\":false}", "m.e", "@a:b", "!r:b", false, true},
        {"{\"contains_url\":null}", "m.e", "@a:b", "!r:b", true, true},
        {"{\"contains_url\":true,\"types\":[\"m.f\"]}", "m.e", "@a:b", "!r:b", true, false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        struct filter *f = filter_parse_events_text(CASES[i].filter, &e);
        assert_non_null(f);
        if (filter_wants(&f->timeline, CASES[i].type, CASES[i].sender, CASES[i].room, CASES[i].has_url) !=
            CASES[i].wants)
            fail_msg("case %zu: %s", i, CASES[i].filter);
        assert_true(f->state.all);
        filter_unref(f);
    }
}

static void test_limit(void **state)
{
    static const struct {
        const char *text;
        int limit; /* −1: refused */
    } CASES[] = {
        {"{\"limit\":1}", 1},
        {"{\"limit\":1000}", 1000},
        {"{\"limit\":1001}", FILTER_LIMIT_MAX},
        {"{\"limit\":0}", 1},
        {"{\"limit\":9007199254740991}", FILTER_LIMIT_MAX},
        {"{\"limit\":null}", 0},
        {"{}", 0},
        {"{\"limit\":-1}", -1},
        {"{\"limit\":\"5\"}", -1},
        {"{\"limit\":5.5}", -1},
        {"{\"limit\":true}", -1},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        struct filter *f = filter_parse_events_text(CASES[i].text, &e);
        assert_int_equal(f != NULL ? f->timeline.limit : -1, CASES[i].limit);
        filter_unref(f);
    }
}

/* What is wrong is said with its name. */
static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum error_code code;
        const char *word; /* in the sentence */
    } CASES[] = {
        {"", ERROR_NOT_JSON, NULL},
        {"{", ERROR_NOT_JSON, NULL},
        {"66", ERROR_BAD_JSON, "object"},
        {"[]", ERROR_BAD_JSON, "object"},
        {"null", ERROR_BAD_JSON, "object"},
        {"{\"room\":[]}", ERROR_BAD_JSON, " room "},
        {"{\"room\":{\"timeline\":7}}", ERROR_BAD_JSON, "room.timeline"},
        {"{\"room\":{\"state\":\"x\"}}", ERROR_BAD_JSON, "room.state"},
        {"{\"room\":{\"ephemeral\":[]}}", ERROR_BAD_JSON, "room.ephemeral"},
        {"{\"room\":{\"account_data\":[]}}", ERROR_BAD_JSON, "room.account_data"},
        {"{\"room\":{\"rooms\":\"!r:b\"}}", ERROR_BAD_JSON, "room.rooms"},
        {"{\"room\":{\"not_rooms\":[7]}}", ERROR_BAD_JSON, "room.not_rooms"},
        {"{\"room\":{\"include_leave\":\"yes\"}}", ERROR_BAD_JSON, "include_leave"},
        {"{\"room\":{\"timeline\":{\"types\":\"m.room.message\"}}}", ERROR_BAD_JSON, " types "},
        {"{\"room\":{\"timeline\":{\"types\":[null]}}}", ERROR_BAD_JSON, " types "},
        {"{\"room\":{\"timeline\":{\"not_types\":{}}}}", ERROR_BAD_JSON, "not_types"},
        {"{\"room\":{\"timeline\":{\"senders\":[1]}}}", ERROR_BAD_JSON, " senders "},
        {"{\"room\":{\"timeline\":{\"not_senders\":1}}}", ERROR_BAD_JSON, "not_senders"},
        {"{\"room\":{\"timeline\":{\"contains_url\":1}}}", ERROR_BAD_JSON, "contains_url"},
        {"{\"room\":{\"state\":{\"lazy_load_members\":1}}}", ERROR_BAD_JSON, "lazy_load_members"},
        {"{\"room\":{\"state\":{\"include_redundant_members\":\"\"}}}", ERROR_BAD_JSON, "include_redundant_members"},
        {"{\"room\":{\"timeline\":{\"unread_thread_notifications\":[]}}}", ERROR_BAD_JSON,
         "unread_thread_notifications"},
        {"{\"presence\":[]}", ERROR_BAD_JSON, "presence"},
        {"{\"account_data\":{\"limit\":\"1\"}}", ERROR_BAD_JSON, "limit"},
        {"{\"event_fields\":\"type\"}", ERROR_BAD_JSON, "event_fields"},
        {"{\"event_format\":\"xml\"}", ERROR_BAD_JSON, "event_format"},
        {"{\"event_format\":1}", ERROR_BAD_JSON, "event_format"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        assert_null(filter_parse_text(CASES[i].text, &e));
        if (e.code != CASES[i].code || (CASES[i].word != NULL && strstr(error_sentence(&e), CASES[i].word) == NULL))
            fail_msg("%s: %s", CASES[i].text, error_sentence(&e));
    }
}

static json_t *many(size_t n, const char *one)
{
    json_t *list = json_array();
    while (n-- > 0)
        json_array_append_new(list, json_string(one));
    return json_pack("{s:o}", "types", list);
}

static void test_bounds(void **state)
{
    static const struct {
        size_t n;
        const char *one;
        bool accepted;
    } CASES[] = {
        {FILTER_LIST_MAX, "m.a", true},
        {FILTER_LIST_MAX + 1, "m.a", false},
        {FILTER_PATTERNS_MAX, "m.*", true},
        {FILTER_PATTERNS_MAX + 1, "m.*", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        json_t *definition = many(CASES[i].n, CASES[i].one);
        struct filter *f = filter_parse_events(definition, &e);
        assert_int_equal(f != NULL, CASES[i].accepted);
        filter_unref(f);
        json_decref(definition);
    }
    struct error e = {0};
    char *long_text = malloc(FILTER_BYTES_MAX + 2);
    memset(long_text, ' ', FILTER_BYTES_MAX + 1);
    long_text[FILTER_BYTES_MAX + 1] = '\0';
    long_text[0] = '{';
    long_text[1] = '}';
    assert_null(filter_parse_text(long_text, &e));
    assert_int_equal(e.code, ERROR_BAD_JSON);
    long_text[FILTER_BYTES_MAX] = '\0';
    struct filter *f = filter_of(long_text);
    filter_unref(f);
    free(long_text);
}

static void test_identity(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } CASES[] = {
        {"{\"presence\":{\"limit\":1},\"room\":{\"include_leave\":true}}",
         "{ \"room\": {\"include_leave\": true}, \"presence\": {\"limit\":1} }", true},
        {"{\"presence\":{\"limit\":1}}", "{\"presence\":{\"limit\":2}}", false},
        {"{}", "{\"room\":{\"include_leave\":true}}", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct filter *a = filter_of(CASES[i].a), *b = filter_of(CASES[i].b);
        assert_int_equal(memcmp(a->identity, b->identity, sizeof a->identity) == 0, CASES[i].same);
        filter_unref(a);
        filter_unref(b);
    }
    struct error e = {0};
    struct filter *whole = filter_of("{}"), *events = filter_parse_events_text("{}", &e);
    assert_memory_not_equal(whole->identity, events->identity, sizeof whole->identity);
    assert_ptr_equal(filter_ref(whole), whole);
    filter_unref(whole);
    assert_true(whole->timeline.all); /* still there */
    filter_unref(whole);
    filter_unref(events);
    filter_unref(NULL);
}

/* What is picked, as a simple model has it: the property at the end of each path is copied, with
 * the objects on the way. */
static void model_pick(json_t *to, json_t *from, const char *names, size_t n)
{
    json_t *value = json_object_get(from, names);
    if (value == NULL || !json_is_object(from))
        return;
    if (n == 1) {
        json_object_set(to, names, value);
        return;
    }
    if (!json_is_object(value))
        return;
    json_t *below = json_object_get(to, names);
    if (below == value) /* all of it is there already */
        return;
    if (below == NULL) {
        below = json_object();
        json_object_set_new(to, names, below);
    }
    model_pick(below, value, names + strlen(names) + 1, n - 1);
    if (json_object_size(below) == 0)
        json_object_del(to, names);
}

static json_t *model(const struct filter *filter, json_t *event)
{
    json_t *picked = json_object();
    struct text names = TEXT_INIT;
    for (uint32_t i = 0; i < filter->fields.n; ++i) {
        text_clear(&names);
        size_t n = json_path_split(&names, filter->fields.items[i]);
        model_pick(picked, event, names.data, n);
    }
    text_finish(&names);
    return picked;
}

static json_t *picked_of(const struct filter *filter, const char *event)
{
    struct error e;
    struct text out = TEXT_INIT;
    event_fields_pick(filter->picks, event, strlen(event), &out);
    json_t *picked = json_parse(out.data, out.len, &e);
    text_finish(&out);
    return picked;
}

static void test_fields(void **state)
{
#define WHOLE                                                                                                          \
    "{\"type\":\"m\",\"sender\":\"@a:b\",\"content\":{\"body\":\"x\",\"m.relates_to\":{\"rel_type\":\"r\",\"event_"    \
    "id\":\"e\"}},"                                                                                                    \
    "\"unsigned\":{\"age\":1}}"
    static const struct {
        const char *fields, *picked;
    } CASES[] = {
        {"[\"type\"]", "{\"type\":\"m\"}"},
        {"[]", "{}"},
        {"[\"content\"]", "{\"content\":{\"body\":\"x\",\"m.relates_to\":{\"rel_type\":\"r\",\"event_id\":\"e\"}}}"},
        {"[\"content.body\",\"sender\"]", "{\"sender\":\"@a:b\",\"content\":{\"body\":\"x\"}}"},
        {"[\"content.m\\\\.relates_to.rel_type\"]", "{\"content\":{\"m.relates_to\":{\"rel_type\":\"r\"}}}"},
        {"[\"content.m.relates_to\"]", "{}"},
        {"[\"content.body.x\",\"nothing\",\"type.x\",\"\"]", "{}"},
        {"[\"content\",\"content.body\",\"content\"]",
         "{\"content\":{\"body\":\"x\",\"m.relates_to\":{\"rel_type\":\"r\",\"event_id\":\"e\"}}}"},
        {"[\"content.m\\\\.relates_to.rel_type\",\"content.body\",\"content.m\\\\.relates_to\"]",
         "{\"content\":{\"body\":\"x\",\"m.relates_to\":{\"rel_type\":\"r\",\"event_id\":\"e\"}}}"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text definition = TEXT_INIT;
        text_addf(&definition, "{\"event_fields\":%s}", CASES[i].fields);
        struct filter *f = filter_of(definition.data);
        json_t *event = parse(WHOLE), *picked = picked_of(f, WHOLE), *expected = parse(CASES[i].picked);
        json_t *modelled = model(f, event);
        assert_non_null(picked);
        if (!json_equal(picked, expected) || !json_equal(modelled, expected))
            fail_msg("case %zu: %s", i, CASES[i].fields);
        json_decref(modelled);
        json_decref(picked);
        json_decref(expected);
        json_decref(event);
        filter_unref(f);
        text_finish(&definition);
    }
    struct filter *all = filter_of("{}");
    assert_null(all->picks);
    filter_unref(all);
}

/* --- Random events and paths, held against the model --- */

static unsigned seed;

static int chance(int n)
{
    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 16) % (unsigned)n);
}

static const char *const KEYS[] = {"a", "aa", "ab", "b", "m.x", "\\", "\"q", "é", "", "z\n", "A", "ba"};

static json_t *some_value(int depth)
{
    json_t *value;
    switch (depth > 0 ? chance(8) : 4 + chance(4)) {
    case 0:
    case 1:
    case 2:
        value = json_object();
        for (int i = chance(6); i > 0; --i)
            json_object_set_new(value, KEYS[chance(COUNT(KEYS))], some_value(depth - 1));
        return value;
    case 3:
        value = json_array();
        for (int i = chance(3); i > 0; --i)
            json_array_append_new(value, some_value(depth - 1));
        return value;
    case 4: return json_string(KEYS[chance(COUNT(KEYS))]);
    case 5: return json_integer(chance(1000) - 500);
    case 6: return json_boolean(chance(2));
    default: return json_null();
    }
}

static void some_paths(json_t *fields)
{
    for (int i = chance(12); i > 0; --i) {
        struct text path = TEXT_INIT;
        text_adds(&path, "");
        for (int k = chance(4); k >= 0; --k) {
            for (const char *p = KEYS[chance(COUNT(KEYS))]; *p != '\0'; ++p)
                text_addf(&path, *p == '.' || *p == '\\' ? "\\%c" : "%c", *p);
            text_adds(&path, k > 0 ? "." : "");
        }
        json_array_append_new(fields, json_stringn(path.data != NULL ? path.data : "", path.len));
        text_finish(&path);
    }
}

static void fields_are_picked_as_the_model_has_it(void **state)
{
    int something = 0;
    for (seed = 1; seed < 1 + 20000 * 7919u; seed = seed + 7919u) {
        unsigned begun = seed;
        json_t *event = json_object(), *fields = json_array();
        for (int i = chance(8); i > 0; --i)
            json_object_set_new(event, KEYS[chance(COUNT(KEYS))], some_value(4));
        some_paths(fields);
        json_t *definition = json_pack("{s:o}", "event_fields", fields);
        struct error e = {0};
        struct filter *f = filter_parse(definition, &e);
        char *sorted = json_canonical(event), *as_made = json_dumps(event, JSON_COMPACT);
        json_t *expected = model(f, event), *picked = picked_of(f, sorted), *again = picked_of(f, as_made);
        if (picked == NULL || !json_equal(picked, expected) || again == NULL || !json_equal(again, expected))
            fail_msg("seed %u: %s", begun, sorted);
        something += json_object_size(picked) != 0;
        json_decref(expected);
        json_decref(picked);
        json_decref(again);
        free(sorted);
        free(as_made);
        filter_unref(f);
        json_decref(definition);
        json_decref(event);
        seed = begun;
    }
    assert_true(something > 5000);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* A long event costs no more than a few walks over it, whatever it and the paths are made of. */
static void picking_costs_little_more_than_the_event_is_long(void **state)
{
    enum { DEEP = 98, MANY = 6000 };
    struct text flat = TEXT_INIT, deep = TEXT_INIT, path = TEXT_INIT;
    json_t *many = json_array(), *one = json_array();
    text_adds(&flat, "{\"content\":{");
    for (int i = 0; i < MANY; ++i) {
        text_addf(&flat, "%s\"k%05d\":1", i != 0 ? "," : "", i);
        if (i % 6 == 0)
            json_array_append_new(many, json_sprintf("content.k%05d", i + 1));
    }
    text_adds(&flat, "}}");
    for (int i = 0; i < DEEP; ++i) {
        text_adds(&deep, "{\"a\":");
        text_adds(&path, i != 0 ? ".a" : "a");
    }
    text_add_json(&deep, "end");
    for (int i = 0; i < DEEP; ++i)
        text_addf(&deep, ",\"b\":\"%0600d\"}", i);
    json_array_append_new(one, json_string(path.data));
    const struct {
        const struct text *event;
        json_t *fields;
    } CASES[] = {{&flat, many}, {&deep, one}};
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        struct text out = TEXT_INIT;
        json_t *definition = json_pack("{s:o}", "event_fields", CASES[i].fields);
        struct filter *f = filter_parse(definition, &e);
        assert_non_null(f);
        int64_t begun = cpu_us(), parsed, picked;
        for (int k = 0; k < 20; ++k)
            json_decref(json_loadb(CASES[i].event->data, CASES[i].event->len, 0, NULL));
        parsed = cpu_us() - begun;
        begun = cpu_us();
        for (int k = 0; k < 20; ++k) {
            text_clear(&out);
            event_fields_pick(f->picks, CASES[i].event->data, CASES[i].event->len, &out);
        }
        picked = cpu_us() - begun;
        print_message("# %zu bytes: %lld us to pick, %lld to parse\n", CASES[i].event->len, (long long)picked / 20,
                      (long long)parsed / 20);
        assert_true(out.len > 500);
        assert_true(picked < parsed);
        text_finish(&out);
        filter_unref(f);
        json_decref(definition);
    }
    text_finish(&flat);
    text_finish(&deep);
    text_finish(&path);
}

/* Kept in the store. */

struct puts {
    user_no user;
    const char *definition;
    int64_t filter_no;
};

static bool put_job(struct tx *tx, void *arg, struct error *e)
{
    struct puts *puts = arg;
    return filters_put(tx, puts->user, puts->definition, &puts->filter_no);
}

static bool forget_job(struct tx *tx, void *arg, struct error *e)
{
    return filters_forget(tx, *(user_no *)arg);
}

static bool people_job(struct tx *tx, void *arg, struct error *e)
{
    return db_script(tx->db, "INSERT INTO users (user_no, localpart, created_ms) VALUES (1, 'a', 0), (2, 'b', 0)");
}

static int64_t put(struct writer *writer, user_no user, const char *definition)
{
    struct puts puts = {user, definition, 0};
    struct error e = {0};
    assert_true(writer_run(writer, put_job, &puts, &e));
    return puts.filter_no;
}

static void assert_kept(struct db *db, user_no user, int64_t filter_no, const char *definition)
{
    char *found = filters_get(db, user, filter_no);
    if (definition == NULL)
        assert_null(found);
    else
        assert_string_equal(found, definition);
    free(found);
}

/* A store with two people. */
struct kept {
    char dir[32];
    struct writer *writer;
    struct db *db;
};

static void begin(struct kept *k)
{
    char path[64];
    struct error e = {0};
    strcpy(k->dir, "/tmp/parta-filter-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    snprintf(path, sizeof path, "%s/db", k->dir);
    k->writer = writer_start(path, &(struct db_options){0});
    assert_true(writer_run(k->writer, people_job, NULL, &e));
    k->db = db_open(path, DB_READ, &(struct db_options){0});
}

static void end(struct kept *k)
{
    static const char *const FILES[] = {"db", "db-wal", "db-shm"};
    char path[64];
    db_close(k->db);
    writer_stop(k->writer);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i) {
        snprintf(path, sizeof path, "%s/%s", k->dir, FILES[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(k->dir), 0);
}

static void test_store(void **state)
{
    struct kept k;
    struct error e = {0};
    begin(&k);
    struct writer *writer = k.writer;
    struct db *db = k.db;

    int64_t start = clock_wall_ms(), one = put(writer, 1, "{\"a\":1}"), two = put(writer, 1, "{\"a\":2}");
    int64_t of_other = put(writer, 2, "{\"a\":2}"), last = two;
    assert_true(one >= start && two > one);             /* a copy of the database gives none of these again */
    assert_int_equal(put(writer, 1, "{\"a\":1}"), one); /* the same one */
    assert_int_equal(filters_find(db, 1, "{\"a\":2}"), two);
    assert_int_equal(filters_find(db, 2, "{\"a\":1}"), 0);
    assert_kept(db, 1, one, "{\"a\":1}");
    assert_kept(db, 2, of_other, "{\"a\":2}"); /* numbers are each user's own */
    assert_kept(db, 1, two + 1, NULL);
    assert_kept(db, 1, 0, NULL);

    for (int i = 3; i <= FILTERS_PER_USER + 1; ++i) {
        char definition[32];
        snprintf(definition, sizeof definition, "{\"a\":%d}", i);
        int64_t no = put(writer, 1, definition);
        assert_true(no > last);
        last = no;
    }
    assert_kept(db, 1, one, NULL); /* the oldest has gone, and comes back under a new number */
    assert_kept(db, 1, two, "{\"a\":2}");
    assert_true(put(writer, 1, "{\"a\":1}") > last);
    assert_kept(db, 2, of_other, "{\"a\":2}");

    user_no user = 1;
    assert_true(writer_run(writer, forget_job, &user, &e));
    assert_kept(db, 1, two, NULL);
    assert_kept(db, 2, of_other, "{\"a\":2}");
    end(&k);
}

static struct filter *load(struct filter_cache *cache, struct db *db, user_no user, const char *param)
{
    struct error e = {0};
    struct filter *filter = filter_cache_load(cache, db, user, param, &e);
    assert_true(filter != NULL || e.code != ERROR_NONE);
    return filter;
}

/* A look-up on a loop finds what a worker has loaded, and equal filters are one. */
static void test_cache(void **state)
{
    struct kept k;
    struct filter *filters[6];
    struct filter_cache *cache = filter_cache_create(2);
    char of_1[24], of_2[24], plain_of_2[24];
    begin(&k);
    int64_t one = put(k.writer, 1, "{\"room\":{\"timeline\":{\"limit\":7}}}");
    int64_t plain = put(k.writer, 2, "{\"event_format\":\"client\"}");
    int64_t same = put(k.writer, 2, "{ \"room\": {\"timeline\":{\"limit\":7}} }");
    snprintf(of_1, sizeof of_1, "%" PRId64, one);
    snprintf(of_2, sizeof of_2, "%" PRId64, same);
    snprintf(plain_of_2, sizeof plain_of_2, "%" PRId64, plain);
    assert_null(filter_cache_find(cache, 1, of_1));
    filters[0] = load(cache, k.db, 1, of_1);
    filters[1] = filter_cache_find(cache, 1, of_1);
    filters[2] = load(cache, k.db, 2, of_2);
    assert_int_equal(filters[0]->timeline.limit, 7);
    assert_ptr_equal(filters[0], filters[1]);
    assert_ptr_equal(filters[0], filters[2]);
    assert_null(filter_cache_find(cache, 2, plain_of_2));
    assert_null(filter_cache_find(cache, 1, "{\"room\":{\"timeline\":{\"limit\":7}}}"));
    filters[3] = load(cache, k.db, 1, "{\"room\":{\"timeline\":{\"limit\":7}}}"); /* as a query says it itself */
    filters[4] = filter_cache_find(cache, 2, "{\"room\":{\"timeline\":{\"limit\":7}}}");
    assert_ptr_equal(filters[3], filters[0]);
    assert_ptr_equal(filters[4], filters[0]);
    assert_null(load(cache, k.db, 1, "99"));
    assert_null(load(cache, k.db, 1, "x"));
    assert_null(load(cache, k.db, 1, "{\"room\":7}"));
    filters[5] = load(cache, k.db, 2, plain_of_2);
    assert_null(filter_cache_find(cache, 1, of_1)); /* only two numbers are remembered */
    for (int i = 0; i < 6; ++i)
        filter_unref(filters[i]);
    filter_cache_destroy(cache);
    end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_wants),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(fields_are_picked_as_the_model_has_it),
        cmocka_unit_test(picking_costs_little_more_than_the_event_is_long),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
