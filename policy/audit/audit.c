#include "policy/audit/audit.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/audit.h"
#include "homeserver/store/school/schools.h"
#include "policy/gate/school_gate.h"

#define SIGNED_PREFIX "org.parta.audit\n" /* what this key signs elsewhere is JSON, and begins otherwise */
#define PAGE 500
#define HEADER_VERSION 2 /* in 1 the head of a school's part was the whole log's */

/* --- Hashes and signatures --- */

static void entry_hash(const char *entry, size_t len, unsigned char hash[AUDIT_HASH_BYTES])
{
    crypto_generichash(hash, AUDIT_HASH_BYTES, (const unsigned char *)entry, len, NULL, 0);
}

static size_t signed_bytes(const unsigned char hash[AUDIT_HASH_BYTES],
                           char out[sizeof SIGNED_PREFIX + AUDIT_HASH_BYTES])
{
    memcpy(out, SIGNED_PREFIX, sizeof SIGNED_PREFIX - 1);
    memcpy(out + sizeof SIGNED_PREFIX - 1, hash, AUDIT_HASH_BYTES);
    return sizeof SIGNED_PREFIX - 1 + AUDIT_HASH_BYTES;
}

static void sign_hash(const struct signing_key *key, const unsigned char hash[AUDIT_HASH_BYTES],
                      unsigned char signature[AUDIT_SIGNATURE_BYTES])
{
    char bytes[sizeof SIGNED_PREFIX + AUDIT_HASH_BYTES];
    size_t len = signed_bytes(hash, bytes);
    signing_key_sign(key, bytes, len, signature);
}

/* --- Writing --- */

static json_t *school_id(struct db *db, school_no school)
{
    char *id = school != 0 ? schools_sourced_id(db, school) : NULL;
    json_t *value = id != NULL ? json_string(id) : NULL;
    free(id);
    return value;
}

/* An entry to be, in the order of its members. */
struct entry {
    const char *act, *actor;
    const struct text *changes; /* objects with commas between them; empty: none */
    const json_t *details, *subject;
    int64_t part_of; /* 0: of none */
    const char *reason;
    school_no school;
    int64_t report;
};

static void add_member(struct text *out, const char *key, const json_t *value)
{
    if (value == NULL)
        return;
    text_addf(out, ",\"%s\":", key);
    json_add_canonical(out, value);
}

/* Canonical JSON: members in order. The text is what is hashed, signed and kept, byte for byte: it is never written
 * again from what it means. The hash of the entry before is inside, so that no entry can be altered, taken out or moved
 * without every later one. */
static void entry_add(struct text *out, struct tx *tx, const struct entry *entry, int64_t seq,
                      const unsigned char prev[AUDIT_HASH_BYTES])
{
    json_t *school = school_id(tx->db, entry->school);
    text_adds(out, "{\"act\":");
    text_add_json(out, entry->act);
    text_adds(out, ",\"actor\":");
    text_add_json(out, entry->actor);
    if (entry->changes != NULL && entry->changes->len != 0) {
        text_adds(out, ",\"changes\":[");
        text_add(out, entry->changes->data, entry->changes->len);
        text_addc(out, ']');
    }
    add_member(out, "details", entry->details);
    if (entry->part_of != 0)
        text_addf(out, ",\"part_of\":%lld", (long long)entry->part_of);
    text_adds(out, ",\"prev\":\"");
    text_add_base64(out, prev, AUDIT_HASH_BYTES);
    text_addc(out, '"');
    if (entry->reason != NULL) {
        text_adds(out, ",\"reason\":");
        text_add_json(out, entry->reason);
    }
    add_member(out, "school", school);
    text_addf(out, ",\"seq\":%lld", (long long)seq);
    add_member(out, "subject", entry->subject);
    text_addf(out, ",\"ts\":%lld}", (long long)tx->now_ms);
    json_decref(school);
}

