/* One's phone numbers and e-mail addresses: added by a code and the password, taken away (school.md C3). */
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/codes.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/view_rows.h"
#include "client-api/uia_threepid.h"
#include "homeserver/http/server.h"

static void add_contact(void *arg, const struct contact *contact)
{
    struct contacts_rows *row = view_rows_add(arg, sizeof *row);
    row->medium = contact_medium_name(contact->address.medium);
    row->address = view_rows_text(arg, contact->address.address);
    row->phone = contact->address.medium == CONTACT_PHONE;
}

static bool show(struct request *r, const char *sid, const char *secret)
{
    struct view_rows rows = {0};
    contacts_each(r->db, r->identity.user, add_contact, &rows);
    bool done = html_contacts(r, &(struct contacts_view){.password = has_password(r),
                                                         .factor = page_wants_factor(r),
                                                         .rows = rows.all,
                                                         .rows_n = rows.n,
                                                         .offered = uia_threepid_offered_any(r),
                                                         .coded = *sid != '\0',
                                                         .contact = form_text(r, "contact"),
                                                         .sid = sid,
                                                         .secret = secret});
    view_rows_finish(&rows);
    return done;
}

static bool get_contacts(struct request *r)
{
    return show(r, "", "");
}

static bool post_code(struct request *r)
{
    struct page_code code;
    page_code_send(r, CODE_ADD, NULL, &code);
    return show(r, code.sid, code.secret);
}

static bool post_add(struct request *r)
{
    const char *sid = form_text(r, "sid"), *secret = form_text(r, "client_secret");
    if (!page_code_right(r, CODE_ADD) || !page_password_proven(r) ||
        !contacts_add(r->server->contacts, r->identity.user, sid, secret, &r->error))
        return show(r, sid, secret);
    return page_go(r, "/parta/account/contacts?done=contact_added");
}

static bool show_remove(struct request *r, const struct contact_address *address)
{
    return html_contact_remove(r, &(struct contact_remove_view){.password = has_password(r),
                                                                .factor = page_wants_factor(r),
                                                                .user_id = r->identity.user_id,
                                                                .medium = contact_medium_name(address->medium),
                                                                .address = address->address,
                                                                .phone = address->medium == CONTACT_PHONE});
}

/* From the list without "sure": then the password is asked for, since a lost one comes back by what is taken away. */
static bool post_remove(struct request *r)
{
    const char *medium, *typed_address;
    struct contact_address address;
    if (r->server->contacts == NULL)
        return refuse(r, ERROR_THREEPID_DENIED, NULL);
    if (!body_string(r, "medium", &medium) || !body_string(r, "address", &typed_address) ||
        !contact_from(medium, typed_address, &address, &r->error))
        return false;
    if (*form_text(r, "sure") == '\0' || !page_password_proven(r))
        return show_remove(r, &address);
    return contacts_remove(r->server->contacts, r->identity.user, &address, &r->error) &&
           page_go(r, "/parta/account/contacts?done=contact_removed");
}

#define HERE "/parta/account/contacts"
#define ROUTE_CHANGES (ROUTE_PERSONS_PAGE | ROUTE_POSTS)
static const struct route TABLE[] = {
    {HTTP_GET, HERE, get_contacts, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, HERE "/code", post_code, ROUTE_CHANGES, RATE_CODES, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "/add", post_add, ROUTE_CHANGES | ROUTE_HASH, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "/remove", post_remove, ROUTE_CHANGES | ROUTE_HASH, RATE_WRITE, NULL, NULL, page_body_max},
};
const struct routes PAGE_CONTACTS_ROUTES = ROUTES(TABLE);
