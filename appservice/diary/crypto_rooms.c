/* Our Megolm session of each room: whom it is shared with, when it is changed, who may ask for its key again. */
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/json.h"

#define ROTATION_MESSAGES_MAX 1000
#define ROTATION_MS_MIN (INT64_C(3600) * 1000)
#define TOLD_MAX 1000
#define EVENT_TYPE_BYTES_MAX 255

struct key {
    int64_t index;
    struct text text; /* session_key as it was shared: SECRET */
};

/* A row "mine" or "past": {"id", "created", "count", "shared": {user: {device: {"c", "i", "a"}}}, "withheld"}. */
struct mine {
    struct text pickle; /* empty: a past one */
    json_t *meta;
    struct key keys[CRYPTO_SHARES_MAX];
    size_t n;
};

/* --- Rows --- */

static bool mine_get(struct crypto *c, const char *kind, const char *name, struct mine *mine)
{
    struct text plain = TEXT_INIT, meta = TEXT_INIT;
    struct error e;
    *mine = (struct mine){0};
    if (crypto_get(c, kind, name, &plain) == 1) {
        struct parts parts = parts_of(&plain);
        parts_bytes(&parts, &mine->pickle);
        parts_bytes(&parts, &meta);
        mine->meta = meta.len == 0 ? NULL : json_parse(meta.data, meta.len, &e);
        while (parts_more(&parts) && mine->n < CRYPTO_SHARES_MAX) {
            mine->keys[mine->n].index = parts_int(&parts);
            parts_bytes(&parts, &mine->keys[mine->n++].text);
        }
        c->failed = c->failed || !parts.good || mine->meta == NULL;
    }
    ratchet_wipe(&plain);
    text_finish(&meta);
    return mine->meta != NULL && !c->failed;
}

static void mine_put(struct crypto *c, const char *kind, const char *name, const struct mine *mine)
{
    struct text plain = TEXT_INIT, meta = TEXT_INIT;
    json_add_canonical(&meta, mine->meta);
    size_t bytes = mine->pickle.len + meta.len + 16;
    for (size_t i = 0; i < mine->n; ++i)
        bytes += 16 + mine->keys[i].text.len;
    text_reserve(&plain, bytes + 1);
    parts_add(&plain, mine->pickle.data, mine->pickle.len);
    parts_add(&plain, meta.data, meta.len);
    for (size_t i = 0; i < mine->n; ++i) {
        parts_add_int(&plain, mine->keys[i].index);
        parts_add(&plain, mine->keys[i].text.data, mine->keys[i].text.len);
    }
    crypto_put(c, kind, name, &plain);
    ratchet_wipe(&plain);
    text_finish(&meta);
}

static void mine_finish(struct mine *mine)
{
    ratchet_wipe(&mine->pickle);
    for (size_t i = 0; i < mine->n; ++i)
        ratchet_wipe(&mine->keys[i].text);
    json_decref(mine->meta);
    *mine = (struct mine){0};
}

/* All rows of the kind whose name is this one, a space, and something. */
static void drop_prefix(struct crypto *c, const char *kind, const char *name_before)
{
    char *prefix = crypto_name(name_before, "", NULL);
    json_t *names = crypto_names(c, kind, prefix, SIZE_MAX), *name;
    size_t i;
    json_array_foreach(names, i, name)
        crypto_drop(c, kind, json_string_value(name));
    json_decref(names);
    free(prefix);
}

/* Of the room's past sessions the oldest go. */
static void prune_past(struct crypto *c, const char *room_id)
{
    char *prefix = crypto_name(room_id, "", NULL);
    json_t *names = crypto_names(c, ROW_PAST, prefix, SIZE_MAX), *name, *oldest;
    size_t i;
    for (size_t left = json_array_size(names); left > CRYPTO_PAST_MAX && !c->failed; --left) {
        int64_t least = INT64_MAX;
        size_t which = 0;
        json_array_foreach(names, i, name) {
            struct mine past;
            int64_t created = mine_get(c, ROW_PAST, json_string_value(name), &past)
                                  ? json_get_int(past.meta, "created", 0)
                                  : INT64_MAX;
            which = created < least ? i : which;
            least = created < least ? created : least;
            mine_finish(&past);
        }
        oldest = json_array_get(names, which);
        crypto_drop(c, ROW_PAST, json_string_value(oldest));
        json_array_remove(names, which);
    }
    json_decref(names);
    free(prefix);
}

