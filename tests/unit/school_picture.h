/* What there is of people and rooms, as sorted lines: two pictures are equal when everything that people see and may do
 * is. Those of before are compared: people, classes and rooms that came later are left out, what has ended, and rooms
 * of no school. */
#ifndef PARTA_TESTS_UNIT_SCHOOL_PICTURE_H
#define PARTA_TESTS_UNIT_SCHOOL_PICTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "tests/unit/fixture.h"

struct picture {
    int64_t users, rooms, classes; /* the highest numbers of the first picture */
    struct text lines;
};

/* Each selects one text; $1, $2, $3: the highest numbers. */
static const struct statement PICTURE_TEXTS[] = {
    {"SELECT 'user ' || u.user_no || ' ' || u.state || ' ' || coalesce(f.value, '-') FROM users u"
     " LEFT JOIN profile_fields f ON f.user_no = u.user_no AND f.field = 'displayname' WHERE u.user_no <= $1"
     " AND NOT EXISTS (SELECT 1 FROM people p WHERE p.user_no = u.user_no AND p.ended = 1) AND $2 > -1 AND $3 > -1"},
    {"SELECT 'person ' || user_no || ' ' || given_name || ' ' || family_name || ' ' || middle_name || ' ' ||"
     " coalesce(birth_date, '-') || ' ' || enabled || ' ' || ended || ' ' || closed || ' ' || source FROM people"
     " WHERE ended = 0 AND user_no <= $1 AND $2 > -1 AND $3 > -1"},
    {"SELECT 'role ' || user_no || ' ' || school_no || ' ' || role || ' ' || begin_date || ' ' || end_date || ' ' ||"
     " source FROM roles WHERE user_no <= $1 AND $2 > -1 AND $3 > -1"},
    {"SELECT 'class ' || class_no || ' ' || title || ' ' || grade || ' ' || ended || ' ' || source FROM classes"
     " WHERE ended = 0 AND class_no <= $3 AND $1 > -1 AND $2 > -1"},
    {"SELECT 'enrollment ' || class_no || ' ' || user_no || ' ' || role || ' ' || begin_date || ' ' || end_date || ' '"
     " || source FROM enrollments WHERE user_no <= $1 AND class_no <= $3 AND $2 > -1"},
    {"SELECT 'guardianship ' || child || ' ' || guardian || ' ' || source || ' ' || since_ms FROM guardianships"
     " WHERE child <= $1 AND $2 > -1 AND $3 > -1"},
    {"SELECT 'member ' || room_no || ' ' || user_no || ' ' || membership FROM memberships"
     " WHERE membership IN ('join', 'invite') AND user_no <= $1 AND room_no <= $2 AND $3 > -1"
     " AND room_no IN (SELECT room_no FROM room_schools)"},
    {"SELECT 'held ' || room_no || ' ' || user_no || ' ' || power FROM roster_members WHERE room_no <= $2"
     " AND user_no <= $1 AND $3 > -1"},
    {"SELECT 'room ' || room_no || ' ' || kind || ' ' || coalesce(owner, creator) FROM rooms WHERE room_no <= $2"
     " AND $1 > -1 AND $3 > -1"},
    {"SELECT 'state ' || t.room_no || ' ' || t.type || ' ' || t.state_key || ' ' || e.content FROM room_state t"
     " JOIN events e ON e.pos = t.pos WHERE t.type IN ('m.room.name', 'm.room.power_levels') AND t.room_no <= $2"
     " AND NOT EXISTS (SELECT 1 FROM roster_rooms rr JOIN classes c ON c.class_no = rr.class_no"
     " WHERE rr.room_no = t.room_no AND c.ended = 1)"
     " AND $1 > -1 AND $3 > -1"},
    {"SELECT 'contact ' || user_no || ' ' || medium || ' ' || address || ' ' || verified_ms FROM contacts"
     " WHERE user_no <= $1 AND $2 > -1 AND $3 > -1"},
    {"SELECT 'pair ' || room_no || ' ' || a || ' ' || coalesce(b, 0) FROM direct_rooms WHERE room_no <= $2"
     " AND $1 > -1 AND $3 > -1"},
};
enum { PICTURE_COUNT = sizeof PICTURE_TEXTS / sizeof *PICTURE_TEXTS };
static const struct statement PICTURE_MOST[] = {
    {"SELECT (SELECT max(user_no) FROM users), (SELECT max(room_no) FROM rooms), coalesce((SELECT max(class_no)"
     " FROM classes), 0)"}};
static const struct statements PICTURE = {"picture_test", PICTURE_TEXTS, PICTURE_COUNT},
                               PICTURE_ENDS = {"picture_ends_test", PICTURE_MOST, 1};

static int picture_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void picture_add(struct picture *out, struct fixture *f, int which)
{
    char **lines = NULL;
    size_t n = 0;
    struct stmt *q = db_query(f->db, &PICTURE, which, "iii", out->users, out->rooms, out->classes);
    while (stmt_next(q)) {
        lines = xrealloc(lines, (n + 1) * sizeof *lines);
        lines[n++] = xstrdup(col_text(q, 0));
    }
    stmt_end(q);
    if (n > 0)
        qsort(lines, n, sizeof *lines, picture_compare);
    for (size_t i = 0; i < n; ++i) {
        text_addf(&out->lines, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
}

/* like: the picture it is to be compared with; NULL: it is the first. */
static struct picture picture_of(struct fixture *f, const struct picture *like)
{
    struct picture out = {.lines = TEXT_INIT};
    struct stmt *q = db_query(f->db, &PICTURE_ENDS, 0, "");
    if (like == NULL && stmt_next(q))
        out = (struct picture){col_int(q, 0), col_int(q, 1), col_int(q, 2), TEXT_INIT};
    else if (like != NULL)
        out = (struct picture){like->users, like->rooms, like->classes, TEXT_INIT};
    stmt_end(q);
    for (int i = 0; i < PICTURE_COUNT; ++i)
        picture_add(&out, f, i);
    return out;
}

/* Fails with the lines that only one of them has. */
static void assert_same_picture(const struct picture *was, const struct picture *is)
{
    struct text differ = TEXT_INIT;
    const struct picture *pair[2] = {was, is};
    if (strcmp(was->lines.data, is->lines.data) == 0)
        return;
    for (int side = 0; side < 2; ++side)
        for (const char *at = pair[side]->lines.data, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
            struct text line = TEXT_INIT;
            text_addf(&line, "\n%.*s\n", (int)(end - at), at);
            bool first = strncmp(pair[1 - side]->lines.data, line.data + 1, line.len - 1) == 0;
            if (!first && strstr(pair[1 - side]->lines.data, line.data) == NULL && differ.len < 4000)
                text_addf(&differ, "%c%s", side == 0 ? '-' : '+', line.data + 1);
            text_finish(&line);
        }
    fail_msg("the pictures differ:\n%s", differ.data != NULL ? differ.data : "");
}

#endif
