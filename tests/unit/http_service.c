#include "tests/unit/http_service.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "homeserver/base/text.h"

#define REQUESTS_MAX 4096
#define CONNECTIONS_MAX 1024

struct http_service {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    enum service_mood mood;
    int status;
    char *headers, *body;
    size_t times;
    char *requests[REQUESTS_MAX];
    _Atomic int n, connections, now, most;
    int fds[CONNECTIONS_MAX]; /* −1: closed */
    pthread_t threads[CONNECTIONS_MAX];
};

struct visit {
    struct http_service *service;
    int i;
};

/* Whole requests only, one after the other; Content-Length, no chunks. */
static bool read_request(int fd, struct text *in, size_t *len)
{
    for (;;) {
        const char *end = in->data != NULL ? strstr(in->data, "\r\n\r\n") : NULL;
        if (end != NULL) {
            const char *length = strcasestr(in->data, "content-length:");
            *len = (size_t)(end - in->data) + 4;
            if (length != NULL && length < end)
                *len += strtoul(length + 15, NULL, 10);
            if (in->len >= *len)
                return true;
        }
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return false;
        text_add(in, piece, (size_t)n);
    }
}

static bool send_all(int fd, const struct text *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, out->data + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* false: the connection is over. */
static bool answer(struct http_service *s, int fd, const struct text *in, size_t len)
{
    struct text out = TEXT_INIT;
    pthread_mutex_lock(&s->lock);
    enum service_mood mood = s->mood;
    if (s->n < REQUESTS_MAX) {
        s->requests[s->n] = xstrndup(in->data, len);
        ++s->n;
    }
    text_addf(&out, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n", s->status, s->headers,
              strlen(s->body) * s->times);
    for (size_t i = 0; i < s->times; ++i)
        text_adds(&out, s->body);
    pthread_mutex_unlock(&s->lock);
    bool good = mood == SERVICE_SILENT || send_all(fd, &out, mood == SERVICE_BREAKS ? out.len / 2 : out.len);
    text_finish(&out);
    return good && mood != SERVICE_BREAKS;
}

static void *serve(void *arg)
{
    struct visit visit = *(struct visit *)arg;
    struct http_service *s = visit.service;
    int fd = s->fds[visit.i];
    struct text in = TEXT_INIT;
    size_t len;
    free(arg);
    while (read_request(fd, &in, &len) && answer(s, fd, &in, len)) {
        memmove(in.data, in.data + len, in.len - len);
        in.len -= len;
        in.data[in.len] = '\0';
    }
    text_finish(&in);
    pthread_mutex_lock(&s->lock);
    --s->now;
    s->fds[visit.i] = -1;
    close(fd);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *listen_on(void *arg)
{
    struct http_service *s = arg;
    for (int fd; s->connections < CONNECTIONS_MAX && (fd = accept(s->listener, NULL, NULL)) >= 0;) {
        struct visit *visit = xcalloc(1, sizeof *visit);
        *visit = (struct visit){s, s->connections};
        pthread_mutex_lock(&s->lock);
        s->fds[visit->i] = fd;
        if (++s->now > s->most)
            s->most = s->now;
        pthread_mutex_unlock(&s->lock);
        pthread_create(&s->threads[visit->i], NULL, serve, visit);
        ++s->connections;
    }
    return NULL;
}

struct http_service *http_service_start(void)
{
    struct http_service *s = xcalloc(1, sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    pthread_mutex_init(&s->lock, NULL);
    s->headers = xstrdup("");
    s->body = xstrdup("");
    http_service_set(s, SERVICE_ANSWERS, 200, "", "fine", 1);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (struct sockaddr *)&address, len) != 0 || listen(s->listener, 256) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) != 0)
        abort();
    s->port = ntohs(address.sin_port);
    if (pthread_create(&s->thread, NULL, listen_on, s) != 0)
        abort();
    return s;
}

void http_service_stop(struct http_service *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->connections; ++i)
        if (s->fds[i] >= 0)
            shutdown(s->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < s->connections; ++i)
        pthread_join(s->threads[i], NULL);
    for (int i = 0; i < s->n; ++i)
        free(s->requests[i]);
    free(s->headers);
    free(s->body);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int http_service_port(const struct http_service *s)
{
    return s->port;
}

void http_service_set(struct http_service *s, enum service_mood mood, int status, const char *headers, const char *body,
                      size_t times)
{
    pthread_mutex_lock(&s->lock);
    free(s->headers);
    free(s->body);
    s->mood = mood;
    s->status = status;
    s->headers = xstrdup(headers);
    s->body = xstrdup(body);
    s->times = times;
    pthread_mutex_unlock(&s->lock);
}

int http_service_requests(const struct http_service *s)
{
    return s->n;
}

int http_service_connections(const struct http_service *s)
{
    return s->connections;
}

int http_service_most(const struct http_service *s)
{
    return s->most;
}

char *http_service_request(struct http_service *s, int n)
{
    pthread_mutex_lock(&s->lock);
    char *copy = n < s->n ? xstrdup(s->requests[n]) : NULL;
    pthread_mutex_unlock(&s->lock);
    return copy;
}

pid_t http_service_fork(const char *headers, const char *body, int *port)
{
    int fds[2];
    if (pipe(fds) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        struct http_service *service = http_service_start();
        http_service_set(service, SERVICE_ANSWERS, 200, headers, body, 1);
        int mine = http_service_port(service);
        if (write(fds[1], &mine, sizeof mine) != sizeof mine)
            _exit(1);
        for (;;)
            pause();
    }
    if (child < 0 || read(fds[0], port, sizeof *port) != sizeof *port)
        abort();
    close(fds[0]);
    close(fds[1]);
    return child;
}
