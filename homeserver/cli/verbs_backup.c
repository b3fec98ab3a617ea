/* parta backup, parta verify: copies of everything the server keeps. */
#include "homeserver/store/driver/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/config.h"
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
    bool done = write(out, bytes, (size_t)n) == n && fsync(out) == 0;
    return close(out) == 0 && done;
}

/* After the database: what it names. */
static bool fill_media(struct verb_call *call, const char *folder, const char *database, struct text *told)
{
    struct media_copied copied;
    struct text media = TEXT_INIT;
    text_addf(&media, "%s/media", folder);
    bool done = media_copy(database, call->config->media_path, media.data, &copied, &call->problem);
    if (done)
        text_addf(told, "%s holds %" PRId64 " files (%" PRId64 " bytes) that people have sent.\n", media.data,
                  copied.files, copied.bytes);
    if (done && copied.missing != 0)
        text_addf(told, "%" PRId64 " files were not there: taken back since, or lost (parta verify %s).\n",
                  copied.missing, call->config->data_dir);
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
                 verb_fail(call, "The database could not be copied (see above)."));
    bool whole = done && fill_media(call, folder, database.data, told); /* what is there of the rest is good */
    if (!done) {
        unlink(key.data);
        rmdir(folder);
    }
    text_finish(&database);
    text_finish(&key);
    return whole;
}

static bool backup(struct verb_call *call)
{
    const char *folder = call->args[0];
    if (access(call->config->database_path, R_OK) != 0)
        return verb_fail(call, "%s: %s", call->config->database_path, strerror(errno));
    if (mkdir(folder, 0700) != 0)
        return verb_fail(call, "%s: %s", folder, strerror(errno));
    struct text told = TEXT_INIT;
    bool done = fill(call, folder, &told);
    if (done)
        text_addf(&call->out, "%s holds the database and the signing key; their copy is sound.\n%s", folder, told.data);
    text_finish(&told);
    return done;
}

static bool verify_key(struct verb_call *call, const char *folder)
{
    struct text path = TEXT_INIT;
    struct signing_key key;
    text_addf(&path, "%s/signing.key", folder);
    bool sound = (access(path.data, R_OK) == 0 || verb_fail(call, "%s: %s", path.data, strerror(errno))) &&
                 keyfile_load(path.data, &key, &call->problem);
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
        text_addf(told, "%s: %" PRId64 " files are sound, %" PRId64 " are missing, %" PRId64 " damaged.\n", media.data,
                  found.files, found.missing, found.damaged);
    text_finish(&media);
    return sound && (found.damaged == 0 || verb_fail(call, "Files that people have sent are damaged."));
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
     "The server may be running: the copy is one moment of it, and nobody waits. FOLDER must not exist; keep it where\n"
     "only administrators can read it, since it holds everything."},
    {"verify", "PATH", 1, 1, NULL, 0, verify,
     "Reads a whole backup (a folder or a database file) and says whether it is sound.",
     "Checks every page, index and reference of the database and, for a folder, the signing key and people's files."},
};
const struct verbs BACKUP_VERBS = VERBS(TABLE);
