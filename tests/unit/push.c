/* Push: who is told of what, by which payload, and that nothing is lost: against gateways on this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/recent.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/push/delivery/delivery.h"
#include "homeserver/push/delivery/digest.h"
#include "homeserver/push/delivery/gateways.h"
#include "homeserver/push/delivery/held.h"
#include "homeserver/push/delivery/notify.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/held_pushes.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/unread.h"
#include "tests/unit/fixture.h"
#include "tests/unit/http_service.h"

#define PLANTED "the-pupil-has-a-fever"
#define TAKEN "{\"rejected\":[]}"

struct world {
    struct fixture f;
    struct http_service *gateways[2];
    struct config *config;
    struct outgoing *outgoing;
    struct unread *unread;
    struct push_delivery *push;
    room_no room;
    user_no anna, boris;
    device_no phone; /* boris' */
    int64_t late_ms;
};

static char *gateway(const struct world *w, int i)
{
    static char name[2][64];
    snprintf(name[i], sizeof name[i], "http://127.0.0.1:%d", http_service_port(w->gateways[i]));
    return name[i];
}

/* Mails that were handed over. */
static struct {
    int n;
    bool fails;
    char to[64], subject[256], text[1024];
} mails;

static bool send_mail(void *post, const struct letter *letter, int64_t deadline_ms,
                      void (*done)(void *arg, bool delivered), void *arg)
{
    ++mails.n;
    snprintf(mails.to, sizeof mails.to, "%s", letter->to);
    snprintf(mails.subject, sizeof mails.subject, "%s", letter->subject);
    snprintf(mails.text, sizeof mails.text, "%s", letter->text);
    done(arg, !mails.fails);
    return true;
}

/* Hours pass at once. */
static _Atomic int64_t passed_ms;

static int64_t later(void)
{
    return clock_wall_ms() + passed_ms;
}

static void push_on(struct world *w)
{
    w->outgoing = outgoing_create(NULL);
    w->unread = unread_create(w->f.names, 1000, 1 << 20);
    w->push = push_delivery_start(&(struct push_delivery_settings){.config = w->config,
                                                                   .writer = w->f.writer,
                                                                   .outgoing = w->outgoing,
                                                                   .names = w->f.names,
                                                                   .unread = w->unread,
                                                                   .send = send_mail,
                                                                   .late_ms = w->late_ms,
                                                                   .wall_ms = later,
                                                                   .backoff_ms = 40});
    assert_non_null(w->push);
    writer_observe(w->f.writer, push_delivery_observe, w->push);
}

static void push_off(struct world *w)
{
    outgoing_stop(w->outgoing, 0);
    push_delivery_stop(w->push);
}

static void push_gone(struct world *w)
{
    push_delivery_destroy(w->push);
    unread_destroy(w->unread);
    outgoing_destroy(w->outgoing);
}

/* mode: "school" or "open". */
static void configure(struct world *w, const char *mode)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    text_addf(&yaml, "server_name: school.example\npolicy:\n  mode: %s\npush:\n  gateways: [\"%s\", \"%s\"]\n", mode,
              gateway(w, 0), gateway(w, 1));
    if (!config_parse("test", yaml.data, yaml.len, &w->config, &problem))
        fail_msg("%s", problem.data);
    free(w->config->database_path);
    w->config->database_path = xstrdup(w->f.path);
    text_finish(&yaml);
}

struct device {
    user_no user;
    const char *id;
    device_no no;
};

static bool job_device(struct tx *tx, void *arg, struct error *e)
{
    struct device *device = arg;
    fixture_acts(tx);
    return (device->no = devices_insert(tx, device->user, device->id, NULL, NULL)) != 0;
}

static device_no add_device(struct world *w, user_no user, const char *id)
{
    struct error e;
    struct device device = {user, id, 0};
    assert_true(writer_run(w->f.writer, job_device, &device, &e));
    return device.no;
}

static bool set_as(struct world *w, const struct pusher_row *how, int at, bool append, bool toggles, struct error *e)
{
    char url[128];
    struct pusher_row row = *how;
    snprintf(url, sizeof url, "%s/_matrix/push/v1/notify", at >= 0 ? gateway(w, at) : "https://elsewhere.example");
    row.kind = row.kind != NULL ? row.kind : PUSHER_HTTP;
    row.app_id = row.app_id != NULL ? row.app_id : "app";
    row.app_name = row.device_name = "x";
    row.lang = "ru";
    row.data = row.data != NULL ? row.data : "{\"format\":\"event_id_only\"}";
    return push_delivery_set(w->push, &(struct push_wish){&row, url, append, toggles}, e);
}

static void set_pusher(struct world *w, user_no user, device_no device, const char *pushkey, int at)
{
    struct error e;
    struct pusher_row row = {.user = user, .device = device, .pushkey = pushkey, .enabled = true, .id_only = true};
    if (!set_as(w, &row, at, true, false, &e))
        fail_msg("%s", error_sentence(&e));
}

