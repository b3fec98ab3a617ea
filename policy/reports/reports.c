#include "policy/reports/reports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"

/* Whose offices deal with it: that of a school where the reporter is, and, where the accused is of another one of the
 * schools that share the room (E8), theirs too, which alone can act on them. *n: at most two; 0
 * ends it: of no school. */
static int offices_of(struct db *db, const struct report_row *report, school_no out[2])
{
    int n = 0;
    room_no room = report->room != 0 ? report->room : memberships_shared_room(db, report->reporter, report->accused);
    school_no here = report->room != 0 ? viewer_room_school(db, report->reporter, room)
                                       : viewer_shared_school(db, report->reporter, report->accused);
    if (here == 0 && room != 0)
        here = viewer_room_school(db, report->reporter, room);
    out[n++] = here;
    if (report->accused == 0 || room == 0 || viewer_is_in(db, report->accused, here))
        return n;
    school_no there = viewer_room_school(db, report->accused, room);
    if (there != 0 && there != here)
        out[n++] = there;
    return n;
}

bool report_is_kept(struct db *db, user_no reporter, user_no accused)
{
    return viewer_shared_school(db, reporter, accused) != 0 || memberships_share_room(db, reporter, accused);
}

bool report_make(struct tx *tx, bool school_mode, const char *reporter_id, struct report_row *report, struct error *e)
{
    school_no offices[2];
    struct actor reporter = {.user = report->reporter, .name = reporter_id};
    int n = offices_of(tx->db, report, offices);
    struct subject subject = {.school = offices[0], .target = report->accused};
    if (strlen(report->reason) > REPORT_REASON_MAX)
        return error_set(e, ERROR_TOO_LARGE, "The reason is too long.");
    if (!school_gate(tx->db, school_mode, &reporter, ACT_REPORT, &subject, NULL, NULL, e))
        return false;
    for (int i = 0; i < n; ++i) {
        report->school = offices[i];
        report->no = reports_insert(tx, report);
        if (report->no == 0)
            return error_set(e, ERROR_UNKNOWN, NULL);
    }
    return bound_kept(tx->db, BOUND_REPORTS, report->reporter, 0, e);
}

/* What was done stands in the report; of the entry, too, the accused reads nothing. */
static bool note(struct changing_records *c, const struct report_row *report)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)report->no);
    return audit_append(c->tx, rooms_settings(c->rooms)->key,
                        &(struct audit_note){.actor = c->actor,
                                             .act = "report.close",
                                             .school = report->school,
                                             .report = report->no,
                                             .subject = json_pack("{s:s}", "report", number)});
}

bool report_close(struct changing_records *c, int64_t no, const char *resolution, int64_t seen)
{
    struct report_row row;
    struct stmt *q = reports_get(c->tx->db, no);
    bool found = reports_next(q, &row);
    bool may = found && report_may_read(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, &row, c->e);
    bool open = may && row.open;
    struct report_row kept = {.no = row.no, .school = found ? row.school : 0, .version = found ? row.version : 0};
    stmt_end(q);
    if (!may)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such report.");
    if (!change_decides_on(c, seen, kept.version))
        return false;
    if (!open)
        return error_set(c->e, ERROR_CONFLICT, "This report has been closed already.");
    if (resolution == NULL || text_is_blank(resolution) || strlen(resolution) > REPORT_REASON_MAX)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "resolution", "Say in a few words how it was settled.");
    return (reports_close(c->tx, no, resolution, c->actor->name) && reports_forget_erased(c->tx) && note(c, &kept)) ||
           error_set(c->e, ERROR_UNKNOWN, NULL);
}

static void put_text(json_t *object, const char *key, char *heap)
{
    if (heap != NULL)
        json_object_set_new(object, key, json_string(heap));
    free(heap);
}

json_t *report_json(struct db *db, const char *server_name, const struct report_row *report)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)report->no);
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s*, s:s*}", "report", number, "kind", report->kind,
                            "state", report->open ? "open" : "closed", "reason", report->reason, "created_ts",
                            (json_int_t)report->created_ms, "version", (json_int_t)report->version, "event_id",
                            report->event_id, "handled_by", report->handled_by);
    put_text(out, "reporter", users_id(db, server_name, report->reporter));
    if (report->accused != 0)
        put_text(out, "accused", users_id(db, server_name, report->accused));
    if (report->room != 0)
        put_text(out, "room_id", rooms_id_of(db, report->room));
    if (report->school != 0)
        put_text(out, "school", schools_sourced_id(db, report->school));
    if (report->evidence != NULL)
        json_object_set_new(out, "evidence", json_loads(report->evidence, 0, NULL));
    if (!report->open)
        json_object_set_new(out, "resolution", json_string(report->resolution));
    return out;
}
