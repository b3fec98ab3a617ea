/* Events completed beside a job, on another core.
 *
 * What an event's row and its room's state need at once is its position. Its hashes and its id can come a little later
 * (pdu.h), as long as events of a room are hashed in their order, because each names the one before. A job that makes
 * many events gives them away in batches and waits for each batch before it writes it: nothing without an id is ever on
 * disk.
 *
 * A batch is hashed by one thread, after the batches given before it: the hasher's, or whoever waits for one that it
 * has not begun. Without a second core, or when the thread could not be started, it is merely slower. */
#ifndef PARTA_ROOMS_PDU_PDU_BATCH_H
#define PARTA_ROOMS_PDU_PDU_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/rooms/pdu/pdu.h"

struct pdu_hasher;

struct pdu_batch_item {
    struct pdu *pdu; /* completed as by pdu_finish; with all that it borrows untouched until pdu_hasher_wait */
    bool follows;    /* its prev_event is the item before, also of the batch before; else pdu has its id */
};

struct pdu_batch {
    struct pdu_batch_item *items;
    size_t n;
    /* The rest is the hasher's. */
    size_t number;
    bool queued, hashed, failed;
    struct pdu_batch *next;
};

/* Both are borrowed. The thread starts with the second batch. Never NULL. */
struct pdu_hasher *pdu_hasher_create(const char *key_id, const char *server_name);
void pdu_hasher_destroy(
    struct pdu_hasher *hasher); /* NULL is accepted; batches given and not waited for stay as they are */

/* items and n are set. */
void pdu_hasher_give(struct pdu_hasher *hasher, struct pdu_batch *batch);

/* Returns when all of the batch is complete; then it can be filled and given again. Batches are waited for in the order
 * they were given. false: one of the events is too large (pdu.h), and none may be used. */
bool pdu_hasher_wait(struct pdu_hasher *hasher, struct pdu_batch *batch);

#endif