static void start_in(struct world *w, const char *mode)
{
    *w = (struct world){0};
    passed_ms = 0;
    fixture_start(&w->f);
    for (int i = 0; i < 2; ++i) {
        w->gateways[i] = http_service_start();
        http_service_set(w->gateways[i], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    }
    configure(w, mode);
    push_on(w);
    w->anna = fixture_user(&w->f, "anna");
    w->boris = fixture_user(&w->f, "boris");
    w->room = fixture_room(&w->f, w->anna, "12", PRESET_PRIVATE_CHAT, NULL);
    assert_true(fixture_member(&w->f, w->room, ACT_INVITE, w->anna, w->boris, NULL));
    assert_true(fixture_member(&w->f, w->room, ACT_JOIN, w->boris, w->boris, NULL));
    w->phone = add_device(w, w->boris, "PHONE");
}

static void start(struct world *w)
{
    start_in(w, "school");
}

static void stop(struct world *w)
{
    push_off(w);
    fixture_stop(&w->f);
    push_gone(w);
    config_free(w->config);
    for (int i = 0; i < 2; ++i)
        http_service_stop(w->gateways[i]);
}

static stream_pos say_as(struct world *w, user_no sender, const char *content, char id[ID_BYTES_MAX + 1])
{
    struct appended out;
    assert_true(fixture_send(&w->f, w->room, sender, "m.room.message", NULL, content, NULL, &out, NULL));
    if (id != NULL)
        strcpy(id, out.event_id);
    return out.pos;
}

static stream_pos say(struct world *w, char id[ID_BYTES_MAX + 1])
{
    return say_as(w, w->anna, "{\"body\":\"" PLANTED "\",\"msgtype\":\"m.text\"}", id);
}

static void reads(struct world *w, user_no user, const char *event_id)
{
    struct error e;
    struct recent *recent = recent_create(8, 1 << 16);
    char *room_id = rooms_id_of(w->f.db, w->room);
    struct marks marks = {.room_id = room_id, .user = user, .read_private = event_id};
    assert_true(receipts_mark(w->f.writer, w->f.rooms, recent, &marks, &e));
    free(room_id);
    recent_destroy(recent);
}

static bool told(struct world *w, int at, int n)
{
    for (int64_t end = clock_mono_ms() + 20000; http_service_requests(w->gateways[at]) < n && clock_mono_ms() < end;)
        usleep(1000);
    return http_service_requests(w->gateways[at]) >= n;
}

/* Everything up to the position was done at the gateway. */
static bool done_at(struct world *w, int at, stream_pos pos)
{
    for (int64_t end = clock_mono_ms() + 20000;
         consumers_pos(w->f.db, "push", gateway(w, at)) < pos && clock_mono_ms() < end;)
        usleep(1000);
    return consumers_pos(w->f.db, "push", gateway(w, at)) >= pos;
}

/* A mark behind everything that was said: nothing more is told of what was before it. Only one whose push is sent moves
 * the cursor for certain. */
static stream_pos mark(struct world *w, int at)
{
    stream_pos pos = say_as(w, w->anna, "{\"body\":\"mark\",\"msgtype\":\"m.text\"}", NULL);
    assert_true(done_at(w, at, pos));
    return pos;
}

/* The notification of request n; the caller owns it. */
static json_t *notification(struct world *w, int at, int n)
{
    char *request = http_service_request(w->gateways[at], n);
    assert_non_null(request);
    json_t *body = json_loads(strstr(request, "\r\n\r\n") + 4, 0, NULL);
    json_t *inner = json_incref(json_object_get(body, "notification"));
    assert_non_null(inner);
    json_decref(body);
    free(request);
    return inner;
}

static bool is_about(struct world *w, int at, int n, const char *event_id)
{
    json_t *about = notification(w, at, n);
    const char *id = json_string_value(json_object_get(about, "event_id"));
    bool is = event_id == NULL ? id == NULL : id != NULL && strcmp(id, event_id) == 0;
    json_decref(about);
    return is;
}

static int64_t unread_in(struct world *w, int at, int n)
{
    json_t *about = notification(w, at, n);
    int64_t unread = json_integer_value(json_object_get(json_object_get(about, "counts"), "unread"));
    json_decref(about);
    return unread;
}

static int64_t counted(struct world *w, enum push_count what)
{
    return push_delivery_service(w->push)->counts[what];
}

static int pushers(struct world *w, user_no user)
{
    struct pusher_row row;
    int n = 0;
    struct stmt *q = pushers_of_user(w->f.db, user);
    while (pushers_next_of_user(q, &row))
        ++n;
    stmt_end(q);
    return n;
}

/* --- Gateways --- */

static void gateways_are_named_or_public(void **state)
{
    static const struct {
        const char *url, *gateway;
    } URLS[] = {
        {"https://push.example/_matrix/push/v1/notify", "https://push.example"},
        {"https://Push.Example:443/_matrix/push/v1/notify", "https://push.example"},
        {"https://push.example:8443/_matrix/push/v1/notify", "https://push.example:8443"},
        {"http://[::1]:80/_matrix/push/v1/notify", "http://[::1]"},
        {"https://push.example/_matrix/push/v1/notify?x=1", NULL},
        {"https://push.example/_matrix/push/v1/notify/", NULL},
        {"https://push.example/other", NULL},
        {"https://user@push.example/_matrix/push/v1/notify", NULL},
        {"https://push.example:/_matrix/push/v1/notify", NULL},
        {"https:///_matrix/push/v1/notify", NULL},
        {"ftp://push.example/_matrix/push/v1/notify", NULL},
        {"push.example/_matrix/push/v1/notify", NULL},
        {"", NULL},
    };
    char out[GATEWAY_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof URLS / sizeof *URLS; ++i) {
        assert_int_equal(gateway_of_url(URLS[i].url, out), URLS[i].gateway != NULL);
        if (URLS[i].gateway != NULL)
            assert_string_equal(out, URLS[i].gateway);
    }
    static char *NAMED[] = {"push.example", "https://other.example:8443/_matrix/push/v1/notify", "http://10.1.2.3"};
    static char *ALL[] = {"*", "10.1.2.3"};
    struct config named = {.push = {NAMED, 3}}, all = {.push = {ALL, 2}}, none = {0};
    assert_int_equal(gateway_leave(&named, "https://push.example"), GATEWAY_NAMED);
    assert_int_equal(gateway_leave(&named, "https://push.example:8443"), GATEWAY_REFUSED);
    assert_int_equal(gateway_leave(&named, "https://other.example:8443"), GATEWAY_NAMED);
    assert_int_equal(gateway_leave(&named, "http://10.1.2.3"), GATEWAY_NAMED);
    assert_int_equal(gateway_leave(&named, "https://10.1.2.3"), GATEWAY_REFUSED);
    assert_int_equal(gateway_leave(&all, "https://anywhere.example"), GATEWAY_PUBLIC);
    assert_int_equal(gateway_leave(&all, "http://anywhere.example"), GATEWAY_REFUSED);
    assert_int_equal(gateway_leave(&all, "https://10.1.2.3"), GATEWAY_NAMED);
    assert_int_equal(gateway_leave(&none, "https://push.example"), GATEWAY_REFUSED);
}

/* --- Setting them --- */

static void a_pusher_is_set_bounded_and_goes_with_its_session(void **state)
{
    struct world w;
    struct error e;
    start(&w);
    struct pusher_row row = {.user = w.boris, .device = w.phone, .pushkey = "key", .enabled = true};
    assert_false(set_as(&w, &row, -1, false, false, &e)); /* A5: nobody allows that gateway */
    assert_string_equal(e.rule, "A5");
    assert_true(set_as(&w, &row, 0, false, false, &e));
    assert_true(set_as(&w, &row, 0, false, false, &e)); /* the same */
    assert_int_equal(pushers(&w, w.boris), 1);

    struct pusher_row hers = {
        .user = w.anna, .device = add_device(&w, w.anna, "HERS"), .pushkey = "key", .enabled = true};
    assert_true(set_as(&w, &hers, 0, true, false, &e)); /* append */
    assert_int_equal(pushers(&w, w.boris), 1);
    assert_true(set_as(&w, &hers, 0, false, false, &e)); /* the phone is hers now */
    assert_int_equal(pushers(&w, w.boris), 0);
    assert_int_equal(pushers(&w, w.anna), 1);

    char key[16];
    row.pushkey = key;
    for (int i = 0; i < 10; ++i) {
        snprintf(key, sizeof key, "key %d", i);
        assert_true(set_as(&w, &row, 0, false, false, &e));
    }
    snprintf(key, sizeof key, "one more");
    assert_false(set_as(&w, &row, 0, false, false, &e));
    assert_int_equal(pushers(&w, w.boris), 10);

    /* Who turns it off from elsewhere does not take it over; who registers anew does. */
    device_no web = add_device(&w, w.boris, "WEB");
    struct pusher_row old;
    snprintf(key, sizeof key, "key 3");
    row.device = web;
    row.enabled = false;
    assert_true(set_as(&w, &row, 0, false, true, &e));
    struct stmt *q = pushers_get(w.f.db, w.boris, "app", "key 3");
    assert_true(pushers_next(q, &old) && old.device == w.phone && !old.enabled);
    stmt_end(q);
    assert_true(set_as(&w, &row, 0, false, false, &e));
    assert_true(push_delivery_unset(w.push, w.boris, "app", "key 4", &e));
    assert_int_equal(pushers(&w, w.boris), 9);
    stop(&w);
}

static bool job_end(struct tx *tx, void *arg, struct error *e)
{
    const struct device *device = arg;
    fixture_acts(tx);
    return devices_delete(tx, device->user, device->no);
}

static void a_session_that_ends_takes_its_pushers_along(void **state)
{
    struct world w;
    struct error e;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    set_pusher(&w, w.boris, add_device(&w, w.boris, "TABLET"), "tablet", 0);
    assert_true(writer_run(w.f.writer, job_end, &(struct device){w.boris, "PHONE", w.phone}, &e));
    assert_int_equal(pushers(&w, w.boris), 1);
    say(&w, NULL);
    assert_true(told(&w, 0, 1));
    json_t *about = notification(&w, 0, 0), *devices = json_object_get(about, "devices");
    assert_int_equal(json_array_size(devices), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(devices, 0), "pushkey")), "tablet");
    json_decref(about);
    stop(&w);
}

