/* Links (school.md C2, D1): who makes which, what they are good for, and that a use is counted once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/school/audit.h"
#include "policy/signup/link_letters.h"
#include "tests/unit/signup_world.h"

static struct world w;

static int setup(void **state)
{
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static struct link_wish of_class(class_no class, enum school_role role)
{
    return (struct link_wish){.kind = LINK_CLASS, .class = class, .role = role};
}

static void c2_who_makes_which(void **state)
{
    const struct {
        const char *what;
        user_no who;
        struct link_wish wish;
        bool made;
    } CASES[] = {
        {"the administrator: pupils", w.admin, of_class(w.fifth, ROLE_PUPIL), true},
        {"the administrator: teachers", w.admin, {.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_TEACHER}, true},
        {"the operator: staff", 0, {.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_STAFF}, true},
        {"the class teacher: pupils of the class", w.class_teacher, of_class(w.fifth, ROLE_PUPIL), true},
        {"the class teacher: guardians of the class", w.class_teacher, of_class(w.fifth, ROLE_GUARDIAN), true},
        {"the class teacher: a teacher", w.class_teacher, of_class(w.fifth, ROLE_TEACHER), false},
        {"the class teacher: another class", w.class_teacher, of_class(w.first, ROLE_PUPIL), false},
        {"the class teacher: school",
         w.class_teacher,
         {.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_STAFF},
         false},
        {"a teacher", w.teacher, of_class(w.fifth, ROLE_PUPIL), false},
        {"a pupil", w.old, of_class(w.fifth, ROLE_PUPIL), false},
        {"another school's administrator", w.other_admin, of_class(w.fifth, ROLE_PUPIL), false},
        {"the head by link", w.admin, {.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_HEAD}, false},
        {"an administrator by link",
         w.admin,
         {.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_ADMINISTRATOR},
         false},
        {"no class", w.admin, of_class(0, ROLE_PUPIL), false},
        {"too many uses",
         w.admin,
         {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL, .uses = LINK_USES_MAX + 1},
         false},
        {"too long",
         w.admin,
         {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL, .lifetime_ms = LINK_LIFETIME_MAX_MS + 1},
         false},
        {"too long for any clock",
         w.admin,
         {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL, .lifetime_ms = INT64_MAX},
         false},
        {"too short", w.admin, {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL, .lifetime_ms = 1}, false},
        {"personal", w.admin, {.kind = LINK_PERSONAL, .person = w.old}, true},
        {"personal, by another school", w.other_admin, {.kind = LINK_PERSONAL, .person = w.old}, false},
        {"personal, for nobody", w.admin, {.kind = LINK_PERSONAL, .person = 99999}, false},
        {"a child for its guardian", w.young, {.kind = LINK_GUARDIAN}, true},
        {"a teacher for a guardian", w.teacher, {.kind = LINK_GUARDIAN}, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct link_made made;
        struct error e;
        if (world_link(&w, CASES[i].who, CASES[i].wish, &made, &e) != CASES[i].made)
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
    }
}

static void c2_a_link_is_a_registration_token(void **state)
{
    struct link_made a, b;
    struct link_row row;
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &a, NULL));
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &b, NULL));
    assert_string_not_equal(a.token, b.token);
    assert_int_equal(strlen(a.token), LINK_TOKEN_CHARS);
    assert_int_equal(strspn(a.token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
                     LINK_TOKEN_CHARS);
    assert_true(links_get(w.f.db, a.no, &row));
    assert_int_equal(row.uses_allowed, 50);
    assert_int_equal(row.expires_ms - row.created_ms, INT64_C(14) * 24 * 60 * 60 * 1000);
    assert_int_equal(row.school, w.school);
    assert_int_equal(row.issuer, w.admin);
}

/* The token itself is nowhere in the file. */
static void c2_only_the_hash_is_kept(void **state)
{
    struct link_made made;
    char path[128], chunk[65536 + LINK_TOKEN_CHARS];
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &made, NULL));
    static const char *const ENDINGS[] = {"", "-wal"};
    for (int i = 0; i < 2; ++i) {
        snprintf(path, sizeof path, "%s%s", w.f.path, ENDINGS[i]);
        FILE *file = fopen(path, "rb");
        size_t kept = 0, n;
        while (file != NULL && (n = fread(chunk + kept, 1, 65536, file)) > 0) {
            assert_null(memmem(chunk, kept + n, made.token, LINK_TOKEN_CHARS));
            kept = kept + n < LINK_TOKEN_CHARS ? kept + n : LINK_TOKEN_CHARS;
            memmove(chunk, chunk + n, kept);
        }
        if (file != NULL)
            fclose(file);
    }
}

