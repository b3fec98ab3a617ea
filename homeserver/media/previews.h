/* Previews of web addresses (Client-Server API, "getUrlPreviewAuthed"): what a page says of itself. Off unless the
 * operator turns them on (school.md A5): whose page it is learns that somebody here has written of it, but not who.
 *
 * Pages are fetched as outgoing/ fetches what people name: no address of this machine and its networks, also not behind
 * a redirect, of which few are followed, each asked anew. Time, bytes and how many are fetched at once are bounded; of
 * longer pages only the beginning is read. Nothing of a page but texts is taken (opengraph.h): no picture, no script,
 * no second request. What came of it is kept in memory for up to an hour, and shown to whoever asks for the same
 * address. */
#ifndef PARTA_MEDIA_PREVIEWS_H
#define PARTA_MEDIA_PREVIEWS_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/outgoing/transfer.h"

struct outgoing;
struct previews;

#define PREVIEW_URL_MAX 2000         /* bytes */
#define PREVIEW_PAGE_MAX (512 << 10) /* of a page; what follows is not read */
#define PREVIEW_REDIRECTS_MAX 3
#define PREVIEWS_AT_ONCE 4

/* network: OUTGOING_PUBLIC; tests have their pages on this machine. Never NULL. */
struct previews *previews_create(struct outgoing *outgoing, enum outgoing_network network);
void previews_destroy(struct previews *previews); /* NULL is accepted */

/* Whether the address may be looked at: http or https, with a host and nothing before it, on the usual port. */
bool preview_url_good(const char *url, enum outgoing_network network);

/* Pure: where a redirect leads from url, into url: to another address, or another path of the same host, never from
 * https to http. false: nowhere that is followed; url is anything then. */
bool preview_redirected(const struct outgoing_reply *reply, char url[PREVIEW_URL_MAX + 1],
                        enum outgoing_network network);
bool preview_is_page(const struct outgoing_reply *reply); /* pure: HTML, or the beginning of it */

/* as previews_create got it: for preview_url_good and preview_redirected */
enum outgoing_network previews_network(const struct previews *previews);

/* What is kept of it, JSON, appended. false: it is to be fetched. */
bool previews_kept(struct previews *previews, const char *url, struct text *out);

/* Fetches it, keeps it, and appends it: "{}" where there is nothing to show. false: *e: too many are being fetched
 * (ERROR_LIMIT_EXCEEDED). Blocks (some seconds at worst). */
bool previews_fetch(struct previews *previews, const char *url, struct text *out, struct error *e);

#endif