/* --- Telling --- */

static void a_message_is_told_without_a_word_of_it(void **state)
{
    struct world w;
    char id[ID_BYTES_MAX + 1];
    struct error e;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    struct pusher_row wants_all = {
        .user = w.boris, .device = w.phone, .pushkey = "other", .enabled = true, .data = "{\"x\":{\"y\":1}}"};
    assert_true(set_as(&w, &wants_all, 0, false, false, &e));          /* it did not ask for ids alone, and gets them */
    set_pusher(&w, w.anna, add_device(&w, w.anna, "HERS"), "hers", 0); /* her own words do not ring */
    say(&w, id);
    assert_true(told(&w, 0, 1));
    char *request = http_service_request(w.gateways[0], 0);
    assert_int_equal(strncmp(request, "POST /_matrix/push/v1/notify HTTP/1.1\r\n", 38), 0);
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_null(strstr(request, PLANTED));
    assert_null(strstr(request, "anna"));
    free(request);
    json_t *about = notification(&w, 0, 0), *devices = json_object_get(about, "devices");
    assert_string_equal(json_string_value(json_object_get(about, "event_id")), id);
    assert_non_null(json_object_get(about, "room_id"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(about, "counts"), "unread")), 1);
    assert_int_equal(json_object_size(about), 5); /* and prio, devices */
    assert_int_equal(json_array_size(devices), 2);
    json_t *data = json_object_get(json_array_get(devices, 0), "data");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(data, "x"), "y")), 1); /* "other" comes first */
    json_decref(about);
    mark(&w, 0);
    assert_int_equal(http_service_requests(w.gateways[0]), 2);
    assert_int_equal(unread_in(&w, 0, 1), 2);
    stop(&w);
}

