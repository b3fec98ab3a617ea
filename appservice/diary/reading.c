#include "appservice/diary/reading.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

#define CHUNK_BYTES 65536

struct reading_chunk {
    struct reading_chunk *next;
    size_t used, size;
    char bytes[];
};

void reading_init(struct reading *reading, struct window window)
{
    *reading = (struct reading){.window = window};
}

void reading_finish(struct reading *reading)
{
    for (struct reading_chunk *chunk = reading->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        sodium_memzero(chunk->bytes, chunk->used);
        free(chunk);
    }
    for (size_t i = 0; i < reading->n; ++i)
        free((void *)reading->records[i].pupils);
    free(reading->records);
    free(reading->people);
    free(reading->faults);
    free(reading->withdrawn);
    *reading = (struct reading){0};
}

void reading_restart(struct reading *reading)
{
    struct window window = reading->window;
    reading_finish(reading);
    reading_init(reading, window);
}

static void *room_for(struct reading *reading, size_t size)
{
    struct reading_chunk *chunk = reading->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t cap = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk = xcalloc(1, sizeof *chunk + cap);
        *chunk = (struct reading_chunk){.next = reading->chunks, .size = cap};
        reading->chunks = chunk;
    }
    chunk->used += size;
    reading->bytes += size;
    return chunk->bytes + chunk->used - size;
}

