#include "policy/signup/links.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/days.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/office_act.h"

_Static_assert(LINK_TOKEN_CHARS <= REGISTRATION_TOKEN_MAX, "a link is a registration token to Matrix clients");

/* What each kind is like. */
static const struct {
    unsigned roles; /* enum school_role: those it may give */
    int64_t uses, uses_max, lifetime_ms, lifetime_max_ms;
} KINDS[LINK_KIND__COUNT] = {
    [LINK_CLASS] = {ROLE_PUPIL | ROLE_GUARDIAN | ROLE_TEACHER, 50, LINK_USES_MAX, 14 * DAY_MS, LINK_LIFETIME_MAX_MS},
    [LINK_SCHOOL] = {ROLE_TEACHER | ROLE_STAFF, 50, LINK_USES_MAX, 14 * DAY_MS, LINK_LIFETIME_MAX_MS},
    [LINK_GUARDIAN] = {ROLE_GUARDIAN, 1, 1, 2 * DAY_MS, GUARDIAN_LINK_LIFETIME_MAX_MS},
    [LINK_PERSONAL] = {0, 1, 1, 14 * DAY_MS, LINK_LIFETIME_MAX_MS},
};

/* --- Making --- */

/* Checks numbers and roles against the kind, and fills in defaults. */
static bool shape(const struct link_wish *wish, int64_t now_ms, struct link_row *row, struct error *e)
{
    bool gives_role = wish->kind == LINK_CLASS || wish->kind == LINK_SCHOOL;
    *row = (struct link_row){.kind = wish->kind,
                             .role = wish->kind == LINK_GUARDIAN ? ROLE_GUARDIAN
                                     : gives_role                ? wish->role
                                                                 : 0,
                             .uses_allowed = wish->uses != 0 ? wish->uses : KINDS[wish->kind].uses};
    int64_t lifetime_ms = wish->lifetime_ms != 0 ? wish->lifetime_ms : KINDS[wish->kind].lifetime_ms;
    if (gives_role && ((unsigned)wish->role & KINDS[wish->kind].roles) == 0)
        return error_set_parameter(
            e, ERROR_INVALID_PARAM, "role",
            "A class link is for a pupil, guardian or teacher, a school link for a teacher or staff.");
    if (row->uses_allowed < 1 || row->uses_allowed > KINDS[wish->kind].uses_max)
        return error_set_parameter(e, ERROR_INVALID_PARAM, "uses", "A link cannot be used that many times.");
    if (lifetime_ms < LINK_LIFETIME_MIN_MS || lifetime_ms > KINDS[wish->kind].lifetime_max_ms)
        return error_set_parameter(e, ERROR_INVALID_PARAM, "lifetime_ms",
                                   "A link cannot last that short or that long.");
    row->expires_ms = now_ms + lifetime_ms;
    return true;
}

/* School and class that the link is of. */
static bool place(struct changing_records *c, const struct link_wish *wish, struct link_row *row)
{
    struct place place;
    bool of_class = wish->kind == LINK_CLASS;
    bool found =
        place_get(c->tx->db, wish->school, of_class ? wish->class : 0, &place) && of_class == (place.class.no != 0);
    row->school = place.school.no;
    row->class = place.class.no;
    place_finish(&place);
    return found || error_set(c->e, ERROR_NOT_FOUND, "There is no such school or class.");
}

/* Whom a link for teachers and staff lets in is not for a class teacher to say, even of their own class: such a link is
 * of the school. */
static struct subject of_link(const struct link_row *row)
{
    bool family = row->kind == LINK_CLASS && ((unsigned)row->role & ROLES_FAMILY) != 0;
    return (struct subject){.school = row->school,
                            .class = family ? row->class : 0,
                            .target = row->kind == LINK_PERSONAL ? row->person : 0,
                            .with = row->issuer,
                            .role = (unsigned)row->role};
}

static enum act act_of(const struct link_row *row)
{
    return row->kind == LINK_GUARDIAN ? ACT_GUARDIAN_LINK : ACT_LINK;
}

static bool link_gate(struct changing_records *c, const struct link_row *row)
{
    struct subject subject = of_link(row);
    if (row->kind == LINK_GUARDIAN)
        subject.target = row->person;
    return office_act_gate(c, act_of(row), &subject);
}

static school_no first_school(struct db *db, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row = {0};
    struct stmt *q = roles_now(db, user, day);
    roles_next(q, &row);
    stmt_end(q);
    return row.school;
}

/* C2: the records name the person. */
static bool personal(struct changing_records *c, struct link_row *row, user_no person)
{
    struct user_row user;
    bool found = users_get(c->tx->db, person, &user) && !user.service && user.state != ACCOUNT_LEFT;
    user_row_finish(&user);
    row->person = person;
    row->school = found ? first_school(c->tx->db, person) : 0;
    return row->school != 0 || error_set(c->e, ERROR_NOT_FOUND, "No school's records have such a person.");
}

