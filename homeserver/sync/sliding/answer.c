#include "homeserver/sync/sliding/answer.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/sliding/extensions.h"
#include "homeserver/sync/sliding/list.h"
#include "homeserver/sync/sliding/room.h"
#include "homeserver/sync/sync_service.h"

/* What a pos says beside the position. */
#define MORE_COMPLETE 1
#define MORE_EXTENSIONS 1 /* bit of the first */
#define MORE_LISTS 8      /* bit where the lists' digest begins */
#define MORE_MASK (INT64_MAX >> MORE_LISTS)

/* As a device that there is none of, for sync/lazy.h. */
static int64_t draw_members(void)
{
    return -((int64_t)random_uniform(INT32_MAX) << 31 | (int64_t)random_uniform(INT32_MAX)) - 1;
}

static const struct filter EVERYTHING = {
    .include_leave = true,
    .presence.all = true,
    .account_data.all = true,
    .state.all = true,
    .timeline.all = true,
    .ephemeral.all = true,
    .room_account_data.all = true,
};

/* Whence the answer begins. */
struct begin {
    int64_t connection;
    struct connection_state *base; /* a reference; NULL: there is none yet */
    bool again, restore;
    struct token_pos pos; /* restore */
};

static bool find_base(struct begin *begin, struct sync_service *sync, const struct sliding_asker *asker,
                      const struct sliding_request *ask, struct error *e)
{
    bool known = false;
    struct incarnations *in = writer_incarnations(sync->writer);
    begin->connection = connections_id(asker->device, ask->conn_id);
    if (ask->pos == NULL)
        return true;
    if (token_parse_pos(ask->pos, in, asker->user, begin->connection, &begin->pos) != TOKEN_GOOD)
        return error_set(e, ERROR_UNKNOWN_POS, NULL);
    begin->base =
        connections_take(sync->connections, sliding_owner(asker), begin->connection, ask->pos, &known, &begin->again);
    begin->restore = begin->base == NULL;
    bool can = (begin->pos.more & MORE_COMPLETE) != 0 &&
               begin->pos.more >> MORE_LISTS == (int64_t)(ask->lists_digest & MORE_MASK);
    return begin->base != NULL || (!known && can) || error_set(e, ERROR_UNKNOWN_POS, NULL);
}

static void set_parts(struct connection_state *state, const struct sliding_request *ask)
{
    free(state->parts);
    state->parts = xcalloc(ask->n_parts + 1, sizeof *state->parts);
    state->n_parts = ask->n_parts;
    for (size_t i = 0; i < ask->n_parts; ++i)
        state->parts[i] = ask->parts[i].digest;
}

/* Puts the base together again that memory does not have. */
static bool restore(struct sliding_answer *a, struct begin *begin, const struct sliding_asker *asker, struct error *e)
{
    struct connection_state *base = connection_state_create();
    base->upto = begin->pos.pos;
    base->members = draw_members();
    strcpy(base->pos, a->ask->pos);
    set_parts(base, a->ask);
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i)
        base->extensions[i] = (begin->pos.more >> (MORE_EXTENSIONS + i) & 1) != 0;
    begin->base = base;
    if (!sliding_lists_restore(a, base))
        return error_set(e, ERROR_UNKNOWN_POS, NULL);
    connections_replace(a->gather.sync->connections, sliding_owner(asker), begin->connection, NULL, base);
    return true;
}

unsigned sliding_interest(const struct sliding_request *ask)
{
    static const struct {
        enum sliding_extension_kind kind;
        unsigned interest;
    } INTERESTS[] = {
        {SLIDING_TYPING, INTEREST_TYPING}, {SLIDING_RECEIPTS, INTEREST_RECEIPTS}, {SLIDING_E2EE, INTEREST_KEYS}};
    unsigned interest = ask->n_lists + ask->n_subscriptions != 0 ? INTEREST_ROOMS : 0;
    for (size_t i = 0; i < sizeof INTERESTS / sizeof *INTERESTS; ++i)
        if (ask->extensions[INTERESTS[i].kind].enabled)
            interest |= INTERESTS[i].interest;
    return interest;
}

