#include "homeserver/media/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/media/files.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/matrix/media.h"

#define PIECE (256 << 10)

static bool fail(struct text *problem, const char *what)
{
    text_addf(problem, "%s: %s", what, strerror(errno));
    return false;
}

static void path_in(const char *dir, const unsigned char hash[SHA256_BYTES], struct text *out)
{
    char name[MEDIA_HASH_TEXT];
    media_hash_text(hash, name);
    text_clear(out);
    text_addf(out, "%s/content/%.2s/%s", dir, name, name);
}

static bool copy_bytes(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    ssize_t n = out >= 0 ? 1 : -1;
    while (n > 0)
        n = copy_file_range(in, NULL, out, NULL, PIECE, 0);
    bool done = n == 0 && fsync(out) == 0;
    int error = errno;
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    errno = error;
    return done;
}

static bool copy_one(const char *from, const char *to, struct media_copied *out, struct text *problem)
{
    struct stat st;
    struct text folder = TEXT_INIT;
    text_add(&folder, to, (size_t)(strrchr(to, '/') - to));
    bool made = mkdir(folder.data, 0700) == 0 || errno == EEXIST;
    text_finish(&folder);
    if (!made)
        return fail(problem, to);
    if (stat(from, &st) != 0 && errno == ENOENT) {
        ++out->missing;
        return true;
    }
    if (link(from, to) != 0 && errno != EEXIST && !copy_bytes(from, to) && errno != EEXIST)
        return fail(problem, to);
    ++out->files;
    out->bytes += st.st_size;
    return true;
}

bool media_copy(const char *db_path, const char *from_dir, const char *to_dir, struct media_copied *out,
                struct text *problem)
{
    struct media_row row;
    struct text from = TEXT_INIT, to = TEXT_INIT;
    *out = (struct media_copied){0};
    text_addf(&to, "%s/content", to_dir);
    bool done = (mkdir(to_dir, 0700) == 0 && mkdir(to.data, 0700) == 0) || fail(problem, to_dir);
    struct db *db = done ? db_open(db_path, DB_READ, NULL) : NULL;
    struct stmt *q = db != NULL && schema_has_table(db, "media") ? media_all(db, 0) : NULL;
    while (done && q != NULL && media_next(q, &row)) {
        if (!row.whole)
            continue;
        path_in(from_dir, row.hash, &from);
        path_in(to_dir, row.hash, &to);
        done = copy_one(from.data, to.data, out, problem);
    }
    stmt_end(q);
    done = done && db != NULL && !db_failed(db);
    db_close(db);
    text_finish(&from);
    text_finish(&to);
    return done;
}

bool media_verify(const char *db_path, const char *dir, struct media_copied *out, struct text *problem)
{
    struct media_row row;
    struct text path = TEXT_INIT;
    struct db *db = db_open(db_path, DB_READ, NULL);
    struct stmt *q = db != NULL && schema_has_table(db, "media") ? media_all(db, 0) : NULL;
    *out = (struct media_copied){0};
    while (q != NULL && media_next(q, &row)) {
        unsigned char is[SHA256_BYTES];
        int64_t bytes;
        if (!row.whole)
            continue;
        path_in(dir, row.hash, &path);
        int fd = open(path.data, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            ++out->missing;
        else if (media_files_hash(fd, is, &bytes) && bytes == row.bytes && memcmp(is, row.hash, sizeof is) == 0) {
            ++out->files;
            out->bytes += bytes;
        } else
            ++out->damaged;
        if (fd >= 0)
            close(fd);
    }
    stmt_end(q);
    bool done = (db != NULL && !db_failed(db)) || fail(problem, db_path);
    db_close(db);
    text_finish(&path);
    return done;
}
