/* What the gate costs where it stands: asked by the writer's thread inside a job, for the class room of thirty and for
 * a direct chat between teacher and guardian. Beside it stands what append_event costs as a whole, which is the part of
 * a send that the writer does; loops, HTTP and the commit come on top, so that the share of a whole send is smaller. */
#include "tests/bench/gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/users.h"
#include "tests/bench/report.h"
#include "tests/unit/fixture.h"

enum { PUPILS = 30, ASKED = 100000, AFRESH = 5000, SENT = 5000 };

struct bench {
    struct fixture f;
    user_no service, teacher, guardian, first;
    room_no class_room, chat;
    double class_us, chat_us, join_us, records_us, append_us;
};

static bool make_people(struct tx *tx, void *arg, struct error *e)
{
    struct bench *b = arg;
    fixture_acts(tx);
    b->service = users_insert_service(tx, "parta");
    b->teacher = users_insert(tx, "teacher", NULL, ACCOUNT_ACTIVE, false);
    b->guardian = users_insert(tx, "guardian", NULL, ACCOUNT_ACTIVE, false);
    for (int i = 0; i < PUPILS; ++i) {
        char name[16];
        snprintf(name, sizeof name, "pupil%d", i);
        user_no pupil = users_insert(tx, name, NULL, ACCOUNT_ACTIVE, false);
        b->first = i == 0 ? pupil : b->first;
    }
    return db_script(tx->db,
                     "INSERT INTO schools (school_no, sourced_id, name) VALUES (1, 's', 'S');"
                     "INSERT INTO classes (class_no, sourced_id, school_no, kind, grade, title)"
                     " VALUES (1, 'c', 1, 'homeroom', '5', '5A');"
                     "INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name)"
                     " SELECT user_no, localpart, '', '', '' FROM users WHERE kind = 'person';"
                     "INSERT INTO roles (user_no, school_no, role) SELECT user_no, 1, CASE localpart"
                     " WHEN 'teacher' THEN 'class_teacher' WHEN 'guardian' THEN 'guardian' ELSE 'pupil' END"
                     " FROM users WHERE kind = 'person';"
                     "INSERT INTO enrollments (class_no, user_no, role) SELECT 1, user_no, role FROM roles"
                     " WHERE role <> 'guardian';"
                     "INSERT INTO guardianships (child, guardian) SELECT p.user_no, g.user_no FROM users p, users g"
                     " WHERE p.localpart = 'pupil0' AND g.localpart = 'guardian'");
}

static bool keep_class(struct tx *tx, void *arg, struct error *e)
{
    struct bench *b = arg;
    char script[512];
    snprintf(script, sizeof script,
             "INSERT INTO room_schools (room_no, school_no) VALUES (%lld, 1);"
             "INSERT INTO roster_rooms (room_no, kind, school_no, class_no) VALUES (%lld, 'class', 1, 1);"
             "INSERT INTO roster_members (room_no, user_no, power) SELECT %lld, user_no, 0 FROM enrollments",
             (long long)b->class_room, (long long)b->class_room, (long long)b->class_room);
    fixture_acts(tx);
    return db_script(tx->db, script);
}

/* A figure of what was not done would be none. */
static void must_run(struct bench *b, writer_job *job)
{
    struct error e;
    if (!writer_run(b->f.writer, job, b, &e))
        abort();
}

static void make_rooms(struct bench *b)
{
    b->class_room = fixture_room(&b->f, b->service, "12", PRESET_PUBLIC_CHAT, NULL);
    must_run(b, keep_class);
    fixture_member(&b->f, b->class_room, ACT_JOIN, b->service, b->teacher, NULL);
    for (int i = 0; i < PUPILS; ++i)
        fixture_member(&b->f, b->class_room, ACT_JOIN, b->service, b->first + i, NULL);
    b->chat = fixture_room(&b->f, b->teacher, "12", PRESET_TRUSTED_PRIVATE_CHAT, NULL);
    fixture_member(&b->f, b->chat, ACT_INVITE, b->teacher, b->guardian, NULL);
    fixture_member(&b->f, b->chat, ACT_JOIN, b->guardian, b->guardian, NULL);
}

/* moved: epochs that something else moves before each. */
static double ask_us(struct bench *b, struct tx *tx, room_no room, unsigned moved, int times)
{
    struct error e;
    struct gate_answer answer;
    struct gate_question question = {
        .act = ACT_SEND, .room = room, .actor = b->teacher, .type = "m.room.message", .now_ms = tx->now_ms};
    double start = thread_cpu_us();
    for (int i = 0; i < times; ++i) {
        if (moved != 0)
            db_epoch_next(tx->db, moved);
        if (!gate_event(b->f.rooms, tx->db, &question, &answer, &e))
            abort(); /* a figure for refusals would be none */
    }
    return (thread_cpu_us() - start) / times;
}

static double append_us(struct bench *b, struct tx *tx)
{
    struct error e;
    struct appended out;
    json_auto_t *content =
        json_pack("{s:s, s:s}", "msgtype", "m.text", "body", "Завтра контрольная, не забудьте тетрадь.");
    struct room *room = room_open(b->f.rooms, tx, b->class_room);
    struct draft draft = {.sender = b->teacher, .type = "m.room.message", .content = content};
    double start = thread_cpu_us();
    for (int i = 0; i < SENT; ++i)
        if (!append_event(room, tx, &draft, &out, &e))
            abort();
    return (thread_cpu_us() - start) / SENT;
}

static bool measure(struct tx *tx, void *arg, struct error *e)
{
    struct bench *b = arg;
    b->class_us = ask_us(b, tx, b->class_room, 0, ASKED);
    b->chat_us = ask_us(b, tx, b->chat, 0, ASKED);
    b->join_us = ask_us(b, tx, b->chat, EPOCH_LIFE, AFRESH);
    b->records_us = ask_us(b, tx, b->chat, EPOCH_ALL, AFRESH);
    b->append_us = append_us(b, tx);
    return true;
}

json_t *bench_gate(void)
{
    struct bench b = {0};
    fixture_start_school(&b.f);
    must_run(&b, make_people);
    make_rooms(&b);
    must_run(&b, measure);
    fixture_stop(&b.f);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "class_us", b.class_us, "chat_us", b.chat_us, "append_us",
                     b.append_us, "percent_of_append", 100 * b.class_us / b.append_us, "chat_after_a_join_us",
                     b.join_us, "chat_after_a_change_of_records_us", b.records_us);
}
