#include "homeserver/rooms/read/directory.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/casefold.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/rooms.h"

room_no directory_find(struct db *db, bool school_mode, const char *alias, user_no user)
{
    room_no found = 0;
    struct stmt *q = aliases_rooms(db, alias);
    while (found == 0 && stmt_next(q))
        found = gate_may_see(school_mode, db, col_int(q, 0), user) ? col_int(q, 0) : 0;
    stmt_end(q);
    return found;
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

/* The number is the first column of each. */
static room_no *published(struct db *db, const struct directory_search *search, size_t *n)
{
    room_no *rooms = NULL;
    struct stmt *q = search->all_networks      ? network_rooms_all(db)
                     : search->network != NULL ? network_rooms(db, search->network)
                                               : rooms_published(db);
    for (*n = 0; stmt_next(q); ++*n) {
        if ((*n & (*n - 1)) == 0)
            rooms = xrealloc(rooms, (*n != 0 ? *n * 2 : 1) * sizeof *rooms);
        rooms[*n] = col_int(q, 0);
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
    room_no *rooms = published(db, search, &n);
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