/* The room's session is used no more. Its ratchet goes; what was shared of it can still be asked for. */
static void retire(struct crypto *c, const char *room_id)
{
    struct mine mine;
    if (mine_get(c, ROW_MINE, room_id, &mine)) {
        char *name = crypto_name(room_id, json_get_string(mine.meta, "id"), NULL);
        ratchet_wipe(&mine.pickle);
        mine_put(c, ROW_PAST, name, &mine);
        crypto_drop(c, ROW_MINE, room_id);
        prune_past(c, room_id);
        free(name);
    }
    mine_finish(&mine);
}

void rooms_retire(struct crypto *c)
{
    json_t *names = crypto_names(c, ROW_MINE, "", SIZE_MAX), *name;
    size_t i;
    json_array_foreach(names, i, name)
        retire(c, json_string_value(name));
    json_decref(names);
}

/* --- Who is in the room --- */

bool room_has(const json_t *room, const char *user)
{
    return user != NULL && json_object_get(json_get_object(room, "members"), user) != NULL;
}

static int64_t within(int64_t n, int64_t min, int64_t max, int64_t otherwise)
{
    return n <= 0 ? otherwise : n < min ? min : n > max ? max : n;
}

/* NULL: ill-formed. */
static json_t *members_of(const char *const *members, size_t n)
{
    json_t *all = json_object();
    for (size_t i = 0; i < n; ++i) {
        if (!crypto_id_good(members[i], '@')) {
            json_decref(all);
            return NULL;
        }
        json_object_set_new(all, members[i], json_true());
    }
    return all;
}

/* Whoever was in the room and is not: their sessions of it go, and ours is changed. */
static void members_missing(struct crypto *c, const char *room_id, const json_t *before, const json_t *members)
{
    const char *user;
    json_t *yes;
    bool missing = false;
    json_object_foreach(json_get_object(before, "members"), user, yes)
        if (json_object_get(members, user) == NULL) {
            char *whose = crypto_name(room_id, user, NULL);
            drop_prefix(c, ROW_THEIRS, whose);
            free(whose);
            missing = true;
        }
    if (missing)
        retire(c, room_id);
}

enum crypto_answer crypto_room(struct crypto *c, const char *room_id, const json_t *settings,
                               const char *const *members, size_t n)
{
    const char *algorithm = json_get_string(settings, "algorithm"), *user;
    json_t *all = n > CRYPTO_MEMBERS_MAX ? NULL : members_of(members, n), *yes;
    if (!crypto_id_good(room_id, '!') || algorithm == NULL || strcmp(algorithm, MEGOLM) != 0 || all == NULL) {
        json_decref(all);
        return CRYPTO_REFUSED;
    }
    crypto_enter(c);
    json_t *before = crypto_get_json(c, ROW_ROOM, room_id);
    json_t *room = json_pack(
        "{sOsIsI}", "members", all, "messages",
        within(json_get_int(settings, "rotation_period_msgs", 0), 1, ROTATION_MESSAGES_MAX, CRYPTO_ROTATION_MESSAGES),
        "ms",
        within(json_get_int(settings, "rotation_period_ms", 0), ROTATION_MS_MIN, CRYPTO_ROTATION_MS,
               CRYPTO_ROTATION_MS));
    members_missing(c, room_id, before, all);
    if (before == NULL || !json_equal(before, room)) {
        crypto_put_json(c, ROW_ROOM, room_id, room);
        json_object_foreach(all, user, yes)
            user_track(c, user);
    }
    json_decref(before);
    json_decref(room);
    json_decref(all);
    return crypto_leave(c) ? CRYPTO_DONE : CRYPTO_FAILED;
}

bool crypto_room_left(struct crypto *c, const char *room_id)
{
    crypto_enter(c);
    retire(c, room_id);
    return crypto_leave(c);
}

