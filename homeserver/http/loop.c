#include "homeserver/http/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/thread.h"
#include "homeserver/http/h2o_setup.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"
#include "homeserver/http/server.h"
#include "homeserver/http/reply.h"
#include "homeserver/sync/hub.h"

#define INPUT_BYTES 4096     /* what is read at once; libh2o keeps it as long as a request is held, and has 8192 */
#define QUIET_MS 2000        /* a poll that comes back sooner is of a lively chat: it needs its memory again at once */
#define LIBH2O_DESCRIPTORS 8 /* more than libh2o opens for a loop; it aborts without, and other threads open some too */
#define SWEEP_MS 1000
#define POLLS_OF_DEVICE 4 /* parked at a time on a loop; a newer one has the oldest answered … */
#define POLLS_OF_PERSON 64
#define POLL_LEAST_MS 1000   /* … but none that is younger */
#define POLLS_AT_ONCE 16     /* of a device, while none is old enough */
#define CROWDED_WAIT_MS 5000 /* until a poll is asked to come back that there is no connection for */
#define STOP_TURN_MS 20      /* how often a stopping loop looks whether it is done */

enum message_kind { MESSAGE_RETURN, MESSAGE_WAKE, MESSAGE_TLS, MESSAGE_LISTEN, MESSAGE_STOP };

struct loop_message {
    h2o_multithread_message_t super;
    enum message_kind kind;
    union {
        struct request_context *context;
        struct wake *wake;
        SSL_CTX *tls;
    };
};

static void message_drop(struct loop_message *message)
{
    if (message->kind == MESSAGE_WAKE)
        wake_unref(message->wake);
    if (message->kind == MESSAGE_TLS)
        SSL_CTX_free(message->tls);
    free(message);
}

static void send_message(struct loop *loop, struct loop_message content)
{
    struct loop_message *message = xcalloc(1, sizeof *message);
    *message = content;
    pthread_mutex_lock(&loop->receiver_lock);
    bool open = loop->open;
    if (open)
        h2o_multithread_send_message(&loop->receiver, &message->super);
    pthread_mutex_unlock(&loop->receiver_lock);
    if (!open)
        message_drop(message);
}

void loop_return(struct request_context *context)
{
    send_message(context->loop, (struct loop_message){.kind = MESSAGE_RETURN, .context = context});
}

void loop_run(struct request_context *context)
{
    if (context->work == WORK_KEEP_BODY)
        h2o_upload_keep(context);
    else
        reply_file_read(context->r.reply.file, true);
    loop_return(context);
}

/* On the writer's thread: the request's write is durable, or refused. */
static void on_written(void *context, bool written)
{
    dispatch_written(context, written);
    loop_return(context);
}

void loop_write(struct request_context *context)
{
    struct request *r = &context->r;
    const struct write_kind *kind = r->written.kind;
    (kind->repeatable ? writer_submit_repeatable : writer_submit)(r->server->writer, kind->job, r->written.state,
                                                                  &r->error, on_written, context);
}

void loop_wake(struct loop *loop, struct wake *wake)
{
    send_message(loop, (struct loop_message){.kind = MESSAGE_WAKE, .wake = wake_ref(wake)});
}

void loop_listen(struct loop *loop)
{
    send_message(loop, (struct loop_message){.kind = MESSAGE_LISTEN});
}

void loop_set_tls(struct loop *loop, SSL_CTX *tls)
{
    send_message(loop, (struct loop_message){.kind = MESSAGE_TLS, .tls = tls});
}

void loop_ask_stop(struct loop *loop)
{
    send_message(loop, (struct loop_message){.kind = MESSAGE_STOP});
}

size_t loop_parked(const struct loop *loop)
{
    return atomic_load(&loop->parked);
}

static void unpark(struct request_context *context)
{
    long_poll_remove(&context->loop->polls, context);
    atomic_store(&context->loop->parked, context->loop->polls.n);
    context->place = REQUEST_ON_LOOP;
}

void loop_expire(struct request_context *context)
{
    unpark(context);
    dispatch_expire(context);
    h2o_exchange_answer(context);
}

/* Whose request it is. Most likely the connection's last one was theirs, too. */
static struct principal *principal_of(struct request_context *context)
{
    struct connection *connection = context->connection;
    if (context->principal != NULL)
        return context->principal;
    struct principal_name name = principal_name(&context->r.identity, context->r.ip);
    connection_asked(connection, &name);
    return context->principal = principal_ref(connection->principal);
}

/* One more poll of the device, or the person, than they may have here. The oldest one is answered, as if its time were
 * up; but not one that has just come: two tabs that share a device would chase each other.
 * false: there is none such. */
