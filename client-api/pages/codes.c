#include "client-api/pages/codes.h"

#include <string.h>

#include "client-api/contact_codes.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

bool page_code_send(struct request *r, enum code_purpose purpose, const char *link, struct page_code *out)
{
    const char *contact = form_text(r, "contact");
    struct contact_address address;
    bool mail =
        strchr(contact, '@') != NULL || strpbrk(contact, "0123456789") == NULL; /* then it is no number either */
    out->sid[0] = '\0';
    random_name(out->secret, CODE_SECRET_CHARS);
    if (!(mail ? contact_email(contact, &address, &r->error)
               : contact_phone(contact[0] == '+' ? NULL : "RU", contact, &address, &r->error)))
        return false;
    char browser[KNOWN_BROWSER_BYTES];
    const struct code_asked asked = {
        .purpose = purpose,
        .address = &address,
        .client_secret = out->secret,
        .link = link,
        .known = purpose == CODE_RESET ? known_browser(r, contacts_owner(r->db, &address), browser) : NULL,
        .send_attempt = 1};
    if (contact_code_ask(r, &asked, out->sid))
        return true;
    out->sid[0] = '\0';
    return false;
}

bool page_code_proven(struct request *r, enum code_purpose purpose, const char *sid, const char *secret)
{
    struct contact_address address;
    return r->server->contacts != NULL &&
           contacts_proven(r->db, sid, secret, purpose, clock_wall_ms(), &address, &r->error);
}

bool page_code_right(struct request *r, enum code_purpose purpose)
{
    struct code_session session;
    struct contact_address address;
    struct contacts *contacts = r->server->contacts;
    const char *sid = form_text(r, "sid"), *secret = form_text(r, "client_secret");
    if (contacts == NULL)
        return refuse(r, ERROR_NO_VALID_SESSION, NULL);
    return contacts_session(r->db, sid, secret, clock_wall_ms(), &session, &r->error) &&
           (session.validated || contacts_submit_code(contacts, sid, secret, form_text(r, "code"), &r->error)) &&
           contacts_proven(r->db, sid, secret, purpose, clock_wall_ms(), &address, &r->error);
}