bool crypto_room_forget(struct crypto *c, const char *room_id)
{
    crypto_enter(c);
    crypto_drop(c, ROW_ROOM, room_id);
    crypto_drop(c, ROW_MINE, room_id);
    drop_prefix(c, ROW_PAST, room_id);
    drop_prefix(c, ROW_THEIRS, room_id);
    return crypto_leave(c);
}

/* --- Whom a session is shared with --- */

static json_t *of_device(const json_t *meta, const char *what, const char *user, const char *device)
{
    return json_object_get(json_get_object(json_get_object(meta, what), user), device);
}

static void set_device(json_t *meta, const char *what, const char *user, const char *device, json_t *value)
{
    json_t *users = json_get_object(meta, what);
    if (users == NULL)
        json_object_set_new(meta, what, users = json_object());
    json_t *devices = json_get_object(users, user);
    if (devices == NULL)
        json_object_set_new(users, user, devices = json_object());
    json_object_set_new(devices, device, value);
}

/* The rows of all members but us, {user: row}; *stale: somebody must be asked for first. */
static json_t *member_rows(struct crypto *c, const json_t *room, bool *stale)
{
    json_t *rows = json_object(), *yes;
    const char *user;
    json_object_foreach(json_get_object(room, "members"), user, yes) {
        if (strcmp(user, c->user_id) == 0)
            continue;
        json_t *row = user_row(c, user);
        if (row == NULL)
            user_track(c, user);
        *stale = *stale || row == NULL || user_stale(row);
        if (row != NULL)
            json_object_set_new(rows, user, row);
    }
    return rows;
}

/* Whether all devices that have the session may have it still. */
static bool all_still_there(const struct crypto *c, const struct mine *mine, const json_t *rows)
{
    const char *user, *id;
    json_t *devices, *shared;
    json_object_foreach(json_get_object(mine->meta, "shared"), user, devices) {
        json_t *row = json_get_object(rows, user);
        json_object_foreach(devices, id, shared) {
            json_t *entry = json_get_object(json_get_object(row, "devices"), id);
            struct device device = device_of(id, entry);
            const char *curve = json_get_string(shared, "c");
            if (entry == NULL || strcmp(device.curve25519, curve) != 0 || device_withheld(c, row, &device) != NULL)
                return false;
        }
    }
    return true;
}

static bool due(const struct mine *mine, const json_t *room, int64_t now_ms)
{
    int64_t created = json_get_int(mine->meta, "created", 0);
    return json_get_int(mine->meta, "count", 0) >= json_get_int(room, "messages", CRYPTO_ROTATION_MESSAGES) ||
           now_ms < created || now_ms - created >= json_get_int(room, "ms", CRYPTO_ROTATION_MS) ||
           mine->n == CRYPTO_SHARES_MAX;
}

static void begin_mine(struct crypto *c, struct mine *mine, int64_t now_ms)
{
    char id[RATCHET_KEY_CHARS + 1] = "";
    mine_finish(mine);
    if (!ratchet_group_create(&mine->pickle) || !ratchet_group_id(&mine->pickle, id))
        c->failed = true;
    mine->meta = json_pack("{sssIsis{}s{}}", "id", id, "created", now_ms, "count", 0, "shared", "withheld");
}

/* --- Sharing --- */

static json_t *withheld_content(const struct crypto *c, const char *room_id, const char *session_id, const char *code)
{
    static const struct {
        const char *code, *reason;
    } REASONS[] = {{"m.unverified", "Its owner has not verified this device."},
                   {"m.blacklisted", "The keys of this device have changed."},
                   {"m.no_olm", "No secure channel to this device could be made."},
                   {"m.unauthorised", "This device was not given that key."},
                   {"m.unavailable", "That key is no longer kept."}};
    json_t *content = json_pack("{ssssss}", "algorithm", MEGOLM, "sender_key", c->me.curve25519, "code", code);
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; ++i)
        if (strcmp(REASONS[i].code, code) == 0)
            json_object_set_new(content, "reason", json_string(REASONS[i].reason));
    if (strcmp(code, "m.no_olm") != 0) {
        json_object_set_new(content, "room_id", json_string(room_id));
        json_object_set_new(content, "session_id", json_string(session_id));
    }
    return content;
}