static void begin_next(struct sliding_answer *a, const struct begin *begin, const struct sliding_asker *asker)
{
    struct connection_state *next = a->next = connection_state_create();
    next->upto = a->gather.upto;
    next->body = asker->body;
    next->txn_id = a->ask->txn_id != NULL ? xstrdup(a->ask->txn_id) : NULL;
    next->members = begin->base == NULL || begin->again ? draw_members() : begin->base->members;
    next->interest = sliding_interest(a->ask);
    set_parts(next, a->ask);
}

/* Whether something of the room may be to be told. */
static bool may_have_news(const struct sliding_answer *a, size_t at, bool all)
{
    const struct sliding_plan *plan = &a->plans[at];
    const struct connection_room *room = &a->next->rooms[at];
    bool grows = (plan->parts & ~room->parts) != 0 || plan->limit > room->have;
    bool joined = room->membership == MEMBERSHIP_JOIN;
    return plan->gathered != NULL || room->sent != CONNECTION_UPTO || (joined && (all || grows || a->direct_changed));
}

static void tell_rooms(struct sliding_answer *a)
{
    bool all = sliding_extensions_begin(a);
    for (size_t i = 0; i < a->next->n_rooms; ++i) {
        struct sliding_room room;
        if (!a->plans[i].wanted || !may_have_news(a, i, all))
            continue;
        bool told = sliding_room_gather(a, i, &room);
        if (room.data.membership.membership == MEMBERSHIP_JOIN)
            sliding_extensions_room(a, &room);
        if (told)
            sliding_room_write(a, &room);
        a->news |= told;
        if (told || (a->next->rooms[i].sent != 0 && !a->next->rooms[i].hidden)) {
            sliding_room_sent(&room);
            a->next->rooms[i].sent = CONNECTION_UPTO;
        }
        sliding_room_finish(&room);
    }
}

static void add_head(struct text *out, const char *pos, const char *txn_id)
{
    text_adds(out, "{\"pos\":");
    text_add_json(out, pos);
    if (txn_id == NULL)
        return;
    text_adds(out, ",\"txn_id\":");
    text_add_json(out, txn_id);
}

static void add_counts(struct text *out, const struct sliding_answer *a)
{
    text_adds(out, ",\"lists\":{");
    for (size_t i = 0; i < a->ask->n_lists; ++i) {
        text_adds(out, i != 0 ? "," : "");
        text_add_json(out, a->ask->lists[i].name);
        text_adds(out, ":{\"count\":");
        text_add_int(out, a->counts[i]);
        text_addc(out, '}');
    }
    text_addc(out, '}');
}

static void write(struct text *out, struct sliding_answer *a, const struct text *extensions)
{
    add_head(out, a->next->pos, a->ask->txn_id);
    add_counts(out, a);
    text_adds(out, ",\"rooms\":{");
    if (a->rooms.len != 0)
        text_add(out, a->rooms.data, a->rooms.len);
    text_addc(out, '}');
    text_add(out, extensions->data, extensions->len);
    text_addc(out, '}');
}

/* What an answer on the loop needs to know. */
static void set_live(struct sliding_answer *a)
{
    const struct sliding_request *ask = a->ask;
    struct connection_state *next = a->next;
    struct text counts = TEXT_INIT;
    next->live = ask->form == SLIDING_UNSTABLE && a->complete && ask->n_lists != 0 && ask->n_subscriptions == 0;
    next->to_device = ask->extensions[SLIDING_TO_DEVICE].enabled;
    next->more = (a->complete ? MORE_COMPLETE : 0) | (int64_t)(ask->lists_digest & MORE_MASK) << MORE_LISTS;
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i)
        next->more |= ask->extensions[i].enabled ? INT64_C(1) << (MORE_EXTENSIONS + i) : 0;
    if (!next->live)
        return;
    next->limit = UINT16_MAX;
    for (size_t i = 0; i < ask->n_lists; ++i)
        next->limit =
            ask->lists[i].config.timeline_limit < next->limit ? ask->lists[i].config.timeline_limit : next->limit;
    for (size_t i = 0; i < ask->n_parts; ++i)
        next->lazy |= ask->parts[i].lazy;
    add_counts(&counts, a);
    next->counts = text_take(&counts);
}

