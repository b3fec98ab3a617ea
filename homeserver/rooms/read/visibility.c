#include "homeserver/rooms/read/visibility.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json_scan.h"
#include "homeserver/base/text.h"
#include "homeserver/base/words.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/events.h"

enum setting { SHARED, WORLD_READABLE, INVITED, JOINED }; /* SHARED also stands for absent and not understood */

/* From pos on the value holds. */
struct step {
    stream_pos pos;
    int value;
};

struct steps {
    struct step *at;
    size_t n;
    int first; /* before the first step */
};

struct run {
    stream_pos first, last; /* both included */
};

struct visibility {
    struct db *db;
    room_no room;
    char *user_id;
    stream_pos joined_pos; /* of who is joined: since then they see all; 0: not known */
    bool loaded;           /* all below is */
    struct steps memberships, settings;
    stream_pos last_join; /* 0: never */
    struct run *runs;     /* ascending, apart from each other */
    size_t n_runs;
};

static int setting_from(const char *name)
{
    static const char *const NAMES[] = {"shared", "world_readable", "invited", "joined"};
    int setting = WORD_FIND(NAMES, name);
    return setting >= 0 ? setting : SHARED;
}

static int membership_value(const char *name)
{
    return membership_from(name);
}

static void load_steps(struct db *db, room_no room, const char *type, const char *state_key, const char *field,
                       int (*value_of)(const char *name), struct steps *steps)
{
    stream_pos pos;
    const char *content;
    struct stmt *q = events_state_history(db, room, type, state_key);
    while (events_state_history_next(q, &pos, &content)) {
        struct json_scan_value object = json_scan_text(content, strlen(content));
        struct json_scan_value value = json_scan_find(&object, field, 1);
        char name[24] = ""; /* longer ones are none that is known */
        if (value.kind == '"' && value.len < sizeof name)
            memcpy(name, value.s, value.len);
        steps->at = xrealloc(steps->at, (steps->n + 1) * sizeof *steps->at);
        steps->at[steps->n++] = (struct step){pos, value_of(name)};
    }
    stmt_end(q);
}

static int value_at(const struct steps *steps, stream_pos pos)
{
    size_t n = steps->n;
    while (n != 0 && steps->at[n - 1].pos > pos)
        --n;
    return n != 0 ? steps->at[n - 1].value : steps->first;
}

/* The rules in the specification's order. pos: where the event is; later joins count for shared history. */
static bool rules_allow(const struct visibility *v, int setting, int membership, stream_pos pos)
{
    if (setting == WORLD_READABLE)
        return true;
    if (v->last_join == 0)
        return false;
    return membership == MEMBERSHIP_JOIN || (setting == SHARED && v->last_join > pos) ||
           (setting == INVITED && membership == MEMBERSHIP_INVITE);
}

static void add_run(struct visibility *v, stream_pos first, stream_pos last)
{
    if (first > last)
        return;
    if (v->n_runs != 0 && v->runs[v->n_runs - 1].last == first - 1) {
        v->runs[v->n_runs - 1].last = last;
        return;
    }
    v->runs = xrealloc(v->runs, (v->n_runs + 1) * sizeof *v->runs);
    v->runs[v->n_runs++] = (struct run){first, last};
}

/* Walks both histories side by side. A step is an event of its own: seen if it could be seen before or after. */
static void find_runs(struct visibility *v)
{
    int membership = v->memberships.first, setting = v->settings.first;
    stream_pos at = 0;
    size_t m = 0, s = 0;
    for (;;) {
        /* Where either history takes its next step. INT64_MAX: nowhere. */
        stream_pos next = m < v->memberships.n ? v->memberships.at[m].pos : INT64_MAX;
        if (s < v->settings.n && v->settings.at[s].pos < next)
            next = v->settings.at[s].pos;
        bool before = rules_allow(v, setting, membership, next == INT64_MAX ? at : next - 1);
        if (before)
            add_run(v, at, next == INT64_MAX ? next : next - 1);
        if (next == INT64_MAX)
            return;
        bool seen = rules_allow(v, setting, membership, next);
        if (m < v->memberships.n && v->memberships.at[m].pos == next)
            membership = v->memberships.at[m++].value;
        if (s < v->settings.n && v->settings.at[s].pos == next)
            setting = v->settings.at[s++].value;
        if (seen || rules_allow(v, setting, membership, next))
            add_run(v, next, next);
        at = next + 1;
    }
}

