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

#define TAKEN_BACK "%s/taken-back" /* in the copy: names of contents, a line each */

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

/* By reading and writing: what copies within the kernel does not do it between all file systems. */
static bool copy_bytes(const char *from, const char *to)
{
    unsigned char hash[SHA256_BYTES];
    int64_t bytes;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    bool done = out >= 0 && media_files_hash(in, out, hash, &bytes) && fsync(out) == 0;
    int error = errno;
    if (out >= 0 && (close(out) != 0 || !done)) {
        error = done ? errno : error;
        done = false;
        unlink(to);
    }
    if (in >= 0)
        close(in);
    errno = error;
    return done;
}

/* --- Copying --- */

struct copying {
    struct db *live;
    const char *from_dir, *to_dir;
    FILE *taken_back;
    struct media_copied *out;
    struct text *problem;
};

static bool note_absent(struct copying *c, const unsigned char hash[SHA256_BYTES])
{
    char name[MEDIA_HASH_TEXT];
    bool named = media_has_hash(c->live, hash);
    if (db_failed(c->live))
        return fail(c->problem, "the database");
    if (named) {
        ++c->out->lost;
        return true;
    }
    media_hash_text(hash, name);
    ++c->out->taken_back;
    return fprintf(c->taken_back, "%s\n", name) > 0 || fail(c->problem, c->to_dir);
}

static bool copy_one(struct copying *c, const unsigned char hash[SHA256_BYTES])
{
    struct stat st;
    struct text from = TEXT_INIT, to = TEXT_INIT, folder = TEXT_INIT;
    path_in(c->from_dir, hash, &from);
    path_in(c->to_dir, hash, &to);
    text_add(&folder, to.data, (size_t)(strrchr(to.data, '/') - to.data));
    bool done = mkdir(folder.data, 0700) == 0 || errno == EEXIST || fail(c->problem, folder.data);
    bool there = stat(from.data, &st) == 0;
    if (done && !there)
        done = errno == ENOENT ? note_absent(c, hash) : fail(c->problem, from.data);
    else if (done) {
        done = link(from.data, to.data) == 0 || errno == EEXIST || copy_bytes(from.data, to.data) ||
               fail(c->problem, to.data);
        c->out->files += done;
        c->out->bytes += done ? st.st_size : 0;
    }
    text_finish(&from);
    text_finish(&to);
    text_finish(&folder);
    return done;
}

static bool copy_all(struct copying *c, struct db *copy)
{
    struct media_row row;
    bool done = true;
    struct stmt *q = schema_has_table(copy, "media") ? media_all(copy, 0) : NULL;
    while (done && q != NULL && media_next(q, &row))
        done = !row.whole || copy_one(c, row.hash);
    stmt_end(q);
    return done && (!db_failed(copy) || fail(c->problem, "the copy of the database"));
}

static FILE *begin(const char *to_dir)
{
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/content", to_dir);
    bool made = mkdir(to_dir, 0700) == 0 && mkdir(path.data, 0700) == 0;
    text_clear(&path);
    text_addf(&path, TAKEN_BACK, to_dir);
    FILE *file = made ? fopen(path.data, "wxe") : NULL;
    text_finish(&path);
    return file;
}

bool media_copy(const char *live_path, const char *copy_path, const char *from_dir, const char *to_dir,
                struct media_copied *out, struct text *problem)
{
    struct copying c = {.from_dir = from_dir, .to_dir = to_dir, .out = out, .problem = problem};
    struct db *copy = NULL;
    *out = (struct media_copied){0};
    if ((c.taken_back = begin(to_dir)) == NULL)
        return fail(problem, to_dir);
    bool done = ((c.live = db_open(live_path, DB_READ, NULL)) != NULL || fail(problem, live_path)) &&
                ((copy = db_open(copy_path, DB_READ, NULL)) != NULL || fail(problem, copy_path)) && copy_all(&c, copy);
    db_close(copy);
    db_close(c.live);
    bool written = fflush(c.taken_back) == 0 && fsync(fileno(c.taken_back)) == 0;
    return fclose(c.taken_back) == 0 && written ? done : done && fail(problem, to_dir);
}

/* --- Verifying --- */

/* What media_copy has noted; none is none. */
static bool read_taken_back(const char *dir, struct text *names)
{
    char piece[4096];
    size_t n;
    struct text path = TEXT_INIT;
    text_addf(&path, TAKEN_BACK, dir);
    FILE *file = fopen(path.data, "re");
    bool done = file != NULL || errno == ENOENT;
    while (file != NULL && (n = fread(piece, 1, sizeof piece, file)) > 0)
        text_add(names, piece, n);
    if (file != NULL) {
        done = !ferror(file);
        fclose(file);
    }
    text_finish(&path);
    return done;
}

static void verify_one(const char *dir, const struct media_row *row, const struct text *taken_back,
                       struct media_copied *out)
{
    unsigned char is[SHA256_BYTES];
    char name[MEDIA_HASH_TEXT];
    int64_t bytes;
    struct text path = TEXT_INIT;
    path_in(dir, row->hash, &path);
    media_hash_text(row->hash, name);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        ++*(taken_back->len != 0 && strstr(taken_back->data, name) != NULL ? &out->taken_back : &out->lost);
    else if (media_files_hash(fd, -1, is, &bytes) && bytes == row->bytes && memcmp(is, row->hash, sizeof is) == 0) {
        ++out->files;
        out->bytes += bytes;
    } else
        ++out->damaged;
    if (fd >= 0)
        close(fd);
    text_finish(&path);
}

bool media_verify(const char *db_path, const char *dir, struct media_copied *out, struct text *problem)
{
    struct media_row row;
    struct text taken_back = TEXT_INIT;
    *out = (struct media_copied){0};
    if (!read_taken_back(dir, &taken_back)) {
        text_finish(&taken_back);
        return fail(problem, dir);
    }
    struct db *db = db_open(db_path, DB_READ, NULL);
    struct stmt *q = db != NULL && schema_has_table(db, "media") ? media_all(db, 0) : NULL;
    while (q != NULL && media_next(q, &row))
        if (row.whole)
            verify_one(dir, &row, &taken_back, out);
    stmt_end(q);
    bool done = (db != NULL && !db_failed(db)) || fail(problem, db_path);
    db_close(db);
    text_finish(&taken_back);
    return done;
}
