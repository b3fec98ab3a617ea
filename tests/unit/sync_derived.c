/* What /sync derives (unread counts, a room's summary) is announced whenever something that it follows from changes:
 * after each such change, devices that went on syncing know what a new device is told.
 *
 * The table has every input: push rules of each kind, whom one ignores, receipts by kind, thread and device, own
 * messages, redactions, names, powers, memberships. Each is tried with filters that tell little of the rest. */
#include "tests/unit/sync_world.h"

#include "homeserver/push/rules/document.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/account_data.h"

#define ANNA "@anna:school.example"
#define BORIS "@boris:school.example"
#define CLARA "@clara:school.example"

enum { CLASS, CLUB, ROOMS }; /* a room with a name and one without */
enum { DEVICES = 5 };

static const char *const FILTERS[DEVICES] = {
    "{}",
    "{\"room\":{\"timeline\":{\"unread_thread_notifications\":true}}}",
    "{\"room\":{\"timeline\":{\"limit\":1,\"unread_thread_notifications\":true},"
    "\"state\":{\"lazy_load_members\":true}}}",
    "{\"account_data\":{\"types\":[]},\"room\":{\"account_data\":{\"types\":[]},\"ephemeral\":{\"types\":[]},"
    "\"state\":{\"types\":[]},\"timeline\":{\"types\":[]}}}",
    "{\"room\":{\"timeline\":{\"not_senders\":[\"" ANNA "\",\"" CLARA "\"]}}}",
};

struct scene {
    struct world w;
    user_no anna, boris, clara, dmitri;
    room_no rooms[ROOMS];
    char *room_ids[ROOMS];
    char *first, *mention, *root, *reply, *last; /* events of CLASS: clara's, anna's, anna's root and reply, clara's */
    char *name;                                  /* the event that names it */
};

static void say(struct scene *s, int room, user_no who, const char *type, const char *state_key, const char *content,
                char **id)
{
    struct error e = {0};
    if (!fixture_send(&s->w.f, s->rooms[room], who, type, state_key, content, NULL, NULL, &e))
        fail_msg("%s: %s", type, error_sentence(&e));
    if (id != NULL)
        *id = events_id_of(s->w.f.db, events_last_pos(s->w.f.db, s->rooms[room], INT64_MAX));
}

static void message(struct scene *s, int room, user_no who, const char *body, char **id)
{
    char content[200];
    snprintf(content, sizeof content, "{\"body\":\"%s\",\"msgtype\":\"m.text\"}", body);
    say(s, room, who, "m.room.message", NULL, content, id);
}

static void in_thread(struct scene *s, user_no who, const char *type, const char *root, char **id)
{
    char content[400];
    snprintf(
        content, sizeof content,
        "{\"body\":\"re\",\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"m.thread\"},\"msgtype\":\"m.text\"}",
        root);
    say(s, CLASS, who, type, NULL, content, id);
}

static void redact(struct scene *s, user_no who, const char *event_id)
{
    char content[400];
    struct error e = {0};
    snprintf(content, sizeof content, "{\"redacts\":\"%s\"}", event_id);
    if (!fixture_send(&s->w.f, s->rooms[CLASS], who, "m.room.redaction", NULL, content, event_id, NULL, &e))
        fail_msg("redaction: %s", error_sentence(&e));
}

static void member(struct scene *s, int room, enum act act, user_no who, user_no whom)
{
    struct error e = {0};
    if (!fixture_member(&s->w.f, s->rooms[room], act, who, whom, &e))
        fail_msg("membership: %s", error_sentence(&e));
}

struct put {
    user_no user;
    const char *type, *content;
};

static bool put_job(struct tx *tx, void *arg, struct error *e)
{
    const struct put *put = arg;
    return account_data_put(tx, put->user, 0, put->type, put->content);
}

static void put_data(struct scene *s, const char *type, const char *content)
{
    struct error e;
    struct put put = {s->boris, type, content};
    assert_true(writer_run(s->w.f.writer, put_job, &put, &e));
}

