/* What the files of the state share. */
#ifndef PARTA_DIARY_STATE_PRIVATE_H
#define PARTA_DIARY_STATE_PRIVATE_H

#include <stdbool.h>

struct db;

struct state {
    struct db *db;
    bool held; /* what is begun and committed goes into one transaction (state_hold) */
    bool lost; /* it failed */
};

/* Of records that are forgotten. */
void state_messages_forget(struct state *state);
void state_owed_forget(struct state *state);
void state_absences_forget(struct state *state);

#endif
