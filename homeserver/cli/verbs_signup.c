/* parta link …, application …: how people come in (school.md C). */
#include "homeserver/cli/api_verb.h"
#include "homeserver/cli/api_verb_options.h"

static const struct verb_option LINK_CREATE_OPTIONS[] = {
    OPTION_SCHOOL,
    OPTION_CLASS,
    {"--role", OPTION_VALUE, "ROLE", "of a class: pupil, guardian, teacher; of a school: teacher, staff"},
    {"--user", OPTION_VALUE, "USER", "personal: whose"},
    {"--uses", OPTION_VALUE, "N", "how many it lets in (otherwise 50)"},
    {"--lifetime-ms", OPTION_VALUE, "N", "how long it is good (otherwise 14 days)"},
    {"--send-to", OPTION_VALUE, "ADDRESS", "personal: the server mails or texts it there, and prints no token"},
    OPTION_JSON,
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb LINK_CREATE = {
    HTTP_POST, API "/links", .args = {":kind"},
    .options = {":school", ":class", ":role", ":user_id", "#uses", "#lifetime_ms", ":send_to", "=json", "^override"},
    .columns = "link token url"};

static const struct verb_option LINK_LIST_OPTIONS[] = {
    OPTION_SCHOOL,
    OPTION_CLASS,
    {"--state", OPTION_VALUE, "open", "only those that let people in"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb LINK_LIST = {
    HTTP_GET, API "/links", .options = {"?school", "?class", "?state", "=json"},
    .columns = "link kind state school class role user_id uses uses_allowed delivery issuer"};
static const struct verb_option DECIDE_OPTIONS[] = {OPTION_OVERRIDE, {NULL}};
static const struct api_verb LINK_REVOKE = {HTTP_POST, API "/links/{0}/revoke", .options = {"^override"}};

static const struct verb_option APPLICATION_LIST_OPTIONS[] = {
    OPTION_SCHOOL,
    OPTION_CLASS,
    {"--state", OPTION_VALUE, "STATE", "waiting (otherwise), approved, refused, withdrawn or any"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb APPLICATION_LIST = {
    HTTP_GET, API "/applications", .options = {"?school", "?class", "?state", "=json"},
    .columns = "application kind state user_id role school class child family_name given_name middle_name version"};

static const struct verb_option APPROVE_OPTIONS[] = {
    {"--children", OPTION_VALUE, "USERS", "a guardian of a class link: whose, with commas between"},
    OPTION_VERSION,
    OPTION_OVERRIDE,
    {NULL}};
static const struct api_verb APPLICATION_APPROVE = {HTTP_POST, API "/applications/{0}/approve",
                                                    .options = {"/children", "^version", "^override"},
                                                    .shows = API "/applications/{0}", .columns = "application state"};
static const struct verb_option REFUSE_OPTIONS[] = {
    {"--reason", OPTION_VALUE, "TEXT", "what the applicant is told"}, OPTION_VERSION, OPTION_OVERRIDE, {NULL}};
static const struct api_verb APPLICATION_REFUSE = {HTTP_POST, API "/applications/{0}/refuse",
                                                   .options = {":reason", "^version", "^override"},
                                                   .shows = API "/applications/{0}", .columns = "application state"};

static const struct verb_option CLAIM_LIST_OPTIONS[] = {OPTION_SCHOOL, OPTION_JSON, {NULL}};
static const struct api_verb CLAIM_LIST = {HTTP_GET, API "/claims", .options = {"?school", "=json"},
                                           .columns = "claim user_id name school issuer until_ts"};
static const struct api_verb CLAIM_CONFIRM = {HTTP_POST, API "/claims/{0}/confirm"};
static const struct api_verb CLAIM_UNDO = {HTTP_POST, API "/claims/{0}/undo"};

static const struct verb TABLE[] = {
    {"link create", "KIND", 1, 1, LINK_CREATE_OPTIONS, API_VERB,
     "Makes a link that lets people in, and prints its number, its token and its address, once.",
     "KIND is class (with --class and --role), school (with --school and --role) or personal (with --user). With\n"
     "--send-to ADDRESS, an e-mail address or a number with +, the running server sends it to the person itself.",
     &LINK_CREATE},
    {"link list", NULL, 0, 0, LINK_LIST_OPTIONS, API_VERB, "Lists links.", NULL, &LINK_LIST},
    {"link revoke", "LINK", 1, 1, DECIDE_OPTIONS, API_VERB, "Revokes a link by its number.", NULL, &LINK_REVOKE},
    {"claim list", NULL, 0, 0, CLAIM_LIST_OPTIONS, API_VERB,
     "Lists who came by a personal link and has not been confirmed.", NULL, &CLAIM_LIST},
    {"claim confirm", "NUMBER", 1, 1, NULL, API_VERB, "Confirms that whoever came by a personal link is that person.",
     NULL, &CLAIM_CONFIRM},
    {"claim undo", "NUMBER", 1, 1, NULL, API_VERB, "Takes the account back from whoever came by a personal link.",
     "Password, sessions and verified addresses go; a new personal link can be made.", &CLAIM_UNDO},
    {"application list", NULL, 0, 0, APPLICATION_LIST_OPTIONS, API_VERB, "Lists who asks to be let in.", NULL,
     &APPLICATION_LIST},
    {"application approve", "NUMBER", 1, 1, APPROVE_OPTIONS, API_VERB, "Lets an applicant in.",
     "Shows the application first; at a terminal it asks, elsewhere --version says which one was seen.",
     &APPLICATION_APPROVE},
    {"application refuse", "NUMBER", 1, 1, REFUSE_OPTIONS, API_VERB, "Refuses an applicant.",
     "Shows the application first, as \"application approve\" does.", &APPLICATION_REFUSE},
};
const struct verbs SIGNUP_VERBS = VERBS(TABLE);
