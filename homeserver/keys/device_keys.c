#include "homeserver/keys/device_keys.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/keys/signatures.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/user_names.h"

/* --- Reading what is offered --- */

static void offered_key_finish(struct offered_key *key)
{
    free(key->key_id);
    free(key->key);
}

void keys_offer_finish(struct keys_offer *offer)
{
    for (size_t i = 0; i < offer->n_one_time; ++i)
        offered_key_finish(&offer->one_time[i]);
    free(offer->one_time);
    offered_key_finish(&offer->fallback);
    text_finish(&offer->keys);
    free(offer->ed25519);
    free(offer->signature);
    free(offer->self_signing_key);
    free(offer->self_signature);
    *offer = (struct keys_offer){0};
}

static bool is_line_list(const json_t *list)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
        if (!json_is_string(item) || !text_is_line(json_string_value(item)))
            return false;
    return json_array_size(list) != 0;
}

/* The owner's signature, if there is any: of a key that is named by itself, as dehydrated devices are, too. Checked
 * when it is kept. */
static void read_self_signature(struct keys_offer *out, const json_t *object, const char *user_id,
                                const char *device_id)
{
    static const char ALGORITHM[] = "ed25519:";
    const char *key_id;
    json_t *signature;
    json_object_foreach(json_get_object(json_get_object(object, "signatures"), user_id), key_id, signature)
        if (out->self_signing_key == NULL && json_is_string(signature) &&
            strncmp(key_id, ALGORITHM, sizeof ALGORITHM - 1) == 0 &&
            strcmp(key_id + sizeof ALGORITHM - 1, device_id) != 0 && key_decode(key_id + sizeof ALGORITHM - 1, NULL)) {
            out->self_signing_key = xstrdup(key_id + sizeof ALGORITHM - 1);
            out->self_signature = xstrdup(json_string_value(signature));
        }
}

static bool read_device_keys(struct keys_offer *out, const json_t *object, const char *user_id, const char *device_id,
                             struct error *e)
{
    char ed25519[KEY_ID_BYTES_MAX + 1], curve25519[KEY_ID_BYTES_MAX + 1];
    const char *whose = json_get_string(object, "user_id"), *which = json_get_string(object, "device_id");
    const json_t *keys = json_get_object(object, "keys");
    if (whose == NULL || which == NULL || keys == NULL || !is_line_list(json_get_array(object, "algorithms")))
        return error_set(e, ERROR_BAD_JSON, "Device keys have user_id, device_id, algorithms and keys.");
    if (strcmp(whose, user_id) != 0 || strcmp(which, device_id) != 0)
        return error_set(e, ERROR_INVALID_PARAM, "A device uploads its own keys, of its own user and device id.");
    if (!key_id_make(ed25519, "ed25519", device_id) || !key_id_make(curve25519, "curve25519", device_id) ||
        !key_decode(json_get_string(keys, ed25519), NULL) || !key_decode(json_get_string(keys, curve25519), NULL))
        return error_set(e, ERROR_INVALID_PARAM, "Device keys are an ed25519 and a curve25519 key of the device.");
    if (!signed_bytes(&out->keys, object, e))
        return false;
    const char *signature = signature_by(object, &out->keys, user_id, ed25519, json_get_string(keys, ed25519));
    if (signature == NULL)
        return error_set(e, ERROR_INVALID_SIGNATURE, "The device keys are not signed by the device.");
    out->ed25519 = xstrdup(json_get_string(keys, ed25519));
    out->signature = xstrdup(signature);
    read_self_signature(out, object, user_id, device_id);
    return true;
}

static void take_ed25519(void *offer, const struct device_keys_row *row)
{
    ((struct keys_offer *)offer)->ed25519 = xstrdup(row->ed25519);
}

/* Whose keys are read: what every signature of them must be by. */
struct signer {
    const char *user_id, *ed25519;
    char key_id[KEY_ID_BYTES_MAX + 1];
};

