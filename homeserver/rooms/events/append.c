#include "homeserver/rooms/events/append.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/events/complete.h"
#include "homeserver/rooms/events/held_ids.h"
#include "homeserver/rooms/events/record.h"
#include "homeserver/store/bounds.h"
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
    out->pos = 0;
    if (d->held_no != 0)
        return delayed_messages_postpone(tx, d->held_no, due_ms) || error_set(e, ERROR_UNKNOWN, NULL);
    return (delayed_messages_insert(tx, &row, out->event_id) || error_set(e, ERROR_UNKNOWN, NULL)) &&
           bound_kept(tx->db, BOUND_HELD_MESSAGES, d->sender, 0, e) &&
           bound_kept(tx->db, BOUND_HELD_MESSAGES_SIZE, d->sender, 0, e);
}

static bool record(struct tx *tx, struct new_event *event, struct appended *out, struct error *e)
{
    if (!record_place(tx, event) || !record_write(tx, event))
        return error_set(e, ERROR_UNKNOWN, NULL);
    out->pos = event->row.pos;
    strcpy(out->event_id, event->pdu.event_id);
    return true;
}

/* wait_ms: it is held until then in any case; 0: only if quiet hours say so. */
static bool append_planned(struct room *room, struct tx *tx, const struct draft *draft, int64_t wait_ms,
                           struct appended *out, struct error *e)
{
    struct plan plan;
    struct new_event event = {0};
    plan_init(&plan, room, tx);
    /* What would be too large is refused now, not when it is due. */
    bool done = plan_event(&plan, draft, &event, e) && complete_event(tx, &event, e);
    int64_t due_ms = plan.answer.due_ms > wait_ms ? plan.answer.due_ms : wait_ms;
    if (done)
        done = due_ms != 0 ? hold(tx, draft, &event, due_ms, out, e) : record(tx, &event, out, e);
    out->notice = plan.answer.verdict;
    if (wait_ms != 0) {
        out->notice = verdict_refusing(RULE_F3_QUIET_HOURS_HOLD);
        out->notice.allowed = true;
        out->notice.kind = VERDICT_HOLD;
    }
    text_finish(&event.content);
    plan_finish(&plan);
    return done;
}

static bool append_with_held_ids(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out,
                                 struct error *e)
{
    struct held_draft held;
    bool done = held_ids_resolve(tx, room, draft, &held, e);
    if (done && !held.taken_back)
        done = append_planned(room, tx, &held.draft, held.due_ms, out, e);
    else if (done) {
        *out = (struct appended){0};
        snprintf(out->event_id, sizeof out->event_id, "%s", draft->redacts);
    }
    held_ids_finish(&held);
    return done;
}

bool append_event(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e)
{
    return held_ids_in(draft) ? append_with_held_ids(room, tx, draft, out, e)
                              : append_planned(room, tx, draft, 0, out, e);
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
