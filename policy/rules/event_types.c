#include "policy/rules/event_types.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/names.h"
#include "homeserver/base/words.h"

static const struct {
    const char *type;
    enum event_kind kind;
} TYPES[] = {
#define X(kind, type) {type, EVENT_##kind},
#include "policy/rules/event_types.def"
#undef X
};

enum event_kind event_kind_of(const char *type)
{
    for (size_t i = 0; type != NULL && i < sizeof TYPES / sizeof *TYPES; ++i) {
        size_t n = strlen(TYPES[i].type) - 1;
        bool prefix = TYPES[i].type[n] == '*';
        if (prefix ? strncmp(type, TYPES[i].type, n) == 0 : strcmp(type, TYPES[i].type) == 0)
            return TYPES[i].kind;
    }
    return EVENT_OTHER;
}

const char *event_type_of(enum event_kind kind, size_t i)
{
    for (size_t k = 0; k < sizeof TYPES / sizeof *TYPES; ++k)
        if (TYPES[k].kind == kind && i-- == 0)
            return TYPES[k].type;
    return NULL;
}

/* --- What values say nothing --- */

#define TOKEN_MAX 64 /* bytes of an id that somebody chooses */
#define ID_MAX 255
#define VOTES_MAX 20

/* What is asked, beside the value. */
struct asked {
    const char *type, *state_key;
    const json_t *content; /* the whole */
    const struct event_names *names;
};

static bool is_there(const struct asked *a, enum event_named what, const char *of, const char *id)
{
    return id != NULL && (a->names == NULL || a->names->there(a->names->ctx, what, of, id));
}

#define ONE_OF(s, ...) (WORD_FIND(((const char *const[]){__VA_ARGS__}), s) >= 0)

/* The form of an id: nothing that reads as a sentence. */
static bool has_form(const char *s, size_t max)
{
    static const char CHARS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~$!@+/=";
    return s != NULL && strlen(s) <= max && strspn(s, CHARS) == strlen(s);
}

static bool is_user_id(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return has_form(s, ID_MAX) && is_there(a, NAMED_USER, NULL, s);
}

static bool is_event_id(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return has_form(s, ID_MAX) && s[0] == '$' && is_there(a, NAMED_EVENT, NULL, s);
}

static bool is_bool(const struct asked *a, const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_annotation_type(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "m.annotation");
}

static bool is_reference_type(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "m.reference");
}

static bool is_membership(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "join", "invite", "knock", "leave", "ban");
}

/* What is kept from names is rule B3's matter, wherever they stand. */
static bool is_name(const struct asked *a, const json_t *value)
{
    return json_is_string(value) || json_is_null(value);
}

/* Client-Server API, "Voice over IP". */
static bool is_call_version(const struct asked *a, const json_t *value)
{
    return json_is_integer(value) ? json_integer_value(value) == 0 || json_integer_value(value) == 1
                                  : ONE_OF(json_string_value(value), "0", "1");
}

static bool is_call_id(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return has_form(s, TOKEN_MAX) && is_there(a, NAMED_CALL, NULL, s);
}

static bool is_call_party(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value), *call = json_string_value(json_object_get(a->content, "call_id"));
    return has_form(s, TOKEN_MAX) && call != NULL && is_there(a, NAMED_PARTY, call, s);
}

static bool is_call_reason(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "ice_failed", "invite_timeout", "user_hangup", "user_media_failed",
                  "user_busy", "unknown_error");
}

static bool has_before(const json_t *list, size_t end, const json_t *value)
{
    size_t i = 0;
    while (i < end && !json_equal(json_array_get(list, i), value))
        ++i;
    return i < end;
}

/* Each of them once: an order of many would be a text. */
static bool are_answers(const struct asked *a, const json_t *value)
{
    const char *poll = json_string_value(json_object_get(json_object_get(a->content, "m.relates_to"), "event_id"));
    bool good = json_is_array(value) && json_array_size(value) <= VOTES_MAX;
    for (size_t i = 0; good && i < json_array_size(value); ++i) {
        const char *s = json_string_value(json_array_get(value, i));
        good = has_form(s, TOKEN_MAX) && (a->names == NULL || poll != NULL) && is_there(a, NAMED_ANSWER, poll, s) &&
               !has_before(value, i, json_array_get(value, i));
    }
    return good;
}

/* --- An emoji: one picture, no letters and no text of pictures --- */