static bool make_room(struct loop *loop, const struct request_context *context)
{
    user_no user = context->r.poll.user;
    device_no device = context->r.identity.device; /* 0: who asks without one has many */
    struct long_poll_counts n = long_poll_count(&loop->polls, user, device);
    bool too_many = n.of_user >= POLLS_OF_PERSON;
    if (!too_many && (device == 0 || n.of_device < POLLS_OF_DEVICE))
        return true;
    struct request_context *oldest =
        long_poll_oldest(&loop->polls, user, too_many ? 0 : device, clock_mono_us() - POLL_LEAST_MS * 1000);
    if (oldest != NULL)
        loop_expire(oldest);
    return oldest != NULL || (!too_many && n.of_device < POLLS_AT_ONCE);
}

static void park(struct loop *loop, struct request_context *context)
{
    int64_t now_ms = clock_mono_ms();
    if (loop->stopping || context->r.poll.deadline_ms <= now_ms || h2o_input_is_ahead(context)) {
        dispatch_expire(context);
        h2o_exchange_answer(context);
        return;
    }
    if (context->connection->brief) {
        dispatch_overflow(context, POOL_FULL, CROWDED_WAIT_MS);
        h2o_exchange_answer(context);
        return;
    }
    if (!make_room(loop, context)) {
        dispatch_overflow(context, POOL_SHARE_FULL, POLL_LEAST_MS);
        h2o_exchange_answer(context);
        return;
    }
    context->place = REQUEST_PARKED;
    context->was_parked = true;
    long_poll_add(&loop->polls, context, now_ms);
    atomic_store(&loop->parked, loop->polls.n);
    loop_timer(loop);
    struct connection *connection = context->connection;
    h2o_input_hold(context, connection->parked_ms == 0 || now_ms - connection->parked_ms > QUIET_MS);
    connection->parked_ms = now_ms;
}

/* A job keeps its principal, which the request may have left by the time it is over. One that has been let in before is
 * not for the queue's bound: it was parked, or it goes on. */
static enum pool_outcome submit(struct request_context *context, bool hashes, enum pool_kind kind, bool goes_on,
                                int64_t *wait_ms)
{
    struct loop_env *env = context->loop->env;
    struct principal *principal = principal_ref(principal_of(context));
    context->job.kind = kind;
    context->job.share = hashes ? &principal->hashes : &principal->works;
    context->place = REQUEST_AWAY;
    ++context->loop->busy;
    enum pool_outcome outcome = pool_submit(hashes ? env->hashers : env->workers, &context->job, goes_on, wait_ms);
    if (outcome == POOL_TAKEN)
        return outcome;
    principal_unref(principal);
    --context->loop->busy;
    context->place = REQUEST_ON_LOOP;
    return outcome;
}

bool loop_work(struct request_context *context, enum request_work work)
{
    context->work = work;
    return submit(context, false, POOL_LIGHT, true, NULL) == POOL_TAKEN;
}

static void hand_over(struct request_context *context, enum request_work work)
{
    bool hashes = work == WORK_HANDLE && (context->r.route->flags & ROUTE_HASH) != 0;
    enum pool_kind kind = work == WORK_HANDLE ? dispatch_kind(context) : POOL_LIGHT;
    int64_t wait_ms = 0;
    context->work = work;
    enum pool_outcome outcome = submit(context, hashes, kind, context->was_parked || context->upload != NULL, &wait_ms);
    if (outcome == POOL_TAKEN)
        return;
    dispatch_overflow(context, outcome, wait_ms);
    h2o_exchange_answer(context);
}

/* Until it is known who asks a request is the address's, and when it is, theirs. */
static void leave_principal(struct request_context *context)
{
    principal_unref(context->principal);
    context->principal = NULL;
    context->work = WORK_HANDLE;
}

/* A large answer is for those who have read the ones before. */
static void tell_news(struct request_context *context)
{
    if (!request_context_is_small(context) && !principal_has_room(principal_of(context)))
        dispatch_unread(context);
    h2o_exchange_answer(context);
}

void loop_take(struct loop *loop, struct request_context *context, enum dispatch what)
{
    switch (what) {
    case DISPATCH_NEWS: tell_news(context); break;
    case DISPATCH_PARK: park(loop, context); break;
    case DISPATCH_IDENTIFY:
        leave_principal(context);
        hand_over(context, WORK_IDENTIFY);
        break;
    case DISPATCH_WORK: hand_over(context, WORK_HANDLE); break;
    case DISPATCH_WRITE:
        context->place = REQUEST_AWAY;
        ++loop->busy;
        loop_write(context);
        break;
    case DISPATCH_BODY: h2o_upload_begin(context); break;
    case DISPATCH_ANSWER: h2o_exchange_answer(context); break;
    }
}

void loop_gone(struct request_context *context)
{
    unpark(context);
    context->req->http1_is_persistent = 0; /* so that libh2o closes after the write that nobody reads */
    reply_reset(&context->r.reply);
    reply_status(&context->r, 499); /* for the log */
    h2o_exchange_answer(context);
}

