#include "appservice/diary/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/match.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"

#define LESSON_MARKS 16                /* of one lesson share a batch for sure */
#define RECORD_PROBLEM_MS (7 * DAY_MS) /* so long a problem of a record is shown that does not come again */

/* A change that is ready to be told. */
struct pending {
    struct notice notice;
    unsigned char hash[RECORD_HASH_BYTES], whom[RECORD_HASH_BYTES];
    bool resume;  /* its intent stays as it is: what it names is told to the end first */
    bool settles; /* the intent before it, told or not, counts as told once this one is there */
    enum sink_answer answer;
};

struct telling {
    struct comparison *c;
    struct matcher matcher;
    struct source_state before;
    bool by_itself; /* the diary sent it: nothing else can be said again */
    struct pending batch[COMPARE_BATCH];
    size_t n;
    const struct reading *reading;
    struct {
        const char *id, *found, *why;
    } pupil;    /* asked for last */
    bool again; /* what was in doubt is settled now, and differs from what the diary says */
    /* Of records that were told, and have changed: of whom they are now is not found. Whoever has them must not keep
     * them (I2), so that they are withdrawn first. */
    const char **astray;
    size_t n_astray, astray_cap;
};

static bool stopped(const struct comparison *c)
{
    return c->stop != NULL && *c->stop;
}

/* --- A batch --- */

static bool intend_all(struct telling *t)
{
    state_begin(t->c->state);
    for (size_t i = 0; i < t->n; ++i) {
        const struct pending *p = &t->batch[i];
        if (p->resume)
            continue;
        if (p->settles)
            state_told(t->c->state, t->c->source, p->notice.id);
        if (p->notice.record != NULL)
            state_intend(t->c->state, t->c->source, p->notice.record, p->hash, p->whom);
        else
            state_intend_gone(t->c->state, t->c->source, p->notice.id);
    }
    return state_commit(t->c->state);
}

static void settle(struct telling *t, const struct pending *p)
{
    struct comparison *c = t->c;
    switch (p->answer) {
    case SINK_TOLD:
        state_told(c->state, c->source, p->notice.id);
        state_solved(c->state, c->source, "record", p->notice.id);
        ++c->tally.told[p->notice.what];
        break;
    case SINK_LATER:
        ++c->tally.later;
        if (!p->resume && !p->settles) /* what is in doubt stays so until its transaction is known to have come */
            state_not_told(c->state, c->source, p->notice.id);
        break;
    case SINK_IN_DOUBT:
    case SINK_BEGUN: ++c->tally.later; break;
    case SINK_REFUSED:
        ++c->tally.refused;
        state_told(c->state, c->source, p->notice.id);
        state_problem(c->state, c->source, "record", p->notice.id, "it could not be told to all whom it concerns",
                      c->now_ms);
        break;
    }
}

static void empty_batch(struct telling *t)
{
    for (size_t i = 0; i < t->n; ++i)
        free((void *)t->batch[i].notice.pupils);
    t->n = 0;
}

/* New marks of one lesson lie one behind the other, and are told together where all of them can be said again. */
static void link_lessons(struct telling *t)
{
    for (size_t i = 0; !t->by_itself && i + 1 < t->n; ++i) {
        struct notice *a = &t->batch[i].notice;
        const struct notice *b = &t->batch[i + 1].notice;
        if (a->what == CHANGE_NEW && b->what == CHANGE_NEW && record_same_lesson(a->record, b->record))
            a->together = b;
    }
}

static bool tell_batch(struct telling *t)
{
    const struct tally before = t->c->tally;
    bool done = t->n == 0 || intend_all(t);
    link_lessons(t);
    for (size_t i = 0; done && t->c->sink->expect != NULL && i < t->n; ++i)
        t->c->sink->expect(t->c->sink->self, &t->batch[i].notice);
    for (size_t i = 0; done && i < t->n; ++i)
        t->batch[i].answer = stopped(t->c) ? SINK_LATER : t->c->sink->tell(t->c->sink->self, &t->batch[i].notice);
    for (size_t i = 0; done && i < t->n; ++i)
        if (t->batch[i].answer == SINK_BEGUN)
            t->batch[i].answer = t->c->sink->finish(t->c->sink->self, &t->batch[i].notice);
    if (done && t->n != 0) {
        state_begin(t->c->state);
        for (size_t i = 0; i < t->n; ++i)
            settle(t, &t->batch[i]);
        done = state_commit(t->c->state);
        for (int i = 0; done && t->c->told != NULL && i < 3; ++i)
            t->c->told[i] += t->c->tally.told[i] - before.told[i];
    }
    empty_batch(t);
    return done && !stopped(t->c);
}

