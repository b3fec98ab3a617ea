/* What is sent to another server, and how an attempt ended (homeserver/outgoing/outgoing.h). */
#ifndef PARTA_OUTGOING_TRANSFER_H
#define PARTA_OUTGOING_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

enum outgoing_network { OUTGOING_PUBLIC, OUTGOING_ANY };

struct outgoing_mail {
    const char *from, *to; /* addresses in angle brackets */
    bool cleartext;        /* smtp://: no TLS; otherwise STARTTLS must succeed before anything is sent */
};

/* Everything is copied, but what. */
struct outgoing_request {
    const char *what;              /* "sms", for the log, which never says to whom or what; static storage */
    const char *url;               /* http:// or https://; with mail smtp:// or smtps:// */
    enum outgoing_network network; /* OUTGOING_PUBLIC unless the operator chose the destination */
    const char *ca_file;           /* authorities that its certificate may come from; NULL: the system's */
    const char *user, *password;   /* NULL: none; HTTP: basic authentication */
    const char *body;              /* of the request, or the whole mail; NULL: none */
    size_t body_len;
    size_t reply_max;         /* bytes; more ends the transfer. 0: 64 KiB */
    int64_t deadline_ms;      /* clock_mono_ms: no attempt begins later. INT64_MAX: none is too late */
    int attempts_max;         /* 0: until the deadline */
    int attempt_ms;           /* how long one may take: 0: 30 s */
    int backoff_ms;           /* before the second attempt: 0: 1 s */
    bool environment_proxy;   /* OUTGOING_ANY only: as https_proxy and the like say; otherwise there is none */
    const _Atomic bool *stop; /* becomes true: the transfer ends soon; NULL: never. Outlives the transfer */

    /* HTTP: */
    const char *method;         /* NULL: GET, with a body POST */
    const char *bearer;         /* a token; NULL: none */
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    bool compressed; /* the reply may be */

    const struct outgoing_mail *mail; /* NULL: HTTP */
};

enum outgoing_fault {
    OUTGOING_ANSWERED,     /* there is a reply */
    OUTGOING_UNREACHABLE,  /* no connection, or it broke, or the answer took too long */
    OUTGOING_UNTRUSTED,    /* no TLS, or a certificate that is not the server's */
    OUTGOING_PRIVATE,      /* OUTGOING_PUBLIC, and the address is none */
    OUTGOING_TOO_LARGE,    /* longer than reply_max */
    OUTGOING_REFUSED,      /* mail: status says how */
    OUTGOING_LOGIN_DENIED, /* mail: the server does not take user and password */
    OUTGOING_FAILED,       /* anything else: not HTTP, an encoding that does not fit … */
    OUTGOING_NOT_TRIED,    /* too late, stopped, or there was no place for it */
};

#define RETRY_AFTER_MAX_MS INT64_C(3600000) /* what another server may ask for */

/* How an attempt ended. */
struct outgoing_reply {
    enum outgoing_fault fault;
    const char *why;        /* curl's words for the fault, static: nothing that the other side said */
    long status;            /* HTTP status, or the last code of SMTP; 0: none came */
    struct text body;       /* data is never NULL once there was an attempt */
    struct text headers;    /* lines as they came, the first 16 KiB of them */
    int64_t date_ms;        /* of the header Date; −1: none */
    int64_t retry_after_ms; /* −1: not said; RETRY_AFTER_MAX_MS at most, whatever was said */
    int attempts;
};
void outgoing_reply_finish(struct outgoing_reply *reply);

/* The value of a header, without spaces around it, cut to size − 1 bytes. false: it did not come. */
bool outgoing_reply_header(const struct outgoing_reply *reply, const char *name, char *out, size_t size);

enum outgoing_verdict {
    OUTGOING_DONE,
    OUTGOING_AGAIN,  /* it may work later */
    OUTGOING_GIVE_UP /* it will not work later either */
};

/* What is usual: 2xx is done; 429, 5xx and what is unreachable may pass; everything else will not. */
enum outgoing_verdict outgoing_usual_verdict(const struct outgoing_reply *reply);

typedef enum outgoing_verdict outgoing_judge(void *judge_arg, const struct outgoing_reply *reply);
typedef void outgoing_done(void *arg, bool delivered, struct outgoing_reply *reply);

/* What becomes of a transfer. Both are called on the outgoing thread (done also on that of outgoing_stop), and must not
 * block: a transfer that stands in the way of another is a bug. */
struct outgoing_handler {
    outgoing_judge *judge; /* NULL: outgoing_usual_verdict */
    void *judge_arg;
    outgoing_done *done; /* the last call. reply: of the last attempt; body and headers may be taken out of it */
    void *arg;
};

#endif
