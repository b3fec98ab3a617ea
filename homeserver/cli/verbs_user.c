/* parta user …: making accounts, resetting passwords, who there is. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"
#include "policy/gate/school_gate.h"

#define PASSWORD_LENGTH 16 /* of one made here: 95 bits */

/* USER is a localpart or a whole id of this server. The caller frees *localpart. */
static bool take_localpart(struct verb_call *call, char **localpart)
{
    const char *user = call->args[0], *start;
    size_t len;
    if (user[0] != '@') {
        *localpart = xstrdup(user);
        return true;
    }
    if (!user_id_split(user, call->config->server_name, &start, &len))
        return verb_misuse(call, "%s is no user of %s.", user, call->config->server_name);
    *localpart = xstrndup(start, len);
    return true;
}

/* The password from the file, or a fresh one that is then said. */
static const char *take_password(const char *given, char fresh[PASSWORD_LENGTH + 1])
{
    if (given != NULL)
        return given;
    random_name(fresh, PASSWORD_LENGTH);
    return fresh;
}

enum { CREATE_ADMIN, CREATE_NAME, CREATE_PASSWORD };
static const struct verb_option CREATE_OPTIONS[] = {
    {"--admin", OPTION_FLAG, NULL, "a server administrator"},
    {"--display-name", OPTION_VALUE, "NAME", "how others see the person"},
    {"--password-file", OPTION_FILE, "FILE", "its first line is the password (\"-\": standard input)"},
    {NULL},
};

static bool create(struct verb_call *call)
{
    char fresh[PASSWORD_LENGTH + 1], *localpart = NULL;
    struct error e = {0};
    struct login_result made;
    if (!take_localpart(call, &localpart))
        return false;
    const struct registration account = {.localpart = localpart,
                                         .password = take_password(call->options[CREATE_PASSWORD], fresh),
                                         .display_name = call->options[CREATE_NAME],
                                         .admin = call->options[CREATE_ADMIN] != NULL,
                                         .by = ACTOR_COMMAND_LINE.name};
    bool done = account_create(call->services->accounts, &account, &made, &e) || verb_fail_error(call, &e);
    if (done)
        text_addf(&call->out, "%s\n", made.user_id);
    if (done && call->options[CREATE_PASSWORD] == NULL)
        text_addf(&call->out, "%s\n", fresh);
    login_result_finish(&made);
    free(localpart);
    return done;
}

enum { PASSWORD_FILE };
static const struct verb_option PASSWORD_OPTIONS[] = {
    {"--password-file", OPTION_FILE, "FILE", "its first line is the new password (\"-\": standard input)"},
    {NULL},
};

static bool password(struct verb_call *call)
{
    char fresh[PASSWORD_LENGTH + 1], *localpart = NULL;
    struct error e = {0};
    if (!take_localpart(call, &localpart))
        return false;
    bool done = account_set_password(call->services->accounts, localpart, ACTOR_COMMAND_LINE.name,
                                     take_password(call->options[PASSWORD_FILE], fresh), &e) ||
                verb_fail_error(call, &e);
    if (done && call->options[PASSWORD_FILE] == NULL)
        text_addf(&call->out, "%s\n", fresh);
    free(localpart);
    return done;
}

static bool list(struct verb_call *call)
{
    struct user_row row;
    struct stmt *q = users_all(call->services->db);
    for (; users_next(q, &row); user_row_finish(&row))
        text_addf(&call->out, "@%s:%s\t%s\t%s%s\t%lld\n", row.localpart, call->config->server_name,
                  account_state_name(row.state), row.service ? "service" : "person", row.admin ? ", administrator" : "",
                  (long long)devices_count(call->services->db, row.no));
    stmt_end(q);
    return !db_failed(call->services->db) || verb_fail(call, "The database can't be read (see above).");
}

static const struct verb TABLE[] = {
    {"user create", "USER", 1, 1, CREATE_OPTIONS, VERB_CONFIG | VERB_WRITES, create, "Makes an account.",
     "USER is a localpart (anna) or a whole id (@anna:school.example). Prints the id and, unless --password-file gave\n"
     "one, a new password. registration.mode does not matter here."},
    {"user password", "USER", 1, 1, PASSWORD_OPTIONS, VERB_CONFIG | VERB_WRITES, password,
     "Resets a password, ends all sessions of that user and takes the second factor away.",
     "Prints a new password, unless --password-file gave one."},
    {"user list", .flags = VERB_CONFIG | VERB_READS, .run = list, .summary = "Lists all accounts.",
     .essay = "One line each, separated by tabs: id, state, kind, number of devices."},
};
const struct verbs USER_VERBS = VERBS(TABLE);
