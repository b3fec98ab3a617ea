/* OneRoster 1.2: the gradebook service's results are marks, its line items of chosen categories homework; the rostering
 * service says what classes are called. Pages by limit and offset, in the order of sourcedIds, held against
 * X-Total-Count: pages that do not fit together are no whole reading. What the service has marked as to be deleted is
 * gone.
 *
 * Between two whole readings only what has changed is asked for, by dateLastModified: from the latest that was seen
 * (never later than our own clock, nor its), and overlap_s before it, because a service may note a change late, or by
 * another clock than it noted the last one; what comes again is known by its hash. Whatever is odd, a filter that is
 * refused or not heeded, a clock that jumps, pages that do not fit together, has the window read whole at once. */
#include "appservice/diary/oneroster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appservice/diary/diaries.h"
#include "appservice/diary/fetch.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/percent.h"
#include "homeserver/base/secret.h"

#define PAGE_ROWS 500
#define TOTAL_MAX READING_RECORDS_MAX
#define MISSING_MAX 500 /* line items that are asked for one by one, because a mark's is not of the window */
#define OFF_MS DAY_MS   /* so long a service that can't say what has changed is read whole */
#define JUMP_MS 60000   /* less is no jump of a clock, however small the overlap */
#define WHO "The OneRoster service"
#define SCOPE "https%3A%2F%2Fpurl.imsglobal.org%2Fspec%2For%2Fv1p2%2Fscope%2F" /* as it stands in a form */

/* Where the last good reading ended; source->cursor has it as text. All 0: nowhere. */
struct cursor {
    int64_t newest_ms; /* the latest dateLastModified */
    int64_t ahead_ms;  /* so far the service's clock (Date) was ahead of ours */
    int64_t off_ms;    /* changes are not asked for before; 0: they may be */
};

struct gradebook {
    struct source *source;
    struct rest_client client;
    struct reading *reading;
    struct text *problem;
    json_t *lines;   /* sourcedId → line item */
    json_t *classes; /* sourcedId → title */
    bool failed;     /* a line item could not be asked for: a mark without its work would look changed */
    struct cursor last, now;
    int64_t since_ms; /* what was changed then or later is asked for; 0: the window is read whole */
    bool undated;     /* something has no dateLastModified: changes can't be asked for */
    bool unheeded;    /* the filter by it is refused, or not heeded */
};

typedef bool take_item(struct gradebook *g, const json_t *item);

/* --- Values --- */

/* The sourcedId of a reference. */
static const char *reference(const json_t *item, const char *member)
{
    const char *id = json_get_string(json_get_object(item, member), "sourcedId");
    return id != NULL ? id : "";
}

static const char *string_of(const json_t *item, const char *member)
{
    const char *s = json_get_string(item, member);
    return s != NULL ? s : "";
}

bool oneroster_is_active(const json_t *item)
{
    const char *status = json_get_string(item, "status");
    return status == NULL || strcmp(status, "tobedeleted") != 0;
}

/* "4", "4.5": a score as a person would write it; a textScore, where there is one, is what the school shows. */
static const char *score(const json_t *item, char out[32])
{
    const char *text = json_get_string(item, "textScore");
    const json_t *number = json_object_get(item, "score");
    if (text != NULL && *text != '\0')
        return text;
    *out = '\0';
    if (json_is_number(number))
        snprintf(out, 32, "%.6g", json_number_value(number));
    return out;
}

void oneroster_take_result(struct reading *reading, const json_t *item, const json_t *line, const char *subject)
{
    char number[32];
    const char *pupil = reference(item, "student");
    const char *value = score(item, number);
    if (!oneroster_is_active(item) || *value == '\0') { /* not graded yet: no mark so far */
        reading_leave_out(reading, json_get_string(item, "sourcedId"));
        return;
    }
    reading_add(reading, &(struct record){.kind = RECORD_MARK,
                                          .id = json_get_string(item, "sourcedId"),
                                          .pupils = &pupil,
                                          .n_pupils = *pupil != '\0',
                                          .subject = subject,
                                          .day = record_day(json_get_string(item, "scoreDate")),
                                          .value = value,
                                          .work = json_get_string(line, "title"),
                                          .comment = json_get_string(item, "comment"),
                                          .updated_ms = record_moment(json_get_string(item, "dateLastModified"))});
}

