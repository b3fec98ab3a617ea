/* A child, as one of its guardians sees it: the record, the rooms (school.md D8), what can be written right and what
 * the office is asked for (D2, D10), ceasing to be its guardian (D7), and erasure (G4). From whom a child is kept (D9)
 * it is, here as everywhere, nobody's whom they know. */
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/corrections.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "policy/api/api.h"
#include "policy/api/guardians.h"
#include "policy/api/privacy.h"
#include "policy/api/signup_json.h"
#include "policy/privacy/erasure.h"
#include "policy/signup/applications.h"
#include "policy/signup/guardians.h"

/* 0: r->error, which says the same of every child that is not the caller's. */
static user_no child_shown(struct request *r, const char *user_id, struct actor *actor)
{
    if (!caller_is_person(r, false) || !api_caller(r, actor))
        return 0;
    user_no child = own_child(r, r->db, actor->user, user_id, &r->error);
    if (child == 0)
        page_refuse(r, ERROR_NOT_FOUND, WORD_CHILD_NOT_YOURS);
    return child != 0 && api_may(r, actor, ACT_CHILD, &(struct subject){.target = child}) ? child : 0;
}

/* "Иванова Анна, Петров Пётр": heap. */
static char *names_of(const json_t *with)
{
    struct text names = TEXT_INIT;
    text_adds(&names, "");
    for (size_t i = 0; i < json_array_size(with); ++i) {
        const char *name = json_string_value(json_array_get(with, i));
        if (name == NULL || *name == '\0')
            continue;
        text_adds(&names, names.len != 0 ? ", " : "");
        text_adds(&names, name);
    }
    return text_take(&names);
}

static bool show_child(struct request *r, const struct actor *actor, user_no child)
{
    json_t *record = own_child_json(r, child), *rooms = own_child_rooms(r, actor->user, child);
    const char *birth = json_get_string(record, "birth_date");
    size_t n = json_array_size(rooms);
    struct child_rooms *rows = xcalloc(n + 1, sizeof *rows);
    for (size_t i = 0; i < n; ++i) {
        const json_t *room = json_array_get(rooms, i);
        const char *name = json_get_string(room, "name");
        rows[i] = (struct child_rooms){.name = name != NULL && *name != '\0' ? name : NULL,
                                       .people = json_integer_value(json_object_get(room, "members")),
                                       .with = names_of(json_object_get(room, "with"))};
    }
    const char *standing = json_get_string(record, "standing");
    bool done = html_child(
        r, &(struct child_view){.id = json_get_string(record, "user_id"),
                                .seen = json_integer_value(json_object_get(record, "version")),
                                .given = json_get_string(record, "given_name"),
                                .family = json_get_string(record, "family_name"),
                                .middle = json_get_string(record, "middle_name"),
                                .birth = birth != NULL ? day_from(birth) : DAY_EVER,
                                .birth_text = birth,
                                .school = json_get_string(record, "school_name"),
                                .class_title = json_get_string(record, "class_title"),
                                .restricted =
                                    standing != NULL && strcmp(standing, account_state_name(ACCOUNT_RESTRICTED)) == 0,
                                .by_school = strcmp(json_get_string(record, "corrections"), "by_the_school") == 0,
                                .note = form_text(r, "note"),
                                .rooms = rows,
                                .rooms_n = n});
    for (size_t i = 0; i < n; ++i)
        free((char *)rows[i].with);
    free(rows);
    json_decref(rooms);
    json_decref(record);
    return done;
}

static bool get_child(struct request *r)
{
    struct actor actor;
    user_no child = child_shown(r, r->params[0], &actor);
    return child != 0 && show_child(r, &actor, child);
}

/* --- Corrections --- */

struct correcting {
    const char *user_id;
    struct applicant person;
    int64_t seen;
    enum correction_outcome outcome;
};

static bool act_correct(struct api_act *act, void *state)
{
    struct correcting *c = state;
    struct changing_records *records = &act->records;
    user_no child = own_child(act->r, records->tx->db, records->actor->user, c->user_id, records->e);
    return child != 0 && guardian_correct(records, child, &c->person, c->seen, &c->outcome);
}

static const char *const CORRECTED_PAGES[] = {[CORRECTION_NONE] = "/parta/account?done=not_corrected",
                                              [CORRECTION_MADE] = "/parta/account?done=corrected",
                                              [CORRECTION_WAITS] = "/parta/account?done=correction_asked",
                                              [CORRECTION_IN_PART] = "/parta/account?done=correction_in_part"};

static bool post_correct(struct request *r)
{
    struct actor actor;
    struct correcting c = {.seen = api_number(form_text(r, "seen"))};
    user_no child = body_string(r, "child", &c.user_id) ? child_shown(r, c.user_id, &actor) : 0;
    if (child == 0)
        return false;
    json_t *record = signup_json_child(r, child);
    bool done = page_read_corrections(r, record, &c.person) && api_write(r, act_correct, &c);
    json_decref(record);
    return done ? page_go(r, CORRECTED_PAGES[c.outcome]) : show_child(r, &actor, child);
}

/* --- What is decided for good, with the password --- */

/* A page that says what follows, and the form for it. */
struct decision {
    const char *action;               /* where the form posts to */
    enum word heading, says[4], send; /* says: what follows */
    enum word note; /* what the school may be asked for instead, by a correction that says so; WORD_NONE: nothing */
    const char *done;
};

