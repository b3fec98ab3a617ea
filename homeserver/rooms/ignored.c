#include "homeserver/rooms/ignored.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/users.h"

static int by_number(const void *a, const void *b)
{
    user_no x = *(const user_no *)a, y = *(const user_no *)b;
    return x < y ? -1 : x > y;
}

void ignored_load(struct ignored *ignored, struct db *db, const char *server_name, user_no user)
{
    const char *user_id;
    json_t *unused;
    *ignored = (struct ignored){0};
    char *content = account_data_get(db, user, 0, IGNORED_TYPE);
    if (content == NULL)
        return;
    json_t *list = json_loads(content, 0, NULL), *users = json_get_object(list, "ignored_users");
    size_t most = json_object_size(users) < IGNORED_MAX ? json_object_size(users) : IGNORED_MAX;
    ignored->users = xcalloc(most, sizeof *ignored->users);
    json_object_foreach(users, user_id, unused) {
        user_no no = ignored->n < most ? users_by_id(db, server_name, user_id) : 0;
        if (no != 0 && no != user) /* "Ignoring Users": nobody can ignore themselves */
            ignored->users[ignored->n++] = no;
    }
    qsort(ignored->users, ignored->n, sizeof *ignored->users, by_number);
    json_decref(list);
    free(content);
}

void ignored_finish(struct ignored *ignored)
{
    free(ignored->users);
    *ignored = (struct ignored){0};
}

bool ignored_has(const struct ignored *ignored, user_no user)
{
    return ignored != NULL && ignored->n != 0 &&
           bsearch(&user, ignored->users, ignored->n, sizeof user, by_number) != NULL;
}

bool ignored_every_invite(struct db *db, user_no user)
{
    char *content = account_data_get(db, user, 0, "m.invite_permission_config");
    if (content == NULL)
        return false;
    json_t *config = json_loads(content, 0, NULL);
    const char *action = json_get_string(config, "default_action");
    bool blocked = action != NULL && strcmp(action, "block") == 0;
    json_decref(config);
    free(content);
    return blocked;
}