static json_t *room_key_message(struct crypto *c, const char *user, const struct device *device, const char *room_id,
                                const char *session_id, const struct text *key)
{
    struct text content = TEXT_INIT;
    text_reserve(&content, key->len + 2048);
    text_adds(&content, "{\"algorithm\":\"" MEGOLM "\",\"room_id\":");
    text_add_json(&content, room_id);
    text_addf(&content, ",\"session_id\":\"%s\",\"session_key\":\"", session_id);
    text_add(&content, key->data, key->len);
    text_adds(&content, "\"}");
    json_t *message = session_encrypt(c, user, device, "m.room_key", &content);
    ratchet_wipe(&content);
    return message;
}

/* One walk over all devices of all members. */
struct walk {
    struct crypto *c;
    const char *room_id;
    struct mine *mine;
    int64_t now_ms;
    bool wants;      /* somebody's one-time keys are to be claimed first */
    struct key *key; /* the session's key at this position; NULL: not taken yet */
    struct outgoing keys, withheld;
};

static bool has_it(const struct walk *walk, const char *user, const struct device *device)
{
    const char *curve = json_get_string(of_device(walk->mine->meta, "shared", user, device->id), "c");
    return curve != NULL && strcmp(curve, device->curve25519) == 0;
}

/* Whether there is a session with the device; *no_key: it had no one-time key a short time ago. */
static bool can_speak(const struct walk *walk, const char *user, const struct device *device, bool *no_key)
{
    struct olm_row row;
    olm_row_get(walk->c, user, device->curve25519, &row);
    bool can = row.n > 0;
    *no_key =
        !can && row.no_key_ms != 0 && walk->now_ms >= row.no_key_ms && walk->now_ms - row.no_key_ms < CRYPTO_UNWEDGE_MS;
    olm_row_finish(&row);
    return can;
}

static void look(struct walk *walk, const char *user, const json_t *row, const struct device *device)
{
    bool no_key;
    if (device_withheld(walk->c, row, device) == NULL && !has_it(walk, user, device) &&
        !can_speak(walk, user, device, &no_key) && !no_key) {
        session_want(walk->c, user, device->id, false);
        walk->wants = true;
    }
}

static struct key *key_now(struct walk *walk)
{
    struct mine *mine = walk->mine;
    uint32_t index = 0;
    if (walk->key == NULL) {
        walk->key = &mine->keys[mine->n++]; /* due() left room */
        *walk->key = (struct key){0};
        if (!ratchet_group_key(&mine->pickle, &walk->key->text, &index))
            walk->c->failed = true;
        walk->key->index = index;
    }
    return walk->key;
}

static void withhold(struct walk *walk, const char *user, const struct device *device, const char *code)
{
    const char *told = json_string_value(of_device(walk->mine->meta, "withheld", user, device->id));
    if (told != NULL && strcmp(told, code) == 0)
        return;
    set_device(walk->mine->meta, "withheld", user, device->id, json_string(code));
    outgoing_add(walk->c, &walk->withheld, user, device->id,
                 withheld_content(walk->c, walk->room_id, json_get_string(walk->mine->meta, "id"), code));
}

static void share(struct walk *walk, const char *user, const json_t *row, const struct device *device)
{
    bool no_key;
    const char *code = device_withheld(walk->c, row, device);
    if (code != NULL) {
        withhold(walk, user, device, code);
    } else if (!has_it(walk, user, device)) {
        if (!can_speak(walk, user, device, &no_key)) {
            withhold(walk, user, device, "m.no_olm");
            return;
        }
        struct key *key = key_now(walk);
        outgoing_add(walk->c, &walk->keys, user, device->id,
                     room_key_message(walk->c, user, device, walk->room_id, json_get_string(walk->mine->meta, "id"),
                                      &key->text));
        set_device(walk->mine->meta, "shared", user, device->id,
                   json_pack("{sssIsi}", "c", device->curve25519, "i", key->index, "a", 0));
    }
}

