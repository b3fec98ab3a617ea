/* What the files of the sink that speaks in rooms share. */
#ifndef PARTA_DIARY_SINK_MATRIX_PRIVATE_H
#define PARTA_DIARY_SINK_MATRIX_PRIVATE_H

#include <jansson.h>
#include <stdint.h>

#include "appservice/diary/family.h"
#include "appservice/diary/matrix_client.h"
#include "appservice/diary/notice_text.h"
#include "appservice/diary/settings.h"
#include "appservice/diary/sink.h"
#include "appservice/diary/sink_crypto.h"
#include "appservice/diary/sink_matrix.h"
#include "appservice/diary/sink_outbox.h"
#include "appservice/diary/state.h"

#define FAMILY "family"
#define GUARDIANS "guardians"
#define CHILD "child" /* who is told before the guardians */
#define PERSON                                                                                                         \
    "person"         /* the child is the person: what is said to them alone. Other audiences: the one guardian's id */
#define PEOPLE_MAX 8 /* of a family: the child, and at most two guardians (D5) */
#define LINKS_MAX 16
#define WIRE_TXN_BYTES (TXN_BYTES + 20)

struct sink_matrix {
    const struct diary_settings *settings;
    struct state *state;
    struct matrix_client client;
    struct sink_crypto crypto;
    struct outbox *outbox;
    char *room_state_of;   /* the room whose state is known; NULL: none */
    int64_t room_state_ms; /* clock_mono_ms: since when at least */
    json_t *room_state;    /* its events */
    struct families families;
    char *school_token, *as_token;
    char *bot;           /* its user id; NULL: not asked yet */
    bool swept;          /* rooms that were made and not noted are found */
    json_t *class_rooms; /* sourcedId of the class → room id */
    int64_t class_rooms_until_ms;
    void *times; /* what waits for its time (times.c), and what frees it; NULL: nothing yet */
    void (*close_times)(void *times);
    char *link_words;
    const char *link_hosts[LINKS_MAX];
    struct notice_links links;
};

/* Who is to read in a room; borrowed. */
struct audience {
    const char *name, *child, *given_name; /* given_name "": the room is called without one */
    const char *who[PEOPLE_MAX];
    size_t n;
    int64_t since_ms[PEOPLE_MAX]; /* of each of them: when they came to be of those who are told; 0: not known */
};

/* All block (network). */

/* "/rooms/{room}" and rest. content is taken; reply may be NULL. */
enum matrix_answer sink_room_call(struct sink_matrix *m, const char *method, const char *room_id, const char *rest,
                                  json_t *content, json_t **reply);
/* A path of the school API, and an id behind it, escaped. */
enum matrix_answer sink_ask_school(struct sink_matrix *m, const char *path, const char *id, json_t **reply);
bool sink_know_oneself(struct sink_matrix *m);

/* Pure, of answers of the school API: /people/{id} and /guardianships. */
bool sink_is_pupil_here(const struct sink_matrix *m, const json_t *person);
bool sink_is_guardian(const json_t *guardianships, const char *child,
                      const char *user_id); /* in force, no no_contact */

/* One transaction id for each thing that is done for a notice, or whatever else has one. */
void sink_wire_txn(const char *txn, const char *of, char out[WIRE_TXN_BYTES]);

/* The room of the audience, with them and nobody else in it: *room_id, heap. REFUSED: none of them is there. */
enum matrix_answer sink_room(struct sink_matrix *m, const struct audience *a, char **room_id);

/* The class's room, or that of its guardians, which the office has named the bot for (E7); it enters when it first
 * speaks. *room_id: borrowed until the next call. REFUSED: there is none where it may be. */
enum matrix_answer sink_class_room(struct sink_matrix *m, const char *class_id, bool guardians, const char **room_id);

/* The content of an edit of a message: now is taken. Pure. */
json_t *sink_edit_of(json_t *now, const char *original);

/* Tells the guardians of a child what it was told before (diary.pupil_first_hours). */
enum sink_answer sink_tell_late(struct sink_matrix *m, const struct notice *notice, const char *child);

/* Says it once under the transaction id, encrypted where the room is. content is taken; *event_id: heap when DONE,
 * may be NULL. */
enum matrix_answer sink_say(struct sink_matrix *m, const char *room_id, const char *txn, json_t *content,
                            char **event_id);

#endif