/* A key "signed_curve25519:AAAAHg" and its object, kept with the device's signature alone. */
static bool read_signed_key(struct offered_key *out, const char *name, const json_t *object,
                            const struct signer *signer, struct error *e)
{
    static const char ALGORITHM[] = ONE_TIME_ALGORITHM ":";
    const char *id = name + sizeof ALGORITHM - 1;
    struct text bytes = TEXT_INIT;
    if (strncmp(name, ALGORITHM, sizeof ALGORITHM - 1) != 0 || *id == '\0' || strlen(id) > ONE_TIME_KEY_ID_BYTES_MAX ||
        !text_is_line(id))
        return error_set(e, ERROR_INVALID_PARAM, "One-time and fallback keys are signed_curve25519 keys.");
    if (!key_decode(json_get_string(object, "key"), NULL))
        return error_set(e, ERROR_INVALID_PARAM, "The key of a one-time or fallback key is 32 bytes in base64.");
    bool good = signed_bytes(&bytes, object, e) &&
                (bytes.len <= ONE_TIME_KEY_BYTES_MAX || error_set(e, ERROR_TOO_LARGE, "A key is too large."));
    const char *signature =
        good ? signature_by(object, &bytes, signer->user_id, signer->key_id, signer->ed25519) : NULL;
    if (good && signature == NULL)
        good = error_set(e, ERROR_INVALID_SIGNATURE, "A one-time or fallback key is not signed by the device.");
    if (good) {
        bytes.len -= 1; /* the brace */
        text_adds(&bytes, ",\"signatures\":{");
        text_add_json(&bytes, signer->user_id);
        text_adds(&bytes, ":{");
        text_add_json(&bytes, signer->key_id);
        text_addc(&bytes, ':');
        text_add_json(&bytes, signature);
        text_adds(&bytes, "}}}");
        *out = (struct offered_key){xstrdup(id), text_take(&bytes)};
    }
    text_finish(&bytes);
    return good;
}

static bool read_one_time(struct keys_offer *out, const json_t *keys, const struct signer *signer, struct error *e)
{
    const char *name;
    json_t *object;
    if (json_object_size(keys) > ONE_TIME_KEYS_MAX)
        return bound_refuse(e, "one_time_keys", ONE_TIME_KEYS_MAX);
    out->one_time = xcalloc(json_object_size(keys) + 1, sizeof *out->one_time);
    json_object_foreach((json_t *)keys, name, object)
        if (!read_signed_key(&out->one_time[out->n_one_time++], name, object, signer, e))
            return false;
    return true;
}

static bool read_fallback(struct keys_offer *out, const json_t *keys, const struct signer *signer, struct error *e)
{
    const char *name;
    json_t *object;
    if (json_object_size(keys) > 1)
        return error_set(e, ERROR_INVALID_PARAM, "There is at most one fallback key of an algorithm.");
    json_object_foreach((json_t *)keys, name, object)
        if (!read_signed_key(&out->fallback, name, object, signer, e))
            return false;
    return true;
}

/* NULL or a member that is null counts as absent. */
static bool member(const json_t *body, const char *key, const json_t **out, struct error *e)
{
    *out = json_object_get(body, key);
    if (json_is_null(*out))
        *out = NULL;
    return *out == NULL || json_is_object(*out) || error_set_parameter(e, ERROR_BAD_JSON, key, "This is an object.");
}

