#include "homeserver/media/thumbnails.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/media/files.h"
#include "homeserver/media/thumbnailer/exit_codes.h"

#define WAITING_MAX 6 /* workers that wait for one to be made */
#define WAIT_S 10

static const struct size {
    int width, height;
    char how; /* as thumbnail_sizes.def has it */
} SIZES[] = {
#define X(width, height, how) {width, height, how},
#include "homeserver/media/thumbnail_sizes.def"
#undef X
};
enum { SIZES_N = sizeof SIZES / sizeof *SIZES };

struct making {
    const unsigned char *hash;
    const struct size *size;
    struct making *next;
};

struct thumbnails {
    struct media_files *files;
    char *program; /* NULL: there is none */
    int at_once;
    pthread_mutex_t lock; /* around: */
    pthread_cond_t made;
    struct making *making;
    int running, waiting;
};

struct thumbnails *thumbnails_create(struct media_files *files, const char *program)
{
    struct thumbnails *t = xcalloc(1, sizeof *t);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    t->files = files;
    t->at_once = cores > 3 ? (int)(cores / 2) : 1;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->made, NULL);
    if (program != NULL && access(program, X_OK) == 0)
        t->program = xstrdup(program);
    else
        log_warn("media", "there is no %s: no thumbnails are made", program != NULL ? program : "parta-thumbnail");
    return t;
}

void thumbnails_destroy(struct thumbnails *t)
{
    if (t == NULL)
        return;
    pthread_cond_destroy(&t->made);
    pthread_mutex_destroy(&t->lock);
    free(t->program);
    free(t);
}

/* Of what is cut square, the list of squares; of everything else what fits. The largest there is will do for more. */
static const struct size *size_for(int64_t width, int64_t height, enum thumbnail_kind kind)
{
    const struct size *found = NULL;
    bool square = width * 4 <= height * 5 && height * 4 <= width * 5;
    static const char LISTS[] = {[THUMBNAIL_SCALED] = 's', [THUMBNAIL_CROPPED] = 'c', [THUMBNAIL_ANIMATED] = 'a'};
    char how = LISTS[kind == THUMBNAIL_CROPPED && !square ? THUMBNAIL_SCALED : kind];
    for (int i = 0; i < SIZES_N; ++i)
        if (SIZES[i].how == how) {
            found = &SIZES[i];
            if (found->width >= width && found->height >= height)
                break;
        }
    return found;
}

/* --- What is kept --- */

/* An outcome without a thumbnail is kept as a file of one byte. */
static const struct {
    char byte;
    enum thumbnail outcome;
} KEPT[] = {{'o', THUMBNAIL_ORIGINAL}, {'n', THUMBNAIL_NONE}, {'l', THUMBNAIL_TOO_LARGE}};

static bool find_kept(const struct thumbnails *t, const unsigned char hash[SHA256_BYTES], const struct size *size,
                      enum thumbnail *outcome, int *fd, int64_t *bytes, const char **type)
{
    unsigned char first = 0;
    *fd = media_files_thumbnail(t->files, hash, size->width, size->height, size->how, bytes);
    bool found = *fd >= 0 && *bytes > 0 && pread(*fd, &first, 1, 0) == 1;
    *type = first == 0x89 ? "image/png" : "image/jpeg";
    *outcome = THUMBNAIL_MADE;
    for (size_t i = 0; found && *bytes == 1 && i < sizeof KEPT / sizeof *KEPT; ++i)
        if ((unsigned char)KEPT[i].byte == first)
            *outcome = KEPT[i].outcome;
    if (*fd >= 0 && (!found || *outcome != THUMBNAIL_MADE)) {
        close(*fd);
        *fd = -1;
    }
    return found;
}

/* --- Making --- */

/* Its exit code; −1: it could not be started. */
static int run(const struct thumbnails *t, const struct size *size, int from, int to)
{
    char width[12], height[12], how[] = {size->how, '\0'}, *argv[] = {t->program, width, height, how, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, ignored;
    pid_t pid;
    int status = -1;
    snprintf(width, sizeof width, "%d", size->width);
    snprintf(height, sizeof height, "%d", size->height);
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDOUT_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(&pid, t->program, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        log_error("media", "%s can't be started: %s", t->program, strerror(error));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : THUMBNAILER_FAILED; /* it cannot outlast its limits */
}

static void make(const struct thumbnails *t, const unsigned char hash[SHA256_BYTES], const struct size *size)
{
    int64_t bytes;
    int from = media_files_read(t->files, hash, &bytes), to = from >= 0 ? media_files_nameless(t->files) : -1;
    int code = to >= 0 ? run(t, size, from, to) : -1;
    if (code == THUMBNAILER_FAILED)
        log_warn("media", "a thumbnail could not be made: the process for it has failed");
    if (code > 0) {
        const char *byte = code == THUMBNAILER_SMALL ? "o" : code == THUMBNAILER_TOO_LARGE ? "l" : "n";
        code = ftruncate(to, 0) == 0 && pwrite(to, byte, 1, 0) == 1 ? 0 : -1;
    }
    if (code == 0)
        media_files_name_thumbnail(t->files, to, hash, size->width, size->height, size->how);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

static struct making **find_making(struct thumbnails *t, const struct making *wanted)
{
    struct making **at = &t->making;
    while (*at != NULL && !((*at)->size == wanted->size && memcmp((*at)->hash, wanted->hash, SHA256_BYTES) == 0))
        at = &(*at)->next;
    return at;
}

/* Whether it is this caller's to make; else it was made meanwhile, or there is no room (*busy). With the lock. */
static bool take_turn(struct thumbnails *t, struct making *mine, bool *busy)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    bool others = false;
    *busy = false;
    while (*find_making(t, mine) != NULL || t->running >= t->at_once) {
        others |= *find_making(t, mine) != NULL;
        if (t->waiting >= WAITING_MAX) {
            *busy = true;
            return false;
        }
        ++t->waiting;
        *busy = pthread_cond_timedwait(&t->made, &t->lock, &until) != 0;
        --t->waiting;
        if (*busy || (others && *find_making(t, mine) == NULL))
            return false;
    }
    mine->next = t->making;
    t->making = mine;
    ++t->running;
    return true;
}

static void end_turn(struct thumbnails *t, struct making *mine)
{
    struct making **at = &t->making;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    --t->running;
    pthread_cond_broadcast(&t->made);
}

enum thumbnail thumbnails_get(struct thumbnails *t, const unsigned char hash[SHA256_BYTES], int64_t width,
                              int64_t height, enum thumbnail_kind kind, int *fd, int64_t *bytes, const char **type)
{
    const struct size *size = size_for(width, height, kind);
    struct making mine = {hash, size};
    enum thumbnail outcome;
    bool busy;
    if (find_kept(t, hash, size, &outcome, fd, bytes, type))
        return outcome;
    if (t->program == NULL)
        return THUMBNAIL_NONE;
    pthread_mutex_lock(&t->lock);
    bool turn = take_turn(t, &mine, &busy);
    pthread_mutex_unlock(&t->lock);
    if (turn) {
        make(t, hash, size);
        pthread_mutex_lock(&t->lock);
        end_turn(t, &mine);
        pthread_mutex_unlock(&t->lock);
    }
    return find_kept(t, hash, size, &outcome, fd, bytes, type) ? outcome : busy ? THUMBNAIL_BUSY : THUMBNAIL_NONE;
}
