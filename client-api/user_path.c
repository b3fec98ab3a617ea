#include "client-api/user_path.h"

#include <string.h>

#include "homeserver/accounts/account_data.h"
#include "homeserver/http/request.h"

bool user_path_own(struct request *r)
{
    return strcmp(r->params[0], r->identity.user_id) == 0 ||
           refuse(r, ERROR_FORBIDDEN, "This belongs to another user.");
}

room_no user_path_own_room(struct request *r)
{
    return user_path_own(r) ? account_data_room(r->db, r->identity.user, r->params[1], &r->error) : 0;
}
