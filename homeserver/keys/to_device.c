#include "homeserver/keys/to_device.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/to_device.h"

struct message {
    const char *user_id, *device_id; /* borrowed */
    char *content;
};

struct sending {
    const struct keys_caller *caller;
    const char *type, *txn_id;
    struct message *messages; /* of one user one after the other */
    size_t n;
    /* while it is written */
    struct tx *tx;
    user_no to;
    const char *content;
    size_t bytes, devices;
    bool failed;
};

static bool put(struct sending *s, device_no device)
{
    s->bytes += strlen(s->content);
    s->devices += 1;
    return s->bytes <= TO_DEVICE_REQUEST_BYTES && s->devices <= KEYS_DEVICES_MAX &&
           to_device_put(s->tx, s->to, device, s->caller->user, s->type, s->content);
}

static void put_each(void *arg, const struct device_row *row)
{
    struct sending *s = arg;
    s->failed = s->failed || !put(s, row->no);
}

static bool put_message(struct sending *s, const struct message *message)
{
    s->content = message->content;
    if (strcmp(message->device_id, "*") == 0) {
        devices_each(s->tx->db, s->to, put_each, s);
        return !s->failed;
    }
    device_no device = devices_no(s->tx->db, s->to, message->device_id);
    return device == 0 || put(s, device);
}

static bool job_send(struct tx *tx, void *arg, struct error *e)
{
    struct sending *s = arg;
    const struct keys_caller *c = s->caller;
    s->tx = tx;
    if (devices_no(tx->db, c->user, c->device_id) != c->device)
        return error_set(e, ERROR_UNKNOWN_TOKEN, NULL);
    if (to_device_sent_before(tx, c->device, s->type, s->txn_id))
        return true;
    for (size_t i = 0; i < s->n; ++i) {
        if (i == 0 || strcmp(s->messages[i].user_id, s->messages[i - 1].user_id) != 0)
            s->to = keys_reached(c, tx->db, s->messages[i].user_id);
        if (s->to != 0 && !put_message(s, &s->messages[i]))
            return db_failed(tx->db) ? error_set(e, ERROR_UNKNOWN, NULL)
                                     : error_set(e, ERROR_TOO_LARGE, "This is more than one request may send.");
    }
    return true;
}

static bool read_message(struct sending *s, const char *user_id, const char *device_id, const json_t *content,
                         struct error *e)
{
    if (s->n == KEYS_DEVICES_MAX)
        return error_set(e, ERROR_TOO_LARGE, "This is more than one request may send.");
    if (!json_is_object(content))
        return error_set(e, ERROR_BAD_JSON, "A message is an object.");
    struct message *message = &s->messages[s->n++];
    *message = (struct message){user_id, device_id, json_canonical(content)};
    return strlen(message->content) <= TO_DEVICE_CONTENT_BYTES_MAX ||
           error_set(e, ERROR_TOO_LARGE, "A message to a device is at most 64 KiB.");
}

static bool read_messages(struct sending *s, const json_t *messages, struct error *e)
{
    const char *user_id, *device_id;
    json_t *devices, *content;
    if (json_object_size(messages) > KEYS_PEOPLE_MAX)
        return error_set(e, ERROR_TOO_LARGE, "A request is about at most 1000 people.");
    json_object_foreach((json_t *)messages, user_id, devices) {
        if (!json_is_object(devices))
            return error_set(e, ERROR_BAD_JSON, "For each user there is a map from device ids to messages.");
        json_object_foreach(devices, device_id, content)
            if (!read_message(s, user_id, device_id, content, e))
                return false;
    }
    return true;
}

bool to_device_send(const struct keys_caller *caller, const char *type, const char *txn_id, const json_t *messages,
                    struct error *e)
{
    struct sending s = {.caller = caller, .type = type, .txn_id = txn_id};
    if (*type == '\0' || strlen(type) > ID_BYTES_MAX || strlen(txn_id) > ID_BYTES_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "The type or the transaction id is too long.");
    if (id_is_reserved(type))
        return error_set(e, ERROR_FORBIDDEN, "Types that begin with org.parta. are the server's own.");
    s.messages = xcalloc(KEYS_DEVICES_MAX, sizeof *s.messages);
    bool done = read_messages(&s, messages, e) && writer_run(caller->writer, job_send, &s, e);
    for (size_t i = 0; i < s.n; ++i)
        free(s.messages[i].content);
    free(s.messages);
    return done;
}
