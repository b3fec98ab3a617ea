/* One request as a handler sees it: an ordinary blocking function on a worker, with everything the route table promised
 * already done (authenticated, body parsed, path decoded, rate limit passed).
 *
 * A handler answers true with the reply filled in by reply_*, or false with request->error set:
 *
 *     static bool get_whoami(struct request *r)
 *     {
 *         return reply_json(r, json_pack("{s:s, s:s}", "user_id", r->identity.user_id, "device_id",
 *                                       r->identity.device_id));
 *     }
 *
 * Everything here belongs to the request and is released with it; handlers borrow. */
#ifndef PARTA_HTTP_REQUEST_H
#define PARTA_HTTP_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/http/identity.h"
#include "homeserver/store/driver/writer.h"

struct db;
struct server; /* homeserver/http/server.h: every service, wired in main */
struct request;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_HEAD, HTTP_OPTIONS, HTTP_METHOD__COUNT };

/* Who counts a request, and how many they may make (settings under rate_limits). */
enum rate_class {
    RATE_NONE,       /* not limited: sync, reads that are cheap */
    RATE_READ,       /* reads that cost: messages, search, directory */
    RATE_WRITE,      /* account data, receipts, typing, profile */
    RATE_MESSAGE,    /* send, state, redact */
    RATE_ROOM,       /* create, join, invite, knock, upgrade */
    RATE_LOGIN,      /* login, by address: a school is behind one */
    RATE_ACCOUNT,    /* guesses at one account's password: account_attempt says who shares a counter */
    RATE_REGISTER,   /* registration, availability, by address */
    RATE_APPSERVICE, /* what an application service asks for, whomever it acts as: by its id */
    RATE_OPERATOR,   /* what an operator's program asks for: by its name */
    RATE_CODES,      /* codes for phone numbers and e-mail addresses, asked for and submitted, by address */
    RATE__COUNT
};

enum route_flags {
    ROUTE_BODY = 1,       /* has a JSON object as body: request->body is never NULL ("" counts as {} ) */
    ROUTE_BODY_ANY = 2,   /* with ROUTE_BODY: any JSON value, not only an object (profile fields) */
    ROUTE_HASH = 4,       /* may hash a password: runs in the small hashing pool, whose queue is bounded */
    ROUTE_LOCKED_TOO = 8, /* also for locked or pending accounts (logout, whoami) */
    ROUTE_PREPARES = 16,  /* its handler reads nothing, never blocks and ends in reply_when_written or a refusal: with a
                           * small body it runs on the loop itself. r->db may be NULL */
    ROUTE_DECIDES = 32,   /* somebody decides on what they were shown: If-Match is needed, and "*" is no answer (428) */
    ROUTE_PROVES = 64,  /* cannot be taken back: the person proves once more who they are (uia.h; a policy/api route by
                           * api_proven) before anything is done. With ROUTE_BODY and ROUTE_HASH */
    ROUTE_STRICT = 128, /* who asks is told of names in the query and the body that the handler knows nothing of:
                           * request_strict */
    ROUTE_PEOPLE = 256, /* an operator is told that only a person can do this: identity.user is not 0 beyond */
    ROUTE_FILE = 512,   /* a body beyond ordinary JSON is not shown in memory: it lies in the file request->body_fd */
    ROUTE_FORM = 1024,  /* with ROUTE_BODY: the body is a form, seen as an object of strings (form.h) */
    ROUTE_HTML = 2048,  /* for people in browsers: refusals are pages, and a form is taken only from a page of this
                         * server (server->pages) */
    /* Which credentials it accepts (credentials.h); of none of them no credential is looked at. */
    ROUTE_SESSION = 1 << 16,    /* a person's access token: identity.user is never 0 */
    ROUTE_OPERATOR = 1 << 17,   /* an operator's token: identity.user is 0 */
    ROUTE_APPSERVICE = 1 << 18, /* an application service's token, also where no person's is taken */
    ROUTE_PAGE = 1 << 19,       /* a person's cookie of the pages (client-api/pages), which no API takes */
    ROUTE_UNUSED = 1 << 23,     /* of no kind that the server has: for tests */
    ROUTE_ANONYMOUS = 1 << 24,  /* also who shows none: identity.kind may be NULL */
    ROUTE_CREDENTIALS = 0xff << 16,
    ROUTE_PROOF = ROUTE_PROVES | ROUTE_BODY | ROUTE_HASH,
    ROUTE_SERVICE_TOO = ROUTE_APPSERVICE | ROUTE_ANONYMOUS,
    ROUTE_AUTH = ROUTE_SESSION,
    ROUTE_AUTH_OPTIONAL = ROUTE_SESSION | ROUTE_ANONYMOUS,
};