bool keys_offer_read(struct keys_offer *out, struct db *db, const json_t *body, user_no user, const char *user_id,
                     const char *device_id, struct error *e)
{
    const json_t *device_keys, *one_time, *fallback;
    struct signer signer = {.user_id = user_id};
    *out = (struct keys_offer){0};
    if (!member(body, "device_keys", &device_keys, e) || !member(body, "one_time_keys", &one_time, e) ||
        !member(body, "fallback_keys", &fallback, e))
        return false;
    if (device_keys != NULL && !read_device_keys(out, device_keys, user_id, device_id, e))
        return false;
    if (json_object_size(one_time) == 0 && json_object_size(fallback) == 0)
        return true;
    if (device_keys == NULL && !device_keys_of(db, user, device_id, take_ed25519, out))
        return error_set(e, ERROR_INVALID_PARAM, "The device's own keys come first.");
    signer.ed25519 = out->ed25519;
    return (key_id_make(signer.key_id, "ed25519", device_id) || error_set(e, ERROR_INVALID_PARAM, NULL)) &&
           read_one_time(out, one_time, &signer, e) && read_fallback(out, fallback, &signer, e);
}

/* --- Keeping it --- */

struct known {
    bool there, same, same_keys;
    const struct keys_offer *offer;
};

static void compare(void *arg, const struct device_keys_row *row)
{
    struct known *known = arg;
    known->there = true;
    known->same = strcmp(row->ed25519, known->offer->ed25519) == 0;
    known->same_keys = known->offer->keys.len != 0 && strcmp(row->keys, known->offer->keys.data) == 0;
}

static bool keep_self_signature(struct tx *tx, user_no user, device_no device, const struct keys_offer *offer)
{
    struct cross_signing_key key;
    bool good = offer->self_signing_key != NULL && cross_signing_get(tx->db, user, USAGE_SELF_SIGNING, &key);
    bool kept = !good || strcmp(key.key, offer->self_signing_key) != 0 ||
                !signature_good(offer->self_signature, key.key, offer->keys.data, offer->keys.len) ||
                device_keys_sign(tx, user, device, key.key, offer->self_signature);
    if (good)
        cross_signing_key_finish(&key);
    return kept;
}

/* A device with another signing key is another one to all who know it: what was published with the old one is void. */
static bool keep_device_keys(struct tx *tx, user_no user, device_no device, const struct keys_offer *offer,
                             const struct known *known)
{
    struct device_keys_row row = {
        .device = device, .keys = offer->keys.data, .ed25519 = offer->ed25519, .signature = offer->signature};
    if (offer->keys.len == 0 || known->same_keys)
        return true;
    return (!known->there || known->same || one_time_keys_forget(tx, device)) && device_keys_put(tx, user, &row) &&
           keep_self_signature(tx, user, device, offer);
}

static bool keep_one_time(struct tx *tx, device_no device, const struct keys_offer *offer, struct error *e)
{
    for (size_t i = 0; i < offer->n_one_time; ++i)
        switch (one_time_keys_put(tx, device, offer->one_time[i].key_id, offer->one_time[i].key)) {
        case ONE_TIME_KEPT: break;
        case ONE_TIME_OTHER: return error_set(e, ERROR_INVALID_PARAM, "There is another one-time key of this id.");
        case ONE_TIME_FAILED: return false;
        }
    return one_time_keys_left(tx->db, device) >> KEY_COUNTS_SHIFT <= ONE_TIME_KEYS_MAX ||
           bound_refuse(e, "one_time_keys", ONE_TIME_KEYS_MAX);
}

bool keys_offer_keep(struct tx *tx, user_no user, device_no device, const char *device_id,
                     const struct keys_offer *offer, struct error *e)
{
    struct known known = {.offer = offer};
    if (offer->ed25519 == NULL)
        return true;
    device_keys_of(tx->db, user, device_id, compare, &known);
    if (offer->keys.len == 0 && !known.same)
        return error_set(e, ERROR_INVALID_PARAM, "The device's own keys come first.");
    if (cross_signing_is_key(tx->db, user, device_id))
        return error_set(e, ERROR_FORBIDDEN, "A key has this device's name.");
    bool kept =
        keep_device_keys(tx, user, device, offer, &known) && keep_one_time(tx, device, offer, e) &&
        (offer->fallback.key == NULL || fallback_keys_put(tx, device, offer->fallback.key_id, offer->fallback.key)) &&
        one_time_keys_settle(tx, user, device);
    return kept || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
}

