/* Which members a device has been told of already, so that lazy loading need not send them again (Client-Server API,
 * "Lazy-loading room members": redundant membership events).
 *
 * A device knows a member event when it came in an answer that the device has proven to have received, by asking with
 * that answer's next_batch or a later token. So an answer that got lost is repeated whole. The table is bounded and
 * forgets: then a member is sent once too often, which is allowed. Any thread; never blocks for more than a few
 * instructions. */
#ifndef PARTA_SYNC_LAZY_H
#define PARTA_SYNC_LAZY_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct lazy;

/* Empty, never NULL; its hashes have a secret of their own, so that nobody can choose whom it forgets. */
struct lazy *lazy_create(void);
void lazy_destroy(struct lazy *lazy); /* NULL is accepted */

/* Whether the device, asking with since, has the member event at member_pos of that user; member_pos 0: any of theirs.
 * What it was told before its own user joined (joined_pos) it may have dropped when they left. */
bool lazy_knows(struct lazy *lazy, device_no device, room_no room, user_no user, stream_pos member_pos,
                stream_pos joined_pos, stream_pos since);

/* Notes that the answer with next_batch upto has it. */
void lazy_note(struct lazy *lazy, device_no device, room_no room, user_no user, stream_pos member_pos, stream_pos upto);

#endif
