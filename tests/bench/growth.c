#include "tests/bench/growth.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "tests/bench/report.h"

/* since: NULL: an initial sync. */
static void sync_path(char out[400], const char *since)
{
    snprintf(
        out, 400, "/_matrix/client/v3/sync?timeout=0&filter=%s%s%s",
        "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:10%7D,%22state%22:%7B%22lazy_load_members%22:true%7D%7D%7D",
        since != NULL ? "&since=" : "", since != NULL ? since : "");
}

/* One request after the other, each checked; returns µs of the server's CPU for one. The last answer into *answer,
 * which is the caller's, when answer is not NULL. */
static double cost_of(struct school *s, const char *method, const char *path, const char *token, const char *body,
                      int times, char **answer)
{
    int64_t cpu = subject_cpu_us(s->subject);
    for (int i = 0; i < times; ++i) {
        int status;
        char *text = client_ask(s->desk, method, path, token, body, &status);
        if (status != 200) {
            fprintf(stderr, "bench: %s %s: %d %.200s\n", method, path, status, text);
            exit(1);
        }
        if (answer != NULL && i == times - 1)
            *answer = text;
        else
            free(text);
    }
    return (double)(subject_cpu_us(s->subject) - cpu) / times;
}

static void next_batch(const char *answer, char since[64])
{
    const char *next = strstr(answer, "\"next_batch\":\"") + 14;
    snprintf(since, 64, "%.*s", (int)strcspn(next, "\""), next);
}

/* A sync that begins; *since: where it ends. */
static double initial_sync(struct school *s, int person, int times, char since[64])
{
    char path[400], *answer = NULL;
    sync_path(path, NULL);
    double us = cost_of(s, "GET", path, s->people[person].token, NULL, times, &answer);
    next_batch(answer, since);
    free(answer);
    return us;
}

static double empty_sync(struct school *s, int person, const char *since)
{
    char path[400];
    sync_path(path, since);
    return cost_of(s, "GET", path, s->people[person].token, NULL, 300, NULL);
}

/* A sync that tells one message, the message left out. */
static double sync_one(struct school *s, int person, int sender, const char *room_id, char since[64])
{
    enum { TIMES = 100 };
    double us = 0;
    for (int i = 0; i < TIMES; ++i) {
        char path[400], *answer = NULL;
        school_say(s, sender, room_id, "Кто взял мел?");
        sync_path(path, since);
        us += cost_of(s, "GET", path, s->people[person].token, NULL, 1, &answer);
        next_batch(answer, since);
        free(answer);
    }
    return us / TIMES;
}

static double said(struct school *s, int sender, const char *room_id, int times)
{
    int64_t cpu = subject_cpu_us(s->subject);
    for (int i = 0; i < times; ++i)
        school_say(s, sender, room_id, "Завтра на первом уроке контрольная, не забудьте тетради");
    return (double)(subject_cpu_us(s->subject) - cpu) / times;
}

static double page(struct school *s, int person, const char *room_id)
{
    char path[400];
    snprintf(path, sizeof path, "/_matrix/client/v3/rooms/%s/messages?dir=b&limit=50", room_id);
    return cost_of(s, "GET", path, s->people[person].token, NULL, 200, NULL);
}

void growth_rooms(struct school *s)
{
    enum { MEMBERS = 5, SAID = 10 };
    static const int SIZES[] = {10, 100, 1000};
    struct curve curve = {.name = "growth-rooms",
                          .title = "One person in many rooms",
                          .x_label = "rooms",
                          .y_label = "CPU of the server, µs",
                          .n_lines = 3,
                          .lines = {{"initial sync"}, {"sync, one message"}, {"sync, nothing new"}}};
    char *first = NULL, since[64];
    school_people(s, MEMBERS);
    for (int step = 0, n = 0; step < 3; ++step) {
        for (; n < SIZES[step]; ++n) {
            char *room_id = school_room(s, 1, "class");
            for (int i = 0; i < MEMBERS; ++i)
                if (i != 1)
                    school_join(s, i, room_id);
            for (int i = 0; i < SAID; ++i)
                school_say(s, i % MEMBERS, room_id, "Напоминаю: завтра экскурсия, сбор в 8:30 у входа");
            if (first == NULL)
                first = room_id;
            else
                free(room_id);
        }
        initial_sync(s, 0, 1, since);
        double whole = initial_sync(s, 0, 3000 / n > 100 ? 100 : 3000 / n, since), empty = empty_sync(s, 0, since),
               one = sync_one(s, 0, 1, first, since);
        report("growth_rooms", "initial <= 30 us a room; empty the same for any number",
               json_pack("{s:i, s:f, s:f, s:f, s:f}", "rooms", n, "initial_sync_cpu_us", whole,
                         "initial_sync_cpu_us_per_room", whole / n, "one_message_cpu_us", one, "empty_cpu_us", empty));
        curve_add(&curve, n, (double[]){whole, one, empty});
    }
    curve_write(&curve);
    free(first);
}