/* One rule of boris's, of any kind; %s in it: the id of CLASS. NULL: none any more. */
static void own_rule(struct scene *s, enum push_rule_kind kind, const char *rule_id, const char *body)
{
    struct error e = {0};
    char text[600];
    json_t *rules = push_rules_open(NULL);
    if (body != NULL) {
        snprintf(text, sizeof text, body, s->room_ids[CLASS]);
        json_t *parsed = json_parse(text, strlen(text), &e);
        if (parsed == NULL || !push_rules_put(rules, kind, rule_id, parsed, &(struct push_place){0}, &e))
            fail_msg("%s: %s", text, error_sentence(&e));
        json_decref(parsed);
    }
    char *stored = push_rules_close(rules, &e);
    put_data(s, PUSH_RULES_TYPE, stored);
    free(stored);
    json_decref(rules);
}

/* A default rule of boris's, changed. */
static void default_rule(struct scene *s, enum push_rule_kind kind, const char *rule_id, bool enabled,
                         const char *actions)
{
    struct error e = {0};
    json_t *rules = push_rules_open(NULL), *parsed = actions != NULL ? json_loads(actions, 0, NULL) : NULL;
    assert_true(push_rules_set_enabled(rules, kind, rule_id, enabled, &e));
    assert_true(parsed == NULL || push_rules_set_actions(rules, kind, rule_id, parsed, &e));
    char *stored = push_rules_close(rules, &e);
    put_data(s, PUSH_RULES_TYPE, stored);
    free(stored);
    json_decref(parsed);
    json_decref(rules);
}

static void read_to(struct scene *s, const char *event_id, bool private_, const char *thread)
{
    assert_true(world_mark(&s->w, s->rooms[CLASS], s->boris, event_id, private_, thread));
}

/* The changes. */

static void mute_room(struct scene *s)
{
    own_rule(s, PUSH_RULE_OVERRIDE, "mute",
             "{\"actions\":[],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"room_id\",\"pattern\":\"%s\"}]}");
}

static void unmute_room(struct scene *s)
{
    own_rule(s, PUSH_RULE_OVERRIDE, "mute", NULL);
}

static void mute_room_by_room_rule(struct scene *s)
{
    own_rule(s, PUSH_RULE_ROOM, s->room_ids[CLASS], "{\"actions\":[]}");
}

static void mute_sender(struct scene *s)
{
    own_rule(s, PUSH_RULE_SENDER, ANNA, "{\"actions\":[]}");
}

static void mute_keyword(struct scene *s)
{
    own_rule(s, PUSH_RULE_CONTENT, "word", "{\"actions\":[],\"pattern\":\"breakfast\"}");
}

static void highlight_keyword(struct scene *s)
{
    own_rule(s, PUSH_RULE_CONTENT, "word",
             "{\"actions\":[\"notify\",{\"set_tweak\":\"highlight\"}],\"pattern\":\"breakfast\"}");
}

static void notify_of_topics(struct scene *s)
{
    own_rule(s, PUSH_RULE_UNDERRIDE, "topic",
             "{\"actions\":[\"notify\"],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"type\",\"pattern\":"
             "\"m.room.topic\"}]}");
}

static void mute_rooms_of_three(struct scene *s)
{
    own_rule(s, PUSH_RULE_OVERRIDE, "three",
             "{\"actions\":[],\"conditions\":[{\"kind\":\"room_member_count\",\"is\":\"3\"}]}");
}

static void mute_the_mighty(struct scene *s)
{
    own_rule(s, PUSH_RULE_OVERRIDE, "mighty",
             "{\"actions\":[],\"conditions\":[{\"kind\":\"sender_notification_permission\",\"key\":\"room\"}]}");
}

static void highlight_name(struct scene *s)
{
    own_rule(s, PUSH_RULE_OVERRIDE, "name",
             "{\"actions\":[\"notify\",{\"set_tweak\":\"highlight\"}],"
             "\"conditions\":[{\"kind\":\"contains_display_name\"}]}");
}

static void master_on(struct scene *s)
{
    default_rule(s, PUSH_RULE_OVERRIDE, ".m.rule.master", true, NULL);
}

static void no_messages(struct scene *s)
{
    default_rule(s, PUSH_RULE_UNDERRIDE, ".m.rule.message", false, NULL);
}

static void messages_highlight(struct scene *s)
{
    default_rule(s, PUSH_RULE_UNDERRIDE, ".m.rule.message", true, "[\"notify\",{\"set_tweak\":\"highlight\"}]");
}

