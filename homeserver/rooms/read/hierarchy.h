/* The tree of a space: its rooms, their rooms, depth first (Client-Server API, "Spaces").
 *
 * A room is shown once, and only to who may see its summary (rooms/read/summary.h) and, in school mode, may know of it
 * (school.md A1); what cannot be seen is not entered either. */
#ifndef PARTA_ROOMS_READ_HIERARCHY_H
#define PARTA_ROOMS_READ_HIERARCHY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct render;

#define HIERARCHY_ROOMS_MAX 2000 /* looked at for one answer */

/* The token of the next page carries what must not change from page to page: "h<rooms before>_<depth>_<suggested>". */
struct hierarchy_token {
    size_t from; /* up to 999999 */
    int64_t max_depth;
    bool suggested_only;
};
void hierarchy_token_add(struct text *out, const struct hierarchy_token *token); /* appends */
bool hierarchy_token_parse(const char *s, struct hierarchy_token *out);          /* false: we write none like it */

struct hierarchy_wanted {
    room_no root;
    user_no user;
    bool school_mode;
    bool suggested_only;
    int64_t max_depth;  /* 0: the root alone */
    size_t from, limit; /* which of the rooms in order */
};

/* Appends the rooms as a JSON array. *more: there are further ones. false: the root itself cannot be seen; nothing is
 * appended. Blocks (reads). */
bool hierarchy_render(struct text *out, const struct render *how, const struct hierarchy_wanted *wanted, bool *more);

#endif
