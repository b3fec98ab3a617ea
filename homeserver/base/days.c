#include "homeserver/base/days.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/base/clock.h"

#define BIRTH_FIRST 19000101

school_day day_of_ms(int64_t wall_ms)
{
    /* Days since 1970 to the civil calendar, by eras of 400 years that begin on 1 March. */
    int64_t days = wall_ms / 86400000 - (wall_ms % 86400000 < 0) + 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    int64_t day = of_year - (153 * from_march + 2) / 5 + 1;
    return (school_day)((year + era * 400 + (month <= 2)) * 10000 + month * 100 + day);
}

static int digits(const char *s, int n)
{
    int value = 0;
    for (int i = 0; i < n; ++i) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        value = value * 10 + (s[i] - '0');
    }
    return value;
}

school_day day_from(const char *text)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return -1;
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return -1;
    bool leap = month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    return day > DAYS[month - 1] + leap ? -1 : year * 10000 + month * 100 + day;
}

const char *day_text(school_day day, char out[DAY_TEXT_BYTES])
{
    unsigned d = (unsigned)day;
    snprintf(out, DAY_TEXT_BYTES, "%04u-%02u-%02u", d / 10000 % 10000, d / 100 % 100, d % 100);
    return out;
}

school_day day_after(school_day day, int days)
{
    /* day_of_ms the other way round: days since 1970, by the same eras. */
    int64_t month = day / 100 % 100, year = day / 10000 - (month <= 2), era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day % 100 - 1;
    int64_t since = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return day_of_ms((since + days) * 86400000);
}

bool day_is_birth(school_day day)
{
    return day == DAY_EVER || (day >= BIRTH_FIRST && day <= day_of_ms(clock_wall_ms()));
}

const char *day_today(char out[DAY_TEXT_BYTES])
{
    return day_text(day_of_ms(clock_wall_ms()), out);
}