void growth_members(struct school *s)
{
    static const int SIZES[] = {30, 300, 3000, 10000};
    struct curve curve = {.name = "growth-members",
                          .title = "One room with many members",
                          .x_label = "members",
                          .y_label = "CPU of the server, µs",
                          .n_lines = 4,
                          .lines = {{"initial sync"}, {"send"}, {"sync, one message"}, {"/messages, 50 events"}}};
    char since[64];
    school_people(s, 1);
    char *room_id = school_room(s, 0, "school");
    for (int step = 0; step < 4; ++step) {
        school_crowd(s, SIZES[step], room_id);
        said(s, 0, room_id, 60);
        initial_sync(s, 1, 1, since);
        double whole = initial_sync(s, 1, 50, since), sent = said(s, 0, room_id, 300);
        initial_sync(s, 1, 1, since);
        double one = sync_one(s, 1, 0, room_id, since), messages = page(s, 1, room_id);
        report("growth_members", "flat, but for who is woken",
               json_pack("{s:i, s:f, s:f, s:f, s:f}", "members", s->n, "initial_sync_cpu_us", whole, "send_cpu_us",
                         sent, "one_message_cpu_us", one, "messages_cpu_us", messages));
        curve_add(&curve, s->n, (double[]){whole, sent, one, messages});
    }
    curve_write(&curve);
    free(room_id);
}

/* Many at once, as fast as they are answered. */
struct filler {
    struct school *s;
    struct conn *conn;
    const char *room_id;
    int sender, *said, most;
    int64_t until_us;
};

static void fill_on(struct filler *filler);

static void on_filled(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct filler *filler = arg;
    if (status != 200) {
        fprintf(stderr, "bench: a send failed: %d %.200s\n", status, body);
        exit(1);
    }
    if (*filler->said < filler->most && now_us() < filler->until_us)
        fill_on(filler);
}

static void fill_on(struct filler *filler)
{
    char path[320], txn[32];
    snprintf(txn, sizeof txn, "f%d", (*filler->said)++);
    send_path(path, sizeof path, filler->room_id, txn);
    conn_send(filler->conn, "PUT", path, filler->s->people[filler->sender].token,
              "{\"msgtype\":\"m.text\",\"body\":\"Домашнее задание: параграф 12, упражнения 3 и 4\"}", on_filled,
              filler);
}

/* Up to `most` messages in all, or until then. */
static void fill(struct school *s, const char *room_id, int *n, int most, int64_t until_us)
{
    enum { AT_ONCE = 64 };
    struct filler fillers[AT_ONCE];
    bool busy = true;
    for (int i = 0; i < AT_ONCE; ++i) {
        fillers[i] = (struct filler){s, conn_open(s->client), room_id, i % s->n, n, most, until_us};
        fill_on(&fillers[i]);
    }
    while (busy) {
        client_run(s->client, 10000);
        busy = false;
        for (int i = 0; i < AT_ONCE; ++i)
            busy |= conn_busy(fillers[i].conn);
    }
    for (int i = 0; i < AT_ONCE; ++i)
        conn_close(fillers[i].conn);
}

