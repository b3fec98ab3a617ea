/* What an event is to the school's rules, and whether it says anything: pure.
 *
 * Rules ask for kinds (F4: who starts a poll, E9: what is written in clear) and for words (F3: what counts in quiet
 * hours). What says nothing is listed, member by member, and everything else says something: an unknown type, an
 * unknown member of a known type, a text where an id belongs. So a new type, or words put where none are expected,
 * count until somebody decides otherwise. */
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
    EVENT_CALL, /* starts one, or goes on with it */
    EVENT_CALL_END,
    EVENT_CALL_MEMBER, /* state: who is in a call */
};

enum event_kind event_kind_of(const char *type); /* NULL: EVENT_OTHER */

/* Whether an event of that type and content says nothing: a reaction that is one emoji, a vote, a redaction without a
 * reason, a member event without one, the end of a call. content NULL: not known yet; then of such a type the usual. */
bool event_is_wordless(const char *type, const json_t *content);

/* F6: a message that says that it is urgent, by the member URGENT_KEY of its content: {"reason": "…"}. */
#define URGENT_KEY "org.parta.urgent"
bool event_is_urgent(const char *type, const json_t *content);
const char *urgent_reason(const json_t *content); /* NULL: none is given */

#endif
