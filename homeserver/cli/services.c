#include "homeserver/cli/services.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/config.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/lock.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

static enum office_outcome fail(struct office *office, struct text *problem, const char *path, const char *what)
{
    if (problem->len == 0)
        text_addf(problem, "%s: %s", path, what);
    office_close(office);
    return OFFICE_FAILED;
}

static bool open_services(struct office *office, struct text *problem)
{
    const struct config *config = office->config;
    struct db_options options = {.durable = config->storage.durable, .cache_kib = config->storage.cache_kib};
    if (!keyfile_load(config->signing_key_path, &office->key, problem))
        return false;
    office->writer = writer_start(config->database_path, &options);
    if (office->writer == NULL)
        return false;
    office->names = user_names_create(config->server_name);
    office->accounts = accounts_create(config, office->writer, office->names);
    office->rooms = rooms_create(&(struct rooms_settings){.server_name = config->server_name,
                                                          .key = &office->key,
                                                          .names = office->names,
                                                          .default_version = config->rooms.default_version,
                                                          .school_mode = config->policy.mode == POLICY_SCHOOL});
    return office->rooms != NULL;
}

enum office_outcome office_open(const struct config *config, bool writes, struct office *office, struct text *problem)
{
    *office = (struct office){.config = config, .lock = -1};
    if (writes) {
        if (mkdir(config->data_dir, 0700) != 0 && errno != EEXIST)
            return fail(office, problem, config->data_dir, strerror(errno));
        office->lock = lock_take(config->lock_path);
        if (office->lock == -1)
            return OFFICE_BUSY;
        if (office->lock < 0 || !open_services(office, problem))
            return fail(office, problem, config->data_dir, "can't be opened (see above)");
    }
    if (access(config->database_path, R_OK) != 0)
        return fail(office, problem, config->database_path, strerror(errno));
    office->db = db_open(config->database_path, DB_READ, NULL);
    return office->db != NULL ? OFFICE_OPEN
                              : fail(office, problem, config->database_path, "can't be opened (see above)");
}

void office_close(struct office *office)
{
    db_close(office->db);
    writer_stop(office->writer);
    rooms_destroy(office->rooms);
    accounts_destroy(office->accounts);
    user_names_destroy(office->names);
    lock_release(office->lock);
    *office = (struct office){.lock = -1};
}
