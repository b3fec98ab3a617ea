/* What an event is to the school's rules, and whether it says anything: pure.
 *
 * Rules ask for kinds (F4: who starts a poll, E9: what is written in clear) and for words (F3: what counts in quiet
 * hours). What says nothing is listed, member by member, and everything else says something: an unknown type, an
 * unknown member of a known type, a text where an id belongs. So a new type, or words put where none are expected,
 * count until somebody decides otherwise. An id is no exception: whoever sends an event writes it, and it says nothing
 * only where it names something that is there (struct event_names). */
#ifndef PARTA_POLICY_RULES_EVENT_TYPES_H
#define PARTA_POLICY_RULES_EVENT_TYPES_H

#include <jansson.h>
#include <stdbool.h>

enum event_kind {
    EVENT_OTHER,
    EVENT_MESSAGE,
    EVENT_ENCRYPTED,  /* what it says nobody knows: words */
    EVENT_ENCRYPTION, /* turns it on */
    EVENT_POLL_START,
    EVENT_POLL_VOTE,
    EVENT_POLL_END,
    EVENT_REACTION,
    EVENT_REDACTION,
    EVENT_MEMBER,
    EVENT_CREATE, /* these five: state that makes a room */
    EVENT_POWER_LEVELS,
    EVENT_JOIN_RULES,
    EVENT_VISIBILITY,
    EVENT_GUEST_ACCESS,
    EVENT_CALL, /* starts one, or goes on with it */
    EVENT_CALL_END,
    EVENT_CALL_MEMBER, /* state: who is in a call */
    EVENT_ALIASES,     /* state of old rooms */
    EVENT_BEACON_INFO, /* state: somebody lets others follow where they are */
};

enum event_kind event_kind_of(const char *type);           /* NULL: EVENT_OTHER */
const char *event_type_of(enum event_kind kind, size_t i); /* its i-th type, or alias; NULL: there are no more */

/* What an id in an event can name. */
enum event_named {
    NAMED_EVENT,  /* an event of the room; of the room `of`, where one is given */
    NAMED_ANSWER, /* of the poll whose event id is `of` */
    NAMED_CALL,   /* a call that was begun in the room */
    NAMED_PARTY,  /* of the call `of` */
    NAMED_STATE,  /* a state key that the type `of` has in the room */
    NAMED_USER,   /* somebody who has an account here */
    NAMED_ROOM,   /* a room that is here */
};
struct event_names {
    bool (*there)(void *ctx, enum event_named what, const char *of, const char *id); /* may block (a read) */
    void *ctx;
};

/* Whether an event of that type and content says nothing: a reaction that is one emoji, a vote, a redaction without a
 * reason, a member event without one, the end of a call. content NULL: not known yet; then of such a type the usual.
 * names NULL: ids are only looked at, and those of the right form say nothing. */
bool event_is_wordless(const char *type, const char *state_key, const json_t *content, const struct event_names *names);

/* Whether a state event is the frame of a room as the presets make it: who made it, who is in it, who may do what. What
 * else a client puts there (a type, a predecessor, a list of rooms, a power level for words) says something. */
bool event_is_frame(const char *type, const char *state_key, const json_t *content, const struct event_names *names);

/* G4: of what a redaction leaves (Client-Server API, "Redactions"): the type, the state key and some members of the
 * content. What somebody writes there stays when they are erased. Whether all of it is a value of the specification,
 * the id of something that is there, or a short name for machines. content NULL: not known. */
bool event_lasting_is_wordless(const char *type, const char *state_key, const json_t *content,
                               const struct event_names *names);

/* Takes from the content what of it a redaction would leave although it is none of that. */
void event_lasting_clean(const char *type, json_t *content, const struct event_names *names);

/* F6: a message that says that it is urgent, by the member URGENT_KEY of its content: {"reason": "…"}. */
#define URGENT_KEY "org.parta.urgent"
bool event_is_urgent(const char *type, const json_t *content);
const char *urgent_reason(const json_t *content); /* NULL: none is given */

#endif
