#include "appservice/diary/later.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/match.h"
#include "homeserver/base/clock.h"

/* One that is due, as the reading has it. */
struct due {
    const struct later *row;
    struct notice notice;
};

static int by_lesson(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    int order = strcmp(x->row->child, y->row->child);
    order = order != 0 ? order : x->notice.day - y->notice.day;
    order = order != 0 ? order : strcmp(x->notice.record->subject, y->notice.record->subject);
    return order != 0 ? order : strcmp(x->notice.id, y->notice.id);
}

static void drop(struct sink_matrix *m, const struct later *row)
{
    state_begin(m->state);
    state_later_drop(m->state, row->source, row->id, row->child);
    state_commit(m->state);
}

/* What the diary says now of what is due, heap; what is gone, or another child's now, is dropped. *known:
 * nothing else is due. */
static struct due *look_up(struct sink_matrix *m, const struct has_read *read, const struct later *rows, size_t n_rows,
                           size_t *n, bool *known)
{
    struct due *all = xcalloc(n_rows + 1, sizeof *all);
    *n = 0;
    for (size_t i = 0; i < n_rows; ++i) {
        const struct record *record;
        struct seen seen;
        if (reading_look(read->reading, rows[i].id, &record) == READING_UNKNOWN) {
            *known = false;
            continue;
        }
        if (record == NULL || !match_is_of(read->matcher, record, rows[i].child)) {
            drop(m, &rows[i]);
            continue;
        }
        if (!state_seen(m->state, read->source, rows[i].id, &seen) || seen.intended || !seen.told)
            continue; /* the child is not told of it to the end, or that cannot be read */
        struct due *due = &all[(*n)++];
        *due = (struct due){&rows[i],
                            {.what = CHANGE_NEW,
                             .source = read->source,
                             .id = record->id,
                             .kind = record->kind,
                             .day = record->day,
                             .revision = seen.revision,
                             .record = record,
                             .reading = read->reading,
                             .matcher = read->matcher}};
        notice_txn(read->source, record->id, seen.revision, due->notice.txn);
    }
    qsort(all, *n, sizeof *all, by_lesson);
    for (size_t i = 1; i < *n; ++i)
        if (record_same_lesson(all[i - 1].notice.record, all[i].notice.record))
            all[i - 1].notice.together = &all[i].notice;
    return all;
}

bool later_read(struct sink_matrix *m, const struct has_read *read)
{
    size_t n_rows, n;
    bool known = true;
    if (read->reading == NULL)
        return true;
    school_day edge = day_of_ms(read->now_ms - (m->settings->back_days - WINDOW_EDGE_DAYS) * DAY_MS);
    int64_t due_ms = m->settings->pupil_first_hours != 0 ? read->now_ms : INT64_MAX;
    struct later *rows = state_later_due(m->state, read->source, due_ms, edge, &n_rows);
    struct due *all = look_up(m, read, rows, n_rows, &n, &known);
    for (size_t i = 0; i < n; ++i)
        families_expect(&m->families, all[i].row->child);
    for (size_t i = 0; i < n; ++i) {
        enum sink_answer answer = sink_tell_late(m, &all[i].notice, all[i].row->child);
        if (answer == SINK_TOLD || answer == SINK_REFUSED)
            drop(m, all[i].row);
    }
    free(all);
    state_later_free(rows, n_rows);
    return known || read->reading->extent == READING_WHOLE;
}
