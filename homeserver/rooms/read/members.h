/* Who is in a room, as /members and /joined_members tell it. Block (reads). */
#ifndef PARTA_ROOMS_READ_MEMBERS_H
#define PARTA_ROOMS_READ_MEMBERS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/memberships.h"

struct db;
struct render;

struct members_wanted {
    room_no room;
    stream_pos pos;          /* the state at this position; INT64_MAX: the current one */
    enum membership only;    /* MEMBERSHIP_NONE: any */
    enum membership without; /* MEMBERSHIP_NONE: none left out */
};

/* Appends the m.room.member events as a JSON array. */
void members_render(struct text *out, const struct render *how, const struct members_wanted *wanted);

/* Appends {"@user:server":{"avatar_url":…,"display_name":…},…} of those who are joined now. */
void members_render_joined(struct text *out, struct db *db, room_no room);

/* The membership that a member event's content (JSON text) says. */
enum membership members_content_membership(const char *content);

#endif
