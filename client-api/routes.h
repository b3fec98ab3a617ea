/* Every route table of the Client-Server API, one a file of client-api/. */
#ifndef PARTA_CLIENT_API_ROUTES_H
#define PARTA_CLIENT_API_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

extern const struct routes ACCOUNT_DATA_ROUTES;
extern const struct routes ACCOUNT_ROUTES;
extern const struct routes ADMIN_ROUTES;
extern const struct routes CAPABILITY_ROUTES;
extern const struct routes CONTACT_ROUTES;
extern const struct routes CREATE_ROOM_ROUTES;
extern const struct routes DEVICE_ROUTES;
extern const struct routes FILTER_ROUTES;
extern const struct routes LOGIN_ROUTES;
extern const struct routes MEMBERSHIP_ROUTES;
extern const struct routes PROFILE_ROUTES;
extern const struct routes NOTIFICATION_ROUTES;
extern const struct routes PUSHRULES_ROUTES;
extern const struct routes REGISTER_ROUTES;
extern const struct routes REPORT_ROUTES;
extern const struct routes SEND_ROUTES;
extern const struct routes SHARED_SECRET_ROUTES;
extern const struct routes TAG_ROUTES;
extern const struct routes THIRD_PARTY_ROUTES;
extern const struct routes VERSION_ROUTES;
extern const struct routes WELLKNOWN_ROUTES;
extern const struct routes MESSAGES_ROUTES;
extern const struct routes EVENTS_ROUTES;
extern const struct routes RELATIONS_ROUTES;
extern const struct routes ROOM_STATE_READ_ROUTES;
extern const struct routes JOINED_ROOMS_ROUTES;
extern const struct routes DIRECTORY_ROUTES;
extern const struct routes PUBLIC_ROOMS_ROUTES;
extern const struct routes HIERARCHY_ROUTES;
extern const struct routes USER_DIRECTORY_ROUTES;
extern const struct routes SYNC_ROUTES;
extern const struct routes RECEIPT_ROUTES;
extern const struct routes TYPING_ROUTES;
extern const struct routes PRESENCE_ROUTES;

/* All of them (client-api/routes.c). */
extern const struct routes *const CLIENT_API_ROUTES[];
extern const size_t CLIENT_API_ROUTES_COUNT;

#endif
