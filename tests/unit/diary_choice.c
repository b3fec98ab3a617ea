/* What the diary bridge remembers, when it cannot be read: nobody is told before the time that they chose, and what
 * stands somewhere, or a room that there is, is not taken for none. The homeserver here is a socket that nobody serves,
 * where whoever is to be told is asked for, or one that answers everything alike. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "diary_world.h"

#include "appservice/diary/schedule.h"
#include "appservice/diary/sink_matrix_private.h"
#include "appservice/diary/talk.h"
#include "homeserver/base/clock.h"
#include "homeserver/outgoing/outgoing.h"
#include "tests/unit/http_service.h"

#define CHILD_ID "@a:s"
#define GUARDIAN_ID "@g:s"
#define STATEMENTS_MAX 40

struct told {
    struct world *w;
    struct diary_settings settings;
    struct sink_matrix m;
    int socket;
    char url[64];
};

/* What the school says of the child, as if it had been asked just now. */
static json_t *family(void)
{
    return json_pack("{s:{s:{s:s, s:b, s:[{s:s, s:s}]}, s:{s:[{s:s, s:s}]}, s:I}}", CHILD_ID, "person", "given_name",
                     "A", "ended", 0, "roles", "role", "pupil", "school", "s1", "guardianships", "items", "child",
                     CHILD_ID, "guardian", GUARDIAN_ID, "until_ms", (json_int_t)clock_mono_ms() + 3600000);
}

