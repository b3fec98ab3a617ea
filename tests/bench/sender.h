/* People who write in rooms, one message at a time each, and what is measured of it. */
#ifndef PARTA_BENCH_SENDER_H
#define PARTA_BENCH_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/school.h"

enum { CLASS = 30 };

struct sender {
    struct conn *conn;
    struct person *who;
    int index;
    const char *room_id;
    struct changelog *changelog;
    struct changelog *answers; /* latencies of the PUTs */
    int number;                /* of the message under way */
    bool closed_loop;
    int64_t until_us; /* closed loop: when to stop */
};

double ms(int64_t us);

/* A room with n people, from the first on; the id is the caller's to free. */
char *class_of(struct school *s, int first, int n, const char *name);

/* n senders, who are the people from the first on. */
void senders_open(struct school *s, struct sender *senders, int n, int first, const char *room_id,
                  struct changelog *changelog, struct changelog *answers);
void senders_close(struct sender *senders, int n);

void say(struct sender *s, int64_t due_us);

/* The k-th message of a chat, at its time, by the next of n people who is free. */
void say_in_turn(struct school *s, struct sender *senders, int n, int k, int64_t due_us);

/* All write as fast as they are answered, for so long, and until the last is answered (10 s more at most). */
void senders_flood(struct school *s, struct sender *senders, int n, int seconds);

/* Runs until everybody of the n from the first on has seen what was sent, at most 30 s. */
void drain(struct school *s, struct changelog *l, int from, int n);

/* One announcement to n parked polls: µs from sending it (so the commit is in it) to the last delivery. */
int64_t announce(struct school *s, struct sender *sender, int n);

#endif
