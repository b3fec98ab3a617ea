/* The tokens of /sync and of pages of messages: "s" and a position. The token P stands after the event at P and before
 * everything later, for next_batch, since, prev_batch, from and to alike. */
#ifndef PARTA_ROOMS_READ_TOKEN_H
#define PARTA_ROOMS_READ_TOKEN_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

bool token_parse(const char *s, stream_pos *out); /* false: not a token */
void token_add(struct text *out, stream_pos pos); /* s12, without quotes */

#endif