/* Its number; 0: the database failed. */
static int64_t append(struct tx *tx, const struct signing_key *key, const struct entry *entry)
{
    unsigned char prev[AUDIT_HASH_BYTES], hash[AUDIT_HASH_BYTES], signature[AUDIT_SIGNATURE_BYTES];
    struct text text = TEXT_INIT;
    int64_t seq = tx_number_after(tx, audit_head(tx->db, 0, prev)); /* in this job: no other entry comes between */
    entry_add(&text, tx, entry, seq, prev);
    entry_hash(text.data, text.len, hash);
    sign_hash(key, hash, signature);
    bool done = audit_insert(tx, &(struct audit_row){seq, text.data, hash, signature, entry->school, entry->act,
                                                     entry->actor, entry->report});
    text_finish(&text);
    return done ? seq : 0;
}

/* --- What changed --- */

struct audit_log {
    const struct signing_key *key;
    char *server_name;
    int64_t serial; /* of the job that the rest is about: */
    struct row_past past;
    /* Its last entry: what it does to rows afterwards is more of it. */
    bool noted;
    struct tx_acting last;
    school_no school;
    int64_t report;
    struct told { /* where that entry began, for each whom it concerns */
        school_no school;
        int64_t report, seq;
    } * told; /* heap */
    size_t n_told;
};

/* What an entry is to hold. */
struct chunk {
    struct text changes;
    int n; /* at most AUDIT_LIST_MAX */
};

/* What an act is to those who read of one school (0: operators alone), and of one report (0: of none). */
struct part {
    school_no school;
    int64_t report;
    bool about;           /* the act is about somebody of that school */
    bool names_actor;     /* one of its rows does */
    struct chunk *chunks; /* heap; none: it is an entry without changes */
    size_t n;
    int64_t first; /* the number of its first entry; 0: none yet */
};

/* One audit_append. */
struct appending {
    struct tx *tx;
    const struct signing_key *key;
    struct audit_log *log; /* NULL: rows are not watched */
    const struct audit_note *note;
    struct row_text rows;
    user_no actor;      /* 0: no person */
    school_no school;   /* whose act it is; 0: none's */
    struct part *parts; /* heap */
    size_t n;
};

static struct part *part_of(struct appending *a, school_no school, int64_t report)
{
    for (size_t i = 0; i < a->n; ++i)
        if (a->parts[i].school == school && a->parts[i].report == report)
            return &a->parts[i];
    a->parts = xrealloc(a->parts, (a->n + 1) * sizeof *a->parts);
    a->parts[a->n] = (struct part){.school = school, .report = report};
    return &a->parts[a->n++];
}

static bool names(const struct row_change *change, user_no user)
{
    bool named = false;
    for (int i = 0; user != 0 && change->table->columns[i].guard != GUARD_NO; ++i)
        if (change->table->columns[i].value == VALUE_USER || change->table->columns[i].value == VALUE_PERSON)
            named = named || change->columns[i].before.number == user || change->columns[i].after.number == user;
    return named;
}

static void add_change(struct appending *a, school_no school, const struct row_change *change)
{
    int64_t report = row_text_report(change);
    struct part *part = part_of(a, school, report != 0 ? report : a->note->report);
    if (part->n == 0 || part->chunks[part->n - 1].n == AUDIT_LIST_MAX) {
        part->chunks = xrealloc(part->chunks, (part->n + 1) * sizeof *part->chunks);
        part->chunks[part->n++] = (struct chunk){TEXT_INIT, 0};
    }
    struct chunk *chunk = &part->chunks[part->n - 1];
    if (chunk->n++ != 0)
        text_addc(&chunk->changes, ',');
    part->names_actor = part->names_actor || names(change, a->actor);
    a->rows.school = school;
    row_text_add(&a->rows, &chunk->changes, change);
}

/* What is no school's belongs to the act's. */
static bool add_changes(struct appending *a)
{
    struct row_changes *changes = tx_row_changes(a->tx);
    struct row_change change;
    if (changes->too_many)
        return false;
    row_past_take(&a->log->past, changes);
    for (size_t at = 0; row_changes_next(changes, &at, &change);) {
        row_text_schools(&a->rows, &change);
        for (size_t i = 0; i < a->rows.of.n; ++i)
            add_change(a, a->rows.of.schools[i], &change);
        if (a->rows.of.n == 0)
            add_change(a, a->school, &change);
    }
    row_changes_clear(changes);
    return true;
}

