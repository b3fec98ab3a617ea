#include "homeserver/rooms/threads.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"

enum relation { RELATION_NONE, RELATION_THREAD, RELATION_OTHER };

/* What the content relates to, and how. */
static enum relation relation_of(const char *content, char target[ID_BYTES_MAX + 1])
{
    enum relation relation = RELATION_NONE;
    if (strstr(content, "\"m.relates_to\"") == NULL) /* by far the most */
        return RELATION_NONE;
    json_t *object = json_loads(content, 0, NULL);
    const json_t *relates = json_get_object(object, "m.relates_to");
    const char *type = json_get_string(relates, "rel_type"), *id = json_get_string(relates, "event_id");
    if (type != NULL && id != NULL && strlen(id) <= ID_BYTES_MAX) {
        relation = strcmp(type, "m.thread") == 0 ? RELATION_THREAD : RELATION_OTHER;
        strcpy(target, id);
    }
    json_decref(object);
    return relation;
}

static char *content_of(struct db *db, const char *event_id)
{
    struct event_row row;
    struct stmt *q = events_by_id(db, event_id);
    char *content = events_next(q, &row) ? xstrdup(row.content) : NULL;
    stmt_end(q);
    return content;
}

bool thread_root_through(struct db *db, const char *content, char out[ID_BYTES_MAX + 1], struct thread_hops *hops)
{
    char *held = NULL;
    enum relation relation = relation_of(content, out);
    for (hops->n = 0; relation == RELATION_OTHER && hops->n < THREAD_HOPS_MAX;) {
        free(held);
        strcpy(hops->ids[hops->n++], out);
        held = content_of(db, out);
        relation = held != NULL ? relation_of(held, out) : RELATION_NONE;
    }
    free(held);
    return relation == RELATION_THREAD;
}

bool thread_root(struct db *db, const char *content, char out[ID_BYTES_MAX + 1])
{
    struct thread_hops hops;
    return thread_root_through(db, content, out, &hops);
}

bool thread_target(const char *content, char out[ID_BYTES_MAX + 1])
{
    return relation_of(content, out) != RELATION_NONE;
}

bool thread_needs_look(const char *content)
{
    char target[ID_BYTES_MAX + 1];
    return relation_of(content, target) == RELATION_OTHER;
}
