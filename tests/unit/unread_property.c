/* Unread counts are what asking the push rules about each event comes to, whatever has happened in which order: kinds
 * of messages, mentions, threads and what relates into them, redactions, receipts, own rules, ignored people, powers,
 * names, people who come and go. However little is remembered, and however people ask in turns. */
#include "tests/unit/sync_world.h"

#include <pthread.h>

#include "homeserver/push/room_facts.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/sync/notified.h"

#define USERS 5
#define STEPS 700

static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri", "elena"};

struct play {
    struct world w;
    struct unread *unread[2]; /* one that remembers and one that forgets at once */
    user_no users[USERS];
    char user_ids[USERS][64];
    room_no room;
    char *room_id;
    unsigned seed;
};

/* One call an expression: compilers differ in which of two comes first. */
static int pick(struct play *p, int n)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (int)((p->seed >> 16) % (unsigned)n);
}

/* The model: every event since the user joined is asked about, from the newest on. */
struct model {
    struct play *p;
    int user;
    struct push_rules *rules;
    char *display_name;
    struct ignored ignored;
    struct push_room facts;
    json_t *floors, *notify, *highlight; /* by thread; "main" */
    stream_pos joined_pos;
};

static void raise_to(json_t *floors, const char *thread, stream_pos pos)
{
    if (json_get_int(floors, thread, 0) < pos)
        json_object_set_new(floors, thread, json_integer(pos));
}

static void model_receipts(struct model *m)
{
    struct receipt_row row;
    struct stmt *q = receipts_of_user(m->p->w.f.db, m->p->room, m->p->users[m->user]);
    raise_to(m->floors, "", m->joined_pos);
    while (receipts_next(q, &row))
        raise_to(m->floors, row.thread, row.event_pos);
    stmt_end(q);
}

static void bump(json_t *counts, const char *thread, int64_t by)
{
    json_object_set_new(counts, thread, json_integer(json_get_int(counts, thread, 0) + by));
}

static void model_event(struct model *m, const struct event_row *row)
{
    char root[ID_BYTES_MAX + 1];
    struct push_event event;
    const char *thread = thread_root(m->p->w.f.db, row->content, root) ? root : "main";
    if (row->sender == m->p->users[m->user]) {
        if (row->state_key == NULL)
            raise_to(m->floors, thread, row->pos);
        return;
    }
    if (row->redacted_by != 0 || (row->state_key == NULL && ignored_has(&m->ignored, row->sender)) ||
        row->pos <= json_get_int(m->floors, thread, 0) || row->pos <= json_get_int(m->floors, "", 0))
        return;
    room_facts_event(&m->facts, &event, m->p->room_id, row);
    struct push_result result =
        push_evaluate(m->rules, &event, &(struct push_viewer){m->p->user_ids[m->user], m->display_name});
    push_event_finish(&event);
    if (result.notify)
        bump(m->notify, thread, 1);
    if (result.highlight)
        bump(m->highlight, thread, 1);
}

