#include "homeserver/rooms/read/render_private.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/relations.h"

/* An edit that may be the newest valid one; whether it is valid shows in its content, read afterwards. */
struct edit {
    stream_pos pos;
    int64_t ts;
    char *event_id;
};

/* What one pass over the relations finds. */
struct found {
    struct edit *edits;
    size_t n_edits;
    struct {
        stream_pos latest;
        int64_t count;
        bool participated;
    } thread;
    struct text references; /* {"event_id":…},{… */
};

bool render_counts_relation(const struct render *how, const struct relation *relation)
{
    return !ignored_has(how->ignored, relation->sender) &&
           (how->visibility == NULL || visibility_allows(how->visibility, relation->pos));
}

static void take(struct found *found, const struct render *how, const struct event_row *row,
                 const struct relation *relation)
{
    if (strcmp(relation->rel_type, "m.thread") == 0) {
        found->thread.latest = relation->pos;
        found->thread.count += 1;
        found->thread.participated |= relation->sender == how->viewer;
    } else if (strcmp(relation->rel_type, "m.replace") == 0) {
        /* An edit is by the same person, of the same type, and no state ("Validity of replacement events"). */
        if (relation->sender != row->sender || relation->state || strcmp(relation->type, row->type) != 0)
            return;
        found->edits = xrealloc(found->edits, (found->n_edits + 1) * sizeof *found->edits);
        found->edits[found->n_edits++] = (struct edit){relation->pos, relation->ts, xstrdup(relation->event_id)};
    } else if (strcmp(relation->rel_type, "m.reference") == 0) {
        text_adds(&found->references, found->references.len != 0 ? ",{\"event_id\":" : "{\"event_id\":");
        text_add_json(&found->references, relation->event_id);
        text_addc(&found->references, '}');
    }
}

/* The most recent first: by time, then by id. */
static int by_recency(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    return x->ts != y->ts ? (x->ts < y->ts ? 1 : -1) : strcmp(y->event_id, x->event_id);
}

static bool edit_valid(const struct event_row *edit)
{
    if (strcmp(edit->type, "m.room.encrypted") == 0)
        return true;
    json_t *content = json_loads(edit->content, 0, NULL);
    bool valid = json_get_object(content, "m.new_content") != NULL;
    json_decref(content);
    return valid;
}

static bool is_edit(const struct event_row *row)
{
    if (strstr(row->content, "\"m.replace\"") == NULL)
        return false;
    json_t *content = json_loads(row->content, 0, NULL);
    const char *rel_type = json_get_string(json_get_object(content, "m.relates_to"), "rel_type");
    bool edits = rel_type != NULL && strcmp(rel_type, "m.replace") == 0;
    json_decref(content);
    return edits;
}

/* The newest valid edit, heap; NULL: none. */
static struct event_row *newest_edit(struct found *found, const struct render *how, const struct event_row *row)
{
    if (found->n_edits == 0 || row->redacted_by != 0 || is_edit(row))
        return NULL;
    qsort(found->edits, found->n_edits, sizeof *found->edits, by_recency);
    for (size_t i = 0; i < found->n_edits; ++i) {
        struct event_row *edit = event_at(how->db, found->edits[i].pos);
        if (edit != NULL && edit_valid(edit))
            return edit;
        free(edit);
    }
    return NULL;
}

static void begin_member(struct text *out, size_t start, const char *name)
{
    text_adds(out, out->len == start ? ",\"m.relations\":{" : ",");
    text_add_json(out, name);
    text_addc(out, ':');
}

static void add_edit(struct text *out, size_t start, const struct render *how, struct event_row *edit)
{
    struct render inner = *how;
    if (edit == NULL)
        return;
    inner.plain = true;
    begin_member(out, start, "m.replace");
    render_event(out, &inner, edit);
    free(edit);
}

/* The thread's newest event goes with its own aggregations, which are no threads: those do not nest. */
static void add_thread(struct text *out, size_t start, const struct render *how, const struct event_row *row,
                       const struct found *found)
{
    struct event_row *latest = found->thread.count != 0 ? event_at(how->db, found->thread.latest) : NULL;
    if (latest == NULL)
        return;
    struct render inner = *how;
    inner.plain = latest->pos <= row->pos; /* a relation to a later event is nonsense: no loop can come of it */
    begin_member(out, start, "m.thread");
    text_adds(out, "{\"latest_event\":");
    render_event(out, &inner, latest);
    text_addf(out, ",\"count\":%lld,\"current_user_participated\":%s}", (long long)found->thread.count,
              found->thread.participated || row->sender == how->viewer ? "true" : "false");
    free(latest);
}

void render_add_aggregations(struct text *out, const struct render *how, const struct event_row *row)
{
    struct found found = {0};
    struct relation relation;
    size_t start = out->len;
    struct stmt *q = relations_to(how->db, row->event_id, INT64_MAX);
    while (relations_next(q, &relation))
        if (render_counts_relation(how, &relation))
            take(&found, how, row, &relation);
    stmt_end(q);
    add_edit(out, start, how, newest_edit(&found, how, row));
    if (found.references.len != 0) {
        begin_member(out, start, "m.reference");
        text_addf(out, "{\"chunk\":[%s]}", found.references.data);
    }
    add_thread(out, start, how, row, &found);
    if (out->len != start)
        text_addc(out, '}');
    for (size_t i = 0; i < found.n_edits; ++i)
        free(found.edits[i].event_id);
    free(found.edits);
    text_finish(&found.references);
}