/* Where there is no school, what the specification says. */
static void without_a_school_a_device_may_have_all(void **state)
{
    struct world w;
    struct error e;
    start_in(&w, "open");
    struct pusher_row row = {.user = w.boris, .device = w.phone, .pushkey = "k", .enabled = true, .data = "{}"};
    assert_true(set_as(&w, &row, 0, false, false, &e));
    set_pusher(&w, w.boris, w.phone, "plain", 0);
    say(&w, NULL);
    assert_true(told(&w, 0, 2));
    int full = is_about(&w, 0, 0, NULL) ? -1 : 0;
    json_t *about = notification(&w, 0, full);
    if (json_object_get(about, "content") == NULL) {
        json_decref(about);
        about = notification(&w, 0, full = 1);
    }
    assert_string_equal(json_string_value(json_object_get(json_object_get(about, "content"), "body")), PLANTED);
    assert_string_equal(json_string_value(json_object_get(about, "sender")), "@anna:school.example");
    json_t *device = json_array_get(json_object_get(about, "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "pushkey")), "k");
    assert_true(json_is_object(json_object_get(device, "tweaks")));
    json_decref(about);
    char *other = http_service_request(w.gateways[0], 1 - full);
    assert_null(strstr(other, PLANTED));
    free(other);
    stop(&w);
}

static void an_invite_is_told(void **state)
{
    struct world w;
    start(&w);
    user_no vera = fixture_user(&w.f, "vera");
    set_pusher(&w, vera, add_device(&w, vera, "V"), "vera", 0);
    assert_true(fixture_member(&w.f, w.room, ACT_INVITE, w.anna, vera, NULL));
    assert_true(told(&w, 0, 1));
    say(&w, NULL); /* she is not in it */
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    mark(&w, 0);
    for (int i = 1; i < http_service_requests(w.gateways[0]); ++i) {
        char *request = http_service_request(w.gateways[0], i);
        assert_null(strstr(request, "vera"));
        free(request);
    }
    stop(&w);
}

static void events_come_in_order(void **state)
{
    static char ids[25][ID_BYTES_MAX + 1];
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    stream_pos last = 0;
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 503, "", "", 1);
    for (int i = 0; i < 25; ++i)
        last = say(&w, ids[i]);
    assert_true(told(&w, 0, 2)); /* in vain */
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    assert_true(done_at(&w, 0, last));
    int seen[25] = {0}, first[25];
    for (int n = 0; n < http_service_requests(w.gateways[0]); ++n)
        for (int i = 0; i < 25; ++i)
            if (is_about(&w, 0, n, ids[i]))
                first[i] = seen[i]++ == 0 ? n : first[i];
    for (int i = 0; i < 25; ++i)
        assert_true(seen[i] >= 1);
    for (int i = 1; i < 25; ++i)
        assert_true(first[i - 1] < first[i]);
    stop(&w);
}

static void nobody_who_should_not_is_told(void **state)
{
    struct world w;
    struct error e;
    start(&w);
    user_no locked = fixture_user(&w.f, "locked"), gone = fixture_user(&w.f, "gone"), off = fixture_user(&w.f, "off"),
            late = fixture_user(&w.f, "late");
    user_no them[] = {locked, gone, off, late};
    static const char *const KEYS[] = {"locked", "gone", "off", "late"};
    for (int i = 0; i < 4; ++i) {
        assert_true(fixture_member(&w.f, w.room, ACT_INVITE, w.anna, them[i], NULL));
        if (them[i] != late)
            assert_true(fixture_member(&w.f, w.room, ACT_JOIN, them[i], them[i], NULL));
    }
    for (int i = 0; i < 4; ++i) {
        struct pusher_row row = {.user = them[i],
                                 .device = add_device(&w, them[i], "D"),
                                 .pushkey = KEYS[i],
                                 .enabled = them[i] != off,
                                 .id_only = true};
        assert_true(set_as(&w, &row, 1, false, false, &e));
    }
    set_pusher(&w, w.boris, w.phone, "boris", 1);
    assert_true(fixture_state(&w.f, locked, ACCOUNT_LOCKED));
    assert_true(fixture_member(&w.f, w.room, ACT_LEAVE, gone, gone, NULL));
    say(&w, NULL);
    assert_true(told(&w, 1, 1));
    assert_true(fixture_member(&w.f, w.room, ACT_JOIN, late, late, NULL)); /* behind it */
    mark(&w, 1);
    for (int i = 0; i < http_service_requests(w.gateways[1]); ++i) {
        char *request = http_service_request(w.gateways[1], i);
        assert_null(strstr(request, "\"locked\""));
        assert_null(strstr(request, "\"gone\""));
        assert_null(strstr(request, "\"off\""));
        free(request);
    }
    stop(&w);
}

/* --- Gateways that fail --- */

static void a_gateway_that_is_away_loses_nothing_and_delays_no_other(void **state)
{
    static char ids[12][ID_BYTES_MAX + 1];
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    set_pusher(&w, w.boris, w.phone, "tablet", 1);
    http_service_set(w.gateways[0], SERVICE_SILENT, 200, "", "", 1);
    stream_pos last = 0;
    for (int i = 0; i < 12; ++i)
        last = say(&w, ids[i]);
    assert_true(told(&w, 0, 1));
    assert_true(done_at(&w, 1, last)); /* the other has all of them, while the first hangs */
    http_service_set(w.gateways[0], SERVICE_BREAKS, 200, "", "", 1);
    assert_true(consumers_pos(w.f.db, "push", gateway(&w, 0)) < last);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    assert_true(done_at(&w, 0, last));
    for (int i = 0; i < 12; ++i) {
        bool there = false;
        for (int n = 0; n < http_service_requests(w.gateways[0]); ++n)
            there |= is_about(&w, 0, n, ids[i]);
        assert_true(there);
    }
    stop(&w);
}

/* What piled up for long is one push a room, of the newest that is unread. */
static void after_a_long_outage_one_push_a_room_says_what_stands(void **state)
{
    char ids[5][ID_BYTES_MAX + 1];
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    push_delivery_service(w.push)->late_ms = -1; /* everything is late */
    stream_pos kept = 0;
    for (int i = 0; i < 4; ++i)
        kept = say(&w, ids[i]);
    say(&w, ids[4]);
    assert_true(fixture_send(&w.f, w.room, w.anna, "m.room.redaction", NULL, "{}", ids[4], NULL, NULL) ||
                fixture_send(&w.f, w.room, w.anna, "m.room.redaction", NULL, "{\"redacts\":\"x\"}", NULL, NULL, NULL));
    assert_true(done_at(&w, 0, kept)); /* of what is redacted meanwhile nobody is told, and no cursor written */
    assert_int_equal(http_service_requests(w.gateways[0]), 0);
    assert_int_equal(held_pushes_count(w.f.db), 1);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 500, "", "", 1);
    push_delivery_run(w.push);
    assert_true(told(&w, 0, 1));
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1); /* outgoing tries again */
    for (int64_t end = clock_mono_ms() + 20000; held_pushes_count(w.f.db) != 0 && clock_mono_ms() < end;)
        usleep(1000);
    assert_int_equal(held_pushes_count(w.f.db), 0);
    stop(&w);
}

