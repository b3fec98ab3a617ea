/* Who is in a child's rooms and may not be any more.
 *
 * What is said in a room is said to its audience, and that is gathered before (sink_rooms.c). Where nothing is said any
 * more nobody would be put out: of the room of both guardians once they are told apart (D9), or of any of a child of
 * whom nothing is told in summer. The server itself parts people by no_contact alone: it does not know whose the
 * bot's rooms are. */
#include "appservice/diary/sink_matrix_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/schedule.h"
#include "homeserver/base/log.h"

#define MARK_BYTES 16
#define EVENING "apart"

/* What the school says of them, as one word: of ids alone. */
static void mark_of(const struct audience *guardians, bool separate, char out[2 * MARK_BYTES + 1])
{
    unsigned char hash[MARK_BYTES], kind = separate;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, &kind, sizeof kind);
    for (size_t i = 0; i < guardians->n; ++i)
        crypto_generichash_update(&state, (const unsigned char *)guardians->who[i], strlen(guardians->who[i]) + 1);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, 2 * MARK_BYTES + 1, hash, sizeof hash);
}

/* Who may be in the room of that audience. */
static struct audience allowed(const char *audience, const char *child, const struct audience *guardians, bool separate)
{
    struct audience a = {.name = audience, .child = child};
    bool family = strcmp(audience, FAMILY) == 0, all = family || strcmp(audience, GUARDIANS) == 0;
    if (family || strcmp(audience, CHILD) == 0 || strcmp(audience, PERSON) == 0)
        a.who[a.n++] = child;
    for (size_t i = 0; i < guardians->n; ++i)
        if ((all && !separate) || strcmp(audience, guardians->who[i]) == 0)
            a.who[a.n++] = guardians->who[i];
    return a;
}

enum matrix_answer sink_keep_apart(struct sink_matrix *m, const char *child, const struct audience *guardians,
                                   bool separate)
{
    char mark[2 * MARK_BYTES + 1];
    struct text name = TEXT_INIT;
    size_t n = 0;
    bool stays = false;
    enum matrix_answer answer = MATRIX_DONE;
    text_addf(&name, "apart/%s", child);
    mark_of(guardians, separate, mark);
    char *known = state_word(m->state, name.data);
    bool changed = known == NULL || strcmp(known, mark) != 0;
    struct child_room *rooms = changed ? state_child_rooms(m->state, child, &n) : NULL;
    if (!state_sound(m->state))
        answer = MATRIX_NOT_NOW;
    for (size_t i = 0; answer == MATRIX_DONE && i < n; ++i) {
        const struct audience a = allowed(rooms[i].audience, child, guardians, separate);
        answer = sink_put_out(m, rooms[i].room_id, &a);
        if (answer == MATRIX_REFUSED) {
            log_warn("diary", "somebody stays in the room %s who may not be in it any more", rooms[i].room_id);
            stays = true;
            answer = MATRIX_DONE; /* the others all the same */
        }
    }
    if (answer == MATRIX_DONE && stays)
        answer = MATRIX_REFUSED;
    if (changed && answer == MATRIX_DONE && n != 0) {
        state_begin(m->state);
        state_word_put(m->state, name.data, mark);
        answer = state_commit(m->state) ? MATRIX_DONE : MATRIX_NOT_NOW;
    }
    state_child_rooms_free(rooms, n);
    free(known);
    text_finish(&name);
    return answer;
}

void sink_keep_all_apart(struct sink_matrix *m, int64_t now_ms)
{
    int64_t evening = schedule_evening(now_ms, m->settings->utc_offset_ms, m->settings->digest_hour);
    enum matrix_answer answer = MATRIX_DONE;
    size_t n;
    if (!state_counter_due(m->state, EVENING, evening, evening + 1))
        return;
    char **children = state_children(m->state, PERSON, &n);
    if (!state_sound(m->state))
        answer = MATRIX_NOT_NOW;
    for (size_t i = 0; i < n; ++i)
        families_expect(&m->families, children[i]);
    for (size_t i = 0; answer == MATRIX_DONE && i < n; ++i) {
        struct family family = {0};
        struct audience guardians = {.n = 0};
        bool separate;
        answer = families_ask(&m->families, &m->client, children[i], &family);
        if (answer == MATRIX_DONE) {
            sink_take_guardians(family.guardianships, children[i], &guardians, &separate);
            answer = sink_keep_apart(m, children[i], &guardians, separate);
        }
        if (answer == MATRIX_REFUSED)
            answer =
                MATRIX_DONE; /* the school knows nobody of that name any more, or somebody stays: the others first */
    }
    if (answer == MATRIX_DONE) {
        state_begin(m->state);
        state_counter_put(m->state, EVENING, evening);
        state_commit(m->state);
    }
    state_ids_free(children, n);
}
