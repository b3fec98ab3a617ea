/* parta room …, policy …, import …, report …, session …, operator …, explain, refusal …: what
 * the office looks after. */
#include "homeserver/cli/api_verb.h"
#include "homeserver/cli/api_verb_options.h"

static const struct verb_option JSON_OPTIONS[] = {OPTION_JSON, {NULL}};
static const struct verb_option OVERRIDE_OPTIONS[] = {OPTION_OVERRIDE, {NULL}};

/* --- Rooms --- */

static const struct verb_option ROOM_LIST_OPTIONS[] = {
    OPTION_SCHOOL, {"--kind", OPTION_VALUE, "KIND", "class, staff, club, library, …"}, OPTION_JSON, {NULL}};
static const struct api_verb ROOM_LIST = {HTTP_GET, API "/rooms", .options = {"?school", "?kind", "=json"},
                                          .columns = "room_id kind schools class joined owner name"};
static const struct api_verb ROOM_MEMBERS = {HTTP_GET, API "/rooms/{0}/members", .options = {"=json"},
                                             .columns = "user_id membership held named power"};
static const struct api_verb ROOM_OWNER = {HTTP_PUT, API "/rooms/{0}/owner", .args = {NULL, ":user_id"},
                                           .options = {"^override"}};
static const struct api_verb ROOM_NAME_MEMBER = {HTTP_PUT, API "/rooms/{0}/named/{1}", .options = {"^override"}};
static const struct api_verb ROOM_UNNAME_MEMBER = {HTTP_DELETE, API "/rooms/{0}/named/{1}", .options = {"^override"}};

/* --- Rooms that schools share --- */

static const struct api_verb ASSOCIATION_LIST = {HTTP_GET, API "/associations", .args = {"?school"},
                                                 .options = {"=json"}, .columns = "room_id"};
static const struct api_verb ASSOCIATION_CREATE = {HTTP_POST, API "/associations", .args = {":school", ":name"},
                                                   .options = {"^override"}, .columns = "room_id"};
static const struct api_verb ASSOCIATION_CODE = {HTTP_POST, API "/associations/{0}/codes", .args = {NULL, ":school"},
                                                 .options = {"^override"}, .columns = "code days"};
static const struct api_verb ASSOCIATION_AGREE = {HTTP_POST, API "/associations/agree", .args = {":school", ":code"},
                                                  .options = {"^override"}, .columns = "room_id"};
static const struct api_verb ASSOCIATION_LEAVE = {HTTP_POST, API "/associations/{0}/leave", .args = {NULL, ":school"},
                                                  .options = {"^override"}};

/* --- Policies --- */

static const struct api_verb POLICY_SHOW = {HTTP_GET, API "/schools/{0}/policy", API "/policy", .options = {"=json"},
                                            .columns = "{}"};
static const struct api_verb POLICY_HISTORY = {HTTP_GET, API "/schools/{0}/policy/versions", API "/policy/versions",
                                               .options = {"=json"}, .columns = "version created_ts author reason"};
static const struct verb_option POLICY_SET_OPTIONS[] = {
    {"--reason", OPTION_VALUE, "TEXT", "why; kept with the document"}, OPTION_IF_VERSION, OPTION_OVERRIDE, {NULL}};
static const struct api_verb POLICY_SET = {HTTP_PUT, API "/schools/{1}/policy",
                                           .options = {":reason", "^version", "^override"}, .input = "document",
                                           .columns = "version"};
static const struct api_verb POLICY_SET_SERVER = {HTTP_PUT, API "/policy",
                                                  .options = {":reason", "^version", "^override"}, .input = "document",
                                                  .columns = "version"};

/* --- Imports, reports, sessions --- */

static const struct api_verb IMPORT_LIST = {HTTP_GET, API "/imports", .options = {"=json"},
                                            .columns = "import started_ts ended_ts source mode author changes"};

static const struct verb_option REPORT_LIST_OPTIONS[] = {
    OPTION_SCHOOL, {"--state", OPTION_VALUE, "open", "only those nobody has settled"}, OPTION_JSON, {NULL}};
static const struct api_verb REPORT_LIST = {HTTP_GET, API "/reports", .options = {"?school", "?state", "=json"},
                                            .columns =
                                                "report kind state reporter accused room_id event_id reason version"};
static const struct verb_option REPORT_CLOSE_OPTIONS[] = {OPTION_VERSION, OPTION_OVERRIDE, {NULL}};
static const struct api_verb REPORT_CLOSE = {HTTP_POST, API "/reports/{0}/close", .args = {NULL, ":resolution"},
                                             .options = {"^version", "^override"}, .shows = API "/reports/{0}"};