/* The next character of valid UTF-8; 0 at the end. */
static uint32_t next_char(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    if (p[0] == 0)
        return 0;
    for (size_t i = 1; i < n; ++i)
        c = c << 6 | (p[i] & 0x3fu);
    *s += n;
    return c;
}

/* Unicode's Emoji_Presentation and what VARIATION SELECTOR-16 makes a picture, by blocks. Of the enclosed letters only
 * those that are emojis; the letters of flags stand apart. */
static bool is_picture(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } BLOCKS[] = {
        {0xa9, 0xa9},       {0xae, 0xae},       {0x203c, 0x203c},   {0x2049, 0x2049},   {0x2122, 0x2122},
        {0x2139, 0x2139},   {0x2190, 0x21ff},   {0x2300, 0x23ff},   {0x24c2, 0x24c2},   {0x25a0, 0x27bf},
        {0x2934, 0x2935},   {0x2b00, 0x2bff},   {0x3030, 0x3030},   {0x303d, 0x303d},   {0x3297, 0x3297},
        {0x3299, 0x3299},   {0x1f000, 0x1f0ff}, {0x1f170, 0x1f171}, {0x1f17e, 0x1f17f}, {0x1f18e, 0x1f18e},
        {0x1f191, 0x1f19a}, {0x1f201, 0x1f202}, {0x1f21a, 0x1f21a}, {0x1f22f, 0x1f22f}, {0x1f232, 0x1f23a},
        {0x1f250, 0x1f251}, {0x1f300, 0x1f3fa}, {0x1f400, 0x1faff},
    };
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; ++i)
        if (c >= BLOCKS[i].first && c <= BLOCKS[i].last)
            return true;
    return false;
}

#define KEYCAP 0x20e3
#define JOINED_MAX 4 /* pictures in one: a family */

static bool is_flag_letter(uint32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

#define TONE_FIRST 0x1f3fb
#define TONE_LAST 0x1f3ff

/* picture [tone] [variation] (joiner …)* and nothing after it. */
static bool is_joined_pictures(const char *s)
{
    for (int n = 0; n < JOINED_MAX; ++n) {
        if (!is_picture(next_char(&s)))
            return false;
        uint32_t c = next_char(&s);
        if (c >= TONE_FIRST && c <= TONE_LAST)
            c = next_char(&s);
        if (c == EMOJI_VARIATION)
            c = next_char(&s);
        if (c != EMOJI_JOINER)
            return c == 0;
    }
    return false;
}

static bool is_emoji(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value), *rest = s;
    if (s == NULL)
        return false;
    uint32_t first = next_char(&rest), second = first != 0 ? next_char(&rest) : 0;
    if (is_flag_letter(first))
        return is_flag_letter(second) && *rest == '\0';
    if (first < 0x80 && first != 0 && strchr("0123456789#*", (int)first) != NULL) {
        second = second == EMOJI_VARIATION ? next_char(&rest) : second;
        return second == KEYCAP && *rest == '\0';
    }
    return is_joined_pictures(s);
}

/* --- What contents say nothing: their members, none of them required, and no other --- */

struct member {
    const char *key;
    bool (*fits)(const struct asked *a, const json_t *value);
};
#define MEMBERS_MAX 11

static bool has_only(const struct asked *a, const json_t *content, const struct member *members)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)content, key, value) {
        const struct member *m = members;
        while (m->key != NULL && strcmp(m->key, key) != 0)
            ++m;
        if (m->key == NULL || !m->fits(a, value))
            return false;
    }
    return json_is_object(content);
}

static bool is_annotation(const struct asked *a, const json_t *value)
{
    static const struct member MEMBERS[] = {
        {"rel_type", is_annotation_type}, {"event_id", is_event_id}, {"key", is_emoji}, {0}};
    return has_only(a, value, MEMBERS);
}

static bool is_reference(const struct asked *a, const json_t *value)
{
    static const struct member MEMBERS[] = {{"rel_type", is_reference_type}, {"event_id", is_event_id}, {0}};
    return has_only(a, value, MEMBERS);
}

static bool is_vote(const struct asked *a, const json_t *value)
{
    static const struct member MEMBERS[] = {{"answers", are_answers}, {0}};
    return has_only(a, value, MEMBERS);
}

