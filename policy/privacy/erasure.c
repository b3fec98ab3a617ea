#include "policy/privacy/erasure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/words.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/directory.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/gate_names.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/search/search.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/held_pushes.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/oauth_codes.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/thread_subscriptions.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/erasures.h"
#include "homeserver/store/school/links.h"
#include "homeserver/store/school/losses.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/matrix/key_backup.h"
#include "homeserver/store/matrix/to_device.h"
#include "homeserver/store/matrix/media.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/relations.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/verifications.h"
#include "homeserver/store/school/idempotency.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/oneroster/forget.h"

#define AT_ONCE 200    /* events a job takes back */
#define LOOKED_AT 5000 /* and looks at */
#define SMALL_BYTES (INT64_C(256) << 20)
#define NIGHT_FROM_H 1 /* local time: when writing a large database anew keeps nobody waiting */
#define NIGHT_TO_H 5

/* --- Beginning --- */

static bool note(struct changing_records *c, user_no user)
{
    const struct rooms_settings *settings = rooms_settings(c->rooms);
    char *id = users_id(c->tx->db, settings->server_name, user);
    bool done = audit_append(
        c->tx, settings->key,
        &(struct audit_note){
            .actor = c->actor, .act = "person.erase", .about = user, .subject = json_pack("{s:s*}", "user", id)});
    free(id);
    return done;
}

bool erasure_may(struct db *db, bool school_mode, const struct actor *actor, user_no user, struct error *e)
{
    struct subject subject = {.target = user};
    struct person_row person; /* of a roster, the next import would bring it back */
    subject.roster_kept = people_get(db, user, &person) && !person.ended && source_is_roster(person.source);
    person_row_finish(&person);
    return school_gate(db, school_mode, actor, ACT_ERASE, &subject, NULL, NULL, e);
}

bool erasure_begin(struct changing_records *c, user_no user)
{
    if (!erasure_may(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, user, c->e))
        return false;
    if (!erasures_begin(c->tx, user, c->actor->name))
        return error_set(c->e, ERROR_CONFLICT, "This account is being erased already.");
    return (users_set_password(c->tx, user, NULL) && users_set_state(c->tx, user, ACCOUNT_LOCKED) &&
            users_set_admin(c->tx, user, false) && users_set_language(c->tx, user, NULL) &&
            devices_delete_all(c->tx, user, 0) && delayed_messages_forget(c->tx, user) &&
            verifications_forget(c->tx, user) && note(c, user)) ||
           error_set(c->e, ERROR_UNKNOWN, NULL);
}

bool erasure_of_deactivated(void *rooms, struct tx *tx, user_no user, struct error *e)
{
    char *user_id = users_id(tx->db, rooms_settings(rooms)->server_name, user);
    const struct actor actor = {.user = user, .name = user_id};
    struct changing_records c = {tx, rooms, &actor, e};
    bool done = erasure_begin(&c, user);
    free(user_id);
    return done;
}

/* --- Going on --- */

struct step {
    struct rooms *rooms;
    bool more; /* there was something to do */
};

/* An event that says something, copied from its statement. */
struct target {
    stream_pos pos;
    char *event_id, *type, *state_key; /* heap; state_key NULL: none */
    char *content, *redacted;          /* heap: what it says, and what is left of that */
    bool silent;                       /* a redaction would leave more */
};

static void target_finish(struct target *target)
{
    free(target->event_id);
    free(target->type);
    free(target->state_key);
    free(target->content);
    free(target->redacted);
}

/* State that says nothing, and whose loss would change what a room is or who may what there: as long as it has these
 * keys and plain values alone, it stays. Redaction would open a room to invites (power levels before version 11), or
 * make it forget that it is encrypted. */
