/* What a person's push rules come to in one room: rules that cannot match there are left out, conditions that hold
 * there always too, and so are names and sounds. People whose rules come to the same are told apart by nothing that
 * counts, so that what notifies is found out for them together (sync/notified.h). */
#ifndef PARTA_PUSH_RULES_SCOPE_H
#define PARTA_PUSH_RULES_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"

struct push_rules;

struct push_scope {
    unsigned char digest[BLAKE2B_BYTES]; /* equal digests: equal answers, but for whoever is mentioned or invited */
    bool notifies;                       /* some rule may; false: nothing here ever does (a muted room) */
};

/* members: joined members of the room now. display_name: the person's there, NULL: none, or not wanted by the rules.
 * Never blocks (some µs where a rule names the room, or counts to its number of members; else it is known already). */
void push_rules_scope(const struct push_rules *rules, const char *room_id, int64_t members, const char *display_name,
                      struct push_scope *out);

/* Finds out beforehand what most rooms ask; once all else of the rules is compiled (push/rules/compile.c). */
void push_rules_keep_scopes(struct push_rules *rules);

#endif