typedef bool request_handler(struct request *r);

/* How a request waits for news. All of them run on the loop and must not block or touch r->db.
 * wait:   true: nothing new, r->poll is filled: hold the request. false: give it to a worker now.
 * answer: a wake concerns r->poll.user: true: the reply is filled in right here (the fast path); false: to a worker,
 * or, with r->poll.since raised to the wake's, that nothing of it was news: it goes on waiting.
 * expire: the time is up: fills in the reply that says so.
 * missed: after wait said no: true: what it comes late for is still there, and the reply is filled in. NULL: never.
 * costs:  whether a worker will have much to do for it (an initial sync). NULL: never.
 * A handler on a worker that finds nothing worth saying may fill r->poll, set r->poll.again and return true: the loop
 * then holds the request (or calls it again at once if a wake came meanwhile: hub_last_change > r->poll.since). */
struct wake;
struct long_poll_hooks {
    bool (*wait)(struct request *r);
    bool (*answer)(struct request *r, struct wake *wake);
    void (*expire)(struct request *r);
    bool (*costs)(struct request *r);
    bool (*missed)(struct request *r);
};

struct route {
    enum http_method method;
    const char *path; /* "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}" */
    request_handler *handle;
    unsigned flags;
    enum rate_class rate;
    const char *operation; /* the specification's operationId ("sendMessage"), NULL: not an operation of it */
    const struct long_poll_hooks *poll; /* it may wait for news: asked on the loop first; NULL: it never does */
    /* Most bytes of its body; NULL: as http.body_max_bytes says. Of a body beyond ordinary JSON the credential is
     * checked, and the rate, before it is read; it needs a Content-Length. */
    size_t (*body_max)(const struct server *server);
    /* Of a body beyond ordinary JSON: asked on a worker, with r->db, before it is read; length: its bytes. false:
     * refused, r->error says why. NULL: whoever may ask may send it. */
    bool (*body_may)(struct request *r, size_t length);
};

/* A table of routes; every file of client-api/ ends in one: const struct routes ROOM_ROUTES. */
struct routes {
    const struct route *table;
    size_t n;
};
#define ROUTES(table_)                                                                                                 \
    {                                                                                                                  \
        (table_), sizeof(table_) / sizeof *(table_)                                                                    \
    }

/* The headers of a request that handlers may see: name, most bytes, how it is written. A value that is longer is cut,
 * which whoever reads it refuses as it refuses any other that is wrong; an ESCAPED one is percent-encoded UTF-8, seen
 * decoded, and "" when that failed or it was too long. */