/* Whether the guardian may do it (NULL: whoever is one), and doing it. Handlers name them, so that it shows what a
 * route comes by. */
typedef bool decision_may(struct request *r, const struct actor *actor, user_no child, struct error *e);
typedef bool decision_act(struct request *r, const char *child);

/* No guardian any more (D7). */
static bool act_withdraw(struct api_act *act, void *user_id)
{
    struct changing_records *c = &act->records;
    user_no child = own_child(act->r, c->tx->db, c->actor->user, user_id, c->e);
    return child != 0 && guardian_withdraw(c, child);
}

static bool withdraw(struct request *r, const char *child)
{
    return api_write(r, act_withdraw, (void *)child);
}

static const struct decision WITHDRAWING = {
    .action = "/parta/child-withdraw",
    .heading = WORD_CHILD_WITHDRAW,
    .says = {WORD_CHILD_WITHDRAW_SEES, WORD_CHILD_WITHDRAW_ROOMS, WORD_CHILD_WITHDRAW_RESTRICTED,
             WORD_CHILD_WITHDRAW_BACK},
    .send = WORD_CHILD_WITHDRAW_SEND,
    .done = "/parta/account?done=child_withdrawn",
};

/* Erasure (G4). Whom a roster keeps the next one brings back, as a new person, until the school
 * takes them out of it. */
static bool may_erase(struct request *r, const struct actor *actor, user_no child, struct error *e)
{
    return erasure_may(r->db, rooms_settings(r->server->rooms)->school_mode, actor, child, e);
}

static const struct decision ERASING = {
    .action = "/parta/child-erase",
    .heading = WORD_CHILD_ERASE,
    .says = {WORD_CHILD_ERASE_WHAT},
    .send = WORD_CHILD_ERASE_SEND,
    .note = WORD_CHILD_ERASE_NOTE,
    .done = "/parta/account?done=child_erased",
};

static bool show_decision(struct request *r, const struct decision *d, decision_may *may, const struct actor *actor,
                          user_no child)
{
    struct error ignored = {0};
    struct child_decision_says says[sizeof d->says / sizeof *d->says];
    size_t n = 0;
    bool allowed = may == NULL || may(r, actor, child, &ignored);
    while (n < sizeof says / sizeof *says && d->says[n] != WORD_NONE) {
        says[n].what = d->says[n];
        ++n;
    }
    json_t *record = own_child_json(r, child), *name = signup_json_name(r->db, child);
    bool kept = strcmp(json_get_string(record, "corrections"), "by_the_school") == 0;
    bool done = html_child_decision(
        r, &(struct child_decision_view){.heading = d->heading,
                                         .action = d->action,
                                         .says = says,
                                         .says_n = n,
                                         .send = d->send,
                                         .may = allowed,
                                         .note = kept || !allowed ? word_in(d->note, page_language(r)) : "",
                                         .id = json_get_string(record, "user_id"),
                                         .seen = json_integer_value(json_object_get(record, "version")),
                                         .name = json_string_value(name),
                                         .user_id = r->identity.user_id,
                                         .password = has_password(r),
                                         .factor = page_wants_factor(r)});
    json_decref(name);
    json_decref(record);
    return done;
}

static bool get_decision(struct request *r, const struct decision *d, decision_may *may)
{
    struct actor actor;
    user_no child = child_shown(r, r->params[0], &actor);
    return child != 0 && show_decision(r, d, may, &actor, child);
}

static bool post_decision(struct request *r, const struct decision *d, decision_may *may, decision_act *act)
{
    struct actor actor;
    const char *user_id;
    user_no child = body_string(r, "child", &user_id) ? child_shown(r, user_id, &actor) : 0;
    if (child == 0)
        return false;
    if ((may != NULL && !may(r, &actor, child, &r->error)) || !page_password_proven(r) || !act(r, user_id))
        return show_decision(r, d, may, &actor, child);
    return page_go(r, d->done);
}

static bool get_withdraw(struct request *r)
{
    return get_decision(r, &WITHDRAWING, NULL);
}

static bool post_withdraw(struct request *r)
{
    return post_decision(r, &WITHDRAWING, NULL, withdraw);
}

static bool get_erase(struct request *r)
{
    return get_decision(r, &ERASING, may_erase);
}

static bool post_erase(struct request *r)
{
    return post_decision(r, &ERASING, may_erase, begin_erasure);
}

#define HERE "/parta/child"
#define ROUTE_PROVEN (ROUTE_DOES | ROUTE_HASH)
static const struct route TABLE[] = {
    {HTTP_GET, HERE "/{userId}", get_child, ROUTE_PERSONS_PAGE, RATE_READ, NULL},
    {HTTP_GET, HERE "/{userId}/withdraw", get_withdraw, ROUTE_PERSONS_PAGE, RATE_READ, NULL},
    {HTTP_GET, HERE "/{userId}/erase", get_erase, ROUTE_PERSONS_PAGE, RATE_READ, NULL},
    {HTTP_POST, HERE "-correct", post_correct, ROUTE_DOES, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "-withdraw", post_withdraw, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "-erase", post_erase, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
};
const struct routes PAGE_CHILD_ROUTES = ROUTES(TABLE);
