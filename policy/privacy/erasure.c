#include "policy/privacy/erasure.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/erasures.h"
#include "homeserver/store/school/links.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"

#define AT_ONCE 200 /* events a job */

/* --- Beginning --- */

static bool note(struct changing_records *c, user_no user)
{
    const struct rooms_settings *settings = rooms_settings(c->rooms);
    char *id = users_id(c->tx->db, settings->server_name, user);
    bool done = audit_append(
        c->tx, settings->key,
        &(struct audit_note){.actor = c->actor, .act = "person.erase", .subject = json_pack("{s:s*}", "user", id)});
    free(id);
    return done;
}

bool erasure_begin(struct changing_records *c, user_no user)
{
    const struct rooms_settings *settings = rooms_settings(c->rooms);
    struct subject subject = {.target = user};
    struct person_row person; /* of a roster, the next import would bring it back */
    subject.roster_kept = people_get(c->tx->db, user, &person) && !person.ended && source_is_roster(person.source);
    person_row_finish(&person);
    if (!school_gate(c->tx->db, settings->school_mode, c->actor, ACT_ERASE, &subject, NULL, NULL, c->e))
        return false;
    if (!erasures_begin(c->tx, user, c->actor->name))
        return error_set(c->e, ERROR_CONFLICT, "This account is being erased already.");
    return (users_set_password(c->tx, user, NULL) && users_set_state(c->tx, user, ACCOUNT_LOCKED) &&
            users_set_admin(c->tx, user, false) && devices_delete_all(c->tx, user, 0) && note(c, user)) ||
           error_set(c->e, ERROR_UNKNOWN, NULL);
}

/* --- Going on --- */

struct step {
    struct rooms *rooms;
    bool more; /* there was something to do */
};

/* An event to be emptied, copied from its statement. */
struct target {
    stream_pos pos;
    char *event_id, *type, *state_key; /* heap; state_key NULL: none */
};

/* The next messages, and names in own member events, that are not emptied yet. */
static size_t read_targets(struct tx *tx, const struct erasure_row *at, struct target out[AT_ONCE])
{
    size_t n = 0;
    struct event_row row;
    struct stmt *q = events_of_sender(tx->db, at->room, at->user, at->pos);
    while (n < AT_ONCE && events_next(q, &row))
        if (row.redacted_by == 0 && strcmp(row.type, "m.room.redaction") != 0 &&
            (row.state_key == NULL || strcmp(row.type, "m.room.member") == 0))
            out[n++] = (struct target){row.pos, xstrdup(row.event_id), xstrdup(row.type),
                                       row.state_key != NULL ? xstrdup(row.state_key) : NULL};
    stmt_end(q);
    return n;
}

/* Who is joined takes a message back as anybody does, so that clients hear of it. */
static bool take_back(struct room *room, struct tx *tx, user_no user, const struct target *target)
{
    struct draft draft = {.sender = user,
                          .actor = users_no(tx->db, SERVICE_LOCALPART),
                          .type = "m.room.redaction",
                          .redacts = target->event_id};
    struct appended out;
    struct error ignored;
    json_t *content = room_version_has(room->version, ROOM_TOP_LEVEL_REDACTS)
                          ? json_object()
                          : json_pack("{s:s}", "redacts", target->event_id);
    draft.content = content;
    bool done = append_event(room, tx, &draft, &out, &ignored);
    json_decref(content);
    return done;
}

/* Where the person is no more, or the event is their membership: the content goes from the row. */
static bool empty_row(struct room *room, struct tx *tx, const struct target *target)
{
    struct event_row row;
    struct text content = TEXT_INIT;
    struct stmt *q = events_by_pos(tx->db, target->pos);
    if (events_next(q, &row))
        redact_add_content(&content, room->version, row.type, row.content, strlen(row.content));
    stmt_end(q);
    bool done = content.data != NULL && events_redact(tx, target->pos, target->pos, content.data);
    if (target->state_key != NULL)
        room_forget_state(room, target->type, target->state_key);
    text_finish(&content);
    return done;
}

static bool erase_events(struct tx *tx, struct step *step, struct erasure_row *at)
{
    struct target targets[AT_ONCE];
    struct room *room = room_open(step->rooms, tx, at->room);
    size_t n = room != NULL ? read_targets(tx, at, targets) : 0;
    bool done = true, joined = memberships_of(tx->db, at->room, at->user) == MEMBERSHIP_JOIN;
    if (n != 0)
        room_touch(room, tx);
    for (size_t i = 0; i < n; ++i) {
        bool spoken = joined && targets[i].state_key == NULL && take_back(room, tx, at->user, &targets[i]);
        done = done && (spoken || empty_row(room, tx, &targets[i]));
        at->pos = targets[i].pos;
        free(targets[i].event_id);
        free(targets[i].type);
        free(targets[i].state_key);
    }
    if (n < AT_ONCE) {
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

static bool finish(struct tx *tx, struct step *step, user_no user, struct error *e)
{
    return leave_schools(tx, step->rooms, user, e) && leave_rooms(tx, step->rooms, user, e) &&
           users_set_state(tx, user, ACCOUNT_LEFT) && profiles_forget(tx, user) && account_data_forget(tx, user) &&
           filters_forget(tx, user) && contacts_forget(tx, user) && delayed_messages_forget(tx, user) &&
           applications_forget(tx, user) && links_revoke_of(tx, user) && people_forget(tx->db, user) &&
           erasures_finish(tx, user);
}

static bool job_step(struct tx *tx, void *arg, struct error *e)
{
    struct step *step = arg;
    struct erasure_row at;
    step->more = erasures_open(tx->db, &at);
    if (!step->more)
        return true;
    room_no room = erasures_room(tx->db, at.user, at.room);
    if (room == 0)
        return finish(tx, step, at.user, e) || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
    if (room != at.room)
        at = (struct erasure_row){.user = at.user, .room = room};
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
