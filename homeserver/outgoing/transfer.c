#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/outgoing/curl_library.h"
#include "homeserver/outgoing/public_address.h"
#include "homeserver/outgoing/transfer_private.h"

#define CONNECT_MS 10000L
#define ATTEMPT_MS 30000
#define ATTEMPT_LEAST_MS 1000
#define REPLY_BYTES (64 * 1024)
#define HEADER_BYTES_MAX (16 * 1024)

/* --- The copy of a request: one block, so that one wipe gets every secret --- */

static size_t need(const char *s)
{
    return s != NULL ? strlen(s) + 1 : 0;
}

/* Copies *s to *at and lets it point there. */
static void keep(const char **s, char **at)
{
    size_t len = need(*s);
    if (len != 0)
        *s = memcpy(*at, *s, len);
    *at += len;
}

static size_t copy_size(const struct outgoing_request *r)
{
    size_t size = need(r->url) + need(r->ca_file) + need(r->user) + need(r->password) + need(r->method) +
                  need(r->bearer) + r->body_len + r->n_headers * sizeof *r->headers;
    for (size_t i = 0; i < r->n_headers; ++i)
        size += need(r->headers[i]);
    return r->mail != NULL ? size + need(r->mail->from) + need(r->mail->to) : size;
}

struct transfer *transfer_create(const struct outgoing_request *request, const struct outgoing_handler *handler)
{
    struct transfer *t = xcalloc(1, sizeof *t);
    struct outgoing_request *r = &t->request;
    *r = *request;
    t->handler = *handler;
    t->bytes = copy_size(request);
    t->memory = xcalloc(1, t->bytes + 1);
    t->reply =
        (struct outgoing_reply){.fault = OUTGOING_NOT_TRIED, .why = "not tried", .date_ms = -1, .retry_after_ms = -1};
    char *at = t->memory;
    const char **headers = (void *)at; /* first: there it is aligned */
    at += r->n_headers * sizeof *headers;
    for (size_t i = 0; i < r->n_headers; ++i) {
        headers[i] = request->headers[i];
        keep(&headers[i], &at);
    }
    r->headers = headers;
    keep(&r->url, &at);
    keep(&r->ca_file, &at);
    keep(&r->user, &at);
    keep(&r->password, &at);
    keep(&r->method, &at);
    keep(&r->bearer, &at);
    if (r->mail != NULL) {
        t->mail = *r->mail;
        r->mail = &t->mail;
        keep(&t->mail.from, &at);
        keep(&t->mail.to, &at);
    }
    if (r->body != NULL)
        r->body = memcpy(at, r->body, r->body_len);
    return t;
}

void transfer_destroy(struct transfer *t)
{
    outgoing_reply_finish(&t->reply);
    sodium_memzero(t->memory, t->bytes);
    free(t->memory);
    free(t);
}

void outgoing_reply_finish(struct outgoing_reply *reply)
{
    text_finish(&reply->body);
    text_finish(&reply->headers);
}

