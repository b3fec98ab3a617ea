#include "homeserver/sync/v2_ephemeral.h"

#include <string.h>

#include "homeserver/store/matrix/user_names.h"

void v2_add_user_id(struct text *out, struct user_names *names, struct db *db, user_no user)
{
    const char *id = user_names_get(names, db, user);
    text_add_json(out, id != NULL ? id : "");
}

static void add_typing(struct text *out, struct user_names *names, struct db *db, const struct typists *typists)
{
    text_adds(out, "{\"content\":{\"user_ids\":[");
    for (size_t i = 0; i < typists->n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        v2_add_user_id(out, names, db, typists->users[i]);
    }
    text_adds(out, "]},\"type\":\"m.typing\"}");
}

static void open_key(struct text *out, const char *key)
{
    text_add_json(out, key);
    text_adds(out, ":{");
}

/* {"content":{event:{type:{user:…}}},"type":"m.receipt"}: opens and closes what differs from the row before. before
 * NULL: the first. */
static void turn_to(struct text *out, const struct receipt_row *before, const struct receipt_row *row)
{
    bool same_thread = before != NULL && strcmp(before->thread, row->thread) == 0;
    bool same_event = same_thread && strcmp(before->event_id, row->event_id) == 0;
    bool same_type = same_event && strcmp(before->type, row->type) == 0;
    if (before != NULL)
        text_adds(out, same_type ? "," : same_event ? "}," : same_thread ? "}}," : "}}},\"type\":\"m.receipt\"},");
    if (!same_thread)
        text_adds(out, "{\"content\":{");
    if (!same_event)
        open_key(out, row->event_id);
    if (!same_type)
        open_key(out, row->type);
}

static void add_receipts(struct text *out, struct user_names *names, struct db *db, const struct receipt_rows *rows)
{
    for (size_t i = 0; i < rows->n; ++i) {
        const struct receipt_row *row = &rows->rows[i];
        turn_to(out, i != 0 ? row - 1 : NULL, row);
        v2_add_user_id(out, names, db, row->user);
        text_adds(out, ":{");
        if (row->thread[0] != '\0') {
            text_adds(out, "\"thread_id\":");
            text_add_json(out, row->thread);
            text_addc(out, ',');
        }
        text_adds(out, "\"ts\":");
        text_add_int(out, row->ts);
        text_addc(out, '}');
    }
    if (rows->n != 0)
        text_adds(out, "}}},\"type\":\"m.receipt\"}");
}

void v2_add_ephemeral(struct text *out, struct user_names *names, struct db *db, const struct typists *typists,
                      const struct receipt_rows *receipts)
{
    if (!typists->changed && receipts->n == 0)
        return;
    text_adds(out, ",\"ephemeral\":{\"events\":[");
    if (typists->changed)
        add_typing(out, names, db, typists);
    if (typists->changed && receipts->n != 0)
        text_addc(out, ',');
    add_receipts(out, names, db, receipts);
    text_adds(out, "]}");
}