/* Schools that know of it, whatever rows changed. */
static void add_concerned(struct appending *a)
{
    const struct audit_note *note = a->note;
    for (size_t i = 0; i < note->n_schools; ++i)
        if (note->schools[i] != 0)
            part_of(a, note->schools[i], note->report);
    if (note->about == 0)
        return;
    row_text_schools_of(&a->rows, note->about);
    for (size_t i = 0; i < a->rows.of.n; ++i)
        part_of(a, a->rows.of.schools[i], note->report)->about = true;
}

/* The part that has all that the caller says. */
static size_t main_part(struct appending *a)
{
    school_no school = a->school;
    size_t n = 0;
    for (size_t i = 0; a->school == 0 && i < a->n; ++i)
        if (a->parts[i].school != 0 && a->parts[i].report == a->note->report && ++n == 1)
            school = a->parts[i].school;
    return (size_t)(part_of(a, n > 1 ? 0 : school, a->note->report) - a->parts);
}

/* A1: whether a school may know of who acts: an operator, who has a role there or had one until this act, or whom it is
 * about. */
static bool is_of(const struct appending *a, const struct part *part)
{
    return part->school == 0 || part->school == a->school || a->actor == 0 || part->names_actor ||
           (part->about && a->actor == a->note->about) || school_roles(a->tx->db, part->school, a->actor) != 0 ||
           row_past_has(a->rows.past, a->actor, part->school);
}

static int64_t *told_of(struct audit_log *log, const struct part *part)
{
    for (size_t i = 0; i < log->n_told; ++i)
        if (log->told[i].school == part->school && log->told[i].report == part->report)
            return &log->told[i].seq;
    log->told = xrealloc(log->told, (log->n_told + 1) * sizeof *log->told);
    log->told[log->n_told] = (struct told){part->school, part->report, 0};
    return &log->told[log->n_told++].seq;
}

static bool write_part(struct appending *a, struct part *part, bool main)
{
    const struct audit_note *note = a->note;
    int64_t unkept = 0, *first = a->log != NULL ? told_of(a->log, part) : &unkept;
    struct entry entry = {.act = note->act,
                          .actor = is_of(a, part) ? note->actor->name : AUDIT_ELSEWHERE,
                          .school = part->school,
                          .report = part->report,
                          .subject = main || part->about ? note->subject : NULL};
    if (main) {
        entry.details = note->details;
        /* What the caller says stands for it; else why the actor insisted. */
        entry.reason = note->reason != NULL ? note->reason : note->actor->override_;
    }
    if (main && part->n == 0 && a->n > 1 && entry.subject == NULL && entry.details == NULL && entry.reason == NULL)
        return true; /* others say all there is */
    for (size_t i = 0; i < part->n || i == 0; ++i) {
        entry.changes = part->n != 0 ? &part->chunks[i].changes : NULL;
        entry.part_of = *first;
        int64_t seq = append(a->tx, a->key, &entry);
        if (seq == 0)
            return false;
        *first = *first != 0 ? *first : seq;
        entry.subject = NULL;
        entry.details = NULL;
        entry.reason = NULL;
    }
    return true;
}

/* The act itself stands first. */
static bool write_all(struct appending *a)
{
    if (a->log != NULL && !add_changes(a))
        return false;
    add_concerned(a);
    size_t main = main_part(a);
    bool good = write_part(a, &a->parts[main], true);
    for (size_t i = 0; good && i < a->n; ++i)
        good = i == main || write_part(a, &a->parts[i], false);
    return good;
}

