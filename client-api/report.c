/* Reporting content (Client-Server API, "Reporting Content"; school.md F5). Whether a room or person exists that the
 * reporter may not know of is not told (A1): such a report is answered like any other, and kept by nobody. */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/json.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "policy/reports/reports.h"

struct reporting {
    struct report_row row;
    bool school_mode;
    const char *reporter_id;
};

static bool report_job(struct tx *tx, void *arg, struct error *e)
{
    struct reporting *reporting = arg;
    return report_make(tx, reporting->school_mode, reporting->reporter_id, &reporting->row, e);
}

static bool report(struct request *r, struct report_row row)
{
    struct reporting reporting = {row, room_access_school_mode(r), r->identity.user_id};
    reporting.row.reporter = r->identity.user;
    if (!body_string_or(r, "reason", "", &reporting.row.reason))
        return false;
    return writer_run(r->server->writer, report_job, &reporting, &r->error) && reply_empty(r);
}

/* The event's type and content as they are now. */
static char *evidence_of(const struct event_row *event)
{
    struct text t = TEXT_INIT;
    text_adds(&t, "{\"content\":");
    text_adds(&t, event->content);
    text_adds(&t, ",\"type\":");
    text_add_json(&t, event->type);
    text_addc(&t, '}');
    return text_take(&t);
}

/* By whoever is in the room; and what others said as they put somebody out of it, by whom they put out (F5): it reached
 * them, and they are not in the room any more. */
static bool may_be_reported(const struct request *r, const struct room_access *reading, const struct event_row *event)
{
    bool own_place = strcmp(event->type, "m.room.member") == 0 && event->state_key != NULL &&
                     strcmp(event->state_key, r->identity.user_id) == 0 && event->sender != r->identity.user;
    return own_place || visibility_membership(reading->visibility) == MEMBERSHIP_JOIN;
}

static bool report_event(struct request *r, struct room_access *reading)
{
    struct event_row *event = room_access_event(r, reading, r->params[1]);
    if (event == NULL)
        return false;
    if (!may_be_reported(r, reading, event)) {
        free(event);
        return refuse(r, ERROR_NOT_FOUND, "There is no such event.");
    }
    char *evidence = evidence_of(event);
    bool done = report(r, (struct report_row){.kind = "event",
                                              .accused = event->sender,
                                              .room = reading->room,
                                              .event_id = event->event_id,
                                              .evidence = evidence});
    free(evidence);
    free(event);
    return done;
}

static bool post_report_event(struct request *r)
{
    return room_access_room(r, ERROR_NOT_FOUND, report_event);
}

/* Whom a report of the room concerns, and who may therefore not read it: the other of a direct chat, who answers for a
 * club (E5); 0: a room of the school. */
static user_no answers_for(struct request *r, room_no room)
{
    struct room_school of;
    school_of_room(r->db, room, &of);
    user_no who = of.kind == ROOM_CLUB ? of.owner : 0;
    if (of.kind == ROOM_DIRECT)
        who = of.a == r->identity.user ? of.b : of.a;
    return who == r->identity.user ? 0 : who;
}

static bool post_report_room(struct request *r)
{
    room_no room = rooms_by_id(r->db, r->params[0]);
    if (room == 0 || !room_access_may_know_room(r, room))
        return reply_empty(r);
    return report(r, (struct report_row){.kind = "room", .room = room, .accused = answers_for(r, room)});
}

static bool post_report_user(struct request *r)
{
    user_no accused = users_by_id(r->db, rooms_settings(r->server->rooms)->server_name, r->params[0]);
    if (accused == 0 || !report_is_kept(r->db, r->identity.user, accused))
        return reply_empty(r);
    return report(r, (struct report_row){.kind = "user", .accused = accused});
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/report/{eventId}", post_report_event, ROUTE_AUTH | ROUTE_BODY,
     RATE_WRITE, "reportEvent"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/report", post_report_room, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "reportRoom"},
    {HTTP_POST, "/_matrix/client/v3/users/{userId}/report", post_report_user, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "reportUser"},
};
const struct routes REPORT_ROUTES = ROUTES(TABLE);
