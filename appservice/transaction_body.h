/* The body of a transaction: {"events", "ephemeral", "to_device", "device_lists", …}. What came with proposals goes out
 * under both names, MSC2409's and MSC3202's, as bridges know the one or the other. */
#ifndef PARTA_APPSERVICE_TRANSACTION_BODY_H
#define PARTA_APPSERVICE_TRANSACTION_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;
struct event_row;
struct interest;
struct registration_file;
struct render;
struct user_names;

struct transaction_body {
    struct user_names *names;
    struct text events, ephemeral, to_device; /* items of lists, with commas between */
    json_t *changed, *left;                   /* whose keys changed, whose are needed no more: sets of ids */
    json_t *counts, *fallbacks;               /* {user: {device: …}} */
    room_no *moved;                           /* rooms of its events where somebody came or went, or encryption came */
    size_t n_moved;
};

/* What it covers. */
struct transaction_range {
    struct db *db;
    const struct registration_file *service;
    stream_pos after, upto;
    struct interest *interest;
};

/* Empty; names is borrowed for its life. finish frees what was added. */
void transaction_body_init(struct transaction_body *body, struct user_names *names);
void transaction_body_finish(struct transaction_body *body);

/* An event as services see it; json: a whole ephemeral event. Both are copied, in the order in which they are told. */
void transaction_body_add_event(struct transaction_body *body, const struct render *how, const struct event_row *row);
void transaction_body_add_ephemeral(struct transaction_body *body, const char *json);

/* Messages to devices of the service's users, and what keys those devices have left. Blocks (reads). */
void transaction_body_add_messages(struct transaction_body *body, const struct transaction_range *range);

/* Whose keys changed, of those whom the service's users may encrypt to, and the counts of its own users' devices among
 * them; who came to the rooms of the events added so far, and who is gone (device_lists of /sync). Blocks (reads). */
void transaction_body_add_keys(struct transaction_body *body, const struct transaction_range *range);

/* What keys the devices of that user have left, if it is one of the service's. Blocks (reads). */
void transaction_body_add_counts(struct transaction_body *body, const struct transaction_range *range, user_no user);

/* Nothing was added that is worth a transaction. */
bool transaction_body_is_empty(const struct transaction_body *body);
void transaction_body_write(const struct transaction_body *body, struct text *out); /* appends */

#endif
