#include "homeserver/media/previews.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/lru.h"
#include "homeserver/media/opengraph.h"
#include "homeserver/outgoing/outgoing.h"

#define KEPT_MAX 1000
#define ATTEMPT_MS 5000
#define WHOLE_MS 8000 /* redirects with it */
#define BUSY_WAIT_MS 2000

struct preview {
    atomic_int refs;
    char json[]; /* NUL-terminated */
};

struct previews {
    struct outgoing *outgoing;
    enum outgoing_network network;
    struct lru *kept; /* by hash of address and hour */
    atomic_int running;
};

static void *preview_ref(void *value)
{
    struct preview *preview = value;
    atomic_fetch_add(&preview->refs, 1);
    return preview;
}

static void preview_unref(void *value)
{
    struct preview *preview = value;
    if (preview != NULL && atomic_fetch_sub(&preview->refs, 1) == 1)
        free(preview);
}

struct previews *previews_create(struct outgoing *outgoing, enum outgoing_network network)
{
    static const struct lru_type KEPT = {SHA256_BYTES, preview_ref, preview_unref};
    struct previews *p = xcalloc(1, sizeof *p);
    p->outgoing = outgoing;
    p->network = network;
    p->kept = lru_create(&KEPT, KEPT_MAX);
    return p;
}

void previews_destroy(struct previews *p)
{
    if (p == NULL)
        return;
    lru_destroy(p->kept);
    free(p);
}

enum outgoing_network previews_network(const struct previews *p)
{
    return p->network;
}

/* --- Addresses --- */

bool preview_url_good(const char *url, enum outgoing_network network)
{
    bool tls = strncasecmp(url, "https://", 8) == 0;
    if ((!tls && strncasecmp(url, "http://", 7) != 0) || strlen(url) > PREVIEW_URL_MAX)
        return false;
    for (const char *c = url; *c != '\0'; ++c)
        if (*c <= ' ' || *c > '~' || *c == '\\')
            return false;
    const char *host = url + (tls ? 8 : 7), *port;
    size_t len = strcspn(host, "/?#");
    size_t name = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    if (*host == '[') { /* IPv6 */
        name = strspn(host + 1, "0123456789abcdefABCDEF:.") + 1;
        name = host[name] == ']' ? name + 1 : 0;
    }
    if (name == 0 || (name != len && host[name] != ':'))
        return false;
    port = tls ? ":443" : ":80";
    return name == len || network == OUTGOING_ANY ||
           (len - name == strlen(port) && strncmp(host + name, port, len - name) == 0);
}

bool preview_redirected(const struct outgoing_reply *reply, char url[PREVIEW_URL_MAX + 1],
                        enum outgoing_network network)
{
    char to[PREVIEW_URL_MAX + 2]; /* one more than may be: what was cut leads elsewhere */
    if (reply->status < 301 || reply->status > 308 || reply->status == 304 || reply->status == 305 ||
        !outgoing_reply_header(reply, "Location", to, sizeof to) || strlen(to) > PREVIEW_URL_MAX)
        return false;
    bool tls = strncasecmp(url, "https://", 8) == 0;
    if (to[0] == '/' && to[1] != '/') {
        size_t keep = strcspn(url + (tls ? 8 : 7), "/?#") + (tls ? 8 : 7);
        if (keep + strlen(to) > PREVIEW_URL_MAX)
            return false;
        strcpy(url + keep, to);
    } else if (tls && strncasecmp(to, "https://", 8) != 0) {
        return false;
    } else {
        strcpy(url, to);
    }
    url[strcspn(url, "#")] = '\0';
    return preview_url_good(url, network);
}

static void key_of(const char *url, unsigned char key[SHA256_BYTES])
{
    struct text hourly = TEXT_INIT;
    text_add_int(&hourly, clock_mono_ms() / HOUR_MS);
    text_addc(&hourly, ' ');
    text_add(&hourly, url, strcspn(url, "#"));
    sha256(hourly.data, hourly.len, key);
    text_finish(&hourly);
}

