/* What the office does to a whole account, by whichever act: for the tests of who may (effects.c, family.c). */
#ifndef PARTA_TESTS_ACCOUNT_ACTS_H
#define PARTA_TESTS_ACCOUNT_ACTS_H

#include "homeserver/store/school/people.h"
#include "policy/admin/sessions.h"
#include "policy/privacy/erasure.h"
#include "policy/privacy/export.h"
#include "tests/unit/signup_world.h"

static struct world w;

static bool puts_person(struct changing_records *c, user_no user, bool enabled, const char *given, school_day birth)
{
    struct person_row now, row;
    bool found = people_get(c->tx->db, user, &now);
    row = now;
    row.enabled = enabled;
    row.given = given != NULL ? given : now.given;
    row.birth = birth != DAY_EVER ? birth : now.birth;
    bool done = found && change_person(c, &row, w.school, 0) != 0;
    person_row_finish(&now);
    return done;
}

static bool locks(struct changing_records *c, user_no user)
{
    return change_account_state(c, user, ACCOUNT_LOCKED);
}

static bool locks_by_record(struct changing_records *c, user_no user)
{
    return puts_person(c, user, false, NULL, DAY_EVER);
}

static bool renames(struct changing_records *c, user_no user)
{
    return puts_person(c, user, true, "Mallory", DAY_EVER);
}

static bool corrects_birth(struct changing_records *c, user_no user)
{
    return puts_person(c, user, true, NULL, birth_from("2005-01-01"));
}

static bool signs_out(struct changing_records *c, user_no user)
{
    return admin_sessions_end(c, user, NULL);
}

static bool erases(struct changing_records *c, user_no user)
{
    return erasure_begin(c, user);
}

static bool exports(struct changing_records *c, user_no user)
{
    struct text zip = TEXT_INIT;
    struct db *db = db_open(w.f.path, DB_READ, NULL);
    bool done =
        export_person(db, &(struct export_wanted){c->actor, user, "@somebody:school.example", true}, &zip, c->e);
    db_close(db);
    text_finish(&zip);
    return done;
}

static bool hands_out(struct changing_records *c, user_no user)
{
    struct link_made made;
    return link_make(c, &(struct link_wish){.kind = LINK_PERSONAL, .person = user}, &made);
}

#endif
