#include "appservice/transaction_body.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/interest.h"
#include "appservice/registration.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/user_names.h"

void transaction_body_init(struct transaction_body *body, struct user_names *names)
{
    *body = (struct transaction_body){
        .names = names,
        .changed = json_object(),
        .left = json_object(),
        .counts = json_object(),
        .fallbacks = json_object(),
    };
}

void transaction_body_finish(struct transaction_body *body)
{
    text_finish(&body->events);
    text_finish(&body->ephemeral);
    text_finish(&body->to_device);
    json_decref(body->changed);
    json_decref(body->left);
    json_decref(body->counts);
    json_decref(body->fallbacks);
    free(body->moved);
}

static void separate(struct text *list)
{
    if (list->len != 0)
        text_addc(list, ',');
}

static void note_moved(struct transaction_body *body, room_no room)
{
    for (size_t i = 0; i < body->n_moved; ++i)
        if (body->moved[i] == room)
            return;
    body->moved = xrealloc(body->moved, (body->n_moved + 1) * sizeof *body->moved);
    body->moved[body->n_moved++] = room;
}

void transaction_body_add_event(struct transaction_body *body, const struct render *how, const struct event_row *row)
{
    separate(&body->events);
    render_event(&body->events, how, row);
    if (row->state_key != NULL &&
        (strcmp(row->type, "m.room.member") == 0 || strcmp(row->type, "m.room.encryption") == 0))
        note_moved(body, row->room);
}

void transaction_body_add_ephemeral(struct transaction_body *body, const char *json)
{
    separate(&body->ephemeral);
    text_adds(&body->ephemeral, json);
}

static json_t *member_of(json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    if (member == NULL)
        json_object_set_new(object, key, member = json_object());
    return member;
}

static void add_counts(struct transaction_body *body, struct db *db, const char *user_id, const char *device_id,
                       device_no device)
{
    int64_t left = one_time_keys_left(db, device);
    json_t *unused = json_array();
    if ((left & KEY_COUNTS_FALLBACK) != 0)
        json_array_append_new(unused, json_string(ONE_TIME_ALGORITHM));
    json_object_set_new(member_of(body->counts, user_id), device_id,
                        json_pack("{s:I}", ONE_TIME_ALGORITHM, (json_int_t)(left >> KEY_COUNTS_SHIFT)));
    json_object_set_new(member_of(body->fallbacks, user_id), device_id, unused);
}

static void add_message(struct transaction_body *body, const struct appservice_message *row, const char *sender,
                        const char *user_id)
{
    struct text *out = &body->to_device;
    separate(out);
    text_adds(out, "{\"content\":");
    text_adds(out, row->content);
    text_adds(out, ",\"sender\":");
    text_add_json(out, sender);
    text_adds(out, ",\"to_device_id\":");
    text_add_json(out, row->device_id);
    text_adds(out, ",\"to_user_id\":");
    text_add_json(out, user_id);
    text_adds(out, ",\"type\":");
    text_add_json(out, row->type);
    text_addc(out, '}');
}

void transaction_body_add_messages(struct transaction_body *body, const struct transaction_range *range)
{
    struct appservice_message row;
    struct stmt *q = appservice_messages(range->db, range->service->id, range->after, range->upto, INT64_MAX);
    while (appservice_messages_next(q, &row)) {
        const char *sender = user_names_get(body->names, range->db, row.sender);
        const char *user_id = user_names_get(body->names, range->db, row.user);
        if (sender == NULL || user_id == NULL || !interest_in_keys(range->interest, row.sender))
            continue;
        add_message(body, &row, sender, user_id);
        add_counts(body, range->db, user_id, row.device_id, row.device);
    }
    stmt_end(q);
}

/* A device of one of the service's users whose keys changed: how many it has left. */
struct counting {
    struct transaction_body *body;
    struct db *db;
    const char *user_id;
};

