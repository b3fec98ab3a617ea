#include <stdlib.h>
#include <string.h>

#include "appservice/diary/state.h"
#include "appservice/diary/state_private.h"
#include "homeserver/store/driver/db.h"

enum {
    OWE,
    OWED_DROP,
    CHILDREN,
    OWED_PUT_OFF,
    OWED_DROP_PERSON,
    OWED_FORGET,
    OWED_PEOPLE,
    DIGESTS,
    DIGEST_BEGIN,
    DIGEST_SENT,
    DIGEST_ROWS,
    DIGEST_ROWS_OF,
    LATER_PUT,
    LATER_IS,
    LATER_DUE,
    LATER_DROP,
    LATER_FORGET,
    COUNTER_GET,
    COUNTER_PUT,
    OWED__COUNT
};

static const struct statement TEXTS[OWED__COUNT] = {
    [OWE] =
        {"INSERT INTO owed (person, source, id, child, day, revision, corrected) VALUES ($1, $2, $3, $4, $5, $6, $7)"
         " ON CONFLICT (person, source, id, child) DO UPDATE SET day = excluded.day,"
         " revision = excluded.revision, corrected = CASE WHEN owed.digest = 0 AND owed.sent = 0"
         " THEN owed.corrected ELSE excluded.corrected END, digest = 0, sent = 0"
         " WHERE excluded.revision > owed.revision"},
    [OWED_DROP] = {"DELETE FROM owed WHERE source = $1 AND id = $2 AND child = $3"},
    [CHILDREN] = {"SELECT child FROM owed WHERE source = $1 AND id = $2"
                  " UNION SELECT child FROM later WHERE source = $1 AND id = $2"},
    [OWED_PUT_OFF] = {"UPDATE owed SET digest = 0 WHERE source = $1 AND id = $2"},
    [OWED_DROP_PERSON] = {"DELETE FROM owed WHERE person = $1 AND digest = 0 AND sent = 0"},
    [OWED_FORGET] = {"DELETE FROM owed WHERE digest = 0 AND NOT EXISTS (SELECT 1 FROM records"
                     " WHERE records.source = owed.source AND records.id = owed.id)"},
    [OWED_PEOPLE] = {"SELECT person, min(day), 0 FROM owed WHERE digest = 0 AND sent = 0 GROUP BY person"},
    [DIGESTS] = {"SELECT person, min(day), digest FROM owed WHERE digest <> 0 GROUP BY person, digest"
                 " ORDER BY person, digest"},
    [DIGEST_BEGIN] = {"UPDATE owed SET digest = $2 WHERE person = $1 AND digest = 0 AND sent = 0"},
    [DIGEST_SENT] = {"UPDATE owed SET digest = 0, sent = 1 WHERE person = $1 AND digest = $2"},
    [DIGEST_ROWS] = {"SELECT person, child, source, id, day, revision, corrected FROM owed WHERE person = $1"
                     " AND digest = $2 ORDER BY child, source, id"},
    [DIGEST_ROWS_OF] = {"SELECT person, child, source, id, day, revision, corrected FROM owed WHERE digest <> 0"
                        " AND source = $1 ORDER BY id"},
    [LATER_PUT] = {"INSERT INTO later (source, id, child, day, due_ms) VALUES ($1, $2, $3, $4, $5)"
                   " ON CONFLICT (source, id, child) DO UPDATE SET day = excluded.day"},
    [LATER_IS] = {"SELECT 1 FROM later WHERE source = $1 AND id = $2 AND child = $3"},
    [LATER_DUE] = {"SELECT source, id, child FROM later WHERE source = $1 AND (due_ms <= $2 OR day <= $3)"},
    [LATER_DROP] = {"DELETE FROM later WHERE source = $1 AND id = $2 AND child = $3"},
    [LATER_FORGET] = {"DELETE FROM later WHERE NOT EXISTS (SELECT 1 FROM records"
                      " WHERE records.source = later.source AND records.id = later.id)"},
    [COUNTER_GET] = {"SELECT value FROM counters WHERE name = $1"},
    [COUNTER_PUT] = {"INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name)"
                     " DO UPDATE SET value = excluded.value"},
};
STATEMENTS(OWED, "diary_owed", TEXTS);

void state_owe(struct state *state, const struct owed *owed)
{
    db_run(state->db, &OWED, OWE, "ttttiii", owed->person, owed->source, owed->id, owed->child, (int64_t)owed->day,
           owed->revision, (int64_t)owed->corrected);
}

void state_owed_drop(struct state *state, const char *source, const char *id, const char *child)
{
    db_run(state->db, &OWED, OWED_DROP, "ttt", source, id, child);
}

void state_owed_keep(struct state *state, const char *source, const char *id, const char *const *children, size_t n)
{
    char **of = NULL;
    size_t n_of = 0, cap = 0;
    struct stmt *q = db_query(state->db, &OWED, CHILDREN, "tt", source, id);
    while (stmt_next(q)) {
        if (n_of == cap)
            of = xrealloc(of, (cap = cap != 0 ? 2 * cap : 4) * sizeof *of);
        of[n_of++] = xstrdup(col_text(q, 0));
    }
    stmt_end(q);
    for (size_t i = 0; i < n_of; ++i) {
        bool kept = false;
        for (size_t k = 0; k < n; ++k)
            kept = kept || strcmp(children[k], of[i]) == 0;
        if (!kept) {
            state_owed_drop(state, source, id, of[i]);
            state_later_drop(state, source, id, of[i]);
        }
        free(of[i]);
    }
    free(of);
}

