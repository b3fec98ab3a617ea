/* A section of an answer to /sync: one kind of news (presence, account data, the rooms one is joined to), from what it
 * gathers to the JSON it becomes (Client-Server API, "Syncing").
 *
 * A section gathers data first (rows, positions, flags: no JSON) and writes it afterwards, so that another format can
 * be written from the same data. Sections stand in a table (sync/sections/sections.h); sync_service_add adds one.
 * Nothing else knows which sections there are: a new kind of news is a section, the store that keeps it, the kind of
 * change that the store queues (store/driver/writer.h), and a line of the table
 * (tests/unit/sync_section.c shows it). */
#ifndef PARTA_SYNC_SECTION_H
#define PARTA_SYNC_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/sync/hub.h"

struct member_set;
struct sync_gather;
struct sync_service;
struct text;

/* A kind of change that is news of a section, and whom it concerns. */
struct sync_change {
    enum change_kind kind;
    unsigned concerns; /* bits of enum hub_concerns; 0 ends the list */

    /* HUB_OTHERS: who they are; a reference of the caller's; NULL: it could not be found out. Asked on the writer's
     * thread: never blocks. */
    struct member_set *(*others)(struct sync_service *sync, const struct change *change);
};

#define SYNC_CHANGES_MAX 4

struct sync_section {
    struct sync_change changes[SYNC_CHANGES_MAX + 1];
    const char *key; /* the member of the answer whose object this section fills; NULL: it writes whole members */
    bool of_rooms;   /* … of the answer's "rooms". Sections of rooms stand together in the table */
    size_t data_bytes;

    /* Reads what there is to tell into data, which is zeroed. false: there is nothing. Blocks (reads). */
    bool (*gather)(struct sync_gather *gather, void *data);

    /* gather is asked again, with data as finish left it, until it says false, and what it gathered is written before
     * that: a person may be in thousands of rooms, which are not to be held all at once. */
    bool in_portions;

    /* Whether what was gathered is a reason to answer a poll rather than to let it wait. NULL: it is. */
    bool (*has_news)(const void *data);

    /* Appends what was gathered: members of the object of key, or of the answer. Blocks: rendering an event reads what
     * belongs to it (aggregations, redactions). */
    void (*write)(struct text *out, struct sync_gather *gather, const void *data);

    /* Releases what gather put into data, whatever gather said. NULL: there is nothing. */
    void (*finish)(void *data);

    /* What clients want in every answer, even one that has no news of this section: whole members, each with a comma
     * before it, written on a loop: never blocks. NULL: nothing. gather has no database then. */
    void (*write_idle)(struct text *out, const struct sync_gather *gather);
};

#endif
