/* Who asks, whatever they showed to say so (credentials.h). Handlers read request->identity; what a person's may do
 * follows from user, what an operator's from scopes. */
#ifndef PARTA_HTTP_IDENTITY_H
#define PARTA_HTTP_IDENTITY_H

#include <stdbool.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/ids.h"

struct credential_kind;

struct identity {
    const struct credential_kind *kind; /* NULL: nobody has said who they are */
    user_no user;                       /* the person who acts; 0: none (nobody, or an operator) */
    device_no device;                   /* 0: none */
    const char *user_id;                /* NULL without a user */
    const char *device_id;              /* NULL without a device, and of a service that names none */
    const char *service;                /* the id of the application service that acts as the user; NULL: nobody does */
    const char *name;                   /* who acts, for logs: the user id, "operator:sync"; NULL: nobody */
    enum account_state state;           /* of the user's account */
    bool admin;                         /* a server administrator */
    char language[8];                   /* of a person on pages: as their account says; "": it does not */
    unsigned scopes;                    /* of an operator: policy/gate/school_gate.h, enum operator_scope */
    const struct session *session;      /* a reference; NULL: another kind */
    char *kept;                         /* heap, what the strings may point into; NULL: the session's, or static */
};

#endif
