#include "tests/bench/media.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "homeserver/base/text.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"

enum { FILES = 8, FILE_BYTES = 8 << 20, ROUNDS = 8, HEAD_BYTES = 4096 };
#define MB (1024.0 * 1024)

/* A client that holds no body: what comes is read into one buffer and forgotten. */
struct pipe_end {
    int port, fd;          /* fd −1: not open */
    char head[HEAD_BYTES]; /* of the last answer, with what came along of its body */
};

static void give_up(const char *what)
{
    fprintf(stderr, "bench: media: %s\n", what);
    exit(1);
}

static int dial(int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(struct pipe_end *end, const char *bytes, size_t n)
{
    for (ssize_t sent; n != 0; bytes += sent, n -= (size_t)sent)
        if ((sent = send(end->fd, bytes, n, MSG_NOSIGNAL)) <= 0) {
            ssize_t got = recv(end->fd, end->head, sizeof end->head - 1, 0);
            end->head[got > 0 ? got : 0] = '\0';
            give_up(got > 0 ? end->head : "the connection broke");
        }
}

/* One answer, whose body is forgotten beyond what came with its head. */
static void hear(struct pipe_end *end, int status)
{
    static char buffer[1 << 18];
    const char *body = NULL, *length;
    size_t n = 0;
    while (body == NULL) {
        ssize_t got = recv(end->fd, end->head + n, sizeof end->head - 1 - n, 0);
        if (got <= 0)
            give_up("no answer");
        n += (size_t)got;
        end->head[n] = '\0';
        body = strstr(end->head, "\r\n\r\n");
    }
    length = strcasestr(end->head, "\r\ncontent-length:");
    if (atoi(end->head + strlen("HTTP/1.1 ")) != status || (length == NULL && status != 204))
        give_up(end->head);
    size_t left = length != NULL ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    for (left -= n - (size_t)(body + 4 - end->head); left != 0;) {
        ssize_t got = recv(end->fd, buffer, left < sizeof buffer ? left : sizeof buffer, 0);
        if (got <= 0)
            give_up("half an answer");
        left -= (size_t)got;
    }
}

static void ask(struct pipe_end *end, const char *method, const char *path, const char *token, const char *body,
                int status)
{
    char head[1024];
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer %s\r\n", method,
                     path, token);
    n += body == NULL ? snprintf(head + n, sizeof head - (size_t)n, "\r\n")
                      : snprintf(head + n, sizeof head - (size_t)n,
                                 "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", FILE_BYTES);
    if (end->fd < 0 && (end->fd = dial(end->port)) < 0)
        give_up("nobody listens");
    say(end, head, (size_t)n);
    if (body != NULL)
        say(end, body, FILE_BYTES);
    hear(end, status);
    if (strcasestr(end->head, "\r\nconnection: close\r\n") == NULL)
        return;
    close(end->fd);
    end->fd = -1;
}

/* Who is measured, and what it has taken. */
struct traffic {
    struct subject *subject;
    int64_t cpu_us, began_us;
};

static struct traffic measure(struct subject *subject)
{
    return (struct traffic){subject, subject_cpu_us(subject), now_us()};
}

static void add_figures(json_t *out, const char *name, const struct traffic *t, int files)
{
    char key[64];
    double mb = files * (FILE_BYTES / MB);
    snprintf(key, sizeof key, "%s_mb_per_s", name);
    json_object_set_new(out, key, json_real(mb / ((double)(now_us() - t->began_us) / 1e6)));
    snprintf(key, sizeof key, "%s_cpu_us_per_mb", name);
    json_object_set_new(out, key, json_real((double)(subject_cpu_us(t->subject) - t->cpu_us) / mb));
}