static void walk_devices(struct walk *walk, json_t *rows,
                         void (*each)(struct walk *, const char *, const json_t *, const struct device *))
{
    const char *user, *id;
    json_t *row, *entry;
    json_object_foreach(rows, user, row)
        json_object_foreach(json_get_object(row, "devices"), id, entry) {
            struct device device = device_of(id, entry);
            each(walk, user, row, &device);
        }
}

/* --- Encrypting --- */

/* {"type", "content", "room_id"} under the session; what relates it to others stays in clear. */
static json_t *encrypt_now(struct crypto *c, const char *room_id, const char *type, const json_t *content,
                           struct mine *mine)
{
    struct text plain = TEXT_INIT, message = TEXT_INIT;
    json_t *inner = json_copy((json_t *)(uintptr_t)content), *result = NULL;
    json_object_del(inner, "m.relates_to");
    json_t *event = json_pack("{sssoss}", "type", type, "content", inner, "room_id", room_id);
    json_add_canonical(&plain, event);
    if (plain.len <= CRYPTO_CLEAR_MAX && ratchet_group_encrypt(&mine->pickle, plain.data, plain.len, &message)) {
        result = json_pack("{ssssssssss}", "algorithm", MEGOLM, "sender_key", c->me.curve25519, "device_id",
                           c->device_id, "session_id", json_get_string(mine->meta, "id"), "ciphertext", message.data);
        if (json_object_get(content, "m.relates_to") != NULL)
            json_object_set(result, "m.relates_to", json_object_get(content, "m.relates_to"));
        json_object_set_new(mine->meta, "count", json_integer(json_get_int(mine->meta, "count", 0) + 1));
    }
    ratchet_wipe(&plain);
    text_finish(&message);
    json_decref(event);
    return result;
}

static enum crypto_answer share_and_encrypt(struct crypto *c, const char *room_id, const json_t *room, json_t *rows,
                                            const char *type, const json_t *content, int64_t now_ms, json_t **encrypted)
{
    struct mine mine;
    struct walk walk = {.c = c, .room_id = room_id, .mine = &mine, .now_ms = now_ms};
    bool there = mine_get(c, ROW_MINE, room_id, &mine);
    if (there && (due(&mine, room, now_ms) || !all_still_there(c, &mine, rows))) {
        retire(c, room_id);
        there = false;
    }
    if (!there && !c->failed)
        begin_mine(c, &mine, now_ms);
    if (!c->failed)
        walk_devices(&walk, rows, look);
    if (!c->failed && !walk.wants) {
        walk.keys = (struct outgoing){"m.room.encrypted", json_object(), 0};
        walk.withheld = (struct outgoing){"m.room_key.withheld", json_object(), 0};
        walk_devices(&walk, rows, share);
        outgoing_finish(c, &walk.keys);
        outgoing_finish(c, &walk.withheld);
        *encrypted = c->failed ? NULL : encrypt_now(c, room_id, type, content, &mine);
        mine_put(c, ROW_MINE, room_id, &mine);
    }
    mine_finish(&mine);
    return walk.wants ? CRYPTO_ASK : *encrypted != NULL ? CRYPTO_DONE : CRYPTO_REFUSED;
}

enum crypto_answer crypto_encrypt(struct crypto *c, const char *room_id, const char *type, const json_t *content,
                                  int64_t now_ms, json_t **encrypted)
{
    enum crypto_answer answer = CRYPTO_REFUSED;
    *encrypted = NULL;
    if (!crypto_id_good(room_id, '!') || type == NULL ||
        strnlen(type, EVENT_TYPE_BYTES_MAX + 1) > EVENT_TYPE_BYTES_MAX || !json_is_object(content))
        return CRYPTO_REFUSED;
    crypto_enter(c);
    json_t *room = crypto_get_json(c, ROW_ROOM, room_id);
    if (room != NULL) {
        bool stale = false;
        json_t *rows = member_rows(c, room, &stale);
        answer = stale ? CRYPTO_ASK : share_and_encrypt(c, room_id, room, rows, type, content, now_ms, encrypted);
        json_decref(rows);
    }
    json_decref(room);
    if (crypto_leave(c))
        return answer;
    json_decref(*encrypted);
    *encrypted = NULL;
    return CRYPTO_FAILED;
}

