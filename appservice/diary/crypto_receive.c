/* What comes to this device, and events of rooms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/json.h"

#define HELD_ALL_MAX 500
#define HELD_BYTES_MAX 65536

/* --- Messages to this device --- */

/* Whether what was decrypted says who sent it and to whom, as it came ("Validation of incoming decrypted events"). */
static bool payload_good(const struct crypto *c, const json_t *payload, const char *sender, const struct device *device)
{
    const char *from = json_get_string(payload, "sender"), *to = json_get_string(payload, "recipient");
    const char *theirs = json_get_string(json_get_object(payload, "keys"), "ed25519");
    const char *ours = json_get_string(json_get_object(payload, "recipient_keys"), "ed25519");
    if (from == NULL || to == NULL || theirs == NULL || ours == NULL || strcmp(from, sender) != 0 ||
        strcmp(to, c->user_id) != 0 || strcmp(theirs, device->ed25519) != 0 || strcmp(ours, c->me.ed25519) != 0)
        return false;
    const json_t *keys = json_object_get(payload, "sender_device_keys");
    if (keys == NULL)
        return true;
    struct text curve_id = TEXT_INIT, ed_id = TEXT_INIT;
    text_addf(&curve_id, "curve25519:%s", device->id);
    text_addf(&ed_id, "ed25519:%s", device->id);
    const char *user = json_get_string(keys, "user_id");
    const char *curve = json_get_string(json_get_object(keys, "keys"), curve_id.data);
    const char *ed = json_get_string(json_get_object(keys, "keys"), ed_id.data);
    bool good = user != NULL && curve != NULL && ed != NULL && strcmp(user, sender) == 0 &&
                strcmp(curve, device->curve25519) == 0 && strcmp(ed, device->ed25519) == 0 &&
                signed_by(keys, sender, ed_id.data, ed);
    text_finish(&curve_id);
    text_finish(&ed_id);
    return good;
}

/* Tries the sessions with the device, or begins one by its pre-key message. true: *plain; row and account have moved,
 * but are not put yet. */
static bool decrypt_olm(struct text *account, struct olm_row *row, const char *curve25519, int type,
                        const char *message, int64_t now_ms, bool *fresh, struct text *plain)
{
    *fresh = false;
    for (size_t i = 0; i < row->n; ++i) {
        bool mine = type == 1 || ratchet_session_matches(&row->all[i].pickle, curve25519, message);
        if (mine && ratchet_decrypt(&row->all[i].pickle, type, message, plain)) {
            int64_t latest = row->all[0].used_ms;
            row->all[i].used_ms = i == 0 ? latest : latest >= now_ms ? latest + 1 : now_ms;
            return true;
        }
        if (mine && type == 0)
            return false; /* a pre-key message is of one session */
    }
    struct text session = TEXT_INIT;
    if (type != 0 || !ratchet_session_inbound(account, curve25519, message, &session, plain))
        return false;
    int64_t latest = row->n > 0 ? row->all[0].used_ms : 0;
    row->all[row->n++] = (struct olm_session){latest >= now_ms ? latest + 1 : now_ms, session};
    *fresh = true;
    return true;
}

/* The session is taken for broken, and a new one begun, once an hour at most ("Recovering from undecryptable
 * messages"). */
static void unwedge(struct crypto *c, const char *sender, const struct device *device, struct olm_row *row,
                    int64_t now_ms)
{
    crypto_tell(c, CRYPTO_UNREADABLE, sender, device->id, NULL);
    if (row->unwedged_ms != 0 && now_ms >= row->unwedged_ms && now_ms - row->unwedged_ms < CRYPTO_UNWEDGE_MS)
        return;
    row->unwedged_ms = now_ms;
    olm_row_put(c, sender, device->curve25519, row);
    session_want(c, sender, device->id, true);
}

/* Of one sender in one room the session that is the longest unused goes. */
static void prune_theirs(struct crypto *c, const char *room_id, const char *sender)
{
    char *prefix = crypto_name(room_id, sender, "");
    json_t *names = crypto_names(c, ROW_THEIRS, prefix, SIZE_MAX), *name;
    size_t i;
    if (json_array_size(names) > CRYPTO_INBOUND_MAX) {
        int64_t least = INT64_MAX;
        const char *oldest = NULL;
        json_array_foreach(names, i, name) {
            struct text row = TEXT_INIT;
            crypto_get(c, ROW_THEIRS, json_string_value(name), &row);
            struct parts parts = parts_of(&row);
            int64_t came = row.len == 0 ? 0 : parts_int(&parts);
            oldest = came < least ? json_string_value(name) : oldest;
            least = came < least ? came : least;
            ratchet_wipe(&row);
        }
        if (oldest != NULL)
            crypto_drop(c, ROW_THEIRS, oldest);
    }
    json_decref(names);
    free(prefix);
}

