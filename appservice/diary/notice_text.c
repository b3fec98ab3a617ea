#include "appservice/diary/notice_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/casefold.h"
#include "homeserver/base/names.h"

#define WORDS_BYTES_MAX 200 /* nobody chooses with more */

static const char *const MONTHS[2][12] = {
    {"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
     "декабря"},
    {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
     "December"},
};

/* By kind and language: what stands before a record's own words. */
static const char *const KINDS[RECORD__COUNT][2] = {
    [RECORD_MARK] = {"оценка", "mark"},          [RECORD_HOMEWORK] = {"домашнее задание", "homework"},
    [RECORD_LESSON] = {"урок", "lesson"},        [RECORD_ABSENCE] = {"отсутствие", "absence"},
    [RECORD_MESSAGE] = {"сообщение", "message"},
};

static const struct {
    const char *value, *words[2];
} VALUES[] = {
    {"absent", {"не был(а) на уроке", "was not in the lesson"}},
    {"late", {"опоздал(а)", "came late"}},
    {"ill", {"болеет", "is ill"}},
    {"excused", {"пропуск по уважительной причине", "was excused"}},
    {RECORD_CANCELLED, {"отменён", "cancelled"}},
};

/* --- A line --- */

/* What others wrote, as a message may show it. */
static void add_words(struct text *out, const char *s)
{
    text_add_visible(out, s, strlen(s), false);
}

static void add_day(struct text *out, enum notice_language language, school_day day)
{
    int month = day / 100 % 100;
    text_addf(out, "%d %s", day % 100, MONTHS[language][month >= 1 && month <= 12 ? month - 1 : 0]);
}

static void add_value(struct text *out, enum notice_language language, const struct record *record)
{
    bool ours = record->kind == RECORD_ABSENCE || record->kind == RECORD_LESSON;
    for (size_t i = 0; ours && i < sizeof VALUES / sizeof *VALUES; ++i)
        if (strcmp(VALUES[i].value, record->value) == 0) {
            text_adds(out, VALUES[i].words[language]);
            return;
        }
    add_words(out, record->value);
}

static bool same_line(const struct notice_item *a, const struct notice_item *b)
{
    return a->record != NULL && b->record != NULL && a->record->kind == b->record->kind &&
           a->record->day == b->record->day && strcmp(a->record->subject, b->record->subject) == 0 &&
           (a->child == b->child || (a->child != NULL && b->child != NULL && strcmp(a->child, b->child) == 0));
}

static bool told_above(const struct notice_item *items, size_t i)
{
    for (size_t k = 0; k < i; ++k)
        if (same_line(&items[k], &items[i]))
            return true;
    return false;
}

/* "5, test on fractions, corrected". */
static void add_item(struct text *out, enum notice_language language, const struct notice_item *item)
{
    const struct record *record = item->record;
    size_t before = out->len;
    add_value(out, language, record);
    if (*record->work != '\0') {
        text_adds(out, out->len != before ? ", " : "");
        add_words(out, record->work);
    }
    if (*record->comment != '\0') {
        text_adds(out, out->len != before ? ", " : "");
        add_words(out, record->comment);
    }
    if (item->what == CHANGE_CHANGED)
        text_adds(out, language == NOTICE_RUSSIAN ? " (исправлено)" : " (corrected)");
}

/* The line that item i begins, with all that belong on it. */
static void add_line(struct text *out, enum notice_language language, const struct notice_item *items, size_t n,
                     size_t i)
{
    const struct record *record = items[i].record;
    if (*record->subject != '\0')
        add_words(out, record->subject);
    else
        text_adds(out, KINDS[record->kind][language]);
    text_adds(out, ", ");
    add_day(out, language, record->day);
    if (*record->subject != '\0' && record->kind != RECORD_MARK)
        text_addf(out, ", %s", KINDS[record->kind][language]);
    text_adds(out, ": ");
    for (size_t k = i, first = 1; k < n; ++k) {
        if (!same_line(&items[i], &items[k]))
            continue;
        text_adds(out, first != 0 ? "" : "; ");
        add_item(out, language, &items[k]);
        first = 0;
    }
    text_addc(out, '\n');
}

/* --- Messages --- */

/* How long the host is at the beginning; 0: what stands there is none, or goes on as no address does. Clients and
 * browsers end a host at more than '/': whatever is no letter of a host is refused. */
static size_t host_at(const char *s)
{
    size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"), behind = len;
    if (s[len] == ':')
        behind += 1 + strspn(s + len + 1, "0123456789");
    return s[behind] == '\0' || strchr("/?#", s[behind]) != NULL ? len : 0;
}

/* https:// and a host of the list, or what lies below one. What is behind it must not end the link early. */
static bool may_link(const char *link, const char *const *links, size_t n)
{
    if (strncmp(link, "https://", 8) != 0 || !text_is_line(link) || strpbrk(link, " \\<>\"") != NULL)
        return false;
    size_t len = host_at(link + 8);
    for (size_t i = 0; i < n; ++i) {
        size_t host_len = strlen(links[i]);
        if (len < host_len || strncasecmp(link + 8 + len - host_len, links[i], host_len) != 0)
            continue;
        if (len == host_len || link[8 + len - host_len - 1] == '.')
            return true;
    }
    return false;
}

