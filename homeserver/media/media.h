/* The media service: what uploads, downloads and upkeep share. */
#ifndef PARTA_MEDIA_MEDIA_H
#define PARTA_MEDIA_MEDIA_H

#include <stdbool.h>

struct media_files;
struct previews;
struct thumbnails;
struct writer;

struct media {
    struct media_files *files;     /* media/files.h */
    struct thumbnails *thumbnails; /* media/thumbnails.h */
    struct previews *previews;     /* media/previews.h; NULL: there are none (A5) */
    struct writer *writer;
    const char *server_name; /* borrowed, like all of these */
    const char *scanner;     /* the socket of a virus scanner (media/scan.h); NULL: none looks */
    bool unscanned;          /* when that fails: the upload is taken all the same */
    bool school_mode;        /* policy.mode */
};

#endif
