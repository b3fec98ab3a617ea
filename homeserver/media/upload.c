#include "homeserver/media/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/names.h"
#include "homeserver/media/files.h"
#include "homeserver/media/scan.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/policies.h"
#include "policy/rules/media_share.h"

#define CREATED_WAIT_MS 60000 /* until there may be room for another one that is only created */
#define SCHOOLS_MAX PAIR_SCHOOLS_MAX

/* --- Whether they may --- */

struct shares {
    struct media_share at[SCHOOLS_MAX];
    school_no schools[SCHOOLS_MAX];
    int n;
};

static void add_share(struct shares *shares, struct db *db, user_no user, school_no school, enum media_tier tier)
{
    struct school_policy policy;
    struct media_share *share = &shares->at[shares->n];
    policies_in_force(db, school, &policy);
    share->file_max = policy.media[tier].file_max < MEDIA_BYTES_MAX ? policy.media[tier].file_max : MEDIA_BYTES_MAX;
    share->quota = policy.media[tier].quota;
    share->used = media_used(db, user, school);
    shares->schools[shares->n++] = school;
}

/* Who is in no school has the least; where there are no schools, everybody has the most. */
static void shares_of(const struct media *media, struct db *db, user_no user, struct shares *out)
{
    school_no schools[SCHOOLS_MAX];
    int n = 0;
    out->n = 0;
    if (media->school_mode)
        school_schools_of(db, user, schools, SCHOOLS_MAX, &n);
    for (int i = 0; i < n; ++i)
        add_share(out, db, user, schools[i], media_tier_of(school_roles(db, schools[i], user)));
    if (n == 0)
        add_share(out, db, user, 0, media->school_mode ? MEDIA_PUPIL : MEDIA_STAFF);
}

static bool tell(struct error *e, enum rule_refusal refusal, const char *word, int64_t most)
{
    rule_refuse(e, refusal);
    e->field = "org.parta.bound";
    snprintf(e->value, sizeof e->value, "%s: %" PRId64, word, most);
    return false;
}

static bool has_room(const struct media *media, struct db *db, user_no user, int64_t bytes, school_no *school,
                     struct error *e)
{
    struct shares shares;
    int which;
    int64_t most;
    shares_of(media, db, user, &shares);
    enum rule_refusal refusal = media_choose(shares.at, shares.n, bytes, &which, &most);
    if (refusal != RULE_NONE)
        return tell(e, refusal, refusal == RULE_J5_QUOTA ? "media_bytes" : "file_bytes", most);
    *school = shares.schools[which];
    return media_count(db, user) < MEDIA_FILES_MAX || tell(e, RULE_J5_FILES, "media", MEDIA_FILES_MAX);
}

/* A3: of an account that may act. */
static bool may_act(struct db *db, user_no user, struct error *e)
{
    struct user_row row;
    bool found = users_get(db, user, &row);
    enum account_state state = found ? row.state : ACCOUNT_LEFT;
    user_row_finish(&row);
    return account_state_may_act(state) ||
           error_set(e, state == ACCOUNT_SUSPENDED ? ERROR_USER_SUSPENDED : ERROR_FORBIDDEN, NULL);
}

bool media_may_upload(const struct media *media, struct db *db, user_no user, int64_t bytes, struct error *e)
{
    school_no school;
    return may_act(db, user, e) && has_room(media, db, user, bytes, &school, e);
}

int64_t media_upload_max(const struct media *media, struct db *db, user_no user)
{
    struct shares shares;
    shares_of(media, db, user, &shares);
    return media_largest(shares.at, shares.n);
}

/* --- What is said of it --- */

/* RFC 9110, 8.3.1: type "/" subtype, and parameters as they are, in ASCII that can be seen. */
static bool type_good(const char *type)
{
    static const char TOKEN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+*'`|~%";
    size_t main = strspn(type, TOKEN), sub = type[main] == '/' ? strspn(type + main + 1, TOKEN) : 0;
    const char *rest = type + main + 1 + sub;
    if (main == 0 || sub == 0 || (*rest != '\0' && *rest != ';' && *rest != ' '))
        return false;
    for (; *rest != '\0'; ++rest)
        if (*rest < ' ' || *rest > '~')
            return false;
    return true;
}

void media_clean_type(const char *said, char out[MEDIA_TYPE_BYTES_MAX + 1])
{
    bool good = said != NULL && strlen(said) <= MEDIA_TYPE_BYTES_MAX && type_good(said);
    snprintf(out, MEDIA_TYPE_BYTES_MAX + 1, "%s", good ? said : "application/octet-stream");
}

void media_clean_name(const char *said, char out[MEDIA_NAME_BYTES_MAX + 1])
{
    const char *name = said != NULL ? said : "";
    for (const char *c = name; *c != '\0'; ++c)
        if (*c == '/' || *c == '\\')
            name = c + 1;
    bool good = name_fault(name, MEDIA_NAME_BYTES_MAX) == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    snprintf(out, MEDIA_NAME_BYTES_MAX + 1, "%s", good ? name : "");
}

