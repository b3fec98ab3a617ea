/* The index of words as a service: what it follows, what it takes out, that a file which is lost, old, or of another
 * database is made anew, and who finds what. tests/stories/search.test.mjs has what clients see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/search/find.h"
#include "homeserver/search/request.h"
#include "homeserver/search/search.h"
#include "homeserver/store/driver/search_index.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/search_removals.h"
#include "homeserver/store/matrix/user_names.h"
#include "tests/unit/fixture.h"

#define PATIENCE_MS 20000

struct world {
    struct fixture f;
    char path[128];
    struct search *search;
    user_no anna, boris;
    room_no room;
};

static void begin(struct world *w)
{
    w->search = search_start(&(struct search_settings){w->path, w->f.writer});
    assert_non_null(w->search);
}

static void end(struct world *w)
{
    search_stop(w->search);
    search_destroy(w->search);
    w->search = NULL;
}

static int start(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    fixture_start(&w->f);
    snprintf(w->path, sizeof w->path, "%s/search.db", w->f.dir);
    w->anna = fixture_user(&w->f, "anna");
    w->boris = fixture_user(&w->f, "boris");
    w->room = fixture_room(&w->f, w->anna, "12", PRESET_PUBLIC_CHAT, NULL);
    *state = w;
    return 0;
}

static int stop(void **state)
{
    struct world *w = *state;
    end(w);
    search_index_delete(w->path);
    fixture_stop(&w->f);
    free(w);
    return 0;
}

static struct appended say(struct world *w, room_no room, const char *body)
{
    struct error e;
    struct appended out;
    char content[256];
    snprintf(content, sizeof content, "{\"body\":\"%s\",\"msgtype\":\"m.text\"}", body);
    assert_true(fixture_send(&w->f, room, w->anna, "m.room.message", NULL, content, NULL, &out, &e));
    if (w->search != NULL) /* the fixture's writer has no observers that could go again */
        search_observe(w->search, &(struct change){.kind = CHANGE_EVENT}, 1);
    return out;
}

/* The positions that anybody finds, the newest first; how many. */
static size_t find_as(struct world *w, user_no who, const char *term, stream_pos *out, size_t max)
{
    struct error e;
    struct search_request request;
    struct search_found found;
    struct ignored ignored;
    json_t *body = json_pack("{s:s, s:s}", "search_term", term, "order_by", "recent");
    struct render how = {.db = w->f.db, .names = w->f.names, .viewer = who, .ignored = &ignored};
    struct search_index *reader = search_borrow(w->search);
    assert_true(search_request_parse(body, &request, &e));
    db_begin_read(w->f.db);
    ignored_load(&ignored, w->f.db, "school.example", who);
    assert_true(search_find(reader, &how, w->f.school_mode, user_names_get(w->f.names, w->f.db, who), &request,
                            (struct search_from){INT64_MAX - 1, 0}, &found, &e));
    db_end_read(w->f.db);
    size_t n = found.n;
    for (size_t i = 0; i < n && i < max; ++i)
        out[i] = found.hits[found.first + i].pos;
    assert_int_equal(found.count, found.n_hits);
    search_found_finish(&found);
    search_request_finish(&request);
    ignored_finish(&ignored);
    search_give_back(w->search, reader);
    json_decref(body);
    return n;
}

static size_t find(struct world *w, const char *term)
{
    return find_as(w, w->anna, term, NULL, 0);
}

static void wait_for(struct world *w, const char *term, size_t n)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (find(w, term) != n) {
        assert_true(clock_mono_ms() < end_ms);
        usleep(2000);
    }
}

static bool in_file(struct world *w, const char *word)
{
    char wal[144];
    bool found = false;
    snprintf(wal, sizeof wal, "%s-wal", w->path);
    for (int i = 0; i < 2; ++i) {
        FILE *f = fopen(i == 0 ? w->path : wal, "re");
        char *bytes = xcalloc((size_t)16 << 20, 1);
        size_t n = f != NULL ? fread(bytes, 1, (size_t)16 << 20, f) : 0;
        found = found || memmem(bytes, n, word, strlen(word)) != NULL;
        free(bytes);
        if (f != NULL)
            fclose(f);
    }
    return found;
}

static void wait_until_gone(struct world *w, const char *word)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (in_file(w, word) || search_removals_any(w->f.db)) {
        assert_true(clock_mono_ms() < end_ms);
        usleep(2000);
    }
}

