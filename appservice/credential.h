/* An application service's as_token: it acts as its own user, or by user_id as another of its users, and by device_id
 * with one of that user's devices (Application Service API, "Identity assertion"; MSC4326, and by the name that MSC3202
 * had for it). From there on it is that user to every door: the school's gates ask of the user, and of nothing else
 * (school.md A2, F1, E9, J3). Whoever names no device has one of the service's own, so that transaction ids mean
 * something; it is not told of it, and cannot have keys there.
 *
 * Needs server->appservices and server->accounts. */
#ifndef PARTA_APPSERVICE_CREDENTIAL_H
#define PARTA_APPSERVICE_CREDENTIAL_H

struct credential_kind;

extern const struct credential_kind APPSERVICE_CREDENTIAL;

#endif
