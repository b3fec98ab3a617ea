/* What people of the diary bridge have chosen, when it cannot be read: nobody is told before the time that they chose.
 * The homeserver here is a socket that nobody serves: whoever is to be told is asked for there. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "diary_world.h"

#include "appservice/diary/sink_matrix_private.h"
#include "homeserver/base/clock.h"
#include "homeserver/outgoing/outgoing.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_chose_a_digest_is_not_told_at_once),
        cmocka_unit_test(guardians_are_not_told_before_their_time),
        cmocka_unit_test(what_cannot_be_read_is_no_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
