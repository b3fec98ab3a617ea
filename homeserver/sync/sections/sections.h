/* The table of the sections of an answer to /sync, in the order in which they are written. */
#ifndef PARTA_SYNC_SECTIONS_SECTIONS_H
#define PARTA_SYNC_SECTIONS_SECTIONS_H

#include "homeserver/sync/section.h"

struct sync_service;

/* One a file of this folder. */
extern const struct sync_section DEVICE_KEYS_SECTION;
extern const struct sync_section ACCOUNT_DATA_SECTION;
extern const struct sync_section PRESENCE_SECTION;
extern const struct sync_section JOINED_ROOMS_SECTION;
extern const struct sync_section INVITED_ROOMS_SECTION, KNOCKED_ROOMS_SECTION;
extern const struct sync_section LEFT_ROOMS_SECTION;

/* Adds all of them to a service, before anybody syncs. */
void sections_add(struct sync_service *sync);

#endif
