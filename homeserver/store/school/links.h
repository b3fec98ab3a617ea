/* Links by which people are let in (school.md C2, D1) at rest: rows of `links`.
 *
 * A token is told once, when its link is made, and kept as its hash only. Of a personal link that the server sends to
 * the person it is told to the person alone: it is drawn when the message is handed to the post, and drawn anew when
 * that has to be done again, so that it lies nowhere; the address lies here until then. Nothing here decides anything:
 * policy/signup/links.h says who makes links and what they are good for. */
#ifndef PARTA_STORE_SCHOOL_LINKS_H
#define PARTA_STORE_SCHOOL_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "policy/rules/words.h"

struct db;
struct stmt;
struct tx;

typedef int64_t link_no; /* > 0; 0: none */

enum link_kind {
    LINK_CLASS,    /* pupils, guardians, teachers of a class */
    LINK_SCHOOL,   /* teachers and staff of a school */
    LINK_GUARDIAN, /* a child's own, for a parent (D1) */
    LINK_PERSONAL, /* for one person of the records (C2) */
    LINK_KIND__COUNT
};
const char *link_kind_name(enum link_kind kind);            /* "class" */
bool link_kind_from(const char *name, enum link_kind *out); /* false: it is none; *out stays */

/* Of a personal link that is sent. On the wire "sending" is "waiting". */
enum link_delivery {
    LINK_TOLD /* not sent: told to who made it */,
    LINK_WAITING,
    LINK_SENDING,
    LINK_SENT,
    LINK_FAILED
};
const char *link_delivery_name(enum link_delivery delivery); /* "waiting"; NULL for LINK_TOLD */

struct link_row {
    link_no no;
    enum link_kind kind;
    school_no school;      /* 0: none (guardian) */
    class_no class;        /* 0: none */
    enum school_role role; /* what the link makes of its holder; 0: whatever the records say (personal) */
    user_no person;        /* guardian: the child; personal: whom it names; else 0 */
    user_no issuer;        /* 0: an operator */
    char issuer_name[ID_BYTES_MAX + 1];
    int64_t uses_allowed, uses;
    int64_t created_ms, expires_ms;
    int64_t revoked_ms;     /* 0: it is not */
    int64_t claim_until_ms; /* J4: somebody came by the personal link, and until then nobody but who confirms it takes
                             * them for the person; 0: nobody came, or it is confirmed. Not looked at by insert */
    char sent_by[8];        /* "email", "msisdn"; "": told to who made it */
    enum link_delivery delivery; /* not looked at by insert: waiting, if sent_by says how */
};
#define CLAIM_EVER (INT64_C(1) << 53) /* until somebody confirms it */

/* Look-ups. false: there is none. Block (a read). */
bool links_find(struct db *db, const char *token, struct link_row *out);
bool links_get(struct db *db, link_no no, struct link_row *out);

/* Which: those beyond after, at most limit, in order. school, class, person 0: any; kind LINK_KIND__COUNT: any.
 * open_ms: only those that could be used at that time; claimed_ms: only claims that nobody has
 * confirmed by then; 0: all. */
struct links_query {
    link_no after;
    int limit;
    school_no school;
    class_no class;
    user_no person;
    enum link_kind kind;
    int64_t open_ms, claimed_ms;
};
struct stmt *links_query(struct db *db, const struct links_query *query);
/* Nothing in *out is borrowed; stmt_end after. */
bool links_next(struct stmt *q, struct link_row *out);

/* Inside a job. Insert: uses, created_ms and revoked_ms of row are not looked at; send_to: an address in canonical
 * form, NULL: it is not sent. 0: the database failed. */
link_no links_insert(struct tx *tx, const struct link_row *row, const char *token, const char *send_to);
bool links_revoke(struct tx *tx, link_no no);
bool links_revoke_of(struct tx *tx,
                     user_no person); /* G4: what was made for that person, as if it had never been good */

/* Inside a job: counts one use. false: it is used up, expired or revoked by now. */
bool links_use(struct tx *tx, link_no no);

/* J4. A claim: somebody has come by a personal link. The newest that nobody has confirmed at that time. */
bool links_claim_of(struct db *db, user_no person, int64_t now_ms, struct link_row *out);
/* Who is to hear of it: the school's administrators, the class teachers of the person or their children, a child's
 * guardians, and a guardian's fellow guardians where custody is shared; not the issuer. How many. */
int links_claim_told(struct db *db, const struct link_row *link, user_no *out, int max);
/* Inside a job. */
bool links_claim(struct tx *tx, link_no no, int64_t until_ms);
bool links_claim_end(struct tx *tx, link_no no);

/* --- Sending --- */

struct link_letter {
    link_no no;
    char sent_by[8], send_to[256];
    int64_t expires_ms;
};
/* The oldest that waits to be sent that way and could be used at that time. false: there is none. */
bool links_unsent(struct db *db, const char *sent_by, int64_t now_ms, struct link_letter *out);

/* Inside a job. lost: what was being sent waits again (at a start); stale: what waits and is good for nobody any more
 * is given up; draw: the link's token is this one from now on, and being sent; deliver: to LINK_WAITING, LINK_SENT or
 * LINK_FAILED, of one that is being sent: the address goes unless it waits again. */
bool links_lost(struct tx *tx);
bool links_stale(struct tx *tx);
bool links_draw(struct tx *tx, link_no no, const char *token);
bool links_deliver(struct tx *tx, link_no no, enum link_delivery delivery);

#endif
