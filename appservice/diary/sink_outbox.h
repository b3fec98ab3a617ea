/* New messages of many notices, said together, because a commit and an answer of the homeserver each take as long as a
 * dozen of them do.
 *
 * While notices begin, what is noted of them (rooms, places, transaction ids, what is owed) is held in one transaction
 * of the state. outbox_send commits it, and only then encrypts those of encrypted rooms, all of them in one commit
 * (crypto.h), and sends: to several rooms at once, within a room one after the other, in the order in which they came.
 * Which events they became is one more commit. So a kill leaves either nothing of a message, or its transaction id,
 * under which it is sent again and stands once; a message that is known to be none is forgotten. What does not fit in
 * here (edits, redactions, absences) has outbox_send called first, and is said by itself. */
#ifndef PARTA_DIARY_SINK_OUTBOX_H
#define PARTA_DIARY_SINK_OUTBOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "appservice/diary/compare.h"
#include "appservice/diary/matrix_client.h"
#include "appservice/diary/sink.h"
#include "appservice/diary/sink_crypto.h"

#define OUTBOX_MAX COMPARE_BATCH
#define OUTBOX_AT_ONCE 16
#define OUTBOX_HOLD_MS 500 /* so long the state is held, with one brief request, and what began meanwhile waits */

struct outbox;
struct state;

/* What became of the parts of a notice. */
struct outcome {
    bool told, refused, later, doubt;
};
/* {0} is nothing yet. Each part's answer is added, in any order: doubt wins, then later, then refused. */
void outcome_note(struct outcome *outcome, enum matrix_answer answer);
void outcome_join(struct outcome *outcome, const struct outcome *other);
enum sink_answer outcome_answer(const struct outcome *outcome);

/* state, client and crypto: the caller's. */
struct outbox *outbox_create(struct state *state, const struct matrix_client *client, const struct sink_crypto *crypto);
void outbox_destroy(struct outbox *outbox); /* NULL is accepted */

/* A notice begins: the state is held from now on, *outcome is what its messages add to, until outbox_finish. false: no
 * place. May block, as outbox_send. */
bool outbox_begin(struct outbox *o, const struct notice *notice, struct outcome **outcome);

/* Before a message is noted and added: a place for it, and the state held. May block, as outbox_send. */
void outbox_make_room(struct outbox *o);
/* A message that has been noted: txn is its root. lock: what is in it is taken; NULL: the room is in clear. */
struct outbox_message {
    const char *room_id, *txn;
    struct room_lock *lock;
};
void outbox_add(struct outbox *o, struct outcome *outcome, const struct outbox_message *message,
                json_t *content); /* taken */
/* outcome is also that of the message root, which holds its record too. false: that is not in here (any more). May
 * block, as outbox_send. */
bool outbox_ride(struct outbox *o, struct outcome *outcome, const char *root);
bool outbox_has(const struct outbox *o, const char *root);

/* As struct matrix_client's let_go: what is noted is on disk before a request that may take long, so that
 * others can write meanwhile (state_hold). Blocks (disk). */
bool outbox_let_go(struct outbox *outbox, bool patient);

/* Once after what was noted could not be kept: whatever was learnt with it is not known any more, rooms neither. */
bool outbox_take_loss(struct outbox *o);

/* Whatever is in here is sent, and the state not held any more. Blocks (disk, network). */
void outbox_send(struct outbox *o);

/* After outbox_send: what became of a notice that has begun. */
enum sink_answer outbox_finish(struct outbox *o, const struct notice *notice);

#endif