static void new_events_and_old_ones_are_found(void **state)
{
    struct world *w = *state;
    stream_pos pos[4];
    struct appended before = say(w, w->room, "вулкан до начала");
    begin(w);
    wait_for(w, "вулкан", 1);
    struct appended after = say(w, w->room, "вулкан после");
    wait_for(w, "вулканы", 2);
    assert_int_equal(find_as(w, w->anna, "вулкан", pos, 4), 2);
    assert_int_equal(pos[0], after.pos);
    assert_int_equal(pos[1], before.pos);
    assert_int_equal(find_as(w, w->boris, "вулкан", pos, 4), 0);
}

/* More than a batch, there and back: each once. */
static void history_is_gone_through_to_its_beginning(void **state)
{
    struct world *w = *state;
    struct search_progress progress;
    char body[64];
    for (int i = 0; i < 1203; ++i) {
        snprintf(body, sizeof body, "message%d of many", i);
        say(w, w->room, body);
    }
    begin(w);
    wait_for(w, "message0", 1);
    for (int i = 0; i < 1203; i += 61) {
        snprintf(body, sizeof body, "message%d", i);
        assert_int_equal(find(w, body), 1);
    }
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    do
        search_progress(w->search, &progress);
    while (progress.to_do != 0 && clock_mono_ms() < end_ms);
    assert_int_equal(progress.to_do, 0);
    search_rebuild(w->search);
    wait_for(w, "message1202", 1);
    wait_for(w, "message0", 1);
}

static bool job_empty(struct tx *tx, void *arg, struct error *e)
{
    stream_pos pos = *(stream_pos *)arg;
    return events_redact(tx, pos, pos, "{}");
}

/* As an erasure does it where nobody is told: no event says so. */
static void what_goes_in_silence_is_found_no_more_and_leaves_the_file(void **state)
{
    struct world *w = *state;
    struct error e;
    begin(w);
    struct appended out = say(w, w->room, "wordzqsilent");
    for (int i = 0; i < 20; ++i)
        say(w, w->room, "others");
    wait_for(w, "wordzqsilent", 1);
    assert_true(writer_run(w->f.writer, job_empty, &out.pos, &e));
    assert_int_equal(find(w, "wordzqsilent"), 0);
    assert_true(search_scrub(w->search, INT64_MAX));
    assert_false(in_file(w, "wordzqsilent"));
    assert_false(search_removals_any(w->f.db));
    wait_for(w, "others", 10); /* of a page */
}

static void what_was_taken_back_while_nobody_followed_goes_at_the_start(void **state)
{
    struct world *w = *state;
    struct error e;
    begin(w);
    struct appended out = say(w, w->room, "wordzqlate");
    wait_for(w, "wordzqlate", 1);
    end(w); /* as after a kill: what is taken back now nobody heard of */
    assert_true(fixture_send(&w->f, w->room, w->anna, "m.room.redaction", NULL, "{}", out.event_id, NULL, &e) ||
                writer_run(w->f.writer, job_empty, &out.pos, &e));
    assert_true(in_file(w, "wordzqlate"));
    begin(w);
    assert_int_equal(find(w, "wordzqlate"), 0);
    wait_until_gone(w, "wordzqlate");
}

static void a_file_that_is_lost_or_of_another_database_is_made_anew(void **state)
{
    struct world *w = *state;
    struct search_index_extent extent = {.newest = 1, .event_id = "$of-another"};
    say(w, w->room, "вулкан");
    begin(w);
    wait_for(w, "вулкан", 1);
    end(w);
    search_index_delete(w->path);
    begin(w);
    wait_for(w, "вулкан", 1);
    end(w);
    struct search_index *index = search_index_open(w->path);
    assert_true(search_index_begin(index) && search_index_set_extent(index, &extent) &&
                search_index_put(index, &(struct search_index_text){.pos = 900000, .room = w->room, .body = "stale"}) &&
                search_index_commit(index));
    search_index_close(index);
    begin(w);
    wait_for(w, "вулкан", 1);
    assert_int_equal(find(w, "stale"), 0);
    wait_until_gone(w, "stale");
    say(w, w->room, "ещё один вулкан");
    wait_for(w, "вулкан", 2);
}

/* Purges as one after the other leaves them; false: this SQLite wears nothing. */
static bool wear(struct search_index *index, room_no room)
{
    for (stream_pos pos = 900000; pos < 906000 && !search_index_is_worn(index); pos += 2) {
        for (int i = 0; i < 2; ++i)
            assert_true(
                search_index_begin(index) &&
                search_index_put(index, &(struct search_index_text){.pos = pos + i, .room = room, .body = "worn"}) &&
                search_index_commit(index));
        assert_true(search_index_begin(index) && search_index_remove(index, pos) && search_index_commit(index));
        for (bool done = false; !done;)
            assert_true(search_index_purge(index, &done));
    }
    return search_index_is_worn(index);
}

