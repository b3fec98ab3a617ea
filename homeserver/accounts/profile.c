#include "homeserver/accounts/profile.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/media/access.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

/* Who has left is nobody any more. */
static bool is_known(struct db *db, user_no user)
{
    struct user_row row;
    bool known = user != 0 && users_get(db, user, &row) && row.state != ACCOUNT_LEFT;
    if (user != 0)
        user_row_finish(&row);
    return known;
}

bool profile_readable(const struct accounts *accounts, struct db *db, user_no asker, user_no owner, struct error *e)
{
    bool school_mode = accounts->config->policy.mode == POLICY_SCHOOL, known = is_known(db, owner);
    if (school_mode && asker == 0)
        return error_set(e, ERROR_FORBIDDEN, "This profile is not for you to see.");
    if (!gate_profile(school_mode, db, asker, known ? owner : 0, e))
        return false;
    return known || error_set(e, ERROR_NOT_FOUND, "There is no such user.");
}

bool profile_field_valid(const char *field, struct error *e)
{
    if (strlen(field) > PROFILE_KEY_BYTES_MAX)
        return error_set(e, ERROR_KEY_TOO_LARGE, NULL);
    if (id_is_reserved(field))
        return error_set(e, ERROR_FORBIDDEN, "Fields that begin with org.parta. are the server's own.");
    if (strcmp(field, "displayname") == 0 || strcmp(field, "avatar_url") == 0)
        return true;
    size_t len = strspn(field, "abcdefghijklmnopqrstuvwxyz0123456789-_.");
    if (field[0] >= 'a' && field[0] <= 'z' && field[len] == '\0' && strchr(field, '.') != NULL) /* namespaced */
        return true;
    return error_set(e, ERROR_INVALID_PARAM, "A profile field is displayname, avatar_url or a namespaced name.");
}

bool profile_display_name_valid(const char *name, struct error *e)
{
    return *name == '\0' || name_valid(name, DISPLAY_NAME_BYTES_MAX) ||
           error_set(e, ERROR_INVALID_PARAM, NAME_SENTENCE);
}

static bool avatar_url_valid(const char *url, struct error *e)
{
    return *url == '\0' || mxc_valid(url) || error_set(e, ERROR_INVALID_PARAM, "The avatar's URL is not an mxc URI.");
}

static bool time_zone_valid(const char *name, struct error *e)
{
    return strlen(name) <= 255 || error_set(e, ERROR_INVALID_PARAM, "The time zone's name is too long.");
}

/* The fields whose values are typed: strings, each with its check. `shown`: it is part of member events. */
static const struct typed {
    const char *field;
    bool (*valid)(const char *value, struct error *e);
    bool shown;
} TYPED[] = {
    {"displayname", profile_display_name_valid, true},
    {"avatar_url", avatar_url_valid, true},
    {"m.tz", time_zone_valid, false},
};

static const struct typed *typed_field(const char *field)
{
    for (size_t i = 0; i < sizeof TYPED / sizeof *TYPED; ++i)
        if (strcmp(TYPED[i].field, field) == 0)
            return &TYPED[i];
    return NULL;
}

struct profile_job {
    const struct accounts *accounts;
    user_no user;
    const char *field;
    const char *value; /* JSON; NULL: clear it */
    bool shown;
};

/* As the rules say of ACT_NAME, but of every field, and in a plain server too. */
static bool may_change(struct db *db, user_no user, struct error *e)
{
    struct user_row row;
    bool found = users_get(db, user, &row);
    enum account_state state = found ? row.state : ACCOUNT_LEFT;
    user_row_finish(&row);
    switch (state) {
    case ACCOUNT_ACTIVE: return true;
    case ACCOUNT_SUSPENDED: return error_set(e, ERROR_USER_SUSPENDED, NULL);
    case ACCOUNT_PENDING: return rule_refuse(e, RULE_A3_ACCOUNT_PENDING);
    case ACCOUNT_RESTRICTED: return rule_refuse(e, RULE_D7_RESTRICTED);
    default: return error_set(e, ERROR_FORBIDDEN, "This account may not change its profile now.");
    }
}

static bool picture_is_here(struct db *db, const struct profile_job *job)
{
    json_t *uri = json_loads(job->value, JSON_DECODE_ANY, NULL);
    bool here = json_is_string(uri) &&
                media_may_show(true, job->accounts->config->server_name, db, job->user, json_string_value(uri));
    json_decref(uri);
    return here;
}

static bool job_profile(struct tx *tx, void *arg, struct error *e)
{
    const struct profile_job *job = arg;
    const struct accounts_hooks *hooks = &job->accounts->hooks;
    bool school_mode = job->accounts->config->policy.mode == POLICY_SCHOOL;
    if (!may_change(tx->db, job->user, e))
        return false;
    /* B3, F1: a school's people are called as its records say, and a profile, which the whole school may read (A6),
     * holds no words of one's own. A picture is one that is here, and that they may see. Anything may be cleared. */
    bool name = strcmp(job->field, "displayname") == 0, picture = strcmp(job->field, "avatar_url") == 0;
    if (school_mode && name && !gate_name(true, tx->db, job->user, e))
        return false;
    if (school_mode && !name && job->value != NULL && !(picture && picture_is_here(tx->db, job)))
        return rule_refuse(e, picture ? RULE_F1_NO_SUCH_MEDIA : RULE_F1_PROFILE_WORDS);
    char *before = profiles_get(tx->db, job->user, job->field);
    bool same = job->value != NULL ? before != NULL && strcmp(before, job->value) == 0 : before == NULL;
    free(before);
    if (same)
        return true;
    if (job->value != NULL &&
        profiles_size(tx->db, job->user, job->field) + (int64_t)strlen(job->field) + (int64_t)strlen(job->value) + 4 >=
            PROFILE_BYTES_MAX)
        return error_set(e, ERROR_PROFILE_TOO_LARGE, NULL);
    bool ok = job->value != NULL ? profiles_put(tx, job->user, job->field, job->value)
                                 : profiles_delete(tx, job->user, job->field);
    if (!ok)
        return error_set(e, ERROR_UNKNOWN, NULL);
    return !job->shown || hooks->profile_changed == NULL || hooks->profile_changed(hooks->self, tx, job->user, e);
}

static bool change(const struct accounts *accounts, user_no user, const char *field, const char *value, struct error *e)
{
    const struct typed *typed = typed_field(field);
    struct profile_job job = {accounts, user, field, value, typed != NULL && typed->shown};
    return writer_run(accounts->writer, job_profile, &job, e);
}

bool profile_set(const struct accounts *accounts, user_no user, const char *field, const json_t *value, struct error *e)
{
    const struct typed *typed = typed_field(field);
    const char *string = json_string_value(value);
    if (!profile_field_valid(field, e))
        return false;
    if (typed != NULL && string == NULL)
        return error_set(e, ERROR_BAD_JSON, "This profile field is a string.");
    if (typed != NULL && !typed->valid(string, e))
        return false;
    if (typed != NULL && *string == '\0')
        return change(accounts, user, field, NULL, e);
    char *text = json_canonical(value);
    bool ok = change(accounts, user, field, text, e);
    free(text);
    return ok;
}

bool profile_clear(const struct accounts *accounts, user_no user, const char *field, struct error *e)
{
    return profile_field_valid(field, e) && change(accounts, user, field, NULL, e);
}
