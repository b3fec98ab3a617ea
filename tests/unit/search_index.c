/* The index of words: stems, ё, phrases; that no query is ever more than words; that what is
 * removed leaves the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/search_index.h"

#define ROOM 3
#define ELSEWHERE 4
#define SENDER 7

struct world {
    char dir[64], path[96];
    struct search_index *index, *reader;
};

static int start(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    log_set_level(LOG_ERROR);
    strcpy(w->dir, "/tmp/parta-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/search.db", w->dir);
    w->index = search_index_open(w->path);
    assert_non_null(w->index);
    w->reader = search_index_open_reader(w->path);
    *state = w;
    return 0;
}

static int stop(void **state)
{
    struct world *w = *state;
    char path[128];
    search_index_close(w->reader);
    search_index_close(w->index);
    for (int i = 0; i < 3; ++i) {
        snprintf(path, sizeof path, "%s%s", w->path, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
        unlink(path);
    }
    rmdir(w->dir);
    free(w);
    return 0;
}

static void put_in(struct world *w, stream_pos pos, room_no room, const char *body, const char *name)
{
    assert_true(search_index_begin(w->index));
    assert_true(search_index_remove(w->index, pos)); /* there may be another one */
    assert_true(search_index_put(
        w->index, &(struct search_index_text){.pos = pos, .room = room, .sender = SENDER, .body = body, .name = name}));
    assert_true(search_index_commit(w->index));
}

static void put(struct world *w, stream_pos pos, const char *body)
{
    put_in(w, pos, ROOM, body, NULL);
}

/* How many texts there are; −1: not asked, -2: the database refused. */
static int count_of(struct world *w, const struct search_index_query *query)
{
    char *match = search_index_match(query);
    stream_pos pos;
    int64_t rank;
    int n = 0;
    if (match == NULL)
        return -1;
    struct stmt *q = search_index_find(w->reader, match, INT64_MAX, true, 1000);
    while (search_index_next(q, &pos, &rank))
        ++n;
    stmt_end(q);
    free(match);
    return search_index_failed(w->reader) ? -2 : n;
}

static int count(struct world *w, const char *term)
{
    static const room_no ROOMS[] = {ROOM};
    return count_of(w, &(struct search_index_query){.term = term, .keys = SEARCH_BODY, .rooms = ROOMS, .n_rooms = 1});
}

static void words_are_found_by_their_stems(void **state)
{
    static const struct {
        const char *text, *term;
        int found;
    } CASES[] = {
        {"Принесите книги в школу", "книга", 1},
        {"Принесите книги в школу", "КНИГАМИ", 1},
        {"Принесите книги в школу", "школа книга", 1},
        {"Принесите книги в школу", "книжный", 0},
        {"Принесите книги в школу", "книга тетрадь", 0},
        {"Ёлка стоит в зале", "елка", 1},
        {"Елка стоит в зале", "ЁЛКИ", 1},
        {"была война", "воина", 0}, /* й is no и */
        {"The children were running home", "run", 1},
        {"The children were running home", "Runs", 1},
        {"The children were running home", "child", 0},
        {"Homework for 7B: page 25", "page 25", 1},
        {"Homework for 7B: page 25", "7b", 1},
        {"Homework for 7B: page 25", "\"page 25\"", 1},
        {"Homework for 7B: page 25", "\"25 page\"", 0},
        {"Homework for 7B: page 25", "25 page", 1},
        {"контрольная работа в пятницу", "\"контрольной работе\"", 1},
        {"контрольная работа в пятницу", "\"работа контрольная\"", 0},
        {"контрольная работа в пятницу", "\"контрольная работа", 1}, /* a quote that nobody closes */
        {"Wi-Fi не работает", "wi-fi", 1},
        {"Wi-Fi не работает", "fi-wi", 0},
        {"Größe und Länge", "größe", 1},
        {"ab12 яz", "ЯZ", 1},
        {"日本語の授業", "日本語の授業", 1},
        {"partaroom3 partasender7", "partaroom3", 1}, /* written by somebody: words like others */
        {"nothing of the sort", "partaroom3", 0},     /* the index's own are none to find */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        put(*state, 1, CASES[i].text);
        if (count(*state, CASES[i].term) != CASES[i].found)
            print_message("# %s in %s\n", CASES[i].term, CASES[i].text);
        assert_int_equal(count(*state, CASES[i].term), CASES[i].found);
    }
}

