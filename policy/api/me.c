/* Who I am here: roles, what I have applied for and who must confirm it (A3), my guardians and children (D3, D8). */
#include <string.h>

#include "client-api/login_common.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/links.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/second_factor_duty.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/signup.h"

#define APPLICATIONS_MAX 20
#define ROLES_MAX 32

static json_t *roles(struct request *r, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row, last = {0};
    json_t *items = json_array();
    struct stmt *q = roles_now(r->db, user, day);
    for (; json_array_size(items) < ROLES_MAX && roles_next(q, &row); last = row) {
        if (row.school == last.school && row.role == last.role) /* another source says the same */
            continue;
        json_t *item = json_pack("{s:s}", "role", school_role_name(row.role));
        signup_json_place(item, r->db, row.school, 0);
        json_array_append_new(items, item);
    }
    stmt_end(q);
    return items;
}

static json_t *applications(struct request *r, user_no user)
{
    struct application_row row;
    json_t *items = json_array();
    struct stmt *q = applications_query(r->db, &(struct applications_query){.limit = APPLICATIONS_MAX,
                                                                            .user = user,
                                                                            .state = APPLICATION_STATE__COUNT,
                                                                            .kind = APPLICATION_KIND__COUNT});
    while (applications_next(q, &row))
        if (application_is_own(r->db, &row, user))
            json_array_append_new(items, signup_json_application(r, r->db, &row, true));
    stmt_end(q);
    return items;
}

static json_t *family(struct request *r, user_no user, int (*who)(struct db *, user_no, user_no *, int))
{
    user_no others[CHILDREN_MAX];
    json_t *items = json_array();
    int n = who(r->db, user, others, CHILDREN_MAX);
    for (int i = 0; i < n && i < CHILDREN_MAX; ++i)
        json_array_append_new(items, json_pack("{s:o, s:o}", "user_id", signup_json_user(r, r->db, others[i]), "name",
                                               signup_json_name(r->db, others[i])));
    return items;
}

enum waiting { WAITS_FOR_NOTHING, WAITS_FOR_ONESELF, WAITS_FOR_SCHOOL };

static enum waiting waits_for(struct db *db, user_no user)
{
    struct application_row row;
    struct applications_query query = {
        .limit = 1, .user = user, .state = APPLICATION_WAITING, .kind = APPLICATION_KIND__COUNT};
    struct stmt *q = applications_query(db, &query);
    bool school = applications_next(q, &row);
    stmt_end(q);
    if (school)
        return WAITS_FOR_SCHOOL;
    return applications_any_open(db, user) ? WAITS_FOR_ONESELF : WAITS_FOR_NOTHING;
}

/* What the person must know without having asked. */
static const struct {
    enum account_state state;
    enum waiting waits; /* of a pending account */
    const char *rule, *ru, *en;
} NOTICES[] = {
    {ACCOUNT_PENDING, WAITS_FOR_ONESELF, "D2",
     "Откройте ссылку ребёнка ещё раз, проверьте его данные и подтвердите, что вы его родитель.",
     "Open the child's link once more, look at the child's data, and confirm that you are the parent."},
    {ACCOUNT_PENDING, WAITS_FOR_SCHOOL, "A3",
     "Ваша заявка ждёт подтверждения школы. До него можно только войти и видеть эту страницу.",
     "Your application waits for the school. Until it is confirmed you can only sign in and see this page."},
    {ACCOUNT_PENDING, WAITS_FOR_NOTHING, "C1",
     "Откройте ссылку, которую дала школа: без неё вашу учётную запись некому подтвердить.",
     "Open the link that the school gave you: without it nobody can confirm your account."},
    {ACCOUNT_RESTRICTED, WAITS_FOR_NOTHING, "D7",
     "Пока родитель не подтвердит вашу учётную запись, она ограничена. Сделайте в профиле ссылку для родителя и "
     "отправьте её.",
     "Until a parent confirms your account, it is restricted. Make a link for a parent in your profile and send it."},
};

static json_t *notices_for(enum account_state state, bool has_guardians, bool claim, enum waiting waits)
{
    json_t *notices = json_array();
    for (size_t i = 0; i < sizeof NOTICES / sizeof *NOTICES; ++i)
        if (NOTICES[i].state == state && (state != ACCOUNT_PENDING || NOTICES[i].waits == waits))
            json_array_append_new(notices, json_pack("{s:s, s:s, s:s}", "rule", NOTICES[i].rule, "ru", NOTICES[i].ru,
                                                     "en", NOTICES[i].en));
    if (claim)
        json_array_append_new(notices, json_pack("{s:s, s:s, s:s}", "rule", "J4", "ru",
                                                 refusal_of(RULE_J4_UNCONFIRMED)->sentence_ru, "en",
                                                 refusal_of(RULE_J4_UNCONFIRMED)->sentence_en));
    if (has_guardians)
        json_array_append_new(
            notices, json_pack("{s:s, s:s, s:s}", "rule", "D8", "ru",
                               "Ваши родители видят, в каких вы чатах и с кем. Что там написано, они не видят.", "en",
                               "Your guardians see which rooms you are in and with whom. They do not see what is "
                               "written there."));
    return notices;
}

