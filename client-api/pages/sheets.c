/* The class teacher's sheets: one for each pupil and guardian who has not come yet, with a personal link as a QR code
 * (school.md C2). A link that is printed anew ends the one before. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/join.h"
#include "client-api/pages/page.h"
#include "client-api/pages/qr.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/view_rows.h"
#include "homeserver/base/casefold.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/links.h"

#define PEOPLE_MAX 300 /* of a class, guardians included */
#define OPEN_LINKS_MAX 16
#define LINKS_READ_MAX 200
#define WAITING_MAX 200

struct member {
    user_no user;
    enum word role;
    char *name;
    bool come;          /* has_come */
    int guardians;      /* of a pupil: who have come */
    bool by_the_office; /* J4: somebody else hands out the link; of who has come nobody asks */
    struct link_made made;
};

struct roll {
    struct member people[PEOPLE_MAX];
    int n;
    struct school_asker asker; /* what who asks is, for all of them */
};

static void roll_finish(struct roll *roll)
{
    for (int i = 0; i < roll->n; ++i)
        free(roll->people[i].name);
    sodium_memzero(roll, sizeof *roll);
    free(roll);
}

/* Whether the actor could make a personal link for the user: an administrator, and not for everybody (J4). */
static bool may_link(struct request *r, struct roll *roll, const struct actor *actor, class_no class, user_no user)
{
    struct db *db = r->db;
    struct error ignored;
    const struct link_row link = {
        .kind = LINK_PERSONAL, .school = school_of_class(db, class), .person = user, .issuer = actor->user};
    return link_hands_out(db, actor, user, &ignored) &&
           link_may_make(db, rooms_settings(r->server->rooms)->school_mode, actor, &link, &roll->asker);
}

/* Has a password, signs in by a provider, or is signed in: with an app, or on these pages alone. */
static bool has_come(struct db *db, const struct user_row *row)
{
    return identities_or_password(db, row) || devices_count(db, row->no) != 0 ||
           page_sessions_count(db, row->no, clock_wall_ms()) != 0;
}

/* Whether they have come. */
static bool add_member(struct roll *roll, struct request *r, const struct actor *actor, class_no class, user_no user,
                       enum word role)
{
    struct user_row row;
    for (int i = 0; i < roll->n; ++i)
        if (roll->people[i].user == user) /* of two children */
            return roll->people[i].come;
    if (roll->n == PEOPLE_MAX || api_kept_from(r, r->db, user) /* D9 */ || !users_get(r->db, user, &row))
        return false;
    struct member *m = &roll->people[roll->n++];
    *m = (struct member){.user = user,
                         .role = role,
                         .name = profiles_get_string(r->db, user, "displayname"),
                         .come = has_come(r->db, &row)};
    m->by_the_office = !m->come && !may_link(r, roll, actor, class, user);
    user_row_finish(&row);
    return m->come;
}

struct pupil {
    user_no user;
    char *name; /* by which they are sorted, as in a class's journal */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pupil *)a)->name, ((const struct pupil *)b)->name);
}

static int pupils_of(struct db *db, class_no class, struct pupil pupils[PEOPLE_MAX])
{
    struct enrollment_row row;
    struct person_row person;
    int n = 0;
    school_day today = day_of_ms(clock_wall_ms());
    struct stmt *q = enrollments_of_class(db, class);
    while (n < PEOPLE_MAX && enrollments_next(q, &row))
        if (row.role == ROLE_PUPIL && row.begin <= today && today <= row.end)
            pupils[n++] = (struct pupil){.user = row.user};
    stmt_end(q);
    for (int i = 0; i < n; ++i) {
        struct text name = TEXT_INIT;
        people_get(db, pupils[i].user, &person);
        text_addf(&name, "%s %s %s", person.family, person.given, person.middle);
        pupils[i].name = casefold(name.data);
        text_finish(&name);
        person_row_finish(&person);
    }
    qsort(pupils, (size_t)n, sizeof *pupils, by_name);
    return n;
}

/* Pupils by name, each with their guardians behind. In one snapshot, which some two dozen look-ups for each would each
 * begin anew. */
static struct roll *roll_of(struct request *r, const struct actor *actor, class_no class)
{
    struct roll *roll = xcalloc(1, sizeof *roll);
    struct pupil pupils[PEOPLE_MAX];
    user_no guardians[GUARDIANS_MAX];
    db_begin_read(r->db);
    int n = pupils_of(r->db, class, pupils);
    for (int i = 0; i < n; ++i) {
        int at = roll->n, come = 0;
        user_no pupil = pupils[i].user;
        free(pupils[i].name);
        add_member(roll, r, actor, class, pupil, WORD_ROLE_PUPIL);
        if (roll->n == at) /* is not there for who asks (D9): nor is their family */
            continue;
        int found = guardianships_guardians(r->db, pupil, guardians, GUARDIANS_MAX);
        for (int j = 0; j < found && j < GUARDIANS_MAX; ++j)
            if (!custodies_part(r->db, pupil, actor->user, guardians[j])) /* D9: who lives apart from who asks */
                come += add_member(roll, r, actor, class, guardians[j], WORD_ROLE_GUARDIAN);
        roll->people[at].guardians = come;
    }
    db_end_read(r->db);
    return roll;
}

