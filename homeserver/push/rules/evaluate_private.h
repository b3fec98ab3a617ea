/* Compiled push rules, as push/rules/compile.c makes them and push/rules/evaluate.c asks them; nobody else includes
 * this. */
#ifndef PARTA_PUSH_RULES_EVALUATE_PRIVATE_H
#define PARTA_PUSH_RULES_EVALUATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/push/rules/evaluate.h"

/* What a condition asks. Texts lie in the pool. */
enum ask {
    ASK_EQUAL,        /* event_match without wildcards: the text, already folded, is the whole value */
    ASK_EXACT,        /* room and sender rules: the text is the value, case and all */
    ASK_SUFFIX,       /* event_match with a "*" in front only: the text, folded, is how the value ends */
    ASK_GLOB,         /* event_match with other wildcards */
    ASK_BODY,         /* event_match on content.body, and content rules */
    ASK_VALUE,        /* event_property_is */
    ASK_CONTAINS,     /* event_property_contains */
    ASK_DISPLAY_NAME, /* contains_display_name */
    ASK_MEMBERS,      /* room_member_count */
    ASK_POWER,        /* sender_notification_permission: the text is the key, with a NUL behind it */
    ASK_SELF,         /* a default rule: the value is the id of whoever asks */
    ASK_CALL_STARTED, /* call_started */
    ASK_SELF_IN,      /* a default rule: the array holds the id of whoever asks */
};

enum compare { COMPARE_EQUAL, COMPARE_LESS, COMPARE_GREATER, COMPARE_NOT_GREATER, COMPARE_NOT_LESS };

struct push_scope;

struct condition {
    uint8_t ask;     /* enum ask */
    uint8_t slot;    /* enum push_slot; PUSH_SLOT__COUNT: the property lies elsewhere in the content */
    uint8_t compare; /* enum compare */
    uint8_t kind;    /* enum push_kind of the value asked for */
    uint16_t path_n; /* names of the path below the content, when slot is PUSH_SLOT__COUNT; 0: not in the content */
    uint32_t path;   /* where they begin in the pool, each as canonical JSON writes it, with a NUL behind */
    uint32_t text, text_len;
    uint32_t json, json_len; /* ASK_CONTAINS: the value as canonical JSON */
    int64_t n;
};

/* Rooms of most members and rooms of two, which no rule names (push/rules/scope.h). */
#define PUSH_SCOPES 2

struct rule {
    uint32_t first, n; /* conditions; n 0: matches always */
    bool notify, highlight;
    bool of_room;                 /* some condition asks the room alone … */
    bool holds[PUSH_SCOPES];      /* … and whether all of those hold in each of the kept scopes */
    uint32_t id, actions, tweaks; /* in the pool, with a NUL behind */
};

struct push_rules {
    _Atomic int refs;
    bool wants_display_name;
    bool asks_power;
    uint32_t n;
    struct rule *rules;
    struct condition *conditions;
    char *pool;
    struct push_scope *scopes; /* PUSH_SCOPES: what the rules come to there, without a display name; heap */
};

/* One condition by itself. */
bool push_condition_holds(const struct push_rules *rules, const struct push_event *event,
                          const struct push_viewer *viewer, const struct condition *condition);

#endif
