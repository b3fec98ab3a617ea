#include "homeserver/sync/v2_ephemeral.h"

#include <string.h>

#include "homeserver/store/matrix/user_names.h"

void v2_add_user_id(struct text *out, struct user_names *names, struct db *db, user_no user)
{
    const char *id = user_names_get(names, db, user);
    text_add_json(out, id != NULL ? id : "");
}

void v2_add_typing(struct text *out, struct user_names *names, struct db *db, const struct typists *typists)
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

void v2_add_receipt(struct text *out, struct user_names *names, struct db *db, const struct receipt_row *before,
                    const struct receipt_row *row)
{
    bool same_event = before != NULL && strcmp(before->event_id, row->event_id) == 0;
    bool same_type = same_event && strcmp(before->type, row->type) == 0;
    text_adds(out, before == NULL ? "{\"content\":{" : same_type ? "," : same_event ? "}," : "}},");
    if (!same_event)
        open_key(out, row->event_id);
    if (!same_type)
        open_key(out, row->type);
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

static void add_receipts(struct text *out, struct user_names *names, struct db *db, const struct receipt_rows *rows)
{
    const struct receipt_row *before = NULL;
    for (size_t i = 0; i < rows->n; before = &rows->rows[i++]) {
        const struct receipt_row *row = &rows->rows[i];
        bool new_thread = before != NULL && strcmp(before->thread, row->thread) != 0;
        if (new_thread)
            text_adds(out, V2_RECEIPTS_END ",");
        v2_add_receipt(out, names, db, new_thread ? NULL : before, row);
    }
    if (rows->n != 0)
        text_adds(out, V2_RECEIPTS_END);
}

void v2_add_ephemeral(struct text *out, struct user_names *names, struct db *db, const struct typists *typists,
                      const struct receipt_rows *receipts)
{
    if (!typists->changed && receipts->n == 0)
        return;
    text_adds(out, ",\"ephemeral\":{\"events\":[");
    if (typists->changed)
        v2_add_typing(out, names, db, typists);
    if (typists->changed && receipts->n != 0)
        text_addc(out, ',');
    add_receipts(out, names, db, receipts);
    text_adds(out, "]}");
}
