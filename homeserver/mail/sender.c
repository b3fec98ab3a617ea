#include "homeserver/mail/sender.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

#define RUNNING_MAX 16
#define TIMEOUT_MS 30000L
#define TIMEOUT_LEAST_MS 1000L
#define CONNECT_TIMEOUT_MS 10000L
#define WAIT_FIRST_MS 1000
#define WAIT_MAX_MS 60000
#define NAP_MS 60000 /* with nothing to do; a wake-up ends it */

struct sender {
    CURLM *multi;
    pthread_t thread;

    pthread_mutex_t lock; /* of all below but the two lists */
    struct transfer *inbox;
    size_t there, queue;
    bool stopping;
    int64_t end_ms; /* stopping: when what runs is dropped */

    /* The thread's own. */
    struct transfer *waiting, *running;
    size_t n_running;
};

static size_t take_reply(char *bytes, size_t size, size_t n, void *arg)
{
    struct curl_buffer *reply = arg;
    size_t len = size * n, room = SENDER_REPLY_MAX - reply->len;
    if (len > room)
        return 0; /* more than any answer needs: the transfer ends */
    reply->data = xrealloc(reply->data, reply->len + len + 1);
    memcpy(reply->data + reply->len, bytes, len);
    reply->len += len;
    reply->data[reply->len] = '\0';
    return len;
}

static void drop_reply(struct transfer *t)
{
    free(t->reply.data);
    t->reply = (struct curl_buffer){0};
}

static void end(struct sender *sender, struct transfer *t, bool done)
{
    drop_reply(t);
    t->finish(t, done);
    pthread_mutex_lock(&sender->lock);
    --sender->there;
    pthread_mutex_unlock(&sender->lock);
}

/* Nobody waits for an attempt much longer than for the transfer. */
static long timeout_ms(const struct transfer *t)
{
    int64_t left_ms = t->deadline_ms - clock_mono_ms();
    return left_ms >= TIMEOUT_MS ? TIMEOUT_MS : left_ms <= TIMEOUT_LEAST_MS ? TIMEOUT_LEAST_MS : (long)left_ms;
}

static void set_common(struct transfer *t, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms(t));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &t->reply);
}

/* 1, 2, 4 … seconds and up to a quarter more, so that many don't come back at once. */
static int64_t wait_ms(int attempts)
{
    int64_t wait = attempts <= 6 ? (int64_t)WAIT_FIRST_MS << (attempts - 1) : WAIT_MAX_MS;
    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    return wait + (int64_t)randombytes_uniform((uint32_t)wait / 4);
}

static void attempt(struct sender *sender, struct transfer *t)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        abort();
    ++t->attempts;
    drop_reply(t);
    set_common(t, easy);
    if (!t->prepare(t, easy)) {
        curl_easy_cleanup(easy);
        log_error(t->what, "could not be prepared");
        end(sender, t, false);
        return;
    }
    t->easy = easy;
    DL_APPEND(sender->running, t);
    ++sender->n_running;
    curl_multi_add_handle(sender->multi, easy);
}

static struct transfer_reply reply_of(struct transfer *t, CURLcode code)
{
    struct transfer_reply reply = {
        .code = code, .body = t->reply.data != NULL ? t->reply.data : "", .len = t->reply.len};
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply.status);
    return reply;
}

/* Off the multi handle; what curl still holds of it is gone. */
static void detach(struct sender *sender, struct transfer *t)
{
    curl_multi_remove_handle(sender->multi, t->easy);
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
    DL_DELETE(sender->running, t);
    --sender->n_running;
}

/* Names the fault by curl's and the server's numbers alone: their texts repeat addresses. */
static void attempted(struct sender *sender, struct transfer *t, CURLcode code)
{
    struct transfer_reply reply = reply_of(t, code);
    enum transfer_verdict verdict = t->judge(t, &reply);
    long status = reply.status;
    int64_t now_ms = clock_mono_ms();
    detach(sender, t);
    if (verdict == TRANSFER_DONE) {
        end(sender, t, true);
        return;
    }
    t->due_ms = now_ms + wait_ms(t->attempts);
    bool again = verdict == TRANSFER_AGAIN && t->due_ms <= t->deadline_ms;
    log_warn(t->what, "attempt %d failed (%s, status %ld); %s", t->attempts, curl_easy_strerror(code), status,
             again                       ? "it will be tried again"
             : verdict == TRANSFER_AGAIN ? "its time is up"
                                         : "it is of no use to try again");
    if (!again)
        end(sender, t, false);
    else
        DL_APPEND(sender->waiting, t);
}

