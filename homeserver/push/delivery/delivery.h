/* Push: tells the devices of people whose app is not open that there is something unread (Client-Server API, "Push
 * Notifications"; Push Gateway API).
 *
 * A stream consumer follows the events, with a push gateway as its destination: a cursor each, and nothing is stored
 * for a recipient. An event goes to everybody in its room who has a pusher there and whose rules say so, one request
 * each, in order of the events and a few at a time. A gateway that does not answer is asked again, with what it did not
 * take yet and what still stands then: its batch waits, other gateways' go on. What it alone fails at, of several, is
 * put aside, so that nobody's key stops the others' pushes. After PUSH_LATE_MS everything is put aside, one row a
 * person and room (held.h), and told when the gateway answers: an outage loses nothing that is still unread. At least
 * once, also over a crash: a gateway knows an event it has had by its id. After a crash it has at most the last two
 * batches (of PUSH_BATCH_EVENTS events each; a cursor is written while the next is under way) twice.
 *
 * What a payload holds (A5): ids, how much is unread and the devices. Nothing of what somebody wrote, but where a
 * school's policy says so (push.content), or where there is no school.
 *
 * Which gateways there may be is the operator's decision (gateways.h). */
#ifndef PARTA_PUSH_DELIVERY_DELIVERY_H
#define PARTA_PUSH_DELIVERY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/push/delivery/digest.h"
#include "homeserver/store/driver/writer.h"

struct config;
struct metrics;
struct outgoing;
struct push_delivery;
struct push_service;
struct pusher_row;
struct unread;
struct user_names;

struct push_delivery_settings {
    const struct config *config;
    struct writer *writer;
    struct outgoing *outgoing;
    struct user_names *names;
    struct unread *unread;
    digest_send *send; /* post_send; NULL: no mail is sent */
    void *post;
    int64_t late_ms;          /* 0: PUSH_LATE_MS; tests want less */
    int64_t (*wall_ms)(void); /* NULL: clock_wall_ms; tests let hours pass */
    int64_t backoff_ms;
};

#define PUSH_BATCH_EVENTS 10 /* of the stream, handed to a gateway together */

/* Everything is borrowed. Where no gateway is allowed, no thread is started and nothing follows the stream. The caller
 * adds push_delivery_observe to the writer's observers. NULL: logged. Blocks (reads). */
struct push_delivery *push_delivery_start(const struct push_delivery_settings *settings);
void push_delivery_observe(void *push, const struct change *changes, size_t n);
void push_delivery_stop(struct push_delivery *push);    /* after outgoing_stop, before writer_stop. NULL is accepted */
void push_delivery_destroy(struct push_delivery *push); /* NULL is accepted */

struct push_service *push_delivery_service(struct push_delivery *push); /* borrowed; for tests */

/* Sets a pusher: what pusher names is checked. other_accounts: those of others with the same key stay ("append").
 * toggles: an existing one stays its own session's. false: *e is ERROR_FORBIDDEN with the rule (A5), ERROR_BOUND, or
 * ERROR_INVALID_PARAM. Blocks (the writer). */
struct push_wish {
    struct pusher_row *pusher; /* gateway is filled in from url */
    const char *url;           /* of an HTTP pusher */
    bool other_accounts, toggles;
};
bool push_delivery_set(struct push_delivery *push, const struct push_wish *wish, struct error *e);
/* None of theirs of that name: true, nothing changes. Blocks (the writer). */
bool push_delivery_unset(struct push_delivery *push, user_no user, const char *app_id, const char *pushkey,
                         struct error *e);

/* A job, every PUSH_LOOK_MS: what waits and is due, counts that fall (held.h), and each minute mails (digest.h) and
 * whether those gateways are followed that somebody has a pusher at, and no others. true: there is more. Blocks
 * (reads, the writer). */
#define PUSH_LOOK_MS 5000
bool push_delivery_run(struct push_delivery *push);

/* push is not NULL, and lives as long as metrics are asked for. */
void push_delivery_metrics(struct push_delivery *push, struct metrics *metrics);

#endif
