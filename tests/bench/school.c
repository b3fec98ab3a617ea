#include "tests/bench/school.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

static char *ask(struct school *s, const char *method, const char *path, const char *token, const char *body)
{
    int status;
    char *answer = client_ask(s->desk, method, path, token, body, &status);
    if (status != 200) {
        fprintf(stderr, "bench: %s %s: %d %s\n", method, path, status, answer);
        exit(1);
    }
    return answer;
}

static char *string_of(const char *json, const char *key)
{
    json_t *object = json_loads(json, 0, NULL);
    char *value = xstrdup(json_string_value(json_object_get(object, key)));
    json_decref(object);
    return value;
}

void school_open(struct school *s, struct subject *subject)
{
    *s = (struct school){.subject = subject, .client = client_create(subject->port)};
    s->desk = conn_open(s->client);
}

void school_close(struct school *s)
{
    for (int i = 0; i < s->n; ++i) {
        conn_close(s->people[i].poll);
        free(s->people[i].user_id);
        free(s->people[i].token);
        free(s->people[i].filter);
        free(s->people[i].seen);
    }
    conn_close(s->desk);
    client_destroy(s->client);
    free(s->people);
}

/* A desk of several at which people are received, one after the other: registered, their filter stored, joined. */
struct reception {
    struct school *s;
    const char *room_id; /* NULL: no room */
    int person, *next, n;
};

static void receive(struct reception *r, struct conn *conn);
static void on_received(struct conn *conn, int status, const char *body, size_t len, void *arg);

static void store_filter(struct reception *r, struct conn *conn)
{
    static const char POLLS[] = "{\"room\":{\"timeline\":{\"limit\":500},\"state\":{\"lazy_load_members\":true}}}";
    char path[320];
    snprintf(path, sizeof path, "/_matrix/client/v3/user/%s/filter", r->s->people[r->person].user_id);
    conn_send(conn, "POST", path, r->s->people[r->person].token, POLLS, on_received, r);
}

static void on_received(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct reception *r = arg;
    struct person *p = &r->s->people[r->person];
    if (status != 200) {
        fprintf(stderr, "bench: person %d is not received: %d %s\n", r->person, status, body);
        exit(1);
    }
    if (p->token == NULL) {
        p->user_id = string_of(body, "user_id");
        p->token = string_of(body, "access_token");
        store_filter(r, conn);
    } else if (p->filter == NULL) {
        p->filter = string_of(body, "filter_id");
        if (r->room_id == NULL) {
            receive(r, conn);
            return;
        }
        char path[320];
        snprintf(path, sizeof path, "/_matrix/client/v3/join/%s", r->room_id);
        conn_send(conn, "POST", path, p->token, "{}", on_received, r);
    } else {
        receive(r, conn);
    }
}

static void receive(struct reception *r, struct conn *conn)
{
    char body[160];
    if (*r->next == r->n)
        return;
    r->person = (*r->next)++;
    r->s->people[r->person] = (struct person){0};
    snprintf(body, sizeof body,
             "{\"username\":\"p%d\",\"password\":\"bench-password\",\"auth\":{\"type\":\"m.login.dummy\"}}", r->person);
    conn_send(conn, "POST", "/_matrix/client/v3/register", NULL, body, on_received, r);
}

void school_crowd(struct school *s, int n, const char *room_id)
{
    enum { DESKS = 32 };
    struct reception desks[DESKS];
    struct conn *conns[DESKS];
    int open = n - s->n < DESKS ? n - s->n : DESKS;
    s->people = xrealloc(s->people, (size_t)n * sizeof *s->people);
    for (int i = 0; i < open; ++i) {
        desks[i] = (struct reception){s, room_id, 0, &s->n, n};
        receive(&desks[i], conns[i] = conn_open(s->client));
    }
    for (int i = 0; i < open; ++i) {
        while (conn_busy(conns[i]))
            client_run(s->client, 10000);
        conn_close(conns[i]);
    }
}

