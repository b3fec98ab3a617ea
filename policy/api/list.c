#include "policy/api/list.h"

#include <limits.h>

#include "homeserver/store/driver/db.h"
#include "policy/api/api.h"

#define PAGE_MAX 500

static bool take_page(struct api_listing *l)
{
    int64_t limit;
    l->limit = INT_MAX;
    if ((l->flags & LIST_WHOLE) != 0)
        return true;
    if (!query_int(l->r, "from", 0, 0, INT64_MAX, &l->after) || !query_int(l->r, "limit", 100, 1, INT64_MAX, &limit))
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
    return true;
}

static bool reply(struct request *r, json_t *items, int64_t next)
{
    json_t *list = json_pack("{s:o}", "items", items);
    if (next != 0)
        json_object_set_new(list, "next", json_sprintf("%lld", (long long)next));
    return reply_json(r, list);
}

bool api_list_end(struct api_listing *l, struct stmt *rows, api_row_fn *read)
{
    bool numbers = (l->flags & LIST_OF_NUMBERS) != 0;
    json_t *items = json_array(), *item = NULL;
    int64_t no, last = 0;
    int n = 0;
    l->rows = rows;
    for (; (numbers || n < l->limit) && (no = read(l, &item)) != 0; item = NULL)
        if (item != NULL) {
            json_array_append_new(items, item);
            n += !numbers || no != last;
            last = no;
        }
    stmt_end(rows);
    return reply(l->r, items, n == l->limit && last != l->ends_at ? last : 0);
}

bool api_list_reply(struct request *r, json_t *items)
{
    return reply(r, items, 0);
}
