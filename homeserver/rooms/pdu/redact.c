#include "homeserver/rooms/pdu/redact.h"

#include <limits.h>
#include <string.h>

#include "homeserver/base/json.h"

#define EVER INT_MAX

/* Keys of the event that stay, in versions from first to last. */
static const struct {
    const char *key;
    int first, last;
} EVENT_KEYS[] = {
    {"event_id", 1, EVER},  {"type", 1, EVER},        {"room_id", 1, EVER},     {"sender", 1, EVER},
    {"state_key", 1, EVER}, {"content", 1, EVER},     {"hashes", 1, EVER},      {"signatures", 1, EVER},
    {"depth", 1, EVER},     {"prev_events", 1, EVER}, {"auth_events", 1, EVER}, {"origin_server_ts", 1, EVER},
    {"prev_state", 1, 10},  {"origin", 1, 10},        {"membership", 1, 10},
};

/* Keys of the content that stay, by type. key NULL: all; inner: of that key's object only this key. */
static const struct row {
    const char *type, *key, *inner;
    int first, last;
} CONTENT_KEYS[] = {
    {"m.room.member", "membership", NULL, 1, EVER},
    {"m.room.member", "join_authorised_via_users_server", NULL, 9, EVER},
    {"m.room.member", "third_party_invite", "signed", 11, EVER},
    {"m.room.create", "creator", NULL, 1, 10},
    {"m.room.create", NULL, NULL, 11, EVER},
    {"m.room.join_rules", "join_rule", NULL, 1, EVER},
    {"m.room.join_rules", "allow", NULL, 8, EVER},
    {"m.room.power_levels", "ban", NULL, 1, EVER},
    {"m.room.power_levels", "events", NULL, 1, EVER},
    {"m.room.power_levels", "events_default", NULL, 1, EVER},
    {"m.room.power_levels", "invite", NULL, 11, EVER},
    {"m.room.power_levels", "kick", NULL, 1, EVER},
    {"m.room.power_levels", "redact", NULL, 1, EVER},
    {"m.room.power_levels", "state_default", NULL, 1, EVER},
    {"m.room.power_levels", "users", NULL, 1, EVER},
    {"m.room.power_levels", "users_default", NULL, 1, EVER},
    {"m.room.aliases", "aliases", NULL, 1, 5},
    {"m.room.history_visibility", "history_visibility", NULL, 1, EVER},
    {"m.room.redaction", "redacts", NULL, 11, EVER},
};

static bool concerns(const struct row *row, const struct room_version *version, const char *type)
{
    return version->number >= row->first && version->number <= row->last && strcmp(row->type, type) == 0;
}

enum redact_keeps redact_keeps(const struct room_version *version, const char *type)
{
    for (size_t i = 0; i < sizeof CONTENT_KEYS / sizeof *CONTENT_KEYS; ++i)
        if (concerns(&CONTENT_KEYS[i], version, type))
            return CONTENT_KEYS[i].key == NULL ? REDACT_KEEPS_ALL : REDACT_KEEPS_SOME;
    return REDACT_KEEPS_NOTHING;
}

bool redact_leaves(size_t i, const char **type, const char **key)
{
    if (i >= sizeof CONTENT_KEYS / sizeof *CONTENT_KEYS)
        return false;
    *type = CONTENT_KEYS[i].type;
    *key = CONTENT_KEYS[i].key;
    return true;
}

/* The object with one key of itself left, or empty; NULL if value is no object. */
static json_t *only(const json_t *value, const char *key)
{
    if (!json_is_object(value))
        return NULL;
    json_t *left = json_object();
    json_t *inner = json_object_get(value, key);
    if (inner != NULL)
        json_object_set(left, key, inner);
    return left;
}

json_t *redact_content(const struct room_version *version, const char *type, const json_t *content)
{
    json_t *left = json_object();
    for (size_t i = 0; i < sizeof CONTENT_KEYS / sizeof *CONTENT_KEYS; ++i) {
        const struct row *row = &CONTENT_KEYS[i];
        if (!concerns(row, version, type))
            continue;
        json_t *value = row->key != NULL ? json_object_get(content, row->key) : NULL;
        if (row->key == NULL)
            json_object_update(left, (json_t *)content);
        else if (row->inner == NULL && value != NULL)
            json_object_set(left, row->key, value);
        else if (row->inner != NULL && json_is_object(value))
            json_object_set_new(left, row->key, only(value, row->inner));
    }
    return left;
}

void redact_add_content(struct text *out, const struct room_version *version, const char *type, const char *content,
                        size_t len)
{
    enum redact_keeps keeps = redact_keeps(version, type);
    struct error ignored = {0};
    if (keeps == REDACT_KEEPS_ALL) {
        text_add(out, content, len);
        return;
    }
    json_t *whole = keeps == REDACT_KEEPS_SOME ? json_parse(content, len, &ignored) : NULL;
    json_t *left = redact_content(version, type, whole);
    json_add_canonical(out, left);
    json_decref(left);
    json_decref(whole);
}

json_t *redact_event(const struct room_version *version, const json_t *event)
{
    const char *type = json_get_string(event, "type");
    json_t *left = json_object();
    for (size_t i = 0; i < sizeof EVENT_KEYS / sizeof *EVENT_KEYS; ++i) {
        json_t *value = json_object_get(event, EVENT_KEYS[i].key);
        if (value != NULL && version->number >= EVENT_KEYS[i].first && version->number <= EVENT_KEYS[i].last)
            json_object_set(left, EVENT_KEYS[i].key, value);
    }
    json_t *content = redact_content(version, type != NULL ? type : "", json_get_object(event, "content"));
    json_object_set_new(left, "content", content);
    return left;
}