/* The first that may be linked to. */
static void add_link(struct text *out, const struct notice_item *items, size_t n, const struct notice_links *links)
{
    const char *link = links->otherwise;
    for (size_t i = n; i-- > 0;)
        if (items[i].record != NULL && may_link(items[i].record->link, links->hosts, links->n))
            link = items[i].record->link;
    if (link != NULL && may_link(link, links->hosts, links->n))
        text_addf(out, "%s\n", link);
}

void notice_add_message(struct text *out, enum notice_language language, const struct notice_item *items, size_t n,
                        const struct notice_links *links)
{
    if (n != 0 && items[0].child != NULL) {
        add_words(out, items[0].child);
        text_addc(out, '\n');
    }
    for (size_t i = 0; i < n; ++i)
        if (!told_above(items, i))
            add_line(out, language, items, n, i);
    add_link(out, items, n, links);
}

/* The part of one child: items of the same. */
static void add_part(struct text *out, enum notice_language language, const struct notice_item *items, size_t n)
{
    int unseen = 0;
    if (items[0].child != NULL) {
        text_addc(out, '\n');
        add_words(out, items[0].child);
        text_addc(out, '\n');
    }
    for (size_t i = 0; i < n; ++i) {
        unseen += items[i].record == NULL;
        if (items[i].record != NULL && !told_above(items, i))
            add_line(out, language, items, n, i);
    }
    if (unseen != 0)
        text_addf(out, language == NOTICE_RUSSIAN ? "новых записей в дневнике: %d\n" : "new in the diary: %d\n",
                  unseen);
}

void notice_add_digest(struct text *out, enum notice_language language, bool weekly, const struct notice_item *items,
                       size_t n, const struct notice_links *links)
{
    static const char *const HEADS[2][2] = {{"Дневник за день", "The diary of the day"},
                                            {"Дневник за неделю", "The diary of the week"}};
    text_addf(out, "%s\n", HEADS[weekly][language]);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && items[next].child == items[i].child;)
            ++next;
        add_part(out, language, items + i, next - i);
    }
    add_link(out, items, n, links);
}

/* --- Timetables --- */

/* "9:00" and "2" come before "10:00" and "10". */
static int by_time(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;
    long first = strtol(x->value, NULL, 10), second = strtol(y->value, NULL, 10);
    if (first != second)
        return first < second ? -1 : 1;
    int order = strcmp(x->value, y->value);
    return order != 0 ? order : strcmp(x->id, y->id);
}

void notice_add_timetable(struct text *out, enum notice_language language, school_day day,
                          const struct record **records, size_t n)
{
    text_adds(out, language == NOTICE_RUSSIAN ? "Расписание на завтра, " : "Tomorrow’s timetable, ");
    add_day(out, language, day);
    text_addc(out, '\n');
    qsort(records, n, sizeof *records, by_time);
    for (size_t i = 0; i < n; ++i) {
        const struct record *r = records[i];
        add_value(out, language, r);
        text_addc(out, ' ');
        add_words(out, *r->subject != '\0' ? r->subject : KINDS[RECORD_LESSON][language]);
        if (*r->comment != '\0') {
            text_adds(out, ", ");
            add_words(out, r->comment);
        }
        text_addc(out, '\n');
    }
}

/* --- Choices --- */

static const struct {
    const char *words; /* folded: ё is е */
    enum notice_choice choice;
    enum notice_language language;
} CHOICES[] = {
    {"marks now", CHOICE_MARKS_NOW, NOTICE_ENGLISH},
    {"marks daily", CHOICE_MARKS_DAILY, NOTICE_ENGLISH},
    {"marks weekly", CHOICE_MARKS_WEEKLY, NOTICE_ENGLISH},
    {"off", CHOICE_OFF, NOTICE_ENGLISH},
    {"on", CHOICE_ON, NOTICE_ENGLISH},
    {"help", CHOICE_HELP, NOTICE_ENGLISH},
    {"оценки сразу", CHOICE_MARKS_NOW, NOTICE_RUSSIAN},
    {"оценки раз в день", CHOICE_MARKS_DAILY, NOTICE_RUSSIAN},
    {"оценки ежедневно", CHOICE_MARKS_DAILY, NOTICE_RUSSIAN},
    {"оценки раз в неделю", CHOICE_MARKS_WEEKLY, NOTICE_RUSSIAN},
    {"оценки еженедельно", CHOICE_MARKS_WEEKLY, NOTICE_RUSSIAN},
    {"выключить", CHOICE_OFF, NOTICE_RUSSIAN},
    {"включить", CHOICE_ON, NOTICE_RUSSIAN},
    {"помощь", CHOICE_HELP, NOTICE_RUSSIAN},
};

/* One space between words, none around them, no full stop. */
static void tidy(char *s)
{
    char *to = s;
    for (const char *from = s; *from != '\0'; ++from)
        if (strchr(" \t\r\n", *from) == NULL)
            *to++ = *from;
        else if (to != s && to[-1] != ' ')
            *to++ = ' ';
    while (to != s && (to[-1] == ' ' || to[-1] == '.'))
        --to;
    *to = '\0';
}

