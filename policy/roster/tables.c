#include "policy/roster/tables.h"

#define HEAD                                                                                                           \
    {"sourcedId", CELL_ID, true}, {"status", CELL_STATUS},                                                             \
    {                                                                                                                  \
        "dateLastModified", CELL_ANY                                                                                   \
    }
#define TABLE(name_, columns_, required_)                                                                              \
    {                                                                                                                  \
        name_, columns_, sizeof(columns_) / sizeof *(columns_), required_                                              \
    }

static const struct column SESSIONS[] = {
    HEAD,
    {"title", CELL_NAME, true},
    {"type", CELL_WORD, true, true, "|gradingPeriod|semester|schoolYear|term|"},
    {"startDate", CELL_DATE, true},
    {"endDate", CELL_DATE, true},
    {"parentSourcedId", CELL_ID},
    {"schoolYear", CELL_YEAR, true},
};
static const struct column ORGS[] = {
    HEAD,
    {"name", CELL_NAME, true},
    {"type", CELL_WORD, true, true, "|department|school|district|local|state|national|"},
    {"identifier", CELL_ANY},
    {"parentSourcedId", CELL_ID},
};
static const struct column COURSES[] = {
    HEAD,
    {"schoolYearSourcedId", CELL_ID},
    {"title", CELL_NAME, true},
    {"courseCode", CELL_ANY},
    {"grades", CELL_ANY},
    {"orgSourcedId", CELL_ID, true},
    {"subjects", CELL_ANY},
    {"subjectCodes", CELL_ANY},
};
static const struct column CLASSES[] = {
    HEAD,
    {"title", CELL_NAME, true},
    {"grades", CELL_NAME},
    {"courseSourcedId", CELL_ID, true},
    {"classCode", CELL_ANY},
    {"classType", CELL_WORD, true, true, "|homeroom|scheduled|"},
    {"location", CELL_ANY},
    {"schoolSourcedId", CELL_ID, true},
    {"termSourcedIds", CELL_IDS, true},
    {"subjects", CELL_ANY},
    {"subjectCodes", CELL_ANY},
    {"periods", CELL_ANY},
};
static const struct column USERS[] = {
    HEAD,
    {"enabledUser", CELL_BOOL, true},
    {"username", CELL_NAME, true},
    {"userIds", CELL_ANY},
    {"givenName", CELL_NAME, true},
    {"familyName", CELL_NAME, true},
    {"middleName", CELL_NAME},
    {"identifier", CELL_ANY},
    {"email", CELL_ANY},
    {"sms", CELL_ANY},
    {"phone", CELL_ANY},
    {"agentSourcedIds", CELL_IDS},
    {"grades", CELL_ANY},
    {"password", CELL_ANY},
    {"userMasterIdentifier", CELL_ANY},
    {"preferredGivenName", CELL_NAME},
    {"preferredMiddleName", CELL_NAME},
    {"preferredFamilyName", CELL_NAME},
    {"primaryOrgSourcedId", CELL_ID},
    {"pronouns", CELL_ANY},
};
static const struct column ROLES[] = {
    HEAD,
    {"userSourcedId", CELL_ID, true},
    {"roleType", CELL_WORD, true, false, "|primary|secondary|"},
    {"role", CELL_WORD, true, true,
     "|aide|counselor|districtAdministrator|guardian|parent|principal|proctor|relative|siteAdministrator|student|"
     "systemAdministrator|teacher|"},
    {"beginDate", CELL_DATE},
    {"endDate", CELL_DATE},
    {"orgSourcedId", CELL_ID, true},
    {"userProfileSourcedId", CELL_ANY},
};
static const struct column ENROLLMENTS[] = {
    HEAD,
    {"classSourcedId", CELL_ID, true},
    {"schoolSourcedId", CELL_ID, true},
    {"userSourcedId", CELL_ID, true},
    {"role", CELL_WORD, true, true, "|administrator|proctor|student|teacher|"},
    {"primary", CELL_BOOL},
    {"beginDate", CELL_DATE},
    {"endDate", CELL_DATE},
};
static const struct column DEMOGRAPHICS[] = {
    HEAD,
    {"birthDate", CELL_DATE},
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
    [TABLE_SESSIONS] = TABLE("academicSessions", SESSIONS, true),
    [TABLE_ORGS] = TABLE("orgs", ORGS, true),
    [TABLE_COURSES] = TABLE("courses", COURSES, true),
    [TABLE_CLASSES] = TABLE("classes", CLASSES, true),
    [TABLE_USERS] = TABLE("users", USERS, true),
    [TABLE_ROLES] = TABLE("roles", ROLES, true),
    [TABLE_ENROLLMENTS] = TABLE("enrollments", ENROLLMENTS, true),
    [TABLE_DEMOGRAPHICS] = TABLE("demographics", DEMOGRAPHICS, false),
};

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
