/* The sink that speaks in rooms: an application service's bot, over the public APIs alone.
 *
 * A mark goes into a room of the bot's with the child and its guardians, an absence into one with the guardians;
 * guardians who are told apart (D9, custody "separate") have one each, and the child one without them. What is of a
 * class goes into its room. Who that is, is asked of the school API for each notice, and before anything is said in a
 * room of its own whoever is there and should not be is put out; whom the server's rules keep out is told nowhere
 * else: the record becomes a problem. A correction is an edit (m.replace), a withdrawal redacts the message and its
 * edits. New marks of one lesson are one message; its edits say the others again as the reading has them, so nothing of
 * them need be kept.
 *
 * A kill at any moment: a room is made with nobody in it and with what it is for in its state (parta.diary.room), so it
 * is found again if it was not noted; what is said is noted before with its transaction id, which the homeserver knows.
 * New messages in clear are said many at once (sink_outbox.h). On disk there are ids, never what is said. */
#ifndef PARTA_DIARY_SINK_MATRIX_H
#define PARTA_DIARY_SINK_MATRIX_H

#include <stdbool.h>

#include "appservice/diary/settings.h"
#include "appservice/diary/sink.h"

struct sink_matrix;

/* NULL: *problem says why. The state is opened once more, beside the bridge's. */
struct sink_matrix *sink_matrix_open(const struct diary_settings *settings, struct text *problem);
/* For who will tell: the bot's device. false: *problem. Blocks (disk). */
bool sink_matrix_start(struct sink_matrix *m, struct text *problem);
void sink_matrix_close(struct sink_matrix *m);                             /* blocks (network); NULL is accepted */
enum sink_answer sink_matrix_tell(void *m, const struct notice *notice);   /* blocks (network) */
enum sink_answer sink_matrix_finish(void *m, const struct notice *notice); /* blocks (disk, network) */
void sink_matrix_begin(void *m);
void sink_matrix_expect(void *m, const struct notice *notice);

/* For struct sink. Both block (network, disk). */
bool sink_matrix_hear(void *m, const json_t *event);
bool sink_matrix_has_read(void *m, const struct has_read *read);

/* By what the homeserver shows that it is itself: it follows from the application service's token. */
#define HS_TOKEN_BYTES 65
void sink_hs_token(const char *as_token, char out[HS_TOKEN_BYTES]);

/* Appends the registration file of the application service, secrets included. */
bool sink_matrix_registration(const struct diary_settings *settings, struct text *out, struct text *problem);

/* The bot applies by the token of a school link, so that an office can let it in. Blocks. */
bool sink_matrix_apply(struct sink_matrix *m, const char *link, struct text *problem);

#endif
