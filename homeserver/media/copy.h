/* The files of media in a backup: which there have to be, the copy of the database says. */
#ifndef PARTA_MEDIA_COPY_H
#define PARTA_MEDIA_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct media_copied {
    int64_t files, bytes; /* contents that are there and sound */
    int64_t taken_back;   /* that people or the school took back between the copy of the database and theirs */
    int64_t lost;         /* that are not there, though they are named */
    int64_t damaged;      /* whose bytes are not those of their name (media_verify) */
};

/* Puts into to_dir (which is made) every content that the database at copy_path names, from from_dir: as another name
 * of the same file where both are on one file system (files never change), else as a copy. What is not there and what
 * the database at live_path does not name any more was taken back: to_dir/taken-back lists it for media_verify. false:
 * *problem; what was begun stays. Blocks long. */
bool media_copy(const char *live_path, const char *copy_path, const char *from_dir, const char *to_dir,
                struct media_copied *out, struct text *problem);

/* Reads every one in dir. false: *problem (a folder or the database that cannot be read). Blocks long. */
bool media_verify(const char *db_path, const char *dir, struct media_copied *out, struct text *problem);

#endif
