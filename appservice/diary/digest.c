#include "appservice/diary/digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/match.h"
#include "appservice/diary/notice_text.h"
#include "appservice/diary/schedule.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"

#define EVENING "evening"
#define WEEK "week"
#define DIGEST "digest"

/* What is owed, as the next reading after the digests were begun had it. */
struct digests {
    struct kept {
        bool there;
        struct reading reading;
    } kept[ADAPTERS_MAX]; /* of the settings' sources, in their order */
};

struct digests *digests_create(void)
{
    return xcalloc(1, sizeof(struct digests));
}

static void forget_kept(struct digests *d)
{
    for (size_t i = 0; i < ADAPTERS_MAX; ++i)
        if (d->kept[i].there) {
            reading_finish(&d->kept[i].reading);
            d->kept[i].there = false;
        }
}

void digests_destroy(struct digests *d)
{
    if (d != NULL)
        forget_kept(d);
    free(d);
}

/* --- Beginning --- */

static bool is_due(const struct person *person, school_day first, school_day edge, bool evening, bool week)
{
    switch (person->pace) {
    case PACE_NOW: return true; /* they have changed their mind */
    case PACE_DAILY: return evening || first <= edge;
    case PACE_WEEKLY: return week || first <= edge;
    }
    return true;
}

/* Gives all that is due a number. true: there is something new to be looked up. */
static bool begin(struct sink_matrix *m, int64_t now_ms)
{
    const struct diary_settings *s = m->settings;
    int64_t evening = schedule_evening(now_ms, s->utc_offset_ms, s->digest_hour);
    int64_t week = schedule_week(now_ms, s->utc_offset_ms, s->digest_hour, s->digest_weekday);
    state_begin(m->state); /* what it reads, too: a number that cannot be read is not 0, which was given */
    bool evening_due = state_counter_due(m->state, EVENING, evening, evening + 1);
    bool week_due = state_counter_due(m->state, WEEK, week, week + 1);
    school_day edge = day_of_ms(now_ms - (s->back_days - WINDOW_EDGE_DAYS) * DAY_MS);
    size_t n, begun = 0;
    struct owed_person *people = state_owed_people(m->state, &n);
    int64_t digest = state_counter(m->state, DIGEST);
    for (size_t i = 0; i < n; ++i) {
        struct person person;
        if (!state_person(m->state, people[i].person, s->english, &person))
            break; /* nor can it be committed */
        if (person.off)
            state_owed_drop_person(m->state, people[i].person);
        else if (is_due(&person, people[i].first, edge, evening_due, week_due))
            state_digest_begin(m->state, people[i].person, digest + (int64_t)++begun);
    }
    if (begun != 0)
        state_counter_put(m->state, DIGEST, digest + (int64_t)begun);
    if (evening_due)
        state_counter_put(m->state, EVENING, evening);
    if (week_due)
        state_counter_put(m->state, WEEK, week);
    bool done = state_commit(m->state);
    state_owed_people_free(people, n);
    return done && begun != 0;
}

/* --- Looking up --- */

/* NULL: the settings name no such source any more. */
static struct kept *kept_of(struct digests *d, const struct sink_matrix *m, const char *source, bool *by_itself)
{
    for (size_t i = 0; i < m->settings->n_sources; ++i)
        if (strcmp(m->settings->sources[i].adapter->name, source) == 0) {
            *by_itself = m->settings->sources[i].adapter->fetch == NULL;
            return &d->kept[i];
        }
    *by_itself = true;
    return NULL;
}

/* The diary says nothing of it that could be told: it waits for another digest. Or that it is another child's now: who
 * was owed it as this one's is told nothing of it (I2). */
static void take_away(struct sink_matrix *m, const struct owed *owed, bool waits)
{
    state_begin(m->state);
    if (waits)
        state_owed_put_off(m->state, owed->source, owed->id);
    else
        state_owed_drop(m->state, owed->source, owed->id, owed->child);
    state_commit(m->state);
}

/* false: it is owed, and not among what has changed. */
static bool look_up(struct digests *d, struct sink_matrix *m, const struct has_read *read)
{
    size_t n;
    bool by_itself;
    struct kept *kept = kept_of(d, m, read->source, &by_itself);
    if (kept == NULL || read->reading == NULL)
        return true;
    if (kept->there)
        reading_finish(&kept->reading);
    struct owed *owed = state_digest_rows(m->state, NULL, 0, read->source, &n);
    kept->there = read->reading->extent == READING_WHOLE || n == 0;
    if (!kept->there) {
        state_owed_free(owed, n);
        return false;
    }
    reading_init(&kept->reading, read->reading->window);
    const char *kept_id = "";
    for (size_t i = 0; i < n; ++i) {
        const struct record *record;
        if (reading_look(read->reading, owed[i].id, &record) == READING_UNKNOWN) {
            take_away(m, &owed[i], true);
        } else if (record != NULL && !match_is_of(read->matcher, record, owed[i].child)) {
            take_away(m, &owed[i], false);
        } else if (record != NULL && strcmp(kept_id, owed[i].id) != 0) {
            reading_add(&kept->reading, record);
            kept_id = owed[i].id;
        }
    }
    reading_end(&kept->reading);
    state_owed_free(owed, n);
    return true;
}

/* --- Sending --- */