static struct told *open_told(void)
{
    struct told *t = xcalloc(1, sizeof *t);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    t->w = world_open();
    t->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(t->socket, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(t->socket, 8), 0);
    assert_int_equal(getsockname(t->socket, (struct sockaddr *)&address, &len), 0);
    snprintf(t->url, sizeof t->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    t->settings = (struct diary_settings){.school_url = t->url, .schools = {"s1"}, .n_schools = 1};
    t->m = (struct sink_matrix){.settings = &t->settings, .state = t->w->state, .bot = xstrdup("@_diary:s")};
    t->m.client = (struct matrix_client){outgoing_create(NULL), t->url, NULL, "as", "school"};
    t->m.outbox = outbox_create(t->w->state, &t->m.client, &t->m.crypto);
    t->m.families.held = family();
    return t;
}

static void close_told(struct told *t)
{
    outgoing_destroy(t->m.client.outgoing);
    outbox_destroy(t->m.outbox);
    families_finish(&t->m.families);
    sink_forget_state(&t->m);
    free(t->m.bot);
    close(t->socket);
    world_close(t->w);
    free(t);
}

static void choose_for(struct told *t, const char *who, enum pace pace, bool off)
{
    state_begin(t->w->state);
    state_person_put(t->w->state, who, &(struct person){pace, off, false});
    assert_true(state_commit(t->w->state));
}

static bool somebody_is_asked_for(const struct told *t)
{
    return poll(&(struct pollfd){t->socket, POLLIN, 0}, 1, 0) != 0;
}

/* Tells a mark of the child, the n-th statement failing. */
static enum sink_answer tell(struct told *t, enum change_what what, int n)
{
    static const char *const PUPILS[] = {CHILD_ID};
    static const struct reading READING;
    const struct record mark = {.kind = RECORD_MARK, .id = "m", .subject = "Algebra", .day = 20260901, .value = "5"};
    struct notice notice = {.what = what,
                            .source = "csv",
                            .id = mark.id,
                            .kind = RECORD_MARK,
                            .day = mark.day,
                            .revision = 1,
                            .record = &mark,
                            .pupils = PUPILS,
                            .n_pupils = 1,
                            .reading = &READING};
    state_fail_after(t->w->state, n);
    enum sink_answer answer = sink_matrix_tell(&t->m, &notice);
    if (answer == SINK_BEGUN)
        answer = sink_matrix_finish(&t->m, &notice);
    state_fail_after(t->w->state, 0);
    return answer;
}

static bool is_owed(struct told *t)
{
    size_t n;
    struct owed_person *people = state_owed_people(t->w->state, &n);
    state_owed_people_free(people, n);
    state_begin(t->w->state);
    state_owed_drop(t->w->state, "csv", "m", CHILD_ID);
    assert_true(state_commit(t->w->state));
    return n == 1;
}

static void who_chose_a_digest_is_not_told_at_once(void **state)
{
    struct told *t = open_told();
    size_t later = 0;
    choose_for(t, CHILD_ID, PACE_NOW, true);
    choose_for(t, GUARDIAN_ID, PACE_WEEKLY, false);
    for (int n = 0; n <= STATEMENTS_MAX; ++n) {
        enum sink_answer answer = tell(t, CHANGE_NEW, n);
        bool owed = is_owed(t);
        assert_false(somebody_is_asked_for(t));
        assert_true(answer == SINK_LATER || (answer == SINK_TOLD && owed));
        later += answer == SINK_LATER;
        assert_true(n != 0 || answer == SINK_TOLD);
    }
    assert_true(later > 3 && later < STATEMENTS_MAX); /* each failed that there is */
    close_told(t);
}

static void guardians_are_not_told_before_their_time(void **state)
{
    struct told *t = open_told();
    t->settings.pupil_first_hours = 2;
    choose_for(t, CHILD_ID, PACE_NOW, true);
    state_begin(t->w->state);
    state_later(t->w->state, "csv", "m", CHILD_ID, 20260901, clock_wall_ms() + 7200000);
    assert_true(state_commit(t->w->state));
    for (int n = 0; n <= STATEMENTS_MAX; ++n) {
        tell(t, CHANGE_CHANGED, n);
        assert_false(somebody_is_asked_for(t));
    }
    close_told(t);
}

static void what_cannot_be_read_is_no_choice(void **state)
{
    struct told *t = open_told();
    struct person person;
    choose_for(t, GUARDIAN_ID, PACE_DAILY, false);
    state_fail_after(t->w->state, 1);
    assert_false(state_person(t->w->state, GUARDIAN_ID, true, &person));
    assert_true(person.off && person.pace != PACE_NOW && person.english);
    state_fail_after(t->w->state, 0);
    state_begin(t->w->state); /* the failure is over */
    assert_true(state_person(t->w->state, GUARDIAN_ID, true, &person));
    assert_true(!person.off && person.pace == PACE_DAILY && !person.english);
    assert_true(state_commit(t->w->state));
    close_told(t);
}

/* --- A homeserver that answers --- */

#define ROOM "!r:s"
#define ROOT "root"
#define LIKE_A_HOMESERVER "{\"event_id\":\"$e\",\"joined_rooms\":[],\"room_id\":\"!made:s\"}"

static struct told *open_served(struct http_service **service, int status, const char *body)
{
    struct told *t = open_told();
    *service = http_service_start();
    http_service_set(*service, SERVICE_ANSWERS, status, "", body, 1);
    snprintf(t->url, sizeof t->url, "http://127.0.0.1:%d", http_service_port(*service));
    return t;
}

static void close_served(struct told *t, struct http_service *service)
{
    outgoing_stop(t->m.client.outgoing, 1000);
    http_service_stop(service);
    close_told(t);
}

static int asked_for(struct http_service *service, const char *what)
{
    int n = 0;
    for (int i = 0; i < http_service_requests(service); ++i) {
        char *request = http_service_request(service, i);
        n += request != NULL && strstr(request, what) != NULL;
        free(request);
    }
    return n;
}

/* The mark stands in the family's room. */
static void stands(struct told *t)
{
    state_begin(t->w->state);
    state_room_put(t->w->state, CHILD_ID, FAMILY, ROOM);
    state_place_put(t->w->state, "csv", "m", ROOM, ROOT);
    state_sent_put(t->w->state, ROOT, ROOT, ROOM, "$there");
    assert_true(state_commit(t->w->state));
}

static size_t places(struct told *t)
{
    size_t n;
    struct place *all = state_places(t->w->state, "csv", "m", &n);
    state_places_free(all, n);
    return n;
}

/* What the diary withdraws stays withdrawn to do until it is: a place that can't be read is not none. */
static void what_is_withdrawn_is_taken_back_or_later(void **state)
{
    int later = 0, told = 0;
    struct http_service *service;
    struct told *t = open_served(&service, 200, LIKE_A_HOMESERVER);
    for (int n = STATEMENTS_MAX; n >= 0; --n) {
        stands(t);
        int before = asked_for(service, "/redact/");
        struct notice gone = {
            .what = CHANGE_WITHDRAWN, .source = "csv", .id = "m", .kind = RECORD_MARK, .day = 20260901, .revision = 2};
        snprintf(gone.txn, sizeof gone.txn, "gone%d", n);
        state_fail_after(t->w->state, n);
        enum sink_answer answer = sink_matrix_tell(&t->m, &gone);
        state_fail_after(t->w->state, 0);
        state_begin(t->w->state); /* the failure is over */
        assert_true(state_commit(t->w->state));
        if (answer == SINK_TOLD && (asked_for(service, "/redact/") == before || places(t) != 0))
            fail_msg("told, though statement %d failed, and it stands", n);
        told += answer == SINK_TOLD;
        later += answer != SINK_TOLD;
        assert_true(n != 0 || answer == SINK_TOLD);
    }
    assert_true(later > 3 && told > 3);
    close_served(t, service);
}

/* A message that holds two records is not taken for one that holds but the withdrawn one. */
static void a_message_with_others_is_not_taken_back_whole(void **state)
{
    struct http_service *service;
    struct told *t = open_served(&service, 200, LIKE_A_HOMESERVER);
    stands(t);
    state_begin(t->w->state);
    state_place_put(t->w->state, "csv", "other", ROOM, ROOT);
    assert_true(state_commit(t->w->state));
    for (int n = 1; n <= 12; ++n) { /* nothing is known of the other one: it waits */
        struct notice gone = {
            .what = CHANGE_WITHDRAWN, .source = "csv", .id = "m", .kind = RECORD_MARK, .day = 20260901, .revision = 2};
        state_fail_after(t->w->state, n);
        assert_int_not_equal(sink_matrix_tell(&t->m, &gone), SINK_TOLD);
        state_fail_after(t->w->state, 0);
        state_begin(t->w->state);
        assert_true(state_commit(t->w->state));
    }
    assert_int_equal(asked_for(service, "/redact/"), 0);
    close_served(t, service);
}

/* A room that is there is not made once more because it could not be read that it is. */
static void a_room_that_cannot_be_read_is_not_made_anew(void **state)
{
    struct http_service *service;
    struct told *t = open_served(&service, 200, LIKE_A_HOMESERVER);
    stands(t);
    t->m.swept = true;
    for (int n = 1; n <= STATEMENTS_MAX; ++n)
        tell(t, CHANGE_CHANGED, n);
    assert_int_equal(asked_for(service, "/createRoom"), 0);
    char *room = NULL;
    struct audience a = {.name = FAMILY, .child = CHILD_ID, .given_name = "A"};
    state_fail_after(t->w->state, 1);
    assert_int_equal(sink_room_of(&t->m, &a, &room), MATRIX_NOT_NOW);
    state_fail_after(t->w->state, 0);
    assert_int_equal(sink_room_of(&t->m, &a, &room), MATRIX_DONE); /* by itself: the failure has been told */
    assert_string_equal(room, ROOM);
    free(room);
    close_served(t, service);
}

/* A room that has to be encrypted is, also when it could not be read whose it is. */
static void whose_a_room_is_is_known_before_it_is_spoken_in(void **state)
{
    struct http_service *service;
    struct told *t = open_served(&service, 200, "[]");
    t->settings.encryption = ENCRYPTION_REQUIRE;
    stands(t);
    state_fail_after(t->w->state, 1);
    assert_int_equal(sink_secure(&t->m, ROOM), MATRIX_NOT_NOW);
    state_fail_after(t->w->state, 0);
    sink_secure(&t->m, ROOM);
    assert_true(asked_for(service, "/state/m.room.encryption/") > 0);
    close_served(t, service);
}

/* Who parts is put out of the rooms that there are: none of them that can be read is not none of them. */
static void who_has_parted_is_seen_to_in_rooms_that_can_be_read(void **state)
{
    struct http_service *service;
    struct told *t = open_served(&service, 200, "[]");
    struct audience guardians = {.who = {GUARDIAN_ID}, .n = 1};
    stands(t);
    for (int n = 1; n <= 2; ++n) {
        state_fail_after(t->w->state, n);
        assert_int_equal(sink_keep_apart(&t->m, CHILD_ID, &guardians, true), MATRIX_NOT_NOW);
        state_fail_after(t->w->state, 0);
        state_begin(t->w->state);
        assert_true(state_commit(t->w->state));
    }
    int before = asked_for(service, "/state");
    assert_int_equal(sink_keep_apart(&t->m, CHILD_ID, &guardians, true), MATRIX_DONE);
    assert_true(asked_for(service, "/state") > before);
    close_served(t, service);
}

/* What somebody says to the bot is heard, or sent again by the homeserver. */
static void what_is_said_is_heard_or_comes_again(void **state)
{
    struct told *t = open_told();
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "type", "m.room.message", "room_id", "!other:s",
                              "event_id", "$e", "sender", GUARDIAN_ID, "content", "msgtype", "m.text", "body", "ill");
    for (int n = 1; n <= 2; ++n) {
        state_fail_after(t->w->state, n);
        assert_false(talk_hear(&t->m, event));
        state_fail_after(t->w->state, 0);
    }
    assert_true(talk_hear(&t->m, event)); /* of a room that is none of the bot's */
    json_decref(event);
    close_told(t);
}