/* The class of the path or form, if the caller may read its records. 0: r->error. */
static class_no class_shown(struct request *r, const char *sourced_id, struct actor *actor)
{
    if (!caller_is_person(r, false) || !api_caller(r, actor))
        return 0;
    class_no class = api_class(r, r->db, sourced_id, &r->error);
    if (class == 0 || !api_may(r, actor, ACT_RECORDS_READ, &(struct subject){school_of_class(r->db, class), class}))
        return 0;
    return class;
}

/* The roll as the page's rows, which the caller frees; its sums go to *view. */
static struct class_people *list_people(const struct roll *roll, struct class_view *view)
{
    struct class_people *rows = xcalloc((size_t)roll->n + 1, sizeof *rows);
    for (int i = 0; i < roll->n; ++i) {
        const struct member *m = &roll->people[i];
        rows[i] = (struct class_people){.name = m->name,
                                        .role = m->role,
                                        .pupil = m->role == WORD_ROLE_PUPIL,
                                        .guardians = m->guardians,
                                        .state = m->come            ? WORD_CLASS_COME
                                                 : m->by_the_office ? WORD_CLASS_OFFICE
                                                                    : WORD_CLASS_MISSING};
        view->missing += !m->come && !m->by_the_office;
        view->come += m->come;
    }
    view->people = rows;
    view->people_n = (size_t)roll->n;
    view->all = roll->n;
    return rows;
}

static enum word word_of(const char *group, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "%s.%.24s", group, name != NULL ? name : "");
    return word_named(key);
}

/* The names that they gave, else those of their account. */
static const char *applicant_name(struct request *r, struct view_rows *rows, const struct application_row *row)
{
    const struct applicant *said = &row->person;
    struct text name = TEXT_INIT;
    if (row->kind != APPLICATION_CORRECTION)
        text_addf(&name, "%s %s %s", said->family, said->given, said->middle);
    json_t *account = signup_json_name(r->db, row->user);
    bool none = name.len == 0 || text_is_blank(name.data);
    const char *out = view_rows_text(rows, none ? json_string_value(account) : name.data);
    json_decref(account);
    text_finish(&name);
    return out;
}

static void add_waiting(struct request *r, struct view_rows *rows, const struct application_row *row, bool settled)
{
    struct class_waiting *one = view_rows_add(rows, sizeof *one);
    json_t *child = row->child != 0 ? signup_json_name(r->db, row->child) : NULL;
    one->name = applicant_name(r, rows, row);
    one->kind = word_of("application", application_kind_name(row->kind));
    one->role = word_of("role", row->role != 0 ? school_role_name(row->role) : NULL);
    one->child = view_rows_text(rows, json_string_value(child));
    one->settled = settled;
    json_decref(child);
}

/* C1: whose applications of this class wait, as far as the reader could decide them. */
static void find_waiting(struct request *r, const struct actor *actor, class_no class, struct view_rows *rows)
{
    struct application_row row;
    bool school_mode = rooms_settings(r->server->rooms)->school_mode;
    struct stmt *q = applications_query(r->db, &(struct applications_query){.kind = APPLICATION_KIND__COUNT,
                                                                            .state = APPLICATION_WAITING,
                                                                            .school = school_of_class(r->db, class),
                                                                            .class = class,
                                                                            .limit = WAITING_MAX});
    while (applications_next(q, &row)) {
        if (api_kept_from(r, r->db, row.user) || api_kept_from(r, r->db, row.child) ||
            !application_may_see(r->db, school_mode, actor, &row))
            continue;
        json_t *told = signup_json_for_decider(r, actor, &row);
        add_waiting(r, rows, &row, json_is_true(json_object_get(told, "settled")));
        json_decref(told);
    }
    stmt_end(q);
}

static bool get_class(struct request *r)
{
    struct actor actor;
    class_no class = class_shown(r, r->params[0], &actor);
    if (class == 0)
        return false;
    struct roll *roll = roll_of(r, &actor, class);
    json_t *place = json_object();
    signup_json_place(place, r->db, school_of_class(r->db, class), class);
    struct class_view view = {.id = r->params[0],
                              .class_title = json_get_string(place, "class_title"),
                              .school = json_get_string(place, "school_name")};
    struct class_people *rows = list_people(roll, &view);
    struct view_rows waiting = {0};
    find_waiting(r, &actor, class, &waiting);
    view.waiting = waiting.all;
    view.waiting_n = waiting.n;
    bool done = html_class(r, &view);
    view_rows_finish(&waiting);
    json_decref(place);
    free(rows);
    roll_finish(roll);
    return done;
}

/* The person's, or those of the class for such people that the actor made. A few: who makes more
 * ends them elsewhere. */
