/* Whether an event notifies a user: push rules, compiled once and asked many times (Client-Server API, "Push Rules").
 *
 * A ruleset (push/rules/document.h) is compiled into a struct push_rules: only enabled rules that can match, flat,
 * immutable, counted. Users who never changed a rule have the same one, because the user's id and display name come in
 * with the question: compile it once with NULL and share it.
 *
 * An event is prepared once into a struct push_event, constant afterwards, and then asked about for every member by any
 * number of threads. It holds what rules look at most (type, state key, body, mentions, …); any other property is
 * looked for in the content's text when a rule names it. No JSON tree is built, nothing is allocated while evaluating,
 * and the work for hostile patterns is bounded: a pattern that would need more does not match.
 *
 *     struct push_event event;
 *     push_event_init(&event, &facts);
 *     for each member
 *         struct push_result r = push_evaluate(rules, &event, &(struct push_viewer){user_id, display_name});
 *     push_event_finish(&event); */
#ifndef PARTA_PUSH_RULES_EVALUATE_H
#define PARTA_PUSH_RULES_EVALUATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct push_rules;

/* stored: what the user's account data m.push_rules holds (account_data_get of room 0), as it lies in the store; NULL:
 * nothing, that is the defaults. Something unreadable counts as NULL. Returns a reference. Does not block
 * (0.1 ms). */
struct push_rules *push_rules_compile(const char *stored);
struct push_rules *push_rules_ref(struct push_rules *rules); /* any thread */
void push_rules_unref(struct push_rules *rules);             /* any thread; NULL is accepted */

/* Whether some rule asks for the user's display name in the room; if not, push_viewer need not have it. */
bool push_rules_want_display_name(const struct push_rules *rules);

/* Whether a rule of the user's own asks for the sender's power level, whatever the event. (The default rules do so only
 * for events that mention @room.) */
bool push_rules_ask_power(const struct push_rules *rules);

/* What is known of an event when it is evaluated. Everything is borrowed until push_event_finish. */
struct push_facts {
    const char *type;
    const char *sender; /* user id */
    const char *room_id;
    const char *event_id;        /* may be NULL */
    const char *state_key;       /* NULL: not a state event */
    const char *content;         /* JSON text of the content, as the store has it; NULL: {} */
    const char *prev_content;    /* of the state that it replaces; NULL: none */
    int64_t members;             /* joined members of the room */
    int64_t sender_power;        /* power_of_user of the sender */
    const json_t *notifications; /* "notifications" of the room's power levels; NULL: none. Each absent level is 50 */
};

/* A property of the event as rules see it. */
enum push_kind { PUSH_ABSENT, PUSH_STRING, PUSH_INTEGER, PUSH_TRUE, PUSH_FALSE, PUSH_NULL, PUSH_ARRAY, PUSH_OTHER };
struct push_value {
    enum push_kind kind;
    uint32_t len;  /* bytes at s */
    int64_t n;     /* PUSH_INTEGER */
    const char *s; /* PUSH_STRING: the value, unescaped; PUSH_ARRAY: its JSON text; not NUL-terminated */
};

/* Properties that are taken out of the event beforehand. */
enum push_slot {
    PUSH_TYPE,
    PUSH_SENDER,
    PUSH_ROOM_ID,
    PUSH_EVENT_ID,
    PUSH_STATE_KEY,
    PUSH_BODY,          /* content.body */
    PUSH_MSGTYPE,       /* content.msgtype */
    PUSH_MEMBERSHIP,    /* content.membership */
    PUSH_MENTIONS_ROOM, /* content.m\.mentions.room */
    PUSH_MENTIONS,      /* content.m\.mentions.user_ids */
    PUSH_REL_TYPE,      /* content.m\.relates_to.rel_type */
    PUSH_SLOT__COUNT
};

struct push_event {
    struct push_facts facts;
    struct push_value slots[PUSH_SLOT__COUNT];
    size_t content_len;
    const char *body_folded;           /* slots[PUSH_BODY] with its case folded; NULL: no body */
    const struct push_value *mentions; /* the strings in slots[PUSH_MENTIONS], sorted */
    size_t n_mentions;
    void *memory; /* one block for all of it; NULL: not needed */
};

/* Any content is accepted; what cannot be read is absent. */
void push_event_init(struct push_event *event, const struct push_facts *facts);
void push_event_finish(struct push_event *event); /* NULL is accepted */

/* For whom the question is asked. */
struct push_viewer {
    const char *user_id;
    const char *display_name; /* in this room; NULL: none, or not wanted by the rules */
};

/* The first rule that matches. Pointers are borrowed from the rules. */
struct push_result {
    bool notify;         /* counts as an unread notification, and goes to the pushers */
    bool highlight;      /* … and as a highlight; never without notify */
    bool asked_power;    /* some rule looked at the sender's power level on the way */
    const char *rule_id; /* NULL: none matched, or the event is the user's own */
    const char *actions; /* the rule's actions as JSON text; "[]" if none matched */
    const char *tweaks;  /* its tweaks as a JSON object, as a push gateway wants them: "{\"sound\":\"default\"}" */
};

/* Own events (sender = viewer) never notify. Does not block or allocate, except for a rule that has a wildcard on a
 * long property other than the body; well under a microsecond for the default rules. Any thread. */
struct push_result push_evaluate(const struct push_rules *rules, const struct push_event *event,
                                 const struct push_viewer *viewer);

#endif
