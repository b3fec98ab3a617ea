/* "account_data": the user's own, not that of rooms (Client-Server API, "Client Config"). Push rules are among it, also
 * those of somebody who never changed one. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/v2_room.h"

struct global {
    const struct account_data_item **items; /* the gathering's, or DEFAULT_RULES */
    size_t n;
};

static const struct account_data_item DEFAULT_RULES = {.type = (char *)PUSH_RULES_TYPE};

static void add(struct global *global, const struct sync_gather *g, const struct account_data_item *item)
{
    if (filter_wants(&g->request->filter->account_data, item->type, NULL, NULL, false))
        global->items[global->n++] = item;
}

static bool gather(struct sync_gather *g, void *data)
{
    struct global *global = data;
    bool push_rules = false;
    global->items = xcalloc(g->account_data.n + 1, sizeof *global->items);
    for (size_t i = 0; i < g->account_data.n; ++i) {
        const struct account_data_item *item = &g->account_data.items[i];
        if (item->room != 0)
            continue;
        push_rules |= strcmp(item->type, PUSH_RULES_TYPE) == 0;
        add(global, g, item);
    }
    if (g->request->since == 0 && !push_rules)
        add(global, g, &DEFAULT_RULES);
    return global->n != 0;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    const struct global *global = data;
    text_adds(out, "\"events\":[");
    for (size_t i = 0; i < global->n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        v2_add_account_data(out, global->items[i], g->request->user_id);
    }
    text_addc(out, ']');
}

static void finish(void *data)
{
    free(((struct global *)data)->items);
}

const struct sync_section ACCOUNT_DATA_SECTION = {
    .changes = {{CHANGE_ACCOUNT_DATA, HUB_USER}},
    .key = "account_data",
    .data_bytes = sizeof(struct global),
    .gather = gather,
    .write = write,
    .finish = finish,
};
