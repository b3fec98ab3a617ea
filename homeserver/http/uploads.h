/* Large bodies while they arrive: where they lie, and how many there are at once.
 *
 * What is beyond the size of ordinary JSON goes piece by piece into a file without a name in the spool directory, once
 * it is known who sends it (h2o_upload.c); the handler sees it mapped into memory. The server keeps a fixed number of
 * places; one caller has fewer, so that nobody can take them all. A place is given back when the request is over. */
#ifndef PARTA_HTTP_UPLOADS_H
#define PARTA_HTTP_UPLOADS_H

#include <stdbool.h>
#include <stddef.h>

struct identity;
struct upload;
struct uploads;

/* spool_dir NULL: $TMPDIR, else /tmp. */
struct uploads *uploads_create(size_t places, size_t places_of_one, const char *spool_dir);
void uploads_destroy(struct uploads *uploads); /* no upload may be left; NULL is accepted */

enum upload_outcome {
    UPLOAD_BEGUN,
    UPLOAD_FULL,   /* every place is taken */
    UPLOAD_ENOUGH, /* this caller has as many as one may */
};

/* A body of length bytes (not 0) from identity, or from the address ip if nobody has said who they are. Any thread. */
enum upload_outcome upload_begin(struct uploads *uploads, const struct identity *identity, const char *ip,
                                 size_t length, struct upload **out);

size_t upload_missing(const struct upload *upload); /* bytes that have not been added yet */

/* Adds the next n ≤ upload_missing bytes. false: the disk is full or fails (logged). Blocks. */
bool upload_add(struct upload *upload, const char *bytes, size_t n);

int upload_fd(const struct upload *upload); /* its file, the upload's own; −1: nothing was added yet */

/* The whole body, in memory until upload_end; NULL: it can't be mapped (logged). upload_missing is 0. Blocks. */
const char *upload_map(struct upload *upload);

void upload_end(struct upload *upload); /* NULL is accepted. Any thread */

#endif