static void count_device(void *arg, const struct device_row *row)
{
    const struct counting *counting = arg;
    add_counts(counting->body, counting->db, counting->user_id, row->device_id, row->no);
}

static void add_users(const struct transaction_body *body, const struct transaction_range *range, json_t *set,
                      struct stmt *q)
{
    while (stmt_next(q)) {
        user_no user = col_int(q, 0);
        const char *user_id = user_names_get(body->names, range->db, user);
        if (user_id != NULL && interest_in_keys(range->interest, user))
            json_object_set_new(set, user_id, json_null());
    }
    stmt_end(q);
}

void transaction_body_add_counts(struct transaction_body *body, const struct transaction_range *range, user_no user)
{
    const char *user_id = user_names_get(body->names, range->db, user);
    if (user_id != NULL && appservice_users_has(range->db, range->service->id, user))
        devices_each(range->db, user, count_device, &(struct counting){body, range->db, user_id});
}

void transaction_body_add_keys(struct transaction_body *body, const struct transaction_range *range)
{
    struct stmt *q = appservice_device_lists(range->db, range->service->id, range->after, range->upto);
    while (stmt_next(q)) {
        user_no user = col_int(q, 0);
        const char *user_id = user_names_get(body->names, range->db, user);
        if (user_id == NULL || !interest_in_keys(range->interest, user))
            continue;
        json_object_set_new(body->changed, user_id, json_null());
        transaction_body_add_counts(body, range, user);
    }
    stmt_end(q);
    for (size_t i = 0; i < body->n_moved; ++i) {
        const char *service = range->service->id;
        add_users(body, range, body->changed, appservice_newcomers(range->db, service, body->moved[i], range->after));
        add_users(body, range, body->left, appservice_parted(range->db, service, body->moved[i], range->after));
    }
}

bool transaction_body_is_empty(const struct transaction_body *body)
{
    return body->events.len == 0 && body->ephemeral.len == 0 && body->to_device.len == 0 &&
           json_object_size(body->changed) == 0 && json_object_size(body->left) == 0 &&
           json_object_size(body->counts) == 0;
}

static void write_list(struct text *out, const char *name, const char *older, const struct text *items)
{
    if (items->len == 0)
        return;
    const char *names[] = {name, older};
    for (int i = 0; i < 2; ++i) {
        text_addf(out, ",\"%s\":[", names[i]);
        text_add(out, items->data, items->len);
        text_addc(out, ']');
    }
}

static void write_value(struct text *out, const char *name, json_t *value)
{
    char *json = json_dumps(value, JSON_COMPACT);
    if (json == NULL)
        abort();
    text_addf(out, ",\"%s\":", name);
    text_adds(out, json);
    text_addf(out, ",\"org.matrix.msc3202.%s\":", name);
    text_adds(out, json);
    free(json);
}

static json_t *list_of(json_t *set)
{
    json_t *list = json_array(), *value;
    const char *id;
    json_object_foreach(set, id, value)
        json_array_append_new(list, json_string(id));
    return list;
}

void transaction_body_write(const struct transaction_body *body, struct text *out)
{
    text_adds(out, "{\"events\":[");
    if (body->events.len != 0)
        text_add(out, body->events.data, body->events.len);
    text_addc(out, ']');
    write_list(out, "ephemeral", "de.sorunome.msc2409.ephemeral", &body->ephemeral);
    write_list(out, "to_device", "de.sorunome.msc2409.to_device", &body->to_device);
    if (json_object_size(body->changed) != 0 || json_object_size(body->left) != 0) {
        json_t *lists = json_pack("{s:o, s:o}", "changed", list_of(body->changed), "left", list_of(body->left));
        write_value(out, "device_lists", lists);
        json_decref(lists);
    }
    if (json_object_size(body->counts) != 0) {
        write_value(out, "device_one_time_keys_count", body->counts);
        write_value(out, "device_unused_fallback_key_types", body->fallbacks);
    }
    text_addc(out, '}');
}
