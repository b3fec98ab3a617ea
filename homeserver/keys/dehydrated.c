#include "homeserver/keys/dehydrated.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/login.h"
#include "homeserver/base/json.h"
#include "homeserver/keys/device_keys.h"
#include "homeserver/keys/signatures.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/dehydrated_devices.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/devices.h"

struct putting {
    const struct keys_caller *caller;
    const char *device_id, *display_name;
    char *data;
    struct keys_offer offer;
    bool is_signed;
};

static void look(void *arg, const struct device_keys_row *row)
{
    ((struct putting *)arg)->is_signed = row->self_signature != NULL;
}

static bool job_put(struct tx *tx, void *arg, struct error *e)
{
    struct putting *p = arg;
    user_no user = p->caller->user;
    *e = (struct error){0};
    tx_own(tx, user);
    device_no before = dehydrated_devices_get(tx->db, user, NULL, NULL);
    if (before != 0 && !devices_delete(tx, user, before))
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (devices_no(tx->db, user, p->device_id) != 0)
        return error_set(e, ERROR_INVALID_PARAM, "There is a device of this id.");
    device_no device = devices_insert(tx, user, p->device_id, p->display_name, NULL);
    if (device == 0)
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (!bound_kept(tx->db, BOUND_DEVICES, user, 0, e) ||
        !keys_offer_keep(tx, user, device, p->device_id, &p->offer, e))
        return false;
    device_keys_of(tx->db, user, p->device_id, look, p);
    if (!p->is_signed)
        return error_set(e, ERROR_INVALID_SIGNATURE, "A dehydrated device is signed by its owner's self-signing key.");
    return dehydrated_devices_put(tx, user, device, p->data) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool read_device(struct putting *p, struct db *db, const json_t *body, struct error *e)
{
    const struct keys_caller *c = p->caller;
    const json_t *keys = json_get_object(body, "device_keys"), *data = json_get_object(body, "device_data");
    char curve25519[KEY_ID_BYTES_MAX + 1];
    p->device_id = json_get_string(body, "device_id");
    p->display_name = json_get_string(body, "initial_device_display_name");
    if (p->device_id == NULL || json_get_string(data, "algorithm") == NULL || keys == NULL ||
        json_object_size(json_get_object(body, "fallback_keys")) == 0)
        return error_set(
            e, ERROR_MISSING_PARAM,
            "A dehydrated device has device_id, device_data with an algorithm, device_keys and a fallback key.");
    if (!key_id_make(curve25519, "curve25519", p->device_id) || !key_decode(p->device_id, NULL) ||
        strcmp(p->device_id, json_get_string(json_get_object(keys, "keys"), curve25519) != NULL
                                 ? json_get_string(json_get_object(keys, "keys"), curve25519)
                                 : "") != 0)
        return error_set(e, ERROR_INVALID_PARAM, "A dehydrated device is named by its identity key.");
    if (p->display_name != NULL && !device_name_valid(p->display_name, "initial_device_display_name", e))
        return false;
    p->data = json_canonical(data);
    return (strlen(p->data) <= DEHYDRATED_DATA_BYTES_MAX || error_set(e, ERROR_TOO_LARGE, NULL)) &&
           keys_offer_read(&p->offer, db, body, c->user, c->user_id, p->device_id, e);
}

bool dehydrated_put(const struct keys_caller *caller, struct db *db, const json_t *body, struct error *e)
{
    struct putting p = {.caller = caller};
    bool done = read_device(&p, db, body, e) && writer_run(caller->writer, job_put, &p, e);
    keys_offer_finish(&p.offer);
    free(p.data);
    return done;
}

struct deleting {
    user_no user;
    char *device_id;
};

static bool job_delete(struct tx *tx, void *arg, struct error *e)
{
    struct deleting *d = arg;
    tx_own(tx, d->user);
    device_no device = dehydrated_devices_get(tx->db, d->user, &d->device_id, NULL);
    if (device == 0)
        return error_set(e, ERROR_NOT_FOUND, "There is no dehydrated device.");
    return devices_delete(tx, d->user, device) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool dehydrated_delete(const struct keys_caller *caller, char **device_id, struct error *e)
{
    struct deleting d = {.user = caller->user};
    bool done = writer_run(caller->writer, job_delete, &d, e);
    if (!done)
        free(d.device_id);
    *device_id = done ? d.device_id : NULL;
    return done;
}
