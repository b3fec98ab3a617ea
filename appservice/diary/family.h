/* What the school says of a child and of its guardians, asked of the school API when somebody is to be told.
 *
 * Several marks of a child come one behind the other: an answer holds for FAMILY_HOLDS_MS, so that a reading does not
 * ask the same of each, and never beyond the reading that asked (sink.h). Nobody is told by what is older. Who is
 * expected next is asked for together: one at a time, a school whose pupils have a mark each is beyond the rate limit
 * of an operator's token. */
#ifndef PARTA_DIARY_FAMILY_H
#define PARTA_DIARY_FAMILY_H

#include <jansson.h>

#include "appservice/diary/matrix_client.h"

#define FAMILY_HOLDS_MS 1000
#define FAMILIES_MAX 200 /* that are held at once */

struct families {
    json_t *held;     /* user id of the child → what is held of it */
    json_t *expected; /* user ids of children who are asked for soon; NULL: none */
};

/* Borrowed, until the next call. */
struct family {
    const json_t *person;        /* as GET /people/{userId} says */
    const json_t *guardianships; /* as GET /guardianships?user_id= says: of the child, and as a guardian */
};

/* client and families: the caller's. MATRIX_NOT_NOW, too, where nobody knows. Blocks (network). */
enum matrix_answer families_ask(struct families *families, const struct matrix_client *client, const char *child,
                                struct family *family);
/* The child is asked for soon. Pure. */
void families_expect(struct families *families, const char *child);
void families_finish(struct families *families);

#endif
