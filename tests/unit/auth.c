/* Event authorization, case by case (room versions, "Authorisation rules").
 *
 * Each case is a room, an event and what the rules say, for a range of versions. The room is the one of make_room with
 * the case's changes; the event is JSON with ' for ". Together the cases of a rule cover what it allows, what it
 * refuses and where versions differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/auth.h"
#include "homeserver/rooms/pdu/pdu.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static json_t *parse(const char *s)
{
    struct error e = {0};
    char *copy = xstrdup(s);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_t *value = json_parse(copy, strlen(copy), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    free(copy);
    return value;
}

/* A room: "type\nstate key" to {sender, content}. */
struct room {
    const struct room_version *version;
    json_t *state;
    struct auth_event events[32];
    char keys[32][600];
    size_t n;
};

static void put(json_t *state, const char *type, const char *key, const char *sender, json_t *content)
{
    json_t *name = json_sprintf("%s\n%s", type, key);
    json_object_set_new(state, json_string_value(name), json_pack("{s:s, s:o}", "sender", sender, "content", content));
    json_decref(name);
}

static void drop(json_t *state, const char *type, const char *key)
{
    json_t *name = json_sprintf("%s\n%s", type, key);
    json_object_del(state, json_string_value(name));
    json_decref(name);
}

static void put_member(json_t *state, const char *user, const char *membership)
{
    put(state, "m.room.member", user, user, json_pack("{s:s}", "membership", membership));
}

/* A room on server s, made by @c:s, by invitation, with people of every kind. */
static void make_room(struct room *room, const struct room_version *version)
{
    static const char *const PEOPLE[][2] = {
        {"@c:s", "join"},     {"@admin:s", "join"}, {"@mod:s", "join"},      {"@mod2:s", "join"},
        {"@u:s", "join"},     {"@v:s", "join"},     {"@far:t", "join"},      {"@inv:s", "invite"},
        {"@banned:s", "ban"}, {"@left:s", "leave"}, {"@knocker:s", "knock"},
    };
    *room = (struct room){.version = version, .state = json_object()};
    for (size_t i = 0; i < COUNT(PEOPLE); ++i)
        put_member(room->state, PEOPLE[i][0], PEOPLE[i][1]);
    put(room->state, "m.room.create", "", "@c:s", version->number <= 10 ? parse("{'creator':'@c:s'}") : json_object());
    put(room->state, "m.room.join_rules", "", "@c:s", parse("{'join_rule':'invite'}"));
    put(room->state, "m.room.power_levels", "", "@c:s",
        parse(version->number <= 11 ? "{'users':{'@c:s':100,'@admin:s':100,'@mod:s':50,'@mod2:s':50}}"
                                    : "{'users':{'@admin:s':100,'@mod:s':50,'@mod2:s':50}}"));
}

/* The case's changes: {"member": {user: membership or null}, "join_rule": …, "levels": content or null,
 * "create": keys to add to its content or null, "state": [[type, key, sender, content]]}. */
static void change_room(struct room *room, const char *changes)
{
    json_t *c = parse(changes != NULL ? changes : "{}"), *value;
    const char *user;
    size_t i;
    json_object_foreach(json_object_get(c, "member"), user, value) {
        if (json_is_string(value))
            put_member(room->state, user, json_string_value(value));
        else
            drop(room->state, "m.room.member", user);
    }
    if ((value = json_object_get(c, "join_rule")) != NULL)
        put(room->state, "m.room.join_rules", "", "@c:s", json_pack("{s:O}", "join_rule", value));
    if (json_is_null(value))
        drop(room->state, "m.room.join_rules", "");
    if ((value = json_object_get(c, "levels")) != NULL)
        put(room->state, "m.room.power_levels", "", "@c:s", json_incref(value));
    if (json_is_null(value))
        drop(room->state, "m.room.power_levels", "");
    if ((value = json_object_get(c, "create")) != NULL)
        json_object_update(json_object_get(json_object_get(room->state, "m.room.create\n"), "content"), value);
    if (json_is_null(value))
        drop(room->state, "m.room.create", "");
    json_array_foreach(json_object_get(c, "state"), i, value)
        put(room->state, json_string_value(json_array_get(value, 0)), json_string_value(json_array_get(value, 1)),
            json_string_value(json_array_get(value, 2)), json_incref(json_array_get(value, 3)));
    json_decref(c);
}

static const struct auth_event *get(void *ctx, const char *type, const char *state_key)
{
    struct room *room = ctx;
    char key[600];
    snprintf(key, sizeof key, "%s\n%s", type, state_key);
    const json_t *event = json_object_get(room->state, key);
    if (event == NULL)
        return NULL;
    for (size_t i = 0; i < room->n; ++i)
        if (strcmp(room->keys[i], key) == 0)
            return &room->events[i];
    assert_true(room->n < COUNT(room->events));
    strcpy(room->keys[room->n], key);
    room->events[room->n] = (struct auth_event){
        .event_id = strcmp(type, "m.room.create") == 0 ? "$create" : "$other",
        .sender = json_get_string(event, "sender"),
        .content = json_object_get(event, "content"),
    };
    return &room->events[room->n++];
}

static const char *const THIS_SERVER[] = {"s"};

/* The event's keys as in a PDU, and: "room_id" (null: none), "n_prev", "prev_is_create", "unsigned" (true: by nobody),
 * "auth": [[type, key, room_id, rejected]]. */
static bool check_event(struct room *room, const json_t *event, const char **why)
{
    const json_t *auth = json_object_get(event, "auth"), *item;
    struct auth_fact facts[8];
    bool hashed = room->version->number >= 12, creates = strcmp(json_get_string(event, "type"), "m.room.create") == 0;
    bool unsigned_ = json_get_bool(event, "unsigned", false);
    const char *room_id = json_get_string(event, "room_id");
    if (room_id == NULL && json_object_get(event, "room_id") == NULL && !(hashed && creates))
        room_id = hashed ? "!create" : "!r:s";
    size_t i;
    json_array_foreach(auth, i, item)
        facts[i] = (struct auth_fact){.type = json_string_value(json_array_get(item, 0)),
                                      .state_key = json_string_value(json_array_get(item, 1)),
                                      .room_id = json_string_value(json_array_get(item, 2)),
                                      .rejected = json_is_true(json_array_get(item, 3))};
    const struct auth_input in = {
        .version = room->version,
        .room_id = room_id,
        .event_id = json_get_string(event, "event_id"),
        .type = json_get_string(event, "type"),
        .sender = json_get_string(event, "sender"),
        .state_key = json_get_string(event, "state_key"),
        .content = json_object_get(event, "content"),
        .redacts = json_get_string(event, "redacts"),
        .n_prev = (size_t)json_get_int(event, "n_prev", creates ? 0 : 1),
        .prev_is_create = json_get_bool(event, "prev_is_create", false),
        .signers = unsigned_ ? NULL : THIS_SERVER,
        .n_signers = unsigned_ ? 0 : 1,
        .auth = auth != NULL ? facts : NULL,
        .n_auth = json_array_size(auth),
        .get = get,
        .ctx = room,
    };
    return auth_check(&in, why);
}