/* The next state's pos; without news it is the one that the client has. */
static void set_pos(struct sliding_answer *a, int64_t connection)
{
    struct text pos = TEXT_INIT;
    if (a->base != NULL && !a->news) {
        memcpy(a->next->pos, a->base->pos, sizeof a->next->pos);
        return;
    }
    token_add_pos(&pos, writer_incarnations(a->gather.sync->writer), a->request.user, connection,
                  &(struct token_pos){a->next->upto, a->next->more});
    if (pos.len < sizeof a->next->pos)
        memcpy(a->next->pos, pos.data, pos.len + 1);
    text_finish(&pos);
}

static enum sync_outcome answer(struct sliding_answer *a, struct begin *begin, const struct sliding_asker *asker,
                                struct connections *connections, struct text *out)
{
    struct text extensions = TEXT_INIT;
    begin_next(a, begin, asker);
    for (size_t i = 0; i < a->gather.account_data.n; ++i) {
        const struct account_data_item *item = &a->gather.account_data.items[i];
        a->direct_changed |= item->room == 0 && strcmp(item->type, "m.direct") == 0;
    }
    sliding_lists_plan(a);
    tell_rooms(a);
    sliding_extensions_write(&extensions, a);
    set_live(a);
    set_pos(a, begin->connection);
    write(out, a, &extensions);
    text_finish(&extensions);
    if (a->base != NULL && !a->news) {
        connections_replace(connections, sliding_owner(asker), begin->connection, a->base, a->next);
        return SYNC_NOTHING;
    }
    connections_put(connections, sliding_owner(asker), begin->connection, a->base, a->next);
    a->next = NULL;
    return SYNC_NEWS;
}

static void finish(struct sliding_answer *a)
{
    sync_gather_end(&a->gather);
    connection_state_unref(a->next);
    free(a->plans);
    free(a->direct);
    text_finish(&a->rooms);
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i)
        text_finish(&a->extensions[i]);
}

enum sync_outcome sliding_answer(struct sync_service *sync, struct db *db, const struct sliding_asker *asker,
                                 const struct sliding_request *ask, struct text *out, stream_pos *next, struct error *e)
{
    struct begin begin = {0};
    enum sync_outcome outcome = SYNC_REFUSED;
    if (!find_base(&begin, sync, asker, ask, e))
        return SYNC_REFUSED;
    struct sliding_answer a = {.ask = ask, .base = begin.base, .filter = EVERYTHING};
    a.request = (struct sync_request){.user = asker->user,
                                      .device = asker->device,
                                      .user_id = asker->user_id,
                                      .use_state_after = true,
                                      .filter = &a.filter};
    a.request.since = a.since = begin.base != NULL ? begin.base->upto : begin.restore ? begin.pos.pos : 0;
    bool ok = sync_gather_begin(&a.gather, sync, db, &a.request, e) || error_set(e, ERROR_UNKNOWN_POS, NULL);
    *next = a.gather.upto;
    if (ok && begin.restore)
        ok = restore(&a, &begin, asker, e);
    a.base = begin.base;
    if (ok)
        outcome = answer(&a, &begin, asker, sync->connections, out);
    finish(&a);
    connection_state_unref(begin.base);
    return outcome;
}

void sliding_answer_idle(struct text *out, struct sync_service *sync, const struct sliding_asker *asker,
                         const char *pos, const char *txn_id, bool e2ee)
{
    const struct sync_request request = {.user = asker->user, .device = asker->device, .user_id = asker->user_id};
    add_head(out, pos, txn_id);
    text_adds(out, ",\"lists\":{},\"rooms\":{}");
    sliding_extensions_write_idle(out, sync, &request, e2ee);
    text_addc(out, '}');
}
