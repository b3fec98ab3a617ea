/* Media: uploads, downloads, thumbnails (Client-Server API, "Content repository").
 *
 * The paths without a credential are frozen, and were before the first upload: they have no media to show. There are no
 * other servers, and no previews of URLs unless the operator turns them on (school.md A5). Whoever may not see a piece
 * hears what they would hear if there were none (A1). */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/media/access.h"
#include "homeserver/media/files.h"
#include "homeserver/media/previews.h"
#include "homeserver/media/thumbnails.h"
#include "homeserver/media/upload.h"
#include "homeserver/store/school/reports.h"
#include "policy/gate/report_gate.h"

#define UNSCALED_BYTES_MAX (1 << 20) /* of a picture that is shown as it is where a smaller one was asked for */
#define BUSY_WAIT_MS 2000

/* --- Up --- */

static size_t upload_bytes_max(const struct server *server)
{
    return (size_t)MEDIA_BYTES_MAX;
}

static bool may_upload(struct request *r, size_t length)
{
    return media_may_upload(r->server->media, r->db, r->identity.user, (int64_t)length, &r->error);
}

static struct media_upload upload_of(struct request *r)
{
    return (struct media_upload){.user = r->identity.user,
                                 .fd = r->body_fd,
                                 .content = r->raw_body,
                                 .len = r->raw_body_len,
                                 .type = r->headers[HEADER_CONTENT_TYPE],
                                 .name = query_get(r, "filename")};
}

static json_t *uri_json(const struct request *r, const char *media_id)
{
    return json_sprintf("mxc://%s/%s", r->server->config->server_name, media_id);
}

static bool post_upload(struct request *r)
{
    char media_id[MEDIA_ID_BYTES + 1];
    const struct media_upload upload = upload_of(r);
    return may_upload(r, r->raw_body_len) && media_upload(r->server->media, &upload, media_id, &r->error) &&
           reply_json(r, json_pack("{s:o}", "content_uri", uri_json(r, media_id)));
}

static bool post_create(struct request *r)
{
    char media_id[MEDIA_ID_BYTES + 1];
    int64_t until_ms;
    return media_create(r->server->media, r->identity.user, media_id, &until_ms, &r->error) &&
           reply_json(r, json_pack("{s:o, s:I}", "content_uri", uri_json(r, media_id), "unused_expires_at",
                                   (json_int_t)until_ms));
}

static bool is_own_server(struct request *r)
{
    return strcmp(r->params[0], r->server->config->server_name) == 0 ||
           refuse(r, ERROR_NOT_FOUND, "There is no such media here.");
}

static bool put_upload(struct request *r)
{
    const struct media_upload upload = upload_of(r);
    return is_own_server(r) && may_upload(r, r->raw_body_len) &&
           media_upload_to(r->server->media, &upload, r->params[1], &r->error) && reply_empty(r);
}

static bool get_config(struct request *r)
{
    json_int_t size = media_upload_max(r->server->media, r->db, r->identity.user);
    return reply_json(r, json_pack("{s:I}", "m.upload.size", size));
}

/* --- Down --- */

/* "Serving inline content": what a browser may be shown. Everything else is to be saved. */
static bool may_be_inline(const char *type)
{
    static const char *const INLINE[] = {
        "text/css",   "text/plain",   "text/csv",        "application/json", "application/ld+json", "image/jpeg",
        "image/gif",  "image/png",    "image/apng",      "image/webp",       "image/avif",          "video/mp4",
        "video/webm", "video/ogg",    "video/quicktime", "audio/mp4",        "audio/webm",          "audio/aac",
        "audio/mpeg", "audio/ogg",    "audio/wave",      "audio/wav",        "audio/x-wav",         "audio/x-pn-wav",
        "audio/flac", "audio/x-flac",
    };
    size_t len = strcspn(type, "; ");
    for (size_t i = 0; i < sizeof INLINE / sizeof *INLINE; ++i)
        if (strlen(INLINE[i]) == len && strncasecmp(INLINE[i], type, len) == 0)
            return true;
    return false;
}

/* RFC 6266: a plain name in quotes, another in UTF-8, percent-encoded (RFC 8187). */
static void add_file_name(struct text *out, const char *name)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ()+,=@~";
    if (*name == '\0')
        return;
    if (name[strspn(name, PLAIN)] == '\0') {
        text_addf(out, "; filename=\"%s\"", name);
        return;
    }
    text_adds(out, "; filename*=utf-8''");
    text_add_percent(out, name);
}

