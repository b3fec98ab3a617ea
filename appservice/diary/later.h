/* The child first, its guardians some hours later (diary.pupil_first_hours). What a mark says is not kept meanwhile:
 * that it is to be told is (state.h, ids), and when its time has come it is told as the next whole reading has it,
 * under the transaction id that it would have had. What is gone by then is not told; what is about to leave the window
 * is told earlier. */
#ifndef PARTA_DIARY_LATER_H
#define PARTA_DIARY_LATER_H

#include "appservice/diary/sink_matrix_private.h"

bool later_read(struct sink_matrix *m, const struct has_read *read); /* as struct sink's has_read; blocks (network) */

#endif
