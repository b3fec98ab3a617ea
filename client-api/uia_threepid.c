#include "client-api/uia_threepid.h"

#include <stdio.h>

#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define EMAIL_TYPE "m.login.email.identity"
#define PHONE_TYPE "m.login.msisdn"

bool uia_threepid_offered(const struct request *r, enum contact_medium medium)
{
    return contacts_offered(r->server->contacts, medium);
}

bool uia_threepid_offered_any(const struct request *r)
{
    return uia_threepid_offered(r, CONTACT_EMAIL) || uia_threepid_offered(r, CONTACT_PHONE);
}

static bool check(struct request *r, const json_t *auth, struct uia_attempt *attempt, enum contact_medium medium,
                  enum code_purpose purpose)
{
    struct contact_address address;
    const json_t *creds = json_get_object(auth, "threepid_creds");
    const char *sid = json_get_string(creds, "sid"), *secret = json_get_string(creds, "client_secret");
    if (sid == NULL || secret == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "threepid_creds must have sid and client_secret.");
    if (!contacts_proven(r->db, sid, secret, purpose, clock_wall_ms(), &address, &r->error))
        return false;
    if (address.medium != medium)
        return refuse(r, ERROR_THREEPID_AUTH_FAILED, NULL);
    snprintf(attempt->value, sizeof attempt->value, "%s", sid);
    return true;
}

static bool check_email_register(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return check(r, auth, attempt, CONTACT_EMAIL, CODE_REGISTER);
}

static bool check_phone_register(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return check(r, auth, attempt, CONTACT_PHONE, CODE_REGISTER);
}

static bool check_email_reset(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return check(r, auth, attempt, CONTACT_EMAIL, CODE_RESET);
}

static bool check_phone_reset(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return check(r, auth, attempt, CONTACT_PHONE, CODE_RESET);
}

const struct uia_stage STAGE_EMAIL_REGISTER = {.type = EMAIL_TYPE, .check = check_email_register};
const struct uia_stage STAGE_PHONE_REGISTER = {.type = PHONE_TYPE, .check = check_phone_register};
const struct uia_stage STAGE_EMAIL_RESET = {.type = EMAIL_TYPE, .check = check_email_reset};
const struct uia_stage STAGE_PHONE_RESET = {.type = PHONE_TYPE, .check = check_phone_reset};

const char *uia_threepid_sid(const struct uia_result *result)
{
    const char *email = uia_value(result, EMAIL_TYPE);
    return email != NULL ? email : uia_value(result, PHONE_TYPE);
}