/* There is a place: of the batch, fewer than COMPARE_BATCH are there. */
static void add(struct telling *t, struct pending pending)
{
    notice_txn(t->c->source, pending.notice.id, pending.notice.revision, pending.notice.txn);
    pending.notice.source = t->c->source;
    pending.notice.reading = t->by_itself ? NULL : t->reading;
    pending.notice.matcher = t->by_itself ? NULL : &t->matcher;
    t->batch[t->n++] = pending;
}

/* --- Whom it concerns --- */

static void unmatched(struct telling *t, const char *kind, const char *id, const char *why)
{
    state_problem(t->c->state, t->c->source, kind, id, why, t->c->now_ms);
}

/* Records come by pupil, so that most ask for the one before them again. */
static const char *find_pupil(struct telling *t, const char *id, const char **why)
{
    if (t->pupil.id == NULL || strcmp(t->pupil.id, id) != 0) {
        t->pupil.id = id;
        t->pupil.found = match_pupil(&t->matcher, id, &t->pupil.why);
    }
    *why = t->pupil.why;
    return t->pupil.found;
}

/* Fills in pupils and class. false: somebody is not found, and the record waits; news: that is a problem. */
static bool find_people(struct telling *t, const struct record *record, bool news, struct notice *notice)
{
    const char *why;
    bool found = true;
    if (*record->group != '\0') {
        notice->class_id = match_group(&t->matcher, record->group, &why);
        if (notice->class_id == NULL && record->n_pupils == 0) {
            if (news)
                unmatched(t, "group", record->group, why);
            return false;
        }
        if (notice->class_id != NULL && t->by_itself)
            state_solved(t->c->state, t->c->source, "group", record->group);
    }
    const char **pupils = record->n_pupils != 0 ? xcalloc(record->n_pupils, sizeof *pupils) : NULL;
    for (size_t i = 0; i < record->n_pupils; ++i) {
        pupils[i] = find_pupil(t, record->pupils[i], &why);
        if (pupils[i] != NULL && t->by_itself) /* no whole reading of it ever says that it is solved */
            state_solved(t->c->state, t->c->source, "pupil", record->pupils[i]);
        if (pupils[i] == NULL && news)
            unmatched(t, "pupil", record->pupils[i], why);
        found = found && pupils[i] != NULL;
    }
    notice->pupils = pupils;
    notice->n_pupils = record->n_pupils;
    if (!found)
        free(pupils);
    return found;
}

/* --- What is there --- */

/* When a source is read first, what it has is known and told to nobody; so is a lesson that only comes into the window
 * because a day has passed. */
static bool is_no_news(const struct telling *t, const struct record *record, const struct seen *seen)
{
    if (t->by_itself || seen->revision != 0 || seen->told || seen->intended)
        return false;
    return (!t->before.known && !t->c->tell_all) || t->before.adopts ||
           (record->kind == RECORD_LESSON && (!t->before.known || record->day > t->before.read_to));
}

static bool same(const unsigned char a[RECORD_HASH_BYTES], const unsigned char b[RECORD_HASH_BYTES])
{
    return memcmp(a, b, RECORD_HASH_BYTES) == 0;
}

static void note_astray(struct telling *t, const char *id)
{
    if (t->n_astray == t->astray_cap) {
        t->astray_cap = t->astray_cap != 0 ? 2 * t->astray_cap : 64;
        t->astray = xrealloc(t->astray, t->astray_cap * sizeof *t->astray);
    }
    t->astray[t->n_astray++] = id;
}

/* The pending change of a record that is there. false: nothing is to be told. */
static bool is_change(struct telling *t, const struct record *record, const struct seen *seen, struct pending *p)
{
    bool told_so = !seen->intended && seen->told && same(seen->hash, p->hash);
    if (told_so && !seen->knows_whom)
        return false;
    p->notice.what = seen->told ? CHANGE_CHANGED : CHANGE_NEW;
    bool found = find_people(t, record, !told_so, &p->notice);
    if (t->c->waiting != NULL)
        t->c->waiting[record - t->reading->records] = !found && !told_so;
    if (!found) {
        t->c->tally.unmatched += !told_so;
        if (!told_so && (seen->told || seen->intended))
            note_astray(t, record->id);
        return false;
    }
    record_hash_whom(p->notice.pupils, p->notice.n_pupils, p->notice.n_pupils == 0 ? p->notice.class_id : NULL,
                     t->c->key, p->whom);
    if (told_so && same(seen->whom, p->whom)) {
        free((void *)p->notice.pupils);
        return false;
    }
    t->again =
        t->again ||
        (seen->intended && (!same(seen->intent, p->hash) || (seen->intends_whom && !same(seen->intent_whom, p->whom))));
    return true;
}