static bool end_open_links(struct changing_records *c, const struct link_wish *wish)
{
    link_no open[OPEN_LINKS_MAX];
    int n = 0;
    struct link_row row;
    struct stmt *q = links_query(c->tx->db, &(struct links_query){.limit = LINKS_READ_MAX,
                                                                  .person = wish->person,
                                                                  .class = wish->class,
                                                                  .kind = wish->kind,
                                                                  .open_ms = c->tx->now_ms});
    while (n < OPEN_LINKS_MAX && links_next(q, &row))
        if (wish->kind == LINK_PERSONAL || (row.issuer == c->actor->user && row.role == wish->role))
            open[n++] = row.no;
    stmt_end(q);
    bool ended = true;
    for (int i = 0; i < n && ended; ++i)
        ended = link_revoke(c, open[i]);
    return ended;
}

/* All or none: half a class's sheets would be in nobody's hands. */
static bool act_print(struct api_act *act, void *state)
{
    struct roll *roll = state;
    bool made = true;
    for (int i = 0; i < roll->n && made; ++i) {
        struct member *m = &roll->people[i];
        const struct link_wish wish = {.kind = LINK_PERSONAL, .person = m->user};
        if (!m->come && !m->by_the_office)
            made = end_open_links(&act->records, &wish) && link_make(&act->records, &wish, &m->made);
    }
    return made;
}

struct sheet {
    struct text address, qr;
};

/* Tokens are told once: the sheets are the answer to the form. */
static bool show_sheets(struct request *r, class_no class, const struct roll *roll)
{
    struct sheet *sheets = xcalloc((size_t)roll->n + 1, sizeof *sheets);
    struct sheets_sheets *rows = xcalloc((size_t)roll->n + 1, sizeof *rows);
    size_t n = 0;
    for (int i = 0; i < roll->n; ++i) {
        const struct member *m = &roll->people[i];
        if (m->made.token[0] == '\0')
            continue;
        join_address(r, m->made.token, &sheets[n].address);
        qr_svg(&sheets[n].qr, sheets[n].address.data);
        rows[n] = (struct sheets_sheets){.name = m->name,
                                         .role = m->role,
                                         .address = sheets[n].address.data,
                                         .qr = &sheets[n].qr,
                                         .expires = m->made.expires_ms};
        ++n;
    }
    json_t *place = json_object();
    signup_json_place(place, r->db, school_of_class(r->db, class), class);
    bool done = html_sheets(r, &(struct sheets_view){.class_title = json_get_string(place, "class_title"),
                                                     .school = json_get_string(place, "school_name"),
                                                     .server = r->server->config->server_name,
                                                     .sheets = rows,
                                                     .sheets_n = n});
    json_decref(place);
    for (size_t i = 0; i < n; ++i) {
        text_finish(&sheets[i].address);
        text_finish(&sheets[i].qr);
    }
    free(sheets);
    free(rows);
    return done;
}

static bool post_sheets(struct request *r)
{
    struct actor actor;
    const char *id;
    class_no class = body_string(r, "class", &id) ? class_shown(r, id, &actor) : 0;
    if (class == 0)
        return false;
    struct roll *roll = roll_of(r, &actor, class);
    bool done = api_write(r, act_print, roll) && reply_status(r, 200) && show_sheets(r, class, roll);
    roll_finish(roll);
    return done;
}

struct class_link {
    struct link_wish wish;
    struct link_made made;
};

static bool act_class_link(struct api_act *act, void *state)
{
    struct class_link *link = state;
    return end_open_links(&act->records, &link->wish) && link_make(&act->records, &link->wish, &link->made);
}

/* C2: who comes by it applies, and somebody decides. */
static bool post_class_link(struct request *r)
{
    struct actor actor;
    const char *id, *role;
    class_no class = body_string(r, "class", &id) ? class_shown(r, id, &actor) : 0;
    if (class == 0 || !body_string(r, "role", &role))
        return false;
    struct class_link link = {.wish = {.kind = LINK_CLASS, .class = class, .role = school_role_from(role)}};
    if (!api_write(r, act_class_link, &link))
        return false;
    reply_status(r, 200);
    struct roll *roll = xcalloc(1, sizeof *roll);
    roll->n = 1;
    roll->people[0] = (struct member){.role = link.wish.role == ROLE_GUARDIAN ? WORD_ROLE_GUARDIAN : WORD_ROLE_PUPIL,
                                      .made = link.made};
    bool done = show_sheets(r, class, roll);
    roll_finish(roll);
    sodium_memzero(&link, sizeof link);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/class/{class}", get_class, ROUTE_PERSONS_PAGE, RATE_READ, NULL},
    {HTTP_POST, "/parta/class-sheets", post_sheets, ROUTE_PERSONS_PAGE | ROUTE_POSTS, RATE_WRITE, NULL, NULL,
     page_body_max},
    {HTTP_POST, "/parta/class-link", post_class_link, ROUTE_PERSONS_PAGE | ROUTE_POSTS, RATE_WRITE, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_SHEETS_ROUTES = ROUTES(TABLE);