void oneroster_take_line(struct reading *reading, const json_t *item, bool homework, const char *subject)
{
    struct text id = TEXT_INIT;
    text_addf(&id, "line-%s", string_of(item, "sourcedId"));
    if (!homework || !oneroster_is_active(item))
        reading_leave_out(reading, id.data);
    else
        reading_add(reading, &(struct record){.kind = RECORD_HOMEWORK,
                                              .id = id.data,
                                              .group = reference(item, "class"),
                                              .subject = subject,
                                              .day = record_day(json_get_string(item, "dueDate")),
                                              .work = json_get_string(item, "title"),
                                              .comment = json_get_string(item, "description"),
                                              .updated_ms = record_moment(json_get_string(item, "dateLastModified"))});
    text_finish(&id);
}

/* --- What has changed --- */

static struct cursor cursor_read(const char *text)
{
    long long newest_ms, ahead_ms, off_ms;
    if (sscanf(text, "off %lld", &off_ms) == 1)
        return (struct cursor){.off_ms = off_ms};
    if (sscanf(text, "%lld %lld", &newest_ms, &ahead_ms) == 2 && newest_ms > 0)
        return (struct cursor){newest_ms, ahead_ms, 0};
    return (struct cursor){0};
}

static void cursor_write(const struct cursor *cursor, char out[SOURCE_CURSOR_BYTES])
{
    if (cursor->off_ms != 0)
        snprintf(out, SOURCE_CURSOR_BYTES, "off %lld", (long long)cursor->off_ms);
    else if (cursor->newest_ms > 0)
        snprintf(out, SOURCE_CURSOR_BYTES, "%lld %lld", (long long)cursor->newest_ms, (long long)cursor->ahead_ms);
}

static int64_t overlap_ms(const struct gradebook *g)
{
    return adapter_int(g->source, "overlap_s") * 1000;
}

/* false: the service gives what was not asked for. */
static bool note_date(struct gradebook *g, const json_t *item)
{
    int64_t changed_ms = record_moment(json_get_string(item, "dateLastModified"));
    g->undated = g->undated || changed_ms <= 0;
    g->now.newest_ms = changed_ms > g->now.newest_ms ? changed_ms : g->now.newest_ms;
    g->unheeded = g->unheeded || (g->since_ms != 0 && changed_ms < g->since_ms);
    return !g->unheeded;
}

/* A clock that has jumped since the last reading, ours or the service's: what was changed meanwhile may be dated before
 * it. */
static bool note_clock(struct gradebook *g)
{
    int64_t far_ms = overlap_ms(g) / 2 > JUMP_MS ? overlap_ms(g) / 2 : JUMP_MS;
    if (g->client.reply.date_ms > 0)
        g->now.ahead_ms = g->client.reply.date_ms - clock_wall_ms();
    int64_t jump_ms = g->now.ahead_ms - g->last.ahead_ms;
    return g->since_ms == 0 || (jump_ms < far_ms && jump_ms > -far_ms) ||
           text_fail(g->problem, "A clock has jumped, ours or the service's.");
}

/* "2026-09-01T10:00:00.000Z" */
static void add_moment(struct text *out, int64_t ms)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    text_addf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

/* --- Pages --- */

/* Takes a page; *n: how many it had. seen: sourcedIds of the pages before. */
static bool take_page(struct gradebook *g, const char *collection, const char *body, size_t len, json_t *seen,
                      take_item *take, size_t *n)
{
    struct error e;
    json_t *page = json_parse(body, len, &e), *items = json_get_array(page, collection), *item;
    bool good = items != NULL;
    size_t i;
    json_array_foreach(items, i, item) {
        const char *id = json_get_string(item, "sourcedId");
        if (id == NULL || *id == '\0') {
            reading_fault(g->reading, NULL, "without a sourcedId");
            continue;
        }
        good = good && json_object_get(seen, id) == NULL && take(g, item);
        json_object_set_new(seen, id, json_true());
    }
    *n = json_array_size(items);
    json_decref(page);
    return good || text_fail(g->problem, WHO "'s pages of %s are none, or do not fit together.", collection);
}

static bool read_pages(struct gradebook *g, const char *base, const char *collection, const char *filter,
                       take_item *take)
{
    json_t *seen = json_object();
    bool done = true, whole = false;
    int64_t total = -1;
    for (size_t offset = 0, n = 0; done && !whole; offset += n) {
        const char *body;
        size_t len;
        struct text url = TEXT_INIT;
        text_addf(&url, "%s/%s?limit=%d&offset=%zu&sort=sourcedId&orderBy=asc", base, collection, PAGE_ROWS, offset);
        if (filter != NULL) {
            text_adds(&url, "&filter=");
            text_add_percent(&url, filter);
        }
        done = fetch_get(g->source, &g->client, collection, url.data, NULL, 0, &body, &len, g->problem) &&
               note_clock(g) && take_page(g, collection, body, len, seen, take, &n);
        int64_t now = fetch_total(g->source);
        if (done && (now == -2 || (offset != 0 && now != total)))
            done = text_fail(g->problem, WHO "'s total of %s is no number, or changes.", collection);
        total = now;
        whole = total >= 0 ? (int64_t)(offset + n) >= total : n == 0;
        if (done && ((total >= 0 && (int64_t)(offset + n) > total) || (total >= 0 && n == 0 && !whole) ||
                     offset + n > TOTAL_MAX))
            done = text_fail(g->problem, WHO " gives more or fewer %s than its total says.", collection);
        text_finish(&url);
    }
    json_decref(seen);
    return done;
}