/* A record of a source whose ids have come to have the group before them ("7a/x", before that "x"): it is the one that
 * was called so. true: it is known, in *seen. */
static bool adopt(const struct telling *t, const struct record *record, struct seen *seen)
{
    struct state *state = t->c->state;
    size_t len = strlen(record->group);
    const char *before = record->id + len + 1;
    if (strncmp(record->id, record->group, len) != 0 || record->id[len] != '/' ||
        !state_seen(state, t->c->source, before, seen))
        return false;
    state_rename(state, t->c->source, before, record->id);
    return true;
}

static void tell_record(struct telling *t, const struct record *record)
{
    struct comparison *c = t->c;
    struct seen seen;
    struct pending p = {.notice = {.id = record->id, .kind = record->kind, .day = record->day, .record = record}};
    record_hash(record, c->key, p.hash);
    bool known = state_seen(c->state, c->source, record->id, &seen);
    if (!known && t->before.adopts)
        known = adopt(t, record, &seen);
    if (known && t->by_itself && record->updated_ms != 0 && record->updated_ms < seen.updated_ms)
        return; /* an older one that comes late: what is asked for is the diary as it is */
    if (is_no_news(t, record, &seen)) {
        state_known(c->state, c->source, record, p.hash);
        ++c->tally.known;
        return;
    }
    if (seen.intended && seen.intent_gone) {
        p.notice.record = NULL; /* it went, and was back before that was told to the end */
        p.notice.what = CHANGE_WITHDRAWN;
        t->again = true;
    } else if (!is_change(t, record, &seen, &p)) {
        return;
    }
    p.resume = p.notice.in_doubt = seen.intended;
    p.notice.revision = seen.revision + 1;
    add(t, p);
}

static int by_lesson(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;
    int order = strcmp(x->n_pupils != 0 ? x->pupils[0] : "", y->n_pupils != 0 ? y->pupils[0] : "");
    order = order != 0 ? order : (int)x->kind - (int)y->kind;
    order = order != 0 ? order : x->day - y->day;
    order = order != 0 ? order : strcmp(x->subject, y->subject);
    return order != 0 ? order : strcmp(x->id, y->id);
}

static const struct record **in_order_of_lessons(const struct reading *reading)
{
    const struct record **all = xcalloc(reading->n + 1, sizeof *all);
    for (size_t i = 0; i < reading->n; ++i)
        all[i] = &reading->records[i];
    qsort(all, reading->n, sizeof *all, by_lesson);
    return all;
}

static bool tell_records(struct telling *t, const struct reading *reading)
{
    const struct record **all = in_order_of_lessons(reading);
    bool done = true;
    t->n_astray = 0;
    state_begin(t->c->state); /* of what is only known, and of problems */
    for (size_t i = 0; done && i < reading->n; ++i) {
        bool new_lesson = i == 0 || !record_same_lesson(all[i - 1], all[i]);
        if (t->n == COMPARE_BATCH || (new_lesson && t->n >= COMPARE_BATCH - LESSON_MARKS)) {
            done = state_commit(t->c->state) && tell_batch(t);
            state_begin(t->c->state);
        }
        if (done)
            tell_record(t, all[i]);
    }
    free(all);
    return state_commit(t->c->state) && done && tell_batch(t);
}

/* --- What is gone --- */

static bool tell_gone(struct telling *t, const char *id)
{
    struct comparison *c = t->c;
    struct seen seen;
    if (t->n == COMPARE_BATCH && !tell_batch(t))
        return false;
    bool known = state_seen(c->state, c->source, id, &seen);
    if (!known || (!seen.told && !seen.intended))
        return state_sound(c->state);
    bool settles = seen.intended && !seen.intent_gone; /* told or not: what follows is the same */
    add(t, (struct pending){.notice = {.what = CHANGE_WITHDRAWN,
                                       .id = id,
                                       .kind = seen.kind,
                                       .day = seen.day,
                                       .revision = seen.revision + (settles ? 2 : 1),
                                       .in_doubt = seen.intended},
                            .resume = seen.intended && !settles,
                            .settles = settles});
    return true;
}

