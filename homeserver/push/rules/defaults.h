/* The server-default push rules (Client-Server API, "Predefined Rules", v1.19), and those of polls (MSC3930) and calls
 * of rooms (MSC3914) under the names that clients know, which match all names of these types
 * (policy/rules/event_types.def); as JSON text.
 *
 * Where the specification says "the user's Matrix ID" the text has PUSH_DEFAULTS_ME, which push/rules/document.c
 * replaces for display and push/rules/evaluate.c compiles into a question about whoever asks. */
#ifndef PARTA_PUSH_RULES_DEFAULTS_H
#define PARTA_PUSH_RULES_DEFAULTS_H

#define PUSH_DEFAULTS_ME "@me" /* not a user id: it has no server */

/* {"override": [rule, …], "underride": [rule, …]}, in the order in which rules are tried. */
extern const char PUSH_DEFAULTS[];

#endif
