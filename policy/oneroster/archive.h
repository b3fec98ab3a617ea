/* Zip archives of CSV files: unpacked piece by piece within bounds, and packed the same bytes for the same files. What
 * comes in is not trusted: a file that unpacks to far more than its bytes, or all of them to more than anybody's
 * roster, is a bomb. Both block on nothing but the memory they work in. */
#ifndef PARTA_POLICY_ONEROSTER_ARCHIVE_H
#define PARTA_POLICY_ONEROSTER_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zip.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/problems.h"

#define ROSTER_ENTRIES_MAX 64                 /* files in the zip */
#define ROSTER_PACKING_MAX 400                /* unpacked bytes for each packed one, beyond the first MiB */
#define ROSTER_BYTES_MAX (INT64_C(512) << 20) /* unpacked, all files of an export together */

/* The archive in these bytes, borrowed until zip_discard. NULL: problems say why. */
zip_t *archive_open(const void *bytes, size_t len, struct roster_problems *problems);

/* zip_error_t of an archive that could not be opened, finished here. Returns false. */
bool archive_refuse(struct roster_problems *problems, zip_error_t *error);

/* One file of an archive. */
struct archive_part {
    const char *name;
    const struct text *bytes;
};

/* The files of an export, by number: a zip archive's, or some that lie in memory as they are. */
struct archive_files {
    zip_t *zip;                       /* NULL: the parts */
    const struct archive_part *parts; /* n of them, borrowed */
    size_t n;
};

/* How many, those that cannot be read among them: numbers 0 … n − 1. */
int64_t archive_count(const struct archive_files *files);
const char *archive_name(const struct archive_files *files, int64_t index); /* NULL: none that can be read */
int64_t archive_find(const struct archive_files *files, const char *name, bool any_case); /* the first; −1: none */

/* What is unpacked so far. {0} to begin with. */
struct unpacking {
    int64_t bytes; /* all files together */
    bool stopped;  /* beyond a bound: nothing more should be read */
};

typedef bool archive_piece_fn(void *self, const char *bytes, size_t len); /* false: no more is wanted */

/* Hands a file over in pieces. file: its name in problems. false: problems say why, or fn wanted no more. */
bool archive_unpack(const struct archive_files *files, int64_t index, const char *file, struct unpacking *unpacking,
                    archive_piece_fn *fn, void *self, struct roster_problems *problems);

/* Appends the archive to out. level: of deflate, 1 … 9. false: why is logged. */
bool archive_pack(const struct archive_part *parts, size_t n, int level, struct text *out);

#endif
