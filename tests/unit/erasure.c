/* What an erasure (G4) leaves: of every column of text that the schema has, this says whether it goes or why it stays,
 * and what goes is planted, erased and searched for in every byte of the database's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/erasures.h"
#include "homeserver/store/school/roster_rooms.h"
#include "policy/privacy/erasure.h"
#include "tests/unit/fixture.h"

#define ID "an id, a number or a word of the server's own"
#define HASH "random, or a hash"
#define RECORD "a record of the school, which is the office's, not this person's"

#define OF_DEVICE(table, values) "INSERT INTO " table " SELECT device_no, " values " FROM devices WHERE device_id = 'D'"
#define OAUTH_CLIENT "INSERT INTO oauth_clients VALUES (1, 'c', x'00', '{}', 1) ON CONFLICT DO NOTHING;"
#define PUSHER                                                                                                         \
    "INSERT INTO pushers (user_no, app_id, pushkey, kind, app_name, device_name, profile_tag, lang, data, gateway,"    \
    " id_only, enabled, set_ms, device_no) VALUES "

/* plant: SQL that puts the word %1$s where the person %2$lld, in room %3$lld, would; kept: why it stays. */
static const struct column {
    const char *table, *column, *kept, *plant;
} COLUMNS[] = {
    {"access_tokens", "token_hash", HASH},
    {"access_tokens", "ends_hash", HASH},
    {"account_data", "type", NULL, "INSERT INTO account_data VALUES (%2$lld, 0, '%1$s', '{}', 1)"},
    {"account_data", "content", NULL,
     "INSERT INTO account_data VALUES (%2$lld, %3$lld, 'm.tag', '{\"a\":\"%1$s\"}', 1)"},
    {"aliases", "alias", NULL, "INSERT INTO aliases VALUES ('#%1$s:school.example', %3$lld, %2$lld)"},
    {"applications", "kind", ID},
    {"applications", "role", ID},
    {"applications", "given_name", NULL, "UPDATE applications SET given_name = '%1$s' WHERE user_no = %2$lld"},
    {"applications", "family_name", NULL, "UPDATE applications SET family_name = '%1$s' WHERE user_no = %2$lld"},
    {"applications", "middle_name", NULL, "UPDATE applications SET middle_name = '%1$s' WHERE user_no = %2$lld"},
    {"applications", "birth_date", NULL, "UPDATE applications SET birth_date = '%1$s' WHERE user_no = %2$lld"},
    {"applications", "note", NULL, "UPDATE applications SET note = '%1$s' WHERE user_no = %2$lld"},
    {"applications", "state", ID},
    {"applications", "decided_by", ID},
    {"applications", "reason", NULL, "UPDATE applications SET reason = '%1$s' WHERE user_no = %2$lld"},
    {"archived_rooms", "kind", ID},
    {"association_codes", "code_hash", HASH},
    {"associations", "agreed_by", ID},
    {"audit", "entry", "the log holds ids, and reasons of the office; a chain of hashes cannot lose a word"},
    {"audit", "hash", HASH},
    {"audit", "signature", HASH},
    {"audit", "act", ID},
    {"audit", "actor", ID},
    {"backup_keys", "room_id", NULL, "INSERT INTO backup_keys VALUES (%2$lld, 1, '%1$s', 's', 0, 0, 0, '{}')"},
    {"backup_keys", "session_id", NULL, "INSERT INTO backup_keys VALUES (%2$lld, 1, '!r', '%1$s', 0, 0, 0, '{}')"},
    {"appservice_transactions", "positions", ID},
    {"appservice_transactions", "service", ID},
    {"appservice_transactions", "txn", ID},
    {"appservice_users", "service", ID},
    {"network_rooms", "network", ID},
    {"backup_keys", "session_data", NULL, "INSERT INTO backup_keys VALUES (%2$lld, 1, '!r', 't', 0, 0, 0, '%1$s')"},
    {"classes", "sourced_id", RECORD},
    {"classes", "kind", ID},
    {"classes", "grade", RECORD},
    {"classes", "title", RECORD},
    {"classes", "source", ID},
    {"code_counts", "scope", ID},
    {"code_counts", "name", HASH},
    {"consumers", "consumer", ID},
    {"consumers", "destination", ID},
    {"contacts", "medium", ID},
    {"contacts", "address", NULL, "INSERT INTO contacts VALUES ('email', '%1$s', %2$lld, 0, 0)"},
    {"custodies", "kind", ID},
    {"left_custodies", "kind", ID},
    {"devices", "device_id", NULL, "INSERT INTO devices (user_no, device_id, created_ms) VALUES (%2$lld, '%1$s', 0)"},
    {"devices", "display_name", NULL,
     "INSERT INTO devices (user_no, device_id, display_name, created_ms) VALUES (%2$lld, 'NAMED', '%1$s', 0)"},
    {"devices", "last_seen_ip", NULL,
     "INSERT INTO devices (user_no, device_id, last_seen_ip, created_ms) VALUES (%2$lld, 'SEEN', '%1$s', 0)"},
    {"cross_signing_keys", "usage", NULL, "INSERT INTO cross_signing_keys VALUES (%2$lld, '%1$s', 'k', '{}', NULL)"},
    {"cross_signing_keys", "key", NULL, "INSERT INTO cross_signing_keys VALUES (%2$lld, 'a', '%1$s', '{}', NULL)"},
    {"cross_signing_keys", "signed", NULL, "INSERT INTO cross_signing_keys VALUES (%2$lld, 'b', 'k', '%1$s', NULL)"},
    {"cross_signing_keys", "signature", NULL, "INSERT INTO cross_signing_keys VALUES (%2$lld, 'c', 'k', '{}', '%1$s')"},
    {"dehydrated_devices", "data", NULL,
     "INSERT INTO dehydrated_devices SELECT %2$lld, device_no, '%1$s' FROM devices"
     " WHERE device_id = 'D'"},
    {"device_keys", "keys", NULL, OF_DEVICE("device_keys", "%2$lld, '%1$s', 'e', 's', NULL, NULL")},
    {"device_keys", "ed25519", NULL, "UPDATE device_keys SET ed25519 = '%1$s'"},
    {"device_keys", "signature", NULL, "UPDATE device_keys SET signature = '%1$s'"},
    {"device_keys", "self_signing_key", NULL, "UPDATE device_keys SET self_signing_key = '%1$s'"},
    {"device_keys", "self_signature", NULL, "UPDATE device_keys SET self_signature = '%1$s'"},
    {"enrollments", "role", ID},
    {"enrollments", "begin_date", ID},
    {"enrollments", "end_date", ID},
    {"enrollments", "source", ID},
    {"erasures", "author", ID},
    {"events", "event_id", HASH},
    {"events", "type", "what kind of event it is: its id is a hash of it; in a school a short name for machines"},
    {"events", "state_key", "whose state it is: the event's id is a hash of it; in a school of the form of an id"},
    {"events", "content", NULL, ""}, /* what_was_said_goes */
    {"events", "auth", ID},
    {"events", "hash", HASH},
    {"events", "signature", "empty; of old rows one of what a redaction leaves"},
    {"events", "redacts", ID},
    {"events", "reference_hash", HASH},
    {"fallback_keys", "key_id", NULL, OF_DEVICE("fallback_keys", "'%1$s', '{}', 0")},
    {"fallback_keys", "key", NULL, "UPDATE fallback_keys SET key = '%1$s'"},
    {"filters", "definition", NULL, "INSERT INTO filters VALUES (%2$lld, 1, '{\"not_senders\":[\"%1$s\"]}')"},
    {"guardianships", "source", ID},
    {"key_backups", "algorithm", NULL, "INSERT INTO key_backups VALUES (%2$lld, 1, '%1$s', '{}', 0, 0, 0, 0)"},
    {"key_backups", "auth_data", NULL, "INSERT INTO key_backups VALUES (%2$lld, 2, 'x', '%1$s', 0, 0, 0, 0)"},
    {"key_signatures", "signer_key", NULL, "INSERT INTO key_signatures VALUES (%2$lld, %2$lld, '%1$s', 's')"},
    {"key_signatures", "signature", NULL, "INSERT INTO key_signatures VALUES (%2$lld, %2$lld, 'ed25519:D', '%1$s')"},
    {"held_pushes", "gateway", ID},
    {"held_messages", "placeholder", ID},
    {"held_messages", "state", ID},
    {"held_messages", "event_id", ID},
    {"held_messages", "txn_id", NULL,
     "INSERT INTO held_messages (room_no, sender, txn_id, type, content, due_ms, created_ms) VALUES"
     " (%3$lld, %2$lld, '%1$s', 'm.room.message', '{}', 9999999999999, 0)"},
    {"held_messages", "about", NULL,
     "INSERT INTO held_messages (room_no, sender, about, type, content, due_ms, created_ms) VALUES"
     " (%3$lld, %2$lld, '%1$s', 'm.room.message', '{}', 9999999999999, 0)"},
    {"held_messages", "type", NULL,
     "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms) VALUES"
     " (%3$lld, %2$lld, '%1$s', '{}', 9999999999999, 0)"},
    {"held_messages", "content", NULL,
     "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms) VALUES"
     " (%3$lld, %2$lld, 'm.room.message', '{\"body\":\"%1$s\"}', 9999999999999, 0)"},
    {"held_imports", "source", ID},
    {"held_imports", "mode", ID},
    {"held_imports", "author", ID},
    {"held_imports", "schools", ID},
    {"held_imports", "changes", "counts"},
    {"held_imports", "difference", NULL,
     "INSERT INTO held_imports (version, source, mode, author, schools, changes, difference, left_out, older, base_ms,"
     " created_ms, modified, archive) VALUES (1, 'one', 'bulk', 'x', '[]', '{}',"
     " 'person - zq-people-sourced_id-qz' || char(10) || '%1$s', 0, '', 0, 0, '', X'')"},
    {"held_imports", "older", "days and names of files"},
    {"held_imports", "modified", ID},
    {"held_imports", "archive", NULL, /* tests/unit/roster_held.c has one that can be read */
     "INSERT INTO held_imports (version, source, mode, author, schools, changes, difference, left_out, older, base_ms,"
     " created_ms, modified, archive) VALUES (1, 'two', 'bulk', 'x', '[]', '{}', '', 0, '', 0, 0, '',"
     " CAST('%1$s' AS BLOB))"},
    {"idempotency", "caller", ID},
    {"idempotency", "key_hash", HASH},
    {"idempotency", "request_hash", HASH},
    {"idempotency", "reply", NULL,
     "INSERT INTO idempotency VALUES ('@anna:school.example', X'01', X'02', 200, 0, CAST('%1$s' AS BLOB), 0)"},
    {"identities", "issuer", "which provider: the operator's word"},
    {"identities", "subject", NULL, "INSERT INTO identities VALUES ('https://d.example', '%1$s', %2$lld, 1)"},
    {"imports", "source", ID},
    {"imports", "mode", ID},
    {"imports", "author", ID},
    {"imports", "changes", "counts"},
    {"incarnations", "token_key", HASH},
    {"links", "token_hash", HASH},
    {"links", "kind", ID},
    {"links", "role", ID},
    {"links", "issuer_name", ID},
    {"links", "sent_by", ID},
    {"links", "send_to", NULL,
     "INSERT INTO links (token_hash, kind, role, person, issuer_name, uses_allowed, created_ms, expires_ms, sent_by, "
     "send_to,"
     " delivery) VALUES (X'0a', 'personal', '', %2$lld, 'x', 1, 0, 1, 'email', '%1$s', 'waiting')"},
    {"links", "delivery", ID},
    {"media", "media_id", ID},
    {"media", "hash", HASH},
    {"media", "type", NULL,
     "INSERT INTO media (media_id, user_no, school_no, bytes, type, created_ms, pos, sent) VALUES"
     " ('type', %2$lld, 0, 1, '%1$s', 0, 0, 0)"},
    {"media", "name", NULL,
     "INSERT INTO media (media_id, user_no, school_no, bytes, type, name, created_ms, pos, sent) VALUES"
     " ('name', %2$lld, 0, 1, 'a/b', '%1$s', 0, 0, 0)"},
    {"media_gone", "hash", HASH},
    {"memberships", "membership", ID},
    {"operator_tokens", "token_hash", HASH},
    {"operator_tokens", "name", "the operator's, who is no person of the records"},
    {"operator_tokens", "scopes", ID},
    {"people", "sourced_id", NULL, "UPDATE people SET sourced_id = '%1$s' WHERE user_no = %2$lld"},
    {"people", "given_name", NULL, "UPDATE people SET given_name = '%1$s' WHERE user_no = %2$lld"},
    {"people", "family_name", NULL, "UPDATE people SET family_name = '%1$s' WHERE user_no = %2$lld"},
    {"people", "middle_name", NULL, "UPDATE people SET middle_name = '%1$s' WHERE user_no = %2$lld"},
    {"people", "birth_date", NULL, "UPDATE people SET birth_date = '2015-07-13' WHERE user_no = %2$lld"},
    {"people", "source", ID},
    {"policies", "document", RECORD},
    {"policies", "author", ID},
    {"policies", "reason", "why the office decided so"},
    {"profile_fields", "field", NULL, "INSERT INTO profile_fields VALUES (%2$lld, '%1$s', '1', 1)"},
    {"profile_fields", "value", NULL, "INSERT INTO profile_fields VALUES (%2$lld, 'avatar_url', '\"%1$s\"', 1)"},
    {"oauth_clients", "client_id", HASH},
    {"oauth_clients", "digest", HASH},
    {"oauth_clients", "metadata", "what a program says of itself"},
    {"oauth_codes", "code_hash", HASH},
    {"oauth_codes", "redirect_uri", "what a program says of itself, and gone within minutes"},
    {"oauth_codes", "challenge", HASH},
    {"oauth_codes", "device_id", NULL,
     OAUTH_CLIENT
     "INSERT INTO oauth_codes VALUES (x'01', 1, %2$lld, 'https://c.example/', 'c', '%1$s', 's', x'02', 9, NULL)"},
    {"oauth_codes", "scope", NULL,
     OAUTH_CLIENT
     "INSERT INTO oauth_codes VALUES (x'02', 1, %2$lld, 'https://c.example/', 'c', 'D', '%1$s', x'02', 9, NULL)"},
    {"oauth_codes", "origin", HASH},
    {"oauth_device_codes", "code_hash", HASH},
    {"oauth_device_codes", "user_code_hash", HASH},
    {"oauth_device_codes", "device_id", NULL,
     OAUTH_CLIENT "INSERT INTO oauth_device_codes VALUES (x'01', x'01', 1, '%1$s', 's', x'03', 9, 5, 0, 'allowed',"
                  " %2$lld, x'02', '')"},
    {"oauth_device_codes", "scope", NULL,
     OAUTH_CLIENT "INSERT INTO oauth_device_codes VALUES (x'02', x'02', 1, 'D', '%1$s', x'03', 9, 5, 0, 'allowed',"
                  " %2$lld, x'02', '')"},
    {"oauth_device_codes", "address", NULL,
     OAUTH_CLIENT "INSERT INTO oauth_device_codes VALUES (x'04', x'04', 1, 'D', 's', x'03', 9, 5, 0, 'allowed',"
                  " %2$lld, x'02', '%1$s')"},
    {"oauth_device_codes", "place_hash", HASH},
    {"oauth_device_codes", "state", ID},
    {"oauth_device_codes", "origin", HASH},
    {"spent_refresh_tokens", "token_hash", HASH},
    {"page_sessions", "token_hash", HASH},
    {"second_factors", "secret", NULL, "INSERT INTO second_factors VALUES (%2$lld, CAST('%1$s' AS BLOB), 1, 1)"},
    {"recovery_codes", "code_hash", HASH},
    {"pushers", "app_id", NULL,
     PUSHER "(%2$lld, '%1$s', 'app_id', 'http', 'x', 'x', 't', 'ru', '{}', '', 1, 1, 1, (SELECT MAX(device_no) FROM "
            "devices))"},
    {"pushers", "pushkey", NULL,
     PUSHER
     "(%2$lld, 'a', '%1$s', 'http', 'x', 'x', 't', 'ru', '{}', '', 1, 1, 1, (SELECT MAX(device_no) FROM devices))"},
    {"pushers", "app_name", NULL,
     PUSHER "(%2$lld, 'a', 'app_name', 'http', '%1$s', 'x', 't', 'ru', '{}', '', 1, 1, 1, (SELECT MAX(device_no) FROM "
            "devices))"},
    {"pushers", "device_name", NULL,
     PUSHER "(%2$lld, 'a', 'device_name', 'http', 'x', '%1$s', 't', 'ru', '{}', '', 1, 1, 1, (SELECT MAX(device_no) "
            "FROM devices))"},
    {"pushers", "profile_tag", NULL,
     PUSHER "(%2$lld, 'a', 'profile_tag', 'http', 'x', 'x', '%1$s', 'ru', '{}', '', 1, 1, 1, (SELECT MAX(device_no) "
            "FROM devices))"},
    {"pushers", "lang", NULL,
     PUSHER
     "(%2$lld, 'a', 'lang', 'http', 'x', 'x', 't', '%1$s', '{}', '', 1, 1, 1, (SELECT MAX(device_no) FROM devices))"},
    {"pushers", "data", NULL,
     PUSHER
     "(%2$lld, 'a', 'data', 'http', 'x', 'x', 't', 'ru', '%1$s', '', 1, 1, 1, (SELECT MAX(device_no) FROM devices))"},
    {"pushers", "kind", ID},
    {"pushers", "gateway", ID},
    {"receipts", "type", NULL, "INSERT INTO receipts VALUES (%3$lld, %2$lld, '%1$s', '', '$e', 1, 1, 1)"},
    {"receipts", "thread", NULL, "INSERT INTO receipts VALUES (%3$lld, %2$lld, 'm.read', '%1$s', '$e', 1, 1, 1)"},
    {"receipts", "event_id", NULL, "INSERT INTO receipts VALUES (%3$lld, %2$lld, 'm.read', '', '%1$s', 1, 1, 1)"},
    {"refresh_tokens", "token_hash", HASH},
    {"refresh_tokens", "ends_hash", HASH},
    {"registration_tokens", "token_hash", HASH},
    {"relations", "target_id", ID},
    {"relations", "rel_type", NULL, ""}, /* what_was_said_goes */
    {"reports", "kind", ID},
    {"reports", "event_id", ID},
    {"reports", "evidence", NULL,
     "INSERT INTO reports (kind, reporter, accused, evidence, reason, state, created_ms)"
     " VALUES ('event', 1, %2$lld, '{\"body\":\"%1$s\"}', 'why', 'closed', 0)"},
    {"reports", "reason", NULL,
     "INSERT INTO reports (kind, reporter, accused, reason, state, created_ms)"
     " VALUES ('user', %2$lld, 1, '%1$s', 'closed', 0)"},
    {"reports", "state", ID},
    {"reports", "resolution", "what the office did"},
    {"reports", "handled_by", ID},
    {"roles", "role", ID},
    {"roles", "begin_date", ID},
    {"roles", "end_date", ID},
    {"roles", "source", ID},
    {"room_state", "type", "see events.type"},
    {"room_state", "state_key", "see events.state_key"},
    {"rooms", "room_id", ID},
    {"rooms", "version", ID},
    {"rooms", "kind", ID},
    {"roster_mirrors", "source", ID},
    {"roster_mirrors", "archive",
     "whom a roster keeps cannot be erased; who is in it and is no longer kept goes (tests/unit/roster_held.c)"},
    {"roster_mirrors", "modified", ID},
    {"roster_mirrors", "year_end", ID},
    {"roster_rooms", "kind", ID},
    {"schools", "sourced_id", RECORD},
    {"one_time_keys", "key_id", NULL,
     "INSERT INTO one_time_keys (device_no, key_id, key) SELECT device_no, '%1$s', '{}' FROM devices WHERE device_id = "
     "'D'"},
    {"one_time_keys", "key", NULL,
     "INSERT INTO one_time_keys (device_no, key_id, key) SELECT device_no, 'A', '%1$s' FROM devices WHERE device_id = "
     "'D'"},
    {"schools", "name", RECORD},
    {"schools", "source", ID},
    {"losses", "kind", ID},
    {"losses", "end_date", ID},
    {"settled", "day", ID},
    {"taken_contacts", "medium", ID},
    {"taken_contacts", "address", NULL, "INSERT INTO taken_contacts VALUES (%2$lld, 'email', '%1$s', 0, 0, 1)"},
    {"taken_members", "membership", ID},
    {"taken_records", "role", ID},
    {"taken_records", "begin_date", ID},
    {"taken_records", "end_date", ID},
    {"taken_records", "source", ID},
    {"taken_records", "name_1", NULL,
     "INSERT INTO taken_records VALUES (0, %2$lld, 0, '', '0', '', 'school', 0, '%1$s', '', '', '', 1, 1)"},
    {"taken_records", "name_2", NULL,
     "INSERT INTO taken_records VALUES (0, %2$lld, 0, '', '1', '', 'school', 0, '', '%1$s', '', '', 1, 1)"},
    {"taken_records", "name_3", NULL,
     "INSERT INTO taken_records VALUES (0, %2$lld, 0, '', '2', '', 'school', 0, '', '', '%1$s', '', 1, 1)"},
    {"taken_records", "birth_date", NULL,
     "INSERT INTO taken_records VALUES (0, %2$lld, 0, '', '3', '', 'school', 0, '', '', '', '%1$s', 1, 1)"},
    {"taken_states", "state", ID},
    {"to_device", "type", NULL,
     "INSERT INTO to_device SELECT 1, device_no, %2$lld, 2, '%1$s', '{}' FROM devices WHERE device_id = 'D'"},
    {"to_device", "content", NULL,
     "INSERT INTO to_device SELECT 2, device_no, %2$lld, 2, 't', '%1$s' FROM devices WHERE device_id = 'D'"},
    {"to_device_transactions", "about", NULL, OF_DEVICE("to_device_transactions", "'%1$s', 't', 0")},
    {"to_device_transactions", "txn_id", NULL, OF_DEVICE("to_device_transactions", "'a', '%1$s', 0")},
    {"transactions", "txn_id", NULL,
     "INSERT INTO transactions SELECT device_no, '%1$s', %3$lld, 'm.room.message', 1 FROM devices WHERE device_id = "
     "'D'"},
    {"transactions", "about", NULL,
     "INSERT INTO transactions SELECT device_no, 't', %3$lld, '%1$s', 1 FROM devices WHERE device_id = 'D'"},
    {"users", "localpart", "the Matrix ID: opaque for whoever comes by roster or link"},
    {"users", "password_hash", NULL, "UPDATE users SET password_hash = '%1$s' WHERE user_no = %2$lld"},
    {"users", "language", ID},
    {"users", "state", ID},
    {"users", "kind", ID},
    {"verifications", "sid", HASH},
    {"verifications", "secret_hash", HASH},
    {"verifications", "purpose", ID},
    {"verifications", "medium", ID},
    {"verifications", "address", NULL,
     "INSERT INTO contacts VALUES ('email', 'waits-%1$s', %2$lld, 0, 0);"
     "INSERT INTO verifications (sid, secret_hash, purpose, medium, address, code_hash, send_attempt, delivery,"
     " created_ms, expires_ms) VALUES ('s', X'00', 'reset', 'email', 'waits-%1$s', X'00', 1, 'sent', 0, "
     "9999999999999)"},
    {"verifications", "code_hash", HASH},
    {"verifications", "delivery", ID},
};
#define COLUMN_COUNT (sizeof COLUMNS / sizeof *COLUMNS)

