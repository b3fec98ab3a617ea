/* Loaded before the C library (LD_PRELOAD) into the partad that tests/faults/run starts: makes calls fail on demand.
 *
 * PARTA_FAULTS names a file that both sides map: what is to fail stands there, and how often it was asked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* In the order of FIELDS in the script: 8 bytes each. */
struct faults {
    _Atomic int64_t thread_at;    /* the n-th thread from now cannot be started; 0: all can */
    _Atomic int64_t accept_errno; /* 0: well */
    _Atomic int64_t accepts;      /* that failed so */
    _Atomic int64_t sync_errno;   /* of the write-ahead log */
    _Atomic int64_t sync_times;   /* how many; 0: all */
    _Atomic int64_t syncs;        /* that failed so */
    _Atomic int64_t write_errno;  /* to the database and its log */
    _Atomic int64_t cut_errno;    /* of making a file shorter */
    _Atomic int64_t clock_ms;     /* the wall clock is so much ahead */
};

static struct faults none, *faults = &none;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("PARTA_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (at != MAP_FAILED)
        faults = at;
    if (fd >= 0)
        close(fd);
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* Whether it is a file of the database. log: of those, the write-ahead log alone. */
static int is_database(int fd, int log)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, log ? "/parta.db-wal" : "/parta.db") != NULL;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    if (faults->thread_at > 0 && --faults->thread_at == 0)
        return EAGAIN;
    return REAL(pthread_create)(thread, attributes, run, arg);
}

static int refuses(void)
{
    if (faults->accept_errno == 0)
        return 0;
    ++faults->accepts;
    errno = (int)faults->accept_errno;
    return 1;
}

int accept(int fd, struct sockaddr *address, socklen_t *len)
{
    return refuses() ? -1 : REAL(accept)(fd, address, len);
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return refuses() ? -1 : REAL(accept4)(fd, address, len, flags);
}

int fdatasync(int fd)
{
    if (faults->sync_errno != 0 && (faults->sync_times == 0 || faults->syncs < faults->sync_times) &&
        is_database(fd, 1)) {
        ++faults->syncs;
        errno = (int)faults->sync_errno;
        return -1;
    }
    return REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return fdatasync(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    if (faults->write_errno != 0 && is_database(fd, 0)) {
        errno = (int)faults->write_errno;
        return -1;
    }
    return REAL(pwrite64)(fd, bytes, n, at);
}

int ftruncate64(int fd, off64_t n)
{
    if (faults->cut_errno != 0 && is_database(fd, 1)) {
        errno = (int)faults->cut_errno;
        return -1;
    }
    return REAL(ftruncate64)(fd, n);
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int rc = REAL(clock_gettime)(id, out);
    if (id == CLOCK_REALTIME && rc == 0)
        out->tv_sec += faults->clock_ms / 1000;
    return rc;
}
