#include "homeserver/store/driver/search_index.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db_private.h"
#include "homeserver/store/driver/sqlite_search_words.h"

#define VERSION 1 /* of the file: another one is made anew */
#define WRITER_CACHE_KIB 4096
#define SECURE_SINCE 3042000 /* the SQLite from which on FTS5 knows secure-delete */
#define PURGE_PAGES 500      /* merged at a time: some tens of milliseconds */
#define LEVELS_MAX                                                                                                     \
    1000 /* SQLite 3.40 adds one with each purge, drops none, and from 2 000 on takes the table for damaged */

/* tags: whose and where, as words that nobody writes: partaroom12 partasender34. */
#define TEXTS_TABLE "CREATE VIRTUAL TABLE texts USING fts5(tags, body, name, topic, tokenize = 'parta')"
static const char LAYOUT[] = "CREATE TABLE extent (one INTEGER PRIMARY KEY CHECK (one = 1), older INTEGER NOT NULL,"
                             " newest INTEGER NOT NULL, event_id TEXT NOT NULL) STRICT;"
                             "INSERT INTO extent VALUES (1, 0, 0, '');" TEXTS_TABLE ";";

enum {
    EXTENT,
    SET_EXTENT,
    HOLDS,
    STRUCTURE,
    PUT,
    REMOVE,
    CLEAR,
    TEXTS_LAYOUT,
    MERGE_ALL,
    MERGE_MORE,
    CHANGES,
    SECURE,
    FIND,
    FIND_RANKED,
    MARKED,
    COUNT
};
static const struct statement TEXTS[COUNT] = {
    [EXTENT] = "SELECT older, newest, event_id FROM extent",
    [SET_EXTENT] = "UPDATE extent SET older = $1, newest = $2, event_id = $3",
    [HOLDS] = "SELECT rowid FROM texts LIMIT 1",
    [STRUCTURE] = "SELECT hex(substr(block, 5, 2)) FROM texts_data WHERE id = 10",
    [PUT] = "INSERT INTO texts (rowid, tags, body, name, topic) VALUES ($1, $2, $3, $4, $5)",
    [REMOVE] = "DELETE FROM texts WHERE rowid = $1",
    [CLEAR] = "DROP TABLE texts",
    [TEXTS_LAYOUT] = TEXTS_TABLE,
    [MERGE_ALL] = "INSERT INTO texts (texts, rank) VALUES ('merge', -$1)",
    [MERGE_MORE] = "INSERT INTO texts (texts, rank) VALUES ('merge', $1)",
    [CHANGES] = "SELECT total_changes()",
    [SECURE] = "INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1)",
    [FIND] = "SELECT rowid, 0 FROM texts WHERE texts MATCH $1 AND rowid < $2 ORDER BY rowid DESC LIMIT $3",
    [FIND_RANKED] = "SELECT rowid, search_rank(texts) FROM texts WHERE texts MATCH $1 AND rowid < $2"
                    " ORDER BY rowid DESC LIMIT $3",
    [MARKED] = "SELECT search_rank(texts), highlight(texts, 1, char(2), char(3)), highlight(texts, 2, char(2),"
               " char(3)), highlight(texts, 3, char(2), char(3)) FROM texts WHERE texts MATCH $1 AND rowid = $2",
};
static const struct statements INDEX = {"search_index", TEXTS, COUNT}; /* of no database of events: not listed */

struct search_index {
    struct db *db;
    bool merging; /* a purge has begun */
};

/* --- The file --- */

static bool is_secure(void)
{
    return sqlite3_libversion_number() >= SECURE_SINCE;
}

static struct search_index *opened(const char *path, enum db_mode mode)
{
    struct db_options options = {.cache_kib = mode == DB_WRITE ? WRITER_CACHE_KIB : 0};
    struct search_index *index = xcalloc(1, sizeof *index);
    index->db = db_open(path, mode, &options);
    if (index->db != NULL && search_words_add(index->db))
        return index;
    search_index_close(index);
    return NULL;
}

void search_index_delete(const char *path)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; ++i) {
        struct text name = TEXT_INIT;
        text_addf(&name, "%s%s", path, ENDS[i]);
        unlink(name.data);
        text_finish(&name);
    }
}

