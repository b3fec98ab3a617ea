/* Digests: whoever wants marks once a day or once a week is told them in one message over all their children, in a room
 * of their own, at the school's hour.
 *
 * What a record says is not kept for it. A change is owed to the person (state.h: ids), and when the digest is due the
 * diaries are read as ever: what is owed is looked up in the next whole reading of each, and what is gone by then is
 * not told. So a digest needs the window: who is owed something that is about to leave it gets the digest earlier. Of a
 * diary that comes by itself (the webhook) nothing can be looked up: its changes are counted.
 *
 * A digest is begun by giving all that is owed a number, in one commit; sent under a transaction id that follows from
 * person and number; and noted as sent. A kill between any two repeats nothing and loses nothing. Whose guardian a
 * person is, and whose pupil, is asked of the school when it is sent. */
#ifndef PARTA_DIARY_DIGEST_H
#define PARTA_DIARY_DIGEST_H

#include "appservice/diary/sink_matrix_private.h"

struct digests;

struct digests *digests_create(void);          /* empty, never NULL: all that must not be lost lies in the state */
void digests_destroy(struct digests *digests); /* wipes what was read; NULL is accepted */

/* Begins what is due, looks up what is owed, and sends what is whole. Blocks (network, disk). */
bool digests_read(struct digests *digests, struct sink_matrix *m, const struct has_read *read);

#endif
