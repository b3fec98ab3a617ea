/* Uploads (Client-Server API, "Content repository"): what comes in, whose it is, and whether they may.
 *
 * How large one file may be, and how much a person may keep, is their schools' to say (policy/rules/media_share.h); it
 * is asked before a large body is read, and again in the job that writes the row, so that two at once do not pass each
 * other. */
#ifndef PARTA_MEDIA_UPLOAD_H
#define PARTA_MEDIA_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/media/media.h"
#include "homeserver/store/matrix/media.h"

struct db;

#define MEDIA_PENDING_MAX 20               /* of a person: created, not uploaded yet */
#define MEDIA_FILES_MAX 50000              /* of a person */
#define MEDIA_BYTES_MAX (INT64_C(1) << 30) /* of a file, whatever a policy says */

/* Whether the person may upload a file of so many bytes now. false: *e says what is too much ("org.parta.bound":
 * "file_bytes: 20971520"). Reads. */
bool media_may_upload(const struct media *media, struct db *db, user_no user, int64_t bytes, struct error *e);

/* The largest file that the person may upload, in bytes. Reads. */
int64_t media_upload_max(const struct media *media, struct db *db, user_no user);

struct media_upload {
    user_no user;
    int fd;              /* the content, in a nameless file; −1: in content */
    const char *content; /* len bytes */
    size_t len;
    const char *type; /* as the client says, NULL: nothing */
    const char *name; /* the same */
};

/* Keeps it under a new id. false: *e. Blocks (disk, the writer). */
bool media_upload(const struct media *media, const struct media_upload *upload, char media_id[MEDIA_ID_BYTES + 1],
                  struct error *e);

/* A new id, which the same person fills by media_upload_to until *until_ms. false: *e. Blocks. */
bool media_create(const struct media *media, user_no user, char media_id[MEDIA_ID_BYTES + 1], int64_t *until_ms,
                  struct error *e);
bool media_upload_to(const struct media *media, const struct media_upload *upload, const char *media_id,
                     struct error *e);

/* What is kept of a content type, and of a file's name. type "": application/octet-stream. name: without folders, and
 * "" if something of it is not to be seen. */
void media_clean_type(const char *said, char out[MEDIA_TYPE_BYTES_MAX + 1]);
void media_clean_name(const char *said, char out[MEDIA_NAME_BYTES_MAX + 1]);

#endif