/* A row "theirs": when it came, the number of its first message, JSON {"c", "d", "e", "seen": {number: event id}}, the
 * ratchet. */
struct theirs {
    int64_t came_ms, first;
    json_t *about;
    struct text pickle;
};

static bool theirs_get(struct crypto *c, const char *name, struct theirs *theirs)
{
    struct text row = TEXT_INIT, about = TEXT_INIT;
    struct error e;
    *theirs = (struct theirs){0};
    if (crypto_get(c, ROW_THEIRS, name, &row) == 1) {
        struct parts parts = parts_of(&row);
        theirs->came_ms = parts_int(&parts);
        theirs->first = parts_int(&parts);
        parts_bytes(&parts, &about);
        parts_bytes(&parts, &theirs->pickle);
        theirs->about = parts.good && about.len > 0 ? json_parse(about.data, about.len, &e) : NULL;
        c->failed = c->failed || theirs->about == NULL;
    }
    ratchet_wipe(&row);
    text_finish(&about);
    return theirs->about != NULL;
}

static void theirs_put(struct crypto *c, const char *name, const struct theirs *theirs)
{
    struct text row = TEXT_INIT, about = TEXT_INIT;
    json_add_canonical(&about, theirs->about);
    text_reserve(&row, about.len + theirs->pickle.len + 64);
    parts_add_int(&row, theirs->came_ms);
    parts_add_int(&row, theirs->first);
    parts_add(&row, about.data, about.len);
    parts_add(&row, theirs->pickle.data, theirs->pickle.len);
    crypto_put(c, ROW_THEIRS, name, &row);
    ratchet_wipe(&row);
    text_finish(&about);
}

static void theirs_finish(struct theirs *theirs)
{
    ratchet_wipe(&theirs->pickle);
    json_decref(theirs->about);
    *theirs = (struct theirs){0};
}

/* m.room_key: a session of this device in a room that its user is in. One that is known stays, unless the same device
 * gives it from an earlier message on. */
static bool take_room_key(struct crypto *c, const char *sender, const struct device *device, const json_t *content,
                          int64_t now_ms)
{
    const char *algorithm = json_get_string(content, "algorithm"), *room_id = json_get_string(content, "room_id"),
               *session_id = json_get_string(content, "session_id");
    char id[RATCHET_KEY_CHARS + 1];
    uint32_t first = 0;
    struct theirs fresh = {.came_ms = now_ms}, known = {0};
    json_t *room = crypto_id_good(room_id, '!') ? crypto_get_json(c, ROW_ROOM, room_id) : NULL;
    bool good = algorithm != NULL && strcmp(algorithm, MEGOLM) == 0 && session_id != NULL && room_has(room, sender) &&
                ratchet_inbound_create(json_get_string(content, "session_key"), &fresh.pickle, id, &first) &&
                strcmp(id, session_id) == 0;
    json_decref(room);
    if (good) {
        char *name = crypto_name(room_id, sender, id);
        bool there = theirs_get(c, name, &known);
        const char *curve = json_get_string(known.about, "c");
        if (!there || (curve != NULL && strcmp(curve, device->curve25519) == 0 && first < known.first)) {
            fresh.first = first;
            fresh.about = there ? json_incref(known.about)
                                : json_pack("{sssssss{}}", "c", device->curve25519, "d", device->id, "e",
                                            device->ed25519, "seen");
            theirs_put(c, name, &fresh);
            prune_theirs(c, room_id, sender);
            crypto_tell(c, CRYPTO_NEW_KEY, sender, device->id, room_id);
        }
        free(name);
    }
    theirs_finish(&fresh);
    theirs_finish(&known);
    return good;
}

/* What was decrypted, parsed: NULL: it is not what it must be. */
static json_t *payload_of(const struct crypto *c, const struct text *plain, const char *sender,
                          const struct device *device)
{
    struct error e;
    json_t *payload = json_parse(plain->data, plain->len, &e);
    if (json_is_object(payload) && payload_good(c, payload, sender, device))
        return payload;
    json_wipe(payload);
    return NULL;
}

static enum crypto_answer take_payload(struct crypto *c, const char *sender, const struct device *device,
                                       const json_t *payload, int64_t now_ms)
{
    const char *type = json_get_string(payload, "type");
    const json_t *content = json_get_object(payload, "content");
    if (type != NULL && strcmp(type, "m.dummy") == 0)
        return CRYPTO_DONE;
    if (type != NULL && strcmp(type, "m.room_key") == 0 && take_room_key(c, sender, device, content, now_ms))
        return CRYPTO_DONE;
    crypto_tell(c, CRYPTO_MESSAGE_REFUSED, sender, device->id, NULL);
    return CRYPTO_REFUSED;
}

