/* The bridge: what reads the diaries at their times, compares, tells, and answers for itself.
 *
 * One thread reads, source after source (a timed thread); what diaries send by themselves (webhook.h) is compared on
 * the listener's behalf by the same thread, so that the state has one user at a time. The roster is read anew each
 * school.roster_s, and what could not be read stays as it was. */
#ifndef PARTA_DIARY_BRIDGE_H
#define PARTA_DIARY_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "appservice/diary/settings.h"
#include "appservice/diary/sink.h"
#include "homeserver/base/text.h"

struct bridge;
struct listener;

/* Opens the state and starts to read. sink outlives it. NULL: *problem says why. */
struct bridge *bridge_start(struct diary_settings *settings, const struct sink *sink, struct text *problem);
/* Every diary is read as soon as what is under way has been done, but none before the time at which it has said it may
 * be asked again (Retry-After). Any thread; does not block. */
void bridge_read_now(struct bridge *bridge);
/* Reads, tells and answers no more: after this the listener may stop, which has exchanges that wait. NULL is accepted,
 * here and below. */
void bridge_pause(struct bridge *bridge);
void bridge_stop(struct bridge *bridge);

/* Answers at listen.address and listen.port: what ROUTES in bridge.c names. NULL: *problem says why. */
struct listener *bridge_listen(struct bridge *bridge, struct text *problem);

/* Reads the key under which records are hashed; makes it first. false: *problem. */
bool bridge_key(const struct diary_settings *settings, unsigned char key[RECORD_KEY_BYTES], struct text *problem);

#endif
