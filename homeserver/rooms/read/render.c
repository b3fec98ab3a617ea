#include "homeserver/rooms/read/render.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/read/render_private.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/transactions.h"

/* The keys of an event never need escaping; their values may. */
static inline void add_member(struct text *out, const char *before, const char *value)
{
    text_put(out, before);
    text_add_json(out, value);
}

static void add_sender(struct text *out, const struct render *how, user_no sender)
{
    const char *id = user_names_get(how->names, how->db, sender);
    add_member(out, ",\"sender\":", id != NULL ? id : "");
}

/* What a redaction redacts stands at the top level up to room version 10 and in the content from 11 on; clients of
 * either sort find it when it is served in both places ("m.room.redaction"). */
static void add_redaction(struct text *out, const struct event_row *row)
{
    if (row->redacts == NULL) {
        json_t *content = json_loads(row->content, 0, NULL);
        const char *redacts = json_get_string(content, "redacts");
        text_adds(out, row->content);
        if (redacts != NULL)
            add_member(out, ",\"redacts\":", redacts);
        json_decref(content);
    } else if (strstr(row->content, "\"redacts\":") != NULL) {
        text_adds(out, row->content);
        add_member(out, ",\"redacts\":", row->redacts);
    } else {
        add_member(out, "{\"redacts\":", row->redacts);
        if (strcmp(row->content, "{}") != 0)
            text_addc(out, ',');
        text_adds(out, row->content + 1);
        add_member(out, ",\"redacts\":", row->redacts);
    }
}

static bool bare(const struct render *how)
{
    return how->bare || how->db == NULL;
}

static void add_head(struct text *out, const struct render *how, const struct event_row *row)
{
    text_put(out, "{\"content\":");
    if (strcmp(row->type, "m.room.redaction") == 0)
        add_redaction(out, row);
    else
        text_adds(out, row->content);
    add_member(out, ",\"event_id\":", row->event_id);
    text_put(out, ",\"origin_server_ts\":");
    text_add_int(out, row->ts);
    if (how->room_id != NULL)
        add_member(out, ",\"room_id\":", how->room_id);
    add_sender(out, how, row->sender);
    if (row->state_key != NULL)
        add_member(out, ",\"state_key\":", row->state_key);
    add_member(out, ",\"type\":", row->type);
    text_put(out, ",\"unsigned\":{\"age\":");
}

static void add_replaced(struct text *out, const struct render *how, const struct event_row *row)
{
    if (row->prev_content != NULL) {
        text_adds(out, ",\"prev_content\":");
        text_adds(out, row->prev_content);
    }
    char *replaced = !bare(how) && row->replaces != 0 ? events_id_of(how->db, row->replaces) : NULL;
    if (replaced != NULL)
        add_member(out, ",\"replaces_state\":", replaced);
    free(replaced);
}

/* Redactions can be redacted, in chains as long as anybody likes: one link is told. An event that an erasure emptied
 * (policy/privacy/erasure.h) was redacted by itself, which no event tells. */
static void add_redacted_because(struct text *out, const struct render *how, const struct event_row *row)
{
    struct render inner = *how;
    bool told = row->redacted_by != 0 && row->redacted_by != row->pos && !how->inner;
    struct event_row *redaction = told ? event_at(how->db, row->redacted_by) : NULL;
    if (redaction == NULL)
        return;
    inner.plain = inner.inner = true;
    text_adds(out, ",\"redacted_because\":");
    render_event(out, &inner, redaction);
    free(redaction);
}

void render_transaction(struct text *out, const char *txn_id)
{
    add_member(out, ",\"transaction_id\":", txn_id);
}

/* State is sent without one. */
static void add_transaction(struct text *out, const struct render *how, const struct event_row *row)
{
    if (how->viewer == 0 || how->viewer != row->sender || how->device == 0 || row->state_key != NULL)
        return;
    char *txn = transactions_txn_of(how->db, how->device, row->pos);
    if (txn != NULL)
        render_transaction(out, txn);
    free(txn);
}

void render_event(struct text *out, const struct render *how, const struct event_row *row)
{
    add_head(out, how, row);
    text_add_int(out, how->now_ms > row->ts ? how->now_ms - row->ts : 0);
    if (how->visibility != NULL)
        add_member(out, ",\"membership\":", membership_name(visibility_membership_at(how->visibility, row->pos)));
    add_replaced(out, how, row);
    if (!bare(how)) {
        add_redacted_because(out, how, row);
        add_transaction(out, how, row);
        if (!how->plain && row->state_key == NULL)
            render_add_aggregations(out, how, row);
    }
    text_put(out, "}}");
}

void render_event_shared(struct text *before_age, struct text *after_age, const struct render *how,
                         const struct event_row *row)
{
    add_head(before_age, how, row);
    add_replaced(after_age, how, row);
    if (!bare(how))
        add_redacted_because(after_age, how, row);
}

void render_stripped(struct text *out, const struct render *how, const struct event_row *row)
{
    text_adds(out, "{\"content\":");
    text_adds(out, row->content);
    add_sender(out, how, row->sender);
    add_member(out, ",\"state_key\":", row->state_key != NULL ? row->state_key : "");
    add_member(out, ",\"type\":", row->type);
    text_addc(out, '}');
}

/* Copies the bytes to *at and moves it behind them. NULL stays NULL. */
static const char *hold(char **at, const char *bytes, size_t len)
{
    if (bytes == NULL)
        return NULL;
    char *copy = memcpy(*at, bytes, len);
    *at += len;
    return copy;
}

struct event_row *event_hold(const struct event_row *row)
{
    const char *strings[] = {row->event_id, row->type,    row->state_key,   row->content,
                             row->auth,     row->redacts, row->prev_content};
    const char **held[7];
    size_t lens[7], bytes = sizeof *row;
    for (int i = 0; i < 7; ++i)
        bytes += lens[i] = strings[i] != NULL ? strlen(strings[i]) + 1 : 0;
    if (row->hash != NULL) /* a whole one */
        bytes += SHA256_BYTES + SHA256_BYTES;
    struct event_row *copy = xrealloc(NULL, bytes);
    char *at = (char *)(copy + 1);
    *copy = *row;
    held[0] = &copy->event_id, held[1] = &copy->type, held[2] = &copy->state_key, held[3] = &copy->content;
    held[4] = &copy->auth, held[5] = &copy->redacts, held[6] = &copy->prev_content;
    for (int i = 0; i < 7; ++i)
        *held[i] = hold(&at, strings[i], lens[i]);
    copy->hash = (const unsigned char *)hold(&at, (const char *)row->hash, SHA256_BYTES);
    copy->reference_hash = (const unsigned char *)hold(&at, (const char *)row->reference_hash, SHA256_BYTES);
    return copy;
}

struct event_row *event_at(struct db *db, stream_pos pos)
{
    struct event_row row, *held = NULL;
    struct stmt *q = events_by_pos(db, pos);
    if (events_next(q, &row))
        held = event_hold(&row);
    stmt_end(q);
    return held;
}
