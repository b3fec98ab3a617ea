/* What a virus scanner says of a file, by any socket: the pieces in which it arrives are the input's lines. Nothing may
 * crash; how it is cut makes no difference; clean is only what says so and ends there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/media/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* lines: it comes line by line (a packet, which is read at once); otherwise as it fits. *whole: the socket held it all
 * (a packet of one byte takes the room of hundreds). */
static enum scan_outcome hear(const char *bytes, size_t len, bool lines, bool *whole)
{
    int ends[2];
    must(socketpair(AF_UNIX, lines ? SOCK_SEQPACKET : SOCK_STREAM, 0, ends) == 0);
    *whole = true;
    for (size_t at = 0, n; at < len && *whole; at += n) {
        const char *end = lines ? memchr(bytes + at, '\n', len - at) : NULL;
        n = end != NULL ? (size_t)(end + 1 - bytes) - at : len - at;
        *whole = send(ends[0], bytes + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
    }
    shutdown(ends[0], SHUT_WR);
    enum scan_outcome outcome = scan_hear(ends[1]);
    close(ends[0]);
    close(ends[1]);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char CLEAN[] = "stream: OK";
    const char *said = (const char *)bytes;
    log_set_level(LOG_ERROR - 1);
    bool whole;
    enum scan_outcome outcome = hear(said, len, false, &whole);
    if (!whole)
        return 0;
    bool clean = len >= sizeof CLEAN && memcmp(said, CLEAN, sizeof CLEAN) == 0;
    must((outcome == SCAN_CLEAN) == clean);
    must(outcome != SCAN_FOUND || memmem(said, len, " FOUND", 7) != NULL);
    must(hear(said, len, true, &whole) == outcome || !whole);
    return 0;
}