#define REQUEST_HEADERS(X)                                                                                             \
    X(HEADER_CONTENT_TYPE, "content-type", 512, HEADER_PLAIN)                                                          \
    X(HEADER_IF_MATCH, "if-match", 512, HEADER_PLAIN)                                                                  \
    X(HEADER_IF_NONE_MATCH, "if-none-match", 512, HEADER_PLAIN)                                                        \
    X(HEADER_SEC_FETCH_MODE, "sec-fetch-mode", 64, HEADER_PLAIN)                                                       \
    X(HEADER_SEC_FETCH_DEST, "sec-fetch-dest", 64, HEADER_PLAIN)                                                       \
    X(HEADER_RANGE, "range", 512, HEADER_PLAIN)                                                                        \
    X(HEADER_IF_RANGE, "if-range", 512, HEADER_PLAIN)                                                                  \
    X(HEADER_COOKIE, "cookie", 8192, HEADER_PLAIN)                                                                     \
    X(HEADER_ORIGIN, "origin", 512, HEADER_PLAIN)                                                                      \
    X(HEADER_HOST, "host", 512, HEADER_PLAIN)                                                                          \
    X(HEADER_ACCEPT_LANGUAGE, "accept-language", 256, HEADER_PLAIN)                                                    \
    X(HEADER_IDEMPOTENCY_KEY, "idempotency-key", 512, HEADER_PLAIN)                                                    \
    X(HEADER_OVERRIDE_REASON, "parta-override-reason", 2048, HEADER_ESCAPED)

#define HEADER_ENUM(id, name, max, form) id,
enum request_header { REQUEST_HEADERS(HEADER_ENUM) REQUEST_HEADER__COUNT };
#undef HEADER_ENUM

#define PARAMS_MAX 6
#define QUERY_MAX 32
#define BODY_ASKED_MAX 32

struct header {
    const char *name; /* lower case, static storage */
    char *value;      /* heap */
};

struct reply_file; /* reply.h */

/* The token that the last answer on a connection gave, and what it says: most likely it comes back with the next
 * request, and then it need not be opened. Whoever answers on a loop may note it. */
struct last_told {
    user_no user; /* 0: nothing was told */
    stream_pos pos;
    char token[48];
};

#define REPLY_HEADERS_BYTES_MAX 16384 /* of values; what comes on top is left out, and logged */

struct reply {
    int status;              /* 200 unless said otherwise */
    const char *type;        /* content type, static storage; "application/json" */
    struct text body;        /* or: */
    struct reply_file *file; /* part of a file, read while it is sent; NULL: body */
    struct header *headers;
    size_t n_headers, headers_bytes;
    bool complete; /* a handler that returned false has nevertheless filled in the reply (uia_pass) */
};

struct request {
    struct server *server;
    const struct route *route;
    enum http_method method;
    char *path;                     /* raw, without the query */
    const char *params[PARAMS_MAX]; /* decoded, valid UTF-8, NUL-terminated, in order of the template */
    int n_params;
    int n_query;
    json_t *body;                      /* ROUTE_BODY; otherwise NULL */
    const char *asked[BODY_ASKED_MAX]; /* its members that the handler asked for and that are there: static storage */
    int n_asked;
    bool strict_looked;   /* request_strict has found nothing unknown: not asked again */
    const char *raw_body; /* the bytes as they came; never NULL */
    size_t raw_body_len;  /* also of a body that is in body_fd alone */
    int body_fd; /* ROUTE_FILE and a large body: a file without a name, the request's own; −1: raw_body has it */
    const char *headers[REQUEST_HEADER__COUNT]; /* NULL: absent */
    struct identity identity;                   /* who asks */
    const char *token;                          /* the bearer token as it came, NULL: none; never logged */
    const struct session *likely;               /* on the loop only: who asked last on the connection; NULL: nobody */
    struct last_told *told;                     /* on the loop only: of the connection; NULL elsewhere */
    bool proven;                                /* uia_pass has let it through */
    char ip[46];                                /* the client's address, behind the trusted proxy */
    struct db *db;                              /* this worker's read connection */
    char id[12];                                /* for the log */
    struct long_poll {
        bool again;          /* the handler asks to be held (again) */
        user_no user;        /* woken by this user's changes … */
        stream_pos since;    /* … after this position */
        int64_t deadline_ms; /* clock_mono_ms when waiting ends */
        uint64_t mark;       /* the route's own, and */
        unsigned flags;      /* the route's own, so that it need not read its parameters again at every wake */
        const char *said;    /* the route's own, of the request's strings: what its answer tells again. NULL: nothing */
        void *state;         /* the route's own, kept while the request lives */
        void (*release)(void *state);
    } poll;
    struct written {                   /* reply_when_written */
        const struct write_kind *kind; /* NULL: the handler's reply stands */
        void *state;                   /* heap: freed with the request */
    } written;
    struct error error;
    struct reply reply;
    struct query_pair {
        const char *name, *value; /* decoded, valid UTF-8 */
        bool asked;               /* the handler asked for it */
    } query[QUERY_MAX];           /* last: only the first n_query are anything */
};

