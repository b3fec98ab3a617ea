#include "policy/oneroster/pull.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "policy/oneroster/rest.h"

#define CONNECT_MS 10000
#define BACKOFF_MS 500 /* before the second try; then twice as long each time */
#define BACKOFF_MAX_MS 60000
#define TOKEN_SPARE_MS 30000 /* a token is not used in its last seconds */
#define TOKEN_BYTES_MAX 8192
#define SECRET_BYTES_MAX 4096
#define COLLECTS 3 /* how often everything is collected anew when the source changed under our hands */
#define SCOPE "https://purl.imsglobal.org/spec/or/v1p2/scope/"

struct pulling {
    const struct roster_pull *pull;
    struct text *problem;
    CURL *curl;
    char secret[SECRET_BYTES_MAX];
    char *token; /* NULL: none yet */
    int64_t token_until_ms;
    const char *since; /* "": everything */
    /* Of the reply at hand. */
    struct text body;
    bool too_large;
    int64_t total, date_ms, retry_after_ms; /* −1: not said */
    /* Of the whole pull. */
    int64_t began_ms,
        newest_ms; /* the source's clock at the first reply, ours if it says none; the latest dateLastModified */
    bool dated;    /* began_ms is the source's */
};

static bool fail(struct pulling *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct pulling *p, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    text_clear(p->problem);
    text_adds(p->problem, why);
    return false;
}

static bool stopped(const struct pulling *p)
{
    return p->pull->stop != NULL && *p->pull->stop;
}

/* --- One exchange --- */

static size_t on_body(char *bytes, size_t size, size_t n, void *self)
{
    struct pulling *p = self;
    if (p->body.len + size * n > PULL_PAGE_BYTES_MAX) {
        p->too_large = true;
        return 0;
    }
    text_add(&p->body, bytes, size * n);
    return size * n;
}

/* The value of a header with that name; NULL: the line is another one. out has room for 64 bytes. */
static const char *header_value(const char *line, size_t len, const char *name, char out[64])
{
    size_t of_name = strlen(name);
    if (len <= of_name || line[of_name] != ':' || strncasecmp(line, name, of_name) != 0)
        return NULL;
    snprintf(out, 64, "%.*s", (int)(len - of_name - 1), line + of_name + 1);
    out[strcspn(out, "\r\n")] = '\0';
    return out + strspn(out, " \t");
}

static int64_t within(int64_t n, int64_t high)
{
    return n < 0 ? 0 : n < high ? n : high;
}

static size_t on_header(char *line, size_t size, size_t n, void *self)
{
    struct pulling *p = self;
    char buf[64];
    const char *value;
    char *end;
    if ((value = header_value(line, size * n, "X-Total-Count", buf)) != NULL) {
        p->total = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || p->total < 0 || p->total > ROSTER_ROWS_MAX)
            p->total = -2; /* not a number that could be: take_total refuses it */
    } else if ((value = header_value(line, size * n, "Retry-After", buf)) != NULL)
        p->retry_after_ms = within(strtoll(value, NULL, 10), 3600) * 1000;
    else if ((value = header_value(line, size * n, "Date", buf)) != NULL)
        p->date_ms = (int64_t)curl_getdate(value, NULL) * 1000;
    return size * n;
}

static int on_progress(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return stopped(self);
}