/* In the order of enum event_kind; a kind that is not here always says something. */
static const struct member WORDLESS[][MEMBERS_MAX + 1] = {
    [EVENT_REACTION] = {{"m.relates_to", is_annotation}},
    [EVENT_POLL_VOTE] = {{"m.relates_to", is_reference},
                         {"m.selections", are_answers},
                         {"org.matrix.msc3381.v2.selections", are_answers},
                         {"org.matrix.msc3381.poll.response", is_vote}},
    [EVENT_REDACTION] = {{"redacts", is_event_id}},
    [EVENT_MEMBER] = {{"membership", is_membership},
                      {"displayname", is_name},
                      {"avatar_url", is_name},
                      {"is_direct", is_bool},
                      {"join_authorised_via_users_server", is_user_id}},
    [EVENT_CALL_END] = {{"call_id", is_call_id},
                        {"party_id", is_call_party},
                        {"version", is_call_version},
                        {"reason", is_call_reason}},
};

static bool is_listed(const struct asked *a, enum event_kind kind, const struct member (*lists)[MEMBERS_MAX + 1],
                      size_t n)
{
    return kind < n && lists[kind][0].key != NULL && (a->content == NULL || has_only(a, a->content, lists[kind]));
}

bool event_is_wordless(const char *type, const char *state_key, const json_t *content, const struct event_names *names)
{
    const struct asked a = {type, state_key, content, names};
    enum event_kind kind = event_kind_of(type);
    if (kind == EVENT_CALL_MEMBER) /* has left it: in a place where somebody was */
        return content != NULL && json_object_size(content) == 0 &&
               is_there(&a, NAMED_STATE, type, state_key != NULL ? state_key : "");
    if (state_key != NULL && kind != EVENT_MEMBER) /* a place in a room's state is a text of the sender's */
        return false;
    return is_listed(&a, kind, WORDLESS, sizeof WORDLESS / sizeof *WORDLESS);
}

/* --- The frame of a room, as the presets make it --- */

static bool is_version(const struct asked *a, const json_t *value)
{
    return has_form(json_string_value(value), 3); /* the server has it, or there would be no room */
}

static bool are_users(const struct asked *a, const json_t *value)
{
    bool good = json_is_array(value);
    for (size_t i = 0; good && i < json_array_size(value); ++i)
        good = is_user_id(a, json_array_get(value, i)) && !has_before(value, i, json_array_get(value, i));
    return good;
}

static bool is_space(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "m.space");
}

static bool is_level(const struct asked *a, const json_t *value)
{
    json_int_t n = json_integer_value(value);
    return json_is_integer(value) && (n == 0 || n == 50 || n == 100 || n == 150);
}

static bool are_levels(const struct asked *a, const json_t *value,
                       bool (*names)(const struct asked *a, const char *key))
{
    const char *key;
    json_t *level;
    json_object_foreach((json_t *)value, key, level)
        if (!names(a, key) || !is_level(a, level))
            return false;
    return json_is_object(value);
}

static bool names_user(const struct asked *a, const char *key)
{
    return has_form(key, ID_MAX) && is_there(a, NAMED_USER, NULL, key);
}

/* Those that clients give a level of their own when they make a room. */
static bool names_type(const struct asked *a, const char *key)
{
    return ONE_OF(key, "m.room.name", "m.room.avatar", "m.room.topic", "m.room.canonical_alias", "m.room.power_levels",
                  "m.room.history_visibility", "m.room.encryption", "m.room.server_acl", "m.room.tombstone",
                  "m.room.join_rules", "m.room.guest_access", "m.room.pinned_events", "m.room.redaction",
                  "m.room.message", "m.room.encrypted", "m.sticker", "m.reaction", "m.poll.start", "m.poll.response",
                  "m.poll.end", "m.space.child", "m.space.parent", "m.call.member", "m.rtc.member",
                  "org.matrix.msc3381.poll.start", "org.matrix.msc3401.call", "org.matrix.msc3401.call.member",
                  "org.matrix.msc4143.rtc.member", "im.vector.modular.widgets", "io.element.voice_broadcast_info",
                  "im.ponies.room_emotes");
}

static bool names_notified(const struct asked *a, const char *key)
{
    return ONE_OF(key, "room");
}

static bool are_user_levels(const struct asked *a, const json_t *value)
{
    return are_levels(a, value, names_user);
}

static bool are_type_levels(const struct asked *a, const json_t *value)
{
    return are_levels(a, value, names_type);
}

static bool are_notification_levels(const struct asked *a, const json_t *value)
{
    return are_levels(a, value, names_notified);
}

