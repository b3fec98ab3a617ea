#include "policy/records/changelog.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/school/records.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"

struct name {
    int64_t no;
    const char *id;
};

struct ledger_names {
    size_t n;
    struct name names[];
};

bool ledger_writes(const struct ledger *ledger)
{
    return ledger->difference != NULL || ledger->audited;
}

static int compare(const void *left, const void *right)
{
    const struct name *x = left, *y = right;
    return (x->no > y->no) - (x->no < y->no);
}

void ledger_know(struct ledger *ledger, enum ledger_kind kind, const int64_t *numbers, const char *const *ids, size_t n)
{
    if (!ledger_writes(ledger))
        return;
    struct ledger_names *names = xcalloc(1, sizeof *names + n * sizeof *names->names);
    for (size_t i = 0; i < n; ++i)
        if (numbers[i] != 0)
            names->names[names->n++] = (struct name){numbers[i], ids[i]};
    qsort(names->names, names->n, sizeof *names->names, compare);
    free(ledger->names[kind]);
    ledger->names[kind] = names;
}

static void add_id(struct ledger *ledger, struct text *out, enum ledger_kind kind, int64_t no)
{
    static char *(*const ASK[])(struct db * db, int64_t no) = {people_sourced_id, schools_sourced_id,
                                                               classes_sourced_id};
    const struct ledger_names *names = ledger->names[kind];
    const struct name *known =
        names != NULL ? bsearch(&(struct name){.no = no}, names->names, names->n, sizeof *names->names, compare) : NULL;
    char *asked = known == NULL ? ASK[kind](ledger->tx->db, no) : NULL;
    text_addc(out, ' ');
    text_adds(out, known != NULL ? known->id : asked != NULL ? asked : "?");
    free(asked);
}

static void write_line(struct ledger *ledger, const struct text *line, bool record)
{
    if (ledger->difference != NULL) {
        text_add(ledger->difference, line->data, line->len);
        text_addc(ledger->difference, '\n');
    }
    if (!record || !ledger->audited)
        return;
    if (ledger->list == NULL || json_array_size(ledger->list) == AUDIT_LIST_MAX) {
        if (ledger->lists == NULL)
            ledger->lists = json_array();
        json_array_append_new(ledger->lists, ledger->list = json_array());
    }
    json_array_append_new(ledger->list, json_stringn(line->data, line->len));
}

void ledger_record(struct ledger *ledger, const char *noun, char sign, const char *word, enum ledger_kind kind_a,
                   int64_t a, enum ledger_kind kind_b, int64_t b)
{
    struct text line = TEXT_INIT;
    if (!ledger_writes(ledger))
        return;
    text_adds(&line, noun);
    text_addc(&line, ' ');
    text_addc(&line, sign);
    if (word != NULL) {
        text_addc(&line, ' ');
        text_adds(&line, word);
    }
    if (a != 0)
        add_id(ledger, &line, kind_a, a);
    if (b != 0)
        add_id(ledger, &line, kind_b, b);
    write_line(ledger, &line, true);
    text_finish(&line);
}

void ledger_line(struct ledger *ledger, const char *noun, char sign, const char *id)
{
    struct text line = TEXT_INIT;
    if (!ledger_writes(ledger))
        return;
    text_addf(&line, "%s %c %s", noun, sign, id);
    write_line(ledger, &line, true);
    text_finish(&line);
}

/* "class-5 (class)"; memberships come by room, so that the last one is remembered. */
static const char *room_name(struct ledger *ledger, room_no room)
{
    struct room_school of;
    if (ledger->room == room && ledger->room_name != NULL)
        return ledger->room_name;
    struct text name = TEXT_INIT;
    school_of_room(ledger->tx->db, room, &of);
    if (of.class != 0)
        add_id(ledger, &name, LEDGER_CLASS, of.class);
    else if (of.school != 0)
        add_id(ledger, &name, LEDGER_SCHOOL, of.school);
    text_addf(&name, " (%s)", room_kind_name(of.kind));
    free(ledger->room_name);
    ledger->room = room;
    ledger->room_name = text_take(&name);
    return ledger->room_name;
}

void ledger_room(struct ledger *ledger, const char *noun, char sign, user_no user, room_no room)
{
    struct text line = TEXT_INIT;
    if (ledger->difference == NULL)
        return;
    text_addf(&line, "%s %c", noun, sign);
    if (user != 0)
        add_id(ledger, &line, LEDGER_PERSON, user);
    text_adds(&line, room_name(ledger, room));
    write_line(ledger, &line, false);
    text_finish(&line);
}

json_t *ledger_take_lists(struct ledger *ledger)
{
    json_t *lists = ledger->lists != NULL ? ledger->lists : json_array();
    ledger->lists = ledger->list = NULL;
    return lists;
}

void ledger_finish(struct ledger *ledger)
{
    json_decref(ledger->lists);
    for (size_t i = 0; i < sizeof ledger->names / sizeof *ledger->names; ++i)
        free(ledger->names[i]);
    free(ledger->room_name);
}