static void no_mentions(struct scene *s)
{
    default_rule(s, PUSH_RULE_OVERRIDE, ".m.rule.is_user_mention", true, "[]");
}

static void ignore_anna(struct scene *s)
{
    put_data(s, "m.ignored_user_list", "{\"ignored_users\":{\"" ANNA "\":{}}}");
}

static void ignore_nobody(struct scene *s)
{
    put_data(s, "m.ignored_user_list", "{\"ignored_users\":{}}");
}

static void read_all(struct scene *s)
{
    read_to(s, s->last, false, NULL);
}

static void read_some_in_private(struct scene *s)
{
    read_to(s, s->first, true, NULL);
}

static void read_main(struct scene *s)
{
    read_to(s, s->last, false, "main");
}

static void read_thread(struct scene *s)
{
    read_to(s, s->reply, true, s->root);
}

static void speak(struct scene *s)
{
    message(s, CLASS, s->boris, "here", NULL);
}

static void speak_in_thread(struct scene *s)
{
    in_thread(s, s->boris, "m.room.message", s->root, NULL);
}

static void react_in_thread(struct scene *s)
{
    char content[300];
    snprintf(content, sizeof content,
             "{\"m.relates_to\":{\"event_id\":\"%s\",\"key\":\"+\",\"rel_type\":\"m.annotation\"}}", s->reply);
    say(s, CLASS, s->boris, "m.reaction", NULL, content, NULL);
}

static void name_themselves(struct scene *s)
{
    say(s, CLASS, s->boris, "m.room.member", BORIS, "{\"displayname\":\"breakfast\",\"membership\":\"join\"}", NULL);
}

static void redact_unread(struct scene *s)
{
    redact(s, s->clara, s->first);
}

static void redact_reply(struct scene *s)
{
    redact(s, s->anna, s->reply);
}

static void redact_root(struct scene *s)
{
    redact(s, s->anna, s->root);
}

static void redact_name(struct scene *s)
{
    redact(s, s->anna, s->name);
}

static void power_goes(struct scene *s)
{
    say(s, CLASS, s->anna, "m.room.power_levels", "",
        "{\"notifications\":{\"room\":100},\"users\":{\"" ANNA "\":100,\"" CLARA "\":50},\"users_default\":0}", NULL);
}

static void new_name(struct scene *s)
{
    say(s, CLASS, s->anna, "m.room.name", "", "{\"name\":\"9b\"}", NULL);
}

static void no_name(struct scene *s)
{
    say(s, CLASS, s->anna, "m.room.name", "", "{}", NULL);
}

static void club_named(struct scene *s)
{
    say(s, CLUB, s->anna, "m.room.name", "", "{\"name\":\"Chess\"}", NULL);
}

static void somebody_joins(struct scene *s)
{
    member(s, CLASS, ACT_JOIN, s->dmitri, s->dmitri);
    member(s, CLUB, ACT_JOIN, s->dmitri, s->dmitri);
}

static void somebody_is_invited(struct scene *s)
{
    member(s, CLUB, ACT_INVITE, s->anna, s->dmitri);
}

static void somebody_leaves(struct scene *s)
{
    member(s, CLASS, ACT_LEAVE, s->clara, s->clara);
    member(s, CLUB, ACT_LEAVE, s->clara, s->clara);
}

static void somebody_is_banned(struct scene *s)
{
    member(s, CLUB, ACT_BAN, s->anna, s->clara);
}

static void boris_comes_back(struct scene *s)
{
    member(s, CLASS, ACT_LEAVE, s->boris, s->boris);
    message(s, CLASS, s->anna, "gone?", NULL);
    member(s, CLASS, ACT_JOIN, s->boris, s->boris);
    message(s, CLASS, s->anna, "back", NULL);
}

static void more_is_said(struct scene *s)
{
    message(s, CLASS, s->clara, "breakfast again", NULL);
    say(s, CLASS, s->clara, "m.room.message", NULL, "{\"body\":\"no\",\"msgtype\":\"m.notice\"}", NULL);
    in_thread(s, s->clara, "m.room.message", s->root, NULL);
}

static void topic_changes(struct scene *s)
{
    say(s, CLASS, s->anna, "m.room.topic", "", "{\"topic\":\"Tests\"}", NULL);
}

static void nothing(struct scene *s)
{
}