struct world {
    struct fixture f;
    user_no service, anna, boris;
    room_no room;
};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    fixture_start(&w->f);
    w->service = fixture_user(&w->f, SERVICE_LOCALPART);
    w->anna = fixture_user(&w->f, "anna");
    w->boris = fixture_user(&w->f, "boris");
    w->room = fixture_room(&w->f, w->boris, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&w->f, w->room, ACT_JOIN, w->anna, w->anna, NULL));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    fixture_stop(&w->f);
    free(w);
    return 0;
}

static bool job_script(struct tx *tx, void *arg, struct error *e)
{
    return db_script(tx->db, arg);
}

static void script(struct world *w, const char *text)
{
    struct error e;
    assert_true(writer_run(w->f.writer, job_script, (void *)text, &e));
}

static const char *word_of(const struct column *c)
{
    static char word[96];
    snprintf(word, sizeof word, "zq-%s-%s-qz", c->table, c->column);
    return strcmp(c->column, "birth_date") == 0 && strcmp(c->table, "people") == 0 ? "2015-07-13" : word;
}

/* How often the word stands in the database's files. */
static int found(struct world *w, const char *word)
{
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    int times = 0;
    for (size_t i = 0; i < 3; ++i) {
        struct text bytes = TEXT_INIT;
        char path[128], piece[65536];
        size_t n;
        snprintf(path, sizeof path, "%s%s", w->f.path, ENDINGS[i]);
        FILE *file = fopen(path, "rb");
        while (file != NULL && (n = fread(piece, 1, sizeof piece, file)) > 0)
            text_add(&bytes, piece, n);
        if (file != NULL)
            fclose(file);
        for (const char *at = bytes.data;
             at != NULL && (at = memmem(at, bytes.len - (size_t)(at - bytes.data), word, strlen(word))) != NULL; ++at)
            ++times;
        text_finish(&bytes);
    }
    return times;
}