static void nothing_in_a_query_is_more_than_words(void **state)
{
    static const char *const QUERIES[] = {
        "\"",
        "\"\"",
        "\"\"\"\"",
        "alpha\"beta",
        "alpha NEAR beta",
        "NEAR(alpha beta, 5)",
        "alpha AND beta",
        "alpha OR gamma",
        "NOT alpha",
        "alpha NOT beta",
        "alp*",
        "\"alpha\"*",
        "^alpha",
        "body:alpha",
        "tags : partaroom4",
        "{body name} : alpha",
        "- body : alpha",
        "alpha + beta",
        "(alpha",
        "alpha)",
        ")) OR tags : (\"partaroom4\"",
        "\") OR tags : (\"partaroom4\") AND (\"",
        "'; DROP TABLE texts; --",
        "$1 ?1 :a @b",
        "\\\" alpha",
        "rank",
        "texts",
        "alpha\x01\x02\x03",
        "\x7f\x1f",
        "\xff\xfe\xc3",
        "*",
        "-",
        "…",
    };
    struct world *w = *state;
    put_in(w, 1, ROOM, "alpha beta", NULL);
    put_in(w, 2, ELSEWHERE, "alpha gamma secret", NULL);
    put_in(w, 3, ROOM, "other", "alpha");
    for (size_t i = 0; i < sizeof QUERIES / sizeof *QUERIES; ++i) {
        int n = count(w, QUERIES[i]);
        if (n < -1 || n > 1)
            print_message("# %s: %d\n", QUERIES[i], n);
        assert_in_range(n + 1, 0, 2); /* at most the one of this room whose body has its words */
    }
    assert_int_equal(count(w, "alpha OR gamma"), 0); /* "or" is a word as others are */
    assert_int_equal(count(w, "alp*"), 0);
    assert_int_equal(count(w, "^alpha"), 1);
    assert_int_equal(count(w, "NOT alpha"), 0);
    assert_int_equal(count(w, " \t\n"), -1);
    assert_int_equal(count(w, ""), -1);

    char *long_ = xcalloc(100001, 1), *many = xcalloc(100001, 1);
    memset(long_, 'a', 100000);
    for (size_t i = 0; i < 100000; i += 2)
        memcpy(many + i, "a ", 2);
    assert_int_equal(count(w, long_), 0);
    assert_int_equal(count(w, many), -1); /* too many words */
    for (size_t i = 0; i < 100000; ++i)
        many[i] = "\"(*)"[i % 4];
    assert_in_range(count(w, many) + 1, 0, 1);
    free(long_);
    free(many);
}

static void keys_rooms_and_senders_choose(void **state)
{
    static const room_no ROOMS[] = {ROOM, ELSEWHERE};
    static const user_no SENDERS[] = {SENDER}, OTHERS[] = {99};
    struct world *w = *state;
    struct search_index_query query = {.term = "alpha", .keys = SEARCH_BODY, .rooms = ROOMS, .n_rooms = 2};
    put_in(w, 1, ROOM, "alpha", NULL);
    put_in(w, 2, ELSEWHERE, "alpha", NULL);
    put_in(w, 3, ROOM, NULL, "alpha");
    assert_int_equal(count_of(w, &query), 2);
    query.keys = SEARCH_BODY | SEARCH_NAME | SEARCH_TOPIC;
    assert_int_equal(count_of(w, &query), 3);
    query.keys = SEARCH_TOPIC;
    assert_int_equal(count_of(w, &query), 0);
    query.keys = SEARCH_NAME;
    query.n_rooms = 1;
    query.senders = SENDERS;
    query.n_senders = 1;
    assert_int_equal(count_of(w, &query), 1);
    query.senders = OTHERS;
    assert_int_equal(count_of(w, &query), 0);
    query.n_senders = 0; /* of nobody */
    assert_int_equal(count_of(w, &query), -1);
}

static void more_often_ranks_higher_and_longer_lower(void **state)
{
    static const char *const TEXTS[] = {"лес", "лес лес лес",
                                        "лес и река и поле и гора и дом и сад и мост и небо и мы"};
    struct world *w = *state;
    int64_t ranks[3] = {0};
    stream_pos pos;
    for (int i = 0; i < 3; ++i)
        put(w, i + 1, TEXTS[i]);
    static const room_no ROOMS[] = {ROOM};
    char *match = search_index_match(
        &(struct search_index_query){.term = "лес", .keys = SEARCH_BODY, .rooms = ROOMS, .n_rooms = 1});
    struct stmt *q = search_index_find(w->reader, match, INT64_MAX, true, 10);
    for (int i = 2; i >= 0; --i) {
        assert_true(search_index_next(q, &pos, &ranks[i]));
        assert_int_equal(pos, i + 1); /* the newest first */
    }
    stmt_end(q);
    assert_true(ranks[1] > ranks[0] && ranks[0] > ranks[2]);
    char *marked = search_index_marked(w->reader, match, 2, &ranks[0]);
    assert_string_equal(marked, "\x02лес\x03 \x02лес\x03 \x02лес\x03");
    assert_int_equal(ranks[0], ranks[1]);
    free(marked);
    free(match);
}

static bool file_holds(const char *path, const char *word)
{
    FILE *f = fopen(path, "re");
    bool found = false;
    if (f == NULL)
        return false;
    size_t cap = (size_t)64 << 20;
    char *bytes = xcalloc(cap, 1);
    size_t n = fread(bytes, 1, cap, f);
    fclose(f);
    found = memmem(bytes, n, word, strlen(word)) != NULL;
    free(bytes);
    return found;
}

static bool files_hold(struct world *w, const char *word)
{
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", w->path);
    return file_holds(w->path, word) || file_holds(wal, word);
}

