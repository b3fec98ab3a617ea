/* A state, a roster of four pupils and a sink that remembers, for the unit tests of the diary bridge. */
#ifndef PARTA_TESTS_DIARY_WORLD_H
#define PARTA_TESTS_DIARY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "appservice/diary/compare.h"

#define TODAY_MS INT64_C(1788220800000) /* 2026-09-01 */
#define WINDOW ((struct window){20260818, 20260915})

static const char PEOPLE[] =
    "{\"items\":["
    "{\"user_id\":\"@a:s\",\"person\":\"p1\",\"given_name\":\"Анна\",\"family_name\":\"Ёлкина\",\"birth_date\":\"2014-"
    "05-01\","
    "\"ended\":false,\"roles\":[{\"role\":\"pupil\"}]},"
    "{\"user_id\":\"@b:s\",\"person\":\"p2\",\"given_name\":\"Иван\",\"family_name\":\"Петров\",\"middle_name\":"
    "\"Ильич\","
    "\"birth_date\":\"2014-06-02\",\"ended\":false,\"roles\":[{\"role\":\"pupil\"}]},"
    "{\"user_id\":\"@c:s\",\"person\":\"p3\",\"given_name\":\"Иван\",\"family_name\":\"Петров\",\"middle_name\":"
    "\"Олегович\","
    "\"birth_date\":\"2014-06-02\",\"ended\":false,\"roles\":[{\"role\":\"pupil\"}]},"
    "{\"user_id\":\"@t:s\",\"person\":\"t1\",\"given_name\":\"Ольга\",\"family_name\":\"Седова\",\"ended\":false,"
    "\"roles\":[{\"role\":\"teacher\"}]},"
    "{\"user_id\":\"@d:s\",\"person\":\"p4\",\"given_name\":\"Егор\",\"family_name\":\"Седов\",\"birth_date\":\"2013-"
    "01-01\","
    "\"ended\":true,\"roles\":[{\"role\":\"pupil\"}]}]}";
static const char CLASSES[] = "{\"items\":[{\"class\":\"c7\",\"title\":\"7 «А»\",\"ended\":false},"
                              "{\"class\":\"m7\",\"title\":\"Алгебра 7А\",\"ended\":false}]}";
static const char ENROLLED[] =
    "{\"items\":[{\"user_id\":\"@a:s\",\"role\":\"pupil\"},{\"user_id\":\"@b:s\",\"role\":\"pupil\"},"
    "{\"user_id\":\"@c:s\",\"role\":\"pupil\"},{\"user_id\":\"@t:s\",\"role\":\"teacher\"}]}";

struct heard {
    char txn[TXN_BYTES], id[64], who[64], class_id[32], value[32];
    enum change_what what;
    int64_t revision;
    bool in_doubt;
    size_t together; /* with how many others */
};

struct world {
    char folder[64], path[96];
    struct state *state;
    struct roster *roster;
    struct heard heard[4096];
    size_t n;
    enum sink_answer answer;
    int asked_meanwhile; /* how often a whole reading was asked for since a reading was begun */
    struct sink sink;
};

/* Knows its transactions, as a homeserver does. */
static inline enum sink_answer world_tell(void *self, const struct notice *notice)
{
    struct world *w = self;
    if (w->answer != SINK_TOLD)
        return w->answer;
    for (size_t i = 0; i < w->n; ++i)
        if (strcmp(w->heard[i].txn, notice->txn) == 0)
            return SINK_TOLD;
    assert_true(w->n < 4096);
    struct heard *h = &w->heard[w->n++];
    *h = (struct heard){.what = notice->what, .revision = notice->revision, .in_doubt = notice->in_doubt};
    snprintf(h->txn, sizeof h->txn, "%s", notice->txn);
    snprintf(h->id, sizeof h->id, "%s", notice->id);
    snprintf(h->class_id, sizeof h->class_id, "%s", notice->class_id != NULL ? notice->class_id : "");
    snprintf(h->value, sizeof h->value, "%s", notice->record != NULL ? notice->record->value : "");
    for (const struct notice *next = notice->together; next != NULL; next = next->together)
        ++h->together;
    for (size_t i = 0; i < notice->n_pupils; ++i)
        snprintf(h->who + strlen(h->who), sizeof h->who - strlen(h->who), "%s ", notice->pupils[i]);
    return SINK_TOLD;
}

static inline void world_open_state(struct world *w)
{
    struct text problem = TEXT_INIT;
    state_close(w->state);
    w->state = state_open(w->path, &problem);
    assert_non_null(w->state);
}

static inline struct world *world_open(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    char *next;
    strcpy(w->folder, "/tmp/parta-diary-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/diary.db", w->folder);
    world_open_state(w);
    w->sink = (struct sink){world_tell, w};
    w->roster = roster_create();
    assert_true(roster_take_people(w->roster, PEOPLE, strlen(PEOPLE), &next) && next == NULL);
    assert_true(roster_take_classes(w->roster, CLASSES, strlen(CLASSES), &next) && next == NULL);
    assert_true(roster_take_enrollments(w->roster, "c7", ENROLLED, strlen(ENROLLED), &next) && next == NULL);
    roster_end(w->roster);
    return w;
}

static inline void world_close(struct world *w)
{
    char name[128];
    state_close(w->state);
    roster_destroy(w->roster);
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; ++i) {
        snprintf(name, sizeof name, "%s%s", w->path, ENDS[i]);
        unlink(name);
    }
    rmdir(w->folder);
    free(w);
}

/* "mark-1 p1 5": a mark of the id, the pupil, the value. */
static inline void world_mark(struct reading *reading, const char *id, const char *pupil, const char *value)
{
    reading_add(reading, &(struct record){.kind = RECORD_MARK,
                                          .id = id,
                                          .pupils = &pupil,
                                          .n_pupils = 1,
                                          .subject = "Algebra",
                                          .day = 20260901,
                                          .value = value});
}

static inline bool world_compare_as(struct world *w, struct reading *reading, enum reading_extent extent,
                                    struct tally *tally)
{
    static const unsigned char KEY[RECORD_KEY_BYTES] = {7};
    reading->extent = extent;
    reading_end(reading);
    struct comparison c = {.state = w->state,
                           .sink = &w->sink,
                           .roster = w->roster,
                           .source = "trial",
                           .sourced = true,
                           .tell_all = true,
                           .key = KEY,
                           .now_ms = TODAY_MS,
                           .asked = state_source(w->state, "trial").asked - w->asked_meanwhile,
                           .cursor = "where it was"};
    bool done = compare(&c, reading);
    if (tally != NULL)
        *tally = c.tally;
    reading_finish(reading);
    return done;
}

static inline bool world_compare(struct world *w, struct reading *reading, bool whole, struct tally *tally)
{
    return world_compare_as(w, reading, whole ? READING_WHOLE : READING_PIECES, tally);
}

#endif