static bool job_begin(struct tx *tx, void *arg, struct error *e)
{
    struct world *w = arg;
    return erasure_of_deactivated(w->f.rooms, tx, w->anna, e);
}

static void begin_and_step(struct world *w)
{
    struct error e = {0};
    assert_true(writer_run(w->f.writer, job_begin, w, &e));
    while (erasure_step(w->f.writer, w->f.rooms))
        continue;
}

static void erase(struct world *w)
{
    begin_and_step(w);
    assert_true(erasures_is_done(w->f.db, w->anna));
}

static void scrub(struct world *w)
{
    db_close(w->f.db); /* a reader would hold the log */
    assert_true(erasure_scrub(w->f.writer, NULL, clock_wall_ms()));
    w->f.db = db_open(w->f.path, DB_READ, NULL);
}

static void every_column_of_text_is_declared(void **state)
{
    static const struct statement TEXTS[] = {
        {"SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
         " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.type NOT IN ('INTEGER')"}};
    static const struct statements SET = {"test", TEXTS, 1};
    struct world *w = *state;
    size_t n = 0;
    int faults = 0;
    struct stmt *q = db_query(w->f.db, &SET, 0, "");
    for (; stmt_next(q); ++n) {
        size_t i = 0;
        while (i < COLUMN_COUNT &&
               (strcmp(COLUMNS[i].table, col_text(q, 0)) != 0 || strcmp(COLUMNS[i].column, col_text(q, 1)) != 0))
            ++i;
        if (i < COLUMN_COUNT && (COLUMNS[i].kept != NULL) != (COLUMNS[i].plant != NULL))
            continue;
        print_message("# %s.%s: does an erasure take it (policy/privacy/erasure.c), or why does it stay?\n",
                      col_text(q, 0), col_text(q, 1));
        ++faults;
    }
    stmt_end(q);
    assert_int_equal(faults, 0);
    assert_int_equal(n, COLUMN_COUNT);
}

