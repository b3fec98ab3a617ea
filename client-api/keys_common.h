/* What the routes of end-to-end encryption share. */
#ifndef PARTA_CLIENT_API_KEYS_COMMON_H
#define PARTA_CLIENT_API_KEYS_COMMON_H

#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/keys/keys.h"

/* Who asks; borrowed from the request. */
static inline struct keys_caller keys_caller_of(const struct request *r)
{
    return (struct keys_caller){
        .writer = r->server->writer,
        .rooms = r->server->rooms,
        .user = r->identity.user,
        .user_id = r->identity.user_id,
        .device = r->identity.device,
        .device_id = r->identity.device_id,
    };
}

#endif