#define EVENT(type, sender, key, content) "{'type':'" type "','sender':'" sender "'," key "'content':" content "}"
#define KEY(state_key) "'state_key':'" state_key "',"
#define STATE(type, sender, content) EVENT(type, sender, KEY(""), content)
#define MESSAGE(sender) EVENT("m.room.message", sender, "", "{'body':'x'}")
#define MEMBER(sender, user, membership) EVENT("m.room.member", sender, KEY(user), "{'membership':'" membership "'}")
#define JOIN_BY(user, by)                                                                                              \
    EVENT("m.room.member", user, KEY(user), "{'membership':'join','join_authorised_via_users_server':'" by "'}")
#define LEVELS(sender, content) STATE("m.room.power_levels", sender, content)
#define USERS "'users':{'@admin:s':100,'@mod:s':50,'@mod2:s':50}"
#define ROOM_LEVELS "'levels':{" USERS "}"

/* why: how the refusal's sentence begins; NULL: allowed. */
static const struct auth_case {
    int first, last;
    const char *room, *event, *why;
} CASES[] = {
    /* m.room.create */
    {1, 10, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s'}"), NULL},
    {1, 10, NULL, STATE("m.room.create", "@c:s", "{}"), "The event that creates the room does not name"},
    {11, 12, NULL, STATE("m.room.create", "@c:s", "{}"), NULL},
    {1, 12, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s','room_version':'1'}"), NULL},
    {1, 12, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s','room_version':'12'}"), NULL},
    {1, 12, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s','room_version':'13'}"), "The room version is not"},
    {1, 12, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s','room_version':6}"), "The room version is not"},
    {1, 12, NULL, EVENT("m.room.create", "@c:s", "'n_prev':1,'state_key':'',", "{'creator':'@c:s'}"), "Only the first"},
    {1, 11, NULL, EVENT("m.room.create", "@c:s", "'room_id':'!r:t',", "{'creator':'@c:s'}"),
     "The room id does not fit"},
    {1, 11, NULL, EVENT("m.room.create", "@c:s", "'room_id':'!r',", "{'creator':'@c:s'}"), "The room id does not fit"},
    {1, 11, NULL, EVENT("m.room.create", "@c:s", "'room_id':null,", "{'creator':'@c:s'}"), "The room id does not fit"},
    {12, 12, NULL, EVENT("m.room.create", "@c:s", "'room_id':'!create',", "{}"), "The room id does not fit"},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':['@d:s','@e:t']}"), NULL},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':[]}"), NULL},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':['nobody']}"), "The additional creators"},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':['@d:s',1]}"), "The additional creators"},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':'@d:s'}"), "The additional creators"},
    {12, 12, NULL, STATE("m.room.create", "@c:s", "{'additional_creators':null}"), "The additional creators"},
    {1, 11, NULL, STATE("m.room.create", "@c:s", "{'creator':'@c:s','additional_creators':7}"), NULL},
    {1, 12, "{'create':null}", STATE("m.room.create", "@c:s", "{'creator':'@c:s'}"), NULL},

    /* The room and its auth events */
    {1, 12, "{'create':null}", MESSAGE("@u:s"), "The room does not exist"},
    {1, 11, NULL, EVENT("m.room.message", "@u:s", "'room_id':'!any',", "{}"), NULL},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'room_id':'!other',", "{}"), "The room id is not that"},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'room_id':'$create',", "{}"), "The room id is not that"},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'room_id':null,", "{}"), "The room id is not that"},
    {1, 11, NULL,
     EVENT("m.room.message", "@u:s",
           "'auth':[['m.room.create','','!r:s'],['m.room.member','@u:s','!r:s'],"
           "['m.room.power_levels','','!r:s']],",
           "{}"),
     NULL},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'auth':[['m.room.member','@u:s','!create']],", "{}"), NULL},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'auth':[],", "{}"), NULL},
    {12, 12, NULL, EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','',null]],", "{}"),
     "The event names an auth"},
    {1, 11, NULL, EVENT("m.room.message", "@u:s", "'auth':[['m.room.member','@u:s','!r:s']],", "{}"),
     "The event does not name the event that created"},

    {1, 11, NULL,
     EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','','!r:s'],['m.room.create','','!r:s']],", "{}"),
     "The event names two auth events"},

    {1, 11, NULL,
     EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','','!r:s'],['m.room.member','@v:s','!r:s']],", "{}"),
     "The event names an auth event that does not concern"},

    {1, 11, NULL,
     EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','','!r:s'],['m.room.join_rules','','!r:s']],", "{}"),
     "The event names an auth event that does not concern"},
    {1, 11, NULL, EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','','!r:s',true]],", "{}"),
     "The event names an auth event that was refused"},
    {1, 11, NULL, EVENT("m.room.message", "@u:s", "'auth':[['m.room.create','','!q:s']],", "{}"),
     "The event names an auth event of another room"},

    /* m.federate */
    {1, 12, NULL, MESSAGE("@far:t"), NULL},
    {1, 12, "{'create':{'m.federate':true}}", MESSAGE("@far:t"), NULL},
    {1, 12, "{'create':{'m.federate':false}}", MESSAGE("@far:t"), "This room is closed to other servers"},
    {1, 12, "{'create':{'m.federate':false}}", MESSAGE("@u:s"), NULL},
    {1, 12, "{'create':{'m.federate':false},'join_rule':'public'}", MEMBER("@new:t", "@new:t", "join"),
     "This room is closed"},
    {1, 12, "{'create':{'m.federate':'false'}}", MESSAGE("@far:t"), NULL},

    /* m.room.aliases */
    {1, 5, NULL, EVENT("m.room.aliases", "@new:s", KEY("s"), "{'aliases':[]}"), NULL},
    {1, 5, NULL, EVENT("m.room.aliases", "@u:s", KEY("t"), "{'aliases':[]}"), "A server can only announce"},
    {1, 5, NULL, EVENT("m.room.aliases", "@u:s", "", "{'aliases':[]}"), "A server can only announce"},
    {6, 12, NULL, EVENT("m.room.aliases", "@u:s", KEY("s"), "{}"), "Your power level is too low to send"},
    {6, 12, NULL, EVENT("m.room.aliases", "@mod:s", KEY("t"), "{}"), NULL},
    {6, 12, NULL, EVENT("m.room.aliases", "@new:s", KEY("s"), "{}"), "You are not in this room"},

    /* m.room.member: form */
    {1, 12, NULL, EVENT("m.room.member", "@u:s", "", "{'membership':'join'}"), "The membership event does not say"},
    {1, 12, NULL, EVENT("m.room.member", "@u:s", KEY("@u:s"), "{}"), "The membership event does not say"},
    {1, 12, NULL, EVENT("m.room.member", "@u:s", KEY("@u:s"), "{'membership':1}"), "The membership event does not say"},
    {1, 12, NULL, MEMBER("@u:s", "@u:s", "dance"), "This membership is not known"},
    {1, 6, "{'join_rule':'knock'}", MEMBER("@new:s", "@new:s", "knock"), "This membership is not known"},

    /* join */
    {1, 12, "{'member':{'@c:s':null},'join_rule':null,'levels':null}",
     EVENT("m.room.member", "@c:s", KEY("@c:s") "'prev_is_create':true,", "{'membership':'join'}"), NULL},
    {1, 12, "{'member':{'@c:s':null},'join_rule':null,'levels':null}",
     EVENT("m.room.member", "@c:s", KEY("@c:s"), "{'membership':'join'}"), "You are not invited"},
    {1, 12, "{'member':{'@c:s':null},'join_rule':null,'levels':null}",
     EVENT("m.room.member", "@c:s", KEY("@c:s") "'prev_is_create':true,'n_prev':2,", "{'membership':'join'}"),
     "You are not inv"},
    {1, 12, "{'member':{'@c:s':null},'join_rule':null,'levels':null}",
     EVENT("m.room.member", "@new:s", KEY("@new:s") "'prev_is_create':true,", "{'membership':'join'}"),
     "You are not invited"},
    {1, 10, "{'create':{'creator':'@new:s'},'join_rule':null}",
     EVENT("m.room.member", "@new:s", KEY("@new:s") "'prev_is_create':true,", "{'membership':'join'}"), NULL},
    {11, 12, "{'create':{'creator':'@new:s'},'join_rule':null}",
     EVENT("m.room.member", "@new:s", KEY("@new:s") "'prev_is_create':true,", "{'membership':'join'}"),
     "You are not invited"},
    {12, 12, "{'create':{'additional_creators':['@new:s']},'join_rule':null}",
     EVENT("m.room.member", "@new:s", KEY("@new:s") "'prev_is_create':true,", "{'membership':'join'}"),
     "You are not invited"},
    {1, 12, NULL, MEMBER("@u:s", "@u:s", "join"), NULL}, /* a new name, say */
    {1, 12, NULL, MEMBER("@inv:s", "@inv:s", "join"), NULL},
    {1, 12, NULL, MEMBER("@new:s", "@new:s", "join"), "You are not invited"},
    {1, 12, NULL, MEMBER("@left:s", "@left:s", "join"), "You are not invited"},
    {1, 12, NULL, MEMBER("@knocker:s", "@knocker:s", "join"), "You are not invited"},
    {1, 12, NULL, MEMBER("@banned:s", "@banned:s", "join"), "You are banned"},
    {1, 12, NULL, MEMBER("@c:s", "@inv:s", "join"), "You can only join for yourself"},
    {1, 12, "{'join_rule':'public'}", MEMBER("@new:s", "@new:s", "join"), NULL},
    {1, 12, "{'join_rule':'public'}", MEMBER("@left:s", "@left:s", "join"), NULL},
    {1, 12, "{'join_rule':'public'}", MEMBER("@banned:s", "@banned:s", "join"), "You are banned"},
    {1, 12, "{'join_rule':'public'}", MEMBER("@u:s", "@new:s", "join"), "You can only join for yourself"},
    {1, 12, "{'join_rule':'private'}", MEMBER("@inv:s", "@inv:s", "join"), "You are not invited"},
    {1, 12, "{'join_rule':7}", MEMBER("@inv:s", "@inv:s", "join"), NULL}, /* as if there were none: by invitation */
    {1, 12, "{'join_rule':null}", MEMBER("@inv:s", "@inv:s", "join"), NULL},
    {1, 12, "{'join_rule':null}", MEMBER("@new:s", "@new:s", "join"), "You are not invited"},
    {1, 6, "{'join_rule':'knock'}", MEMBER("@inv:s", "@inv:s", "join"), "You are not invited"},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@inv:s", "@inv:s", "join"), NULL},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@knocker:s", "@knocker:s", "join"), "You are not invited"},

    /* join, restricted */
    {1, 7, "{'join_rule':'restricted'}", MEMBER("@inv:s", "@inv:s", "join"), "You are not invited"},
    {8, 12, "{'join_rule':'restricted'}", MEMBER("@inv:s", "@inv:s", "join"), NULL},
    {8, 12, "{'join_rule':'restricted'}", MEMBER("@u:s", "@u:s", "join"), NULL},
    {8, 12, "{'join_rule':'restricted'}", MEMBER("@new:s", "@new:s", "join"), "You are not invited"},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@u:s"), NULL},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@banned:s", "@u:s"), "You are banned"},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@left:s"), "You are not invited"},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@inv:s"), "You are not invited"},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@nobody:s"), "You are not invited"},
    {8, 12, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@far:t"), "The join is not signed"},
    {8, 12, "{'join_rule':'restricted','levels':{'invite':50,'users':{'@mod:s':50}}}", JOIN_BY("@new:s", "@u:s"),
     "You are not invited"},
    {8, 12, "{'join_rule':'restricted','levels':{'invite':50,'users':{'@mod:s':50}}}", JOIN_BY("@new:s", "@mod:s"),
     NULL},
    {12, 12, "{'join_rule':'restricted','levels':{'invite':50}}", JOIN_BY("@new:s", "@c:s"), NULL},
    {8, 11, "{'join_rule':'restricted','levels':{'invite':50}}", JOIN_BY("@new:s", "@c:s"), "You are not invited"},
    {1, 7, "{'join_rule':'restricted'}", JOIN_BY("@new:s", "@u:s"), "You are not invited"},
    {1, 7, "{'join_rule':'public'}", JOIN_BY("@new:s", "@far:t"), NULL},
    {8, 12, "{'join_rule':'public'}", JOIN_BY("@new:s", "@far:t"), "The join is not signed"},
    {8, 12, "{'join_rule':'public'}", JOIN_BY("@new:s", "@u:s"), NULL},
    {8, 12, "{'join_rule':'restricted'}",
     EVENT("m.room.member", "@new:s", KEY("@new:s") "'unsigned':true,",
           "{'membership':'join','join_authorised_via_users_server':'@u:s'}"),
     "The join is not signed"},
    {8, 12, NULL,
     EVENT("m.room.member", "@u:s", KEY("@u:s"), "{'membership':'join','join_authorised_via_users_server':7}"),
     "The join is not signed"},
    {8, 12, NULL,
     EVENT("m.room.member", "@u:s", KEY("@u:s"), "{'membership':'leave','join_authorised_via_users_server':'@a:t'}"),
     "The join is not signed"},
    {1, 9, "{'join_rule':'knock_restricted'}", JOIN_BY("@new:s", "@u:s"), "You are not invited"},
    {1, 9, "{'join_rule':'knock_restricted'}", MEMBER("@inv:s", "@inv:s", "join"), "You are not invited"},
    {10, 12, "{'join_rule':'knock_restricted'}", JOIN_BY("@new:s", "@u:s"), NULL},
    {10, 12, "{'join_rule':'knock_restricted'}", MEMBER("@inv:s", "@inv:s", "join"), NULL},
    {10, 12, "{'join_rule':'knock_restricted'}", MEMBER("@new:s", "@new:s", "join"), "You are not invited"},

    /* invite */
    {1, 12, NULL, MEMBER("@u:s", "@new:s", "invite"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@left:s", "invite"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@inv:s", "invite"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@knocker:s", "invite"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@v:s", "invite"), "This person is already in the room"},
    {1, 12, NULL, MEMBER("@mod:s", "@banned:s", "invite"), "This person is banned"},
    {1, 12, NULL, MEMBER("@new:s", "@new2:s", "invite"), "You are not in this room"},
    {1, 12, NULL, MEMBER("@inv:s", "@new:s", "invite"), "You are not in this room"},
    {1, 12, "{'levels':{'invite':50,'users':{'@mod:s':50}}}", MEMBER("@u:s", "@new:s", "invite"),
     "Your power level is too low"},
    {1, 12, "{'levels':{'invite':50,'users':{'@mod:s':50}}}", MEMBER("@mod:s", "@new:s", "invite"), NULL},
    {1, 9, "{'levels':{'invite':'50'}}", MEMBER("@u:s", "@new:s", "invite"), "Your power level is too low"},
    {10, 12, "{'levels':{'invite':'50'}}", MEMBER("@u:s", "@new:s", "invite"), NULL}, /* not a level: the default, 0 */
    {1, 12, "{'levels':{'invite':9007199254740991}}", MEMBER("@admin:s", "@new:s", "invite"),
     "Your power level is too low"},
    {12, 12, "{'levels':{'invite':9007199254740991}}", MEMBER("@c:s", "@new:s", "invite"), NULL},
    {1, 12, NULL, EVENT("m.room.member", "@u:s", KEY("@new:s"), "{'membership':'invite','third_party_invite':{}}"),
     "The third-party invite is not signed"},
    {1, 12, NULL, EVENT("m.room.member", "@u:s", KEY("@new:s"), "{'membership':'invite','third_party_invite':7}"),
     "The third-party invite is not signed"},

    /* leave: by oneself */
    {1, 12, NULL, MEMBER("@u:s", "@u:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@inv:s", "@inv:s", "leave"), NULL},
    {1, 6, NULL, MEMBER("@knocker:s", "@knocker:s", "leave"), "You are not in this room"},
    {7, 12, NULL, MEMBER("@knocker:s", "@knocker:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@left:s", "@left:s", "leave"), "You are not in this room"},
    {1, 12, NULL, MEMBER("@new:s", "@new:s", "leave"), "You are not in this room"},
    {1, 12, NULL, MEMBER("@banned:s", "@banned:s", "leave"), "You are not in this room"},

    /* leave: kick, withdraw, unban */
    {1, 12, NULL, MEMBER("@mod:s", "@u:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@mod:s", "@inv:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@mod:s", "@knocker:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@v:s", "leave"), "Your power level is too low to remove"},
    {1, 12, NULL, MEMBER("@mod:s", "@mod2:s", "leave"), "Your power level is too low to remove"},
    {1, 12, NULL, MEMBER("@mod:s", "@admin:s", "leave"), "Your power level is too low to remove"},
    {1, 12, NULL, MEMBER("@admin:s", "@mod:s", "leave"), NULL},
    {1, 11, NULL, MEMBER("@admin:s", "@c:s", "leave"), "Your power level is too low to remove"},
    {12, 12, NULL, MEMBER("@admin:s", "@c:s", "leave"), "Your power level is too low to remove"},
    {1, 11, NULL, MEMBER("@c:s", "@admin:s", "leave"), "Your power level is too low to remove"},
    {12, 12, NULL, MEMBER("@c:s", "@admin:s", "leave"), NULL},
    {12, 12, "{'create':{'additional_creators':['@u:s']}}", MEMBER("@c:s", "@u:s", "leave"),
     "Your power level is too low"},
    {12, 12, "{'create':{'additional_creators':['@u:s']}}", MEMBER("@u:s", "@admin:s", "leave"), NULL},
    {1, 12, "{'levels':{'kick':0,'users':{'@u:s':1}}}", MEMBER("@u:s", "@v:s", "leave"), NULL},
    {1, 12, "{'levels':{'kick':51," USERS "}}", MEMBER("@mod:s", "@v:s", "leave"),
     "Your power level is too low to remove"},
    {1, 12, "{'member':{'@mod:s':'leave'}}", MEMBER("@mod:s", "@u:s", "leave"), "You are not in this room"},
    {1, 12, NULL, MEMBER("@mod:s", "@banned:s", "leave"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@banned:s", "leave"), "Your power level is too low to unban"},
    {1, 12, "{'levels':{'ban':60," USERS "}}", MEMBER("@mod:s", "@banned:s", "leave"),
     "Your power level is too low to unban"},
    {1, 12, "{'levels':{'ban':60," USERS "}}", MEMBER("@mod:s", "@u:s", "leave"), NULL},

    /* ban */
    {1, 12, NULL, MEMBER("@mod:s", "@u:s", "ban"), NULL},
    {1, 12, NULL, MEMBER("@mod:s", "@new:s", "ban"), NULL},
    {1, 12, NULL, MEMBER("@mod:s", "@inv:s", "ban"), NULL},
    {1, 12, NULL, MEMBER("@u:s", "@v:s", "ban"), "Your power level is too low to ban"},
    {1, 12, NULL, MEMBER("@mod:s", "@mod2:s", "ban"), "Your power level is too low to ban"},
    {1, 12, NULL, MEMBER("@mod:s", "@mod:s", "ban"), "Your power level is too low to ban"},
    {1, 12, NULL, MEMBER("@left:s", "@v:s", "ban"), "You are not in this room"},
    {1, 12, "{'levels':{'ban':51," USERS "}}", MEMBER("@mod:s", "@u:s", "ban"), "Your power level is too low to ban"},
    {12, 12, NULL, MEMBER("@admin:s", "@c:s", "ban"), "Your power level is too low to ban"},
    {12, 12, NULL, MEMBER("@c:s", "@admin:s", "ban"), NULL},

    /* knock */
    {7, 12, "{'join_rule':'knock'}", MEMBER("@new:s", "@new:s", "knock"), NULL},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@left:s", "@left:s", "knock"), NULL},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@knocker:s", "@knocker:s", "knock"), NULL},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@u:s", "@u:s", "knock"), "You are already"},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@inv:s", "@inv:s", "knock"), "You are already"},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@banned:s", "@banned:s", "knock"), "You are banned"},
    {7, 12, "{'join_rule':'knock'}", MEMBER("@u:s", "@new:s", "knock"), "You can only knock for yourself"},
    {7, 12, NULL, MEMBER("@new:s", "@new:s", "knock"), "This room does not take knocks"},
    {7, 12, "{'join_rule':'public'}", MEMBER("@new:s", "@new:s", "knock"), "This room does not take knocks"},
    {7, 12, "{'join_rule':'restricted'}", MEMBER("@new:s", "@new:s", "knock"), "This room does not take knocks"},
    {7, 9, "{'join_rule':'knock_restricted'}", MEMBER("@new:s", "@new:s", "knock"), "This room does not take knocks"},
    {10, 12, "{'join_rule':'knock_restricted'}", MEMBER("@new:s", "@new:s", "knock"), NULL},

    /* Everything else: members, and the type's power level */
    {1, 12, NULL, MESSAGE("@u:s"), NULL},
    {1, 12, NULL, MESSAGE("@new:s"), "You are not in this room"},
    {1, 12, NULL, MESSAGE("@inv:s"), "You are not in this room"},
    {1, 12, NULL, MESSAGE("@banned:s"), "You are not in this room"},
    {1, 12, NULL, MESSAGE("@left:s"), "You are not in this room"},
    {1, 12, NULL, MESSAGE("@knocker:s"), "You are not in this room"},
    {1, 12, "{'levels':{'events_default':1}}", MESSAGE("@u:s"), "Your power level is too low to send"},
    {1, 12, "{'levels':{'events_default':1,'events':{'m.room.message':0}}}", MESSAGE("@u:s"), NULL},
    {1, 12, "{'levels':{'events':{'m.room.message':1}}}", MESSAGE("@u:s"), "Your power level is too low to send"},
    {1, 12, "{'levels':{'users_default':-1}}", MESSAGE("@u:s"), "Your power level is too low to send"},
    {1, 12, NULL, STATE("m.room.name", "@u:s", "{}"), "Your power level is too low to send"},
    {1, 12, NULL, STATE("m.room.name", "@mod:s", "{}"), NULL},
    {1, 12, "{'levels':{'state_default':0}}", STATE("m.room.name", "@u:s", "{}"), NULL},
    {1, 12, "{'levels':{'events':{'m.room.name':0}}}", STATE("m.room.name", "@u:s", "{}"), NULL},
    {1, 12, "{'levels':{'events':{'m.room.name':51}," USERS "}}", STATE("m.room.name", "@mod:s", "{}"),
     "Your power level"},
    {1, 12, "{'levels':null}", MESSAGE("@u:s"), NULL},
    {1, 12, "{'levels':null}", STATE("m.room.name", "@u:s", "{}"), "Your power level is too low to send"},
    {1, 12, "{'levels':null}", STATE("m.room.name", "@c:s", "{}"), NULL},
    {12, 12, "{'levels':{'events':{'m.room.tombstone':9007199254740991}}}", STATE("m.room.tombstone", "@c:s", "{}"),
     NULL},
    {12, 12, "{'levels':{'events':{'m.room.tombstone':150},'users':{'@admin:s':100}}}",
     STATE("m.room.tombstone", "@admin:s", "{}"), "Your power level is too low to send"},
    {12, 12, "{'create':{'additional_creators':['@u:s']}}", STATE("m.room.tombstone", "@u:s", "{}"), NULL},
    {1, 11, "{'create':{'additional_creators':['@u:s']}}", STATE("m.room.tombstone", "@u:s", "{}"), "Your power level"},
    {3, 12, "{'levels':{'redact':100}}", EVENT("m.room.redaction", "@u:s", "", "{}"),
     NULL}, /* applying is asked elsewhere */
    {3, 12, "{'levels':{'events':{'m.room.redaction':1}}}", EVENT("m.room.redaction", "@u:s", "", "{}"),
     "Your power level"},

    /* m.room.third_party_invite */
    {1, 12, NULL, EVENT("m.room.third_party_invite", "@u:s", KEY("t"), "{}"), NULL},
    {1, 12, "{'levels':{'invite':50," USERS "}}", EVENT("m.room.third_party_invite", "@u:s", KEY("t"), "{}"),
     "Your power"},
    {1, 12, "{'levels':{'invite':50," USERS "}}", EVENT("m.room.third_party_invite", "@mod:s", KEY("t"), "{}"), NULL},
    {1, 12, NULL, EVENT("m.room.third_party_invite", "@new:s", KEY("t"), "{}"), "You are not in this room"},

    /* State keys that are people */
    {1, 12, NULL, EVENT("org.example.x", "@mod:s", KEY("@mod:s"), "{}"), NULL},
    {1, 12, NULL, EVENT("org.example.x", "@mod:s", KEY("@u:s"), "{}"), "This state belongs to another"},
    {1, 12, NULL, EVENT("org.example.x", "@admin:s", KEY("@"), "{}"), "This state belongs to another"},
    {1, 12, NULL, EVENT("org.example.x", "@mod:s", KEY("u@s"), "{}"), NULL},
    {1, 12, NULL, EVENT("org.example.x", "@u:s", KEY("@u:s"), "{}"), "Your power level is too low to send"},

    /* m.room.power_levels: form */
    {1, 12, NULL, LEVELS("@u:s", "{}"), "Your power level is too low to send"},
    {1, 12, "{" ROOM_LEVELS "}", LEVELS("@admin:s", "{" USERS "}"), NULL},
    {1, 9, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':'50'}}"), NULL},
    {10, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':'50'}}"), "The power levels are not well-formed"},
    {1, 5, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':50.7}}"), NULL},
    {6, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':50.7}}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':'x'}}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u:s':null}}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'u:s':50}}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@u':50}}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'users':[]}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'events':7}"), "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'events':{'a':true}}"), "The power levels are not well-formed"},
    {1, 5, "{'levels':null}", LEVELS("@c:s", "{'notifications':{'room':true}}"), NULL},
    {6, 12, "{'levels':null}", LEVELS("@c:s", "{'notifications':{'room':true}}"),
     "The power levels are not well-formed"},
    {1, 12, "{'levels':null}", LEVELS("@c:s", "{'ban':true}"), "The power levels are not well-formed"},
    {1, 9, "{'levels':null}", LEVELS("@c:s", "{'ban':'50'}"), NULL},
    {10, 12, "{'levels':null}", LEVELS("@c:s", "{'ban':'50'}"), "The power levels are not well-formed"},
    {10, 12, "{'levels':null}", LEVELS("@c:s", "{'invite':'0'}"), "The power levels are not well-formed"},
    {10, 12, "{'levels':null}", LEVELS("@c:s", "{'events':{'a':'1'}}"), "The power levels are not well-formed"},

    {1, 12, "{'levels':null}",
     LEVELS("@c:s", "{'ban':1,'kick':2,'redact':3,'invite':4,'users_default':5,'events_default':6,"
                    "'state_default':7,'events':{'a':8},'notifications':{'room':9},'x':'y'}"),
     NULL},

    /* m.room.power_levels: creators */
    {1, 11, "{'levels':null}", LEVELS("@c:s", "{'users':{'@c:s':100}}"), NULL},
    {12, 12, "{'levels':null}", LEVELS("@c:s", "{'users':{'@c:s':100}}"), "The room's creators cannot be listed"},
    {12, 12, "{'levels':null,'create':{'additional_creators':['@d:s']}}", LEVELS("@c:s", "{'users':{'@d:s':100}}"),
     "The room's creators cannot be listed"},
    {12, 12, "{" ROOM_LEVELS "}", LEVELS("@c:s", "{'users':{'@admin:s':9007199254740991}}"), NULL},
    {12, 12, "{'levels':{'users':{'@admin:s':9007199254740991}}}", LEVELS("@c:s", "{}"), NULL},

    /* m.room.power_levels: single keys */
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'ban':50," USERS "}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'ban':51," USERS "}"), "Your power level is too low for this"},
    {1, 12, "{'levels':{'ban':50," USERS "}}", LEVELS("@mod:s", "{" USERS "}"), NULL},
    {1, 12, "{'levels':{'ban':51," USERS "}}", LEVELS("@mod:s", "{" USERS "}"), "Your power level is too low for this"},
    {1, 12, "{'levels':{'ban':51," USERS "}}", LEVELS("@mod:s", "{'ban':50," USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{'ban':51," USERS "}}", LEVELS("@mod:s", "{'ban':51," USERS "}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'kick':51," USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'redact':51," USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'invite':51," USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users_default':51," USERS "}"),
     "Your power level is too low for"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'events_default':51," USERS "}"),
     "Your power level is too low for"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'state_default':51," USERS "}"),
     "Your power level is too low for"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users_default':50," USERS "}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'x':51," USERS "}"), NULL},
    {1, 9, "{'levels':{'ban':51," USERS "}}", LEVELS("@mod:s", "{'ban':'51'," USERS "}"), NULL}, /* the same level */

    /* m.room.power_levels: events and notifications */
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'events':{'a':50}," USERS "}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'events':{'a':51}," USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{'events':{'a':51}," USERS "}}", LEVELS("@mod:s", "{" USERS "}"),
     "Your power level is too low for this"},
    {1, 12, "{'levels':{'events':{'a':51}," USERS "}}", LEVELS("@mod:s", "{'events':{'a':1}," USERS "}"),
     "Your power level"},
    {1, 12, "{'levels':{'events':{'a':51}," USERS "}}", LEVELS("@mod:s", "{'events':{'a':51,'b':2}," USERS "}"), NULL},
    {1, 12, "{'levels':{'events':{'a':50}," USERS "}}", LEVELS("@mod:s", "{'events':{'a':1}," USERS "}"), NULL},
    {1, 12, "{'levels':{'events':{'a':50}," USERS "}}", LEVELS("@mod:s", "{'events':{'a':60}," USERS "}"),
     "Your power level"},
    {1, 5, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'notifications':{'room':51}," USERS "}"), NULL},
    {6, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'notifications':{'room':51}," USERS "}"), "Your power level"},
    {6, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'notifications':{'room':50}," USERS "}"), NULL},
    {1, 5, "{'levels':{'notifications':{'room':51}," USERS "}}", LEVELS("@mod:s", "{" USERS "}"), NULL},
    {6, 12, "{'levels':{'notifications':{'room':51}," USERS "}}", LEVELS("@mod:s", "{" USERS "}"),
     "Your power level is too low"},

    /* m.room.power_levels: users */
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':50,'@mod2:s':50,'@u:s':50}}"),
     NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':50,'@mod2:s':50,'@u:s':51}}"),
     "Your"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':99,'@mod:s':50,'@mod2:s':50}}"),
     "Your power"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@mod:s':50,'@mod2:s':50}}"),
     "Your power level is too low"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':50,'@mod2:s':49}}"),
     "Your power"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':50}}"),
     "Your power level is too low"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':49,'@mod2:s':50}}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod2:s':50}}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@mod:s", "{'users':{'@admin:s':100,'@mod:s':51,'@mod2:s':50}}"),
     "Your power"},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@admin:s", "{'users':{'@admin:s':100,'@mod:s':100}}"), NULL},
    {1, 12, "{'levels':{" USERS "}}", LEVELS("@admin:s", "{'users':{'@admin:s':50,'@mod:s':50,'@mod2:s':50}}"), NULL},
    {12, 12, "{'create':{'additional_creators':['@u:s']}," ROOM_LEVELS "}", LEVELS("@u:s", "{'users_default':500}"),
     NULL},

    /* m.room.redaction in versions 1 and 2 */
    {1, 2, NULL, EVENT("m.room.redaction", "@mod:s", "'event_id':'$x:s','redacts':'$y:t',", "{}"), NULL},
    {1, 2, NULL, EVENT("m.room.redaction", "@u:s", "'event_id':'$x:s','redacts':'$y:s',", "{}"), NULL},
    {1, 2, NULL, EVENT("m.room.redaction", "@u:s", "'event_id':'$x:s','redacts':'$y:t',", "{}"),
     "Your power level is too low to r"},
    {1, 2, NULL, EVENT("m.room.redaction", "@u:s", "'event_id':'$x:s',", "{}"),
     "Your power level is too low to redact"},
    {1, 2, NULL, EVENT("m.room.redaction", "@u:s", "'redacts':'$y',", "{}"), "Your power level is too low to redact"},
    {1, 2, "{'levels':{'redact':51," USERS "}}",
     EVENT("m.room.redaction", "@mod:s", "'event_id':'$x:s','redacts':'$y:t',", "{}"),
     "Your power level is too low to redact"},
};

