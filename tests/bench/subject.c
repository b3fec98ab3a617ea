#include "tests/bench/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/client.h"

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        exit(1);
    close(fd);
    return ntohs(at.sin_port);
}

void subject_prepare(struct subject *s, const char *partad, bool real_passwords)
{
    *s = (struct subject){.partad = partad, .port = free_port()};
    strcpy(s->dir, "/tmp/parta-bench-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        exit(1);
    snprintf(s->config, sizeof s->config, "%s/parta.yaml", s->dir);
    snprintf(s->database, sizeof s->database, "%s/data/parta.db", s->dir);
    FILE *f = fopen(s->config, "w");
    fprintf(f,
            "server_name: bench.example\ndata_dir: %s/data\nlisten:\n  address: 127.0.0.1\n  port: %d\n"
            "policy:\n  mode: open\nregistration:\n  mode: open\nlog:\n  level: warn\n"
            "http:\n  connections_max: 12000\n"
            "rate_limits:\n  read: off\n  write: off\n  message: off\n  room: off\n  login: off\n  account: off\n  "
            "registration: off\n"
            "%s",
            s->dir, s->port, real_passwords ? "" : "passwords:\n  ops: 1\n  memory_kib: 8\n");
    fclose(f);
}

static bool answers(const struct subject *s)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char ASK[] = "GET /health HTTP/1.0\r\n\r\n";
    char reply[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool done = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
                send(fd, ASK, sizeof ASK - 1, MSG_NOSIGNAL) > 0 && recv(fd, reply, sizeof reply, 0) > 0;
    close(fd);
    return done;
}

int64_t subject_start(struct subject *s)
{
    int64_t started = now_us();
    s->pid = fork();
    if (s->pid == 0) {
        char log[96];
        snprintf(log, sizeof log, "%s/log", s->dir);
        pin_to_core(0);
        if (freopen(log, "a", stderr) != NULL)
            execl(s->partad, s->partad, "--config", s->config, (char *)NULL);
        _exit(127);
    }
    while (!answers(s)) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid || now_us() - started > 20000000) {
            fprintf(stderr, "bench: %s does not start; see %s/log\n", s->partad, s->dir);
            exit(1);
        }
        usleep(500);
    }
    return now_us() - started;
}

void subject_stop(struct subject *s, int signal)
{
    kill(s->pid, signal);
    waitpid(s->pid, NULL, 0);
}

void subject_remove(struct subject *s)
{
    static const char *const FILES[] = {"data/parta.db",
                                        "data/parta.db-wal",
                                        "data/parta.db-shm",
                                        "data/signing.key",
                                        "data/parta.lock",
                                        "data",
                                        "parta.yaml",
                                        "log",
                                        ""};
    char path[160];
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i) {
        snprintf(path, sizeof path, "%s/%s", s->dir, FILES[i]);
        remove(path);
    }
}

int64_t subject_cpu_us(const struct subject *s)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(s->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        exit(1);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t subject_rss_kib(const struct subject *s)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib;
}

int64_t subject_file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

int last_core(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

void pin_to_core(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int64_t subject_disk_sync_us(const struct subject *s)
{
    static const char PAGE[4096];
    char path[96];
    snprintf(path, sizeof path, "%s/sync", s->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int64_t start = now_us();
    if (fd < 0 || write(fd, PAGE, sizeof PAGE) < 0 || fdatasync(fd) != 0)
        exit(1);
    int64_t took = now_us() - start;
    close(fd);
    return took;
}

static pid_t profiler;

void subject_profile_begin(const struct subject *s, const char *name)
{
    const char *file = getenv("PARTA_BENCH_PROFILE");
    char pid[16], path[256];
    if (file == NULL)
        return;
    snprintf(path, sizeof path, "%s.%s", file, name);
    snprintf(pid, sizeof pid, "%d", (int)s->pid);
    profiler = fork();
    if (profiler == 0) {
        execlp("perf", "perf", "record", "-q", "-g", "-o", path, "-p", pid, (char *)NULL);
        _exit(127);
    }
    usleep(300000); /* perf attaches */
}

void subject_profile_end(void)
{
    if (profiler <= 0)
        return;
    kill(profiler, SIGINT);
    waitpid(profiler, NULL, 0);
    profiler = 0;
}