/* D1, D5: a child's own link; the newest GUARDIAN_LINKS_OPEN_MAX stay good. */
static bool guardian(struct changing_records *c, const struct link_row *row)
{
    struct link_row open[GUARDIAN_LINKS_OPEN_MAX + 1];
    int n = 0;
    if (guardianships_guardians(c->tx->db, row->person, NULL, 0) >= GUARDIANS_MAX)
        return rule_refuse(c->e, RULE_D5_TWO_GUARDIANS_OF_YOURS);
    struct stmt *q = links_query(c->tx->db, &(struct links_query){.limit = GUARDIAN_LINKS_OPEN_MAX + 1,
                                                                  .person = row->person,
                                                                  .kind = LINK_GUARDIAN,
                                                                  .open_ms = c->tx->now_ms});
    while (n <= GUARDIAN_LINKS_OPEN_MAX && links_next(q, &open[n]))
        ++n;
    stmt_end(q);
    for (int i = 0; i <= n - GUARDIAN_LINKS_OPEN_MAX; ++i)
        if (!links_revoke(c->tx, open[i].no))
            return error_set(c->e, ERROR_UNKNOWN, NULL);
    return true;
}

static bool whose(struct changing_records *c, const struct link_wish *wish, struct link_row *row)
{
    switch (wish->kind) {
    case LINK_PERSONAL: return personal(c, row, wish->person);
    case LINK_GUARDIAN: row->person = c->actor->user; return true;
    default: return place(c, wish, row);
    }
}

bool link_hands_out(struct db *db, const struct actor *issuer, user_no person, struct error *e)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row;
    unsigned roles = 0;
    bool may = true;
    struct stmt *q = roles_now(db, person, day);
    while (may && roles_next(q, &row)) {
        roles |= (unsigned)row.role;
        may = issuer->user == 0 || ((unsigned)row.role & ROLES_FAMILY) != 0 ||
              (school_roles(db, row.school, issuer->user) & ROLE_ADMINISTRATOR) != 0;
    }
    stmt_end(q);
    if (!may)
        return rule_refuse(e, RULE_C2_LINK_OF_STAFF);
    /* Who holds an account may have its data, and a child's, exported and erased. */
    unsigned needed = operator_scopes_of_roles(roles) | SCOPE_ACCOUNTS;
    return issuer->user != 0 || (needed & ~issuer->scopes) == 0 || rule_refuse(e, RULE_J4_BEYOND_TOKEN);
}

/* false: there is no such operator any more. */
static bool issuer_now(struct db *db, const struct link_row *link, struct actor *out)
{
    *out = (struct actor){.user = link->issuer, .name = link->issuer_name};
    if (link->issuer == 0 && strcmp(link->issuer_name, ACTOR_COMMAND_LINE.name) == 0)
        *out = ACTOR_COMMAND_LINE;
    else if (link->issuer == 0)
        out->scopes = operator_scopes_now(db, link->issuer_name);
    return link->issuer != 0 || out->scopes != 0;
}

bool link_issuer_stands(struct db *db, bool school_mode, const struct link_row *link, struct error *e)
{
    struct actor issuer;
    if (!issuer_now(db, link, &issuer))
        return rule_refuse(e, RULE_C2_LINK_ISSUER);
    if (!link_hands_out(db, &issuer, link->person, e))
        return false;
    return link_may_see(db, school_mode, &issuer, link) || rule_refuse(e, RULE_C2_LINK_ISSUER);
}

/* What must still be so once the gate has let the actor through. */
static bool ready(struct changing_records *c, const struct link_row *row)
{
    struct user_row user;
    if (row->kind == LINK_GUARDIAN)
        return guardian(c, row);
    if (row->kind != LINK_PERSONAL)
        return true;
    if (!link_hands_out(c->tx->db, c->actor, row->person, c->e))
        return false;
    bool taken = users_get(c->tx->db, row->person, &user) && identities_or_password(c->tx->db, &user);
    user_row_finish(&user);
    return !taken || error_set(c->e, ERROR_CONFLICT, "This person has an account already, with a way to sign in.");
}

/* J4: not to the maker, nor to anybody else whom the maker knows of. Of people elsewhere the maker learns nothing by
 * trying addresses (A1). */
static bool goes_to_the_person(struct changing_records *c, const struct link_wish *wish, struct link_row *row)
{
    struct db *db = c->tx->db;
    if (wish->send_to == NULL)
        return true;
    if (row->kind != LINK_PERSONAL)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "send_to", "Only a personal link is sent to somebody.");
    user_no owner = contacts_owner(db, wish->send_to), maker = c->actor->user;
    if (owner != 0 && owner != row->person && (maker == 0 || owner == maker || school_shared(db, maker, owner)))
        return rule_refuse(c->e, RULE_C3_CONTACT_IN_USE);
    snprintf(row->sent_by, sizeof row->sent_by, "%s", contact_medium_name(wish->send_to->medium));
    return contacts_count_message(c->tx, wish->config, wish->send_to, row->school, c->e);
}

