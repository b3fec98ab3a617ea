#include "homeserver/media/upkeep.h"

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/media/files.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/media.h"

#define AT_ONCE 50                    /* pieces a job of the writer */
#define KEPT_MS (INT64_C(7) * DAY_MS) /* until one that is needed is looked at again */

struct look {
    const struct media *media;
    int n;     /* pieces that were looked at */
    bool gone; /* there are files to remove */
};

static bool is_needed(const struct look *look, struct db *db, const struct media_row *row)
{
    user_no owner;
    struct text uri = TEXT_INIT;
    if (!row->whole)
        return false;
    if (!row->sent && strcmp(row->type, "application/octet-stream") == 0 && media_was_encrypted(db, row->user))
        return true;
    text_addf(&uri, "mxc://%s/%s", look->media->server_name, row->media_id);
    struct stmt *q = media_pictured_people(db, uri.data);
    bool needed = media_pictured_people_next(q, &owner);
    stmt_end(q);
    needed = needed || media_is_kept(db, row->user, uri.data);
    text_finish(&uri);
    return needed;
}

static bool job_look(struct tx *tx, void *arg, struct error *e)
{
    struct look *look = arg;
    struct media_row rows[AT_ONCE];
    unsigned char hash[SHA256_BYTES];
    struct stmt *q = media_due(tx->db, tx->now_ms, AT_ONCE);
    for (look->n = 0; look->n < AT_ONCE && media_next(q, &rows[look->n]);)
        ++look->n;
    stmt_end(q);
    for (int i = 0; i < look->n; ++i)
        if (!(is_needed(look, tx->db, &rows[i]) ? media_keep(tx, rows[i].no, tx->now_ms + KEPT_MS)
                                                : media_forget(tx, rows[i].no)))
            return error_set(e, ERROR_UNKNOWN, NULL);
    look->gone = media_gone_next(tx->db, hash);
    return true;
}

static bool needed(void *db, const unsigned char hash[SHA256_BYTES])
{
    return media_has_hash(db, hash) || db_failed(db);
}

static bool job_done(struct tx *tx, void *arg, struct error *e)
{
    return media_gone_done(tx, arg) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool remove_gone(const struct media *media, struct db *db, const _Atomic bool *stop)
{
    struct error e;
    unsigned char hash[SHA256_BYTES];
    while (!*stop && media_gone_next(db, hash))
        if (!media_files_remove(media->files, hash, needed, db) || !writer_run(media->writer, job_done, hash, &e))
            return false;
    return !db_failed(db);
}

enum job_outcome media_upkeep_run(void *arg, const _Atomic bool *stop)
{
    struct media_upkeep *upkeep = arg;
    struct look look = {.media = upkeep->media};
    struct error e;
    int64_t now_ms = clock_mono_ms();
    bool sweeps = upkeep->swept_ms == 0 || now_ms - upkeep->swept_ms >= MEDIA_SWEEP_MS;
    if (!writer_run(upkeep->media->writer, job_look, &look, &e))
        return JOB_FAILED;
    if (!look.gone && !sweeps)
        return look.n == AT_ONCE ? JOB_MORE : JOB_DONE;
    struct db *db = writer_open_reader(upkeep->media->writer);
    bool done = db != NULL && remove_gone(upkeep->media, db, stop);
    if (done && sweeps) {
        int64_t n = media_files_sweep(upkeep->media->files, needed, db, stop);
        done = !db_failed(db);
        upkeep->swept_ms = now_ms;
        if (n != 0)
            log_info("media", "%lld files that nothing named any more were removed", (long long)n);
    }
    db_close(db);
    return !done ? JOB_FAILED : look.n == AT_ONCE ? JOB_MORE : JOB_DONE;
}
