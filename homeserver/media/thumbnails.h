/* Thumbnails: made when somebody first asks, in a few sizes (thumbnail_sizes.def), and kept beside the content.
 *
 * Each is made by a process of its own, parta-thumbnail (media/thumbnailer/), which has the content and the file to
 * write to, and can do nothing else: a picture that breaks a decoder, or wants all memory, costs that process. What
 * came of it is kept also where it was nothing, so that it is tried once. At most half of the cores make them at a
 * time, and few wait for that; whoever asks for one that is being made waits for it. */
#ifndef PARTA_MEDIA_THUMBNAILS_H
#define PARTA_MEDIA_THUMBNAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"

struct media_files;
struct thumbnails;

/* program: the path of parta-thumbnail, copied; if there is none, no thumbnails are made (logged). */
struct thumbnails *thumbnails_create(struct media_files *files, const char *program);
void thumbnails_destroy(struct thumbnails *thumbnails); /* NULL is accepted */

enum thumbnail {
    THUMBNAIL_MADE,
    THUMBNAIL_ORIGINAL,  /* the picture itself is no larger */
    THUMBNAIL_NONE,      /* it is no picture that can be read here */
    THUMBNAIL_TOO_LARGE, /* it has too many pixels */
    THUMBNAIL_BUSY,      /* too many are being made: later */
};

enum thumbnail_kind {
    THUMBNAIL_SCALED,
    THUMBNAIL_CROPPED,
    THUMBNAIL_ANIMATED, /* scaled; THUMBNAIL_NONE also of what does not move, or too long */
};

/* The thumbnail of that content that is the smallest not below width × height, in the caller's hands: a file to read
 * (*fd, *bytes) of *type (static storage). Blocks (seconds at worst). */
enum thumbnail thumbnails_get(struct thumbnails *thumbnails, const unsigned char hash[SHA256_BYTES], int64_t width,
                              int64_t height, enum thumbnail_kind kind, int *fd, int64_t *bytes, const char **type);

#endif