static bool revoke_act(struct changing_records *c, void *arg)
{
    return link_revoke(c, *(link_no *)arg);
}

struct using
{
    const char *token;
    int64_t now_ms; /* 0: as it is */
};

static bool use_act(struct changing_records *c, void *arg)
{
    struct using *using = arg;
    struct link_row row;
    int64_t now_ms = c->tx->now_ms;
    if (using->now_ms != 0)
        c->tx->now_ms = using->now_ms;
    bool used = link_use(c->tx, using->token, &row, c->e);
    c->tx->now_ms = now_ms;
    return used;
}

static bool uses(const char *token, int64_t now_ms, struct error *e)
{
    return world_run(&w, 0, use_act, &(struct using){token, now_ms}, e);
}

static void c2_each_end_has_its_own_sentence(void **state)
{
    struct link_made revoked, expired, once;
    struct error e[4];
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &revoked, NULL));
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &expired, NULL));
    struct link_wish one = of_class(w.fifth, ROLE_PUPIL);
    one.uses = 1;
    assert_true(world_link(&w, w.admin, one, &once, NULL));
    assert_true(uses(revoked.token, 0, &e[0]));
    assert_false(world_run(&w, w.teacher, revoke_act, &revoked.no, &e[0])); /* not everybody's to revoke */
    assert_true(uses(revoked.token, 0, &e[0]));
    assert_true(world_run(&w, w.admin, revoke_act, &revoked.no, &e[0]));
    assert_true(world_run(&w, w.admin, revoke_act, &revoked.no, &e[0])); /* twice is no failure */
    assert_false(uses(revoked.token, 0, &e[0]));
    assert_false(uses(expired.token, expired.expires_ms, &e[1]));
    assert_true(uses(expired.token, expired.expires_ms - 1, &e[1]));
    assert_false(uses(expired.token, expired.expires_ms + 1, &e[1]));
    assert_true(uses(once.token, 0, &e[2]));
    assert_false(uses(once.token, 0, &e[2]));
    assert_false(uses("nosuchtokennosuchtokennosuchtoke", 0, &e[3]));
    for (int i = 0; i < 4; ++i) {
        assert_non_null(e[i].translation);
        assert_int_equal(e[i].code, i < 3 ? ERROR_FORBIDDEN : ERROR_NOT_FOUND);
        for (int j = 0; j < i; ++j)
            assert_string_not_equal(error_sentence(&e[i]), error_sentence(&e[j]));
    }
}

static int entries(const char *act, const char *must_not)
{
    struct audit_row row;
    int n = 0;
    struct stmt *q = audit_query(w.f.db, &(struct audit_query){.limit = 100, .act = act, .actor = ""});
    for (; audit_next(q, &row); ++n)
        assert_null(strstr(row.entry, must_not));
    stmt_end(q);
    return n;
}

static void j2_links_are_in_the_log_and_tokens_are_not(void **state)
{
    struct link_made link;
    struct error e;
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &link, &e));
    assert_true(world_run(&w, w.admin, revoke_act, &link.no, &e));
    assert_true(world_run(&w, w.admin, revoke_act, &link.no, &e));
    assert_int_equal(entries("link.create", link.token), 1);
    assert_int_equal(entries("link.revoke", link.token), 1);
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &link, &e));
    user_no user = world_signs_up(&w, link.token, "Ninotchka", &e);
    assert_true(world_approve(&w, 0, world_application(&w, user), &e));
    assert_int_equal(entries("application.", "Ninotchka"), 2);
    assert_int_equal(entries("", "Ninotchka") > 3, 1);
}