static const struct {
    const char *type, *keys[11];
} STRUCTURE[] = {
    {"m.room.encryption", {"algorithm", "rotation_period_ms", "rotation_period_msgs"}},
    {"m.room.guest_access", {"guest_access"}},
    {"m.room.power_levels",
     {"ban", "events", "events_default", "invite", "kick", "notifications", "redact", "state_default", "users",
      "users_default"}},
    {"m.room.tombstone", {"body", "replacement_room"}},
    {"m.space.child", {"suggested", "via"}},
    {"m.space.parent", {"canonical", "via"}},
};

static bool is_plain(struct db *db, const char *server_name, const json_t *value)
{
    static const char *const WORDS[] = {"m.megolm.v1.aes-sha2", "can_join", "forbidden", "This room has been replaced"};
    const char *s = json_string_value(value);
    size_t i;
    const json_t *inner;
    json_array_foreach(value, i, inner)
        if (!is_plain(db, server_name, inner))
            return false;
    return WORD_FIND(WORDS, s) >= 0 ||
           (!json_is_object(value) && (s == NULL || strcmp(s, server_name) == 0 || rooms_by_id(db, s) != 0));
}

/* clean: a redaction would leave nothing of it that says something. */
static bool is_structure(struct db *db, const char *server_name, const char *type, const json_t *content, bool clean)
{
    const char *key;
    json_t *value;
    size_t row = 0, rows = sizeof STRUCTURE / sizeof *STRUCTURE;
    while (row < rows && strcmp(STRUCTURE[row].type, type) != 0)
        ++row;
    if (row == rows || !clean)
        return false;
    bool levels = strcmp(type, "m.room.power_levels") == 0;
    json_object_foreach((json_t *)content, key, value) {
        size_t k = 0;
        while (STRUCTURE[row].keys[k] != NULL && strcmp(STRUCTURE[row].keys[k], key) != 0)
            ++k;
        bool notified = strcmp(key, "notifications") == 0; /* a redaction takes it, and the words in its keys */
        bool plain = levels && json_is_object(value)
                         ? !notified || json_object_size(value) == json_is_integer(json_object_get(value, "room"))
                         : is_plain(db, server_name, value);
        if (STRUCTURE[row].keys[k] == NULL || !plain)
            return false;
    }
    return true;
}

/* What a redaction leaves of it, and of that only what says nothing (G4). *unclean: there was more, and what redacts it
 * aloud would leave that: the event's id is a hash of it, and can be checked no more. */
static char *what_is_left(struct db *db, const struct room *room, const struct event_row *row, bool *unclean)
{
    struct gate_names names = {.db = db, .server_name = rooms_settings(room->rooms)->server_name, .room = room->no};
    const struct event_names there = {gate_names_there, &names};
    struct text left = TEXT_INIT, cleaned = TEXT_INIT;
    struct error ignored;
    redact_add_content(&left, room->version, row->type, row->content, strlen(row->content));
    json_t *content = json_parse(left.data, left.len, &ignored);
    if (content != NULL) {
        event_lasting_clean(row->type, content, &there);
        json_add_canonical(&cleaned, content);
    }
    *unclean = content != NULL && strcmp(cleaned.data, left.data) != 0;
    json_decref(content);
    text_finish(*unclean ? &left : &cleaned);
    return text_take(*unclean ? &cleaned : &left);
}

/* false: it says nothing that redaction would take. */
static bool target_from(struct target *out, struct tx *tx, const struct room *room, const struct event_row *row)
{
    struct error ignored;
    bool unclean;
    char *left = what_is_left(tx->db, room, row, &unclean);
    json_t *content = strcmp(left, row->content) != 0 ? json_parse(row->content, strlen(row->content), &ignored) : NULL;
    bool says = content != NULL &&
                !(row->state_key != NULL &&
                  is_structure(tx->db, rooms_settings(room->rooms)->server_name, row->type, content, !unclean));
    if (says)
        *out = (struct target){
            .pos = row->pos,
            .event_id = xstrdup(row->event_id),
            .type = xstrdup(row->type),
            .state_key = row->state_key != NULL ? xstrdup(row->state_key) : NULL,
            .content = xstrdup(row->content),
            .redacted = xstrdup(left),
            .silent = unclean,
        };
    json_decref(content);
    free(left);
    return says;
}