/* Before the first of a job, and before each that is not more of the last. */
static void begin_entry(struct appending *a, bool more)
{
    struct audit_log *log = a->log;
    struct tx *tx = a->tx;
    const struct audit_note *note = a->note;
    if (log->serial != tx->serial)
        row_past_finish(&log->past);
    if (log->serial != tx->serial || !more)
        log->n_told = 0;
    log->serial = tx->serial;
    if (more)
        return;
    log->noted = true;
    log->school = a->school;
    log->report = note->report;
    snprintf(log->last.actor, sizeof log->last.actor, "%s", note->actor->name);
    snprintf(log->last.act, sizeof log->last.act, "%s", note->act);
}

static void appending_finish(struct appending *a)
{
    for (size_t i = 0; i < a->n; ++i) {
        for (size_t k = 0; k < a->parts[i].n; ++k)
            text_finish(&a->parts[i].chunks[k].changes);
        free(a->parts[i].chunks);
    }
    free(a->parts);
    row_text_finish(&a->rows);
    json_decref(a->note->subject);
    json_decref(a->note->details);
}

static bool append_note(struct tx *tx, const struct signing_key *key, const struct audit_note *note, bool more)
{
    struct audit_log *log = tx_guard(tx);
    struct appending a = {.tx = tx, .key = key, .log = log, .note = note, .actor = note->actor->user};
    struct row_past nothing = {0};
    a.rows = (struct row_text){.db = tx->db, .names = note->names, .past = log != NULL ? &log->past : &nothing};
    day_text(day_of_ms(tx->now_ms), a.rows.today);
    if (log != NULL) {
        a.rows.server_name = log->server_name;
        if (a.actor == 0 && note->actor->name[0] == '@')
            a.actor = users_by_id(tx->db, log->server_name, note->actor->name);
    }
    a.school = a.actor != 0 || note->about == 0 ? note->school : 0;
    if (log != NULL)
        begin_entry(&a, more);
    bool done = write_all(&a);
    appending_finish(&a);
    return done;
}

bool audit_append(struct tx *tx, const struct signing_key *key, const struct audit_note *note)
{
    return append_note(tx, key, note, false);
}

static bool is_noted(const struct audit_log *log, const struct tx *tx)
{
    return log->noted && log->serial == tx->serial;
}

/* What a job did of which no act has told: under the name that tx_acts gave, or as more of the last entry. */
static bool append_rest(struct audit_log *log, struct tx *tx)
{
    const struct tx_acting *acting = tx_acting(tx);
    bool more = is_noted(log, tx) && (acting->act[0] == '\0' || strcmp(acting->act, log->last.act) == 0);
    const struct tx_acting as = more ? log->last : *acting;
    const struct actor actor = {.name = as.actor};
    struct audit_note note = {.actor = &actor, .act = as.act};
    if (more) {
        note.school = log->school;
        note.report = log->report;
    }
    return append_note(tx, log->key, &note, more);
}

static bool has_name(const struct audit_log *log, const struct tx *tx)
{
    return is_noted(log, tx) || tx_acting(tx)->act[0] != '\0';
}

bool audit_append_full(struct tx *tx, const struct audit_note *note)
{
    struct audit_log *log = tx_guard(tx);
    if (log == NULL || tx_row_changes(tx)->packed.len < AUDIT_WAITING_BYTES)
        return true;
    if (note != NULL)
        return append_note(tx, log->key, note, false);
    return !has_name(log, tx) || append_rest(log, tx);
}

/* --- No act without an entry --- */

static bool all_own(const struct row_changes *changes, user_no user)
{
    struct row_change change;
    bool own = !changes->too_many;
    for (size_t at = 0; own && row_changes_next(changes, &at, &change);)
        own = row_change_is_own(&change, user);
    return own;
}

static bool complain(const struct row_changes *changes)
{
    struct row_change change;
    size_t at = 0;
    if (changes->too_many || !row_changes_next(changes, &at, &change))
        log_error("audit", "a job did more to the records than it said in the log: it was not done");
    else
        log_error("audit",
                  "a job did something to the records (%c %s) and said nothing of it in the log: it was not done",
                  change.sign, change.table->record);
    return false;
}