/* The files go up and come down; paths: where each is fetched, filled in from the answers where it is empty. */
static void run(struct subject *subject, const char *token, char *const bodies[], char paths[][200], const char *who,
                json_t *out)
{
    struct pipe_end end = {.port = subject->port, .fd = -1};
    bool parta = paths[0][0] == '\0';
    char name[32];
    struct traffic t = measure(subject);
    for (int i = 0; i < FILES; ++i) {
        ask(&end, parta ? "POST" : "PUT", parta ? "/_matrix/media/v3/upload" : paths[i], token, bodies[i],
            parta ? 200 : 201);
        const char *mxc = strstr(end.head, "mxc://");
        if (parta && mxc != NULL)
            snprintf(paths[i], sizeof paths[i], "/_matrix/client/v1/media/download/%.*s",
                     (int)strcspn(mxc + strlen("mxc://"), "\""), mxc + strlen("mxc://"));
    }
    snprintf(name, sizeof name, "%s_up", who);
    add_figures(out, name, &t, FILES);
    t = measure(subject);
    for (int i = 0; i < FILES * ROUNDS; ++i)
        ask(&end, "GET", paths[i % FILES], token, NULL, 200);
    snprintf(name, sizeof name, "%s_down", who);
    add_figures(out, name, &t, FILES * ROUNDS);
    close(end.fd);
}

static char *random_file(void)
{
    unsigned x = (unsigned)now_us() | 1;
    char *bytes = xcalloc(FILE_BYTES, 1);
    for (int i = 0; i < FILE_BYTES; ++i) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (char)(x >> 24);
    }
    return bytes;
}

/* false: there is none. */
static bool nginx_start(struct subject *nginx, const struct subject *beside)
{
    char text[256];
    *nginx = (struct subject){.port = beside->port + 1};
    snprintf(nginx->dir, sizeof nginx->dir, "%.40s/nginx", beside->dir);
    snprintf(nginx->config, sizeof nginx->config, "%s/conf", nginx->dir);
    snprintf(text, sizeof text, "%s/www", nginx->dir);
    if (mkdir(nginx->dir, 0755) != 0 || mkdir(text, 0755) != 0)
        give_up("no folder for nginx");
    FILE *f = fopen(nginx->config, "w");
    fprintf(f,
            "daemon off; master_process off; error_log %1$s/error; pid %1$s/pid; events {}\n"
            "http { access_log off; sendfile on; client_max_body_size 0; client_body_temp_path %1$s/www;\n"
            "proxy_temp_path %1$s; fastcgi_temp_path %1$s; uwsgi_temp_path %1$s; scgi_temp_path %1$s;\n"
            "server { listen 127.0.0.1:%2$d; root %1$s/www; dav_methods PUT; } }\n",
            nginx->dir, nginx->port);
    fclose(f);
    nginx->pid = fork();
    if (nginx->pid == 0) {
        snprintf(text, sizeof text, "%s/early", nginx->dir);
        pin_to_core(0);
        if (freopen(text, "w", stderr) != NULL)
            execlp("nginx", "nginx", "-e", text, "-c", nginx->config, (char *)NULL);
        _exit(127);
    }
    for (int fd; waitpid(nginx->pid, NULL, WNOHANG) == 0; usleep(1000))
        if ((fd = dial(nginx->port)) >= 0) {
            close(fd);
            return true;
        }
    return false;
}

void media_traffic(struct school *s)
{
    char *bodies[FILES], paths[FILES][200] = {{'\0'}};
    struct subject nginx;
    json_t *out = json_pack("{s:i, s:i}", "files", FILES, "mb_each", FILE_BYTES >> 20);
    school_people(s, 1);
    for (int i = 0; i < FILES; ++i)
        bodies[i] = random_file();
    int64_t rss = subject_rss_kib(s->subject);
    run(s->subject, s->people[0].token, bodies, paths, "parta", out);
    json_object_set_new(out, "more_rss_kib", json_integer(subject_rss_kib(s->subject) - rss));
    if (nginx_start(&nginx, s->subject)) {
        for (int i = 0; i < FILES; ++i)
            snprintf(paths[i], sizeof paths[i], "/file%d", i);
        run(&nginx, "none", bodies, paths, "nginx", out);
        subject_stop(&nginx, SIGTERM);
    }
    report("media", ">= 60 % of nginx", out);
    for (int i = 0; i < FILES; ++i)
        free(bodies[i]);
}
