#include "homeserver/push/rules/defaults.h"

#define RULE(id, enabled, conditions, actions)                                                                         \
    "{\"rule_id\":\"" id "\",\"default\":true,\"enabled\":" enabled ",\"conditions\":[" conditions                     \
    "],\"actions\":[" actions "]}"
#define MATCH(key, pattern) "{\"kind\":\"event_match\",\"key\":\"" key "\",\"pattern\":\"" pattern "\"}"
#define IS(key, value) "{\"kind\":\"event_property_is\",\"key\":\"" key "\",\"value\":" value "}"
#define CONTAINS(key, value) "{\"kind\":\"event_property_contains\",\"key\":\"" key "\",\"value\":\"" value "\"}"
#define MEMBERS(is) "{\"kind\":\"room_member_count\",\"is\":\"" is "\"}"
#define PERMISSION(key) "{\"kind\":\"sender_notification_permission\",\"key\":\"" key "\"}"
#define CALL_STARTED "{\"kind\":\"org.matrix.msc3914.call_started\"}"
#define NOTIFY "\"notify\""
#define SOUND(value) ",{\"set_tweak\":\"sound\",\"value\":\"" value "\"}"
#define HIGHLIGHT ",{\"set_tweak\":\"highlight\"}"

/* clang-format off */
const char PUSH_DEFAULTS[] =
    "{\"override\":["
    RULE(".m.rule.master", "false", "", "") ","
    RULE(".m.rule.suppress_notices", "true", MATCH("content.msgtype", "m.notice"), "") ","
    RULE(".m.rule.invite_for_me", "true",
         MATCH("type", "m.room.member") "," MATCH("content.membership", "invite") ","
         MATCH("state_key", PUSH_DEFAULTS_ME),
         NOTIFY SOUND("default")) ","
    RULE(".m.rule.member_event", "true", MATCH("type", "m.room.member"), "") ","
    RULE(".m.rule.is_user_mention", "true", CONTAINS("content.m\\\\.mentions.user_ids", PUSH_DEFAULTS_ME),
         NOTIFY SOUND("default") HIGHLIGHT) ","
    RULE(".m.rule.is_room_mention", "true", IS("content.m\\\\.mentions.room", "true") "," PERMISSION("room"),
         NOTIFY HIGHLIGHT) ","
    RULE(".m.rule.tombstone", "true", MATCH("type", "m.room.tombstone") "," MATCH("state_key", ""),
         NOTIFY HIGHLIGHT) ","
    RULE(".m.rule.reaction", "true", MATCH("type", "m.reaction"), "") ","
    RULE(".m.rule.room.server_acl", "true", MATCH("type", "m.room.server_acl") "," MATCH("state_key", ""), "") ","
    RULE(".org.matrix.msc3930.rule.poll_response", "true", MATCH("type", "*.poll.response"), "") ","
    RULE(".m.rule.suppress_edits", "true", IS("content.m\\\\.relates_to.rel_type", "\"m.replace\""), "")
    "],\"underride\":["
    RULE(".m.rule.call", "true", MATCH("type", "m.call.invite"), NOTIFY SOUND("ring")) ","
    RULE(".org.matrix.msc3914.rule.room.call", "true", MATCH("type", "*.call") "," CALL_STARTED,
         NOTIFY SOUND("default")) ","
    RULE(".m.rule.encrypted_room_one_to_one", "true", MEMBERS("2") "," MATCH("type", "m.room.encrypted"),
         NOTIFY SOUND("default")) ","
    RULE(".m.rule.room_one_to_one", "true", MEMBERS("2") "," MATCH("type", "m.room.message"),
         NOTIFY SOUND("default")) ","
    RULE(".m.rule.message", "true", MATCH("type", "m.room.message"), NOTIFY) ","
    RULE(".m.rule.encrypted", "true", MATCH("type", "m.room.encrypted"), NOTIFY) ","
    RULE(".org.matrix.msc3930.rule.poll_start_one_to_one", "true", MEMBERS("2") "," MATCH("type", "*.poll.start"),
         NOTIFY SOUND("default")) ","
    RULE(".org.matrix.msc3930.rule.poll_start", "true", MATCH("type", "*.poll.start"), NOTIFY) ","
    RULE(".org.matrix.msc3930.rule.poll_end_one_to_one", "true", MEMBERS("2") "," MATCH("type", "*.poll.end"),
         NOTIFY SOUND("default")) ","
    RULE(".org.matrix.msc3930.rule.poll_end", "true", MATCH("type", "*.poll.end"), NOTIFY)
    "]}";
/* clang-format on */
