#include "homeserver/cli/services.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/base/config.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/lock.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/oneroster/puller.h"

static enum services_outcome fail(struct services *services, struct text *problem, const char *path, const char *what)
{
    if (problem->len == 0)
        text_addf(problem, "%s: %s", path, what);
    services_close(services);
    return SERVICES_FAILED;
}

static bool open_services(struct services *services, struct text *problem)
{
    const struct config *config = services->config;
    struct db_options options = {.durable = config->storage.durable, .cache_kib = config->storage.cache_kib};
    if (!keyfile_load(config->signing_key_path, config->database_path, &services->key, problem))
        return false;
    services->writer = writer_start(config->database_path, &options);
    services->audit_log =
        services->writer != NULL ? audit_log_start(services->writer, &services->key, config->server_name) : NULL;
    if (services->audit_log == NULL || !users_check_server(services->writer, config->server_name))
        return false;
    services->names = user_names_create(config->server_name);
    services->accounts = accounts_create(config, services->writer, services->names);
    services->accounts->key = &services->key;
    services->rooms = rooms_create(&(struct rooms_settings){.server_name = config->server_name,
                                                            .key = &services->key,
                                                            .names = services->names,
                                                            .default_version = config->rooms.default_version,
                                                            .school_mode = config->policy.mode == POLICY_SCHOOL});
    services->outgoing = outgoing_create(NULL);
    services->puller = puller_create(config, services->writer, services->rooms, services->outgoing);
    return services->rooms != NULL;
}

/* Into lock, as lock_take says. false: the data directory is another user's, and no server runs there
 * that could be asked. */
static bool take_lock(struct services *services, struct text *problem)
{
    const struct config *config = services->config;
    struct text owner = TEXT_INIT;
    bool own = lock_folder_is_own(config->data_dir, &owner);
    services->lock = own || access(config->lock_path, F_OK) == 0 ? lock_take(config->lock_path) : -2;
    own = own || services->lock == -1;
    if (!own)
        text_addf(problem,
                  "%s belongs to the user %s: run this as that user (sudo -u %s parta …), or as root while the server"
                  " runs",
                  config->data_dir, owner.data, owner.data);
    text_finish(&owner);
    return own;
}

enum services_outcome services_open(const struct config *config, bool writes, struct services *services,
                                    struct text *problem)
{
    *services = (struct services){.config = config, .lock = -1};
    if (writes) {
        if (mkdir(config->data_dir, 0700) != 0 && errno != EEXIST)
            return fail(services, problem, config->data_dir, strerror(errno));
        if (!take_lock(services, problem))
            return fail(services, problem, config->data_dir, "is another's");
        if (services->lock == -1)
            return SERVICES_BUSY;
        if (services->lock < 0 || !open_services(services, problem))
            return fail(services, problem, config->data_dir, "can't be opened (see above)");
    }
    if (access(config->database_path, R_OK) != 0)
        return fail(services, problem, config->database_path,
                    errno == ENOENT ? "not there yet: the server's first start makes it" : strerror(errno));
    services->db = db_open(config->database_path, DB_READ, NULL);
    return services->db != NULL && users_are_of(services->db, config->server_name)
               ? SERVICES_OPEN
               : fail(services, problem, config->database_path, "can't be opened (see above)");
}

void services_close(struct services *services)
{
    db_close(services->db);
    puller_destroy(services->puller);
    outgoing_destroy(services->outgoing);
    writer_stop(services->writer);
    audit_log_stop(services->audit_log);
    rooms_destroy(services->rooms);
    accounts_destroy(services->accounts);
    user_names_destroy(services->names);
    lock_release(services->lock);
    *services = (struct services){.lock = -1};
}
