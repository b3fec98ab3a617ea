#include "homeserver/rooms/events/append.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/events/complete.h"
#include "homeserver/rooms/events/record.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/delayed_messages.h"

/* F3: the message waits in held_messages until quiet hours are over (rooms/events/delayed_messages.h). */
static bool hold(struct tx *tx, const struct draft *d, const struct new_event *event, int64_t due_ms,
                 struct appended *out, struct error *e)
{
    struct delayed_message row = {.room = event->room->no,
                                  .sender = d->sender,
                                  .device = d->device,
                                  .txn_id = d->txn_id,
                                  .about = d->about,
                                  .type = d->type,
                                  .content = event->content.data,
                                  .due_ms = due_ms,
                                  .created_ms = tx->now_ms};
    int64_t no = delayed_messages_insert(tx, &row);
    out->pos = 0;
    delayed_message_placeholder(no, out->event_id);
    return no != 0 || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool record(struct tx *tx, struct new_event *event, struct appended *out, struct error *e)
{
    if (!record_place(tx, event) || !record_write(tx, event))
        return error_set(e, ERROR_UNKNOWN, NULL);
    out->pos = event->row.pos;
    strcpy(out->event_id, event->pdu.event_id);
    return true;
}

bool append_event(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e)
{
    struct plan plan;
    struct new_event event = {0};
    plan_init(&plan, room, tx);
    /* What would be too large is refused now, not when it is due. */
    bool done =
        plan_event(&plan, draft, &event, e) && complete_event(tx, &event, e) &&
        (plan.answer.due_ms != 0 ? hold(tx, draft, &event, plan.answer.due_ms, out, e) : record(tx, &event, out, e));
    out->notice = plan.answer.verdict;
    text_finish(&event.content);
    plan_finish(&plan);
    return done;
}

bool append_state(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e)
{
    const struct room_state *now = room_state_get(room, tx, draft->type, draft->state_key);
    if (now->pos == 0 || now->sender != draft->sender || !json_equal(now->content, draft->content))
        return append_event(room, tx, draft, out, e);
    out->pos = now->pos;
    strcpy(out->event_id, now->event_id);
    return true;
}
