/* All of some bytes into a file or a socket: one call may take but a part of them, or be interrupted. */
#ifndef PARTA_BASE_IO_H
#define PARTA_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>

/* false: errno says why, and some may have gone. Blocks. */
bool io_write_all(int fd, const void *bytes, size_t n);

/* The same into a socket. That the other side has gone is an error (EPIPE) and no signal. */
bool io_send_all(int fd, const void *bytes, size_t n);

#endif
