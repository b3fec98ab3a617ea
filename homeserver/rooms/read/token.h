/* The tokens of /sync and of pages of messages: "s", a position, "-" and the number of the incarnation that gave it
 * away (store/driver/incarnations.h). The token of P stands after the event at P and before everything later, for
 * next_batch, since, prev_batch, from and to alike. */
#ifndef PARTA_ROOMS_READ_TOKEN_H
#define PARTA_ROOMS_READ_TOKEN_H

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct incarnations;

enum token {
    TOKEN_NONE, /* not a token */
    TOKEN_GOOD,
    TOKEN_LOST, /* of what the database was before it was put back from a copy; *out: up to where
                 * both may be the same */
};

enum token token_parse(const char *s, const struct incarnations *in, stream_pos *out);
void token_add(struct text *out, const struct incarnations *in, stream_pos pos); /* s12-345, without quotes */

#endif
