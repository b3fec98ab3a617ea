#include "homeserver/rooms/pdu/auth.h"

#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* One check under way: the input and what every rule asks of the state. */
struct check {
    const struct auth_input *in;
    const struct auth_event *create;
    struct power power; /* before the candidate */
    int64_t own;        /* the sender's level */
    const char *why;
};

enum verdict { NEXT, ALLOW, REJECT };

static enum verdict reject(struct check *c, const char *why)
{
    c->why = why;
    return REJECT;
}

static enum verdict allow_if(struct check *c, bool holds, const char *why)
{
    return holds ? ALLOW : reject(c, why);
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool has(const struct check *c, enum room_feature feature)
{
    return room_version_has(c->in->version, feature);
}

static const struct auth_event *state(const struct check *c, const char *type, const char *state_key)
{
    return c->in->get(c->in->ctx, type, state_key);
}

static const json_t *state_content(const struct check *c, const char *type)
{
    const struct auth_event *event = state(c, type, "");
    return event != NULL ? event->content : NULL;
}

/* A user's membership now; "" if the room has never heard of them. */
static const char *membership_of(const struct check *c, const char *user)
{
    const struct auth_event *event = state(c, "m.room.member", user);
    const char *membership = event != NULL ? json_get_string(event->content, "membership") : NULL;
    return membership != NULL ? membership : "";
}

static bool joined(const struct check *c, const char *user)
{
    return same(membership_of(c, user), "join");
}

/* The first event of a room. */

static bool room_id_fits(const struct check *c)
{
    if (has(c, ROOM_ID_IS_HASH))
        return c->in->room_id == NULL;
    return c->in->room_id != NULL && same(id_server(c->in->room_id), id_server(c->in->sender));
}

static bool additional_creators_valid(const json_t *content)
{
    const json_t *list = json_object_get(content, "additional_creators");
    size_t i;
    json_t *item;
    if (list == NULL)
        return true;
    if (!json_is_array(list))
        return false;
    json_array_foreach(list, i, item)
        if (!user_id_valid(json_string_value(item)))
            return false;
    return true;
}

static enum verdict create(struct check *c)
{
    const json_t *content = c->in->content;
    if (c->in->n_prev != 0)
        return reject(c, "Only the first event of a room can create it.");
    if (!room_id_fits(c))
        return reject(c, "The room id does not fit the event that creates the room.");
    if (json_object_get(content, "room_version") != NULL &&
        room_version_get(json_get_string(content, "room_version")) == NULL)
        return reject(c, "The room version is not known.");
    if (has(c, ROOM_CREATOR_IN_CONTENT) && json_object_get(content, "creator") == NULL)
        return reject(c, "The event that creates the room does not name its creator.");
    if (has(c, ROOM_CREATORS) && !additional_creators_valid(content))
        return reject(c, "The additional creators are not a list of user ids.");
    return ALLOW;
}

/* What the event rests on. */

static enum verdict room_exists(struct check *c)
{
    if (c->create == NULL)
        return reject(c, "The room does not exist.");
    if (!has(c, ROOM_ID_IS_HASH))
        return NEXT;
    const char *room_id = c->in->room_id, *create_id = c->create->event_id;
    bool names_it = room_id != NULL && create_id != NULL && room_id[0] == '!' && create_id[0] == '$' &&
                    strcmp(room_id + 1, create_id + 1) == 0;
    return names_it ? NEXT : reject(c, "The room id is not that of the event that created the room.");
}

static bool same_key(const struct auth_fact *fact, const char *type, const char *state_key)
{
    return same(fact->type, type) && same(fact->state_key, state_key);
}

static bool selected(const struct auth_fact *fact, const struct auth_key *keys, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (same_key(fact, keys[i].type, keys[i].state_key))
            return true;
    return false;
}

static enum verdict auth_events(struct check *c)
{
    const struct auth_input *in = c->in;
    struct auth_key keys[AUTH_KEYS_MAX];
    bool names_create = has(c, ROOM_ID_IS_HASH);
    if (in->auth == NULL)
        return NEXT;
    size_t n = auth_types_for(in->version, in->type, in->state_key, in->sender, in->content, keys);
    for (size_t i = 0; i < in->n_auth; ++i) {
        const struct auth_fact *fact = &in->auth[i];
        for (size_t k = 0; k < i; ++k)
            if (same_key(fact, in->auth[k].type, in->auth[k].state_key))
                return reject(c, "The event names two auth events for the same state.");
        if (!selected(fact, keys, n))
            return reject(c, "The event names an auth event that does not concern it.");
        if (fact->rejected)
            return reject(c, "The event names an auth event that was refused.");
        if (!same(fact->room_id, in->room_id))
            return reject(c, "The event names an auth event of another room.");
        names_create = names_create || same(fact->type, "m.room.create");
    }
    return names_create ? NEXT : reject(c, "The event does not name the event that created the room.");
}

static enum verdict federate(struct check *c)
{
    bool closed = json_is_false(json_object_get(c->create->content, "m.federate"));
    if (closed && !same(id_server(c->in->sender), id_server(c->create->sender)))
        return reject(c, "This room is closed to other servers.");
    return NEXT;
}

static enum verdict aliases(struct check *c)
{
    return allow_if(c, same(c->in->state_key, id_server(c->in->sender)),
                    "A server can only announce aliases of its own.");
}

/* Membership. */

static bool join_rule_is(const struct check *c, const char *rule, enum room_feature feature)
{
    const char *actual = json_get_string(state_content(c, "m.room.join_rules"), "join_rule");
    return (feature == 0 || has(c, feature)) && strcmp(actual != NULL ? actual : "invite", rule) == 0;
}

static bool restricted_rule(const struct check *c)
{
    return join_rule_is(c, "restricted", ROOM_RESTRICTED) || join_rule_is(c, "knock_restricted", ROOM_KNOCK_RESTRICTED);
}

/* Whether the join names a member who could have invited. */
static bool vouched_for(const struct check *c)
{
    const char *by = json_get_string(c->in->content, "join_authorised_via_users_server");
    return by != NULL && joined(c, by) && power_of_user(&c->power, by) >= power_level(&c->power, POWER_INVITE);
}

static enum verdict join(struct check *c)
{
    const struct auth_input *in = c->in;
    const char *now = membership_of(c, in->state_key);
    if (in->n_prev == 1 && in->prev_is_create && same(in->state_key, c->power.creator))
        return ALLOW;
    if (!same(in->sender, in->state_key))
        return reject(c, "You can only join for yourself.");
    if (same(now, "ban"))
        return reject(c, "You are banned from this room.");
    if (join_rule_is(c, "public", 0))
        return ALLOW;
    bool by_invitation = join_rule_is(c, "invite", 0) || join_rule_is(c, "knock", ROOM_KNOCK) || restricted_rule(c);
    if (by_invitation && (same(now, "invite") || same(now, "join")))
        return ALLOW;
    return allow_if(c, restricted_rule(c) && vouched_for(c), "You are not invited to this room.");
}

/* Whether any signature in signed is by the key. left: how many more verifications may be tried at all: they are dear,
 * and an event has room for hundreds of signatures and keys. */
static bool signed_by(const json_t *signed_, const char *encoded, int *left)
{
    unsigned char public[32];
    const char *name, *key_id;
    json_t *of_name, *signature;
    if (encoded == NULL || base64_decode(encoded, strlen(encoded), public, sizeof public) != (int)sizeof public)
        return false;
    json_object_foreach(json_get_object(signed_, "signatures"), name, of_name)
        json_object_foreach(of_name, key_id, signature)
            if (strncmp(key_id, "ed25519:", 8) == 0 && (*left)-- > 0 && pdu_verify_json(signed_, name, key_id, public))
                return true;
    return false;
}

static bool signed_by_any(const json_t *signed_, const json_t *invitation)
{
    int left = 64;
    size_t i;
    json_t *key;
    if (signed_by(signed_, json_get_string(invitation, "public_key"), &left))
        return true;
    json_array_foreach(json_get_array(invitation, "public_keys"), i, key)
        if (signed_by(signed_, json_get_string(key, "public_key"), &left))
            return true;
    return false;
}

static enum verdict third_party_invite(struct check *c)
{
    const json_t *signed_ = json_get_object(json_object_get(c->in->content, "third_party_invite"), "signed");
    const char *mxid = json_get_string(signed_, "mxid"), *token = json_get_string(signed_, "token");
    if (same(membership_of(c, c->in->state_key), "ban"))
        return reject(c, "This person is banned from the room.");
    if (mxid == NULL || token == NULL)
        return reject(c, "The third-party invite is not signed.");
    if (!same(mxid, c->in->state_key))
        return reject(c, "The third-party invite is for someone else.");
    const struct auth_event *invitation = state(c, "m.room.third_party_invite", token);
    if (invitation == NULL)
        return reject(c, "The room does not know this third-party invite.");
    if (!same(c->in->sender, invitation->sender))
        return reject(c, "The third-party invite was made by someone else.");
    return allow_if(c, signed_by_any(signed_, invitation->content), "The third-party invite's signature is not good.");
}

static enum verdict invite(struct check *c)
{
    const char *now = membership_of(c, c->in->state_key);
    if (json_object_get(c->in->content, "third_party_invite") != NULL)
        return third_party_invite(c);
    if (!joined(c, c->in->sender))
        return reject(c, "You are not in this room.");
    if (same(now, "join"))
        return reject(c, "This person is already in the room.");
    if (same(now, "ban"))
        return reject(c, "This person is banned from the room.");
    return allow_if(c, c->own >= power_level(&c->power, POWER_INVITE), "Your power level is too low to invite.");
}

/* Whether the sender's level reaches that of the act and stands above the target's. */
static bool outranks(const struct check *c, enum power_key act)
{
    return c->own >= power_level(&c->power, act) && power_of_user(&c->power, c->in->state_key) < c->own;
}

static enum verdict leave(struct check *c)
{
    const char *now = membership_of(c, c->in->state_key);
    if (same(c->in->sender, c->in->state_key))
        return allow_if(c, same(now, "invite") || same(now, "join") || (has(c, ROOM_KNOCK) && same(now, "knock")),
                        "You are not in this room.");
    if (!joined(c, c->in->sender))
        return reject(c, "You are not in this room.");
    if (same(now, "ban") && c->own < power_level(&c->power, POWER_BAN))
        return reject(c, "Your power level is too low to unban.");
    return allow_if(c, outranks(c, POWER_KICK), "Your power level is too low to remove this person.");
}

static enum verdict ban(struct check *c)
{
    if (!joined(c, c->in->sender))
        return reject(c, "You are not in this room.");
    return allow_if(c, outranks(c, POWER_BAN), "Your power level is too low to ban this person.");
}

static enum verdict knock(struct check *c)
{
    const char *now = membership_of(c, c->in->sender);
    if (!join_rule_is(c, "knock", ROOM_KNOCK) && !join_rule_is(c, "knock_restricted", ROOM_KNOCK_RESTRICTED))
        return reject(c, "This room does not take knocks.");
    if (!same(c->in->sender, c->in->state_key))
        return reject(c, "You can only knock for yourself.");
    if (same(now, "ban"))
        return reject(c, "You are banned from this room.");
    return allow_if(c, !same(now, "invite") && !same(now, "join"), "You are already invited to this room or in it.");
}

/* The server of the member who lets someone into a restricted room signs as well. */
static bool authoriser_signed(const struct check *c)
{
    const json_t *by = json_object_get(c->in->content, "join_authorised_via_users_server");
    if (by == NULL || !has(c, ROOM_RESTRICTED))
        return true;
    for (size_t i = 0; json_is_string(by) && i < c->in->n_signers; ++i)
        if (same(id_server(json_string_value(by)), c->in->signers[i]))
            return true;
    return false;
}

static enum verdict member(struct check *c)
{
    static const struct {
        const char *membership;
        unsigned feature; /* 0: in all versions */
        enum verdict (*rule)(struct check *c);
    } RULES[] = {
        {"join", 0, join}, {"invite", 0, invite}, {"leave", 0, leave}, {"ban", 0, ban}, {"knock", ROOM_KNOCK, knock},
    };
    const char *membership = json_get_string(c->in->content, "membership");
    if (c->in->state_key == NULL || membership == NULL)
        return reject(c, "The membership event does not say whose membership it is, or which.");
    if (!authoriser_signed(c))
        return reject(c, "The join is not signed by the server that is said to allow it.");
    for (size_t i = 0; i < COUNT(RULES); ++i)
        if (same(membership, RULES[i].membership) && (RULES[i].feature == 0 || has(c, RULES[i].feature)))
            return RULES[i].rule(c);
    return reject(c, "This membership is not known in the room's version.");
}

/* Everything else is for members. */

static enum verdict sender_joined(struct check *c)
{
    return joined(c, c->in->sender) ? NEXT : reject(c, "You are not in this room.");
}

static enum verdict new_third_party_invite(struct check *c)
{
    return allow_if(c, c->own >= power_level(&c->power, POWER_INVITE), "Your power level is too low to invite.");
}

static enum verdict type_power(struct check *c)
{
    bool suffices = c->own >= power_needed(&c->power, c->in->type, c->in->state_key != NULL);
    return suffices ? NEXT : reject(c, "Your power level is too low to send this event.");
}

static enum verdict own_state(struct check *c)
{
    const char *key = c->in->state_key;
    bool foreign = key != NULL && key[0] == '@' && !same(key, c->in->sender);
    return foreign ? reject(c, "This state belongs to another person.") : NEXT;
}

/* Changes of power levels. */

/* Maps of levels in m.room.power_levels. */
static const struct {
    const char *key;
    unsigned feature; /* 0: looked at in all versions */
} MAPS[] = {{"events", 0}, {"notifications", ROOM_NOTIFICATION_LEVELS}, {"users", 0}};

static bool map_counts(const struct check *c, size_t i)
{
    return MAPS[i].feature == 0 || has(c, MAPS[i].feature);
}

static bool map_well_formed(const struct check *c, const json_t *map, bool of_users)
{
    const char *key;
    json_t *value;
    int64_t level;
    if (map == NULL)
        return true;
    if (!json_is_object(map))
        return false;
    json_object_foreach((json_t *)map, key, value)
        if (!power_read(c->in->version, value, &level) || (of_users && !user_id_valid(key)))
            return false;
    return true;
}

/* The specification asks this of single keys and of events from version 10 on. Before, what cannot be read could not be
 * compared either, and is refused too. */
static bool levels_well_formed(const struct check *c)
{
    int64_t level;
    for (int key = 0; key < POWER_KEY__COUNT; ++key) {
        const json_t *value = json_object_get(c->in->content, power_key_name((enum power_key)key));
        if (value != NULL && !power_read(c->in->version, value, &level))
            return false;
    }
    for (size_t i = 0; i < COUNT(MAPS); ++i) {
        const json_t *map = json_object_get(c->in->content, MAPS[i].key);
        if (map_counts(c, i) && !map_well_formed(c, map, same(MAPS[i].key, "users")))
            return false;
    }
    return true;
}

static bool lists_creator(const struct check *c)
{
    const char *user;
    json_t *level;
    json_object_foreach(json_get_object(c->in->content, "users"), user, level)
        if (power_is_creator(&c->power, user))
            return true;
    return false;
}

/* Whether the sender may turn one level into another; NULL: absent. Another person's level must
 * be below the sender's. */
static bool may_change(const struct check *c, const json_t *from, const json_t *to, bool of_other)
{
    int64_t old = 0, new = 0;
    bool was = power_read(c->in->version, from, &old), is = power_read(c->in->version, to, &new);
    if (was == is && old == new)
        return true;
    if (was && (old > c->own || (of_other && old == c->own)))
        return false;
    return !is || new <= c->own;
}

static bool may_change_map(const struct check *c, const char *name)
{
    json_t *from = json_get_object(c->power.levels, name), *to = json_get_object(c->in->content, name), *value;
    bool of_users = same(name, "users");
    const char *key;
    json_object_foreach(from, key, value)
        if (!may_change(c, value, json_object_get(to, key), of_users && !same(key, c->in->sender)))
            return false;
    json_object_foreach(to, key, value)
        if (json_object_get(from, key) == NULL && !may_change(c, NULL, value, false))
            return false;
    return true;
}

static enum verdict power_levels(struct check *c)
{
    static const char *const TOO_LOW = "Your power level is too low for this change of power levels.";
    if (!levels_well_formed(c))
        return reject(c, "The power levels are not well-formed.");
    if (has(c, ROOM_CREATORS) && lists_creator(c))
        return reject(c, "The room's creators cannot be listed in its power levels.");
    if (c->power.levels == NULL)
        return ALLOW;
    for (int key = 0; key < POWER_KEY__COUNT; ++key) {
        const char *name = power_key_name((enum power_key)key);
        if (!may_change(c, json_object_get(c->power.levels, name), json_object_get(c->in->content, name), false))
            return reject(c, TOO_LOW);
    }
    for (size_t i = 0; i < COUNT(MAPS); ++i)
        if (map_counts(c, i) && !may_change_map(c, MAPS[i].key))
            return reject(c, TOO_LOW);
    return ALLOW;
}

static enum verdict redaction(struct check *c)
{
    const char *of = c->in->redacts != NULL ? id_server(c->in->redacts) : "";
    const char *own = c->in->event_id != NULL ? id_server(c->in->event_id) : "";
    if (c->own >= power_level(&c->power, POWER_REDACT))
        return ALLOW;
    return allow_if(c, *own != '\0' && same(of, own), "Your power level is too low to redact this event.");
}

/* The rules in their order. A row speaks about events of its type (NULL: of all) in versions with
 * its feature (0: all). */
static const struct {
    const char *type;
    unsigned feature;
    enum verdict (*rule)(struct check *c);
} RULES[] = {
    {"m.room.create", 0, create},
    {NULL, 0, room_exists},
    {NULL, 0, auth_events},
    {NULL, 0, federate},
    {"m.room.aliases", ROOM_ALIASES_AUTH, aliases},
    {"m.room.member", 0, member},
    {NULL, 0, sender_joined},
    {"m.room.third_party_invite", 0, new_third_party_invite},
    {NULL, 0, type_power},
    {NULL, 0, own_state},
    {"m.room.power_levels", 0, power_levels},
    {"m.room.redaction", ROOM_REDACTION_AUTH, redaction},
};

bool auth_check(const struct auth_input *in, const char **why)
{
    struct check c = {.in = in};
    enum verdict verdict = NEXT;
    c.create = state(&c, "m.room.create", "");
    power_init(&c.power, in->version, c.create != NULL ? c.create->sender : NULL,
               c.create != NULL ? c.create->content : NULL, state_content(&c, "m.room.power_levels"));
    c.own = power_of_user(&c.power, in->sender);
    for (size_t i = 0; verdict == NEXT && i < COUNT(RULES); ++i)
        if ((RULES[i].type == NULL || same(RULES[i].type, in->type)) &&
            (RULES[i].feature == 0 || has(&c, RULES[i].feature)))
            verdict = RULES[i].rule(&c);
    *why = c.why;
    return verdict != REJECT;
}

bool auth_may_redact(const struct power *power, const char *redactor, const char *target_sender)
{
    return room_version_has(power->version, ROOM_REDACTION_AUTH) ||
           power_of_user(power, redactor) >= power_level(power, POWER_REDACT) ||
           same(id_server(redactor), id_server(target_sender));
}

/* Which state an event rests on. */

static size_t add_key(struct auth_key *keys, size_t n, const char *type, const char *state_key)
{
    for (size_t i = 0; i < n; ++i)
        if (same(keys[i].type, type) && same(keys[i].state_key, state_key))
            return n;
    if (state_key != NULL)
        keys[n++] = (struct auth_key){type, state_key};
    return n;
}

static size_t add_member_keys(const struct room_version *version, const char *state_key, const json_t *content,
                              struct auth_key *keys, size_t n)
{
    const char *membership = json_get_string(content, "membership");
    bool join_ = same(membership, "join"), invite_ = same(membership, "invite");
    n = add_key(keys, n, "m.room.member", state_key);
    if (join_ || invite_ || same(membership, "knock"))
        n = add_key(keys, n, "m.room.join_rules", "");
    if (invite_) {
        const json_t *signed_ = json_get_object(json_object_get(content, "third_party_invite"), "signed");
        n = add_key(keys, n, "m.room.third_party_invite", json_get_string(signed_, "token"));
    }
    if (join_ && room_version_has(version, ROOM_RESTRICTED))
        n = add_key(keys, n, "m.room.member", json_get_string(content, "join_authorised_via_users_server"));
    return n;
}

size_t auth_types_for(const struct room_version *version, const char *type, const char *state_key, const char *sender,
                      const json_t *content, struct auth_key keys[AUTH_KEYS_MAX])
{
    size_t n = 0;
    if (same(type, "m.room.create"))
        return 0;
    if (!room_version_has(version, ROOM_ID_IS_HASH))
        n = add_key(keys, n, "m.room.create", "");
    n = add_key(keys, n, "m.room.power_levels", "");
    n = add_key(keys, n, "m.room.member", sender);
    if (same(type, "m.room.member"))
        n = add_member_keys(version, state_key, content, keys, n);
    return n;
}