static void hold(struct telling *t, size_t n_gone, size_t n)
{
    char why[160];
    snprintf(why, sizeof why, "%zu of %zu records are gone at once: parta-diary confirm %s, if that is right", n_gone,
             n, t->c->source);
    state_begin(t->c->state);
    state_problem(t->c->state, t->c->source, "source", "gone", why, t->c->now_ms);
    state_commit(t->c->state);
    t->c->tally.held = (int64_t)n_gone;
}

static bool tell_all_gone(struct telling *t, const struct reading *reading)
{
    size_t n, n_gone = 0;
    bool done = true;
    char **ids = state_ids(t->c->state, t->c->source, reading->window, &n);
    const char **gone = xcalloc(n + t->n_astray + 1, sizeof *gone);
    const struct record *record;
    for (size_t i = 0; i < n; ++i)
        if (reading_look(reading, ids[i], &record) == READING_GONE)
            gone[n_gone++] = ids[i];
    for (size_t i = 0; i < t->n_astray; ++i)
        gone[n_gone++] = t->astray[i];
    if (!state_sound(t->c->state)) {
        done = false; /* one of changes would not say it again */
    } else if (n_gone >= COMPARE_HOLD_AT_LEAST && n_gone * 100 > n * COMPARE_HOLD_PERCENT && !t->before.confirmed) {
        hold(t, n_gone, n);
    } else {
        for (size_t i = 0; done && i < n_gone; ++i)
            done = tell_gone(t, gone[i]);
        done = done && tell_batch(t);
        state_begin(t->c->state);
        if (reading->extent == READING_WHOLE)
            state_solved(t->c->state, t->c->source, "source", "gone");
        done = state_commit(t->c->state) && done;
    }
    free(gone);
    state_ids_free(ids, n);
    return done;
}

/* Of what came by itself: somebody has said it of each. */
static bool tell_withdrawn(struct telling *t, const struct reading *reading)
{
    bool done = true;
    for (size_t i = 0; done && i < reading->n_withdrawn; ++i)
        if (reading_find(reading, reading->withdrawn[i]) == NULL)
            done = tell_gone(t, reading->withdrawn[i]);
    for (size_t i = 0; done && i < t->n_astray; ++i)
        done = tell_gone(t, t->astray[i]);
    return done && tell_batch(t);
}

/* --- All of it --- */

static bool note_faults(struct comparison *c, const struct source_state *before, const struct reading *reading)
{
    size_t n = reading->n_faults < READING_FAULTS_MAX ? reading->n_faults : READING_FAULTS_MAX;
    state_begin(c->state);
    for (size_t i = 0; i < n; ++i)
        state_problem(c->state, c->source, "record", reading->faults[i].id, reading->faults[i].why, c->now_ms);
    if (reading->extent == READING_WHOLE) { /* what it no longer complains of */
        state_solved_before(c->state, c->source, "pupil", c->now_ms);
        state_solved_before(c->state, c->source, "group", c->now_ms);
        state_solved_before(c->state, c->source, "record", c->now_ms - RECORD_PROBLEM_MS);
    }
    if (reading->extent != READING_PIECES) {
        bool waits = c->tally.later != 0 || c->tally.held != 0; /* changes would not say it again */
        state_source_read(c->state, c->source, before, reading, waits ? NULL : c->cursor, c->now_ms);
    }
    return state_commit(c->state);
}

bool compare(struct comparison *c, const struct reading *reading)
{
    struct telling *t = xcalloc(1, sizeof *t);
    if (c->sink->begin != NULL)
        c->sink->begin(c->sink->self);
    t->c = c;
    t->before = state_source(c->state, c->source);
    if (t->before.read_to > day_after(reading->window.to, STATE_CLOCK_DAYS))
        t->before.read_to = 0;  /* the clock was ahead: up to which day it was read nobody knows */
    t->before.asked = c->asked; /* what was asked for while it was fetched stays asked for, too */
    t->by_itself = reading->extent == READING_PIECES;
    t->reading = reading;
    t->matcher = (struct matcher){c->state, c->roster, reading, c->source, c->sourced};
    bool done = state_sound(c->state) && tell_records(t, reading); /* a source that was never read tells no news */
    if (done && t->again) { /* what was in doubt has been told to the end: now what it is */
        t->again = false;
        done = tell_records(t, reading);
    }
    if (done && t->by_itself)
        done = tell_withdrawn(t, reading);
    else if (done && !reading->too_many)
        done = tell_all_gone(t, reading);
    done = done && note_faults(c, &t->before, reading);
    empty_batch(t); /* of a comparison that broke off */
    free(t->astray);
    free(t);
    return done;
}
