/* Required state of sliding sync, in both forms: which event of a room's state is wanted (MSC4186). And what is
 * remembered of connections: whose pos is known, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/sliding/request.h"
#include "homeserver/sync/sliding/request_cache.h"

#define ME "@me:school.example"
#define YOU "@you:school.example"

static void required_state_says_what_is_wanted(void **state)
{
    static const struct {
        enum sliding_form form;
        const char *required, *type, *key;
        bool wanted, lazy;
    } CASES[] = {
        {SLIDING_UNSTABLE, "[]", "m.room.name", "", false, false},
        {SLIDING_UNSTABLE, "[['m.room.name','']]", "m.room.name", "", true, false},
        {SLIDING_UNSTABLE, "[['m.room.name','']]", "m.room.name", "x", false, false},
        {SLIDING_UNSTABLE, "[['m.x','*']]", "m.x", "x", true, false},
        {SLIDING_UNSTABLE, "[['*','']]", "m.x", "", true, false},
        {SLIDING_UNSTABLE, "[['*','']]", "m.x", "x", false, false},
        {SLIDING_UNSTABLE, "[['m.room.member','$ME']]", "m.room.member", ME, true, false},
        {SLIDING_UNSTABLE, "[['m.room.member','$ME']]", "m.room.member", YOU, false, false},
        {SLIDING_UNSTABLE, "[['m.room.member','$ME']]", "m.room.member", "$ME", false, false},
        {SLIDING_UNSTABLE, "[['m.room.member','$LAZY']]", "m.room.member", YOU, false, true},
        {SLIDING_UNSTABLE, "[['m.room.member','$LAZY'],['m.room.member','*']]", "m.room.member", YOU, true, false},
        {SLIDING_UNSTABLE, "[['*','*']]", "m.room.member", YOU, true, false},
        {SLIDING_UNSTABLE, "[['*','*'],['m.room.member','$LAZY']]", "m.room.member", YOU, false, true},
        {SLIDING_UNSTABLE, "[['*','*'],['m.room.member','$LAZY']]", "m.room.name", "", true, true},
        {SLIDING_UNSTABLE, "[['*','*'],['m.room.member','$ME']]", "m.room.member", YOU, false, false},
        {SLIDING_UNSTABLE, "[['*','*'],['m.room.member','$ME']]", "m.room.member", ME, true, false},
        {SLIDING_UNSTABLE, "[['*','*'],['m.x','a']]", "m.x", "b", false, false},
        {SLIDING_UNSTABLE, "[['m.y','$LAZY']]", "m.y", "$LAZY", true, false},
        {SLIDING_STABLE, "{}", "m.room.name", "", false, false},
        {SLIDING_STABLE, "null", "m.room.name", "", false, false},
        {SLIDING_STABLE, "{'include':[{}]}", "m.room.name", "", true, false},
        {SLIDING_STABLE, "{'include':[{}]}", "m.room.member", YOU, true, false},
        {SLIDING_STABLE, "{'include':[{}],'lazy_members':true}", "m.room.member", YOU, false, true},
        {SLIDING_STABLE, "{'include':[{}],'lazy_members':true}", "m.room.name", "", true, true},
        {SLIDING_STABLE, "{'include':[{},{'type':'m.room.member','state_key':'" YOU "'}],'lazy_members':true}",
         "m.room.member", YOU, true, true},
        {SLIDING_STABLE, "{'include':[{'type':'m.room.member'}],'lazy_members':true}", "m.room.member", YOU, false,
         true},
        {SLIDING_STABLE, "{'include':[{'state_key':'a'}]}", "m.x", "a", true, false},
        {SLIDING_STABLE, "{'include':[{'state_key':'a'}]}", "m.x", "b", false, false},
        {SLIDING_STABLE, "{'include':[{}],'exclude':[{'type':'m.x'}]}", "m.x", "b", false, false},
        {SLIDING_STABLE, "{'include':[{}],'exclude':[{'type':'m.x','state_key':'a'}]}", "m.x", "b", true, false},
        {SLIDING_STABLE, "{'include':[{}],'exclude':[{'state_key':'b'}]}", "m.x", "b", false, false},
        {SLIDING_STABLE, "{'include':[{}],'exclude':[{}]}", "m.x", "b", false, false},
        {SLIDING_STABLE, "{'include':[{},{'type':'m.x'}]}", "m.y", "b", true, false}, /* it narrows nothing */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char text[400], *at;
        struct error e = {0};
        struct sliding_request request;
        snprintf(text, sizeof text, "{'lists':{'l':{'timeline_limit':1,'required_state':%s}}}", CASES[i].required);
        while ((at = strchr(text, '\'')) != NULL)
            *at = '"';
        json_t *body = json_loads(text, 0, NULL);
        assert_true(sliding_request_parse(&request, CASES[i].form, body, &e));
        assert_int_equal(request.n_parts, 1);
        if (sliding_part_wants(&request.parts[0], CASES[i].type, CASES[i].key, ME) != CASES[i].wanted ||
            request.parts[0].lazy != CASES[i].lazy)
            fail_msg("case %zu: %s", i, text);
        sliding_request_finish(&request);
        json_decref(body);
    }
}

