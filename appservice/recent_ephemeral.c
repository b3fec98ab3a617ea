#include "appservice/recent_ephemeral.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/interest.h"
#include "appservice/registration.h"
#include "appservice/transaction_body.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/typing.h"

#define KEPT 1024      /* of a kind; a power of two */
#define USERS_MAX 1000 /* of the service's, or of those beside them, that are told anew after a restart */

enum kind { TYPING, RECEIPTS, CLAIMS, KINDS };

struct entry {
    stream_pos pos;
    int64_t of; /* a room_no; CLAIMS: a user_no */
};

struct recent_ephemeral {
    struct sync_service *sync;
    struct user_names *names;
    stream_pos began; /* what came before is not known */
    pthread_mutex_t lock;
    struct ring {
        struct entry entries[KEPT];
        size_t n;         /* that were ever noted */
        stream_pos floor; /* what came up to here is not known any more */
    } rings[KINDS];
};

/* Of one kind: rooms or users, each once, the newest first. */
struct news {
    int64_t of[KEPT];
    size_t n;
    bool whole; /* nothing of the range is missing */
};

struct recent_ephemeral *recent_ephemeral_create(struct sync_service *sync, struct user_names *names, stream_pos began)
{
    struct recent_ephemeral *recent = xcalloc(1, sizeof *recent);
    recent->sync = sync;
    recent->names = names;
    recent->began = began;
    for (int i = 0; i < KINDS; ++i)
        recent->rings[i].floor = began;
    pthread_mutex_init(&recent->lock, NULL);
    return recent;
}

void recent_ephemeral_destroy(struct recent_ephemeral *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

/* KINDS: nothing that is kept here. */
static enum kind kind_of(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_TYPING: return TYPING;
    case CHANGE_RECEIPT: return RECEIPTS;
    case CHANGE_KEYS_LOW: return CLAIMS;
    default: return KINDS;
    }
}

void recent_ephemeral_note(struct recent_ephemeral *recent, const struct change *changes, size_t n)
{
    pthread_mutex_lock(&recent->lock);
    for (size_t i = 0; i < n; ++i) {
        enum kind kind = kind_of(&changes[i]);
        if (kind == KINDS)
            continue;
        struct ring *ring = &recent->rings[kind];
        struct entry *entry = &ring->entries[ring->n % KEPT];
        if (ring->n++ >= KEPT && entry->pos > ring->floor)
            ring->floor = entry->pos;
        *entry = (struct entry){changes[i].pos, kind == CLAIMS ? (int64_t)changes[i].user : (int64_t)changes[i].room};
    }
    pthread_mutex_unlock(&recent->lock);
}

static struct news *news_of(struct recent_ephemeral *recent, enum kind kind, const struct transaction_range *range)
{
    struct news *news = xcalloc(1, sizeof *news);
    pthread_mutex_lock(&recent->lock);
    const struct ring *ring = &recent->rings[kind];
    size_t kept = ring->n < KEPT ? ring->n : KEPT;
    news->whole = range->after >= ring->floor;
    for (size_t i = 0; i < kept; ++i) {
        const struct entry *entry = &ring->entries[(ring->n - 1 - i) % KEPT];
        size_t k = 0;
        if (entry->pos <= range->after || entry->pos > range->upto)
            continue;
        while (k < news->n && news->of[k] != entry->of)
            ++k;
        if (k == news->n)
            news->of[news->n++] = entry->of;
    }
    pthread_mutex_unlock(&recent->lock);
    return news;
}

static void add(struct transaction_body *body, json_t *event)
{
    char *json = json_dumps(event, JSON_COMPACT);
    if (json == NULL)
        abort();
    transaction_body_add_ephemeral(body, json);
    free(json);
    json_decref(event);
}

static void add_typing(struct recent_ephemeral *recent, struct interest *interest, room_no room,
                       struct transaction_body *body)
{
    struct typists typists = {0};
    json_t *users = json_array();
    typing_now(recent->sync->typing, room, &typists);
    for (size_t i = 0; i < typists.n; ++i) {
        const char *id = user_names_get(recent->names, interest->db, typists.users[i]);
        if (id != NULL && interest_sees(interest, typists.users[i]))
            json_array_append_new(users, json_string(id));
    }
    typists_finish(&typists);
    add(body, json_pack("{s:s, s:s, s:{s:o}}", "type", "m.typing", "room_id", interest_room_id(interest, room),
                        "content", "user_ids", users));
}

static json_t *member_of(json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    if (member == NULL)
        json_object_set_new(object, key, member = json_object());
    return member;
}

/* {event: {type: {user: {ts, thread_id}}}}; of one person's in two threads on one event, the later row counts. A
 * private one is told of the service's own users alone. */
static void add_receipts(struct recent_ephemeral *recent, struct interest *interest, room_no room,
                         const struct transaction_range *range, struct transaction_body *body)
{
    struct receipt_row row;
    json_t *content = json_object();
    struct stmt *q = receipts_changed_all(range->db, room, range->after, range->upto);
    while (receipts_next(q, &row)) {
        const char *id = user_names_get(recent->names, range->db, row.user);
        bool private_ = strcmp(row.type, "m.read.private") == 0;
        if (id == NULL || !interest_sees(interest, row.user) || (private_ && !interest_is_own(interest, row.user, id)))
            continue;
        json_t *said = json_pack("{s:I}", "ts", (json_int_t)row.ts);
        if (row.thread[0] != '\0')
            json_object_set_new(said, "thread_id", json_string(row.thread));
        json_object_set_new(member_of(member_of(content, row.event_id), row.type), id, said);
    }
    stmt_end(q);
    if (json_object_size(content) != 0)
        add(body, json_pack("{s:s, s:s, s:O}", "type", "m.receipt", "room_id", interest_room_id(interest, room),
                            "content", content));
    json_decref(content);
}

