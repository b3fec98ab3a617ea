/* Telling application services: transactions, each in order, one at a time (Application Service API, "Pushing events",
 * "Pushing ephemeral data"; MSC2409 and MSC3202 by their unstable names, too).
 *
 * A service is a destination of a stream consumer (jobs/consumer.h). Before a transaction is sent, its id, what of the
 * stream it covers and which events it holds are a row (store/matrix/appservices.h): whatever is killed meanwhile, the
 * same events come again under the same id, and under no other. Only 200 with a JSON object counts; all else is tried
 * again, with back-off, for ever. What is sent lies nowhere but in the events: a backlog costs no memory and no disk,
 * and what was redacted or erased meanwhile is gone from it too.
 *
 * Messages to devices are told by the same positions, and deleted once they were taken. Typing, receipts, presence and
 * key counts are told as they are now (recent_ephemeral.h), with the first attempt at a transaction; if that one is not
 * taken, the next transaction tells them again, so that nothing is missed whoever was away. */
#ifndef PARTA_APPSERVICE_TRANSACTIONS_H
#define PARTA_APPSERVICE_TRANSACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change;
struct config;
struct metrics;
struct outgoing;
struct registry;
struct sync_service;
struct transactions;
struct user_names;
struct writer;

#define TRANSACTIONS_CONSUMER "appservice" /* by this name (store/matrix/consumers.h) */

struct transactions_settings {
    const struct config *config;
    struct writer *writer;
    struct outgoing *outgoing;
    struct user_names *names;
    struct sync_service *sync; /* who types */
    struct registry *registry;
};

/* NULL: its thread could not be started (logged). Everything is borrowed until transactions_destroy. The caller adds
 * transactions_observe to the writer's observers, then calls transactions_follow. */
struct transactions *transactions_start(const struct transactions_settings *settings);
void transactions_observe(void *transactions, const struct change *changes, size_t n);

/* After the registrations were read: begins with new services, ends with those that are gone. Blocks (the writer). */
void transactions_follow(struct transactions *transactions);

int64_t
transactions_taken(struct transactions *transactions); /* transactions that were taken so far, of all. Any thread */
/* Transactions live as long as metrics are asked for. */
void transactions_metrics(struct transactions *transactions, struct metrics *metrics);
void transactions_stop(struct transactions *transactions);    /* after outgoing_stop. NULL is accepted */
void transactions_destroy(struct transactions *transactions); /* NULL is accepted */

/* Whether a reply says that a transaction was taken: 200 and a JSON object. */
bool transaction_taken(long status, const char *body, size_t len);

#endif
