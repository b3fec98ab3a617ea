/* The table of the sections of an answer to /sync (sections.def). */
#ifndef PARTA_SYNC_SECTIONS_SECTIONS_H
#define PARTA_SYNC_SECTIONS_SECTIONS_H

#include "homeserver/sync/section.h"

struct sync_service;

#define X(section) extern const struct sync_section section;
#include "homeserver/sync/sections/sections.def"
#undef X

/* Adds all of them to a service, before anybody syncs. */
void sections_add(struct sync_service *sync);

#endif
