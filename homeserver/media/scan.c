#include "homeserver/media/scan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "homeserver/base/io.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

#define PIECE (64 << 10)

static int reach(const char *path)
{
    const struct timeval patience = {.tv_sec = SCAN_WAIT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock >= 0 && (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                      setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
                      connect(sock, (const struct sockaddr *)&address, sizeof address) != 0)) {
        close(sock);
        return -1;
    }
    return sock;
}

/* Each piece behind its length; one of no bytes ends it. false: also when the scanner has heard
 * enough, and says why. */
static bool send_file(int sock, int fd)
{
    static const char COMMAND[] = "zINSTREAM";
    char *piece = xrealloc(NULL, PIECE);
    ssize_t n = 1;
    bool good = io_send_all(sock, COMMAND, sizeof COMMAND);
    for (int64_t at = 0; good && n > 0; at += n) {
        n = pread(fd, piece, PIECE, at);
        uint32_t len = htonl(n > 0 ? (uint32_t)n : 0);
        good = n >= 0 && io_send_all(sock, &len, sizeof len) && io_send_all(sock, piece, n > 0 ? (size_t)n : 0);
    }
    free(piece);
    return good;
}

/* "stream: OK", "stream: Eicar-Signature FOUND", "INSTREAM size limit exceeded. ERROR"; ended by NUL. */
enum scan_outcome scan_hear(int sock)
{
    static const char OK[] = "stream: OK", FOUND[] = " FOUND";
    char said[4096];
    size_t len = 0;
    bool ended = false;
    while (!ended && len < sizeof said) {
        ssize_t n = recv(sock, said + len, sizeof said - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        ended = memchr(said + len, '\0', (size_t)n) != NULL;
        len += (size_t)n;
    }
    len = ended ? strlen(said) : 0; /* what does not end may have gone on in any way */
    if (ended && strcmp(said, OK) == 0)
        return SCAN_CLEAN;
    if (len >= sizeof FOUND && strcmp(said + len - (sizeof FOUND - 1), FOUND) == 0)
        return SCAN_FOUND;
    log_error("media", "the virus scanner does not take a file: %s",
              len != 0 && text_is_line(said) ? said : "no answer");
    return SCAN_FAILED;
}

enum scan_outcome media_scan(const char *socket_path, int fd)
{
    int sock = reach(socket_path);
    if (sock < 0) {
        log_error("media", "the virus scanner at %s can't be reached: %s", socket_path, strerror(errno));
        return SCAN_FAILED;
    }
    send_file(sock, fd);
    enum scan_outcome outcome = scan_hear(sock);
    close(sock);
    return outcome;
}
