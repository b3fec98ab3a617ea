#include "homeserver/accounts/new_account.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "homeserver/accounts/password.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"

#define DRAWS_MAX 8 /* of names that are taken: more than one is a wonder */

void localpart_draw(char out[LOCALPART_BYTES])
{
    random_name(out + 1, LOCALPART_BYTES - 2);
    out[0] = 'p';
    for (char *c = out; *c != '\0'; ++c)
        *c = (char)tolower((unsigned char)*c);
}

user_no account_insert(struct tx *tx, const struct new_account *account, struct error *e)
{
    char drawn[LOCALPART_BYTES];
    struct text name = TEXT_INIT;
    user_no user = 0;
    for (int draws = 0; draws < (account->localpart != NULL ? 1 : DRAWS_MAX) && user == 0 && !db_failed(tx->db);
         ++draws) {
        if (account->localpart == NULL)
            localpart_draw(drawn);
        user = users_insert(tx, account->localpart != NULL ? account->localpart : drawn, account->password_hash,
                            account->state, account->admin);
    }
    if (user == 0)
        return error_set(e, ERROR_USER_IN_USE, NULL);
    if (account->display_name == NULL)
        return user;
    text_add_json(&name, account->display_name);
    bool named = profiles_put(tx, user, "displayname", name.data) || error_set(e, ERROR_UNKNOWN, NULL);
    text_finish(&name);
    return named ? user : 0;
}

bool registration_name_allowed(const struct accounts *accounts, const char *localpart, struct error *e)
{
    char folded[ID_BYTES_MAX + 1], user_id[2 * ID_BYTES_MAX + 3];
    if (!localpart_fold(localpart, folded) || !localpart_valid_for_new(folded, accounts->config->server_name))
        return error_set(e, ERROR_INVALID_USERNAME, "A user name has a-z, 0-9 and ._=-/+ only, and is not too long.");
    snprintf(user_id, sizeof user_id, "@%s:%s", folded, accounts->config->server_name);
    return accounts->hooks.exclusive == NULL || !accounts->hooks.exclusive(accounts->hooks.of_services, user_id) ||
           error_set(e, ERROR_EXCLUSIVE, NULL);
}

bool account_making_begin(struct account_making *m, const struct accounts *accounts, const struct registration *wanted,
                          struct error *e)
{
    *m = (struct account_making){.accounts = accounts, .wanted = wanted};
    if ((wanted->localpart != NULL && !registration_name_allowed(accounts, wanted->localpart, e)) ||
        !password_acceptable(accounts->config, wanted->password, e) ||
        (wanted->display_name != NULL && !profile_display_name_valid(wanted->display_name, e)) ||
        (wanted->device != NULL && !device_wish_valid(wanted->device, e)))
        return false;
    if (wanted->localpart != NULL)
        localpart_fold(wanted->localpart, m->localpart);
    else
        localpart_draw(m->localpart);
    m->hash = password_hash(accounts->config, wanted->password);
    if (m->hash == NULL)
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (wanted->device != NULL)
        sign_in_prepare(accounts, wanted->device, &m->in);
    return true;
}

bool account_making_insert(struct tx *tx, struct account_making *m, enum account_state state, struct error *e)
{
    const struct new_account account = {.localpart = m->localpart,
                                        .password_hash = m->hash,
                                        .display_name = m->wanted->display_name,
                                        .state = state,
                                        .admin = m->wanted->admin};
    m->user = account_insert(tx, &account, e);
    return m->user != 0;
}

bool account_making_sign_in(struct tx *tx, const struct account_making *m, struct error *e)
{
    return m->wanted->device == NULL || sign_in_write(tx, m->user, &m->in, e);
}

bool account_making_end(struct account_making *m, bool done, const char *user_id, struct login_result *out)
{
    struct text made = TEXT_INIT;
    text_addf(&made, "@%s:%s", m->localpart, m->accounts->config->server_name);
    *out = (struct login_result){0};
    if (done)
        sign_in_result(&m->in, m->user, user_id != NULL ? user_id : made.data, out);
    text_finish(&made);
    free(m->hash);
    *m = (struct account_making){0};
    return done;
}