static bool end_class_act(struct changing_records *c, void *arg)
{
    return change_class_end(c, *(class_no *)arg);
}

static void c2_a_link_ends_with_its_class(void **state)
{
    struct link_made link;
    struct error e;
    assert_true(world_link(&w, w.admin, of_class(w.first, ROLE_PUPIL), &link, &e));
    assert_true(world_run(&w, 0, end_class_act, &w.first, &e));
    assert_false(uses(link.token, 0, &e));
    assert_string_equal(world_rule(&e), "C2");
}

struct runner {
    const char *token, *given;
    pthread_barrier_t *start;
    user_no user; /* 0: refused */
};

static void *run_up(void *arg)
{
    struct runner *runner = arg;
    pthread_barrier_wait(runner->start);
    runner->user = world_signs_up(&w, runner->token, runner->given, NULL);
    return NULL;
}

/* Two threads with the last use of a link: one account, one application. */
static void c2_used_twice_at_the_same_moment_admits_once(void **state)
{
    for (int round = 0; round < 10; ++round) {
        pthread_t threads[2];
        pthread_barrier_t start;
        struct link_made made;
        struct link_wish one = of_class(w.fifth, ROLE_PUPIL);
        one.uses = 1;
        int64_t before = users_count(w.f.db);
        assert_true(world_link(&w, w.admin, one, &made, NULL));
        pthread_barrier_init(&start, NULL, 2);
        struct runner runners[2] = {{made.token, "Anna", &start}, {made.token, "Boris", &start}};
        for (int i = 0; i < 2; ++i)
            pthread_create(&threads[i], NULL, run_up, &runners[i]);
        for (int i = 0; i < 2; ++i)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        assert_int_equal((runners[0].user != 0) + (runners[1].user != 0), 1);
        assert_int_equal(users_count(w.f.db), before + 1);
    }
}

static void d1_a_child_keeps_two_links_open(void **state)
{
    struct link_made made[3];
    struct link_row row;
    for (int i = 0; i < 3; ++i)
        assert_true(world_link(&w, w.young, (struct link_wish){.kind = LINK_GUARDIAN}, &made[i], NULL));
    for (int i = 0; i < 3; ++i) {
        assert_true(links_get(w.f.db, made[i].no, &row));
        assert_int_equal(row.revoked_ms != 0, i == 0);
        assert_int_equal(row.person, w.young);
        assert_int_equal(row.uses_allowed, 1);
    }
    assert_false(world_run(&w, w.old, revoke_act, &made[2].no, NULL)); /* another child's */
    assert_true(world_run(&w, w.young, revoke_act, &made[2].no, NULL));
}

static void a1_others_do_not_see_a_schools_links(void **state)
{
    const struct actor admin = {.user = w.admin, .name = ""}, other = {.user = w.other_admin, .name = ""};
    const struct actor teacher = {.user = w.class_teacher, .name = ""};
    struct link_made of_fifth, of_first;
    struct link_row fifth, first;
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &of_fifth, NULL));
    assert_true(world_link(&w, w.admin, of_class(w.first, ROLE_PUPIL), &of_first, NULL));
    links_get(w.f.db, of_fifth.no, &fifth);
    links_get(w.f.db, of_first.no, &first);
    assert_true(link_may_see(w.f.db, true, &admin, &fifth));
    assert_true(link_may_see(w.f.db, true, &teacher, &fifth));
    assert_false(link_may_see(w.f.db, true, &teacher, &first));
    assert_false(link_may_see(w.f.db, true, &other, &fifth));
}

/* Numbers are drawn one after the other by all schools: what another school's is answered tells nothing. */
static void a1_another_schools_link_is_as_good_as_none(void **state)
{
    struct link_made link;
    struct error theirs, nobodys, ours;
    link_no none = 99999;
    assert_true(world_link(&w, w.admin, of_class(w.fifth, ROLE_PUPIL), &link, NULL));
    assert_false(world_run(&w, w.other_admin, revoke_act, &link.no, &theirs));
    assert_false(world_run(&w, w.other_admin, revoke_act, &none, &nobodys));
    assert_int_equal(theirs.code, ERROR_NOT_FOUND);
    assert_string_equal(error_sentence(&theirs), error_sentence(&nobodys));
    assert_false(world_run(&w, w.teacher, revoke_act, &link.no, &ours));
    assert_int_equal(ours.code, ERROR_FORBIDDEN);
}

