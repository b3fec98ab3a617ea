#include "homeserver/rooms/acts/redaction.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/relations.h"

static bool goes_with(const struct relation *relation, const struct event_row *to, const char *rel_types)
{
    while (*rel_types != '\0' && strcmp(rel_types, "*") != 0 && strcmp(rel_types, relation->rel_type) != 0)
        rel_types += strlen(rel_types) + 1;
    if (*rel_types == '\0')
        return false;
    if (strcmp(relation->rel_type, "m.replace") != 0)
        return true;
    return relation->sender == to->sender && !relation->state && strcmp(relation->type, to->type) == 0;
}

/* The ids of the newest that relate to it, in a ring; *n: of how many. heap, each too. */
static char **related(struct db *db, const char *event_id, const char *rel_types, size_t *n)
{
    struct relation relation;
    struct event_row *to = event_at(db, events_pos_of(db, event_id));
    char **ids = xcalloc(REDACTION_RELATED_MAX, sizeof *ids);
    struct stmt *q = relations_to(db, event_id, INT64_MAX);
    while (relations_next(q, &relation))
        if (to != NULL && goes_with(&relation, to, rel_types)) {
            char **place = &ids[(*n)++ % REDACTION_RELATED_MAX];
            free(*place);
            *place = xstrdup(relation.event_id);
        }
    stmt_end(q);
    free(to);
    return ids;
}

static void redact(struct room *room, struct tx *tx, const struct draft *with, const char *event_id)
{
    struct appended ignored = {0};
    struct error refusal = {0};
    json_t *content = json_pack("{s:s}", "redacts", event_id);
    struct draft draft = {.sender = with->sender,
                          .actor = with->actor,
                          .type = "m.room.redaction",
                          .content = content,
                          .redacts = event_id};
    append_event(room, tx, &draft, &ignored, &refusal);
    json_decref(content);
}

bool redaction_act(struct room *room, struct tx *tx, const struct draft *draft, const char *rel_types,
                   struct appended *out, struct error *e)
{
    size_t n = 0;
    if (!append_event(room, tx, draft, out, e))
        return false;
    if (out->pos == 0 || *rel_types == '\0')
        return true;
    char **ids = related(tx->db, draft->redacts, rel_types, &n);
    for (size_t i = 0; i < n && i < REDACTION_RELATED_MAX; ++i) {
        redact(room, tx, draft, ids[i]);
        free(ids[i]);
    }
    free(ids);
    return true;
}
