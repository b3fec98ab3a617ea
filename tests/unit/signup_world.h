/* A small school for the tests of sign-up: two classes, an administrator, a class teacher,
 * pupils; and another school. */
#ifndef PARTA_TESTS_SIGNUP_WORLD_H
#define PARTA_TESTS_SIGNUP_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/days.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "policy/records/change.h"
#include "policy/signup/applications.h"
#include "policy/signup/guardians.h"
#include "policy/signup/links.h"
#include "policy/signup/signup.h"
#include "tests/unit/fixture.h"

struct world {
    struct fixture f;
    struct config *config;
    struct accounts *accounts;
    struct contacts *contacts; /* NULL: addresses are not verified */
    struct signing_up signing_up;
    school_no school, other_school;
    class_no first, fifth; /* a primary class and one that is not */
    user_no admin, class_teacher, teacher, other_admin;
    user_no young, small, old; /* of the fifth class: born 2014; of the first: born 2019; of the fifth: grown to 15 */
};

typedef bool world_act(struct changing_records *c, void *arg);

struct world_job {
    struct world *w;
    const struct actor *actor;
    world_act *act;
    void *arg;
};

static bool world_job(struct tx *tx, void *arg, struct error *e)
{
    struct world_job *job = arg;
    struct changing_records c = {.tx = tx, .rooms = job->w->f.rooms, .actor = job->actor, .e = e};
    return job->act(&c, job->arg);
}

/* One job by a person (0: the command line). Refusals in *e (may be NULL). */
static bool world_run(struct world *w, user_no who, world_act *act, void *arg, struct error *e)
{
    struct actor actor = ACTOR_COMMAND_LINE;
    struct error mine;
    if (e == NULL)
        e = &mine;
    if (who != 0)
        actor = (struct actor){.user = who, .name = user_names_get(w->f.names, w->f.db, who)};
    *e = (struct error){0};
    return writer_run(w->f.writer, world_job, &(struct world_job){w, &actor, act, arg}, e);
}

/* --- People of the school --- */

/* The day of birth that makes somebody as old today as that one made them in 2026: nobody here grows up
 * meanwhile. No 29 February. */
static school_day birth_from(const char *text)
{
    return day_from(text) + (day_of_ms(clock_wall_ms()) / 10000 - 2026) * 10000;
}

struct world_person {
    const char *given, *family;
    const char *birth; /* in 2026's years; NULL: not known */
    school_no school;
    enum school_role role; /* 0: by the enrollment */
    class_no class;
    enum school_role enrolled;
    user_no user; /* out */
};

static bool world_person_act(struct changing_records *c, void *arg)
{
    struct world_person *p = arg;
    const struct person_row row = {.given = p->given,
                                   .family = p->family,
                                   .middle = "",
                                   .birth = p->birth != NULL ? birth_from(p->birth) : DAY_EVER,
                                   .enabled = true};
    p->user = change_person(c, &row, p->school, 0);
    if (p->user != 0 && p->role != 0 &&
        !change_role(c,
                     &(struct role_row){
                         .user = p->user, .school = p->school, .role = p->role, .begin = DAY_EVER, .end = DAY_NEVER}))
        return false;
    return p->user != 0 &&
           (p->class == 0 ||
            change_enrollment(
                c, &(struct enrollment_row){
                       .class = p->class, .user = p->user, .role = p->enrolled, .begin = DAY_EVER, .end = DAY_NEVER}));
}

static user_no world_person(struct world *w, struct world_person p)
{
    struct error e;
    if (!world_run(w, 0, world_person_act, &p, &e)) {
        fprintf(stderr, "no person: %s\n", error_sentence(&e));
        abort();
    }
    return p.user;
}

/* arg: user_no[2], the child and the guardian. */
__attribute__((unused)) static bool world_guardian_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_guardianship(c, pair[0], pair[1]);
}

__attribute__((unused)) static void world_guardian(struct world *w, user_no child, user_no guardian)
{
    struct error e;
    if (!world_run(w, 0, world_guardian_act, (user_no[]){child, guardian}, &e)) {
        fprintf(stderr, "no guardian: %s\n", error_sentence(&e));
        abort();
    }
}

static bool world_places_act(struct changing_records *c, void *arg)
{
    struct world *w = arg;
    w->school = change_school(c, &(struct school_row){.sourced_id = "s1", .name = "School 1"}, 0);
    w->other_school = change_school(c, &(struct school_row){.sourced_id = "s2", .name = "School 2"}, 0);
    if (w->school == 0 || w->other_school == 0)
        return false;
    w->first = change_class(
        c, &(struct class_row){.sourced_id = "c1", .grade = "1", .title = "1A", .school = w->school, .homeroom = true},
        0);
    w->fifth = change_class(
        c, &(struct class_row){.sourced_id = "c5", .grade = "5", .title = "5B", .school = w->school, .homeroom = true},
        0);
    return w->first != 0 && w->fifth != 0;
}

static void world_accounts(struct world *w, const char *settings)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    text_addf(&yaml, "server_name: school.example\npasswords: {ops: 1, memory_kib: 8, length_min: 8}\n%s", settings);
    accounts_destroy(w->accounts);
    config_free(w->config);
    if (!config_parse("test", yaml.data, yaml.len, &w->config, &problem)) {
        fprintf(stderr, "%s\n", problem.data);
        abort();
    }
    text_finish(&yaml);
    w->accounts = accounts_create(w->config, w->f.writer, w->f.names);
    w->signing_up = (struct signing_up){w->accounts, w->f.rooms, w->contacts};
}

