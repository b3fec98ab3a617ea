#include "homeserver/push/delivery/told.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/push/delivery/notify.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/rules_cache.h"
#include "homeserver/sync/unread.h"
#include "policy/rules/event_types.h"

static bool is_school(const struct push_service *service)
{
    return service->config->policy.mode == POLICY_SCHOOL;
}

void told_open(struct told *told, struct push_service *service, struct db *db, user_no user)
{
    *told = (struct told){.user = user, .unread = -1};
    told->user_id = user_names_get(service->names, db, user);
    told->user_id = told->user_id != NULL ? told->user_id : "";
    told->rules = rules_cache_get(service->rules, db, user);
    ignored_load(&told->ignored, db, service->config->server_name, user);
    told->ring = gate_ring(is_school(service), db, user, NULL, NULL);
}

void told_add(struct told *told, const struct pusher_row *pusher)
{
    bool full = told->ring.content && !pusher->id_only;
    notify_device(full ? &told->full : &told->plain, pusher, full);
    told->keys = xrealloc(told->keys, (told->n_keys + 1) * sizeof *told->keys);
    told->keys[told->n_keys++] = (struct told_key){xstrdup(pusher->app_id), xstrdup(pusher->pushkey), pusher->set_ms};
}

void told_add_all(struct told *told, struct stmt *pushers)
{
    struct pusher_row row;
    while (pushers_next(pushers, &row))
        told_add(told, &row);
    stmt_end(pushers);
}

void told_close(struct told *told)
{
    push_rules_unref(told->rules);
    ignored_finish(&told->ignored);
    text_finish(&told->plain);
    text_finish(&told->full);
    for (size_t i = 0; i < told->n_keys; ++i) {
        free(told->keys[i].app_id);
        free(told->keys[i].pushkey);
    }
    free(told->keys);
}

bool told_wants(const struct told *told, struct db *db, const struct push_room *room, const char *room_id,
                const struct event_row *row, struct push_result *result)
{
    struct push_event event;
    char *display_name = NULL;
    if (row->sender == told->user || row->redacted_by != 0 ||
        (row->state_key == NULL && ignored_has(&told->ignored, row->sender)))
        return false;
    if (push_rules_want_display_name(told->rules))
        display_name = room_facts_display_name(db, row->room, told->user_id);
    room_facts_event(room, &event, room_id, row);
    *result = push_evaluate(told->rules, &event, &(struct push_viewer){told->user_id, display_name});
    push_event_finish(&event);
    free(display_name);
    return result->notify;
}

struct gate_ring told_ring(const struct told *told, struct push_service *service, struct db *db,
                           const struct event_row *row)
{
    if (told->ring.rings || row->state_key != NULL || strstr(row->content, "\"" URGENT_KEY "\"") == NULL)
        return told->ring;
    json_t *content = json_loads(row->content, 0, NULL);
    struct gate_ring ring = gate_ring(is_school(service), db, told->user, row->type, content);
    json_decref(content);
    return ring;
}

static int64_t count_room(const struct told *told, struct push_service *service, struct db *db,
                          const struct unread_ask *where)
{
    struct unread_tally tally;
    struct unread_ask ask = *where;
    ask.user = told->user;
    ask.user_id = told->user_id;
    ask.ignored = &told->ignored;
    ask.only_behind = true;
    unread_get(service->unread, db, &ask, &tally);
    int64_t n = tally.main.notify;
    for (size_t i = 0; i < tally.n; ++i)
        n += tally.threads[i].counts.notify;
    unread_tally_finish(&tally);
    return n;
}

struct told_unread told_count(const struct told *told, struct push_service *service, struct db *db)
{
    struct told_unread all = {0};
    struct membership_room row;
    stream_pos upto = events_newest(db);
    struct stmt *q = memberships_rooms_behind(db, told->user);
    while (memberships_next_room(q, &row)) {
        int64_t n = count_room(told, service, db,
                               &(struct unread_ask){.room = row.membership.room,
                                                    .room_id = row.room_id,
                                                    .joined_pos = row.membership.joined_pos,
                                                    .upto = upto});
        stream_pos last = n != 0 ? events_last_pos(db, row.membership.room, upto) : 0;
        all.messages += n;
        all.rooms += n != 0;
        all.newest = last > all.newest ? last : all.newest;
    }
    stmt_end(q);
    return all;
}

bool told_behind(const struct told *told, struct push_service *service, struct db *db, room_no room,
                 const char *room_id, stream_pos joined_pos)
{
    return count_room(told, service, db,
                      &(struct unread_ask){
                          .room = room, .room_id = room_id, .joined_pos = joined_pos, .upto = events_newest(db)}) != 0;
}
