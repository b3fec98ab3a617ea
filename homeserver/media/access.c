#include "homeserver/media/access.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/events/new_event.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/users.h"

#define NAMED_MAX 64 /* pieces that one event names, as far as anybody looks */

struct asking {
    bool school_mode;
    struct db *db;
    user_no asker;
    char *asker_id;
    const struct media_row *media;
};

/* --- Where it was sent --- */

static bool was_sent_to(const struct asking *a)
{
    room_no room, at = 0;
    stream_pos pos;
    struct visibility *visibility = NULL;
    bool found = false;
    struct stmt *q = media_places(a->db, a->media->no, a->asker);
    while (!found && media_places_next(q, &room, &pos)) {
        if (room != at) {
            visibility_free(visibility);
            visibility = visibility_load(a->db, a->school_mode, room, a->asker, a->asker_id);
            at = room;
        }
        found = visibility_allows(visibility, pos);
    }
    stmt_end(q);
    visibility_free(visibility);
    return found;
}

static bool may_be_ciphertext_for(const struct asking *a)
{
    room_no room;
    stream_pos first, last;
    bool found = false;
    if (a->media->sent || strcmp(a->media->type, "application/octet-stream") != 0)
        return false;
    struct stmt *q = media_encrypted_rooms(a->db, a->media->user, a->asker);
    while (!found && media_encrypted_rooms_next(q, &room)) {
        struct visibility *visibility = visibility_load(a->db, a->school_mode, room, a->asker, a->asker_id);
        found = visibility_range(visibility, &first, &last) && last > a->media->pos;
        visibility_free(visibility);
    }
    stmt_end(q);
    return found;
}

/* --- What it is the picture of --- */

static bool shows_itself(const struct asking *a, room_no room)
{
    struct summary summary;
    bool shown = summary_load(&summary, a->db, room) && summary_open_to(&summary, a->db, a->asker) &&
                 gate_may_see(a->school_mode, a->db, room, a->asker);
    summary_finish(&summary);
    return shown;
}

static bool pictures_room(const struct asking *a)
{
    room_no room;
    bool found = false;
    struct stmt *q = media_pictured_rooms(a->db, a->media->no);
    while (!found && media_pictured_rooms_next(q, &room))
        found = shows_itself(a, room);
    stmt_end(q);
    return found;
}

static bool pictures_person(const struct asking *a, const char *server_name)
{
    user_no owner;
    struct error ignored;
    struct text uri = TEXT_INIT;
    bool found = false;
    text_addf(&uri, "mxc://%s/%s", server_name, a->media->media_id);
    struct stmt *q = media_pictured_people(a->db, uri.data);
    while (!found && media_pictured_people_next(q, &owner))
        found = gate_profile(a->school_mode, a->db, a->asker, owner, &ignored);
    stmt_end(q);
    text_finish(&uri);
    return found;
}

bool media_may_see(bool school_mode, const char *server_name, struct db *db, user_no asker,
                   const struct media_row *media)
{
    if (asker != 0 && (media->user == asker || !school_mode))
        return true;
    struct asking a = {school_mode, db, asker, users_id(db, server_name, asker), media};
    bool may = a.asker_id != NULL &&
               (was_sent_to(&a) || pictures_person(&a, server_name) || pictures_room(&a) || may_be_ciphertext_for(&a));
    free(a.asker_id);
    return may;
}

bool media_may_show(bool school_mode, const char *server_name, struct db *db, user_no user, const char *uri)
{
    struct media_row row;
    const char *id = media_id_of(uri, server_name);
    return id != NULL && media_find(db, id, &row) && row.whole &&
           media_may_see(school_mode, server_name, db, user, &row);
}

/* --- Writing down where --- */

/* The next address of a piece of this server from *at on. */
static bool next_named(const char **at, const char *server_name, char media_id[MEDIA_ID_BYTES + 1])
{
    static const char SCHEME[] = "mxc://",
                      OF_IDS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t name = strlen(server_name);
    while ((*at = strstr(*at, SCHEME)) != NULL) {
        *at += sizeof SCHEME - 1;
        const char *id = *at + name + 1;
        if (strncmp(*at, server_name, name) != 0 || id[-1] != '/' || strspn(id, OF_IDS) != MEDIA_ID_BYTES)
            continue;
        memcpy(media_id, id, MEDIA_ID_BYTES);
        media_id[MEDIA_ID_BYTES] = '\0';
        return true;
    }
    return false;
}

bool media_note(void *self, struct tx *tx, const struct new_event *event)
{
    char media_id[MEDIA_ID_BYTES + 1];
    struct media_row row;
    const struct rooms_settings *settings = rooms_settings(self);
    const char *at = event->row.content;
    if (strstr(at, "mxc://") == NULL || (settings->school_mode && strcmp(event->row.type, "m.room.member") == 0))
        return true;
    for (int i = 0; i < NAMED_MAX && next_named(&at, settings->server_name, media_id); ++i)
        if (media_find(tx->db, media_id, &row) &&
            media_may_see(settings->school_mode, settings->server_name, tx->db, event->row.sender, &row) &&
            !media_place(tx, row.no, event->row.room, event->row.pos))
            return false;
    return true;
}
