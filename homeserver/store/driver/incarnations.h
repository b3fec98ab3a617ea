/* Incarnations of the stream: each run of the server over its database draws a number that no other run has, and every
 * token it gives to clients carries it (rooms/read/token.h), sealed with a key that the run drew, too. A position alone
 * would say nothing: a database that was put back from a copy, by whatever means, hands out again the positions that
 * the lost one gave to other changes, and a client with a token of then would miss them without a word.
 *
 * The database knows which incarnations it has seen and how far each went: a position of one that it does not know, or
 * beyond its end, was given by a database that is no more. The end of a run that is over is what was reserved for it
 * (writer.c); of the run in which `parta backup` took a copy, in the copy, the last position that the copy holds. */
#ifndef PARTA_STORE_DRIVER_INCARNATIONS_H
#define PARTA_STORE_DRIVER_INCARNATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct incarnations;

/* 0: of all before there were incarnations, and of a process that has not begun one. */
typedef int64_t incarnation_no;

/* On the write connection, before the writer's thread runs: says that the last run has ended at reserved, and reads the
 * rows. NULL: the database failed. */
struct incarnations *incarnations_load(struct db *db, stream_pos reserved);

/* In a transaction, once, before anybody reads: this run is one of its own. false: it failed. */
bool incarnations_begin(struct incarnations *in, struct db *db, int64_t now_ms);
void incarnations_destroy(struct incarnations *in); /* NULL is accepted */

/* Any thread, without a lock. */
incarnation_no incarnations_current(const struct incarnations *in);

/* SEAL_KEY_BYTES with which that run sealed what it gave away (base/seal.h); NULL: the run is not known, or it was
 * before there were keys, and gave bare numbers. Of the current one never NULL. Borrowed. */
const unsigned char *incarnations_key(const struct incarnations *in, incarnation_no no);
uint64_t incarnations_nonce(struct incarnations *in); /* the next one for the current key */

/* Whether that run may have given pos away. If not, *shared is a position up to which the database that did and this
 * one may be the same: whatever is later here, nobody who was told of pos has seen. */
bool incarnations_know(const struct incarnations *in, incarnation_no no, stream_pos pos, stream_pos *shared);

#endif
