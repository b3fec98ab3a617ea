/* What the tests of /sync share: a server's lower half with hub and service, devices that sync, and what they then
 * know.
 *
 * A watcher is a client: it applies each answer as the specification says, and keeps the room's timeline and state.
 * Gaps that a limited timeline leaves are filled by paging between the tokens, as clients do. */
#ifndef PARTA_TESTS_SYNC_WORLD_H
#define PARTA_TESTS_SYNC_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/sync/v2.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"
#include "tests/unit/fixture.h"

#define WORLD_WAITING 64 /* these many people wait for news, so that fragments are made for them */

struct world {
    struct fixture f;
    struct sync_hub *hub;
    struct sync_service *sync;
    struct wake *last; /* the last wake that was heard of */
};

static inline void world_hear(void *self, struct wake *wake)
{
    struct world *w = self;
    wake_unref(w->last);
    w->last = wake_ref(wake);
}

/* before: hears of each group before the hub does; NULL: nobody. */
static inline void world_start_behind(struct world *w, writer_observer *before, void *self)
{
    *w = (struct world){0};
    fixture_start(&w->f);
    w->hub = hub_create(writer_pos(w->f.writer));
    hub_listen(w->hub, world_hear, w);
    w->sync = sync_service_create(&(struct sync_service_settings){
        .writer = w->f.writer,
        .rooms = w->f.rooms,
        .names = w->f.names,
        .hub = w->hub,
        .key = &w->f.key,
        .server_name = "school.example",
    });
    sections_add(w->sync);
    fast_path_start(w->sync);
    if (before != NULL)
        writer_observe(w->f.writer, before, self);
    writer_observe(w->f.writer, hub_observe, w->hub);
    for (user_no user = 0; user < WORLD_WAITING; ++user)
        hub_waits(w->hub, user, INT64_MAX);
}

static inline void world_start(struct world *w)
{
    world_start_behind(w, NULL, NULL);
}

static inline void world_stop(struct world *w)
{
    sync_service_stop(w->sync);
    fixture_stop(&w->f);
    sync_service_destroy(w->sync);
    wake_unref(w->last);
    hub_destroy(w->hub);
}

/* One answer, parsed. The caller owns it; *next may be NULL. */
static inline json_t *world_sync(struct world *w, const struct sync_request *ask, stream_pos *next,
                                 enum sync_outcome *how)
{
    struct text out = TEXT_INIT;
    struct error e = {0};
    stream_pos pos;
    enum sync_outcome composed = v2_answer(w->sync, w->f.db, ask, &out, &pos, &e);
    json_t *answer = NULL;
    if (composed != SYNC_REFUSED) {
        answer = json_parse(out.data, out.len, &e);
        if (answer == NULL)
            fprintf(stderr, "not JSON: %s\n", out.data);
        assert_non_null(answer);
    }
    assert_false(db_failed(w->f.db));
    if (next != NULL)
        *next = pos;
    if (how != NULL)
        *how = composed;
    text_finish(&out);
    return answer;
}

static inline char *world_room_id(struct world *w, room_no room)
{
    char *id = rooms_id_of(w->f.db, room);
    assert_non_null(id);
    return id;
}

/* The position that a token of the user's means. */
static inline stream_pos world_position(struct world *w, user_no user, const char *token)
{
    stream_pos pos = -1;
    assert_int_equal(token_parse(token, writer_incarnations(w->f.writer), user, &pos), TOKEN_GOOD);
    return pos;
}

/* Puts positions where an answer has tokens, no two of which are alike. */
static inline void world_open_tokens(struct world *w, user_no user, json_t *answer)
{
    static const char *const NAMES[] = {"next_batch", "prev_batch"};
    const char *key, *token;
    json_t *inner;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; ++i)
        if ((token = json_get_string(answer, NAMES[i])) != NULL)
            json_object_set_new(answer, NAMES[i], json_integer(world_position(w, user, token)));
    json_object_foreach(answer, key, inner)
        world_open_tokens(w, user, inner);
}

/* answer.rooms.<section>.<room>; NULL: not there. */
static inline json_t *world_section(struct world *w, json_t *answer, const char *section, room_no room)
{
    char *id = world_room_id(w, room);
    json_t *found = json_get_object(json_get_object(json_get_object(answer, "rooms"), section), id);
    free(id);
    return found;
}

static inline json_t *world_events(json_t *section, const char *key)
{
    return json_get_array(json_get_object(section, key), "events");
}

static inline void world_say(struct world *w, room_no room, user_no user, const char *body)
{
    char content[256];
    snprintf(content, sizeof content, "{\"msgtype\":\"m.text\",\"body\":\"%s\"}", body);
    assert_true(fixture_send(&w->f, room, user, "m.room.message", NULL, content, NULL, NULL, NULL));
}

static inline bool world_mark(struct world *w, room_no room, user_no user, const char *event_id, bool private_,
                              const char *thread)
{
    struct error e;
    char *id = world_room_id(w, room);
    struct marks marks = {.room_id = id, .user = user, .thread = thread};
    *(private_ ? &marks.read_private : &marks.read) = event_id;
    bool ok = receipts_mark(w->f.writer, w->f.rooms, w->sync->recent_receipts, &marks, &e);
    free(id);
    return ok;
}

static inline struct filter *world_filter(const char *text)
{
    struct error e = {0};
    struct filter *filter = filter_parse_text(text, &e);
    if (filter == NULL)
        fprintf(stderr, "filter: %s\n", error_sentence(&e));
    assert_non_null(filter);
    return filter;
}

/* The counts that a joined room's section tells are those that follow from the beginning, with nothing remembered. */
static inline void world_check_unread(struct world *w, room_no room, user_no user, const char *user_id, json_t *section,
                                      stream_pos upto)
{
    struct membership_row m;
    struct unread_tally tally;
    json_t *told = json_get_object(section, "unread_notifications"), *threads;
    if (told == NULL)
        return;
    threads = json_get_object(section, "unread_thread_notifications");
    char *room_id = world_room_id(w, room);
    memberships_get(w->f.db, room, user, &m);
    struct unread *blank = unread_create(w->f.names, 10, 1 << 20);
    unread_get(blank, w->f.db, &(struct unread_ask){user, user_id, room, room_id, m.joined_pos, upto, NULL, false},
               &tally);
    int64_t notify = tally.main.notify, highlight = tally.main.highlight,
            told_notify = json_get_int(told, "notification_count", -1),
            told_highlight = json_get_int(told, "highlight_count", -1);
    for (size_t i = 0; i < tally.n; ++i) {
        json_t *thread = json_get_object(threads, tally.threads[i].root);
        notify += tally.threads[i].counts.notify;
        highlight += tally.threads[i].counts.highlight;
        told_notify += json_get_int(thread, "notification_count", 0);
        told_highlight += json_get_int(thread, "highlight_count", 0);
    }
    assert_int_equal(told_notify, notify);
    assert_int_equal(told_highlight, highlight);
    unread_tally_finish(&tally);
    unread_destroy(blank);
    free(room_id);
}

#endif