/* hash NULL: it may come out otherwise another time. */
static void add_headers(struct request *r, const char *type, const char *name, const unsigned char *hash)
{
    struct text disposition = TEXT_INIT, etag = TEXT_INIT;
    char text[MEDIA_HASH_TEXT];
    text_adds(&disposition, may_be_inline(type) ? "inline" : "attachment");
    add_file_name(&disposition, name);
    reply_header(r, "content-disposition", disposition.data);
    reply_header(r, "content-security-policy",
                 "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src "
                 "'unsafe-inline'; object-src 'self';");
    reply_header(r, "cross-origin-resource-policy", "cross-origin");
    reply_header(r, "x-content-type-options", "nosniff");
    reply_header(r, "cache-control", "private, max-age=86400");
    if (hash != NULL) {
        media_hash_text(hash, text);
        text_addf(&etag, "\"%s\"", text);
        reply_header(r, "etag", etag.data);
    }
    text_finish(&disposition);
    text_finish(&etag);
}

/* F5: whoever decides on a report sees what the accused has sent, also once it was taken back. */
static bool is_evidence_for(struct request *r, const struct media_row *row)
{
    const struct actor actor = {.user = r->identity.user, .name = r->identity.name};
    struct report_row report;
    struct error ignored;
    struct text uri = TEXT_INIT;
    bool found = false;
    text_addf(&uri, "mxc://%s/%s", r->server->media->server_name, row->media_id);
    struct stmt *q = reports_open_of(r->db, row->user, uri.data);
    while (!found && reports_next(q, &report))
        found = report_may_read(r->db, r->server->media->school_mode, &actor, &report, &ignored);
    stmt_end(q);
    text_finish(&uri);
    return found;
}

/* false: r->error. */
static bool find_media(struct request *r, struct media_row *row)
{
    const struct media *media = r->server->media;
    if (!is_own_server(r))
        return false;
    if (!media_find(r->db, r->params[1], row) ||
        !(media_may_see(media->school_mode, media->server_name, r->db, r->identity.user, row) ||
          is_evidence_for(r, row)))
        return refuse(r, ERROR_NOT_FOUND, "There is no such media here.");
    return row->whole || refuse(r, ERROR_NOT_YET_UPLOADED, NULL);
}

static bool send_media(struct request *r, const struct media_row *row, const char *name)
{
    int64_t bytes;
    int fd = media_files_read(r->server->media->files, row->hash, &bytes);
    if (fd < 0)
        return refuse(r, ERROR_UNAVAILABLE, NULL);
    add_headers(r, row->type, name, row->hash);
    return reply_file(r, fd, bytes, row->type);
}

static bool get_download(struct request *r)
{
    struct media_row row;
    return find_media(r, &row) && send_media(r, &row, row.name);
}

static bool get_download_named(struct request *r)
{
    struct media_row row;
    char name[MEDIA_NAME_BYTES_MAX + 1];
    media_clean_name(r->params[2], name);
    return find_media(r, &row) && send_media(r, &row, name);
}

/* "Thumbnails": also what is wrong when there is none. */
static bool refuse_thumbnail(struct request *r, enum thumbnail outcome)
{
    if (outcome == THUMBNAIL_TOO_LARGE)
        return refuse(r, ERROR_TOO_LARGE, "This picture has too many pixels.");
    if (outcome == THUMBNAIL_BUSY)
        return error_set_limited(&r->error, BUSY_WAIT_MS);
    refuse(r, ERROR_UNKNOWN, "There is no thumbnail of this.");
    r->error.status = 400;
    return false;
}

struct thumbnail_wish {
    int64_t width, height;
    bool crop, animated;
};

static enum thumbnail thumbnail_of(struct request *r, const struct media_row *row, const struct thumbnail_wish *wish,
                                   int *fd, int64_t *bytes, const char **type)
{
    struct thumbnails *thumbnails = r->server->media->thumbnails;
    enum thumbnail outcome = THUMBNAIL_NONE;
    *fd = -1;
    if (strncasecmp(row->type, "image/", 6) != 0)
        return THUMBNAIL_NONE;
    if (wish->animated && (strcasecmp(row->type, "image/gif") == 0 || strcasecmp(row->type, "image/webp") == 0))
        outcome = thumbnails_get(thumbnails, row->hash, wish->width, wish->height, THUMBNAIL_ANIMATED, fd, bytes, type);
    if (outcome != THUMBNAIL_NONE && outcome != THUMBNAIL_TOO_LARGE)
        return outcome;
    return thumbnails_get(thumbnails, row->hash, wish->width, wish->height,
                          wish->crop ? THUMBNAIL_CROPPED : THUMBNAIL_SCALED, fd, bytes, type);
}

static bool send_thumbnail(struct request *r, const struct media_row *row, const struct thumbnail_wish *wish)
{
    int fd;
    int64_t bytes;
    const char *type;
    enum thumbnail outcome = thumbnail_of(r, row, wish, &fd, &bytes, &type);
    /* A picture of a format that is not read here is its own thumbnail, if it is small. */
    bool own = outcome == THUMBNAIL_ORIGINAL || (outcome == THUMBNAIL_NONE && row->bytes <= UNSCALED_BYTES_MAX);
    if (own && strncasecmp(row->type, "image/", 6) == 0 && may_be_inline(row->type))
        return send_media(r, row, "");
    if (outcome != THUMBNAIL_MADE)
        return refuse_thumbnail(r, outcome);
    add_headers(r, type, strcmp(type, "image/png") == 0 ? "thumbnail.png" : "thumbnail.jpg", NULL);
    return reply_file(r, fd, bytes, type);
}