/* Several words of one transaction that cannot be read hold what comes behind it up no longer than one, and the next
 * transaction's are waited for anew. */
static void what_cannot_be_read_is_left_in_the_end(void **state)
{
    struct told *t = open_told();
    int tries = 1;
    while (!talk_gives_up(&t->m, "$a", 1000))
        assert_true(++tries < 1000);
    assert_int_equal(tries, 240);
    assert_true(talk_gives_up(&t->m, "$b", 1001));
    assert_true(talk_gives_up(&t->m, "$a", 1002)); /* its note failed: it comes once more */
    assert_false(talk_gives_up(&t->m, "$c", 1000 + 60000));
    free(t->m.unread);
    t->m.unread = NULL;
    close_told(t);
}

/* A homeserver that fails, or a page of somebody in between that says 200, has said nothing of classes and rooms. */
static void an_answer_that_is_none_is_not_taken_for_none(void **state)
{
    static const struct {
        int status;
        const char *body;
    } CASES[] = {{500, "{}"}, {200, "<html>Please sign in</html>"}, {200, "{\"other\":[]}"}, {200, ""}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct http_service *service;
        struct told *t = open_served(&service, CASES[i].status, CASES[i].body);
        const char *room_id;
        char *room = NULL;
        struct audience a = {.name = FAMILY, .child = CHILD_ID, .given_name = "A"};
        assert_int_equal(sink_class_room(&t->m, "c1", false, &room_id), MATRIX_NOT_NOW);
        assert_int_equal(sink_room_of(&t->m, &a, &room), MATRIX_NOT_NOW); /* what rooms it has is asked first */
        assert_int_equal(asked_for(service, "/createRoom"), 0);
        enum matrix_answer answer = matrix_call(&t->m.client, "POST", "/join/x", json_object(), NULL);
        assert_int_equal(answer, CASES[i].body[0] == '{' && CASES[i].status == 200 ? MATRIX_DONE : MATRIX_UNKNOWN);
        families_finish(&t->m.families); /* what is held of the child */
        struct family family = {0};
        assert_int_not_equal(families_ask(&t->m.families, &t->m.client, CHILD_ID, &family), MATRIX_DONE);
        assert_int_not_equal(families_ask(&t->m.families, &t->m.client, CHILD_ID, &family), MATRIX_REFUSED);
        close_served(t, service);
    }
}

