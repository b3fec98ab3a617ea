#include "homeserver/store/driver/schema.h"

#include <sodium.h>
#include <string.h>

#include "homeserver/base/log.h"
#include "homeserver/store/driver/db_private.h"

/* Migrations in order; a number is an index plus one, and never changes once released. The subset of SQL is what SQLite
 * and PostgreSQL share, STRICT and WITHOUT ROWID (rows lie in their key's tree) apart. */
static const char *const MIGRATIONS[] = {
    /* 1: accounts, rooms, events, what /sync needs */
    "CREATE TABLE stream (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL) STRICT;"
    "INSERT INTO stream VALUES (1, 0);"

    "CREATE TABLE users ("
    " user_no INTEGER PRIMARY KEY,"
    " localpart TEXT NOT NULL UNIQUE,"
    " password_hash TEXT,"                   /* argon2id, libsodium's string; NULL: no password sign-in */
    " state TEXT NOT NULL DEFAULT 'active'," /* school.md A3, and 'left' for deactivated */
    " kind TEXT NOT NULL DEFAULT 'person',"  /* 'person', 'service' */
    " admin INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE profile_fields ("
    " user_no INTEGER NOT NULL REFERENCES users, field TEXT NOT NULL, value TEXT NOT NULL," /* value: JSON */
    " pos INTEGER NOT NULL, PRIMARY KEY (user_no, field)) STRICT;"

    "CREATE TABLE devices ("
    " device_no INTEGER PRIMARY KEY, user_no INTEGER NOT NULL REFERENCES users, device_id TEXT NOT NULL,"
    " display_name TEXT, last_seen_ms INTEGER, last_seen_ip TEXT, created_ms INTEGER NOT NULL,"
    " UNIQUE (user_no, device_id)) STRICT;"

    "CREATE TABLE access_tokens ("
    " token_hash BLOB PRIMARY KEY, device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
    " ends_hash BLOB,"             /* the refresh token that ends when this token is first used */
    " expires_ms INTEGER) STRICT;" /* NULL: never */
    "CREATE INDEX access_tokens_device ON access_tokens (device_no);"

    "CREATE TABLE refresh_tokens ("
    " token_hash BLOB PRIMARY KEY, device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
    " ends_hash BLOB," /* the refresh token this one was issued for, which ends when this one is first used */
    " expires_ms INTEGER) STRICT;"
    "CREATE INDEX refresh_tokens_device ON refresh_tokens (device_no);"

    "CREATE TABLE registration_tokens ("
    " token_hash BLOB PRIMARY KEY, uses_allowed INTEGER, uses INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER,"
    " created_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE filters ("
    " user_no INTEGER NOT NULL REFERENCES users, filter_no INTEGER NOT NULL, definition TEXT NOT NULL,"
    " PRIMARY KEY (user_no, filter_no)) STRICT;"

    "CREATE TABLE account_data (" /* room_no 0: global; tags are m.tag, push rules m.push_rules, read markers
                                     m.fully_read */
    " user_no INTEGER NOT NULL REFERENCES users, room_no INTEGER NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL,"
    " pos INTEGER NOT NULL, PRIMARY KEY (user_no, room_no, type)) STRICT;"
    "CREATE INDEX account_data_pos ON account_data (user_no, pos);"

    "CREATE TABLE rooms ("
    " room_no INTEGER PRIMARY KEY, room_id TEXT NOT NULL UNIQUE, version TEXT NOT NULL,"
    " creator INTEGER NOT NULL REFERENCES users, created_ms INTEGER NOT NULL,"
    " published INTEGER NOT NULL DEFAULT 0,"
    " joined INTEGER NOT NULL DEFAULT 0) STRICT;" /* how many are joined: derived from memberships, kept with them */
    "CREATE INDEX rooms_published ON rooms (published) WHERE published = 1;"

    /* An event is its row: the PDU of its room version is put together from it (rooms/pdu/pdu.h). */
    "CREATE TABLE events ("
    " pos INTEGER PRIMARY KEY, room_no INTEGER NOT NULL REFERENCES rooms, event_id TEXT NOT NULL UNIQUE,"
    " type TEXT NOT NULL, state_key TEXT, sender INTEGER NOT NULL REFERENCES users,"
    " ts INTEGER NOT NULL," /* origin_server_ts, milliseconds; rises within a room
                             * (events/append.h), but for received_ms */
    " depth INTEGER NOT NULL,"
    " content TEXT NOT NULL,"   /* canonical JSON; the redacted form once redacted_by is set */
    " auth TEXT NOT NULL,"      /* positions of the auth events, comma separated */
    " hash BLOB NOT NULL,"      /* content hash, 32 bytes */
    " signature BLOB NOT NULL," /* empty, and read by nobody: rooms/pdu/pdu.h. Of old rows this server's, 64 bytes */
    " redacts TEXT,"            /* the top-level key of room versions 1 to 10 */
    " redacted_by INTEGER,"     /* position of the redaction */
    " replaces INTEGER,"        /* state: position of the state event before it */
    " reference_hash BLOB"      /* room versions 1 and 2, where later events name it beside the id; else NULL */
    ") STRICT;"
    "CREATE INDEX events_room ON events (room_no, pos);"
    "CREATE INDEX events_state ON events (room_no, type, state_key, pos) WHERE state_key IS NOT NULL;"

    "CREATE TABLE room_state (" /* the state now: derived from events, kept in the same transaction */
    " room_no INTEGER NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, pos INTEGER NOT NULL,"
    " PRIMARY KEY (room_no, type, state_key)) STRICT;"

    "CREATE TABLE memberships (" /* m.room.member now, by person: derived, kept in the same transaction */
    " user_no INTEGER NOT NULL REFERENCES users, room_no INTEGER NOT NULL REFERENCES rooms,"
    " membership TEXT NOT NULL,"              /* join, invite, knock, leave, ban */
    " pos INTEGER NOT NULL,"                  /* of the member event */
    " joined_pos INTEGER NOT NULL DEFAULT 0," /* when the last unbroken run of 'join' began; 0: never joined */
    " forgotten INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (user_no, room_no)) STRICT;"
    "CREATE INDEX memberships_room ON memberships (room_no, membership, user_no);"
    "CREATE INDEX memberships_pos ON memberships (user_no, pos);"

    "CREATE TABLE transactions (" /* what a client's transaction id already did (Client-Server API, "Transaction
                                     identifiers") */
    " device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, txn_id TEXT NOT NULL, room_no INTEGER NOT NULL,"
    " about TEXT NOT NULL," /* the path's segment before the id: an event's type, or which event is redacted */
    " pos INTEGER NOT NULL, PRIMARY KEY (device_no, txn_id, room_no, about)) STRICT;"
    "CREATE INDEX transactions_pos ON transactions (pos);"

    "CREATE TABLE relations (" /* who relates to an event: m.relates_to of events in the same room */
    " target_id TEXT NOT NULL, pos INTEGER NOT NULL, rel_type TEXT NOT NULL, room_no INTEGER NOT NULL,"
    " PRIMARY KEY (target_id, pos)) STRICT;"
    "CREATE INDEX relations_threads ON relations (room_no, pos) WHERE rel_type = 'm.thread';"

    "CREATE TABLE aliases ("
    " alias TEXT PRIMARY KEY, room_no INTEGER NOT NULL REFERENCES rooms, creator INTEGER NOT NULL REFERENCES users) "
    "STRICT;"
    "CREATE INDEX aliases_room ON aliases (room_no);"

    "CREATE TABLE receipts ("
    " room_no INTEGER NOT NULL, user_no INTEGER NOT NULL, type TEXT NOT NULL," /* m.read, m.read.private */
    " thread TEXT NOT NULL," /* '': unthreaded; 'main' or the thread root's event id */
    " event_id TEXT NOT NULL, event_pos INTEGER NOT NULL, ts INTEGER NOT NULL, pos INTEGER NOT NULL,"
    " PRIMARY KEY (room_no, user_no, type, thread)) STRICT;"
    "CREATE INDEX receipts_pos ON receipts (room_no, pos);",

    /* 2: the roster, and the rooms that are its picture (store/school/). Dates are days, 2026-09-01. */
    "CREATE TABLE schools ("
    " school_no INTEGER PRIMARY KEY, sourced_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " ended INTEGER NOT NULL DEFAULT 0) STRICT;" /* 1: no longer in the roster */

    "CREATE TABLE classes ("
    " class_no INTEGER PRIMARY KEY, sourced_id TEXT NOT NULL UNIQUE, school_no INTEGER NOT NULL REFERENCES schools,"
    " kind TEXT NOT NULL CHECK (kind IN ('homeroom', 'scheduled')), grade TEXT NOT NULL, title TEXT NOT NULL,"
    " ended INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX classes_school ON classes (school_no);"

    "CREATE TABLE people ("
    " user_no INTEGER PRIMARY KEY REFERENCES users, sourced_id TEXT NOT NULL UNIQUE, given_name TEXT NOT NULL,"
    " family_name TEXT NOT NULL, middle_name TEXT NOT NULL, birth_date TEXT,"
    " enabled INTEGER NOT NULL DEFAULT 1," /* 0: the roster says that the person may not sign in */
    " ended INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE TABLE roles (" /* a role can be held in several periods */
    " user_no INTEGER NOT NULL REFERENCES people, school_no INTEGER NOT NULL REFERENCES schools, role TEXT NOT NULL,"
    " begin_date TEXT NOT NULL DEFAULT '',"         /* '': since ever */
    " end_date TEXT NOT NULL DEFAULT '9999-12-31'," /* the last day */
    " PRIMARY KEY (user_no, school_no, role, begin_date)) STRICT;"
    "CREATE INDEX roles_school ON roles (school_no, role);"

    "CREATE TABLE enrollments ("
    " class_no INTEGER NOT NULL REFERENCES classes, user_no INTEGER NOT NULL REFERENCES people,"
    " role TEXT NOT NULL," /* pupil, teacher, class_teacher: of a homeroom, its one primary teacher */
    " begin_date TEXT NOT NULL DEFAULT '', end_date TEXT NOT NULL DEFAULT '9999-12-31',"
    " PRIMARY KEY (class_no, user_no, role, begin_date)) STRICT;"
    "CREATE INDEX enrollments_user ON enrollments (user_no);"

    "CREATE TABLE guardianships ("
    " child INTEGER NOT NULL REFERENCES people, guardian INTEGER NOT NULL REFERENCES people,"
    " PRIMARY KEY (child, guardian)) STRICT;"
    "CREATE INDEX guardianships_guardian ON guardianships (guardian);"

    "CREATE TABLE room_schools (" /* to which schools a room belongs (A2), whoever made it */
    " room_no INTEGER NOT NULL REFERENCES rooms, school_no INTEGER NOT NULL REFERENCES schools,"
    " PRIMARY KEY (room_no, school_no)) STRICT;"
    "CREATE INDEX room_schools_school ON room_schools (school_no);"

    "CREATE TABLE roster_rooms (" /* E1; class_no 0: of the whole school */
    " room_no INTEGER PRIMARY KEY REFERENCES rooms, kind TEXT NOT NULL, school_no INTEGER NOT NULL REFERENCES schools,"
    " class_no INTEGER NOT NULL DEFAULT 0, UNIQUE (school_no, class_no, kind)) STRICT;"

    "CREATE TABLE roster_members (" /* E2: whom the roster holds in a roster room; derived, kept in
                                     * the same transaction */
    " room_no INTEGER NOT NULL REFERENCES rooms, user_no INTEGER NOT NULL REFERENCES users,"
    " power INTEGER NOT NULL," /* by post (E3); 0: an ordinary member */
    " PRIMARY KEY (room_no, user_no)) STRICT;"
    "CREATE INDEX roster_members_user ON roster_members (user_no);",

    /* 3: the school layer. source says who keeps a record: a roster's name, or 'school' for what the school's own
     * people entered; an import touches only its own. version counts changes, for If-Match. */
    "ALTER TABLE schools ADD COLUMN source TEXT NOT NULL DEFAULT 'roster';"
    "ALTER TABLE schools ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE classes ADD COLUMN source TEXT NOT NULL DEFAULT 'roster';"
    "ALTER TABLE classes ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE people ADD COLUMN source TEXT NOT NULL DEFAULT 'roster';"
    "ALTER TABLE people ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE people ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;" /* 1: closed because no school is left (G2):
                                                                          opens again when there is one */
    "UPDATE people SET closed = 1 WHERE ended = 1;"
    "CREATE INDEX users_restricted ON users (user_no) WHERE state = 'restricted';"
    "CREATE INDEX people_closed ON people (user_no) WHERE closed = 1;"
    "CREATE TABLE roles_by_source (" /* several sources may say the same; 'derived': it follows from other records */
    " user_no INTEGER NOT NULL REFERENCES people, school_no INTEGER NOT NULL REFERENCES schools, role TEXT NOT NULL,"
    " begin_date TEXT NOT NULL DEFAULT '', end_date TEXT NOT NULL DEFAULT '9999-12-31',"
    " source TEXT NOT NULL DEFAULT 'roster', PRIMARY KEY (user_no, school_no, role, begin_date, source)) STRICT;"
    "INSERT INTO roles_by_source (user_no, school_no, role, begin_date, end_date)"
    " SELECT user_no, school_no, role, begin_date, end_date FROM roles;"
    "DROP TABLE roles;"
    "ALTER TABLE roles_by_source RENAME TO roles;"
    "CREATE INDEX roles_school ON roles (school_no, role);"
    "CREATE INDEX roles_derived ON roles (user_no) WHERE source = 'derived';"
    "ALTER TABLE enrollments ADD COLUMN source TEXT NOT NULL DEFAULT 'roster';"
    "ALTER TABLE guardianships ADD COLUMN source TEXT NOT NULL DEFAULT 'roster';"
    "ALTER TABLE guardianships ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"

    "CREATE INDEX roster_rooms_class ON roster_rooms (class_no);"
    "CREATE INDEX roster_members_power ON roster_members (room_no) WHERE power > 0;"
    "CREATE TABLE settled (one INTEGER PRIMARY KEY CHECK (one = 1), day TEXT NOT NULL) STRICT;" /* day_change: up to
                                                                                         which day dates have taken
                                                                                         effect */

    "ALTER TABLE rooms ADD COLUMN kind TEXT NOT NULL DEFAULT 'free';" /* of rooms that are not in roster_rooms */
    "ALTER TABLE rooms ADD COLUMN owner INTEGER REFERENCES users;"    /* E5: who answers for it; NULL: the creator */
    "CREATE INDEX rooms_library ON rooms (room_no) WHERE kind = 'library';"
    "CREATE INDEX rooms_owner ON rooms (owner, kind) WHERE owner IS NOT NULL;"

    "CREATE TABLE direct_rooms (" /* F2: between whom a direct chat is, for ever; b NULL: nobody was invited yet */
    " room_no INTEGER PRIMARY KEY REFERENCES rooms, a INTEGER NOT NULL REFERENCES users, b INTEGER REFERENCES users)"
    " STRICT;"
    "CREATE INDEX direct_rooms_b ON direct_rooms (b, a);"

    "CREATE TABLE archived_rooms (" /* G3: what the roster kept in an earlier year */
    " room_no INTEGER PRIMARY KEY REFERENCES rooms, kind TEXT NOT NULL, school_no INTEGER NOT NULL REFERENCES schools,"
    " class_no INTEGER NOT NULL, archived_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE named_members (" /* E7: external staff are in the rooms they are named for */
    " room_no INTEGER NOT NULL REFERENCES rooms, user_no INTEGER NOT NULL REFERENCES users,"
    " PRIMARY KEY (room_no, user_no)) STRICT;"
    "CREATE INDEX named_members_user ON named_members (user_no);"

    "CREATE TABLE associations (" /* E8: which schools have agreed to share the room */
    " room_no INTEGER NOT NULL REFERENCES rooms, school_no INTEGER NOT NULL REFERENCES schools,"
    " agreed_ms INTEGER NOT NULL, agreed_by TEXT NOT NULL, PRIMARY KEY (room_no, school_no)) STRICT;"
    "CREATE TABLE association_codes (" /* given by one school to another, which agrees with it, once */
    " code_hash BLOB PRIMARY KEY, room_no INTEGER NOT NULL REFERENCES rooms, expires_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE policies (" /* school_no 0: of the whole server. The newest version is in force */
    " school_no INTEGER NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL," /* JSON, as it was given */
    " author TEXT NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (school_no, version)) "
    "STRICT;"

    "CREATE TABLE roster_mirrors (" /* the last OneRoster data of each source, whole, as a zip: deltas are merged into
                                       it */
    " source TEXT PRIMARY KEY, archive BLOB NOT NULL, modified TEXT NOT NULL DEFAULT '', updated_ms INTEGER NOT NULL)"
    " STRICT;"

    "CREATE TABLE imports (" /* what was imported, for those who ask */
    " import_no INTEGER PRIMARY KEY, source TEXT NOT NULL, mode TEXT NOT NULL," /* bulk, delta, pull, year */
    " author TEXT NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, changes TEXT NOT NULL) STRICT;"

    "CREATE TABLE links (" /* C2, D1 */
    " link_no INTEGER PRIMARY KEY, token_hash BLOB NOT NULL UNIQUE,"
    " kind TEXT NOT NULL CHECK (kind IN ('class', 'school', 'guardian', 'personal')),"
    " school_no INTEGER REFERENCES schools, class_no INTEGER REFERENCES classes, role TEXT NOT NULL,"
    " person INTEGER REFERENCES people,"                           /* guardian: the child; personal: whom it names */
    " issuer INTEGER REFERENCES users, issuer_name TEXT NOT NULL," /* issuer NULL: an operator */
    " uses_allowed INTEGER NOT NULL, uses INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER) STRICT;"
    "CREATE INDEX links_school ON links (school_no, link_no);"
    "CREATE INDEX links_person ON links (person, link_no);"

    "CREATE TABLE applications (" /* C1, D2: somebody asks to be let in, to be a guardian, or to have data corrected */
    " application_no INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('join', 'guardian', 'correction')),"
    " user_no INTEGER NOT NULL REFERENCES users," /* who asks */
    " link_no INTEGER REFERENCES links, school_no INTEGER NOT NULL REFERENCES schools,"
    " class_no INTEGER REFERENCES classes, role TEXT NOT NULL, child INTEGER REFERENCES people,"
    " given_name TEXT NOT NULL DEFAULT '', family_name TEXT NOT NULL DEFAULT '', middle_name TEXT NOT NULL DEFAULT '',"
    " birth_date TEXT, note TEXT NOT NULL DEFAULT ''," /* what the applicant says to those who decide */
    " state TEXT NOT NULL DEFAULT 'waiting'"           /* begun: a guardian has yet to confirm (D2) */
    " CHECK (state IN ('begun', 'waiting', 'approved', 'refused', 'withdrawn')),"
    " decided_by TEXT, decided_ms INTEGER, reason TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL,"
    " version INTEGER NOT NULL DEFAULT 1) STRICT;"
    "CREATE INDEX applications_school ON applications (school_no, state, application_no);"
    "CREATE INDEX applications_user ON applications (user_no);"

    "CREATE TABLE contacts (" /* C3: verified; one account at a time */
    " medium TEXT NOT NULL CHECK (medium IN ('email', 'msisdn')), address TEXT NOT NULL," /* canonical form */
    " user_no INTEGER NOT NULL REFERENCES users, verified_ms INTEGER NOT NULL, added_ms INTEGER NOT NULL,"
    " PRIMARY KEY (medium, address)) STRICT;"
    "CREATE INDEX contacts_user ON contacts (user_no);"

    "CREATE TABLE verifications ("                      /* a code on its way to somebody */
    " sid TEXT PRIMARY KEY, secret_hash BLOB NOT NULL," /* the client's secret */
    " purpose TEXT NOT NULL CHECK (purpose IN ('register', 'add', 'reset')),"
    " medium TEXT NOT NULL, address TEXT NOT NULL, code_hash BLOB NOT NULL, send_attempt INTEGER NOT NULL,"
    " delivery TEXT NOT NULL CHECK (delivery IN ('waiting', 'sent', 'failed')),"
    " tries INTEGER NOT NULL DEFAULT 0, sends INTEGER NOT NULL DEFAULT 1, created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL," /* of the code; once validated: of the proof */
    " validated_ms INTEGER) STRICT;"
    "CREATE INDEX verifications_address ON verifications (medium, address);"
    "CREATE INDEX verifications_expiry ON verifications (expires_ms);"

    "CREATE TABLE reports (" /* F5 */
    " report_no INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('event', 'room', 'user')),"
    " reporter INTEGER NOT NULL REFERENCES users, accused INTEGER REFERENCES users," /* NULL: a room */
    " room_no INTEGER REFERENCES rooms, event_id TEXT,"
    " evidence TEXT," /* the event's type and content when it was reported: a redaction does not take it away */
    " school_no INTEGER REFERENCES schools, reason TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')), resolution TEXT NOT NULL DEFAULT '',"
    " handled_by TEXT, handled_ms INTEGER, created_ms INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1) STRICT;"
    "CREATE INDEX reports_school ON reports (school_no, state, report_no);"

    "CREATE TABLE erasures (" /* G4: begun, and how far; an erasure goes on after a crash */
    " user_no INTEGER PRIMARY KEY REFERENCES users, author TEXT NOT NULL, started_ms INTEGER NOT NULL,"
    " room_no INTEGER NOT NULL DEFAULT 0, pos INTEGER NOT NULL DEFAULT 0, done_ms INTEGER) STRICT;"

    "CREATE TABLE held_messages (" /* F3: sent in quiet hours, delivered when they are over */
    " held_no INTEGER PRIMARY KEY, room_no INTEGER NOT NULL REFERENCES rooms, sender INTEGER NOT NULL REFERENCES users,"
    " device_no INTEGER, txn_id TEXT, about TEXT, type TEXT NOT NULL, content TEXT NOT NULL, due_ms INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX held_messages_due ON held_messages (due_ms);"

    "CREATE TABLE audit (" /* J2: a hash chain; entry is canonical JSON and holds all that is checked */
    " seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL,"
    " school_no INTEGER NOT NULL, act TEXT NOT NULL, actor TEXT NOT NULL) STRICT;" /* for filters; 0: no school */
    "CREATE INDEX audit_school ON audit (school_no, seq);"

    "CREATE TABLE operator_tokens (" /* the regional operator's, with scopes */
    " token_no INTEGER PRIMARY KEY, token_hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER, revoked_ms INTEGER) STRICT;"

    "CREATE TABLE idempotency (" /* what a request with that key was answered; the reply is sealed
                                  * (policy/api/idempotency.h) */
    " caller TEXT NOT NULL, key_hash BLOB NOT NULL, request_hash BLOB NOT NULL, status INTEGER NOT NULL,"
    " version INTEGER NOT NULL, reply BLOB NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (caller, key_hash)) "
    "STRICT;"
    "CREATE INDEX idempotency_created ON idempotency (created_ms);",

    /* 4: what every join writes lies in fewer trees: rows in the order of their key, and no index that nothing asks. */
    "CREATE TABLE room_state_by_key ("
    " room_no INTEGER NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, pos INTEGER NOT NULL,"
    " PRIMARY KEY (room_no, type, state_key)) STRICT, WITHOUT ROWID;"
    "INSERT INTO room_state_by_key (room_no, type, state_key, pos)"
    " SELECT room_no, type, state_key, pos FROM room_state ORDER BY room_no, type, state_key;"
    "DROP TABLE room_state;"
    "ALTER TABLE room_state_by_key RENAME TO room_state;"

    "CREATE TABLE memberships_by_key ("
    " user_no INTEGER NOT NULL REFERENCES users, room_no INTEGER NOT NULL REFERENCES rooms,"
    " membership TEXT NOT NULL, pos INTEGER NOT NULL, joined_pos INTEGER NOT NULL DEFAULT 0,"
    " forgotten INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (user_no, room_no)) STRICT, WITHOUT ROWID;"
    "INSERT INTO memberships_by_key (user_no, room_no, membership, pos, joined_pos, forgotten)"
    " SELECT user_no, room_no, membership, pos, joined_pos, forgotten FROM memberships ORDER BY user_no, room_no;"
    "DROP TABLE memberships;"
    "ALTER TABLE memberships_by_key RENAME TO memberships;"
    "CREATE INDEX memberships_room ON memberships (room_no, membership, user_no);"

    "CREATE TABLE roster_members_by_key ("
    " room_no INTEGER NOT NULL REFERENCES rooms, user_no INTEGER NOT NULL REFERENCES users,"
    " power INTEGER NOT NULL, PRIMARY KEY (room_no, user_no)) STRICT, WITHOUT ROWID;"
    "INSERT INTO roster_members_by_key (room_no, user_no, power)"
    " SELECT room_no, user_no, power FROM roster_members ORDER BY room_no, user_no;"
    "DROP TABLE roster_members;"
    "ALTER TABLE roster_members_by_key RENAME TO roster_members;"
    "CREATE INDEX roster_members_user ON roster_members (user_no);"
    "CREATE INDEX roster_members_power ON roster_members (room_no) WHERE power > 0;",

    /* 5: how far stream consumers have come (homeserver/jobs/consumer.h). */
    "CREATE TABLE consumers ("
    " consumer TEXT NOT NULL, destination TEXT NOT NULL, pos INTEGER NOT NULL,"
    " PRIMARY KEY (consumer, destination)) STRICT;",

    /* 6: which runs of the server gave which positions away (store/driver/incarnations.h); 0: all before this one. */
    "CREATE TABLE incarnations ("
    " run_no INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL UNIQUE, began_ms INTEGER NOT NULL,"
    " end_pos INTEGER) STRICT;" /* the last position that may be its; NULL: it runs, or did until now */
    "INSERT INTO incarnations (incarnation, began_ms) VALUES (0, 0);",

    /* 7: whose name in a room a redaction took */
    "CREATE INDEX events_redacted_members ON events (room_no) WHERE redacted_by IS NOT NULL AND"
    " type = 'm.room.member';",

    /* 8: G5. Imports that wait until somebody confirms what they take away; how old the roster of a source is. */
    "CREATE TABLE held_imports (" /* one of a source */
    " held_no INTEGER PRIMARY KEY, version INTEGER NOT NULL, source TEXT NOT NULL UNIQUE, mode TEXT NOT NULL,"
    " author TEXT NOT NULL, schools TEXT NOT NULL, changes TEXT NOT NULL, difference TEXT NOT NULL,"
    " left_out INTEGER NOT NULL, older TEXT NOT NULL, base_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " modified TEXT NOT NULL, archive BLOB NOT NULL) STRICT;"
    "ALTER TABLE roster_mirrors ADD COLUMN year_end TEXT NOT NULL DEFAULT '';" /* of its school year; '': not known */
    "ALTER TABLE roster_mirrors ADD COLUMN newest_ms INTEGER NOT NULL DEFAULT 0;", /* latest dateLastModified */

    /* 9: an erasure goes over what there is twice, and then over the files (policy/privacy/erasure.h). */
    "ALTER TABLE erasures ADD COLUMN left_ms INTEGER;"      /* NULL: the person may still be in rooms */
    "ALTER TABLE erasures ADD COLUMN scrubbed_ms INTEGER;", /* NULL: the files may still hold what was erased */

    /* 10: an alias is a name inside a school (store/matrix/rooms.h) */
    "CREATE TABLE aliases_by_room ("
    " alias TEXT NOT NULL, room_no INTEGER NOT NULL REFERENCES rooms, creator INTEGER NOT NULL REFERENCES users,"
    " PRIMARY KEY (alias, room_no)) STRICT;"
    "INSERT INTO aliases_by_room (alias, room_no, creator) SELECT alias, room_no, creator FROM aliases;"
    "DROP TABLE aliases;"
    "ALTER TABLE aliases_by_room RENAME TO aliases;"
    "CREATE INDEX aliases_room ON aliases (room_no);",

    /* 11: a held message's id, and what became of it (store/matrix/delayed_messages.h) */
    "ALTER TABLE held_messages ADD COLUMN placeholder TEXT;"
    "ALTER TABLE held_messages ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';" /* delivered, taken_back, dropped */
    "ALTER TABLE held_messages ADD COLUMN event_id TEXT;"                         /* delivered: as which event */
    "UPDATE held_messages SET placeholder = '$held' || held_no;"
    "CREATE UNIQUE INDEX held_messages_placeholder ON held_messages (placeholder);"
    "CREATE INDEX held_messages_transaction ON held_messages (device_no, txn_id);"
    "CREATE INDEX held_messages_sender ON held_messages (sender, state);"
    "DROP INDEX held_messages_due;"
    "CREATE INDEX held_messages_due ON held_messages (state, due_ms);",

    /* 12: what is counted for one person (store/bounds.def) */
    "CREATE INDEX rooms_creator ON rooms (creator);"
    "CREATE INDEX aliases_creator ON aliases (creator);"
    "CREATE INDEX links_issuer ON links (issuer) WHERE kind <> 'personal';"
    "CREATE INDEX reports_reporter ON reports (reporter);",

    /* 13: G5. What a roster took, so that it comes back whole with the right one (store/school/taken.h). */
    "CREATE TABLE taken_members (" /* who was in a room that people made */
    " user_no INTEGER NOT NULL REFERENCES users, room_no INTEGER NOT NULL REFERENCES rooms, membership TEXT NOT NULL,"
    " taken_ms INTEGER NOT NULL, PRIMARY KEY (user_no, room_no)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX taken_members_room ON taken_members (room_no);"
    "CREATE TABLE taken_owners ("
    " turn INTEGER PRIMARY KEY, room_no INTEGER NOT NULL REFERENCES rooms, owner INTEGER NOT NULL REFERENCES users,"
    " taken_ms INTEGER NOT NULL, UNIQUE (room_no, owner)) STRICT;"
    "CREATE TABLE taken_states ("
    " user_no INTEGER PRIMARY KEY REFERENCES users, state TEXT NOT NULL, taken_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE taken_contacts ("
    " user_no INTEGER NOT NULL REFERENCES users, medium TEXT NOT NULL, address TEXT NOT NULL,"
    " verified_ms INTEGER NOT NULL, added_ms INTEGER NOT NULL, taken_ms INTEGER NOT NULL,"
    " PRIMARY KEY (user_no, medium, address)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE taken_records (" /* kind: enum taken_kind; a, b: whose */
    " kind INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL, role TEXT NOT NULL, begin_date TEXT NOT NULL,"
    " end_date TEXT NOT NULL, source TEXT NOT NULL, since_ms INTEGER NOT NULL, name_1 TEXT NOT NULL,"
    " name_2 TEXT NOT NULL, name_3 TEXT NOT NULL, birth_date TEXT NOT NULL, enabled INTEGER NOT NULL,"
    " taken_ms INTEGER NOT NULL, PRIMARY KEY (kind, a, b, role, begin_date)) STRICT, WITHOUT ROWID;",

    /* 14: D9. What was settled of a child and one of its guardians; where there is no row, nothing was. */
    "CREATE TABLE custodies ("
    " child INTEGER NOT NULL REFERENCES users, guardian INTEGER NOT NULL REFERENCES users,"
    " kind TEXT NOT NULL CHECK (kind IN ('separate', 'no_contact')), set_ms INTEGER NOT NULL,"
    " PRIMARY KEY (child, guardian)) STRICT;"
    "CREATE INDEX custodies_guardian ON custodies (guardian);",

    /* 15: messages with codes, by the hour (accounts/contacts.h); name: hashed */
    "CREATE TABLE code_counts ("
    " scope TEXT NOT NULL, name BLOB NOT NULL, hour INTEGER NOT NULL, sends INTEGER NOT NULL,"
    " PRIMARY KEY (scope, name, hour)) STRICT;"
    "CREATE INDEX code_counts_hour ON code_counts (hour);",

    /* 16: messages that broke quiet hours (F6) */
    "CREATE TABLE urgent_messages ("
    " pos INTEGER PRIMARY KEY, sender INTEGER NOT NULL REFERENCES users, sent_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX urgent_messages_sender ON urgent_messages (sender, sent_ms);",

    /* 17: what imports and days took lately without a question (G5); kind: policy/records/loss.h; a: a person, or a
     * class; end_date: '', or the day on which it ends, as somebody has confirmed */
    "CREATE TABLE losses ("
    " school_no INTEGER NOT NULL, kind TEXT NOT NULL, a INTEGER NOT NULL, of_class INTEGER NOT NULL,"
    " gone INTEGER NOT NULL, end_date TEXT NOT NULL, lost_ms INTEGER NOT NULL,"
    " PRIMARY KEY (school_no, kind, a)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX losses_a ON losses (a);",

    /* 18: J4. Until when nobody but the link's issuer need have looked who came by a personal link (school/links.h) */
    "ALTER TABLE links ADD COLUMN claim_until_ms INTEGER;" /* NULL: nobody came, or somebody has confirmed it */
    "CREATE INDEX links_claims ON links (person) WHERE claim_until_ms IS NOT NULL;",

    /* 19: with what the tokens of a run are sealed (store/driver/incarnations.h); NULL: they were bare numbers */
    "ALTER TABLE incarnations ADD COLUMN token_key BLOB;",

    /* 20: the report that an entry is about (F5): read by whoever may read the report; NULL: none */
    "ALTER TABLE audit ADD COLUMN report_no INTEGER;"
    "UPDATE audit SET report_no = (SELECT r.report_no FROM reports r WHERE audit.entry LIKE"
    " '%\"subject\":{\"report\":\"' || r.report_no || '\"}%') WHERE act = 'report.close';",

    /* 21: F4. The power that starting a poll needs in the room, as its power levels say; NULL: they say nothing yet */
    "ALTER TABLE roster_rooms ADD COLUMN poll_level INTEGER;",

    /* 22: the last moment that the server saw, which tells when the clock was ahead (writer.h, tx_note_time) */
    "ALTER TABLE stream ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;",

    /* 23: personal links that the server sends to the person (J4): how ('email', 'msisdn'; NULL: told to who made it),
     * to where, as long as it is not sent, and how far that is ('waiting', 'sending', 'sent', 'failed') */
    "ALTER TABLE links ADD COLUMN sent_by TEXT;"
    "ALTER TABLE links ADD COLUMN send_to TEXT;"
    "ALTER TABLE links ADD COLUMN delivery TEXT;"
    "CREATE INDEX links_to_send ON links (delivery) WHERE delivery IN ('waiting', 'sending');",

    /* 24: end-to-end encryption: what clients publish of their keys, send to each other's devices, and back up
     * (store/matrix/device_keys.h, one_time_keys.h, cross_signing.h, to_device.h, key_backup.h). What is signed lies as
     * the bytes that were signed, and its signatures beside it. */
    "CREATE TABLE device_keys ("
    " device_no INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE, user_no INTEGER NOT NULL REFERENCES users,"
    " keys TEXT NOT NULL,"                                 /* canonical JSON, without signatures */
    " ed25519 TEXT NOT NULL,"                              /* the key that signs for the device, base64 */
    " signature TEXT NOT NULL,"                            /* its own */
    " self_signing_key TEXT, self_signature TEXT) STRICT;" /* the owner's, by which key; NULL: none */
    "CREATE INDEX device_keys_user ON device_keys (user_no);"
    "CREATE TABLE device_lists (" /* when what others see of a person's keys changed last */
    " user_no INTEGER PRIMARY KEY REFERENCES users, pos INTEGER NOT NULL) STRICT;"
    "CREATE INDEX device_lists_pos ON device_lists (pos);"
    "CREATE TABLE one_time_keys ("
    " key_no INTEGER PRIMARY KEY, device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
    " key_id TEXT NOT NULL, key TEXT," /* JSON; NULL: it was given away */
    " UNIQUE (device_no, key_id)) STRICT;"
    "CREATE INDEX one_time_keys_left ON one_time_keys (device_no, key_no) WHERE key IS NOT NULL;"
    "CREATE TABLE fallback_keys ("
    " device_no INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE, key_id TEXT NOT NULL, key TEXT NOT NULL,"
    " used INTEGER NOT NULL) STRICT;"
    "CREATE TABLE cross_signing_keys ("
    " user_no INTEGER NOT NULL REFERENCES users, usage TEXT NOT NULL,"
    " key TEXT NOT NULL,"                    /* base64 */
    " signed TEXT NOT NULL, signature TEXT," /* by the master key, which has none */
    " PRIMARY KEY (user_no, usage)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE key_signatures (" /* of a person's master key: by their devices, by others' user-signing keys */
    " user_no INTEGER NOT NULL REFERENCES users, signer INTEGER NOT NULL REFERENCES users, signer_key TEXT NOT NULL,"
    " signature TEXT NOT NULL, PRIMARY KEY (user_no, signer, signer_key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX key_signatures_signer ON key_signatures (signer);"
    "CREATE TABLE to_device ("
    " pos INTEGER PRIMARY KEY, device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
    " sender INTEGER NOT NULL REFERENCES users, bytes INTEGER NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL)"
    " STRICT;"
    "CREATE INDEX to_device_waiting ON to_device (device_no, pos, sender, bytes);"
    "CREATE TABLE to_device_lost (" /* how many messages had to go because too many waited */
    " device_no INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE, pos INTEGER NOT NULL, lost INTEGER NOT NULL)"
    " STRICT;"
    "CREATE TABLE to_device_transactions ("
    " device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, about TEXT NOT NULL, txn_id TEXT NOT NULL,"
    " done_ms INTEGER NOT NULL, PRIMARY KEY (device_no, about, txn_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX to_device_transactions_done ON to_device_transactions (done_ms);"
    "CREATE TABLE key_backups (" /* keys, bytes: of what lies in it */
    " user_no INTEGER NOT NULL REFERENCES users, version INTEGER NOT NULL, algorithm TEXT NOT NULL,"
    " auth_data TEXT NOT NULL, etag INTEGER NOT NULL, keys INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " deleted INTEGER NOT NULL, PRIMARY KEY (user_no, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE backup_keys ("
    " user_no INTEGER NOT NULL REFERENCES users, version INTEGER NOT NULL, room_id TEXT NOT NULL,"
    " session_id TEXT NOT NULL, first_message_index INTEGER NOT NULL, forwarded_count INTEGER NOT NULL,"
    " is_verified INTEGER NOT NULL, session_data TEXT NOT NULL, PRIMARY KEY (user_no, version, room_id, session_id))"
    " STRICT;"
    "CREATE TABLE dehydrated_devices (" /* MSC3814: a device without a session that takes messages; one of a person */
    " user_no INTEGER PRIMARY KEY REFERENCES users, device_no INTEGER NOT NULL UNIQUE REFERENCES devices ON DELETE"
    " CASCADE, data TEXT NOT NULL) STRICT;",

    /* 25: pushers, and pushes that wait (F3); mailed_pos: how far the person was told by mail */
    "CREATE TABLE pushers ("
    " user_no INTEGER NOT NULL REFERENCES users, app_id TEXT NOT NULL, pushkey TEXT NOT NULL,"
    " device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, kind TEXT NOT NULL,"
    " app_name TEXT NOT NULL, device_name TEXT NOT NULL, profile_tag TEXT, lang TEXT NOT NULL, data TEXT NOT NULL,"
    " gateway TEXT NOT NULL, id_only INTEGER NOT NULL, enabled INTEGER NOT NULL, set_ms INTEGER NOT NULL,"
    " mailed_ms INTEGER NOT NULL DEFAULT 0, mailed_pos INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (user_no, app_id, pushkey)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX pushers_gateway ON pushers (gateway, user_no);"
    "CREATE INDEX pushers_key ON pushers (pushkey, app_id);"
    "CREATE INDEX pushers_device ON pushers (device_no);"
    "CREATE TABLE held_pushes ("
    " gateway TEXT NOT NULL, user_no INTEGER NOT NULL REFERENCES users,"
    " room_no INTEGER NOT NULL REFERENCES rooms, pos INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
    " first_ms INTEGER NOT NULL, PRIMARY KEY (gateway, user_no, room_no)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX held_pushes_due ON held_pushes (due_ms);"
    "CREATE INDEX held_pushes_user ON held_pushes (user_no);",

    /* 26: media (store/matrix/media.h); hash: of the content, SHA-256; NULL: created, not uploaded yet */
    "CREATE TABLE media ("
    " media_no INTEGER PRIMARY KEY, media_id TEXT NOT NULL UNIQUE, user_no INTEGER NOT NULL REFERENCES users,"
    " school_no INTEGER NOT NULL, hash BLOB, bytes INTEGER NOT NULL, type TEXT NOT NULL, name TEXT,"
    " created_ms INTEGER NOT NULL, pos INTEGER NOT NULL, sent INTEGER NOT NULL, forget_ms INTEGER) STRICT;"
    "CREATE INDEX media_user ON media (user_no, school_no, bytes);"
    "CREATE INDEX media_hash ON media (hash);"
    "CREATE INDEX media_forget ON media (forget_ms) WHERE forget_ms IS NOT NULL;"
    "CREATE TABLE media_places (" /* events that name it */
    " pos INTEGER NOT NULL, media_no INTEGER NOT NULL REFERENCES media, room_no INTEGER NOT NULL REFERENCES rooms,"
    " PRIMARY KEY (pos, media_no)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX media_places_media ON media_places (media_no, room_no, pos);"
    "CREATE TABLE media_gone (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;" /* whose file may have to go */
    "CREATE INDEX profile_fields_picture ON profile_fields (value) WHERE field = 'avatar_url';",

    /* 27: E9. The power that turning encryption on needs in the room, as its power levels say; NULL: nobody's */
    "ALTER TABLE roster_rooms ADD COLUMN encryption_level INTEGER;",

    /* 28: events whose words the index of words has yet to forget (store/matrix/search_removals.h) */
    "CREATE TABLE search_removals (pos INTEGER PRIMARY KEY) STRICT;",

    /* 29: thread subscriptions (store/matrix/thread_subscriptions.h); state: 0 taken back, 1 by a client, 2 by hand */
    "CREATE TABLE thread_subscriptions ("
    " user_no INTEGER NOT NULL REFERENCES users, root_pos INTEGER NOT NULL,"
    " room_no INTEGER NOT NULL REFERENCES rooms, state INTEGER NOT NULL, pos INTEGER NOT NULL, stamp INTEGER NOT NULL,"
    " PRIMARY KEY (user_no, root_pos)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX thread_subscriptions_pos ON thread_subscriptions (user_no, pos);",

    /* 30: application services (store/matrix/appservices.h): whom they have made, and what is on its way to them */
    "CREATE TABLE appservice_users ("
    " user_no INTEGER PRIMARY KEY REFERENCES users, service TEXT NOT NULL) STRICT;"
    "CREATE INDEX appservice_users_service ON appservice_users (service, user_no);"
    "CREATE TABLE appservice_transactions ("
    " service TEXT PRIMARY KEY, txn TEXT NOT NULL, after_pos INTEGER NOT NULL, upto_pos INTEGER NOT NULL,"
    " positions TEXT NOT NULL) STRICT;"
    "CREATE TABLE network_rooms (" /* the directory of a third-party network */
    " network TEXT NOT NULL, room_no INTEGER NOT NULL REFERENCES rooms, PRIMARY KEY (network, room_no)) STRICT,"
    " WITHOUT ROWID;",

    /* 31: when an event came whose ts an application service said; NULL: ts (store/matrix/events.h) */
    "ALTER TABLE events ADD COLUMN received_ms INTEGER;",
    /* 32: the OAuth 2.0 API (store/matrix/oauth_clients.h, oauth_codes.h, tokens.h); every code as its hash */
    "CREATE TABLE oauth_clients ("
    " client_no INTEGER PRIMARY KEY, client_id TEXT NOT NULL UNIQUE, digest BLOB NOT NULL UNIQUE,"
    " metadata TEXT NOT NULL, used_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX oauth_clients_used ON oauth_clients (used_ms);"
    "CREATE TABLE oauth_codes ("
    " code_hash BLOB PRIMARY KEY, client_no INTEGER NOT NULL REFERENCES oauth_clients,"
    " user_no INTEGER NOT NULL REFERENCES users, redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL,"
    " device_id TEXT NOT NULL, scope TEXT NOT NULL, origin BLOB NOT NULL, expires_ms INTEGER NOT NULL,"
    " spent_ms INTEGER) STRICT, WITHOUT ROWID;" /* NULL: not yet */
    "CREATE INDEX oauth_codes_user ON oauth_codes (user_no, expires_ms);"
    "CREATE INDEX oauth_codes_client ON oauth_codes (client_no);"
    "CREATE INDEX oauth_codes_expires ON oauth_codes (expires_ms);"
    "CREATE TABLE oauth_device_codes ("
    " code_hash BLOB PRIMARY KEY, user_code_hash BLOB NOT NULL UNIQUE,"
    " client_no INTEGER NOT NULL REFERENCES oauth_clients, device_id TEXT NOT NULL, scope TEXT NOT NULL,"
    " place_hash BLOB NOT NULL, expires_ms INTEGER NOT NULL, interval_ms INTEGER NOT NULL, polled_ms INTEGER NOT NULL,"
    " state TEXT NOT NULL, user_no INTEGER REFERENCES users, origin BLOB) STRICT, WITHOUT ROWID;" /* NULL: undecided */
    "CREATE INDEX oauth_device_codes_place ON oauth_device_codes (place_hash);"
    "CREATE INDEX oauth_device_codes_client ON oauth_device_codes (client_no);"
    "CREATE INDEX oauth_device_codes_user ON oauth_device_codes (user_no);"
    "CREATE INDEX oauth_device_codes_expires ON oauth_device_codes (expires_ms);"
    "ALTER TABLE devices ADD COLUMN client_no INTEGER REFERENCES oauth_clients;" /* NULL: not signed in by OAuth */
    "CREATE INDEX devices_client ON devices (client_no);"
    "CREATE TABLE spent_refresh_tokens ("
    " token_hash BLOB PRIMARY KEY, device_no INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
    " spent_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX spent_refresh_tokens_device ON spent_refresh_tokens (device_no, spent_ms);",

    /* 33: browsers that are signed in on pages (store/matrix/page_sessions.h) */
    "CREATE TABLE page_sessions ("
    " token_hash BLOB PRIMARY KEY, user_no INTEGER NOT NULL REFERENCES users, created_ms INTEGER NOT NULL,"
    " seen_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX page_sessions_user ON page_sessions (user_no, seen_ms);",

    /* 34: second factors (store/matrix/second_factors.h); the secret is sealed, codes lie as their hashes */
    "CREATE TABLE second_factors ("
    " user_no INTEGER PRIMARY KEY REFERENCES users, secret BLOB NOT NULL, set_ms INTEGER NOT NULL,"
    " last_step INTEGER NOT NULL) STRICT;"
    "CREATE TABLE recovery_codes ("
    " code_hash BLOB PRIMARY KEY, user_no INTEGER NOT NULL REFERENCES users) STRICT, WITHOUT ROWID;"
    "CREATE INDEX recovery_codes_user ON recovery_codes (user_no);",

    /* 35: who somebody is at a provider (store/matrix/identities.h) */
    "CREATE TABLE identities ("
    " issuer TEXT NOT NULL, subject TEXT NOT NULL, user_no INTEGER NOT NULL REFERENCES users,"
    " linked_ms INTEGER NOT NULL, PRIMARY KEY (issuer, subject)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX identities_user ON identities (user_no);",

    /* 36: the language that somebody has chosen for pages and letters */
    "ALTER TABLE users ADD COLUMN language TEXT;", /* 'ru', 'en'; NULL: none */

    /* 37: D9. That something was settled of a child and a guardian who has been erased, and is named nowhere (G4) */
    "CREATE TABLE left_custodies ("
    " child INTEGER PRIMARY KEY REFERENCES users,"
    " kind TEXT NOT NULL CHECK (kind IN ('separate', 'no_contact'))) STRICT;"
    "ALTER TABLE oauth_device_codes ADD COLUMN address TEXT NOT NULL DEFAULT '';" /* from where it was asked for */
    "ALTER TABLE users ADD COLUMN session_epoch INTEGER NOT NULL DEFAULT 0;", /* how often all sessions were ended */

    /* 38: whoever began it has proven nothing then (store/matrix/page_sessions.h) */
    "ALTER TABLE page_sessions ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;",

    /* 39: of which new guardians a child's others have not been told yet (policy/signup/guardian_told.h) */
    "CREATE TABLE untold_guardians ("
    " child INTEGER NOT NULL REFERENCES users, guardian INTEGER NOT NULL REFERENCES users,"
    " by_user INTEGER NOT NULL," /* who need not be told; 0: nobody */
    " PRIMARY KEY (child, guardian)) STRICT;"
    "CREATE INDEX untold_guardians_guardian ON untold_guardians (guardian);",

    /* 40: by whom it is still to be heard: each hearer has had as many notices a day as there may be, or cannot be told
     * now, for themselves alone */
    "CREATE TABLE untold_hearers ("
    " hearer INTEGER NOT NULL REFERENCES users, child INTEGER NOT NULL REFERENCES users,"
    " guardian INTEGER NOT NULL REFERENCES users, due_ms INTEGER NOT NULL,"
    " PRIMARY KEY (hearer, child, guardian)) STRICT;"
    "CREATE INDEX untold_hearers_due ON untold_hearers (due_ms, hearer);"
    "CREATE INDEX untold_hearers_child ON untold_hearers (child, guardian);"
    "CREATE INDEX untold_hearers_guardian ON untold_hearers (guardian);",
};

int schema_version(void)
{
    return (int)(sizeof MIGRATIONS / sizeof *MIGRATIONS);
}

const char *schema_migration(int version)
{
    return MIGRATIONS[version - 1];
}

bool schema_has_table(struct db *db, const char *table)
{
    struct text made = TEXT_INIT;
    bool found = false;
    text_addf(&made, "CREATE TABLE %s (", table);
    for (int i = 0, n = driver_schema(db); i < n && i < schema_version() && !found; ++i)
        found = strstr(MIGRATIONS[i], made.data) != NULL;
    text_finish(&made);
    return found;
}

/* --- Whether the database is what its number says --- */

/* Of the migrations that this program knows, and of what the database says it is: as long as both are the same, so is
 * the answer, and nothing need be built to compare with. */
static int fingerprint_of(int version, const struct text *layout)
{
    crypto_generichash_state state;
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint32_t print;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (int i = 0; i < version; ++i)
        crypto_generichash_update(&state, (const unsigned char *)MIGRATIONS[i], strlen(MIGRATIONS[i]) + 1);
    crypto_generichash_update(&state, (const unsigned char *)layout->data, layout->len);
    crypto_generichash_final(&state, hash, sizeof hash);
    memcpy(&print, hash, sizeof print);
    return (int)(print >> 1 | 1); /* positive, and not the 0 of a database that has none */
}

static bool step(struct db *db, int at)
{
    bool done = db_transaction(db, DB_BEGIN) && db_script(db, MIGRATIONS[at]) && driver_set_schema(db, at + 1) &&
                db_transaction(db, DB_COMMIT);
    if (!done)
        db_transaction(db, DB_ROLLBACK);
    return done;
}

static bool layout_of(int version, struct text *out)
{
    struct db *scratch = driver_scratch();
    bool done = scratch != NULL;
    for (int at = 0; done && at < version; ++at)
        done = step(scratch, at);
    done = done && driver_layout(scratch, out);
    db_close(scratch);
    return done;
}

/* Names the first object that differs; both are sorted by name. */
static void complain(int version, const char *is, const char *should)
{
    while (*is != '\0' && *should != '\0' && strcspn(is, "\n") == strcspn(should, "\n") &&
           strncmp(is, should, strcspn(is, "\n")) == 0) {
        is += strcspn(is, "\n") + 1;
        should += strcspn(should, "\n") + 1;
    }
    const char *other = *should == '\0' || (*is != '\0' && strcmp(is, should) < 0) ? is : should;
    int len = (int)strcspn(other, " \n");
    if (version == 0)
        log_error("store", "there is \"%.*s\" in the file: it is no database of this program. It was left as it is",
                  len, other);
    else
        log_error("store",
                  "the database says that it has schema %d, but its \"%.*s\" is not what that schema has: another"
                  " program, or somebody by hand, has changed it. It was left as it is. Start the program that it was"
                  " last used with, or put a backup back",
                  version, len, other);
}

bool schema_check(struct db *db)
{
    struct text is = TEXT_INIT, should = TEXT_INIT;
    int version = driver_schema(db);
    bool known = driver_layout(db, &is);
    int print = fingerprint_of(version, &is);
    if (known && driver_fingerprint(db) != print) {
        bool built = layout_of(version, &should);
        known = built && is.len == should.len && (is.len == 0 || memcmp(is.data, should.data, is.len) == 0);
        if (built && !known)
            complain(version, is.len != 0 ? is.data : "", should.len != 0 ? should.data : "");
        if (known && version > 0 && db_writes(db))
            known = driver_set_fingerprint(db, print);
    }
    text_finish(&is);
    text_finish(&should);
    return known;
}

/* --- Migrations --- */

bool schema_migrate_to(struct db *db, int upto)
{
    int from = driver_schema(db);
    if (from == 0)
        log_info("store", "a new database is made, with schema %d", upto);
    for (int at = from; at < upto && !db_failed(db); ++at) {
        if (from != 0)
            log_info("store", "migrating to schema %d", at + 1);
        step(db, at);
    }
    return !db_failed(db);
}

bool schema_migrate(struct db *db)
{
    int at = driver_schema(db);
    if (at > schema_version()) {
        log_error(
            "store",
            "the database has schema %d, and this program knows %d at most: a newer Parta has used it. It was left"
            " as it is. Install that version again, or put a backup from before the upgrade back",
            at, schema_version());
        return false;
    }
    if (!schema_check(db) || !schema_migrate_to(db, schema_version()))
        return false;
    struct text layout = TEXT_INIT;
    bool done = at == schema_version() ||
                (driver_layout(db, &layout) && driver_set_fingerprint(db, fingerprint_of(schema_version(), &layout)));
    text_finish(&layout);
    return done;
}
