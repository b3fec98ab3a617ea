#include "homeserver/store/matrix/ephemeral.h"

#include "homeserver/store/driver/writer.h"

stream_pos ephemeral_typing(struct tx *tx, room_no room)
{
    stream_pos pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_TYPING, .pos = pos, .room = room});
    return pos;
}

stream_pos ephemeral_presence(struct tx *tx, user_no user)
{
    stream_pos pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_PRESENCE, .pos = pos, .user = user});
    return pos;
}