static void a_worn_index_is_made_anew(void **state)
{
    struct world *w = *state;
    struct error e;
    say(w, w->room, "вулкан");
    begin(w);
    wait_for(w, "вулкан", 1);
    end(w);
    struct search_index *index = search_index_open(w->path);
    bool worn = wear(index, w->room);
    search_index_close(index);
    if (!worn)
        skip();
    begin(w);
    struct appended out = say(w, w->room, "wordzqworn");
    wait_for(w, "wordzqworn", 1);
    assert_true(writer_run(w->f.writer, job_empty, &out.pos, &e));
    assert_true(search_scrub(w->search, INT64_MAX));
    say(w, w->room, "ещё один вулкан");
    wait_for(w, "вулкан", 2);
    end(w);
    index = search_index_open(w->path);
    assert_false(search_index_is_worn(index));
    search_index_close(index);
}

/* What only looks like words: other types, encrypted events, bodies that are no text. */
static void only_what_is_written_in_clear_is_indexed(void **state)
{
    static const struct {
        const char *type, *content;
    } NOT[] = {
        {"m.room.encrypted", "{\"algorithm\":\"m.megolm.v1.aes-sha2\",\"body\":\"wordzq\",\"ciphertext\":\"wordzq\"}"},
        {"m.reaction", "{\"body\":\"wordzq\"}"},
        {"org.example.of.ours", "{\"body\":\"wordzq\"}"},
        {"m.room.message", "{\"body\":{\"body\":\"wordzq\"},\"msgtype\":\"m.text\"}"},
        {"m.room.message", "{\"formatted_body\":\"wordzq\",\"msgtype\":\"m.text\"}"},
        {"m.room.name", "{\"name\":\"wordzq\"}"}, /* not state */
    };
    struct world *w = *state;
    begin(w);
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; ++i)
        assert_true(fixture_send(&w->f, w->room, w->anna, NOT[i].type, NULL, NOT[i].content, NULL, NULL, NULL));
    assert_true(fixture_send(&w->f, w->room, w->anna, "m.room.topic", "", "{\"topic\":\"Опыты \\\"и\\\" задачи\"}",
                             NULL, NULL, NULL));
    say(w, w->room, "marker");
    wait_for(w, "marker", 1);
    assert_int_equal(find(w, "wordzq"), 0);
    assert_int_equal(find(w, "задача"), 1);
    assert_false(in_file(w, "wordzq"));
}

/* At the start others are served first. */
static void whoever_searches_or_speaks_first_opens_the_index(void **state)
{
    struct world *w = *state;
    w->search = search_start(
        &(struct search_settings){.path = w->path, .writer = w->f.writer, .first_ms = clock_mono_ms() + HOUR_MS});
    assert_non_null(w->search);
    assert_int_not_equal(access(w->path, F_OK), 0);
    assert_int_equal(find(w, "ladder"), 0);
    say(w, w->room, "a ladder");
    wait_for(w, "ladder", 1);
    end(w);
    w->search = search_start(
        &(struct search_settings){.path = w->path, .writer = w->f.writer, .first_ms = clock_mono_ms() + HOUR_MS});
    assert_true(search_scrub(w->search, INT64_MAX));
    assert_int_equal(find(w, "ladder"), 1);
}

static void an_index_that_cannot_be_opened_yet_is_opened_later(void **state)
{
    struct world *w = *state;
    say(w, w->room, "a ladder");
    assert_int_equal(mkdir(w->path, 0700), 0);
    begin(w);
    assert_null(search_borrow(w->search));
    assert_false(search_scrub(w->search, INT64_MAX)); /* who knows what lies in it */
    assert_int_equal(rmdir(w->path), 0);
    search_rebuild(w->search); /* it would come by itself, a little later */
    wait_for(w, "ladder", 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(new_events_and_old_ones_are_found),
        T(history_is_gone_through_to_its_beginning),
        T(what_goes_in_silence_is_found_no_more_and_leaves_the_file),
        T(what_was_taken_back_while_nobody_followed_goes_at_the_start),
        T(a_file_that_is_lost_or_of_another_database_is_made_anew),
        T(a_worn_index_is_made_anew),
        T(only_what_is_written_in_clear_is_indexed),
        T(whoever_searches_or_speaks_first_opens_the_index),
        T(an_index_that_cannot_be_opened_yet_is_opened_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
