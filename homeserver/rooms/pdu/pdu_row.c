#include "homeserver/rooms/pdu/pdu_row.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/store/matrix/rooms.h"

#define AUTH_MAX 32

static bool add_reference(struct pdu_row *out, struct db *db, stream_pos pos, size_t at)
{
    struct event_row row;
    struct stmt *q = events_by_pos(db, pos);
    bool found = events_next(q, &row);
    if (found) {
        out->ids[at] = xstrdup(row.event_id);
        if (row.reference_hash != NULL)
            memcpy(out->hashes[at], row.reference_hash, SHA256_BYTES);
    }
    stmt_end(q);
    return found;
}

static bool add_references(struct pdu_row *out, struct db *db, room_no room, stream_pos pos, const char *auth)
{
    stream_pos before = events_last_pos(db, room, pos - 1);
    if (before != 0) {
        if (!add_reference(out, db, before, 0))
            return false;
        out->prev[out->pdu.n_prev++] = out->ids[0];
    }
    while (*auth != '\0') {
        char *end;
        stream_pos named = strtoll(auth, &end, 10);
        size_t n = out->pdu.n_auth;
        if (end == auth || n == AUTH_MAX || !add_reference(out, db, named, n + 1))
            return false;
        out->auth[out->pdu.n_auth++] = out->ids[n + 1];
        auth = *end == ',' ? end + 1 : end;
    }
    return true;
}

const struct room_version *room_version_of(struct db *db, room_no room)
{
    struct room_row row;
    struct stmt *q = rooms_get(db, room);
    const struct room_version *version = rooms_next(q, &row) ? room_version_get(row.version) : NULL;
    stmt_end(q);
    return version;
}

static void copy_row(struct pdu_row *out, const struct event_row *row)
{
    struct pdu *p = &out->pdu;
    p->type = out->type = xstrdup(row->type);
    p->state_key = out->state_key = row->state_key != NULL ? xstrdup(row->state_key) : NULL;
    p->redacts = out->redacts = row->redacts != NULL ? xstrdup(row->redacts) : NULL;
    p->content = out->content = xstrdup(row->content);
    p->content_len = strlen(out->content);
    p->origin_server_ts = row->ts;
    p->depth = row->depth;
    memcpy(p->hash, row->hash, SHA256_BYTES);
    strcpy(p->event_id, row->event_id);
}

bool pdu_row_load(struct pdu_row *out, struct db *db, struct user_names *names, const struct signing_key *key,
                  const char *server_name, stream_pos pos)
{
    struct event_row row;
    *out = (struct pdu_row){0};
    struct stmt *q = events_by_pos(db, pos);
    if (!events_next(q, &row)) {
        stmt_end(q);
        return false;
    }
    copy_row(out, &row);
    room_no room = row.room;
    user_no sender = row.sender;
    out->redacted = row.redacted_by != 0;
    char *auth = xstrdup(row.auth);
    stmt_end(q); /* the references are read by the same statement */
    struct pdu *p = &out->pdu;
    p->version = room_version_of(db, room);
    p->sender = user_names_get(names, db, sender);
    out->room_id = rooms_id_of(db, room);
    bool whole = add_references(out, db, room, pos, auth) && p->version != NULL && p->sender != NULL;
    free(auth);
    if (!whole)
        return false;
    p->prev_events = out->prev;
    p->auth_events = out->auth;
    p->room_id = p->n_prev == 0 && room_version_has(p->version, ROOM_ID_IS_HASH) ? NULL : out->room_id;
    if (p->version->id_format == EVENT_ID_OPAQUE) {
        p->prev_hashes = (const unsigned char(*)[SHA256_BYTES])out->hashes[0];
        p->auth_hashes = (const unsigned char(*)[SHA256_BYTES])out->hashes[1];
    }
    pdu_sign(p, key, server_name);
    return true;
}

void pdu_row_finish(struct pdu_row *row)
{
    for (size_t i = 0; i < sizeof row->ids / sizeof *row->ids; ++i)
        free(row->ids[i]);
    free(row->room_id);
    free(row->content);
    free(row->type);
    free(row->state_key);
    free(row->redacts);
}

static bool hash_holds(const struct pdu *pdu)
{
    struct text bytes = TEXT_INIT;
    unsigned char hash[SHA256_BYTES];
    pdu_add_text(&bytes, pdu, 0);
    sha256(bytes.data, bytes.len, hash);
    text_finish(&bytes);
    return bytes_equal(hash, pdu->hash, SHA256_BYTES);
}

static bool id_holds(const struct pdu *pdu)
{
    unsigned char hash[SHA256_BYTES];
    char id[ID_BYTES_MAX + 1];
    if (pdu->version->id_format == EVENT_ID_OPAQUE)
        return true;
    pdu_reference_hash(pdu, hash);
    pdu_event_id(pdu->version, hash, id);
    return strcmp(id, pdu->event_id) == 0;
}

bool pdu_row_check(struct db *db, struct user_names *names, const struct signing_key *key, const char *server_name,
                   stream_pos pos)
{
    struct pdu_row row;
    bool holds = pdu_row_load(&row, db, names, key, server_name, pos) && id_holds(&row.pdu) &&
                 (row.redacted || hash_holds(&row.pdu));
    pdu_row_finish(&row);
    return holds;
}
