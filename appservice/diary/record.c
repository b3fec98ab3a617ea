#include "appservice/diary/record.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/shape.h"
#include "homeserver/base/words.h"

static const char *const KINDS[RECORD__COUNT] = {"mark", "homework", "lesson", "absence", "message"};

const char *record_kind_name(enum record_kind kind)
{
    return KINDS[kind];
}

int record_kind_from(const char *name)
{
    return WORD_FIND(KINDS, name);
}

const char *record_fault(const struct record *record)
{
    bool personal = record->kind == RECORD_MARK || record->kind == RECORD_ABSENCE;
    if (*record->id == '\0')
        return "without an id";
    if (record->day <= 0)
        return "without a day of the calendar";
    if (personal && record->n_pupils != 1)
        return "not of exactly one pupil";
    if (record->n_pupils == 0 && *record->group == '\0')
        return "of nobody: it names neither pupils nor a group";
    if (record->kind == RECORD_MARK && *record->value == '\0')
        return "a mark without a value";
    return NULL;
}

static void hash_string(crypto_generichash_state *state, const char *s)
{
    uint64_t len = strlen(s); /* before it, so that no two lists of strings look alike */
    crypto_generichash_update(state, (const unsigned char *)&len, sizeof len);
    crypto_generichash_update(state, (const unsigned char *)s, len);
}

void record_hash(const struct record *record, const unsigned char key[RECORD_KEY_BYTES],
                 unsigned char out[RECORD_HASH_BYTES])
{
    const char *const strings[] = {record->group, record->subject, record->value, record->weight,
                                   record->work,  record->comment, record->author};
    crypto_generichash_state state;
    uint64_t head[] = {record->kind, (uint64_t)record->day, record->n_pupils};
    crypto_generichash_init(&state, key, RECORD_KEY_BYTES, RECORD_HASH_BYTES);
    crypto_generichash_update(&state, (const unsigned char *)head, sizeof head);
    for (size_t i = 0; i < record->n_pupils; ++i)
        hash_string(&state, record->pupils[i]);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; ++i)
        hash_string(&state, strings[i]);
    crypto_generichash_final(&state, out, RECORD_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
}

void record_hash_whom(const char *const *pupils, size_t n, const char *class_id,
                      const unsigned char key[RECORD_KEY_BYTES], unsigned char out[RECORD_HASH_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, RECORD_KEY_BYTES, RECORD_HASH_BYTES);
    hash_string(&state, class_id != NULL ? class_id : "");
    for (size_t i = 0; i < n; ++i)
        hash_string(&state, pupils[i]);
    crypto_generichash_final(&state, out, RECORD_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
}

school_day record_day(const char *text)
{
    char day[DAY_TEXT_BYTES];
    if (text == NULL || strlen(text) < DAY_TEXT_BYTES - 1 ||
        (text[DAY_TEXT_BYTES - 1] != '\0' && text[DAY_TEXT_BYTES - 1] != 'T' && text[DAY_TEXT_BYTES - 1] != ' '))
        return -1;
    memcpy(day, text, DAY_TEXT_BYTES - 1);
    day[DAY_TEXT_BYTES - 1] = '\0';
    return day_from(day);
}

/* "Z", "+03:00", "-0300" or nothing, in seconds to take off. false: none of these. */
static bool read_offset(const char *text, int *seconds)
{
    static const char *const SHAPES[] = {"00:00", "0000"};
    char sign = *text;
    size_t i = 0;
    *seconds = 0;
    if (sign == '\0' || strcmp(text, "Z") == 0)
        return true;
    while (i < 2 && (!shape_begins(text + 1, SHAPES[i]) || text[1 + strlen(SHAPES[i])] != '\0'))
        ++i;
    if ((sign != '+' && sign != '-') || i == 2)
        return false;
    int hours = (text[1] - '0') * 10 + text[2] - '0';
    int minutes = (int)strtol(text + 1 + strlen(SHAPES[i]) - 2, NULL, 10);
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return hours <= 14 && minutes < 60;
}

int64_t record_moment(const char *text)
{
    struct tm tm = {0};
    int offset, ms = 0;
    if (record_day(text) <= 0)
        return 0;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL)
        return 0;
    if (*rest == '.') {
        int factor = 100;
        for (++rest; *rest >= '0' && *rest <= '9'; ++rest, factor /= 10)
            ms += (*rest - '0') * factor;
    }
    if (!read_offset(rest, &offset))
        return 0;
    int64_t seconds = (int64_t)timegm(&tm) - offset;
    return seconds > 0 ? seconds * 1000 + ms : 0;
}

bool record_same_lesson(const struct record *a, const struct record *b)
{
    return a->kind == RECORD_MARK && b->kind == RECORD_MARK && a->n_pupils == 1 && b->n_pupils == 1 &&
           a->day == b->day && strcmp(a->pupils[0], b->pupils[0]) == 0 && strcmp(a->subject, b->subject) == 0;
}
