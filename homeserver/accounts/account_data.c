#include "homeserver/accounts/account_data.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

#define TAGS "m.tag"

room_no account_data_room(struct db *db, user_no user, const char *room_id, struct error *e)
{
    struct membership_row row;
    if (!room_id_valid(room_id)) {
        error_set(e, ERROR_INVALID_PARAM, "This is not a room id.");
        return 0;
    }
    room_no room = rooms_by_id(db, room_id);
    if (room != 0 && memberships_get(db, room, user, &row) && !row.forgotten)
        return room;
    error_set(e, ERROR_NOT_FOUND, "There is no such room.");
    return 0;
}

static bool type_allowed(const char *type, struct error *e)
{
    if (strcmp(type, "m.push_rules") == 0 || strcmp(type, "m.fully_read") == 0) { /* set through other endpoints */
        error_set(e, ERROR_BAD_JSON, "This type is kept by the server and has an endpoint of its own.");
        e->status = 405;
        return false;
    }
    if (id_is_reserved(type))
        return error_set(e, ERROR_FORBIDDEN, "Types that begin with org.parta. are the server's own.");
    return (*type != '\0' && strlen(type) <= ACCOUNT_DATA_TYPE_MAX) ||
           error_set(e, ERROR_INVALID_PARAM, "The type is empty or longer than 255 bytes.");
}

struct put_job {
    user_no user;
    room_no room;
    const char *type, *content;
};

static bool put(struct tx *tx, const struct put_job *job, struct error *e)
{
    if (strlen(job->content) > ACCOUNT_DATA_BYTES_MAX)
        return error_set(e, ERROR_TOO_LARGE, "Account data of one type is limited to 64 KiB.");
    return (account_data_put(tx, job->user, job->room, job->type, job->content) || error_set(e, ERROR_UNKNOWN, NULL)) &&
           bound_kept(tx->db, BOUND_ACCOUNT_DATA, job->user, 0, e) &&
           bound_kept(tx->db, BOUND_ACCOUNT_DATA_SIZE, job->user, 0, e);
}

static bool job_put(struct tx *tx, void *arg, struct error *e)
{
    return put(tx, arg, e);
}

bool account_data_set(const struct accounts *accounts, user_no user, room_no room, const char *type,
                      const json_t *content, struct error *e)
{
    if (!type_allowed(type, e))
        return false;
    char *text = json_canonical(content);
    struct put_job job = {user, room, type, text};
    bool ok = writer_run(accounts->writer, job_put, &job, e);
    free(text);
    return ok;
}

struct tag_job {
    user_no user;
    room_no room;
    const char *tag;
    const char *order; /* JSON; NULL: take the tag away */
};

static json_t *parsed(const char *json)
{
    struct error ignored = {0};
    return json != NULL ? json_parse(json, strlen(json), &ignored) : NULL;
}

/* The room's m.tag content with an object "tags" in it: a new reference. */
static json_t *current_tags(struct db *db, user_no user, room_no room)
{
    char *text = account_data_get(db, user, room, TAGS);
    json_t *content = parsed(text);
    free(text);
    if (!json_is_object(content)) {
        json_decref(content);
        content = json_object();
    }
    if (json_get_object(content, "tags") == NULL)
        json_object_set_new(content, "tags", json_object());
    return content;
}

static bool job_tag(struct tx *tx, void *arg, struct error *e)
{
    const struct tag_job *job = arg;
    json_auto_t *content = current_tags(tx->db, job->user, job->room);
    json_t *tags = json_get_object(content, "tags");
    if (job->order == NULL && json_object_del(tags, job->tag) != 0)
        return true; /* it was not there */
    if (job->order != NULL)
        json_object_set_new(tags, job->tag, parsed(job->order));
    if (json_object_size(tags) > TAGS_MAX)
        return error_set(e, ERROR_TOO_LARGE, "This room has too many tags.");
    char *text = json_canonical(content);
    bool ok = put(tx, &(struct put_job){job->user, job->room, TAGS, text}, e);
    free(text);
    return ok;
}

static bool tag_valid(const char *tag, struct error *e)
{
    return (*tag != '\0' && strlen(tag) <= TAG_BYTES_MAX) ||
           error_set(e, ERROR_INVALID_PARAM, "The tag is empty or longer than 255 bytes.");
}

bool account_data_set_tag(const struct accounts *accounts, user_no user, room_no room, const char *tag,
                          const json_t *order, struct error *e)
{
    const json_t *number = json_object_get(order, "order");
    if (!tag_valid(tag, e))
        return false;
    if (number != NULL && !(json_is_number(number) && json_number_value(number) >= 0 && json_number_value(number) <= 1))
        return error_set(e, ERROR_INVALID_PARAM, "The order of a tag is a number from 0 to 1.");
    char *text = json_canonical(order);
    struct tag_job job = {user, room, tag, text};
    bool ok = writer_run(accounts->writer, job_tag, &job, e);
    free(text);
    return ok;
}

bool account_data_clear_tag(const struct accounts *accounts, user_no user, room_no room, const char *tag,
                            struct error *e)
{
    struct tag_job job = {user, room, tag, NULL};
    return tag_valid(tag, e) && writer_run(accounts->writer, job_tag, &job, e);
}
