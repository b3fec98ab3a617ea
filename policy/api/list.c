#include "policy/api/list.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/http/server.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "policy/api/api.h"

#define PAGE_MAX 500
#define ABOUT_UNSAID (-1)

/* What rows are numbered by runs through the server: a person gets it sealed, and cannot try numbers either (A1). */
static bool take_from(struct api_listing *l)
{
    const char *from = query_get(l->r, "from");
    if (l->actor.user == 0)
        return query_int(l->r, "from", 0, 0, INT64_MAX, &l->after);
    return from == NULL ||
           token_parse_cursor(from, writer_incarnations(l->r->server->writer), l->actor.user, &l->after) ||
           refuse_parameter(l->r, ERROR_INVALID_PARAM, "from",
                            "This is not the \"next\" of a page that you were given.");
}

static void add_next(const struct api_listing *l, json_t *list, int64_t next)
{
    struct text cursor = TEXT_INIT;
    if (l->actor.user == 0)
        text_add_int(&cursor, next);
    else
        token_add_cursor(&cursor, writer_incarnations(l->r->server->writer), l->actor.user, next);
    json_object_set_new(list, "next", json_stringn(cursor.data, cursor.len));
    text_finish(&cursor);
}

static bool take_page(struct api_listing *l)
{
    int64_t limit;
    l->limit = INT_MAX;
    if ((l->flags & LIST_WHOLE) != 0)
        return true;
    if (!take_from(l) || !query_int(l->r, "limit", 100, 1, INT64_MAX, &limit))
        return false;
    if (limit > PAGE_MAX)
        return refuse_parameter(l->r, ERROR_INVALID_PARAM, "limit", "A page has at most 500 items.");
    l->limit = (int)limit;
    return true;
}

static bool take_place(struct api_listing *l)
{
    struct request *r = l->r;
    const char *school = (l->flags & LIST_BY_SCHOOL) != 0 ? query_get(r, "school") : NULL;
    const char *class = (l->flags & LIST_BY_CLASS) != 0 ? query_get(r, "class") : NULL;
    if (school != NULL && (l->school = api_school(r, r->db, school, &r->error)) == 0)
        return false;
    if (class != NULL && (l->class = api_class(r, r->db, class, &r->error)) == 0)
        return false;
    if ((l->flags & LIST_OF_ONE_PLACE) == 0 || l->actor.user == 0 || school != NULL || class != NULL)
        return true;
    return refuse_parameter(r, ERROR_MISSING_PARAM, "school",
                            (l->flags & LIST_BY_CLASS) != 0 ? "Say of which school or class." : "Say of which school.");
}

bool api_list_begin(struct api_listing *l, struct request *r, unsigned flags)
{
    *l = (struct api_listing){.r = r, .flags = flags};
    if (!api_caller(r, &l->actor) || !take_page(l) || !take_place(l))
        return false;
    l->viewer = viewer_of(l->actor.user);
    l->kept = l->actor.user != 0 && school_is_apart(r->db, l->actor.user);
    l->rows_max = l->kept ? INT_MAX : l->limit;
    return true;
}

/* The rows that are the caller's to see, one after the other. */
struct reading {
    struct api_listing *l;
    api_row_fn *read;
    user_no *apart; /* D9: from whom the caller is kept; heap */
    size_t n;
};

static bool is_apart(const struct reading *x, user_no user)
{
    for (size_t i = 0; i < x->n; ++i)
        if (x->apart[i] == user)
            return true;
    return false;
}

static bool next_row(const struct reading *x, struct api_row *row)
{
    *row = (struct api_row){.about = {ABOUT_UNSAID}};
    x->read(x->l, row);
    if (row->about[0] == ABOUT_UNSAID || is_apart(x, row->about[0]) || is_apart(x, row->about[1])) {
        json_decref(row->item);
        row->item = NULL;
    }
    return row->no != 0;
}

bool api_list_end(struct api_listing *l, struct stmt *rows, api_row_fn *read)
{
    bool numbers = (l->flags & LIST_OF_NUMBERS) != 0;
    json_t *items = json_array(), *list = json_pack("{s:o}", "items", items);
    struct reading x = {.l = l, .read = read};
    struct api_row row = {0};
    int64_t last = 0;
    int n = 0;
    l->rows = rows;
    if (l->kept)
        x.apart = school_apart_from(l->r->db, l->actor.user, &x.n);
    while ((numbers || n < l->limit) && next_row(&x, &row)) {
        if (row.item == NULL)
            continue;
        if (n == l->limit && row.no != last) /* the next number's: only where the query gives more than a page */
            break;
        n += !numbers || row.no != last;
        last = row.no;
        json_array_append_new(items, row.item);
        row.item = NULL;
    }
    json_decref(row.item);
    free(x.apart);
    stmt_end(rows);
    if (n == l->limit && last != l->ends_at)
        add_next(l, list, last);
    return reply_json(l->r, list);
}

static bool take_person(struct api_listing *l, const char *user_id, struct api_people *out)
{
    struct request *r = l->r;
    if (out->n == API_PEOPLE_MAX)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "user_ids", "It names at most 100 people.");
    user_no user = api_user(r, r->db, user_id, &r->error);
    if (user == 0 || !api_may(r, &l->actor, ACT_RECORDS_READ, &(struct subject){.target = user}))
        return false;
    out->who[out->n++] = user;
    return true;
}

bool api_list_people(struct api_listing *l, struct api_people *out)
{
    const char *said = query_get(l->r, "user_ids");
    char *words = said != NULL ? xstrdup(said) : NULL, *rest;
    bool good = true;
    *out = (struct api_people){.n = 0};
    for (char *word = words != NULL ? strtok_r(words, ",", &rest) : NULL; good && word != NULL;
         word = strtok_r(NULL, ",", &rest))
        good = take_person(l, word, out);
    free(words);
    return good &&
           (said == NULL || out->n != 0 || refuse_parameter(l->r, ERROR_INVALID_PARAM, "user_ids", "It names nobody."));
}

bool api_kept_from(struct request *r, struct db *db, user_no user)
{
    return r->identity.user != 0 && user != 0 && school_apart(db, r->identity.user, user);
}

void api_set_actor(struct request *r, struct db *db, json_t *object, const char *key, const char *name)
{
    const char *server = rooms_settings(r->server->rooms)->server_name;
    if (name != NULL && name[0] == '@' && r->identity.user != 0 && api_kept_from(r, db, users_by_id(db, server, name)))
        return;
    api_set(object, key, name);
}

bool api_list_reply(struct request *r, json_t *items)
{
    return reply_json(r, json_pack("{s:o}", "items", items));
}
