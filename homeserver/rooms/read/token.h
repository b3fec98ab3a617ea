/* Tokens: positions and places in lists, as clients get them and give them back.
 *
 * The token of /sync and of pages of messages means a position of the stream: it stands after the event at P and before
 * everything later, for next_batch, since, prev_batch, from and to alike. All schools share the stream, so a position
 * that could be read would count what they all do (A1): a token is "t", the position sealed for its person
 * (base/seal.h), "-" and the number of the incarnation that gave it away, whose key it is
 * (store/driver/incarnations.h). No two are alike. What is somebody else's is none.
 *
 * Before there were keys, a token was the bare number, "s12-345". Those of runs of then are taken. */
#ifndef PARTA_ROOMS_READ_TOKEN_H
#define PARTA_ROOMS_READ_TOKEN_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct incarnations;

enum token {
    TOKEN_NONE, /* not a token of this person's */
    TOKEN_GOOD,
    TOKEN_LOST, /* of what the database was before it was put back from a copy; *out: up to where
                 * both may be the same */
};

/* Also the number alone behind an "s", of before tokens were sealed, and a connection's pos. *out means nothing where
 * it answers TOKEN_NONE. */
enum token token_parse(const char *s, const struct incarnations *in, user_no whose, stream_pos *out);
void token_add(struct text *out, struct incarnations *in, user_no whose, stream_pos pos); /* without quotes */

/* The same for where a page of a list ends: any number from 0 on, "c" instead of "t". false: not one of this
 * person's, or of a database that is no more. */
bool token_parse_cursor(const char *s, const struct incarnations *in, user_no whose, int64_t *out);
void token_add_cursor(struct text *out, struct incarnations *in, user_no whose, int64_t number);

/* The same for what tells others who somebody is: "o", and nobody's of its own. number: what it is, from 0 on. */
bool token_parse_openid(const char *s, const struct incarnations *in, int64_t *out);
void token_add_openid(struct text *out, struct incarnations *in, int64_t number);

/* "pos" of sliding sync (MSC4186): "p", the position as a token of this person has it, what else is to be known of the
 * connection (any number from 0 on), sealed for the connection alone, "-" and the incarnation. Where a token of /sync
 * is taken so is it: token_parse knows it, too. */
struct token_pos {
    stream_pos pos;
    int64_t more;
};
enum token token_parse_pos(const char *s, const struct incarnations *in, user_no whose, int64_t connection,
                           struct token_pos *out);
/* Appends; sealed by the key of this run, with a nonce of its own each time. */
void token_add_pos(struct text *out, struct incarnations *in, user_no whose, int64_t connection,
                   const struct token_pos *what);
#define TOKEN_POS_MAX 96 /* characters of one */

#endif
