#include "homeserver/keys/cross_signing.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/keys/signatures.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/devices.h"

#define PREFIX "ed25519:"

static const char *const MEMBERS[USAGE__COUNT] = {
    [USAGE_MASTER] = "master_key",
    [USAGE_SELF_SIGNING] = "self_signing_key",
    [USAGE_USER_SIGNING] = "user_signing_key",
};

/* --- The keys --- */

/* The public key of a well-formed object: its one key is called by itself. NULL: it is not. Borrowed. */
static const char *public_key(const json_t *object)
{
    json_t *keys = json_get_object(object, "keys");
    void *only = json_object_iter(keys);
    if (json_object_size(keys) != 1)
        return NULL;
    const char *name = json_object_iter_key(only), *key = json_string_value(json_object_iter_value(only));
    bool named = key != NULL && strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strcmp(name + strlen(PREFIX), key) == 0;
    return named && key_decode(key, NULL) ? key : NULL;
}

static bool has_usage(const json_t *object, enum key_usage usage)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_get_array(object, "usage"), i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), key_usage_name(usage)) == 0)
            return true;
    return false;
}

bool cross_signing_needs_proof(struct db *db, user_no user, const json_t *body)
{
    bool others = false, has_master = false;
    for (int i = 0; i < USAGE__COUNT; ++i) {
        struct cross_signing_key there;
        bool is = cross_signing_get(db, user, (enum key_usage)i, &there);
        const json_t *object = json_get_object(body, MEMBERS[i]);
        const char *key = public_key(object);
        has_master = has_master || (i == USAGE_MASTER && is);
        others = others || (object != NULL && (!is || key == NULL || strcmp(there.key, key) != 0));
        cross_signing_key_finish(&there);
    }
    return has_master && others;
}

/* What one upload has: each of the keys, or NULL. */
struct upload {
    const struct keys_caller *caller;
    const json_t *body;
    bool proven;
    struct {
        const json_t *object; /* NULL: not given */
        const char *key;
        struct text bytes;
    } keys[USAGE__COUNT];
};

static bool read_key(struct upload *u, enum key_usage usage, struct error *e)
{
    const json_t *object = json_object_get(u->body, MEMBERS[usage]);
    if (object == NULL || json_is_null(object))
        return true;
    const char *whose = json_get_string(object, "user_id");
    u->keys[usage].object = object;
    u->keys[usage].key = public_key(object);
    if (whose == NULL || u->keys[usage].key == NULL || !has_usage(object, usage))
        return error_set_parameter(e, ERROR_INVALID_PARAM, MEMBERS[usage],
                                   "A cross-signing key has user_id, usage, and one key that is called by itself.");
    if (strcmp(whose, u->caller->user_id) != 0)
        return error_set_parameter(e, ERROR_INVALID_PARAM, MEMBERS[usage], "This is somebody else's key.");
    return signed_bytes(&u->keys[usage].bytes, object, e);
}

/* By one's own devices: others who trust the device know the master key by it. Not by each: what cannot be checked is
 * not kept. */
struct device_signatures {
    struct upload *u;
    struct tx *tx;
    bool kept;
};

static void keep_device_signature(void *arg, const struct device_keys_row *row)
{
    struct device_signatures *d = arg;
    struct upload *u = d->u;
    char key_id[KEY_ID_BYTES_MAX + 1];
    bool fresh;
    const char *signature = key_id_make(key_id, "ed25519", row->device_id)
                                ? signature_by(u->keys[USAGE_MASTER].object, &u->keys[USAGE_MASTER].bytes,
                                               u->caller->user_id, key_id, row->ed25519)
                                : NULL;
    if (signature != NULL)
        d->kept = d->kept && key_signatures_put(d->tx, u->caller->user, u->caller->user, key_id, signature, &fresh);
}

static bool keep_key(struct upload *u, struct tx *tx, enum key_usage usage, const char *signature)
{
    struct cross_signing_key key = {(char *)u->keys[usage].key, u->keys[usage].bytes.data, (char *)signature};
    return cross_signing_put(tx, u->caller->user, usage, &key);
}

