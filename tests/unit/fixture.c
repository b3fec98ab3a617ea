#include "tests/unit/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/store/matrix/users.h"

static void open_all(struct fixture *f)
{
    static const unsigned char SEED[SEED_BYTES] = {7};
    static const struct db_options OPTIONS = {.durable = false};
    signing_key_from_seed(&f->key, "test", SEED);
    f->writer = writer_start(f->path, &OPTIONS);
    f->audit_log = audit_log_start(f->writer, &f->key, "school.example");
    f->db = db_open(f->path, DB_READ, NULL);
    f->names = user_names_create("school.example");
    f->rooms = rooms_create(&(struct rooms_settings){.server_name = "school.example",
                                                     .key = &f->key,
                                                     .names = f->names,
                                                     .default_version = "12",
                                                     .school_mode = f->school_mode});
    if (f->writer == NULL || f->db == NULL)
        abort();
}

static void close_all(struct fixture *f)
{
    writer_stop(f->writer);
    audit_log_stop(f->audit_log);
    db_close(f->db);
    rooms_destroy(f->rooms);
    user_names_destroy(f->names);
}

static void start(struct fixture *f)
{
    log_set_level(LOG_ERROR);
    if (!crypto_start())
        abort();
    strcpy(f->dir, "/tmp/parta-test-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        abort();
    snprintf(f->path, sizeof f->path, "%s/parta.db", f->dir);
    open_all(f);
}

void fixture_start(struct fixture *f)
{
    f->school_mode = false;
    start(f);
}

void fixture_start_school(struct fixture *f)
{
    f->school_mode = true;
    start(f);
}

void fixture_restart(struct fixture *f)
{
    close_all(f);
    open_all(f);
}

void fixture_close(struct fixture *f)
{
    close_all(f);
}

void fixture_open(struct fixture *f)
{
    open_all(f);
}

void fixture_stop(struct fixture *f)
{
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    char path[128];
    close_all(f);
    for (int i = 0; i < 3; ++i) {
        snprintf(path, sizeof path, "%s%s", f->path, ENDINGS[i]);
        unlink(path);
    }
    rmdir(f->dir);
}

struct making {
    struct fixture *f;
    const char *localpart;
    user_no user;
    struct room_plan plan;
    const struct room_version *version;
    json_t *creators;
    room_no room;
    struct membership_act act;
    struct draft draft;
    struct appended out;
};

void fixture_acts(struct tx *tx)
{
    tx_acts(tx, "operator:test", "test.write");
}

static bool user_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    fixture_acts(tx);
    m->user = users_insert(tx, m->localpart, NULL, ACCOUNT_ACTIVE, false);
    return m->user != 0;
}

user_no fixture_user(struct fixture *f, const char *localpart)
{
    struct making m = {.f = f, .localpart = localpart};
    struct error e;
    writer_run(f->writer, user_job, &m, &e);
    return m.user;
}

struct state_job {
    user_no user;
    enum account_state state;
};

static bool state_job(struct tx *tx, void *arg, struct error *e)
{
    const struct state_job *job = arg;
    fixture_acts(tx);
    return users_set_state(tx, job->user, job->state);
}

bool fixture_state(struct fixture *f, user_no user, enum account_state state)
{
    struct state_job job = {user, state};
    struct error e;
    return writer_run(f->writer, state_job, &job, &e);
}

static bool room_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    struct room *room = room_create(m->f->rooms, tx, &m->plan, e);
    m->room = room != NULL ? room->no : 0;
    return room != NULL;
}

room_no fixture_room(struct fixture *f, user_no creator, const char *version, enum room_preset preset, struct error *e)
{
    return fixture_create(f, &(struct room_plan){creator, room_version_get(version), preset}, e);
}

room_no fixture_create(struct fixture *f, const struct room_plan *plan, struct error *e)
{
    struct making m = {.f = f, .plan = *plan};
    struct error mine;
    if (writer_run(f->writer, room_job, &m, e != NULL ? e : &mine))
        return m.room;
    if (e == NULL)
        fprintf(stderr, "no room: %s\n", error_sentence(&mine));
    return 0;
}

json_t *fixture_content(struct fixture *f, room_no room, const char *type, const char *state_key)
{
    struct error e;
    char *text = events_state_content(f->db, room, type, state_key);
    json_t *content = text != NULL ? json_parse(text, strlen(text), &e) : NULL;
    free(text);
    return content;
}

static bool upgrade_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    struct room *new = room_upgrade(room_open(m->f->rooms, tx, m->room), tx, m->user, m->version, m->creators, e);
    m->room = new != NULL ? new->no : 0;
    return new != NULL;
}

room_no fixture_upgrade(struct fixture *f, room_no room, user_no actor, const char *version, const char *creators,
                        struct error *e)
{
    struct making m = {.f = f, .room = room, .user = actor, .version = room_version_get(version)};
    struct error mine;
    if (creators != NULL)
        m.creators = json_parse(creators, strlen(creators), &mine);
    bool done = writer_run(f->writer, upgrade_job, &m, e != NULL ? e : &mine);
    json_decref(m.creators);
    if (!done && e == NULL)
        fprintf(stderr, "not upgraded: %s\n", error_sentence(&mine));
    return done ? m.room : 0;
}

static bool write_member_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    return membership_write(room_open(m->f->rooms, tx, m->room), tx, &m->draft, &m->out, e);
}

bool fixture_write_member(struct fixture *f, room_no room, user_no sender, const char *target_id, const char *content,
                          struct error *e)
{
    struct error mine;
    json_t *parsed = json_parse(content, strlen(content), &mine);
    struct making m = {.f = f, .room = room};
    m.draft = (struct draft){.sender = sender, .type = "m.room.member", .state_key = target_id, .content = parsed};
    bool done = writer_run(f->writer, write_member_job, &m, e != NULL ? e : &mine);
    json_decref(parsed);
    return done;
}

static bool member_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    return membership_act(room_open(m->f->rooms, tx, m->room), tx, &m->act, &m->out, e);
}

bool fixture_member(struct fixture *f, room_no room, enum act act, user_no actor, user_no target, struct error *e)
{
    struct making m = {.f = f, .room = room, .act = {.act = act, .actor = actor, .target = target}};
    struct error mine;
    return writer_run(f->writer, member_job, &m, e != NULL ? e : &mine);
}

static bool send_job(struct tx *tx, void *arg, struct error *e)
{
    struct making *m = arg;
    return append_event(room_open(m->f->rooms, tx, m->room), tx, &m->draft, &m->out, e);
}

bool fixture_send(struct fixture *f, room_no room, user_no sender, const char *type, const char *state_key,
                  const char *content, const char *redacts, struct appended *out, struct error *e)
{
    struct error mine;
    json_t *parsed = json_parse(content, strlen(content), &mine);
    struct making m = {.f = f, .room = room};
    m.draft =
        (struct draft){.sender = sender, .type = type, .state_key = state_key, .content = parsed, .redacts = redacts};
    bool done = writer_run(f->writer, send_job, &m, e != NULL ? e : &mine);
    if (done && out != NULL)
        *out = m.out;
    json_decref(parsed);
    if (!done && e == NULL)
        fprintf(stderr, "refused: %s\n", error_sentence(&mine));
    return done;
}
