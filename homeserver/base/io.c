#include "homeserver/base/io.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t send_some(int fd, const void *bytes, size_t n)
{
    return send(fd, bytes, n, MSG_NOSIGNAL);
}

static bool all(int fd, const void *bytes, size_t n, ssize_t (*some)(int fd, const void *bytes, size_t n))
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t gone = some(fd, at, n);
        if (gone < 0 && errno == EINTR)
            continue;
        if (gone <= 0)
            return false;
        at += gone;
        n -= (size_t)gone;
    }
    return true;
}

bool io_write_all(int fd, const void *bytes, size_t n)
{
    return all(fd, bytes, n, write);
}

bool io_send_all(int fd, const void *bytes, size_t n)
{
    return all(fd, bytes, n, send_some);
}
