#include <stdlib.h>

#include "appservice/diary/state.h"
#include "appservice/diary/state_private.h"
#include "homeserver/store/driver/db.h"

enum {
    CHILD_ROOMS,
    PLACES,
    PLACE_PUT,
    PLACE_DROP,
    PLACE_FORGET,
    RECORDS,
    SENT_ALL,
    SENT_GET,
    SENT_PUT,
    SENT_DROP,
    SENT_FORGET,
    MESSAGES__COUNT
};

static const struct statement TEXTS[MESSAGES__COUNT] = {
    [CHILD_ROOMS] = {"SELECT audience, room_id FROM rooms WHERE child = $1 ORDER BY audience"},
    [PLACES] = {"SELECT room_id, root FROM message_records WHERE source = $1 AND id = $2 ORDER BY room_id"},
    [PLACE_PUT] = {"INSERT INTO message_records (source, id, room_id, root) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT (source, id, room_id) DO UPDATE SET root = excluded.root"},
    [PLACE_DROP] = {"DELETE FROM message_records WHERE source = $1 AND id = $2 AND room_id = $3"},
    [PLACE_FORGET] = {"DELETE FROM message_records WHERE NOT EXISTS (SELECT 1 FROM records"
                      " WHERE records.source = message_records.source AND records.id = message_records.id)"},
    [RECORDS] = {"SELECT source, id FROM message_records WHERE root = $1 ORDER BY source, id"},
    [SENT_ALL] = {"SELECT txn, event_id FROM messages WHERE root = $1"
                  " ORDER BY CASE WHEN txn = root THEN 0 ELSE 1 END, txn"},
    [SENT_GET] = {"SELECT event_id FROM messages WHERE root = $1 AND txn = $2"},
    [SENT_PUT] = {"INSERT INTO messages (root, txn, room_id, event_id) VALUES ($1, $2, $3, $4)"
                  " ON CONFLICT (root, txn) DO UPDATE SET event_id = excluded.event_id"},
    [SENT_DROP] = {"DELETE FROM messages WHERE root = $1 AND txn = $2"},
    [SENT_FORGET] = {"DELETE FROM messages WHERE NOT EXISTS (SELECT 1 FROM message_records"
                     " WHERE message_records.root = messages.root)"},
};
STATEMENTS(MESSAGES, "diary_messages", TEXTS);

void state_messages_forget(struct state *state)
{
    db_run(state->db, &MESSAGES, PLACE_FORGET, "");
    db_run(state->db, &MESSAGES, SENT_FORGET, "");
}

/* Two columns of text of each row, as copies; what the lists below are made of. */
static char **two_columns(struct stmt *q, size_t *n)
{
    char **all = NULL;
    size_t cap = 0;
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            all = xrealloc(all, (cap = cap != 0 ? 2 * cap : 4) * 2 * sizeof *all);
        all[2 * *n] = xstrdup(col_text(q, 0));
        all[2 * (*n)++ + 1] = xstrdup(col_text(q, 1));
    }
    stmt_end(q);
    return all;
}

static void free_columns(void *list, size_t n)
{
    for (size_t i = 0; i < 2 * n; ++i)
        free(((char **)list)[i]);
    free(list);
}
_Static_assert(sizeof(struct place) == 2 * sizeof(char *) && sizeof(struct sent) == 2 * sizeof(char *) &&
                   sizeof(struct record_name) == 2 * sizeof(char *) && sizeof(struct child_room) == 2 * sizeof(char *),
               "each is two columns");

struct child_room *state_child_rooms(struct state *state, const char *child, size_t *n)
{
    return (struct child_room *)two_columns(db_query(state->db, &MESSAGES, CHILD_ROOMS, "t", child), n);
}

void state_child_rooms_free(struct child_room *list, size_t n)
{
    free_columns(list, n);
}

struct place *state_places(struct state *state, const char *source, const char *id, size_t *n)
{
    return (struct place *)two_columns(db_query(state->db, &MESSAGES, PLACES, "tt", source, id), n);
}

void state_places_free(struct place *list, size_t n)
{
    free_columns(list, n);
}

void state_place_put(struct state *state, const char *source, const char *id, const char *room_id, const char *root)
{
    db_run(state->db, &MESSAGES, PLACE_PUT, "tttt", source, id, room_id, root);
}

void state_place_drop(struct state *state, const char *source, const char *id, const char *room_id)
{
    db_run(state->db, &MESSAGES, PLACE_DROP, "ttt", source, id, room_id);
}

struct record_name *state_message_records(struct state *state, const char *root, size_t *n)
{
    return (struct record_name *)two_columns(db_query(state->db, &MESSAGES, RECORDS, "t", root), n);
}

void state_record_names_free(struct record_name *list, size_t n)
{
    free_columns(list, n);
}

void state_message_drop(struct state *state, const char *root, const char *room_id)
{
    size_t n;
    struct record_name *names = state_message_records(state, root, &n);
    state_begin(state);
    for (size_t i = 0; i < n; ++i)
        state_place_drop(state, names[i].source, names[i].id, room_id);
    state_sent_drop(state, root, root);
    state_commit(state);
    state_record_names_free(names, n);
}

struct sent *state_sent_all(struct state *state, const char *root, size_t *n)
{
    return (struct sent *)two_columns(db_query(state->db, &MESSAGES, SENT_ALL, "t", root), n);
}

void state_sent_free(struct sent *list, size_t n)
{
    free_columns(list, n);
}

char *state_sent(struct state *state, const char *root, const char *txn)
{
    return db_text(state->db, &MESSAGES, SENT_GET, "tt", root, txn);
}

void state_sent_put(struct state *state, const char *root, const char *txn, const char *room_id, const char *event_id)
{
    db_run(state->db, &MESSAGES, SENT_PUT, "tttt", root, txn, room_id, event_id);
}

void state_sent_drop(struct state *state, const char *root, const char *txn)
{
    db_run(state->db, &MESSAGES, SENT_DROP, "tt", root, txn);
}
