/* Every way a device disappears announces itself: its sessions end, and its owner's list of devices has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/accounts/devices.h"
#include "tests/unit/login_now.h"
#include "homeserver/accounts/register.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/driver/writer.h"
#include "policy/admin/sessions.h"
#include "policy/privacy/erasure.h"
#include "policy/records/people.h"
#include "tests/unit/signup_world.h"

#define DEVICES 3
#define PASSWORD "correct horse"

/* What the observer has heard of one person. */
struct heard {
    user_no user;
    bool all; /* CHANGE_SESSION of every device */
    device_no ended[16];
    size_t n_ended, lists;
};

struct story {
    struct world w;
    struct heard heard;
    user_no user;
    char *localpart;
    device_no devices[DEVICES];
};

static void hear(void *self, const struct change *changes, size_t n)
{
    struct heard *h = self;
    for (size_t i = 0; i < n; ++i) {
        if (changes[i].user != h->user)
            continue;
        if (changes[i].kind == CHANGE_DEVICES) {
            assert_int_not_equal(changes[i].pos, 0);
            h->lists += 1;
        }
        if (changes[i].kind == CHANGE_SESSION && changes[i].device == 0)
            h->all = true;
        if (changes[i].kind == CHANGE_SESSION && changes[i].device != 0 && h->n_ended < 16)
            h->ended[h->n_ended++] = changes[i].device;
    }
}

static bool ended(const struct heard *h, device_no device)
{
    for (size_t i = 0; i < h->n_ended; ++i)
        if (h->ended[i] == device)
            return true;
    return false;
}

/* --- The ways. Each is about s->user, who has the devices D0, D1, D2. --- */

static bool log_out(struct story *s)
{
    struct error e;
    return device_delete(s->w.accounts, s->user, "D0", &e);
}

static bool log_out_everywhere(struct story *s)
{
    struct error e;
    return device_delete_all(s->w.accounts, s->user, &e);
}

static bool delete_some(struct story *s)
{
    struct error e;
    static const char *const SOME[] = {"D0", "D2", "unknown"};
    return device_delete_many(s->w.accounts, s->user, SOME, 3, &e);
}

static bool change_password(struct story *s)
{
    struct error e;
    return account_change_password(s->w.accounts, s->user, s->devices[1], true, "another horse", &e);
}

static bool set_password(struct story *s)
{
    struct error e;
    return account_set_password(s->w.accounts, s->localpart, "operator:test", "another horse", &e);
}

static bool deactivate(struct story *s)
{
    struct error e;
    return account_deactivate(s->w.accounts, s->user, true, &e);
}

static bool act_end_one(struct changing_records *c, void *arg)
{
    return admin_sessions_end(c, *(user_no *)arg, "D2");
}

static bool office_ends_one(struct story *s)
{
    return world_run(&s->w, 0, act_end_one, &s->user, NULL);
}

static bool act_end_all(struct changing_records *c, void *arg)
{
    return admin_sessions_end(c, *(user_no *)arg, NULL);
}

static bool office_ends_all(struct story *s)
{
    return world_run(&s->w, 0, act_end_all, &s->user, NULL);
}

static bool act_disable(struct changing_records *c, void *arg)
{
    fixture_acts(c->tx);
    return people_set_enabled(c->tx, *(user_no *)arg, false);
}

static bool roster_disables(struct story *s)
{
    return world_run(&s->w, 0, act_disable, &s->user, NULL);
}

static bool act_lock(struct changing_records *c, void *arg)
{
    return change_account_state(c, *(user_no *)arg, ACCOUNT_LOCKED);
}

/* The devices stay, for when it opens again (Client-Server API, "Account locking"). */
static bool office_locks(struct story *s)
{
    return world_run(&s->w, 0, act_lock, &s->user, NULL);
}

static bool act_leave_school(struct changing_records *c, void *arg)
{
    struct story *s = arg;
    return change_role_end(c, &(struct role_row){.user = s->user, .school = s->w.school, .role = ROLE_TEACHER});
}

static bool school_loses_them(struct story *s)
{
    return world_run(&s->w, 0, act_leave_school, s, NULL);
}

static bool act_erase(struct changing_records *c, void *arg)
{
    return erasure_begin(c, *(user_no *)arg);
}

