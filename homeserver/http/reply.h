/* Replies from the server's side: errors written out, memory released. */
#ifndef PARTA_HTTP_REPLY_H
#define PARTA_HTTP_REPLY_H

#include <jansson.h>

#include "homeserver/http/request.h"

struct reply_file {
    int fd;
    int64_t at, left;  /* what is still to be sent */
    char *type;        /* content type */
    char *piece;       /* REPLY_PIECE_BYTES, once something was read */
    int64_t piece_len; /* of it; −1: the file cannot be read, or is shorter than was said */
};

#define REPLY_PIECE_BYTES (64 << 10)

/* Reads the next piece: file->piece and .piece_len, .at and .left move on. wait false: only what is in memory; false
 * when it is not, and nothing has changed. wait true: blocks, and is true. */
bool reply_file_read(struct reply_file *file, bool wait);

/* Empties the reply: no body, no file (it is closed), no headers, status not said. */
void reply_reset(struct reply *reply);

/* The "standard error response" (Client-Server API) for r->error replaces whatever was there. */
void reply_error(struct request *r);

/* errcode, error and what else the error says, as members of object. */
void error_members(const struct error *e, json_t *object);

const char *status_reason(int status); /* "Not Found"; never NULL */

#endif
