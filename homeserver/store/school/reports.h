/* Reports of messages, rooms and people (F5). Who may read them is policy/reports' business. */
#ifndef PARTA_STORE_SCHOOL_REPORTS_H
#define PARTA_STORE_SCHOOL_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct report_row {
    int64_t no;
    const char *kind; /* "event", "room", "user"; strings are borrowed until the next row */
    user_no reporter;
    user_no accused;      /* 0: nobody, a room */
    room_no room;         /* 0: none */
    const char *event_id; /* NULL: none */
    const char *evidence; /* JSON {"type", "content"} of the event when it was reported; NULL: none */
    school_no school;     /* whose office deals with it; 0: of no school */
    const char *reason;
    bool open;
    const char *resolution;
    const char *handled_by; /* NULL: nobody yet */
    int64_t handled_ms, created_ms, version;
};

/* In order of number. school 0: of any; open_only: without those that are settled. */
struct stmt *reports_list(struct db *db, school_no school, bool open_only, int64_t after, int limit);
struct stmt *reports_get(struct db *db, int64_t no);      /* one row or none */
struct stmt *reports_by(struct db *db, user_no reporter); /* by number */
/* Those that are open, of what that person wrote, with that in it. said: borrowed until stmt_end. */
struct stmt *reports_open_of(struct db *db, user_no accused, const char *said);
bool reports_next(struct stmt *q, struct report_row *row);

/* Inside a job. */
int64_t reports_insert(struct tx *tx, const struct report_row *row); /* 0: the database failed */
/* G4 of everybody whose erasure has come so far: of reports that are closed, what they wrote, as evidence or as the
 * reason of a report of theirs. An open one keeps its evidence until it is closed (F5). */
bool reports_forget_erased(struct tx *tx);
bool reports_close(struct tx *tx, int64_t no, const char *resolution, const char *by);

#endif
