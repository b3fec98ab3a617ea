/* What telling an application service costs. First a backlog, in transactions of a hundred events; then messages one by
 * one, each of them told before the next is sent. All of this process's CPU counts, of all threads; of the messages one
 * by one the send itself too, of the backlog not. The service is a process of its own on this machine, which answers at
 * once. */
#include "tests/bench/appservice.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "appservice/registry.h"
#include "appservice/transactions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/events.h"
#include "tests/bench/report.h"
#include "tests/unit/fixture.h"
#include "tests/unit/http_service.h"

enum { BACKLOG = 20000, JOB = 1000, LIVE = 500 };

struct bench {
    struct fixture f;
    user_no teacher, bot;
    room_no room;
    char folder[128];
};

/* Its cursor is here: all that comes is told. */
static bool begin_here(struct tx *tx, void *arg, struct error *e)
{
    const struct bench *b = arg;
    return appservice_users_put(tx, "bench", b->bot) &&
           consumers_add(tx, TRANSACTIONS_CONSUMER, "bench", events_newest(tx->db));
}

static bool write_many(struct tx *tx, void *arg, struct error *e)
{
    struct bench *b = arg;
    json_auto_t *content =
        json_pack("{s:s, s:s}", "body", "what is said in a class on a usual day", "msgtype", "m.text");
    const struct draft draft = {.sender = b->teacher, .type = "m.room.message", .content = content};
    struct appended sent;
    for (int i = 0; i < JOB; ++i)
        if (!append_event(room_open(b->f.rooms, tx, b->room), tx, &draft, &sent, e))
            return false;
    return true;
}

static struct config *configure(struct bench *b, int port)
{
    struct config *config;
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    char file[160];
    snprintf(b->folder, sizeof b->folder, "%s/appservices", b->f.dir);
    snprintf(file, sizeof file, "%s/bench.yaml", b->folder);
    FILE *out = mkdir(b->folder, 0700) == 0 ? fopen(file, "w") : NULL;
    if (out == NULL)
        abort();
    fprintf(out,
            "id: bench\nurl: http://127.0.0.1:%d\nas_token: as-token-of-the-bench\nhs_token: hs-token-of-the-bench\n"
            "sender_localpart: bot\nnamespaces: {users: [{exclusive: true, regex: '@_bench_.*'}]}\n"
            "receive_ephemeral: true\norg.matrix.msc3202: true\n",
            port);
    fclose(out);
    text_addf(&yaml, "server_name: school.example\nappservices: %s\npolicy:\n  mode: open\n", b->folder);
    if (!config_parse("bench", yaml.data, yaml.len, &config, &problem))
        abort();
    text_finish(&yaml);
    free(config->database_path);
    config->database_path = xstrdup(b->f.path);
    return config;
}

json_t *bench_appservice(void)
{
    struct bench b = {.room = 0};
    struct text problem = TEXT_INIT;
    struct error e;
    int port;
    pid_t service = http_service_fork("Content-Type: application/json\r\n", "{}", &port);
    fixture_start(&b.f);
    struct config *config = configure(&b, port);
    b.teacher = fixture_user(&b.f, "teacher");
    b.bot = fixture_user(&b.f, "bot");
    b.room = fixture_room(&b.f, b.teacher, "12", PRESET_PUBLIC_CHAT, NULL);
    if (!fixture_member(&b.f, b.room, ACT_JOIN, b.bot, b.bot, NULL) || !writer_run(b.f.writer, begin_here, &b, &e))
        abort();
    for (int i = 0; i < BACKLOG / JOB; ++i)
        if (!writer_run(b.f.writer, write_many, &b, &e))
            abort();
    struct registry *registry = registry_create(appservices_load(config, &problem));
    struct outgoing *outgoing = outgoing_create(NULL);
    struct transactions *transactions = transactions_start(&(struct transactions_settings){
        .config = config, .writer = b.f.writer, .outgoing = outgoing, .names = b.f.names, .registry = registry});
    writer_observe(b.f.writer, transactions_observe, transactions);

    int64_t began = clock_mono_ms();
    double cpu = process_cpu_us();
    transactions_follow(transactions);
    while (transactions_taken(transactions) < BACKLOG / 100)
        usleep(500);
    double backlog_us = (process_cpu_us() - cpu) / BACKLOG, backlog_ms = (double)(clock_mono_ms() - began);

    int64_t before = transactions_taken(transactions);
    cpu = process_cpu_us();
    began = clock_mono_ms();
    for (int i = 0; i < LIVE; ++i) {
        fixture_send(&b.f, b.room, b.teacher, "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}", NULL,
                     NULL, NULL);
        while (transactions_taken(transactions) <= before + i)
            usleep(50);
    }
    double live_us = (process_cpu_us() - cpu) / LIVE, live_ms = (double)(clock_mono_ms() - began);

    outgoing_stop(outgoing, 0);
    transactions_stop(transactions);
    fixture_stop(&b.f);
    transactions_destroy(transactions);
    outgoing_destroy(outgoing);
    registry_destroy(registry);
    config_free(config);
    text_finish(&problem);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    return json_pack("{s:i, s:f, s:f, s:f, s:f}", "backlog", BACKLOG, "backlog_events_per_s",
                     BACKLOG * 1000.0 / backlog_ms, "cpu_us_event", backlog_us, "transactions_per_s",
                     LIVE * 1000.0 / live_ms, "cpu_us_transaction", live_us);
}