static void model_start(struct model *m, struct play *p, int user, stream_pos joined_pos)
{
    struct event_row row;
    struct db *db = p->w.f.db;
    char *stored = account_data_get(db, p->users[user], 0, PUSH_RULES_TYPE);
    *m = (struct model){.p = p, .user = user, .joined_pos = joined_pos, .rules = push_rules_compile(stored)};
    m->display_name = room_facts_display_name(db, p->room, p->user_ids[user]);
    m->floors = json_object();
    m->notify = json_object();
    m->highlight = json_object();
    ignored_load(&m->ignored, db, "school.example", p->users[user]);
    room_facts_load(&m->facts, db, p->w.f.names, p->room);
    model_receipts(m);
    struct stmt *q = events_backwards(db, p->room, joined_pos, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        model_event(m, &row);
    stmt_end(q);
    free(stored);
}

static void model_stop(struct model *m)
{
    room_facts_finish(&m->facts);
    ignored_finish(&m->ignored);
    push_rules_unref(m->rules);
    free(m->display_name);
    json_decref(m->floors);
    json_decref(m->notify);
    json_decref(m->highlight);
}

static void check_one(struct play *p, const struct model *m, int which)
{
    struct unread_tally tally;
    const struct unread_ask ask = {p->users[m->user], p->user_ids[m->user], p->room,     p->room_id,
                                   m->joined_pos,     INT64_MAX - 1,        &m->ignored, false};
    struct unread_ask now = ask;
    now.upto = events_newest(p->w.f.db);
    unread_get(p->unread[which], p->w.f.db, &now, &tally);
    assert_int_equal(tally.main.notify, json_get_int(m->notify, "main", 0));
    assert_int_equal(tally.main.highlight, json_get_int(m->highlight, "main", 0));
    size_t threads = json_object_size(m->notify) - (json_object_get(m->notify, "main") != NULL);
    assert_int_equal(tally.n, threads);
    for (size_t i = 0; i < tally.n; ++i) {
        assert_int_equal(tally.threads[i].counts.notify, json_get_int(m->notify, tally.threads[i].root, 0));
        assert_int_equal(tally.threads[i].counts.highlight, json_get_int(m->highlight, tally.threads[i].root, 0));
    }
    unread_tally_finish(&tally);
}

static void check(struct play *p, int user)
{
    struct model m;
    struct membership_row membership;
    if (!memberships_get(p->w.f.db, p->room, p->users[user], &membership) || membership.membership != MEMBERSHIP_JOIN)
        return;
    model_start(&m, p, user, membership.joined_pos);
    for (int which = 0; which < 2; ++which)
        check_one(p, &m, which);
    assert_false(db_failed(p->w.f.db));
    model_stop(&m);
}

/* What happens. %1: an event's id, %2: a user's id. */
static const struct {
    const char *type, *content;
} SAID[] = {
    {"m.room.message", "{\"body\":\"hello\",\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"hello\",\"m.mentions\":{},\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"breakfast with Boris\",\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"no\",\"msgtype\":\"m.notice\"}"},
    {"m.room.message", "{\"body\":\"you\",\"m.mentions\":{\"user_ids\":[\"%2\"]},\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"you\",\"m.mentions\":{\"user_ids\":[\"%2\",\"@boris:school.example\",7,\"@no\"]},"
                       "\"msgtype\":\"m.notice\"}"},
    {"m.room.message",
     "{\"body\":\"all\",\"m.mentions\":{\"room\":true,\"user_ids\":[\"%2\"]},\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"all\",\"m.mentions\":{\"room\":true},\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"re\",\"m.relates_to\":{\"event_id\":\"%1\",\"rel_type\":\"m.thread\"},"
                       "\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"re\",\"m.mentions\":{\"user_ids\":[\"%2\"]},\"m.relates_to\":{\"event_id\":\"%1\","
                       "\"rel_type\":\"m.thread\"},\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"ref\",\"m.relates_to\":{\"event_id\":\"%1\",\"rel_type\":\"m.reference\"},"
                       "\"msgtype\":\"m.text\"}"},
    {"m.room.message", "{\"body\":\"* x\",\"m.mentions\":{\"user_ids\":[\"%2\"]},\"m.new_content\":{\"body\":\"x\","
                       "\"msgtype\":\"m.text\"},\"m.relates_to\":{\"event_id\":\"%1\",\"rel_type\":\"m.replace\"},"
                       "\"msgtype\":\"m.text\"}"},
    {"m.reaction", "{\"m.relates_to\":{\"event_id\":\"%1\",\"key\":\"+\",\"rel_type\":\"m.annotation\"}}"},
    {"m.room.encrypted", "{\"algorithm\":\"m.megolm.v1.aes-sha2\",\"ciphertext\":\"x\"}"},
    {"m.call.invite", "{\"call_id\":\"1\",\"version\":\"1\"}"},
};

/* Somewhere in the room, of the last twenty. heap */
static char *some_event(struct play *p)
{
    struct event_row row;
    char *id = NULL;
    struct stmt *q = events_backwards(p->w.f.db, p->room, 0, INT64_MAX, 1 + pick(p, 20));
    while (events_next(q, &row)) {
        free(id);
        id = xstrdup(row.event_id);
    }
    stmt_end(q);
    return id;
}

static void add_filled(struct text *out, const char *form, const char *event_id, const char *user_id)
{
    for (; *form != '\0'; ++form)
        if (*form == '%') {
            ++form;
            text_adds(out, *form == '1' ? event_id : user_id);
        } else {
            text_addc(out, *form);
        }
}

static void do_say(struct play *p, int user)
{
    struct error e;
    struct text content = TEXT_INIT;
    int what = pick(p, (int)(sizeof SAID / sizeof *SAID));
    char *id = some_event(p);
    add_filled(&content, SAID[what].content, id, p->user_ids[pick(p, USERS)]);
    fixture_send(&p->w.f, p->room, p->users[user], SAID[what].type, NULL, content.data, NULL, NULL, &e);
    text_finish(&content);
    free(id);
}

static void do_redact(struct play *p, int user)
{
    struct error e;
    char content[300], *id = some_event(p);
    snprintf(content, sizeof content, "{\"redacts\":\"%s\"}", id);
    fixture_send(&p->w.f, p->room, p->users[user], "m.room.redaction", NULL, content, id, NULL, &e);
    free(id);
}

/* The thread of an event that is one, its main timeline, or none; refused if it is not there. */
static void do_read(struct play *p, int user)
{
    char root[ID_BYTES_MAX + 1], *id = some_event(p);
    struct event_row row;
    struct stmt *q = events_by_id(p->w.f.db, id);
    char *content = events_next(q, &row) ? xstrdup(row.content) : xstrdup("{}");
    stmt_end(q);
    bool threaded = thread_root(p->w.f.db, content, root);
    free(content);
    const char *const threads[] = {NULL, threaded ? root : "main", threaded ? root : id};
    bool is_private = pick(p, 2) == 0;
    world_mark(&p->w, p->room, p->users[user], id, is_private, threads[pick(p, 3)]);
    free(id);
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

/* %2: somebody. The room is filled in by its id as %1. */
static const struct {
    enum push_rule_kind kind;
    const char *rule_id, *body;
} RULES[] = {
    {PUSH_RULE_OVERRIDE, "mute",
     "{\"actions\":[],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"room_id\",\"pattern\":\"%1\"}]}"},
    {PUSH_RULE_OVERRIDE, "elsewhere",
     "{\"actions\":[],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"room_id\",\"pattern\":\"!x*\"}]}"},
    {PUSH_RULE_ROOM, "%1", "{\"actions\":[]}"},
    {PUSH_RULE_ROOM, "!other:school.example", "{\"actions\":[]}"},
    {PUSH_RULE_SENDER, "%2", "{\"actions\":[]}"},
    {PUSH_RULE_CONTENT, "word", "{\"actions\":[\"notify\",{\"set_tweak\":\"highlight\"}],\"pattern\":\"break*\"}"},
    {PUSH_RULE_OVERRIDE, "name",
     "{\"actions\":[\"notify\",{\"set_tweak\":\"highlight\"}],\"conditions\":[{\"kind\":\"contains_display_name\"}]}"},
    {PUSH_RULE_OVERRIDE, "few", "{\"actions\":[],\"conditions\":[{\"kind\":\"room_member_count\",\"is\":\"<5\"}]}"},
    {PUSH_RULE_OVERRIDE, "mighty",
     "{\"actions\":[],\"conditions\":[{\"kind\":\"sender_notification_permission\",\"key\":\"room\"}]}"},
    {PUSH_RULE_UNDERRIDE, "state",
     "{\"actions\":[\"notify\"],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"type\",\"pattern\":\"m.room.t*\"}]"
     "}"},
    {PUSH_RULE_OVERRIDE, "members",
     "{\"actions\":[\"notify\"],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"type\",\"pattern\":"
     "\"m.room.member\"}]}"},
};
static const char *const DEFAULTS[] = {".m.rule.is_user_mention",  ".m.rule.is_room_mention", ".m.rule.member_event",
                                       ".m.rule.suppress_notices", ".m.rule.reaction",        ".m.rule.suppress_edits"};

static void do_rules(struct play *p, int user)
{
    struct error e = {0};
    json_t *rules = push_rules_open(NULL);
    for (int n = pick(p, 4); n > 0; --n) {
        struct text id = TEXT_INIT, body = TEXT_INIT;
        int which = pick(p, (int)(sizeof RULES / sizeof *RULES));
        const char *somebody = p->user_ids[pick(p, USERS)];
        add_filled(&id, RULES[which].rule_id, p->room_id, somebody);
        add_filled(&body, RULES[which].body, p->room_id, somebody);
        json_t *parsed = json_parse(body.data, body.len, &e);
        assert_true(push_rules_put(rules, RULES[which].kind, id.data, parsed, &(struct push_place){0}, &e));
        json_decref(parsed);
        text_finish(&id);
        text_finish(&body);
    }
    if (pick(p, 3) == 0)
        assert_true(push_rules_set_enabled(rules, PUSH_RULE_OVERRIDE, DEFAULTS[pick(p, 6)], false, &e));
    if (pick(p, 4) == 0)
        assert_true(push_rules_set_enabled(rules, PUSH_RULE_UNDERRIDE, ".m.rule.room_one_to_one", false, &e));
    if (pick(p, 4) == 0) {
        static const char *const ACTIONS[] = {"[]", "[\"notify\",{\"set_tweak\":\"highlight\"}]",
                                              "[\"notify\",{\"set_tweak\":\"sound\",\"value\":\"x\"}]"};
        json_t *actions = json_loads(ACTIONS[pick(p, 3)], 0, NULL);
        assert_true(push_rules_set_actions(rules, PUSH_RULE_UNDERRIDE, ".m.rule.message", actions, &e));
        json_decref(actions);
    }
    char *stored = push_rules_close(rules, &e);
    assert_true(writer_run(p->w.f.writer, put_job, &(struct put){p->users[user], PUSH_RULES_TYPE, stored}, &e));
    free(stored);
    json_decref(rules);
}

static void do_ignore(struct play *p, int user)
{
    struct error e;
    char content[200] = "{}";
    if (pick(p, 2) == 0)
        snprintf(content, sizeof content, "{\"ignored_users\":{\"%s\":{}}}", p->user_ids[pick(p, USERS)]);
    assert_true(writer_run(p->w.f.writer, put_job, &(struct put){p->users[user], IGNORED_TYPE, content}, &e));
}

static void do_power(struct play *p, int user)
{
    struct error e;
    char content[300];
    int room = 25 * pick(p, 4), whose = 1 + pick(p, USERS - 1), theirs = 25 * pick(p, 4);
    snprintf(content, sizeof content,
             "{\"notifications\":{\"room\":%d},\"redact\":0,\"state_default\":0,\"users\":{\"%s\":%d,\"%s\":100}}",
             room, p->user_ids[whose], theirs, p->user_ids[0]);
    fixture_send(&p->w.f, p->room, p->users[0], "m.room.power_levels", "", content, NULL, NULL, &e);
}

static void do_topic(struct play *p, int user)
{
    struct error e;
    fixture_send(&p->w.f, p->room, p->users[user], "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e);
}

static void do_name(struct play *p, int user)
{
    static const char *const WORDS[] = {"hello", "Boris", "breakfast", "x"};
    struct error e;
    char content[200];
    snprintf(content, sizeof content, "{\"displayname\":\"%s\",\"membership\":\"join\"}", WORDS[pick(p, 4)]);
    fixture_send(&p->w.f, p->room, p->users[user], "m.room.member", p->user_ids[user], content, NULL, NULL, &e);
}

static void do_leave(struct play *p, int user)
{
    struct error e;
    if (user != 0)
        fixture_member(&p->w.f, p->room, ACT_LEAVE, p->users[user], p->users[user], &e);
}

static void do_invite(struct play *p, int user)
{
    struct error e;
    fixture_member(&p->w.f, p->room, ACT_INVITE, p->users[0], p->users[user], &e);
}

static void do_join(struct play *p, int user)
{
    struct error e;
    fixture_member(&p->w.f, p->room, ACT_JOIN, p->users[user], p->users[user], &e);
}

static void (*const DEEDS[])(struct play *p, int user) = {
    do_say,  do_say,  do_say,   do_say,    do_say,   do_say,   do_say,  do_say,   do_say,    do_redact, do_redact,
    do_read, do_read, do_rules, do_ignore, do_power, do_topic, do_name, do_leave, do_invite, do_join,   do_join,
};

static void do_something(struct play *p)
{
    int deed = pick(p, (int)(sizeof DEEDS / sizeof *DEEDS)), user = pick(p, USERS);
    DEEDS[deed](p, user);
}

static void play_start(struct play *p, unsigned seed)
{
    *p = (struct play){.seed = seed};
    world_start(&p->w);
    for (int i = 0; i < USERS; ++i) {
        p->users[i] = fixture_user(&p->w.f, NAMES[i]);
        snprintf(p->user_ids[i], sizeof p->user_ids[i], "@%s:school.example", NAMES[i]);
    }
    p->unread[0] = unread_create(p->w.f.names, 1000, 1 << 20);
    p->unread[1] = unread_create(p->w.f.names, 1, 1);
    p->room = fixture_room(&p->w.f, p->users[0], seed % 2 == 0 ? "11" : "10", PRESET_PUBLIC_CHAT, NULL);
    p->room_id = world_room_id(&p->w, p->room);
    for (int i = 1; i < USERS; ++i)
        do_join(p, i);
    do_power(p, 0);
}

static void play_stop(struct play *p)
{
    for (int i = 0; i < USERS; ++i)
        check(p, i);
    unread_destroy(p->unread[0]);
    unread_destroy(p->unread[1]);
    free(p->room_id);
    world_stop(&p->w);
}

static void run(unsigned seed)
{
    struct play p;
    play_start(&p, seed);
    for (int step = 0; step < STEPS; ++step) {
        do_something(&p);
        if (pick(&p, 3) == 0)
            check(&p, pick(&p, USERS));
    }
    play_stop(&p);
}

static void counts_are_what_each_event_comes_to(void **state)
{
    const char *only = getenv("PARTA_SEED");
    unsigned first = only != NULL ? (unsigned)atoi(only) : 1, last = only != NULL ? first : 8;
    for (unsigned seed = first; seed <= last; ++seed) {
        fprintf(stderr, "# seed %u\n", seed);
        run(seed);
    }
}

struct asker {
    struct play *p;
    pthread_t thread;
    _Atomic bool *stop;
};

static void ask_one(struct play *p, struct db *db, int user, int which)
{
    struct unread_tally tally;
    struct membership_row m;
    struct ignored ignored;
    db_begin_read(db);
    ignored_load(&ignored, db, "school.example", p->users[user]);
    if (memberships_get(db, p->room, p->users[user], &m) && m.membership == MEMBERSHIP_JOIN) {
        struct unread_ask ask = {p->users[user], p->user_ids[user], p->room,  p->room_id,
                                 m.joined_pos,   events_newest(db), &ignored, false};
        unread_get(p->unread[which], db, &ask, &tally);
        unread_tally_finish(&tally);
    }
    ignored_finish(&ignored);
    db_end_read(db);
}

static void *ask_all_the_time(void *arg)
{
    struct asker *asker = arg;
    struct db *db = db_open(asker->p->w.f.path, DB_READ, NULL);
    for (int i = 0; !*asker->stop; ++i)
        ask_one(asker->p, db, i % USERS, i / USERS % 2);
    db_close(db);
    return NULL;
}

/* Each with a snapshot of their own, some older than what somebody else has carried on to. */
static void people_ask_at_once(void **state)
{
    struct play p;
    struct asker askers[3];
    _Atomic bool stop = false;
    play_start(&p, 77);
    for (int i = 0; i < 3; ++i) {
        askers[i] = (struct asker){.p = &p, .stop = &stop};
        pthread_create(&askers[i].thread, NULL, ask_all_the_time, &askers[i]);
    }
    for (int step = 0; step < 400; ++step)
        do_something(&p);
    stop = true;
    for (int i = 0; i < 3; ++i)
        pthread_join(askers[i].thread, NULL);
    play_stop(&p);
}

static int64_t unread_of(struct play *p, struct unread *unread, stream_pos joined_pos)
{
    struct unread_tally tally;
    struct unread_ask ask = {p->users[0], p->user_ids[0],           p->room, p->room_id,
                             joined_pos,  events_newest(p->w.f.db), NULL,    false};
    unread_get(unread, p->w.f.db, &ask, &tally);
    int64_t n = tally.main.notify;
    unread_tally_finish(&tally);
    return n;
}

static bool say_many_job(struct tx *tx, void *arg, struct error *e)
{
    struct play *p = arg;
    struct appended out;
    json_t *content = json_pack("{s:s, s:s}", "body", "x", "msgtype", "m.text");
    struct draft draft = {.sender = p->users[1], .type = "m.room.message", .content = content};
    bool done = true;
    for (int i = 0; done && i < NOTIFIED_BUILD_MAX + 500; ++i)
        done = append_event(room_open(p->w.f.rooms, tx, p->room), tx, &draft, &out, e);
    json_decref(content);
    return done;
}

static void looking_back_is_bounded_and_going_on_is_not(void **state)
{
    struct play p = {0};
    struct error e;
    world_start(&p.w);
    p.users[0] = fixture_user(&p.w.f, NAMES[0]);
    p.users[1] = fixture_user(&p.w.f, NAMES[1]);
    strcpy(p.user_ids[0], "@anna:school.example");
    p.room = fixture_room(&p.w.f, p.users[0], "11", PRESET_PUBLIC_CHAT, NULL);
    p.room_id = world_room_id(&p.w, p.room);
    assert_true(fixture_member(&p.w.f, p.room, ACT_JOIN, p.users[1], p.users[1], NULL));
    stream_pos joined_pos = events_newest(p.w.f.db);
    struct unread *unread = unread_create(p.w.f.names, 10, 16 << 20), *blank;
    assert_int_equal(unread_of(&p, unread, joined_pos), 0);
    assert_true(writer_run(p.w.f.writer, say_many_job, &p, &e));
    assert_int_equal(unread_of(&p, unread, joined_pos), NOTIFIED_BUILD_MAX + 500);
    blank = unread_create(p.w.f.names, 10, 16 << 20);
    assert_int_equal(unread_of(&p, blank, joined_pos), NOTIFIED_BUILD_MAX);
    unread_destroy(blank);
    unread_destroy(unread);
    free(p.room_id);
    world_stop(&p.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_are_what_each_event_comes_to),
                                       cmocka_unit_test(people_ask_at_once),
                                       cmocka_unit_test(looking_back_is_bounded_and_going_on_is_not)};
    return cmocka_run_group_tests_name("unread_property", tests, NULL, NULL);
}