static bool keep_keys(struct upload *u, struct tx *tx, struct error *e)
{
    char master_id[KEY_ID_BYTES_MAX + 1];
    struct cross_signing_key there;
    const char *master = u->keys[USAGE_MASTER].key;
    struct device_signatures devices = {u, tx, true};
    cross_signing_get(tx->db, u->caller->user, USAGE_MASTER, &there);
    if (master == NULL)
        master = there.key;
    bool ok = master != NULL || error_set(e, ERROR_MISSING_PARAM, "There is no master key.");
    ok = ok && key_id_make(master_id, "ed25519", master);
    if (ok && u->keys[USAGE_MASTER].key != NULL) {
        ok = keep_key(u, tx, USAGE_MASTER, NULL);
        device_keys_each(tx->db, u->caller->user, keep_device_signature, &devices);
        ok = ok && devices.kept;
    }
    for (int i = USAGE_SELF_SIGNING; ok && i < USAGE__COUNT; ++i) {
        if (u->keys[i].key == NULL)
            continue;
        const char *signature =
            signature_by(u->keys[i].object, &u->keys[i].bytes, u->caller->user_id, master_id, master);
        ok = signature != NULL || error_set(e, ERROR_INVALID_SIGNATURE, "A key is not signed by the master key.");
        ok = ok && keep_key(u, tx, (enum key_usage)i, signature);
    }
    cross_signing_key_finish(&there);
    return ok;
}

/* A new master key without the keys that the old one signed leaves them signed by nobody: they must come with it. */
static bool is_complete(const struct upload *u, struct db *db, struct error *e)
{
    struct cross_signing_key there;
    bool good = true;
    bool replaces = cross_signing_get(db, u->caller->user, USAGE_MASTER, &there) && u->keys[USAGE_MASTER].key != NULL &&
                    strcmp(there.key, u->keys[USAGE_MASTER].key) != 0;
    cross_signing_key_finish(&there);
    for (int i = USAGE_SELF_SIGNING; replaces && good && i < USAGE__COUNT; ++i) {
        good = u->keys[i].key != NULL || !cross_signing_get(db, u->caller->user, (enum key_usage)i, &there);
        if (!good)
            cross_signing_key_finish(&there);
    }
    return good || error_set(e, ERROR_MISSING_PARAM, "With a new master key come the keys that it signs.");
}

static bool job_upload(struct tx *tx, void *arg, struct error *e)
{
    struct upload *u = arg;
    struct error why = {0};
    user_no user = u->caller->user;
    if (!u->proven && cross_signing_needs_proof(tx->db, user, u->body))
        return error_set(e, ERROR_FORBIDDEN, "Somebody has uploaded other keys meanwhile: try again.");
    for (int i = 0; i < USAGE__COUNT; ++i)
        if (u->keys[i].key != NULL && devices_no(tx->db, user, u->keys[i].key) != 0)
            return error_set(e, ERROR_FORBIDDEN, "A device has this key's name.");
    const char *self = u->keys[USAGE_SELF_SIGNING].key;
    if (is_complete(u, tx->db, &why) && keep_keys(u, tx, &why) &&
        (self == NULL || device_keys_unsign(tx, user, self)) && device_lists_changed(tx, user))
        return true;
    *e = why;
    return e->code == ERROR_NONE ? error_set(e, ERROR_UNKNOWN, NULL) : false;
}

bool cross_signing_upload(const struct keys_caller *caller, const json_t *body, bool proven, struct error *e)
{
    struct upload u = {.caller = caller, .body = body, .proven = proven};
    bool done = true, any = false;
    for (int i = 0; done && i < USAGE__COUNT; ++i) {
        done = read_key(&u, (enum key_usage)i, e);
        any = any || u.keys[i].object != NULL;
    }
    if (done && !any)
        done = error_set(e, ERROR_MISSING_PARAM, "There is no key.");
    done = done && writer_run(caller->writer, job_upload, &u, e);
    for (int i = 0; i < USAGE__COUNT; ++i)
        text_finish(&u.keys[i].bytes);
    return done;
}

/* --- Signatures --- */

/* One object that was signed, and what became of it. */
struct signing {
    const struct keys_caller *caller;
    struct tx *tx;
    user_no user; /* whose key it is */
    const json_t *object;
    struct text bytes;
    bool found, kept, changed;
    enum error_code why;
};

static bool fail(struct signing *s, enum error_code why)
{
    s->why = why;
    return false;
}

/* A device of one's own, by one's self-signing key. */
static void sign_device(void *arg, const struct device_keys_row *row)
{
    struct signing *s = arg;
    struct cross_signing_key self;
    char key_id[KEY_ID_BYTES_MAX + 1];
    s->found = true;
    if (strcmp(row->keys, s->bytes.data) != 0) {
        fail(s, ERROR_INVALID_PARAM);
        return;
    }
    bool has =
        cross_signing_get(s->tx->db, s->user, USAGE_SELF_SIGNING, &self) && key_id_make(key_id, "ed25519", self.key);
    const char *signature = has ? signature_by(s->object, &s->bytes, s->caller->user_id, key_id, self.key) : NULL;
    bool same = signature != NULL && row->self_signature != NULL && strcmp(row->self_signature, signature) == 0 &&
                strcmp(row->self_signing_key, self.key) == 0;
    if (signature == NULL)
        fail(s, ERROR_INVALID_SIGNATURE);
    else
        s->kept = same || device_keys_sign(s->tx, s->user, row->device, self.key, signature);
    cross_signing_key_finish(&self);
}