/* Query parameters. */
const char *query_get(struct request *r, const char *name); /* NULL: absent; the first if repeated */
/* An integer within [low, high], clamped to high; otherwise when absent. false: not a number or
 * below low, error set. */
bool query_int(struct request *r, const char *name, int64_t otherwise, int64_t low, int64_t high, int64_t *out);
bool query_bool(struct request *r, const char *name, bool otherwise, bool *out); /* false: neither "true" nor "false" */

/* Body members. Each answers false with the error set (M_MISSING_PARAM, M_BAD_JSON) and which ("org.parta.parameter").
 * key: static storage. */
json_t *body_member(struct request *r, const char *key);                /* borrowed; NULL: absent, or null */
bool body_string(struct request *r, const char *key, const char **out); /* required */
bool body_string_or(struct request *r, const char *key, const char *otherwise,
                    const char **out);                                      /* null counts as absent */
bool body_object_or_null(struct request *r, const char *key, json_t **out); /* NULL when absent */
bool body_array_or_null(struct request *r, const char *key, json_t **out);
bool body_int_or(struct request *r, const char *key, int64_t otherwise, int64_t *out);
bool body_bool_or(struct request *r, const char *key, bool otherwise, bool *out);

/* Replies; all return true. */
bool reply_empty(struct request *r);                   /* {} */
bool reply_json(struct request *r, json_t *value);     /* takes the reference */
bool reply_text(struct request *r, struct text *body); /* JSON already rendered; takes the bytes, body is empty after */
bool reply_status(struct request *r, int status);      /* changes the status of what was or will be replied */
/* Copies value; replaces one of the name, of cookies one of the cookie's name. */
bool reply_header(struct request *r, const char *name, const char *value);

/* The bytes of a file (size of them, from its beginning), sent piece by piece as fast as the client takes them. Takes
 * fd, which is closed whatever becomes of the request; type is copied. A GET's Range and If-Range are kept (RFC 9110,
 * 14), against the "etag" that was set before: 206 with what was asked, or 416. */
bool reply_file(struct request *r, int fd, int64_t size, const char *type);

/* For hot writes: the worker does not wait for the disk. After the handler has returned (true, as this does), the
 * kind's job(tx, state) runs in the writer; when it is durable, finish makes the reply on the writer's thread, with
 * r->body but without r->db: it must be short. state, from xcalloc or NULL, is the request's from here on and may
 * borrow from it. A job that refuses sets the error as ever, and finish is not called. */
struct write_kind {
    writer_job *job;
    request_handler *finish;
    bool repeatable; /* job keeps what writer_submit_repeatable asks of it */
};
bool reply_when_written(struct request *r, const struct write_kind *kind, void *state);

/* Refusal in one line; returns false. */
bool refuse(struct request *r, enum error_code code, const char *sentence);
bool refuse_parameter(struct request *r, enum error_code code, const char *parameter, const char *sentence);

/* ROUTE_STRICT: whether the handler has asked for every name in the query and the body; false: the error names one that
 * it has not, as a misspelt one is. Asked once a request: for the handlers that only read after they have run; whoever
 * writes asks before, and what was done is not refused afterwards. Members of members are not looked at. */
bool request_strict(struct request *r);

#endif
