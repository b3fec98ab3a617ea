#include "homeserver/http/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "homeserver/base/io.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/http/identity.h"

struct upload {
    struct uploads *uploads;
    char caller[96];
    size_t length, got;
    int fd; /* −1: nothing was written yet */
    void *map;
    struct upload *next;
};

struct uploads {
    pthread_mutex_t lock;
    struct upload *all;
    size_t places, places_of_one;
    char *dir;
};

struct uploads *uploads_create(size_t places, size_t places_of_one, const char *spool_dir)
{
    struct uploads *uploads = xcalloc(1, sizeof *uploads);
    pthread_mutex_init(&uploads->lock, NULL);
    uploads->places = places;
    uploads->places_of_one = places_of_one;
    if (spool_dir == NULL)
        spool_dir = getenv("TMPDIR");
    uploads->dir = xstrdup(spool_dir != NULL ? spool_dir : "/tmp");
    return uploads;
}

void uploads_destroy(struct uploads *uploads)
{
    if (uploads == NULL)
        return;
    pthread_mutex_destroy(&uploads->lock);
    free(uploads->dir);
    free(uploads);
}

enum upload_outcome upload_begin(struct uploads *uploads, const struct identity *identity, const char *ip,
                                 size_t length, struct upload **out)
{
    struct upload *upload = xcalloc(1, sizeof *upload);
    size_t all = 0, own = 0;
    *upload = (struct upload){.uploads = uploads, .length = length, .fd = -1};
    if (identity->user != 0)
        snprintf(upload->caller, sizeof upload->caller, "user %lld", (long long)identity->user);
    else
        snprintf(upload->caller, sizeof upload->caller, "%s", identity->name != NULL ? identity->name : ip);
    pthread_mutex_lock(&uploads->lock);
    for (const struct upload *other = uploads->all; other != NULL; other = other->next) {
        ++all;
        own += strcmp(other->caller, upload->caller) == 0;
    }
    enum upload_outcome outcome = own >= uploads->places_of_one ? UPLOAD_ENOUGH
                                  : all >= uploads->places      ? UPLOAD_FULL
                                                                : UPLOAD_BEGUN;
    if (outcome == UPLOAD_BEGUN) {
        upload->next = uploads->all;
        uploads->all = upload;
    }
    pthread_mutex_unlock(&uploads->lock);
    if (outcome != UPLOAD_BEGUN) {
        free(upload);
        upload = NULL;
    }
    *out = upload;
    return outcome;
}

size_t upload_missing(const struct upload *upload)
{
    return upload->length - upload->got;
}

/* A file system without O_TMPFILE gets a name that is gone at once. */
static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/parta.XXXXXX", dir);
    fd = mkostemp(path.data, O_CLOEXEC);
    if (fd >= 0)
        unlink(path.data);
    text_finish(&path);
    return fd;
}

bool upload_add(struct upload *upload, const char *bytes, size_t n)
{
    if (upload->fd < 0)
        upload->fd = open_nameless(upload->uploads->dir);
    bool kept = upload->fd >= 0 && io_write_all(upload->fd, bytes, n);
    if (kept)
        upload->got += n;
    else
        log_error("http", "a large body can't be kept in %s: %s", upload->uploads->dir, strerror(errno));
    return kept;
}

int upload_fd(const struct upload *upload)
{
    return upload->fd;
}

const char *upload_map(struct upload *upload)
{
    if (upload->map == NULL) {
        void *map = mmap(NULL, upload->length, PROT_READ, MAP_PRIVATE, upload->fd, 0);
        if (map == MAP_FAILED)
            log_error("http", "a large body can't be mapped: %s", strerror(errno));
        else
            upload->map = map;
    }
    return upload->map;
}

void upload_end(struct upload *upload)
{
    if (upload == NULL)
        return;
    struct uploads *uploads = upload->uploads;
    pthread_mutex_lock(&uploads->lock);
    struct upload **at = &uploads->all;
    while (*at != upload)
        at = &(*at)->next;
    *at = upload->next;
    pthread_mutex_unlock(&uploads->lock);
    if (upload->map != NULL)
        munmap(upload->map, upload->length);
    if (upload->fd >= 0)
        close(upload->fd);
    free(upload);
}