/* What is said in two rooms while the gateway is away for an hour. When it is back, one push a room names the
 * newest, and the number says how many there are; meanwhile the other gateway has each of them at once. */
static void an_hour_without_a_gateway_loses_nothing_and_delays_no_other(void **state)
{
    enum { MESSAGES = 60 };
    static char last[2][ID_BYTES_MAX + 1];
    struct world w;
    stream_pos pos = 0;
    start(&w);
    const room_no rooms[] = {w.room, fixture_room(&w.f, w.anna, "12", PRESET_PRIVATE_CHAT, NULL)};
    assert_true(fixture_member(&w.f, rooms[1], ACT_INVITE, w.anna, w.boris, NULL));
    assert_true(fixture_member(&w.f, rooms[1], ACT_JOIN, w.boris, w.boris, NULL));
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    set_pusher(&w, w.boris, w.phone, "tablet", 1);
    http_service_set(w.gateways[0], SERVICE_BREAKS, 200, "", "", 1);
    for (int i = 0; i < MESSAGES; ++i) {
        w.room = rooms[i % 2];
        pos = say(&w, last[i % 2]);
    }
    assert_true(done_at(&w, 1, pos));
    assert_int_equal(http_service_requests(w.gateways[1]), MESSAGES); /* each, once */
    assert_true(consumers_pos(w.f.db, "push", gateway(&w, 0)) < pos);
    for (int minute = 1; minute <= 60; ++minute) {
        passed_ms = minute * MINUTE_MS;
        push_delivery_run(w.push);
    }
    assert_true(done_at(&w, 0, pos)); /* put aside: one row a room */
    assert_int_equal(held_pushes_count(w.f.db), 2);
    int before = http_service_requests(w.gateways[0]);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    for (int64_t end = clock_mono_ms() + 20000; held_pushes_count(w.f.db) != 0 && clock_mono_ms() < end; usleep(1000)) {
        push_delivery_run(w.push);
        passed_ms += HELD_AGAIN_MS / 1000; /* what was tried while it was away comes again in ten minutes */
    }
    assert_int_equal(held_pushes_count(w.f.db), 0);
    for (int i = 0; i < 2; ++i) {
        bool there = false;
        for (int n = before; n < http_service_requests(w.gateways[0]); ++n)
            there |= is_about(&w, 0, n, last[i]) && unread_in(&w, 0, n) == MESSAGES;
        assert_true(there);
    }
    passed_ms = 0;
    before = http_service_requests(w.gateways[0]);
    say(&w, last[0]); /* and it goes on as ever */
    assert_true(told(&w, 0, before + 1));
    assert_true(is_about(&w, 0, before, last[0]));
    stop(&w);
}

static bool waits(struct world *w, const _Atomic int64_t *count, int64_t n)
{
    for (int64_t end = clock_mono_ms() + 20000; *count < n && clock_mono_ms() < end;)
        usleep(1000);
    return *count >= n;
}

static void a_gateway_says_when_to_come_back(void **state)
{
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 429, "Retry-After: 1\r\n", "", 1);
    int64_t began = clock_mono_ms();
    stream_pos pos = say(&w, NULL);
    assert_true(told(&w, 0, 1));
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    assert_true(done_at(&w, 0, pos));
    assert_true(clock_mono_ms() - began >= 1000);
    assert_int_equal(http_service_requests(w.gateways[0]), 2);
    stop(&w);
}

static void odd_answers_are_passed_over(void **state)
{
    static const struct {
        int status;
        const char *headers, *body;
        size_t times;
    } ANSWERS[] = {
        {200, "Content-Type: text/html\r\n", "<html>Sign in to the network</html>", 1},
        {302, "Location: http://127.0.0.1:1/\r\n", "", 1},
        {404, "", "{\"errcode\":\"M_UNRECOGNIZED\"}", 1},
        {200, "", "{\"rejected\":\"phone\"}", 1},
        {200, "", "[\"phone\"]", 1},
        {200, "", "xxxxxxxxxxxxxxxx", 100000},
    };
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; ++i) {
        http_service_set(w.gateways[0], SERVICE_ANSWERS, ANSWERS[i].status, ANSWERS[i].headers, ANSWERS[i].body,
                         ANSWERS[i].times);
        assert_true(done_at(&w, 0, say(&w, NULL)));
        assert_true(waits(&w, &push_delivery_service(w.push)->counts[PUSH_DROPPED], (int64_t)i + 1));
    }
    assert_int_equal(pushers(&w, w.boris), 1);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", "{\"rejected\":[1,\"hers\",\"nobody's\"]}", 1);
    set_pusher(&w, w.anna, add_device(&w, w.anna, "HERS"), "hers", 0);
    mark(&w, 0); /* it lies: nobody else's goes */
    assert_int_equal(pushers(&w, w.anna), 1);
    assert_int_equal(pushers(&w, w.boris), 1);
    stop(&w);
}

