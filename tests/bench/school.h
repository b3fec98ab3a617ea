/* The people and rooms of a benchmark, made through the client-server API, and the polls that they keep open. */
#ifndef PARTA_BENCH_SCHOOL_H
#define PARTA_BENCH_SCHOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/client.h"
#include "tests/bench/subject.h"

#define MESSAGES_MAX 200000

/* One run's messages: when each was due, and what went wrong. Numbers are given out in the order of sending, per room
 * one sender at a time or not: what is checked is that every poller sees every number once and
 * each sender's in order. */
struct changelog {
    int64_t due_us[MESSAGES_MAX];
    int sent, answered;
    int64_t lost_or_repeated, out_of_order, refused; /* refused: polls that were not answered with 200 */
    int64_t *latencies_us;                           /* of deliveries */
    int64_t n_latencies, cap;
};

struct person {
    char *user_id, *token, *filter; /* filter: the id of the one that polls use */
    struct conn *poll;
    char since[128];
    int timeout_ms;              /* of polls; 0: 60 s */
    bool sliding;                /* polls are of sliding sync; since is its pos */
    struct changelog *changelog; /* where deliveries are booked; NULL: not looked at */
    unsigned char *seen;         /* bits: message numbers */
    int n_seen;
    int last_of[64]; /* the last number seen of each sender */
    bool stop;
};

struct school {
    struct subject *subject;
    struct client *client;
    struct conn *desk; /* for set-up */
    struct person *people;
    int n;
};

void school_open(struct school *s, struct subject *subject);
void school_close(struct school *s);
void school_people(struct school *s, int n);                        /* registers people up to n */
void school_crowd(struct school *s, int n, const char *room_id);    /* the same, and the new ones join the room */
char *school_room(struct school *s, int creator, const char *name); /* a public room; the id is the caller's to free */
void school_join(struct school *s, int person, const char *room_id);
void school_say(struct school *s, int person, const char *room_id, const char *text);

/* The path of a send with message number n. */
void send_path(char *out, size_t size, const char *room_id, const char *txn);

void poll_begin(struct school *s, int person, struct changelog *changelog); /* an initial sync, then long polls */
void poll_begin_sliding(struct school *s, int person, struct changelog *changelog); /* the same of sliding sync */
void poll_pause(struct school *s, int person);  /* the connection goes, what was seen stays … */
void poll_resume(struct school *s, int person); /* … and polls go on from there */
void poll_end(struct school *s, int person);

/* What Element X asks of every room of its list, and where. */
#define SLIDING_PATH "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
extern const char SLIDING_BODY[];

void ledger_begin(struct changelog *l);
void ledger_book(struct changelog *l, int64_t latency_us);
int64_t ledger_percentile(struct changelog *l, double p); /* µs */
void ledger_end(struct changelog *l);

#endif