/* Presence that is being told: of each person once. */
struct telling {
    struct recent_ephemeral *recent;
    struct interest *interest;
    struct transaction_body *body;
    struct member_set *told;
};

/* Somebody's whom one of the service's users would be told of: who shares a room with them that is of interest. */
static void tell_presence(struct telling *t, user_no user)
{
    const char *id = user_names_get(t->recent->names, t->interest->db, user);
    if (id == NULL || member_set_has(t->told, user) || !interest_sees(t->interest, user) ||
        !interest_in_user(t->interest, user, id))
        return;
    struct text event = TEXT_INIT;
    struct presence_status status = presence_get(t->recent->sync->presence, user);
    text_adds(&event, "{\"content\":");
    presence_add_content(&event, &status);
    text_adds(&event, ",\"sender\":");
    text_add_json(&event, id);
    text_adds(&event, ",\"type\":\"m.presence\"}");
    transaction_body_add_ephemeral(t->body, event.data);
    free(status.status_msg);
    text_finish(&event);
    t->told = member_set_with(t->told != NULL ? t->told : member_set_create(NULL, 0), user, true);
}

static bool is_offline(const struct telling *t, user_no user)
{
    struct presence_status status = presence_get(t->recent->sync->presence, user);
    free(status.status_msg);
    return status.state == PRESENCE_OFFLINE;
}

/* Who is met anew in the rooms of the transaction's events, and is there. */
static void tell_met(struct telling *t, const struct transaction_range *range)
{
    for (size_t i = 0; i < t->body->n_moved; ++i) {
        size_t n;
        user_no *users = interest_came(t->interest, t->body->moved[i], range->after, &n);
        for (size_t k = 0; k < n; ++k)
            if (!is_offline(t, users[k]))
                tell_presence(t, users[k]);
        free(users);
    }
}

/* A restart has made everybody offline, whatever was told before: those beside the service's users who have not come
 * again are told so, with the first transaction. */
static void tell_gone(struct telling *t)
{
    struct db *db = t->interest->db;
    size_t n_own, looked_at = 0;
    user_no *own = appservice_users_of(db, t->interest->service->id, USERS_MAX, &n_own);
    for (size_t i = 0; i < n_own && looked_at < USERS_MAX; ++i) {
        size_t n;
        user_no *near = memberships_neighbours(db, own[i], &n);
        for (size_t k = 0; k < n && looked_at < USERS_MAX; ++k) {
            if (member_set_has(t->told, near[k]) || appservice_users_any(db, near[k]) || !is_offline(t, near[k]))
                continue;
            tell_presence(t, near[k]);
            ++looked_at;
        }
        free(near);
    }
    free(own);
}

static void tell_presences(struct telling *t, const struct transaction_range *range)
{
    struct presence_list changed;
    struct presence *presence = t->recent->sync->presence;
    if (presence == NULL)
        return;
    presence_changed(presence, range->after > 0 ? range->after : 1, range->upto, &changed);
    for (size_t i = 0; i < changed.n; ++i)
        tell_presence(t, changed.of[i].user);
    presence_list_finish(&changed);
    tell_met(t, range);
    if (range->after < t->recent->began)
        tell_gone(t);
    member_set_unref(t->told);
}

void recent_ephemeral_add(struct recent_ephemeral *recent, struct interest *interest,
                          const struct transaction_range *range, struct transaction_body *body)
{
    struct news *typing = news_of(recent, TYPING, range), *receipts = news_of(recent, RECEIPTS, range);
    struct stmt *q = receipts->whole ? NULL : receipts_rooms_changed(range->db, range->after, range->upto, KEPT);
    for (receipts->n = q != NULL ? 0 : receipts->n; q != NULL && receipts->n < KEPT && stmt_next(q);)
        receipts->of[receipts->n++] = col_int(q, 0); /* they have rows: what the ring has lost is found there */
    stmt_end(q);
    for (size_t i = 0; recent->sync != NULL && i < typing->n; ++i)
        if (interest_in_room(interest, typing->of[i]))
            add_typing(recent, interest, typing->of[i], body);
    for (size_t i = 0; i < receipts->n; ++i)
        if (interest_in_room(interest, receipts->of[i]))
            add_receipts(recent, interest, receipts->of[i], range, body);
    free(typing);
    free(receipts);
    if (recent->sync != NULL)
        tell_presences(&(struct telling){recent, interest, body, NULL}, range);
}

void recent_claims_add(struct recent_ephemeral *recent, const struct transaction_range *range,
                       struct transaction_body *body)
{
    struct news *claims = news_of(recent, CLAIMS, range);
    size_t n = 0;
    user_no *all = claims->whole ? NULL : appservice_users_with_keys(range->db, range->service->id, USERS_MAX, &n);
    for (size_t i = 0; i < n; ++i)
        transaction_body_add_counts(body, range, all[i]);
    for (size_t i = 0; claims->whole && i < claims->n; ++i)
        transaction_body_add_counts(body, range, claims->of[i]);
    free(claims);
    free(all);
}
