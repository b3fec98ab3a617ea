#include "appservice/diary/timetable.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/match.h"
#include "appservice/diary/notice_text.h"
#include "appservice/diary/schedule.h"
#include "homeserver/base/clock.h"

static int by_group(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;
    return strcmp(x->group, y->group);
}

/* The lessons of whole groups on that day, by group; heap. */
static const struct record **lessons_of(const struct reading *reading, school_day day, size_t *n)
{
    const struct record **lessons = xcalloc(reading->n + 1, sizeof *lessons);
    *n = 0;
    for (size_t i = 0; i < reading->n; ++i) {
        const struct record *r = &reading->records[i];
        if (r->kind == RECORD_LESSON && r->day == day && r->n_pupils == 0 && *r->group != '\0')
            lessons[(*n)++] = r;
    }
    qsort(lessons, *n, sizeof *lessons, by_group);
    return lessons;
}

/* false: not now. */
static bool tell(struct sink_matrix *m, const char *class_id, school_day day, const struct record **lessons, size_t n)
{
    char txn[WIRE_TXN_BYTES], date[DAY_TEXT_BYTES];
    const char *room_id;
    struct text name = TEXT_INIT, words = TEXT_INIT;
    text_addf(&name, "timetable/%s", class_id);
    enum matrix_answer answer = MATRIX_DONE;
    if (state_counter_due(m->state, name.data, day, day_after(day, 1))) {
        answer = sink_class_room(m, class_id, false, &room_id);
        notice_add_timetable(&words, m->settings->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN, day, lessons, n);
        words.data[words.len - 1] = '\0'; /* the last line's end */
        sink_wire_txn(day_text(day, date), name.data, txn);
        if (answer == MATRIX_DONE)
            answer = sink_say(m, room_id, txn, json_pack("{s:s, s:s}", "msgtype", "m.text", "body", words.data), NULL);
        if (answer == MATRIX_DONE || answer == MATRIX_REFUSED) {
            state_begin(m->state);
            state_counter_put(m->state, name.data, day);
            state_commit(m->state);
        }
    }
    text_finish(&words);
    text_finish(&name);
    return answer == MATRIX_DONE || answer == MATRIX_REFUSED;
}

/* A source's classes have all been told of that day: changes need not ask for a whole reading then. */
static bool is_told(struct sink_matrix *m, const char *source, school_day day)
{
    struct text name = TEXT_INIT;
    text_addf(&name, "timetables/%s", source);
    bool due = state_counter_due(m->state, name.data, day, day_after(day, 1));
    text_finish(&name);
    return !due;
}

static void note_told_to(struct sink_matrix *m, const char *source, school_day day)
{
    struct text name = TEXT_INIT;
    text_addf(&name, "timetables/%s", source);
    state_begin(m->state);
    state_counter_put(m->state, name.data, day);
    state_commit(m->state);
    text_finish(&name);
}

bool timetable_read(struct sink_matrix *m, const struct has_read *read)
{
    const struct diary_settings *s = m->settings;
    size_t n;
    const char *why;
    bool told = true;
    if (s->timetable_hour < 0 || read->reading == NULL)
        return true;
    int64_t evening = schedule_evening(read->now_ms, s->utc_offset_ms, s->timetable_hour);
    if (evening != schedule_evening(read->now_ms, s->utc_offset_ms, 0))
        return true; /* it is not evening yet */
    school_day day = schedule_day_after(evening);
    if (read->reading->extent != READING_WHOLE)
        return is_told(m, read->source, day);
    const struct record **lessons = lessons_of(read->reading, day, &n);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && strcmp(lessons[next]->group, lessons[i]->group) == 0;)
            ++next;
        const char *class_id = match_group(read->matcher, lessons[i]->group, &why);
        if (class_id != NULL)
            told = tell(m, class_id, day, lessons + i, next - i) && told;
    }
    free(lessons);
    if (told && !is_told(m, read->source, day))
        note_told_to(m, read->source, day);
    return true;
}