static void what_is_planted_goes_from_every_file(void **state)
{
    struct world *w = *state;
    struct text sql = TEXT_INIT;
    script(w, "INSERT INTO schools (sourced_id, name) VALUES ('s1', 'One')");
    text_addf(&sql,
              "INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name, source) VALUES (%lld, "
              "'p', '', '', '', 'school');"
              "INSERT INTO applications (kind, user_no, school_no, role, state, created_ms) VALUES ('join', %lld, 1, "
              "'pupil', 'refused', 0);"
              "INSERT INTO devices (user_no, device_id, created_ms) VALUES (%lld, 'D', 0)",
              (long long)w->anna, (long long)w->anna, (long long)w->anna);
    script(w, sql.data);
    text_finish(&sql);
    for (size_t i = 0; i < COLUMN_COUNT; ++i) {
        if (COLUMNS[i].plant == NULL || *COLUMNS[i].plant == '\0')
            continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        char planted[1024];
        snprintf(planted, sizeof planted, COLUMNS[i].plant, word_of(&COLUMNS[i]), (long long)w->anna,
                 (long long)w->room);
#pragma GCC diagnostic pop
        script(w, planted);
        if (found(w, word_of(&COLUMNS[i])) == 0)
            fail_msg("%s.%s was not planted", COLUMNS[i].table, COLUMNS[i].column);
    }
    erase(w);
    scrub(w);
    for (size_t i = 0; i < COLUMN_COUNT; ++i)
        if (COLUMNS[i].plant != NULL && found(w, word_of(&COLUMNS[i])) != 0)
            fail_msg("%s.%s is still there", COLUMNS[i].table, COLUMNS[i].column);
}

