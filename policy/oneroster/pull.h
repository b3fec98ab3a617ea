/* A roster by OneRoster 1.2 REST: asked for, page by page, and imported (school.md I4).
 *
 * The first pull of a source asks for everything; later ones for what was modified since, with some minutes of overlap
 * because the source's clock and ours, and its records and their stamps, need not agree to the second. Whatever fails
 * (a page cut short, a total that does not come out, a record that does not fit) ends the pull, and nothing has
 * changed: records are collected first and imported at the end, in one transaction (source.h). One that another import
 * of the source has overtaken begins anew from what that one left. Pulls at the same time are puller.h's to keep apart.
 *
 * OAuth 2 client credentials (RFC 6749, 4.4); TLS is verified, no proxy is used, no redirect followed. Replies are
 * bounded in size and time; what may pass (5xx, 429, a connection that broke) is tried again a few times, a token that
 * is refused is replaced once (homeserver/outgoing/rest_client.h). The secret is never logged. */
#ifndef PARTA_POLICY_ONEROSTER_PULL_H
#define PARTA_POLICY_ONEROSTER_PULL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "policy/oneroster/source.h"

#define PULL_PAGE_ROWS 1000            /* asked for; the source may give fewer */
#define PULL_PAGE_BYTES_MAX (64 << 20) /* of a reply */
#define PULL_OVERLAP_MS 300000
#define PULL_TRIES 4 /* of one request */

struct config;
struct outgoing;
struct text;

struct roster_pull {
    const struct config *config; /* config->roster */
    struct outgoing *outgoing;   /* homeserver/outgoing */
    struct source_import import; /* source and how.writer, rooms, config, db, dry_run */
    bool full;                   /* everything, whatever was pulled before */
    const _Atomic bool *stop;    /* becomes true: the pull ends soon, refused; NULL: it goes on */
};

/* false: *problem says why in one sentence, nothing has changed; out->held: it waits to be confirmed (G5).
 * source_outcome_finish when done. Blocks (network, disk), long. */
bool roster_pull(struct roster_pull *pull, struct source_outcome *out, struct text *problem);

#endif
