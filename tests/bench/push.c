/* What a push costs: everybody in a room of 1 500 has a phone, and somebody writes. All of this process's CPU from the
 * message on counts, of all threads, the send itself too; the gateway is a process of its own on this machine, which
 * answers at once. */
#include "tests/bench/push.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/push/delivery/delivery.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/sync/unread.h"
#include "tests/bench/report.h"
#include "tests/unit/fixture.h"
#include "tests/unit/http_service.h"

enum { PEOPLE = 1500, MESSAGES = 3 };

struct bench {
    struct fixture f;
    struct push_delivery *push;
    user_no teacher;
    room_no room;
    char gateway[64];
};

/* As if each had been invited, and had come with a phone. */
static bool make_people(struct tx *tx, void *arg, struct error *e)
{
    const struct bench *b = arg;
    for (int i = 0; i < PEOPLE; ++i) {
        char name[24];
        snprintf(name, sizeof name, "pupil%d", i);
        user_no user = users_insert(tx, name, NULL, ACCOUNT_ACTIVE, false);
        device_no device = devices_insert(tx, user, "PHONE", NULL, NULL);
        struct pusher_row pusher = {.user = user,
                                    .device = device,
                                    .app_id = "org.example.app",
                                    .pushkey = name,
                                    .kind = PUSHER_HTTP,
                                    .app_name = "App",
                                    .device_name = "Phone",
                                    .lang = "ru",
                                    .data = "{\"default_payload\":{\"aps\":{\"mutable-content\":1}},\"format\":"
                                            "\"event_id_only\"}",
                                    .gateway = b->gateway,
                                    .id_only = true,
                                    .enabled = true,
                                    .set_ms = 1};
        fixture_acts(tx);
        if (!memberships_put_first(tx, b->room, user, writer_pos(tx->writer)) || !pushers_put(tx, &pusher))
            return false;
    }
    return memberships_count_more(tx, b->room, PEOPLE);
}

static void wait_for(const _Atomic int64_t *count, int64_t n)
{
    while (*count < n)
        usleep(1000);
}

json_t *bench_push(void)
{
    struct bench b = {.push = NULL};
    struct config *config;
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    struct error e;
    int port;
    pid_t gateway = http_service_fork("", "{\"rejected\":[]}", &port);
    fixture_start(&b.f);
    snprintf(b.gateway, sizeof b.gateway, "http://127.0.0.1:%d", port);
    text_addf(&yaml, "server_name: school.example\npush:\n  gateways: [\"%s\"]\n", b.gateway);
    if (!config_parse("bench", yaml.data, yaml.len, &config, &problem))
        abort();
    free(config->database_path);
    config->database_path = xstrdup(b.f.path);
    b.teacher = fixture_user(&b.f, "teacher");
    b.room = fixture_room(&b.f, b.teacher, "12", PRESET_PRIVATE_CHAT, NULL);
    if (!writer_run(b.f.writer, make_people, &b, &e))
        abort();
    struct outgoing *outgoing = outgoing_create(NULL);
    struct unread *unread = unread_create(b.f.names, 10000, 64 << 20);
    b.push = push_delivery_start(&(struct push_delivery_settings){
        .config = config, .writer = b.f.writer, .outgoing = outgoing, .names = b.f.names, .unread = unread});
    writer_observe(b.f.writer, push_delivery_observe, b.push);
    double us[MESSAGES] = {0}, ms[MESSAGES] = {0};
    for (int i = 0; i < MESSAGES; ++i) {
        int64_t began = clock_mono_ms();
        double cpu = process_cpu_us();
        fixture_send(&b.f, b.room, b.teacher, "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}", NULL,
                     NULL, NULL);
        wait_for(&push_delivery_service(b.push)->counts[PUSH_SENT], (int64_t)PEOPLE * (i + 1));
        us[i] = (process_cpu_us() - cpu) / PEOPLE;
        ms[i] = (double)(clock_mono_ms() - began);
    }
    outgoing_stop(outgoing, 0);
    push_delivery_stop(b.push);
    fixture_stop(&b.f);
    push_delivery_destroy(b.push);
    unread_destroy(unread);
    outgoing_destroy(outgoing);
    config_free(config);
    text_finish(&yaml);
    kill(gateway, SIGKILL);
    waitpid(gateway, NULL, 0);
    return json_pack("{s:i, s:f, s:f, s:f}", "people", PEOPLE, "first_cpu_us_each", us[0], "cpu_us_each",
                     us[MESSAGES - 1], "all_told_ms", ms[MESSAGES - 1]);
}