/* A clock that was a year ahead for an hour: what it put is put back, and nobody stays a year in a room (D9). */
static void a_clock_that_was_ahead_is_put_right(void **state)
{
    struct told *t = open_told();
    int64_t evening = schedule_evening(TODAY_MS, 0, 0);
    static const int64_t AHEAD_MS[] = {366 * DAY_MS, 0, DAY_MS, 0};
    static const int EVENINGS[] = {366, 0, 1, 1}; /* the last: of a day, nothing is known of the clock */
    for (size_t i = 0; i < 4; ++i) {
        sink_keep_all_apart(&t->m, TODAY_MS + AHEAD_MS[i]);
        assert_int_equal(state_counter(t->w->state, "apart"), evening + EVENINGS[i]);
    }
    close_told(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_chose_a_digest_is_not_told_at_once),
        cmocka_unit_test(guardians_are_not_told_before_their_time),
        cmocka_unit_test(what_cannot_be_read_is_no_choice),
        cmocka_unit_test(what_is_withdrawn_is_taken_back_or_later),
        cmocka_unit_test(a_message_with_others_is_not_taken_back_whole),
        cmocka_unit_test(a_room_that_cannot_be_read_is_not_made_anew),
        cmocka_unit_test(whose_a_room_is_is_known_before_it_is_spoken_in),
        cmocka_unit_test(who_has_parted_is_seen_to_in_rooms_that_can_be_read),
        cmocka_unit_test(what_is_said_is_heard_or_comes_again),
        cmocka_unit_test(what_cannot_be_read_is_left_in_the_end),
        cmocka_unit_test(an_answer_that_is_none_is_not_taken_for_none),
        cmocka_unit_test(a_clock_that_was_ahead_is_put_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
