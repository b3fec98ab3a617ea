#include "homeserver/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/log.h"

bool lock_folder_is_own(const char *folder, struct text *owner)
{
    struct stat is;
    struct passwd entry, *found = NULL;
    char names[1024];
    if (stat(folder, &is) != 0 || is.st_uid == geteuid() || (geteuid() != 0 && access(folder, W_OK | X_OK) == 0))
        return true;
    if (getpwuid_r(is.st_uid, &entry, names, sizeof names, &found) == 0 && found != NULL)
        text_adds(owner, found->pw_name);
    else
        text_addf(owner, "%ju", (uintmax_t)is.st_uid);
    return false;
}

int lock_take(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("lock", "%s: %s", path, strerror(errno));
        return -2;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

void lock_release(int lock)
{
    if (lock >= 0)
        close(lock);
}
