#include "policy/records/changelog.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"

struct name {
    int64_t no;
    const char *id;
};

struct changelog_names {
    size_t n;
    struct name names[];
};

static bool wants_lines(const struct changelog *changelog)
{
    return changelog->difference != NULL || changelog->keeps;
}

static int compare(const void *left, const void *right)
{
    const struct name *x = left, *y = right;
    return (x->no > y->no) - (x->no < y->no);
}

void changelog_know(struct changelog *changelog, enum changelog_kind kind, const int64_t *numbers,
                    const char *const *ids, size_t n)
{
    if (!wants_lines(changelog) && changelog->note == NULL)
        return;
    struct changelog_names *names = xcalloc(1, sizeof *names + n * sizeof *names->names);
    for (size_t i = 0; i < n; ++i)
        if (numbers[i] != 0)
            names->names[names->n++] = (struct name){numbers[i], ids[i]};
    qsort(names->names, names->n, sizeof *names->names, compare);
    free(changelog->names[kind]);
    changelog->names[kind] = names;
}

static const char *known_id(const struct changelog *changelog, enum changelog_kind kind, int64_t no)
{
    const struct changelog_names *names = changelog->names[kind];
    const struct name *known =
        names != NULL ? bsearch(&(struct name){.no = no}, names->names, names->n, sizeof *names->names, compare) : NULL;
    return known != NULL ? known->id : NULL;
}

const char *changelog_name(void *self, enum guarded_value kind, int64_t no)
{
    return kind == VALUE_PERSON   ? known_id(self, CHANGELOG_PERSON, no)
           : kind == VALUE_SCHOOL ? known_id(self, CHANGELOG_SCHOOL, no)
           : kind == VALUE_CLASS  ? known_id(self, CHANGELOG_CLASS, no)
                                  : NULL;
}

static void add_id(struct changelog *changelog, struct text *out, enum changelog_kind kind, int64_t no)
{
    static char *(*const ASK[])(struct db * db, int64_t no) = {people_sourced_id, schools_sourced_id,
                                                               classes_sourced_id};
    const char *known = known_id(changelog, kind, no);
    char *asked = known == NULL ? ASK[kind](changelog->tx->db, no) : NULL;
    text_addc(out, ' ');
    text_adds(out, known != NULL ? known : asked != NULL ? asked : "?");
    free(asked);
}

static void write_line(struct changelog *changelog, const struct text *line, bool record)
{
    if (changelog->difference != NULL) {
        text_add(changelog->difference, line->data, line->len);
        text_addc(changelog->difference, '\n');
    }
    if (record && changelog->keeps && changelog->kept == NULL)
        changelog->kept = json_array();
    if (record && changelog->keeps)
        json_array_append_new(changelog->kept, json_stringn(line->data, line->len));
}

/* A failing database is sticky: whoever called hears of it. */
static void to_log(struct changelog *changelog)
{
    audit_append_full(changelog->tx, changelog->note);
}

void changelog_record(struct changelog *changelog, const char *noun, char sign, const char *word,
                      enum changelog_kind kind_a, int64_t a, enum changelog_kind kind_b, int64_t b)
{
    struct text line = TEXT_INIT;
    to_log(changelog);
    if (!wants_lines(changelog))
        return;
    text_adds(&line, noun);
    text_addc(&line, ' ');
    text_addc(&line, sign);
    if (word != NULL) {
        text_addc(&line, ' ');
        text_adds(&line, word);
    }
    if (a != 0)
        add_id(changelog, &line, kind_a, a);
    if (b != 0)
        add_id(changelog, &line, kind_b, b);
    write_line(changelog, &line, true);
    text_finish(&line);
}

void changelog_line(struct changelog *changelog, const char *noun, char sign, const char *id)
{
    struct text line = TEXT_INIT;
    to_log(changelog);
    if (!wants_lines(changelog))
        return;
    text_addf(&line, "%s %c %s", noun, sign, id);
    write_line(changelog, &line, true);
    text_finish(&line);
}

#define SCHOOLS_NAMED 8

/* "class-5 (class)", "school-1 (library)", of what people made all its schools; memberships come by room, so that the
 * last one is remembered. */
static const char *room_name(struct changelog *changelog, room_no room)
{
    struct room_school of;
    school_no schools[SCHOOLS_NAMED];
    int n = 0;
    if (changelog->room == room && changelog->room_name != NULL)
        return changelog->room_name;
    struct text name = TEXT_INIT;
    school_of_room(changelog->tx->db, room, &of);
    if (of.class != 0)
        add_id(changelog, &name, CHANGELOG_CLASS, of.class);
    else if (of.school != 0)
        add_id(changelog, &name, CHANGELOG_SCHOOL, of.school);
    else
        school_rooms_schools(changelog->tx->db, room, schools, SCHOOLS_NAMED, &n);
    for (int i = 0; i < n; ++i)
        add_id(changelog, &name, CHANGELOG_SCHOOL, schools[i]);
    text_addf(&name, " (%s)", room_kind_name(of.kind));
    free(changelog->room_name);
    changelog->room = room;
    changelog->room_name = text_take(&name);
    return changelog->room_name;
}

void changelog_room(struct changelog *changelog, const char *noun, char sign, user_no user, room_no room)
{
    struct text line = TEXT_INIT;
    to_log(changelog);
    if (changelog->difference == NULL)
        return;
    text_addf(&line, "%s %c", noun, sign);
    if (user != 0)
        add_id(changelog, &line, CHANGELOG_PERSON, user);
    text_adds(&line, room_name(changelog, room));
    write_line(changelog, &line, false);
    text_finish(&line);
}

void changelog_finish(struct changelog *changelog)
{
    json_decref(changelog->kept);
    for (size_t i = 0; i < sizeof changelog->names / sizeof *changelog->names; ++i)
        free(changelog->names[i]);
    free(changelog->room_name);
}
