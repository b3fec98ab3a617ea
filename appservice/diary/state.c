#include "appservice/diary/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appservice/diary/crypto.h"
#include "appservice/diary/state_private.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/driver/db.h"

#define BELIEVED_DAYS 2 /* a day, after one on which the bridge stood still */

/* In order; a number is an index plus one, and never changes once released. */
static const char *const MIGRATIONS[] = {
    "CREATE TABLE sources (source TEXT PRIMARY KEY, read_to INTEGER NOT NULL, read_ms INTEGER NOT NULL,"
    " confirmed INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE records (source TEXT NOT NULL, id TEXT NOT NULL, kind INTEGER NOT NULL, day INTEGER NOT NULL,"
    " revision INTEGER NOT NULL DEFAULT 0, hash BLOB," /* hash NULL: nothing told, or withdrawn */
    " intended INTEGER NOT NULL DEFAULT 0, intent BLOB, updated_ms INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (source, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX records_day ON records (source, day);"
    "CREATE TABLE matches (source TEXT NOT NULL, kind INTEGER NOT NULL, id TEXT NOT NULL, sourced_id TEXT NOT NULL,"
    " PRIMARY KEY (source, kind, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE problems (source TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, why TEXT NOT NULL,"
    " since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1,"
    " PRIMARY KEY (source, kind, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE signatures (hash BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE TABLE rooms (child TEXT NOT NULL, audience TEXT NOT NULL, room_id TEXT NOT NULL UNIQUE,"
    " PRIMARY KEY (child, audience)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE said (source TEXT NOT NULL, id TEXT NOT NULL, room_id TEXT NOT NULL, revision INTEGER NOT NULL,"
    " txn TEXT NOT NULL, event_id TEXT NOT NULL," /* event_id "": it may be there */
    " PRIMARY KEY (source, id, room_id, revision)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE messages (root TEXT NOT NULL, txn TEXT NOT NULL, room_id TEXT NOT NULL,"
    " event_id TEXT NOT NULL," /* event_id "": it may be there */
    " PRIMARY KEY (root, txn)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message_records (source TEXT NOT NULL, id TEXT NOT NULL, room_id TEXT NOT NULL, root TEXT NOT NULL,"
    " PRIMARY KEY (source, id, room_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX message_records_root ON message_records (root);"
    "INSERT INTO message_records SELECT source, id, room_id, txn FROM said WHERE NOT EXISTS (SELECT 1 FROM said AS s"
    " WHERE s.source = said.source AND s.id = said.id AND s.room_id = said.room_id AND s.revision < said.revision);"
    "INSERT INTO messages SELECT r.root, said.txn, said.room_id, said.event_id FROM said JOIN message_records AS r"
    " ON r.source = said.source AND r.id = said.id AND r.room_id = said.room_id;"
    "DROP TABLE said;",
    "CREATE TABLE people (person TEXT PRIMARY KEY, pace INTEGER NOT NULL DEFAULT 0, off INTEGER NOT NULL DEFAULT 0,"
    " english INTEGER NOT NULL DEFAULT 0, hour INTEGER NOT NULL DEFAULT 0, heard INTEGER NOT NULL DEFAULT 0)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE transactions (txn TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    CRYPTO_STORE_SCHEMA "CREATE TABLE words (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE TABLE owed (person TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, child TEXT NOT NULL,"
    " day INTEGER NOT NULL, revision INTEGER NOT NULL, corrected INTEGER NOT NULL,"
    " digest INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0," /* digest 0: of none that is under way */
    " PRIMARY KEY (person, source, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX owed_digest ON owed (digest) WHERE digest <> 0;"
    "CREATE INDEX owed_record ON owed (source, id);"
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE TABLE absences (root TEXT PRIMARY KEY, room_id TEXT NOT NULL, child TEXT NOT NULL, day INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;" /* messages that ask for a reason */
    "CREATE INDEX absences_room ON absences (room_id, at_ms);"
    "CREATE TABLE answers (root TEXT NOT NULL, teacher TEXT NOT NULL,"
    " answer TEXT NOT NULL, txn TEXT NOT NULL, event_id TEXT NOT NULL," /* answer: the event that gave it */
    " PRIMARY KEY (root, teacher)) STRICT, WITHOUT ROWID;",
    ("CREATE TABLE later (source TEXT NOT NULL, id TEXT NOT NULL, child TEXT NOT NULL, day INTEGER NOT NULL,"
     " due_ms INTEGER NOT NULL, PRIMARY KEY (source, id, child)) STRICT, WITHOUT ROWID;"),
    "ALTER TABLE sources ADD COLUMN cursor TEXT;"                      /* NULL: it is to be read whole */
    "ALTER TABLE sources ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;" /* how often somebody asked for that */
    "ALTER TABLE sources ADD COLUMN whole_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sources ADD COLUMN whole_from INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sources ADD COLUMN whole_to INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE records ADD COLUMN whom BLOB;" /* NULL: told to nobody, or before this was noted */
    "ALTER TABLE records ADD COLUMN intent_whom BLOB;",
    ("CREATE TABLE heard (event_id TEXT PRIMARY KEY, hour INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE INDEX heard_hour ON heard (hour);"), /* words that are counted */
    ("ALTER TABLE owed RENAME TO owed_before;"    /* a record may be of two children of one person */
     "CREATE TABLE owed (person TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, child TEXT NOT NULL,"
     " day INTEGER NOT NULL, revision INTEGER NOT NULL, corrected INTEGER NOT NULL,"
     " digest INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,"
     " PRIMARY KEY (person, source, id, child)) STRICT, WITHOUT ROWID;"
     "INSERT INTO owed SELECT person, source, id, child, day, revision, corrected, digest, sent FROM owed_before;"
     "DROP TABLE owed_before;"
     "CREATE INDEX owed_digest ON owed (digest) WHERE digest <> 0;"
     "CREATE INDEX owed_record ON owed (source, id);"),
    ("ALTER TABLE sources ADD COLUMN adopts INTEGER NOT NULL DEFAULT 0;"
     "UPDATE sources SET adopts = 1 WHERE source = 'icalendar';"), /* its ids have the group before them now */
};
#define N_MIGRATIONS ((int)(sizeof MIGRATIONS / sizeof *MIGRATIONS))

enum {
    VERSION,
    SOURCE_GET,
    SOURCE_READ,
    SOURCE_CHANGES,
    SOURCE_CONFIRM,
    SOURCE_READ_WHOLE,
    UNMATCHED_READ_WHOLE,
    RECORD_GET,
    RECORD_INTEND,
    RECORD_INTEND_GONE,
    RECORD_TOLD,
    RECORD_NOT_TOLD,
    RECORD_DROP_EMPTY,
    RECORD_KNOWN,
    RECORD_RENAME,
    RECORD_RENAME_PLACES,
    RECORD_RENAME_OWED,
    RECORD_RENAME_LATER,
    RECORD_RENAME_PROBLEM,
    RECORD_IDS,
    RECORD_FORGET,
    MATCH_PUT,
    MATCH_DROP,
    MATCH_GET,
    PROBLEM_PUT,
    PROBLEM_DROP,
    PROBLEM_DROP_BEFORE,
    PROBLEM_COUNT,
    PROBLEM_LIST,
    SIGNATURE_GET,
    SIGNATURE_PUT,
    SIGNATURE_FORGET,
    ROOM_GET,
    ROOM_IS,
    ROOM_CHILD,
    ROOM_AUDIENCE,
    ROOM_PUT,
    ROOM_DROP,
    ROOM_CHILDREN,
    WORD_GET,
    WORD_PUT,
    STATE__COUNT
};

static const struct statement TEXTS[STATE__COUNT] = {
    [VERSION] = {"PRAGMA user_version"},
    [SOURCE_GET] =
        {"SELECT read_to, read_ms, confirmed, cursor, whole_ms, whole_from, whole_to, asked, adopts FROM sources"
         " WHERE source = $1"},
    [SOURCE_READ] =
        {"INSERT INTO sources (source, read_to, read_ms, whole_ms, whole_from, whole_to, cursor)"
         " VALUES ($1, $2, $3, $3, $4, $2, $5) ON CONFLICT (source)"
         " DO UPDATE SET read_to = CASE WHEN sources.read_to > $8 THEN excluded.read_to"
         " ELSE max(sources.read_to, excluded.read_to) END, read_ms = excluded.read_ms,"
         " confirmed = CASE WHEN $7 <> 0 THEN 0 ELSE sources.confirmed END,"
         " adopts = 0, whole_ms = excluded.whole_ms, whole_from = excluded.whole_from, whole_to = excluded.whole_to,"
         " cursor = CASE WHEN sources.asked = $6 THEN excluded.cursor END"},
    [SOURCE_CHANGES] = {"UPDATE sources SET read_ms = $2, cursor = CASE WHEN asked = $4 THEN $3 END"
                        " WHERE source = $1"},
    [SOURCE_CONFIRM] = {"UPDATE sources SET confirmed = 1, cursor = NULL, asked = asked + 1 WHERE source = $1"},
    [SOURCE_READ_WHOLE] = {"UPDATE sources SET cursor = NULL, asked = asked + 1 WHERE source = $1"},
    [UNMATCHED_READ_WHOLE] = {"UPDATE sources SET cursor = NULL, asked = asked + 1 WHERE source IN"
                              " (SELECT source FROM problems WHERE kind IN ('pupil', 'group'))"},
    [RECORD_GET] = {"SELECT revision, hash, intended, intent, day, kind, updated_ms, whom, intent_whom FROM records"
                    " WHERE source = $1 AND id = $2"},
    [RECORD_INTEND] = {"INSERT INTO records (source, id, kind, day, intended, intent, intent_whom, updated_ms)"
                       " VALUES ($1, $2, $3, $4, 1, $5, $6, $7) ON CONFLICT (source, id) DO UPDATE SET"
                       " kind = excluded.kind, day = excluded.day, intended = 1, intent = excluded.intent,"
                       " intent_whom = excluded.intent_whom, updated_ms = excluded.updated_ms"},
    [RECORD_INTEND_GONE] = {"UPDATE records SET intended = 1, intent = NULL, intent_whom = NULL"
                            " WHERE source = $1 AND id = $2"},
    [RECORD_TOLD] = {"UPDATE records SET revision = revision + 1, hash = intent, whom = intent_whom, intended = 0,"
                     " intent = NULL, intent_whom = NULL WHERE source = $1 AND id = $2 AND intended = 1"},
    [RECORD_NOT_TOLD] =
        {"UPDATE records SET intended = 0, intent = NULL, intent_whom = NULL WHERE source = $1 AND id = $2"},
    [RECORD_DROP_EMPTY] = {"DELETE FROM records WHERE source = $1 AND id = $2 AND revision = 0 AND hash IS NULL"
                           " AND intended = 0"},
    [RECORD_KNOWN] = {"INSERT INTO records (source, id, kind, day, hash, updated_ms) VALUES ($1, $2, $3, $4, $5, $6)"
                      " ON CONFLICT (source, id) DO UPDATE SET kind = excluded.kind, day = excluded.day,"
                      " hash = excluded.hash, whom = NULL, intended = 0, intent = NULL, intent_whom = NULL,"
                      " updated_ms = excluded.updated_ms"},
    [RECORD_RENAME] = {"UPDATE records SET id = $3 WHERE source = $1 AND id = $2"},
    [RECORD_RENAME_PLACES] = {"UPDATE message_records SET id = $3 WHERE source = $1 AND id = $2"},
    [RECORD_RENAME_OWED] = {"UPDATE owed SET id = $3 WHERE source = $1 AND id = $2"},
    [RECORD_RENAME_LATER] = {"UPDATE later SET id = $3 WHERE source = $1 AND id = $2"},
    [RECORD_RENAME_PROBLEM] = {"UPDATE OR REPLACE problems SET id = $3 WHERE source = $1 AND kind = 'record'"
                               " AND id = $2"},
    [RECORD_IDS] = {"SELECT id FROM records WHERE source = $1 AND day BETWEEN $2 AND $3"
                    " AND (hash IS NOT NULL OR intended = 1) ORDER BY id"},
    [RECORD_FORGET] = {"DELETE FROM records WHERE day < $1 AND intended = 0"},
    [MATCH_PUT] = {"INSERT INTO matches (source, kind, id, sourced_id) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT (source, kind, id) DO UPDATE SET sourced_id = excluded.sourced_id"},
    [MATCH_DROP] = {"DELETE FROM matches WHERE source = $1 AND kind = $2 AND id = $3"},
    [MATCH_GET] = {"SELECT sourced_id FROM matches WHERE source = $1 AND kind = $2 AND id = $3"},
    [PROBLEM_PUT] = {"INSERT INTO problems (source, kind, id, why, since_ms, last_ms) SELECT $1, $2, $3, $4, $5, $5"
                     " WHERE (SELECT count(*) FROM problems WHERE source = $1) < $6 ON CONFLICT (source, kind, id)"
                     " DO UPDATE SET why = excluded.why, last_ms = excluded.last_ms, times = problems.times + 1"},
    [PROBLEM_DROP] = {"DELETE FROM problems WHERE source = $1 AND kind = $2 AND id = $3"},
    [PROBLEM_DROP_BEFORE] = {"DELETE FROM problems WHERE source = $1 AND kind = $2 AND last_ms < $3"},
    [PROBLEM_COUNT] = {"SELECT count(*) FROM problems"},
    [PROBLEM_LIST] = {"SELECT source, kind, id, since_ms, times, why FROM problems ORDER BY source, kind, id"},
    [SIGNATURE_GET] = {"SELECT 1 FROM signatures WHERE hash = $1"},
    [SIGNATURE_PUT] = {"INSERT INTO signatures (hash, at_ms) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING"},
    [SIGNATURE_FORGET] = {"DELETE FROM signatures WHERE at_ms < $1"},
    [ROOM_GET] = {"SELECT room_id FROM rooms WHERE child = $1 AND audience = $2"},
    [ROOM_IS] = {"SELECT 1 FROM rooms WHERE room_id = $1"},
    [ROOM_CHILD] = {"SELECT child FROM rooms WHERE room_id = $1"},
    [ROOM_AUDIENCE] = {"SELECT audience FROM rooms WHERE room_id = $1"},
    [ROOM_PUT] = {"INSERT INTO rooms (child, audience, room_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"},
    [ROOM_DROP] = {"DELETE FROM rooms WHERE room_id = $1"},
    [ROOM_CHILDREN] = {"SELECT DISTINCT child FROM rooms WHERE audience <> $1"},
    [WORD_GET] = {"SELECT value FROM words WHERE name = $1"},
    [WORD_PUT] = {"INSERT INTO words (name, value) VALUES ($1, $2)"
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
};
STATEMENTS(STATE, "diary_state", TEXTS);

static bool migrate(struct db *db, struct text *problem)
{
    char number[64];
    int version = (int)db_int(db, &STATE, VERSION, -1, "");
    if (version > N_MIGRATIONS) {
        text_addf(problem, "The state is of a newer program (%d, this one knows %d).", version, N_MIGRATIONS);
        return false;
    }
    for (; version >= 0 && version < N_MIGRATIONS; ++version) {
        snprintf(number, sizeof number, "PRAGMA user_version=%d", version + 1);
        if (!db_transaction(db, DB_BEGIN) || !db_script(db, MIGRATIONS[version]) || !db_script(db, number) ||
            !db_transaction(db, DB_COMMIT))
            break;
    }
    if (version == N_MIGRATIONS)
        return true;
    text_adds(problem, "The state can't be brought up to date.");
    return false;
}

struct state *state_open(const char *path, struct text *problem)
{
    struct db *db = db_open(path, DB_WRITE, &(struct db_options){.durable = true, .in_transactions = true});
    if (db == NULL) {
        text_addf(problem, "%s can't be opened.", path);
        return NULL;
    }
    if (!migrate(db, problem)) {
        db_close(db);
        return NULL;
    }
    struct state *state = xcalloc(1, sizeof *state);
    state->db = db;
    return state;
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    db_close(state->db);
    free(state);
}

void state_begin(struct state *state)
{
    if (state->held)
        return;
    db_settle(state->db);
    db_transaction(state->db, DB_BEGIN);
}

bool state_commit(struct state *state)
{
    if (state->held && !db_failed(state->db))
        return true;
    if (state->held) { /* nothing of it holds, and what follows stands by itself */
        state->held = false;
        state->lost = true;
    }
    bool whole = !db_failed(state->db), done = whole && db_transaction(state->db, DB_COMMIT);
    if (!done && db_in_transaction(state->db))
        db_transaction(state->db, DB_ROLLBACK);
    if (whole && !done)
        db_forget_commit(state->db);
    db_settle(state->db);
    return done;
}

void state_hold(struct state *state)
{
    state_begin(state);
    state->held = !db_failed(state->db);
    state->lost = !state->held;
}

bool state_release(struct state *state)
{
    bool lost = state->lost, held = state->held;
    state->held = state->lost = false;
    return held ? state_commit(state) : !lost;
}

bool state_sound(struct state *state)
{
    bool sound = !db_failed(state->db);
    if (!sound && !db_in_transaction(state->db)) /* of what is begun state_commit has to hear, too */
        db_settle(state->db);
    return sound;
}

void state_fail_after(struct state *state, int n)
{
    db_fail_after(state->db, n);
}

/* --- Sources --- */

struct source_state state_source(struct state *state, const char *source)
{
    struct source_state out = {0};
    struct stmt *q = db_query(state->db, &STATE, SOURCE_GET, "t", source);
    if (stmt_next(q)) {
        out = (struct source_state){.known = true,
                                    .read_to = (school_day)col_int(q, 0),
                                    .read_ms = col_int(q, 1),
                                    .confirmed = col_int(q, 2) != 0,
                                    .whole_ms = col_int(q, 4),
                                    .whole = {(school_day)col_int(q, 5), (school_day)col_int(q, 6)},
                                    .asked = col_int(q, 7),
                                    .adopts = col_int(q, 8) != 0};
        const char *cursor = col_text(q, 3);
        if (cursor != NULL && strlen(cursor) < sizeof out.cursor)
            strcpy(out.cursor, cursor);
    }
    stmt_end(q);
    return out;
}

void state_source_read(struct state *state, const char *source, const struct source_state *before,
                       const struct reading *reading, const char *cursor, int64_t now_ms)
{
    const struct window *window = &reading->window;
    if (reading->extent == READING_WHOLE)
        db_run(state->db, &STATE, SOURCE_READ, "tiiitiii", source, (int64_t)window->to, now_ms, (int64_t)window->from,
               cursor, before->asked, (int64_t)before->confirmed, (int64_t)day_after(window->to, STATE_CLOCK_DAYS));
    else
        db_run(state->db, &STATE, SOURCE_CHANGES, "titi", source, now_ms, cursor, before->asked);
}

void state_source_read_whole(struct state *state, const char *source)
{
    db_run(state->db, &STATE, SOURCE_READ_WHOLE, "t", source);
}

void state_unmatched_read_whole(struct state *state)
{
    db_run(state->db, &STATE, UNMATCHED_READ_WHOLE, "");
}

void state_source_confirm(struct state *state, const char *source)
{
    db_run(state->db, &STATE, SOURCE_CONFIRM, "t", source);
}

/* --- Records --- */

static bool take_hash(struct stmt *q, int column, unsigned char out[RECORD_HASH_BYTES])
{
    size_t len;
    const void *bytes = col_bytes(q, column, &len);
    if (bytes != NULL && len == RECORD_HASH_BYTES)
        memcpy(out, bytes, len);
    return bytes != NULL && len == RECORD_HASH_BYTES;
}

bool state_seen(struct state *state, const char *source, const char *id, struct seen *seen)
{
    *seen = (struct seen){0};
    struct stmt *q = db_query(state->db, &STATE, RECORD_GET, "tt", source, id);
    bool found = stmt_next(q);
    if (found) {
        seen->revision = col_int(q, 0);
        seen->told = take_hash(q, 1, seen->hash);
        seen->intended = col_int(q, 2) != 0;
        seen->intent_gone = !take_hash(q, 3, seen->intent);
        seen->day = (school_day)col_int(q, 4);
        seen->kind = (enum record_kind)(col_int(q, 5) % RECORD__COUNT);
        seen->updated_ms = col_int(q, 6);
        seen->knows_whom = take_hash(q, 7, seen->whom);
        seen->intends_whom = take_hash(q, 8, seen->intent_whom);
    }
    stmt_end(q);
    return found;
}

void state_intend(struct state *state, const char *source, const struct record *record,
                  const unsigned char hash[RECORD_HASH_BYTES], const unsigned char whom[RECORD_HASH_BYTES])
{
    db_run(state->db, &STATE, RECORD_INTEND, "ttiibbi", source, record->id, (int64_t)record->kind, (int64_t)record->day,
           (const void *)hash, (size_t)RECORD_HASH_BYTES, (const void *)whom, (size_t)RECORD_HASH_BYTES,
           record->updated_ms);
}

void state_intend_gone(struct state *state, const char *source, const char *id)
{
    db_run(state->db, &STATE, RECORD_INTEND_GONE, "tt", source, id);
}

void state_told(struct state *state, const char *source, const char *id)
{
    db_run(state->db, &STATE, RECORD_TOLD, "tt", source, id);
}

void state_not_told(struct state *state, const char *source, const char *id)
{
    db_run(state->db, &STATE, RECORD_NOT_TOLD, "tt", source, id);
    db_run(state->db, &STATE, RECORD_DROP_EMPTY, "tt", source, id);
}

void state_known(struct state *state, const char *source, const struct record *record,
                 const unsigned char hash[RECORD_HASH_BYTES])
{
    db_run(state->db, &STATE, RECORD_KNOWN, "ttiibi", source, record->id, (int64_t)record->kind, (int64_t)record->day,
           (const void *)hash, (size_t)RECORD_HASH_BYTES, record->updated_ms);
}

void state_rename(struct state *state, const char *source, const char *id, const char *now)
{
    for (int i = RECORD_RENAME; i <= RECORD_RENAME_PROBLEM; ++i)
        db_run(state->db, &STATE, i, "ttt", source, id, now);
}

/* The only column, as copies. */
static char **column(struct stmt *q, size_t *n)
{
    char **ids = NULL;
    size_t cap = 0;
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            ids = xrealloc(ids, (cap = cap != 0 ? 2 * cap : 64) * sizeof *ids);
        ids[(*n)++] = xstrdup(col_text(q, 0));
    }
    stmt_end(q);
    return ids;
}

char **state_ids(struct state *state, const char *source, struct window window, size_t *n)
{
    return column(db_query(state->db, &STATE, RECORD_IDS, "tii", source, (int64_t)window.from, (int64_t)window.to), n);
}

void state_ids_free(char **ids, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        free(ids[i]);
    free(ids);
}

void state_forget_before(struct state *state, school_day day)
{
    db_run(state->db, &STATE, RECORD_FORGET, "i", (int64_t)day);
    state_messages_forget(state);
    state_owed_forget(state);
    state_absences_forget(state);
}

void state_forget_old(struct state *state, int64_t now_ms, int keep_days)
{
    int64_t believed = state_counter(state, "today"), day = now_ms / DAY_MS;
    if (believed != 0 && day > believed + BELIEVED_DAYS)
        day = believed + BELIEVED_DAYS;
    state_counter_put(state, "today", day);
    state_forget_before(state, day_of_ms((day - keep_days) * DAY_MS));
}

/* --- Who is who --- */

void state_match(struct state *state, const char *source, enum subject_kind kind, const char *id,
                 const char *sourced_id)
{
    db_run(state->db, &STATE, MATCH_PUT, "titt", source, (int64_t)kind, id, sourced_id);
}

bool state_unmatch(struct state *state, const char *source, enum subject_kind kind, const char *id)
{
    return db_rows(state->db, &STATE, MATCH_DROP, "tit", source, (int64_t)kind, id) > 0;
}

char *state_matched(struct state *state, const char *source, enum subject_kind kind, const char *id)
{
    return db_text(state->db, &STATE, MATCH_GET, "tit", source, (int64_t)kind, id);
}

/* --- Problems --- */

void state_problem(struct state *state, const char *source, const char *kind, const char *id, const char *why,
                   int64_t now_ms)
{
    db_run(state->db, &STATE, PROBLEM_PUT, "ttttii", source, kind, id, why, now_ms, (int64_t)STATE_PROBLEMS_MAX);
}

void state_solved(struct state *state, const char *source, const char *kind, const char *id)
{
    db_run(state->db, &STATE, PROBLEM_DROP, "ttt", source, kind, id);
}

void state_solved_before(struct state *state, const char *source, const char *kind, int64_t ms)
{
    db_run(state->db, &STATE, PROBLEM_DROP_BEFORE, "tti", source, kind, ms);
}

int64_t state_problem_count(struct state *state)
{
    return db_int(state->db, &STATE, PROBLEM_COUNT, 0, "");
}

void state_print_problems(struct state *state, struct text *out)
{
    char since[32];
    struct tm tm;
    struct stmt *q = db_query(state->db, &STATE, PROBLEM_LIST, "");
    while (stmt_next(q)) {
        time_t seconds = (time_t)(col_int(q, 3) / 1000);
        gmtime_r(&seconds, &tm);
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm);
        text_addf(out, "%s\t%s\t%s\t%s\t%lld\t%s\n", col_text(q, 0), col_text(q, 1), col_text(q, 2), since,
                  (long long)col_int(q, 4), col_text(q, 5));
    }
    stmt_end(q);
}

/* --- The webhook's replays --- */

bool state_signature_seen(struct state *state, const unsigned char hash[RECORD_HASH_BYTES])
{
    return db_int(state->db, &STATE, SIGNATURE_GET, 0, "b", (const void *)hash, (size_t)RECORD_HASH_BYTES) != 0;
}

void state_signature_note(struct state *state, const unsigned char hash[RECORD_HASH_BYTES], int64_t now_ms,
                          int64_t forget_before_ms)
{
    db_run(state->db, &STATE, SIGNATURE_FORGET, "i", forget_before_ms);
    db_run(state->db, &STATE, SIGNATURE_PUT, "bi", (const void *)hash, (size_t)RECORD_HASH_BYTES, now_ms);
}

/* --- The encryption's --- */

char *state_word(struct state *state, const char *name)
{
    return db_text(state->db, &STATE, WORD_GET, "t", name);
}

void state_word_put(struct state *state, const char *name, const char *value)
{
    db_run(state->db, &STATE, WORD_PUT, "tt", name, value);
}

struct db *state_db(struct state *state)
{
    return state->db;
}

/* --- Rooms, and what was said there --- */

char *state_room(struct state *state, const char *child, const char *audience)
{
    return db_text(state->db, &STATE, ROOM_GET, "tt", child, audience);
}

char *state_room_child(struct state *state, const char *room_id)
{
    return db_text(state->db, &STATE, ROOM_CHILD, "t", room_id);
}

bool state_room_whose(struct state *state, const char *room_id, char **child, char **audience)
{
    *child = state_room_child(state, room_id);
    *audience = db_text(state->db, &STATE, ROOM_AUDIENCE, "t", room_id);
    return state_sound(state);
}

bool state_room_is(struct state *state, const char *room_id)
{
    return db_int(state->db, &STATE, ROOM_IS, 0, "t", room_id) != 0;
}

void state_room_put(struct state *state, const char *child, const char *audience, const char *room_id)
{
    db_run(state->db, &STATE, ROOM_PUT, "ttt", child, audience, room_id);
}

void state_room_drop(struct state *state, const char *room_id)
{
    db_run(state->db, &STATE, ROOM_DROP, "t", room_id);
}

char **state_children(struct state *state, const char *but, size_t *n)
{
    return column(db_query(state->db, &STATE, ROOM_CHILDREN, "t", but), n);
}