/* --- What is asked for --- */

static bool take_class(struct gradebook *g, const json_t *item)
{
    json_object_set_new(g->classes, json_get_string(item, "sourcedId"), json_string(string_of(item, "title")));
    return true;
}

static const char *subject_of(const struct gradebook *g, const json_t *line)
{
    const char *title = json_get_string(g->classes, reference(line, "class"));
    return title != NULL ? title : "";
}

static bool is_homework(const struct gradebook *g, const json_t *line)
{
    size_t n;
    char *const *categories = adapter_list(g->source, "homework_categories", &n);
    for (size_t i = 0; i < n; ++i)
        if (strcmp(categories[i], reference(line, "category")) == 0)
            return true;
    return false;
}

static bool take_line(struct gradebook *g, const json_t *item)
{
    json_object_set(g->lines, json_get_string(item, "sourcedId"), (json_t *)item);
    oneroster_take_line(g->reading, item, is_homework(g, item), subject_of(g, item));
    return note_date(g, item);
}

/* A mark of a line item whose own date is not of the window. No object: there is none. */
static const json_t *line_by_id(struct gradebook *g, const char *id)
{
    struct error e;
    const char *body;
    size_t len;
    struct text url = TEXT_INIT;
    json_t *line = json_object_get(g->lines, id);
    if (line != NULL || *id == '\0' || json_object_size(g->lines) > TOTAL_MAX)
        return line;
    text_addf(&url, "%s/lineItems/", adapter_text(g->source, "gradebook_url"));
    text_add_percent(&url, id);
    struct text ignored = TEXT_INIT;
    bool got = fetch_get(g->source, &g->client, "a line item", url.data, NULL, 0, &body, &len, &ignored);
    g->failed = g->failed || (!got && g->client.reply.status != 404);
    json_t *page = got ? json_parse(body, len, &e) : NULL;
    line = json_get_object(page, "lineItem");
    json_object_set(g->lines, id, line != NULL ? line : json_null());
    json_decref(page);
    text_finish(&ignored);
    text_finish(&url);
    return json_object_get(g->lines, id);
}

static bool keep_result(struct gradebook *g, const json_t *item)
{
    json_t *results = json_object_get(g->lines, "");
    json_array_append(results, (json_t *)item);
    return note_date(g, item);
}

/* Results are taken once all their pages are there: what belongs to them is asked for in between otherwise, and the
 * pages would not fit together. */
static bool take_results(struct gradebook *g)
{
    json_t *results = json_incref(json_object_get(g->lines, "")), *item;
    size_t i, missing = 0;
    bool done = true;
    json_array_foreach(results, i, item) {
        const char *id = reference(item, "lineItem");
        missing += json_object_get(g->lines, id) == NULL;
        done = done && missing <= MISSING_MAX && (g->source->stop == NULL || !*g->source->stop);
        const json_t *line = done ? line_by_id(g, id) : NULL;
        oneroster_take_result(g->reading, item, json_is_object(line) ? line : NULL, subject_of(g, line));
    }
    json_decref(results);
    if (g->failed)
        return text_fail(g->problem, WHO " does not give a line item of a mark.");
    return done || text_fail(g->problem, WHO " has marks of too many line items that are not of the window.");
}

/* What of a collection is asked for: of the window, by the member that says its day, or what has changed of all. */
static const char *filter(const struct gradebook *g, const char *member, struct text *out)
{
    char from[DAY_TEXT_BYTES], to[DAY_TEXT_BYTES];
    text_clear(out);
    if (g->since_ms != 0) {
        text_adds(out, "dateLastModified>='");
        add_moment(out, g->since_ms);
        text_addc(out, '\'');
    } else {
        text_addf(out, "%s>='%s' AND %s<='%sT23:59:59.999Z'", member, day_text(g->reading->window.from, from), member,
                  day_text(g->reading->window.to, to));
    }
    return out->data;
}

