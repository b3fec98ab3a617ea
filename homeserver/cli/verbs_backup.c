/* parta backup, parta verify: copies of everything the server keeps. */
#include "homeserver/store/driver/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/io.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/cli/verb.h"
#include "homeserver/media/copy.h"

static bool copy_small_file(const char *from, const char *to)
{
    char bytes[4096];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    ssize_t n = in >= 0 ? read(in, bytes, sizeof bytes) : -1;
    if (in >= 0)
        close(in);
    if (n < 0)
        return false;
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return false;
    bool done = io_write_all(out, bytes, (size_t)n) && fsync(out) == 0;
    return close(out) == 0 && done;
}

/* After the database: what it names. */
static bool fill_media(struct verb_call *call, const char *folder, const char *database, struct text *told)
{
    struct media_copied copied;
    struct text media = TEXT_INIT;
    text_addf(&media, "%s/media", folder);
    bool done = media_copy(call->config->database_path, database, call->config->media_path, media.data, &copied,
                           &call->problem);
    if (done)
        text_addf(told, "It holds %" PRId64 " files (%" PRId64 " bytes) that people have sent.\n", copied.files,
                  copied.bytes);
    if (done && copied.taken_back != 0)
        text_addf(told, "%" PRId64 " were taken back meanwhile.\n", copied.taken_back);
    if (done && copied.lost != 0)
        text_addf(told, "%" PRId64 " are LOST: the database names them, and they are not in %s.\n", copied.lost,
                  call->config->media_path);
    text_finish(&media);
    return done;
}

static bool fill(struct verb_call *call, const char *folder, struct text *told)
{
    struct text database = TEXT_INIT, key = TEXT_INIT;
    text_addf(&database, "%s/parta.db", folder);
    text_addf(&key, "%s/signing.key", folder);
    bool done = (copy_small_file(call->config->signing_key_path, key.data) ||
                 verb_fail(call, "%s: %s", key.data, strerror(errno))) &&
                (db_backup(call->config->database_path, database.data) ||
                 verb_fail(call, "The database could not be copied (see above).")) &&
                fill_media(call, folder, database.data, told);
    text_finish(&database);
    text_finish(&key);
    return done;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

/* The folder has its name once it is whole: nothing that a full disk or a power cut has left looks like a backup. */
static bool backup(struct verb_call *call)
{
    const char *folder = call->args[0];
    struct stat st;
    if (access(call->config->database_path, R_OK) != 0)
        return verb_fail(call, "%s: %s", call->config->database_path, strerror(errno));
    if (lstat(folder, &st) == 0)
        return verb_fail(call, "%s is there already: a backup goes into a new folder.", folder);
    struct text part = TEXT_INIT, told = TEXT_INIT;
    text_adds(&part, folder);
    while (part.len > 1 && part.data[part.len - 1] == '/')
        part.data[--part.len] = '\0';
    text_adds(&part, ".part");
    bool made = mkdir(part.data, 0700) == 0 || verb_fail(call, "%s: %s", part.data, strerror(errno));
    bool done = made && fill(call, part.data, &told) &&
                (rename(part.data, folder) == 0 || verb_fail(call, "%s: %s", folder, strerror(errno)));
    if (done)
        text_addf(&call->out, "%s holds the database and the signing key; their copy is sound.\n%s", folder, told.data);
    else if (made)
        nftw(part.data, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    text_finish(&part);
    text_finish(&told);
    return done;
}

static bool verify_key(struct verb_call *call, const char *folder)
{
    struct text path = TEXT_INIT;
    struct signing_key key;
    text_addf(&path, "%s/signing.key", folder);
    bool sound = (access(path.data, R_OK) == 0 || verb_fail(call, "%s: %s", path.data, strerror(errno))) &&
                 keyfile_load(path.data, NULL, &key, &call->problem);
    text_finish(&path);
    return sound;
}

static bool verify_media(struct verb_call *call, const char *folder, const char *database, struct text *told)
{
    struct media_copied found;
    struct text media = TEXT_INIT;
    text_addf(&media, "%s/media", folder);
    bool sound = media_verify(database, media.data, &found, &call->problem);
    if (sound)
        text_addf(told, "%s: %" PRId64 " files are sound, %" PRId64 " were taken back.\n", media.data, found.files,
                  found.taken_back);
    text_finish(&media);
    return sound &&
           ((found.damaged == 0 && found.lost == 0) ||
            verb_fail(call, "Of the files that people have sent, %" PRId64 " are missing and %" PRId64 " damaged.",
                      found.lost, found.damaged));
}

static bool verify(struct verb_call *call)
{
    const char *what = call->args[0];
    struct stat st;
    struct text path = TEXT_INIT, told = TEXT_INIT;
    struct verified found;
    if (stat(what, &st) != 0)
        return verb_fail(call, "%s: %s", what, strerror(errno));
    bool folder = S_ISDIR(st.st_mode);
    if (folder && !verify_key(call, what))
        return false;
    text_addf(&path, "%s%s", what, folder ? "/parta.db" : "");
    bool sound = (access(path.data, R_OK) == 0 || verb_fail(call, "%s: %s", path.data, strerror(errno))) &&
                 (db_verify(path.data, &found) || verb_fail(call, "%s is not sound (see above).", path.data));
    sound = sound && (!folder || verify_media(call, what, path.data, &told));
    if (sound)
        text_addf(&call->out, "%s is sound: schema %d, %" PRId64 " users, %" PRId64 " rooms, %" PRId64 " events.\n%s",
                  path.data, found.schema, found.users, found.rooms, found.events, told.data != NULL ? told.data : "");
    text_finish(&path);
    text_finish(&told);
    return sound;
}

static const struct verb TABLE[] = {
    {"backup", "FOLDER", 1, 1, NULL, VERB_CONFIG, backup,
     "Copies the database, the signing key and people's files into a new folder and checks the copy.",
     "The server may be running: the copy is one moment of it, and nobody waits. FOLDER must not exist; it has the "
     "name\n"
     "FOLDER.part until it is whole. Keep it where only administrators can read it, since it holds everything."},
    {"verify", "PATH", 1, 1, NULL, 0, verify,
     "Reads a whole backup (a folder or a database file) and says whether it is sound.",
     "Checks every page, index and reference of the database and, for a folder, the signing key and people's files."},
};
const struct verbs BACKUP_VERBS = VERBS(TABLE);