static void load(struct visibility *v, bool member)
{
    v->loaded = true;
    if (member)
        load_steps(v->db, v->room, "m.room.member", v->user_id, "membership", membership_value, &v->memberships);
    load_steps(v->db, v->room, "m.room.history_visibility", "", "history_visibility", setting_from, &v->settings);
    for (size_t i = 0; i < v->memberships.n; ++i)
        if (v->memberships.at[i].value == MEMBERSHIP_JOIN)
            v->last_join = v->memberships.at[i].pos;
    find_runs(v);
}

/* Whoever asks about a time before they joined has all of it read: a picture of the same snapshot, only taken later. */
static const struct visibility *loaded(const struct visibility *v)
{
    if (!v->loaded)
        load((struct visibility *)v, true);
    return v;
}

struct visibility *visibility_of_row(struct db *db, bool school_mode, const struct membership_row *row,
                                     const char *user_id)
{
    struct visibility *v = xcalloc(1, sizeof *v);
    *v = (struct visibility){.db = db, .room = row->room, .user_id = user_id != NULL ? xstrdup(user_id) : NULL};
    v->memberships.first = MEMBERSHIP_NONE;
    v->settings.first = SHARED;
    if (row->membership == MEMBERSHIP_JOIN && row->joined_pos != 0)
        v->joined_pos = row->joined_pos;
    else if (row->membership == MEMBERSHIP_JOIN || !school_mode ||
             (row->user != 0 && gate_may_see(true, db, row->room, row->user)))
        load(v, row->membership != MEMBERSHIP_NONE && !row->forgotten);
    else
        v->loaded = true;
    return v;
}

struct visibility *visibility_load(struct db *db, bool school_mode, room_no room, user_no user, const char *user_id)
{
    struct membership_row row;
    memberships_get(db, room, user, &row);
    return (struct visibility *)loaded(visibility_of_row(db, school_mode, &row, user_id));
}

static bool joined_at(const struct visibility *v, stream_pos pos)
{
    return v->joined_pos != 0 && pos >= v->joined_pos;
}

void visibility_free(struct visibility *v)
{
    if (v == NULL)
        return;
    free(v->user_id);
    free(v->memberships.at);
    free(v->settings.at);
    free(v->runs);
    free(v);
}

bool visibility_allows(const struct visibility *v, stream_pos pos)
{
    if (joined_at(v, pos))
        return true;
    for (size_t i = loaded(v)->n_runs; i-- != 0;)
        if (v->runs[i].first <= pos)
            return pos <= v->runs[i].last;
    return false;
}

bool visibility_is_closed(const struct visibility *v)
{
    return loaded(v)->n_runs == 0;
}

bool visibility_range(const struct visibility *v, stream_pos *first, stream_pos *last)
{
    if (loaded(v)->n_runs == 0)
        return false;
    *first = v->runs[0].first;
    *last = v->runs[v->n_runs - 1].last;
    return true;
}

enum membership visibility_membership_at(const struct visibility *v, stream_pos pos)
{
    return joined_at(v, pos) ? MEMBERSHIP_JOIN : (enum membership)value_at(&loaded(v)->memberships, pos);
}

enum membership visibility_membership(const struct visibility *v)
{
    return visibility_membership_at(v, INT64_MAX);
}

stream_pos visibility_left_pos(const struct visibility *v, stream_pos before)
{
    stream_pos left = 0;
    for (size_t i = 1; i < loaded(v)->memberships.n && v->memberships.at[i].pos < before; ++i)
        if (v->memberships.at[i - 1].value == MEMBERSHIP_JOIN && v->memberships.at[i].value != MEMBERSHIP_JOIN)
            left = v->memberships.at[i].pos;
    return left;
}

bool visibility_was_let_in(struct db *db, const struct membership_row *now, const char *user_id)
{
    struct steps steps = {0};
    bool let_in = now->joined_pos != 0;
    if (!let_in)
        load_steps(db, now->room, "m.room.member", user_id, "membership", membership_value, &steps);
    for (size_t i = 0; i < steps.n; ++i)
        let_in |= steps.at[i].value != MEMBERSHIP_BAN && steps.at[i].value != MEMBERSHIP_LEAVE;
    free(steps.at);
    return let_in;
}

stream_pos visibility_state_pos(const struct visibility *v)
{
    if (visibility_membership(v) == MEMBERSHIP_JOIN || value_at(&loaded(v)->settings, INT64_MAX) == WORLD_READABLE)
        return INT64_MAX;
    return visibility_left_pos(v, INT64_MAX);
}