static bool take_inbox(struct sender *sender, int64_t *end_ms)
{
    pthread_mutex_lock(&sender->lock);
    DL_CONCAT(sender->waiting, sender->inbox);
    sender->inbox = NULL;
    bool stopping = sender->stopping;
    *end_ms = sender->end_ms;
    pthread_mutex_unlock(&sender->lock);
    return !stopping;
}

static void begin_due(struct sender *sender)
{
    struct transfer *t, *next;
    int64_t now_ms = clock_mono_ms();
    DL_FOREACH_SAFE(sender->waiting, t, next)
    {
        if (sender->n_running == RUNNING_MAX)
            return;
        if (t->due_ms > now_ms)
            continue;
        DL_DELETE(sender->waiting, t);
        if (t->deadline_ms < now_ms)
            end(sender, t, false);
        else
            attempt(sender, t);
    }
}

static void end_waiting(struct sender *sender)
{
    struct transfer *t, *next;
    DL_FOREACH_SAFE(sender->waiting, t, next)
    {
        DL_DELETE(sender->waiting, t);
        end(sender, t, false);
    }
}

static void end_running(struct sender *sender)
{
    struct transfer *t, *next;
    DL_FOREACH_SAFE(sender->running, t, next)
    {
        detach(sender, t);
        end(sender, t, false);
    }
}

static void collect(struct sender *sender)
{
    int n;
    CURLMsg *msg;
    curl_multi_perform(sender->multi, &n);
    while ((msg = curl_multi_info_read(sender->multi, &n)) != NULL) {
        struct transfer *t = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        attempted(sender, t, msg->data.result);
    }
}

/* Until the next retry is due, or the end of the grace. */
static int nap_ms(const struct sender *sender, bool stopping, int64_t end_ms)
{
    const struct transfer *t;
    int64_t now_ms = clock_mono_ms(), until_ms = stopping ? end_ms : now_ms + NAP_MS;
    if (sender->n_running < RUNNING_MAX)
        DL_FOREACH(sender->waiting, t)
            until_ms = t->due_ms < until_ms ? t->due_ms : until_ms;
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static void *run(void *arg)
{
    struct sender *sender = arg;
    int64_t end_ms;
    for (;;) {
        bool going = take_inbox(sender, &end_ms);
        if (going)
            begin_due(sender);
        else
            end_waiting(sender);
        collect(sender);
        if (!going && (sender->running == NULL || clock_mono_ms() >= end_ms))
            break;
        curl_multi_poll(sender->multi, NULL, 0, nap_ms(sender, !going, end_ms), NULL);
    }
    end_waiting(sender); /* whose last attempt failed just now */
    end_running(sender);
    return NULL;
}

struct sender *sender_start(size_t queue)
{
    struct sender *sender = xcalloc(1, sizeof *sender);
    pthread_mutex_init(&sender->lock, NULL);
    sender->queue = queue;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0)
        sender->multi = curl_multi_init();
    if (sender->multi != NULL && pthread_create(&sender->thread, NULL, run, sender) == 0)
        return sender;
    log_error("sender", "could not be started");
    sender->stopping = true;
    sender_destroy(sender);
    return NULL;
}

void sender_stop(struct sender *sender, int grace_ms)
{
    if (sender == NULL)
        return;
    pthread_mutex_lock(&sender->lock);
    bool already = sender->stopping;
    sender->stopping = true;
    sender->end_ms = clock_mono_ms() + grace_ms;
    pthread_mutex_unlock(&sender->lock);
    if (already)
        return;
    curl_multi_wakeup(sender->multi);
    pthread_join(sender->thread, NULL);
}

void sender_destroy(struct sender *sender)
{
    if (sender == NULL)
        return;
    sender_stop(sender, 0);
    curl_multi_cleanup(sender->multi);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}

bool sender_send(struct sender *sender, struct transfer *t)
{
    t->easy = NULL;
    t->reply = (struct curl_buffer){0};
    t->attempts = 0;
    t->due_ms = 0;
    pthread_mutex_lock(&sender->lock);
    bool taken = !sender->stopping && sender->there < sender->queue;
    if (taken) {
        ++sender->there;
        DL_APPEND(sender->inbox, t);
    }
    pthread_mutex_unlock(&sender->lock);
    if (taken)
        curl_multi_wakeup(sender->multi);
    return taken;
}

size_t sender_waiting(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    size_t n = sender->there;
    pthread_mutex_unlock(&sender->lock);
    return n;
}