/* Of each word of the content that is marked. */
static void assert_gone(struct world *w, const char *content)
{
    for (const char *at = content; (at = strstr(at, "zq-")) != NULL; at += 3) {
        char word[40];
        snprintf(word, sizeof word, "%.*s", (int)(strstr(at, "-qz") + 3 - at), at);
        if (found(w, word) != 0)
            fail_msg("%s is still there", word);
    }
}

/* By sender and by mention, of any type; read back as the room shows it and in the files. */
static void what_was_said_goes(void **state)
{
    static const struct {
        const char *type, *state_key, *content;
    } SAID[] = {
        {"m.room.message", NULL, "{\"body\":\"zq-message-qz\",\"msgtype\":\"m.text\"}"},
        {"org.example.of.ours", NULL, "{\"zq-key-qz\":{\"deep\":[\"zq-deep-qz\"]}}"},
        {"m.reaction", NULL,
         "{\"m.relates_to\":{\"event_id\":\"%s\",\"key\":\"zq-reaction-qz\",\"rel_type\":\"m.annotation\"}}"},
        {"org.example.related", NULL, "{\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"zq-relation-qz\"}}"},
        {"m.poll.start", NULL, "{\"m.poll\":{\"question\":{\"m.text\":[{\"body\":\"zq-poll-qz\"}]}}}"},
        {"m.room.topic", "", "{\"topic\":\"zq-topic-qz\"}"},
        {"m.room.name", "", "{\"name\":\"zq-name-qz\"}"},
        {"org.example.state", "k", "{\"words\":\"zq-state-qz\"}"},
        {"m.room.encryption", "", "{\"algorithm\":\"zq-algorithm-qz\"}"},
        {"m.room.member", "@anna:school.example", "{\"displayname\":\"zq-display-qz\",\"membership\":\"join\"}"},
    };
    struct world *w = *state;
    struct appended first, out;
    char content[512];
    struct error e = {0};
    assert_true(fixture_send(&w->f, w->room, w->boris, "m.room.power_levels", "", "{\"state_default\":0,\"users\":{}}",
                             NULL, NULL, &e));
    assert_true(
        fixture_send(&w->f, w->room, w->boris, "m.room.message", NULL, "{\"body\":\"of boris\"}", NULL, &first, &e));
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(content, sizeof content, SAID[i].content, first.event_id);
#pragma GCC diagnostic pop
        if (!fixture_send(&w->f, w->room, w->anna, SAID[i].type, SAID[i].state_key, content, NULL, &out, &e))
            fail_msg("%s: %s", SAID[i].type, error_sentence(&e));
    }
    assert_true(fixture_send(&w->f, w->room, w->anna, "m.room.redaction", NULL,
                             "{\"reason\":\"zq-reason-qz\",\"redacts\":\"x\"}", out.event_id, NULL, &e));
    snprintf(content, sizeof content, "{\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"zq-taken-back-qz\"}}",
             first.event_id);
    assert_true(fixture_send(&w->f, w->room, w->anna, "org.example.related", NULL, content, NULL, &out, &e));
    assert_true(fixture_send(&w->f, w->room, w->anna, "m.room.redaction", NULL, "{}", out.event_id, NULL, &e));
    assert_true(fixture_member(&w->f, w->room, ACT_LEAVE, w->anna, w->anna, &e));
    script(w, "INSERT INTO profile_fields SELECT user_no, 'displayname', '\"zq-invited-qz\"', 1 FROM users"
              " WHERE localpart = 'anna'");
    int before = found(w, "zq-invited-qz"); /* the invite shows the name that the profile has */
    assert_true(fixture_member(&w->f, w->room, ACT_INVITE, w->boris, w->anna, &e));
    assert_true(
        fixture_send(&w->f, w->room, w->boris, "m.room.message", NULL, "{\"body\":\"zz kept\"}", NULL, NULL, &e));
    assert_true(found(w, "zq-invited-qz") > before);
    assert_true(found(w, "zq-reason-qz") > 0);
    assert_true(found(w, "zq-relation-qz") > 0);
    erase(w);
    scrub(w);
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i)
        assert_gone(w, SAID[i].content);
    assert_int_equal(found(w, "zq-invited-qz"), 0);
    assert_int_equal(found(w, "zq-reason-qz"), 0);
    assert_true(found(w, "zz kept") > 0);
    assert_int_equal(found(w, "zq-"), 0);
}

