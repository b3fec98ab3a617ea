/* A guardian's answer to an absence: a reason from the list, by one tap on a reaction or in plain words
 * (notice_text.h). It goes to the class teacher of the child, into the room that the bot has with that teacher, once; a
 * later answer of either guardian replaces it (an edit). Only who is a guardian of the child when it
 * is heard may answer. */
#ifndef PARTA_DIARY_ANSWERS_H
#define PARTA_DIARY_ANSWERS_H

#include "appservice/diary/sink_matrix_private.h"

struct answer {
    const char *room_id, *event_id, *sender; /* of the answer */
    const char *to;                          /* the event that it answers; NULL: the last absence of the room */
    int reason;
    bool english;
};

/* false: it answers nothing that was asked there. *done: it has had its effect; otherwise it comes again. Blocks. */
bool answers_hear(struct sink_matrix *m, const struct answer *answer, bool *done);

#endif