/* --- Doing it --- */

struct upload_job {
    const struct media *media;
    struct media_row row;
    const char *media_id; /* to be filled; NULL: a new one */
};

static bool to_fill(struct db *db, const struct upload_job *job, struct media_row *found, int64_t now_ms,
                    struct error *e)
{
    if (!media_find(db, job->media_id, found) || (!found->whole && found->forget_ms <= now_ms))
        return error_set(e, ERROR_NOT_FOUND, "There is no such media, or it was not uploaded in time.");
    if (found->user != job->row.user)
        return error_set(e, ERROR_FORBIDDEN, NULL);
    return !found->whole || error_set(e, ERROR_CANNOT_OVERWRITE_MEDIA, NULL);
}

static bool job_upload(struct tx *tx, void *arg, struct error *e)
{
    struct upload_job *job = arg;
    struct media_row found;
    job->row.created_ms = tx->now_ms;
    job->row.forget_ms = tx->now_ms + MEDIA_UNSENT_GRACE_MS;
    job->row.pos = writer_pos(tx->writer);
    if (job->media_id != NULL && !to_fill(tx->db, job, &found, tx->now_ms, e))
        return false;
    if (!may_act(tx->db, job->row.user, e) ||
        !has_room(job->media, tx->db, job->row.user, job->row.bytes, &job->row.school, e))
        return false;
    if (job->media_id != NULL)
        job->row.no = found.no;
    bool done = job->media_id != NULL ? media_fill(tx, &job->row) : media_insert(tx, &job->row);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

/* What no row names is removed by upkeep. */
static bool job_gone(struct tx *tx, void *arg, struct error *e)
{
    return media_gone(tx, arg) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Before it is anybody's. */
static bool passes_scanner(const struct media *media, const unsigned char hash[SHA256_BYTES], struct error *e)
{
    int64_t bytes;
    if (media->scanner == NULL)
        return true;
    int fd = media_files_read(media->files, hash, &bytes);
    enum scan_outcome outcome = fd >= 0 ? media_scan(media->scanner, fd) : SCAN_FAILED;
    if (fd >= 0)
        close(fd);
    if (outcome == SCAN_FOUND)
        return error_set(e, ERROR_FORBIDDEN, "The virus scanner refuses this file.");
    return outcome == SCAN_CLEAN || media->unscanned ||
           error_set(e, ERROR_UNAVAILABLE, "No file can be taken now: the virus scanner does not answer.");
}

static bool keep(struct upload_job *job, const struct media_upload *upload, struct error *e)
{
    struct media_row *row = &job->row;
    *row = (struct media_row){.user = upload->user, .whole = true};
    media_clean_type(upload->type, row->type);
    media_clean_name(upload->name, row->name);
    if (!media_files_keep(job->media->files, upload->fd, upload->content, upload->len, row->hash, &row->bytes))
        return error_set(e, ERROR_UNAVAILABLE, NULL);
    struct error ignored;
    bool done = passes_scanner(job->media, row->hash, e) && writer_run(job->media->writer, job_upload, job, e);
    media_files_release(job->media->files, row->hash);
    if (!done)
        writer_run(job->media->writer, job_gone, row->hash, &ignored);
    return done;
}

bool media_upload(const struct media *media, const struct media_upload *upload, char media_id[MEDIA_ID_BYTES + 1],
                  struct error *e)
{
    struct upload_job job = {.media = media};
    bool done = keep(&job, upload, e);
    strcpy(media_id, job.row.media_id);
    return done;
}

bool media_upload_to(const struct media *media, const struct media_upload *upload, const char *media_id,
                     struct error *e)
{
    struct upload_job job = {.media = media, .media_id = media_id};
    return keep(&job, upload, e);
}

static bool job_create(struct tx *tx, void *arg, struct error *e)
{
    struct upload_job *job = arg;
    job->row.created_ms = tx->now_ms;
    job->row.forget_ms = tx->now_ms + MEDIA_CREATED_GRACE_MS;
    if (!may_act(tx->db, job->row.user, e) || !has_room(job->media, tx->db, job->row.user, 0, &job->row.school, e))
        return false;
    if (media_pending(tx->db, job->row.user, tx->now_ms) >= MEDIA_PENDING_MAX)
        return error_set_limited(e, CREATED_WAIT_MS);
    return media_insert(tx, &job->row) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool media_create(const struct media *media, user_no user, char media_id[MEDIA_ID_BYTES + 1], int64_t *until_ms,
                  struct error *e)
{
    struct upload_job job = {.media = media, .row = {.user = user}};
    bool done = writer_run(media->writer, job_create, &job, e);
    strcpy(media_id, job.row.media_id);
    *until_ms = job.row.forget_ms;
    return done;
}