/* --- Sent to the person (J4) --- */

static struct {
    int letters;
    char to[300], token[LINK_TOKEN_CHARS + 1]; /* of the last one */
    bool full, holds;                          /* how the post is */
    void (*done)(void *arg, bool delivered);   /* of what it holds */
    void *arg, *args[40];                      /* the last, and all */
} post;

static bool keep_letter(void *self, const struct letter *letter, int64_t deadline_ms,
                        void (*done)(void *arg, bool delivered), void *arg)
{
    static const char TOKEN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (post.full)
        return false;
    ++post.letters;
    assert_true(deadline_ms > clock_mono_ms());
    snprintf(post.to, sizeof post.to, "%s", letter->to);
    for (const char *at = letter->text; *at != '\0'; at += at[0] != '\0') {
        size_t n = strspn(at, TOKEN);
        if (n == LINK_TOKEN_CHARS)
            snprintf(post.token, sizeof post.token, "%.*s", LINK_TOKEN_CHARS, at);
        at += n;
        if (*at == '\0')
            break;
    }
    assert_null(strstr(letter->text, "School")); /* A1: the address may be a stranger's */
    assert_null(strstr(letter->text, "Olya"));
    post.done = done;
    post.arg = post.args[post.letters - 1] = arg;
    if (!post.holds)
        done(arg, true);
    return true;
}

static struct jobs *no_jobs;

static struct link_letters office_post(void)
{
    memset(&post, 0, sizeof post);
    world_accounts(&w, "registration: {mode: token}\nmail: {url: 'smtp://127.0.0.1:25', from: a@b.example, tls: none}\n"
                       "codes: {mail_per_address: 3}\n");
    return (struct link_letters){.config = w.config, .writer = w.f.writer, .jobs = &no_jobs, .send = keep_letter};
}

static bool nothing_act(struct changing_records *c, void *arg)
{
    return true;
}

static void posts(struct link_letters *letters)
{
    const _Atomic bool stop = false;
    assert_int_equal(link_letters_run(letters, &stop), JOB_DONE);
    assert_true(world_run(&w, 0, nothing_act, NULL, NULL)); /* what it has handed to the writer is done */
}

static struct contact_address mail_of(const char *address)
{
    struct contact_address out;
    struct error e;
    assert_true(contact_email(address, &out, &e));
    return out;
}

static struct link_wish sent_to(const struct contact_address *address)
{
    return (struct link_wish){.kind = LINK_PERSONAL, .person = w.old, .send_to = address, .config = w.config};
}

static enum link_delivery delivery_of(link_no no)
{
    struct link_row row;
    assert_true(links_get(w.f.db, no, &row));
    return row.delivery;
}

static int64_t addresses_kept(void)
{
    static const struct statement TEXT[] = {"SELECT count(*) FROM links WHERE send_to IS NOT NULL"};
    STATEMENTS(KEPT, "links", TEXT);
    return db_int(w.f.db, &KEPT, 0, 0, "");
}

static void j4_what_is_sent_is_told_to_the_person_alone(void **state)
{
    struct link_letters letters = office_post();
    const struct contact_address address = mail_of("olya@mail.example");
    struct link_made made;
    struct error e;
    assert_true(world_link(&w, w.admin, sent_to(&address), &made, &e));
    assert_string_equal(made.token, "");
    assert_int_equal(delivery_of(made.no), LINK_WAITING);
    assert_int_equal(addresses_kept(), 1);
    posts(&letters);
    assert_int_equal(post.letters, 1);
    assert_string_equal(post.to, "olya@mail.example");
    assert_int_equal(delivery_of(made.no), LINK_SENT);
    assert_int_equal(addresses_kept(), 0);
    assert_int_equal(letters.under_way[CONTACT_EMAIL], 0);
    assert_int_equal(entries("link.create", post.token), 1);
    assert_int_equal(entries("", "olya@mail.example") > 0, 1);
    assert_int_equal(world_signs_up(&w, post.token, "Olya", &e), w.old);
    posts(&letters);
    assert_int_equal(post.letters, 1);
}