static void run_case(const struct auth_case *row, const struct room_version *version)
{
    struct room room;
    const char *why = NULL;
    json_t *event = parse(row->event);
    make_room(&room, version);
    change_room(&room, row->room);
    bool allowed = check_event(&room, event, &why);
    if (allowed != (row->why == NULL))
        fail_msg("version %s: %s in %s was %s (%s)", version->name, row->event,
                 row->room != NULL ? row->room : "the room", allowed ? "allowed" : "refused", why != NULL ? why : "");
    if (!allowed && strncmp(why, row->why, strlen(row->why)) != 0)
        fail_msg("version %s: %s in %s: %s", version->name, row->event, row->room != NULL ? row->room : "the room",
                 why);
    json_decref(event);
    json_decref(room.state);
}

static void test_cases(void **state)
{
    const struct room_version *version;
    for (size_t i = 0; i < COUNT(CASES); ++i)
        for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v)
            if (version->number >= CASES[i].first && version->number <= CASES[i].last)
                run_case(&CASES[i], version);
}

/* Third-party invites: what the identity server signed, and the keys the room trusts. */

static void make_key(struct signing_key *key, unsigned char fill, struct text *public)
{
    unsigned char seed[SEED_BYTES];
    memset(seed, fill, sizeof seed);
    signing_key_from_seed(key, "0", seed);
    *public = TEXT_INIT;
    text_add_base64(public, key->public, sizeof key->public);
}

