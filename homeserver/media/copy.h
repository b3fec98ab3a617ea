/* The files of media in a backup: which there have to be, the copy of the database says. */
#ifndef PARTA_MEDIA_COPY_H
#define PARTA_MEDIA_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct media_copied {
    int64_t files, bytes; /* contents that are there and sound */
    int64_t missing;      /* that are not: taken back between the copy of the database and theirs, or lost */
    int64_t damaged;      /* whose bytes are not those of their name (media_verify) */
};

/* Puts into to_dir (which is made) every content that the database at db_path names, from from_dir: as another name of
 * the same file where both are on one file system (files never change), else as a copy. false:
 * *problem. Blocks long. */
bool media_copy(const char *db_path, const char *from_dir, const char *to_dir, struct media_copied *out,
                struct text *problem);

/* Reads every one in dir. false: *problem (a folder or the database that cannot be read). Blocks long. */
bool media_verify(const char *db_path, const char *dir, struct media_copied *out, struct text *problem);

#endif