struct upload {
    const struct keys_caller *caller;
    struct keys_offer offer;
    int64_t left;
};

static bool job_upload(struct tx *tx, void *arg, struct error *e)
{
    struct upload *u = arg;
    const struct keys_caller *c = u->caller;
    *e = (struct error){0};
    if (devices_no(tx->db, c->user, c->device_id) != c->device) /* it has been ended meanwhile */
        return error_set(e, ERROR_UNKNOWN_TOKEN, NULL);
    bool kept = keys_offer_keep(tx, c->user, c->device, c->device_id, &u->offer, e);
    u->left = one_time_keys_left(tx->db, c->device);
    return kept;
}

bool keys_upload(const struct keys_caller *caller, struct db *db, const json_t *body, int64_t *left, struct error *e)
{
    struct upload u = {.caller = caller};
    bool done = keys_offer_read(&u.offer, db, body, caller->user, caller->user_id, caller->device_id, e);
    if (done && u.offer.ed25519 == NULL) /* nothing but the question how many there are */
        u.left = one_time_keys_left(db, caller->device);
    else
        done = done && writer_run(caller->writer, job_upload, &u, e);
    *left = u.left;
    keys_offer_finish(&u.offer);
    return done;
}

/* --- Asking --- */

struct query {
    const struct keys_caller *caller;
    struct db *db;
    struct text *out;
    const char *user_id; /* whose turn it is … */
    user_no user;
    const json_t *wanted; /* … and of which devices; empty: all */
    bool first;
};

static void open_member(struct query *q, const char *name)
{
    text_adds(q->out, q->first ? "" : ",");
    text_add_json(q->out, name);
    text_addc(q->out, ':');
    q->first = false;
}

static void add_signature(struct text *out, const char *algorithm, const char *name, const char *signature, bool first)
{
    char id[KEY_ID_BYTES_MAX + 1];
    key_id_make(id, algorithm, name);
    text_adds(out, first ? "" : ",");
    text_add_json(out, id);
    text_addc(out, ':');
    text_add_json(out, signature);
}

static bool is_wanted(const struct query *q, const char *device_id)
{
    const json_t *item;
    size_t i;
    json_array_foreach(q->wanted, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), device_id) == 0)
            return true;
    return json_array_size(q->wanted) == 0;
}

/* What a device is called its owner alone sees: names of devices are words of people (A6). */
static void add_device(void *arg, const struct device_keys_row *row)
{
    struct query *q = arg;
    if (!is_wanted(q, row->device_id))
        return;
    open_member(q, row->device_id);
    text_add(q->out, row->keys, strlen(row->keys) - 1);
    text_adds(q->out, ",\"signatures\":{");
    text_add_json(q->out, q->user_id);
    text_adds(q->out, ":{");
    add_signature(q->out, "ed25519", row->device_id, row->signature, true);
    if (row->self_signature != NULL)
        add_signature(q->out, "ed25519", row->self_signing_key, row->self_signature, false);
    text_adds(q->out, "}}");
    if (q->user == q->caller->user && row->display_name != NULL) {
        text_adds(q->out, ",\"unsigned\":{\"device_display_name\":");
        text_add_json(q->out, row->display_name);
        text_addc(q->out, '}');
    }
    text_addc(q->out, '}');
}

static void add_devices(struct query *q)
{
    open_member(q, q->user_id);
    text_addc(q->out, '{');
    q->first = true;
    device_keys_each(q->db, q->user, add_device, q);
    text_addc(q->out, '}');
    q->first = false;
}

/* Signatures of a master key, by signer, who come one after the other. */
struct signing {
    struct query *q;
    user_no signer;
};