static const struct sliding_known *known_of(struct sliding_request_cache *cache, struct connections *all,
                                            const char *body)
{
    struct error e = {0};
    return sliding_request_cache_get(cache, body, strlen(body), connections_body(all, body, strlen(body)), &e);
}

static void a_request_is_read_once(void **state)
{
    struct sliding_request_cache *cache = sliding_request_cache_create();
    struct connections *all = connections_create(1 << 20);
    char large[10000] = "{\"conn_id\":\"";
    memset(large + strlen(large), 'x', sizeof large - strlen(large) - 1); /* never ends */
    const struct sliding_known *first = known_of(cache, all, "{\"conn_id\":\"a\",\"lists\":{\"l\":{}}}"),
                               *again = known_of(cache, all, "{\"conn_id\":\"a\",\"lists\":{\"l\":{}}}"),
                               *other = known_of(cache, all, "{\"conn_id\":\"b\",\"lists\":{\"l\":{}}}");
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    assert_string_equal(other->request.conn_id, "b");
    sliding_known_unref(again);
    for (int i = 0; i < 1000; ++i) { /* others push it out; whoever has it goes on with it */
        char body[64];
        snprintf(body, sizeof body, "{\"conn_id\":\"%d\"}", i);
        sliding_known_unref(known_of(cache, all, body));
    }
    assert_string_equal(first->request.conn_id, "a");
    assert_string_equal(first->request.lists[0].name, "l");
    again = known_of(cache, all, "{\"conn_id\":\"a\",\"lists\":{\"l\":{}}}");
    assert_ptr_not_equal(first, again);
    static const char *const BAD[] = {"[]", "{", "1", "{\"conn_id\":1}", "{\"lists\":[]}"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; ++i)
        for (int k = 0; k < 2; ++k)
            assert_null(known_of(cache, all, BAD[i]));
    assert_null(known_of(cache, all, large));
    snprintf(large, sizeof large, "{\"txn_id\":\"t\"%*s}", 9000, ""); /* larger than what is kept */
    const struct sliding_known *big = known_of(cache, all, large), *bigger = known_of(cache, all, large);
    assert_true(big != NULL && bigger != NULL && big != bigger);
    const struct sliding_known *empty = known_of(cache, all, ""), *none = known_of(NULL, all, "");
    assert_true(empty != NULL && none != NULL && empty->request.n_lists == 0);
    const struct sliding_known *held[] = {first, again, other, big, bigger, empty, none};
    sliding_request_cache_destroy(cache);
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
        sliding_known_unref(held[i]);
    connections_destroy(all);
}

/* Connections. */

/* Each device is somebody else's. */
static struct connections_owner of(device_no device)
{
    return (struct connections_owner){1000 + device, device};
}

static struct connection_state *state_called(const char *pos, size_t n_rooms)
{
    struct connection_state *state = connection_state_create();
    snprintf(state->pos, sizeof state->pos, "%s", pos);
    state->body = 7;
    state->upto = 5;
    state->n_rooms = n_rooms;
    state->rooms = calloc(n_rooms + 1, sizeof *state->rooms);
    return state;
}

static bool takes(struct connections *all, device_no device, const char *conn, const char *pos, bool *again)
{
    bool known;
    struct connection_state *state =
        connections_take(all, of(device), connections_id(device, conn), pos, &known, again);
    bool found = state != NULL;
    connection_state_unref(state);
    return found;
}

static void a_pos_is_known_until_the_one_after_the_next(void **state)
{
    struct connections *all = connections_create(1 << 20);
    int64_t id = connections_id(1, "a");
    stream_pos upto;
    unsigned interest;
    bool again, known;
    connections_put(all, of(1), id, NULL, state_called("p1", 0));
    assert_false(takes(all, 2, "a", "p1", &again)); /* another device */
    assert_false(takes(all, 1, "b", "p1", &again)); /* another connection */
    assert_true(takes(all, 1, "a", "p1", &again) && !again);
    struct connection_state *base = connections_take(all, of(1), id, "p1", &known, &again);
    connections_put(all, of(1), id, base, state_called("p2", 0));
    assert_true(takes(all, 1, "a", "p1", &again) && again);                /* the answer with p2 may be lost */
    assert_null(connections_hold(all, of(1), "p1", 7, &id));               /* and a loop answers from it no more */
    assert_false(connections_find(all, of(1), "p2", 8, &upto, &interest)); /* another body; but p2 came */
    assert_false(takes(all, 1, "a", "p1", &again));
    assert_true(connections_find(all, of(1), "p2", 7, &upto, &interest) && upto == 5);
    connections_put(all, of(1), id, base, state_called("late", 0)); /* answered from what the client left behind */
    assert_false(takes(all, 1, "a", "late", &again));
    struct connection_state *now = connections_take(all, of(1), id, "p2", &known, &again),
                            *same = connection_state_copy(now);
    same->upto = 9;
    connections_replace(all, of(1), id, base, same); /* not in p2's place */
    assert_true(connections_find(all, of(1), "p2", 7, &upto, &interest) && upto == 5);
    connections_replace(all, of(1), id, now, same);
    assert_true(connections_find(all, of(1), "p2", 7, &upto, &interest) && upto == 9);
    connections_put(all, of(1), id, NULL, state_called("anew", 0));
    assert_false(takes(all, 1, "a", "p2", &again));
    connection_state_unref(base);
    connection_state_unref(now);
    connection_state_unref(same);
    connections_destroy(all);
}

