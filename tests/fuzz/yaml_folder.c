/* A folder of YAML files, as registrations of application services and providers to sign in at are kept: "%name" is the
 * line that begins a file. What is read are the files that are to be, in order and whole, or nothing with a reason; and
 * a registration that is added is read from then on. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appservice/registry.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/base/yaml_folder.h"
#include "homeserver/oidc/providers.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define NAME_BYTES 64
#define FILES_MAX (YAML_FOLDER_FILES_MAX + 2)

static char folder[64];
static struct config *config;
static struct file {
    char name[NAME_BYTES];
    const char *bytes;
    size_t len;
} files[FILES_MAX];
static size_t n_files, at; /* at: which is to be read next */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void remove_folder(void)
{
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/parta-fuzz-XXXXXX" : "/tmp/parta-fuzz-XXXXXX");
    log_set_level(LOG_ERROR - 1);
    must(crypto_start() && mkdtemp(folder) != NULL);
    atexit(remove_folder);
    text_addf(&yaml, "server_name: school.example\nappservices: %s\n", folder);
    must(config_parse("fuzz", yaml.data, yaml.len, &config, &problem));
    text_finish(&yaml);
    return 0;
}

/* --- The files of an input --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static bool is_name(const char *name)
{
    return *name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strchr(name, '/') == NULL;
}

static void take_file(const char *begin, const char *end)
{
    const char *line = memchr(begin, '\n', (size_t)(end - begin));
    struct file *file = &files[n_files];
    size_t len = line != NULL ? (size_t)(line - begin) : 0;
    if (line == NULL || n_files == FILES_MAX || len >= NAME_BYTES)
        return;
    memcpy(file->name, begin, len);
    file->name[len] = '\0';
    file->bytes = line + 1;
    file->len = (size_t)(end - line - 1);
    for (size_t i = 0; i < n_files; ++i)
        if (strcmp(files[i].name, file->name) == 0)
            return;
    n_files += is_name(file->name);
}

static void take_files(const char *bytes, size_t len)
{
    const char *end = bytes + len, *next;
    n_files = 0;
    for (const char *begin = bytes; begin < end; begin = next) {
        next = memmem(begin, (size_t)(end - begin), "\n%", 2);
        next = next != NULL ? next + 1 : end;
        if (*begin == '%')
            take_file(begin + 1, next);
    }
    qsort(files, n_files, sizeof *files, by_name);
}

/* By turns also for everybody, which is told. */
static int mode_of(const struct file *file)
{
    return file->len % 2 == 0 ? 0640 : 0644;
}

static void path_of(const struct file *file, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, file->name);
}

static void write_files(void)
{
    char path[128];
    for (size_t i = 0; i < n_files; ++i) {
        path_of(&files[i], path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        must(fd >= 0 && fchmod(fd, (mode_t)mode_of(&files[i])) == 0);
        must(write(fd, files[i].bytes, files[i].len) == (ssize_t)files[i].len);
        close(fd);
    }
}

static void remove_files(void)
{
    char path[128];
    for (size_t i = 0; i < n_files; ++i) {
        path_of(&files[i], path);
        unlink(path);
    }
}

static bool counts(const struct file *file)
{
    size_t len = strlen(file->name);
    const char *name = file->name;
    return *name != '.' &&
           ((len > 5 && strcmp(name + len - 5, ".yaml") == 0) || (len > 4 && strcmp(name + len - 4, ".yml") == 0));
}

static bool take(void *arg, const char *path, const struct text *bytes, bool readable, struct text *problem)
{
    char expected[128];
    while (at < n_files && !counts(&files[at]))
        ++at;
    must(at < n_files);
    path_of(&files[at], expected);
    must(strcmp(path, expected) == 0 && bytes->len == files[at].len);
    must(memcmp(bytes->data, files[at].bytes, bytes->len) == 0 && readable == (mode_of(&files[at]) == 0644));
    ++at;
    return true;
}

/* --- What is made of them --- */

static void check_folder(void)
{
    struct text problem = TEXT_INIT;
    size_t n = 0;
    for (size_t i = 0; i < n_files; ++i)
        n += counts(&files[i]);
    at = 0;
    bool read = yaml_folder_read(folder, take, NULL, &problem);
    while (at < n_files && !counts(&files[at]))
        ++at;
    must(read == (n <= YAML_FOLDER_FILES_MAX) && read == (problem.len == 0) && (!read || at == n_files));
    text_finish(&problem);
}

/* Each file as one that is added to the others. */
static void check_added(const struct appservices *set, const struct file *file)
{
    struct text path = TEXT_INIT, problem = TEXT_INIT;
    if (appservices_add(set, config, file->bytes, file->len, &path, &problem)) {
        struct appservices *more = appservices_load(config, &problem);
        must(more != NULL && more->n == set->n + 1);
        appservices_unref(more);
        unlink(path.data);
    } else {
        must(problem.len != 0);
    }
    text_finish(&path);
    text_finish(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct text problem = TEXT_INIT;
    take_files((const char *)bytes, len);
    write_files();
    check_folder();
    struct appservices *set = appservices_load(config, &problem);
    must((set == NULL) == (problem.len != 0));
    for (size_t i = 0; set != NULL && i < n_files; ++i)
        if (!counts(&files[i]))
            check_added(set, &files[i]);
    appservices_unref(set);
    text_clear(&problem);
    struct oidc_providers *providers = oidc_providers_load(folder, &problem);
    must((providers == NULL) == (problem.len != 0));
    oidc_providers_free(providers);
    text_finish(&problem);
    remove_files();
    return 0;
}
