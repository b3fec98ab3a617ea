#include "homeserver/rooms/read/directory.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/casefold.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

struct act_on {
    struct rooms *rooms;
    const struct session *session;
    const char *alias, *room_id;
    bool published;
};

static bool has_power(struct room *room, struct tx *tx, const struct session *session)
{
    struct power power;
    room_power(room, tx, &power);
    return power_of_user(&power, session->user_id) >= power_needed(&power, "m.room.canonical_alias", true);
}

static bool joined(struct room *room, struct tx *tx, const struct session *session)
{
    return memberships_of(tx->db, room->no, session->user) == MEMBERSHIP_JOIN;
}

static bool set_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    struct room *room = room_open_by_id(act->rooms, tx, act->room_id, e);
    if (room == NULL)
        return false;
    if (!joined(room, tx, act->session))
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!gate_room(act->rooms, tx->db, ACT_ALIAS, room->no, act->session->user, 0, NULL, NULL, e))
        return false;
    if (aliases_insert(tx, act->alias, room->no, act->session->user))
        return true;
    error_set(e, ERROR_UNKNOWN, "This alias exists already.");
    e->status = 409;
    return false;
}

static bool delete_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    user_no creator = 0;
    room_no no = aliases_find(tx->db, act->alias, &creator);
    struct room *room = no != 0 ? room_open(act->rooms, tx, no) : NULL;
    if (room == NULL || !gate_may_see(rooms_settings(act->rooms)->school_mode, tx->db, no, act->session->user))
        return error_set(e, ERROR_NOT_FOUND, "There is no such alias.");
    if (!gate_room(act->rooms, tx->db, ACT_ALIAS, no, act->session->user, 0, NULL, NULL, e))
        return false;
    if (creator != act->session->user && !act->session->admin &&
        !(joined(room, tx, act->session) && has_power(room, tx, act->session)))
        return error_set(e, ERROR_FORBIDDEN, "You may not delete this alias.");
    return aliases_delete(tx, act->alias);
}

static bool publish(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    room_no no = rooms_by_id(tx->db, act->room_id);
    struct room *room = no != 0 ? room_open(act->rooms, tx, no) : NULL;
    if (room == NULL || !gate_may_see(rooms_settings(act->rooms)->school_mode, tx->db, no, act->session->user))
        return error_set(e, ERROR_NOT_FOUND, "There is no such room.");
    if (!gate_room(act->rooms, tx->db, ACT_PUBLISH, no, act->session->user, 0, NULL, NULL, e))
        return false;
    if (!act->session->admin && !joined(room, tx, act->session))
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!act->session->admin && !has_power(room, tx, act->session))
        return error_set(e, ERROR_FORBIDDEN, "Your power level is too low to publish this room.");
    return rooms_set_published(tx, no, act->published);
}

bool directory_set_alias(struct writer *writer, struct rooms *rooms, const struct session *session, const char *alias,
                         const char *room_id, struct error *e)
{
    struct act_on act = {rooms, session, alias, room_id, false};
    return writer_run(writer, set_alias, &act, e);
}

bool directory_delete_alias(struct writer *writer, struct rooms *rooms, const struct session *session,
                            const char *alias, struct error *e)
{
    struct act_on act = {rooms, session, alias, NULL, false};
    return writer_run(writer, delete_alias, &act, e);
}

bool directory_publish(struct writer *writer, struct rooms *rooms, const struct session *session, const char *room_id,
                       bool published, struct error *e)
{
    struct act_on act = {rooms, session, NULL, room_id, published};
    return writer_run(writer, publish, &act, e);
}

room_no directory_find(struct db *db, bool school_mode, const char *alias, user_no user)
{
    room_no room = aliases_find(db, alias, NULL);
    return room != 0 && gate_may_see(school_mode, db, room, user) ? room : 0;
}

bool directory_token(const char *token, size_t *from)
{
    size_t digits = token[0] == 'p' ? strspn(token + 1, "0123456789") : 0;
    if (digits == 0 || digits > 9 || token[1 + digits] != '\0')
        return false;
    *from = strtoul(token + 1, NULL, 10);
    return true;
}

static bool type_wanted(const struct directory_search *search, const char *type)
{
    for (int i = 0; i < search->n_types; ++i)
        if (type == NULL ? search->types[i] == NULL : search->types[i] != NULL && strcmp(search->types[i], type) == 0)
            return true;
    return search->n_types < 0;
}

static bool matches(const struct directory_search *search, const struct summary *summary, const char *term)
{
    return type_wanted(search, summary_room_type(summary)) &&
           (term == NULL || casefold_contains(summary_name(summary), term) ||
            casefold_contains(summary_topic(summary), term) || casefold_contains(summary_alias(summary), term));
}

static room_no *published(struct db *db, size_t *n)
{
    struct room_row row;
    room_no *rooms = NULL;
    struct stmt *q = rooms_published(db);
    for (*n = 0; rooms_next(q, &row); ++*n) {
        if ((*n & (*n - 1)) == 0)
            rooms = xrealloc(rooms, (*n != 0 ? *n * 2 : 1) * sizeof *rooms);
        rooms[*n] = row.room;
    }
    stmt_end(q);
    return rooms;
}

static int by_size(const void *a, const void *b)
{
    const struct summary *x = a, *y = b;
    return x->joined != y->joined ? (x->joined < y->joined ? 1 : -1) : x->room < y->room ? -1 : x->room > y->room;
}

/* The matching rooms in order: heap, each to be finished. */
static struct summary *find(struct db *db, const struct directory_search *search, size_t *found)
{
    size_t n;
    room_no *rooms = published(db, &n);
    struct summary *summaries = xcalloc(n, sizeof *summaries);
    char *term = search->term != NULL ? casefold(search->term) : NULL;
    *found = 0;
    for (size_t i = 0; i < n; ++i) {
        struct summary *summary = &summaries[*found];
        if (gate_may_see(search->school_mode, db, rooms[i], search->user) && summary_load(summary, db, rooms[i]) &&
            matches(search, summary, term))
            ++*found;
        else
            summary_finish(summary);
    }
    qsort(summaries, *found, sizeof *summaries, by_size);
    free(term);
    free(rooms);
    return summaries;
}

void directory_render(struct text *out, struct db *db, const struct directory_search *search)
{
    size_t n, from = search->from;
    struct summary *summaries = find(db, search, &n);
    text_adds(out, "{\"chunk\":[");
    for (size_t i = from; i < n && i - from < search->limit; ++i) {
        text_adds(out, i != from ? ",{" : "{");
        summary_add(out, &summaries[i], false);
        text_addc(out, '}');
    }
    text_addf(out, "],\"total_room_count_estimate\":%zu", n);
    if (from < n && n - from > search->limit)
        text_addf(out, ",\"next_batch\":\"p%zu\"", from + search->limit);
    if (from != 0)
        text_addf(out, ",\"prev_batch\":\"p%zu\"", from > search->limit ? from - search->limit : 0);
    text_addc(out, '}');
    for (size_t i = 0; i < n; ++i)
        summary_finish(&summaries[i]);
    free(summaries);
}