static void connections_are_bounded(void **state)
{
    enum { ROOMS = 100, DEVICES = 2000, BYTES = 1 << 20 };
    char conn[16];
    bool again;
    struct connections *all = connections_create(BYTES);
    for (int i = 0; i < CONNECTIONS_OF_DEVICE + 1; ++i) {
        snprintf(conn, sizeof conn, "c%d", i);
        connections_put(all, of(1), connections_id(1, conn), NULL, state_called("p", ROOMS));
    }
    assert_false(takes(all, 1, "c0", "p", &again));
    assert_true(takes(all, 1, "c1", "p", &again) && takes(all, 1, conn, "p", &again));
    for (device_no device = 2; device < DEVICES; ++device) {
        connections_put(all, of(device), connections_id(device, ""), NULL, state_called("p", ROOMS));
        assert_true(connections_bytes(all) <= BYTES);
        assert_true(takes(all, device, "", "p", &again));
    }
    assert_false(takes(all, 1, "c1", "p", &again)); /* used longest ago */
    connections_destroy(all);
}

static struct connections_owner mine(device_no device)
{
    return (struct connections_owner){1, device};
}

static bool is_there(struct connections *all, struct connections_owner who, const char *conn)
{
    bool known, again;
    struct connection_state *state = connections_take(all, who, connections_id(who.device, conn), "p", &known, &again);
    connection_state_unref(state);
    return state != NULL;
}

/* Whoever asks with ever more devices, or for ever more rooms, pushes out their own. */
static void a_person_cannot_take_what_belongs_to_all(void **state)
{
    enum { ROOMS = 100, BYTES = 4 << 20, OTHERS = 20, DEVICES = 500 };
    struct connections *all = connections_create(BYTES);
    char conn[16];
    for (device_no device = 1; device <= OTHERS; ++device)
        connections_put(all, of(device), connections_id(device, ""), NULL, state_called("p", ROOMS));
    size_t others = connections_bytes(all);
    for (device_no device = 1; device <= DEVICES; ++device) {
        for (int i = 0; i < CONNECTIONS_OF_DEVICE; ++i) {
            snprintf(conn, sizeof conn, "c%d", i);
            connections_put(all, mine(device), connections_id(device, conn), NULL, state_called("p", ROOMS));
            assert_true(connections_bytes(all) - others <= BYTES / CONNECTIONS_SHARE);
            assert_true(is_there(all, mine(device), conn));
        }
    }
    assert_false(is_there(all, mine(1), "c0"));
    assert_true(is_there(all, mine(DEVICES - 1), "c0")); /* and not more than has to go */
    for (int i = 0; i < CONNECTIONS_OF_DEVICE; ++i) {    /* one device alone */
        snprintf(conn, sizeof conn, "c%d", i);
        connections_put(all, mine(1), connections_id(1, conn), NULL, state_called("p", 30 * ROOMS));
        assert_true(is_there(all, mine(1), conn));
        assert_true(connections_bytes(all) - others <= BYTES / CONNECTIONS_SHARE);
    }
    assert_false(is_there(all, mine(1), "c0"));
    connections_put(all, mine(1), connections_id(1, "c0"), NULL, state_called("p", 60 * ROOMS));
    assert_true(is_there(all, mine(1), "c0")); /* the last one is kept, as large as it is */
    for (device_no device = 1; device <= OTHERS; ++device)
        assert_true(is_there(all, of(device), ""));
    connections_destroy(all);
}

/* Who asks without a device is not taken for somebody else who does. */
static void people_without_devices_have_connections_of_their_own(void **state)
{
    struct connections *all = connections_create(1 << 20);
    const struct connections_owner a = {1, 0}, b = {2, 0};
    connections_put(all, a, connections_id(0, ""), NULL, state_called("p", 1));
    assert_false(is_there(all, b, ""));
    connections_put(all, b, connections_id(0, ""), NULL, state_called("p", 1));
    assert_true(is_there(all, a, "") && is_there(all, b, ""));
    connections_destroy(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(required_state_says_what_is_wanted),
        cmocka_unit_test(a_request_is_read_once),
        cmocka_unit_test(a_pos_is_known_until_the_one_after_the_next),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(a_person_cannot_take_what_belongs_to_all),
        cmocka_unit_test(people_without_devices_have_connections_of_their_own),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