/* Neither the text nor the word that FTS5 keeps of it; also with much around it, so that it lay in several segments. */
static void what_is_removed_leaves_the_file(void **state)
{
    struct world *w = *state;
    char body[200];
    for (int i = 0; i < 3000; ++i) {
        snprintf(body, sizeof body, "ordinary message number %d of class %d%s", i, i % 40,
                 i % 1000 == 500 ? " zyxomma" : "");
        put(w, i + 1, body);
    }
    assert_true(files_hold(w, "zyxomma"));
    assert_int_equal(count(w, "zyxomma"), 3);
    assert_true(search_index_begin(w->index));
    for (int i = 500; i < 3000; i += 1000)
        assert_true(search_index_remove(w->index, i + 1));
    assert_true(search_index_commit(w->index));
    assert_int_equal(count(w, "zyxomma"), 0);
    for (bool done = false; !done;)
        assert_true(search_index_purge(w->index, &done));
    assert_false(files_hold(w, "zyxomma"));
    assert_int_equal(count(w, "ordinary"), 1000);
    assert_int_equal(count(w, "\"number 2998\""), 1);
}

static void its_extent_is_of_the_same_transaction(void **state)
{
    struct world *w = *state;
    struct search_index_extent extent = {.older = 5, .newest = 9, .event_id = "$e"}, read;
    put(w, 1, "alpha");
    assert_true(search_index_begin(w->index));
    assert_true(search_index_clear(w->index) && search_index_set_extent(w->index, &extent));
    search_index_rollback(w->index);
    assert_true(search_index_extent(w->index, &read));
    assert_int_equal(read.newest, 0);
    assert_int_equal(count(w, "alpha"), 1);
    assert_true(search_index_begin(w->index));
    assert_true(search_index_clear(w->index) && search_index_set_extent(w->index, &extent));
    assert_true(search_index_commit(w->index));
    assert_int_equal(count(w, "alpha"), 0);
    search_index_close(w->reader);
    search_index_close(w->index);
    w->index = search_index_open(w->path);
    w->reader = search_index_open_reader(w->path);
    assert_true(search_index_extent(w->index, &read));
    assert_int_equal(read.older, 5);
    assert_int_equal(read.newest, 9);
    assert_string_equal(read.event_id, "$e");
}

static void a_file_that_is_none_is_made_anew(void **state)
{
    struct world *w = *state;
    struct search_index_extent read;
    put(w, 1, "alpha");
    search_index_close(w->reader);
    search_index_close(w->index);
    FILE *f = fopen(w->path, "we");
    assert_true(fputs("this is no database, whatever it is called; it has been written over by somebody", f) > 0);
    fclose(f);
    w->index = search_index_open(w->path);
    assert_non_null(w->index);
    w->reader = search_index_open_reader(w->path);
    assert_true(search_index_extent(w->index, &read));
    assert_int_equal(count(w, "alpha"), 0);
    put(w, 1, "alpha");
    assert_int_equal(count(w, "alpha"), 1);
}

/* FTS5's record of its segments (id 10), and all of its blocks. */
static void a_table_that_is_damaged_is_made_anew(void **state)
{
    static const char *const DAMAGES[] = {"UPDATE texts_data SET block = x'00000000ffffff' WHERE id = 10",
                                          "DELETE FROM texts_data"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof DAMAGES / sizeof *DAMAGES; ++i) {
        put(w, 1, "alpha");
        search_index_close(w->reader);
        search_index_close(w->index);
        struct db *db = db_open(w->path, DB_WRITE, NULL);
        assert_true(db_script(db, DAMAGES[i]));
        db_close(db);
        w->index = search_index_open(w->path);
        assert_non_null(w->index);
        w->reader = search_index_open_reader(w->path);
        put(w, 1, "alpha");
        assert_int_equal(count(w, "alpha"), 1);
    }
}

/* Each purge leaves a level, and SQLite 3.40 breaks at 2 000 of them. */
static void it_is_worn_before_it_breaks(void **state)
{
    struct world *w = *state;
    int worn = 0;
    for (stream_pos i = 1; i <= 3000; ++i) {
        put(w, 2 * i, "alpha beta");
        put(w, 2 * i + 1, "alpha delta");
        assert_true(search_index_begin(w->index));
        assert_true(search_index_remove(w->index, 2 * i) && search_index_commit(w->index));
        for (bool done = false; !done;)
            assert_true(search_index_purge(w->index, &done));
        if (search_index_is_worn(w->index)) {
            assert_true(++worn <= 10 && i >= 100);
            assert_true(search_index_begin(w->index));
            assert_true(search_index_clear(w->index) && search_index_commit(w->index));
            assert_false(search_index_is_worn(w->index));
        }
    }
    put(w, 1, "alpha");
    assert_true(count(w, "alpha") > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(words_are_found_by_their_stems),   T(nothing_in_a_query_is_more_than_words),
        T(keys_rooms_and_senders_choose),    T(more_often_ranks_higher_and_longer_lower),
        T(what_is_removed_leaves_the_file),  T(its_extent_is_of_the_same_transaction),
        T(a_file_that_is_none_is_made_anew), T(a_table_that_is_damaged_is_made_anew),
        T(it_is_worn_before_it_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