static const struct api_verb SESSION_LIST = {HTTP_GET, API "/people/{0}/sessions", .options = {"=json"},
                                             .columns = "device_id last_seen_ts last_seen_ip display_name"};
static const struct api_verb SESSION_END = {HTTP_DELETE, API "/people/{0}/sessions/{1}", .options = {"^override"}};
static const struct api_verb SESSION_END_ALL = {HTTP_DELETE, API "/people/{0}/sessions", .options = {"^override"}};

static const struct verb_option FACTOR_RESET_OPTIONS[] = {{"--reason", OPTION_VALUE, "TEXT", "why; in the log"},
                                                          {NULL}};
static const struct api_verb FACTOR_RESET = {HTTP_POST, API "/people/{0}/second-factor/reset", .options = {":reason"}};

static const struct api_verb NOTICE_SEND = {HTTP_POST, API "/people/{0}/notices", .args = {NULL, ":body"},
                                            .columns = "event_id"};

/* --- Operators --- */

static const struct verb_option OPERATOR_CREATE_OPTIONS[] = {
    {"--expires-ts", OPTION_VALUE, "MS", "good until then, in milliseconds since 1970 (otherwise without end)"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb OPERATOR_CREATE = {HTTP_POST, API "/operators", .args = {":name", "/scopes"},
                                                .options = {"#expires_ts", "=json"}, .columns = "token"};
static const struct api_verb OPERATOR_LIST = {HTTP_GET, API "/operators", .options = {"=json"},
                                              .columns = "operator name scopes created_ts expires_ts revoked_ts"};
static const struct api_verb OPERATOR_REVOKE = {HTTP_DELETE, API "/operators/{0}"};

/* --- Explaining --- */

static const struct verb_option EXPLAIN_OPTIONS[] = {
    {"--actor", OPTION_VALUE, "USER", "who would do it"},
    {"--target", OPTION_VALUE, "USER", "whom it would concern"},
    {"--room", OPTION_VALUE, "ROOM", "in which room"},
    OPTION_SCHOOL,
    OPTION_CLASS,
    {"--role", OPTION_VALUE, "ROLE", "that somebody would get (link, approve, roles)"},
    {"--event-type", OPTION_VALUE, "TYPE", "of what would be sent (otherwise m.room.message)"},
    {"--kind", OPTION_VALUE, "KIND", "of the room that would be made (otherwise club)"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb EXPLAIN = {
    HTTP_POST, API "/explain", .args = {":act"},
    .options = {":actor", ":target", ":room_id", ":school", ":class", ":role", ":event_type", ":kind", "=json"},
    .columns = "allowed kind rules.rule rules.code rules.en rules.ru"};

static const struct verb_option REFUSAL_LIST_OPTIONS[] = {
    {"--rule", OPTION_VALUE, "RULE", "of that rule, like D5"},
    {"--code", OPTION_VALUE, "CODE", "with that code, like two_guardians"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb REFUSAL_LIST = {HTTP_GET, API "/refusals", .options = {"?rule", "?code", "=json"},
                                             .columns = "rule code en ru"};

static const struct verb TABLE[] = {
    {"room list", NULL, 0, 0, ROOM_LIST_OPTIONS, API_VERB, "Lists rooms of schools.", NULL, &ROOM_LIST},
    {"room members", "ROOM", 1, 1, JSON_OPTIONS, API_VERB, "Lists who is in a room, and whom the roster holds there.",
     NULL, &ROOM_MEMBERS},
    {"room owner", "ROOM USER", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Says who answers for a room that people made.", NULL,
     &ROOM_OWNER},
    {"room name", "ROOM USER", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Lets an external person into a room.", NULL,
     &ROOM_NAME_MEMBER},
    {"room unname", "ROOM USER", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Takes an external person out of a room.", NULL,
     &ROOM_UNNAME_MEMBER},
    {"association list", "SCHOOL", 1, 1, JSON_OPTIONS, API_VERB, "Lists the rooms that a school shares with others.",
     NULL, &ASSOCIATION_LIST},
    {"association create", "SCHOOL NAME", 2, 2, OVERRIDE_OPTIONS, API_VERB,
     "Makes a room that teachers of several schools may share.", NULL, &ASSOCIATION_CREATE},
    {"association code", "ROOM SCHOOL", 2, 2, OVERRIDE_OPTIONS, API_VERB,
     "Draws the code with which another school agrees.", NULL, &ASSOCIATION_CODE},
    {"association agree", "SCHOOL CODE", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Lets a school share a room.", NULL,
     &ASSOCIATION_AGREE},
    {"association leave", "ROOM SCHOOL", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Takes that back; its people leave.", NULL,
     &ASSOCIATION_LEAVE},
    {"policy show", "[SCHOOL]", 0, 1, JSON_OPTIONS, API_VERB, "Shows a school's policy, or the server's.",
     "Its document and, with all that this leaves to the server's and the defaults, what is in force.", &POLICY_SHOW},
    {"policy history", "[SCHOOL]", 0, 1, JSON_OPTIONS, API_VERB, "Lists the versions of a policy, newest first.", NULL,
     &POLICY_HISTORY},
    {"policy set", "FILE SCHOOL", 2, 2, POLICY_SET_OPTIONS, VERB_INPUT | API_VERB,
     "Puts a school's policy document in force.", "--reason is needed. docs/policy.md says what a document may say.",
     &POLICY_SET},
    {"policy set-server", "FILE", 1, 1, POLICY_SET_OPTIONS, VERB_INPUT | API_VERB,
     "Puts the server's policy document in force.", "It counts in every school that says nothing else.",
     &POLICY_SET_SERVER},
    {"import list", NULL, 0, 0, JSON_OPTIONS, API_VERB, "Lists the imports there were.", NULL, &IMPORT_LIST},
    {"report list", NULL, 0, 0, REPORT_LIST_OPTIONS, API_VERB, "Lists reports of messages, rooms and people.", NULL,
     &REPORT_LIST},
    {"report close", "NUMBER RESOLUTION", 2, 2, REPORT_CLOSE_OPTIONS, API_VERB,
     "Settles a report, with a word on what was done.", NULL, &REPORT_CLOSE},
    {"session list", "USER", 1, 1, JSON_OPTIONS, API_VERB, "Lists where a person is signed in.", NULL, &SESSION_LIST},
    {"user reset-factor", "USER", 1, 1, FACTOR_RESET_OPTIONS, API_VERB,
     "Takes the second factor of somebody who has lost it.",
     "--reason is needed. From then on the password is enough, until they set one up again: be sure who asks.",
     &FACTOR_RESET},
    {"notice send", "USER TEXT", 2, 2, NULL, API_VERB, "Tells a person something in the server's name.",
     "In their room of server notices, which they cannot decline. Whoever sends it is in the audit log.", &NOTICE_SEND},
    {"session end", "USER DEVICE", 2, 2, OVERRIDE_OPTIONS, API_VERB, "Signs a person's device out.", NULL,
     &SESSION_END},
    {"session end-all", "USER", 1, 1, OVERRIDE_OPTIONS, API_VERB, "Signs a person out everywhere.", NULL,
     &SESSION_END_ALL},
    {"operator create", "NAME SCOPES", 2, 2, OPERATOR_CREATE_OPTIONS, API_VERB,
     "Makes an operator's token for the school API and prints it once.",
     "SCOPES, with commas between: read, records, import, policy, reports, audit, accounts, or all.", &OPERATOR_CREATE},
    {"operator list", NULL, 0, 0, JSON_OPTIONS, API_VERB, "Lists operators' tokens.", NULL, &OPERATOR_LIST},
    {"operator revoke", "NUMBER", 1, 1, NULL, API_VERB, "Revokes an operator's token.", NULL, &OPERATOR_REVOKE},
    {"explain", "ACT", 1, 1, EXPLAIN_OPTIONS, API_VERB, "Says what would become of an act, and by which rules.",
     "Nothing is done. ACT in rooms: create_room, upgrade_room, invite, join, knock, leave, kick, ban, unban, send,\n"
     "state, redact, alias, publish, see, name. Of people: profile, find, signal, notify, report. Coming in, "
     "families:\n"
     "approve, link, claim, guardian_link, become_guardian, end_guardian, child. Of the office: records_read,\n"
     "records_write, identity, roles, guardianship, custody, import, policy, reports, audit, standing, sessions,\n"
     "notice, export, erase, leave_school, rooms_write.",
     &EXPLAIN},
    {"refusal list", NULL, 0, 0, REFUSAL_LIST_OPTIONS, API_VERB, "Lists what the school's rules refuse, and how.",
     "The rule and the code of a refusal stand in the reply that made it: org.parta.rule, org.parta.code.",
     &REFUSAL_LIST},
};
const struct verbs ADMIN_VERBS = VERBS(TABLE);