/* What a redaction would leave (rooms/pdu/redact.c): in a school nobody can put words there; what lies there from
 * before, or where there is no school, goes by the erasure itself. */
static void what_a_redaction_leaves_goes(void **state)
{
    static const struct {
        const char *type, *state_key, *content;
    } SAID[] = {
        {"m.room.join_rules", "",
         "{\"allow\":[{\"room_id\":\"!zq-room-qz:x\",\"type\":\"zq-allow-qz\"},\"zq-item-qz\"],\"join_rule\":\"zq-rule-"
         "qz\"}"},
        {"m.room.history_visibility", "", "{\"history_visibility\":\"zq-seen-qz\"}"},
        {"m.space.child", "!a:school.example", "{\"suggested\":{\"zq-suggested-qz\":1},\"via\":[]}"},
        {"m.room.power_levels", "",
         "{\"events\":{\"zq type qz "
         "zq-type-qz\":50},\"notifications\":{\"zq-notified-qz\":1},\"state_default\":0,\"users\":"
         "{\"@anna:school.example\":100,\"@boris:school.example\":100,\"@zq-user-qz:school.example\":1}}"},
    };
    struct world *w = *state;
    struct error e = {0};
    json_t *creation = json_pack("{s:s, s:s}", "type", "my zq-kind-qz", "zq-made-qz", "x");
    const struct room_plan plan = {.creator = w->anna,
                                   .version = room_version_get("11"),
                                   .preset = PRESET_PUBLIC_CHAT,
                                   .creation_content = creation};
    room_no club = fixture_create(&w->f, &plan, &e);
    json_decref(creation);
    assert_true(fixture_member(&w->f, club, ACT_JOIN, w->boris, w->boris, &e));
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i)
        if (!fixture_send(&w->f, club, w->anna, SAID[i].type, SAID[i].state_key, SAID[i].content, NULL, NULL, &e))
            fail_msg("%s: %s", SAID[i].type, error_sentence(&e));
    assert_true(found(w, "zq-") >= 10);
    erase(w);
    scrub(w);
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i)
        assert_gone(w, SAID[i].content);
    assert_int_equal(found(w, "zq-"), 0);
    json_t *levels = fixture_content(&w->f, club, "m.room.power_levels", "");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(levels, "users"), "@boris:school.example")),
                     100);
    json_decref(levels);
    assert_true(fixture_send(&w->f, club, w->boris, "m.room.topic", "", "{\"topic\":\"goes on\"}", NULL, NULL, &e));
}

