/* The sender: one thread that speaks to other servers, so that nobody else waits for them (curl's multi interface).
 *
 * What is to be sent is a struct transfer: four functions and whatever their owner keeps behind them. The sender asks
 * it to prepare a fresh handle for every attempt, to judge what came of it, and, exactly once, to finish. Between
 * attempts it waits 1 s, 2 s, 4 s … 60 s, with some chance in it; no attempt begins after the transfer's deadline. At
 * most RUNNING_MAX run at once; more wait, up to the queue's bound.
 *
 * All four functions are called on the sender's thread (finish also on that of sender_stop) and must not block: a
 * transfer that stands in the way of another is a bug. Order is not kept. */
#ifndef PARTA_MAIL_SENDER_H
#define PARTA_MAIL_SENDER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender;

enum transfer_verdict {
    TRANSFER_DONE,
    TRANSFER_AGAIN,  /* it may work later: the network, a server that is busy */
    TRANSFER_REFUSED /* it will not work later either */
};

/* How an attempt ended. body: what the other server answered, at most SENDER_REPLY_MAX bytes, NUL-terminated. */
struct transfer_reply {
    CURLcode code;
    long status; /* HTTP status, or the last code of SMTP; 0: none came */
    const char *body;
    size_t len;
};
#define SENDER_REPLY_MAX (64 * 1024)

struct transfer {
    const char *what;    /* "mail", for the log; static storage. The log never says to whom or what */
    int64_t deadline_ms; /* clock_mono_ms */

    /* Sets the address, credentials and content. The sender sets timeouts (30 s or what is left, 10 s of them to
     * connect), the reply's sink, TLS 1.2 at least, and no redirects. false: cannot be sent, as if refused. */
    bool (*prepare)(struct transfer *transfer, CURL *easy);
    enum transfer_verdict (*judge)(struct transfer *transfer, const struct transfer_reply *reply);
    void (*finish)(struct transfer *transfer, bool done); /* the last call: the owner releases the transfer */

    /* The sender's own. */
    struct transfer *prev, *next;
    CURL *easy; /* NULL: waiting */
    struct curl_buffer {
        char *data;
        size_t len;
    } reply;
    int attempts;
    int64_t due_ms;
};

/* queue: how many transfers may be there at once, running or waiting. NULL: curl or the thread could not be started. */
struct sender *sender_start(size_t queue);

/* Takes no more; gives what runs up to grace_ms to end, then drops it and what waits (finish with done false), and
 * returns when the thread is gone. sender_destroy afterwards: until then sender_send answers false. NULL is accepted.
 */
void sender_stop(struct sender *sender, int grace_ms);
void sender_destroy(struct sender *sender);

/* Hands over a transfer. false: the queue is full or the sender is stopping, and the transfer stays the caller's. Any
 * thread; does not block. */
bool sender_send(struct sender *sender, struct transfer *transfer);

size_t sender_waiting(struct sender *sender); /* how many are there, running or waiting */

#endif
