#include "homeserver/media/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/io.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

#define PIECE (256u << 10)
#define NAME_MAX_BYTES 80

struct held {
    unsigned char hash[SHA256_BYTES];
    struct held *next;
};

struct media_files {
    char *incoming;
    int content, thumbnails; /* folders */
    pthread_mutex_t lock;    /* around: */
    struct held *held;       /* once for each that holds it */
};

static bool complain(const char *what, const char *name)
{
    log_error("media", "%s %s: %s", what, name, strerror(errno));
    return false;
}

/* --- Names --- */

void media_hash_text(const unsigned char hash[SHA256_BYTES], char out[MEDIA_HASH_TEXT])
{
    for (size_t i = 0; i < SHA256_BYTES; ++i)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* "ab/abcd…" */
static void path_of(const unsigned char hash[SHA256_BYTES], char out[NAME_MAX_BYTES])
{
    char text[MEDIA_HASH_TEXT];
    media_hash_text(hash, text);
    snprintf(out, NAME_MAX_BYTES, "%.2s/%s", text, text);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hash_from(const char *name, unsigned char out[SHA256_BYTES])
{
    for (size_t i = 0; i < SHA256_BYTES; ++i) {
        int high = digit(name[2 * i]), low = high >= 0 ? digit(name[2 * i + 1]) : -1;
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* --- The folder --- */

/* durable: which files are in it must be on the disk, also what a process that was killed has left there. */
static int open_folder(const char *dir, const char *name, bool durable)
{
    struct text full = TEXT_INIT;
    text_addf(&full, "%s/%s", dir, name);
    bool made = mkdir(full.data, 0700) == 0 || errno == EEXIST;
    int fd = made ? open(full.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || (durable && fsync(fd) != 0))
        complain("this folder can't be used:", full.data);
    text_finish(&full);
    return fd;
}

struct media_files *media_files_open(const char *dir)
{
    struct media_files *files = xcalloc(1, sizeof *files);
    struct text incoming = TEXT_INIT;
    text_addf(&incoming, "%s/incoming", dir);
    files->incoming = text_take(&incoming);
    pthread_mutex_init(&files->lock, NULL);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        complain("this folder can't be made:", dir);
    int spool = open_folder(dir, "incoming", false);
    files->content = open_folder(dir, "content", true);
    files->thumbnails = open_folder(dir, "thumbnails", false);
    bool done = spool >= 0 && files->content >= 0 && files->thumbnails >= 0;
    if (spool >= 0)
        close(spool);
    if (done)
        return files;
    media_files_close(files);
    return NULL;
}

void media_files_close(struct media_files *files)
{
    if (files == NULL)
        return;
    if (files->content >= 0)
        close(files->content);
    if (files->thumbnails >= 0)
        close(files->thumbnails);
    pthread_mutex_destroy(&files->lock);
    free(files->incoming);
    free(files);
}

const char *media_files_incoming(const struct media_files *files)
{
    return files->incoming;
}

/* --- What is held --- */

static void hold(struct media_files *files, const unsigned char hash[SHA256_BYTES])
{
    struct held *held = xcalloc(1, sizeof *held);
    memcpy(held->hash, hash, SHA256_BYTES);
    pthread_mutex_lock(&files->lock);
    held->next = files->held;
    files->held = held;
    pthread_mutex_unlock(&files->lock);
}

static struct held **find_held(struct media_files *files, const unsigned char hash[SHA256_BYTES])
{
    struct held **at = &files->held;
    while (*at != NULL && memcmp((*at)->hash, hash, SHA256_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

void media_files_release(struct media_files *files, const unsigned char hash[SHA256_BYTES])
{
    pthread_mutex_lock(&files->lock);
    struct held **at = find_held(files, hash), *held = *at;
    *at = held->next;
    pthread_mutex_unlock(&files->lock);
    free(held);
}

/* --- Keeping --- */

bool media_files_hash(int fd, int to, unsigned char hash[SHA256_BYTES], int64_t *bytes)
{
    char *piece = xrealloc(NULL, PIECE);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    ssize_t got = -1;
    bool done = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (*bytes = 0; done && (got = TEMP_FAILURE_RETRY(pread(fd, piece, PIECE, *bytes))) > 0; *bytes += got)
        done = EVP_DigestUpdate(md, piece, (size_t)got) == 1 && (to < 0 || io_write_all(to, piece, (size_t)got));
    done = done && got == 0 && EVP_DigestFinal_ex(md, hash, NULL) == 1;
    EVP_MD_CTX_free(md);
    free(piece);
    return done;
}

/* A nameless file in the spool; where there are none, one with a name, which name takes (heap). */
static int open_spooled(const struct media_files *files, char **name)
{
    struct text path = TEXT_INIT;
    *name = NULL;
    int fd = open(files->incoming, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    text_addf(&path, "%s/parta.XXXXXX", files->incoming);
    fd = mkostemp(path.data, O_CLOEXEC);
    *name = text_take(&path);
    return fd;
}

/* The one of the 256 that the path begins with. The first file in it has it made, and nobody else sees it before it is
 * on the disk. −1: it can't be had. */
static int open_part(struct media_files *files, const char *path)
{
    char part[3] = {path[0], path[1], '\0'};
    pthread_mutex_lock(&files->lock);
    int fd = openat(files->content, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && mkdirat(files->content, part, 0700) == 0 && fsync(files->content) == 0)
        fd = openat(files->content, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pthread_mutex_unlock(&files->lock);
    return fd;
}

/* Gives the file its name, durably. There may be such a content already: then it is the same. */
static bool give_name(struct media_files *files, int fd, const char *spooled, const unsigned char hash[SHA256_BYTES])
{
    char path[NAME_MAX_BYTES], source[32];
    path_of(hash, path);
    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    int part = open_part(files, path);
    bool named = part >= 0 && fsync(fd) == 0 &&
                 (spooled != NULL ? renameat(AT_FDCWD, spooled, files->content, path)
                                  : linkat(AT_FDCWD, source, files->content, path, AT_SYMLINK_FOLLOW)) == 0;
    bool done = (named || (part >= 0 && errno == EEXIST)) && fsync(part) == 0;
    if (part >= 0)
        close(part);
    return done;
}

/* What came in memory, or in a file that cannot be given a name, goes through a file of our own. */
static bool keep_copy(struct media_files *files, int from, const char *content, size_t len,
                      unsigned char hash[SHA256_BYTES], int64_t *bytes)
{
    char *name;
    int fd = open_spooled(files, &name);
    bool done = fd >= 0 && (from >= 0 ? media_files_hash(from, fd, hash, bytes) : io_write_all(fd, content, len)) &&
                give_name(files, fd, name, hash);
    if (!done && name != NULL)
        unlink(name);
    if (fd >= 0)
        close(fd);
    free(name);
    return done;
}

bool media_files_keep(struct media_files *files, int fd, const char *content, size_t len,
                      unsigned char hash[SHA256_BYTES], int64_t *bytes)
{
    *bytes = (int64_t)len;
    if (fd < 0)
        sha256(content, len, hash);
    else if (!media_files_hash(fd, -1, hash, bytes))
        return complain("a file that was uploaded can't be read from", files->incoming);
    hold(files, hash);
    bool done = fd >= 0 && give_name(files, fd, NULL, hash);
    if (!done)
        done = keep_copy(files, fd, content, len, hash, bytes);
    if (done)
        return true;
    complain("a file that was uploaded can't be kept in", files->incoming);
    media_files_release(files, hash);
    return false;
}

int media_files_read(const struct media_files *files, const unsigned char hash[SHA256_BYTES], int64_t *bytes)
{
    char path[NAME_MAX_BYTES];
    struct stat st = {0};
    path_of(hash, path);
    int fd = openat(files->content, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        complain("this file of media can't be read:", path);
    *bytes = st.st_size;
    return fd;
}

/* --- Thumbnails --- */

/* "ab/abcd…-96x96c" */
static void thumbnail_path(const unsigned char hash[SHA256_BYTES], int width, int height, char how,
                           char out[NAME_MAX_BYTES + 32])
{
    char path[NAME_MAX_BYTES];
    path_of(hash, path);
    snprintf(out, NAME_MAX_BYTES + 32, "%s-%dx%d%c", path, width, height, how);
}

int media_files_thumbnail(const struct media_files *files, const unsigned char hash[SHA256_BYTES], int width,
                          int height, char how, int64_t *bytes)
{
    char path[NAME_MAX_BYTES + 32];
    struct stat st = {0};
    thumbnail_path(hash, width, height, how, path);
    int fd = openat(files->thumbnails, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    *bytes = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
    return fd;
}

int media_files_nameless(const struct media_files *files)
{
    char *name;
    int fd = open_spooled(files, &name);
    if (fd < 0)
        complain("no file can be made in", files->incoming);
    if (name != NULL) /* it is copied in the end */
        unlink(name);
    free(name);
    return fd;
}

bool media_files_name_thumbnail(const struct media_files *files, int fd, const unsigned char hash[SHA256_BYTES],
                                int width, int height, char how)
{
    char path[NAME_MAX_BYTES + 32], source[32];
    thumbnail_path(hash, width, height, how, path);
    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    path[2] = '\0';
    mkdirat(files->thumbnails, path, 0700); /* the first in it */
    path[2] = '/';
    unlinkat(files->thumbnails, path, 0); /* what a crash has left empty */
    return linkat(AT_FDCWD, source, files->thumbnails, path, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST ||
           complain("a thumbnail can't be kept:", path);
}

static void remove_thumbnails(const struct media_files *files, const unsigned char hash[SHA256_BYTES])
{
    char path[NAME_MAX_BYTES + 32];
#define X(width, height, how)                                                                                          \
    thumbnail_path(hash, width, height, how, path);                                                                    \
    unlinkat(files->thumbnails, path, 0);
#include "homeserver/media/thumbnail_sizes.def"
#undef X
}

/* --- Removing --- */

static bool remove_durably(int folder, const char *path)
{
    char in[3] = {path[0], path[1], '\0'};
    if (unlinkat(folder, path, 0) != 0 && errno != ENOENT)
        return complain("this file of media can't be removed:", path);
    int parent = openat(folder, in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = parent >= 0 ? fsync(parent) == 0 : errno == ENOENT;
    if (parent >= 0)
        close(parent);
    return done;
}

bool media_files_remove(struct media_files *files, const unsigned char hash[SHA256_BYTES], media_needed *needed,
                        void *arg)
{
    char path[NAME_MAX_BYTES];
    path_of(hash, path);
    pthread_mutex_lock(&files->lock);
    bool keeps = *find_held(files, hash) != NULL || needed(arg, hash);
    bool done = keeps || remove_durably(files->content, path);
    if (!keeps)
        remove_thumbnails(files, hash);
    pthread_mutex_unlock(&files->lock);
    return done;
}

/* One of the 256. What does not look like a content is nobody's. */
static int64_t sweep_folder(struct media_files *files, int of, const char *name, media_needed *needed, void *arg,
                            const _Atomic bool *stop)
{
    int64_t n = 0;
    unsigned char hash[SHA256_BYTES];
    int fd = openat(of, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (folder == NULL && fd >= 0)
        close(fd);
    while (folder != NULL && !*stop && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        bool known = strlen(entry->d_name) >= 2 * (size_t)SHA256_BYTES && hash_from(entry->d_name, hash);
        pthread_mutex_lock(&files->lock);
        bool keeps = known && (*find_held(files, hash) != NULL || needed(arg, hash));
        n += !keeps && unlinkat(fd, entry->d_name, 0) == 0;
        pthread_mutex_unlock(&files->lock);
    }
    if (folder != NULL)
        closedir(folder);
    return n;
}

int64_t media_files_sweep(struct media_files *files, media_needed *needed, void *arg, const _Atomic bool *stop)
{
    char name[3];
    int64_t n = 0;
    for (int i = 0; i < 256 && !*stop; ++i) {
        snprintf(name, sizeof name, "%02x", i);
        n += sweep_folder(files, files->content, name, needed, arg, stop) +
             sweep_folder(files, files->thumbnails, name, needed, arg, stop);
    }
    return n;
}
