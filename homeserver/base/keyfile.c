#include "homeserver/base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/io.h"

#define VERSION_BYTES_MAX 20 /* struct signing_key has room for "ed25519:" and a little more */

static bool complain(struct text *problem, const char *path, const char *what)
{
    text_addf(problem, "%s: %s", path, what);
    return false;
}

static bool version_valid(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && s[n] == '\0';
}

static bool parse(const char *path, FILE *f, struct signing_key *key, struct text *problem)
{
    char version[VERSION_BYTES_MAX + 1], seed_text[64];
    unsigned char seed[SEED_BYTES];
    if (fscanf(f, "ed25519 %20s %63s", version, seed_text) != 2 || !version_valid(version) ||
        base64_decode(seed_text, strlen(seed_text), seed, sizeof seed) != SEED_BYTES)
        return complain(problem, path, "not a signing key (\"ed25519 <version> <base64>\")");
    signing_key_from_seed(key, version, seed);
    return true;
}

/* The key must outlive a crash right after its first use, so the file and its name are synced. */
static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path) + 1);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(directory);
    return done;
}

static bool create(const char *path, struct text *problem)
{
    char version[7] = "a_";
    unsigned char seed[SEED_BYTES];
    struct text line = TEXT_INIT, fresh = TEXT_INIT;
    random_name(version + 2, 4);
    randombytes_buf(seed, sizeof seed);
    text_addf(&line, "ed25519 %s ", version);
    text_add_base64(&line, seed, sizeof seed);
    text_addc(&line, '\n');
    text_addf(&fresh, "%s.new", path);
    int fd = open(fresh.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = fd >= 0 && fchmod(fd, 0600) == 0 && io_write_all(fd, line.data, line.len) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    done = done && rename(fresh.data, path) == 0 && sync_directory(path);
    if (!done)
        complain(problem, path, strerror(errno));
    text_finish(&line);
    text_finish(&fresh);
    return done;
}

/* Somebody has written so, knowing that the old key is lost. */
static bool says_new(const char *path)
{
    char word[sizeof KEYFILE_NEW + 1] = "";
    FILE *f = fopen(path, "re");
    bool says = f != NULL && fscanf(f, "%4s", word) == 1 && strcmp(word, KEYFILE_NEW) == 0;
    if (f != NULL)
        fclose(f);
    return says;
}

bool keyfile_load(const char *path, const char *beside, struct signing_key *key, struct text *problem)
{
    bool makes = access(path, F_OK) != 0 && errno == ENOENT;
    if (makes && beside != NULL && access(beside, F_OK) == 0)
        return complain(
            problem, path,
            "not there, though there is a database: put it back from the backup. If it is lost for good, "
            "write the word new into it, and another is made, which verifies and opens nothing that the old "
            "one signed and sealed (the audit log, second factors)");
    if ((makes || (beside != NULL && says_new(path))) && !create(path, problem))
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return complain(problem, path, strerror(errno));
    bool done = parse(path, f, key, problem);
    fclose(f);
    return done;
}
