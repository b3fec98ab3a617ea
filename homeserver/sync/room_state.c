#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/composing.h"
#include "homeserver/sync/lazy.h"

/* Putting one list of state together. */
struct adding {
    struct text *out;
    size_t start;
    struct room_view *view;
    const struct batch *batch;
    struct text
        given; /* keys that are in already, each with a NUL behind: only those that something else could repeat */
};

static bool is_member(const struct event_row *row)
{
    return strcmp(row->type, "m.room.member") == 0;
}

static bool lazy(const struct room_view *view)
{
    return view->c->filter->state.lazy_load_members;
}

/* Only one's own member events name somebody whose number is at hand; they are what comes most. */
static user_no no_of(struct room_view *view, const struct event_row *row)
{
    const char *sender = user_names_get(view->c->syncer->names, view->c->db, row->sender);
    return sender != NULL && strcmp(sender, row->state_key) == 0 ? row->sender : 0;
}

static void add_row(struct adding *a, const struct event_row *row)
{
    if (!event_wanted(a->view, &a->view->c->filter->state, row))
        return;
    add_comma(a->out, a->start);
    event_out(a->out, a->view, row, false);
}

/* The row as it was at `at`: goes back along what it replaces. NULL: there was none. Heap. */
static struct event_row *row_at(struct db *db, const struct event_row *row, stream_pos at)
{
    stream_pos pos = row->replaces;
    struct event_row *held = NULL;
    while (pos != 0) {
        free(held);
        held = event_at(db, pos);
        if (held == NULL || held->pos <= at)
            return held;
        pos = held->replaces;
    }
    free(held);
    return NULL;
}

static bool given(const struct adding *a, const char *type, const char *state_key)
{
    for (size_t i = 0; i < a->given.len;) {
        const char *t = a->given.data + i, *k = t + strlen(t) + 1;
        if (strcmp(t, type) == 0 && strcmp(k, state_key) == 0)
            return true;
        i += strlen(t) + strlen(k) + 2;
    }
    return false;
}

/* The whole state at a position, from the current one backwards: hardly any of it has changed since. */
static void add_whole(struct adding *a, stream_pos at)
{
    struct event_row row;
    struct db *db = a->view->c->db;
    struct stmt *q = lazy(a->view) ? events_state_plain(db, a->view->room) : events_state_now(db, a->view->room);
    while (events_next(q, &row)) {
        if (given(a, row.type, row.state_key))
            continue;
        if (row.pos <= at) {
            add_row(a, &row);
            continue;
        }
        struct event_row *before = row_at(db, &row, at);
        if (before != NULL)
            add_row(a, before);
        free(before);
    }
    stmt_end(q);
}

/* State behind the base that the timeline does not tell (its filter, an ignored or unseen one): the newest of each. */
static void add_left_out(struct adding *a)
{
    struct event_row row;
    struct room_view *view = a->view;
    if (!a->batch->state_left_out)
        return;
    struct stmt *q = events_state_between(view->c->db, view->room, a->batch->base, view->upto);
    while (events_next(q, &row)) {
        if (batch_has(a->batch, row.pos))
            continue;
        add_row(a, &row);
        text_add(&a->given, row.type, strlen(row.type) + 1);
        text_add(&a->given, row.state_key, strlen(row.state_key) + 1);
    }
    stmt_end(q);
}

/* State that changed in (since, upto]. */
static void add_changes(struct adding *a, stream_pos upto)
{
    struct event_row row;
    struct room_view *view = a->view;
    struct stmt *q = events_state_between(view->c->db, view->room, view->since, upto);
    while (events_next(q, &row)) {
        if (!given(a, row.type, row.state_key))
            add_row(a, &row);
    }
    stmt_end(q);
}