static void a_rejected_key_is_no_more(void **state)
{
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    set_pusher(&w, w.boris, w.phone, "tablet", 0);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", "{\"rejected\":[\"phone\"]}", 1);
    say(&w, NULL);
    for (int64_t end = clock_mono_ms() + 20000; pushers(&w, w.boris) != 1 && clock_mono_ms() < end;)
        usleep(1000);
    assert_int_equal(pushers(&w, w.boris), 1);
    assert_int_equal(counted(&w, PUSH_REJECTED), 1);
    int before = http_service_requests(w.gateways[0]);
    mark(&w, 0);
    char *request = http_service_request(w.gateways[0], before);
    assert_null(strstr(request, "\"phone\""));
    assert_non_null(strstr(request, "\"tablet\""));
    free(request);
    stop(&w);
}

static void what_is_read_meanwhile_is_not_told(void **state)
{
    struct world w;
    char id[ID_BYTES_MAX + 1];
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 503, "", "", 1);
    stream_pos pos = say(&w, id);
    assert_true(told(&w, 0, 1));
    reads(&w, w.boris, id);
    assert_true(done_at(&w, 0, pos)); /* although the gateway is still away */
    stop(&w);
}

/* With "*" people may name any gateway: but none on this machine or its networks. */
static void a_private_gateway_that_nobody_named_is_not_called(void **state)
{
    struct world w;
    struct error e;
    char url[128];
    start(&w);
    push_off(&w);
    fixture_close(&w.f);
    push_gone(&w);
    for (size_t i = 0; i < w.config->push.n_gateways; ++i) {
        free(w.config->push.gateways[i]);
        w.config->push.gateways[i] = xstrdup("*");
    }
    fixture_open(&w.f);
    push_on(&w);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/_matrix/push/v1/notify", http_service_port(w.gateways[0]));
    struct pusher_row row = {.user = w.boris,
                             .device = w.phone,
                             .app_id = "app",
                             .pushkey = "k",
                             .kind = PUSHER_HTTP,
                             .app_name = "x",
                             .device_name = "x",
                             .lang = "ru",
                             .data = "{}",
                             .enabled = true};
    struct push_wish wish = {&row, url, false, false};
    assert_true(push_delivery_set(w.push, &wish, &e));
    wish.url = gateway(&w, 0); /* neither cleartext */
    assert_false(push_delivery_set(w.push, &wish, &e));
    say(&w, NULL);
    assert_true(waits(&w, &push_delivery_service(w.push)->counts[PUSH_DROPPED], 1));
    assert_int_equal(http_service_connections(w.gateways[0]), 0);
    stop(&w);
}

/* --- Read elsewhere --- */

static void what_is_read_elsewhere_falls(void **state)
{
    struct world w;
    char id[ID_BYTES_MAX + 1];
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    say(&w, id);
    assert_true(told(&w, 0, 1));
    reads(&w, w.boris, id);
    push_delivery_run(w.push);
    assert_true(told(&w, 0, 2));
    assert_true(is_about(&w, 0, 1, NULL));
    assert_int_equal(unread_in(&w, 0, 1), 0);
    json_t *about = notification(&w, 0, 1);
    assert_null(json_object_get(json_object_get(about, "counts"), "unread"));
    assert_null(json_object_get(about, "room_id"));
    json_decref(about);
    push_delivery_run(w.push); /* once */
    mark(&w, 0);
    assert_int_equal(http_service_requests(w.gateways[0]), 3);
    stop(&w);
}

/* --- F3 --- */

static bool job_policy(struct tx *tx, void *arg, struct error *e)
{
    const struct policy_row *row = arg;
    fixture_acts(tx);
    return policies_insert(tx, row);
}

static void set_policy(struct world *w, const struct school_policy *policy)
{
    struct error e;
    json_t *document = school_policy_document(policy);
    char *text = json_dumps(document, 0);
    struct policy_row row = {.school = 0,
                             .version = policies_version(w->f.db, 0) + 1,
                             .document = text,
                             .author = "test",
                             .reason = "test",
                             .created_ms = 1};
    assert_true(writer_run(w->f.writer, job_policy, &row, &e));
    free(text);
    json_decref(document);
}

static void make_it(struct world *w, bool quiet, bool push)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    int minute = (int)(clock_wall_ms() / 60000 % 1440);
    policy.quiet.mode = quiet ? QUIET_WARN : QUIET_OFF;
    policy.quiet.push = push;
    policy.quiet.utc_offset_minutes = 0;
    policy.quiet.from_minute = (minute + 1440 - 120) % 1440;
    policy.quiet.to_minute = (minute + 120) % 1440;
    set_policy(w, &policy);
}

