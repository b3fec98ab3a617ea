#include "homeserver/accounts/user_directory.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/casefold.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/roles.h"

#define WORDS_MAX 8 /* the rest of the term does not count */

/* Rendered results of one rank; one more than wanted shows that there are more. */
struct results {
    char **at;
    size_t n;
};

struct finding {
    const struct people_search *search;
    char *folded; /* the term, cut into words */
    const char *words[WORDS_MAX];
    size_t n_words;
    struct results better, others;
};

/* 0: not found; 1: found; 2: the name or the id begins with the first word. */
static int rank(const struct finding *finding, const char *name, const char *user_id)
{
    struct text both = TEXT_INIT;
    text_addf(&both, "%s\n%s", name != NULL ? name : "", user_id);
    char *folded = casefold(both.data), *id = strrchr(folded, '\n') + 1;
    size_t first = finding->n_words != 0 ? strlen(finding->words[0]) : 0, i = 0;
    while (i < finding->n_words && strstr(folded, finding->words[i]) != NULL)
        ++i;
    bool found = i == finding->n_words && i != 0;
    bool begins =
        found && (strncmp(folded, finding->words[0], first) == 0 || strncmp(id, finding->words[0], first) == 0 ||
                  strncmp(id + 1, finding->words[0], first) == 0);
    free(folded);
    text_finish(&both);
    return found + begins;
}

static void add(struct results *results, const struct profile_row *row, const char *user_id)
{
    struct text out = TEXT_INIT;
    text_adds(&out, "{\"user_id\":");
    text_add_json(&out, user_id);
    if (row->display_name != NULL)
        text_addf(&out, ",\"display_name\":%s", row->display_name);
    if (row->avatar_url != NULL)
        text_addf(&out, ",\"avatar_url\":%s", row->avatar_url);
    text_addc(&out, '}');
    results->at[results->n++] = text_take(&out);
}

static void consider(struct finding *finding, struct db *db, const struct profile_row *row)
{
    struct text user_id = TEXT_INIT;
    text_addf(&user_id, "@%s:%s", row->localpart, finding->search->server_name);
    json_t *name = row->display_name != NULL ? json_loads(row->display_name, JSON_DECODE_ANY, NULL) : NULL;
    int found = rank(finding, json_string_value(name), user_id.data);
    struct results *results = found == 2 ? &finding->better : &finding->others;
    /* The gate is asked about those who would be shown: at most one more than wanted of each rank. */
    if (found != 0 && results->n <= finding->search->limit &&
        gate_may_find(finding->search->school_mode, db, finding->search->asker, row->user))
        add(results, row, user_id.data);
    json_decref(name);
    text_finish(&user_id);
}

bool user_directory_closed_to(struct db *db, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row;
    bool any = false, external = true;
    struct stmt *q = roles_now(db, user, day);
    for (; roles_next(q, &row); any = true)
        external = external && row.role == ROLE_EXTERNAL;
    stmt_end(q);
    return any && external;
}

static void find(struct finding *finding, struct db *db)
{
    user_no asker = finding->search->asker;
    char day[DAY_TEXT_BYTES];
    struct profile_row row;
    if (finding->search->school_mode && user_directory_closed_to(db, asker))
        return;
    struct stmt *q =
        finding->search->school_mode ? profiles_people_known(db, asker, day_today(day)) : profiles_people(db, asker);
    while (profiles_next(q, &row))
        consider(finding, db, &row);
    stmt_end(q);
}

/* Appends results while there is room; frees them. */
static void take(struct text *out, struct results *results, size_t *left)
{
    for (size_t i = 0; i < results->n; ++i) {
        if (*left != 0) {
            text_add(out, ",", out->data[out->len - 1] != '[');
            text_adds(out, results->at[i]);
            *left -= 1;
        }
        free(results->at[i]);
    }
    free(results->at);
}

void user_directory_render(struct text *out, struct db *db, const struct people_search *search)
{
    struct finding finding = {.search = search};
    size_t left = search->limit;
    finding.better.at = xcalloc(search->limit + 1, sizeof(char *));
    finding.others.at = xcalloc(search->limit + 1, sizeof(char *));
    char *rest;
    finding.folded = casefold(search->term);
    for (char *word = strtok_r(finding.folded, " \t\n", &rest); word != NULL && finding.n_words < WORDS_MAX;
         word = strtok_r(NULL, " \t\n", &rest))
        finding.words[finding.n_words++] = word;
    find(&finding, db);
    text_addf(out, "{\"limited\":%s,\"results\":[",
              finding.better.n + finding.others.n > search->limit ? "true" : "false");
    take(out, &finding.better, &left);
    take(out, &finding.others, &left);
    text_adds(out, "]}");
    free(finding.folded);
}