void loop_forget(struct request_context *context)
{
    if (context->place == REQUEST_PARKED)
        unpark(context);
    context->connection->context = NULL;
    context->connection = NULL;
    context->req = NULL;
    if (context->place != REQUEST_AWAY) /* else released when it comes back */
        request_context_destroy(context);
}

static void on_return(struct loop *loop, struct request_context *context)
{
    --loop->busy;
    context->place = REQUEST_ON_LOOP;
    if (context->req == NULL)
        request_context_destroy(context);
    else if (context->work == WORK_KEEP_BODY)
        h2o_upload_kept(context);
    else if (context->work == WORK_READ_FILE)
        h2o_file_reply_piece(context);
    else if (context->work == WORK_IDENTIFY) {
        leave_principal(context);
        loop_take(loop, context, dispatch_identified(context));
    } else
        loop_take(loop, context, dispatch_again(context));
}

struct news {
    struct loop *loop;
    struct wake *wake;
};

static void on_news(void *self, struct request_context *context)
{
    struct news *news = self;
    context->r.told = &context->connection->told;
    enum dispatch what = dispatch_news(context, news->wake);
    context->r.told = NULL;
    if (what == DISPATCH_PARK)
        return;
    unpark(context);
    if (what != DISPATCH_NEWS)
        h2o_input_release(context);
    loop_take(news->loop, context, what);
}

/* What answering will touch beside the request itself. */
static void on_news_soon(void *self, struct request_context *context)
{
    prefetch(context->req, sizeof *context->req);
    prefetch(context->connection, sizeof *context->connection);
    prefetch(context->r.identity.session, 1);
    prefetch(context->r.identity.user_id, 1);
    prefetch(context->r.poll.said, 1);
}

static void on_expiry(void *self, struct request_context *context)
{
    loop_expire(context);
}

void loop_timer(struct loop *loop)
{
    int ms = loop->polls.n > 0                                                      ? LONG_POLL_SLOT_MS
             : loop->connections != NULL || loop->lingering != NULL || loop->paused ? SWEEP_MS
                                                                                    : 0;
    struct timespec interval = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    struct itimerspec every = {.it_interval = interval, .it_value = interval};
    if (ms == loop->timer_ms)
        return;
    loop->timer_ms = ms;
    timerfd_settime(loop->timer, 0, &every, NULL);
}

static void on_timer(h2o_socket_t *sock, const char *err)
{
    struct loop *loop = sock->data;
    uint64_t turns;
    int64_t now_ms = clock_mono_ms();
    if (read(loop->timer, &turns, sizeof turns) < 0)
        return;
    long_poll_expire(&loop->polls, now_ms, on_expiry, loop);
    if (now_ms - loop->swept_ms >= SWEEP_MS - LONG_POLL_SLOT_MS / 2) {
        loop->swept_ms = now_ms;
        connection_sweep(loop, now_ms);
    }
    loop_timer(loop);
}

static void take_tls(struct loop *loop, SSL_CTX *tls)
{
    SSL_CTX_free(loop->accept[LISTENER_TLS].ssl_ctx); /* connections have references of their own */
    loop->accept[LISTENER_TLS].ssl_ctx = tls;
}

static void begin_stop(struct loop *loop)
{
    loop->stopping = true;
    loop->stop_by_ms = clock_mono_ms() + loop->env->stop_ms;
    connection_unlisten(loop);
    h2o_context_request_shutdown(&loop->ctx);
    long_poll_each(&loop->polls, on_expiry, loop);
}

static void on_message(struct loop *loop, struct loop_message *message)
{
    struct news news = {.loop = loop};
    switch (message->kind) {
    case MESSAGE_RETURN: on_return(loop, message->context); break;
    case MESSAGE_WAKE:
        news.wake = message->wake;
        long_poll_wake(&loop->polls, message->wake, on_news, on_news_soon, &news);
        wake_unref(message->wake);
        break;
    case MESSAGE_TLS: take_tls(loop, message->tls); break;
    case MESSAGE_LISTEN: connection_listen(loop); break;
    case MESSAGE_STOP: begin_stop(loop); break;
    }
    free(message);
}

static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, receiver, receiver);
    while (!h2o_linklist_is_empty(messages)) {
        struct loop_message *message = H2O_STRUCT_FROM_MEMBER(struct loop_message, super.link, messages->next);
        h2o_linklist_unlink(&message->super.link);
        on_message(loop, message);
    }
}