/* FTS5 reads the structure of its segments when the table is first used. */
static bool is_sound(struct search_index *index)
{
    struct search_index_extent extent;
    if (driver_schema(index->db) != VERSION || !search_index_extent(index, &extent))
        return false;
    struct stmt *q = db_query(index->db, &INDEX, HOLDS, "");
    stmt_next(q);
    stmt_end(q);
    return !search_index_failed(index);
}

struct search_index *search_index_open(const char *path)
{
    struct search_index *index = opened(path, DB_WRITE);
    if (index != NULL && is_sound(index))
        return index;
    search_index_close(index);
    log_info("search", "the index of words is made anew");
    search_index_delete(path);
    index = opened(path, DB_WRITE);
    if (index != NULL && db_transaction(index->db, DB_BEGIN) && db_script(index->db, LAYOUT) &&
        (!is_secure() || db_run(index->db, &INDEX, SECURE, "")) && driver_set_schema(index->db, VERSION) &&
        db_transaction(index->db, DB_COMMIT))
        return index;
    search_index_close(index);
    return NULL;
}

struct search_index *search_index_open_reader(const char *path)
{
    return opened(path, DB_READ);
}

void search_index_close(struct search_index *index)
{
    if (index == NULL)
        return;
    db_close(index->db);
    free(index);
}

bool search_index_failed(struct search_index *index)
{
    bool failed = db_failed(index->db);
    db_settle(index->db);
    return failed;
}

/* --- Writing --- */

bool search_index_begin(struct search_index *index)
{
    return db_transaction(index->db, DB_BEGIN);
}

void search_index_rollback(struct search_index *index)
{
    if (db_in_transaction(index->db))
        db_transaction(index->db, DB_ROLLBACK);
    db_settle(index->db);
}

bool search_index_commit(struct search_index *index)
{
    if (!db_failed(index->db) && db_transaction(index->db, DB_COMMIT))
        return true;
    search_index_rollback(index);
    return false;
}

bool search_index_extent(struct search_index *index, struct search_index_extent *out)
{
    struct stmt *q = db_query(index->db, &INDEX, EXTENT, "");
    bool there = stmt_next(q);
    *out = (struct search_index_extent){0};
    if (there) {
        out->older = col_int(q, 0);
        out->newest = col_int(q, 1);
        strncpy(out->event_id, col_text(q, 2), sizeof out->event_id - 1);
    }
    stmt_end(q);
    return there;
}

bool search_index_set_extent(struct search_index *index, const struct search_index_extent *extent)
{
    return db_run(index->db, &INDEX, SET_EXTENT, "iit", extent->older, extent->newest, extent->event_id);
}

bool search_index_put(struct search_index *index, const struct search_index_text *text)
{
    struct text tags = TEXT_INIT;
    text_adds(&tags, "partaroom");
    text_add_int(&tags, text->room);
    text_adds(&tags, " partasender");
    text_add_int(&tags, text->sender);
    bool done = db_run(index->db, &INDEX, PUT, "itttt", text->pos, tags.data, text->body, text->name, text->topic);
    text_finish(&tags);
    return done;
}

bool search_index_remove(struct search_index *index, stream_pos pos)
{
    if (db_rows(index->db, &INDEX, REMOVE, "i", pos) != 0)
        index->merging = false; /* what is merged already may hold its words */
    return !db_failed(index->db);
}

bool search_index_clear(struct search_index *index)
{
    return db_run(index->db, &INDEX, CLEAR, "") && db_run(index->db, &INDEX, TEXTS_LAYOUT, "") &&
           (!is_secure() || db_run(index->db, &INDEX, SECURE, ""));
}

/* A merge that changed less than two rows has found nothing to do ("The 'merge' Command" of FTS5's description). */
static bool merge(struct search_index *index, bool *done)
{
    int64_t before = db_int(index->db, &INDEX, CHANGES, 0, "");
    if (!db_run(index->db, &INDEX, index->merging ? MERGE_MORE : MERGE_ALL, "i", (int64_t)PURGE_PAGES))
        return false;
    index->merging = true;
    *done = db_int(index->db, &INDEX, CHANGES, 0, "") - before < 2;
    return !db_failed(index->db);
}

