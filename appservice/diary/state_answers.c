#include <stdlib.h>

#include "appservice/diary/state.h"
#include "appservice/diary/state_private.h"
#include "homeserver/store/driver/db.h"

enum { ABSENCE_PUT, ABSENCE_OF, ABSENCE_LAST, ABSENCE_FORGET, ANSWER_GET, ANSWER_PUT, ANSWER_FORGET, ANSWERS__COUNT };

static const struct statement TEXTS[ANSWERS__COUNT] = {
    [ABSENCE_PUT] = {"INSERT INTO absences (root, room_id, child, day, at_ms) VALUES ($1, $2, $3, $4, $5)"
                     " ON CONFLICT (root) DO NOTHING"},
    [ABSENCE_OF] = {"SELECT absences.root, absences.child, absences.day FROM absences JOIN messages"
                    " ON messages.root = absences.root WHERE absences.room_id = $1 AND messages.event_id = $2"},
    [ABSENCE_LAST] = {"SELECT absences.root, absences.child, absences.day FROM absences WHERE room_id = $1"
                      " AND EXISTS (SELECT 1 FROM messages WHERE messages.root = absences.root)"
                      " ORDER BY at_ms DESC, root LIMIT 1"},
    [ABSENCE_FORGET] = {"DELETE FROM absences WHERE NOT EXISTS (SELECT 1 FROM messages"
                        " WHERE messages.root = absences.root)"},
    [ANSWER_GET] = {"SELECT answer, txn, event_id FROM answers WHERE root = $1 AND teacher = $2"},
    [ANSWER_PUT] = {"INSERT INTO answers (root, teacher, answer, txn, event_id)"
                    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (root, teacher) DO UPDATE SET"
                    " answer = excluded.answer, txn = excluded.txn, event_id = excluded.event_id"},
    [ANSWER_FORGET] = {"DELETE FROM answers WHERE NOT EXISTS (SELECT 1 FROM absences"
                       " WHERE absences.root = answers.root)"},
};
STATEMENTS(ANSWERS, "diary_answers", TEXTS);

void state_absence_put(struct state *state, const char *root, const char *room_id, const char *child, school_day day,
                       int64_t now_ms)
{
    db_run(state->db, &ANSWERS, ABSENCE_PUT, "tttii", root, room_id, child, (int64_t)day, now_ms);
}

bool state_absence(struct state *state, const char *room_id, const char *event_id, struct absence *absence)
{
    struct stmt *q = event_id != NULL ? db_query(state->db, &ANSWERS, ABSENCE_OF, "tt", room_id, event_id)
                                      : db_query(state->db, &ANSWERS, ABSENCE_LAST, "t", room_id);
    bool found = stmt_next(q);
    if (found)
        *absence = (struct absence){xstrdup(col_text(q, 0)), xstrdup(col_text(q, 1)), (school_day)col_int(q, 2)};
    stmt_end(q);
    return found;
}

void state_absence_finish(struct absence *absence)
{
    free(absence->root);
    free(absence->child);
}

void state_absences_forget(struct state *state)
{
    db_run(state->db, &ANSWERS, ABSENCE_FORGET, "");
    db_run(state->db, &ANSWERS, ANSWER_FORGET, "");
}

bool state_answer(struct state *state, const char *root, const char *teacher, struct told_answer *told)
{
    struct stmt *q = db_query(state->db, &ANSWERS, ANSWER_GET, "tt", root, teacher);
    bool found = stmt_next(q);
    if (found)
        *told = (struct told_answer){xstrdup(col_text(q, 0)), xstrdup(col_text(q, 1)), xstrdup(col_text(q, 2))};
    stmt_end(q);
    return found;
}

void state_answer_put(struct state *state, const struct absence *absence, const char *teacher,
                      const struct told_answer *told)
{
    db_run(state->db, &ANSWERS, ANSWER_PUT, "ttttt", absence->root, teacher, told->answer, told->txn, told->event_id);
}

void state_answer_finish(struct told_answer *told)
{
    free(told->answer);
    free(told->txn);
    free(told->event_id);
}
