#include "policy/records/day_change.h"

#include <stdlib.h>

#include "homeserver/base/days.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/settled.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"
#include "policy/records/loss.h"
#include "policy/records/reconcile.h"

#define DUE_MAX 500 /* more people than this are reconciled together with everybody */

struct day_change {
    struct tx *tx;
    struct rooms *rooms;
    struct loss_days days;
    struct loss loss;
    bool waits; /* somebody has to confirm it */
};

static bool hold(struct day_change *d)
{
    struct tx *tx = d->tx;
    struct text lines = TEXT_INIT;
    int64_t version;
    json_t *list = loss_json(&d->loss, tx->db);
    loss_lines(&d->loss, tx->db, true, &lines);
    char *schools = json_dumps(list, JSON_COMPACT);
    school_no *concerned;
    size_t n = loss_schools(list, tx->db, &concerned);
    struct held_import_row row = {.version = loss_version(lines.data, lines.len),
                                  .source = DAY_SOURCE,
                                  .mode = DAY_MODE,
                                  .author = "operator:calendar",
                                  .schools = schools,
                                  .changes = "{}",
                                  .difference = lines.data,
                                  .older = "",
                                  .base_ms = d->days.today,
                                  .created_ms = tx->now_ms,
                                  .archive = "",
                                  .len = 0};
    bool known = held_imports_of(tx->db, DAY_SOURCE, &version) != 0 && version == row.version;
    struct actor calendar = {.name = row.author};
    struct audit_note note = {.actor = &calendar,
                              .act = "roster.hold",
                              .schools = concerned,
                              .n_schools = n,
                              .details = json_pack("{s:s, s:o, s:O}", "source", DAY_SOURCE, "version",
                                                   json_sprintf("%lld", (long long)row.version), "schools", list)};
    bool done = held_imports_put(tx->db, &row);
    if (known)
        json_decref(note.details);
    else
        done = done && audit_append(tx, rooms_settings(d->rooms)->key, &note);
    json_decref(list);
    free(concerned);
    free(schools);
    text_finish(&lines);
    return done;
}

/* Everybody whose records begin or end by date since the last time, but for those who wait; all, when nobody knows
 * when that was, or it has not come yet: a clock that was ahead may have let in whom no record of today names. */
static void touch_due(struct day_change *d, struct reconciling *s, school_day last)
{
    char days[2][DAY_TEXT_BYTES];
    struct person_row row;
    size_t n = 0;
    if (last == DAY_EVER || last > d->days.today)
        return reconcile_all(s);
    struct stmt *q = settled_due(d->tx->db, last, d->days.today, days);
    for (; stmt_next(q); ++n)
        if (!d->waits || !loss_waits(&d->loss, col_int(q, 0)))
            reconcile_lost(s, col_int(q, 0));
    stmt_end(q);
    q = people_restricted(d->tx->db, 0); /* who may have come of age (D7) */
    for (; people_next(q, &row); ++n)
        if (!d->waits || !loss_waits(&d->loss, row.no))
            reconcile_touch(s, row.no);
    stmt_end(q);
    if (n > DUE_MAX && !d->waits)
        reconcile_all(s);
}

/* The day whose change waits; DAY_EVER: none. */
static school_day held_day(struct db *db)
{
    struct held_import_row row;
    int64_t version, no = held_imports_of(db, DAY_SOURCE, &version);
    school_day day = no != 0 && held_imports_get(db, no, &row) ? (school_day)row.base_ms : DAY_EVER;
    if (no != 0)
        held_import_row_finish(&row);
    return day;
}

bool day_settled(struct tx *tx)
{
    return settled_put(tx->db, day_of_ms(tx->now_ms)) && held_imports_drop(tx->db, DAY_SOURCE);
}

bool day_change(struct tx *tx, struct rooms *rooms, const struct config *config, struct roster_changes *changes,
                struct error *e)
{
    struct day_change d = {.tx = tx, .rooms = rooms, .days = loss_days(tx->db, tx->now_ms)};
    school_day last = settled_day(tx->db), held = held_day(tx->db);
    if (last == d.days.today) /* a day that waits has not come: the clock was ahead when it was held */
        return held == DAY_EVER || held_imports_drop(tx->db, DAY_SOURCE) || error_set(e, ERROR_UNKNOWN, NULL);
    if (held == d.days.today)
        return true;
    tx_acts(tx, "operator:calendar", "day.change");
    loss_due(&d.loss, tx->db, &d.days);
    d.waits = last != DAY_EVER && loss_judge(&d.loss, tx->db, tx->db, &d.days, loss_limits(config));
    struct reconciling *s = reconcile_begin(tx, rooms, changes);
    reconcile_keep(s);
    touch_due(&d, s, last);
    bool done = reconcile_finish(s, e);
    if (done && d.waits)
        done = hold(&d) || error_set(e, ERROR_UNKNOWN, NULL);
    else if (done)
        done = (loss_keep(&d.loss, tx->db, tx->now_ms, false) && day_settled(tx)) || error_set(e, ERROR_UNKNOWN, NULL);
    loss_finish(&d.loss);
    return done;
}