static void quiet_hours_hold_and_then_tell_what_stands(void **state)
{
    struct world w;
    char read[ID_BYTES_MAX + 1], newest[ID_BYTES_MAX + 1];
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    make_it(&w, true, false);
    say(&w, read);
    stream_pos pos = say(&w, newest);
    for (int64_t end = clock_mono_ms() + 20000; counted(&w, PUSH_HELD) < 2 && clock_mono_ms() < end;)
        usleep(1000);
    assert_true(done_at(&w, 0, pos));
    assert_int_equal(held_pushes_count(w.f.db), 1);
    push_delivery_run(w.push); /* not yet */
    int64_t later = clock_wall_ms() + 3 * HOUR_MS;
    struct push_service *service = push_delivery_service(w.push);
    struct db *db = db_open(w.f.path, DB_READ, NULL);
    held_deliver(service, db, later); /* its time has come, but hours were set anew: it is quiet still */
    assert_int_equal(held_pushes_count(w.f.db), 1);
    assert_int_equal(http_service_requests(w.gateways[0]), 0);

    /* What is urgent rings (F6), and so does everything where the school says so. */
    json_t *urgent = json_pack("{s:s, s:s, s:{s:s}}", "body", "x", "msgtype", "m.text", "org.parta.urgent", "reason",
                               "the roof leaks");
    assert_true(gate_ring(true, db, w.boris, "m.room.message", urgent).rings);
    assert_false(gate_ring(true, db, w.boris, "m.room.message", NULL).rings);
    json_decref(urgent);
    make_it(&w, true, true);
    say(&w, newest);
    assert_true(told(&w, 0, 1));

    make_it(&w, false, false);
    held_deliver(service, db, later + 24 * HOUR_MS);
    assert_true(told(&w, 0, 2));
    for (int64_t end = clock_mono_ms() + 20000; held_pushes_count(w.f.db) != 0 && clock_mono_ms() < end;)
        usleep(1000);
    assert_int_equal(held_pushes_count(w.f.db), 0);
    assert_int_equal(unread_in(&w, 0, 1), 3);

    /* What was read meanwhile is not told. */
    make_it(&w, true, false);
    pos = say(&w, read);
    assert_true(done_at(&w, 0, pos));
    for (int64_t end = clock_mono_ms() + 20000; held_pushes_count(w.f.db) != 1 && clock_mono_ms() < end;)
        usleep(1000);
    reads(&w, w.boris, read);
    make_it(&w, false, false);
    held_deliver(service, db, later + 24 * HOUR_MS);
    for (int64_t end = clock_mono_ms() + 20000; held_pushes_count(w.f.db) != 0 && clock_mono_ms() < end;)
        usleep(1000);
    assert_int_equal(held_pushes_count(w.f.db), 0);
    assert_int_equal(http_service_requests(w.gateways[0]), 2);
    db_close(db);
    stop(&w);
}

/* --- Mail --- */

static bool job_contact(struct tx *tx, void *arg, struct error *e)
{
    const user_no *user = arg;
    fixture_acts(tx);
    return contact_rows_insert(
        tx, &(struct contact_row){.medium = "email", .address = "boris@mail.example", .user = *user});
}

static int64_t mailed_ms(struct world *w)
{
    static const struct statement TEXTS[] = {"SELECT mailed_ms FROM pushers WHERE kind = 'email'"};
    static const struct statements ASK = {"push_test", TEXTS, 1};
    return db_int(w->f.db, &ASK, 0, -1, "");
}

static bool set_mail(struct world *w, const char *address, const char *app, struct error *e)
{
    struct pusher_row row = {.user = w->boris,
                             .device = w->phone,
                             .pushkey = address,
                             .kind = PUSHER_EMAIL,
                             .app_id = app,
                             .data = "{}",
                             .enabled = true};
    return set_as(w, &row, 0, false, false, e);
}

static void a_mail_says_how_much_and_nothing_else(void **state)
{
    struct world w;
    struct error e;
    char id[ID_BYTES_MAX + 1];
    mails.n = 0;
    start(&w);
    assert_false(set_mail(&w, "boris@mail.example", "m.email", &e)); /* not proven to be his */
    assert_true(writer_run(w.f.writer, job_contact, &w.boris, &e));
    assert_false(set_mail(&w, "boris@mail.example", "app", &e));
    assert_true(set_mail(&w, "boris@mail.example", "m.email", &e));
    const struct pusher_row hers = {.user = w.anna,
                                    .device = add_device(&w, w.anna, "HERS"),
                                    .pushkey = "boris@mail.example",
                                    .app_id = "m.email",
                                    .enabled = true};
    assert_false(set_as(&w, &hers, 0, false, false, &e)); /* nobody takes away what goes to an address of another */
    assert_int_equal(pushers(&w, w.boris), 1);
    struct digest *digest = digest_create(push_delivery_service(w.push), send_mail, NULL);
    int64_t now = clock_wall_ms();
    say(&w, NULL);
    say(&w, NULL);
    digest_run(digest, w.f.db, now);
    digest_run(digest, w.f.db, now + 9 * MINUTE_MS);
    assert_int_equal(mails.n, 0); /* they may be reading */
    digest_run(digest, w.f.db, now + 10 * MINUTE_MS);
    assert_int_equal(mails.n, 1);
    assert_string_equal(mails.to, "boris@mail.example");
    assert_non_null(strstr(mails.subject, "сообщения: 2"));
    assert_non_null(strstr(mails.text, "комнат: 1"));
    assert_null(strstr(mails.text, PLANTED));
    assert_null(strstr(mails.text, "anna"));
    say(&w, id);
    for (int64_t at = 11; at <= 70; ++at) /* an hour lies between two */
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 1);
    mails.fails = true;
    for (int64_t at = 71; at <= 81; ++at)
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 2);
    assert_true(mailed_ms(&w) > now + 70 * MINUTE_MS);
    mails.fails = false;
    digest_destroy(digest); /* a restart: when the last went is on disk */
    digest = digest_create(push_delivery_service(w.push), send_mail, NULL);
    for (int64_t at = 82; at <= 141; ++at)
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 2);
    make_it(&w, true, false); /* F3 */
    for (int64_t at = 142; at <= 160; ++at)
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 2);
    make_it(&w, false, false);
    for (int64_t at = 161; at <= 180; ++at)
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 3);           /* what was not delivered is told */
    for (int64_t at = 181; at <= 400; ++at) /* nothing new */
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 3);
    say(&w, id);
    reads(&w, w.boris, id);
    for (int64_t at = 401; at <= 420; ++at)
        digest_run(digest, w.f.db, now + at * MINUTE_MS);
    assert_int_equal(mails.n, 3);
    struct text subject = TEXT_INIT, text = TEXT_INIT;
    digest_write("en-GB", 3, 2, &subject, &text);
    assert_string_equal(subject.data, "Unread messages: 3");
    text_finish(&subject);
    text_finish(&text);
    digest_destroy(digest);
    stop(&w);
}

