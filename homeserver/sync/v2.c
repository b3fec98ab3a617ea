#include "homeserver/sync/v2.h"

#include <stdlib.h>

#include "homeserver/rooms/read/token.h"
#include "homeserver/sync/section.h"
#include "homeserver/sync/sync_service.h"

/* Writing section by section: a member of the answer, or of its "rooms", is opened by the first that has something. */
struct answer {
    struct text *out;
    struct sync_gather *gather;
    bool in_rooms, news;
};

static void open_next_batch(struct text *out, const struct sync_gather *gather)
{
    text_adds(out, "{\"next_batch\":\"");
    token_add(out, writer_incarnations(gather->sync->writer), gather->request->user, gather->upto);
    text_addc(out, '"');
}

void v2_open_answer(struct text *out, const struct sync_gather *gather)
{
    open_next_batch(out, gather);
    for (size_t i = 0; i < gather->sync->n_sections; ++i)
        if (gather->sync->sections[i]->write_idle != NULL)
            gather->sync->sections[i]->write_idle(out, gather);
}

void v2_add_idle(struct text *out, const struct sync_gather *gather)
{
    v2_open_answer(out, gather);
    text_addc(out, '}');
}

static void open_member(struct answer *a, const struct sync_section *section)
{
    if (a->in_rooms && !section->of_rooms)
        text_addc(a->out, '}');
    text_adds(a->out, section->of_rooms && !a->in_rooms ? ",\"rooms\":{" : ",");
    a->in_rooms = section->of_rooms;
    if (section->key != NULL) {
        text_add_json(a->out, section->key);
        text_adds(a->out, ":{");
    }
}

static void add_section(struct answer *a, const struct sync_section *section)
{
    bool any = false, told;
    void *data = xcalloc(1, section->data_bytes);
    do {
        told = section->gather(a->gather, data);
        if (told && any)
            text_addc(a->out, ',');
        if (told && !any)
            open_member(a, section);
        if (told) {
            section->write(a->out, a->gather, data);
            a->news |= section->has_news == NULL || section->has_news(data);
        }
        any |= told;
        if (section->finish != NULL)
            section->finish(data);
    } while (told && section->in_portions);
    if (any && section->key != NULL)
        text_addc(a->out, '}');
    free(data);
}

enum sync_outcome v2_answer(struct sync_service *sync, struct db *db, const struct sync_request *request,
                            struct text *out, stream_pos *next, struct error *e)
{
    struct sync_gather gather;
    struct answer a = {.out = out, .gather = &gather, .news = request->since == 0 || request->full_state};
    bool ok = sync_gather_begin(&gather, sync, db, request, e);
    *next = gather.upto;
    if (ok) {
        open_next_batch(out, &gather);
        for (size_t i = 0; i < sync->n_sections; ++i)
            add_section(&a, sync->sections[i]);
        text_adds(out, a.in_rooms ? "}}" : "}");
    }
    sync_gather_end(&gather);
    return !ok ? SYNC_REFUSED : a.news ? SYNC_NEWS : SYNC_NOTHING;
}