/* The part of the message that is for us; NULL: none. */
static const char *part_for_us(const struct crypto *c, const json_t *content, int *type)
{
    const json_t *mine = json_get_object(json_get_object(content, "ciphertext"), c->me.curve25519);
    int64_t kind = json_get_int(mine, "type", -1);
    *type = (int)kind;
    return kind == 0 || kind == 1 ? json_get_string(mine, "body") : NULL;
}

static enum crypto_answer receive_known(struct crypto *c, const char *sender, const struct device *device,
                                        const json_t *content, int64_t now_ms)
{
    struct text account = TEXT_INIT, plain = TEXT_INIT;
    struct olm_row row;
    int type;
    bool fresh = false;
    enum crypto_answer answer = CRYPTO_REFUSED;
    const char *message = part_for_us(c, content, &type);
    olm_row_get(c, sender, device->curve25519, &row);
    if (message != NULL && crypto_get(c, ROW_ACCOUNT, "", &account) == 1) {
        if (decrypt_olm(&account, &row, device->curve25519, type, message, now_ms, &fresh, &plain)) {
            json_t *payload = payload_of(c, &plain, sender, device);
            if (payload != NULL) {
                olm_row_put(c, sender, device->curve25519, &row);
                if (fresh)
                    crypto_put(c, ROW_ACCOUNT, "", &account);
                answer = take_payload(c, sender, device, payload, now_ms);
                json_wipe(payload);
            } else {
                crypto_tell(c, CRYPTO_MESSAGE_REFUSED, sender, device->id, NULL);
            }
        } else {
            unwedge(c, sender, device, &row, now_ms);
        }
    }
    ratchet_wipe(&account);
    ratchet_wipe(&plain);
    olm_row_finish(&row);
    return answer;
}

/* A message of a device that is not known (yet): kept until its user's devices are. */
static enum crypto_answer hold(struct crypto *c, const char *sender, const json_t *event)
{
    char number[24];
    struct text bytes = TEXT_INIT;
    char *prefix = crypto_name(sender, "", NULL);
    json_t *of_user = crypto_names(c, ROW_HELD, prefix, CRYPTO_HELD_MAX);
    json_t *all = crypto_names(c, ROW_HELD, "", HELD_ALL_MAX);
    json_t *kept = json_pack("{sssssO}", "type", "m.room.encrypted", "sender", sender, "content",
                             json_object_get(event, "content"));
    json_add_canonical(&bytes, kept);
    bool room = json_array_size(of_user) < CRYPTO_HELD_MAX && json_array_size(all) < HELD_ALL_MAX &&
                bytes.len <= HELD_BYTES_MAX;
    if (room) {
        snprintf(number, sizeof number, "%020lld", (long long)crypto_next_number(c));
        char *name = crypto_name(sender, number, NULL);
        crypto_put(c, ROW_HELD, name, &bytes);
        free(name);
        json_t *row = user_row(c, sender);
        if (!user_stale(row))
            user_mark_stale(c, sender);
        json_decref(row);
    }
    json_decref(of_user);
    json_decref(all);
    json_decref(kept);
    text_finish(&bytes);
    free(prefix);
    return room ? CRYPTO_ASK : CRYPTO_REFUSED;
}

/* last: the devices were asked for because of this message. */
static enum crypto_answer receive_olm(struct crypto *c, const char *sender, const json_t *event, int64_t now_ms,
                                      bool last)
{
    const json_t *content = json_get_object(event, "content");
    const char *algorithm = json_get_string(content, "algorithm"), *key = json_get_string(content, "sender_key");
    int type;
    struct device device;
    enum crypto_answer answer = CRYPTO_REFUSED;
    if (algorithm == NULL || strcmp(algorithm, OLM) != 0 || !ratchet_curve_key_good(key) ||
        part_for_us(c, content, &type) == NULL)
        return CRYPTO_REFUSED;
    json_t *row = user_row(c, sender);
    if (device_find(row, key, &device))
        answer = receive_known(c, sender, &device, content, now_ms);
    else if (row != NULL && !last)
        answer = hold(c, sender, event);
    else
        crypto_tell(c, CRYPTO_MESSAGE_REFUSED, sender, NULL, NULL);
    json_decref(row);
    return answer;
}

void receive_held(struct crypto *c, const char *user, int64_t now_ms)
{
    char *prefix = crypto_name(user, "", NULL);
    json_t *names = crypto_names(c, ROW_HELD, prefix, CRYPTO_HELD_MAX), *name;
    size_t i;
    json_array_foreach(names, i, name) {
        json_t *event = crypto_get_json(c, ROW_HELD, json_string_value(name));
        crypto_drop(c, ROW_HELD, json_string_value(name));
        if (event != NULL)
            receive_olm(c, user, event, now_ms, true);
        json_decref(event);
    }
    json_decref(names);
    free(prefix);
}

