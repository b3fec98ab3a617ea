#include "homeserver/base/yaml_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_yaml(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && ((len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0) ||
                                       (len > 4 && strcmp(entry->d_name + len - 4, ".yml") == 0));
}

static bool fail(struct text *problem, const char *path, const char *why)
{
    text_clear(problem);
    text_addf(problem, "%s: %s", path, why);
    return false;
}

static bool read_file(const char *path, struct text *bytes, bool *readable, struct text *problem)
{
    struct stat is;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(problem, path, strerror(errno));
    bool good = fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && is.st_size <= (off_t)YAML_FILE_BYTES_MAX;
    if (!good)
        fail(problem, path, "no file, or longer than 64 KiB");
    *readable = good && (is.st_mode & 07) != 0;
    text_reserve(bytes, YAML_FILE_BYTES_MAX + 1);
    for (ssize_t n = 1; good && n > 0 && bytes->len <= YAML_FILE_BYTES_MAX; bytes->len += (size_t)n) {
        n = read(fd, bytes->data + bytes->len, YAML_FILE_BYTES_MAX + 1 - bytes->len);
        if (n < 0) {
            good = fail(problem, path, strerror(errno));
            n = 0;
        }
    }
    close(fd);
    return good;
}

static bool take_one(const char *path, yaml_file_take *take, void *arg, struct text *problem)
{
    struct text bytes = TEXT_INIT;
    bool readable = false;
    bool good = read_file(path, &bytes, &readable, problem) && take(arg, path, &bytes, readable, problem);
    text_finish(&bytes);
    return good;
}

bool yaml_folder_read(const char *folder, yaml_file_take *take, void *arg, struct text *problem)
{
    struct dirent **entries = NULL;
    bool good = true;
    int n = scandir(folder, &entries, is_yaml, alphasort);
    if (n < 0 || n > YAML_FOLDER_FILES_MAX)
        good = fail(problem, folder, n < 0 ? strerror(errno) : "more than 64 files");
    for (int i = 0; i < n; ++i) {
        struct text path = TEXT_INIT;
        text_addf(&path, "%s/%s", folder, entries[i]->d_name);
        good = good && take_one(path.data, take, arg, problem);
        text_finish(&path);
        free(entries[i]);
    }
    free(entries);
    return good;
}
