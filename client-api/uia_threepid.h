/* Stages of interactive authentication that prove a phone number or e-mail address (Client-Server API, "Email-based
 * (identity / homeserver)", "Phone number/MSISDN-based"; school.md C3). */
#ifndef PARTA_CLIENT_API_UIA_THREEPID_H
#define PARTA_CLIENT_API_UIA_THREEPID_H

#include <stdbool.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/http/uia.h"

struct request;

/* Each leaves the session's sid as its value, for contacts_take in the job of the act. The code was asked for to
 * register, or to set a new password. */
extern const struct uia_stage STAGE_EMAIL_REGISTER, STAGE_PHONE_REGISTER;
extern const struct uia_stage STAGE_EMAIL_RESET, STAGE_PHONE_RESET;

/* The sid that one of them has left; NULL: none of them was part of it. Borrowed from *result. */
const char *uia_threepid_sid(const struct uia_result *result);

/* Whether this server verifies addresses of that kind, and of any. */
bool uia_threepid_offered(const struct request *r, enum contact_medium medium);
bool uia_threepid_offered_any(const struct request *r);

#endif