static void j4_no_restart_loses_it(void **state)
{
    struct link_letters letters = office_post(), after = letters;
    const struct contact_address address = mail_of("olya@mail.example");
    struct link_made made;
    struct error e;
    char first[LINK_TOKEN_CHARS + 1];
    assert_true(world_link(&w, w.admin, sent_to(&address), &made, NULL));
    post.full = true;
    posts(&letters);
    assert_int_equal(delivery_of(made.no), LINK_WAITING);
    assert_int_equal(letters.under_way[CONTACT_EMAIL], 0);
    post.full = false;
    post.holds = true;
    posts(&letters);
    assert_int_equal(delivery_of(made.no), LINK_SENDING);
    posts(&letters); /* it is not handed over twice */
    assert_int_equal(post.letters, 1);
    strcpy(first, post.token);
    link_letters_stop(&letters); /* whatever the post says of it now */
    post.done(post.arg, false);
    assert_true(world_run(&w, 0, nothing_act, NULL, NULL));
    assert_int_equal(delivery_of(made.no), LINK_WAITING);
    posts(&after);
    assert_int_equal(post.letters, 2);
    void *gone = post.arg;
    struct link_letters killed = office_post(); /* nobody said anything: the process was gone */
    post.holds = true;
    posts(&killed);
    assert_string_not_equal(post.token, first);
    post.done(post.arg, false);
    assert_true(world_run(&w, 0, nothing_act, NULL, NULL));
    assert_int_equal(delivery_of(made.no), LINK_FAILED);
    free(gone);
    assert_int_equal(addresses_kept(), 0);
    assert_int_equal(world_signs_up(&w, first, "Olya", &e), 0); /* the one before is good for nothing */
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_int_equal(world_signs_up(&w, post.token, "Olya", &e), w.old); /* it came after all */
}

static void j4_what_is_revoked_or_used_is_not_sent(void **state)
{
    struct link_letters letters = office_post();
    const struct contact_address address = mail_of("olya@mail.example");
    struct link_made made;
    assert_true(world_link(&w, w.admin, sent_to(&address), &made, NULL));
    assert_true(world_run(&w, w.admin, revoke_act, &made.no, NULL));
    posts(&letters);
    assert_int_equal(post.letters, 0);
    assert_int_equal(delivery_of(made.no), LINK_FAILED);
    assert_int_equal(addresses_kept(), 0);
}

struct bind {
    user_no user;
    struct contact_address address;
};

static bool bind_act(struct changing_records *c, void *arg)
{
    const struct bind *b = arg;
    fixture_acts(c->tx);
    return contacts_bind(c->tx, b->user, &b->address, 0, 1, c->e);
}