/* --- Requests for keys --- */

/* "m.room_key.withheld", once for a device and session while the program runs. */
static void refuse_request(struct crypto *c, const char *user, const char *device, const char *room_id,
                           const char *session_id, const char *code)
{
    struct outgoing out = {"m.room_key.withheld", json_object(), 0};
    struct text name = TEXT_INIT;
    text_addf(&name, "%s %s %s", user, session_id, device);
    if (json_object_get(c->told, name.data) == NULL) {
        if (json_object_size(c->told) >= TOLD_MAX)
            json_object_clear(c->told);
        json_object_set_new(c->told, name.data, json_true());
        outgoing_add(c, &out, user, device, withheld_content(c, room_id, session_id, code));
    }
    outgoing_finish(c, &out);
    text_finish(&name);
}

/* The device asks for what it was given once: the same key again, from the same position on. */
static void answer_request(struct crypto *c, const char *user, const struct device *device, const char *room_id,
                           const char *kind, const char *name, struct mine *mine)
{
    const char *session_id = json_get_string(mine->meta, "id");
    json_t *shared = of_device(mine->meta, "shared", user, device->id);
    const char *curve = json_get_string(shared, "c");
    int64_t answers = json_get_int(shared, "a", 0), index = json_get_int(shared, "i", -1);
    if (curve == NULL || strcmp(curve, device->curve25519) != 0) {
        refuse_request(c, user, device->id, room_id, session_id, "m.unauthorised");
        return;
    }
    for (size_t i = 0; i < mine->n && answers < CRYPTO_KEY_ANSWERS_MAX; ++i) {
        if (mine->keys[i].index != index)
            continue;
        struct outgoing out = {"m.room.encrypted", json_object(), 0};
        json_t *message = room_key_message(c, user, device, room_id, session_id, &mine->keys[i].text);
        if (message == NULL)
            session_want(c, user, device->id, false); /* they ask again */
        else
            json_object_set_new(shared, "a", json_integer(answers + 1));
        outgoing_add(c, &out, user, device->id, message);
        outgoing_finish(c, &out);
        mine_put(c, kind, name, mine);
        return;
    }
}

void room_key_request(struct crypto *c, const char *sender, const json_t *content)
{
    const json_t *body = json_get_object(content, "body");
    const char *action = json_get_string(content, "action"), *id = json_get_string(content, "requesting_device_id"),
               *room_id = json_get_string(body, "room_id"), *session_id = json_get_string(body, "session_id");
    if (action == NULL || strcmp(action, "request") != 0 || !crypto_device_id_good(id) ||
        !crypto_id_good(room_id, '!') || session_id == NULL ||
        strnlen(session_id, RATCHET_KEY_CHARS + 1) != RATCHET_KEY_CHARS || !text_is_line(session_id))
        return;
    json_t *room = crypto_get_json(c, ROW_ROOM, room_id), *row = user_row(c, sender);
    json_t *entry = json_get_object(json_get_object(row, "devices"), id);
    struct device device = device_of(id, entry);
    if (room_has(room, sender) && entry != NULL && device_withheld(c, row, &device) == NULL) {
        struct mine mine;
        char *name = crypto_name(room_id, session_id, NULL);
        if (mine_get(c, ROW_MINE, room_id, &mine) && strcmp(json_get_string(mine.meta, "id"), session_id) == 0) {
            answer_request(c, sender, &device, room_id, ROW_MINE, room_id, &mine);
        } else {
            mine_finish(&mine);
            if (mine_get(c, ROW_PAST, name, &mine))
                answer_request(c, sender, &device, room_id, ROW_PAST, name, &mine);
            else
                refuse_request(c, sender, id, room_id, session_id, "m.unavailable");
        }
        mine_finish(&mine);
        free(name);
    }
    json_decref(room);
    json_decref(row);
}