/* The next events of theirs that say something: messages, state, the reasons of redactions, all of any type; and their
 * names in member events, whoever sent these. *upto: how far was looked. */
static size_t read_targets(struct tx *tx, const struct room *room, const struct erasure_row *at, const char *user_id,
                           struct target out[AT_ONCE], stream_pos *upto)
{
    size_t n = 0, looked_at = 0;
    struct event_row row;
    bool more = true;
    struct stmt *q = events_of_person(tx->db, at->room, at->user, user_id, at->pos);
    while (n < AT_ONCE && looked_at < LOOKED_AT && (more = events_next(q, &row))) {
        n += target_from(&out[n], tx, room, &row);
        *upto = row.pos;
        ++looked_at;
    }
    stmt_end(q);
    if (!more)
        *upto = INT64_MAX;
    return n;
}

/* Who is joined takes something back as anybody does, so that clients hear of it. Not of what they would not understand
 * to be redacted: memberships, redactions themselves, and the event that makes the room. */
static bool take_back(struct room *room, struct tx *tx, user_no user, const struct target *target)
{
    static const char *const SILENT[] = {"m.room.member", "m.room.redaction", "m.room.create"};
    struct draft draft = {.sender = user,
                          .actor = users_no(tx->db, SERVICE_LOCALPART),
                          .type = "m.room.redaction",
                          .redacts = target->event_id};
    struct appended out;
    struct error ignored;
    for (size_t i = 0; i < sizeof SILENT / sizeof *SILENT; ++i)
        if (target->silent || strcmp(target->type, SILENT[i]) == 0)
            return false;
    json_t *content = room_version_has(room->version, ROOM_TOP_LEVEL_REDACTS)
                          ? json_object()
                          : json_pack("{s:s}", "redacts", target->event_id);
    draft.content = content;
    bool done = append_event(room, tx, &draft, &out, &ignored);
    json_decref(content);
    return done;
}

/* Else the content goes from the row. The event keeps its id: that is a hash of what redaction leaves, if it left no
 * words. */
static bool empty_row(struct room *room, struct tx *tx, const struct target *target)
{
    if (target->state_key != NULL)
        room_forget_state(room, target->type, target->state_key);
    return events_redact(tx, target->pos, target->pos, target->redacted);
}

/* The room that replaced this one, with the position of the event that carried the target's words over: an upgrade
 * sends state anew, in the name of whoever upgrades. NULL: there is none. */
static struct room *carried_to(struct room *room, struct tx *tx, const struct target *target, stream_pos *pos)
{
    const char *content, *next_id = room_state_string(room, tx, "m.room.tombstone", "replacement_room");
    struct room *next = next_id != NULL ? room_open(room->rooms, tx, rooms_by_id(tx->db, next_id)) : NULL;
    if (next == NULL || next == room)
        return NULL;
    struct stmt *q = events_state_history(tx->db, next->no, target->type, target->state_key);
    bool same = events_state_history_next(q, pos, &content) && strcmp(content, target->content) == 0;
    stmt_end(q);
    return same ? next : NULL;
}

static bool empty_carried(struct room *room, struct tx *tx, const struct target *target)
{
    stream_pos pos;
    bool done = true;
    while (done && target->state_key != NULL && (room = carried_to(room, tx, target, &pos)) != NULL) {
        bool unclean;
        const struct event_row row = {.type = target->type, .content = target->content};
        char *left = what_is_left(tx->db, room, &row, &unclean);
        room_touch(room, tx);
        room_forget_state(room, target->type, target->state_key);
        done = events_redact(tx, pos, pos, left);
        free(left);
    }
    return done;
}