static void j4_to_whom_a_personal_link_is_not_sent(void **state)
{
    office_post();
    const struct {
        const char *what, *to;
        user_no owner, maker;
        enum error_code code; /* ERROR_NONE: it is sent */
    } CASES[] = {
        {"an address that is nobody's", "olya@mail.example", 0, w.admin, ERROR_NONE},
        {"the maker's own", "anna@mail.example", w.admin, w.admin, ERROR_THREEPID_IN_USE},
        {"somebody else's of the school", "clara@mail.example", w.class_teacher, w.admin, ERROR_THREEPID_IN_USE},
        {"a stranger's, of whom the maker knows nothing", "olga@mail.example", w.other_admin, w.admin, ERROR_NONE},
        {"a stranger's, by who knows everybody", "olga@mail.example", 0, 0, ERROR_THREEPID_IN_USE},
        {"the person's own", "olya@home.example", w.old, w.admin, ERROR_NONE},
        {"by the class teacher", "olya@mail.example", 0, w.class_teacher, ERROR_FORBIDDEN},
        {"by another school", "olya@mail.example", 0, w.other_admin, ERROR_FORBIDDEN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct link_made made;
        struct bind b = {CASES[i].owner, mail_of(CASES[i].to)};
        struct error e = {0};
        assert_true(b.user == 0 || world_run(&w, 0, bind_act, &b, &e));
        bool done = world_link(&w, CASES[i].maker, sent_to(&b.address), &made, &e);
        if (done != (CASES[i].code == ERROR_NONE) || (!done && e.code != CASES[i].code))
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
    }
}

/* A mail server that is dead: so many wait with the post, the rest here, and a number is texted all the same. */
static void j4_one_way_holds_up_no_other(void **state)
{
    enum { MANY = 20 };
    struct link_letters letters = office_post();
    struct link_made made;
    struct error e;
    world_accounts(&w, "mail: {url: 'smtp://127.0.0.1:25', from: a@b.example, tls: none}\n"
                       "sms: {url: 'http://127.0.0.1:1/', body: '{to}{text}'}\n");
    letters.config = w.config;
    post.holds = true;
    for (int i = 0; i < MANY; ++i) {
        char address[64];
        snprintf(address, sizeof address, "number%d@mail.example", i);
        const struct contact_address to = mail_of(address);
        struct link_wish wish = sent_to(&to);
        wish.person = i % 2 == 0 ? w.old : w.young;
        assert_true(world_link(&w, w.admin, wish, &made, &e));
    }
    posts(&letters);
    int waiting = post.letters;
    assert_true(waiting > 0 && waiting < MANY);
    posts(&letters);
    assert_int_equal(post.letters, waiting);
    const struct contact_address number = {CONTACT_PHONE, "79123456789"};
    struct link_wish wish = sent_to(&number);
    wish.person = w.small;
    assert_true(world_link(&w, w.admin, wish, &made, &e));
    posts(&letters);
    assert_int_equal(post.letters, waiting + 1);
    assert_string_equal(post.to, "79123456789");
    for (int i = 0; i < post.letters; ++i)
        post.done(post.args[i], true);
    assert_true(world_run(&w, 0, nothing_act, NULL, NULL));
    assert_int_equal(letters.under_way[CONTACT_EMAIL] + letters.under_way[CONTACT_PHONE], 0);
}

static void j4_letters_are_capped_and_have_a_way(void **state)
{
    office_post();
    const struct contact_address address = mail_of("olya@mail.example");
    const struct contact_address number = {CONTACT_PHONE, "79123456789"};
    struct link_made made;
    struct error e;
    struct link_wish wish = sent_to(&address);
    for (int i = 0; i < 3; ++i)
        assert_true(world_link(&w, w.admin, wish, &made, NULL));
    assert_false(world_link(&w, w.admin, wish, &made, &e));
    assert_int_equal(e.code, ERROR_LIMIT_EXCEEDED);
    assert_false(world_link(&w, w.admin, sent_to(&number), &made, &e));
    assert_int_equal(e.code, ERROR_THREEPID_DENIED);
    wish = of_class(w.fifth, ROLE_PUPIL);
    wish.send_to = &address;
    wish.config = w.config;
    assert_false(world_link(&w, w.admin, wish, &made, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c2_who_makes_which),
        TEST(c2_a_link_is_a_registration_token),
        TEST(c2_only_the_hash_is_kept),
        TEST(c2_each_end_has_its_own_sentence),
        TEST(j2_links_are_in_the_log_and_tokens_are_not),
        TEST(c2_a_link_ends_with_its_class),
        TEST(c2_used_twice_at_the_same_moment_admits_once),
        TEST(d1_a_child_keeps_two_links_open),
        TEST(a1_others_do_not_see_a_schools_links),
        TEST(a1_another_schools_link_is_as_good_as_none),
        TEST(j4_what_is_sent_is_told_to_the_person_alone),
        TEST(j4_no_restart_loses_it),
        TEST(j4_what_is_revoked_or_used_is_not_sent),
        TEST(j4_to_whom_a_personal_link_is_not_sent),
        TEST(j4_one_way_holds_up_no_other),
        TEST(j4_letters_are_capped_and_have_a_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