bool transfer_destination(const struct outgoing_request *r, char out[DESTINATION_BYTES_MAX])
{
    static const char *const SCHEMES[2][2] = {{"http", "https"}, {"smtp", "smtps"}};
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *url = curl_library_load() ? curl_url() : NULL;
    if (url == NULL)
        return false;
    bool good = curl_url_set(url, CURLUPART_URL, r->url, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    const char *const *schemes = SCHEMES[r->mail != NULL];
    if (good && strcmp(scheme, schemes[0]) != 0 && strcmp(scheme, schemes[1]) != 0)
        good = false;
    if (good) {
        int len = snprintf(out, DESTINATION_BYTES_MAX, "%s://%s:%s", scheme, host, port);
        good = len > 0 && len < DESTINATION_BYTES_MAX;
        for (char *p = out; good && *p != '\0'; ++p)
            *p = (char)tolower((unsigned char)*p);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return good;
}

/* --- What curl calls during an attempt --- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t max = t->request.reply_max != 0 ? t->request.reply_max : REPLY_BYTES;
    if (t->reply.body.len + size * n > max) {
        t->too_large = true;
        return 0;
    }
    text_add(&t->reply.body, bytes, size * n);
    return size * n;
}

size_t transfer_take_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    if (len >= 5 && strncmp(line, "HTTP/", 5) == 0) /* the first line: of 100 Continue, then of the reply */
        text_clear(&t->reply.headers);
    t->headed = len <= 2 && line[len - 1] == '\n';
    if (t->reply.headers.len + len <= HEADER_BYTES_MAX)
        text_add(&t->reply.headers, line, len);
    return len;
}

static size_t on_read(char *buffer, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = t->request.body_len - t->sent;
    if (len > size * n)
        len = size * n;
    memcpy(buffer, t->request.body + t->sent, len);
    t->sent += len;
    return len;
}

/* The address is known and nothing was sent to it yet: the moment at which no name can hide it. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;
    if (t->request.network == OUTGOING_PUBLIC && !address_is_public(&address->addr)) {
        t->refused_private = true;
        return CURL_SOCKET_BAD;
    }
    t->met_public = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Connections are kept and used again, also those that another transfer was allowed to open. */
static int on_connected(void *arg, char *address, char *local, int port, int local_port)
{
    struct transfer *t = arg;
    if (t->request.network == OUTGOING_ANY || address_text_is_public(address))
        return CURL_PREREQFUNC_OK;
    t->refused_private = true;
    t->met_public = false;
    return CURL_PREREQFUNC_ABORT;
}

/* --- An attempt --- */

static void set_http(struct transfer *t)
{
    const struct outgoing_request *r = &t->request;
    for (size_t i = 0; i < r->n_headers; ++i)
        t->headers = curl_slist_append(t->headers, r->headers[i]);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "parta/" PARTA_VERSION);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, transfer_take_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    if (r->compressed)
        curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "");
    if (r->body != NULL) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body);
    }
    if (r->method != NULL)
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
    if (r->bearer != NULL) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(t->easy, CURLOPT_XOAUTH2_BEARER, r->bearer);
    } else if (r->user != NULL)
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
}

static void set_mail(struct transfer *t)
{
    t->sent = 0;
    t->recipients = curl_slist_append(NULL, t->mail.to);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L); /* mails are rare, and mail servers end idle connections */
    curl_easy_setopt(t->easy, CURLOPT_USE_SSL, (long)(t->mail.cleartext ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, t->mail.from);
    curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->recipients);
    curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
}

void transfer_begin(struct transfer *t)
{
    const struct outgoing_request *r = &t->request;
    int64_t most_ms = r->attempt_ms != 0 ? r->attempt_ms : ATTEMPT_MS, left_ms = r->deadline_ms - clock_mono_ms();
    if (left_ms < most_ms) /* nobody waits for an attempt much longer than for the transfer */
        most_ms = left_ms > ATTEMPT_LEAST_MS ? left_ms : ATTEMPT_LEAST_MS;
    if ((t->easy = curl_easy_init()) == NULL)
        abort();
    ++t->reply.attempts;
    t->reply.date_ms = t->reply.retry_after_ms = -1;
    t->too_large = t->refused_private = t->met_public = t->headed = false;
    text_clear(&t->reply.headers);
    text_clear(&t->reply.body);
    text_adds(&t->reply.body, ""); /* never NULL */
    curl_easy_setopt(t->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    /* Or a name server that does not answer would hold the thread, when the attempt ends, until it gives up. */
    curl_easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)most_ms);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    if (!r->environment_proxy || r->network != OUTGOING_ANY)
        curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    if (r->ca_file != NULL)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, r->ca_file);
    if (r->user != NULL) {
        curl_easy_setopt(t->easy, CURLOPT_USERNAME, r->user);
        curl_easy_setopt(t->easy, CURLOPT_PASSWORD, r->password != NULL ? r->password : "");
    }
    if (r->mail != NULL)
        set_mail(t);
    else
        set_http(t);
}

