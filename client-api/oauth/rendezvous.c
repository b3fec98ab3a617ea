/* Signing in by QR code: where the new device and the old one meet (MSC4388, and MSC4108 as of 2024, which is what
 * matrix-rust-sdk speaks). Payloads are never shown to browsers as anything but data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client-api/oauth/common.h"
#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/rendezvous.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

/* The two kinds do not know of each other's: what one puts there is no answer to the other. */
static struct rendezvous *meetings(const struct request *r, bool bytes)
{
    return bytes ? r->server->accounts->rendezvous_bytes : r->server->accounts->rendezvous;
}

/* For server->config: what the JSON around the longest payload may take. */
static size_t body_max(const struct server *server)
{
    return 8 * RENDEZVOUS_DATA_MAX;
}

static bool open_one(struct request *r, bool bytes, const char *data, size_t len, struct rendezvous_view *out)
{
    struct text place = TEXT_INIT;
    if (len > RENDEZVOUS_DATA_MAX)
        return refuse(r, ERROR_TOO_LARGE, NULL);
    oauth_add_place(&place, r->ip);
    bool opened = rendezvous_open(meetings(r, bytes), place.data, data, len, clock_mono_ms(), out);
    text_finish(&place);
    return opened || error_set_limited(&r->error, RENDEZVOUS_LIFETIME_MS / 10);
}

/* --- MSC4388: JSON, and a token that is compared --- */

static bool get_available(struct request *r)
{
    return oauth_is_on(r) && reply_json(r, json_pack("{s:b}", "create_available", true));
}

static bool post_meeting(struct request *r)
{
    const char *data;
    struct rendezvous_view view = {0};
    return oauth_is_on(r) && body_string(r, "data", &data) && open_one(r, false, data, strlen(data), &view) &&
           oauth_reply(r, json_pack("{s:s, s:s, s:I}", "id", view.id, "sequence_token", view.sequence, "expires_in_ms",
                                    (json_int_t)view.expires_in_ms));
}

/* Guesses are counted for where they come from. */
static bool refuse_gone(struct request *r)
{
    int64_t wait_ms = limits_take(r->server->limits, RATE_LOGIN, 0, r->ip, 0, clock_mono_ms());
    return wait_ms == 0 ? refuse(r, ERROR_NOT_FOUND, "There is no such session, or it is over.")
                        : error_set_limited(&r->error, wait_ms);
}

/* Each meeting has a count of its own: those who share an address (a school does) do not slow each other, and how many
 * meetings there are of one address is bounded (rendezvous.h). */
static bool is_counted(struct request *r)
{
    char key[64];
    snprintf(key, sizeof key, "meeting %.48s", r->params[0]);
    int64_t wait_ms = limits_take_key(r->server->limits, RATE_READ, key, clock_mono_ms());
    return wait_ms == 0 || error_set_limited(&r->error, wait_ms);
}

/* A page that leads a browser here is to show nothing of what somebody has put here. */
static bool is_navigation(const struct request *r)
{
    const char *mode = r->headers[HEADER_SEC_FETCH_MODE], *dest = r->headers[HEADER_SEC_FETCH_DEST];
    return (mode != NULL && strcmp(mode, "navigate") == 0) || (dest != NULL && strcmp(dest, "document") == 0);
}

/* What has been put there; the caller frees view->data. false: r->error. */
static bool find_meeting(struct request *r, bool bytes, struct rendezvous_view *view)
{
    *view = (struct rendezvous_view){0};
    if (!oauth_is_on(r))
        return false;
    if (is_navigation(r))
        return refuse(r, ERROR_FORBIDDEN, NULL);
    return is_counted(r) && (rendezvous_get(meetings(r, bytes), r->params[0], clock_mono_ms(), view) || refuse_gone(r));
}

static bool get_meeting(struct request *r)
{
    struct rendezvous_view view;
    if (!find_meeting(r, false, &view))
        return false;
    json_t *reply = json_pack("{s:s, s:s, s:I}", "data", view.data, "sequence_token", view.sequence, "expires_in_ms",
                              (json_int_t)view.expires_in_ms);
    free(view.data);
    return oauth_reply(r, reply);
}

static bool put_meeting(struct request *r)
{
    const char *data, *sequence;
    struct rendezvous_view view = {0};
    if (!oauth_is_on(r) || !is_counted(r) || !body_string(r, "data", &data) ||
        !body_string(r, "sequence_token", &sequence))
        return false;
    if (strlen(data) > RENDEZVOUS_DATA_MAX)
        return refuse(r, ERROR_TOO_LARGE, NULL);
    switch (rendezvous_put(meetings(r, false), r->params[0], sequence, data, strlen(data), clock_mono_ms(), &view)) {
    case RENDEZVOUS_PUT: return oauth_reply(r, json_pack("{s:s}", "sequence_token", view.sequence));
    case RENDEZVOUS_CONCURRENT: return refuse(r, ERROR_CONCURRENT_WRITE, NULL);
    default: return refuse_gone(r);
    }
}

static bool close_meeting(struct request *r, bool bytes)
{
    return oauth_is_on(r) &&
           (rendezvous_close(meetings(r, bytes), r->params[0], clock_mono_ms()) ? reply_empty(r) : refuse_gone(r));
}

static bool delete_meeting(struct request *r)
{
    return close_meeting(r, false);
}

