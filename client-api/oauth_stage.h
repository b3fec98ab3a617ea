/* The stage m.oauth (Client-Server API, "OAuth authentication"): the person approves on the pages of their account. Its
 * params name the page; a client comes again with the session alone, or, as matrix-rust-sdk does, without any auth. */
#ifndef PARTA_CLIENT_API_OAUTH_STAGE_H
#define PARTA_CLIENT_API_OAUTH_STAGE_H

#include "homeserver/http/uia.h"

extern const struct uia_flow OAUTH_FLOW;

#endif
