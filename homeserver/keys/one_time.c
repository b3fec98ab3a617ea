#include "homeserver/keys/one_time.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/one_time_keys.h"

#define PORTION 50 /* devices in one job */

struct claim {
    const struct keys_caller *caller;
    const json_t *wanted;
    size_t from; /* this portion's first device, counted through */
    bool more;   /* there are devices behind the portion */
    struct text *out;
    const char *open; /* whose object is open; NULL: nobody's */
};

static void add_key(struct claim *c, const char *user_id, const char *device_id, const struct claimed_key *key)
{
    char name[512];
    if (c->open == NULL || strcmp(c->open, user_id) != 0) {
        text_adds(c->out, c->open != NULL ? "}," : "");
        text_add_json(c->out, user_id);
        text_adds(c->out, ":{");
    } else {
        text_addc(c->out, ',');
    }
    c->open = user_id;
    text_add_json(c->out, device_id);
    text_adds(c->out, ":{");
    snprintf(name, sizeof name, ONE_TIME_ALGORITHM ":%s", key->key_id);
    text_add_json(c->out, name);
    text_addc(c->out, ':');
    text_adds(c->out, key->key);
    text_addc(c->out, '}');
}

static void claim_one(struct claim *c, struct tx *tx, user_no user, const char *user_id, const char *device_id,
                      const char *algorithm)
{
    struct claimed_key key;
    device_no device = strcmp(algorithm, ONE_TIME_ALGORITHM) == 0 ? devices_no(tx->db, user, device_id) : 0;
    if (device == 0)
        return;
    if (one_time_keys_claim(tx, user, device, &key))
        add_key(c, user_id, device_id, &key);
    claimed_key_finish(&key);
}

static bool job_claim(struct tx *tx, void *arg, struct error *e)
{
    struct claim *c = arg;
    const char *user_id, *device_id;
    json_t *devices, *algorithm;
    size_t at = 0;
    json_object_foreach((json_t *)c->wanted, user_id, devices) {
        user_no user = 0;
        bool looked = false;
        json_object_foreach(devices, device_id, algorithm) {
            if (at++ < c->from)
                continue;
            if ((c->more = at > c->from + PORTION))
                return true;
            if (!looked)
                user = keys_reached(c->caller, tx->db, user_id);
            looked = true;
            if (user != 0)
                claim_one(c, tx, user, user_id, device_id, json_string_value(algorithm));
        }
    }
    c->more = false;
    return true;
}

static bool is_well_formed(const json_t *wanted, struct error *e)
{
    const char *user_id, *device_id;
    json_t *devices, *algorithm;
    size_t n = 0;
    json_object_foreach((json_t *)wanted, user_id, devices) {
        if (!json_is_object(devices))
            return error_set(e, ERROR_BAD_JSON, "For each user there is a map from device ids to algorithms.");
        json_object_foreach(devices, device_id, algorithm)
            if (!json_is_string(algorithm))
                return error_set(e, ERROR_BAD_JSON, "An algorithm is a string.");
        n += json_object_size(devices);
    }
    return (json_object_size(wanted) <= KEYS_PEOPLE_MAX && n <= KEYS_DEVICES_MAX) ||
           error_set(e, ERROR_INVALID_PARAM, "A request is about at most 1000 people and 5000 devices.");
}

bool keys_claim(const struct keys_caller *caller, const json_t *wanted, struct text *out, struct error *e)
{
    struct claim c = {.caller = caller, .wanted = wanted, .out = out, .more = true};
    bool done = is_well_formed(wanted, e);
    text_adds(out, "{\"failures\":{},\"one_time_keys\":{");
    for (; done && c.more; c.from += PORTION)
        done = writer_run(caller->writer, job_claim, &c, e);
    text_adds(out, c.open != NULL ? "}}}" : "}}");
    return done;
}
