#include "appservice/diary/recurrence.h"

#include <string.h>

#define POSITION_MAX 53 /* the 53rd Monday of a year */
#define PERIOD_DAYS_MAX 366

/* The rule's lists as what a day is looked up in, so that a day costs the same however long they are. */
struct recurrence {
    enum icalrecurrencetype_frequency freq;
    int64_t interval;
    uint32_t months;               /* bit n: the nth; 0: all */
    uint32_t days, days_from_end;  /* of a month, bit n: the nth, from its first and from its last; both 0: all */
    uint8_t weekdays;              /* bit n: the nth, Sunday is 0 */
    uint8_t nth[POSITION_MAX + 1]; /* nth[2]: of which weekdays the second … */
    uint8_t nth_from_end[POSITION_MAX + 1]; /* … and the last but one */
    bool by_day, by_nth, by_position;
    bool position[PERIOD_DAYS_MAX + 1], position_from_end[PERIOD_DAYS_MAX + 1];
    int week_start;
};

/* --- Days as numbers, 0 is 1 March of the year 0 --- */

static int64_t number_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * year + year / 4 - year / 100 + year / 400 + of_year;
}

static int weekday_of(int64_t number)
{
    return (int)((number + 3) % 7); /* 1 March of the year 0 was a Wednesday */
}

static int64_t number_of_day(school_day day)
{
    return number_of(day / 10000, day / 100 % 100, day % 100);
}

/* --- The rule --- */

static bool all_are(const short *list, int value)
{
    for (; *list != ICAL_RECURRENCE_ARRAY_MAX; ++list)
        if (*list != value)
            return false;
    return true;
}

static bool take_weekdays(struct recurrence *r, const short *list)
{
    for (; *list != ICAL_RECURRENCE_ARRAY_MAX; ++list) {
        int at = icalrecurrencetype_day_position(*list), weekday = (int)icalrecurrencetype_day_day_of_week(*list) - 1;
        if (weekday < 0 || weekday > 6 || at > POSITION_MAX || at < -POSITION_MAX)
            return false;
        uint8_t *to = at == 0 ? &r->weekdays : at > 0 ? &r->nth[at] : &r->nth_from_end[-at];
        *to |= (uint8_t)(1u << weekday);
        r->by_day = true;
        r->by_nth = r->by_nth || at != 0;
    }
    return true;
}

static bool take_lists(struct recurrence *r, const struct icalrecurrencetype *rule)
{
    const short *month = rule->by_month, *day = rule->by_month_day, *position = rule->by_set_pos;
    for (; *month != ICAL_RECURRENCE_ARRAY_MAX; r->months |= 1u << *month++)
        if (*month < 1 || *month > 12)
            return false;
    for (; *day != ICAL_RECURRENCE_ARRAY_MAX; ++day) {
        if (*day == 0 || *day > 31 || *day < -31)
            return false;
        *(*day > 0 ? &r->days : &r->days_from_end) |= 1u << (*day > 0 ? *day : -*day);
    }
    for (; *position != ICAL_RECURRENCE_ARRAY_MAX; ++position) {
        if (*position == 0 || *position > PERIOD_DAYS_MAX || *position < -PERIOD_DAYS_MAX)
            return false;
        *(*position > 0 ? &r->position[*position] : &r->position_from_end[-*position]) = true;
        r->by_position = true;
    }
    return take_weekdays(r, rule->by_day);
}

/* What the rule leaves out is as the first was. */
static void take_defaults(struct recurrence *r, icaltimetype start)
{
    bool dated = r->days != 0 || r->days_from_end != 0;
    if (r->freq == ICAL_WEEKLY_RECURRENCE && !r->by_day) {
        r->weekdays = (uint8_t)(1u << weekday_of(number_of(start.year, start.month, start.day)));
        r->by_day = true;
    }
    if (r->freq < ICAL_MONTHLY_RECURRENCE || dated || r->by_day)
        return;
    r->days = 1u << start.day;
    if (r->freq == ICAL_YEARLY_RECURRENCE && r->months == 0)
        r->months = 1u << start.month;
}

static const char *take_rule(struct recurrence *r, const struct icalrecurrencetype *rule, icaltimetype start)
{
    *r = (struct recurrence){.freq = rule->freq, .interval = rule->interval, .week_start = (int)rule->week_start - 1};
    if (rule->freq < ICAL_DAILY_RECURRENCE || rule->freq > ICAL_YEARLY_RECURRENCE ||
        !all_are(rule->by_hour, start.hour) || !all_are(rule->by_minute, start.minute) ||
        !all_are(rule->by_second, start.second))
        return "recurs more often than daily, or by no rule";
    if (rule->rscale != NULL || rule->skip != ICAL_SKIP_OMIT || rule->by_week_no[0] != ICAL_RECURRENCE_ARRAY_MAX ||
        rule->by_year_day[0] != ICAL_RECURRENCE_ARRAY_MAX || rule->interval < 1 || rule->count < 0 ||
        r->week_start < 0 || r->week_start > 6 || !take_lists(r, rule) ||
        (r->by_nth && rule->freq < ICAL_MONTHLY_RECURRENCE) ||
        ((r->days != 0 || r->days_from_end != 0) && rule->freq == ICAL_WEEKLY_RECURRENCE))
        return "recurs by a rule that no timetable has";
    take_defaults(r, start);
    return NULL;
}

/* --- Its days --- */

struct span {
    int64_t first, end; /* numbers of days; without the end */
};

static struct span month_of(int64_t month) /* counted from January of the year 0 */
{
    return (struct span){number_of(month / 12, (int)(month % 12) + 1, 1),
                         number_of((month + 1) / 12, (int)((month + 1) % 12) + 1, 1)};
}

