/* The index of words as a service: what follows the stream into it, takes out of it what is taken back, and lends it to
 * whoever searches (find.h).
 *
 * It is a stream consumer with a thread of its own, and with its cursor in the index's file (driver/search_index.h),
 * not among those of jobs/consumer.h: cursor and index change in one transaction, and a file that is lost, older, or of
 * another database is found out when the server starts, and made anew. New events come first, a batch at a time, so
 * that the send path does nothing for them and they are found after some tenths of a second; then, newest first, what
 * there was before the index began, with half of a core at most; so a rebuild is nothing but an index that has just
 * begun.
 *
 * Indexed are m.room.message's body and the name and topic of rooms, in clear. What an event says no more
 * (a redaction, an erasure) stands in search_removals from the job on that took it; nobody finds it from then on, since
 * whoever searches reads the event itself, and the thread takes it out of the file: at once where SQLite can (3.42),
 * else by merging, which takes the longer the larger the index is, and so is done for at most a
 * twentieth of the time. */
#ifndef PARTA_SEARCH_SEARCH_H
#define PARTA_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change;
struct metrics;
struct search;
struct search_index;
struct writer;

struct search_settings {
    const char *path; /* of the index */
    struct writer *writer;
    int64_t first_ms; /* clock_mono_ms: when it begins, unless somebody searches or says something before; 0: at once */
};

/* Opens nothing yet: its thread does, again and again until it can, or whoever searches. NULL: there is no thread
 * (logged). */
struct search *search_start(const struct search_settings *settings);
void search_observe(void *search, const struct change *changes, size_t n); /* a writer_observer */
void search_stop(struct search *search);    /* before the writer stops. NULL is accepted, here and below */
void search_destroy(struct search *search); /* nobody may search any more */
void search_metrics(struct search *search, struct metrics *metrics);

/* Throws all of the index away and begins anew, while it is searched: only what is there again is found. Any thread. */
void search_rebuild(struct search *search);

struct search_progress {
    int64_t to_do; /* positions of the stream whose events are not yet in it, of */
    int64_t all;
    int64_t removals; /* events whose words are still in the file */
};
void search_progress(struct search *search, struct search_progress *out); /* any thread */

/* After an erasure (school.md G4): takes out at once what is to be taken out, and writes a file that is no larger than
 * that anew. true: nothing is left in it. Blocks long. */
bool search_scrub(struct search *search, int64_t at_most_bytes);

/* A reading connection, to be given back. NULL: it can't be read. Any thread. */
struct search_index *search_borrow(struct search *search);
void search_give_back(struct search *search, struct search_index *reader);

#endif