static bool third_party(const struct room_version *version, const char *changes, const char *invitation,
                        const char *inviter, const char *sender, const json_t *signed_, const char **why)
{
    struct room room;
    make_room(&room, version);
    change_room(&room, changes);
    put(room.state, "m.room.third_party_invite", "tok", inviter, parse(invitation));
    json_t *event =
        json_pack("{s:s, s:s, s:s, s:{s:s, s:{s:O}}}", "type", "m.room.member", "sender", sender, "state_key", "@new:s",
                  "content", "membership", "invite", "third_party_invite", "signed", signed_);
    bool allowed = check_event(&room, event, why);
    json_decref(event);
    json_decref(room.state);
    return allowed;
}

static void check_third_party(const struct room_version *version)
{
    struct signing_key key, stranger;
    struct text public, foreign, invitation = TEXT_INIT;
    const char *why;
    make_key(&key, 1, &public);
    make_key(&stranger, 2, &foreign);
    text_addf(&invitation, "{'public_key':'%s'}", public.data);
    json_t *good = parse("{'mxid':'@new:s','token':'tok'}"), *bad = json_deep_copy(good);
    pdu_sign_json(good, &key, "id.example");
    pdu_sign_json(bad, &stranger, "id.example");

    assert_true(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_true(third_party(version, "{'levels':{'invite':100}}", invitation.data, "@u:s", "@u:s", good, &why));
    assert_false(third_party(version, NULL, invitation.data, "@u:s", "@u:s", bad, &why));
    assert_string_equal(why, "The third-party invite's signature is not good.");
    assert_false(third_party(version, NULL, invitation.data, "@v:s", "@u:s", good, &why));
    assert_string_equal(why, "The third-party invite was made by someone else.");
    assert_false(third_party(version, "{'member':{'@new:s':'ban'}}", invitation.data, "@u:s", "@u:s", good, &why));
    assert_string_equal(why, "This person is banned from the room.");
    assert_false(third_party(version, NULL, "{}", "@u:s", "@u:s", good, &why));

    text_clear(&invitation);
    text_addf(&invitation, "{'public_key':'%s','public_keys':[7,{},{'public_key':'x'},{'public_key':'%s'}]}",
              foreign.data, public.data);
    assert_true(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_true(third_party(version, NULL, invitation.data, "@u:s", "@u:s", bad, &why));

    json_object_set_new(good, "mxid", json_string("@other:s"));
    assert_false(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_string_equal(why, "The third-party invite is for someone else.");
    json_object_set_new(good, "mxid", json_string("@new:s"));
    json_object_set_new(good, "extra", json_true());
    assert_false(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_string_equal(why, "The third-party invite's signature is not good.");
    json_object_set_new(good, "token", json_string("tok2"));
    assert_false(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_string_equal(why, "The room does not know this third-party invite.");
    json_object_del(good, "token");
    assert_false(third_party(version, NULL, invitation.data, "@u:s", "@u:s", good, &why));
    assert_string_equal(why, "The third-party invite is not signed.");

    json_decref(good);
    json_decref(bad);
    text_finish(&public);
    text_finish(&foreign);
    text_finish(&invitation);
}

static void test_third_party(void **state)
{
    const struct room_version *version;
    for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v)
        check_third_party(version);
}

/* Keys without number and signatures without number: the work is bounded. */
static void test_third_party_bounded(void **state)
{
    struct signing_key key;
    struct text public;
    const char *why;
    make_key(&key, 1, &public);
    json_t *signed_ = parse("{'mxid':'@new:s','token':'tok'}"), *keys = json_array();
    for (int i = 0; i < 300; ++i) {
        json_t *name = json_sprintf("s%d", i);
        pdu_sign_json(signed_, &key, json_string_value(name));
        json_decref(name);
        json_array_append_new(keys, json_pack("{s:s}", "public_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    }
    json_t *invitation = json_pack("{s:o}", "public_keys", keys);
    char *text = json_canonical(invitation);
    assert_false(third_party(room_version_get("11"), NULL, text, "@u:s", "@u:s", signed_, &why));
    free(text);
    json_decref(invitation);
    json_decref(signed_);
    text_finish(&public);
}

/* Auth events selection (Server-Server API). Expected: "type|key" in any order, comma separated. */
static const struct {
    int first, last;
    const char *event, *expected;
} SELECTIONS[] = {
    {1, 12, STATE("m.room.create", "@a:s", "{}"), ""},
    {1, 11, MESSAGE("@a:s"), "m.room.create|,m.room.power_levels|,m.room.member|@a:s"},
    {12, 12, MESSAGE("@a:s"), "m.room.power_levels|,m.room.member|@a:s"},
    {1, 11, STATE("m.room.name", "@a:s", "{'membership':'join'}"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s"},
    {1, 11, MEMBER("@a:s", "@a:s", "join"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|"},
    {12, 12, MEMBER("@a:s", "@a:s", "join"), "m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|"},
    {1, 11, MEMBER("@a:s", "@b:s", "invite"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s,m.room.join_rules|"},
    {1, 11, MEMBER("@a:s", "@a:s", "knock"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|"},
    {1, 11, MEMBER("@a:s", "@b:s", "leave"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s"},
    {1, 11, MEMBER("@a:s", "@b:s", "ban"), "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s"},
    {12, 12, MEMBER("@a:s", "@b:s", "ban"), "m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s"},
    {1, 11,
     EVENT("m.room.member", "@a:s", KEY("@b:s"),
           "{'membership':'invite','third_party_invite':{'signed':{'token':'tok'}}}"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s,m.room.join_rules|,"
     "m.room.third_party_invite|tok"},
    {1, 11, EVENT("m.room.member", "@a:s", KEY("@b:s"), "{'membership':'invite','third_party_invite':{'signed':7}}"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.member|@b:s,m.room.join_rules|"},
    {1, 7, JOIN_BY("@a:s", "@b:s"), "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|"},
    {8, 11, JOIN_BY("@a:s", "@b:s"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|,m.room.member|@b:s"},
    {12, 12, JOIN_BY("@a:s", "@b:s"), "m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|,m.room.member|@b:s"},
    {8, 11, JOIN_BY("@a:s", "@a:s"), "m.room.create|,m.room.power_levels|,m.room.member|@a:s,m.room.join_rules|"},
    {8, 11,
     EVENT("m.room.member", "@a:s", KEY("@a:s"), "{'membership':'leave','join_authorised_via_users_server':'@b:s'}"),
     "m.room.create|,m.room.power_levels|,m.room.member|@a:s"},
};

static void test_selection(void **state)
{
    const struct room_version *version;
    for (size_t i = 0; i < COUNT(SELECTIONS); ++i)
        for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v) {
            if (version->number < SELECTIONS[i].first || version->number > SELECTIONS[i].last)
                continue;
            struct auth_key keys[AUTH_KEYS_MAX];
            struct text text = TEXT_INIT;
            json_t *event = parse(SELECTIONS[i].event);
            size_t n = auth_types_for(version, json_get_string(event, "type"), json_get_string(event, "state_key"),
                                      json_get_string(event, "sender"), json_object_get(event, "content"), keys);
            text_adds(&text, "");
            for (size_t k = 0; k < n; ++k)
                text_addf(&text, "%s%s|%s", k != 0 ? "," : "", keys[k].type, keys[k].state_key);
            assert_string_equal(text.data, SELECTIONS[i].expected);
            text_finish(&text);
            json_decref(event);
        }
}

/* Handling redactions, from version 3 on. */
static void test_may_redact(void **state)
{
    static const struct {
        const char *version, *redactor, *of;
        bool may;
    } ROWS[] = {
        {"3", "@u:s", "@u:s", true},   {"3", "@u:s", "@v:s", true}, /* the same server */
        {"3", "@u:s", "@x:t", false},  {"3", "@mod:s", "@x:t", true}, {"12", "@mod:s", "@x:t", true},
        {"12", "@u:s", "@x:t", false}, {"12", "@c:s", "@x:t", true},  {"1", "@u:s", "@x:t", true},
    };
    json_t *levels = parse("{" USERS "}");
    for (size_t i = 0; i < COUNT(ROWS); ++i) {
        struct power power;
        power_init(&power, room_version_get(ROWS[i].version), "@c:s", NULL, levels);
        assert_int_equal(auth_may_redact(&power, ROWS[i].redactor, ROWS[i].of), ROWS[i].may);
    }
    json_decref(levels);
}

static int start(void **state)
{
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_third_party),
        cmocka_unit_test(test_third_party_bounded),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_may_redact),
    };
    return cmocka_run_group_tests(TESTS, start, NULL);
}
