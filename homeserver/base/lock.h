/* The one lock on a data directory.
 *
 * partad keeps much of the database in memory, so that a second process that writes behind its back would leave it
 * answering from the past. Whoever writes the database therefore holds this lock: partad while it runs, `parta` while
 * it makes a user or imports a roster. Reading and backing up need no lock. The lock goes with its process, however it
 * ends. */
#ifndef PARTA_BASE_LOCK_H
#define PARTA_BASE_LOCK_H

#include <stdbool.h>

#include "homeserver/base/text.h"

/* Whether this process may make files in the folder that its owner can open: it is the owner's, or a user's who may
 * write there, or the folder is not there yet. Root may write everywhere, and would leave behind what the server's user
 * cannot read: false for root where another owns the folder, and for whoever may not write there. Then the owner's name
 * is added to owner. */
bool lock_folder_is_own(const char *folder, struct text *owner);

/* Takes the lock on path without waiting (the file is made when missing). Returns a descriptor to hold, to be closed by
 * lock_release; −1: another process holds it; −2: the file can't be opened (logged). */
int lock_take(const char *path);
void lock_release(int lock); /* negative: nothing */

#endif