static bool guard(void *self, struct tx *tx)
{
    struct audit_log *log = self;
    const struct row_changes *changes = tx_row_changes(tx);
    user_no own = tx_acting(tx)->own;
    if (own != 0 && all_own(changes, own))
        return true;
    return !changes->too_many && has_name(log, tx) ? append_rest(log, tx) : complain(changes);
}

struct audit_log *audit_log_start(struct writer *writer, const struct signing_key *key, const char *server_name)
{
    struct audit_log *log = xcalloc(1, sizeof *log);
    *log = (struct audit_log){.key = key, .server_name = xstrdup(server_name)};
    if (writer_guard(writer, guard, log))
        return log;
    audit_log_stop(log);
    return NULL;
}

void audit_log_stop(struct audit_log *log)
{
    if (log == NULL)
        return;
    row_past_finish(&log->past);
    free(log->told);
    free(log->server_name);
    free(log);
}

/* --- Exporting --- */

static void add_line(struct text *out, const char *entry, const unsigned char *hash, const unsigned char *signature)
{
    text_adds(out, "{\"entry\":");
    text_add_json(out, entry);
    text_adds(out, ",\"hash\":\"");
    text_add_base64(out, hash, AUDIT_HASH_BYTES);
    text_adds(out, "\",\"signature\":\"");
    text_add_base64(out, signature, AUDIT_SIGNATURE_BYTES);
    text_adds(out, "\"}\n");
}

/* What an export has: as much as its lines tell, so that an entry that comes meanwhile is in neither. */
struct exported {
    int64_t entries;
    unsigned char head[AUDIT_HASH_BYTES]; /* the newest one's */
};

/* How many entries there are, and the newest one's hash. A school's part has its own head: the whole log's would tell
 * when something is entered elsewhere (A1). */
static void add_header(struct db *db, const struct signing_key *key, const char *server_name, school_no school,
                       const struct exported *exported, struct text *out)
{
    unsigned char hash[AUDIT_HASH_BYTES], signature[AUDIT_SIGNATURE_BYTES];
    json_t *header =
        json_pack("{s:i, s:s, s:s, s:o, s:I, s:o}", "org.parta.audit", HEADER_VERSION, "server", server_name, "key_id",
                  key->id, "public_key", json_base64(key->public, sizeof key->public), "entries",
                  (json_int_t)exported->entries, "head", json_base64(exported->head, sizeof exported->head));
    if (school != 0)
        json_object_set_new(header, "school", school_id(db, school));
    char *text = json_canonical(header);
    entry_hash(text, strlen(text), hash);
    sign_hash(key, hash, signature);
    add_line(out, text, hash, signature);
    free(text);
    json_decref(header);
}

static void add_entries(struct db *db, school_no school, const struct audit_reader *reader, struct exported *exported,
                        struct text *out)
{
    struct audit_query query = {.school = school, .limit = PAGE, .act = "", .actor = ""};
    struct audit_row row;
    int n;
    do {
        struct stmt *q = audit_query(db, &query);
        for (n = 0; audit_next(q, &row); ++n) {
            query.after = row.seq;
            if (!audit_reader_sees(reader, &row))
                continue;
            add_line(out, row.entry, row.hash, row.signature);
            memcpy(exported->head, row.hash, sizeof exported->head);
            ++exported->entries;
        }
        stmt_end(q);
    } while (n == PAGE);
}

bool audit_export(struct db *db, const struct signing_key *key, const char *server_name, school_no school,
                  const struct audit_reader *reader, struct text *out)
{
    struct text lines = TEXT_INIT;
    struct exported exported = {0};
    db_begin_read(db);
    add_entries(db, school, reader, &exported, &lines);
    add_header(db, key, server_name, school, &exported, out);
    db_end_read(db);
    text_add(out, lines.data != NULL ? lines.data : "", lines.len);
    text_finish(&lines);
    return !db_failed(db);
}