static void prepare(struct pulling *p, const char *url)
{
    const struct config *config = p->pull->config;
    curl_easy_reset(p->curl);
    curl_easy_setopt(p->curl, CURLOPT_URL, url);
    curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(p->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(p->curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, (long)config->roster.timeout_ms);
    curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "parta/" PARTA_VERSION);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(p->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(p->curl, CURLOPT_HEADERDATA, p);
    curl_easy_setopt(p->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(p->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(p->curl, CURLOPT_XFERINFODATA, p);
    if (config->roster.ca_file != NULL)
        curl_easy_setopt(p->curl, CURLOPT_CAINFO, config->roster.ca_file);
    text_clear(&p->body);
    p->too_large = false;
    p->total = p->date_ms = p->retry_after_ms = -1;
}

/* Waits before another try; false: the pull is to stop. */
static bool wait_ms(const struct pulling *p, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;) {
        if (stopped(p))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return !stopped(p);
}

static bool may_pass(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK: return status == 429 || (status >= 500 && status <= 599);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return true;
    default: return false;
    }
}

static int64_t backoff_ms(const struct pulling *p, int tried)
{
    int64_t ms = (int64_t)BACKOFF_MS << tried;
    if (p->retry_after_ms > ms)
        ms = p->retry_after_ms;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

/* One request, tried again where that may help. what: for the problem. true: there is a reply, *status is its. */
typedef void arrange_fn(struct pulling *p, const void *arg);
static bool exchange(struct pulling *p, const char *what, const char *url, arrange_fn *arrange, const void *arg,
                     long *status)
{
    for (int tried = 0;; ++tried) {
        prepare(p, url);
        arrange(p, arg);
        CURLcode code = curl_easy_perform(p->curl);
        *status = 0;
        curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, status);
        if (stopped(p))
            return fail(p, "Stopped.");
        if (p->too_large)
            return fail(p, "The roster source's reply for %s is longer than %d MiB.", what, PULL_PAGE_BYTES_MAX >> 20);
        if (code == CURLE_OK && !may_pass(code, *status))
            return true;
        if (!may_pass(code, *status) || tried + 1 == PULL_TRIES)
            return code != CURLE_OK
                       ? fail(p, "The roster source can't be asked for %s: %s.", what, curl_easy_strerror(code))
                       : fail(p, "The roster source answers %s with status %ld, %d times.", what, *status, tried + 1);
        if (!wait_ms(p, backoff_ms(p, tried)))
            return fail(p, "Stopped.");
    }
}

/* --- The token --- */

static bool read_secret(struct pulling *p)
{
    const char *path = p->pull->config->roster.client_secret_file;
    FILE *file = fopen(path, "re");
    bool good = file != NULL && fgets(p->secret, sizeof p->secret, file) != NULL;
    if (file != NULL)
        fclose(file);
    p->secret[strcspn(p->secret, "\r\n")] = '\0';
    return (good && *p->secret != '\0') || fail(p, "%s: there is no client secret to read.", path);
}

static void arrange_token(struct pulling *p, const void *arg)
{
    curl_easy_setopt(p->curl, CURLOPT_COPYPOSTFIELDS, arg);
    curl_easy_setopt(p->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(p->curl, CURLOPT_USERNAME, p->pull->config->roster.client_id);
    curl_easy_setopt(p->curl, CURLOPT_PASSWORD, p->secret);
}

/* The error code of RFC 6749, 5.2, if it is one; it goes into a sentence. */
static const char *oauth_error(const json_t *reply)
{
    const char *error = json_get_string(reply, "error");
    bool word = error != NULL && strlen(error) <= 40 && strspn(error, "abcdefghijklmnopqrstuvwxyz_") == strlen(error);
    return word ? error : "no reason given";
}

static bool token_shaped(const char *token)
{
    if (token == NULL || *token == '\0' || strlen(token) > TOKEN_BYTES_MAX)
        return false;
    for (; *token != '\0'; ++token)
        if (*token <= ' ' || *token >= 127) /* RFC 6750: of visible characters */
            return false;
    return true;
}

static bool take_token(struct pulling *p, long status)
{
    struct error e = {0};
    json_t *reply = p->body.len != 0 ? json_parse(p->body.data, p->body.len, &e) : NULL;
    const char *token = json_get_string(reply, "access_token"), *type = json_get_string(reply, "token_type");
    int64_t lifetime_s = json_get_int(reply, "expires_in", 3600);
    bool good = true;
    if (status != 200)
        good =
            fail(p, "The roster source refuses the client id and secret (status %ld, %s).", status, oauth_error(reply));
    else if (!token_shaped(token) || type == NULL || strcasecmp(type, "bearer") != 0)
        good = fail(p, "The roster source's token endpoint gives no bearer token.");
    if (good) {
        free(p->token);
        p->token = xstrdup(token);
        p->token_until_ms = clock_mono_ms() + within(lifetime_s, 86400) * 1000 - TOKEN_SPARE_MS;
    }
    json_decref(reply);
    return good;
}

static bool get_token(struct pulling *p)
{
    long status;
    char *form = curl_easy_escape(p->curl,
                                  p->pull->config->roster.demographics ? SCOPE "roster-core.readonly " SCOPE
                                                                               "roster-demographics.readonly"
                                                                       : SCOPE "roster-core.readonly",
                                  0);
    struct text fields = TEXT_INIT;
    text_addf(&fields, "grant_type=client_credentials&scope=%s", form != NULL ? form : "");
    curl_free(form);
    bool done = exchange(p, "a token", p->pull->config->roster.token_url, arrange_token, fields.data, &status) &&
                take_token(p, status);
    text_finish(&fields);
    return done;
}

/* --- A page --- */

static void arrange_page(struct pulling *p, const void *arg)
{
    const struct curl_slist *headers = arg;
    curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(p->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    curl_easy_setopt(p->curl, CURLOPT_XOAUTH2_BEARER, p->token);
}

static bool page_status(struct pulling *p, const char *what, long status)
{
    switch (status) {
    case 200: return true;
    case 401: return fail(p, "The roster source refuses its own token for %s (status 401).", what);
    case 403: return fail(p, "The roster source does not let us read %s (status 403).", what);
    case 404: return fail(p, "The roster source has no %s (status 404): is roster.url right?", what);
    default: break;
    }
    if (status >= 300 && status <= 399)
        return fail(p, "The roster source redirects %s elsewhere (status %ld); redirects are not followed.", what,
                    status);
    return fail(p, "The roster source answers %s with status %ld.", what, status);
}

static bool get_page(struct pulling *p, const char *what, const char *url)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    long status = 0;
    bool done = false, renewed = false;
    for (;;) {
        if ((p->token == NULL || clock_mono_ms() >= p->token_until_ms) && !get_token(p))
            break;
        if (!exchange(p, what, url, arrange_page, headers, &status))
            break;
        if (status == 401 && !renewed) {
            renewed = true;
            free(p->token);
            p->token = NULL;
            continue;
        }
        done = page_status(p, what, status);
        break;
    }
    curl_slist_free_all(headers);
    if (done && !p->dated && p->date_ms > 0) {
        p->began_ms = p->date_ms;
        p->dated = true;
    }
    return done;
}

static void page_url(const struct pulling *p, enum rest_collection collection, size_t offset, struct text *url)
{
    text_clear(url);
    text_addf(url, "%s/%s?limit=%d&offset=%zu&sort=sourcedId&orderBy=asc", p->pull->config->roster.url,
              rest_path(collection), PULL_PAGE_ROWS, offset);
    text_adds(url, "&fields=");
    rest_fields(collection, url);
    if (*p->since != '\0')
        text_addf(url, "&filter=dateLastModified%%3E%%27%s%%27", p->since);
}

/* --- A collection, all of them --- */

enum collected {
    COLLECTED,
    COLLECT_AGAIN, /* its pages do not fit together: it may have changed between them. The problem says how */
    COLLECT_FAILED,
};

static enum collected again(struct pulling *p, const char *what, const char *how)
{
    fail(p, "The roster source's pages of %s do not fit together: %s.", what, how);
    return COLLECT_AGAIN;
}

/* After a page of n records: whether the collection is whole. */
static enum collected check_page(struct pulling *p, const struct rest_reading *reading, size_t n, size_t n_new_before,
                                 int64_t total, bool *whole)
{
    const char *what = rest_path(reading->collection);
    if (p->total == -2)
        return fail(p, "The roster source gives no number as the total of %s.", what), COLLECT_FAILED;
    if (p->total != total)
        return again(p, what, "the total changes");
    if (n > 0 && reading->n_new == n_new_before)
        return again(p, what, "a page repeats an earlier one");
    if (total >= 0 && reading->n > (size_t)total)
        return again(p, what, "there are more than the total says");
    if (total >= 0 && n == 0 && reading->n < (size_t)total)
        return again(p, what, "there are fewer than the total says");
    *whole = total >= 0 ? reading->n == (size_t)total : n == 0;
    if (*whole && reading->n_new != reading->n)
        return again(p, what, "records came twice");
    return COLLECTED;
}

static enum collected collect(struct pulling *p, enum rest_collection collection, struct roster_delta *changes)
{
    struct rest_reading reading = {.collection = collection, .changes = changes};
    struct roster_problem found;
    struct text url = TEXT_INIT;
    enum collected state = COLLECTED;
    int64_t total = -1;
    for (bool whole = false, first = true; state == COLLECTED && !whole; first = false) {
        size_t n, n_new_before = reading.n_new;
        char where[512];
        page_url(p, collection, reading.n, &url);
        if (!get_page(p, rest_path(collection), url.data)) {
            state = COLLECT_FAILED;
        } else if (!rest_take_page(&reading, p->body.data != NULL ? p->body.data : "", p->body.len, &n, &found)) {
            fail(p, "The roster source: %s.", roster_problem_text(&found, where, sizeof where));
            state = COLLECT_FAILED;
        } else {
            total = first ? p->total : total;
            state = check_page(p, &reading, n, n_new_before, total, &whole);
        }
        if (state == COLLECTED && reading.n > ROSTER_ROWS_MAX)
            state = (fail(p, "The roster source has more than %d %s.", ROSTER_ROWS_MAX, rest_path(collection)),
                     COLLECT_FAILED);
    }
    if (reading.newest_ms > p->newest_ms)
        p->newest_ms = reading.newest_ms;
    if (state == COLLECTED)
        source_note(&p->pull->import, "asked for %s: %zu", rest_path(collection), reading.n);
    text_finish(&url);
    return state;
}

static enum collected collect_all(struct pulling *p, struct roster_delta *changes)
{
    enum collected state = COLLECTED;
    p->newest_ms = 0;
    for (int i = 0; state == COLLECTED && i < REST__COUNT; ++i)
        if (i != REST_DEMOGRAPHICS || p->pull->config->roster.demographics)
            state = collect(p, (enum rest_collection)i, changes);
    return state;
}

/* NULL: failed. */
static struct roster_delta *collect_whole(struct pulling *p)
{
    for (int i = 1;; ++i) {
        struct roster_delta *changes = roster_delta_create();
        enum collected state = collect_all(p, changes);
        if (state == COLLECTED)
            return changes;
        roster_delta_destroy(changes);
        if (state == COLLECT_FAILED || i == COLLECTS)
            return NULL;
        source_note(&p->pull->import, "%s Once more.", p->problem->data);
    }
}

/* --- The pull --- */

/* What the next increment counts from: the latest stamp, but nothing after this pull began, by the source's own clock.
 */
static void next_modified(const struct pulling *p, const char *before, char out[MIRROR_MODIFIED_BYTES])
{
    char moment[MOMENT_BYTES];
    int64_t ms = p->newest_ms, before_ms = moment_from(before);
    if (ms > p->began_ms)
        ms = p->began_ms;
    if (before_ms > ms)
        ms = before_ms;
    snprintf(out, MIRROR_MODIFIED_BYTES, "%s", ms > 0 ? moment_text(ms, moment) : "");
}

static bool pull_onto(struct pulling *p, struct roster_snapshot_row *base, struct source_outcome *out)
{
    char since[MOMENT_BYTES] = "", modified[MIRROR_MODIFIED_BYTES];
    struct error e;
    int64_t since_ms = base->archive != NULL ? moment_from(base->modified) : -1;
    if (since_ms < 0 || p->pull->full)
        roster_snapshots_finish(base); /* everything is asked for, and takes the place of what there is */
    else
        moment_text(since_ms > PULL_OVERLAP_MS ? since_ms - PULL_OVERLAP_MS : 0, since);
    p->since = since;
    struct roster_delta *changes = collect_whole(p);
    if (changes == NULL)
        return false;
    next_modified(p, base->modified, modified);
    struct source_import import = p->pull->import;
    bool done = source_import_changes(&import, base, changes, modified, out, p->problem, &e);
    roster_delta_destroy(changes);
    return done;
}

bool roster_pull(struct roster_pull *pull, struct source_outcome *out, struct text *problem)
{
    struct pulling p = {
        .pull = pull, .problem = problem, .curl = curl_easy_init(), .since = "", .began_ms = clock_wall_ms()};
    struct roster_snapshot_row base = {0};
    *out = (struct source_outcome){.mode = "pull"};
    bool done = p.curl != NULL && pull->config->roster.url != NULL;
    if (!done)
        fail(&p, pull->config->roster.url == NULL ? "There is no roster.url in the configuration."
                                                  : "The HTTP client can't be started.");
    if (done && (done = read_secret(&p))) {
        roster_snapshots_get(pull->import.how.db, pull->import.source, &base);
        done = pull_onto(&p, &base, out);
    }
    roster_snapshots_finish(&base);
    curl_easy_cleanup(p.curl);
    text_finish(&p.body);
    free(p.token);
    explicit_bzero(p.secret, sizeof p.secret);
    return done;
}