enum crypto_answer crypto_receive(struct crypto *c, const json_t *event, int64_t now_ms)
{
    const char *type = json_get_string(event, "type"), *sender = json_get_string(event, "sender");
    const json_t *content = json_get_object(event, "content");
    enum crypto_answer answer = CRYPTO_REFUSED;
    if (type == NULL || !crypto_id_good(sender, '@') || content == NULL)
        return CRYPTO_REFUSED;
    crypto_enter(c);
    if (strcmp(type, "m.room.encrypted") == 0) {
        answer = receive_olm(c, sender, event, now_ms, false);
    } else if (strcmp(type, "m.room_key_request") == 0) {
        room_key_request(c, sender, content);
        answer = CRYPTO_DONE;
    }
    return crypto_leave(c) ? answer : CRYPTO_FAILED;
}

/* --- Events of rooms --- */

/* Whether the message of this number may be this event: each number is of one. */
static bool note_seen(json_t *about, uint32_t index, const char *event_id)
{
    char number[16];
    json_t *seen = json_get_object(about, "seen");
    snprintf(number, sizeof number, "%u", index);
    const char *before = json_get_string(seen, number);
    if (before != NULL)
        return strcmp(before, event_id) == 0;
    if (json_object_size(seen) >= CRYPTO_INDICES_MAX)
        return false; /* clients change sessions long before */
    json_object_set_new(seen, number, json_string(event_id));
    return true;
}

static json_t *clear_event(const struct text *plain, const char *room_id)
{
    struct error e;
    json_t *event = json_parse(plain->data, plain->len, &e);
    const char *room = json_get_string(event, "room_id");
    if (room != NULL && strcmp(room, room_id) == 0 && json_get_string(event, "type") != NULL &&
        json_get_object(event, "content") != NULL)
        return event;
    json_wipe(event);
    return NULL;
}

static enum crypto_answer decrypt_event(struct crypto *c, const char *room_id, const json_t *event, const char *name,
                                        json_t **clear)
{
    struct theirs theirs;
    struct text plain = TEXT_INIT;
    uint32_t index = 0;
    const json_t *content = json_get_object(event, "content");
    const char *sender = json_get_string(event, "sender");
    enum crypto_answer answer = CRYPTO_REFUSED;
    enum crypto_news news = CRYPTO_MESSAGE_REFUSED;
    if (!theirs_get(c, name, &theirs))
        return CRYPTO_UNKNOWN;
    if (ratchet_inbound_decrypt(&theirs.pickle, json_get_string(content, "ciphertext"), &plain, &index)) {
        json_t *read = clear_event(&plain, room_id);
        if (read != NULL && note_seen(theirs.about, index, json_get_string(event, "event_id"))) {
            theirs_put(c, name, &theirs);
            *clear = json_pack("{sOsOss}", "type", json_object_get(read, "type"), "content",
                               json_object_get(read, "content"), "device_id", json_get_string(theirs.about, "d"));
            json_t *relation = json_object_get(content, "m.relates_to");
            if (relation != NULL)
                json_object_set(json_object_get(*clear, "content"), "m.relates_to", relation);
            answer = CRYPTO_DONE;
        }
        news = read != NULL ? CRYPTO_REPLAYED : news;
        json_decref(read);
    }
    if (answer != CRYPTO_DONE)
        crypto_tell(c, news, sender, json_get_string(theirs.about, "d"), room_id);
    ratchet_wipe(&plain);
    theirs_finish(&theirs);
    return answer;
}

enum crypto_answer crypto_decrypt(struct crypto *c, const char *room_id, const json_t *event, json_t **clear)
{
    const json_t *content = json_get_object(event, "content");
    const char *algorithm = json_get_string(content, "algorithm"), *session_id = json_get_string(content, "session_id"),
               *sender = json_get_string(event, "sender"), *event_id = json_get_string(event, "event_id");
    *clear = NULL;
    if (!crypto_id_good(room_id, '!') || !crypto_id_good(sender, '@') || event_id == NULL || strlen(event_id) > 255 ||
        algorithm == NULL || strcmp(algorithm, MEGOLM) != 0 || session_id == NULL ||
        strnlen(session_id, RATCHET_KEY_CHARS + 1) != RATCHET_KEY_CHARS || !text_is_line(session_id))
        return CRYPTO_REFUSED;
    char *name = crypto_name(room_id, sender, session_id);
    crypto_enter(c);
    enum crypto_answer answer = decrypt_event(c, room_id, event, name, clear);
    free(name);
    if (crypto_leave(c))
        return answer;
    json_decref(*clear);
    *clear = NULL;
    return CRYPTO_FAILED;
}