static void world_start(struct world *w)
{
    struct error e;
    memset(w, 0, sizeof *w);
    fixture_start_school(&w->f);
    world_accounts(w, "registration: {mode: token}\n");
    if (!world_run(w, 0, world_places_act, w, &e)) {
        fprintf(stderr, "no school: %s\n", error_sentence(&e));
        abort();
    }
    w->admin = world_person(w, (struct world_person){"Anna", "Admin", NULL, w->school, ROLE_ADMINISTRATOR});
    w->other_admin = world_person(w, (struct world_person){"Olga", "Other", NULL, w->other_school, ROLE_ADMINISTRATOR});
    w->teacher = world_person(w, (struct world_person){"Tom", "Teacher", NULL, w->school, ROLE_TEACHER});
    w->class_teacher = world_person(
        w, (struct world_person){"Clara", "Class", NULL, w->school, ROLE_TEACHER, w->fifth, ROLE_CLASS_TEACHER});
    w->young =
        world_person(w, (struct world_person){"Yura", "Young", "2016-05-05", w->school, 0, w->fifth, ROLE_PUPIL});
    w->small =
        world_person(w, (struct world_person){"Sasha", "Small", "2019-05-05", w->school, 0, w->first, ROLE_PUPIL});
    w->old = world_person(w, (struct world_person){"Olya", "Old", "2009-05-05", w->school, 0, w->fifth, ROLE_PUPIL});
}

static void world_stop(struct world *w)
{
    contacts_destroy(w->contacts);
    accounts_destroy(w->accounts);
    config_free(w->config);
    fixture_stop(&w->f);
}

struct world_policy {
    school_no school;
    const char *document;
};

static bool world_policy_act(struct changing_records *c, void *arg)
{
    const struct world_policy *p = arg;
    fixture_acts(c->tx);
    return policies_insert(c->tx, &(struct policy_row){.school = p->school,
                                                       .version = policies_version(c->tx->db, p->school) + 1,
                                                       .document = p->document,
                                                       .author = "test",
                                                       .reason = "test"});
}

/* The school's own document, JSON. */
__attribute__((unused)) static void world_policy(struct world *w, const char *document)
{
    if (!world_run(w, 0, world_policy_act, &(struct world_policy){w->school, document}, NULL))
        abort();
}

/* --- Looking --- */

static const char *world_account_state(struct world *w, user_no user)
{
    struct user_row row;
    users_get(w->f.db, user, &row);
    enum account_state state = row.state;
    user_row_finish(&row);
    return account_state_name(state);
}

static const char *world_rule(const struct error *e)
{
    return e->rule != NULL ? e->rule : "";
}

/* Acts that are not wanted in every test must not be "unused". */
__attribute__((unused)) static const void *const WORLD_UNUSED[] = {world_account_state, world_rule, world_stop,
                                                                   world_start};

/* --- Links and sign-up --- */

struct world_link {
    struct link_wish wish;
    struct link_made made;
};

static bool world_link_act(struct changing_records *c, void *arg)
{
    struct world_link *l = arg;
    return link_make(c, &l->wish, &l->made);
}

__attribute__((unused)) static bool world_link(struct world *w, user_no who, struct link_wish wish,
                                               struct link_made *out, struct error *e)
{
    struct world_link l = {.wish = wish};
    bool made = world_run(w, who, world_link_act, &l, e);
    *out = l.made;
    return made;
}

/* By a token, with a name; 0: refused. */
__attribute__((unused)) static user_no world_signs_up(struct world *w, const char *token, const char *given,
                                                      struct error *e)
{
    struct signup_result out;
    struct error mine;
    struct db *db = db_open(w->f.path, DB_READ, NULL);
    const struct registration wish = {.token = token, .password = "correct horse"};
    const struct applicant person = {given, "Newcomer", "", DAY_EVER, ""};
    *(e = e != NULL ? e : &mine) = (struct error){0};
    bool done = signup_by_link(&w->signing_up, db, &wish, &person, &out, e);
    user_no user = done ? out.login.user : 0;
    login_result_finish(&out.login);
    db_close(db);
    return user;
}

__attribute__((unused)) static application_no world_application(struct world *w, user_no user)
{
    struct application_row row = {0};
    struct stmt *q = applications_query(
        w->f.db, &(struct applications_query){
                     .limit = 1, .user = user, .state = APPLICATION_STATE__COUNT, .kind = APPLICATION_KIND__COUNT});
    applications_next(q, &row);
    stmt_end(q);
    return row.no;
}

struct world_decision {
    application_no no;
    struct approval approval;
    const char *reason; /* NULL: approve */
};

/* The version that there is: whoever decides has just looked. */
static int64_t world_version(struct db *db, application_no no)
{
    struct application_row row;
    int64_t version = applications_get(db, no, &row) ? application_version(db, &row) : 1;
    application_finish(&row);
    return version;
}

static bool world_decide_act(struct changing_records *c, void *arg)
{
    struct world_decision *d = arg;
    int64_t seen = world_version(c->tx->db, d->no);
    return d->reason != NULL ? application_refuse(c, d->no, d->reason, seen)
                             : application_approve(c, d->no, &d->approval, seen);
}

__attribute__((unused)) static bool world_approve(struct world *w, user_no who, application_no no, struct error *e)
{
    return world_run(w, who, world_decide_act, &(struct world_decision){no, {.person = APPLICANT_NOBODY}, NULL}, e);
}

#endif
