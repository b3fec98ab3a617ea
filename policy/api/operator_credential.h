/* An operator's token (school.md J3: the regional operator and programs): "parta_…", of policy/admin/operators.h. */
#ifndef PARTA_POLICY_API_OPERATOR_CREDENTIAL_H
#define PARTA_POLICY_API_OPERATOR_CREDENTIAL_H

#include "homeserver/http/credentials.h"

extern const struct credential_kind OPERATOR_CREDENTIAL;

#endif