static enum outgoing_fault fault_of(const struct transfer *t, CURLcode code)
{
    if (t->too_large)
        return OUTGOING_TOO_LARGE;
    if (t->refused_private && !t->met_public)
        return OUTGOING_PRIVATE;
    if (code == CURLE_LOGIN_DENIED)
        return OUTGOING_LOGIN_DENIED;
    if (code == CURLE_USE_SSL_FAILED || code == CURLE_PEER_FAILED_VERIFICATION)
        return OUTGOING_UNTRUSTED;
    if (code != CURLE_OK && t->request.mail != NULL && t->reply.status >= 400 && t->reply.status <= 599)
        return OUTGOING_REFUSED;
    switch (code) {
    case CURLE_OK: /* which it also says of a connection that ended within the headers */
        return t->headed || t->request.mail != NULL ? OUTGOING_ANSWERED : OUTGOING_UNREACHABLE;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR: return OUTGOING_UNREACHABLE;
    default: return OUTGOING_FAILED;
    }
}

/* RFC 9110, 10.2.3: seconds, or a date. curl's own reading of it is neither bounded nor without a sign. −1: neither. */
static int64_t retry_after_ms(const char *value, int64_t now_ms)
{
    bool counted = *value != '\0' && value[strspn(value, "0123456789")] == '\0';
    int64_t seconds = counted ? strtoll(value, NULL, 10) : (int64_t)curl_getdate(value, NULL);
    if (seconds < 0)
        return -1;
    if (!counted)
        seconds = seconds > now_ms / 1000 ? seconds - now_ms / 1000 : 0;
    return seconds < RETRY_AFTER_MAX_MS / 1000 ? seconds * 1000 : RETRY_AFTER_MAX_MS;
}

void transfer_end(struct transfer *t, CURLcode code)
{
    struct outgoing_reply *reply = &t->reply;
    char date[64];
    reply->status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->fault = fault_of(t, code);
    reply->why = reply->fault == OUTGOING_PRIVATE     ? "the address is not public"
                 : reply->fault == OUTGOING_TOO_LARGE ? "the answer is too long"
                                                      : curl_easy_strerror(code);
    if (outgoing_reply_header(reply, "Retry-After", date, sizeof date))
        reply->retry_after_ms = retry_after_ms(date, clock_wall_ms());
    if (outgoing_reply_header(reply, "Date", date, sizeof date)) {
        int64_t seconds = (int64_t)curl_getdate(date, NULL);
        reply->date_ms = seconds >= 0 ? seconds * 1000 : -1;
    }
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->recipients);
    t->easy = NULL;
    t->headers = t->recipients = NULL;
}

/* --- Replies --- */

bool outgoing_reply_header(const struct outgoing_reply *reply, const char *name, char *out, size_t size)
{
    size_t of_name = strlen(name);
    const char *line = reply->headers.data;
    for (const char *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (strncasecmp(line, name, of_name) != 0 || line[of_name] != ':')
            continue;
        const char *value = line + of_name + 1;
        value += strspn(value, " \t");
        while (end > value && isspace((unsigned char)end[-1]))
            --end;
        size_t len = (size_t)(end - value) < size ? (size_t)(end - value) : size - 1;
        memcpy(out, value, len);
        out[len] = '\0';
        return true;
    }
    return false;
}

enum outgoing_verdict outgoing_usual_verdict(const struct outgoing_reply *reply)
{
    if (reply->fault == OUTGOING_UNREACHABLE)
        return OUTGOING_AGAIN;
    if (reply->fault != OUTGOING_ANSWERED)
        return OUTGOING_GIVE_UP;
    if (reply->status == 429 || reply->status >= 500)
        return OUTGOING_AGAIN;
    return reply->status >= 200 && reply->status <= 299 ? OUTGOING_DONE : OUTGOING_GIVE_UP;
}