/* The kth period after the one of start. */
static struct span period_of(const struct recurrence *r, icaltimetype start, int64_t k)
{
    int64_t first = number_of(start.year, start.month, start.day);
    switch (r->freq) {
    case ICAL_DAILY_RECURRENCE: return (struct span){first + k * r->interval, first + k * r->interval + 1};
    case ICAL_WEEKLY_RECURRENCE:
        first += 7 * k * r->interval - (weekday_of(first) - r->week_start + 7) % 7;
        return (struct span){first, first + 7};
    case ICAL_MONTHLY_RECURRENCE: return month_of((int64_t)start.year * 12 + start.month - 1 + k * r->interval);
    default:
        return (struct span){number_of(start.year + k * r->interval, 1, 1),
                             number_of(start.year + k * r->interval + 1, 1, 1)};
    }
}

/* No later than the one that has day, and of those the last that is sure. */
static int64_t period_before(const struct recurrence *r, int64_t days_since_start)
{
    static const int LONGEST[] = {[ICAL_DAILY_RECURRENCE] = 1,
                                  [ICAL_WEEKLY_RECURRENCE] = 7,
                                  [ICAL_MONTHLY_RECURRENCE] = 31,
                                  [ICAL_YEARLY_RECURRENCE] = 366};
    return days_since_start > 0 ? days_since_start / (LONGEST[r->freq] * r->interval) : 0;
}

/* Days of one month, or of a part of it; of: in which "the second Monday" is counted. */
static void add_days(const struct recurrence *r, struct span days, struct span month, struct span of,
                     int64_t found[PERIOD_DAYS_MAX], size_t *n)
{
    for (int64_t day = days.first; day < days.end; ++day) {
        int64_t nth = (day - of.first) / 7 + 1, from_end = (of.end - 1 - day) / 7 + 1;
        uint8_t weekdays = r->weekdays | r->nth[nth] | r->nth_from_end[from_end];
        bool dated = r->days != 0 || r->days_from_end != 0;
        if ((r->by_day && (weekdays >> weekday_of(day) & 1) == 0) ||
            (dated && (r->days >> (day - month.first + 1) & 1) == 0 &&
             (r->days_from_end >> (month.end - day) & 1) == 0))
            continue;
        found[(*n)++] = day;
    }
}

/* The month of a day, counted from January of the year 0. */
static int64_t month_with(int64_t day)
{
    int64_t month = (day + 60) * 4800 / 146097;
    while (month_of(month).first > day)
        --month;
    while (month_of(month).end <= day)
        ++month;
    return month;
}

/* Those of a period that the rule means. */
static size_t days_of(const struct recurrence *r, struct span period, int64_t found[PERIOD_DAYS_MAX], int64_t *days)
{
    size_t n = 0, kept = 0;
    for (int64_t m = month_with(period.first); month_of(m).first < period.end; ++m) {
        struct span month = month_of(m);
        struct span part = {month.first > period.first ? month.first : period.first,
                            month.end < period.end ? month.end : period.end};
        --*days;
        if (r->months != 0 && (r->months >> (m % 12 + 1) & 1) == 0)
            continue;
        *days -= part.end - part.first;
        add_days(r, part, month, r->freq == ICAL_YEARLY_RECURRENCE && r->months == 0 ? period : month, found, &n);
    }
    for (size_t i = 0; i < n; ++i)
        if (!r->by_position || r->position[i + 1] || r->position_from_end[n - i])
            found[kept++] = found[i];
    return kept;
}

static icaltimetype on_day(icaltimetype start, int64_t number)
{
    school_day day = day_of_ms((number - 719468) * 86400000);
    start.year = day / 10000;
    start.month = day / 100 % 100;
    start.day = day % 100;
    return start;
}

/* The last day that UNTIL leaves. */
static int64_t last_day(icaltimetype start, icaltimetype until, int64_t last)
{
    if (icaltime_is_null_time(until) || !icaltime_is_valid_time(until) || until.year < 1 || until.year > 9999)
        return last;
    int64_t day = number_of(until.year, until.month, until.day);
    int of_start = start.hour * 3600 + start.minute * 60 + start.second;
    if (!start.is_date && (until.is_date || until.hour * 3600 + until.minute * 60 + until.second < of_start))
        --day;
    return day < last ? day : last;
}

const char *recurrence_follow(const struct icalrecurrencetype *rule, icaltimetype start, icaltimetype until,
                              struct window window, int64_t *days, recurrence_each *each, void *arg)
{
    struct recurrence r;
    int64_t found[PERIOD_DAYS_MAX], begin = number_of(start.year, start.month, start.day);
    int64_t from = number_of_day(window.from) - 1, last = last_day(start, until, number_of_day(window.to) + 1),
            count = 0;
    int64_t least = *days > RECURRENCE_RULE_DAYS_MAX ? *days - RECURRENCE_RULE_DAYS_MAX : 0;
    const char *fault = take_rule(&r, rule, start);
    if (fault != NULL)
        return fault;
    /* who counts, counts from the first */
    int64_t k = rule->count != 0 ? 0 : period_before(&r, from - begin);
    for (struct span period = period_of(&r, start, k); period.first <= last; period = period_of(&r, start, ++k)) {
        size_t n = days_of(&r, period, found, days);
        for (size_t i = 0; i < n; ++i) {
            if (found[i] < begin || found[i] > last)
                continue;
            if (rule->count != 0 && ++count > rule->count)
                return NULL;
            if (found[i] >= from)
                each(arg, on_day(start, found[i]));
        }
        if (*days < least)
            return "recurs too often since it began";
    }
    return NULL;
}
