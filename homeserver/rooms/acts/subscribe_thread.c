#include "homeserver/rooms/acts/subscribe_thread.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/thread_subscriptions.h"

struct choosing {
    struct rooms *rooms;
    const struct thread_choice *choice;
};

/* An event of the room that the person may read: its position; 0: there is none. *in: whether it is in a thread, whose
 * root then is in thread. */
static stream_pos find_event(struct db *db, room_no room, const struct visibility *seen, const char *event_id, bool *in,
                             char thread[ID_BYTES_MAX + 1])
{
    struct event_row row;
    stream_pos pos = 0;
    char *content = NULL;
    struct stmt *q = events_by_id(db, event_id);
    if (events_next(q, &row) && row.room == room && visibility_allows(seen, row.pos)) {
        pos = row.pos;
        content = xstrdup(row.content);
    }
    stmt_end(q);
    *in = pos != 0 && thread_root(db, content, thread);
    free(content);
    return pos;
}

/* Until when the person has said nothing: position of the root and of the cause, INT64_MAX where there is none. */
static bool find_places(struct tx *tx, const struct choosing *c, room_no room, stream_pos *root, stream_pos *cause,
                        struct error *e)
{
    const struct thread_choice *choice = c->choice;
    char thread[ID_BYTES_MAX + 1];
    bool in;
    struct visibility *seen =
        visibility_load(tx->db, rooms_settings(c->rooms)->school_mode, room, choice->user, choice->user_id);
    *cause = INT64_MAX;
    *root = find_event(tx->db, room, seen, choice->root, &in, thread);
    bool found = *root != 0 && !in;
    bool of_thread = true;
    if (found && choice->cause != NULL) {
        *cause = find_event(tx->db, room, seen, choice->cause, &in, thread);
        of_thread = *cause != 0 && in && strcmp(thread, choice->root) == 0;
    }
    visibility_free(seen);
    if (!found)
        return error_set(e, ERROR_NOT_FOUND, "There is no such thread in this room.");
    return of_thread || error_set(e, ERROR_NOT_IN_THREAD, NULL);
}

static bool choose(struct tx *tx, void *arg, struct error *e)
{
    const struct choosing *c = arg;
    const struct thread_choice *choice = c->choice;
    stream_pos root, cause;
    struct thread_subscription_row was = {.state = THREAD_UNSUBSCRIBED};
    room_no room = rooms_by_id(tx->db, choice->room_id);
    if (room == 0)
        return error_set(e, ERROR_NOT_FOUND, "There is no such thread in this room.");
    if (!find_places(tx, c, room, &root, &cause, e))
        return false;
    bool known = thread_subscriptions_get(tx->db, choice->user, root, &was);
    enum thread_subscription wanted = !choice->subscribe      ? THREAD_UNSUBSCRIBED
                                      : choice->cause != NULL ? THREAD_AUTOMATIC
                                                              : THREAD_MANUAL;
    if (known && (was.state == wanted || (was.state == THREAD_MANUAL && wanted == THREAD_AUTOMATIC)))
        return true;
    if (known && wanted == THREAD_AUTOMATIC && cause <= was.pos)
        return error_set(e, ERROR_UNSUBSCRIBED_SINCE, NULL);
    return thread_subscriptions_put(tx, choice->user,
                                    &(struct thread_subscription_row){.root = root, .room = room, .state = wanted}) &&
           bound_kept(tx->db, BOUND_THREAD_SUBSCRIPTIONS, choice->user, 0, e);
}

bool thread_choose(struct writer *writer, struct rooms *rooms, const struct thread_choice *choice, struct error *e)
{
    struct choosing c = {rooms, choice};
    return writer_run(writer, choose, &c, e);
}
