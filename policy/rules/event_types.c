#include "policy/rules/event_types.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* --- What values say nothing --- */

#define TOKEN_MAX 64 /* bytes of an id that somebody chooses */
#define ID_MAX 255
#define VOTES_MAX 20

/* An id: nothing that reads as a sentence. */
static bool is_id(const json_t *value, size_t max)
{
    const char *s = json_string_value(value);
    static const char CHARS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~$!@+/=";
    return s != NULL && strlen(s) <= max && strspn(s, CHARS) == strlen(s);
}

static bool is_token(const json_t *value)
{
    return is_id(value, TOKEN_MAX);
}

static bool is_user_id(const json_t *value)
{
    return is_id(value, ID_MAX);
}

static bool is_event_id(const json_t *value)
{
    return is_id(value, ID_MAX) && json_string_value(value)[0] == '$';
}

static bool is_bool(const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_version(const json_t *value)
{
    return json_is_integer(value) || is_token(value);
}

/* Client-Server API, "m.call.hangup". */
static bool is_call_reason(const json_t *value)
{
    static const char *const REASONS[] = {"ice_failed",        "invite_timeout", "user_hangup",
                                          "user_media_failed", "user_busy",      "unknown_error"};
    for (size_t i = 0; json_is_string(value) && i < sizeof REASONS / sizeof *REASONS; ++i)
        if (strcmp(json_string_value(value), REASONS[i]) == 0)
            return true;
    return false;
}

static bool are_answers(const json_t *value)
{
    bool good = json_is_array(value) && json_array_size(value) <= VOTES_MAX;
    for (size_t i = 0; good && i < json_array_size(value); ++i)
        good = is_token(json_array_get(value, i));
    return good;
}

/* What is kept from names is rule B3's matter, wherever they stand. */
static bool is_name(const json_t *value)
{
    return json_is_string(value) || json_is_null(value);
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

#define VARIATION 0xfe0f
#define JOINER 0x200d
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
        if (c == VARIATION)
            c = next_char(&s);
        if (c != JOINER)
            return c == 0;
    }
    return false;
}

static bool is_emoji(const json_t *value)
{
    const char *s = json_string_value(value), *rest = s;
    if (s == NULL)
        return false;
    uint32_t first = next_char(&rest), second = first != 0 ? next_char(&rest) : 0;
    if (is_flag_letter(first))
        return is_flag_letter(second) && *rest == '\0';
    if (first < 0x80 && first != 0 && strchr("0123456789#*", (int)first) != NULL) {
        second = second == VARIATION ? next_char(&rest) : second;
        return second == KEYCAP && *rest == '\0';
    }
    return is_joined_pictures(s);
}

/* --- What contents say nothing: their members, none of them required, and no other --- */

struct member {
    const char *key;
    bool (*fits)(const json_t *value);
};
#define MEMBERS_MAX 6

static bool has_only(const json_t *content, const struct member *members)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)content, key, value) {
        const struct member *m = members;
        while (m->key != NULL && strcmp(m->key, key) != 0)
            ++m;
        if (m->key == NULL || !m->fits(value))
            return false;
    }
    return json_is_object(content);
}

static bool is_annotation(const json_t *value)
{
    static const struct member MEMBERS[] = {{"rel_type", is_token}, {"event_id", is_event_id}, {"key", is_emoji}, {0}};
    return has_only(value, MEMBERS);
}

static bool is_reference(const json_t *value)
{
    static const struct member MEMBERS[] = {{"rel_type", is_token}, {"event_id", is_event_id}, {0}};
    return has_only(value, MEMBERS);
}

static bool is_vote(const json_t *value)
{
    static const struct member MEMBERS[] = {{"answers", are_answers}, {0}};
    return has_only(value, MEMBERS);
}

/* In the order of enum event_kind; a kind that is not here always says something. */
static const struct member WORDLESS[][MEMBERS_MAX + 1] = {
    [EVENT_REACTION] = {{"m.relates_to", is_annotation}},
    [EVENT_POLL_VOTE] = {{"m.relates_to", is_reference},
                         {"m.selections", are_answers},
                         {"org.matrix.msc3381.v2.selections", are_answers},
                         {"org.matrix.msc3381.poll.response", is_vote}},
    [EVENT_REDACTION] = {{"redacts", is_event_id}},
    [EVENT_MEMBER] = {{"membership", is_token},
                      {"displayname", is_name},
                      {"avatar_url", is_name},
                      {"is_direct", is_bool},
                      {"join_authorised_via_users_server", is_user_id}},
    [EVENT_CALL_END] = {{"call_id", is_token},
                        {"party_id", is_token},
                        {"version", is_version},
                        {"reason", is_call_reason}},
};

bool event_is_wordless(const char *type, const json_t *content)
{
    enum event_kind kind = event_kind_of(type);
    if (kind == EVENT_CALL_MEMBER)
        return content != NULL && json_object_size(content) == 0; /* has left it */
    return kind < sizeof WORDLESS / sizeof *WORDLESS && WORDLESS[kind][0].key != NULL &&
           (content == NULL || has_only(content, WORDLESS[kind]));
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