static void sign_master_by_device(void *arg, const struct device_keys_row *row)
{
    struct signing *s = arg;
    char key_id[KEY_ID_BYTES_MAX + 1];
    bool fresh = false;
    const char *signature = key_id_make(key_id, "ed25519", row->device_id)
                                ? signature_by(s->object, &s->bytes, s->caller->user_id, key_id, row->ed25519)
                                : NULL;
    if (signature == NULL || !key_signatures_put(s->tx, s->user, s->caller->user, key_id, signature, &fresh))
        return;
    s->kept = true;
    s->changed = s->changed || fresh;
}

static void sign_master_by_user(struct signing *s)
{
    struct cross_signing_key by;
    char key_id[KEY_ID_BYTES_MAX + 1];
    bool fresh = false;
    bool has = cross_signing_get(s->tx->db, s->caller->user, USAGE_USER_SIGNING, &by) &&
               key_id_make(key_id, "ed25519", by.key);
    const char *signature = has ? signature_by(s->object, &s->bytes, s->caller->user_id, key_id, by.key) : NULL;
    s->kept = signature != NULL && key_signatures_put(s->tx, s->user, s->caller->user, key_id, signature, &fresh);
    s->changed = fresh;
    cross_signing_key_finish(&by);
}

/* One's own master key by one's devices; another's by one's user-signing key. The first is news to all, the second to
 * oneself. */
static bool sign_master(struct signing *s, const char *key)
{
    struct cross_signing_key master;
    bool is = cross_signing_get(s->tx->db, s->user, USAGE_MASTER, &master) && strcmp(master.key, key) == 0;
    bool same = is && strcmp(master.signed_json, s->bytes.data) == 0;
    cross_signing_key_finish(&master);
    if (!is)
        return fail(s, ERROR_NOT_FOUND);
    if (!same)
        return fail(s, ERROR_INVALID_PARAM);
    if (s->user == s->caller->user)
        device_keys_each(s->tx->db, s->user, sign_master_by_device, s);
    else
        sign_master_by_user(s);
    if (!s->kept)
        return fail(s, ERROR_INVALID_SIGNATURE);
    return !s->changed || device_lists_changed(s->tx, s->caller->user);
}

static bool sign_one(struct signing *s, const char *key)
{
    struct error e = {0};
    if (s->user == 0)
        return fail(s, ERROR_NOT_FOUND);
    if (!signed_bytes(&s->bytes, s->object, &e))
        return fail(s, e.code);
    if (s->user == s->caller->user && device_keys_of(s->tx->db, s->user, key, sign_device, s))
        return s->kept;
    return sign_master(s, key);
}

struct signatures {
    const struct keys_caller *caller;
    const json_t *body;
    json_t *failures;
};

static void note_failure(json_t *failures, const char *user_id, const char *key, enum error_code why)
{
    struct error e = {.code = why};
    json_t *of_user = json_object_get(failures, user_id);
    if (of_user == NULL) {
        of_user = json_object();
        json_object_set_new(failures, user_id, of_user);
    }
    json_object_set_new(of_user, key,
                        json_pack("{s:s, s:s}", "errcode", error_wire_name(why), "error", error_sentence(&e)));
}

static bool job_sign(struct tx *tx, void *arg, struct error *e)
{
    struct signatures *all = arg;
    const char *user_id, *key;
    json_t *objects, *object;
    json_object_foreach((json_t *)all->body, user_id, objects) {
        user_no user = keys_known(all->caller, tx->db, user_id);
        json_object_foreach(objects, key, object) {
            struct signing s = {.caller = all->caller, .tx = tx, .user = user, .object = object};
            if (!sign_one(&s, key))
                note_failure(all->failures, user_id, key, s.why != ERROR_NONE ? s.why : ERROR_UNKNOWN);
            text_finish(&s.bytes);
        }
    }
    return !db_failed(tx->db) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool cross_signing_sign(const struct keys_caller *caller, const json_t *body, json_t *failures, struct error *e)
{
    const char *user_id;
    json_t *objects;
    size_t n = 0;
    struct signatures all = {caller, body, failures};
    json_object_foreach((json_t *)body, user_id, objects) {
        if (!json_is_object(objects))
            return error_set(e, ERROR_BAD_JSON, "For each user there is a map from key ids to signed objects.");
        n += json_object_size(objects);
    }
    if (n > SIGNED_OBJECTS_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "At most 1000 keys are signed at once.");
    return writer_run(caller->writer, job_sign, &all, e);
}
