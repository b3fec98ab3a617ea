#include "homeserver/rooms/read/relations.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/relations.h"

struct node {
    stream_pos pos;
    char *event_id;
};

struct nodes {
    struct node *at;
    size_t n;
};

static bool matches(const struct render *how, const struct relations_query *wanted, const struct relation *relation)
{
    return (wanted->rel_type == NULL || strcmp(wanted->rel_type, relation->rel_type) == 0) &&
           (wanted->event_type == NULL || strcmp(wanted->event_type, relation->type) == 0) &&
           render_counts_relation(how, relation);
}

static void add_children(struct nodes *nodes, const struct render *how, const char *target_id,
                         const struct relations_query *wanted)
{
    struct relation relation;
    struct stmt *q = relations_to(how->db, target_id, INT64_MAX);
    while (nodes->n < RELATIONS_QUERY_MAX && relations_next(q, &relation)) {
        if (!matches(how, wanted, &relation))
            continue;
        if ((nodes->n & (nodes->n - 1)) == 0)
            nodes->at = xrealloc(nodes->at, (nodes->n != 0 ? nodes->n * 2 : 1) * sizeof *nodes->at);
        nodes->at[nodes->n++] = (struct node){relation.pos, xstrdup(relation.event_id)};
    }
    stmt_end(q);
}

static int by_pos(const void *a, const void *b)
{
    stream_pos x = *(const stream_pos *)a, y = *(const stream_pos *)b;
    return x < y ? -1 : x > y;
}

/* Takes the nodes; an event may relate in two ways, or in a circle. */
static stream_pos *unique_positions(struct nodes *nodes, size_t *n)
{
    stream_pos *positions = xcalloc(nodes->n, sizeof *positions);
    for (size_t i = 0; i < nodes->n; ++i) {
        positions[i] = nodes->at[i].pos;
        free(nodes->at[i].event_id);
    }
    qsort(positions, nodes->n, sizeof *positions, by_pos);
    *n = 0;
    for (size_t i = 0; i < nodes->n; ++i)
        if (i == 0 || positions[i] != positions[i - 1])
            positions[(*n)++] = positions[i];
    free(nodes->at);
    return positions;
}

stream_pos *relations_query_run(const struct render *how, const char *target_id, const struct relations_query *wanted,
                                size_t *n)
{
    struct nodes nodes = {0};
    size_t from = 0, upto;
    add_children(&nodes, how, target_id, wanted);
    for (int depth = 1; wanted->recurse && depth < RELATIONS_QUERY_DEPTH; ++depth) {
        upto = nodes.n;
        for (; from < upto; ++from)
            add_children(&nodes, how, nodes.at[from].event_id, wanted);
    }
    return unique_positions(&nodes, n);
}