/* What a room is does not change because somebody who set it is erased: encrypted stays encrypted, powers stay. */
static void state_that_says_nothing_stays(void **state)
{
    struct world *w = *state;
    struct error e = {0};
    room_no club = fixture_room(&w->f, w->anna, "10", PRESET_PUBLIC_CHAT, &e);
    assert_true(fixture_member(&w->f, club, ACT_JOIN, w->boris, w->boris, &e));
    assert_true(fixture_send(&w->f, club, w->anna, "m.room.encryption", "", "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}",
                             NULL, NULL, &e));
    json_t *levels = fixture_content(&w->f, club, "m.room.power_levels", "");
    erase(w);
    json_t *after = fixture_content(&w->f, club, "m.room.power_levels", ""),
           *encryption = fixture_content(&w->f, club, "m.room.encryption", "");
    assert_true(json_equal(levels, after));
    assert_string_equal(json_string_value(json_object_get(encryption, "algorithm")), "m.megolm.v1.aes-sha2");
    assert_true(
        fixture_send(&w->f, club, w->boris, "m.room.message", NULL, "{\"body\":\"still here\"}", NULL, NULL, &e));
    json_decref(levels);
    json_decref(after);
    json_decref(encryption);
}

/* An upgrade sends the room's state anew, in the name of whoever upgrades it: the words are still whose they were. */
static void what_an_upgrade_carried_goes(void **state)
{
    struct world *w = *state;
    struct error e = {0};
    assert_true(fixture_send(&w->f, w->room, w->boris, "m.room.power_levels", "", "{\"state_default\":0,\"users\":{}}",
                             NULL, NULL, &e));
    assert_true(
        fixture_send(&w->f, w->room, w->anna, "m.room.topic", "", "{\"topic\":\"zq-topic-qz\"}", NULL, NULL, &e));
    assert_true(
        fixture_send(&w->f, w->room, w->boris, "m.room.name", "", "{\"name\":\"zz of boris\"}", NULL, NULL, &e));
    room_no next = fixture_upgrade(&w->f, w->room, w->boris, "11", NULL, &e);
    room_no last = next != 0 ? fixture_upgrade(&w->f, next, w->boris, "12", NULL, &e) : 0;
    assert_true(last != 0);
    json_t *topic = fixture_content(&w->f, last, "m.room.topic", "");
    assert_string_equal(json_string_value(json_object_get(topic, "topic")), "zq-topic-qz");
    json_decref(topic);
    erase(w);
    topic = fixture_content(&w->f, last, "m.room.topic", "");
    assert_int_equal(json_object_size(topic), 0);
    json_decref(topic);
    scrub(w);
    assert_int_equal(found(w, "zq-topic-qz"), 0);
    assert_true(found(w, "zz of boris") > 0);
}

