/* What people search for: no body may crash or leak; what is taken keeps its bounds; and whatever its words are, the
 * index takes them for words: it does not refuse, and finds nothing where it was not asked to look. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/search/request.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/search_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ROOM 3
#define ELSEWHERE 4

/* In memory, and only read from then on: texts at odd positions are of ROOM. */
static struct search_index *make_index(void)
{
    static const char *const TEXTS[] = {"книги и тетради", "Ёлка в зале", "alpha beta gamma", "NEAR OR NOT AND",
                                        "running 25 b7"};
    struct search_index *index = search_index_open(":memory:");
    if (index == NULL || !search_index_begin(index))
        abort();
    for (int i = 0; i < 10; ++i)
        if (!search_index_put(index, &(struct search_index_text){.pos = i + 1,
                                                                 .room = i % 2 == 0 ? ROOM : ELSEWHERE,
                                                                 .sender = i,
                                                                 .body = TEXTS[i / 2],
                                                                 .name = i % 3 == 0 ? "alpha" : NULL}))
            abort();
    if (!search_index_commit(index))
        abort();
    return index;
}

static void search_in(struct search_index *index, const struct search_request *request)
{
    static const room_no ROOMS[] = {ROOM};
    stream_pos pos, last = INT64_MAX;
    int64_t rank;
    char *match = search_index_match(
        &(struct search_index_query){.term = request->term, .keys = request->keys, .rooms = ROOMS, .n_rooms = 1});
    if (match == NULL)
        return;
    struct stmt *q = search_index_find(index, match, INT64_MAX, request->by_rank, 100);
    for (; search_index_next(q, &pos, &rank); last = pos)
        if (pos % 2 != 1 || pos >= last || rank < 0)
            abort();
    stmt_end(q);
    char *marked = search_index_marked(index, match, 5, &rank);
    free(marked);
    free(match);
    if (search_index_failed(index))
        abort();
}

static void check(struct search_index *index, const json_t *body)
{
    struct error e = {0};
    struct search_request request, again;
    if (!search_request_parse(body, &request, &e)) {
        if (e.code == ERROR_NONE)
            abort();
        return;
    }
    if (request.limit == 0 || request.limit > SEARCH_RESULTS_MAX || strlen(request.term) > SEARCH_TERM_BYTES_MAX ||
        request.keys == 0 || request.keys > 7 || request.filter == NULL || request.identity < 0 ||
        request.context.before > SEARCH_CONTEXT_MAX || request.context.after > SEARCH_CONTEXT_MAX)
        abort();
    if (!search_request_parse(body, &again, &e) || again.identity != request.identity)
        abort();
    search_in(index, &request);
    search_request_finish(&again);
    search_request_finish(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct search_index *index;
    struct error e;
    if (index == NULL)
        index = make_index();
    json_t *body = json_parse((const char *)bytes, len, &e);
    if (body != NULL)
        check(index, body);
    json_decref(body);
    return 0;
}
