/* Which push gateways pushers may name: that is the operator's decision (school.md A5, setting push.gateways; nothing
 * is there, nothing goes out). Pure.
 *
 * A gateway is its scheme, host and port: the path is the same everywhere (Push Gateway API). */
#ifndef PARTA_PUSH_DELIVERY_GATEWAYS_H
#define PARTA_PUSH_DELIVERY_GATEWAYS_H

#include <stdbool.h>

struct config;

#define GATEWAY_BYTES_MAX 255
#define GATEWAY_PATH "/_matrix/push/v1/notify"

/* "https://push.example" of "https://Push.Example:443/_matrix/push/v1/notify". false: it is no such address. */
bool gateway_of_url(const char *url, char out[GATEWAY_BYTES_MAX + 1]);

enum gateway_leave {
    GATEWAY_REFUSED,
    GATEWAY_PUBLIC, /* by "*": no addresses of private networks, and https alone */
    GATEWAY_NAMED,  /* the operator names it: wherever it is */
};
/* What the setting says of it now; gateway: as gateway_of_url writes it. Asked when a pusher is set and at each push: a
 * setting that no longer names it ends both. */
enum gateway_leave gateway_leave(const struct config *config, const char *gateway);

bool gateways_any(const struct config *config); /* whether some gateway is allowed */

#endif