/* --- Fetching --- */

static enum outgoing_verdict judge(void *arg, const struct outgoing_reply *reply)
{
    return reply->status == 200 ? OUTGOING_DONE : OUTGOING_GIVE_UP;
}

bool preview_is_page(const struct outgoing_reply *reply)
{
    char type[64];
    bool html = outgoing_reply_header(reply, "Content-Type", type, sizeof type) &&
                (strncasecmp(type, "text/html", 9) == 0 || strncasecmp(type, "application/xhtml+xml", 21) == 0);
    return html && reply->status == 200 && (reply->fault == OUTGOING_ANSWERED || reply->fault == OUTGOING_TOO_LARGE) &&
           reply->body.len != 0;
}

/* true: *out has what the page says. */
static bool look_at(struct previews *p, const char *first, struct opengraph *out)
{
    static const char *const HEADERS[] = {"Accept: text/html"};
    char url[PREVIEW_URL_MAX + 1];
    int64_t until_ms = clock_mono_ms() + WHOLE_MS;
    bool found = false, again = true;
    snprintf(url, sizeof url, "%.*s", (int)strcspn(first, "#"), first);
    for (int i = 0; again && i <= PREVIEW_REDIRECTS_MAX && clock_mono_ms() < until_ms; ++i) {
        struct outgoing_reply reply = {0};
        const struct outgoing_request request = {.what = "preview",
                                                 .url = url,
                                                 .network = p->network,
                                                 .reply_max = PREVIEW_PAGE_MAX,
                                                 .deadline_ms = until_ms,
                                                 .attempts_max = 1,
                                                 .attempt_ms = ATTEMPT_MS,
                                                 .headers = HEADERS,
                                                 .n_headers = 1,
                                                 .compressed = true};
        outgoing_call(p->outgoing, &request, judge, NULL, &reply);
        found = preview_is_page(&reply) && opengraph_read(reply.body.data, reply.body.len, out);
        again = !found && preview_redirected(&reply, url, p->network);
        outgoing_reply_finish(&reply);
    }
    return found;
}

static void add_member(json_t *reply, const char *key, const char *value)
{
    if (*value != '\0')
        json_object_set_new(reply, key, json_string(value));
}

static struct preview *make(struct previews *p, const char *url)
{
    struct opengraph page;
    json_t *reply = json_object();
    if (look_at(p, url, &page)) {
        add_member(reply, "og:title", page.title);
        add_member(reply, "og:description", page.description);
        add_member(reply, "og:site_name", page.site_name);
        add_member(reply, "og:type", page.type);
    }
    char *json = json_canonical(reply);
    struct preview *preview = xcalloc(1, sizeof *preview + strlen(json) + 1);
    atomic_init(&preview->refs, 1);
    strcpy(preview->json, json);
    free(json);
    json_decref(reply);
    return preview;
}

bool previews_kept(struct previews *p, const char *url, struct text *out)
{
    unsigned char key[SHA256_BYTES];
    key_of(url, key);
    struct preview *kept = lru_get(p->kept, key);
    if (kept == NULL)
        return false;
    text_adds(out, kept->json);
    preview_unref(kept);
    return true;
}

bool previews_fetch(struct previews *p, const char *url, struct text *out, struct error *e)
{
    unsigned char key[SHA256_BYTES];
    if (atomic_fetch_add(&p->running, 1) >= PREVIEWS_AT_ONCE) {
        atomic_fetch_sub(&p->running, 1);
        return error_set_limited(e, BUSY_WAIT_MS);
    }
    key_of(url, key);
    struct preview *kept = lru_add(p->kept, key, make(p, url));
    atomic_fetch_sub(&p->running, 1);
    text_adds(out, kept->json);
    preview_unref(kept);
    return true;
}