static bool get_thumbnail(struct request *r)
{
    struct media_row row;
    struct thumbnail_wish wish = {0};
    const char *method = query_get(r, "method");
    if (!query_int(r, "width", 0, 1, INT32_MAX, &wish.width) ||
        !query_int(r, "height", 0, 1, INT32_MAX, &wish.height) || !query_bool(r, "animated", false, &wish.animated))
        return false;
    if (wish.width == 0 || wish.height == 0)
        return refuse(r, ERROR_MISSING_PARAM, "width and height are needed.");
    if (method != NULL && strcmp(method, "crop") != 0 && strcmp(method, "scale") != 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "method", "method is crop or scale.");
    wish.crop = method != NULL && strcmp(method, "crop") == 0;
    return find_media(r, &row) && send_thumbnail(r, &row, &wish);
}

/* --- What there is not --- */

static bool get_frozen(struct request *r)
{
    return refuse(r, ERROR_NOT_FOUND, "Media is shown to who is signed in: /_matrix/client/v1/media/download.");
}

/* --- Previews of web addresses --- */

/* A person fetches as fast as they may write, and counted apart. */
static bool may_fetch(struct request *r)
{
    char key[40];
    snprintf(key, sizeof key, "preview %lld", (long long)r->identity.user);
    int64_t wait_ms = limits_take_key(r->server->limits, RATE_WRITE, key, clock_mono_ms());
    return wait_ms == 0 || error_set_limited(&r->error, wait_ms);
}

/* A5: where the operator has not turned them on nobody is asked what is behind an address. */
static bool get_preview(struct request *r)
{
    struct text out = TEXT_INIT;
    struct previews *previews = r->server->media->previews;
    const char *url = query_get(r, "url");
    if (previews == NULL)
        return reply_empty(r);
    if (url == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "url is missing.");
    if (!preview_url_good(url, previews_network(previews)))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "url", "url is no address of a web page.");
    if (previews_kept(previews, url, &out))
        return reply_text(r, &out);
    return may_fetch(r) && previews_fetch(previews, url, &out, &r->error) && reply_text(r, &out);
}

#define CLIENT "/_matrix/client/v1/media/"
#define LEGACY "/_matrix/media/v3/"

static const struct route TABLE[] = {
    {HTTP_POST, LEGACY "upload", post_upload, ROUTE_AUTH | ROUTE_FILE, RATE_WRITE, "uploadContent", NULL,
     upload_bytes_max, may_upload},
    {HTTP_PUT, LEGACY "upload/{serverName}/{mediaId}", put_upload, ROUTE_AUTH | ROUTE_FILE, RATE_WRITE,
     "uploadContentToMXC", NULL, upload_bytes_max, may_upload},
    {HTTP_POST, "/_matrix/media/v1/create", post_create, ROUTE_AUTH, RATE_WRITE, "createContent"},
    {HTTP_GET, CLIENT "config", get_config, ROUTE_AUTH, RATE_NONE, "getConfigAuthed"},
    {HTTP_GET, CLIENT "download/{serverName}/{mediaId}", get_download, ROUTE_AUTH, RATE_NONE, "getContentAuthed"},
    {HTTP_GET, CLIENT "download/{serverName}/{mediaId}/{fileName}", get_download_named, ROUTE_AUTH, RATE_NONE,
     "getContentOverrideNameAuthed"},
    {HTTP_GET, CLIENT "thumbnail/{serverName}/{mediaId}", get_thumbnail, ROUTE_AUTH, RATE_NONE,
     "getContentThumbnailAuthed"},
    {HTTP_GET, CLIENT "preview_url", get_preview, ROUTE_AUTH, RATE_READ, "getUrlPreviewAuthed"},
    {HTTP_GET, LEGACY "config", get_config, ROUTE_AUTH, RATE_NONE, "getConfig"},
    {HTTP_GET, LEGACY "download/{serverName}/{mediaId}", get_frozen, 0, RATE_NONE, "getContent"},
    {HTTP_GET, LEGACY "download/{serverName}/{mediaId}/{fileName}", get_frozen, 0, RATE_NONE, "getContentOverrideName"},
    {HTTP_GET, LEGACY "thumbnail/{serverName}/{mediaId}", get_frozen, 0, RATE_NONE, "getContentThumbnail"},
    {HTTP_GET, LEGACY "preview_url", get_frozen, 0, RATE_NONE, "getUrlPreview"},
};
const struct routes MEDIA_ROUTES = ROUTES(TABLE);