static json_t *named(const struct changing_records *c, const struct link_row *row)
{
    json_t *subject = json_pack("{s:I, s:s}", "link", (json_int_t)row->no, "kind", link_kind_name(row->kind));
    if (row->class != 0)
        json_object_set_new(subject, "class", office_act_class_id(c, row->class));
    if (row->role != 0)
        json_object_set_new(subject, "role", json_string(school_role_name(row->role)));
    if (row->person != 0)
        json_object_set_new(subject, "user", json_string(office_act_user_id(c, row->person)));
    return subject;
}

void link_address(const struct config *config, const char *token, struct text *out)
{
    if (config->public_baseurl != NULL)
        text_adds(out, config->public_baseurl);
    else
        text_addf(out, "https://%s", config->server_name);
    text_adds(out, LINK_PATH);
    text_adds(out, token);
}

bool link_make(struct changing_records *c, const struct link_wish *wish, struct link_made *out)
{
    struct link_row row;
    if (!shape(wish, c->tx->now_ms, &row, c->e) || !whose(c, wish, &row) || !link_gate(c, &row) || !ready(c, &row) ||
        !goes_to_the_person(c, wish, &row))
        return false;
    row.issuer = c->actor->user;
    snprintf(row.issuer_name, sizeof row.issuer_name, "%s", c->actor->name);
    random_name(out->token, LINK_TOKEN_CHARS);
    bool sent = wish->send_to != NULL;
    out->no = row.no = links_insert(c->tx, &row, out->token, sent ? wish->send_to->address : NULL);
    if (sent)
        sodium_memzero(out->token, sizeof out->token);
    bool personal = row.kind == LINK_PERSONAL;
    if (!bound_kept(c->tx->db, personal ? BOUND_PERSONAL_LINKS : BOUND_LINKS, personal ? row.person : row.issuer,
                    c->tx->now_ms, c->e))
        return false;
    out->expires_ms = row.expires_ms;
    if (out->no == 0)
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    return office_act_note(c, "link.create", row.school, named(c, &row), NULL, NULL);
}

/* --- Revoking, listing --- */

/* A1: of another school's links, and of a child's own, one hears what one hears of those that do not exist. */
static bool known(const struct changing_records *c, const struct link_row *row)
{
    return row->kind == LINK_GUARDIAN ? c->actor->user == 0 || c->actor->user == row->person
                                      : office_act_knows(c, row->school);
}

bool link_revoke(struct changing_records *c, link_no no)
{
    struct link_row row;
    if (!links_get(c->tx->db, no, &row) || !known(c, &row))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such link.");
    if (!link_gate(c, &row))
        return false;
    if (row.revoked_ms != 0)
        return true;
    if (!links_revoke(c->tx, no))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    return office_act_note(c, "link.revoke", row.school, named(c, &row), NULL, NULL);
}

bool link_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link)
{
    struct school_asker asker = {.known = false};
    return link_may_make(db, school_mode, actor, link, &asker);
}

bool link_may_make(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link,
                   struct school_asker *asker)
{
    struct error ignored;
    struct subject subject = of_link(link);
    if (link->kind == LINK_GUARDIAN)
        subject.target = link->person;
    return school_gate_again(db, school_mode, actor, act_of(link), &subject, asker, &ignored);
}

/* --- Using --- */

bool link_find(struct db *db, const char *token, int64_t now_ms, struct link_row *out, struct error *e)
{
    struct place place = {0};
    if (!links_find(db, token, out)) {
        error_set(e, ERROR_NOT_FOUND, "Такой ссылки нет. Проверьте, что она скопирована целиком.");
        e->translation = "There is no such link. Check that it was copied whole.";
        return false;
    }
    if (out->revoked_ms != 0)
        return rule_refuse(e, RULE_C2_LINK_REVOKED);
    if (out->expires_ms <= now_ms)
        return rule_refuse(e, RULE_C2_LINK_EXPIRED);
    if (out->uses >= out->uses_allowed)
        return rule_refuse(e, RULE_C2_LINK_USED_UP);
    bool there = out->school == 0 || place_get(db, out->school, out->class, &place);
    place_finish(&place);
    return there || rule_refuse(e, RULE_C2_LINK_OF_NOTHING);
}

bool link_use(struct tx *tx, const char *token, struct link_row *out, struct error *e)
{
    if (!link_find(tx->db, token, tx->now_ms, out, e))
        return false;
    return links_use(tx, out->no) || error_set(e, ERROR_UNKNOWN, NULL);
}