static bool is_join_rule(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "public", "knock", "invite", "private", "restricted", "knock_restricted");
}

static bool is_visibility(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "invited", "joined", "shared", "world_readable");
}

static bool is_guest_access(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "can_join", "forbidden");
}

static bool is_algorithm(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "m.megolm.v1.aes-sha2");
}

static const struct member FRAME[][MEMBERS_MAX + 1] = {
    [EVENT_ENCRYPTION] = {{"algorithm", is_algorithm}},
    [EVENT_CREATE] = {{"room_version", is_version},
                      {"creator", is_user_id},
                      {"additional_creators", are_users},
                      {"m.federate", is_bool},
                      {"type", is_space}},
    [EVENT_POWER_LEVELS] = {{"users", are_user_levels},
                            {"events", are_type_levels},
                            {"notifications", are_notification_levels},
                            {"users_default", is_level},
                            {"events_default", is_level},
                            {"state_default", is_level},
                            {"ban", is_level},
                            {"kick", is_level},
                            {"redact", is_level},
                            {"invite", is_level}},
    [EVENT_JOIN_RULES] = {{"join_rule", is_join_rule}},
    [EVENT_VISIBILITY] = {{"history_visibility", is_visibility}},
    [EVENT_GUEST_ACCESS] = {{"guest_access", is_guest_access}},
};

bool event_is_frame(const char *type, const char *state_key, const json_t *content, const struct event_names *names)
{
    const struct asked a = {type, state_key, content, names};
    enum event_kind kind = event_kind_of(type);
    if (kind == EVENT_MEMBER)
        return state_key != NULL && is_there(&a, NAMED_USER, NULL, state_key) &&
               event_is_wordless(type, state_key, content, names);
    return state_key != NULL && *state_key == '\0' && content != NULL &&
           is_listed(&a, kind, FRAME, sizeof FRAME / sizeof *FRAME);
}

/* --- What a redaction leaves (rooms/pdu/redact.c) --- */

#define KEY_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~$!@+/=%"

static bool is_short_name(const char *s)
{
    return s != NULL && id_is_token(s, strlen(s), TOKEN_MAX);
}

static bool is_room_type(const struct asked *a, const json_t *value)
{
    return is_short_name(json_string_value(value));
}

static bool is_room(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return has_form(s, ID_MAX) && is_there(a, NAMED_ROOM, NULL, s);
}

static bool is_membership_condition(const struct asked *a, const json_t *value)
{
    return ONE_OF(json_string_value(value), "m.room_membership");
}

static bool is_condition(const struct asked *a, const json_t *value)
{
    static const struct member MEMBERS[] = {{"type", is_membership_condition}, {"room_id", is_room}, {0}};
    return has_only(a, value, MEMBERS);
}

static bool is_event_form(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return has_form(s, ID_MAX) && s[0] == '$';
}

static bool is_predecessor(const struct asked *a, const json_t *value)
{
    static const struct member MEMBERS[] = {{"room_id", is_room}, {"event_id", is_event_form}, {0}};
    const char *event = json_string_value(json_object_get(value, "event_id"));
    return has_only(a, value, MEMBERS) &&
           (event == NULL || is_there(a, NAMED_EVENT, json_string_value(json_object_get(value, "room_id")), event));
}

/* A text of digits in the oldest room versions. */
static bool is_number(const struct asked *a, const json_t *value)
{
    const char *s = json_string_value(value);
    return json_is_integer(value) || (s != NULL && strlen(s) <= 20 && strspn(s, "+-0123456789 ") == strlen(s));
}

static bool names_any_type(const struct asked *a, const char *key)
{
    return is_short_name(key);
}

static bool is_nothing(const struct asked *a, const json_t *value)
{
    return false;
}