/* --- MSC4108 of 2024: plain text, and entity tags (RFC 9110, 8.8.3) --- */

static void add_date(struct request *r, const char *header, int64_t wall_ms)
{
    char text[64];
    struct tm tm;
    time_t at = wall_ms / 1000;
    gmtime_r(&at, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    reply_header(r, header, text);
}

static void add_tags(struct request *r, const struct rendezvous_view *view)
{
    struct text tag = TEXT_INIT;
    int64_t wall_ms = clock_wall_ms();
    text_addf(&tag, "\"%s\"", view->sequence);
    reply_header(r, "etag", tag.data);
    reply_header(r, "cache-control", "no-store, no-transform");
    add_date(r, "expires", wall_ms + view->expires_in_ms);
    add_date(r, "last-modified", wall_ms - (clock_mono_ms() - view->changed_ms));
    text_finish(&tag);
}

/* Whether the header names the tag of what is there. */
static bool names(const char *header, const char *sequence)
{
    size_t len = header != NULL ? strlen(header) : 0;
    return len == RENDEZVOUS_NAME_CHARS + 2 && header[0] == '"' && header[len - 1] == '"' &&
           strncmp(header + 1, sequence, RENDEZVOUS_NAME_CHARS) == 0;
}

static bool post_text(struct request *r)
{
    struct rendezvous_view view = {0};
    if (!oauth_is_on(r) || !open_one(r, true, r->raw_body, r->raw_body_len, &view))
        return false;
    struct text url = TEXT_INIT;
    oauth_add_base(&url, r->server->config);
    text_addf(&url, "/_matrix/client/unstable/org.matrix.msc4108/rendezvous/%s", view.id);
    json_t *reply = json_pack("{s:s}", "url", url.data);
    text_finish(&url);
    add_tags(r, &view);
    return reply_status(r, 201) && reply_json(r, reply);
}

static bool get_text(struct request *r)
{
    struct rendezvous_view view;
    if (!find_meeting(r, true, &view))
        return false;
    struct text data = TEXT_INIT;
    bool known = names(r->headers[HEADER_IF_NONE_MATCH], view.sequence);
    text_add(&data, view.data, known ? 0 : view.len);
    free(view.data);
    add_tags(r, &view);
    reply_header(r, "x-content-type-options", "nosniff");
    reply_header(r, "content-security-policy", "sandbox; default-src 'none'");
    r->reply.type = "text/plain";
    if (known)
        reply_status(r, 304);
    return reply_text(r, &data);
}

static bool put_text(struct request *r)
{
    struct rendezvous_view view = {0};
    const char *tag = r->headers[HEADER_IF_MATCH];
    char sequence[RENDEZVOUS_NAME_CHARS + 1] = "";
    if (!oauth_is_on(r) || !is_counted(r))
        return false;
    if (r->raw_body_len > RENDEZVOUS_DATA_MAX)
        return refuse(r, ERROR_TOO_LARGE, NULL);
    if (tag == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "If-Match", NULL);
    if (strlen(tag) == RENDEZVOUS_NAME_CHARS + 2)
        memcpy(sequence, tag + 1, RENDEZVOUS_NAME_CHARS);
    enum rendezvous_outcome outcome =
        rendezvous_put(meetings(r, true), r->params[0], sequence, r->raw_body, r->raw_body_len, clock_mono_ms(), &view);
    if (outcome == RENDEZVOUS_GONE)
        return refuse_gone(r);
    if (outcome == RENDEZVOUS_CONCURRENT) {
        refuse(r, ERROR_CONCURRENT_WRITE, NULL);
        r->error.status = 412;
        return false;
    }
    struct text nothing = TEXT_INIT;
    text_adds(&nothing, "");
    add_tags(r, &view);
    return reply_status(r, 202) && reply_text(r, &nothing);
}

static bool delete_text(struct request *r)
{
    return close_meeting(r, true);
}

#define MSC4388 "/_matrix/client/unstable/io.element.msc4388/rendezvous"
#define MSC4108 "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"

static const struct route TABLE[] = {
    {HTTP_GET, MSC4388, get_available, 0, RATE_NONE, NULL},
    {HTTP_POST, MSC4388, post_meeting, ROUTE_BODY, RATE_LOGIN, NULL, NULL, body_max},
    {HTTP_GET, MSC4388 "/{rendezvousId}", get_meeting, 0, RATE_NONE, NULL},
    {HTTP_PUT, MSC4388 "/{rendezvousId}", put_meeting, ROUTE_BODY, RATE_NONE, NULL, NULL, body_max},
    {HTTP_DELETE, MSC4388 "/{rendezvousId}", delete_meeting, 0, RATE_LOGIN, NULL},
    {HTTP_POST, MSC4108, post_text, 0, RATE_LOGIN, NULL, NULL, body_max},
    {HTTP_GET, MSC4108 "/{rendezvousId}", get_text, 0, RATE_NONE, NULL},
    {HTTP_PUT, MSC4108 "/{rendezvousId}", put_text, 0, RATE_NONE, NULL, NULL, body_max},
    {HTTP_DELETE, MSC4108 "/{rendezvousId}", delete_text, 0, RATE_LOGIN, NULL},
};
const struct routes OAUTH_RENDEZVOUS_ROUTES = ROUTES(TABLE);
