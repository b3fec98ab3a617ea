#include "client-api/user_path.h"

#include <string.h>

#include "homeserver/accounts/account_data.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/http/request.h"

bool own_path(struct request *r)
{
    return strcmp(r->params[0], r->session->user_id) == 0 ||
           refuse(r, ERROR_FORBIDDEN, "This belongs to another user.");
}

room_no own_path_room(struct request *r)
{
    return own_path(r) ? account_data_room(r->db, r->session->user, r->params[1], &r->error) : 0;
}
