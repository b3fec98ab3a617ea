/* parta school …, class …, person …, role …, guardian …: the school's records, one at a time. */
#include "homeserver/cli/api_verb.h"
#include "homeserver/cli/api_verb_options.h"

#define PERSON "user_id standing roles.role family_name given_name middle_name"

/* --- Schools and classes --- */

static const struct verb_option LIST[] = {OPTION_JSON, {NULL}};
static const struct api_verb SCHOOL_LIST = {HTTP_GET, API "/schools", .options = {"=json"},
                                            .columns = "school ended source name"};

static const struct verb_option SCHOOL_CREATE_OPTIONS[] = {
    {"--id", OPTION_VALUE, "ID", "its sourcedId (otherwise one is drawn)"}, OPTION_JSON, {NULL}};
static const struct api_verb SCHOOL_CREATE = {HTTP_POST, API "/schools", .args = {":name"},
                                              .options = {":school", "=json"}, .columns = "school name"};

static const struct verb_option CLASS_LIST_OPTIONS[] = {OPTION_SCHOOL, OPTION_JSON, {NULL}};
static const struct api_verb CLASS_LIST = {HTTP_GET, API "/classes", .options = {"?school", "=json"},
                                           .columns = "class school kind grade title ended source"};

static const struct verb_option CLASS_CREATE_OPTIONS[] = {
    {"--grade", OPTION_VALUE, "N", "its year, like 5"},
    {"--kind", OPTION_VALUE, "KIND", "homeroom (otherwise) or subject"},
    {"--id", OPTION_VALUE, "ID", "its sourcedId (otherwise one is drawn)"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb CLASS_CREATE = {HTTP_POST, API "/classes", .args = {":school", ":title"},
                                             .options = {":grade", ":kind", ":class", "=json"},
                                             .columns = "class school kind grade title"};

static const struct verb_option END_OPTIONS[] = {OPTION_OVERRIDE, {NULL}};
static const struct api_verb CLASS_END = {HTTP_DELETE, API "/classes/{0}", .options = {"^override"}};

static const struct verb_option ENROLL_OPTIONS[] = {
    {"--role", OPTION_VALUE, "ROLE", "pupil (otherwise), teacher or class_teacher"},
    OPTION_BEGIN,
    OPTION_END,
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb CLASS_ENROLL = {HTTP_POST, API "/classes/{0}/enrollments", .args = {NULL, ":user_id"},
                                             .options = {":role", ":begin", ":end", "^override"},
                                             .body = "{\"role\": \"pupil\"}"};
static const struct api_verb CLASS_UNENROLL = {HTTP_DELETE, API "/classes/{0}/enrollments/{1}/{2}",
                                               .options = {"?begin", "^override"}};
static const struct verb_option UNENROLL_OPTIONS[] = {
    {"--begin", OPTION_VALUE, "DAY", "the one that began then, where there are several"}, OPTION_OVERRIDE, {NULL}};
static const struct api_verb CLASS_MEMBERS = {HTTP_GET, API "/classes/{0}/enrollments", .options = {"=json"},
                                              .columns = "user_id role begin end source"};

static const struct verb_option ROLLOVER_OPTIONS[] = {
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change"},
    {"--last-grade", OPTION_VALUE, "N", "after which pupils leave (otherwise 11)"},
    {"--version", OPTION_VALUE, "N", "confirms a rollover that takes many people away, as a dry run has shown it"},
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb SCHOOL_ROLLOVER = {HTTP_POST, API "/schools/{0}/year",
                                                .options = {"!dry_run", "#last_grade", "^version", "^override"},
                                                .columns = "changes version", .lines = "difference"};

/* --- People --- */

static const struct verb_option PERSON_LIST_OPTIONS[] = {
    OPTION_SCHOOL,
    OPTION_CLASS,
    {"--role", OPTION_VALUE, "ROLE", "who has this role"},
    {"--standing", OPTION_VALUE, "WORD", "pending, active, restricted, suspended, locked or left"},
    {"--name", OPTION_VALUE, "NAME", "whose given or family name begins so"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb PERSON_LIST = {HTTP_GET, API "/people",
                                            .options = {"?school", "?class", "?role", "?standing", "?name", "=json"},
                                            .columns = PERSON};
static const struct api_verb PERSON_SHOW = {HTTP_GET, API "/people/{0}", .options = {"=json"},
                                            .columns = PERSON " birth_date person source"};

static const struct verb_option PERSON_CREATE_OPTIONS[] = {
    {"--given", OPTION_VALUE, "NAME", "given name"},
    {"--family", OPTION_VALUE, "NAME", "family name"},
    {"--middle", OPTION_VALUE, "NAME", "middle name"},
    {"--birth", OPTION_VALUE, "DAY", "birth date, like 2014-05-17"},
    {"--class", OPTION_VALUE, "ID", "the class of a pupil, teacher or class_teacher"},
    {"--child", OPTION_VALUE, "USER", "whose guardian it is"},
    OPTION_BEGIN,
    OPTION_END,
    {"--id", OPTION_VALUE, "ID", "the sourcedId (otherwise one is drawn)"},
    OPTION_JSON,
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb PERSON_CREATE = {HTTP_POST, API "/people", .args = {":school", ":role"},
                                              .options = {":given_name", ":family_name", ":middle_name", ":birth_date",
                                                          ":class", ":child", ":begin", ":end", ":person", "=json",
                                                          "^override"},
                                              .columns = PERSON};

static const struct verb_option PERSON_CHANGE_OPTIONS[] = {
    {"--given", OPTION_VALUE, "NAME", "given name"},
    {"--family", OPTION_VALUE, "NAME", "family name"},
    {"--middle", OPTION_VALUE, "NAME", "middle name"},
    {"--birth", OPTION_VALUE, "DAY", "birth date, like 2014-05-17"},
    {"--disabled", OPTION_FLAG, NULL, "the person may not sign in"},
    OPTION_IF_VERSION,
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb PERSON_CHANGE = {
    HTTP_PUT, API "/people/{0}",
    .options = {":given_name", ":family_name", ":middle_name", ":birth_date", "-enabled", "^version", "^override"},
    .columns = PERSON};
static const struct api_verb PERSON_ERASE = {HTTP_POST, API "/people/{0}/erase", .options = {"^override"}};

static const struct verb_option STATE_OPTIONS[] = {OPTION_OVERRIDE, {NULL}};
static const struct api_verb PERSON_STATE = {HTTP_PUT, API "/people/{0}/standing", .args = {NULL, ":standing"},
                                             .options = {"^override"}, .columns = "standing"};
static const struct api_verb PERSON_LEAVE = {HTTP_POST, API "/people/{0}/leave", .args = {NULL, ":school"},
                                             .options = {"^override"}};

static const struct verb_option ROLE_GIVE_OPTIONS[] = {OPTION_BEGIN, OPTION_END, OPTION_OVERRIDE, {NULL}};
static const struct api_verb ROLE_GIVE = {HTTP_POST, API "/people/{0}/roles", .args = {NULL, ":school", ":role"},
                                          .options = {":begin", ":end", "^override"}, .columns = PERSON};
static const struct verb_option ROLE_END_OPTIONS[] = {
    {"--begin", OPTION_VALUE, "DAY", "the one that began then, where there are several"}, OPTION_OVERRIDE, {NULL}};
static const struct api_verb ROLE_END = {HTTP_DELETE, API "/people/{0}/roles/{1}/{2}",
                                         .options = {"?begin", "^override"}, .columns = PERSON};

static const struct api_verb GUARDIAN_ADD = {HTTP_POST, API "/guardianships", .args = {":child", ":guardian"},
                                             .options = {"^override"}};
static const struct api_verb GUARDIAN_REMOVE = {HTTP_DELETE, API "/guardianships/{0}/{1}", .options = {"^override"}};
static const struct verb_option CUSTODY_OPTIONS[] = {
    {"--reason", OPTION_VALUE, "TEXT", "why: number and date of a decision, say; kept in the log"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb GUARDIAN_CUSTODY = {HTTP_PUT, API "/guardianships/{0}/{1}/custody",
                                                 .args = {NULL, NULL, ":custody"}, .options = {":reason", "=json"},
                                                 .columns = "custody together.class"};
static const struct api_verb GUARDIAN_CUSTODY_LEFT = {HTTP_PUT, API "/children/{0}/custody", .args = {NULL, ":custody"},
                                                      .options = {":reason", "=json"}, .columns = "custody"};
static const struct verb_option GUARDIAN_LIST_OPTIONS[] = {
    OPTION_SCHOOL, {"--user", OPTION_VALUE, "USER", "of this child or guardian"}, OPTION_JSON, {NULL}};
static const struct api_verb GUARDIAN_LIST = {HTTP_GET, API "/guardianships",
                                              .options = {"?school", "?user_id", "=json"},
                                              .columns = "child guardian source custody"};

static const struct verb TABLE[] = {
    {"school list", NULL, 0, 0, LIST, API_VERB, "Lists the schools.", NULL, &SCHOOL_LIST},
    {"school create", "NAME", 1, 1, SCHOOL_CREATE_OPTIONS, API_VERB, "Makes a school with its rooms.", NULL,
     &SCHOOL_CREATE},
    {"school rollover", "SCHOOL", 1, 1, ROLLOVER_OPTIONS, API_VERB,
     "Ends a school's year and begins the next (rollover).",
     "Classes are promoted, the last ones graduate, old rooms are archived: all in one step.", &SCHOOL_ROLLOVER},
    {"class list", NULL, 0, 0, CLASS_LIST_OPTIONS, API_VERB, "Lists classes and subject groups.", NULL, &CLASS_LIST},
    {"class create", "SCHOOL TITLE", 2, 2, CLASS_CREATE_OPTIONS, API_VERB, "Makes a class with its rooms.", NULL,
     &CLASS_CREATE},
    {"class end", "CLASS", 1, 1, END_OPTIONS, API_VERB, "Ends a class; its rooms are emptied.", NULL, &CLASS_END},
    {"class enroll", "CLASS USER", 2, 2, ENROLL_OPTIONS, API_VERB, "Enrolls a person.",
     "A new class teacher replaces the one before.", &CLASS_ENROLL},
    {"class unenroll", "CLASS USER ROLE", 3, 3, UNENROLL_OPTIONS, API_VERB, "Ends an enrollment.", NULL,
     &CLASS_UNENROLL},
    {"class members", "CLASS", 1, 1, LIST, API_VERB, "Lists who is enrolled in a class.", NULL, &CLASS_MEMBERS},
    {"person list", NULL, 0, 0, PERSON_LIST_OPTIONS, API_VERB, "Lists people of the records.", NULL, &PERSON_LIST},
    {"person show", "USER", 1, 1, LIST, API_VERB, "Shows a person of the records.", NULL, &PERSON_SHOW},
    {"person create", "SCHOOL ROLE", 2, 2, PERSON_CREATE_OPTIONS, API_VERB, "Makes a person, with an account.",
     "ROLE: administrator, head, deputy, class_teacher, teacher, staff, pupil, guardian or external. The account has "
     "no\n"
     "password: a personal link (parta link create) lets the person in.",
     &PERSON_CREATE},
    {"person change", "USER", 1, 1, PERSON_CHANGE_OPTIONS, API_VERB, "Says anew what the record says of a person.",
     "As a whole: what is not given is empty afterwards.", &PERSON_CHANGE},
    {"person erase", "USER", 1, 1, END_OPTIONS, API_VERB, "Erases a person: this can't be taken back.", NULL,
     &PERSON_ERASE},
    {"person state", "USER STATE", 2, 2, STATE_OPTIONS, API_VERB, "Makes an account active, suspended or locked.", NULL,
     &PERSON_STATE},
    {"person leave", "USER SCHOOL", 2, 2, END_OPTIONS, API_VERB, "Takes a person out of a school at once.", NULL,
     &PERSON_LEAVE},
    {"role give", "USER SCHOOL ROLE", 3, 3, ROLE_GIVE_OPTIONS, API_VERB, "Gives a person a role in a school.",
     "teacher, staff, deputy, head, administrator, or external (with --end). The others follow from classes and\n"
     "guardianships.",
     &ROLE_GIVE},
    {"role end", "USER SCHOOL ROLE", 3, 3, ROLE_END_OPTIONS, API_VERB, "Ends a role.", NULL, &ROLE_END},
    {"guardian list", NULL, 0, 0, GUARDIAN_LIST_OPTIONS, API_VERB, "Lists children and their guardians.", NULL,
     &GUARDIAN_LIST},
    {"guardian add", "CHILD GUARDIAN", 2, 2, END_OPTIONS, API_VERB, "Makes somebody a child's guardian.",
     "A child has two at most.", &GUARDIAN_ADD},
    {"guardian remove", "CHILD GUARDIAN", 2, 2, END_OPTIONS, API_VERB, "Ends a guardianship.", NULL, &GUARDIAN_REMOVE},
    {"guardian custody", "CHILD GUARDIAN CUSTODY", 3, 3, CUSTODY_OPTIONS, API_VERB,
     "Says how a guardian stands to the child, with --reason.",
     "CUSTODY is shared, separate (the child's guardians do not see each other through the child) or no_contact\n"
     "(everything the guardianship gave ends, and stays so whatever a roster says). Behind it the classes in which "
     "the\n"
     "two have a place together all the same.",
     &GUARDIAN_CUSTODY},
    {"guardian custody-left", "CHILD CUSTODY", 2, 2, CUSTODY_OPTIONS, API_VERB,
     "Says what stands of a child with a guardian who has no account (any more), with --reason.",
     "As long as it is not shared, nobody becomes the child's guardian before an administrator has approved of them.\n"
     "The erasure of a guardian's account leaves it so.",
     &GUARDIAN_CUSTODY_LEFT},
};
const struct verbs RECORD_VERBS = VERBS(TABLE);