/* G5: those who lead a school hear when much of it would go: confirming or forgetting it is the operator's. */
static bool leads_held(struct request *r, user_no user)
{
    struct held_import_row row;
    bool leads = false;
    struct stmt *q = held_imports_all(r->db);
    while (held_imports_next(q, &row)) {
        struct error ignored;
        json_t *schools = json_parse(row.schools, strlen(row.schools), &ignored), *school;
        size_t i;
        json_array_foreach(schools, i, school) {
            school_no no = schools_by_sourced_id(r->db, json_get_string(school, "school"));
            leads = leads || (no != 0 && (school_roles(r->db, no, user) & ROLES_LEADING) != 0);
        }
        json_decref(schools);
    }
    stmt_end(q);
    return leads;
}

/* H1: what a school asks of its staff, and by when. */
static void add_factor_notice(struct db *db, user_no user, json_t *notices)
{
    struct second_factor_duty duty;
    second_factor_duty(db, user, &duty);
    unsigned from = (unsigned)duty.from;
    const struct refusal *row = refusal_of(RULE_H1_SECOND_FACTOR);
    if (duty.set || duty.from == DAY_NEVER)
        return;
    if (duty.missing) {
        json_array_append_new(
            notices, json_pack("{s:s, s:s, s:s}", "rule", row->rule, "ru", row->sentence_ru, "en", row->sentence_en));
        return;
    }
    json_array_append_new(
        notices,
        json_pack("{s:s, s:o, s:o}", "rule", row->rule, "ru",
                  json_sprintf("С %02u.%02u.%04u школа требует от вас второй фактор, код из приложения: без "
                               "него школьные дела станут недоступны. Настройте его заранее.",
                               from % 100, from / 100 % 100, from / 10000),
                  "en",
                  json_sprintf("From %04u-%02u-%02u on the school wants a second factor of you, a code from an "
                               "app: without it you can do nothing for the school. Set it up before.",
                               from / 10000, from / 100 % 100, from % 100)));
}

json_t *signup_json_me(struct request *r)
{
    struct user_row row;
    struct link_row claim;
    user_no user = r->identity.user;
    if (!users_get(r->db, user, &row)) {
        refuse(r, ERROR_NOT_FOUND, NULL);
        return NULL;
    }
    json_t *guardians = family(r, user, guardianships_guardians);
    json_t *notices = notices_for(row.state, json_array_size(guardians) > 0,
                                  links_claim_of(r->db, user, clock_wall_ms(), &claim), waits_for(r->db, user));
    add_factor_notice(r->db, user, notices);
    if (leads_held(r, user))
        json_array_append_new(
            notices, json_pack("{s:s, s:s, s:s}", "rule", "G5", "ru",
                               "Загрузка реестра остановлена: она убрала бы или изменила многое в вашей школе. "
                               "Подтвердить или отменить её может оператор сервера.",
                               "en",
                               "An import of the roster is held: it would take away or change much of your school. The "
                               "server's operator can confirm or drop it."));
    json_t *me = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "user_id", r->identity.user_id, "standing",
                           account_state_name(row.state), "name", signup_json_name(r->db, user), "roles",
                           roles(r, user), "applications", applications(r, user), "guardians", guardians, "children",
                           family(r, user, guardianships_children), "notices", notices);
    user_row_finish(&row);
    return me;
}

static bool get_me(struct request *r)
{
    json_t *me = caller_is_person(r, true) ? signup_json_me(r) : NULL;
    return me != NULL && reply_json(r, me);
}

/* C1: whoever is not confirmed yet goes away again, and the phone number is free (C3). */
static bool delete_me(struct request *r)
{
    const struct signing_up signing_up = request_signing_up(r);
    if (!caller_is_person(r, true))
        return false;
    if (r->identity.state != ACCOUNT_PENDING)
        return refuse(r, ERROR_CONFLICT, "Only an account that waits to be confirmed goes away so.");
    return api_proven(r) && request_strict(r) && signup_abandon(&signing_up, r->identity.user, &r->error) &&
           reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_DELETE, "/_parta/v1/me", delete_me, ROUTE_PERSON | ROUTE_LOCKED_TOO | ROUTE_PROOF, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/me", get_me, ROUTE_PERSON | ROUTE_LOCKED_TOO, RATE_READ, NULL},
};
const struct routes API_ME_ROUTES = ROUTES(TABLE);