static bool erase_events(struct tx *tx, struct step *step, struct erasure_row *at)
{
    struct target targets[AT_ONCE];
    stream_pos upto = INT64_MAX;
    struct room *room = room_open(step->rooms, tx, at->room);
    char *user_id = users_id(tx->db, rooms_settings(step->rooms)->server_name, at->user);
    size_t n = room != NULL ? read_targets(tx, room, at, user_id, targets, &upto) : 0;
    bool done = true, joined = memberships_of(tx->db, at->room, at->user) == MEMBERSHIP_JOIN;
    if (n != 0)
        room_touch(room, tx);
    for (size_t i = 0; i < n; ++i) {
        bool spoken = joined && take_back(room, tx, at->user, &targets[i]);
        done = done && (spoken || empty_row(room, tx, &targets[i])) && empty_carried(room, tx, &targets[i]) &&
               relations_forget(tx, targets[i].content, targets[i].pos);
        target_finish(&targets[i]);
    }
    free(user_id);
    at->pos = upto;
    if (upto == INT64_MAX) {
        done = done && receipts_forget(tx, at->room, at->user);
        ++at->room;
        at->pos = 0;
    }
    return done && erasures_advance(tx, at);
}

/* Only now: while the person was in a room, their messages could be taken back aloud. */
static bool leave_schools(struct tx *tx, struct rooms *rooms, user_no user, struct error *e)
{
    const struct actor eraser = {
        .name = "operator:erasure", .scopes = SCOPE_ALL, .override_ = "the erasure that was begun"};
    struct changing_records c = {tx, rooms, &eraser, e};
    school_no school;
    while ((school = roles_first_school(tx->db, user)) != 0)
        if (!change_leave_school(&c, user, school))
            return false;
    return true;
}

static bool leave_rooms(struct tx *tx, struct rooms *rooms, user_no user, struct error *e)
{
    size_t n;
    room_no *in =
        memberships_rooms(tx->db, user, 1u << MEMBERSHIP_JOIN | 1u << MEMBERSHIP_INVITE | 1u << MEMBERSHIP_KNOCK, &n);
    bool done = true;
    for (size_t i = 0; done && i < n; ++i) {
        struct room *room = room_open(rooms, tx, in[i]);
        struct membership_act leave = {.act = ACT_LEAVE, .actor = users_no(tx->db, SERVICE_LOCALPART), .target = user};
        struct appended out;
        done = room != NULL && membership_act(room, tx, &leave, &out, e);
    }
    free(in);
    return done;
}

static user_no who_named(struct db *db, room_no room)
{
    struct event_row row;
    struct stmt *q = events_state_get(db, room, "m.room.canonical_alias", "");
    user_no sender = events_next(q, &row) ? row.sender : 0;
    stmt_end(q);
    return sender;
}

/* Their aliases go: rooms name them no longer, as they say themselves, or who had the room named so. Where neither may
 * any more, the name stays there. */
static void unname_rooms(struct tx *tx, struct rooms *rooms, user_no user)
{
    json_auto_t *named = json_array();
    json_t *one;
    size_t i;
    user_no service = users_no(tx->db, SERVICE_LOCALPART);
    struct stmt *q = aliases_of_creator(tx->db, user);
    while (stmt_next(q))
        json_array_append_new(named,
                              json_pack("{s:s, s:I}", "alias", col_text(q, 0), "room", (json_int_t)col_int(q, 1)));
    stmt_end(q);
    json_array_foreach(named, i, one) {
        const char *alias = json_get_string(one, "alias");
        room_no room = json_integer_value(json_object_get(one, "room"));
        user_no other = who_named(tx->db, room);
        if (!directory_unname(rooms, tx, user, service, room, alias) && other != 0 && other != user)
            directory_unname(rooms, tx, other, service, room, alias);
    }
}

/* What is kept of a person beside what they wrote in rooms: one function an aggregate. tests/unit/erasure.c holds the
 * columns of the schema against it. */
