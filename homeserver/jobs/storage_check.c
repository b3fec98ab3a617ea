#include "homeserver/jobs/storage_check.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/backup.h"
#include "homeserver/store/driver/storage.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/stamps.h"

#define SPARE_BYTES (INT64_C(256) << 20) /* that must be left beside the copy */

static bool job_probe(struct tx *tx, void *arg, struct error *e)
{
    int64_t *back_ms = arg;
    return tx_note_time(tx, back_ms) && (*back_ms == 0 || stamps_put_right(tx, *back_ms));
}

enum job_outcome storage_probe(struct storage_check *check, bool *suspect)
{
    struct error e;
    int64_t now_ms = clock_mono_ms();
    enum storage_problem problem = storage_problem(check->storage, now_ms);
    *suspect =
        problem == STORAGE_DAMAGED && (check->suspected_ms == 0 || now_ms - check->suspected_ms >= STORAGE_SUSPECT_MS);
    if (*suspect)
        check->suspected_ms = now_ms;
    if (problem == STORAGE_WELL && check->probed_ms != 0 && now_ms - check->probed_ms < STORAGE_PROBE_MS)
        return JOB_DONE;
    check->probed_ms = now_ms;
    int64_t back_ms = 0;
    bool written = writer_run(check->writer, job_probe, &back_ms, &e);
    if (written && back_ms != 0)
        log_warn("store", "the clock went back by %lld s: times that it had put ahead were put right",
                 (long long)(back_ms / 1000));
    storage_probed(check->storage, written);
    return written ? JOB_DONE : JOB_FAILED;
}

static bool has_room(const struct storage_check *check)
{
    struct stat file;
    struct statvfs disk;
    if (stat(check->db_path, &file) != 0 || statvfs(check->db_path, &disk) != 0)
        return true; /* copying will say what is wrong */
    return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize >= file.st_size + SPARE_BYTES;
}

enum job_outcome storage_verify(const struct storage_check *check)
{
    unlink(check->copy_path); /* of a server that was killed */
    if (!has_room(check)) {
        log_warn("backup", "the database was not verified: there is no room for a copy");
        return JOB_FAILED;
    }
    if (!db_copy(check->db_path, check->copy_path))
        return JOB_FAILED;
    storage_verified(check->storage, db_verify(check->copy_path, NULL));
    unlink(check->copy_path);
    return JOB_DONE;
}
