/* The one lock on a data directory.
 *
 * partad keeps much of the database in memory, so that a second process that writes behind its back would leave it
 * answering from the past. Whoever writes the database therefore holds this lock: partad while it runs, `parta` while
 * it makes a user or imports a roster. Reading and backing up need no lock. The lock goes with its process, however it
 * ends. */
#ifndef PARTA_BASE_LOCK_H
#define PARTA_BASE_LOCK_H

/* Takes the lock on path without waiting (the file is made when missing). Returns a descriptor to hold, to be closed by
 * lock_release; −1: another process holds it; −2: the file can't be opened (logged). */
int lock_take(const char *path);
void lock_release(int lock); /* negative: nothing */

#endif
