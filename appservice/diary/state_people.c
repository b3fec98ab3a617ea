#include "appservice/diary/state.h"
#include "appservice/diary/state_private.h"
#include "homeserver/store/driver/db.h"

#define HEARD_HOURS (30 * 24) /* as long as a transaction may come again */

enum {
    PERSON_GET,
    PERSON_PUT,
    PERSON_HEARD,
    HEARD_GET,
    HEARD_PUT,
    HEARD_FORGET,
    TRANSACTION_GET,
    TRANSACTION_PUT,
    TRANSACTION_FORGET,
    PEOPLE__COUNT
};

static const struct statement TEXTS[PEOPLE__COUNT] = {
    [PERSON_GET] = {"SELECT pace, off, english FROM people WHERE person = $1"},
    [PERSON_PUT] = {"INSERT INTO people (person, pace, off, english) VALUES ($1, $2, $3, $4) ON CONFLICT (person)"
                    " DO UPDATE SET pace = excluded.pace, off = excluded.off, english = excluded.english"},
    [PERSON_HEARD] = {"INSERT INTO people (person, pace, off, english, hour, heard) VALUES ($1, $2, $3, $4, $5, 1)"
                      " ON CONFLICT (person) DO UPDATE SET hour = excluded.hour,"
                      " heard = CASE WHEN people.hour = excluded.hour THEN people.heard ELSE 0 END + 1"
                      " WHERE people.hour <> excluded.hour OR people.heard < $6"},
    [HEARD_GET] = {"SELECT 1 FROM heard WHERE event_id = $1"},
    [HEARD_PUT] = {"INSERT INTO heard (event_id, hour) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING"},
    [HEARD_FORGET] = {"DELETE FROM heard WHERE hour < $1"},
    [TRANSACTION_GET] = {"SELECT 1 FROM transactions WHERE txn = $1"},
    [TRANSACTION_PUT] = {"INSERT INTO transactions (txn, at_ms) VALUES ($1, $2) ON CONFLICT (txn) DO NOTHING"},
    [TRANSACTION_FORGET] = {"DELETE FROM transactions WHERE at_ms < $1"},
};
STATEMENTS(PEOPLE, "diary_people", TEXTS);

bool state_person(struct state *state, const char *user_id, bool english, struct person *person)
{
    *person = (struct person){.english = english};
    struct stmt *q = db_query(state->db, &PEOPLE, PERSON_GET, "t", user_id);
    if (stmt_next(q))
        *person =
            (struct person){(enum pace)(col_int(q, 0) % (PACE_WEEKLY + 1)), col_int(q, 1) != 0, col_int(q, 2) != 0};
    stmt_end(q);
    bool known = !db_failed(state->db);
    if (!known)
        *person = (struct person){.pace = PACE_WEEKLY, .off = true, .english = english};
    return known;
}

void state_person_put(struct state *state, const char *user_id, const struct person *person)
{
    db_run(state->db, &PEOPLE, PERSON_PUT, "tiii", user_id, (int64_t)person->pace, (int64_t)person->off,
           (int64_t)person->english);
}

bool state_person_heard(struct state *state, const char *user_id, const struct person *known, const char *event_id,
                        int64_t hour, int most)
{
    if (db_int(state->db, &PEOPLE, HEARD_GET, 0, "t", event_id) != 0)
        return true;
    if (db_rows(state->db, &PEOPLE, PERSON_HEARD, "tiiiii", user_id, (int64_t)known->pace, (int64_t)known->off,
                (int64_t)known->english, hour, (int64_t)most) <= 0)
        return false;
    db_run(state->db, &PEOPLE, HEARD_FORGET, "i", hour - HEARD_HOURS);
    db_run(state->db, &PEOPLE, HEARD_PUT, "ti", event_id, hour);
    return true;
}

bool state_transaction_done(struct state *state, const char *txn)
{
    return db_int(state->db, &PEOPLE, TRANSACTION_GET, 0, "t", txn) != 0;
}

void state_transaction_note(struct state *state, const char *txn, int64_t now_ms, int64_t forget_before_ms)
{
    db_run(state->db, &PEOPLE, TRANSACTION_FORGET, "i", forget_before_ms);
    db_run(state->db, &PEOPLE, TRANSACTION_PUT, "ti", txn, now_ms);
}