static void init(struct loop *loop)
{
    struct h2o_setup *setup = loop->env->setup;
    SSL_CTX *tls = loop->accept[LISTENER_TLS].ssl_ctx;
    h2o_socket_buffer_prototype._initial_buf.capacity = INPUT_BYTES; /* of this thread */
    h2o_context_init(&loop->ctx, h2o_evloop_create(), h2o_setup_config(setup));
    loop->accept[LISTENER_PLAIN] = (h2o_accept_ctx_t){.ctx = &loop->ctx, .hosts = h2o_setup_hosts(setup)};
    loop->accept[LISTENER_TLS] = (h2o_accept_ctx_t){.ctx = &loop->ctx, .hosts = h2o_setup_hosts(setup), .ssl_ctx = tls};
    loop->accept[LISTENER_METRICS] = (h2o_accept_ctx_t){.ctx = &loop->ctx, .hosts = h2o_setup_metrics_hosts(setup)};
    long_polls_init(&loop->polls, clock_mono_ms());
    h2o_multithread_register_receiver(loop->ctx.queue, &loop->receiver, on_messages);
    loop->timer_sock = h2o_evloop_socket_create(loop->ctx.loop, loop->timer, H2O_SOCKET_FLAG_DONT_READ);
    loop->timer_sock->data = loop;
    h2o_socket_read_start(loop->timer_sock, on_timer);
    loop->open = true;
}

static void close_receiver(struct loop *loop)
{
    pthread_mutex_lock(&loop->receiver_lock);
    loop->open = false;
    pthread_mutex_unlock(&loop->receiver_lock);
    h2o_linklist_t *messages = &loop->receiver._messages;
    while (!h2o_linklist_is_empty(messages)) { /* wakes that came too late */
        struct loop_message *message = H2O_STRUCT_FROM_MEMBER(struct loop_message, super.link, messages->next);
        h2o_linklist_unlink(&message->super.link);
        message_drop(message);
    }
}

/* In this order: no timer may be linked and no receiver registered when the context goes. */
static void dispose(struct loop *loop)
{
    h2o_loop_t *evloop = loop->ctx.loop;
    close_receiver(loop);
    h2o_timeout_unlink(&loop->ctx.http2._graceful_shutdown_timeout);
    h2o_socket_read_stop(loop->timer_sock);
    h2o_socket_close(loop->timer_sock);
    h2o_multithread_unregister_receiver(loop->ctx.queue, &loop->receiver);
    h2o_context_dispose(&loop->ctx);
    h2o_evloop_run(evloop, 0); /* frees the sockets that were closed */
    h2o_evloop_destroy(evloop);
    take_tls(loop, NULL);
    long_polls_finish(&loop->polls);
    request_spares_finish(&loop->spares);
}

/* Whether a stopping loop may end: every connection closed, every handler back. */
static bool is_done(struct loop *loop)
{
    if (!loop->stopping)
        return false;
    connection_close_idle(loop);
    if (clock_mono_ms() >= loop->stop_by_ms)
        connection_cut(loop);
    return loop->connections == NULL && loop->lingering == NULL && loop->busy == 0;
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    init(loop);
    pthread_barrier_wait(&loop->ready);
    while (!is_done(loop))
        if (h2o_evloop_run(loop->ctx.loop, loop->stopping ? STOP_TURN_MS : INT32_MAX) != 0 && errno != EINTR) {
            log_error("http", "event loop failed: %s", strerror(errno));
            abort();
        }
    dispose(loop);
    return NULL;
}

/* Here, where it can still be said; in the thread it would be too late. */
static bool open_descriptors(struct loop *loop)
{
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int spare[LIBH2O_DESCRIPTORS], n = 0;
    while (n < LIBH2O_DESCRIPTORS && (spare[n] = eventfd(0, EFD_CLOEXEC)) >= 0)
        ++n;
    bool enough = loop->timer >= 0 && n == LIBH2O_DESCRIPTORS;
    if (!enough)
        log_error("http", "no descriptors for a loop: %s", strerror(errno));
    while (n > 0)
        close(spare[--n]);
    return enough;
}

struct loop *loop_start(struct loop_env *env, int index, const struct loop_listener *listeners, size_t n, SSL_CTX *tls)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->env = env;
    loop->index = index;
    loop->n_listeners = n;
    memcpy(loop->wanted, listeners, n * sizeof *listeners);
    loop->accept[LISTENER_TLS].ssl_ctx = tls;
    pthread_mutex_init(&loop->receiver_lock, NULL);
    pthread_barrier_init(&loop->ready, NULL, 2);
    if (!open_descriptors(loop) || !thread_start(&loop->thread, "http-loop", 0, run, loop)) {
        if (loop->timer >= 0)
            close(loop->timer);
        for (size_t i = 0; i < n; ++i)
            close(listeners[i].fd);
        SSL_CTX_free(tls);
        loop_destroy(loop);
        return NULL;
    }
    pthread_barrier_wait(&loop->ready);
    return loop;
}

void loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    pthread_barrier_destroy(&loop->ready);
    pthread_mutex_destroy(&loop->receiver_lock);
    free(loop);
}