/* A member event that lazy loading wants, unless it is told elsewhere in this answer or the device has it. */
static void add_member(struct adding *a, user_no user, stream_pos at)
{
    struct event_row row;
    struct room_view *view = a->view;
    struct composing *c = view->c;
    const struct sync_ask *ask = c->ask;
    const char *id = user_names_get(c->syncer->names, c->db, user);
    struct stmt *q = events_state_get_at(c->db, view->room, "m.room.member", id != NULL ? id : "", at);
    if (events_next(q, &row)) {
        bool redundant =
            !view->whole && (row.pos > view->since || (!c->filter->state.include_redundant_members &&
                                                       lazy_knows(c->syncer->lazy, ask->device, view->room, user,
                                                                  row.pos, view->membership.joined_pos, ask->since)));
        if (!redundant) {
            add_row(a, &row);
            lazy_note(c->syncer->lazy, ask->device, view->room, user, row.pos, c->upto);
        }
    }
    stmt_end(q);
}

static void add_user(user_no *users, size_t *n, user_no user)
{
    for (size_t i = 0; i < *n; ++i)
        if (users[i] == user)
            return;
    users[(*n)++] = user;
}

/* The senders of the timeline, the heroes, and with the whole state the person themselves. */
static void add_members(struct adding *a, stream_pos at)
{
    struct room_view *view = a->view;
    if (!lazy(view))
        return;
    user_no *users = xcalloc(a->batch->n + view->n_heroes + 1, sizeof *users);
    size_t n = 0;
    if (view->whole)
        add_user(users, &n, view->c->ask->user);
    for (size_t i = 0; i < view->n_heroes; ++i)
        add_user(users, &n, view->heroes[i]);
    for (size_t i = 0; i < a->batch->n; ++i)
        add_user(users, &n, a->batch->rows[i]->sender);
    for (size_t i = 0; i < n; ++i)
        add_member(a, users[i], at);
    free(users);
}

/* What the timeline or the changes tell of members need not be told again. */
static void note_members(struct room_view *view, const struct batch *batch)
{
    struct composing *c = view->c;
    for (size_t i = 0; lazy(view) && i < batch->n; ++i) {
        const struct event_row *row = batch->rows[i];
        user_no user = row->state_key != NULL && is_member(row) ? no_of(view, row) : 0;
        if (user != 0)
            lazy_note(c->syncer->lazy, c->ask->device, view->room, user, row->pos, c->upto);
    }
}

void room_state_add(struct text *out, struct room_view *view, const struct batch *batch)
{
    struct adding a = {.out = out, .start = out->len, .view = view, .batch = batch};
    bool after = view->c->ask->use_state_after;
    stream_pos at = after ? view->upto : batch->base;
    if (!after)
        add_left_out(&a);
    if (view->whole)
        add_whole(&a, at);
    else if (batch->limited || (after && batch->state))
        add_changes(&a, at);
    add_members(&a, at);
    note_members(view, batch);
    text_finish(&a.given);
}

/* What helps to identify a room that one is not in (Client-Server API, "Stripped state"). */
static const char *const STRIPPED[] = {"m.room.create",    "m.room.name",       "m.room.avatar",
                                       "m.room.topic",     "m.room.join_rules", "m.room.canonical_alias",
                                       "m.room.encryption"};

static void add_stripped(struct text *out, size_t start, struct room_view *view, const char *type,
                         const char *state_key)
{
    struct event_row row;
    struct composing *c = view->c;
    struct stmt *q = events_state_get(c->db, view->room, type, state_key);
    if (events_next(q, &row)) {
        add_comma(out, start);
        render_stripped(out, &(struct render){.db = c->db, .names = c->syncer->names}, &row);
    }
    stmt_end(q);
}

/* Who sent one's own member event: who invites. NULL: oneself. */
static const char *other_sender(struct room_view *view)
{
    struct event_row row;
    user_no sender = 0;
    struct stmt *q = events_by_pos(view->c->db, view->membership.pos);
    if (events_next(q, &row))
        sender = row.sender;
    stmt_end(q);
    return sender != 0 && sender != view->c->ask->user ? user_names_get(view->c->syncer->names, view->c->db, sender)
                                                       : NULL;
}

void room_state_add_stripped(struct text *out, struct room_view *view)
{
    size_t start = out->len;
    const char *inviter = other_sender(view);
    for (size_t i = 0; i < sizeof STRIPPED / sizeof *STRIPPED; ++i)
        add_stripped(out, start, view, STRIPPED[i], "");
    if (inviter != NULL)
        add_stripped(out, start, view, "m.room.member", inviter);
    add_stripped(out, start, view, "m.room.member", view->c->ask->user_id);
}