static bool erase(struct story *s)
{
    return world_run(&s->w, 0, act_erase, &s->user, NULL);
}

static const struct {
    const char *name;
    bool (*act)(struct story *s);
    unsigned gone;      /* bits of DEVICES */
    bool state_changes; /* so that all sessions are looked at again */
} WAYS[] = {
    {"a sign-out", log_out, 1},
    {"a sign-out everywhere", log_out_everywhere, 7},
    {"deleting some", delete_some, 5},
    {"a new password", change_password, 5},
    {"a password that the machine's operator sets", set_password, 7},
    {"deactivation", deactivate, 7, true},
    {"the office ends one session", office_ends_one, 4},
    {"the office ends all sessions", office_ends_all, 7},
    {"the roster disables an account", roster_disables, 7, true},
    {"the office locks an account", office_locks, 0, true},
    {"the school they belonged to loses them", school_loses_them, 7, true},
    {"an erasure", erase, 7, true},
};

static void sign_in(struct story *s, int i)
{
    char id[] = {'D', (char)('0' + i), '\0'};
    struct device_wish wish = {.device_id = id};
    struct login_result out;
    struct error e;
    assert_true(login_password(s->w.accounts, s->w.f.db, s->localpart, PASSWORD, &wish, &out, &e));
    login_result_finish(&out);
    s->devices[i] = devices_no(s->w.f.db, s->user, id);
    assert_int_not_equal(s->devices[i], 0);
}

static void start(struct story *s)
{
    struct error e;
    struct user_row row;
    *s = (struct story){0};
    world_start(&s->w);
    fixture_restart(&s->w.f);
    writer_observe(s->w.f.writer, hear, &s->heard);
    world_accounts(&s->w, "registration: {mode: token}\n");
    s->user = s->heard.user = s->w.teacher;
    assert_true(users_get(s->w.f.db, s->user, &row));
    s->localpart = xstrdup(row.localpart);
    user_row_finish(&row);
    assert_true(account_set_password(s->w.accounts, s->localpart, "operator:test", PASSWORD, &e));
    for (int i = 0; i < DEVICES; ++i)
        sign_in(s, i);
    assert_int_equal(s->heard.lists, DEVICES); /* each that came announced itself, too */
    s->heard = (struct heard){.user = s->user};
}

static void every_way_announces_itself(void **state)
{
    for (size_t way = 0; way < sizeof WAYS / sizeof *WAYS; ++way) {
        struct story s;
        start(&s);
        print_message("# %s\n", WAYS[way].name);
        assert_true(WAYS[way].act(&s));
        for (int i = 0; i < DEVICES; ++i) {
            char id[] = {'D', (char)('0' + i), '\0'};
            bool gone = (WAYS[way].gone >> i & 1) != 0;
            assert_int_equal(devices_no(s.w.f.db, s.user, id) == 0, gone);
            assert_int_equal(ended(&s.heard, s.devices[i]), gone);
        }
        assert_true(WAYS[way].gone != 0 ? s.heard.lists >= 1 : s.heard.lists == 0);
        assert_int_equal(s.heard.all, WAYS[way].state_changes);
        free(s.localpart);
        world_stop(&s.w);
    }
}

static void signing_in_anew_ends_what_was(void **state)
{
    struct story s;
    start(&s);
    sign_in(&s, 1);
    assert_true(ended(&s.heard, s.devices[1]));
    assert_false(ended(&s.heard, s.devices[0]) || s.heard.all);
    assert_int_equal(s.heard.lists, 0); /* the list is what it was */
    free(s.localpart);
    world_stop(&s.w);
}

static void a_new_name_changes_the_list(void **state)
{
    struct story s;
    struct error e;
    start(&s);
    assert_true(device_rename(s.w.accounts, s.user, "D1", "telephone", &e));
    assert_int_equal(s.heard.lists, 1);
    assert_int_equal(s.heard.n_ended, 0);
    assert_false(s.heard.all);
    free(s.localpart);
    world_stop(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_announces_itself),
        cmocka_unit_test(signing_in_anew_ends_what_was),
        cmocka_unit_test(a_new_name_changes_the_list),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