/* --- A crash --- */

/* The gateway's threads are there when it forks, which ThreadSanitizer cannot follow. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define CANNOT_FORK
#endif
#endif

#ifndef CANNOT_FORK
static void kill_9_loses_nothing(void **state)
{
    static char ids[8][ID_BYTES_MAX + 1];
    struct world w;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    http_service_set(w.gateways[0], SERVICE_SILENT, 200, "", "", 1);
    push_off(&w);
    fixture_close(&w.f);
    push_gone(&w);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        fixture_open(&w.f);
        push_on(&w);
        for (int i = 0; i < 8; ++i)
            say(&w, ids[i]);
        (void)!write(fds[1], ids, sizeof ids); /* they are on disk, and nobody has taken them */
        for (;;)
            pause();
    }
    for (size_t at = 0; at < sizeof ids;) {
        ssize_t n = read(fds[0], (char *)ids + at, sizeof ids - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_true(told(&w, 0, 1)); /* under way */
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(fds[0]);
    close(fds[1]);
    http_service_set(w.gateways[0], SERVICE_ANSWERS, 200, "", TAKEN, 1);
    int before = http_service_requests(w.gateways[0]);
    fixture_open(&w.f);
    push_on(&w);
    mark(&w, 0);
    for (int i = 0; i < 8; ++i) {
        bool there = false;
        for (int n = before; n < http_service_requests(w.gateways[0]); ++n)
            there |= is_about(&w, 0, n, ids[i]);
        assert_true(there);
    }
    stop(&w);
}

/* Killed while a gateway takes pushes, again and again: it hears of every message that is on disk, and of no more than
 * two batches at each restart a second time. */
static void kill_9_tells_at_most_two_batches_twice(void **state)
{
    enum { ROUNDS = 4, MESSAGES = 60 };
    static char ids[ROUNDS * MESSAGES][ID_BYTES_MAX + 1];
    struct world w;
    size_t n = 0;
    start(&w);
    set_pusher(&w, w.boris, w.phone, "phone", 0);
    push_off(&w);
    fixture_close(&w.f);
    push_gone(&w);
    for (int round = 0; round < ROUNDS; ++round) {
        int fds[2], status, before = http_service_requests(w.gateways[0]);
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            alarm(60);
            fixture_open(&w.f);
            push_on(&w);
            for (int i = 0; i < MESSAGES; ++i) {
                char id[ID_BYTES_MAX + 1] = "";
                say(&w, id);
                (void)!write(fds[1], id, sizeof id);
            }
            for (;;)
                pause();
        }
        close(fds[1]);
        assert_true(told(&w, 0, before + 5 + 9 * round)); /* somewhere in the middle */
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        while (read(fds[0], ids[n], sizeof *ids) == (ssize_t)sizeof *ids)
            ++n;
        close(fds[0]);
    }
    fixture_open(&w.f);
    push_on(&w);
    mark(&w, 0);
    int twice = 0;
    for (size_t i = 0; i < n; ++i) {
        int times = 0;
        for (int k = 0; k < http_service_requests(w.gateways[0]); ++k)
            times += is_about(&w, 0, k, ids[i]);
        assert_true(times >= 1);
        twice += times - 1;
    }
    assert_true(n > 0 && twice <= ROUNDS * 2 * PUSH_BATCH_EVENTS);
    stop(&w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gateways_are_named_or_public),
        cmocka_unit_test(a_pusher_is_set_bounded_and_goes_with_its_session),
        cmocka_unit_test(a_session_that_ends_takes_its_pushers_along),
        cmocka_unit_test(a_message_is_told_without_a_word_of_it),
        cmocka_unit_test(without_a_school_a_device_may_have_all),
        cmocka_unit_test(an_invite_is_told),
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(nobody_who_should_not_is_told),
        cmocka_unit_test(a_gateway_that_is_away_loses_nothing_and_delays_no_other),
        cmocka_unit_test(after_a_long_outage_one_push_a_room_says_what_stands),
        cmocka_unit_test(an_hour_without_a_gateway_loses_nothing_and_delays_no_other),
        cmocka_unit_test(a_gateway_says_when_to_come_back),
        cmocka_unit_test(odd_answers_are_passed_over),
        cmocka_unit_test(a_rejected_key_is_no_more),
        cmocka_unit_test(what_is_read_meanwhile_is_not_told),
        cmocka_unit_test(a_private_gateway_that_nobody_named_is_not_called),
        cmocka_unit_test(what_is_read_elsewhere_falls),
        cmocka_unit_test(quiet_hours_hold_and_then_tell_what_stands),
        cmocka_unit_test(a_mail_says_how_much_and_nothing_else),
#ifndef CANNOT_FORK
        cmocka_unit_test(kill_9_loses_nothing),
        cmocka_unit_test(kill_9_tells_at_most_two_batches_twice),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
