/* What is left of an event when it is redacted.
 *
 * Which keys stay depends on the room version and, in the content, on the type; both are rows of tables (redact.c).
 * Redaction is idempotent: redacting what was redacted changes nothing. The redacted form is also what is signed and
 * hashed into the event's id. (Room versions, "Redactions".) Nothing here blocks or keeps anything. */
#ifndef PARTA_ROOMS_PDU_REDACT_H
#define PARTA_ROOMS_PDU_REDACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/pdu/version.h"

enum redact_keeps {
    REDACT_KEEPS_NOTHING, /* the redacted content is {} */
    REDACT_KEEPS_SOME,    /* it has to be looked at */
    REDACT_KEEPS_ALL,     /* the content stays as it is */
};

/* What redaction leaves of the content of an event of this type, without looking at it. */
enum redact_keeps redact_keeps(const struct room_version *version, const char *type);

/* The i-th member of a content that redaction leaves in some version, and of which type of event; *key NULL: all.
 * false: there are no more. For whoever looks at each of them (school.md G4). */
bool redact_leaves(size_t i, const char **type, const char **key);

/* The redacted content: a new reference that the caller owns; the values are shared with
 * content. content: an object. */
json_t *redact_content(const struct room_version *version, const char *type, const json_t *content);

/* The same from canonical JSON to canonical JSON: appends. Parses only when some keys may stay. */
void redact_add_content(struct text *out, const struct room_version *version, const char *type, const char *content,
                        size_t len);

/* The redacted event in its federation format: a new reference that the caller owns. event: an object with a string
 * "type" (anything else counts as a type that keeps nothing). */
json_t *redact_event(const struct room_version *version, const json_t *event);

#endif