enum notice_choice notice_choice_of(const char *words, enum notice_language *language)
{
    enum notice_choice choice = CHOICE_NONE;
    *language = NOTICE_RUSSIAN;
    if (strlen(words) > WORDS_BYTES_MAX)
        return CHOICE_NONE;
    char *said = casefold(words);
    tidy(said);
    for (size_t i = 0; i < sizeof CHOICES / sizeof *CHOICES; ++i)
        if (strcmp(CHOICES[i].words, said) == 0) {
            choice = CHOICES[i].choice;
            *language = CHOICES[i].language;
        }
    free(said);
    return choice;
}

/* --- Reasons --- */

static const struct {
    const char *words[2], *folded[2], *key;
} REASON_WORDS[REASONS] = {
    {{"болеет", "is ill"}, {"болеет", "is ill"}, "1\xEF\xB8\x8F\xE2\x83\xA3"},
    {{"у врача", "at the doctor’s"}, {"у врача", "at the doctor's"}, "2\xEF\xB8\x8F\xE2\x83\xA3"},
    {{"по семейным обстоятельствам", "family reasons"},
     {"по семейным обстоятельствам", "family reasons"},
     "3\xEF\xB8\x8F\xE2\x83\xA3"},
    {{"задерживается в дороге", "delayed on the way"},
     {"задерживается в дороге", "delayed on the way"},
     "4\xEF\xB8\x8F\xE2\x83\xA3"},
    {{"причина пока не известна", "the reason is not known yet"},
     {"причина пока не известна", "the reason is not known yet"},
     "5\xEF\xB8\x8F\xE2\x83\xA3"},
};

void notice_add_reasons(struct text *out, enum notice_language language)
{
    text_adds(out, language == NOTICE_RUSSIAN ? "Можно ответить цифрой: " : "You can answer with a number: ");
    for (int i = 0; i < REASONS; ++i)
        text_addf(out, "%s%d – %s", i != 0 ? ", " : "", i + 1, REASON_WORDS[i].words[language]);
    text_addc(out, '\n');
}

const char *notice_reason_key(int reason)
{
    return REASON_WORDS[reason].key;
}

int notice_reason_of(const char *words)
{
    int reason = REASON_NONE;
    if (strlen(words) > WORDS_BYTES_MAX)
        return REASON_NONE;
    char *said = casefold(words);
    tidy(said);
    for (int i = 0; i < REASONS; ++i) {
        bool digit = said[0] == '1' + i && (said[1] == '\0' || strcmp(said + 1, "\xE2\x83\xA3") == 0);
        if (digit || strcmp(said, REASON_WORDS[i].key) == 0 || strcmp(said, REASON_WORDS[i].folded[0]) == 0 ||
            strcmp(said, REASON_WORDS[i].folded[1]) == 0)
            reason = i;
    }
    free(said);
    return reason;
}

void notice_add_reason(struct text *out, enum notice_language language, const char *child, school_day day, int reason,
                       const char *guardian)
{
    add_words(out, child);
    text_adds(out, language == NOTICE_RUSSIAN ? ", отсутствие, " : ", absence, ");
    add_day(out, language, day);
    text_addf(out, ": %s\n%s: ", REASON_WORDS[reason].words[language],
              language == NOTICE_RUSSIAN ? "Ответ от" : "Answer of");
    add_words(out, guardian);
}

const char *notice_reason_answer(enum notice_language language, bool told)
{
    static const char *const ANSWERS[2][2] = {
        {"Классного руководителя в записях школы нет: ответ передать некому.",
         "The school’s records name no class teacher: there is nobody to tell."},
        {"Ответ передан классному руководителю.", "The class teacher has your answer."}};
    return ANSWERS[told][language];
}

const char *notice_answer(enum notice_choice choice, enum notice_language language)
{
    static const char *const ANSWERS[][2] = {
        [CHOICE_MARKS_NOW] = {"Оценки приходят сразу.", "Marks come at once."},
        [CHOICE_MARKS_DAILY] = {"Оценки приходят раз в день, все вместе.", "Marks come once a day, all together."},
        [CHOICE_MARKS_WEEKLY] = {"Оценки приходят раз в неделю, все вместе.", "Marks come once a week, all together."},
        [CHOICE_OFF] = {"Сюда больше ничего не придёт. Вернуть: «включить».",
                        "Nothing more will come. To have it back: “on”."},
        [CHOICE_ON] = {"Сообщения из дневника снова приходят.", "What the diary says comes again."},
        [CHOICE_HELP] = {"Можно написать: «оценки сразу», «оценки раз в день», «оценки раз в неделю», «выключить», "
                         "«включить», «помощь». Пароля или кода от дневника этот бот никогда не спрашивает.",
                         "You can write: “marks now”, “marks daily”, “marks weekly”, “off”, “on”, “help”. This bot "
                         "never asks for a password or a code of the diary."},
    };
    return ANSWERS[choice == CHOICE_NONE ? CHOICE_HELP : choice][language];
}
