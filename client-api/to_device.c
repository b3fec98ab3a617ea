/* Messages from device to device (Client-Server API, "Send-to-Device messaging"). */
#include "client-api/keys_common.h"
#include "client-api/routes.h"
#include "homeserver/keys/to_device.h"

static bool put_to_device(struct request *r)
{
    json_t *messages;
    const struct keys_caller caller = keys_caller_of(r);
    if (!body_object_or_null(r, "messages", &messages))
        return false;
    if (messages == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "messages", "The body has no messages.");
    return to_device_send(&caller, r->params[0], r->params[1], messages, &r->error) && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/sendToDevice/{eventType}/{txnId}", put_to_device, ROUTE_AUTH | ROUTE_BODY,
     RATE_WRITE, "sendToDevice"},
};
const struct routes TO_DEVICE_ROUTES = ROUTES(TABLE);
