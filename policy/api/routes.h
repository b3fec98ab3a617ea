/* Every route table of the school API, one a file of policy/api/. */
#ifndef PARTA_POLICY_API_ROUTES_H
#define PARTA_POLICY_API_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

extern const struct routes API_ACCOUNT_ROUTES;
extern const struct routes API_APPLICATION_ROUTES;
extern const struct routes API_ASSOCIATION_ROUTES;
extern const struct routes API_AUDIT_ROUTES;
extern const struct routes API_CLASS_ROUTES;
extern const struct routes API_ENROLLMENT_ROUTES;
extern const struct routes API_EXPLAIN_ROUTES;
extern const struct routes API_GUARDIAN_ROUTES;
extern const struct routes API_GUARDIANSHIP_ROUTES;
extern const struct routes API_IMPORT_ROUTES;
extern const struct routes API_LIFE_ROUTES;
extern const struct routes API_LINK_ROUTES;
extern const struct routes API_ME_ROUTES;
extern const struct routes API_OPERATOR_ROUTES;
extern const struct routes API_PERSON_ROUTES;
extern const struct routes API_POLICY_ROUTES;
extern const struct routes API_REPORT_ROUTES;
extern const struct routes API_ROLE_ROUTES;
extern const struct routes API_ROOM_ROUTES;
extern const struct routes API_SCHOOL_ROUTES;
extern const struct routes API_SIGNUP_ROUTES;
extern const struct routes API_VERIFICATION_ROUTES;
extern const struct routes API_YEAR_ROUTES;

/* All of them (policy/api/routes.c). */
extern const struct routes *const SCHOOL_API_ROUTES[];
extern const size_t SCHOOL_API_ROUTES_COUNT;

#endif