/* Pages of what has a filter; one that is refused is noted. */
static bool read_filtered(struct gradebook *g, const char *collection, const char *member, take_item *take)
{
    struct text by = TEXT_INIT;
    bool done = read_pages(g, adapter_text(g->source, "gradebook_url"), collection, filter(g, member, &by), take);
    g->unheeded = g->unheeded || (!done && g->client.reply.status >= 400);
    text_finish(&by);
    return done;
}

static bool read_all(struct gradebook *g)
{
    const char *rostering = adapter_text(g->source, "rostering_url");
    bool done = *rostering == '\0' || read_pages(g, rostering, "classes", NULL, take_class);
    done = done && read_filtered(g, "lineItems", "dueDate", take_line);
    json_object_set_new(g->lines, "", json_array());
    return done && read_filtered(g, "results", "scoreDate", keep_result) && take_results(g);
}

/* What it answered may be due to what it was asked: it is worth asking for the whole window. */
static bool may_ask_otherwise(const struct gradebook *g)
{
    long status = g->client.reply.status;
    bool stopped = g->source->stop != NULL && *g->source->stop;
    return !stopped && status != 0 && status != 401 && status != 403 && status != 429 && status != 503;
}

static void begin_anew(struct gradebook *g)
{
    text_clear(g->problem);
    json_object_clear(g->lines);
    json_object_clear(g->classes);
    reading_restart(g->reading);
    g->now = (struct cursor){0};
    g->since_ms = 0;
    g->failed = g->undated = g->unheeded = false;
}

/* What has changed, if the last reading has said since when; otherwise the whole window. */
static bool read_what_is_new(struct gradebook *g)
{
    int64_t off_ms = g->last.off_ms > g->source->now_ms ? g->last.off_ms : 0;
    if (g->last.newest_ms > 0) {
        g->reading->extent = READING_CHANGES;
        g->since_ms = g->last.newest_ms > overlap_ms(g) ? g->last.newest_ms - overlap_ms(g) : 1;
        if (read_all(g))
            return true;
        if (!may_ask_otherwise(g))
            return false;
        off_ms = g->unheeded ? g->source->now_ms + OFF_MS : 0;
        log_info("diary", "oneroster: changes can't be read: %s", g->problem->data);
        begin_anew(g);
    }
    bool done = read_all(g);
    g->now.off_ms = off_ms;
    return done;
}

static void leave_cursor(struct gradebook *g)
{
    struct cursor *now = &g->now;
    int64_t latest_ms = g->source->now_ms + (now->ahead_ms < 0 ? now->ahead_ms : 0);
    if (g->undated)
        now->newest_ms = 0;
    else if (g->since_ms != 0 && now->newest_ms < g->last.newest_ms)
        now->newest_ms = g->last.newest_ms;
    if (now->newest_ms > latest_ms)
        now->newest_ms = latest_ms;
    cursor_write(now, g->source->next_cursor);
}

static bool fetch(struct source *source, struct reading *reading, struct text *problem)
{
    char *secret = adapter_secret(source, "client_secret_file", problem);
    if (secret == NULL)
        return false;
    struct gradebook g = {.source = source,
                          .client = fetch_client(source, WHO),
                          .reading = reading,
                          .problem = problem,
                          .lines = json_object(),
                          .classes = json_object()};
    g.client.token_url = adapter_text(source, "token_url");
    g.client.client_id = adapter_text(source, "client_id");
    g.client.secret = secret;
    g.client.form = *adapter_text(source, "rostering_url") != '\0'
                        ? "grant_type=client_credentials&scope=" SCOPE "gradebook.readonly%20" SCOPE
                          "roster-core.readonly"
                        : "grant_type=client_credentials&scope=" SCOPE "gradebook.readonly";
    g.last = cursor_read(source->cursor);
    bool done = read_what_is_new(&g);
    if (done)
        leave_cursor(&g);
    rest_client_finish(&g.client);
    json_decref(g.lines);
    json_decref(g.classes);
    secret_free(secret);
    return done;
}

static const struct adapter_setting SETTINGS[] = {
    {"gradebook_url", ADAPTER_URL, NULL},
    {"rostering_url", ADAPTER_URL, OPTIONAL},
    {"token_url", ADAPTER_URL, NULL},
    {"client_id", ADAPTER_TEXT, NULL},
    {"client_secret_file", ADAPTER_SECRET_FILE, NULL},
    {"homework_categories", ADAPTER_LIST, OPTIONAL},
    {"overlap_s", ADAPTER_INT, "900", 0, 86400},
    {"ids", ADAPTER_TEXT, "sourced"},
};
const struct adapter ONEROSTER_ADAPTER = {
    .name = "oneroster",
    .settings = SETTINGS,
    .n_settings = sizeof SETTINGS / sizeof *SETTINGS,
    .fetch = fetch,
    .sourced = true,
};
