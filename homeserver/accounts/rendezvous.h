/* Where two devices of a person meet before one of them is signed in (MSC4108, MSC4388): a payload of a few KiB under a
 * drawn name, which whoever knows the name reads and replaces, but only what they have seen. What they say to each
 * other there is encrypted; to the server it is bytes. In memory: few, short-lived, and of one place not more than
 * RENDEZVOUS_OF_PLACE. Any thread. */
#ifndef PARTA_ACCOUNTS_RENDEZVOUS_H
#define PARTA_ACCOUNTS_RENDEZVOUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENDEZVOUS_DATA_MAX 4096 /* bytes */
#define RENDEZVOUS_NAME_CHARS 22
#define RENDEZVOUS_LIFETIME_MS INT64_C(300000)
#define RENDEZVOUS_MAX 2000
#define RENDEZVOUS_OF_PLACE 50

struct rendezvous;

struct rendezvous *rendezvous_create(void);             /* empty, never NULL */
void rendezvous_destroy(struct rendezvous *rendezvous); /* NULL is accepted */

/* What lies there. */
struct rendezvous_view {
    char id[RENDEZVOUS_NAME_CHARS + 1], sequence[RENDEZVOUS_NAME_CHARS + 1];
    int64_t expires_in_ms;
    int64_t changed_ms; /* as now_ms */
    char *data;         /* heap, the caller frees it: rendezvous_get alone */
    size_t len;
};

/* A new one. len: at most RENDEZVOUS_DATA_MAX. place: whose share it counts for. now_ms: clock_mono_ms, here and below.
 * false: that place has as many as it may, or there are RENDEZVOUS_MAX. */
bool rendezvous_open(struct rendezvous *rendezvous, const char *place, const char *data, size_t len, int64_t now_ms,
                     struct rendezvous_view *out);

/* What lies there, with a copy of its data, which the caller frees. false: it is gone, or never
 * was; out is untouched. */
bool rendezvous_get(struct rendezvous *rendezvous, const char *id, int64_t now_ms, struct rendezvous_view *out);

enum rendezvous_outcome { RENDEZVOUS_PUT, RENDEZVOUS_GONE, RENDEZVOUS_CONCURRENT };

/* Replaces what is there if that is what sequence names; the same data again are no conflict, and change nothing. */
enum rendezvous_outcome rendezvous_put(struct rendezvous *rendezvous, const char *id, const char *sequence,
                                       const char *data, size_t len, int64_t now_ms, struct rendezvous_view *out);

/* Ends it, for both sides. false: it is gone, or never was. */
bool rendezvous_close(struct rendezvous *rendezvous, const char *id, int64_t now_ms);

#endif
