#include "homeserver/accounts/devices.h"

#include <string.h>

#include "homeserver/accounts/login.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/driver/writer.h"

struct delete_job {
    user_no user;
    const char *const *ids;
    size_t n;
    bool all;
};

static bool job_delete(struct tx *tx, void *arg, struct error *e)
{
    const struct delete_job *job = arg;
    tx_own(tx, job->user);
    bool ok = !job->all || devices_delete_all(tx, job->user, 0);
    for (size_t i = 0; ok && i < job->n; ++i) {
        device_no device = devices_no(tx->db, job->user, job->ids[i]);
        ok = device == 0 || devices_delete(tx, job->user, device);
    }
    return ok || error_set(e, ERROR_UNKNOWN, NULL);
}

bool device_delete_many(const struct accounts *accounts, user_no user, const char *const *ids, size_t n,
                        struct error *e)
{
    struct delete_job job = {.user = user, .ids = ids, .n = n};
    return writer_run(accounts->writer, job_delete, &job, e);
}

bool device_delete(const struct accounts *accounts, user_no user, const char *device_id, struct error *e)
{
    return device_delete_many(accounts, user, &device_id, 1, e);
}

bool device_delete_all(const struct accounts *accounts, user_no user, struct error *e)
{
    struct delete_job job = {.user = user, .all = true};
    return writer_run(accounts->writer, job_delete, &job, e);
}

struct rename_job {
    user_no user;
    const char *device_id, *display_name;
};

static bool job_rename(struct tx *tx, void *arg, struct error *e)
{
    const struct rename_job *job = arg;
    device_no device = devices_no(tx->db, job->user, job->device_id);
    if (device == 0)
        return error_set(e, ERROR_NOT_FOUND, "There is no such device.");
    return devices_rename(tx, job->user, device, job->display_name) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool device_rename(const struct accounts *accounts, user_no user, const char *device_id, const char *display_name,
                   struct error *e)
{
    struct rename_job job = {user, device_id, display_name};
    return device_name_valid(display_name, "display_name", e) && writer_run(accounts->writer, job_rename, &job, e);
}
