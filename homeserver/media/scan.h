/* A virus scanner that looks at every upload before it is anybody's: clamd, over its Unix socket (clamd(8), INSTREAM).
 * What is encrypted it cannot read. */
#ifndef PARTA_MEDIA_SCAN_H
#define PARTA_MEDIA_SCAN_H

#include <stdint.h>

enum scan_outcome {
    SCAN_CLEAN,
    SCAN_FOUND,  /* something that nobody should open */
    SCAN_FAILED, /* it is not there, too slow, or did not take the file (logged) */
};

/* Lets the scanner at the socket read the file fd from its beginning. Blocks, as long as the scanner takes, but no more
 * than SCAN_WAIT_S for each step. */
#define SCAN_WAIT_S 60
enum scan_outcome media_scan(const char *socket_path, int fd);

/* What it says of the file that it was sent, of which nothing is taken that does not end as it ends its answers. sock:
 * any socket. Blocks. */
enum scan_outcome scan_hear(int sock);

#endif
