#include "policy/signup/claims.h"

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/key_backup.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/policies.h"
#include "policy/records/office_act.h"
#include "policy/school_rooms/documents.h"

#define TOLD_MAX 100

/* --- Beginning --- */

/* By the id alone: the name would outlive an erasure in somebody else's room (G4). */
static json_t *notice(const struct changing_records *c, const struct link_row *link)
{
    struct text body = TEXT_INIT;
    const char *id = office_act_user_id(c, link->person);
    text_addf(
        &body,
        "По личной ссылке вошли в учётную запись %s. Если это не тот человек, сразу скажите администратору школы. "
        "Подтвердить, что это он, могут администратор, классный руководитель и, для ребёнка, родитель.\n"
        "Somebody has come by a personal link into the account %s. If it is not that person, tell a school "
        "administrator at once. An administrator, the class teacher and, for a child, a guardian can confirm it.",
        id, id);
    json_t *content = json_pack("{s:s, s:s, s:{}, s:{s:o, s:s, s:s}}", "msgtype", "m.notice", "body", body.data,
                                "m.mentions", "org.parta.claim", "claim", json_sprintf("%lld", (long long)link->no),
                                "user_id", id, "issuer", link->issuer_name);
    text_finish(&body);
    return content;
}

bool claim_begin(struct changing_records *c, const struct link_row *link)
{
    user_no told[TOLD_MAX];
    struct school_policy policy;
    json_t *content = notice(c, link);
    int n = links_claim_told(c->tx->db, link, told, TOLD_MAX), heard = 0;
    for (int i = 0; i < n; ++i)
        heard += documents_tell(c->rooms, c->tx, told[i], content);
    json_decref(content);
    policies_in_force(c->tx->db, link->school, &policy);
    return links_claim(c->tx, link->no, heard > 0 ? c->tx->now_ms + policy.claim_wait_days * DAY_MS : CLAIM_EVER) ||
           error_set(c->e, ERROR_UNKNOWN, NULL);
}

/* --- Ending --- */

static struct subject of_claim(const struct link_row *link)
{
    return (struct subject){.school = link->school, .target = link->person};
}

bool claim_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link)
{
    struct error ignored;
    const struct subject subject = of_claim(link);
    return school_gate(db, school_mode, actor, ACT_CLAIM, &subject, NULL, NULL, &ignored);
}

static bool waiting(struct changing_records *c, link_no no, struct link_row *link)
{
    bool there = links_get(c->tx->db, no, link) && link->kind == LINK_PERSONAL && link->claim_until_ms > c->tx->now_ms;
    return (there && (claim_may_see(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, link) ||
                      c->actor->user == link->person)) ||
           error_set(c->e, ERROR_NOT_FOUND, "There is no such claim that waits.");
}

static bool end(struct changing_records *c, const struct link_row *link, const char *act)
{
    json_t *subject =
        json_pack("{s:I, s:s}", "link", (json_int_t)link->no, "user", office_act_user_id(c, link->person));
    bool done = links_claim_end(c->tx, link->no) || error_set(c->e, ERROR_UNKNOWN, NULL);
    if (!done)
        json_decref(subject);
    return done && office_act_note(c, act, link->school, subject, NULL, NULL);
}

bool claim_confirm(struct changing_records *c, link_no no)
{
    struct link_row link;
    if (!waiting(c, no, &link))
        return false;
    struct subject subject = of_claim(&link);
    subject.link = link.no;
    return office_act_gate(c, ACT_CLAIM, &subject) && end(c, &link, "claim.confirm");
}

bool claim_undo(struct changing_records *c, link_no no)
{
    struct link_row link;
    if (!waiting(c, no, &link) || !office_act_gate(c, ACT_SESSIONS, &(struct subject){.target = link.person}))
        return false;
    bool done = users_set_password(c->tx, link.person, NULL) && second_factors_forget(c->tx, link.person) &&
                identities_forget(c->tx, link.person) && devices_delete_all(c->tx, link.person, 0) &&
                contacts_forget(c->tx, link.person) && cross_signing_forget(c->tx, link.person) &&
                key_backups_forget(c->tx, link.person); /* whoever came has signed for nobody */
    return (done || error_set(c->e, ERROR_UNKNOWN, NULL)) && end(c, &link, "claim.undo");
}