void growth_messages(struct school *s)
{
    enum { PEOPLE = 30, SECONDS = 300 };
    static const int SIZES[] = {10000, 100000, 1000000};
    struct curve curve = {.name = "growth-messages",
                          .title = "One room with many messages",
                          .x_label = "messages",
                          .y_label = "CPU of the server, µs",
                          .n_lines = 4,
                          .lines = {{"initial sync"}, {"send"}, {"sync, one message"}, {"/messages, 50 events"}}};
    int64_t until_us = now_us() + (int64_t)SECONDS * 1000000;
    char since[64];
    int n = 0;
    school_people(s, PEOPLE);
    char *room_id = school_room(s, 0, "talk");
    for (int i = 1; i < PEOPLE; ++i)
        school_join(s, i, room_id);
    for (int step = 0; step < 3 && now_us() < until_us; ++step) {
        fill(s, room_id, &n, SIZES[step], until_us);
        initial_sync(s, 1, 1, since);
        double whole = initial_sync(s, 1, 50, since), sent = said(s, 0, room_id, 300);
        initial_sync(s, 1, 1, since);
        double one = sync_one(s, 1, 0, room_id, since), messages = page(s, 1, room_id);
        report("growth_messages", "flat",
               json_pack("{s:i, s:f, s:f, s:f, s:f}", "messages", n, "initial_sync_cpu_us", whole, "send_cpu_us", sent,
                         "one_message_cpu_us", one, "messages_cpu_us", messages));
        curve_add(&curve, n, (double[]){whole, sent, one, messages});
    }
    curve_write(&curve);
    free(room_id);
}

static const char LOGIN[] = "{\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":\"p0\"},"
                            "\"password\":\"bench-password\"%s}";

/* CPU of one look at a hash of that cost. */
static double hash_us(void)
{
    enum { TIMES = 200 };
    char hash[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_str(hash, "bench-password", 14, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN) != 0)
        exit(1);
    double begun = thread_cpu_us();
    for (int i = 0; i < TIMES; ++i)
        if (crypto_pwhash_str_verify(hash, "bench-password", 14) != 0)
            exit(1);
    return (thread_cpu_us() - begun) / TIMES;
}

struct sign_ins {
    const char *body;
    int left, failed;
};

static void on_signed_in(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct sign_ins *in = arg;
    in->failed += status != 200;
    if (in->left-- > 0)
        conn_send(conn, "POST", "/_matrix/client/v3/login", NULL, in->body, on_signed_in, in);
}

/* As many at once as a class has. */
static double sign_ins_at_once(struct school *s, const char *body, int times)
{
    enum { AT_ONCE = 16 };
    struct sign_ins in = {.body = body, .left = times};
    struct conn *conns[AT_ONCE];
    int64_t cpu = subject_cpu_us(s->subject);
    bool busy = true;
    for (int i = 0; i < AT_ONCE; ++i)
        on_signed_in(conns[i] = conn_open(s->client), 200, "", 0, &in);
    while (busy) {
        client_run(s->client, 10000);
        busy = false;
        for (int i = 0; i < AT_ONCE; ++i)
            busy |= conn_busy(conns[i]);
    }
    for (int i = 0; i < AT_ONCE; ++i)
        conn_close(conns[i]);
    if (in.failed != 0)
        fprintf(stderr, "bench: %d of %d could not sign in\n", in.failed, times);
    return (double)(subject_cpu_us(s->subject) - cpu) / times;
}

/* Hashes are made as cheaply as can be (8 KiB, one pass), and their cost is measured here, so that what is left is the
 * rest of signing in. Alone, each waits for the disk alone. */
void growth_sign_in(struct school *s)
{
    enum { TIMES = 400 };
    char again[256], anew[256];
    snprintf(again, sizeof again, LOGIN, ",\"device_id\":\"bench\"");
    snprintf(anew, sizeof anew, LOGIN, "");
    school_people(s, 1);
    cost_of(s, "POST", "/_matrix/client/v3/login", NULL, again, 20, NULL);
    double hash = hash_us(), alone = cost_of(s, "POST", "/_matrix/client/v3/login", NULL, again, TIMES, NULL) - hash,
           fresh = cost_of(s, "POST", "/_matrix/client/v3/login", NULL, anew, 50, NULL) - hash,
           many = sign_ins_at_once(s, again, 4 * TIMES) - hash;
    report("sign_in", "<= 100 us besides the hash",
           json_pack("{s:f, s:f, s:f, s:f}", "cpu_us_16_at_once", many, "cpu_us_alone", alone,
                     "cpu_us_alone_new_device", fresh, "hash_us_left_out", hash));
}