/* Where there are many: the items of a list, or the members of an object, whose keys are names. */
static const struct lasting {
    enum event_kind kind;
    const char *key;
    bool (*fits)(const struct asked *a, const json_t *value);
    bool (*names)(const struct asked *a, const char *key);
    bool list;
} LASTING[] = {
    {EVENT_MEMBER, "membership", is_membership},
    {EVENT_MEMBER, "join_authorised_via_users_server", is_user_id},
    {EVENT_MEMBER, "third_party_invite", is_nothing}, /* there is no identity server (A5) */
    {EVENT_CREATE, "creator", is_user_id},
    {EVENT_CREATE, "room_version", is_version},
    {EVENT_CREATE, "type", is_room_type},
    {EVENT_CREATE, "m.federate", is_bool},
    {EVENT_CREATE, "predecessor", is_predecessor},
    {EVENT_CREATE, "additional_creators", is_user_id, .list = true},
    {EVENT_JOIN_RULES, "join_rule", is_join_rule},
    {EVENT_JOIN_RULES, "allow", is_condition, .list = true},
    {EVENT_POWER_LEVELS, "ban", is_number},
    {EVENT_POWER_LEVELS, "events", is_number, names_any_type},
    {EVENT_POWER_LEVELS, "events_default", is_number},
    {EVENT_POWER_LEVELS, "invite", is_number},
    {EVENT_POWER_LEVELS, "kick", is_number},
    {EVENT_POWER_LEVELS, "redact", is_number},
    {EVENT_POWER_LEVELS, "state_default", is_number},
    {EVENT_POWER_LEVELS, "users", is_number, names_user},
    {EVENT_POWER_LEVELS, "users_default", is_number},
    {EVENT_ALIASES, "aliases", is_nothing, .list = true},
    {EVENT_VISIBILITY, "history_visibility", is_visibility},
    {EVENT_REDACTION, "redacts", is_event_form}, /* which is there, or there is no redaction */
};
#define LASTING_COUNT (sizeof LASTING / sizeof *LASTING)

static const struct lasting *lasting_of(enum event_kind kind, const char *key)
{
    for (size_t i = 0; i < LASTING_COUNT; ++i)
        if (LASTING[i].kind == kind && strcmp(LASTING[i].key, key) == 0)
            return &LASTING[i];
    return NULL;
}

static bool lasting_fits(const struct asked *a, const struct lasting *row, const json_t *value)
{
    const char *key;
    json_t *inner;
    if (row->list ? !json_is_array(value) : row->names != NULL && !json_is_object(value))
        return false;
    for (size_t i = 0; row->list && i < json_array_size(value); ++i)
        if (!row->fits(a, json_array_get(value, i)))
            return false;
    if (row->names != NULL)
        json_object_foreach((json_t *)value, key, inner)
            if (!row->names(a, key) || !row->fits(a, inner))
                return false;
    return row->list || row->names != NULL || row->fits(a, value);
}

bool event_lasting_is_wordless(const char *type, const char *state_key, const json_t *content,
                               const struct event_names *names)
{
    const struct asked a = {type, state_key, content, names};
    enum event_kind kind = event_kind_of(type);
    const char *key;
    json_t *value;
    if (!is_short_name(type) ||
        (state_key != NULL && (strlen(state_key) > ID_MAX || strspn(state_key, KEY_CHARS) != strlen(state_key))))
        return false;
    json_object_foreach((json_t *)content, key, value) {
        const struct lasting *row = lasting_of(kind, key);
        if (row != NULL ? !lasting_fits(&a, row, value) : kind == EVENT_CREATE) /* which a redaction leaves whole */
            return false;
    }
    return true;
}

/* What fits of a list or an object stays. false: nothing of it is to stay. */
static bool clean_value(const struct asked *a, const struct lasting *row, json_t *value)
{
    const char *key;
    json_t *inner;
    void *next;
    if (lasting_fits(a, row, value))
        return true;
    for (size_t i = row->list ? json_array_size(value) : 0; i > 0; --i)
        if (!row->fits(a, json_array_get(value, i - 1)))
            json_array_remove(value, i - 1);
    if (row->names != NULL)
        json_object_foreach_safe(value, next, key, inner) if (!row->names(a, key) || !row->fits(a, inner))
            json_object_del(value, key);
    return lasting_fits(a, row, value);
}

void event_lasting_clean(const char *type, json_t *content, const struct event_names *names)
{
    const struct asked a = {type, NULL, content, names};
    enum event_kind kind = event_kind_of(type);
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(content, next, key, value)
    {
        const struct lasting *row = lasting_of(kind, key);
        if (row != NULL ? !clean_value(&a, row, value) : kind == EVENT_CREATE)
            json_object_del(content, key);
    }
}

bool event_is_urgent(const char *type, const json_t *content)
{
    enum event_kind kind = event_kind_of(type);
    return (kind == EVENT_MESSAGE || kind == EVENT_ENCRYPTED) && json_object_get(content, URGENT_KEY) != NULL;
}

const char *urgent_reason(const json_t *content)
{
    return json_string_value(json_object_get(json_object_get(content, URGENT_KEY), "reason"));
}