static void add_master_signature(void *arg, user_no signer, const char *signer_key, const char *signature)
{
    struct signing *s = arg;
    bool own = signer == s->q->user;
    if (signer != s->signer) {
        text_adds(s->q->out, s->signer != 0 ? "}," : "");
        text_add_json(s->q->out, own ? s->q->user_id : s->q->caller->user_id);
        text_adds(s->q->out, ":{");
    } else {
        text_addc(s->q->out, ',');
    }
    text_add_json(s->q->out, signer_key);
    text_addc(s->q->out, ':');
    text_add_json(s->q->out, signature);
    s->signer = signer;
}

static void add_cross_signing(struct query *q, enum key_usage usage)
{
    struct cross_signing_key key, master = {0};
    if (!cross_signing_get(q->db, q->user, usage, &key))
        return;
    open_member(q, q->user_id);
    text_add(q->out, key.signed_json, strlen(key.signed_json) - 1);
    text_adds(q->out, ",\"signatures\":{");
    if (usage == USAGE_MASTER) {
        struct signing signing = {.q = q};
        key_signatures_each(q->db, q->user, q->caller->user, add_master_signature, &signing);
        text_adds(q->out, signing.signer != 0 ? "}" : "");
    } else if (cross_signing_get(q->db, q->user, USAGE_MASTER, &master)) {
        text_add_json(q->out, q->user_id);
        text_adds(q->out, ":{");
        add_signature(q->out, "ed25519", master.key, key.signature, true);
        text_addc(q->out, '}');
    }
    text_adds(q->out, "}}");
    cross_signing_key_finish(&master);
    cross_signing_key_finish(&key);
}

/* Who was asked for and may be known: one list for all members of the answer. */
struct asked {
    struct known_person {
        const char *user_id;
        user_no user;
        const json_t *wanted;
    } * people;
    size_t n;
};

static bool find_people(struct query *q, const json_t *devices, struct asked *out, struct error *e)
{
    const char *user_id;
    json_t *wanted;
    if (json_object_size(devices) > KEYS_PEOPLE_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "A request is about at most 1000 people.");
    out->people = xcalloc(json_object_size(devices) + 1, sizeof *out->people);
    json_object_foreach((json_t *)devices, user_id, wanted) {
        if (!json_is_array(wanted) || json_array_size(wanted) > KEYS_DEVICES_MAX)
            return error_set(e, ERROR_BAD_JSON, "For each user there is a list of device ids.");
        user_no user = keys_known(q->caller, q->db, user_id);
        if (user != 0)
            out->people[out->n++] = (struct known_person){user_id, user, wanted};
    }
    return true;
}

bool keys_query(const struct keys_caller *caller, struct db *db, const json_t *devices, struct text *out,
                struct error *e)
{
    static const char *const MEMBERS[] = {"\"master_keys\":{", "},\"self_signing_keys\":{",
                                          "},\"user_signing_keys\":{"};
    struct query q = {.caller = caller, .db = db, .out = out, .first = true};
    struct asked asked = {0};
    db_begin_read(db);
    bool good = find_people(&q, devices, &asked, e);
    text_adds(out, "{\"device_keys\":{");
    for (size_t i = 0; good && i < asked.n; ++i) {
        q.user_id = asked.people[i].user_id;
        q.user = asked.people[i].user;
        q.wanted = asked.people[i].wanted;
        add_devices(&q);
    }
    text_adds(out, "},\"failures\":{},");
    for (int usage = USAGE_MASTER; usage < USAGE__COUNT; ++usage) {
        text_adds(out, MEMBERS[usage]);
        q.first = true;
        for (size_t i = 0; good && i < asked.n; ++i) {
            q.user_id = asked.people[i].user_id;
            q.user = asked.people[i].user;
            if (usage != USAGE_USER_SIGNING || q.user == caller->user)
                add_cross_signing(&q, (enum key_usage)usage);
        }
    }
    text_adds(out, "}}");
    db_end_read(db);
    free(asked.people);
    return good;
}
