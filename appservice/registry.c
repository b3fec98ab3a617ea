#include "appservice/registry.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/io.h"
#include "homeserver/base/log.h"
#include "homeserver/base/yaml_folder.h"

_Static_assert(APPSERVICES_MAX == YAML_FOLDER_FILES_MAX, "as many as a folder may have");
_Static_assert(REGISTRATION_BYTES_MAX == YAML_FILE_BYTES_MAX, "as long as a file of a folder may be");

struct registry {
    pthread_mutex_t lock;
    struct appservices *now;
    _Atomic bool empty;
};

static bool fail(struct text *problem, const char *path, const char *why)
{
    text_clear(problem);
    text_addf(problem, "%s: %s", path, why);
    return false;
}

struct loading {
    const struct config *config;
    struct appservices *set;
};

static bool add(void *arg, const char *path, const struct text *bytes, bool readable, struct text *problem)
{
    const struct loading *loading = arg;
    const struct config *config = loading->config;
    struct appservices *set = loading->set;
    const struct registration_place place = {config->server_name, config->policy.mode == POLICY_SCHOOL};
    if (readable)
        log_warn("appservice", "%s can be read by everybody on this machine, and has tokens in it", path);
    struct registration_file *file = registration_parse(path, bytes->data, bytes->len, &place, problem);
    for (size_t i = 0; file != NULL && i < set->n; ++i)
        if (registration_clash(set->all[i], file, problem)) {
            registration_free(file);
            return false;
        }
    if (file == NULL)
        return false;
    set->all[set->n] = file;
    set->files[set->n++] = xstrdup(path);
    return true;
}

static struct appservices *set_create(size_t n)
{
    struct appservices *set = xcalloc(1, sizeof *set);
    set->refs = 1;
    set->all = xcalloc(n + 1, sizeof(struct registration_file *));
    set->files = xcalloc(n + 1, sizeof *set->files);
    return set;
}

struct appservices *appservices_load(const struct config *config, struct text *problem)
{
    struct loading loading = {config, set_create(config->appservices != NULL ? APPSERVICES_MAX : 0)};
    if (config->appservices == NULL || yaml_folder_read(config->appservices, add, &loading, problem))
        return loading.set;
    appservices_unref(loading.set);
    return NULL;
}

/* The file is called after the id. */
static void path_of(const struct config *config, const char *id, struct text *path)
{
    text_addf(path, "%s/", config->appservices);
    size_t from = path->len;
    text_adds(path, id);
    for (char *c = path->data + from; *c != '\0'; ++c)
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
            *c = '_';
    text_adds(path, ".yaml");
}

static bool write_file(const char *path, const char *bytes, size_t len, struct text *problem)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    bool good = fd >= 0 && io_write_all(fd, bytes, len) && fsync(fd) == 0;
    if (!good)
        fail(problem, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!good && fd >= 0)
        unlink(path);
    return good;
}

bool appservices_add(const struct appservices *set, const struct config *config, const char *bytes, size_t len,
                     struct text *path, struct text *problem)
{
    const struct registration_place place = {config->server_name, config->policy.mode == POLICY_SCHOOL};
    struct registration_file *file = registration_parse("the registration", bytes, len, &place, problem);
    bool fits = file != NULL;
    for (size_t i = 0; fits && i < set->n; ++i)
        fits = !registration_clash(set->all[i], file, problem);
    if (fits && set->n == APPSERVICES_MAX)
        fits = fail(problem, config->appservices, "there are as many as there may be");
    if (fits) {
        path_of(config, file->id, path);
        fits = write_file(path->data, bytes, len, problem);
    }
    registration_free(file);
    return fits;
}

void appservices_unref(struct appservices *set)
{
    if (set == NULL || --set->refs != 0)
        return;
    for (size_t i = 0; i < set->n; ++i) {
        registration_free(set->all[i]);
        free(set->files[i]);
    }
    free(set->all);
    free(set->files);
    free(set);
}

const struct registration_file *appservices_by_id(const struct appservices *set, const char *id)
{
    for (size_t i = 0; i < set->n; ++i)
        if (strcmp(set->all[i]->id, id) == 0)
            return set->all[i];
    return NULL;
}

const struct registration_file *appservices_by_token(const struct appservices *set, const char *as_token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    const struct registration_file *found = NULL;
    if (set->n == 0)
        return NULL;
    token_hash(as_token, hash);
    for (size_t i = 0; i < set->n; ++i)
        if (bytes_equal(set->all[i]->as_token, hash, sizeof hash))
            found = set->all[i];
    return found;
}

const struct registration_file *appservices_exclusive(const struct appservices *set, enum namespace_kind kind,
                                                      const char *name)
{
    for (size_t i = 0; i < set->n; ++i)
        if (registration_has(set->all[i], kind, name, true))
            return set->all[i];
    return NULL;
}

struct registry *registry_create(struct appservices *set)
{
    struct registry *registry = xcalloc(1, sizeof *registry);
    pthread_mutex_init(&registry->lock, NULL);
    registry->now = set;
    registry->empty = set->n == 0;
    return registry;
}

bool registry_is_empty(const struct registry *registry)
{
    return registry->empty;
}

void registry_destroy(struct registry *registry)
{
    if (registry == NULL)
        return;
    appservices_unref(registry->now);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

struct appservices *registry_get(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    struct appservices *set = registry->now;
    ++set->refs;
    pthread_mutex_unlock(&registry->lock);
    return set;
}

void registry_put(struct registry *registry, struct appservices *set)
{
    pthread_mutex_lock(&registry->lock);
    struct appservices *before = registry->now;
    registry->now = set;
    registry->empty = set->n == 0;
    pthread_mutex_unlock(&registry->lock);
    appservices_unref(before);
}
