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
    struct matrix_client device_client; /* the same for the bot's device, whose thread holds nothing */
    struct sink_crypto crypto;
    struct outbox *outbox;
    char *room_state_of;   /* the room whose state is known; NULL: none */
    int64_t room_state_ms; /* clock_mono_ms: since when at least */
    json_t *room_state;    /* its events */
    struct families families;
    char *school_token, *as_token;
    char *bot;             /* its user id; NULL: not asked yet */
    bool swept;            /* rooms that were made and not noted are found */
    int64_t rooms_from_ms; /* clock_mono_ms: none is made before: the bot is refused, or an answer was lost */
    char *unread;          /* the event that could not be read the last time; NULL: none */
    int unread_tries;
    int64_t unread_left_ms; /* clock_mono_ms: until then what cannot be read is left */
    json_t *class_rooms;    /* sourcedId of the class → room id */
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

/* One notice on its way. */
struct telling {
    struct sink_matrix *m;
    const struct notice *notice;
    struct place *places; /* where it stood when it began */
    size_t n_places;
    bool *stays;                       /* of each of them: its room is one where it belongs */
    enum { TELL_ALL, TELL_LATE } whom; /* TELL_LATE: guardians who are told later than the child */
    struct outcome *waits;             /* it may wait in the outbox, and what became of it there; NULL: it may not */
    struct outcome outcome;
};

/* One thing that the bot says: a message (txn is root) or an edit of it. */
struct saying {
    const char *room_id, *root, *txn;
};

/* Those that answer, or note an outcome, block (network). */

/* --- Rooms (sink_rooms.c) --- */

/* "/rooms/{room}" and rest. content is taken; reply may be NULL. */
enum matrix_answer sink_room_call(struct sink_matrix *m, const char *method, const char *room_id, const char *rest,
                                  json_t *content, json_t **reply);
/* A path of the school API, and an id behind it, escaped. */
enum matrix_answer sink_ask_school(struct sink_matrix *m, const char *path, const char *id, json_t **reply);
bool sink_know_oneself(struct sink_matrix *m);

/* The room's state is in m->room_state until it is forgotten, and a room of the bot's own has the encryption that the
 * setting asks for. */
enum matrix_answer sink_secure(struct sink_matrix *m, const char *room_id);
void sink_forget_state(struct sink_matrix *m);

/* Until the next reading, or for a while: nobody could be asked into them. sink: struct sink_matrix. */
void sink_make_no_rooms(void *sink);

bool sink_is_of(const struct audience *a, const char *user_id); /* pure */

/* The audience's room: heap, when DONE. It is noted before anybody is asked into it. */
enum matrix_answer sink_room_of(struct sink_matrix *m, const struct audience *a, char **room_id);
/* Puts out whoever is in the room and not of the audience. REFUSED: somebody stays whom the bot can't put out. A room
 * that it is not in is seen to: nothing is said there. */
enum matrix_answer sink_put_out(struct sink_matrix *m, const char *room_id, const struct audience *a);
/* Makes the room's members those of the audience. true: it may be spoken there. */
bool sink_gather(struct telling *t, const char *room_id, const struct audience *a);

/* The room of the audience, with them and nobody else in it: *room_id, heap. REFUSED: none of them is there. */
enum matrix_answer sink_room(struct sink_matrix *m, const struct audience *a, char **room_id);

/* --- What is sent (sink_say.c) --- */

/* One transaction id for each thing that is done for a notice, or whatever else has one. */
void sink_wire_txn(const char *txn, const char *of, char out[WIRE_TXN_BYTES]);

/* Says it once under the transaction id, encrypted where the room is. content is taken; *event_id: heap when DONE,
 * may be NULL. */
enum matrix_answer sink_say(struct sink_matrix *m, const char *room_id, const char *txn, json_t *content,
                            char **event_id);

/* These three: of what was noted before, so that a kill repeats nothing; content is taken. */
enum matrix_answer sink_say_noted(struct sink_matrix *m, const struct saying *s, json_t *content);
enum matrix_answer sink_say_edit(struct sink_matrix *m, const struct saying *s, json_t *content);
enum matrix_answer sink_redact(struct telling *t, const struct saying *s);

/* The content of an edit of a message, a new reference: now is taken. Pure. */
json_t *sink_edit_of(json_t *now, const char *original);

/* --- Messages and their records (sink_messages.c) --- */

/* The room is one where the notice belongs: what stands there is not taken back. Where that is; NULL: nothing is. */
const struct place *sink_stays(struct telling *t, const char *room_id);
/* Into a room where the notice belongs: a new message, an edit of the one in which it stands, or nothing if that says
 * it already. given_name: the child's; NULL: of a class. */
void sink_tell_room(struct telling *t, const char *room_id, const char *given_name);
/* The message without the record, if others stand in it; otherwise it is redacted with its edits. */
void sink_take_back(struct telling *t, const struct place *place);

/* --- Families (sink_families.c) --- */

/* A mark, an absence of that child: into the rooms of the child and the guardians (I2, D9). What became of it is added
 * to t->outcome; a child who is no pupil here any more is refused. */
void sink_tell_family(struct telling *t, const char *child);
/* The guardians whose guardianship counts, of what GET /guardianships says; *separate: they are
 * told apart (D9). Pure. */
void sink_take_guardians(const json_t *guardianships, const char *child, struct audience *guardians, bool *separate);

/* Pure, of answers of the school API: /people/{id} and /guardianships. */
bool sink_is_pupil_here(const struct sink_matrix *m, const json_t *person);
bool sink_is_guardian(const json_t *guardianships, const char *child,
                      const char *user_id); /* in force, no no_contact */

/* --- Who has parted (sink_apart.c) --- */

/* Puts out of every room of the child's who may not be in it any more (D9, I2): that of guardians who are told apart
 * now, also where nothing is said to them. Asks once for each change of what the school says of them. Before anything
 * more is said of the child. REFUSED: somebody stays in one of the rooms; asked again the next time. */
enum matrix_answer sink_keep_apart(struct sink_matrix *m, const char *child, const struct audience *guardians,
                                   bool separate);
/* Of all the children, in the evening: a guardianship may have ended of whom nothing is said for months. */
void sink_keep_all_apart(struct sink_matrix *m, int64_t now_ms);

/* --- Classes (sink_classes.c) --- */

/* What is of a class; of its timetable the guardians hear, too, where the bot is in their room. */
void sink_tell_class(struct telling *t, const char *class_id);

/* The class's room, or that of its guardians, which the office has named the bot for (E7); it enters when it first
 * speaks. *room_id: borrowed until the next call; NULL: there is none. REFUSED: there is none where it may be. */
enum matrix_answer sink_class_room(struct sink_matrix *m, const char *class_id, bool guardians, const char **room_id);

/* Tells the guardians of a child what it was told before (diary.pupil_first_hours). */
enum sink_answer sink_tell_late(struct sink_matrix *m, const struct notice *notice, const char *child);

#endif