void audit_head_text(struct db *db, school_no school, const struct audit_reader *reader, struct text *out)
{
    unsigned char head[AUDIT_HASH_BYTES] = {0};
    int64_t seq = 0;
    struct audit_query query = {.school = school, .limit = INT_MAX, .act = "", .actor = "", .newest_first = true};
    struct audit_row row;
    struct stmt *q = audit_query(db, &query);
    while (seq == 0 && audit_next(q, &row))
        if (audit_reader_sees(reader, &row)) {
            seq = row.seq;
            memcpy(head, row.hash, sizeof head);
        }
    stmt_end(q);
    text_addf(out, "%lld ", (long long)seq);
    text_add_base64(out, head, sizeof head);
}

/* --- Verifying --- */

struct verifying {
    unsigned char key[32];
    bool old_part;                        /* a school's, whose header has the whole log's head */
    bool partial;                         /* of one school: entries between are not there */
    int64_t entries;                      /* as the header has it */
    unsigned char last[AUDIT_HASH_BYTES]; /* of the entry before */
    unsigned char head[AUDIT_HASH_BYTES]; /* as the header has it */
    int64_t n, seq;                       /* entries so far; the last one's number */
    int64_t known_seq;                    /* the head that was noted elsewhere; −1: none */
    bool known_seen;
    unsigned char known[AUDIT_HASH_BYTES];
    struct audit_fault *fault;
};

/* One line, taken apart. */
struct audit_line {
    const char *entry; /* borrowed from json */
    json_t *json, *content;
    unsigned char hash[AUDIT_HASH_BYTES], signature[AUDIT_SIGNATURE_BYTES];
};

static bool broken(struct verifying *v, const char *what)
{
    v->fault->what = what;
    return false;
}

/* Only the one way to write these bytes will do: base64 has bits that decoding ignores, and a file in which they were
 * altered would verify and yet be another file. */
static bool decode(const json_t *object, const char *key, unsigned char *out, size_t want)
{
    const char *text = json_get_string(object, key);
    struct text again = TEXT_INIT;
    bool good = text != NULL && base64_decode(text, strlen(text), out, want) == (int)want;
    if (good)
        text_add_base64(&again, out, want);
    good = good && strcmp(again.data, text) == 0;
    text_finish(&again);
    return good;
}

static bool read_line(struct verifying *v, const char *bytes, size_t len, struct audit_line *line)
{
    struct error e;
    line->json = json_parse(bytes, len, &e);
    line->entry = json_get_string(line->json, "entry");
    if (line->entry == NULL || !decode(line->json, "hash", line->hash, sizeof line->hash) ||
        !decode(line->json, "signature", line->signature, sizeof line->signature))
        return broken(v, "the line is not an entry with its hash and signature");
    line->content = json_parse(line->entry, strlen(line->entry), &e);
    return json_is_object(line->content) || broken(v, "the entry is not JSON");
}

static bool check_hash(struct verifying *v, const struct audit_line *line)
{
    unsigned char hash[AUDIT_HASH_BYTES];
    entry_hash(line->entry, strlen(line->entry), hash);
    return bytes_equal(hash, line->hash, sizeof hash) || broken(v, "its hash is not that of its bytes");
}

static bool check_signature(struct verifying *v, const struct audit_line *line)
{
    char bytes[sizeof SIGNED_PREFIX + AUDIT_HASH_BYTES];
    size_t len = signed_bytes(line->hash, bytes);
    return signature_verify(v->key, bytes, len, line->signature) || broken(v, "its signature is not the server's");
}

static bool take_header(struct verifying *v, const struct audit_line *line, bool key_known)
{
    unsigned char key[32];
    int64_t version = json_get_int(line->content, "org.parta.audit", 0);
    if (version < 1 || version > HEADER_VERSION || !decode(line->content, "public_key", key, 32) ||
        !decode(line->content, "head", v->head, sizeof v->head))
        return broken(v, "the file does not begin with the header of an audit log");
    if (key_known && !bytes_equal(key, v->key, sizeof key))
        return broken(v, "the file was signed with another key than the given one");
    memcpy(v->key, key, sizeof key);
    v->entries = json_get_int(line->content, "entries", -1);
    v->partial = json_get_string(line->content, "school") != NULL;
    v->old_part = v->partial && version == 1;
    return check_hash(v, line) && check_signature(v, line);
}

