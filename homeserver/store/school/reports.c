#include "homeserver/store/school/reports.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/store/driver/writer.h"

enum { LAST, LIST, GET, OPEN_OF, BY_REPORTER, INSERT, CLOSE, FORGET_EVIDENCE, FORGET_REASON, COUNT };

#define ROW                                                                                                            \
    "SELECT report_no, kind, reporter, accused, room_no, event_id, evidence, school_no, reason, state, resolution,"    \
    " handled_by, handled_ms, created_ms, version FROM reports WHERE "

static const struct statement TEXTS[COUNT] = {
    [LAST] = "SELECT max(report_no) FROM reports",
    [LIST] = ROW "report_no > $1 AND ($2 = 0 OR school_no = $2) AND ($3 = 0 OR state = 'open')"
                 " ORDER BY report_no LIMIT $4",
    [GET] = ROW "report_no = $1",
    [OPEN_OF] = ROW "accused = $1 AND state = 'open' AND evidence LIKE '%' || $2 || '%' ORDER BY report_no LIMIT 20",
    [BY_REPORTER] = ROW "reporter = $1 ORDER BY report_no",
    [INSERT] =
        "INSERT INTO reports (report_no, kind, reporter, accused, room_no, event_id, evidence, school_no, reason,"
        " created_ms) VALUES ($1, $2, $3, NULLIF($4, 0), NULLIF($5, 0), $6, $7, NULLIF($8, 0), $9, $10)"
        " RETURNING report_no",
    [CLOSE] = {"UPDATE reports SET state = 'closed', resolution = $2, handled_by = $3, handled_ms = $4,"
               " version = version + 1 WHERE report_no = $1",
               0, GUARDED},
    [FORGET_EVIDENCE] =
        "UPDATE reports SET evidence = NULL, version = version + 1 WHERE state = 'closed'"
        " AND evidence IS NOT NULL AND accused IN (SELECT user_no FROM erasures WHERE left_ms IS NOT NULL)",
    [FORGET_REASON] = "UPDATE reports SET reason = '', version = version + 1 WHERE state = 'closed' AND reason <> ''"
                      " AND reporter IN (SELECT user_no FROM erasures WHERE left_ms IS NOT NULL)",
};
STATEMENTS(REPORTS, "reports", TEXTS);

struct stmt *reports_list(struct db *db, school_no school, bool open_only, int64_t after, int limit)
{
    return db_query(db, &REPORTS, LIST, "iiii", after, school, (int64_t)open_only, (int64_t)limit);
}

struct stmt *reports_get(struct db *db, int64_t no)
{
    return db_query(db, &REPORTS, GET, "i", no);
}

struct stmt *reports_open_of(struct db *db, user_no accused, const char *said)
{
    return db_query(db, &REPORTS, OPEN_OF, "it", accused, said);
}

bool reports_next(struct stmt *q, struct report_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct report_row){.no = col_int(q, 0),
                               .kind = col_text(q, 1),
                               .reporter = col_int(q, 2),
                               .accused = col_int(q, 3),
                               .room = col_int(q, 4),
                               .event_id = col_text(q, 5),
                               .evidence = col_text(q, 6),
                               .school = col_int(q, 7),
                               .reason = col_text(q, 8),
                               .open = strcmp(col_text(q, 9), "open") == 0,
                               .resolution = col_text(q, 10),
                               .handled_by = col_text(q, 11),
                               .handled_ms = col_int(q, 12),
                               .created_ms = col_int(q, 13),
                               .version = col_int(q, 14)};
    return true;
}

struct stmt *reports_by(struct db *db, user_no reporter)
{
    return db_query(db, &REPORTS, BY_REPORTER, "i", reporter);
}

int64_t reports_insert(struct tx *tx, const struct report_row *row)
{
    int64_t no = tx_number_after(tx, db_int(tx->db, &REPORTS, LAST, 0, ""));
    return db_insert(tx->db, &REPORTS, INSERT, "itiiittiti", no, row->kind, row->reporter, row->accused, row->room,
                     row->event_id, row->evidence, row->school, row->reason, tx->now_ms);
}

bool reports_close(struct tx *tx, int64_t no, const char *resolution, const char *by)
{
    return db_rows(tx->db, &REPORTS, CLOSE, "itti", no, resolution, by, tx->now_ms) == 1;
}

bool reports_forget_erased(struct tx *tx)
{
    return db_run(tx->db, &REPORTS, FORGET_EVIDENCE, "") && db_run(tx->db, &REPORTS, FORGET_REASON, "");
}