void school_people(struct school *s, int n)
{
    if (n > s->n)
        school_crowd(s, n, NULL);
}

char *school_room(struct school *s, int creator, const char *name)
{
    char body[160];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"preset\":\"public_chat\"}", name);
    char *answer = ask(s, "POST", "/_matrix/client/v3/createRoom", s->people[creator].token, body);
    char *room_id = string_of(answer, "room_id");
    free(answer);
    return room_id;
}

void school_join(struct school *s, int person, const char *room_id)
{
    char path[320];
    snprintf(path, sizeof path, "/_matrix/client/v3/join/%s", room_id);
    free(ask(s, "POST", path, s->people[person].token, "{}"));
}

void send_path(char *out, size_t size, const char *room_id, const char *txn)
{
    snprintf(out, size, "/_matrix/client/v3/rooms/%s/send/m.room.message/%s", room_id, txn);
}

void school_say(struct school *s, int person, const char *room_id, const char *text)
{
    static int txn;
    char path[320], body[256], name[32];
    snprintf(name, sizeof name, "say%d", txn++);
    send_path(path, sizeof path, room_id, name);
    snprintf(body, sizeof body, "{\"msgtype\":\"m.text\",\"body\":\"%s\"}", text);
    free(ask(s, "PUT", path, s->people[person].token, body));
}

/* Bodies are "bench <number> <sender> …": books each one found in a sync's answer. */
static void book(struct person *p, const char *body)
{
    static const char MARK[] = "\"body\":\"bench ";
    int64_t now = now_us();
    for (const char *at = strstr(body, MARK); at != NULL; at = strstr(at, MARK)) {
        char *end;
        at += sizeof MARK - 1;
        long n = strtol(at, &end, 10), sender = strtol(end, NULL, 10);
        if (n < 0 || n >= MESSAGES_MAX || sender < 0 || sender >= 64)
            continue;
        if (p->seen[n / 8] & 1 << n % 8)
            p->changelog->lost_or_repeated += 1;
        if (p->last_of[sender] >= n)
            p->changelog->out_of_order += 1;
        p->last_of[sender] = (int)n;
        p->seen[n / 8] |= (unsigned char)(1 << n % 8);
        p->n_seen += 1;
        ledger_book(p->changelog, now - p->changelog->due_us[n]);
    }
}

const char SLIDING_BODY[] =
    "{\"conn_id\":\"room-list\",\"lists\":{\"all_rooms\":{\"ranges\":[[0,99]],\"timeline_limit\":1,\"required_state\":["
    "[\"m.room.name\",\"\"],[\"m.room.topic\",\"\"],[\"m.room.avatar\",\"\"],[\"m.room.canonical_alias\",\"\"],"
    "[\"m.room.encryption\",\"\"],[\"m.room.member\",\"$LAZY\"],[\"m.room.member\",\"$ME\"],[\"m.room.power_levels\","
    "\"\"],"
    "[\"org.matrix.msc3401.call.member\",\"*\"],[\"m.room.join_rules\",\"\"],[\"m.room.tombstone\",\"\"],"
    "[\"m.room.create\",\"\"],[\"m.room.history_visibility\",\"\"],[\"m.space.parent\",\"*\"],[\"m.space.child\",\"*\"]"
    "]}},"
    "\"extensions\":{\"account_data\":{\"enabled\":true},\"receipts\":{\"enabled\":true},\"typing\":{\"enabled\":true}}"
    "}";

/* As clients do: the first sync is short and says its filter itself, the polls name a stored one. */
static void poll_again(struct person *p, int timeout_ms, conn_done *done)
{
    static const char FIRST[] = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:1%7D,"
                                "%22state%22:%7B%22lazy_load_members%22:true%7D%7D%7D";
    bool first = p->since[0] == '\0';
    char path[400];
    if (p->sliding) {
        snprintf(path, sizeof path, SLIDING_PATH "?timeout=%d%s%s", timeout_ms, first ? "" : "&pos=", p->since);
        conn_send(p->poll, "POST", path, p->token, SLIDING_BODY, done, p);
        return;
    }
    snprintf(path, sizeof path, "/_matrix/client/v3/sync?timeout=%d&filter=%s%s%s", timeout_ms,
             first ? FIRST : p->filter, first ? "" : "&since=", p->since);
    conn_send(p->poll, "GET", path, p->token, NULL, done, p);
}