/* Numbers rise, and what follows what says prev. In a school's part others' entries are missing, and with them what
 * prev names: there each entry is held by its own signature alone, and what was left out in the middle shows only
 * against the whole log. */
static bool check_place(struct verifying *v, const struct audit_line *line)
{
    unsigned char prev[AUDIT_HASH_BYTES];
    int64_t seq = json_get_int(line->content, "seq", 0);
    if (seq <= v->seq)
        return broken(v, "entries have changed places");
    v->fault->seq = seq;
    if (!decode(line->content, "prev", prev, sizeof prev))
        return broken(v, "it does not name the entry before");
    return v->partial || bytes_equal(prev, v->last, sizeof prev) ||
           broken(v, "the entry before it is missing or another one");
}

static bool take_entry(struct verifying *v, const struct audit_line *line)
{
    v->fault->seq = v->seq + 1;
    if (!check_hash(v, line) || !check_signature(v, line) || !check_place(v, line))
        return false;
    v->seq = v->fault->seq;
    v->known_seen |= v->seq == v->known_seq;
    memcpy(v->last, line->hash, sizeof v->last);
    ++v->n;
    return v->seq != v->known_seq || bytes_equal(v->known, line->hash, sizeof v->known) ||
           broken(v, "it is another entry than the head that was noted");
}

/* The end: nothing was cut off. The header tells that of a file; that the file is not an older one, or of a log begun
 * anew, tells only a head that was noted elsewhere before. */
static bool check_end(struct verifying *v)
{
    v->fault->seq = v->seq + 1;
    if (v->n != v->entries)
        return broken(v, "entries are missing at the end, or there are more than the header says");
    if (!v->old_part && !bytes_equal(v->last, v->head, sizeof v->head))
        return broken(v, "the last entry is not the one that the header names");
    if (v->known_seq <= 0 || v->known_seen)
        return true;
    return broken(
        v, v->partial ? "the head that was noted is not an entry of this part: note the part's own, or check the "
                        "whole log"
           : v->seq > v->known_seq ? "the head that was noted is no entry of this log, which goes on beyond it"
                                   : "the log is shorter than when its head was noted");
}

static bool take_known(struct verifying *v, const char *head)
{
    char *end;
    v->known_seq = head != NULL ? strtoll(head, &end, 10) : -1;
    if (head == NULL)
        return true;
    while (*end == ' ')
        ++end;
    return (v->known_seq >= 0 && base64_decode(end, strlen(end), v->known, sizeof v->known) == AUDIT_HASH_BYTES) ||
           broken(v, "the head is not a number and a hash");
}

static bool verify_lines(struct verifying *v, const char *bytes, size_t len, bool key_known)
{
    const char *at = bytes, *end = bytes + len;
    for (v->fault->line = 1; at < end || v->fault->line == 1; ++v->fault->line) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        struct audit_line line = {0};
        bool good = read_line(v, at, (size_t)((newline != NULL ? newline : end) - at), &line) &&
                    (v->fault->line == 1 ? take_header(v, &line, key_known) : take_entry(v, &line));
        json_decref(line.json);
        json_decref(line.content);
        if (!good)
            return false;
        at = newline != NULL ? newline + 1 : end;
    }
    return check_end(v);
}

bool audit_verify(const char *bytes, size_t len, const unsigned char public_key[32], const char *head, int64_t *entries,
                  struct audit_fault *fault)
{
    struct verifying v = {.fault = fault};
    *fault = (struct audit_fault){0};
    if (public_key != NULL)
        memcpy(v.key, public_key, sizeof v.key);
    bool whole = take_known(&v, head) && verify_lines(&v, bytes, len, public_key != NULL);
    *entries = v.n;
    return whole;
}