static bool forget(struct tx *tx, const struct signing_key *key, user_no user, const char *user_id)
{
    static bool (*const OF_USER[])(struct tx * tx, user_no user) = {
        profiles_forget,    account_data_forget,     filters_forget,
        contacts_forget,    aliases_forget,          applications_forget,
        links_revoke_of,    delayed_messages_forget, taken_forget,
        losses_forget,      cross_signing_forget,    key_backups_forget,
        to_device_forget,   device_keys_forget,      pushers_forget,
        held_pushes_forget, media_forget_of,         thread_subscriptions_forget,
        oauth_codes_forget, second_factors_forget,   identities_forget,
    };
    bool done = roster_forget(tx, key, user) && custodies_forget(tx->db, user) && people_forget(tx->db, user) &&
                idempotency_forget(tx, user_id) && reports_forget_erased(tx);
    for (size_t i = 0; done && i < sizeof OF_USER / sizeof *OF_USER; ++i)
        done = OF_USER[i](tx, user);
    return done;
}

/* Then their events are gone through a second time: what was written meanwhile (a membership, say, with the name that
 * was theirs until now) is silent then, since they are in no room. */
static bool leave(struct tx *tx, struct step *step, user_no user, struct error *e)
{
    char *user_id = users_id(tx->db, rooms_settings(step->rooms)->server_name, user);
    unname_rooms(tx, step->rooms, user);
    bool done = leave_schools(tx, step->rooms, user, e) && leave_rooms(tx, step->rooms, user, e) &&
                users_set_state(tx, user, ACCOUNT_LEFT) && erasures_leave(tx, user) &&
                forget(tx, rooms_settings(step->rooms)->key, user, user_id);
    free(user_id);
    return done;
}

static bool job_step(struct tx *tx, void *arg, struct error *e)
{
    struct step *step = arg;
    struct erasure_row at;
    tx_acts(tx, "operator:erasure", "person.erased");
    step->more = erasures_open(tx->db, &at);
    if (!step->more)
        return true;
    room_no room = erasures_room(tx->db, at.user, at.room);
    if (room == 0 && at.left)
        return erasures_finish(tx, at.user) || error_set(e, ERROR_UNKNOWN, NULL);
    if (room == 0)
        return leave(tx, step, at.user, e) || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
    if (room != at.room)
        at = (struct erasure_row){.user = at.user, .room = room, .left = at.left};
    return erase_events(tx, step, &at) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool erasure_step(struct writer *writer, struct rooms *rooms)
{
    struct step step = {.rooms = rooms};
    struct error e = {0};
    bool done = writer_run(writer, job_step, &step, &e);
    if (!done)
        log_error("erase", "an erasure could not go on: %s", error_sentence(&e));
    return done && step.more;
}

/* --- The files --- */

static bool job_unscrubbed(struct tx *tx, void *arg, struct error *e)
{
    *(int64_t *)arg = erasures_unscrubbed_ms(tx->db);
    return true;
}

static bool job_scrubbed(struct tx *tx, void *arg, struct error *e)
{
    return erasures_scrubbed(tx, *(const int64_t *)arg);
}

bool erasure_scrub(struct writer *writer, struct search *search, int64_t now_ms)
{
    int64_t done_ms = -1;
    bool whole;
    struct error e;
    struct tm local;
    time_t now_s = (time_t)(now_ms / 1000);
    if (!writer_run(writer, job_unscrubbed, &done_ms, &e) || done_ms == 0)
        return done_ms == 0;
    localtime_r(&now_s, &local);
    bool is_night = local.tm_hour >= NIGHT_FROM_H && local.tm_hour < NIGHT_TO_H;
    int64_t at_most_bytes = is_night ? INT64_MAX : SMALL_BYTES;
    return search_scrub(search, at_most_bytes) && writer_scrub(writer, at_most_bytes, &whole, &e) && whole &&
           writer_run(writer, job_scrubbed, &done_ms, &e);
}