void state_owed_put_off(struct state *state, const char *source, const char *id)
{
    db_run(state->db, &OWED, OWED_PUT_OFF, "tt", source, id);
}

void state_owed_drop_person(struct state *state, const char *person)
{
    db_run(state->db, &OWED, OWED_DROP_PERSON, "t", person);
}

void state_owed_forget(struct state *state)
{
    db_run(state->db, &OWED, OWED_FORGET, "");
    db_run(state->db, &OWED, LATER_FORGET, "");
}

static struct owed_person *people_of(struct stmt *q, size_t *n)
{
    struct owed_person *list = NULL;
    size_t cap = 0;
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            list = xrealloc(list, (cap = cap != 0 ? 2 * cap : 64) * sizeof *list);
        list[(*n)++] = (struct owed_person){xstrdup(col_text(q, 0)), (school_day)col_int(q, 1), col_int(q, 2)};
    }
    stmt_end(q);
    return list;
}

struct owed_person *state_owed_people(struct state *state, size_t *n)
{
    return people_of(db_query(state->db, &OWED, OWED_PEOPLE, ""), n);
}

struct owed_person *state_digests(struct state *state, size_t *n)
{
    return people_of(db_query(state->db, &OWED, DIGESTS, ""), n);
}

void state_owed_people_free(struct owed_person *list, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        free(list[i].person);
    free(list);
}

void state_digest_begin(struct state *state, const char *person, int64_t digest)
{
    db_run(state->db, &OWED, DIGEST_BEGIN, "ti", person, digest);
}

void state_digest_sent(struct state *state, const char *person, int64_t digest)
{
    db_run(state->db, &OWED, DIGEST_SENT, "ti", person, digest);
}

struct owed *state_digest_rows(struct state *state, const char *person, int64_t digest, const char *source, size_t *n)
{
    struct owed *list = NULL;
    size_t cap = 0;
    struct stmt *q = person != NULL ? db_query(state->db, &OWED, DIGEST_ROWS, "ti", person, digest)
                                    : db_query(state->db, &OWED, DIGEST_ROWS_OF, "t", source);
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            list = xrealloc(list, (cap = cap != 0 ? 2 * cap : 64) * sizeof *list);
        list[(*n)++] = (struct owed){.person = xstrdup(col_text(q, 0)),
                                     .child = xstrdup(col_text(q, 1)),
                                     .source = xstrdup(col_text(q, 2)),
                                     .id = xstrdup(col_text(q, 3)),
                                     .day = (school_day)col_int(q, 4),
                                     .revision = col_int(q, 5),
                                     .corrected = col_int(q, 6) != 0};
    }
    stmt_end(q);
    return list;
}

void state_owed_free(struct owed *list, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        free((void *)list[i].person);
        free((void *)list[i].child);
        free((void *)list[i].source);
        free((void *)list[i].id);
    }
    free(list);
}

int64_t state_counter(struct state *state, const char *name)
{
    return db_int(state->db, &OWED, COUNTER_GET, 0, "t", name);
}

bool state_counter_due(struct state *state, const char *name, int64_t value, int64_t at_most)
{
    int64_t put = state_counter(state, name);
    return put < value || put > at_most;
}

void state_counter_put(struct state *state, const char *name, int64_t value)
{
    db_run(state->db, &OWED, COUNTER_PUT, "ti", name, value);
}

void state_later(struct state *state, const char *source, const char *id, const char *child, school_day day,
                 int64_t due_ms)
{
    db_run(state->db, &OWED, LATER_PUT, "tttii", source, id, child, (int64_t)day, due_ms);
}

bool state_is_later(struct state *state, const char *source, const char *id, const char *child)
{
    bool later = db_int(state->db, &OWED, LATER_IS, 0, "ttt", source, id, child) != 0;
    return later || db_failed(state->db);
}

struct later *state_later_due(struct state *state, const char *source, int64_t due_ms, school_day edge, size_t *n)
{
    struct later *list = NULL;
    size_t cap = 0;
    struct stmt *q = db_query(state->db, &OWED, LATER_DUE, "tii", source, due_ms, (int64_t)edge);
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            list = xrealloc(list, (cap = cap != 0 ? 2 * cap : 64) * sizeof *list);
        list[(*n)++] = (struct later){xstrdup(col_text(q, 0)), xstrdup(col_text(q, 1)), xstrdup(col_text(q, 2))};
    }
    stmt_end(q);
    return list;
}

void state_later_free(struct later *list, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        free(list[i].source);
        free(list[i].id);
        free(list[i].child);
    }
    free(list);
}

void state_later_drop(struct state *state, const char *source, const char *id, const char *child)
{
    db_run(state->db, &OWED, LATER_DROP, "ttt", source, id, child);
}