bool search_index_purge(struct search_index *index, bool *done)
{
    bool whole, merged = is_secure();
    *done = false;
    if (!merged && !merge(index, &merged))
        return false;
    *done = merged && db_scrub(index->db, 0, &whole);
    return !db_failed(index->db);
}

/* The record of the segments ("Structure Record Format" in FTS5's source): a cookie of four bytes, then the number of
 * levels as SQLite's varint. */
bool search_index_is_worn(struct search_index *index)
{
    struct stmt *q = db_query(index->db, &INDEX, STRUCTURE, "");
    long bytes = stmt_next(q) ? strtol(col_text(q, 0), NULL, 16) : 0;
    stmt_end(q);
    return (bytes & 0x8000) != 0 && ((bytes >> 8 & 0x7f) << 7 | (bytes & 0x7f)) > LEVELS_MAX;
}

bool search_index_scrub(struct search_index *index, int64_t at_most_bytes, bool *whole)
{
    return db_scrub(index->db, at_most_bytes, whole);
}

/* --- Finding --- */

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* One word, or all up to the next quote: as a string of FTS5's, which is a phrase of what words it holds. */
static const char *add_piece(struct text *out, const char *s, bool quoted)
{
    text_addc(out, '"');
    for (; *s != '\0' && *s != '"' && (quoted || !is_blank(*s)); ++s)
        text_add(out, is_blank(*s) ? " " : s, 1);
    text_adds(out, "\" ");
    return s;
}

static int add_words(struct text *out, const char *s)
{
    int n = 0;
    bool quoted = false;
    for (;;) {
        while (is_blank(*s) && *s != '\0')
            ++s;
        if (*s == '"') {
            quoted = !quoted;
            ++s;
            continue;
        }
        if (*s == '\0' || n > SEARCH_WORDS_MAX)
            return n;
        s = add_piece(out, s, quoted);
        ++n;
    }
}

static void add_tags(struct text *out, const char *name, const int64_t *numbers, size_t n)
{
    text_adds(out, "tags : (");
    for (size_t i = 0; i < n; ++i)
        text_addf(out, "%s\"%s%lld\"", i != 0 ? " OR " : "", name, (long long)numbers[i]);
    text_adds(out, ") AND ");
}

char *search_index_match(const struct search_index_query *query)
{
    static const char *const COLUMNS[] = {"body ", "name ", "topic "};
    struct text out = TEXT_INIT;
    if (query->n_rooms == 0 || query->n_rooms > SEARCH_ROOMS_MAX || query->n_senders > SEARCH_ROOMS_MAX ||
        query->keys == 0 || (query->senders != NULL && query->n_senders == 0))
        return NULL;
    add_tags(&out, "partaroom", query->rooms, query->n_rooms);
    if (query->senders != NULL)
        add_tags(&out, "partasender", query->senders, query->n_senders);
    text_addc(&out, '{');
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; ++i)
        text_adds(&out, (query->keys & 1u << i) != 0 ? COLUMNS[i] : "");
    text_adds(&out, "} : (");
    int n = add_words(&out, query->term);
    text_addc(&out, ')');
    if (n != 0 && n <= SEARCH_WORDS_MAX)
        return text_take(&out);
    text_finish(&out);
    return NULL;
}

struct stmt *search_index_find(struct search_index *index, const char *match, stream_pos below, bool ranked,
                               int64_t limit)
{
    return db_query(index->db, &INDEX, ranked ? FIND_RANKED : FIND, "tii", match, below, limit);
}

bool search_index_next(struct stmt *q, stream_pos *pos, int64_t *rank)
{
    if (!stmt_next(q))
        return false;
    *pos = col_int(q, 0);
    *rank = col_int(q, 1);
    return true;
}

char *search_index_marked(struct search_index *index, const char *match, stream_pos pos, int64_t *rank)
{
    struct text out = TEXT_INIT;
    struct stmt *q = db_query(index->db, &INDEX, MARKED, "ti", match, pos);
    bool there = stmt_next(q);
    if (there) {
        *rank = col_int(q, 0);
        for (int i = 1; i <= 3; ++i)
            text_adds(&out, col_null(q, i) ? "" : col_text(q, i));
    }
    stmt_end(q);
    if (there)
        return text_take(&out);
    text_finish(&out);
    return NULL;
}
