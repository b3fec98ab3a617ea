#include "tests/bench/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

static void make_folder(struct subject *s)
{
    s->port = free_port();
    strcpy(s->dir, "/tmp/parta-bench-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        exit(1);
}

void subject_prepare(struct subject *s, const char *partad, bool real_passwords)
{
    *s = (struct subject){.partad = partad};
    make_folder(s);
    snprintf(s->config, sizeof s->config, "%s/parta.yaml", s->dir);
    snprintf(s->database, sizeof s->database, "%s/data/parta.db", s->dir);
    FILE *f = fopen(s->config, "w");
    fprintf(f,
            "server_name: bench.example\ndata_dir: %s/data\nlisten:\n  address: 127.0.0.1\n  port: %d\n"
            "policy:\n  mode: open\nregistration:\n  mode: open\nlog:\n  level: warn\n"
            "http:\n  connections_max: 12000\n  trusted_proxies: [127.0.0.1]\n" /* all come from one address */
            "rate_limits:\n  read: off\n  write: off\n  message: off\n  room: off\n  login: off\n  account: off\n  "
            "operator: off\n  "
            "registration: off\n"
            "%s",
            s->dir, s->port, real_passwords ? "" : "passwords:\n  ops: 1\n  memory_kib: 8\n");
    fclose(f);
}

/* Nothing that limits, verifies or tells others; passwords as cheap as they get, as Parta's are here. */
static const char SYNAPSE[] =
    "server_name: bench.example\npid_file: %1$s/pid\nlisteners:\n"
    "  - {port: %2$d, type: http, bind_addresses: [127.0.0.1], resources: [{names: [client]}]}\n"
    "database: {name: sqlite3, args: {database: %1$s/synapse.db}}\nlog_config: %1$s/log.yaml\n"
    "media_store_path: %1$s/media\nsigning_key_path: %1$s/signing.key\ntrusted_key_servers: []\nreport_stats: false\n"
    "macaroon_secret_key: bench\nenable_registration: true\nenable_registration_without_verification: true\n"
    "bcrypt_rounds: 4\npresence: {enabled: false}\n"
    "rc_message: &off {per_second: 1000000, burst_count: 1000000}\nrc_registration: *off\nrc_room_creation: *off\n"
    "rc_admin_redaction: *off\nrc_login: {address: *off, account: *off, failed_attempts: *off}\n"
    "rc_joins: {local: *off, remote: *off}\nrc_joins_per_room: *off\n"
    "rc_invites: {per_room: *off, per_user: *off, per_issuer: *off}\n";

/* Synapse makes its signing key in a run of its own. */
static bool synapse_keys(const struct subject *s)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl(s->python, s->python, "-m", "synapse.app.homeserver", "-c", s->config, "--generate-keys", (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void subject_prepare_peer(struct subject *s, const char *peer)
{
    struct stat st;
    char path[128];
    if (stat(peer, &st) == 0 && S_ISREG(st.st_mode)) {
        subject_prepare(s, peer, false);
        return;
    }
    *s = (struct subject){0};
    make_folder(s);
    snprintf(s->python, sizeof s->python, "%s/bin/python", peer);
    snprintf(s->config, sizeof s->config, "%s/homeserver.yaml", s->dir);
    FILE *f = fopen(s->config, "w");
    fprintf(f, SYNAPSE, s->dir, s->port);
    fclose(f);
    snprintf(path, sizeof path, "%s/log.yaml", s->dir);
    f = fopen(path, "w");
    fprintf(f, "version: 1\nroot: {level: WARNING}\ndisable_existing_loggers: false\n");
    fclose(f);
    if (!synapse_keys(s)) {
        fprintf(stderr, "bench: %s is neither a partad nor a virtual environment with Synapse\n", peer);
        exit(1);
    }
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
        if (freopen(log, "a", stderr) != NULL && s->python[0] != '\0')
            execl(s->python, s->python, "-m", "synapse.app.homeserver", "-c", s->config, (char *)NULL);
        else
            execl(s->partad, s->partad, "--config", s->config, (char *)NULL);
        _exit(127);
    }
    while (!answers(s)) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid || now_us() - started > 60000000) {
            fprintf(stderr, "bench: %s does not start; see %s/log\n", s->python[0] != '\0' ? s->python : s->partad,
                    s->dir);
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

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void subject_remove(struct subject *s)
{
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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