static void on_poll(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct person *p = arg;
    const char *mark = p->sliding ? "{\"pos\":\"" : "\"next_batch\":\"", *next = strstr(body, mark);
    if (status != 200 || next == NULL) {
        if (!p->stop)
            fprintf(stderr, "bench: a poll failed: %d %.200s\n", status, body);
        if (p->changelog != NULL)
            p->changelog->refused += 1;
        return;
    }
    next += strlen(mark);
    snprintf(p->since, sizeof p->since, "%.*s", (int)strcspn(next, "\""), next);
    if (p->changelog != NULL)
        book(p, body);
    if (!p->stop)
        poll_again(p, p->timeout_ms, on_poll);
}

static void on_first(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct person *p = arg;
    struct changelog *changelog = p->changelog;
    p->changelog = NULL; /* what lay there before is not this run's */
    on_poll(conn, status, body, len, p);
    p->changelog = changelog;
}

static void begin(struct school *s, struct person *p, struct changelog *changelog)
{
    p->poll = p->poll != NULL ? p->poll : conn_open(s->client);
    p->timeout_ms = p->timeout_ms != 0 ? p->timeout_ms : 60000;
    p->changelog = changelog;
    p->stop = false;
    p->n_seen = 0;
    free(p->seen);
    p->seen = changelog != NULL ? xcalloc(MESSAGES_MAX / 8, 1) : NULL;
    memset(p->last_of, -1, sizeof p->last_of);
    poll_again(p, 0, on_first);
    while (p->since[0] == '\0') {
        client_run(s->client, 100000);
        if (p->since[0] == '\0' && !conn_busy(p->poll)) /* it was refused, as on_poll says */
            exit(1);
    }
}

void poll_begin(struct school *s, int person, struct changelog *changelog)
{
    s->people[person].sliding = false;
    begin(s, &s->people[person], changelog);
}

void poll_begin_sliding(struct school *s, int person, struct changelog *changelog)
{
    s->people[person].sliding = true;
    begin(s, &s->people[person], changelog);
}

void poll_pause(struct school *s, int person)
{
    struct person *p = &s->people[person];
    p->stop = true;
    conn_close(p->poll);
    p->poll = NULL;
}

void poll_resume(struct school *s, int person)
{
    struct person *p = &s->people[person];
    p->stop = false;
    p->poll = conn_open(s->client);
    poll_again(p, p->timeout_ms, on_poll);
}

void poll_end(struct school *s, int person)
{
    poll_pause(s, person);
    s->people[person].since[0] = '\0';
}

void ledger_begin(struct changelog *l)
{
    free(l->latencies_us);
    *l = (struct changelog){0};
}

void ledger_book(struct changelog *l, int64_t latency_us)
{
    if (l->n_latencies == l->cap)
        l->latencies_us = xrealloc(l->latencies_us, (size_t)(l->cap = l->cap * 2 + 1024) * sizeof *l->latencies_us);
    l->latencies_us[l->n_latencies++] = latency_us;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t ledger_percentile(struct changelog *l, double p)
{
    if (l->n_latencies == 0)
        return -1;
    qsort(l->latencies_us, (size_t)l->n_latencies, sizeof *l->latencies_us, by_value);
    int64_t at = (int64_t)(p * (double)l->n_latencies);
    return l->latencies_us[at < l->n_latencies ? at : l->n_latencies - 1];
}

void ledger_end(struct changelog *l)
{
    free(l->latencies_us);
    free(l);
}