/* Cut before max bytes, never inside a character. */
static const char *keep(struct reading *reading, const char *s, size_t max)
{
    size_t len = s != NULL ? strnlen(s, max + 1) : 0;
    if (len == 0)
        return "";
    len = utf8_cut(s, len, max);
    char *copy = room_for(reading, len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

static bool full(struct reading *reading, size_t n)
{
    reading->too_many = reading->too_many || n >= READING_RECORDS_MAX || reading->bytes >= READING_BYTES_MAX;
    return reading->too_many;
}

static void *grown(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap != 0 ? 2 * *cap : 64;
    return xrealloc(items, *cap * size);
}

void reading_fault(struct reading *reading, const char *id, const char *why)
{
    if (full(reading, reading->n_faults))
        return;
    reading->faults = grown(reading->faults, reading->n_faults, &reading->faults_cap, sizeof *reading->faults);
    reading->faults[reading->n_faults++] = (struct reading_fault){keep(reading, id, RECORD_ID_BYTES_MAX), why};
}

void reading_add(struct reading *reading, const struct record *record)
{
    if (full(reading, reading->n))
        return;
    if (record->n_pupils > RECORD_PUPILS_MAX || (record->id != NULL && strlen(record->id) > RECORD_ID_BYTES_MAX)) {
        reading_fault(reading, record->id, "of too many pupils, or its id is too long");
        return;
    }
    struct record copy = *record;
    copy.id = keep(reading, record->id, RECORD_ID_BYTES_MAX);
    copy.group = keep(reading, record->group, RECORD_ID_BYTES_MAX);
    copy.pupils = NULL;
    const char **texts[] = {&copy.subject, &copy.value,  &copy.weight, &copy.work,
                            &copy.comment, &copy.author, &copy.link};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        *texts[i] = keep(reading, *texts[i], RECORD_TEXT_BYTES_MAX);
    const char *fault = record_fault(&copy);
    if (fault != NULL) {
        reading_fault(reading, copy.id, fault);
        return;
    }
    if (copy.day < reading->window.from || copy.day > reading->window.to) {
        reading_leave_out(reading, copy.id);
        return;
    }
    const char **pupils = record->n_pupils != 0 ? xcalloc(record->n_pupils, sizeof *pupils) : NULL;
    for (size_t i = 0; i < record->n_pupils; ++i)
        pupils[i] = keep(reading, record->pupils[i], RECORD_ID_BYTES_MAX);
    copy.pupils = pupils;
    reading->records = grown(reading->records, reading->n, &reading->cap, sizeof *reading->records);
    reading->records[reading->n++] = copy;
}

void reading_add_person(struct reading *reading, const struct diary_person *person)
{
    if (person->id == NULL || *person->id == '\0' || full(reading, reading->n_people))
        return;
    struct diary_person copy = *person;
    const char **texts[] = {&copy.id,         &copy.sourced_id,  &copy.family_name,
                            &copy.given_name, &copy.middle_name, &copy.class_title};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        *texts[i] = keep(reading, *texts[i], RECORD_ID_BYTES_MAX);
    reading->people = grown(reading->people, reading->n_people, &reading->people_cap, sizeof *reading->people);
    reading->people[reading->n_people++] = copy;
}

void reading_withdraw(struct reading *reading, const char *id)
{
    if (full(reading, reading->n_withdrawn))
        return;
    reading->withdrawn =
        grown(reading->withdrawn, reading->n_withdrawn, &reading->withdrawn_cap, sizeof *reading->withdrawn);
    reading->withdrawn[reading->n_withdrawn++] = keep(reading, id, RECORD_ID_BYTES_MAX);
}

void reading_leave_out(struct reading *reading, const char *id)
{
    if (reading->extent == READING_CHANGES && id != NULL)
        reading_withdraw(reading, id);
}

static int by_id(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int person_by_id(const void *a, const void *b)
{
    const struct diary_person *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int fault_by_id(const void *a, const void *b)
{
    const struct reading_fault *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same(const struct record *a, const struct record *b)
{
    static const unsigned char KEY[RECORD_KEY_BYTES];
    unsigned char x[RECORD_HASH_BYTES], y[RECORD_HASH_BYTES];
    record_hash(a, KEY, x);
    record_hash(b, KEY, y);
    return sodium_memcmp(x, y, sizeof x) == 0;
}

/* One id that stands for several contents stands for none: which of them the diary means it says the next time. */
static void unite_records(struct reading *reading)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < reading->n; i = end) {
        bool doubt = false;
        for (end = i + 1; end < reading->n && strcmp(reading->records[end].id, reading->records[i].id) == 0; ++end) {
            doubt = doubt || !same(&reading->records[i], &reading->records[end]);
            free((void *)reading->records[end].pupils);
        }
        if (doubt) {
            reading_fault(reading, reading->records[i].id, "there twice, with different contents");
            free((void *)reading->records[i].pupils);
        } else {
            reading->records[kept++] = reading->records[i];
        }
    }
    reading->n = kept;
}

static bool contradict(const char *a, const char *b)
{
    return *a != '\0' && *b != '\0' && strcmp(a, b) != 0;
}

/* A pupil may be in several classes; a name, a birth date and a sourcedId are one person's. */
static bool are_two(const struct diary_person *a, const struct diary_person *b)
{
    return contradict(a->sourced_id, b->sourced_id) || contradict(a->family_name, b->family_name) ||
           contradict(a->given_name, b->given_name) || contradict(a->middle_name, b->middle_name) ||
           (a->birth_date > 0 && b->birth_date > 0 && a->birth_date != b->birth_date);
}

/* An id that stands for several persons stands for none. */
static void unite_people(struct reading *reading)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < reading->n_people; i = end) {
        struct diary_person *person = &reading->people[i];
        for (end = i + 1; end < reading->n_people && strcmp(reading->people[end].id, person->id) == 0; ++end)
            person->doubt = person->doubt || are_two(person, &reading->people[end]);
        reading->people[kept++] = *person;
    }
    reading->n_people = kept;
}

void reading_end(struct reading *reading)
{
    if (reading->n != 0)
        qsort(reading->records, reading->n, sizeof *reading->records, by_id);
    unite_records(reading);
    if (reading->n_faults != 0)
        qsort(reading->faults, reading->n_faults, sizeof *reading->faults, fault_by_id);
    if (reading->n_withdrawn != 0)
        qsort(reading->withdrawn, reading->n_withdrawn, sizeof *reading->withdrawn, by_name);
    if (reading->n_people == 0)
        return;
    qsort(reading->people, reading->n_people, sizeof *reading->people, person_by_id);
    unite_people(reading);
}

const struct record *reading_find(const struct reading *reading, const char *id)
{
    const struct record key = {.id = id};
    return reading->n != 0 ? bsearch(&key, reading->records, reading->n, sizeof key, by_id) : NULL;
}

const struct diary_person *reading_person(const struct reading *reading, const char *id)
{
    const struct diary_person key = {.id = id};
    return reading->n_people != 0 ? bsearch(&key, reading->people, reading->n_people, sizeof key, person_by_id) : NULL;
}

/* A fault names it. */
static bool doubts(const struct reading *reading, const char *id)
{
    char whole[RECORD_ID_BYTES_MAX + 1] = "";
    const struct reading_fault key = {.id = id}, of_whole = {.id = whole};
    const char *end = strrchr(id, '/'); /* one time of an event that is doubted as a whole (icalendar.c) */
    if (reading->n_faults == 0)
        return false;
    if (end != NULL && (size_t)(end - id) < sizeof whole)
        memcpy(whole, id, (size_t)(end - id));
    return bsearch(&key, reading->faults, reading->n_faults, sizeof key, fault_by_id) != NULL ||
           (*whole != '\0' &&
            bsearch(&of_whole, reading->faults, reading->n_faults, sizeof of_whole, fault_by_id) != NULL);
}

static bool names_gone(const struct reading *reading, const char *id)
{
    return reading->n_withdrawn != 0 &&
           bsearch(&id, reading->withdrawn, reading->n_withdrawn, sizeof *reading->withdrawn, by_name) != NULL;
}

enum reading_answer reading_look(const struct reading *reading, const char *id, const struct record **record)
{
    *record = NULL;
    if (doubts(reading, id))
        return READING_UNKNOWN;
    *record = reading_find(reading, id);
    if (*record != NULL)
        return READING_HAS;
    return reading->extent == READING_WHOLE || names_gone(reading, id) ? READING_GONE : READING_UNKNOWN;
}