/* The child's given name, heap, if the person is the child or its guardian now; otherwise NULL. */
static enum matrix_answer name_for(struct sink_matrix *m, const char *person, const char *child, char **name)
{
    json_t *record = NULL, *guardianships = NULL;
    enum matrix_answer answer = sink_ask_school(m, "people/", child, &record);
    const char *given_name = json_get_string(record, "given_name");
    *name = NULL;
    if (answer == MATRIX_DONE && strcmp(person, child) != 0)
        answer = sink_ask_school(m, "guardianships?limit=500&user_id=", child, &guardianships);
    if (answer == MATRIX_DONE && given_name != NULL && sink_is_pupil_here(m, record) &&
        (guardianships == NULL || sink_is_guardian(guardianships, child, person)))
        *name = xstrdup(given_name);
    json_decref(record);
    json_decref(guardianships);
    return answer == MATRIX_REFUSED ? MATRIX_DONE : answer;
}

static int by_line(const void *a, const void *b)
{
    const struct notice_item *x = a, *y = b;
    if (x->record == NULL || y->record == NULL)
        return (x->record == NULL) - (y->record == NULL);
    int order = (int)x->record->kind - (int)y->record->kind;
    order = order != 0 ? order : x->record->day - y->record->day;
    return order != 0 ? order : strcmp(x->record->subject, y->record->subject);
}

/* The items of what is owed of one child; appended. */
static void add_items(struct digests *d, const struct sink_matrix *m, const struct owed *owed, size_t n,
                      const char *name, struct notice_item *items, size_t *n_items)
{
    struct notice_item *first = items + *n_items;
    for (size_t i = 0; i < n; ++i) {
        bool by_itself;
        const struct kept *kept = kept_of(d, m, owed[i].source, &by_itself);
        const struct record *record = kept != NULL && kept->there ? reading_find(&kept->reading, owed[i].id) : NULL;
        if (record != NULL || by_itself)
            items[(*n_items)++] = (struct notice_item){name, owed[i].corrected ? CHANGE_CHANGED : CHANGE_NEW, record};
    }
    qsort(first, (size_t)(items + *n_items - first), sizeof *first, by_line);
}

static json_t *message(const struct sink_matrix *m, const struct person *person, const struct notice_item *items,
                       size_t n)
{
    struct text words = TEXT_INIT;
    notice_add_digest(&words, person->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN, person->pace == PACE_WEEKLY, items, n,
                      &m->links);
    while (words.len != 0 && words.data[words.len - 1] == '\n')
        words.data[--words.len] = '\0';
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body", words.data);
    sodium_memzero(words.data, words.len);
    text_finish(&words);
    return content;
}

static enum matrix_answer say_digest(struct sink_matrix *m, const struct owed_person *to,
                                     const struct notice_item *items, size_t n)
{
    const struct audience own = {PERSON, to->person, "", {to->person}, 1};
    struct person person;
    char txn[WIRE_TXN_BYTES], number[32], *room_id = NULL;
    if (!state_person(m->state, to->person, m->settings->english, &person))
        return MATRIX_NOT_NOW;
    if (n == 0 || person.off)
        return MATRIX_DONE;
    enum matrix_answer answer = sink_room(m, &own, &room_id);
    snprintf(number, sizeof number, "digest%lld", (long long)to->digest);
    sink_wire_txn(number, to->person, txn);
    if (answer == MATRIX_DONE)
        answer = sink_say(m, room_id, txn, message(m, &person, items, n), NULL);
    free(room_id);
    return answer;
}

static void send_one(struct digests *d, struct sink_matrix *m, const struct owed_person *to)
{
    size_t n, n_names = 0, n_items = 0;
    bool whole = true, by_itself;
    struct owed *owed = state_digest_rows(m->state, to->person, to->digest, NULL, &n);
    struct notice_item *items = xcalloc(n + 1, sizeof *items);
    char **names = xcalloc(n + 1, sizeof *names);
    enum matrix_answer answer = MATRIX_DONE;
    for (size_t i = 0; i < n; ++i) {
        const struct kept *kept = kept_of(d, m, owed[i].source, &by_itself);
        whole = whole && (by_itself || kept->there);
    }
    for (size_t i = 0, next; whole && answer == MATRIX_DONE && i < n; i = next) {
        for (next = i + 1; next < n && strcmp(owed[next].child, owed[i].child) == 0;)
            ++next;
        answer = name_for(m, to->person, owed[i].child, &names[n_names]);
        if (names[n_names] != NULL)
            add_items(d, m, owed + i, next - i, names[n_names++], items, &n_items);
    }
    if (whole && answer == MATRIX_DONE)
        answer = say_digest(m, to, items, n_items);
    if (whole && (answer == MATRIX_DONE || answer == MATRIX_REFUSED)) {
        state_begin(m->state);
        state_digest_sent(m->state, to->person, to->digest);
        state_commit(m->state);
    }
    if (whole && answer == MATRIX_REFUSED)
        log_warn("diary", "a digest is refused: %s", to->person);
    for (size_t i = 0; i < n_names; ++i)
        free(names[i]);
    free(names);
    free(items);
    state_owed_free(owed, n);
}

bool digests_read(struct digests *d, struct sink_matrix *m, const struct has_read *read)
{
    size_t n;
    bool known = true;
    if (begin(m, read->now_ms))
        forget_kept(d); /* it was looked up before they were begun */
    struct owed_person *people = state_digests(m->state, &n);
    if (n != 0)
        known = look_up(d, m, read);
    for (size_t i = 0; i < n; ++i)
        send_one(d, m, &people[i]);
    state_owed_people_free(people, n);
    people = state_digests(m->state, &n);
    state_owed_people_free(people, n);
    if (n == 0)
        forget_kept(d);
    return known;
}
