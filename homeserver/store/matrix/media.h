/* Pieces of media (Client-Server API, "Content repository"): who uploaded which content under which id, and where it
 * was sent.
 *
 * The content lies in a file that is called by its hash (media/files.h); several pieces may have the same. A row goes
 * with the file's name to media_gone, in one job, and whoever removes files takes it from there.
 *
 * A place is an event that names the piece, written by somebody who could see it then (media/access.h); it goes with
 * the event's redaction (events_redact). What no event names any more, or never did, is looked at when forget_ms has
 * come (media/upkeep.h). */
#ifndef PARTA_STORE_MATRIX_MEDIA_H
#define PARTA_STORE_MATRIX_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define MEDIA_ID_BYTES 24
#define MEDIA_TYPE_BYTES_MAX 128
#define MEDIA_NAME_BYTES_MAX 255
#define MEDIA_SENT_GRACE_MS (INT64_C(60) * 1000)          /* from a redaction to the look at what is left */
#define MEDIA_UNSENT_GRACE_MS (INT64_C(7) * 86400 * 1000) /* for what was uploaded and not sent yet */
#define MEDIA_CREATED_GRACE_MS (INT64_C(86400) * 1000)    /* for what was created and not uploaded yet */

struct media_row {
    int64_t no;
    char media_id[MEDIA_ID_BYTES + 1];
    user_no user;     /* who uploaded it */
    school_no school; /* for which of theirs it counts (school.md J5); 0: none */
    bool whole;       /* its content is there; false: it was only created, and what follows means nothing */
    unsigned char hash[SHA256_BYTES];
    int64_t bytes;
    char type[MEDIA_TYPE_BYTES_MAX + 1]; /* content type */
    char name[MEDIA_NAME_BYTES_MAX + 1]; /* "": none */
    int64_t created_ms;
    stream_pos pos;    /* what is sent after the upload is beyond it */
    bool sent;         /* an event names it, or did */
    int64_t forget_ms; /* when to look whether anything still needs it; 0: while an event names it */
};

/* true: found. Blocks (a read); also inside a job. */
bool media_find(struct db *db, const char *media_id, struct media_row *out);

/* The id in "mxc://server/id" if it is of this server; NULL: not. Borrowed. */
const char *media_id_of(const char *uri, const char *server_name);

bool media_is_here(struct db *db, const char *server_name, const char *uri); /* of this server, and uploaded */

/* Bytes that a person has, as they count (policy/rules/media_share.h). school 0: of no school. */
int64_t media_used(struct db *db, user_no user, school_no school);
int64_t media_count(struct db *db, user_no user);
int64_t media_pending(struct db *db, user_no user, int64_t now_ms); /* created, not uploaded, and not too late yet */

/* --- Inside a job --- */

/* A new piece; its id is drawn into row->media_id, its number into row->no. whole as the row says. */
bool media_insert(struct tx *tx, struct media_row *row);
bool media_fill(struct tx *tx, const struct media_row *row); /* one that was only created */

/* The event at pos of that room names it: whoever may read that may see the piece (media/access.h). */
bool media_place(struct tx *tx, int64_t media, room_no room, stream_pos pos);
bool media_unplace(struct tx *tx, stream_pos pos); /* the event says nothing any more; for events_redact */

bool media_forget(struct tx *tx, int64_t media);                  /* with its places; its file is told to media_gone */
bool media_forget_of(struct tx *tx, user_no user);                /* all of a person's (G4) */
bool media_keep(struct tx *tx, int64_t media, int64_t forget_ms); /* look again then */

/* --- Where it is --- */

/* The events that name it, by room; rooms first in which the person is, or was; at most 500. */
struct stmt *media_places(struct db *db, int64_t media, user_no user);
bool media_places_next(struct stmt *q, room_no *room, stream_pos *pos);

/* Whether it is the picture of that room now. */
struct stmt *media_pictured_rooms(struct db *db, int64_t media);
bool media_pictured_rooms_next(struct stmt *q, room_no *room);

/* Whose profile has that URI (of media here: nothing in it needs escaping) as its picture.
 * Borrows it until stmt_end. */
struct stmt *media_pictured_people(struct db *db, const char *uri);
bool media_pictured_people_next(struct stmt *q, user_no *user);

/* Encrypted rooms in which both are or were. */
struct stmt *media_encrypted_rooms(struct db *db, user_no uploader, user_no asker);
bool media_encrypted_rooms_next(struct stmt *q, room_no *room);
bool media_was_encrypted(struct db *db, user_no uploader); /* they are, or were, in any encrypted room */

/* Whether the uploader's account data, a message of theirs that waits, or what an open report has of theirs as evidence
 * (F5), has that URI in it. */
bool media_is_kept(struct db *db, user_no uploader, const char *uri);

/* --- Upkeep --- */

/* Those whose time has come, at most limit. */
struct stmt *media_due(struct db *db, int64_t now_ms, int64_t limit);
/* A person's, for their export. */
struct stmt *media_of(struct db *db, user_no user);
/* Every one, by number, from after on. */
struct stmt *media_all(struct db *db, int64_t after);
bool media_next(struct stmt *q, struct media_row *row);

bool media_has_hash(struct db *db, const unsigned char hash[SHA256_BYTES]); /* some piece has that content */
bool media_gone_next(struct db *db, unsigned char hash[SHA256_BYTES]);      /* a file that may have to go */
bool media_gone(struct tx *tx, const unsigned char hash[SHA256_BYTES]);     /* one more such file */
/* That file is no such one any more: it was removed, or some piece has that content. */
bool media_gone_done(struct tx *tx, const unsigned char hash[SHA256_BYTES]);

#endif