/* A large database waits for the night; its log is emptied at once. */
static void a_large_database_is_not_written_anew_by_day(void **state)
{
    struct world *w = *state;
    struct error e = {0};
    bool whole = true;
    db_close(w->f.db);
    assert_true(writer_scrub(w->f.writer, 4096, &whole, &e));
    assert_false(whole);
    assert_true(writer_scrub(w->f.writer, INT64_MAX, &whole, &e));
    assert_true(whole);
    w->f.db = db_open(w->f.path, DB_READ, NULL);
}

/* Rows move between pages as others come and go, and leave copies behind where nobody looks. */
static void not_even_in_free_space(void **state)
{
    struct world *w = *state;
    struct error e = {0};
    char content[2000];
    for (int i = 0; i < 3000; ++i) {
        user_no by = i % 3 == 0 ? w->anna : w->boris;
        int len = snprintf(content, sizeof content, "{\"body\":\"%s %d ", by == w->anna ? "zq-of-anna" : "of boris", i);
        memset(content + len, 'x', (size_t)(i * 37 % 900));
        strcpy(content + len + i * 37 % 900, "\"}");
        assert_true(fixture_send(&w->f, w->room, by, "m.room.message", NULL, content, NULL, NULL, &e));
    }
    assert_true(fixture_member(&w->f, w->room, ACT_LEAVE, w->anna, w->anna, &e)); /* silently then */
    assert_true(found(w, "zq-of-anna") >= 1000);
    erase(w);
    scrub(w);
    assert_int_equal(found(w, "zq-of-anna"), 0);
    assert_true(found(w, "of boris") >= 2000);
    w->anna = w->boris; /* whose messages have moved together as hers went */
    erase(w);
    scrub(w);
    assert_int_equal(found(w, "of boris"), 0);
    assert_int_equal(erasures_unscrubbed_ms(w->f.db), 0);
}

/* A reader that stays holds the log: it is tried again. */
static void the_files_are_tried_again(void **state)
{
    struct world *w = *state;
    db_begin_read(w->f.db);
    assert_true(users_no(w->f.db, "anna") != 0);
    begin_and_step(w);
    assert_false(erasure_scrub(w->f.writer, NULL, clock_wall_ms()));
    assert_true(erasures_unscrubbed_ms(w->f.db) == 0); /* its snapshot is older */
    db_end_read(w->f.db);
    assert_true(erasures_unscrubbed_ms(w->f.db) != 0);
    assert_true(erasure_scrub(w->f.writer, NULL, clock_wall_ms()));
    assert_true(erasures_unscrubbed_ms(w->f.db) == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_column_of_text_is_declared),
        TEST(what_is_planted_goes_from_every_file),
        TEST(what_was_said_goes),
        TEST(what_a_redaction_leaves_goes),
        TEST(state_that_says_nothing_stays),
        TEST(not_even_in_free_space),
        TEST(the_files_are_tried_again),
        TEST(what_an_upgrade_carried_goes),
        TEST(a_large_database_is_not_written_anew_by_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
