#include "appservice/diary/fetch.h"

#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"

#define PAGES_KEPT 256
#define TAG_BYTES 256
#define SLEEP_MS 50 /* between two looks whether it is to stop */

/* A page as it came, and by what the diary knows it. */
struct page {
    char *url;
    char tag[TAG_BYTES], modified[TAG_BYTES];
    struct text body;
    int64_t total; /* rest_total */
    uint64_t used; /* when, in calls */
};

struct fetch_memory {
    struct page pages[PAGES_KEPT];
    size_t bytes;
    uint64_t calls;
    int64_t last_ms; /* clock_mono_ms of the last request: a source has one host */
    int64_t total;   /* of the last page */
};

struct fetch_memory *fetch_memory_create(void)
{
    return xcalloc(1, sizeof(struct fetch_memory));
}

static void forget(struct fetch_memory *memory, struct page *page)
{
    memory->bytes -= page->body.len;
    if (page->body.data != NULL)
        sodium_memzero(page->body.data, page->body.len);
    text_finish(&page->body);
    free(page->url);
    *page = (struct page){0};
}

void fetch_memory_destroy(struct fetch_memory *memory)
{
    for (int i = 0; memory != NULL && i < PAGES_KEPT; ++i)
        forget(memory, &memory->pages[i]);
    free(memory);
}

static struct page *known_page(struct fetch_memory *memory, const char *url)
{
    for (int i = 0; i < PAGES_KEPT; ++i)
        if (memory->pages[i].url != NULL && strcmp(memory->pages[i].url, url) == 0)
            return &memory->pages[i];
    return NULL;
}

static struct page *oldest_page(struct fetch_memory *memory, bool used)
{
    struct page *oldest = NULL;
    for (int i = 0; i < PAGES_KEPT; ++i)
        if ((!used || memory->pages[i].url != NULL) && (oldest == NULL || memory->pages[i].used < oldest->used))
            oldest = &memory->pages[i];
    return oldest;
}

/* Only what names itself is kept: nothing else could be asked for by its name. */
static void remember(struct fetch_memory *memory, const char *url, const struct outgoing_reply *reply)
{
    struct page *page = known_page(memory, url);
    page = page != NULL ? page : oldest_page(memory, false);
    forget(memory, page);
    bool tagged = outgoing_reply_header(reply, "ETag", page->tag, sizeof page->tag);
    bool dated = outgoing_reply_header(reply, "Last-Modified", page->modified, sizeof page->modified);
    if ((!tagged && !dated) || reply->body.len > FETCH_MEMORY_BYTES_MAX / 2) {
        *page = (struct page){0};
        return;
    }
    while (memory->bytes + reply->body.len > FETCH_MEMORY_BYTES_MAX)
        forget(memory, oldest_page(memory, true));
    page->url = xstrdup(url);
    text_add(&page->body, reply->body.data, reply->body.len);
    page->used = memory->calls;
    page->total = memory->total;
    memory->bytes += page->body.len;
}

/* Waits until the host may be asked again. false: it is to stop. */
static bool keep_pace(struct source *source)
{
    int64_t now_ms;
    while ((now_ms = clock_mono_ms()) < source->memory->last_ms + source->pace_ms && source->memory->last_ms != 0) {
        if (source->stop != NULL && *source->stop)
            return false;
        int64_t left_ms = source->memory->last_ms + source->pace_ms - now_ms;
        poll(NULL, 0, (int)(left_ms < SLEEP_MS ? left_ms : SLEEP_MS));
    }
    source->memory->last_ms = now_ms;
    return true;
}

struct rest_client fetch_client(const struct source *source, const char *who)
{
    return (struct rest_client){.outgoing = source->outgoing,
                                .what = source->adapter->name,
                                .who = who,
                                .timeout_ms = 30000,
                                .tries = FETCH_TRIES,
                                .reply_max = FETCH_REPLY_BYTES_MAX,
                                .stop = source->stop};
}

static bool reply_fault(struct source *source, const struct rest_client *client, const char *what, struct text *problem)
{
    const struct outgoing_reply *reply = &client->reply;
    int64_t away_ms = reply->date_ms > 0 ? reply->date_ms - clock_wall_ms() : 0;
    if (away_ms > FETCH_CLOCK_MS || away_ms < -FETCH_CLOCK_MS)
        return text_fail(problem, "%s's clock is more than a day away from ours.", client->who);
    switch (reply->status) {
    case 200: return true;
    case 401: return text_fail(problem, "%s refuses our token for %s (status 401).", client->who, what);
    case 403: return text_fail(problem, "%s does not let us read %s (status 403).", client->who, what);
    default: break;
    }
    if (reply->status >= 300 && reply->status < 400)
        return text_fail(problem, "%s redirects %s elsewhere (status %ld); redirects are not followed.", client->who,
                         what, reply->status);
    return text_fail(problem, "%s answers %s with status %ld.", client->who, what, reply->status);
}

bool fetch_get(struct source *source, struct rest_client *client, const char *what, const char *url,
               const char *const *headers, size_t n_headers, const char **body, size_t *len, struct text *problem)
{
    struct fetch_memory *memory = source->memory;
    struct page *page = known_page(memory, url);
    struct text tag = TEXT_INIT, modified = TEXT_INIT;
    const char *all[6];
    size_t n = 0;
    if (source->meanwhile != NULL)
        source->meanwhile(source->self);
    if (source->until_ms != 0 && clock_mono_ms() > source->until_ms)
        return text_fail(problem, "%s takes too long for one reading.", client->who);
    for (; n < n_headers && n < 4; ++n)
        all[n] = headers[n];
    if (page != NULL && *page->tag != '\0') {
        text_addf(&tag, "If-None-Match: %s", page->tag);
        all[n++] = tag.data;
    } else if (page != NULL) {
        text_addf(&modified, "If-Modified-Since: %s", page->modified);
        all[n++] = modified.data;
    }
    ++memory->calls;
    bool done =
        keep_pace(source) ? rest_client_get(client, what, url, all, n, problem) : text_fail(problem, "Stopped.");
    text_finish(&tag);
    text_finish(&modified);
    if (client->reply.retry_after_ms > 0)
        source->not_before_ms = clock_mono_ms() + client->reply.retry_after_ms;
    if (!done)
        return false;
    if (client->reply.status == 304 && page != NULL) {
        page->used = memory->calls;
        memory->total = page->total;
        *body = page->body.data != NULL ? page->body.data : "";
        *len = page->body.len;
        return true;
    }
    if (!reply_fault(source, client, what, problem))
        return false;
    memory->total = rest_total(&client->reply, READING_RECORDS_MAX);
    remember(memory, url, &client->reply);
    *body = client->reply.body.data != NULL ? client->reply.body.data : "";
    *len = client->reply.body.len;
    return true;
}

int64_t fetch_total(const struct source *source)
{
    return source->memory->total;
}

static size_t host_of(const char *url, const char **host)
{
    *host = strstr(url, "://");
    *host = *host != NULL ? *host + 3 : url;
    return strcspn(*host, "/?#");
}

bool fetch_same_host(const char *url, const char *base)
{
    const char *a, *b;
    size_t a_len = host_of(url, &a), b_len = host_of(base, &b);
    return a_len == b_len && strncmp(a, b, a_len) == 0;
}
