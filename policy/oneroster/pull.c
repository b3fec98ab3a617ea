#include "policy/oneroster/pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/secret.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/outgoing/rest_client.h"
#include "policy/oneroster/rest.h"

#define PULLS 3    /* how often it begins anew when another import has overtaken it */
#define COLLECTS 3 /* how often everything is collected anew when the source changed under our hands */
#define SCOPE "https%3A%2F%2Fpurl.imsglobal.org%2Fspec%2For%2Fv1p2%2Fscope%2F" /* as it stands in a form */
#define CORE_FORM "grant_type=client_credentials&scope=" SCOPE "roster-core.readonly"

struct pulling {
    const struct roster_pull *pull;
    struct text *problem;
    struct rest_client client;
    const char *since; /* "": everything */
    /* Of the whole pull. */
    int64_t began_ms,
        newest_ms; /* the source's clock at the first reply, ours if it says none; the latest dateLastModified */
    bool dated;    /* began_ms is the source's */
};

/* --- A page --- */

static bool page_status(struct pulling *p, const char *what, long status)
{
    switch (status) {
    case 200: return true;
    case 401: return text_fail(p->problem, "The roster source refuses its own token for %s (status 401).", what);
    case 403: return text_fail(p->problem, "The roster source does not let us read %s (status 403).", what);
    case 404: return text_fail(p->problem, "The roster source has no %s (status 404): is roster.url right?", what);
    default: break;
    }
    if (status >= 300 && status <= 399)
        return text_fail(p->problem,
                         "The roster source redirects %s elsewhere (status %ld); redirects are not followed.", what,
                         status);
    return text_fail(p->problem, "The roster source answers %s with status %ld.", what, status);
}

static bool get_page(struct pulling *p, const char *what, const char *url)
{
    if (!rest_client_get(&p->client, what, url, NULL, 0, p->problem) || !page_status(p, what, p->client.reply.status))
        return false;
    if (!p->dated && p->client.reply.date_ms > 0) {
        p->began_ms = p->client.reply.date_ms;
        p->dated = true;
    }
    return true;
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
    text_fail(p->problem, "The roster source's pages of %s do not fit together: %s.", what, how);
    return COLLECT_AGAIN;
}

/* After a page of n records: whether the collection is whole. */
static enum collected check_page(struct pulling *p, const struct rest_reading *reading, size_t n, size_t n_new_before,
                                 int64_t total, int64_t now, bool *whole)
{
    const char *what = rest_path(reading->collection);
    if (now == -2)
        return text_fail(p->problem, "The roster source gives no number as the total of %s.", what), COLLECT_FAILED;
    if (now != total)
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
    struct roster_problems found = {0};
    struct text url = TEXT_INIT, said = TEXT_INIT;
    enum collected state = COLLECTED;
    int64_t total = -1;
    for (bool whole = false, first = true; state == COLLECTED && !whole; first = false) {
        size_t n, n_new_before = reading.n_new;
        page_url(p, collection, reading.n, &url);
        if (!get_page(p, rest_path(collection), url.data)) {
            state = COLLECT_FAILED;
        } else if (!rest_take_page(&reading, p->client.reply.body.data, p->client.reply.body.len, &n, &found)) {
            roster_problems_add_refusals(&said, &found);
            text_clear(p->problem);
            text_addf(p->problem, "The roster source: %s.", said.data);
            state = COLLECT_FAILED;
        } else {
            int64_t now = rest_total(&p->client.reply, ROSTER_ROWS_MAX);
            total = first ? now : total;
            state = check_page(p, &reading, n, n_new_before, total, now, &whole);
        }
        if (state == COLLECTED && reading.n > ROSTER_ROWS_MAX)
            state = (text_fail(p->problem, "The roster source has more than %d %s.", ROSTER_ROWS_MAX,
                               rest_path(collection)),
                     COLLECT_FAILED);
    }
    if (reading.newest_ms > p->newest_ms)
        p->newest_ms = reading.newest_ms;
    roster_problems_finish(&found);
    text_finish(&said);
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

/* What the next increment counts from: the latest stamp, but nothing after this pull began, by
 * the source's own clock. */
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
    struct pulling p = {.pull = pull, .problem = problem, .since = "", .began_ms = clock_wall_ms()};
    *out = (struct source_outcome){.mode = "pull"};
    if (pull->config->roster.url == NULL)
        return text_fail(p.problem, "There is no roster.url in the configuration.");
    char *secret = secret_read("roster.client_secret_file", pull->config->roster.client_secret_file, problem);
    bool done = false, again = secret != NULL;
    p.client = (struct rest_client){
        .outgoing = pull->outgoing,
        .what = "roster",
        .who = "The roster source",
        .ca_file = pull->config->roster.ca_file,
        .timeout_ms = pull->config->roster.timeout_ms,
        .tries = PULL_TRIES,
        .reply_max = PULL_PAGE_BYTES_MAX,
        .stop = pull->stop,
        .token_url = pull->config->roster.token_url,
        .client_id = pull->config->roster.client_id,
        .secret = secret,
        .form = pull->config->roster.demographics ? CORE_FORM "%20" SCOPE "roster-demographics.readonly" : CORE_FORM,
    };
    for (int i = 1; again; ++i) {
        struct roster_snapshot_row base = {0};
        roster_snapshots_get(pull->import.how.db, pull->import.source, &base);
        done = pull_onto(&p, &base, out);
        roster_snapshots_finish(&base);
        again = !done && out->overtaken && i < PULLS;
        if (again)
            source_outcome_finish(out);
        if (again)
            source_note(&pull->import, "another import of %s came in between: pulled anew", pull->import.source);
    }
    rest_client_finish(&p.client);
    secret_free(secret);
    return done;
}