static const struct {
    const char *name;
    void (*before)(struct scene *s); /* while the devices are not there yet */
    void (*change)(struct scene *s);
} CHANGES[] = {
#define CHANGE(before, change)                                                                                         \
    {                                                                                                                  \
#before ", then " #change, before, change                                                                      \
    }
    CHANGE(nothing, mute_room),
    CHANGE(mute_room, unmute_room),
    CHANGE(nothing, mute_room_by_room_rule),
    CHANGE(nothing, mute_sender),
    CHANGE(nothing, mute_keyword),
    CHANGE(nothing, highlight_keyword),
    CHANGE(nothing, notify_of_topics),
    CHANGE(notify_of_topics, unmute_room),
    CHANGE(notify_of_topics, topic_changes),
    CHANGE(nothing, mute_rooms_of_three),
    CHANGE(mute_rooms_of_three, somebody_joins),
    CHANGE(mute_rooms_of_three, somebody_leaves),
    CHANGE(nothing, mute_the_mighty),
    CHANGE(mute_the_mighty, power_goes),
    CHANGE(nothing, highlight_name),
    CHANGE(highlight_name, name_themselves),
    CHANGE(nothing, master_on),
    CHANGE(master_on, unmute_room),
    CHANGE(nothing, no_messages),
    CHANGE(nothing, messages_highlight),
    CHANGE(nothing, no_mentions),
    CHANGE(nothing, ignore_anna),
    CHANGE(ignore_anna, ignore_nobody),
    CHANGE(ignore_anna, more_is_said),
    CHANGE(ignore_anna, redact_reply),
    CHANGE(ignore_anna, redact_name),
    CHANGE(nothing, read_all),
    CHANGE(nothing, read_some_in_private),
    CHANGE(nothing, read_main),
    CHANGE(nothing, read_thread),
    CHANGE(read_main, read_thread),
    CHANGE(nothing, speak),
    CHANGE(nothing, speak_in_thread),
    CHANGE(nothing, react_in_thread),
    CHANGE(react_in_thread, redact_reply),
    CHANGE(nothing, redact_unread),
    CHANGE(nothing, redact_reply),
    CHANGE(nothing, redact_root),
    CHANGE(nothing, redact_name),
    CHANGE(nothing, power_goes),
    CHANGE(nothing, new_name),
    CHANGE(nothing, no_name),
    CHANGE(nothing, club_named),
    CHANGE(nothing, somebody_joins),
    CHANGE(nothing, somebody_is_invited),
    CHANGE(nothing, somebody_leaves),
    CHANGE(nothing, somebody_is_banned),
    CHANGE(nothing, boris_comes_back),
    CHANGE(nothing, more_is_said),
#undef CHANGE
};

static void scene_start(struct scene *s)
{
    *s = (struct scene){0};
    world_start(&s->w);
    s->anna = fixture_user(&s->w.f, "anna");
    s->boris = fixture_user(&s->w.f, "boris");
    s->clara = fixture_user(&s->w.f, "clara");
    s->dmitri = fixture_user(&s->w.f, "dmitri");
    for (int i = 0; i < ROOMS; ++i) {
        s->rooms[i] = fixture_room(&s->w.f, s->anna, "11", PRESET_PUBLIC_CHAT, NULL);
        s->room_ids[i] = world_room_id(&s->w, s->rooms[i]);
        member(s, i, ACT_JOIN, s->clara, s->clara);
        member(s, i, ACT_JOIN, s->boris, s->boris);
    }
    say(s, CLASS, s->anna, "m.room.power_levels", "",
        "{\"users\":{\"" ANNA "\":100,\"" CLARA "\":50},\"users_default\":0}", NULL);
    say(s, CLASS, s->anna, "m.room.name", "", "{\"name\":\"9a\"}", &s->name);
    say(s, CLASS, s->anna, "m.room.topic", "", "{\"topic\":\"Trips\"}", NULL);
    message(s, CLASS, s->clara, "breakfast?", &s->first);
    say(s, CLASS, s->anna, "m.room.message", NULL,
        "{\"body\":\"Boris\",\"m.mentions\":{\"user_ids\":[\"" BORIS "\"]},\"msgtype\":\"m.text\"}", &s->mention);
    message(s, CLASS, s->anna, "a long talk", &s->root);
    in_thread(s, s->clara, "m.room.message", s->root, NULL);
    in_thread(s, s->anna, "m.room.message", s->root, &s->reply);
    say(s, CLASS, s->clara, "m.room.message", NULL,
        "{\"body\":\"all\",\"m.mentions\":{\"room\":true},\"msgtype\":\"m.text\"}", &s->last);
    message(s, CLUB, s->anna, "breakfast, boris", NULL);
}

