#include "homeserver/rooms/pdu/power.h"

#include <string.h>

#include "homeserver/base/json.h"

static const struct {
    const char *name;
    int64_t otherwise;
} KEYS[POWER_KEY__COUNT] = {
    [POWER_USERS_DEFAULT] = {"users_default", 0},
    [POWER_EVENTS_DEFAULT] = {"events_default", 0},
    [POWER_STATE_DEFAULT] = {"state_default", 50},
    [POWER_BAN] = {"ban", 50},
    [POWER_REDACT] = {"redact", 50},
    [POWER_KICK] = {"kick", 50},
    [POWER_INVITE] = {"invite", 0},
};

const char *power_creator(const struct room_version *version, const char *create_sender, const json_t *create_content)
{
    if (!room_version_has(version, ROOM_CREATOR_IN_CONTENT))
        return create_sender;
    return json_get_string(create_content, "creator");
}

void power_init(struct power *power, const struct room_version *version, const char *create_sender,
                const json_t *create_content, const json_t *levels)
{
    *power = (struct power){
        .version = version,
        .levels = levels,
        .creator = power_creator(version, create_sender, create_content),
    };
    if (room_version_has(version, ROOM_CREATORS))
        power->additional = json_get_array(create_content, "additional_creators");
}

bool power_is_creator(const struct power *power, const char *user)
{
    size_t i;
    json_t *item;
    if (power->creator != NULL && strcmp(power->creator, user) == 0)
        return true;
    json_array_foreach(power->additional, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), user) == 0)
            return true;
    return false;
}

/* [ws] [+-] digits [ws], within what an event may hold as a number. */
static bool read_string(const char *s, int64_t *out)
{
    static const char SPACE[] = " \t\n\v\f\r";
    s += strspn(s, SPACE);
    bool negative = *s == '-';
    s += *s == '-' || *s == '+';
    int64_t n = 0;
    size_t digits = strspn(s, "0123456789");
    for (size_t i = 0; i < digits; ++i)
        if ((n = n * 10 + (s[i] - '0')) > JSON_INT_MAX)
            return false;
    s += digits;
    s += strspn(s, SPACE);
    *out = negative ? -n : n;
    return digits != 0 && *s == '\0';
}

bool power_read(const struct room_version *version, const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return !room_version_has(version, ROOM_STRICT_JSON) || (*out <= JSON_INT_MAX && *out >= -JSON_INT_MAX);
    }
    if (!room_version_has(version, ROOM_LOOSE_LEVELS))
        return false;
    if (json_is_string(value))
        return read_string(json_string_value(value), out);
    if (!json_is_real(value) || room_version_has(version, ROOM_STRICT_JSON))
        return false;
    double real = json_real_value(value);
    if (!(real <= (double)JSON_INT_MAX && real >= -(double)JSON_INT_MAX))
        return false;
    *out = (int64_t)real; /* cut at the point */
    return true;
}

static int64_t read_or(const struct power *power, const json_t *object, const char *key, int64_t otherwise)
{
    int64_t level;
    return power_read(power->version, json_object_get(object, key), &level) ? level : otherwise;
}

int64_t power_level(const struct power *power, enum power_key key)
{
    return read_or(power, power->levels, KEYS[key].name, KEYS[key].otherwise);
}

const char *power_key_name(enum power_key key)
{
    return KEYS[key].name;
}

int64_t power_of_user(const struct power *power, const char *user)
{
    if (room_version_has(power->version, ROOM_CREATORS) && power_is_creator(power, user))
        return POWER_INFINITE;
    if (power->levels == NULL)
        return power_is_creator(power, user) ? 100 : 0;
    const json_t *users = json_get_object(power->levels, "users");
    return read_or(power, users, user, power_level(power, POWER_USERS_DEFAULT));
}

int64_t power_needed(const struct power *power, const char *type, bool is_state)
{
    const json_t *events = json_get_object(power->levels, "events");
    return read_or(power, events, type, power_level(power, is_state ? POWER_STATE_DEFAULT : POWER_EVENTS_DEFAULT));
}

int64_t power_notification(const struct power *power, const char *key)
{
    return read_or(power, json_get_object(power->levels, "notifications"), key, 50);
}
