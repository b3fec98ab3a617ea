#include "policy/oneroster/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/names.h"
#include "homeserver/base/shape.h"

#define HEAD                                                                                                           \
    {"sourcedId", CELL_ID, true, .kept = true, .read = true}, {"status", CELL_STATUS},                                 \
    {                                                                                                                  \
        "dateLastModified", CELL_ANY                                                                                   \
    }
#define TABLE(name_, columns_, required_, only_)                                                                       \
    {                                                                                                                  \
        name_, columns_, sizeof(columns_) / sizeof *(columns_), required_, only_                                       \
    }
#define PEOPLE_1_1 "|administrator|aide|guardian|parent|proctor|relative|student|teacher|"

static const struct column SESSIONS[] = {
    HEAD,
    {"title", CELL_NAME, true, .kept = true},
    {"type", CELL_WORD, true, true, "|gradingPeriod|semester|schoolYear|term|", .kept = true, .read = true},
    {"startDate", CELL_DATE, true, .kept = true, .read = true},
    {"endDate", CELL_DATE, true, .kept = true, .read = true},
    {"parentSourcedId", CELL_ID, .kept = true},
    {"schoolYear", CELL_YEAR, true, .kept = true},
};
static const struct column ORGS[] = {
    HEAD,
    {"name", CELL_NAME, true, .kept = true, .read = true},
    {"type", CELL_WORD, true, true, "|department|school|district|local|state|national|", .kept = true, .read = true},
    {"identifier", CELL_ANY},
    {"parentSourcedId", CELL_ID, .kept = true},
};
static const struct column COURSES[] = {
    HEAD,
    {"schoolYearSourcedId", CELL_ID, .kept = true},
    {"title", CELL_NAME, true, .kept = true},
    {"courseCode", CELL_ANY},
    {"grades", CELL_ANY},
    {"orgSourcedId", CELL_ID, true, .kept = true},
    {"subjects", CELL_ANY},
    {"subjectCodes", CELL_ANY},
};
static const struct column CLASSES[] = {
    HEAD,
    {"title", CELL_NAME, true, .kept = true, .read = true},
    {"grades", CELL_NAME, .kept = true, .read = true},
    {"courseSourcedId", CELL_ID, true, .kept = true},
    {"classCode", CELL_ANY},
    {"classType", CELL_WORD, true, true, "|homeroom|scheduled|", .kept = true, .read = true},
    {"location", CELL_ANY},
    {"schoolSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"termSourcedIds", CELL_IDS, true, .kept = true},
    {"subjects", CELL_ANY},
    {"subjectCodes", CELL_ANY},
    {"periods", CELL_ANY},
};
static const struct column USERS[] = {
    HEAD,
    {"enabledUser", CELL_BOOL, true, .kept = true, .read = true},
    {"username", CELL_ANY, true},
    {"userIds", CELL_ANY},
    {"givenName", CELL_NAME, true, .kept = true, .read = true},
    {"familyName", CELL_NAME, true, .kept = true, .read = true},
    {"middleName", CELL_NAME, .kept = true, .read = true},
    {"identifier", CELL_ANY},
    {"email", CELL_ANY},
    {"sms", CELL_ANY},
    {"phone", CELL_ANY},
    {"agentSourcedIds", CELL_IDS, .kept = true, .read = true},
    {"grades", CELL_ANY},
    {"password", CELL_ANY},
    {"userMasterIdentifier", CELL_ANY, .only = ONEROSTER_1_2},
    {"preferredGivenName", CELL_NAME, .only = ONEROSTER_1_2},
    {"preferredMiddleName", CELL_NAME, .only = ONEROSTER_1_2},
    {"preferredFamilyName", CELL_NAME, .only = ONEROSTER_1_2},
    {"primaryOrgSourcedId", CELL_ID, .only = ONEROSTER_1_2},
    {"pronouns", CELL_ANY, .only = ONEROSTER_1_2},
    {"orgSourcedIds", CELL_IDS, true, .only = ONEROSTER_1_1, .read = true},
    {"role", CELL_WORD, true, true, PEOPLE_1_1, .only = ONEROSTER_1_1, .read = true},
    {"samePersonSourcedId", CELL_ID, .only = ONEROSTER_SNAPSHOT, .kept = true, .read = true},
};
static const struct column ROLES[] = {
    HEAD,
    {"userSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"roleType", CELL_WORD, true, false, "|primary|secondary|", .kept = true},
    {"role", CELL_WORD, true, true,
     "|aide|counselor|districtAdministrator|guardian|parent|principal|proctor|relative|siteAdministrator|student|"
     "systemAdministrator|teacher|",
     .kept = true, .read = true},
    {"beginDate", CELL_DATE, .kept = true, .read = true},
    {"endDate", CELL_DATE, .kept = true, .read = true},
    {"orgSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"userProfileSourcedId", CELL_ANY},
};
static const struct column ENROLLMENTS[] = {
    HEAD,
    {"classSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"schoolSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"userSourcedId", CELL_ID, true, .kept = true, .read = true},
    {"role", CELL_WORD, true, true, "|administrator|proctor|student|teacher|", PEOPLE_1_1, .kept = true, .read = true},
    {"primary", CELL_BOOL, .kept = true, .read = true},
    {"beginDate", CELL_DATE, .kept = true, .read = true},
    {"endDate", CELL_DATE, .kept = true, .read = true},
};
static const struct column DEMOGRAPHICS[] = {
    HEAD,
    {"birthDate", CELL_DATE, .kept = true, .read = true},
    {"sex", CELL_WORD, false, true, "|male|female|unspecified|other|"},
    {"americanIndianOrAlaskaNative", CELL_ANY},
    {"asian", CELL_ANY},
    {"blackOrAfricanAmerican", CELL_ANY},
    {"nativeHawaiianOrOtherPacificIslander", CELL_ANY},
    {"white", CELL_ANY},
    {"demographicRaceTwoOrMoreRaces", CELL_ANY},
    {"hispanicOrLatinoEthnicity", CELL_ANY},
    {"countryOfBirthCode", CELL_ANY},
    {"stateOfBirthAbbreviation", CELL_ANY},
    {"cityOfBirth", CELL_ANY},
    {"publicSchoolResidenceStatus", CELL_ANY},
};

const struct table ROSTER_TABLES[TABLE__COUNT] = {
    [TABLE_SESSIONS] = TABLE("academicSessions", SESSIONS, false, 0),
    [TABLE_ORGS] = TABLE("orgs", ORGS, true, 0),
    [TABLE_COURSES] = TABLE("courses", COURSES, false, 0),
    [TABLE_CLASSES] = TABLE("classes", CLASSES, true, 0),
    [TABLE_USERS] = TABLE("users", USERS, true, 0),
    [TABLE_ROLES] = TABLE("roles", ROLES, true, ONEROSTER_1_2),
    [TABLE_ENROLLMENTS] = TABLE("enrollments", ENROLLMENTS, true, 0),
    [TABLE_DEMOGRAPHICS] = TABLE("demographics", DEMOGRAPHICS, false, 0),
};

bool column_in(const struct column *column, enum oneroster version)
{
    return version == ONEROSTER_SNAPSHOT ? column->kept : column->only == 0 || column->only == version;
}

bool table_in(const struct table *table, enum oneroster version)
{
    return version == ONEROSTER_SNAPSHOT || table->only == 0 || table->only == version;
}

int column_find(const struct table *table, const char *name, enum oneroster version, size_t hint)
{
    size_t at = hint < table->n ? hint : 0;
    for (size_t n = table->n; n > 0; --n, at = at + 1 < table->n ? at + 1 : 0)
        if (strcasecmp(table->columns[at].name, name) == 0 && column_in(&table->columns[at], version))
            return (int)at;
    return -1;
}

bool column_needed(const struct table *table, int column, enum oneroster version, bool delta)
{
    const struct column *c = &table->columns[column];
    if (delta && (c->kind == CELL_STATUS || column == USER_MODIFIED))
        return true;
    return column_in(c, version) && c->read && (version != ONEROSTER_SNAPSHOT || c->required);
}

/* --- Cells --- */

bool word_is(const char *value, const char *word)
{
    return strcasecmp(value, word) == 0;
}

bool bool_is_true(const char *value)
{
    return word_is(value, "true") || strcmp(value, "1") == 0;
}

static bool is_word(const struct column *column, enum oneroster version, const char *value)
{
    const char *words = version == ONEROSTER_1_2 || column->words_1_1 == NULL ? column->words : column->words_1_1;
    size_t len = strlen(value);
    if (column->extensible && strncasecmp(value, "ext:", 4) == 0 && value[4] != '\0')
        return true;
    if (strchr(value, '|') != NULL)
        return false;
    for (const char *at = words; (at = strcasestr(at, value)) != NULL; ++at)
        if (at[-1] == '|' && at[len] == '|')
            return true;
    return false;
}

const char *column_fault(const struct column *column, enum oneroster version, const char *value)
{
    if (*value == '\0')
        return column->required ? "is empty" : NULL;
    switch (column->kind) {
    case CELL_ANY:
    case CELL_IDS:
    case CELL_STATUS: return NULL;
    case CELL_ID: return strlen(value) > NAME_BYTES_MAX ? "longer than 255 bytes" : token_fault(value);
    case CELL_NAME: /* what nobody will read may look as it likes; a middle name of one space is none */
        if (!column->read || (!column->required && text_is_blank(value)))
            return strlen(value) > NAME_BYTES_MAX ? "longer than 255 bytes" : NULL;
        return name_fault(value, NAME_BYTES_MAX);
    case CELL_DATE: return day_from(value) < 0 ? "not a date like 2026-09-01" : NULL;
    case CELL_BOOL:
        return bool_is_true(value) || word_is(value, "false") || strcmp(value, "0") == 0 ? NULL
                                                                                         : "neither true nor false";
    case CELL_YEAR: return strlen(value) == 4 && strspn(value, "0123456789") == 4 ? NULL : "not a year like 2027";
    case CELL_WORD: return is_word(column, version, value) ? NULL : "not one of the standard's words";
    }
    return NULL;
}

enum row_status row_status(const char *word, bool delta)
{
    if (word_is(word, "active") || (*word == '\0' && !delta))
        return ROW_THERE;
    return word_is(word, "tobedeleted") || word_is(word, "inactive") ? ROW_GONE : ROW_UNKNOWN;
}

/* --- Moments --- */

/* Days since 1970 of a day of the calendar. */
static int64_t days_of(school_day day)
{
    int64_t y = day / 10000, m = day / 100 % 100, d = day % 100;
    y -= m <= 2;
    int64_t era = y / 400, of_era = y % 400, of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "10:00", "10:00:00"; moves *at behind it. −1: not written so. */
static int64_t clock_ms(const char **at)
{
    if (!shape_begins(*at, "00:00"))
        return -1;
    int64_t hours = strtoll(*at, NULL, 10), minutes = strtoll(*at + 3, NULL, 10), seconds = 0;
    *at += strlen("00:00");
    if (shape_begins(*at, ":00")) {
        seconds = strtoll(*at + 1, NULL, 10);
        *at += strlen(":00");
    }
    return hours > 23 || minutes > 59 || seconds > 60 ? -1 : ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

static int64_t fraction_ms(const char **at)
{
    int64_t ms = 0;
    if (**at != '.')
        return 0;
    ++*at;
    for (int place = 100; **at >= '0' && **at <= '9'; ++*at, place /= 10)
        ms += (**at - '0') * place;
    return ms;
}

bool moment_is_ahead(int64_t ms)
{
    return ms > clock_wall_ms() + DAY_MS;
}

int64_t moment_from(const char *text)
{
    char day[DAY_TEXT_BYTES];
    snprintf(day, sizeof day, "%.10s", text);
    school_day of = day_from(day);
    if (of < 19700101 || strlen(text) > 40)
        return -1;
    int64_t ms = days_of(of) * DAY_MS, part;
    const char *at = text + 10;
    if (*at == '\0')
        return ms;
    if (*at != 'T' || (++at, part = clock_ms(&at)) < 0)
        return -1;
    ms += part + fraction_ms(&at);
    if (strcmp(at, "Z") == 0 || *at == '\0')
        return ms;
    int sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
    if (sign == 0 || (++at, part = clock_ms(&at)) < 0 || *at != '\0')
        return -1;
    return ms - sign * part;
}

const char *moment_text(int64_t ms, char out[MOMENT_BYTES])
{
    char day[DAY_TEXT_BYTES];
    int64_t of_day = ms % DAY_MS;
    snprintf(out, MOMENT_BYTES, "%sT%02d:%02d:%02d.%03dZ", day_text(day_of_ms(ms), day), (int)(of_day / HOUR_MS),
             (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60), (int)(of_day % 1000));
    return out;
}

const char *const ONEROSTER_FILES[] = {
    "academicSessions",
    "categories",
    "classes",
    "classResources",
    "courses",
    "courseResources",
    "demographics",
    "enrollments",
    "lineItemLearningObjectiveIds",
    "lineItems",
    "lineItemScoreScales",
    "orgs",
    "resources",
    "resultLearningObjectiveIds",
    "results",
    "resultScoreScales",
    "roles",
    "scoreScales",
    "userProfiles",
    "userResources",
    "users",
    NULL,
};

const char *id_list_next(const char **at, char buf[SOURCED_ID_BYTES])
{
    *at += strspn(*at, ", ");
    size_t len = strcspn(*at, ",");
    if (len == 0)
        return NULL;
    size_t kept = len < SOURCED_ID_BYTES - 1 ? len : SOURCED_ID_BYTES - 1;
    while (kept > 0 && (*at)[kept - 1] == ' ')
        --kept;
    memcpy(buf, *at, kept);
    buf[kept] = '\0';
    *at += len;
    return buf;
}