static void scene_stop(struct scene *s)
{
    char *held[] = {s->first, s->mention, s->root, s->reply, s->last, s->name, s->room_ids[CLASS], s->room_ids[CLUB]};
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
        free(held[i]);
    world_stop(&s->w);
}

/* A device, and what it knows: room id → {"counts": …, "threads": …, "summary": …}. */
struct device {
    struct filter *filter;
    stream_pos since;
    json_t *known;
};

/* Threads are told all at once beside the counts (without: there is none); a summary tells what it has. */
static void learn(json_t *known, const char *room_id, json_t *room)
{
    json_t *one = json_object_get(known, room_id), *counts = json_object_get(room, "unread_notifications");
    json_t *threads = json_object_get(room, "unread_thread_notifications");
    if (one == NULL) {
        one = json_pack("{s:{}, s:{}, s:{}}", "counts", "threads", "summary");
        json_object_set_new(known, room_id, one);
    }
    if (counts != NULL) {
        json_object_set(one, "counts", counts);
        json_object_set_new(one, "threads", threads != NULL ? json_deep_copy(threads) : json_object());
    }
    json_object_update(json_object_get(one, "summary"), json_object_get(room, "summary"));
}

/* What counts were remembered is of no help to a new device, nor to be believed. */
static void forget_counts(struct scene *s)
{
    unread_destroy(s->w.sync->unread);
    s->w.sync->unread = unread_create(s->w.f.names, 100, 1 << 20);
}

static void device_sync(struct scene *s, struct device *d, int number)
{
    const char *room_id;
    json_t *room;
    struct sync_request ask = {s->boris, s->boris * 100 + number, BORIS, d->since, false, false, d->filter};
    json_t *answer = world_sync(&s->w, &ask, &d->since, NULL);
    json_object_foreach(json_object_get(json_object_get(answer, "rooms"), "join"), room_id, room)
        learn(d->known, room_id, room);
    json_decref(answer);
}

/* A room that got a name keeps in clients the people it was called after, who are not shown any more. */
static void forget_heroes(json_t *known, json_t *wanted)
{
    const char *room_id;
    json_t *one;
    json_object_foreach(wanted, room_id, one)
        if (json_object_get(json_object_get(one, "summary"), "m.heroes") == NULL)
            json_object_del(json_object_get(json_object_get(known, room_id), "summary"), "m.heroes");
}

static void try_change(size_t at)
{
    struct scene s;
    struct device devices[DEVICES];
    scene_start(&s);
    CHANGES[at].before(&s);
    for (int i = 0; i < DEVICES; ++i) {
        devices[i] = (struct device){.filter = world_filter(FILTERS[i]), .known = json_object()};
        device_sync(&s, &devices[i], i);
    }
    CHANGES[at].change(&s);
    for (int i = 0; i < DEVICES; ++i)
        device_sync(&s, &devices[i], i);
    forget_counts(&s);
    for (int i = 0; i < DEVICES; ++i) {
        struct device new = {.filter = devices[i].filter, .known = json_object()};
        device_sync(&s, &new, DEVICES + i);
        forget_heroes(devices[i].known, new.known);
        if (!json_equal(devices[i].known, new.known)) {
            char *known = json_dumps(devices[i].known, JSON_SORT_KEYS), *wanted = json_dumps(new.known, JSON_SORT_KEYS);
            fail_msg("%s, filter %d:\n  the old device knows %s\n  a new one is told %s", CHANGES[at].name, i, known,
                     wanted);
        }
        json_decref(new.known);
        json_decref(devices[i].known);
        filter_unref(devices[i].filter);
    }
    scene_stop(&s);
}

static void old_devices_know_what_new_ones_are_told(void **state)
{
    for (size_t at = 0; at < sizeof CHANGES / sizeof *CHANGES; ++at)
        try_change(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(old_devices_know_what_new_ones_are_told)};
    return cmocka_run_group_tests_name("sync_derived", tests, NULL, NULL);
}
